"""Vectors of funding: from samples to a rate, from a rate to the index, and what positions owe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import NOTIONAL_MAX, PRICE_MAX, RATIO_MAX, SCALE
from clearspec.parameters import Aggregation, InterestForm, MarketKind, Tier
from clearspec.sandbox import FEED, FUNDING, LISTING, MARGIN, MARKET, PERCENT, POOL, genesis
from clearspec.state import MarketStatus
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
PERP = "BTC-PERP"
BARE = replace(POOL, collateral=())
ADDED = replace(FUNDING, interest_form=InterestForm.ADDED)
HOURLY = replace(ADDED, interest=1_000_000, cap=1_000_000)
"""0.1 % of the index every hour, paid by the longs."""
ROOM = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * PERCENT, 20 * PERCENT),))
"""Maintenance that leaves room in the price gap for large funding."""
DYDX_2023 = "dYdX, September 2023: funding rounded down for each position, not once"


def market(funding: Any, margin: Any = MARGIN, **changes: Any) -> ev.Genesis:
    """One market with these funding parameters."""
    listing = replace(LISTING, parameters=replace(MARKET, funding=funding, margin=margin), **changes)
    return genesis(pool=BARE, feeds=(FEED,), markets=(listing,))


def accrue(box: Recorder, time: int, price: int, rate: int, step: int, derivation: str) -> None:
    """Accrue with a fresh price: the rate and the step of the index."""
    box.price(price, time=time)
    box.do("z", ev.AccrueFunding(PERP))
    box.hand("receipt.amounts.rate", rate, derivation)
    box.hand("receipt.amounts.index_step", step, derivation)


def refuse(box: Recorder, name: str, reason: Reason) -> None:
    """An accrual that must be refused about its market."""
    receipt = box.do("z", ev.AccrueFunding(name), reason)
    if receipt.subject != name:
        raise AssertionError(f"expected {name}, got {receipt.subject}")


# ---------------------------------------------------------------------------------------------------------------
# Kernels

MEAN = {"aggregation": Aggregation.MEAN}
MEDIAN = {"aggregation": Aggregation.MEDIAN}
kernel_case(
    "funding-aggregated-001",
    "FUND-2",
    kernel="aggregated",
    bug="a mean is rounded down, not padded, or padded beyond the least number of samples",
    effect="one sample in a quiet interval sets the rate of the hour",
    importance=CRITICAL,
    calls=[
        ({"samples": (), "min_samples": 1, **MEAN}, {"premium": 0}),
        ({"samples": (), "min_samples": 512, **MEAN}, {"premium": 0}),
        ({"samples": (60_000_000,), "min_samples": 60, **MEAN}, {"premium": 1_000_000}),
        ({"samples": (7,), "min_samples": 1, **MEAN}, {"premium": 7}),
        ({"samples": (10, 20, -9), "min_samples": 5, **MEAN}, {"premium": 4}),  # 21 / 5
        ({"samples": (10, 20, -9), "min_samples": 3, **MEAN}, {"premium": 7}),  # 21 / 3
        ({"samples": (10, 20, -9), "min_samples": 2, **MEAN}, {"premium": 7}),
        ({"samples": (10, 20, -9), "min_samples": 4, **MEAN}, {"premium": 5}),  # 21 / 4 = 5.25
        ({"samples": (-1, -2), "min_samples": 1, **MEAN}, {"premium": -1}),  # -1.5
        ({"samples": (1, 1), "min_samples": 3, **MEAN}, {"premium": 0}),  # 2 / 3
        ({"samples": (1, 2), "min_samples": 3, **MEAN}, {"premium": 1}),  # 3 / 3
        ({"samples": (2, 2), "min_samples": 3, **MEAN}, {"premium": 1}),  # 4 / 3
        ({"samples": (-1, -1), "min_samples": 3, **MEAN}, {"premium": 0}),  # -2 / 3
        ({"samples": (-1, -2), "min_samples": 3, **MEAN}, {"premium": -1}),  # -3 / 3
        ({"samples": (-2, -2), "min_samples": 3, **MEAN}, {"premium": -1}),  # -4 / 3
        ({"samples": (RATIO_MAX,) * 512, "min_samples": 512, **MEAN}, {"premium": RATIO_MAX}),
        ({"samples": (-RATIO_MAX,) * 512, "min_samples": 1, **MEAN}, {"premium": -RATIO_MAX}),
    ],
)
kernel_case(
    "funding-aggregated-002",
    "FUND-2",
    "NUM-7",
    kernel="aggregated",
    bug="a median is taken without the padding, rounded toward zero, or of unsorted samples",
    effect="one extreme sample moves the rate",
    importance=CRITICAL,
    calls=[
        ({"samples": (), "min_samples": 2, **MEDIAN}, {"premium": 0}),
        ({"samples": (10, 20, -9), "min_samples": 5, **MEDIAN}, {"premium": 0}),  # -9, 0, 0, 10, 20
        ({"samples": (10, 20, -9), "min_samples": 3, **MEDIAN}, {"premium": 10}),
        ({"samples": (10, 20, -9), "min_samples": 1, **MEDIAN}, {"premium": 10}),
        ({"samples": (10, 20, 30), "min_samples": 4, **MEDIAN}, {"premium": 15}),  # 0, 10, 20, 30
        ({"samples": (-1, -2), "min_samples": 1, **MEDIAN}, {"premium": -2}),  # -1.5, down
        ({"samples": (1, 2), "min_samples": 1, **MEDIAN}, {"premium": 1}),  # 1.5, down
        ({"samples": (1, 3), "min_samples": 1, **MEDIAN}, {"premium": 2}),
        ({"samples": (-5, -4, -3), "min_samples": 6, **MEDIAN}, {"premium": -2}),  # -5, -4, -3, 0, 0, 0: -1.5, down
    ],
)
RATES = {"interest": 100, "damper": 500, "cap": 7_500}
CLAMPED_FORM = {"interest_form": InterestForm.CLAMPED, **RATES}
ADDED_FORM = {"interest_form": InterestForm.ADDED, **RATES}
kernel_case(
    "funding-rate-001",
    "FUND-3",
    kernel="funding_rate",
    bug="the damper or the cap binds one side only, or the two forms are mixed up",
    effect="one side pays a rate that no parameter allows",
    importance=CRITICAL,
    calls=[
        ({"premium": 300, **CLAMPED_FORM}, {"rate": 100}),  # 300 - 200
        ({"premium": 2_000, **CLAMPED_FORM}, {"rate": 1_500}),  # 2,000 - 500
        ({"premium": -2_000, **CLAMPED_FORM}, {"rate": -1_500}),  # -2,000 + 500
        ({"premium": 9_000, **CLAMPED_FORM}, {"rate": 7_500}),  # 8,500, capped
        ({"premium": -9_000, **CLAMPED_FORM}, {"rate": -7_500}),
        ({"premium": 599, **CLAMPED_FORM}, {"rate": 100}),  # 599 - 499
        ({"premium": 600, **CLAMPED_FORM}, {"rate": 100}),  # 600 - 500
        ({"premium": 601, **CLAMPED_FORM}, {"rate": 101}),  # 601 - 500
        ({"premium": -399, **CLAMPED_FORM}, {"rate": 100}),
        ({"premium": -400, **CLAMPED_FORM}, {"rate": 100}),  # -400 + 500
        ({"premium": -401, **CLAMPED_FORM}, {"rate": 99}),
        ({"premium": 7_999, **CLAMPED_FORM}, {"rate": 7_499}),
        ({"premium": 8_000, **CLAMPED_FORM}, {"rate": 7_500}),
        ({"premium": 8_001, **CLAMPED_FORM}, {"rate": 7_500}),
        ({"premium": -8_001, **CLAMPED_FORM}, {"rate": -7_500}),
        ({"premium": 0, **CLAMPED_FORM}, {"rate": 100}),
        ({"premium": 0, **CLAMPED_FORM, "damper": 0}, {"rate": 0}),
        ({"premium": 0, **CLAMPED_FORM, "cap": 99}, {"rate": 99}),
        ({"premium": 300, **ADDED_FORM}, {"rate": 400}),
        ({"premium": -300, **ADDED_FORM}, {"rate": -200}),
        ({"premium": 2_000, **ADDED_FORM}, {"rate": 2_100}),  # no damper
        ({"premium": 7_399, **ADDED_FORM}, {"rate": 7_499}),
        ({"premium": 7_400, **ADDED_FORM}, {"rate": 7_500}),
        ({"premium": 7_401, **ADDED_FORM}, {"rate": 7_500}),
        ({"premium": -7_599, **ADDED_FORM}, {"rate": -7_499}),
        ({"premium": -7_600, **ADDED_FORM}, {"rate": -7_500}),
        ({"premium": -7_601, **ADDED_FORM}, {"rate": -7_500}),
        ({"premium": 300, **ADDED_FORM, "interest": -100}, {"rate": 200}),
        ({"premium": 300, **ADDED_FORM, "cap": 0}, {"rate": 0}),
        ({"premium": RATIO_MAX, **ADDED_FORM, "interest": SCALE, "cap": SCALE}, {"rate": SCALE}),
        ({"premium": -RATIO_MAX, **ADDED_FORM, "interest": -SCALE, "cap": SCALE}, {"rate": -SCALE}),
    ],
)
HOUR = {"elapsed": 3_600, "period": 3_600}
SECOND = {"elapsed": 1, "period": 1}
kernel_case(
    "funding-accrued-001",
    "FUND-4",
    "NUM-4",
    kernel="accrued",
    bug="the step is rounded toward zero, the remainder is dropped, or time and period are mixed up",
    effect="a receiver of 0.9 atom an interval gets nothing for ever",
    importance=CRITICAL,
    calls=[
        # 0.1 % of 900 is 0.9 atom; 0.9 x 3,600 x 10^9 = 3,240 x 10^9 is carried
        ({"index": 0, "carry": 0, "rate": 1_000_000, "index_price": 900, **HOUR}, {"index": 0, "carry": 3_240 * 10**9}),
        (
            {"index": 0, "carry": 3_240 * 10**9, "rate": 1_000_000, "index_price": 900, **HOUR},
            {"index": 1, "carry": 2_880 * 10**9},  # 1.8
        ),
        ({"index": 5, "carry": 0, "rate": 1_000_000, "index_price": 5_000, **HOUR}, {"index": 10, "carry": 0}),
        # -0.9: down to -1, and 0.1 is carried
        ({"index": 0, "carry": 0, "rate": -1_000_000, "index_price": 900, **HOUR}, {"index": -1, "carry": 360 * 10**9}),
        ({"index": 0, "carry": 0, "rate": -1_000_000, "index_price": 5_000, **HOUR}, {"index": -5, "carry": 0}),
        # 999,999,999 = 1,001,001 x 999, and one more or less in the carry
        ({"index": 7, "carry": 0, "rate": 1_001_001, "index_price": 999, **SECOND}, {"index": 7, "carry": 999_999_999}),
        ({"index": 7, "carry": 1, "rate": 1_001_001, "index_price": 999, **SECOND}, {"index": 8, "carry": 0}),
        ({"index": 7, "carry": 2, "rate": 1_001_001, "index_price": 999, **SECOND}, {"index": 8, "carry": 1}),
        ({"index": 7, "carry": 0, "rate": -1_001_001, "index_price": 999, **SECOND}, {"index": 6, "carry": 1}),
        (
            {"index": 7, "carry": 999_999_999, "rate": -1_001_001, "index_price": 999, **SECOND},
            {"index": 7, "carry": 0},
        ),
        (
            {"index": 7, "carry": 999_999_998, "rate": -1_001_001, "index_price": 999, **SECOND},
            {"index": 6, "carry": 999_999_999},
        ),
        # 2 s of a period of 4 s at 100 % of 3: 1.5
        (
            {"index": 0, "carry": 0, "rate": SCALE, "index_price": 3, "elapsed": 2, "period": 4},
            {"index": 1, "carry": 2 * 10**9},
        ),
        ({"index": 3, "carry": 17, "rate": 0, "index_price": 900, **HOUR}, {"index": 3, "carry": 17}),
        # the greatest step, 2^36 x 2^32, is clamped to the bound of the index
        (
            {
                "index": 0, "carry": 0, "rate": SCALE, "index_price": PRICE_MAX, "elapsed": 2**32, "period": 1,
            },
            {"index": 2**60, "carry": 0},
        ),
        (
            {
                "index": 0, "carry": 0, "rate": -SCALE, "index_price": PRICE_MAX, "elapsed": 2**32, "period": 1,
            },
            {"index": -(2**60), "carry": 0},
        ),
        ({"index": 2**60 - 1, "carry": 0, "rate": SCALE, "index_price": 1, **SECOND}, {"index": 2**60, "carry": 0}),
        ({"index": 2**60, "carry": 0, "rate": SCALE, "index_price": 1, **SECOND}, {"index": 2**60, "carry": 0}),
        ({"index": -(2**60), "carry": 0, "rate": -SCALE, "index_price": 1, **SECOND}, {"index": -(2**60), "carry": 0}),
        ({"index": 2**60, "carry": 0, "rate": -SCALE, "index_price": 1, **SECOND}, {"index": 2**60 - 1, "carry": 0}),
    ],
)  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------
# Accrual: checks


@case(
    "funding-accrue-001",
    "FUND-1",
    "FUND-5",
    "EVENT-8",
    bug="a check of accrue_funding is missing or in another order",
    effect="funding is charged twice for one hour, or on a price that nobody knows",
    importance=CRITICAL,
    start=market(HOURLY),
)
def the_checks_of_an_accrual_in_their_order(box: Recorder) -> None:
    box.price(5_000)
    refuse(box, "DOGE-PERP", Reason.UNKNOWN_MARKET)
    box.time = 3_599  # the price of 0 is stale too
    refuse(box, PERP, Reason.FUNDING_NOT_DUE)
    box.time = 3_600
    refuse(box, PERP, Reason.STALE_PRICE)
    accrue(box, 3_600, 5_000, 1_000_000, 5, "0.1 % of 5,000 = 5 in 3,600 s of 3,600 s")
    refuse(box, PERP, Reason.FUNDING_NOT_DUE)


@case(
    "funding-accrue-002",
    "FUND-1",
    bug="a future takes funding, or an accrual that is not due hides that it takes none",
    effect="holders of a future pay for what it does not promise",
    start=market(FUNDING, kind=MarketKind.FUTURE, expiry=10_000),
)
def a_future_takes_no_funding(box: Recorder) -> None:
    refuse(box, PERP, Reason.NOT_PERPETUAL)  # not due and without a price too
    box.price(1_000, time=3_600)
    refuse(box, PERP, Reason.NOT_PERPETUAL)
    box.hand("observable.markets.BTC-PERP.funding_index", 0, "nothing accrues")


@case(
    "funding-accrue-003",
    "FUND-1",
    "TRADE-4",
    bug="a market that is halted, reduce-only or past its expiry takes no funding, or a settling one does",
    effect="a side escapes funding by a halt, or pays after its price is fixed",
    start=market(HOURLY),
)
def funding_goes_on_until_the_price_is_fixed(box: Recorder) -> None:
    box.price(5_000)
    box.open("a", 10_000)
    box.open("b", 10_000)
    box.trade("a", "b", 1, 5_000)
    for time, status in ((3_600, MarketStatus.HALTED), (7_200, MarketStatus.REDUCE_ONLY)):
        box.do("admin", ev.SetStatus(PERP, status))
        accrue(box, time, 5_000, 1_000_000, 5, "0.1 % of 5,000: the status does not matter")
    box.do("admin", ev.Delist(PERP, 1_000))
    box.hand("receipt.amounts.expiry", 8_800, "7,200 + 1,000 + 600")
    box.price(5_000, time=8_200)
    accrue(box, 10_800, 5_000, 1_000_000, 5, "past the expiry, before the price is fixed")
    box.do("z", ev.FixSettlement(PERP))
    box.time = 20_000
    refuse(box, PERP, Reason.NOT_PERPETUAL)  # settling; its price of 10,800 is old, and it would be due
    for name in ("a", "b"):
        box.do("z", ev.SettlePosition(name, PERP))
    box.hand("observable.accounts.a.balances.USD", 9_985, "10,000 - 3 x 5; long from 5,000, settled at 5,000")
    refuse(box, PERP, Reason.NOT_PERPETUAL)


@case(
    "funding-accrue-004",
    "FUND-1",
    "FUND-5",
    bug="only some may accrue",
    effect="funding stops when one operator does",
    start=market(HOURLY),
)
def anyone_may_accrue(box: Recorder) -> None:
    box.price(5_000)
    box.open("a", 1)
    for number, actor in enumerate(("stranger", "a", "admin", "s1"), start=1):
        box.price(5_000, time=3_600 * number)
        box.do(actor, ev.AccrueFunding(PERP))
        box.hand("receipt.amounts.index_step", 5, "0.1 % of 5,000")


# ---------------------------------------------------------------------------------------------------------------
# Interval, gap, carry


@case(
    "funding-interval-001",
    "FUND-5",
    "FUND-4",
    bug="a late accrual charges one interval, or the next is due at a multiple of the interval",
    effect="funding of a late hour is lost, or an hour is charged early",
    start=market(replace(ADDED, interest=9_000_000, cap=9_000_000, max_gap=7_200), ROOM),
)
def a_late_accrual_counts_the_time_since_the_last(box: Recorder) -> None:
    # 0.9 % of 100 is 0.9 an hour.
    accrue(box, 5_400, 100, 9_000_000, 1, "1.5 x 0.9 = 1.35; 0.35 is carried")
    box.price(100, time=8_999)
    refuse(box, PERP, Reason.FUNDING_NOT_DUE)
    accrue(box, 9_000, 100, 9_000_000, 1, "0.35 + 0.9 = 1.25")
    accrue(box, 12_600, 100, 9_000_000, 1, "0.25 + 0.9 = 1.15")
    box.hand("observable.markets.BTC-PERP.funding_index", 3, "1 + 1 + 1")


@case(
    "funding-gap-001",
    "FUND-5",
    bug="a pause is charged whole when the feed returns, or what was not charged is charged later",
    effect="ten hours of funding at the rate of one sample take more than a margin",
    importance=CRITICAL,
    start=market(replace(ADDED, interest=9_000_000, cap=9_000_000, max_gap=7_200), ROOM),
)
def a_pause_is_charged_up_to_the_gap(box: Recorder) -> None:
    accrue(box, 36_000, 100, 9_000_000, 1, "2 h of the 10: 1.8; 0.8 is carried")
    accrue(box, 39_600, 100, 9_000_000, 1, "0.8 + 0.9 = 1.7")
    accrue(box, 46_800, 100, 9_000_000, 2, "0.7 + 1.8 = 2.5: exactly the gap")
    accrue(box, 54_001, 100, 9_000_000, 2, "0.5 + 1.8 = 2.3: a second beyond it")


@case(
    "funding-carry-001",
    "FUND-4",
    bug="the first accrual starts with a remainder, or the remainder is dropped",
    effect="an atom a lot is charged that nobody owes",
    start=market(replace(ADDED, interval=1, period=1, max_gap=1, sample_interval=1, interest=1_001_001, cap=1_001_001)),
)
def the_remainder_is_carried(box: Recorder) -> None:
    # 1,001,001 x 999 = 999,999,999 of 10^9 a second: a missing atom of 10^-9 each second.
    accrue(box, 1, 999, 1_001_001, 0, "0.999999999, carry 999,999,999")
    accrue(box, 2, 999, 1_001_001, 1, "1.999999998, carry 999,999,998")
    accrue(box, 3, 999, 1_001_001, 1, "1.999999997")


@case(
    "funding-carry-002",
    "FUND-4",
    "FUND-6",
    "INV-7",
    bug="funding is rounded for each account",
    effect="a receiver whom a stranger touches in every interval gets nothing",
    incident=DYDX_2023,
    importance=CRITICAL,
    start=market(replace(ADDED, interest=9_000_000, cap=9_000_000), ROOM),
)
def it_does_not_matter_who_is_touched_when(box: Recorder) -> None:
    # 0.9 an interval: 0, 1, 1, 1 in four; ``b`` is touched each time, ``a`` never.
    box.price(100)
    for name in ("a", "b", "c"):
        box.open(name, 1_000)
    box.trade("a", "b", 1, 100)
    for number, step in enumerate((0, 1, 1, 1), start=1):
        accrue(box, 3_600 * number, 100, 9_000_000, step, f"{number} x 0.9, whole atoms")
        box.trade("c", "b", 1, 100)
        box.trade("b", "c", 1, 100)
    box.hand("observable.accounts.a.balances.USD", 997, "1,000 - 3, not settled yet")
    box.hand("observable.accounts.b.balances.USD", 1_003, "1,000 + 3 in four touches")
    box.hand("observable.accounts.c.balances.USD", 1_000, "flat at every accrual")


@case(
    "funding-negative-001",
    "FUND-4",
    "FUND-6",
    bug="a negative step is rounded toward zero, or shorts pay a positive rate",
    effect="the wrong side pays",
    importance=CRITICAL,
    start=market(replace(ADDED, interest=-9_000_000, cap=9_000_000), ROOM),
)
def shorts_pay_a_negative_rate(box: Recorder) -> None:
    box.price(100)
    box.open("a", 1_000)
    box.open("b", 1_000)
    box.trade("a", "b", 2, 100)
    accrue(box, 3_600, 100, -9_000_000, -1, "-0.9, down to -1; 0.1 is carried")
    box.hand("observable.accounts.a.balances.USD", 1_002, "1,000 + 2 x 1")
    box.hand("observable.accounts.b.balances.USD", 998, "1,000 - 2 x 1")
    accrue(box, 7_200, 100, -9_000_000, -1, "0.1 - 0.9 = -0.8, down to -1; 0.2 is carried")


@case(
    "funding-price-001",
    "FUND-4",
    bug="funding is charged on the mark",
    effect="whoever moves the book moves what is paid twice",
    start=genesis(
        pool=BARE,
        feeds=(FEED,),
        markets=(
            replace(
                LISTING,
                parameters=replace(MARKET, funding=HOURLY, margin=ROOM, mark=replace(MARKET.mark, band=PERCENT)),
            ),
        ),
    ),
)
def funding_is_charged_on_the_index(box: Recorder) -> None:
    box.price(100_000, time=3_600)
    box.do("venue", ev.PostBook(PERP, 101_000, 101_000))
    box.hand("receipt.amounts.mark", 101_000, "100,000 + 1,000, within 1 %")
    box.hand("receipt.amounts.premium", PERCENT, "1,000 / 100,000")
    accrue(box, 3_600, 100_000, 1_000_000, 100, "1 % + 0.1 %, capped 0.1 % of 100,000, not of 101,000")


# ---------------------------------------------------------------------------------------------------------------
# Samples

WIDE = replace(ADDED, cap=10 * PERCENT, min_samples=3)


@case(
    "funding-samples-001",
    "FUND-2",
    "FUND-4",
    "ORCL-7",
    bug="samples are not padded, or are kept after the accrual that used them",
    effect="one sample sets the rate of hours",
    importance=CRITICAL,
    start=market(WIDE, ROOM),
)
def samples_count_once(box: Recorder) -> None:
    # One premium of 3 % of three: 1 %. Two of 3 % and -1.5 %: 0.5 %. Then none.
    box.price(10_000, time=3_000)
    box.do("venue", ev.PostBook(PERP, 10_300, 10_300))
    box.hand("receipt.amounts.premium", 30_000_000, "300 / 10,000")
    accrue(box, 3_600, 10_000, 10_000_000, 100, "3 % / 3 = 1 % of 10,000")
    box.do("venue", ev.PostBook(PERP, 10_300, 10_300))
    box.time = 3_610
    box.do("venue", ev.PostBook(PERP, 9_700, 9_850))
    box.hand("receipt.amounts.premium", -15_000_000, "the ask is 150 below: -150 / 10,000")
    accrue(box, 7_200, 10_000, 5_000_000, 50, "(3 % - 1.5 % + 0) / 3 = 0.5 % of 10,000")
    accrue(box, 10_800, 10_000, 0, 0, "no sample: 0")


@case(
    "funding-samples-002",
    "FUND-2",
    bug="the mean is taken where the median is asked for",
    effect="one extreme sample moves the rate",
    start=market(replace(WIDE, aggregation=Aggregation.MEDIAN, min_samples=1), ROOM),
)
def the_median_of_the_samples(box: Recorder) -> None:
    box.price(10_000, time=3_000)
    for time, book in ((3_000, 10_300), (3_010, 10_010), (3_020, 10_020)):
        box.time = time
        box.do("venue", ev.PostBook(PERP, book, book))
    accrue(box, 3_600, 10_000, 2_000_000, 20, "the median of 3 %, 0.1 %, 0.2 % is 0.2 % of 10,000")


@case(
    "funding-samples-003",
    "FUND-3",
    bug="the interest of the clamped form is added without its damper",
    effect="longs pay interest on top of a premium that already holds it",
    start=market(replace(FUNDING, interest=1_000_000, damper=500_000, cap=10 * PERCENT), ROOM),
)
def the_clamped_form_follows_the_premium(box: Recorder) -> None:
    accrue(box, 3_600, 10_000, 500_000, 5, "no premium: interest 0.1 %, at most 0.05 %")
    box.do("venue", ev.PostBook(PERP, 10_300, 10_300))
    accrue(box, 7_200, 10_000, 29_500_000, 295, "3 % - 0.05 % = 2.95 % of 10,000")
    box.do("venue", ev.PostBook(PERP, 10_012, 10_012))
    accrue(box, 10_800, 10_000, 1_000_000, 10, "0.12 % is within 0.05 % of 0.1 %: the interest")


# ---------------------------------------------------------------------------------------------------------------
# What positions owe


@case(
    "funding-owed-001",
    "FUND-6",
    "TRADE-2",
    bug="a position pays for time before it was opened, or is not settled before it changes",
    effect="a buyer owes what a stranger has used",
    importance=CRITICAL,
    start=market(HOURLY),
)
def a_position_settles_before_it_changes(box: Recorder) -> None:
    box.price(5_000)
    for account in ("ann", "bob", "cem"):
        box.open(account, 100_000)
    box.trade("ann", "bob", 3, 5_000)
    accrue(box, 3_600, 5_000, 1_000_000, 5, "0.1 % of 5,000")
    box.hand("observable.accounts.ann.balances.USD", 99_985, "100,000 - 3 x 5, owed")
    box.hand("observable.accounts.bob.balances.USD", 100_015, "100,000 + 3 x 5")
    box.trade("cem", "ann", 1, 5_000)
    box.hand("receipt.postings.0.amount", 15, "ann settles 3 x 5")
    accrue(box, 7_200, 5_000, 1_000_000, 5, "0.1 % of 5,000")
    box.hand("observable.accounts.ann.balances.USD", 99_975, "99,985 - 2 x 5")
    box.hand("observable.accounts.bob.balances.USD", 100_030, "100,000 + 3 x 10")
    box.hand("observable.accounts.cem.balances.USD", 99_995, "100,000 - 5: the second interval alone")


@case(
    "funding-owed-002",
    "FUND-6",
    "MARG-12",
    bug="funding that is owed does not count until it is settled",
    effect="nobody is liquidated for funding, however much is owed",
    importance=CRITICAL,
    start=market(replace(ADDED, interest=2 * PERCENT, cap=2 * PERCENT), ROOM),
)
def funding_owed_makes_liquidatable(box: Recorder) -> None:
    # 10 lots at 1,000 with 2,000: 20 % is 2,000. 2 % of 1,000 a lot: 200 is owed.
    box.price(1_000)
    for name, cash in (("a", 2_000), ("b", 10_000)):
        box.open(name, cash)
    box.trade("a", "b", 10, 1_000)
    box.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)
    accrue(box, 3_600, 1_000, 2 * PERCENT, 20, "2 % of 1,000")
    box.do("b", ev.Liquidate("a", "b", PERP, 10))
    box.hand("receipt.amounts.closed", 2, "2,000 - 200 < 2,000: (200 + 2) / (20 % - 1 %) = 1,063.2, over 1,000 is 1.1")
    box.hand("receipt.postings.0.amount", 200, "the owed funding is settled first: 10 x 20")


@case(
    "funding-owed-003",
    "FUND-6",
    "TRADE-2",
    bug="a position that was closed keeps its old index and pays for the time in which it was flat",
    effect="whoever returns to a market pays for the past",
    importance=CRITICAL,
    start=market(HOURLY),
)
def a_flat_position_owes_nothing(box: Recorder) -> None:
    box.price(5_000)
    for account in ("ann", "bob"):
        box.open(account, 100_000)
    box.trade("ann", "bob", 3, 5_000)
    box.trade("bob", "ann", 3, 5_000)
    accrue(box, 3_600, 5_000, 1_000_000, 5, "0.1 % of 5,000")
    box.trade("ann", "bob", 2, 5_000)
    box.hand("observable.accounts.ann.balances.USD", 100_000, "flat while the interval ran")
    accrue(box, 7_200, 5_000, 1_000_000, 5, "0.1 % of 5,000")
    box.hand("observable.accounts.ann.balances.USD", 99_990, "100,000 - 2 x 5")


# ---------------------------------------------------------------------------------------------------------------
# Change of the period


def period(identifier: str, before: int, after: int, steps: tuple[int, int], price: int, derivation: str) -> None:
    """Register a vector: an accrual, a change of the period in its second, and the next accrual."""
    first = replace(ADDED, interest=1_000_000, cap=1_000_000, period=before, max_gap=3_600)

    def play(box: Recorder) -> None:
        accrue(box, 3_600, price, 1_000_000, steps[0], derivation)
        changed = replace(MARKET, funding=replace(first, period=after), margin=ROOM)
        box.do("admin", ev.SetParameters(PERP, changed))
        accrue(box, 7_200, price, 1_000_000, steps[1], derivation)

    case(
        identifier,
        "FUND-7",
        "PARM-13",
        bug="the carried remainder is read over another period's divisor, or rounded up",
        effect="a carry of 0.998 atom becomes 28,740 atoms a lot",
        importance=CRITICAL,
        start=market(first, ROOM),
    )(play)


period("funding-period-001", 28_800, 3_600, (0, 1), 990, "0.99 / 8 = 0.12375; 0.12375 + 0.99 = 1.11375")
period("funding-period-002", 3_600, 28_800, (0, 1), 990, "0.99; 0.99 + 0.99 / 8 = 1.11375")
period("funding-period-003", 28_800, 3_600, (0, 0), 800, "0.1; 0.1 + 0.8 = 0.9")
period("funding-period-004", 3_600, 7_200, (0, 1), 667, "0.667; 0.667 + 0.3335 = 1.0005")
period("funding-period-005", 3_600, 7_200, (0, 0), 666, "0.666; 0.666 + 0.333 = 0.999")


BRIEF = replace(ADDED, interval=1, max_gap=1, sample_interval=1)


@case(
    "funding-period-006",
    "FUND-7",
    bug="the rescaled remainder is rounded up",
    effect="an atom a lot is charged that nobody owes",
    start=market(replace(BRIEF, period=5, interest=2, cap=2), ROOM),
)
def a_rescaled_remainder_is_rounded_down(box: Recorder) -> None:
    # 2 x 146 = 292 of 5 x 10^9; 292 x 3 / 5 = 175.2, down 175 of 3 x 10^9. 20,547,944 x 146 = 2,999,999,824.
    accrue(box, 1, 146, 2, 0, "292 of 5 x 10^9")
    changed = replace(BRIEF, period=3, interest=20_547_944, cap=20_547_944)
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, funding=changed, margin=ROOM)))
    accrue(box, 2, 146, 20_547_944, 0, "2,999,999,824 + 175 = 2,999,999,999 of 3 x 10^9")
    accrue(box, 3, 146, 20_547_944, 1, "2,999,999,824 + 2,999,999,999 = 5,999,999,823")
