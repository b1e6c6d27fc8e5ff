"""Vectors of margin: requirements, the two equities, and the tests of fills, outflows and liquidations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, SCALE
from clearspec.parameters import AssetParameters, InterestForm, Layer, MarketKind, Tier
from clearspec.sandbox import (
    ETH,
    ETH_FEED,
    FEED,
    FUNDING,
    LIQUIDATION,
    LISTING,
    MARGIN,
    MARK,
    MARKET,
    PERCENT,
    POOL,
    genesis,
)
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
PERP = "BTC-PERP"
LENDING = replace(POOL, negative_balance_limit=AMOUNT_MAX)
"""A pool that lends settlement atoms without a limit, so that margin alone decides an outflow."""
BARE = replace(LENDING, collateral=())
YFI = "dYdX, November 2023: unrealised profit in YFI carried new positions; insurance paid about 9 million"
ETH_2025 = "Hyperliquid, March 2025: unrealised profit withdrawn until the position was liquidated; 4 million lost"


def bare(pool: Any = BARE, **sections: Any) -> ev.Genesis:
    """One market and no collateral, with changed sections of the market."""
    return genesis(pool=pool, feeds=(FEED,), markets=(replace(LISTING, parameters=replace(MARKET, **sections)),))


def lent(pool: Any = LENDING, **sections: Any) -> ev.Genesis:
    """One market and ETH as collateral, with changed sections of the market."""
    return genesis(pool=pool, markets=(replace(LISTING, parameters=replace(MARKET, **sections)),))


def start(box: Recorder, price: int, **accounts: int) -> None:
    """A first price of BTC and accounts with cash."""
    box.price(price, time=1)
    for name, cash in accounts.items():
        box.open(name, cash)


def most(box: Recorder, account: str, amount: int, left: int, derivation: str) -> None:
    """The most that an account may withdraw: an atom more is below initial margin."""
    box.do(account, ev.Withdraw(account, "USD", amount + 1), Reason.BELOW_INITIAL_MARGIN)
    box.do(account, ev.Withdraw(account, "USD", amount))
    box.hand(f"observable.accounts.{account}.balances.USD", left, derivation)


def short_of(box: Recorder, *trade: Any, account: str, reason: Reason = Reason.INSUFFICIENT_MARGIN) -> None:
    """A fill that must be refused about an account."""
    buyer, seller, size, price = trade
    receipt = box.trade(buyer, seller, size, price, expect=reason)
    if receipt.subject != account:
        raise AssertionError(f"expected {account}, got {receipt.subject}")


# ---------------------------------------------------------------------------------------------------------------
# Kernels

P = PERCENT
SLICES = (Tier(100_000, 10 * P, 5 * P), Tier(NOTIONAL_MAX, 20 * P, 10 * P))
FINE = (Tier(5, 10 * P, P), Tier(8, 20 * P, 2 * P), Tier(NOTIONAL_MAX, 100 * P, 100 * P))
kernel_case(
    "margin-tiers-001",
    "MARG-1",
    kernel="tiered_requirement",
    bug="the whole notional is charged at its last tier's ratio, each slice is rounded, or the sum is rounded down",
    effect="one atom more of notional raises the requirement by thousands, or it is an atom too little",
    importance=CRITICAL,
    calls=[
        ({"value": 0, "tiers": SLICES}, {"initial": 0, "maintenance": 0}),
        ({"value": 1, "tiers": SLICES}, {"initial": 1, "maintenance": 1}),  # 0.1, 0.05
        ({"value": 10, "tiers": SLICES}, {"initial": 1, "maintenance": 1}),  # 1, 0.5
        ({"value": 19, "tiers": SLICES}, {"initial": 2, "maintenance": 1}),  # 1.9, 0.95
        ({"value": 20, "tiers": SLICES}, {"initial": 2, "maintenance": 1}),  # 2, 1
        ({"value": 21, "tiers": SLICES}, {"initial": 3, "maintenance": 2}),  # 2.1, 1.05
        ({"value": 99_999, "tiers": SLICES}, {"initial": 10_000, "maintenance": 5_000}),  # 9,999.9, 4,999.95
        ({"value": 100_000, "tiers": SLICES}, {"initial": 10_000, "maintenance": 5_000}),
        ({"value": 100_001, "tiers": SLICES}, {"initial": 10_001, "maintenance": 5_001}),  # + 0.2, + 0.1
        ({"value": 200_000, "tiers": SLICES}, {"initial": 30_000, "maintenance": 15_000}),
        # 5 x 10 % + 3 x 20 % = 1.1; 5 x 1 % + 3 x 2 % = 0.11: rounded once
        ({"value": 8, "tiers": FINE}, {"initial": 2, "maintenance": 1}),
        ({"value": 9, "tiers": FINE}, {"initial": 3, "maintenance": 2}),  # 2.1, 1.11
        ({"value": 5, "tiers": FINE}, {"initial": 1, "maintenance": 1}),  # 0.5, 0.05
        ({"value": 2**56, "tiers": (Tier(NOTIONAL_MAX, SCALE, SCALE),)}, {"initial": 2**56, "maintenance": 2**56}),
        ({"value": 2**56, "tiers": (Tier(NOTIONAL_MAX, SCALE, SCALE // 2),)}, {"initial": 2**56, "maintenance": 2**55}),
        ({"value": 2**56, "tiers": (Tier(2**56, 1, 1),)}, {"initial": 72_057_595, "maintenance": 72_057_595}),
    ],
)
kernel_case(
    "margin-open-interest-001",
    "MARG-2",
    kernel="open_interest_weight",
    bug="the weight is rounded down, not limited to one, or counts from zero",
    effect="new risk in a crowded market asks for too little margin",
    calls=[
        ({"value": 1_000_000, "lower": 1_000_000, "upper": 3_000_000}, {"weight": 0}),
        ({"value": 1_000_001, "lower": 1_000_000, "upper": 3_000_000}, {"weight": 500}),
        ({"value": 999_999, "lower": 1_000_000, "upper": 3_000_000}, {"weight": 0}),
        ({"value": 1_500_000, "lower": 1_000_000, "upper": 3_000_000}, {"weight": 25 * P}),
        ({"value": 2_999_999, "lower": 1_000_000, "upper": 3_000_000}, {"weight": 999_999_500}),
        ({"value": 3_000_000, "lower": 1_000_000, "upper": 3_000_000}, {"weight": SCALE}),
        ({"value": 3_000_001, "lower": 1_000_000, "upper": 3_000_000}, {"weight": SCALE}),
        ({"value": 1, "lower": 0, "upper": 3}, {"weight": 333_333_334}),  # 333,333,333.3
        ({"value": 2, "lower": 0, "upper": 3}, {"weight": 666_666_667}),  # 666,666,666.7
        ({"value": 1, "lower": 0, "upper": 999_999_999}, {"weight": 2}),  # 1.000000001
        ({"value": 1, "lower": 0, "upper": 1_000_000_001}, {"weight": 1}),  # 0.999999999
        ({"value": 1, "lower": 0, "upper": 1}, {"weight": SCALE}),
        ({"value": 0, "lower": 0, "upper": 1}, {"weight": 0}),
        ({"value": 2**56, "lower": 0, "upper": 0}, {"weight": 0}),
        ({"value": 2**56, "lower": 2**60, "upper": 0}, {"weight": 0}),
        ({"value": 2**56, "lower": 0, "upper": 2**60}, {"weight": 62_500_000}),  # 1 / 16
        ({"value": 2**56, "lower": 0, "upper": 2**56}, {"weight": SCALE}),
    ],
)
kernel_case(
    "margin-size-001",
    "MARG-3",
    kernel="size_ratio",
    bug="the ratio is rounded down or not limited to one",
    effect="a position too large to close asks for too little margin",
    calls=[
        ({"size": 0, "slope": 5_000_000, "unit": 10}, {"ratio": 0}),
        ({"size": 25, "slope": 5_000_000, "unit": 10}, {"ratio": 12_500_000}),
        ({"size": 9, "slope": 1, "unit": 10}, {"ratio": 1}),
        ({"size": 10, "slope": 1, "unit": 10}, {"ratio": 1}),
        ({"size": 11, "slope": 1, "unit": 10}, {"ratio": 2}),
        ({"size": 10, "slope": 0, "unit": 10}, {"ratio": 0}),
        ({"size": 1_999, "slope": 5_000_000, "unit": 10}, {"ratio": 999_500_000}),
        ({"size": 2_000, "slope": 5_000_000, "unit": 10}, {"ratio": SCALE}),
        ({"size": 2_001, "slope": 5_000_000, "unit": 10}, {"ratio": SCALE}),
        ({"size": 2**40, "slope": SCALE, "unit": 1}, {"ratio": SCALE}),
        ({"size": 1, "slope": 1, "unit": 2**40}, {"ratio": 1}),
    ],
)
OFF = {
    "multiplier": SCALE,
    "size_slope": 0,
    "size_unit": 1,
    "open_interest_lower": 0,
    "open_interest_upper": 0,
}
THOUSAND = {"value": 1_000, "tiered": 100, "size": 10, "open_interest": 0, **OFF}
kernel_case(
    "margin-scaled-001",
    "MARG-4",
    "MARG-2",
    "MARG-3",
    kernel="scaled_initial",
    bug="a factor of the initial requirement is left out, is applied to another base, or is rounded down",
    effect="new risk is opened with too little margin, or asks for more than the position is worth",
    importance=CRITICAL,
    calls=[
        (THOUSAND, {"initial": 100}),
        ({**THOUSAND, "multiplier": 3 * SCALE // 2}, {"initial": 150}),
        ({**THOUSAND, "multiplier": 8 * SCALE}, {"initial": 800}),
        ({**THOUSAND, "multiplier": 2**33}, {"initial": 859}),  # 858.99..
        ({**THOUSAND, "tiered": 200, "multiplier": 8 * SCALE}, {"initial": 1_000}),  # 1,600, at most 1,000
        ({**THOUSAND, "tiered": 3, "multiplier": SCALE + 1}, {"initial": 4}),  # 3.000000003
        # a size ratio of 10 x 3 % = 30 %
        ({**THOUSAND, "size_slope": 3 * P}, {"initial": 400}),
        ({**THOUSAND, "size_slope": 3 * P, "multiplier": 8 * SCALE}, {"initial": 1_000}),
        ({**THOUSAND, "value": 2_500, "tiered": 250, "size": 25, "size_slope": P // 2, "size_unit": 10},
         {"initial": 282}),  # 250 + 31.25, up 32
        # open interest of 2,000 of 4,000: half of what is missing to the notional
        ({**THOUSAND, "open_interest": 2_000, "open_interest_upper": 4_000}, {"initial": 550}),
        ({**THOUSAND, "open_interest": 2_000, "open_interest_upper": 4_000, "multiplier": 3 * SCALE // 2},
         {"initial": 575}),  # 150 + 850 / 2
        ({**THOUSAND, "open_interest": 4_000, "open_interest_upper": 4_000}, {"initial": 1_000}),
        ({**THOUSAND, "open_interest": 3_000, "open_interest_lower": 2_000, "open_interest_upper": 6_000},
         {"initial": 325}),  # 100 + 900 / 4
        ({**THOUSAND, "open_interest": 1, "open_interest_upper": 1_000_000}, {"initial": 101}),  # 0.0009
        ({"value": 0, "tiered": 0, "size": 0, "open_interest": 2**56, **OFF, "open_interest_upper": 1}, {"initial": 0}),
        ({"value": 2**56, "tiered": 2**56, "size": 2**40, "open_interest": 2**56, **OFF, "multiplier": 2**33},
         {"initial": 2**56}),
    ],
)  # fmt: skip
kernel_case(
    "margin-index-value-001",
    "MARG-7",
    kernel="index_value",
    bug="collateral is rounded up, or its unit is ignored",
    effect="collateral backs more than it is worth",
    importance=CRITICAL,
    calls=[
        ({"amount": 10, "price": 2_000, "unit": 3}, {"worth": 6_666}),  # 6,666.67
        ({"amount": 2, "price": 1, "unit": 3}, {"worth": 0}),
        ({"amount": 3, "price": 1, "unit": 3}, {"worth": 1}),
        ({"amount": 4, "price": 1, "unit": 3}, {"worth": 1}),
        ({"amount": 5, "price": 1, "unit": 3}, {"worth": 1}),
        ({"amount": 0, "price": 2_000, "unit": 1}, {"worth": 0}),
        ({"amount": 1, "price": 2_000, "unit": 1}, {"worth": 2_000}),
        ({"amount": 5 * 10**7, "price": 6 * 10**10, "unit": 10**8}, {"worth": 3 * 10**10}),
        ({"amount": 2**60, "price": 2**36, "unit": 1}, {"worth": 2**96}),
        ({"amount": 2**60, "price": 2**36, "unit": 2**60}, {"worth": 2**36}),
        ({"amount": 2**60 - 1, "price": 2**36, "unit": 2**60}, {"worth": 2**36 - 1}),
    ],
)
HALF = {"weight": SCALE // 2, "cap": 10**6}
kernel_case(
    "margin-counted-profit-001",
    "MARG-8",
    kernel="counted_profit",
    bug="a loss takes the weight of a profit, a profit is rounded up, or the cap is applied before the weight",
    effect="unrealised profit finances its own growth",
    importance=CRITICAL,
    calls=[
        ({"unrealised": 1_000, **HALF}, {"counted": 500}),
        ({"unrealised": 3, **HALF}, {"counted": 1}),
        ({"unrealised": 2, **HALF}, {"counted": 1}),
        ({"unrealised": 1, **HALF}, {"counted": 0}),
        ({"unrealised": 0, **HALF}, {"counted": 0}),
        ({"unrealised": -1, **HALF}, {"counted": -1}),
        ({"unrealised": -7, **HALF}, {"counted": -7}),
        ({"unrealised": -7, "weight": 0, "cap": 0}, {"counted": -7}),
        ({"unrealised": 1_000, "weight": SCALE // 2, "cap": 300}, {"counted": 300}),
        ({"unrealised": 599, "weight": SCALE // 2, "cap": 300}, {"counted": 299}),
        ({"unrealised": 601, "weight": SCALE // 2, "cap": 300}, {"counted": 300}),
        ({"unrealised": 602, "weight": SCALE // 2, "cap": 300}, {"counted": 300}),
        ({"unrealised": 1_000, "weight": 0, "cap": 300}, {"counted": 0}),
        ({"unrealised": 1_000, "weight": SCALE, "cap": 0}, {"counted": 0}),
        ({"unrealised": 1_000, "weight": SCALE, "cap": 1_000}, {"counted": 1_000}),
        ({"unrealised": 2**126, "weight": SCALE, "cap": 2**60}, {"counted": 2**60}),
        # 2^92 / 10^9 is above 2^60 too
        ({"unrealised": 2**126, "weight": 1, "cap": 2**60}, {"counted": 2**60}),
        ({"unrealised": 10**18, "weight": 1, "cap": 2**60}, {"counted": 10**9}),
        ({"unrealised": -(2**126), "weight": 1, "cap": 2**60}, {"counted": -(2**126)}),
    ],
)


# ---------------------------------------------------------------------------------------------------------------
# Requirements in events


@case(
    "margin-initial-001",
    "MARG-1",
    "MARG-10",
    bug="a fill that leaves exactly initial margin is refused, or one atom less is accepted",
    effect="positions are opened with too little margin",
    importance=CRITICAL,
    start=bare(),
)
def a_fill_leaves_initial_margin(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_100)
    short_of(box, "a", "b", 101, 1_000, account="a")  # 10,100 > 10,000
    short_of(box, "b", "a", 101, 1_000, account="a")
    box.trade("a", "b", 100, 1_000)
    box.hand("observable.accounts.a.positions.BTC-PERP.cost", 100_000, "100 x 1,000; 10 % of it is 10,000 <= 10,000")


TIERED = bare(margin=replace(MARGIN, tiers=SLICES))


@case(
    "margin-initial-002",
    "MARG-1",
    "MARG-10",
    bug="a notional is charged whole at the ratio of its last tier",
    effect="one lot more doubles the requirement",
    start=TIERED,
)
def a_fill_across_tiers(box: Recorder) -> None:
    start(box, 1_000, a=30_000, b=30_001)
    short_of(box, "a", "b", 201, 1_000, account="a")  # 10,000 + 20 % of 101,000 = 30,200
    box.trade("a", "b", 200, 1_000)
    box.hand("observable.accounts.a.positions.BTC-PERP.size", 200, "10,000 + 20 % of 100,000 = 30,000 <= 30,000")


CROWDED = bare(margin=replace(MARGIN, open_interest_lower=50_000, open_interest_upper=250_000))


@case(
    "margin-initial-003",
    "MARG-2",
    "MARG-10",
    bug="open interest before the fill decides, or the scaling is left out",
    effect="the fill that builds up the interest does not pay for it",
    incident=YFI,
    importance=CRITICAL,
    start=CROWDED,
)
def open_interest_counts_after_the_fill(box: Recorder) -> None:
    # 100 lots: (100,000 - 50,000) / 200,000 = 25 %; 10,000 + 25 % of 90,000 = 32,500.
    start(box, 1_000, a=32_500, b=32_500, c=32_499)
    short_of(box, "a", "c", 100, 1_000, account="c")
    box.trade("a", "b", 100, 1_000)
    box.hand("observable.markets.BTC-PERP.open_interest", 100, "0 + 100; both have 32,500 >= 32,500")


@case(
    "margin-initial-004",
    "MARG-3",
    "MARG-10",
    bug="the scaling with size is left out, or its requirement rounded down",
    effect="a position that takes long to close asks for too little",
    start=bare(margin=replace(MARGIN, size_slope=5_000_000, size_unit=10)),
)
def size_adds_to_initial_margin(box: Recorder) -> None:
    # 25 lots at 100: 10 % of 2,500 = 250, and 25 x 0.5 % / 10 = 1.25 % of it = 31.25, up 32.
    start(box, 100, a=282, b=282, c=281)
    short_of(box, "a", "c", 25, 100, account="c")
    box.trade("a", "b", 25, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 25, "0 + 25; 282 >= 250 + 32")


@case(
    "margin-initial-005",
    "MARG-4",
    "MARG-10",
    bug="the multiplier is left out, or rounded down",
    effect="a market's margin cannot be raised in a hurry",
    start=bare(margin=replace(MARGIN, multiplier=1_500_000_001)),
)
def the_multiplier_raises_initial_margin(box: Recorder) -> None:
    start(box, 1_000, a=151, b=151, c=150)
    short_of(box, "a", "c", 1, 1_000, account="c")  # 100 x 1.500000001 = 150.0000001, up 151
    box.trade("a", "b", 1, 1_000)
    box.hand("observable.markets.BTC-PERP.open_interest", 1, "0 + 1; 151 >= 151")


@case(
    "margin-initial-006",
    "MARG-4",
    "PARM-13",
    bug="initial margin may lie below the maintenance that still holds",
    effect="a position may be liquidated in the second in which it is opened",
    importance=CRITICAL,
    start=bare(margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 10 * P, 10 * P),))),
)
def initial_is_never_below_maintenance(box: Recorder) -> None:
    start(box, 1_000, a=99, b=1_000)
    looser = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 9 * P, 5 * P),))
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, margin=looser)))
    short_of(box, "a", "b", 1, 1_000, account="a")  # 9 % = 90, but maintenance is still 100
    box.time = 3
    box.trade("a", "b", 1, 1_000)
    box.hand("observable.accounts.a.positions.BTC-PERP.size", 1, "100 - 50 x 2 / 60 = 98.33, up 99 <= 99")


@case(
    "margin-maintenance-001",
    "MARG-2",
    "MARG-4",
    "MARG-12",
    bug="open interest scales maintenance",
    effect="somebody trades between two own accounts and liquidates a stranger without any price change",
    importance=CRITICAL,
    start=bare(margin=replace(MARGIN, open_interest_lower=1_000, open_interest_upper=2_000)),
)
def open_interest_of_others_liquidates_nobody(box: Recorder) -> None:
    # 10 lots at 95: 100 - 50 = 50 against 5 % of 950 = 47.5, up 48. Then open interest goes from 950 to 95,000.
    start(box, 100, a=100, b=1_000, e1=10**6, e2=10**6)
    box.trade("a", "b", 10, 100)
    box.drive(95)
    box.trade("e1", "e2", 990, 95)
    box.hand("observable.markets.BTC-PERP.open_interest", 1_000, "10 + 990")
    box.do("e1", ev.Liquidate("a", "e1", PERP, 10), Reason.NOT_LIQUIDATABLE)
    box.do("a", ev.Withdraw("a", "USD", 1), Reason.BELOW_INITIAL_MARGIN)  # its initial requirement is 950 now


@case(
    "margin-maintenance-002",
    "MARG-4",
    "MARG-12",
    bug="multiplier or size scale maintenance",
    effect="a change that should bind new risk liquidates what is open",
    importance=CRITICAL,
    start=bare(),
)
def multiplier_and_size_leave_maintenance(box: Recorder) -> None:
    start(box, 100, a=100, b=1_000)
    box.trade("a", "b", 10, 100)
    box.drive(95)
    raised = replace(MARGIN, multiplier=8 * SCALE, size_slope=SCALE, size_unit=1)
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, margin=raised)))
    box.hand("receipt.amounts.ramp_end", 6, "the tiers are the same: now, 5 steps after 1")
    box.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)  # 50 >= 48


# ---------------------------------------------------------------------------------------------------------------
# What an account is worth


@case(
    "margin-exposure-001",
    "MARG-6",
    "MARG-11",
    bug="positions of two markets are not netted, or their requirements are",
    effect="an account in two markets withdraws too much or too little",
    importance=CRITICAL,
    start=genesis(pool=BARE, feeds=(FEED,), markets=(LISTING, replace(LISTING, market="BTC-2"))),
)
def results_net_and_requirements_add(box: Recorder) -> None:
    # Long 10 and short 4 from 1,000, now 1,010: 100 - 40 = 60 of profit, of which nothing counts towards outflows.
    start(box, 1_000, a=2_000, b=5_000)
    box.trade("a", "b", 10, 1_000)
    box.trade("b", "a", 4, 1_000, "BTC-2")
    box.price(1_010, time=2)
    most(box, "a", 586, 1_414, "2,000 - 586: 10 % of 10,100 and of 4,040 are 1,010 + 404 = 1,414")


@case(
    "margin-exposure-002",
    "MARG-6",
    "MARG-11",
    "FUND-6",
    bug="funding that is owed and not settled does not count",
    effect="whoever is not settled withdraws the funding that he owes",
    importance=CRITICAL,
    start=bare(
        pool=replace(BARE, profit_weight_withdrawal=SCALE, profit_cap_withdrawal=AMOUNT_MAX),
        funding=replace(FUNDING, interest=5_000_000, interest_form=InterestForm.ADDED, cap=5_000_000),
    ),
)
def funding_owed_counts(box: Recorder) -> None:
    # 0.5 % of 1,000 is 5 atoms a lot: the long of 10 owes 50, the short is owed 50.
    start(box, 1_000, a=2_000, b=2_000)
    box.trade("a", "b", 10, 1_000)
    box.price(1_000, time=3_600)
    box.do("z", ev.AccrueFunding(PERP))
    most(box, "a", 950, 1_000, "2,000 - 50 - 950 >= 10 % of 10,000; the balance is shown net of what is owed")
    most(box, "b", 1_050, 1_000, "2,000 + 50 - 1,050 >= 1,000")


FALLING = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * P, 20 * P),))


@case(
    "margin-exposure-003",
    "MARG-6",
    "FALL-9",
    "MARG-11",
    bug="a gains haircut that is owed and not settled does not count",
    effect="a winner withdraws the gain that has been taken",
    importance=CRITICAL,
    start=genesis(
        pool=replace(BARE, layers=(Layer.GAINS_HAIRCUT,), profit_weight_withdrawal=SCALE,
                     profit_cap_withdrawal=AMOUNT_MAX),
        feeds=(replace(FEED, band=4 * P),),
        markets=(replace(LISTING, parameters=replace(
            MARKET, margin=FALLING, mark=replace(MARK, variation_interval=1)
        )),),
    ),
)  # fmt: skip
def a_haircut_owed_counts(box: Recorder) -> None:
    # Short 5 from 300 with 300, at 362: -10. Its lots close against ``w``, who won more for its equity.
    start(box, 300, x=300, w=10_000, g=100_000, s=10_000)
    box.trade("w", "x", 5, 300)
    for time in (2, 3, 4, 5):  # 312, 324, 336, 349
        box.price(400, time=time)
    box.trade("g", "s", 10, 349)
    box.price(400, time=6)
    box.do("z", ev.ResolveDefault("x"))
    box.hand("receipt.amounts.gains_haircut", 10, "deficit 300 - 5 x 62 = -10; 1 of each of the 10 lots that are left")
    most(box, "g", 99_396, 594, "100,000 + 10 x 13 - 10 - 99,396 = 20 % of 3,620 = 724; shown net of the 10")


@case(
    "margin-stale-001",
    "MARG-5",
    "ORCL-9",
    "MARG-11",
    bug="a stale position counts at its last price, or its age counts from another second",
    effect="money leaves against a price that is known to be wrong",
    importance=CRITICAL,
    start=bare(),
)
def a_stale_position_counts_at_the_worst_price(box: Recorder) -> None:
    # Mark 1,000, fresh until 601. 5 lots need 500. 0.01 % a second: at 701 1 % = 10 a lot, 50 on either side.
    start(box, 1_000, a=10_000, b=10_000)
    box.trade("a", "b", 5, 1_000)
    box.time = 601
    box.do("a", ev.Withdraw("a", "USD", 9_501), Reason.BELOW_INITIAL_MARGIN)
    box.time = 602
    box.do("a", ev.Withdraw("a", "USD", 9_496), Reason.BELOW_INITIAL_MARGIN)  # 1 s: 0.1, up 1 a lot, 5
    box.time = 701
    most(box, "a", 9_450, 550, "10,000 - 9,450 - 50 = 500")
    most(box, "b", 9_450, 550, "10,000 - 9,450 - 50 = 500: for a short the price is 1,010")


@case(
    "margin-stale-002",
    "MARG-5",
    "MARG-11",
    bug="a position is stale in the last second of its freshness",
    effect="two engines judge the same second differently",
    start=bare(),
)
def a_mark_is_fresh_in_its_last_second(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000)
    box.trade("a", "b", 5, 1_000)
    box.time = 601
    most(box, "a", 9_500, 500, "10,000 - 9,500 = 500: 1 + 600 is fresh")
    box.time = 602
    most(box, "b", 9_495, 505, "10,000 - 9,495 - 5: 0.1, up 1 a lot")


@case(
    "margin-stale-003",
    "MARG-5",
    "MARG-12",
    bug="the age penalty has no cap, or the cap of another parameter",
    effect="a silent source takes whole accounts",
    start=bare(mark=replace(MARK, stale_cap=20 * P)),
)
def the_age_penalty_is_capped(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000)
    box.trade("a", "b", 5, 1_000)
    box.time = 100_000
    most(box, "a", 8_500, 1_500, "10,000 - 8,500 - 20 % of 5,000 = 500")


@case(
    "margin-stale-004",
    "MARG-5",
    "MARG-9",
    "FALL-1",
    bug="age alone sends an account into default, or does not make it liquidatable",
    effect="one lot in a dead market takes an account hostage or robs it",
    importance=CRITICAL,
    start=genesis(
        pool=BARE, feeds=(FEED, ETH_FEED), markets=(LISTING, replace(LISTING, market="ETH-PERP", feed="ETH"))
    ),
)
def one_stale_lot_takes_no_account_hostage(box: Recorder) -> None:
    # 10 BTC and one ETH lot from 100. ETH is 4,400 s overdue at 5,000: 44 % of 100 = 44. BTC is at 100 again.
    start(box, 100, a=115, b=10_000)
    box.price(100, "ETH")
    box.trade("a", "b", 10, 100)
    box.trade("a", "b", 1, 100, "ETH-PERP")
    box.price(100, time=5_000)
    box.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)  # 115 - 44 = 71 >= 50 + 5
    box.price(100, time=6_700)
    # overdue 6,099 s: at most 50 %: 115 - 50 = 65 >= 55; then BTC at 99: 55 >= 49.5, up 50, + 5
    box.price(99)
    box.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)
    box.drive(98)
    box.do("z", ev.ResolveDefault("a"), Reason.NOT_IN_DEFAULT)
    box.do("b", ev.Liquidate("a", "b", "ETH-PERP", 1), Reason.STALE_PRICE)
    box.do("b", ev.Liquidate("a", "b", PERP, 10))
    box.hand("receipt.amounts.closed", 3, "115 - 20 - 50 = 45 < 49 + 5; (9 + 2) / (5 % - 1 %) = 275, over 98 is 2.8")


FUTURE = replace(LISTING, market="FUT", kind=MarketKind.FUTURE, expiry=700)


@case(
    "margin-claims-001",
    "MARG-6",
    "SETTLE-6",
    bug="a claim counts whole when it is known that it will not be paid whole, or is rounded up",
    effect="a claim on an empty pot is spent",
    importance=CRITICAL,
    start=genesis(
        pool=replace(BARE, profit_weight_withdrawal=SCALE, profit_cap_withdrawal=AMOUNT_MAX, withdrawal_margin=P),
        feeds=(replace(FEED, band=4 * P),),
        markets=(replace(FUTURE, parameters=replace(
            MARKET,
            margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * P, 20 * P),)),
            mark=replace(MARK, variation_interval=1),
        )),),
    ),
)  # fmt: skip
def a_claim_counts_at_its_payout(box: Recorder) -> None:
    # One and two lots from 1,000, settled at 1,300: claims of 300 and 600 on a pot of 800.
    start(box, 1_000, w=1_000, v=1_000, s=800, b=10**6)
    box.trade("w", "s", 1, 1_000, "FUT")
    box.trade("v", "s", 2, 1_000, "FUT")
    box.drive(1_300)
    box.price(1_300, time=100)
    box.time = 700
    box.do("z", ev.FixSettlement("FUT"))
    box.do("z", ev.SettlePosition("w", "FUT"))
    box.do("z", ev.SettlePosition("v", "FUT"))
    box.do("w", ev.Withdraw("w", "USD", 1_100))
    box.hand("observable.accounts.w.balances.USD", -100, "1,000 - 1,100: the claim of 300 counts whole until then")
    box.do("z", ev.SettlePosition("s", "FUT"))
    box.hand("receipt.amounts.collected", 800, "all that there is of 900")
    most(box, "w", 166, -266, "-100 + 300 x 800 / 900 = -100 + 266.67, down 266: 166 may leave")
    box.do("z", ev.PayClaim("w", "FUT"))
    box.hand("observable.accounts.w.balances.USD", 0, "-266 + 266")


# ---------------------------------------------------------------------------------------------------------------
# Collateral


def eth(box: Recorder, account: str, amount: int) -> None:
    """An account that holds ETH and no cash."""
    box.open(account)
    box.do(account, ev.Deposit(account, "ETH", amount))


@case(
    "margin-collateral-001",
    "MARG-7",
    "MARG-11",
    bug="collateral is valued and cut by its haircut in one rounding, or its unit is ignored",
    effect="collateral backs an atom more than the rules say",
    importance=CRITICAL,
    start=lent(pool=replace(LENDING, collateral=(replace(ETH, unit=3),))),
)
def collateral_is_rounded_down_twice(box: Recorder) -> None:
    box.price(2_000, "ETH", time=1)
    box.open("b", 10_000)
    eth(box, "a", 10)
    most(box, "a", 5_332, -5_332, "10 x 2,000 / 3 = 6,666.67, down 6,666; 80 % of it 5,332.8, down 5,332")


@case(
    "margin-collateral-002",
    "MARG-7",
    "ORCL-9",
    "MARG-11",
    bug="collateral of a silent feed keeps its worth, or loses it from another second",
    effect="money leaves against an asset whose price nobody knows",
    importance=CRITICAL,
    start=lent(),
)
def stale_collateral_loses_its_worth(box: Recorder) -> None:
    box.price(2_000, "ETH", time=100)
    box.open("b", 10_000)
    for name in ("a", "c", "d"):
        eth(box, name, 1)
    box.time = 700  # 100 + 600: fresh
    most(box, "a", 1_600, -1_600, "80 % of 2,000")
    box.time = 701  # 0.01 % of 2,000 = 0.2, up 1
    most(box, "c", 1_599, -1_599, "80 % of 1,999 = 1,599.2, down")
    box.time = 800  # 1 % of 2,000 = 20
    most(box, "d", 1_584, -1_584, "80 % of 1,980")


@case(
    "margin-collateral-003",
    "MARG-7",
    bug="collateral falls to nothing with its age, or an asset that never had a price is worth 1",
    effect="a debt of an atom costs a thousand ETH",
    importance=CRITICAL,
    start=replace(
        genesis(
            pool=replace(LENDING, collateral=(ETH, replace(ETH, asset="USDC", feed="USDC"))),
            feeds=(FEED, ETH_FEED, replace(ETH_FEED, feed="USDC")),
            markets=(),
        ),
        assets=tuple(AssetParameters(name, 6) for name in ("USD", "ETH", "USDC")),
    ),
)
def collateral_never_falls_below_one(box: Recorder) -> None:
    box.price(2_000, "ETH", time=100)
    box.open("b", 10_000)
    eth(box, "a", 1_000)
    box.open("c")
    box.do("c", ev.Deposit("c", "USDC", 1_000))
    box.time = 10**6
    most(box, "a", 800, -800, "80 % of 1,000 x 1: 2,000 less 100 % is 0, but at least 1")
    box.do("c", ev.Withdraw("c", "USD", 1), Reason.BELOW_INITIAL_MARGIN)  # no price yet: 0


@case(
    "margin-collateral-004",
    "MARG-9",
    "MARG-7",
    "MARG-12",
    "COLL-8",
    bug="one equity decides liquidation and default",
    effect="an account with 300 of its own is taken through default",
    importance=CRITICAL,
    start=genesis(pool=LENDING, markets=(), feeds=(FEED, replace(ETH_FEED, band=4 * P))),
)
def two_equities_decide_two_things(box: Recorder) -> None:
    # 80 % of 2,200 = 1,760. At 2,000 margin equity is 1,600 - 1,700 = -100, net liquidation value 300.
    box.price(2_200, "ETH", time=1)
    box.open("k", 10_000)
    eth(box, "a", 1)
    box.do("a", ev.Withdraw("a", "USD", 1_700))
    box.do("k", ev.Convert("a", "k", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.drive(2_000, "ETH")
    box.do("z", ev.ResolveDefault("a"), Reason.NOT_IN_DEFAULT)
    box.do("k", ev.Convert("a", "k", "ETH", 1))
    box.hand("receipt.amounts.paid", 1_900, "95 % of 2,000")
    box.hand("observable.accounts.a.balances.USD", 200, "-1,700 + 1,900")


@case(
    "margin-collateral-005",
    "MARG-9",
    "MARG-7",
    "FALL-1",
    bug="the age of collateral counts towards default",
    effect="a silent source sends an account into default",
    importance=CRITICAL,
    start=genesis(pool=LENDING, markets=()),
)
def age_of_collateral_is_no_default(box: Recorder) -> None:
    box.price(2_000, "ETH", time=100)
    box.open("k", 10_000)
    eth(box, "a", 1)
    box.do("a", ev.Withdraw("a", "USD", 1_600))
    box.time = 3_700  # 3,000 s: 30 %, 1,400 and 1,120 after the haircut; the index is 2,000
    box.do("z", ev.ResolveDefault("a"), Reason.NOT_IN_DEFAULT)
    box.do("k", ev.Convert("a", "k", "ETH", 1))
    box.hand("receipt.amounts.paid", 1_330, "95 % of 1,400: 1,120 - 1,600 < 0")
    box.hand("receipt.amounts.worth", 2_000, "at index")


# ---------------------------------------------------------------------------------------------------------------
# Counted profit


def profit(identifier: str, size: int, derivation: str, **pool: Any) -> None:
    """Register a vector: 100 lots from 1,000 with 10,500, now 1,010: how many lots may be bought on top."""

    def play(box: Recorder) -> None:
        start(box, 1_000, a=10_500, b=10**6)
        box.trade("a", "b", 100, 1_000)
        box.price(1_010, time=2)
        short_of(box, "a", "b", size + 1, 1_010, account="a")
        box.trade("a", "b", size, 1_010)
        box.hand("observable.accounts.a.positions.BTC-PERP.size", 100 + size, derivation)

    case(
        identifier,
        "MARG-8",
        "MARG-10",
        bug="unrealised profit counts whole towards new risk",
        effect="profit buys the position that makes the profit",
        incident=YFI,
        importance=CRITICAL,
        start=bare(pool=replace(BARE, **pool)),
    )(play)


profit(
    "margin-profit-001",
    6,
    "10,500 + min(300, 500) = 10,800: 106 lots need 10,706, 107 need 10,807",
    profit_weight_initial=SCALE // 2,
    profit_cap_initial=300,
)
profit(
    "margin-profit-002",
    8,
    "10,500 + 50 % of 1,000 = 11,000: 108 lots need 10,908, 109 need 11,009",
    profit_weight_initial=SCALE // 2,
    profit_cap_initial=501,
)
profit(
    "margin-profit-003",
    3,
    "10,500 + 0: 103 lots need 10,403, 104 need 10,504",
    profit_weight_initial=0,
    profit_cap_initial=AMOUNT_MAX,
)
profit(
    "margin-profit-004",
    13,
    "10,500 + 1,000 = 11,500: 113 lots need 11,413, 114 need 11,514",
    profit_weight_initial=SCALE,
    profit_cap_initial=1_000,
)


@case(
    "margin-profit-006",
    "MARG-8",
    "MARG-10",
    bug="a loss takes the weight of a profit",
    effect="new risk is opened on money that is lost",
    importance=CRITICAL,
    start=bare(pool=replace(BARE, profit_weight_initial=SCALE // 2)),
)
def a_loss_counts_whole_towards_new_risk(box: Recorder) -> None:
    start(box, 1_000, a=12_000, b=10**6)
    box.trade("a", "b", 100, 1_000)
    box.price(990, time=2)
    short_of(box, "a", "b", 12, 990, account="a")  # 112 lots need 11,088
    box.trade("a", "b", 11, 990)
    box.hand("observable.accounts.a.positions.BTC-PERP.size", 111, "12,000 - 1,000 = 11,000: 111 lots need 10,989")


@case(
    "margin-profit-005",
    "MARG-8",
    "MARG-12",
    bug="the weight of profit applies to maintenance",
    effect="an account is liquidated for a profit that it has",
    importance=CRITICAL,
    start=bare(pool=replace(BARE, profit_weight_initial=0, profit_cap_initial=0)),
)
def profit_counts_whole_for_maintenance(box: Recorder) -> None:
    # Long 100 from 1,000 with 10,000, at 1,010: 11,000. Maintenance goes to 10.5 % of 101,000 = 10,605.
    start(box, 1_000, a=10_000, b=10**6)
    box.trade("a", "b", 100, 1_000)
    box.price(1_010, time=2)
    short_of(box, "a", "b", 1, 1_010, account="a")  # 10,000 < 10,201
    tiers = (Tier(NOTIONAL_MAX, 105_000_000, 105_000_000),)
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, margin=replace(MARGIN, tiers=tiers))))
    box.hand("receipt.amounts.ramp_end", 62, "2 + 60")
    box.time = 62
    box.do("b", ev.Liquidate("a", "b", PERP, 1), Reason.NOT_LIQUIDATABLE)  # 11,000 >= 10,605
    box.trade("b", "a", 100, 1_010)
    box.hand("observable.accounts.a.balances.USD", 11_000, "10,000 + 100 x 10: a close needs no margin")


# ---------------------------------------------------------------------------------------------------------------
# Outflows


def outflow(identifier: str, price: int, amount: int, derivation: str, size: int = 10, **pool: Any) -> None:
    """Register a vector: a long from 1,000 with cash 1,500, now at a price: the most that may leave."""

    def play(box: Recorder) -> None:
        start(box, 1_000, a=1_500, b=5_000)
        box.trade("a", "b", size, 1_000)
        box.price(price, time=2)
        most(box, "a", amount, 1_500 - amount, derivation)

    case(
        identifier,
        "MARG-11",
        "MARG-8",
        bug="an outflow leaves less than the requirement, or unrealised profit leaves",
        effect="profit is withdrawn and the loss that follows stays",
        incident=ETH_2025,
        importance=CRITICAL,
        start=bare(pool=replace(BARE, **pool)),
    )(play)


WHOLE = {"profit_weight_withdrawal": SCALE, "profit_cap_withdrawal": AMOUNT_MAX}
outflow("margin-outflow-001", 1_010, 490, "1,500 - 490 = 10 % of 10,100: a profit of 100 counts nothing")
outflow("margin-outflow-002", 1_010, 590, "1,500 + 100 - 590 = 1,010", **WHOLE)
outflow("margin-outflow-003", 1_010, 288, "1,500 - 288 = 12 % of 10,100 = 1,212", withdrawal_margin=12 * P)
FRACTION = {"withdrawal_margin": 120_000_001}
outflow("margin-outflow-004", 1_010, 287, "12.0000001 % of 10,100 is 1,212.0.., up 1,213", **FRACTION)
outflow("margin-outflow-005", 1_010, 490, "the larger of 1,010 and 9 % = 909", withdrawal_margin=9 * P)
CAPPED = {"profit_weight_withdrawal": SCALE, "profit_cap_withdrawal": 30}
outflow("margin-outflow-006", 1_010, 520, "1,500 + min(30, 100) - 520 = 1,010", **CAPPED)
outflow(
    "margin-outflow-007",
    1_003,
    1_400,
    "1,500 + 50 % of 3 = 1.5, down 1, - 1,400 = 10 % of 1,003, up 101",
    size=1,
    profit_weight_withdrawal=SCALE // 2,
    profit_cap_withdrawal=AMOUNT_MAX,
)
outflow("margin-outflow-008", 990, 410, "1,500 - 100 - 410 = 10 % of 9,900: a loss counts whole")
outflow("margin-outflow-009", 990, 410, "a loss counts whole whatever the weight", **WHOLE)


# ---------------------------------------------------------------------------------------------------------------
# Fills below initial margin

STEEP = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * P, 20 * P),))
"""Initial and maintenance of 20 %, and a feed of 4 % a step: 1.04^2 x 1.01 = 1.0925 <= 1.2 x 0.96 = 1.152."""
QUICK = replace(FEED, band=4 * P)


def fallen(pool: Any = BARE, **sections: Any) -> ev.Genesis:
    """One market with these margins, and ETH as collateral if the pool takes it."""
    parameters = replace(MARKET, margin=STEEP, mark=replace(MARK, variation_interval=1), **sections)
    return genesis(pool=pool, feeds=(QUICK, ETH_FEED), markets=(replace(LISTING, parameters=parameters),))


def four_lots(box: Recorder, cash: int, price: int) -> None:
    """``a`` bought 4 lots at 300; the price fell."""
    start(box, 300, a=cash, b=10_000, second=10_000)
    box.trade("a", "b", 4, 300)
    box.drive(price)


@case(
    "margin-fill-001",
    "MARG-10",
    bug="a fill of a solvent account may lower its health, or must raise it",
    effect="an account sinks below what it owes, or cannot reduce",
    importance=CRITICAL,
    start=fallen(),
)
def health_may_not_fall(box: Recorder) -> None:
    # E = 280 - 200 = 80, R = 20 % of 1,000 = 200. Half sold 2 x 21 below mark: 38 x 200 < 80 x 100; 2 x 20: equal.
    four_lots(box, 280, 250)
    short_of(box, "second", "a", 2, 229, account="a")
    box.trade("second", "a", 2, 230)
    box.hand("observable.accounts.a.balances.USD", 140, "280 + 2 x 230 - 600; E = 140 + 500 - 600 = 40, R = 100")


@case(
    "margin-fill-002",
    "MARG-10",
    bug="a fill below initial margin may raise the requirement if equity rises",
    effect="an account below initial margin takes new risk",
    start=fallen(),
)
def the_requirement_may_not_rise(box: Recorder) -> None:
    # Bought 10 below mark: E 80 to 90, R 200 to 250.
    four_lots(box, 280, 250)
    short_of(box, "a", "b", 1, 240, account="a")
    box.trade("b", "a", 8, 250)
    box.hand("observable.accounts.a.positions.BTC-PERP.size", -4, "4 - 8: R = 200 again and E = 80 still: not worse")
    short_of(box, "b", "a", 1, 260, account="a")


@case(
    "margin-fill-003",
    "MARG-10",
    "FALL-1",
    bug="an account in default fills its way out",
    effect="its counterparties close at mark and escape their share of the deficit",
    importance=CRITICAL,
    start=fallen(),
)
def an_account_in_default_does_not_fill(box: Recorder) -> None:
    # 242 - 4 x 63 = -10. At mark it stays -10; 4 above it is -2; 5 above somebody else has paid: 0.
    four_lots(box, 242, 237)
    short_of(box, "second", "a", 2, 237, account="a")
    short_of(box, "second", "a", 2, 241, account="a")
    box.trade("second", "a", 2, 242)
    box.hand("observable.accounts.a.balances.USD", 126, "242 + 2 x 242 - 600; N = 126 + 2 x 237 - 600 = 0")


@case(
    "margin-fill-004",
    "MARG-10",
    "MARG-9",
    bug="below zero the gap E - R decides, or health by division",
    effect="an owner sells below mark to a second account and takes what others are owed",
    importance=CRITICAL,
    start=fallen(pool=LENDING),
)
def an_insolvent_account_does_not_sink_deeper(box: Recorder) -> None:
    # One ETH at 500 counts 400: cash 242 - 400 = -158. E = -158 + 400 - 252 = -10, N = 90, R = 190.
    box.price(500, "ETH", time=1)
    four_lots_on_eth(box)
    short_of(box, "second", "a", 2, 200, account="a")  # E - R would rise from -200 to -10 - 74 - 95 = -179
    short_of(box, "second", "a", 2, 236, account="a")  # E = -12
    box.trade("second", "a", 2, 237)
    box.hand("observable.accounts.a.balances.USD", -284, "-158 + 2 x 237 - 600; E = -284 + 400 + 474 - 600 = -10")
    box.trade("second", "a", 2, 237)
    box.hand("observable.accounts.a.balances.USD", -410, "-284 + 2 x 237 - 600: closing everything leaves E = -10")
    short_of(box, "a", "second", 1, 237, account="a")  # from R = 0 every position raises the requirement


def four_lots_on_eth(box: Recorder) -> None:
    """The same with one ETH, and 400 of the cash lent out."""
    start(box, 300, a=242, b=10_000, second=10_000)
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.do("a", ev.Withdraw("a", "USD", 400))
    box.trade("a", "b", 4, 300)
    box.drive(237)


@case(
    "margin-fill-005",
    "MARG-10",
    "TRADE-7",
    bug="a fill is judged before its fee",
    effect="a fee takes the health that the test has just confirmed",
    importance=CRITICAL,
    start=fallen(trading=replace(MARKET.trading, taker_fee=P)),
)
def a_fill_is_judged_after_its_fee(box: Recorder) -> None:
    # Buying cost 1 % of 1,200 = 12: cash 292 - 12 = 280. As taker ``a`` sells 2: E' = 80 - 2 d - fee >= 40.
    four_lots(box, 292, 250)
    sale = ev.Trade(PERP, "second", "a", 2, 233, ev.Side.BUYER)  # 34 + 4.66, up 5: E' = 41, and 232: 39
    box.do("venue", replace(sale, price=232), Reason.INSUFFICIENT_MARGIN)
    box.do("venue", sale)
    box.hand("receipt.amounts.taker_fee", 5, "1 % of 466 = 4.66, up")
    box.hand("observable.accounts.a.balances.USD", 141, "280 + 466 - 600 - 5; E = 141 + 500 - 600 = 41 >= 40")


@case(
    "margin-fill-006",
    "MARG-10",
    "FUND-6",
    bug="what was owed before the fill does not count in the standing before it",
    effect="a fill that settles funding is refused, or one that takes as much is accepted",
    start=fallen(funding=replace(FUNDING, interest=P, interest_form=InterestForm.ADDED, cap=P)),
)
def funding_owed_counts_before_and_after(box: Recorder) -> None:
    # 1 % of 250 = 2.5, 2 enter the index: 4 lots owe 8. E = 288 - 200 - 8 = 80, R = 200 as above.
    four_lots(box, 288, 250)
    box.price(250, time=3_600)
    box.do("z", ev.AccrueFunding(PERP))
    short_of(box, "second", "a", 2, 229, account="a")
    box.trade("second", "a", 2, 230)
    box.hand("observable.accounts.a.balances.USD", 140, "288 - 8 + 460 - 600")


# ---------------------------------------------------------------------------------------------------------------
# Liquidation


@case(
    "margin-liquidation-001",
    "MARG-12",
    "LIQ-1",
    bug="an account that holds exactly its maintenance requirement is liquidated",
    effect="a position is taken from an account that holds what is asked of it",
    importance=CRITICAL,
    start=bare(),
)
def the_trigger_is_strict(box: Recorder) -> None:
    # 107 - 10 x 6 = 47 = 5 % of 940.
    start(box, 100, a=107, k=1_000)
    box.trade("a", "k", 10, 100)
    box.drive(94)
    box.do("k", ev.Liquidate("a", "k", PERP, 10), Reason.NOT_LIQUIDATABLE)
    box.drive(93)
    box.do("k", ev.Liquidate("a", "k", PERP, 10))
    box.hand("receipt.amounts.closed", 4, "37 < 46.5, up 47; (10 + 2) / 4 % = 300, over 93 is 3.2, up 4")


@case(
    "margin-critical-001",
    "MARG-12",
    "LIQ-3",
    bug="health at the critical ratio counts as below it, or the ratio is ignored",
    effect="a whole position is closed where a part would do, or a part where the rest goes under",
    importance=CRITICAL,
    start=bare(liquidation=replace(LIQUIDATION, critical_health=60 * P)),
)
def below_critical_health_everything_closes(box: Recorder) -> None:
    # Long 10 from 108, at 100: E = 110 - 80 = 30 and 109 - 80 = 29; R = 50, 60 % of it 30.
    start(box, 108, a=110, c=109, k=10_000)
    box.trade("a", "k", 10, 108)
    box.trade("c", "k", 10, 108)
    box.drive(100)
    box.do("k", ev.Liquidate("a", "k", PERP, 10))
    box.hand("receipt.amounts.closed", 6, "30 is not below 30: (20 + 2) / 4 % = 550, over 100 is 5.5, up 6")
    box.do("k", ev.Liquidate("c", "k", PERP, 10))
    box.hand("receipt.amounts.closed", 10, "29 is below 30: all of it")
