"""Events that come in their turn: by an actor with a new id, a later sequence number and no earlier time.

What happens to other events is in ``events``; theorems about what is accepted, and about events that follow one
another, start here.
"""

from __future__ import annotations

from typing import Any

from clearspec import events as ev
from clearspec.machine import apply
from clearspec.numerics import SEQUENCE_MAX, TIME_MAX
from clearspec_proofs.stand_ins import StandIn, standing_in
from clearspec_proofs.world import Tables, World


def in_turn(world: World, action: Any, time: Any = None, actor: str = "actor") -> ev.Event:
    """The next event: any later sequence number, ``time`` or any that is not before now."""
    path, state = world.path, world.state
    sequence = state.sequence + path.fresh("sequence gap", 1, SEQUENCE_MAX)
    time = state.time + path.fresh("wait", 0, TIME_MAX) if time is None else time
    path.assume(lambda: sequence <= SEQUENCE_MAX, "sequence numbers are left")
    path.assume(lambda: time <= TIME_MAX, "time is left")
    path.counts["event"] = number = path.counts.get("event", 0) + 1
    return ev.Event(f"event {number}", sequence, time, actor, action)


def follow(world: World, action: Any, *stand_ins: StandIn, time: Any = None, actor: str = "actor") -> ev.Receipt:
    """Apply an action in its turn; a rejected one leaves everything as it was."""
    world.state.commit()
    world.before = Tables.of(world.state)
    event = in_turn(world, action, time, actor)
    with standing_in(world.path, *stand_ins):
        receipt = apply(world.state, event)
    if receipt.reason is not None:
        world.path.claim("rejected means unchanged", lambda: not world.before.changed(world.state))
    return receipt


def accepted(world: World, action: Any, *stand_ins: StandIn, time: Any = None, actor: str = "actor") -> ev.Receipt:
    """Apply an action in its turn, which must be accepted."""
    return claim_accepted(world, follow(world, action, *stand_ins, time=time, actor=actor))


def claim_accepted(world: World, receipt: ev.Receipt) -> ev.Receipt:
    """Claim that an action was accepted."""
    world.path.claim(f"{receipt.action} is accepted", lambda: receipt.reason is None)
    world.path.mark("accepted")
    return receipt
