"""More vectors of margin: what only a claim, a second collateral, a stale mark or uncounted profit brings out."""

from __future__ import annotations

from dataclasses import replace

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, SCALE
from clearspec.parameters import AssetParameters, Tier
from clearspec.sandbox import ETH, ETH_FEED, FEED, LIQUIDATION, LISTING, MARGIN, MARK, MARKET, PERCENT, genesis
from clearspec_conformance.cases.margin import (
    BARE,
    ETH_2025,
    FUTURE,
    LENDING,
    PERP,
    bare,
    fallen,
    four_lots,
    lent,
    most,
    short_of,
    start,
)
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
P = PERCENT

kernel_case(
    "margin-tiers-101",
    "MARG-1",
    kernel="tiered_requirement",
    bug="each slice is rounded up by itself",
    effect="a position pays an atom for every tier that it spans",
    calls=[
        # 5 x 10 % + 2 x 20 % = 0.9 and 5 x 1 % + 2 x 2 % = 0.09: rounded once, not 1 + 1
        (
            {"value": 7, "tiers": (Tier(5, 10 * P, P), Tier(NOTIONAL_MAX, 20 * P, 2 * P))},
            {"initial": 1, "maintenance": 1},
        ),
    ],
)


@case(
    "margin-stale-mark-101",
    "MARG-5",
    "ORCL-9",
    bug="the penalty of a stale position is taken from another price than the mark",
    effect="a stale market lends, or takes, what the mark has moved since",
    importance=CRITICAL,
    start=bare(),
)
def the_penalty_is_on_the_mark(box: Recorder) -> None:
    # Long 1 from 10,000, mark 10,100 within one variation interval; fresh until 602. At 702: 1 % of 10,100 = 101.
    start(box, 10_000, a=5_000, b=5_000)
    box.trade("a", "b", 1, 10_000)
    box.price(10_100, time=2)
    box.time = 702
    most(box, "a", 3_989, 1_011, "5,000 - 3,989: 1,011 + 100 - 101 = 1,010 = 10 % of 10,100")


CLAIMED = genesis(
    pool=replace(BARE, profit_weight_withdrawal=SCALE, profit_cap_withdrawal=AMOUNT_MAX, withdrawal_margin=21 * P),
    feeds=(replace(FEED, band=4 * P),),
    markets=tuple(
        replace(
            listing,
            parameters=replace(
                MARKET,
                margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * P, 20 * P),)),
                mark=replace(MARK, variation_interval=1),
            ),
        )
        for listing in (FUTURE, LISTING)
    ),
)


@case(
    "margin-claims-101",
    "MARG-6",
    "MARG-11",
    "MARG-12",
    "SETTLE-6",
    bug="a claim has a requirement or a notional, above zero or below",
    effect="an account with a claim is liquidated at its maintenance, or takes out an atom too much",
    importance=CRITICAL,
    start=CLAIMED,
)
def a_claim_needs_no_margin(box: Recorder) -> None:
    # One lot from 1,000, settled at 1,041: a claim of 41. Five lots of the perpetual need 20 % of 5,205 = 1,041.
    start(box, 1_000, w=999, s=1_000, k=10**6)
    box.trade("w", "s", 1, 1_000, "FUT")
    box.drive(1_041)
    box.price(1_041, time=100)
    box.time = 700
    box.do("z", ev.FixSettlement("FUT"))
    box.do("z", ev.SettlePosition("w", "FUT"))
    box.hand("receipt.amounts.claim", 41, "1,041 - 1,000")
    short_of(box, "w", "k", 5, 1_041, account="w")  # 999 + 41 = 1,040
    box.do("w", ev.Deposit("w", "USD", 1))
    box.trade("w", "k", 5, 1_041)
    box.do("k", ev.Liquidate("w", "k", PERP, 5), Reason.NOT_LIQUIDATABLE)  # 1,041 = 1,041
    box.do("w", ev.Deposit("w", "USD", 54))
    most(box, "w", 1, 1_053, "1,054 - 1: 1,053 + 41 = 1,094 = 21 % of 5,205 = 1,093.05, up")
    box.price(1_027, time=701)
    box.do("w", ev.Deposit("w", "USD", 2))
    box.do("k", ev.Liquidate("w", "k", PERP, 5))
    box.hand("receipt.amounts.closed", 1, "1,055 + 41 - 70 = 1,026 < 20 % of 5,135 = 1,027; (1 + 2) / 19 % = 16, 1 lot")


