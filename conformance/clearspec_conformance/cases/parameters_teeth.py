"""More vectors of parameters: the bounds of every field, and what a second ramp starts from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import NOTIONAL_MAX
from clearspec.parameters import MarketParameters, Tier
from clearspec.sandbox import FEED, LISTING, MARGIN, MARKET, PERCENT, POOL, genesis
from clearspec_conformance.cases.margin import bare, start
from clearspec_conformance.situations import PERP
from clearspec_conformance.vectors import Recorder, case

CRITICAL = Importance.CRITICAL
P = PERCENT
ONE = 10**9
SIZE, AMOUNT, DURATION, NOTIONAL, RATIO = 2**40, 2**60, 2**32, 2**56, 2**33


def tiered(maintenance: int) -> MarketParameters:
    """The market's parameters with one tier."""
    return replace(MARKET, margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 10 * P, maintenance),)))


@case(
    "parameters-ramp-101",
    "PARM-13",
    "MARG-4",
    "MARG-12",
    bug="a second ramp starts from the parameters that the first one started from",
    effect="a requirement that had arrived goes back, and comes again",
    importance=CRITICAL,
    start=bare(),
)
def a_ramp_starts_from_the_last_parameters(box: Recorder) -> None:
    # 5 % to 6 % from 1 to 61, 6 % to 7 % from 61 to 121. At 91, half way: 56.4 up 57, 65.8 up 66; 57 + 4.5, up 62.
    start(box, 100, a=120, k=10_000)
    box.trade("a", "k", 10, 100)
    box.do("admin", ev.SetParameters(PERP, tiered(6 * P)))
    box.hand("receipt.amounts.ramp_end", 61, "1 + 60")
    box.time = 61
    box.do("admin", ev.SetParameters(PERP, tiered(7 * P)))
    box.hand("receipt.amounts.ramp_end", 121, "61 + 60")
    box.time = 80
    box.drive(94)
    box.time = 91
    box.do("k", ev.Liquidate("a", "k", PERP, 10))
    box.hand("receipt.amounts.closed", 1, "120 - 60 = 60 < 62; (2 + 2) / 5 % = 80, over 94, up 1")


# ---------------------------------------------------------------------------------------------------------------
# Bounds of every field: the values just outside them

Outside = dict[str, tuple[int, int]]

TRADING: Outside = {
    "max_position": (0, SIZE + 1),
    "max_open_interest": (0, SIZE + 1),
    "price_band": (-1, ONE),
    "taker_fee": (-1, ONE + 1),
    "maker_fee": (-ONE - 1, ONE + 1),
    "insurance_share": (-1, ONE + 1),
}
MARGINS: Outside = {
    "open_interest_lower": (-1, AMOUNT + 1),
    "open_interest_upper": (-1, AMOUNT + 1),
    "size_slope": (-1, ONE + 1),
    "size_unit": (0, SIZE + 1),
    "multiplier": (ONE - 1, RATIO + 1),
    "ramp": (0, DURATION + 1),
    "gap_steps": (0, 257),
}
TIERS: Outside = {"upper": (-1, NOTIONAL + 1), "initial": (0, ONE + 1), "maintenance": (0, ONE + 1)}
MARKS: Outside = {
    "window": (0, 2**16 + 1),
    "band": (-1, ONE),
    "stale_rate": (-1, ONE + 1),
    "stale_cap": (-1, ONE),
    "variation_interval": (0, DURATION + 1),
}
FUNDINGS: Outside = {
    "interval": (0, DURATION + 1),
    "period": (0, DURATION + 1),
    "max_gap": (0, DURATION + 1),
    "sample_interval": (0, DURATION + 1),
    "min_samples": (0, 513),
    "interest": (-ONE - 1, ONE + 1),
    "damper": (-1, ONE + 1),
    "cap": (-1, ONE + 1),
}
LIQUIDATIONS: Outside = {
    "penalty": (-1, ONE),
    "reward": (-1, ONE + 1),
    "reward_floor": (-1, ONE + 1),
    "reward_budget": (-1, AMOUNT + 1),
    "close_factor": (0, ONE + 1),
    "critical_health": (-1, ONE + 1),
    "buffer": (-1, ONE + 1),
    "minimum": (-1, SIZE + 1),
    "insurance_cap": (-1, AMOUNT + 1),
    "budget_interval": (0, DURATION + 1),
}


