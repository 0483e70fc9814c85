"""The part of GitHub's API that comments and issues need."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.errors import OpsError

BOT = "github-actions[bot]"
"""Whose name is on what a workflow writes."""

_PAGE = 100
"""Entries of a list that come at once, the most that GitHub gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository, and the right to write in it."""

    name: str
    """`owner/name`."""
    api: str
    """The API's URL, such as https://api.github.com."""
    token: str = field(repr=False)
    author: str = BOT
    """Whose comments and issues are taken for our own. Others may write what they like, our marker too."""

    def comment(self, number: int, body: str) -> str:
        """Write the comment on a pull request, or edit the one that begins with the same line; returns its URL."""
        mine = self._own(f"issues/{number}/comments", _first_line(body))
        if mine is None:
            return str(self._send("POST", f"issues/{number}/comments", {"body": body})["html_url"])
        return str(self._send("PATCH", f"issues/comments/{mine['id']}", {"body": body})["html_url"])

    def open_issue(self, marker: str) -> int | None:
        """Find the open issue whose text begins with the marker; None when there is none."""
        found = self._own("issues?state=open", marker)
        return None if found is None else int(found["number"])

    def create_issue(self, title: str, body: str) -> int:
        """Open an issue and return its number."""
        return int(self._send("POST", "issues", {"title": title, "body": body})["number"])

    def update_issue(self, number: int, **changed: str) -> None:
        """Change an issue's `title`, `body` or `state` (`open`, `closed`)."""
        self._send("PATCH", f"issues/{number}", changed)

    def note(self, number: int, body: str) -> None:
        """Write one more comment under an issue."""
        self._send("POST", f"issues/{number}/comments", {"body": body})

    def _own(self, path: str, marker: str) -> dict[str, Any] | None:
        for each in self._all(path):
            ours = (each.get("user") or {}).get("login") == self.author
            if ours and _first_line(each.get("body") or "") == marker and "pull_request" not in each:
                return each
        return None

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            found = self._send("GET", f"{path}{'&' if '?' in path else '?'}per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def _send(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  # the address is GitHub's own, not a user's
            f"{self.api}/repos/{self.name}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "User-Agent": "ejemplo-django",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise OpsError(
                f"GitHub answered {method} {path} of {self.name} with {error.code}: {said}. With 403 or 404, the "
                "token lacks the right: the job needs `pull-requests: write` for a comment, `issues: write` for an "
                "issue."
            ) from error
        except (OSError, ValueError) as error:
            raise OpsError(
                f"GitHub did not answer {method} {path} of {self.name}: {error}. Try again later."
            ) from error


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].strip()
