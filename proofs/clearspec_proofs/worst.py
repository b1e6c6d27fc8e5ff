"""The worst that an envelope admits, in numbers: least ratios by bisection, windows by the oracle's own steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from clearspec import oracle, parameters
from clearspec.numerics import PRICE_MAX, SCALE
from clearspec.parameters import FeedParameters, MarketParameters, Violation
from clearspec.sandbox import FEED, PERCENT
from clearspec.sandbox import MARKET as PARAMETERS

ANCHOR = 10**10
"""A price so high that the atoms to which steps round are far below a ratio's last digit."""

Rates = dict[str, int]
EXAMPLES: dict[str, tuple[int, int, int, int, Rates]] = {
    "spec": (1, PERCENT, 0, PERCENT, {}),
    "basis": (1, PERCENT, PERCENT // 2, PERCENT, {}),
    "funding": (2, PERCENT // 2, 0, 0, {"cap": PERCENT, "max_gap": 7200}),
    "steps": (30, PERCENT // 10, PERCENT // 5, PERCENT // 2, {"cap": PERCENT // 10, "period": 28_800}),
}
"""Steps, band, basis, penalty and funding of parameters of which the least maintenance ratio is looked for."""


def violated(found: Iterable[Violation], *names: str) -> bool:
    """Whether one of these inequalities is among those violated."""
    return any(violation.inequality in names for violation in found)


def least(admits: Callable[[int], bool], low: int = 0, high: int = SCALE) -> int:
    """The least ratio above ``low`` that is admitted, where greater ones are too; ``high`` if no lower one is."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if admits(middle) else (middle, high)
    return high


def with_gap(
    steps: int, band: Any, basis: Any, penalty: Any, **funding: Any
) -> tuple[FeedParameters, MarketParameters]:
    """A feed and a market with these parameters of the price gap."""
    market = replace(
        PARAMETERS,
        margin=replace(PARAMETERS.margin, gap_steps=steps),
        mark=replace(PARAMETERS.mark, band=basis),
        liquidation=replace(PARAMETERS.liquidation, penalty=penalty),
        funding=replace(PARAMETERS.funding, **funding),
    )
    return replace(FEED, band=band, max_price=PRICE_MAX), market


def least_maintenance(feed: FeedParameters, market: MarketParameters, name: str) -> int:
    """The least maintenance ratio that the reference admits under one inequality of the price gap."""
    return least(lambda ratio: not violated(parameters.gap_violations(market, feed, ratio), name))


def moved(index: int, target: int, band: int, steps: int) -> int:
    """An index after some steps that each go as far toward a target as the band admits."""
    for _ in range(steps):
        index = oracle.banded(target, index, band, PRICE_MAX)
    return index


@dataclass(frozen=True)
class Window:
    """The worst window for one side: marks at its begin and end, and the funding of a lot, in atoms."""

    first: int
    last: int
    funding: int


def worst_window(feed: FeedParameters, market: MarketParameters, sign: int) -> Window:
    """From the far edge of the anchor's band to the greatest adverse move; ``sign`` 1 for a short, -1 for a long."""
    adverse, away = (PRICE_MAX, 1) if sign > 0 else (1, PRICE_MAX)
    steps, rules = market.margin.gap_steps + 1, market.funding
    first, near = (moved(ANCHOR, target, feed.band, 1) for target in (away, adverse))
    last, basis = moved(ANCHOR, adverse, feed.band, steps), sign * market.mark.window * PRICE_MAX
    charged = rules.cap * (rules.max_gap + steps * feed.step_interval) * (last if sign > 0 else near)
    marks = (oracle.mark_price(price, push, market.mark, PRICE_MAX) for price, push in ((first, -basis), (last, basis)))
    return Window(*marks, charged // (SCALE * rules.period))
