"""Oracle: sources, quorum and median, the clamped band, the mark price and its smoothing, stale prices."""

from __future__ import annotations

from dataclasses import replace

from clearspec.events import (
    Context,
    Outcome,
    PostBook,
    PostPrice,
    Reason,
    require,
    require_feed,
    require_market,
    require_venue,
)
from clearspec.numerics import SAMPLES_MAX, SCALE, clamp, div_floor, div_to_zero, median, mul_ceil, mul_floor
from clearspec.parameters import FeedParameters, MarketListing, MarkParameters
from clearspec.rules import rule
from clearspec.state import Feed, Mark, MarketStatus, Post


@rule("ORCL-1")
def counts(post: Post | None, feed: FeedParameters, time: int) -> bool:
    """Whether a source's latest post is fresh and confident enough to enter the median."""
    if post is None or time - post.time > feed.max_age:
        return False
    return post.confidence <= mul_floor(post.price, feed.confidence)


@rule("ORCL-2")
def quorum_price(ctx: Context, feed: FeedParameters) -> int:
    """Median of the posts that count, or 0 while they are fewer than the quorum."""
    posts = (ctx.state.posts.get((feed.feed, source)) for source in feed.sources)
    prices = [post.price for post in posts if post is not None and counts(post, feed, ctx.time)]
    return median(prices) if len(prices) >= feed.quorum else 0


@rule("ORCL-3")
def banded(candidate: int, anchor: int, band: int, max_price: int) -> int:
    """``candidate`` clamped to one band around the anchor; the band is at least one atom wide each way."""
    width = max(1, mul_floor(anchor, band))
    return clamp(candidate, max(1, anchor - width), min(max_price, anchor + width))


@rule("ORCL-4")
def stepped(feed: Feed, candidate: int, time: int) -> Feed:
    """The feed after a quorum price: the anchor follows the index once per step, the index stays in its band."""
    parameters = feed.parameters
    if feed.index == 0:
        first = min(candidate, parameters.max_price)
        return replace(feed, index=first, index_time=time, anchor=first, anchor_time=time)
    rolls = time >= feed.anchor_time + parameters.step_interval
    anchor = feed.index if rolls else feed.anchor
    anchor_time = time if rolls else feed.anchor_time
    index = banded(candidate, anchor, parameters.band, parameters.max_price)
    return replace(feed, index=index, index_time=time, anchor=anchor, anchor_time=anchor_time)


@rule("ORCL-5")
def mark_price(index: int, basis_sum: int, parameters: MarkParameters, max_price: int) -> int:
    """Index plus the smoothed basis (rounded down), the basis within its band, the price within 1 .. cap."""
    width = mul_floor(index, parameters.band)
    basis = clamp(div_floor(basis_sum, parameters.window), -width, width)
    return clamp(index + basis, 1, max_price)


@rule("ORCL-6")
def smoothed(basis_sum: int, sample: int, window: int) -> int:
    """Numerator of the moving average after a sample; keeping it whole lets the average arrive."""
    return basis_sum - div_floor(basis_sum, window) + sample


@rule("ORCL-6")
def basis_sample(bid: int, ask: int, index: int, band: int) -> int:
    """Middle of the book (rounded down) less the index, clamped to the band."""
    width = mul_floor(index, band)
    return clamp(div_floor(bid + ask, 2) - index, -width, width)


@rule("ORCL-7")
def premium_sample(bid: int, ask: int, index: int) -> int:
    """Premium of the book over the index as a ratio, rounded toward zero, within -1 .. 1; ``index`` is positive."""
    premium = max(0, bid - index) - max(0, index - ask)
    return clamp(div_to_zero(premium * SCALE, index), -SCALE, SCALE)


@rule("ORCL-5", "SETTLE-2", "FALL-9")
def refresh_mark(ctx: Context, market: str, feed: Feed) -> None:
    """Recompute a market's mark from its feed; roll the variation-margin mark; accrue the settlement TWAP."""
    state = ctx.state
    listed = state.markets[market]
    if listed.status in (MarketStatus.SETTLING, MarketStatus.CLOSED):
        return
    parameters = listed.listing.parameters
    mark = state.marks[market]
    index = accrued_index(ctx, market, feed)
    basis_sum = faded_basis(mark.basis_sum, listed.listing, ctx.time)
    price = mark_price(index, basis_sum, parameters.mark, feed.parameters.max_price)
    fresh_until = feed.index_time + feed.parameters.max_age
    state.marks.put(market, replace(mark, price=price, fresh_until=fresh_until))
    roll_variation_mark(ctx, market, mark, parameters.mark.variation_interval)


