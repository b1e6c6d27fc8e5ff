"""What a mapping file says: where each part of a line stands, and what may stand there (``docs/audit.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, get_type_hints

from clearspec.codec import shape
from clearspec.events import ROLES, Event, Reason
from clearspec.ledger import Kind
from clearspec.rules import IMPLEMENTED
from clearspec.state import MarketStatus
from clearspec_command.explain import load_reference
from clearspec_conformance.audit.amounts import AMOUNTS
from clearspec_conformance.audit.converting import (
    INTEGER,
    KEYS,
    TEXT,
    WHOLE,
    Field,
    MappingFault,
    Target,
    field_of,
    path_of,
    plain_text,
    texts,
)
from clearspec_conformance.audit.formats import ClaimedReceipt
from clearspec_conformance.audit.lines import PARTS

FORMAT = "clearspec/mapping/1"
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


def targets_of(record: type) -> dict[str, Target]:
    """Name of each field of a record to what its value becomes."""
    hints = get_type_hints(record, include_extras=True)
    return {item.name: target_of(hints[item.name]) for item in fields(record)}


def target_of(hint: Any) -> Target:
    """What a value of a type is converted to: an integer, a text, maybe one of some words, or taken whole."""
    kind = shape(hint)
    kind = shape(kind.inner[0]) if kind.form == "optional" else kind
    if kind.form == "enumeration":
        return Target("text", tuple(member.value for member in kind.inner[0]))
    return INTEGER if kind.form == "integer" else TEXT if kind.form in ("text", "boolean") else WHOLE


@cache
def rule_names() -> Target:
    """What a rule id may be; there may be none."""
    load_reference()
    return Target("text", ("", *IMPLEMENTED), "rule")


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
    key: str
    """The key that says which parts repeat."""


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
    skipped: list[tuple[tuple[str, ...], frozenset[str], str]] = field(default_factory=list)
    json: list[tuple[str, ...]] = field(default_factory=list)
    genesis: str = ""
    moved: dict[str, str] = field(default_factory=dict)
    """Part of a line to the key that says where it stands."""


def require_action(name: str, where: str) -> str:
    """The name of an action of the spec."""
    if name not in ROLES:
        raise MappingFault(where, f"one of the actions {', '.join(ROLES)}")
    return name


def action_table() -> str:
    """The actions with their fields and their amounts and rules, as a table for the documentation."""
    rows = ["| action | fields | amounts |", "|---|---|---|"]
    for name, (record, _) in ROLES.items():
        targets = targets_of(record).items()
        shown = [f"`{one}`" + (f" ({', '.join(target.words)})" if target.words else "") for one, target in targets]
        amounts = ", ".join(f"`{one}` {rule}" for one, rule in AMOUNTS.get(name, {}).items())
        rows.append(f"| `{name}` | {', '.join(shown)} | {amounts or 'none'} |")
    return "\n".join(rows) + "\n"


def posting_targets() -> dict[str, Target]:
    """Name of each field of a posting to what its value becomes."""
    kinds = target_of(Kind)
    own = {"amount": INTEGER, "debit_kind": kinds, "credit_kind": kinds, "cause": rule_names()}
    return {name: own.get(name, TEXT) for name in POSTING_FIELDS}


class Reader:
    """Reads the document of a mapping."""

    def __init__(self, document: Table) -> None:
        self.document = table_of(document, "$", SECTIONS)
        if self.document.get("format") != FORMAT:
            raise MappingFault("$.format", f'"{FORMAT}"')
        self.types = self.section("types")
        for name, kind in self.types.items():
            allowed = tuple(key for key in KEYS if key not in ("from", "value", "type"))
            field_of({"value": "0", **table_of(kind, f"$.types.{name}", allowed)}, f"$.types.{name}", TEXT, {})

    def section(self, name: str) -> Table:
        """A section; empty where it is not there."""
        return table_of(self.document.get(name, {}), f"$.{name}")

    def fields(
        self, table: Table, where: str, targets: Mapping[str, Target], free: tuple[str, ...] = ()
    ) -> dict[str, Field]:
        """The fields of a table; all but the free ones must be there."""
        for name in targets:
            if name not in table and name not in free:
                raise MappingFault(where, f"the field {name}")
        table_of(table, where, tuple(targets))
        return {name: field_of(raw, f"{where}.{name}", targets[name], self.types) for name, raw in table.items()}

    def rules(self) -> Rules:
        """The whole mapping."""
        rules = Rules()
        self.log(rules)
        line = table_of(self.section("line"), "$.line", tuple(sorted(PARTS)))
        rules.moved = {name: f"$.line.{name}" for name in line}
        rules.whole |= {name: path_of(raw, rules.moved[name]) for name, raw in line.items()}
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
            rules.skipped.append((path_of(table["field"], f"{where}.field"), values, f"{where}.field"))

    def events(self, rules: Rules) -> None:
        """The fields of events, and those of each action."""
        targets = {name: target for name, target in targets_of(Event).items() if name != "action"} | {"action": TEXT}
        found = self.fields(self.section("event"), "$.event", targets)
        rules.action_name = found.pop("action")
        rules.event = found
        for name, raw in self.section("actions").items():
            where = f"$.actions.{name}"
            table = dict(table_of(raw, require_action(name, where)))
            theirs = table.pop("name", name)
            rule = ActionRule(name, self.fields(table, where, targets_of(ROLES[name][0])))
            for one in theirs if isinstance(theirs, list) else [theirs]:
                named = plain_text(one, f"{where}.name")
                if named in rules.actions:
                    already = f"{named!r} is already the name of {rules.actions[named].name}"
                    raise MappingFault(f"{where}.name", sentence=already)
                rules.actions[named] = rule

    def receipts(self, rules: Rules) -> None:
        """The fields of receipts, amounts by action, and postings."""
        if "receipt" in self.document:
            own = {"rule": rule_names(), "action": Target("text", ("", *ROLES))}
            targets = {name: target for name, target in targets_of(ClaimedReceipt).items() if target != WHOLE} | own
            free = tuple(name for name in targets if name != "status")
            rules.receipt = self.fields(self.section("receipt"), "$.receipt", targets, free)
        for name in ("amounts", "postings"):
            if name in self.document and rules.receipt is None:
                raise MappingFault(f"$.{name}", "a table receipt beside it")
        for action, raw in self.section("amounts").items():
            rules.amounts[action] = self.amounts(action, raw)
        if "postings" in self.document:
            table = dict(self.section("postings"))
            each = path_of(table.pop("each", None), "$.postings.each")
            rules.postings = PostingsRule(each, self.fields(table, "$.postings", posting_targets(), FREE))

    def amounts(self, action: str, raw: Any) -> dict[str, Field]:
        """The amounts of an action; none of them must be there."""
        where = f"$.amounts.{action}"
        names = tuple(AMOUNTS.get(require_action(action, where), ()))
        if not names:
            raise MappingFault(where, sentence=f"a receipt of {action} has no amounts")
        return self.fields(table_of(raw, where), where, dict.fromkeys(names, INTEGER), names)

    def figure(self, raw: Table, where: str) -> FigureRule:
        """A figure."""
        table = dict(raw)
        name = table.pop("figure", None)
        if not isinstance(name, str) or name not in FIGURES:
            raise MappingFault(f"{where}.figure", f"one of {', '.join(FIGURES)}")
        each = path_of(table.pop("each"), f"{where}.each") if "each" in table else ()
        ids = [part[1:-1] for part in FIGURES[name] if part.startswith("{")]
        value = target_of(MarketStatus) if name == "status" else INTEGER
        found = self.fields(table, where, dict.fromkeys(ids, TEXT) | {"value": value})
        return FigureRule(each, FIGURES[name], found, found.pop("value"), f"{where}.each")
