"""Strict decoding and canonical encoding of every record, and the JSON Schemas, all from the records' own types.

On the wire an integer is a decimal string, a list a JSON array, a record a JSON object with exactly its fields, an
action an object with one key, its name. Whatever else stands there is a ``DecodeError`` that names the place.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from clearspec.fields import Bounds, Length, Text
from clearspec.rules import rule

LONGEST_DOCUMENT = 64 * 2**20
"""Most bytes of one JSON document."""

DEEPEST = 64
"""Most levels of nesting of one JSON document."""

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,39}", re.ASCII)

NO_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[^"\[\]{}]+', re.DOTALL)
"""Strings, and whatever else stands between the brackets of a JSON text."""

TAGS: dict[type, str] = {}
"""Records that are written as an object with one key, their tag."""

WIDE: set[type] = set()
"""Records whose integers are decoded within 128 bits alone, for a later check gives their bounds (EVENT-5)."""

WIDEST = Bounds(-(2**126), 2**126)


class Fault(StrEnum):
    """What is wrong with an input (EVENT-3)."""

    NOT_JSON = "not_json"
    NOT_TOML = "not_toml"
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_KEY = "unknown_key"
    MISSING_KEY = "missing_key"
    WRONG_TYPE = "wrong_type"
    NOT_AN_INTEGER = "not_an_integer"
    OUT_OF_RANGE = "out_of_range"
    BAD_TEXT = "bad_text"
    TOO_MANY = "too_many"
    UNKNOWN_VALUE = "unknown_value"
    INCONSISTENT = "inconsistent"


@rule("EVENT-3")
class DecodeError(ValueError):
    """An input that does not decode: the fault, the path of the place, and what was expected there."""

    def __init__(self, fault: Fault, path: str, expected: str) -> None:
        super().__init__(fault, path, expected)
        self.fault = fault
        self.path = path
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.path}: {self.fault.value}: expected {self.expected}"

    def inside(self, place: str) -> DecodeError:
        """The same error, its path seen from further out; so that a path is put together only where one is needed."""
        self.path = place + self.path
        return self


@dataclass(frozen=True, slots=True)
class Misfit:
    """Stands in a parsed document for something that no record holds: a number, a constant, a repeated key."""

    fault: Fault
    what: str


Decoder = Callable[[Any], Any]
"""Decodes a value; the path of its ``DecodeError`` starts at that value."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Misfit:
    """A JSON object as a dictionary; with a repeated key, a misfit."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    return Misfit(Fault.DUPLICATE_KEY, next(key for key in keys if keys.count(key) > 1)[:64])


def _depth_within(text: str, deepest: int) -> bool:
    """Whether a JSON text nests at most ``deepest`` levels; brackets inside strings do not count."""
    depth = 0
    for bracket in NO_BRACKETS.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if depth > deepest:
            return False
    return True


@rule("EVENT-3")
def parse(data: bytes | str, longest: int = LONGEST_DOCUMENT) -> Any:
    """Parse one JSON document; numbers, constants and repeated keys become misfits that decoding refuses.

    Raises:
        DecodeError: the document is too long, too deep, not UTF-8 or not JSON.
    """
    if len(data) > longest:
        raise DecodeError(Fault.TOO_LONG, "$", f"at most {longest} bytes")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        if not _depth_within(text, DEEPEST):
            raise DecodeError(Fault.TOO_DEEP, "$", f"at most {DEEPEST} levels")
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=lambda digits: Misfit(Fault.WRONG_TYPE, "a number"),
            parse_int=lambda digits: Misfit(Fault.WRONG_TYPE, "a number"),
            parse_constant=lambda name: Misfit(Fault.WRONG_TYPE, name),
        )
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DecodeError(Fault.NOT_JSON, "$", f"one JSON document in UTF-8 ({error})"[:200]) from None


def _misfit(raw: Any, fault: Fault, expected: str) -> DecodeError:
    """The error for a value of another type than expected; a misfit names its own fault."""
    if not isinstance(raw, Misfit):
        return DecodeError(fault, "", expected)
    if raw.fault == Fault.DUPLICATE_KEY:
        return DecodeError(raw.fault, "", f"each key once, not {raw.what!r} twice")
    return DecodeError(raw.fault, "", "no bare number")


def _integer(bounds: Bounds) -> Decoder:
    """Decode a decimal string within bounds."""
    low, high, matched = bounds.low, bounds.high, INTEGER.fullmatch

    def decode(raw: Any) -> int:
        if not isinstance(raw, str):
            raise _misfit(raw, Fault.WRONG_TYPE, "an integer as a decimal string")
        if matched(raw) is None:
            raise DecodeError(Fault.NOT_AN_INTEGER, "", "decimal digits without sign of plus or leading zero")
        value = int(raw)
        if not low <= value <= high:
            raise DecodeError(Fault.OUT_OF_RANGE, "", f"{low} to {high}")
        return value

    return decode


def _is_unicode(text: str) -> bool:
    """Whether a text holds no half of a pair of UTF-16, which no UTF-8 has."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text(rules: Text) -> Decoder:
    """Decode a string of bounded length that matches a pattern."""
    longest, matched = rules.longest, re.compile(rules.pattern, re.ASCII).fullmatch

    def decode(raw: Any) -> str:
        if not isinstance(raw, str):
            raise _misfit(raw, Fault.WRONG_TYPE, "a string")
        fits = len(raw) <= longest and (raw.isascii() or _is_unicode(raw))
        if not fits or matched(raw) is None:
            raise DecodeError(Fault.BAD_TEXT, "", f"at most {longest} characters matching {rules.pattern}")
        return raw

    return decode


