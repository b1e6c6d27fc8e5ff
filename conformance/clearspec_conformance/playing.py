"""Playing one vector on an engine: what it answers against what the vector says, and where it first went wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearspec.codec import TAGS, encode
from clearspec.events import ACTION_NAMES, Event, Reason
from clearspec.formats import Observable, ReceiptRecord, Vector, VectorStep, receipt_record
from clearspec.listing import build
from clearspec.machine import TRANSITIONS, apply
from clearspec.rules import IMPLEMENTED
from clearspec.snapshot import observable, snapshot, state_root
from clearspec_conformance.engines import Trouble
from clearspec_conformance.formats import KernelVector, Verdict
from clearspec_conformance.kernels import KERNELS
from clearspec_conformance.protocol import RECEIPTS, RESTORE, ROOT, EngineReceipt
from clearspec_conformance.session import NotImplementedByEngine, Session
from clearspec_conformance.suite import Entry
from clearspec_conformance.verdicts import MOST_DIFFERENCES, Difference, Failure, Result, differences, shown

ROOT_PATH = "$.root"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a vector is judged: seconds that it may take, and our reason for each reason of the engine."""

    timeout: float = 10.0
    reasons: Mapping[str, Reason] = field(default_factory=dict)


class Diverged(Exception):
    """The engine's answer is not the expected one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.rule)
        self.failure = failure


def compared(receipt: Any, session: Session, terms: Terms) -> dict[str, Any]:
    """The parts of a receipt that are compared: status and reason; for engines that claim them, amounts and postings.

    A reason of the engine counts as the one that the implementer's map gives for it.
    """
    reason = receipt.reason
    if isinstance(receipt, EngineReceipt) and reason is not None:
        reason = terms.reasons.get(reason, reason)
    parts = {"status": encode(receipt.status), "reason": encode(reason)}
    if session.claims(RECEIPTS):
        parts |= {"amounts": encode(receipt.amounts), "postings": encode(receipt.postings)}
    return parts


def receipt_differences(
    expected: ReceiptRecord, got: EngineReceipt, session: Session, terms: Terms
) -> tuple[Difference, ...]:
    """Where a receipt differs from the expected one."""
    wanted, found = (compared(part, session, terms) for part in (expected, got))
    return tuple(differences(wanted, found, "$.receipt"))[:MOST_DIFFERENCES]


def observable_differences(expected: Observable, got: Observable) -> tuple[Difference, ...]:
    """Where an observable snapshot differs from the expected one."""
    if expected == got:
        return ()
    return tuple(differences(encode(expected), encode(got), "$.observable"))[:MOST_DIFFERENCES]


def stretches(steps: Sequence[VectorStep]) -> Iterator[tuple[int, int]]:
    """Steps in stretches that end where a vector records the observable snapshot, as places from and to."""
    start = 0
    for place, step in enumerate(steps, start=1):
        if step.observable is not None or place == len(steps):
            yield start, place
            start = place


def play_stretch(session: Session, vector: Vector, start: int, end: int, terms: Terms, deadline: float) -> None:
    """Apply the events of a stretch and compare.

    Raises:
        Diverged: the engine's answer is another.
    """
    steps = vector.steps[start:end]
    receipts = session.apply(tuple(step.event for step in steps), deadline)
    for place, (step, receipt) in enumerate(zip(steps, receipts, strict=True), start=start + 1):
        found = receipt_differences(step.receipt, receipt, session, terms)
        if found:
            raise Diverged(Failure(place, rule_behind(vector, step.event, step.receipt), found))
    last = steps[-1]
    if last.observable is not None:
        found = observable_differences(last.observable, session.seen(False, deadline).observable)
        if found:
            raise Diverged(Failure(end, rule_behind(vector, last.event, last.receipt), found))


def rule_behind(vector: Vector, event: Event, receipt: ReceiptRecord) -> str:
    """The rule that a step is about, as far as can be told.

    That of the rejection, else one that the vector cites among the causes of the postings, else that of the action.
    """
    causes = [posting.cause for posting in receipt.postings]
    cited = [cause for cause in causes if cause in vector.rules]
    transition = TRANSITIONS[ACTION_NAMES[type(event.action)]]
    own = [rule for rule, functions in IMPLEMENTED.items() if transition in functions]
    return receipt.rule or next(iter([*cited, *own, *vector.rules]))


def play_events(session: Session, vector: Vector, terms: Terms, deadline: float) -> None:
    """Play a vector from its genesis, then compare the root and go on from a snapshot, where these are claimed.

    Raises:
        Diverged: the engine's answer is another.
    """
    session.load(vector.genesis, deadline)
    for start, end in stretches(vector.steps):
        play_stretch(session, vector, start, end, terms, deadline)
    if session.claims(ROOT):
        compare_root(session, vector, deadline)
    if session.claims(RESTORE):
        play_restored(session, vector, terms, deadline)


def compare_root(session: Session, vector: Vector, deadline: float) -> None:
    """Compare the state root at the end with that of the reference."""
    state = build(vector.genesis)
    for step in vector.steps:
        apply(state, step.event)
    wanted, got = state_root(state), session.seen(True, deadline).root
    if wanted != got:
        raise Diverged(Failure(len(vector.steps), "EVENT-14", (Difference(ROOT_PATH, wanted, got),)))


def play_restored(session: Session, vector: Vector, terms: Terms, deadline: float) -> None:
    """Play the second half of a vector from the reference's full snapshot at its middle."""
    middle = len(vector.steps) // 2
    state = build(vector.genesis)
    for step in vector.steps[:middle]:
        apply(state, step.event)
    session.restore(snapshot(state), deadline)
    try:
        for start, end in stretches(vector.steps[middle:]):
            play_stretch(session, vector, middle + start, middle + end, terms, deadline)
    except Diverged as diverged:
        failure = diverged.failure
        note = f"after restoring the snapshot of step {middle}"
        raise Diverged(Failure(failure.step, "EVENT-12", failure.differences, note=note)) from None


