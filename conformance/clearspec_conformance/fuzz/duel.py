"""An engine and the reference on the same trace: whether they agree, and from which step on they do not.

A trace is played as the vector that it would be, through the same doors and with the same verdicts as the suite.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from clearspec.codec import canonical_bytes, encode
from clearspec.events import ACTION_NAMES, Genesis
from clearspec.formats import Importance, Vector, VectorFormat, Why
from clearspec.invariants import INVARIANTS, broken
from clearspec.machine import TRANSITIONS
from clearspec.rules import CHAPTERS, IMPLEMENTED
from clearspec.snapshot import state_root
from clearspec.state import State
from clearspec_conformance.engines import GRACE, Opener, Trouble
from clearspec_conformance.formats import Verdict, sealed
from clearspec_conformance.fuzz.generating import Trace, answered
from clearspec_conformance.playing import Diverged, Terms, headline, play_vector
from clearspec_conformance.reports import LONGEST_WHY
from clearspec_conformance.runner import Run, Settings, begun
from clearspec_conformance.session import NotImplementedByEngine, Session
from clearspec_conformance.suite import VERSION, Entry
from clearspec_conformance.vectors import FEATURE_OF
from clearspec_conformance.verdicts import Difference, Failure

BUG = "disagreement found by fuzzing"
"""Class of bug that a found vector names."""

POSTING = re.compile(r"\$\.receipt\.postings\[(\d+)\]")
"""Where a difference stands that is in a posting."""

RESTORING = "EVENT-12"
"""Rule of a disagreement that shows only after a full snapshot has been restored."""

INVARIANT_PATH = "$.invariants"
"""Where a difference stands that speaks against the reference itself."""


@dataclass(frozen=True)
class Attempt(Entry):
    """A trace as an entry of a suite that is kept nowhere."""

    record: Vector | None = None
    body: Any = None

    def document(self) -> Any:
        """The vector as a document."""
        return self.body

    @property
    def vector(self) -> Any:
        """The vector as a record."""
        return self.record


@lru_cache(maxsize=64)
def encoded(genesis: Genesis) -> Any:
    """A genesis as a document, kept because many traces start from the same one."""
    return encode(genesis)


def features_of(trace: Trace) -> tuple[str, ...]:
    """What an engine must claim to be given a trace."""
    actions = [step.event.action for step in trace.steps if step.event is not None]
    return tuple(sorted({FEATURE_OF[ACTION_NAMES[type(action)]] for action in actions} | {"events"}))


def vector_of(trace: Trace, root: str = "", rules: tuple[str, ...] = (), effect: str = "") -> Vector:
    """The trace as a vector without a digest; its id is that of the events."""
    content = [trace.genesis, *(step.event or step.document for step in trace.steps)]
    name = hashlib.sha256(b"".join(canonical_bytes(part) for part in content)).hexdigest()[:12] if rules else "attempt"
    return Vector(
        VectorFormat.V2, f"fuzz-{name}", VERSION, rules, features_of(trace), Importance.RULE, Why(BUG, effect, ""),
        trace.genesis, trace.steps, tuple(item.id for item in INVARIANTS), "", (), root,
    )  # fmt: skip


def attempt(trace: Trace, root: str = "") -> Attempt:
    """The entry as which a trace is played."""
    vector = vector_of(trace, root)
    body = {"genesis": encoded(trace.genesis), "steps": [encode(step) for step in trace.steps], "root": root}
    return Attempt("attempt", "events", (), (), vector.importance, "", b"", vector, body)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A trace on which an engine is not the reference: the verdict, where and how; the last step is the one."""

    trace: Trace
    verdict: Verdict
    failure: Failure | None
    why: str
    stderr: str = ""

    @property
    def own(self) -> bool:
        """Whether it speaks against the reference, whatever the engine says."""
        return self.failure is not None and self.failure.differences[0].path == INVARIANT_PATH


