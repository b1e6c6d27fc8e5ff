"""Generated mutants of the kernels: do the theorems alone tell each from the reference?

Each kernel that some theorem executes is written with one mistake at a time. A mutant is *refuted* by a theorem that
executes the kernel and of which a claim fails on the mutated reference, on plain numbers and without any stand-in;
*unproved* where no such numbers were found, but a theorem is no longer shown; else it *survives*. Survivors are listed
in ``proofs/mutants/equivalent.toml``, as equivalent with the reason, or as a gap.

``python -m clearspec_proofs.generated`` runs them, a shard at a time if asked, and goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import ast
import copy
import inspect
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any

from clearspec.rules import CHAPTERS
from clearspec_proofs.lifting.paths import explore
from clearspec_proofs.mutants import default_folder
from clearspec_proofs.purity import Text, reference, writes
from clearspec_proofs.reality import REFERENCE
from clearspec_proofs.records import Status
from clearspec_proofs.solving.emit import guide_for
from clearspec_proofs.theorems import Theorem, catalogue
from clearspec_proofs.trials.operators import Change, changes
from clearspec_proofs.trials.refuting import tried
from clearspec_proofs.trials.swapping import Unfit, recoded

SECONDS = 10.0
"""Time that one theorem has for one mutant."""

NEAREST = 40
"""Theorems that are tried on a mutant: those of its kernel's chapter and formula first, then those that execute least
beside it."""


KEPT = ("id", "kernel", "digest", "line", "before", "after", "by", "claim", "unproved")
"""What the report keeps of a record."""


class Fate(StrEnum):
    """What became of a mutant."""

    REFUTED = "refuted"
    UNPROVED = "unproved"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A kernel with one mistake."""

    id: str
    kernel: str
    change: Change
    digest: str

    @property
    def chapter(self) -> str:
        """Chapter of its kernel."""
        return self.kernel.partition(".")[0]


# Which theorem executes which kernel


