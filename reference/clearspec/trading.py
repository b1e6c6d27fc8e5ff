"""Trading: novation of matched fills, fees and rebates, open interest, caps, the price band, market status."""

from __future__ import annotations

from dataclasses import replace

from clearspec.events import (
    Context,
    Outcome,
    Reason,
    SetStatus,
    Side,
    Trade,
    require,
    require_account,
    require_administrator,
    require_distinct,
    require_market,
    require_venue,
)
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, clearing, house, post, user
from clearspec.margin import fill_allowed, standing
from clearspec.numerics import BALANCE_MAX, POSITIONS_MAX, div_to_zero, mul_ceil, mul_floor, notional
from clearspec.oracle import is_fresh
from clearspec.parameters import TradingParameters
from clearspec.rules import rule
from clearspec.state import FLAT, Account, Market, MarketStatus, Position

Sizes = tuple[tuple[int, int], tuple[int, int]]


@rule("TRADE-1")
def filled(position: Position, delta: int, price: int) -> tuple[Position, int]:
    """The position after ``delta`` lots (signed) at ``price``, and the result realised, in atoms.

    Closing part releases cost in proportion, rounded toward zero; the remainder stays in the position's cost. A
    fill through zero is a close and an open.
    """
    size, cost = position.size, position.cost
    if (size >= 0) == (delta >= 0) or size == 0:
        return replace_fill(position, size + delta, cost + notional(delta, price)), 0
    closing = min(abs(delta), abs(size))
    closed = closing if delta >= 0 else -closing
    released = div_to_zero(cost * closing, abs(size))
    opened = delta - closed
    after = replace_fill(position, size + delta, cost - released + notional(opened, price))
    return after, -notional(closed, price) - released


def replace_fill(position: Position, size: int, cost: int) -> Position:
    """The position with another size and cost."""
    return Position(size, cost, position.funding_index, position.haircut_index)


@rule("TRADE-2", "FUND-6", "FALL-9")
def settle_owed(ctx: Context, account: Account, market: str, position: Position) -> None:
    """Pay what a position owes in funding and gains haircut up to now; exact, against the clearing account."""
    state = ctx.state
    funding = state.fundings[market]
    asset = state.pools[account.pool].settlement_asset
    cash = user(asset, account.pool, account.account)
    against = clearing(asset, account.pool, market)
    post(state, ctx.postings, cash, against, funding_owed(position, funding.index), "FUND-6")
    post(state, ctx.postings, cash, against, haircut_owed(position, funding), "FALL-9")


@rule("TRADE-1", "TRADE-2")
def fill(ctx: Context, account: Account, market: str, delta: int, price: int) -> tuple[int, int]:
    """Apply one side of a fill: settle, change the position, realise its result. Returns sizes before and after."""
    state = ctx.state
    before = state.positions.get((account.account, market), FLAT)
    settle_owed(ctx, account, market, before)
    after, realised = filled(before, delta, price)
    asset = state.pools[account.pool].settlement_asset
    against = clearing(asset, account.pool, market)
    post(state, ctx.postings, against, user(asset, account.pool, account.account), realised, "TRADE-1")
    put_position(ctx, account, market, after.size, after.cost)
    return before.size, after.size


@rule("TRADE-2", "FALL-9")
def put_position(ctx: Context, account: Account, market: str, size: int, cost: int) -> None:
    """Write a position that has just been settled, its indices those of now, and keep the account's list of markets."""
    funding = ctx.state.fundings[market]
    side = funding.haircut_long if size >= 0 else funding.haircut_short
    ctx.state.positions.put((account.account, market), Position(size, cost, funding.index, side))
    held = size != 0 or cost != 0
    if held and market not in account.markets:
        put_markets(ctx, account, (*account.markets, market), account.last_market)
    elif not held and market in account.markets:
        rest = tuple(other for other in account.markets if other != market)
        put_markets(ctx, account, rest, market)


def put_markets(ctx: Context, account: Account, markets: tuple[str, ...], last_market: str) -> None:
    """Write an account with another list of markets."""
    ctx.state.accounts.put(account.account, Account(account.account, account.owner, account.pool, markets, last_market))


@rule("TRADE-3")
def novate(ctx: Context, buyer: str, seller: str, market: str, size: int, price: int) -> Sizes:
    """Novate ``size`` lots at ``price`` between two accounts and the clearinghouse; open interest follows.

    Returns the sizes before and after, of the buyer and of the seller.
    """
    state = ctx.state
    bought = fill(ctx, state.accounts[buyer], market, size, price)
    sold = fill(ctx, state.accounts[seller], market, -size, price)
    change = max(0, bought[1]) - max(0, bought[0]) + max(0, sold[1]) - max(0, sold[0])
    state.open_interest.put(market, state.open_interest[market] + change)
    return bought, sold


@rule("TRADE-4")
def is_trading(ctx: Context, market: Market) -> bool:
    """Whether a market admits fills: active or reduce-only, and before its expiry."""
    expiry = market.listing.expiry
    open_status = market.status in (MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY)
    return open_status and (expiry == 0 or ctx.time < expiry)


@rule("TRADE-4")
def reduces(before: int, after: int) -> bool:
    """Whether a position went toward zero and not through it."""
    return 0 <= after <= before or before <= after <= 0


@rule("TRADE-5")
def within_band(price: int, mark: int, band: int) -> bool:
    """Whether a fill price lies within the band around the mark; the band's width is rounded down."""
    width = mul_floor(mark, band)
    return mark - width <= price <= mark + width


@rule("TRADE-10")
def no_worse_than_mark(delta: int, price: int, mark: int) -> bool:
    """Whether a fill gives nothing away: bought at mark or below, sold at mark or above."""
    return price <= mark if delta > 0 else price >= mark


