"""Theorems about liquidation: its trigger, what a step restores, what it costs, and who gains from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clearspec import events as ev
from clearspec import liquidation, margin, trading
from clearspec.ledger import Kind, balance, house, post, user
from clearspec.machine import apply
from clearspec.margin import Standing
from clearspec.numerics import EQUITY_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX, TIERS_MAX, TIME_MAX, mul_ceil
from clearspec.parameters import LiquidationParameters, Tier
from clearspec.sandbox import LISTING, MARGIN, PERCENT
from clearspec.sandbox import MARKET as PARAMETERS
from clearspec.state import Budget, Market, MarketStatus, State
from clearspec_proofs.desk import CASH, MARKET, POOL, Desk, claim_parties
from clearspec_proofs.hints import noted, numbers, pick
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import (
    Function,
    StandIn,
    any_integer,
    any_standing,
    cut_short,
    opaque,
    passing,
    standing_in,
)
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import symbolic

DEBTOR, KEEPER, INSURANCE = "A", "B", "insurance"
REQUIREMENT_MAX = 2**62
"""Notional or requirement of 64 positions (NUM-9)."""

KEPT, CLOSED, REST = "kept", "closed", "above"
IN_CAP = "range (INV-15, INV-16)"
TABLES, FREED = "liquidation.closing-frees-the-lowest-ratio", "liquidation.closing-frees-requirement"


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


@theorem(
    "closing-frees-the-lowest-ratio",
    "Closing a part of a notional that the tiers reach, or all of it, frees the lowest maintenance ratio of what is "
    "closed, less an atom's rounding where something is kept; what is kept needs no less than nothing, and nothing of "
    "nothing.",
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
    path.claim("not below nothing", lambda: after >= 0 if left >= 0 else after == 0)
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
            path.claim("the tiers reach it", lambda: closed >= 1 and kept >= 0 and kept + closed <= tiers[-1].upper)
            path.claim("of the whole, or of what is kept", lambda: value == (kept if value is kept else kept + closed))
            new = tiers is market.listing.parameters.margin.tiers
            if new not in known:
                after, freed = 0 if full else path.fresh("after", 0), path.fresh("freed", 0)
                given(path, freed * SCALE >= closed * tiers[0].maintenance - rounding, TABLES)
                known[new] = after + freed, after
                noted(path, "lemma: of the lowest ratio no less", freed * SCALE >= closed * lowest - rounding)
            return path.fresh("initial"), known[new][value is kept]

        return stand_in

    return StandIn(margin.tiered_requirement, TABLES, of)


NOTHING = 0
SCALED_INITIAL = opaque(margin.scaled_initial, any_integer)
"""Initial margin has no part in a liquidation."""


@theorem(
    "closing-frees-requirement",
    "Closing a part of a notional up to 2^56, or all of it, frees the maintenance ratio in force of what is closed, "
    "less two atoms' rounding where something is kept.",
    "LIQ-2",
    "MARG-4",
    "PARM-13",
    marks=("ramp",),
)
def closing_frees_requirement(path: Any) -> Any:
    """At any moment of a ramp between any two tables that reach to the top, or without one."""
    market, time = market_with(path, PARAMETERS.liquidation)
    full = path.choice("close", "full", "part") == "full"
    kept, closed = NOTHING if full else path.atom("kept", 1), path.atom("closed", 1)
    given(path, kept + closed <= NOTIONAL_MAX, "a notional up to 2^56")
    lowest = liquidation.maintenance_in_force(market, time)
    lots, interest = path.atom("lots"), path.atom("interest")
    rounding = 0 if full else SCALE - 1
    with standing_in(path, tables(market, kept, closed, lowest), SCALED_INITIAL):
        _, before = margin.requirements(market, kept + closed, lots, interest, time)
        _, after = margin.requirements(market, kept, lots, interest, time)
    freed = (before - after) * SCALE - closed * lowest + 2 * rounding
    path.claim("frees", lambda: freed >= 0)
    return before, after


def freed_by(path: Any, kept: Any, closed: Any, lowest: Any) -> Any:
    """What closing a part of a position, or all of it, frees of its requirement, by ``closing-frees-requirement``."""
    path.claim("a part, or all", lambda: closed >= 1 and kept >= 0)
    path.claim("a notional up to 2^56", lambda: kept + closed <= NOTIONAL_MAX)
    freed, whole = path.fresh("freed"), kept is NOTHING
    given(path, freed * SCALE >= closed * lowest - (0 if whole else 2 * SCALE - 2), FREED)
    return freed


# What a step costs


@theorem(
    "penalty-bounded",
    "The penalty is not negative, at most its ratio of the closed notional, at most the closed part of what the "
    "account is worth, or of 2^64 if that is less, and so never more than that.",
    "LIQ-4",
)
def penalty_bounded(path: Any) -> Any:
    """For any closed notional up to all that the account holds."""
    closed, other = path.atom("closed", 0), path.atom("other", 0)
    held = closed + other
    given(path, held >= 1, "the account holds a position")
    ratio, worth = path.atom("ratio", 0), path.atom("worth")
    paid, bound = liquidation.penalty_for(closed, ratio, worth, held), max(0, worth)
    counted = max(0, margin.bounded(worth))
    path.claim("not negative", lambda: paid >= 0)
    path.claim("its ratio", lambda: paid * SCALE <= closed * ratio)
    path.claim("the closed part of what counts", lambda: paid * held <= counted * closed)
    path.claim("lemma: no more counts than there is", lambda: (bound - counted) * closed >= 0)
    path.claim("the closed part", lambda: paid * held <= bound * closed)
    noted(path, "lemma: the part that stays", bound * other >= 0)
    path.claim("lemma: at most the worth of all that is held", lambda: (bound - paid) * held >= 0)
    if paid >= bound + 1:
        path.claim("lemma: beyond the worth of all that is held", lambda: (paid - bound - 1) * held >= 0)
    path.claim("at most the worth", lambda: paid <= bound)
    return paid


def _penalty(path: Any) -> Function:
    def stand_in(value: Any, ratio: Any, net_liquidation_value: Any, notional_held: Any) -> Any:
        path.claim("the account holds what is closed", lambda: 1 <= value <= notional_held)
        path.claim("the ratio is not negative", lambda: ratio >= 0)
        if net_liquidation_value <= 0:
            return 0
        paid = path.fresh("penalty", 0)
        given(path, paid * SCALE <= value * ratio, "range (liquidation.penalty-bounded)")
        given(path, paid <= net_liquidation_value, "range (liquidation.penalty-bounded)")
        return paid

    return stand_in


PENALTY = StandIn(liquidation.penalty_for, "liquidation.penalty-bounded", _penalty)
"""The penalty is at most its ratio of the closed notional and what the account is worth."""


@theorem(
    "reward-bounded",
    "The liquidator's reward is not negative, at most the penalty and at most its ratio of the closed notional; so it "
    "is paid by the account, and by nobody where the account is worth nothing.",
    "LIQ-5",
)
def reward_bounded(path: Any) -> Any:
    """With the penalty by its real function, whose bound is the worth of the account, and with any other."""
    closed, other = path.atom("closed", 1), path.atom("other", 0)
    rules, worth = symbolic(path, LiquidationParameters, "rules"), path.atom("worth")
    paid = liquidation.penalty_for(closed, rules.penalty, worth, closed + other)
    reward = liquidation.reward_from(closed, paid, rules.reward)
    path.claim("not negative", lambda: reward >= 0)
    path.claim("at most the penalty", lambda: reward <= paid)
    path.claim("its ratio", lambda: reward * SCALE <= closed * rules.reward)
    if worth <= 0:
        path.claim("nothing of nothing", lambda: reward == 0)
    penalty = path.atom("any penalty", 0)
    of_any = liquidation.reward_from(closed, penalty, rules.reward)
    path.claim("of any penalty a part", lambda: 0 <= of_any <= penalty)
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
    closed, reward = path.atom("closed", 0), path.atom("reward", 0)
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
    closed, held = path.atom("closed", 1, NOTIONAL_MAX), path.atom("other", 0)
    full = path.choice("close", "full", "part") == "full"
    kept = NOTHING if full else path.atom("kept", 1, NOTIONAL_MAX)
    given(path, kept + closed <= NOTIONAL_MAX, IN_CAP)
    freed = freed_by(path, kept, closed, ratio + edge)
    paid = liquidation.penalty_for(closed, ratio, path.atom("worth"), kept + closed + held)
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
    shortfall, price = path.atom("shortfall", 1), path.atom("price", 1)
    penalty, edge = path.atom("penalty", 0), path.atom("edge", 1)
    lots = liquidation.restoring_size(shortfall, price, penalty + edge, penalty)
    path.claim("a lot at least", lambda: lots >= 1)
    path.claim("enough", lambda: lots * price * edge >= (shortfall + 2) * SCALE)
    return lots


def restoring(wanted: list[Any]) -> StandIn:
    """The restoring size by what ``restoring-size-suffices`` shows of it; ``wanted`` takes note of it."""

    def of(path: Any) -> Function:
        def stand_in(shortfall: Any, price: Any, maintenance: Any, penalty: Any) -> Any:
            path.claim("the shortfall is positive", lambda: shortfall >= 1)
            path.claim("maintenance is above the penalty", lambda: maintenance > penalty >= 0)
            path.claim("a price", lambda: price >= 1)
            lots, grounds = path.fresh("restoring_size", 1), "liquidation.restoring-size-suffices"
            given(path, lots * price * (maintenance - penalty) >= (shortfall + 2) * SCALE, grounds)
            wanted.append(lots)
            return lots

        return stand_in

    return StandIn(liquidation.restoring_size, "liquidation.restoring-size-suffices", of)


def any_standing_below(path: Any, highest: Any = REQUIREMENT_MAX) -> Standing:
    """Any standing of an account below maintenance, with a requirement up to ``highest``."""
    wide = {name: path.atom(name) for name in Standing._fields if name not in ("margin_equity", "maintenance")}
    requirement = path.atom("maintenance requirement", 0, highest)
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
    """For any size within its bounds, at any moment of a ramp, and any health; with a requirement up to 2^62."""
    rules, account = symbolic(path, LiquidationParameters, "rules"), any_standing_below(path)
    market, time = market_with(path, rules)
    size, price = path.atom("size", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    lowest = liquidation.maintenance_in_force(market, time)
    given(path, rules.penalty < lowest, "penalty-below-maintenance")
    given(path, account.notional >= size * price, "the account holds the position")
    given(path, size * price <= NOTIONAL_MAX, IN_CAP)
    noted(path, "lemma: a part of a lot at least", size * rules.close_factor >= 1)
    noted(path, "lemma: what is not critical is not below zero", account.maintenance * rules.critical_health >= 0)
    wanted: list[Any] = []
    with standing_in(path, restoring(wanted)):
        piece = liquidation.closable_size(size, price, account, market, time)
    path.claim("a lot at least, and at most the position", lambda: 1 <= piece <= size)
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
            restored(path, account, rules, ((size - piece) * price, piece * price), lowest)
    return piece


def restored(path: Any, account: Standing, rules: LiquidationParameters, parts: Any, lowest: Any) -> None:
    """Claim that an account whose position is closed in part has its maintenance requirement and the buffer."""
    kept, closed = parts
    path.claim("lemma: lots are worth something", lambda: closed >= 1)
    freed = freed_by(path, kept, closed, lowest)
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
    closed, held = path.atom("closed", 0), path.atom("held", 1)
    ratio, worth, other = path.atom("ratio", 0), path.atom("worth"), path.atom("other")
    given(path, other * SCALE <= closed * ratio, "within the ratio")
    paid = liquidation.penalty_for(closed, ratio, worth, held)
    bound = max(0, margin.bounded(worth))
    given(path, other * held <= bound * closed, "within the part of the worth")
    path.claim("the greatest", lambda: other <= paid)
    return paid


@dataclass
class Split:
    """A liquidation at once, and the same in two pieces: penalties by the theorems above, or in numbers as they are.

    ``bound`` is what counts of the account's worth.
    """

    path: Any
    rules: LiquidationParameters
    pieces: tuple[Any, Any]
    other: Any
    worth: Any
    bound: Any
    real: bool

    @property
    def held(self) -> Any:
        """Notional that the account holds before."""
        return sum(self.pieces) + self.other

    def penalty(self, value: Any, worth: Any, bound: Any, held: Any) -> Any:
        """The penalty on a piece, of an account of whose worth at most ``bound`` counts."""
        if self.real:
            return liquidation.penalty_for(value, self.rules.penalty, worth, held)
        self.path.contracts.add("liquidation.penalty_for: liquidation.penalty-bounded")
        self.path.claim("the account holds what is closed", lambda: 1 <= value <= held)
        paid = self.path.fresh("penalty", 0)
        given(self.path, paid * SCALE <= value * self.rules.penalty, "liquidation.penalty-bounded")
        given(self.path, paid * held <= bound * value, "liquidation.penalty-bounded")
        return paid

    def parts(self) -> tuple[Any, Any]:
        """The penalties of the two pieces; closing at mark leaves the account's worth as it is."""
        one, other = self.pieces
        first = self.penalty(one, self.worth, self.bound, self.held)
        left = 0 if self.worth <= 0 else self.bound
        if 0 < self.worth <= EQUITY_MAX:
            path, left = self.path, self.bound - first
            noted(path, "lemma: what is not closed", self.bound * (other + self.other) >= 0)
            path.claim("lemma: at most the worth of all that is held", lambda: left * self.held >= 0)
            path.claim("lemma: at most the worth", lambda: left >= 0)
        return first, self.penalty(other, self.worth - first, left, self.held - one)


