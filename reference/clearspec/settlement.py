"""Final settlement: expiry and delisting, the settlement price, collection from losers, payment of claims."""

from __future__ import annotations

from dataclasses import replace

from clearspec.events import (
    Context,
    Delist,
    FixSettlement,
    Outcome,
    PayClaim,
    Reason,
    SettlePosition,
    require,
    require_account,
    require_administrator,
    require_market,
)
from clearspec.ledger import Kind, balance, clearing, house, post, user
from clearspec.margin import standing
from clearspec.numerics import BALANCE_MAX, TIME_MAX, cumulative_share, div_floor, notional
from clearspec.oracle import accrued_index
from clearspec.parameters import Layer, PoolParameters
from clearspec.rules import rule
from clearspec.state import Market, MarketStatus
from clearspec.trading import put_position, settle_owed
from clearspec.waterfall import draw_fund, draw_insurance, open_losses


@rule("SETTLE-1")
def delist(ctx: Context, action: Delist) -> Outcome:
    """Give a market an expiry: after the notice one settlement window runs, from now on it is reduce-only."""
    # CHECK
    require_administrator(ctx)
    require_market(ctx, action.market)
    market = ctx.state.markets[action.market]
    expiry = ctx.time + action.notice + market.listing.parameters.settlement_window
    open_status = market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED)
    sooner = market.listing.expiry == 0 or expiry < market.listing.expiry
    require(open_status and sooner, Reason.STATUS_NOT_ALLOWED, action.market)
    # EFFECT
    listing = replace(market.listing, expiry=expiry)
    status = MarketStatus.HALTED if market.status == MarketStatus.HALTED else MarketStatus.REDUCE_ONLY
    ctx.state.markets.put(action.market, replace(market, listing=listing, status=status, delisted=True))
    return Outcome(amounts={"expiry": expiry})


@rule("SETTLE-3")
def fix_settlement(ctx: Context, action: FixSettlement) -> Outcome:
    """Fix the settlement price of an expired market at its TWAP over the window, rounded down, at least 1."""
    # CHECK
    state = ctx.state
    require_market(ctx, action.market)
    market = state.markets[action.market]
    open_status = market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED)
    require(open_status, Reason.STATUS_NOT_ALLOWED, action.market)
    expiry = market.listing.expiry
    require(0 < expiry <= ctx.time, Reason.SETTLEMENT_NOT_DUE, action.market)
    feed = state.feeds[market.listing.feed]
    require(feed.index > 0, Reason.STALE_PRICE, market.listing.feed)
    # EFFECT
    price = max(1, accrued_index(ctx, action.market, feed))
    state.settlements.put(action.market, replace(state.settlements[action.market], price=price))
    state.marks.put(action.market, replace(state.marks[action.market], price=price, fresh_until=TIME_MAX))
    state.markets.put(action.market, replace(market, status=MarketStatus.SETTLING))
    if state.open_interest[action.market] == 0:
        close_market(ctx, market)
    return Outcome(amounts={"settlement_price": price})


def require_settling(ctx: Context, account: str, market: str) -> Market:
    """Reject unless the account and the market exist and the market is in final settlement."""
    require_market(ctx, market)
    require_account(ctx, account)
    record = ctx.state.markets[market]
    require(record.status == MarketStatus.SETTLING, Reason.NOT_SETTLING, market)
    return record


@rule("SETTLE-5")
def uncollectable(loss: int, deficit: int, losses: int) -> int:
    """Part of a loss that its account cannot bear: the same part of its deficit as of its losses, rounded down.

    ``losses`` are all that the account has open at mark, this one among them; the part is at most the loss.
    """
    return min(loss, div_floor(min(deficit, BALANCE_MAX) * loss, max(1, losses)))


@rule("SETTLE-5")
def draw_layers(ctx: Context, pool: PoolParameters, market: str, missing: int, account: str) -> int:
    """Draw on the pool's fund layers, in their order, for what an account cannot bear of a settled loss."""
    drawn = 0
    for layer in pool.layers:
        if layer == Layer.INSURANCE_FUND:
            drawn += draw_insurance(ctx, pool, [(market, missing - drawn)], account)
        elif layer == Layer.SKIN_IN_THE_GAME:
            drawn += draw_fund(ctx, pool, Kind.SKIN_IN_THE_GAME, missing - drawn, account)
    return drawn


