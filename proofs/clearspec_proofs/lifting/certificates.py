"""Certificates: why a list of hypotheses cannot hold together, checked by exact arithmetic. Part of what is trusted.

A certificate is a sum that adds up to a negative number although nothing in it can be negative: products of
hypotheses ``h >= 0`` with positive coefficients, and hypotheses ``e == 0`` times anything. Checking it is adding up.
Who found it, and how, does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearspec_proofs.lifting.polynomials import ONE, Monomial, Polynomial, add, multiply


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """``polynomial >= 0``, or ``polynomial == 0`` where it is an equation; and where it comes from, for people."""

    polynomial: Polynomial
    equation: bool
    origin: str


@dataclass(frozen=True, slots=True)
class Product:
    """``coefficient`` (above 0) times the product of the hypotheses with these numbers; none of them: 1."""

    coefficient: int
    factors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Multiple:
    """``coefficient`` times a monomial times the equation with this number."""

    coefficient: int
    monomial: Monomial
    equation: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """Products and multiples of equations whose sum is a negative number."""

    products: tuple[Product, ...]
    multiples: tuple[Multiple, ...]

    @property
    def used(self) -> set[int]:
        """Numbers of the hypotheses that it needs."""
        return {number for part in self.products for number in part.factors} | {
            part.equation for part in self.multiples
        }


class Unfounded(ValueError):
    """A certificate that shows nothing."""


def product_of(hypotheses: Sequence[Hypothesis], part: Product) -> Polynomial:
    """The polynomial of a product, with its coefficient."""
    if part.coefficient <= 0:
        raise Unfounded("a product with a coefficient that is not positive")
    result: Polynomial = {ONE: part.coefficient}
    for number in part.factors:
        if not 0 <= number < len(hypotheses):
            raise Unfounded(f"no hypothesis {number}")
        result = multiply(result, hypotheses[number].polynomial)
    return result


def multiple_of(hypotheses: Sequence[Hypothesis], part: Multiple) -> Polynomial:
    """The polynomial of a multiple of an equation."""
    if not 0 <= part.equation < len(hypotheses) or not hypotheses[part.equation].equation:
        raise Unfounded(f"hypothesis {part.equation} is no equation")
    return multiply({tuple(sorted(part.monomial)): part.coefficient}, hypotheses[part.equation].polynomial)


def check(hypotheses: Sequence[Hypothesis], certificate: Certificate) -> None:
    """Accept a certificate that shows the hypotheses to contradict each other.

    Raises:
        Unfounded: its sum is not a negative number, or it cites what is not there.
    """
    total: Polynomial = {}
    for part in certificate.products:
        total = add(total, product_of(hypotheses, part))
    for multiple in certificate.multiples:
        total = add(total, multiple_of(hypotheses, multiple))
    if set(total) != {ONE} or total[ONE] >= 0:
        raise Unfounded("the sum is not a negative number")
