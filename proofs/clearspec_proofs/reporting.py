"""Proofs as a terminal table, as JSON and as one self-contained page."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from clearspec_proofs.matrix import COLUMNS, Matrix
from clearspec_proofs.records import Status, Verdict, entry_of, summary_of
from clearspec_proofs.store import default_folder
from clearspec_proofs.theorems import catalogue

Versions = dict[str, str]
TONES = {Status.PROVED: "green", Status.REFUTED: "bold red", Status.UNKNOWN: "yellow"}


def generated_score() -> dict[str, Any] | None:
    """What the generated wrong references came to when they were last tried; ``None``: no report is stored."""
    path = default_folder().parent / "mutants" / "generated.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["summary"]
    return found


def document(verdicts: list[Verdict], seconds: float, cells: Matrix, solvers: Versions | None = None) -> dict[str, Any]:
    """Everything that is known, as JSON; ``solvers`` looked for the proofs, none at a re-check."""
    known = catalogue()
    return {
        "summary": summary_of(verdicts, seconds),
        "solvers": solvers or {},
        "mutation": generated_score(),
        "theorems": [entry_of(known[verdict.name], verdict) for verdict in verdicts],
        "matrix": cells,
    }


def failures_first(verdicts: list[Verdict]) -> list[Verdict]:
    """What is not proved first, the rest in order of their names."""
    order = {Status.REFUTED: 0, Status.UNKNOWN: 1, Status.PROVED: 2}
    return sorted(verdicts, key=lambda verdict: (order[verdict.status], verdict.name))


def print_table(verdicts: list[Verdict], console: Console) -> None:
    """A row for each theorem, and more of what is not proved."""
    table = Table(title="Theorems")
    table.add_column("theorem", overflow="fold")
    for heading in ("status", "strength"):
        table.add_column(heading, no_wrap=True)
    for heading in ("paths", "shown", "certified", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for verdict in failures_first(verdicts):
        strength = catalogue()[verdict.name].strength.value
        figures = (verdict.paths, verdict.obligations, verdict.certified)
        status = f"[{TONES[verdict.status]}]{verdict.status.value}[/]"
        table.add_row(verdict.name, status, strength, *map(str, figures), f"{verdict.seconds:.2f}")
    console.print(table)
    for verdict in failures_first(verdicts):
        if verdict.status != Status.PROVED:
            print_failure(verdict, console)


def print_failure(verdict: Verdict, console: Console) -> None:
    """A theorem that is not proved: the sentence, what failed, and the values."""
    console.print(f"\n[bold]{verdict.name}[/] {verdict.status.value}: {verdict.note}", highlight=False)
    console.print(f"  {catalogue()[verdict.name].sentence}", highlight=False)
    found = verdict.counterexample
    if found is not None:
        how = "and fails when the reference runs" if found.confirmed else found.note
        console.print(f"  claim {found.claim!r} fails with the values below, {how}", highlight=False)
        for name, value in found.values.items():
            if value != "0":
                console.print(f"    {name} = {value}", highlight=False)
        for line in found.calls:
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def print_matrix(cells: Matrix, console: Console) -> None:
    """Invariants and events; a blank cell is one that no theorem fills."""
    table = Table(title="Which events are proved to keep which invariants (INV-1 to INV-17)", padding=(0, 0))
    for heading in ("event", *(column.removeprefix("INV-") for column in COLUMNS)):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "event" else "center")
    for event, row in cells.items():
        table.add_row(event, *("✓" if row[column] else "-" for column in COLUMNS))
    console.print(table)


def page(verdicts: list[Verdict], seconds: float, cells: Matrix, solvers: Versions | None = None) -> str:
    """The report as one page that loads nothing."""
    loader = FunctionLoader(lambda name: files("clearspec_proofs").joinpath(name).read_text(encoding="utf-8"))
    environment = Environment(loader=loader, undefined=StrictUndefined, autoescape=True, trim_blocks=True)
    found = document(failures_first(verdicts), seconds, cells, solvers)
    slowest = max((entry["seconds"] for entry in found["theorems"]), default=0) or 1
    chapters = Counter(entry["name"].split(".")[0] for entry in found["theorems"])
    return environment.get_template("page.html").render(
        summary=found["summary"], theorems=found["theorems"], matrix=cells, columns=COLUMNS, slowest=slowest,
        chapters=chapters, solvers=found["solvers"], mutation=found["mutation"],
    )  # fmt: skip
