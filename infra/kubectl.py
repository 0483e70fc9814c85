"""Asks a cluster's API through the user's own kubectl, which alone interprets the kubeconfig."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra import kubeconfigs
from infra.kubeconfigs import RAW, hide

SECONDS = 10
"""Seconds to wait for an answer, including the kubeconfig's login command. An API server answers at once."""

_INSTALL = "install kubectl: https://kubernetes.io/docs/tasks/tools/"
_GUARDED = '"$@" & exec >&-; read -r _; kill 0'
"""A shell script that runs its arguments until it or this process ends; otherwise the proxy would stay open."""
_KLOG = re.compile(r"[IWEF]\d{4} ")
"""How a line of klog, kubectl's log library, begins: severity and date."""


class KubectlError(Exception):
    """The API server did not do what was asked."""

    def __init__(
        self, message: str, *, code: int | None = None, silent: bool = False, fix: str = "kubectl cluster-info"
    ) -> None:
        """Take a message for the user, and the fix.

        `code` is the HTTP status of an answer. `silent` means that there was no answer, although neither the kubeconfig
        nor this machine is to blame.
        """
        super().__init__(message)
        self.code, self.silent, self.fix = code, silent, fix


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The API server of a kubeconfig, and the connection to it."""

    server: str
    """Its URL."""
    namespace: str
    """The namespace of the kubeconfig's context; empty if it has none."""
    kubeconfig: str = field(repr=False)
    folder: Path
    """The folder of kubectl's socket and log."""

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what is at the path or, with a body, the answer to a POST of it. Raise KubectlError."""
        connection = _Connection(self.folder / "api")
        method, sent = ("GET", None) if body is None else ("POST", json.dumps(body))
        try:
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except TimeoutError as error:
            command = kubeconfigs.current(self.kubeconfig)["user"].get("exec")
            waits = f", or the login command {command.get('command')} waits for input" if command else ""
            why = f"did not answer within {SECONDS} seconds: a firewall or a VPN may be in between{waits}"
            raise KubectlError(f"{self.server} {why}", silent=True) from error
        except (OSError, http.client.HTTPException) as error:
            raise KubectlError(f"kubectl ended during a request to {self.server}: {error}") from error
        finally:
            connection.close()
        if answer.status == 500 and answer.headers.get_content_type() == "text/plain":  # kubectl's own
            raise self._unanswered(text.strip())
        try:
            read = json.loads(text)
        except ValueError:
            read = None
        if answer.status < 400 and isinstance(read, dict):
            return read
        if not isinstance(read, dict) or read.get("kind") != "Status":
            raise KubectlError(
                f"{self.server} is not a Kubernetes API: it answered {answer.status} to {path}", code=400
            )
        if answer.status == 401:
            said = "it does not know the kubeconfig's user: the login expired, was withdrawn, or is another cluster's"
        else:
            said = f"{path}: {hide(str(read.get('message')), self.kubeconfig)}"
        raise KubectlError(f"{self.server} answered {answer.status}: {said}", code=answer.status)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return what is at the path; None if there is nothing. Raise KubectlError."""
        try:
            return self.ask(path)
        except KubectlError as error:
            if error.code == 404:
                return None
            raise

    def _unanswered(self, said: str) -> KubectlError:
        """Return the error for a failed login, or for a server that does not answer."""
        first, *others = said.splitlines()
        if 'invalid header field value for "Authorization"' in said:
            return KubectlError("The kubeconfig's token has an invalid character, such as a line break")
        if not first.startswith("getting credentials"):
            return KubectlError(f"{self.server} does not answer: {hide(first, self.kubeconfig)}", silent=True)
        # Only the last line of a login command's output: it says most, and the others may say too much.
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        own = [each for each in lines[: next((n for n, each in enumerate(lines) if _KLOG.match(each)), 0)] if each]
        return KubectlError(hide(": ".join([f"The login fails: {first}", *others[-1:], *own[-1:]]), self.kubeconfig))


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, file: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._file = file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._file))


def path(version: str, kind: str, namespace: str, name: str) -> str:
    """Return the API path of an object of a kind that the program creates; `namespace` is empty if it has none."""
    group = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    place = f"namespaces/{namespace}/" if namespace else ""
    return f"{group}/{place}{kind.lower()}s/{name}"


@contextmanager
def connect(kubeconfig: str) -> Iterator[Api]:
    """Connect to the cluster of a kubeconfig, for this user alone, until the end of the block.

    One `kubectl proxy` serves all requests, on a socket in a folder of this user, so that a login command runs once.
    Raise KubectlError if there is no kubectl, or it does not accept the kubeconfig.
    """
    if wrong := kubeconfigs.mistake(kubeconfig):
        raise KubectlError(f"The kubeconfig cannot be used: {wrong}", fix=RAW)
    with _file(kubeconfig) as file, (file.parent / "log").open("w") as log:
        command = ["kubectl", f"--kubeconfig={file}", "proxy", "--append-server-path"]
        with subprocess.Popen(  # noqa: S603  the arguments are ours
            ["/bin/sh", "-c", _GUARDED, "kubectl", *command, f"--unix-socket={file.parent / 'api'}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # ends with all its children; no login command finds a terminal
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101  it is a pipe
                served = process.stdout.readline()
                file.unlink()  # it is read
                if not served.startswith("Starting to serve"):  # it asks for a user name and password, or has ended
                    said = "its user has no login" if served else (file.parent / "log").read_text(errors="replace")
                    raise _refused(said, kubeconfig)
                context = kubeconfigs.current(kubeconfig)
                yield Api(
                    server=hide(str(context["cluster"].get("server")), kubeconfig),
                    namespace=str(context["context"].get("namespace") or ""),
                    kubeconfig=kubeconfig,
                    folder=file.parent,
                )
            finally:
                os.killpg(process.pid, signal.SIGKILL)


def minified(kubeconfig: str) -> str:
    """Return the kubeconfig with only its current context, so that no login to another cluster leaves this machine.

    Return one with a single context unchanged. Raise KubectlError.
    """
    if not kubeconfigs.several(kubeconfig):
        return kubeconfig
    with _file(kubeconfig) as file:
        command = ["kubectl", f"--kubeconfig={file}", *RAW.split()[1:]]
        done = subprocess.run(  # noqa: S603  the arguments are ours
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise _refused(done.stderr, kubeconfig)
    return done.stdout


@contextmanager
def _file(kubeconfig: str) -> Iterator[Path]:
    """Write a kubeconfig to a file that nobody else can read. Raise KubectlError if there is no kubectl."""
    if shutil.which("kubectl") is None:
        raise KubectlError("There is no `kubectl` on PATH, which the program needs to ask the cluster", fix=_INSTALL)
    with tempfile.TemporaryDirectory(prefix="kubectl-") as folder:
        file = Path(folder, "kubeconfig")
        file.touch(mode=0o600)
        file.write_text(kubeconfig)
        yield file


def _refused(said: str, kubeconfig: str) -> KubectlError:
    last = said.strip().rpartition("\n")[2]
    last = re.sub(r'config file "[^"]*"', "the kubeconfig", last)
    return KubectlError(f"kubectl does not accept the kubeconfig: {hide(last, kubeconfig)}")
