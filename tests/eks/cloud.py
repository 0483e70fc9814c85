"""The sandbox's AWS on loopback: moto with its gaps closed, without the API server behind EKS.

`python -m tests.eks.cloud FOLDER` serves it and prints where; what it lays down is in the folder.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

KEY, SECRET = "AKIAEKSTESTSOFTHEUSER", "the-secret-of-the-tests-of-eks"
USER = "maker"
REGION = "us-east-1"


@dataclass(frozen=True)
class Cloud:
    """An AWS in which nothing is."""

    url: str

    def client(self, service: str) -> Any:
        """The same AWS behind Pulumi's back."""
        return _client(service, self.url)

    def left(self) -> dict[str, list[str]]:
        """What there is, by kind; what every account has from the beginning is left out."""
        ec2 = self.client("ec2")
        mine = {"Filters": [{"Name": "is-default", "Values": ["false"]}]}
        vpcs = [each["VpcId"] for each in ec2.describe_vpcs(**mine)["Vpcs"]]
        inside = {"Filters": [{"Name": "vpc-id", "Values": vpcs or ["vpc-none"]}]}
        gateways = ec2.describe_nat_gateways()["NatGateways"]
        found = {
            "vpc": vpcs,
            "subnet": [each["SubnetId"] for each in ec2.describe_subnets(**inside)["Subnets"]],
            "gateway": [each["InternetGatewayId"] for each in ec2.describe_internet_gateways()["InternetGateways"]],
            "nat": [each["NatGatewayId"] for each in gateways if each["State"] != "deleted"],
            "address": [each["AllocationId"] for each in ec2.describe_addresses()["Addresses"]],
            "table": [each["RouteTableId"] for each in ec2.describe_route_tables(**inside)["RouteTables"]],
            "template": [each["LaunchTemplateId"] for each in ec2.describe_launch_templates()["LaunchTemplates"]],
            "group": [each["GroupId"] for each in ec2.describe_security_groups(**inside)["SecurityGroups"]],
            "role": [each["RoleName"] for each in self.client("iam").list_roles()["Roles"]],
            "alias": [each["AliasName"] for each in self.client("kms").list_aliases()["Aliases"]],
            "logs": [each["logGroupName"] for each in self.client("logs").describe_log_groups()["logGroups"]],
            "cluster": self.client("eks").list_clusters()["clusters"],
        }
        return {kind: some for kind, some in found.items() if some}


@cache
def _client(service: str, url: str) -> Any:
    return boto3.client(
        service, region_name=REGION, endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    """Serve it in a process of its own: what the sandbox changes in moto is not for the other tests."""
    environment = os.environ | {
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
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
    """Serve until ended."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.server import ThreadedMotoServer

    from sandbox.aws import ec2, eks, iam, s3
    from sandbox.aws.eks import access, nodegroups
    from sandbox.layout import Layout

    layout = Layout(Path(sys.argv[1]))
    (layout.etc / "authenticator").mkdir(parents=True)
    layout.ca.write_text("an authority")
    # There is no Kubernetes here to bind roles in, and no machine to label.
    for module, name in ((access, "kubernetes"), (nodegroups, "_own_node")):
        setattr(module, name, lambda *_: None)
    eks.as_aws_does_it(layout)
    ec2.templates_keep_their_own_tags()
    s3.buckets_have_their_first_tags()
    iam.user_with_key(DEFAULT_ACCOUNT_ID, name=USER, key_id=KEY, secret=SECRET)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201  whoever started it reads that
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
