"""An audit on a terminal: findings first, then what was and was not checked, then the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from clearspec_command.display import plain
from clearspec_conformance.audit.formats import AuditReport, CheckRecord, DifferenceRecord, FindingRecord, Subject
from clearspec_conformance.audit.reports import stop_line, verdict_line
from clearspec_conformance.audit.segments import Tell, ignored
from clearspec_conformance.audit.tallies import Tally
from clearspec_conformance.terminal import console_for

MOST_SHOWN = 20
"""Findings shown in full."""

MOST_DIFFERENCES = 12
"""Differences shown of a finding."""


@contextmanager
def progress(total: int | None) -> Iterator[Tell]:
    """A bar on standard error if that is a terminal; gives what an audit tells its progress to."""
    console = console_for(stderr=True)
    if not console.is_terminal:
        yield ignored
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("auditing", total=total)

        def tell(end: int, tally: Tally) -> None:
            bad = f", {sum(tally.found.values()):,} findings" if tally.found else ""
            bar.update(task, completed=end, description=f"{tally.events:,} events{bad}")

        yield tell


def headline(one: FindingRecord) -> str:
    """A finding in a line."""
    where = f"line {one.line}" if one.byte is not None else f"row {one.line}"
    what = f"{one.action} {one.event}" if one.event else "after it"
    if one.subject == Subject.INVARIANT:
        return f"step {one.step} ({where}): {plain(what)}: the engine's own numbers break {one.rule}"
    verb = "differ" if one.subject == Subject.FIGURES else "differs"
    return f"step {one.step} ({where}): {plain(what)}: the {one.subject.value} {verb}, rule {one.rule}"


def print_differences(console: Console, found: tuple[DifferenceRecord, ...]) -> None:
    """Print where documents differ."""
    for one in found[:MOST_DIFFERENCES]:
        parts = (f"    {plain(one.path)}: expected ", (plain(one.expected, 400), "green"), ", got ")
        console.print(Text.assemble(*parts, (plain(one.got, 400), "red")))
    if len(found) > MOST_DIFFERENCES:
        console.print(Text(f"    ({len(found) - MOST_DIFFERENCES} more not shown)", "dim"))


def print_finding(console: Console, one: FindingRecord) -> None:
    """Print a finding."""
    console.print(Text(headline(one), "bold red"))
    print_differences(console, one.differences)
    if one.state:
        console.print(Text("  the ledger after it, by the engine's own postings:"))
        print_differences(console, one.state)
    if one.follows:
        console.print(Text("  an earlier finding may be the cause", "yellow"))
    if one.note:
        console.print(Text(f"  {plain(one.note)}", "dim"))


def why_not(check: CheckRecord) -> str:
    """Why a check was not made, and how often."""
    rows = sorted(check.not_checked.items(), key=lambda row: -row[1])
    parts = [f"{count:,} not: {reason}" for reason, count in rows]
    return "; ".join([*parts, *([f"({check.limits})"] if check.limits else [])])


def print_checks(console: Console, report: AuditReport) -> None:
    """Print after how many events each check on the engine's own numbers was made."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("check", "left"), ("events", "right"), ("snapshots", "right"), ("broken", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("not checked, and limits", overflow="fold")
    for check in report.checks:
        broken = Text(f"{check.broken:,}", "red" if check.broken else "dim")
        table.add_row(check.id, f"{check.checked:,}", f"{check.at_snapshots:,}", broken, Text(why_not(check), "dim"))
    console.print(table)
    console.print()


def lacking(report: AuditReport) -> str:
    """The published parts that were not compared, or not always there, in a line."""
    parts = [f"{one.field} not compared" for one in report.fields if one.not_compared]
    parts += [f"{one.field} not published {one.not_published:,} times" for one in report.fields if one.not_published]
    return "; ".join(parts)


def unfound_lines(report: AuditReport) -> list[str]:
    """A line for each key of the mapping that never found anything."""
    return [f"{report.mapping}: line {one.line}: {one.key}: {one.message}" for one in report.unfound]


def print_report(console: Console, report: AuditReport) -> None:
    """Print an audit."""
    for one in report.findings[:MOST_SHOWN]:
        print_finding(console, one)
    left = sum(report.found.values()) - MOST_SHOWN
    if left > 0:
        console.print(Text(f"({left:,} more findings; by rule: {dict(report.found)})", "red"))
    if report.findings:
        console.print()
    if report.events:
        print_checks(console, report)
    if report.events and lacking(report):
        console.print(Text(lacking(report), "dim"))
    if report.skipped:
        lines = "line" if report.skipped == 1 else "lines"
        console.print(Text(f"{report.skipped:,} {lines} skipped, as the mapping says", "yellow"))
    for line in unfound_lines(report):
        console.print(Text(line, "yellow"))
    if report.findings:
        console.print(Text(f"clearspec explain {report.findings[0].rule} shows the rule", "dim"))
    console.print(Text(verdict_line(report), "green" if report.passed else "red"))
    if report.stop is not None:
        console.print(Text(f"ended early at {stop_line(report)}", "red"))
