"""What every section of the settings is made of: the model's rules, and how a value is described and refused.

The text under a field says what it means, and `expected` what it must look like. Both go into the messages, into
docs/configuration.md and into Pulumi.schema.json: there is no other place where they are written.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError


class Section(BaseModel):
    """An object of settings: its keys in camelCase, no others, and no value of one type taken for another."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        # Python code gives the fields by their own names; what is read from a stack's file has to use the keys.
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
        frozen=True,
        extra="forbid",
        # A default may clash with another value, such as the default network with a network that is given.
        validate_default=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a section's values are compared with beyond the section; None for what is unknown or wrong itself."""

    stack: str | None = None
    """This stack, as `<project>/<stack>`."""
    domain: str | None = None
    region: str | None = None
    platform: str | None = None
    registry_driver: str | None = None
    balancer: str | None = None


def facts(info: ValidationInfo) -> Facts:
    """Give what is known beyond the section; nothing where a model is made from Python code."""
    return info.context if isinstance(info.context, Facts) else Facts()


def expected(words: str, **constraints: Any) -> Any:
    """Say what a value must look like, to go on after "expected", with pydantic's constraints on it (`pattern`, `ge`).

    `errorMessage` is where VS Code's JSON and YAML servers look for what to say about a value that does not match.
    """
    return Field(json_schema_extra={"errorMessage": words}, **constraints)


def must(holds: Callable[[Any], object], words: str = "") -> AfterValidator:
    """Refuse a value for which something does not hold; without words of its own, by those of `expected`."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise refused(words)
        return value

    return AfterValidator(check)


def refused(words: str, *, found: str | None = None) -> PydanticCustomError:
    """Make the error to raise for a value, with no words by those of `expected`.

    `found` is what may be shown of the value, by default the value itself.
    """
    return PydanticCustomError("refused", "{expected}", {"expected": words, "found": found})


Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value within another."""
Fault = tuple[Place, object, PydanticCustomError]
"""A place, the value that is there, and what is wrong with it."""


def refused_within(faults: Iterable[Fault]) -> None:
    """Raise one error for all that is wrong within the value that is being checked; nothing when there is nothing."""
    errors = [InitErrorDetails(type=error, loc=place, input=value) for place, value, error in faults]
    if errors:
        raise ValidationError.from_exception_data("within", errors, hide_input=True)
