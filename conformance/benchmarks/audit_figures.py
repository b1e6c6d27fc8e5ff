"""Measure the auditor and try what it must find; print the tables and write them to ``docs/audit-figures.md``.

Speed and memory on a long log, one pass against segments side by side; faults of ten kinds at random steps; real crash
days with and without one figure altered; logs that are meant to do harm.

Run: ``python conformance/benchmarks/audit_figures.py --prices FOLDER --write docs/audit-figures.md`` (about an hour on
two cores). ``--only speed,harm`` measures a part and leaves the other sections of the page as they are.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from clearspec.codec import decode, parse
from clearspec.formats import LogLine
from clearspec_conformance.audit.lines import SNAPSHOT_MARK, Plain
from clearspec_conformance.audit.reading import Layout
from clearspec_conformance.audit.segments import Log, Segment, audit_segment
from clearspec_conformance.audit.writing import WrittenReplay, line_bytes
from clearspec_conformance.injected import KINDS
from clearspec_conformance.injected.logs import Checkpoint, Record, faulty_log
from clearspec_conformance.injected.market import base_log
from clearspec_conformance.replay import read_scaled

GOAL = 1.7
"""Times the speed of one pass that two segments side by side must reach."""

FAULT_EVENTS, FAULT_EVERY = 100_000, 1_000
"""Events of the log into which faults are put, and between two of its snapshots."""

WHOLE = 2
"""Faults of each kind whose log is also audited from its first line."""

DAY_ACCOUNTS = 1_000
TITLES = ("Speed and memory", "Faults", "Crash days", "Hostile logs")
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the report, with what it shows."""

    title: str
    about: str
    head: tuple[str, ...]
    rows: Rows

    def text(self) -> str:
        """As Markdown."""
        lines = [f"## {self.title}", "", self.about, "", f"| {' | '.join(self.head)} |", "|---" * len(self.head) + "|"]
        return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in self.rows), ""])


# Running commands

WATCHED = """
import re, sys
from pathlib import Path
from clearspec_command.main import main
code = main(sys.argv[1:])
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(f"peak {peak // 1024}", file=sys.stderr)
sys.exit(code)
"""
"""The command, which says in the end how much memory its own process had at most."""

DECODED = """
import json, sys
with open(sys.argv[1], "rb") as stream:
    for line in stream:
        json.loads(line)
"""
"""What the figures are ratios to: reading and JSON-decoding the file, with the standard library."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A command that has run: seconds on the clock and of processors, exit code, most memory in MiB (0: unknown)."""

    seconds: float
    cpu: float
    code: int
    peak: int
    output: str


def run(*arguments: str) -> Timing:
    """Run Python with these arguments."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = re.search(r"peak (\d+)", done.stderr)
    return Timing(seconds, cpu, done.returncode, int(found[1]) if found else 0, done.stdout + done.stderr)


def audited(path: Path, *options: str) -> Timing:
    """Run ``clearspec audit``."""
    return run("-c", WATCHED, "audit", str(path), *options)


# Speed


def write_log(path: Path, events: int, every: int) -> None:
    """A log of a busy market."""
    with path.open("wb") as stream:
        for record in base_log(events, 0, every):
            stream.write(line_bytes(record))


def speed(folder: Path, events: int, turns: int) -> Section:
    """One pass, two segments side by side, a dask cluster; each as a ratio to decoding, in turns."""
    path, small = folder / "log.jsonl", folder / "small.jsonl"
    write_log(path, events, max(1, events // 20))
    write_log(small, events // 10, max(1, events // 200))
    report = str(folder / "report.json")
    ways: dict[str, Callable[[], Timing]] = {
        "reading and JSON-decoding": lambda: run("-c", DECODED, str(path)),
        "audit, one pass": lambda: audited(path, "--json", report),
        "audit, `--jobs 2`": lambda: audited(path, "--jobs", "2", "--json", report),
        "audit, `--jobs 2 --executor dask`": lambda: audited(
            path, "--jobs", "2", "--executor", "dask", "--json", report
        ),
    }
    load = os.getloadavg()[0]
    digests, times = set(), {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            times[name].append(way())
            if name.startswith("audit"):
                digests.add(hashlib.sha256(Path(report).read_bytes()).hexdigest())
            last = times[name][-1]
            say(f"{name}: {last.seconds:.1f} s, {last.cpu:.1f} s of processors, {last.peak} MiB, exit code {last.code}")
    tenth = audited(small)
    rows = speed_rows(times)
    rows.append(
        (f"audit, one pass, {events // 10:,} events", f"{tenth.seconds:.1f}", f"{tenth.cpu:.1f}", "", "", tenth.peak)
    )
    if any(timing.code for part in times.values() for timing in part) or len(digests) != 1:
        raise SystemExit("an audit failed, or the reports differ")
    about = (
        f"{events:,} events of a made-up market, {path.stat().st_size / 2**20:,.0f} MiB, a full snapshot every "
        f"{max(1, events // 20):,}. Whole commands, start included; median of {turns} turns with the least and the "
        "most. All reports are the same, byte for byte. Memory is that of the command's own process. Goal for two "
        f"segments: {GOAL} times one. The load of the machine when it began: {load:.1f}."
    )
    head = ("what", "seconds", "of processors", "processors to decoding", "to one pass", "MiB")
    return Section("Speed and memory", about, head, rows)


def speed_rows(times: dict[str, list[Timing]]) -> Rows:
    """A row for each way."""
    middle = {name: median(part.seconds for part in parts) for name, parts in times.items()}
    work = {name: median(part.cpu for part in parts) for name, parts in times.items()}
    decoding, alone, *_ = middle.values()
    least, *_ = work.values()
    rows: Rows = []
    for name, parts in times.items():
        seconds = [part.seconds for part in parts]
        ratio = (
            "" if name == "audit, one pass" or middle[name] == decoding else f"{alone / middle[name]:.2f} times as fast"
        )
        spread = f"{middle[name]:.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
        effort = (f"{work[name]:.1f}", f"{work[name] / least:.1f}")
        rows.append((name, spread, *effort, ratio, max(part.peak for part in parts) or ""))
    return rows


# Faults


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a snapshot stands in a log: its line, the byte of the line, and after which event."""

    line: int
    byte: int
    step: int


