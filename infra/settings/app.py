"""The `app` section: how the pods run, and their environment variables."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from infra.settings import cron
from infra.settings.machines import EACH_ONCE
from infra.settings.section import Section, expected, facts, must, refused, refused_within
from infra.settings.values import LABEL, NOT_EMPTY, ObjectName, OutputReference

LONGEST_NAME = 30
LONGEST_PART = 20
"""Maximum lengths in characters. Kubernetes limits the name of a CronJob, `<app>-<schedule>`, to 52, because it appends
11 for each Job."""


def _words(longest: int) -> Any:
    return expected(f"at most {longest} of a-z, 0-9 and -, starting with a letter and not ending with -")


def _is_label(longest: int) -> AfterValidator:
    # The rule for a Service's name (RFC 1035). Not a `pattern`: for the key of a mapping, the schema would have it
    # elsewhere.
    return must(lambda text: len(text) <= longest and text[:1].isalpha() and re.fullmatch(LABEL, text))


AppName = Annotated[str, _words(LONGEST_NAME), _is_label(LONGEST_NAME)]
PartName = Annotated[
    str,
    _words(LONGEST_PART),
    _is_label(LONGEST_PART),
    must(lambda name: name != "release", "another name: app.release uses this one"),
]
Count = Annotated[int, expected("a whole number of 1 or more", ge=1)]
Seconds = Annotated[int, expected("a whole number of seconds, 1 or more", ge=1)]
Port = Annotated[int, expected("a port from 1 to 65535", ge=1, le=65535)]
UserId = Annotated[int, expected("a numeric user ID, 0 or more", ge=0)]
UrlPath = Annotated[str, expected("a path such as /healthz", pattern=r"^/[^\s#]*$")]
Folder = Annotated[str, expected("an absolute path in the container such as /tmp", pattern=r"^(/[^/\s:]+)+$")]
Variable = Annotated[
    str,
    expected("the name of an environment variable: letters, digits and _, not starting with a digit"),
    must(lambda text: re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text)),
]
Characters = Annotated[int, expected("a number of characters from 16 to 256", ge=16, le=256)]
SecretArn = Annotated[
    str,
    expected(
        "the ARN of a secret such as arn:aws:secretsmanager:us-east-1:<account>:secret:<name>, followed by #<key> "
        "if the secret is a JSON object",
        pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^#\s]+(#[^\s]+)?$",
    ),
]
Command = Annotated[
    tuple[str, ...], expected('a list of words such as ["python", "manage.py", "migrate"]', min_length=1)
]
Cpu = Annotated[
    str,
    expected("an amount of CPU such as 250m or 1", pattern=r"^([1-9][0-9]*m?|[0-9]+\.[0-9]{1,3})$"),
    must(lambda amount: amount.strip("0.")),
]
Memory = Annotated[
    str, expected("an amount of memory such as 512Mi", pattern=r"^[1-9][0-9]*(\.[0-9]+)?([KMGT]i|[kMGT])$")
]
Cron = Annotated[
    str,
    expected('a cron expression of five fields such as "0 3 * * *", or a macro such as @hourly'),
    must(cron.is_valid),
]


class Probe(Section):
    """The settings of one Kubernetes probe. A key that is not set has the program's default for that probe."""

    path: UrlPath | None = None
    """The path to request instead of `app.health.path`."""
    period_seconds: Seconds | None = None
    """Seconds from one probe to the next."""
    timeout_seconds: Seconds | None = None
    """Seconds to wait for a response."""
    failures: Count | None = None
    """Consecutive failed probes that count as a failure."""


class Health(Section):
    """The startup, readiness and liveness probes of the web pods."""

    path: UrlPath | None = None
    """The path of the probes' GET request, sent with the first of `hosts` as the Host header. A status from 200 to 399
    is a success. Without a path, the probes only check that the port accepts a TCP connection, which proves little."""
    start_seconds: Seconds = 60
    """Seconds that a pod may take to start once its image is pulled. The time that `up` waits for a rollout follows
    from it."""
    startup: Probe = Probe()
    """The startup probe. The other probes begin once it has succeeded."""
    readiness: Probe = Probe()
    """The readiness probe. While it fails, the pod receives no requests."""
    liveness: Probe = Probe()
    """The liveness probe. When it fails, the container is restarted."""


class Resources(Section):
    """The CPU and memory of a pod."""

    cpu: Cpu = "50m"
    """The CPU request. There is no limit, which would throttle requests even on a node with idle CPU."""
    memory: Memory = "384Mi"
    """The memory request, which is also the limit."""


class Scale(Section):
    """The number of web pods."""

    min: Count = 2
    """The minimum number of pods; without `max`, the exact number."""
    max: Count | None = None
    """The maximum number of pods. If set, a HorizontalPodAutoscaler chooses the number, for which the cluster needs
    metrics-server."""
    cpu: Annotated[int, expected("a percentage from 1 to 100", ge=1, le=100)] = 70
    """The CPU utilization that the autoscaler aims at, as a percentage of `app.resources.cpu` over all pods."""

    @field_validator("max")
    @classmethod
    def _at_least_min(cls, high: int | None, info: ValidationInfo) -> int | None:
        low = info.data.get("min")
        if high is not None and low is not None and high < low:
            raise refused(f"at least min, which is {low}")
        return high


class Release(Section):
    """A command that runs once, with the new image, before any new pod starts; such as database migrations."""

    command: Command
    """Replaces the image's CMD."""
    seconds: Seconds = 600
    """Seconds that the command may take, besides the time to pull the image."""


