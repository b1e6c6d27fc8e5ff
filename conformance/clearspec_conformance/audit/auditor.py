"""The auditor of a stretch of a log: each event against the reference, and the engine's own numbers by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from clearspec.codec import DecodeError, decode, encode
from clearspec.events import ACTION_NAMES, Event, Reason, Receipt
from clearspec.formats import Status
from clearspec.ledger import Posting
from clearspec.machine import apply
from clearspec.numerics import SEQUENCE_MAX, TIME_MAX, clamp
from clearspec.snapshot import restore, snapshot
from clearspec.state import BalanceKey, MarketStatus, State
from clearspec_command.display import plain
from clearspec_conformance.audit import tallies
from clearspec_conformance.audit.adopting import Kept, adopt, adopt_figures
from clearspec_conformance.audit.amounts import RANGED
from clearspec_conformance.audit.blame import VERDICT, rule_of
from clearspec_conformance.audit.books import Books, Breach, ledger_name
from clearspec_conformance.audit.comparing import (
    agrees,
    contradicted,
    figure_differences,
    is_reordered,
    receipt_differences,
    whole_differences,
    without_nulls,
)
from clearspec_conformance.audit.figures import against_snapshot, judged_whole
from clearspec_conformance.audit.figures import seen as figures_seen
from clearspec_conformance.audit.findings import breach_findings, subject_of, told
from clearspec_conformance.audit.follow_ups import Entry, entered
from clearspec_conformance.audit.formats import (
    ClaimedPosting,
    ClaimedReceipt,
    DifferenceRecord,
    Figures,
    FindingRecord,
    LogFault,
    Subject,
    WholeFigures,
)
from clearspec_conformance.audit.lines import Line
from clearspec_conformance.audit.problems import BadLog, Place, undecoded
from clearspec_conformance.audit.snapshots import broken_in, state_differences, table_rule
from clearspec_conformance.verdicts import MOST_DIFFERENCES, Difference

REASON_NAMES = frozenset(reason.value for reason in Reason)
GOES_ON = "the audit goes on from what the engine published"


class Claim(NamedTuple):
    """What the engine says of an event: what it published, in the words of the reference, and where that differs."""

    accepted: bool
    reason: str | None
    postings: Sequence[Posting] | None
    amounts: Mapping[str, int] | None
    accounts: Sequence[str] | None
    receipt: ClaimedReceipt | None = None
    differences: tuple[Difference, ...] = ()


def lacks_range(event: Event, claim: Claim) -> bool:
    """Whether an accepted event has an amount with a range (INV-9) that was not published."""
    needed = RANGED.get(ACTION_NAMES[type(event.action)])
    return needed is not None and claim.accepted and needed not in (claim.amounts or ())


def reason_note(claim: Claim) -> str:
    """A word about a reason that is none of the spec's; empty for one that is."""
    if claim.reason is None or claim.reason in REASON_NAMES:
        return ""
    return (
        f"{plain(claim.reason, 60)} is no reason of the spec; the table reasons of a mapping says which it stands for"
    )


def notes_on(claim: Claim, wanted: Receipt, found: Sequence[Difference]) -> str:
    """What helps to understand some differences, in words."""
    notes = [reason_note(claim)]
    if wanted.subject and VERDICT & {one.path for one in found}:
        notes.append(f"the reference's subject: {plain(wanted.subject, 60)}")
    if is_reordered(claim.receipt, wanted):
        notes.append("the same postings in another order (EVENT-1)")
    return "; ".join(filter(None, notes))


def booked(posting: ClaimedPosting) -> Posting:
    """A published posting as one between ledger accounts."""
    debit, credit = posting.debit, posting.credit
    return Posting(
        (posting.asset, posting.pool, debit.kind.value, debit.owner),
        (posting.asset, posting.pool, credit.kind.value, credit.owner),
        posting.amount,
        posting.cause,
    )


@dataclass(slots=True)
class Seen:
    """What came out of a line: differences from the reference, breaches of the engine's own numbers, its figures."""

    differences: list[Difference]
    breaches: list[Breach]
    figures: list[Mapping[str, Any]]
    known: int = tallies.NOTHING


