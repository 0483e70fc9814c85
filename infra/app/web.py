"""Web: the pods that answer requests, replaced without losing a request."""

import math

import pulumi
import pulumi_kubernetes as kubernetes

from infra.app.pod import Pods, patience, progress
from infra.ownership import OURS
from infra.settings.app import App, Health, Probe

_PORT = "ed-port"
"""The name of the container's port. Do not change it: during a release, the Service finds old and new pods by it."""

_PRE_STOP = 10
"""Seconds that a pod still serves after it is told to stop: until kube-proxy on every node, and so the balancer, has
stopped choosing it. They learn of the stop at the same time as the pod does, not before."""
_SPARE = 10
"""Seconds before a pod is killed, besides that pause and the time for requests in flight."""


class Web(pulumi.ComponentResource):
    """A Deployment, a disruption budget that keeps pods running while nodes are drained, and an optional autoscaler."""

    app: str
    """The name of these objects, and the pods' label `app`."""
    port: pulumi.Output[str]
    """The name of the container's port. Known once the pods are ready, so that whatever sends them requests is created
    after them and deleted before them."""

    def __init__(
        self, name: str, *, settings: App, pods: Pods, host: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare them; `host` is the Host header of the probes."""
        super().__init__(
            "ejemplo-django:infra:Web",
            name,
            None,
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="ejemplo-django:infra:Workload")])
            ),
        )
        child = pulumi.ResourceOptions(parent=self)
        labels = {"app": settings.name}
        metadata: kubernetes.meta.v1.ObjectMetaArgsDict = {
            "name": settings.name,
            "labels": labels,
            "annotations": OURS,
        }
        scale, scales = settings.scale, settings.scale.max is not None
        tls: list[kubernetes.core.v1.VolumeArgsDict] = []
        mounts: list[kubernetes.core.v1.VolumeMountArgsDict] = []
        if settings.tls_secret:
            tls.append({"name": "tls", "secret": {"secret_name": settings.tls_secret}})
            mounts.append({"name": "tls", "mount_path": settings.tls_folder, "read_only": True})
        template = pods.template(
            labels=labels,
            command=settings.command,
            container={
                "ports": [{"name": _PORT, "container_port": settings.port}],
                **_probes(settings.health, host=host, scheme="HTTPS" if settings.tls_secret else "HTTP"),
                "lifecycle": {"pre_stop": {"sleep": {"seconds": _PRE_STOP}}},
                "volume_mounts": mounts,
            },
            stop_seconds=_PRE_STOP + settings.stop_seconds + _SPARE,
            volumes=tls,
            more={
                "topology_spread_constraints": [
                    {
                        "max_skew": 1,
                        "topology_key": "kubernetes.io/hostname",
                        "when_unsatisfiable": "ScheduleAnyway",
                        "label_selector": {"match_labels": labels},
                    }
                ]
            },
        )
        deployment = kubernetes.apps.v1.Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec={
                "replicas": scale.min,
                "selector": {"match_labels": labels},
                # One extra pod at a time, and never one fewer: an old pod stops only when a new one is ready.
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_unavailable": 0, "max_surge": 1},
                },
                "progress_deadline_seconds": progress(start=settings.health.start_seconds),
                "template": template,
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # Leave the number to the autoscaler: the provider then does not set it.
                ignore_changes=["spec.replicas"] if scales else None,
                custom_timeouts=patience(pods=scale.max or scale.min, start=settings.health.start_seconds),
            ),
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            f"{name}-budget",
            metadata=metadata,
            spec={
                "max_unavailable": 1,
                "selector": {"match_labels": labels},
                # Pods that are not ready need no protection; without this, two that crash would block the drain of a
                # node.
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=child,
        )
        if scales:
            kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
                f"{name}-autoscaler",
                metadata=metadata,
                spec={
                    "scale_target_ref": {
                        "api_version": "apps/v1",
                        "kind": "Deployment",
                        "name": deployment.metadata.name,
                    },
                    "min_replicas": scale.min,
                    "max_replicas": scale.max,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "cpu",
                                "target": {"type": "Utilization", "average_utilization": scale.cpu},
                            },
                        }
                    ],
                },
                opts=child,
            )
        if settings.root:
            pulumi.log.warn(
                "app.root is true: the containers may run as root, and so may an attacker who breaks into one"
            )
        if not settings.read_only_root:
            pulumi.log.warn("app.readOnlyRoot is false: files that the app writes are lost with their pod")

        self.app = settings.name
        self.port = deployment.spec.template.spec.containers[0].ports[0].name
        self.register_outputs({"app": self.app, "port": self.port})


def _probes(health: Health, *, host: str, scheme: str) -> kubernetes.core.v1.ContainerArgsDict:
    # By default the kubelet sends the pod's address as the Host, which an app that checks its hosts refuses.
    headers: list[kubernetes.core.v1.HTTPHeaderArgsDict] = [{"name": "Host", "value": host}]

    def probe(asked: Probe, *, period: int, timeout: int, failures: int) -> kubernetes.core.v1.ProbeArgsDict:
        path = asked.path or health.path
        return {
            "period_seconds": asked.period_seconds or period,
            "timeout_seconds": asked.timeout_seconds or timeout,
            "failure_threshold": asked.failures or failures,
            "tcp_socket": None if path else {"port": _PORT},
            "http_get": {"path": path, "port": _PORT, "scheme": scheme, "http_headers": headers} if path else None,
        }

    return {
        # Every second, to notice a fast start at once.
        "startup_probe": probe(
            health.startup,
            period=1,
            timeout=1,
            failures=math.ceil(health.start_seconds / (health.startup.period_seconds or 1)),
        ),
        "readiness_probe": probe(health.readiness, period=5, timeout=3, failures=2),
        # Slow to fail: under load, a pod that answers late is better left alone than restarted.
        "liveness_probe": probe(health.liveness, period=10, timeout=5, failures=6),
    }
