"""The suite: vectors read strictly from a folder, chosen by tier, rule, chapter or id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from clearspec.codec import LONGEST_DOCUMENT, DecodeError, canonical_bytes, decode, loads, parse
from clearspec.formats import Importance, Vector
from clearspec.invariants import INVARIANTS
from clearspec.rules import CHAPTERS, RULE_ID
from clearspec_command.failures import BadInput
from clearspec_conformance.formats import (
    GenesisVector,
    GenesisVectorFormat,
    IndexEntry,
    KernelVector,
    KernelVectorFormat,
    SuiteFormat,
    SuiteIndex,
    Tier,
    digest_of,
)
from clearspec_conformance.protocol import FEATURES, KERNEL

IMPORTANCE = {
    Tier.SMOKE: (),
    Tier.STANDARD: (Importance.CRITICAL, Importance.RULE),
    Tier.FULL: tuple(Importance),
}
"""What a tier runs where no list of ids stands beside the vectors; a smoke run needs its list."""


AnyVector = Vector | KernelVector | GenesisVector

VERSION = 2
"""Version of the vector formats, and first number of the version of a suite in them."""

INDEX = "suite.json"
"""File beside the chapters that a fill writes: the suite's version and what it wrote (spec/protocol.md)."""


@dataclass(frozen=True)
class Entry:
    """A vector: what a run is chosen by, and its file, which is taken apart when the vector is played."""

    id: str
    chapter: str
    rules: tuple[str, ...]
    features: tuple[str, ...]
    """What an engine must claim to be given the vector."""
    importance: Importance
    digest: str
    data: bytes = field(repr=False)

    def document(self) -> Any:
        """The vector as a document; it is known to fit."""
        return json.loads(self.data)

    @cached_property
    def vector(self) -> AnyVector:
        """The vector as a record."""
        return decoded(parse(self.data))


@dataclass(frozen=True, slots=True)
class Suite:
    """All vectors of a folder in order of their ids, the lists of ids that stand beside them, the suite's version."""

    folder: Path
    entries: tuple[Entry, ...]
    lists: dict[Tier, tuple[str, ...]]
    version: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes of id to digest, over all vectors."""
        return hashlib.sha256(canonical_bytes({entry.id: entry.digest for entry in self.entries})).hexdigest()


def vectors_folder() -> Path:
    """Where the vectors stand: beside the installed package, or in the checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "vectors"
    return installed if installed.is_dir() else here.parent / "vectors"


