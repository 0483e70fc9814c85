"""The cluster: whether it answers, whether its nodes can run the image, and what the kubeconfig's user may do."""

from collections.abc import Collection

from infra.config import Image
from ops import kube
from ops.doctor.finding import Finding, State
from ops.errors import OpsError

VERBS = ("get", "create", "patch", "delete")
"""What Pulumi's provider does to each object: it reads, applies (create or patch), and deletes."""


def reach(kubeconfig: str) -> tuple[Finding, kube.Cluster | None]:
    """Ask the API server for its version; the cluster as well when it answered."""
    check, mend = "cluster", "kubectl cluster-info"
    try:
        cluster = kube.connect(kubeconfig)
        version = cluster.get("/version")["gitVersion"]
        # /version is open to everybody; this is not.
        user = who(cluster)
    except OpsError as error:
        refused = isinstance(error, kube.RefusedError)
        state = State.WRONG if refused else State.MISSING
        return Finding(check=check, state=state, found=str(error), mend=mend), None
    found = f"Kubernetes {version} at {cluster.server}, as {user}"
    return Finding(check=check, state=State.OK, found=found), cluster


def who(cluster: kube.Cluster) -> str:
    """The user that the cluster takes the kubeconfig's login for. Raises OpsError."""
    version = "authentication.k8s.io/v1"
    review = {"apiVersion": version, "kind": "SelfSubjectReview"}
    return str(cluster.post(f"/apis/{version}/selfsubjectreviews", review)["status"]["userInfo"]["username"])


def nodes(cluster: kube.Cluster, image: Image) -> Finding:
    """Compare the nodes' architectures with the image's platform."""
    check = "nodes"
    try:
        items = cluster.get("/api/v1/nodes")["items"]
    except OpsError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    infos = [each["status"]["nodeInfo"] for each in items]
    platforms = sorted({f"{each['operatingSystem']}/{each['architecture']}" for each in infos})
    found = f"{len(items)}, {', '.join(platforms)}"
    if not items:
        found, mend = "the cluster has none", "kubectl get nodes"
        return Finding(check=check, state=State.MISSING, found=found, mend=mend)
    if platforms == [image.platform]:
        return Finding(check=check, state=State.OK, found=found)
    return Finding(
        check=check,
        state=State.WRONG,
        found=f"{found}, and image.platform is {image.platform}",
        mend=f"pulumi config set --path image.platform {platforms[0]}",
    )


def rights(cluster: kube.Cluster, *, namespace: str, tokens: Collection[str]) -> Finding:
    """Ask for the user's rights to every type, such as kubernetes:apps/v1:Deployment, that the program declares."""
    check = "rights"
    try:
        kinds = [cluster.kind(token) for token in sorted(tokens)]
        lacking = {
            kind.plural: verbs
            for kind in kinds
            if (verbs := [verb for verb in VERBS if not _may(cluster, verb, kind, namespace)])
        }
        user = who(cluster) if lacking else ""
    except OpsError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    if not lacking:
        found = f"{', '.join(VERBS)} of {', '.join(kind.plural for kind in kinds)} in {namespace}"
        return Finding(check=check, state=State.OK, found=found)
    return Finding(
        check=check,
        state=State.MISSING,
        found=f"{user} may not "
        + "; ".join(f"{', '.join(verbs)} {plural}" for plural, verbs in lacking.items())
        + f" in {namespace}",
        mend=f"kubectl create rolebinding ejemplo-django-deployer --namespace {namespace} --clusterrole edit "
        f"--user {user}",
    )


def namespace(cluster: kube.Cluster, name: str) -> Finding:
    """Look for the namespace, which the program does not make."""
    check = "namespace"
    try:
        cluster.get(f"/api/v1/namespaces/{name}")
    except kube.RefusedError as error:
        if error.code == 404:
            mend = f"kubectl create namespace {name}"
            return Finding(check=check, state=State.MISSING, found=f"no namespace {name}", mend=mend)
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    except OpsError as error:
        return Finding(check=check, state=State.UNKNOWN, found=str(error))
    return Finding(check=check, state=State.OK, found=name)


def _may(cluster: kube.Cluster, verb: str, kind: kube.Kind, namespace: str) -> bool:
    version = "authorization.k8s.io/v1"
    attributes = {"verb": verb, "group": kind.group, "resource": kind.plural, "namespace": namespace}
    review = {
        "apiVersion": version,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.post(f"/apis/{version}/selfsubjectaccessreviews", review)
    return bool(answer["status"]["allowed"])
