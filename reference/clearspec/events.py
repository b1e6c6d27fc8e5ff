"""Genesis, actions, events, receipts and the rejection reasons: the one definition of what goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from clearspec.codec import TAGS, WIDE, shape
from clearspec.fields import (
    Amount,
    Bounds,
    Duration,
    Id,
    Length,
    OptionalId,
    Price,
    PriceOrZero,
    Prose,
    Sequence,
    Size,
    Time,
)
from clearspec.ledger import Posting
from clearspec.parameters import (
    AssetParameters,
    FeedParameters,
    MarketListing,
    MarketParameters,
    PoolParameters,
)
from clearspec.rules import rule
from clearspec.state import MarketStatus, State

ADMINISTRATOR = "administrator"
VENUE = "venue"
SOURCE = "source"
OWNER = "owner"
ANYONE = "anyone"


@rule("EVENT-6")
class Reason(StrEnum):
    """Why an event is rejected. Each reason has one meaning, given with its rule in ``REASONS``."""

    MALFORMED = "malformed"
    DUPLICATE_EVENT = "duplicate_event"
    SEQUENCE_NOT_INCREASING = "sequence_not_increasing"
    TIME_DECREASING = "time_decreasing"
    FIELD_OUT_OF_RANGE = "field_out_of_range"
    UNAUTHORISED = "unauthorised"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_POOL = "unknown_pool"
    UNKNOWN_FEED = "unknown_feed"
    UNKNOWN_MARKET = "unknown_market"
    ACCOUNT_EXISTS = "account_exists"
    MARKET_EXISTS = "market_exists"
    SAME_ACCOUNT = "same_account"
    WRONG_POOL = "wrong_pool"
    ASSET_NOT_ACCEPTED = "asset_not_accepted"
    DEPOSIT_CAP_EXCEEDED = "deposit_cap_exceeded"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    INSUFFICIENT_CUSTODY = "insufficient_custody"
    WITHDRAWALS_GATED = "withdrawals_gated"
    BELOW_INITIAL_MARGIN = "below_initial_margin"
    NEGATIVE_BALANCE_LIMIT = "negative_balance_limit"
    NOT_CONVERTIBLE = "not_convertible"
    CONVERSION_TOO_LARGE = "conversion_too_large"
    INSUFFICIENT_FUND = "insufficient_fund"
    EXCEEDS_UNCOVERED_LOSS = "exceeds_uncovered_loss"
    STALE_PRICE = "stale_price"
    CROSSED_BOOK = "crossed_book"
    OUTSIDE_ENVELOPE = "outside_envelope"
    RAMP_IN_PROGRESS = "ramp_in_progress"
    STATUS_NOT_ALLOWED = "status_not_allowed"
    MARKET_NOT_TRADING = "market_not_trading"
    REDUCE_ONLY = "reduce_only"
    PRICE_OUTSIDE_BAND = "price_outside_band"
    POSITION_CAP_EXCEEDED = "position_cap_exceeded"
    OPEN_INTEREST_CAP_EXCEEDED = "open_interest_cap_exceeded"
    TOO_MANY_POSITIONS = "too_many_positions"
    BALANCE_OUT_OF_RANGE = "balance_out_of_range"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    NOT_PERPETUAL = "not_perpetual"
    FUNDING_NOT_DUE = "funding_not_due"
    FUNDING_NOT_ACCRUED = "funding_not_accrued"
    SAMPLE_TOO_SOON = "sample_too_soon"
    NO_POSITION = "no_position"
    NOT_LIQUIDATABLE = "not_liquidatable"
    IN_DEFAULT = "in_default"
    SIZE_BELOW_MINIMUM = "size_below_minimum"
    NOT_IN_DEFAULT = "not_in_default"
    COLLATERAL_REMAINS = "collateral_remains"
    CLAIMS_PENDING = "claims_pending"
    SETTLEMENT_NOT_DUE = "settlement_not_due"
    NOT_SETTLING = "not_settling"
    POSITIONS_REMAIN = "positions_remain"
    NO_CLAIM = "no_claim"


REASONS: dict[Reason, tuple[str, str]] = {
    Reason.MALFORMED: (
        "EVENT-3",
        "The input does not decode; the receipt's subject is the path of the fault.",
    ),
    Reason.DUPLICATE_EVENT: ("EVENT-5", "An event with this id was accepted among the last 4096."),
    Reason.SEQUENCE_NOT_INCREASING: (
        "EVENT-5",
        "The sequence number is not above that of the last accepted event.",
    ),
    Reason.TIME_DECREASING: ("EVENT-5", "The time is before that of the last accepted event."),
    Reason.FIELD_OUT_OF_RANGE: (
        "EVENT-5",
        "A field of the action is outside its bounds; the subject names it.",
    ),
    Reason.UNAUTHORISED: ("EVENT-4", "The actor does not hold the role that the action asks for."),
    Reason.UNKNOWN_ACCOUNT: ("EVENT-8", "The account does not exist."),
    Reason.UNKNOWN_POOL: ("EVENT-8", "The pool does not exist."),
    Reason.UNKNOWN_FEED: ("EVENT-8", "The feed does not exist."),
    Reason.UNKNOWN_MARKET: ("EVENT-8", "The market does not exist."),
    Reason.ACCOUNT_EXISTS: ("COLL-1", "An account of this id exists."),
    Reason.MARKET_EXISTS: ("PARM-9", "A market of this id exists."),
    Reason.SAME_ACCOUNT: ("EVENT-9", "Both sides of the action are the same account."),
    Reason.WRONG_POOL: ("COLL-1", "The account is bound to another pool than the one the action concerns."),
    Reason.ASSET_NOT_ACCEPTED: (
        "COLL-2",
        "The asset is not among those that the pool accepts for this action.",
    ),
    Reason.DEPOSIT_CAP_EXCEEDED: ("COLL-3", "The pool would hold more of the asset than its cap."),
    Reason.INSUFFICIENT_BALANCE: (
        "COLL-4",
        "The account holds less of the collateral asset than the amount.",
    ),
    Reason.INSUFFICIENT_CUSTODY: (
        "COLL-4",
        "The pool holds less of the asset in custody, beyond what its funds own, than the amount.",
    ),
    Reason.WITHDRAWALS_GATED: ("COLL-6", "The pool's uncovered loss is above its gate threshold."),
    Reason.BELOW_INITIAL_MARGIN: ("COLL-5", "The outflow would leave the account below its initial margin."),
    Reason.NEGATIVE_BALANCE_LIMIT: (
        "COLL-5",
        "The settlement balance would fall below the negative balance limit.",
    ),
    Reason.NOT_CONVERTIBLE: ("COLL-8", "Collateral of the account may not be converted now."),
    Reason.CONVERSION_TOO_LARGE: (
        "COLL-8",
        "A smaller conversion would already bring in all that is needed.",
    ),
    Reason.INSUFFICIENT_FUND: ("COLL-10", "The fund holds less than the amount."),
    Reason.EXCEEDS_UNCOVERED_LOSS: ("COLL-10", "The amount is above the pool's uncovered loss."),
    Reason.STALE_PRICE: ("ORCL-8", "A price that the action needs is not fresh, or there is none yet."),
    Reason.CROSSED_BOOK: ("ORCL-6", "The impact bid is above the impact ask."),
    Reason.OUTSIDE_ENVELOPE: (
        "PARM-9",
        "The parameters break an inequality of the envelope; the subject names it.",
    ),
    Reason.RAMP_IN_PROGRESS: ("PARM-13", "An earlier change of the market's parameters is still ramping."),
    Reason.STATUS_NOT_ALLOWED: ("TRADE-9", "The market cannot go from its status to the one asked for."),
    Reason.MARKET_NOT_TRADING: ("TRADE-4", "The market's status or expiry admits no fill."),
    Reason.REDUCE_ONLY: ("TRADE-4", "The market is reduce-only and the fill would not reduce a position."),
    Reason.PRICE_OUTSIDE_BAND: ("TRADE-5", "The fill price is outside the band around the mark."),
    Reason.POSITION_CAP_EXCEEDED: ("TRADE-6", "A grown position would be above the market's cap."),
    Reason.OPEN_INTEREST_CAP_EXCEEDED: ("TRADE-6", "Grown open interest would be above the market's cap."),
    Reason.TOO_MANY_POSITIONS: ("TRADE-6", "The account would hold positions in more than 64 markets."),
    Reason.BALANCE_OUT_OF_RANGE: ("NUM-9", "A balance would leave its bounds."),
    Reason.INSUFFICIENT_MARGIN: (
        "MARG-10",
        "The account is below initial margin after the fill and worse than before.",
    ),
    Reason.NOT_PERPETUAL: ("FUND-1", "The market is not a trading perpetual and takes no funding."),
    Reason.FUNDING_NOT_DUE: ("FUND-5", "The funding interval has not passed."),
    Reason.FUNDING_NOT_ACCRUED: ("FUND-5", "Funding parameters change only in the second of an accrual, after it."),
    Reason.SAMPLE_TOO_SOON: (
        "ORCL-6",
        "The sample interval since the market's last book sample, or its listing, has not passed.",
    ),
    Reason.NO_POSITION: ("LIQ-1", "The account holds no position in the market."),
    Reason.NOT_LIQUIDATABLE: (
        "LIQ-1",
        "The account's margin equity is not below its maintenance requirement.",
    ),
    Reason.IN_DEFAULT: ("LIQ-1", "The account's net liquidation value is negative; its default is resolved instead."),
    Reason.SIZE_BELOW_MINIMUM: (
        "LIQ-3",
        "The piece is below the minimum and does not close what may be closed.",
    ),
    Reason.NOT_IN_DEFAULT: ("FALL-1", "The account's net liquidation value is not negative."),
    Reason.COLLATERAL_REMAINS: ("FALL-1", "Collateral of value remains and must be converted first."),
    Reason.CLAIMS_PENDING: ("FALL-1", "A market of the account has expired; its final settlement comes first."),
    Reason.SETTLEMENT_NOT_DUE: ("SETTLE-3", "The market has no expiry or it has not come."),
    Reason.NOT_SETTLING: ("SETTLE-4", "The market is not in final settlement."),
    Reason.POSITIONS_REMAIN: (
        "SETTLE-6",
        "Positions of the market remain to be settled before claims are paid.",
    ),
    Reason.NO_CLAIM: ("SETTLE-6", "The account has no claim in the market."),
}
"""Reason to the rule behind it and its meaning."""


class Rejected(Exception):
    """A check failed. Raised inside a transition; ``apply`` turns it into a receipt."""

    def __init__(self, reason: Reason, subject: str) -> None:
        super().__init__(f"{reason}: {subject}")
        self.reason = reason
        self.subject = subject


def require(condition: bool, reason: Reason, subject: str) -> None:
    """Reject the event unless ``condition`` holds; ``subject`` is the id that the reason is about."""
    if not condition:
        raise Rejected(reason, subject)


class Fund(StrEnum):
    """Funds that take contributions (COLL-9)."""

    INSURANCE_FUND = "insurance_fund"
    SKIN_IN_THE_GAME = "skin_in_the_game"


class Cover(StrEnum):
    """What an uncovered loss may be covered from (COLL-10)."""

    OUTSIDE = "outside"
    INSURANCE_FUND = "insurance_fund"
    SKIN_IN_THE_GAME = "skin_in_the_game"
    FEE_TREASURY = "fee_treasury"


class Side(StrEnum):
    """A side of a fill."""

    BUYER = "buyer"
    SELLER = "seller"


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """Open an account of the actor, bound to a pool for life."""

    account: Id
    pool: Id


@dataclass(frozen=True, slots=True)
class Deposit:
    """Bring ``amount`` atoms of an asset into custody and credit the account."""

    account: Id
    asset: Id
    amount: Amount


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Debit the account and pay ``amount`` atoms of an asset out of custody."""

    account: Id
    asset: Id
    amount: Amount


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move ``amount`` atoms of an asset to another account; between pools a withdrawal and a deposit."""

    account: Id
    target: Id
    asset: Id
    amount: Amount


@dataclass(frozen=True, slots=True)
class Convert:
    """A keeper buys ``amount`` atoms of an account's collateral asset at index less the discount."""

    account: Id
    keeper: Id
    asset: Id
    amount: Amount


