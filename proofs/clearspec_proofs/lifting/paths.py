"""Path-complete execution: one path at a time, by executing again with other decisions. Part of what is trusted.

A path is the list of decisions that it took. Where a comparison is not evident from known bounds, a *guide* says
whether one outcome is impossible, and gives a certificate for it, which is checked here; else both outcomes live, and
the other one becomes a path of its own. A guide that knows nothing costs paths, never truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Protocol

from clearspec_proofs.lifting.certificates import Certificate, Hypothesis, check
from clearspec_proofs.lifting.intervals import Bounds, quotient
from clearspec_proofs.lifting.polynomials import Polynomial, add, constant, multiply, negate, text
from clearspec_proofs.lifting.terms import Choice, Term, on_path, polynomial_of

STEPS_MAX = 20_000
"""Decisions and divisions of one path; a loop that depends on an amount ends here."""


class Effort(IntEnum):
    """How hard a guide shall look for a contradiction."""

    NONE = 0
    QUICK = 1
    FULL = 2


class Discarded(Exception):
    """An assumption does not hold on this path: nothing is claimed about it."""


class Failed(Exception):
    """A claim does not hold on this path, as far as is known."""

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim


class Unliftable(RuntimeError):
    """A path that does not end."""


@dataclass(frozen=True, slots=True)
class Forced:
    """Only one outcome is possible, for the opposite contradicts the hypotheses."""

    outcome: bool
    certificate: Certificate


class Guide(Protocol):
    """Knows, or finds out, which outcomes are impossible."""

    def advise(self, path: Path, polynomial: Polynomial) -> Forced | None:
        """Whether ``polynomial >= 0`` is certain or impossible at this point of the path; ``None``: not known."""


@cache
def ranged(name: str, low: int | None, high: int | None, origin: str) -> tuple[Polynomial, tuple[Hypothesis, ...]]:
    """The polynomial of an atom, and the hypotheses that bound it."""
    here: Polynomial = {(name,): 1}
    found = []
    if low is not None:
        found.append(Hypothesis(add(here, constant(low), -1), False, f"{origin} of {name}"))
    if high is not None:
        found.append(Hypothesis(add(constant(high), here, -1), False, f"{origin} of {name}"))
    return here, tuple(found)


class Path:
    """One execution: hypotheses so far, decisions so far, and those that other paths still have to take."""

    def __init__(self, guide: Guide, prefix: str = "") -> None:
        self.guide = guide
        self.prefix = prefix
        self.trail = ""
        self.pending: list[str] = []
        self.hypotheses: list[Hypothesis] = []
        self.bounds = Bounds()
        self.atoms: dict[str, None] = {}
        self.choices: dict[str, tuple[Any, ...]] = {}
        self.counts: dict[str, int] = {}
        self.divisions: dict[tuple[Any, ...], tuple[Polynomial, Polynomial]] = {}
        self.effort = Effort.QUICK
        self.origin = "decision"
        self.claims: list[str] = []
        self.marks: set[str] = set()
        self.contracts: set[str] = set()
        self.good: list[Any] = []
        self.stand_ins = True
        self.width: int | None = None
        self.used: set[str] = set()
        self.obligations: list[str] = []
        self.evidently = 0
        self.steps = 0

    # Hypotheses

    def suppose(self, polynomial: Polynomial, equation: bool, origin: str) -> None:
        """Take ``polynomial >= 0`` (or ``== 0``) as a hypothesis of this path."""
        self.hypotheses.append(Hypothesis(polynomial, equation, origin))
        self.bounds.learn(polynomial)
        if equation:
            self.bounds.learn(negate(polynomial))

    def atom(self, name: str, low: int | None = None, high: int | None = None, origin: str = "range") -> Any:
        """A new symbolic integer between ``low`` and ``high``, both allowed."""
        if name in self.atoms:
            raise ValueError(f"atom {name} exists")
        self.atoms[name] = None
        here, ranges = ranged(name, low, high, origin)
        self.hypotheses += ranges
        self.bounds.known[(((name,), 1),)] = low, high
        return Term(here)

    def fresh(self, name: str, low: int | None = None, high: int | None = None) -> Any:
        """A new atom whose name is made unique by a number."""
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.atom(f"{name}#{self.counts[name]}", low, high)

    def choice(self, name: str, *options: Any) -> Any:
        """A value that is one of ``options``; the value itself if there is one only."""
        if len(options) == 1:
            return options[0]
        self.choices.setdefault(name, options)
        return Choice(name, options)

    # Decisions

    def _step(self) -> None:
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Unliftable(f"more than {STEPS_MAX} decisions on one path: a loop that depends on an amount?")

    def evident(self, polynomial: Polynomial) -> bool | None:
        """Whether ``polynomial >= 0`` follows from known bounds, or is impossible by them."""
        low, high = self.bounds.of(polynomial)
        if low is not None and low >= 0:
            return True
        if high is not None and high < 0:
            return False
        return None

    def decide(self, polynomial: Polynomial) -> bool:
        """Whether ``polynomial >= 0`` on this path; asked for the first time, the guide says what is possible."""
        self._step()
        known = self.evident(polynomial)
        if known is not None:
            self.evidently += self.effort == Effort.FULL
            return known
        outcome = self._next_outcome(polynomial)
        decided = polynomial if outcome else add(negate(polynomial), constant(1), -1)
        if self.bounds.is_excluded(decided):
            decided = add(decided, constant(1), -1)
        self.suppose(decided, False, self.origin)
        if self.evident(negate(decided)):
            self.suppose(decided, True, self.origin)
        return outcome

    def decide_equal(self, polynomial: Polynomial) -> bool:
        """Whether ``polynomial == 0`` on this path.

        A claim needs both inequalities. Elsewhere a path on which it is not 0 goes on with either sign, until an
        inequality tells them apart.
        """
        low, high = self.bounds.of(polynomial)
        if low == high == 0:
            return True
        if (low is not None and low > 0) or (high is not None and high < 0) or self.bounds.is_excluded(polynomial):
            return False
        if self.effort == Effort.FULL or low == 0 or high == 0:
            return self.decide(polynomial) and self.decide(negate(polynomial))
        self._step()
        mark = self.prefix[len(self.trail)] if len(self.trail) < len(self.prefix) else self._both()
        self.trail += mark
        if mark == "1":
            self.suppose(polynomial, True, self.origin)
        else:
            self.bounds.exclude(polynomial)
        return mark == "1"

    def _next_outcome(self, polynomial: Polynomial) -> bool:
        """The outcome that the prefix gives, or else the guide."""
        if len(self.trail) < len(self.prefix):
            mark = self.prefix[len(self.trail)]
        elif self.effort == Effort.NONE:
            mark = self._both()
        else:
            advice = self.guide.advise(self, polynomial)
            mark = self._both() if advice is None else self._checked(polynomial, advice)
        self.trail += mark
        return mark in "1T"

    def _both(self) -> str:
        """Go on with yes; no is a path of its own."""
        self.pending.append(self.trail + "0")
        return "1"

    def _checked(self, polynomial: Polynomial, advice: Forced) -> str:
        """Check the certificate that the opposite outcome is impossible.

        Raises:
            Unfounded: it shows nothing.
        """
        opposite = add(negate(polynomial), constant(1), -1) if advice.outcome else polynomial
        against = [*self.hypotheses, Hypothesis(opposite, False, "the opposite")]
        check(against, advice.certificate)
        cited = [against[number] for number in sorted(advice.certificate.used)]
        self.used |= {entry.origin for entry in cited}
        shown = (f"{text(entry.polynomial)} {'==' if entry.equation else '>='} 0" for entry in cited)
        self.obligations.append(f"{self.trail}: {', '.join(shown)}")
        return "T" if advice.outcome else "F"

    def choose(self, name: str, options: tuple[Any, ...], wanted: Any) -> bool:
        """Whether a choice fell on ``wanted``; each of its remaining options is possible."""
        self._step()
        left = self.choices[name]
        if not any(wanted == option for option in left):
            return False
        if len(left) == 1:
            return True
        mark = self.prefix[len(self.trail)] if len(self.trail) < len(self.prefix) else self._both()
        self.trail += mark
        hit = mark == "1"
        self.choices[name] = tuple(option for option in left if (option == wanted) is hit)
        return hit

    # Operations

    def computed(self, polynomial: Polynomial) -> None:
        """Where a width is watched, claim that a result fits a signed integer of so many bits."""
        if self.width is None:
            return
        low, high = self.bounds.of(polynomial)
        limit = 1 << (self.width - 1)
        if low is not None and low >= -limit and high is not None and high < limit:
            return
        top, bottom = add(constant(limit - 1), polynomial, -1), add(polynomial, constant(-limit), -1)
        self.claim(f"{self.width} bits", lambda: self.decide(top) and self.decide(bottom))

    def divide(self, numerator: Polynomial, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
        """Floor quotient and remainder: ``numerator == quotient * divisor + rest`` and ``0 <= rest < divisor``.

        Raises:
            Failed: the divisor may be 0 or less. Python's floor division and this definition agree above 0 alone.
        """
        self._step()
        key: tuple[Any, ...] = (tuple(sorted(numerator.items())), tuple(sorted(divisor.items())))
        if key not in self.divisions:
            with self.attempt(Effort.FULL, "divisor"):
                if not self.decide(add(divisor, constant(1), -1)):
                    raise Failed("every divisor is positive")
            self.divisions[key] = self._divided(numerator, divisor)
        return self.divisions[key]

    def _divided(self, numerator: Polynomial, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
        number = len(self.divisions)
        low, high = quotient(self.bounds.of(numerator), self.bounds.of(divisor))
        if low is not None and low == high:
            whole = constant(low)
            rest = add(numerator, multiply(whole, divisor), -1)
            self.suppose(rest, False, "division")
            self.suppose(add(add(divisor, rest, -1), constant(1), -1), False, "division")
            return whole, rest
        whole = polynomial_of(self.atom(f"quotient{number}", low, high, "division"))
        rest = polynomial_of(self.atom(f"remainder{number}", 0, None, "division"))
        self.suppose(add(add(divisor, rest, -1), constant(1), -1), False, "division")
        self.suppose(add(add(numerator, multiply(whole, divisor), -1), rest, -1), True, "division")
        return whole, rest

    # What theorems say

    @contextmanager
    def attempt(self, effort: Effort, origin: str) -> Iterator[None]:
        """Within it decisions are made with another effort, and their hypotheses bear another origin."""
        before = self.effort, self.origin
        self.effort, self.origin = effort, origin
        try:
            yield
        finally:
            self.effort, self.origin = before

    def assume(self, statement: Callable[[], object], origin: str = "assumption") -> None:
        """Go on only where a statement holds."""
        with self.attempt(Effort.NONE, origin):
            if not statement():
                raise Discarded

    def claim(self, name: str, statement: Callable[[], object]) -> None:
        """Claim a statement: it must hold however the path came here.

        Raises:
            Failed: it was not shown.
        """
        if name not in self.claims:
            self.claims.append(name)
        with self.attempt(Effort.FULL, name):
            if not statement():
                raise Failed(name)

    def mark(self, name: str) -> None:
        """Note that a path came here; a theorem without such a path says nothing."""
        self.marks.add(name)


Body = Callable[[Path], Any]


@dataclass(slots=True)
class Ended:
    """How one path ended."""

    path: Path
    failed: str | None
    discarded: bool
    value: Any = None


def executed(body: Body, guide: Guide, prefix: str) -> Ended:
    """Execute one path."""
    path = Path(guide, prefix)
    with on_path(path):
        try:
            return Ended(path, None, False, body(path))
        except Discarded:
            return Ended(path, None, True)
        except Failed as failed:
            return Ended(path, failed.claim, False)


def explore(body: Body, guide: Guide, limit: int = 20_000) -> Iterator[Ended]:
    """Execute every path of ``body``.

    Raises:
        Unliftable: there are more than ``limit``.
    """
    waiting = [""]
    ended = 0
    while waiting:
        if ended >= limit:
            raise Unliftable(f"more than {limit} paths")
        end = executed(body, guide, waiting.pop())
        waiting += end.path.pending
        ended += 1
        yield end
