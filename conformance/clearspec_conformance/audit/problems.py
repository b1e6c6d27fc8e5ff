"""What ends an audit before the end of the log: a typed fault with its position."""

from __future__ import annotations

from typing import NamedTuple

from clearspec.codec import DecodeError, Fault
from clearspec_command.display import plain
from clearspec_command.failures import BadInput
from clearspec_conformance.audit.formats import LogFault, Stop

MOST_TOLD = 800
"""Characters of a message."""

FAULTS = {
    Fault.NOT_JSON: LogFault.NOT_JSON,
    Fault.TOO_LONG: LogFault.TOO_LONG,
    Fault.TOO_DEEP: LogFault.TOO_DEEP,
}
"""Faults of documents that are faults of the line as such; every other is ``malformed``."""


class Place(NamedTuple):
    """A line or row of a log (from 1) and its first byte in the text of the log (from 0; rows have none)."""

    line: int
    byte: int | None = None

    def told(self) -> str:
        """The place in words."""
        return f"row {self.line}" if self.byte is None else f"line {self.line}, byte {self.byte}"


class BadLog(BadInput):
    """A log that cannot be read on."""

    def __init__(self, fault: LogFault, place: Place, message: str) -> None:
        self.fault, self.place = fault, place
        self.detail = plain(message, MOST_TOLD)
        super().__init__(f"{place.told()}: {fault.value}: {self.detail}")

    def __reduce__(self) -> tuple[type[BadLog], tuple[LogFault, Place, str]]:
        """Its arguments once more, so that it passes between processes."""
        return BadLog, (self.fault, self.place, self.detail)

    @property
    def stop(self) -> Stop:
        """As a record."""
        return Stop(self.fault, self.place.line, self.place.byte, self.detail)


def undecoded(error: DecodeError, place: Place) -> BadLog:
    """A part of a line that does not decode."""
    return BadLog(FAULTS.get(error.fault, LogFault.MALFORMED), place, str(error))