def _enumeration(kind: type[StrEnum]) -> Decoder:
    """Decode a member of an enumeration."""
    members = {member.value: member for member in kind}

    def decode(raw: Any) -> StrEnum:
        if not isinstance(raw, str) or raw not in members:
            raise _misfit(raw, Fault.UNKNOWN_VALUE, f"one of {', '.join(members)}"[:400])
        return members[raw]

    return decode


def _boolean(raw: Any) -> bool:
    """Decode a boolean."""
    if not isinstance(raw, bool):
        raise _misfit(raw, Fault.WRONG_TYPE, "true or false")
    return raw


def _array(item: Any, longest: int, wide: bool) -> Decoder:
    """Decode a list of at most ``longest`` items."""
    one = decoder(item, wide)

    def decode(raw: Any) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise _misfit(raw, Fault.WRONG_TYPE, "an array")
        if len(raw) > longest:
            raise DecodeError(Fault.TOO_MANY, "", f"at most {longest} items")
        found: list[Any] = []
        try:
            for part in raw:
                found.append(one(part))
        except DecodeError as error:
            raise error.inside(f"[{len(found)}]") from None
        return tuple(found)

    return decode


def _require_object(raw: Any) -> dict[str, Any]:
    """Raise unless the value is an object."""
    if not isinstance(raw, dict):
        raise _misfit(raw, Fault.WRONG_TYPE, "an object")
    return raw


def _mapping(key: Any, value: Any, wide: bool) -> Decoder:
    """Decode an object whose keys are data."""
    decode_key, decode_value = decoder(key, wide), decoder(value, wide)

    def decode(raw: Any) -> dict[str, Any]:
        found = {}
        for name, part in _require_object(raw).items():
            known = decode_key(name)
            try:
                found[known] = decode_value(part)
            except DecodeError as error:
                raise error.inside(f".{name[:64]}") from None
        return found

    return decode


def _record(kind: type, wide: bool) -> Decoder:
    """Decode an object with exactly the fields of a record; a field with a default may be absent."""
    hints = get_type_hints(kind, include_extras=True)
    wide = wide or kind in WIDE
    decoders = {item.name: decoder(hints[item.name], wide) for item in fields(kind)}
    needed = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    least = frozenset(needed)

    def decode(raw: Any) -> Any:
        found = _require_object(raw)
        if not least <= found.keys() <= decoders.keys():
            raise _other_keys(found, tuple(decoders), needed, kind.__name__)
        values, name = {}, ""
        try:
            for name, part in found.items():
                values[name] = decoders[name](part)
        except DecodeError as error:
            raise error.inside(f".{name}") from None
        return kind(**values)

    return decode


