"""Theorems about requirements, the two equities, counted profit, and the tests that outflows and fills must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import eq
from typing import Any

from clearspec import events as ev
from clearspec import margin
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, balance, house, user
from clearspec.margin import (
    Exposure,
    Standing,
    bounded,
    collateral_price,
    collateral_values,
    counted_profit,
    exposure,
    fill_allowed,
    has_initial_margin,
    index_value,
    is_critical,
    is_liquidatable,
    open_interest_weight,
    outflow_allowed,
    payable,
    position_exposure,
    reduces_risk,
    requirements,
    scaled_initial,
    size_ratio,
    stale_penalty,
    standing,
    tiered_requirement,
    withdrawal_equity,
)
from clearspec.numerics import (
    AMOUNT_MAX,
    DURATION_MAX,
    EQUITY_MAX,
    NOTIONAL_MAX,
    POSITIONS_MAX,
    PRICE_MAX,
    PROFIT_MAX,
    SCALE,
    SIZE_MAX,
    TIERS_MAX,
    TIME_MAX,
    mul_ceil,
)
from clearspec.oracle import worst_price
from clearspec.parameters import CollateralTerms, FeedParameters, MarginParameters, PoolParameters, Tier, ramped
from clearspec.state import Account, Feed, Mark, Market, Position, Settlement
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import OPAQUE, StandIn, any_integer, opaque, standing_in, with_lemmas
from clearspec_proofs.standings import REQUIRED, counted_at_most, remembered
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.widths import REQUIREMENT_MAX, WORTH_MAX, fits, in_128_bits, wide_standing
from clearspec_proofs.world import CASH, MARKET, POOL, World, symbolic

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
    "Requirements of tiers that ascend are not negative; with ratios of at most one, and maintenance at most initial "
    "in every tier, maintenance <= initial <= notional; and a notional beyond the table needs what its end needs (up "
    "to eight tiers).",
    "MARG-1",
    "MARG-4",
    "PARM-7",
)
def tiered_within_notional(path: Any) -> Any:
    """Whatever the order of the ratios from one tier to the next."""
    count, ratios = picked(path, "tiers", *range(1, TIERS_MAX + 1)), picked(path, "ratios", "ordered", "any", "beyond")
    if ratios != "ordered":
        return claim_bounds(path, Table(path, count, *(["value"] if ratios == "any" else [])))
    made = Table(path, count, "value")
    value = made.values[0]
    tiers = []
    for number, upper in enumerate(made.uppers):
        initial = SCALE - path.atom(f"one less initial {number}", 0)
        maintenance = path.atom(f"maintenance {number}", 0)
        given(path, maintenance <= initial, "range of maintenance")
        tiers.append(Tier(upper, initial, maintenance))
    for piece, number in made.parts[: made.below[0]]:
        path.claim("a part", lambda piece=piece, tier=tiers[number]: piece * tier.maintenance <= piece * tier.initial)
        path.claim("at most itself", lambda piece=piece, tier=tiers[number]: piece * tier.initial <= piece * SCALE)
    initial, maintenance = tiered_requirement(value, tuple(tiers))
    path.claim("maintenance", lambda: 0 <= maintenance <= initial)
    path.claim("initial", lambda: initial <= value)
    return initial, maintenance


def claim_bounds(path: Any, made: Table) -> Any:
    """Claim that requirements are not negative, whatever the ratios, and end where the table ends."""
    ratios = [[path.atom(f"{kind} {number}", 0) for kind in KINDS] for number in range(len(made.uppers))]
    tiers = tuple(Tier(upper, *pair) for upper, pair in zip(made.uppers, ratios, strict=True))
    if made.values:
        found = tiered_requirement(made.values[0], tiers)
        path.claim("not negative", lambda: found[0] >= 0 and found[1] >= 0)
        return found
    top = made.uppers[-1]
    highest, beyond = (tiered_requirement(value, tiers) for value in (top, top + path.atom("beyond", 0)))
    path.claim("beyond the table what its end needs", lambda: beyond == highest)
    return beyond


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


def charge(value: Any, tiers: Sequence[Tier], kind: str) -> Any:
    """What a notional is charged before rounding."""
    lower, total = 0, 0
    for tier in tiers:
        total += max(0, min(value, tier.upper) - lower) * getattr(tier, kind)
        lower = tier.upper
    return total


@theorem(
    "one-position-needs-what-its-parts-need",
    "A position needs at least what two parts of it on the same side need in two accounts, less one atom of rounding "
    "(up to three tiers).",
    "MARG-1",
    "PARM-7",
    strength=Strength.BOUNDED,
)
def requirement_is_superadditive(path: Any) -> Any:
    """The reverse does not hold: with tiers two accounts need less than one. The table reaches both parts together."""
    made = Table(path, picked(path, "tiers", 1, 2, 3), "smaller", "larger")
    both = sum(made.values)
    made.uppers[-1] += made.values[0]
    tiers = made.rising()
    for kind in KINDS:
        parts, whole = sum(made.charged(tiers, place, kind) for place in range(2)), charge(both, tiers, kind)
        path.claim(f"{kind} before rounding", lambda parts=parts, whole=whole: parts <= whole)
    one, other, joint = (tiered_requirement(value, tiers) for value in (*made.values, both))
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
    value, lower = path.atom("open interest"), path.atom("lower", 0, AMOUNT_MAX)
    scaling = path.choice("scaling", True, False) == True  # noqa: E712
    upper = lower + path.atom("width", 1, AMOUNT_MAX) if scaling else 0
    weight = open_interest_weight(value, lower, upper)
    more = open_interest_weight(value + path.atom("more", 0), lower, upper)
    path.claim("within one", lambda: 0 <= weight <= SCALE)
    path.claim("monotone", lambda: weight <= more)
    if upper == 0 or value <= lower:
        path.claim("nothing", lambda: weight == 0)
        path.mark("below" if scaling else "off")
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
    size, slope, unit = path.atom("size", 0), path.atom("slope", 0, SCALE), path.atom("unit", 1, SIZE_MAX)
    ratio = size_ratio(size, slope, unit)
    larger = size + path.atom("more", 0)
    path.claim("before rounding", lambda: size * slope <= larger * slope)
    path.claim("within one", lambda: 0 <= ratio <= SCALE)
    path.claim("monotone", lambda: ratio <= size_ratio(larger, slope, unit))
    path.claim("off", lambda: size_ratio(size, 0, unit) == 0)
    if ratio < SCALE:
        path.claim("rounded up", lambda: size * slope <= ratio * unit < size * slope + unit)
        path.mark("below one")
    return ratio


def scale_of(path: Any) -> dict[str, Any]:
    """An open-interest scale inside the envelope, or off."""
    lower = path.atom("lower", 0, AMOUNT_MAX)
    on = path.choice("scaling", True, False) == True  # noqa: E712
    upper = lower + path.atom("width", 1, AMOUNT_MAX) if on else 0
    return {"open_interest_lower": lower, "open_interest_upper": upper}


def margin_of(path: Any, **given: Any) -> MarginParameters:
    """Margin parameters without tiers, inside the envelope."""
    made: MarginParameters = symbolic(path, MarginParameters, "margin", tiers=(), **scale_of(path), **given)
    return made


def any_ratio(path: Any, name: str) -> Any:
    """Any ratio within one."""
    return path.fresh(name, 0, SCALE)


WEIGHT, SIZE = "margin.the-open-interest-weight-is-a-ratio", "margin.the-size-ratio-is-a-ratio"


def any_weight(path: Any, _: Any, lower: Any, upper: Any) -> Any:
    """A weight of open interest: any ratio, where its bounds are inside the envelope."""
    path.claim("open-interest-scale-ordered", lambda: upper == 0 or lower < upper)
    return any_ratio(path, "weight")


def any_size_ratio(path: Any, size: Any, slope: Any, unit: Any) -> Any:
    """What a size adds: any ratio."""
    path.claim("a size, a slope and a unit", lambda: size >= 0 and slope >= 0 and unit >= 1)
    return any_ratio(path, "size ratio")


RATIOS = (
    StandIn(open_interest_weight, WEIGHT, lambda path: partial(any_weight, path)),
    StandIn(size_ratio, SIZE, lambda path: partial(any_size_ratio, path)),
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
    tiered, size = path.atom("tiered", 0), path.atom("size", 0)
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
        calls, asked = iter((low, high)), []

        def stand_in(value: Any, *others: Any) -> Any:
            if asked:
                path.claim("asked for no less", lambda: value >= asked[0][0])
                path.claim("of the same parameters", lambda: all(map(eq, others, asked[0][1])))
            asked.append((value, others))
            ANY_RATIO[function](path, value, *others)
            return next(calls)

        return stand_in

    return StandIn(function, grounds, of)


ANY_RATIO: dict[Any, Any] = {open_interest_weight: any_weight, size_ratio: any_size_ratio}


class Rising:
    """Lemmas for two calls of ``scaled_initial`` of which the second asks for no less: its three products, in turn."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any]] = []

    def __call__(self, path: Any, result: Any, amount: Any, ratio: Any) -> None:
        """Claim what the products of the second call owe to those of the first."""
        self.calls.append((result, amount, ratio))
        if len(self.calls) <= 3:
            return
        before, least, low = self.calls[-4]
        path.claim("a ratio no less", lambda: amount * low <= amount * ratio)
        if len(self.calls) < 6:
            path.claim("a product no less", lambda: before <= result)
        else:
            path.claim("a base no less", lambda: least >= amount)
            path.claim("a part of what is added", lambda: (least - amount) * low <= (least - amount) * SCALE)
            path.claim("a requirement no less", lambda: before + amount <= result + least)


