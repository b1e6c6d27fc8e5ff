"""Standings of accounts in a world: what an event touches as it is, all else that an account has as one constant.

An event leaves an account's other positions, their markets and its other collateral alone, and within one event time
does not pass. So their part in the account's standing is one opaque constant, however many they are, of which no more
is supposed than holds of every such sum. Requirements, counted profit and the price of collateral stand in by their
contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clearspec import events as ev
from clearspec import margin
from clearspec.ledger import balance, user
from clearspec.margin import Exposure, Standing
from clearspec.numerics import PRICE_MAX
from clearspec.state import Market, State
from clearspec_proofs.lifting.terms import polynomial_of
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import Function, StandIn, standing_in
from clearspec_proofs.world import World, same

EXPOSURES = "itself over touched positions; a constant for all others, of which margin.exposures-ordered holds"
REQUIREMENTS = "margin.requirements-ordered"
COUNTED = "margin.counted-profit-at-most-profit"
VALUES = "itself of touched collateral; a function of the amount for the rest, by margin.collateral-at-most-at-index"
PRICES = "margin.collateral-price-at-most-index"


def remembered(function: Function, grounds: str, result: Callable[..., Any]) -> StandIn:
    """A function that writes nothing, by its contract: of equal arguments it gives equal results.

    ``result(path, *arguments)`` makes one. Arguments are equal on a path if they are the same terms; on plain numbers
    that a path took, where the path found them equal (``recall``), for terms that differ may come to one number.
    """

    def of(path: Any) -> Function:
        known: list[tuple[tuple[Any, ...], Any]] = path.__dict__.setdefault(f"remembered {function.__name__}", [])
        recalled: list[int] = path.__dict__.setdefault("recalled", [])
        told: Sequence[int] = getattr(path, "recall", ())

        def stand_in(*arguments: Any) -> Any:
            found = (place for place, (before, _) in enumerate(known) if same(before, arguments))
            place = told[len(recalled)] if told else next(found, len(known))
            recalled.append(place)
            if place == len(known):
                known.append((arguments, result(path, *arguments)))
            return known[place][1]

        return stand_in

    return StandIn(function, grounds, of)


def ordered_requirements(path: Any, market: Market, value: Any, size: Any, _: Any, time: Any) -> tuple[Any, Any]:
    """Initial and maintenance requirement: maintenance at least 0, initial no lower."""
    path.claim("of a position", lambda: value >= 0 and size >= 0)
    path.claim("a ramp has begun", lambda: time >= market.ramp_start)
    maintenance = path.fresh("maintenance", 0)
    return maintenance + path.fresh("initial above", 0), maintenance


def counted_at_most(path: Any, unrealised: Any, *_: Any) -> Any:
    """Counted profit: at most the profit."""
    return unrealised - path.fresh("not counted", 0)


REQUIRED = remembered(margin.requirements, REQUIREMENTS, ordered_requirements)
COUNTED_PROFIT = remembered(margin.counted_profit, COUNTED, counted_at_most)


def any_exposure(path: Any, name: str) -> Exposure:
    """A sum of exposures: no less worth at mark than at risk, requirements ordered."""
    at_risk, maintenance = path.atom(f"{name}.at_risk"), path.atom(f"{name}.maintenance", 0)
    above = path.atom(f"{name}.penalty", 0), path.atom(f"{name}.initial_above", 0)
    return Exposure(at_risk, at_risk + above[0], maintenance + above[1], maintenance, path.atom(f"{name}.notional", 0))


class Standings:
    """The standings of a world's accounts at the time of an event, after it and before it.

    The world's accounts hold no less than nothing of collateral (INV-4), and no ramp begins later than now.
    """

    def __init__(self, world: World, *touched: tuple[str, str]) -> None:
        """Collateral ``touched``, an account's of an asset, is valued as it is."""
        self.world, self.touched = world, touched
        self.rests: dict[str, Exposure] = {}
        self.prices: list[tuple[Any, Any]] = []
        path, state = world.path, world.state
        for market in state.markets.values():
            given(path, market.ramp_start <= state.time, "range (a ramp begins in the second in which it is set)")
        for account, record in state.accounts.items():
            for terms in state.pools[record.pool].collateral:
                held = balance(state, user(terms.asset, record.pool, account))
                given(path, held >= 0, "range (INV-4)")
        self.values: list[tuple[tuple[str, str, Any], tuple[Any, Any]]] = []

    def rest(self, account: str) -> Exposure:
        """What the untouched positions of an account come to."""
        if account not in self.rests:
            self.rests[account] = any_exposure(self.world.path, f"{account}.rest")
        return self.rests[account]

    def value(self, account: str, asset: str, amount: Any) -> tuple[Any, Any]:
        """Worth of an amount of collateral: after its haircut, and at index."""
        self.world.path.claim("a holding is not negative", lambda: amount >= 0)
        key = account, asset, polynomial_of(amount)
        for known, found in self.values:
            if known == key:
                return found
        counted, haircut = (self.world.path.fresh(f"{account}.{asset}.{part}", 0) for part in ("counted", "haircut"))
        self.values.append((key, (counted, counted + haircut)))
        return counted, counted + haircut

    def _price(self, ctx: ev.Context, terms: Any) -> Any:
        for known, found in self.prices:
            if same(known, terms):
                return found
        price, index = self.world.path.fresh(f"{terms.asset}.price", 0, PRICE_MAX), ctx.state.feeds[terms.feed].index
        self.world.path.assume(lambda: price <= index, PRICES)
        self.prices.append((terms, price))
        return price

    def price(self, terms: Any, time: Any = None) -> Any:
        """Price of touched collateral after its age penalty, now or at a later time."""
        with standing_in(self.world.path, *self.stand_ins()):
            return margin.collateral_price(self._context(self.world.state, time), terms)

    def _context(self, state: State, time: Any) -> ev.Context:
        return ev.Context(state, self.world.state.time if time is None else time)

    def _exposure(self, _: Any) -> Function:
        def exposure(ctx: ev.Context, account: Any) -> Exposure:
            parts = margin_exposure(ctx, account), self.rest(account.account)
            return Exposure(*(mine + other for mine, other in zip(*parts, strict=True)))

        return exposure

    def _values(self, _: Any) -> Function:
        def values(ctx: ev.Context, pool: Any, terms: Any, account: str) -> tuple[Any, Any]:
            if (account, terms.asset) in self.touched:
                return collateral_values(ctx, pool, terms, account)
            return self.value(account, terms.asset, balance(ctx.state, user(terms.asset, pool.pool, account)))

        return values

    def stand_ins(self) -> tuple[StandIn, ...]:
        """Exposures, requirements, counted profit and collateral."""
        return (
            REQUIRED, COUNTED_PROFIT,
            StandIn(margin_exposure, EXPOSURES, self._exposure),
            StandIn(collateral_values, VALUES, self._values),
            StandIn(margin.collateral_price, PRICES, lambda _: self._price),
        )  # fmt: skip

    def of(self, account: str, *stand_ins: StandIn, state: State | None = None, time: Any = None) -> Standing:
        """The standing of an account now; in an earlier state at this time; or at the time of the event to come."""
        with standing_in(self.world.path, *self.stand_ins(), *stand_ins):
            return margin.standing(self._context(state or self.world.state, time), account)

    def around(self, account: str, *stand_ins: StandIn) -> tuple[Standing, Standing]:
        """The standing of an account before the event, at its time, and after it."""
        before = self.of(account, *stand_ins, state=self.world.before.state())
        return before, self.of(account, *stand_ins)


margin_exposure, collateral_values = margin.exposure, margin.collateral_values
