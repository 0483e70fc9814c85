"""The `namespace` section."""

from pydantic import ValidationInfo, field_validator

from infra.settings.section import Section, refused
from infra.settings.values import Label


class Namespace(Section):
    """The namespace: created by the program and deleted with the stack, or an existing one.

    Without this section, the stack uses the existing namespace `default`.
    """

    name: Label
    """The namespace's name."""
    existing: bool = False
    """Whether the namespace exists already; the program then neither creates nor deletes it. It must be true for
    `default` and `kube-...`. Do not set it for a namespace that the stack created: the next `up` would delete that
    namespace, unless it is protected."""

    @field_validator("existing")
    @classmethod
    def _where_kubernetes_makes_it(cls, existing: bool, info: ValidationInfo) -> bool:
        name = info.data.get("name", "")
        if not existing and (name == "default" or name.startswith("kube-")):
            raise refused(f"true: Kubernetes creates {name} itself")
        return existing
