"""Theorems about liquidation: its trigger, what a step restores, what it costs, and who gains from it."""

from __future__ import annotations

from typing import Any

from clearspec import liquidation, margin
from clearspec.margin import Standing
from clearspec.numerics import NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX, mul_ceil
from clearspec.parameters import Tier
from clearspec_proofs.stand_ins import StandIn, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import MARKET, World, symbolic

FREED = "liquidation.closing-frees-requirement"


@theorem(
    "health-never-falls",
    "Margin equity less requirement falls by one atom at most in a liquidation; it does not fall where the closed "
    "notional times maintenance ratio less penalty is at least 2 x scale, or the close is full.",
    "LIQ-3",
    "LIQ-4",
)
def health_never_falls(path: Any) -> Any:
    """The requirement freed is what ``closing-frees-requirement`` shows of any table and any moment of a ramp."""
    ratio, maintenance = path.atom("penalty", 0, SCALE - 1), path.atom("maintenance", 1, SCALE)
    closed, held = path.atom("closed", 1, NOTIONAL_MAX), path.atom("held", 1)
    freed = path.atom("freed", 0)
    path.assume(lambda: ratio < maintenance, "penalty-below-maintenance")
    path.assume(lambda: freed * SCALE >= closed * maintenance - 2 * SCALE + 2, FREED)
    paid = liquidation.penalty_for(closed, ratio, path.atom("worth"), held)
    path.claim("lemma: the penalty is at most its part", lambda: paid * SCALE <= closed * ratio)
    path.claim("lemma: the penalty frees more than it costs", lambda: closed * (maintenance - ratio) >= 0)
    path.claim("by one atom at most", lambda: freed - paid >= -1)
    if closed * (maintenance - ratio) >= 2 * SCALE:
        path.mark("not at all")
        path.claim("not at all", lambda: freed >= paid)
    return paid


def any_standing(path: Any, name: str = "standing") -> Standing:
    """Any standing, with a maintenance requirement that positions within their bounds can have."""
    given = {field: path.atom(f"{name}.{field}") for field in Standing._fields if field != "maintenance"}
    return Standing(**given, maintenance=path.atom(f"{name}.maintenance", 0, 2**62))


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


def _restoring(path: Any) -> Any:
    def stand_in(shortfall: Any, price: Any, maintenance: Any, penalty: Any) -> Any:
        path.claim("the shortfall is positive", lambda: shortfall >= 1)
        path.claim("maintenance is above the penalty", lambda: maintenance > penalty)
        lots = path.fresh("restoring_size", 1)
        path.assume(lambda: lots * price * (maintenance - penalty) >= (shortfall + 2) * SCALE, RESTORING.grounds)
        path.restoring = lots
        return lots

    return stand_in


RESTORING = StandIn(liquidation.restoring_size, "liquidation.restoring-size-suffices", _restoring)


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
    world = World(path)
    world.market()
    market, time = world.state.markets[MARKET], path.atom("time", 0, 2**40)
    rules = market.listing.parameters.liquidation
    size, price = path.atom("size", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    path.assume(lambda: size * price <= NOTIONAL_MAX, "NUM-9")
    account = any_standing(path)
    path.assume(lambda: margin.is_liquidatable(account), "LIQ-1")
    lowest = liquidation.maintenance_in_force(market, time)
    path.assume(lambda: rules.penalty < lowest, "penalty-below-maintenance")
    with standing_in(path, RESTORING):
        piece = liquidation.closable_size(size, price, account, market, time)
    path.claim("at most the position", lambda: 0 <= piece <= size)
    if piece >= size:
        path.mark("closed")
        return piece
    if piece >= mul_ceil(size, rules.close_factor):
        path.mark("close factor")
        return piece
    closed = piece * price
    freed = path.atom("freed", 0)
    path.assume(lambda: freed * SCALE >= closed * lowest - 2 * SCALE + 2, FREED)
    paid = liquidation.penalty_for(closed, rules.penalty, account.net_liquidation_value, account.notional)
    path.mark("restored")
    edge, lots = lowest - rules.penalty, path.restoring
    path.claim("lemma: the penalty is at most its part", lambda: paid * SCALE <= closed * rules.penalty)
    path.claim("lemma: the step is the restoring size or more", lambda: (piece - lots) * price >= 0)
    path.claim("lemma: what it frees and costs", lambda: (piece - lots) * price * edge >= 0)
    target = account.maintenance + mul_ceil(account.maintenance, rules.buffer)
    path.claim("restored", lambda: account.margin_equity - paid >= target - freed)
    return piece
