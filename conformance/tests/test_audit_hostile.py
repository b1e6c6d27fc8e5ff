"""Logs that are cut, damaged or meant to do harm: a typed fault with its position, and what was checked up to there."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from audit_samples import Desk, audited, events_of, market_desk, market_lines, packed, written
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from clearspec_command.failures import BadInput
from clearspec_conformance.audit import parsing
from clearspec_conformance.audit.formats import AuditReport, LogFault
from clearspec_conformance.audit.parsing import DEEPEST, STRICT, is_deeper
from clearspec_conformance.audit.problems import BadLog, Place
from clearspec_conformance.audit.reading import Layout, layout_of

LINES = 7
"""Lines of the log of ``market_desk``: the header and six events."""


def stopped(report: AuditReport) -> tuple[str, int, int | None]:
    """Fault, line and byte of where an audit ended."""
    assert report.stop is not None
    return report.stop.fault.value, report.stop.line, report.stop.byte


def desk_bytes() -> tuple[bytes, int]:
    """A right log, and how many bytes it has."""
    data = b"".join(packed(line) for line in market_desk().lines)
    return data, len(data)


def deposit(amount: str) -> bytes:
    """A line with a deposit whose amount is written like this."""
    action = f'{{"deposit":{{"account":"ann","asset":"USD","amount":{amount}}}}}'
    event = f'{{"id":"x","sequence":"9","time":"0","actor":"ann","action":{action}}}'
    return f'{{"event":{event},"receipt":{{"status":"accepted"}}}}\n'.encode()


HOSTILE: dict[str, tuple[bytes, str, int]] = {
    "an empty line": (b"\n", "not_json", 0),
    "a word": (b"hello\n", "not_json", 0),
    "half a line": (b'{"event":\n', "not_json", 10),
    "two documents": (b"{} {}\n", "not_json", 3),
    "no object": (b"[]\n", "malformed", 0),
    "an unknown key": (b'{"evnt":{}}\n', "malformed", 0),
    "a receipt alone": (b'{"receipt":{"status":"accepted"}}\n', "malformed", 0),
    "an event alone": (deposit('"5"').replace(b',"receipt":{"status":"accepted"}', b""), "malformed", 0),
    "bytes that are no text": (b'{"event":"\xff"}\n', "not_utf8", 10),
    "half a pair of surrogates": (deposit('"\\ud800"'), "malformed", 0),
    "a bare number": (deposit("5"), "malformed", 0),
    "a float": (deposit("5.0"), "malformed", 0),
    "not a number": (deposit("NaN"), "malformed", 0),
    "a huge number": (deposit("9" * 10**6), "malformed", 0),
    "a huge decimal string": (deposit('"' + "9" * 10**6 + '"'), "malformed", 0),
    "a repeated key": (b'{"event":1,"event":2}\n', "malformed", 0),
    "a repeated key within": (deposit('"5","amount":"6"'), "malformed", 0),
    "deep nesting": (b'{"event":' + b"[" * 10**6 + b"]" * 10**6 + b"}\n", "too_deep", 0),
    "nesting just too deep": (b'{"event":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}\n", "too_deep", 0),
    "many parts": (b'{"event":[' + b"0," * 2**21 + b"0]}\n", "too_many", 0),
    "a long line": (b'{"event":"' + b"a" * 2**26 + b'"}\n', "too_long", 0),
    "a posting with a wrong type": (
        deposit('"5"').replace(b'"accepted"', b'"accepted","postings":{"amount":"5"}'), "malformed", 0),
    "a status of its own": (deposit('"5"').replace(b"accepted", b"fine"), "malformed", 0),
    "a snapshot that is none": (b'{"snapshot":{"format":"clearspec/snapshot/1"}}\n', "malformed", 0),
    "a header in the middle": (packed(Desk().lines[0]), "malformed", 0),
}  # fmt: skip
"""What stands in the place of a line: the fault that it must end with, and its byte within the line."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_ends_with_its_fault_and_position(tmp_path: Path, name: str) -> None:
    line, fault, offset = HOSTILE[name]
    data, size = desk_bytes()
    report = audited(written(tmp_path / "log", [data, line, b"never read"]))
    assert stopped(report) == (fault, LINES + 1, size + offset)
    assert (report.events, report.accepted.get("trade"), report.passed) == (6, 1, False)
    assert report.findings == ()


