"""Sequences of events: drawn by Hypothesis, made sense of by the reference's state, with what the reference says.

What is drawn are small numbers; the event that they become depends on the state that they meet. So a failing sequence
is made smaller event by event (``reducing``), not draw by draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisDeprecationWarning

from clearspec import events as ev
from clearspec.events import Event
from clearspec.formats import Observable, ReceiptRecord, VectorStep, receipt_record
from clearspec.listing import build
from clearspec.machine import apply, apply_document
from clearspec.snapshot import observable
from clearspec.state import State
from clearspec_conformance.fuzz.aims import GARBLED, Place, garbled, proposed
from clearspec_conformance.fuzz.stage import LARGEST, Draw, Stage
from clearspec_conformance.fuzz.worlds import World, world
from clearspec_conformance.injected.twin import forked


@dataclass(frozen=True, slots=True)
class Trace:
    """A genesis, and the steps from there with what the reference says to each."""

    genesis: ev.Genesis
    steps: tuple[VectorStep, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """The reference that answers the events of a sequence; functions of a twin of it where somebody looks on."""

    apply: Callable[[State, Event], ev.Receipt] = apply
    apply_document: Callable[[State, str], ReceiptRecord] = apply_document
    observable: Callable[[State], Observable] = observable

    def step(self, state: State, event: Event | None, document: str | None, look: bool) -> VectorStep:
        """The step of an event, or of a text that may be one; with the observable snapshot after it, if wanted."""
        if event is not None:
            receipt = receipt_record(self.apply(state, event))
        else:
            receipt = self.apply_document(state, document or "")
        return VectorStep(event, receipt, self.observable(state) if look else None, document)


REFERENCE = Answers()


def answered(genesis: ev.Genesis, steps: Sequence[VectorStep]) -> tuple[State, Trace]:
    """The same steps from a genesis, with what the reference says now, seen after the last; and the state after it.

    Raises:
        ValueError: the genesis is outside the envelope, or does not hang together.
    """
    state, last = build(genesis), len(steps) - 1
    answers = (REFERENCE.step(state, step.event, step.document, place == last) for place, step in enumerate(steps))
    return state, Trace(genesis, tuple(answers))


@dataclass(slots=True)
class Course:
    """A sequence under way: the state, its time, the events so far, the steps since the world it started from."""

    state: State
    time: int
    number: int
    events: list[Event]
    steps: list[VectorStep] = field(default_factory=list)


def begun(start: World) -> Course:
    """A sequence that starts from a world."""
    last = max((event.sequence for event in start.events), default=0)
    return Course(forked(start.state), start.state.time, last, list(start.events))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What sequences are made of: a seed, how many, the worlds they start from, the aims, the most draws of one.

    The observable snapshot is seen after every ``every`` events and at the end.
    """

    seed: int
    count: int
    worlds: tuple[str, ...]
    aims: tuple[str, ...]
    most: int
    every: int


def played(start: World, draws: Sequence[Draw], recipe: Recipe, answers: Answers) -> tuple[State, Trace]:
    """What draws become from a world on, and the state that they lead to."""
    now, aims = begun(start), frozenset(recipe.aims)
    for place, draw in enumerate(draws, start=1):
        now.number += 1
        event = proposed(Stage(now.state, now.time, draw), Place(now.events, now.number, aims))
        text = garbled(event, draw.who + draw.pick) if draw.digits == GARBLED else None
        look = place % recipe.every == 0 or place == len(draws)
        now.steps.append(answers.step(now.state, None if text else event, text, look))
        now.time = max(now.time, now.state.time)
        now.events.append(event)
    return now.state, Trace(start.genesis, (*start.steps, *now.steps))


def drawn(aims: Sequence[str], most: int) -> Any:
    """The strategy of a sequence of draws."""
    number = st.integers(0, LARGEST)
    draw = st.builds(Draw, st.sampled_from(list(aims)), number, number, number, number, number)
    return st.lists(draw, min_size=max(1, most // 3), max_size=most)


class Enough(Exception):
    """No more sequences are wanted."""


def each(recipe: Recipe, use: Callable[[World, list[Draw]], None]) -> None:
    """Draw sequences and use each, until there are as many as wanted or ``use`` raises ``Enough``."""

    @seed(recipe.seed)
    @settings(
        max_examples=recipe.count, phases=(Phase.generate,), database=None, deadline=None, derandomize=False,
        verbosity=Verbosity.quiet, suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(name=st.sampled_from(recipe.worlds), draws=drawn(recipe.aims, recipe.most))
    def sequences(name: str, draws: list[Draw]) -> None:
        use(world(name), draws)

    with warnings.catch_warnings():
        # Raised where another thread of a worker uses the global random numbers meanwhile; the draws do not.
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)
        with suppress(Enough):
            sequences()
