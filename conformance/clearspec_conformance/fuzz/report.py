"""The report of a fuzz run: what was played, what it reached, what was found, and all that is needed to play it again.

It holds no times and no paths, so that the same run gives the same report on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from clearspec.events import Reason
from clearspec.fields import Id, Length, Prose, Sequence, SequenceOrZero
from clearspec_conformance.formats import Implementation, Verdict


class FuzzFormat(StrEnum):
    """Version of the format of fuzz reports."""

    V1 = "clearspec/fuzz-report/1"


@dataclass(frozen=True, slots=True)
class FuzzSettings:
    """What sequences were made of: seed, most draws of one, events between two looks, the actions, whose generator."""

    seed: SequenceOrZero
    most: Sequence
    every: Sequence
    actions: tuple[Id, ...]
    keep_going: bool
    branches: bool
    generator: Prose


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A shard: its own seed, how many sequences it was to play, and what came of them."""

    seed: SequenceOrZero
    planned: Sequence
    sequences: SequenceOrZero
    events: SequenceOrZero
    skipped: SequenceOrZero
    disagreements: SequenceOrZero


@dataclass(frozen=True, slots=True)
class Reached:
    """What the reference ran: rules, reasons with how often, accepted actions; what it did not; branches if counted."""

    rules: tuple[Id, ...]
    rules_not: tuple[Id, ...]
    reasons: Mapping[Id, SequenceOrZero]
    reasons_not: tuple[Reason, ...]
    accepted: Mapping[Id, SequenceOrZero]
    accepted_not: tuple[Id, ...]
    branches: SequenceOrZero
    branches_all: SequenceOrZero
    branches_not: Annotated[tuple[Prose, ...], Length(2**16)]


@dataclass(frozen=True, slots=True)
class Finding:
    """A disagreement: its vector by id and digest, the verdict and rule, the seed of its shard, its events when found.

    ``confirmed``: the reference passes the vector, and the engine comes to the same verdict again.
    """

    id: Id
    digest: Prose
    verdict: Verdict
    rule: Id
    why: Prose
    seed: SequenceOrZero
    events: Sequence
    found_with: Sequence
    confirmed: bool


@dataclass(frozen=True, slots=True)
class FuzzReport:
    """A fuzz run."""

    format: FuzzFormat
    implementation: Implementation
    settings: FuzzSettings
    sequences: SequenceOrZero
    events: SequenceOrZero
    skipped: SequenceOrZero
    disagreements: SequenceOrZero
    lacking: Prose
    shards: Annotated[tuple[ShardRecord, ...], Length(2**20)]
    reached: Reached
    findings: tuple[Finding, ...]
    digest: Prose
