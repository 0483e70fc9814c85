"""The way in which one behaviour of moto becomes that of AWS."""


def patch(owner: object, name: str, new: object) -> None:
    """Set an attribute that moto's types say is fixed."""
    setattr(owner, name, new)
