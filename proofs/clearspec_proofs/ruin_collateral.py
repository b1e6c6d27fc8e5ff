"""The shortest fall of a collateral asset that ruins an account, as a scenario that ``clearspec run`` plays.

The account has collateral alone. It loses on a position exactly what that counts as margin, closes the position, and
owes what it lost; no requirement is left, so that it is at maintenance. From then on the asset falls step by step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clearspec import events as ev
from clearspec.collateral import conversion_price
from clearspec.formats import Fact, PricePath, PricePoint, Scenario, ScenarioFormat, Standing, Step
from clearspec.margin import index_value
from clearspec.numerics import SCALE, div_ceil, mul_floor
from clearspec.oracle import banded, stepped
from clearspec.parameters import AssetParameters, FeedParameters, MarketParameters, haircut_violations
from clearspec.state import Feed
from clearspec_proofs.parameter_sets import SETTLEMENT, Collateral, ParameterSet
from clearspec_proofs.ruin import (
    OTHER,
    STEPS_MAX,
    TRADER,
    Played,
    Ruin,
    deficit_of,
    is_inside,
    opening_of,
    playable,
    required,
    sized,
)

FEED = "collateral-index"
"""The asset has a feed of its own in the scenario, also where one feed prices both."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What the account deposits and trades: amount of the asset, its index at first, cash, lots, both marks."""

    amount: int
    anchor: int
    first: int
    cash: int
    lots: int
    opening: int
    closing: int
    debt: int


def covered_steps(played: Played, chosen: ParameterSet, entry: Collateral) -> MarketParameters | None:
    """The market with the most steps of its gap that the haircut covers, if it covers any."""
    interval = played.feed.step_interval
    if haircut_violations(entry.terms, entry.feed, 1, entry.feed.step_interval):
        return None
    for steps in range(played.market.margin.gap_steps, 0, -1):
        tried = replace(played.market, margin=replace(played.market.margin, gap_steps=steps))
        covered = not haircut_violations(entry.terms, entry.feed, steps, interval)
        if covered and is_inside(tried, chosen, played.feed):
            return tried
    return None


