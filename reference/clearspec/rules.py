"""Registry of rule ids: which function implements which rule of the spec.

A rule id is a chapter prefix, a dash and a number (``FUND-3``). The decorator only records; it returns the
function itself, so that a citation costs nothing at run time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

CHAPTERS: dict[str, str] = {
    "NUM": "numerics",
    "LEDG": "ledger",
    "EVENT": "events",
    "COLL": "collateral",
    "ORCL": "oracle",
    "PARM": "parameters",
    "MARG": "margin",
    "TRADE": "trading",
    "FUND": "funding",
    "LIQ": "liquidation",
    "FALL": "waterfall",
    "SETTLE": "settlement",
    "INV": "invariants",
}
"""Prefix of every chapter's rule ids. A prefix or an id is never reused."""

RULE_ID = re.compile(r"(?:" + "|".join(CHAPTERS) + r")-[1-9][0-9]*")

IMPLEMENTED: dict[str, list[Callable[..., Any]]] = {}
"""Rule id to the functions and classes that implement it."""


def rule(*ids: str) -> Callable[[Function], Function]:
    """Cite the rules that a function or class implements.

    Raises:
        ValueError: an id is not of the form PREFIX-NUMBER with a prefix of ``CHAPTERS``.
    """
    for identifier in ids:
        if RULE_ID.fullmatch(identifier) is None:
            raise ValueError(f"not a rule id: {identifier!r}")

    def cite(function: Function) -> Function:
        for identifier in ids:
            IMPLEMENTED.setdefault(identifier, []).append(function)
        return function

    return cite
