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
from clearspec.margin import Standing, bounded, fill_allowed, is_critical, is_liquidatable, standing
from clearspec.numerics import POSITIONS_MAX, SCALE, div_ceil, div_floor, mul_ceil, mul_floor, notional
from clearspec.oracle import is_fresh
from clearspec.parameters import LiquidationParameters
from clearspec.rules import rule
from clearspec.state import Budget, Market, MarketStatus
from clearspec.trading import held_size, novate, reduces, require_balance_limit


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
    return bounded(account.maintenance + mul_ceil(account.maintenance, buffer) - account.margin_equity)


@rule("LIQ-2", "PARM-13")
def maintenance_in_force(market: Market, time: int) -> int:
    """Lowest maintenance ratio of the market; while a ramp runs, the smaller of the two that it lies between."""
    lowest = market.listing.parameters.margin.tiers[0].maintenance
    return min(lowest, market.before.margin.tiers[0].maintenance) if time < market.ramp_end else lowest


@rule("LIQ-3")
def closable_size(size: int, price: int, account: Standing, market: Market, time: int) -> int:
    """Most lots that one liquidation may close of a position of ``size`` lots (unsigned).

    The restoring size, at most the close factor (rounded up), at least the minimum piece; all of it below critical
    health.
    """
    rules = market.listing.parameters.liquidation
    if is_critical(account, rules.critical_health):
        return size
    shortfall = shortfall_to_target(account, rules.buffer)
    wanted = restoring_size(shortfall, price, maintenance_in_force(market, time), rules.penalty)
    return min(size, max(rules.minimum, min(wanted, mul_ceil(size, rules.close_factor))))


@rule("LIQ-4")
def penalty_for(value: int, ratio: int, net_liquidation_value: int, notional_held: int) -> int:
    """Penalty on a closed notional, rounded down, at most that part of the account's net liquidation value.

    The part is the closed notional's part of all that the account holds, rounded down; splitting a step in pieces
    takes no more.
    """
    worth = max(0, bounded(net_liquidation_value))
    return min(mul_floor(value, ratio), div_floor(worth * value, notional_held))


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
def renewed(budget: Budget, time: int, interval: int) -> Budget:
    """The budget now: the same, or an empty one once its interval has passed."""
    return Budget(time, 0, 0) if time >= budget.start + interval else budget


@rule("LIQ-6", "FALL-5")
def current_budget(ctx: Context, market: Market) -> Budget:
    """The market's draws on insurance in the running interval; a new interval starts empty."""
    interval = market.listing.parameters.liquidation.budget_interval
    return renewed(ctx.state.budgets[market.listing.market], ctx.time, interval)


@rule("LIQ-4", "LIQ-5", "LIQ-6")
def pay_penalty(ctx: Context, market: Market, action: Liquidate, value: int, before: Standing) -> dict[str, int]:
    """Charge the penalty: the reward to the liquidator, the rest to insurance, then the insured floor."""
    state, postings = ctx.state, ctx.postings
    rules = market.listing.parameters.liquidation
    pool = state.pools[market.listing.pool]
    asset = pool.settlement_asset
    fund = house(asset, pool.pool, Kind.INSURANCE_FUND)
    debtor, keeper = user(asset, pool.pool, action.account), user(asset, pool.pool, action.liquidator)
    penalty = penalty_for(value, rules.penalty, before.net_liquidation_value, before.notional)
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


@rule("LIQ-3")
def piece_to_close(ctx: Context, action: Liquidate, market: Market, closable: int) -> int:
    """Lots to close: those asked for, at most what may be closed; rejected below the minimum piece."""
    piece = min(action.size, closable)
    large_enough = piece >= min(closable, market.listing.parameters.liquidation.minimum)
    require(large_enough, Reason.SIZE_BELOW_MINIMUM, action.account)
    return piece


@rule("LIQ-7", "TRADE-6", "TRADE-10")
def require_able(ctx: Context, liquidator: str, reducing: bool) -> None:
    """Reject a liquidator that cannot carry what it took: too many positions, balance limit, margin."""
    held = len(ctx.state.accounts[liquidator].markets)
    require(held <= POSITIONS_MAX, Reason.TOO_MANY_POSITIONS, liquidator)
    after = standing(ctx, liquidator)
    require_balance_limit(ctx, liquidator, after.cash, reducing)
    require(fill_allowed(ctx, liquidator, after), Reason.INSUFFICIENT_MARGIN, liquidator)


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
    expired = 0 < market.listing.expiry <= ctx.time
    require(not closed and not expired, Reason.MARKET_NOT_TRADING, action.market)
    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)
    size = held_size(ctx, action.account, action.market)
    require(size != 0, Reason.NO_POSITION, action.account)
    before = standing(ctx, action.account)
    require(is_liquidatable(before), Reason.NOT_LIQUIDATABLE, action.account)
    require(before.net_liquidation_value >= 0, Reason.IN_DEFAULT, action.account)
    price = state.marks[action.market].price
    piece = piece_to_close(ctx, action, market, closable_size(abs(size), price, before, market, ctx.time))
    # EFFECT
    buyer, seller = (action.liquidator, action.account) if size > 0 else (action.account, action.liquidator)
    bought, sold = novate(ctx, buyer, seller, action.market, piece, price)
    paid = pay_penalty(ctx, market, action, notional(piece, price), before)
    # ENSURE
    require_able(ctx, action.liquidator, reduces(*(bought if size > 0 else sold)))
    return Outcome((action.account, action.liquidator), {"closed": piece, "price": price, **paid})
