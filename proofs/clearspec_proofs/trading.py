"""Theorems about novation, fees and the effect of trades on the books."""

from __future__ import annotations

from typing import Any

from clearspec.numerics import PRICE_MAX, SIZE_MAX
from clearspec.state import Position
from clearspec.trading import filled
from clearspec_proofs.theorems import theorem


def any_position(path: Any) -> Position:
    """A position within the bounds of INV-12."""
    size, cost = path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("cost")
    path.assume(lambda: 0 <= cost <= size * PRICE_MAX if size >= 0 else size * PRICE_MAX <= cost <= 0, "INV-12")
    return Position(size, cost, path.atom("funding_index"), path.atom("haircut_index"))


@theorem(
    "filled-conserves",
    "A fill changes the size by the lots filled; what it realises is the rise of the cost beyond what was paid.",
    "TRADE-1",
)
def filled_conserves(path: Any) -> Any:
    """The contract by which a fill stands in for itself inside transitions."""
    position = any_position(path)
    delta, price = path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    after, realised = filled(position, delta, price)
    path.claim("size", lambda: after.size == position.size + delta)
    path.claim("cost", lambda: after.cost == position.cost + delta * price + realised)
    path.claim("funding index", lambda: after.funding_index == position.funding_index)
    path.claim("haircut index", lambda: after.haircut_index == position.haircut_index)
    return after.size, after.cost, realised

