"""More vectors of funding: the price that it is charged on."""

from __future__ import annotations

from clearspec import events as ev
from clearspec.formats import Importance
from clearspec_conformance.cases.trading_teeth import FUNDED
from clearspec_conformance.situations import world
from clearspec_conformance.vectors import Recorder, case


@case(
    "funding-index-101",
    "FUND-4",
    "ORCL-4",
    bug="funding is charged on the anchor of the oracle's step, which lags behind the index",
    effect="after every move the two sides pay on a price of the past",
    importance=Importance.CRITICAL,
    start=world(FUNDED),
)
def funding_is_on_the_index(box: Recorder) -> None:
    box.price(10_000)
    box.price(10_200, time=3_600)
    box.do("z", ev.AccrueFunding("BTC-PERP"))
    box.hand("receipt.amounts.index_step", 102, "1 % of 10,200, not of the anchor 10,000")
