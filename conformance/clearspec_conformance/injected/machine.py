"""A clearinghouse with a fault: the reference until the fault fires, wrong from there."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from clearspec.events import Event, Receipt
from clearspec.formats import receipt_record
from clearspec.ledger import Posting
from clearspec.machine import apply
from clearspec.state import State
from clearspec_conformance.injected.faults import EVERYWHERE, Kind, Moment, Trigger
from clearspec_conformance.injected.twin import Twin, forked

MOST_PLACES = 64
"""Opportunities within one event that are tried, one after the other, for one that shows."""


class Run(NamedTuple):
    """What came of an event on a copy of the state: the state after it, the receipt, what is due with a later event."""

    state: State
    receipt: Receipt
    due: list[Posting]


def published(receipt: Receipt) -> tuple[Any, ...]:
    """What engines are compared by: reason, amounts and postings of a receipt."""
    record = receipt_record(receipt)
    return record.reason, dict(record.amounts), record.postings


class Faulty:
    """A state and a fault. The fault fires where it shows in the receipt; elsewhere the reference's outcome stands.

    With ``at`` it fires once, at the first event of that number or above where it shows; without, wherever it shows.
    ``seed`` chooses among the ways in which it may show, ``step`` is the number of events that the state has seen.
    ``fired_at`` is the number of the first event whose receipt is wrong.
    """

    def __init__(self, kind: Kind, state: State, at: int | None = None, seed: int = 0, step: int = 0) -> None:
        self.kind, self.at, self.seed = kind, at, seed
        self.trigger, self.twin = Trigger(Random()), Twin()
        if kind.plant is not None:
            kind.plant(self.twin, self.trigger)
        self.start(state, step)

    def start(self, state: State, step: int = 0) -> None:
        """Go on from another state, with the fault still to come."""
        self.state, self.step = state, step
        self.fired_at: int | None = None
        self.trigger.chance.seed(f"{self.kind.name} {self.seed}")
        self.due: list[Posting] = []
        self.before: tuple[State, Event] | None = None

    def may_fire(self, event: Event) -> bool:
        """Whether the fault could fire at this event."""
        once_more = self.at is None or (self.fired_at is None and self.step >= self.at)
        return once_more and self.kind.concerns(event)

    def apply(self, event: Event) -> Receipt:
        """Apply the next event."""
        self.step += 1
        before = self._kept(event)
        wrong = self._wrong(event) if self.may_fire(event) else None
        if wrong is not None:
            self.fired_at = self.fired_at or self.step
            self.state, receipt, self.due = wrong
            self.before = None
            return receipt
        receipt = self._run(self.state, event, None).receipt
        self.due = self.trigger.left(receipt.accepted)
        self.before = (before, event) if before is not None and receipt.accepted else None
        return receipt

    def _kept(self, event: Event) -> State | None:
        """A copy of the state, where the fault needs the one before an event to spoil the next."""
        needed = self.kind.act is not None and self.kind.pairs
        soon = self.at is None or (self.fired_at is None and self.step >= self.at - 1)
        return forked(self.state) if needed and soon else None

    def _run(self, state: State, event: Event, place: int | None) -> Run:
        """Apply an event with the fault at some place of it, or asleep."""
        self.trigger.arm(place, self.due)
        receipt = self.twin.apply(state, event)
        return Run(state, receipt, self.trigger.left(receipt.accepted))

    def _wrong(self, event: Event) -> Run | None:
        """The event with the fault in it, where that shows."""
        right = published(apply(forked(self.state), event))
        for run in self._attempts(event):
            if published(run.receipt) != right:
                return run
        return None

    def _attempts(self, event: Event) -> Iterator[Run]:
        """The event with the fault at each of its opportunities in it."""
        if self.kind.act is not None:
            self.trigger.arm(None, [])
            acted = self.kind.act(self.twin, Moment(self.state, event, self.before))
            if acted is not None:
                yield Run(*acted, [])
            return
        if not self.kind.single:
            yield self._run(forked(self.state), event, EVERYWHERE)
            return
        self._run(forked(self.state), event, None)
        places = range(self.trigger.count)
        for place in self.trigger.chance.sample(places, min(len(places), MOST_PLACES)):
            yield self._run(forked(self.state), event, place)
