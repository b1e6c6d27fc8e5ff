"""The wire formats built on the records: receipt, observable snapshot, full snapshot, log, scenario, vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from clearspec.codec import WIDE
from clearspec.events import REASONS, Action, Event, Genesis, Reason, Receipt
from clearspec.fields import (
    Amount,
    Balance,
    Document,
    DurationOrZero,
    Id,
    Index,
    Length,
    OptionalId,
    OptionalRoot,
    Price,
    PriceOrZero,
    Prose,
    Ratio,
    Sequence,
    SequenceOrZero,
    SignedRatio,
    SignedSize,
    SizeOrZero,
    Time,
    Wide,
)
from clearspec.ledger import Kind, Posting
from clearspec.parameters import FeedParameters, MarketListing, PoolParameters
from clearspec.rules import rule
from clearspec.state import MarketStatus


class Status(StrEnum):
    """Whether an event took effect."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Leg:
    """A ledger account within an (asset, pool)."""

    kind: Kind
    owner: OptionalId


@dataclass(frozen=True, slots=True)
class PostingRecord:
    """One posting on the wire: a positive amount from debit to credit, and the rule that caused it."""

    asset: Id
    pool: Id
    debit: Leg
    credit: Leg
    amount: Wide
    cause: Id


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """A receipt on the wire; ``reason`` and ``rule`` are null for an accepted event."""

    id: OptionalId
    sequence: SequenceOrZero
    time: Time
    action: OptionalId
    status: Status
    reason: Reason | None
    rule: Id | None
    subject: Prose
    accounts: tuple[Id, ...]
    amounts: Mapping[Id, Wide]
    postings: tuple[PostingRecord, ...]


WIDE.add(ReceiptRecord)


@rule("EVENT-1", "LEDG-2")
def posting_record(posting: Posting) -> PostingRecord:
    """A posting on the wire; a negative amount is turned round."""
    asset, pool, _, _ = posting.debit
    debit, credit = posting.debit, posting.credit
    if posting.amount < 0:
        debit, credit = credit, debit
    legs = Leg(Kind(debit[2]), debit[3]), Leg(Kind(credit[2]), credit[3])
    return PostingRecord(asset, pool, *legs, abs(posting.amount), posting.cause)


@rule("EVENT-1")
def receipt_record(receipt: Receipt) -> ReceiptRecord:
    """A receipt on the wire; postings of nothing are left out."""
    return ReceiptRecord(
        receipt.id,
        receipt.sequence,
        receipt.time,
        receipt.action,
        Status.ACCEPTED if receipt.reason is None else Status.REJECTED,
        receipt.reason,
        None if receipt.reason is None else REASONS[receipt.reason][0],
        receipt.subject,
        receipt.accounts,
        receipt.amounts,
        tuple(posting_record(posting) for posting in receipt.postings if posting.amount != 0),
    )


@dataclass(frozen=True, slots=True)
class ObservablePosition:
    """A position as every engine sees it: lots and cost, whatever was settled when."""

    size: SignedSize
    cost: Wide


@dataclass(frozen=True, slots=True)
class ObservableAccount:
    """An account as every engine sees it; the settlement balance is net of funding and haircut owed."""

    owner: Id
    pool: Id
    balances: Mapping[Id, Wide]
    positions: Mapping[Id, ObservablePosition]


@dataclass(frozen=True, slots=True)
class ObservableMarket:
    """A market as every engine sees it; the shortfall is what final settlement could not collect (SETTLE-5)."""

    status: MarketStatus
    mark: PriceOrZero
    open_interest: SizeOrZero
    funding_index: Index
    haircut_long: Index
    haircut_short: Index
    settlement_price: PriceOrZero
    shortfall: Balance


@dataclass(frozen=True, slots=True)
class ObservablePool:
    """A pool as every engine sees it: custody by asset, funds and loss in settlement atoms."""

    custody: Mapping[Id, Wide]
    insurance_fund: Wide
    skin_in_the_game: Wide
    fee_treasury: Wide
    uncovered_loss: Wide


@rule("EVENT-13")
@dataclass(frozen=True, slots=True)
class Observable:
    """The observable snapshot, on which engines are compared."""

    sequence: SequenceOrZero
    time: Time
    accounts: Mapping[Id, ObservableAccount]
    feeds: Mapping[Id, PriceOrZero]
    markets: Mapping[Id, ObservableMarket]
    pools: Mapping[Id, ObservablePool]


class LogFormat(StrEnum):
    """Version of the log format."""

    V1 = "clearspec/log/1"


class ScenarioFormat(StrEnum):
    """Version of the scenario format."""

    V1 = "clearspec/scenario/1"


class VectorFormat(StrEnum):
    """Version of the vector format."""

    V2 = "clearspec/vector/2"


@rule("EVENT-11")
@dataclass(frozen=True, slots=True)
class LogHeader:
    """First line of a log: the format and the genesis from which the events run."""

    format: LogFormat
    genesis: Genesis


@rule("EVENT-11")
@dataclass(frozen=True, slots=True)
class LogLine:
    """Every other line of a log: an event, its receipt, and where the engine publishes it, its observable snapshot."""

    event: Event
    receipt: ReceiptRecord
    observable: Observable | None = None