def split(path: Any) -> Split:
    """Any liquidation in two pieces; and two of which one is bound by the ratio, one by the worth."""
    rules = PARAMETERS.liquidation
    example = numbers(path, ratio=((850, 1_050), 6_000, 10**6), worth=((450_000, 450_000), 0, 5_000))
    if example is not None:
        return Split(path, rules, *example, example[-1], real=True)
    rules = replace(rules, penalty=path.atom("ratio", 0, SCALE - 1))
    pieces = path.atom("piece1", 1, NOTIONAL_MAX), path.atom("piece2", 1, NOTIONAL_MAX)
    ranges = {"nothing": (None, 0), "something": (1, EQUITY_MAX), "more than counts": (EQUITY_MAX + 1, None)}
    wealth = path.choice("worth", *ranges)
    worth = path.atom("worth", *next(bounds for name, bounds in ranges.items() if wealth == name))
    bound = 0 if worth <= 0 else worth if worth <= EQUITY_MAX else EQUITY_MAX
    return Split(path, rules, pieces, path.atom("other", 0, REQUIREMENT_MAX), worth, bound, not path.stand_ins)


@theorem(
    "splitting-takes-no-more",
    "Two liquidations take from an account no more in penalties than one of both pieces together.",
    "LIQ-4",
)
def splitting_takes_no_more(path: Any) -> Any:
    """The two penalties together are within both bounds of the whole, of which the penalty is the greatest integer."""
    case = split(path)
    (first, second), (one, other) = case.parts(), case.pieces
    taken, value, bound = first + second, one + other, case.bound
    path.claim("within the ratio", lambda: taken * SCALE <= value * case.rules.penalty)
    if case.worth > EQUITY_MAX:
        path.claim("lemma: no more than is closed", lambda: value - taken >= 0)
        path.claim("lemma: all that is held is less than the worth", lambda: taken * (bound - case.held) >= 0)
    else:
        path.claim("lemma: the first part", lambda: (bound * one - first * case.held) * case.other >= 0)
    path.claim("within the part of the worth", lambda: taken * case.held <= bound * value)
    whole = liquidation.penalty_for(value, case.rules.penalty, case.worth, case.held) if case.real else None
    if whole is None:
        path.contracts.add("liquidation.penalty_for: liquidation.penalty-is-the-greatest")
        whole = taken + path.fresh("more than both", 0)
    path.claim("no more", lambda: taken <= whole)
    return whole


