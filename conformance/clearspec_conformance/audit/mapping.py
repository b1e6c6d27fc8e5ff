"""Reading a log through a mapping file: lines of somebody else's become lines of the kit (``docs/audit.md``)."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearspec.codec import decode, parse
from clearspec.events import ROLES, Genesis
from clearspec_command.display import plain
from clearspec_command.failures import BadInput
from clearspec_command.inputs import read_bytes
from clearspec_conformance.audit.converting import (
    ABSENT,
    Field,
    MappingFault,
    Scope,
    Unmapped,
    found_at,
    repeated,
    text_of,
)
from clearspec_conformance.audit.converting import (
    Path as Way,
)
from clearspec_conformance.audit.formats import LogFault, UnfoundRecord
from clearspec_conformance.audit.genesis import STEP, read_genesis
from clearspec_conformance.audit.lines import PARTS, Census, Line
from clearspec_conformance.audit.parsing import LENIENT, parsed
from clearspec_conformance.audit.problems import MOST_TOLD, BadLog, Place
from clearspec_conformance.audit.rules import FREE, PostingsRule, Reader, Rules
from clearspec_conformance.audit.unfound import sought

LONGEST_MAPPING = 2**20

HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")


def line_of(text: str, path: str) -> int:
    """The line of the header or key that lies deepest on a path such as ``$.figures[1].value``; 0 if there is none.

    A table that has no header of its own stands where the first table in it does.
    """
    wanted = [name or number for name, number in STEP.findall(path)]
    counts: Counter[str] = Counter()
    table: list[str] = []
    found, around = (0, 0), 0
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = HEADER.match(line), KEY.match(line)
        here = table
        if header is not None:
            here = table = header[2].split(".") + ([str(counts[header[2]])] if header[1] == "[[" else [])
            counts[header[2]] += 1
        elif key is not None:
            here = table + key[1].split(".")
        if (header or key) and here == wanted[: len(here)]:
            found = max(found, (len(here), number), key=lambda place: place[0])
        elif header and not around and here[: len(wanted)] == wanted:
            around = number
    return found[1] or around


class Mapped:
    """Reads a log through a mapping. Passes between processes as its text."""

    decode = staticmethod(LENIENT)

    def __init__(self, name: str, text: str, genesis: bytes = b"") -> None:
        self.name, self.text, self.stored = name, text, genesis
        try:
            self.rules = Reader(tomllib.loads(text)).rules()
        except tomllib.TOMLDecodeError as error:
            raise BadInput(f"{name}: not_toml: {error}") from None
        except MappingFault as error:
            raise BadInput(self.told(error.path, error.message)) from None
        self.snapshot_column = self.rules.whole["snapshot"][0]
        self.amounts = tuple(one.where for table in self.rules.amounts.values() for one in table.values())

    def __reduce__(self) -> tuple[type[Mapped], tuple[str, str, bytes]]:
        """Its text, from which it is made again."""
        return Mapped, (self.name, self.text, self.stored)

    def told(self, path: str, message: str) -> str:
        """A message with the line and the key of the mapping that it is about."""
        line = line_of(self.text, path)
        return f"{self.name}: line {line}: {path}: {message}" if line else f"{self.name}: {path}: {message}"

    def genesis(self) -> Genesis | None:
        """The genesis in a file beside the mapping."""
        if not self.stored:
            return None
        found: Genesis = decode(Genesis, parse(self.stored))
        return found

    def line(self, document: Any, place: Place, census: Census | None = None) -> Line | None:
        """The parts of a line; what was found and what was not is counted in a census.

        Raises:
            BadLog: a field is not there, or cannot be read; its place in the mapping is named.
        """
        return Translation(self, place, Census() if census is None else census).line(document)

    def unfound(self, census: Census) -> tuple[UnfoundRecord, ...]:
        """The keys that were looked for and never found anything, in the order of the mapping."""
        found = []
        for one in sought(self.rules):
            times = census.missed[one.key]
            if times and one.key not in census.seen:
                message = plain(one.told(times), MOST_TOLD)
                found.append(UnfoundRecord(line_of(self.text, one.key), plain(one.key, MOST_TOLD), message))
        return tuple(sorted(found, key=lambda record: record.line))


class Translation:
    """One line on its way through a mapping."""

    __slots__ = ("census", "mapped", "place", "rules")

    def __init__(self, mapped: Mapped, place: Place, census: Census) -> None:
        self.mapped, self.place, self.census = mapped, place, census
        self.rules: Rules = mapped.rules

    def unmapped(self, message: str) -> BadLog:
        """A line that the mapping does not say how to read."""
        return BadLog(LogFault.UNMAPPED, self.place, message)

    def line(self, document: Any) -> Line | None:
        """The parts of the line; ``None`` for one that holds nothing to judge."""
        rules = self.rules
        document = self.unpacked(document)
        scope = Scope(document, document)
        for path, values, key in rules.skipped:
            found = self.noted(found_at(scope, path), key)
            if isinstance(found, str | bool) and text_of(found) in values:
                return None
        whole = {name: self.part(scope, name) for name in PARTS}
        if rules.event is not None:
            whole["event"] = None if self.is_snapshot_alone(scope, whole) else self.event(scope)
        elif whole["event"] is None and whole["snapshot"] is None:
            raise self.no_event(document)
        if rules.receipt is not None and whole["event"] is not None:
            whole["receipt"] = self.receipt(scope, action_of(whole["event"]))
        elif isinstance(whole["receipt"], dict):
            whole["receipt"] = self.with_reason(whole["receipt"])
        elif whole["event"] is not None:
            at = ".".join(rules.whole["receipt"])
            raise self.unmapped(f"no receipt stands at {at} ({self.mapped.name} has no table receipt)")
        if rules.figures and whole["event"] is not None:
            whole["figures"] = self.figures(scope)
        return Line(**whole, named=bool(rules.amounts))

    def no_event(self, document: Any) -> BadLog:
        """What to say of a line without an event, where the mapping does not speak of events."""
        known = (
            f"its keys: {', '.join(map(str, list(document)[:8]))}" if isinstance(document, dict) else "it is no object"
        )
        what = f"the line is none of the kit's ({known}); map it or name it in `log.skip`"
        return self.unmapped(f"{self.mapped.name} has no table event, and {what}")

    def noted(self, found: Any, key: str) -> Any:
        """What stands in the line where a key of the mapping looks; counts whether anything does."""
        if found is ABSENT:
            self.census.missed[key] += 1
        else:
            self.census.seen.add(key)
        return found

    def part(self, scope: Scope, name: str) -> Any:
        """A part that stands in the line in the forms of the kit."""
        found = found_at(scope, self.rules.whole[name])
        if name in self.rules.moved:
            self.noted(found, self.rules.moved[name])
        return None if found is ABSENT else found

    def is_snapshot_alone(self, scope: Scope, whole: Mapping[str, Any]) -> bool:
        """Whether a line holds a snapshot and no event."""
        name = self.rules.action_name
        return whole["snapshot"] is not None and name is not None and found_at(scope, name.path) is ABSENT

    def unpacked(self, document: Any) -> Any:
        """The line with the texts that hold JSON in the forms that they hold."""
        for number, path in enumerate(self.rules.json):
            scope = Scope(document, document)
            holder = found_at(scope, path[:-1]) if path[:-1] else document
            text = self.noted(found_at(scope, path), f"$.log.json[{number}]")
            if isinstance(holder, dict) and isinstance(text, str):
                holder[path[-1]] = parsed(text.encode("utf-8"), Place(self.place.line), LENIENT)
        return document

    def value(self, one: Field, scope: Scope, needed: bool = True) -> Any:
        """The value of a field."""
        try:
            found = one.get(scope, self.census)
        except Unmapped as error:
            raise self.unmapped(f"{error} ({self.mapped.told(one.where, 'this key')})") from None
        if found is None and needed:
            raise self.unmapped(f"{one.lack(scope)} ({self.mapped.told(one.where, 'this key')})")
        return found

    def parts(self, scope: Scope, each: Way, key: str) -> list[Scope]:
        """The parts of a line that a path leads to."""
        found = list(repeated(scope, each))
        self.noted(found or ABSENT, key)
        if found and "*" not in each and isinstance(found[0].part, list):
            at = ".".join(each)
            raise self.unmapped(f"{at} is a list: write `{at}.*` ({self.mapped.told(key, 'this key')})")
        return found

    def event(self, scope: Scope) -> dict[str, Any]:
        """The event of a line."""
        assert self.rules.event is not None
        assert self.rules.action_name is not None
        name = self.value(self.rules.action_name, scope)
        rule = self.rules.actions.get(name)
        if rule is None:
            raise self.unknown_action(name, self.rules.action_name)
        action = {key: self.value(one, scope) for key, one in rule.fields.items()}
        found = {key: self.value(one, scope) for key, one in self.rules.event.items()}
        return {**found, "action": {rule.name: action}}

    def unknown_action(self, name: str, one: Field) -> BadLog:
        """What to say of a name that is the name of no action."""
        shown, at = name[:60], ".".join(one.path)
        where = f"at `{at}`, {self.mapped.name} line {line_of(self.mapped.text, one.where)}"
        hint = f'write `[actions.X]` with `name = "{shown}"`, or name the line in `log.skip`'
        known = ", ".join(ROLES)
        return self.unmapped(f"{shown!r} ({where}) is the name of no action; {hint}; actions of the spec are {known}")

    def with_reason(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """A receipt with the engine's reason in the words of the spec."""
        reason = receipt.get("reason")
        return {**receipt, "reason": self.rules.reasons.get(reason, reason)} if isinstance(reason, str) else receipt

    def receipt(self, scope: Scope, action: str) -> dict[str, Any]:
        """The receipt of a line; amounts that are not there are not claimed."""
        assert self.rules.receipt is not None
        accepted = self.value(self.rules.receipt["status"], scope) == "accepted"
        found = {}
        for key, one in self.rules.receipt.items():
            # An engine may leave any word where it has no reason to give.
            value = None if key == "reason" and accepted else self.value(one, scope, key == "status")
            if value is not None or key == "reason":
                found[key] = value
        if accepted and action in self.rules.amounts:
            read = {key: self.value(one, scope, False) for key, one in self.rules.amounts[action].items()}
            amounts = {key: value for key, value in read.items() if value is not None}
            found |= {"amounts": amounts} if amounts else {}
        if self.rules.postings is not None:
            found["postings"] = self.postings(scope, self.rules.postings)
        return self.with_reason(found)

    def postings(self, scope: Scope, rule: PostingsRule) -> list[dict[str, Any]]:
        """The postings of a line, in their order."""
        found = []
        for part in self.parts(scope, rule.each, "$.postings.each"):
            one = {key: self.value(item, part, key not in FREE) or "" for key, item in rule.fields.items()}
            debit, credit = (
                {"kind": one.pop(f"{side}_kind"), "owner": one.pop(f"{side}_owner", "")} for side in ("debit", "credit")
            )
            # A negative amount is the same posting turned round, one of nothing is none (LEDG-2).
            if one["amount"].startswith("-"):
                debit, credit, one["amount"] = credit, debit, one["amount"][1:]
            if one["amount"] != "0":
                found.append({**one, "debit": debit, "credit": credit})
        return found

    def figures(self, scope: Scope) -> dict[str, Any] | None:
        """The figures of a line; those that are not there are not claimed."""
        found: dict[str, Any] = {}
        for rule in self.rules.figures:
            for part in self.parts(scope, rule.each, rule.key) if rule.each else (scope,):
                value = self.value(rule.value, part, needed=False)
                if value is not None:
                    ids = {key: self.value(one, part) for key, one in rule.ids.items()}
                    put(found, [step.format(**ids) for step in rule.place], value)
        return found or None


def action_of(event: Any) -> str:
    """The name of an event's action; empty for what is no event."""
    action = event.get("action") if isinstance(event, dict) else None
    return str(next(iter(action), "")) if isinstance(action, dict) else ""


def put(document: dict[str, Any], path: list[str], value: Any) -> None:
    """Write a value at a path."""
    for key in path[:-1]:
        document = document.setdefault(key, {})
    document[path[-1]] = value


def read_mapping(path: Path) -> Mapped:
    """The mapping in a file, with the genesis that it names.

    Raises:
        BadInput: it is none; line, key and what was expected are named.
    """
    try:
        text = read_bytes(str(path), LONGEST_MAPPING).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: expected text in UTF-8") from None
    mapped = Mapped(plain(str(path)), text)
    if not mapped.rules.genesis:
        return mapped
    line = line_of(text, "$.log.genesis")
    named = f"named in {mapped.name}: line {line}: log.genesis"
    return Mapped(mapped.name, text, read_genesis(path.parent / mapped.rules.genesis, named))
