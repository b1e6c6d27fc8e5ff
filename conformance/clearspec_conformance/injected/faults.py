"""Ten kinds of fault: for each its story, the rules that it breaks, and how it is planted in a twin of the reference.

A fault is planted once and stays asleep until its trigger is armed for an event. What it then does is a wrong
transition, never a wrong report of a right one: the books are wrong from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from clearspec import events as ev
from clearspec.events import Context, Event, Outcome, Receipt
from clearspec.ledger import Kind as Ledger
from clearspec.ledger import Posting
from clearspec.machine import TRANSITIONS, apply
from clearspec.numerics import SCALE
from clearspec.state import State
from clearspec_conformance.injected.twin import Function, Twin, forked

EVERYWHERE = -1
"""Place of a fault that acts at every opportunity of an event."""


@dataclass(slots=True)
class Trigger:
    """Whether a fault acts, and where: ``place`` is the opportunity of the event (from 0), ``None`` while asleep.

    ``count`` is how many opportunities the event has had so far. ``due`` is to be booked with the event though it
    belongs to an earlier one, ``withheld`` belongs to the event and is left to a later one.
    """

    chance: Random
    place: int | None = None
    count: int = 0
    due: list[Posting] = field(default_factory=list)
    withheld: list[Posting] = field(default_factory=list)

    def arm(self, place: int | None, due: list[Posting]) -> None:
        """Get ready for an event."""
        self.place, self.count, self.due, self.withheld = place, 0, due, []

    def left(self, accepted: bool) -> list[Posting]:
        """What is still due after the event."""
        return self.withheld if accepted else self.due

    def acts(self) -> bool:
        """Note an opportunity; whether the fault acts at it."""
        self.count += 1
        return self.place is not None and self.place in (EVERYWHERE, self.count - 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """An event that a fault may spoil: the state before it, and the event before it with the state before that."""

    state: State
    event: Event
    before: tuple[State, Event] | None


Plant = Callable[[Twin, Trigger], None]
Act = Callable[[Twin, Moment], "tuple[State, Receipt] | None"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what the engine does wrong, and the rules that it breaks.

    ``plant`` wraps functions of a twin; ``act`` instead takes a whole event wrongly, ``None`` if it is no opportunity.
    A ``single`` fault acts at one opportunity of its event, the others at all; one of ``pairs`` looks back at the
    event before.
    """

    name: str
    story: str
    rules: tuple[str, ...]
    actions: tuple[type, ...] = ()
    plant: Plant | None = None
    act: Act | None = None
    single: bool = False
    pairs: bool = False

    def concerns(self, event: Event) -> bool:
        """Whether the fault can act on such an event at all."""
        return not self.actions or isinstance(event.action, self.actions)


# Planted faults

DIVISIONS = ("div_floor", "div_ceil", "div_to_zero", "mul_floor", "mul_ceil")
ROUNDING = ("numerics", "oracle", "funding", "trading", "liquidation", "waterfall", "settlement", "collateral")
"""Modules in whose divisions a rounding may be wrong; those of margin seldom show."""


def _rounded_otherwise(trigger: Trigger, name: str) -> Callable[[Function], Function]:
    """A division that, where it leaves a remainder, may go to the other neighbour."""

    def wrapped(division: Function) -> Function:
        def divided(first: int, second: int) -> int:
            quotient: int = division(first, second)
            numerator, divisor = (first * second, SCALE) if name.startswith("mul") else (first, second)
            remainder = numerator - quotient * divisor
            if remainder == 0 or not trigger.acts():
                return quotient
            return quotient + 1 if remainder > 0 else quotient - 1

        return divided

    return wrapped


def plant_wrong_rounding(twin: Twin, trigger: Trigger) -> None:
    """One division of an event goes the other way."""
    for name in DIVISIONS:
        twin.wrap(f"numerics.{name}", _rounded_otherwise(trigger, name), ROUNDING)


def plant_lost_posting(twin: Twin, trigger: Trigger) -> None:
    """One posting of an event is neither booked nor reported."""

    def wrapped(post: Function) -> Function:
        def posted(state: State, postings: list[Posting], debit: Any, credit: Any, amount: int, cause: str) -> None:
            if amount == 0 or not trigger.acts():
                post(state, postings, debit, credit, amount, cause)

        return posted

    twin.wrap("ledger.post", wrapped)


def plant_stale_price(twin: Twin, trigger: Trigger) -> None:
    """A price past its age counts as fresh."""

    def wrapped(is_fresh: Function) -> Function:
        def fresh(ctx: Context, market: str) -> bool:
            right: bool = is_fresh(ctx, market)
            return right or (ctx.state.marks[market].price > 0 and trigger.acts())

        return fresh

    twin.wrap("oracle.is_fresh", wrapped)


def plant_skipped_margin(twin: Twin, trigger: Trigger) -> None:
    """An account without the margin for it trades, takes over a position or withdraws."""

    def wrapped(allowed: Function) -> Function:
        return lambda *given: allowed(*given) or trigger.acts()

    twin.wrap("margin.fill_allowed", wrapped)
    twin.wrap("margin.outflow_allowed", wrapped)


def plant_dropped_remainder(twin: Twin, trigger: Trigger) -> None:
    """The remainder that funding carried is forgotten, or that of each part of a split."""

    def uncarried(accrued: Function) -> Function:
        def wrong(funding: Any, *rest: int) -> Any:
            return accrued(replace(funding, carry=0) if funding.carry and trigger.acts() else funding, *rest)

        return wrong

    def apart(share: Function) -> Function:
        def wrong(amount: int, before: int, after: int, total: int) -> int:
            right: int = share(amount, before, after, total)
            alone = amount * (after - before) // total
            return alone if alone != right and trigger.acts() else right

        return wrong

    twin.wrap("funding.accrued", uncarried)
    twin.wrap("numerics.cumulative_share", apart)


