"""The services that stand in for AWS: each is a module of sandbox.aws."""

import secrets
import sys

import yaml

from sandbox import addresses, pki
from sandbox.aws import authenticator
from sandbox.layout import Layout
from sandbox.logins import aws_environment
from sandbox.services.service import KUBERNETES, Service, http, https, tcp


def services(layout: Layout) -> list[Service]:
    """Return the AWS API, its DNS, the load balancers' data plane, ECR's registry, and EKS' authenticator."""
    authenticator_url = f"https://{addresses.NODE_ADDRESS}:{addresses.AUTHENTICATOR_PORT}"
    return [
        Service(
            name="moto",
            what="AWS API",
            command=_module("server"),
            environment={name: value for name, value in aws_environment("moto").items() if name != "AWS_ENDPOINT_URL"}
            | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},  # AWS's managed policies, which every account has
            configure=lambda: _make_ecr_key(layout),
            where=addresses.AWS_ENDPOINT,
            healthy=http(f"{addresses.AWS_ENDPOINT}/moto-api/"),
        ),
        Service(
            name="names",
            what="DNS, by the hosted zones",
            command=_module("name_server"),
            environment=aws_environment("names"),
            where=f"{addresses.NODE_ADDRESS}:53",
            healthy=tcp(53),
        ),
        Service(
            name="balancers",
            what="haproxy behind the ELB API",
            command=_module("data_plane"),
            environment=aws_environment("balancers"),
            where="the ELBs' addresses",
            healthy=http(f"http://{addresses.NODE_ADDRESS}:{addresses.BALANCERS_HEALTH_PORT}/"),
            needs=("moto",),
        ),
        Service(
            name="ecr",
            what="ECR's registry",
            command=_module("ecr_registry"),
            environment=aws_environment("ecr"),
            configure=lambda: _configure_ecr(layout),
            where=f"https://*{addresses.ECR_DOMAIN}",
            healthy=https(f"https://{addresses.ECR_ADDRESS}/", layout.ca),
            needs=("moto", "registry"),
        ),
        Service(
            name="authenticator",
            what="EKS' tokens",
            command=_module("authenticator"),
            environment={authenticator.BINARY: str(layout.tools / "aws-iam-authenticator")},
            configure=lambda: _configure_authenticator(layout),
            where=authenticator_url,
            healthy=https(f"{authenticator_url}/healthz", layout.ca),
            needs=(KUBERNETES,),
        ),
    ]


def _module(name: str) -> list[str]:
    return [sys.executable, "-u", "-m", f"sandbox.aws.{name}"]


def _make_ecr_key(layout: Layout) -> None:
    if not layout.ecr_key.exists():
        layout.ecr_key.write_text(secrets.token_urlsafe(32))
        layout.ecr_key.chmod(0o600)


def _configure_ecr(layout: Layout) -> None:
    pki.server(layout, "ecr", f"*{addresses.ECR_DOMAIN}", addresses.ECR_ADDRESS)


def _configure_authenticator(layout: Layout) -> None:
    """Write its certificate, its configuration, and a mapping that lets nobody in."""
    if not (layout.authenticator / "cluster").exists():
        authenticator.publish(layout, cluster="", mapping=authenticator.NOBODY)
    pem = pki.server(layout, "authenticator", addresses.NODE_ADDRESS).read_text()
    for name in ("cert.pem", "key.pem"):
        (layout.authenticator / name).write_text(pem)
        (layout.authenticator / name).chmod(0o600)
    mapping = str(layout.authenticator / "mapping.json")
    (layout.authenticator / "config.yaml").write_text(yaml.safe_dump({"server": {"dynamicfilepath": mapping}}))
