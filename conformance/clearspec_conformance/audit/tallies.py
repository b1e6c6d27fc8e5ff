"""What an audit counts while it runs, and how the counts of its segments become one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from clearspec.events import Reason
from clearspec.invariants import INVARIANTS
from clearspec_conformance.audit.comparing import COMPARED, NOT_COMPARED
from clearspec_conformance.audit.formats import CheckRecord, FieldRecord, FindingRecord, Stop, Subject

MOST_FINDINGS = 1_000
"""Findings that are kept; the rest is counted."""

MOST_POINTS = 512
"""Points of a series."""

OTHER = "other"
"""Stands for every reason that is none of the spec's."""


NOTHING, POSTINGS, COSTS, WHOLE, SETTLING, INTEREST, BALANCES, POSITIONS = 0, 1, 2, 4, 8, 16, 32, 64
"""What is known of the engine's own numbers after an event, or was compared with them; flags, added up.

All postings so far; all costs of positions; a whole observable snapshot; a market in final settlement in it; open
interest, balances, positions that could be compared with what the engine's postings and fills lead to.
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A check on the engine's own numbers: what suffices for it, and what to say where it could not be made.

    ``any_of`` are alternatives, each a set of what must be known; ``but`` is what makes it impossible all the same.
    """

    id: str
    sentence: str
    any_of: tuple[int, ...]
    lacking: str
    but: int = NOTHING
    because: str = ""

    def made(self, known: int) -> bool:
        """Whether the check was made after an event of which this was known."""
        return any(part & known == part for part in self.any_of) and not known & self.but

    def why_not(self, known: int) -> str:
        """Why it was not made."""
        return self.because if known & self.but and any(part & known == part for part in self.any_of) else self.lacking


SENTENCES = {entry.id: entry.sentence for entry in INVARIANTS}
NO_POSTINGS = "not all postings are published"
NO_WHOLE = "no whole observable snapshot is published"
UNSETTLED = "a market is in final settlement, whose residual and shortfall are not published (other pools are checked)"


def _check(identifier: str, any_of: tuple[int, ...], lacking: str, but: int = NOTHING) -> Check:
    return Check(identifier, SENTENCES[identifier], any_of, lacking, but, UNSETTLED if but else "")


CHECKS = (
    _check("INV-1", (POSTINGS,), NO_POSTINGS),
    _check("INV-2", (POSTINGS, WHOLE), NO_POSTINGS),
    _check("INV-3", (POSTINGS, WHOLE), NO_POSTINGS),
    _check("INV-4", (POSTINGS, WHOLE), NO_POSTINGS),
    _check("INV-5", (WHOLE,), NO_WHOLE, SETTLING),
    _check("INV-6", (WHOLE, INTEREST), "no open interest is published, or a default left sizes unknown"),
    _check("INV-7", (WHOLE | POSTINGS,), "it takes postings and a whole observable snapshot", SETTLING),
    _check("INV-8", (WHOLE,), NO_WHOLE),
    _check("INV-9", (WHOLE,), NO_WHOLE),
    _check("INV-10", (WHOLE,), NO_WHOLE),
    _check("INV-11", (WHOLE,), NO_WHOLE, SETTLING),
    _check("INV-12", (WHOLE, COSTS), "costs do not follow from what is published (a default does not tell who was torn up)"),
    Check("LEDG-3", "A published balance is the sum of the engine's own postings.", (BALANCES,),
          "no balance is published that its postings lead to"),
    Check("TRADE-1", "A published position is what the engine's own fills lead to.", (POSITIONS,),
          "no position is published that its fills lead to"),
)  # fmt: skip
"""Every check on the engine's own numbers. INV-7 is summed over a pool; INV-8 and INV-9 lack what only a full snapshot
shows (the list of an account's markets; funding's carried remainder)."""


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

    def note(self, action: str, reason: str | None, accepted: bool) -> None:
        """Count an event by what the engine says came of it."""
        if accepted:
            self.accepted[action] += 1
        else:
            self.rejected[reason if reason in Reason.__members__.values() else OTHER] += 1  # type: ignore[index]

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
        records.append(CheckRecord(check.id, check.sentence, checked, tally.snapshots, dict(lacking), broken))
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
