"""Access entries: they map IAM principals to Kubernetes users and their permissions.

EKS' own authenticator reads the entries from a file, which is written here after each change. When moto is killed it
forgets its clusters, but the control plane and this file remain: principals keep their access, so that the next `up`
can read what is in Kubernetes and makes AWS's part again. An access policy is a binding of Kubernetes' own roles here;
on AWS it is an authorizer inside the control plane, which `kubectl get clusterrolebindings` does not show.
"""

import re
from typing import Any

from moto.core.utils import utcnow
from moto.eks.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from moto.eks.models import Cluster
from moto.eks.responses import EKSResponse
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random

from sandbox.aws import authenticator
from sandbox.aws.eks.control_plane import kubernetes
from sandbox.aws.eks.operations import Parameters, found, kept, operation
from sandbox.layout import Layout

_ADMIN_VIEW = "eks:admin-view"
ROLES = {
    "AmazonEKSClusterAdminPolicy": "cluster-admin",
    "AmazonEKSAdminPolicy": "admin",
    "AmazonEKSAdminViewPolicy": _ADMIN_VIEW,
    "AmazonEKSEditPolicy": "edit",
    "AmazonEKSViewPolicy": "view",
}
"""The role of each policy; https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html names the
user-facing roles of Kubernetes to which they correspond. AdminView, which reads everything, corresponds to none."""

_POLICY = "arn:aws:eks::aws:cluster-access-policy/"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


