"""Default: closing at mark by rank, and the layers that bear the deficit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clearspec.events import Context, Outcome, Reason, ResolveDefault, require, require_account
from clearspec.ledger import Kind, balance, clearing, house, post, user
from clearspec.liquidation import current_budget, renewed
from clearspec.margin import position_exposure, standing
from clearspec.numerics import (
    BALANCE_MAX,
    INDEX_MAX,
    LOSS_MAX,
    PROFIT_MAX,
    SCALE,
    clamp,
    cumulative_share,
    div_floor,
    notional,
)
from clearspec.parameters import FUND_LAYERS, Layer, PoolParameters
from clearspec.rules import rule
from clearspec.state import Account, Market, MarketStatus
from clearspec.trading import held_size, novate

SCORE_MAX = BALANCE_MAX


@rule("FALL-6")
def rank_score(profit: int, cost: int, value: int, equity: int) -> int:
    """Rank of a counterparty: profit over cost, times leverage for a winner; a loser ranks by profit over cost.

    Signed for both sides alike; each factor is rounded down and clamped, so that the score fits 128 bits.
    """
    bounded_profit = clamp(profit, -PROFIT_MAX, PROFIT_MAX)
    rate = clamp(div_floor(bounded_profit * SCALE, max(1, abs(cost))), -SCORE_MAX, SCORE_MAX)
    if profit <= 0:
        return rate
    return rate * clamp(div_floor(value * SCALE, max(1, equity)), 1, SCORE_MAX)


@rule("FALL-6")
def ranked_counterparties(ctx: Context, defaulter: str, market: str, size: int) -> list[str]:
    """Accounts on the other side of a market: those above maintenance first, then by score, then the oldest first.

    The one scan over accounts in the reference.
    """
    state = ctx.state
    scored = []
    for ordinal, (account, record) in enumerate(state.accounts.items()):
        if account == defaulter or market not in record.markets:
            continue
        position = state.positions[account, market]
        if (position.size > 0) == (size > 0) or position.size == 0:
            continue
        part, held = position_exposure(ctx, market, position), standing(ctx, account)
        score = rank_score(part.at_mark, position.cost, part.notional, held.margin_equity)
        scored.append((held.margin_equity <= held.maintenance, -score, ordinal, account))
    return [account for _, _, _, account in sorted(scored)]


@dataclass(frozen=True, slots=True)
class TearUp:
    """A counterparty of whose position lots worth ``value`` atoms at mark were torn up."""

    account: str
    value: int


@rule("FALL-7")
def close_at_mark(ctx: Context, account: str, market_id: str) -> Iterator[TearUp]:
    """Close a defaulter's position at mark against the ranked counterparties; always ends flat."""
    state = ctx.state
    price = state.marks[market_id].price
    size = held_size(ctx, account, market_id)
    left = abs(size)
    for other in ranked_counterparties(ctx, account, market_id, size):
        if left == 0:
            return
        piece = min(left, abs(held_size(ctx, other, market_id)))
        buyer, seller = (other, account) if size > 0 else (account, other)
        novate(ctx, buyer, seller, market_id, piece, price)
        left -= piece
        yield TearUp(other, notional(piece, price))


@rule("FALL-8")
def tear_up_capacity(ctx: Context, account: str) -> int:
    """Most that a counterparty may be charged: its margin equity above its maintenance requirement, if any."""
    held = standing(ctx, account)
    return max(0, held.margin_equity - held.maintenance)


@rule("FALL-8")
def tear_up_rooms(ctx: Context, torn: list[TearUp]) -> list[int]:
    """What each torn-up piece may be charged: its value at mark, and all pieces of an account its capacity."""
    left = {part.account: tear_up_capacity(ctx, part.account) for part in torn}
    rooms = []
    for part in torn:
        room = min(part.value, left[part.account])
        left[part.account] -= room
        rooms.append(room)
    return rooms


@rule("FALL-8")
def charge_tear_ups(ctx: Context, defaulter: str, torn: list[TearUp], deficit: int) -> int:
    """Charge the torn-up counterparties in proportion to their rooms, by cumulative floor.

    No share exceeds its room. Returns what they bore; the rest falls to the next layer.
    """
    pool = ctx.state.pools[ctx.state.accounts[defaulter].pool]
    rooms = tear_up_rooms(ctx, torn)
    total = sum(rooms)
    charged = min(deficit, total)
    before = 0
    for part, room in zip(torn, rooms, strict=True):
        charge = cumulative_share(charged, before, before + room, max(1, total))
        before += room
        debit = user(pool.settlement_asset, pool.pool, part.account)
        credit = user(pool.settlement_asset, pool.pool, defaulter)
        post(ctx.state, ctx.postings, debit, credit, charge, "FALL-8")
    return charged


