"""A fuzz run: shards in order, as many as wanted or as there is time for; then every disagreement is made small."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata

from clearspec.events import ACTION_NAMES, ROLES, Reason
from clearspec.formats import Vector
from clearspec.numerics import SEQUENCE_MAX
from clearspec_command.failures import BadInput
from clearspec_conformance.engines import REFERENCE, opener
from clearspec_conformance.formats import Implementation, sealed
from clearspec_conformance.fuzz.aims import aims_of
from clearspec_conformance.fuzz.branches import Arcs, exits, joined
from clearspec_conformance.fuzz.duel import Disagreement, Duel, found_vector
from clearspec_conformance.fuzz.executors import executor, results
from clearspec_conformance.fuzz.generating import Recipe, Trace
from clearspec_conformance.fuzz.reducing import reduced
from clearspec_conformance.fuzz.report import Finding, FuzzFormat, FuzzReport, FuzzSettings, Reached, ShardRecord
from clearspec_conformance.fuzz.shards import Shard, Task, kind_of, play_shard, reachable
from clearspec_conformance.fuzz.worlds import within
from clearspec_conformance.playing import Terms
from clearspec_conformance.vectors import FEATURE_OF
from clearspec_conformance.verdicts import Result, rule_order

SHARD = 100
"""Sequences of a shard: work enough that starting it costs little, little enough to share and to stop in time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is to do: how many sequences or for how many seconds, and by whom the shards are played."""

    implementation: str
    settings: FuzzSettings
    terms: Terms
    start_timeout: float
    sequences: int | None = None
    seconds: float | None = None
    executor: str = "process"
    jobs: int = 1


@dataclass(slots=True)
class Found:
    """A disagreement made small, its vector, what came of the engine on it, and of what kind it is."""

    finding: Finding
    vector: Vector
    result: Result
    kind: tuple[str, ...]

    def order(self) -> tuple[bool, int, str]:
        """Those that can be shown again come first, of these the shortest."""
        return not self.finding.confirmed, len(self.vector.steps), self.vector.id


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    report: FuzzReport
    found: list[Found]
    seconds: float
    reducing: float
    shards: list[Shard] = field(default_factory=list)


def generator() -> str:
    """What draws the sequences; another version of it draws others."""
    return f"hypothesis {metadata.version('hypothesis')}"


def shard_seed(seed: int, number: int) -> int:
    """The seed of a shard."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:8]) % SEQUENCE_MAX


def chosen_actions(names: Sequence[str], features: Iterable[str]) -> tuple[str, ...]:
    """Actions that an engine is up to, in the order of the spec: of these those named, or of the features named.

    Raises:
        BadInput: a name is neither an action nor a feature, or no action is left.
    """
    unknown = [name for name in names if name not in ROLES and name not in FEATURE_OF.values()]
    if unknown:
        known = [*ROLES, *dict.fromkeys(FEATURE_OF.values())]
        raise BadInput(f"--only {unknown[0]}: expected an action or a feature: {', '.join(known)}")
    able = set(features)
    found = tuple(
        action
        for action in ROLES
        if FEATURE_OF[action] in able and (not names or action in names or FEATURE_OF[action] in names)
    )
    if not found:
        raise BadInput("the engine claims the features of none of the actions that are wanted")
    return found


def introduced(wanted: Wanted) -> Implementation:
    """The engine as it introduces itself.

    Raises:
        Trouble: it does not.
        BadInput: its command cannot be started at all.
    """
    duel = Duel(opener(wanted.implementation), wanted.terms, wanted.start_timeout)
    try:
        return duel.opened().implementation
    finally:
        duel.end()


def tasks(wanted: Wanted, recipe: Recipe, until: float) -> Iterator[Task]:
    """Tasks without end, or until there are as many sequences as wanted, or the time is up."""
    left, number = wanted.sequences, 0
    while (left is None or left > 0) and time.monotonic() < until:
        count = SHARD if left is None else min(SHARD, left)
        made = replace(recipe, seed=shard_seed(wanted.settings.seed, number), count=count)
        yield Task(wanted.implementation, wanted.terms, wanted.start_timeout, made, wanted.settings.branches)
        left, number = None if left is None else left - count, number + 1


def recipe_for(settings: FuzzSettings, features: Iterable[str]) -> Recipe:
    """What sequences for an engine are made of."""
    kinds = frozenset(kind for kind, name in ACTION_NAMES.items() if name in settings.actions)
    worlds = within({*features, *(FEATURE_OF[action] for action in settings.actions)})
    return Recipe(0, SHARD, tuple(worlds), tuple(aims_of(kinds)), settings.most, settings.every)


Tell = Callable[[Shard], None]


def played(wanted: Wanted, recipe: Recipe, tell: Tell) -> list[Shard]:
    """The shards of a run in order, up to the first that found something, unless all are wanted."""
    until = time.monotonic() + (wanted.seconds if wanted.seconds is not None else 10**9)
    shards = []
    with executor(wanted.executor, wanted.jobs) as pool:
        for shard in results(pool, play_shard, tasks(wanted, recipe, until), wanted.jobs):
            shards.append(shard)
            tell(shard)
            if shard.found and not wanted.settings.keep_going:
                break
    return shards


