"""Vectors of the parameters: the envelope at equality and one beyond, changes of parameters and their ramps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, PRICE_MAX, RATIO_MAX, SCALE, TIME_MAX
from clearspec.parameters import (
    AssetParameters,
    FeedParameters,
    InterestForm,
    Layer,
    LiquidationParameters,
    MarginParameters,
    MarketKind,
    MarketListing,
    MarkParameters,
    Tier,
    TradingParameters,
)
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
    TRADING,
    genesis,
)
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
PERP = "BTC-PERP"
BARE = replace(POOL, collateral=())
STILL = replace(FEED, band=0)
"""A feed whose index moves by an atom a step at most, so that the price gap asks for no more than the penalty."""
WIDE = replace(STILL, max_price=PRICE_MAX)
EMPTY = genesis(pool=BARE, markets=(), feeds=(FEED,))
ONE = genesis(pool=BARE, feeds=(FEED,))


def tier(initial: int, maintenance: int, upper: int = NOTIONAL_MAX) -> Tier:
    """A tier in percent."""
    return Tier(upper, initial * PERCENT, maintenance * PERCENT)


def new(feed: str = "BTC", **sections: Any) -> MarketListing:
    """The market NEW with changed sections of its parameters."""
    return replace(LISTING, market="NEW", feed=feed, parameters=replace(MARKET, **sections))


def margin(*tiers: Tier, **changes: Any) -> MarginParameters:
    """Margin parameters with these tiers."""
    return replace(MARGIN, tiers=tiers or MARGIN.tiers, **changes)


def refuse(box: Recorder, action: Any, subject: str, reason: Reason = Reason.OUTSIDE_ENVELOPE) -> None:
    """An administrator's action that must be rejected about a subject."""
    receipt = box.do("admin", action, reason)
    if receipt.subject != subject:
        raise AssertionError(f"expected {subject}, got {receipt.subject}")


def listed(box: Recorder, listing: MarketListing, derivation: str) -> None:
    """List a market: a new one has neither price nor positions."""
    box.do("admin", ev.ListMarket(listing))
    box.hand(f"observable.markets.{listing.market}.open_interest", 0, derivation)


def edge(
    identifier: str,
    name: str,
    inside: MarketListing,
    *beyond: MarketListing,
    rule: str = "PARM-9",
    holds: str,
    bug: str,
    effect: str,
    start: ev.Genesis = EMPTY,
    importance: Importance = Importance.RULE,
) -> None:
    """Register a vector: listings beyond an inequality are refused by its name, the one that meets it is listed."""

    def play(box: Recorder) -> None:
        for listing in beyond:
            refuse(box, ev.ListMarket(listing), name)
        listed(box, inside, holds)

    rules = (rule,) if rule == "PARM-9" else (rule, "PARM-9")
    case(identifier, *rules, bug=bug, effect=effect, start=start, importance=importance)(play)


# ---------------------------------------------------------------------------------------------------------------
# Tiers


