"""Theorems about sources, the median of those that count, the band, the mark, its smoothing, and stale prices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec import oracle
from clearspec.numerics import COUNT_MAX, PRICE_MAX, SCALE, SOURCES_MAX, TIME_MAX, div_floor, mul_floor
from clearspec.oracle import (
    accrued_index,
    banded,
    basis_sample,
    counts,
    faded_basis,
    is_fresh,
    mark_price,
    premium_sample,
    quorum_price,
    roll_variation_mark,
    smoothed,
    stepped,
    worst_price,
)
from clearspec.parameters import FeedParameters, MarketKind, MarketListing, MarketParameters, MarkParameters
from clearspec.state import Feed, Mark, Market, MarketStatus, Post, Settlement, State
from clearspec_proofs.lifting.paths import Effort, Path
from clearspec_proofs.stand_ins import any_bool, opaque, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.widths import fits, in_128_bits
from clearspec_proofs.world import FEED, MARKET, POOL, symbolic


def feed_of(path: Any, sources: tuple[str, ...] = (), **given: Any) -> FeedParameters:
    """Parameters of a feed."""
    made: FeedParameters = symbolic(path, FeedParameters, "feed", feed=FEED, sources=sources, **given)
    return made


@theorem(
    "a-post-counts-while-fresh-and-confident",
    "A post counts exactly if it is at most max_age old and its confidence is at most the feed's ratio of its price.",
    "ORCL-1",
)
def post_counts(path: Any) -> Any:
    """At equality it counts."""
    feed, post, time = feed_of(path), symbolic(path, Post, "post"), path.atom("time", 0, TIME_MAX)
    if counts(post, feed, time):
        path.claim("young", lambda: time <= post.time + feed.max_age)
        path.claim("confident", lambda: post.confidence * SCALE <= post.price * feed.confidence)
        path.mark("counts")
    elif time <= post.time + feed.max_age:
        path.claim("too wide", lambda: post.confidence * SCALE > post.price * feed.confidence)
        path.mark("too wide")
    path.claim("no post does not count", lambda: not counts(None, feed, time))


def unguided(path: Any) -> AbstractContextManager[None]:
    """Within it every comparison goes both ways unasked: of an order of values each comparison is news."""
    return path.attempt(Effort.NONE, "decision") if isinstance(path, Path) else nullcontext()


def posted(path: Any, count: int, faulty: tuple[int, ...], **given: Any) -> tuple[ev.Context, FeedParameters, Any, Any]:
    """Posts of some sources, the honest ones with prices between two extremes, which come last."""
    low = path.atom("low", 1, PRICE_MAX)
    spread = path.atom("spread", 0, PRICE_MAX)
    feed = feed_of(path, tuple(f"s{number}" for number in range(count)), **given)
    state = State()
    for number in range(count):
        price = path.atom(f"price{number}", 1, PRICE_MAX)
        if number not in faulty:
            above = path.atom(f"above{number}", 0)
            path.assume(lambda above=above: above <= spread, "range of an honest price")
            price = low + above
        state.posts.put((FEED, f"s{number}"), Post(price, 0, 0))
    return ev.Context(state, path.atom("time", 0, TIME_MAX), "s0"), feed, low, low + spread


def between_honest(path: Any, count: int, subsets: list[tuple[int, ...]], quorum: int) -> Any:
    """Claim that the quorum price, if there is one, lies between honest extremes, whichever sources are faulty."""
    name = path.choice("faulty", *(str(subset) for subset in subsets))
    faulty = next(subset for subset in subsets if name == str(subset))
    ctx, feed, low, high = posted(path, count, faulty, quorum=quorum)
    with standing_in(path, opaque(counts, any_bool)), unguided(path):
        price = quorum_price(ctx, feed)
    if price != 0:
        path.claim("between honest prices", lambda: low <= price <= high)
        path.mark("a quorum")
    return price


@theorem(
    "one-faulty-of-three",
    "With three sources and a quorum of three, the price lies between honest prices whichever one source is faulty and "
    "whatever it posts.",
    "ORCL-2",
    "PARM-10",
    strength=Strength.BOUNDED,
    marks=("a quorum",),
)
def one_faulty_of_three(path: Any) -> Any:
    """Posts that do not count are dropped by the real rule; which do is left open."""
    return between_honest(path, 3, [(0,), (1,), (2,)], 3)


@theorem(
    "one-faulty-of-four",
    "With four sources and a quorum of three, the price lies between honest prices whichever one source is faulty, "
    "whatever it posts, and whichever of the honest ones is stale.",
    "ORCL-2",
    "PARM-10",
    strength=Strength.BOUNDED,
    marks=("a quorum",),
)
def one_faulty_of_four(path: Any) -> Any:
    """Three or four posts count: an odd and an even median."""
    return between_honest(path, 4, [(0,), (1,), (2,), (3,)], 3)


@theorem(
    "two-faulty-of-five",
    "With five sources, the first two of them faulty, and a quorum of five, the price lies between honest prices "
    "whatever the faulty ones post.",
    "ORCL-2",
    "PARM-10",
    strength=Strength.BOUNDED,
    marks=("a quorum",),
)
def two_faulty_of_five(path: Any) -> Any:
    """Every order of five prices; by ``numerics.median-of-five`` the order of the sources does not matter."""
    return between_honest(path, 5, [(0, 1)], 5)


@theorem(
    "an-honest-price-on-either-side",
    "Of any number n >= 2 f + 1 of posts that count, at most f of them faulty, at least one honest one is at most the "
    "median and one is at least the median.",
    "ORCL-2",
    "PARM-10",
)
def honest_on_either_side(path: Any) -> Any:
    """The counting argument. Nothing of the reference is lifted but the division that finds the middle.

    That at least n // 2 values lie on either side of an even median, and n // 2 + 1 of an odd one, is what
    ``numerics.median-of-three``, ``-of-five`` and ``-of-even-counts`` show of the real function; that a sorted list of
    any length has this property is taken from its definition.
    """
    faulty = path.atom("faulty", 0)
    posts = 2 * faulty + 1 + path.atom("more", 0)
    half = div_floor(posts, 2)
    side = half if 2 * half == posts else half + 1
    liars = faulty - path.atom("fewer", 0)
    path.claim("an honest one on each side", lambda: side - liars >= 1)
    return side


@theorem(
    "no-quorum-no-price",
    "With fewer posts that count than the quorum there is no price (up to three sources).",
    "ORCL-2",
    strength=Strength.BOUNDED,
    marks=("no price",),
)
def no_quorum_no_price(path: Any) -> Any:
    """The quorum is at least one, by PARM-10."""
    feed = feed_of(path, ("s0", "s1", "s2"), quorum=path.atom("quorum", 1, SOURCES_MAX))
    state, time = State(), path.atom("time", 0, TIME_MAX)
    posts = [symbolic(path, Post, source) for source in feed.sources]
    for source, post in zip(feed.sources, posts, strict=True):
        state.posts.put((FEED, source), post)
    price = quorum_price(ev.Context(state, time, "s0"), feed)
    if sum(1 for post in posts if counts(post, feed, time)) < feed.quorum:
        path.claim("none", lambda: price == 0)
        path.mark("no price")
    return price


def anchored(path: Any) -> tuple[Any, Any, Any]:
    """An anchor from 1 to the price cap, a band, and the cap."""
    anchor = path.atom("anchor", 1, PRICE_MAX)
    return anchor, path.atom("band", 0, SCALE - 1), anchor + path.atom("headroom", 0, PRICE_MAX)


def within(distance: Any, anchor: Any, band: Any) -> bool:
    """Whether a distance is at most one band, or one atom."""
    return bool(abs(distance) * SCALE <= anchor * band or abs(distance) <= 1)


@theorem(
    "banded-stays-within-one-band",
    "The result of the band is within one band of the anchor, or one atom where the band is less, and within 1 .. cap.",
    "ORCL-3",
)
def banded_stays_within(path: Any) -> Any:
    """Any candidate, even one that no source may post."""
    anchor, band, cap = anchored(path)
    result = banded(path.atom("candidate"), anchor, band, cap)
    path.claim("a price", lambda: 1 <= result <= cap)
    path.claim("one band", lambda: within(result - anchor, anchor, band))
    return result


@theorem(
    "banded-goes-toward-the-target",
    "The result of the band lies between the anchor and a target from 1 to the cap: the target itself where that is "
    "within the band, else a whole band nearer, and one atom at least.",
    "ORCL-3",
)
def banded_goes_toward(path: Any) -> Any:
    """It clamps and never rejects, never passes the target, and never sticks."""
    anchor, band, cap = anchored(path)
    target = path.atom("target", 1)
    path.assume(lambda: target <= cap, "range of the target")
    result = banded(target, anchor, band, cap)
    path.claim("between", lambda: anchor <= result <= target or target <= result <= anchor)
    if result == target:
        path.mark("arrived")
        return result
    moved = abs(result - anchor)
    path.claim("only beyond the band", lambda: abs(target - anchor) * SCALE > anchor * band)
    path.claim("an atom at least", lambda: moved >= 1)
    path.claim("a whole band", lambda: (moved + 1) * SCALE > anchor * band)
    path.mark("on its way")
    return result


@theorem(
    "banded-arrives-in-the-stated-number",
    "Where L is the lower of start and target, and w is one atom or any number of atoms within the band at L, each "
    "update reaches the target or comes at least w atoms nearer; so D atoms take at most D / w updates, rounded up.",
    "ORCL-3",
    "ORCL-4",
)
def banded_arrives(path: Any) -> Any:
    """The step of an induction over the updates: on the way every anchor is at L or above, as L is one of the ends."""
    low, band = path.atom("low", 1, PRICE_MAX), path.atom("band", 0, SCALE - 1)
    target, anchor = (low + path.atom(name, 0, PRICE_MAX) for name in ("target above", "anchor above"))
    cap = low + path.atom("headroom", 0, PRICE_MAX)
    path.assume(lambda: target <= cap and anchor <= cap, "range of prices")
    stride = path.atom("stride", 1, PRICE_MAX)
    path.assume(lambda: stride == 1 or stride * SCALE <= low * band, "a stride within the band at the lower end")
    result = banded(target, anchor, band, cap)
    left, before = abs(target - result), abs(target - anchor)
    path.claim("arrived or nearer", lambda: left == 0 or left <= before - stride)
    path.claim("not below the lower end", lambda: result >= low)
    return result


@theorem(
    "a-step-has-one-anchor",
    "A quorum price moves the index to within one band of the anchor and within 1 .. cap; the anchor becomes the "
    "index once a step, when its interval has passed, and otherwise stays; the first price is taken as it is, up to "
    "the cap.",
    "ORCL-4",
    "INV-9",
    marks=("a new step", "within a step", "the first price"),
)
def step_has_one_anchor(path: Any) -> Any:
    """However many posts a second brings; the anchor is an earlier index."""
    parameters, time = feed_of(path), path.atom("time", 0, TIME_MAX)
    index, anchor = path.atom("index", 0, PRICE_MAX), path.atom("anchor", 1, PRICE_MAX)
    cap = parameters.max_price
    path.assume(lambda: index <= cap and anchor <= cap, "INV-9")
    feed = Feed(parameters, (), index, path.atom("index time", 0, TIME_MAX), anchor, path.atom("anchor time", 0, TIME_MAX))
    candidate = path.atom("candidate", 1, PRICE_MAX)
    after = stepped(feed, candidate, time)
    path.claim("a price", lambda: 1 <= after.index <= cap)
    path.claim("its time", lambda: after.index_time == time)
    path.claim("one band", lambda: within(after.index - after.anchor, after.anchor, parameters.band))
    path.claim("nothing else", lambda: after.parameters is parameters and after.markets == ())
    if index == 0:
        path.claim("as posted", lambda: after.index == min(candidate, cap) and after.anchor == after.index)
        path.claim("begins a step", lambda: after.anchor_time == time)
        path.mark("the first price")
    elif time >= feed.anchor_time + parameters.step_interval:
        path.claim("from the index", lambda: after.anchor == index and after.anchor_time == time)
        path.mark("a new step")
    else:
        path.claim("the same step", lambda: after.anchor == anchor and after.anchor_time == feed.anchor_time)
        path.mark("within a step")
    return after.index, after.anchor


@theorem(
    "the-mark-stays-within-its-band",
    "The mark lies within its band around the index and within 1 .. cap, and is the index plus the smoothed basis, "
    "rounded down, where that lies within both; more basis never lowers it.",
    "ORCL-5",
)
def mark_within_band(path: Any) -> Any:
    """Any smoothing state."""
    parameters = symbolic(path, MarkParameters, "mark")
    index = path.atom("index", 1, PRICE_MAX)
    cap, basis_sum = index + path.atom("headroom", 0, PRICE_MAX), path.atom("basis sum")
    price = mark_price(index, basis_sum, parameters, cap)
    path.claim("a price", lambda: 1 <= price <= cap)
    path.claim("within its band", lambda: abs(price - index) * SCALE <= index * parameters.band)
    basis = div_floor(basis_sum, parameters.window)
    width = mul_floor(index, parameters.band)
    if -width <= basis <= width and 1 <= index + basis <= cap:
        path.claim("index and basis", lambda: price == index + basis)
        path.mark("inside")
    return price


@theorem(
    "a-basis-sample-stays-within-the-band",
    "A basis sample is the middle of the book, rounded down, less the index, moved into the band around the index.",
    "ORCL-6",
)
def basis_sample_within_band(path: Any) -> Any:
    """One venue moves the mark no further than its band."""
    bid, index = path.atom("bid", 1, PRICE_MAX), path.atom("index", 1, PRICE_MAX)
    ask, band = bid + path.atom("width", 0, PRICE_MAX), path.atom("band", 0, SCALE - 1)
    sample = basis_sample(bid, ask, index, band)
    path.claim("within the band", lambda: abs(sample) * SCALE <= index * band)
    if 2 * abs(sample) * SCALE < 2 * index * band - 2 * SCALE:
        path.claim("the middle rounded down", lambda: 0 <= bid + ask - 2 * (sample + index) <= 1)
        path.mark("inside")
    return sample


@theorem(
    "smoothing-arrives",
    "While the smoothed basis is below a repeated sample its numerator grows by at least one a sample and does not "
    "pass it; above, the same downward; at the sample it rests. So the average arrives.",
    "ORCL-6",
)
def smoothing_arrives(path: Any) -> Any:
    """An average that is stored rounded sticks instead."""
    total, sample, window = path.atom("basis sum"), path.atom("sample"), path.atom("window", 1, COUNT_MAX)
    average = div_floor(total, window)
    after = smoothed(total, sample, window)
    moved = div_floor(after, window)
    if average == sample:
        path.claim("rests", lambda: after == total)
    elif average < sample:
        path.claim("grows", lambda: after >= total + 1)
        path.claim("does not pass it from below", lambda: moved <= sample)
    else:
        path.claim("falls", lambda: after <= total - 1)
        path.claim("does not pass it from above", lambda: moved >= sample)
    return after


@theorem(
    "smoothing-keeps-its-range",
    "If the numerator of the smoothed basis is within the window times a bound, and samples are within the bound, it "
    "stays within; so it never exceeds the window times the widest sample.",
    "ORCL-6",
    "NUM-9",
)
def smoothing_keeps_its_range(path: Any) -> Any:
    """The range from which the width of the smoothing state follows."""
    window, bound = path.atom("window", 1, COUNT_MAX), path.atom("bound", 0)
    total = path.atom("below") - window * bound
    path.assume(lambda: 0 <= total + window * bound <= 2 * window * bound, "within the range before")
    sample = path.atom("sample")
    path.assume(lambda: -bound <= sample <= bound, "a sample within the bound")
    after = smoothed(total, sample, window)
    path.claim("not above", lambda: after <= window * bound)
    path.claim("not below", lambda: after >= -window * bound)
    return after
