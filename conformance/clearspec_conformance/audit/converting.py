"""One field of a mapping: where its value stands in somebody else's line, and what it is in the words of the kit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, NamedTuple

from clearspec.codec import Misfit
from clearspec_conformance.audit.lines import Census

NUMBER = re.compile(r"([+-]?[0-9]{1,60})(?:\.([0-9]{1,60}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
"""Numbers that are read, exactly; a longer one is refused before it costs anything."""

KEYS = (
    "from", "value", "default", "otherwise", "values", "times", "round", "strip", "prefix", "split", "part", "form",
    "type",
)  # fmt: skip
"""Keys of a field."""

ROUNDINGS = ("exact", "down", "up")
FORMS = ("iso8601",)


class Unmapped(Exception):
    """A value that a mapping does not say how to read."""


class MappingFault(Exception):
    """A mapping that is none: the path of the key, and what is wrong there: what was expected, or else a sentence."""

    def __init__(self, path: str, expected: str = "", sentence: str = "") -> None:
        super().__init__(path, expected, sentence)
        self.path, self.message = path, sentence or f"expected {expected}"


class Scope(NamedTuple):
    """What paths refer to: the line, and within a repeated part the part itself and the keys that lead to it."""

    line: Any
    part: Any
    keys: tuple[str, ...] = ()


class Target(NamedTuple):
    """What a field becomes: an integer, a text or a whole document, and the words that a text may be.

    Of words that are ``called`` something there are too many to be listed.
    """

    form: str
    words: tuple[str, ...] = ()
    called: str = ""


INTEGER, TEXT, WHOLE = Target("integer"), Target("text"), Target("whole")

Path = tuple[str, ...]
ABSENT = object()
NAMES: dict[type, str] = {dict: "an object", list: "a list"}
"""What stands where a value should, in the words of JSON."""


def path_of(raw: Any, where: str) -> Path:
    """A path: keys with dots between them, or a list of keys."""
    if isinstance(raw, list) and raw and all(isinstance(part, str) for part in raw):
        return tuple(raw)
    if isinstance(raw, str) and raw and "" not in raw.removeprefix("/").split("."):
        return ("/", *raw[1:].split(".")) if raw.startswith("/") else tuple(raw.split("."))
    raise MappingFault(where, "a path such as body.price, or a list of keys")


def step_into(value: Any, key: str) -> Any:
    """What stands under a key of an object, or at a number of a list."""
    if isinstance(value, dict):
        return value.get(key, ABSENT)
    if isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 8:
        return value[int(key)] if int(key) < len(value) else ABSENT
    return ABSENT


def found_at(scope: Scope, path: Path) -> Any:
    """The value at a path; ``ABSENT`` where there is none, or null."""
    value, rest = scope.part, path
    if path[0] == "/":
        value, rest = scope.line, path[1:]
    elif path[0] == "@value":
        rest = path[1:]
    elif path[0].startswith("@") and path[0][1:].isdigit():
        place = int(path[0][1:]) - 1
        return scope.keys[place] if 0 <= place < len(scope.keys) else ABSENT
    for key in rest:
        value = step_into(value, key)
    return ABSENT if value is None else value


def repeated(scope: Scope, path: Path) -> Iterator[Scope]:
    """The parts that a path with stars leads to; each star stands for every key of an object or item of a list."""
    level: list[tuple[Path, Any]] = [((), scope.line)]
    for key in path[1:] if path[0] == "/" else path:
        if key == "*":
            level = [((*keys, name), part) for keys, value in level for name, part in entries(value)]
        else:
            level = [(keys, step_into(value, key)) for keys, value in level]
    return (Scope(scope.line, value, keys) for keys, value in level if value is not ABSENT and value is not None)


def entries(value: Any) -> list[tuple[str, Any]]:
    """Keys and values of an object, numbers and items of a list."""
    if isinstance(value, dict):
        return list(value.items())
    return [(str(place), part) for place, part in enumerate(value)] if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """A value as text; truth values as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    what = value.what if isinstance(value, Misfit) else NAMES.get(type(value), "something else")
    raise Unmapped(f"expected a text or a number, found {what}")


def number_of(text: str) -> tuple[int, int]:
    """A number, exactly, as a numerator and a denominator above 0, not reduced."""
    found = NUMBER.fullmatch(text)
    if found is None:
        raise Unmapped(f"expected a number, found {text[:60]!r}")
    whole, part, exponent = found[1], found[2] or "", int(found[3] or 0)
    places = len(part) - exponent
    return int(whole + part) * 10 ** max(0, -places), 10 ** max(0, places)


