"""A second opinion: another solver is asked about every obligation, and agrees, does not know, or disagrees.

Certificates need no second opinion, for they are checked. What is compared here is whether the obligations say what
they should: a solver that reads them as text, by other people, must find them contradictory too.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from clearspec_proofs.solving.emit import INTEGERS, REALS, Obligation, guide_for, obligations_of
from clearspec_proofs.theorems import catalogue

EFFORT = 20_000
"""Limit of one question, in cvc5's own units, which do not depend on the machine."""
ADDING_UP = 10
"""How much more effort goes into a question of which the products are written out."""


class Opinion(StrEnum):
    """What the other solver makes of an obligation."""

    AGREES = "agrees"
    AGREES_OVER_REALS = "agrees over the reals"
    AGREES_WITH_PRODUCTS = "agrees once products are written out"
    UNKNOWN = "unknown"
    WAIVED = "unknown, waived"
    DISAGREES = "disagrees"


Solver = Callable[[str, int], str]
"""Reads an SMT-LIB 2 script and a limit of effort; answers sat, unsat or unknown."""


def cvc5_answer(text: str, effort: int) -> str:
    """What cvc5 says of a script."""
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("rlimit", str(effort))
    parser = cvc5.InputParser(solver)
    asked = text.replace("(set-info :status unsat)\n", "")
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, asked, "obligation")
    said, symbols = "", parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        said += command.invoke(solver, symbols)
    return said.strip() or "unknown"


def opinion(obligation: Obligation, whole: bool, solver: Solver = cvc5_answer) -> Opinion:
    """What another solver makes of an obligation.

    It is asked of integers first; then over the reals, which says more; last with what the certificate multiplies
    written out, so that it has to follow the certificate's sum.
    """
    said = solver(obligation.text(INTEGERS, whole), EFFORT)
    if said in ("unsat", "sat"):
        return Opinion.AGREES if said == "unsat" else Opinion.DISAGREES
    if solver(obligation.text(REALS, whole), EFFORT) == "unsat":
        return Opinion.AGREES_OVER_REALS
    said = solver(obligation.text(REALS, whole, products=True), ADDING_UP * EFFORT)
    return Opinion.AGREES_WITH_PRODUCTS if said == "unsat" else Opinion.UNKNOWN


@dataclass(slots=True)
class Asked:
    """Opinions on the obligations of a theorem; those that are not plain agreement by their digest."""

    theorem: str
    counts: Counter[str] = field(default_factory=Counter)
    open: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "theorem": self.theorem,
            **{entry.value: self.counts[entry] for entry in Opinion},
            "open": self.open,
            "seconds": round(self.seconds, 2),
        }


def default_waivers() -> Path:
    """Where the waivers of this distribution are."""
    beside = Path(__file__).parents[2] / "waivers.toml"
    return beside if beside.is_file() else Path(__file__).parents[1] / "waivers.toml"


def read_waivers(path: Path | None = None) -> dict[str, str]:
    """Digests of obligations on which the other solver need not know anything, with the reason.

    Raises:
        ValueError: the file is not of that form.
    """
    text = (path or default_waivers()).read_text(encoding="utf-8")
    entries = tomllib.loads(text).get("waiver", [])
    if any(set(entry) != {"theorem", "obligation", "reason"} for entry in entries):
        raise ValueError(f"{path}: a waiver has the fields theorem, obligation, reason")
    return {entry["obligation"]: entry["reason"] for entry in entries}


def sampled(found: Iterable[Obligation], limit: int | None, name: str) -> Sequence[Obligation]:
    """All obligations, each kind once, or ``limit`` drawn from them."""
    distinct = list({entry.digest: entry for entry in found}.values())
    return distinct if limit is None or len(distinct) <= limit else Random(name).sample(distinct, limit)


def asked(name: str, whole: bool = False, limit: int | None = None, waivers: dict[str, str] | None = None) -> Asked:
    """Ask cvc5 about the obligations of a theorem, or about ``limit`` of them.

    With ``whole`` it gets every hypothesis of the path instead of those that the certificate cites.
    """
    theorem, known = catalogue()[name], waivers or {}
    result, start = Asked(name), perf_counter()
    for entry in sampled(obligations_of(theorem, guide_for(theorem)), limit, name):
        found = opinion(entry, whole)
        if found == Opinion.UNKNOWN and entry.digest in known:
            found = Opinion.WAIVED
        result.counts[found] += 1
        if found in (Opinion.UNKNOWN, Opinion.DISAGREES):
            result.open[entry.digest] = f"{found}: {entry.claim}"
    result.seconds = perf_counter() - start
    return result


def ask_all(names: Sequence[str], jobs: int, whole: bool = False, limit: int | None = None) -> Iterator[Asked]:
    """Opinions on the obligations of several theorems, in the order in which they come."""
    waivers = {} if whole else read_waivers()
    with ProcessPoolExecutor(max(1, jobs)) as pool:
        for future in as_completed([pool.submit(asked, name, whole, limit, waivers) for name in names]):
            yield future.result()


def document(results: Sequence[Asked]) -> dict[str, Any]:
    """Opinions as one JSON document."""
    total = {entry.value: sum(result.counts[entry] for result in results) for entry in Opinion}
    return {
        "summary": {
            "obligations": sum(total.values()),
            **total,
            "seconds": round(sum(result.seconds for result in results), 1),
        },
        "theorems": [result.document() for result in sorted(results, key=lambda result: result.theorem)],
    }
