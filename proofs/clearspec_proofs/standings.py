"""Standings of accounts in a world: touched positions as they are, everything else that an account has as one constant.

An event leaves an account's other positions, their markets and its other collateral alone, and within one event time
does not pass. So their part in the account's exposure is one opaque constant, however many they are, of which no more
is supposed than holds of every sum of exposures. The requirement of a touched position stands in by its contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearspec import events as ev
from clearspec import margin
from clearspec.margin import Exposure, Standing
from clearspec.state import State
from clearspec_proofs.stand_ins import Function, StandIn, standing_in
from clearspec_proofs.world import World, same

EXPOSURES = "real over touched positions; a constant for all others, of which margin.exposures-ordered holds"
REQUIREMENTS = "margin.requirements-ordered"
VALUES = "a constant while neither amount nor price changes; margin.collateral-at-most-at-index"


def remembered(function: Function, grounds: str, result: Callable[..., Any]) -> StandIn:
    """A function by its contract: of equal arguments it gives equal results; ``result(path, *arguments)`` makes one."""

    def of(path: Any) -> Function:
        known: list[tuple[tuple[Any, ...], Any]] = path.__dict__.setdefault(f"remembered {function.__name__}", [])

        def stand_in(*arguments: Any) -> Any:
            for before, found in known:
                if same(before, arguments):
                    return found
            known.append((arguments, result(path, *arguments)))
            return known[-1][1]

        return stand_in

    return StandIn(function, grounds, of)


def ordered_requirements(path: Any, *_: Any) -> tuple[Any, Any]:
    """Initial and maintenance requirement: maintenance at least 0, initial no lower."""
    maintenance = path.fresh("maintenance", 0)
    return maintenance + path.fresh("initial above", 0), maintenance


def any_exposure(path: Any, name: str) -> Exposure:
    """A sum of exposures: no less worth at mark than at risk, requirements ordered."""
    at_risk, maintenance = path.atom(f"{name}.at_risk"), path.atom(f"{name}.maintenance", 0)
    above = path.atom(f"{name}.penalty", 0), path.atom(f"{name}.initial_above", 0)
    return Exposure(at_risk, at_risk + above[0], maintenance + above[1], maintenance, path.atom(f"{name}.notional", 0))


class Standings:
    """The standings of a world's accounts, now and before the event."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rests: dict[str, Exposure] = {}
        self.values: dict[tuple[str, str], tuple[Any, Any]] = {}

    def rest(self, account: str) -> Exposure:
        """What the untouched positions of an account come to."""
        if account not in self.rests:
            self.rests[account] = any_exposure(self.world.path, f"{account}.rest")
        return self.rests[account]

    def value(self, account: str, asset: str) -> tuple[Any, Any]:
        """Worth of untouched collateral: after its haircut, and at index."""
        if (account, asset) not in self.values:
            after, more = (self.world.path.atom(f"{account}.{asset}.{name}", 0) for name in ("counted", "haircut"))
            self.values[account, asset] = after, after + more
        return self.values[account, asset]

    def stand_ins(self, *touched: str) -> tuple[StandIn, ...]:
        """Exposures, requirements and collateral, of which the assets ``touched`` are valued as they are."""

        def fold(_: Any) -> Function:
            def exposure(ctx: ev.Context, account: Any) -> Exposure:
                parts = margin_exposure(ctx, account), self.rest(account.account)
                return Exposure(*(mine + other for mine, other in zip(*parts, strict=True)))

            return exposure

        def valued(_: Any) -> Function:
            def values(ctx: ev.Context, pool: Any, terms: Any, account: str) -> tuple[Any, Any]:
                real = terms.asset in touched
                return collateral_values(ctx, pool, terms, account) if real else self.value(account, terms.asset)

            return values

        return (
            StandIn(margin_exposure, EXPOSURES, fold),
            StandIn(collateral_values, VALUES, valued),
            remembered(margin.requirements, REQUIREMENTS, ordered_requirements),
        )

    def of(self, account: str, *stand_ins: StandIn, state: State | None = None) -> Standing:
        """The standing of an account now, or in an earlier state at this time."""
        time = self.world.state.time
        with standing_in(self.world.path, *stand_ins):
            return margin.standing(ev.Context(state or self.world.state, time), account)


margin_exposure, collateral_values = margin.exposure, margin.collateral_values
