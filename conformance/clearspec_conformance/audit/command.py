"""``clearspec audit``: replay an engine's own log against the reference, and check its own numbers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from clearspec_command.failures import BAD_INPUT, FAILED, WELL, BadInput
from clearspec_command.outputs import STANDARD_OUTPUT, Outputs, writing
from clearspec_conformance.audit.executors import PROCESS, executor, require_name
from clearspec_conformance.audit.following import Position, follow
from clearspec_conformance.audit.formats import AuditedLog, AuditReport
from clearspec_conformance.audit.lines import Plain, Translator
from clearspec_conformance.audit.mapping import read_mapping
from clearspec_conformance.audit.metrics import Metrics, address_of
from clearspec_conformance.audit.page import page
from clearspec_conformance.audit.reading import Layout, layout_of
from clearspec_conformance.audit.reports import audited_log, report_of, report_text, stop_line, verdict_line
from clearspec_conformance.audit.segments import Log, Segment, audit, audit_segment, snapshot_starts
from clearspec_conformance.audit.tallies import Series, Tally
from clearspec_conformance.audit.terminal import print_finding, print_report, progress
from clearspec_conformance.terminal import console_for

EPILOG = """
Example: clearspec audit engine.jsonl.gz --mapping mapping.toml --html audit.html

Example: clearspec audit engine.jsonl --follow --continue --metrics 9464

Exit codes: 0 the log was read to its end and nothing is wrong; 1 findings; 2 bad input, a log that cannot be read to
its end, or an output that cannot be written.
"""

FILE = click.Path(path_type=Path, dir_okay=False)
PIECES = 2
"""Segments for each job, so that jobs end at about the same time; each begins by restoring a snapshot."""


@dataclass(frozen=True, slots=True)
class Work:
    """How an audit is to run."""

    jobs: int
    executor: str
    from_line: int
    follow: bool
    idle: float | None
    metrics: str


def start_before(log: Log, line: int) -> Segment:
    """The stretch from the last snapshot at or before a line to the end of the log.

    Raises:
        BadInput: there is none.
    """
    found = [start for start in snapshot_starts(log) if start.line < line]
    if not found:
        raise BadInput(f"--from-line {line}: the log has no snapshot at or before this line")
    return Segment(found[-1], inside=True)


def is_divisible(log: Log) -> bool:
    """Whether a log has segments; says so if it has none."""
    if any(start.line > 0 for start in snapshot_starts(log)):
        return True
    click.echo("no full snapshot in the log: audited in one pass", err=True)
    return False


def audited(log: Log, work: Work) -> Tally:
    """Audit a log that has been written."""
    size = log.path.stat().st_size
    with progress(size if log.layout == Layout.JSONL else None) as tell:
        if work.from_line:
            return audit_segment(log, start_before(log, work.from_line), tell)
        if work.jobs == 1 or not is_divisible(log):
            return audit(log, tell=tell)
        with executor(work.executor, work.jobs) as pool:
            return audit(log, pool, PIECES * work.jobs, tell)


def followed(log: Log, work: Work) -> Tally:
    """Audit a log while it grows; what is found is printed at once."""
    if log.layout != Layout.JSONL:
        raise BadInput(f"{log.path}: --follow: expected lines of text, found {log.layout.value}")
    metrics = None
    if work.metrics:
        metrics = Metrics()
        host, port = address_of(work.metrics)
        click.echo(f"metrics at http://{host}:{metrics.serve(host, port)}/metrics", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    printed, console = 0, console_for(stderr=True)

    def tell(position: Position, tally: Tally) -> None:
        nonlocal printed
        for finding in tally.findings[printed:]:
            print_finding(console, finding)
        printed = len(tally.findings)
        if metrics is not None:
            metrics.tell(position, tally)

    return follow(log, tell, work.idle)


def contents(report: AuditReport, series: Series, json_file: str, html_file: str) -> Iterator[tuple[str, bytes]]:
    """Every file's name and what it holds."""
    if json_file:
        yield json_file, report_text(report)
    if html_file:
        yield html_file, page(report, series).encode("utf-8")


