"""``clearspec prove``: show that the reference satisfies its theorems, for all inputs."""

from __future__ import annotations

import importlib
import json
import os
import platform
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clearspec_command.failures import BadInput, needs
from clearspec_command.outputs import Outputs
from clearspec_proofs import store
from clearspec_proofs.matrix import blanks, matrix_of
from clearspec_proofs.prove_modes import SOLVERS, ask_other, emit_files, try_mutants
from clearspec_proofs.rechecking import recheck
from clearspec_proofs.records import Counterexample, Status, Verdict, entry_of
from clearspec_proofs.reporting import document, page, print_matrix, print_table
from clearspec_proofs.theorems import Theorem, catalogue

REFUTING = 30.0
"""Seconds of work in which numbers are looked for that refute what could not be shown."""

EPILOG = """
Example: clearspec prove margin --html proofs.html

Exit codes: 0 every theorem is proved and no cell of the matrix is blank; 1 otherwise; 2 bad input.
"""


def solver_versions() -> dict[str, str]:
    """Versions of what looked for the proofs.

    Raises:
        BadInput: the solver is not installed.
    """
    try:
        z3 = importlib.import_module("z3")
    except ImportError:
        raise BadInput(needs("looking for proofs", "z3")) from None
    return {"z3": z3.get_version_string(), "python": platform.python_version()}


@cache
def _stored(folder: str, chapter: str) -> dict[str, Any]:
    try:
        return store.read_nodes(folder, chapter)
    except store.StoreError:
        return {}


def _settled(name: str, folder: str, use_cache: bool, seed: int) -> tuple[Verdict, bool]:
    """The verdict on a theorem, and whether its stored proof still holds, which is tried first."""
    from clearspec_proofs.proving import prove
    from clearspec_proofs.solving.search import Budget

    theorem = catalogue()[name]
    nodes = _stored(folder, theorem.chapter).get(name) if use_cache else None
    if nodes is not None:
        verdict = recheck(theorem, nodes)
        if verdict.status == Status.PROVED:
            return verdict, True
    verdict = prove(theorem, Budget(seed=seed))
    if verdict.status == Status.UNKNOWN and verdict.note.startswith("not shown"):
        _refute(theorem, verdict)
    return verdict, False


def _refute(theorem: Theorem, verdict: Verdict) -> None:
    """Look harder for numbers that refute what could not be shown: other paths, and draws near them."""
    from clearspec_proofs.trials.refuting import tried
    from clearspec_proofs.trials.witness import told, witnessed

    trial = tried(theorem, REFUTING)
    if trial.status == Status.REFUTED:
        verdict.status = Status.REFUTED
        calls = told(witnessed(theorem, trial.drawn))
        verdict.counterexample = Counterexample(trial.claim, trial.values, True, calls=calls)


def settled(names: list[str], jobs: int, folder: str, use_cache: bool, seed: int) -> Iterator[tuple[Verdict, bool]]:
    """Verdicts as they come."""
    if jobs <= 1:
        for name in names:
            yield _settled(name, folder, use_cache, seed)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(_settled, name, folder, use_cache, seed) for name in names]):
            yield future.result()


def expensive_first(names: list[str], folder: str) -> list[str]:
    """Names in order of the paths that they took last time, so that no long one comes last."""
    try:
        known = {entry["name"]: entry["paths"] for entry in store.read_manifest(folder).theorems}
    except store.StoreError:
        known = {}
    return sorted(names, key=lambda name: -known.get(name, 1 << 30))


