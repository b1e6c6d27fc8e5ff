"""The shortest price path that ruins an account at maintenance, as a scenario that ``clearspec run`` plays.

The account opens a position, the price takes it to exactly its maintenance requirement, and from then on every step of
the oracle goes against it as far as the band admits. Nobody liquidates it on the way: that is the gap which the
envelope promises to bridge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clearspec import events as ev
from clearspec.formats import Fact, PricePath, PricePoint, Scenario, ScenarioFormat, Standing, Step
from clearspec.listing import lowest_maintenance
from clearspec.margin import requirements
from clearspec.numerics import NOTIONAL_MAX, SCALE, mul_floor
from clearspec.oracle import banded
from clearspec.parameters import (
    AssetParameters,
    FeedParameters,
    MarketParameters,
    PoolParameters,
    Tier,
    feed_violations,
    market_violations,
    pool_violations,
)
from clearspec.scenario import Player
from clearspec.state import Market, MarketStatus
from clearspec_proofs.parameter_sets import SETTLEMENT, ParameterSet
from clearspec_proofs.worst import least

SHORT, LONG = 1, -1
STEPS_MAX = 2000
"""Steps of the oracle after which no path is looked for any more."""

TRADER, OTHER = "trader", "counterparty"


@dataclass(frozen=True, slots=True)
class Ruin:
    """A scenario that ends in a deficit: after how many steps, how many were promised, how much is missing."""

    side: str
    steps: int
    promised: int
    deficit: int
    prices: tuple[int, ...]
    changes: tuple[str, ...]
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Plan:
    """Anchor, lots, the price at which the account opens, that at which it is at maintenance, and those after it."""

    sign: int
    anchor: int
    lots: int
    opening: tuple[int, ...]
    first: int
    adverse: tuple[int, ...]


# Parameters that can be played


def is_inside(market: MarketParameters, chosen: ParameterSet, feed: FeedParameters) -> bool:
    """Whether a market may be listed on a feed."""
    listing = replace(chosen.listing, parameters=market)
    return not market_violations(listing, feed, lowest_maintenance(listing))


def fewer_steps(market: MarketParameters, chosen: ParameterSet, feed: FeedParameters) -> MarketParameters | None:
    """The market with the most steps of its gap that keep it inside the envelope, if any do."""
    for steps in range(market.margin.gap_steps, 0, -1):
        tried = replace(market, margin=replace(market.margin, gap_steps=steps))
        if is_inside(tried, chosen, feed):
            return tried
    return None


def unread(market: MarketParameters, feed: FeedParameters) -> MarketParameters:
    """The market without what no rule reads on the path: liquidation, funding, fees, basis, variation margin."""
    return replace(
        market,
        trading=replace(market.trading, taker_fee=0, maker_fee=0),
        mark=replace(market.mark, band=0, variation_interval=feed.step_interval),
        funding=replace(market.funding, cap=0),
        liquidation=replace(market.liquidation, penalty=0, reward=0, reward_floor=0),
    )


def raised(market: MarketParameters, chosen: ParameterSet, feed: FeedParameters) -> MarketParameters | None:
    """The market with one tier of the least maintenance ratio that lets it be listed with a gap of one step."""

    def tried(ratio: int) -> MarketParameters:
        tier = Tier(NOTIONAL_MAX, max(ratio, market.margin.tiers[0].initial, initial), ratio)
        return replace(market, margin=replace(market.margin, gap_steps=1, tiers=(tier,)))

    initial = SCALE
    ratio = least(lambda ratio: is_inside(tried(ratio), chosen, feed))
    initial = least(lambda part: is_inside(replace_initial(tried(ratio), part), chosen, feed), low=ratio - 1)
    found = replace_initial(tried(ratio), initial)
    return found if is_inside(found, chosen, feed) else None


def replace_initial(market: MarketParameters, initial: int) -> MarketParameters:
    """The market with this initial ratio in its one tier."""
    tier = replace(market.margin.tiers[0], initial=initial)
    return replace(market, margin=replace(market.margin, tiers=(tier,)))


@dataclass(frozen=True, slots=True)
class Played:
    """Parameters inside the envelope that move as the user's do on the path, and what was changed to get there."""

    market: MarketParameters
    feed: FeedParameters
    pool: PoolParameters
    changes: tuple[str, ...]


