"""Theorems about novation, fees, limits of a fill and the fill test."""

from __future__ import annotations

from typing import Any

from clearspec import events as ev
from clearspec.ledger import Kind, balance, house, user
from clearspec.numerics import NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX
from clearspec.parameters import TradingParameters
from clearspec.state import Position
from clearspec.trading import charge_fees, filled, no_worse_than_mark, reduces, within_band
from clearspec_proofs.invariants import fees_conserved
from clearspec_proofs.stand_ins import standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, MARKET, POOL, World


def any_position(path: Any) -> Position:
    """A position within the bounds of INV-12."""
    size, cost = path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("cost")
    path.assume(lambda: 0 <= cost <= size * PRICE_MAX if size >= 0 else size * PRICE_MAX <= cost <= 0, "INV-12")
    return Position(size, cost, path.atom("funding_index"), path.atom("haircut_index"))


@theorem(
    "filled-conserves",
    "A fill changes the size by the lots filled; what it realises is the rise of the cost beyond what was paid.",
    "TRADE-1",
)
def filled_conserves(path: Any) -> Any:
    """The contract by which a fill stands in for itself inside transitions."""
    position = any_position(path)
    delta, price = path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    after, realised = filled(position, delta, price)
    path.claim("size", lambda: after.size == position.size + delta)
    path.claim("cost", lambda: after.cost == position.cost + delta * price + realised)
    path.claim("funding index", lambda: after.funding_index == position.funding_index)
    path.claim("haircut index", lambda: after.haircut_index == position.haircut_index)
    return after.size, after.cost, realised


@theorem(
    "filled-keeps-cost-within-size",
    "A fill at a price in range keeps the cost of a position on the side of its size and within its size at the "
    "highest price; a flat position costs nothing.",
    "TRADE-1",
    "INV-12",
)
def filled_keeps_cost_within_size(path: Any) -> Any:
    """INV-12 of one position: opening, closing a part, closing all, and through zero."""
    position = any_position(path)
    delta, price = path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    after, realised = filled(position, delta, price)
    low, high = (0, after.size * PRICE_MAX) if after.size >= 0 else (after.size * PRICE_MAX, 0)
    path.claim("not below", lambda: after.cost >= low)
    path.claim("not above", lambda: after.cost <= high)
    return after.cost, realised


@theorem(
    "fill-moves-worth-by-its-price",
    "What a position is worth at any mark, with what is realised, changes by the lots filled times mark less price.",
    "TRADE-1",
)
def fill_moves_worth_by_its_price(path: Any) -> Any:
    """Exact: no rounding of the cost released reaches the equity."""
    position = any_position(path)
    delta, price = path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    mark = path.atom("mark", 0, PRICE_MAX)
    after, realised = filled(position, delta, price)
    gain = (after.size * mark - after.cost + realised) - (position.size * mark - position.cost)
    path.claim("worth", lambda: gain == delta * (mark - price))
    return gain