@theorem(
    "initial-margin-rounds-up-at-each-step",
    "The base is the tiered requirement times the multiplier and the notional times the size ratio, each rounded up, "
    "and at most the notional; the initial requirement is the base and the open-interest weight of the rest of the "
    "notional, rounded up.",
    "MARG-2",
    "MARG-3",
    "MARG-4",
    marks=("within", "all of the notional"),
)
def initial_rounds_up(path: Any) -> Any:
    """Of any ratios; a requirement rounded down in any step is an atom too low for somebody."""
    value, tiered, size, interest = (path.atom(name, 0) for name in ("value", "tiered", "size", "open interest"))
    limits = margin_of(path)
    ratios = (
        remembered(open_interest_weight, WEIGHT, any_weight),
        remembered(size_ratio, SIZE, any_size_ratio),
    )
    with standing_in(path, *ratios):
        initial = scaled_initial(value, tiered, size, interest, limits)
        ratio = margin.size_ratio(size, limits.size_slope, limits.size_unit)
        weight = margin.open_interest_weight(interest, limits.open_interest_lower, limits.open_interest_upper)
    base = mul_ceil(tiered, limits.multiplier) + mul_ceil(value, ratio)
    path.mark("within" if base < value else "all of the notional")
    base = min(base, value)
    exact = base * SCALE + (value - base) * weight
    path.claim("rounded up", lambda: exact <= initial * SCALE < exact + SCALE)
    return initial


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
    ratios = rising_ratios(open_interest_weight, WEIGHT), rising_ratios(size_ratio, SIZE)
    with standing_in(path, *ratios, with_lemmas(mul_ceil, Rising())):
        low = scaled_initial(value, tiered, size, open_interest, parameters)
        more = size + path.atom("more size", 0), open_interest + path.atom("more interest", 0)
        high = scaled_initial(value, tiered, *more, raised)
    path.claim("no less", lambda: low <= high)
    return low, high


@theorem(
    "a-ramp-stays-between-its-ends",
    "A ramped requirement lies between the old and the new, is the old at its start and the new at its end, moves "
    "only toward the new as time passes, and is rounded up.",
    "PARM-13",
)
def ramp_between_its_ends(path: Any) -> Any:
    """Up or down."""
    before, after = path.atom("before"), path.atom("after")
    elapsed, sooner = path.atom("elapsed", 0), path.atom("sooner", 0)
    duration = elapsed + sooner + path.atom("left", 0)
    path.assume(lambda: duration >= 1, "range of the duration")
    now, later = (ramped(before, after, seconds, duration) for seconds in (elapsed, elapsed + sooner))
    exact = before * duration + (after - before) * elapsed
    path.claim("rounded up", lambda: exact <= now * duration < exact + duration)
    if after >= before:
        path.claim("a rise before rounding", lambda: (after - before) * sooner >= 0)
        path.claim("between, rising", lambda: before <= now <= after)
        path.claim("rising", lambda: now <= later)
    else:
        path.claim("a fall before rounding", lambda: (before - after) * sooner >= 0)
        path.claim("between, falling", lambda: after <= now <= before)
        path.claim("falling", lambda: now >= later)
    path.claim("its start", lambda: ramped(before, after, 0, duration) == before)
    path.claim("its end", lambda: ramped(before, after, duration, duration) == after)
    return now


def tabled(path: Any) -> Any:
    """Tiered requirements of a table: any of at most the notional."""

    def call(value: Any, tiers: Any) -> Any:
        path.claim("a notional", lambda: value >= 0)
        found = path.fresh("tiered initial", 0), path.fresh("tiered maintenance", 0)
        for requirement in found:
            given(path, requirement <= value, "a contract")
        return found

    return call


TIERED = StandIn(tiered_requirement, "margin.tiered-requirements-are-within-the-notional", tabled)


def ramping(path: Any) -> Any:
    """A requirement between two others; what is claimed of the time is what the ramp supposes."""

    def call(before: Any, after: Any, elapsed: Any, duration: Any) -> Any:
        path.claim("a time of the ramp", lambda: 0 <= elapsed <= duration)
        path.claim("a ramp that lasts", lambda: duration >= 1)
        result = path.fresh("ramped")
        low, high = (before, after) if before <= after else (after, before)
        path.assume(lambda: low <= result <= high, "a contract")
        return result

    return call


RAMPED = StandIn(ramped, "margin.a-ramp-stays-between-its-ends", ramping)


def pool_of(path: Any) -> World:
    """A pool."""
    world = World(path)
    world.pool()
    return world


def scaled(path: Any, market: Market) -> Market:
    """The market with an open-interest scale inside the envelope where the real functions read it.

    What stands in for them claims so where it needs it.
    """
    return within_scale(market) if not path.stand_ins else market


def either_scale(path: Any, market: Market) -> Market:
    """The market with an open-interest scale inside the envelope, on or off."""
    if path.choice("scaling", "on", "off") == "on":
        return within_scale(market)
    parameters = market.listing.parameters
    parameters = replace(parameters, margin=replace(parameters.margin, open_interest_upper=0))
    return replace(market, listing=replace(market.listing, parameters=parameters))


