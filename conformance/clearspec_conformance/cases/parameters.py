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
from clearspec.state import MarketStatus
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


def refuse(
    box: Recorder, action: Any, subject: str, reason: Reason = Reason.OUTSIDE_ENVELOPE, actor: str = "admin"
) -> None:
    """An action, of an administrator unless another actor is given, that must be rejected about a subject."""
    receipt = box.do(actor, action, reason)
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
    "parameters-envelope-maker-fee-001",
    "maker-fee-at-most-maintenance",
    new(trading=replace(TRADING, maker_fee=50_000_000)),
    new(trading=replace(TRADING, maker_fee=50_000_001)),
    holds="5 % <= 5 %",
    bug="a maker fee above maintenance is accepted",
    effect="an account above maintenance cannot reduce as a maker",
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
    base: dict[str, Any] = {
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

# n = (2 + 1) x 7 / 7 + 1 = 4. 0.995205166^4, rounded down at each step, is 980,958,165; less the discount of
# 7.6131377 % 906,276,469.1.., down 906,276,469. (1 - 0.09804824) x 1.004794834 = 906,276,468.97.., up 906,276,469;
# with a haircut less one 906,276,469.97.., up 906,276,470. Each rounding in the other direction would let it pass.
COVERED_FEED = replace(ETH_FEED, band=4_794_834, step_interval=7)
COVERED = replace(ETH, haircut=98_048_240, discount=76_131_377)


def covered(pool: str, **changes: Any) -> Any:
    """A pool with changed terms for its one collateral asset."""
    return replace(POOL, pool=pool, collateral=(replace(COVERED, **changes),))


@case(
    "parameters-haircut-covers-001",
    "PARM-12",
    "PARM-9",
    bug="a number is left out of the haircut's inequality, or rounded in the other direction",
    effect="an account that was sound when the gap began ends in deficit by its collateral alone",
    importance=CRITICAL,
    start=genesis(
        pool=covered("main"),
        pools=(
            covered("haircut", haircut=98_048_239),
            covered("discount", discount=76_131_378),
            covered("band", feed="BAND"),
        ),
        markets=(),
        feeds=(
            replace(STILL, step_interval=7),
            replace(STILL, feed="SLOW", step_interval=8),
            COVERED_FEED,
            replace(COVERED_FEED, feed="BAND", band=4_794_835),
        ),
    ),
)
def a_haircut_covers_the_gap_of_each_market_of_its_pool(box: Recorder) -> None:
    # At genesis one step of the asset's own feed is asked for: (1 + 1) x 7 / 7 + 1 = 3.
    far = new(margin=margin(gap_steps=2))
    for listing in (
        new(margin=margin(gap_steps=3)),  # n = 5
        new("SLOW", margin=margin(gap_steps=2)),  # 24 / 7 = 3.4.., up 4, n = 5
        *(replace(far, pool=pool) for pool in ("haircut", "discount", "band")),
    ):
        refuse(box, ev.ListMarket(listing), "haircut-covers-gap ETH")
    listed(box, far, "901,951,760 x 1,004,794,834 up = 906,276,469 = 980,958,165 x 923,868,623 down")


@case(
    "parameters-haircut-covers-002",
    "PARM-12",
    bug="only the first collateral asset of a pool is held against its markets, or in another order",
    effect="an asset whose haircut is too small backs positions",
    importance=CRITICAL,
    start=replace(
        genesis(
            pool=replace(POOL, collateral=(replace(ETH, asset="USDC", feed="USDC"), ETH)),
            markets=(),
            feeds=(STILL, ETH_FEED, replace(ETH_FEED, feed="USDC", band=0)),
        ),
        assets=tuple(AssetParameters(name, 6) for name in ("USD", "ETH", "USDC")),
    ),
)
def every_asset_of_the_pool_is_held_against_the_market(box: Recorder) -> None:
    # 0.8 x 1.01 = 0.808. k = 14: 0.99^16 x 0.95 = 0.8089; k = 15: 0.99^17 x 0.95 = 0.8008. The first asset never falls.
    refuse(box, ev.ListMarket(new(margin=margin(gap_steps=15))), "haircut-covers-gap ETH")
    listed(box, new(margin=margin(gap_steps=14)), "0.808 <= 0.99^16 x 0.95 = 0.8089..")


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
    for actor in ("mallory", "venue"):
        refuse(box, ev.ListMarket(wrong), actor, Reason.UNAUTHORISED, actor)
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
    liquidation = LiquidationParameters(50 * PERCENT, 51 * PERCENT, 51 * PERCENT, 0, SCALE, 0, 0, 1, AMOUNT_MAX, 86_400)
    funding = replace(FUNDING, interval=3_601, sample_interval=1)
    limits = margin(tier(100, 50), open_interest_lower=5, open_interest_upper=5, gap_steps=15)
    mark = replace(MARK, variation_interval=2_500 * 4_096)
    listing = replace(new(), expiry=1)

    def refused(name: str, **sections: Any) -> None:
        nonlocal listing
        refuse(box, ev.ListMarket(listing), name)
        listing = replace(listing, parameters=replace(listing.parameters, **sections))

    sections: dict[str, Any] = {
        "trading": trading,
        "liquidation": liquidation,
        "funding": funding,
        "margin": limits,
        "mark": mark,
    }
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


BRIEF = replace(
    FUNDING,
    interval=1,
    period=1,
    max_gap=1,
    interest=1_001_001,
    interest_form=InterestForm.ADDED,
    cap=1_001_001,
)


@case(
    "parameters-listed-later-001",
    "PARM-9",
    "FUND-5",
    "ORCL-6",
    bug="a market that is listed later starts with the time, the basis or the remainder of the first second",
    effect="funding is charged for time before there was a market",
    start=EMPTY,
)
def a_new_market_starts_from_nothing(box: Recorder) -> None:
    box.price(999, time=100)
    band = replace(MARK, band=PERCENT)
    box.do("admin", ev.ListMarket(new(funding=BRIEF, margin=margin(tier(20, 10)), mark=band)))
    box.do("z", ev.AccrueFunding("NEW"), Reason.FUNDING_NOT_DUE)
    box.price(999, time=101)
    box.hand("observable.markets.NEW.mark", 999, "the index: no basis yet")
    box.do("z", ev.AccrueFunding("NEW"))
    box.hand("receipt.amounts.index_step", 0, "1,001,001 x 999 = 999,999,999 of 10^9 in one second since its listing")
    box.price(999, time=109)
    box.do("venue", ev.PostBook("NEW", 999, 999), Reason.SAMPLE_TOO_SOON)
    box.time = 110
    box.do("venue", ev.PostBook("NEW", 999, 999))
    box.hand("receipt.amounts.mark", 999, "100 + 10: the first sample")


@case(
    "parameters-listed-later-002",
    "PARM-9",
    "LIQ-6",
    "FALL-5",
    bug="the budgets of a new market are not empty",
    effect="insurance pays less than it promised, or more",
    start=genesis(pool=BARE, markets=(), feeds=(replace(FEED, band=4 * PERCENT),)),
)
def a_new_market_has_spent_nothing(box: Recorder) -> None:
    # Long 10 from 1,000 with 2,000: 1,600 at 960, against 20 % of 9,600.
    rules = replace(LIQUIDATION, reward=0, reward_floor=PERCENT, reward_budget=3, insurance_cap=5)
    box.price(1_000, time=100)
    brief = replace(MARK, variation_interval=1)
    box.do("admin", ev.ListMarket(new(liquidation=rules, margin=margin(tier(20, 20)), mark=brief)))
    box.price(1_000)
    box.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 100))
    box.open("a", 2_000)
    box.open("k", 10**6)
    box.trade("a", "k", 10, 1_000, "NEW")
    box.price(960, time=101)
    box.do("k", ev.Liquidate("a", "k", "NEW", 1))
    box.hand("receipt.amounts.reward_floor", 3, "1 % of 960 is 9, the budget is 3")
    for time in range(102, 108):  # 922, 886, 851, 817, 785, 754
        box.price(1, time=time)
    box.do("z", ev.ResolveDefault("a"))
    box.hand("receipt.amounts.deficit", 263, "1,600 - 9 - 9 x (960 - 754) = -263")
    box.hand("receipt.amounts.insurance_fund", 5, "the cap of the market; the fund holds 100 + 9 - 3")


