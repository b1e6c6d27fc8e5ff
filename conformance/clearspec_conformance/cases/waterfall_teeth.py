"""More vectors of the waterfall: the variation-margin mark of a market that has just got its first price."""

from __future__ import annotations

from dataclasses import replace

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.parameters import Layer
from clearspec.sandbox import genesis
from clearspec_conformance.situations import FEED, PERP, cash, enter, future, listed, pool_of, size
from clearspec_conformance.vectors import Recorder, case

SLOW_FEED = replace(FEED, feed="ETH", step_interval=20)
YOUNG = replace(listed("YOUNG", mark={"variation_interval": 20}), feed="ETH")


@case(
    "waterfall-haircut-first-101",
    "FALL-9",
    "ORCL-5",
    bug="before the first interval has passed gains count from nothing, or some have been taken already",
    effect="a haircut takes the whole price of the contract, or the wrong gain",
    importance=Importance.CRITICAL,
    start=genesis(pool=pool_of(layers=(Layer.GAINS_HAIRCUT,)), feeds=(FEED, SLOW_FEED), markets=(listed("OLD"), YOUNG)),
)
def gains_count_from_the_first_mark(box: Recorder) -> None:
    # d long 10 in each from 1,000 with 2,000. OLD at 790 loses 2,100, YOUNG at 980 loses 200: 300 are missing.
    enter(box, a=20_000, d=2_000, g=3_000)
    box.price(1_000, "ETH")
    for market in ("OLD", "YOUNG"):
        box.trade("d", "a", 10, 1_000, market)
    box.trade("g", "a", 4, 1_000, "OLD")
    box.trade("g", "a", 1, 1_000, "YOUNG")
    box.drive(790)
    box.price(980, "ETH", time=13)
    box.do("z", ev.ResolveDefault("d"))
    box.hand(
        "receipt.amounts.gains_haircut",
        80,
        "OLD: 273 / 4 = 68 a lot, at most 805 - 790 = 15; YOUNG: 27 / 1, at most 20",
    )
    box.hand("observable.markets.YOUNG.haircut_short", 20, "1,000 - 980 since the first mark, none of it taken before")
    box.hand(cash("a"), 22_220, "20,000 + 10 x 210 + 10 x 20 of what was torn up, less 4 x 15 and 1 x 20 owed")


@case(
    "waterfall-expired-101",
    "FALL-1",
    "SETTLE-3",
    bug="a market whose expiry is the first second counts as one without",
    effect="a position closes at mark where its settlement price should be paid",
    start=genesis(pool=pool_of(), feeds=(FEED,), markets=(listed(), future(1, 1))),
)
def the_first_second_may_be_an_expiry(box: Recorder) -> None:
    # 10 lots of the perpetual from 1,000 to 888: 1,100 - 1,120 = -20; the future, past its expiry, has not moved.
    enter(box, a=10_000, d=1_100)
    box.trade("d", "a", 1, 1_000, "FUT")
    box.trade("d", "a", 10, 1_000)
    box.drive(888)
    box.do("z", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)
    box.hand(size("d", PERP), 10, "nothing has happened")
    box.do("z", ev.FixSettlement("FUT"))
    box.hand("receipt.amounts.settlement_price", 1_000, "the price of the one second of the window")
    box.do("z", ev.SettlePosition("d", "FUT"))
    box.hand("receipt.amounts.claim", 0, "1,000 - 1,000")
    box.do("z", ev.ResolveDefault("d"))
    box.hand("receipt.amounts.deficit", 20, "1,120 - 1,100")