edge(
    "parameters-tiers-present-001",
    "tiers-present",
    new(margin=margin(tier(10, 5))),
    new(margin=replace(MARGIN, tiers=())),
    rule="PARM-7",
    holds="1 <= 1 tier: listed, and still empty",
    bug="a market without tiers is listed",
    effect="an account that holds nothing opens any position",
    importance=CRITICAL,
)
edge(
    "parameters-tiers-ascend-001",
    "tiers-ascend",
    new(margin=margin(tier(10, 5, 0), tier(10, 5, 1), tier(10, 5, 1_000), tier(10, 5, 1_001), tier(10, 5))),
    new(margin=margin(tier(10, 5, 1_000), tier(10, 5, 1_000), tier(10, 5))),
    new(margin=margin(tier(10, 5, 1_000), tier(10, 5, 999), tier(10, 5))),
    new(margin=margin(tier(10, 5), tier(10, 5))),
    rule="PARM-7",
    holds="-1 + 1 <= 0, 0 + 1 <= 1, 1,000 + 1 <= 1,001: every upper bound is at least one above the last",
    bug="a tier that ends where the one before it ends is accepted, or the first must not end at 0",
    effect="a slice of notional is charged twice",
)
edge(
    "parameters-tiers-initial-001",
    "initial-never-falls",
    new(margin=margin(tier(10, 5, 1_000), tier(10, 5))),
    new(margin=margin(tier(10, 5, 1_000), Tier(NOTIONAL_MAX, 10 * PERCENT - 1, 5 * PERCENT))),
    rule="PARM-7",
    holds="10 % <= 10 %",
    bug="the initial ratio may fall from tier to tier",
    effect="one large position is cheaper than its parts",
)
edge(
    "parameters-tiers-maintenance-001",
    "maintenance-never-falls",
    new(margin=margin(tier(10, 5, 1_000), tier(10, 5))),
    new(margin=margin(tier(10, 5, 1_000), Tier(NOTIONAL_MAX, 10 * PERCENT, 5 * PERCENT - 1))),
    rule="PARM-7",
    holds="5 % <= 5 %",
    bug="the maintenance ratio may fall from tier to tier",
    effect="the price gap is checked against a ratio that large positions do not have",
    importance=CRITICAL,
)
edge(
    "parameters-tiers-order-001",
    "maintenance-at-most-initial",
    new(margin=margin(tier(10, 10, 1_000), tier(11, 11))),
    new(margin=margin(Tier(1_000, 10 * PERCENT, 10 * PERCENT + 1), tier(11, 11))),
    new(margin=margin(tier(10, 10, 1_000), Tier(NOTIONAL_MAX, 11 * PERCENT, 11 * PERCENT + 1))),
    rule="PARM-7",
    holds="10 % <= 10 % and 11 % <= 11 %",
    bug="maintenance above initial is accepted, in the first tier or in a later one",
    effect="a position may be liquidated in the second in which it is opened",
)
edge(
    "parameters-tiers-top-001",
    "tiers-reach-the-top",
    new(margin=margin(tier(10, 5, 2**56))),
    new(margin=margin(tier(10, 5, 2**56 - 1))),
    rule="PARM-7",
    holds="2^56 <= 2^56",
    bug="the last tier ends below the greatest notional",
    effect="what lies above the last tier asks for no margin",
    importance=CRITICAL,
)


@case(
    "parameters-tiers-sequence-001",
    "PARM-7",
    "PARM-9",
    bug="the inequalities of the tiers are looked at in another order",
    effect="two correct engines name different inequalities",
)
def the_first_broken_inequality_of_the_tiers_is_named(box: Recorder) -> None:
    # Every listing breaks the inequality that it is refused for and one that comes later.
    first = Tier(1_000, 100_000_000, 95_000_000)
    for name, tiers in (
        ("tiers-present", ()),  # and nothing reaches the top
        ("tiers-ascend", (first, Tier(1_000, 80_000_000, 90_000_000))),
        ("initial-never-falls", (first, Tier(1_001, 80_000_000, 90_000_000))),
        ("maintenance-never-falls", (first, Tier(1_001, 100_000_000, 90_000_000))),
        ("maintenance-at-most-initial", (replace(first, maintenance=100_000_001), Tier(900, 1, 1))),
        ("maintenance-at-most-initial", (first, Tier(1_001, 100_000_000, 110_000_000))),
        ("tiers-reach-the-top", (first, Tier(1_001, 100_000_000, 95_000_000))),
    ):
        refuse(box, ev.ListMarket(new(margin=replace(MARGIN, tiers=tiers), trading=GREEDY)), name)
    listed(box, new(margin=margin(first, replace(first, upper=2**56))), "all inequalities hold")


# ---------------------------------------------------------------------------------------------------------------
# The table of a market

ROOMY = replace(TRADING, max_position=2**20, max_open_interest=2**20)
GREEDY = replace(TRADING, maker_fee=-1)