class Standing(StrEnum):
    """How a number of a scenario is known."""

    PUBLISHED = "published"
    DERIVED = "derived"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Fact:
    """A number or statement that a scenario rests on, how it is known, and where from."""

    statement: Prose
    known: Standing
    source: Prose


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price (atoms per lot) at a time."""

    time: Time
    price: Price


@dataclass(frozen=True, slots=True)
class PricePath:
    """Prices of a feed, each posted by every source of the feed.

    With ``interval`` above 0 a price is posted again every so many seconds until the index has arrived at it or the
    next price is due.
    """

    feed: Id
    interval: DurationOrZero
    points: Annotated[tuple[PricePoint, ...], Length(2**20)]


@dataclass(frozen=True, slots=True)
class PremiumPoint:
    """A premium of the book over the index at a time, as a ratio."""

    time: Time
    premium: SignedRatio


@dataclass(frozen=True, slots=True)
class PremiumPath:
    """Premiums of a perpetual, each posted as a book sample by the first venue."""

    market: Id
    points: Annotated[tuple[PremiumPoint, ...], Length(2**20)]


@dataclass(frozen=True, slots=True)
class Step:
    """Something done in a scenario: when, by whom, what, and whether it is expected to be accepted."""

    time: Time
    actor: Id
    action: Action
    note: Prose = ""


@dataclass(frozen=True, slots=True)
class Keepers:
    """Keepers that act after every price: who liquidates and converts, into which account; who accrues funding."""

    actor: Id
    account: Id
    funding: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """How a price in display units becomes atoms per lot: multiplied by ``atoms``, rounded down."""

    feed: Id
    atoms: Amount


class Measure(StrEnum):
    """What an expectation looks at, at the end of the run."""

    BALANCE = "balance"
    BALANCE_CHANGE = "balance_change"
    NET_LIQUIDATION_VALUE = "net_liquidation_value"
    REJECTIONS = "rejections"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A figure that a run must reproduce: what is looked at, the published figure, and the tolerance as a ratio.

    For ``balance`` and ``balance_change`` (since the step of that number, 0 being the start) the ledger account is
    named; for ``net_liquidation_value`` the account; ``rejections`` counts rejections of the reason in ``subject``.
    """

    statement: Prose
    measure: Measure
    published: Wide
    tolerance: Ratio
    source: Prose
    subject: OptionalId = ""
    kind: Kind = Kind.USER
    asset: OptionalId = ""
    pool: OptionalId = ""
    since: SequenceOrZero = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """A run of the scenario with other parameters: feeds, pools and markets that replace those of the same id."""

    name: Id
    description: Prose
    feeds: tuple[FeedParameters, ...] = ()
    pools: tuple[PoolParameters, ...] = ()
    markets: tuple[MarketListing, ...] = ()
    expect: tuple[Expectation, ...] = ()


@rule("EVENT-11")
@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: genesis, prices, steps, keepers, facts with their sources, and variants to run it in."""

    format: ScenarioFormat
    title: Prose
    description: Prose
    genesis: Genesis
    steps: Annotated[tuple[Step, ...], Length(2**20)]
    prices: tuple[PricePath, ...] = ()
    premiums: tuple[PremiumPath, ...] = ()
    units: tuple[Unit, ...] = ()
    keepers: Keepers | None = None
    facts: tuple[Fact, ...] = ()
    variants: tuple[Variant, ...] = ()


class Importance(StrEnum):
    """How much a vector matters: money may be lost, a rule is broken, a message differs."""

    CRITICAL = "critical"
    RULE = "rule"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a vector exists: the class of bug, its effect, and the past incident where there is one."""

    bug_class: Prose
    effect: Prose
    incident: Prose


@dataclass(frozen=True, slots=True)
class ByHand:
    """A value derived by hand: after which step (1 is the first), where in the observable snapshot or the receipt.

    ``place`` is a dotted path that starts with ``observable`` or ``receipt``; ``derivation`` is the arithmetic, or the
    source that published the number.
    """

    step: SequenceOrZero
    place: Prose
    value: Wide
    derivation: Prose


@dataclass(frozen=True, slots=True)
class VectorStep:
    """An event of a vector with the receipt, and where it matters the observable snapshot, that must follow.

    In place of the event stands ``document``, a text that the engine decodes itself (EVENT-3), well-formed or not.
    """

    event: Event | None
    receipt: ReceiptRecord
    observable: Observable | None = None
    document: Document | None = None


@rule("EVENT-11")
@dataclass(frozen=True, slots=True)
class Vector:
    """A conformance vector; ``root`` is the state root after its last step."""

    format: VectorFormat
    id: Id
    version: Sequence
    rules: tuple[Id, ...]
    features: tuple[Id, ...]
    importance: Importance
    why: Why
    genesis: Genesis
    steps: tuple[VectorStep, ...]
    invariants: tuple[Id, ...]
    digest: Prose
    by_hand: tuple[ByHand, ...] = ()
    root: OptionalRoot = ""


FORMATS: dict[str, type] = {
    "genesis": Genesis,
    "event": Event,
    "receipt": ReceiptRecord,
    "observable": Observable,
    "log-header": LogHeader,
    "log-line": LogLine,
    "scenario": Scenario,
    "vector": Vector,
}
"""Name of every wire format and its record; the schemas in ``spec/schemas`` are generated from these."""
