"""The price gap derived from an account's equity with SymPy, and the reference's integers against the exact bound."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
import sympy as sp

from clearspec.numerics import SCALE
from clearspec.parameters import funding_in_gap
from clearspec_proofs.worst import least_maintenance, with_gap

s, b, p, f, m, k, A = sp.symbols("s b p f m k A", positive=True)
UP, DOWN = (1 + s) ** (k + 1), (1 - s) ** (k + 1)


def bound(first: sp.Expr, last: sp.Expr, funding: sp.Expr, sign: int) -> sp.Expr:
    """The maintenance ratio with which a lot held from ``first`` to ``last`` is worth exactly its penalty."""
    equity = m * first - sign * (last - first) - funding
    (solution,) = sp.solve(sp.Eq(equity, p * last), m)
    return sp.simplify(solution)


SHORT = bound(A * (1 - s) * (1 - b), A * UP * (1 + b), f * A * UP, 1)
LONG = bound(A * (1 + s) * (1 + b), A * DOWN * (1 - b), f * A * (1 + s), -1)


def test_the_gap_of_a_short_is_its_equity() -> None:
    """``gap-up``: (1 + s)^(k+1) ((1 + p)(1 + b) + f) <= (1 + m)(1 - b)(1 - s), solved for m."""
    stated = UP * ((1 + p) * (1 + b) + f) / ((1 - b) * (1 - s)) - 1
    assert sp.simplify(SHORT - stated) == 0


def test_the_gap_of_a_long_is_its_equity() -> None:
    """``gap-down``: (1 + s) ((1 - m)(1 + b) + f) <= (1 - s)^(k+1) (1 - p)(1 - b), solved for m."""
    stated = 1 - (DOWN * (1 - p) * (1 - b) / (1 + s) - f) / (1 + b)
    assert sp.simplify(LONG - stated) == 0


def test_the_gap_of_a_short_is_the_wider_one() -> None:
    """Without basis, penalty and funding the difference is x + y - 2 with x = UP / (1 - s) and y = DOWN / (1 + s).

    x is at least (1 + s)^(k+2), y at least (1 - s)^(k+2), and the two sum to at least 2; penalty and funding add to it.
    """
    plain = (SHORT - LONG).subs({b: 0, p: 0, f: 0})
    assert sp.simplify(plain - (UP / (1 - s) + DOWN / (1 + s) - 2)) == 0
    for steps, percent in product((1, 5, 50), (1, 5, 20)):
        values = {k: steps, s: sp.Rational(percent, 100), b: 0, p: 0, f: 0}
        assert (SHORT - LONG).subs(values) > 0
    for name in (p, f):
        slope = sp.diff(SHORT - LONG, name)
        assert slope.subs({k: 3, s: sp.Rational(1, 50), b: sp.Rational(1, 100), p: 0, f: 0}) > 0


GRID = list(product((1, 4, 40), (0, 1, 30), (0, 20), (0, 50), (0, 75)))
"""Steps; band, basis, penalty and funding cap in tenths of a per mille."""


@pytest.mark.parametrize(("name", "exact"), [("gap-up", SHORT), ("gap-down", LONG)])
def test_the_reference_asks_for_the_bound_and_hardly_more(name: str, exact: sp.Expr) -> None:
    """Rounding to the safe side costs less than four billionths a step, and never goes below the exact ratio."""
    for steps, band, basis, penalty, cap in GRID:
        feed, market = with_gap(steps, *(part * 10**5 for part in (band, basis, penalty)), cap=cap * 10**5)
        least = least_maintenance(feed, market, name)
        ratio = Fraction(funding_in_gap(market.funding, steps + 1), SCALE)
        values = {k: steps, s: sp.Rational(band, 10**4), b: sp.Rational(basis, 10**4), p: sp.Rational(penalty, 10**4)}
        needed = Fraction(str(exact.subs({**values, f: sp.Rational(ratio.numerator, ratio.denominator)}))) * SCALE
        assert least >= needed
        assert least - needed < 4 * (steps + 2) or least == 1