@dataclass(frozen=True, slots=True)
class Contribute:
    """Bring ``amount`` settlement atoms from outside into a fund of a pool."""

    pool: Id
    fund: Fund
    amount: Amount


@dataclass(frozen=True, slots=True)
class CoverLoss:
    """Reduce a pool's uncovered loss by ``amount`` atoms, from outside or from one of its funds."""

    pool: Id
    origin: Cover
    amount: Amount


@dataclass(frozen=True, slots=True)
class CollectFees:
    """Pay ``amount`` settlement atoms of a pool's fee treasury out of custody."""

    pool: Id
    amount: Amount


@dataclass(frozen=True, slots=True)
class PostPrice:
    """A source's price of a feed, with the half-width of its confidence interval."""

    feed: Id
    price: Price
    confidence: PriceOrZero


@dataclass(frozen=True, slots=True)
class PostBook:
    """Impact bid and ask of a venue's book: one basis sample and one premium sample."""

    market: Id
    bid: Price
    ask: Price


@dataclass(frozen=True, slots=True)
class Trade:
    """A matched fill to novate: the clearinghouse becomes seller to the buyer and buyer to the seller."""

    market: Id
    buyer: Id
    seller: Id
    size: Size
    price: Price
    maker: Side


@dataclass(frozen=True, slots=True)
class AccrueFunding:
    """Close the funding interval of a perpetual."""

    market: Id


