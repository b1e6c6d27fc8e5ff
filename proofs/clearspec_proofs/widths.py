"""128 bits: every sum, difference and product of lifted code is claimed to fit, in a proof and on plain numbers."""

from __future__ import annotations

from typing import Any

from clearspec_proofs.lifting.concrete import Concrete, Values
from clearspec_proofs.lifting.paths import Failed

WIDTH = 128


def in_128_bits(path: Any) -> None:
    """From here on whatever is computed on this path must fit a signed integer of 128 bits.

    On plain numbers the atoms drawn from here on measure what is computed with them, so that a value found by a
    solver can be replayed on the reference.
    """
    path.width = WIDTH
    if isinstance(path, Concrete):
        path.values = Measuring(path.values)


class Measuring:
    """Values that measure what is computed with them."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def integer(self, name: str, low: int | None, high: int | None) -> int:
        """The value of an atom."""
        return Measured(self.values.integer(name, low, high))

    def option(self, name: str, options: tuple[Any, ...]) -> Any:
        """The value of a choice."""
        return self.values.option(name, options)


def measured(value: int) -> Measured:
    """A result, if it fits.

    Raises:
        Failed: it does not.
    """
    if not -(1 << (WIDTH - 1)) <= value < 1 << (WIDTH - 1):
        raise Failed(f"{WIDTH} bits")
    return Measured(value)


class Measured(int):
    """An integer whose results fit."""

    def __add__(self, other: int) -> Measured:
        return measured(int(self) + int(other))

    def __sub__(self, other: int) -> Measured:
        return measured(int(self) - int(other))

    def __rsub__(self, other: int) -> Measured:
        return measured(int(other) - int(self))

    def __mul__(self, other: int) -> Measured:
        return measured(int(self) * int(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Measured:
        return measured(-int(self))

    def __abs__(self) -> Measured:
        return measured(abs(int(self)))

    def __floordiv__(self, other: int) -> Measured:
        return measured(int(self) // int(other))

    def __rfloordiv__(self, other: int) -> Measured:
        return measured(int(other) // int(self))
