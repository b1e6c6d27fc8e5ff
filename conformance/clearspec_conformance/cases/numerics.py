"""Vectors of numerics: named divisions, shares, medians and clamps as kernel calls, and the bounds of amounts."""

from __future__ import annotations

from dataclasses import replace

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.parameters import (
    Aggregation,
    AssetParameters,
    InterestForm,
    MarginParameters,
    MarketKind,
    MarketParameters,
    Tier,
)
from clearspec.sandbox import FEED, FUNDING, LIQUIDATION, LISTING, MARK, MARKET, PERCENT, POOL, TRADING, genesis
from clearspec_conformance.vectors import Recorder, case, kernel_case

THIRD = 333_333_333
HALF = 500_000_000
BARE = genesis(pool=replace(POOL, collateral=()), markets=(), feeds=())

kernel_case(
    "numerics-mul-floor-001",
    "NUM-3",
    "NUM-2",
    kernel="mul_floor",
    bug="division truncates toward zero where the rule says down",
    effect="a negative amount is rounded in the wrong direction by one atom",
    calls=[
        ({"amount": 2, "ratio": 500_000_000}, {"product": 1}),  # 1.0 exactly
        ({"amount": 1, "ratio": 999_999_999}, {"product": 0}),  # just below 1
        ({"amount": 3, "ratio": THIRD}, {"product": 0}),  # 0.999999999
        ({"amount": 1, "ratio": 1_000_000_001}, {"product": 1}),  # just above 1
        ({"amount": -2, "ratio": 500_000_000}, {"product": -1}),  # -1.0 exactly
        ({"amount": -1, "ratio": 999_999_999}, {"product": -1}),  # just above -1, down to -1
        ({"amount": -1, "ratio": 1_000_000_001}, {"product": -2}),  # just below -1, down to -2
        ({"amount": 0, "ratio": 1}, {"product": 0}),
    ],
)

kernel_case(
    "numerics-mul-floor-002",
    "NUM-3",
    "NUM-1",
    kernel="mul_floor",
    bug="the amount is divided by the scale before it is multiplied, or the product is kept in 64 bits",
    effect="up to one whole ratio is lost, or the product wraps",
    importance=Importance.CRITICAL,
    calls=[
        ({"amount": 1_999_999_999, "ratio": HALF}, {"product": 999_999_999}),  # 999999999.5; 1 x 0.5 if divided first
        ({"amount": 12_345, "ratio": -200_000}, {"product": -3}),  # -2.469
        ({"amount": -12_345, "ratio": -200_000}, {"product": 2}),  # 2.469
        ({"amount": 8_000, "ratio": 25_000_000}, {"product": 200}),  # 2.5 % of 8000
        # 2**62 x 2**33 = 2**95 = 39614081257132168796771975168
        ({"amount": 2**62, "ratio": 2**33}, {"product": 39_614_081_257_132_168_796}),
        ({"amount": -(2**62), "ratio": 2**33}, {"product": -39_614_081_257_132_168_797}),
        ({"amount": 2**62, "ratio": 10**9}, {"product": 2**62}),
    ],
)

kernel_case(
    "numerics-mul-ceil-001",
    "NUM-3",
    "NUM-2",
    kernel="mul_ceil",
    bug="one is added to an exact quotient, or a negative product is rounded away from zero",
    effect="a fee of a whole number of atoms costs one more; a rebate pays one atom too much",
    importance=Importance.CRITICAL,
    calls=[
        ({"amount": 2, "ratio": HALF}, {"product": 1}),  # 1.0 exactly
        ({"amount": 1, "ratio": 999_999_999}, {"product": 1}),  # just below 1, up
        ({"amount": 1, "ratio": 1_000_000_001}, {"product": 2}),  # just above 1, up
        ({"amount": -2, "ratio": HALF}, {"product": -1}),  # -1.0 exactly
        ({"amount": -1, "ratio": 999_999_999}, {"product": 0}),  # -0.999999999, up
        ({"amount": -1, "ratio": 1_000_000_001}, {"product": -1}),  # -1.000000001, up
        ({"amount": 0, "ratio": 1}, {"product": 0}),
        ({"amount": 12_345, "ratio": 200_000}, {"product": 3}),  # 2.469
        ({"amount": 12_345, "ratio": -200_000}, {"product": -2}),  # -2.469
    ],
)