edge(
    "parameters-envelope-position-001",
    "position-notional-bounded",
    new(trading=ROOMY),
    new(trading=replace(ROOMY, max_position=2**20 + 1)),
    holds="2^20 x 2^36 = 2^56 <= 2^56",
    bug="the notional of the greatest position is not bounded",
    effect="an engine of fixed width overflows and credits what it should debit",
    start=genesis(pool=BARE, markets=(), feeds=(WIDE,)),
)
edge(
    "parameters-envelope-open-interest-001",
    "open-interest-bounded",
    new(trading=ROOMY),
    new(trading=replace(ROOMY, max_open_interest=2**20 + 1)),
    holds="2^20 x 2^36 = 2^56 <= 2^56",
    bug="the notional of the greatest open interest is not bounded",
    effect="an engine of fixed width overflows in the scaling with open interest",
    start=genesis(pool=BARE, markets=(), feeds=(WIDE,)),
)
edge(
    "parameters-envelope-rebate-001",
    "rebate-covered",
    new(trading=replace(TRADING, taker_fee=200_000, maker_fee=-200_000)),
    new(trading=replace(TRADING, taker_fee=200_000, maker_fee=-200_001)),
    new(trading=replace(TRADING, taker_fee=0, maker_fee=-1)),
    holds="-(-0.02 %) = 0.02 % <= 0.02 %",
    bug="a rebate above the taker fee is accepted",
    effect="two accounts of one owner are paid for trading with each other",
    importance=CRITICAL,
)
edge(
    "parameters-envelope-penalty-001",
    "penalty-below-maintenance",
    new(liquidation=replace(LIQUIDATION, penalty=49_999_999)),
    new(liquidation=replace(LIQUIDATION, penalty=50_000_000)),
    holds="49,999,999 + 1 <= 50,000,000; on a still feed the gap asks for 1.049999999 <= 1.05",
    bug="a penalty equal to maintenance is accepted",
    effect="a partial liquidation frees what it costs, and its size divides by zero",
    start=genesis(pool=BARE, markets=(), feeds=(STILL,)),
    importance=CRITICAL,
)
edge(
    "parameters-envelope-reward-001",
    "reward-at-most-penalty",
    new(liquidation=replace(LIQUIDATION, penalty=PERCENT, reward=PERCENT)),
    new(liquidation=replace(LIQUIDATION, penalty=PERCENT, reward=PERCENT + 1)),
    holds="1 % <= 1 %",
    bug="a reward above the penalty is accepted",
    effect="a reward is announced that is never paid",
)
edge(
    "parameters-envelope-reward-floor-001",
    "reward-floor-at-most-penalty",
    new(liquidation=replace(LIQUIDATION, penalty=PERCENT, reward_floor=PERCENT)),
    new(liquidation=replace(LIQUIDATION, penalty=PERCENT, reward_floor=PERCENT + 1)),
    holds="1 % <= 1 %",
    bug="a reward floor above the penalty is accepted",
    effect="an owner liquidates into a second account and is paid by insurance",
    importance=CRITICAL,
)
edge(
    "parameters-envelope-taker-fee-001",
    "taker-fee-at-most-maintenance",
    new(trading=replace(TRADING, taker_fee=50_000_000)),
    new(trading=replace(TRADING, taker_fee=50_000_001)),
    holds="5 % <= 5 %",
    bug="a taker fee above maintenance is accepted",
    effect="an account at maintenance that closes pays more than it has",
    importance=CRITICAL,
)
edge(
    "parameters-envelope-scale-001",
    "open-interest-scale-ordered",
    new(margin=margin(open_interest_lower=6, open_interest_upper=7)),
    new(margin=margin(open_interest_lower=7, open_interest_upper=7)),
    new(margin=margin(open_interest_lower=8, open_interest_upper=7)),
    new(margin=margin(open_interest_lower=1, open_interest_upper=1)),
    holds="6 <= 7 - 1",
    bug="equal bounds of open interest are accepted",
    effect="the scaling divides by zero",
)
edge(
    "parameters-envelope-scale-off-001",
    "open-interest-scale-ordered",
    new(margin=margin(open_interest_lower=2**60, open_interest_upper=0)),
    new(margin=margin(open_interest_lower=2**60, open_interest_upper=1)),
    holds="the upper bound 0 switches the scaling off, whatever the lower one is",
    bug="the lower bound is compared with an upper bound of 0",
    effect="a market without scaling cannot be listed",
)
edge(
    "parameters-envelope-interval-001",
    "funding-interval-within-gap",
    new(funding=replace(FUNDING, interval=3_600, max_gap=3_600)),
    new(funding=replace(FUNDING, interval=3_601, max_gap=3_600)),
    holds="3,600 <= 3,600",
    bug="an interval longer than the greatest gap is accepted",
    effect="part of all funding is never charged",
)
edge(
    "parameters-envelope-samples-001",
    "samples-fit",
    new(funding=replace(FUNDING, interval=5_120, max_gap=5_120, sample_interval=10)),
    new(funding=replace(FUNDING, interval=5_121, max_gap=5_121, sample_interval=10)),
    holds="5,120 <= 10 x 512",
    bug="more samples fit in an interval than are kept",
    effect="the last samples decide the funding of the whole interval",
)


