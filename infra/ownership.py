"""The mark that names a resource's stack, and the annotation that settles conflicts in the cluster."""

from collections.abc import Mapping
from typing import Any

import pulumi

OURS = {"pulumi.com/patchForce": "true"}
"""The annotation of objects that belong to this program alone: it sets every field that it declares, whoever set the
field since.

Without it the API server refuses every later change once `kubectl scale`, or another client that uses server-side
apply, has set a declared field. Fields that the program does not declare stay as they are
(https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/). Never on
a Secret: it would overwrite somebody else's Secret of the same name."""

OWNER = "ejemplo-django/stack"
"""The mark of a stack's resources: a tag in AWS, an annotation in the cluster. Its value is `<project>/<stack>`. Not a
label: its value may have no slash and at most 63 characters."""

NAME = "ejemplo-django/resource"
"""The second part of the mark, with the domain and the logical name of the resource: it finds a resource whose id the
state lost. The domain tells two stacks of one name apart, such as those of two copies of this project."""


def stack_name() -> str:
    """Return the name of this stack, as `<project>/<stack>`."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


def mark(*, stack: str, domain: str, name: str) -> dict[str, str]:
    """Return the mark of a resource; `name` is the logical one."""
    return {OWNER: stack, NAME: f"{domain}/{name}"}


def is_marked(annotations: Mapping[str, str] | None, *, stack: str, domain: str) -> bool:
    """Return whether an object's annotations carry the stack's mark.

    An object that was made before the mark had a domain has only the first part.
    """
    found = annotations or {}
    return found.get(OWNER) == stack and is_of(domain, found)


def is_of(domain: str, marks: Mapping[str, str]) -> bool:
    """Return whether tags or annotations name this domain, or none."""
    return marks.get(NAME, domain).partition("/")[0] == domain


def whose(marks: Mapping[str, str]) -> str:
    """Return in words whose a resource is, by its tags or annotations."""
    if OWNER not in marks:
        return "which has no stack's mark"
    domain = f" with the domain {marks[NAME].partition('/')[0]}" if NAME in marks else ""
    return f"of the stack {marks[OWNER]}{domain}"


def marked_in_aws(domain: str) -> pulumi.ResourceTransformation:
    """Add the mark to every resource that can carry it, so that it is part of the call that creates the resource."""

    def marked(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        # One with an id is only looked up.
        if not args.type_.startswith("aws:") or "tags" not in args.props or args.opts.id is not None:
            return None
        props: dict[str, Any] = dict(args.props)
        props["tags"] = {**(props["tags"] or {}), **mark(stack=stack_name(), domain=domain, name=args.name)}
        return pulumi.ResourceTransformationResult(props, args.opts)

    return marked


def marked_in_cluster(domain: str) -> pulumi.ResourceTransformation:
    """Add the mark to every object, so that it is part of the call that creates the object."""

    def marked(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("kubernetes:"):
            return None
        props: dict[str, Any] = dict(args.props)
        metadata = props.get("metadata") or {}
        annotations = metadata.get("annotations") or {}
        own = mark(stack=stack_name(), domain=domain, name=args.name)
        props["metadata"] = {**metadata, "annotations": {**annotations, **own}}
        return pulumi.ResourceTransformationResult(props, args.opts)

    return marked
