"""Formats of the conformance kit beside the vector: kernel vectors and the report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from clearspec.codec import canonical_bytes
from clearspec.events import Reason
from clearspec.fields import Id, Length, Prose, Sequence, SequenceOrZero, Wide
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


class ReportFormat(StrEnum):
    """Version of the report format."""

    V1 = "clearspec/conformance-report/1"


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
class Implementation:
    """An engine as it introduced itself."""

    name: Prose
    version: Prose
    language: Prose
    features: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """A suite: the digest over the digests of all its vectors, and how many they are."""

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


FORMATS: dict[str, type] = {"kernel-vector": KernelVector, "report": Report}
"""Name of every format of the kit and its record."""


def digest_of(record: Any) -> str:
    """Digest of a record that carries one: SHA-256 of its canonical bytes with the digest empty, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(replace(record, digest=""))).hexdigest()


def sealed(record: Any) -> Any:
    """The record with its digest."""
    return replace(record, digest=digest_of(record))