# ---------------------------------------------------------------------------------------------------------------
# Assets, feeds, collateral, pools


@case(
    "parameters-assets-001",
    "PARM-1",
    bug="amounts are scaled by the decimals of their asset",
    effect="a deposit of an atom credits another number of atoms",
    start=replace(
        genesis(markets=(), feeds=(FEED, ETH_FEED)), assets=(AssetParameters("USD", 65_536), AssetParameters("ETH", 0))
    ),
)
def decimals_change_no_amount(box: Recorder) -> None:
    box.open("a", 1)
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.hand("observable.accounts.a.balances.USD", 1, "atoms, whatever the 65,536 decimals")
    box.hand("observable.accounts.a.balances.ETH", 1, "atoms")


@case(
    "parameters-feeds-001",
    "PARM-2",
    bug="a step of the index is not limited, or limited anew by every post of one step",
    effect="one price liquidates what ten would have let escape",
    start=EMPTY,
)
def an_index_moves_a_band_a_step(box: Recorder) -> None:
    for time, wanted, index in ((1, 1_000, 1_000), (2, 1_100, 1_010), (2, 1_100, 1_010), (3, 1_100, 1_020)):
        box.price(wanted, time=time)
        box.hand("receipt.amounts.index", index, "anchor 1,000, then 1,010; + 1 % of 1,010 = 10.1, down 10")