@rule("FALL-9")
def haircut_step(share: int, lots: int, gain: int, index: int) -> int:
    """Atoms per lot that the winning side gives up, rounded down.

    At most what is left of its gain since the last variation-margin mark, and of the index's range.
    """
    if lots == 0:
        return 0
    return min(div_floor(share, lots), max(0, gain), INDEX_MAX - index)


@rule("FALL-9")
def haircut_gains(ctx: Context, defaulter: str, market: str, share: int) -> int:
    """Take a haircut from the side that won since the last variation-margin mark; returns what it bore.

    Nothing in a market whose settlement price is fixed: its gains are claims, with a payout factor of their own.
    """
    state = ctx.state
    if state.markets[market].status in (MarketStatus.SETTLING, MarketStatus.CLOSED):
        return 0
    mark, funding, lots = state.marks[market], state.fundings[market], state.open_interest[market]
    move = mark.price - mark.variation_price
    index = funding.haircut_long if move >= 0 else funding.haircut_short
    step = haircut_step(share, lots, abs(move) - funding.haircut_since_variation, index)
    taken = funding.haircut_since_variation + step
    if move >= 0:
        funding = replace(funding, haircut_long=index + step, haircut_since_variation=taken)
    else:
        funding = replace(funding, haircut_short=index + step, haircut_since_variation=taken)
    state.fundings.put(market, funding)
    pool = state.pools[state.accounts[defaulter].pool]
    debit = clearing(pool.settlement_asset, pool.pool, market)
    credit = user(pool.settlement_asset, pool.pool, defaulter)
    post(state, ctx.postings, debit, credit, step * lots, "FALL-9")
    return step * lots


