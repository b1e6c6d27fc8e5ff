"""Theorems about default: who bears how much, in which order, and that the shares sum exactly."""

from __future__ import annotations

from typing import Any

from clearspec import events as ev
from clearspec import margin, waterfall
from clearspec.events import Context
from clearspec.ledger import Kind, balance, house, user
from clearspec.numerics import BALANCE_MAX, INDEX_MAX, LOSS_MAX, SIZE_MAX, cumulative_share
from clearspec.parameters import Layer
from clearspec.waterfall import TearUp, haircut_step, parts_by_market, rank_score, tear_up_rooms
from clearspec_proofs.stand_ins import StandIn, any_standing, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, COIN, POOL, World

LAYERS = (Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP, Layer.GAINS_HAIRCUT)


def charge(path: Any) -> tuple[Any, Any, Any, Any, Any]:
    """What is charged in all, all rooms, those before, one room, and what it is charged."""
    total, charged = path.atom("total", 1, BALANCE_MAX), path.atom("charged", 0, BALANCE_MAX)
    before, room = path.atom("before", 0, BALANCE_MAX), path.atom("room", 0, BALANCE_MAX)
    path.assume(lambda: before + room <= total, "rooms so far")
    path.assume(lambda: charged <= total, "charged at most all rooms")
    return charged, total, before, room, cumulative_share(charged, before, before + room, total)


@theorem(
    "share-within-room",
    "A counterparty is charged at least 0 and at most its room, where all charges are at most all rooms.",
    "FALL-8", "NUM-5",
)  # fmt: skip
def share_within_room(path: Any) -> Any:
    """Whatever was charged before it."""
    charged, total, _, room, share = charge(path)
    path.claim("not negative", lambda: share >= 0)
    path.claim("lemma: less than an atom above its part", lambda: share * total < charged * room + total)
    path.claim("lemma: its part", lambda: charged * room <= total * room)
    path.claim("at most the room", lambda: share <= room)
    return share


