"""The conformance suite for the driver that needs the whole sandbox, eks: the same tests as on loopback."""

import pytest

from tests.conformance.test_drivers import Driver
from tests.e2e.conformance_eks import eks

pytestmark = [
    pytest.mark.usefixtures("stack"),
    pytest.mark.not_on_eks("the sandbox's EKS has one cluster at a time: the session's"),
]


class TestEks(Driver):
    make = staticmethod(eks)