# ---------------------------------------------------------------------------------------------------------------
# The price gap

TIGHT_FEED = replace(FEED, band=3_716_506, step_interval=7)
TIGHT_MARGIN = margin(Tier(1_000, 100_000_000, 21_634_221), tier(50, 40), gap_steps=2)
TIGHT_MARK = replace(MARK, band=732_707)
TIGHT_FUNDING = replace(FUNDING, cap=782_554, max_gap=3_601, period=3_600)
TIGHT_LIQUIDATION = replace(LIQUIDATION, penalty=4_312_019, reward=0)
# f = 782,554 x (3,601 + 3 x 7) / 3,600 = 2,834,410,588 / 3,600 = 787,336.27.. up 787,337
# (1 + s)^3: 1,003,716,506, 1,007,446,824.4168.. up .825, 1,011,191,007.1697.. up 1,011,191,008
# (1 + p)(1 + b) = 1,005,047,885.4465.. up .886; with f 1,005,835,223
# rise = 1,011,191,008 x 1,005,835,223 = 1,017,091,533.0272.. up 1,017,091,534
# (1 + m)(1 - b) = 1,020,885,662.4548.. down .662; x (1 - s) = 1,017,091,534.3118.. down 1,017,091,534
# with m less one: 1,020,885,661.4555.. down .661; x (1 - s) = 1,017,091,533.3155.. down 1,017,091,533
# Each rounding in the other direction would let the lower m pass.


def tight(feed: str = "BTC", **sections: Any) -> MarketListing:
    """The market whose price gap is met with equality, with changed sections."""
    base = {
        "margin": TIGHT_MARGIN,
        "mark": TIGHT_MARK,
        "funding": TIGHT_FUNDING,
        "liquidation": TIGHT_LIQUIDATION,
    }
    return new(feed, **{**base, **sections})


edge(
    "parameters-gap-up-001",
    "gap-up",
    tight(),
    tight(margin=margin(Tier(1_000, 100_000_000, 21_634_220), tier(50, 40), gap_steps=2)),
    rule="PARM-8",
    holds="1,011,191,008 x 1,005,835,223 up = 1,017,091,534 = 1,020,885,662 x 996,283,494 down",
    bug="a step of the gap inequality is rounded in the other direction, or a factor is missing",
    effect="a short at maintenance cannot pay its loss and its penalty",
    start=genesis(pool=BARE, markets=(), feeds=(TIGHT_FEED,)),
    importance=CRITICAL,
)
edge(
    "parameters-gap-up-002",
    "gap-up",
    tight(),
    tight(liquidation=replace(TIGHT_LIQUIDATION, penalty=4_312_020)),
    tight(mark=replace(TIGHT_MARK, band=732_708)),
    tight(margin=replace(TIGHT_MARGIN, gap_steps=3)),
    tight(funding=replace(TIGHT_FUNDING, cap=782_555)),
    tight(funding=replace(TIGHT_FUNDING, max_gap=3_602)),
    tight(funding=replace(TIGHT_FUNDING, period=3_599)),
    tight("SLOW"),
    tight("WIDE"),
    rule="PARM-8",
    holds="1,017,091,534 = 1,017,091,534; every number that enters is at its limit",
    bug="a parameter is left out of the gap inequality",
    effect="a parameter outside the envelope comes into force and positions end in deficit",
    start=genesis(
        pool=BARE,
        markets=(),
        feeds=(
            TIGHT_FEED,
            replace(TIGHT_FEED, feed="SLOW", step_interval=8),
            replace(TIGHT_FEED, feed="WIDE", band=3_716_507),
        ),
    ),
    importance=CRITICAL,
)
edge(
    "parameters-gap-up-003",
    "gap-up",
    new(margin=margin(Tier(NOTIONAL_MAX, 100_000_000, 40_708_081)), mark=replace(MARK, variation_interval=1)),
    new(margin=margin(Tier(NOTIONAL_MAX, 100_000_000, 40_708_080)), mark=replace(MARK, variation_interval=1)),
    rule="PARM-8",
    holds="1.01^2 x 1.01 = 1.030301 <= 1.040708081 x 0.99 = 1.030301000.. (down 1,030,301,000)",
    bug="the gap counts k steps and not k + 1, or forgets the band on the other side of the anchor",
    effect="a short of 100 lots at 9,900 with 3 % ends at -400 after two steps of 1 %",
    importance=CRITICAL,
)


