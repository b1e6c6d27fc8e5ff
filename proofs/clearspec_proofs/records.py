"""What is known of a theorem after it was proved or re-checked, in memory and as JSON. Needs no solver."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from clearspec_proofs.lifting.paths import Ended, Path
from clearspec_proofs.lifting.recorded import Nodes
from clearspec_proofs.stand_ins import left_in_place
from clearspec_proofs.theorems import Theorem

ENDED_MAX = 20
"""Paths that are kept of a theorem that names no points to reach."""


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
    calls: list[str] = field(default_factory=list)
    """Events and kernels that the reference was asked, with its answers, each a line of JSON."""


@dataclass(slots=True)
class Verdict:
    """What came of a theorem, and at what cost."""

    name: str
    status: Status
    paths: int = 0
    discarded: int = 0
    certified: int = 0
    evident: int = 0
    claims: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    contracts: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    digest: str = ""
    seconds: float = 0.0
    counterexample: Counterexample | None = None
    note: str = ""
    nodes: Nodes = field(default_factory=dict)

    @property
    def obligations(self) -> int:
        """Outcomes that had to be shown impossible: by a certificate, or evident from known bounds."""
        return self.certified + self.evident + (self.status != Status.PROVED)


@dataclass(slots=True)
class Tally:
    """What the paths of a theorem have in common."""

    verdict: Verdict
    assumed: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    reached: dict[str, list[Path]] = field(default_factory=dict)
    contracts: set[str] = field(default_factory=set)
    obligations: list[str] = field(default_factory=list)
    ended: list[Path] = field(default_factory=list)
    """The first paths that come to their end, of a theorem that names no points to reach."""

    def add(self, end: Ended) -> None:
        """Count a path."""
        path, verdict = end.path, self.verdict
        verdict.paths += 1
        verdict.discarded += end.discarded
        verdict.certified += len(path.obligations)
        verdict.evident += path.evidently
        verdict.claims += [name for name in path.claims if name not in verdict.claims]
        self.assumed |= {entry.origin for entry in path.hypotheses}
        self.used |= path.used
        self.contracts |= path.contracts
        self.obligations += path.obligations
        if not end.discarded:
            if not path.marks and len(self.ended) < ENDED_MAX:
                self.ended.append(path)
            for mark in path.marks:
                self.reached.setdefault(mark, []).append(path)

    def close(self) -> Verdict:
        """The verdict with what was gathered."""
        verdict = self.verdict
        if left := left_in_place():
            verdict.status, verdict.note = Status.UNKNOWN, f"a stand-in for {left[0]} was left in place"
        named = {origin for origin in self.assumed if not origin.startswith(("range", "division", "decision"))}
        named -= {*verdict.claims, "divisor"}
        verdict.used = sorted(named & self.used)
        verdict.unused = sorted(named - self.used)
        verdict.contracts = sorted(self.contracts)
        verdict.marks = sorted(self.reached)
        verdict.digest = sha256("\n".join(sorted(self.obligations)).encode()).hexdigest()
        return verdict


def entry_of(theorem: Theorem, verdict: Verdict) -> dict[str, Any]:
    """A theorem and what came of it, as JSON."""
    found = verdict.counterexample
    shown = None if found is None else {
        "claim": found.claim, "confirmed": found.confirmed, "note": found.note, "values": found.values,
        "calls": found.calls,
    }  # fmt: skip
    return {
        "name": theorem.name,
        "sentence": theorem.sentence,
        "rules": list(theorem.rules),
        "strength": theorem.strength.value,
        "file": theorem.file,
        "line": theorem.line,
        "status": verdict.status.value,
        "paths": verdict.paths,
        "discarded": verdict.discarded,
        "obligations": verdict.obligations,
        "certified": verdict.certified,
        "evident": verdict.evident,
        "claims": verdict.claims,
        "marks": verdict.marks,
        "stand_ins": verdict.contracts,
        "hypotheses_used": verdict.used,
        "hypotheses_unused": verdict.unused,
        "obligations_digest": verdict.digest,
        "seconds": round(verdict.seconds, 3),
        "counterexample": shown,
        "note": verdict.note,
    }


def summary_of(verdicts: list[Verdict], seconds: float) -> dict[str, Any]:
    """Counts over all theorems, as JSON."""
    by_status = {status.value: sum(verdict.status == status for verdict in verdicts) for status in Status}
    return {
        "theorems": len(verdicts),
        **by_status,
        "obligations": sum(verdict.obligations for verdict in verdicts),
        "certified": sum(verdict.certified for verdict in verdicts),
        "evident": sum(verdict.evident for verdict in verdicts),
        "paths": sum(verdict.paths for verdict in verdicts),
        "seconds": round(seconds, 1),
    }