def snapshots_of(path: Path) -> list[Snapshot]:
    """Every snapshot of a log."""
    found, line, byte, step = [], 0, 0, 0
    with path.open("rb") as stream:
        for data in stream:
            line += 1
            if SNAPSHOT_MARK in data:
                found.append(Snapshot(line, byte, step))
            elif line > 1:
                step += 1
            byte += len(data)
    return found


def right_records(path: Path, byte: int) -> Iterator[tuple[bytes, Record]]:
    """The lines of a log from a byte on, with their records; the steps of snapshots are not known here."""
    with path.open("rb") as stream:
        stream.seek(byte)
        for data in stream:
            document = parse(data)
            yield data, Checkpoint(0, document["snapshot"]) if "snapshot" in document else decode(LogLine, document)


def drawn(path: Path, places: list[Snapshot], kind: str, seed: int) -> tuple[Snapshot, int, list[bytes]] | None:
    """A fault at a random step or the first opportunity after it.

    Returns the snapshot before the step, the step at which the fault first shows, and the lines from the snapshot to a
    few after the fault; ``None`` if it finds no opportunity to the end of the log.
    """
    chance = Random(f"{kind} {seed}")
    step = chance.randrange(places[0].step + 1, FAULT_EVENTS + 1)
    place = max((one for one in places if one.step < step), key=lambda one: one.step)
    rows = right_records(path, place.byte)
    first, start = next(rows)
    assert isinstance(start, Checkpoint)
    lines, right = [first], []

    def passing() -> Iterator[Record]:
        for data, record in rows:
            right.append(data)
            yield record

    log = faulty_log(kind, passing(), step, seed, Checkpoint(place.step, start.document))
    shown = 0
    for record in log:
        lines.append(line_bytes(record))
        if not shown and lines[-1] != right[-1]:
            shown = sum(b'"event"' in line[:10] for line in lines) + place.step
        if log.fired_at is not None and place.step + len(lines) > log.fired_at + 5:
            break
    if log.fired_at is None:
        return None
    if shown != log.fired_at:
        raise SystemExit(f"{kind} {seed}: fired at {log.fired_at}, first other line at {shown}")
    return place, shown, lines


def found_from(path: Path, segment: Segment) -> int:
    """The step of the first finding of an audit; 0 without one."""
    tally = audit_segment(Log(path, Layout.JSONL, Plain()), segment)
    return tally.findings[0].step if tally.findings else 0


def trial(path: Path, places: list[Snapshot], kind: str, wanted: int, folder: Path) -> tuple[Any, ...]:
    """So many faults of a kind; a row of the table."""
    hits = tries = whole = seed = 0
    ahead = []
    while tries < wanted:
        seed += 1
        case = drawn(path, places, kind, seed)
        if case is None:
            continue
        place, step, lines = case
        tries += 1
        part = folder / f"{kind}.jsonl"
        part.write_bytes(b"".join(lines))
        hits += found_from(part, Segment()) + place.step == step
        ahead.append(step - place.step)
        if tries <= WHOLE:
            with part.open("wb") as target, path.open("rb") as source:
                target.write(source.read(place.byte) + b"".join(lines))
            whole += found_from(part, Segment()) == step
        part.unlink()
    say(f"{kind}: {hits} of {tries}")
    return kind, f"{hits} of {tries}", f"{whole} of {WHOLE}", seed - tries, int(median(ahead))


