"""``clearspec fuzz``: generated sequences on an engine and the reference, and the smallest on which they differ."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from getpass import getuser
from pathlib import Path
from tempfile import gettempdir

import click
from click.core import ParameterSource

from clearspec.codec import DecodeError, canonical_bytes, encode, loads
from clearspec_command.failures import FAILED, WELL, BadInput
from clearspec_command.outputs import STANDARD_OUTPUT, Outputs, writing
from clearspec_conformance.audit.executors import PROCESS
from clearspec_conformance.conform import FILE, SECONDS, read_reasons
from clearspec_conformance.engines import Trouble
from clearspec_conformance.fuzz.duel import chapter_of
from clearspec_conformance.fuzz.report import FuzzReport, FuzzSettings
from clearspec_conformance.fuzz.running import Found, Outcome, Wanted, chosen_actions, fuzz, generator, introduced
from clearspec_conformance.fuzz.terminal import print_outcome, progress
from clearspec_conformance.playing import Terms
from clearspec_conformance.reports import json_text
from clearspec_conformance.suite import read_bounded
from clearspec_conformance.terminal import console_for

SEQUENCES = 2_000
"""Sequences of a run of which nothing else is said."""

KEPT_IN = "HYPOTHESIS_STORAGE_DIRECTORY"
"""Variable that says where Hypothesis keeps what it learns of modules; else in the folder it is called from."""

REPLAYED = ("sequences", "seconds", "seed", "most", "every", "only", "keep_going", "branches")
"""Parameters of the command that a replay takes from the report."""

EPILOG = """
Example: clearspec fuzz --impl './my-engine --stdio' --time 60 --jobs 2

Example: clearspec fuzz --impl './my-engine --stdio' --replay fuzz.json

Exit codes: 0 engine and reference agree; 1 they do not, the engine ended or hung, or nothing was compared; 2 bad
input, or an output that cannot be written.
"""


def read_report(path: Path | None) -> FuzzReport | None:
    """The report of an earlier run.

    Raises:
        BadInput: it is none.
    """
    if path is None:
        return None
    try:
        found: FuzzReport = loads(FuzzReport, read_bounded(path))
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    return found


def require_none_beside_replay() -> None:
    """Raise where an option was given that ``--replay`` takes from the report."""
    context = click.get_current_context()
    own = [option for option in context.command.params if option.name in REPLAYED]
    given = [
        option.opts[0] for option in own if context.get_parameter_source(str(option.name)) != ParameterSource.DEFAULT
    ]
    if given:
        raise BadInput(f"--replay takes the settings of the report: leave out {', '.join(given)}")


def saved(found: Sequence[Found], folder: Path) -> list[str]:
    """Write every vector that was confirmed into the folder of its chapter; returns the files, empty where none is."""
    paths = [str(folder / chapter_of(one.vector) / f"{one.vector.id}.json") for one in found]
    paths = [path if one.finding.confirmed else "" for path, one in zip(paths, found, strict=True)]
    for path in filter(None, paths):
        with writing(path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Outputs() as files:
        for path, one in zip(paths, found, strict=True):
            if path:
                files.open(path).write(canonical_bytes(one.vector) + b"\n")
    return paths


def require_place(folder: Path) -> None:
    """Raise unless vectors can be saved in a folder, which need not be there yet; better now than after the run."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"--save {folder}: vectors cannot be written there")


def compared(before: FuzzReport, now: FuzzReport) -> str:
    """Whether a run that was played again came out as before."""
    if before.digest == now.digest:
        return "the report is the same as before"
    if before.settings.generator != generator():
        return f"the sequences may be others: they were drawn by {before.settings.generator}, now by {generator()}"
    then, found = ({finding.id for finding in report.findings} for report in (before, now))
    gone, new = (", ".join(sorted(ids)) or "nothing" for ids in (then - found, found - then))
    return f"the report is another one; found no more: {gone}; found only now: {new}"


def run(wanted: Wanted) -> Outcome:
    """Fuzz, and show how it goes.

    Raises:
        BadInput: the engine's command cannot be started, or has nothing that can be fuzzed.
        Trouble: the engine does not introduce itself.
    """
    sys.path[:0] = [] if "" in sys.path else [""]
    os.environ.setdefault(KEPT_IN, str(Path(gettempdir()) / f"clearspec-fuzz-{getuser()}"))
    about = introduced(wanted)
    settings = wanted.settings
    wanted = replace(wanted, settings=replace(settings, actions=chosen_actions(settings.actions, about.features)))
    with progress() as (tell, say):
        return fuzz(wanted, about, tell, say)


