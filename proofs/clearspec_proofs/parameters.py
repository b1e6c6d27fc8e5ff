"""Theorems about the envelope: what every parameter set inside it implies, and that no bad debt comes of it.

The inequalities themselves are the reference's: the functions that check parameters run on any parameters at all, and
what they would find violated is supposed not to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import comb, factorial
from typing import Any

from clearspec import liquidation, margin, oracle, parameters
from clearspec.margin import Exposure, Standing, tiered_requirement
from clearspec.numerics import (
    AMOUNT_MAX,
    DURATION_MAX,
    GAP_STEPS_MAX,
    HAIRCUT_STEPS_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    PROFIT_MAX,
    RATIO_MAX,
    SAMPLES_MAX,
    SCALE,
    SIZE_MAX,
    SOURCES_MAX,
    TIME_MAX,
    mul_ceil,
    mul_floor,
    notional,
)
from clearspec.parameters import (
    ENVELOPE,
    FUND_LAYERS,
    CollateralTerms,
    FeedParameters,
    Layer,
    MarginParameters,
    MarketKind,
    MarketListing,
    MarketParameters,
    Tier,
)
from clearspec.sandbox import ETH, ETH_FEED, FEED, LISTING, PERCENT, POOL
from clearspec.sandbox import MARKET as PARAMETERS
from clearspec_proofs.desk import MARKET, SECOND_MARKET, Desk
from clearspec_proofs.hints import numbers, pick
from clearspec_proofs.liquidation import IN_CAP
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import NOTHING_FOUND, Function, StandIn, any_integer, opaque, standing_in
from clearspec_proofs.standings import any_exposure
from clearspec_proofs.theorems import theorem
from clearspec_proofs.world import symbolic
from clearspec_proofs.worst import (
    ANCHOR,
    EXAMPLES,
    Rates,
    least,
    least_maintenance,
    moved,
    violated,
    with_gap,
    worst_window,
)

# Compounded steps


def after_some_steps(path: Any, function: Any, seen: list[Any], theorem: str, limit: int) -> StandIn:
    """The first multiplication of a loop stands for all but the last: it gives any value that the loop may reach.

    That it reaches none outside of 0 .. ``limit`` is claimed of the last one: induction over the steps.
    """

    def of(_: Any) -> Function:
        def stand_in(value: Any, ratio: Any) -> Any:
            if seen:
                return function(value, ratio)
            seen.append(path.atom("value so far", 0, limit))
            return seen[0]

        return stand_in

    return StandIn(function, f"{theorem}, of one step less", of)


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
    with standing_in(path, after_some_steps(path, mul_ceil, seen, "parameters.grown-compounds", RATIO_MAX)):
        after = parameters.grown(ratio, 2)
    before = seen[0] if seen else parameters.grown(ratio, 1)
    path.claim("a step", lambda: after == RATIO_MAX or after * SCALE >= before * (SCALE + ratio))
    path.claim("an atom at most too much", lambda: (after - 1) * SCALE < before * (SCALE + ratio))
    path.claim("its limits", lambda: 0 <= after <= RATIO_MAX)
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
    with standing_in(path, after_some_steps(path, mul_floor, seen, "parameters.shrunk-compounds", SCALE)):
        after = parameters.shrunk(ratio, 2)
    before = seen[0] if seen else parameters.shrunk(ratio, 1)
    path.claim("a step", lambda: after * SCALE <= before * (SCALE - ratio))
    path.claim("an atom at most too little", lambda: (after + 1) * SCALE > before * (SCALE - ratio))
    path.claim("its limits", lambda: 0 <= after <= SCALE)
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
    "one step more, with one step more of each, where the band of the index is an atom or more and the growth is below "
    "its limit of 2^33.",
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
    bounded_step(path, band, index, after, "above" if way == "up" else "below")
    given(path, sign * (anchor * before - index * SCALE) >= 0, "so far")
    path.claim("lemma: a step more", lambda: sign * (anchor * before - index * SCALE) * factor >= 0)
    path.claim("lemma: rounded to the safe side", lambda: sign * anchor * (now * SCALE - before * factor) >= 0)
    path.claim("one step more", lambda: sign * (anchor * now - after * SCALE) >= 0)
    wide_band(path, band, index)
    return now


# Funding of a window

WINDOW = "parameters.window-funding-is-covered"
ACCRUALS = "funding.any-sequence-of-accruals-is-bounded-by-the-cap"


@theorem(
    "window-funding-is-covered",
    "Funding charged for a window and for the greatest gap before it is at most the window's funding ratio of the "
    "highest index price a lot, and less than an atom a lot that was carried before.",
    "PARM-8",
    "FUND-4",
)
def window_funding_is_covered(path: Any) -> Any:
    """The rise of the funding index, or its fall, over any number of accruals is what the chapter on funding bounds."""
    rules = replace(PARAMETERS.funding, cap=path.atom("cap", 0, SCALE), max_gap=path.atom("max_gap", 1, DURATION_MAX))
    rules = replace(rules, period=path.atom("period", 1, DURATION_MAX))
    seconds, charged = path.atom("seconds", 0, 2**40), path.atom("charged", 0)
    price, rise = path.atom("highest price", 1, PRICE_MAX), path.atom("rise")
    given(path, charged <= rules.max_gap + seconds, "the time of the window")
    carried = SCALE * rules.period - 1
    given(path, rise * SCALE * rules.period <= rules.cap * price * charged + carried, ACCRUALS)
    ratio = parameters.funding_in_gap(rules, seconds)
    unused = rules.max_gap + seconds - charged
    path.claim("lemma: all of the time", lambda: unused * rules.cap >= 0)
    path.claim("lemma: at the highest price", lambda: unused * rules.cap * price >= 0)
    exact = rules.cap * (rules.max_gap + seconds)
    path.claim("lemma: the ratio rounds up", lambda: (ratio * rules.period - exact) * price >= 0)
    path.claim("covered", lambda: (rise - 1) * SCALE < ratio * price)
    path.claim("not negative", lambda: ratio >= 0)
    return ratio


# The price gap

MARK, REQUIRED = "parameters.mark-stays-within-its-band", "liquidation.closing-frees-requirement"
GAP_STEPS, ONE_STEP = "parameters.index-stays-within-compounded-steps", "parameters.step-moves-one-band"
FALLS_AND_RISES = "parameters.index-falls-and-rises-alike"
WIDE_BAND = "range (the band of every index is an atom or more)"


def bounded_step(path: Any, band: Any, anchor: Any, index: Any, *ways: str) -> None:
    """An index that the oracle moves from an anchor is within one band of it, by ``step-moves-one-band``.

    What that supposes of the anchor is supposed at the end of a theorem, by ``wide_band``: nothing but it needs that.
    """
    facts = {"above": anchor * (SCALE + band) - index * SCALE, "below": index * SCALE - anchor * (SCALE - band)}
    for way in ways:
        given(path, facts[way] >= 0, ONE_STEP)


def wide_band(path: Any, band: Any, anchor: Any) -> None:
    """Suppose that the band of an anchor is an atom or more."""
    given(path, anchor * band >= SCALE, WIDE_BAND)


def admitted(*names: str) -> StandIn:
    """The check itself: what it would find violated of these inequalities, or of all, is supposed not to be."""

    def of(path: Any) -> Function:
        def stand_in(checks: Sequence[tuple[str, Any, Any]]) -> Iterator[Any]:
            for name, left, right in checks:
                if not names or name in names:
                    given(path, left <= right, f"range ({name})")
            return iter(())

        return stand_in

    return StandIn(parameters._violations, NOTHING_FOUND, of)


@dataclass
class Gap:
    """Parameters inside the price gap, and what its inequalities are about.

    ``growth`` and ``remains`` are (1 + s) and (1 - s) compounded over the steps of the window and one more, ``funding``
    the funding ratio of the window.
    """

    feed: FeedParameters
    market: MarketParameters
    lowest: Any
    growth: Any
    remains: Any
    funding: Any

    @property
    def band(self) -> Any:
        """How far the index moves in one step."""
        return self.feed.band

    @property
    def basis(self) -> Any:
        """How far the mark may be from the index."""
        return self.market.mark.band

    @property
    def penalty(self) -> Any:
        """What a liquidation takes."""
        return self.market.liquidation.penalty


def asked_once(function: Any, grounds: str, value: Any, *expected: Any) -> StandIn:
    """A function of which the envelope asks one value alone: this one, of these arguments."""

    def of(path: Any) -> Function:
        def stand_in(*arguments: Any) -> Any:
            path.claim("the same is asked", lambda: arguments == expected)
            return value

        return stand_in

    return StandIn(function, grounds, of)


def any_gap(path: Any, name: str) -> Gap:
    """Any parameters that satisfy an inequality of the price gap, over any number of steps."""
    ratios = {name: path.atom(name, 0, SCALE - 1) for name in ("band", "basis", "penalty")}
    feed, market = with_gap(1, **ratios)
    lowest = path.atom("maintenance", 1, SCALE)
    bounds = {"grown": (SCALE, RATIO_MAX), "shrunk": (0, SCALE), "funding_in_gap": (0, None)}
    made = {name: path.atom(name, low, high) for name, (low, high) in bounds.items()}
    steps, compounds = market.margin.gap_steps + 1, "parameters.{}-compounds, " + GAP_STEPS
    stand_ins = [
        asked_once(parameters.grown, compounds.format("grown"), made["grown"], feed.band, steps),
        asked_once(parameters.shrunk, compounds.format("shrunk"), made["shrunk"], feed.band, steps),
        asked_once(
            parameters.funding_in_gap, WINDOW, made["funding_in_gap"], market.funding, steps * feed.step_interval
        ),
    ]
    with standing_in(path, admitted(name), *stand_ins):
        found = list(parameters.gap_violations(market, feed, lowest))
        path.assume(lambda: not violated(found, name), name)
        path.claim("growth is below its limit", lambda: name != "gap-up" or made["grown"] < RATIO_MAX)
        growth, remains = parameters.grown(feed.band, steps), parameters.shrunk(feed.band, steps)
        funding = parameters.funding_in_gap(market.funding, steps * feed.step_interval)
    return Gap(feed, market, lowest, growth, remains, funding)


def pays_in_numbers(path: Any, example: tuple[int, int, int, int, Rates], name: str, sign: int) -> int:
    """The same of parameters in numbers with the least maintenance ratio that is admitted, by the worst window."""
    steps, band, basis, penalty, funding = example
    feed, market = with_gap(steps, band, basis, penalty, **funding)
    lowest, worst, lots = least_maintenance(feed, market, name), worst_window(feed, market, sign), 10**6
    _, requirement = tiered_requirement(lots * worst.first, (Tier(NOTIONAL_MAX, SCALE, lowest),))
    worth = requirement - sign * lots * (worst.last - worst.first) - lots * worst.funding
    path.claim("worth its penalty", lambda: worth + lots >= mul_floor(lots * worst.last, penalty))
    return worth


def chained(path: Any, **facts: Any) -> None:
    """Claim facts one by one, each a lemma for those that follow."""
    for name, fact in facts.items():
        path.claim(f"lemma: {name.replace('_', ' ')}", lambda fact=fact: fact >= 0)


def window(path: Any, gap: Gap) -> tuple[Any, ...]:
    """Anchor, index and mark at first, index and mark at the end, lots, and what is owed, needed and paid for them."""
    names = ("anchor", "index at first", "mark at first", "index", "mark", "lots")
    anchor, index0, mark0, index, mark, lots = (path.atom(name, 1) for name in names)
    given(path, lots * mark0 <= NOTIONAL_MAX, IN_CAP)
    path.claim("a notional up to 2^56", lambda: 1 <= lots * mark0 <= NOTIONAL_MAX)
    funding, requirement, paid = path.atom("funding"), path.atom("requirement", 0), path.atom("paid", 0)
    given(path, requirement * SCALE >= lots * mark0 * gap.lowest, REQUIRED)
    given(path, paid * SCALE <= lots * mark * gap.penalty, "liquidation.penalty-bounded")
    return anchor, index0, mark0, index, mark, lots, funding, requirement + path.atom("more equity", 0), paid


@theorem(
    "short-at-maintenance-pays-its-penalty",
    "A short that had its maintenance requirement when the window of the price gap began is worth its penalty, less "
    "an atom a lot of funding carried from before, after every step of the window: with basis, penalty and funding "
    "all against it, no bad debt comes of it, where the band of every index of the window is an atom or more.",
    "PARM-8",
    marks=("any",),
)
def short_pays_its_penalty(path: Any) -> Any:
    """For any parameters inside the gap, any number of steps, any size."""
    example = numbers(path, **EXAMPLES)
    if example is not None:
        return pays_in_numbers(path, example, "gap-up", 1)
    gap = any_gap(path, "gap-up")
    path.mark("any")
    anchor, index0, mark0, index, mark, lots, funding, equity, paid = window(path, gap)
    highest, wide, narrow, below = path.atom("highest", 1), SCALE + gap.basis, SCALE - gap.basis, SCALE - gap.band
    bounded_step(path, gap.band, anchor, index0, "below")
    given(path, mark0 * SCALE >= index0 * narrow, MARK)
    given(path, index * SCALE <= anchor * gap.growth, GAP_STEPS)
    given(path, highest * SCALE <= anchor * gap.growth, GAP_STEPS)
    given(path, mark * SCALE <= index * wide, MARK)
    given(path, (funding - lots) * SCALE <= lots * gap.funding * highest, WINDOW)
    charge, held = SCALE + gap.penalty, SCALE + gap.lowest
    cost, cover = mul_ceil(charge, wide), mul_floor(held, narrow)
    rise, above = mul_ceil(gap.growth, cost + gap.funding), mul_floor(cover, below)
    chained(
        path,
        the_last_mark=(index * wide - mark * SCALE) * charge,
        its_cost=(cost * SCALE - charge * wide) * index,
        mark_and_penalty=index * cost - charge * mark,
        the_last_index=(anchor * gap.growth - index * SCALE) * cost,
        the_highest_index=(anchor * gap.growth - highest * SCALE) * gap.funding,
        its_rise=(rise * SCALE - gap.growth * (cost + gap.funding)) * anchor,
        all_costs=anchor * rise - index * cost - highest * gap.funding,
        inside_the_gap=(above - rise) * anchor,
        what_is_held=held * narrow,
        what_covers=cover,
        the_first_index=(index0 * SCALE - anchor * below) * cover,
        its_cover=(cover * below - above * SCALE) * anchor,
        from_the_anchor=cover * index0 - anchor * above,
        the_first_mark=(mark0 * SCALE - index0 * narrow) * held,
        its_margin=(held * narrow - cover * SCALE) * index0,
        from_the_index=held * mark0 - cover * index0,
        a_lot=held * mark0 - charge * mark - gap.funding * highest,
        all_lots=lots * (held * mark0 - charge * mark - gap.funding * highest),
    )
    worth = equity - lots * (mark - mark0) - funding
    path.claim("worth its penalty", lambda: worth + lots >= paid)
    wide_band(path, gap.band, anchor)
    return worth


@theorem(
    "long-at-maintenance-pays-its-penalty",
    "A long that had its maintenance requirement when the window of the price gap began is worth its penalty, less an "
    "atom a lot of funding carried from before, after every step of the window, where funding is charged on an index "
    "within a band of the anchor, and the band of every index is an atom or more: no bad debt comes of it.",
    "PARM-8",
    marks=("any",),
)
def long_pays_its_penalty(path: Any) -> Any:
    """For any parameters inside the gap, any number of steps, any size."""
    example = numbers(path, **EXAMPLES)
    if example is not None:
        return pays_in_numbers(path, example, "gap-down", -1)
    gap = any_gap(path, "gap-down")
    path.mark("any")
    anchor, index0, mark0, index, mark, lots, funding, equity, paid = window(path, gap)
    charged = path.atom("index charged", 1)
    wide, narrow, above = SCALE + gap.basis, SCALE - gap.basis, SCALE + gap.band
    bounded_step(path, gap.band, anchor, index0, "above")
    given(path, mark0 * SCALE <= index0 * wide, MARK)
    given(path, index * SCALE >= anchor * gap.remains, GAP_STEPS)
    given(path, mark * SCALE >= index * narrow, MARK)
    bounded_step(path, gap.band, anchor, charged, "above")
    given(path, (funding - lots) * SCALE <= lots * gap.funding * charged, WINDOW)
    keeps, borrowed = SCALE - gap.penalty, SCALE - gap.lowest
    debt, left = mul_ceil(borrowed, wide), mul_floor(gap.remains, keeps)
    below, fall = mul_ceil(debt + gap.funding, above), mul_floor(left, narrow)
    chained(
        path,
        the_first_mark=(index0 * wide - mark0 * SCALE) * borrowed,
        its_debt=(debt * SCALE - borrowed * wide) * index0,
        from_the_index=debt * index0 - borrowed * mark0,
        borrowed_and_basis=borrowed * wide,
        what_is_owed=debt,
        the_first_index=(anchor * above - index0 * SCALE) * debt,
        the_index_charged=(anchor * above - charged * SCALE) * gap.funding,
        all_debts=(below * SCALE - (debt + gap.funding) * above) * anchor,
        from_the_anchor=anchor * below - borrowed * mark0 - gap.funding * charged,
        inside_the_gap=(fall - below) * anchor,
        what_is_left=(left * narrow - fall * SCALE) * anchor,
        after_the_penalty=(gap.remains * keeps - left * SCALE) * anchor,
        the_last_index=(index * SCALE - anchor * gap.remains) * keeps,
        its_part=index * keeps - anchor * left,
        its_part_and_basis=(index * keeps - anchor * left) * narrow,
        the_last_mark=(mark * SCALE - index * narrow) * keeps,
        from_the_end=mark * keeps - anchor * fall,
        a_lot=mark * keeps - borrowed * mark0 - gap.funding * charged,
        all_lots=lots * (mark * keeps - borrowed * mark0 - gap.funding * charged),
    )
    worth = equity - lots * (mark0 - mark) - funding
    path.claim("worth its penalty", lambda: worth + lots >= paid)
    wide_band(path, gap.band, anchor)
    return worth


@theorem(
    "mark-stays-within-its-band",
    "The mark is within its band of the index, whatever the book, where the index is at most the highest price.",
    "ORCL-5",
    "PARM-8",
)
def mark_stays_within_its_band(path: Any) -> Any:
    """Of any smoothing state."""
    index, rules = path.atom("index", 1, PRICE_MAX), replace(PARAMETERS.mark, band=path.atom("band", 0, SCALE - 1))
    rules = replace(rules, window=path.atom("window", 1, 2**16))
    top = index + path.atom("below the cap", 0)
    mark = oracle.mark_price(index, path.atom("basis sum"), rules, top)
    path.claim("above", lambda: mark * SCALE <= index * (SCALE + rules.band))
    path.claim("below", lambda: mark * SCALE >= index * (SCALE - rules.band))
    return mark


HOLDER, PARTS = "A", "margin.a-position-counts-what-it-owes, margin.a-claim-needs-no-margin"


class Moments:
    """An account with two positions and what each comes to at two moments; cash does not change between them."""

    def __init__(self, path: Any) -> None:
        self.desk, self.now = Desk(path, HOLDER), 0
        self.marks = {market: path.atom(f"first mark of {market}", 1, 1000) for market in (MARKET, SECOND_MARKET)}
        for market, mark in self.marks.items():
            self.desk.priced(mark, market)
            self.desk.hold(HOLDER, path.atom(f"lots in {market}", 1, 10**6), market)
        self.parts = {market: [any_exposure(path, f"{market} {moment}") for moment in "01"] for market in self.marks}
        self.stand_ins = (
            StandIn(margin.position_exposure, PARTS, lambda _: lambda __, market, ___: self.parts[market][self.now]),
            opaque(margin.counted_profit, any_integer),
        )

    def later(self) -> None:
        """Move to the second moment, at other marks."""
        self.now = 1
        for market, mark in self.marks.items():
            record = self.desk.state.marks[market]
            price = mark + self.desk.path.atom(f"move of {market}", -900, 900)
            self.desk.state.marks.put(market, replace(record, price=max(1, price)))

    def standing(self) -> tuple[Standing, list[Exposure]]:
        """The account now, and each position."""
        state = self.desk.state
        parts = [
            margin.position_exposure(self.desk.ctx, market, state.positions[HOLDER, market]) for market in self.marks
        ]
        return margin.standing(self.desk.ctx, HOLDER), parts


@theorem(
    "positions-add-up",
    "An account that had its maintenance requirement is later worth at least what its positions leave of theirs, each "
    "by itself: where each keeps its penalty, the account can pay all penalties.",
    "PARM-8",
    "MARG-6",
)
def positions_add_up(path: Any) -> Any:
    """Of any number of positions: all but one count as one, since every figure of an account is a sum of theirs."""
    account = Moments(path)
    with standing_in(path, *account.stand_ins):
        before, first = account.standing()
        path.assume(lambda: not margin.is_liquidatable(before), "range (at maintenance)")
        account.later()
        after, then = account.standing()
    kept = [old.maintenance + new.at_mark - old.unrealised for old, new in zip(first, then, strict=True)]
    path.claim("at least what they keep", lambda: after.net_liquidation_value >= sum(kept))
    return after.net_liquidation_value


# Collateral


@theorem(
    "haircut-covers-its-window",
    "What counted as margin of a collateral asset when the window of a market's gap began is still fetched by a "
    "conversion at its discount after every step of that window, where the band of every index is an atom or more.",
    "PARM-12",
    "COLL-8",
    marks=("any",),
)
def haircut_covers_its_window(path: Any) -> Any:
    """Per unit of the asset, for any number of steps of its own feed; amounts round down by an atom on their own."""
    example = numbers(path, spec=(PERCENT, 5 * PERCENT, 1, 1, 1), slow=(PERCENT // 10, PERCENT, 20, 5, 1))
    if example is not None:
        return covered_in_numbers(path, *example)
    ratios = {name: path.atom(name, 0, SCALE - 1) for name in ("band", "discount")}
    terms = replace(ETH, haircut=path.atom("haircut", 0, SCALE), discount=ratios["discount"])
    feed, remains = replace(ETH_FEED, band=ratios["band"]), path.atom("shrunk", 0, SCALE)
    shrinks = asked_once(parameters.shrunk, f"parameters.shrunk-compounds, {GAP_STEPS}", remains, feed.band, 3)
    name = f"haircut-covers-gap {terms.asset}"
    with standing_in(path, admitted(name), shrinks):
        path.assume(lambda: not violated(parameters.haircut_violations(terms, feed, 1, 1), name), name)
        left = parameters.shrunk(feed.band, 3)
    path.mark("any")
    anchor, index0, index = (path.atom(name, 1) for name in ("anchor", "index at first", "index"))
    counted, fetched = SCALE - terms.haircut, SCALE - terms.discount
    bounded_step(path, feed.band, anchor, index0, "above")
    given(path, index * SCALE >= anchor * left, GAP_STEPS)
    covered, least = mul_floor(left, fetched), mul_ceil(counted, SCALE + feed.band)
    chained(
        path,
        the_last_index=(index * SCALE - anchor * left) * fetched,
        what_is_fetched=(left * fetched - covered * SCALE) * anchor,
        of_the_anchor=index * fetched - anchor * covered,
        inside_the_envelope=(covered - least) * anchor,
        what_counted=(least * SCALE - counted * (SCALE + feed.band)) * anchor,
        the_first_index=(anchor * (SCALE + feed.band) - index0 * SCALE) * counted,
        of_the_first=anchor * least - index0 * counted,
    )
    path.claim("still fetched", lambda: index * fetched >= index0 * counted)
    wide_band(path, feed.band, anchor)
    return left


def covered_in_numbers(path: Any, band: int, discount: int, steps: int, interval: int, own: int) -> int:
    """The same in numbers: with the least haircut that is admitted, by the worst window of the oracle's own steps."""
    feed, terms = replace(ETH_FEED, band=band, step_interval=own), replace(ETH, discount=discount)

    def admits(ratio: int) -> bool:
        return not parameters.haircut_violations(replace(terms, haircut=ratio), feed, steps, interval)

    haircut, passed = least(admits, low=discount), -(-(steps + 1) * interval // own) + 1
    first, last = moved(ANCHOR, PRICE_MAX, band, 1), moved(ANCHOR, 1, band, passed)
    path.claim("still fetched", lambda: last * (SCALE - discount) >= first * (SCALE - haircut))
    return haircut


# Gains haircut


@theorem(
    "index-falls-and-rises-alike",
    "If after some steps the index times what remains of one is at most the anchor, it is so after one step more, "
    "where the band of the index is an atom or more.",
    "ORCL-3",
    "PARM-14",
)
def index_falls_and_rises_alike(path: Any) -> Any:
    """So whatever a rise multiplies the index by, the fall over as many steps takes off again."""
    band, anchor = path.atom("band", 0, SCALE - 1), path.atom("anchor", 1, PRICE_MAX)
    index, after = path.atom("index", 1, PRICE_MAX), path.atom("index after", 1, PRICE_MAX)
    before = path.atom("remains", 0, SCALE)
    now, up, down = mul_floor(before, SCALE - band), SCALE + band, SCALE - band
    bounded_step(path, band, index, after, "above")
    given(path, index * before <= anchor * SCALE, "so far")
    chained(
        path,
        what_is_left=before * down,
        not_negative=now,
        the_step=(index * up - after * SCALE) * now,
        what_remains=(before * down - now * SCALE) * index,
        up_and_down=(before * down - now * SCALE) * index * up,
        less_than_one=index * before * band * band,
        of_the_anchor=(anchor * SCALE - index * before) * SCALE,
    )
    path.claim("one step more", lambda: after * now <= anchor * SCALE)
    wide_band(path, band, index)
    return now


@dataclass
class Newcomer:
    """Factors of a position opened at a mark after the variation-margin mark, both from one anchor."""

    band: Any
    basis: Any
    initial: Any
    remains: Any

    def factors(self) -> tuple[Any, ...]:
        """One and one less each of the basis, of the initial ratio and of the band."""
        parts = (self.basis, self.initial, self.band)
        return tuple(SCALE + part for part in parts) + tuple(SCALE - part for part in parts)


def newcomer(path: Any) -> Newcomer:
    """Any parameters that satisfy the inequality of the gains haircut, over any number of steps."""
    band, basis = path.atom("band", 0, SCALE - 1), path.atom("basis", 0, SCALE - 1)
    tier = Tier(NOTIONAL_MAX, path.atom("initial", 1, SCALE), 1)
    feed, market = with_gap(1, band, basis, 0)
    market = replace(market, margin=replace(market.margin, tiers=(tier,)))
    remains = path.atom("shrunk", 0, SCALE)
    shrinks = asked_once(parameters.shrunk, f"parameters.shrunk-compounds, {GAP_STEPS}", remains, band, 7)
    name = "haircut-within-initial"
    with standing_in(path, admitted(name), shrinks):
        path.assume(lambda: not violated(parameters.gains_haircut_violations(market, feed), name), name)
        return Newcomer(band, basis, tier.initial, parameters.shrunk(band, 7))


def survives_in_numbers(path: Any, band: int, basis: int, interval: int, sign: int) -> int:
    """The same in numbers: with the least initial ratio that is admitted, by the worst window of the oracle's steps."""
    feed, market = with_gap(1, band, basis, 0)
    market = replace(market, mark=replace(market.mark, variation_interval=interval))

    def admits(ratio: int) -> bool:
        margins = replace(market.margin, tiers=(Tier(NOTIONAL_MAX, ratio, 1),))
        return not list(parameters.gains_haircut_violations(replace(market, margin=margins), feed))

    adverse, away = (1, PRICE_MAX) if sign > 0 else (PRICE_MAX, 1)
    passed = -(-interval // feed.step_interval) + 2
    indices, push = (moved(ANCHOR, away, band, 1), moved(ANCHOR, adverse, band, passed)), sign * PRICE_MAX
    marked, entry = (oracle.mark_price(indices[n], (push, -push)[n], market.mark, PRICE_MAX) for n in (0, 1))
    initial = least(admits)
    path.claim("equity is left", lambda: entry * initial + sign * (entry - marked) * SCALE >= 0)
    return initial


@theorem(
    "short-newcomer-survives-a-gains-haircut",
    "A short opened with its initial margin after the variation-margin mark keeps equity through a gains haircut of "
    "all that the mark has fallen since, where the band of every index is an atom or more.",
    "PARM-14",
    "FALL-9",
    marks=("any",),
)
def short_newcomer_survives(path: Any) -> Any:
    """Per lot equity is initial margin and entry less the mark; the haircut is the variation-margin mark less it."""
    example = numbers(path, spec=(PERCENT, 0, 5), basis=(PERCENT // 5, PERCENT // 5, 45))
    if example is not None:
        return survives_in_numbers(path, *example, sign=1)
    case = newcomer(path)
    path.mark("any")
    anchor, index0, marked, index, entry = (path.atom(n, 1) for n in ("anchor", "index 0", "mark 0", "index", "entry"))
    wide, held, up, narrow, _, _ = case.factors()
    bounded_step(path, case.band, anchor, index0, "above")
    given(path, marked * SCALE <= index0 * wide, MARK)
    given(path, index * SCALE >= anchor * case.remains, GAP_STEPS)
    given(path, entry * SCALE >= index * narrow, MARK)
    moved, kept = mul_ceil(up, wide), mul_floor(case.remains, narrow)
    covered = mul_floor(kept, held)
    chained(
        path,
        the_variation_mark=(anchor * up - index0 * SCALE) * wide,
        its_move=(moved * SCALE - up * wide) * anchor,
        at_most_moved=anchor * moved - marked * SCALE,
        inside_the_envelope=(covered - moved) * anchor,
        what_covers=(kept * held - covered * SCALE) * anchor,
        what_is_kept=(case.remains * narrow - kept * SCALE) * anchor,
        the_index=(index * SCALE - anchor * case.remains) * narrow,
        the_entry=entry * SCALE - anchor * kept,
        initial_margin=(entry * SCALE - anchor * kept) * held,
        at_least_covered=entry * held - anchor * covered,
    )
    path.claim("equity is left", lambda: entry * held >= marked * SCALE)
    wide_band(path, case.band, anchor)
    return covered


@theorem(
    "long-newcomer-survives-a-gains-haircut",
    "A long opened with its initial margin after the variation-margin mark keeps equity through a gains haircut of all "
    "that the mark has risen since, where the band of every index is an atom or more.",
    "PARM-14",
    "FALL-9",
    marks=("any",),
)
def long_newcomer_survives(path: Any) -> Any:
    """The same inequality: initial margin is at least the band, so that a rise is covered where a fall is."""
    example = numbers(path, spec=(PERCENT, 0, 5), basis=(PERCENT // 5, PERCENT // 5, 45))
    if example is not None:
        return survives_in_numbers(path, *example, sign=-1)
    case = newcomer(path)
    path.mark("any")
    anchor, index0, marked, index, entry = (path.atom(n, 1) for n in ("anchor", "index 0", "mark 0", "index", "entry"))
    wide, held, up, narrow, owed, down = case.factors()
    bounded_step(path, case.band, anchor, index0, "below")
    given(path, marked * SCALE >= index0 * narrow, MARK)
    given(path, index * case.remains <= anchor * SCALE, FALLS_AND_RISES)
    given(path, entry * SCALE <= index * wide, MARK)
    moved, kept = mul_ceil(up, wide), mul_floor(case.remains, narrow)
    covered = mul_floor(kept, held)
    chained(
        path,
        its_move=moved * SCALE - up * wide,
        what_covers=(case.remains * narrow - kept * SCALE) * held,
        inside_the_envelope=case.remains * narrow * held - up * wide * SCALE,
        narrow_of_wide=up * (wide - narrow),
        more_than_remains=(SCALE - case.remains) * narrow * held,
        of_one_basis=narrow * (held - up),
        initial_at_least_band=case.initial - case.band,
    )
    more, less = case.remains * narrow * held - up * wide * SCALE, anchor * SCALE - index * case.remains
    apart = (case.initial - case.band) * (case.initial + case.band)
    chained(
        path,
        at_the_entry=more * index,
        of_what_is_owed=more * index * owed,
        of_the_anchor=less * narrow,
        of_the_held=less * narrow * held,
        of_both=less * narrow * held * owed,
        from_the_anchor=anchor * narrow * held * owed - index * wide * up * owed,
        squares=apart,
        squares_of_the_anchor=apart * anchor,
        squares_and_basis=apart * anchor * narrow,
        up_and_down=anchor * narrow * up * down - index * wide * up * owed,
        without_up=anchor * narrow * down - index * wide * owed,
        the_first_index=(index0 * SCALE - anchor * down) * narrow,
        the_variation_mark=marked * SCALE * SCALE - anchor * down * narrow,
        the_entry=(index * wide - entry * SCALE) * owed,
    )
    path.claim("equity is left", lambda: entry * owed <= marked * SCALE)
    wide_band(path, case.band, anchor)
    return covered


# What acceptance implies

APART = tuple(
    StandIn(function, NOTHING_FOUND, lambda _: lambda *__: iter(()))
    for function in (parameters.tier_violations, parameters.gap_violations, parameters.gains_haircut_violations)
)


def any_market(path: Any, tiers: tuple[Tier, ...]) -> tuple[MarketListing, FeedParameters]:
    """A listing with any parameters, and any feed of one source."""
    limits = symbolic(path, MarginParameters, "margin", tiers=tiers)
    market = symbolic(path, MarketParameters, "market", margin=limits)
    feed = symbolic(path, FeedParameters, "feed", feed=FEED.feed, sources=FEED.sources)
    return replace(LISTING, parameters=market), feed


@theorem(
    "accepted-markets-are-sound",
    "Parameters of a market that are accepted keep every notional within 2^56 and every rebate within the taker's fee; "
    "closing frees more than it costs in penalty, and no less than either fee; reward and its floor are parts of the "
    "penalty; the scale of open interest divides by a positive difference; an accrual in time is charged in full and "
    "its samples fit.",
    "PARM-9",
    marks=("accepted",),
)
def accepted_markets_are_sound(path: Any) -> Any:
    """Any parameters and any lowest ratio; tiers, price gap and gains haircut have theorems of their own."""
    listing, feed = any_market(path, PARAMETERS.margin.tiers)
    lowest, chosen = path.atom("maintenance", 1, SCALE), listing.parameters
    with standing_in(path, admitted(), *APART):
        found = parameters.market_violations(listing, feed, lowest)
        path.assume(lambda: not [entry for entry in found if ENVELOPE[entry.inequality] == "PARM-9"], "PARM-9")
    path.mark("accepted")
    rules, limits, rates = chosen.liquidation, chosen.trading, chosen.funding
    lots, price = path.atom("lots", 0, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    given(path, price <= feed.max_price, "INV-9")
    for name, cap in (("position", limits.max_position), ("open interest", limits.max_open_interest)):
        if lots <= cap:
            unused = cap * feed.max_price - lots * price
            path.claim(f"lemma: {name} below its cap", lambda unused=unused: unused >= 0)
            path.claim(f"{name} within 2^56", lambda: notional(lots, price) <= NOTIONAL_MAX)
    path.claim("a rebate is covered", lambda: limits.taker_fee + limits.maker_fee >= 0)
    path.claim("closing restores", lambda: liquidation.restoring_size(1, 1, lowest, rules.penalty) >= 1)
    path.claim("a fee is freed", lambda: limits.taker_fee <= lowest and limits.maker_fee <= lowest)
    path.claim("a reward is a part", lambda: rules.reward <= rules.penalty and rules.reward_floor <= rules.penalty)
    scale = chosen.margin.open_interest_lower, chosen.margin.open_interest_upper
    path.claim("a weight", lambda: margin.open_interest_weight(path.atom("interest", 0), *scale) <= SCALE)
    path.claim("charged in full", lambda: min(rates.interval, rates.max_gap) == rates.interval)
    path.claim("samples fit", lambda: rates.interval <= rates.sample_interval * SAMPLES_MAX)
    return lowest


@theorem(
    "accepted-tiers-are-a-table",
    "Tiers that are accepted are present, ascend to the top and never fall in either ratio, and maintenance is nowhere "
    "above initial.",
    "PARM-7",
    marks=("accepted",),
)
def accepted_tiers_are_a_table(path: Any) -> Any:
    """Of up to three tiers; a tier is compared with the one before alone, so that more add nothing."""
    count = pick(path, "tiers", 0, 3)
    tiers = [symbolic(path, Tier, f"tier{number}") for number in range(count)]
    with standing_in(path, admitted()):
        found = list(parameters.tier_violations(tiers))
    path.assume(lambda: not found, "PARM-7")
    path.mark("accepted")
    path.claim("present", lambda: count >= 1)
    for lower, upper in pairwise(tiers):
        path.claim("ascending", lambda lower=lower, upper=upper: lower.upper < upper.upper)
        path.claim("initial never falls", lambda lower=lower, upper=upper: lower.initial <= upper.initial)
        path.claim("maintenance never falls", lambda lower=lower, upper=upper: lower.maintenance <= upper.maintenance)
    for tier in tiers:
        path.claim("maintenance at most initial", lambda tier=tier: tier.maintenance <= tier.initial)
    path.claim("to the top", lambda: tiers[-1].upper >= NOTIONAL_MAX)
    return tiers[-1].upper


@theorem(
    "accepted-feeds-outvote-faulty-sources",
    "A feed that is accepted has different sources, a quorum that they can reach, and a majority of honest ones in "
    "every quorum.",
    "PARM-10",
    marks=("accepted",),
)
def accepted_feeds_outvote_faulty_sources(path: Any) -> Any:
    """Of no source up to all different ones, and of one that stands twice."""
    count = pick(path, "sources", 0, SOURCES_MAX)
    sources = tuple(f"s{number}" for number in range(count))
    twice = path.choice("a source", "stands once", "stands twice") == "stands twice"
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=sources + sources[:1] * twice)
    with standing_in(path, admitted()):
        path.assume(lambda: not parameters.feed_violations(feed), "PARM-10")
    path.mark("accepted")
    path.claim("different", lambda: len(set(feed.sources)) == len(feed.sources))
    path.claim("a quorum can be reached", lambda: feed.quorum <= len(feed.sources))
    path.claim("honest ones are a majority", lambda: 2 * (feed.quorum - feed.faulty) > feed.quorum)
    return feed.quorum


@theorem(
    "accepted-pools-let-funds-pay-first",
    "In a pool that is accepted every layer stands once and both funds stand before both layers that share losses.",
    "PARM-11",
    "FALL-3",
)
def accepted_pools_let_funds_pay_first(path: Any) -> Any:
    """Every order of up to four layers, with repetitions: the reference decides each as it is."""
    accepted = 0
    for order in (order for length in range(5) for order in product(Layer, repeat=length)):
        if violated(parameters.pool_violations(replace(POOL, layers=order)), "funds-before-sharing", "layers-distinct"):
            continue
        accepted += 1
        funds = [layer for layer in order if layer in FUND_LAYERS]
        path.claim("once", lambda order=order: len(set(order)) == len(order))
        path.claim("funds first", lambda order=order, funds=funds: list(order[: len(funds)]) == funds)
    path.claim("as many as there are", lambda: accepted == ORDERS)
    return accepted


PAIRS = tuple(product(range(3), repeat=2))
ORDERS = sum(comb(2, funds) * factorial(funds) * comb(2, shared) * factorial(shared) for funds, shared in PAIRS)
"""Orders of some of two funds, then of some of two shared layers."""


@theorem(
    "accepted-pools-pay-out-less-than-margin",
    "In a pool that is accepted each asset stands once, profit counts no more towards what may leave than towards "
    "margin, and a conversion takes no more than the haircut has kept back.",
    "PARM-11",
    "MARG-11",
    "COLL-8",
    marks=("accepted",),
)
def accepted_pools_pay_out_less_than_margin(path: Any) -> Any:
    """Two collateral assets, of different names or not, one of them perhaps the settlement asset."""
    names = ("ETH", next(name for name in ("ETH", "USD", "BTC") if path.choice("second", "ETH", "USD", "BTC") == name))
    terms = tuple(symbolic(path, CollateralTerms, f"terms{n}", asset=name, feed=name) for n, name in enumerate(names))
    weights = {name: path.atom(name, 0, SCALE) for name in ("profit_weight_initial", "profit_weight_withdrawal")}
    caps = {name: path.atom(name, 0, AMOUNT_MAX) for name in ("profit_cap_initial", "profit_cap_withdrawal")}
    pool = replace(POOL, collateral=terms, **weights, **caps)
    with standing_in(path, admitted()):
        path.assume(lambda: not parameters.pool_violations(pool), "range (PARM-11)")
    path.mark("accepted")
    path.claim("each asset once", lambda: names == ("ETH", "BTC"))
    profit = path.atom("profit", 1, PROFIT_MAX)
    leaving = margin.counted_profit(profit, pool.profit_weight_withdrawal, pool.profit_cap_withdrawal)
    path.claim("lemma: its weight", lambda: (pool.profit_weight_initial - pool.profit_weight_withdrawal) * profit >= 0)
    counted = margin.counted_profit(profit, pool.profit_weight_initial, pool.profit_cap_initial)
    path.claim("what leaves counts", lambda: leaving <= counted)
    worth = path.atom("worth", 0, 2**96)
    for entry in terms:
        path.claim("lemma: its discount", lambda entry=entry: (entry.haircut - entry.discount) * worth >= 0)
        fetched, kept = mul_floor(worth, SCALE - entry.discount), mul_floor(worth, SCALE - entry.haircut)
        path.claim("no more than was kept back", lambda fetched=fetched, kept=kept: fetched >= kept)
    return leaving


@theorem(
    "ramp-stays-between-its-tables",
    "While a ramp runs a requirement lies between those of the two tables, and at its begin it is the old one: the "
    "lower ratio of both bounds every ratio in force.",
    "PARM-13",
)
def ramp_stays_between_its_tables(path: Any) -> Any:
    """Tightening and loosening alike."""
    before, after = path.atom("before", 0), path.atom("after", 0)
    elapsed, left = path.atom("elapsed", 0), path.atom("to come", 1)
    found = parameters.ramped(before, after, elapsed, elapsed + left)
    low, high = (before, after) if before <= after else (after, before)
    path.claim("lemma: not before", lambda: (high - low) * elapsed >= 0)
    path.claim("lemma: not beyond", lambda: (high - low) * left >= 0)
    path.claim("not below both", lambda: found >= low)
    path.claim("not above both", lambda: found <= high)
    path.claim("it starts at the old table", lambda: parameters.ramped(before, after, 0, elapsed + left) == before)
    return found


def bounded_loops(path: Any) -> StandIn:
    """What remains after some steps, of which the number must be bounded."""

    def of(_: Any) -> Function:
        def stand_in(ratio: Any, steps: Any) -> Any:
            path.claim("a bounded loop", lambda: 0 <= steps <= HAIRCUT_STEPS_MAX + 1)
            return path.fresh("remains", 0, SCALE)

        return stand_in

    return StandIn(parameters.shrunk, "parameters.shrunk-compounds", of)


@theorem(
    "powers-are-bounded-loops",
    "Whatever intervals a market, its pool and their feeds have, no power of the envelope takes more than 4,097 steps: "
    "longer windows are refused before anything is computed.",
    "PARM-12",
    "PARM-14",
    marks=("refused", "computed"),
)
def powers_are_bounded_loops(path: Any) -> Any:
    """Both powers whose number of steps comes of two intervals; the steps of the price gap are at most 257 (PARM-5)."""
    own, passed = path.atom("step_interval", 1, DURATION_MAX), path.atom("seconds", 1, DURATION_MAX)
    feed, haircut = replace(ETH_FEED, step_interval=own), path.choice("power", "haircut", "gains") == "haircut"
    with standing_in(path, bounded_loops(path)):
        if haircut:
            gap_steps = path.atom("gap_steps", 1, GAP_STEPS_MAX)
            found, window = parameters.haircut_violations(ETH, feed, gap_steps, passed), (gap_steps + 1) * passed
        else:
            market = replace(PARAMETERS, mark=replace(PARAMETERS.mark, variation_interval=passed))
            found, window = list(parameters.gains_haircut_violations(market, feed)), passed
    refused = violated(found, "haircut-steps-bounded ETH", "variation-steps-bounded")
    path.mark("refused" if refused else "computed")
    path.claim("what is too long is refused", lambda: refused or window <= (HAIRCUT_STEPS_MAX - 1) * own)
    return refused


@theorem(
    "accepted-expiries-lie-ahead",
    "A future that is listed has its whole settlement window still to come, and a perpetual has no expiry.",
    "PARM-9",
    "SETTLE-2",
    marks=("future", "perpetual"),
)
def accepted_expiries_lie_ahead(path: Any) -> Any:
    """At any time."""
    kind = MarketKind.FUTURE if path.choice("kind", "future", "perpetual") == "future" else MarketKind.PERPETUAL
    window = replace(PARAMETERS, settlement_window=path.atom("settlement_window", 1, DURATION_MAX))
    listing = replace(LISTING, kind=kind, expiry=path.atom("expiry", 0, 2 * TIME_MAX), parameters=window)
    time = path.atom("time", 0, TIME_MAX)
    with standing_in(path, admitted()):
        path.assume(lambda: not parameters.expiry_violations(listing, time), "range (PARM-9)")
    path.mark(kind.value)
    if kind == MarketKind.FUTURE:
        path.claim("the window is to come", lambda: time + window.settlement_window <= listing.expiry)
    else:
        path.claim("no expiry", lambda: listing.expiry == 0)
    return listing.expiry
