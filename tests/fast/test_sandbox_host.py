"""Checks of the host before the sandbox starts."""

import sys
from ipaddress import IPv4Network

import pytest

from sandbox.errors import SandboxError
from sandbox.machine.host import needs_linux, routes
from tests.documents import ROOT

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t8007D50A\t00000000\t0001\t0\t0\t0\t80FFFFFF\t0\t0\t0
"""
"""As the kernel prints it on a little-endian processor."""


def test_the_kernels_routes_are_read_with_their_interfaces() -> None:
    assert list(routes(TABLE)) == [
        ("eth0", IPv4Network("0.0.0.0/0")),
        ("tun0", IPv4Network("10.213.7.128/25")),
    ]


def test_another_system_is_refused_with_a_way_to_run_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(SandboxError, match="darwin") as refused:
        needs_linux()
    assert ".devcontainer/" in str(refused.value)
    assert (ROOT / ".devcontainer").is_dir()
