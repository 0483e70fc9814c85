"""The `zone` section."""

from typing import Annotated

from pydantic import ValidationInfo, field_validator

from infra.settings.section import Section, expected, refused

ZoneId = Annotated[str, expected("the id of a hosted zone such as Z0123456789ABC", pattern=r"^[A-Z0-9]{1,32}$")]


class Zone(Section):
    """The domain's hosted zone: created by the program and deleted with the stack, or an existing one.

    The program refuses to create a second zone of the same name, because the DNS would lead to only one of them.
    """

    existing: bool = False
    """Whether the zone exists already. The program then looks it up, adds the stack's records, and never deletes it. If
    this stack created the zone before, the stack releases it without deleting it."""
    id: ZoneId | None = None
    """The zone's id, if several public zones of the account have the domain's name."""

    @field_validator("id")
    @classmethod
    def _of_one_that_is_there(cls, zone_id: str | None, info: ValidationInfo) -> str | None:
        if zone_id and info.data.get("existing") is False:
            raise refused("no such key, or zone.existing: true")
        return zone_id