def concluded(report: AuditReport, series: Series, names: tuple[str, str], streams: dict[str, BinaryIO]) -> int:
    """Write the files, print the audit; returns the exit code."""
    for name, data in contents(report, series, *names):
        with writing(name):
            streams[name].write(data)
    if STANDARD_OUTPUT not in names:
        print_report(console_for(), report)
    elif not report.passed:
        click.echo(stop_line(report) or verdict_line(report), err=True)
    if report.stop is not None:
        return BAD_INPUT
    return FAILED if report.findings else WELL


def require_sound(work: Work) -> None:
    """Raise if an option is none, or options contradict each other."""
    require_name(work.executor)
    if work.metrics and not work.follow:
        raise BadInput("--metrics: give --follow too")
    if work.idle is not None and not work.follow:
        raise BadInput("--until-idle: give --follow too")
    if work.follow and (work.from_line or work.jobs > 1):
        raise BadInput("--follow: a growing log is audited in one pass from its beginning")


@click.command(epilog=EPILOG, short_help="Replay an engine's log against the reference and check its own numbers.")
@click.argument("log", type=FILE)
@click.option("--mapping", type=FILE, help="TOML file that says how somebody else's field names become the kit's.")
@click.option("--continue", "going_on", is_flag=True,
              help="Go on after a finding, from the engine's claimed state; else the audit ends there.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True,
              help="Segments between snapshots audited side by side; the result is the same.")  # fmt: skip
@click.option("--executor", "executor_name", default=PROCESS, show_default=True, metavar="NAME",
              help="Where they run: process, thread, dask (a local cluster) or dask:ADDRESS.")  # fmt: skip
@click.option("--from-line", type=click.IntRange(1), default=None, metavar="LINE",
              help="Begin at the last snapshot at or before this line (a row of Parquet).")  # fmt: skip
@click.option("--follow", "growing", is_flag=True, help="Audit a growing file until a finding, or until interrupted.")
@click.option("--until-idle", type=click.FloatRange(0, 86400 * 365), metavar="SECONDS",
              help="End --follow after so long without a new line.")  # fmt: skip
@click.option("--metrics", default="", metavar="[HOST:]PORT", help="Serve Prometheus metrics while following.")
@click.option("--json", "json_file", is_flag=False, flag_value=STANDARD_OUTPUT, default="", metavar="[FILE]",
              help="Write the report as JSON, without FILE to standard output.")  # fmt: skip
@click.option("--html", "html_file", default="", metavar="FILE", help="Write a self-contained page.")
def command(
    log: Path,
    mapping: Path | None,
    going_on: bool,
    jobs: int,
    executor_name: str,
    from_line: int | None,
    growing: bool,
    until_idle: float | None,
    metrics: str,
    json_file: str,
    html_file: str,
) -> int:
    """Replay the events of LOG against the reference: JSON lines, plain, gzip or zstd, or Parquet.

    The audit finds the first event after which something that the engine published differs from what the rules say:
    step, rule, expected and got, and where the engine's ledger differs. It also keeps the engine's own numbers from
    its postings and fills and checks the invariants on them after every event, whether or not they agree with the
    reference; the report lists what could not be checked, and why.

    A log begins with a header, then an event with its receipt a line (docs/audit.md). Lines with a full snapshot let
    --jobs audit segments side by side. Logs in other names and units are read through --mapping.
    """
    work = Work(jobs, executor_name, from_line or 0, growing, until_idle, metrics)
    require_sound(work)
    translator: Translator = Plain() if mapping is None else read_mapping(mapping)
    found = Log(log, layout_of(log), translator, going_on)
    names = (json_file, html_file)
    with Outputs((log, *([] if mapping is None else [mapping]))) as files:
        streams = {name: files.open(name) for name in names if name}
        tally = followed(found, work) if growing else audited(found, work)
        audited_file = AuditedLog(log.name, found.layout.value, 0, "") if growing else audited_log(log, found.layout)
        return concluded(report_of(tally, audited_file, translator), tally.series, names, streams)