def plant_large_liquidation(twin: Twin, trigger: Trigger) -> None:
    """More lots may be closed than restore the account: one more, or the whole position."""

    def wrapped(closable_size: Function) -> Function:
        def closable(size: int, *rest: Any) -> int:
            right: int = closable_size(size, *rest)
            if right == size or not trigger.acts():
                return right
            return trigger.chance.choice((right + 1, size))

        return closable

    twin.wrap("liquidation.closable_size", wrapped)


INSURED = ("FALL-5", "LIQ-6")
"""Causes of what the insurance fund pays."""


def plant_late_insurance(twin: Twin, trigger: Trigger) -> None:
    """What the insurance fund pays in an event is booked with a later one."""

    def wrapped(post: Function) -> Function:
        def posted(state: State, postings: list[Posting], debit: Any, credit: Any, amount: int, cause: str) -> None:
            insured = amount > 0 and cause in INSURED and debit[2] == Ledger.INSURANCE_FUND.value
            if insured and trigger.acts():
                trigger.withheld.append(Posting(debit, credit, amount, cause))
            else:
                post(state, postings, debit, credit, amount, cause)

        return posted

    def paying(transition: Function) -> Function:
        def wrong(ctx: Context, action: Any) -> Outcome:
            outcome: Outcome = transition(ctx, action)
            for posting in trigger.due:
                post(ctx.state, ctx.postings, *posting)
            return outcome

        return wrong

    post = twin["ledger.post"]
    twin.wrap("ledger.post", wrapped)
    for transition in TRANSITIONS.values():
        twin.wrap(f"{transition.__module__.rpartition('.')[2]}.{transition.__name__}", paying)


# Faults that take a whole event wrongly


def act_swapped_events(twin: Twin, moment: Moment) -> tuple[State, Receipt] | None:
    """An event and the one before it take effect in the other order, each in the other's place."""
    if moment.before is None or not apply(forked(moment.state), moment.event).accepted:
        return None
    state, event = forked(moment.before[0]), moment.event
    other = moment.before[1]
    first = twin.apply(state, replace(other, actor=event.actor, action=event.action))
    twin.apply(state, replace(event, actor=other.actor, action=other.action))
    state.sequence, state.time = max(state.sequence, event.sequence), max(state.time, event.time)
    return state, replace(first, id=event.id, sequence=event.sequence, time=event.time)


def act_applied_duplicate(twin: Twin, moment: Moment) -> tuple[State, Receipt] | None:
    """An event whose id is remembered is applied once more."""
    state, event = forked(moment.state), moment.event
    if event.id not in state.recent:
        return None
    sequence, recent = state.sequence, dict(state.recent)
    again = replace(event, id="again", sequence=sequence + 1, time=max(event.time, state.time))
    receipt = twin.apply(state, again)
    if not receipt.accepted:
        return None
    state.sequence, state.recent = sequence, recent
    return state, replace(receipt, id=event.id, sequence=event.sequence, time=event.time)


def act_backward_clock(twin: Twin, moment: Moment) -> tuple[State, Receipt] | None:
    """An event from before the last one sets the clock back."""
    state, event = forked(moment.state), moment.event
    if event.time >= state.time:
        return None
    state.time = event.time
    receipt = twin.apply(state, event)
    return (state, receipt) if receipt.accepted else None


PAID = (ev.Trade, ev.Liquidate, ev.ResolveDefault, ev.SettlePosition)
FRESH = (ev.Trade, ev.PostBook, ev.AccrueFunding, ev.Liquidate, ev.SetParameters)
MARGINED = (ev.Trade, ev.Withdraw, ev.Transfer, ev.Convert, ev.Liquidate)
SPLIT = (ev.AccrueFunding, ev.ResolveDefault, ev.PayClaim)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("wrong_rounding", "one division is rounded to the other side", ("NUM-2", "NUM-3"),
             plant=plant_wrong_rounding, single=True),
        Kind("lost_posting", "one posting of an event is never booked", ("LEDG-2",),
             plant=plant_lost_posting, single=True),
        Kind("stale_price", "a price past its age is used as if it were fresh", ("ORCL-8",), FRESH,
             plant=plant_stale_price),
        Kind("skipped_margin", "a fill or an outflow is let through without the margin for it", ("MARG-10", "MARG-11"),
             MARGINED, plant=plant_skipped_margin),
        Kind("swapped_events", "two events in a row take effect in the other order", ("EVENT-5",),
             act=act_swapped_events, pairs=True),
        Kind("applied_duplicate", "an event that was sent twice is applied twice", ("EVENT-5",),
             act=act_applied_duplicate),
        Kind("dropped_remainder", "a remainder that should be carried or shared out is dropped", ("NUM-4", "NUM-5"),
             SPLIT, plant=plant_dropped_remainder),
        Kind("large_liquidation", "a liquidation closes more than restores the account", ("LIQ-3",), (ev.Liquidate,),
             plant=plant_large_liquidation),
        Kind("late_insurance", "what the insurance fund pays is booked with a later event", ("FALL-5", "LIQ-6"), PAID,
             plant=plant_late_insurance),
        Kind("backward_clock", "an event from the past is taken, and the clock runs backwards", ("EVENT-5",),
             act=act_backward_clock),
    )
}  # fmt: skip
"""The ten kinds of faulty engine, by name."""