def within_scale(market: Market) -> Market:
    """The market with open-interest scaling on, its bounds in order."""
    parameters = market.listing.parameters
    upper = parameters.margin.open_interest_lower + max(1, parameters.margin.open_interest_upper)
    parameters = replace(parameters, margin=replace(parameters.margin, open_interest_upper=upper))
    return replace(market, listing=replace(market.listing, parameters=parameters))


def market_of(path: Any, world: World) -> tuple[Market, Any]:
    """A market with a ramp that may run, and a time that is not before it began."""
    world.market()
    market = world.state.markets[MARKET]
    market = scaled(path, replace(market, ramp_end=market.ramp_start + path.atom("ramp", 0, DURATION_MAX)))
    world.state.markets.put(MARKET, market)
    return market, market.ramp_start + path.atom("since the ramp began", 0, TIME_MAX)


@theorem(
    "requirements-come-from-the-tables",
    "Maintenance is that of the market's tiers, or while a ramp runs what that makes of it and of the tiers before; "
    "the initial requirement is that of the tiers, scaled by lots and open interest, or maintenance if that is more.",
    "MARG-4",
    "PARM-13",
    marks=("ramp", "no ramp"),
)
def requirements_come_from_the_tables(path: Any) -> Any:
    """Tables, scaling and ramp are opaque: which is asked of which notional, lots and open interest is all."""
    market, time = market_of(path, pool_of(path))
    value, size, interest = (path.atom(name, 0) for name in ("value", "size", "open interest"))
    limits, before = market.listing.parameters.margin, market.before.margin
    parts = (*SAME[:2], remembered(scaled_initial, OPAQUE, any_of))
    with standing_in(path, *parts):
        initial, maintenance = requirements(market, value, size, interest, time)
        tiered, plain = margin.tiered_requirement(value, limits.tiers)
        scaled_up = margin.scaled_initial(value, tiered, size, interest, limits)
        if time < market.ramp_end:
            path.mark("ramp")
            old, seconds = margin.tiered_requirement(value, before.tiers)[1], market.ramp_end - market.ramp_start
            plain = margin.ramped(old, plain, time - market.ramp_start, seconds)
        else:
            path.mark("no ramp")
    path.claim("maintenance", lambda: maintenance == plain)
    path.claim("initial", lambda: initial == (scaled_up if scaled_up > plain else plain))
    return initial, maintenance


@theorem(
    "requirements-ordered",
    "Of a position of any notional and size, 0 <= maintenance <= initial, also while a ramp runs.",
    "MARG-4",
    "PARM-13",
    marks=("ramp", "no ramp"),
)
def requirements_ordered(path: Any) -> Any:
    """A fill never opens a position that may be liquidated in the same second."""
    return of_a_position(path, TIERED, RAMPED, opaque(scaled_initial, any_integer))[1]


def of_a_position(path: Any, *stand_ins: StandIn) -> Any:
    """Notional and requirements of a position, of which maintenance is at least 0 and initial no lower."""
    market, time = market_of(path, pool_of(path))
    value, size, interest = (path.atom(name, 0) for name in ("value", "size", "open interest"))
    market = either_scale(path, market)
    with standing_in(path, *stand_ins):
        initial, maintenance = requirements(market, value, size, interest, time)
    path.claim("maintenance", lambda: 0 <= maintenance <= initial)
    path.mark("ramp" if time < market.ramp_end else "no ramp")
    return value, (initial, maintenance)


SCALED = "margin.scaling-raises-initial-margin-up-to-the-notional"


def scaled_within(path: Any, value: Any, tiered: Any, size: Any, _: Any, limits: MarginParameters) -> Any:
    """The initial requirement: any from the tiered one to the notional, inside the envelope."""
    path.claim("of a notional", lambda: 0 <= tiered <= value and size >= 0)
    any_weight(path, 0, limits.open_interest_lower, limits.open_interest_upper)
    found = path.fresh("scaled initial", 0)
    given(path, found >= tiered, f"range ({SCALED})")
    given(path, found <= value, f"range ({SCALED})")
    return found


SCALED_WITHIN = StandIn(scaled_initial, SCALED, lambda path: partial(scaled_within, path))


@theorem(
    "requirements-within-the-notional",
    "With parameters inside the envelope neither requirement of a position is more than its notional, also while a "
    "ramp runs.",
    "MARG-4",
    "PARM-13",
    marks=("ramp", "no ramp"),
)
def requirements_within_notional(path: Any) -> Any:
    """Of any notional, size and open interest."""
    value, (initial, maintenance) = of_a_position(path, TIERED, RAMPED, SCALED_WITHIN)
    path.claim("initial", lambda: initial <= value)
    return initial, maintenance


@theorem(
    "maintenance-is-between-two-tables",
    "While a ramp runs maintenance lies between what the old table and the new one ask of the notional; after it, it "
    "is what the new one asks.",
    "MARG-4",
    "PARM-13",
    marks=("ramp", "no ramp"),
)
def maintenance_between_tables(path: Any) -> Any:
    """Both tables with one tier."""
    market, time = market_of(path, pool_of(path))
    value = path.atom("value", 0, NOTIONAL_MAX)
    tables = market.before.margin.tiers, market.listing.parameters.margin.tiers
    with standing_in(path, RAMPED, opaque(scaled_initial, any_integer)):
        _, maintenance = requirements(market, value, path.atom("size", 0, SIZE_MAX), 0, time)
    old, new = (tiered_requirement(value, tiers)[1] for tiers in tables)
    if time < market.ramp_end:
        path.claim("between", lambda: min(old, new) <= maintenance <= max(old, new))
        path.mark("ramp")
    else:
        path.claim("the new", lambda: maintenance == new)
        path.mark("no ramp")
    return maintenance


def holder(path: Any, collateral: tuple[str, ...] = ()) -> tuple[World, ev.Context]:
    """An account with a position in a market, any balances and any parameters.

    Where the position is a claim, all claims of the market are at least one atom, as it is one of them.
    """
    world = World(path)
    for asset in collateral:
        terms = symbolic(path, FeedParameters, f"{asset}-feed.parameters", feed=f"{asset}-feed", sources=())
        feed = symbolic(path, Feed, f"{asset}-feed", parameters=terms, markets=())
        world.state.feeds.put(f"{asset}-feed", feed)
    world.pool(collateral=collateral)
    _, time = market_of(path, world)
    world.account("A", markets=(MARKET,))
    for asset in collateral:
        world.state.balances.put(user(asset, POOL, "A"), path.atom(f"A holds {asset}", 0, AMOUNT_MAX))
    world.state.positions.put(("A", MARKET), symbolic(path, Position, "position"))
    settlement = replace(world.state.settlements[MARKET], claims=path.atom("all claims", 1))
    world.state.settlements.put(MARKET, settlement)
    return world, ev.Context(world.state, time, "actor")


@theorem(
    "a-stale-position-is-worth-no-more",
    "The age penalty is never negative, is nothing for a mark that is not overdue, and is the unsigned size times what "
    "the worst price is worse than the mark.",
    "MARG-5",
    "ORCL-9",
)
def stale_position_worth_no_more(path: Any) -> Any:
    """Long and short alike."""
    world, _ = holder(path)
    mark, market = world.state.marks[MARKET], world.state.markets[MARKET]
    size, overdue = path.atom("size"), path.atom("overdue", 0)
    rules = market.listing.parameters.mark
    penalty = stale_penalty(mark, market, size, mark.fresh_until + overdue)
    worst = worst_price(mark.price, overdue, rules.stale_rate, rules.stale_cap, size)
    if size >= 0:
        path.claim("a worst price for a long", lambda: worst <= mark.price)
        path.claim("a long", lambda: penalty == size * (mark.price - worst))
    else:
        path.claim("a worst price for a short", lambda: worst >= mark.price)
        path.claim("a short", lambda: penalty == -size * (worst - mark.price))
    path.claim("not negative", lambda: penalty >= 0)
    fresh = worst_price(mark.price, 0, rules.stale_rate, rules.stale_cap, size)
    path.claim("a price that is not overdue", lambda: fresh == mark.price)
    path.claim("a mark that is not overdue", lambda: stale_penalty(mark, market, size, mark.fresh_until) == 0)
    return penalty


