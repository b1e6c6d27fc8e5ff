"""A log in Parquet: its rows one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from clearspec.codec import Fault, Misfit
from clearspec_command.failures import BadInput
from clearspec_conformance.audit.formats import LogFault
from clearspec_conformance.audit.lines import SNAPSHOT_MARK as MARK
from clearspec_conformance.audit.parsing import LONGEST_LINE, Decode, Number, parsed
from clearspec_conformance.audit.problems import BadLog, Place
from clearspec_conformance.audit.reading import Item

LINE = "line"
"""A single column of this name holds the lines of a log as they would stand in a text file."""

BATCH = 256
"""Rows that are decoded at a time."""

SNAPSHOT_MARK = MARK.decode("ascii")

LARGEST_CHUNK = 2**28
"""Most bytes, uncompressed, of a column in a row group, as the file says itself."""

LONGEST_THRIFT = 2**24
"""Most bytes of a text, and most items of a list, in the file's own description."""


def library() -> Any:
    """The library.

    Raises:
        BadInput: it is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise BadInput("Parquet needs the library pyarrow: pip install '.[audit]'") from None
    return parquet


def opened(path: Path) -> Any:
    """The file, with texts left as references to a dictionary: a text that stands in every row is held once.

    Raises:
        BadLog: it is no Parquet file, or says that it unpacks to too much.
    """
    limits = {"thrift_string_size_limit": LONGEST_THRIFT, "thrift_container_size_limit": LONGEST_THRIFT}
    try:
        with library().ParquetFile(path, **limits) as file:
            columns = [file.schema.column(place) for place in range(len(file.schema))]
            require_bounded(file.metadata)
        texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        return library().ParquetFile(path, read_dictionary=texts, **limits)
    except (OSError, ValueError) as error:
        raise BadLog(LogFault.CORRUPT, Place(1), f"cannot be read as Parquet: {error}") from None


def require_bounded(metadata: Any) -> None:
    """Raise if a column of a row group is too large."""
    before = 0
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        for number in range(group.num_columns):
            if group.column(number).total_uncompressed_size > LARGEST_CHUNK:
                message = f"expected row groups with at most {LARGEST_CHUNK} bytes in a column"
                raise BadLog(LogFault.TOO_LONG, Place(before + 1), message)
        before += group.num_rows


def row_items(path: Path, before: int, decode: Decode) -> Iterator[Item]:
    """The rows from the one after ``before`` on.

    Raises:
        BadLog: a row cannot be read.
    """
    file, number = opened(path), 0
    lines = file.schema_arrow.names == [LINE]
    for group in range(file.metadata.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if number + count <= before:
            number += count
            continue
        for document in group_rows(file, group, number):
            number += 1
            if number > before:
                yield Item(Place(number), row_document(document, lines, Place(number), decode), number)


def marked_rows(path: Path, column: str) -> Iterator[int]:
    """Numbers of the rows that hold a snapshot: in a column of its own, or in the text of a line.

    Raises:
        BadLog: a row cannot be read.
    """
    file, number = opened(path), 0
    lines = file.schema_arrow.names == [LINE]
    if not lines and column not in file.schema_arrow.names:
        return
    for group in range(file.metadata.num_row_groups):
        for batch in file.iter_batches(BATCH, row_groups=[group], columns=[LINE if lines else column]):
            for value in batch.column(0):
                number += 1
                if value.is_valid and (not lines or SNAPSHOT_MARK in value.as_py()):
                    yield number


def group_rows(file: Any, group: int, number: int) -> Iterator[Any]:
    """The rows of a row group, each as a dictionary."""
    done = 0
    try:
        for batch in file.iter_batches(BATCH, row_groups=[group], use_threads=False):
            for place in range(batch.num_rows):
                yield batch.slice(place, 1).to_pylist()[0]
                done += 1
    except (OSError, ValueError) as error:
        raise BadLog(LogFault.CORRUPT, Place(number + done + 1), f"cannot be read as Parquet: {error}") from None


def row_document(row: dict[str, Any], lines: bool, place: Place, decode: Decode) -> Any:
    """The document of a row."""
    if not lines:
        return plain_value(row)
    text = row[LINE]
    data = text.encode("utf-8") if isinstance(text, str) else b""
    if len(data) > LONGEST_LINE:
        raise BadLog(LogFault.TOO_LONG, place, f"expected a line of at most {LONGEST_LINE} bytes")
    return parsed(data, place, decode)


def plain_value(value: Any) -> Any:
    """A value of a column as JSON would give it: whole and decimal numbers as text; a binary float fits nowhere."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return Number(value)
    if isinstance(value, Decimal):
        return Number(f"{value:f}")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): plain_value(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain_value(part) for part in value]
    return Misfit(Fault.WRONG_TYPE, f"a {type(value).__name__}")
