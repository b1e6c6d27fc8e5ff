"""Theorems about liquidation: its trigger, what a step restores, what it costs, and who gains from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import liquidation, margin
from clearspec.margin import Standing
from clearspec.numerics import EQUITY_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX, TIERS_MAX, TIME_MAX, mul_ceil
from clearspec.parameters import LiquidationParameters, Tier
from clearspec.sandbox import LISTING, MARGIN
from clearspec.sandbox import MARKET as PARAMETERS
from clearspec.state import Budget, Market, MarketStatus
from clearspec_proofs.books import given
from clearspec_proofs.stand_ins import Function, StandIn, any_integer, opaque, standing_in
from clearspec_proofs.theorems import theorem
from clearspec_proofs.world import symbolic

REQUIREMENT_MAX = 2**62
"""Notional or requirement of 64 positions (NUM-9)."""

KEPT, CLOSED, REST = "kept", "closed", "above"
TABLES, FREED = "liquidation.closing-frees-the-lowest-ratio", "liquidation.closing-frees-requirement"


def noted(path: Any, name: str, fact: Any) -> None:
    """Claim a fact that is evident from ranges, and have it among the hypotheses of what follows."""
    path.claim(name, lambda: fact)
    given(path, fact, name)


# What closing frees


def slices(path: Any, left: int, total: int, count: int) -> list[dict[str, Any]]:
    """The slices of a table's tiers that are kept of a notional, closed of it, and above it; as atoms.

    The notional reaches into tier ``total``, what is kept of it into tier ``left``; -1 if nothing is.
    """
    found = []
    for tier in range(count):
        parts = {KEPT: tier <= left, CLOSED: left <= tier <= total, REST: tier >= total}
        empty = {KEPT: False, CLOSED: tier == left < total, REST: tier == total}
        found.append({name: path.atom(f"{name}{tier}", 1 - empty[name]) for name, here in parts.items() if here})
    return found


def pick(path: Any, name: str, first: int, last: int) -> int:
    """Each number from ``first`` to ``last``."""
    options = tuple(range(first, last + 1))
    chosen = path.choice(name, *options)
    return next((option for option in options[:-1] if chosen == option), last)


@theorem(
    "closing-frees-the-lowest-ratio",
    "Closing a notional frees the lowest maintenance ratio of it, less an atom's rounding where something is kept.",
    "MARG-1",
    "PARM-7",
)
def closing_frees_the_lowest_ratio(path: Any) -> Any:
    """Of every table: slices and rises are not negative, so that tiers ascend and maintenance never falls."""
    count = pick(path, "tiers", 1, TIERS_MAX)
    left = pick(path, "kept up to tier", -1, count - 1)
    total = pick(path, "reaching tier", max(0, left), count - 1)
    parts = slices(path, left, total, count)
    rises = [path.atom(f"maintenance{tier}", 0 if tier else 1) for tier in range(count)]
    uppers = [sum(sum(part.values()) for part in parts[: tier + 1]) for tier in range(count)]
    tiers = tuple(Tier(upper, 1, sum(rises[: tier + 1])) for tier, upper in enumerate(uppers))
    kept, closed = (sum(part[name] for part in parts if name in part) for name in (KEPT, CLOSED))
    for tier in range(1, total + 1):
        above = sum(part[CLOSED] for part in parts[tier:] if CLOSED in part)
        noted(path, "lemma: above a tier closing frees no less", rises[tier] * above >= 0)
    _, before = margin.tiered_requirement(kept + closed, tiers)
    _, after = margin.tiered_requirement(kept, tiers)
    rounding = 0 if left < 0 else SCALE - 1
    path.claim("frees", lambda: (before - after) * SCALE >= closed * rises[0] - rounding)
    return before, after


def market_with(path: Any, rules: LiquidationParameters) -> tuple[Market, Any]:
    """A market with any lowest maintenance ratios and these rules of liquidation, and a time in or after its ramp."""
    ratios = path.atom("maintenance", 1, SCALE), path.atom("before.maintenance", 1, SCALE)
    margins = [replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, SCALE, ratio),)) for ratio in ratios]
    parameters, before = (replace(PARAMETERS, liquidation=rules, margin=entry) for entry in margins)
    first, passed = path.atom("first", 0, TIME_MAX), path.atom("passed", 0, TIME_MAX)
    time, end = first + passed, first
    if path.choice("ramp", "running", "over") == "running":
        path.mark("ramp")
        end = time + path.atom("to come", 1, TIME_MAX)
    return Market(replace(LISTING, parameters=parameters), MarketStatus.ACTIVE, before, first, end), time


def tables(market: Market, kept: Any, closed: Any, lowest: Any) -> StandIn:
    """Requirements of a notional and of what is kept of it, by ``closing-frees-the-lowest-ratio`` for each table."""
    full = kept is NOTHING
    rounding = 0 if full else SCALE - 1

    def of(path: Any) -> Function:
        known: dict[bool, tuple[Any, Any]] = {}

        def stand_in(value: Any, tiers: tuple[Tier, ...]) -> tuple[Any, Any]:
            new = tiers is market.listing.parameters.margin.tiers
            if new not in known:
                after, freed = 0 if full else path.fresh("after", 0), path.fresh("freed", 0)
                given(path, freed * SCALE >= closed * tiers[0].maintenance - rounding, TABLES)
                known[new] = after + freed, after
                noted(path, "lemma: of the lowest ratio no less", freed * SCALE >= closed * lowest - rounding)
            return path.fresh("initial", 0), known[new][value is kept]

        return stand_in

    return StandIn(margin.tiered_requirement, TABLES, of)


NOTHING = 0
SCALED_INITIAL = opaque(margin.scaled_initial, any_integer)
"""Initial margin has no part in a liquidation."""


@theorem(
    "closing-frees-requirement",
    "Closing a notional frees the maintenance ratio in force of it, less two atoms' rounding where something is kept.",
    "LIQ-2",
    "MARG-4",
    "PARM-13",
    marks=("ramp",),
)
def closing_frees_requirement(path: Any) -> Any:
    """At any moment of a ramp between any two tables, or without one."""
    market, time = market_with(path, PARAMETERS.liquidation)
    full = path.choice("close", "full", "part") == "full"
    kept, closed = NOTHING if full else path.atom("kept", 1, NOTIONAL_MAX), path.atom("closed", 1, NOTIONAL_MAX)
    lowest = liquidation.maintenance_in_force(market, time)
    lots, interest = path.atom("lots", 0, SIZE_MAX), path.atom("interest", 0)
    rounding = 0 if full else SCALE - 1
    with standing_in(path, tables(market, kept, closed, lowest), SCALED_INITIAL):
        _, before = margin.requirements(market, kept + closed, lots, interest, time)
        _, after = margin.requirements(market, kept, lots, interest, time)
    freed = (before - after) * SCALE - closed * lowest + 2 * rounding
    path.claim("frees", lambda: freed >= 0)
    return before, after


# What a step costs


@theorem(
    "penalty-bounded",
    "The penalty is not negative, at most its ratio of the closed notional, at most the closed part of what the account "
    "is worth, and so never more than that.",
    "LIQ-4",
)
def penalty_bounded(path: Any) -> Any:
    """For any closed notional up to all that the account holds."""
    closed, other = path.atom("closed", 0, REQUIREMENT_MAX), path.atom("other", 0, REQUIREMENT_MAX)
    held = closed + other
    given(path, held >= 1, "the account holds a position")
    ratio, worth = path.atom("ratio", 0, SCALE - 1), path.atom("worth")
    paid, bound = liquidation.penalty_for(closed, ratio, worth, held), max(0, worth)
    path.claim("not negative", lambda: paid >= 0)
    path.claim("its ratio", lambda: paid * SCALE <= closed * ratio)
    path.claim("the closed part", lambda: paid * held <= bound * closed)
    noted(path, "lemma: the part that stays", bound * other >= 0)
    path.claim("lemma: at most the worth of all that is held", lambda: (bound - paid) * held >= 0)
    path.claim("at most the worth", lambda: paid <= bound)
    return paid


def _penalty(path: Any) -> Function:
    def stand_in(value: Any, ratio: Any, net_liquidation_value: Any, notional_held: Any) -> Any:
        path.claim("the account holds what is closed", lambda: 1 <= value <= notional_held)
        paid = path.fresh("penalty", 0)
        given(path, paid * SCALE <= value * ratio, "liquidation.penalty-bounded")
        return paid

    return stand_in


PENALTY = StandIn(liquidation.penalty_for, "liquidation.penalty-bounded", _penalty)
"""The penalty is at most its ratio of the closed notional, which is what the requirement freed is compared with."""


@theorem(
    "reward-bounded",
    "The liquidator's reward is not negative, at most the penalty and at most its ratio of the closed notional; so it "
    "is paid by the account, and by nobody where the account is worth nothing.",
    "LIQ-5",
)
def reward_bounded(path: Any) -> Any:
    """With the penalty by its real function, whose bound is the worth of the account."""
    closed, other = path.atom("closed", 1, REQUIREMENT_MAX), path.atom("other", 0, REQUIREMENT_MAX)
    rules, worth = symbolic(path, LiquidationParameters, "rules"), path.atom("worth")
    paid = liquidation.penalty_for(closed, rules.penalty, worth, closed + other)
    reward = liquidation.reward_from(closed, paid, rules.reward)
    path.claim("not negative", lambda: reward >= 0)
    path.claim("at most the penalty", lambda: reward <= paid)
    path.claim("its ratio", lambda: reward * SCALE <= closed * rules.reward)
    if worth <= 0:
        path.claim("nothing of nothing", lambda: reward == 0)
    return reward


@theorem(
    "reward-floor-within-budget",
    "What insurance adds to a reward is at most what is missing to the floor, what the budget leaves and what the fund "
    "holds, and never negative; the drawn budget never passes its limit, and a new one starts only an interval later.",
    "LIQ-6",
)
def reward_floor_within_budget(path: Any) -> Any:
    """``budget`` is the market's record before the draw."""
    rules, budget = symbolic(path, LiquidationParameters, "rules"), symbolic(path, Budget, "budget")
    closed, reward = path.atom("closed", 0, REQUIREMENT_MAX), path.atom("reward", 0)
    fund, time = path.atom("fund", 0), path.atom("time", 0, TIME_MAX)
    now = liquidation.renewed(budget, time, rules.budget_interval)
    if time < budget.start + rules.budget_interval:
        path.claim("what was drawn counts", lambda: now.rewards == budget.rewards)
    added = liquidation.topped_up(closed, reward, rules, now.rewards, fund)
    path.claim("not negative", lambda: added >= 0)
    path.claim("at most the fund", lambda: added <= fund)
    path.claim("no more than is missing", lambda: added == 0 or (added + reward) * SCALE <= closed * rules.reward_floor)
    path.claim("within the budget", lambda: now.rewards + added <= max(now.rewards, rules.reward_budget))
    return added


