"""Margin: requirements, the two equities, counted profit, and the tests that outflows and fills must pass."""

from __future__ import annotations

from typing import NamedTuple

from clearspec.events import Context
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import balance, user
from clearspec.numerics import EQUITY_MAX, PROFIT_MAX, SCALE, clamp, div_ceil, div_floor, mul_ceil, mul_floor, notional
from clearspec.oracle import worst_price
from clearspec.parameters import CollateralTerms, MarginParameters, PoolParameters, Tier, ramped
from clearspec.rules import rule
from clearspec.state import Account, Mark, Market, Position, Settlement


@rule("MARG-1")
def tiered_requirement(value: int, tiers: tuple[Tier, ...]) -> tuple[int, int]:
    """Initial and maintenance requirement of a notional, each slice at its tier's ratio, rounded up once."""
    lower = initial = maintenance = 0
    for tier in tiers:
        part = max(0, min(value, tier.upper) - lower)
        initial += part * tier.initial
        maintenance += part * tier.maintenance
        lower = tier.upper
    return div_ceil(initial, SCALE), div_ceil(maintenance, SCALE)


@rule("MARG-2")
def open_interest_weight(value: int, lower: int, upper: int) -> int:
    """How far open interest (a notional) stands between two bounds, as a ratio, rounded up; 0 with ``upper`` 0."""
    if upper == 0 or value <= lower:
        return 0
    return min(SCALE, div_ceil((value - lower) * SCALE, upper - lower))


@rule("MARG-3")
def size_ratio(size: int, slope: int, unit: int) -> int:
    """Ratio that a position's size adds, rounded up, at most one."""
    return min(SCALE, div_ceil(size * slope, unit))


@rule("MARG-2", "MARG-3", "MARG-4")
def scaled_initial(value: int, tiered: int, size: int, open_interest: int, parameters: MarginParameters) -> int:
    """Initial requirement after multiplier, size and open interest; each step rounds up, never above notional."""
    ratio = size_ratio(size, parameters.size_slope, parameters.size_unit)
    base = min(value, mul_ceil(tiered, parameters.multiplier) + mul_ceil(value, ratio))
    weight = open_interest_weight(open_interest, parameters.open_interest_lower, parameters.open_interest_upper)
    return base + mul_ceil(value - base, weight)


@rule("MARG-4", "PARM-13")
def requirements(market: Market, value: int, size: int, open_interest: int, time: int) -> tuple[int, int]:
    """Initial and maintenance requirement of a position of ``size`` lots (unsigned) worth ``value`` atoms.

    While a ramp runs, maintenance lies between the old table and the new. Initial is never below maintenance.
    """
    parameters = market.listing.parameters.margin
    tiered, maintenance = tiered_requirement(value, parameters.tiers)
    if time < market.ramp_end:
        _, before = tiered_requirement(value, market.before.margin.tiers)
        elapsed, duration = time - market.ramp_start, market.ramp_end - market.ramp_start
        maintenance = ramped(before, maintenance, elapsed, duration)
    initial = scaled_initial(value, tiered, size, open_interest, parameters)
    return max(initial, maintenance), maintenance


@rule("MARG-5")
def stale_penalty(mark: Mark, market: Market, size: int, time: int) -> int:
    """What a position in a stale market is worth less than at mark: it is valued at the worst price for its side."""
    parameters = market.listing.parameters.mark
    overdue = time - mark.fresh_until
    worst = worst_price(mark.price, overdue, parameters.stale_rate, parameters.stale_cap, size)
    return notional(size, mark.price - worst)


class Exposure(NamedTuple):
    """What an account's positions come to, in settlement atoms.

    ``unrealised`` at risk prices and ``at_mark`` at marks, both net of cost, funding and haircut owed.
    """

    unrealised: int
    at_mark: int
    initial: int
    maintenance: int
    notional: int


@rule("SETTLE-6")
def payable(claim: int, settlement: Settlement) -> int:
    """Worth of a claim: whole until every loss is collected, then at the payout factor, rounded down."""
    return div_floor(claim * settlement.pot, settlement.claims) if settlement.collected else claim


@rule("MARG-5", "MARG-6", "ORCL-10")
def position_exposure(ctx: Context, market_id: str, position: Position) -> Exposure:
    """One position's part in an account's exposure."""
    state = ctx.state
    market, mark, funding = state.markets[market_id], state.marks[market_id], state.fundings[market_id]
    size = position.size
    if size == 0:
        worth = payable(-position.cost, state.settlements[market_id])
        return Exposure(worth, worth, 0, 0, 0)
    lots, price = abs(size), mark.price
    value = notional(lots, price)
    interest = notional(state.open_interest[market_id], price)
    initial, maintenance = requirements(market, value, lots, interest, ctx.time)
    at_mark = notional(size, price) - position.cost - funding_owed(position, funding.index)
    at_mark -= haircut_owed(position, funding)
    at_risk = at_mark if ctx.time <= mark.fresh_until else at_mark - stale_penalty(mark, market, size, ctx.time)
    return Exposure(at_risk, at_mark, initial, maintenance, value)


@rule("MARG-6")
def exposure(ctx: Context, account: Account) -> Exposure:
    """The one fold over an account's positions."""
    unrealised = at_mark = initial = maintenance = value = 0
    positions = ctx.state.positions
    for market in account.markets:
        part = position_exposure(ctx, market, positions[account.account, market])
        unrealised += part.unrealised
        at_mark += part.at_mark
        initial += part.initial
        maintenance += part.maintenance
        value += part.notional
    return Exposure(unrealised, at_mark, initial, maintenance, value)


