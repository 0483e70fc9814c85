"""Credentials that a kubeconfig has a program for: asked once, and again only when they have expired or are refused.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.plugins.resource import PluginError

_SECONDS = 60
"""How long the program may take: it asks nobody but, at most, an identity provider."""

_MARGIN = timedelta(seconds=30)
"""How long before its end a token is no longer begun with, for the request is on its way for a while."""


class ExecToken:
    """The bearer token from a kubeconfig's `exec`; safe to share between threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the `exec` of a kubeconfig's user. Nothing runs yet."""
        self._config = config
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends: datetime | None = None

    def get(self, *, refused: str | None = None) -> str:
        """Give a token, one that is not `refused`. Raises PluginError when the program does not give one."""
        with self._lock:
            over = self._ends is not None and self._ends - _MARGIN < datetime.now(UTC)
            if self._token is None or over or self._token == refused:
                self._token, self._ends = self._ask()
            return self._token

    def _ask(self) -> tuple[str, datetime | None]:
        command = [self._config["command"], *(self._config.get("args") or ())]
        said = self._run(command)
        try:
            answer = json.loads(said)
            if answer["apiVersion"] != self._config["apiVersion"]:
                raise ValueError(f"its apiVersion is {answer['apiVersion']}, not {self._config['apiVersion']}")
            status = answer["status"]
            ends = status.get("expirationTimestamp")
            return status["token"], None if ends is None else datetime.fromisoformat(ends)
        except (ValueError, KeyError, TypeError) as error:
            # The answer itself may have a secret in it: only the error's kind and the missing key may show.
            raise PluginError(
                f"the kubeconfig's credential program `{command[0]}` gave no token ({type(error).__name__}: {error})"
            ) from None

    def _run(self, command: list[str]) -> str:
        asked = {"apiVersion": self._config["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
        own = {each["name"]: each["value"] for each in self._config.get("env") or ()}
        try:
            ended = subprocess.run(
                command,
                env=os.environ | own | {"KUBERNETES_EXEC_INFO": json.dumps(asked)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise PluginError(
                f"the kubeconfig gets its credentials from the program `{command[0]}`, which is not on PATH. "
                + (self._config.get("installHint") or "Install it, and run the command again.")
            ) from None
        except subprocess.TimeoutExpired:
            raise PluginError(
                f"the kubeconfig's credential program `{' '.join(command)}` gave no answer within {_SECONDS} s"
            ) from None
        if ended.returncode:
            raise PluginError(
                f"the kubeconfig's credential program `{' '.join(command)}` ended with {ended.returncode}: "
                f"{ended.stderr.strip()[-800:]}"
            )
        return ended.stdout
