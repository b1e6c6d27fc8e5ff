"""Theorems about requirements, the two equities, counted profit, and the tests that outflows and fills must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clearspec.margin import (
    open_interest_weight,
    scaled_initial,
    size_ratio,
    tiered_requirement,
)
from clearspec.numerics import (
    AMOUNT_MAX,
    NOTIONAL_MAX,
    RATIO_MAX,
    SCALE,
    SIZE_MAX,
    TIERS_MAX,
    mul_ceil,
)
from clearspec.parameters import MarginParameters, Tier, ramped
from clearspec_proofs.stand_ins import StandIn, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import symbolic

KINDS = ("initial", "maintenance")


def picked(path: Any, name: str, *options: Any) -> Any:
    """One of a few plain values, each on paths of its own."""
    choice = path.choice(name, *options)
    return next(option for option in options if choice == option)


class Table:
    """Margin tiers whose slices are cut at a few notionals, so that it is known which slice each lies in.

    ``parts`` are the pieces into which those notionals and the ends of the slices cut the notional, from the lowest,
    each with the number of its slice.
    """

    def __init__(self, path: Any, count: int, *names: str) -> None:
        self.path = path
        self.values: list[Any] = []
        self.below: list[int] = []
        self.parts: list[tuple[Any, int]] = []
        self.uppers: list[Any] = []
        slices, top = self._slices(count, names), 0
        for number in range(count):
            inside = [name for name, place in zip(names, slices, strict=True) if place == number]
            for place, name in enumerate(inside):
                least = 1 if place == 0 and number > 0 else 0
                top = self._piece(name, least, number, top)
                self.values.append(top)
                self.below.append(len(self.parts))
            top = self._piece(f"rest of slice {number}", 0 if inside else 1, number, top)
            self.uppers.append(top)

    def _slices(self, count: int, names: Sequence[str]) -> list[int]:
        """The slice that each notional lies in, ascending."""
        slices, low = [], 0
        for name in names:
            low = picked(self.path, f"slice of {name}", *range(low, count))
            slices.append(low)
        return slices

    def _piece(self, name: str, least: int, number: int, top: Any) -> Any:
        """A piece of notional from ``top`` on; where it ends."""
        piece = self.path.atom(name, least, NOTIONAL_MAX)
        self.parts.append((piece, number))
        return top + piece

    def rising(self) -> tuple[Tier, ...]:
        """Tiers whose ratios never fall (PARM-7)."""
        initial = maintenance = 0
        tiers = []
        for number, upper in enumerate(self.uppers):
            initial += self.path.atom(f"initial rise {number}", 0, SCALE)
            maintenance += self.path.atom(f"maintenance rise {number}", 0, SCALE)
            tiers.append(Tier(upper, initial, maintenance))
        return tuple(tiers)

    def charged(self, tiers: Sequence[Tier], place: int, kind: str) -> Any:
        """What one of the notionals is charged before rounding: each piece below it at the ratio of its slice."""
        parts = self.parts[: self.below[place]]
        return sum(piece * getattr(tiers[number], kind) for piece, number in parts)


@theorem(
    "each-slice-is-charged-at-its-ratio",
    "Both tiered requirements are the sum of each slice's part of the notional times its ratio, rounded up once: never "
    "below it, and less than one atom above it (up to eight tiers).",
    "MARG-1",
    "PARM-7",
)
def slices_charged_at_their_ratios(path: Any) -> Any:
    """All the tiers that a market may have; a requirement is never rounded in the user's favour."""
    made = Table(path, picked(path, "tiers", *range(1, TIERS_MAX + 1)), "value")
    tiers = made.rising()
    result = tiered_requirement(made.values[0], tiers)
    for kind, requirement in zip(KINDS, result, strict=True):
        exact = made.charged(tiers, 0, kind)
        path.claim(f"{kind} is not below", lambda exact=exact, held=requirement: held * SCALE >= exact)
        path.claim(f"{kind} is not an atom above", lambda exact=exact, held=requirement: (held - 1) * SCALE < exact)
    return result


@theorem(
    "tiered-requirements-are-within-the-notional",
    "With ratios of at most one, and maintenance at most initial in every tier, 0 <= maintenance <= initial <= "
    "notional (up to eight tiers).",
    "MARG-1",
    "MARG-4",
    "PARM-7",
)
def tiered_within_notional(path: Any) -> Any:
    """Whatever the order of the ratios."""
    made = Table(path, picked(path, "tiers", *range(1, TIERS_MAX + 1)), "value")
    tiers = []
    for number, upper in enumerate(made.uppers):
        initial = SCALE - path.atom(f"one less initial {number}", 0)
        maintenance = path.atom(f"maintenance {number}", 0)
        path.assume(lambda initial=initial, maintenance=maintenance: maintenance <= initial, "range of maintenance")
        tiers.append(Tier(upper, initial, maintenance))
    value = made.values[0]
    for piece, number in made.parts[: made.below[0]]:
        path.claim("a part", lambda piece=piece, tier=tiers[number]: piece * tier.maintenance <= piece * tier.initial)
        path.claim("at most itself", lambda piece=piece, tier=tiers[number]: piece * tier.initial <= piece * SCALE)
    initial, maintenance = tiered_requirement(value, tuple(tiers))
    path.claim("maintenance", lambda: 0 <= maintenance <= initial)
    path.claim("initial", lambda: initial <= value)
    return initial, maintenance