def playable(chosen: ParameterSet) -> Played | None:
    """The user's parameters with as few changes as let ``clearspec run`` play them; ``None``: none do."""
    changes = []
    feed, pool = chosen.feed, replace(chosen.pool, collateral=(), backstop="")
    if chosen.pool.collateral:
        changes.append("the pool's collateral is left out: nobody holds any")
    if feed_violations(feed):
        feed = replace(feed, sources=("source",), quorum=1, faulty=0)
        changes.append("one source in place of the feed's: all post the same prices")
    if pool_violations(pool):
        pool = replace(pool, layers=())
        changes.append("no layers of the default waterfall: they bear a deficit once it is there")
    market = fewer_steps(chosen.market, chosen, feed)
    if market is not None:
        if market != chosen.market:
            changes.append(f"gap_steps = {market.margin.gap_steps}: no rule reads it but the envelope")
        return Played(market, feed, pool, tuple(changes))
    changes.append(
        "no penalty, fees, funding cap or basis: nothing is liquidated, paid or posted to a book on the path"
    )
    market = fewer_steps(unread(chosen.market, feed), chosen, feed)
    if market is None and chosen.market.margin.tiers:
        market = raised(unread(chosen.market, feed), chosen, feed)
        changes.append("higher margin ratios: the account still has what the set asks for and no more")
    return None if market is None else Played(market, feed, pool, tuple(changes))


# The path


def required(market: MarketParameters, chosen: ParameterSet, lots: int, price: int) -> tuple[int, int]:
    """Initial and maintenance requirement of a position."""
    record = Market(replace(chosen.listing, parameters=market), MarketStatus.ACTIVE, market, 0, 0)
    return requirements(record, lots * price, lots, lots * price, 0)


