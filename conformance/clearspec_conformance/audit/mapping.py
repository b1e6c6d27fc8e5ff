"""A mapping file: how the lines of somebody else's log become lines of the kit (``docs/audit.md``)."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from clearspec.codec import DecodeError, decode, parse, shape
from clearspec.events import ROLES, Event, Genesis, Reason
from clearspec_command.display import plain
from clearspec_command.failures import BadInput
from clearspec_command.inputs import read_bytes
from clearspec_conformance.audit.converting import (
    ABSENT,
    KEYS,
    Field,
    MappingFault,
    Scope,
    Unmapped,
    field_of,
    found_at,
    path_of,
    plain_text,
    repeated,
    text_of,
    texts,
)
from clearspec_conformance.audit.formats import ClaimedReceipt, LogFault
from clearspec_conformance.audit.lines import PARTS, Line
from clearspec_conformance.audit.parsing import LENIENT, parsed
from clearspec_conformance.audit.problems import BadLog, Place

FORMAT = "clearspec/mapping/1"
LONGEST_MAPPING = 2**20
SECTIONS = (
    "format",
    "log",
    "types",
    "line",
    "event",
    "actions",
    "receipt",
    "amounts",
    "postings",
    "figures",
    "reasons",
)

POSTING_FIELDS = ("asset", "pool", "debit_kind", "debit_owner", "credit_kind", "credit_owner", "amount", "cause")
FREE = ("debit_owner", "credit_owner", "cause")
"""Fields of a posting that may be absent."""

FIGURES: dict[str, tuple[str, ...]] = {
    "balance": ("accounts", "{account}", "balances", "{asset}"),
    "size": ("accounts", "{account}", "positions", "{market}", "size"),
    "cost": ("accounts", "{account}", "positions", "{market}", "cost"),
    "index": ("feeds", "{feed}"),
    "custody": ("pools", "{pool}", "custody", "{asset}"),
    **{
        name: ("markets", "{market}", name)
        for name in (
            "status", "mark", "open_interest", "funding_index", "haircut_long", "haircut_short", "settlement_price",
            "shortfall",
        )
    },
    **{
        name: ("pools", "{pool}", name)
        for name in ("insurance_fund", "skin_in_the_game", "fee_treasury", "uncovered_loss")
    },
}  # fmt: skip
"""Name of a figure to where it stands in an observable snapshot."""

Table = Mapping[str, Any]


def forms_of(record: type) -> dict[str, str]:
    """Name of each field of a record to how its value is converted: integer, text, or taken whole."""
    hints = get_type_hints(record, include_extras=True)
    known = {"integer": "integer", "text": "text", "enumeration": "text", "boolean": "text"}
    found = {}
    for item in fields(record):
        kind = shape(hints[item.name])
        kind = shape(kind.inner[0]) if kind.form == "optional" else kind
        found[item.name] = known.get(kind.form, "whole")
    return found


def table_of(raw: Any, where: str, names: tuple[str, ...] = ()) -> Table:
    """A table, of these keys alone where they are given."""
    if not isinstance(raw, dict):
        raise MappingFault(where, "a table")
    for name in raw:
        if names and name not in names:
            raise MappingFault(f"{where}.{name}", f"one of {', '.join(names)}")
    return raw


def list_of(raw: Any, where: str) -> list[tuple[str, Any]]:
    """The items of a list, each with its path."""
    if not isinstance(raw, list):
        raise MappingFault(where, "a list")
    return [(f"{where}[{place}]", item) for place, item in enumerate(raw)]


@dataclass(frozen=True, slots=True)
class ActionRule:
    """How an action is read: its name in the kit and its fields."""

    name: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class FigureRule:
    """How a figure is read: the parts that repeat, where it goes, the ids on the way there, and its value."""

    each: tuple[str, ...]
    place: tuple[str, ...]
    ids: Mapping[str, Field]
    value: Field


@dataclass(frozen=True, slots=True)
class PostingsRule:
    """How postings are read."""

    each: tuple[str, ...]
    fields: Mapping[str, Field]


@dataclass(slots=True)
class Rules:
    """A mapping, read; what it says nothing of stands in the log in the forms of the kit."""

    whole: dict[str, tuple[str, ...]] = field(default_factory=lambda: {name: (name,) for name in sorted(PARTS)})
    event: Mapping[str, Field] | None = None
    actions: dict[str, ActionRule] = field(default_factory=dict)
    action_name: Field | None = None
    receipt: Mapping[str, Field] | None = None
    amounts: dict[str, Mapping[str, Field]] = field(default_factory=dict)
    postings: PostingsRule | None = None
    figures: list[FigureRule] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    skipped: list[tuple[tuple[str, ...], frozenset[str]]] = field(default_factory=list)
    json: list[tuple[str, ...]] = field(default_factory=list)
    genesis: str = ""


class Reader:
    """Reads the document of a mapping."""

    def __init__(self, document: Table) -> None:
        self.document = table_of(document, "$", SECTIONS)
        if self.document.get("format") != FORMAT:
            raise MappingFault("$.format", f'"{FORMAT}"')
        self.types = self.section("types")
        for name, kind in self.types.items():
            allowed = tuple(key for key in KEYS if key not in ("from", "value", "type"))
            field_of({"value": "0", **table_of(kind, f"$.types.{name}", allowed)}, f"$.types.{name}", "text", {})

    def section(self, name: str) -> Table:
        """A section; empty where it is not there."""
        return table_of(self.document.get(name, {}), f"$.{name}")

    def fields(
        self, table: Table, where: str, forms: Mapping[str, str], free: tuple[str, ...] = ()
    ) -> dict[str, Field]:
        """The fields of a table; all but the free ones must be there."""
        for name in forms:
            if name not in table and name not in free:
                raise MappingFault(where, f"the field {name}")
        table_of(table, where, tuple(forms))
        return {name: field_of(raw, f"{where}.{name}", forms[name], self.types) for name, raw in table.items()}

    def rules(self) -> Rules:
        """The whole mapping."""
        rules = Rules()
        self.log(rules)
        rules.whole |= {
            name: path_of(raw, f"$.line.{name}")
            for name, raw in table_of(self.section("line"), "$.line", tuple(sorted(PARTS))).items()
        }
        if "event" in self.document:
            self.events(rules)
        elif "actions" in self.document:
            raise MappingFault("$.actions", "a table event beside it")
        self.receipts(rules)
        figures = list_of(self.document.get("figures", []), "$.figures")
        rules.figures = [self.figure(table_of(raw, where), where) for where, raw in figures]
        rules.reasons = texts(self.section("reasons"), "$.reasons") if self.section("reasons") else {}
        for name, reason in rules.reasons.items():
            if reason not in Reason.__members__.values():
                raise MappingFault(f"$.reasons.{name}", "a reason of the spec (clearspec explain NAME shows one)")
        return rules

    def log(self, rules: Rules) -> None:
        """Where the genesis is, which lines hold nothing, which texts hold JSON."""
        log = table_of(self.section("log"), "$.log", ("genesis", "skip", "json"))
        rules.genesis = plain_text(log.get("genesis", ""), "$.log.genesis")
        rules.json = [path_of(raw, where) for where, raw in list_of(log.get("json", []), "$.log.json")]
        for where, raw in list_of(log.get("skip", []), "$.log.skip"):
            table = table_of(raw, where, ("field", "values"))
            if set(table) != {"field", "values"}:
                raise MappingFault(where, "field and values")
            values = frozenset(plain_text(value, path) for path, value in list_of(table["values"], f"{where}.values"))
            rules.skipped.append((path_of(table["field"], f"{where}.field"), values))

    def events(self, rules: Rules) -> None:
        """The fields of events, and those of each action."""
        forms = {name: form for name, form in forms_of(Event).items() if name != "action"} | {"action": "text"}
        found = self.fields(self.section("event"), "$.event", forms)
        rules.action_name = found.pop("action")
        rules.event = found
        for name, raw in self.section("actions").items():
            where = f"$.actions.{name}"
            if name not in ROLES:
                raise MappingFault(where, f"one of the actions {', '.join(ROLES)}")
            table = dict(table_of(raw, where))
            theirs = table.pop("name", name)
            rule = ActionRule(name, self.fields(table, where, forms_of(ROLES[name][0])))
            for one in theirs if isinstance(theirs, list) else [theirs]:
                rules.actions[plain_text(one, f"{where}.name")] = rule

    def receipts(self, rules: Rules) -> None:
        """The fields of receipts, amounts by action, and postings."""
        forms = {name: form for name, form in forms_of(ClaimedReceipt).items() if form != "whole"}
        if "receipt" in self.document:
            free = tuple(name for name in forms if name != "status")
            rules.receipt = self.fields(self.section("receipt"), "$.receipt", forms, free)
        for name in ("amounts", "postings"):
            if name in self.document and rules.receipt is None:
                raise MappingFault(f"$.{name}", "a table receipt beside it")
        for action, raw in self.section("amounts").items():
            where = f"$.amounts.{action}"
            if action not in ROLES:
                raise MappingFault(where, f"one of the actions {', '.join(ROLES)}")
            table = table_of(raw, where)
            rules.amounts[action] = self.fields(table, where, dict.fromkeys(table, "integer"))
        if "postings" in self.document:
            table = dict(self.section("postings"))
            each = path_of(table.pop("each", None), "$.postings.each")
            forms = {name: "integer" if name == "amount" else "text" for name in POSTING_FIELDS}
            rules.postings = PostingsRule(each, self.fields(table, "$.postings", forms, FREE))

    def figure(self, raw: Table, where: str) -> FigureRule:
        """A figure."""
        table = dict(raw)
        name = table.pop("figure", None)
        if not isinstance(name, str) or name not in FIGURES:
            raise MappingFault(f"{where}.figure", f"one of {', '.join(FIGURES)}")
        each = path_of(table.pop("each"), f"{where}.each") if "each" in table else ()
        ids = [part[1:-1] for part in FIGURES[name] if part.startswith("{")]
        forms = dict.fromkeys(ids, "text") | {"value": "text" if name == "status" else "integer"}
        found = self.fields(table, where, forms)
        return FigureRule(each, FIGURES[name], found, found.pop("value"))


HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")
STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]")


def line_of(text: str, path: str) -> int:
    """The line of the header or key that lies deepest on a path such as ``$.figures[1].value``; 0 if there is none."""
    wanted = [name or number for name, number in STEP.findall(path)]
    counts: Counter[str] = Counter()
    table: list[str] = []
    found = (0, 0)
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
    return found[1]


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
            raise BadInput(self.told(error.path, f"expected {error.expected}")) from None
        self.snapshot_column = self.rules.whole["snapshot"][0]

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
        try:
            found: Genesis = decode(Genesis, parse(self.stored))
        except DecodeError as error:
            raise BadInput(f"{self.rules.genesis}: {error}") from None
        return found

    def line(self, document: Any, place: Place) -> Line | None:
        """The parts of a line.

        Raises:
            BadLog: a field is not there, or cannot be read; its place in the mapping is named.
        """
        document = self.unpacked(document, place)
        scope = Scope(document, document)
        for path, values in self.rules.skipped:
            found = found_at(scope, path)
            if isinstance(found, str | bool) and text_of(found) in values:
                return None
        whole = {name: self.part(scope, name) for name in PARTS}
        if self.rules.event is not None:
            whole["event"] = None if self.is_snapshot_alone(scope, whole) else self.event(scope, place)
        if self.rules.receipt is not None and whole["event"] is not None:
            action = next(iter(whole["event"]["action"]), "") if self.rules.event is not None else ""
            whole["receipt"] = self.receipt(scope, place, action)
        elif isinstance(whole["receipt"], dict):
            whole["receipt"] = self.with_reason(whole["receipt"])
        elif whole["event"] is not None:
            at = ".".join(self.rules.whole["receipt"])
            raise BadLog(LogFault.UNMAPPED, place, f"no receipt stands at {at} ({self.name} has no table receipt)")
        if self.rules.figures:
            whole["figures"] = self.figures(scope, place)
        return Line(**whole, named=bool(self.rules.amounts))

    def part(self, scope: Scope, name: str) -> Any:
        """A part that stands in the line in the forms of the kit."""
        found = found_at(scope, self.rules.whole[name])
        return None if found is ABSENT else found

    def is_snapshot_alone(self, scope: Scope, whole: Mapping[str, Any]) -> bool:
        """Whether a line holds a snapshot and no event."""
        name = self.rules.action_name
        return whole["snapshot"] is not None and name is not None and found_at(scope, name.path) is ABSENT

    def unpacked(self, document: Any, place: Place) -> Any:
        """The line with the texts that hold JSON in the forms that they hold."""
        for path in self.rules.json:
            scope = Scope(document, document)
            holder, text = found_at(scope, path[:-1]) if path[:-1] else document, found_at(scope, path)
            if isinstance(holder, dict) and isinstance(text, str):
                holder[path[-1]] = parsed(text.encode("utf-8"), Place(place.line), LENIENT)
        return document

    def value(self, one: Field, scope: Scope, place: Place, needed: bool = True) -> Any:
        """The value of a field."""
        try:
            found = one.get(scope)
        except Unmapped as error:
            raise BadLog(LogFault.UNMAPPED, place, f"{error} ({self.told(one.where, 'this key')})") from None
        if found is None and needed:
            at = ".".join(one.path)
            raise BadLog(LogFault.UNMAPPED, place, f"nothing stands at {at} ({self.told(one.where, 'this key')})")
        return found

    def event(self, scope: Scope, place: Place) -> dict[str, Any]:
        """The event of a line."""
        assert self.rules.event is not None
        assert self.rules.action_name is not None
        name = self.value(self.rules.action_name, scope, place)
        rule = self.rules.actions.get(name)
        if rule is None:
            known = ", ".join(self.rules.actions) or "none"
            raise BadLog(LogFault.UNMAPPED, place, f"{name!r} is none of the actions of {self.name}: {known}")
        action = {key: self.value(one, scope, place) for key, one in rule.fields.items()}
        found = {key: self.value(one, scope, place) for key, one in self.rules.event.items()}
        return {**found, "action": {rule.name: action}}

    def with_reason(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """A receipt with the engine's reason in the words of the spec."""
        reason = receipt.get("reason")
        return {**receipt, "reason": self.rules.reasons.get(reason, reason)} if isinstance(reason, str) else receipt

    def receipt(self, scope: Scope, place: Place, action: str) -> dict[str, Any]:
        """The receipt of a line."""
        assert self.rules.receipt is not None
        found = {key: self.value(one, scope, place, key == "status") for key, one in self.rules.receipt.items()}
        found = {key: value for key, value in found.items() if value is not None or key == "reason"}
        if found["status"] == "accepted":
            found |= {"reason": None} if "reason" in found else {}
            amounts = self.rules.amounts.get(action)
            if amounts is not None:
                found["amounts"] = {key: self.value(one, scope, place) for key, one in amounts.items()}
        if self.rules.postings is not None:
            found["postings"] = self.postings(scope, place, self.rules.postings)
        return self.with_reason(found)

    def postings(self, scope: Scope, place: Place, rule: PostingsRule) -> list[dict[str, Any]]:
        """The postings of a line, in their order."""
        found = []
        for part in repeated(scope, rule.each):
            one = {key: self.value(item, part, place, key not in FREE) or "" for key, item in rule.fields.items()}
            debit, credit = (
                {"kind": one.pop(f"{side}_kind"), "owner": one.pop(f"{side}_owner", "")} for side in ("debit", "credit")
            )
            # A negative amount is the same posting turned round, one of nothing is none (LEDG-2).
            if one["amount"].startswith("-"):
                debit, credit, one["amount"] = credit, debit, one["amount"][1:]
            if one["amount"] != "0":
                found.append({**one, "debit": debit, "credit": credit})
        return found

    def figures(self, scope: Scope, place: Place) -> dict[str, Any] | None:
        """The figures of a line; those that are not there are not claimed."""
        found: dict[str, Any] = {}
        for rule in self.rules.figures:
            for part in repeated(scope, rule.each) if rule.each else iter((scope,)):
                value = self.value(rule.value, part, place, needed=False)
                if value is not None:
                    ids = {key: self.value(one, part, place) for key, one in rule.ids.items()}
                    put(found, [step.format(**ids) for step in rule.place], value)
        return found or None


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
    stored = read_bytes(str(path.parent / mapped.rules.genesis), 2**26)
    found = Mapped(mapped.name, text, stored)
    found.genesis()
    return found
