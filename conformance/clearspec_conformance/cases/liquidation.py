"""Vectors of liquidation: trigger, checks in order, size of a step, penalty, reward and its floor, the liquidator.

Unless a vector says otherwise ``x`` with 1000 holds 10 lots from 1000. Margin equity is 1000 - 10 x move, maintenance
8 % of what it holds, rounded up; the penalty is 1 %, half of it reward. A step closes
ceil(ceil((shortfall + 2) / 7 %) / price) lots.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import NOTIONAL_MAX, SCALE, SIZE_MAX
from clearspec.parameters import Tier
from clearspec.sandbox import PERCENT
from clearspec.state import MarketStatus
from clearspec_conformance.situations import (
    ETH_FEED,
    FEED,
    INSURED,
    MARKET,
    PERP,
    POOL,
    amount,
    cash,
    enter,
    fallen,
    future,
    insure,
    listed,
    pool_of,
    risen,
    size,
    tier,
    with_ether,
    world,
)
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL

# ---------------------------------------------------------------------------------------------------------------
# Kernels

kernel_case(
    "liquidation-restoring-size-001",
    "LIQ-2",
    kernel="restoring_size",
    bug="one of the two quotients is rounded down, or the two atoms for rounded requirements are left out",
    effect="a step leaves the account one lot short of its target, to be paid for by another step",
    calls=[
        # 4 %: 2 / 4 % = 50
        ({"shortfall": 0, "price": 50, "maintenance": 50_000_000, "penalty": 10_000_000}, {"size": 1}),
        ({"shortfall": 0, "price": 49, "maintenance": 50_000_000, "penalty": 10_000_000}, {"size": 2}),
        ({"shortfall": 0, "price": 51, "maintenance": 50_000_000, "penalty": 10_000_000}, {"size": 1}),
        # 3 %: 2 / 3 % = 66.7, 67; 3 / 3 % = 100; 4 / 3 % = 133.3, 134
        ({"shortfall": 0, "price": 67, "maintenance": 50_000_000, "penalty": 20_000_000}, {"size": 1}),
        ({"shortfall": 0, "price": 66, "maintenance": 50_000_000, "penalty": 20_000_000}, {"size": 2}),
        ({"shortfall": 1, "price": 100, "maintenance": 50_000_000, "penalty": 20_000_000}, {"size": 1}),
        ({"shortfall": 1, "price": 99, "maintenance": 50_000_000, "penalty": 20_000_000}, {"size": 2}),
        ({"shortfall": 2, "price": 134, "maintenance": 50_000_000, "penalty": 20_000_000}, {"size": 1}),
        ({"shortfall": 2, "price": 133, "maintenance": 50_000_000, "penalty": 20_000_000}, {"size": 2}),
        # 3 / 0.030000001 = 99.999997, 100; 3 / 0.029999999 = 100.000003, 101
        ({"shortfall": 1, "price": 100, "maintenance": 50_000_001, "penalty": 20_000_000}, {"size": 1}),
        ({"shortfall": 1, "price": 100, "maintenance": 49_999_999, "penalty": 20_000_000}, {"size": 2}),
        # 702 x 25 = 17550, / 94 = 186.7
        ({"shortfall": 700, "price": 94, "maintenance": 50_000_000, "penalty": 10_000_000}, {"size": 187}),
    ],
)

kernel_case(
    "liquidation-restoring-size-002",
    "LIQ-2",
    kernel="restoring_size",
    bug="shortfall times scale is kept in 64 bits, or the quotient is limited to a size",
    effect="the largest shortfall asks for the smallest step",
    importance=CRITICAL,
    calls=[
        # (2^60 + 2) x 10^9 = 1152921504606846978 x 10^9
        (
            {"shortfall": 2**60, "price": 1, "maintenance": SCALE, "penalty": SCALE - 1},
            {"size": 1_152_921_504_606_846_978_000_000_000},
        ),
        # 2^60 + 2 over 2^36: 2^24 and a little, rounded up
        ({"shortfall": 2**60, "price": 2**36, "maintenance": SCALE, "penalty": 0}, {"size": 2**24 + 1}),
    ],
)


def of(value: int, ratio: int, worth: int, held: int) -> dict[str, int]:
    """Arguments of a penalty: the net liquidation value is what the account is worth."""
    return {"value": value, "ratio": ratio, "net_liquidation_value": worth, "notional_held": held}


kernel_case(
    "liquidation-penalty-001",
    "LIQ-4",
    kernel="penalty_for",
    bug="the penalty is rounded up",
    effect="pieces of one lot pay an atom each, many times the ratio",
    importance=CRITICAL,
    calls=[
        (of(99, PERCENT, worth=1000, held=1000), {"penalty": 0}),  # 0.99
        (of(100, PERCENT, worth=1000, held=1000), {"penalty": 1}),
        (of(101, PERCENT, worth=1000, held=1000), {"penalty": 1}),  # 1.01
        (of(850, PERCENT, worth=1000, held=8500), {"penalty": 8}),  # 8.5
        (of(0, PERCENT, worth=1000, held=8500), {"penalty": 0}),
        (of(850, 0, worth=1000, held=8500), {"penalty": 0}),
    ],
)

kernel_case(
    "liquidation-penalty-002",
    "LIQ-4",
    kernel="penalty_for",
    bug="the penalty is bounded by all of net liquidation value, by none of it, or by its part rounded up",
    effect="a solvent account is driven into a deficit by its penalty, or splitting a step pays more",
    importance=CRITICAL,
    calls=[
        # 5 x 100 over 249, 250, 251: 2.008, 2, 1.99
        (of(100, SCALE, worth=5, held=249), {"penalty": 2}),
        (of(100, SCALE, worth=5, held=250), {"penalty": 2}),
        (of(100, SCALE, worth=5, held=251), {"penalty": 1}),
        # a tenth of 50 below 1 % of 850 = 8
        (of(850, PERCENT, worth=50, held=8500), {"penalty": 5}),
        (of(900_000, PERCENT, worth=5000, held=900_000), {"penalty": 5000}),
        (of(450_000, PERCENT, worth=5000, held=900_000), {"penalty": 2500}),
        (of(450_000, PERCENT, worth=2500, held=450_000), {"penalty": 2500}),
        (of(850, PERCENT, worth=1, held=850), {"penalty": 1}),
        (of(850, PERCENT, worth=0, held=8500), {"penalty": 0}),
        (of(850, PERCENT, worth=-1, held=8500), {"penalty": 0}),
        (of(850, PERCENT, worth=-(2**126), held=8500), {"penalty": 0}),
        # equity beyond 2^64 is cut to 2^64: 2^64 x 2^56 / 2^60 is far above 1 % of 2^56 = 720575940379279.36
        (of(2**56, PERCENT, worth=2**126, held=2**60), {"penalty": 720_575_940_379_279}),
    ],
)

kernel_case(
    "liquidation-reward-001",
    "LIQ-5",
    kernel="reward_from",
    bug="the reward is rounded up, is taken of the penalty, or is not bounded by it",
    effect="many small pieces earn the liquidator more than one, or it is paid what nobody paid in",
    importance=CRITICAL,
    calls=[
        ({"value": 999, "penalty": 100, "ratio": PERCENT // 2}, {"reward": 4}),  # 4.995
        ({"value": 1000, "penalty": 100, "ratio": PERCENT // 2}, {"reward": 5}),
        ({"value": 1001, "penalty": 100, "ratio": PERCENT // 2}, {"reward": 5}),  # 5.005
        ({"value": 1050, "penalty": 11, "ratio": PERCENT // 2}, {"reward": 5}),  # 5.25
        ({"value": 500, "penalty": 5, "ratio": PERCENT // 2}, {"reward": 2}),  # 2.5
        ({"value": 550, "penalty": 6, "ratio": PERCENT // 2}, {"reward": 2}),  # 2.75
        ({"value": 1050, "penalty": 6, "ratio": PERCENT // 2}, {"reward": 5}),
        ({"value": 1050, "penalty": 5, "ratio": PERCENT // 2}, {"reward": 5}),
        ({"value": 1050, "penalty": 4, "ratio": PERCENT // 2}, {"reward": 4}),
        ({"value": 1050, "penalty": 0, "ratio": PERCENT // 2}, {"reward": 0}),
        ({"value": 2**56, "penalty": 2**56, "ratio": SCALE}, {"reward": 2**56}),
    ],
)

FLOOR = {"reward_floor": PERCENT, "reward_budget": 10}
kernel_case(
    "liquidation-floor-001",
    "LIQ-6",
    kernel="topped_up",
    bug="the floor is added to the reward, rounded up, or charged where the reward is above it",
    effect="a liquidator is paid more than the floor, or pays into the fund",
    importance=CRITICAL,
    calls=[
        ({"value": 999, "reward": 4, **FLOOR, "spent": 0, "fund": 500}, {"added": 5}),  # 9.99 - 4
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 0, "fund": 500}, {"added": 6}),
        ({"value": 1001, "reward": 4, **FLOOR, "spent": 0, "fund": 500}, {"added": 6}),  # 10.01 - 4
        ({"value": 1000, "reward": 9, **FLOOR, "spent": 0, "fund": 500}, {"added": 1}),
        ({"value": 1000, "reward": 10, **FLOOR, "spent": 0, "fund": 500}, {"added": 0}),
        ({"value": 1000, "reward": 11, **FLOOR, "spent": 0, "fund": 500}, {"added": 0}),
        ({"value": 1000, "reward": 0, "reward_floor": 0, "reward_budget": 10, "spent": 0, "fund": 500}, {"added": 0}),
    ],
)

kernel_case(
    "liquidation-floor-002",
    "LIQ-6",
    kernel="topped_up",
    bug="the budget is not reduced by what was spent, or the fund is drawn below nothing",
    effect="an owner who liquidates its own accounts empties the insurance fund",
    importance=CRITICAL,
    calls=[
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 3, "fund": 500}, {"added": 6}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 4, "fund": 500}, {"added": 6}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 5, "fund": 500}, {"added": 5}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 9, "fund": 500}, {"added": 1}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 10, "fund": 500}, {"added": 0}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 12, "fund": 500}, {"added": 0}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 0, "fund": 7}, {"added": 6}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 0, "fund": 6}, {"added": 6}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 0, "fund": 5}, {"added": 5}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 0, "fund": 0}, {"added": 0}),
        ({"value": 1000, "reward": 4, **FLOOR, "spent": 0, "fund": -1}, {"added": 0}),
    ],
)

# ---------------------------------------------------------------------------------------------------------------
# A step


@case(
    "liquidation-long-001",
    "LIQ-1",
    "LIQ-2",
    "LIQ-3",
    "LIQ-4",
    "LIQ-5",
    "LIQ-7",
    bug="all of the position is closed, or the penalty goes whole to one side, or the liquidator takes the wrong side",
    effect="the account loses more than a step that restores it costs",
    importance=CRITICAL,
    start=world(),
)
def a_long_is_closed_in_part(box: Recorder) -> None:
    fallen(box, 970)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 2, "E 700, R 8 % of 9700 = 776: (76 + 2) / 7 % = 1114.3, 1115; / 970 = 1.15, 2")
    box.hand(amount("price"), 970, "the mark")
    box.hand(amount("penalty"), 19, "1 % of 1940 = 19.4; below 700 x 1940 / 9700 = 140")
    box.hand(amount("reward"), 9, "0.5 % of 1940 = 9.7")
    box.hand(amount("reward_floor"), 0, "there is no floor")
    box.hand(cash("x"), 921, "1000 - 2 x 30 - 19")
    box.hand(cash("k"), 10_009, "10000 + 9")
    box.hand(size("k"), 2, "the liquidator takes what is closed")
    box.hand(size("x"), 8, "10 - 2")
    box.hand(INSURED, 10, "19 - 9")


@case(
    "liquidation-short-001",
    "LIQ-1",
    "LIQ-2",
    "LIQ-3",
    "LIQ-4",
    "LIQ-5",
    "LIQ-7",
    bug="signs are those of a long: the short grows, or its loss is paid to it",
    effect="a liquidated short takes more risk at each step",
    importance=CRITICAL,
    start=world(),
)
def a_short_is_closed_in_part(box: Recorder) -> None:
    risen(box, 1030)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 2, "E 700, R 8 % of 10300 = 824: (124 + 2) / 7 % = 1800; / 1030 = 1.75, 2")
    box.hand(amount("penalty"), 20, "1 % of 2060 = 20.6; below 700 x 2060 / 10300 = 140")
    box.hand(amount("reward"), 10, "0.5 % of 2060 = 10.3")
    box.hand(cash("x"), 920, "1000 - 2 x 30 - 20")
    box.hand(size("x"), -8, "-10 + 2")
    box.hand(size("k"), -2, "the liquidator takes what is closed")
    box.hand(INSURED, 10, "20 - 10")


@case(
    "liquidation-asked-001",
    "LIQ-3",
    bug="the step closes what may be closed although less was asked for",
    effect="a liquidator is given a position that it did not ask for",
    start=world(),
)
def no_more_is_closed_than_was_asked_for(box: Recorder) -> None:
    fallen(box, 970)
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("closed"), 1, "2 may be closed, 1 is asked for")
    box.hand(amount("penalty"), 9, "1 % of 970 = 9.7")
    box.hand(amount("reward"), 4, "0.5 % of 970 = 4.85")
    box.hand(size("x"), 9, "10 - 1")


@case(
    "liquidation-trigger-001",
    "LIQ-1",
    "MARG-12",
    bug="an account exactly at maintenance is liquidatable",
    effect="a position is taken from an account that meets its requirement",
    importance=CRITICAL,
    start=world(),
)
def the_trigger_is_strict(box: Recorder) -> None:
    fallen(box, 975, cash=1030)
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.NOT_LIQUIDATABLE)  # 1030 - 250 = 780 = 8 % of 9750
    box.drive(974)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 1, "E 770, R 779.2, 780: (10 + 2) / 7 % = 171.4, 172; / 974, 1")
    box.hand(amount("penalty"), 9, "1 % of 974 = 9.74")
    box.hand(cash("x"), 995, "1030 - 26 - 9")


@case(
    "liquidation-restored-001",
    "LIQ-2",
    "LIQ-3",
    bug="a step stops one lot short of the target",
    effect="the account stays liquidatable and pays a second penalty",
    start=world(),
)
def a_restored_account_is_left_alone(box: Recorder) -> None:
    fallen(box, 970)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 2, "(776 - 700 + 2) / 7 % / 970 = 1.15, 2")
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.NOT_LIQUIDATABLE)  # E 921 - 240 = 681, R 620.8


@case(
    "liquidation-second-account-001",
    "LIQ-1",
    bug="accounts of one owner are taken for one account",
    effect="an owner with two accounts is refused what a stranger is allowed",
    start=world(),
)
def another_account_of_the_owner_is_an_ordinary_account(box: Recorder) -> None:
    fallen(box, 970)
    box.do("x", ev.OpenAccount("x2", "main"))
    box.do("x", ev.Deposit("x2", "USD", 1000))
    box.do("x", ev.Liquidate("x", "x2", PERP, 10))
    box.hand(cash("x2"), 1009, "1000 + 0.5 % of 1940 = 9.7, 9")


@case(
    "liquidation-bounds-001",
    "LIQ-1",
    "NUM-9",
    bug="a size of nothing or one above 2^40 is taken, or 2^40 is refused",
    effect="a liquidation closes nothing, or a size wraps",
    start=world(),
)
def the_size_asked_for_is_in_range(box: Recorder) -> None:
    fallen(box, 970)
    box.do("k", ev.Liquidate("x", "k", PERP, 0), Reason.FIELD_OUT_OF_RANGE)
    box.do("k", ev.Liquidate("x", "k", PERP, SIZE_MAX + 1), Reason.FIELD_OUT_OF_RANGE)
    box.do("k", ev.Liquidate("x", "k", PERP, SIZE_MAX))
    box.hand(amount("closed"), 2, "(76 + 2) / 7 % / 970 = 1.15, 2, however much is asked for")


# ---------------------------------------------------------------------------------------------------------------
# Checks


TWO_POOLS = world(listed(), future(expiry=1), pools=(pool_of("side"),))


@case(
    "liquidation-order-001",
    "LIQ-1",
    "EVENT-8",
    "EVENT-9",
    bug="checks come in another order",
    effect="two engines give different reasons for one event",
    importance=Importance.MESSAGE,
    start=TWO_POOLS,
)
def checks_of_who_and_where_come_in_order(box: Recorder) -> None:
    for account in ("a", "k"):
        box.open(account)
    for account in ("y", "z"):
        box.open(account, 0, "side")
    box.time = 1
    box.do("eve", ev.Liquidate("ghost", "spook", "NONE", 4), Reason.UNKNOWN_MARKET)
    box.do("eve", ev.Liquidate("ghost", "spook", "FUT", 4), Reason.UNKNOWN_ACCOUNT)
    box.do("k", ev.Liquidate("ghost", "k", "FUT", 4), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Liquidate("y", "spook", "FUT", 4), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Liquidate("y", "y", "FUT", 4), Reason.SAME_ACCOUNT)
    box.do("eve", ev.Liquidate("y", "z", "FUT", 4), Reason.UNAUTHORISED)
    box.do("z", ev.Liquidate("y", "z", "FUT", 4), Reason.WRONG_POOL)
    box.do("k", ev.Liquidate("y", "k", "FUT", 4), Reason.WRONG_POOL)
    box.do("z", ev.Liquidate("a", "z", "FUT", 4), Reason.WRONG_POOL)
    box.do("k", ev.Liquidate("a", "k", "FUT", 4), Reason.MARKET_NOT_TRADING)  # it has no price either
    box.do("k", ev.Liquidate("a", "k", PERP, 4), Reason.STALE_PRICE)


@case(
    "liquidation-order-002",
    "LIQ-1",
    "LIQ-3",
    bug="checks come in another order",
    effect="two engines give different reasons for one event",
    importance=Importance.MESSAGE,
    start=world(listed(liquidation={"minimum": 5})),
)
def checks_of_the_account_come_in_order(box: Recorder) -> None:
    enter(box, a=10_000, x=1000, k=0)
    box.do("k", ev.Liquidate("x", "k", PERP, 4), Reason.NO_POSITION)
    box.trade("x", "a", 10, 1000)
    box.do("k", ev.Liquidate("x", "k", PERP, 4), Reason.NOT_LIQUIDATABLE)
    box.drive(970)
    box.do("k", ev.Liquidate("x", "k", PERP, 4), Reason.SIZE_BELOW_MINIMUM)  # nor has k any margin
    box.do("k", ev.Liquidate("x", "k", PERP, 5), Reason.INSUFFICIENT_MARGIN)
    box.drive(899)  # 1000 - 1010
    box.do("k", ev.Liquidate("x", "k", PERP, 4), Reason.IN_DEFAULT)


@case(
    "liquidation-wrong-pool-001",
    "LIQ-1",
    "COLL-1",
    bug="a liquidator of another pool takes the position",
    effect="the loss of one pool is carried into another",
    importance=CRITICAL,
    start=world(pools=(pool_of("side"),)),
)
def the_liquidator_is_of_the_same_pool(box: Recorder) -> None:
    fallen(box, 970)
    box.open("z", 10_000, "side")
    box.do("z", ev.Liquidate("x", "z", PERP, 10), Reason.WRONG_POOL)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 2, "(76 + 2) / 7 % / 970 = 1.15, 2")


@case(
    "liquidation-status-001",
    "LIQ-1",
    bug="a halted or reduce-only market admits no liquidation",
    effect="while trading is stopped nobody closes what goes through its margin",
    importance=CRITICAL,
    start=world(),
)
def halted_and_reduce_only_markets_admit_liquidation(box: Recorder) -> None:
    fallen(box, 970)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("closed"), 1, "asked for; 2 may be closed")
    box.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("closed"), 1, "E 700 - 9 = 691, R 8 % of 8730 = 698.4: still liquidatable")


@case(
    "liquidation-expiry-001",
    "LIQ-1",
    bug="an expired market admits liquidation at a mark that is not the settlement price",
    effect="an account is liquidated at a price that nobody will be paid",
    importance=CRITICAL,
    start=world(future()),
)
def an_expired_market_admits_no_liquidation(box: Recorder) -> None:
    enter(box, a=10_000, x=1000, k=10_000)
    box.trade("x", "a", 10, 1000, "FUT")
    box.drive(970)
    box.time = 99
    box.do("k", ev.Liquidate("x", "k", "FUT", 1))
    box.hand(amount("closed"), 1, "one second before expiry")
    box.time = 100
    box.do("k", ev.Liquidate("x", "k", "FUT", 1), Reason.MARKET_NOT_TRADING)
    box.do("k", ev.FixSettlement("FUT"))
    box.do("k", ev.Liquidate("x", "k", "FUT", 1), Reason.MARKET_NOT_TRADING)


@case(
    "liquidation-closed-001",
    "LIQ-1",
    bug="a closed market, whose settlement price stays fresh, admits liquidation",
    effect="the event ends in another reason or opens a position in a market that is gone",
    importance=Importance.MESSAGE,
    start=world(future()),
)
def a_closed_market_admits_no_liquidation(box: Recorder) -> None:
    enter(box, x=1000, k=10_000)
    box.time = 100
    box.do("k", ev.FixSettlement("FUT"))
    box.hand(amount("settlement_price"), 1000, "1000 for all of the window; without open interest the market closes")
    box.do("k", ev.Liquidate("x", "k", "FUT", 1), Reason.MARKET_NOT_TRADING)


@case(
    "liquidation-stale-001",
    "LIQ-1",
    "ORCL-8",
    bug="a stale mark is traded on, or the last fresh second is refused",
    effect="positions are closed at a price that is no longer true",
    importance=CRITICAL,
    start=world(),
)
def a_stale_market_admits_no_liquidation(box: Recorder) -> None:
    fallen(box, 970)  # at 2 s, fresh until 602
    box.time = 602
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("closed"), 1, "600 s is the greatest age")
    box.time = 603
    box.do("k", ev.Liquidate("x", "k", PERP, 1), Reason.STALE_PRICE)


OTHER = replace(sb.LISTING, market="ETH-PERP", feed="ETH", parameters=MARKET)
TWO_FEEDS = sb.genesis(pool=POOL, markets=(listed(), OTHER), feeds=(FEED, replace(ETH_FEED, band=2 * PERCENT)))


@case(
    "liquidation-stale-other-001",
    "LIQ-1",
    "LIQ-4",
    "MARG-5",
    bug="an account with a position in a stale market is not liquidated in the others",
    effect="one lot in a dead market shields an account until it is in default",
    importance=CRITICAL,
    start=TWO_FEEDS,
)
def a_stale_market_takes_no_hostages(box: Recorder) -> None:
    box.price(1000, "ETH")
    enter(box, a=10_000, x=1100, k=10_000)
    box.trade("x", "a", 10, 1000)
    box.trade("x", "a", 1, 1000, "ETH-PERP")
    box.price(980, time=601)
    box.price(970, time=602)
    box.do("k", ev.Liquidate("x", "k", "ETH-PERP", 1), Reason.STALE_PRICE)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(
        amount("closed"),
        1,
        "E 1100 - 300 - 1 (2 s over age at 0.01 % of 1000, 0.2, up) = 799; R 776 + 80: (57 + 2) / 7 % = 843; / 970, 1",
    )
    box.hand(amount("penalty"), 9, "1 % of 970 = 9.7; below 800 x 970 / (9700 + 1000) = 72.5")


@case(
    "liquidation-no-position-001",
    "LIQ-1",
    bug="a position that was closed is taken for one that is held",
    effect="a liquidation of nothing is accepted or pays a reward",
    start=world(listed(), listed("BTC-2")),
)
def an_account_without_the_position_is_not_liquidated_there(box: Recorder) -> None:
    enter(box, a=10_000, x=2000, k=10_000)
    box.trade("x", "a", 10, 1000)
    box.trade("x", "a", 1, 1000, "BTC-2")
    box.trade("a", "x", 1, 1000, "BTC-2")
    box.trade("x", "a", 10, 1000)
    box.drive(970)  # E 2000 - 600 = 1400, R 1552
    box.do("k", ev.Liquidate("x", "k", "BTC-2", 1), Reason.NO_POSITION)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 3, "(1552 - 1400 + 2) / 7 % = 2200; / 970 = 2.27, 3")


@case(
    "liquidation-in-default-001",
    "LIQ-1",
    "LIQ-4",
    bug="an account in default is liquidated, or one worth exactly nothing is not",
    effect="a counterparty takes its own opposite position out of a defaulter at mark and escapes its share",
    importance=CRITICAL,
    start=world(),
)
def worth_nothing_is_liquidated_worth_less_is_not(box: Recorder) -> None:
    fallen(box, 900)
    box.do("k", ev.Liquidate("x", "k", PERP, 9))
    box.hand(amount("closed"), 9, "1000 - 10 x 100 = 0 is not negative; 9 of 10 are asked for")
    box.hand(amount("penalty"), 0, "at most 0 x 8100 / 9000")
    box.hand(cash("x"), 100, "1000 - 900")
    box.drive(899)  # 100 - 101 = -1
    box.do("k", ev.Liquidate("x", "k", PERP, 1), Reason.IN_DEFAULT)


# ---------------------------------------------------------------------------------------------------------------
# The size of a step


@case(
    "liquidation-close-factor-001",
    "LIQ-3",
    bug="the close factor is rounded down, or left out",
    effect="a step closes less than it may, or all at once",
    start=world(listed(liquidation={"close_factor": 25 * PERCENT})),
)
def the_close_factor_is_rounded_up(box: Recorder) -> None:
    fallen(box, 940)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 3, "25 % of 10 = 2.5, 3; E 400, R 752 ask for 354 / 7 % = 5058, / 940 = 5.4, 6")
    box.hand(amount("penalty"), 28, "1 % of 2820 = 28.2")
    box.hand(amount("reward"), 14, "0.5 % of 2820 = 14.1")


@case(
    "liquidation-minimum-001",
    "LIQ-3",
    bug="the minimum piece is not raised above close factor and restoring size, or dust below it is closed",
    effect="an account is closed lot by lot, each with its own costs",
    start=world(listed(liquidation={"close_factor": 25 * PERCENT, "minimum": 4})),
)
def the_minimum_is_above_the_close_factor(box: Recorder) -> None:
    fallen(box, 940)
    box.do("k", ev.Liquidate("x", "k", PERP, 3), Reason.SIZE_BELOW_MINIMUM)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 4, "the close factor allows 3, the minimum is 4")


@case(
    "liquidation-minimum-002",
    "LIQ-3",
    bug="a piece equal to the minimum is refused, or the minimum is a cap",
    effect="a liquidator may not take the smallest piece that the rules name",
    start=world(listed(liquidation={"minimum": 4})),
)
def a_piece_of_the_minimum_is_enough(box: Recorder) -> None:
    fallen(box, 940)
    box.do("k", ev.Liquidate("x", "k", PERP, 3), Reason.SIZE_BELOW_MINIMUM)
    box.do("k", ev.Liquidate("x", "k", PERP, 4))
    box.hand(amount("closed"), 4, "asked for; 6 may be closed, 4 is the minimum")


@case(
    "liquidation-minimum-003",
    "LIQ-3",
    bug="a position smaller than the minimum cannot be closed, or more is closed than it has",
    effect="small positions are never liquidated, or the account ends on the other side",
    importance=CRITICAL,
    start=world(listed(liquidation={"minimum": 5})),
)
def a_position_below_the_minimum_is_closed_whole(box: Recorder) -> None:
    enter(box, a=10_000, x=300, k=10_000)
    box.trade("x", "a", 3, 1000)
    box.drive(970)
    box.do("k", ev.Liquidate("x", "k", PERP, 2), Reason.SIZE_BELOW_MINIMUM)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 3, "all of 3 lots, fewer than the minimum of 5")
    box.hand(amount("penalty"), 29, "1 % of 2910 = 29.1")
    box.hand(amount("reward"), 14, "0.5 % of 2910 = 14.55")
    box.hand(cash("x"), 181, "300 - 90 - 29")


@case(
    "liquidation-critical-001",
    "LIQ-3",
    "MARG-12",
    bug="the close factor holds at any health, or health exactly at the critical ratio counts as below it",
    effect="a solvent account is closed by halves until it is a bad debt",
    importance=CRITICAL,
    start=world(listed(liquidation={"close_factor": 30 * PERCENT, "critical_health": 50 * PERCENT})),
)
def below_critical_health_everything_may_be_closed(box: Recorder) -> None:
    enter(box, a=50_000, x=1024, y=1024, k=50_000)
    box.trade("x", "a", 10, 1000)
    box.trade("y", "a", 10, 1000)
    box.drive(935)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 3, "E 374 is half of R 748, not below: 30 % of 10; 376 / 7 % / 935 would be 6")
    box.drive(934)
    box.do("k", ev.Liquidate("y", "k", PERP, 1000))
    box.hand(amount("closed"), 10, "E 364, R 747.2, 748: below half, all of it")
    box.hand(amount("penalty"), 93, "1 % of 9340 = 93.4; below 364")
    box.hand(cash("y"), 271, "1024 - 660 - 93")


@case(
    "liquidation-buffer-001",
    "LIQ-2",
    bug="the buffer is left out or rounded down",
    effect="a step leaves the account at the edge, to be liquidated again at the next price",
    start=world(listed(liquidation={"buffer": 10 * PERCENT})),
)
def a_step_aims_above_maintenance_by_the_buffer(box: Recorder) -> None:
    fallen(box, 970, cash=1020)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(
        amount("closed"),
        3,
        "E 720, R 776 + 77.6, 78: (134 + 2) / 7 % = 1942.9, 1943; / 970 = 2.003, 3. With 77 it would be 1929, 2",
    )
    box.hand(amount("penalty"), 29, "1 % of 2910 = 29.1")


TIERED = listed(
    margin={"tiers": (Tier(5000, 10 * PERCENT, 8 * PERCENT), Tier(NOTIONAL_MAX, 20 * PERCENT, 16 * PERCENT))}
)


@case(
    "liquidation-tiers-001",
    "LIQ-2",
    bug="the maintenance ratio of the highest tier, or of the position's tier, sizes the step",
    effect="the step frees less than it counted on and leaves the account below maintenance",
    start=world(TIERED),
)
def the_lowest_tier_sizes_the_step(box: Recorder) -> None:
    enter(box, a=10_000, x=1500, k=10_000)
    box.trade("x", "a", 10, 1000)  # 500 + 1000 of initial margin
    box.drive(942)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(
        amount("closed"),
        3,
        "E 920, R 400 + 16 % of 4420 = 1107.2, 1108: 190 / (8 - 1) % = 2715, / 942 = 2.9; at 16 % it would be 2",
    )


RAMPED = listed(margin={"tiers": tier(95 * 10**6)}).parameters
STEEPER = listed(
    margin={"tiers": (Tier(5000, 10 * PERCENT, 95 * 10**6), Tier(NOTIONAL_MAX, 20 * PERCENT, 16 * PERCENT))}
).parameters


@case(
    "liquidation-ramp-001",
    "LIQ-2",
    "PARM-13",
    bug="while maintenance rises along a ramp a step counts on the new ratio, or on the old one after it",
    effect="the step closes too little and the account stays liquidatable",
    importance=CRITICAL,
    start=world(),
)
def a_rising_ramp_counts_with_the_old_ratio(box: Recorder) -> None:
    enter(box, a=50_000, x=1000, y=1000, z=1000, k=50_000)
    for account in ("x", "y", "z"):
        box.trade(account, "a", 10, 1000)
    box.drive(970)
    box.do("admin", ev.SetParameters(PERP, RAMPED))
    box.hand(amount("ramp_end"), 62, "2 + 60")
    box.time = 32
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(
        amount("closed"),
        3,
        "R 776 + (921.5, 922, less 776) x 30 / 60 = 849, E 700: 151 / (8 - 1) % = 2158, / 970 = 2.2; at 9.5 % it is 2",
    )
    box.time = 61
    box.do("k", ev.Liquidate("y", "k", PERP, 10))
    box.hand(amount("closed"), 4, "R 776 + 146 x 59 / 60 = 919.6, 920: 222 / 7 % = 3172, / 970 = 3.3, 4")
    box.time = 62
    box.do("k", ev.Liquidate("z", "k", PERP, 10))
    box.hand(amount("closed"), 3, "the ramp is over, R 922: 224 / (9.5 - 1) % = 2636, / 970 = 2.7, 3")


@case(
    "liquidation-ramp-002",
    "LIQ-2",
    "PARM-13",
    bug="while maintenance falls along a ramp a step counts on the old, larger ratio",
    effect="the step closes too little and the account stays liquidatable",
    start=world(listed(margin={"tiers": tier(95 * 10**6)})),
)
def a_falling_ramp_counts_with_the_new_ratio(box: Recorder) -> None:
    fallen(box, 970)
    box.do("admin", ev.SetParameters(PERP, MARKET))
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 4, "R is still 921.5, 922: 224 / (8 - 1) % = 3200, / 970 = 3.3, 4; at 9.5 % it is 3")


@case(
    "liquidation-ramp-003",
    "LIQ-2",
    "PARM-13",
    bug="in a ramp the highest tier of the old table sizes the step",
    effect="the step counts on more than it frees",
    start=world(TIERED),
)
def a_ramp_counts_with_the_lowest_tier_of_the_old_table(box: Recorder) -> None:
    enter(box, a=10_000, x=1500, k=10_000)
    box.trade("x", "a", 10, 1000)
    box.drive(930)
    box.do("admin", ev.SetParameters(PERP, STEEPER))
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(
        amount("closed"),
        5,
        "E 800, R 400 + 16 % of 4300 = 1088: (288 + 2) / (8 - 1) % = 4143, / 930 = 4.45, 5; at 9.5 % it is 4",
    )


@case(
    "liquidation-equity-001",
    "LIQ-2",
    "MARG-9",
    bug="the step is sized by initial equity, in which unrealised profit counts in part",
    effect="an account with unrealised profit loses more of its position than restores it",
    start=world(pool=pool_of(profit_weight_initial=50 * PERCENT)),
)
def margin_equity_sizes_the_step(box: Recorder) -> None:
    enter(box, a=20_000, x=500, k=10_000)
    box.trade("x", "a", 10, 900)  # 500 and half of a profit of 1000
    box.drive(921)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 1, "E 500 + 210, R 736.8, 737: 29 / 7 % = 415, / 921, 1; by 500 + 105 it would be 3")


# ---------------------------------------------------------------------------------------------------------------
# Penalty, reward, floor


@case(
    "liquidation-penalty-cap-001",
    "LIQ-4",
    "LIQ-5",
    bug="the penalty is charged beyond what the account is worth",
    effect="the liquidator is paid with money of the other members",
    importance=CRITICAL,
    start=world(),
)
def a_penalty_takes_no_more_than_the_account_is_worth(box: Recorder) -> None:
    enter(box, a=50_000, x=1000, y=1000, k=50_000)
    box.trade("x", "a", 10, 1000)
    box.trade("y", "a", 10, 1000)
    box.drive(905)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 10, "E 50, R 724: 676 / 7 % = 9658, / 905 = 10.7; all of 10")
    box.hand(amount("penalty"), 50, "worth 50; 1 % of 9050 is 90")
    box.hand(amount("reward"), 45, "0.5 % of 9050 = 45.25")
    box.hand(cash("x"), 0, "1000 - 950 - 50")
    box.hand(INSURED, 5, "50 - 45")
    box.drive(903)
    box.do("k", ev.Liquidate("y", "k", PERP, 10))
    box.hand(amount("penalty"), 30, "worth 30; 1 % of 9030 is 90")
    box.hand(amount("reward"), 30, "0.5 % of 9030 is 45, the penalty 30")
    box.hand(INSURED, 5, "5 + 30 - 30")


@case(
    "liquidation-penalty-split-001",
    "LIQ-4",
    "LIQ-5",
    bug="the first piece takes all that the account is worth",
    effect="splitting a step pays more than taking it whole",
    importance=CRITICAL,
    start=world(),
)
def two_halves_pay_no_more_than_the_whole(box: Recorder) -> None:
    fallen(box, 905)
    box.do("k", ev.Liquidate("x", "k", PERP, 5))
    box.hand(amount("penalty"), 25, "50 x 4525 / 9050; 1 % of 4525 is 45")
    box.hand(amount("reward"), 22, "0.5 % of 4525 = 22.6")
    box.do("k", ev.Liquidate("x", "k", PERP, 5))
    box.hand(amount("penalty"), 25, "25 x 4525 / 4525")
    box.hand(amount("reward"), 22, "0.5 % of 4525 = 22.6; whole it would have been 45")


@case(
    "liquidation-penalty-parts-001",
    "LIQ-4",
    bug="the penalty is bounded in proportion to the position alone, not to all that the account holds",
    effect="the first of two positions takes all that the account is worth",
    importance=CRITICAL,
    start=world(listed(), listed("BTC-2")),
)
def the_bound_is_in_proportion_to_all_positions(box: Recorder) -> None:
    enter(box, a=50_000, x=2000, k=50_000)
    box.trade("x", "a", 10, 1000)
    box.trade("x", "a", 10, 1000, "BTC-2")
    box.drive(905)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("closed"), 10, "E 100, R 1448: 1350 / 7 % is more than 10 lots")
    box.hand(amount("penalty"), 50, "100 x 9050 / 18100; 1 % of 9050 is 90")
    box.hand(amount("reward"), 45, "0.5 % of 9050 = 45.25")


INSURED_FLOOR = {"reward": PERCENT // 5, "reward_floor": PERCENT // 2, "reward_budget": 1000}


@case(
    "liquidation-reward-floor-001",
    "LIQ-6",
    "LIQ-4",
    bug="insurance is asked before the rest of the penalty has arrived in it",
    effect="an empty fund refuses what the same event brings in",
    importance=CRITICAL,
    start=world(listed(liquidation=INSURED_FLOOR)),
)
def insurance_adds_to_the_reward_after_it_was_paid(box: Recorder) -> None:
    fallen(box, 970)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("reward"), 3, "0.2 % of 1940 = 3.88")
    box.hand(amount("reward_floor"), 6, "0.5 % of 1940 = 9.7, 9 less 3; the fund holds 19 - 3 = 16 by then")
    box.hand(cash("k"), 10_009, "10000 + 3 + 6")
    box.hand(cash("x"), 921, "1000 - 60 - 19")
    box.hand(INSURED, 10, "19 - 3 - 6")


@case(
    "liquidation-reward-floor-002",
    "LIQ-6",
    bug="the floor is paid beyond what the fund holds, or not at all to one who closes a worthless account",
    effect="the fund is overdrawn, or nobody closes an account at zero",
    importance=CRITICAL,
    start=world(listed(liquidation=INSURED_FLOOR)),
)
def the_floor_is_paid_as_far_as_the_fund_reaches(box: Recorder) -> None:
    insure(box, 20)
    fallen(box, 900)
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(amount("penalty"), 0, "worth 1000 - 1000 = 0")
    box.hand(amount("reward_floor"), 20, "0.5 % of 9000 = 45; the fund holds 20")
    box.hand(INSURED, 0, "20 - 20")
    box.hand(cash("k"), 10_020, "10000 + 20")


@case(
    "liquidation-reward-budget-001",
    "LIQ-6",
    bug="the budget of the floor is forgotten after an event, is never renewed, or is renewed a second early or late",
    effect="an owner who liquidates its own accounts drains the fund, or nobody is paid the floor any more",
    importance=CRITICAL,
    start=world(listed(liquidation={**INSURED_FLOOR, "reward_budget": 4, "budget_interval": 3600})),
)
def the_floor_has_a_budget_for_an_interval(box: Recorder) -> None:
    fallen(box, 940)
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 3, "0.5 % of 940 = 4.7, 4, less 0.2 %, 1.88, 1")
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 1, "3 are wanted, 4 - 3 are left")
    box.price(940, time=3599)
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 0, "4 of 4 spent; the interval began at 0")
    box.time = 3600
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 3, "a new interval")
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 1, "4 - 3 are left; E 400 - 4 x 9 = 364 was still below R 451.2")


# ---------------------------------------------------------------------------------------------------------------
# The liquidator's side


@case(
    "liquidation-margin-001",
    "LIQ-7",
    "MARG-10",
    bug="the liquidator takes a position without initial margin, or its reward does not count",
    effect="a position goes from one account that cannot carry it to another",
    importance=CRITICAL,
    start=world(),
)
def the_liquidator_needs_initial_margin(box: Recorder) -> None:
    enter(box, a=10_000, x=1000, k=184)
    box.trade("x", "a", 10, 1000)
    box.drive(970)
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.INSUFFICIENT_MARGIN)  # 184 + 9 < 10 % of 1940
    box.do("k", ev.Deposit("k", "USD", 1))
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(cash("k"), 194, "185 + 9 = 10 % of 1940")


@case(
    "liquidation-margin-002",
    "LIQ-7",
    "MARG-10",
    bug="a liquidator that reduces its own position is not asked for margin at all",
    effect="an account in default sheds its losing lots, and a reward comes on top",
    importance=CRITICAL,
    start=world(listed(), listed("BTC-2")),
)
def a_liquidator_in_default_may_not_even_reduce(box: Recorder) -> None:
    enter(box, a=100_000, x=2300, k=4000)
    box.trade("x", "a", 10, 1000)
    box.trade("a", "k", 10, 1000)
    box.trade("k", "a", 30, 1000, "BTC-2")
    box.drive(780)  # k: 4000 + 2200 - 6600 = -400, a reward of 39 aside; x: 2300 - 2200 = 100, maintenance 624
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.INSUFFICIENT_MARGIN)
    box.hand(size("k"), -10, "turned away")


@case(
    "liquidation-opposite-001",
    "LIQ-7",
    "MARG-10",
    bug="a liquidator below initial margin may not even make its own opposite position smaller",
    effect="the natural taker of a position is turned away",
    start=world(listed(), listed("BTC-2")),
)
def a_liquidator_below_initial_margin_may_reduce(box: Recorder) -> None:
    enter(box, a=10_000, x=1000, k=4000)
    box.trade("x", "a", 10, 1000)
    box.trade("a", "k", 10, 1000)
    box.trade("k", "a", 30, 1000, "BTC-2")
    box.drive(970)  # k: E 4000 + 300 - 900 = 3400, initial margin 3880, maintenance 3104
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(size("k"), -8, "-10 + 2; health rises from 3400 / 3104 to 3409 / 2949")
    box.hand(cash("k"), 4069, "4000 + 2 x 30 + 9")


def limited(box: Recorder, side: int, own: int) -> None:
    """A liquidator ``k`` with 6, ETH worth 160 after haircut and one lot on the other side, traded at a bad price."""
    enter(box, a=10_000, x=1000, k=6)
    box.price(320, "ETH")
    box.do("k", ev.Deposit("k", "ETH", 1))
    if side > 0:
        box.trade("x", "a", 10, 1000)
        box.trade("a", "k", 1, own)
    else:
        box.trade("a", "x", 10, 1000)
        box.trade("k", "a", 1, own)


@case(
    "liquidation-balance-limit-001",
    "LIQ-7",
    "TRADE-10",
    bug="a liquidator may run its settlement balance below the limit, or margin is checked first",
    effect="debts in the settlement asset grow without bound behind collateral",
    importance=CRITICAL,
    start=with_ether(),
)
def the_liquidators_balance_keeps_its_limit(box: Recorder) -> None:
    limited(box, 1, 940)
    box.drive(961)  # x: E 610, R 768.8: (159 + 2) / 7 % = 2300, / 961 = 2.4, 3
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.NEGATIVE_BALANCE_LIMIT)  # 6 - 21 + 0.5 % of 2883, 14 = -1
    box.do("k", ev.Deposit("k", "USD", 1))
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.INSUFFICIENT_MARGIN)  # 0 + 160 < 10 % of 1922 = 192.2
    box.do("k", ev.Deposit("k", "USD", 33))
    box.do("k", ev.Liquidate("x", "k", PERP, 10))
    box.hand(cash("k"), 33, "40 - 21 + 14; 33 + 160 = 193")
    box.hand(size("k"), 2, "-1 + 3")


@case(
    "liquidation-balance-limit-002",
    "LIQ-7",
    "TRADE-10",
    bug="a step that only reduces the liquidator's own position is held to the limit",
    effect="an account in debt may not get rid of its risk",
    start=with_ether(),
)
def a_reducing_step_of_a_short_is_exempt(box: Recorder) -> None:
    limited(box, 1, 940)
    box.drive(961)
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(cash("k"), -11, "6 - 21 + 0.5 % of 961 = 4.8, 4; the short of 1 is closed and nothing opened")


@case(
    "liquidation-balance-limit-003",
    "LIQ-7",
    "TRADE-10",
    bug="the side of the liquidator is taken for that of the account",
    effect="the exemption is given to steps that open, and not to those that reduce",
    start=with_ether(),
)
def a_reducing_step_of_a_long_is_exempt(box: Recorder) -> None:
    limited(box, -1, 1060)
    box.drive(1040)  # x: E 600, R 832: 234 / 7 % = 3343, / 1040 = 3.2, 4
    box.do("k", ev.Liquidate("x", "k", PERP, 2), Reason.NEGATIVE_BALANCE_LIMIT)  # 6 - 20 + 10 = -4
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(cash("k"), -9, "6 - 20 + 0.5 % of 1040 = 5.2, 5; the long of 1 is closed and nothing opened")


@case(
    "liquidation-one-lot-001",
    "LIQ-7",
    "LIQ-1",
    "TRADE-10",
    bug="a position of one lot is taken for none, or for one of the other side",
    effect="the smallest position is never liquidated, or a liquidator in debt opens new risk",
    importance=CRITICAL,
    start=with_ether(),
)
def a_long_of_one_lot_is_liquidated(box: Recorder) -> None:
    enter(box, a=10_000, x=100, k=6)
    box.price(320, "ETH")
    box.do("k", ev.Deposit("k", "ETH", 1))
    box.trade("x", "a", 1, 1000)
    box.trade("a", "k", 1, 940)
    box.drive(961)
    box.trade("k", "a", 1, 961)
    box.hand(cash("k"), -15, "6 - 21: only a fill that reduces may leave it below the limit of 0")
    box.do("k", ev.Liquidate("x", "k", PERP, 1), Reason.NEGATIVE_BALANCE_LIMIT)  # -15 + 4
    box.do("k", ev.Deposit("k", "USD", 11))
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(cash("k"), 0, "-4 + 0.5 % of 961 = 4.8, 4")
    box.hand(size("k"), 1, "0 + 1")
    box.hand(cash("x"), 52, "100 - 39 - 1 % of 961 = 9.6, 9")


MANY = with_ether(*(listed(f"M{place}") for place in range(65)))


@case(
    "liquidation-too-many-001",
    "LIQ-7",
    "TRADE-6",
    bug="a liquidator takes a position in a 65th market, or is refused the 64th",
    effect="the bounds of sums over positions do not hold",
    start=MANY,
)
def a_liquidator_holds_at_most_64_positions(box: Recorder) -> None:
    enter(box, a=50_000, b=50_000, x=1000, y=1000, k=0)
    box.price(16_500, "ETH")
    box.do("k", ev.Deposit("k", "ETH", 1))
    for place in range(63):
        box.trade("k", "a" if place < 33 else "b", 1 if place else 2, 1000, f"M{place}")
    box.trade("x", "b", 10, 1000, "M63")
    box.trade("y", "b", 10, 1000, "M64")
    box.drive(970)
    box.do("k", ev.Liquidate("x", "k", "M63", 1))
    box.hand(cash("k"), 4, "0.5 % of 970 = 4.85; E 4 + 8250 - 64 x 30 = 6334 covers 65 lots at 97, 6305")
    box.trade("a", "k", 1, 970, "M0")
    box.hand(cash("k"), -26, "4 - 30: below the limit of 0, as only a fill that reduces may leave it")
    box.do("k", ev.Liquidate("y", "k", "M64", 1), Reason.TOO_MANY_POSITIONS)  # -26 + 4 is below the limit too


# ---------------------------------------------------------------------------------------------------------------
# Incidents


@case(
    "liquidation-backstop-001",
    "LIQ-1",
    "LIQ-7",
    bug="a backstop takes any position without initial margin, or only at the word of its owner",
    effect="a short in a thin market is handed to a vault and pumped; all depositors of the vault pay",
    incident="Hyperliquid, JELLY, 2025-03-26: the vault took over a short of 398 million JELLY without a limit",
    importance=CRITICAL,
    start=world(pool=pool_of(backstop="vault")),
)
def a_backstop_takes_what_its_margin_carries(box: Recorder) -> None:
    enter(box, a=10_000, x=1000, k=10_000, vault=195)
    box.trade("a", "x", 10, 1000)
    box.drive(1030)
    box.do("anyone", ev.Liquidate("x", "k", PERP, 10), Reason.UNAUTHORISED)
    box.do("anyone", ev.Liquidate("x", "vault", PERP, 10), Reason.INSUFFICIENT_MARGIN)  # 195 + 10 < 206
    box.do("admin", ev.Deposit("vault", "USD", 1))
    box.do("anyone", ev.Liquidate("x", "vault", PERP, 10))
    box.hand(size("vault"), -2, "(824 - 700 + 2) / 7 % = 1800, / 1030 = 1.75, 2")
    box.hand(cash("vault"), 206, "196 + 0.5 % of 2060 = 10.3, 10; initial margin is 206")


@case(
    "liquidation-backstop-002",
    "LIQ-7",
    "LIQ-1",
    bug="the backstop account cannot be liquidated",
    effect="the loss of a backstop grows without anyone able to stop it",
    incident="Hyperliquid, JELLY, 2025-03-26: nothing deleveraged the vault while its short lost 10 million",
    importance=CRITICAL,
    start=world(pool=pool_of(backstop="vault")),
)
def a_backstop_is_liquidated_like_anyone(box: Recorder) -> None:
    enter(box, a=10_000, vault=1000, k=10_000)
    box.trade("a", "vault", 10, 1000)
    box.drive(1030)
    box.do("k", ev.Liquidate("vault", "k", PERP, 10))
    box.hand(amount("closed"), 2, "E 700, R 824: 126 / 7 % = 1800, / 1030 = 1.75, 2")
    box.hand(cash("vault"), 920, "1000 - 60 - 20")


OUTFLOW: dict[str, Any] = {"profit_weight_withdrawal": SCALE, "profit_cap_withdrawal": 10**6}


@case(
    "liquidation-withdrawn-profit-001",
    "LIQ-1",
    "LIQ-4",
    "MARG-11",
    bug="what is left of a position from which the profit was withdrawn is closed for more than it is worth",
    effect="the liquidator or the pool pays for the exit of the trader",
    incident="Hyperliquid, ETH, 2025-03-12: 17 million were withdrawn from a long, which was then liquidated at a loss",
    importance=CRITICAL,
    start=world(pool=pool_of(**OUTFLOW)),
)
def a_long_without_its_profit_is_liquidated_at_the_next_fall(box: Recorder) -> None:
    enter(box, a=20_000, whale=1000, k=10_000)
    box.trade("whale", "a", 10, 1000)
    box.drive(1060)
    box.do("whale", ev.Withdraw("whale", "USD", 541), Reason.BELOW_INITIAL_MARGIN)
    box.do("whale", ev.Withdraw("whale", "USD", 540))
    box.hand(cash("whale"), 460, "1000 - 540; 460 + 600 of profit is 10 % of 10600")
    box.drive(1036)
    box.do("k", ev.Liquidate("whale", "k", PERP, 10))
    box.hand(amount("closed"), 1, "E 460 + 360 = 820, R 828.8, 829: 11 / 7 % = 158, / 1036, 1")
    box.hand(cash("whale"), 486, "460 + 36 - 1 % of 1036 = 10.36, 10")


@case(
    "liquidation-withdrawn-profit-002",
    "LIQ-1",
    "MARG-11",
    bug="unrealised profit counts towards a withdrawal where its weight is 0",
    effect="the trader takes the margin out and leaves the position to the others",
    incident="Hyperliquid, ETH, 2025-03-12: unrealised profit was withdrawn",
    importance=CRITICAL,
    start=world(),
)
def a_long_that_keeps_its_margin_survives_the_same_fall(box: Recorder) -> None:
    enter(box, a=20_000, whale=1100, k=10_000)
    box.trade("whale", "a", 10, 1000)
    box.drive(1060)
    box.do("whale", ev.Withdraw("whale", "USD", 41), Reason.BELOW_INITIAL_MARGIN)
    box.do("whale", ev.Withdraw("whale", "USD", 40))
    box.hand(cash("whale"), 1060, "1100 - 40 = 10 % of 10600; the profit of 600 does not count")
    box.drive(1036)
    box.do("k", ev.Liquidate("whale", "k", PERP, 10), Reason.NOT_LIQUIDATABLE)  # 1060 + 360 against 829


@case(
    "liquidation-last-price-001",
    "LIQ-1",
    "ORCL-6",
    bug="the trigger looks at the last price of the book and not at the mark",
    effect="a wick in one book liquidates accounts that are sound at every other venue",
    incident="Binance, 2020-03-13: ETH traded at 84 and at 323 within one hour while its mark stayed near 100",
    importance=CRITICAL,
    start=world(listed(mark={"band": PERCENT // 5})),
)
def a_wick_in_the_book_liquidates_nobody(box: Recorder) -> None:
    fallen(box, 980)
    box.time = 10
    box.do("venue", ev.PostBook(PERP, 500, 500))
    box.hand(amount("mark"), 979, "the basis is -480, in a band of 0.2 % of 980 = 1.96, 1: 980 - 1")
    box.do("k", ev.Liquidate("x", "k", PERP, 10), Reason.NOT_LIQUIDATABLE)  # E 790, R 783.2, 784
