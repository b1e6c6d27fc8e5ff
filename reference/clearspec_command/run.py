"""``clearspec run``: play a scenario through the reference and report what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from clearspec.codec import canonical_bytes
from clearspec.consistency import oddities
from clearspec.events import Reason
from clearspec.formats import Scenario, Variant
from clearspec_command.display import plain
from clearspec_command.failures import EXIT_CODES, FAILED, WELL, BadInput
from clearspec_command.inputs import STANDARD_INPUT, Prices, read_scenario, with_user_prices
from clearspec_command.journal import journal
from clearspec_command.outputs import STANDARD_OUTPUT, Outputs, writing
from clearspec_command.playing import Progress as Tell
from clearspec_command.playing import Run, chosen, play, span
from clearspec_command.report import console_for, print_comparison, print_report
from clearspec_command.result import log_lines, result_of
from clearspec_command.series import Recorder
from clearspec_command.sheets import BAD, verdicts

EPILOG = f"""
Example: clearspec run first-default.toml --html run.html

Example: clearspec run crash.toml --prices BTC=my-bars.csv.gz --unit BTC=10000 --json result.json

{EXIT_CODES}
"""


PROGRESS_STEPS = 200
"""About how often the bar of a run moves."""

Teller = Callable[[int], Tell | None]
"""Gives each run, by its place, what it tells its progress to."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The files that a run is to write; empty for those that are not."""

    json: str
    journal: str
    html: str
    log: str
    snapshot_every: int = 0
    """After every so many events the log holds a full snapshot; 0: it holds none."""

    @property
    def names(self) -> list[str]:
        """Every name given."""
        return [name for name in (self.json, self.journal, self.html, self.log) if name]


class Pair(click.ParamType[Any]):
    """``NAME=VALUE``."""

    name = "NAME=VALUE"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> tuple[str, str]:
        """Split at the first equals sign."""
        name, found, rest = value.partition("=")
        if not (name and found and rest):
            self.fail(f"expected NAME=VALUE, found {value!r}", parameter, context)
        return name, rest


class Interval(click.ParamType[Any]):
    """Whole seconds as the format of scenarios admits them."""

    name = "SECONDS"

    def convert(self, value: str | int, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Read 0 to 2^32."""
        if not str(value).isascii() or not str(value).isdigit() or int(str(value)[:12]) > 2**32:
            self.fail(f"expected whole seconds from 0 to {2**32}, found {value!r}", parameter, context)
        return int(value)


def units_of(pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Feed to atoms, of every ``--unit``."""
    found = {}
    for feed, value in pairs:
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and int(value) > 0):
            raise BadInput(f"--unit {feed}={value}: expected a whole number of atoms from 1 to 10^18 - 1")
        found[feed] = int(value)
    return found


OUTSIDE_BAND = (
    "warning: a trade was rejected with price_outside_band (TRADE-5): the prices of a scenario's trades must "
    "fit the file that --prices gives; conformance/scenarios/own-history.toml is one to start from"
)


def outside_band(run: Run) -> bool:
    """Whether a fill of a step was refused for its price."""
    return any(item.receipt.reason == Reason.PRICE_OUTSIDE_BAND for item in run.player.played)


@click.command(epilog=EPILOG, short_help="Play a scenario and report what came of it.")
@click.argument("scenario", metavar="SCENARIO")
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Run this variant only; may be repeated.")
@click.option(
    "--prices",
    multiple=True,
    type=Pair(),
    metavar="FEED_OR_MARKET=FILE",
    help="Replace the prices of a feed (or of a market's feed) by a CSV file, plain or gzip; may be repeated.",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    type=Pair(),
    metavar="FEED=ATOMS",
    help="Settlement atoms of one lot at a price of 1, for --prices, where the scenario's units do not say.",
)
@click.option("--column", default="", metavar="NAME", help="Price column of the CSV files, or the prefix of four.")
@click.option(
    "--interval",
    type=Interval(),
    help="Post a price again every so many seconds until the index has arrived at it; 0: once. For --prices, "
    "else for every price of the scenario. By default as in the scenario.",
)
@click.option(
    "--shift/--no-shift",
    default=True,
    help="Move the times of the CSV files so that the earliest falls at the scenario's first price. On by default.",
)
@click.option("--json", "json_file", is_flag=False, flag_value=STANDARD_OUTPUT, default="", metavar="[FILE]",
              help="Write the result as JSON, without FILE to standard output.")  # fmt: skip
@click.option("--journal", "journal_file", default="", metavar="FILE", help="Write a double-entry journal (beancount).")
@click.option("--html", "html_file", default="", metavar="FILE", help="Write a self-contained page with charts.")
@click.option("--log", "log_file", default="", metavar="FILE", help="Write the log: events with receipts, JSON lines.")
@click.option("--snapshot-every", type=click.IntRange(1, 2**32), metavar="N",
              help="A full snapshot in the log after every N events, where clearspec audit --jobs begins.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Show every event; without, routine prices are summed up.")
