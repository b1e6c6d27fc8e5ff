"""The same theorem on plain numbers: to replay a path, or to try it as a property on drawn values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from clearspec_proofs.lifting.paths import Discarded, Failed
from clearspec_proofs.lifting.terms import truth_value


class Values(Protocol):
    """Where the numbers come from."""

    def integer(self, name: str, low: int | None, high: int | None) -> int:
        """The value of an atom."""

    def option(self, name: str, options: tuple[Any, ...]) -> Any:
        """The value of a choice."""


class Given:
    """Values of a solver's model; what it leaves open is as near to 0 as its bounds allow."""

    def __init__(self, integers: dict[str, int], options: dict[str, Any]) -> None:
        self.integers = integers
        self.options = options

    def integer(self, name: str, low: int | None, high: int | None) -> int:
        """The value in the model."""
        value = self.integers.get(name, 0)
        value = value if low is None else max(low, value)
        return value if high is None else min(high, value)

    def option(self, name: str, options: tuple[Any, ...]) -> Any:
        """The option in the model."""
        return self.options.get(name, options[0])


class Concrete:
    """Stands where a ``Path`` stands, with numbers for atoms; ``stand_ins`` says whether contracts are used.

    ``recall``: which of their earlier answers the contracts repeat, call by call, as a path did that is run again.
    """

    def __init__(self, values: Values, stand_ins: bool, recall: Sequence[int] = ()) -> None:
        self.recall = recall
        self.values = values
        self.stand_ins = stand_ins
        self.counts: dict[str, int] = {}
        self.contracts: set[str] = set()
        self.good: list[Any] = []
        self.marks: set[str] = set()
        self.drawn: dict[str, Any] = {}

    def atom(self, name: str, low: int | None = None, high: int | None = None, origin: str = "range") -> int:
        """The number that the atom of this name has."""
        value = self.drawn[name] = self.values.integer(name, low, high)
        return value

    def fresh(self, name: str, low: int | None = None, high: int | None = None) -> int:
        """The same with a name made unique by a number."""
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.atom(f"{name}#{self.counts[name]}", low, high)

    def choice(self, name: str, *options: Any) -> Any:
        """The option that was chosen."""
        if len(options) > 1 and name not in self.drawn:
            self.drawn[name] = self.values.option(name, options)
        return options[0] if len(options) == 1 else self.drawn[name]

    def assume(self, statement: Callable[[], object], origin: str = "assumption") -> None:
        """Go on only where a statement holds."""
        if not truth_value(statement()):
            raise Discarded

    def claim(self, name: str, statement: Callable[[], object]) -> None:
        """Fail where a statement does not hold."""
        if not truth_value(statement()):
            raise Failed(name)

    def mark(self, name: str) -> None:
        """Note that the execution came here."""
        self.marks.add(name)
