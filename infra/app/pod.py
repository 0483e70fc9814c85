"""Pods: the pod template that everything in the app shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from infra.settings.app import App, Resources, misfit

_FIRST_FREE = 1024
_LOW_PORTS: kubernetes.core.v1.SysctlArgsDict = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
"""Lets every user in the pod listen on the ports below 1024. Kubernetes calls this sysctl safe, since 1.22
(https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/)."""
_PULL = 240
"""Seconds allowed for pulling an image to a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """The image, the variables and the limits of every pod of the app."""

    settings: App
    image: pulumi.Input[str]
    """The image, by digest."""
    user: pulumi.Input[str | None]
    """The user that the image runs as; None if it is unknown until the pods run."""
    platform: str
    """The image's platform, such as linux/amd64, which keeps the pods off other nodes; empty if it is unknown."""
    pull_secret: pulumi.Input[str]
    """The name of the pull secret; empty if the nodes pull with their role."""
    variables: Sequence[kubernetes.core.v1.EnvVarArgsDict]

    def template(
        self,
        *,
        labels: Mapping[str, str],
        command: Sequence[str] | None,
        stop_seconds: int = 30,
        container: kubernetes.core.v1.ContainerArgsDict | None = None,
        resources: Resources | None = None,
        volumes: Sequence[kubernetes.core.v1.VolumeArgsDict] = (),
        more: kubernetes.core.v1.PodSpecArgsDict | None = None,
    ) -> kubernetes.core.v1.PodTemplateSpecArgsDict:
        """Return a pod template with one container; `container` and `more` add fields to the container and to the pod.

        `command` replaces the image's CMD. A pod is killed `stop_seconds` after it is told to stop; the default is
        Kubernetes'.
        """
        settings, amounts = self.settings, resources or self.settings.resources
        system, _, architecture = self.platform.partition("/")
        own = container or {}
        writable: list[kubernetes.core.v1.VolumeArgsDict] = []
        mounts: list[kubernetes.core.v1.VolumeMountArgsDict] = []
        for number, folder in enumerate(settings.writable):
            writable.append({"name": f"writable-{number}", "empty_dir": {}})
            mounts.append({"name": f"writable-{number}", "mount_path": folder})
        main: kubernetes.core.v1.ContainerArgsDict = {
            "name": f"{settings.name}-container",
            "image": pulumi.Output.all(self.image, self.user).apply(self._fit),
            "args": [literal(word) for word in command] if command else None,
            "env": self.variables,
            # Kubernetes, and so Pulumi, then reports the end of its log when a container fails.
            "termination_message_policy": "FallbackToLogsOnError",
            "resources": {
                "requests": {"cpu": amounts.cpu, "memory": amounts.memory},
                "limits": {"memory": amounts.memory},
            },
            "security_context": {
                "allow_privilege_escalation": False,
                "capabilities": {"drop": ["ALL"]},
                "read_only_root_filesystem": settings.read_only_root,
            },
            **own,
            "volume_mounts": [*mounts, *own.get("volume_mounts", ())],
        }
        spec: kubernetes.core.v1.PodSpecArgsDict = {
            "containers": [main],
            "node_selector": {"kubernetes.io/os": system, "kubernetes.io/arch": architecture} if system else None,
            "image_pull_secrets": pulumi.Output.from_input(self.pull_secret).apply(_named),
            "termination_grace_period_seconds": stop_seconds,
            # The app does not call Kubernetes, nor use the variables that each Service of the namespace would set, such
            # as POSTGRES_PORT for one named postgres.
            "automount_service_account_token": False,
            "enable_service_links": False,
            "security_context": {
                "run_as_non_root": not settings.root,
                "run_as_user": settings.user,
                "seccomp_profile": {"type": "RuntimeDefault"},
                # Containers have no capabilities: without this, not even root could listen on a low port.
                "sysctls": [_LOW_PORTS] if settings.port < _FIRST_FREE else None,
            },
            "volumes": [*writable, *volumes],
            **(more or {}),
        }
        return {"metadata": {"labels": labels}, "spec": spec}

    def _fit(self, image: Sequence[str]) -> str:
        """Return an image, given with its user, if Kubernetes will start it; otherwise raise RunError with the key."""
        key, words = misfit(image[1], by_number=self.settings.user, root=self.settings.root)
        if key:
            raise pulumi.RunError(f"app.{key}: found nothing, expected {words}.")
        return image[0]


def progress(*, start: int = 60) -> int:
    """Return the seconds without a new ready pod after which Kubernetes reports that a rollout makes no progress.

    They cover pulling the image, and then the `start` seconds that a pod may take.
    """
    return _PULL + start


def patience(*, pods: int, start: int = 60) -> pulumi.CustomTimeouts:
    """Return how long Pulumi waits for a rollout of that many pods, which may take `start` seconds each.

    The pods start one after the other; then Kubernetes gives its verdict. Pulumi does not stop at that verdict, but
    reports it when its own time is over.
    """
    seconds = f"{progress(start=start) + start * pods}s"
    return pulumi.CustomTimeouts(create=seconds, update=seconds)


def literal(text: str) -> str:
    """Escape a string so that Kubernetes does not expand `$(NAME)` in it."""
    return text.replace("$", "$$")


def _named(secret: str) -> list[kubernetes.core.v1.LocalObjectReferenceArgsDict]:
    return [{"name": secret}] if secret else []
