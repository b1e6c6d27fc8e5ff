"""Genesis, listing of markets and change of their parameters, each inside the envelope (chapter ``parameters``)."""

from __future__ import annotations

from dataclasses import replace

from clearspec.events import (
    Context,
    Genesis,
    ListMarket,
    Outcome,
    Reason,
    Rejected,
    SetParameters,
    require,
    require_administrator,
    require_feed,
    require_market,
    require_pool,
)
from clearspec.numerics import MARKETS_MAX, div_floor
from clearspec.oracle import is_fresh
from clearspec.parameters import (
    MarketKind,
    MarketListing,
    MarketParameters,
    PoolParameters,
    Violation,
    expiry_violations,
    feed_violations,
    haircut_violations,
    market_violations,
    pool_violations,
)
from clearspec.rules import rule
from clearspec.state import Budget, Feed, Funding, Mark, Market, MarketStatus, Settlement, State


class OutsideEnvelope(ValueError):
    """A genesis whose parameters break the envelope; the message names the object, the inequality and its sides."""

    def __init__(self, subject: str, violation: Violation) -> None:
        super().__init__(f"{subject}: {violation.inequality} needs {violation.left} <= {violation.right}")
        self.violation = violation


@rule("PARM-9", "PARM-12")
def listing_violations(state: State, listing: MarketListing, maintenance: int) -> list[Violation]:
    """Violations of a listing's own inequalities and of its pool's haircuts over the market's gap."""
    feed = state.feeds[listing.feed].parameters
    found = market_violations(listing, feed, maintenance)
    steps = listing.parameters.margin.gap_steps
    for terms in state.pools[listing.pool].collateral:
        own = state.feeds[terms.feed].parameters
        found += haircut_violations(terms, own, steps, feed.step_interval)
    return found


def opened_pool_violations(state: State, pool: PoolParameters) -> list[Violation]:
    """Violations of a pool's own inequalities and of its haircuts over one step of their own feeds."""
    found = pool_violations(pool)
    for terms in pool.collateral:
        feed = state.feeds[terms.feed].parameters
        found += haircut_violations(terms, feed, 1, feed.step_interval)
    return found


def lowest_maintenance(listing: MarketListing) -> int:
    """Maintenance ratio of the lowest tier; 0 without tiers, which the envelope forbids."""
    tiers = listing.parameters.margin.tiers
    return tiers[0].maintenance if tiers else 0


@rule("PARM-9")
def new_listing_violations(state: State, listing: MarketListing, time: int) -> list[Violation]:
    """Violations of a market that is to be listed now: its envelope, its expiry, room on its feed."""
    found = listing_violations(state, listing, lowest_maintenance(listing)) + expiry_violations(listing, time)
    listed = len(state.feeds[listing.feed].markets)
    return found + ([Violation("feed-markets-bounded", listed + 1, MARKETS_MAX)] if listed >= MARKETS_MAX else [])


@rule("PARM-9")
def add_market(state: State, listing: MarketListing, time: int) -> None:
    """Write the records of a new market; its feed learns of it."""
    market = listing.market
    feed = state.feeds[listing.feed]
    state.feeds.put(listing.feed, replace(feed, markets=(*feed.markets, market)))
    state.markets.put(market, Market(listing, MarketStatus.ACTIVE, listing.parameters, 0, 0))
    state.marks.put(market, Mark(0, 0, 0, time, 0, 0))
    state.fundings.put(market, Funding(0, 0, time, (), 0, 0, 0))
    state.open_interest.put(market, 0)
    state.budgets.put(market, Budget(time, 0, 0))
    state.settlements.put(market, Settlement(0, 0, 0, 0, 0, 0, 0, 0, False))


@rule("PARM-9")
def list_market(ctx: Context, action: ListMarket) -> Outcome:
    """List a market inside the envelope."""
    # CHECK
    listing = action.listing
    require_administrator(ctx)
    require_pool(ctx, listing.pool)
    require_feed(ctx, listing.feed)
    require(listing.market not in ctx.state.markets, Reason.MARKET_EXISTS, listing.market)
    for violation in new_listing_violations(ctx.state, listing, ctx.time):
        raise Rejected(Reason.OUTSIDE_ENVELOPE, violation.inequality)
    # EFFECT
    add_market(ctx.state, listing, ctx.time)
    return Outcome()


@rule("FUND-7", "ORCL-6")
def rescale(ctx: Context, market: str, before: MarketParameters, after: MarketParameters) -> None:
    """Keep the worth of what is carried when its divisor changes: funding's remainder, the mark's smoothing state.

    Both are rounded down.
    """
    funding, mark = ctx.state.fundings[market], ctx.state.marks[market]
    carry = div_floor(funding.carry * after.funding.period, before.funding.period)
    basis_sum = div_floor(mark.basis_sum * after.mark.window, before.mark.window)
    ctx.state.fundings.put(market, replace(funding, carry=carry))
    ctx.state.marks.put(market, replace(mark, basis_sum=basis_sum))


