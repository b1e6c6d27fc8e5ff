"""``clearspec trace``: which code, example, theorems, vectors and mutants stand behind each rule, and what has none."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import clearspec
import clearspec.invariants
import clearspec.machine
import clearspec.snapshot
from clearspec.events import REASONS, Reason
from clearspec.formats import Vector
from clearspec.rules import CHAPTERS, IMPLEMENTED
from clearspec.scenario import spec_folder
from clearspec_conformance.formats import KernelVector
from clearspec_conformance.mutation import generated
from clearspec_conformance.suite import Suite, load_suite, vectors_folder

HEADING = re.compile(r"^## ([A-Z]+-[1-9][0-9]*) (.+)$", re.MULTILINE)

NOT_EVENTS = {"EVENT-10", "EVENT-11", "EVENT-12", "EVENT-14"}
"""Rules about bytes, formats, snapshots and the root, which a vector of events cannot show; tests and doors do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A rule: its title, the functions that implement it, whether it has a worked example, what cites it.

    ``mutants`` is the number of generated wrong clearinghouses that break it.
    """

    rule: str
    title: str
    code: list[str]
    example: bool
    theorems: list[str]
    vectors: list[str]
    mutants: int


def sections() -> Iterator[tuple[str, str, str]]:
    """Id, title and text of every rule of the spec, in order of the chapters."""
    for chapter in CHAPTERS.values():
        text = (spec_folder() / f"{chapter}.md").read_text(encoding="utf-8")
        found = list(HEADING.finditer(text))
        for match, end in zip(found, [*(after.start() for after in found[1:]), len(text)], strict=True):
            yield match[1], match[2], text[match.end() : end]


def proofs_folder() -> Path:
    """Where the stored proofs are: in a checkout, or installed with the package."""
    beside = Path(__file__).resolve().parents[2] / "proofs" / "certificates"
    return beside if beside.is_dir() else Path(clearspec.__file__).parents[1] / "clearspec_proofs" / "certificates"


def proved(folder: Path) -> dict[str, list[str]]:
    """Rules to the proved theorems that cite them; nothing where no proofs are stored."""
    path = folder / "manifest.json"
    if not path.is_file():
        return {}
    found: dict[str, list[str]] = {}
    for entry in json.loads(path.read_text(encoding="utf-8"))["theorems"]:
        if entry["status"] == "proved":
            for rule in entry["rules"]:
                found.setdefault(rule, []).append(entry["name"])
    return found


def mutants_of_rules() -> Counter[str]:
    """How many generated mutants break each rule."""
    return Counter(rule for mutant in generated("") for rule in mutant.rules)


def rows(suite: Suite) -> list[Row]:
    """A row for each rule of the spec."""
    theorems, mutants = proved(proofs_folder()), mutants_of_rules()
    citing: dict[str, list[str]] = {}
    for entry in suite.entries:
        for rule in entry.rules:
            citing.setdefault(rule, []).append(entry.id)
    return [
        Row(
            rule,
            title,
            [f"{found.__module__}.{found.__qualname__}" for found in IMPLEMENTED.get(rule, [])],
            "```python" in text,
            theorems.get(rule, []),
            citing.get(rule, []),
            mutants[rule],
        )
        for rule, title, text in sections()
    ]


def reasons_given(suite: Suite) -> set[Reason]:
    """Reasons that some vector expects."""
    vectors = [entry.vector for entry in suite.entries]
    steps = (step for vector in vectors if isinstance(vector, Vector) for step in vector.steps)
    return {step.receipt.reason for step in steps if step.receipt.reason is not None}


def gaps(suite: Suite, found: list[Row]) -> Iterator[str]:
    """What is missing: a rule without code, example or vector; an unknown id; a reason that no vector gives."""
    known = {row.rule for row in found}
    for row in found:
        if not row.code:
            yield f"{row.rule}: no code cites it"
        if not row.example:
            yield f"{row.rule}: no worked example"
        if not row.vectors and row.rule not in NOT_EVENTS and not row.rule.startswith("INV-"):
            yield f"{row.rule}: no vector"
    for rule in proved(proofs_folder()):
        if rule not in known:
            yield f"{rule}: cited by a theorem, not in the spec"
    yield from (f"{rule}: cited by code, not in the spec" for rule in IMPLEMENTED if rule not in known)
    for entry in suite.entries:
        yield from (f"{rule}: cited by vector {entry.id}, not in the spec" for rule in entry.rules if rule not in known)
    for reason in sorted(set(REASONS) - reasons_given(suite)):
        yield f"{reason}: no vector gives this reason"


def shown(found: list[Row]) -> Table:
    """The rows as a table."""
    table = Table(title="Rules, and what stands behind them")
    for heading in ("rule", "title", "code", "example", "theorems", "vectors", "mutants"):
        table.add_column(heading, justify="right" if heading in ("theorems", "vectors", "mutants") else "left")
    for row in found:
        names = ", ".join(name.removeprefix("clearspec.") for name in row.code)
        counts = map(str, (len(row.theorems), len(row.vectors), row.mutants))
        table.add_row(row.rule, row.title, names, "yes" if row.example else "NO", *counts)
    return table


@click.command("trace", epilog="Example: clearspec trace --check; exit code 1 if something is missing")
@click.option("--check", is_flag=True, help="Print only what is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(check: bool, as_json: bool) -> int:
    """Show for each rule its code, worked example, theorems, vectors and mutants, and what is missing."""
    suite = load_suite(vectors_folder())
    found = rows(suite)
    missing = list(gaps(suite, found))
    if as_json:
        click.echo(json.dumps({"rules": [asdict(row) for row in found], "missing": missing}, indent=1))
    elif not check:
        Console().print(shown(found))
    if not as_json:
        kernels = sum(isinstance(entry.vector, KernelVector) for entry in suite.entries)
        for line in missing:
            click.echo(line)
        about = f"{sum(bool(row.theorems) for row in found)} of them in theorems"
        vectors = f"{len(suite.entries)} vectors ({kernels} of kernels)"
        click.echo(f"{len(found)} rules, {about}, {vectors}, {len(missing)} missing")
    return 1 if missing and check else 0
