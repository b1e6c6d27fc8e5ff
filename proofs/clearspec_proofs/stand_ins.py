"""Functions of the reference replaced, while a path runs, by what is claimed about them (assume, guarantee).

A stand-in may say less than its function, never something else. There are five kinds:

- *opaque*: any result of the right shape, which is true of every function that writes nothing;
- *passing*: a check that writes nothing is taken to pass; where it does not, the event is rejected, and that a
  rejected event leaves everything as it was is a theorem of its own (``events.rejected-means-unchanged``);
- *cut short*: a function that rejects nothing writes nothing here, for the theorem looks at nothing that it writes;
- a *contract*: what a theorem of its own, named beside it, proves;
- *kept*: a function that writes, of which a theorem proves that it keeps the invariants of any state. What follows
  it starts again from any state that satisfies them, which the world is, so that it need do nothing; what it requires
  is claimed where it is called. So a loop keeps the invariants, however often it runs.

That opaque and passing functions write nothing, and that functions cut short reject nothing, is checked over their
syntax and that of all that they call (``purity``).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

import clearspec
from clearspec.margin import Standing
from clearspec.numerics import BALANCE_MAX, PRICE_MAX
from clearspec.state import Position
from clearspec.trading import filled, replace_fill
from clearspec_proofs.lifting.terms import polynomial_of

Function = Callable[..., Any]


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the reference."""
    names = [entry.name for entry in pkgutil.iter_modules(clearspec.__path__)]
    return tuple(importlib.import_module(f"clearspec.{name}") for name in sorted(names))


@cache
def holders(function: Function) -> tuple[tuple[dict[Any, Any], Any], ...]:
    """Dictionaries and keys under which the reference reaches a function: names of modules, tables of functions."""
    found: list[tuple[dict[Any, Any], Any]] = []
    for module in modules():
        for name, value in list(vars(module).items()):
            if value is function:
                found.append((vars(module), name))
            elif isinstance(value, dict) and not name.startswith("__"):
                found += [(value, key) for key, entry in value.items() if entry is function]
    if not found:
        raise LookupError(f"the reference does not call {function.__name__}")
    return tuple(found)


@contextmanager
def standing_in(path: Any, *stand_ins: StandIn) -> Iterator[None]:
    """Within it the reference calls the stand-ins, unless the path runs the real functions."""
    _tables()
    wanted = stand_ins if path.stand_ins else ()
    changed = [(table, key, entry) for entry in wanted for table, key in holders(entry.function)]
    try:
        for table, key, entry in changed:
            table[key] = entry.of(path)
            path.contracts.add(entry.title)
        yield
    finally:
        for table, key, entry in changed:
            table[key] = entry.function


@cache
def _tables() -> tuple[tuple[dict[Any, Any], Any, Function], ...]:
    """Every place under which the reference reaches a function of its own, and the function, as imported."""
    found: list[tuple[dict[Any, Any], Any, Function]] = []
    for module in modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType):
                found.append((vars(module), name, value))
            elif isinstance(value, dict) and not name.startswith("__"):
                found += [(value, key, entry) for key, entry in value.items() if isinstance(entry, FunctionType)]
    return tuple(found)


def left_in_place() -> list[str]:
    """Functions of the reference in whose place something else stands now; outside of a path there must be none."""
    return [str(key) for table, key, function in _tables() if table.get(key) is not function]


class StandIn:
    """A function, and what stands in for it on a path; ``grounds`` says why that is allowed."""

    def __init__(self, function: Function, grounds: str, of: Callable[[Any], Function]) -> None:
        self.function = function
        self.grounds = grounds
        self.of = of

    @property
    def title(self) -> str:
        """Function and grounds."""
        return f"{self.function.__module__.rsplit('.', 1)[-1]}.{self.function.__name__}: {self.grounds}"


OPAQUE, PASSING = "opaque", "passing"


def opaque(function: Function, result: Callable[[Any, str], Any]) -> StandIn:
    """Any result; ``result(path, name)`` makes one."""

    def of(path: Any) -> Function:
        return lambda *_, **__: result(path, function.__name__)

    return StandIn(function, OPAQUE, of)


def passing(function: Function) -> StandIn:
    """A check that passes."""
    return StandIn(function, PASSING, lambda _: lambda *__, **___: None)


def agreeing(function: Function) -> StandIn:
    """A test that says yes; where it says no, the event is rejected."""
    return StandIn(function, PASSING, lambda _: lambda *__, **___: True)


