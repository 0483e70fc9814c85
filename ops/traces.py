"""Where a stack can leave something: by its settings, by its program, and by what only its state knew."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.settings.aws import Aws
from ops import recorder, settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object of the program's in the cluster."""

    token: str
    """Its type, such as kubernetes:core/v1:Secret."""
    name: str
    exact: bool
    """Whether that is its name, or, where Pulumi named it, what its name begins with."""

    def named(self, name: str) -> bool:
        """Whether an object of this name is meant."""
        return name == self.name if self.exact else name.startswith(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Where a stack can leave something."""

    aws: Aws
    domain: str
    host: str
    cluster: str
    """The cluster's name, which is in the tags of what its controllers make."""
    owns_cluster: bool
    """Whether the cluster, and with it everything that is tagged with its name, was the stack's own."""
    namespace: str
    kubeconfig: str | None = field(repr=False)
    """Secret. None where the cluster went with the stack."""
    objects: frozenset[Object]
    balancers: frozenset[str] = frozenset()
    """Names of balancers that the state knew, for a cluster whose tags have another name than the settings."""
    certificates: frozenset[str] = frozenset()
    """ARNs that the state knew."""

    @property
    def bucket(self) -> str:
        """The state bucket's name."""
        return f"clusters.{self.domain}"


def traces(read: settings.Stack, state: Iterable[Mapping[str, Any]] = ()) -> Traces:
    """Where the stack can leave something, by its settings, its program, and what its state, if given, knows."""
    declared = recorder.stack(read).resources
    owns_cluster = read.kubeconfig is None
    return Traces(
        aws=read.settings.aws,
        domain=read.settings.domain,
        host=read.settings.host,
        cluster=read.settings.cluster.name,
        owns_cluster=owns_cluster,
        namespace=read.settings.namespace,
        kubeconfig=None if owns_cluster else read.kubeconfig,
        objects=frozenset(_object(each) for each in declared if each.type.startswith("kubernetes:")),
        balancers=frozenset(balancers(state)),
        certificates=frozenset(each["id"] for each in state if each["type"] == "aws:acm/certificate:Certificate"),
    )


def _object(declared: recorder.Declared) -> Object:
    name = recorder.plain(declared.inputs).get("metadata", {}).get("name")
    return Object(token=declared.type, name=name or f"{declared.name}-", exact=bool(name))


def balancers(state: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The names of the balancers of Services in the state: by AWS's controller, `a` and the Service's uid."""
    for each in state:
        if each["type"] == "kubernetes:core/v1:Service":
            uid = each.get("outputs", {}).get("metadata", {}).get("uid", "")
            yield f"a{uid.replace('-', '')}"[:32]