def faults(folder: Path, wanted: int) -> Section:
    """Faults of every kind at random steps of a long log."""
    path = folder / "faults.jsonl"
    write_log(path, FAULT_EVENTS, FAULT_EVERY)
    places = snapshots_of(path)
    with ProcessPoolExecutor(min(len(KINDS), os.cpu_count() or 1)) as pool:
        rows = list(pool.map(trial, *zip(*[(path, places, kind, wanted, folder) for kind in KINDS], strict=True)))
    about = (
        f"A log of {FAULT_EVENTS:,} events with a full snapshot every {FAULT_EVERY:,}. From a random step on an engine "
        "with one fault (`clearspec_conformance.injected`) goes on where the reference was, and is wrong once, at its "
        "first opportunity. The step at which it first shows is that of the first line that is another than the "
        "reference's. The audit resumes from the snapshot before the step and must end there. For the first "
        f"{WHOLE} of a kind the log up to the fault is also audited from its first line. Draws without an opportunity "
        "to the end of the log are drawn anew."
    )
    head = (
        "kind",
        "found at exactly that step",
        "from the first line",
        "drawn anew",
        "events from the snapshot, median",
    )
    return Section("Faults", about, head, rows)


# Crash days


def altered(lines: list[bytes], chance: Random) -> tuple[list[bytes], int]:
    """A log with one figure of one receipt raised by one, and the line."""
    while True:
        place = chance.randrange(1, len(lines))
        document = json.loads(lines[place])
        postings = document.get("receipt", {}).get("postings", [])
        amounts = document.get("receipt", {}).get("amounts", {})
        if postings:
            row = chance.choice(postings)
            row["amount"] = str(int(row["amount"]) + 1)
        elif amounts:
            name = chance.choice(sorted(amounts))
            amounts[name] = str(int(amounts[name]) + 1)
        else:
            continue
        return [*lines[:place], json.dumps(document).encode() + b"\n", *lines[place + 1 :]], place + 1


def day(path: Path) -> tuple[Any, ...]:
    """A crash day: a row of the table."""
    lines = list(WrittenReplay(read_scaled(path.read_bytes(), path.name), DAY_ACCOUNTS, patience=3).written())
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "log"
        target.write_bytes(b"".join(lines))
        right = audit_segment(Log(target, Layout.JSONL, Plain()), Segment())
        hits, chance = 0, Random(path.name)
        for _ in range(5):
            wrong, line = altered(lines, chance)
            target.write_bytes(b"".join(wrong))
            found = audit_segment(Log(target, Layout.JSONL, Plain()), Segment()).findings
            hits += bool(found) and found[0].line == line
    clean = "clean" if not right.findings and right.stop is None else "NOT CLEAN"
    say(f"{path.name}: {right.events} events, {clean}, {hits} of 5")
    return path.name.removesuffix(".csv.gz"), f"{right.events:,}", right.snapshots, clean, f"{hits} of 5"


def days(prices: str) -> Section:
    """Every day of a folder of price history."""
    files = [path for path in sorted(Path(prices or "/nonexistent").glob("*.csv.gz")) if "_alts_" not in path.name]
    files = [path for path in files if "_perp_" in path.name or "_spot_" in path.name]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(day, files))
    about = (
        f"Price histories of crash days played through the reference with {DAY_ACCOUNTS:,} leveraged accounts and "
        "keepers that come late; the log that it writes is audited, then five times more with one random figure of one "
        "line raised by one: it must be found at that line. The histories are not part of the project."
    )
    if not files:
        about += " Not measured: `--prices` names no folder with files."
    return Section("Crash days", about, ("history", "events", "snapshots", "audit", "altered, found at the line"), rows)


# Harm


def head_lines() -> bytes:
    """A right log of 50 events to begin with."""
    return b"".join(line_bytes(record) for record in base_log(50, 0, 10**9))


def bomb(library: Any, tail: Callable[[Any], None]) -> bytes:
    """A right log and what ``tail`` writes behind it, packed."""
    sink = io.BytesIO()
    with library.open(sink, "wb") as stream:
        stream.write(head_lines())
        tail(stream)
    return sink.getvalue()


def zeros(stream: Any) -> None:
    """A gigabyte of zeros."""
    for _ in range(2**10):
        stream.write(bytes(2**20))


def one_cell(text: str, rows: int) -> bytes:
    """A Parquet file with the same text in every row, which it holds once."""
    import pyarrow
    from pyarrow import parquet

    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({"line": pyarrow.DictionaryArray.from_arrays([0] * rows, [text])}), sink)
    return bytes(sink.getvalue())


