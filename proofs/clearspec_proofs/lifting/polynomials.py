"""Integer polynomials over named atoms: the arithmetic of symbolic amounts. Part of what is trusted.

A polynomial is a dictionary from monomials to coefficients other than 0; a monomial is the sorted tuple of its atoms'
names, an atom standing as often as its power, and ``()`` is the constant's.
"""

from __future__ import annotations

from math import gcd

Monomial = tuple[str, ...]
Polynomial = dict[Monomial, int]
Form = tuple[tuple[Monomial, int], ...]
"""A polynomial without constant, in one order, without common divisor, its first coefficient positive."""

ONE: Monomial = ()


def constant(value: int) -> Polynomial:
    """The polynomial of a number."""
    return {ONE: value} if value else {}


def add(left: Polynomial, right: Polynomial, times: int = 1) -> Polynomial:
    """``left + times * right``."""
    total = dict(left)
    for monomial, coefficient in right.items():
        value = total.get(monomial, 0) + times * coefficient
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    return total


def multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """``left * right``."""
    product: Polynomial = {}
    for one, first in left.items():
        for other, second in right.items():
            monomial = tuple(sorted(one + other)) if one and other else one or other
            product[monomial] = product.get(monomial, 0) + first * second
    return {monomial: coefficient for monomial, coefficient in product.items() if coefficient}


def negate(polynomial: Polynomial) -> Polynomial:
    """``-polynomial``."""
    return {monomial: -coefficient for monomial, coefficient in polynomial.items()}


def normalised(polynomial: Polynomial) -> tuple[Form, int, int]:
    """``(form, factor, rest)`` with ``polynomial == factor * form + rest``; of a constant the form is empty."""
    body = [item for item in polynomial.items() if item[0]]
    rest = polynomial.get(ONE, 0)
    if not body:
        return (), 0, rest
    if len(body) == 1:
        return ((body[0][0], 1),), body[0][1], rest
    body.sort()
    factor = gcd(*(value for _, value in body))
    if body[0][1] < 0:
        factor = -factor
    return tuple((monomial, value // factor) for monomial, value in body), factor, rest


def evaluate(polynomial: Polynomial, values: dict[str, int]) -> int:
    """The number that a polynomial is at given values of its atoms."""
    total = 0
    for monomial, coefficient in polynomial.items():
        product = coefficient
        for atom in monomial:
            product *= values[atom]
        total += product
    return total


def atoms_of(polynomial: Polynomial) -> set[str]:
    """Names of the atoms that occur in a polynomial."""
    return {atom for monomial in polynomial for atom in monomial}


def text(polynomial: Polynomial) -> str:
    """A polynomial for people: ``2*a*b - 3``."""
    parts = []
    for monomial, coefficient in sorted(polynomial.items(), key=lambda item: (-len(item[0]), item[0])):
        factors = [str(abs(coefficient))] if abs(coefficient) != 1 or not monomial else []
        parts.append(("- " if coefficient < 0 else "+ ") + "*".join([*factors, *monomial]))
    joined = " ".join(parts) or "0"
    return joined[2:] if joined.startswith("+ ") else joined
