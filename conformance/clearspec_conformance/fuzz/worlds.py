"""Where generated sequences start: clearinghouses in different conditions, so that deep transitions are near.

A world is a genesis and the events that lead into a condition. Prices are near 1000, an oracle step is 2 %, initial
margin 10 % of a small position and maintenance 9 %: one price can make an account liquidatable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.formats import VectorStep, receipt_record
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, POSITIONS_MAX, PRICE_MAX
from clearspec.parameters import Aggregation, InterestForm, MarketKind, MarketListing, MarketParameters, Tier
from clearspec.sandbox import PERCENT
from clearspec.state import State
from clearspec_conformance.vectors import FEATURE_OF

PERP, FUTURE, ALT = "BTC-PERP", "BTC-FUT", "ALT-PERP"
START = 1000
"""First price of every feed, in atoms per lot."""

CASH = 10_000
"""Settlement atoms of an account that is funded."""

PARAMETERS = MarketParameters(
    replace(
        sb.TRADING, max_position=1_000, max_open_interest=800, taker_fee=500_000, maker_fee=-200_000,
        insurance_share=30 * PERCENT,
    ),
    replace(sb.MARGIN, tiers=(Tier(50_000, 10 * PERCENT, 9 * PERCENT), Tier(NOTIONAL_MAX, 20 * PERCENT, 15 * PERCENT))),
    replace(sb.MARK, window=3, band=PERCENT // 5, variation_interval=1),
    replace(
        sb.FUNDING, interval=60, period=3600, max_gap=120, sample_interval=10, interest=5 * PERCENT,
        damper=10 * PERCENT, cap=10 * PERCENT,
    ),
    replace(
        sb.LIQUIDATION, reward_floor=PERCENT * 8 // 10, reward_budget=500, close_factor=50 * PERCENT,
        critical_health=50 * PERCENT, buffer=PERCENT, minimum=3, insurance_cap=5_000, budget_interval=100,
    ),
    20,
)  # fmt: skip
SCALED: MarketParameters = replace(
    PARAMETERS,
    margin=replace(
        PARAMETERS.margin, open_interest_lower=20_000, open_interest_upper=400_000, size_slope=PERCENT, size_unit=10,
        multiplier=110 * PERCENT, ramp=90,
    ),
    funding=replace(
        PARAMETERS.funding, aggregation=Aggregation.MEDIAN, min_samples=2, interest_form=InterestForm.ADDED
    ),
)  # fmt: skip
"""The same with everything on that raises initial margin, and the other forms of funding."""

FEED = replace(sb.FEED, max_age=90, band=2 * PERCENT, max_price=100_000)
QUORUM = replace(FEED, sources=("s1", "s2", "s3"), quorum=2)
ETH = replace(sb.ETH_FEED, max_age=90, band=2 * PERCENT, max_price=100_000)
POOL = replace(
    sb.POOL, collateral=(), settlement_cap=10**9, backstop="backstop", negative_balance_limit=50, gate_threshold=10,
    profit_weight_withdrawal=50 * PERCENT, profit_cap_withdrawal=500, withdrawal_margin=PERCENT, dust=5,
    insurance_cap=10_000, budget_interval=100,
)  # fmt: skip
LISTING: MarketListing = replace(sb.LISTING, parameters=PARAMETERS)


def plain() -> ev.Genesis:
    """One pool, one perpetual, one source."""
    return sb.genesis(pool=POOL, feeds=(FEED,), markets=(LISTING,))


def bare() -> ev.Genesis:
    """The same with an insurance fund as the only layer."""
    return sb.genesis(pool=replace(POOL, layers=sb.LAYERS[:1]), feeds=(FEED,), markets=(LISTING,))


def mixed() -> ev.Genesis:
    """Two pools, collateral, a perpetual in each and a future; three sources."""
    pool = replace(POOL, collateral=(replace(sb.ETH, cap=10_000),))
    future = replace(LISTING, market=FUTURE, kind=MarketKind.FUTURE, expiry=400)
    other = replace(LISTING, market=ALT, pool="side", feed="ALT")
    feeds = (QUORUM, ETH, replace(FEED, feed="ALT"))
    side = replace(POOL, pool="side", backstop="")
    return sb.genesis(pool=pool, pools=(side,), feeds=feeds, markets=(LISTING, future, other))


def scaled() -> ev.Genesis:
    """Initial margin that grows with size and open interest, median funding, a long ramp."""
    future = replace(LISTING, market=FUTURE, kind=MarketKind.FUTURE, expiry=300, parameters=SCALED)
    return sb.genesis(pool=POOL, feeds=(FEED,), markets=(replace(LISTING, parameters=SCALED), future))


def many() -> ev.Genesis:
    """More markets than an account may hold positions in."""
    markets = tuple(replace(LISTING, market=f"M{number}") for number in range(POSITIONS_MAX + 2))
    return sb.genesis(pool=POOL, feeds=(FEED,), markets=markets)


def large() -> ev.Genesis:
    """Amounts, prices and sizes at the bounds of their fields."""
    trading = replace(PARAMETERS.trading, max_position=2**20, max_open_interest=2**20)
    pool = replace(POOL, settlement_cap=AMOUNT_MAX, profit_cap_withdrawal=AMOUNT_MAX, insurance_cap=AMOUNT_MAX)
    feed = replace(FEED, max_price=PRICE_MAX)
    listing = replace(LISTING, parameters=replace(PARAMETERS, trading=trading))
    return sb.genesis(pool=pool, feeds=(feed,), markets=(listing,))


@dataclass
class Scribe(sb.Sandbox):
    """A sandbox that keeps its steps."""

    check: bool = False
    steps: list[VectorStep] = field(default_factory=list)

    def do(self, actor: str, action: Any, expect: ev.Reason | None = None) -> ev.Receipt:
        """Apply an action as the sandbox does, and keep the step."""
        receipt = super().do(actor, action, expect)
        event = ev.Event(receipt.id, receipt.sequence, receipt.time, actor, action)
        self.steps.append(VectorStep(event, receipt_record(receipt)))
        return receipt


Lead = Callable[[Scribe], None]


def empty(box: Scribe) -> None:
    """Nothing has happened."""


def prices(box: Scribe, price: int = START) -> None:
    """Every feed has a price."""
    for feed in list(box.state.feeds):
        box.price(price, feed)


def funded(box: Scribe) -> None:
    """Accounts with cash, some with collateral, funds and prices."""
    prices(box)
    for account in ("a", "b", "c", "backstop"):
        box.open(account, 4 * CASH if account == "b" else CASH)
    if "side" in box.state.pools:
        box.open("d", CASH, "side")
        box.open("e", CASH, "side")
        box.do("a", ev.Deposit("a", "ETH", 8))
        box.do("c", ev.Deposit("c", "ETH", 1))
    box.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 700))
    box.do("z", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 300))


def traded(box: Scribe) -> None:
    """Positions in every market, ``a`` and ``c`` long close to their margin."""
    funded(box)
    lots = 40 if box.state.markets[PERP].listing.parameters == SCALED else 60
    box.trade("a", "b", lots, START)
    if FUTURE in box.state.markets:
        box.trade("c", "b", lots - 5, START, FUTURE)
    if ALT in box.state.markets:
        box.trade("d", "e", 55, START, ALT)
    box.time = 12
    box.do("venue", ev.PostBook(PERP, START + 1, START + 3))


def fallen(box: Scribe, price: int) -> None:
    """Every price has fallen as far."""
    for feed in ("BTC", "ALT"):
        if feed in box.state.feeds:
            box.drive(price, feed)


def falling(box: Scribe) -> None:
    """Longs stand below maintenance."""
    traded(box)
    fallen(box, 915)


def crashed(box: Scribe) -> None:
    """Longs are in default."""
    traded(box)
    fallen(box, 800)


def burnt(box: Scribe) -> None:
    """A default has used up the insurance fund; a loss is uncovered, which shuts the gate."""
    traded(box)
    fallen(box, 800)
    box.do("z", ev.ResolveDefault("a"))


def indebted(box: Scribe) -> None:
    """A liquidation has left an account with much collateral and a negative balance."""
    prices(box)
    box.open("a", 3 * CASH // 10)
    box.do("a", ev.Deposit("a", "ETH", 12))
    box.open("b", 4 * CASH)
    box.trade("a", "b", 60, START)
    box.drive(840)
    box.do("b", ev.Liquidate("a", "b", PERP, 60))


def expired(box: Scribe) -> None:
    """The future is in final settlement after a crash."""
    traded(box)
    fallen(box, 800)
    box.price(800, time=box.state.markets[FUTURE].listing.expiry + 1)
    box.do("z", ev.FixSettlement(FUTURE))


def paying(box: Scribe) -> None:
    """Every position of the future is settled; its claims wait to be paid."""
    expired(box)
    box.do("b", ev.Convert("c", "b", "ETH", 1))
    for account in ("c", "b"):
        box.do("z", ev.SettlePosition(account, FUTURE))


def spread(box: Scribe) -> None:
    """An account holds a position in as many markets as it may."""
    prices(box)
    for account in ("a", "b"):
        box.open(account, 10 * CASH)
    for market in list(box.state.markets)[:POSITIONS_MAX]:
        box.trade("a", "b", 1, START, market)


def loaded(box: Scribe) -> None:
    """Balances, a price and funds at the top of their ranges."""
    prices(box, PRICE_MAX // 2)
    for account in ("a", "b", "backstop"):
        box.open(account, AMOUNT_MAX // 4)
    for _ in range(3):
        box.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, AMOUNT_MAX))
    box.trade("a", "b", 2**19, PRICE_MAX // 2)


@dataclass(frozen=True)
class World:
    """A genesis, the steps from there, and the state that they led to."""

    name: str
    genesis: ev.Genesis
    steps: tuple[VectorStep, ...]
    state: State

    @property
    def events(self) -> tuple[ev.Event, ...]:
        """The events of the steps."""
        return tuple(step.event for step in self.steps if step.event is not None)

    @property
    def features(self) -> set[str]:
        """What an engine must have to get here."""
        return {FEATURE_OF[ev.ACTION_NAMES[type(event.action)]] for event in self.events}


WORLDS: dict[str, tuple[Callable[[], ev.Genesis], Lead]] = {
    "plain": (plain, empty),
    "plain funded": (plain, funded),
    "plain traded": (plain, traded),
    "plain falling": (plain, falling),
    "plain crashed": (plain, crashed),
    "bare burnt": (bare, burnt),
    "mixed": (mixed, empty),
    "mixed funded": (mixed, funded),
    "mixed traded": (mixed, traded),
    "mixed falling": (mixed, falling),
    "mixed crashed": (mixed, crashed),
    "mixed indebted": (mixed, indebted),
    "mixed expired": (mixed, expired),
    "mixed paying": (mixed, paying),
    "scaled": (scaled, empty),
    "scaled traded": (scaled, traded),
    "scaled expired": (scaled, expired),
    "large": (large, loaded),
    "many": (many, spread),
}
"""Every world: its genesis and what leads into it."""


@cache
def world(name: str) -> World:
    """A world by its name."""
    genesis, lead = WORLDS[name]
    box = Scribe(genesis())
    lead(box)
    return World(name, box.genesis, tuple(box.steps), box.state)


def within(features: Any) -> list[str]:
    """Names of the worlds that an engine of these features can be led into."""
    return [name for name in WORLDS if world(name).features <= set(features)]