@dataclass(frozen=True, slots=True)
class Liquidate:
    """Close up to ``size`` lots of an account's position against the liquidator at mark, for a penalty."""

    account: Id
    liquidator: Id
    market: Id
    size: Size


@dataclass(frozen=True, slots=True)
class ResolveDefault:
    """Take an account in default through the waterfall."""

    account: Id


@dataclass(frozen=True, slots=True)
class ListMarket:
    """List a market."""

    listing: MarketListing


@dataclass(frozen=True, slots=True)
class SetParameters:
    """Give a market new parameters; a tighter maintenance requirement arrives along the ramp."""

    market: Id
    parameters: MarketParameters


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Make a market active, reduce-only or halted."""

    market: Id
    status: MarketStatus


@dataclass(frozen=True, slots=True)
class Delist:
    """Give a perpetual, or a future before its time, an expiry one settlement window after ``notice`` seconds."""

    market: Id
    notice: Duration


@dataclass(frozen=True, slots=True)
class FixSettlement:
    """Fix the settlement price of an expired market."""

    market: Id


@dataclass(frozen=True, slots=True)
class SettlePosition:
    """First phase: close a position at the settlement price; collect a loss, keep a gain as a claim."""

    account: Id
    market: Id


@dataclass(frozen=True, slots=True)
class PayClaim:
    """Second phase: pay a claim at the payout factor."""

    account: Id
    market: Id


Action = (
    OpenAccount | Deposit | Withdraw | Transfer | Convert | Contribute | CoverLoss | CollectFees | PostPrice | PostBook
    | Trade | AccrueFunding | Liquidate | ResolveDefault | ListMarket | SetParameters | SetStatus | Delist
    | FixSettlement | SettlePosition | PayClaim
)  # fmt: skip

ROLES: dict[str, tuple[type, str]] = {
    "open_account": (OpenAccount, ANYONE),
    "deposit": (Deposit, OWNER),
    "withdraw": (Withdraw, OWNER),
    "transfer": (Transfer, OWNER),
    "convert": (Convert, OWNER),
    "contribute": (Contribute, ANYONE),
    "cover_loss": (CoverLoss, ADMINISTRATOR),
    "collect_fees": (CollectFees, ADMINISTRATOR),
    "post_price": (PostPrice, SOURCE),
    "post_book": (PostBook, VENUE),
    "trade": (Trade, VENUE),
    "accrue_funding": (AccrueFunding, ANYONE),
    "liquidate": (Liquidate, OWNER),
    "resolve_default": (ResolveDefault, ANYONE),
    "list_market": (ListMarket, ADMINISTRATOR),
    "set_parameters": (SetParameters, ADMINISTRATOR),
    "set_status": (SetStatus, ADMINISTRATOR),
    "delist": (Delist, ADMINISTRATOR),
    "fix_settlement": (FixSettlement, ANYONE),
    "settle_position": (SettlePosition, ANYONE),
    "pay_claim": (PayClaim, ANYONE),
}
"""Name of every action, its record and the role that may take it (EVENT-4)."""

ACTION_NAMES: dict[type, str] = {record: name for name, (record, _) in ROLES.items()}
TAGS.update(ACTION_NAMES)


@rule("EVENT-1")
@dataclass(frozen=True, slots=True)
class Event:
    """One input: a unique id, a growing sequence number, a time in seconds, who acts, and what they do."""

    id: Id
    sequence: Sequence
    time: Time
    actor: Id
    action: Action


@rule("EVENT-2")
@dataclass(frozen=True, slots=True)
class Genesis:
    """The first state: time, roles, assets, feeds, pools and markets."""

    time: Time
    administrators: Annotated[tuple[Id, ...], Length(16)]
    venues: Annotated[tuple[Id, ...], Length(16)]
    assets: Annotated[tuple[AssetParameters, ...], Length(256)]
    feeds: Annotated[tuple[FeedParameters, ...], Length(256)]
    pools: Annotated[tuple[PoolParameters, ...], Length(256)]
    markets: Annotated[tuple[MarketListing, ...], Length(256)]


@rule("EVENT-1")
@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of an event.

    ``reason`` is ``None`` for an accepted event; ``subject`` is the id that a rejection is about. ``accounts`` are
    the accounts that the event may have changed, ``amounts`` named results in atoms or lots, ``postings`` the
    movements of money in order.
    """

    id: Id
    sequence: Sequence
    time: Time
    action: Id
    reason: Reason | None
    subject: Prose
    accounts: tuple[OptionalId, ...]
    amounts: Mapping[str, int]
    postings: tuple[Posting, ...]

    @property
    def accepted(self) -> bool:
        """Whether the event took effect."""
        return self.reason is None