def deposit(amount: str) -> bytes:
    """A line with a deposit whose amount is written like this."""
    action = f'{{"deposit":{{"account":"a","asset":"USD","amount":{amount}}}}}'
    event = f'{{"id":"x","sequence":"999","time":"0","actor":"a","action":{action}}}'
    return f'{{"event":{event},"receipt":{{"status":"accepted"}}}}\n'.encode()


def harmful() -> dict[str, Callable[[], bytes]]:
    """What is meant to do harm, each behind a right log."""
    from backports import zstd

    right = head_lines()
    packed = gzip.compress(right)
    return {
        "a gigabyte without a line feed": lambda: right + b"a" * 2**30,
        "the same, gzip": lambda: bomb(gzip, zeros),
        "the same, zstd": lambda: bomb(zstd, zeros),
        "a line of 64 MiB": lambda: right + b'["' + b"a" * (2**26 - 5) + b'"]\n',
        "a million levels": lambda: right + b"[" * 10**6 + b"]" * 10**6 + b"\n",
        "two million lists": lambda: right + b"[" + b"[]," * (2**20 - 1) + b"[]]\n",
        "four million parts": lambda: right + b"[" + b"0," * 2**22 + b"0]\n",
        "a number of ten million digits": lambda: right + deposit("9" * 10**7),
        "a decimal string of ten million digits": lambda: right + deposit('"' + "9" * 10**7 + '"'),
        "a key twice": lambda: right + b'{"event":1,"event":2}\n',
        "bytes that are no UTF-8": lambda: right + b'{"event":"\xff"}\n',
        "a wrong type": lambda: right + deposit("[]"),
        "a last line that breaks off": lambda: right[:-100],
        "a truncated gzip file": lambda: packed[: len(packed) // 2],
        "a truncated zstd file": lambda: zstd.compress(right)[:-50],
        "a damaged gzip file": lambda: packed[:2000] + bytes(50) + packed[2050:],
        "Parquet, a mebibyte in ten thousand rows": lambda: one_cell("x" * 2**20, 10_000),
        "a truncated Parquet file": lambda: one_cell("x" * 2**20, 10)[:-1000],
    }


def harm(folder: Path) -> Section:
    """Every harmful log by the command: exit code, fault and position, memory."""
    rows: Rows = []
    for name, make in harmful().items():
        path = folder / "harm"
        path.write_bytes(make())
        done = audited(path, "--json", str(folder / "report.json"))
        report = json.loads((folder / "report.json").read_text())
        stop = report["stop"]
        byte = "" if stop["byte"] is None else f", byte {int(stop['byte']):,}"
        where = f"{'row' if stop['byte'] is None else 'line'} {stop['line']}{byte}"
        rows.append((name, f"`{stop['fault']}`", where, report["events"], done.code, f"{done.seconds:.1f}", done.peak))
        path.unlink()
        say(f"{name}: {stop['fault']} at {where}, {done.peak} MiB")
    about = "A right log of 50 events, then harm. Each ends with exit code 2; peak memory of the whole command."
    head = ("log", "fault", "position", "events checked before", "exit code", "seconds", "MiB")
    return Section("Hostile logs", about, head, rows)


def say(text: str) -> None:
    """Tell the progress."""
    print(text, file=sys.stderr, flush=True)


def report(sections: list[Section], before: str) -> str:
    """The page: the sections that were measured now, the others as they stand on the page before."""
    kept = {part.split("\n", 1)[0]: f"## {part.strip()}\n" for part in before.split("\n## ")[1:]}
    texts = {**kept, **{section.title: section.text() for section in sections}}
    about = f"Python {platform.python_version()}, {os.cpu_count()} processors. Ratios last, absolute figures do not."
    command = "python conformance/benchmarks/audit_figures.py --prices FOLDER --write docs/audit-figures.md"
    head = f"# Figures of the auditor\n\nWritten by `{command}`. {about}\n"
    return "\n".join([head, *(texts[title] for title in TITLES if title in texts)])


def main(arguments: list[str]) -> int:
    """Measure and write; returns the exit code."""
    parser = argparse.ArgumentParser(description="Figures of clearspec audit.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--prices", default=os.environ.get("CLEARSPEC_PRICES", ""))
    parser.add_argument("--only", default="speed,faults,days,harm")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made: dict[str, Callable[[], Section]] = {
            "speed": lambda: speed(folder, options.events, options.turns),
            "faults": lambda: faults(folder, options.faults),
            "days": lambda: days(options.prices),
            "harm": lambda: harm(folder),
        }
        sections = [made[part]() for part in options.only.split(",")]
    text = report(
        sections, "python conformance/benchmarks/audit_figures.py --prices FOLDER --write docs/audit-figures.md"
    )
    print(text)
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