@case(
    "margin-collateral-101",
    "MARG-7",
    "ORCL-9",
    bug="a price that is not yet stale is worth more the fresher it is",
    effect="collateral backs more than it is worth",
    importance=CRITICAL,
    start=lent(pool=replace(LENDING, collateral=(replace(ETH, stale_rate=P),))),
)
def a_fresh_price_has_no_age(box: Recorder) -> None:
    box.price(2_000, "ETH", time=1)
    box.open("b", 5_000)
    box.open("a")
    box.do("a", ev.Deposit("a", "ETH", 1))
    most(box, "a", 1_600, -1_600, "0 - 1,600 = -(80 % of 2,000)")


@case(
    "margin-collateral-102",
    "MARG-7",
    "ORCL-9",
    bug="the age of a collateral price counts from the anchor of its step",
    effect="collateral with a fresh price is taken for stale",
    start=genesis(pool=LENDING, feeds=(FEED, replace(ETH_FEED, step_interval=1_000, max_age=100)), markets=(LISTING,)),
)
def age_counts_from_the_last_price(box: Recorder) -> None:
    box.price(2_000, "ETH", time=1)
    box.price(2_000, "ETH", time=90)
    box.open("b", 5_000)
    box.open("a")
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.time = 150
    most(box, "a", 1_600, -1_600, "60 seconds old, at most 100: 80 % of 2,000 still")


GOLD = replace(ETH, asset="GOLD", feed="GOLD", haircut=50 * P)
TWO_COLLATERALS = replace(
    genesis(pool=replace(LENDING, collateral=(ETH, GOLD)), feeds=(FEED, ETH_FEED, replace(ETH_FEED, feed="GOLD"))),
    assets=(AssetParameters("USD", 6), AssetParameters("ETH", 0), AssetParameters("GOLD", 0)),
)


@case(
    "margin-collateral-103",
    "MARG-7",
    "MARG-9",
    bug="only the first collateral asset of a pool counts",
    effect="an account is liquidated while it holds what it owes",
    importance=CRITICAL,
    start=TWO_COLLATERALS,
)
def every_collateral_asset_counts(box: Recorder) -> None:
    box.price(2_000, "ETH", time=1)
    box.price(300, "GOLD")
    box.open("b", 5_000)
    box.open("a")
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.do("a", ev.Deposit("a", "GOLD", 3))
    most(box, "a", 2_050, -2_050, "80 % of 2,000 + 50 % of 900")


# ---------------------------------------------------------------------------------------------------------------
# Fills below initial margin


@case(
    "margin-fill-101",
    "MARG-10",
    bug="the requirement after a fill is held against the notional before it, not against the requirement before it",
    effect="an account below initial margin takes new risk",
    importance=CRITICAL,
    start=fallen(),
)
def no_price_buys_new_risk(box: Recorder) -> None:
    # E = 280 - 200 = 80, R = 200. One lot bought 20 below mark: E = 100, R = 250, and 100 x 200 = 80 x 250.
    four_lots(box, 280, 250)
    short_of(box, "a", "b", 1, 230, account="a")
    box.hand("observable.accounts.a.positions.BTC-PERP.size", 4, "unchanged: 250 > 200")


@case(
    "margin-fill-102",
    "MARG-10",
    bug="an account that lacks one atom after a fill is not in default",
    effect="it fills its way out of its default",
    importance=CRITICAL,
    start=fallen(),
)
def one_atom_short_is_default(box: Recorder) -> None:
    # 242 - 4 x 63 = -10; one lot sold 9 above mark leaves -1, 10 above it 0.
    four_lots(box, 242, 237)
    short_of(box, "second", "a", 1, 246, account="a")
    box.trade("second", "a", 1, 247)
    box.hand("observable.accounts.a.balances.USD", 189, "242 + 247 - 300; N = 189 + 3 x 237 - 900 = 0")