class Auditor:
    """Audits the lines of a stretch, from a state that the log gives. ``going_on``: also after a finding."""

    def __init__(self, state: State, going_on: bool = False) -> None:
        self.going_on = going_on
        self.state = Kept.of(state) if going_on else state
        self.books = Books(state)
        self.tally = tallies.Tally()
        self.follows = False

    @property
    def done(self) -> bool:
        """Whether the audit ends here because of a finding."""
        return bool(self.tally.findings) and not self.going_on

    def take(self, line: Line, place: Place) -> None:
        """Audit a line.

        Raises:
            BadLog: a part of it does not decode.
        """
        if line.event is None and line.snapshot is None:
            raise BadLog(LogFault.MALFORMED, place, "$: expected an event or a snapshot")
        try:
            if line.event is not None:
                self.event(line, place)
            if line.snapshot is not None and not self.done:
                self.snapshot(line.snapshot, place)
        except DecodeError as error:
            raise undecoded(error, place) from None
        if self.tally.series.is_due(place.line) and self.books.known:
            self.tally.series.points.append((place.line, self.books.totals()))

    # Events

    def event(self, line: Line, place: Place) -> None:
        """Audit an event: apply it, compare what was published of it, keep the engine's own books."""
        event = self.decoded(line)
        if event is None:
            self.count(line.receipt, "", False, tallies.AMOUNTS)
            return
        wanted = self.reference(event)
        claim = self.claimed(line, wanted)
        told = tallies.NOTHING if lacks_range(event, claim) else tallies.AMOUNTS
        seen = Seen(list(claim.differences), self.entered(event, claim), [], told)
        if line.observable is not None:
            self.look(line.observable, True, seen)
        if line.figures is not None:
            self.look(line.figures, False, seen)
        self.count(line.receipt, ACTION_NAMES[type(event.action)], claim.accepted, seen.known, claim.reason)
        self.tally.parts.update(name for name in ("observable", "figures") if getattr(line, name) is not None)
        if seen.differences or seen.breaches:
            self.found(event, wanted, claim, seen, place)

    def count(
        self, receipt: Any, action: str, accepted: bool, known: int, reason: str | None = Reason.MALFORMED
    ) -> None:
        """Count an event that has been judged."""
        tally = self.tally
        tally.events += 1
        tally.published[frozenset(receipt)] += 1
        tally.known[known | self.known_now()] += 1
        if accepted:
            tally.accepted[action] += 1
        else:
            tally.rejected[reason if reason in REASON_NAMES else tallies.OTHER] += 1

    def decoded(self, line: Line) -> Event | None:
        """The event of a line; ``None`` for one that does not decode and was rejected as ``malformed`` (EVENT-3)."""
        try:
            event: Event = decode(Event, line.event, "$.event")
        except DecodeError as error:
            claimed: ClaimedReceipt = decode(ClaimedReceipt, line.receipt, "$.receipt")
            if (claimed.status, claimed.reason) != (Status.REJECTED, Reason.MALFORMED):
                raise error from None
            return None
        return event

    def reference(self, event: Event) -> Receipt:
        """What the reference says; on a state that the engine claims and events cannot reach it may be at a loss."""
        if not self.follows:
            return apply(self.state, event)
        try:
            return apply(self.state, event)
        except Exception as error:
            name = ACTION_NAMES[type(event.action)]
            subject = f"no answer on the claimed state: {type(error).__name__}"
            return Receipt(event.id, event.sequence, event.time, name, Reason.MALFORMED, subject, (), {}, ())

    def claimed(self, line: Line, wanted: Receipt) -> Claim:
        """What the engine says of an event."""
        raw = line.receipt
        if agrees(raw, wanted):
            postings = wanted.postings if "postings" in raw else None
            amounts = wanted.amounts if "amounts" in raw else None
            accounts = wanted.accounts if "accounts" in raw else None
            return Claim(wanted.accepted, wanted.reason, postings, amounts, accounts)
        receipt: ClaimedReceipt = decode(ClaimedReceipt, raw, "$.receipt")
        return Claim(
            receipt.status == Status.ACCEPTED,
            receipt.reason,
            None if receipt.postings is None else [booked(posting) for posting in receipt.postings],
            receipt.amounts,
            receipt.accounts,
            receipt,
            receipt_differences(receipt, raw, wanted, line.named),
        )

    def entered(self, event: Event, claim: Claim) -> list[Breach]:
        """Take an event into the engine's own books."""
        if claim.accepted:
            return entered(self.books, Entry(event, claim.postings, claim.amounts, claim.accounts))
        return self.books.book(claim.postings or ())

    # Published figures

    def look(self, raw: Any, whole: bool, seen: Seen) -> None:
        """Compare an observable snapshot, or figures of one, and take them into the books."""
        differing = (whole_differences if whole else figure_differences)(raw, self.state)
        document = encode(decode(WholeFigures if whole else Figures, raw)) if differing else raw
        document = without_nulls(document)
        seen.differences += differing
        seen.known |= self.known_by(document, whole)
        seen.breaches += figures_seen(self.books, document)
        if whole:
            seen.breaches += judged_whole(self.books, document)
        seen.figures.append(document)

    def known_by(self, document: Mapping[str, Any], whole: bool) -> int:
        """What figures make known, or let be compared."""
        markets, accounts = document.get("markets", {}), document.get("accounts", {})
        known = tallies.WHOLE if whole else tallies.NOTHING
        if whole and any(part["status"] == MarketStatus.SETTLING.value for part in markets.values()):
            known |= tallies.SETTLING
        if any("open_interest" in part for name, part in markets.items() if name not in self.books.vague):
            known |= tallies.INTEREST
        if any("funding_index" in part for name, part in markets.items() if name not in self.books.debtless):
            known |= tallies.INDICES
        if self.books.known and (document.get("pools") or any("balances" in part for part in accounts.values())):
            known |= tallies.BALANCES
        held = [(name, market) for name, part in accounts.items() for market in part.get("positions", ())]
        if any(self.books.knows(*key) for key in held):
            known |= tallies.POSITIONS
        return known

    def known_now(self) -> int:
        """What is known of the engine's own numbers from its postings and fills."""
        books = self.books
        known = tallies.POSTINGS if books.known else tallies.NOTHING
        if books.vague:
            return known
        known |= tallies.SIZES
        if not books.costless:
            known |= tallies.COSTS if books.debtless else tallies.COSTS | tallies.DEBTS
        return known

    # Findings

    def found(self, event: Event, wanted: Receipt, claim: Claim, seen: Seen, place: Place) -> None:
        """Write down what is wrong after an event, and go on from the engine's claimed state if that is wanted."""
        base = self.blank(place, event)
        findings = []
        touched = {key for posting in claim.postings or () for key in posting[:2]}
        if seen.differences:
            rule = rule_of(seen.differences, event, wanted, claim.receipt)
            state = self.ledger_differences({key for posting in wanted.postings for key in posting[:2]} | touched)
            lost = wanted.reason == Reason.MALFORMED
            subject, note = (Subject.REPLAY, wanted.subject) if lost else (subject_of(seen.differences[0]), "")
            differing = told(seen.differences)
            findings.append(replace(base, subject=subject, rule=rule, differences=differing, state=state))
            findings[0] = replace(findings[0], note=note or notes_on(claim, wanted, seen.differences))
        findings += breach_findings(base, seen.breaches)
        if self.going_on and seen.differences:
            taken = self.adopted(event, wanted, claim, touched, seen)
            findings[0] = replace(findings[0], note="; ".join(filter(None, (findings[0].note, taken))))
        self.tally.add(findings)

    def blank(self, place: Place, event: Event | None = None) -> FindingRecord:
        """A finding at a place of which nothing is said yet."""
        state = self.state
        sequence, time = (state.sequence, state.time) if event is None else (event.sequence, event.time)
        named = ("", "") if event is None else (event.id, ACTION_NAMES[type(event.action)])
        return FindingRecord(
            self.tally.events, place.line, place.byte, clamp(sequence, 0, SEQUENCE_MAX), named[0],
            clamp(time, 0, TIME_MAX), named[1], Subject.RECEIPT, "", (), (), self.follows, "",
        )  # fmt: skip

    def ledger_differences(self, keys: set[BalanceKey]) -> tuple[DifferenceRecord, ...]:
        """Where the engine's ledger, by its own postings, differs from the reference's."""
        if not self.books.known:
            return ()
        ours, theirs = self.state.balances, self.books.balances
        return told([
            Difference(f"balances.{ledger_name(key)}", str(ours.get(key, 0)), str(theirs.get(key, 0)))
            for key in sorted(keys)
            if ours.get(key, 0) != theirs.get(key, 0)
        ])  # fmt: skip

    def adopted(self, event: Event, wanted: Receipt, claim: Claim, touched: set[BalanceKey], seen: Seen) -> str:
        """Go on from the engine's claimed state; says what could not be taken over."""
        assert isinstance(self.state, Kept)
        left = adopt(self.state, self.books, event, wanted, claim.accepted, touched)
        for document in seen.figures:
            adopt_figures(self.state, contradicted(document, self.state))
        self.follows = True
        return f"{GOES_ON}; not taken over: {left}" if left else GOES_ON

    # Snapshots

    def snapshot(self, raw: Any, place: Place) -> None:
        """Compare a full snapshot, and go on from it."""
        self.tally.snapshots += 1
        ours = snapshot(self.state)
        same = raw == ours and not self.follows
        theirs = self.state if same else self.restored(raw, place)
        if theirs is None:
            return
        differing = [] if raw == ours else list(state_differences(ours, snapshot(theirs)))[:MOST_DIFFERENCES]
        base = self.blank(place)
        findings = []
        if differing:
            rule = table_rule(differing[0].path)
            findings = [replace(base, subject=Subject.SNAPSHOT, rule=rule, differences=told(differing))]
        self.tally.add(findings + breach_findings(base, against_snapshot(self.books, theirs)))
        if not self.done:
            self.state = Kept.of(theirs) if self.going_on else theirs
            self.books.load(theirs)
            self.follows = False

    def restored(self, raw: Any, place: Place) -> State | None:
        """The state of a snapshot; ``None``, and a finding, for one that contradicts itself as the last one did not."""
        try:
            return restore(raw)
        except DecodeError as error:
            rule = broken_in(error)
            if not rule:
                raise error.inside("$.snapshot") from None
            path = f"snapshot, {error.path}"
            breaches = list(self.books.judged(rule, path, False, error.expected, "it does not"))
            self.tally.add(
                [replace(one, subject=Subject.SNAPSHOT) for one in breach_findings(self.blank(place), breaches)]
            )
            return None
