"""One line of a log to one document: strict, and bounded in bytes, levels and parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from clearspec.codec import DEEPEST, LONGEST_DOCUMENT, Fault, Misfit
from clearspec_conformance.audit.formats import LogFault
from clearspec_conformance.audit.problems import BadLog, Place

LONGEST_LINE = LONGEST_DOCUMENT
"""Most bytes of a line, its line feed included."""

MOST_PARTS = 2**21
"""Most commas and brackets of a line; a part of a document may take a hundred bytes of memory."""

Decode = Callable[[str], Any]


class Number(str):
    """A bare JSON number, as the text that it was."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> Any:
    """An object as a dictionary; with a repeated key a misfit, which decoding refuses."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return Misfit(Fault.DUPLICATE_KEY, again[:64])


def _misfit(text: str) -> Misfit:
    """What stands for a bare number or constant where integers are decimal strings."""
    return Misfit(Fault.WRONG_TYPE, "a number")


def _decode(number: Callable[[str], Any]) -> Decode:
    made = json.JSONDecoder(object_pairs_hook=_object, parse_int=number, parse_float=number, parse_constant=_misfit)
    return made.decode


STRICT = _decode(_misfit)
"""Reads documents in the forms of the kit, in which a bare number has no place."""

LENIENT = _decode(Number)
"""Reads documents of others: bare numbers stay texts, for a mapping to judge."""


def parsed(data: bytes, place: Place, decode: Decode) -> Any:
    """The document of a line.

    Raises:
        BadLog: the line is not one JSON document in UTF-8, or has too many parts or levels.
    """
    if len(data) > MOST_PARTS and sum(map(data.count, (b",", b"[", b"{"))) > MOST_PARTS:
        raise BadLog(LogFault.TOO_MANY, place, f"expected at most {MOST_PARTS} commas and brackets in a line")
    if not data.strip():
        raise BadLog(LogFault.NOT_JSON, place, "expected one JSON document, found an empty line")
    try:
        text = data.decode("utf-8")
        found = decode(text)
    except UnicodeDecodeError as error:
        raise BadLog(LogFault.NOT_UTF8, shifted(place, error.start), f"expected UTF-8: {error.reason}") from None
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8"))
        raise BadLog(LogFault.NOT_JSON, shifted(place, offset), f"expected one JSON document: {error.msg}") from None
    except RecursionError:
        raise _too_deep(place) from None
    if data.count(b"{") + data.count(b"[") > DEEPEST and is_deeper(found, DEEPEST):
        raise _too_deep(place)
    return found


def _too_deep(place: Place) -> BadLog:
    """A document with too many levels."""
    return BadLog(LogFault.TOO_DEEP, place, f"expected at most {DEEPEST} levels")


def shifted(place: Place, offset: int) -> Place:
    """A place some bytes further on."""
    return place if place.byte is None else Place(place.line, place.byte + offset)


def is_deeper(document: Any, levels: int) -> bool:
    """Whether a document nests more levels than these; goes level by level, so that no depth is a danger."""
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(levels):
        parts = (inner for part in level for inner in (part.values() if isinstance(part, dict) else part))
        level = [inner for inner in parts if isinstance(inner, dict | list)]
        if not level:
            return False
    return True
