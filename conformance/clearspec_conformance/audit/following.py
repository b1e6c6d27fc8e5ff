"""A log that is still being written: its lines as they come, through rotation and half-written ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clearspec.events import Genesis
from clearspec_conformance.audit.auditor import Auditor
from clearspec_conformance.audit.formats import LogFault, Stop
from clearspec_conformance.audit.lines import header_of, is_header
from clearspec_conformance.audit.parsing import LONGEST_LINE, Decode, parsed
from clearspec_conformance.audit.problems import BadLog, Place
from clearspec_conformance.audit.reading import Item, faults_at, unreadable
from clearspec_conformance.audit.segments import TELL_EVERY, Log, begun_at, take
from clearspec_conformance.audit.tallies import Tally

PAUSE = 0.2
"""Seconds between two looks at a file that has not grown."""


@dataclass(slots=True)
class Position:
    """How far the reading of a file has come: its number (it grows with every rotation), lines, bytes, bytes there."""

    file: int = 1
    line: int = 0
    byte: int = 0
    size: int = 0


class Tail:
    """The lines of a growing file. A file that is replaced or cut short is read from its beginning.

    Raises:
        BadInput: there is no file that can be read.
    """

    def __init__(self, path: Path, decode: Decode) -> None:
        self.path, self.decode = path, decode
        self.position = Position()
        self.half = b""
        try:
            self.stream = path.open("rb")
        except OSError as error:
            raise unreadable(path, error) from None

    def items(self) -> Iterator[Item | None]:
        """Line after line, without end; ``None`` whenever there is no whole line to read.

        Raises:
            BadLog: a line is too long or no document, or the file was replaced in the middle of one.
        """
        while True:
            item = self.next_item()
            if item is None and self.is_replaced():
                item = self.next_item()
                if item is None:
                    self.next_file()
            yield item

    def next_item(self) -> Item | None:
        """The next line that has been written to its end."""
        position = self.position
        place = Place(position.line + 1, position.byte)
        with faults_at(place):
            self.half += self.stream.readline(LONGEST_LINE + 1 - len(self.half))
            position.size = os.fstat(self.stream.fileno()).st_size
        if len(self.half) > LONGEST_LINE:
            raise BadLog(LogFault.TOO_LONG, place, f"expected a line of at most {LONGEST_LINE} bytes")
        if not self.half.endswith(b"\n"):
            return None
        data, self.half = self.half, b""
        position.line, position.byte = position.line + 1, position.byte + len(data)
        return Item(place, parsed(data, place, self.decode), position.byte)

    def is_replaced(self) -> bool:
        """Whether another file stands under the name, or the same one is shorter than what was read of it."""
        with faults_at(Place(self.position.line + 1, self.position.byte)):
            own = os.fstat(self.stream.fileno())
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        other = (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino)
        return other or there.st_size < self.position.byte + len(self.half)

    def next_file(self) -> None:
        """Go on with the file that stands there now, unless it has gone again."""
        if self.half:
            place = Place(self.position.line + 1, self.position.byte)
            raise BadLog(LogFault.TRUNCATED, place, "the file was replaced in the middle of a line")
        with suppress(FileNotFoundError):
            stream = self.path.open("rb")
            self.stream.close()
            self.stream, self.position = stream, Position(self.position.file + 1)


Tell = Callable[[Position, Tally], None]
"""Is told how far the reading has come and what was counted so far, whenever there is nothing more to read."""


class Follower:
    """Audits lines as they come; the first of a file may repeat the header of the log."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.auditor: Auditor | None = None
        self.header: Genesis | None = None

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return Tally() if self.auditor is None else self.auditor.tally

    def take(self, item: Item) -> bool:
        """Audit a line; returns whether a finding ends the audit.

        Raises:
            BadLog: it cannot be judged.
        """
        if item.place.line == 1 and is_header(item.document):
            self.take_header(item)
        elif self.auditor is None:
            self.auditor, used = begun_at(self.log, item)
            if not used:
                take(self.log, self.auditor, item)
        else:
            take(self.log, self.auditor, item)
        return self.auditor is not None and self.auditor.done

    def take_header(self, item: Item) -> None:
        """Begin with a header, or pass over one that is repeated."""
        header = header_of(item.document, item.place)
        if self.auditor is None:
            self.auditor, _ = begun_at(self.log, item)
        elif self.header not in (None, header):
            raise BadLog(LogFault.MALFORMED, item.place, "$.genesis: expected the genesis of the file before")
        else:
            self.auditor.tally.lines += 1
        self.header = header


def follow(log: Log, tell: Tell, idle: float | None = None, pause: float = PAUSE) -> Tally:
    """Audit a log as it grows, until a finding ends it, it cannot be read on, or nothing comes for ``idle`` seconds.

    An interruption ends it too.

    Raises:
        BadInput: the file cannot be opened.
    """
    tail, follower = Tail(log.path, log.translator.decode), Follower(log)
    stop: Stop | None = None
    try:
        audit_growing(tail, follower, tell, idle, pause)
    except BadLog as error:
        stop = error.stop
    except KeyboardInterrupt:
        pass
    tally = follower.tally
    tally.stop = stop
    tell(tail.position, tally)
    return tally


def audit_growing(tail: Tail, follower: Follower, tell: Tell, idle: float | None, pause: float) -> None:
    """Audit what comes, until a finding or silence ends it."""
    last = time.monotonic()
    for count, item in enumerate(tail.items(), start=1):
        if item is not None:
            last = time.monotonic()
            if follower.take(item):
                return
        if item is None or count % TELL_EVERY == 0:
            tell(tail.position, follower.tally)
        if item is None:
            if idle is not None and time.monotonic() - last >= idle:
                return
            time.sleep(pause)
