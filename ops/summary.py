"""What a person wants to read after `up`: where the site is, where its logs are, and what to type next."""

import webbrowser
from typing import Annotated, Any

import typer

from ops import engine
from ops.errors import OpsError


def run(stack: Annotated[str, typer.Option("--stack", help="The stack.")]) -> None:
    """Say where a stack's site is, where its logs are, and what to type next."""
    out = deployed(stack)
    pods = f"kubectl --namespace {out['namespace']}"
    print(
        f"{out['url']}\n"
        f"  image      {out['image']}\n"
        f"  balancer   {out['hostname']}\n"
        f"  cluster    {out['clusterName']}, namespace {out['namespace']}\n"
        f"  logs       {pods} logs deployment/ejemplo-django --all-pods --prefix --follow\n"
        f"  pods       {pods} get pods --selector app=ejemplo-django\n"
        f"Next:\n"
        f"  make open STACK={stack}      the site in your browser\n"
        f"  make doctor STACK={stack}    what it stands on\n"
        f"  pulumi up --stack {stack}    after a change\n"
        f"  make down STACK={stack}      the end of it"
    )


def open_site(stack: Annotated[str, typer.Option("--stack", help="The stack.")]) -> None:
    """Print the URL of a stack's site, and open it where there is a browser."""
    url = str(deployed(stack)["url"])
    print(url)
    webbrowser.open(url)


def deployed(stack: str) -> dict[str, Any]:
    """The stack's outputs. Raises OpsError when nothing is deployed."""
    out = engine.outputs(stack)
    if "url" not in out:
        raise OpsError(f"The stack {stack} is not deployed. `pulumi up --stack {stack}` deploys it.")
    return out
