"""Proves theorems: explores every path, keeps the certificates, and says honestly what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.lifting.paths import Discarded, Ended, Failed, Path, Unliftable, erred, explore
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.rechecking import PATHS_MAX, recheck
from clearspec_proofs.records import Counterexample, Status, Tally, Verdict
from clearspec_proofs.solving.search import Budget, Searching, model_of
from clearspec_proofs.theorems import Theorem, catalogue
from clearspec_proofs.trials.witness import told, witnessed

MODELS_MAX = 20
"""Paths to a mark of which the solver is asked for a model."""


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
    except LeavesSubset:
        raise
    except Exception as fault:
        return erred(fault)
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
        return Counterexample(claim, shown, True, calls=told(witnessed(theorem, {**model, **options})))
    again = replayed(theorem, given, stand_ins=True)
    note = "fails with stand-ins alone" if again else "does not fail when it is run"
    return Counterexample(end.failed or "", shown, False, note)


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
    if not theorem.marks and not any(model_of(path, budget) is not None for path in tally.ended + _marked(tally)):
        tally.verdict.status = Status.UNKNOWN
        tally.verdict.note = "empty: no path to its end is known to have a model"


def _marked(tally: Tally) -> list[Path]:
    return [path for paths in tally.reached.values() for path in paths[:MODELS_MAX]]


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


__all__ = ["PATHS_MAX", "Counterexample", "Status", "Tally", "Verdict", "prove", "prove_all", "recheck", "replayed"]
