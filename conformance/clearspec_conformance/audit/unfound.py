"""The keys of a mapping that look for something in the lines of a log, and what to say of those that find nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from clearspec_conformance.audit.converting import Field
from clearspec_conformance.audit.rules import Rules

LINE, ENTRY = ("line", "lines"), ("part", "parts")
"""What a key is looked for in, one and many."""


class Sought(NamedTuple):
    """A key: where it looks, at which part of a text between separators (from 1), and in what."""

    key: str
    path: tuple[str, ...]
    part: int = 0
    unit: tuple[str, str] = LINE

    def told(self, times: int) -> str:
        """What to say of a key that found nothing so often."""
        what = f"no part {self.part} of a text stood" if self.part else "nothing stood"
        return f"{what} at {'.'.join(self.path)} on any of {times:,} {self.unit[times != 1]}"


def sought(rules: Rules) -> Iterator[Sought]:
    """Every key that looks for something."""
    for number, path in enumerate(rules.json):
        yield Sought(f"$.log.json[{number}]", path)
    for path, _, key in rules.skipped:
        yield Sought(key, path)
    for name, key in rules.moved.items():
        yield Sought(key, rules.whole[name])
    tables: list[Mapping[str, Field]] = [rules.event or {}, rules.receipt or {}, *rules.amounts.values()]
    tables += [action.fields for action in rules.actions.values()]
    for table in tables:
        yield from (of_field(one) for one in table.values())
    if rules.postings is not None:
        yield Sought("$.postings.each", rules.postings.each)
        yield from (of_field(one, ENTRY) for one in rules.postings.fields.values())
    for rule in rules.figures:
        unit = ENTRY if rule.each else LINE
        yield Sought(rule.key, rule.each)
        yield from (of_field(one, unit) for one in (*rule.ids.values(), rule.value))


def of_field(one: Field, unit: tuple[str, str] = LINE) -> Sought:
    """A field as such a key."""
    return Sought(one.where, one.path, one.place + 1 if one.separator else 0, unit)
