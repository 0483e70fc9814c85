"""The host of the stand-ins, driven over its protocol as by the engine, with a type that lives in a dict."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from sandbox.plugins.resource import (
    Call,
    Function,
    InvalidInputError,
    PartialFailureError,
    Plugin,
    PluginError,
    ResourceType,
)
from sandbox.plugins.values import Properties
from tests.fast.plugin_engine import UNKNOWN, Engine, RefusedError, engine, packed, secret, unpacked, urn

BOX = "toy:index:Box"


class Box(ResourceType):
    token = BOX
    inputs: ClassVar = {
        "name": str,
        "size": int,
        "open": bool,
        "parts": [{"colour": str}],
        "key": str,
        "lid": str,
    }
    required = frozenset({"name"})
    computed = frozenset({"serial", "lid"})
    filled_in = frozenset({"lid"})
    secrets = frozenset({"key"})
    replace_on = frozenset({"name", "parts.colour"})

    def __init__(self) -> None:
        self.world: dict[str, Properties] = {}
        self.entered, self.release = threading.Event(), threading.Event()

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        if inputs.get("size") == 13:
            raise InvalidInputError("size", "13 brings no luck")
        return {"open": False} | inputs

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        if inputs["name"] == "slow":
            self.entered.set()
            call.pause(20)
        self.world["1"] = {"lid": "flat"} | inputs | {"serial": 7}
        if inputs["name"] == "cracked":
            raise PartialFailureError("it has a crack", id="1", outputs=self.world["1"])
        return "1", self.world["1"]

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        return self.world.get(id)

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        self.world[id] = {"lid": "flat"} | inputs | {"serial": 7}
        return self.world[id]

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        if self.world[id].get("open"):
            raise PluginError("the box is open")
        del self.world[id]


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def toy(box: Box) -> Iterator[Engine]:
    double = Function(
        token="toy:index:double",
        inputs={"number": int},
        outputs=frozenset({"twice"}),
        call=lambda arguments: {"twice": arguments["number"] * 2},
    )
    plugin = Plugin(
        name="toy",
        version="1.0.0",
        config={"region": str, "tags": dict},
        replace_on=frozenset({"region"}),
        build=lambda config: ([box], [double]),
    )
    with engine(plugin, region="here", tags='{"a": "b"}') as speaking:
        yield speaking


def test_a_resource_is_made_changed_and_deleted(toy: Engine, box: Box) -> None:
    made = toy.create(BOX, {"name": "a", "size": 1})
    assert made.state == {"name": "a", "size": 1, "open": False, "lid": "flat", "serial": 7}
    assert toy.changes(made, {"name": "a", "size": 1}) == {}
    assert toy.changes(made, {"name": "a", "size": 2}) == {"size": "UPDATE"}
    toy.delete(toy.update(made, {"name": "a", "size": 2}))
    assert box.world == {}


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"name": "a", "weight": 1}, "weight"),
        ({"name": "a", "parts": [{"colour": "red"}, {"taste": "sour"}]}, "parts[1].taste"),
        ({"name": "a", "size": "large"}, "size"),
        ({"name": "a", "open": 1}, "open"),
        ({"name": "a", "size": True}, "size"),
        ({"name": "a", "size": 13}, "size"),
        ({"size": 1}, "name"),
    ],
)
def test_what_a_type_does_not_take_is_refused_by_name(toy: Engine, inputs: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedError, match=rf"^{re.escape(named)}: "):
        toy.check(BOX, inputs)


def test_unknown_types_and_functions_are_refused_by_name(toy: Engine) -> None:
    with pytest.raises(grpc.RpcError, match=r"toy:index:Bag .* only toy:index:Box"):
        toy.check("toy:index:Bag", {})
    with pytest.raises(grpc.RpcError, match=r"toy:index:triple .* only toy:index:double"):
        toy.invoke("toy:index:triple", {})
    with pytest.raises(RefusedError, match="flavour"):
        toy.configure(flavour="sweet")


def test_the_value_of_a_refused_input_is_not_repeated(toy: Engine) -> None:
    answer = toy.stub.Check(pb.CheckRequest(urn=urn(BOX), news=packed({"name": "a", "size": secret("hunter2")})))
    assert answer.failures
    assert "hunter2" not in str(answer)
    assert not answer.failures[0].property, "the engine prints the value of the property that is named here"


def test_a_preview_makes_nothing_and_foretells_what_is_known(toy: Engine, box: Box) -> None:
    foretold = toy.preview(BOX, {"name": UNKNOWN, "size": 1})
    assert foretold == {"name": UNKNOWN, "size": 1, "open": False, "lid": UNKNOWN, "serial": UNKNOWN}
    assert box.world == {}


def test_secrets_stay_secret_wherever_they_come_out(toy: Engine) -> None:
    given = {"name": secret("a"), "parts": [{"colour": secret("red")}], "key": "k"}
    assert toy.preview(BOX, given)["key"] == secret("k"), "a type may have secrets of its own"
    made = toy.create(BOX, given)
    live = toy.refreshed(made)
    for seen in (made.inputs, made.state, live.inputs, live.state):
        assert seen["name"] == secret("a")
        assert seen["parts"] == [{"colour": secret("red")}]
        assert seen["key"] == secret("k")


def test_secrets_are_compared_by_value(toy: Engine) -> None:
    made = toy.create(BOX, {"name": "a", "size": secret(1)})
    assert toy.changes(made, {"name": "a", "size": 1}) == {}
    assert toy.changes(made, {"name": "a", "size": secret(2)}) == {"size": "UPDATE"}


def test_a_change_says_where_it_is_and_whether_it_replaces(toy: Engine) -> None:
    made = toy.create(BOX, {"name": "a", "size": 1, "parts": [{"colour": "red"}]})
    wanted = {"name": "a", "open": True, "key": "k", "parts": [{"colour": "blue"}, {"colour": "red"}]}
    answer = toy.diff(made, wanted)
    assert toy.changes(made, wanted) == {
        "size": "DELETE",
        "open": "UPDATE",
        "key": "ADD",
        "parts[0].colour": "UPDATE_REPLACE",
        "parts[1]": "ADD_REPLACE",
    }
    assert list(answer.replaces) == ["parts"]
    assert set(answer.diffs) == {"size", "open", "key", "parts"}


def test_an_input_that_is_not_known_yet_is_a_change(toy: Engine) -> None:
    made = toy.create(BOX, {"name": "a", "size": 1})
    assert toy.changes(made, {"name": UNKNOWN, "size": UNKNOWN}) == {
        "name": "UPDATE_REPLACE",
        "size": "UPDATE",
    }


def test_ignored_changes_are_no_changes(toy: Engine) -> None:
    made = toy.create(BOX, {"name": "a", "size": 1, "parts": [{"colour": "red"}]})
    answer = toy.diff(made, {"name": "a", "size": 2, "parts": [{"colour": "blue"}]}, ignore=("size", "parts[*].colour"))
    assert answer.changes == pb.DiffResponse.DIFF_NONE
    larger = {"name": "a", "size": 2, "parts": [{"colour": "red"}]}
    assert toy.diff(made, larger, ignore=("siz",)).changes == pb.DiffResponse.DIFF_SOME


def test_refresh_shows_what_changed_behind_its_back_and_the_next_update_mends_it(toy: Engine, box: Box) -> None:
    wanted = {"name": "a", "size": 1}
    made = toy.create(BOX, wanted)
    assert toy.refreshed(made) == made
    box.world["1"] |= {"size": 5, "open": True, "key": "added by hand"}
    live = toy.refreshed(made)
    assert (live.inputs["size"], live.inputs["open"]) == (5, True)
    assert "lid" not in live.inputs, "what the service fills in is no input of the program's"
    assert toy.changes(live, wanted) == {"size": "UPDATE", "open": "UPDATE", "key": "DELETE"}
    assert toy.update(live, wanted).state == made.state


def test_a_resource_deleted_behind_its_back_is_gone_at_refresh(toy: Engine, box: Box) -> None:
    made = toy.create(BOX, {"name": "a"})
    box.world.clear()
    assert toy.refresh(made) is None


def test_an_import_finds_the_inputs(toy: Engine) -> None:
    toy.create(BOX, {"name": "a", "size": 1})
    found = toy.stub.Read(pb.ReadRequest(urn=urn(BOX), id="1"))
    assert unpacked(found.inputs) == {"name": "a", "size": 1, "open": False, "lid": "flat"}


def test_what_the_service_chose_is_left_to_it_after_an_import(toy: Engine) -> None:
    made = toy.create(BOX, {"name": "a", "lid": "flat"})
    assert toy.changes(made, {"name": "a"}) == {}
    assert toy.changes(made, {"name": "a", "lid": "round"}) == {"lid": "UPDATE"}


def test_a_resource_that_exists_but_failed_stays_in_the_state(toy: Engine) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        toy.create(BOX, {"name": "cracked", "key": "k"})
    details = {entry.key: entry.value for entry in failure.value.trailing_metadata()}
    status = status_pb2.Status.FromString(details["grpc-status-details-bin"])
    kept = pb.ErrorResourceInitFailed()
    assert status.details[0].Unpack(kept)
    assert (kept.id, list(kept.reasons)) == ("1", ["it has a crack"])
    assert unpacked(kept.properties)["serial"] == 7
    assert unpacked(kept.properties)["key"] == secret("k")


def test_an_error_reaches_the_user_in_its_own_words(toy: Engine) -> None:
    made = toy.create(BOX, {"name": "a", "open": True})
    with pytest.raises(grpc.RpcError) as failure:
        toy.delete(made)
    assert failure.value.details() == "the box is open"


def test_a_call_that_waits_holds_up_no_other_and_ends_when_interrupted(toy: Engine, box: Box) -> None:
    checked = packed(toy.check(BOX, {"name": "slow"}))
    waiting = toy.stub.Create.future(pb.CreateRequest(urn=urn(BOX), properties=checked))
    assert box.entered.wait(5)
    toy.create(BOX, {"name": "quick"})
    toy.stub.Cancel(empty_pb2.Empty())
    assert "interrupted" in waiting.exception(timeout=5).details()


def test_functions_answer_and_foretell(toy: Engine) -> None:
    assert toy.invoke("toy:index:double", {"number": 4}) == {"twice": 8}
    assert toy.invoke("toy:index:double", {"number": UNKNOWN}) == {"twice": UNKNOWN}
    assert toy.invoke("toy:index:double", {"number": secret(4)}) == {"twice": secret(8)}


def test_some_provider_inputs_replace_everything_and_others_nothing(toy: Engine) -> None:
    def replaces(**new: str) -> list[str]:
        old = packed({"region": "here", "tags": '{"a": "b"}'})
        request = pb.DiffRequest(urn=urn("pulumi:providers:toy"), old_inputs=old, news=packed(new))
        answer = toy.stub.DiffConfig(request)
        assert answer.changes == pb.DiffResponse.DIFF_SOME
        return list(answer.replaces)

    assert replaces(region="there", tags='{"a": "b"}') == ["region"]
    assert replaces(region="here", tags='{"a": "c"}') == []


def test_the_process_prints_its_port_answers_and_leaves_quietly_when_interrupted() -> None:
    command = [sys.executable, "-u", "-m", "sandbox.plugins.docker", "--logtostderr", "127.0.0.1:1"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(empty_pb2.Empty())
        assert info.version
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=5)
    assert (process.returncode, rest, errors) == (0, "", "")
