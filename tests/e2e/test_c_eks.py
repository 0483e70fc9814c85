"""`make up DRIVER=eks`: the same site on a cluster of EKS, and who has access to that cluster."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import trustme
import yaml

from sandbox import environment
from sandbox.layout import Layout
from tests.e2e import cloud, rights
from tests.e2e.site import Site, addresses_of
from tests.e2e.stack import Done, Stack
from tests.e2e.waiting import eventually

pytestmark = [
    pytest.mark.not_on_eks("the sandbox's EKS has one cluster at a time: the session's"),
]

NAME = environment.STACKS["eks"]
CLUSTER, NAMESPACE = "local-eks", "eks"
"""As in Pulumi.local-eks.yaml."""

USER = "sandbox"
"""The access key of the sandbox's own user, who deploys."""

VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"

Credentials = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Eks:
    """The stack with an EKS cluster, deployed by the command that a user has for it."""

    stack: Stack
    site: Site
    done: Done
    asked: list[rights.Call]
    """The calls of `up` to AWS."""
    before: dict[str, list[str]]
    kubeconfig: dict[str, Any]
    kubeconfig_file: str

    def kubectl(self, *arguments: str, credentials: Credentials | None = None, check: bool = True) -> Done:
        """Run kubectl with the stack's own kubeconfig and these AWS credentials."""
        own = [f"{name}={value}" for name, value in (credentials or {}).items()]
        return self.stack.run("env", *own, "kubectl", f"--kubeconfig={self.kubeconfig_file}", *arguments, check=check)


@pytest.fixture(scope="module")
def eks(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eks]:
    """Deploy it; destroy and remove the stack at the end."""
    before, own = cloud.of_a_cluster(), replace(stack, name=NAME)
    earlier = len(rights.calls(stack.layout, who=USER))
    done = stack.sandbox("up", "--driver", "eks")
    asked = rights.calls(stack.layout, who=USER)[earlier:]
    text = own.pulumi("stack", "output", "kubeconfig", "--show-secrets").out
    file = tmp_path_factory.mktemp("eks") / "kubeconfig"
    file.write_text(text)
    file.chmod(0o600)
    host = str(own.outputs()["url"]).removeprefix("https://").rstrip("/")
    yield Eks(
        stack=own,
        site=Site(host=host, ca=stack.layout.ca),
        done=done,
        asked=asked,
        before=before,
        kubeconfig=yaml.safe_load(text),
        kubeconfig_file=str(file),
    )
    own.change("destroy")
    own.pulumi("stack", "rm", "--yes", "--preserve-config")
    stack.run("pulumi", "stack", "select", stack.name)  # `up --driver eks` selected its own


@pytest.fixture(scope="module")
def stranger() -> Iterator[Credentials]:
    """Create an IAM user without access to any cluster; yield its credentials."""
    iam = cloud.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    iam.delete_access_key(UserName="stranger", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="stranger")


def _arn(name: str) -> str:
    return str(cloud.client("iam").get_user(UserName=name)["User"]["Arn"])


def test_up_ends_with_the_site_over_https_under_its_own_name(eks: Eks) -> None:
    assert f"https://{eks.site.host}/ answers 200, its certificate verified" in eks.done.out
    assert eks.site.page().status == 200


def test_the_other_stack_goes_on_beside_it(eks: Eks, site: Site) -> None:
    assert site.page().status == 200
    assert not addresses_of(site.host) & addresses_of(eks.site.host)


def test_nothing_is_left_to_do_and_who_only_reads_may_find_out(eks: Eks, layout: Layout) -> None:
    earlier = len(rights.calls(layout, who=USER))
    assert eks.stack.change("refresh", "--expect-no-changes").steps == []
    assert eks.stack.plan("--expect-no-changes").steps == []
    asked = rights.calls(layout, who=USER)[earlier:]
    assert {"DescribeCluster", "GetHostedZone"} <= {each["operation"] for each in asked}
    assert rights.refused(asked, checkout=layout.checkout, policies=("preview",), places={}) == set()


def test_the_cluster_has_the_sandboxs_node(eks: Eks) -> None:
    [node] = json.loads(eks.kubectl("get", "nodes", "--output=json").out)["items"]
    [group] = cloud.client("eks").list_nodegroups(clusterName=CLUSTER)["nodegroups"]
    assert node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] == group
    id = node["spec"]["providerID"].rpartition("/")[2]
    [tag] = cloud.client("ec2").describe_tags(
        Filters=[{"Name": "resource-id", "Values": [id]}, {"Name": "key", "Values": ["eks:nodegroup-name"]}]
    )["Tags"]
    assert tag["Value"] == group


def test_the_kubeconfig_has_no_credential_and_says_who_one_is(eks: Eks) -> None:
    [user] = eks.kubeconfig["users"]
    assert user["user"].keys() == {"exec"}
    review = json.loads(eks.kubectl("auth", "whoami", "--output=json").out)
    assert review["status"]["userInfo"]["username"] == cloud.client("sts").get_caller_identity()["Arn"]
    assert eks.kubectl("auth", "can-i", "*", "*", "--all-namespaces").out.strip() == "yes"


def test_whoever_has_no_access_entry_is_refused(eks: Eks, stranger: Credentials) -> None:
    refused = eks.kubectl("get", "pods", credentials=stranger, check=False)
    assert refused.code != 0
    assert "Unauthorized" in refused.err


