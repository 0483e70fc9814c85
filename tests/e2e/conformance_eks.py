"""The driver `eks` on the sandbox: moto's EKS, its authenticator, and the API server behind both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import addresses
from sandbox.layout import here
from tests.conformance.stack import BUCKET, Stack
from tests.e2e import cloud
from tests.e2e.conformance import OBJECT, Administrator, project

NAME = "conformance"
"""The cluster's; the IAM user who makes it has the same."""
ADDON = "coredns"
_LOGS = f"/aws/eks/{NAME}/cluster"
_NODES = {"name": "nodes", "machineType": "t3.medium", "min": 1, "max": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Eks:
    """An IAM user with an access key, and an account in which other things are as well."""

    makes = True
    stack: Stack
    api: Administrator
    key: dict[str, str]
    before: set[str]
    """What was in the account before the first `up`."""

    def secrets(self) -> set[str]:
        """The key with which one logs in, and what of the kubeconfig is nowhere else: the authority's is in AWS too."""
        return {self.key["SecretAccessKey"], "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}

    def grow(self) -> None:
        """By the settings of its group."""
        self.stack.configure(nodes=[_NODES | {"min": 2}])

    def nodes(self) -> int:
        """Those that the group is to have: the sandbox makes no machines of them."""
        [group] = _groups()
        return int(group["scalingConfig"]["desiredSize"])

    def upgrade(self) -> None:
        """By the settings."""
        self.stack.configure(kubernetesVersion="1.35")

    def version(self) -> str:
        """That of the control plane, which the nodes must have as well."""
        found = {cloud.client("eks").describe_cluster(name=NAME)["cluster"]["version"]}
        [version] = found | {group["version"] for group in _groups()}
        return str(version)

    def hinder(self) -> str:
        """Somebody has a log group of the name that EKS writes to."""
        cloud.client("logs").create_log_group(logGroupName=_LOGS)
        return "ResourceAlreadyExists"

    def mend(self) -> None:
        """They have not."""
        cloud.client("logs").delete_log_group(logGroupName=_LOGS)

    def meddle(self) -> None:
        """Somebody removes an add-on."""
        cloud.client("eks").delete_addon(clusterName=NAME, addonName=ADDON)

    def meddled(self) -> bool:
        """Whether it is gone."""
        return ADDON not in cloud.client("eks").list_addons(clusterName=NAME)["addons"]

    def expire(self) -> str:
        """Somebody deactivates the access key."""
        self._activate("Inactive")
        return "provide credentials"

    def renew(self) -> None:
        """And activates it."""
        self._activate("Active")

    def left(self) -> set[str]:
        """What is in the account that was not, and what the program put into the cluster."""
        return _account() - self.before | ({OBJECT} if self.api.get(OBJECT) else set())

    def _activate(self, status: str) -> None:
        cloud.client("iam").update_access_key(UserName=NAME, AccessKeyId=self.key["AccessKeyId"], Status=status)


def _groups() -> list[dict[str, Any]]:
    eks = cloud.client("eks")
    names = eks.list_nodegroups(clusterName=NAME)["nodegroups"]
    return [eks.describe_nodegroup(clusterName=NAME, nodegroupName=each)["nodegroup"] for each in names]


def _account() -> set[str]:
    buckets = [each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]]
    found = cloud.of_a_cluster() | {"buckets": [each for each in buckets if each == BUCKET]}
    return {f"{what}: {each}" for what, some in found.items() for each in some}


@contextmanager
def eks(home: Path) -> Iterator[Eks]:
    """Make the user whose the cluster will be; it and they are gone at the end."""
    iam, before = cloud.client("iam"), _account()
    iam.create_user(UserName=NAME)
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    stack = project(home, layout=here(), credentials=credentials)
    stack.configure(
        driver="eks",
        name=NAME,
        kubernetesVersion="1.34",
        zones=[f"{addresses.REGION}a", f"{addresses.REGION}b"],
        nodes=[_NODES],
    )
    made = Eks(stack=stack, api=Administrator(layout=here()), key=key, before=before)
    try:
        yield made
    finally:
        # After a test that failed: the sandbox has one cluster at a time, and other tests want it.
        made.renew()
        stack.run("destroy", "--yes", "--skip-preview")
        iam.delete_access_key(UserName=NAME, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=NAME)
