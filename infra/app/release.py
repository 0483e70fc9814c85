"""Release: a command that runs once, with the new image, before any new pod of the app starts."""

import time
from collections.abc import Callable

import pulumi
import pulumi_kubernetes as kubernetes

from infra import kubectl, threads
from infra.app.pod import Pods, progress
from infra.kubectl import Api
from infra.settings import app

_INTERVAL = 2
"""Seconds between two checks of a running Job."""


class Release(pulumi.ComponentResource):
    """A Job named by Pulumi: another image, variable or command makes a new Job and deletes the old one.

    Resources that depend on it wait until it succeeds. If it fails, `up` ends with the end of its log, and the next
    `up` tries again.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: app.Release | None,
        pods: Pods,
        namespace: str,
        kubeconfig: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the Job, or nothing if there is no command.

        `kubeconfig` and `namespace` say where to wait for a Job that an interrupted `up` left.
        """
        super().__init__("ejemplo-django:infra:Release", name, None, opts)
        if settings is not None:
            self._declare(name, settings, pods, namespace, kubeconfig)
        self.register_outputs({})

    def _declare(
        self, name: str, settings: app.Release, pods: Pods, namespace: str, kubeconfig: pulumi.Input[str]
    ) -> None:
        label = f"{pods.settings.name}-release"
        seconds = progress(start=settings.seconds)
        patience = f"{seconds + 60}s"
        kubernetes.batch.v1.Job(
            # Also the prefix of its name in the cluster.
            label,
            metadata={
                "labels": {"app": label},
                # Replace a failed Job; otherwise Pulumi would find the failed one again, forever.
                "annotations": {"pulumi.com/replaceUnready": "true"},
            },
            spec={
                "backoff_limit": 0,
                "active_deadline_seconds": seconds,
                "template": pods.template(
                    labels={"app": label},
                    command=settings.command,
                    more={"restart_policy": "Never"},
                ),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                custom_timeouts=pulumi.CustomTimeouts(create=patience, update=patience),
                hooks=_after_another(f"{name}-alone", label, namespace, kubeconfig, seconds),
            ),
        )


def _after_another(
    name: str, label: str, namespace: str, kubeconfig: pulumi.Input[str], seconds: int
) -> pulumi.ResourceHookBinding:
    """Before the Job is created, wait for one that an interrupted `up` left running: never run two at once."""

    async def wait(_: pulumi.ResourceHookArgs) -> None:
        given = await pulumi.Output.from_input(kubeconfig).future()
        await threads.run(alone, str(given), label, namespace, seconds=seconds, tell=pulumi.log.info)

    hook = pulumi.ResourceHook(name, wait)
    return pulumi.ResourceHookBinding(before_create=[hook])


def alone(kubeconfig: str, label: str, namespace: str, *, seconds: int, tell: Callable[[str], object]) -> None:
    """Wait until no Job with the label `app` of this value runs; call `tell` with a line at each check.

    Raise RunError if one still runs after `seconds` seconds.
    """
    ends = time.monotonic() + seconds
    with kubectl.connect(kubeconfig) as api:
        while running := _running(api, label, namespace):
            if time.monotonic() > ends:
                raise pulumi.RunError(f"app.release: the Job {running} of an earlier up still runs.")
            tell(f"waiting for the Job {running}, which an earlier up started")
            time.sleep(_INTERVAL)


def _running(api: Api, label: str, namespace: str) -> str:
    """Return the name of a running Job; empty if none runs."""
    jobs = api.ask(f"/apis/batch/v1/namespaces/{namespace}/jobs?labelSelector=app%3D{label}")["items"]
    return next((str(each["metadata"]["name"]) for each in jobs if each["status"].get("active")), "")
