"""Findings: differences and breaches as records, every value as text on one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

from clearspec_command.display import plain
from clearspec_conformance.audit.books import Breach
from clearspec_conformance.audit.formats import DifferenceRecord, FindingRecord, Subject
from clearspec_conformance.verdicts import MOST_DIFFERENCES, Difference, rule_order, shown

LONGEST_VALUE = 400
"""Characters of a value in a finding."""


def subject_of(difference: Difference) -> Subject:
    """What a difference is in."""
    return Subject(difference.path.split(".")[1])


def told(found: Iterable[Difference]) -> tuple[DifferenceRecord, ...]:
    """Differences as text."""
    return tuple(
        DifferenceRecord(plain(one.path, LONGEST_VALUE), value_text(one.expected), value_text(one.got))
        for one in islice(found, MOST_DIFFERENCES)
    )


def value_text(value: Any) -> str:
    """A value as text on one line, cut."""
    return plain(shown(value), LONGEST_VALUE)


def breach_findings(base: FindingRecord, breaches: Iterable[Breach]) -> list[FindingRecord]:
    """A finding for each invariant that broke."""
    rows = sorted(breaches, key=lambda breach: rule_order(breach.rule))
    return [
        replace(base, subject=Subject.INVARIANT, rule=rule, differences=told(breach.difference for breach in group))
        for rule, group in groupby(rows, key=lambda breach: breach.rule)
    ]