def _other_keys(found: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], kind: str) -> DecodeError:
    """The error for an object with other keys than a record's fields: the first unknown key, else the first missing."""
    for name in found:
        if name not in known:
            return DecodeError(Fault.UNKNOWN_KEY, f".{name[:64]}", f"one of {', '.join(known)}")
    missing = next(name for name in needed if name not in found)
    return DecodeError(Fault.MISSING_KEY, f".{missing}", f"this field of {kind}")


def _tagged(kinds: tuple[type, ...], wide: bool) -> Decoder:
    """Decode an object with one key: the name of one of several records."""
    decoders = {TAGS[kind]: _record(kind, wide) for kind in kinds}

    def decode(raw: Any) -> Any:
        found = _require_object(raw)
        if len(found) != 1:
            raise DecodeError(Fault.WRONG_TYPE, "", "an object with one key, the name of the action")
        ((name, part),) = found.items()
        if name not in decoders:
            raise DecodeError(Fault.UNKNOWN_VALUE, f".{name[:64]}", f"one of {', '.join(decoders)}")
        try:
            return decoders[name](part)
        except DecodeError as error:
            raise error.inside(f".{name}") from None

    return decode


def _optional(kind: Any, wide: bool) -> Decoder:
    """Decode ``null`` or a value."""
    one = decoder(kind, wide)
    return lambda raw: None if raw is None else one(raw)


@dataclass(frozen=True, slots=True)
class Shape:
    """A type taken apart: its form, the types inside, and its bounds where it has any."""

    form: str
    inner: tuple[Any, ...] = ()
    extra: Any = None