def patch_moto(layout: Layout) -> None:
    """Add the operations on access entries and their policies."""

    @operation("create_access_entry", "principalArn", "kubernetesGroups", "username", "type", "tags")
    def create_access_entry(cluster: Cluster, given: Parameters, request: EKSResponse) -> Parameters:
        _api_mode(cluster)
        principal = given["principalArn"]
        if principal in entries(cluster):
            raise ResourceInUseException(
                message="The specified access entry resource is already in use on this cluster."
            )
        if principal not in _principals(request.current_account):
            raise InvalidParameterException(message="The specified principalArn is invalid: invalid principal.")
        _refuse_reserved(given)
        entry = _entry(cluster, principal, given)
        publish(layout, cluster)
        return {"accessEntry": entry}

    @operation("describe_access_entry", "principalArn")
    def describe_access_entry(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"accessEntry": _found(cluster, given)}

    @operation("list_access_entries", "associatedPolicyArn", "maxResults", "nextToken")
    def list_access_entries(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        wanted = given.get("associatedPolicyArn")
        some = entries(cluster)
        return {"accessEntries": [each for each in some if wanted is None or wanted in _policies(some[each])]}

    @operation("update_access_entry", "principalArn", "kubernetesGroups", "username")
    def update_access_entry(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        entry = _found(cluster, given)
        _refuse_reserved(given)
        entry |= {name: given[name] for name in ("kubernetesGroups", "username") if name in given}
        entry["modifiedAt"] = utcnow()
        publish(layout, cluster)
        return {"accessEntry": entry}

    @operation("delete_access_entry", "principalArn")
    def delete_access_entry(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        _found(cluster, given)
        del entries(cluster)[given["principalArn"]]
        publish(layout, cluster)
        return {}

    @operation("associate_access_policy", "principalArn", "policyArn", "accessScope")
    def associate_access_policy(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        entry, policy = _found(cluster, given), given["policyArn"]
        if policy.removeprefix(_POLICY) not in ROLES:
            raise InvalidParameterException(message="The policyArn parameter format is not valid")
        if entry["type"] != "STANDARD":
            raise InvalidRequestException(message="Policies can only be associated to access entries of type STANDARD")
        now = utcnow()
        association = {
            "policyArn": policy,
            "accessScope": {"namespaces": [], **given["accessScope"]},
            "associatedAt": now,
            "modifiedAt": now,
        }
        _policies(entry)[policy] = association
        publish(layout, cluster)
        return {
            "clusterName": cluster.name,
            "principalArn": entry["principalArn"],
            "associatedAccessPolicy": association,
        }

    @operation("disassociate_access_policy", "principalArn", "policyArn")
    def disassociate_access_policy(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        policies = _policies(_found(cluster, given))
        found(policies, given["policyArn"], "associated access policy")
        del policies[given["policyArn"]]
        publish(layout, cluster)
        return {}

    @operation("list_associated_access_policies", "principalArn", "maxResults", "nextToken")
    def list_associated_access_policies(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        entry = _found(cluster, given)
        return {
            "clusterName": cluster.name,
            "principalArn": entry["principalArn"],
            "associatedAccessPolicies": list(_policies(entry).values()),
        }


def entries(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster's access entries, by their principals."""
    return kept(cluster, "sandbox_access_entries")


def bootstrap(layout: Layout, cluster: Cluster, principal: str) -> None:
    """Add the access entry of the cluster's creator, as administrator."""
    entry = _entry(cluster, principal, {})
    policy, now = f"{_POLICY}AmazonEKSClusterAdminPolicy", utcnow()
    scope = {"type": "cluster", "namespaces": []}
    _policies(entry)[policy] = {"policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now}


def admit_nodes(cluster: Cluster, role: str) -> None:
    """Add the access entry of a node group's role, as EKS does in a mode with access entries."""
    if role not in entries(cluster) and "API" in cluster.__dict__["access_config"]["authenticationMode"]:
        _entry(
            cluster,
            role,
            {
                "type": "EC2_LINUX",
                "username": "system:node:{{EC2PrivateDNSName}}",
                "kubernetesGroups": ["system:nodes"],
            },
        )


def publish(layout: Layout, cluster: Cluster) -> None:
    """Write the current entries for the authenticator, and apply their bindings in the API server."""
    bound: dict[str, Any] = {}
    mapped: dict[str, list[Any]] = {"mapUsers": [], "mapRoles": [], "mapAccounts": []}
    for principal, entry in entries(cluster).items():
        kind = "user" if ":user/" in principal else "role"
        groups = list(entry["kubernetesGroups"])
        for association in _policies(entry).values():
            policy, scope = association["policyArn"].removeprefix(_POLICY), association["accessScope"]
            for namespace in scope["namespaces"] or [""]:
                groups.append(group := ":".join(filter(None, ("eks", policy, namespace))))
                bound[_binding_path(policy, namespace)] = _binding(policy, namespace, group)
        mapped[f"map{kind.title()}s"].append({f"{kind}arn": principal, "username": entry["username"], "groups": groups})
    if bound:
        _bind(layout, f"/clusterroles/{_ADMIN_VIEW}", _admin_view())
    before = kept(cluster, "sandbox_bindings")
    for path in before.keys() - bound.keys():
        _unbind(layout, path)
    for path, binding in bound.items():
        if path not in before:
            _bind(layout, path, binding)
    before.clear()
    before.update(bound)
    authenticator.publish(layout, cluster=cluster.name, mapping=mapped)


def withdraw(layout: Layout, cluster: Cluster) -> None:
    """Remove all access entries, and their bindings in Kubernetes."""
    entries(cluster).clear()
    publish(layout, cluster)
    authenticator.publish(layout, cluster="", mapping=authenticator.NOBODY)
    _unbind(layout, f"/clusterroles/{_ADMIN_VIEW}")


def _entry(cluster: Cluster, principal: str, given: Parameters) -> Parameters:
    account, _, name = principal.removeprefix("arn:aws:iam::").partition(":")
    by_default = principal
    if name.startswith("role/"):
        by_default = f"arn:aws:sts::{account}:assumed-role/{name.rpartition('/')[2]}/{{{{SessionName}}}}"
    now = utcnow()
    entry = {
        "clusterName": cluster.name,
        "principalArn": principal,
        "kubernetesGroups": given.get("kubernetesGroups") or [],
        "accessEntryArn": cluster.arn.replace(":cluster/", ":access-entry/")
        + f"/{name.replace('/', '/' + account + '/', 1)}/{mock_random.uuid4()}",
        "createdAt": now,
        "modifiedAt": now,
        "tags": given.get("tags") or {},
        "username": given.get("username") or by_default,
        "type": given.get("type") or "STANDARD",
    }
    entries(cluster)[principal] = entry
    return entry


def _found(cluster: Cluster, given: Parameters) -> Parameters:
    if given["principalArn"] not in entries(cluster):
        raise ResourceNotFoundException(
            message="The specified principalArn could not be found. You can view your available access entries with "
            "'list-access-entries'."
        )
    entry: Parameters = entries(cluster)[given["principalArn"]]
    return entry


def _policies(entry: Parameters) -> dict[str, Any]:
    # Not a member of the answer's shape, so the API does not show it.
    some: dict[str, Any] = entry.setdefault("sandboxPolicies", {})
    return some


def _principals(account: str) -> set[str]:
    iam = iam_backends[account]["aws"]
    return {str(each.arn) for some in (iam.users, iam.roles) for each in some.values()}


def _api_mode(cluster: Cluster) -> None:
    if "API" not in cluster.__dict__["access_config"]["authenticationMode"]:
        raise InvalidRequestException(
            message="The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
            "operation."
        )


def _refuse_reserved(given: Parameters) -> None:
    for group in given.get("kubernetesGroups") or ():
        if re.match("(system|eks|aws|amazon|iam):", group):
            raise InvalidParameterException(
                message=f"The kubernetes group name {group} is invalid, it cannot start with {group.partition(':')[0]}:"
            )


def _binding_path(policy: str, namespace: str) -> str:
    return f"/namespaces/{namespace}/rolebindings/eks:{policy}" if namespace else f"/clusterrolebindings/eks:{policy}"


def _binding(policy: str, namespace: str, group: str) -> dict[str, Any]:
    rbac = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": f"eks:{policy}"} | ({"namespace": namespace} if namespace else {}),
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": ROLES[policy]},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
    }


def _admin_view() -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _ADMIN_VIEW},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    }


def _bind(layout: Layout, path: str, content: dict[str, Any]) -> None:
    # Server-side apply makes the object, or leaves it as it is.
    kubernetes(layout, "PATCH", f"{_RBAC}{path}", content)


def _unbind(layout: Layout, path: str) -> None:
    kubernetes(layout, "DELETE", f"{_RBAC}{path}")
