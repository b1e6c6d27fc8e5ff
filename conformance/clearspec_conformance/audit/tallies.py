"""What an audit counts while it runs, and how the counts of its segments become one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from clearspec.invariants import INVARIANTS
from clearspec_conformance.audit.comparing import COMPARED, NOT_COMPARED
from clearspec_conformance.audit.formats import CheckRecord, FieldRecord, FindingRecord, Stop, Subject
from clearspec_conformance.audit.lines import Census

MOST_FINDINGS = 1_000
"""Findings that are kept; the rest is counted."""

MOST_POINTS = 512
"""Points of a series."""

OTHER = "other"
"""Stands for every reason that is none of the spec's."""


NOTHING, POSTINGS, SIZES, COSTS, DEBTS, AMOUNTS = 0, 1, 2, 4, 8, 16
"""What is known of the engine's own numbers after an event; flags, added up.

All postings so far; the sizes of all positions; their costs too; what they owe too; the amounts of the event.
"""

WHOLE, SETTLING, INTEREST, BALANCES, POSITIONS, INDICES = 32, 64, 128, 256, 512, 1024
"""What it published beside its receipt; flags too.

A whole observable snapshot; with a market in final settlement; open interest, balances, positions or funding indices
that could be compared with what its own postings, fills and steps lead to.
"""


LACKING = {
    POSTINGS: "not all postings are published",
    SIZES: "sizes are not known: a default does not tell who lost how many lots",
    COSTS: "costs do not follow: postings, their causes or amounts are not published",
    DEBTS: "what positions owe is not known, after a default or without the steps of the funding index",
    AMOUNTS: "the amounts of prices are not published",
    WHOLE: "no whole observable snapshot is published",
    INTEREST: "no open interest is published with sizes that are known",
    BALANCES: "no balance is published that its postings lead to",
    POSITIONS: "no position is published that its fills lead to",
    INDICES: "no funding index is published with steps that are known",
}
"""What to say where something is not known; of several the first."""

UNSETTLED = "a market is in final settlement, whose settled residual is not published"
DERIVED = POSTINGS | SIZES | COSTS | DEBTS


@dataclass(frozen=True, slots=True)
class Check:
    """A check on the engine's own numbers: what suffices for it, and its limits.

    ``any_of`` are alternatives, each a set of what must be known; the last is the one that asks for least. With
    ``sums`` a market in final settlement keeps a whole observable snapshot from sufficing.
    """

    id: str
    sentence: str
    any_of: tuple[int, ...]
    limits: str = ""
    sums: bool = False

    def made(self, known: int) -> bool:
        """Whether the check was made after an event of which this was known."""
        return any(part & known == part and not self.is_hindered(part, known) for part in self.any_of)

    def is_hindered(self, part: int, known: int) -> bool:
        """Whether what a market in final settlement does not publish stands in the way."""
        return self.sums and bool(part & WHOLE and known & SETTLING)

    def why_not(self, known: int) -> str:
        """Why it was not made."""
        if any(part & known == part for part in self.any_of):
            return UNSETTLED
        missing = self.any_of[-1] & ~known
        return next(text for flag, text in LACKING.items() if flag & missing)


SENTENCES = {entry.id: entry.sentence for entry in INVARIANTS}


def _check(identifier: str, any_of: tuple[int, ...], limits: str = "", sums: bool = False) -> Check:
    return Check(identifier, SENTENCES[identifier], any_of, limits, sums)


