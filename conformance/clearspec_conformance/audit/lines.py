"""What a line of a log holds, in the forms of the kit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from clearspec.codec import DecodeError, decode
from clearspec.events import Genesis
from clearspec.formats import LogHeader
from clearspec_conformance.audit.formats import LogFault, UnfoundRecord
from clearspec_conformance.audit.parsing import STRICT, Decode
from clearspec_conformance.audit.problems import BadLog, Place, undecoded

PARTS = frozenset(("event", "receipt", "observable", "figures", "snapshot"))
"""Keys of a line."""

SNAPSHOT_MARK = b'"clearspec/snapshot/1"'
"""Stands in every line that holds a full snapshot."""


class Line(NamedTuple):
    """The parts of a line as raw documents; ``None`` for what is not there.

    ``named`` says that amounts are claimed by name, so that those which are not there are not claimed to be none.
    """

    event: Any = None
    receipt: Any = None
    observable: Any = None
    figures: Any = None
    snapshot: Any = None
    named: bool = False


@dataclass(slots=True)
class Census:
    """The keys of a mapping that found something in a stretch of a log, and how often each found nothing."""

    seen: set[str] = field(default_factory=set)
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, other: Census) -> None:
        """Take in that of the next stretch."""
        self.seen |= other.seen
        self.missed.update(other.missed)


class Translator(Protocol):
    """How the lines of a log are read: in the forms of the kit, or by a mapping."""

    decode: Decode
    name: str
    snapshot_column: str
    amounts: tuple[str, ...]
    """Keys of single amounts, such as ``$.amounts.trade.taker_fee``."""

    def genesis(self) -> Genesis | None:
        """The genesis, where it is not the first line of the log."""

    def line(self, document: Any, place: Place, census: Census | None = None) -> Line | None:
        """The parts of a line; ``None`` for a line that holds nothing to judge."""

    def unfound(self, census: Census) -> tuple[UnfoundRecord, ...]:
        """What was looked for on every line and found on none."""


class Plain:
    """Reads a log in the forms of the kit."""

    decode = staticmethod(STRICT)
    name = ""
    snapshot_column = "snapshot"
    amounts: tuple[str, ...] = ()

    def genesis(self) -> Genesis | None:
        """It is the first line."""
        return None

    def line(self, document: Any, place: Place, census: Census | None = None) -> Line:
        """The parts of a line.

        Raises:
            BadLog: it is no object with these parts.
        """
        return line_of(document, place)

    def unfound(self, census: Census) -> tuple[UnfoundRecord, ...]:
        """Nothing is looked for that a line need not have."""
        return ()


def line_of(document: Any, place: Place) -> Line:
    """A document in the forms of the kit as a line."""
    if not isinstance(document, dict) or not document.keys() <= PARTS or document.keys() == {"receipt"}:
        expected = "an object with event and receipt, and maybe observable, figures and snapshot"
        raise BadLog(LogFault.MALFORMED, place, f"$: expected {expected}")
    return Line(**document)


def header_of(document: Any, place: Place) -> Genesis:
    """The genesis in the header of a log.

    Raises:
        BadLog: it is no header.
    """
    try:
        header: LogHeader = decode(LogHeader, document)
    except DecodeError as error:
        raise undecoded(error, place) from None
    return header.genesis


def is_header(document: Any) -> bool:
    """Whether a document looks like the header of a log."""
    return isinstance(document, dict) and "genesis" in document
