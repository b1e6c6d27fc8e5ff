"""``clearspec conform``: judge an engine by the suite, replay its log, or recheck the report of a run.

What draws a terminal or a page is loaded where it is needed: it takes longer than a hundred vectors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from clearspec.codec import DecodeError, loads
from clearspec.events import Reason
from clearspec.fields import Prose
from clearspec_command.failures import FAILED, WELL, BadInput
from clearspec_command.outputs import STANDARD_OUTPUT, Outputs, writing
from clearspec_conformance.engines import in_process, opener
from clearspec_conformance.formats import Report, Selection, Tier, Verdict
from clearspec_conformance.playing import Terms
from clearspec_conformance.reports import (
    Finished,
    badge,
    disagreements,
    json_text,
    junit,
    report_of,
    report_text,
    result_document,
    suite_record,
)
from clearspec_conformance.runner import Settings, run
from clearspec_conformance.suite import load_suite, read_bounded, selected, vectors_folder

EPILOG = """
Example: clearspec conform --impl './my-engine --stdio' --html run.html

Example: clearspec conform --impl reference --only FUND-4

Exit codes: 0 all passed (skipped vectors are allowed and counted); 1 any failed, errored or hung, or none passed;
2 bad input, or an output that cannot be written.
"""

FILE = click.Path(path_type=Path, dir_okay=False)
SECONDS = click.FloatRange(0.01, 86400)
FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The files that a run is to write; empty for those that are not."""

    json: str
    junit: str
    html: str
    badge: str
    report: str

    @property
    def names(self) -> list[str]:
        """Every name given."""
        return [name for name in (self.json, self.junit, self.html, self.badge, self.report) if name]


@dataclass(frozen=True, slots=True)
class Judging:
    """How a run is judged: reasons in the implementer's words, and whether a skipped vector is a failure."""

    reasons: Mapping[str, Reason]
    no_skips: bool


def read_reasons(path: Path | None) -> dict[str, Reason]:
    """The map from the engine's reasons to ours; empty without a file.

    Raises:
        BadInput: the file is not such a map.
    """
    if path is None:
        return {}
    try:
        found: dict[str, Reason] = loads(Mapping[Prose, Reason], read_bounded(path))
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    return found


def recheck(path: Path, folder: Path) -> int:
    """Check a report against the suite without running anything; returns the exit code."""
    try:
        report: Report = loads(Report, read_bounded(path))
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    found = list(disagreements(report, load_suite(folder)))
    for line in found:
        click.echo(line)
    if not found:
        click.echo(f"{len(report.verdicts)} verdicts: digests and counts agree with suite {report.suite.digest}")
    return FAILED if found else WELL


def contents(finished: Finished, wanted: Wanted, reasons: Mapping[str, Reason]) -> Iterator[tuple[str, bytes]]:
    """Every file's name and what it holds."""
    if wanted.json:
        yield wanted.json, json_text(result_document(finished))
    if wanted.junit:
        yield wanted.junit, junit(finished)
    if wanted.html:
        from clearspec_conformance.page import page

        yield wanted.html, page(finished).encode("utf-8")
    if wanted.badge:
        yield wanted.badge, badge(finished)
    if wanted.report:
        yield wanted.report, report_text(report_of(finished, reasons))


def concluded(finished: Finished, wanted: Wanted, streams: dict[str, BinaryIO], judging: Judging) -> int:
    """Write the files, print the run; returns the exit code."""
    for name, data in contents(finished, wanted, judging.reasons):
        with writing(name):
            streams[name].write(data)
    if STANDARD_OUTPUT not in wanted.names:
        from clearspec_conformance.terminal import console_for, print_run

        print_run(console_for(), finished)
    skipped = any(found.verdict == Verdict.SKIPPED for found in finished.outcome.results)
    return FAILED if not finished.well or (judging.no_skips and skipped) else WELL


def judged(engine: str, folder: Path, selection: Selection, settings: Settings) -> Finished:
    """Run the selected vectors of a suite on an engine."""
    suite = load_suite(folder)
    entries = selected(suite, selection.tier, selection.only)
    sys.path[:0] = [] if "" in sys.path else [""]
    settings.jobs, settings.forked = min(settings.jobs, len(entries)), in_process(engine)
    if sys.stderr.isatty():
        from clearspec_conformance.terminal import progress

        with progress(len(entries)) as tell:
            outcome = run(entries, opener(engine), settings, tell)
    else:
        outcome = run(entries, opener(engine), settings)
    return Finished(outcome, suite_record(suite), selection)