kernel_case(
    "numerics-mul-ceil-002",
    "NUM-3",
    kernel="mul_ceil",
    bug="the product of an amount and a ratio is kept in 64 bits",
    effect="the product wraps and a large fee becomes small or negative",
    importance=Importance.CRITICAL,
    calls=[
        # 2**95 = 39614081257132168796771975168
        ({"amount": 2**62, "ratio": 2**33}, {"product": 39_614_081_257_132_168_797}),
        ({"amount": -(2**62), "ratio": 2**33}, {"product": -39_614_081_257_132_168_796}),
        ({"amount": 1_999_999_999, "ratio": HALF}, {"product": 1_000_000_000}),  # 999999999.5
    ],
)

kernel_case(
    "numerics-div-floor-001",
    "NUM-2",
    kernel="smoothed",
    bug="a built-in division that truncates stands for the division rounded down",
    effect="negative quotients are one too high",
    calls=[  # basis_sum - floor(basis_sum / window) + sample
        ({"basis_sum": 7, "sample": 0, "window": 2}, {"basis_sum": 4}),  # 3.5, 3
        ({"basis_sum": 8, "sample": 0, "window": 2}, {"basis_sum": 4}),  # 4
        ({"basis_sum": 9, "sample": 0, "window": 2}, {"basis_sum": 5}),  # 4.5, 4
        ({"basis_sum": -7, "sample": 0, "window": 2}, {"basis_sum": -3}),  # -3.5, -4
        ({"basis_sum": -8, "sample": 0, "window": 2}, {"basis_sum": -4}),  # -4
        ({"basis_sum": -9, "sample": 0, "window": 2}, {"basis_sum": -4}),  # -4.5, -5
    ],
)

kernel_case(
    "numerics-div-ceil-001",
    "NUM-2",
    "PARM-13",
    kernel="ramped",
    bug="the idiom (n + d - 1) / d on a division that truncates",
    effect="an exact negative quotient comes out one too high: -8 / 2 as -3",
    calls=[  # before + ceil((after - before) x elapsed / duration)
        ({"before": 0, "after": 7, "elapsed": 1, "duration": 2}, {"requirement": 4}),  # 3.5, 4
        ({"before": 0, "after": 8, "elapsed": 1, "duration": 2}, {"requirement": 4}),  # 4
        ({"before": 0, "after": 9, "elapsed": 1, "duration": 2}, {"requirement": 5}),  # 4.5, 5
        ({"before": 7, "after": 0, "elapsed": 1, "duration": 2}, {"requirement": 4}),  # 7 - 3.5, 7 - 3
        ({"before": 8, "after": 0, "elapsed": 1, "duration": 2}, {"requirement": 4}),  # 8 - 4
        ({"before": 9, "after": 0, "elapsed": 1, "duration": 2}, {"requirement": 5}),  # 9 - 4.5, 9 - 4
    ],
)


def mean(*samples: int) -> dict[str, object]:
    """Arguments of the mean of as many samples as are given."""
    return {"samples": samples, "aggregation": Aggregation.MEAN, "min_samples": 1}


kernel_case(
    "numerics-div-to-zero-001",
    "NUM-2",
    "FUND-2",
    kernel="aggregated",
    bug="a mean is rounded down where the rule says toward zero",
    effect="one side of the market is favoured by an atom every time",
    calls=[
        (mean(7, 0), {"premium": 3}),  # 3.5
        (mean(8, 0), {"premium": 4}),
        (mean(9, 0), {"premium": 4}),  # 4.5
        (mean(-7, 0), {"premium": -3}),  # -3.5
        (mean(-8, 0), {"premium": -4}),
        (mean(-9, 0), {"premium": -4}),  # -4.5
        (mean(0, 0), {"premium": 0}),
    ],
)

