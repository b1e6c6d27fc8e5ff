"""Tries to refute a theorem: symbolically first, then with plain numbers near the path that failed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from types import FrameType
from typing import Any

from clearspec_proofs.lifting.concrete import Concrete
from clearspec_proofs.lifting.paths import Discarded, Ended, Failed, Unliftable, erred, explore
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.proving import chosen
from clearspec_proofs.records import Status
from clearspec_proofs.solving.search import Budget, Searching, model_of
from clearspec_proofs.theorems import Theorem
from clearspec_proofs.trials.swapping import as_it_is, is_exchanged

PATHS_MAX = 20_000
FAILED_MAX = 6
"""Paths that fail of which a counterexample is looked for."""
TRIES = 600
"""Draws of plain numbers near the model of a path that failed."""


class OutOfTime(BaseException):
    """A trial took longer than it may."""


def _alarm(number: int, frame: FrameType | None) -> None:
    raise OutOfTime


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``OutOfTime`` inside after so many seconds of this process's work; in its main thread alone."""
    before = signal.signal(signal.SIGPROF, _alarm)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Near:
    """Values of a model, some of them moved: to a neighbour, to an end of their range, to a number of any size."""

    def __init__(self, integers: dict[str, int], options: dict[str, Any], random: Random, moved: float) -> None:
        self.integers = integers
        self.options = options
        self.random = random
        self.moved = moved
        self.bits = random.choice((2, 4, 8, 16, 32, 64))
        self.wild = moved > 0 and random.random() < 0.5

    def integer(self, name: str, low: int | None, high: int | None) -> int:
        """The value in the model, or one near it."""
        value = self.integers.get(name, 0)
        if (self.wild and name not in self.integers) or self.random.random() < self.moved:
            value = self._other(value, low, high)
        value = value if low is None else max(low, value)
        return value if high is None else min(high, value)

    def _other(self, value: int, low: int | None, high: int | None) -> int:
        random = self.random
        kind = random.randrange(5)
        if kind == 0:
            return value + random.choice((-2, -1, 1, 2))
        if kind == 1 and low is not None:
            return low + random.randrange(3)
        if kind == 2 and high is not None:
            return high - random.randrange(3)
        size = random.getrandbits(random.randrange(1, self.bits + 1))
        return -size if random.random() < 0.3 else size

    def option(self, name: str, options: tuple[Any, ...]) -> Any:
        """The option in the model, or another."""
        if name not in self.options or self.random.random() < self.moved / 2:
            return self.random.choice(options)
        return self.options[name]


@dataclass(slots=True)
class Trial:
    """What came of trying to refute one theorem.

    ``status`` is refuted only where a claim fails on the reference itself, on ``values``, without any stand-in; it is
    proved where the theorem holds all the same.
    """

    theorem: str
    status: Status
    claim: str = ""
    drawn: dict[str, Any] = field(default_factory=dict)
    paths: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def values(self) -> dict[str, str]:
        """The numbers and options that refute it, as texts."""
        return {name: str(value) for name, value in self.drawn.items()}

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "theorem": self.theorem,
            "status": self.status.value,
            "claim": self.claim,
            "values": self.values,
            "paths": self.paths,
            "seconds": round(self.seconds, 2),
            "note": self.note,
        }


class Trying(Concrete):
    """A run on plain numbers that goes on where a hint does not hold: what a theorem says is its other claims."""

    def claim(self, name: str, statement: Callable[[], object]) -> None:
        """Fail where a statement does not hold, unless it is a hint."""
        if not name.startswith("lemma"):
            Concrete.claim(self, name, statement)


def failing(theorem: Theorem, values: Near) -> tuple[str, dict[str, Any]] | None:
    """The claim that fails on plain numbers and no stand-in, and the numbers; ``None``: none does."""
    path = Trying(values, stand_ins=False)
    claim: str | None = None
    try:
        theorem.body(path)
    except Discarded:
        return None
    except Failed as failed:
        claim = failed.claim
    except LeavesSubset:
        return None
    except Exception as fault:
        claim = erred(fault)
    return None if claim is None else (claim, path.drawn)


