"""Vectors of the default waterfall: who is in default, the order of the layers, what each bears, ranking, the end.

Unless a vector says otherwise ``d`` with 1000 bought 10 lots at 1000 from ``a`` with 10000. At 890 it has lost 1100,
and the deficit is 100. The price before was 906, the variation-margin mark: the shorts won 16 a lot since.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import SCALE
from clearspec.parameters import AssetParameters, Layer
from clearspec.sandbox import PERCENT
from clearspec.state import MarketStatus
from clearspec_conformance.situations import (
    ETH,
    ETH_FEED,
    FEED,
    INSURED,
    PERP,
    SKIN,
    UNCOVERED,
    amount,
    cash,
    endow,
    enter,
    future,
    insure,
    listed,
    pool_of,
    posting,
    size,
    with_ether,
    world,
)
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
INSURANCE, OWN, TEAR_UP, GAINS = Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP, Layer.GAINS_HAIRCUT
SECOND = "BTC-2"


def layered(*layers: Layer, **changes: Any) -> ev.Genesis:
    """The perpetual in a pool with these layers."""
    return world(pool=pool_of(layers=layers, **changes))


def two(*layers: Layer, **changes: Any) -> ev.Genesis:
    """Two perpetuals on one feed in a pool with these layers."""
    return world(listed(), listed(SECOND), pool=pool_of(layers=layers, **changes))


def defaulted(box: Recorder, price: int = 890) -> None:
    """Account ``d`` with 1000 bought 10 lots at 1000 from ``a``; then the price moved."""
    enter(box, a=10_000, d=1000)
    box.trade("d", "a", 10, 1000)
    box.drive(price)


def resolve(box: Recorder, account: str = "d") -> None:
    """Resolve a default; anyone may."""
    box.do("anyone", ev.ResolveDefault(account))


# ---------------------------------------------------------------------------------------------------------------
# Kernels


def position(profit: int, cost: int, value: int, equity: int) -> dict[str, int]:
    """Arguments of a score."""
    return {"profit": profit, "cost": cost, "value": value, "equity": equity}


kernel_case(
    "waterfall-rank-score-001",
    "FALL-6",
    kernel="rank_score",
    bug="cost counts with its sign, a quotient is rounded up or toward zero, or the leverage of a loser counts",
    effect="shorts rank in reverse order, or the most leveraged loser last",
    importance=CRITICAL,
    calls=[
        # 50 / 750 = 0.066666666, 700 / 125 = 5.6
        (position(50, -750, 700, 125), {"score": 66_666_666 * 5_600_000_000}),
        (position(50, 750, 700, 125), {"score": 66_666_666 * 5_600_000_000}),
        (position(50, 750, 700, 250), {"score": 66_666_666 * 2_800_000_000}),
        (position(-50, 650, 700, 125), {"score": -76_923_077}),  # 0.0769230769.., down
        (position(-50, -650, 700, 5), {"score": -76_923_077}),
        (position(0, 650, 700, 5), {"score": 0}),
        # 1 over 10^9 - 1, 10^9, 10^9 + 1 with leverage 1
        (position(1, 10**9 - 1, 7, 7), {"score": 10**9}),
        (position(1, 10**9, 7, 7), {"score": 10**9}),
        (position(1, 10**9 + 1, 7, 7), {"score": 0}),
        (position(-1, 10**9 - 1, 7, 7), {"score": -2}),
        (position(-1, 10**9, 7, 7), {"score": -1}),
        (position(-1, 10**9 + 1, 7, 7), {"score": -1}),
        # leverage 1 over 10^9 - 1, 10^9, 10^9 + 1, each 10^-9, the least that counts; 2 over 10^9
        (position(3, 1, 1, 10**9 - 1), {"score": 3 * 10**9}),
        (position(3, 1, 1, 10**9), {"score": 3 * 10**9}),
        (position(3, 1, 1, 10**9 + 1), {"score": 3 * 10**9}),
        (position(3, 1, 2, 10**9), {"score": 6 * 10**9}),
        (position(3, 1, 0, 5), {"score": 3 * 10**9}),
    ],
)

kernel_case(
    "waterfall-rank-score-002",
    "FALL-6",
    kernel="rank_score",
    bug="an account without equity or cost divides by zero, or a score leaves 128 bits",
    effect="the engine stops in the middle of a default, or the largest winner ranks last",
    importance=CRITICAL,
    calls=[
        (position(5, 0, 7, 7), {"score": 5 * 10**9 * 10**9}),
        (position(5, 1, 7, 7), {"score": 5 * 10**9 * 10**9}),
        (position(5, 2, 7, 7), {"score": 25 * 10**8 * 10**9}),
        (position(5, 1, 7, 1), {"score": 5 * 10**9 * 7 * 10**9}),
        (position(5, 1, 7, 0), {"score": 5 * 10**9 * 7 * 10**9}),
        (position(5, 1, 7, -3), {"score": 5 * 10**9 * 7 * 10**9}),
        (position(5, 1, 7, 2), {"score": 5 * 10**9 * 35 * 10**8}),
        # 4611686018 x 10^9 is just below 2^62 = 4611686018427387904
        (position(4_611_686_018, 0, 1, 10**9), {"score": 4_611_686_018 * 10**9}),
        (position(4_611_686_019, 0, 1, 10**9), {"score": 2**62}),
        (position(-4_611_686_018, 0, 1, 1), {"score": -4_611_686_018 * 10**9}),
        (position(-4_611_686_019, 0, 1, 1), {"score": -(2**62)}),
        (position(1, 10**9, 4_611_686_018, 1), {"score": 4_611_686_018 * 10**9}),
        (position(1, 10**9, 4_611_686_019, 1), {"score": 2**62}),
        (position(2**62, 0, 2**56, -3), {"score": 2**124}),
    ],
)


kernel_case(
    "waterfall-rank-score-003",
    "FALL-6",
    "NUM-9",
    kernel="rank_score",
    bug="a profit is not clamped to 2^92 before it is multiplied by the scale, or to one more or less",
    effect="the product of an account that nobody touched for years leaves 128 bits, and it ranks last",
    calls=[
        # 2^92 over a cost of 2^92 is exactly 1, over 2^92 + 1 just below it; with leverage 1
        (position(2**92, 2**92, 7, 7), {"score": 10**18}),
        (position(2**92 - 1, 2**92, 7, 7), {"score": (10**9 - 1) * 10**9}),
        (position(2**92, 2**92 + 1, 7, 7), {"score": (10**9 - 1) * 10**9}),
        (position(2**92 + 1, 2**92 + 1, 7, 7), {"score": (10**9 - 1) * 10**9}),
        (position(2**126, 2**92 + 1, 7, 7), {"score": (10**9 - 1) * 10**9}),
        (position(2**126, -(2**92), 7, 7), {"score": 10**18}),
        # a loss rounds down, away from zero: 2^92 over 2^92 + 1 is 1 again, over 2^92 - 1 an atom of the ratio more
        (position(-(2**92), 2**92, 7, 7), {"score": -(10**9)}),
        (position(-(2**92), 2**92 + 1, 7, 7), {"score": -(10**9)}),
        (position(-(2**92), 2**92 - 1, 7, 7), {"score": -(10**9) - 1}),
        (position(-(2**92) - 1, 2**92, 7, 7), {"score": -(10**9)}),
        (position(-(2**126), 2**92, 7, 7), {"score": -(10**9)}),
        (position(-(2**126), -(2**92), 7, 7), {"score": -(10**9)}),
    ],
)


def gain(share: int, lots: int, left: int, index: int = 0) -> dict[str, int]:
    """Arguments of a haircut step: the gain is what is left of it."""
    return {"share": share, "lots": lots, "gain": left, "index": index}


kernel_case(
    "waterfall-haircut-step-001",
    "FALL-9",
    kernel="haircut_step",
    bug="the step is rounded up, is more than the gain, or divides by no open interest",
    effect="winners give up more than they won, or clearing pays out what no position owes",
    importance=CRITICAL,
    calls=[
        (gain(31, 4, 30), {"step": 7}),  # 7.75
        (gain(32, 4, 30), {"step": 8}),
        (gain(33, 4, 30), {"step": 8}),  # 8.25
        (gain(3, 4, 30), {"step": 0}),
        (gain(35, 4, 8), {"step": 8}),
        (gain(35, 4, 7), {"step": 7}),
        (gain(35, 4, 0), {"step": 0}),
        (gain(35, 4, -1), {"step": 0}),
        (gain(35, 0, 30), {"step": 0}),
        (gain(35, 1, 40), {"step": 35}),
        (gain(0, 4, 30), {"step": 0}),
        (gain(100, 1, 90, 2**60 - 89), {"step": 89}),
        (gain(100, 1, 90, 2**60 - 90), {"step": 90}),
        (gain(100, 1, 90, 2**60 - 91), {"step": 90}),
        (gain(100, 1, 90, 2**60), {"step": 0}),
        (gain(2**60, 1, 2**36), {"step": 2**36}),
    ],
)

# ---------------------------------------------------------------------------------------------------------------
# FALL-1, FALL-2: when an account is in default


@case(
    "waterfall-trigger-001",
    "FALL-1",
    "FALL-10",
    bug="an account worth exactly nothing is in default, or one that owes one atom is not",
    effect="the positions of a solvent account are torn up",
    importance=CRITICAL,
    start=layered(),
)
def worth_nothing_is_no_default(box: Recorder) -> None:
    enter(box, a=10_000, d=100)
    box.trade("d", "a", 1, 1000)
    box.drive(900)
    box.do("anyone", ev.ResolveDefault("d"), Reason.NOT_IN_DEFAULT)  # 100 - 100
    box.drive(899)
    resolve(box)
    box.hand(amount("deficit"), 1, "100 - 101 = -1")
    box.hand(amount("uncovered_loss"), 1, "there are no layers")


@case(
    "waterfall-order-001",
    "FALL-1",
    "EVENT-8",
    bug="checks come in another order",
    effect="two engines give different reasons for one event",
    importance=Importance.MESSAGE,
    start=with_ether(future(), negative_balance_limit=1000),
)
def checks_of_a_default_come_in_order(box: Recorder) -> None:
    box.price(1000, "ETH")
    enter(box, b=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 4))
    box.do("d", ev.Withdraw("d", "USD", 900))
    box.trade("d", "b", 10, 1000, "FUT")
    box.drive(890)
    box.time = 100
    box.do("anyone", ev.FixSettlement("FUT"))
    box.drive(500, "ETH")
    box.do("anyone", ev.ResolveDefault("ghost"), Reason.UNKNOWN_ACCOUNT)
    box.do("anyone", ev.ResolveDefault("d"), Reason.NOT_IN_DEFAULT)  # 2000 - 900 - 1100 = 0
    box.drive(499, "ETH")
    box.do("anyone", ev.ResolveDefault("d"), Reason.COLLATERAL_REMAINS)  # 1996 - 2000
    box.do("b", ev.Convert("d", "b", "ETH", 4))
    box.hand(amount("paid"), 1897, "95 % of 4 x 499 = 1896.2")
    box.do("anyone", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)  # 1897 - 2000


@case(
    "waterfall-two-equities-001",
    "FALL-1",
    "MARG-9",
    bug="margin equity, after the haircut, decides default",
    effect="an account that owns more than it owes is torn up",
    importance=CRITICAL,
    start=sb.genesis(
        pool=replace(sb.POOL, negative_balance_limit=1700),
        markets=(listed(),),
        feeds=(FEED, replace(ETH_FEED, band=2 * PERCENT)),
    ),
)
def a_haircut_makes_no_default(box: Recorder) -> None:
    box.price(2200, "ETH")
    enter(box, b=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 1))
    box.do("d", ev.Withdraw("d", "USD", 1700))
    box.drive(2000, "ETH")
    box.do("anyone", ev.ResolveDefault("d"), Reason.NOT_IN_DEFAULT)  # 80 % of 2000 - 1700 = -100; 2000 - 1700 = 300
    box.do("b", ev.Convert("d", "b", "ETH", 1))
    box.hand(amount("paid"), 1900, "95 % of 2000")
    box.hand(cash("d"), 200, "-1700 + 1900: the account paid its debt itself")


@case(
    "waterfall-dust-001",
    "FALL-1",
    "FALL-2",
    bug="dust holds up a default, counts against the deficit, or stays with the account",
    effect="one atom that a stranger sends blocks a default, or the books of the account do not end at zero",
    importance=CRITICAL,
    start=with_ether(dust=2, layers=()),
)
def collateral_up_to_dust_passes_in_kind(box: Recorder) -> None:
    box.price(1, "ETH")
    enter(box, a=10_000, d=1000)
    box.do("d", ev.Deposit("d", "ETH", 3))
    box.trade("d", "a", 10, 1000)
    box.drive(890)
    box.do("anyone", ev.ResolveDefault("d"), Reason.COLLATERAL_REMAINS)  # 3 are above 2
    box.do("a", ev.Convert("d", "a", "ETH", 1))
    resolve(box)
    box.hand(amount("deficit"), 99, "1100 - 1000 - 95 % of 1, 1; the 2 that are left do not count")
    box.hand(posting(2), 2, "after two postings of 1100 the ETH passes to the insurance fund")
    box.hand(posting(3), 99, "then what remains is uncovered")
    box.hand("observable.accounts.d.balances.ETH", 0, "2 - 2")
    box.hand(cash("d"), 0, "1001 - 1100 + 99")


@case(
    "waterfall-dust-002",
    "FALL-2",
    bug="collateral that never had a price is taken as worthless",
    effect="a default of 100 costs the account whatever the asset will be worth",
    importance=CRITICAL,
    start=with_ether(layers=()),
)
def collateral_without_a_price_stays(box: Recorder) -> None:
    enter(box, a=10_000, d=1000)
    box.do("d", ev.Deposit("d", "ETH", 5))
    box.trade("d", "a", 10, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("deficit"), 100, "1100 - 1000")
    box.hand("observable.accounts.d.balances.ETH", 5, "it has no price yet, not a low one")


GOLD = replace(ETH, asset="GOLD", feed="GOLD")
TWO_ASSETS = replace(
    sb.genesis(
        pool=pool_of(collateral=(ETH, GOLD), dust=5, layers=()),
        markets=(listed(),),
        feeds=(FEED, ETH_FEED, replace(ETH_FEED, feed="GOLD")),
    ),
    assets=(AssetParameters("USD", 6), AssetParameters("ETH", 0), AssetParameters("GOLD", 0)),
)


@case(
    "waterfall-dust-003",
    "FALL-2",
    bug="only the first collateral asset is taken, or the deficit counts one of them",
    effect="the account keeps collateral while others pay for it",
    importance=CRITICAL,
    start=TWO_ASSETS,
)
def dust_of_every_asset_passes(box: Recorder) -> None:
    box.price(1, "ETH")
    box.price(1, "GOLD")
    enter(box, a=10_000, d=1000)
    box.do("d", ev.Deposit("d", "ETH", 2))
    box.do("d", ev.Deposit("d", "GOLD", 3))
    box.trade("d", "a", 10, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("deficit"), 100, "1100 - 1000; the 5 are at most dust")
    box.hand(posting(2), 2, "ETH first, in the pool's order")
    box.hand(posting(3), 3, "then GOLD")
    box.hand("observable.accounts.d.balances.GOLD", 0, "3 - 3")


@case(
    "waterfall-claims-pending-001",
    "FALL-1",
    "SETTLE-6",
    bug="a default is resolved while a position, or a claim, of the account is in final settlement",
    effect="the pool pays a deficit that the account's own claim would have paid",
    importance=CRITICAL,
    start=world(listed(), future(), pool=pool_of(layers=())),
)
def a_claim_comes_before_a_default(box: Recorder) -> None:
    enter(box, a=50_000, d=10_100)
    box.trade("d", "a", 100, 1000)
    box.trade("a", "d", 1, 1000, "FUT")
    box.drive(890)
    box.time = 100
    box.do("anyone", ev.FixSettlement("FUT"))
    box.do("anyone", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)
    box.do("anyone", ev.SettlePosition("d", "FUT"))
    box.hand(amount("claim"), 110, "1000 - 890")
    box.do("anyone", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)
    box.do("anyone", ev.SettlePosition("a", "FUT"))
    box.do("anyone", ev.PayClaim("d", "FUT"))
    resolve(box)
    box.hand(amount("deficit"), 790, "100 x 110 - 10100 - 110")


# ---------------------------------------------------------------------------------------------------------------
# FALL-3, FALL-5: each layer alone, and their order


@case(
    "waterfall-none-001",
    "FALL-3",
    "FALL-10",
    "FALL-7",
    bug="a pool without layers charges somebody all the same, or leaves the deficit on the account",
    effect="members pay under rules that they did not join, or a negative balance stays among the claims",
    importance=CRITICAL,
    start=layered(),
)
def without_layers_all_is_uncovered(box: Recorder) -> None:
    insure(box, 500)
    endow(box, 500)
    defaulted(box)
    resolve(box)
    box.hand(amount("deficit"), 100, "10 x 110 - 1000")
    box.hand(amount("uncovered_loss"), 100, "there are no layers")
    box.hand(cash("d"), 0, "1000 - 1100 + 100")
    box.hand(cash("a"), 11_100, "10000 + 10 x 110")
    box.hand(UNCOVERED, 100, "0 + 100")
    box.hand(INSURED, 500, "not a layer of this pool")


@case(
    "waterfall-insurance-001",
    "FALL-3",
    "FALL-5",
    "FALL-10",
    bug="the insurance fund pays more than it holds",
    effect="a fund below zero: claims without assets",
    importance=CRITICAL,
    start=layered(INSURANCE),
)
def insurance_alone_pays_what_it_holds(box: Recorder) -> None:
    insure(box, 60)
    defaulted(box)
    resolve(box)
    box.hand(amount("insurance_fund"), 60, "of 100 it holds 60")
    box.hand(amount("uncovered_loss"), 40, "100 - 60")
    box.hand(INSURED, 0, "60 - 60")
    box.hand(cash("a"), 11_100, "10000 + 1100, nothing of it charged")


@case(
    "waterfall-insurance-002",
    "FALL-3",
    "FALL-5",
    "FALL-8",
    bug="winners are charged although the fund has paid, or the fund pays all that it holds",
    effect="a member pays for a loss that is covered",
    importance=CRITICAL,
    start=layered(INSURANCE, TEAR_UP),
)
def an_ample_fund_pays_all(box: Recorder) -> None:
    insure(box, 500)
    defaulted(box)
    resolve(box)
    box.hand(amount("insurance_fund"), 100, "all of it")
    box.hand(amount("tear_up"), 0, "100 - 100")
    box.hand(amount("uncovered_loss"), 0, "100 - 100")
    box.hand(INSURED, 400, "500 - 100")
    box.hand(cash("a"), 11_100, "10000 + 1100")


@case(
    "waterfall-skin-001",
    "FALL-3",
    "FALL-5",
    bug="skin in the game is taken from the insurance fund, or bound by its caps",
    effect="the operator's stake is spared and the members' fund pays",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 0}), pool=pool_of(layers=(OWN,), insurance_cap=0)),
)
def skin_in_the_game_alone_pays_what_it_holds(box: Recorder) -> None:
    insure(box, 500)
    endow(box, 60)
    defaulted(box)
    resolve(box)
    box.hand(amount("skin_in_the_game"), 60, "of 100 it holds 60; no cap binds it")
    box.hand(amount("uncovered_loss"), 40, "100 - 60")
    box.hand(INSURED, 500, "not a layer of this pool")
    box.hand(SKIN, 0, "60 - 60")


@case(
    "waterfall-tear-up-001",
    "FALL-3",
    "FALL-8",
    bug="a torn-up winner is not charged, or is charged its whole gain",
    effect="the deficit stays uncovered beside a winner who could bear it, or more is taken than was lost",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def the_torn_up_winner_alone_pays(box: Recorder) -> None:
    defaulted(box)
    resolve(box)
    box.hand(amount("tear_up"), 100, "room min(10 x 890, 11100)")
    box.hand(cash("a"), 11_000, "10000 + 1100 - 100")
    box.hand(amount("uncovered_loss"), 0, "100 - 100")


@case(
    "waterfall-haircut-001",
    "FALL-3",
    "FALL-9",
    bug="the haircut takes from the losing side, from gains of earlier intervals, or from positions that are gone",
    effect="losers pay for losers, or clearing pays out what nobody owes",
    importance=CRITICAL,
    start=layered(GAINS),
)
def the_winning_shorts_alone_give_up_gains(box: Recorder) -> None:
    enter(box, a=10_000, d=1000, g=1000)
    box.trade("d", "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("gains_haircut"), 64, "100 / 4 = 25 a lot, at most 906 - 890 = 16: 16 x 4")
    box.hand(amount("uncovered_loss"), 36, "100 - 64")
    box.hand("observable.markets.BTC-PERP.haircut_short", 16, "0 + 16")
    box.hand("observable.markets.BTC-PERP.haircut_long", 0, "the longs lost")
    box.hand(cash("a"), 11_036, "10000 + 1100 - 4 x 16 owed")
    box.hand(cash("g"), 1000, "the loser is not touched")


@case(
    "waterfall-haircut-halted-001",
    "FALL-9",
    "TRADE-4",
    bug="a market that is halted bears no haircut",
    effect="a halt spares the winners, and the whole pool is left with the loss",
    importance=CRITICAL,
    start=layered(GAINS),
)
def a_halted_market_bears_its_haircut(box: Recorder) -> None:
    enter(box, a=10_000, d=1000, g=1000)
    box.trade("d", "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    resolve(box)
    box.hand(amount("gains_haircut"), 64, "100 / 4 = 25 a lot, at most 906 - 890 = 16: 16 x 4, halted or not")
    box.hand(amount("uncovered_loss"), 36, "100 - 64")


@case(
    "waterfall-haircut-002",
    "FALL-9",
    bug="a market without open interest bears a haircut",
    effect="clearing pays out what no position is left to owe",
    importance=CRITICAL,
    start=layered(GAINS),
)
def without_open_interest_there_is_no_haircut(box: Recorder) -> None:
    defaulted(box)
    resolve(box)
    box.hand(amount("gains_haircut"), 0, "nobody is left in the market")
    box.hand(amount("uncovered_loss"), 100, "100 - 0")


@case(
    "waterfall-fund-order-001",
    "FALL-3",
    "FALL-5",
    bug="skin in the game pays first whatever the order says",
    effect="the wrong fund is emptied",
    importance=CRITICAL,
    start=layered(INSURANCE, OWN),
)
def insurance_may_pay_before_skin_in_the_game(box: Recorder) -> None:
    insure(box, 70)
    endow(box, 60)
    defaulted(box)
    resolve(box)
    box.hand(amount("insurance_fund"), 70, "first, all that it holds")
    box.hand(amount("skin_in_the_game"), 30, "100 - 70")
    box.hand(SKIN, 30, "60 - 30")


@case(
    "waterfall-fund-order-002",
    "FALL-3",
    "FALL-5",
    bug="the insurance fund pays first whatever the order says",
    effect="the wrong fund is emptied",
    importance=CRITICAL,
    start=layered(OWN, INSURANCE),
)
def skin_in_the_game_may_pay_before_insurance(box: Recorder) -> None:
    insure(box, 70)
    endow(box, 60)
    defaulted(box)
    resolve(box)
    box.hand(posting(0), 60, "skin in the game first, all that it holds")
    box.hand(posting(1), 40, "100 - 60")
    box.hand(INSURED, 30, "70 - 40")


def narrow(box: Recorder) -> None:
    """A counterparty ``s`` that can bear 80: short 13 here, long 30 in the second market, with 4300.

    At 890 it has 4300 + 1430 - 3300 = 2430; with 10 lots torn up it needs 8 % of 2670, 213.6, 214, and of 26700, 2136.
    """
    insure(box, 5)
    endow(box, 7)
    enter(box, a=10_000, d=1000, s=4300)
    box.trade("d", "s", 10, 1000)
    box.trade("a", "s", 3, 1000)
    box.trade("s", "a", 30, 1000, SECOND)
    box.drive(890)


ORDERS = (
    ((INSURANCE, OWN), (TEAR_UP, GAINS)),
    ((OWN, INSURANCE), (TEAR_UP, GAINS)),
    ((INSURANCE, OWN), (GAINS, TEAR_UP)),
    ((OWN, INSURANCE), (GAINS, TEAR_UP)),
)
"""Every legal order of all four layers: funds before the layers that share losses."""


def order_of_four(number: int, funds: tuple[Layer, ...], sharing: tuple[Layer, ...]) -> None:
    """Register the vector of an order of all four layers."""

    @case(
        f"waterfall-layers-{number:03}",
        "FALL-3",
        "FALL-5",
        "FALL-8",
        "FALL-9",
        "FALL-10",
        bug="the layers bear in another order than the pool's",
        effect="who pays is not who the rules of the pool name",
        importance=CRITICAL,
        start=two(*funds, *sharing),
    )
    def all_four_layers_bear_in_the_pools_order(box: Recorder) -> None:
        narrow(box)
        resolve(box)
        box.hand(amount("deficit"), 100, "1100 - 1000")
        first, second = (5, 7) if funds[0] == INSURANCE else (7, 5)
        box.hand(posting(0), first, f"{funds[0]} first, all that it holds")
        box.hand(posting(1), second, f"{funds[1]} second, all that it holds")
        if sharing[0] == TEAR_UP:
            box.hand(amount("tear_up"), 80, "of 88 all that s can bear: 2430 - 214 - 2136")
            box.hand(amount("gains_haircut"), 6, "8 / 3 = 2.7, 2 a lot, below 16: 2 x 3")
            box.hand(amount("uncovered_loss"), 2, "100 - 12 - 80 - 6")
            box.hand(cash("s"), 5314, "4300 + 1100 - 80 - 6 owed")
        else:
            box.hand(amount("gains_haircut"), 48, "88 / 3 = 29, at most 16 a lot: 16 x 3")
            box.hand(amount("tear_up"), 32, "s owes 48 now: 80 - 48")
            box.hand(amount("uncovered_loss"), 8, "100 - 12 - 48 - 32")
            box.hand(cash("s"), 5320, "4300 + 1100 - 32 - 48 owed")


for place, (paying, charging) in enumerate(ORDERS, start=1):
    order_of_four(place, paying, charging)

# ---------------------------------------------------------------------------------------------------------------
# FALL-4: parts by market


THREE = (listed("M1"), listed("M2"), listed("M3"))


@case(
    "waterfall-parts-001",
    "FALL-4",
    "FALL-5",
    bug="a deficit is split by floors taken one by one, equally, or by the value of the positions",
    effect="atoms of the deficit belong to no market, or a market pays for a loss made elsewhere",
    importance=CRITICAL,
    start=world(*THREE, pool=pool_of(layers=(INSURANCE,))),
)
def a_deficit_is_split_by_losses(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, a=10_000, d=601)
    box.trade("d", "a", 3, 1000, "M1")
    box.trade("d", "a", 1, 1001, "M2")
    box.trade("d", "a", 2, 1000, "M3")
    box.drive(890)
    resolve(box)
    box.hand(amount("deficit"), 60, "330 + 111 + 220 = 661, less 601")
    box.hand(posting(0), 29, "60 x 330 / 661 = 29.95")
    box.hand(posting(1), 11, "60 x 441 / 661 = 40.03, 40; less 29")
    box.hand(posting(2), 20, "60 - 40")
    box.hand(amount("insurance_fund"), 60, "29 + 11 + 20")


@case(
    "waterfall-parts-002",
    "FALL-4",
    "FALL-5",
    bug="a position with a gain has a weight",
    effect="its market pays for a loss that was made elsewhere",
    importance=CRITICAL,
    start=world(
        listed(liquidation={"insurance_cap": 15}), listed(SECOND, liquidation={}), pool=pool_of(layers=(INSURANCE,))
    ),
)
def a_position_with_a_gain_has_no_weight(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, a=20_000, d=1300)
    box.trade("d", "a", 12, 1000)
    box.trade("a", "d", 1, 1000, SECOND)
    box.drive(880)
    resolve(box)
    box.hand(amount("deficit"), 20, "12 x 120 - 120 - 1300")
    box.hand(amount("insurance_fund"), 15, "all of it is this market's, which may draw 15")
    box.hand(amount("uncovered_loss"), 5, "20 - 15")


def sold_out(box: Recorder, traded: str = "") -> None:
    """Account ``d`` borrowed 1000 against one ETH of 2000, sold to ``a`` for 950 at 1000: it is flat and owes 50."""
    box.price(2000, "ETH")
    enter(box, a=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 1))
    if traded:
        box.trade("d", "a", 1, 1000, traded)
        box.trade("a", "d", 1, 1000, traded)
    box.do("d", ev.Withdraw("d", "USD", 1000))
    box.drive(1000, "ETH")
    box.do("a", ev.Convert("d", "a", "ETH", 1))


def flat_world(*layers: Layer, **pool: Any) -> ev.Genesis:
    """Two markets, of which the second may draw 20 on insurance."""
    markets = listed(), listed(SECOND, liquidation={"insurance_cap": 20})
    return with_ether(*markets, layers=layers, negative_balance_limit=1000, **pool)


@case(
    "waterfall-parts-003",
    "FALL-4",
    "FALL-5",
    bug="a deficit without an open loss is under no market's cap, or under that of another market",
    effect="who closes its position first draws on the fund without a cap",
    importance=CRITICAL,
    start=flat_world(INSURANCE),
)
def without_an_open_loss_the_last_market_counts(box: Recorder) -> None:
    insure(box, 1000)
    sold_out(box, SECOND)
    resolve(box)
    box.hand(amount("deficit"), 50, "1000 - 95 % of 1000")
    box.hand(amount("insurance_fund"), 20, "the market that the account left last may draw 20")
    box.hand(amount("uncovered_loss"), 30, "50 - 20")


@case(
    "waterfall-parts-004",
    "FALL-4",
    "FALL-5",
    "FALL-9",
    bug="an account that never held a position is under no cap at all, or winners of some market pay for it",
    effect="a loss of collateral drains the fund, or is taken from traders",
    importance=CRITICAL,
    start=flat_world(INSURANCE, GAINS, insurance_cap=35),
)
def an_account_without_any_market_is_under_the_pools_cap(box: Recorder) -> None:
    insure(box, 1000)
    sold_out(box)
    resolve(box)
    box.hand(amount("insurance_fund"), 35, "the pool's cap; no market's")
    box.hand(amount("gains_haircut"), 0, "it left no market")
    box.hand(amount("uncovered_loss"), 15, "50 - 35")
    box.do("sponsor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 1))
    box.hand(INSURED, 965, "1000 - 35")


def holding_one(box: Recorder, price: int) -> None:
    """``d`` left the second market and holds one lot from 1000 at a mark of ``price``; its ETH is sold.

    It borrowed 900 against one ETH and was paid 95 % of 900, 855.
    """
    box.price(2000, "ETH")
    enter(box, a=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 1))
    box.trade("d", "a", 1, 1000, SECOND)
    box.trade("a", "d", 1, 1000, SECOND)
    box.trade("d", "a", 1, 1000)
    box.do("d", ev.Withdraw("d", "USD", 900))
    box.drive(900, "ETH")
    box.do("a", ev.Convert("d", "a", "ETH", 1))
    if price != 1000:
        box.drive(price)


@case(
    "waterfall-parts-005",
    "FALL-4",
    "FALL-5",
    bug="a position without gain or loss has a weight of nothing and divides by it",
    effect="the engine stops in the middle of a default",
    importance=CRITICAL,
    start=flat_world(INSURANCE),
)
def a_position_without_loss_has_no_weight(box: Recorder) -> None:
    insure(box, 1000)
    holding_one(box, 1000)
    resolve(box)
    box.hand(amount("deficit"), 45, "900 - 855")
    box.hand(amount("insurance_fund"), 20, "the market that it left last may draw 20")


@case(
    "waterfall-parts-006",
    "FALL-4",
    "FALL-5",
    bug="a loss of one atom is no loss, or the market that was left last counts beside an open loss",
    effect="a loss is drawn on the cap of another market",
    importance=CRITICAL,
    start=flat_world(INSURANCE),
)
def a_loss_of_one_atom_has_all_the_weight(box: Recorder) -> None:
    insure(box, 1000)
    holding_one(box, 999)
    resolve(box)
    box.hand(amount("deficit"), 46, "900 - 855 + 1")
    box.hand(amount("insurance_fund"), 46, "all of it is this market's, which has no cap; the other's is 20")


# ---------------------------------------------------------------------------------------------------------------
# FALL-5: caps and intervals


def defaulters(box: Recorder, *accounts: str) -> None:
    """Accounts with 1000 that are long 10 from 1000; the price fell to 890: a deficit of 100 each."""
    insure(box, 1000)
    enter(box, a=50_000, **dict.fromkeys(accounts, 1000))
    for account in accounts:
        box.trade(account, "a", 10, 1000)
    box.drive(890)


@case(
    "waterfall-market-cap-001",
    "FALL-5",
    bug="a market's cap is renewed on a fixed grid, a second early, or never",
    effect="the fund is drained in one interval, or shut for ever",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 60, "budget_interval": 3600}), pool=pool_of(layers=(INSURANCE,))),
)
def a_market_draws_its_cap_once_an_interval(box: Recorder) -> None:
    defaulters(box, "d", "e", "f", "g")
    for time, account, drawn, derivation in (
        (6, "d", 60, "the cap; the interval began at 0"),
        (4000, "e", 60, "a new interval begins at 4000"),
        (7599, "f", 0, "3599 s of it have passed"),
        (7600, "g", 60, "3600 s have passed: a new interval"),
    ):
        box.time = time
        resolve(box, account)
        box.hand(amount("insurance_fund"), drawn, derivation)
    box.hand(INSURED, 820, "1000 - 3 x 60")


@case(
    "waterfall-market-cap-002",
    "FALL-5",
    "FALL-4",
    bug="what a market's cap leaves is drawn for another market, or the budget of one market is that of another",
    effect="a market whose price is manipulated empties the fund through the others",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 10}), listed(SECOND), pool=pool_of(layers=(INSURANCE,))),
)
def what_a_cap_leaves_is_not_moved_to_another_market(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, a=10_000, d=1000)
    box.trade("d", "a", 5, 1000)
    box.trade("d", "a", 5, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(posting(0), 10, "of a part of 50, capped at 10")
    box.hand(posting(1), 50, "the other part of 50")
    box.hand(amount("uncovered_loss"), 40, "100 - 60")


@case(
    "waterfall-market-cap-003",
    "FALL-5",
    bug="a cap is per default and not per interval, or a draw is forgotten",
    effect="many small accounts draw what one large account may not",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 150}), pool=pool_of(layers=(INSURANCE,))),
)
def defaults_of_one_market_share_its_cap(box: Recorder) -> None:
    defaulters(box, "d", "e", "f")
    for account, drawn, derivation in (("d", 100, "of 150"), ("e", 50, "150 - 100"), ("f", 0, "150 - 150")):
        resolve(box, account)
        box.hand(amount("insurance_fund"), drawn, derivation)


@case(
    "waterfall-market-cap-004",
    "FALL-5",
    bug="a cap lowered below what was drawn makes the room negative",
    effect="the defaulter pays into the fund, and the deficit grows",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 150}), pool=pool_of(layers=(INSURANCE,))),
)
def a_lowered_cap_leaves_no_room(box: Recorder) -> None:
    defaulters(box, "d", "e")
    resolve(box)
    box.hand(amount("insurance_fund"), 100, "of 150")
    box.do("admin", ev.SetParameters(PERP, listed(liquidation={"insurance_cap": 50}).parameters))
    resolve(box, "e")
    box.hand(amount("insurance_fund"), 0, "50 - 100 is below nothing")
    box.hand(INSURED, 900, "1000 - 100")


@case(
    "waterfall-pool-cap-001",
    "FALL-5",
    bug="the pool's cap is renewed with a market's interval, a second early, or never",
    effect="the fund is drained in one interval, or shut for ever",
    importance=CRITICAL,
    start=world(pool=pool_of(layers=(INSURANCE,), insurance_cap=150, budget_interval=3600)),
)
def a_pool_draws_its_cap_once_an_interval(box: Recorder) -> None:
    defaulters(box, "d", "e", "i", "f", "g", "h")
    for time, account, drawn, derivation in (
        (6, "d", 100, "of 150; the interval began at 0"),
        (7, "e", 50, "150 - 100"),
        (8, "i", 0, "150 - 150"),
        (4000, "f", 100, "a new interval begins at 4000"),
        (7599, "g", 50, "150 - 100: 3599 s of it have passed"),
        (7600, "h", 100, "3600 s have passed: a new interval"),
    ):
        box.time = time
        resolve(box, account)
        box.hand(amount("insurance_fund"), drawn, derivation)


@case(
    "waterfall-pool-cap-002",
    "FALL-5",
    "FALL-4",
    bug="each market has the pool's cap to itself",
    effect="losing in two markets draws twice the cap",
    importance=CRITICAL,
    start=two(INSURANCE, insurance_cap=80),
)
def markets_share_the_pools_cap(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, a=10_000, d=1000)
    box.trade("d", "a", 5, 1000)
    box.trade("d", "a", 5, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(posting(0), 50, "half of 100, below 80")
    box.hand(posting(1), 30, "80 - 50 of the other half")


@case(
    "waterfall-market-budget-001",
    "FALL-5",
    bug="what the market drew is noted before the pool's cap and the fund have bound it",
    effect="the market's cap is used up by money that was never paid",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 120}), pool=pool_of(layers=(INSURANCE,))),
)
def a_budget_counts_what_was_paid(box: Recorder) -> None:
    insure(box, 30)
    enter(box, a=50_000, d=1000, e=1000)
    for account in ("d", "e"):
        box.trade(account, "a", 10, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("insurance_fund"), 30, "the fund holds 30")
    insure(box, 500)
    resolve(box, "e")
    box.hand(amount("insurance_fund"), 90, "120 - 30")


FLOORED = {"reward": PERCENT // 5, "reward_floor": PERCENT // 2, "reward_budget": 10, "insurance_cap": 60}


@case(
    "waterfall-budget-separate-001",
    "FALL-5",
    "LIQ-6",
    bug="reward floors and deficits draw on one budget",
    effect="liquidators use up what is kept for deficits, or a default ends the reward floor",
    importance=CRITICAL,
    start=world(listed(liquidation=FLOORED), pool=pool_of(layers=(INSURANCE,))),
)
def rewards_and_deficits_have_separate_budgets(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, a=50_000, d=1000, x=1700, k=10_000)
    box.trade("d", "a", 10, 1000)
    box.trade("x", "a", 10, 1000)
    box.drive(890)  # x: 600 against 712
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 3, "0.5 % of 890 = 4.45, 4, less 0.2 %, 1.78, 1")
    resolve(box)
    box.hand(amount("insurance_fund"), 60, "the cap, whatever was paid as rewards")
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("reward_floor"), 3, "3 of 10 spent, whatever was paid for deficits")


@case(
    "waterfall-budget-renewed-001",
    "FALL-5",
    "LIQ-6",
    bug="a liquidation does not start a new interval",
    effect="two engines allow another draw at the end of an interval",
    start=world(listed(liquidation={"insurance_cap": 60, "budget_interval": 3600}), pool=pool_of(layers=(INSURANCE,))),
)
def a_liquidation_starts_a_new_interval(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, a=50_000, d=1000, e=1000, f=1000, x=1700, k=10_000)
    for account in ("d", "e", "f", "x"):
        box.trade(account, "a", 10, 1000)
    box.drive(890)
    resolve(box, "d")
    box.hand(amount("insurance_fund"), 60, "the cap; the interval began at 0")
    box.price(890, time=4000)
    box.do("k", ev.Liquidate("x", "k", PERP, 1))
    box.hand(amount("penalty"), 8, "1 % of 890 = 8.9; the interval begins at 4000")
    box.time = 7599
    resolve(box, "e")
    box.hand(amount("insurance_fund"), 60, "nothing drawn yet in the interval that began at 4000")
    box.time = 7600
    resolve(box, "f")
    box.hand(amount("insurance_fund"), 60, "4000 + 3600: the next interval")


# ---------------------------------------------------------------------------------------------------------------
# FALL-6: ranking


def ranked(box: Recorder, accounts: dict[str, int], own: int, other: tuple[str, int], owner: str) -> None:
    """``d`` and ``e`` are long 10: ``d`` from 1000 against ``owner``, ``e`` against another; at 890 ``d`` is resolved.

    ``own`` is the price of ``d``, ``other`` the other short and the price at which it sold.
    """
    enter(box, **accounts, d=1000, e=50_000)
    box.trade("d", owner, 10, own)
    box.trade("e", other[0], 10, other[1])
    box.drive(890)
    resolve(box)


@case(
    "waterfall-rank-gain-001",
    "FALL-6",
    "FALL-7",
    bug="counterparties are taken by age, or the smallest gain first",
    effect="who has won little loses its position before who has won most",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def the_larger_gain_ranks_first(box: Recorder) -> None:
    ranked(box, {"c": 1500, "b": 1000}, 1000, ("c", 950), "b")
    box.hand(size("c"), -10, "600 / 9500 x 8900 / 2100 = 0.268 is below 1100 / 10000 x 8900 / 2100 = 0.466")
    box.hand(cash("b"), 2000, "1000 + 1100 - 100: torn up, though younger")


@case(
    "waterfall-rank-leverage-001",
    "FALL-6",
    bug="leverage is left out of the score, or divides it",
    effect="the rich winner loses its position before the leveraged one",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def the_larger_leverage_ranks_first(box: Recorder) -> None:
    ranked(box, {"b": 5000, "c": 1500}, 1000, ("c", 950), "b")
    box.hand(size("b"), -10, "1100 / 10000 x 8900 / 6100 = 0.160 is below 600 / 9500 x 8900 / 2100 = 0.268")
    box.hand(cash("c"), 2000, "1500 + 600 - 100")


@case(
    "waterfall-rank-winner-001",
    "FALL-6",
    bug="the magnitude of profit counts, or losers rank before winners",
    effect="who has lost already loses its position too",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def a_winner_ranks_before_a_loser(box: Recorder) -> None:
    ranked(box, {"b": 2200, "c": 20_000}, 1000, ("b", 880), "c")
    box.hand(size("b"), -10, "-100 / 8800 is below any gain")
    box.hand(cash("c"), 21_000, "20000 + 1100 - 100: torn up, though younger and less leveraged")


@case(
    "waterfall-rank-loser-001",
    "FALL-6",
    bug="the leverage of a loser counts",
    effect="the most leveraged loser ranks last",
    start=layered(TEAR_UP),
)
def losers_rank_by_their_loss_alone(box: Recorder) -> None:
    enter(box, c=50_000, b=2200, a=10_000, d=1000, e=50_000)
    box.trade("d", "a", 10, 1000)
    box.trade("a", "b", 10, 880)
    box.trade("e", "c", 10, 870)
    box.drive(890)
    resolve(box)
    box.hand(size("c"), -10, "-200 / 8700 = -0.023 is below -100 / 8800 = -0.011, whatever their equity")
    box.hand(cash("b"), 2000, "2200 - 100 - 100: torn up")


@case(
    "waterfall-rank-age-001",
    "FALL-6",
    bug="equal scores are taken in the order of names, of trades, or the youngest first",
    effect="two engines tear up different accounts",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def of_equal_scores_the_oldest_account_is_first(box: Recorder) -> None:
    ranked(box, {"c": 1000, "b": 1000}, 1000, ("c", 1000), "b")
    box.hand(size("b"), -10, "both 1100 / 10000 x 8900 / 2100; c is older")
    box.hand(cash("c"), 2000, "1000 + 1100 - 100")


@case(
    "waterfall-rank-equity-001",
    "FALL-6",
    bug="leverage is taken of initial equity, in which unrealised profit may not count",
    effect="two engines tear up different accounts",
    start=layered(TEAR_UP, profit_weight_initial=0),
)
def leverage_is_of_margin_equity(box: Recorder) -> None:
    ranked(box, {"b": 5000, "c": 2880}, 1000, ("c", 950), "b")
    box.hand(size("b"), -10, "0.11 x 8900 / 6100 = 0.1605; by cash alone 0.11 x 8900 / 5000 = 0.1958")
    box.hand(cash("c"), 3380, "2880 + 600 - 100: first with 600 / 9500 x 8900 / 3480 = 0.1615, by cash 0.1952")


@case(
    "waterfall-rank-equity-002",
    "FALL-6",
    bug="initial equity, in which unrealised profit may not count, is held against maintenance",
    effect="a sound winner is passed over",
    start=two(TEAR_UP, profit_weight_initial=0),
)
def margin_equity_is_held_against_maintenance(box: Recorder) -> None:
    enter(box, b=2000, c=20_000, a=10_000, d=1000, e=50_000)
    box.trade("d", "b", 10, 1000)
    box.trade("e", "c", 10, 1000)
    box.trade("b", "a", 10, 1000, SECOND)
    box.drive(865)
    box.trade("a", "b", 10, 865, SECOND)
    box.hand(cash("b"), 650, "2000 - 1350; with its gain of 1350 it has 2000, without it less than 8 % of 8650 = 692")
    resolve(box)
    box.hand(size("c"), -10, "0.135 x 8650 / 21350 = 0.055 is below 0.135 x 8650 / 2000 = 0.584")
    box.hand(cash("b"), 1650, "650 + 1350 - 350")


def squeezed(box: Recorder, held: int) -> None:
    """``b`` is short 10 and long 25 in the second market; ``c`` short 10 and rich; ``d`` and ``e`` are long 10.

    At 890 ``b`` has ``held`` + 1100 - 2750 and needs 712 + 1780 = 2492.
    """
    enter(box, b=held, c=20_000, a=10_000, d=1000, e=50_000)
    box.trade("d", "b", 10, 1000)
    box.trade("e", "c", 10, 1000)
    box.trade("b", "a", 25, 1000, SECOND)
    box.drive(890)
    resolve(box)


@case(
    "waterfall-rank-maintenance-001",
    "FALL-6",
    bug="an account at its maintenance requirement ranks as one above it",
    effect="the position goes to one who can bear nothing, and nobody bears the deficit",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def who_is_not_above_maintenance_comes_last(box: Recorder) -> None:
    squeezed(box, 4142)
    box.hand(size("b"), -10, "4142 - 1650 = 2492 is not above 2492")
    box.hand(cash("c"), 21_000, "20000 + 1100 - 100: torn up with the lower score")


@case(
    "waterfall-rank-maintenance-002",
    "FALL-6",
    bug="an account one atom above its maintenance requirement ranks last",
    effect="two engines tear up different accounts",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def one_atom_above_maintenance_ranks_by_score(box: Recorder) -> None:
    squeezed(box, 4143)
    box.hand(size("c"), -10, "0.11 x 8900 / 21100 = 0.046 is below 0.11 x 8900 / 2493 = 0.393")
    box.hand(cash("b"), 5143, "4143 + 1100 - 100; it can bear 2493 - 1780 = 713")


@case(
    "waterfall-rank-long-001",
    "FALL-6",
    "FALL-7",
    "FALL-8",
    bug="counterparties are sought on the defaulter's own side, or a long's gain has the wrong sign",
    effect="a defaulting short is closed against other shorts, or against the largest loser",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def a_short_is_closed_against_the_best_long(box: Recorder) -> None:
    enter(box, c=1500, b=1000, d=1000, e=50_000)
    box.trade("b", "d", 10, 1000)
    box.trade("c", "e", 10, 1050)
    box.drive(1110)
    resolve(box)
    box.hand(amount("deficit"), 100, "10 x 110 - 1000")
    box.hand(size("c"), 10, "600 / 10500 is below 1100 / 10000; both have 2100 of equity")
    box.hand(cash("b"), 2000, "1000 + 1100 - 100")


@case(
    "waterfall-rank-owed-001",
    "FALL-6",
    "FALL-9",
    bug="the gain is taken without the haircut that the position owes",
    effect="two engines tear up different accounts",
    start=layered(GAINS),
)
def the_gain_is_net_of_haircut_owed(box: Recorder) -> None:
    enter(box, a=1000, b=1100, n=1090, d=1000, e=1000, g=50_000)
    box.trade("d", "a", 10, 1000)
    box.trade("e", "b", 10, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("gains_haircut"), 100, "a is torn up; 100 / 10 = 10 a lot, owed by b")
    box.trade("g", "n", 10, 990)
    resolve(box, "e")
    box.hand(size("b"), -10, "1000 / 10000 x 8900 / 2100 = 0.424, below n; without what it owes 0.445")
    box.hand(cash("n"), 2090, "1090 + 1000: torn up, 1000 / 9900 x 8900 / 2090 = 0.430")


# ---------------------------------------------------------------------------------------------------------------
# FALL-7: closing at mark


@case(
    "waterfall-close-001",
    "FALL-7",
    bug="a counterparty is closed for more or less than what is left, or the order of ranks is not kept",
    effect="the market is left with longs that no short stands against",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def the_last_counterparty_is_closed_in_part(box: Recorder) -> None:
    enter(box, a=5000, b=800, d=1000, e=10_000)
    box.trade("d", "a", 6, 1000)
    box.trade("d", "b", 4, 1000)
    box.trade("e", "b", 4, 1000)
    box.drive(890)
    resolve(box)
    box.hand(size("a"), -4, "b first, 0.11 x 7120 / 1680, with all of 8; a, 0.11 x 5340 / 5660, with 2")
    box.hand("observable.markets.BTC-PERP.open_interest", 4, "14 - 10")
    box.hand(posting(4), 48, "rooms min(7120, 1680) and min(1780, 5660 - 8 % of 3560): 100 x 1680 / 3460 = 48.6")
    box.hand(posting(5), 52, "100 - 48")
    box.hand(cash("b"), 1632, "800 + 880 - 48")
    box.hand(cash("a"), 5168, "5000 + 220 - 52")


@case(
    "waterfall-close-002",
    "FALL-7",
    "FALL-1",
    bug="a default waits for a fresh price or an open market",
    effect="a dead feed or a halt holds a default up while the loss grows",
    importance=CRITICAL,
    start=layered(),
)
def a_default_needs_no_fresh_price_and_no_trading(box: Recorder) -> None:
    defaulted(box)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    box.time = 100_000
    resolve(box)
    box.hand(amount("deficit"), 100, "at the last mark of 890, without an age penalty")
    box.hand(cash("a"), 11_100, "10000 + 10 x 110")


@case(
    "waterfall-close-003",
    "FALL-7",
    "FALL-3",
    "FALL-5",
    bug="markets are closed in order of name, or positions before the funds have paid",
    effect="two engines publish different movements of money for one default",
    start=two(INSURANCE, TEAR_UP),
)
def markets_are_closed_in_the_accounts_order(box: Recorder) -> None:
    insure(box, 40)
    enter(box, a=10_000, b=10_000, d=1000)
    box.trade("d", "b", 7, 1000, SECOND)
    box.trade("d", "a", 3, 1000)
    box.drive(890)
    resolve(box)
    box.hand(posting(0), 40, "of the second market's part of 70 the fund pays 40; nothing is left for the other's 30")
    box.hand(posting(1), 770, "7 x 110, clearing to b")
    box.hand(posting(2), 770, "d to clearing")
    box.hand(posting(3), 330, "3 x 110, clearing to a")
    box.hand(posting(5), 42, "of 60, by rooms of 7 x 890 and 3 x 890: 60 x 7 / 10, b to d")
    box.hand(posting(6), 18, "60 - 42, a to d")


# ---------------------------------------------------------------------------------------------------------------
# FALL-8: what a tear-up may cost


@case(
    "waterfall-tear-up-thirds-001",
    "FALL-8",
    "NUM-5",
    bug="shares are rounded one by one, or the remainder goes to the first",
    effect="an atom of the deficit is borne by nobody, or two engines differ by one",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def seven_atoms_are_shared_by_three(box: Recorder) -> None:
    enter(box, b=100, c=100, e=100, d=302)
    for other in ("b", "c", "e"):
        box.trade("d", other, 1, 1000)
    box.drive(897)
    resolve(box)
    box.hand(amount("tear_up"), 7, "3 x 103 - 302")
    box.hand(cash("b"), 201, "100 + 103 - 2: 7 / 3 = 2.3")
    box.hand(cash("c"), 201, "100 + 103 - 2: 14 / 3 = 4.7, 4, less 2")
    box.hand(cash("e"), 200, "100 + 103 - 3: 7 less 4")


@case(
    "waterfall-tear-up-room-001",
    "FALL-8",
    "FALL-6",
    bug="a counterparty is charged in proportion to its lots, whatever it can bear",
    effect="a tear-up makes a member liquidatable",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def shares_follow_what_each_can_bear(box: Recorder) -> None:
    enter(box, a=10_000, b=1000, d=2000, s=4300)
    box.trade("d", "s", 10, 1000)
    box.trade("d", "b", 10, 1000)
    box.trade("a", "s", 3, 1000)
    box.trade("s", "a", 30, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(amount("deficit"), 200, "20 x 110 - 2000")
    box.hand(cash("b"), 1908, "1000 + 1100 - 192; rooms 2100 and 80: 200 x 2100 / 2180 = 192.7")
    box.hand(cash("s"), 5392, "4300 + 1100 - 8; it keeps 2430 - 8 above 214 + 2136")


@case(
    "waterfall-tear-up-room-002",
    "FALL-8",
    bug="an account is charged more than it has above its requirement",
    effect="a tear-up makes a member liquidatable or insolvent",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def a_counterparty_keeps_its_requirement(box: Recorder) -> None:
    narrow(box)
    resolve(box)
    box.hand(amount("tear_up"), 80, "4300 + 1430 - 3300 = 2430, less 214 and 2136")
    box.hand(amount("uncovered_loss"), 20, "100 - 80")
    box.do("k", ev.OpenAccount("k", "main"))
    box.do("k", ev.Liquidate("s", "k", PERP, 1), Reason.NOT_LIQUIDATABLE)


@case(
    "waterfall-tear-up-room-003",
    "FALL-8",
    bug="an account below its requirement is charged, or given money",
    effect="the insolvent pay for the insolvent",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def who_is_below_its_requirement_bears_nothing(box: Recorder) -> None:
    enter(box, a=20_000, d=1000, s=11_000)
    box.trade("d", "s", 10, 1000)
    box.trade("s", "a", 100, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(amount("tear_up"), 0, "11000 + 1100 - 11000 = 1100, far below 8 % of 89000")
    box.hand(amount("uncovered_loss"), 100, "100 - 0")
    box.hand(cash("s"), 12_100, "11000 + 1100")


@case(
    "waterfall-tear-up-value-001",
    "FALL-8",
    bug="a piece is charged more than it is worth, or shares follow equity alone",
    effect="a defaulter chooses who pays: one lot against a rich bystander moves the loss to it",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def a_piece_bears_at_most_its_value(box: Recorder) -> None:
    enter(box, w=9900, v=1_000_000, d=10_000)
    box.trade("d", "w", 99, 1000, SECOND)
    box.trade("d", "v", 1, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("deficit"), 1000, "100 x 110 - 10000")
    box.hand(cash("w"), 19_832, "9900 + 10890 - 958; rooms 20790 and 890: 1000 x 20790 / 21680 = 958.9")
    box.hand(cash("v"), 1_000_068, "1000000 + 110 - 42")


@case(
    "waterfall-tear-up-twice-001",
    "FALL-8",
    "FALL-10",
    bug="an account that is torn up in two markets counts its capacity twice",
    effect="its shares together are more than it can bear",
    importance=CRITICAL,
    start=two(TEAR_UP),
)
def two_pieces_of_an_account_share_its_capacity(box: Recorder) -> None:
    enter(box, b=500, s=1500, d=2000)
    box.trade("d", "s", 10, 1000)
    box.trade("d", "s", 5, 1000, SECOND)
    box.trade("d", "b", 5, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(amount("deficit"), 200, "20 x 110 - 2000")
    box.hand(cash("s"), 3000, "1500 + 1650 - 150; rooms 3150, then b 1050, then 0 for its second piece")
    box.hand(cash("b"), 1000, "500 + 550 - 50: 200 x 1050 / 4200")


@case(
    "waterfall-tear-up-bankruptcy-001",
    "FALL-8",
    "FALL-7",
    bug="positions are torn up at the bankruptcy price of the defaulter",
    effect="a counterparty that entered late is left with a debt",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def a_late_counterparty_is_not_charged_below_nothing(box: Recorder) -> None:
    enter(box, a=10_000, c=130, d=1000)
    box.trade("d", "a", 10, 1000)
    box.drive(784)
    box.trade("a", "c", 10, 850)
    resolve(box)
    box.hand(amount("deficit"), 1160, "2160 - 1000")
    box.hand(amount("tear_up"), 790, "130 + 10 x (850 - 784); at the bankruptcy price of 900 it would owe 370")
    box.hand(amount("uncovered_loss"), 370, "1160 - 790")
    box.hand(cash("c"), 0, "130 + 660 - 790")


@case(
    "waterfall-tear-up-late-001",
    "FALL-8",
    "NUM-5",
    bug="the first share begins above nothing",
    effect="the shares sum to more or less than the charge",
    importance=CRITICAL,
    start=layered(TEAR_UP),
)
def shares_begin_at_nothing(box: Recorder) -> None:
    enter(box, a=10_000, b=250, c=251, d=1000)
    box.trade("d", "a", 10, 1000)
    box.drive(784)
    box.trade("a", "b", 5, 850)
    box.trade("a", "c", 5, 850)
    resolve(box)
    box.hand(amount("deficit"), 1160, "2160 - 1000; rooms 250 + 330 and 251 + 330")
    box.hand(cash("b"), 1, "580 - 579: 1160 x 580 / 1161 = 579.5")
    box.hand(cash("c"), 0, "581 - 581: 1160 - 579")


@case(
    "waterfall-tear-up-atom-001",
    "FALL-8",
    bug="a room of one atom is taken for none",
    effect="an atom is uncovered beside one who could bear it",
    start=two(TEAR_UP),
)
def a_room_of_one_atom_is_used(box: Recorder) -> None:
    enter(box, a=10_000, d=1000, s=4403)
    box.trade("d", "s", 10, 1000)
    box.trade("a", "s", 3, 1000)
    box.trade("s", "a", 31, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(amount("tear_up"), 1, "4403 + 1430 - 3410 = 2423, less 214 and 8 % of 27590 = 2207.2, 2208")
    box.hand(amount("uncovered_loss"), 99, "100 - 1")


@case(
    "waterfall-tear-up-equity-001",
    "FALL-8",
    bug="what an account can bear is taken of initial equity, in which unrealised profit may not count",
    effect="shares differ between engines",
    importance=CRITICAL,
    start=layered(TEAR_UP, profit_weight_initial=0),
)
def capacity_is_of_margin_equity(box: Recorder) -> None:
    enter(box, b=500, s=1500, d=1000, e=50_000)
    box.trade("d", "b", 5, 1000)
    box.trade("d", "s", 5, 1000)
    box.trade("e", "s", 10, 1000)
    box.drive(890)
    resolve(box)
    box.hand(
        posting(4), 30, "rooms 1050 and 1500 + 1650 - 712 = 2438: 100 x 1050 / 3488 = 30.1; equal scores, b is older"
    )
    box.hand(posting(5), 70, "100 - 30; without the unrealised 1100 of s it would be 57")


# ---------------------------------------------------------------------------------------------------------------
# FALL-9: gains haircut


@case(
    "waterfall-haircut-long-001",
    "FALL-9",
    bug="the haircut is taken from the shorts whatever the price did",
    effect="losers pay for losers",
    importance=CRITICAL,
    start=layered(GAINS),
)
def the_winning_longs_give_up_gains(box: Recorder) -> None:
    enter(box, a=10_000, d=1000, g=1000)
    box.trade("a", "d", 10, 1000)
    box.trade("a", "g", 4, 1000)
    box.drive(1110)
    resolve(box)
    box.hand(amount("gains_haircut"), 32, "100 / 4 = 25 a lot, at most 1110 - 1102 = 8: 8 x 4")
    box.hand("observable.markets.BTC-PERP.haircut_long", 8, "0 + 8")
    box.hand("observable.markets.BTC-PERP.haircut_short", 0, "the shorts lost")
    box.hand(cash("a"), 11_068, "10000 + 1100 - 4 x 8 owed")


@case(
    "waterfall-haircut-paid-001",
    "FALL-9",
    "TRADE-2",
    bug="what is owed is never paid, or paid at each touch again",
    effect="clearing has paid out what it does not get back, or a winner pays twice",
    importance=CRITICAL,
    start=layered(GAINS),
)
def a_haircut_is_paid_once_at_the_next_touch(box: Recorder) -> None:
    enter(box, a=10_000, d=1000, g=1000)
    box.trade("d", "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    resolve(box)
    box.trade("a", "g", 1, 890)
    box.hand(posting(0), 64, "16 x 4, a to clearing, before its gain of 110")
    box.hand(cash("a"), 11_146, "10000 + 1100 - 64 + 110")
    box.trade("a", "g", 1, 890)
    box.hand(posting(0), 110, "nothing is owed any more; the gain of the second lot")


@case(
    "waterfall-haircut-twice-001",
    "FALL-9",
    bug="each default takes the whole gain of the interval again",
    effect="winners give up more than they won",
    importance=CRITICAL,
    start=layered(GAINS),
)
def defaults_share_the_gain_of_an_interval(box: Recorder) -> None:
    enter(box, a=50_000, d=1050, e=1050, f=1000, g=1000)
    for account in ("d", "e", "f"):
        box.trade(account, "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("gains_haircut"), 48, "50 / 24 = 2.1, 2 a lot of 24")
    resolve(box, "e")
    box.hand(amount("gains_haircut"), 42, "50 / 14 = 3.6, 3 a lot of 14")
    resolve(box, "f")
    box.hand(amount("gains_haircut"), 44, "100 / 4 = 25, at most 16 - 2 - 3 = 11 a lot of 4")
    box.hand("observable.markets.BTC-PERP.haircut_short", 16, "2 + 3 + 11")


@case(
    "waterfall-haircut-twice-002",
    "FALL-9",
    bug="what the longs gave up is not counted against their gain",
    effect="winners give up more than they won",
    importance=CRITICAL,
    start=layered(GAINS),
)
def defaults_share_the_gain_of_the_longs(box: Recorder) -> None:
    enter(box, a=50_000, d=1050, e=1000, g=1000)
    for account in ("d", "e"):
        box.trade("a", account, 10, 1000)
    box.trade("a", "g", 4, 1000)
    box.drive(1110)
    resolve(box)
    box.hand(amount("gains_haircut"), 42, "50 / 14 = 3.6, 3 a lot of 14")
    resolve(box, "e")
    box.hand(amount("gains_haircut"), 20, "100 / 4 = 25, at most 1110 - 1102 - 3 = 5 a lot of 4")


@case(
    "waterfall-haircut-both-001",
    "FALL-9",
    bug="one index serves both sides",
    effect="longs owe what shorts gave up before",
    importance=CRITICAL,
    start=layered(GAINS),
)
def each_side_has_its_own_index(box: Recorder) -> None:
    enter(box, a=50_000, d=1000, f=890, g=1000, h=10_000)
    box.trade("d", "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    resolve(box)
    box.hand("observable.markets.BTC-PERP.haircut_short", 16, "100 / 4 = 25, at most 906 - 890")
    box.trade("h", "f", 10, 890)
    box.drive(980)
    resolve(box, "f")
    box.hand(amount("deficit"), 10, "10 x 90 - 890")
    box.hand(
        "observable.markets.BTC-PERP.haircut_long",
        2,
        "h, who won, is torn up; 10 / 4 = 2.5, 2 a lot of the 4 that are left",
    )
    box.hand("observable.markets.BTC-PERP.haircut_short", 16, "as before")
    box.hand(cash("g"), 992, "1000 - 4 x 2 owed")


@case(
    "waterfall-haircut-interval-001",
    "FALL-9",
    bug="what was taken in an interval counts against the next, or gains of the last count again",
    effect="a haircut finds nothing though the winners gained, or takes what was earned earlier",
    importance=CRITICAL,
    start=layered(GAINS),
)
def a_new_variation_mark_starts_anew(box: Recorder) -> None:
    enter(box, a=50_000, d=1000, e=1000, g=2000)
    for account in ("d", "e"):
        box.trade(account, "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    resolve(box)
    box.hand(amount("gains_haircut"), 98, "100 / 14 = 7.1, 7 a lot of 14, of the 16 won")
    box.drive(889)
    resolve(box, "e")
    box.hand(
        amount("gains_haircut"), 4, "110 / 4 = 27, at most 890 - 889 = 1 a lot of 4; the 9 left of before are gone"
    )
    box.hand("observable.markets.BTC-PERP.haircut_short", 8, "7 + 1")


@case(
    "waterfall-haircut-newcomer-001",
    "FALL-9",
    bug="the haircut is charged by entry price, so that clearing pays out more than positions owe",
    effect="a hole in the clearing account as large as the share of those who came late",
    importance=CRITICAL,
    start=layered(GAINS),
)
def every_lot_of_the_winning_side_bears_alike(box: Recorder) -> None:
    enter(box, a=10_000, d=1000, g=1000, n=1000)
    box.trade("d", "a", 10, 1000)
    box.trade("g", "a", 4, 1000)
    box.drive(890)
    box.trade("g", "n", 1, 890)
    resolve(box)
    box.hand(amount("gains_haircut"), 80, "100 / 5 = 20, at most 16 a lot of 5")
    box.hand(cash("n"), 984, "1000 - 16, without any gain")
    box.trade("n", "g", 1, 890)
    box.hand(posting(0), 16, "paid when it leaves")


@case(
    "waterfall-haircut-markets-001",
    "FALL-9",
    "FALL-4",
    bug="what one market's gains do not cover is taken in another, or each market is asked for all of it",
    effect="winners of one market pay for losses of another",
    importance=CRITICAL,
    start=two(GAINS),
)
def each_market_bears_its_part(box: Recorder) -> None:
    enter(box, a=50_000, d=1000, g=10_000)
    box.trade("d", "a", 6, 1000)
    box.trade("d", "a", 4, 1000, SECOND)
    box.trade("g", "a", 3, 1000)
    box.trade("g", "a", 5, 1000, SECOND)
    box.drive(890)
    resolve(box)
    box.hand(amount("gains_haircut"), 88, "60 / 3 = 20, at most 16: 48; 40 / 5 = 8: 40")
    box.hand("observable.markets.BTC-PERP.haircut_short", 16, "906 - 890")
    box.hand("observable.markets.BTC-2.haircut_short", 8, "40 / 5")
    box.hand(amount("uncovered_loss"), 12, "100 - 88")


@case(
    "waterfall-haircut-settling-001",
    "FALL-9",
    "SETTLE-6",
    bug="a market whose settlement price is fixed bears a haircut",
    effect="clearing pays out for positions that are settled and gone",
    importance=CRITICAL,
    start=with_ether(future(), layers=(GAINS,), negative_balance_limit=1000),
)
def a_settling_market_bears_no_haircut(box: Recorder) -> None:
    sold_out(box, "FUT")
    box.open("g", 1000)
    box.trade("g", "a", 10, 1000, "FUT")
    box.drive(961)
    box.time = 100
    box.do("anyone", ev.FixSettlement("FUT"))
    resolve(box)
    box.hand(amount("gains_haircut"), 0, "the shorts won 980 - 961, and their gains are claims")
    box.hand(amount("uncovered_loss"), 50, "1000 - 950")


# ---------------------------------------------------------------------------------------------------------------
# Pools


@case(
    "waterfall-pools-001",
    "FALL-3",
    "FALL-5",
    "FALL-10",
    "COLL-1",
    bug="funds, caps or uncovered loss are kept for all pools together",
    effect="the loss of one pool is paid by the members of another",
    importance=CRITICAL,
    start=world(
        listed(),
        listed("BTC-SIDE", pool="side"),
        pool=pool_of(layers=(INSURANCE,), insurance_cap=100),
        pools=(pool_of("side", layers=(INSURANCE,), insurance_cap=70),),
    ),
)
def two_pools_share_nothing(box: Recorder) -> None:
    insure(box, 500)
    insure(box, 90, "side")
    enter(box, a=10_000, d=1000)
    box.open("y", 10_000, "side")
    box.open("z", 1000, "side")
    box.trade("d", "a", 10, 1000)
    box.trade("z", "y", 10, 1000, "BTC-SIDE")
    box.drive(890)
    resolve(box)
    box.hand(amount("insurance_fund"), 100, "its own pool's fund, up to its cap")
    box.hand("observable.pools.side.insurance_fund", 90, "not touched")
    resolve(box, "z")
    box.hand(amount("insurance_fund"), 70, "the cap of the side pool, of which nothing is used")
    box.hand("observable.pools.side.uncovered_loss", 30, "100 - 70")
    box.hand(UNCOVERED, 0, "not touched")
    box.hand(INSURED, 400, "500 - 100")


# ---------------------------------------------------------------------------------------------------------------
# Incidents


@case(
    "waterfall-isolated-pool-001",
    "FALL-3",
    "FALL-5",
    "COLL-4",
    bug="the money of the closed position leaves the pool before the insurance fund has paid the loser's deficit",
    effect="the pool is short in between, the transfer fails and the engine stops though the fund is ample",
    incident="dYdX v4, 2025-10-10: the insurance payment came after the transfer; the chain stopped for eight hours",
    importance=CRITICAL,
    start=world(
        listed(pool="isolated"),
        pool=pool_of("isolated", layers=(INSURANCE, TEAR_UP)),
        pools=(pool_of("cross"),),
    ),
)
def insurance_pays_before_anything_moves(box: Recorder) -> None:
    insure(box, 1000, "isolated")
    box.price(1000)
    box.open("carl", 100, "isolated")
    box.open("alice", 149, "isolated")
    box.open("alice-cross", 0, "cross")
    box.trade("alice", "carl", 1, 1000)
    box.drive(1151)
    resolve(box, "carl")
    box.hand(posting(0), 51, "151 - 100, fund to carl, before any other posting")
    box.hand(posting(1), 151, "then clearing to alice")
    box.hand("observable.accounts.alice.balances.USD", 300, "149 + 151")
    box.do("alice", ev.Withdraw("alice", "USD", 300))
    box.hand("observable.pools.isolated.custody.USD", 949, "1000 + 249 - 300: the fund and nothing else")
    box.hand("observable.pools.isolated.insurance_fund", 949, "1000 - 51")


@case(
    "waterfall-backstop-001",
    "FALL-3",
    "FALL-8",
    "LIQ-7",
    bug="a backstop's loss is paid by depositors of other strategies or pools",
    effect="a pumped price takes money of people who never saw the market",
    incident="Hyperliquid, JELLY, 2025-03-26: the vault's short lost over 10 million of its depositors",
    importance=CRITICAL,
    start=world(
        listed(liquidation={"critical_health": SCALE}),
        pool=pool_of(backstop="vault"),
        pools=(pool_of("side"),),
    ),
)
def a_pumped_price_takes_the_backstop_and_no_other_pool(box: Recorder) -> None:
    insure(box, 500, "side")
    enter(box, long=10_000, short=1000, vault=1100)
    box.open("z", 1000, "side")
    box.trade("long", "short", 10, 1000)
    box.drive(1030)
    box.do("anyone", ev.Liquidate("short", "vault", PERP, 10))
    box.hand(amount("penalty"), 103, "1 % of 10300; E 700 is below R 824, the critical health, so all of 10 lots")
    box.hand(amount("reward"), 51, "0.5 % of 10300 = 51.5; 52 go to the fund")
    box.drive(1160)
    resolve(box, "vault")
    box.hand(amount("deficit"), 149, "10 x 130 - 1100 - 51")
    box.hand(amount("insurance_fund"), 52, "all that this pool's fund holds")
    box.hand(amount("tear_up"), 97, "149 - 52, of the long's gain of 1600")
    box.hand(cash("long"), 11_503, "10000 + 1600 - 97")
    box.hand("observable.pools.side.insurance_fund", 500, "not touched")


def recycled(box: Recorder, expect: Reason | None) -> None:
    """A wallet buys 10 lots at 1000 with 1000 and 15 more at 1200, with its profit of 2000 as margin."""
    insure(box, 1000)
    enter(box, a=50_000, wallet=1000)
    box.trade("wallet", "a", 10, 1000)
    box.drive(1200)
    box.trade("wallet", "a", 15, 1200, expect=expect)
    box.drive(1050)


@case(
    "waterfall-recycled-profit-001",
    "FALL-5",
    "MARG-8",
    bug="the deficit of a position built on unrealised profit is not charged to the fund, or twice",
    effect="the fund's balance is not what the incident report says",
    incident="dYdX v3, YFI, 2023-11-18: profit was recycled into new longs; the insurance fund paid 9 million",
    importance=CRITICAL,
    start=layered(INSURANCE),
)
def the_fund_pays_for_recycled_profit(box: Recorder) -> None:
    recycled(box, None)
    resolve(box, "wallet")
    box.hand(amount("deficit"), 750, "25 lots lost 150 each from 1000 + 2000 of equity at 1200")
    box.hand(amount("insurance_fund"), 750, "of 1000")
    box.hand(INSURED, 250, "1000 - 750")


@case(
    "waterfall-recycled-profit-002",
    "FALL-1",
    "MARG-8",
    bug="unrealised profit counts as margin for new risk where its weight is 0",
    effect="a position grows on a price that its owner moves",
    incident="dYdX v3, YFI, 2023-11-18: profit was recycled into new longs; the insurance fund paid 9 million",
    importance=CRITICAL,
    start=layered(INSURANCE, profit_weight_initial=0),
)
def without_recycled_profit_there_is_no_default(box: Recorder) -> None:
    recycled(box, Reason.INSUFFICIENT_MARGIN)  # 1000 against 10 % of 30000
    box.do("anyone", ev.ResolveDefault("wallet"), Reason.NOT_IN_DEFAULT)  # 1000 + 10 x 50
    box.do("wallet", ev.Deposit("wallet", "USD", 1))
    box.hand(INSURED, 1000, "the fund has paid nothing")


@case(
    "waterfall-black-thursday-001",
    "FALL-5",
    "FALL-8",
    "FALL-3",
    bug="a fund without a cap, or a cap that leaves the rest on the account",
    effect="one market empties the fund in an hour, or the venue is insolvent behind a full fund",
    incident="Binance, 2020-03-12: the insurance fund of the futures venue halved within a day",
    importance=CRITICAL,
    start=world(listed(liquidation={"insurance_cap": 150}), pool=pool_of(layers=(INSURANCE, TEAR_UP))),
)
def a_crash_draws_the_cap_and_then_the_winners(box: Recorder) -> None:
    defaulters(box, "d", "e", "f")
    for account, drawn, borne in (("d", 100, 0), ("e", 50, 50), ("f", 0, 100)):
        resolve(box, account)
        box.hand(amount("insurance_fund"), drawn, "of the 150 that the market may draw in a day")
        box.hand(amount("tear_up"), borne, "100 less what the fund paid")
    box.hand(INSURED, 850, "1000 - 150")
    box.hand(cash("a"), 53_150, "50000 + 3 x 1100 - 150")


@case(
    "waterfall-expired-001",
    "FALL-1",
    "SETTLE-5",
    bug="a default is resolved in an expired market, at a mark that will not be paid",
    effect="whoever is quicker chooses between two prices for the same position",
    importance=CRITICAL,
    start=world(future()),
)
def an_expired_market_is_settled_first(box: Recorder) -> None:
    enter(box, a=10_000, d=1000)
    box.trade("d", "a", 10, 1000, "FUT")
    box.drive(890)
    box.time = 100
    box.do("z", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)
    box.do("z", ev.FixSettlement("FUT"))
    box.do("z", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)
    box.do("z", ev.SettlePosition("d", "FUT"))
    box.hand(amount("loss"), 1100, "10 x (1000 - 890)")
    box.hand(amount("collected"), 1000, "1100 less the deficit of 100, and no fund")
    box.hand(cash("d"), 0, "1000 - 1000")