CHECKS = (
    _check("INV-1", (POSTINGS,), "a posting has two sides by its form"),
    _check("INV-2", (WHOLE, POSTINGS)),
    _check("INV-3", (WHOLE, POSTINGS)),
    _check("INV-4", (WHOLE, POSTINGS)),
    _check("INV-5", (WHOLE, SIZES), sums=True),
    _check("INV-6", (WHOLE, INTEREST)),
    _check("INV-7", (WHOLE | POSTINGS, DERIVED), "from observable snapshots summed over a pool"),
    _check("INV-8", (WHOLE,), "the list itself is seen in full snapshots alone"),
    _check("INV-9", (WHOLE, SIZES | AMOUNTS),
           "marks between book samples and the carried remainder are seen in full snapshots alone"),
    _check("INV-10", (WHOLE,)),
    _check("INV-11", (WHOLE, DERIVED), "from postings as minus the gaps of INV-7"),
    _check("INV-12", (WHOLE, SIZES | COSTS)),
    Check("LEDG-3", "A published balance is the sum of the engine's own postings.", (BALANCES,),
          "a balance net of funding or haircut counts in INV-7"),
    Check("TRADE-1", "A position is what the engine's own fills lead to; closed, it has no cost.",
          (POSITIONS, SIZES | COSTS)),
    Check("FUND-4", "A published funding index is the sum of the steps that the engine reported.", (INDICES,)),
)  # fmt: skip
"""Every check on the engine's own numbers."""


@dataclass(slots=True)
class Series:
    """Figures over a log, thinned to multiples of a power of two of its lines, which the number of lines decides."""

    last: int = 0
    stride: int = 1
    points: list[tuple[int, dict[str, int]]] = field(default_factory=list)

    def is_due(self, line: int) -> bool:
        """Whether a point at a line is kept, which is the furthest now."""
        self.last = line
        if line // self.stride > MOST_POINTS:
            while line // self.stride > MOST_POINTS:
                self.stride *= 2
            self.points = [point for point in self.points if point[0] % self.stride == 0]
        return line % self.stride == 0


@dataclass(slots=True)
class Tally:
    """Counts of a stretch of a log; steps of findings are counted from its beginning.

    A stretch is ``lost`` if the snapshot that it should begin with cannot be restored.
    """

    events: int = 0
    lines: int = 0
    snapshots: int = 0
    skipped: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
    published: Counter[frozenset[str]] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    findings: list[FindingRecord] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    stop: Stop | None = None
    lost: bool = False
    series: Series = field(default_factory=Series)
    census: Census = field(default_factory=Census)

    def add(self, findings: Sequence[FindingRecord]) -> None:
        """Keep and count findings."""
        self.findings.extend(findings[: max(0, MOST_FINDINGS - len(self.findings))])
        self.found.update(finding.rule for finding in findings)
        self.broken.update(finding.rule for finding in findings if finding.subject == Subject.INVARIANT)


def joined(parts: Sequence[Tally]) -> Tally:
    """The counts of stretches that follow each other, as one pass over all of them would have made them."""
    whole = Tally()
    for part in parts:
        shifted = [replace(finding, step=finding.step + whole.events) for finding in part.findings]
        whole.findings.extend(shifted[: max(0, MOST_FINDINGS - len(whole.findings))])
        for name in ("events", "lines", "snapshots", "skipped"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        for name in ("accepted", "rejected", "known", "published", "parts", "found", "broken"):
            getattr(whole, name).update(getattr(part, name))
        whole.census.add(part.census)
        whole.stop = part.stop
        whole.series.points += part.series.points
    whole.series.is_due(max((part.series.last for part in parts), default=0))
    return whole


def check_records(tally: Tally) -> tuple[CheckRecord, ...]:
    """Every check: how often it was made, and why not at the other events."""
    records = []
    for check in CHECKS:
        checked, lacking = 0, Counter[str]()
        for known, count in tally.known.items():
            if check.made(known):
                checked += count
            else:
                lacking[check.why_not(known)] += count
        broken = tally.broken[check.id]
        records.append(
            CheckRecord(check.id, check.sentence, check.limits, checked, tally.snapshots, dict(lacking), broken)
        )
    return tuple(records)


def field_records(tally: Tally) -> tuple[FieldRecord, ...]:
    """Every part that may be published: how often it was compared, was there and not compared, was not there."""
    records = []
    for name in (*COMPARED, *NOT_COMPARED):
        there = sum(count for names, count in tally.published.items() if name in names)
        compared = there if name in COMPARED else 0
        records.append(FieldRecord(f"receipt.{name}", compared, there - compared, tally.events - there))
    for name in ("observable", "figures"):
        records.append(FieldRecord(name, tally.parts[name], 0, tally.events - tally.parts[name]))
    return tuple(records)
