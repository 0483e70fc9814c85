"""The little of an API server that the Kubernetes stand-in asks for: real HTTP, objects in a dict."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]


@dataclass
class World:
    """What the server has; tests change it as somebody else would."""

    objects: dict[str, Object] = field(default_factory=dict)
    """By the object's path."""
    lists: dict[str, list[Object]] = field(default_factory=dict)
    """By the collection's path; a collection that is not here is empty."""
    logs: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    """A field manager that owns what is applied next, and with it the conflict."""
    applied: list[Object] = field(default_factory=list)
    url: str = ""
    token: str = ""
    """The bearer token that it wants; empty when it takes any."""

    def kubeconfig(self) -> str:
        named = {"name": "c", "cluster": {"server": self.url}}
        context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
        users = [{"name": "c", "user": {"token": "t"}}]
        return json.dumps({"clusters": [named], "contexts": [context], "users": users, "current-context": "c"})


def _handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, code: int, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _refuse(self, code: int, message: str, causes: list[dict[str, str]] | None = None) -> None:
            self._answer(code, {"kind": "Status", "message": message, "details": {"causes": causes or []}})

        def _body(self) -> Object:
            read: Object = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return read

        def parse_request(self) -> bool:
            """Refuse whoever comes with another token."""
            if not super().parse_request():
                return False
            if world.token and self.headers.get("Authorization") != f"Bearer {world.token}":
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._refuse(401, "Unauthorized")
                return False
            return True

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if "watch" in query:
                self._answer(200, "")
            elif path in world.logs:
                self._answer(200, world.logs[path])
            elif path in world.objects:
                self._answer(200, world.objects[path])
            elif path.rsplit("/", 1)[1] in {"endpointslices", "events", "pods", "replicasets"}:
                self._answer(200, {"items": world.lists.get(path, [])})
            else:
                self._refuse(404, "not found")

        def do_PATCH(self) -> None:
            path, query, obj = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query), self._body()
            if world.owner and query["force"] == ["false"]:
                cause = {"message": f'conflict with "{world.owner}" using apps/v1', "field": ".spec.replicas"}
                self._refuse(409, "conflict", [cause])
                return
            own = {"uid": "u1", "generation": 1, "resourceVersion": "7", "managedFields": []}
            live = world.objects.get(path, {}) | obj
            live["metadata"] = {"namespace": "default"} | obj["metadata"] | own
            if "dryRun" not in query:
                world.applied.append(obj)
                world.objects[path] = live
            self._answer(200, live)

        def do_DELETE(self) -> None:
            path = urlsplit(self.path).path
            self._body()
            if not world.objects[path]["metadata"].get("finalizers"):
                del world.objects[path]
            self._answer(200, {})

    return Handler


@contextmanager
def api_server() -> Iterator[World]:
    world = World()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(world))
    server.daemon_threads = True
    world.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield world
    server.shutdown()
    thread.join()
    server.server_close()
