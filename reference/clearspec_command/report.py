"""The report of a run on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearspec_command.display import plain
from clearspec_command.playing import Run
from clearspec_command.rows import counted
from clearspec_command.sheets import (
    BAD,
    DIM,
    GOOD,
    PLAIN,
    WARN,
    Sheet,
    events_sheet,
    expectations_sheet,
    sheets_of,
    variants_sheet,
    verdicts,
)

MOST_ROWS = 200
"""Rows of events shown unless all are asked for."""

PIPED_WIDTH = 160
"""Width of a report that does not go to a terminal."""

STYLES = {PLAIN: "", GOOD: "green", BAD: "red", WARN: "yellow", DIM: "dim"}


class Terminal(Console):
    """A console that leaves it to ``main`` to end the command when its reader goes away."""

    def on_broken_pipe(self) -> None:
        """Pass the error on."""
        raise BrokenPipeError


def console_for(stderr: bool = False) -> Console:
    """A console; where there is no terminal, wide enough for the tables."""
    console = Terminal(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


def text(value: str, style: str = "") -> Text:
    """Text that is printed as it stands."""
    return Text(plain(value), style)


def table_of(sheet: Sheet) -> Table:
    """A sheet as a table of a terminal."""
    table = Table(title=sheet.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.header_style = "dim"
    for column in sheet.columns:
        table.add_column(column, justify="right" if column in sheet.numbers else "left", overflow="fold")
    for row in sheet.rows:
        table.add_row(*(text(cell.text, STYLES[cell.tone]) for cell in row))
    return table


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Print a sheet and a blank line; nothing for an empty one."""
    if sheet.rows:
        console.print(table_of(sheet))
        console.print()


def print_report(console: Console, run: Run, everything: bool) -> None:
    """Print everything about a run: title, events, tables, verdict."""
    console.print(text(run.scenario.title, "bold underline"))
    console.print(text(run.scenario.description))
    if run.variant is not None:
        console.print(text(f"Variant {run.name}: {run.variant.description}", "bold"))
    console.print()
    for sheet in (events_sheet(run, everything, MOST_ROWS), *sheets_of(run)):
        print_sheet(console, sheet)
    total = counted(len(run.player.played), "event")
    console.print(text(f"{total}: {run.accepted:,} accepted, {run.rejected:,} rejected"))
    for cell in verdicts(run):
        console.print(text(cell.text, STYLES[cell.tone]))
    console.print()


def print_comparison(console: Console, runs: Sequence[Run]) -> None:
    """Print the expectations of all variants together, and a line a variant."""
    console.rule("All variants")
    print_sheet(console, expectations_sheet(runs))
    print_sheet(console, variants_sheet(runs))
