"""Objects in the cluster that carry a stack's mark: how to find one that the state does not have."""

import re
from collections.abc import Mapping
from typing import Any

from infra import kubectl
from infra.kubectl import Api
from infra.ownership import is_marked

_GENERATED = "pulumi.com/autonamed"
"""The annotation of an object whose name Pulumi generated: its logical name, a hyphen and eight characters
(https://www.pulumi.com/docs/iac/concepts/resources/names/)."""


def is_generated(inputs: Mapping[str, Any]) -> bool:
    """Return whether the name in an object's inputs is one that Pulumi generated, and may be another each time."""
    return _GENERATED in (inputs["metadata"].get("annotations") or {})


def find(api: Api, *, stack: str, domain: str, name: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return the ids, as the provider imports them, of the objects that match; `name` is the logical one.

    Raises KubectlError when the API server does not answer the question.
    """
    metadata, version, kind = inputs["metadata"], inputs["apiVersion"], inputs["kind"]
    namespace = metadata.get("namespace", "")
    path = kubectl.path(version, kind, namespace, metadata["name"])
    if is_generated(inputs):
        listed = api.ask(path.rpartition("/")[0])["items"]
        objects = [each for each in listed if re.fullmatch(rf"{name}-[a-z0-9]{{8}}", each["metadata"]["name"])]
    else:
        objects = [each for each in [api.find(path)] if each]
    return [
        "/".join(filter(None, [namespace, each["metadata"]["name"]]))
        for each in objects
        if is_marked(each["metadata"].get("annotations"), stack=stack, domain=domain)
        and "deletionTimestamp" not in each["metadata"]
    ]
