"""The tests that every driver must pass, in the order of a cluster's life: each test continues where the last ended.

If a driver creates no cluster, the cluster's owner does what settings do otherwise, and the program must continue
as if nothing had happened.
"""

from collections.abc import Iterator

import pytest

from tests.conformance.existing import existing
from tests.conformance.kops import kops
from tests.conformance.world import Make, World, work


class Driver:
    """The tests. The classes below run them for a driver; so does one in tests/e2e, which needs the sandbox."""

    make: Make

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
        """Create the driver's world for all its tests."""
        with cls.make(tmp_path_factory.mktemp("world")) as made:
            yield made

    @pytest.fixture
    def deployed(self, world: World) -> World:
        """Return the world, deployed even if a test runs alone."""
        if not work(world):
            world.stack.up()
        return world

    def test_an_up_that_fails_half_way_says_why_and_the_next_one_goes_on(self, world: World) -> None:
        assert world.left() == set()
        words = world.hinder()
        assert words in world.stack.up(code=1)
        world.fix()
        said = world.stack.up()
        assert "kubeconfig: [secret]" in said
        assert work(world)

    def test_an_up_with_nothing_to_do_does_nothing(self, deployed: World) -> None:
        deployed.stack.up("--expect-no-changes")
        deployed.stack.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
        assert deployed.stack.planned() == set()

    def test_no_credential_of_the_cluster_is_to_be_read_in_the_state(self, deployed: World) -> None:
        kept = deployed.stack.kept()
        assert "ejemplo-django" in kept
        assert not [each for each in deployed.secrets() if each in kept]

    def test_a_cluster_with_one_node_more_keeps_what_runs_in_it(self, deployed: World) -> None:
        before, running = deployed.nodes(), work(deployed)
        deployed.grow()
        assert deployed.stack.planned() == ({"update"} if deployed.makes else set())
        deployed.stack.up()
        assert deployed.nodes() == before + 1
        assert work(deployed) == running
        deployed.stack.up("--expect-no-changes")

    def test_another_kubernetes_replaces_nothing(self, deployed: World) -> None:
        before, running = deployed.version(), work(deployed)
        deployed.upgrade()
        assert deployed.stack.planned() == {"update"}
        deployed.stack.up()
        assert deployed.version() != before
        assert work(deployed) == running
        deployed.stack.up("--expect-no-changes")

    def test_what_was_changed_behind_the_programs_back_is_found_and_put_right(self, deployed: World) -> None:
        deployed.meddle()
        deployed.stack.run("refresh", "--yes", "--skip-preview", "--expect-no-changes", code=1)
        assert deployed.stack.planned() != set()
        deployed.stack.up()
        assert not deployed.meddled()
        deployed.stack.up("--expect-no-changes")

    def test_credentials_that_have_expired_are_said_to_have_and_nothing_is_lost(self, deployed: World) -> None:
        running = work(deployed)
        words = deployed.expire()
        assert words in deployed.stack.run("refresh", "--yes", "--skip-preview", code=1)
        deployed.renew()
        assert not {"create", "delete", "replace"} & deployed.stack.planned()
        deployed.stack.up()
        assert work(deployed) == running

    def test_a_destroy_leaves_nothing(self, deployed: World) -> None:
        assert deployed.left() != set()
        deployed.stack.run("destroy", "--yes", "--skip-preview")
        assert deployed.left() == set()
        assert set(deployed.stack.state()) <= {"Stack"}


class TestExisting(Driver):
    make = staticmethod(existing)

    def test_a_cluster_that_does_not_answer_stops_no_up_that_changes_nothing_in_it(self, deployed: World) -> None:
        url = deployed.hinder()
        assert url in deployed.stack.up("--expect-no-changes")
        deployed.fix()
        deployed.stack.up()


class TestKops(Driver):
    make = staticmethod(kops)
