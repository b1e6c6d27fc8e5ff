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
from typing import Any, NoReturn, Protocol

from clearspec_proofs.lifting.certificates import Certificate, Hypothesis, Unfounded, check
from clearspec_proofs.lifting.intervals import Bounds, quotient
from clearspec_proofs.lifting.polynomials import Polynomial, add, constant, multiply, negate, text
from clearspec_proofs.lifting.terms import Choice, LeavesSubset, Term, on_path, polynomial_of, truth_value

STEPS_MAX = 20_000
"""Decisions and divisions of one path; a loop that depends on an amount ends here."""

FORKS_MAX = 2_000
"""Decisions of one path that known bounds do not decide."""

OPERATIONS_MAX = 1_000_000
"""Sums, differences and products of one path; a loop without any decision ends here."""


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
    """A path that does not end, or that cannot be followed."""


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

    def __init__(self, guide: Guide, prefix: str = "", story: int = 0) -> None:
        self.guide = guide
        self.prefix = prefix
        self.told = story
        self.story = 0
        self.trail = ""
        self.pending: list[tuple[str, int]] = []
        self.hypotheses: list[Hypothesis] = []
        self.bounds = Bounds()
        self.atoms: dict[str, None] = {}
        self.choices: dict[str, tuple[Any, ...]] = {}
        self.named: dict[str, tuple[Any, ...]] = {}
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
        self.operations = 0
        self.failure: str | None = None
        self.refusal: str | None = None

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
            raise Unliftable(f"atom {name} exists")
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
        """A value that is one of ``options``; the value itself if there is one only.

        ``None`` is none of several, for nobody can ask a ``Choice`` whether it ``is None``.
        """
        if self.named.setdefault(name, options) != options or (len(options) > 1 and None in options):
            raise Unliftable(f"choice {name} among {options}: it was another one, or None is among them")
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
            if self.effort == Effort.FULL:
                self._note(polynomial, known)
            return known
        outcome = self._next_outcome(polynomial)
        decided = polynomial if outcome else add(negate(polynomial), constant(1), -1)
        if self.bounds.is_excluded(decided):
            decided = add(decided, constant(1), -1)
        self.suppose(decided, False, self.origin)
        if self.evident(negate(decided)):
            self.suppose(decided, True, self.origin)
        return outcome

    def _note(self, polynomial: Polynomial, outcome: bool) -> None:
        """What a claim finds evident helps later ones, unless it is linear, when ranges say as much."""
        self.evidently += 1
        if outcome and any(len(monomial) > 1 for monomial in polynomial):
            self.suppose(polynomial, False, self.origin)

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
        equal = self._given(("==", frozenset(polynomial.items()))) or self._both()
        self.trail += equal
        if equal == "1":
            self.suppose(polynomial, True, self.origin)
        else:
            self.bounds.exclude(polynomial)
        return equal == "1"

    def _next_outcome(self, polynomial: Polynomial) -> bool:
        """The outcome that the prefix gives, or else the guide."""
        mark = self._given((">=", frozenset(polynomial.items())))
        if not mark and self.effort != Effort.NONE:
            advice = self.guide.advise(self, polynomial)
            mark = "" if advice is None else self._checked(polynomial, advice)
        mark = mark or self._both()
        self.trail += mark
        return mark in "1T"

    def _given(self, question: object) -> str:
        """The mark that the prefix has for a question, or nothing.

        Raises:
            Unliftable: this execution asks something else than the one that left the prefix.
        """
        self.story = hash((self.story, question))
        here = len(self.trail)
        if here + 1 == len(self.prefix) and self.story != self.told:
            raise Unliftable("the same decisions led to another question: the execution depends on something else")
        return self.prefix[here : here + 1]

    def _both(self) -> str:
        """Go on with yes; no is a path of its own."""
        if len(self.trail) >= FORKS_MAX:
            raise Unliftable(f"more than {FORKS_MAX} open decisions on one path: a loop that depends on an amount?")
        self.pending.append((self.trail + "0", self.story))
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
        mark = self._given((name, repr(wanted))) or self._both()
        self.trail += mark
        hit = mark == "1"
        self.choices[name] = tuple(option for option in left if (option == wanted) is hit)
        return hit

    # Operations

    def computed(self, polynomial: Polynomial) -> None:
        """Where a width is watched, claim that a result fits a signed integer of so many bits."""
        self.operations += 1
        if self.operations > OPERATIONS_MAX:
            raise Unliftable(f"more than {OPERATIONS_MAX} operations on one path: a loop that does not end?")
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
                    self.fail("every divisor is positive")
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
            if not truth_value(statement()):
                raise Discarded

    def claim(self, name: str, statement: Callable[[], object]) -> None:
        """Claim a statement: it must hold however the path came here.

        Raises:
            Failed: it was not shown.
        """
        if name not in self.claims:
            self.claims.append(name)
        with self.attempt(Effort.FULL, name):
            if not truth_value(statement()):
                self._require_possible()
                self.fail(name)

    def _require_possible(self) -> None:
        """Go on only where the hypotheses do not contradict each other: what fails elsewhere never happens.

        Raises:
            Discarded: that -1 >= 0 follows from them.
        """
        absurd = constant(-1)
        advice = self.guide.advise(self, absurd)
        if advice is not None and advice.outcome:
            self.trail += self._checked(absurd, advice)
            raise Discarded

    def fail(self, claim: str) -> NoReturn:
        """End the path with a claim that was not shown, even if the code under proof catches the error."""
        self.failure = self.failure or claim
        raise Failed(claim)

    def left_subset(self, message: str) -> None:
        """Take note of a refused operation, even if the code under proof catches the error."""
        self.refusal = self.refusal or message

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


def executed(body: Body, guide: Guide, prefix: str = "", story: int = 0) -> Ended:
    """Execute one path."""
    path = Path(guide, prefix, story)
    with on_path(path):
        try:
            end = Ended(path, None, False, body(path))
        except Discarded:
            end = Ended(path, None, True)
        except Failed as failed:
            end = Ended(path, failed.claim, False)
        except (LeavesSubset, Unliftable, Unfounded):
            raise
        except Exception as fault:
            end = Ended(path, erred(fault), False)
    if path.refusal is not None:
        raise LeavesSubset(path.refusal)
    if len(path.trail) < len(prefix):
        raise Unliftable("fewer decisions than before: the execution depends on something else")
    end.failed = end.failed or path.failure
    return end


def erred(fault: Exception) -> str:
    """The claim that an execution broke that ended with an error; every theorem makes it."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"
    return f"it ends without an error ({type(fault).__name__}: {fault}{place})"


def explore(body: Body, guide: Guide, limit: int = 20_000) -> Iterator[Ended]:
    """Execute every path of ``body``.

    Raises:
        Unliftable: there are more than ``limit``.
    """
    waiting = [("", 0)]
    ended = 0
    while waiting:
        if ended >= limit:
            raise Unliftable(f"more than {limit} paths")
        end = executed(body, guide, *waiting.pop())
        waiting += end.path.pending
        ended += 1
        yield end
