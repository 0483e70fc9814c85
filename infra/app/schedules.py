"""Schedules: commands that run on a schedule."""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from infra.app.pod import Pods
from infra.ownership import OURS
from infra.settings.app import Schedule


class Schedules(pulumi.ComponentResource):
    """A CronJob `<app>-<schedule>` for each, with the image and variables of the app."""

    def __init__(
        self,
        name: str,
        *,
        settings: Mapping[str, Schedule],
        pods: Pods,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare a CronJob for each schedule, by name."""
        super().__init__("ejemplo-django:infra:Schedules", name, None, opts)
        for schedule, each in settings.items():
            labels = {"app": f"{pods.settings.name}-{schedule}"}
            template = pods.template(
                labels=labels,
                command=each.command,
                resources=each.resources,
                more={"restart_policy": "Never"},
            )
            kubernetes.batch.v1.CronJob(
                f"{name}-{schedule}",
                metadata={"name": labels["app"], "labels": labels, "annotations": OURS},
                spec={
                    "schedule": each.cron,
                    "time_zone": "Etc/UTC",
                    # While a run lasts, skip the next; a failed run waits for its next time.
                    "concurrency_policy": "Forbid",
                    "job_template": {"spec": {"backoff_limit": 0, "template": template}},
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