kernel_case(
    "numerics-divide-carry-001",
    "NUM-4",
    kernel="divide_carry",
    bug="the remainder is dropped, or carried with the sign of the numerator",
    effect="nine tenths of an atom a step is nothing for ever",
    importance=Importance.CRITICAL,
    calls=[
        ({"numerator": 9, "carry": 0, "divisor": 10}, {"quotient": 0, "carry": 9}),
        ({"numerator": 9, "carry": 9, "divisor": 10}, {"quotient": 1, "carry": 8}),  # 18
        ({"numerator": 0, "carry": 9, "divisor": 10}, {"quotient": 0, "carry": 9}),
        ({"numerator": 1, "carry": 9, "divisor": 10}, {"quotient": 1, "carry": 0}),  # 10
        ({"numerator": 2, "carry": 9, "divisor": 10}, {"quotient": 1, "carry": 1}),  # 11
        ({"numerator": -9, "carry": 0, "divisor": 10}, {"quotient": -1, "carry": 1}),  # -10 + 1
        ({"numerator": -10, "carry": 0, "divisor": 10}, {"quotient": -1, "carry": 0}),
        ({"numerator": -11, "carry": 0, "divisor": 10}, {"quotient": -2, "carry": 9}),  # -20 + 9
        ({"numerator": -9, "carry": 9, "divisor": 10}, {"quotient": 0, "carry": 0}),
        ({"numerator": -10, "carry": 9, "divisor": 10}, {"quotient": -1, "carry": 9}),  # -1 = -10 + 9
        ({"numerator": 7, "carry": 0, "divisor": 1}, {"quotient": 7, "carry": 0}),
        ({"numerator": 2**126, "carry": 0, "divisor": 2**60}, {"quotient": 2**66, "carry": 0}),
    ],
)

kernel_case(
    "numerics-cumulative-share-001",
    "NUM-5",
    kernel="cumulative_share",
    bug="each share is rounded down by itself",
    effect="the shares do not sum to the amount: 10 over three equal weights leaves an atom without an owner",
    importance=Importance.CRITICAL,
    calls=[
        # 10 over 1, 1, 1: cumulative 3.33, 6.67, 10
        ({"amount": 10, "weight_before": 0, "weight_after": 1, "weight_total": 3}, {"share": 3}),
        ({"amount": 10, "weight_before": 1, "weight_after": 2, "weight_total": 3}, {"share": 3}),
        ({"amount": 10, "weight_before": 2, "weight_after": 3, "weight_total": 3}, {"share": 4}),
        ({"amount": 10, "weight_before": 0, "weight_after": 3, "weight_total": 3}, {"share": 10}),
        # 7 over 5, 0, 9: cumulative 35 / 14 = 2.5, 2.5, 7
        ({"amount": 7, "weight_before": 0, "weight_after": 5, "weight_total": 14}, {"share": 2}),
        ({"amount": 7, "weight_before": 5, "weight_after": 5, "weight_total": 14}, {"share": 0}),
        ({"amount": 7, "weight_before": 5, "weight_after": 14, "weight_total": 14}, {"share": 5}),
        # 9, 10 and 11 tenths
        ({"amount": 9, "weight_before": 0, "weight_after": 1, "weight_total": 10}, {"share": 0}),
        ({"amount": 10, "weight_before": 0, "weight_after": 1, "weight_total": 10}, {"share": 1}),
        ({"amount": 11, "weight_before": 0, "weight_after": 1, "weight_total": 10}, {"share": 1}),
        ({"amount": 0, "weight_before": 0, "weight_after": 1, "weight_total": 3}, {"share": 0}),
        # 2**60 x (2**60 - 1) / 2**60
        ({"amount": 2**60, "weight_before": 0, "weight_after": 2**60 - 1, "weight_total": 2**60}, {"share": 2**60 - 1}),
        ({"amount": 2**60, "weight_before": 2**60 - 1, "weight_after": 2**60, "weight_total": 2**60}, {"share": 1}),
    ],
)