def seconds_of(text: str) -> str:
    """A date and time of ISO 8601 in seconds since 1970, what is below a second cut off; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text[:64])
    except ValueError:
        raise Unmapped(f"expected a date and time such as 2024-01-31T12:00:00Z, found {text[:60]!r}") from None
    return str(int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() // 1))


@dataclass(frozen=True, slots=True)
class Factor:
    """By what a number is multiplied: always the same, or by another value of the line."""

    fixed: Fraction = Fraction(1)
    by: Path = ()
    table: Mapping[str, Fraction] = field(default_factory=dict)

    def at(self, scope: Scope) -> Fraction:
        """The factor in a line."""
        if not self.by:
            return self.fixed
        name = found_at(scope, self.by)
        text = "" if name is ABSENT else text_of(name)
        if text not in self.table:
            raise Unmapped(f"no factor for {text[:60]!r}, which stands at {'.'.join(self.by)}")
        return self.table[text]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: where its value stands, or a fixed value, and the steps that make it one of the kit."""

    where: str
    form: str
    path: Path = ()
    fixed: str | None = None
    default: str | None = None
    otherwise: str | None = None
    values: Mapping[str, str] | None = None
    factor: Factor = Factor()
    rounding: str = "exact"
    strip: str = ""
    prefix: str = ""
    separator: str = ""
    place: int = 0
    dated: bool = False

    def get(self, scope: Scope, census: Census) -> Any:
        """The value in the forms of the kit; ``None`` where there is none and no default.

        Raises:
            Unmapped: there is one that the mapping does not say how to read.
        """
        text = self.fixed
        if text is None:
            raw = found_at(scope, self.path)
            found = None if raw is ABSENT else raw if self.form == "whole" else self.piece(text_of(raw))
            if found is None:
                census.missed[self.where] += 1
            elif self.where not in census.seen:
                census.seen.add(self.where)
            if self.form == "whole":
                return found
            text = self.default if found is None else self.named(found)
        if text is None or self.form != "integer":
            return text
        return self.scaled(seconds_of(text) if self.dated else text, scope)

    def lack(self, scope: Scope) -> str:
        """Why there is nothing where something is needed."""
        at, raw = ".".join(self.path), found_at(scope, self.path)
        if raw is ABSENT or not self.separator:
            return f"nothing stands at {at}"
        text = text_of(raw)
        count = text.count(self.separator) + 1
        return f"{text[:60]!r} at {at} has {count} part{'s' * (count > 1)}, not {self.place + 1}"

    def piece(self, text: str) -> str | None:
        """The part of a text between its separators; ``None`` where it has fewer."""
        if not self.separator:
            return text
        pieces = text.split(self.separator)
        return pieces[self.place] if self.place < len(pieces) else None

    def named(self, text: str) -> str:
        """A text after its renaming."""
        if self.values is not None:
            found = self.values.get(text, self.otherwise)
            if found is None:
                raise Unmapped(f"{text[:60]!r} is none of {', '.join(self.values)}"[:300])
            return found
        if not text.startswith(self.strip):
            raise Unmapped(f"expected a text that begins with {self.strip!r}, found {text[:60]!r}")
        return self.prefix + text[len(self.strip) :]

    def scaled(self, text: str, scope: Scope) -> str:
        """A whole number, as a decimal string."""
        (numerator, denominator), factor = number_of(text), self.factor.at(scope)
        below, rest = divmod(numerator * factor.numerator, denominator * factor.denominator)
        if rest and self.rounding == "exact":
            raise Unmapped(
                f"{text[:60]} is no whole number of the kit's units (say how to round it, or another factor)"
            )
        return str(below + 1 if rest and self.rounding == "up" else below)


# Reading fields of a mapping


