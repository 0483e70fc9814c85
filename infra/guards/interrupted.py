"""Refuse to create anything while the outcome of an interrupted run is unknown."""

import asyncio
from collections import Counter

import pulumi

from infra.guards import own_state

_LOOKS, _PAUSE = 3, 1.0
"""How often an `up` checks, and after how many seconds each time, whether an unknown creation is its own."""
_SHOWN = 5
"""How many resources the message names."""


class InterruptionError(pulumi.RunError):
    """An earlier run ended in the middle of a creation. A RunError, so that its message is all that `up` shows."""


def guard() -> None:
    """Make every creation fail while the state has creations of an earlier run with an unknown outcome.

    The engine records a creation in the state when it begins, and removes the record when it ends. A record that a
    killed run left says nothing about whether the resource exists, so a second creation might double it. The state is
    read once per run, and only if there is something to create.
    """
    begun: set[str] = set()
    looked: list[asyncio.Future[list[str]]] = []

    async def refuse(args: pulumi.ResourceHookArgs) -> None:
        begun.add(args.urn)
        if not looked:
            looked.append(asyncio.ensure_future(_left(begun)))
        left = await looked[0]
        if left:
            raise InterruptionError(
                f"An earlier run was interrupted while it made {_listed(left)}.\n"
                "The state does not say whether that exists, and a second one might be created now.\n"
                f"To go on: .venv/bin/python -m ops recover --stack {own_state.stack()}, and then this command again."
            )

    hook = pulumi.ResourceHook("interrupted", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    hooks = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[hook]))
    pulumi.runtime.register_stack_transformation(
        # Before all other hooks, whose messages say less.
        lambda args: pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(hooks, args.opts))
    )


async def _left(begun: set[str]) -> list[str]:
    """Return the URNs that earlier runs left; `begun` has the URNs that this run creates, and grows meanwhile.

    The engine records a creation before it calls the hook. So a creation of this run soon appears in `begun`, and one
    that the state has twice is also an earlier run's. Pulumi's own resources have no hook and are ignored.
    """
    suspects: set[str] | None = None
    try:
        for _ in range(_LOOKS):
            found = Counter(own_state.in_doubt(await own_state.deployment()))
            if pulumi.runtime.is_dry_run():
                return list(found)
            if twice := [urn for urn, times in found.items() if times > 1]:
                return twice
            unknown = {urn for urn in found if urn not in begun and not _type(urn).startswith("pulumi:")}
            suspects = unknown if suspects is None else suspects & unknown
            if not suspects:
                return []
            await asyncio.sleep(_PAUSE)
    except own_state.UnreadError as error:
        pulumi.log.warn(f"Whether an earlier run was interrupted is not known: {error}.")
        return []
    return sorted((suspects or set()) - begun)


def _listed(urns: list[str]) -> str:
    """Return a readable list: `Vpc cluster, Zone zone-zone`."""
    names = sorted(f"{_type(urn).rpartition(':')[2]} {urn.rpartition('::')[2]}" for urn in urns)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _type(urn: str) -> str:
    """Return the type of the resource, without its parents' types."""
    return urn.split("::")[2].rpartition("$")[2]