kernel_case(
    "numerics-median-001",
    "NUM-7",
    kernel="median",
    bug="the values are taken in the order in which they came, or the wrong middle is taken",
    effect="whoever posts last, or at the edge, sets the price",
    importance=Importance.CRITICAL,
    calls=[
        ({"values": (5, 1, 3)}, {"median": 3}),
        ({"values": (7,)}, {"median": 7}),
        ({"values": (1, 3, 5, 7, 100)}, {"median": 5}),
        ({"values": (4, 4, 9)}, {"median": 4}),
        ({"values": (9, 1, 4, 2)}, {"median": 3}),  # (2 + 4) / 2
        ({"values": (32, 1, 16, 2, 8, 4)}, {"median": 6}),  # (4 + 8) / 2
        ({"values": (-5, -1, -3)}, {"median": -3}),
        ({"values": (2**126, -(2**126), 0)}, {"median": 0}),
    ],
)

kernel_case(
    "numerics-median-002",
    "NUM-7",
    "NUM-2",
    kernel="median",
    bug="the mean of the two middle values is rounded toward zero or up",
    effect="the median is not true to shifts: that of (-1, 0) and that of (0, 1) are both 0",
    calls=[
        ({"values": (1, 3)}, {"median": 2}),
        ({"values": (2, 1)}, {"median": 1}),  # 1.5
        ({"values": (0, 1)}, {"median": 0}),  # 0.5
        ({"values": (-1, 0)}, {"median": -1}),  # -0.5
        ({"values": (-2, -1)}, {"median": -2}),  # -1.5
        ({"values": (-3, -1)}, {"median": -2}),
    ],
)


def within_five(premium: int) -> dict[str, object]:
    """Arguments that clamp a premium into -5 .. 5."""
    return {"premium": premium, "interest": 0, "interest_form": InterestForm.ADDED, "damper": 0, "cap": 5}


kernel_case(
    "numerics-clamp-001",
    "NUM-6",
    "FUND-3",
    kernel="funding_rate",
    bug="a value outside its bounds is refused, or only one bound is kept",
    effect="what should move to the edge stays where it was or runs away",
    calls=[
        (within_five(4), {"rate": 4}),
        (within_five(5), {"rate": 5}),
        (within_five(6), {"rate": 5}),
        (within_five(-4), {"rate": -4}),
        (within_five(-5), {"rate": -5}),
        (within_five(-6), {"rate": -5}),
        (within_five(0), {"rate": 0}),
    ],
)

kernel_case(
    "numerics-notional-001",
    "NUM-8",
    "TRADE-1",
    kernel="filled",
    bug="size and price lose their sign, a digit or their upper bits when they are multiplied",
    effect="buyer and seller book different values for one fill",
    importance=Importance.CRITICAL,
    calls=[
        ({"size": 0, "cost": 0, "delta": 3, "price": 65_000_000}, {"size": 3, "cost": 195_000_000, "realised": 0}),
        ({"size": 0, "cost": 0, "delta": -3, "price": 65_000_000}, {"size": -3, "cost": -195_000_000, "realised": 0}),
        # 2**40 x 2**36 = 2**76
        ({"size": 0, "cost": 0, "delta": 2**40, "price": 2**36}, {"size": 2**40, "cost": 2**76, "realised": 0}),
    ],
)


kernel_case(
    "numerics-index-001",
    "NUM-9",
    "FUND-4",
    kernel="accrued",
    bug="a cumulative index grows without bound",
    effect="size times index leaves 128 bits and what is owed wraps",
    importance=Importance.CRITICAL,
    calls=[  # a rate of 100 % of a price of 2 for a whole period is 2 atoms a lot
        (
            {"index": 2**60 - 2, "carry": 0, "rate": 10**9, "index_price": 2, "elapsed": 5, "period": 5},
            {"index": 2**60, "carry": 0},
        ),
        (
            {"index": 2**60 - 1, "carry": 0, "rate": 10**9, "index_price": 2, "elapsed": 5, "period": 5},
            {"index": 2**60, "carry": 0},
        ),
        (
            {"index": 1 - 2**60, "carry": 0, "rate": -(10**9), "index_price": 2, "elapsed": 5, "period": 5},
            {"index": -(2**60), "carry": 0},
        ),
    ],
)


