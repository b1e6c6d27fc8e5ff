"""Theorems about default: what the layers bear, in which order, and that no counterparty pays more than its rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import margin, waterfall
from clearspec.ledger import Kind, balance, clearing, house, user
from clearspec.margin import Standing
from clearspec.numerics import AMOUNT_MAX, BALANCE_MAX, INDEX_MAX, LOSS_MAX, PRICE_MAX, SIZE_MAX, cumulative_share
from clearspec.parameters import Layer, LiquidationParameters
from clearspec.state import Budget, MarketStatus
from clearspec.waterfall import TearUp
from clearspec_proofs.desk import CASH, MARKET, OTHER_MARKET, OTHER_POOL, POOL, Desk
from clearspec_proofs.hints import noted, pick
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import Function, StandIn, any_integer, any_standing, opaque, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import same, symbolic

DEFAULTER, OTHER, THIRD = "D", "A", "B"
ROOM_MAX = 2**62
"""Closed value of at most 64 positions (NUM-9)."""


# Shares


@theorem(
    "parts-sum-exactly",
    "A deficit is split over the markets that it came from without remainder: the parts sum to it, or to 2^62 if it is "
    "more; none is negative, and each is within one atom of its proportion.",
    "FALL-4",
    "NUM-5",
)
def parts_sum_exactly(path: Any) -> Any:
    """Of any number of markets: those before one of them, and those after it, count as one each."""
    losses = [path.atom(place, low, 64 * LOSS_MAX) for place, low in (("before", 0), ("loss", 1), ("after", 0))]
    deficit = path.atom("deficit", 1)
    parts = [part for _, part in waterfall.parts_by_market(deficit, list(zip("XYZ", losses, strict=True)))]
    split, total = min(deficit, BALANCE_MAX), sum(losses)
    path.claim("the sum", lambda: sum(parts) == split)
    for number, part in enumerate(parts):
        path.claim(f"part {number} is not negative", lambda part=part: part >= 0)
    path.claim("at least its proportion less an atom", lambda: parts[1] * total > split * losses[1] - total)
    path.claim("at most its proportion and an atom", lambda: parts[1] * total < split * losses[1] + total)
    return parts[1]


def _share(path: Any) -> Function:
    floors: list[tuple[Any, Any]] = [(0, 0)]

    def floor(weight: Any, amount: Any, total: Any) -> Any:
        if same(weight, total):
            return amount
        if not any(same(weight, known) for known, _ in floors):
            floors.append((weight, path.fresh("floor", 0)))
        return next(value for known, value in floors if same(weight, known))

    def stand_in(amount: Any, before: Any, after: Any, total: Any) -> Any:
        path.claim("an amount of at most all weights", lambda: 0 <= amount <= total)
        path.claim("weights in order", lambda: 0 <= before <= after <= total)
        share = floor(after, amount, total) - floor(before, amount, total)
        given(path, share >= 0, WITHIN)
        given(path, share <= after - before, WITHIN)
        return share

    return stand_in


WITHIN = "range (numerics.shares-are-within-the-amount)"
SHARE = StandIn(cumulative_share, "numerics.shares-are-within-the-amount, numerics.shares-telescope", _share)
"""A share of one amount by cumulative floor: the difference of two floors, of which that of no weight is 0 and that of
all the weights the amount; it lies between 0 and its weight where the amount is at most all weights."""


# Tear-up


INITIAL = (opaque(margin.scaled_initial, any_integer), opaque(margin.counted_profit, any_integer))
"""Initial margin has no part in a default."""


def counterparties(path: Any, *names: str) -> tuple[Desk, dict[str, Standing], tuple[StandIn, ...]]:
    """Accounts short one lot each at a mark of 100, and their standings; or accounts of any standings."""
    desk = Desk(path, *names)
    desk.priced(100)
    for name in names:
        desk.hold(name, -path.atom(f"lots of {name}", 1, 10**6))
    if path.choice("standings", "plain", "any") == "plain" or not path.stand_ins:
        with standing_in(path, *INITIAL):
            return desk, {name: margin.standing(desk.ctx, name) for name in names}, INITIAL
    found = {name: any_standing(path, f"standing of {name}") for name in names}
    return desk, found, (StandIn(margin.standing, "opaque", lambda _: lambda __, name: found[name]),)


@theorem(
    "rooms-within-values-and-capacities",
    "What a torn-up piece may be charged is not negative and at most its value at mark; all pieces of an account "
    "together at most its margin equity above its maintenance requirement, and less only where all values are charged.",
    "FALL-8",
)
def rooms_within_values_and_capacities(path: Any) -> Any:
    """Of any number of pieces: those of an account before its last count as one."""
    desk, held, stand_ins = counterparties(path, OTHER, THIRD)
    torn = [TearUp(name, path.atom(f"value{n}", 0, ROOM_MAX)) for n, name in enumerate((OTHER, THIRD, OTHER))]
    with standing_in(path, *stand_ins):
        rooms = waterfall.tear_up_rooms(desk.ctx, torn)
    for room, part in zip(rooms, torn, strict=True):
        path.claim("not negative", lambda room=room: room >= 0)
        path.claim("at most its value", lambda room=room, part=part: room <= part.value)
    for name in (OTHER, THIRD):
        mine = [(room, part.value) for room, part in zip(rooms, torn, strict=True) if part.account == name]
        total, value, account = sum(room for room, _ in mine), sum(value for _, value in mine), held[name]
        spare = max(0, account.margin_equity - account.maintenance)
        path.claim("at most its capacity", lambda total=total, spare=spare: total <= spare)
        if total < value:
            path.claim("all of its capacity", lambda total=total, spare=spare: total == spare)
    return rooms


def rooms_of(*rooms: Any) -> StandIn:
    """Rooms of torn-up pieces, of which ``rooms-within-values-and-capacities`` shows that they are not negative."""
    grounds = "waterfall.rooms-within-values-and-capacities"
    return StandIn(waterfall.tear_up_rooms, grounds, lambda _: lambda *__: list(rooms))


@theorem(
    "tear-up-shares-within-rooms",
    "Tear-ups bear the deficit, or all of their rooms if it is more; the charges sum to that exactly, and none is "
    "negative or above its room. Every charge goes from its counterparty to the defaulter.",
    "FALL-8",
    "NUM-5",
    marks=("shared", "exhausted"),
)
def tear_up_shares_within_rooms(path: Any) -> Any:
    """Of any number of pieces: those before one of them, and those after it, count as one each."""
    names = ("before", OTHER, "after")
    desk = Desk(path, DEFAULTER, *names)
    rooms = [path.atom(f"room {name}", 0, ROOM_MAX // 4) for name in names]
    torn = [TearUp(name, room) for name, room in zip(names, rooms, strict=True)]
    given(path, sum(rooms) >= 1, "range (something may be charged)")
    keys = {name: user(CASH, POOL, name) for name in (DEFAULTER, *names)}
    start = {name: balance(desk.state, key) for name, key in keys.items()}
    deficit = path.atom("deficit", 1)
    with standing_in(path, rooms_of(*rooms), SHARE):
        borne = waterfall.charge_tear_ups(desk.ctx, DEFAULTER, torn, deficit)
    charges = {name: start[name] - balance(desk.state, keys[name]) for name in keys}
    path.mark("exhausted" if borne < deficit else "shared")
    path.claim("as much as there is room", lambda: borne == min(deficit, sum(rooms)))
    path.claim("the defaulter gets it", lambda: charges[DEFAULTER] == -borne)
    path.claim("exactly", lambda: sum(charges[name] for name in names) == borne)
    for name, room in zip(names, rooms, strict=True):
        path.claim("not negative", lambda name=name: charges[name] >= 0)
        path.claim("within the room", lambda name=name, room=room: charges[name] <= room)
    return borne