@theorem(
    "claims-are-paid-by-one-factor",
    "A claim is worth the whole until losses are collected, then its part of the pot rounded down: between 0 and the "
    "claim while the pot is at most all claims, and together at most the pot.",
    "SETTLE-6",
    "MARG-6",
    marks=("collected", "before"),
)
def claims_paid_by_one_factor(path: Any) -> Any:
    """Counted whole to the end, a claim would back fills with what never comes in."""
    claim, others, pot = path.atom("claim", 0), path.atom("other claims", 0), path.atom("pot", 0)
    claims = claim + others
    path.assume(lambda: claims >= 1, "range of all claims")
    settlement = symbolic(path, Settlement, "settlement", pot=pot, claims=claims)
    worth = payable(claim, settlement)
    if settlement.collected == False:  # noqa: E712
        path.claim("whole", lambda: worth == claim)
        path.mark("before")
        return worth
    path.claim("rounded down", lambda: worth * claims <= claim * pot < (worth + 1) * claims)
    path.claim("not negative", lambda: worth >= 0)
    path.claim("at most the pot", lambda: worth + payable(others, settlement) <= pot)
    if pot <= claims:
        path.claim("at most the claim", lambda: worth <= claim)
        path.mark("collected")
    return worth


PARTS = "margin.a-position-counts-what-it-owes, margin.a-claim-needs-no-margin"


def age_penalty(path: Any, mark: Mark, _: Any, __: Any, time: Any) -> Any:
    """An age penalty: not negative, of a mark that is overdue."""
    path.claim("overdue", lambda: time >= mark.fresh_until)
    return path.fresh("age penalty", 0)


PENALTY = StandIn(stale_penalty, "margin.a-stale-position-is-worth-no-more", lambda path: partial(age_penalty, path))


@theorem(
    "a-position-counts-what-it-owes",
    "An open position's result at mark is size x mark less cost, funding owed and haircut owed; its unrealised result "
    "is that, less the age penalty where the mark is stale, and never above it; its requirements are those of its lots "
    "and of the market's open interest at mark, maintenance at most initial.",
    "MARG-5",
    "MARG-6",
    "FUND-6",
    "FALL-9",
    marks=("fresh", "stale"),
)
def position_counts_what_it_owes(path: Any) -> Any:
    """What is owed is read, not charged."""
    world, ctx = holder(path)
    state = world.state
    position, mark, funding = state.positions["A", MARKET], state.marks[MARKET], state.fundings[MARKET]
    path.assume(lambda: position.size != 0, "range of an open position")
    asked = abs(position.size) * mark.price, abs(position.size), state.open_interest[MARKET] * mark.price, ctx.time
    with standing_in(path, REQUIRED, PENALTY):
        part = position_exposure(ctx, MARKET, position)
        needs = margin.requirements(state.markets[MARKET], *asked)
    path.claim("what it needs", lambda: (part.initial, part.maintenance) == needs)
    owed = position.cost + funding_owed(position, funding.index) + haircut_owed(position, funding)
    path.claim("at mark", lambda: part.at_mark == position.size * mark.price - owed)
    path.claim("notional", lambda: part.notional == abs(position.size) * mark.price)
    path.claim("requirements", lambda: 0 <= part.maintenance <= part.initial)
    path.claim("no better than at mark", lambda: part.unrealised <= part.at_mark)
    if ctx.time <= mark.fresh_until:
        path.claim("fresh", lambda: part.unrealised == part.at_mark)
        path.mark("fresh")
    else:
        path.mark("stale")
    return part


@theorem(
    "a-claim-needs-no-margin",
    "A position of size 0 counts its claim at what it will be paid, and needs no margin.",
    "MARG-6",
    "SETTLE-6",
)
def claim_needs_no_margin(path: Any) -> Any:
    """A claim of final settlement."""
    world, ctx = holder(path)
    state = world.state
    cost = -path.atom("claim")
    settlement = symbolic(path, Settlement, "claims", price=0, claims=path.atom("claims", 1))
    state.settlements.put(MARKET, settlement)
    part = position_exposure(ctx, MARKET, Position(0, cost, 0, 0))
    path.claim("its worth", lambda: part.unrealised == part.at_mark == payable(-cost, settlement))
    path.claim("no margin", lambda: (part.initial, part.maintenance, part.notional) == (0, 0, 0))
    return part


def part_of(path: Any, name: str) -> Exposure:
    """A position's part in an exposure, as ``a-position-counts-what-it-owes`` orders it."""
    at_risk, maintenance = path.atom(f"{name} at risk"), path.atom(f"{name} maintenance", 0)
    at_mark, initial = at_risk + path.atom(f"{name} penalty", 0), maintenance + path.atom(f"{name} above", 0)
    return Exposure(at_risk, at_mark, initial, maintenance, path.atom(f"{name} notional", 0))


def holder_of_many(path: Any, count: int) -> tuple[ev.Context, Account]:
    """An account with as many positions; their markets are alike, which does not matter to opaque parts."""
    world = pool_of(path)
    state = world.state
    _, time = market_of(path, world)
    markets = tuple(f"M{number}" for number in range(count))
    for market in markets:
        state.positions.put(("A", market), Position(path.atom(f"{market} lots", 1, SIZE_MAX), 0, 0, 0))
        for table in (state.markets, state.marks, state.fundings, state.open_interest, state.settlements):
            dict.__setitem__(table, market, table[MARKET])
    return ev.Context(state, time, "actor"), Account("A", "actor", POOL, markets, "")


@theorem(
    "exposures-ordered",
    "An account's exposure is the sum of its positions' parts, each position once, for every number of positions that "
    "an account may hold (up to 64): worth no more at risk than at mark, 0 <= maintenance <= initial.",
    "MARG-6",
    marks=("none", "most"),
)
def exposures_ordered(path: Any) -> Any:
    """The one fold; parts are opaque, so that it does not matter what they come to."""
    count = picked(path, "positions", *range(POSITIONS_MAX + 1))
    ctx, account = holder_of_many(path, count)
    parts = {market: part_of(path, market) for market in account.markets}
    stand_in = StandIn(position_exposure, PARTS, lambda _: lambda ctx, market, position: parts[market])
    with standing_in(path, stand_in):
        held = exposure(ctx, account)
        shown = [margin.position_exposure(ctx, market, ctx.state.positions["A", market]) for market in account.markets]
    for field in Exposure._fields:
        whole = sum(getattr(part, field) for part in shown)
        path.claim(f"sum of {field}", lambda field=field, whole=whole: getattr(held, field) == whole)
    path.claim("no better at risk", lambda: held.unrealised <= held.at_mark)
    path.claim("requirements", lambda: 0 <= held.maintenance <= held.initial)
    path.claim("notional", lambda: held.notional >= 0)
    path.mark({0: "none", POSITIONS_MAX: "most"}.get(count, "some"))
    return held


