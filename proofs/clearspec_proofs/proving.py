"""Proves theorems: explores every path, keeps the certificates, and says honestly what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.lifting.paths import Discarded, Ended, Failed, Path, Unliftable, explore
from clearspec_proofs.lifting.recorded import Nodes, Recorded
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.solving.search import Budget, Searching, model_of
from clearspec_proofs.theorems import Theorem, catalogue

PATHS_MAX = 20_000
MODELS_MAX = 20
"""Paths to a mark of which the solver is asked for a model."""


class Status(StrEnum):
    """What came of a theorem."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Counterexample:
    """A path on which a claim does not hold: the claim, the values, and what a run of the reference on them gave.

    ``confirmed``: the claim fails on the reference itself, without any stand-in.
    """

    claim: str
    values: dict[str, str]
    confirmed: bool
    note: str = ""


@dataclass(slots=True)
class Verdict:
    """What came of a theorem, and at what cost."""

    name: str
    status: Status
    paths: int = 0
    discarded: int = 0
    certified: int = 0
    claims: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    seconds: float = 0.0
    counterexample: Counterexample | None = None
    note: str = ""
    nodes: Nodes = field(default_factory=dict)


def chosen(path: Path) -> dict[str, Any]:
    """The first option that each choice still has."""
    return {name: options[0] for name, options in path.choices.items()}


def replayed(theorem: Theorem, values: Given, stand_ins: bool) -> str | None:
    """Run a theorem on plain numbers; the claim that fails, or ``None``."""
    try:
        theorem.body(Concrete(values, stand_ins))
    except Failed as failed:
        return failed.claim
    except Discarded:
        return None
    return None


def counterexample(theorem: Theorem, end: Ended, budget: Budget) -> Counterexample | None:
    """Values for a path that failed, tried on the reference; ``None``: the solver finds none."""
    model = model_of(end.path, budget)
    if model is None:
        return None
    options = chosen(end.path)
    given = Given(model, options)
    shown = {**{name: str(value) for name, value in model.items()}, **{k: str(v) for k, v in options.items()}}
    claim = replayed(theorem, given, stand_ins=False)
    if claim is not None:
        return Counterexample(claim, shown, True)
    again = replayed(theorem, given, stand_ins=True)
    note = "fails with stand-ins alone" if again else "does not fail when it is run"
    return Counterexample(end.failed or "", shown, False, note)


@dataclass(slots=True)
class Tally:
    """What the paths of a theorem have in common."""

    verdict: Verdict
    assumed: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    reached: dict[str, list[Path]] = field(default_factory=dict)
    contracts: set[str] = field(default_factory=set)

    def add(self, end: Ended) -> None:
        """Count a path."""
        path, verdict = end.path, self.verdict
        verdict.paths += 1
        verdict.discarded += end.discarded
        verdict.certified += path.certificates
        verdict.claims += [name for name in path.claims if name not in verdict.claims]
        self.assumed |= {entry.origin for entry in path.hypotheses}
        self.used |= path.used
        self.contracts |= path.contracts
        if not end.discarded:
            for mark in path.marks:
                self.reached.setdefault(mark, []).append(path)

    def close(self) -> Verdict:
        """The verdict with what was gathered."""
        named = {origin for origin in self.assumed if not origin.startswith(("range", "division", "decision"))}
        self.verdict.unused = sorted(named - self.used - set(self.verdict.claims) - {"divisor"})
        self.verdict.contracts = sorted(self.contracts)
        self.verdict.marks = sorted(self.reached)
        return self.verdict


def prove(theorem: Theorem, budget: Budget | None = None) -> Verdict:
    """Look for a proof of a theorem, from nothing."""
    budget = budget or Budget()
    guide = Searching(budget)
    verdict = Verdict(theorem.name, Status.PROVED)
    tally, start = Tally(verdict), time.perf_counter()
    try:
        for end in explore(theorem.body, guide, PATHS_MAX):
            tally.add(end)
            if end.failed is not None:
                _refuse(theorem, verdict, end, budget)
                break
        else:
            _require_marks(theorem, tally, budget)
    except (LeavesSubset, Unliftable) as fault:
        verdict.status, verdict.note = Status.UNKNOWN, str(fault)
    verdict.nodes = dict(guide.found)
    verdict.seconds = time.perf_counter() - start
    return tally.close()


def _refuse(theorem: Theorem, verdict: Verdict, end: Ended, budget: Budget) -> None:
    """A path failed: refuted if the reference itself fails on its values."""
    found = counterexample(theorem, end, budget)
    verdict.counterexample = found
    verdict.status = Status.REFUTED if found is not None and found.confirmed else Status.UNKNOWN
    verdict.note = f"not shown: {end.failed}"


def _require_marks(theorem: Theorem, tally: Tally, budget: Budget) -> None:
    """A theorem that no execution reaches says nothing."""
    for mark in theorem.marks:
        paths = tally.reached.get(mark, [])
        if not any(model_of(path, budget) is not None for path in paths[:MODELS_MAX]):
            tally.verdict.status = Status.UNKNOWN
            tally.verdict.note = f"empty: no path to {mark!r} is known to have a model"


def recheck(theorem: Theorem, nodes: Nodes) -> Verdict:
    """Check recorded certificates by executing the reference again; needs no solver.

    Raises:
        Unfounded: a certificate shows nothing.
    """
    guide = Recorded(nodes)
    verdict = Verdict(theorem.name, Status.PROVED)
    tally, start = Tally(verdict), time.perf_counter()
    for end in explore(theorem.body, guide, PATHS_MAX):
        tally.add(end)
        if end.failed is not None:
            verdict.status, verdict.note = Status.UNKNOWN, f"not shown: {end.failed}"
            break
    surplus = set(nodes) - guide.asked
    if verdict.status == Status.PROVED and surplus:
        verdict.status, verdict.note = Status.UNKNOWN, f"{len(surplus)} certificates are never asked for"
    verdict.seconds = time.perf_counter() - start
    return tally.close()


def _prove_named(name: str, budget: Budget) -> Verdict:
    return prove(catalogue()[name], budget)


def prove_all(names: list[str], jobs: int, budget: Budget | None = None) -> Iterator[Verdict]:
    """Prove theorems on several processes; verdicts in the order in which they come."""
    budget = budget or Budget()
    if jobs <= 1:
        for name in names:
            yield _prove_named(name, budget)
        return
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_prove_named, name, budget) for name in names]
        for future in as_completed(waiting):
            yield future.result()
