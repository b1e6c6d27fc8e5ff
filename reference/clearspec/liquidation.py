"""Liquidation: trigger, size of a step, penalty and its split, the reward floor that insurance pays."""

from __future__ import annotations

from dataclasses import replace

from clearspec.events import (
    Context,
    Liquidate,
    Outcome,
    Reason,
    require,
    require_account,
    require_distinct,
    require_market,
)
from clearspec.ledger import Kind, balance, house, post, user
from clearspec.margin import Standing, fill_allowed, is_critical, is_liquidatable, standing
from clearspec.numerics import POSITIONS_MAX, SCALE, div_ceil, mul_ceil, mul_floor, notional
from clearspec.oracle import is_fresh
from clearspec.parameters import LiquidationParameters, MarketParameters
from clearspec.rules import rule
from clearspec.state import Budget, Market, MarketStatus
from clearspec.trading import held_size, novate


@rule("LIQ-2")
def restoring_size(shortfall: int, price: int, maintenance: int, penalty: int) -> int:
    """Lots whose closing makes good a shortfall of equity below its target, rounded up.

    Each atom of closed notional frees ``maintenance`` and costs ``penalty``; ``maintenance > penalty``. Two atoms
    are added for the two requirements that round.
    """
    closed = div_ceil((shortfall + 2) * SCALE, maintenance - penalty)
    return div_ceil(closed, price)


@rule("LIQ-2")
def shortfall_to_target(account: Standing, buffer: int) -> int:
    """Atoms that margin equity lacks of the maintenance requirement with its buffer, rounded up."""
    return account.maintenance + mul_ceil(account.maintenance, buffer) - account.margin_equity


@rule("LIQ-3")
def closable_size(size: int, price: int, account: Standing, parameters: MarketParameters) -> int:
    """Most lots that one liquidation may close of a position of ``size`` lots (unsigned).

    The restoring size, at most the close factor (rounded up), at least the minimum piece; all of it below critical
    health.
    """
    rules = parameters.liquidation
    if is_critical(account, rules.critical_health):
        return size
    lowest = parameters.margin.tiers[0].maintenance
    wanted = restoring_size(shortfall_to_target(account, rules.buffer), price, lowest, rules.penalty)
    return min(size, max(rules.minimum, min(wanted, mul_ceil(size, rules.close_factor))))


@rule("LIQ-4")
def penalty_for(value: int, net_liquidation_value: int, ratio: int) -> int:
    """Penalty on a closed notional, rounded up, never more than the account's net liquidation value."""
    return min(mul_ceil(value, ratio), max(0, net_liquidation_value))


@rule("LIQ-5")
def reward_from(value: int, penalty: int, ratio: int) -> int:
    """Liquidator's part of the penalty, rounded down on the notional, so that splitting a piece never pays more."""
    return min(mul_floor(value, ratio), penalty)


@rule("LIQ-6")
def topped_up(value: int, reward: int, rules: LiquidationParameters, spent: int, fund: int) -> int:
    """What insurance adds to reach the reward floor (rounded down), within its budget and the fund."""
    wanted = max(0, mul_floor(value, rules.reward_floor) - reward)
    return min(wanted, max(0, rules.reward_budget - spent), max(0, fund))


@rule("LIQ-6", "FALL-5")
def current_budget(ctx: Context, market: Market) -> Budget:
    """The market's draws on insurance in the running interval; a new interval starts empty."""
    budget = ctx.state.budgets[market.listing.market]
    if ctx.time >= budget.start + market.listing.parameters.liquidation.budget_interval:
        return Budget(ctx.time, 0, 0)
    return budget


@rule("LIQ-4", "LIQ-5", "LIQ-6")
def pay_penalty(ctx: Context, market: Market, account: str, liquidator: str, value: int, worth: int) -> dict[str, int]:
    """Charge the penalty: the reward to the liquidator, the rest to insurance, then the insured floor."""
    state, postings = ctx.state, ctx.postings
    rules = market.listing.parameters.liquidation
    pool = state.pools[market.listing.pool]
    asset = pool.settlement_asset
    fund = house(asset, pool.pool, Kind.INSURANCE_FUND)
    debtor, keeper = user(asset, pool.pool, account), user(asset, pool.pool, liquidator)
    penalty = penalty_for(value, worth, rules.penalty)
    reward = reward_from(value, penalty, rules.reward)
    post(state, postings, debtor, keeper, reward, "LIQ-5")
    post(state, postings, debtor, fund, penalty - reward, "LIQ-4")
    budget = current_budget(ctx, market)
    floor = topped_up(value, reward, rules, budget.rewards, balance(state, fund))
    post(state, postings, fund, keeper, floor, "LIQ-6")
    state.budgets.put(market.listing.market, replace(budget, rewards=budget.rewards + floor))
    return {"penalty": penalty, "reward": reward, "reward_floor": floor}


@rule("LIQ-1")
def may_act_for(ctx: Context, liquidator: str) -> bool:
    """Whether the actor may liquidate into an account: its owner, or anyone for the pool's backstop account."""
    account = ctx.state.accounts[liquidator]
    return account.owner == ctx.actor or ctx.state.pools[account.pool].backstop == liquidator


@rule("LIQ-1", "LIQ-3", "LIQ-7")
def liquidate(ctx: Context, action: Liquidate) -> Outcome:
    """Close part of a position of an account below maintenance against the liquidator, at mark, for a penalty."""
    # CHECK
    state = ctx.state
    require_market(ctx, action.market)
    require_account(ctx, action.account)
    require_account(ctx, action.liquidator)
    require_distinct(action.account, action.liquidator)
    require(may_act_for(ctx, action.liquidator), Reason.UNAUTHORISED, ctx.actor)
    market = state.markets[action.market]
    pool = market.listing.pool
    require(state.accounts[action.account].pool == pool, Reason.WRONG_POOL, action.account)
    require(state.accounts[action.liquidator].pool == pool, Reason.WRONG_POOL, action.liquidator)
    closed = market.status in (MarketStatus.SETTLING, MarketStatus.CLOSED)
    require(not closed, Reason.MARKET_NOT_TRADING, action.market)
    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)
    size = held_size(ctx, action.account, action.market)
    require(size != 0, Reason.NO_POSITION, action.account)
    before = standing(ctx, action.account)
    require(is_liquidatable(before), Reason.NOT_LIQUIDATABLE, action.account)
    parameters = market.listing.parameters
    price = state.marks[action.market].price
    closable = closable_size(abs(size), price, before, parameters)
    piece = min(action.size, closable)
    large_enough = piece >= min(closable, parameters.liquidation.minimum)
    require(large_enough, Reason.SIZE_BELOW_MINIMUM, action.account)
    # EFFECT
    buyer, seller = (action.liquidator, action.account) if size > 0 else (action.account, action.liquidator)
    novate(ctx, buyer, seller, action.market, piece, price)
    value = notional(piece, price)
    paid = pay_penalty(ctx, market, action.account, action.liquidator, value, before.net_liquidation_value)
    # ENSURE
    require(
        len(state.accounts[action.liquidator].markets) <= POSITIONS_MAX, Reason.TOO_MANY_POSITIONS, action.liquidator
    )
    require(fill_allowed(ctx, action.liquidator), Reason.INSUFFICIENT_MARGIN, action.liquidator)
    return Outcome((action.account, action.liquidator), {"closed": piece, "price": price, **paid})