@rule("FALL-9")
def roll_variation_mark(ctx: Context, market: str, before: Mark, interval: int) -> None:
    """Once per interval, before the price moves on, the mark so far becomes the variation-margin mark."""
    state = ctx.state
    mark = state.marks[market]
    if before.price == 0:
        state.marks.put(market, replace(mark, variation_price=mark.price, variation_time=ctx.time))
    elif ctx.time >= before.variation_time + interval:
        state.marks.put(market, replace(mark, variation_price=before.price, variation_time=ctx.time))
        state.fundings.put(market, replace(state.fundings[market], haircut_since_variation=0))


@rule("SETTLE-2")
def faded_basis(basis_sum: int, listing: MarketListing, time: int) -> int:
    """Smoothing state of the basis; inside the settlement window the part of it for the time that remains.

    Rounded toward zero; nothing is left at expiry, when the mark is the settlement price.
    """
    window = listing.parameters.settlement_window
    if listing.expiry == 0 or time <= listing.expiry - window:
        return basis_sum
    return div_to_zero(basis_sum * max(0, listing.expiry - time), window)


@rule("SETTLE-2")
def accrued_index(ctx: Context, market: str, feed: Feed) -> int:
    """The index, or inside the settlement window the TWAP so far with the index for the time that remains.

    Rounded down. The price that held since the last accrual counts for the time that has passed.
    """
    state = ctx.state
    listing = state.markets[market].listing
    window = listing.parameters.settlement_window
    start = listing.expiry - window
    if listing.expiry == 0 or ctx.time <= start:
        return feed.index
    settlement = state.settlements[market]
    now = min(ctx.time, listing.expiry)
    passed = now - max(start, settlement.accrued_time)
    held = state.feeds[feed.parameters.feed].index
    accrued = settlement.accrued + (held if held > 0 else feed.index) * max(0, passed)
    state.settlements.put(market, replace(settlement, accrued=accrued, accrued_time=now))
    return div_floor(accrued + feed.index * (listing.expiry - now), window)


@rule("ORCL-8")
def is_fresh(ctx: Context, market: str) -> bool:
    """Whether the mark of a market rests on a fresh index."""
    mark = ctx.state.marks[market]
    return mark.price > 0 and ctx.time <= mark.fresh_until


@rule("ORCL-9")
def worst_price(price: int, overdue: int, rate: int, cap: int, size: int) -> int:
    """Price of a stale position: moved against it by ``rate`` a second of ``overdue`` time, at most ``cap``.

    Down for a long (rounded down), up for a short (rounded up).
    """
    width = min(cap, rate * overdue)
    return price - mul_ceil(price, width) if size >= 0 else price + mul_ceil(price, width)


@rule("ORCL-1", "ORCL-2", "ORCL-4")
def post_price(ctx: Context, action: PostPrice) -> Outcome:
    """Take a source's price; with a quorum of fresh prices the index and the marks of its markets follow."""
    # CHECK
    state = ctx.state
    require_feed(ctx, action.feed)
    feed = state.feeds[action.feed]
    require(ctx.actor in feed.parameters.sources, Reason.UNAUTHORISED, ctx.actor)
    # EFFECT
    state.posts.put((action.feed, ctx.actor), Post(action.price, action.confidence, ctx.time))
    candidate = quorum_price(ctx, feed.parameters)
    if candidate > 0:
        moved = stepped(feed, candidate, ctx.time)
        for market in feed.markets:
            refresh_mark(ctx, market, moved)
        state.feeds.put(action.feed, moved)
    return Outcome(amounts={"index": state.feeds[action.feed].index})


@rule("ORCL-6", "ORCL-7")
def post_book(ctx: Context, action: PostBook) -> Outcome:
    """Take a book sample: the basis is smoothed into the mark, the premium kept for the next funding accrual."""
    # CHECK
    state = ctx.state
    require_market(ctx, action.market)
    market = state.markets[action.market]
    feed = state.feeds[market.listing.feed]
    require_venue(ctx)
    require(action.bid <= action.ask, Reason.CROSSED_BOOK, action.market)
    require(
        market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED),
        Reason.MARKET_NOT_TRADING,
        action.market,
    )
    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)
    mark, spacing = state.marks[action.market], market.listing.parameters.funding.sample_interval
    require(ctx.time >= mark.sample_time + spacing, Reason.SAMPLE_TOO_SOON, action.market)
    # EFFECT
    parameters = market.listing.parameters.mark
    sample = basis_sample(action.bid, action.ask, feed.index, parameters.band)
    basis_sum = smoothed(mark.basis_sum, sample, parameters.window)
    state.marks.put(action.market, replace(mark, basis_sum=basis_sum, sample_time=ctx.time))
    funding = state.fundings[action.market]
    premium = premium_sample(action.bid, action.ask, feed.index)
    state.fundings.put(action.market, replace(funding, samples=(*funding.samples, premium)[-SAMPLES_MAX:]))
    refresh_mark(ctx, action.market, feed)
    return Outcome(amounts={"premium": premium, "mark": state.marks[action.market].price})
