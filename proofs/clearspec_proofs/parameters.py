"""Theorems about the envelope: what parameters inside it are good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clearspec import parameters
from clearspec.numerics import RATIO_MAX, SCALE, TIME_MAX, mul_ceil, mul_floor
from clearspec.parameters import FeedParameters, funding_in_gap, gap_violations, ramped
from clearspec_proofs.stand_ins import StandIn, standing_in
from clearspec_proofs.theorems import theorem
from clearspec_proofs.world import World, symbolic


def collected(path: Any, wanted: str) -> StandIn:
    """``_violations`` finds none: the wanted one of its inequalities is a hypothesis, no other is used."""

    def none(checks: Any) -> Any:
        for name, left, right in checks:
            if name == wanted:
                path.assume(lambda left=left, right=right: left <= right, name)
        return iter(())

    return StandIn(parameters._violations, f"{wanted} holds", lambda _: none)


@dataclass(frozen=True, slots=True)
class Gap:
    """Parameters for which the gap inequalities hold, and the greatest moves of a price over the steps."""

    maintenance: Any
    band: Any
    basis: Any
    penalty: Any
    funding: Any
    rise: Any
    fall: Any


def gap_of(path: Any, wanted: str) -> Gap:
    """Any parameters for which one of the gap inequalities holds; the moves over any number of steps are any ratios."""
    built = World(path).parameters("M")
    feed = symbolic(path, FeedParameters, "F", feed="F", sources=("s",))
    maintenance = path.atom("maintenance", 1, SCALE)
    rise, fall = path.atom("rise", SCALE, RATIO_MAX), path.atom("fall", 0, SCALE)
    steps, seconds = built.margin.gap_steps + 1, (built.margin.gap_steps + 1) * feed.step_interval
    moves = (
        collected(path, wanted),
        StandIn(parameters.grown, "opaque, 1 without a band", lambda _: lambda band, _: SCALE if band == 0 else rise),
        StandIn(parameters.shrunk, "opaque, 1 without a band", lambda _: lambda band, _: SCALE if band == 0 else fall),
    )
    with standing_in(path, *moves):
        broken = [found for found in gap_violations(built, feed, maintenance) if found.inequality == wanted]
        path.assume(lambda: not broken, wanted)
        rise, fall = parameters.grown(feed.band, steps), parameters.shrunk(feed.band, steps)
    funding = funding_in_gap(built.funding, seconds)
    return Gap(maintenance, feed.band, built.mark.band, built.liquidation.penalty, funding, rise, fall)


@dataclass(frozen=True, slots=True)
class Values:
    """What a position of some lots is worth, in atoms: at the anchor, at index and at mark, before and after."""

    anchor: Any
    index: Any
    mark: Any
    later_index: Any
    later_mark: Any
    owed: Any
    penalty: Any
    equity: Any


def values_of(path: Any, gap: Gap) -> Values:
    """Any values; the equity covers maintenance of the notional at mark, and the penalty is on the later notional."""
    names = ("anchor", "index", "mark", "later index", "later mark", "funding owed", "penalty")
    found = Values(*(path.atom(name, 0) for name in names), path.atom("equity"))
    path.assume(lambda: found.equity * SCALE >= found.mark * gap.maintenance, "at maintenance before")
    path.assume(lambda: found.penalty * SCALE <= found.later_mark * gap.penalty, "the penalty")
    return found


@theorem(
    "no-bad-debt-of-a-long",
    "A long position at its maintenance requirement is worth at least 0 after the gap: index within a band above the "
    "anchor, mark within the basis above it; then the anchor falls by the steps, the mark lies a basis below, "
    "funding of the gap is charged and the penalty paid. For every parameter set whose gap-down inequality holds.",
    "PARM-8", "LIQ-4", "MARG-1",
)  # fmt: skip
def no_bad_debt_of_a_long(path: Any) -> Any:
    """In ratios of exact values; the least band of one atom, for indices below 1 / band, is not counted."""
    gap = gap_of(path, "gap-down")
    worth = values_of(path, gap)
    x, i, v, j, w, owed = (worth.anchor, worth.index, worth.mark, worth.later_index, worth.later_mark, worth.owed)
    path.assume(lambda: i * SCALE <= x * (SCALE + gap.band), "index at most a band above the anchor")
    path.assume(lambda: v * SCALE <= i * (SCALE + gap.basis), "mark at most the basis above the index")
    path.assume(lambda: j * SCALE >= x * gap.fall, "the index after the steps")
    path.assume(lambda: w * SCALE >= j * (SCALE - gap.basis), "the mark after them")
    path.assume(lambda: owed * SCALE <= i * gap.funding, "funding of the gap")
    kept = mul_floor(gap.fall, SCALE - gap.penalty)
    covered = mul_floor(kept, SCALE - gap.basis)
    lost = mul_ceil(SCALE - gap.maintenance, SCALE + gap.basis)
    needed = mul_ceil(lost + gap.funding, SCALE + gap.band)
    path.claim("lemma: the envelope", lambda: needed <= covered)
    path.claim("lemma: index less penalty", lambda: j * (SCALE - gap.penalty) >= x * kept)
    path.claim("lemma: mark less penalty", lambda: w * (SCALE - gap.penalty) >= x * covered)
    path.claim("lemma: uncovered at mark", lambda: v * (SCALE - gap.maintenance) <= i * lost)
    path.claim("lemma: something is lost", lambda: lost >= 0)
    path.claim("lemma: index times lost", lambda: i * lost * SCALE <= x * (SCALE + gap.band) * lost)
    path.claim("lemma: index times funding", lambda: i * gap.funding * SCALE <= x * (SCALE + gap.band) * gap.funding)
    path.claim("lemma: anchor", lambda: x * needed * SCALE >= x * (lost + gap.funding) * (SCALE + gap.band))
    path.claim("lemma: uncovered with funding", lambda: i * (lost + gap.funding) <= x * needed)
    path.claim("lemma: enough", lambda: x * needed <= x * covered)
    path.claim("no deficit", lambda: worth.equity - v + w - owed - worth.penalty >= 0)
    return worth.equity - v + w - owed - worth.penalty


@theorem(
    "no-bad-debt-of-a-short",
    "A short position at its maintenance requirement is worth at least 0 after the gap: index within a band below the "
    "anchor, mark within the basis below it; then the anchor rises by the steps, the mark lies a basis above, "
    "funding of the gap is charged on the index that has moved and the penalty paid. For every parameter set whose "
    "gap-up inequality holds.",
    "PARM-8", "LIQ-4", "MARG-1",
)  # fmt: skip
def no_bad_debt_of_a_short(path: Any) -> Any:
    """In ratios of exact values; the least band of one atom, for indices below 1 / band, is not counted."""
    gap = gap_of(path, "gap-up")
    worth = values_of(path, gap)
    x, i, v, j, w, owed = (worth.anchor, worth.index, worth.mark, worth.later_index, worth.later_mark, worth.owed)
    path.assume(lambda: i * SCALE >= x * (SCALE - gap.band), "index at most a band below the anchor")
    path.assume(lambda: v * SCALE >= i * (SCALE - gap.basis), "mark at most the basis below the index")
    path.assume(lambda: j * SCALE <= x * gap.rise, "the index after the steps")
    path.assume(lambda: w * SCALE <= j * (SCALE + gap.basis), "the mark after them")
    path.assume(lambda: owed * SCALE <= j * gap.funding, "funding of the gap")
    cost = mul_ceil(SCALE + gap.penalty, SCALE + gap.basis) + gap.funding
    needed = mul_ceil(gap.rise, cost)
    held = mul_floor(SCALE + gap.maintenance, SCALE - gap.basis)
    covered = mul_floor(held, SCALE - gap.band)
    path.claim("lemma: the envelope", lambda: needed <= covered)
    path.claim("lemma: mark with penalty", lambda: w * (SCALE + gap.penalty) <= j * (cost - gap.funding))
    path.claim("lemma: with funding", lambda: j * cost <= x * needed)
    path.claim("lemma: covered at mark", lambda: v * (SCALE + gap.maintenance) >= i * held)
    path.claim("lemma: covered at the anchor", lambda: i * held >= x * covered)
    path.claim("lemma: enough", lambda: x * needed <= x * covered)
    path.claim("no deficit", lambda: worth.equity + v - w - owed - worth.penalty >= 0)
    return worth.equity + v - w - owed - worth.penalty


@theorem(
    "steps-compound-against-the-market",
    "One step more multiplies the greatest rise by 1 + band, rounded up, and the least fall by 1 - band, rounded down. "
    "So after any number of steps the exact rise is at most the first, up to its cap, and the exact fall at least the "
    "second.",
    "PARM-6",
)
def steps_compound_against_the_market(path: Any) -> Any:
    """The inductive step of ``grown`` and ``shrunk``: ``value`` is the ratio before it."""
    value, band = path.atom("value", 0, RATIO_MAX), path.atom("band", 0, SCALE - 1)
    up, down = mul_ceil(value, SCALE + band), mul_floor(value, SCALE - band)
    path.claim("rises at least", lambda: up * SCALE >= value * (SCALE + band))
    path.claim("falls at most", lambda: down * SCALE <= value * (SCALE - band))
    path.claim("never below 0", lambda: 0 <= down <= value)
    path.claim("one step", lambda: parameters.grown(band, 1) == mul_ceil(SCALE, SCALE + band))
    path.claim("one step down", lambda: parameters.shrunk(band, 1) == mul_floor(SCALE, SCALE - band))
    return up, down


@theorem(
    "ramp-between-its-ends",
    "While a ramp runs the requirement lies between the old table's and the new one's, and arrives at its end.",
    "PARM-13",
)
def ramp_between_its_ends(path: Any) -> Any:
    """For requirements that rise and that fall."""
    before, after = path.atom("before", 0), path.atom("after", 0)
    duration = path.atom("duration", 1, TIME_MAX)
    elapsed = path.atom("elapsed", 0, TIME_MAX)
    path.assume(lambda: elapsed <= duration, "the ramp runs")
    rises = bool(after >= before)
    now = ramped(before, after, elapsed, duration)
    low, high = (before, after) if rises else (after, before)
    path.claim("at least the lower", lambda: now >= low)
    path.claim("at most the higher", lambda: now <= high)
    path.claim("arrives", lambda: ramped(before, after, duration, duration) == after)
    path.claim("begins", lambda: ramped(before, after, 0, duration) == before)
    return now