class Skipped(Exception):
    """The engine says that it lacks what a trace asks for."""


class Duel:
    """An engine that is played against the reference, and started again when it dies or hangs."""

    def __init__(self, open_door: Opener, terms: Terms, start_timeout: float) -> None:
        self.run: Run = begun(open_door, Settings(terms, start_timeout))
        self.session: Session | None = None

    def opened(self) -> Session:
        """The engine, running.

        Raises:
            Trouble: it does not start.
            BadInput: its command cannot be started at all.
        """
        self.session = self.session or self.run.start()
        return self.session

    def disagreement(self, trace: Trace, root: str = "") -> Disagreement | None:
        """Where the engine first differs from a trace; ``None`` if it does not.

        With the state root after it, what engines may claim beside the chapters is tried too (``Terms.thorough``).

        Raises:
            Skipped: the engine says that it lacks something.
        """
        terms = replace(self.run.settings.terms, thorough=bool(root))
        try:
            play_vector(self.opened(), attempt(trace, root), terms, time.monotonic() + terms.timeout)
        except NotImplementedByEngine as error:
            raise Skipped(str(error)) from None
        except Diverged as diverged:
            failure, heard = diverged.failure, self.opened().heard()
            # Where a trace is restored depends on its length.
            shown = trace if failure.rule == RESTORING else cut(trace, failure.step)
            return Disagreement(shown, Verdict.FAILED, failure, headline(failure), heard)
        except Trouble as trouble:
            heard = "" if self.session is None else self.session.heard()
            self.drop()
            return Disagreement(trace, trouble.verdict, None, str(trouble), heard)
        return None

    def drop(self) -> None:
        """End an engine that is of no more use."""
        self.run.drop(self.session)
        self.session = None

    def end(self) -> None:
        """End the engine well."""
        if self.session is not None:
            self.session.end(time.monotonic() + GRACE)
            self.session = None
        self.run.stop()


def cut(trace: Trace, step: int) -> Trace:
    """The trace up to a step, at least one."""
    return Trace(trace.genesis, trace.steps[: max(1, step)])


def against_itself(state: State, trace: Trace) -> Disagreement | None:
    """Invariants that the reference breaks at the end of a trace; none, if it is right."""
    found = broken(state)
    if not found:
        return None
    failure = Failure(len(trace.steps), found[0], (Difference(INVARIANT_PATH, [], found),))
    return Disagreement(trace, Verdict.FAILED, failure, f"the reference breaks {', '.join(found)}")


def rules_of(found: Disagreement) -> tuple[str, ...]:
    """The rule that a disagreement is about, as far as can be told.

    That of the rejection; else the cause of the posting that differs, or what the action's own chapter says of it.
    """
    last = found.trace.steps[-1]
    receipt, path = last.receipt, "" if found.failure is None else found.failure.differences[0].path
    if receipt.rule is not None or last.event is None:
        return (receipt.rule or "EVENT-3",)
    posting = POSTING.match(path)
    if posting is not None and int(posting[1]) < len(receipt.postings):
        return (receipt.postings[int(posting[1])].cause,)
    name = ACTION_NAMES[type(last.event.action)]
    cited = [rule for rule, functions in IMPLEMENTED.items() if TRANSITIONS[name] in functions]
    own = [rule for rule in cited if CHAPTERS[rule.rpartition("-")[0]] == FEATURE_OF[name]]
    return ((*own, *cited)[0],)


def found_vector(found: Disagreement) -> Vector:
    """The vector of a disagreement: what must come of it is what the reference says, seen after the last step."""
    state, trace = answered(found.trace.genesis, found.trace.steps)
    vector: Vector = sealed(vector_of(trace, state_root(state), rules_of(found), found.why[:LONGEST_WHY]))
    return vector


def chapter_of(vector: Vector) -> str:
    """The chapter in whose folder a vector belongs."""
    return CHAPTERS[vector.rules[0].rpartition("-")[0]]
