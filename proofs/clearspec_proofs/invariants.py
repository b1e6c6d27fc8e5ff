"""Every invariant against every event: from any state that satisfies them, each event leads to one that does.

One theorem an event; its claims are the invariants, so that the matrix of invariants and events has no blank cell.
Any number of accounts: what an event does not touch is in the rest of the world (see ``world``).
"""

from __future__ import annotations

from typing import Any

from clearspec import collateral, margin, trading
from clearspec import events as ev
from clearspec.numerics import NOTIONAL_MAX, PRICE_MAX, SIZE_MAX
from clearspec.state import MarketStatus
from clearspec_proofs.stand_ins import FILLED, StandIn, any_bool, any_standing, kept, opaque, passing
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, COIN, MARKET, World

ALL = tuple(f"INV-{number}" for number in range(1, 13))
STANDING = opaque(margin.standing, any_standing)


def fees_conserved() -> StandIn:
    """The real ``mul_floor``, with two lemmas about the fees that it splits."""

    def of(path: Any) -> Any:
        real = trading.mul_floor

        def split(amount: Any, ratio: Any) -> Any:
            path.claim("fees are not negative", lambda: amount >= 0)
            share = real(amount, ratio)
            path.claim("the insured share is a part of them", lambda: 0 <= share <= amount)
            return share

        return split

    return StandIn(trading.mul_floor, "itself, with lemmas", of)


@theorem("deposit", "A deposit keeps every invariant.", *ALL, strength=Strength.INDUCTIVE, marks=("accepted",))
def deposit(path: Any) -> Any:
    """Settlement asset and collateral, known and unknown accounts."""
    world = World(path)
    asset = COIN if world.either("collateral") else CASH
    world.feed(f"{COIN}-feed")
    world.pool(collateral=(COIN,))
    world.account("A")
    return world.keeps_invariants(world.action(ev.Deposit, account="A", asset=asset)).reason


@theorem("withdraw", "A withdrawal keeps every invariant.", *ALL, strength=Strength.INDUCTIVE, marks=("accepted",))
def withdraw(path: Any) -> Any:
    """Settlement asset and collateral."""
    world = World(path)
    asset = COIN if world.either("collateral") else CASH
    world.feed(f"{COIN}-feed")
    world.pool(collateral=(COIN,))
    world.account("A")
    action = world.action(ev.Withdraw, account="A", asset=asset)
    return world.keeps_invariants(action, passing(collateral.require_outflow)).reason


def market_of_two(path: Any) -> World:
    """A market and two accounts, whose positions are among the rest."""
    world = World(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market()
    for account in "AB":
        world.account(account)
    return world


def two_parties(path: Any) -> World:
    """A market and two accounts, each with an open position or none."""
    world = market_of_two(path)
    for account in "AB":
        world.position(account, MARKET, "open" if world.either(f"{account} holds") else "flat")
    return world


def novation_requires(path: Any, size: Any, price: Any) -> None:
    """What ``invariants.novate`` supposes of its arguments."""
    path.claim("novated lots are positive", lambda: 1 <= size <= SIZE_MAX)
    path.claim("the price is in range", lambda: 1 <= price <= PRICE_MAX)


def _novated(path: Any, ctx: Any, buyer: str, seller: str, market: str, size: Any, price: Any) -> Any:
    path.claim("two accounts", lambda: buyer != seller)
    novation_requires(path, size, price)
    return tuple((path.fresh("start"), path.fresh("end")) for _ in "AB")


NOVATED = kept(trading.novate, "invariants.novate", _novated)
FEES = kept(trading.charge_fees, "invariants.charge_fees", lambda path, *_: (path.fresh("taker"), path.fresh("maker")))


@theorem(
    "novate",
    "A novation keeps every invariant but the range of sizes.",
    *ALL,
    strength=Strength.INDUCTIVE,
    marks=("done",),
)
def novate(path: Any) -> Any:
    """The range of sizes (INV-9) is what the caps of a trade and the lots of a liquidation keep."""
    world = two_parties(path)
    size, price = path.atom("lots", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    ctx = world.context()
    path.assume(lambda: world.state.markets[MARKET].status != MarketStatus.CLOSED, "not closed")
    return world.call_keeps_invariants(
        lambda: trading.novate(ctx, "A", "B", MARKET, size, price), FILLED, but=("INV-9",)
    )


@theorem("charge_fees", "Fees keep every invariant.", *ALL, strength=Strength.INDUCTIVE, marks=("done",))
def charge_fees(path: Any) -> Any:
    """With parameters inside the envelope: the rebate is covered."""
    world = market_of_two(path)
    market = world.state.markets[MARKET]
    limits = market.listing.parameters.trading
    path.assume(lambda: -limits.maker_fee <= limits.taker_fee, "rebate-covered")
    value, ctx = path.atom("value", 0, NOTIONAL_MAX), world.context()
    return world.call_keeps_invariants(lambda: trading.charge_fees(ctx, market, "A", "B", value), fees_conserved())


@theorem("trade", "A trade keeps every invariant.", *ALL, strength=Strength.INDUCTIVE, marks=("accepted",))
def trade(path: Any) -> Any:
    """Novation and fees keep them; nothing else is written. The range of sizes is ``invariants.trade:sizes``."""
    world = market_of_two(path)
    checks = (trading.require_caps, trading.require_open_interest, trading.require_balance_limit)
    stand_ins = (
        STANDING, NOVATED, FEES, opaque(margin.fill_allowed, any_bool), opaque(trading.reduces, any_bool),
        opaque(trading.no_worse_than_mark, any_bool), *map(passing, checks),
    )  # fmt: skip
    return world.keeps_invariants(world.action(ev.Trade, market=MARKET, buyer="A", seller="B"), *stand_ins).reason
