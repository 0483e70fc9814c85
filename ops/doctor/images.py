"""The Docker daemon that builds the image, and the registry that it goes to."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from urllib.request import parse_http_list, parse_keqv_list

import docker
import requests
from docker.context import ContextAPI
from docker.errors import APIError, DockerException

from infra.finding import Finding, State
from infra.settings.aws import Aws
from infra.settings.image import Image
from infra.settings.registry import LoginRegistry
from ops import aws
from ops.errors import OpsError

SECONDS = 5
"""How long to wait for an answer of the daemon."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's words for what images call otherwise."""


def daemon(image: Image) -> Finding:
    """Ask the daemon for its version, and compare its architecture with the image's platform."""
    host = _host()
    try:
        with closing(docker.DockerClient(base_url=host, timeout=SECONDS)) as client:
            said = client.version()
    except (DockerException, requests.RequestException) as error:
        return Finding(
            check="Docker",
            state=State.MISSING,
            found=f"no daemon answers at {host}: {_reason(error)}",
            mend=_start(),
        )
    platform = f"{said['Os']}/{_ARCHITECTURES.get(said['Arch'], said['Arch'])}"
    found = f"{said['Version']} at {host}, {platform}"
    if platform == image.platform:
        return Finding(check="Docker", state=State.OK, found=found)
    if _emulates(image.platform):
        return Finding(check="Docker", state=State.OK, found=f"{found}, which emulates {image.platform}")
    return Finding(
        check="Docker",
        state=State.WRONG,
        found=f"{found}, and image.platform is {image.platform}",
        mend=f"docker run --privileged --rm tonistiigi/binfmt --install {image.platform.removeprefix('linux/')}",
    )


def ecr(settings: Aws) -> Finding:
    """Get a password from ECR, as every run of the program does."""
    try:
        with aws.doing(f"A password of ECR in {settings.region}"):
            given = aws.client("ecr", settings).get_authorization_token()["authorizationData"][0]
    except OpsError as error:
        mend = aws.command(settings, "ecr", "get-authorization-token")
        refused = isinstance(error, aws.RefusedError)
        return Finding(check="registry", state=State.WRONG if refused else State.UNKNOWN, found=str(error), mend=mend)
    return Finding(check="registry", state=State.OK, found=f"ECR at {given['proxyEndpoint'].partition('://')[2]}")


def registry(settings: LoginRegistry, password: str, *, repository: str) -> Finding:
    """Log in to the registry as a push does: by its API, or, where only the daemon reaches it, by the daemon."""
    mend = "pulumi config set --secret --path registry.password"
    try:
        refused = _login(settings, password, repository)
        by = "its API"
    except requests.RequestException as error:
        try:
            refused = _login_of_daemon(settings, password)
            by = "the Docker daemon"
        except (DockerException, requests.RequestException) as other:
            return Finding(
                check="registry",
                state=State.MISSING,
                found=f"{settings.server} does not answer: {_reason(error)}; nor the Docker daemon: {_reason(other)}",
                mend=f"curl --verbose {_url(settings.server)}/v2/",
            )
    if refused:
        return Finding(check="registry", state=State.WRONG, found=refused, mend=mend)
    return Finding(check="registry", state=State.OK, found=f"{settings.username} at {settings.server}, by {by}")


def _login(settings: LoginRegistry, password: str, repository: str) -> str | None:
    """Log in by HTTP; the reason when the registry refuses. Raises RequestException when it does not answer.

    The steps are those of the distribution specification: /v2/ says how to log in, Basic with the password, or
    Bearer with a token for which the password is given elsewhere.
    """
    url, login = f"{_url(settings.server)}/v2/", (settings.username, password)
    first = requests.get(url, timeout=SECONDS)
    if first.ok:
        return None
    if first.status_code != requests.codes.unauthorized:
        return f"{url} answered {first.status_code} {first.reason}: it is no registry"
    scheme, _, said = first.headers.get("WWW-Authenticate", "").partition(" ")
    if scheme.lower() == "basic":
        answer = requests.get(url, auth=login, timeout=SECONDS)
    elif scheme.lower() == "bearer":
        asked = parse_keqv_list(parse_http_list(said))
        scope = f"repository:{repository}:pull,push"
        answer = requests.get(
            asked["realm"],
            params={"service": asked.get("service", ""), "scope": scope},
            auth=login,
            timeout=SECONDS,
        )
        if answer.ok:
            token = answer.json().get("token") or answer.json().get("access_token")
            answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS)
    else:
        return f"{url} wants a login of the kind {scheme or 'that it does not name'}, which Docker does not know"
    if answer.ok:
        return None
    return (
        f"{settings.server} refuses user {settings.username} with its password ({answer.status_code} {answer.reason})"
    )


def _login_of_daemon(settings: LoginRegistry, password: str) -> str | None:
    """Have the daemon log in; the reason when it is refused. Raises DockerException when nobody answers."""
    with closing(docker.DockerClient(base_url=_host(), timeout=SECONDS)) as client:
        try:
            client.login(username=settings.username, password=password, registry=settings.server, reauth=True)
        except APIError as error:
            # Some daemons hand the registry's own status on, others only tell of it.
            if error.status_code == requests.codes.unauthorized or "unauthorized" in str(error.explanation).lower():
                return f"{settings.server} refuses user {settings.username} with its password"
            raise
    return None


def _url(server: str) -> str:
    # As the daemon does: a registry on the same machine may speak plain http.
    host = server.partition(":")[0]
    return f"http://{server}" if host == "localhost" or host.startswith("127.") else f"https://{server}"


def _host() -> str:
    """Where the daemon is: DOCKER_HOST, or the context that `docker context use` chose."""
    return os.environ.get("DOCKER_HOST") or str(ContextAPI.get_current_context().Host)


def _start() -> str:
    if "DOCKER_HOST" in os.environ:
        return "unset DOCKER_HOST"
    return "sudo systemctl start docker" if sys.platform == "linux" else "docker desktop start"


def _emulates(platform: str) -> bool:
    """Whether the builder says that it can build for the platform."""
    if shutil.which("docker") is None:
        return False
    said = subprocess.run(["docker", "buildx", "inspect"], capture_output=True, text=True, check=False)
    platforms = [line.partition(":")[2] for line in said.stdout.splitlines() if line.startswith("Platforms:")]
    return any(platform == each.strip(" *") for line in platforms for each in line.split(","))


def _reason(error: Exception) -> str:
    """The end of a chain of messages, which is what went wrong."""
    text = str(error)
    return text.rpartition(": ")[2].strip(" ')\"") or text
