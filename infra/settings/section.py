"""The base of every section: the model's rules, and how a value is described and refused.

A field's docstring says what the value means, `expected` says what it must look like. Messages, docs/configuration.md
and Pulumi.schema.json take both from here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError


class Section(BaseModel):
    """An object of settings: keys in camelCase, no unknown keys, and no conversion between types."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        # Python code uses the fields' names; a stack's file has to use the keys.
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
        frozen=True,
        extra="forbid",
        # A default may conflict with another value, such as the default network with a given one.
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Values from other sections that a section's values are checked against; None if unknown or invalid."""

    stack: str | None = None
    """This stack, as `<project>/<stack>`."""
    app: str | None = None
    """The app's name."""
    domain: str | None = None
    region: str | None = None
    platform: str | None = None
    registry_driver: str | None = None
    balancer: str | None = None
    secret_files: Mapping[str, str] = field(default_factory=dict)
    """The paths of the files with a secret, by the keys that name them."""


def facts(info: ValidationInfo) -> Facts:
    """Return the facts for a section; all None if the model is made by Python code."""
    return info.context if isinstance(info.context, Facts) else Facts()


def expected(words: str, **constraints: Any) -> Any:
    """Describe a value in words that follow "expected", with pydantic's constraints on it (`pattern`, `ge`).

    VS Code's JSON and YAML servers show `errorMessage` for a value that does not match.
    """
    return Field(json_schema_extra={"errorMessage": words}, **constraints)


def must(holds: Callable[[Any], object], words: str = "") -> AfterValidator:
    """Refuse a value for which `holds` is false; without words, by those of `expected`."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise refused(words)
        return value

    return AfterValidator(check)


def refused(words: str, *, found: str | None = None) -> PydanticCustomError:
    """Return the error to raise for a value; without words, by those of `expected`.

    `found` is what may be shown of the value; by default, the value itself.
    """
    return PydanticCustomError("refused", "{expected}", {"expected": words, "found": found})


Place = tuple[str | int, ...]
"""The keys and indexes that lead to a nested value."""
Fault = tuple[Place, object, PydanticCustomError]
"""A place, its value, and the error."""


def refused_within(faults: Iterable[Fault]) -> None:
    """Raise one error for all faults within the value that is being checked; return if there are none."""
    errors = [InitErrorDetails(type=error, loc=place, input=value) for place, value, error in faults]
    if errors:
        raise ValidationError.from_exception_data("within", errors, hide_input=True)
