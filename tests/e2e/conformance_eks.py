"""The driver `eks` on the sandbox: moto's EKS, its authenticator, and the API server behind both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from sandbox import addresses, environment
from sandbox.layout import Layout, here
from tests.conformance import stack as stacks
from tests.conformance.stack import BUCKET, CLUSTER_WITH_WORK, WORK, Stack
from tests.e2e import cloud

NAME = "conformance"
"""The name of the cluster, and of the IAM user who creates it."""
ADDON = "coredns"
_LOGS = f"/aws/eks/{NAME}/cluster"
_NODES = {"name": "nodes", "machineType": "t3.medium", "min": 1, "max": 4}
_WORK = f"/api/v1/namespaces/default/secrets/{WORK}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """A client of the API server with the sandbox's own certificate, which works whatever becomes of other logins."""

    layout: Layout

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, or None if there is none."""
        certificate, ca = str(self.layout.etc / "admin.client.pem"), str(self.layout.ca)
        answer = requests.get(f"{addresses.API_SERVER}{path}", cert=certificate, verify=ca, timeout=10)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Eks:
    """A stack that an IAM user with an access key deploys, in an account that has other resources too."""

    makes = True
    stack: Stack
    api: Administrator
    key: dict[str, str]
    before: set[str]
    """What was in the account before the first `up`."""

    def secrets(self) -> set[str]:
        """Return the access key's secret and a text that only the kubeconfig has; its authority is in AWS too."""
        return {self.key["SecretAccessKey"], "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}

    def grow(self) -> None:
        """Raise the size of the node group in the settings."""
        self.stack.configure(nodes=[_NODES | {"min": 2, "desired": 2}])

    def nodes(self) -> int:
        """Return the desired size of the group: the sandbox creates no machines for it."""
        [group] = _groups()
        return int(group["scalingConfig"]["desiredSize"])

    def upgrade(self) -> None:
        """Set a newer version in the settings."""
        self.stack.configure(kubernetesVersion="1.35")

    def version(self) -> str:
        """Return the version of the control plane; fail unless the nodes have the same."""
        found = {cloud.client("eks").describe_cluster(name=NAME)["cluster"]["version"]}
        [version] = found | {group["version"] for group in _groups()}
        return str(version)

    def hinder(self) -> str:
        """Create a log group with the name that EKS writes to; return words of the error."""
        cloud.client("logs").create_log_group(logGroupName=_LOGS)
        return "ResourceAlreadyExists"

    def fix(self) -> None:
        """Delete the log group."""
        cloud.client("logs").delete_log_group(logGroupName=_LOGS)

    def meddle(self) -> None:
        """Delete an add-on behind the program's back."""
        cloud.client("eks").delete_addon(clusterName=NAME, addonName=ADDON)

    def meddled(self) -> bool:
        """Return whether the add-on is still gone."""
        return ADDON not in cloud.client("eks").list_addons(clusterName=NAME)["addons"]

    def expire(self) -> str:
        """Deactivate the access key; return words of the error."""
        self._activate("Inactive")
        return "provide credentials"

    def renew(self) -> None:
        """Activate the access key again."""
        self._activate("Active")

    def left(self) -> set[str]:
        """Return what the account has beyond `before`, and what the program put into the cluster."""
        return _account() - self.before | ({_WORK} if self.api.get(_WORK) else set())

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
    """Create the IAM user who deploys the cluster; delete both at the end."""
    iam, before = cloud.client("iam"), _account()
    iam.create_user(UserName=NAME)
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    variables = environment.variables(here()) | {
        "PULUMI_BACKEND_URL": f"file://{home / 'stacks'}",
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    stack = stacks.project(home, endpoint=addresses.AWS_ENDPOINT, program=CLUSTER_WITH_WORK, variables=variables)
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
        # A failed test may leave its cluster. The sandbox has one cluster at a time, and other tests need it.
        made.renew()
        stack.run("destroy", "--yes", "--skip-preview")
        iam.delete_access_key(UserName=NAME, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=NAME)