@theorem(
    "collateral-is-valued-once-rounded-down",
    "The worth of an amount at a price is amount x price / unit rounded down, not negative, and never falls when the "
    "amount or the price rises.",
    "MARG-7",
)
def collateral_rounded_down(path: Any) -> Any:
    """Counted assets are rounded down."""
    amount, price, unit = path.atom("amount", 0), path.atom("price", 0, PRICE_MAX), path.atom("unit", 1, AMOUNT_MAX)
    worth = index_value(amount, price, unit)
    path.claim("rounded down", lambda: worth * unit <= amount * price < (worth + 1) * unit)
    path.claim("not negative", lambda: worth >= 0)
    more, dearer = amount + path.atom("more", 0), price + path.atom("dearer", 0)
    path.claim("before rounding", lambda: amount * price <= more * dearer)
    path.claim("monotone", lambda: worth <= index_value(more, dearer, unit))
    return worth


def collateral_of(path: Any) -> tuple[ev.Context, PoolParameters, CollateralTerms]:
    """A collateral asset of a pool with a feed, and an account that holds some of it."""
    world = World(path)
    terms = symbolic(path, FeedParameters, "feed.parameters", feed="ETH-feed", sources=())
    world.state.feeds.put("ETH-feed", symbolic(path, Feed, "feed", parameters=terms, markets=()))
    world.pool(collateral=("ETH",))
    world.state.balances.put(user("ETH", POOL, "A"), path.atom("amount", 0))
    pool = world.state.pools[POOL]
    return ev.Context(world.state, path.atom("time", 0, 2 * TIME_MAX), "actor"), pool, pool.collateral[0]


@theorem(
    "collateral-price-at-most-index",
    "The price of a collateral asset lies between 1 and its index, and is 0 only where there is no index; it is the "
    "index while that is fresh.",
    "MARG-7",
    "ORCL-9",
    marks=("fresh", "stale", "no index"),
)
def collateral_price_at_most_index(path: Any) -> Any:
    """At 0 a conversion would give all of a holding for nothing."""
    ctx, _, terms = collateral_of(path)
    feed = ctx.state.feeds[terms.feed]
    price = collateral_price(ctx, terms)
    path.claim("at most the index", lambda: 0 <= price <= feed.index)
    if feed.index == 0:
        path.mark("no index")
        return price
    path.claim("never nothing", lambda: price >= 1)
    if ctx.time <= feed.index_time + feed.parameters.max_age:
        path.claim("fresh", lambda: price == feed.index)
        path.mark("fresh")
    else:
        path.mark("stale")
    return price


PRICES = "margin.collateral-price-at-most-index"


@theorem(
    "collateral-at-most-at-index",
    "What a holding of collateral counts after haircut and age is not negative and at most its worth at index; it is "
    "that worth at its aged price less the haircut, rounded down twice.",
    "MARG-7",
)
def collateral_at_most_at_index(path: Any) -> Any:
    """So margin equity never exceeds net liquidation value."""
    ctx, pool, terms = collateral_of(path)
    amount, index = ctx.state.balances[user("ETH", POOL, "A")], ctx.state.feeds[terms.feed].index
    aged = path.atom("aged price", 0, PRICE_MAX)
    path.assume(lambda: aged <= index, "range of the aged price")
    with standing_in(path, StandIn(collateral_price, PRICES, lambda _: lambda *__: aged)):
        price = margin.collateral_price(ctx, terms)
        counted, whole = collateral_values(ctx, pool, terms, "A")
    path.claim("before rounding", lambda: amount * price <= amount * index)
    worth = index_value(amount, price, terms.unit)
    path.claim("aged", lambda: 0 <= worth <= whole)
    path.claim("not negative", lambda: counted >= 0)
    path.claim("less the haircut", lambda: counted * SCALE <= worth * (SCALE - terms.haircut) < (counted + 1) * SCALE)
    path.claim("at most at index", lambda: counted <= whole)
    return counted, whole


@theorem(
    "counted-profit-at-most-profit",
    "A loss counts whole; a profit counts at least 0, at most itself and at most the cap, by its weight rounded down; "
    "more result never counts less, nor does a higher weight or cap.",
    "MARG-8",
    marks=("loss", "profit"),
)
def counted_profit_at_most_profit(path: Any) -> Any:
    """Maintenance takes no weight."""
    result, weight, cap = path.atom("unrealised"), path.atom("weight", 0, SCALE), path.atom("cap", 0, AMOUNT_MAX)
    counted = counted_profit(result, weight, cap)
    path.claim("at most itself", lambda: counted <= result)
    more = counted_profit(result + path.atom("more", 0), weight, cap)
    path.claim("monotone", lambda: counted <= more)
    looser = counted_profit(result, weight + path.atom("weight more", 0), cap + path.atom("cap more", 0))
    path.claim("a higher weight and cap", lambda: counted <= looser)
    if result <= 0:
        path.claim("a loss whole", lambda: counted == result)
        path.mark("loss")
        return counted
    path.claim("at most the cap", lambda: 0 <= counted <= cap)
    path.claim("by weight", lambda: counted * SCALE <= result * weight)
    if counted < cap and result <= PROFIT_MAX:
        path.claim("rounded down once", lambda: result * weight < (counted + 1) * SCALE)
    path.mark("profit")
    return counted


def values_of(path: Any) -> Any:
    """Worth of holdings: each not negative, after haircut at most at index."""

    def call(ctx: ev.Context, pool: PoolParameters, terms: CollateralTerms, account: str) -> tuple[Any, Any]:
        held = balance(ctx.state, user(terms.asset, pool.pool, account))
        path.claim("a holding is not negative", lambda: held >= 0)
        counted = path.fresh("counted", 0)
        return counted, counted + path.fresh("haircut", 0)

    return call


def counting(path: Any) -> Any:
    """Counted profit: at most the profit."""
    return lambda unrealised, *_: unrealised - path.fresh("not counted", 0)


VALUES = StandIn(collateral_values, "margin.collateral-at-most-at-index", values_of)
COUNTED = StandIn(counted_profit, "margin.counted-profit-at-most-profit", counting)
EXPOSED = StandIn(exposure, "margin.exposures-ordered", lambda path: lambda *_: part_of(path, "exposure"))


@theorem(
    "two-equities",
    "Margin equity is cash, collateral after haircut and unrealised result; initial equity the same with profit as it "
    "counts; net liquidation value is cash, collateral at index and result at mark. Initial equity is at most margin "
    "equity, and that at most net liquidation value (up to two collateral assets).",
    "MARG-9",
    strength=Strength.BOUNDED,
)
def two_equities(path: Any) -> Any:
    """Positions are one opaque exposure, however many they are."""
    world, ctx = holder(path, ("ETH", "BTC"))
    state = world.state
    cash, pool = balance(state, user(CASH, POOL, "A")), state.pools[POOL]
    shown = remembered(exposure, EXPOSED.grounds, lambda path, *_: part_of(path, "exposure"))
    with standing_in(path, VALUES, remembered(counted_profit, COUNTED.grounds, counted_at_most), shown):
        held, part = standing(ctx, "A"), margin.exposure(ctx, state.accounts["A"])
        counts = margin.counted_profit(part.unrealised, pool.profit_weight_initial, pool.profit_cap_initial)
    path.claim("cash", lambda: held.cash == cash)
    path.claim("profit as it counts", lambda: held.initial_equity == held.margin_equity - part.unrealised + counts)
    path.claim("result at mark", lambda: held.net_liquidation_value == cash + held.collateral + part.at_mark)
    path.claim("haircuts are not negative", lambda: held.margin_equity - held.unrealised <= cash + held.collateral)
    path.claim("initial equity", lambda: held.initial_equity <= held.margin_equity)
    path.claim("margin equity", lambda: held.margin_equity <= held.net_liquidation_value)
    path.claim("requirements", lambda: 0 <= held.maintenance <= held.initial)
    path.claim("collateral", lambda: held.collateral >= 0)
    return held


