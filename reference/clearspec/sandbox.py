"""A small clearinghouse to try rules on: one pool, one market, easy numbers. Examples and tests use it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from clearspec import events as ev
from clearspec.invariants import broken
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.margin import Standing, standing
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX
from clearspec.parameters import (
    Aggregation,
    AssetParameters,
    CollateralTerms,
    FeedParameters,
    FundingParameters,
    InterestForm,
    Layer,
    LiquidationParameters,
    MarginParameters,
    MarketKind,
    MarketListing,
    MarketParameters,
    MarkParameters,
    PoolParameters,
    Tier,
    TradingParameters,
)

PERCENT = 10**7

TRADING = TradingParameters(10**6, 10**7, 20 * PERCENT, 0, 0, 0)
MARGIN = MarginParameters((Tier(NOTIONAL_MAX, 10 * PERCENT, 5 * PERCENT),), 0, 0, 0, 1, 10**9, 60, 1)
MARK = MarkParameters(1, 0, 10**5, 50 * PERCENT, 5)
FUNDING = FundingParameters(3600, 3600, 3600, 10, Aggregation.MEAN, 1, 0, InterestForm.CLAMPED, 0, 0)
LIQUIDATION = LiquidationParameters(PERCENT, PERCENT // 2, 0, 0, 10**9, 0, 0, 1, AMOUNT_MAX, 86400)
MARKET = MarketParameters(TRADING, MARGIN, MARK, FUNDING, LIQUIDATION, 600)
FEED = FeedParameters("BTC", ("s1",), 1, 0, 600, 10**9, PERCENT, 1, 10**9)
ETH_FEED = FeedParameters("ETH", ("s1",), 1, 0, 600, 10**9, PERCENT, 1, 10**9)
ETH = CollateralTerms("ETH", "ETH", 1, 20 * PERCENT, 5 * PERCENT, 10**12, 10**5)
LAYERS = (Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP, Layer.GAINS_HAIRCUT)
POOL = PoolParameters(
    "main", "USD", AMOUNT_MAX, (ETH,), LAYERS, 0, 0, 10**9, AMOUNT_MAX, 0, 0, 0, 0, AMOUNT_MAX, 86400, ""
)
LISTING = MarketListing("BTC-PERP", "main", "BTC", MarketKind.PERPETUAL, 0, MARKET)


def genesis(
    pool: PoolParameters = POOL,
    markets: tuple[MarketListing, ...] = (LISTING,),
    feeds: tuple[FeedParameters, ...] = (FEED, ETH_FEED),
    pools: tuple[PoolParameters, ...] = (),
) -> ev.Genesis:
    """A genesis of one pool, unless others are given."""
    assets = (AssetParameters("USD", 6), AssetParameters("ETH", 0))
    return ev.Genesis(0, ("admin",), ("venue",), assets, feeds, (pool, *pools), markets)


@dataclass
class Sandbox:
    """A state with a counter of events; every event is followed by a check of every invariant."""

    genesis: ev.Genesis = field(default_factory=genesis)
    time: int = 0
    sequence: int = 0
    check: bool = True

    def __post_init__(self) -> None:
        self.state = build(self.genesis)

    def do(self, actor: str, action: Any, expect: ev.Reason | None = None) -> ev.Receipt:
        """Apply an action now; it must be accepted, or rejected for the expected reason."""
        self.sequence += 1
        receipt = apply(self.state, ev.Event(f"e{self.sequence}", self.sequence, self.time, actor, action))
        if receipt.reason != expect:
            raise AssertionError(f"{action}: expected {expect}, got {receipt.reason} ({receipt.subject})")
        if self.check:
            found = broken(self.state)
            if found:
                raise AssertionError(f"{action} breaks {found}")
        return receipt

    def open(self, account: str, cash: int = 0, pool: str = "main") -> None:
        """Open an account owned by an actor of its own name, or a backstop account of the admin, with a deposit."""
        owner = "admin" if self.state.pools[pool].backstop == account else account
        self.do(owner, ev.OpenAccount(account, pool))
        if cash:
            self.do(owner, ev.Deposit(account, self.state.pools[pool].settlement_asset, cash))

    def price(self, price: int, feed: str = "BTC", time: int | None = None) -> int:
        """Post a price from every source of a feed; returns the index."""
        self.time = self.time if time is None else time
        for source in self.state.feeds[feed].parameters.sources:
            self.do(source, ev.PostPrice(feed, price, 0))
        return self.state.feeds[feed].index

    def drive(self, price: int, feed: str = "BTC", limit: int = 2000) -> None:
        """Post a price once a second until the index has arrived."""
        for _ in range(limit):
            self.time += 1
            if self.price(price, feed) == price:
                return
        raise AssertionError("the index did not arrive")

    def trade(
        self, buyer: str, seller: str, size: int, price: int, market: str = "BTC-PERP", expect: ev.Reason | None = None
    ) -> ev.Receipt:
        """Novate a fill in which the seller is the maker."""
        return self.do("venue", ev.Trade(market, buyer, seller, size, price, ev.Side.SELLER), expect)

    def standing(self, account: str) -> Standing:
        """The standing of an account now."""
        return standing(ev.Context(self.state, self.time), account)

    def cash(self, account: str) -> int:
        """Settlement balance of an account."""
        return self.standing(account).cash

    def balance(self, kind: str, owner: str = "", asset: str = "USD", pool: str = "main") -> int:
        """Balance of a ledger account."""
        return self.state.balances.get((asset, pool, kind, owner)) or 0


def with_pool(**changes: Any) -> ev.Genesis:
    """The genesis with changed pool parameters."""
    return genesis(pool=replace(POOL, **changes))


def with_market(**changes: Any) -> ev.Genesis:
    """The genesis with changed sections of the market's parameters."""
    return genesis(markets=(replace(LISTING, parameters=replace(MARKET, **changes)),))
