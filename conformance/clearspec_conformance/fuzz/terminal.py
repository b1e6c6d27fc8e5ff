"""A fuzz run on a terminal: progress, what was found, and what was reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from clearspec.codec import encode
from clearspec_command.display import plain
from clearspec_conformance.fuzz.duel import INVARIANT_PATH
from clearspec_conformance.fuzz.report import FuzzReport
from clearspec_conformance.fuzz.running import Found, Outcome
from clearspec_conformance.fuzz.shards import Shard
from clearspec_conformance.terminal import console_for, print_failure
from clearspec_conformance.verdicts import Failure

MOST_NAMED = 25
"""Rules or reasons that were not reached, as far as they are named."""

MOST_LINES = 40
"""Branching lines shown of those where not every way was taken; the report has all."""


@contextmanager
def progress() -> Iterator[tuple[Callable[[Shard], None], Callable[[str], None]]]:
    """What a run tells of its shards, and what else it says, on standard error if that is a terminal."""
    console = console_for(stderr=True)
    if not console.is_terminal:
        yield lambda shard: None, lambda words: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        sequences = events = 0

        def tell(shard: Shard) -> None:
            nonlocal sequences, events
            sequences, events = sequences + shard.sequences, events + shard.events
            bar.update(task, description=f"{sequences:,} sequences, {events:,} events")

        yield tell, lambda words: bar.update(task, description=words)


def print_found(console: Console, one: Found, path: str) -> None:
    """Print a disagreement: what differs, the events that show it, where the vector is."""
    print_failure(console, replace(one.result, failure=with_events(one)))
    finding = one.finding
    console.print(Text(f"  {finding.found_with} events made {finding.events}, from seed {finding.seed}"))
    console.print(Text(f"  vector {plain(path)}") if path else Text(f"  no vector: {unshown(one)}", "yellow"))
    console.print()


def unshown(one: Found) -> str:
    """Why a finding has no vector."""
    failure = one.result.failure
    if failure is not None and failure.differences[0].path == INVARIANT_PATH:
        return "the fault is the reference's own; please report it with the events above"
    return "not seen again when it was played by itself; what came before it may matter"


def with_events(one: Found) -> Failure | None:
    """The failure of a finding with the vector's own events; where the engine ended there is none."""
    failure = one.result.failure
    events = tuple(step.document if step.event is None else encode(step.event) for step in one.vector.steps)
    return None if failure is None else replace(failure, events=events)


def print_outcome(console: Console, outcome: Outcome, paths: Sequence[str]) -> None:
    """Print a run."""
    for one, path in zip(outcome.found, paths, strict=True):
        print_found(console, one, path)
    report = outcome.report
    print_reached(console, report)
    rate = int(report.events / outcome.seconds) if outcome.seconds > 0 else 0
    about = report.implementation
    console.print(Text(f"{plain(about.name)} {plain(about.version)}, seed {report.settings.seed}", "dim"))
    line = f"{report.sequences:,} sequences, {report.events:,} events in {outcome.seconds:.1f} s, {rate:,} a second"
    console.print(Text(line, "dim"))
    if report.skipped:
        console.print(Text(f"{report.skipped} skipped: not implemented: {plain(report.lacking, 300)}", "yellow"))
    console.print(verdict(report, outcome.reducing))


def verdict(report: FuzzReport, reducing: float) -> Text:
    """What came of it in a line."""
    if report.findings:
        ways = "1 way" if len(report.findings) == 1 else f"{len(report.findings)} ways"
        many = f"{report.disagreements:,} of {report.sequences:,} sequences disagree"
        return Text(f"{many}, in {ways}; made small in {reducing:.1f} s", "red")
    if report.sequences == report.skipped:
        return Text("nothing was compared", "red")
    return Text("no disagreement", "green")


def print_reached(console: Console, report: FuzzReport) -> None:
    """Print what the reference ran, and what it did not."""
    reached = report.reached
    rules = len(reached.rules) + len(reached.rules_not)
    reasons = len(reached.reasons) + len(reached.reasons_not)
    actions = len(report.settings.actions)
    console.print(
        f"reached {len(reached.rules)} of {rules} rules, {len(reached.reasons)} of {reasons} reasons, "
        f"accepted {actions - len(reached.accepted_not)} of {actions} actions"
    )
    for what, missing in (
        ("rules", reached.rules_not),
        ("reasons", tuple(reason.value for reason in reached.reasons_not)),
        ("actions accepted", reached.accepted_not),
    ):
        if missing:
            named = " ".join(missing) if len(missing) <= MOST_NAMED else f"{len(missing)}, which the report names"
            console.print(Text(f"  not reached, {what}: {named}", "dim"))
    if report.settings.branches:
        console.print(f"took {reached.branches} of {reached.branches_all} ways out of branching lines")
        for line in reached.branches_not[:MOST_LINES]:
            console.print(Text(f"  {line}", "dim"))
        if len(reached.branches_not) > MOST_LINES:
            console.print(Text(f"  ({len(reached.branches_not) - MOST_LINES} lines not shown)", "dim"))
    console.print()
