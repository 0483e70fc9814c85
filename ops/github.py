"""What a workflow writes on GitHub: one comment on a pull request and one issue, edited in place."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import requests
import typer

from ops.errors import OpsError

BOT = "github-actions[bot]"
"""Whose name is on what a workflow writes."""
API = "https://api.github.com"
_TIMEOUT = 30
"""Seconds for one answer."""

Token = Annotated[str, typer.Option("--token", envvar="GITHUB_TOKEN", help="Best given as GITHUB_TOKEN.")]
Api = Annotated[str, typer.Option("--api", envvar="GITHUB_API_URL", help="The API's address.")]
Author = Annotated[str, typer.Option("--author", help="Whose comments and issues are edited.")]


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
        page, size = 1, 100  # the most that GitHub gives at once
        while found := self._send("GET", f"{path}{'&' if '?' in path else '?'}per_page={size}&page={page}"):
            yield from found
            page += 1

    def _send(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        url = f"{self.api}/repos/{self.name}/{path}"
        try:
            answer = requests.request(method, url, json=body, headers=headers, timeout=_TIMEOUT)
            if answer.ok:
                return answer.json()
        except requests.RequestException as error:
            raise OpsError(
                f"GitHub did not answer {method} {path} of {self.name}: {error}. Try again later."
            ) from error
        raise OpsError(
            f"GitHub answered {method} {path} of {self.name} with {answer.status_code}: {answer.text[:300]}. With 403 "
            "or 404, the token lacks the right: the job needs `pull-requests: write` for a comment, `issues: write` "
            "for an issue."
        )


def run(
    comment: Annotated[Path, typer.Argument(help="The text, which begins with its marker.")],
    *,
    pull: Annotated[int, typer.Option(help="The number of the pull request.")],
    repository: Annotated[str, typer.Option(envvar="GITHUB_REPOSITORY", help="owner/name.")],
    token: Token,
    api: Api = API,
    author: Author = BOT,
) -> None:
    """Write the comment on a pull request, or edit the one that is there."""
    target = Repository(name=repository, api=api, token=token, author=author)
    print(target.comment(pull, comment.read_text()))


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].strip()