def watched(names: list[str], jobs: int, folder: str, use_cache: bool, seed: int) -> list[tuple[Verdict, bool]]:
    """All verdicts, with a progress bar on standard error."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    found = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("proving", total=len(names))
        for verdict, cached in settled(expensive_first(names, folder), jobs, folder, use_cache, seed):
            found.append((verdict, cached))
            bar.update(task, advance=1, description=verdict.name[:40])
    return sorted(found, key=lambda pair: pair[0].name)


def keep(folder: Path, verdicts: list[Verdict]) -> None:
    """Store what was proved now beside what was proved before."""
    folder.mkdir(parents=True, exist_ok=True)
    known = catalogue()
    try:
        before = {entry["name"]: entry for entry in store.read_manifest(folder).theorems}
    except store.StoreError:
        before = {}
    for verdict in verdicts:
        entry = entry_of(known[verdict.name], verdict)
        del entry["seconds"]
        before[verdict.name] = entry
    kept = [before[name] for name in sorted(before) if name in known]
    for chapter in sorted({verdict.name.split(".", 1)[0] for verdict in verdicts}):
        nodes = {name: entry for name, entry in _stored(str(folder), chapter).items() if name in known}
        proved = {v.name: v.nodes for v in verdicts if v.name.startswith(f"{chapter}.") and v.status == Status.PROVED}
        store.write_chapter(folder, chapter, {**nodes, **proved})
    _stored.cache_clear()
    store.write_manifest(folder, store.Manifest(store.source_digests(), solver_versions(), kept))


def chosen(patterns: tuple[str, ...]) -> list[str]:
    """Names that contain one of the patterns; all without any.

    Raises:
        BadInput: a pattern fits none.
    """
    names = list(catalogue())
    for pattern in patterns:
        if not any(pattern in name for name in names):
            raise BadInput(f"no theorem's name contains {pattern!r}; see clearspec prove --list")
    return [name for name in names if not patterns or any(pattern in name for pattern in patterns)]


def print_list(names: list[str]) -> None:
    """Name and sentence of theorems."""
    for theorem in (catalogue()[name] for name in names):
        click.echo(f"{theorem.name}: {theorem.sentence} [{', '.join(theorem.rules)}; {theorem.strength.value}]")


@click.command("prove", epilog=EPILOG)
@click.argument("patterns", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="Print the theorems and prove nothing.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--no-cache", is_flag=True, help="Look for every proof afresh instead of trying the stored one first.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the solver's choices.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where proofs are stored; default: with the package.")
@click.option("--store/--no-store", "storing", default=True, show_default=True, help="Keep what was proved.")
@click.option("--matrix", is_flag=True, help="Print the matrix of invariants and events.")
@click.option("--mutants", is_flag=True, help="Try the named wrong references that these theorems must refute instead.")
@click.option(
    "--emit", type=click.Path(path_type=Path), metavar="DIR", help="Write the obligations as SMT-LIB 2 instead."
)
@click.option("--solver", type=click.Choice(SOLVERS), help="Ask this solver about the obligations instead.")
@click.option("--save", type=click.Path(path_type=Path), metavar="DIR", help="With --mutants: save a vector of each.")
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON; - is standard output.")
@click.option("--html", "html_file", metavar="FILE", help="Write the report as one page.")
def command(
    patterns: tuple[str, ...], listing: bool, jobs: int, no_cache: bool, seed: int, folder: Path | None,
    storing: bool, matrix: bool, mutants: bool, emit: Path | None, solver: str | None, save: Path | None,
    json_file: str | None, html_file: str | None,
) -> int:  # fmt: skip
    """Prove theorems about the reference: those whose name contains NAME, or all.

    With --mutants, --emit or --solver nothing is proved and stored: theorems are tried on wrong references, their
    obligations written as files, or another solver asked about them.
    """
    if listing:
        print_list(chosen(patterns))
        return 0
    solver_versions()
    if mutants + (emit is not None) + (solver is not None) > 1:
        raise BadInput("--mutants, --emit and --solver exclude each other")
    if save is not None and not mutants:
        raise BadInput("--save saves what --mutants finds; give that too")
    place, names, start = folder or store.default_folder(), chosen(patterns), time.perf_counter()
    if mutants:
        return try_mutants(names, jobs, save, json_file)
    if emit is not None:
        return emit_files(names, jobs, emit)
    if solver is not None:
        return ask_other(names, jobs, json_file)
    pairs = watched(names, min(jobs, len(names)), str(place), not no_cache, seed)
    verdicts, seconds = [verdict for verdict, _ in pairs], time.perf_counter() - start
    if storing:
        keep(place, verdicts)
    cells = matrix_of(verdicts)
    with Outputs() as outputs:
        if json_file:
            text = (
                json.dumps(document(verdicts, seconds, cells, solver_versions()), indent=1, ensure_ascii=False) + "\n"
            )
            outputs.open(json_file).write(text.encode())
        if html_file:
            outputs.open(html_file).write(page(verdicts, seconds, cells, solver_versions()).encode())
    if json_file != "-":
        show(verdicts, seconds, sum(cached for _, cached in pairs), matrix)
    whole = patterns or not blanks(cells)
    return 0 if whole and all(verdict.status == Status.PROVED for verdict in verdicts) else 1


def show(verdicts: list[Verdict], seconds: float, cached: int, matrix: bool) -> None:
    """The report on the terminal."""
    console = Console()
    print_table(verdicts, console)
    cells = matrix_of(verdicts)
    if matrix:
        print_matrix(cells, console)
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in Status}
    certified = sum(verdict.certified for verdict in verdicts)
    click.echo(
        f"{len(verdicts)} theorems: {counts[Status.PROVED]} proved ({cached} by their stored proof), "
        f"{counts[Status.REFUTED]} refuted, {counts[Status.UNKNOWN]} unknown; {certified} certificates; {seconds:.1f} s"
    )
    missing = blanks(cells)
    if matrix and missing:
        events = ", ".join(dict.fromkeys(event for event, _ in missing))
        click.echo(f"{len(missing)} blank cells, of {events}")