def sized(chosen: ParameterSet, played: Played) -> tuple[int, int]:
    """An anchor that leaves the price room, and lots of one tier that caps and the pool's cap allow."""
    margin, trading = chosen.market.margin, chosen.market.trading
    bounds = [margin.tiers[0].upper, played.market.margin.tiers[0].upper, chosen.pool.settlement_cap, NOTIONAL_MAX]
    bounds += [margin.open_interest_lower] if margin.open_interest_upper > 0 else []
    most = max(4, min(bounds) // 4)
    anchor = max(2, min(chosen.feed.max_price // 4, most // 2))
    return anchor, max(1, min(trading.max_position, trading.max_open_interest, most // anchor))


def planned(chosen: ParameterSet, played: Played, sign: int) -> Plan | None:
    """The shortest path that ruins one side; ``None``: none within so many steps, or the account cannot be opened."""
    anchor, lots = sized(chosen, played)
    band, top = chosen.feed.band, chosen.feed.max_price
    away, target = (1, top) if sign == SHORT else (top, 1)
    first = banded(away, anchor, band, top)
    _, equity = required(chosen.market, chosen, lots, first)
    adverse = [banded(target, anchor, band, top)]
    while equity >= sign * lots * (adverse[-1] - first):
        if len(adverse) > STEPS_MAX:
            return None
        adverse.append(banded(target, adverse[-1], band, top))
    opening = opened(chosen, played, sign, Plan(sign, anchor, lots, (), first, tuple(adverse)), equity)
    return None if opening is None else replace(opening, sign=sign)


def opened(chosen: ParameterSet, played: Played, sign: int, plan: Plan, equity: int) -> Plan | None:
    """The plan with the price at which the account can open, and the way from there to the anchor."""

    def suffices(apart: int) -> bool:
        initial, _ = required(played.market, chosen, plan.lots, plan.first - sign * apart)
        return equity + plan.lots * apart >= initial

    most = plan.first - 1 if sign == SHORT else chosen.feed.max_price - plan.first
    apart = least(suffices, low=-1, high=most)
    if not suffices(apart):
        return None
    prices = [plan.first - sign * apart]
    while prices[-1] != plan.anchor:
        if len(prices) > STEPS_MAX:
            return None
        prices.append(banded(plan.anchor, prices[-1], chosen.feed.band, chosen.feed.max_price))
    return replace(plan, opening=tuple(prices))


# The scenario


def timed(plan: Plan, interval: int) -> Iterator[PricePoint]:
    """The prices of a plan, a step of the oracle apart; the first adverse one falls in the step of the one before."""
    time = interval
    for price in plan.opening:
        yield PricePoint(time, price)
        time += interval
    yield PricePoint(time, plan.first)
    for price in plan.adverse:
        yield PricePoint(time, price)
        time += interval


def scenario_of(chosen: ParameterSet, played: Played, plan: Plan, story: str) -> Scenario:
    """The scenario of a plan: two accounts, one fill, the prices, and the default at their end."""
    opening, interval = plan.opening[0], played.feed.step_interval
    _, equity = required(chosen.market, chosen, plan.lots, plan.first)
    fee = taker_fee(plan.lots * opening, played.market)
    cash = {TRADER: equity + plan.sign * plan.lots * (plan.first - opening) + fee, OTHER: plan.lots * plan.anchor}
    points = tuple(timed(plan, interval))
    buyer, seller = (OTHER, TRADER) if plan.sign == SHORT else (TRADER, OTHER)
    maker = ev.Side.BUYER if plan.sign == SHORT else ev.Side.SELLER
    listing = replace(chosen.listing, parameters=played.market)
    fill = ev.Trade(listing.market, buyer, seller, plan.lots, opening, maker)
    steps = [Step(0, name, action) for name in cash for action in opening_of(name, played.pool.pool, cash[name])]
    steps.append(Step(interval, "book", fill, "The account opens its position with initial margin."))
    steps.append(Step(points[-1].time, "anyone", ev.ResolveDefault(TRADER), "What it lacks now is the deficit."))
    start = ev.Genesis(
        0, ("operator",), ("book",), (AssetParameters(SETTLEMENT, 0),), (played.feed,), (played.pool,), (listing,)
    )
    title = f"A {'short' if plan.sign == SHORT else 'long'} at maintenance, and no keeper in time"
    facts = tuple(Fact(change, Standing.DERIVED, "clearspec params") for change in played.changes)
    path = PricePath(played.feed.feed, 0, points)
    return Scenario(ScenarioFormat.V1, title, story, start, tuple(steps), (path,), facts=facts)


def opening_of(account: str, pool: str, cash: int) -> tuple[ev.OpenAccount, ev.Deposit]:
    """What opens an account with cash."""
    return ev.OpenAccount(account, pool), ev.Deposit(account, SETTLEMENT, cash)


def taker_fee(value: int, market: MarketParameters) -> int:
    """The taker's fee of a fill."""
    return -mul_floor(-value, market.trading.taker_fee)


def deficit_of(scenario: Scenario) -> int:
    """What a scenario's last step finds missing; 0 where it is rejected."""
    player = Player(scenario)
    for _ in player:
        pass
    return player.played[-1].receipt.amounts.get("deficit", 0)


def ruin(chosen: ParameterSet, sign: int) -> Ruin | None:
    """The shortest price path that ruins one side, played; ``None`` where none is found that can be played."""
    played = playable(chosen)
    plan = None if played is None else planned(chosen, played, sign)
    if played is None or plan is None:
        return None
    promised, steps = chosen.market.margin.gap_steps, len(plan.adverse) - 1
    side = "short" if sign == SHORT else "long"
    story = f"{steps} steps of the oracle after maintenance; gap_steps promises {promised}."
    scenario = scenario_of(chosen, played, plan, story)
    deficit = deficit_of(scenario)
    prices = (plan.first, *plan.adverse)
    return Ruin(side, steps, promised, deficit, prices, played.changes, scenario) if deficit > 0 else None
