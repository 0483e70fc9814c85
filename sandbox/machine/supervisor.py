"""The supervisor: supervisord runs every service, starts again what crashes, and answers for it here."""

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
    """What the supervisor says of a service. `pid` is the machine's own numbering; `since` None if it never ran."""

    name: str
    running: bool
    state: str
    since: datetime | None
    healed: int
    last_exit: str


def configure(layout: Layout, services: Sequence[Service]) -> None:
    """Write the supervisor's configuration. Nothing starts by itself: the order is the caller's."""
    config = configparser.RawConfigParser()
    config["unix_http_server"] = {"file": str(layout.supervisor_socket), "chmod": "0700"}
    config["supervisord"] = {
        "logfile": str(layout.logs / "supervisord.log"),
        "pidfile": "/run/supervisord.pid",
        "childlogdir": str(layout.logs),
        "directory": str(layout.checkout),
        "user": "root",
        "silent": "true",  # its log is in one place
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
            # With the supervisor's growing pause between tries: a crash is always healed.
            "startretries": "1000",
            "stopasgroup": "true",
            "killasgroup": "true",
        }
    with (layout.etc / "supervisord.conf").open("w") as file:
        config.write(file)


def answers(layout: Layout) -> bool:
    """Whether the supervisor is there, and with it the machine, whose first process it is."""
    try:
        unix(layout.supervisor_socket)()
    except OSError:
        return False
    return True


def start(layout: Layout, name: str) -> None:
    """Start a program unless the supervisor has it running or about to."""
    with _rpc(layout) as rpc:
        info = cast(dict[str, Any], rpc.supervisor.getProcessInfo(name))
        if info["statename"] not in ("RUNNING", "STARTING", "BACKOFF"):
            rpc.supervisor.startProcess(name, False)


def states(layout: Layout) -> list[State]:
    """Every program's state, with the times the supervisor had to start it again (from its own log)."""
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
    # The address is a form that xmlrpc insists on; the transport goes to the socket.
    transport = SupervisorTransport(serverurl=f"unix://{layout.supervisor_socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