@dataclass(slots=True)
class Context:
    """A running transition: the state it works on, who acts, its time, and the postings so far."""

    state: State
    time: int
    actor: str = ""
    postings: list[Posting] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transition reports: the accounts that it may have changed and named results."""

    accounts: tuple[str, ...] = ()
    amounts: Mapping[str, int] = field(default_factory=dict)


WIDE.add(Event)


@cache
def bounds_of(record: type) -> tuple[tuple[str, int, int], ...]:
    """Name, smallest and largest value of every integer field of a record."""
    hints = get_type_hints(record, include_extras=True)
    found = []
    for item in fields(record):
        hint = hints[item.name]
        if get_origin(hint) is Annotated:
            found += [(item.name, part.low, part.high) for part in get_args(hint)[1:] if isinstance(part, Bounds)]
    return tuple(found)


@cache
def nested_in(record: type) -> tuple[tuple[str, bool], ...]:
    """Fields of a record that hold records: the name, and whether it is a list of them."""
    hints = get_type_hints(record, include_extras=True)
    forms = [(item.name, shape(hints[item.name])) for item in fields(record)]
    lists = [name for name, form in forms if form.form == "array" and shape(form.inner[0]).form == "record"]
    return tuple((name, name in lists) for name, form in forms if form.form == "record" or name in lists)


_BOUNDS: dict[type, tuple[tuple[str, int, int], ...]] = {record: bounds_of(record) for record in (*ACTION_NAMES, Event)}

NESTING = (ListMarket, SetParameters)
"""Actions that hold records within records."""


@rule("EVENT-5")
def require_in_range(record: Any) -> None:
    """Reject a record with an integer outside the bounds of its field, in field order."""
    kind: Any = type(record)
    bounds = _BOUNDS.get(kind)
    for name, low, high in bounds_of(kind) if bounds is None else bounds:
        require(low <= getattr(record, name) <= high, Reason.FIELD_OUT_OF_RANGE, name)


@rule("EVENT-5")
def require_all_in_range(record: Any) -> None:
    """The same for a record and the records inside it, outer fields first."""
    kind: Any = type(record)
    require_in_range(record)
    for name, many in nested_in(kind):
        part = getattr(record, name)
        for inner in part if many else (part,):
            require_all_in_range(inner)


@rule("EVENT-8")
def require_account(ctx: Context, account: str) -> None:
    """Reject unless the account exists."""
    require(account in ctx.state.accounts, Reason.UNKNOWN_ACCOUNT, account)


@rule("EVENT-8")
def require_market(ctx: Context, market: str) -> None:
    """Reject unless the market exists."""
    require(market in ctx.state.markets, Reason.UNKNOWN_MARKET, market)


@rule("EVENT-8")
def require_pool(ctx: Context, pool: str) -> None:
    """Reject unless the pool exists."""
    require(pool in ctx.state.pools, Reason.UNKNOWN_POOL, pool)


@rule("EVENT-8")
def require_feed(ctx: Context, feed: str) -> None:
    """Reject unless the feed exists."""
    require(feed in ctx.state.feeds, Reason.UNKNOWN_FEED, feed)


@rule("EVENT-9")
def require_distinct(account: str, other: str) -> None:
    """Reject an action whose two sides are the same account."""
    require(account != other, Reason.SAME_ACCOUNT, account)


@rule("EVENT-4")
def require_administrator(ctx: Context) -> None:
    """Reject unless the actor is an administrator."""
    require(ctx.actor in ctx.state.administrators, Reason.UNAUTHORISED, ctx.actor)


@rule("EVENT-4")
def require_venue(ctx: Context) -> None:
    """Reject unless the actor is a venue."""
    require(ctx.actor in ctx.state.venues, Reason.UNAUTHORISED, ctx.actor)


@rule("EVENT-4")
def require_owner(ctx: Context, account: str) -> None:
    """Reject unless the actor owns the account."""
    require(ctx.state.accounts[account].owner == ctx.actor, Reason.UNAUTHORISED, ctx.actor)
