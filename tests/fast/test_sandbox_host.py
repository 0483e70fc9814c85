"""What the host is asked before the sandbox starts."""

from ipaddress import IPv4Network

from sandbox.machine.host import routes

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t8007D50A\t00000000\t0001\t0\t0\t0\t80FFFFFF\t0\t0\t0
"""
"""As the kernel of a processor with little-endian numbers prints it."""


def test_the_kernels_routes_are_read_with_their_interfaces() -> None:
    assert list(routes(TABLE)) == [
        ("eth0", IPv4Network("0.0.0.0/0")),
        ("tun0", IPv4Network("10.213.7.128/25")),
    ]