def read_bounded(path: Path, longest: int = LONGEST_DOCUMENT) -> bytes:
    """The bytes of a file.

    Raises:
        BadInput: it cannot be read or is too long.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(longest + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > longest:
        raise BadInput(f"{path}: longer than {longest} bytes")
    return data


def faults(vector: AnyVector) -> Iterator[str]:
    """What is wrong with a vector that decodes."""
    if vector.digest != digest_of(vector):
        yield f"$.digest: expected {digest_of(vector)}"
    if not vector.rules:
        yield "$.rules: expected at least one rule"
    yield from (f"$.rules: expected rule ids, not {rule}" for rule in vector.rules if not RULE_ID.fullmatch(rule))
    yield from (f"$.features: unknown feature {name}" for name in features_of(vector) if name not in FEATURES)
    if isinstance(vector, KernelVector):
        yield from () if vector.calls else ("$.calls: expected at least one call",)
    elif isinstance(vector, GenesisVector):
        yield from _genesis_faults(vector)
    else:
        yield from _step_faults(vector)


def _genesis_faults(vector: GenesisVector) -> Iterator[str]:
    """What is wrong with the geneses of a vector."""
    if not vector.cases:
        yield "$.cases: expected at least one genesis"
    for place, case in enumerate(vector.cases):
        if (case.genesis is None) == (case.document is None):
            yield f"$.cases[{place}]: expected a genesis or a document"
        if case.refused is not None and not RULE_ID.fullmatch(case.refused):
            yield f"$.cases[{place}].refused: expected a rule id"


def _step_faults(vector: Vector) -> Iterator[str]:
    """What is wrong with the steps of a vector."""
    if not vector.steps:
        yield "$.steps: expected at least one step"
    known = {entry.id for entry in INVARIANTS}
    yield from (f"$.invariants: unknown invariant {name}" for name in vector.invariants if name not in known)
    for place, step in enumerate(vector.steps):
        if (step.event is None) == (step.document is None):
            yield f"$.steps[{place}]: expected an event or a document"
        elif step.event is not None and (step.receipt.id, step.receipt.sequence) != (
            step.event.id,
            step.event.sequence,
        ):
            yield f"$.steps[{place}].receipt: expected that of the step's event"


def features_of(vector: AnyVector) -> tuple[str, ...]:
    """What an engine must claim to be given a vector."""
    return (KERNEL,) if isinstance(vector, KernelVector) else vector.features


def decoded(raw: Any) -> AnyVector:
    """The vector of a document.

    Raises:
        DecodeError: it is none.
    """
    kinds: dict[Any, Any] = {KernelVectorFormat.V1.value: KernelVector, GenesisVectorFormat.V1.value: GenesisVector}
    name = raw.get("format") if isinstance(raw, dict) else None
    found: AnyVector = decode(kinds.get(name, Vector) if isinstance(name, str) else Vector, raw)
    return found


def checked(path: Path, data: bytes) -> AnyVector:
    """The vector of a file's bytes.

    Raises:
        BadInput: it does not decode, or a digest, rule or feature is wrong.
    """
    try:
        vector = decoded(parse(data))
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    for fault in faults(vector):
        raise BadInput(f"{path}: {fault}")
    return vector


def read_vector(path: Path) -> AnyVector:
    """The vector of a file.

    Raises:
        BadInput: it cannot be read or is no vector.
    """
    return checked(path, read_bounded(path))


def read_index(folder: Path) -> SuiteIndex:
    """The index of a suite; an empty one where there is none, or one of another version of the formats.

    Raises:
        BadInput: it is no index.
    """
    path, none = folder / INDEX, SuiteIndex(SuiteFormat.V1, "", {})
    if not path.exists():
        return none
    try:
        found: SuiteIndex = loads(SuiteIndex, read_bounded(path))
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    return found if found.version.startswith(f"{VERSION}.") else none


def _is_of(known: IndexEntry, chapter: str, data: bytes) -> bool:
    """Whether an entry of the index is that of a file, bit by bit."""
    fits = known.chapter == chapter and set(known.features) <= set(FEATURES)
    return fits and known.file == hashlib.sha256(data).hexdigest()


def _entry(path: Path, known: IndexEntry | None) -> Entry:
    """The vector of a file; one that is not as the index says is decoded and checked."""
    data, chapter = read_bounded(path), path.parent.name
    if known is not None and _is_of(known, chapter, data):
        return Entry(path.stem, chapter, known.rules, known.features, known.importance, known.digest, data)
    vector = checked(path, data)
    return Entry(vector.id, chapter, vector.rules, features_of(vector), vector.importance, vector.digest, data)


def load_suite(folder: Path) -> Suite:
    """Every vector ``<chapter>/*.json`` of a folder.

    Raises:
        BadInput: the folder or a file of it is not as it must be; nothing is left out in silence.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder of vectors")
    index = read_index(folder)
    found: dict[str, Entry] = {}
    for path in sorted(folder.glob("*/*.json")):
        if path.parent.name not in CHAPTERS.values():
            raise BadInput(f"{path}: expected a folder named as a chapter: {', '.join(CHAPTERS.values())}")
        entry = _entry(path, index.vectors.get(path.stem))
        if entry.id in found:
            raise BadInput(f"{path}: the id {entry.id} is taken by another vector")
        found[entry.id] = entry
    for name in index.vectors:
        if name not in found:
            raise BadInput(f"{folder / INDEX}: there is no vector {name}")
    entries = tuple(found[name] for name in sorted(found))
    return Suite(folder, entries, dict(_lists(folder, found)), index.version)


def _lists(folder: Path, known: dict[str, Any]) -> Iterator[tuple[Tier, tuple[str, ...]]]:
    """The lists ``<tier>.txt``: an id a line; what follows ``#`` is a remark."""
    for tier in Tier:
        path = folder / f"{tier.value}.txt"
        if path.exists():
            lines = read_bounded(path).decode("utf-8", "replace").splitlines()
            names = tuple(name for line in lines if (name := line.partition("#")[0].strip()))
            for name in names:
                if name not in known:
                    raise BadInput(f"{path}: there is no vector {name}")
            yield tier, names


def in_tier(suite: Suite, tier: Tier) -> list[Entry]:
    """The vectors of a tier: those of its list, or else those of its importance.

    Raises:
        BadInput: a smoke run without its list.
    """
    if tier in suite.lists:
        return [entry for entry in suite.entries if entry.id in suite.lists[tier]]
    if tier == Tier.SMOKE:
        raise BadInput(f"{suite.folder / 'smoke.txt'}: a smoke run needs this list of ids")
    return [entry for entry in suite.entries if entry.importance in IMPORTANCE[tier]]


def matches(entry: Entry, name: str) -> bool:
    """Whether a name is the vector's id, its chapter or one of its rules."""
    return name in (entry.id, entry.chapter, *entry.rules)


def selected(suite: Suite, tier: Tier, only: Sequence[str]) -> list[Entry]:
    """The vectors of a tier that match any of the names; without names all of the tier.

    Raises:
        BadInput: a name matches no vector, or nothing is left to run.
    """
    entries = in_tier(suite, tier)
    for name in only:
        if not any(matches(entry, name) for entry in entries):
            raise BadInput(f"--only {name}: no rule, chapter or id of the vectors of tier {tier.value}")
    chosen = [entry for entry in entries if not only or any(matches(entry, name) for name in only)]
    if not chosen:
        raise BadInput(f"{suite.folder}: there is no vector to run")
    return chosen
