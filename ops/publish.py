"""The step of a workflow that writes to GitHub, apart from those that run the program."""

from pathlib import Path
from typing import Annotated

import typer

from ops.github import BOT, Repository

RepositoryName = Annotated[str, typer.Option("--repository", envvar="GITHUB_REPOSITORY", help="owner/name.")]
Token = Annotated[str, typer.Option("--token", envvar="GITHUB_TOKEN", help="Best given as GITHUB_TOKEN.")]
Api = Annotated[str, typer.Option("--api", envvar="GITHUB_API_URL", help="The API's address.")]
Author = Annotated[str, typer.Option("--author", help="Whose comments and issues are edited.")]


def run(
    comment: Annotated[Path, typer.Argument(help="The text, which begins with its marker.")],
    *,
    pull: Annotated[int, typer.Option(help="The number of the pull request.")],
    repository: RepositoryName,
    token: Token,
    api: Api = "https://api.github.com",
    author: Author = BOT,
) -> None:
    """Write the comment on a pull request, or edit the one that is there."""
    target = Repository(name=repository, api=api, token=token, author=author)
    print(target.comment(pull, comment.read_text()))
