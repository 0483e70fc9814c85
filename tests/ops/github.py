"""The little of GitHub's API that comments and issues ask for: real HTTP, one repository, one token."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ops.github import BOT

TOKEN = "token-of-the-tests"
REPOSITORY = "owner/repository"


@dataclass
class Site:
    """What GitHub has; tests change it as somebody else would."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def write(self, number: int, body: str, *, login: str = BOT) -> dict[str, Any]:
        made = {"id": len(self.comments) + 1, "issue": number, "body": body, "user": {"login": login}}
        self.comments.append(made | {"html_url": f"{self.url}/comment/{made['id']}"})
        return self.comments[-1]

    def open(self, title: str, body: str, *, login: str = BOT, **more: Any) -> dict[str, Any]:
        made = {"number": len(self.issues) + 1, "title": title, "body": body, "state": "open"}
        self.issues.append(made | {"user": {"login": login}} | more)
        return self.issues[-1]

    def bodies(self, number: int) -> list[str]:
        return [each["body"] for each in self.comments if each["issue"] == number]


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, code: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _handle(self) -> None:
            asked = urlsplit(self.path)
            query = parse_qs(asked.query)
            length = int(self.headers.get("Content-Length") or 0)
            given = json.loads(self.rfile.read(length)) if length else {}
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._answer(403, {"message": "Resource not accessible by integration"})
                return

            def page(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
                size = min(int(query.get("per_page", ["30"])[0]), 100)
                start = (int(query.get("page", ["1"])[0]) - 1) * size
                return found[start : start + size]

            path = asked.path.removeprefix(f"/repos/{REPOSITORY}/")
            comments, edited = (
                re.fullmatch(r"issues/(\d+)/comments", path),
                re.fullmatch(r"issues/comments/(\d+)", path),
            )
            issue = re.fullmatch(r"issues/(\d+)", path)
            if self.command == "GET" and comments:
                self._answer(200, page([each for each in site.comments if each["issue"] == int(comments[1])]))
            elif self.command == "POST" and comments:
                self._answer(201, site.write(int(comments[1]), given["body"]))
            elif self.command == "PATCH" and edited:
                site.comments[int(edited[1]) - 1].update(given)
                self._answer(200, site.comments[int(edited[1]) - 1])
            elif self.command == "GET" and path == "issues":
                self._answer(200, page([each for each in site.issues if each["state"] == query["state"][0]]))
            elif self.command == "POST" and path == "issues":
                self._answer(201, site.open(given["title"], given["body"]))
            elif self.command == "PATCH" and issue:
                site.issues[int(issue[1]) - 1].update(given)
                self._answer(200, site.issues[int(issue[1]) - 1])
            else:
                self._answer(404, {"message": "Not Found"})

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def do_PATCH(self) -> None:
            self._handle()

    return Handler


@contextmanager
def serve() -> Iterator[Site]:
    """Serve an empty repository on loopback."""
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
