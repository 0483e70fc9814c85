"""Patch one behaviour of moto to that of AWS."""


def patch(owner: object, name: str, new: object) -> None:
    """Set an attribute that is read-only in moto's types."""
    setattr(owner, name, new)
