"""``clearspec mutants``: wrong clearinghouses against the vectors, and what the vectors miss."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from clearspec.rules import CHAPTERS
from clearspec_command.failures import BadInput
from clearspec_command.outputs import Outputs
from clearspec_conformance.mutants import CHAPTER_OF, load_zoo, open_arena
from clearspec_conformance.mutants_report import (
    Caged,
    Judged,
    Outcome,
    Run,
    by_chapter,
    document,
    faults_of,
    page,
    place_of,
    read_reasons,
    run_generated,
    run_zoo,
    score_of,
    score_rows,
    seen,
)
from clearspec_conformance.mutation import MUTATED, generated
from clearspec_conformance.suite import vectors_folder
from clearspec_conformance.terminal import console_for

PAGE = Path(__file__).resolve().parents[1] / "MUTATION.md"

EPILOG = """
Example: clearspec mutants --chapter funding

Exit codes: 0 the whole zoo is killed and every chapter reaches its strict score; 1 otherwise; 2 bad input.
"""


def progress() -> Progress:
    """A progress bar on standard error."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console_for(stderr=True), transient=True)


def play(folder: Path, kinds: tuple[bool, bool], chapter: str, jobs: int) -> Run:
    """Play the zoo, the generated mutants, or both."""
    zoo_wanted, generated_wanted = kinds
    wrongs = [entry for entry in load_zoo().values() if zoo_wanted and chapter in ("", entry.chapter)]
    mutants = generated(chapter) if generated_wanted else []
    reasons = read_reasons()
    arena = open_arena(folder, jobs)
    with progress() as bar:
        zoo: tuple[Caged, ...] = ()
        judged: tuple[Judged, ...] = ()
        if wrongs:
            task = bar.add_task("zoo", total=len(wrongs))
            zoo = run_zoo(arena, wrongs, jobs, lambda: bar.advance(task))
        if mutants:
            more = bar.add_task("generated", total=len(mutants))
            judged = run_generated(arena, mutants, reasons, jobs, lambda: bar.advance(more))
    modules = [name for name in MUTATED if mutants and chapter in ("", CHAPTER_OF[name])]
    return Run(len(arena.scripts), zoo, judged, tuple(faults_of(judged, reasons, modules)))


def print_zoo(run: Run, console: Console) -> None:
    """The zoo as a table."""
    shown = Table("wrong clearinghouse", "chapter", "killed by", title=f"zoo: {len(run.zoo)}")
    for cage in run.zoo:
        killers = ", ".join(kill.vector or kill.by for kill in cage.trial.kills)
        shown.add_row(cage.wrong.name, cage.wrong.chapter, killers or "SURVIVES", style="" if killers else "bold red")
    console.print(shown)


def print_generated(run: Run, console: Console) -> None:
    """Scores of the generated mutants, then every survivor."""
    heads = (outcome.value.replace("_", " ") for outcome in Outcome)
    shown = Table("chapter", *heads, "score", "strict", title=f"generated mutants: {len(run.generated)}")
    for row in (*score_rows(by_chapter(run.generated)), *score_rows({"all": score_of(run.generated)})):
        shown.add_row(*(str(cell) for cell in row))
    console.print(shown)
    for one in run.generated:
        if one.outcome == Outcome.SURVIVED:
            mutant = one.mutant
            reached = seen(one)
            console.print(
                f"{mutant.id}  {place_of(mutant)}: {mutant.before} -> {mutant.after}  [{reached}]",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


@click.command("mutants", epilog=EPILOG)
@click.option("--zoo", "zoo_only", is_flag=True, help="Only the zoo of wrong clearinghouses.")
@click.option("--generated", "generated_only", is_flag=True, help="Only the generated mutants.")
@click.option("--chapter", type=click.Choice(list(CHAPTERS.values())), default=None, help="Only this chapter.")
@click.option("--vectors", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder of vectors.")
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--write", is_flag=True, help="Write conformance/MUTATION.md.")
def command(
    zoo_only: bool,
    generated_only: bool,
    chapter: str | None,
    vectors: Path | None,
    jobs: int,
    as_json: bool,
    write: bool,
) -> None:
    """Play wrong clearinghouses against the vectors: which vectors tell them from the reference, and which survive."""
    if write and (zoo_only or generated_only or chapter):
        raise BadInput("--write: the page is written from a whole run, without --zoo, --generated or --chapter")
    both = zoo_only == generated_only
    run = play(vectors or vectors_folder(), (both or zoo_only, both or generated_only), chapter or "", jobs)
    if as_json:
        click.echo(json.dumps(document(run), indent=1))
    else:
        print_run(run)
    if write:
        with Outputs() as outputs:
            outputs.open(str(PAGE)).write(page(run).encode("utf-8"))
    sys.exit(1 if run.failed else 0)


def print_run(run: Run) -> None:
    """Print a run for people."""
    console = console_for()
    if run.zoo:
        print_zoo(run, console)
    if run.generated:
        print_generated(run, console)
    for line in run.failed:
        console.print(f"failed: {line}", markup=False, highlight=False, soft_wrap=True)
