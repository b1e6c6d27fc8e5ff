"""More vectors of trading: each side's pool, a fill of one lot, and the order in which what is owed is paid."""

from __future__ import annotations

from dataclasses import replace

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import NOTIONAL_MAX
from clearspec.parameters import InterestForm, Layer, Tier
from clearspec.sandbox import PERCENT, POOL, genesis
from clearspec_conformance.situations import enter, listed, pool_of, world
from clearspec_conformance.vectors import Recorder, case

CRITICAL = Importance.CRITICAL


@case(
    "trading-pools-101",
    "TRADE-8",
    "COLL-1",
    bug="only one side of a fill is held to the market's pool",
    effect="a loss of one pool is owed by an account of another",
    importance=CRITICAL,
    start=genesis(pools=(replace(POOL, pool="side"),)),
)
def both_sides_belong_to_the_pool(box: Recorder) -> None:
    box.price(1_000)
    box.open("a", 1_000)
    box.open("b", 1_000)
    box.open("x", 1_000, "side")
    box.trade("x", "a", 1, 1_000, expect=Reason.WRONG_POOL)
    box.trade("a", "x", 1, 1_000, expect=Reason.WRONG_POOL)
    box.trade("a", "b", 1, 1_000)
    box.hand("observable.markets.BTC-PERP.open_interest", 1, "only the last fill was accepted")


@case(
    "trading-balance-limit-101",
    "TRADE-10",
    bug="a purchase of one lot is judged as a sale",
    effect="an account at its balance limit cannot buy back its last lot below mark",
)
def one_lot_bought_back_below_mark(box: Recorder) -> None:
    # Short 1 from 1,000 on one ETH, cash 0; bought back at 1,009 with the mark at 1,010: cash -9, and the limit is 0.
    box.price(2_000, "ETH")
    box.price(1_000)
    box.open("b", 10_000)
    box.open("x")
    box.do("x", ev.Deposit("x", "ETH", 1))
    box.trade("b", "x", 1, 1_000)
    box.price(1_010, time=1)
    box.trade("x", "b", 1, 1_011, expect=Reason.NEGATIVE_BALANCE_LIMIT)
    box.trade("x", "b", 1, 1_009)
    box.hand("observable.accounts.x.balances.USD", -9, "1,000 - 1,009")


FUNDED = listed(
    margin={"tiers": (Tier(NOTIONAL_MAX, 12 * PERCENT, 12 * PERCENT),)},
    funding={"interest": PERCENT, "cap": PERCENT, "interest_form": InterestForm.ADDED},
)


@case(
    "trading-settle-101",
    "TRADE-2",
    "FUND-6",
    "FALL-9",
    bug="a gains haircut is paid before funding",
    effect="two engines post what a position owes in another order",
    start=world(FUNDED, pool=pool_of(layers=(Layer.GAINS_HAIRCUT,))),
)
def funding_is_paid_before_the_haircut(box: Recorder) -> None:
    # d lacks 90; the shorts, 4 lots left, give up 17 each since the last mark of 888. Then 1 % of 871 = 8.7, 8 a lot.
    enter(box, a=10_000, d=1_200, g=1_200)
    box.trade("d", "a", 10, 1_000)
    box.trade("g", "a", 4, 1_000)
    box.drive(871)
    box.do("z", ev.ResolveDefault("d"))
    box.hand("receipt.amounts.gains_haircut", 68, "90 / 4 = 22 a lot, at most 888 - 871 = 17: 17 x 4")
    box.price(871, time=3_600)
    box.do("z", ev.AccrueFunding("BTC-PERP"))
    box.hand("receipt.amounts.index_step", 8, "1 % of 871 = 8.7, down")
    box.trade("a", "g", 4, 871)
    box.hand("receipt.postings.0.amount", 32, "4 x 8, from the clearing account to the shorts")
    box.hand("receipt.postings.1.amount", 68, "4 x 17, from the shorts")