@case(
    "margin-fill-103",
    "MARG-10",
    bug="below zero, by one atom, health decides instead of equity",
    effect="an account that owes one atom cannot reduce at mark",
    start=fallen(pool=LENDING),
)
def an_equity_of_minus_one_may_not_fall(box: Recorder) -> None:
    # One ETH at 500 counts 400: 251 - 400 + 400 - 4 x 63 = -1, N = 99. By health -1 x 190 < -1 x 95.
    box.price(500, "ETH", time=1)
    start(box, 300, a=251, b=10_000, second=10_000)
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.do("a", ev.Withdraw("a", "USD", 400))
    box.trade("a", "b", 4, 300)
    box.drive(237)
    short_of(box, "second", "a", 2, 236, account="a")
    box.trade("second", "a", 2, 237)
    box.hand("observable.accounts.a.balances.USD", -275, "251 - 400 + 2 x 237 - 600; E = -275 + 400 + 474 - 600 = -1")


STEEP = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * P, 20 * P),))
HEDGED = replace(
    MARKET,
    margin=STEEP,
    mark=replace(MARK, variation_interval=1),
    trading=replace(MARKET.trading, price_band=80 * P),
)
UNCOUNTED = replace(LENDING, profit_weight_initial=0)
WIDE_ETH = replace(ETH, haircut=50 * P)
BOTH_WAYS = tuple(replace(LISTING, market=market, parameters=HEDGED) for market in (PERP, "BTC-2"))


def both_ways(box: Recorder, lots: int, price: int) -> None:
    """``a`` bought in one market and sold in the other at 300, and closed the side that lost."""
    box.trade("a", "b", lots, 300)
    box.trade("b", "a", lots, 300, "BTC-2")
    box.drive(price)
    box.trade("b", "a", lots, price)


@case(
    "margin-fill-104",
    "MARG-10",
    "MARG-8",
    bug="health is compared with the equity for new risk, in which profit does not count",
    effect="profit that is really there is given away, or may not be used to reduce",
    importance=CRITICAL,
    start=genesis(pool=replace(UNCOUNTED, collateral=()), feeds=(replace(FEED, band=4 * P),), markets=BOTH_WAYS),
)
def health_counts_all_profit(box: Recorder) -> None:
    # Cash 480 - 4 x 130 = -40; the short has gained 520: E = 480, R = 20 % of 680 = 136, initial equity -40.
    # Two lots bought back d above mark: 480 - 2 d against 68: 240 x 136 = 480 x 68, 238 x 136 is below it.
    start(box, 300, a=480, b=10**6)
    both_ways(box, 4, 170)
    box.trade("a", "b", 2, 291, "BTC-2", Reason.INSUFFICIENT_MARGIN)
    box.trade("a", "b", 2, 290, "BTC-2")
    box.hand("observable.accounts.a.balances.USD", -20, "-40 + 2 x (300 - 290)")


@case(
    "margin-fill-105",
    "MARG-10",
    "MARG-8",
    bug="below zero the equity for new risk is compared, in which profit does not count",
    effect="an insolvent account sinks deeper, or cannot reduce at mark",
    importance=CRITICAL,
    start=genesis(
        pool=replace(UNCOUNTED, collateral=(WIDE_ETH,)),
        feeds=(replace(FEED, band=4 * P), replace(ETH_FEED, band=15 * P)),
        markets=BOTH_WAYS,
    ),
)
def below_zero_all_profit_counts(box: Recorder) -> None:
    # Two ETH count their price: 2,200, later 1,640. Cash -1,650, less 2 x 10 realised: -1,670; the short has gained 20.
    # E = -1,670 + 1,640 + 20 = -10, initial equity -30, N = 1,630.
    box.price(2_200, "ETH", time=1)
    start(box, 300, a=0, b=10**6)
    box.do("a", ev.Deposit("a", "ETH", 2))
    box.do("a", ev.Withdraw("a", "USD", 1_650))
    both_ways(box, 2, 290)
    box.drive(1_640, "ETH")
    box.trade("a", "b", 1, 291, "BTC-2", Reason.INSUFFICIENT_MARGIN)
    box.trade("a", "b", 1, 290, "BTC-2")
    box.hand("observable.accounts.a.balances.USD", -1_660, "-1,670 + 10; E = -1,660 + 1,640 + 10 = -10, not below -10")


