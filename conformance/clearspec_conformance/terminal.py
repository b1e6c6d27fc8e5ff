"""A run on a terminal: failures first, then what was skipped and why, then the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from clearspec_command.display import plain
from clearspec_conformance.formats import Verdict
from clearspec_conformance.page import COUNTED, TONES, about_line, by_chapter, engine_name, verdict_line
from clearspec_conformance.reports import Finished
from clearspec_conformance.verdicts import Result, shown

MOST_FAILURES = 20
"""Failures shown in full; the rest by their first line."""

MOST_SHOWN = 12
"""Differences and events shown of a failure."""

PIPED_WIDTH = 160
STYLES = {"": "", "good": "green", "bad": "red", "warn": "yellow"}


class Terminal(Console):
    """A console that leaves it to the command to end when its reader goes away."""

    def on_broken_pipe(self) -> None:
        """Pass the error on."""
        raise BrokenPipeError


def console_for(stderr: bool = False) -> Console:
    """A console; where there is no terminal, a wide one."""
    console = Terminal(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


@contextmanager
def progress(total: int) -> Iterator[Callable[[Result], None]]:
    """A bar on standard error if that is a terminal; gives what a run tells its results to."""
    console = console_for(stderr=True)
    if not console.is_terminal:
        yield lambda found: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("playing", total=total)
        bad = 0

        def tell(found: Result) -> None:
            nonlocal bad
            bad += found.bad
            bar.update(task, advance=1, description=f"playing, {bad} bad" if bad else "playing")

        yield tell


def print_failure(console: Console, found: Result) -> None:
    """Print a bad result: verdict, what differs, the events that show it, what the engine said."""
    console.print(
        Text.assemble((f"{found.verdict.value} ", "bold red"), (plain(found.id), "bold"), f"  {found.chapter}")
    )
    failure = found.failure
    if failure is None:
        console.print(Text(f"  {plain(found.why)}"))
    else:
        console.print(Text(f"  rule {failure.rule}, first seen at step {failure.step}; rules {' '.join(found.rules)}"))
        for one in failure.differences[:MOST_SHOWN]:
            expected, got = plain(shown(one.expected), 400), plain(shown(one.got), 400)
            console.print(Text.assemble(f"    {one.path}: expected ", (expected, "green"), ", got ", (got, "red")))
        _print_left_out(console, len(failure.differences) - MOST_SHOWN, "differences")
        if failure.note:
            console.print(Text(f"  {plain(failure.note)}"))
        if len(failure.events) > 1:
            console.print(Text(f"  shortest prefix that shows it, {len(failure.events)} events:"))
        elif failure.events:
            console.print(Text("  what shows it:"))
        _print_left_out(console, len(failure.events) - MOST_SHOWN, "events before these")
        for event in failure.events[-MOST_SHOWN:]:
            console.print(Text(f"    {plain(shown(event), 1000)}", "dim"))
    if found.stderr:
        console.print(Text(f"  stderr: {plain(found.stderr[-1000:])}", "dim"))
    console.print()


def _print_left_out(console: Console, count: int, what: str) -> None:
    """Say how much is not shown."""
    if count > 0:
        console.print(Text(f"    ({count} {what} not shown)", "dim"))


def print_skipped(console: Console, results: list[Result]) -> None:
    """Print why vectors were skipped, and how many for each reason."""
    counts = Counter(found.why for found in results if found.verdict == Verdict.SKIPPED)
    for why, count in counts.most_common():
        console.print(Text(f"skipped {count}: {plain(why, 300)}", "yellow"))
    if counts:
        console.print()


def print_chapters(console: Console, results: list[Result]) -> None:
    """Print the verdicts by chapter."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("chapter")
    for name in COUNTED:
        table.add_column(name, justify="right")
    for chapter, counts in by_chapter(results).items():
        values = [getattr(counts, name) for name in COUNTED]
        cells = [Text(str(value), STYLES[tone] if value else "dim") for value, tone in zip(values, TONES, strict=True)]
        table.add_row(chapter, *cells)
    console.print(table)
    console.print()


def print_run(console: Console, finished: Finished) -> None:
    """Print a run."""
    results = finished.outcome.results
    bad = [found for found in results if found.bad]
    for found in bad[:MOST_FAILURES]:
        print_failure(console, found)
    for found in bad[MOST_FAILURES:]:
        console.print(Text(f"{found.verdict.value} {plain(found.id)}: {plain(found.why, 300)}", "red"))
    print_skipped(console, results)
    print_chapters(console, results)
    console.print(Text(f"{engine_name(finished.outcome.implementation)}. {about_line(finished)}", "dim"))
    if finished.suite is not None:
        named = f"Suite {finished.suite.version or 'without a version'}, {finished.suite.vectors} vectors"
        console.print(Text(f"{named}, {finished.suite.digest}.", "dim"))
    line = f"{verdict_line(finished)} in {finished.outcome.seconds:.1f} s"
    console.print(Text(line, "green" if finished.well else "red"))
    if finished.summary.passed == 0 and not bad:
        console.print(Text("nothing passed: nothing was tested", "red"))
