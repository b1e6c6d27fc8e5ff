"""Playing one vector on an engine: what it answers against what the vector says, and where it first went wrong.

Answers are compared as documents. One that is the expected document, to the letter, is right; only another one is
decoded, to tell an answer that differs in what engines are compared on from one that does not, and from one that is
none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearspec.codec import encode
from clearspec.events import ACTION_NAMES, Event, Reason
from clearspec.formats import Observable, ReceiptRecord, Vector, VectorStep, receipt_record
from clearspec.listing import build
from clearspec.machine import TRANSITIONS, apply, apply_document
from clearspec.rules import IMPLEMENTED
from clearspec.snapshot import observable, snapshot, state_root
from clearspec.state import State
from clearspec_conformance.engines import Trouble
from clearspec_conformance.formats import Verdict
from clearspec_conformance.kernels import KERNELS
from clearspec_conformance.protocol import LARGEST_BATCH, RECEIPTS, RESTORE, ROOT, EngineReceipt, Seen
from clearspec_conformance.session import NotImplementedByEngine, RefusedByEngine, Session
from clearspec_conformance.suite import Entry
from clearspec_conformance.verdicts import MOST_DIFFERENCES, Difference, Failure, Result, differences, shown

ROOT_PATH = "$.root"
LOAD_PATH = "$.load"

WHOLE = ("id", "sequence", "time", "action", "rule", "amounts", "postings")
"""What is compared of a receipt, beside status and reason, if the engine claims that its receipts are whole."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a vector is judged: seconds that it may take, and our reason for each reason of the engine.

    ``thorough``: what engines may claim beside the chapters is tried too: the state root, and going on from a snapshot.
    """

    timeout: float = 10.0
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    thorough: bool = True


class Diverged(Exception):
    """The engine's answer is not the expected one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.rule)
        self.failure = failure


def compared(receipt: Any, session: Session, terms: Terms) -> dict[str, Any]:
    """The parts of a receipt that are compared: status and reason; for engines that claim them, the rest.

    A reason of the engine counts as the one that the implementer's map gives for it.
    """
    reason = receipt.reason
    if isinstance(receipt, EngineReceipt) and reason is not None:
        reason = terms.reasons.get(reason, reason)
    parts = {"status": encode(receipt.status), "reason": encode(reason)}
    if session.claims(RECEIPTS):
        parts |= {name: encode(getattr(receipt, name)) for name in WHOLE}
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


def stretches(steps: Sequence[Any], start: int = 0) -> Iterator[tuple[int, int]]:
    """The documents of steps in stretches that are one request each, as places from and to.

    A stretch ends where the vector holds an observable snapshot; a document is one by itself.
    """
    for place, step in enumerate(steps[start:], start=start + 1):
        looked_at = step.get("observable") is not None
        last = place == len(steps) or steps[place].get("document") is not None
        if looked_at or last or step.get("document") is not None or place - start == LARGEST_BATCH:
            yield start, place
            start = place


def request_for(steps: Sequence[Any]) -> dict[str, Any]:
    """The body of the ``apply`` of a stretch."""
    document = steps[0].get("document")
    return {"events": [step["event"] for step in steps]} if document is None else {"document": document}


