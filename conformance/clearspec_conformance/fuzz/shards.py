"""A shard: so many sequences from one seed, played on the reference and on an engine of its own.

What comes of a shard depends on its task alone, wherever and beside whatever it runs.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from clearspec.invariants import INVARIANTS
from clearspec.rules import IMPLEMENTED
from clearspec_conformance.engines import opener
from clearspec_conformance.formats import Verdict
from clearspec_conformance.fuzz.branches import Arcs, Branches
from clearspec_conformance.fuzz.duel import Disagreement, Duel, Skipped, against_itself
from clearspec_conformance.fuzz.generating import Answers, Enough, Recipe, each, played
from clearspec_conformance.fuzz.stage import Draw
from clearspec_conformance.fuzz.worlds import World
from clearspec_conformance.injected.twin import Function, Twin
from clearspec_conformance.playing import Terms

THOROUGH = 8
"""Every so many sequences the state root is compared too, and the second half is played again from a snapshot."""

MOST_KINDS = 5
"""Disagreements of different kinds that a shard keeps; the rest are counted."""


COST = {Verdict.ERRORED: 1, Verdict.HUNG: 5}
"""What it costs to go on after an engine ended or hung."""

MOST_TROUBLE = 10
"""Cost after which a shard stops."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a shard is to do: the engine as ``--impl`` names it, how it is judged, and what sequences are made of."""

    implementation: str
    terms: Terms
    start_timeout: float
    recipe: Recipe
    branches: bool = False


@dataclass(slots=True)
class Shard:
    """What came of a task."""

    seed: int
    sequences: int = 0
    events: int = 0
    skipped: int = 0
    disagreements: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rules: set[str] = field(default_factory=set)
    arcs: Arcs = field(default_factory=dict)
    found: list[Disagreement] = field(default_factory=list)
    lacking: str = ""


def shown_path(path: str) -> str:
    """The place of a difference without the names of accounts and the numbers of postings."""
    parts = path.split(".")
    return ".".join(re.sub(r"\[\d+\]", "[]", part) for part in (parts if len(parts) < 4 else [*parts[:3], parts[-1]]))


def kind_of(found: Disagreement) -> tuple[str, ...]:
    """What a disagreement is of, so that only one of a kind is kept."""
    receipt = found.trace.steps[-1].receipt
    if found.failure is None:
        return found.verdict.value, found.why.partition(";")[0]
    first = found.failure.differences[0]
    return found.verdict.value, receipt.action, str(receipt.reason), shown_path(first.path)


class Watched:
    """The reference as a twin that notes which rules it runs, until it has noted each."""

    def __init__(self, reached: set[str]) -> None:
        self.twin, self.reached = Twin(), reached
        self.worlds: set[str] = set()
        citing: dict[Any, set[str]] = {}
        for rule, functions in IMPLEMENTED.items():
            for function in functions:
                citing.setdefault(function, set()).add(rule)
        for copy, original in self.twin.originals:
            if original in citing:
                self._probe(copy, original, citing[original])

    def _probe(self, copy: Function, original: Any, rules: set[str]) -> None:
        """Put in the place of a function one that notes its rules and then gives way to it."""

        def noting(*given: Any, **named: Any) -> Any:
            self.reached |= rules
            for space in self.twin.spaces.values():
                Twin.exchange(space, noting, copy)
            return copy(*given, **named)

        self.twin.wrap(f"{original.__module__.rpartition('.')[2]}.{original.__name__}", lambda before: noting)

    @property
    def answers(self) -> Answers:
        """The functions that answer events."""
        return Answers(self.twin.apply, self.twin["machine.apply_document"], self.twin["snapshot.observable"])

    def start(self, start: World) -> None:
        """Go the way that leads into a world, once."""
        if start.name not in self.worlds:
            self.worlds.add(start.name)
            state = self.twin["listing.build"](start.genesis)
            for event in start.events:
                self.twin.apply(state, event)

    def end(self, state: Any, thorough: bool) -> None:
        """Look at the end of a sequence as it is looked at elsewhere."""
        for entry in INVARIANTS:
            self.twin[f"invariants.{entry.holds.__name__}"](state)
        if thorough:
            self.twin["snapshot.state_root"](state)
            self.twin["snapshot.restore"](self.twin["snapshot.snapshot"](state))


class Player:
    """Plays the sequences of a task."""

    def __init__(self, task: Task) -> None:
        self.task, self.shard = task, Shard(task.recipe.seed)
        self.duel = Duel(opener(task.implementation), task.terms, task.start_timeout)
        self.watched = Watched(self.shard.rules)
        self.branches = Branches() if task.branches else None
        self.kinds: set[tuple[str, ...]] = set()
        self.troubles, self.over = 0, False

    def use(self, start: World, draws: list[Draw]) -> None:
        """Play one sequence on both. Hypothesis repeats the last one; what is over stays over."""
        if self.over:
            raise Enough
        shard = self.shard
        thorough = shard.sequences % THOROUGH == THOROUGH - 1
        with self.branches or nullcontext():
            self.watched.start(start)
            state, trace = played(start, draws, self.task.recipe, self.watched.answers)
            self.watched.end(state, thorough)
        for step in trace.steps:
            shard.outcomes[f"{step.receipt.action or 'text'} {step.receipt.reason or 'accepted'}"] += 1
        shard.sequences += 1
        shard.events += len(trace.steps)
        try:
            root = self.watched.twin["snapshot.state_root"](state) if thorough else ""
            found = against_itself(state, trace) or self.duel.disagreement(trace, root)
        except Skipped as lacking:
            shard.skipped, shard.lacking = shard.skipped + 1, str(lacking)
            return
        if found is not None:
            self.keep(found)

    def keep(self, found: Disagreement) -> None:
        """Keep a disagreement of a new kind; an engine that ends or hangs is not started again and again."""
        self.shard.disagreements += 1
        self.troubles += COST.get(found.verdict, 0)
        kind = kind_of(found)
        if kind not in self.kinds and len(self.shard.found) < MOST_KINDS:
            self.kinds.add(kind)
            self.shard.found.append(found)
        if self.troubles >= MOST_TROUBLE:
            self.over = True
            raise Enough

    def played(self) -> Shard:
        """Play all of them."""
        try:
            each(self.task.recipe, self.use)
        finally:
            self.duel.end()
        if self.branches is not None:
            self.shard.arcs = self.branches.arcs()
        return self.shard


def play_shard(task: Task) -> Shard:
    """What comes of a task.

    Raises:
        BadInput: the engine's command cannot be started at all.
    """
    sys.path[:0] = [] if "" in sys.path else [""]
    return Player(task).played()


def reachable() -> Iterable[str]:
    """Rules that functions implement which a sequence can run: not those of formats, texts and bytes."""
    copied = {id(original) for _, original in Twin().originals}
    return [rule for rule, functions in IMPLEMENTED.items() if any(id(function) in copied for function in functions)]
