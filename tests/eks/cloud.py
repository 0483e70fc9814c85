"""The sandbox's AWS on loopback: moto with its gaps closed, without an API server behind EKS.

`python -m tests.eks.cloud FOLDER` serves it, prints its URL, and keeps its files in the folder.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

KEY, SECRET = "AKIAEKSTESTSOFTHEUSER", "the-secret-of-the-tests-of-eks"
USER = "maker"
REGION = "us-east-1"
API_SERVER = "EJEMPLO_TESTS_API_SERVER"
"""The environment variable with the endpoint of every cluster."""


@dataclass(frozen=True)
class Cloud:
    """An empty AWS."""

    url: str

    def client(self, service: str, **config: Any) -> Any:
        """Return a client that changes it outside Pulumi; `config` is botocore's."""
        login = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, config=Config(**config), **login)


@contextmanager
def cloud(folder: Path, *, api_server: str = "") -> Iterator[Cloud]:
    """Serve it in its own process, so that the sandbox's changes to moto do not affect other tests.

    `api_server`, if given, is the endpoint of every cluster.
    """
    environment = os.environ | {
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        # By default moto issues a certificate after a minute.
        "MOTO_ACM_VALIDATION_WAIT": "0",
        **({API_SERVER: api_server} if api_server else {}),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.eks.cloud", str(folder)],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Cloud(process.stdout.readline().strip())
        finally:
            process.terminate()


def main() -> None:
    """Serve until terminated."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.server import ThreadedMotoServer

    from sandbox import addresses
    from sandbox.aws import ec2, eks, iam, route53, s3, serving
    from sandbox.aws.eks import access, nodegroups
    from sandbox.layout import Layout
    from tests.aws_server import one_request_at_a_time

    # Threads take turns ten times as often as usual, as on a busy machine.
    sys.setswitchinterval(0.0005)
    layout = Layout(Path(sys.argv[1]))
    (layout.etc / "authenticator").mkdir(parents=True)
    layout.ca.write_text("an authority")
    # There is no Kubernetes here to bind roles in, and no machine to label.
    for module, name in ((access, "kubernetes"), (nodegroups, "_own_node")):
        setattr(module, name, lambda *_: None)
    addresses.API_SERVER = os.environ.get(API_SERVER, addresses.API_SERVER)
    eks.as_aws_does_it(layout)
    ec2.as_aws_does_it()
    s3.buckets_have_their_first_tags()
    route53.as_aws_does_it()
    one_request_at_a_time()
    serving.as_aws_does_it()
    iam.user_with_key(DEFAULT_ACCOUNT_ID, name=USER, key_id=KEY, secret=SECRET)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201  the parent process reads it
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