@case(
    "numerics-bounds-001",
    "NUM-9",
    "COLL-9",
    bug="custody is bounded by less than 2^62, or not at all",
    effect="a balance leaves the range in which products fit, or money that makes good a loss is refused",
    start=BARE,
)
def custody_holds_exactly_2_to_62(box: Recorder) -> None:
    for _ in range(4):
        box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 2**60))
    box.hand("observable.pools.main.custody.USD", 2**62, "4 x 2^60")
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1), Reason.BALANCE_OUT_OF_RANGE)
    box.hand("observable.pools.main.custody.USD", 2**62, "2^62 + 1 would be out of range")


@case(
    "numerics-bounds-002",
    "NUM-9",
    "COLL-3",
    bug="amounts are held in a type of less than 61 bits, or the greatest amount is refused",
    effect="an amount inside its bounds wraps or is rejected",
    start=BARE,
)
def the_greatest_amount_is_deposited(box: Recorder) -> None:
    box.do("alice", ev.OpenAccount("alice", "main"))
    box.do("alice", ev.Deposit("alice", "USD", 2**60))
    box.hand("observable.accounts.alice.balances.USD", 2**60, "0 + 2^60, the greatest amount and the pool's cap")


@case(
    "numerics-bounds-003",
    "NUM-9",
    "EVENT-5",
    bug="sequence or time is held in a type that is too narrow",
    effect="a valid event is refused, or time wraps and every later event goes back in time",
    start=BARE,
)
def the_greatest_time_and_sequence_are_allowed(box: Recorder) -> None:
    box.send(ev.Event("first", 1, 0, "alice", ev.OpenAccount("alice", "main")))
    box.send(ev.Event("late", 2**62 - 1, 2**40, "alice", ev.Deposit("alice", "USD", 1)))
    box.send(ev.Event("last", 2**62, 2**40, "alice", ev.Deposit("alice", "USD", 2)))
    box.hand("observable.sequence", 2**62, "the greatest sequence number")
    box.hand("observable.time", 2**40, "the greatest time")
    box.hand("observable.accounts.alice.balances.USD", 3, "1 + 2")


WIDE_MARKET = replace(
    LISTING, parameters=replace(MARKET, trading=replace(TRADING, max_position=2**40, max_open_interest=2**40))
)
WIDEST = genesis(pool=replace(POOL, collateral=()), markets=(WIDE_MARKET,), feeds=(replace(FEED, max_price=2**16),))


@case(
    "numerics-bounds-004",
    "NUM-8",
    "NUM-9",
    "TRADE-8",
    bug="the notional of the greatest position does not fit its type",
    effect="requirement and cost wrap: the largest position needs no margin",
    importance=Importance.CRITICAL,
    start=WIDEST,
)
def the_greatest_position_is_bought(box: Recorder) -> None:
    box.price(2**16)
    box.open("alice", 7_205_759_403_792_794)  # 10 % of 2**56 = 7205759403792793.6, rounded up
    box.open("bob", 2**60 - 7_205_759_403_792_794)
    box.trade("alice", "bob", 2**40, 2**16)
    box.hand("observable.accounts.alice.positions.BTC-PERP.cost", 2**56, "2^40 x 2^16")
    box.hand("observable.accounts.bob.positions.BTC-PERP.cost", -(2**56), "-2^40 x 2^16")
    box.hand("observable.markets.BTC-PERP.open_interest", 2**40, "0 + 2^40")


@case(
    "numerics-bounds-005",
    "NUM-9",
    "ORCL-4",
    bug="prices are held in 32 bits",
    effect="a price above 2^32 wraps",
    importance=Importance.CRITICAL,
    start=genesis(pool=replace(POOL, collateral=()), markets=(), feeds=(replace(FEED, max_price=2**36),)),
)
def the_greatest_price_is_posted(box: Recorder) -> None:
    box.do("s1", ev.PostPrice("BTC", 2**36, 2**36))
    box.hand("observable.feeds.BTC", 2**36, "the cap of prices; a confidence of the whole price is within 100 %")