@theorem(
    "tiered-requirements-are-monotone",
    "Neither tiered requirement falls when the notional rises; so what is left when positions of opposite sides are "
    "joined needs no more than the larger alone (up to eight tiers).",
    "MARG-1",
    "PARM-7",
)
def tiered_monotone(path: Any) -> Any:
    """All the tiers that a market may have; a requirement is never negative, so joining needs no more than both."""
    made = Table(path, picked(path, "tiers", *range(1, TIERS_MAX + 1)), "less", "more")
    tiers = made.rising()
    for kind in KINDS:
        less, more = (made.charged(tiers, place, kind) for place in (0, 1))
        path.claim(f"{kind} before rounding", lambda less=less, more=more: less <= more)
    low, high = (tiered_requirement(value, tiers) for value in made.values)
    path.claim("initial", lambda: low[0] <= high[0])
    path.claim("maintenance", lambda: low[1] <= high[1])
    return low, high


@theorem(
    "tiered-requirements-do-not-jump",
    "When the notional rises by d atoms a tiered requirement rises by less than d times the highest ratio plus one "
    "atom, also across the boundaries of tiers; so from one atom to the next by at most that ratio, rounded up, plus "
    "one (up to three tiers).",
    "MARG-1",
    "PARM-7",
    strength=Strength.BOUNDED,
)
def tiered_does_not_jump(path: Any) -> Any:
    """Charging the whole notional at its tier's ratio jumps at each boundary."""
    made = Table(path, picked(path, "tiers", 1, 2, 3), "less", "more")
    tiers = made.rising()
    step = made.values[1] - made.values[0]
    for kind in KINDS:
        less, more = (made.charged(tiers, place, kind) for place in (0, 1))
        slope = getattr(tiers[-1], kind) * step
        path.claim(f"{kind} before rounding", lambda rise=more - less, slope=slope: rise <= slope)
    low, high = (tiered_requirement(value, tiers) for value in made.values)
    path.claim("initial", lambda: (high[0] - low[0] - 1) * SCALE < step * tiers[-1].initial)
    path.claim("maintenance", lambda: (high[1] - low[1] - 1) * SCALE < step * tiers[-1].maintenance)
    return low, high


@theorem(
    "one-position-needs-what-its-parts-need",
    "A position needs at least what two parts of it on the same side need in two accounts, less one atom of rounding "
    "(up to three tiers).",
    "MARG-1",
    "PARM-7",
    strength=Strength.BOUNDED,
)
def requirement_is_superadditive(path: Any) -> Any:
    """The reverse does not hold: with tiers two accounts need less than one."""
    made = Table(path, picked(path, "tiers", 1, 2, 3), "smaller", "larger", "both")
    tiers, (smaller, larger, both) = made.rising(), made.values
    path.assume(lambda: both == smaller + larger, "two parts")
    for kind in KINDS:
        charges = [made.charged(tiers, place, kind) for place in range(3)]
        path.claim(f"{kind} before rounding", lambda exact=charges: exact[0] + exact[1] <= exact[2])
    one, other, joint = (tiered_requirement(value, tiers) for value in made.values)
    path.claim("initial", lambda: one[0] + other[0] <= joint[0] + 1)
    path.claim("maintenance", lambda: one[1] + other[1] <= joint[1] + 1)
    return one, other, joint


@theorem(
    "the-open-interest-weight-is-a-ratio",
    "The weight lies within 0 .. 1, is 0 up to the lower bound and where scaling is off, 1 from the upper bound on, "
    "never falls when open interest rises, and between is the exact ratio rounded up.",
    "MARG-2",
    "PARM-9",
    marks=("off", "below", "between", "above"),
)
def weight_is_a_ratio(path: Any) -> Any:
    """Bounds inside the envelope: the lower below the upper, or scaling off."""
    value, lower = path.atom("open interest", 0, NOTIONAL_MAX), path.atom("lower", 0, AMOUNT_MAX)
    upper = lower + path.atom("width", 1, AMOUNT_MAX) if path.choice("scaling", True, False) == True else 0  # noqa: E712
    weight = open_interest_weight(value, lower, upper)
    more = open_interest_weight(value + path.atom("more", 0, NOTIONAL_MAX), lower, upper)
    path.claim("within one", lambda: 0 <= weight <= SCALE)
    path.claim("monotone", lambda: weight <= more)
    if upper == 0 or value <= lower:
        path.claim("nothing", lambda: weight == 0)
        path.mark("below" if type(upper) is not int else "off")
    elif value >= upper:
        path.claim("all", lambda: weight == SCALE)
        path.mark("above")
    else:
        above, width = (value - lower) * SCALE, upper - lower
        path.claim("rounded up", lambda: above <= weight * width < above + width)
        path.mark("between")
    return weight


