"""What the generator of mutants knows of types: parameters of callables, and fields of records of the same type."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Parameters = tuple[tuple[str, str], ...]
"""Name and annotation of each parameter of a callable, or of each field of a record, in order."""


PARTIES = ("account", "liquidator", "keeper", "target", "buyer", "seller")
"""Fields that name an account: taken for one another alone, for any other id is found out at once."""


def alike(kind: str, one: str, other: str) -> bool:
    """Whether one field could be taken for another of its type: not an id for an id of something else."""
    return kind not in ("Id", "OptionalId") or (one in PARTIES and other in PARTIES)


@dataclass(frozen=True, slots=True)
class Known:
    """Callables and records within reach of a module, and the members of its enumerations."""

    callables: Mapping[str, Parameters]
    records: Mapping[str, Parameters]
    members: Mapping[str, tuple[str, ...]]

    def sibling(self, record: str, attribute: str) -> str | None:
        """The next field of a record that could be taken for one, round to the first; ``None`` if there is none."""
        fields = self.records[record]
        kinds = dict(fields)
        if attribute not in kinds:
            return None
        kind = kinds[attribute]
        same = [name for name, other in fields if other == kind and alike(kind, attribute, name)]
        other = same[(same.index(attribute) + 1) % len(same)] if attribute in same else attribute
        return None if other == attribute else other

    def next_member(self, enumeration: str, member: str) -> str:
        """The next member of an enumeration, round to the first."""
        names = self.members[enumeration]
        return names[(names.index(member) + 1) % len(names)]


def _fields(record: type) -> Parameters:
    """Fields of a data class or named tuple."""
    notes = {
        name: str(note)
        for base in reversed(record.__mro__)
        for name, note in vars(base).get("__annotations__", {}).items()
    }
    names = [item.name for item in dataclasses.fields(record)] if dataclasses.is_dataclass(record) else record._fields  # type: ignore[attr-defined]
    return tuple((name, notes.get(name, "")) for name in names)


def _is_record(value: Any) -> bool:
    return isinstance(value, type) and (dataclasses.is_dataclass(value) or hasattr(value, "_fields"))


def signatures(namespace: Mapping[str, Any]) -> Known:
    """What can be known from the names of a module."""
    from clearspec import events, margin, parameters, state

    callables: dict[str, Parameters] = {}
    records: dict[str, Parameters] = {}
    members: dict[str, tuple[str, ...]] = {}
    everywhere = {name: value for part in (state, parameters, margin, events) for name, value in vars(part).items()}
    for name, value in {**everywhere, **namespace}.items():
        if _is_record(value) and value.__module__.startswith("clearspec."):
            records[name] = _fields(value)
            callables[name] = records[name]
        elif isinstance(value, type) and issubclass(value, StrEnum):
            members[name] = tuple(value.__members__)
        elif inspect.isfunction(value) and name in namespace:
            parts = inspect.signature(value).parameters.values()
            callables[name] = tuple((part.name, str(part.annotation)) for part in parts)
    return Known(callables, records, members)