def replayed(log: Path, terms: Terms, receipts: bool, wanted: Wanted) -> Finished:
    """Replay an engine's own log."""
    if wanted.report:
        raise BadInput("--report: a log is no run of the suite")
    from clearspec_conformance.logs import replay

    return Finished(replay(log, terms, receipts))


def require_one(**given: Any) -> None:
    """Raise unless exactly one of the ways to use the command is chosen."""
    if sum(value is not None for value in given.values()) != 1:
        raise BadInput(f"give one of {', '.join('--' + name for name in given)}")


@click.command(epilog=EPILOG, short_help="Judge an engine by the conformance suite.")
@click.option("--impl", metavar="ENGINE", help="reference, python:MODULE:CLASS, or a command that speaks the protocol.")
@click.option("--log", type=FILE, help="Replay an engine's own log against the reference instead.")
@click.option("--recheck", "report_to_check", type=FILE, help="Check a report against the suite; runs nothing.")
@click.option("--vectors", "folder", type=FOLDER, help="Folder of the suite; by default the one of this project.")
@click.option("--only", multiple=True, metavar="NAME", help="Only vectors of this rule, chapter or id; repeatable.")
@click.option("--tier", type=click.Choice([tier.value for tier in Tier]), default=Tier.FULL.value, show_default=True,
              help="smoke: the ids of smoke.txt; standard: without vectors on messages; full: all, with state "
                   "root and restoring.")  # fmt: skip
@click.option("--reasons", "reasons_file", type=FILE, help='JSON map of the engine\'s reasons: {"theirs": "ours"}.')
@click.option("--receipts/--no-receipts", default=True, help="For --log: compare amounts and postings (the default).")
@click.option(
    "--timeout", type=click.FloatRange(0.01, 86400), default=10.0, show_default=True, help="Seconds a vector."
)
@click.option("--start-timeout", type=click.FloatRange(0.01, 86400), default=30.0, show_default=True,
              help="Seconds that the engine has to answer hello.")  # fmt: skip
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Engine processes side by side.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first vector that does not pass.")
@click.option("--no-skips", is_flag=True, help="Exit with 1 if a vector was skipped.")
@click.option("--json", "json_file", is_flag=False, flag_value=STANDARD_OUTPUT, default="", metavar="[FILE]",
              help="Write the result as JSON, without FILE to standard output.")  # fmt: skip
@click.option("--junit", "junit_file", default="", metavar="FILE", help="Write JUnit XML.")
@click.option("--html", "html_file", default="", metavar="FILE", help="Write a self-contained page.")
@click.option("--badge", "badge_file", default="", metavar="FILE", help="Write the JSON of a badge endpoint.")
@click.option("--report", "report_file", default="", metavar="FILE", help="Write a report that --recheck can check.")
def command(
    impl: str | None,
    log: Path | None,
    report_to_check: Path | None,
    folder: Path | None,
    only: tuple[str, ...],
    tier: str,
    reasons_file: Path | None,
    receipts: bool,
    timeout: float,
    start_timeout: float,
    jobs: int,
    fail_fast: bool,
    no_skips: bool,
    json_file: str,
    junit_file: str,
    html_file: str,
    badge_file: str,
    report_file: str,
) -> int:
    """Judge an engine by the conformance suite.

    The engine is a command that answers JSON lines on stdin and stdout (spec/protocol.md), a Python class in this
    process, or the reference itself. Expected results are not sent. Each vector comes to one of five verdicts: passed,
    failed, skipped (the engine does not claim a feature, or says not_implemented), errored, hung. An engine that dies
    or hangs is started again and the run goes on.

    A failure names the rule, what was expected, what came, where the states differ, and the shortest prefix of the
    vector's events that shows it. Without --json and the like to - (standard output) a report is printed.
    """
    require_one(impl=impl, log=log, recheck=report_to_check)
    where = folder or vectors_folder()
    if report_to_check is not None:
        return recheck(report_to_check, where)
    wanted = Wanted(json_file, junit_file, html_file, badge_file, report_file)
    judging = Judging(read_reasons(reasons_file), no_skips)
    terms = Terms(timeout, judging.reasons, Tier(tier) == Tier.FULL)
    inputs = [path for path in (log, reasons_file) if path is not None]
    with Outputs(tuple(inputs)) as files:
        streams = {name: files.open(name) for name in wanted.names}
        if log is not None:
            finished = replayed(log, terms, receipts, wanted)
        else:
            settings = Settings(terms, start_timeout, jobs, fail_fast)
            finished = judged(str(impl), where, Selection(Tier(tier), only), settings)
        return concluded(finished, wanted, streams, judging)
