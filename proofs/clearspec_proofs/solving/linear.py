"""What follows from equations and simple bounds alone, found without a solver.

Most questions about a ledger are sums that cancel: they are reduced by the equations among the hypotheses, and what
is left is bounded by the ranges of its monomials. The multipliers come along, so that a certificate falls out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from clearspec_proofs.lifting.certificates import Hypothesis
from clearspec_proofs.lifting.polynomials import ONE, Monomial, Polynomial

Row = dict[Monomial, Fraction]
Weights = dict[int, Fraction]


def subtract(row: Row, other: Row | Polynomial, times: Fraction) -> None:
    """``row -= times * other``, in place."""
    for monomial, value in other.items():
        left = row.get(monomial, Fraction(0)) - times * value
        if left:
            row[monomial] = left
        else:
            row.pop(monomial, None)


@dataclass(slots=True)
class Reduced:
    """An equation solved for one monomial, and the equations that it is a sum of."""

    pivot: Monomial
    row: Row
    weights: Weights


@dataclass(slots=True)
class Linear:
    """The equations and simple bounds among the hypotheses of a path, taken in one by one."""

    rows: list[Reduced] = field(default_factory=list)
    low: dict[Monomial, tuple[Fraction, int]] = field(default_factory=dict)
    high: dict[Monomial, tuple[Fraction, int]] = field(default_factory=dict)
    taken: int = 0

    def take(self, hypotheses: list[Hypothesis]) -> None:
        """Bring it up to date."""
        for number in range(self.taken, len(hypotheses)):
            entry = hypotheses[number]
            if entry.equation:
                self._equation(entry.polynomial, number)
            elif len(entry.polynomial) - (ONE in entry.polynomial) == 1:
                self._bound(entry.polynomial, number)
        self.taken = len(hypotheses)

    def _equation(self, polynomial: Polynomial, number: int) -> None:
        row, weights = self.reduce(polynomial)
        if set(row) <= {ONE}:
            return
        pivot = min((m for m in row if m != ONE), key=lambda m: (-len(m), m))
        weights = {one: -value for one, value in weights.items()}
        weights[number] = weights.get(number, Fraction(0)) + 1
        self.rows.append(Reduced(pivot, row, weights))

    def _bound(self, polynomial: Polynomial, number: int) -> None:
        rest = polynomial.get(ONE, 0)
        monomial, coefficient = next((m, c) for m, c in polynomial.items() if m != ONE)
        bound = Fraction(-rest, coefficient)
        if coefficient > 0 and (monomial not in self.low or bound > self.low[monomial][0]):
            self.low[monomial] = bound, number
        if coefficient < 0 and (monomial not in self.high or bound < self.high[monomial][0]):
            self.high[monomial] = bound, number

    def reduce(self, polynomial: Polynomial) -> tuple[Row, Weights]:
        """A polynomial less a sum of equations, and the weights of that sum."""
        row: Row = {monomial: Fraction(value) for monomial, value in polynomial.items()}
        weights: Weights = {}
        for entry in self.rows:
            value = row.get(entry.pivot)
            if value:
                times = value / entry.row[entry.pivot]
                subtract(row, entry.row, times)
                for number, weight in entry.weights.items():
                    weights[number] = weights.get(number, Fraction(0)) + times * weight
        return row, {number: weight for number, weight in weights.items() if weight}

    def contradicts(self, opposite: Polynomial) -> tuple[Weights, Weights, Fraction] | None:
        """Multipliers of bounds and of equations under which ``opposite >= 0`` sums to a negative number.

        The third value is that number; the opposite itself has the multiplier 1.
        """
        row, equations = self.reduce(opposite)
        rest, bounds = row.pop(ONE, Fraction(0)), {}
        for monomial, coefficient in row.items():
            found = (self.high if coefficient > 0 else self.low).get(monomial)
            if found is None:
                return None
            rest += coefficient * found[0]
            bounds[found[1]] = abs(coefficient)
        return (bounds, {number: -weight for number, weight in equations.items()}, rest) if rest < 0 else None
