"""More vectors of events: the greatest value of a field is in range, and gets the reason of the action."""

from __future__ import annotations

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.sandbox import genesis
from clearspec_conformance.vectors import Recorder, case

AMOUNT, PRICE = 2**60, 2**36


@case(
    "events-range-101",
    "EVENT-5",
    "NUM-9",
    bug="the greatest value of a field counts as out of range",
    effect="two engines give different reasons for one event",
    start=genesis(),
)
def the_greatest_value_is_in_range(box: Recorder) -> None:
    box.price(100)
    box.price(100, "ETH")
    box.open("a", 1_000)
    box.open("b", 1_000)
    box.do("a", ev.Withdraw("a", "USD", AMOUNT), Reason.INSUFFICIENT_CUSTODY)
    box.do("b", ev.Convert("a", "b", "ETH", AMOUNT), Reason.INSUFFICIENT_BALANCE)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, AMOUNT), Reason.EXCEEDS_UNCOVERED_LOSS)
    box.do("admin", ev.CollectFees("main", AMOUNT), Reason.INSUFFICIENT_FUND)
    box.trade("a", "b", 1, PRICE, expect=Reason.PRICE_OUTSIDE_BAND)
    box.time = 10
    box.do("venue", ev.PostBook("BTC-PERP", PRICE, PRICE))
    box.hand("receipt.amounts.mark", 100, "the basis has a band of nothing around the index")
    box.hand("receipt.amounts.premium", 10**9, "at most one")
