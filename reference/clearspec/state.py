"""The state: tables of immutable records, with an undo journal for the running transition.

Accepting an event commits what its transition wrote, rejecting it undoes all of it, so that a rejected event leaves
the state as it was (EVENT-7).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from clearspec.fields import (
    AmountOrZero,
    Balance,
    Id,
    Index,
    Instant,
    Length,
    OptionalId,
    PriceOrZero,
    SignedSize,
    SizeOrZero,
    Time,
    Wide,
    WideRatio,
)
from clearspec.numerics import MARKETS_MAX, POSITIONS_MAX, SAMPLES_MAX
from clearspec.parameters import (
    AssetParameters,
    FeedParameters,
    MarketListing,
    MarketParameters,
    PoolParameters,
)
from clearspec.rules import rule

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """Records by key, in order of creation, with what the running transition overwrote.

    Reading is reading a dictionary; writing goes through ``put`` alone.
    """

    __slots__ = ("name", "undo")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.undo: dict[K, V | None] = {}

    def put(self, key: K, record: V) -> None:
        """Write a record; the first write to a key keeps what stood there (``None``: nothing)."""
        if key not in self.undo:
            self.undo[key] = self.get(key)
        self[key] = record

    def commit(self) -> list[K]:
        """Keep what was written; returns the keys that are new, in order of creation."""
        created = [key for key, before in self.undo.items() if before is None]
        self.undo.clear()
        return created

    def exchange(self) -> None:
        """Swap what was written with what it overwrote; a second call swaps back."""
        for key, before in self.undo.items():
            self.undo[key] = self.pop(key, None) if before is None else self.get(key)
            if before is not None:
                self[key] = before


class MarketStatus(StrEnum):
    """What a market admits (TRADE-4, SETTLE-1)."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"
    SETTLING = "settling"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its owner, its pool for life, the markets in which it holds a position, the last one it left."""

    account: Id
    owner: Id
    pool: Id
    markets: Annotated[tuple[Id, ...], Length(POSITIONS_MAX)]
    last_market: OptionalId


@dataclass(frozen=True, slots=True)
class Position:
    """A position: signed lots, signed cost in atoms, and the indices up to which it has been settled."""

    size: SignedSize
    cost: Wide
    funding_index: Index
    haircut_index: Index


FLAT = Position(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Market:
    """A listed market: its listing, status, the parameters from which a ramp started, and whether it is delisted."""

    listing: MarketListing
    status: MarketStatus
    before: MarketParameters
    ramp_start: Time
    ramp_end: Instant
    delisted: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark price, the last second at which it is fresh, smoothing state and last sample, last variation-margin mark."""

    price: PriceOrZero
    fresh_until: Instant
    basis_sum: Wide
    sample_time: Time
    variation_price: PriceOrZero
    variation_time: Time


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding index (atoms per lot, longs pay when it rises), carried remainder, premium samples, haircut indices."""

    index: Index
    carry: Wide
    time: Time
    samples: Annotated[tuple[WideRatio, ...], Length(SAMPLES_MAX)]
    haircut_long: Index
    haircut_short: Index
    haircut_since_variation: Index


@dataclass(frozen=True, slots=True)
class Budget:
    """What a market, or a whole pool, drew on the insurance fund since ``start``: for deficits and reward floors."""

    start: Time
    deficits: AmountOrZero
    rewards: AmountOrZero


@dataclass(frozen=True, slots=True)
class Settlement:
    """Final settlement of a market: accrued TWAP, price (0 until fixed), residual, shortfall, payout, progress."""

    accrued: Wide
    accrued_time: Time
    price: PriceOrZero
    residual: Wide
    shortfall: Balance
    pot: Balance
    claims: Balance
    claimed: Balance
    collected: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """An oracle feed: parameters, markets that use it, index (0 before the first), anchor of the current step."""

    parameters: FeedParameters
    markets: Annotated[tuple[Id, ...], Length(MARKETS_MAX)]
    index: PriceOrZero
    index_time: Time
    anchor: PriceOrZero
    anchor_time: Time


@dataclass(frozen=True, slots=True)
class Post:
    """The latest price that a source posted on a feed."""

    price: PriceOrZero
    confidence: PriceOrZero
    time: Time


BalanceKey = tuple[str, str, str, str]
"""Ledger account: (asset, pool, kind, owner)."""


@rule("EVENT-12")
@dataclass(slots=True)
class State:
    """Everything that the clearinghouse knows, and nothing else."""

    time: int = 0
    sequence: int = 0
    administrators: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    recent: dict[str, None] = field(default_factory=dict)
    assets: Table[str, AssetParameters] = field(default_factory=lambda: Table("assets"))
    pools: Table[str, PoolParameters] = field(default_factory=lambda: Table("pools"))
    feeds: Table[str, Feed] = field(default_factory=lambda: Table("feeds"))
    posts: Table[tuple[str, str], Post] = field(default_factory=lambda: Table("posts"))
    markets: Table[str, Market] = field(default_factory=lambda: Table("markets"))
    marks: Table[str, Mark] = field(default_factory=lambda: Table("marks"))
    fundings: Table[str, Funding] = field(default_factory=lambda: Table("fundings"))
    open_interest: Table[str, SizeOrZero] = field(default_factory=lambda: Table("open_interest"))
    budgets: Table[str, Budget] = field(default_factory=lambda: Table("budgets"))
    pool_budgets: Table[str, Budget] = field(default_factory=lambda: Table("pool_budgets"))
    settlements: Table[str, Settlement] = field(default_factory=lambda: Table("settlements"))
    accounts: Table[str, Account] = field(default_factory=lambda: Table("accounts"))
    positions: Table[tuple[str, str], Position] = field(default_factory=lambda: Table("positions"))
    balances: Table[BalanceKey, Balance] = field(default_factory=lambda: Table("balances"))
    created: list[tuple[str, Any]] = field(default_factory=list)
    tables: tuple[Table[Any, Any], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tables = (
            self.assets, self.pools, self.feeds, self.posts, self.markets, self.marks, self.fundings,
            self.open_interest, self.budgets, self.pool_budgets, self.settlements, self.accounts, self.positions,
            self.balances,
        )  # fmt: skip

    @rule("EVENT-7")
    def commit(self) -> None:
        """Keep what the transition wrote; a new object gets the next creation ordinal."""
        for table in self.tables:
            if table.undo:
                self.created.extend((table.name, key) for key in table.commit())

    @rule("EVENT-7")
    def drop(self) -> None:
        """Undo everything that the transition wrote."""
        self._exchange()
        for table in self.tables:
            table.undo.clear()

    @contextmanager
    def rewound(self) -> Iterator[None]:
        """See the state as it was before the running transition."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for table in self.tables:
            table.exchange()