# What a step restores


@theorem(
    "health-never-falls",
    "Margin equity less requirement falls by one atom at most in a liquidation; it does not fall where the closed "
    "notional times maintenance ratio less penalty is at least 2 x scale, nor where the close is full.",
    "LIQ-3",
    "LIQ-4",
    marks=("a full close", "a large one", "any"),
)
def health_never_falls(path: Any) -> Any:
    """The requirement freed is what ``closing-frees-requirement`` shows of any table and any moment of a ramp."""
    ratio, edge = path.atom("penalty", 0, SCALE - 1), path.atom("edge", 1, SCALE)
    closed, held = path.atom("closed", 1, NOTIONAL_MAX), path.atom("other", 0, REQUIREMENT_MAX)
    freed, full = path.atom("freed", 0), path.choice("close", "full", "part") == "full"
    given(path, freed * SCALE >= closed * (ratio + edge) - (0 if full else 2 * SCALE - 2), FREED)
    paid = liquidation.penalty_for(closed, ratio, path.atom("worth"), closed + held)
    path.claim("lemma: the penalty is at most its ratio", lambda: paid * SCALE <= closed * ratio)
    noted(path, "lemma: it frees more than it costs", closed * edge >= 0)
    if full:
        path.mark("a full close")
        path.claim("not in a full close", lambda: freed >= paid)
    elif closed * edge >= 2 * SCALE:
        path.mark("a large one")
        path.claim("not in a large one", lambda: freed >= paid)
    else:
        path.mark("any")
        path.claim("by one atom at most", lambda: freed >= paid - 1)
    return paid


