"""Checks whether a cluster is fit for this program: it answers, is new enough, and grants the rights needed.

Every preview checks, through the user's own kubectl.
"""

import re
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra import kubectl
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.kubectl import Api, KubectlError
from infra.ownership import is_marked, whose
from infra.settings.needs import Needs

OLDEST = 30
"""The minor version of Kubernetes 1 that API server and kubelets must have at least. preStop's `sleep`, with which a
pod stops without losing a request, works from 1.30 on (KEP-3960). There is no newest version: all kinds that the
program uses are stable, and no minor version may remove those (Kubernetes' deprecation policy)."""
OWN_VERBS = ("get", "list", "watch", "create", "patch", "delete")
"""What Pulumi's provider does to the program's objects: it reads, applies (create or patch), waits, and deletes."""
OWN = (("", "secrets"), ("", "services"), ("apps", "deployments"), ("policy", "poddisruptionbudgets"))
"""The API group and resource of each kind that every stack declares in the namespace; `Needs.objects` has the
others."""
NAMESPACES = ("", "namespaces")
"""The same for the namespace itself, until it is created."""
WATCHED_VERBS = ("list", "watch")
WATCHED = (
    *(("", each) for each in ("pods", "events", "endpoints", "persistentvolumeclaims")),
    ("apps", "replicasets"),
    ("discovery.k8s.io", "endpointslices"),
)
"""What the provider watches while it waits for a Deployment and a Service (its pkg/await). Without the right to it, the
wait does not fail, but lasts until its timeout."""
IDENTITY = "identity"
"""The check that returns the cluster's identity, whatever its name or address."""
METRICS = "metrics.k8s.io"
"""The API group that a HorizontalPodAutoscaler asks for the pods' CPU."""
UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
"""The taint of every node in a cloud until a cloud controller has initialized it."""

_EXISTING = "pulumi config set --path namespace.existing true"
"""Makes the program use an existing namespace."""

_Result = tuple[State, str, str]
"""The state, what was found, and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the checks share."""

    api: Api
    needs: Needs
    user: str
    owners: Collection[tuple[str, str]]
    nodes: Future[dict[str, Any]]
    existing: Future[dict[str, Any] | None]
    """The namespace; None if it does not exist."""

    @property
    def space(self) -> str:
        return f"/api/v1/namespaces/{self.needs.namespace}"

    @property
    def creates_namespace(self) -> bool:
        """Whether the program has yet to create the namespace, as far as can be told; nothing can be in it then."""
        try:
            return self.needs.makes_namespace and self.existing.result() is None
        except KubectlError:
            return True  # report the missing right to read it, too

    @property
    def create_namespace(self) -> str:
        """The command that creates the namespace and makes the program use it."""
        return f"kubectl create namespace {self.needs.namespace} && {_EXISTING}"

    def missing(self, found: str, fix: str) -> _Result:
        """Return what is missing in the namespace; if the kubeconfig's context names another one, suggest that."""
        own = self.api.namespace
        if own in ("", self.needs.namespace):
            return State.MISSING, found, fix
        also = f"{found}; the kubeconfig's context names the namespace {own}, but the setting `namespace` decides"
        return State.MISSING, also, f"pulumi config set --path namespace.name {own} && {_EXISTING}"


def look(kubeconfig: str, needs: Needs, *, owners: Collection[tuple[str, str]] = ()) -> list[Finding]:
    """Check whether the cluster is fit; if it does not answer, report only that.

    `owners` are the stack's name and domain, now and before: a namespace that it created is marked with one pair. Raise
    nothing. State.UNKNOWN is what could not be checked, and stops nobody: a login for one namespace need not see the
    whole cluster. A cluster that does not answer is State.MISSING; one that refuses, or an invalid kubeconfig, is
    State.WRONG.
    """
    try:
        with kubectl.connect(kubeconfig) as api, ThreadPoolExecutor(max_workers=len(_CHECKS) + 2) as pool:
            user = _user(api)
            context = _Context(
                api=api,
                needs=needs,
                user=user,
                owners=owners,
                nodes=pool.submit(api.ask, "/api/v1/nodes"),
                existing=pool.submit(api.find, f"/api/v1/namespaces/{needs.namespace}"),
            )
            found = list(pool.map(lambda check: _run(check, context), _CHECKS))
            answers = Finding(check="cluster", state=State.OK, found=f"{api.server}, as {user}")
            return [answers, *(each for each in found if each.state is not State.NOT_NEEDED)]
    except KubectlError as error:
        state = State.MISSING if error.silent else State.WRONG
        return [Finding(check="cluster", state=state, found=str(error), fix=error.fix)]


def _run(check: str, context: _Context) -> Finding:
    try:
        state, found, fix = _CHECKS[check](context)
    except KubectlError as error:
        state, found, fix = State.UNKNOWN, str(error), ""
    return Finding(check=check, state=state, found=found, fix=fix)