@case(
    "parameters-gap-saturated-001",
    "PARM-6",
    "PARM-8",
    bug="the compounded step is not limited and overflows",
    effect="an engine of fixed width accepts a gap that nothing can survive",
    start=genesis(pool=BARE, markets=(), feeds=(replace(FEED, band=500_000_000), replace(STILL, feed="STILL"))),
)
def a_gap_of_256_steps_of_half_is_refused(box: Recorder) -> None:
    full = margin(tier(100, 100), gap_steps=256)
    refuse(box, ev.ListMarket(new(margin=full, mark=replace(MARK, variation_interval=1))), "gap-up")
    listed(box, new("STILL", margin=full), "1.01 <= 2 on a feed with band 0, however many steps")


# ---------------------------------------------------------------------------------------------------------------
# Gains haircut and initial margin

edge(
    "parameters-variation-steps-001",
    "variation-steps-bounded",
    new(mark=replace(MARK, variation_interval=4_095)),
    new(mark=replace(MARK, variation_interval=4_096)),
    new("SLOW", mark=replace(MARK, variation_interval=8_191)),
    rule="PARM-14",
    holds="4,095 / 1 + 1 = 4,096 steps; with steps of 2 s 8,191 / 2 is 4,095.5, up 4,096, and one more",
    bug="the number of steps is rounded down, or one is forgotten",
    effect="a loop without a bound decides whether a market may be listed",
    start=genesis(pool=BARE, markets=(), feeds=(STILL, replace(STILL, feed="SLOW", step_interval=2))),
)
# n = 10 / 5 + 1 = 3. (1 - s)^4, rounded down at each step, is 980,606,706.
# (1 + s)(1 + b) = 1,004,883,987 x 1,002,672,011 = 1,007,569,048.1.. up 1,007,569,049
# 980,606,706 x (1 - b) = 977,986,514.0.. down; x 1.030248408 = 1,007,569,049.., x 1.030248407 = 1,007,569,048..
HAIRCUT_FEED = replace(FEED, band=4_883_987, step_interval=5)
HAIRCUT_MARK = replace(MARK, band=2_672_011, variation_interval=10)
HAIRCUT_MARGIN = margin(Tier(1_000, 30_248_408, 30_248_408), tier(100, 50))
SMALL = replace(LIQUIDATION, penalty=1_000_000, reward=0)


def moved(feed: str = "BTC", **sections: Any) -> MarketListing:
    """The market whose gains haircut is met with equality, with changed sections."""
    return new(feed, **{"margin": HAIRCUT_MARGIN, "mark": HAIRCUT_MARK, "liquidation": SMALL, **sections})


edge(
    "parameters-haircut-initial-001",
    "haircut-within-initial",
    moved(),
    moved(margin=margin(Tier(1_000, 30_248_407, 30_248_407), tier(100, 50))),
    moved(mark=replace(HAIRCUT_MARK, band=2_672_012)),
    moved(mark=replace(HAIRCUT_MARK, variation_interval=11)),
    moved("WIDE"),
    moved("QUICK"),
    rule="PARM-14",
    holds="1,004,883,987 x 1,002,672,011 up = 1,007,569,049 = 977,986,5.. x 1,030,248,408 down",
    bug="a factor of the inequality is missing or rounded in the other direction",
    effect="a newcomer at initial margin is ruined by the gains haircut of its side",
    start=genesis(
        pool=BARE,
        markets=(),
        feeds=(
            HAIRCUT_FEED,
            replace(HAIRCUT_FEED, feed="WIDE", band=4_883_988),
            replace(HAIRCUT_FEED, feed="QUICK", step_interval=4),
        ),
    ),
    importance=CRITICAL,
)


