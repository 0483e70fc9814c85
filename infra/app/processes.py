"""Processes: workers, which receive no requests."""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from infra.app.pod import Pods, patience, progress
from infra.ownership import OURS
from infra.settings.app import Process


class Processes(pulumi.ComponentResource):
    """A Deployment `<app>-<process>` for each worker, with the image and variables of the app."""

    def __init__(
        self,
        name: str,
        *,
        settings: Mapping[str, Process],
        pods: Pods,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a Deployment for each worker, by name."""
        super().__init__("ejemplo-django:infra:Processes", name, None, opts)
        for process, each in settings.items():
            labels = {"app": f"{pods.settings.name}-{process}"}
            kubernetes.apps.v1.Deployment(
                f"{name}-{process}",
                metadata={"name": labels["app"], "labels": labels, "annotations": OURS},
                spec={
                    "replicas": each.count,
                    "selector": {"match_labels": labels},
                    "progress_deadline_seconds": progress(),
                    "template": pods.template(
                        labels=labels,
                        command=each.command,
                        stop_seconds=each.stop_seconds,
                        resources=each.resources,
                    ),
                },
                opts=pulumi.ResourceOptions(parent=self, custom_timeouts=patience(pods=each.count)),
            )
        self.register_outputs({})