def planned_loss(chosen: ParameterSet, played: Played, entry: Collateral) -> Loss | None:
    """A loss of what the collateral counts; ``None``: initial margin leaves no room for one."""
    anchor, lots = sized(chosen, played)
    top, terms = entry.feed.max_price, entry.terms
    price = max(2, top // 4)
    first = banded(top, price, entry.feed.band, top)
    amount = min(max(1, lots * anchor * terms.unit // (3 * price)), max(1, terms.cap))
    counted = mul_floor(index_value(amount, first, terms.unit), SCALE - terms.haircut)
    least = mul_floor(index_value(amount, price, terms.unit), SCALE - terms.haircut)
    closing = anchor - div_ceil(counted, lots)
    initial, _ = required(played.market, chosen, lots, anchor)
    if closing < 1 or least < initial or counted == 0:
        return None
    debt = lots * (anchor - closing)
    return Loss(amount, price, first, debt - counted, lots, anchor, closing, debt)


def falling(loss: Loss, entry: Collateral, start: int) -> list[PricePoint]:
    """Prices of the asset from the moment of the loss on, until a conversion fetches less than what is owed."""
    record = Feed(replace(entry.feed, feed=FEED), (), loss.anchor, start, loss.anchor, start)
    record = stepped(record, loss.first, start)
    points, time = [PricePoint(start, record.index)], start
    own = entry.feed.step_interval
    while conversion_price(loss.amount, record.index, entry.terms) >= loss.debt:
        if len(points) > STEPS_MAX:
            return []
        time = start + 1 if time == start and own > 1 else start + (time - start) // own * own + own
        record = stepped(record, 1, time)
        points.append(PricePoint(time, record.index))
    return points


def market_prices(loss: Loss, feed: FeedParameters, interval: int) -> Iterator[PricePoint]:
    """Prices of the market from the opening to the closing."""
    price, time = loss.opening, interval
    yield PricePoint(time, price)
    while price != loss.closing:
        price, time = banded(loss.closing, price, feed.band, feed.max_price), time + interval
        yield PricePoint(time, price)


def steps_of(chosen: ParameterSet, loss: Loss, entry: Collateral, played: Played, times: tuple[int, int]) -> list[Step]:
    """Two accounts, a position that is opened and closed at a loss, a conversion and the default at the end."""
    market, pool, interval = chosen.listing.market, played.pool.pool, entry.feed.step_interval
    closing, end = times
    rich = loss.lots * loss.opening * 2
    steps = [Step(0, TRADER, ev.OpenAccount(TRADER, pool)), *(Step(0, OTHER, a) for a in opening_of(OTHER, pool, rich))]
    steps.append(Step(0, TRADER, ev.Deposit(TRADER, entry.terms.asset, loss.amount)))
    steps += [Step(0, TRADER, ev.Deposit(TRADER, SETTLEMENT, loss.cash))] if loss.cash else []
    first = max(interval, played.feed.step_interval)
    opened = ev.Trade(market, TRADER, OTHER, loss.lots, loss.opening, ev.Side.SELLER)
    closed = ev.Trade(market, OTHER, TRADER, loss.lots, loss.closing, ev.Side.BUYER)
    steps.append(Step(first, "book", opened, "Collateral is the account's margin."))
    steps.append(Step(closing, "book", closed, "It has lost exactly what the collateral counts, and is flat."))
    steps.append(Step(end, OTHER, ev.Convert(TRADER, OTHER, entry.terms.asset, loss.amount)))
    steps.append(Step(end, "anyone", ev.ResolveDefault(TRADER), "What it lacks now is the deficit."))
    return steps


def scenario_of(chosen: ParameterSet, loss: Loss, entry: Collateral, played: Played) -> Scenario | None:
    """The scenario of a loss and a fall; ``None``: the asset never falls so far."""
    interval = max(entry.feed.step_interval, played.feed.step_interval)
    down = list(market_prices(loss, played.feed, interval))
    fall = falling(loss, entry, down[-1].time)
    if len(down) > STEPS_MAX or not fall:
        return None
    steady = [PricePoint(point.time, loss.anchor) for point in down[:-1]]
    feed = replace(entry.feed, feed=FEED, sources=("source",), quorum=1, faulty=0)
    pool = replace(played.pool, collateral=(replace(entry.terms, feed=FEED),))
    assets = AssetParameters(SETTLEMENT, 0), AssetParameters(entry.terms.asset, 0)
    listing = replace(chosen.listing, parameters=played.market)
    start = ev.Genesis(0, ("operator",), ("book",), assets, (played.feed, feed), (pool,), (listing,))
    steps = steps_of(chosen, loss, entry, played, (down[-1].time, fall[-1].time))
    paths = PricePath(played.feed.feed, 0, tuple(down)), PricePath(FEED, 0, (*steady, *fall))
    facts = tuple(Fact(change, Standing.DERIVED, "clearspec params") for change in played.changes)
    story = f"The haircut of {entry.terms.asset} against {len(fall) - 1} falls of its price."
    title = "Collateral that counted, and no conversion in time"
    return Scenario(ScenarioFormat.V1, title, story, start, tuple(steps), paths, facts=facts)


def ruin_of(chosen: ParameterSet, entry: Collateral) -> Ruin | None:
    """The shortest fall of an asset that ends in a deficit, played; ``None`` where none is found that can be played."""
    played = playable(replace(chosen, pool=replace(chosen.pool, collateral=())))
    if played is None:
        return None
    free = replace(played.market, trading=replace(played.market.trading, taker_fee=0, maker_fee=0))
    market = covered_steps(replace(played, market=free), chosen, entry)
    if market is None:
        return None
    changes = [change for change in played.changes if not change.startswith("gap_steps")]
    changes += ["no trading fees", f"gap_steps = {market.margin.gap_steps}: no rule reads it but the envelope"]
    played = replace(played, market=market, changes=tuple(changes))
    loss = planned_loss(chosen, played, entry)
    scenario = None if loss is None else scenario_of(chosen, loss, entry, played)
    if scenario is None:
        return None
    promised = div_ceil((chosen.market.margin.gap_steps + 1) * chosen.feed.step_interval, entry.feed.step_interval) + 1
    prices = tuple(point.price for point in scenario.prices[1].points[len(scenario.prices[0].points) - 1 :])
    deficit = deficit_of(scenario)
    return Ruin("collateral", len(prices) - 1, promised, deficit, prices, played.changes, scenario) if deficit else None