# ---------------------------------------------------------------------------------------------------------------
# Haircut and gap

# n = (1 + 1) x 7 / 7 + 1 = 3. 0.995868433^3, rounded down at each step, is 987,656,437; less the discount of
# 3.6854175 % 951,257,173.7.., down 951,257,173. (1 - 0.052656839) x 1.004131567 up = 951,257,173;
# with a haircut less one 951,257,174.
COVERED_FEED = replace(ETH_FEED, band=4_131_567, step_interval=7)
COVERED = replace(ETH, haircut=52_656_839, discount=36_854_175)


@case(
    "parameters-haircut-covers-001",
    "PARM-12",
    "PARM-9",
    bug="the gap of the market, or its own feed's, is left out of the haircut's inequality",
    effect="an account that was sound when the gap began ends in deficit by its collateral alone",
    importance=CRITICAL,
    start=genesis(
        pool=replace(POOL, collateral=(COVERED,)),
        markets=(),
        feeds=(replace(STILL, step_interval=7), replace(STILL, feed="SLOW", step_interval=8), COVERED_FEED),
    ),
)
def a_haircut_covers_the_gap_of_each_market_of_its_pool(box: Recorder) -> None:
    # At genesis one step of the asset's own feed is asked for: (1 + 1) x 7 / 7 + 1 = 3, met with equality.
    for listing in (new(margin=margin(gap_steps=2)), new("SLOW")):  # 21 / 7 + 1 = 4; 16 / 7 = 2.28.. up 3, + 1 = 4
        refuse(box, ev.ListMarket(listing), "haircut-covers-gap ETH")
    listed(box, new(), "947,343,161 x 1,004,131,567 up = 951,257,173 = 987,656,437 x 963,145,825 down")


@case(
    "parameters-haircut-covers-002",
    "PARM-12",
    bug="only the first collateral asset of a pool is held against its markets, or in another order",
    effect="an asset whose haircut is too small backs positions",
    importance=CRITICAL,
    start=genesis(
        pool=replace(POOL, collateral=(replace(ETH, asset="USDC"), ETH)),
        markets=(),
        feeds=(STILL, ETH_FEED, replace(ETH_FEED, feed="USDC", band=0)),
    ),
)
def every_asset_of_the_pool_is_held_against_the_market(box: Recorder) -> None:
    # 0.8 x 1.01 = 0.808. k = 14: 0.99^16 x 0.95 = 0.8089; k = 15: 0.99^17 x 0.95 = 0.8008. The first asset never falls.
    refuse(box, ev.ListMarket(new(margin=margin(gap_steps=15))), "haircut-covers-gap ETH")
    listed(box, new(margin=margin(gap_steps=14)), "0.808 <= 0.99^16 x 0.95 = 0.8089..")


SLOW_ETH = replace(ETH_FEED, band=0, step_interval=4)


@case(
    "parameters-haircut-steps-001",
    "PARM-12",
    bug="the number of steps of a collateral feed is rounded down, or has no bound",
    effect="a loop without a bound decides whether a market may be listed",
    start=genesis(
        markets=(),
        feeds=(
            replace(STILL, step_interval=8_190),
            replace(STILL, feed="LONG", step_interval=8_191),
            replace(ETH_FEED, band=0, step_interval=4),
        ),
    ),
)
def a_haircut_looks_at_most_4096_steps_ahead(box: Recorder) -> None:
    refuse(box, ev.ListMarket(new("LONG")), "haircut-steps-bounded ETH")  # 2 x 8,191 / 4 = 4,095.5, up 4,096, + 1
    listed(box, new(), "2 x 8,190 / 4 + 1 = 4,096 <= 4,096")