@case(
    "parameters-feeds-002",
    "PARM-10",
    "PARM-2",
    bug="a quorum of 2 f + 1, or one of all sources, is refused or never reached",
    effect="a market never has a price, or a faulty source decides it",
    start=genesis(
        pool=BARE, markets=(), feeds=(replace(FEED, sources=("s1", "s2", "s3", "s4", "s5"), faulty=2, quorum=5),)
    ),
)
def two_faulty_of_five_sources_with_a_quorum_of_five(box: Recorder) -> None:
    # 2 x 2 + 1 = 5 <= 5 and 5 <= 5 sources: both inequalities are met with equality.
    for source, price, index in (
        ("s1", 1, 0),
        ("s2", 10**9, 0),
        ("s3", 1_010, 0),
        ("s4", 1_000, 0),
        ("s5", 990, 1_000),
    ):
        box.do(source, ev.PostPrice("BTC", price, 0))
        box.hand("receipt.amounts.index", index, "0 below the quorum; median of 1, 990, 1,000, 1,010, 10^9 = 1,000")


TIED_POOL = replace(
    POOL,
    layers=(Layer.SKIN_IN_THE_GAME, Layer.INSURANCE_FUND, Layer.GAINS_HAIRCUT, Layer.TEAR_UP),
    collateral=(replace(ETH, haircut=5 * PERCENT, discount=5 * PERCENT, cap=10),),
    settlement_cap=1_000,
    profit_weight_initial=SCALE // 2,
    profit_weight_withdrawal=SCALE // 2,
    profit_cap_initial=100,
    profit_cap_withdrawal=100,
)