def _user(api: Api) -> str:
    """Return the user name that the cluster has for the login. Raise KubectlError if it does not know the login."""
    group = "authentication.k8s.io/v1"
    try:
        review = api.ask(f"/apis/{group}/selfsubjectreviews", {"apiVersion": group, "kind": "SelfSubjectReview"})
    except KubectlError as error:
        if error.code in (403, 404):  # this user may not ask, or the version is too old
            return "the kubeconfig's user"
        raise
    return str(review["status"]["userInfo"]["username"])


def _version(context: _Context) -> _Result:
    """Compare the versions of the API server, and of the kubelets where a pod may run, with OLDEST."""
    found = str(context.api.ask("/version")["gitVersion"])
    try:
        nodes = [each for each in context.nodes.result()["items"] if _accepts(each, context.needs.platform)]
    except KubectlError:
        nodes = []  # the check of the nodes says why
    kubelets = {each["metadata"]["name"]: each["status"]["nodeInfo"]["kubeletVersion"] for each in nodes}
    old = [f"the node {name} has {each}" for name, each in kubelets.items() if not _is_new_enough(each)]
    old += [] if _is_new_enough(found) else [f"the API server has {found}"]
    if not old:
        return State.OK, found, ""
    expected = f"{'; '.join(old)}, and the program's pods need 1.{OLDEST} or newer, of major version 1"
    return State.WRONG, expected, "upgrade the cluster and its nodes, or use another cluster"


def _is_new_enough(version: str) -> bool:
    match = re.match(r"v1\.(\d+)", version)
    return match is not None and int(match[1]) >= OLDEST


def _namespace(context: _Context) -> _Result:
    """Check that the namespace exists or, if the program creates it, that it is not somebody else's."""
    name, makes, found = context.needs.namespace, context.needs.makes_namespace, context.existing.result()
    if found is None:
        create = f"kubectl create namespace {name}"
        return (State.OK, f"{name}, to be created", "") if makes else context.missing(f"no namespace {name}", create)
    if "deletionTimestamp" in found["metadata"]:
        fix = f"kubectl wait namespace {name} --for delete"
        fix += "" if makes else f" && kubectl create namespace {name}"
        return State.WRONG, f"the namespace {name} is being deleted", fix
    annotations = found["metadata"].get("annotations") or {}
    if makes and not any(is_marked(annotations, stack=stack, domain=domain) for stack, domain in context.owners):
        there = f"the namespace {name}, {whose(annotations)}, is there, and namespace.existing is not true"
        return State.WRONG, there, _EXISTING
    return State.OK, name, ""


def _rights(context: _Context) -> _Result:
    """Check every right that the program uses, and name all that are missing."""
    space, user = context.needs.namespace, context.user
    uses = [(space, (*OWN, *context.needs.objects), OWN_VERBS), (space, WATCHED, WATCHED_VERBS)]
    if context.creates_namespace:
        uses.append(("", (NAMESPACES,), OWN_VERBS))
    asked = [(where, verb, *of) for where, resources, verbs in uses for of in resources for verb in verbs]
    with ThreadPoolExecutor(max_workers=8) as pool:
        allowed = list(pool.map(lambda each: _is_allowed(context.api, *each), asked))
    lacking: dict[str, list[str]] = {}
    for (_, verb, group, resource), may in zip(asked, allowed, strict=True):
        if not may:
            lacking.setdefault(f"{resource}.{group}".rstrip("."), []).append(verb)
    if not lacking:
        return State.OK, f"all {len(asked)} in {space}", ""
    listed = "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in lacking.items())
    found = f"{user} may not {listed} in {space}"
    if context.creates_namespace:
        return State.MISSING, found, context.create_namespace
    kind, _, account = user.rpartition("system:serviceaccount:")
    subject = f"--serviceaccount {account}" if account != user and not kind else f"--user '{user}'"
    bind = f"kubectl create rolebinding ejemplo-django-deployer --namespace {space} --clusterrole edit {subject}"
    return context.missing(found, bind)