# ---------------------------------------------------------------------------------------------------------------
# Expiry, feed, order

FUTURE = replace(LISTING, market="FUT", kind=MarketKind.FUTURE, expiry=1_000)


@case(
    "parameters-expiry-001",
    "PARM-9",
    bug="a future is listed inside its settlement window",
    effect="positions settle by an average that has begun without them",
    start=EMPTY,
)
def a_future_is_listed_before_its_window(box: Recorder) -> None:
    box.time = 400
    for expiry in (999, 600, 0):  # the window of 600 s opens at 399, at 0, at -600
        refuse(box, ev.ListMarket(replace(FUTURE, expiry=expiry)), "settlement-window-to-come")
    longer = replace(MARKET, settlement_window=601)
    refuse(box, ev.ListMarket(replace(FUTURE, parameters=longer)), "settlement-window-to-come")
    listed(box, FUTURE, "400 <= 1,000 - 600")


@case(
    "parameters-expiry-002",
    "PARM-9",
    bug="a perpetual is listed with an expiry",
    effect="its positions settle by surprise",
    start=EMPTY,
)
def a_perpetual_has_no_expiry(box: Recorder) -> None:
    for expiry in (1, 1_000, 2 * TIME_MAX):
        refuse(box, ev.ListMarket(replace(new(), expiry=expiry)), "expiry-only-of-futures")
    listed(box, new(), "0 <= 0")


@case(
    "parameters-feed-markets-001",
    "PARM-9",
    bug="the number of markets of a feed has no bound, or it is one too small",
    effect="one price takes unbounded work",
    start=genesis(
        pool=BARE,
        feeds=(FEED, replace(FEED, feed="FREE")),
        markets=tuple(replace(LISTING, market=f"M{number}") for number in range(255)),
    ),
)
def a_feed_serves_256_markets(box: Recorder) -> None:
    listed(box, new(), "255 + 1 <= 256")
    refuse(box, ev.ListMarket(replace(new(), market="LAST", expiry=1)), "expiry-only-of-futures")
    refuse(box, ev.ListMarket(replace(new(), market="LAST")), "feed-markets-bounded")
    listed(box, replace(new("FREE"), market="LAST"), "0 + 1 <= 256")


@case(
    "parameters-list-market-001",
    "PARM-9",
    "PARM-5",
    "EVENT-4",
    "EVENT-8",
    bug="a check of list_market is missing or in another order",
    effect="a market is listed by a stranger, on nothing, or over another",
    start=ONE,
)
def the_checks_of_list_market_in_their_order(box: Recorder) -> None:
    wrong = replace(LISTING, pool="none", feed="none", parameters=replace(MARKET, trading=GREEDY))
    receipt = box.do("mallory", ev.ListMarket(wrong), Reason.UNAUTHORISED)
    assert receipt.subject == "mallory"
    box.do("venue", ev.ListMarket(wrong), Reason.UNAUTHORISED)
    refuse(box, ev.ListMarket(wrong), "none", Reason.UNKNOWN_POOL)
    refuse(box, ev.ListMarket(replace(wrong, pool="main", feed="dead")), "dead", Reason.UNKNOWN_FEED)
    refuse(box, ev.ListMarket(replace(wrong, pool="main", feed="BTC")), PERP, Reason.MARKET_EXISTS)
    refuse(box, ev.ListMarket(replace(wrong, pool="main", feed="BTC", market="NEW")), "rebate-covered")
    listed(box, new(), "no position yet")
    box.hand("observable.markets.NEW.mark", 0, "no price since its listing")
    refuse(box, ev.ListMarket(new()), "NEW", Reason.MARKET_EXISTS)
    box.price(1_000)
    box.hand("observable.markets.NEW.mark", 1_000, "the index, no basis: the feed knows its new market")
    box.open("a", 1_000)
    box.open("b", 1_000)
    box.trade("a", "b", 1, 1_000, "NEW")
    box.hand("observable.markets.NEW.open_interest", 1, "0 + 1")


