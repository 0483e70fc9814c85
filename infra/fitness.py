"""Whether a cluster is fit for this program: it answers, is new enough, and lets the program do what it has to.

Every preview looks, through the user's own kubectl.
"""

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra import kubectl
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.kubectl import Api, KubectlError
from infra.settings.needs import Needs

OLDEST = 30
"""The minor version of Kubernetes 1 that API server and kubelets must have: preStop's `sleep`, by which a pod leaves
without losing a request, works from 1.30 on (KEP-3960). There is no newest one: all of the program's kinds are stable,
and no minor version may remove those (Kubernetes' deprecation policy)."""
OWN_VERBS = ("get", "list", "watch", "create", "patch", "delete")
"""What Pulumi's provider does to an object of the program: it reads, applies (create or patch), waits, and deletes."""
OWN = (("", "secrets"), ("", "services"), ("apps", "deployments"), ("policy", "poddisruptionbudgets"))
"""The API group and the resource of every kind that the program declares."""
WATCHED_VERBS = ("list", "watch")
WATCHED = (
    *(("", each) for each in ("pods", "events", "endpoints", "persistentvolumeclaims")),
    ("apps", "replicasets"),
    ("discovery.k8s.io", "endpointslices"),
)
"""What the provider watches while it waits for a Deployment and a Service (its pkg/await): without the right to it, the
wait does not fail but goes on until its time is up."""
UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
"""The taint that every node of a cloud has until a cloud controller has looked at it."""

_Judged = tuple[State, str, str]
"""How a thing is, what was found, and what mends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the looks share."""

    api: Api
    needs: Needs
    user: str
    nodes: Future[dict[str, Any]]

    @property
    def space(self) -> str:
        return f"/api/v1/namespaces/{self.needs.namespace}"

    def missing(self, found: str, mend: str) -> _Judged:
        """Say what is missing in the namespace; where the kubeconfig's context names another one, that may be meant."""
        own = self.api.namespace
        if own in ("", self.needs.namespace):
            return State.MISSING, found, mend
        also = f"{found}; the kubeconfig's context names the namespace {own}, and the setting `namespace` counts"
        return State.MISSING, also, f"pulumi config set namespace {own}"


def look(kubeconfig: str, needs: Needs) -> list[Finding]:
    """Look whether the cluster is fit, for a preview as for the doctor; when it gives no answer, only that is told.

    Raises nothing. What cannot be seen is State.UNKNOWN, which stops nobody: a login for one namespace need not see the
    whole cluster. A cluster that does not answer is State.MISSING, one that refuses, or a bad kubeconfig, State.WRONG.
    """
    try:
        with kubectl.connect(kubeconfig) as api, ThreadPoolExecutor(max_workers=len(_LOOKS) + 1) as pool:
            user = _user(api)
            seen = _Seen(api=api, needs=needs, user=user, nodes=pool.submit(api.ask, "/api/v1/nodes"))
            found = list(pool.map(lambda check: _found(check, seen), _LOOKS))
            answers = Finding(check="cluster", state=State.OK, found=f"{api.server}, as {user}")
            return [answers, *(each for each in found if each.state is not State.NOT_NEEDED)]
    except KubectlError as error:
        state = State.MISSING if error.silent else State.WRONG
        return [Finding(check="cluster", state=state, found=str(error), mend=error.mend)]


def _found(check: str, seen: _Seen) -> Finding:
    try:
        state, found, mend = _LOOKS[check](seen)
    except KubectlError as error:
        state, found, mend = State.UNKNOWN, str(error), ""
    return Finding(check=check, state=state, found=found, mend=mend)


def _user(api: Api) -> str:
    """Give the user that the cluster takes the login for. Raises KubectlError when it does not know the login."""
    group = "authentication.k8s.io/v1"
    try:
        review = api.ask(f"/apis/{group}/selfsubjectreviews", {"apiVersion": group, "kind": "SelfSubjectReview"})
    except KubectlError as error:
        if error.code in (403, 404):  # not for this user, or not in a version so old
            return "the kubeconfig's user"
        raise
    return str(review["status"]["userInfo"]["username"])


