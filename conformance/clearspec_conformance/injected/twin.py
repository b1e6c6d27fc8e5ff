"""A twin of the reference: copies of its functions that call each other and share nothing but data with it.

Functions of a twin may be wrapped, to make it wrong or to see what it runs; the reference in the same process, in
whatever thread, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any

from clearspec.events import Event, Receipt
from clearspec.state import State

MODULES = (
    "numerics", "ledger", "events", "parameters", "oracle", "funding", "margin", "trading", "liquidation", "waterfall",
    "settlement", "collateral", "listing", "machine", "invariants", "snapshot",
)  # fmt: skip
"""Modules of the reference whose functions a twin copies."""

Function = Callable[..., Any]


def forked(state: State) -> State:
    """A state that shares the records, which are immutable, and nothing else."""
    copy = State(state.time, state.sequence, state.administrators, state.venues, dict(state.recent))
    for mine, theirs in zip(copy.tables, state.tables, strict=True):
        mine.update(theirs)
    copy.created.extend(state.created)
    return copy


class Twin:
    """The functions of the reference once more; ``originals`` leads from each copy to what it is a copy of."""

    def __init__(self) -> None:
        modules = {name: import_module(f"clearspec.{name}") for name in MODULES}
        self.spaces: dict[str, dict[str, Any]] = {name: dict(vars(module)) for name, module in modules.items()}
        copies: dict[int, Function] = {}
        self.originals: list[tuple[Function, Function]] = []
        for name, module in modules.items():
            for found in vars(module).values():
                if isinstance(found, FunctionType) and found.__module__ == module.__name__ and _is_plain(found):
                    copies[id(found)] = copied(found, self.spaces[name])
                    self.originals.append((copies[id(found)], found))
        self._link(copies)

    def _link(self, copies: dict[int, Function]) -> None:
        """Let names and tables of functions lead to the copies."""
        for space in self.spaces.values():
            for name, value in list(space.items()):
                if isinstance(value, FunctionType):
                    space[name] = copies.get(id(value), value)
                elif isinstance(value, dict) and not name.startswith("__"):
                    space[name] = {key: copies.get(id(part), part) for key, part in value.items()}

    def __getitem__(self, place: str) -> Any:
        """What stands at ``module.name``."""
        module, _, name = place.partition(".")
        return self.spaces[module][name]

    def apply(self, state: State, event: Event) -> Receipt:
        """The transition of the twin."""
        receipt: Receipt = self["machine.apply"](state, event)
        return receipt

    def wrap(self, place: str, wrapped: Callable[[Function], Function], inside: tuple[str, ...] = ()) -> None:
        """Put what ``wrapped`` makes of a function in its place, everywhere or inside some modules only."""
        before = self[place]
        after = wrapped(before)
        for name in inside or self.spaces:
            self.exchange(self.spaces[name], before, after)

    @staticmethod
    def exchange(space: dict[str, Any], before: Function, after: Function) -> None:
        """Let every name and table of a module lead to another function."""
        for name, value in space.items():
            if value is before:
                space[name] = after
            elif isinstance(value, dict) and not name.startswith("__"):
                for key, part in value.items():
                    if part is before:
                        value[key] = after


def _is_plain(function: FunctionType) -> bool:
    """Whether a function can be copied: no decorator stands between, and it closes over nothing."""
    return not function.__code__.co_freevars and "__wrapped__" not in vars(function)


def copied(function: FunctionType, space: dict[str, Any]) -> FunctionType:
    """A function of the same code that looks its names up elsewhere."""
    copy = FunctionType(function.__code__, space, function.__name__, function.__defaults__)
    copy.__kwdefaults__, copy.__qualname__ = function.__kwdefaults__, function.__qualname__
    return copy