@rule("TRADE-7")
def charge_fees(ctx: Context, market: Market, taker: str, maker: str, value: int) -> tuple[int, int]:
    """Charge taker and maker fee, each rounded up (a rebate down in magnitude); taker first.

    Of what remains the insurance fund gets its share, rounded down, and the treasury the rest.
    """
    state, postings = ctx.state, ctx.postings
    trading = market.listing.parameters.trading
    pool = state.pools[market.listing.pool]
    asset = pool.settlement_asset
    treasury = house(asset, pool.pool, Kind.FEE_TREASURY)
    taker_fee, maker_fee = mul_ceil(value, trading.taker_fee), mul_ceil(value, trading.maker_fee)
    insured = mul_floor(taker_fee + maker_fee, trading.insurance_share)
    post(state, postings, user(asset, pool.pool, taker), treasury, taker_fee, "TRADE-7")
    post(state, postings, user(asset, pool.pool, maker), treasury, maker_fee, "TRADE-7")
    post(state, postings, treasury, house(asset, pool.pool, Kind.INSURANCE_FUND), insured, "TRADE-7")
    return taker_fee, maker_fee


@rule("TRADE-6")
def require_caps(ctx: Context, account: str, before: int, after: int, market: Market) -> None:
    """Reject a position that grew above the cap, or in one market too many."""
    trading = market.listing.parameters.trading
    grew = abs(after) > abs(before)
    require(not grew or abs(after) <= trading.max_position, Reason.POSITION_CAP_EXCEEDED, account)
    require(len(ctx.state.accounts[account].markets) <= POSITIONS_MAX, Reason.TOO_MANY_POSITIONS, account)


@rule("TRADE-6")
def require_open_interest(ctx: Context, market: Market, before: int, trading: TradingParameters) -> None:
    """Reject open interest that grew above the cap."""
    after = ctx.state.open_interest[market.listing.market]
    allowed = after <= before or after <= trading.max_open_interest
    require(allowed, Reason.OPEN_INTEREST_CAP_EXCEEDED, market.listing.market)


@rule("TRADE-10")
def require_balance_limit(ctx: Context, account: str, cash: int, exempt: bool) -> None:
    """Reject a settlement balance below the negative balance limit.

    A fill that reduces a position at mark or better is exempt, for it only realises what was lost.
    """
    limit = ctx.state.pools[ctx.state.accounts[account].pool].negative_balance_limit
    require(exempt or cash >= -limit, Reason.NEGATIVE_BALANCE_LIMIT, account)


def held_size(ctx: Context, account: str, market: str) -> int:
    """Signed lots that an account holds in a market."""
    return ctx.state.positions.get((account, market), FLAT).size


@rule("TRADE-8", "NUM-9")
def trade(ctx: Context, action: Trade) -> Outcome:
    """Novate a matched fill. The order of the checks is normative."""
    # CHECK
    state = ctx.state
    require_venue(ctx)
    require_market(ctx, action.market)
    require_account(ctx, action.buyer)
    require_account(ctx, action.seller)
    require_distinct(action.buyer, action.seller)
    market = state.markets[action.market]
    pool = market.listing.pool
    require(state.accounts[action.buyer].pool == pool, Reason.WRONG_POOL, action.buyer)
    require(state.accounts[action.seller].pool == pool, Reason.WRONG_POOL, action.seller)
    require(is_trading(ctx, market), Reason.MARKET_NOT_TRADING, action.market)
    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)
    trading = market.listing.parameters.trading
    inside = within_band(action.price, state.marks[action.market].price, trading.price_band)
    require(inside, Reason.PRICE_OUTSIDE_BAND, action.market)
    interest = state.open_interest[action.market]
    # SETTLE, EFFECT
    sizes = novate(ctx, action.buyer, action.seller, action.market, action.size, action.price)
    parties = (action.buyer, action.seller)
    taker, maker = parties if action.maker == Side.SELLER else parties[::-1]
    fees = charge_fees(ctx, market, taker, maker, notional(action.size, action.price))
    # ENSURE
    for account, (start, end) in zip(parties, sizes, strict=True):
        allowed = market.status == MarketStatus.ACTIVE or reduces(start, end)
        require(allowed, Reason.REDUCE_ONLY, account)
        require_caps(ctx, account, start, end, market)
    require_open_interest(ctx, market, interest, trading)
    for account, (start, end) in zip(parties, sizes, strict=True):
        after = standing(ctx, account)
        favourable = no_worse_than_mark(end - start, action.price, state.marks[action.market].price)
        in_range = -BALANCE_MAX <= after.cash <= BALANCE_MAX
        require(in_range, Reason.BALANCE_OUT_OF_RANGE, account)
        require_balance_limit(ctx, account, after.cash, favourable and reduces(start, end))
        require(fill_allowed(ctx, account, after), Reason.INSUFFICIENT_MARGIN, account)
    return Outcome(parties, {"taker_fee": fees[0], "maker_fee": fees[1]})


ALLOWED_STATUS = (MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY, MarketStatus.HALTED)


@rule("TRADE-9")
def set_status(ctx: Context, action: SetStatus) -> Outcome:
    """Make a market active, reduce-only or halted; settlement has its own events, and a delisted market stays so."""
    # CHECK
    require_administrator(ctx)
    require_market(ctx, action.market)
    market = ctx.state.markets[action.market]
    reopens = market.delisted and action.status == MarketStatus.ACTIVE
    allowed = market.status in ALLOWED_STATUS and action.status in ALLOWED_STATUS and not reopens
    require(allowed, Reason.STATUS_NOT_ALLOWED, action.market)
    # EFFECT
    ctx.state.markets.put(action.market, replace(market, status=action.status))
    return Outcome()