def _version(seen: _Seen) -> _Judged:
    """Compare the API server's version with OLDEST, and the kubelets' of the nodes that a pod may be put on."""
    found = str(seen.api.ask("/version")["gitVersion"])
    try:
        nodes = [each for each in seen.nodes.result()["items"] if _takes(each, seen.needs.platform)]
    except KubectlError:
        nodes = []  # the look at the nodes says why
    kubelets = {each["metadata"]["name"]: each["status"]["nodeInfo"]["kubeletVersion"] for each in nodes}
    old = [f"the node {name} has {each}" for name, each in kubelets.items() if not _new(each)]
    old += [] if _new(found) else [f"the API server has {found}"]
    if not old:
        return State.OK, found, ""
    expected = f"{'; '.join(old)}, and the program's pods need 1.{OLDEST} or newer, of major version 1"
    return State.WRONG, expected, "upgrade the cluster and its nodes, or take another one"


def _new(version: str) -> bool:
    match = re.match(r"v1\.(\d+)", version)
    return match is not None and int(match[1]) >= OLDEST


def _namespace(seen: _Seen) -> _Judged:
    """Look for the namespace, which the program does not make."""
    name = seen.needs.namespace
    found = seen.api.find(seen.space)
    if found is None:
        return seen.missing(f"no namespace {name}", f"kubectl create namespace {name}")
    if "deletionTimestamp" in found["metadata"]:
        mend = f"kubectl wait namespace {name} --for delete && kubectl create namespace {name}"
        return State.WRONG, f"the namespace {name} is being deleted", mend
    return State.OK, name, ""


def _rights(seen: _Seen) -> _Judged:
    """Ask for every right that the program uses, and name all that are missing."""
    space, user = seen.needs.namespace, seen.user
    uses = ((OWN, OWN_VERBS), (WATCHED, WATCHED_VERBS))
    asked = [(verb, *of) for resources, verbs in uses for of in resources for verb in verbs]
    with ThreadPoolExecutor(max_workers=8) as pool:
        allowed = list(pool.map(lambda each: _may(seen.api, space, *each), asked))
    lacking: dict[str, list[str]] = {}
    for (verb, group, resource), may in zip(asked, allowed, strict=True):
        if not may:
            lacking.setdefault(f"{resource}.{group}".rstrip("."), []).append(verb)
    if not lacking:
        return State.OK, f"all {len(asked)} in {space}", ""
    listed = "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in lacking.items())
    kind, _, account = user.rpartition("system:serviceaccount:")
    subject = f"--serviceaccount {account}" if account != user and not kind else f"--user '{user}'"
    bind = f"kubectl create rolebinding ejemplo-django-deployer --namespace {space} --clusterrole edit {subject}"
    return seen.missing(f"{user} may not {listed} in {space}", bind)