@rule("SETTLE-4", "SETTLE-5")
def settle_position(ctx: Context, action: SettlePosition) -> Outcome:
    """First phase for one position: a gain becomes a claim, a loss is collected, what is missing the funds pay.

    What neither can pay is the market's shortfall and lowers the payout factor of the second phase.
    """
    # CHECK
    state = ctx.state
    market = require_settling(ctx, action.account, action.market)
    account = state.accounts[action.account]
    found = state.positions.get((action.account, action.market))
    require(found is not None and found.size != 0, Reason.NO_POSITION, action.account)
    held = standing(ctx, action.account)
    solvent = held.net_liquidation_value >= 0
    dust = state.pools[account.pool].dust
    require(solvent or held.collateral <= dust, Reason.COLLATERAL_REMAINS, action.account)
    deficit = 0 if solvent else held.collateral - held.net_liquidation_value
    losses = dict(open_losses(ctx, account))
    # SETTLE
    position = state.positions[action.account, action.market]
    settle_owed(ctx, account, action.market, position)
    # EFFECT
    settlement = state.settlements[action.market]
    value = notional(position.size, settlement.price) - position.cost
    change = max(0, position.size)
    state.open_interest.put(action.market, state.open_interest[action.market] - change)
    settlement = replace(settlement, residual=settlement.residual + position.size)
    if value >= 0:
        put_position(ctx, account, action.market, 0, -value)
        state.settlements.put(action.market, replace(settlement, claims=settlement.claims + value))
        amounts = {"claim": value}
    else:
        put_position(ctx, account, action.market, 0, 0)
        state.settlements.put(action.market, settlement)
        missing = min(-value, uncollectable(losses.get(action.market, 0), deficit, sum(losses.values())))
        amounts = collect_loss(ctx, market, action.account, -value, missing)
    finish_collection(ctx, market)
    return Outcome((action.account,), amounts)


@rule("SETTLE-5")
def collect_loss(ctx: Context, market: Market, account: str, loss: int, missing: int) -> dict[str, int]:
    """Collect a settled loss from the account, what it cannot bear from the funds, and note the shortfall."""
    state, market_id = ctx.state, market.listing.market
    pool = state.pools[market.listing.pool]
    cash = user(pool.settlement_asset, pool.pool, account)
    against = clearing(pool.settlement_asset, pool.pool, market_id)
    insured = draw_layers(ctx, pool, market_id, missing, account)
    collected = loss - missing + insured
    post(state, ctx.postings, cash, against, collected, "SETTLE-5")
    settlement = state.settlements[market_id]
    state.settlements.put(market_id, replace(settlement, shortfall=settlement.shortfall + missing - insured))
    return {"loss": loss, "collected": collected, "funds": insured}


@rule("SETTLE-4", "SETTLE-6")
def all_settled(ctx: Context, market: str) -> bool:
    """Whether no position of a settling market is left: no open interest, and the settled lots cancel out."""
    return ctx.state.open_interest[market] == 0 and ctx.state.settlements[market].residual == 0


@rule("SETTLE-6", "SETTLE-7")
def finish_collection(ctx: Context, market: Market) -> None:
    """After the last position: the clearing balance is the pot; what it lacks even of nothing is uncovered loss.

    Gains that were realised before cannot be taken back, so a shortfall above all claims is uncovered. A market
    without claims closes.
    """
    state, market_id = ctx.state, market.listing.market
    if not all_settled(ctx, market_id):
        return
    pool = state.pools[market.listing.pool]
    against = clearing(pool.settlement_asset, pool.pool, market_id)
    uncovered = max(0, -balance(state, against))
    loss = house(pool.settlement_asset, pool.pool, Kind.UNCOVERED_LOSS)
    post(state, ctx.postings, loss, against, uncovered, "SETTLE-7")
    settlement = state.settlements[market_id]
    pot = balance(state, against)
    state.settlements.put(
        market_id, replace(settlement, pot=pot, shortfall=settlement.shortfall - uncovered, collected=True)
    )
    if settlement.claims == 0:
        close_market(ctx, market)


@rule("SETTLE-7")
def close_market(ctx: Context, market: Market) -> None:
    """Close a market in which nothing is left; its feed forgets it."""
    state, listing = ctx.state, market.listing
    feed = state.feeds[listing.feed]
    rest = tuple(other for other in feed.markets if other != listing.market)
    state.feeds.put(listing.feed, replace(feed, markets=rest))
    state.markets.put(listing.market, replace(market, status=MarketStatus.CLOSED))


@rule("SETTLE-6")
def pay_claim(ctx: Context, action: PayClaim) -> Outcome:
    """Second phase for one claim: the pot is shared by cumulative floor over claims, one payout factor for all.

    The pot is the clearing balance once every position is settled. With the last claim the market closes.
    """
    # CHECK
    state = ctx.state
    market = require_settling(ctx, action.account, action.market)
    settlement = state.settlements[action.market]
    require(settlement.collected, Reason.POSITIONS_REMAIN, action.market)
    position = state.positions.get((action.account, action.market))
    require(position is not None and position.cost < 0, Reason.NO_CLAIM, action.account)
    # EFFECT
    pool = state.pools[market.listing.pool]
    against = clearing(pool.settlement_asset, pool.pool, action.market)
    claim = -state.positions[action.account, action.market].cost
    claimed = settlement.claimed + claim
    paid = cumulative_share(settlement.pot, settlement.claimed, claimed, settlement.claims)
    post(state, ctx.postings, against, user(pool.settlement_asset, pool.pool, action.account), paid, "SETTLE-6")
    put_position(ctx, state.accounts[action.account], action.market, 0, 0)
    shortfall = settlement.shortfall - (claim - paid)
    state.settlements.put(action.market, replace(settlement, claimed=claimed, shortfall=shortfall))
    if claimed == settlement.claims:
        close_market(ctx, market)
    return Outcome((action.account,), {"claim": claim, "paid": paid})
