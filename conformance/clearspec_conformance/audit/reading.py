"""The file of a log as a stream of lines or rows with their positions; a line never takes unbounded memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, NamedTuple

from clearspec_command.failures import BadInput
from clearspec_conformance.audit.formats import LogFault
from clearspec_conformance.audit.parsing import LONGEST_LINE, STRICT, Decode, parsed
from clearspec_conformance.audit.problems import BadLog, Place

BUFFER = 2**20
"""Bytes that are read at a time."""

WIDEST_WINDOW = 27
"""Logarithm of the largest window of a zstd frame, in bytes: 128 MiB, what its own tools take without being asked."""


class Layout(StrEnum):
    """How the lines of a log are stored."""

    JSONL = "jsonl"
    GZIP = "gzip"
    ZSTD = "zstd"
    PARQUET = "parquet"


MAGIC = {b"\x1f\x8b": Layout.GZIP, b"\x28\xb5\x2f\xfd": Layout.ZSTD, b"PAR1": Layout.PARQUET}
"""First bytes of a file to its layout; every other file is taken for lines."""


class Start(NamedTuple):
    """Where reading begins: how many lines and bytes (of the text) lie before."""

    line: int = 0
    byte: int = 0


class Item(NamedTuple):
    """A line or row: its place, its document, and how many bytes of the text lie before the next one."""

    place: Place
    document: Any
    end: int


def unreadable(path: Path, error: OSError) -> BadInput:
    """A file that cannot be opened or read."""
    return BadInput(f"{path}: cannot be read: {error.strerror or error}")


def layout_of(path: Path) -> Layout:
    """How a file is stored, by its first bytes.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise unreadable(path, error) from None
    return next((layout for magic, layout in MAGIC.items() if head.startswith(magic)), Layout.JSONL)


def zstd_reader(stream: IO[bytes]) -> Any:
    """A reader of zstd, which unlike some refuses a file that ends too early.

    Raises:
        BadInput: the library is not installed.
    """
    try:
        from backports import zstd
    except ImportError:
        raise BadInput("zstd needs the library backports.zstd: pip install '.[audit]'") from None
    return zstd.ZstdFile(stream, options={zstd.DecompressionParameter.window_log_max: WIDEST_WINDOW})


class Unpacked(io.RawIOBase):
    """What a decompressor has ready, so that all that stands before a damaged place is read before it is met."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is ready, at most as much as fits."""
        data = self.stream.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def opened(path: Path, layout: Layout) -> Iterator[IO[bytes]]:
    """The text of a log, decompressed as it is read.

    Raises:
        BadInput: it cannot be opened.
    """
    try:
        stream = path.open("rb", buffering=BUFFER)
    except OSError as error:
        raise unreadable(path, error) from None
    with stream:
        if layout == Layout.GZIP:
            yield io.BufferedReader(Unpacked(gzip.GzipFile(fileobj=stream)), BUFFER)
        elif layout == Layout.ZSTD:
            yield io.BufferedReader(Unpacked(zstd_reader(stream)), BUFFER)
        else:
            yield stream


@contextmanager
def faults_at(place: Place) -> Iterator[None]:
    """Turn what a decompressor or the system raises into a fault at a place."""
    try:
        yield
    except EOFError:
        raise BadLog(LogFault.TRUNCATED, place, "the compressed file ends before its end mark") from None
    except zlib.error as error:
        raise BadLog(LogFault.CORRUPT, place, f"the compressed file is damaged: {error}") from None
    except OSError as error:
        fault = LogFault.UNREADABLE if error.errno else LogFault.CORRUPT
        raise BadLog(fault, place, str(error.strerror or error)) from None
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        raise BadLog(LogFault.CORRUPT, place, f"the compressed file is damaged: {error}") from None


def skip(stream: IO[bytes], count: int) -> None:
    """Pass over bytes; in a plain file by seeking."""
    if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO):
        stream.seek(count)
        return
    while count > 0:
        count -= len(stream.read(min(BUFFER, count))) or count


def next_line(stream: IO[bytes], place: Place, longest: int = LONGEST_LINE) -> bytes:
    """The next line; empty at the end.

    Raises:
        BadLog: it is too long, or the file is damaged.
    """
    with faults_at(place):
        data = stream.readline(longest + 1)
    if len(data) > longest:
        raise BadLog(LogFault.TOO_LONG, place, f"expected a line of at most {longest} bytes")
    return data


def text_items(path: Path, layout: Layout, start: Start, decode: Decode) -> Iterator[Item]:
    """The lines of a log from a place on.

    Raises:
        BadLog: a line is none; a last line that breaks off is ``truncated``.
    """
    number, byte = start
    with opened(path, layout) as stream:
        with faults_at(Place(number + 1, byte)):
            skip(stream, byte)
        while data := next_line(stream, place := Place(number + 1, byte)):
            number, byte = number + 1, byte + len(data)
            yield Item(place, line_document(data, place, decode), byte)


def line_document(data: bytes, place: Place, decode: Decode) -> Any:
    """The document of a line, which is the last one if no line feed ends it."""
    try:
        return parsed(data, place, decode)
    except BadLog as error:
        if data.endswith(b"\n") or error.fault not in (LogFault.NOT_JSON, LogFault.NOT_UTF8):
            raise
        raise BadLog(LogFault.TRUNCATED, error.place, f"the last line breaks off: {error.detail}") from None


@dataclass(frozen=True, slots=True)
class Source:
    """A log that can be read from any place on; with ``lenient`` bare numbers are let through, for a mapping."""

    path: Path
    layout: Layout
    decode: Decode = STRICT

    def items(self, start: Start = Start()) -> Iterator[Item]:  # noqa: B008
        """Its lines or rows from a place on.

        Raises:
            BadLog: it cannot be read on.
        """
        if self.layout == Layout.PARQUET:
            from clearspec_conformance.audit.parquet import row_items

            return row_items(self.path, start.line, self.decode)
        return text_items(self.path, self.layout, start, self.decode)