@dataclass(frozen=True, slots=True)
class Played:
    """A vector of events that is being played: by whom, as it stands in its file, and how it is judged."""

    session: Session
    entry: Entry
    document: Any
    terms: Terms
    deadline: float

    @property
    def vector(self) -> Vector:
        """The vector as a record."""
        assert isinstance(self.entry.vector, Vector)
        return self.entry.vector

    def stretch(self, start: int, end: int) -> None:
        """Apply the events of a stretch and compare.

        Raises:
            Diverged: the engine's answer is another.
        """
        steps = self.document["steps"][start:end]
        answered = self.session.applied(request_for(steps), self.deadline)
        as_expected = answered.body == {"receipts": [step["receipt"] for step in steps]}
        if self.terms.reasons or not as_expected:
            self._compare_receipts(self.session.receipts(answered, end - start), start)
        ended = end == len(self.document["steps"])
        root = self.document.get("root") if ended and self.terms.thorough and self.session.claims(ROOT) else None
        if root or steps[-1].get("observable") is not None:
            self._look(end, steps[-1].get("observable"), root or None)

    def _compare_receipts(self, receipts: Sequence[EngineReceipt], start: int) -> None:
        """Compare the receipts of a stretch one by one."""
        for place, receipt in enumerate(receipts, start=start + 1):
            step = self.vector.steps[place - 1]
            found = receipt_differences(step.receipt, receipt, self.session, self.terms)
            if found:
                raise Diverged(Failure(place, rule_behind(self.vector, step), found))

    def _look(self, place: int, wanted: Any, root: str | None) -> None:
        """Compare the observable snapshot after a step, and the state root, as far as the vector holds them."""
        answered = self.session.seen(root is not None, self.deadline)
        if answered.body == {"observable": wanted, "root": root}:
            return
        seen: Seen = self.session.fitting(answered)
        step = self.vector.steps[place - 1]
        found = () if step.observable is None else observable_differences(step.observable, seen.observable)
        if found:
            raise Diverged(Failure(place, rule_behind(self.vector, step), found))
        if root is not None and seen.root != root:
            raise Diverged(Failure(place, "EVENT-14", (Difference(ROOT_PATH, root, seen.root),)))

    def whole(self) -> None:
        """Play the vector from its genesis; then, where that is claimed and wanted, go on from a snapshot.

        Raises:
            Diverged: the engine's answer is another.
        """
        try:
            self.session.load({"genesis": self.document["genesis"]}, self.deadline)
        except RefusedByEngine as refused:
            raise Diverged(refusal(refused)) from None
        for start, end in stretches(self.document["steps"]):
            self.stretch(start, end)
        if self.terms.thorough and self.session.claims(RESTORE):
            self.restored()

    def restored(self) -> None:
        """Play the second half of the vector from the reference's full snapshot at its middle."""
        middle = len(self.vector.steps) // 2
        state = build(self.vector.genesis)
        for step in self.vector.steps[:middle]:
            applied(state, step)
        note = f"after restoring the snapshot of step {middle}"
        try:
            self.session.load({"snapshot": snapshot(state)}, self.deadline)
            for start, end in stretches(self.document["steps"], middle):
                self.stretch(start, end)
        except RefusedByEngine as refused:
            raise Diverged(Failure(middle, "EVENT-12", refusal(refused).differences, note=note)) from None
        except Diverged as diverged:
            failure = diverged.failure
            raise Diverged(Failure(failure.step, "EVENT-12", failure.differences, note=note)) from None


def refusal(refused: RefusedByEngine) -> Failure:
    """The failure of an engine that refuses a right genesis."""
    return Failure(0, refused.rule or "EVENT-2", (Difference(LOAD_PATH, "accepted", f"refused: {refused}"),))


def applied(state: State, step: VectorStep) -> ReceiptRecord:
    """The reference's receipt of a step."""
    if step.event is None:
        return apply_document(state, step.document or "")
    return receipt_record(apply(state, step.event))


def rule_behind(vector: Vector, step: VectorStep) -> str:
    """The rule that a step is about, as far as can be told.

    That of the rejection, else one that the vector cites among the causes of the postings, else that of the action.
    """
    causes = [posting.cause for posting in step.receipt.postings]
    cited = [cause for cause in causes if cause in vector.rules]
    return step.receipt.rule or next(iter([*cited, *_rules_of(step.event), *vector.rules]))


def _rules_of(event: Event | None) -> list[str]:
    """The rules that the transition of an event cites."""
    if event is None:
        return []
    transition = TRANSITIONS[ACTION_NAMES[type(event.action)]]
    return [rule for rule, functions in IMPLEMENTED.items() if transition in functions]


def play_geneses(session: Session, cases: Sequence[Any], deadline: float) -> None:
    """Load the documents of a vector's geneses: each must be refused for its rule, or accepted.

    Raises:
        Diverged: the engine accepts what it must refuse, refuses what it must accept, or names another rule.
    """
    for place, case in enumerate(cases, start=1):
        given = "genesis" if case["document"] is None else "document"
        try:
            session.load({given: case[given]}, deadline)
            got = None
        except RefusedByEngine as refused:
            got = refused
        found = tuple(genesis_differences(case["refused"], got))
        if found:
            rule = case["refused"] or "EVENT-2"
            raise Diverged(Failure(place, rule, found, ({given: case[given]},), case["about"]))


