"""Named mistakes put into the reference on purpose: each must be refuted by the theorems that guard against it.

They stand in ``proofs/mutants/*.toml``: a text that occurs once in a module of the reference, and what a mistaken
author might have written there. A mutant is refuted by a theorem where a claim of the theorem fails on the mutated
reference, on plain numbers and without any stand-in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from clearspec.codec import canonical_bytes
from clearspec_proofs.records import Status
from clearspec_proofs.theorems import catalogue
from clearspec_proofs.trials.refuting import Trial, tried
from clearspec_proofs.trials.swapping import Unfit, swapped
from clearspec_proofs.trials.witness import Answers, answers_of, vector_of

SECONDS = 60.0
"""Time that a theorem has to refute a mutant."""

FIELDS = {"name": str, "story": str, "theorems": list, "module": str, "before": str, "after": str}


class MutantError(ValueError):
    """Files of mutants that cannot be used; the message names file and mutant."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: a sentence about it, the text that it exchanges in a module, and the theorems that must refute it."""

    name: str
    story: str
    theorems: tuple[str, ...]
    module: str
    before: str
    after: str
    numbers: dict[str, int | str] = field(default_factory=dict)
    """Numbers and options that are tried first, where they are hard to find."""


@dataclass(slots=True)
class Judged:
    """A mutant and what each of its theorems made of it."""

    mutant: Mutant
    trials: list[Trial] = field(default_factory=list)
    fault: str = ""
    vector: str = ""
    """A conformance vector that tells it from the reference, as JSON; empty: it is in no kernel of the protocol."""

    @property
    def refuted(self) -> bool:
        """Whether every theorem that must refute it does."""
        return bool(self.trials) and all(trial.status == Status.REFUTED for trial in self.trials)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.mutant.name,
            "story": self.mutant.story,
            "module": self.mutant.module,
            "refuted": self.refuted,
            "fault": self.fault,
            "vector": bool(self.vector),
            "trials": [trial.document() for trial in self.trials],
        }


HISTORICAL: dict[str, str] = {
    "requirement rounded in the user's favour": "requirement-rounded-in-the-users-favour",
    "funding rounded per position instead of once": "funding-rounded-per-position",
    "a remainder without owner": "remainder-without-an-owner",
    "collateral moved before the insurance payment": "collateral-moved-before-the-insurance-payment",
    "one pool shared by isolated markets": "one-pool-shared-by-isolated-markets",
    "unrealised profit withdrawable past the margin": "unrealised-profit-withdrawable",
    "auto-deleveraging rank with the wrong sign for shorts": "rank-of-shorts-with-the-wrong-sign",
    "a ceil that adds one to exact divisions": "div-ceil-adds-one-to-exact-divisions",
    "liquidation exit buffer of zero": "exit-buffer-of-zero",
    "funding cap per interval with a changeable interval": "funding-cap-applied-per-interval",
}
"""Mistakes that clearinghouses made, by what they were; each with the mutant that repeats it."""


def default_folder() -> Path:
    """Where the mutants of this distribution are: in a checkout beside the package, else inside it."""
    beside = Path(__file__).parents[1] / "mutants"
    return beside if beside.is_dir() else Path(__file__).parent / "mutants"


def _mutant(entry: Any, place: str) -> Mutant:
    """One entry of a file.

    Raises:
        MutantError: it is not of the form of a mutant.
    """
    if not isinstance(entry, dict) or set(entry) - {"numbers"} != set(FIELDS):
        raise MutantError(f"{place}: a mutant has the fields {', '.join(FIELDS)}")
    wrong = [name for name, kind in FIELDS.items() if not isinstance(entry[name], kind)]
    if wrong or not entry["theorems"] or not all(isinstance(name, str) for name in entry["theorems"]):
        raise MutantError(f"{place}: {entry['name']}: {wrong[0] if wrong else 'theorems'} is of another type")
    if not all(type(value) in (int, str, bool) for value in entry.get("numbers", {}).values()):
        raise MutantError(f"{place}: {entry['name']}: numbers are whole numbers or options by name")
    return Mutant(**{**entry, "theorems": tuple(entry["theorems"])})


def read_mutants(folder: Path | None = None) -> dict[str, Mutant]:
    """Every mutant by its name.

    Raises:
        MutantError: a file is no file of mutants, or a name stands twice.
    """
    found: dict[str, Mutant] = {}
    for path in sorted((folder or default_folder()).glob("*.toml")):
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
        except (OSError, ValueError) as fault:
            raise MutantError(f"{path}: {fault}") from fault
        for entry in entries:
            mutant = _mutant(entry, str(path))
            if mutant.name in found:
                raise MutantError(f"{path}: {mutant.name} stands twice")
            found[mutant.name] = mutant
    return found


def judged(mutant: Mutant, seconds: float = SECONDS) -> Judged:
    """Try every theorem that must refute a mutant."""
    known = catalogue()
    result = Judged(mutant)
    missing = [name for name in mutant.theorems if name not in known]
    if missing:
        result.fault = f"{missing[0]} is no theorem"
        return result
    answers: dict[str, Answers] = {}
    try:
        with swapped(mutant.module, mutant.before, mutant.after):
            result.trials = [tried(known[name], seconds, known=mutant.numbers) for name in mutant.theorems]
            for trial in result.trials:
                if trial.status == Status.REFUTED:
                    answers[trial.theorem] = answers_of(known[trial.theorem], trial.drawn)
    except Unfit as fault:
        result.fault = str(fault)
    vectors = (vector_of(mutant.name, mutant.story, known[name], found) for name, found in answers.items())
    result.vector = next((text_of(vector) for vector in vectors if vector is not None), "")
    return result


def text_of(vector: Any) -> str:
    """A vector as its file holds it."""
    return canonical_bytes(vector).decode() + "\n"


def _judge_named(name: str, folder: str, seconds: float) -> Judged:
    return judged(read_mutants(Path(folder))[name], seconds)


def run_mutants(
    names: Sequence[str] = (), jobs: int = 1, folder: Path | None = None, seconds: float = SECONDS
) -> Iterator[Judged]:
    """Judge mutants, those named or all; results in the order in which they come.

    Raises:
        MutantError: a name is unknown, or the files cannot be used.
    """
    place = folder or default_folder()
    known = read_mutants(place)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MutantError(f"no mutant is called {unknown[0]!r}")
    with ProcessPoolExecutor(max(1, jobs), mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_judge_named, name, str(place), seconds) for name in (names or known)]
        for future in as_completed(waiting):
            yield future.result()


def document(results: Sequence[Judged]) -> dict[str, Any]:
    """Results as one JSON document."""
    ordered = sorted(results, key=lambda result: result.mutant.name)
    return {
        "summary": {
            "mutants": len(ordered),
            "refuted": sum(result.refuted for result in ordered),
            "vectors": sum(bool(result.vector) for result in ordered),
            "trials": sum(len(result.trials) for result in ordered),
            "seconds": round(sum(trial.seconds for result in ordered for trial in result.trials), 1),
        },
        "mutants": [result.document() for result in ordered],
    }