@theorem(
    "the-size-ratio-is-a-ratio",
    "The ratio that a position's size adds lies within 0 .. 1, never falls when the size rises, and is size x slope / "
    "unit rounded up where that is at most one.",
    "MARG-3",
)
def size_ratio_is_a_ratio(path: Any) -> Any:
    """A slope of 0 adds nothing."""
    size, slope, unit = path.atom("size", 0, SIZE_MAX), path.atom("slope", 0, SCALE), path.atom("unit", 1, SIZE_MAX)
    ratio = size_ratio(size, slope, unit)
    larger = size + path.atom("more", 0, SIZE_MAX)
    path.claim("before rounding", lambda: size * slope <= larger * slope)
    path.claim("within one", lambda: 0 <= ratio <= SCALE)
    path.claim("monotone", lambda: ratio <= size_ratio(larger, slope, unit))
    path.claim("off", lambda: size_ratio(size, 0, unit) == 0)
    if ratio < SCALE:
        path.claim("rounded up", lambda: size * slope <= ratio * unit < size * slope + unit)
        path.mark("below one")
    return ratio


def margin_of(path: Any, **given: Any) -> MarginParameters:
    """Margin parameters with an open-interest scale inside the envelope, or off."""
    lower = path.atom("lower", 0, AMOUNT_MAX)
    on = path.choice("scaling", True, False) == True  # noqa: E712
    upper = lower + path.atom("width", 1, AMOUNT_MAX) if on else 0
    scale = {"open_interest_lower": lower, "open_interest_upper": upper}
    made: MarginParameters = symbolic(path, MarginParameters, "margin", **{"tiers": (), **scale, **given})
    return made


def any_ratio(path: Any, name: str) -> Any:
    """Any ratio within one."""
    return path.fresh(name, 0, SCALE)


WEIGHT, SIZE = "margin.the-open-interest-weight-is-a-ratio", "margin.the-size-ratio-is-a-ratio"
RATIOS = (
    StandIn(open_interest_weight, WEIGHT, lambda path: lambda *_: any_ratio(path, "weight")),
    StandIn(size_ratio, SIZE, lambda path: lambda *_: any_ratio(path, "size ratio")),
)


@theorem(
    "scaling-raises-initial-margin-up-to-the-notional",
    "The initial requirement after multiplier, size and open interest is at least the tiered one and at most the "
    "notional, where the tiered one is.",
    "MARG-2",
    "MARG-3",
    "MARG-4",
)
def scaling_raises_initial(path: Any) -> Any:
    """New risk costs more, never more than all of it."""
    tiered, size = path.atom("tiered", 0), path.atom("size", 0, SIZE_MAX)
    value = tiered + path.atom("beyond", 0)
    parameters = margin_of(path)
    with standing_in(path, *RATIOS):
        initial = scaled_initial(value, tiered, size, path.atom("open interest", 0), parameters)
    path.claim("at least the tiered", lambda: initial >= tiered)
    path.claim("at most the notional", lambda: initial <= value)
    return initial


def rising_ratios(function: Any, grounds: str) -> StandIn:
    """A ratio that does not fall from one call to the next, whose arguments do not fall."""

    def of(path: Any) -> Any:
        low = any_ratio(path, function.__name__)
        high = any_ratio(path, function.__name__)
        path.assume(lambda: low <= high, "a contract")
        calls = iter((low, high))
        return lambda *_: next(calls)

    return StandIn(function, grounds, of)


@theorem(
    "scaling-is-monotone",
    "The initial requirement never falls when open interest, size or multiplier rises.",
    "MARG-2",
    "MARG-3",
    "MARG-4",
)
def scaling_is_monotone(path: Any) -> Any:
    """With a tiered requirement of at most the notional."""
    tiered, open_interest, size = (path.atom(name, 0) for name in ("tiered", "open interest", "size"))
    value, parameters = tiered + path.atom("beyond", 0), margin_of(path, multiplier=path.atom("multiplier", SCALE))
    raised = replace(parameters, multiplier=parameters.multiplier + path.atom("more multiplier", 0))
    with standing_in(path, rising_ratios(open_interest_weight, WEIGHT), rising_ratios(size_ratio, SIZE)):
        low = scaled_initial(value, tiered, size, open_interest, parameters)
        more = size + path.atom("more size", 0), open_interest + path.atom("more interest", 0)
        high = scaled_initial(value, tiered, *more, raised)
    path.claim("no less", lambda: low <= high)
    return low, high
