"""Runs the kops on PATH, and interprets its answers and failures."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from infra.cluster.kops import manifests
from infra.cluster.kops.settings import KOPS_OLDEST

_RELEASES = "https://github.com/kubernetes/kops/releases"
_MISSING = r"cluster not found \"|Cluster\S* \"[^\"]+\" (was )?not found|no InstanceGroup objects found|NoSuchBucket"
WITH_LOGIN = (
    'export S3_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" S3_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"; exec "$0" "$@"'
)
"""A shell script that runs its arguments with the login that kops needs beside S3_ENDPOINT: the one for the rest of
AWS."""
SHOWN_EVERY = 30.0
"""Seconds between two lines of kops' log that are shown while it works: it writes one every ten."""
_LOGGED = re.compile(r"[IW][0-9]{4} [0-9:.]+ +[0-9]+ [^\]]+\] (.+)")
"""The prefix of a line by klog, kops' log library: severity and date, time, process, source location."""
_TOLD = 30
"""The number of kops' last lines that an error repeats."""


class KopsError(Exception):
    """kops failed: what, kops' own reason, and what to do."""


class NotFoundError(KopsError):
    """The store, or the cluster in it, does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kops:
    """Runs kops for one cluster in one state store."""

    name: str
    store: str
    """The store, as kops takes it: s3://bucket, or file:///directory for a copy."""
    region: str
    endpoint: str | None
    """The URL of a service that implements the AWS API, the store included; None for AWS itself."""

    def replace(self, documents: str) -> None:
        """Write the manifests to the store, whether or not the cluster is in it yet."""
        with tempfile.TemporaryDirectory(prefix="kops-") as directory:
            file = Path(directory, "manifests.yaml")
            file.write_text(documents, encoding="utf-8")
            # A comma in --filename separates two files; there is none in a temporary name.
            self._run("replace", "--force", "--filename", str(file), doing="put the cluster's spec into its store")

    def stored(self) -> str:
        """Return the manifests in the store. Raise NotFoundError if the cluster is not there."""
        doing = "read the cluster's spec from its store"
        cluster = self._run("get", "cluster", self.name, "--output=yaml", doing=doing)
        try:
            groups = self._run("get", "instancegroups", "--name", self.name, "--output=yaml", doing=doing)
        except NotFoundError:  # an interrupted `replace` wrote the cluster and no group yet
            groups = ""
        return manifests.dump([*manifests.parse(cluster), *manifests.parse(groups)])

    def dry_run(self) -> str:
        """Return kops' report of what `update` would do."""
        return self._run("update", "cluster", "--name", self.name, doing="plan the cluster's update")

    def update(self) -> None:
        """Make the cloud match the store. Running machines stay as they are."""
        arguments = ("update", "cluster", "--name", self.name, "--yes", "--create-kube-config=false")
        self._run(*arguments, doing="update the cluster")

    def reconcile(self) -> None:
        """Make the cloud match the store, and replace machines that differ, those of the control plane first."""
        self._run("reconcile", "cluster", "--name", self.name, "--yes", doing="reconcile the cluster")

    def to_roll(self) -> list[str]:
        """Return the groups with machines that do not match the store and the cloud."""
        said = self._run(
            "rolling-update",
            "cluster",
            "--name",
            self.name,
            "--cloudonly",  # the plan needs no API server; without --yes nothing is replaced
            doing="look for machines to replace",
        )
        rows = [line.split() for line in said.splitlines()]
        # NAME STATUS NEEDUPDATE READY MIN TARGET MAX
        return sorted(row[0] for row in rows if len(row) >= 7 and row[2].isdigit() and row[2] != "0")

    def delete_group(self, group: str) -> None:
        """Delete a group of machines. kops does not drain them first."""
        self._run(
            "delete",
            "instancegroup",
            group,
            "--name",
            self.name,
            "--yes",
            doing=f"delete the node group {group}",
        )

    def validate(self, *, minutes: int) -> list[Mapping[str, Any]]:
        """Wait until kops calls the cluster valid, and return its nodes. Raise KopsError with what is not valid.

        With 0 minutes, ask once.
        """
        wait = ["--wait", f"{minutes}m"] if minutes else []
        doing = "wait until the cluster is valid" if minutes else "validate the cluster"
        arguments = ("validate", "cluster", "--name", self.name, "--output=json", *wait)
        ended = self._ended(*arguments)
        # One object per attempt, without separators.
        attempts = list(_json_objects(ended.stdout))
        last = attempts[-1] if attempts else {}
        if ended.returncode:
            invalid = [
                f"{each.get('type', 'thing')} {each.get('name', '')}: {each.get('message', '')}"
                for each in last.get("failures") or []
            ]
            # While the API does not answer, there is nothing to list; kops says so once per attempt.
            unanswered = re.findall(r"\(will retry\): unexpected error during validation: (.+)", ended.stderr)
            raise _failure(doing, ended, invalid=invalid or unanswered[-1:])
        nodes: list[Mapping[str, Any]] = last.get("nodes") or []
        return nodes

    def kubeconfig(self) -> str:
        """Return a kubeconfig without a credential: it calls kops, which issues one for an hour."""
        with tempfile.TemporaryDirectory(prefix="kops-") as directory:
            file = Path(directory, "kubeconfig")
            self._run(
                "export",
                "kubeconfig",
                self.name,
                "--auth-plugin",
                f"--kubeconfig={file}",
                doing="export the cluster's kubeconfig",
            )
            return file.read_text(encoding="utf-8")

    def delete(self) -> None:
        """Delete the machines and everything that kops made for them, then the cluster in the store."""
        self._run("delete", "cluster", "--name", self.name, "--yes", doing="delete the cluster")

    def _run(self, *arguments: str, doing: str) -> str:
        ended = self._ended(*arguments)
        if ended.returncode:
            raise _failure(doing, ended)
        return ended.stdout

    def _ended(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self._environment() as environment, tempfile.TemporaryFile("w+", encoding="utf-8") as written:
            with subprocess.Popen(  # noqa: S603  the arguments are ours, and no shell reads them
                ["kops", *arguments, f"--state={self.store}"],  # noqa: S607  the user's own, found on PATH
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=written,  # a file, so that kops never waits for it to be read
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                try:
                    told = "".join(_followed(process.stderr or [], name=self.name))
                except BaseException:
                    process.kill()
                    raise
            written.seek(0)
            return subprocess.CompletedProcess(process.args, process.returncode, written.read(), told)

    @contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        # The user's own variables must not lead kops to another cluster or store.
        elsewhere = ("KOPS_STATE_STORE", "KOPS_CLUSTER_NAME")
        given = {key: value for key, value in os.environ.items() if key not in elsewhere}
        given["AWS_REGION"] = self.region
        given |= endpoint_environment(self.endpoint, region=self.region)
        if self.endpoint:
            # kops needs these beside S3_ENDPOINT, and the usual ones for the rest of AWS.
            given["S3_ACCESS_KEY_ID"] = os.environ.get("AWS_ACCESS_KEY_ID", "")
            given["S3_SECRET_ACCESS_KEY"] = os.environ.get("AWS_SECRET_ACCESS_KEY", "")
        # Some commands change the current kubeconfig: keep them away from the user's own.
        with tempfile.TemporaryDirectory(prefix="kops-") as directory:
            yield given | {"KUBECONFIG": str(Path(directory, "config"))}


def endpoint_environment(endpoint: str | None, *, region: str) -> dict[str, str]:
    """Return the variables with which kops uses an endpoint instead of AWS; none of them is secret."""
    if not endpoint:
        return {}
    return {"AWS_ENDPOINT_URL": endpoint, "S3_ENDPOINT": endpoint, "S3_REGION": region}


def unfit(kubernetes_version: str) -> str | None:
    """Return why the kops on PATH cannot make this version of Kubernetes, and what to do; None if it can."""
    minor = max(int(kubernetes_version.split(".")[1]), KOPS_OLDEST)
    fix = (
        f"Kubernetes {kubernetes_version} needs kops 1.{minor} or newer on PATH. Download it from {_RELEASES}, "
        "check its sha256, and run this again."
    )
    try:
        said = subprocess.run(
            ["kops", "version", "--short"],  # noqa: S607  the user's own, found on PATH
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"kops cannot be run ({error.strerror}). {fix}"
    match = re.search(r"^v?1\.([0-9]+)\.[0-9]+", said.stdout, flags=re.MULTILINE)
    if not match:
        return f"`kops version --short` says {(said.stdout or said.stderr).strip()!r}, which is not a version. {fix}"
    if int(match[1]) < minor:
        return f"The kops on PATH is {said.stdout.strip()}, which is too old. {fix}"
    return None


def _followed(lines: Iterable[str], *, name: str) -> Iterator[str]:
    """Yield the lines that kops writes, and show one to the user from time to time."""
    shown = time.monotonic()
    for line in lines:
        yield line
        if time.monotonic() - shown >= SHOWN_EVERY and (match := _LOGGED.match(line)):
            pulumi.log.info(f"kops, at {name}: {match[1]}")
            shown = time.monotonic()


def _failure(doing: str, ended: subprocess.CompletedProcess[str], *, invalid: Sequence[str] = ()) -> KopsError:
    """Return the error for a failed kops: what it calls invalid, its own reason, or its last lines."""
    if ended.returncode < 0:
        ending = f"was ended by signal {-ended.returncode}"
    else:
        ending = f"ended with exit code {ended.returncode}"
    lines = [line.rstrip() for line in ended.stderr.splitlines() if line.strip()]
    reasons = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    parts = [f"kops could not {doing}: it {ending}."]
    if invalid:
        parts.append("Not valid:\n" + "\n".join(f"  - {each}" for each in invalid))
    if reasons:
        parts.append("Reason: " + "; ".join(reasons))
    elif lines:
        parts.append("Last lines:\n" + "\n".join(f"  {each}" for each in lines[-_TOLD:]))
    text = "\n".join(parts)
    # kops has one exit code for every failure; these are its words for something that does not exist.
    if re.search(_MISSING, ended.stderr):
        return NotFoundError(text)
    return KopsError(text)


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    position = 0
    while (start := text.find("{", position)) >= 0:
        found, position = decoder.raw_decode(text, start)
        yield found