@rule("FALL-4")
def parts_by_market(deficit: int, weights: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """A deficit split over the markets that it came from, by their losses, by cumulative floor; sums exactly."""
    total = sum(loss for _, loss in weights)
    before, parts = 0, []
    for market, loss in weights:
        parts.append((market, cumulative_share(min(deficit, BALANCE_MAX), before, before + loss, total)))
        before += loss
    return parts


@rule("FALL-5")
def draw_insurance(ctx: Context, pool: PoolParameters, parts: list[tuple[str, int]], credit: str) -> int:
    """Draw on the pool's insurance fund for each market's part, within the market's cap and the pool's."""
    state = ctx.state
    drawn = 0
    for market, part in parts:
        listed = state.markets[market]
        budget = current_budget(ctx, listed)
        room = max(0, listed.listing.parameters.liquidation.insurance_cap - budget.deficits)
        amount = draw_pool_insurance(ctx, pool, min(part, room), credit)
        state.budgets.put(market, replace(budget, deficits=budget.deficits + amount))
        drawn += amount
    return drawn


@rule("FALL-5")
def draw_pool_insurance(ctx: Context, pool: PoolParameters, deficit: int, credit: str) -> int:
    """Draw on the pool's insurance fund within the pool's cap for the interval."""
    budget = renewed(ctx.state.pool_budgets[pool.pool], ctx.time, pool.budget_interval)
    room = max(0, pool.insurance_cap - budget.deficits)
    amount = draw_fund(ctx, pool, Kind.INSURANCE_FUND, min(deficit, room), credit)
    ctx.state.pool_budgets.put(pool.pool, replace(budget, deficits=budget.deficits + amount))
    return amount


@rule("FALL-5")
def draw_fund(ctx: Context, pool: PoolParameters, kind: Kind, deficit: int, credit: str) -> int:
    """Draw on a fund of the pool as far as it reaches; returns what it bore."""
    fund = house(pool.settlement_asset, pool.pool, kind)
    amount = min(deficit, max(0, balance(ctx.state, fund)))
    post(ctx.state, ctx.postings, fund, user(pool.settlement_asset, pool.pool, credit), amount, "FALL-5")
    return amount


@rule("FALL-2")
def seize_collateral_dust(ctx: Context, pool: PoolParameters, account: str) -> None:
    """Collateral worth no more than dust passes to the insurance fund in kind; what never had a price stays."""
    for terms in pool.collateral:
        if ctx.state.feeds[terms.feed].index == 0:
            continue
        held = user(terms.asset, pool.pool, account)
        fund = house(terms.asset, pool.pool, Kind.INSURANCE_FUND)
        post(ctx.state, ctx.postings, held, fund, balance(ctx.state, held), "FALL-2")


@dataclass(slots=True)
class Resolution:
    """A default being resolved: the deficit, how it splits over markets, what was torn up, what each layer bore."""

    account: str
    pool: PoolParameters
    deficit: int
    weights: list[tuple[str, int]]
    torn: list[TearUp]
    borne: dict[str, int]

    @property
    def remaining(self) -> int:
        """Deficit that no layer has borne yet, in atoms."""
        return self.deficit - sum(self.borne.values())


@rule("FALL-3")
def bear(ctx: Context, case: Resolution, layer: Layer) -> int:
    """Let one layer bear what it can of the remaining deficit."""
    remaining = case.remaining
    if layer == Layer.INSURANCE_FUND and case.weights:
        return draw_insurance(ctx, case.pool, parts_by_market(remaining, case.weights), case.account)
    if layer == Layer.INSURANCE_FUND:
        return draw_pool_insurance(ctx, case.pool, remaining, case.account)
    if layer == Layer.SKIN_IN_THE_GAME:
        return draw_fund(ctx, case.pool, Kind.SKIN_IN_THE_GAME, remaining, case.account)
    if layer == Layer.TEAR_UP:
        return charge_tear_ups(ctx, case.account, case.torn, remaining)
    parts = parts_by_market(remaining, case.weights)
    return sum(haircut_gains(ctx, case.account, market, part) for market, part in parts)


@rule("FALL-4", "SETTLE-5")
def open_losses(ctx: Context, account: Account) -> list[tuple[str, int]]:
    """Markets in which an account's position shows a loss at mark, and that loss."""
    positions = ((market, ctx.state.positions[account.account, market]) for market in account.markets)
    parts = [(market, position_exposure(ctx, market, position)) for market, position in positions]
    return [(market, min(-part.at_mark, LOSS_MAX)) for market, part in parts if part.at_mark < 0]


@rule("FALL-4")
def market_weights(ctx: Context, account: str) -> list[tuple[str, int]]:
    """Markets that a deficit came from, weighted by the loss at mark of the defaulter's positions.

    Without an open loss the market that the account left last; an account that never held a position has none.
    """
    record = ctx.state.accounts[account]
    losses = open_losses(ctx, record)
    return losses if losses or not record.last_market else [(record.last_market, 1)]


@rule("FALL-1")
def awaits_settlement(ctx: Context, market: Market) -> bool:
    """Whether a market is past its expiry, so that its settlement price, not its mark, will be paid."""
    return market.status == MarketStatus.SETTLING or 0 < market.listing.expiry <= ctx.time


@rule("FALL-1", "FALL-3", "FALL-10")
def resolve_default(ctx: Context, action: ResolveDefault) -> Outcome:
    """Resolve a default: funds pay, positions close at mark by rank, losses are shared, what remains is uncovered."""
    # CHECK
    state, account = ctx.state, action.account
    require_account(ctx, account)
    held = standing(ctx, account)
    require(held.net_liquidation_value < 0, Reason.NOT_IN_DEFAULT, account)
    pool = state.pools[state.accounts[account].pool]
    require(held.collateral <= pool.dust, Reason.COLLATERAL_REMAINS, account)
    markets = state.accounts[account].markets
    settling = any(awaits_settlement(ctx, state.markets[market]) for market in markets)
    require(not settling, Reason.CLAIMS_PENDING, account)
    # EFFECT
    deficit = held.collateral - held.net_liquidation_value
    case = Resolution(account, pool, deficit, market_weights(ctx, account), [], {})
    funds = [layer for layer in pool.layers if layer in FUND_LAYERS]
    for layer in funds:
        case.borne[layer.value] = bear(ctx, case, layer)
    for market in markets:
        case.torn.extend(close_at_mark(ctx, account, market))
    for layer in pool.layers[len(funds) :]:
        case.borne[layer.value] = bear(ctx, case, layer)
    seize_collateral_dust(ctx, pool, account)
    uncovered = case.remaining
    loss = house(pool.settlement_asset, pool.pool, Kind.UNCOVERED_LOSS)
    post(state, ctx.postings, loss, user(pool.settlement_asset, pool.pool, account), uncovered, "FALL-10")
    named = dict.fromkeys([account, *(part.account for part in case.torn)])
    return Outcome(tuple(named), {"deficit": case.deficit, **case.borne, "uncovered_loss": uncovered})