def refused(box: Recorder, outside: Outside, changed: Any) -> None:
    """Parameters with one field just outside its bounds, from below and from above."""
    for name, (below, above) in outside.items():
        for value in (below, above):
            receipt = box.do("admin", ev.SetParameters(PERP, changed(name, value)), Reason.FIELD_OUT_OF_RANGE)
            if receipt.subject != name:
                raise AssertionError(f"expected {name}, got {receipt.subject}")


def section(name: str) -> Any:
    """How a field of a section of the market's parameters is changed."""
    return lambda field, value: replace(MARKET, **{name: replace(getattr(MARKET, name), **{field: value})})


def second_tier(field: str, value: int) -> MarketParameters:
    """The market's parameters with two tiers, a field of the second changed."""
    tiers = (Tier(100, 10 * P, 5 * P), replace(Tier(NOTIONAL_MAX, 10 * P, 5 * P), **{field: value}))
    return replace(MARKET, margin=replace(MARGIN, tiers=tiers))


SECTIONS: tuple[tuple[str, str, Outside, Any], ...] = (
    ("trading", "PARM-5", TRADING, section("trading")),
    ("margin", "PARM-5", MARGINS, section("margin")),
    ("tiers", "PARM-7", TIERS, second_tier),
    ("mark", "PARM-5", MARKS, section("mark")),
    ("funding", "PARM-5", FUNDINGS, section("funding")),
    ("liquidation", "PARM-5", LIQUIDATIONS, section("liquidation")),
)


def bounds_of_a_section(number: int, name: str, rule: str, outside: Outside, changed: Any) -> None:
    """A vector of the bounds of one section."""

    @case(
        f"parameters-range-1{number:02}",
        rule,
        "EVENT-5",
        "NUM-9",
        bug=f"a field of the {name} parameters is taken outside its bounds",
        effect="a number comes in that no rule was made for: an interval of nothing, a ratio above one",
        importance=CRITICAL,
        start=bare(),
    )
    def play(box: Recorder) -> None:
        refused(box, outside, changed)
        box.do("admin", ev.SetParameters(PERP, MARKET))
        box.hand("receipt.amounts.ramp_end", 0, "the same tiers and ramp: at once")


for place, entry in enumerate(SECTIONS, start=1):
    bounds_of_a_section(place, *entry)


@case(
    "parameters-range-107",
    "PARM-5",
    "EVENT-5",
    "NUM-9",
    bug="the settlement window is taken outside its bounds",
    effect="a window of nothing divides by nothing",
    importance=CRITICAL,
    start=bare(),
)
def the_settlement_window_has_bounds(box: Recorder) -> None:
    for window in (0, DURATION + 1):
        changed = replace(MARKET, settlement_window=window)
        box.do("admin", ev.SetParameters(PERP, changed), Reason.FIELD_OUT_OF_RANGE)
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, settlement_window=DURATION)))
    box.hand("receipt.amounts.ramp_end", 0, "a perpetual without an expiry takes another window at once")


ODD_POOL = replace(POOL, collateral=(), profit_weight_initial=0, profit_cap_initial=0, withdrawal_margin=5 * P, dust=7)


@case(
    "parameters-pool-101",
    "PARM-11",
    "PARM-4",
    "COLL-5",
    bug="a limit on profit is held against another parameter of the pool",
    effect="a pool inside the envelope is refused",
    start=genesis(pool=ODD_POOL, feeds=(FEED,), markets=(LISTING,)),
)
def limits_on_profit_concern_profit_alone(box: Recorder) -> None:
    start(box, 100, a=100, b=1_000)
    box.trade("a", "b", 10, 100)
    box.do("a", ev.Withdraw("a", "USD", 1), Reason.BELOW_INITIAL_MARGIN)
    box.hand("observable.accounts.a.balances.USD", 100, "10 % of 1,000 must stay, and is above 5 % of it")
