"""Funding of perpetuals: aggregation of premium samples, the rate, accrual with carry, exact lazy settlement."""

from __future__ import annotations

from dataclasses import replace

from clearspec.events import AccrueFunding, Context, Outcome, Reason, require, require_market
from clearspec.numerics import INDEX_MAX, SCALE, clamp, div_to_zero, divide_carry, median
from clearspec.oracle import is_fresh
from clearspec.parameters import Aggregation, FundingParameters, InterestForm, MarketKind
from clearspec.rules import rule
from clearspec.state import Funding, MarketStatus, Position


@rule("FUND-2")
def aggregated(samples: tuple[int, ...], parameters: FundingParameters) -> int:
    """One premium from an interval's samples, padded with zeros to the least number of samples.

    The mean is rounded toward zero, the median of an even count down.
    """
    padded = samples + (0,) * (parameters.min_samples - len(samples))
    if parameters.aggregation == Aggregation.MEDIAN:
        return median(padded)
    return div_to_zero(sum(padded), len(padded))


@rule("FUND-3")
def funding_rate(premium: int, parameters: FundingParameters) -> int:
    """Rate per period: premium with interest, clamped to the cap; positive means that longs pay."""
    interest = parameters.interest
    if parameters.interest_form == InterestForm.CLAMPED:
        interest = clamp(interest - premium, -parameters.damper, parameters.damper)
    return clamp(premium + interest, -parameters.cap, parameters.cap)


@rule("FUND-4")
def accrued(funding: Funding, rate: int, index_price: int, elapsed: int, period: int) -> Funding:
    """The funding record after an accrual: whole atoms per lot enter the index, the remainder is carried."""
    step, carry = divide_carry(rate * index_price * elapsed, funding.carry, SCALE * period)
    index = clamp(funding.index + step, -INDEX_MAX, INDEX_MAX)
    return replace(funding, index=index, carry=carry, samples=())


@rule("FUND-6")
def funding_owed(position: Position, index: int) -> int:
    """Atoms of funding that a position owes (negative: is owed) since it was last settled; exact."""
    return position.size * (index - position.funding_index)


@rule("FALL-9")
def haircut_owed(position: Position, funding: Funding) -> int:
    """Atoms of gains haircut that a position owes since it was last settled; exact, never negative."""
    side = funding.haircut_long if position.size >= 0 else funding.haircut_short
    return abs(position.size) * (side - position.haircut_index)


@rule("FUND-5")
def is_due(ctx: Context, market: str) -> bool:
    """Whether a perpetual's funding interval has passed."""
    listing = ctx.state.markets[market].listing
    passed = ctx.time - ctx.state.fundings[market].time >= listing.parameters.funding.interval
    return listing.kind == MarketKind.PERPETUAL and passed


@rule("FUND-1", "FUND-4", "FUND-5")
def accrue_funding(ctx: Context, action: AccrueFunding) -> Outcome:
    """Close a funding interval: one accrual for all the time since the last, at most the greatest gap."""
    # CHECK
    state = ctx.state
    require_market(ctx, action.market)
    market = state.markets[action.market]
    trading = market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED)
    perpetual = market.listing.kind == MarketKind.PERPETUAL
    require(perpetual and trading, Reason.NOT_PERPETUAL, action.market)
    parameters = market.listing.parameters.funding
    funding = state.fundings[action.market]
    require(is_due(ctx, action.market), Reason.FUNDING_NOT_DUE, action.market)
    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)
    # EFFECT
    rate = funding_rate(aggregated(funding.samples, parameters), parameters)
    price = state.feeds[market.listing.feed].index
    elapsed = min(ctx.time - funding.time, parameters.max_gap)
    after = accrued(funding, rate, price, elapsed, parameters.period)
    state.fundings.put(action.market, replace(after, time=ctx.time))
    return Outcome(amounts={"rate": rate, "index_step": after.index - funding.index})
