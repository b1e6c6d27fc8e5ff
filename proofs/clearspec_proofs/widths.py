"""128 bits: every sum, difference and product of lifted code is claimed to fit, in a proof and on plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearspec.margin import Standing
from clearspec.numerics import COUNT_MAX, NOTIONAL_MAX, POSITIONS_MAX, PRICE_MAX
from clearspec_proofs.lifting.concrete import Concrete, Values
from clearspec_proofs.lifting.paths import Failed
from clearspec_proofs.theorems import Body, Strength, theorem

WIDTH = 128

REQUIREMENT_MAX = POSITIONS_MAX * NOTIONAL_MAX
"""Requirement or notional of an account: 64 positions of at most 2^56, by the caps of PARM-9."""

WORTH_MAX = 2**112
"""Magnitude of an equity or a worth before it is clamped: 64 positions below 2^103 each, by
``margin.fits-128-bits:position_exposure``, collateral below 2^100, and a balance."""

FUND_MAX = 2**125
"""Magnitude of a balance or an amount posted, so that a sum of two fits."""

BASIS_SUM_MAX = COUNT_MAX * PRICE_MAX
"""Magnitude of the smoothed basis, by ``oracle.smoothing-keeps-its-range``."""


def wide_standing(path: Any, name: str) -> Standing:
    """A standing with any figures that positions, collateral and a balance can come to."""
    signed = [path.atom(f"{name}.{field}", -WORTH_MAX, WORTH_MAX) for field in Standing._fields[:6]]
    return Standing(*signed, *(path.atom(f"{name}.{field}", 0, REQUIREMENT_MAX) for field in Standing._fields[6:]))


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

    def __mod__(self, other: int) -> Measured:
        return measured(int(self) % int(other))

    def __rmod__(self, other: int) -> Measured:
        return measured(int(other) % int(self))

    def __rfloordiv__(self, other: int) -> Measured:
        return measured(int(other) // int(self))


def fits(kernel: str, ranges: str, *rules: str, strength: Strength = Strength.EVERY_INPUT) -> Callable[[Body], Body]:
    """Register a theorem: no intermediate value of a kernel leaves 128 bits, with arguments in the ranges named.

    Its body calls ``in_128_bits`` first.
    """
    sentence = f"No intermediate value of {kernel} leaves signed 128 bits, with {ranges}."
    return theorem(f"fits-128-bits:{kernel}", sentence, *rules, "NUM-9", strength=strength)
