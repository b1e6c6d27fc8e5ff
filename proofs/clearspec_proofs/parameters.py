"""Theorems about the envelope: what every parameter set inside it implies, and that no bad debt comes of it.

The inequalities themselves are the reference's: the functions that check parameters run on any parameters at all, and
what they would find violated is supposed not to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from clearspec import margin, oracle, parameters
from clearspec.funding import accrued
from clearspec.numerics import (
    DURATION_MAX,
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
    Violation,
)
from clearspec.margin import Exposure, Standing, tiered_requirement
from clearspec.sandbox import ETH, ETH_FEED, FEED, LISTING, PERCENT, POOL
from clearspec.sandbox import MARKET as PARAMETERS
from clearspec_proofs.desk import MARKET, SECOND_MARKET, Desk
from clearspec_proofs.hints import noted, numbers, pick
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import Function, StandIn, any_integer, opaque, standing_in
from clearspec_proofs.standings import any_exposure
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
    return ratio


# The price gap

MARK, REQUIRED = "parameters.mark-stays-within-its-band", "liquidation.closing-frees-requirement"
GAP_STEPS = "parameters.index-stays-within-compounded-steps"


def admitted(*names: str) -> StandIn:
    """The check itself: what it would find violated of these inequalities, or of all, is supposed not to be."""

    def of(path: Any) -> Function:
        def stand_in(checks: Sequence[tuple[str, Any, Any]]) -> Iterator[Any]:
            for name, left, right in checks:
                if not names or name in names:
                    given(path, left <= right, name)
            return iter(())

        return stand_in

    return StandIn(parameters._violations, "inside the envelope", of)


def violated(found: Iterable[Violation], *names: str) -> bool:
    """Whether one of these inequalities is among those violated."""
    return any(violation.inequality in names for violation in found)


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


def with_gap(steps: int, band: Any, basis: Any, penalty: Any, **funding: Any) -> tuple[FeedParameters, MarketParameters]:
    """A feed and a market with these parameters of the price gap."""
    market = replace(
        PARAMETERS,
        margin=replace(PARAMETERS.margin, gap_steps=steps),
        mark=replace(PARAMETERS.mark, band=basis),
        liquidation=replace(PARAMETERS.liquidation, penalty=penalty),
        funding=replace(PARAMETERS.funding, **funding),
    )
    return replace(FEED, band=band, max_price=PRICE_MAX), market


def any_gap(path: Any, name: str) -> Gap:
    """Any parameters that satisfy an inequality of the price gap, over any number of steps."""
    ratios = {name: path.atom(name, 0, SCALE - 1) for name in ("band", "basis", "penalty")}
    feed, market = with_gap(1, **ratios)
    lowest = path.atom("maintenance", 1, SCALE)
    bounds = {"grown": (SCALE, RATIO_MAX), "shrunk": (0, SCALE), "funding_in_gap": (0, None)}
    made = {name: path.atom(name, low, high) for name, (low, high) in bounds.items()}
    stand_ins = [
        StandIn(getattr(parameters, name), grounds, lambda _, value=made[name]: lambda *__: value)
        for name, grounds in (("grown", GAP_STEPS), ("shrunk", GAP_STEPS), ("funding_in_gap", WINDOW))
    ]
    with standing_in(path, admitted(name), *stand_ins):
        found = list(parameters.gap_violations(market, feed, lowest))
        path.assume(lambda: not violated(found, name), name)
        steps = market.margin.gap_steps + 1
        growth, remains = parameters.grown(feed.band, steps), parameters.shrunk(feed.band, steps)
        funding = parameters.funding_in_gap(market.funding, steps * feed.step_interval)
    return Gap(feed, market, lowest, growth, remains, funding)


EXAMPLES = {
    "spec": (1, PERCENT, 0, PERCENT, {}),
    "basis": (1, PERCENT, PERCENT // 2, PERCENT, {}),
    "funding": (2, PERCENT // 2, 0, 0, {"cap": PERCENT, "max_gap": 7200}),
    "steps": (30, PERCENT // 10, PERCENT // 5, PERCENT // 2, {"cap": PERCENT // 10, "period": 28_800}),
}
"""Steps, band, basis, penalty and funding of parameters of which the least maintenance ratio is looked for."""


def least_ratio(feed: FeedParameters, market: MarketParameters, name: str) -> int:
    """The least maintenance ratio that the reference admits under one inequality of the price gap."""
    low, high = 0, SCALE
    while high - low > 1:
        middle = (low + high) // 2
        refused = violated(parameters.gap_violations(market, feed, middle), name)
        low, high = (middle, high) if refused else (low, middle)
    return high


@dataclass(frozen=True)
class Worst:
    """The worst window for one side: marks at its begin and end, and funding a lot, by the reference's own steps."""

    mark0: int
    mark: int
    funding: int