def _is_allowed(api: Api, namespace: str, verb: str, group: str, resource: str) -> bool:
    version = "authorization.k8s.io/v1"
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    review = {"apiVersion": version, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(api.ask(f"/apis/{version}/selfsubjectaccessreviews", review)["status"]["allowed"])


def _nodes(context: _Context) -> _Result:
    """Check for a node that accepts the pods: one of the image's platform that is ready and has no taint."""
    items, platform = context.nodes.result()["items"], context.needs.platform
    if not items:  # a cluster that adds nodes on demand may have none
        return State.UNKNOWN, "the cluster has none", ""
    platforms = sorted({_platform(each) for each in items})
    fit = [each for each in items if _accepts(each, platform) and _ready(each)]
    found = f"{len(fit)} of {len(items)} ({', '.join(platforms)}) take pods of {platform}"
    if fit:
        return State.OK, found, ""
    others = [each for each in platforms if each.startswith("linux/")]
    if platform in platforms or not others:
        return State.WRONG, found, f"kubectl get nodes; one of {platform} must be ready and have no taint"
    return State.WRONG, found, f"pulumi config set --path image.platform {others[0]}"


def _platform(node: dict[str, Any]) -> str:
    return "{operatingSystem}/{architecture}".format(**node["status"]["nodeInfo"])


def _accepts(node: dict[str, Any], platform: str) -> bool:
    """Return whether the scheduler may place one of the program's pods there, once the node is ready."""
    closed = [each for each in node["spec"].get("taints", ()) if each["effect"] != "PreferNoSchedule"]
    return _platform(node) == platform and not closed and not node["spec"].get("unschedulable")


def _ready(node: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", ()))


def _balancer(context: _Context) -> _Result:
    """Check for a controller that makes the load balancer of the Service.

    Three things tell: the controller to which the API server assigns a Service, found by a dry run; nodes with an EC2
    instance id, which a cloud controller sets; and whether all nodes still wait for one. AWS's own controller leaves no
    other trace that every cluster has: in EKS it is not visible, and its lease is optional.
    """
    kind = context.needs.balancer
    try:
        class_ = _balancer_class(context)
    except KubectlError as error:
        if error.code in (None, 401, 403, 404):
            raise
        return State.WRONG, str(error), f"kubectl --namespace {context.needs.namespace} get services"
    if kind is BalancerKind.CLASSIC and class_:
        found = (
            f"the cluster assigns a Service to {class_}, which makes no classic ELB, but cluster.balancer is classic"
        )
        return State.WRONG, found, "pulumi config set --path cluster.balancer nlb"
    if class_ or kind is BalancerKind.NONE:
        return State.OK, class_ or "whatever the cluster has", ""
    items = context.nodes.result()["items"]
    if not items:
        return State.UNKNOWN, "no node that tells whether the cluster is in AWS", ""
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


def _balancer_class(context: _Context) -> str:
    """Return the load balancer class that the Service has, or would get; empty for AWS's own controller.

    The AWS Load Balancer Controller sets its class on every new Service, unless it is configured not to.
    """
    service = context.api.find(f"{context.space}/services/{context.needs.service}")
    if service is None:
        space = "/api/v1/namespaces/default" if context.creates_namespace else context.space
        metadata = {"generateName": f"{context.needs.service}-"}
        spec = {"type": "LoadBalancer", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        service = context.api.ask(f"{space}/services?dryRun=All", body)
    return str(service["spec"].get("loadBalancerClass") or "")


def _tls_secret(context: _Context) -> _Result:
    """Check for the certificate with which the pods terminate TLS, if they do."""
    space, name = context.needs.namespace, context.needs.tls_secret
    if not name:
        return State.NOT_NEEDED, "", ""
    fix = f"kubectl --namespace {space} create secret tls {name} --cert FILE --key FILE"
    if context.creates_namespace:
        fix = f"{context.create_namespace} && {fix}"
    secret = context.api.find(f"{context.space}/secrets/{name}")
    if secret is None:
        return State.MISSING, f"no Secret {space}/{name}", fix
    if secret["type"] == "kubernetes.io/tls":
        return State.OK, f"Secret {space}/{name}", ""
    return State.WRONG, f"the Secret {space}/{name} is of type {secret['type']}, not kubernetes.io/tls", fix


def _metrics(context: _Context) -> _Result:
    """Check for the metrics by which the app scales, if it does: without them, the number of pods never changes."""
    if not context.needs.metrics:
        return State.NOT_NEEDED, "", ""
    if METRICS not in {each["name"] for each in context.api.ask("/apis")["groups"]}:
        found = f"nothing in the cluster serves {METRICS}, which app.scale.max needs"
        return State.MISSING, found, "install metrics-server (https://github.com/kubernetes-sigs/metrics-server)"
    try:
        context.api.ask(f"/apis/{METRICS}/v1beta1")
    except KubectlError as error:
        if error.code in (None, 401, 403):
            raise
        found = f"{METRICS} is registered, but the service behind it does not answer"
        return State.WRONG, found, f"kubectl get apiservice v1beta1.{METRICS} --output yaml, which shows the reason"
    return State.OK, METRICS, ""


def _identity(context: _Context) -> _Result:
    """Return the UID of the namespace kube-system, which exists as long as the cluster does."""
    return State.OK, str(context.api.ask("/api/v1/namespaces/kube-system")["metadata"]["uid"]), ""


_CHECKS: dict[str, Callable[[_Context], _Result]] = {
    IDENTITY: _identity,
    "Kubernetes": _version,
    "namespace": _namespace,
    "rights": _rights,
    "nodes": _nodes,
    "balancer": _balancer,
    "app.tlsSecret": _tls_secret,
    "app.scale": _metrics,
}