def shape(hint: Any) -> Shape:
    """Take a type apart into one of the forms that the wire knows.

    Raises:
        TypeError: the type has no form on the wire.
    """
    extra: Any = None
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        extra = next((note for note in notes if isinstance(note, Bounds | Text | Length)), None)
    origin, inner = get_origin(hint), get_args(hint)
    if hint is int and isinstance(extra, Bounds):
        return Shape("integer", (), extra)
    if hint is str and isinstance(extra, Text):
        return Shape("text", (), extra)
    if hint is bool:
        return Shape("boolean")
    if origin is tuple and inner[-1] is Ellipsis:
        return Shape("array", (inner[0],), extra.longest if isinstance(extra, Length) else 2**20)
    if origin in (Mapping, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return Shape("mapping", inner)
    if origin in (Union, types.UnionType):
        members = tuple(part for part in inner if part is not type(None))
        return Shape("optional", members) if len(members) < len(inner) else Shape("tagged", members)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Shape("enumeration", (hint,))
    if is_dataclass(hint):
        return Shape("record", (hint,))
    raise TypeError(f"no form on the wire: {hint!r}")


@cache
def decoder(hint: Any, wide: bool = False) -> Decoder:
    """The decoder of a type; with ``wide`` every integer is decoded within 128 bits, whatever its field's bounds."""
    kind = shape(hint)
    makers: dict[str, Callable[[], Decoder]] = {
        "integer": lambda: _integer(WIDEST if wide else kind.extra),
        "text": lambda: _text(kind.extra),
        "boolean": lambda: _boolean,
        "array": lambda: _array(kind.inner[0], kind.extra, wide),
        "mapping": lambda: _mapping(kind.inner[0], kind.inner[1], wide),
        "optional": lambda: _optional(kind.inner[0], wide),
        "tagged": lambda: _tagged(kind.inner, wide),
        "enumeration": lambda: _enumeration(kind.inner[0]),
        "record": lambda: _record(kind.inner[0], wide),
    }
    return makers[kind.form]()


@rule("EVENT-3")
def decode(hint: Any, raw: Any, path: str = "$") -> Any:
    """Decode a parsed document as a type.

    Raises:
        DecodeError: something does not fit; it names the path and what was expected.
    """
    try:
        return decoder(hint)(raw)
    except DecodeError as error:
        raise error.inside(path) from None


@rule("EVENT-3")
def loads(hint: Any, data: bytes | str) -> Any:
    """Parse and decode one document."""
    return decode(hint, parse(data))


@rule("EVENT-10")
def encode(value: Any) -> Any:
    """A value as it goes on the wire: integers as decimal strings, records as objects, tagged ones under their tag."""
    kind: Any = type(value)
    if kind is str or value is None:
        return value
    return str(value) if kind is int else _encoder(kind)(value)


@cache
def _encoder(kind: Any) -> Callable[[Any], Any]:
    """How values of a type go on the wire."""
    if issubclass(kind, StrEnum):
        return lambda value: value.value
    if issubclass(kind, bool | str | types.NoneType):
        return lambda value: value
    if issubclass(kind, int):
        return str
    if issubclass(kind, Mapping):
        return lambda value: {name: encode(part) for name, part in value.items()}
    if issubclass(kind, tuple | list):
        return lambda value: [encode(part) for part in value]
    names, tag = tuple(item.name for item in fields(kind)), TAGS.get(kind)
    if tag is None:
        return lambda value: {name: encode(getattr(value, name)) for name in names}
    return lambda value: {tag: {name: encode(getattr(value, name)) for name in names}}


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@rule("EVENT-10")
def canonical_bytes(value: Any) -> bytes:
    """The canonical bytes of a value: JSON in ASCII, keys sorted, no space, other characters escaped."""
    return _CANONICAL.encode(encode(value)).encode("ascii")


def _record_schema(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of a record, put among the definitions once."""
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        hints = get_type_hints(kind, include_extras=True)
        needed = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
        definitions[kind.__name__] = {
            "type": "object",
            "description": (kind.__doc__ or "").strip().split("\n")[0],
            "properties": {item.name: _schema(hints[item.name], definitions) for item in fields(kind)},
            "required": needed,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _integer_schema(bounds: Bounds) -> dict[str, Any]:
    """Schema of an integer: a decimal string; the bounds stand in the description, for a schema cannot compare."""
    sign = "-?" if bounds.low < 0 else ""
    longest = max(len(str(bounds.low)), len(str(bounds.high)))
    text = f"integer from {bounds.low} to {bounds.high}"
    return {"type": "string", "pattern": f"^(?:0|{sign}[1-9][0-9]*)$(?!\\n)", "maxLength": longest, "description": text}


def _tagged_schema(kinds: tuple[type, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of a tagged record: exactly one of the tags."""
    return {
        "type": "object",
        "properties": {TAGS[kind]: _record_schema(kind, definitions) for kind in kinds},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of a type."""
    kind = shape(hint)
    if kind.form == "integer":
        return _integer_schema(kind.extra)
    if kind.form == "text":
        return {"type": "string", "maxLength": kind.extra.longest, "pattern": f"^(?:{kind.extra.pattern})$(?!\\n)"}
    if kind.form == "boolean":
        return {"type": "boolean"}
    if kind.form == "array":
        return {"type": "array", "items": _schema(kind.inner[0], definitions), "maxItems": kind.extra}
    if kind.form == "mapping":
        names, values = (_schema(part, definitions) for part in kind.inner)
        return {"type": "object", "propertyNames": names, "additionalProperties": values}
    if kind.form == "optional":
        return {"anyOf": [_schema(kind.inner[0], definitions), {"type": "null"}]}
    if kind.form == "tagged":
        return _tagged_schema(kind.inner, definitions)
    if kind.form == "enumeration":
        return {"enum": [member.value for member in kind.inner[0]]}
    return _record_schema(kind.inner[0], definitions)


@rule("EVENT-11")
def schema(kind: type, title: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a record, generated from its type."""
    definitions: dict[str, Any] = {}
    root = _record_schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