@rule("PARM-13")
def set_parameters(ctx: Context, action: SetParameters) -> Outcome:
    """Give a market new parameters; maintenance moves along the ramp from the old table to the new.

    The new parameters must be inside the envelope with the lower of the two maintenance ratios.
    """
    # CHECK
    require_administrator(ctx)
    require_market(ctx, action.market)
    market = ctx.state.markets[action.market]
    settled = market.status in (MarketStatus.SETTLING, MarketStatus.CLOSED)
    require(not settled, Reason.STATUS_NOT_ALLOWED, action.market)
    require(ctx.time >= market.ramp_end, Reason.RAMP_IN_PROGRESS, action.market)
    listing = replace(market.listing, parameters=action.parameters)
    lowest = min(lowest_maintenance(market.listing), lowest_maintenance(listing))
    for violation in listing_violations(ctx.state, listing, lowest):
        raise Rejected(Reason.OUTSIDE_ENVELOPE, violation.inequality)
    same_window = action.parameters.settlement_window == market.listing.parameters.settlement_window
    require(listing.expiry == 0 or same_window, Reason.OUTSIDE_ENVELOPE, "settlement-window-fixed")
    before, after = market.listing.parameters.mark, action.parameters.mark
    same_age = (before.stale_rate, before.stale_cap) == (after.stale_rate, after.stale_cap)
    require(same_age or is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)
    same_funding = action.parameters.funding == market.listing.parameters.funding
    accrued_now = ctx.state.fundings[action.market].time == ctx.time
    takes_funding = market.listing.kind == MarketKind.PERPETUAL
    allowed = same_funding or accrued_now or not takes_funding
    require(allowed, Reason.FUNDING_NOT_ACCRUED, action.market)
    # EFFECT
    same_tiers = action.parameters.margin.tiers == market.listing.parameters.margin.tiers
    ramp = max(action.parameters.margin.ramp, market.listing.parameters.margin.ramp)
    hastened = action.parameters.margin.ramp < market.listing.parameters.margin.ramp
    end = ctx.time + ramp if hastened or not same_tiers else ctx.time
    rescale(ctx, action.market, market.listing.parameters, action.parameters)
    changed = replace(market, listing=listing, before=market.listing.parameters, ramp_start=ctx.time, ramp_end=end)
    ctx.state.markets.put(action.market, changed)
    return Outcome(amounts={"ramp_end": end})


def _refuse(subject: str, violations: list[Violation]) -> None:
    """Raise the first violation, if any."""
    for violation in violations:
        raise OutsideEnvelope(subject, violation)


def _known(subject: str, what: str, name: str, known: object) -> None:
    """Raise unless ``name`` is among ``known``."""
    if name not in known:  # type: ignore[operator]
        raise ValueError(f"{subject}: unknown {what} {name!r}")


@rule("EVENT-2")
def build(genesis: Genesis) -> State:
    """The first state.

    Raises:
        OutsideEnvelope: a parameter set breaks the envelope.
        ValueError: an id stands twice, or refers to nothing.
    """
    state = State(time=genesis.time, administrators=genesis.administrators, venues=genesis.venues)
    for asset in genesis.assets:
        _unused(f"asset {asset.asset}", asset.asset in state.assets)
        state.assets.put(asset.asset, asset)
    for feed in genesis.feeds:
        _unused(f"feed {feed.feed}", feed.feed in state.feeds)
        _refuse(f"feed {feed.feed}", feed_violations(feed))
        state.feeds.put(feed.feed, Feed(feed, (), 0, 0, 0, 0))
    for pool in genesis.pools:
        _unused(f"pool {pool.pool}", pool.pool in state.pools)
        same = [other.pool for other in state.pools.values() if pool.backstop and other.backstop == pool.backstop]
        _unused(f"pool {pool.pool}: backstop {pool.backstop}", bool(same))
        _check_pool(state, pool)
        state.pools.put(pool.pool, pool)
        state.pool_budgets.put(pool.pool, Budget(genesis.time, 0, 0))
    for listing in genesis.markets:
        _unused(f"market {listing.market}", listing.market in state.markets)
        _known(f"market {listing.market}", "pool", listing.pool, state.pools)
        _known(f"market {listing.market}", "feed", listing.feed, state.feeds)
        _refuse(f"market {listing.market}", new_listing_violations(state, listing, genesis.time))
        add_market(state, listing, genesis.time)
    state.commit()
    return state


def _unused(subject: str, used: bool) -> None:
    """Raise if an id stands twice."""
    if used:
        raise ValueError(f"{subject}: this id stands twice")


def _check_pool(state: State, pool: PoolParameters) -> None:
    """Raise if a pool refers to an unknown asset or feed, or breaks the envelope."""
    subject = f"pool {pool.pool}"
    _known(subject, "asset", pool.settlement_asset, state.assets)
    for terms in pool.collateral:
        _known(subject, "asset", terms.asset, state.assets)
        _known(subject, "feed", terms.feed, state.feeds)
    _refuse(subject, opened_pool_violations(state, pool))