def test_a_long_line_is_told_before_it_is_read(tmp_path: Path) -> None:
    """A file of a gigabyte without a line feed, most of which is a hole."""
    data, size = desk_bytes()
    path = written(tmp_path / "log", [data])
    with path.open("r+b") as stream:
        stream.truncate(2**30)
    assert stopped(audited(path)) == ("too_long", LINES + 1, size)


def test_a_last_line_that_breaks_off(tmp_path: Path) -> None:
    data, size = desk_bytes()
    whole = audited(written(tmp_path / "whole", [data[:-1]]))
    assert whole.passed
    cut = audited(written(tmp_path / "cut", [data[:-9]]))
    assert stopped(cut)[:2] == ("truncated", LINES)
    assert data.rindex(b"\n", 0, size - 1) < (stopped(cut)[2] or 0) <= size - 9
    assert cut.events == 5


def test_an_empty_log(tmp_path: Path) -> None:
    assert stopped(audited(written(tmp_path / "log", []))) == ("truncated", 1, 0)


def test_a_log_that_begins_with_an_event(tmp_path: Path) -> None:
    assert stopped(audited(written(tmp_path / "log", market_desk().lines[1:]))) == ("malformed", 1, 0)


def test_a_genesis_outside_the_envelope(tmp_path: Path) -> None:
    lines = market_desk().lines
    lines[0]["genesis"]["markets"][0]["parameters"]["trading"]["maker_fee"] = "-2000000"
    report = audited(written(tmp_path / "log", lines))
    assert stopped(report) == ("malformed", 1, 0)
    assert "rebate-covered" in str(report.stop)


# Compressed