def worst_window(feed: FeedParameters, market: MarketParameters, sign: int) -> Worst:
    """From the far edge of the anchor's band to the greatest adverse move; ``sign`` 1 for a short, -1 for a long."""
    anchor = far = 10**10
    target, away, top = (PRICE_MAX, 1, PRICE_MAX) if sign > 0 else (1, PRICE_MAX, PRICE_MAX)
    index0 = oracle.banded(away, anchor, feed.band, top)
    near = oracle.banded(target, anchor, feed.band, top)
    steps = market.margin.gap_steps + 1
    for _ in range(steps):
        far = oracle.banded(target, far, feed.band, top)
    rules, basis = market.funding, sign * market.mark.window * 10**12
    charged = rules.cap * (rules.max_gap + steps * feed.step_interval) * (far if sign > 0 else near)
    mark0, mark = (oracle.mark_price(price, push, market.mark, top) for price, push in ((index0, -basis), (far, basis)))
    return Worst(mark0, mark, charged // (SCALE * rules.period))


def pays_in_numbers(path: Any, example: tuple[Any, ...], name: str, sign: int) -> int:
    """The same of parameters in numbers with the least maintenance ratio that is admitted, by the worst window."""
    steps, band, basis, penalty, funding = example
    feed, market = with_gap(steps, band, basis, penalty, **funding)
    lowest, worst, lots = least_ratio(feed, market, name), worst_window(feed, market, sign), 10**6
    _, requirement = tiered_requirement(lots * worst.mark0, (Tier(NOTIONAL_MAX, SCALE, lowest),))
    worth = requirement - sign * lots * (worst.mark - worst.mark0) - lots * worst.funding
    path.claim("worth its penalty", lambda: worth + lots >= mul_floor(lots * worst.mark, penalty))
    return worth


def chained(path: Any, **facts: Any) -> None:
    """Claim facts one by one, each a lemma for those that follow."""
    for name, fact in facts.items():
        path.claim(f"lemma: {name.replace('_', ' ')}", lambda fact=fact: fact >= 0)


def window(path: Any, gap: Gap) -> tuple[Any, ...]:
    """Anchor, index and mark at first, index and mark at the end, lots, and what is owed, needed and paid for them."""
    names = ("anchor", "index at first", "mark at first", "index", "mark", "lots")
    anchor, index0, mark0, index, mark, lots = (path.atom(name, 1) for name in names)
    funding, requirement, paid = path.atom("funding"), path.atom("requirement", 0), path.atom("paid", 0)
    given(path, requirement * SCALE >= lots * mark0 * gap.lowest, REQUIRED)
    given(path, paid * SCALE <= lots * mark * gap.penalty, "liquidation.penalty-bounded")
    return anchor, index0, mark0, index, mark, lots, funding, requirement + path.atom("more equity", 0), paid


@theorem(
    "short-at-maintenance-pays-its-penalty",
    "A short that had its maintenance requirement when the window of the price gap began is worth its penalty, less an "
    "atom a lot of funding carried from before, after every step of the window: with basis, penalty and funding all "
    "against it, no bad debt comes of it.",
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
    wide, narrow, below = SCALE + gap.basis, SCALE - gap.basis, SCALE - gap.band
    given(path, index0 * SCALE >= anchor * below, "parameters.step-moves-one-band")
    given(path, mark0 * SCALE >= index0 * narrow, MARK)
    given(path, index * SCALE <= anchor * gap.growth, GAP_STEPS)
    given(path, mark * SCALE <= index * wide, MARK)
    given(path, (funding - lots) * SCALE <= lots * gap.funding * index, WINDOW)
    charge, held = SCALE + gap.penalty, SCALE + gap.lowest
    cost, cover = mul_ceil(charge, wide), mul_floor(held, narrow)
    rise, above = mul_ceil(gap.growth, cost + gap.funding), mul_floor(cover, below)
    chained(
        path,
        the_last_mark=(index * wide - mark * SCALE) * charge,
        its_cost=(cost * SCALE - charge * wide) * index,
        mark_and_penalty=index * cost - charge * mark,
        the_last_index=(anchor * gap.growth - index * SCALE) * (cost + gap.funding),
        its_rise=(rise * SCALE - gap.growth * (cost + gap.funding)) * anchor,
        all_costs=anchor * rise - index * (cost + gap.funding),
        inside_the_gap=(above - rise) * anchor,
        what_is_held=held * narrow,
        what_covers=cover,
        the_first_index=(index0 * SCALE - anchor * below) * cover,
        its_cover=(cover * below - above * SCALE) * anchor,
        from_the_anchor=cover * index0 - anchor * above,
        the_first_mark=(mark0 * SCALE - index0 * narrow) * held,
        its_margin=(held * narrow - cover * SCALE) * index0,
        from_the_index=held * mark0 - cover * index0,
        a_lot=held * mark0 - charge * mark - gap.funding * index,
        all_lots=lots * (held * mark0 - charge * mark - gap.funding * index),
    )
    worth = equity - lots * (mark - mark0) - funding
    path.claim("worth its penalty", lambda: worth + lots >= paid)
    return worth


@theorem(
    "long-at-maintenance-pays-its-penalty",
    "A long that had its maintenance requirement when the window of the price gap began is worth its penalty, less an "
    "atom a lot of funding carried from before, after every step of the window, where funding is charged on an index "
    "within a band of the anchor: no bad debt comes of it.",
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
    given(path, index0 * SCALE <= anchor * above, "parameters.step-moves-one-band")
    given(path, mark0 * SCALE <= index0 * wide, MARK)
    given(path, index * SCALE >= anchor * gap.remains, GAP_STEPS)
    given(path, mark * SCALE >= index * narrow, MARK)
    given(path, charged * SCALE <= anchor * above, "parameters.step-moves-one-band")
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


HOLDER = "A"


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
            StandIn(margin.position_exposure, "opaque", lambda _: lambda __, market, ___: self.parts[market][self.now]),
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
    "conversion at its discount after every step of that window.",
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
    shrinks = StandIn(parameters.shrunk, GAP_STEPS, lambda _: lambda *__: remains)
    name = f"haircut-covers-gap {terms.asset}"
    with standing_in(path, admitted(name), shrinks):
        path.assume(lambda: not violated(parameters.haircut_violations(terms, feed, 1, 1), name), name)
        left = parameters.shrunk(feed.band, 3)
    path.mark("any")
    anchor, index0, index = (path.atom(name, 1) for name in ("anchor", "index at first", "index"))
    counted, fetched = SCALE - terms.haircut, SCALE - terms.discount
    given(path, index0 * SCALE <= anchor * (SCALE + feed.band), "parameters.step-moves-one-band")
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
    return left


def covered_in_numbers(path: Any, band: int, discount: int, steps: int, interval: int, own: int) -> int:
    """The same in numbers: with the least haircut that is admitted, by the worst window of the oracle's own steps."""
    feed, index = replace(ETH_FEED, band=band, step_interval=own), 10**10
    first = oracle.banded(PRICE_MAX, index, band, PRICE_MAX)
    low, high = discount - 1, SCALE
    while high - low > 1:
        terms = replace(ETH, haircut=(low + high) // 2, discount=discount)
        refused = bool(parameters.haircut_violations(terms, feed, steps, interval))
        low, high = (terms.haircut, high) if refused else (low, terms.haircut)
    for _ in range(-(-(steps + 1) * interval // own) + 1):
        index = oracle.banded(1, index, band, PRICE_MAX)
    path.claim("still fetched", lambda: index * (SCALE - discount) >= first * (SCALE - high))
    return high


# Gains haircut


@theorem(
    "newcomer-survives-a-gains-haircut",
    "An account that opened a position with its initial margin since the variation-margin mark still has equity after "
    "a gains haircut of all that the mark has moved since then, long or short.",
    "PARM-14",
    "FALL-9",
    marks=("short", "long"),
)
def newcomer_survives_a_gains_haircut(path: Any) -> Any:
    """Per lot: what is left is initial margin and the move from the variation-margin mark to the entry."""
    example = numbers(path, spec=(PERCENT, 0, 5), basis=(PERCENT // 5, PERCENT // 5, 45))
    if example is not None:
        return survives_in_numbers(path, *example)
    band, basis = path.atom("band", 0, SCALE - 1), path.atom("basis", 0, SCALE - 1)
    tier = Tier(NOTIONAL_MAX, path.atom("initial", 1, SCALE), 1)
    feed, market = with_gap(1, band, basis, 0)
    market = replace(market, margin=replace(market.margin, tiers=(tier,)))
    remains, grown = path.atom("shrunk", 0, SCALE), path.atom("growth", SCALE)
    shrinks = StandIn(parameters.shrunk, GAP_STEPS, lambda _: lambda *__: remains)
    name = "haircut-within-initial"
    with standing_in(path, admitted(name), shrinks):
        path.assume(lambda: not violated(parameters.gains_haircut_violations(market, feed), name), name)
        left = parameters.shrunk(band, 7)
    anchor, marked, entry, old, new = (path.atom(n, 1) for n in ("anchor", "variation mark", "entry", "index", "then"))
    long = path.choice("side", "short", "long") == "long"
    path.mark("long" if long else "short")
    wide, narrow, held = SCALE + basis, SCALE - basis, SCALE + tier.initial
    moved, covered = mul_ceil(SCALE + band, wide), mul_floor(mul_floor(left, narrow), held)
    return moved, covered, anchor, marked, entry, old, new, grown, long
