"""The genesis in a file beside a mapping."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from clearspec.codec import DecodeError, Fault, decode, parse
from clearspec.events import Genesis
from clearspec.listing import OutsideEnvelope, build
from clearspec.parameters import ENVELOPE
from clearspec_command.display import plain
from clearspec_command.failures import BadInput
from clearspec_command.inputs import read_bytes
from clearspec_command.rows import envelope_rule

LONGEST_GENESIS = 2**26
STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]")
"""A step of a path such as ``$.pools[0].dust``: a key, or a place in a list."""

SPACE = re.compile(r"[ \t\r\n]*")
BARE = re.compile(r"-?[0-9][0-9.eE+-]*")


def read_genesis(path: Path, named: str) -> bytes:
    """The bytes of a genesis from which a state can be built; ``named`` says who names the file.

    Raises:
        BadInput: it is none; the line of the file and what was expected are named.
    """
    try:
        stored = read_bytes(str(path), LONGEST_GENESIS)
    except BadInput as error:
        raise BadInput(f"{error.message} ({named})") from None
    try:
        found: Genesis = decode(Genesis, parse(stored))
        build(found)
    except DecodeError as error:
        raise BadInput(f"{plain(str(path))}: {fault_in(stored, error)} ({named})") from None
    except OutsideEnvelope as error:
        name = error.violation.inequality.partition(" ")[0]
        word = name if name in ENVELOPE else envelope_rule(name)
        raise BadInput(f"{plain(str(path))}: {error} (`clearspec explain {word}`)") from None
    except ValueError as error:
        raise BadInput(f"{plain(str(path))}: {error} ({named})") from None
    return stored


def fault_in(stored: bytes, error: DecodeError) -> str:
    """What does not decode, with its line; of a bare number what it should be."""
    if error.fault in (Fault.NOT_JSON, Fault.TOO_LONG, Fault.TOO_DEEP):
        return str(error)
    text = stored.decode("utf-8", "replace")
    place = place_of(text, error.path)
    number, line = BARE.match(text, place), text.count("\n", 0, place) + 1
    if number is not None:
        return f"line {line}: {error.path}: expected a whole number in quotes, found {number[0][:60]}"
    return f"line {line}: {error}"


def place_of(text: str, path: str) -> int:
    """Where the value at a path such as ``$.pools[0].dust`` begins in a JSON text, or else what should hold it."""
    scan, place = json.JSONDecoder(), skipped(text, 0)
    with suppress(ValueError, IndexError):
        for name, number in STEP.findall(path):
            place = entered(scan, text, place, name or int(number))
    return place


def skipped(text: str, place: int) -> int:
    """The place after white space."""
    space = SPACE.match(text, place)
    return place if space is None else space.end()


def entered(scan: json.JSONDecoder, text: str, place: int, wanted: str | int) -> int:
    """Where the member of an object, or the item of a list, begins that begins at a place.

    Raises:
        ValueError, IndexError: there is none.
    """
    if text[place] != ("[" if isinstance(wanted, int) else "{"):
        raise ValueError(wanted)
    place, count = skipped(text, place + 1), 0
    while text[place] not in "]}":
        key: Any = count
        if isinstance(wanted, str):
            key, place = scan.raw_decode(text, place)
            place = skipped(text, skipped(text, place) + 1)
        if key == wanted:
            return place
        _, place = scan.raw_decode(text, place)
        place, count = skipped(text, place), count + 1
        place = skipped(text, place + 1) if text[place] == "," else place
    raise ValueError(wanted)