@contextmanager
def called(found: set[str]) -> Iterator[None]:
    """Within it every function of the reference that is called is noted."""

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(REFERENCE):
            found.add(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def executes(theorem: Theorem, limit: int = 200) -> set[str]:
    """Functions of the reference that a theorem's paths call, of the first so many paths."""
    found: set[str] = set()
    with called(found):
        for number, _ in enumerate(explore(theorem.body, guide_for(theorem))):
            if number >= limit:
                break
    return found


def _executes_named(name: str) -> tuple[str, list[str]]:
    return name, sorted(executes(catalogue()[name]))


def executed_by(names: Sequence[str], jobs: int) -> dict[str, list[str]]:
    """Theorems by the functions that they execute, the nearest first."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        by_theorem = dict(pool.map(_executes_named, names))
    found: dict[str, list[str]] = {}
    for name in sorted(by_theorem, key=lambda name: (len(by_theorem[name]), name)):
        for function in by_theorem[name]:
            found.setdefault(function, []).append(name)
    return {function: nearest(function, theorems) for function, theorems in found.items()}


def nearest(function: str, theorems: Sequence[str]) -> list[str]:
    """The theorems to try on a mutant of a function."""
    own = (f"{function.partition('.')[0]}.", "exact.")
    return sorted(theorems, key=lambda name: not name.startswith(own))[:NEAREST]


# Mutants


@cache
def kernels() -> dict[str, Text]:
    """Functions of the chapters that write nothing and compute amounts and answers, by module and name.

    Checks that give nothing and only reject are no kernels.
    """
    chapters = set(CHAPTERS.values()) - {"invariants", "events"}
    return {
        f"{text.module}.{text.function.__qualname__}": text
        for text in reference()
        if text.module in chapters and not writes(text.function) and _answers(text.tree)
    }


def _answers(tree: ast.FunctionDef) -> bool:
    """Whether a function gives something."""
    return tree.returns is not None and ast.unparse(tree.returns) != "None"


def mutants_of(kernel: str) -> list[Mutant]:
    """Every mutant of a kernel."""
    text = kernels()[kernel]
    digest = sha256(inspect.getsource(text.function).encode()).hexdigest()[:12]
    count: Counter[str] = Counter()
    found = []
    tree = ast.increment_lineno(copy.deepcopy(text.tree), text.first - 1)
    for change in changes(tree):
        count[change.operator] += 1
        found.append(Mutant(f"{kernel}/{change.operator}-{count[change.operator]}", kernel, change, digest))
    return found


def judged(mutant: Mutant, theorems: Sequence[str], seconds: float = SECONDS) -> dict[str, Any]:
    """Try the theorems on a mutant until one refutes it."""
    function, unproved = kernels()[mutant.kernel].function, {}
    record: dict[str, Any] = {
        "id": mutant.id, "kernel": mutant.kernel, "digest": mutant.digest, "line": mutant.change.line,
        "before": mutant.change.before, "after": mutant.change.after, "theorems": sorted(theorems),
    }  # fmt: skip
    try:
        with recoded(function, mutant.change.definition):
            for name in theorems:
                trial = tried(catalogue()[name], seconds)
                if trial.status == Status.REFUTED:
                    return {**record, "fate": Fate.REFUTED, "by": name, "claim": trial.claim, "values": trial.values}
                if trial.status == Status.UNKNOWN:
                    unproved[name] = trial.note
    except Unfit as fault:
        return {**record, "fate": Fate.SURVIVED, "note": str(fault)}
    return {**record, "fate": Fate.UNPROVED if unproved else Fate.SURVIVED, "unproved": unproved}


def _judge_named(identifier: str, theorems: list[str], seconds: float) -> dict[str, Any]:
    mutant = next(entry for entry in mutants_of(identifier.partition("/")[0]) if entry.id == identifier)
    return judged(mutant, theorems, seconds)


def read_records(path: Path) -> dict[str, dict[str, Any]]:
    """Records of earlier runs, by mutant."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {record["id"]: record for record in map(json.loads, lines)}


def run(
    path: Path, by_kernel: dict[str, list[str]], jobs: int, seconds: float, shard: tuple[int, int] = (0, 1)
) -> Iterator[dict[str, Any]]:
    """Judge the mutants of a shard that have no record yet, and append their records to a file."""
    known = read_records(path)
    wanted = [mutant for kernel in sorted(kernels()) if kernel in by_kernel for mutant in mutants_of(kernel)]
    mine = [mutant for number, mutant in enumerate(wanted) if number % shard[1] == shard[0]]
    left = [mutant for mutant in mine if not settled(known.get(mutant.id, {}), mutant, by_kernel[mutant.kernel])]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool, path.open("a", encoding="utf-8") as file:
        waiting = [pool.submit(_judge_named, entry.id, by_kernel[entry.kernel], seconds) for entry in left]
        for future in as_completed(waiting):
            record = future.result()
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            yield record


def settled(record: dict[str, Any], mutant: Mutant, theorems: Sequence[str]) -> bool:
    """Whether a record still says what a trial would: refuted by a theorem that is there, or tried by the same ones."""
    if record.get("digest") != mutant.digest:
        return False
    return record.get("by") in theorems if record["fate"] == Fate.REFUTED else record["theorems"] == sorted(theorems)


# Report


def read_survivors(folder: Path | None = None) -> dict[str, dict[str, str]]:
    """Survivors with their reasons, by mutant.

    Raises:
        ValueError: an entry is not of that form.
    """
    path = (folder or default_folder()) / "equivalent.toml"
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", []) if path.exists() else []
    for entry in entries:
        if set(entry) != {"id", "before", "after", "kind", "reason"} or entry["kind"] not in ("equivalent", "gap"):
            raise ValueError(f"{path}: {entry.get('id')}: a survivor has id, before, after, kind, reason")
    return {entry["id"]: entry for entry in entries}


def fate_of(record: dict[str, Any], survivors: dict[str, dict[str, str]]) -> Fate:
    """What became of a mutant, with what is known of survivors; an entry that no longer fits does not count."""
    entry = survivors.get(record["id"])
    fits = entry is not None and (entry["before"], entry["after"]) == (record["before"], record["after"])
    if record["fate"] == Fate.REFUTED or entry is None or not fits:
        return Fate(record["fate"])
    return Fate(entry["kind"])


def score(counts: Counter[Fate]) -> float:
    """Refuted out of all that are not equivalent, per cent."""
    total = sum(counts.values()) - counts[Fate.EQUIVALENT]
    return 100.0 * counts[Fate.REFUTED] / total if total else 100.0


def tallies(records: Sequence[dict[str, Any]], key: Callable[[dict[str, Any]], str]) -> dict[str, Counter[Fate]]:
    """Fates by chapter, or by whatever ``key`` gives."""
    survivors = read_survivors()
    found: dict[str, Counter[Fate]] = {}
    for record in records:
        found.setdefault(key(record), Counter())[fate_of(record, survivors)] += 1
    return dict(sorted(found.items()))


def document(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole report as JSON."""
    survivors = read_survivors()
    total = tallies(records, lambda _: "all").get("all", Counter())
    chapters = tallies(records, lambda record: record["kernel"].partition(".")[0])
    return {
        "summary": {
            "kernels": len({record["kernel"] for record in records}),
            "mutants": len(records),
            **{fate.value: total[fate] for fate in Fate},
            "score": round(score(total), 1),
        },
        "chapters": {
            name: {**{fate.value: counts[fate] for fate in Fate}, "score": round(score(counts), 1)}
            for name, counts in chapters.items()
        },
        "mutants": [
            {**{key: record[key] for key in KEPT if key in record}, "fate": fate_of(record, survivors).value}
            for record in sorted(records, key=lambda record: str(record["id"]))
        ],
    }


def page(records: Sequence[dict[str, Any]]) -> str:
    """The report as Markdown."""
    report, survivors = document(records), read_survivors()
    summary = report["summary"]
    lines = [
        "# Generated mutants of the kernels", "",
        f"{summary['mutants']} mutants of {summary['kernels']} kernels; {summary['score']} % of those that are not "
        "equivalent are refuted by the theorems alone, each with numbers on which a claim fails on the mutated "
        "reference itself.", "",
        "| chapter | " + " | ".join(fate.value for fate in Fate) + " | score |",
        "|---" * (len(Fate) + 2) + "|",
    ]  # fmt: skip
    rows = [*report["chapters"].items(), ("all", summary)]
    lines += [
        f"| {name} | " + " | ".join(str(row[fate.value]) for fate in Fate) + f" | {row['score']} % |"
        for name, row in rows
    ]
    lines += ["", "## Not refuted", "", "| mutant | change | what it is |", "|---|---|---|"]
    for record in report["mutants"]:
        if record["fate"] != Fate.REFUTED:
            reason = survivors.get(record["id"], {}).get("reason", "no numbers found" if record.get("unproved") else "")
            change = f"`{record['before']}` -> `{record['after']}`".replace("|", "\\|")
            lines.append(f"| {record['id']} | {change} | {record['fate']}{': ' + reason if reason else ''} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run a shard, or write the report."""
    parser = argparse.ArgumentParser(prog="python -m clearspec_proofs.generated", description=__doc__)
    parser.add_argument("--records", type=Path, required=True, help="file of records, appended to")
    parser.add_argument("--shard", default="0/1", help="which part of how many, from 0")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time of one theorem for one mutant")
    parser.add_argument("--kernel", default="", help="only kernels whose name contains this")
    parser.add_argument("--report", type=Path, help="write MUTATION.md and mutants/generated.json into this folder")
    given = parser.parse_args(arguments)
    if given.report:
        records = list(read_records(given.records).values())
        (given.report / "MUTATION.md").write_text(page(records), encoding="utf-8")
        text = json.dumps(document(records), indent=1) + "\n"
        (given.report / "mutants" / "generated.json").write_text(text, encoding="utf-8")
        return 0
    by_kernel = {
        kernel: names
        for kernel, names in executed_by(list(catalogue()), given.jobs).items()
        if given.kernel in kernel and kernel in kernels()
    }
    part, _, parts = given.shard.partition("/")
    for record in run(given.records, by_kernel, given.jobs, given.seconds, (int(part), int(parts))):
        sys.stdout.write(f"{record['fate']} {record['id']} {record.get('by', '')}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
