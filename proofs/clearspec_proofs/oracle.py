"""Theorems about sources, the median of those that count, the band, the mark, its smoothing, and stale prices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from clearspec import events as ev
from clearspec.numerics import (
    COUNT_MAX,
    DURATION_MAX,
    PRICE_MAX,
    SCALE,
    SIZE_MAX,
    SOURCES_MAX,
    TIME_MAX,
    div_floor,
    div_to_zero,
    mul_floor,
)
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
    refresh_mark,
    roll_variation_mark,
    smoothed,
    stepped,
    worst_price,
)
from clearspec.parameters import FeedParameters, MarketKind, MarketListing, MarketParameters, MarkParameters
from clearspec.state import Feed, Mark, Market, MarketStatus, Post, Settlement, State
from clearspec_proofs.lifting.paths import Effort, Path
from clearspec_proofs.stand_ins import any_bool, any_integer, cut_short, opaque, standing_in, with_lemmas
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.widths import BASIS_SUM_MAX, fits, in_128_bits
from clearspec_proofs.world import FEED, MARKET, POOL, World, symbolic


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
        state.posts.put((FEED, f"s{number}"), Post(price, 0, path.atom(f"time{number}", 0, TIME_MAX)))
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


def claim_within(path: Any, distance: Any, anchor: Any, band: Any) -> None:
    """Claim that a distance is at most one band, or one atom where the band is less than that."""
    wide, gap = anchor * band >= SCALE, abs(distance)
    if wide:
        path.claim("one band", lambda: gap * SCALE <= anchor * band)
    else:
        path.claim("one atom", lambda: gap <= 1)


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
    claim_within(path, result - anchor, anchor, band)
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
    way, moved = (target - anchor, result - anchor) if target >= anchor else (anchor - target, anchor - result)
    path.claim("toward it, and not past it", lambda: 0 <= moved <= way)
    if moved == way:
        path.mark("arrived")
        return result
    path.claim("only beyond the band", lambda: way * SCALE > anchor * band)
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
    if stride > 1:
        path.claim("the band is no narrower at the anchor", lambda: stride <= mul_floor(anchor, band))
    result = banded(target, anchor, band, cap)
    left, before = (target - result, target - anchor) if target >= anchor else (result - target, anchor - target)
    if left != 0:
        path.claim("nearer", lambda: 0 < left <= before - stride)
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
    path.assume(lambda: index <= cap and anchor <= cap, "INV-9, INV-16")
    feed = Feed(
        parameters, (), index, path.atom("index time", 0, TIME_MAX), anchor, path.atom("anchor time", 0, TIME_MAX)
    )
    candidate = path.atom("candidate", 1, PRICE_MAX)
    after = stepped(feed, candidate, time)
    path.claim("a price", lambda: 1 <= after.index <= cap)
    path.claim("its time", lambda: after.index_time == time)
    claim_within(path, after.index - after.anchor, after.anchor, parameters.band)
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
    basis, more = div_floor(basis_sum, parameters.window), basis_sum + path.atom("more", 0)
    path.claim("lemma: more basis", lambda: basis <= div_floor(more, parameters.window))
    path.claim("more basis never lowers it", lambda: price <= mark_price(index, more, parameters, cap))
    width = mul_floor(index, parameters.band)
    if -width <= basis <= width and 1 <= index + basis <= cap:
        path.claim("index and basis", lambda: price == index + basis)
        path.mark("inside")
    return price


@theorem(
    "a-mark-is-a-price",
    "Whatever the index and the smoothed basis, the mark lies within 1 .. cap.",
    "ORCL-5",
)
def mark_is_a_price(path: Any) -> Any:
    """Also of an index beyond the cap, or of none."""
    parameters, cap = symbolic(path, MarkParameters, "mark"), path.atom("cap", 1)
    price = mark_price(path.atom("index"), path.atom("basis sum"), parameters, cap)
    path.claim("a price", lambda: 1 <= price <= cap)
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
    total = path.atom("basis sum")
    path.assume(lambda: -window * bound <= total <= window * bound, "within the range before")
    sample = path.atom("sample")
    path.assume(lambda: -bound <= sample <= bound, "a sample within the bound")
    after = smoothed(total, sample, window)
    path.claim("not above", lambda: after <= window * bound)
    path.claim("not below", lambda: after >= -window * bound)
    return after


def premium_lemma(path: Any, result: Any, numerator: Any, divisor: Any) -> None:
    """Prices are positive, so that no premium comes down to minus one."""
    if numerator > -SCALE * divisor:
        path.claim("above minus one", lambda: result > -SCALE)


PREMIUM = with_lemmas(div_to_zero, premium_lemma)


@theorem(
    "a-premium-is-a-ratio-within-one",
    "A premium sample lies within -1 .. 1, is 0 where the index lies between bid and ask, else has the sign of the "
    "side that the book lies on, and is the exact ratio rounded toward zero where that is within one.",
    "ORCL-7",
)
def premium_within_one(path: Any) -> Any:
    """Any book that is not crossed."""
    bid, index = path.atom("bid", 1, PRICE_MAX), path.atom("index", 1, PRICE_MAX)
    ask = bid + path.atom("width", 0, PRICE_MAX)
    with standing_in(path, PREMIUM):
        sample = premium_sample(bid, ask, index)
    path.claim("within one", lambda: -SCALE <= sample <= SCALE)
    if bid > index:
        path.claim("above", lambda: 0 <= sample * index <= (bid - index) * SCALE)
        path.claim("rounded down", lambda: sample == SCALE or (sample + 1) * index > (bid - index) * SCALE)
    elif ask < index:
        path.claim("below", lambda: 0 <= -sample * index <= (index - ask) * SCALE)
        path.claim("rounded up", lambda: sample == -SCALE or (1 - sample) * index > (index - ask) * SCALE)
    else:
        path.claim("between bid and ask", lambda: sample == 0)
    return sample


@theorem(
    "a-premium-treats-both-sides-alike",
    "A book mirrored at the index has the opposite premium.",
    "ORCL-7",
)
def premium_is_odd(path: Any) -> Any:
    """Rounding down would favour shorts."""
    below, index = path.atom("bid below index"), path.atom("index", 1, PRICE_MAX)
    above = path.atom("width", 0) - below
    sample = premium_sample(index - below, index + above, index)
    mirrored = premium_sample(index - above, index + below, index)
    path.claim("opposite", lambda: mirrored == -sample)
    return sample


def stale(path: Any) -> tuple[Any, Any, Any]:
    """A price, and the rate and cap of its age penalty."""
    return path.atom("price", 0, PRICE_MAX), path.atom("rate", 0, SCALE), path.atom("cap", 0, SCALE)


@theorem(
    "the-worst-price-is-on-the-losing-side",
    "A stale price moves down for a long, to 0 at the lowest, and up for a short, by at most the cap of itself, "
    "rounded up, and by nothing when it is not overdue.",
    "ORCL-9",
)
def worst_price_on_the_losing_side(path: Any) -> Any:
    """No position gains by the age of its price."""
    price, rate, cap = stale(path)
    overdue, size = path.atom("overdue", 0, 2 * TIME_MAX), path.atom("size", -SIZE_MAX, SIZE_MAX)
    worst = worst_price(price, overdue, rate, cap, size)
    lost = price - worst if size >= 0 else worst - price
    path.claim("on the losing side", lambda: 0 <= lost <= price)
    path.claim("by at most the cap", lambda: (lost - 1) * SCALE < price * cap or lost == 0)
    path.claim("a fresh price stays", lambda: worst_price(price, 0, rate, cap, size) == price)
    return worst


@theorem(
    "the-worst-price-worsens-with-age",
    "The longer a price is overdue, the worse it counts: never higher for a long, never lower for a short; and until "
    "the cap binds it loses price x rate x seconds, rounded up.",
    "ORCL-9",
)
def worst_price_worsens(path: Any) -> Any:
    """A post from a dead feed never gets better by waiting."""
    price, rate, cap = stale(path)
    overdue, size = path.atom("overdue", 0, TIME_MAX), path.atom("size", -SIZE_MAX, SIZE_MAX)
    later = overdue + path.atom("more", 0, TIME_MAX)
    narrow, wide = (min(cap, rate * age) for age in (overdue, later))
    path.claim("the width grows", lambda: price * narrow <= price * wide)
    now, then = (worst_price(price, age, rate, cap, size) for age in (overdue, later))
    path.claim("worse", lambda: then <= now if size >= 0 else then >= now)
    if rate * overdue < cap:
        lost = price - now if size >= 0 else now - price
        path.claim("the rate", lambda: (lost - 1) * SCALE < price * (rate * overdue) <= lost * SCALE)
        path.mark("below the cap")
    return now


def listing_of(path: Any, expiry: Any) -> MarketListing:
    """A listing with an expiry; of its parameters only the settlement window is given."""
    parameters = symbolic(path, MarketParameters, "parameters", margin=None)
    return MarketListing(MARKET, POOL, FEED, MarketKind.FUTURE, expiry, parameters)


@theorem(
    "the-basis-fades-to-nothing",
    "Before its settlement window a market has its whole smoothed basis; inside it has the part for the time that "
    "remains, rounded toward zero, of the same sign and no greater; from expiry on it has none.",
    "SETTLE-2",
    marks=("before", "inside", "expired", "no expiry"),
)
def basis_fades(path: Any) -> Any:
    """At expiry the mark is the settlement price."""
    basis_sum, time = path.atom("basis sum"), path.atom("time", 0, 2 * TIME_MAX)
    listing = listing_of(path, path.atom("expiry", 0, 2 * TIME_MAX))
    window, left = listing.parameters.settlement_window, listing.expiry - time
    faded = faded_basis(basis_sum, listing, time)
    if listing.expiry == 0:
        path.claim("no expiry", lambda: faded == basis_sum)
        path.mark("no expiry")
    elif left >= window:
        path.claim("whole", lambda: faded == basis_sum)
        path.mark("before")
    elif left <= 0:
        path.claim("none", lambda: faded == 0)
        path.mark("expired")
    else:
        part, whole = (faded, basis_sum) if basis_sum >= 0 else (-faded, -basis_sum)
        path.claim("a part", lambda: 0 <= part <= whole)
        path.claim("for the time that remains", lambda: part * window <= whole * left < (part + 1) * window)
        path.mark("inside")
    return faded


@dataclass(frozen=True, slots=True)
class Accruing:
    """A market in its settlement window or before it: the moment, the feed as it moves now, what held until now.

    ``since`` is the time up to which has been accrued, the window's start before the first accrual; ``past`` the price
    that counts from then on, ``low`` and ``high`` those between which all lie.
    """

    ctx: ev.Context
    feed: Feed
    since: Any
    past: Any
    low: Any
    high: Any

    @property
    def listing(self) -> MarketListing:
        """The listing of its market."""
        return self.ctx.state.markets[MARKET].listing

    @property
    def start(self) -> Any:
        """Start of its window."""
        return self.listing.expiry - self.listing.parameters.settlement_window


def accruing(path: Any) -> Accruing:
    """A market of which something has been accrued, or nothing yet, with a price so far or without."""
    low, spread = path.atom("low", 1, PRICE_MAX), path.atom("spread", 0, PRICE_MAX)
    listing = listing_of(path, path.atom("expiry", 1, 2 * TIME_MAX))
    start, index = listing.expiry - listing.parameters.settlement_window, path.atom("index", 1, PRICE_MAX)
    path.assume(lambda: low <= index <= low + spread, "range of prices")
    covered = accrued = held = written = 0
    begun = path.choice("so far", "accrued", "a price", "no price")
    if begun != "no price":
        held = path.atom("held", 1, PRICE_MAX)
        path.assume(lambda: low <= held <= low + spread, "range of prices")
    if begun == "accrued":
        covered, accrued = path.atom("covered", 1), path.atom("accrued")
        path.assume(lambda: covered * low <= accrued <= covered * (low + spread), "accrued so far")
        written = start + covered
    since, time = start + covered, path.atom("time", 0, 2 * TIME_MAX)
    path.assume(lambda: since <= time and since <= listing.expiry and start >= 0, "time")
    state = State()
    state.markets.put(MARKET, Market(listing, MarketStatus.ACTIVE, listing.parameters, 0, 0))
    state.settlements.put(MARKET, Settlement(accrued, written, 0, 0, 0, 0, 0, 0, False))
    feed = Feed(feed_of(path), (MARKET,), held, 0, held, 0)
    state.feeds.put(FEED, feed)
    moved, past = replace(feed, index=index), index if begun == "no price" else held
    return Accruing(ev.Context(state, time, "s0"), moved, since, past, low, low + spread)


@theorem(
    "the-twap-stays-between-prices",
    "Inside the settlement window the accrued index lies between the lowest and the highest index of the window so far "
    "and now, and what is accrued covers the time that has passed; before the window the index itself is taken.",
    "SETTLE-2",
    marks=("inside", "before"),
)
def twap_between_prices(path: Any) -> Any:
    """The step of an induction over the updates of a window: what it supposes of the state it leaves behind."""
    case = accruing(path)
    ctx, listing, index_now = case.ctx, case.listing, case.feed.index
    before = ctx.state.settlements[MARKET]
    if ctx.time > case.start:
        now = min(ctx.time, listing.expiry)
        for seconds, price in ((now - case.since, case.past), (listing.expiry - now, index_now)):
            path.claim("a time at the lowest", lambda time=seconds, price=price: time * case.low <= time * price)
            path.claim("a time at the highest", lambda time=seconds, price=price: time * price <= time * case.high)
    index = accrued_index(ctx, MARKET, case.feed)
    after = ctx.state.settlements[MARKET]
    if ctx.time <= case.start:
        path.claim("the index", lambda: index == index_now and after is before)
        path.mark("before")
        return index
    covered = after.accrued_time - case.start
    path.claim("covered", lambda: after.accrued_time == min(ctx.time, listing.expiry))
    path.claim("accrued at the least", lambda: covered * case.low <= after.accrued)
    path.claim("accrued at the most", lambda: after.accrued <= covered * case.high)
    total = after.accrued + index_now * (listing.expiry - after.accrued_time)
    window = listing.parameters.settlement_window
    path.claim("rounded down", lambda: index * window <= total < (index + 1) * window)
    path.claim("at least the lowest", lambda: case.low <= index)
    path.claim("at most the highest", lambda: index <= case.high)
    path.mark("inside")
    return index


@theorem(
    "a-price-counts-from-when-it-came",
    "Inside the settlement window the price that held counts for each second since the last accrual or the window's "
    "start, and the price that comes now for none of them; the first price of all counts for the time before it. After "
    "expiry no second counts.",
    "SETTLE-2",
    marks=("held", "first", "after expiry"),
)
def price_counts_from_when_it_came(path: Any) -> Any:
    """So that a post cannot change what has passed: the last one before expiry weighs its own seconds."""
    case = accruing(path)
    ctx, expiry = case.ctx, case.listing.expiry
    path.assume(lambda: ctx.time > case.start, "inside the window")
    before = ctx.state.settlements[MARKET]
    accrued_index(ctx, MARKET, case.feed)
    after = ctx.state.settlements[MARKET]
    now = min(ctx.time, expiry)
    path.claim("its seconds", lambda: after.accrued - before.accrued == case.past * (now - case.since))
    path.mark("first" if ctx.state.feeds[FEED].index == 0 else "held")
    if ctx.time >= expiry:
        path.mark("after expiry")
        accrued_index(ev.Context(ctx.state, ctx.time + path.atom("wait", 0), "s0"), MARKET, case.feed)
        path.claim("no second counts twice", lambda: ctx.state.settlements[MARKET].accrued == after.accrued)
    return after.accrued


def marked(path: Any, **given: Any) -> tuple[World, ev.Context]:
    """A market with any mark and any parameters, at any time."""
    world = World(path)
    world.pool()
    world.market(**given)
    return world, ev.Context(world.state, path.atom("time", 0, TIME_MAX), "actor")


@theorem(
    "a-mark-is-fresh-until",
    "A market is fresh exactly if it has a mark and the last second at which that is fresh has not passed.",
    "ORCL-8",
)
def mark_is_fresh_until(path: Any) -> Any:
    """At equality it is fresh."""
    world, ctx = marked(path)
    mark = world.state.marks[MARKET]
    if is_fresh(ctx, MARKET):
        path.claim("fresh", lambda: mark.price >= 1 and ctx.time <= mark.fresh_until)
    else:
        path.claim("stale", lambda: mark.price == 0 or ctx.time > mark.fresh_until)


@theorem(
    "the-variation-mark-rolls-once-an-interval",
    "The variation-margin mark becomes the mark as it was before, and the haircut since it 0, when its interval has "
    "passed; the first mark is its own variation mark; otherwise nothing changes.",
    "FALL-9",
    marks=("first", "rolled", "kept"),
)
def variation_mark_rolls(path: Any) -> Any:
    """So a gains haircut never takes more than the price moved since then."""
    world, ctx = marked(path)
    state = world.state
    now, before = state.marks[MARKET], symbolic(path, Mark, "before")
    funding, interval = state.fundings[MARKET], path.atom("interval", 1, DURATION_MAX)
    roll_variation_mark(ctx, MARKET, before, interval)
    after, haircut = state.marks[MARKET], state.fundings[MARKET]
    path.claim("the mark stays", lambda: after.price == now.price and after.fresh_until == now.fresh_until)
    if before.price == 0:
        path.claim("its own", lambda: after.variation_price == now.price and after.variation_time == ctx.time)
        path.claim("no haircut changes", lambda: haircut is funding)
        path.mark("first")
    elif ctx.time >= before.variation_time + interval:
        path.claim("as it was", lambda: after.variation_price == before.price and after.variation_time == ctx.time)
        path.claim("a new start", lambda: haircut == replace(funding, haircut_since_variation=0))
        path.mark("rolled")
    else:
        path.claim("nothing", lambda: after is now and haircut is funding)
        path.mark("kept")


@theorem(
    "a-refreshed-mark-is-a-price",
    "Where a feed moves, the mark of a market in trading lies within 1 .. cap and is fresh for max_age from the time "
    "of the index; that of a market in settlement or closed stays.",
    "ORCL-5",
    "SETTLE-2",
    "INV-9",
    marks=("trading", "settled"),
)
def refreshed_mark_is_a_price(path: Any) -> Any:
    """With any index, also the blended one of a settlement window."""
    world, ctx = marked(path)
    parameters = feed_of(path)
    index, cap = path.atom("index", 1, PRICE_MAX), parameters.max_price
    feed = Feed(parameters, (MARKET,), index, path.atom("index time", 0, TIME_MAX), index, 0)
    world.state.feeds.put(FEED, feed)
    before, state = world.state.marks[MARKET], world.state
    blended = cut_short(accrued_index, lambda *_: path.fresh("accrued_index"))
    with standing_in(path, blended, opaque(faded_basis, any_integer)):
        refresh_mark(ctx, MARKET, feed)
    after = state.marks[MARKET]
    if state.markets[MARKET].status in (MarketStatus.SETTLING, MarketStatus.CLOSED):
        path.claim("stays", lambda: after is before)
        path.mark("settled")
        return after.price
    path.claim("a price", lambda: 1 <= after.price <= cap)
    path.claim("fresh", lambda: after.fresh_until == feed.index_time + parameters.max_age)
    path.claim("the samples stay", lambda: after.basis_sum == before.basis_sum)
    path.mark("trading")
    return after.price


@fits("counts", "a post and a feed in range", "ORCL-1")
def fits_counts(path: Any) -> Any:
    """Price times confidence."""
    in_128_bits(path)
    return counts(symbolic(path, Post, "post"), feed_of(path), path.atom("time", 0, TIME_MAX))


@fits("banded", "prices and a band in range", "ORCL-3")
def fits_banded(path: Any) -> Any:
    """Anchor times band."""
    in_128_bits(path)
    prices = [path.atom(name, 0, PRICE_MAX) for name in ("candidate", "anchor", "cap")]
    return banded(prices[0], prices[1], path.atom("band", 0, SCALE - 1), prices[2])


@fits("stepped", "a feed in range", "ORCL-4")
def fits_stepped(path: Any) -> Any:
    """Any state of the feed."""
    in_128_bits(path)
    feed = symbolic(path, Feed, "state", parameters=feed_of(path), markets=())
    after = stepped(feed, path.atom("candidate", 1, PRICE_MAX), path.atom("time", 0, TIME_MAX))
    return after.index


@fits("mark_price", "an index in range and a smoothed basis within its range", "ORCL-5")
def fits_mark_price(path: Any) -> Any:
    """Index times band."""
    in_128_bits(path)
    basis_sum = path.atom("basis sum", -BASIS_SUM_MAX, BASIS_SUM_MAX)
    parameters = symbolic(path, MarkParameters, "mark")
    return mark_price(path.atom("index", 0, PRICE_MAX), basis_sum, parameters, path.atom("cap", 1, PRICE_MAX))


@fits("smoothed", "a smoothed basis within its range and a sample up to the highest price", "ORCL-6")
def fits_smoothed(path: Any) -> Any:
    """Sums only."""
    in_128_bits(path)
    basis_sum, sample = path.atom("sum", -BASIS_SUM_MAX, BASIS_SUM_MAX), path.atom("sample", -PRICE_MAX, PRICE_MAX)
    return smoothed(basis_sum, sample, path.atom("window", 1, COUNT_MAX))


@fits("basis_sample", "prices and a band in range", "ORCL-6")
def fits_basis_sample(path: Any) -> Any:
    """Index times band."""
    in_128_bits(path)
    bid, ask, index = (path.atom(name, 1, PRICE_MAX) for name in ("bid", "ask", "index"))
    return basis_sample(bid, ask, index, path.atom("band", 0, SCALE - 1))


@fits("premium_sample", "prices in range", "ORCL-7")
def fits_premium_sample(path: Any) -> Any:
    """Difference of prices times scale."""
    in_128_bits(path)
    return premium_sample(*(path.atom(name, 1, PRICE_MAX) for name in ("bid", "ask", "index")))


@fits("worst_price", "a price, its rate, cap and age in range", "ORCL-9")
def fits_worst_price(path: Any) -> Any:
    """Rate times age before the cap, price times width after it."""
    in_128_bits(path)
    price, rate, cap = stale(path)
    return worst_price(price, path.atom("overdue", 0, 2 * TIME_MAX), rate, cap, path.atom("size", -1, 1))


@fits("faded_basis", "a smoothed basis within its range and times in range", "SETTLE-2")
def fits_faded_basis(path: Any) -> Any:
    """Smoothing state times seconds, which inside the window are at most the window."""
    in_128_bits(path)
    listing = listing_of(path, path.atom("expiry", 0, 2 * TIME_MAX))
    return faded_basis(path.atom("sum", -BASIS_SUM_MAX, BASIS_SUM_MAX), listing, path.atom("time", 0, TIME_MAX))


@fits("accrued_index", "what has been accrued at most the window at the highest price", "SETTLE-2")
def fits_accrued_index(path: Any) -> Any:
    """By ``the-twap-stays-between-prices``."""
    in_128_bits(path)
    listing = listing_of(path, path.atom("expiry", 0, 2 * TIME_MAX))
    state, parameters = State(), feed_of(path)
    index, held = path.atom("index", 1, PRICE_MAX), path.atom("held", 0, PRICE_MAX)
    accrued, since = path.atom("accrued", 0, DURATION_MAX * PRICE_MAX), path.atom("since", 0, 2 * TIME_MAX)
    state.markets.put(MARKET, Market(listing, MarketStatus.ACTIVE, listing.parameters, 0, 0))
    state.settlements.put(MARKET, Settlement(accrued, since, 0, 0, 0, 0, 0, 0, False))
    feed = Feed(parameters, (MARKET,), held, 0, held, 0)
    state.feeds.put(FEED, feed)
    return accrued_index(ev.Context(state, path.atom("time", 0, TIME_MAX), "s0"), MARKET, replace(feed, index=index))
