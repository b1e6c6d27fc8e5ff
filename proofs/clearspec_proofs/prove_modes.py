"""What ``clearspec prove`` does beside proving: wrong references, SMT-LIB files, the opinion of another solver."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clearspec_command.failures import BadInput, needs
from clearspec_command.outputs import Outputs, writing
from clearspec_proofs import mutants
from clearspec_proofs.records import Status
from clearspec_proofs.trials.refuting import Trial

Found = TypeVar("Found")

SOLVERS = ("cvc5",)
"""Solvers that give a second opinion."""


def followed(found: Iterable[Found], total: int, what: str) -> Iterator[Found]:
    """The same, with a progress bar on standard error."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        for entry in found:
            yield entry
            bar.update(task, advance=1)


def write_json(target: str | None, document: dict[str, Any]) -> None:
    """Write a report where one is wanted."""
    with Outputs() as outputs:
        if target:
            outputs.open(target).write((json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())


# Wrong references


def try_mutants(names: list[str], jobs: int, folder: Path | None, json_file: str | None) -> int:
    """Try the named mutants that any of these theorems must refute; 1 unless all are refuted.

    What tells one from the reference in a kernel of the protocol is saved as a vector under ``folder``.
    """
    try:
        known = mutants.read_mutants()
        wanted = [mutant.name for mutant in known.values() if set(mutant.theorems) & set(names)]
        if not wanted:
            raise BadInput("no named mutant guards these theorems")
        results = list(followed(mutants.run_mutants(wanted, jobs), len(wanted), "wrong references"))
    except mutants.MutantError as fault:
        raise BadInput(str(fault)) from None
    document = mutants.document(results)
    write_json(json_file, document)
    if folder is not None:
        save_vectors(results, folder)
    if json_file != "-":
        show_mutants(sorted(results, key=lambda result: (result.refuted, result.mutant.name)))
        summary = document["summary"]
        click.echo(f"{summary['refuted']} of {summary['mutants']} wrong references refuted, {summary['trials']} trials")
        place = f", saved under {folder}" if folder is not None else ""
        click.echo(f"{summary['vectors']} of them differ in a kernel of the protocol: a vector each{place}")
    return 0 if all(result.refuted for result in results) else 1


def save_vectors(results: list[mutants.Judged], folder: Path) -> None:
    """Write the vectors, each into the folder of the module that is wrong."""
    with Outputs() as outputs:
        for result in results:
            if result.vector:
                place = folder / result.mutant.module / f"{result.mutant.name}.json"
                with writing(str(place)):
                    place.parent.mkdir(parents=True, exist_ok=True)
                outputs.open(str(place)).write(result.vector.encode())


def show_mutants(results: list[mutants.Judged]) -> None:
    """Each mutant with what its theorems made of it, those that are not refuted first."""
    console = Console(highlight=False, soft_wrap=True)
    for result in results:
        tone, said = ("green", "refuted") if result.refuted else ("bold red", "NOT refuted")
        console.print(f"[{tone}]{said}[/] {escape(result.mutant.name)} ({result.mutant.module}) {escape(result.fault)}")
        for trial in result.trials:
            console.print(f"    {escape(_said(trial))}")


def _said(trial: Trial) -> str:
    """A trial in a line: the claim that fails, and the first of the numbers with which it does."""
    if trial.status != Status.REFUTED:
        return f"{trial.theorem}: {trial.status.value} {trial.note}"
    values = [f"{name} = {value}" for name, value in trial.values.items() if value not in ("0", "False")]
    more = f", and {len(values) - 4} more" if len(values) > 4 else ""
    return f"{trial.theorem}: {trial.claim!r} fails where {', '.join(values[:4]) or 'every number is 0'}{more}"


# SMT-LIB


def emit_files(names: list[str], jobs: int, folder: Path) -> int:
    """Write every obligation of these theorems as an SMT-LIB 2 file under a folder."""
    from clearspec_proofs.solving.emit import emit_all

    try:
        folder.mkdir(parents=True, exist_ok=True)
        counts = dict(followed(emit_all(names, folder, jobs), len(names), "writing"))
    except OSError as fault:
        raise BadInput(f"{folder}: {fault.strerror}") from None
    click.echo(f"{sum(counts.values())} obligations of {len(counts)} theorems under {folder}")
    return 0


# Another solver


def ask_other(names: list[str], jobs: int, json_file: str | None) -> int:
    """Ask cvc5 about every obligation of these theorems; 1 if it disagrees, or does not know and no waiver says why."""
    from clearspec_proofs.solving.second import Opinion, ask_all, document

    try:
        importlib.import_module("cvc5")
    except ImportError:
        raise BadInput(needs("a second opinion", "cvc5")) from None
    results = list(followed(ask_all(names, jobs), len(names), "asking cvc5"))
    found = document(results)
    write_json(json_file, found)
    if json_file != "-":
        for result in results:
            for digest, said in result.open.items():
                click.echo(f"{result.theorem} {digest}: {said}")
        counts = ", ".join(f"{found['summary'][entry.value]} {entry.value}" for entry in Opinion)
        click.echo(f"cvc5 on {found['summary']['obligations']} obligations: {counts}")
    return 1 if any(result.open for result in results) else 0