def refutes(theorem: Theorem, drawn: dict[str, Any]) -> bool:
    """Whether these very numbers refute a theorem of the reference as it is now."""
    return failing(theorem, exactly(drawn)) is not None


def exactly(drawn: Mapping[str, Any]) -> Near:
    """These numbers and options."""
    integers = {name: value for name, value in drawn.items() if isinstance(value, int) and not isinstance(value, bool)}
    return Near(integers, dict(drawn), Random(0), 0.0)


def witnessed(theorem: Theorem, end: Ended | None, budget: Budget) -> tuple[str, dict[str, Any]] | None:
    """A failure on plain numbers near the model of a path that failed, the model itself first."""
    model = None if end is None else model_of(end.path, budget)
    options = {} if end is None else chosen(end.path)
    random = Random(f"{theorem.name} {budget.seed}")
    for number in range(TRIES):
        moved = 0.0 if number == 0 and model is not None else random.choice((0.1, 0.3, 0.6, 1.0))
        found = failing(theorem, Near(model or {}, options, random, moved))
        if found is not None and not is_spurious(theorem, found[1]):
            return found
    return None


def is_spurious(theorem: Theorem, drawn: dict[str, Any]) -> bool:
    """Whether a theorem fails with these numbers on the right reference too, where a wrong one is in its place."""
    if not is_exchanged():
        return False
    with as_it_is():
        return refutes(theorem, drawn)


def failures_of(theorem: Theorem, budget: Budget, trial: Trial) -> Iterator[Ended]:
    """Paths that fail, as they come; the trial is proved if there is none."""
    failures = 0
    for end in explore(theorem.body, Searching(budget), PATHS_MAX):
        trial.paths += 1
        if end.failed is not None:
            failures += 1
            trial.note = f"not shown: {end.failed}"
            yield end
            if failures >= FAILED_MAX:
                return
    if failures == 0:
        trial.status = Status.PROVED


def unabridged(theorem: Theorem) -> Theorem:
    """The same theorem without any stand-in: more paths, each of which the reference itself takes."""

    def body(path: Any) -> Any:
        path.stand_ins = False
        return theorem.body(path)

    return replace(theorem, body=body)


def _try(theorem: Theorem, budget: Budget, trial: Trial) -> None:
    """With stand-ins first; then, if it is not shown and no numbers are found, without."""
    for stated in (theorem, unabridged(theorem)):
        try:
            for end in failures_of(stated, budget, trial):
                found = witnessed(theorem, end, budget)
                if found is not None:
                    trial.status, (trial.claim, trial.drawn) = Status.REFUTED, found
                    return
        except (LeavesSubset, Unliftable) as fault:
            trial.note = trial.note or str(fault)
        if trial.status == Status.PROVED:
            trial.status = Status.PROVED if stated is theorem else Status.UNKNOWN
            return
    found = witnessed(theorem, None, budget)
    if found is not None:
        trial.status, (trial.claim, trial.drawn) = Status.REFUTED, found


def tried(
    theorem: Theorem, seconds: float, budget: Budget | None = None, known: dict[str, int | str] | None = None
) -> Trial:
    """Try to refute a theorem within so many seconds, with some numbers first if they are given."""
    trial, start = Trial(theorem.name, Status.UNKNOWN), time.perf_counter()
    try:
        with time_limit(seconds):
            found = failing(theorem, exactly(known)) if known else None
            if found is not None and not is_spurious(theorem, found[1]):
                trial.status, (trial.claim, trial.drawn) = Status.REFUTED, found
            else:
                _try(theorem, budget or Budget(), trial)
    except OutOfTime:
        trial.status, trial.note = Status.UNKNOWN, f"no answer after {seconds:g} s"
    trial.seconds = time.perf_counter() - start
    return trial
