"""The supervisor: supervisord runs every service and restarts those that crash."""

import configparser
import re
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport

from sandbox.layout import Layout
from sandbox.services.service import Service, unix


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A service's state: `since` is None if it never ran, `healed` counts its restarts after a crash."""

    name: str
    running: bool
    state: str
    since: datetime | None
    healed: int
    last_exit: str


def configure(layout: Layout, services: Sequence[Service]) -> None:
    """Write the supervisor's configuration. No service starts by itself: the caller starts them in order."""
    config = configparser.RawConfigParser()
    config["unix_http_server"] = {"file": str(layout.supervisor_socket), "chmod": "0700"}
    config["supervisord"] = {
        "logfile": str(layout.logs / "supervisord.log"),
        "pidfile": "/run/supervisord.pid",
        "childlogdir": str(layout.logs),
        "directory": str(layout.checkout),
        "user": "root",
        "silent": "true",  # log to the file only
    }
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for service in services:
        config[f"program:{service.name}"] = {
            "command": " ".join(_quoted(word) for word in service.command),
            "environment": ",".join(f'{k}="{v.replace("%", "%%")}"' for k, v in service.environment.items()),
            "stdout_logfile": str(layout.logs / f"{service.name}.log"),
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "1",
            "redirect_stderr": "true",
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            # Practically without limit: the supervisor waits longer before each retry.
            "startretries": "1000",
            "stopasgroup": "true",
            "killasgroup": "true",
        }
    with (layout.etc / "supervisord.conf").open("w") as file:
        config.write(file)


def answers(layout: Layout) -> bool:
    """Return whether the supervisor answers. It is the machine's first process: without it there is no machine."""
    try:
        unix(layout.supervisor_socket)()
    except OSError:
        return False
    return True


def start(layout: Layout, name: str) -> None:
    """Start a service unless it is running, starting or about to be restarted."""
    with _rpc(layout) as rpc:
        info = cast(dict[str, Any], rpc.supervisor.getProcessInfo(name))
        if info["statename"] not in ("RUNNING", "STARTING", "BACKOFF"):
            rpc.supervisor.startProcess(name, False)


def states(layout: Layout) -> list[State]:
    """Return the state of every service, with its restarts, counted in the supervisor's log."""
    log = layout.logs / "supervisord.log"
    crashes: dict[str, list[str]] = {}
    for name, cause in re.findall(r"exited: (\S+) \((.*); not expected\)", log.read_text()):
        crashes.setdefault(name, []).append(cause)
    with _rpc(layout) as rpc:
        infos = cast(list[dict[str, Any]], rpc.supervisor.getAllProcessInfo())
    return [
        State(
            name=info["name"],
            running=info["statename"] == "RUNNING",
            state=info["statename"].lower(),
            since=datetime.fromtimestamp(info["start"]).astimezone() if info["start"] else None,
            healed=len(crashes.get(info["name"], [])),
            last_exit=crashes.get(info["name"], [""])[-1],
        )
        for info in infos
    ]


def _rpc(layout: Layout) -> xmlrpc.client.ServerProxy:
    # The URL is not used: xmlrpc requires one, but the transport connects to the socket.
    transport = SupervisorTransport(serverurl=f"unix://{layout.supervisor_socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
