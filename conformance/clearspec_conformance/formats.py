"""Formats of the conformance kit beside the vector: other vectors, the index of a suite, the report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from clearspec.codec import canonical_bytes
from clearspec.events import Genesis, Reason
from clearspec.fields import Document, Id, Length, Prose, Sequence, SequenceOrZero, Wide
from clearspec.formats import Importance, Why
from clearspec_conformance.kernels import Arguments


class Verdict(StrEnum):
    """What came of a vector. The five are never mixed."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERRORED = "errored"
    HUNG = "hung"


class Tier(StrEnum):
    """How much of the suite is run."""

    SMOKE = "smoke"
    STANDARD = "standard"
    FULL = "full"


class KernelVectorFormat(StrEnum):
    """Version of the format of kernel vectors."""

    V1 = "clearspec/kernel-vector/1"


class GenesisVectorFormat(StrEnum):
    """Version of the format of genesis vectors."""

    V1 = "clearspec/genesis-vector/1"


class SuiteFormat(StrEnum):
    """Version of the format of a suite's index."""

    V1 = "clearspec/suite/1"


class ReportFormat(StrEnum):
    """Version of the report format."""

    V2 = "clearspec/conformance-report/2"


@dataclass(frozen=True, slots=True)
class KernelCall:
    """A call of a kernel and the results that must come of it."""

    call: Arguments
    results: Mapping[Id, Wide]


@dataclass(frozen=True, slots=True)
class KernelVector:
    """A conformance vector of pure calls."""

    format: KernelVectorFormat
    id: Id
    version: Sequence
    rules: tuple[Id, ...]
    importance: Importance
    why: Why
    calls: tuple[KernelCall, ...]
    digest: Prose


@dataclass(frozen=True, slots=True)
class GenesisCase:
    """A genesis and the rule for which it must be refused; without one it must be accepted.

    It stands there as a record, or in its place as ``document``, a text that the engine decodes itself (EVENT-3).
    """

    about: Prose
    genesis: Genesis | None
    document: Document | None
    refused: Id | None


@dataclass(frozen=True, slots=True)
class GenesisVector:
    """A conformance vector of geneses that must be refused, and of their neighbours that must not."""

    format: GenesisVectorFormat
    id: Id
    version: Sequence
    rules: tuple[Id, ...]
    features: tuple[Id, ...]
    importance: Importance
    why: Why
    cases: tuple[GenesisCase, ...]
    digest: Prose


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What an index says of a vector: its chapter, the SHA-256 of its file, and what a run is chosen by."""

    chapter: Id
    file: Prose
    digest: Prose
    rules: tuple[Id, ...]
    features: tuple[Id, ...]
    importance: Importance


@dataclass(frozen=True, slots=True)
class SuiteIndex:
    """The index of a suite: its version, and of every vector, by id, the file that the fill wrote."""

    format: SuiteFormat
    version: Prose
    vectors: Mapping[Id, IndexEntry]


@dataclass(frozen=True, slots=True)
class Implementation:
    """An engine as it introduced itself."""

    name: Prose
    version: Prose
    language: Prose
    features: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """A suite: its version (empty: it has none), the digest over all its vectors' digests, and how many they are."""

    version: Prose
    digest: Prose
    vectors: SequenceOrZero


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of the suite was run."""

    tier: Tier
    only: Annotated[tuple[Prose, ...], Length(2**16)]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many vectors came to each verdict."""

    vectors: SequenceOrZero
    passed: SequenceOrZero
    failed: SequenceOrZero
    skipped: SequenceOrZero
    errored: SequenceOrZero
    hung: SequenceOrZero


@dataclass(frozen=True, slots=True)
class VectorVerdict:
    """The verdict on one vector, by its digest, and in a line why."""

    id: Id
    digest: Prose
    verdict: Verdict
    why: Prose


@dataclass(frozen=True, slots=True)
class Report:
    """A run that others can recheck: suite, engine, selection, counts, per-rule and per-vector verdicts."""

    format: ReportFormat
    suite: SuiteRecord
    implementation: Implementation
    selection: Selection
    reasons: Mapping[Prose, Reason]
    summary: Tally
    not_run: SequenceOrZero
    rules: Mapping[Id, Tally]
    verdicts: tuple[VectorVerdict, ...]
    digest: Prose


FORMATS: dict[str, type] = {
    "kernel-vector": KernelVector,
    "genesis-vector": GenesisVector,
    "suite": SuiteIndex,
    "report": Report,
}
"""Name of every format of the kit and its record."""


def digest_of(record: Any) -> str:
    """Digest of a record that carries one: SHA-256 of its canonical bytes with the digest empty, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(replace(record, digest=""))).hexdigest()


def sealed(record: Any) -> Any:
    """The record with its digest."""
    return replace(record, digest=digest_of(record))