def play_calls(session: Session, vector: KernelVector, deadline: float) -> None:
    """Call the kernels of a vector.

    Raises:
        Diverged: a result is another.
    """
    for place, item in enumerate(vector.calls, start=1):
        got = session.compute(item.call, deadline)
        found = tuple(differences(encode(item.results), encode(got), "$.results"))
        if found:
            rule = KERNELS[TAGS[type(item.call)]].rule
            raise Diverged(Failure(place, rule, found, (encode(item.call),)))


def play(session: Session, entry: Entry, terms: Terms) -> Result:
    """The verdict of an engine on a vector.

    Raises:
        Trouble: the engine gave no usable answer.
    """
    started = time.monotonic()
    lacking = [feature for feature in entry.features if not session.claims(feature)]
    if lacking:
        return result(entry, Verdict.SKIPPED, f"the engine does not claim {', '.join(lacking)}")
    try:
        if isinstance(entry.vector, KernelVector):
            play_calls(session, entry.vector, started + terms.timeout)
        else:
            play_events(session, entry.vector, terms, started + terms.timeout)
    except NotImplementedByEngine as error:
        return result(entry, Verdict.SKIPPED, f"not implemented: {error}")
    except Diverged as diverged:
        failure = diverged.failure
        if isinstance(entry.vector, Vector):
            failure = located(session, entry.vector, failure, terms)
        return result(entry, Verdict.FAILED, headline(failure), failure, session.heard(), time.monotonic() - started)
    session.heard()
    return result(entry, Verdict.PASSED, seconds=time.monotonic() - started)


def result(
    entry: Entry,
    verdict: Verdict,
    why: str = "",
    failure: Failure | None = None,
    stderr: str = "",
    seconds: float = 0.0,
) -> Result:
    """A result on a vector."""
    digest = entry.vector.digest
    return Result(entry.id, entry.chapter, entry.vector.rules, digest, verdict, why, failure, stderr, seconds)


def headline(failure: Failure) -> str:
    """A failure in a line."""
    first = failure.differences[0]
    return f"step {failure.step}: {first.path}: expected {shown(first.expected)}, got {shown(first.got)}"


def located(session: Session, vector: Vector, failure: Failure, terms: Terms) -> Failure:
    """The failure with the shortest prefix of events that shows it.

    The prefix is played again an event at a time, with a look at the state after each, against the reference: an
    engine may go wrong before the vector looks.
    """
    events = tuple(encode(step.event) for step in vector.steps)
    for derivation in derivations(vector, failure):
        failure = noted(failure, derivation)
    try:
        found = first_divergence(session, vector, failure.step, terms)
    except (Trouble, NotImplementedByEngine) as error:
        found, failure = None, noted(failure, f"the second run, to find the first divergence, failed: {error}")
    if found is None:
        return Failure(failure.step, failure.rule, failure.differences, events[: failure.step], failure.note)
    if found.step < failure.step:
        failure = noted(failure, f"the vector itself sees it at step {failure.step}")
    return Failure(found.step, found.rule, found.differences, events[: found.step], failure.note)


def derivations(vector: Vector, failure: Failure) -> Iterator[str]:
    """How the values that the engine missed were derived by hand, where the vector says."""
    missed = [difference.path for difference in failure.differences]
    for item in vector.by_hand:
        if item.step == failure.step and f"$.{item.place}" in missed:
            yield f"after step {item.step} {item.place} is {item.value} by hand: {item.derivation}"


def noted(failure: Failure, note: str) -> Failure:
    """The failure with a further note."""
    both = f"{failure.note}; {note}" if failure.note else note
    return Failure(failure.step, failure.rule, failure.differences, failure.events, both)


def first_divergence(session: Session, vector: Vector, last: int, terms: Terms) -> Failure | None:
    """The first of ``last`` steps after which receipt or observable snapshot are not those of the reference."""
    deadline = time.monotonic() + terms.timeout
    state = build(vector.genesis)
    session.load(vector.genesis, deadline)
    for place, step in enumerate(vector.steps[:last], start=1):
        wanted, found = step_differences(session, state, step.event, terms, deadline)
        if found:
            rule = "EVENT-14" if found[0].path == ROOT_PATH else rule_behind(vector, step.event, wanted)
            return Failure(place, rule, found)
    return None


def step_differences(
    session: Session, state: Any, event: Event, terms: Terms, deadline: float
) -> tuple[ReceiptRecord, tuple[Difference, ...]]:
    """The reference's receipt of an event, and where the engine's receipt and state differ from it."""
    wanted = receipt_record(apply(state, event))
    (got,) = session.apply((event,), deadline)
    found = receipt_differences(wanted, got, session, terms)
    seen = session.seen(session.claims(ROOT), deadline)
    found += observable_differences(observable(state), seen.observable)
    if session.claims(ROOT) and not found:
        found = tuple(differences(state_root(state), seen.root, ROOT_PATH))
    return wanted, found[:MOST_DIFFERENCES]