def any_of(path: Any, *_: Any) -> Any:
    """Any integer."""
    return path.fresh("figure")


def any_two(path: Any, *_: Any) -> tuple[Any, Any]:
    """Any two integers."""
    return path.fresh("figure"), path.fresh("figure")


SAME = (
    remembered(tiered_requirement, OPAQUE, any_two),
    remembered(ramped, OPAQUE, any_of),
    remembered(haircut_owed, OPAQUE, any_of),
)
"""Functions of their arguments alone: of the same arguments they give the same."""


@theorem(
    "age-alone-defaults-nobody",
    "Net liquidation value and requirements do not change when time passes and nothing else does, unless a ramp runs.",
    "MARG-5",
    "MARG-9",
    "ORCL-10",
)
def age_alone_defaults_nobody(path: Any) -> Any:
    """Margin equity takes the penalty of age; default is not brought about by a source that is silent."""
    world, ctx = holder(path, ("ETH",))
    market = replace(world.state.markets[MARKET], ramp_end=0)
    world.state.markets.put(MARKET, market)
    later = ev.Context(world.state, ctx.time + path.atom("passed", 0, TIME_MAX), "actor")
    aging = opaque(collateral_price, any_integer), opaque(stale_penalty, any_integer)
    with standing_in(path, *aging, *SAME, remembered(scaled_initial, OPAQUE, any_of), COUNTED):
        now, then = standing(ctx, "A"), standing(later, "A")
    path.claim("net liquidation value", lambda: now.net_liquidation_value == then.net_liquidation_value)
    path.claim("maintenance", lambda: now.maintenance == then.maintenance)
    path.claim("initial", lambda: now.initial == then.initial)
    return now


@theorem(
    "maintenance-is-the-accounts-own",
    "Maintenance, margin equity and net liquidation value of an account do not depend on open interest, nor on any "
    "balance or position of another account.",
    "MARG-2",
    "MARG-4",
    "MARG-9",
)
def maintenance_is_own(path: Any) -> Any:
    """Else whoever inflates open interest between two own accounts could liquidate a stranger."""
    world, ctx = holder(path, ("ETH",))
    state = world.state
    with standing_in(path, opaque(scaled_initial, any_integer), *SAME, COUNTED):
        before = standing(ctx, "A")
        state.open_interest.put(MARKET, path.atom("open interest after", 0, SIZE_MAX))
        state.positions.put(("B", MARKET), symbolic(path, Position, "stranger"))
        for asset in (CASH, "ETH"):
            state.balances.put(user(asset, POOL, "B"), path.atom(f"stranger.{asset}"))
            state.balances.put(house(asset, POOL, Kind.INSURANCE_FUND), path.atom(f"fund.{asset}"))
        after = standing(ctx, "A")
    path.claim("maintenance", lambda: before.maintenance == after.maintenance)
    path.claim("margin equity", lambda: before.margin_equity == after.margin_equity)
    path.claim("net liquidation value", lambda: before.net_liquidation_value == after.net_liquidation_value)
    return before


@theorem(
    "bounded-keeps-order",
    "A clamped equity lies within 2^64 either way, is itself there, and keeps order and sign.",
    "NUM-9",
)
def bounded_keeps_order(path: Any) -> Any:
    """Beyond it an account is as safe, or as lost, as can be."""
    equity, more = path.atom("equity"), path.atom("more", 0)
    result = bounded(equity)
    path.claim("within", lambda: -EQUITY_MAX <= result <= EQUITY_MAX)
    path.claim("order", lambda: result <= bounded(equity + more))
    path.claim("sign", lambda: result >= 0 if equity >= 0 else result < 0)
    if -EQUITY_MAX <= equity <= EQUITY_MAX:
        path.claim("itself", lambda: result == equity)
        path.mark("itself")
    return result


def account(path: Any, name: str) -> Standing:
    """Any standing with requirements in order."""
    figures = {field: path.atom(f"{name} {field}") for field in Standing._fields[:6]}
    maintenance = path.atom(f"{name} maintenance", 0, REQUIREMENT_MAX)
    initial = maintenance + path.atom(f"{name} initial above", 0)
    return Standing(**figures, initial=initial, maintenance=maintenance, notional=path.atom(f"{name} notional", 0))


@theorem(
    "less-risk-sinks-nobody",
    "What passes as less risk raises no maintenance and leaves nobody in default; a solvent account stays solvent, and "
    "an insolvent one sinks no deeper.",
    "MARG-10",
    marks=("solvent", "insolvent"),
)
def less_risk_sinks_nobody(path: Any) -> Any:
    """That the gap to maintenance improves is not enough: an account could be robbed while it closes."""
    before, after = account(path, "before"), account(path, "after")
    if not reduces_risk(before, after):
        return None
    path.claim("no more maintenance", lambda: after.maintenance <= before.maintenance)
    path.claim("not in default", lambda: after.net_liquidation_value >= 0)
    if before.margin_equity >= 0:
        path.claim("stays solvent", lambda: after.margin_equity >= 0)
        path.mark("solvent")
    else:
        path.claim("sinks no deeper", lambda: after.margin_equity >= before.margin_equity)
        path.mark("insolvent")
    return after.margin_equity


@theorem(
    "less-risk-is-no-worse-health",
    "What passes as less risk of an account with maintenance and no negative equity keeps equity x maintenance before "
    ">= equity before x maintenance; what keeps equity and lowers maintenance passes, out of default.",
    "MARG-10",
    marks=("health", "passes"),
)
def less_risk_is_no_worse_health(path: Any) -> Any:
    """Health by cross-multiplication, of equities within the clamp."""
    before, after = account(path, "before"), account(path, "after")
    for held in (before, after):
        path.assume(lambda held=held: -EQUITY_MAX <= held.margin_equity <= EQUITY_MAX, "range of equities")
    passes = reduces_risk(before, after)
    if before.maintenance >= 1 and before.margin_equity >= 0 and passes:
        now, then = after.margin_equity * before.maintenance, before.margin_equity * after.maintenance
        path.claim("no worse health", lambda: now >= then)
        path.mark("health")
    kept = after.margin_equity >= before.margin_equity and after.maintenance <= before.maintenance
    if kept and after.net_liquidation_value >= 0:
        path.claim("passes", lambda: passes)
        path.mark("passes")
    return passes


@theorem(
    "less-risk-adds-up",
    "Two changes that each pass as less risk pass as one.",
    "MARG-10",
    marks=("both",),
)
def less_risk_adds_up(path: Any) -> Any:
    """The test is transitive, so that no order of fills gets around it."""
    first, second, third = (account(path, name) for name in ("first", "second", "third"))
    if not (reduces_risk(first, second) and reduces_risk(second, third)):
        return None
    path.mark("both")
    path.claim("as one", lambda: reduces_risk(first, third))
    return third.margin_equity