@theorem(
    "shares-sum",
    "If the shares so far sum to what is charged times the rooms so far over all rooms, rounded down, so they do with "
    "one share more; with the last room they sum to what is charged. So they do for any number of counterparties.",
    "FALL-8", "FALL-4", "NUM-5",
)  # fmt: skip
def shares_sum(path: Any) -> Any:
    """The inductive step, and the end."""
    charged, total, before, room, share = charge(path)
    so_far = charged * before // total
    path.claim("one share more", lambda: so_far + share == charged * (before + room) // total)
    if before + room == total:
        path.claim("the last share", lambda: so_far + share == charged)
    return so_far, share


@theorem(
    "rooms-within-capacity",
    "Of three pieces, two of them of one account: each room is at least 0 and at most the piece's value at mark, "
    "and the rooms of an account are together at most its capacity.",
    "FALL-8",
    strength=Strength.BOUNDED,
)
def rooms_within_capacity(path: Any) -> Any:
    """The capacity of an account is any amount from 0 on."""
    world = World(path)
    torn = [TearUp(name, path.atom(f"value {number}", 0)) for number, name in enumerate("ABA")]
    capacities = {name: path.atom(f"capacity of {name}", 0) for name in "AB"}
    capacity = StandIn(waterfall.tear_up_capacity, "opaque", lambda _: lambda ctx, account: capacities[account])
    with standing_in(path, capacity):
        rooms = tear_up_rooms(Context(world.state, 0), torn)
    for part, room in zip(torn, rooms, strict=True):
        path.claim("not negative", lambda room=room: room >= 0)
        path.claim("at most the value", lambda part=part, room=room: room <= part.value)
    path.claim("two pieces of one account", lambda: rooms[0] + rooms[2] <= capacities["A"])
    path.claim("one piece", lambda: rooms[1] <= capacities["B"])
    return tuple(rooms)


@theorem(
    "capacity-is-spare-equity",
    "The most that a counterparty may be charged is its margin equity above its maintenance requirement, if any: "
    "after it the account is not below maintenance by the charge.",
    "FALL-8",
)
def capacity_is_spare_equity(path: Any) -> Any:
    """Of any standing."""
    held = any_standing(path, "held")
    world = World(path)
    with standing_in(path, StandIn(margin.standing, "opaque", lambda _: lambda *_: held)):
        capacity = waterfall.tear_up_capacity(Context(world.state, 0), "A")
    path.claim("not negative", lambda: capacity >= 0)
    if held.margin_equity >= held.maintenance:
        path.claim("leaves maintenance", lambda: held.margin_equity - capacity >= held.maintenance)
    else:
        path.claim("nothing of an account below it", lambda: capacity == 0)
    return capacity


@theorem(
    "haircut-within-gain",
    "The haircut takes from each lot of the winning side at least 0 and at most what is left of its gain since the "
    "last variation-margin mark, and from all of them at most the share that it is to bear.",
    "FALL-9",
)
def haircut_within_gain(path: Any) -> Any:
    """For any gain, even below 0."""
    share, lots = path.atom("share", 0, BALANCE_MAX), path.atom("lots", 0, SIZE_MAX)
    gain, index = path.atom("gain"), path.atom("index", 0, INDEX_MAX)
    step = haircut_step(share, lots, gain, index)
    path.claim("not negative", lambda: step >= 0)
    path.claim("at most the gain", lambda: step <= (gain if gain >= 0 else 0))
    path.claim("at most the share", lambda: step * lots <= share)
    path.claim("within the index's range", lambda: index + step <= INDEX_MAX)
    return step


@theorem(
    "parts-sum",
    "A deficit split over one to three markets by their losses sums to the deficit, no part below 0.",
    "FALL-4",
    strength=Strength.BOUNDED,
)
def parts_sum(path: Any) -> Any:
    """The losses are positive; more markets are ``waterfall.shares-sum``."""
    deficit = path.atom("deficit", 0, BALANCE_MAX)
    count = next(number for number in (1, 2, 3) if number == 3 or path.choice(f"{number} markets", True, False) == True)  # noqa: E712
    weights = [(f"M{number}", path.atom(f"loss {number}", 1, LOSS_MAX)) for number in range(count)]
    parts = parts_by_market(deficit, weights)
    path.claim("sum", lambda: sum(part for _, part in parts) == deficit)
    for _, part in parts:
        path.claim("not negative", lambda part=part: part >= 0)
    return tuple(part for _, part in parts)


@theorem(
    "rank-has-one-sign-convention",
    "A short and a long of the same profit, value and magnitude of cost, and the same equity, have the same rank; "
    "a winner ranks at 0 or above and a loser at 0 or below.",
    "FALL-6",
)
def rank_has_one_sign_convention(path: Any) -> Any:
    """The cost of a short is negative."""
    profit, cost = path.atom("profit"), path.atom("cost", 0)
    value, equity = path.atom("value", 0), path.atom("equity")
    wins = bool(profit > 0)
    long, short = (rank_score(profit, signed, value, equity) for signed in (cost, -cost))
    path.claim("the same rank", lambda: long == short)
    path.claim("winners above losers", lambda: long >= 0 if wins else long <= 0)
    return long


@theorem(
    "fund-pays-what-it-holds",
    "A fund bears at least 0, at most the deficit and at most what it holds; it bears the whole deficit or is empty.",
    "FALL-5", "FALL-3",
    strength=Strength.ONE_STEP,
)  # fmt: skip
def fund_pays_what_it_holds(path: Any) -> Any:
    """So no later layer bears anything while an earlier fund still could."""
    world = World(path)
    world.pool()
    world.account("A")
    state, fund = world.state, house(CASH, POOL, Kind.SKIN_IN_THE_GAME)
    deficit, held = path.atom("deficit", 0), balance(state, fund)
    path.assume(lambda: held >= 0, "INV-3")
    pool = state.pools[POOL]
    amount = waterfall.draw_fund(Context(state, 0), pool, Kind.SKIN_IN_THE_GAME, deficit, "A")
    path.claim("not negative", lambda: amount >= 0)
    path.claim("at most the deficit", lambda: amount <= deficit)
    path.claim("not below nothing", lambda: balance(state, fund) >= 0)
    path.claim("what it holds", lambda: balance(state, fund) == held - amount)
    path.claim("whole or empty", lambda: amount == deficit or balance(state, fund) == 0)
    return amount


@theorem(
    "insurance-within-cap",
    "The insurance fund bears at most what its cap leaves in the interval, and notes what it bore; "
    "it bears the whole deficit, or is empty, or has reached its cap.",
    "FALL-5",
    strength=Strength.ONE_STEP,
)
def insurance_within_cap(path: Any) -> Any:
    """The pool's cap; a market's cap limits each part before."""
    world = World(path)
    world.pool()
    world.account("A")
    state, fund, pool = world.state, house(CASH, POOL, Kind.INSURANCE_FUND), world.state.pools[POOL]
    ctx, deficit = Context(state, path.atom("time", 0, 2**40)), path.atom("deficit", 0)
    path.assume(lambda: balance(state, fund) >= 0, "INV-3")
    budget = waterfall.renewed(state.pool_budgets[POOL], ctx.time, pool.budget_interval)
    path.assume(lambda: budget.deficits <= pool.insurance_cap, "within the cap before")
    amount = waterfall.draw_pool_insurance(ctx, pool, deficit, "A")
    spent = state.pool_budgets[POOL].deficits
    path.claim("noted", lambda: spent == budget.deficits + amount)
    path.claim("within the cap", lambda: spent <= pool.insurance_cap)
    path.claim("at most the deficit", lambda: 0 <= amount <= deficit)
    path.claim(
        "whole, empty or at the cap",
        lambda: amount == deficit or balance(state, fund) == 0 or spent == pool.insurance_cap,
    )
    return amount


@theorem(
    "deficit-is-layers-and-uncovered-loss",
    "The deficit of an account without positions is exactly the sum of what the layers bear and the uncovered loss, "
    "which is not below 0; and its settlement balance ends at exactly 0.",
    "FALL-3", "FALL-10",
    strength=Strength.ONE_STEP, marks=("accepted",),
)  # fmt: skip
def deficit_is_layers_and_uncovered_loss(path: Any) -> Any:
    """An account without positions, with any balances of settlement asset and collateral: every layer runs as it is."""
    world = World(path)
    world.feed(f"{COIN}-feed")
    world.pool(collateral=(COIN,), layers=LAYERS)
    world.account("A")
    state = world.state
    path.assume(lambda: balance(state, user(COIN, POOL, "A")) >= 0, "INV-4")
    receipt = world.apply(ev.ResolveDefault("A"))
    if receipt.accepted:
        amounts = receipt.amounts
        parts = [amounts[layer.value] for layer in LAYERS]
        path.claim("sum", lambda: amounts["deficit"] == sum(parts) + amounts["uncovered_loss"])
        path.claim("uncovered is not negative", lambda: amounts["uncovered_loss"] >= 0)
        path.claim("the account ends at 0", lambda: balance(state, user(CASH, POOL, "A")) == 0)
        path.claim("the account is named", lambda: receipt.accounts == ("A",))
    return receipt.reason
