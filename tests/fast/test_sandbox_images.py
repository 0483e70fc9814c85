"""The images that the sandbox makes instead of pulling them."""

import pytest

from sandbox.services import images


@pytest.mark.parametrize(
    ("image", "python"),
    [
        (images.BASE_IMAGE, "3.11"),
        ("python:3.13-slim", "3.13"),
        ("python:3.13.2-slim-trixie", "3.13"),
        ("python:3.12-slim", None),
        ("python:3.13", None),
        ("python:3.13-slim-bullseye", None),
        (f"python:3.13-slim@sha256:{'0' * 64}", None),
        ("team/python:3.13-slim", None),
    ],
)
def test_an_image_is_made_under_the_names_that_its_python_has(image: str, python: str | None) -> None:
    assert images.python_of(image) == python