def small(wanted: Wanted, shards: Sequence[Shard], tell: Callable[[str], None]) -> list[Found]:
    """Every disagreement made small; of each kind the shortest, and the shortest of all first."""
    duel = Duel(opener(wanted.implementation), wanted.terms, wanted.start_timeout)
    judge = Duel(opener(REFERENCE), Terms(), wanted.start_timeout)
    found: dict[tuple[str, ...], Found] = {}
    everything = [(shard, each) for shard in shards for each in shard.found]
    try:
        for number, (shard, each) in enumerate(everything, start=1):
            tell(f"making {number} of {len(everything)} small")
            one = settled(duel, judge, shard.seed, each)
            known = found.setdefault(one.kind, one)
            found[one.kind] = min(known, one, key=Found.order)
    finally:
        duel.end()
        judge.end()
    return sorted(found.values(), key=Found.order)


def settled(duel: Duel, judge: Duel, seed: int, raw: Disagreement) -> Found:
    """A disagreement made small and played once more as the vector that it is, on both sides."""
    less = reduced(duel, raw)
    vector = found_vector(less)
    trace = Trace(vector.genesis, vector.steps)
    again = None if less.own else duel.disagreement(trace, vector.root)
    right = judge.disagreement(trace, vector.root) is None
    confirmed = right and again is not None and again.verdict == less.verdict
    shown = again if again is not None and confirmed else less
    finding = Finding(
        vector.id, vector.digest, less.verdict, vector.rules[0], vector.why.effect, seed, len(vector.steps),
        len(raw.trace.steps), confirmed,
    )  # fmt: skip
    result = Result(vector.id, "", vector.rules, vector.digest, less.verdict, shown.why, shown.failure, shown.stderr)
    return Found(finding, vector, result, kind_of(less))


def fuzz(wanted: Wanted, implementation: Implementation, tell: Tell, say: Callable[[str], None]) -> Outcome:
    """Play, make small what was found, and report."""
    started = time.monotonic()
    shards = played(wanted, recipe_for(wanted.settings, implementation.features), tell)
    played_in = time.monotonic() - started
    found = small(wanted, shards, say)
    report = report_of(wanted, implementation, shards, found)
    return Outcome(report, found, played_in, time.monotonic() - started - played_in, shards)


def report_of(
    wanted: Wanted, implementation: Implementation, shards: Sequence[Shard], found: Sequence[Found]
) -> FuzzReport:
    """The report of a run."""
    planned = [SHARD] * len(shards)
    if wanted.sequences is not None and shards:
        planned[-1] = min(SHARD, wanted.sequences - SHARD * (len(shards) - 1))
    records = tuple(
        ShardRecord(shard.seed, count, shard.sequences, shard.events, shard.skipped, shard.disagreements)
        for shard, count in zip(shards, planned, strict=True)
    )
    report: FuzzReport = sealed(
        FuzzReport(
            FuzzFormat.V1, implementation, wanted.settings, sum(shard.sequences for shard in shards),
            sum(shard.events for shard in shards), sum(shard.skipped for shard in shards),
            sum(shard.disagreements for shard in shards), next((each.lacking for each in shards if each.lacking), ""),
            records, reached_by(wanted.settings, shards), tuple(one.finding for one in found), "",
        )
    )  # fmt: skip
    return report


def reached_by(settings: FuzzSettings, shards: Sequence[Shard]) -> Reached:
    """What the reference ran in all shards together."""
    outcomes = sum((shard.outcomes for shard in shards), Counter[str]())
    reasons, accepted = Counter[str](), Counter[str]()
    for outcome, count in outcomes.items():
        action, _, reason = outcome.rpartition(" ")
        (accepted if reason == "accepted" else reasons)[action if reason == "accepted" else reason] += count
    rules = set[str]().union(*(shard.rules for shard in shards))
    ways = branch_counts(joined([shard.arcs for shard in shards])) if settings.branches else (0, 0, ())
    return Reached(
        tuple(sorted(rules, key=rule_order)),
        tuple(sorted(set(reachable()) - rules, key=rule_order)),
        dict(sorted(reasons.items())),
        tuple(reason for reason in Reason if reason.value not in reasons),
        dict(sorted(accepted.items())),
        tuple(action for action in settings.actions if action not in accepted),
        *ways,
    )


def branch_counts(arcs: Arcs) -> tuple[int, int, tuple[str, ...]]:
    """Ways out of branching lines that were taken, all there are, and the lines where some were not."""
    taken = every = 0
    missing = []
    for module, lines in exits(arcs).items():
        for line, (total, some) in sorted(lines.items()):
            taken, every = taken + some, every + total
            if some < total:
                missing.append(f"{module}.py:{line}: {some} of {total}")
    return taken, every, tuple(missing)
