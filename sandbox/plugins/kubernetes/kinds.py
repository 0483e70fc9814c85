"""The kinds that the stand-in implements: one row of facts for each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A Kubernetes kind as a Pulumi resource type.

    `replace_on` holds the dotted inputs, besides name and namespace, whose change replaces the object: those
    of the official provider's own table. `secret` holds the inputs and outputs that are always secret.
    """

    api_version: str
    name: str
    plural: str
    model: str
    """The class of the Kubernetes client that describes its fields."""
    namespaced: bool = True
    fields: tuple[str, ...] = ("spec",)
    """Top-level inputs besides apiVersion, kind and metadata."""
    replace_on: frozenset[str] = frozenset()
    secret: frozenset[str] = frozenset()
    filled_in: frozenset[str] = frozenset()
    """Dotted inputs that the server chooses, and that cannot be taken back from an object."""

    @property
    def token(self) -> str:
        """The resource type's name in a Pulumi program: the legacy group has the name `core` there."""
        group = self.api_version if "/" in self.api_version else f"core/{self.api_version}"
        return f"kubernetes:{group}:{self.name}"

    @property
    def root(self) -> str:
        """The path under which the API server keeps its API group and version."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"


NAMESPACE: Final = Kind(api_version="v1", name="Namespace", plural="namespaces", model="V1Namespace", namespaced=False)
SECRET: Final = Kind(
    api_version="v1",
    name="Secret",
    plural="secrets",
    model="V1Secret",
    fields=("data", "immutable", "stringData", "type"),
    replace_on=frozenset({"type"}),
    secret=frozenset({"data", "stringData"}),
)
SERVICE: Final = Kind(
    api_version="v1",
    name="Service",
    plural="services",
    model="V1Service",
    replace_on=frozenset({"spec.clusterIP"}),
    filled_in=frozenset({"spec.clusterIP", "spec.clusterIPs"}),
)
DEPLOYMENT: Final = Kind(
    api_version="apps/v1",
    name="Deployment",
    plural="deployments",
    model="V1Deployment",
    replace_on=frozenset({"spec.selector"}),
)
DISRUPTION_BUDGET: Final = Kind(
    api_version="policy/v1",
    name="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    model="V1PodDisruptionBudget",
)
KINDS: Final = (NAMESPACE, SECRET, SERVICE, DEPLOYMENT, DISRUPTION_BUDGET)