def concluded(outcome: Outcome, paths: Sequence[str], silent: bool, before: FuzzReport | None) -> int:
    """Print the run; returns the exit code."""
    report = outcome.report
    if not silent:
        print_outcome(console_for(), outcome, paths)
        if before is not None:
            click.echo(compared(before, report))
    return FAILED if report.findings or report.sequences == report.skipped else WELL


@click.command(epilog=EPILOG, short_help="Fuzz an engine against the reference.")
@click.option("--impl", required=True, metavar="ENGINE",
              help="reference, python:MODULE:CLASS, or a command that speaks the protocol.")  # fmt: skip
@click.option(
    "--sequences", type=click.IntRange(1, 10**9), help=f"Sequences to play; {SEQUENCES} if no --time is given."
)
@click.option("--time", "seconds", type=SECONDS, help="Seconds after which no new shards of sequences are begun.")
@click.option("--seed", type=click.IntRange(0, 2**62), help="Seed of the run; without it any, which is printed.")
@click.option("--replay", "replayed", type=FILE,
              help="Play the run of a report again; seed, sequences and settings are the report's.")  # fmt: skip
@click.option("--max-events", "most", type=click.IntRange(1, 1000), default=40, show_default=True,
              help="Most events of a sequence, after those that lead to where it starts.")  # fmt: skip
@click.option("--every", type=click.IntRange(1, 1000), default=16, show_default=True,
              help="Events between two looks at the observable snapshot; the last is always looked at.")  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this action, or the actions of this feature; repeatable."
)
@click.option("--executor", "place", default=PROCESS, show_default=True, metavar="NAME",
              help="Where sequences are played: process, dask, or dask:ADDRESS.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Workers, each with an engine.")
@click.option("--keep-going", is_flag=True, help="Go on after the first disagreement.")
@click.option("--branches", is_flag=True, help="Count the branches of the reference that are reached (slower).")
@click.option("--save", "folder", type=click.Path(path_type=Path), default=Path("fuzz-vectors"),
              show_default=True, help="Folder for the vectors of what is found.")  # fmt: skip
@click.option("--reasons", "reasons_file", type=FILE, help='JSON map of the engine\'s reasons: {"theirs": "ours"}.')
@click.option("--timeout", type=SECONDS, default=10.0, show_default=True, help="Seconds a sequence.")
@click.option("--start-timeout", type=SECONDS, default=30.0, show_default=True,
              help="Seconds that the engine has to answer hello.")  # fmt: skip
@click.option("--json", "json_file", is_flag=False, flag_value=STANDARD_OUTPUT, default="", metavar="[FILE]",
              help="Write the report as JSON, without FILE to standard output.")  # fmt: skip
def command(
    impl: str,
    sequences: int | None,
    seconds: float | None,
    seed: int | None,
    replayed: Path | None,
    most: int,
    every: int,
    only: tuple[str, ...],
    place: str,
    jobs: int,
    keep_going: bool,
    branches: bool,
    folder: Path,
    reasons_file: Path | None,
    timeout: float,
    start_timeout: float,
    json_file: str,
) -> int:
    """Fuzz an engine against the reference.

    Generated sequences of events go to both: near the exact limits of margin, balances, caps, bands and times, and
    near every reason for a rejection. Receipts are compared, and observable snapshots every few events. What they
    disagree on is made as small as it gets and saved as a vector, which clearspec conform --vectors plays again.

    The same seed gives the same sequences and the same report, however many workers there are and wherever they run.
    """
    before = read_report(replayed)
    if before is not None:
        require_none_beside_replay()
        sequences, seconds = sum(shard.planned for shard in before.shards), None
    elif sequences is None and seconds is None:
        sequences = SEQUENCES
    number = random.SystemRandom().randrange(2**32) if seed is None else seed
    settings = FuzzSettings(number, most, every, only, keep_going, branches, generator())
    terms = Terms(timeout, read_reasons(reasons_file))
    made_of = settings if before is None else before.settings
    wanted = Wanted(impl, made_of, terms, start_timeout, sequences, seconds, place, jobs)
    require_place(folder)
    with Outputs(tuple(path for path in (reasons_file, replayed) if path is not None)) as files:
        stream = files.open(json_file) if json_file else None
        try:
            outcome = run(wanted)
        except Trouble as trouble:
            click.echo(f"{trouble.verdict.value}: {trouble}", err=True)
            return FAILED
        if stream is not None:
            with writing(json_file):
                stream.write(json_text(encode(outcome.report)))
        return concluded(outcome, saved(outcome.found, folder), json_file == STANDARD_OUTPUT, before)
