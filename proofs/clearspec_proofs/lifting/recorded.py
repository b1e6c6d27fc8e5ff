"""A guide that reads certificates instead of looking for them: all that a re-check needs beside the trusted part."""

from __future__ import annotations

from typing import Any

from clearspec_proofs.lifting.certificates import Certificate, Multiple, Product
from clearspec_proofs.lifting.paths import Forced, Path
from clearspec_proofs.lifting.polynomials import Polynomial

Nodes = dict[str, Forced]
"""Forced outcomes by the decisions before them."""


class Recorded:
    """Gives the recorded outcome where there is one, and knows nothing elsewhere."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.asked: set[str] = set()

    def advise(self, path: Path, polynomial: Polynomial) -> Forced | None:
        """What was recorded for this point of the path. The path checks it."""
        self.asked.add(path.trail)
        return self.nodes.get(path.trail)


def encoded(nodes: Nodes) -> dict[str, Any]:
    """Forced outcomes as a JSON document; integers are decimal strings."""
    return {
        trail: {
            "outcome": forced.outcome,
            "products": [[str(part.coefficient), list(part.factors)] for part in forced.certificate.products],
            "multiples": [
                [str(part.coefficient), list(part.monomial), part.equation] for part in forced.certificate.multiples
            ],
        }
        for trail, forced in nodes.items()
    }


def decoded(document: dict[str, Any]) -> Nodes:
    """Forced outcomes from their document.

    Raises:
        ValueError: it is not of that form.
    """
    try:
        return {trail: _forced(entry) for trail, entry in document.items()}
    except (TypeError, KeyError, AttributeError) as fault:
        raise ValueError(f"no certificates: {fault!r}") from fault


def _forced(entry: dict[str, Any]) -> Forced:
    products = tuple(Product(int(value), tuple(factors)) for value, factors in entry["products"])
    multiples = tuple(Multiple(int(value), tuple(names), number) for value, names, number in entry["multiples"])
    if entry["outcome"] is not True and entry["outcome"] is not False:
        raise TypeError("an outcome is true or false")
    return Forced(entry["outcome"], Certificate(products, multiples))
