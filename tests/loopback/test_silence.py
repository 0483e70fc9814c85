"""An AWS that accepts connections and does not answer, with the real engine and the real AWS plugin."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox import orphans
from sandbox.layout import Layout
from tests.conformance import stack as stacks
from tests.conformance.stack import Stack
from tests.example import KUBECONFIG
from tests.kops.world import ACCESS
from tests.troubles import provoked

PROGRAM = """
import pulumi_aws as aws
from infra import config, providers

settings = config.load()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
aws.s3.Bucket("bucket", bucket="a-bucket", opts=in_aws)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a sandbox that has only the engine's home."""
    made = Layout(tmp_path)
    made.root.mkdir()
    return made


@pytest.fixture
def stack(layout: Layout) -> Iterator[Stack]:
    """Create a stack with a bucket; its AWS is a socket that nobody reads from."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        made = stacks.project(layout.root, endpoint=endpoint, program=PROGRAM, variables=ACCESS)
        (made.folder / "kubeconfig").write_text(KUBECONFIG)
        made.configure(driver="existing", name="cluster.example.com", kubeconfigFile="kubeconfig")
        yield made


def plugins(layout: Layout) -> dict[int, str]:
    """Return the command lines of the plugins of the layout's engines, by process id."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("PULUMI_HOME") == str(layout.root / "pulumi") and process.name() != "pulumi":
                found[process.pid] = " ".join(process.cmdline())
        except psutil.Error:
            continue
    return found


def test_up_says_within_20_seconds_that_aws_does_not_answer(stack: Stack, layout: Layout) -> None:
    began = time.monotonic()
    with stack.start("up", "--yes", "--skip-preview") as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if "aws.endpoint" in line)
        assert time.monotonic() - began < 20
        assert str(stack.endpoint) in said
        provoked("… does not answer: …The run goes on once it does", said)

        # If the engine is killed while it waits, none of its plugins is left.
        orphans.end(layout)
        assert any("pulumi-resource-aws" in each for each in plugins(layout).values()), "its engine lives"
        process.kill()
        process.wait()
        orphans.end(layout)
        assert plugins(layout) == {}
