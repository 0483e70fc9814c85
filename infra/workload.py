"""Workload: the pods of the app, and how they are replaced without losing a request."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.balancer_kind import BalancerKind
from infra.ownership import OURS
from infra.settings.app import App

_PORT = "ed-port"

_PRE_STOP = 10
"""Seconds that a pod still serves once it is told to go: until every node's kube-proxy, and so the balancer
that sends through them, has stopped choosing it. They learn of it at the same moment as the pod does, not
before."""
_GRACE = _PRE_STOP + 20 + 10
"""Seconds until a pod is killed: the pause, then the 20 that app/gunicorn.conf.py gives to requests in
flight, and 10 to spare."""

_START = 60
"""Seconds that a pod may take to start, once its image is there."""
_PROGRESS = 300
"""Seconds without a new ready pod after which Kubernetes says of a rollout that it does not get on: pulling the image
is in it."""

_TLS = "/tls"
"""Where the pods have the certificate with which they end TLS themselves."""
_HTTPS_BY: dict[BalancerKind, kubernetes.core.v1.EnvVarArgsDict] = {
    # The Service of this program, the only way in, sets X-Forwarded-Proto on every request.
    BalancerKind.CLASSIC: {"name": "BEHIND_TLS_BALANCER", "value": "True"},
    # Its Service has no port but that of https, and no header is trusted.
    BalancerKind.NLB: {"name": "ONLY_HTTPS", "value": "True"},
    BalancerKind.NONE: {"name": "TLS_FOLDER", "value": _TLS},
}
"""How the app knows by what a request came, for each kind of balancer."""


class Workload(pulumi.ComponentResource):
    """A Deployment, and the budget by which a drain of nodes leaves pods running."""

    app: str
    """The name that they have, and the pods' label `app`."""
    port: pulumi.Output[str]
    """The name of the container's port. Known once the pods are ready, so that whatever sends them requests
    comes after them, and goes before them."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        image: pulumi.Input[str],
        version: str,
        host: str,
        settings: App,
        pull_secret: pulumi.Input[str],
        secret_key: pulumi.Input[str],
        balancer: BalancerKind = BalancerKind.CLASSIC,
        platform: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `pull_secret` and `secret_key` name Secrets, the latter one with a SECRET_KEY.

        The former is empty where the nodes pull by a role of their own. `balancer` is what stands before it; behind
        none of AWS's `settings.tls_secret` must be there. `platform` is the image's, such as linux/amd64, and keeps the
        pods off nodes of another; None where it is not known.
        """
        super().__init__("ejemplo-django:infra:Workload", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {"app": app}
        system, _, architecture = (platform or "").partition("/")
        selector = {"kubernetes.io/os": system, "kubernetes.io/arch": architecture}

        def probe(path: str) -> kubernetes.core.v1.HTTPGetActionArgsDict:
            # By its address, which the kubelet would send, Django would not know the pod and answer 400.
            return {
                "path": path,
                "port": _PORT,
                "scheme": "HTTPS" if settings.tls_secret else "HTTP",
                "http_headers": [{"name": "Host", "value": host}],
            }

        volumes: list[kubernetes.core.v1.VolumeArgsDict] = [{"name": "tmp", "empty_dir": {}}]
        mounts: list[kubernetes.core.v1.VolumeMountArgsDict] = [
            {"name": "tmp", "mount_path": "/tmp"}  # noqa: S108  # the pod's own
        ]
        if settings.tls_secret:
            volumes.append({"name": "tls", "secret": {"secret_name": settings.tls_secret}})
            mounts.append({"name": "tls", "mount_path": _TLS, "read_only": True})
        container: kubernetes.core.v1.ContainerArgsDict = {
            "name": f"{app}-container",
            "image": image,
            "ports": [{"name": _PORT, "container_port": settings.port}],
            "env": [
                {"name": "DEBUG", "value": str(settings.debug)},
                {"name": "ALLOWED_HOSTS", "value": host},
                {"name": "PORT", "value": str(settings.port)},
                {"name": "VERSION", "value": version},
                _HTTPS_BY[balancer],
                {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
                {
                    "name": "SECRET_KEY",
                    "value_from": {"secret_key_ref": {"name": secret_key, "key": "SECRET_KEY"}},
                },
            ],
            # Looked at every second, so that a fast start is not waited for.
            "startup_probe": {"http_get": probe("/healthz"), "period_seconds": 1, "failure_threshold": _START},
            "readiness_probe": {
                "http_get": probe("/readyz"),
                "period_seconds": 5,
                "timeout_seconds": 3,
                "failure_threshold": 2,
            },
            # Slow to judge: under load a pod that answers late is better left alone than restarted.
            "liveness_probe": {
                "http_get": probe("/healthz"),
                "period_seconds": 10,
                "timeout_seconds": 5,
                "failure_threshold": 6,
            },
            # The end of its log is then what Kubernetes, and so Pulumi, says of a container that failed.
            "termination_message_policy": "FallbackToLogsOnError",
            "lifecycle": {"pre_stop": {"sleep": {"seconds": _PRE_STOP}}},
            # No limit of CPU: it would slow requests down on a node that has time to spare.
            "resources": {
                "requests": {"cpu": "50m", "memory": "128Mi"},
                "limits": {"memory": "384Mi"},
            },
            "security_context": {
                "allow_privilege_escalation": False,
                "capabilities": {"drop": ["ALL"]},
                "read_only_root_filesystem": True,
            },
            "volume_mounts": mounts,
        }
        deployment = kubernetes.apps.v1.Deployment(
            f"{name}-deployment",
            metadata={"name": app, "labels": labels, "annotations": OURS},
            spec={
                "replicas": settings.replicas,
                "selector": {"match_labels": labels},
                # One more pod at a time, and none fewer: what serves goes only when its successor is ready.
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_unavailable": 0, "max_surge": 1},
                },
                "progress_deadline_seconds": _PROGRESS,
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [container],
                        "node_selector": selector if platform else None,
                        "image_pull_secrets": pulumi.Output.from_input(pull_secret).apply(_named),
                        "termination_grace_period_seconds": _GRACE,
                        # Nothing in the app speaks to Kubernetes.
                        "automount_service_account_token": False,
                        "security_context": {
                            "run_as_non_root": True,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "topology_spread_constraints": [
                            {
                                "max_skew": 1,
                                "topology_key": "kubernetes.io/hostname",
                                "when_unsatisfiable": "ScheduleAnyway",
                                "label_selector": {"match_labels": labels},
                            }
                        ],
                        "volumes": volumes,
                    },
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                custom_timeouts=pulumi.CustomTimeouts(
                    create=_patience(settings.replicas), update=_patience(settings.replicas)
                ),
            ),
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            f"{name}-budget",
            metadata={"name": app, "labels": labels, "annotations": OURS},
            spec={"max_unavailable": 1, "selector": {"match_labels": labels}},
            opts=child,
        )

        self.app = app
        self.port = deployment.spec.template.spec.containers[0].ports[0].name
        self.register_outputs({"app": self.app, "port": self.port})


def _named(secret: str) -> list[kubernetes.core.v1.LocalObjectReferenceArgsDict]:
    return [{"name": secret}] if secret else []


def _patience(replicas: int) -> str:
    """How long Pulumi waits for a rollout: the pods come one after the other, and then for Kubernetes' own verdict.

    Pulumi does not end with that verdict, but names it when its own time is over.
    """
    return f"{_PROGRESS + _START * replicas}s"