@case(
    "parameters-envelope-sequence-001",
    "PARM-9",
    "PARM-8",
    "PARM-12",
    "PARM-14",
    bug="the inequalities are looked at in another order",
    effect="two correct engines name different inequalities",
    start=genesis(markets=(), feeds=(replace(FEED, step_interval=2_500), ETH_FEED, replace(FEED, feed="QUICK"))),
)
def the_first_broken_inequality_is_named(box: Recorder) -> None:
    # Every listing breaks the inequality that it is refused for and the next; each event repairs one.
    trading = TradingParameters(2**40, 2**40, 20 * PERCENT, 60 * PERCENT, -61 * PERCENT, 0)
    liquidation = LiquidationParameters(
        50 * PERCENT, 51 * PERCENT, 51 * PERCENT, 0, SCALE, 0, 0, 1, AMOUNT_MAX, 86_400
    )
    funding = replace(FUNDING, interval=3_601, sample_interval=1)
    limits = margin(tier(100, 50), open_interest_lower=5, open_interest_upper=5, gap_steps=15)
    mark = replace(MARK, variation_interval=2_500 * 4_096)
    listing = replace(new(), expiry=1)

    def refused(name: str, **sections: Any) -> None:
        nonlocal listing
        refuse(box, ev.ListMarket(listing), name)
        listing = replace(listing, parameters=replace(listing.parameters, **sections))

    sections = {"trading": trading, "liquidation": liquidation, "funding": funding, "margin": limits, "mark": mark}
    listing = replace(listing, parameters=replace(MARKET, **sections))
    refused("position-notional-bounded", trading=replace(trading, max_position=1))
    trading = replace(trading, max_position=1, max_open_interest=1)
    refused("open-interest-bounded", trading=trading)
    trading = replace(trading, maker_fee=0)
    refused("rebate-covered", trading=trading)
    liquidation = replace(liquidation, penalty=45 * PERCENT)
    refused("penalty-below-maintenance", liquidation=liquidation)
    liquidation = replace(liquidation, reward=0)
    refused("reward-at-most-penalty", liquidation=liquidation)
    liquidation = replace(liquidation, reward_floor=0)
    refused("reward-floor-at-most-penalty", liquidation=liquidation)
    refused("taker-fee-at-most-maintenance", trading=replace(trading, taker_fee=0))
    limits = replace(limits, open_interest_lower=0)
    refused("open-interest-scale-ordered", margin=limits)
    refused("funding-interval-within-gap", funding=replace(funding, interval=3_600))
    refused("samples-fit", funding=FUNDING)
    refused("gap-up", liquidation=LIQUIDATION)  # 1.01^16 x 1.45 > 1.5 x 0.99; 1.1726 x 1.01 <= 1.485
    refused("variation-steps-bounded", mark=replace(mark, variation_interval=2_500 * 80))
    # 80 + 1 steps: 0.99^82 x 2 = 0.877 < 1.01
    refused("haircut-within-initial", mark=MARK)
    # 16 x 2,500 s are 40,000 steps of the collateral's feed
    refuse(box, ev.ListMarket(listing), "haircut-steps-bounded ETH")
    listing = replace(listing, feed="QUICK")
    refuse(box, ev.ListMarket(listing), "haircut-covers-gap ETH")  # 0.808 > 0.99^17 x 0.95 = 0.8008
    limits = replace(limits, gap_steps=14)
    listing = replace(listing, parameters=replace(listing.parameters, margin=limits))
    refuse(box, ev.ListMarket(listing), "expiry-only-of-futures")
    listed(box, replace(listing, expiry=0), "all inequalities hold: 0.808 <= 0.99^16 x 0.95 = 0.8089..")


@case(
    "parameters-pools-001",
    "PARM-12",
    "PARM-9",
    bug="a market is held against the collateral of another pool",
    effect="a pool without collateral cannot list a market, or one with collateral lists what it must not",
    start=genesis(markets=(), pools=(replace(BARE, pool="side"),)),
)
def a_market_is_held_against_its_own_pool(box: Recorder) -> None:
    long_gap = new(margin=margin(tier(60, 50), gap_steps=15))
    refuse(box, ev.ListMarket(long_gap), "haircut-covers-gap ETH")
    listed(box, replace(long_gap, pool="side"), "the pool side takes no collateral")