@theorem(
    "splitting-rewards-no-more",
    "Two liquidations reward their liquidator, out of the account, no more than one of both pieces together.",
    "LIQ-5",
    marks=("any",),
)
def splitting_rewards_no_more(path: Any) -> Any:
    """Penalties of the pieces sum to at most the whole one (``splitting-takes-no-more``)."""
    example = numbers(path, spec=((500, 550), (5, 6), 11, PERCENT // 2), cut=((500, 500), (1, 2), 4, PERCENT))
    if example is None:
        one, other, first, second = (path.atom(name, 0) for name in ("piece1", "piece2", "penalty1", "penalty2"))
        whole, ratio = first + second + path.atom("more", 0), path.atom("ratio", 0, SCALE)
        path.mark("any")
    else:
        (one, other), (first, second), whole, ratio = example
    rewards = liquidation.reward_from(one, first, ratio) + liquidation.reward_from(other, second, ratio)
    path.claim("no more", lambda: rewards <= liquidation.reward_from(one + other, whole, ratio))
    return rewards


# Who gains


def _reward(path: Any) -> Function:
    def stand_in(value: Any, penalty: Any, ratio: Any) -> Any:
        path.claim("nothing is negative", lambda: value >= 1 and penalty >= 0)
        reward = path.fresh("reward", 0)
        given(path, reward <= penalty, "liquidation.reward-bounded")
        return reward

    return stand_in


def _topped_up(path: Any) -> Function:
    def stand_in(value: Any, reward: Any, rules: LiquidationParameters, spent: Any, fund: Any) -> Any:
        path.claim("the fund is not negative", lambda: fund >= 0)
        path.claim("nor is what it is asked for", lambda: value >= 0 and reward >= 0)
        if path.choice("insured", True, False) == False:  # noqa: E712
            return 0
        added, grounds = path.fresh("added", 1), "liquidation.reward-floor-within-budget"
        given(path, added <= fund, grounds)
        given(path, spent + added <= rules.reward_budget, grounds)
        return added

    return stand_in


SHARES = (
    PENALTY,
    StandIn(liquidation.reward_from, "liquidation.reward-bounded", _reward),
    StandIn(liquidation.topped_up, "liquidation.reward-floor-within-budget", _topped_up),
)


def holdings(state: State) -> dict[str, Any]:
    """Settlement balances of the account, its liquidator and the insurance fund."""
    keys = {name: user(CASH, POOL, name) for name in (DEBTOR, KEEPER)}
    keys[INSURANCE] = house(CASH, POOL, Kind.INSURANCE_FUND)
    return {name: balance(state, key) for name, key in keys.items()}


@theorem(
    "nobody-gains-jointly",
    "What a liquidation takes from the account goes to the liquidator and to insurance, so that both together gain at "
    "most what insurance adds to the reward, within its budget; the reward is a part of the penalty; insurance does "
    "not fall below zero, an account worth something stays so, and no other balance changes.",
    "LIQ-4",
    "LIQ-5",
    "LIQ-6",
    "INV-3",
    marks=("insured",),
)
def nobody_gains_jointly(path: Any) -> Any:
    """From any balances and budget, for any closed notional of any standing."""
    desk = Desk(path, DEBTOR, KEEPER)
    rules, account = symbolic(path, LiquidationParameters, "rules"), any_standing(path, "before")
    market = desk.market(rules)
    closed = path.atom("closed", 1)
    given(path, closed <= account.notional, "the account holds what is closed")
    before, spent = holdings(desk.state), liquidation.current_budget(desk.ctx, market).rewards
    start = desk.begin()
    with standing_in(path, *SHARES):
        action = ev.Liquidate(DEBTOR, KEEPER, MARKET, 1)
        paid = liquidation.pay_penalty(desk.ctx, market, action, closed, account)
    after, added = holdings(desk.state), paid["reward_floor"]
    gains = {name: after[name] - before[name] for name in before}
    path.claim("together at most what insurance adds", lambda: gains[DEBTOR] + gains[KEEPER] <= added)
    path.claim("nothing is lost", lambda: gains[DEBTOR] + gains[KEEPER] + gains[INSURANCE] == 0)
    path.claim("the account pays the penalty", lambda: gains[DEBTOR] == -paid["penalty"])
    path.claim("the liquidator gets its parts", lambda: gains[KEEPER] == paid["reward"] + added)
    path.claim("the reward is a part", lambda: 0 <= paid["reward"] <= paid["penalty"] and added >= 0)
    path.claim("insurance not below zero", lambda: after[INSURANCE] >= 0)
    path.claim("within the budget", lambda: added + spent <= max(spent, rules.reward_budget))
    path.claim("what is drawn is noted", lambda: desk.state.budgets[MARKET].rewards == spent + added)
    path.claim("worth something stays so", lambda: paid["penalty"] <= max(0, account.net_liquidation_value))
    touched = {("balances", user(CASH, POOL, name)) for name in (DEBTOR, KEEPER)}
    touched |= {("balances", house(CASH, POOL, Kind.INSURANCE_FUND)), ("budgets", MARKET)}
    path.claim("no other balance", lambda: set(start.changed(desk.state)) <= touched)
    if added > 0:
        path.mark("insured")
    return paid


# The event


@theorem(
    "closable-is-a-part",
    "Whatever the parameters of its market, of an account below maintenance at least a lot may be closed and at most "
    "the position.",
    "LIQ-3",
)
def closable_is_a_part(path: Any) -> Any:
    """Of any standing below maintenance; what it restores is of ``sized-step-restores``."""
    rules, account = symbolic(path, LiquidationParameters, "rules"), any_standing_below(path, None)
    market, time = market_with(path, rules)
    given(path, rules.penalty < liquidation.maintenance_in_force(market, time), "penalty-below-maintenance")
    size, price = path.atom("size", 1), path.atom("price", 1)
    noted(path, "lemma: a part of a lot at least", size * rules.close_factor >= 1)
    noted(path, "lemma: what is not critical is not below zero", account.maintenance * rules.critical_health >= 0)
    with standing_in(path, restoring([])):
        piece = liquidation.closable_size(size, price, account, market, time)
    path.claim("a part", lambda: 1 <= piece <= size)
    return piece


def _at_most(path: Any, size: Any, price: Any, account: Standing, market: Market, time: Any) -> Any:
    path.claim("a position at a price", lambda: size >= 1 and price >= 1)
    path.claim("below maintenance", lambda: account.margin_equity < account.maintenance and account.maintenance >= 0)
    penalty = market.listing.parameters.liquidation.penalty
    path.claim("penalty-below-maintenance", lambda: penalty < liquidation.maintenance_in_force(market, time))
    lots = path.fresh("closable", 1)
    given(path, lots <= size, "range (liquidation.closable-is-a-part)")
    path.claim("lemma: worth no more than the position", lambda: (size - lots) * price >= 0)
    return lots


CLOSABLE = StandIn(
    liquidation.closable_size,
    "liquidation.closable-is-a-part",
    lambda path: lambda *arguments: _at_most(path, *arguments),
)


class Liquidating:
    """A liquidation: of an account with one position at a mark of 100, or of any account of any standing."""

    def __init__(self, path: Any) -> None:
        self.path, self.desk = path, Desk(path, DEBTOR, KEEPER)
        self.plain = path.choice("standings", "plain", "any") == "plain" or not path.stand_ins
        self.seen: list[Standing] = []
        self.lots = path.atom("lots", 1, 10**6 if self.plain else SIZE_MAX)
        self.price = 100 if self.plain else path.atom("price", 1, PRICE_MAX)
        self.desk.priced(self.price)
        self.desk.hold(DEBTOR, self.lots if path.choice("side", "long", "short") == "long" else -self.lots)

    def standing(self, path: Any) -> Function:
        """Any standing, noted in the order in which they are asked for."""

        def stand_in(*_: Any) -> Standing:
            found = any_standing(path, "standing")
            if not self.seen:
                given(path, found.notional >= self.lots * self.price, "range (margin.exposures-ordered)")
                given(path, found.maintenance >= 0, "range (margin.exposures-ordered)")
            self.seen.append(found)
            return found

        return stand_in

    def apply(self, *stand_ins: StandIn) -> ev.Receipt:
        """Apply the event, sent by the owner of the liquidator."""
        desk = self.desk
        if self.plain:
            self.seen.append(margin.standing(desk.ctx, DEBTOR))
        action = ev.Liquidate(DEBTOR, KEEPER, MARKET, self.path.atom("asked", 1, SIZE_MAX))
        any_other = () if self.plain else (StandIn(margin.standing, "margin.exposures-ordered", self.standing),)
        desk.begin()
        with standing_in(self.path, *stand_ins, *any_other):
            return apply(desk.state, ev.Event("event", 1, desk.state.time, "actor", action))


AFTERWARDS = (
    CLOSABLE,
    cut_short(trading.novate, lambda *_: ((0, 1), (0, -1))),
    cut_short(liquidation.pay_penalty, lambda *_: {}),
)


@theorem(
    "only-below-maintenance",
    "An accepted liquidation found margin equity below the maintenance requirement, and not at it, and net liquidation "
    "value not negative.",
    "LIQ-1",
    "MARG-12",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def only_below_maintenance(path: Any) -> Any:
    """Of any standing, of any account."""
    case = Liquidating(path)
    receipt = case.apply(*AFTERWARDS, passing(liquidation.require_able))
    if receipt.reason is None:
        path.mark("accepted")
        before = case.seen[0]
        path.claim("below maintenance", lambda: before.margin_equity < before.maintenance)
        path.claim("not in default", lambda: before.net_liquidation_value >= 0)
    return receipt.reason


ADMITTED = (
    ev.Reason.NO_POSITION,
    ev.Reason.NOT_LIQUIDATABLE,
    ev.Reason.IN_DEFAULT,
    ev.Reason.SIZE_BELOW_MINIMUM,
    ev.Reason.TOO_MANY_POSITIONS,
    ev.Reason.NEGATIVE_BALANCE_LIMIT,
    ev.Reason.INSUFFICIENT_MARGIN,
)
"""Reasons to reject a liquidation of known accounts of one pool in a market that trades at a fresh price."""


@theorem(
    "never-rejected-for-range",
    "A liquidation by its owner into an account of the pool, in an open market with a fresh price, is rejected for the "
    "standing of the two accounts or for its size alone: whatever the balances are, never for the range of an amount.",
    "LIQ-1",
    "LIQ-7",
    "NUM-9",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def never_rejected_for_range(path: Any) -> Any:
    """Balances are any integers; the size that is asked for is within the bounds of its field."""
    receipt = Liquidating(path).apply(*AFTERWARDS)
    if receipt.reason is None:
        path.mark("accepted")
        return None
    path.claim("an admitted reason", lambda: receipt.reason in ADMITTED)
    return receipt.reason


def paying(paid: dict[str, Any]) -> StandIn:
    """The penalty and its parts as ``nobody-gains-jointly`` has it: between these accounts and insurance alone."""

    def of(path: Any) -> Function:
        def stand_in(ctx: ev.Context, market: Market, action: ev.Liquidate, value: Any, before: Standing) -> Any:
            path.claim("the account holds what is closed", lambda: 1 <= value <= before.notional)
            claim_parties(path, ctx, market.listing.market, action.account, action.liquidator)
            fund = house(CASH, POOL, Kind.INSURANCE_FUND)
            accounts = user(CASH, POOL, action.account), user(CASH, POOL, action.liquidator)
            path.claim("the fund is not negative", lambda: balance(ctx.state, fund) >= 0)
            reward, rest, added = (path.fresh(name, 0) for name in ("reward", "rest", "added"))
            for debit, credit, amount in ((*accounts, reward), (accounts[0], fund, rest), (fund, accounts[1], added)):
                post(ctx.state, ctx.postings, debit, credit, amount, "LIQ-4")
            paid.update(penalty=reward + rest, reward=reward, reward_floor=added)
            return paid

        return stand_in

    return StandIn(liquidation.pay_penalty, "liquidation.nobody-gains-jointly", of)


def _novated(path: Any) -> Function:
    def stand_in(ctx: ev.Context, buyer: str, seller: str, market: str, size: Any, price: Any) -> Any:
        path.claim("at mark", lambda: price == ctx.state.marks[market].price)
        path.claim("between the two", lambda: {buyer, seller} == {DEBTOR, KEEPER})
        claim_parties(path, ctx, market, buyer, seller)
        return (path.fresh("bought from"), path.fresh("bought to")), (path.fresh("sold from"), path.fresh("sold to"))

    return stand_in


AT_MARK = StandIn(trading.novate, "trading.novation-moves-worth-by-its-price", _novated)
"""A novation at mark moves nobody's worth, so that for a sum of worths it need not be done."""


@theorem(
    "closing-at-mark-moves-no-worth",
    "In an accepted liquidation the account's worth at mark falls by exactly the penalty, and the "
    "liquidator's rises by exactly what it is paid: the lots change hands at mark and move nobody's worth.",
    "LIQ-4",
    "LIQ-7",
    "TRADE-3",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def closing_at_mark_moves_no_worth(path: Any) -> Any:
    """From any position of either side; net liquidation value is the worth of one position and of all else there is."""
    case = Liquidating(path)
    desk = case.desk
    sign = pick(path, "the liquidator's side", -1, 1)
    if sign != 0:
        desk.hold(KEEPER, sign * path.atom("lots of B", 1, SIZE_MAX))
    before = {name: desk.worth(name) for name in (DEBTOR, KEEPER)}
    receipt = case.apply(CLOSABLE, AT_MARK, paying({}), passing(liquidation.require_able), passing(trading.reduces))
    if receipt.reason is not None:
        return receipt.reason
    path.mark("accepted")
    gains, paid = {name: desk.worth(name) - held for name, held in before.items()}, receipt.amounts
    path.claim("the account pays the penalty", lambda: gains[DEBTOR] == -paid["penalty"])
    path.claim("the liquidator is paid", lambda: gains[KEEPER] == paid["reward"] + paid["reward_floor"])
    path.claim("only these two are named", lambda: set(receipt.accounts) == {DEBTOR, KEEPER})
    return None