FEED_OF_ATOMS = replace(FEED, band=4 * P)
CHARGED = replace(MARKET, margin=STEEP, mark=replace(MARK, variation_interval=1))


@case(
    "margin-fill-106",
    "MARG-10",
    "SETTLE-6",
    bug="the row of no requirement is used for a requirement of one atom",
    effect="an account with a claim cannot close its last lot",
    start=genesis(
        pool=replace(UNCOUNTED, collateral=()),
        feeds=(FEED_OF_ATOMS,),
        markets=(
            replace(FUTURE, parameters=CHARGED),
            replace(LISTING, parameters=replace(CHARGED, trading=replace(MARKET.trading, taker_fee=20 * P))),
        ),
    ),
)
def the_last_lot_may_be_closed(box: Recorder) -> None:
    # 40 lots from 4, settled at 5: a claim of 40, which does not count for new risk. 20 lots of the perpetual at 5.
    start(box, 4, a=40, b=1_000)
    box.trade("a", "b", 40, 4, "FUT")
    box.drive(5)
    box.price(5, time=100)
    box.time = 700
    box.do("z", ev.FixSettlement("FUT"))
    box.do("z", ev.SettlePosition("a", "FUT"))
    box.do("a", ev.Withdraw("a", "USD", 19))
    box.do("venue", ev.Trade(PERP, "a", "b", 20, 5, ev.Side.BUYER))
    box.do("venue", ev.Trade(PERP, "b", "a", 19, 4, ev.Side.BUYER))
    box.hand("observable.accounts.a.balances.USD", -14, "21 - 19 - 16 of fees; E = 26, R = 1: 26 x 20 >= 61 x 1")
    box.do("venue", ev.Trade(PERP, "b", "a", 1, 4, ev.Side.BUYER))
    box.hand("observable.accounts.a.balances.USD", -16, "-14 - 1 - 1 of fees; E = 24, R = 0: 24 x 1 >= 26 x 0")


# ---------------------------------------------------------------------------------------------------------------
# Outflows and liquidation with profit that does not count for new risk


@case(
    "margin-outflow-profit-101",
    "MARG-11",
    "MARG-8",
    bug="the profit that counts for new risk is taken off twice from what may be withdrawn",
    effect="an account with a profit cannot take out its own cash",
    incident=ETH_2025,
    start=bare(pool=replace(BARE, profit_weight_initial=SCALE // 2)),
)
def a_profit_takes_nothing_from_cash(box: Recorder) -> None:
    start(box, 1_000, a=1_000, b=1_000)
    box.trade("a", "b", 1, 1_000)
    box.price(1_010, time=2)
    most(box, "a", 899, 101, "1,000 - 899 = 10 % of 1,010; the profit of 10 counts nothing")


@case(
    "margin-critical-101",
    "MARG-12",
    "LIQ-3",
    "PARM-13",
    bug="critical health is measured by the equity for new risk, in which profit does not count",
    effect="a whole position is closed where a part would do",
    importance=CRITICAL,
    start=bare(pool=replace(BARE, profit_weight_initial=0), liquidation=replace(LIQUIDATION, critical_health=17 * P)),
)
def profit_counts_for_critical_health(box: Recorder) -> None:
    # Long 10 from 100, at 101: E = 100 + 10. Maintenance goes from 5 % to 60 %: R = 606, 17 % of it 103.02.
    start(box, 100, a=100, k=10_000)
    box.trade("a", "k", 10, 100)
    box.price(101, time=2)
    dear = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 60 * P, 60 * P),))
    calm = replace(LIQUIDATION, critical_health=17 * P)
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, margin=dear, liquidation=calm)))
    box.time = 62
    box.do("k", ev.Liquidate("a", "k", PERP, 10))
    box.hand("receipt.amounts.closed", 9, "110 is above 103.02: (496 + 2) / 59 % = 844.07, up 845, over 101 is 8.4")
