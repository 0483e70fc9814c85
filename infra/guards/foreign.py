"""Refuse to create a resource that exists already: somebody else's, or one that the stack's state lost."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import pulumi

from infra.guards import own_state

_SETTLED = 5
"""Seconds after which AWS lists no more what was just deleted
(https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html): what this stack seems to have lost is
looked for once more."""


class TakenError(pulumi.RunError):
    """The resource exists already. A RunError, so that `pulumi up` shows only its message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """A resource that exists already."""

    found: str
    """What it is, after the settings key that names it: `domain: found the bucket ...`."""
    ids: Collection[str]
    """Its id in the state, or its UID if it is an object in the cluster; several if there are several."""
    ours: bool
    """Whether it carries this stack's mark; for a resource that cannot carry one, whether it may be this stack's."""
    fix: str
    """What the user can do about somebody else's."""

    def is_in_the_way(self, known: Collection[str]) -> bool:
        """Return whether this stops the creation; `known` are the ids of this type in the state."""
        unknown = set(self.ids) - set(known)
        return bool(unknown) and (self.ours or unknown == set(self.ids))


Look = Callable[[pulumi.ResourceHookArgs], Awaitable[There | None]]
"""Looks for an existing resource before a creation. Raises RunError if that cannot be found out."""


def refused(
    name: str, look: Look, *, where: Callable[[pulumi.ResourceTransformationArgs], bool]
) -> pulumi.ResourceTransformation:
    """Make the creation of a resource fail if it exists already; `where` selects the resources to check.

    A resource in the state is about to be replaced, and allowed. Somebody else's fails a preview too. One of this
    stack's that its state lost fails only an `up`, and a preview warns: `ops recover` needs that preview.
    """
    is_preview = pulumi.runtime.is_dry_run()

    def stop(said: str) -> None:
        if not is_preview:
            raise TakenError(said)
        pulumi.log.warn(said)

    async def refuse(args: pulumi.ResourceHookArgs) -> None:
        there = await look(args)
        if there is None:
            return
        try:
            known = await own_state.known(args.type)
        except own_state.UnreadError as error:
            stop(f"{there.found}.\nWhether this stack made it is not known: {error}")
            return
        if not there.is_in_the_way(known):
            return
        if not there.ours:
            raise TakenError(f"{there.found}.\n{there.fix}")
        if not is_preview:
            await asyncio.sleep(_SETTLED)
            there = await look(args)
            if there is None or not there.is_in_the_way(known):
                return
        stop(
            f"{there.found}.\n"
            "This stack seems to have created it, but its state does not have it.\n"
            f"After an interrupted `up`: .venv/bin/python -m ops recover --stack {own_state.stack()}. If the state was "
            "lost, docs/state.md says how to import it."
        )

    hook = pulumi.ResourceHook(f"{name}-there", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    hooks = pulumi.ResourceHookBinding(before_create=[hook])

    def transformed(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not where(args):
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(hooks=hooks))
        return pulumi.ResourceTransformationResult(args.props, opts)

    return transformed
