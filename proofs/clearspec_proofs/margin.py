"""Theorems about requirements, the two equities, counted profit, and the tests that outflows and fills must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.funding import funding_owed, haircut_owed
from clearspec.margin import (
    Exposure,
    exposure,
    open_interest_weight,
    payable,
    position_exposure,
    requirements,
    scaled_initial,
    size_ratio,
    stale_penalty,
    tiered_requirement,
)
from clearspec.numerics import (
    AMOUNT_MAX,
    NOTIONAL_MAX,
    POSITIONS_MAX,
    RATIO_MAX,
    SCALE,
    SIZE_MAX,
    TIERS_MAX,
    TIME_MAX,
    mul_ceil,
)
from clearspec.oracle import worst_price
from clearspec.parameters import FeedParameters, MarginParameters, Tier, ramped
from clearspec.state import Account, Feed, Market, Position, Settlement
from clearspec_proofs.stand_ins import StandIn, any_integer, opaque, standing_in, with_lemmas
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import MARKET, POOL, World, symbolic

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
    before, after = path.atom("before", 0), path.atom("after", 0)
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
    """Tiered requirements of a table: any of at most the notional, maintenance at most initial."""

    def call(value: Any, tiers: Any) -> Any:
        maintenance = path.fresh("tiered maintenance", 0)
        initial = maintenance + path.fresh("tiered above", 0)
        path.assume(lambda: initial <= value, "a contract")
        return initial, maintenance

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


def market_of(path: Any) -> tuple[World, Market]:
    """A market inside the envelope, as far as margin asks for it."""
    world = World(path)
    world.pool()
    world.market()
    market = world.state.markets[MARKET]
    return world, market


@theorem(
    "requirements-ordered",
    "Of a position of any notional, 0 <= maintenance <= initial <= notional, also while a ramp runs.",
    "MARG-4",
    "PARM-13",
    marks=("ramp", "no ramp"),
)
def requirements_ordered(path: Any) -> Any:
    """A fill never opens a position that may be liquidated in the same second."""
    _, market = market_of(path)
    margin = market.listing.parameters.margin
    upper = margin.open_interest_upper
    path.assume(lambda: upper == 0 or margin.open_interest_lower < upper, "range by PARM-9")
    value, size = path.atom("value", 0, NOTIONAL_MAX), path.atom("size", 0, SIZE_MAX)
    interest, time = path.atom("open interest", 0, NOTIONAL_MAX), market.ramp_start + path.atom("elapsed", 0, TIME_MAX)
    with standing_in(path, TIERED, *RATIOS, RAMPED):
        initial, maintenance = requirements(market, value, size, interest, time)
    path.claim("maintenance", lambda: 0 <= maintenance <= initial)
    path.claim("initial", lambda: initial <= value)
    path.mark("ramp" if time < market.ramp_end else "no ramp")
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
    _, market = market_of(path)
    value, elapsed = path.atom("value", 0, NOTIONAL_MAX), path.atom("elapsed", 0, TIME_MAX)
    time = market.ramp_start + elapsed
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
    """An account with a position in a market, any balances, and any parameters inside the envelope."""
    world = World(path)
    for asset in collateral:
        terms = symbolic(path, FeedParameters, f"{asset}-feed.parameters", feed=f"{asset}-feed", sources=())
        feed = symbolic(path, Feed, f"{asset}-feed", parameters=terms, markets=())
        world.state.feeds.put(f"{asset}-feed", feed)
    world.pool(collateral=collateral)
    world.market()
    world.account("A", markets=(MARKET,))
    world.state.positions.put(("A", MARKET), symbolic(path, Position, "position"))
    return world, ev.Context(world.state, path.atom("time", 0, TIME_MAX), "actor")


@theorem(
    "a-stale-position-is-worth-no-more",
    "The age penalty is never negative, is nothing for a mark that is not overdue, and is the unsigned size times what "
    "the worst price is worse than the mark.",
    "MARG-5",
    "ORCL-9",
)
def stale_position_worth_no_more(path: Any) -> Any:
    """Long and short alike."""
    world, ctx = holder(path)
    mark, market = world.state.marks[MARKET], world.state.markets[MARKET]
    size, overdue = path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("overdue", 0, TIME_MAX)
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
REQUIREMENTS = StandIn(
    requirements, "margin.requirements-ordered", lambda path: lambda *_: any_requirements(path)
)


def any_requirements(path: Any) -> tuple[Any, Any]:
    """Requirements of a position: any, maintenance at most initial."""
    maintenance = path.fresh("maintenance", 0)
    return maintenance + path.fresh("initial above", 0), maintenance


PENALTY = StandIn(
    stale_penalty, "margin.a-stale-position-is-worth-no-more", lambda path: lambda *_: path.fresh("age penalty", 0)
)


@theorem(
    "a-position-counts-what-it-owes",
    "An open position's result at mark is size x mark less cost, funding owed and haircut owed; its unrealised result is "
    "that, less the age penalty where the mark is stale, and never above it; maintenance is at most initial.",
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
    with standing_in(path, REQUIREMENTS, PENALTY):
        part = position_exposure(ctx, MARKET, position)
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
    cost = -path.atom("claim", 0, 2**58)
    settlement = symbolic(path, Settlement, "claims", claims=path.atom("all claims", 1), price=0)
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
    markets = tuple(f"M{number}" for number in range(count))
    world = World(path)
    for market in markets:
        world.state.positions.put(("A", market), Position(1, 0, 0, 0))
    parts = {market: part_of(path, market) for market in markets}
    stand_in = StandIn(position_exposure, PARTS, lambda _: lambda ctx, market, position: parts[market])
    account = Account("A", "actor", POOL, markets, "")
    with standing_in(path, stand_in):
        held = exposure(ev.Context(world.state, 0, "actor"), account)
    if path.stand_ins:
        sums = Exposure(*(sum(column) for column in zip(*parts.values(), strict=True))) if parts else Exposure(*[0] * 5)
        for name, mine, whole in zip(Exposure._fields, held, sums, strict=True):
            path.claim(f"sum of {name}", lambda mine=mine, whole=whole: mine == whole)
    path.claim("no better at risk", lambda: held.unrealised <= held.at_mark)
    path.claim("requirements", lambda: 0 <= held.maintenance <= held.initial)
    path.claim("notional", lambda: held.notional >= 0)
    path.mark({0: "none", POSITIONS_MAX: "most"}.get(count, "some"))
    return held