@click.option("--quiet", is_flag=True, help="Print no report.")
@click.option(
    "--check/--no-check",
    default=True,
    help="Check every invariant after every event (the default), or only at the start and the end.",
)
def command(
    scenario: str,
    variants: tuple[str, ...],
    prices: tuple[tuple[str, str], ...],
    units: tuple[tuple[str, str], ...],
    column: str,
    interval: int | None,
    shift: bool,
    json_file: str,
    journal_file: str,
    html_file: str,
    log_file: str,
    snapshot_every: int | None,
    everything: bool,
    quiet: bool,
    check: bool,
) -> int:
    """Play the scenario in the file SCENARIO (JSON or TOML; - reads standard input) through the reference.

    If it has variants and none is chosen, all are run and compared.

    Your own prices: --prices BTC=FILE.csv reads a column time_utc, time, timestamp, date or open_time (ISO 8601, or
    seconds or milliseconds since 1970) and either a column price or the columns open, high, low and close. A bar
    becomes four points, a quarter of its length apart: open, then low and high (low first if it closes no lower than
    it opened), then close. --column mark_close takes that column instead (a close stands at the end of its bar),
    --column mark the bars of mark_open to mark_close. Prices become atoms per lot by the scenario's units or --unit,
    rounded down.

    A column funding_rate (a fraction) becomes a premium of the market's book at that time (named by its feed: of every
    perpetual of the feed). The market's own funding parameters decide what rate follows: samples that min_samples
    misses count as zero, the damper and the cap apply. docs/own-history.md says which reproduce the file's rates.

    The times of all files are moved together, so that the earliest falls at the scenario's first price. Once the index
    has arrived at a price, nothing is posted until the next one: with points further apart than the feed's max_age the
    markets are stale in between, as they would be.

    Output files take their place only when all is done. The keys of --json are documented in
    reference/clearspec_command/README.md; with --json, --journal, --log or --html to - (standard output) no report is
    printed.
    """
    wanted = Wanted(json_file, journal_file, html_file, log_file, snapshot_every or 0)
    if wanted.snapshot_every and not wanted.log:
        raise BadInput("--snapshot-every: give --log too")
    found = with_user_prices(read_scenario(scenario), Prices(prices, units_of(units), column, interval, shift))
    picked = chosen(found, variants)
    if len(picked) > 1 and (wanted.journal or wanted.log):
        names = ", ".join(variant.name for variant in found.variants)
        raise BadInput(f"--journal and --log hold one run: choose one of {names} with --variant")
    inputs = tuple(Path(name) for name in (scenario, *(name for _, name in prices)) if name != STANDARD_INPUT)
    for place, account in oddities(found):
        click.echo(f"warning: {plain(place)}: no step opens the account {account}", err=True)
    with Outputs(inputs) as outputs:
        runs = run_all(found, picked, check, wanted, outputs, everything)
    if prices and any(outside_band(run) for run in runs):
        click.echo(OUTSIDE_BAND, err=True)
    tell(runs, everything, quiet, STANDARD_OUTPUT in wanted.names)
    return WELL if all(run.well for run in runs) else FAILED


def run_all(
    scenario: Scenario,
    picked: Sequence[Variant | None],
    check: bool,
    wanted: Wanted,
    outputs: Outputs,
    everything: bool,
) -> list[Run]:
    """Run every variant and write the files; they are opened first, so that a bad name costs no run."""
    streams = {name: outputs.open(name) for name in wanted.names}
    first, last = span(scenario)
    runs, recorders = [], []
    with progress_bar(scenario, len(picked)) as told:
        for place, variant in enumerate(picked):
            recorders.append(Recorder(first, last) if wanted.html else None)
            runs.append(play(scenario, variant, check, recorders[-1], told(place), wanted.snapshot_every))
    for name, text in contents(runs, recorders, wanted, everything):
        with writing(name):
            streams[name].write(text)
    return runs


def contents(
    runs: Sequence[Run], recorders: Sequence[Recorder | None], wanted: Wanted, everything: bool
) -> Iterator[tuple[str, bytes]]:
    """Every file's name and what it holds, in pieces."""
    if wanted.json:
        yield wanted.json, canonical_bytes(result_of(runs, everything)) + b"\n"
    if wanted.journal:
        for line in journal(runs[0]):
            yield wanted.journal, line.encode("utf-8") + b"\n"
    if wanted.log:
        for data in log_lines(runs[0]):
            yield wanted.log, data + b"\n"
    if wanted.html:
        from clearspec_command.page import page

        series = [recorder for recorder in recorders if recorder is not None]
        yield wanted.html, page(runs, series).encode("utf-8")


@contextmanager
def progress_bar(scenario: Scenario, count: int) -> Iterator[Teller]:
    """A bar of the time that has been played, on standard error if that is a terminal."""
    console = console_for(stderr=True)
    if not console.is_terminal:
        yield lambda place: None
        return
    first, last = span(scenario)
    total = max(1, last - first)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("playing", total=total * count)

        def teller(place: int) -> Tell:
            told = [place * total]

            def tell(time: int) -> None:
                done = place * total + min(total, time - first)
                if (done - told[0]) * PROGRESS_STEPS >= total:
                    told[0] = done
                    bar.update(task, completed=done)

            return tell

        yield teller


def tell(runs: Sequence[Run], everything: bool, quiet: bool, taken: bool) -> None:
    """Print the report, unless standard output is taken or nothing is to be printed; then only what is wrong."""
    if quiet or taken:
        for run in runs:
            for line in [cell.text for cell in verdicts(run) if cell.tone == BAD]:
                print(f"{run.name}: {line}" if run.name else line, file=sys.stderr)
        return
    console = console_for()
    for run in runs:
        print_report(console, run, everything)
    if len(runs) > 1:
        print_comparison(console, runs)
