"""Theorems about the envelope: what every parameter set inside it implies, and that no bad debt comes of it.

The inequalities themselves are the reference's: the functions that check parameters run on any parameters at all, and
what they would find violated is supposed not to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from clearspec import oracle, parameters
from clearspec.funding import accrued
from clearspec.numerics import (
    HAIRCUT_STEPS_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    RATIO_MAX,
    SCALE,
    SIZE_MAX,
    TIERS_MAX,
    div_floor,
    mul_ceil,
    mul_floor,
)
from clearspec.parameters import (
    FUND_LAYERS,
    CollateralTerms,
    FeedParameters,
    FundingParameters,
    Layer,
    MarketListing,
    MarketParameters,
    MarginParameters,
    PoolParameters,
    Tier,
)
from clearspec.sandbox import ETH, ETH_FEED, FEED, LISTING, POOL
from clearspec.sandbox import MARKET as PARAMETERS
from clearspec_proofs.hints import noted, numbers, pick
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import Function, StandIn, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import symbolic


# Compounded steps


def after_some_steps(path: Any, function: Any, seen: list[Any]) -> StandIn:
    """The first multiplication of a loop stands for all but the last: it gives any value that the loop may reach."""

    def of(_: Any) -> Function:
        def stand_in(value: Any, ratio: Any) -> Any:
            if seen:
                return function(value, ratio)
            seen.append(path.atom("value so far", 0, RATIO_MAX))
            return seen[0]

        return stand_in

    return StandIn(function, "induction over the steps", of)


@theorem(
    "grown-compounds",
    "Growth starts at one, and each step more multiplies it by one and the ratio, rounded up, up to 2^33: so it is "
    "never less than the exact power, or at its limit.",
    "PARM-6",
)
def grown_compounds(path: Any) -> Any:
    """Any number of steps: the first of two stands for all before the last."""
    ratio, seen = path.atom("ratio", 0, SCALE), []
    path.claim("it starts at one", lambda: parameters.grown(ratio, 0) == SCALE)
    with standing_in(path, after_some_steps(path, mul_ceil, seen)):
        after = parameters.grown(ratio, 2)
    before = seen[0] if seen else parameters.grown(ratio, 1)
    path.claim("a step", lambda: after == RATIO_MAX or after * SCALE >= before * (SCALE + ratio))
    path.claim("an atom at most too much", lambda: (after - 1) * SCALE < before * (SCALE + ratio))
    path.claim("its limit", lambda: after <= RATIO_MAX)
    return after


@theorem(
    "shrunk-compounds",
    "What remains starts at one, and each step more multiplies it by one less the ratio, rounded down: so it is never "
    "more than the exact power, and never negative.",
    "PARM-6",
)
def shrunk_compounds(path: Any) -> Any:
    """Any number of steps: the first of two stands for all before the last."""
    ratio, seen = path.atom("ratio", 0, SCALE), []
    path.claim("it starts at one", lambda: parameters.shrunk(ratio, 0) == SCALE)
    with standing_in(path, after_some_steps(path, mul_floor, seen)):
        after = parameters.shrunk(ratio, 2)
    before = seen[0] if seen else parameters.shrunk(ratio, 1)
    path.claim("a step", lambda: after * SCALE <= before * (SCALE - ratio))
    path.claim("an atom at most too little", lambda: (after + 1) * SCALE > before * (SCALE - ratio))
    path.claim("not negative", lambda: after >= 0)
    return after


# Steps of the oracle


@theorem(
    "step-moves-one-band",
    "In one step the index moves by at most the band of its anchor, either way, where that is an atom or more.",
    "ORCL-3",
    "PARM-8",
)
def step_moves_one_band(path: Any) -> Any:
    """For any price that is reported."""
    band, anchor = path.atom("band", 0, SCALE - 1), path.atom("anchor", 1, PRICE_MAX)
    top = anchor + path.atom("below the cap", 0)
    given(path, anchor * band >= SCALE, "the band is an atom or more")
    index = oracle.banded(path.atom("candidate", 1, PRICE_MAX), anchor, band, top)
    path.claim("above", lambda: index * SCALE <= anchor * (SCALE + band))
    path.claim("below", lambda: index * SCALE >= anchor * (SCALE - band))
    return index


@theorem(
    "index-stays-within-compounded-steps",
    "If after some steps the index is at most the growth of an anchor and at least what remains of it, it is so after "
    "one step more, with one step more of each.",
    "ORCL-3",
    "PARM-6",
    "PARM-8",
    marks=("up", "down"),
)
def index_stays_within_compounded_steps(path: Any) -> Any:
    """Induction over the steps of a window of any length; a step is as ``step-moves-one-band`` has it."""
    band, anchor = path.atom("band", 0, SCALE - 1), path.atom("anchor", 1, PRICE_MAX)
    index, after = path.atom("index", 1, PRICE_MAX), path.atom("index after", 1, PRICE_MAX)
    path.mark(way := "up" if path.choice("way", "up", "down") == "up" else "down")
    if way == "up":
        factor, before = SCALE + band, path.atom("growth", 0, RATIO_MAX)
        now, sign = mul_ceil(before, factor), 1
    else:
        factor, before = SCALE - band, path.atom("remains", 0, SCALE)
        now, sign = mul_floor(before, factor), -1
    given(path, sign * (index * factor - after * SCALE) >= 0, "parameters.step-moves-one-band")
    given(path, sign * (anchor * before - index * SCALE) >= 0, "so far")
    path.claim("lemma: a step more", lambda: sign * (anchor * before - index * SCALE) * factor >= 0)
    path.claim("lemma: rounded to the safe side", lambda: sign * anchor * (now * SCALE - before * factor) >= 0)
    path.claim("one step more", lambda: sign * (anchor * now - after * SCALE) >= 0)
    return now


# Funding of a window


@theorem(
    "funding-of-a-window-is-bounded",
    "If the funding index has risen, with what is carried, by at most the cap on the highest price for the seconds "
    "charged so far, it is so after one accrual more; so for seconds that the gap allows, a lot is charged at most the "
    "window's funding ratio of the highest price, and less than an atom of what was carried before.",
    "PARM-8",
    "FUND-4",
    "FUND-7",
    marks=("longs pay", "shorts pay"),
)
def funding_of_a_window_is_bounded(path: Any) -> Any:
    """Induction over any number of accruals, for either side; ``price`` is the highest index of the window."""
    rules = symbolic(path, FundingParameters, "funding")
    seconds, passed = path.atom("seconds", 0, 2**40), path.atom("charged before", 0)
    price, elapsed = path.atom("price", 1, PRICE_MAX), path.atom("elapsed", 0)
    given(path, passed + elapsed <= rules.max_gap + seconds, "the window's time")
    rate, index = path.atom("rate", -SCALE, SCALE), path.atom("index price", 1)
    given(path, rate <= rules.cap, "range (FUND-3)")
    given(path, rate >= -rules.cap, "range (FUND-3)")
    given(path, index <= price, "range (the highest)")
    return rate, index, passed