@case(
    "parameters-pools-002",
    "PARM-11",
    "PARM-3",
    "PARM-4",
    bug="an inequality of the pool is strict, or a cap is one atom off",
    effect="a sound pool does not start, or takes more than it said",
    start=genesis(pool=TIED_POOL, markets=(), feeds=(FEED, replace(ETH_FEED, band=0))),
)
def a_pool_at_the_edge_of_its_envelope(box: Recorder) -> None:
    # Funds at 0 and 1, shared layers at 2 and 3: 1 <= 2. Weights, caps, discount and haircut are equal; with band 0
    # 0.95 <= 0.95.
    box.open("a", 1_000)
    box.do("a", ev.Deposit("a", "USD", 1), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("a", ev.Deposit("a", "ETH", 11), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("a", ev.Deposit("a", "ETH", 10))
    box.hand("observable.pools.main.custody.USD", 1_000, "0 + 1,000, the cap")
    box.hand("observable.pools.main.custody.ETH", 10, "0 + 10, the cap")


@case(
    "parameters-pools-003",
    "PARM-11",
    bug="a pool needs layers or collateral",
    effect="a pool whose users share losses does not start",
    start=genesis(pool=replace(BARE, layers=()), pools=(replace(BARE, pool="last", layers=(Layer.TEAR_UP,)),)),
)
def pools_without_funds_or_layers(box: Recorder) -> None:
    # -1 <= 0 for a pool without layers, -1 <= 0 for one with a shared layer alone.
    box.open("a", 5)
    box.open("b", 7, "last")
    box.hand("observable.pools.last.custody.USD", 7, "0 + 7")


# ---------------------------------------------------------------------------------------------------------------
# Every field at its bounds

GREATEST = replace(
    MARKET,
    trading=TradingParameters(2**40, 2**40, SCALE - 1, SCALE, SCALE, SCALE),
    margin=MarginParameters(
        tuple(Tier(upper, SCALE, SCALE) for upper in (*range(7), NOTIONAL_MAX)),
        *(2**60 - 1, 2**60, SCALE, 2**40, RATIO_MAX, 2**32, 256),
    ),
    mark=MarkParameters(2**16, 0, SCALE, SCALE - 1, 2**32),
    funding=replace(
        FUNDING,
        interval=2**32,
        period=2**32,
        max_gap=2**32,
        sample_interval=2**32,
        min_samples=512,
        interest=SCALE,
        interest_form=InterestForm.ADDED,
        damper=SCALE,
    ),
    liquidation=LiquidationParameters(
        *(SCALE - 1, SCALE - 1, SCALE - 1, AMOUNT_MAX, SCALE, SCALE, SCALE, 2**40, AMOUNT_MAX, 2**32)
    ),
    settlement_window=2**32,
)


@case(
    "parameters-greatest-001",
    "PARM-5",
    "PARM-9",
    "TRADE-7",
    bug="a field at its greatest value overflows or is refused",
    effect="an engine of fixed width credits what it should debit",
    importance=CRITICAL,
    start=genesis(
        pool=replace(BARE, settlement_cap=AMOUNT_MAX),
        markets=(),
        feeds=(FeedParameters("BTC", ("s1",), 1, 0, 2**32, SCALE, 0, 2**32, 2**16),),
    ),
)
def a_market_with_every_field_at_its_greatest(box: Recorder) -> None:
    # Gap: 1 + p = 1.999999999 <= 2. Position: 2^40 x 2^16 = 2^56.
    listed(box, replace(LISTING, market="NEW", parameters=GREATEST), "every inequality holds")
    box.price(2**16)
    box.open("a", 2**58)
    box.open("b", 2**58)
    box.trade("a", "b", 2**40, 2**16, "NEW")
    box.hand("receipt.amounts.taker_fee", 2**56, "100 % of 2^40 x 2^16")
    box.hand("receipt.amounts.maker_fee", 2**56, "100 % of 2^40 x 2^16")
    box.hand("observable.accounts.a.balances.USD", 3 * 2**56, "2^58 - 2^56")
    box.hand("observable.pools.main.insurance_fund", 2**57, "100 % of 2 x 2^56")
    box.hand("observable.pools.main.fee_treasury", 0, "nothing is left")
    box.hand("observable.accounts.a.positions.NEW.cost", 2**56, "2^40 x 2^16")


LEAST = replace(
    MARKET,
    trading=TradingParameters(1, 1, 0, 0, 0, 0),
    margin=MarginParameters((Tier(0, 1, 1), Tier(NOTIONAL_MAX, 1, 1)), 0, 0, 0, 1, SCALE, 1, 1),
    mark=MarkParameters(1, 0, 0, 0, 1),
    funding=replace(FUNDING, interval=1, period=1, max_gap=1, sample_interval=1, interest=-SCALE),
    liquidation=LiquidationParameters(0, 0, 0, 0, 1, 0, 0, 0, 0, 1),
    settlement_window=1,
)


@case(
    "parameters-least-001",
    "PARM-5",
    "PARM-9",
    bug="a field at its least value is refused or divides by zero",
    effect="a market that the rules allow cannot be listed",
    start=genesis(pool=BARE, markets=(), feeds=(FeedParameters("BTC", ("s1",), 1, 0, 1, 0, 0, 1, 1),)),
)
def a_market_with_every_field_at_its_least(box: Recorder) -> None:
    listed(box, replace(LISTING, market="NEW", parameters=LEAST), "1 <= 1.000000001 in the gap, 0 + 1 <= 1 for penalty")
    box.price(7)
    box.hand("receipt.amounts.index", 1, "the price cap is 1")
    box.open("a", 1)
    box.open("b", 1)
    box.trade("a", "b", 2, 1, "NEW", expect=Reason.POSITION_CAP_EXCEEDED)
    box.trade("a", "b", 1, 1, "NEW")
    box.hand("observable.markets.NEW.open_interest", 1, "0 + 1")
    box.do("z", ev.AccrueFunding("NEW"), Reason.FUNDING_NOT_DUE)
    box.price(1, time=1)
    box.do("z", ev.AccrueFunding("NEW"))
    box.hand("receipt.amounts.rate", 0, "-100 % clamped to a cap of 0")


# ---------------------------------------------------------------------------------------------------------------
# Change of parameters


def change(**sections: Any) -> ev.SetParameters:
    """New parameters of the perpetual."""
    return ev.SetParameters(PERP, replace(MARKET, **sections))


STEEP = margin(tier(10, 10))
HALF = replace(LISTING, parameters=replace(MARKET, margin=margin(Tier(NOTIONAL_MAX, 85_000_000, 50_000_000))))


@case(
    "parameters-ramp-001",
    "PARM-13",
    "MARG-4",
    "MARG-12",
    bug="a tightened maintenance requirement holds at once, or along the new ramp alone, or is rounded down",
    effect="whoever sets parameters liquidates whom they like without a price change",
    importance=CRITICAL,
    start=genesis(pool=BARE, feeds=(FEED,), markets=(HALF,)),
)
def tighter_maintenance_arrives_along_the_longer_ramp(box: Recorder) -> None:
    box.price(1_000, time=1)
    for name, cash in (("a", 85), ("b", 1_000), ("k", 1_000)):
        box.open(name, cash)
    box.trade("a", "b", 1, 1_000)
    box.do("admin", change(margin=replace(STEEP, ramp=1)))
    box.hand("receipt.amounts.ramp_end", 61, "1 + 60, the larger of 60 and 1")
    box.time = 43  # 50 + 50 x 42 / 60 = 85, not above 85
    box.do("k", ev.Liquidate("a", "k", PERP, 1), Reason.NOT_LIQUIDATABLE)
    box.time = 44  # 50 + 50 x 43 / 60 = 85.83, up 86
    box.do("k", ev.Liquidate("a", "k", PERP, 1))
    box.hand("receipt.amounts.closed", 1, "requirement 86 > 85; the one lot closes")
    box.hand("receipt.amounts.penalty", 10, "1 % of 1,000, at most 85")


@case(
    "parameters-ramp-002",
    "PARM-13",
    "MARG-4",
    bug="a loosened maintenance requirement holds at once, or its ramp is rounded down",
    effect="the gap bound is broken while old positions still rest on the new ratio",
    start=genesis(pool=BARE, feeds=(FEED,), markets=(replace(LISTING, parameters=replace(MARKET, margin=STEEP)),)),
)
def looser_maintenance_arrives_along_the_ramp(box: Recorder) -> None:
    # 100 - 34 = 66 at 966; the old table asks for 97 (96.6), the new one for 49 (48.3).
    box.price(1_000, time=1)
    for name, cash in (("a", 100), ("c", 100), ("b", 1_000), ("k", 1_000)):
        box.open(name, cash)
    box.trade("a", "b", 1, 1_000)
    box.trade("c", "b", 1, 1_000)
    box.drive(966)
    box.do("admin", change())
    box.hand("receipt.amounts.ramp_end", 65, "5 + 60: 1,000 falls to 990, 981, 972, 966 in 4 s")
    box.time = 43  # 97 - 48 x 38 / 60 = 97 - 30.4, up 67
    box.do("k", ev.Liquidate("a", "k", PERP, 1))
    box.hand("receipt.amounts.closed", 1, "67 > 66")
    box.time = 44  # 97 - 48 x 39 / 60 = 97 - 31.2, up 66
    box.do("k", ev.Liquidate("c", "k", PERP, 1), Reason.NOT_LIQUIDATABLE)


@case(
    "parameters-ramp-003",
    "PARM-13",
    bug="a change is accepted while a ramp runs, or refused when it has ended",
    effect="the requirement jumps, since the second ramp starts from a table that is not in force",
    importance=CRITICAL,
    start=ONE,
)
def no_change_while_a_ramp_runs(box: Recorder) -> None:
    box.time = 100
    box.do("admin", change(margin=replace(STEEP, ramp=120)))
    box.hand("receipt.amounts.ramp_end", 220, "100 + 120, the larger of 60 and 120")
    box.time = 219
    refuse(box, change(margin=replace(STEEP, ramp=120)), PERP, Reason.RAMP_IN_PROGRESS)
    box.time = 220
    box.do("admin", change(margin=replace(STEEP, ramp=120)))
    box.hand("receipt.amounts.ramp_end", 220, "the tiers are the same and the ramp no shorter: no ramp")
    box.do("admin", change(margin=replace(STEEP, ramp=121)))
    box.hand("receipt.amounts.ramp_end", 220, "a longer ramp needs none")


@case(
    "parameters-ramp-004",
    "PARM-13",
    bug="the ramp may be shortened by an event of its own",
    effect="two events of one second take a requirement from 50 to 1,000",
    importance=CRITICAL,
    start=ONE,
)
def a_shorter_ramp_arrives_after_the_old_one(box: Recorder) -> None:
    box.time = 10
    box.do("admin", change(margin=replace(MARGIN, ramp=59)))
    box.hand("receipt.amounts.ramp_end", 70, "10 + 60: the tiers are the same, but 59 < 60")
    refuse(box, change(margin=replace(STEEP, ramp=59)), PERP, Reason.RAMP_IN_PROGRESS)
    box.time = 70
    box.do("admin", change(margin=replace(STEEP, ramp=59)))
    box.hand("receipt.amounts.ramp_end", 129, "70 + 59")


@case(
    "parameters-ramp-005",
    "PARM-13",
    bug="a tier beside the first does not count as a change of the tiers",
    effect="maintenance of large positions changes at once",
    importance=CRITICAL,
    start=ONE,
)
def a_change_of_a_higher_tier_ramps(box: Recorder) -> None:
    box.do("admin", change(margin=margin(tier(10, 5, 10**6), tier(20, 10))))
    box.hand("receipt.amounts.ramp_end", 60, "0 + 60")


@case(
    "parameters-ramp-006",
    "PARM-13",
    "PARM-9",
    bug="the envelope of a change is checked with the new maintenance alone",
    effect="while the ramp runs a liquidation costs what it frees",
    importance=CRITICAL,
    start=ONE,
)
def a_change_is_checked_with_the_lower_maintenance(box: Recorder) -> None:
    # m 10 %, penalty 5 %: 1.0201 x 1.05 = 1.0712 <= 1.1 x 0.99 = 1.089 once the ramp has ended.
    dearer = replace(LIQUIDATION, penalty=5 * PERCENT)
    refuse(box, change(margin=STEEP, liquidation=dearer), "penalty-below-maintenance")
    box.do("admin", change(margin=STEEP))
    box.hand("receipt.amounts.ramp_end", 60, "0 + 60")
    box.time = 60
    box.do("admin", change(margin=STEEP, liquidation=dearer))
    box.hand("receipt.amounts.ramp_end", 60, "the same tiers: no ramp")
    refuse(box, change(liquidation=dearer), "penalty-below-maintenance")
    # With a penalty of 1 % the lower ratio decides too: 4.0 % is below the least of 4.07.. %.
    refuse(box, change(margin=margin(tier(10, 4))), "gap-up")


@case(
    "parameters-change-001",
    "PARM-13",
    "FUND-5",
    "SETTLE-1",
    bug="a check of set_parameters is missing or in another order",
    effect="parameters outside the envelope come into force",
    importance=CRITICAL,
    start=ONE,
)
def the_checks_of_set_parameters_in_their_order(box: Recorder) -> None:
    # A delisted perpetual without a price, in a ramp; each event repairs one fault.
    box.do("admin", ev.Delist(PERP, 10**6))
    box.do("admin", change(margin=replace(MARGIN, ramp=59)))
    mark, funding = replace(MARK, stale_rate=0), replace(FUNDING, min_samples=2)
    wrong = replace(MARKET, trading=GREEDY, settlement_window=601, mark=mark, funding=funding)
    refuse(box, ev.SetParameters("NONE", wrong), "mallory", Reason.UNAUTHORISED, "mallory")
    refuse(box, ev.SetParameters("NONE", wrong), "NONE", Reason.UNKNOWN_MARKET)
    refuse(box, ev.SetParameters(PERP, wrong), PERP, Reason.RAMP_IN_PROGRESS)
    box.time = 60
    refuse(box, ev.SetParameters(PERP, wrong), "rebate-covered")
    wrong = replace(wrong, trading=TRADING)
    refuse(box, ev.SetParameters(PERP, wrong), "settlement-window-fixed")
    wrong = replace(wrong, settlement_window=600)
    refuse(box, ev.SetParameters(PERP, wrong), PERP, Reason.STALE_PRICE)
    box.price(1_000)
    refuse(box, ev.SetParameters(PERP, wrong), PERP, Reason.FUNDING_NOT_ACCRUED)
    box.price(1_000, time=3_600)
    box.do("z", ev.AccrueFunding(PERP))
    box.do("admin", ev.SetParameters(PERP, wrong))
    box.hand("receipt.amounts.ramp_end", 3_600, "the tiers are the same, 60 >= 59: no ramp")


DATED = replace(FUTURE, expiry=700)


@case(
    "parameters-change-002",
    "PARM-13",
    bug="the parameters of a market in final settlement are changed",
    effect="a window or a period changes under a price that is fixed",
    start=genesis(pool=BARE, feeds=(FEED,), markets=(DATED, replace(DATED, market="OLD"))),
)
def no_change_in_final_settlement(box: Recorder) -> None:
    box.price(1_000)
    box.open("a", 1_000)
    box.open("b", 1_000)
    box.trade("a", "b", 1, 1_000, "FUT")
    for name in ("FUT", "OLD"):
        box.do("admin", ev.SetParameters(name, replace(MARKET, margin=replace(STEEP, ramp=10**6))))
        box.hand("receipt.amounts.ramp_end", 10**6, "0 + 10^6: the ramp outlasts the market")
    box.time = 700
    for name in ("FUT", "OLD"):
        refuse(box, ev.SetParameters(name, MARKET), name, Reason.RAMP_IN_PROGRESS)
        box.do("z", ev.FixSettlement(name))
        refuse(box, ev.SetParameters(name, MARKET), name, Reason.STATUS_NOT_ALLOWED)
    box.hand("observable.markets.FUT.settlement_price", 1_000, "one price, 600 s long")


@case(
    "parameters-change-003",
    "PARM-13",
    bug="a market that is halted or reduce-only cannot be given parameters",
    effect="the risk of a market in trouble cannot be lowered",
    start=ONE,
)
def a_halted_market_takes_parameters(box: Recorder) -> None:
    for status in (MarketStatus.HALTED, MarketStatus.REDUCE_ONLY):
        box.do("admin", ev.SetStatus(PERP, status))
        box.do("admin", change())
        box.hand("receipt.amounts.ramp_end", 0, "nothing changes: no ramp, now is 0")


@case(
    "parameters-change-004",
    "PARM-13",
    "SETTLE-2",
    bug="the settlement window of a market with an expiry is changed, or that of one without is not",
    effect="500 s of 1,000 divided by a window of 60 show more than 8,000",
    importance=CRITICAL,
    start=genesis(pool=BARE, feeds=(FEED,), markets=(LISTING, replace(FUTURE, expiry=5_000))),
)
def the_window_of_a_market_with_an_expiry_is_fixed(box: Recorder) -> None:
    for window in (599, 601):
        other = replace(MARKET, settlement_window=window)
        refuse(box, ev.SetParameters("FUT", other), "settlement-window-fixed")
        box.do("admin", ev.SetParameters(PERP, other))
        box.hand("receipt.amounts.ramp_end", 0, "a perpetual without an expiry may change it")
    box.do("admin", ev.Delist(PERP, 1_000))
    box.hand("receipt.amounts.expiry", 1_601, "0 + 1,000 + 601")
    refuse(box, change(), "settlement-window-fixed")
    box.do("admin", change(settlement_window=601, mark=replace(MARK, window=2)))
    box.hand("receipt.amounts.ramp_end", 0, "the window stays 601")


@case(
    "parameters-change-005",
    "PARM-13",
    "ORCL-9",
    bug="the age penalty of a stale market is changed",
    effect="one event takes half of what a healthy account has in a market whose price is late",
    importance=CRITICAL,
    start=ONE,
)
def the_age_penalty_changes_while_the_price_is_fresh(box: Recorder) -> None:
    box.price(1_000)
    rate, cap = replace(MARK, stale_rate=10**5 + 1), replace(MARK, stale_cap=50 * PERCENT - 1)
    box.time = 601
    refuse(box, change(mark=rate), PERP, Reason.STALE_PRICE)
    refuse(box, change(mark=cap), PERP, Reason.STALE_PRICE)
    box.do("admin", change(mark=replace(MARK, window=2, band=1, variation_interval=4)))
    box.hand("receipt.amounts.ramp_end", 601, "window, band and variation interval wait for no price")
    box.price(1_000)
    box.time = 1_201
    box.do("admin", change(mark=rate))
    box.hand("receipt.amounts.ramp_end", 1_201, "601 + 600: fresh in its last second")


@case(
    "parameters-change-006",
    "PARM-13",
    "FUND-5",
    bug="funding parameters change at any time before an accrual is due",
    effect="a rate that nobody was told of is charged for the hour that has passed",
    importance=CRITICAL,
    start=genesis(pool=BARE, feeds=(FEED,), markets=(LISTING, replace(FUTURE, expiry=10**6))),
)
def funding_changes_in_the_second_of_an_accrual(box: Recorder) -> None:
    quick = replace(FUNDING, min_samples=2)
    box.do("admin", change(funding=quick))
    box.hand("receipt.amounts.ramp_end", 0, "a listing counts as an accrual; no ramp")
    box.time = 1
    refuse(box, change(), PERP, Reason.FUNDING_NOT_ACCRUED)
    box.do("admin", change(funding=quick, trading=ROOMY))
    box.hand("receipt.amounts.ramp_end", 1, "the funding parameters stay the same")
    box.do("admin", ev.SetParameters("FUT", replace(MARKET, funding=quick)))
    box.hand("receipt.amounts.ramp_end", 1, "a future takes no funding")
    box.price(1_000, time=3_600)
    refuse(box, change(), PERP, Reason.FUNDING_NOT_ACCRUED)
    box.do("z", ev.AccrueFunding(PERP))
    box.do("admin", change())
    box.hand("receipt.amounts.ramp_end", 3_600, "now is the time of the accrual")
    box.time = 3_601
    refuse(box, change(funding=quick), PERP, Reason.FUNDING_NOT_ACCRUED)


BASIS = replace(
    LISTING,
    parameters=replace(MARKET, margin=margin(tier(20, 10)), mark=replace(MARK, window=4, band=PERCENT)),
)


def smoothed(identifier: str, book: int, before: int, after: int, window: int, derivation: str) -> None:
    """Register a vector: a change of the smoothing window keeps the worth of the basis, rounded down."""

    def play(box: Recorder) -> None:
        box.price(1_000, time=10)
        box.do("venue", ev.PostBook(PERP, book, book))
        box.hand("receipt.amounts.mark", before, f"1,000 + the floor of {book - 1_000} / 4")
        mark = replace(BASIS.parameters.mark, window=window)
        box.do("admin", ev.SetParameters(PERP, replace(BASIS.parameters, mark=mark)))
        box.price(1_000)
        box.hand("observable.markets.BTC-PERP.mark", after, derivation)

    case(
        identifier,
        "PARM-13",
        "ORCL-6",
        bug="the smoothing state is not rescaled with its window, or rounded another way",
        effect="a change of a window moves the mark to the edge of its band",
        importance=CRITICAL,
        start=genesis(pool=BARE, feeds=(FEED,), markets=(BASIS,)),
    )(play)


smoothed("parameters-rescale-001", 1_010, 1_002, 1_002, 1, "10 x 1 / 4 = 2.5, down 2; over 1 it is 2")
smoothed("parameters-rescale-002", 990, 997, 997, 1, "-10 x 1 / 4 = -2.5, down -3; over 1 it is -3")
smoothed("parameters-rescale-003", 1_008, 1_002, 1_002, 1, "8 x 1 / 4 = 2 exactly")
smoothed("parameters-rescale-004", 1_007, 1_001, 1_001, 1, "7 x 1 / 4 = 1.75, down 1")
smoothed("parameters-rescale-005", 1_009, 1_002, 1_002, 65_536, "9 x 65,536 / 4 = 147,456; over 65,536 it is 2.25, 2")


# ---------------------------------------------------------------------------------------------------------------
# Kernels

kernel_case(
    "parameters-grown-001",
    "PARM-6",
    kernel="grown",
    bug="a compounded step is rounded down, rounded once at the end, or not limited",
    effect="the price gap is smaller on paper than the oracle allows",
    importance=CRITICAL,
    calls=[
        ({"ratio": 0, "steps": 0}, {"ratio": SCALE}),
        ({"ratio": SCALE, "steps": 0}, {"ratio": SCALE}),
        ({"ratio": 0, "steps": 65_536}, {"ratio": SCALE}),
        ({"ratio": 1, "steps": 1}, {"ratio": SCALE + 1}),
        ({"ratio": 1, "steps": 2}, {"ratio": SCALE + 3}),  # 1,000,000,002.000000001
        ({"ratio": 1, "steps": 3}, {"ratio": SCALE + 5}),  # 1,000,000,004.000000003
        ({"ratio": 100_000, "steps": 2}, {"ratio": 1_000_200_010}),  # 10^10 / 10^9 = 10 exactly
        ({"ratio": 99_999, "steps": 2}, {"ratio": 1_000_200_008}),  # 199,998 + 9.9998.., up 10
        ({"ratio": 100_001, "steps": 2}, {"ratio": 1_000_200_013}),  # 200,002 + 10.0002.., up 11
        ({"ratio": 333_333_333, "steps": 2}, {"ratio": 1_777_777_777}),  # 1,777,777,776.888..
        ({"ratio": 10_000_000, "steps": 3}, {"ratio": 1_030_301_000}),  # 1.01^3 = 1.030301
        ({"ratio": SCALE, "steps": 1}, {"ratio": 2 * SCALE}),
        ({"ratio": SCALE, "steps": 3}, {"ratio": 8 * SCALE}),  # below 2^33 = 8,589,934,592
        ({"ratio": SCALE, "steps": 4}, {"ratio": RATIO_MAX}),  # 16 x 10^9
        ({"ratio": SCALE, "steps": 65_536}, {"ratio": RATIO_MAX}),
        ({"ratio": 500_000_000, "steps": 5}, {"ratio": 7_593_750_000}),  # 1.5^5 = 7.59375
        ({"ratio": 500_000_000, "steps": 6}, {"ratio": RATIO_MAX}),  # 11.390625
    ],
)
kernel_case(
    "parameters-shrunk-001",
    "PARM-6",
    kernel="shrunk",
    bug="a compounded step is rounded up or rounded once at the end",
    effect="collateral seems to keep more than it does",
    importance=CRITICAL,
    calls=[
        ({"ratio": 0, "steps": 0}, {"ratio": SCALE}),
        ({"ratio": SCALE, "steps": 0}, {"ratio": SCALE}),
        ({"ratio": 0, "steps": 65_536}, {"ratio": SCALE}),
        ({"ratio": 1, "steps": 1}, {"ratio": SCALE - 1}),
        ({"ratio": 1, "steps": 2}, {"ratio": SCALE - 2}),  # 999,999,998.000000001
        ({"ratio": 1, "steps": 3}, {"ratio": SCALE - 3}),  # 999,999,997.000000002
        ({"ratio": 100_000, "steps": 2}, {"ratio": 999_800_010}),  # 10^10 / 10^9 = 10 exactly
        ({"ratio": 99_999, "steps": 2}, {"ratio": 999_800_011}),  # -199,998 + 9.9998.., down 9
        ({"ratio": 100_001, "steps": 2}, {"ratio": 999_800_008}),  # -200,002 + 10.0002.., down 10
        ({"ratio": 333_333_333, "steps": 2}, {"ratio": 444_444_444}),  # 444,444,444.888..
        ({"ratio": 10_000_000, "steps": 3}, {"ratio": 970_299_000}),  # 0.99^3 = 0.970299
        ({"ratio": 500_000_000, "steps": 9}, {"ratio": 1_953_125}),  # 0.5^9 = 0.001953125
        ({"ratio": 500_000_000, "steps": 10}, {"ratio": 976_562}),  # 976,562.5
        ({"ratio": 500_000_000, "steps": 11}, {"ratio": 488_281}),  # 976,562 / 2, not 488,281.25
        ({"ratio": SCALE, "steps": 1}, {"ratio": 0}),
        ({"ratio": SCALE, "steps": 65_536}, {"ratio": 0}),
    ],
)
MINUTE = {"elapsed": 1, "duration": 60}
kernel_case(
    "parameters-ramped-001",
    "PARM-13",
    kernel="ramped",
    bug="the requirement on a ramp is rounded down, or counted from the wrong end",
    effect="an account is liquidated a second early, or the gap bound fails by an atom",
    calls=[
        ({"before": 50, "after": 100, "elapsed": 42, "duration": 60}, {"requirement": 85}),  # 50 + 35
        ({"before": 50, "after": 100, "elapsed": 43, "duration": 60}, {"requirement": 86}),  # 50 + 35.83
        ({"before": 100, "after": 50, "elapsed": 42, "duration": 60}, {"requirement": 65}),  # 100 - 35
        ({"before": 100, "after": 50, "elapsed": 43, "duration": 60}, {"requirement": 65}),  # 100 - 35.83, up
        ({"before": 100, "after": 159, **MINUTE}, {"requirement": 101}),  # 59 / 60
        ({"before": 100, "after": 160, **MINUTE}, {"requirement": 101}),  # 60 / 60
        ({"before": 100, "after": 161, **MINUTE}, {"requirement": 102}),  # 61 / 60
        ({"before": 100, "after": 41, **MINUTE}, {"requirement": 100}),  # -59 / 60
        ({"before": 100, "after": 40, **MINUTE}, {"requirement": 99}),  # -60 / 60
        ({"before": 100, "after": 39, **MINUTE}, {"requirement": 99}),  # -61 / 60
        ({"before": 7, "after": 7, **MINUTE}, {"requirement": 7}),
        ({"before": 7, "after": 1_000, "elapsed": 60, "duration": 60}, {"requirement": 1_000}),
        ({"before": 0, "after": 2**56, "elapsed": 2**32, "duration": 2**32}, {"requirement": 2**56}),
        ({"before": 0, "after": 2**56, "elapsed": 2**32 - 1, "duration": 2**32}, {"requirement": 2**56 - 2**24}),
        ({"before": 2**56, "after": 0, "elapsed": 1, "duration": 2**32}, {"requirement": 2**56 - 2**24}),
    ],
)