def plain_text(raw: Any, where: str) -> str:
    """A text, or a whole number or truth value in its place."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str | int):
        return str(raw)
    raise MappingFault(where, "a text")


def texts(raw: Any, where: str) -> dict[str, str]:
    """A table of texts."""
    if not isinstance(raw, dict) or not raw:
        raise MappingFault(where, "a table")
    return {name: plain_text(value, f"{where}.{name}") for name, value in raw.items()}


def fraction_of(raw: Any, where: str) -> Fraction:
    """A factor: a whole number, or two with a stroke between them."""
    text = str(raw) if isinstance(raw, str | int) else ""
    if re.fullmatch(r"[1-9][0-9]{0,39}(?:/[1-9][0-9]{0,39})?", text, re.ASCII) is None:
        raise MappingFault(where, 'a factor such as 100 or "1/1000"')
    return Fraction(text)


def factor_of(raw: Any, where: str) -> Factor:
    """What ``times`` says."""
    if not isinstance(raw, dict):
        return Factor(fraction_of(raw, where))
    if "by" not in raw or len(raw) < 2:
        raise MappingFault(where, "a factor, or a table with by and a factor for each value")
    table = {name: fraction_of(value, f"{where}.{name}") for name, value in raw.items() if name != "by"}
    return Factor(by=path_of(raw["by"], f"{where}.by"), table=table)


def chosen(raw: Any, where: str, among: tuple[str, ...]) -> str:
    """One of some words."""
    if raw not in among:
        raise MappingFault(where, f"one of {', '.join(among)}")
    return str(raw)


def separator_of(raw: Any, where: str) -> str:
    """What stands between the parts of a text."""
    if not isinstance(raw, str) or not raw:
        raise MappingFault(where, "a text such as a colon")
    return raw


def number_from_one(raw: Any, where: str) -> int:
    """The place of a part, which people count from 1, counted from 0."""
    if not isinstance(raw, int) or not 1 <= raw <= 99:
        raise MappingFault(where, "the number of a part, from 1")
    return raw - 1


Read = Callable[[Any, str], Any]


def field_of(raw: Any, where: str, target: Target, types: Mapping[str, Mapping[str, Any]]) -> Field:
    """A field of a mapping: a path, or a table with ``from`` or ``value``.

    Raises:
        MappingFault: it is none, or gives words that its target is not.
    """
    if not isinstance(raw, dict):
        return Field(where, target.form, path_of(raw, where))
    for name in raw:
        if name not in KEYS:
            raise MappingFault(f"{where}.{name}", f"one of {', '.join(KEYS)}")
    if ("from" in raw) == ("value" in raw):
        raise MappingFault(where, "either from or value")
    if "type" in raw and (not isinstance(raw["type"], str) or raw["type"] not in types):
        raise MappingFault(f"{where}.type", f"one of the types {', '.join(types) or '(there is none)'}")
    kind = types.get(raw.get("type", ""), {})
    found = made_field({**kind, **raw}, where, target.form)
    if target.words:
        homes = {name: where if name in raw else f"$.types.{raw.get('type')}" for name in {**kind, **raw}}
        require_words(found, target, homes)
    return found


def require_words(found: Field, target: Target, homes: Mapping[str, str]) -> None:
    """Raise if a field can become a word that its target is not; ``homes`` are the tables of its keys."""
    fixed = {"value": found.fixed, "default": found.default, "otherwise": found.otherwise}
    given = [(f"{homes[name]}.{name}", word) for name, word in fixed.items() if word is not None]
    given += [(f"{homes['values']}.values.{theirs}", word) for theirs, word in (found.values or {}).items()]
    for path, word in given:
        if word not in target.words:
            listed = f"one of {', '.join(filter(None, target.words))}"
            raise MappingFault(path, listed, f"{word[:60]!r} is no {target.called}" if target.called else "")


def made_field(raw: Mapping[str, Any], where: str, form: str) -> Field:
    """A field from its keys, those of its type among them."""
    readers: dict[str, tuple[str, Read]] = {
        "from": ("path", path_of),
        "value": ("fixed", plain_text),
        "default": ("default", plain_text),
        "otherwise": ("otherwise", plain_text),
        "values": ("values", texts),
        "times": ("factor", factor_of),
        "round": ("rounding", lambda part, place: chosen(part, place, ROUNDINGS)),
        "strip": ("strip", plain_text),
        "prefix": ("prefix", plain_text),
        "split": ("separator", separator_of),
        "part": ("place", number_from_one),
        "form": ("dated", lambda part, place: bool(chosen(part, place, FORMS))),
    }
    given = {name: part for name, part in raw.items() if name in readers}
    return Field(
        where, form, **{readers[name][0]: readers[name][1](part, f"{where}.{name}") for name, part in given.items()}
    )
