"""The conformance suite on the sandbox: the same tests as on loopback, with the Kubernetes that the site runs on."""

import pytest

from tests.conformance.test_drivers import Driver
from tests.e2e.conformance_eks import eks
from tests.e2e.conformance_existing import existing

pytestmark = [pytest.mark.timeout(300, func_only=True), pytest.mark.usefixtures("stack")]


class TestEks(Driver):
    make = staticmethod(eks)


class TestExisting(Driver):
    make = staticmethod(existing)
