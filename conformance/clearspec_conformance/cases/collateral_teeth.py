"""More vectors of collateral: the order of the checks of a conversion that is much too large."""

from __future__ import annotations

from dataclasses import replace

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.sandbox import ETH_FEED, FEED, genesis
from clearspec_conformance.vectors import Recorder, case


@case(
    "collateral-convert-101",
    "COLL-8",
    "NUM-9",
    bug="the range of a balance is checked before the size of a conversion",
    effect="two engines give different reasons for one event",
    start=genesis(feeds=(FEED, replace(ETH_FEED, max_price=2**36))),
)
def a_conversion_is_too_large_before_it_is_out_of_range(box: Recorder) -> None:
    # 2^30 ETH at 2^36, less 5 %, are above 2^65; a lost 10 x 10 and needs 100.
    box.price(2**36, "ETH")
    box.price(1_000)
    box.open("k", 10_000)
    box.open("a")
    box.do("a", ev.Deposit("a", "ETH", 2**30))
    box.trade("a", "k", 10, 1_000)
    box.price(990, time=1)
    box.trade("k", "a", 10, 990)
    box.hand("observable.accounts.a.balances.USD", -100, "0 - 10 x 10")
    box.do("k", ev.Convert("a", "k", "ETH", 2**30), Reason.CONVERSION_TOO_LARGE)