@rule("MARG-7")
def index_value(amount: int, price: int, unit: int) -> int:
    """Settlement atoms that an amount of collateral is worth at index, rounded down."""
    return div_floor(amount * price, unit)


@rule("MARG-7", "ORCL-9")
def collateral_price(ctx: Context, terms: CollateralTerms) -> int:
    """Index of a collateral asset while it is fresh; then it falls with its age, rounded down, to 1 at the lowest.

    0 for an asset that never had a price.
    """
    feed = ctx.state.feeds[terms.feed]
    overdue = max(0, ctx.time - feed.index_time - feed.parameters.max_age)
    return max(min(1, feed.index), worst_price(feed.index, overdue, terms.stale_rate, SCALE, 1))


@rule("MARG-7", "ORCL-10")
def collateral_values(ctx: Context, pool: PoolParameters, terms: CollateralTerms, account: str) -> tuple[int, int]:
    """Worth of an account's holding of one asset: after haircut and age penalty, and at index; both rounded down."""
    amount = balance(ctx.state, user(terms.asset, pool.pool, account))
    worth = index_value(amount, collateral_price(ctx, terms), terms.unit)
    return mul_floor(worth, SCALE - terms.haircut), index_value(amount, ctx.state.feeds[terms.feed].index, terms.unit)


@rule("MARG-8")
def counted_profit(unrealised: int, weight: int, cap: int) -> int:
    """Unrealised result as it counts: a loss whole, a profit by weight (rounded down) and at most the cap."""
    if unrealised <= 0:
        return unrealised
    return min(cap, mul_floor(min(unrealised, PROFIT_MAX), weight))


class Standing(NamedTuple):
    """Where an account stands, in settlement atoms (MARG-9).

    ``margin_equity`` decides maintenance and liquidation, ``initial_equity`` new risk, ``net_liquidation_value``
    default. ``unrealised`` is the positions' part of margin equity; ``collateral`` is worth at index.
    """

    cash: int
    collateral: int
    unrealised: int
    margin_equity: int
    initial_equity: int
    net_liquidation_value: int
    initial: int
    maintenance: int
    notional: int


@rule("MARG-9")
def standing(ctx: Context, account_id: str) -> Standing:
    """The standing of an account now; reads everything that is owed and changes nothing."""
    state = ctx.state
    account = state.accounts[account_id]
    pool = state.pools[account.pool]
    cash = balance(state, user(pool.settlement_asset, pool.pool, account_id))
    haircut_value = collateral = 0
    for terms in pool.collateral:
        after_haircut, at_index = collateral_values(ctx, pool, terms, account_id)
        haircut_value += after_haircut
        collateral += at_index
    unrealised, at_mark, initial, maintenance, value = exposure(ctx, account)
    realised = cash + haircut_value
    return Standing(
        cash,
        collateral,
        unrealised,
        realised + unrealised,
        realised + counted_profit(unrealised, pool.profit_weight_initial, pool.profit_cap_initial),
        cash + collateral + at_mark,
        initial,
        maintenance,
        value,
    )


@rule("MARG-10")
def has_initial_margin(account: Standing) -> bool:
    """Whether initial equity covers the initial requirement; at equality it does."""
    return account.initial_equity >= account.initial


@rule("NUM-9")
def bounded(equity: int) -> int:
    """Equity clamped far above any requirement, so that a product with one fits 128 bits."""
    return clamp(equity, -EQUITY_MAX, EQUITY_MAX)


@rule("MARG-10")
def reduces_risk(before: Standing, after: Standing) -> bool:
    """Whether an account below initial margin has less risk than before, at no worse health.

    Health is equity over requirement, compared by cross-multiplication; where equity is negative it may not fall. An
    account in default may not fill its way out: its default is resolved, so that no counterparty escapes its share.
    """
    if after.maintenance > before.maintenance or after.net_liquidation_value < 0:
        return False
    if before.maintenance == 0 or before.margin_equity < 0:
        return after.margin_equity >= before.margin_equity
    return bounded(after.margin_equity) * before.maintenance >= bounded(before.margin_equity) * after.maintenance


@rule("MARG-10")
def fill_allowed(ctx: Context, account: str, after: Standing) -> bool:
    """Whether a fill may stand for one side: initial margin after it, or less risk than before the event."""
    if has_initial_margin(after):
        return True
    with ctx.state.rewound():
        before = standing(ctx, account)
    return reduces_risk(before, after)


@rule("MARG-11")
def withdrawal_equity(account: Standing, pool: PoolParameters) -> int:
    """Margin equity with unrealised profit at its weight and cap for withdrawals, in atoms."""
    counted = counted_profit(account.unrealised, pool.profit_weight_withdrawal, pool.profit_cap_withdrawal)
    return account.margin_equity - account.unrealised + counted


@rule("MARG-11")
def outflow_allowed(after: Standing, pool: PoolParameters) -> bool:
    """Whether an outflow may stand: withdrawal equity covers initial margin and the ratio of notional (rounded up)."""
    least = max(after.initial, mul_ceil(after.notional, pool.withdrawal_margin))
    return withdrawal_equity(after, pool) >= least


@rule("MARG-12")
def is_liquidatable(account: Standing) -> bool:
    """Whether margin equity is below the maintenance requirement; at equality it is not."""
    return account.margin_equity < account.maintenance


@rule("MARG-12")
def is_critical(account: Standing, critical_health: int) -> bool:
    """Whether health is below the critical ratio, compared by cross-multiplication."""
    return bounded(account.margin_equity) * SCALE < account.maintenance * critical_health