@theorem(
    "restoring-size-suffices",
    "Closing the restoring size frees, at the maintenance ratio less the penalty, the shortfall and two atoms more.",
    "LIQ-2",
)
def restoring_size_suffices(path: Any) -> Any:
    """For any shortfall, price, and ratios of which maintenance is the greater."""
    shortfall, price = path.atom("shortfall", 1), path.atom("price", 1, PRICE_MAX)
    penalty, edge = path.atom("penalty", 0, SCALE - 1), path.atom("edge", 1, SCALE)
    lots = liquidation.restoring_size(shortfall, price, penalty + edge, penalty)
    path.claim("a lot at least", lambda: lots >= 1)
    path.claim("enough", lambda: lots * price * edge >= (shortfall + 2) * SCALE)
    return lots


def restoring(wanted: list[Any]) -> StandIn:
    """The restoring size by what ``restoring-size-suffices`` shows of it; ``wanted`` takes note of it."""

    def of(path: Any) -> Function:
        def stand_in(shortfall: Any, price: Any, maintenance: Any, penalty: Any) -> Any:
            path.claim("the shortfall is positive", lambda: shortfall >= 1)
            path.claim("maintenance is above the penalty", lambda: maintenance > penalty)
            lots, grounds = path.fresh("restoring_size", 1), "liquidation.restoring-size-suffices"
            given(path, lots * price * (maintenance - penalty) >= (shortfall + 2) * SCALE, grounds)
            wanted.append(lots)
            return lots

        return stand_in

    return StandIn(liquidation.restoring_size, "liquidation.restoring-size-suffices", of)