def _may(api: Api, namespace: str, verb: str, group: str, resource: str) -> bool:
    version = "authorization.k8s.io/v1"
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    review = {"apiVersion": version, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(api.ask(f"/apis/{version}/selfsubjectaccessreviews", review)["status"]["allowed"])


def _nodes(seen: _Seen) -> _Judged:
    """Look for a node that takes the pods: one of the image's platform, ready, and kept free for nobody else."""
    items, platform = seen.nodes.result()["items"], seen.needs.platform
    if not items:  # a cluster that makes nodes as it needs them may have none
        return State.UNKNOWN, "the cluster has none", ""
    platforms = sorted({_platform(each) for each in items})
    fit = [each for each in items if _takes(each, platform) and _ready(each)]
    found = f"{len(fit)} of {len(items)} ({', '.join(platforms)}) take pods of {platform}"
    if fit:
        return State.OK, found, ""
    others = [each for each in platforms if each.startswith("linux/")]
    if platform in platforms or not others:
        return State.WRONG, found, f"kubectl get nodes, and have one of {platform} that is ready and has no taint"
    return State.WRONG, found, f"pulumi config set --path image.platform {others[0]}"


def _platform(node: dict[str, Any]) -> str:
    return "{operatingSystem}/{architecture}".format(**node["status"]["nodeInfo"])


def _takes(node: dict[str, Any], platform: str) -> bool:
    """Whether the scheduler may put a pod of the program there, once the node is ready."""
    closed = [each for each in node["spec"].get("taints", ()) if each["effect"] != "PreferNoSchedule"]
    return _platform(node) == platform and not closed and not node["spec"].get("unschedulable")


def _ready(node: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", ()))


def _balancer(seen: _Seen) -> _Judged:
    """Look for what will make the balancer of the Service.

    Three things tell: which controller the API server hands a Service to, asked by a dry run; that nodes bear the id
    of a machine of EC2, which a cloud controller gives them; and that none of them all still waits for one. AWS's own
    leaves no other trace that every cluster has: in EKS it runs where nobody sees it, and its lease is optional.
    """
    kind = seen.needs.balancer
    try:
        class_ = _balancer_class(seen)
    except KubectlError as error:
        if error.code in (None, 401, 403, 404):
            raise
        return State.WRONG, str(error), f"kubectl --namespace {seen.needs.namespace} get services"
    if kind is BalancerKind.CLASSIC and class_:
        found = f"the cluster hands a Service to {class_}, which makes no ELB, and cluster.balancer is classic"
        return State.WRONG, found, "pulumi config set --path cluster.balancer nlb"
    if class_ or kind is BalancerKind.NONE:
        return State.OK, class_ or "whatever the cluster has", ""
    items = seen.nodes.result()["items"]
    if not items:
        return State.UNKNOWN, "no node to tell whether the cluster is in AWS", ""
    ids = {each["metadata"]["name"]: each["spec"].get("providerID", "") for each in items}
    waiting = all(UNINITIALIZED in {taint["key"] for taint in each["spec"].get("taints", ())} for each in items)
    of_aws = [name for name, id_ in ids.items() if id_.startswith("aws://")]
    if of_aws and not waiting:
        return State.OK, f"AWS's cloud controller, which knows {of_aws[0]}", ""
    name, id_ = next(iter(ids.items()))
    why = "every node waits for a cloud controller" if waiting else f"node {name} has {id_ or 'no machine'} as its id"
    return (
        State.MISSING,
        f"{why}: there is no controller of AWS's to make a balancer of kind {kind}",
        "install AWS's cloud controller; for a cluster elsewhere set cluster.balancer to none, and app.tlsSecret",
    )


def _balancer_class(seen: _Seen) -> str:
    """Give the load balancer class of the Service, or that which a new one would get; empty for AWS's own controller.

    The Load Balancer Controller writes itself into every new Service, unless it was told not to.
    """
    service = seen.api.find(f"{seen.space}/services/{seen.needs.service}")
    if service is None:
        metadata = {"generateName": f"{seen.needs.service}-"}
        spec = {"type": "LoadBalancer", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        service = seen.api.ask(f"{seen.space}/services?dryRun=All", body)
    return str(service["spec"].get("loadBalancerClass") or "")


def _tls_secret(seen: _Seen) -> _Judged:
    """Look for the certificate with which the pods end TLS, if they do."""
    space, name = seen.needs.namespace, seen.needs.tls_secret
    if not name:
        return State.NOT_NEEDED, "", ""
    mend = f"kubectl --namespace {space} create secret tls {name} --cert FILE --key FILE"
    secret = seen.api.find(f"{seen.space}/secrets/{name}")
    if secret is None:
        return State.MISSING, f"no Secret {space}/{name}", mend
    if secret["type"] == "kubernetes.io/tls":
        return State.OK, f"Secret {space}/{name}", ""
    return State.WRONG, f"the Secret {space}/{name} is of type {secret['type']}, not kubernetes.io/tls", mend


_LOOKS: dict[str, Callable[[_Seen], _Judged]] = {
    "Kubernetes": _version,
    "namespace": _namespace,
    "rights": _rights,
    "nodes": _nodes,
    "balancer": _balancer,
    "app.tlsSecret": _tls_secret,
}