class Unread:
    """A result that nothing reads: to look at it is an error."""

    def __bool__(self) -> bool:
        raise LookupError("what nothing was to read is read")

    def __eq__(self, _: object) -> bool:
        raise LookupError("what nothing was to read is compared")

    __hash__ = None  # type: ignore[assignment]


def unread(*_: Any) -> Any:
    """Any result at all, for nothing reads it."""
    return Unread()


NOTHING_FOUND = "itself, where it finds nothing"
"""Of functions that list what is wrong, where only what is accepted is spoken of."""

CUT_SHORT = "itself, cut short: it rejects nothing, and nothing that it writes is looked at"


def nothing(*_: Any) -> None:
    """Whatever is written is of no interest here."""


def cut_short(function: Function, result: Callable[..., Any] = nothing) -> StandIn:
    """A function that rejects nothing, and of which nothing that it writes is looked at; here it writes nothing."""
    return StandIn(function, CUT_SHORT, lambda _: result)


def kept(function: Function, grounds: str, result: Callable[..., Any]) -> StandIn:
    """A function that keeps the invariants, as the theorem ``grounds`` proves.

    ``result(path, *arguments)`` claims what that theorem requires, and makes any result.
    """

    def of(path: Any) -> Function:
        return lambda *arguments: result(path, *arguments)

    return StandIn(function, grounds, of)


def with_lemmas(function: Function, lemmas: Callable[..., None]) -> StandIn:
    """The function itself; ``lemmas(path, result, *arguments)`` claims what helps the proof of what follows."""

    def of(path: Any) -> Function:
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            lemmas(path, result, *arguments)
            return result

        return call

    return StandIn(function, "itself, with lemmas", of)


def any_bool(path: Any, name: str) -> Any:
    """Yes or no."""
    path.counts[name] = path.counts.get(name, 0) + 1
    return path.choice(f"{name}#{path.counts[name]}", False, True)


def any_integer(path: Any, name: str) -> Any:
    """Any integer."""
    return path.fresh(name)


def at_least_zero(path: Any, name: str) -> Any:
    """Any integer from 0 on."""
    return path.fresh(name, 0)


def any_standing(path: Any, name: str) -> Standing:
    """Any standing."""
    return Standing(*(path.fresh(f"{name}.{field}") for field in Standing._fields))


def standing_in_range(path: Any, name: str) -> Standing:
    """Any standing whose settlement balance is in range; beyond it the event is rejected."""
    return any_standing(path, name)._replace(cash=path.fresh(f"{name} in range", -BALANCE_MAX, BALANCE_MAX))


def is_good(path: Any, position: Position) -> bool:
    """Whether a position is known to satisfy INV-12: assumed to, or the result of a fill of one that does."""
    mine = polynomial_of(position.size), polynomial_of(position.cost)
    return mine in ((polynomial_of(size), polynomial_of(cost)) for size, cost in path.good)


def _filled(path: Any) -> Function:
    def stand_in(position: Position, delta: Any, price: Any) -> tuple[Position, Any]:
        size, good = position.size + delta, is_good(path, position)
        if good:
            path.claim("a fill's price is in range", lambda: 1 <= price <= PRICE_MAX)
            path.claim("a fill meets no claim", lambda: position.size != 0 or position.cost == 0)
        cost = 0 if good and size == 0 else path.fresh("filled.cost")
        after = replace_fill(position, size, cost)
        if good:
            path.good.append((after.size, after.cost))
        return after, cost - position.cost - delta * price

    return stand_in


FILLED = StandIn(filled, "trading.filled-conserves, trading.filled-keeps-cost-within-size", _filled)
"""A fill changes the size by the lots filled; what it realises is what the cost rises by beyond what was paid; and a
position that satisfies INV-12 satisfies it afterwards, and costs nothing if it is flat."""


def _filled_to_flat(path: Any) -> Function:
    def stand_in(position: Position, delta: Any, price: Any) -> tuple[Position, Any]:
        path.claim("no claim is filled", lambda: position.size != 0 or position.cost == 0)
        size = position.size + delta
        cost = 0 if size == 0 else path.fresh("filled.cost")
        return replace_fill(position, size, cost), cost - position.cost - delta * price

    return stand_in


FILLED_TO_FLAT = StandIn(filled, "trading.filled-conserves, trading.filled-keeps-cost-within-size", _filled_to_flat)
"""The same of a position that is no claim, without INV-12, but for what it says of no size: a flat position costs 0."""
