"""Whether a cluster is fit for this program: it answers, is new enough, and lets the program do what it has to.

Plain looks through a `Client`, the same for a preview and for the doctor. Each gives a Finding and raises nothing: what
cannot be seen is State.UNKNOWN, which stops nobody, since a login for one namespace need not see the whole cluster.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from infra.access import client
from infra.access.client import Client, ClientError
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.settings.needs import Needs

OLDEST = 30
"""The minor version of Kubernetes 1 that the program's objects need: preStop's `sleep`, by which a pod leaves without
losing a request, works from 1.30 on (KEP-3960). There is no newest one: all of the program's kinds are stable, and no
minor version may remove those (Kubernetes' deprecation policy), nor Pulumi's provider, whose own limit is 1.13."""

OWN_VERBS = ("get", "list", "watch", "create", "patch", "delete")
"""What Pulumi's provider does to an object of the program: it reads, applies (create or patch), waits, and deletes."""

OWN = (("", "secrets"), ("", "services"), ("apps", "deployments"), ("policy", "poddisruptionbudgets"))
"""The API group and the resource of every kind that the program declares."""

WATCHED_VERBS = ("list", "watch")

WATCHED = (
    ("", "pods"),
    ("", "events"),
    ("", "endpoints"),
    ("", "persistentvolumeclaims"),
    ("apps", "replicasets"),
    ("discovery.k8s.io", "endpointslices"),
)
"""What the provider watches while it waits for a Deployment and a Service (its pkg/await): without the right to it, the
wait does not fail but goes on until its time is up."""

UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
"""The taint that every node of a cloud has until a cloud controller has looked at it."""


def examine(kubeconfig: str, needs: Needs) -> list[Finding]:
    """Look at everything; when there is no answer, only that is told."""
    first, reached = reach(kubeconfig)
    if reached is None:
        return [first]
    looks = [version, namespace, rights, nodes, controller, *([tls_secret] if needs.tls_secret else [])]
    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        return [first, *pool.map(lambda look: look(reached, needs), looks)]


def reach(kubeconfig: str) -> tuple[Finding, Client | None]:
    """Log in, and ask whom the cluster takes the login for; the client as well when it answered."""
    check, mend = "cluster", "kubectl cluster-info"
    try:
        found = client.connect(kubeconfig)
        user = who(found)
    except ClientError as error:
        state = State.WRONG if error.code else State.MISSING
        return Finding(check=check, state=state, found=str(error), mend=mend), None
    return Finding(check=check, state=State.OK, found=f"{found.server}, as {user}"), found


def who(cluster: Client) -> str:
    """Give the user that the cluster takes the login for. Raises ClientError when it does not know the login."""
    api = "authentication.k8s.io/v1"
    try:
        review = cluster.post(f"/apis/{api}/selfsubjectreviews", {"apiVersion": api, "kind": "SelfSubjectReview"})
    except ClientError as error:
        if error.code in (403, 404):  # not for this user, or not in a version so old
            return "the kubeconfig's user"
        raise
    return str(review["status"]["userInfo"]["username"])


def version(cluster: Client, _needs: Needs) -> Finding:
    """Compare the cluster's version with OLDEST."""
    check = "Kubernetes"
    try:
        found = str(cluster.get("/version")["gitVersion"])
    except ClientError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    match = re.match(r"v(\d+)\.(\d+)\.", found)
    if match and match[1] == "1" and int(match[2]) >= OLDEST:
        return Finding(check=check, state=State.OK, found=found)
    expected = f"{found}, and the program's objects need 1.{OLDEST} or newer, of major version 1"
    return Finding(check=check, state=State.WRONG, found=expected, mend="upgrade the cluster, or take another one")


def namespace(cluster: Client, needs: Needs) -> Finding:
    """Look for the namespace, which the program does not make."""
    check, name = "namespace", needs.namespace
    try:
        cluster.get(f"/api/v1/namespaces/{name}")
    except ClientError as error:
        if error.code == 404:
            mend = f"kubectl create namespace {name}"
            return Finding(check=check, state=State.MISSING, found=f"no namespace {name}", mend=mend)
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    return Finding(check=check, state=State.OK, found=name)


def rights(cluster: Client, needs: Needs) -> Finding:
    """Ask for every right that the program uses, and name all that are missing."""
    check, space = "rights", needs.namespace
    asked = [
        (verb, group, resource)
        for resources, verbs in ((OWN, OWN_VERBS), (WATCHED, WATCHED_VERBS))
        for group, resource in resources
        for verb in verbs
    ]
    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            allowed = list(pool.map(lambda each: _may(cluster, *each, namespace=space), asked))
        user = who(cluster)
    except ClientError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    lacking: dict[str, list[str]] = {}
    for (verb, group, resource), may in zip(asked, allowed, strict=True):
        if not may:
            lacking.setdefault(f"{resource}.{group}".rstrip("."), []).append(verb)
    if not lacking:
        return Finding(check=check, state=State.OK, found=f"all {len(asked)} in {space}")
    listed = "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in lacking.items())
    kind, _, account = user.rpartition("system:serviceaccount:")
    subject = f"--serviceaccount {account}" if account != user and not kind else f"--user '{user}'"
    return Finding(
        check=check,
        state=State.MISSING,
        found=f"{user} may not {listed} in {space}",
        mend=f"kubectl create rolebinding ejemplo-django-deployer --namespace {space} --clusterrole edit {subject}",
    )


def nodes(cluster: Client, needs: Needs) -> Finding:
    """Compare the nodes' architectures with the image's platform."""
    check = "nodes"
    try:
        infos = [each["status"]["nodeInfo"] for each in cluster.get("/api/v1/nodes")["items"]]
    except ClientError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    platforms = sorted({f"{each['operatingSystem']}/{each['architecture']}" for each in infos})
    if not platforms:  # one that makes nodes as it needs them may have none
        return Finding(check=check, state=State.UNKNOWN, found="the cluster has none")
    found = f"{len(infos)}, {', '.join(platforms)}"
    if platforms == [needs.platform]:
        return Finding(check=check, state=State.OK, found=found)
    return Finding(
        check=check,
        state=State.WRONG,
        found=f"{found}, and image.platform is {needs.platform}: a pod may be put on any of them",
        mend=f"pulumi config set --path image.platform {platforms[0]}",
    )


def controller(cluster: Client, needs: Needs) -> Finding:
    """Look for what will make the balancer of the Service.

    Three things tell: which controller the API server hands a Service to, asked by a dry run; that nodes bear the id
    of a machine of EC2, which a cloud controller gives them; and that none of them all still waits for one. AWS's own
    leaves no other trace that every cluster has: in EKS it runs where nobody sees it, and its lease is optional.
    """
    check = "balancer"
    try:
        class_ = _balancer_class(cluster, needs)
        items = [] if needs.balancer is BalancerKind.NONE or class_ else cluster.get("/api/v1/nodes")["items"]
    except ClientError as error:
        refused = error.code is not None and error.code not in (401, 403, 404)
        state, mend = (State.WRONG, f"kubectl --namespace {needs.namespace} get services") if refused else ("", "")
        return Finding(check=check, state=State(state or State.UNKNOWN), found=str(error), mend=mend)
    if needs.balancer is BalancerKind.CLASSIC and class_:
        return Finding(
            check=check,
            state=State.WRONG,
            found=f"the cluster hands a Service to {class_}, which makes no ELB, and cluster.balancer is classic",
            mend="pulumi config set --path cluster.balancer nlb",
        )
    if class_ or needs.balancer is BalancerKind.NONE:
        return Finding(check=check, state=State.OK, found=class_ or "whatever the cluster has")
    if not items:
        return Finding(check=check, state=State.UNKNOWN, found="no node to tell whether the cluster is in AWS")
    ids = {each["metadata"]["name"]: each["spec"].get("providerID", "") for each in items}
    waiting = all(UNINITIALIZED in {taint["key"] for taint in each["spec"].get("taints", ())} for each in items)
    of_aws = [name for name, id_ in ids.items() if id_.startswith("aws://")]
    if of_aws and not waiting:
        return Finding(check=check, state=State.OK, found=f"AWS's cloud controller, which knows {of_aws[0]}")
    name, id_ = next(iter(ids.items()))
    why = "every node waits for a cloud controller" if waiting else f"node {name} has {id_ or 'no machine'} as its id"
    return Finding(
        check=check,
        state=State.MISSING,
        found=f"{why}: there is no controller of AWS's to make a balancer of kind {needs.balancer}",
        mend="install AWS's cloud controller; for a cluster elsewhere set cluster.balancer to none, and app.tlsSecret",
    )


def tls_secret(cluster: Client, needs: Needs) -> Finding:
    """Look for the certificate with which the pods end TLS."""
    check, name = "app.tlsSecret", needs.tls_secret
    mend = f"kubectl --namespace {needs.namespace} create secret tls {name} --cert FILE --key FILE"
    try:
        secret = cluster.get(f"/api/v1/namespaces/{needs.namespace}/secrets/{name}")
    except ClientError as error:
        if error.code == 404:
            return Finding(check=check, state=State.MISSING, found=f"no Secret {needs.namespace}/{name}", mend=mend)
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    if secret["type"] == "kubernetes.io/tls":
        return Finding(check=check, state=State.OK, found=f"Secret {needs.namespace}/{name}")
    found = f"the Secret {needs.namespace}/{name} is of type {secret['type']}, not kubernetes.io/tls"
    return Finding(check=check, state=State.WRONG, found=found, mend=mend)


def bad(findings: list[Finding]) -> Iterator[str]:
    """Say of each finding that has to be mended, in a sentence, what it is and what to do."""
    for each in findings:
        if each.bad:
            yield f"{each.check}: {each.found}{'' if each.found.endswith(('.', '?')) else '.'} To mend it: {each.mend}"


def _may(cluster: Client, verb: str, group: str, resource: str, *, namespace: str) -> bool:
    api = "authorization.k8s.io/v1"
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    review = {"apiVersion": api, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(cluster.post(f"/apis/{api}/selfsubjectaccessreviews", review)["status"]["allowed"])


def _balancer_class(cluster: Client, needs: Needs) -> str:
    """Give the load balancer class of the Service, or that which a new one would get; empty for AWS's own controller.

    The Load Balancer Controller writes itself into every new Service, unless it was told not to.
    """
    services = f"/api/v1/namespaces/{needs.namespace}/services"
    try:
        service = cluster.get(f"{services}/{needs.service}")
    except ClientError as error:
        if error.code != 404:
            raise
        port = {"name": "https", "port": 443, "protocol": "TCP"}
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"generateName": f"{needs.service}-"},
            "spec": {"type": "LoadBalancer", "ports": [port]},
        }
        service = cluster.post(f"{services}?dryRun=All", body)
    return str(service["spec"].get("loadBalancerClass") or "")