class Process(Section):
    """A worker: pods with the same image and variables that receive no requests."""

    command: Command
    """Replaces the image's CMD."""
    count: Count = 1
    """The number of pods."""
    stop_seconds: Seconds = 30
    """Seconds that a pod has after SIGTERM to finish its work."""
    resources: Resources | None = None
    """Replaces `app.resources` for these pods."""


class Schedule(Section):
    """A command that runs on a schedule. While one run lasts, the next is skipped."""

    command: Command
    """Replaces the image's CMD."""
    cron: Cron
    """When it runs, in UTC."""
    resources: Resources | None = None
    """Replaces `app.resources` for these pods."""


def misfit(user: str | None, *, by_number: int | None, root: bool) -> tuple[str, str]:
    """Return the key of `app` that does not fit the image's user, and the value that it needs.

    Both are empty if nothing is wrong or the user is unknown. Kubernetes can tell only from a numeric user that a
    container does not run as root; it does not start a container whose user is a name.
    """
    if user is None or by_number is not None or root or (user.isdecimal() and int(user)):
        return "", ""
    if user in ("root", "0"):
        return "root", "true, or another app.user, because the image runs as root"
    return "user", f"the numeric ID of the image's user {user}: `id -u {user}` in a container prints it"


_VARIABLES = ("env", "secrets", "random_secrets", "aws_secrets", "from_stacks")
"""The keys that set variables, in the order of the model's fields."""


class App(Section):
    """How the app runs, and its environment variables."""

    name: AppName
    """The name of the app's objects in the cluster. Do not change it later: every object would be replaced."""
    port: Port = 8000
    """The port on which the container listens for HTTP, or with `tlsSecret` for HTTPS."""
    health: Health = Health()
    """The probes of the web pods."""
    env: Mapping[Variable, str] = {}
    """Variables in plain text. The program sets none of its own."""
    secrets: Mapping[Variable, Annotated[SecretStr, NOT_EMPTY]] = {}
    """Variables encrypted in the stack's file: `pulumi config set --secret --path app.secrets.<name>`."""
    random_secrets: Mapping[Variable, Characters] = {}
    """Variables with a random value of the given number of characters, such as Django's SECRET_KEY. The value is
    generated once and kept in the stack's state; changing the length later has no effect."""
    aws_secrets: Mapping[Variable, SecretArn] = {}
    """Variables from AWS Secrets Manager, read at each `up` and never in a preview."""
    from_stacks: Mapping[Variable, OutputReference] = {}
    """Variables with the value of another stack's output, treated as secret."""
    command: Command | None = None
    """Replaces the image's CMD; its ENTRYPOINT stays."""
    user: UserId | None = None
    """The numeric user ID that the containers run as, instead of the image's user."""
    root: bool = False
    """Whether the containers may run as root. They have no capabilities even then: an entrypoint that changes the owner
    of files, or the user, fails."""
    read_only_root: bool = True
    """Whether the containers' root file system is read-only. They can then write only in `writable`."""
    writable: Annotated[tuple[Folder, ...], EACH_ONCE] = ("/tmp",)  # noqa: S108  # the container's own
    """Writable folders, empty when a pod starts. They hide what the image has at these paths."""
    resources: Resources = Resources()
    """The CPU and memory of each pod."""
    scale: Scale = Scale()
    """The number of web pods."""
    stop_seconds: Seconds = 20
    """Seconds that requests in flight have to finish after SIGTERM."""
    tls_secret: ObjectName | None = None
    """The name of a Secret of type kubernetes.io/tls in the namespace, with a certificate for the hosts, such as
    cert-manager keeps. Required with `cluster.balancer: none`, and refused with any other balancer. Renewing the
    certificate needs no new `up`."""
    tls_folder: Folder = "/tls"
    """The folder in which the pods find that certificate, as tls.crt and tls.key."""
    release: Release | None = None
    """A command to run before each new version."""
    processes: Mapping[PartName, Process] = {}
    """Workers, by name."""
    schedules: Mapping[PartName, Schedule] = {}
    """Scheduled jobs, by name."""

    @field_validator("secrets", "random_secrets", "aws_secrets", "from_stacks")
    @classmethod
    def _only_once(cls, variables: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        before = {name: section for section in _VARIABLES for name in info.data.get(section, ())}
        refused_within(
            (
                (name,),
                value,
                refused("another name", found=f"a variable that app.{to_camel(before[name])} also sets"),
            )
            for name, value in variables.items()
            if name in before
        )
        return variables

    @field_validator("root")
    @classmethod
    def _needed(cls, root: bool, info: ValidationInfo) -> bool:
        if not root and info.data.get("user") == 0:
            raise refused("true, because app.user is 0, which is root")
        return root

    @field_validator("tls_folder")
    @classmethod
    def _of_its_own(cls, folder: str, info: ValidationInfo) -> str:
        if folder in info.data.get("writable", ()):
            raise refused("a folder that is not in app.writable")
        return folder

    @field_validator("schedules")
    @classmethod
    def _no_process(cls, schedules: Mapping[str, Schedule], info: ValidationInfo) -> Mapping[str, Schedule]:
        processes = info.data.get("processes", {})
        refused_within(
            ((name,), None, refused("another name: a process uses this one", found=f"the name {name}"))
            for name in schedules
            if name in processes
        )
        return schedules

    @field_validator("tls_secret")
    @classmethod
    def _where_the_pods_end_tls(cls, secret: str | None, info: ValidationInfo) -> str | None:
        balancer = facts(info).balancer
        if balancer == "none" and secret is None:
            what = "the name of a Secret with a certificate: with cluster.balancer none the pods terminate TLS"
            raise refused(what, found="nothing")
        if balancer not in (None, "none") and secret is not None:
            raise refused(f"no such key: the {balancer} balancer terminates TLS")
        return secret
