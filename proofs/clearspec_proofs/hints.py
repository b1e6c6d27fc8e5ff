"""Small things that theorems use to split cases and to lead the search for a proof."""

from __future__ import annotations

from typing import Any, TypeVar

from clearspec_proofs.sound import given

T = TypeVar("T")

ANY = "any"


def noted(path: Any, name: str, fact: Any) -> None:
    """Claim a fact that is evident from ranges, and have it among the hypotheses of what follows."""
    path.claim(name, lambda: fact)
    given(path, fact, name)


def pick(path: Any, name: str, first: int, last: int) -> int:
    """Each number from ``first`` to ``last``, on paths of their own."""
    options = tuple(range(first, last + 1))
    chosen = path.choice(name, *options)
    return next((option for option in options[:-1] if chosen == option), last)


def numbers(path: Any, **examples: T) -> T | None:
    """Examples in numbers, on paths of their own, and ``None``: any numbers at all.

    A theorem that builds on contracts of other theorems says something of the reference alone only where it runs it.
    """
    chosen = path.choice("numbers", *examples, ANY)
    return next((example for name, example in examples.items() if chosen == name), None)