def test_an_access_policy_permits_what_it_says_where_it_says(eks: Eks, stranger: Credentials) -> None:
    entry = {"clusterName": CLUSTER, "principalArn": _arn("stranger")}
    api = cloud.client("eks")
    api.create_access_entry(**entry)
    api.associate_access_policy(**entry, policyArn=VIEW, accessScope={"type": "namespace", "namespaces": [NAMESPACE]})

    def may(*what: str) -> str:
        return eks.kubectl("auth", "can-i", *what, credentials=stranger, check=False).out.strip()

    def admitted() -> None:
        assert may("list", "pods", f"--namespace={NAMESPACE}") == "yes"

    def refused() -> None:
        assert "Unauthorized" in eks.kubectl("get", "pods", credentials=stranger, check=False).err

    # The API server caches its answer for a token, and all tokens of one second are the same.
    try:
        eventually(admitted)
        assert may("list", "pods", "--namespace=default") == "no"
        assert may("list", "secrets", f"--namespace={NAMESPACE}") == "no"
        assert may("delete", "pods", f"--namespace={NAMESPACE}") == "no"
    finally:
        api.delete_access_entry(**entry)
    eventually(refused)


def test_a_token_for_another_cluster_is_refused(eks: Eks) -> None:
    [user] = eks.kubeconfig["users"]
    program = user["user"]["exec"]
    own = [f"{each['name']}={each['value']}" for each in program["env"]]

    def token(cluster: str) -> str:
        arguments = [cluster if each == CLUSTER else each for each in program["args"]]
        said = eks.stack.run("env", *own, program["command"], *arguments).out
        return str(json.loads(said)["status"]["token"])

    def ask(cluster: str) -> Done:
        server, ca = eks.kubeconfig["clusters"][0]["cluster"]["server"], eks.stack.layout.ca
        where = (f"--server={server}", f"--certificate-authority={ca}", f"--token={token(cluster)}")
        return eks.stack.run("kubectl", "--kubeconfig=/dev/null", *where, "get", "nodes", check=False)

    assert ask(CLUSTER).code == 0
    assert "Unauthorized" in ask("another").err


def test_credentials_that_were_taken_away_are_a_clear_error_at_preview(eks: Eks) -> None:
    iam = cloud.client("iam")
    key = iam.create_access_key(UserName="sandbox")["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    own = [f"{name}={value}" for name, value in credentials.items()]
    preview = ("pulumi", "preview", "--non-interactive", f"--stack={NAME}")
    assert eks.kubectl("get", "nodes", credentials=credentials).code == 0
    iam.delete_access_key(UserName="sandbox", AccessKeyId=key["AccessKeyId"])
    refused = eks.stack.run("env", *own, *preview, check=False)
    assert refused.code != 0
    assert "cluster" in refused.said
    assert "expired" in refused.said
    assert "Traceback" not in refused.said


@pytest.fixture
def another_authority(layout: Layout) -> Iterator[str]:
    """Add a second certificate authority, as during a replacement; yield the whole bundle in base64."""
    before = layout.ca.read_bytes()
    layout.ca.write_bytes(before + trustme.CA(organization_name="the next one").cert_pem.bytes())
    yield base64.b64encode(layout.ca.read_bytes()).decode()
    layout.ca.write_bytes(before)


def test_a_renewed_authority_changes_the_kubeconfig_and_nothing_in_the_cluster(
    eks: Eks, another_authority: str
) -> None:
    eks.stack.change("refresh")
    change = eks.stack.change("up")
    changed = yaml.safe_load(eks.stack.pulumi("stack", "output", "kubeconfig", "--show-secrets").out)
    assert changed["clusters"][0]["cluster"]["certificate-authority-data"] == another_authority
    assert {name: what for name, what in change.steps if name.startswith("kubernetes:")} == {}
    assert not [what for _, what in change.steps if "replace" in what or what in ("create", "delete")]


def test_destroy_leaves_nothing_in_aws_or_in_the_cluster_and_the_policies_allow_every_call(
    eks: Eks, layout: Layout
) -> None:
    assert cloud.of_a_cluster() != eks.before
    earlier = len(rights.calls(layout, who=USER))
    eks.stack.change("destroy")
    asked = [*eks.asked, *rights.calls(layout, who=USER)[earlier:]]
    assert {"CreateCluster", "CreateNodegroup", "DeleteCluster", "DeleteVpc"} <= {each["operation"] for each in asked}
    rights.hold(
        asked,
        checkout=layout.checkout,
        policies=("deploy", "deploy-eks"),
        places={"DOMAIN": "eks.example.test", "CLUSTER": CLUSTER},
    )
    assert eks.stack.resources() == set()

    def gone() -> None:
        assert cloud.of_a_cluster() == eks.before
        kinds = "deployments,replicasets,pods,services,secrets,poddisruptionbudgets,rolebindings"
        assert eks.stack.objects(kinds, f"--namespace={NAMESPACE}")["items"] == []

    # AWS's controller takes a moment to delete a load balancer's security group, and Kubernetes to end the pods.
    eventually(gone)
    left = eks.stack.objects("nodes,clusterroles,clusterrolebindings")["items"]
    assert not [each for each in left if each["metadata"]["name"].startswith("eks:")]
    assert not [each for each in left if "eks.amazonaws.com/nodegroup" in each["metadata"].get("labels", {})]
    assert "Unauthorized" in eks.kubectl("get", "nodes", check=False).err