@theorem(
    "partial-close-releases-in-proportion",
    "Closing a part of a position releases cost in proportion to the lots closed, rounded down in magnitude by less "
    "than an atom; what is not released stays in the cost, and what is realised is the rest of the money.",
    "TRADE-1",
    marks=("closed a part",),
)
def partial_close_releases_in_proportion(path: Any) -> Any:
    """A long position; a short one is its mirror image in ``fills-are-mirrored``."""
    size, cost = path.atom("size", 1, SIZE_MAX), path.atom("cost", 0, SIZE_MAX * PRICE_MAX)
    closed, price = path.atom("closed", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    path.assume(lambda: closed < size, "a part")
    after, realised = filled(Position(size, cost, 0, 0), -closed, price)
    released = cost - after.cost
    path.mark("closed a part")
    path.claim("not above", lambda: released * size <= cost * closed)
    path.claim("by less than an atom", lambda: (released + 1) * size > cost * closed)
    path.claim("result", lambda: realised == closed * price - released)
    return released, realised


@theorem(
    "fills-are-mirrored",
    "A fill of a short position does what the opposite fill does to the long position of the same size and cost, with "
    "the opposite sign: no side is favoured by rounding.",
    "TRADE-1",
)
def fills_are_mirrored(path: Any) -> Any:
    """Size, cost and result."""
    position = any_position(path)
    delta, price = path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    after, realised = filled(position, delta, price)
    mirror, result = filled(Position(-position.size, -position.cost, 0, 0), -delta, price)
    path.claim("size", lambda: mirror.size == -after.size)
    path.claim("cost", lambda: mirror.cost == -after.cost)
    path.claim("result", lambda: result == -realised)
    return after.cost, realised


@theorem(
    "reduces-means-closer-to-zero",
    "A fill reduces exactly if the position afterwards is no larger and not on the other side.",
    "TRADE-4",
)
def reduces_means_closer_to_zero(path: Any) -> Any:
    """Also: where a side reduces, its long part does not grow, so that open interest cannot."""
    before, after = path.atom("before", -SIZE_MAX, SIZE_MAX), path.atom("after", -SIZE_MAX, SIZE_MAX)
    yes = reduces(before, after)
    if yes:
        path.claim("no larger", lambda: abs(after) <= abs(before))
        path.claim("same side or flat", lambda: before * after >= 0)
        path.claim("long part", lambda: max(0, after) <= max(0, before))
    elif before * after >= 0:
        path.claim("larger", lambda: abs(after) >= abs(before) + 1)
    return yes


@theorem(
    "band-is-exact",
    "A price is inside the band exactly if its distance from the mark is at most the band's ratio of the mark.",
    "TRADE-5",
)
def band_is_exact(path: Any) -> Any:
    """Compared without rounding."""
    price, mark = path.atom("price", 1, PRICE_MAX), path.atom("mark", 0, PRICE_MAX)
    band = path.atom("band", 0, SCALE - 1)
    inside = within_band(price, mark, band)
    distance = abs(price - mark)
    if inside:
        path.claim("within the ratio", lambda: distance * SCALE <= mark * band)
    else:
        path.claim("beyond the ratio", lambda: distance * SCALE > mark * band)
    return inside


@theorem(
    "no-worse-than-mark-means-no-loss",
    "A fill is no worse than mark exactly if it takes nothing from its side's equity at mark.",
    "TRADE-10",
)
def no_worse_than_mark_means_no_loss(path: Any) -> Any:
    """Whichever side, any number of lots other than 0."""
    size, price, mark = (
        path.atom("size", 1, SIZE_MAX),
        path.atom("price", 1, PRICE_MAX),
        path.atom("mark", 0, PRICE_MAX),
    )
    delta = size if path.choice("side", 1, -1) == 1 else -size
    fair = bool(no_worse_than_mark(delta, price, mark))
    gain = delta * (mark - price)
    if fair:
        path.claim("no loss", lambda: gain >= 0)
    else:
        path.claim("a loss", lambda: gain <= -1)
    return fair


# Fees

TREASURY, INSURANCE = Kind.FEE_TREASURY, Kind.INSURANCE_FUND


def holding(world: World, name: str) -> Any:
    """Settlement atoms of an account, or of a fund."""
    return balance(world.state, house(CASH, POOL, name) if isinstance(name, Kind) else user(CASH, POOL, name))


def charging(path: Any) -> tuple[World, ev.Context]:
    """A market, two accounts that trade in it, and a running transition."""
    world = World(path)
    world.pool()
    world.market()
    for account in "AB":
        world.account(account)
    world.state.commit()
    return world, ev.Context(world.state, 0, "actor")


def covered(path: Any, limits: TradingParameters) -> None:
    """The rebate is inside the envelope."""
    path.assume(lambda: -limits.maker_fee <= limits.taker_fee, "rebate-covered")


@theorem(
    "fees-rounded-up",
    "Taker and maker fee are the notional times the ratio, rounded up by less than an atom; a rebate is rounded down "
    "in magnitude.",
    "TRADE-7",
)
def fees_rounded_up(path: Any) -> Any:
    """Any notional and parameters; nothing is rounded in the user's favour."""
    world, ctx = charging(path)
    market, value = world.state.markets[MARKET], path.atom("value", 0, NOTIONAL_MAX)
    limits = market.listing.parameters.trading
    fees = charge_fees(ctx, market, "A", "B", value)
    for name, fee, ratio in (("taker", fees[0], limits.taker_fee), ("maker", fees[1], limits.maker_fee)):
        path.claim(f"{name} pays no less", lambda fee=fee, ratio=ratio: fee * SCALE >= value * ratio)
        path.claim(f"{name} pays less than an atom more", lambda f=fee, r=ratio: f * SCALE <= value * r + SCALE - 1)
    return fees


@theorem(
    "fees-reach-treasury-and-insurance",
    "What the two sides of a fill pay in fees is what treasury and insurance fund receive: the insurance share of the "
    "sum rounded down, the treasury the rest; with the rebate covered neither loses.",
    "TRADE-7",
    "PARM-9",
    strength=Strength.ONE_STEP,
)
def fees_reach_treasury_and_insurance(path: Any) -> Any:
    """From any balances."""
    world, ctx = charging(path)
    market, value = world.state.markets[MARKET], path.atom("value", 0, NOTIONAL_MAX)
    covered(path, market.listing.parameters.trading)
    before = {name: holding(world, name) for name in ("A", "B", TREASURY, INSURANCE)}
    with standing_in(path, fees_conserved()):
        taker, maker = charge_fees(ctx, market, "A", "B", value)
    gains = {name: holding(world, name) - held for name, held in before.items()}
    share = market.listing.parameters.trading.insurance_share
    path.claim("taker pays", lambda: gains["A"] == -taker)
    path.claim("maker pays", lambda: gains["B"] == -maker)
    path.claim("received", lambda: gains[TREASURY] + gains[INSURANCE] == taker + maker)
    path.claim("insured share", lambda: 0 <= (taker + maker) * share - gains[INSURANCE] * SCALE <= SCALE - 1)
    path.claim("insurance does not lose", lambda: gains[INSURANCE] >= 0)
    path.claim("treasury does not lose", lambda: gains[TREASURY] >= 0)
    return taker, maker


# No free lunch


@theorem(
    "splitting-pays-no-less-in-fees",
    "A fill split in two at one price pays in fees no less than the whole, and at most two atoms more; its rebate is "
    "no higher.",
    "TRADE-7",
)
def splitting_pays_no_less_in_fees(path: Any) -> Any:
    """By induction any number of parts; each part adds at most an atom for each side."""
    world, ctx = charging(path)
    market, parts = world.state.markets[MARKET], [path.atom(f"part {n}", 0, NOTIONAL_MAX // 2) for n in (1, 2)]
    whole = charge_fees(ctx, market, "A", "B", parts[0] + parts[1])
    first, second = (charge_fees(ctx, market, "A", "B", part) for part in parts)
    for side, name in enumerate(("taker", "maker")):
        more = first[side] + second[side] - whole[side]
        path.claim(f"{name} pays no less", lambda more=more: more >= 0)
        path.claim(f"{name} pays at most an atom more", lambda more=more: more <= 1)
    return whole


@theorem(
    "splitting-realises-nothing-more",
    "A fill split in two at one price leaves the size of the whole, and what is realised less what is left in the cost "
    "is the same.",
    "TRADE-1",
)
def splitting_realises_nothing_more(path: Any) -> Any:
    """So equity at any mark is the same, in whatever parts; by induction for any number of them."""
    position, price = any_position(path), path.atom("price", 1, PRICE_MAX)
    sign = path.choice("side", 1, -1)
    first, second = (path.atom(f"part {n}", 1, SIZE_MAX // 2) * (1 if sign == 1 else -1) for n in (1, 2))
    whole, at_once = filled(position, first + second, price)
    half, realised = filled(position, first, price)
    parts, more = filled(half, second, price)
    path.claim("size", lambda: parts.size == whole.size)
    path.claim("worth", lambda: realised + more - parts.cost == at_once - whole.cost)
    return whole.cost, parts.cost


@theorem(
    "round-trip-gains-nothing",
    "Lots bought and sold again at one price, or sold and bought again, leave the size as it was and change equity by "
    "the fees alone, which never gain.",
    "TRADE-1",
    "TRADE-7",
)
def round_trip_gains_nothing(path: Any) -> Any:
    """The two sides together; each side alone is ``round-trip-costs-its-fees``."""
    position, price = any_position(path), path.atom("price", 1, PRICE_MAX)
    size = path.atom("lots", 1, SIZE_MAX)
    delta = size if path.choice("side", 1, -1) == 1 else -size
    there, first = filled(position, delta, price)
    back, second = filled(there, -delta, price)
    path.claim("size", lambda: back.size == position.size)
    path.claim("worth", lambda: first + second - back.cost == -position.cost)
    return first, second
