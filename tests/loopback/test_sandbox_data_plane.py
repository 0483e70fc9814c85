"""The load balancers that haproxy serves; haproxy itself checks their configuration."""

from pathlib import Path

import pytest
import trustme

from sandbox.aws.data_plane import render, usable
from sandbox.aws.load_balancers import Balancer, Check, Listener

CHECK = Check(port=30080, path="/healthz/", interval=10, rise=2, fall=2)


def balancer(name: str, certificate: str = "") -> Balancer:
    listener = Listener(
        port=443 if certificate else 80,
        protocol="HTTPS" if certificate else "HTTP",
        certificate=f"arn:aws:acm:us-east-1:123456789012:certificate/{certificate}" if certificate else "",
        target_port=30080,
        instances=("i-1",),
        check=CHECK,
    )
    return Balancer(name=name, dns_name=f"{name}.elb.amazonaws.com", subnet="subnet-1", idle=60, listeners=(listener,))


@pytest.fixture(params=["plain", "with a space", """it's #1: "$HOME" \\"""])
def certificates(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Create a folder with a good certificate and a truncated one."""
    folder: Path = tmp_path / request.param
    folder.mkdir()
    leaf = trustme.CA().issue_cert("site.example.test", key_type=trustme.KeyType.RSA)
    pem = leaf.cert_chain_pems[0].bytes() + leaf.private_key_pem.bytes()
    (folder / "good.pem").write_bytes(pem)
    (folder / "cut.pem").write_bytes(pem[: len(pem) // 3])
    return folder


def sections(certificates: Path, *some: Balancer) -> dict[str, str]:
    hosts = {"i-1": "10.213.7.2"}
    return {each.name: render(each, address="127.0.0.1", hosts=hosts, certificates=certificates) for each in some}


def test_a_certificate_is_served_from_whatever_folder_it_is_in(certificates: Path) -> None:
    given = sections(certificates, balancer("site", "good"), balancer("plain"))

    assert usable(given) == (given, {})


def test_a_balancer_whose_certificate_cannot_be_read_does_not_end_the_others(certificates: Path) -> None:
    given = sections(certificates, balancer("site", "good"), balancer("broken", "cut"), balancer("plain"))

    served, refused = usable(given)

    assert served.keys() == {"site", "plain"}
    assert refused.keys() == {"broken"}
    assert "cut.pem" in refused["broken"]
