"""Functions that stand in cut short reject nothing: an event that they are left out of is accepted with them too."""

from __future__ import annotations

import ast

import pytest
from lifted_programs import Blind

from clearspec import collateral, liquidation, settlement, trading, waterfall
from clearspec_proofs import purity
from clearspec_proofs.events import CUT_SHORT
from clearspec_proofs.lifting.paths import explore
from clearspec_proofs.theorems import catalogue

PATHS = 40
"""Paths of each theorem of which the stand-ins are looked at."""


def rejections(function: purity.Function) -> list[str]:
    """Functions that a function may call and that raise or require something."""
    return [text.tree.name for text in purity.reached(function) if any(map(rejects, ast.walk(text.tree)))]


def rejects(node: ast.AST) -> bool:
    """Whether a node raises, or calls what requires something."""
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return isinstance(node, ast.Raise) or called == "require" or called.startswith("require_")


def cut_short() -> set[str]:
    """Titles of the stand-ins that are cut short."""
    found: set[str] = set()
    for theorem in catalogue().values():
        if theorem.chapter == "events":
            for _, end in zip(range(PATHS), explore(theorem.body, Blind()), strict=False):
                found |= {title for title in end.path.contracts if title.endswith(CUT_SHORT)}
    return found


def test_what_is_cut_short_rejects_nothing() -> None:
    titles = cut_short()
    assert len(titles) == 9
    assert {title: rejections(purity.function_of(title)) for title in titles} == {title: [] for title in titles}


@pytest.mark.parametrize(
    "function",
    [collateral.withdraw, trading.trade, liquidation.require_able, waterfall.resolve_default, settlement.delist],
)
def test_what_rejects_is_found(function: purity.Function) -> None:
    assert rejections(function) != []
