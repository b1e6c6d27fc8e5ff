"""Strict decoding and canonical encoding of every record, and the JSON Schemas, all from the records' own types.

On the wire an integer is a decimal string, a list a JSON array, a record a JSON object with exactly its fields, an
action an object with one key, its name. Whatever else stands there is a ``DecodeError`` that names the place.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
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
        super().__init__(f"{path}: {fault.value}: expected {expected}")
        self.fault = fault
        self.path = path
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Misfit:
    """Stands in a parsed document for something that no record holds: a number, a constant, a repeated key."""

    fault: Fault
    what: str


Decoder = Callable[[Any, str], Any]


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
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.DOTALL):
        first = token.group()[0]
        depth += (first in "[{") - (first in "]}")
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


def _refuse_misfit(raw: Any, path: str) -> None:
    """Raise if a misfit stands at ``path``."""
    if isinstance(raw, Misfit):
        expected = f"each key once, not {raw.what!r} twice" if raw.fault == Fault.DUPLICATE_KEY else "no bare number"
        raise DecodeError(raw.fault, path, expected)


def _integer(bounds: Bounds) -> Decoder:
    """Decode a decimal string within bounds."""

    def decode(raw: Any, path: str) -> int:
        _refuse_misfit(raw, path)
        if not isinstance(raw, str):
            raise DecodeError(Fault.WRONG_TYPE, path, "an integer as a decimal string")
        if len(raw) > 41 or INTEGER.fullmatch(raw) is None:
            raise DecodeError(Fault.NOT_AN_INTEGER, path, "decimal digits without sign of plus or leading zero")
        value = int(raw)
        if not bounds.low <= value <= bounds.high:
            raise DecodeError(Fault.OUT_OF_RANGE, path, f"{bounds.low} to {bounds.high}")
        return value

    return decode


def _text(rules: Text) -> Decoder:
    """Decode a string of bounded length that matches a pattern."""
    pattern = re.compile(rules.pattern, re.ASCII)

    def decode(raw: Any, path: str) -> str:
        _refuse_misfit(raw, path)
        if not isinstance(raw, str):
            raise DecodeError(Fault.WRONG_TYPE, path, "a string")
        surrogate = any("\ud800" <= character <= "\udfff" for character in raw[: rules.longest])
        if len(raw) > rules.longest or surrogate or pattern.fullmatch(raw) is None:
            raise DecodeError(Fault.BAD_TEXT, path, f"at most {rules.longest} characters matching {rules.pattern}")
        return raw

    return decode


def _enumeration(kind: type[StrEnum]) -> Decoder:
    """Decode a member of an enumeration."""
    names = ", ".join(member.value for member in kind)

    def decode(raw: Any, path: str) -> StrEnum:
        _refuse_misfit(raw, path)
        if not isinstance(raw, str) or raw not in kind._value2member_map_:
            raise DecodeError(Fault.UNKNOWN_VALUE, path, f"one of {names}"[:400])
        return kind(raw)

    return decode


def _boolean(raw: Any, path: str) -> bool:
    """Decode a boolean."""
    _refuse_misfit(raw, path)
    if not isinstance(raw, bool):
        raise DecodeError(Fault.WRONG_TYPE, path, "true or false")
    return raw


def _array(item: Any, longest: int, wide: bool) -> Decoder:
    """Decode a list of at most ``longest`` items."""
    one = decoder(item, wide)

    def decode(raw: Any, path: str) -> tuple[Any, ...]:
        _refuse_misfit(raw, path)
        if not isinstance(raw, list):
            raise DecodeError(Fault.WRONG_TYPE, path, "an array")
        if len(raw) > longest:
            raise DecodeError(Fault.TOO_MANY, path, f"at most {longest} items")
        return tuple(one(part, f"{path}[{place}]") for place, part in enumerate(raw))

    return decode


def _require_object(raw: Any, path: str) -> dict[str, Any]:
    """Raise unless an object stands at ``path``."""
    _refuse_misfit(raw, path)
    if not isinstance(raw, dict):
        raise DecodeError(Fault.WRONG_TYPE, path, "an object")
    return raw


def _mapping(key: Any, value: Any, wide: bool) -> Decoder:
    """Decode an object whose keys are data."""
    decode_key, decode_value = decoder(key, wide), decoder(value, wide)

    def decode(raw: Any, path: str) -> dict[str, Any]:
        found = _require_object(raw, path)
        return {decode_key(name, path): decode_value(part, f"{path}.{name[:64]}") for name, part in found.items()}

    return decode


def _record(kind: type, wide: bool) -> Decoder:
    """Decode an object with exactly the fields of a record; a field with a default may be absent."""
    hints = get_type_hints(kind, include_extras=True)
    wide = wide or kind in WIDE
    decoders = {item.name: decoder(hints[item.name], wide) for item in fields(kind)}
    needed = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]

    def decode(raw: Any, path: str) -> Any:
        found = _require_object(raw, path)
        for name in found:
            if name not in decoders:
                raise DecodeError(Fault.UNKNOWN_KEY, f"{path}.{name[:64]}", f"one of {', '.join(decoders)}")
        for name in needed:
            if name not in found:
                raise DecodeError(Fault.MISSING_KEY, f"{path}.{name}", f"this field of {kind.__name__}")
        return kind(**{name: decoders[name](part, f"{path}.{name}") for name, part in found.items()})

    return decode


def _tagged(kinds: tuple[type, ...], wide: bool) -> Decoder:
    """Decode an object with one key: the name of one of several records."""
    decoders = {TAGS[kind]: _record(kind, wide) for kind in kinds}

    def decode(raw: Any, path: str) -> Any:
        found = _require_object(raw, path)
        if len(found) != 1:
            raise DecodeError(Fault.WRONG_TYPE, path, "an object with one key, the name of the action")
        ((name, part),) = found.items()
        if name not in decoders:
            raise DecodeError(Fault.UNKNOWN_VALUE, f"{path}.{name[:64]}", f"one of {', '.join(decoders)}")
        return decoders[name](part, f"{path}.{name}")

    return decode


def _optional(kind: Any, wide: bool) -> Decoder:
    """Decode ``null`` or a value."""
    one = decoder(kind, wide)
    return lambda raw, path: None if raw is None else one(raw, path)


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
    return decoder(hint)(raw, path)


@rule("EVENT-3")
def loads(hint: Any, data: bytes | str) -> Any:
    """Parse and decode one document."""
    return decode(hint, parse(data))


@rule("EVENT-10")
def encode(value: Any) -> Any:
    """A value as it goes on the wire: integers as decimal strings, records as objects, tagged ones under their tag."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return {name: encode(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [encode(part) for part in value]
    content = {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    tag = TAGS.get(type(value))
    return content if tag is None else {tag: content}


@rule("EVENT-10")
def canonical_bytes(value: Any) -> bytes:
    """The canonical bytes of a value: JSON in ASCII, keys sorted, no space, other characters escaped."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


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
