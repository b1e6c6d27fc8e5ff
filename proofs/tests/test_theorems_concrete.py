"""Every theorem as a property of the reference on drawn numbers, under its own name.

A theorem is a function that runs on plain numbers as well as on symbolic ones. Here its atoms are drawn by Hypothesis,
within their bounds and often at them, and the reference runs without any stand-in. A theorem none of whose draws
satisfies its assumptions is skipped, and so counted and listed; it is proved all the same.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearspec_proofs.lifting.concrete import Concrete
from clearspec_proofs.lifting.paths import Discarded, Failed
from clearspec_proofs.theorems import THEOREMS, Theorem, catalogue
from clearspec_proofs.widths import Measuring

DRAWS = {"quick": 5, "full": 300}.get(os.environ.get("CLEARSPEC_PROFILE", "ci"), 25)
FAR = 2**70
"""How far from 0 an atom without bounds is drawn."""

WITH_STAND_INS = {
    "collateral.conversion-is-open-to-a-keeper": "the real tests of the keeper's margin may refuse",
    "events.gate:stale-price": "the real refreshing of marks asks for markets in order",
    "events.path-to-flat:in-default": "the real scan asks for all markets of all accounts",
    "events.path-to-flat:liquidatable": "the real fill tests ask for parameters inside the envelope",
    "exact.closable-size": "the real restoring size asks for a penalty below maintenance",
    "exact.result-at-risk": "the real requirements ask for parameters inside the envelope",
    "invariants.admitted-parameters": "the real powers take a turn for every step",
    "invariants.standing-of-a-holder": "the real requirements ask for parameters inside the envelope",
    "liquidation.closing-frees-requirement": "the real tables ask for ratios that never fall",
    "margin.fits-128-bits:exposure": "the real requirements ask for parameters inside the envelope",
    "settlement.settling-a-position-conserves": "the real exposures ask for markets in order",
    "trading.close-at-mark-is-accepted": "the real requirements ask for parameters inside the envelope",
}
"""Theorems of which the real functions ask for more than they suppose; these run with their contracts."""


@cache
def integers(low: int | None, high: int | None) -> st.SearchStrategy[int]:
    """Integers within bounds, often at or near one of them."""
    least, most = -FAR if low is None else low, FAR if high is None else high
    if least > most:
        least, most = (most - FAR, most) if low is None else (least, least + FAR)
    near = {least, least + 1, most - 1, most, 0, 1, -1, 2, 10**9, 10**9 + 1}
    return st.one_of(
        st.sampled_from(sorted(value for value in near if least <= value <= most)), st.integers(least, most)
    )


class Drawn:
    """Values drawn by Hypothesis."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def integer(self, name: str, low: int | None, high: int | None) -> int:
        return int(self.data.draw(integers(low, high), label=name))

    def option(self, name: str, options: tuple[Any, ...]) -> Any:
        return options[self.data.draw(st.integers(0, len(options) - 1), label=name)]


def outcome(theorem: Theorem, data: Any) -> str:
    """What came of one draw; a claim that fails raises."""
    path = Concrete(Drawn(data), stand_ins=theorem.name in WITH_STAND_INS)
    try:
        theorem.body(path)
    except Discarded:
        return "discarded"
    except Failed as failed:
        raise AssertionError(f"{failed.claim}: {path.drawn}") from failed
    assert isinstance(path.values, Measuring) is ("fits-128-bits" in theorem.name)
    return "held"


@pytest.mark.parametrize("name", catalogue())
def test_theorem_holds_on_drawn_numbers(name: str) -> None:
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=DRAWS, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def tried(data: Any) -> None:
        outcomes[outcome(THEOREMS[name], data)] += 1

    tried()
    if not outcomes["held"]:
        pytest.skip(f"assumptions reject all {outcomes['discarded']} draws")


def test_contracts_are_listed_of_theorems_that_exist() -> None:
    assert set(WITH_STAND_INS) <= set(THEOREMS)
