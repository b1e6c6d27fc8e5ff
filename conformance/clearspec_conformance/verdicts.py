"""Results of vectors: verdict, what differs and where, and how results are counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearspec.rules import CHAPTERS
from clearspec_conformance.formats import Tally, Verdict

MOST_DIFFERENCES = 50
"""Differences that are kept of one failure."""

BAD = (Verdict.FAILED, Verdict.ERRORED, Verdict.HUNG)
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two documents differ; ``ABSENT`` where one has nothing."""

    path: str
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a vector failed: the step (from 1), the rule behind it, what differs, the events that show it."""

    step: int
    rule: str
    differences: tuple[Difference, ...]
    events: tuple[Any, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one vector, in a line why, and for a failure the details."""

    id: str
    chapter: str
    rules: tuple[str, ...]
    digest: str
    verdict: Verdict
    why: str = ""
    failure: Failure | None = None
    stderr: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def bad(self) -> bool:
        """Whether the verdict speaks against the engine."""
        return self.verdict in BAD


def differences(expected: Any, got: Any, path: str = "$") -> Iterator[Difference]:
    """Every place where two documents differ, in order of keys."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in dict.fromkeys([*expected, *got]):
            inner = f"{path}.{name}"
            yield from differences(expected.get(name, ABSENT), got.get(name, ABSENT), inner)
    elif isinstance(expected, list) and isinstance(got, list):
        for place in range(max(len(expected), len(got))):
            wanted, found = (part[place] if place < len(part) else ABSENT for part in (expected, got))
            yield from differences(wanted, found, f"{path}[{place}]")
    elif expected != got:
        yield Difference(path, expected, got)


def shown(value: Any) -> str:
    """A value of a document as text: a text as it is, unless it is empty, and all else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value)


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Count verdicts."""
    counts = Counter(verdicts)
    return Tally(counts.total(), *(counts[verdict] for verdict in Verdict))


def rule_order(rule: str) -> tuple[int, int]:
    """Rules in the order of chapters, then by number."""
    prefix, _, number = rule.rpartition("-")
    return list(CHAPTERS).index(prefix), int(number)


def by_rule(results: Sequence[Result]) -> dict[str, Tally]:
    """Rule to the verdicts on the vectors that cite it."""
    rules = sorted({rule for result in results for rule in result.rules}, key=rule_order)
    return {rule: tally(result.verdict for result in results if rule in result.rules) for rule in rules}