def any_standing_below(path: Any) -> Standing:
    """Any standing of an account below maintenance."""
    wide = {name: path.atom(name) for name in Standing._fields if name not in ("margin_equity", "maintenance")}
    requirement = path.atom("maintenance requirement", 0, REQUIREMENT_MAX)
    return Standing(**wide, maintenance=requirement, margin_equity=requirement - path.atom("short of it", 1))


@theorem(
    "sized-step-restores",
    "A step of the greatest size closes the position, or reaches the close factor, or leaves margin equity at "
    "maintenance with its buffer or above: E' >= R' + buffer of R.",
    "LIQ-2",
    "LIQ-3",
    "LIQ-4",
    marks=("restored", "closed", "close factor"),
)
def sized_step_restores(path: Any) -> Any:
    """For any size within its bounds, at any moment of a ramp, and any health."""
    rules, account = symbolic(path, LiquidationParameters, "rules"), any_standing_below(path)
    market, time = market_with(path, rules)
    size, price = path.atom("size", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    lowest = liquidation.maintenance_in_force(market, time)
    given(path, rules.penalty < lowest, "penalty-below-maintenance")
    given(path, account.notional >= size * price, "the account holds the position")
    wanted: list[Any] = []
    with standing_in(path, restoring(wanted)):
        piece = liquidation.closable_size(size, price, account, market, time)
    path.claim("at most the position", lambda: 0 <= piece <= size)
    if piece >= size:
        path.mark("closed")
    elif piece >= mul_ceil(size, rules.close_factor):
        path.mark("close factor")
    else:
        path.mark("restored")
        for lots in wanted:
            more, edge = (piece - lots) * price, lowest - rules.penalty
            path.claim("lemma: the restoring size or more", lambda more=more: more >= 0)
            path.claim("lemma: enough", lambda more=more, edge=edge: more * edge >= 0)
        with standing_in(path, PENALTY):
            restored(path, account, rules, piece * price, lowest)
    return piece


def restored(path: Any, account: Standing, rules: LiquidationParameters, closed: Any, lowest: Any) -> None:
    """Claim that an account of which so much is closed has its maintenance requirement and the buffer."""
    freed = path.atom("freed", 0)
    given(path, freed * SCALE >= closed * lowest - 2 * SCALE + 2, FREED)
    paid = liquidation.penalty_for(closed, rules.penalty, account.net_liquidation_value, account.notional)
    target = account.maintenance + mul_ceil(account.maintenance, rules.buffer)
    path.claim("restored", lambda: account.margin_equity - paid >= target - freed)


# Splitting a liquidation


@theorem(
    "penalty-is-the-greatest",
    "No greater integer than the penalty is within its two bounds: the ratio of the closed notional, and the closed "
    "part of what the account is worth.",
    "LIQ-4",
)
def penalty_is_the_greatest(path: Any) -> Any:
    """So whatever is within both bounds is at most the penalty."""
    closed, held = path.atom("closed", 0, REQUIREMENT_MAX), path.atom("held", 1)
    ratio, worth, other = path.atom("ratio", 0, SCALE - 1), path.atom("worth"), path.atom("other")
    given(path, other * SCALE <= closed * ratio, "within the ratio")
    paid = liquidation.penalty_for(closed, ratio, worth, held)
    bound = max(0, margin.bounded(worth))
    given(path, other * held <= bound * closed, "within the part of the worth")
    path.claim("the greatest", lambda: other <= paid)
    return paid


class Split:
    """A liquidation at once, and the same in two pieces; penalties by the theorems above."""

    def __init__(self, path: Any) -> None:
        self.path = path
        self.rules = symbolic(path, LiquidationParameters, "rules")
        self.pieces = [path.atom(f"piece{number}", 1, NOTIONAL_MAX) for number in (1, 2)]
        self.value, self.other = sum(self.pieces), path.atom("other", 0, REQUIREMENT_MAX)
        ranges = {"none": (None, 0), "some": (1, EQUITY_MAX), "more than counts": (EQUITY_MAX + 1, None)}
        self.wealth = path.choice("worth is", *ranges)
        self.worth = path.atom("worth", *next(ranges[name] for name in ranges if self.wealth == name))
        self.bound = max(0, min(self.worth, EQUITY_MAX))

    def penalty(self, value: Any, worth: Any, held: Any) -> Any:
        """The real penalty on a closed notional, with its two bounds."""
        paid = liquidation.penalty_for(value, self.rules.penalty, worth, held)
        self.path.claim("lemma: its ratio", lambda: paid * SCALE <= value * self.rules.penalty)
        bound = max(0, margin.bounded(worth))
        self.path.claim("lemma: its part of the worth", lambda: paid * held <= bound * value)
        return paid


@theorem(
    "splitting-takes-no-more",
    "Two liquidations take from an account no more in penalties than one of both pieces together.",
    "LIQ-4",
)
def splitting_takes_no_more(path: Any) -> Any:
    """Closing at mark leaves net liquidation value as it is, so that only the first penalty lowers it."""
    case = Split(path)
    one, other = case.pieces
    held = case.value + case.other
    first = case.penalty(one, case.worth, held)
    second = case.penalty(other, case.worth - first, held - one)
    #whole = case.penalty(case.value, case.worth, held)
    return first, second