SOURCES = tuple(f"s{place}" for place in range(31))
UPPERS = (*range(7), 2**56)
LONGEST = 2**32
EXTREME = replace(
    LISTING,
    kind=MarketKind.FUTURE,
    expiry=2**41,
    parameters=MarketParameters(
        replace(TRADING, max_position=2**40, max_open_interest=2**40),
        MarginParameters(
            tuple(Tier(upper, 10 * PERCENT, 5 * PERCENT) for upper in UPPERS),
            2**60 - 1, 2**60, 10**9, 2**40, 2**33, LONGEST, 256,
        ),
        replace(MARK, window=2**16, variation_interval=LONGEST),
        replace(
            FUNDING, interval=LONGEST, period=LONGEST, max_gap=LONGEST, sample_interval=LONGEST, min_samples=512
        ),
        replace(LIQUIDATION, reward_budget=2**60, minimum=2**40, insurance_cap=2**60, budget_interval=LONGEST),
        LONGEST,
    ),
)  # fmt: skip


@case(
    "numerics-bounds-006",
    "NUM-9",
    "EVENT-2",
    bug="a parameter at its bound, or a list of the greatest length, is refused",
    effect="a genesis inside its bounds does not load",
    start=replace(
        genesis(
            pool=replace(POOL, collateral=(), budget_interval=LONGEST),
            markets=(EXTREME,),
            feeds=(
                replace(
                    FEED, sources=SOURCES, quorum=31, faulty=15, max_age=LONGEST, band=0, step_interval=LONGEST,
                    max_price=2**16,
                ),
            ),
        ),
        assets=(AssetParameters("USD", 2**16),),
    ),
)  # fmt: skip
def a_genesis_at_its_bounds_loads(box: Recorder) -> None:
    for source in SOURCES[:-1]:
        box.do(source, ev.PostPrice("BTC", 7, 0))
    box.hand("receipt.amounts.index", 0, "30 posts of 31")
    box.do(SOURCES[-1], ev.PostPrice("BTC", 7, 0))
    box.hand("receipt.amounts.index", 7, "the median of 31 times 7")


STEADY = genesis(pool=replace(POOL, collateral=()), markets=(), feeds=(replace(FEED, band=0),))


@case(
    "numerics-bounds-007",
    "NUM-9",
    "PARM-14",
    bug="a loop over oracle steps has no bound, or the greatest number of steps is refused",
    effect="one event keeps the engine busy for hours",
    start=STEADY,
)
def steps_are_bounded_by_4096(box: Recorder) -> None:
    for name, interval, expect in (("A", 4096, Reason.OUTSIDE_ENVELOPE), ("B", 4095, None)):
        mark = replace(MARK, variation_interval=interval)
        listing = replace(LISTING, market=name, parameters=replace(MARKET, mark=mark))
        box.do("admin", ev.ListMarket(listing), expect)
    box.hand("observable.markets.B.open_interest", 0, "listed: 4095 s of one-second steps and one more are 4096")


kernel_case(
    "numerics-bounded-equity-001",
    "NUM-9",
    kernel="bounded_equity",
    bug="an equity enters a product as it is, or is clamped on one side, or to one more or less",
    effect="funding owed up to 2^101, times a requirement, leaves 128 bits: the deepest debtor is the safest account",
    calls=[
        ({"equity": value}, {"equity": value})
        for value in (0, 1, -1, 2**64 - 1, 2**64, -(2**64) + 1, -(2**64))
    ] + [
        ({"equity": 2**64 + 1}, {"equity": 2**64}),
        ({"equity": 2**126}, {"equity": 2**64}),
        ({"equity": -(2**64) - 1}, {"equity": -(2**64)}),
        ({"equity": -(2**126)}, {"equity": -(2**64)}),
    ],
)  # fmt: skip
