"""Vectors of the oracle: posts and quorum, the band, index and steps, mark and basis, stale prices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import NOTIONAL_MAX
from clearspec.parameters import Layer, MarketKind, Tier
from clearspec.sandbox import ETH_FEED, FEED, FUNDING, LISTING, MARGIN, MARK, MARKET, PERCENT, POOL, genesis
from clearspec_conformance.cases.ledger import BARE_POOL
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL, MESSAGE = Importance.CRITICAL, Importance.MESSAGE
PERP = "BTC-PERP"
X_FEED = replace(FEED, feed="X")
X_LISTING = replace(LISTING, market="X-PERP", feed="X")
FUTURE = replace(LISTING, market="BTC-FUT", kind=MarketKind.FUTURE, expiry=3000)


def one_feed(**feed: Any) -> ev.Genesis:
    """A feed with changes, and a pool; no market."""
    return genesis(pool=BARE_POOL, markets=(), feeds=(replace(FEED, **feed),))


def with_mark(**mark: Any) -> ev.Genesis:
    """A market with changed mark parameters."""
    listing = replace(LISTING, parameters=replace(MARKET, mark=replace(MARK, **mark)))
    return genesis(pool=BARE_POOL, markets=(listing,), feeds=(FEED,))


ONE_MARKET = genesis(pool=BARE_POOL, feeds=(FEED,))
SMOOTHED = with_mark(window=6, band=2_000_000)


def book(box: Recorder, bid: int, ask: int, time: int, expect: Reason | None = None) -> None:
    """Post a book sample of the perpetual at a time."""
    box.time = time
    box.do("venue", ev.PostBook(PERP, bid, ask), expect)


# ---------------------------------------------------------------------------------------------------------------
# Posts and quorum


@case(
    "oracle-post-price-001",
    "ORCL-4",
    "PARM-2",
    bug="the first price is held in a band around nothing, or passes the cap",
    effect="a feed never starts, or starts above what its markets can carry",
    importance=CRITICAL,
    start=one_feed(max_price=1000),
)
def the_first_price_is_capped_and_not_banded(box: Recorder) -> None:
    box.do("s1", ev.PostPrice("BTC", 1500, 0))
    box.hand("receipt.amounts.index", 1000, "1500, capped")
    box.time = 1
    box.do("s1", ev.PostPrice("BTC", 500, 0))
    box.hand("receipt.amounts.index", 990, "500, held at 1000 - 1 %")


@case(
    "oracle-post-price-002",
    "ORCL-1",
    "EVENT-4",
    "EVENT-6",
    bug="anybody, or a source of another feed, posts a price",
    effect="whoever wants sets the price",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(), feeds=(FEED, replace(ETH_FEED, sources=("s2",)))),
)
def only_a_feeds_own_sources_post(box: Recorder) -> None:
    box.do("eve", ev.PostPrice("DOGE", 100, 0), Reason.UNKNOWN_FEED)
    for actor in ("eve", "admin", "venue", "s2"):
        box.do(actor, ev.PostPrice("BTC", 100, 0), Reason.UNAUTHORISED)
    box.do("s1", ev.PostPrice("ETH", 100, 0), Reason.UNAUTHORISED)
    box.do("s2", ev.PostPrice("ETH", 7, 0))
    box.hand("observable.feeds.ETH", 7, "posted by its source")
    box.hand("observable.feeds.BTC", 0, "no price yet")


@case(
    "oracle-counts-001",
    "ORCL-1",
    "PARM-2",
    bug="a post of just the greatest age does not count",
    effect="a feed stands still while its sources are alive",
    start=one_feed(sources=("a", "b"), quorum=2),
)
def a_post_of_the_greatest_age_counts(box: Recorder) -> None:
    box.do("a", ev.PostPrice("BTC", 100, 0))
    box.hand("receipt.amounts.index", 0, "one post of two")
    box.time = 600
    box.do("b", ev.PostPrice("BTC", 200, 0))
    box.hand("receipt.amounts.index", 150, "(100 + 200) / 2; 600 - 0 is not above 600")


@case(
    "oracle-counts-002",
    "ORCL-1",
    "ORCL-2",
    bug="a post counts for ever",
    effect="a source that died votes with its last price",
    importance=CRITICAL,
    start=one_feed(sources=("a", "b"), quorum=2),
)
def an_older_post_does_not_count(box: Recorder) -> None:
    box.do("a", ev.PostPrice("BTC", 100, 0))
    box.time = 601
    box.do("b", ev.PostPrice("BTC", 200, 0))
    box.hand("receipt.amounts.index", 0, "601 - 0 is above 600: one post of two")
    box.do("a", ev.PostPrice("BTC", 120, 0))
    box.hand("receipt.amounts.index", 160, "(120 + 200) / 2")


@case(
    "oracle-counts-003",
    "ORCL-1",
    "PARM-2",
    bug="confidence is not looked at, or its bound is rounded up, or equality is refused",
    effect="a source that does not know the price sets it, or a good one is left out",
    importance=CRITICAL,
    start=one_feed(confidence=PERCENT),
)
def a_post_with_too_wide_a_confidence_does_not_count(box: Recorder) -> None:
    box.do("s1", ev.PostPrice("BTC", 1099, 11))
    box.hand("receipt.amounts.index", 0, "1 % of 1099 = 10.99, rounded down 10; 11 is above")
    box.do("s1", ev.PostPrice("BTC", 1099, 10))
    box.hand("receipt.amounts.index", 1099, "10 is not above 10")


@case(
    "oracle-counts-004",
    "ORCL-1",
    bug="a post that does not count leaves the source's earlier one in force",
    effect="a source that has lost its confidence still votes",
    start=one_feed(sources=("a", "b"), confidence=PERCENT, band=50 * PERCENT),
)
def a_post_replaces_the_earlier_one_though_it_does_not_count(box: Recorder) -> None:
    box.do("a", ev.PostPrice("BTC", 1000, 0))
    box.do("a", ev.PostPrice("BTC", 1010, 50))
    box.hand("receipt.amounts.index", 1000, "no post counts: the index stays")
    box.do("b", ev.PostPrice("BTC", 1020, 0))
    box.hand("receipt.amounts.index", 1020, "b alone; with a's 1000 it would be 1010")


@case(
    "oracle-quorum-001",
    "ORCL-1",
    "ORCL-2",
    "PARM-2",
    bug="posts are counted and not sources",
    effect="one source is a quorum of its own",
    importance=CRITICAL,
    start=one_feed(sources=("a", "b", "c"), quorum=3, faulty=1),
)
def a_source_has_one_voice(box: Recorder) -> None:
    for price in (500, 510, 520):
        box.do("a", ev.PostPrice("BTC", price, 0))
    box.do("b", ev.PostPrice("BTC", 100, 0))
    box.hand("receipt.amounts.index", 0, "two sources of three")
    box.do("c", ev.PostPrice("BTC", 101, 0))
    box.hand("receipt.amounts.index", 101, "the middle of 100, 101, 520")


@case(
    "oracle-quorum-002",
    "ORCL-2",
    "PARM-10",
    bug="the quorum counts registered sources, or a majority of the fresh ones suffices",
    effect="two liars and one honest source set the price once two honest ones are stale",
    importance=CRITICAL,
    start=one_feed(sources=("a", "b", "c", "d", "e"), quorum=5, faulty=2, band=50 * PERCENT),
)
def fresh_posts_must_outnumber_the_liars(box: Recorder) -> None:
    box.price(100)
    box.time = 601
    for source, price in (("a", 100), ("d", 500), ("e", 500)):
        box.do(source, ev.PostPrice("BTC", price, 0))
    box.hand("receipt.amounts.index", 100, "three of five count: no quorum; their median would be 500")
    box.do("b", ev.PostPrice("BTC", 101, 0))
    box.do("c", ev.PostPrice("BTC", 99, 0))
    box.hand("receipt.amounts.index", 101, "the middle of 99, 100, 101, 500, 500")


@case(
    "oracle-quorum-003",
    "ORCL-2",
    "NUM-7",
    bug="the price is the mean of the posts, the latest, or that of the first source",
    effect="one source that lies moves the index",
    importance=CRITICAL,
    start=one_feed(sources=("a", "b", "c", "d"), quorum=3, faulty=1),
)
def the_quorum_price_is_the_median(box: Recorder) -> None:
    box.do("a", ev.PostPrice("BTC", 10**9, 0))
    box.do("b", ev.PostPrice("BTC", 10_000, 0))
    box.do("c", ev.PostPrice("BTC", 10_002, 0))
    box.hand("receipt.amounts.index", 10_002, "the middle of 10000, 10002, 10^9")
    box.do("d", ev.PostPrice("BTC", 9_999, 0))
    box.hand("receipt.amounts.index", 10_001, "(10000 + 10002) / 2 of 9999, 10000, 10002, 10^9")
    box.do("d", ev.PostPrice("BTC", 10_001, 0))
    box.hand("receipt.amounts.index", 10_001, "(10001 + 10002) / 2 = 10001.5, rounded down")


# ---------------------------------------------------------------------------------------------------------------
# Band and steps


def in_band(candidate: int, anchor: int, band: int, max_price: int = 10**9) -> dict[str, int]:
    """Arguments of the band."""
    return {"candidate": candidate, "anchor": anchor, "band": band, "max_price": max_price}


kernel_case(
    "oracle-banded-001",
    "ORCL-3",
    kernel="banded",
    bug="the width of the band is rounded up, is nothing for a low price, or one side is not held",
    effect="the index moves further than the margin of its markets covers, or sticks",
    importance=CRITICAL,
    calls=[
        (in_band(104, 100, 5 * PERCENT), {"price": 104}),
        (in_band(105, 100, 5 * PERCENT), {"price": 105}),
        (in_band(106, 100, 5 * PERCENT), {"price": 105}),
        (in_band(96, 100, 5 * PERCENT), {"price": 96}),
        (in_band(95, 100, 5 * PERCENT), {"price": 95}),
        (in_band(94, 100, 5 * PERCENT), {"price": 95}),
        (in_band(200, 119, 5 * PERCENT), {"price": 124}),  # 5.95, 5
        (in_band(200, 120, 5 * PERCENT), {"price": 126}),  # 6
        (in_band(200, 121, 5 * PERCENT), {"price": 127}),  # 6.05, 6
        (in_band(1, 10, PERCENT), {"price": 9}),  # 0.1, at least 1
        (in_band(20, 10, PERCENT), {"price": 11}),
        (in_band(1, 250, PERCENT), {"price": 248}),  # 2.5, 2
        (in_band(100, 100, 0), {"price": 100}),
        (in_band(200, 100, 0), {"price": 101}),  # a band of nothing is one atom wide
        (in_band(1, 1, 50 * PERCENT), {"price": 1}),  # 1 - 1 = 0, at least 1
        (in_band(2_000, 1_000, 50 * PERCENT, 1_200), {"price": 1_200}),  # 1500, capped
        (in_band(2_000, 1_000, 20 * PERCENT, 1_200), {"price": 1_200}),
        (in_band(2_000, 1_000, 19 * PERCENT, 1_200), {"price": 1_190}),
    ],
)


@case(
    "oracle-band-001",
    "ORCL-3",
    "ORCL-4",
    bug="a price outside the band is refused",
    effect="deadlock: at 100 with a true price of 80 and a band of 5 % the index stays at 100 for ever",
    importance=CRITICAL,
    start=one_feed(band=5 * PERCENT),
)
def a_price_outside_the_band_arrives_in_five_steps(box: Recorder) -> None:
    box.price(100)
    walk = ((95, "5"), (91, "4.75, 4"), (87, "4.55, 4"), (83, "4.35, 4"), (80, "4.15, 4: 80 is inside"))
    for time, (index, width) in enumerate(walk, start=1):
        box.price(80, time=time)
        box.hand("receipt.amounts.index", index, f"width {width}")


@case(
    "oracle-band-002",
    "ORCL-3",
    bug="a price so low that its band is less than one atom sticks, or falls to nothing",
    effect="the index can never move again",
    start=one_feed(),
)
def a_low_price_moves_by_one_atom(box: Recorder) -> None:
    box.price(3)
    for time, index in ((1, 2), (2, 1), (3, 1)):
        box.price(1, time=time)
        box.hand("receipt.amounts.index", index, "one atom down, and never below 1")
    box.price(9, time=4)
    box.hand("receipt.amounts.index", 2, "1 + 1")


@case(
    "oracle-step-001",
    "ORCL-4",
    bug="the band is measured from the last index and not from the anchor of the step",
    effect="many posts in one second move the index as far as anybody likes",
    importance=CRITICAL,
    start=one_feed(step_interval=10),
)
def many_posts_in_a_step_stay_inside_one_band(box: Recorder) -> None:
    box.price(10_000)
    posts = (
        (5, 9_000, 9_900, "10000 - 1 %"),
        (5, 20_000, 10_100, "10000 + 1 %: across the band around the same anchor"),
        (9, 20_000, 10_100, "still the first step"),
        (10, 20_000, 10_201, "the anchor is 10100 now"),
        (10, 20_000, 10_201, "the same step"),
        (19, 9_000, 9_999, "10100 - 1 %, the same step"),
        (20, 9_000, 9_900, "9999 less 1 % rounded down, 99: the anchor is 9999 now"),
    )
    for time, price, index, why in posts:
        box.price(price, time=time)
        box.hand("receipt.amounts.index", index, why)


@case(
    "oracle-step-002",
    "ORCL-4",
    "PARM-2",
    bug="a pause counts as many steps, widens the band, or leaves the next step due at once",
    effect="whoever stops the feed chooses the size of the jump",
    importance=CRITICAL,
    start=one_feed(step_interval=10),
)
def a_pause_is_one_step(box: Recorder) -> None:
    box.price(10_000)
    box.price(20_000, time=5_005)
    box.hand("receipt.amounts.index", 10_100, "10000 + 1 %: one step, however long the pause")
    box.price(20_000, time=5_014)
    box.hand("receipt.amounts.index", 10_100, "nine seconds into the step that began at 5005")
    box.price(20_000, time=5_015)
    box.hand("receipt.amounts.index", 10_201, "10100 + 1 %")


@case(
    "oracle-step-003",
    "ORCL-4",
    "ORCL-3",
    bug="the cap of a feed is checked at the first price only",
    effect="the notional of a position leaves its range",
    importance=CRITICAL,
    start=one_feed(max_price=10_150),
)
def the_index_stays_below_the_cap(box: Recorder) -> None:
    box.price(10_000)
    box.price(20_000, time=1)
    box.hand("receipt.amounts.index", 10_100, "10000 + 1 %")
    box.price(20_000, time=2)
    box.hand("receipt.amounts.index", 10_150, "10201, capped")


@case(
    "oracle-step-004",
    "ORCL-4",
    bug="the first step begins at time 0 and not at the first price",
    effect="the second price starts a new step, and steps begin at other times than in other engines",
    start=one_feed(step_interval=10),
)
def the_first_step_begins_with_the_first_price(box: Recorder) -> None:
    box.price(10_000, time=1_000)
    box.price(10_050, time=1_005)
    box.hand("receipt.amounts.index", 10_050, "inside 1 % of 10000")
    box.price(20_000, time=1_009)
    box.hand("receipt.amounts.index", 10_100, "10000 + 1 %: the step of 1000 runs until 1010")
    box.price(20_000, time=1_010)
    box.hand("receipt.amounts.index", 10_201, "10100 + 1 %")


# ---------------------------------------------------------------------------------------------------------------
# Mark and book


def marked(index: int, basis_sum: int, window: int, band: int, max_price: int = 10**9) -> dict[str, int]:
    """Arguments of the mark price."""
    return {"index": index, "basis_sum": basis_sum, "window": window, "band": band, "max_price": max_price}


kernel_case(
    "oracle-mark-price-001",
    "ORCL-5",
    "NUM-2",
    kernel="mark_price",
    bug="the basis is rounded toward zero, is not held in its band, or the mark passes the cap",
    effect="a thin book moves the price at which accounts are liquidated",
    importance=CRITICAL,
    calls=[
        (marked(1_000, 49, 10, 10 * PERCENT), {"price": 1_004}),  # 4.9
        (marked(1_000, 50, 10, 10 * PERCENT), {"price": 1_005}),  # 5
        (marked(1_000, 51, 10, 10 * PERCENT), {"price": 1_005}),  # 5.1
        (marked(1_000, -49, 10, 10 * PERCENT), {"price": 995}),  # -4.9, -5
        (marked(1_000, -50, 10, 10 * PERCENT), {"price": 995}),  # -5
        (marked(1_000, -51, 10, 10 * PERCENT), {"price": 994}),  # -5.1, -6
        (marked(1_000, 39, 10, 3_000_000), {"price": 1_003}),  # 3 of at most 3
        (marked(1_000, 40, 10, 3_000_000), {"price": 1_003}),  # 4 of at most 3
        (marked(1_000, -40, 10, 3_000_000), {"price": 997}),  # -4 of at least -3
        (marked(999, 40, 10, 3_000_000), {"price": 1_001}),  # a width of 2.997, 2
        (marked(1_000, 45, 10, 0), {"price": 1_000}),
        (marked(1_000, 45, 10, 10 * PERCENT, 1_002), {"price": 1_002}),  # 1004, capped
        (marked(1_000, 0, 10, 10 * PERCENT), {"price": 1_000}),
        (marked(2, -10, 1, 99 * PERCENT), {"price": 1}),  # a width of 1.98, 1
    ],
)

kernel_case(
    "oracle-smoothed-001",
    "ORCL-6",
    kernel="smoothed",
    bug="the average is stored rounded, and not its numerator",
    effect="an average of 100 sticks at 100 for a target of 109",
    calls=[
        ({"basis_sum": 1_000, "sample": 109, "window": 10}, {"basis_sum": 1_009}),  # - 100 + 109
        ({"basis_sum": 1_009, "sample": 109, "window": 10}, {"basis_sum": 1_018}),  # - 100 + 109
        ({"basis_sum": 1_018, "sample": 109, "window": 10}, {"basis_sum": 1_026}),  # - 101 + 109
        ({"basis_sum": 1_089, "sample": 109, "window": 10}, {"basis_sum": 1_090}),  # - 108 + 109
        ({"basis_sum": 1_090, "sample": 109, "window": 10}, {"basis_sum": 1_090}),  # - 109 + 109: it rests
        ({"basis_sum": -1_000, "sample": -109, "window": 10}, {"basis_sum": -1_009}),  # + 100 - 109
        ({"basis_sum": -1_001, "sample": -109, "window": 10}, {"basis_sum": -1_009}),  # + 101 - 109
        ({"basis_sum": 55, "sample": -7, "window": 1}, {"basis_sum": -7}),  # no smoothing
        ({"basis_sum": 0, "sample": 0, "window": 6}, {"basis_sum": 0}),
    ],
)


def sampled(bid: int, ask: int, index: int, band: int) -> dict[str, int]:
    """Arguments of a basis sample."""
    return {"bid": bid, "ask": ask, "index": index, "band": band}


kernel_case(
    "oracle-basis-sample-001",
    "ORCL-6",
    kernel="basis_sample",
    bug="the middle of the book is rounded up, or a sample outside its band is refused or taken whole",
    effect="a venue moves the mark with one order in an empty book",
    importance=CRITICAL,
    calls=[
        (sampled(1_010, 1_014, 1_000, 50 * PERCENT), {"basis": 12}),
        (sampled(1_010, 1_015, 1_000, 50 * PERCENT), {"basis": 12}),  # 1012.5
        (sampled(1_010, 1_016, 1_000, 50 * PERCENT), {"basis": 13}),
        (sampled(985, 990, 1_000, 50 * PERCENT), {"basis": -13}),  # 987.5, 987
        (sampled(1_009, 1_009, 1_000, PERCENT), {"basis": 9}),
        (sampled(1_010, 1_010, 1_000, PERCENT), {"basis": 10}),
        (sampled(1_011, 1_011, 1_000, PERCENT), {"basis": 10}),
        (sampled(990, 990, 1_000, PERCENT), {"basis": -10}),
        (sampled(989, 989, 1_000, PERCENT), {"basis": -10}),
        (sampled(1_010, 1_010, 999, PERCENT), {"basis": 9}),  # a width of 9.99, 9
        (sampled(1_000, 1_000, 1_000, 0), {"basis": 0}),
    ],
)


def over(bid: int, ask: int, index: int) -> dict[str, int]:
    """Arguments of a premium sample."""
    return {"bid": bid, "ask": ask, "index": index}


kernel_case(
    "oracle-premium-sample-001",
    "ORCL-7",
    "NUM-2",
    kernel="premium_sample",
    bug="the premium is that of the middle of the book, is rounded down, or is not clamped",
    effect="funding is paid where nobody could trade, favours one side, or has no bound",
    calls=[
        (over(3_001, 3_002, 3_000), {"premium": 333_333}),  # 1 / 3000 = 333333.3
        (over(2_998, 2_999, 3_000), {"premium": -333_333}),  # -333333.3
        (over(3_000, 3_001, 3_000), {"premium": 0}),
        (over(2_999, 3_000, 3_000), {"premium": 0}),
        (over(2_990, 3_010, 3_000), {"premium": 0}),
        (over(2_990, 3_002, 3_000), {"premium": 0}),  # the middle is below the index
        (over(3_003, 3_100, 3_000), {"premium": 1_000_000}),  # the bid counts, and not the middle
        (over(2_000, 2_997, 3_000), {"premium": -1_000_000}),  # the ask counts
        (over(5_999, 6_000, 3_000), {"premium": 999_666_666}),  # 2999 / 3000
        (over(6_000, 6_001, 3_000), {"premium": 10**9}),
        (over(7_000, 7_100, 3_000), {"premium": 10**9}),  # 4000 / 3000
        (over(1, 1, 3_000), {"premium": -999_666_666}),  # -2999 / 3000
        (over(2**36, 2**36, 1), {"premium": 10**9}),
    ],
)


@case(
    "oracle-book-001",
    "ORCL-6",
    "ORCL-7",
    "ORCL-5",
    bug="a book sample becomes the mark at once",
    effect="whoever trades in a thin book sets the mark",
    importance=CRITICAL,
    start=SMOOTHED,
)
def a_book_enters_the_mark_smoothed(box: Recorder) -> None:
    box.price(10_000)
    book(box, 10_011, 10_013, 10)
    box.hand("receipt.amounts.mark", 10_002, "a sample of 12 over 6 samples: 10000 + 2")
    box.hand("receipt.amounts.premium", 1_100_000, "(10011 - 10000) / 10000")
    book(box, 10_011, 10_013, 20)
    box.hand("receipt.amounts.mark", 10_003, "12 - 2 + 12 = 22 over 6 = 3.67, rounded down")
    book(box, 9_988, 9_990, 30)
    box.hand("receipt.amounts.mark", 10_001, "22 - 3 - 11 = 8 over 6 = 1.33, rounded down")
    box.hand("receipt.amounts.premium", -1_000_000, "(9990 - 10000) / 10000")
    box.price(10_000, time=31)
    box.hand("observable.markets.BTC-PERP.mark", 10_001, "the basis of 1 stands until the next sample")


@case(
    "oracle-book-002",
    "ORCL-6",
    "ORCL-5",
    "PARM-5",
    bug="the band of the basis is not read, or is taken of the feed",
    effect="a book far from the index moves the mark without bound",
    importance=CRITICAL,
    start=with_mark(window=1, band=2_000_000),
)
def a_book_is_held_in_the_band_of_the_mark(box: Recorder) -> None:
    box.price(10_000)
    book(box, 15_000, 15_000, 10)
    box.hand("receipt.amounts.mark", 10_020, "5000, held at 0.2 % of 10000")
    book(box, 5_000, 5_000, 20)
    box.hand("receipt.amounts.mark", 9_980, "-5000, held at -20")


@case(
    "oracle-book-010",
    "ORCL-6",
    "PARM-5",
    bug="a sample enters the average whole, and only the average is held in the band",
    effect="one sample far off weighs as much as many, and the mark stays at the edge of its band",
    importance=CRITICAL,
    start=SMOOTHED,
)
def a_sample_is_held_in_the_band_too(box: Recorder) -> None:
    box.price(10_000)
    book(box, 15_000, 15_000, 10)
    box.hand("receipt.amounts.mark", 10_003, "5000, held at 20, over 6 samples = 3.33")
    book(box, 5_000, 5_000, 20)
    box.hand("receipt.amounts.mark", 9_999, "20 - 3 - 20 = -3 over 6 = -0.5, rounded down")


@case(
    "oracle-book-003",
    "ORCL-6",
    bug="a crossed book is sampled, or a locked one is refused",
    effect="a book that cannot be sets the mark",
    start=SMOOTHED,
)
def a_crossed_book_is_refused(box: Recorder) -> None:
    box.price(10_000)
    book(box, 10_013, 10_012, 10, Reason.CROSSED_BOOK)
    book(box, 10_012, 10_012, 10)
    box.hand("receipt.amounts.mark", 10_002, "12 / 6")


@case(
    "oracle-book-004",
    "ORCL-6",
    "PARM-5",
    bug="samples are taken as often as a venue likes",
    effect="600 samples in one second bring mark and funding to the edges of their bands",
    importance=CRITICAL,
    start=SMOOTHED,
)
def samples_keep_their_distance(box: Recorder) -> None:
    box.price(10_000)
    book(box, 10_012, 10_012, 0, Reason.SAMPLE_TOO_SOON)
    book(box, 10_012, 10_012, 9, Reason.SAMPLE_TOO_SOON)
    book(box, 10_012, 10_012, 10)
    book(box, 10_012, 10_012, 10, Reason.SAMPLE_TOO_SOON)
    book(box, 10_012, 10_012, 19, Reason.SAMPLE_TOO_SOON)
    book(box, 10_012, 10_012, 20)
    box.hand("receipt.amounts.mark", 10_003, "12 - 2 + 12 = 22 over 6")


@case(
    "oracle-book-005",
    "ORCL-6",
    "ORCL-8",
    "ORCL-5",
    bug="a book sample makes the mark fresh",
    effect="a venue keeps a market alive whose feed is dead",
    importance=CRITICAL,
    start=SMOOTHED,
)
def a_book_does_not_freshen_the_mark(box: Recorder) -> None:
    box.price(10_000)
    book(box, 10_012, 10_012, 590)
    box.hand("receipt.amounts.mark", 10_002, "12 / 6")
    book(box, 10_012, 10_012, 600)
    book(box, 10_012, 10_012, 601, Reason.STALE_PRICE)
    box.hand("observable.markets.BTC-PERP.mark", 10_003, "12 - 2 + 12 = 22 over 6: the sample of 600 was the last")


@case(
    "oracle-book-006",
    "ORCL-6",
    "EVENT-4",
    "EVENT-6",
    bug="anybody posts a book, or the checks come in another order",
    effect="whoever wants moves the mark, or two engines give different reasons for one event",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(LISTING, FUTURE), feeds=(FEED,)),
)
def the_order_of_the_checks_of_a_book(box: Recorder) -> None:
    box.price(100)
    box.price(100, time=2400)
    book(box, 100, 100, 2995)
    box.time = 3001
    box.do("anyone", ev.FixSettlement("BTC-FUT"))  # nobody holds a position: closed
    box.do("eve", ev.PostBook("DOGE", 2, 1), Reason.UNKNOWN_MARKET)
    box.do("s1", ev.PostBook("BTC-FUT", 2, 1), Reason.UNAUTHORISED)
    box.do("admin", ev.PostBook(PERP, 1, 2), Reason.UNAUTHORISED)
    box.do("venue", ev.PostBook("BTC-FUT", 2, 1), Reason.CROSSED_BOOK)
    box.do("venue", ev.PostBook("BTC-FUT", 1, 2), Reason.MARKET_NOT_TRADING)
    box.do("venue", ev.PostBook(PERP, 2, 1), Reason.CROSSED_BOOK)
    box.do("venue", ev.PostBook(PERP, 1, 2), Reason.STALE_PRICE)
    box.price(100)
    box.do("venue", ev.PostBook(PERP, 1, 2), Reason.SAMPLE_TOO_SOON)
    book(box, 102, 103, 3005)
    box.hand("receipt.amounts.premium", 20_000_000, "(102 - 100) / 100")


@case(
    "oracle-book-009",
    "ORCL-6",
    "SETTLE-3",
    bug="a market in final settlement takes book samples",
    effect="a venue moves a mark that is fixed",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(FUTURE,), feeds=(FEED,)),
)
def a_settling_market_takes_no_book(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 1, 100, "BTC-FUT")
    box.time = 3000
    box.do("anyone", ev.FixSettlement("BTC-FUT"))
    box.do("venue", ev.PostBook("BTC-FUT", 100, 100), Reason.MARKET_NOT_TRADING)
    box.hand("observable.markets.BTC-FUT.mark", 100, "the settlement price")


@case(
    "oracle-book-007",
    "ORCL-6",
    "PARM-13",
    bug="the numerator of the basis survives a change of its window, or is rounded up when it changes",
    effect="from a window of 60 to one of 1 a basis of 10 is read as 600, and the mark jumps to its band",
    importance=CRITICAL,
    start=SMOOTHED,
)
def a_change_of_window_keeps_the_basis(box: Recorder) -> None:
    box.price(10_000)
    book(box, 10_012, 10_012, 10)
    book(box, 10_012, 10_012, 20)  # 12 - 2 + 12 = 22
    parameters = SMOOTHED.markets[0].parameters
    box.do("admin", ev.SetParameters(PERP, replace(parameters, mark=replace(parameters.mark, window=4))))
    box.price(10_000, time=21)
    box.hand("observable.markets.BTC-PERP.mark", 10_003, "22 x 4 / 6 = 14.67, rounded down; 14 / 4 = 3.5, rounded down")
    book(box, 10_012, 10_012, 30)
    box.hand("receipt.amounts.mark", 10_005, "14 - 3 + 12 = 23 over 4 = 5.75; from 15 it would be 24 over 4 = 6")


@case(
    "oracle-book-008",
    "ORCL-6",
    "ORCL-5",
    bug="the basis of the book is measured from the mark and not from the index, or each follows the other",
    effect="every sample carries the basis of the last: the mark runs away from the index",
    importance=CRITICAL,
    start=with_mark(window=1, band=3_000_000),
)
def the_basis_is_measured_from_the_index(box: Recorder) -> None:
    box.price(10_000)
    book(box, 10_030, 10_030, 10)
    box.hand("receipt.amounts.mark", 10_030, "10000 + 30")
    book(box, 10_030, 10_030, 20)
    box.hand("receipt.amounts.mark", 10_030, "30 over the index, and nothing of the last sample is left")
    box.price(10_050, time=21)
    box.hand("observable.markets.BTC-PERP.mark", 10_080, "10050 + 30 until the next sample")
    book(box, 10_060, 10_060, 30)
    box.hand("receipt.amounts.mark", 10_060, "10 over the index of 10050; its anchor is still 10000")
    box.hand("receipt.amounts.premium", 995_024, "10 / 10050 = 0.000995024.., toward zero")


SAMPLED = replace(
    LISTING,
    parameters=replace(
        MARKET, funding=replace(FUNDING, interval=512, max_gap=600, sample_interval=1, cap=PERCENT // 2)
    ),
)


@case(
    "oracle-samples-001",
    "ORCL-7",
    "NUM-9",
    "FUND-2",
    bug="the list of premium samples grows without bound, or drops the newest",
    effect="a market that is not accrued makes every event dearer, or its last hours count for nothing",
    start=genesis(pool=BARE_POOL, markets=(SAMPLED,), feeds=(FEED,)),
)
def the_last_512_samples_count(box: Recorder) -> None:
    box.price(100)
    book(box, 200, 200, 1)
    book(box, 200, 200, 2)
    for time in range(3, 514):
        book(box, 100, 100, time)
    box.do("anyone", ev.AccrueFunding(PERP))
    box.hand("receipt.amounts.rate", 1_953_125, "513 samples, of which the last 512 count: 10^9 / 512")


@case(
    "oracle-mark-001",
    "ORCL-2",
    "ORCL-5",
    bug="a price of one feed moves the markets of another, or only the first market of its own",
    effect="a market is valued at a price that is not its own",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(LISTING, X_LISTING, replace(LISTING, market="BTC-2")), feeds=(FEED, X_FEED)),
)
def a_price_moves_all_markets_of_its_feed(box: Recorder) -> None:
    box.price(100)
    box.price(7000, "X")
    box.price(101, time=1)
    box.hand("observable.markets.BTC-PERP.mark", 101, "the index of its feed")
    box.hand("observable.markets.BTC-2.mark", 101, "the index of its feed")
    box.hand("observable.markets.X-PERP.mark", 7000, "the index of the other feed")


@case(
    "oracle-mark-002",
    "ORCL-5",
    "SETTLE-3",
    "ORCL-8",
    bug="the mark of a market whose settlement price is fixed follows its feed",
    effect="claims and losses of one settlement are worth different prices",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(FUTURE,), feeds=(FEED,)),
)
def a_settlement_price_is_the_mark_for_good(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 1, 100, "BTC-FUT")
    box.time = 3000
    box.do("anyone", ev.FixSettlement("BTC-FUT"))
    box.price(101, time=3001)
    box.hand("observable.feeds.BTC", 101, "100 + 1 %")
    box.hand("observable.markets.BTC-FUT.mark", 100, "the settlement price: 600 s of the window at 100")
    box.time = 10_000
    box.do("alice", ev.Withdraw("alice", "USD", 991), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 990))
    box.hand("observable.accounts.alice.balances.USD", 10, "10 % of 100 must stay; the mark is fresh for ever")


# ---------------------------------------------------------------------------------------------------------------
# Fresh and stale prices


@case(
    "oracle-fresh-001",
    "ORCL-8",
    "PARM-2",
    bug="a price of just the greatest age is stale, or an older one is not",
    effect="fills are executed against a price that nobody stands behind",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def a_mark_is_fresh_for_its_greatest_age(box: Recorder) -> None:
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 1, 100, expect=Reason.STALE_PRICE)  # no price yet
    box.price(100)
    box.time = 600
    box.trade("alice", "bob", 1, 100)
    box.time = 601
    box.trade("alice", "bob", 1, 100, expect=Reason.STALE_PRICE)
    box.price(100)
    box.time = 1201
    box.trade("alice", "bob", 2, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 3, "1 + 2: fresh until 0 + 600, then until 601 + 600")


@case(
    "oracle-fresh-002",
    "ORCL-8",
    "ORCL-2",
    "ORCL-4",
    bug="a post without a quorum makes the index fresh",
    effect="one source that is left keeps a market alive",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, feeds=(replace(FEED, sources=("a", "b"), quorum=2),)),
)
def a_post_without_a_quorum_does_not_freshen(box: Recorder) -> None:
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.price(100)
    box.time = 601
    box.do("a", ev.PostPrice("BTC", 100, 0))
    box.hand("receipt.amounts.index", 100, "the index stays")
    box.trade("alice", "bob", 1, 100, expect=Reason.STALE_PRICE)
    box.do("b", ev.PostPrice("BTC", 100, 0))
    box.trade("alice", "bob", 1, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 1, "0 + 1")


@case(
    "oracle-fresh-004",
    "ORCL-8",
    "ORCL-5",
    "ORCL-4",
    bug="the age of an index counts from its anchor",
    effect="a market whose feed is alive goes stale",
    start=genesis(pool=BARE_POOL, feeds=(replace(FEED, step_interval=10),)),
)
def freshness_counts_from_the_last_quorum_price(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.price(100, time=9)
    box.time = 609
    box.trade("alice", "bob", 1, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 1, "fresh until 9 + 600; the anchor is of 0")
    box.time = 610
    box.trade("alice", "bob", 1, 100, expect=Reason.STALE_PRICE)


@case(
    "oracle-fresh-005",
    "ORCL-8",
    bug="a mark of 1 is taken for none",
    effect="nobody can close a position in a market that has fallen to the ground",
    start=ONE_MARKET,
)
def one_is_a_price(box: Recorder) -> None:
    box.price(1)
    box.open("alice", 1)
    box.open("bob", 1)
    box.trade("alice", "bob", 10, 1)
    box.hand("observable.accounts.alice.positions.BTC-PERP.cost", 10, "10 x 1, for which 10 % is 1")


@case(
    "oracle-fresh-003",
    "ORCL-8",
    "PARM-9",
    bug="a new market takes its feed's last index for its mark at once, or never gets one",
    effect="fills are executed at a price that was not checked for this market",
    start=ONE_MARKET,
)
def a_new_market_waits_for_the_next_price(box: Recorder) -> None:
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.price(100)
    box.time = 1
    box.do("admin", ev.ListMarket(replace(LISTING, market="BTC-2")))
    box.hand("observable.markets.BTC-2.mark", 0, "no quorum price since it was listed")
    box.trade("alice", "bob", 1, 100, "BTC-2", Reason.STALE_PRICE)
    box.price(100)
    box.trade("alice", "bob", 1, 100, "BTC-2")
    box.hand("observable.markets.BTC-2.mark", 100, "the index")


def worst(price: int, overdue: int, rate: int, cap: int, size: int) -> dict[str, int]:
    """Arguments of a worst price."""
    return {"price": price, "overdue": overdue, "rate": rate, "cap": cap, "size": size}


kernel_case(
    "oracle-worst-price-001",
    "ORCL-9",
    kernel="worst_price",
    bug="a stale price moves in favour of one side, is rounded in its favour, or moves without a cap",
    effect="a loss is hidden behind a feed that stopped",
    importance=CRITICAL,
    calls=[
        (worst(999, 250, 100_000, 500_000_000, 3), {"price": 974}),  # 2.5 % = 24.975, 25
        (worst(999, 250, 100_000, 500_000_000, -3), {"price": 1_024}),
        (worst(1_000, 250, 100_000, 500_000_000, 1), {"price": 975}),  # 25 exactly
        (worst(1_000, 250, 100_000, 500_000_000, -1), {"price": 1_025}),
        (worst(1_001, 250, 100_000, 500_000_000, 1), {"price": 975}),  # 25.025, 26
        (worst(1_001, 250, 100_000, 500_000_000, -1), {"price": 1_027}),
        (worst(1_000, 4_999, 100_000, 500_000_000, 1), {"price": 500}),  # 499.9, 500
        (worst(1_000, 4_990, 100_000, 500_000_000, 1), {"price": 501}),  # 499
        (worst(1_000, 5_000, 100_000, 500_000_000, 1), {"price": 500}),
        (worst(1_000, 5_010, 100_000, 500_000_000, 1), {"price": 500}),  # 501 of at most 500
        (worst(1_000, 5_010, 100_000, 500_000_000, -1), {"price": 1_500}),
        (worst(999, 10_000, 100_000, 10**9, 3), {"price": 0}),
        (worst(999, 2**32, 10**9, 10**9, -3), {"price": 1_998}),
        (worst(1_000, 1, 0, 500_000_000, 1), {"price": 1_000}),
        (worst(1_000, 1, 1, 500_000_000, 1), {"price": 999}),  # 0.000001, 1
    ],
)


def rest(box: Recorder, cash: int) -> None:
    """Let ann be long 10 lots from 1000 and bob short; the mark is fresh until 600."""
    box.price(1_000)
    box.open("ann", cash)
    box.open("bob", 50_000)
    box.trade("ann", "bob", 10, 1_000)


@case(
    "oracle-stale-001",
    "ORCL-9",
    "ORCL-10",
    "PARM-5",
    bug="a position in a stale market counts at its last price, or only longs are valued worse",
    effect="money is withdrawn against a price that is no longer true",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def a_stale_position_counts_at_its_worst_price(box: Recorder) -> None:
    rest(box, 5_000)
    box.time = 700
    box.do("ann", ev.Withdraw("ann", "USD", 3_901), Reason.BELOW_INITIAL_MARGIN)
    box.do("ann", ev.Withdraw("ann", "USD", 3_900))
    box.hand("observable.accounts.ann.balances.USD", 1_100, "100 s at 0.01 %: 10 x 10, and 10 % of 10000 must stay")
    box.do("bob", ev.Withdraw("bob", "USD", 48_901), Reason.BELOW_INITIAL_MARGIN)
    box.do("bob", ev.Withdraw("bob", "USD", 48_900))
    box.hand("observable.accounts.bob.balances.USD", 1_100, "at 1010: 10 x 10, and 10 % of 10000 must stay")


@case(
    "oracle-stale-002",
    "ORCL-9",
    "ORCL-8",
    "PARM-5",
    bug="the penalty of a stale position starts before its price is stale, or has no cap",
    effect="a fresh account is judged at a guess, or a stale one at less than nothing",
    start=ONE_MARKET,
)
def a_stale_position_loses_at_most_the_cap(box: Recorder) -> None:
    rest(box, 20_000)
    box.time = 600
    box.do("ann", ev.Withdraw("ann", "USD", 10_000))
    box.time = 601
    box.do("bob", ev.Withdraw("bob", "USD", 48_991), Reason.BELOW_INITIAL_MARGIN)
    box.do("bob", ev.Withdraw("bob", "USD", 48_990))
    box.hand("observable.accounts.bob.balances.USD", 1_010, "1 s: 0.1, up 1, for 10 lots; 1000 must stay")
    box.time = 6_600
    box.do("ann", ev.Withdraw("ann", "USD", 4_001), Reason.BELOW_INITIAL_MARGIN)
    box.do("ann", ev.Withdraw("ann", "USD", 4_000))
    box.hand("observable.accounts.ann.balances.USD", 6_000, "6000 s: 60 %, capped at 50 %: 10 x 500; 1000 must stay")


@case(
    "oracle-stale-003",
    "ORCL-9",
    "MARG-7",
    "PARM-2",
    bug="collateral with a stale index counts whole, or the age counts from the post and not from the greatest age",
    effect="money is lent against a price that is no longer true",
    importance=CRITICAL,
    start=genesis(pool=replace(POOL, negative_balance_limit=2_000), markets=(), feeds=(ETH_FEED,)),
)
def stale_collateral_counts_less(box: Recorder) -> None:
    box.price(2_000, "ETH")
    box.open("lender", 10_000)
    for account in ("ann", "bob", "carl"):
        box.open(account)
        box.do(account, ev.Deposit(account, "ETH", 1))
    box.time = 600
    box.do("ann", ev.Withdraw("ann", "USD", 1_600))
    box.hand("observable.accounts.ann.balances.USD", -1_600, "80 % of 2000: fresh")
    box.time = 601
    box.do("bob", ev.Withdraw("bob", "USD", 1_600), Reason.BELOW_INITIAL_MARGIN)
    box.do("bob", ev.Withdraw("bob", "USD", 1_599))
    box.hand("observable.accounts.bob.balances.USD", -1_599, "1 s: 0.2, up 1: 80 % of 1999 = 1599.2")
    box.time = 1_600
    box.do("carl", ev.Withdraw("carl", "USD", 1_441), Reason.BELOW_INITIAL_MARGIN)
    box.do("carl", ev.Withdraw("carl", "USD", 1_440))
    box.hand("observable.accounts.carl.balances.USD", -1_440, "1000 s: 10 %: 80 % of 1800")


@case(
    "oracle-stale-004",
    "ORCL-10",
    "FALL-1",
    "MARG-9",
    bug="an account is put into default at the worst price of a stale market",
    effect="others bear a loss on a guess",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def a_stale_price_puts_nobody_into_default(box: Recorder) -> None:
    rest(box, 1_000)
    box.time = 6_600
    box.do("anyone", ev.ResolveDefault("ann"), Reason.NOT_IN_DEFAULT)  # 1000 - 5000 at the worst price, 1000 at mark
    box.do("bob", ev.Liquidate("ann", "bob", PERP, 1), Reason.STALE_PRICE)
    box.do("anyone", ev.AccrueFunding(PERP), Reason.STALE_PRICE)
    box.hand("observable.accounts.ann.positions.BTC-PERP.size", 10, "not touched")


@case(
    "oracle-stale-005",
    "ORCL-10",
    "ORCL-9",
    "LIQ-1",
    bug="an account with a lot in a stale market cannot be liquidated anywhere",
    effect="a dead market takes every account hostage that holds a lot of it",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(LISTING, X_LISTING), feeds=(FEED, X_FEED)),
)
def a_stale_market_takes_no_hostages(box: Recorder) -> None:
    box.price(100)
    box.price(100, "X")
    box.open("ann", 150)
    box.open("bob", 1_000)
    box.trade("ann", "bob", 5, 100)
    box.trade("ann", "bob", 5, 100, "X-PERP")
    box.price(100, time=2_600)
    box.do("bob", ev.Liquidate("ann", "bob", PERP, 5), Reason.NOT_LIQUIDATABLE)  # 20 % of 500: 50 of 25 + 25
    box.price(100, time=2_700)
    box.do("bob", ev.Liquidate("ann", "bob", "X-PERP", 5), Reason.STALE_PRICE)
    box.do("bob", ev.Liquidate("ann", "bob", PERP, 5))
    box.hand("receipt.amounts.closed", 2, "equity 150 - 21 % of 500 = 45 of 50: (5 + 2) / (5 % - 1 %) = 175, 1.75 lots")
    box.hand("receipt.amounts.price", 100, "the mark, which is fresh")


# ---------------------------------------------------------------------------------------------------------------
# The settlement window

SOON = replace(
    FUTURE, expiry=100, parameters=replace(MARKET, settlement_window=10, mark=replace(MARK, window=1, band=2_000_000))
)
CLOSING = genesis(pool=BARE_POOL, markets=(SOON,), feeds=(FEED,))
"""A future that expires at 100; its window opens at 90."""


def close_in(box: Recorder, sample: int) -> None:
    """Let the index be 10000, and from 90 on 10100; a book sample at 50 leaves a basis."""
    box.price(10_000)
    box.time = 50
    box.do("venue", ev.PostBook("BTC-FUT", 10_000 + sample, 10_000 + sample))
    box.price(10_100, time=90)
    box.hand("observable.markets.BTC-FUT.mark", 10_100 + sample, "the window opens: all of it is to come")


@case(
    "oracle-window-001",
    "SETTLE-2",
    "ORCL-5",
    bug="inside the window the mark stays the index, or the average counts a price for time in which it did not stand",
    effect="the mark jumps to the settlement price at expiry, and whoever knows the average before is paid for it",
    importance=CRITICAL,
    start=CLOSING,
)
def the_mark_blends_into_the_average(box: Recorder) -> None:
    close_in(box, 0)
    box.price(10_201, time=94)
    box.hand("observable.markets.BTC-FUT.mark", 10_160, "(4 x 10100 + 6 x 10201) / 10 = 10160.6")
    box.price(10_100, time=97)
    box.hand("observable.markets.BTC-FUT.mark", 10_130, "(4 x 10100 + 3 x 10201 + 3 x 10100) / 10 = 10130.3")
    box.price(10_201, time=103)
    box.hand("observable.markets.BTC-FUT.mark", 10_130, "the last 3 s at 10100: what comes after expiry does not count")
    box.do("anyone", ev.FixSettlement("BTC-FUT"))
    box.hand("receipt.amounts.settlement_price", 10_130, "10130.3, rounded down")


@case(
    "oracle-window-002",
    "SETTLE-2",
    "NUM-2",
    bug="the basis stays whole inside the window, goes on shrinking below nothing after it, or is rounded up",
    effect="the mark at expiry is not the settlement price",
    importance=CRITICAL,
    start=CLOSING,
)
def the_basis_fades_with_the_window(box: Recorder) -> None:
    close_in(box, 19)
    box.price(10_201, time=94)
    box.hand("observable.markets.BTC-FUT.mark", 10_171, "10160 and 19 x 6 / 10 = 11.4")
    box.price(10_201, time=103)
    box.hand("observable.markets.BTC-FUT.mark", 10_160, "(4 x 10100 + 6 x 10201) / 10, and nothing of the basis")


@case(
    "oracle-window-003",
    "SETTLE-2",
    "NUM-2",
    bug="a fading basis is rounded down and not toward zero",
    effect="shorts are favoured by an atom a lot",
    start=CLOSING,
)
def a_fading_basis_is_rounded_toward_zero(box: Recorder) -> None:
    close_in(box, -7)
    box.price(10_201, time=94)
    box.hand("observable.markets.BTC-FUT.mark", 10_156, "10160 and -7 x 6 / 10 = -4.2, toward zero")


@case(
    "oracle-window-004",
    "SETTLE-2",
    bug="time of the window before the first index counts as a price of nothing",
    effect="the settlement price of a market whose feed starts late is far too low",
    importance=CRITICAL,
    start=CLOSING,
)
def time_before_the_first_index_counts_at_the_first_index(box: Recorder) -> None:
    box.price(10_000, time=94)
    box.hand("observable.markets.BTC-FUT.mark", 10_000, "(4 x 10000 + 6 x 10000) / 10")
    box.price(10_100, time=97)
    box.hand("observable.markets.BTC-FUT.mark", 10_030, "(7 x 10000 + 3 x 10100) / 10")


@case(
    "oracle-window-005",
    "SETTLE-2",
    bug="an index of 1 is taken for none",
    effect="time at the lowest price counts at the next one",
    start=CLOSING,
)
def an_index_of_one_counts(box: Recorder) -> None:
    box.price(1)
    box.price(2, time=94)
    box.hand("observable.markets.BTC-FUT.mark", 1, "(4 x 1 + 6 x 2) / 10 = 1.6, rounded down")


# ---------------------------------------------------------------------------------------------------------------
# The variation-margin mark

BRISK = replace(
    LISTING,
    parameters=replace(
        MARKET,
        margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 17 * PERCENT, 12 * PERCENT),)),
        mark=replace(MARK, variation_interval=2),
    ),
)


@case(
    "oracle-variation-001",
    "FALL-9",
    "ORCL-5",
    bug="the variation-margin mark never rolls, rolls with every price, or takes the new mark and not the one before",
    effect="a haircut takes gains of years ago, or finds none",
    importance=CRITICAL,
    start=genesis(
        pool=replace(BARE_POOL, layers=(Layer.GAINS_HAIRCUT,)),
        markets=(BRISK,),
        feeds=(replace(FEED, band=3 * PERCENT),),
    ),
)
def the_variation_mark_rolls_once_an_interval(box: Recorder) -> None:
    # Marks of the seconds 1 to 9: 1000, 970, 941, 913, 886, 860, 835, 810, 786. The variation mark is set at 1, and
    # rolls at 3, 5, 7 and 9 to the mark before: 970, 913, 860, 810.
    box.price(1_000, time=1)
    for account, cash in (("alice", 680), ("dave", 170), ("carol", 1_000), ("bob", 10_000)):
        box.open(account, cash)
    for account, size in (("alice", 4), ("dave", 1), ("carol", 1)):
        box.trade(account, "bob", size, 1_000)
    for time in range(2, 9):
        box.price(700, time=time)
    box.do("anyone", ev.ResolveDefault("alice"))
    box.hand("receipt.amounts.deficit", 80, "4 x 190 - 680")
    box.hand("receipt.amounts.gains_haircut", 80, "2 lots are left: 40 a lot, less than 860 - 810 = 50")
    box.price(700, time=9)
    box.do("anyone", ev.ResolveDefault("dave"))
    box.hand("receipt.amounts.deficit", 44, "214 - 170")
    box.hand(
        "receipt.amounts.gains_haircut", 24, "1 lot is left; 44, of which 810 - 786 = 24; nothing of it is taken yet"
    )
    box.hand("observable.markets.BTC-PERP.haircut_short", 64, "40 + 24")
    box.hand("observable.pools.main.uncovered_loss", 20, "80 - 80 + 44 - 24")
