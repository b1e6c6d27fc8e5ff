"""Formats of the auditor: what a line of a log may claim, and the report of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from clearspec.codec import WIDE
from clearspec.events import Event
from clearspec.fields import Bounds, Id, Index, OptionalId, PriceOrZero, Prose, SequenceOrZero, SizeOrZero, Time, Wide
from clearspec.formats import Leg, Observable, Status
from clearspec.state import MarketStatus

Count = Annotated[int, Bounds(0, 2**63 - 1)]


@dataclass(frozen=True, slots=True)
class ClaimedPosting:
    """A posting that an engine published; the cause may be missing."""

    asset: Id
    pool: Id
    debit: Leg
    credit: Leg
    amount: Wide
    cause: OptionalId = ""


@dataclass(frozen=True, slots=True)
class ClaimedReceipt:
    """What an engine published of an event; a whole receipt fits, and all but the status may be missing."""

    status: Status
    reason: Prose | None = None
    rule: Prose | None = None
    subject: Prose | None = None
    id: OptionalId | None = None
    sequence: SequenceOrZero | None = None
    time: Time | None = None
    action: OptionalId | None = None
    accounts: tuple[Id, ...] | None = None
    amounts: Mapping[Id, Wide] | None = None
    postings: tuple[ClaimedPosting, ...] | None = None


WIDE.add(ClaimedReceipt)


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """What an engine published of a position."""

    size: Wide | None = None
    cost: Wide | None = None


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What an engine published of an account; the settlement balance is net of funding and haircut owed (EVENT-13)."""

    owner: Id | None = None
    pool: Id | None = None
    balances: Mapping[Id, Wide] | None = None
    positions: Mapping[Id, PositionFigures] | None = None


@dataclass(frozen=True, slots=True)
class MarketFigures:
    """What an engine published of a market."""

    status: MarketStatus | None = None
    mark: PriceOrZero | None = None
    open_interest: SizeOrZero | None = None
    funding_index: Index | None = None
    haircut_long: Index | None = None
    haircut_short: Index | None = None
    settlement_price: PriceOrZero | None = None
    shortfall: Wide | None = None


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """What an engine published of a pool."""

    custody: Mapping[Id, Wide] | None = None
    insurance_fund: Wide | None = None
    skin_in_the_game: Wide | None = None
    fee_treasury: Wide | None = None
    uncovered_loss: Wide | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Any part of an observable snapshot: what is not there is not claimed."""

    sequence: SequenceOrZero | None = None
    time: Time | None = None
    accounts: Mapping[Id, AccountFigures] | None = None
    feeds: Mapping[Id, PriceOrZero] | None = None
    markets: Mapping[Id, MarketFigures] | None = None
    pools: Mapping[Id, PoolFigures] | None = None


WIDE.update((PositionFigures, AccountFigures, MarketFigures, PoolFigures, Figures))


@dataclass(frozen=True, slots=True)
class WholeFigures(Observable):
    """A whole observable snapshot as an engine published it; a figure out of range is a finding, not a fault."""


WIDE.add(WholeFigures)


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of a log with an event. A line may also hold a full ``snapshot``, alone or after its event.

    ``observable`` is a whole observable snapshot after the event, ``figures`` any part of one.
    """

    event: Event
    receipt: ClaimedReceipt
    observable: WholeFigures | None = None
    figures: Figures | None = None


class AuditFormat(StrEnum):
    """Version of the format of audit reports."""

    V1 = "clearspec/audit-report/1"


class Subject(StrEnum):
    """What a finding is about: a published part that differs from the reference, or the engine's numbers themselves."""

    RECEIPT = "receipt"
    OBSERVABLE = "observable"
    FIGURES = "figures"
    SNAPSHOT = "snapshot"
    INVARIANT = "invariant"
    REPLAY = "replay"


class LogFault(StrEnum):
    """Why an audit ended before the end of a log."""

    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    TOO_DEEP = "too_deep"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    MALFORMED = "malformed"
    UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """The file that was audited; ``digest`` is the SHA-256 of its bytes, empty where it was not a whole file."""

    name: Prose
    layout: Id
    bytes: Count
    digest: Prose


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an audit ended too early: the fault, line or row (from 1), byte in the text (from 0), what is wrong."""

    fault: LogFault
    line: Count
    byte: Count | None
    message: Prose


@dataclass(frozen=True, slots=True)
class DifferenceRecord:
    """A place where two documents differ, each side as text."""

    path: Prose
    expected: Prose
    got: Prose


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """Something that is wrong after an event.

    ``step`` counts the events of the log from 1, from the snapshot where the audit began at one. ``differences`` are in
    what was published, ``state`` where the ledger that the engine's postings add up to differs from the reference's.
    ``follows`` says that an earlier finding may be the cause, because the engine's state could not be taken over whole.
    """

    step: Count
    line: Count
    byte: Count | None
    sequence: SequenceOrZero
    event: OptionalId
    time: Time
    action: OptionalId
    subject: Subject
    rule: OptionalId
    differences: tuple[DifferenceRecord, ...]
    state: tuple[DifferenceRecord, ...]
    follows: bool
    note: Prose


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """A check on the engine's own numbers: after how many events it was made, and why not after the others.

    At every full snapshot it is made as well, which ``at_snapshots`` counts. ``limits`` is what of the sentence a check
    without a full snapshot does not cover.
    """

    id: Id
    sentence: Prose
    limits: Prose
    checked: Count
    at_snapshots: Count
    not_checked: Mapping[Prose, Count]
    broken: Count


@dataclass(frozen=True, slots=True)
class FieldRecord:
    """A published field: after how many events it was there and compared, or was there and not compared."""

    field: Prose
    compared: Count
    not_compared: Count
    not_published: Count


@dataclass(frozen=True, slots=True)
class UnfoundRecord:
    """A key of the mapping, with its line (from 1), that was looked for and never found anything."""

    line: Count
    key: Prose
    message: Prose


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    ``passed``: the log was read to its end and nothing is wrong. ``findings`` are the first thousand, ``found`` counts
    all by rule; ``first_step`` is 0 without findings. ``skipped`` lines hold no event, as the mapping says. ``unfound``
    are keys of the mapping that never found anything: what they stand for was not audited.
    """

    format: AuditFormat
    log: AuditedLog
    mapping: Prose
    passed: bool
    events: Count
    lines: Count
    snapshots: Count
    skipped: Count
    accepted: Mapping[Id, Count]
    rejected: Mapping[Id, Count]
    first_step: Count
    findings: tuple[FindingRecord, ...]
    found: Mapping[Id, Count]
    stop: Stop | None
    checks: tuple[CheckRecord, ...]
    fields: tuple[FieldRecord, ...]
    unfound: tuple[UnfoundRecord, ...]
