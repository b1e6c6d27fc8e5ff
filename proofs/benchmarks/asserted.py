"""A contract in assert statements whose precondition contradicts itself; CrossHair confirms it.

It says "Confirmed over all paths", for no path gets past the first statement. A theorem of the catalogue that nothing
reaches is not proved, but empty.
"""

from __future__ import annotations


def nothing_gets_past(amount: int) -> int:
    """Claims something false of no input at all."""
    assert amount > 0
    assert amount < 0
    result = amount + 1
    assert result == amount
    return result
