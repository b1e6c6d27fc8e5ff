"""Full snapshots against each other, object by object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clearspec.codec import DecodeError, Fault
from clearspec_conformance.verdicts import ABSENT, Difference, differences

TABLE_RULES = {
    "balances": "LEDG-3",
    "positions": "TRADE-1",
    "open_interest": "TRADE-3",
    "fundings": "FUND-4",
    "marks": "ORCL-5",
    "feeds": "ORCL-3",
    "posts": "ORCL-1",
    "markets": "TRADE-9",
    "budgets": "FALL-5",
    "pool_budgets": "FALL-5",
    "settlements": "SETTLE-4",
    "accounts": "COLL-1",
    "recent": "EVENT-5",
    "time": "EVENT-5",
    "sequence": "EVENT-5",
}
"""Part of a snapshot to the rule that makes it; every other is the snapshot's own, EVENT-12."""


def table_rule(path: str) -> str:
    """The rule behind a difference between snapshots."""
    part = re.match(r"\$\.snapshot\.(\w+)", path)
    return TABLE_RULES.get(part[1], "EVENT-12") if part else "EVENT-12"


def by_key(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The objects of a snapshot: table to key to record."""
    found: dict[str, dict[str, Any]] = {}
    for item in document["objects"]:
        found.setdefault(item["table"], {})[".".join(item["key"])] = item["record"]
    return found


def state_differences(wanted: dict[str, Any], got: dict[str, Any]) -> Iterator[Difference]:
    """Where two snapshots differ: header, objects, and if these agree their order."""
    ours, theirs = by_key(wanted), by_key(got)
    header, other = ({name: part for name, part in one.items() if name != "objects"} for one in (wanted, got))
    found = [*differences(ours, theirs, "$.snapshot"), *differences(header, other, "$.snapshot")]
    yield from found
    if not found:
        keys = [[".".join((item["table"], *item["key"])) for item in one["objects"]] for one in (wanted, got)]
        pair = next((pair for pair in zip(*keys, strict=False) if pair[0] != pair[1]), (ABSENT, ABSENT))
        yield Difference("$.snapshot.objects", *pair)


def broken_in(error: DecodeError) -> str:
    """The rule of what a snapshot contradicts itself in: an invariant, or EVENT-12; empty if it is no snapshot."""
    if error.fault != Fault.INCONSISTENT:
        return ""
    named = re.match(r"(INV-\d+) to hold", error.expected)
    return named[1] if named else "EVENT-12"
