"""The protocol between the runner and an engine: one JSON line asks, one answers (``spec/protocol.md``).

A line is an object with two keys: ``id``, which the answer repeats, and the message's name with its body. Bodies are
records; decoding, encoding and the JSON Schemas come from their types, as for every other format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from enum import StrEnum
from typing import Annotated, Any

from clearspec.codec import WIDE, DecodeError, Fault, decode, encode, parse
from clearspec.events import Event
from clearspec.fields import Document, Id, Length, OptionalId, Prose, SequenceOrZero, Time, Wide
from clearspec.formats import Observable, PostingRecord, Status
from clearspec.rules import CHAPTERS
from clearspec_conformance.kernels import Arguments

LONGEST_LINE = 64 * 2**20
"""Most bytes of one line, either way."""

LARGEST_BATCH = 2**16
"""Most events of one ``apply``."""

RECEIPTS = "receipts"
ROOT = "root"
KERNEL = "kernel"
RESTORE = "restore"

FEATURES = (*CHAPTERS.values(), RECEIPTS, ROOT, KERNEL, RESTORE)
"""What an engine may claim: chapters of the spec, and optional parts of the protocol."""


class Protocol(StrEnum):
    """Version of the protocol."""

    V1 = "clearspec/protocol/1"


class ErrorCode(StrEnum):
    """Why an engine gives no result."""

    REFUSED = "refused"
    NOT_IMPLEMENTED = "not_implemented"
    BAD_REQUEST = "bad_request"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Hello:
    """Asks who the engine is; the first message."""

    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Introduction:
    """Who the engine is, and which features it claims."""

    protocol: Protocol
    name: Prose
    version: Prose
    language: Prose
    features: Annotated[tuple[Id, ...], Length(256)]


@dataclass(frozen=True, slots=True)
class Load:
    """Starts again from one of: a genesis; with the feature ``restore`` a full snapshot (EVENT-12); a genesis in text.

    The first two are documents. What does not decode is refused by the engine, as any other genesis is.
    """

    genesis: Any = None
    snapshot: Any = None
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The state has been loaded."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Events to apply in order, or one event as a text, which the engine decodes itself (EVENT-3)."""

    events: Annotated[tuple[Event, ...], Length(LARGEST_BATCH)] | None = None
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class EngineReceipt:
    """What came of an event, in the engine's words; a whole receipt of the wire format fits.

    Status and reason are compared; if the engine claims ``receipts``, all but ``subject`` and ``accounts``.
    """

    status: Status
    reason: Prose | None = None
    rule: Prose | None = None
    subject: Prose = ""
    id: OptionalId = ""
    sequence: SequenceOrZero = 0
    time: Time = 0
    action: OptionalId = ""
    accounts: tuple[Id, ...] = ()
    amounts: Mapping[Id, Wide] | None = None
    postings: tuple[PostingRecord, ...] | None = None


WIDE.add(EngineReceipt)


@dataclass(frozen=True, slots=True)
class Applied:
    """A receipt for each event, in order."""

    receipts: Annotated[tuple[EngineReceipt, ...], Length(LARGEST_BATCH)]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Asks for the observable snapshot, with ``root`` for the state root too."""

    root: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The observable snapshot (EVENT-13), and the state root (EVENT-14) if it was asked for."""

    observable: Observable
    root: Prose | None = None


@dataclass(frozen=True, slots=True)
class Compute:
    """A pure call: an object with one key, the kernel's name, and its named arguments."""

    call: Arguments


@dataclass(frozen=True, slots=True)
class Computed:
    """The named results of a kernel."""

    results: Mapping[Id, Wide]


@dataclass(frozen=True, slots=True)
class Bye:
    """The last message; after its answer the engine ends."""


@dataclass(frozen=True, slots=True)
class EngineError:
    """The engine gives no result: it refuses a genesis, lacks this, was asked wrongly, or is broken.

    ``rule`` is the rule for which a genesis is refused.
    """

    code: ErrorCode
    message: Prose = ""
    rule: OptionalId = ""


ERROR = "error"
MESSAGES: dict[str, tuple[type, type]] = {
    "hello": (Hello, Introduction),
    "load": (Load, Loaded),
    "apply": (Apply, Applied),
    "snapshot": (Snapshot, Seen),
    "kernel": (Compute, Computed),
    "bye": (Bye, Bye),
}
"""Name of every message, the record that asks and the record that answers."""


def line_record(message: str, body: type, way: str) -> type:
    """The record of a whole line, from which its schema is generated."""
    title = f"{message.capitalize()}{way}"
    text = {"__doc__": f"The {way.lower()} of the message {message}."}
    return make_dataclass(title, [("id", Id), (message, body)], frozen=True, slots=True, namespace=text)


def line(identifier: str, message: str, body: Any) -> dict[str, Any]:
    """A line as a document; parts of a request that are not given are left out."""
    content = encode(body)
    if isinstance(body, Load | Apply):
        content = {name: part for name, part in content.items() if part is not None}
    return {"id": identifier, message: content}


def written(document: Any) -> bytes:
    """A document as one line of ASCII."""
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


@dataclass(frozen=True, slots=True)
class Line:
    """A line taken apart: its id, the name of the message, and the raw body."""

    id: str
    message: str
    body: Any


def parsed(data: bytes, longest: int = LONGEST_LINE) -> Any:
    """The document of a line; numbers and repeated keys stay in it as what no record holds.

    Raises:
        DecodeError: the line is no JSON document, or too long or deep.
    """
    return parse(data, longest)


def taken_apart(raw: Any, known: tuple[str, ...]) -> Line:
    """The parts of a line.

    Raises:
        DecodeError: it is not an object with an id and one known message.
    """
    if not isinstance(raw, dict):
        raise DecodeError(Fault.WRONG_TYPE, "$", "an object")
    if "id" not in raw:
        raise DecodeError(Fault.MISSING_KEY, "$.id", "the id of the request")
    identifier: str = decode(Id, raw["id"], "$.id")
    names = [name for name in raw if name != "id"]
    if len(names) != 1 or names[0] not in known:
        raise DecodeError(Fault.UNKNOWN_KEY, "$", f"besides the id one of {', '.join(known)}")
    return Line(identifier, names[0], raw[names[0]])


def request_body(asked: Line) -> Any:
    """The body of a request; what a ``load`` brings stays raw, for the engine judges it.

    Raises:
        DecodeError: it does not fit; the path is named.
    """
    path = f"$.{asked.message}"
    if asked.message == "load":
        return _load_body(asked.body, path)
    return decode(MESSAGES[asked.message][0], asked.body, path)


def _load_body(raw: Any, path: str) -> Load:
    """The body of a ``load``: exactly one of genesis, document and snapshot."""
    if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in ("genesis", "document", "snapshot"):
        raise DecodeError(Fault.WRONG_TYPE, path, "an object with one key: genesis, document or snapshot")
    ((name, part),) = raw.items()
    if name == "document":
        return Load(document=decode(Document, part, f"{path}.document"))
    if not isinstance(part, dict):
        raise DecodeError(Fault.WRONG_TYPE, f"{path}.{name}", "an object")
    return Load(**raw)


def answer_body(message: str, answered: Line) -> Any:
    """The body of the answer to ``message``: its record, or an ``EngineError``.

    Raises:
        DecodeError: it does not fit; the path is named.
    """
    if answered.message == ERROR:
        return decode(EngineError, answered.body, f"$.{ERROR}")
    return decode(MESSAGES[message][1], answered.body, f"$.{message}")