@theorem(
    "a-fill-is-judged-by-where-it-began",
    "A fill may stand if initial margin is held after it, or else if there is less risk than before the event, however "
    "much the event has written; and the judgement changes nothing (of an account without positions before it).",
    "MARG-10",
    marks=("initial margin", "less risk", "refused"),
)
def fill_judged_by_where_it_began(path: Any) -> Any:
    """Before is the state that the event found."""
    _, ctx = holder(path)
    ctx.state.accounts.put("A", replace(ctx.state.accounts["A"], markets=()))
    key, after = user(CASH, POOL, "A"), account(path, "after")
    ctx.state.commit()
    before = standing(ctx, "A")
    written = path.atom("written")
    ctx.state.balances.put(key, written)
    allowed = fill_allowed(ctx, "A", after)
    path.claim("nothing is changed", lambda: balance(ctx.state, key) == written)
    if has_initial_margin(after):
        path.claim("may stand", lambda: allowed)
        path.mark("initial margin")
    else:
        path.claim("as less risk", lambda: bool(allowed) == bool(reduces_risk(before, after)))
        path.mark("less risk" if allowed else "refused")
    return allowed


@theorem(
    "profit-that-leaves-is-counted-least",
    "With weight and cap for outflows at most those for new risk, withdrawal equity is at most initial equity, and "
    "that at most margin equity; what unrealised profit adds to it is at most the cap for outflows.",
    "MARG-8",
    "MARG-11",
    "PARM-11",
)
def profit_that_leaves_counts_least(path: Any) -> Any:
    """Unrealised profit is not withdrawn past the margin."""
    world, ctx = holder(path)
    pool = world.state.pools[POOL]
    path.assume(lambda: pool.profit_weight_withdrawal <= pool.profit_weight_initial, "PARM-11")
    path.assume(lambda: pool.profit_cap_withdrawal <= pool.profit_cap_initial, "PARM-11")
    with standing_in(path, EXPOSED):
        held = standing(ctx, "A")
    equity = withdrawal_equity(held, pool)
    without = held.margin_equity - held.unrealised
    path.claim("at most margin equity", lambda: held.initial_equity <= held.margin_equity)
    path.claim("at most initial equity", lambda: equity <= held.initial_equity)
    path.claim("profit at most its cap", lambda: equity <= without + pool.profit_cap_withdrawal)
    return equity


@theorem(
    "an-outflow-leaves-initial-margin",
    "What passes as an outflow leaves margin equity of at least the initial requirement, the maintenance requirement "
    "and the withdrawal margin's part of notional: the account is not liquidatable.",
    "MARG-11",
    "MARG-12",
    marks=("allowed", "refused"),
)
def outflow_leaves_initial_margin(path: Any) -> Any:
    """Unrealised profit counts by its weight and cap for outflows."""
    held = account(path, "account")
    pool = pool_of(path).state.pools[POOL]
    with standing_in(path, COUNTED):
        equity = margin.withdrawal_equity(held, pool)
        allowed = outflow_allowed(held, pool)
    if not allowed:
        path.mark("refused")
        return equity
    path.mark("allowed")
    path.claim("initial margin", lambda: held.margin_equity >= held.initial)
    path.claim("a part of notional", lambda: held.margin_equity * SCALE >= held.notional * pool.withdrawal_margin)
    path.claim("not liquidatable", lambda: not is_liquidatable(held))
    return equity


@theorem(
    "critical-is-liquidatable",
    "An account below critical health is liquidatable, whatever the ratio up to one (requirements up to 2^62); one "
    "that holds its initial margin in initial equity is neither; at maintenance exactly it is not liquidatable.",
    "MARG-10",
    "MARG-12",
    marks=("critical", "sound"),
)
def critical_is_liquidatable(path: Any) -> Any:
    """Initial equity at most margin equity, as ``two-equities`` shows."""
    held, ratio = account(path, "account"), path.atom("critical health", 0, SCALE)
    held = held._replace(initial_equity=held.margin_equity - path.atom("not counted", 0))
    path.claim("strictly", lambda: bool(is_liquidatable(held)) == bool(held.margin_equity < held.maintenance))
    if is_critical(held, ratio):
        path.claim("liquidatable", lambda: is_liquidatable(held))
        path.mark("critical")
    if has_initial_margin(held):
        path.claim("initial margin", lambda: held.initial_equity >= held.initial)
        path.claim("not liquidatable", lambda: not is_liquidatable(held))
        path.claim("not critical", lambda: not is_critical(held, ratio))
        path.mark("sound")
    else:
        path.claim("short of it", lambda: held.initial_equity < held.initial)
    return held.margin_equity


@fits("tiered_requirement", "a notional up to 2^60 and eight tiers that ascend", "MARG-1", "PARM-7")
def fits_tiered_requirement(path: Any) -> Any:
    """Notional times ratio, summed over the tiers; slices up to 2^57 each are wider than any table's."""
    in_128_bits(path)
    made = Table(path, TIERS_MAX, "value")
    ratios = [[path.atom(f"{kind} {number}", 1, SCALE) for kind in KINDS] for number in range(TIERS_MAX)]
    tiers = tuple(Tier(upper, *pair) for upper, pair in zip(made.uppers, ratios, strict=True))
    return tiered_requirement(made.values[0], tiers)


@fits("open_interest_weight", "open interest worth up to 2^56 and bounds inside the envelope", "MARG-2", "PARM-9")
def fits_open_interest_weight(path: Any) -> Any:
    """Difference of notionals times scale."""
    in_128_bits(path)
    lower, value = path.atom("lower", 0, AMOUNT_MAX), path.atom("open interest", 0, NOTIONAL_MAX)
    return open_interest_weight(value, lower, lower + path.atom("width", 1, AMOUNT_MAX))


@fits("size_ratio", "a size, a slope and a unit in range", "MARG-3")
def fits_size_ratio(path: Any) -> Any:
    """Size times slope."""
    in_128_bits(path)
    return size_ratio(path.atom("size", 0, SIZE_MAX), path.atom("slope", 0, SCALE), path.atom("unit", 1, SIZE_MAX))


@fits("scaled_initial", "a notional up to 2^56, a tiered requirement within it and parameters in range", "MARG-4")
def fits_scaled_initial(path: Any) -> Any:
    """Requirement times multiplier, notional times ratio."""
    in_128_bits(path)
    value, size = path.atom("value", 0, NOTIONAL_MAX), path.atom("size", 0, SIZE_MAX)
    tiered, interest = path.atom("tiered", 0, NOTIONAL_MAX), path.atom("open interest", 0, NOTIONAL_MAX)
    with standing_in(path, *RATIOS):
        return scaled_initial(value, tiered, size, interest, margin_of(path))


@fits("requirements", "a notional up to 2^56 and a ramp in range", "MARG-4", "PARM-13")
def fits_requirements(path: Any) -> Any:
    """Difference of requirements times seconds of a ramp."""
    in_128_bits(path)
    market, time = market_of(path, pool_of(path))
    value, size = path.atom("value", 0, NOTIONAL_MAX), path.atom("size", 0, SIZE_MAX)
    market = either_scale(path, market)
    with standing_in(path, TIERED, SCALED_WITHIN):
        return requirements(market, value, size, path.atom("open interest", 0, NOTIONAL_MAX), time)


@fits("stale_penalty", "a mark, a size and times in range", "MARG-5")
def fits_stale_penalty(path: Any) -> Any:
    """Size times price times width."""
    in_128_bits(path)
    market, time = market_of(path, pool_of(path))
    mark = symbolic(path, Mark, "mark")
    return stale_penalty(mark, market, path.atom("size", -SIZE_MAX, SIZE_MAX), time)


