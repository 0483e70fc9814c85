"""Find what an interrupted run created, by its name or by the stack's mark (infra/ownership.py)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import WaiterError

from infra import kubectl
from infra.guards import marked_in_aws, marked_in_cluster
from infra.guards.marked_in_aws import Search
from infra.kubectl import Api, KubectlError
from ops import aws, pulumi
from ops.command import OpsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What exists of one resource."""

    id: str = ""
    """The id by which the provider imports it; empty where the state lacks what the resource depends on."""
    others: Sequence[str] = ()
    """The ids of further ones, for which the state has no place."""


def find(
    stack: str, deployment: Mapping[str, Any], operations: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, Found]:
    """Look for the resource of each creation; return those that exist and that the state does not have, by URN.

    Wait until they are ready. If a cluster does not answer, as when the login in the state has expired, say so and take
    its objects for not found: before the next `up` creates one, it looks again (infra/guards/foreign_in_cluster.py).
    Raise OpsError if AWS does not answer, and for a type of resource that is not `searchable`.
    """
    resources = deployment.get("resources") or ()
    there = {each["urn"] for each in resources}
    found = {}
    with _clusters(stack) as cluster_of:
        for operation in operations:
            resource = operation["resource"]
            if operation["type"] != "creating" or not resource.get("custom"):
                continue
            known = {each.get("id") for each in resources if each["type"] == resource["type"]}
            ids = [each for each in _ids(stack, resource, settings, cluster_of) if each not in known]
            _wait(resource["type"], ids, settings)
            if ids and _needs(resource) <= there:
                found[resource["urn"]] = Found(id=ids[0], others=ids[1:])
            elif ids:
                found[resource["urn"]] = Found(others=ids)
    return found


def searchable(type_: str) -> bool:
    """Return whether a resource of that type can be found, or need not be."""
    return type_ in marked_in_aws.TYPES or type_ in _MADE_AGAIN or type_.startswith(("kubernetes:", *_NOT_SEARCHED))


_MADE_AGAIN = (
    "aws:acm/certificateValidation:CertificateValidation",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
)
"""Types that AWS sets rather than creates: a second time changes nothing."""
_NOT_SEARCHED = ("docker:", "pulumi:", "pulumi-python:")
"""Packages with nothing to find: a build runs again, and the program's own resources in Python resume."""


def _ids(
    stack: str, resource: pulumi.Resource, settings: Mapping[str, Any], cluster_of: Callable[[str], Api | None]
) -> list[str]:
    *_, project, _, name = resource["urn"].split("::")
    type_, inputs = resource["type"], resource.get("inputs") or {}
    mark = f"{project}/{stack.rpartition('/')[2]}"
    if not searchable(type_):
        raise OpsError(
            f"{stack} was not recovered.",
            f"{name} is a {type_}, and there is no way yet to find one.",
            "Add the type to infra/guards/marked_in_aws.py or ops/remains.py.",
        )
    not_known = f"Whether {name} was created is not known."
    if type_.startswith("kubernetes:"):
        try:
            api = cluster_of(resource.get("provider", ""))
            if api is None:
                return []
            return marked_in_cluster.find(api, stack=mark, domain=str(settings["domain"]), name=name, inputs=inputs)
        except KubectlError as error:
            print(f"  {not_known} {error}. The next `up`, with its own kubeconfig, looks before it creates it.")
            return []
    search = Search(
        stack=mark,
        domain=str(settings["domain"]),
        name=name,
        type=type_,
        inputs=inputs,
        client=lambda service: aws.client(service, settings),
    )
    try:
        with aws.doing(not_known):
            return marked_in_aws.find(search)
    except PermissionError as error:
        raise OpsError(not_known, f"{error}.", "docs/ci.md lists the rights that a deployment needs.") from error


@contextmanager
def _clusters(stack: str) -> Iterator[Callable[[str], Api | None]]:
    """Yield a function that connects to the cluster of a provider in the state; each connection is opened once.

    It returns None if the state does not have the provider, as after a destroy: then nothing can be imported.
    """
    opened: dict[str, Api | None] = {}
    with ExitStack() as until_the_end:

        def cluster_of(provider: str) -> Api | None:
            if provider not in opened:
                given = _kubeconfig(stack, provider)
                opened[provider] = until_the_end.enter_context(kubectl.connect(given)) if given else None
            return opened[provider]

        yield cluster_of


def _kubeconfig(stack: str, provider: str) -> str:
    """Return the decrypted kubeconfig of a provider in the state; empty if the state has no such provider."""
    resources = pulumi.exported(stack, secrets=True)["deployment"].get("resources") or ()
    of: Mapping[str, Any] = next((each for each in resources if f"{each['urn']}::{each.get('id')}" == provider), {})
    given = (of.get("inputs") or {}).get("kubeconfig")
    plain = given.get("plaintext", "") if isinstance(given, Mapping) else json.dumps(given)
    return str(json.loads(plain) or "") if plain else ""


def _needs(resource: pulumi.Resource) -> set[str]:
    """Return the URNs that this resource depends on."""
    provider = resource.get("provider", "").rpartition("::")[0]
    return {provider, resource.get("parent", ""), *(resource.get("dependencies") or ())} - {""}


def _wait(type_: str, ids: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Wait until AWS has finished creating the resources: they cannot be read or used before.

    One that AWS failed to create is imported as it is: the next `up` replaces it, or says what is wrong.
    """
    if type_ not in _READY:
        return
    service, waiter, arguments = _READY[type_]
    for id_ in ids:
        with aws.doing(f"Whether {id_} is ready is not known."):
            try:
                aws.client(service, settings).get_waiter(waiter).wait(**arguments(id_))
            except WaiterError as error:
                print(f"  {id_}: {error}")


def _in_eks(*parameters: str) -> Callable[[str], dict[str, Any]]:
    return lambda id_: dict(zip(parameters, id_.split(":"), strict=True))


_READY: Mapping[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "aws:ec2/natGateway:NatGateway": ("ec2", "nat_gateway_available", lambda id_: {"NatGatewayIds": [id_]}),
    "aws:eks/addon:Addon": ("eks", "addon_active", _in_eks("clusterName", "addonName")),
    "aws:eks/cluster:Cluster": ("eks", "cluster_active", _in_eks("name")),
    "aws:eks/nodeGroup:NodeGroup": ("eks", "nodegroup_active", _in_eks("clusterName", "nodegroupName")),
}
"""The types that AWS needs minutes to create: the service, botocore's waiter, and its arguments for an id."""