def genesis_differences(wanted: str | None, got: RefusedByEngine | None) -> Iterator[Difference]:
    """Where what came of a genesis is not what must; a rule that the engine does not name is not compared."""
    expected, found = ("accepted" if part is None else "refused" for part in (wanted, got))
    yield from differences(expected, found, LOAD_PATH)
    if wanted is not None and got is not None and got.rule:
        yield from differences(wanted, got.rule, "$.rule")


def play_calls(session: Session, calls: Sequence[Any], deadline: float) -> None:
    """Call the kernels of a vector, given as documents.

    Raises:
        Diverged: a result is another.
    """
    for place, item in enumerate(calls, start=1):
        answered = session.answer("kernel", {"call": item["call"]}, deadline)
        if answered.body == {"results": item["results"]}:
            continue
        found = tuple(differences(item["results"], encode(session.fitting(answered).results), "$.results"))
        if found:
            rule = KERNELS[next(iter(item["call"]))].rule
            raise Diverged(Failure(place, rule, found, (item["call"],)))


def play_vector(session: Session, entry: Entry, terms: Terms, deadline: float) -> None:
    """Play a vector of any kind.

    Raises:
        Diverged: the engine's answer is another.
    """
    document = entry.document()
    if "calls" in document:
        play_calls(session, document["calls"], deadline)
    elif "cases" in document:
        play_geneses(session, document["cases"], deadline)
    else:
        Played(session, entry, document, terms, deadline).whole()


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
        with session.watched(started + terms.timeout):
            play_vector(session, entry, terms, started + terms.timeout)
    except NotImplementedByEngine as error:
        return result(entry, Verdict.SKIPPED, f"not implemented: {error}")
    except Diverged as diverged:
        failure = diverged.failure
        if isinstance(entry.vector, Vector) and failure.step:
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
    return Result(entry.id, entry.chapter, entry.rules, entry.digest, verdict, why, failure, stderr, seconds)


def headline(failure: Failure) -> str:
    """A failure in a line."""
    first = failure.differences[0]
    return f"step {failure.step}: {first.path}: expected {shown(first.expected)}, got {shown(first.got)}"


def located(session: Session, vector: Vector, failure: Failure, terms: Terms) -> Failure:
    """The failure with the shortest prefix of events that shows it.

    The prefix is played again an event at a time, with a look at the state after each, against the reference: an
    engine may go wrong before the vector looks.
    """
    events = tuple(step.document if step.event is None else encode(step.event) for step in vector.steps)
    for derivation in derivations(vector, failure):
        failure = noted(failure, derivation)
    try:
        found = first_divergence(session, vector, failure.step, terms)
    except (Trouble, NotImplementedByEngine, RefusedByEngine) as error:
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
    with session.watched(deadline):
        session.load({"genesis": encode(vector.genesis)}, deadline)
        for place, step in enumerate(vector.steps[:last], start=1):
            found = step_differences(session, state, step, terms, deadline)
            if found:
                return Failure(place, "EVENT-14" if found[0].path == ROOT_PATH else rule_behind(vector, step), found)
    return None


def step_differences(
    session: Session, state: State, step: VectorStep, terms: Terms, deadline: float
) -> tuple[Difference, ...]:
    """Where the engine's receipt of a step, and its state after it, differ from the reference's."""
    wanted = applied(state, step)
    (got,) = session.receipts(session.applied(request_for([encode(step)]), deadline), 1)
    found = receipt_differences(wanted, got, session, terms)
    seen: Seen = session.fitting(session.seen(session.claims(ROOT), deadline))
    found += observable_differences(observable(state), seen.observable)
    if session.claims(ROOT) and not found:
        found = tuple(differences(state_root(state), seen.root, ROOT_PATH))
    return found[:MOST_DIFFERENCES]
