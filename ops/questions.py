"""What `make new-stack` asks: which settings, in which order, with which proposals."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra import checks, config

Answers = Mapping[str, str]
"""The answers so far, by the path of the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One setting that is asked for. What its answer must look like is the program's business."""

    key: str
    """The path of the setting, such as registry.server or cluster.zones[0]."""
    text: str
    default: Callable[[Answers], str] = field(default=lambda _: "")
    """The proposal; empty for none."""
    driver: str = ""
    """The cluster's driver for which it is asked; empty for every one."""
    number: bool = False
    """Whether the setting is a whole number instead of a text."""


def _machine(given: Answers) -> str:
    return "t4g.medium" if given["image.platform"].endswith("arm64") else "t3.medium"


QUESTIONS = (
    Question(key="domain", text="The hosted zone to make, such as dev.example.com"),
    Question(key="host", text="Where the site answers", default=lambda given: f"ejemplo-django.{given['domain']}"),
    Question(key="aws.region", text="The AWS region", default=lambda _: os.environ.get("AWS_REGION", "us-east-1")),
    Question(
        key="image.platform",
        text=f"The nodes' platform ({', '.join(checks.PLATFORMS)})",
        default=lambda _: checks.PLATFORMS[0],
    ),
    Question(
        key="cluster.driver",
        text=f"Who makes the cluster ({', '.join(config.DRIVERS)})",
        default=lambda _: config.DRIVERS[0],
    ),
    Question(
        key="cluster.name",
        text="The cluster's name, for ever",
        default=lambda given: f"{given['aws.region'].replace('-', '')}.{given['domain']}",
    ),
    Question(
        key="cluster.kubeconfigFile",
        text="The cluster's kubeconfig",
        default=lambda _: "~/.kube/config",
        driver="existing",
    ),
    Question(
        key="cluster.kubernetesVersion", text="The version of Kubernetes", default=lambda _: "1.35.7", driver="kops"
    ),
    Question(
        key="cluster.zones[0]",
        text="The availability zone",
        default=lambda given: f"{given['aws.region']}a",
        driver="kops",
    ),
    Question(key="cluster.nodes[0].machineType", text="The nodes' type of machine", default=_machine, driver="kops"),
    Question(key="cluster.nodes[0].min", text="Nodes, at least", default=lambda _: "2", driver="kops", number=True),
    Question(
        key="cluster.nodes[0].max",
        text="Nodes, at most",
        default=lambda given: str(2 * int(given["cluster.nodes[0].min"])),
        driver="kops",
        number=True,
    ),
    Question(key="registry.server", text="The registry, such as registry.example.com:5000"),
    Question(key="registry.username", text="The user there"),
    Question(key="registry.email", text="The user's e-mail address"),
)


def nested(answers: Answers) -> dict[str, Any]:
    """The answers as the file has them: objects and lists of one, by the dots and brackets in their keys."""
    numbers = {question.key for question in QUESTIONS if question.number}
    nested: dict[str, Any] = {}
    for path, answer in answers.items():
        value: object = int(answer) if path in numbers and answer.isdigit() else answer
        *parents, last = path.split(".")
        place = nested
        for parent in parents:
            name, bracket, _ = parent.partition("[")
            place = place.setdefault(name, [{"name": name}])[0] if bracket else place.setdefault(name, {})
        name, bracket, _ = last.partition("[")
        place[name] = [value] if bracket else value
    return nested