@pytest.mark.parametrize(("pack", "layout"), [(gzip.compress, Layout.GZIP), (zstd.compress, Layout.ZSTD)])
def test_compressed_logs(tmp_path: Path, pack: Any, layout: Layout) -> None:
    lines = b"".join(market_lines(1500, 250))
    path = written(tmp_path / "log", [pack(lines)])
    assert layout_of(path) == layout
    plain, packed_up = audited(written(tmp_path / "plain", [lines])), audited(path)
    assert (packed_up.passed, packed_up.checks) == (True, plain.checks)
    cut = audited(written(tmp_path / "cut", [pack(lines)[: -len(pack(lines)) // 3]]))
    assert stopped(cut)[0] == "truncated"
    assert 0 < cut.events < 1500
    assert cut.findings == ()


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_damaged_compressed_logs(tmp_path: Path, pack: Any) -> None:
    data = bytearray(pack(b"".join(market_lines(1500, 250))))
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    report = audited(written(tmp_path / "log", [bytes(data)]))
    assert stopped(report)[0] in ("corrupt", "not_json", "not_utf8", "malformed")


# Parquet


def parquet_file(path: Path, rows: list[Any], **options: Any) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return path


def test_parquet_with_lines(tmp_path: Path) -> None:
    lines = [{"line": line.decode()} for line in market_lines(1500, 250)]
    path = parquet_file(tmp_path / "log", lines, row_group_size=400)
    report = audited(path)
    assert (report.passed, report.events, report.log.layout) == (True, 1500, "parquet")
    lines[700]["line"] = "{"
    report = audited(parquet_file(tmp_path / "bad", lines, row_group_size=400))
    assert stopped(report) == ("not_json", 701, None)


def test_parquet_in_segments(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lines = [{"line": line.decode()} for line in market_lines(1500, 250)]
    path = parquet_file(tmp_path / "log", lines, row_group_size=400)
    with ThreadPoolExecutor(2) as pool:
        assert audited(path, executor=pool, pieces=4) == audited(path)


def test_parquet_that_is_none(tmp_path: Path) -> None:
    whole = parquet_file(tmp_path / "log", [{"line": line.decode()} for line in market_lines(1500, 250)])
    data = whole.read_bytes()
    cut = audited(written(tmp_path / "cut", [data[: len(data) // 2]]))
    assert stopped(cut) == ("corrupt", 1, None)
    torn = bytearray(data)
    torn[2000:2200] = bytes(200)
    assert stopped(audited(written(tmp_path / "torn", [bytes(torn)])))[0] in ("corrupt", "not_json", "malformed")


def test_parquet_that_unpacks_to_too_much(tmp_path: Path) -> None:
    """A hundred different texts of 4 MiB each in a row group, which the codec makes small."""
    rows = [{"line": chr(97 + number % 26) * (2**22 + number)} for number in range(100)]
    path = parquet_file(tmp_path / "log", rows, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 2**20
    assert stopped(audited(path)) == ("too_long", 1, None)


# Memory


PROBE = """
import re, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from audit_samples import audited
report = audited(Path({path!r}))
peak = int(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024
print(report.stop.fault.value, report.stop.line, peak)
"""

BOMBS: dict[str, tuple[Any, str]] = {
    "a gigabyte without a line feed, gzip": (lambda head: bomb(gzip, head), "too_long"),
    "a gigabyte without a line feed, zstd": (lambda head: bomb(zstd, head), "too_long"),
    "a line of the greatest length": (lambda head: head + b'["' + b"a" * (2**26 - 5) + b'"]\n', "malformed"),
    "escapes to the greatest length": (lambda head: head + b'["' + b"\\n" * (2**25 - 3) + b'"]\n', "malformed"),
    "two million lists": (lambda head: head + b"[" + b"[]," * (2**20 - 1) + b"[]]\n", "malformed"),
    "a text that repeats in a million rows": (
        lambda head: parquet_bytes([{"line": "x" * 2**20}] * 10_000), "not_json"),
}  # fmt: skip


def bomb(library: Any, head: bytes) -> bytes:
    """A right log and a gigabyte of zeros behind it, in the few bytes that this takes."""
    sink = io.BytesIO()
    with library.open(sink, "wb") as stream:
        stream.write(head)
        for _ in range(2**10):
            stream.write(bytes(2**20))
    return sink.getvalue()


def parquet_bytes(rows: list[Any]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    column = pyarrow.DictionaryArray.from_arrays([0] * len(rows), [rows[0]["line"]])
    parquet.write_table(pyarrow.table({"line": column}), sink)
    return bytes(sink.getvalue())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_memory_is_bounded(tmp_path: Path, name: str) -> None:
    make, fault = BOMBS[name]
    path = written(tmp_path / "log", [make(desk_bytes()[0])])
    probe = PROBE.format(tests=str(Path(__file__).parent), path=str(path))
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    found, line, peak = run.stdout.split()
    print(f"\n{name}: {found} at line {line}, {peak} MiB")
    assert found == fault
    assert int(peak) < 700


# Whatever stands in a log


def test_depth_is_counted_by_levels() -> None:
    assert not is_deeper("[" * 100, 1)
    assert not is_deeper([[]], 2)
    assert is_deeper([[]], 1)
    assert is_deeper({"a": [{"b": {}}]}, 3)
    assert not is_deeper({"a": [{"b": {}}]}, 4)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_fault(data: bytes) -> None:
    place = Place(3, 100)
    try:
        parsing.parsed(data, place, STRICT)
    except BadLog as error:
        place = error.place
    assert place.line == 3
    assert place.byte is not None
    assert 100 <= place.byte <= 100 + len(data)


def positions(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(found for key, part in inner for found in positions(part, (*path, key)))]


ODD: list[Any] = [
    None, True, 0, 1.5, "", "0", "-1", "7", str(2**126), "ann", "accepted", "rejected", "custody", [], [[]], {},
    {"ann": None}, {"ann": {}}, {"USD": "5"}, ["x"], "closed", "trade", "\ud800", "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_any_change_of_a_line_is_a_finding_a_fault_or_nothing(tmp_path: Path, seed: int) -> None:
    """Whatever stands anywhere in a line, the audit comes to an end and says how; nothing is raised."""
    chance = random.Random(seed)
    lines = list(market_lines(400, 40))
    places = [place for place, _ in events_of(lines)] + [
        place for place, line in enumerate(lines) if line.startswith(b'{"snapshot"')
    ]
    for _ in range(4):
        place = chance.choice(places)
        document = json.loads(lines[place])
        *way, last = chance.choice(positions(document)[1:])
        target = document
        for key in way:
            target = target[key]
        if chance.random() < 0.2 and isinstance(target, dict):
            del target[last]
        else:
            target[last] = chance.choice(ODD)
        lines[place] = packed(document)
    report = audited(written(tmp_path / "log", lines), going_on=True)
    assert report.stop is None or report.stop.fault in LogFault
    assert report.stop is not None or report.events == 400


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        layout_of(tmp_path / "nothing")