@fits("payable", "claims and a pot up to 2^58, what a market's positions can have won", "SETTLE-6")
def fits_payable(path: Any) -> Any:
    """Claim times pot."""
    in_128_bits(path)
    pot, claims = path.atom("pot", 0, 2**58), path.atom("claims", 1, 2**58)
    return payable(path.atom("claim", 0, 2**58), symbolic(path, Settlement, "settlement", pot=pot, claims=claims))


@fits("position_exposure", "an open position within INV-12 and indices within INV-9", "MARG-6", "INV-9", "INV-12")
def fits_position_exposure(path: Any) -> Any:
    """Nothing an open position comes to leaves 2^103; a claim is at most 2^58, by ``fits-128-bits:payable``."""
    in_128_bits(path)
    world, ctx = holder(path)
    state = world.state
    cost = path.atom("cost", -SIZE_MAX * PRICE_MAX, SIZE_MAX * PRICE_MAX)
    position = replace(state.positions["A", MARKET], cost=cost)
    path.assume(lambda: position.size != 0, "range of an open position")
    penalty = StandIn(stale_penalty, AGED, aged)
    asked = StandIn(requirements, "margin.requirements-within-the-notional", within_notional)
    with standing_in(path, penalty, asked):
        part = position_exposure(ctx, MARKET, position)
    for figure in (part.unrealised, part.at_mark):
        path.claim("within 2^103", lambda figure=figure: -(2**103) < figure < 2**103)
    return part.unrealised


def within_notional(path: Any) -> Any:
    """Requirements of at most the notional of any position."""
    return lambda *_: tuple(path.fresh(kind, 0, SIZE_MAX * PRICE_MAX) for kind in KINDS)


AGED = "margin.a-stale-position-is-worth-no-more, oracle.the-worst-price-is-on-the-losing-side"


def aged(path: Any) -> Any:
    """An age penalty: at most the size times the mark."""
    return lambda *_: path.fresh("age penalty", 0, SIZE_MAX * PRICE_MAX)


@fits("exposure", "64 positions, each within 2^103 and its requirements within 2^56", "MARG-6")
def fits_exposure(path: Any) -> Any:
    """Sums over all the positions that an account may hold."""
    in_128_bits(path)
    ctx, account = holder_of_many(path, POSITIONS_MAX)

    def part(path: Any) -> Any:
        worth = [path.fresh(name, -(2**103), 2**103) for name in ("at risk", "at mark")]
        return Exposure(*worth, *(path.fresh(name, 0, NOTIONAL_MAX) for name in ("initial", "maintenance", "notional")))

    grounds = "margin.fits-128-bits:position_exposure, margin.requirements-within-the-notional"
    parts = StandIn(position_exposure, grounds, lambda path: lambda *_: part(path))
    with standing_in(path, parts):
        held = exposure(ctx, account)
    for figure in (held.unrealised, held.at_mark):
        path.claim("within 2^109", lambda figure=figure: -(2**109) <= figure <= 2**109)
    for figure in (held.initial, held.maintenance, held.notional):
        path.claim("within 2^62", lambda figure=figure: 0 <= figure <= REQUIREMENT_MAX)
    return held


@fits("index_value", "an amount up to 2^60, a price and a unit in range", "MARG-7")
def fits_index_value(path: Any) -> Any:
    """Amount times price."""
    in_128_bits(path)
    return index_value(
        path.atom("amount", 0, AMOUNT_MAX), path.atom("price", 0, PRICE_MAX), path.atom("unit", 1, AMOUNT_MAX)
    )


@fits("collateral_price", "a feed, terms and times in range", "MARG-7", "ORCL-9")
def fits_collateral_price(path: Any) -> Any:
    """Rate times age, price times width."""
    in_128_bits(path)
    ctx, _, terms = collateral_of(path)
    return collateral_price(ctx, terms)


@fits("collateral_values", "a holding up to 2^60, the cap of a pool, and terms in range", "MARG-7")
def fits_collateral_values(path: Any) -> Any:
    """Worth up to 2^96 times one less haircut."""
    in_128_bits(path)
    ctx, pool, terms = collateral_of(path)
    ctx.state.balances.put(user("ETH", POOL, "A"), path.atom("holding", 0, AMOUNT_MAX))
    price = path.atom("price", 0, PRICE_MAX)
    with standing_in(path, StandIn(collateral_price, PRICES, lambda _: lambda *__: price)):
        found = collateral_values(ctx, pool, terms, "A")
    for worth in found:
        path.claim("within 2^96", lambda worth=worth: 0 <= worth <= 2**96)
    return found


@fits("counted_profit", "any result, a weight and a cap in range", "MARG-8")
def fits_counted_profit(path: Any) -> Any:
    """A clamped profit times its weight."""
    in_128_bits(path)
    result = path.atom("unrealised", -WORTH_MAX, WORTH_MAX)
    return counted_profit(result, path.atom("weight", 0, SCALE), path.atom("cap", 0, AMOUNT_MAX))


@fits(
    "standing", "an exposure within 2^109, 16 collateral assets within 2^96 each and a balance within 2^111", "MARG-9"
)
def fits_standing(path: Any) -> Any:
    """Nothing that an account is worth leaves 2^112; its positions are one opaque exposure."""
    in_128_bits(path)
    assets = tuple(f"C{number}" for number in range(16))
    _, ctx = holder(path, assets)
    ctx.state.balances.put(user(CASH, POOL, "A"), path.atom("cash", -(2**111), 2**111))
    ctx.state.accounts.put("A", replace(ctx.state.accounts["A"], markets=()))

    def values(path: Any) -> Any:
        return lambda *_: (path.fresh("counted", 0, 2**96), path.fresh("at index", 0, 2**96))

    def whole(path: Any) -> Any:
        worth = [path.fresh(name, -(2**109), 2**109) for name in ("at risk", "at mark")]
        parts = [path.fresh(name, 0, REQUIREMENT_MAX) for name in ("initial", "maintenance", "notional")]
        return Exposure(*worth, *parts)

    stand_ins = (
        StandIn(collateral_values, "margin.fits-128-bits:collateral_values", values),
        StandIn(exposure, "margin.fits-128-bits:exposure", lambda path: lambda *_: whole(path)),
    )
    with standing_in(path, *stand_ins):
        held = standing(ctx, "A")
    for name, figure in zip(Standing._fields, held, strict=True):
        path.claim(f"{name} within 2^112", lambda figure=figure: -WORTH_MAX <= figure <= WORTH_MAX)
    return held


@fits("reduces_risk", "any standings, requirements up to 2^62", "MARG-10")
def fits_reduces_risk(path: Any) -> Any:
    """Clamped equity times requirement."""
    in_128_bits(path)
    return reduces_risk(wide_standing(path, "before"), wide_standing(path, "after"))


@fits("outflow_allowed", "any standing, notional up to 2^62", "MARG-11")
def fits_outflow_allowed(path: Any) -> Any:
    """Notional of an account times the withdrawal margin."""
    in_128_bits(path)
    pool = pool_of(path).state.pools[POOL]
    return outflow_allowed(wide_standing(path, "account"), pool)


@fits("is_critical", "any standing, requirements up to 2^62", "MARG-12")
def fits_is_critical(path: Any) -> Any:
    """Clamped equity times scale, requirement times ratio."""
    in_128_bits(path)
    return is_critical(wide_standing(path, "account"), path.atom("critical health", 0, SCALE))
