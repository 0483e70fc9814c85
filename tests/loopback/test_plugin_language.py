"""The language host with the real SDK, started and called as the engine does."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

ROOT = Path(__file__).parents[2]
SDK_PYTHON = Path(sys.prefix)
COMMAND = [sys.executable, "-u", "-m", "sandbox.plugins.language", "127.0.0.1:1"]


@dataclass
class Engine(engine_pb2_grpc.EngineServicer, resource_pb2_grpc.ResourceMonitorServicer):
    """The engine's side of a run: it accepts every registration, and records errors and outputs."""

    errors: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802, the protocol's name
        if request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        return empty_pb2.Empty()

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo(supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS])

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:s::p::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        self.outputs |= dict(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()


@dataclass(frozen=True)
class Host:
    stub: Any
    lines: Iterator[str]

    def run(self, project: Path, *, options: dict[str, str] | None = None, **request: Any) -> tuple[Any, Engine]:
        engine, server = Engine(), grpc.server(ThreadPoolExecutor())
        engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(engine, server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        self.stub.Handshake(language_pb2.LanguageHandshakeRequest(engine_address=address))
        answer = self.stub.Run(
            language_pb2.RunRequest(
                project="p",
                stack="s",
                pwd=str(project),
                info=info(project, **(options or {})),
                monitor_address=address,
                parallel=4,
                **request,
            )
        )
        server.stop(grace=None).wait()
        return answer, engine


def info(project: Path, **options: str) -> Any:
    given = struct_pb2.Struct()
    given.update({"toolchain": "pip", "virtualenv": str(SDK_PYTHON)} | options)
    where = str(project)
    return language_pb2.ProgramInfo(root_directory=where, program_directory=where, entry_point=".", options=given)


@contextmanager
def started() -> Iterator[Host]:
    """Start the host. On SIGINT it must exit within 10 seconds, with code 0 and without output."""
    with subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield Host(language_pb2_grpc.LanguageRuntimeStub(channel), iter(process.stdout.readline, ""))
        finally:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=10)
    assert (process.returncode, rest) == (0, "")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with started() as each:
        yield each


def program(directory: Path, text: str) -> Path:
    (directory / "__main__.py").write_text("import pulumi\n" + text)
    return directory


def test_a_program_gets_its_config_and_what_it_prints_is_shown(host: Host, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    text = "import beside, sys\nprint('hello')\npulumi.export('k', pulumi.Config().require('k') + beside.NAME)"
    process_list = "\npulumi.export('argv', ' '.join(sys.orig_argv) + str(dict(__import__('os').environ)))"
    answer, engine = host.run(program(tmp_path, text + process_list), config={"p:k": "s3cret"})
    assert (answer.error, answer.bail, engine.errors) == ("", False, [])
    assert engine.outputs["k"] == "s3cretbeside"
    assert "s3cret" not in engine.outputs["argv"]
    assert next(host.lines) == "hello\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("raise pulumi.RunError('cluster.driver: unknown')", "cluster.driver: unknown"),
        ("pulumi.Config().require('missing')", "Missing required configuration variable 'p:missing'"),
    ],
)
def test_an_error_meant_for_the_user_is_its_message_only(host: Host, tmp_path: Path, text: str, expected: str) -> None:
    answer, engine = host.run(program(tmp_path, text))
    assert answer.bail
    assert len(engine.errors) == 1
    assert engine.errors[0].startswith(expected)
    assert "Traceback" not in engine.errors[0]


def test_any_other_error_is_shown_with_the_programs_own_frames(host: Host, tmp_path: Path) -> None:
    answer, engine = host.run(program(tmp_path, "def lay():\n    return {}['egg']\nlay()"))
    assert answer.bail
    [shown] = engine.errors
    assert "KeyError: 'egg'" in shown
    assert f'{tmp_path}/__main__.py", line 3, in lay' in shown
    assert str(SDK_PYTHON) not in shown
    assert "runpy" not in shown


def test_an_error_inside_an_apply_is_shown(host: Host, tmp_path: Path) -> None:
    """Do not check the frames: the SDK awaits tasks in no order, and one awaited twice has none left."""
    call = "pulumi.export('k', pulumi.Output.from_input(1).apply(lambda _: {}['egg']))"
    answer, engine = host.run(program(tmp_path, call))
    assert answer.bail
    assert any("KeyError: 'egg'" in each for each in engine.errors)


def test_a_program_that_exits_by_itself_is_an_error(host: Host, tmp_path: Path) -> None:
    answer, _ = host.run(program(tmp_path, "import os; os._exit(7)"))
    assert "exit code 7" in answer.error


def test_a_directory_without_a_program_is_named(host: Host, tmp_path: Path) -> None:
    answer, engine = host.run(tmp_path)
    assert answer.bail
    assert str(tmp_path / "__main__.py") in engine.errors[0]


WAITING = "import os, time; print(os.getpid())\nwhile True: time.sleep(600)"


@contextmanager
def going(host: Host, project: Path) -> Iterator[list[tuple[Any, Engine]]]:
    """Run a program during the block; yield a list that has its result afterwards."""
    ended: list[tuple[Any, Engine]] = []

    def run() -> None:
        with suppress(grpc.RpcError):  # the host is gone
            ended.append(host.run(project))

    thread = threading.Thread(target=run)
    thread.start()
    yield ended
    thread.join(timeout=10)


def test_a_cancelled_program_ends_without_a_word(tmp_path: Path) -> None:
    with started() as host:
        with going(host, program(tmp_path, WAITING)) as ended:
            next(host.lines)
            host.stub.Cancel(empty_pb2.Empty())
        [(answer, engine)] = ended
        assert (answer.bail, answer.error, engine.errors) == (True, "", [])


def test_a_host_that_is_interrupted_takes_its_program_with_it(tmp_path: Path) -> None:
    with ExitStack() as run:
        with started() as host:
            run.enter_context(going(host, program(tmp_path, WAITING)))
            number = int(next(host.lines))
        assert not Path("/proc", str(number)).exists()


def test_a_host_whose_engine_was_killed_ends() -> None:
    engine = f"import subprocess; subprocess.run({COMMAND})"
    with subprocess.Popen([sys.executable, "-c", engine], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert int(process.stdout.readline())
        process.kill()
        assert process.stdout.read() == b"", "it holds the other end for as long as it lives"


def test_the_providers_of_the_installed_packages_are_required_in_their_exact_versions(
    host: Host, tmp_path: Path
) -> None:
    answer = host.stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=info(tmp_path)))
    found = {each.name: each.version for each in answer.packages}
    wanted = {name: f"v{version(f'pulumi-{name}')}" for name in ("aws", "docker", "kubernetes")}
    assert found == wanted


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"toolchain": "poetry"}, r"runtime\.options\.toolchain\b.*poetry"),
        ({"typechecker": "mypy"}, r"runtime\.options\.typechecker\b"),
        ({"virtualenv": ""}, r"runtime\.options\.virtualenv\b"),
        ({"virtualenv": "nowhere"}, r"runtime\.options\.virtualenv\b.*nowhere/bin/python"),
    ],
)
def test_runtime_options_that_cannot_be_followed_are_refused_by_name(
    host: Host, tmp_path: Path, options: dict[str, str], words: str
) -> None:
    with pytest.raises(grpc.RpcError, match=words):
        host.stub.About(language_pb2.AboutRequest(info=info(tmp_path, **options)))
