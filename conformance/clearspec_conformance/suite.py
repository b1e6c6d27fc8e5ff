"""The suite: vectors read strictly from a folder, chosen by tier, rule, chapter or id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearspec.codec import LONGEST_DOCUMENT, DecodeError, canonical_bytes, decode, parse
from clearspec.formats import Importance, Vector
from clearspec.invariants import INVARIANTS
from clearspec.rules import CHAPTERS, RULE_ID
from clearspec_command.failures import BadInput
from clearspec_conformance.formats import KernelVector, KernelVectorFormat, Tier, digest_of
from clearspec_conformance.protocol import FEATURES, KERNEL

IMPORTANCE = {
    Tier.SMOKE: (),
    Tier.STANDARD: (Importance.CRITICAL, Importance.RULE),
    Tier.FULL: tuple(Importance),
}
"""What a tier runs where no list of ids stands beside the vectors; a smoke run needs its list."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A vector and the chapter in whose folder it stands."""

    chapter: str
    vector: Vector | KernelVector

    @property
    def id(self) -> str:
        """Id of the vector."""
        return self.vector.id

    @property
    def features(self) -> tuple[str, ...]:
        """What an engine must claim to be given the vector."""
        return (KERNEL,) if isinstance(self.vector, KernelVector) else self.vector.features


@dataclass(frozen=True, slots=True)
class Suite:
    """All vectors of a folder in order of their ids, and the lists of ids that stand beside them."""

    folder: Path
    entries: tuple[Entry, ...]
    lists: dict[Tier, tuple[str, ...]]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes of id to digest, over all vectors."""
        return hashlib.sha256(canonical_bytes({entry.id: entry.vector.digest for entry in self.entries})).hexdigest()


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


def faults(vector: Vector | KernelVector) -> Iterator[str]:
    """What is wrong with a vector that decodes."""
    if vector.digest != digest_of(vector):
        yield f"$.digest: expected {digest_of(vector)}"
    if not vector.rules:
        yield "$.rules: expected at least one rule"
    yield from (f"$.rules: expected rule ids, not {rule}" for rule in vector.rules if not RULE_ID.fullmatch(rule))
    if isinstance(vector, KernelVector):
        yield from () if vector.calls else ("$.calls: expected at least one call",)
        return
    if not vector.steps:
        yield "$.steps: expected at least one step"
    yield from (f"$.features: unknown feature {name}" for name in vector.features if name not in FEATURES)
    known = {entry.id for entry in INVARIANTS}
    yield from (f"$.invariants: unknown invariant {name}" for name in vector.invariants if name not in known)
    for place, step in enumerate(vector.steps):
        if (step.receipt.id, step.receipt.sequence) != (step.event.id, step.event.sequence):
            yield f"$.steps[{place}].receipt: expected that of the step's event"


def read_vector(path: Path) -> Vector | KernelVector:
    """The vector of a file.

    Raises:
        BadInput: it does not decode, or a digest, rule or feature is wrong.
    """
    try:
        raw = parse(read_bounded(path))
        kernel = isinstance(raw, dict) and raw.get("format") == KernelVectorFormat.V1.value
        vector: Vector | KernelVector = decode(KernelVector if kernel else Vector, raw)
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    for fault in faults(vector):
        raise BadInput(f"{path}: {fault}")
    return vector


def load_suite(folder: Path) -> Suite:
    """Every vector ``<chapter>/*.json`` of a folder.

    Raises:
        BadInput: the folder or a file of it is not as it must be; nothing is left out in silence.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder of vectors")
    found: dict[str, Entry] = {}
    for path in sorted(folder.glob("*/*.json")):
        chapter = path.parent.name
        if chapter not in CHAPTERS.values():
            raise BadInput(f"{path}: expected a folder named as a chapter: {', '.join(CHAPTERS.values())}")
        entry = Entry(chapter, read_vector(path))
        if entry.id in found:
            raise BadInput(f"{path}: the id {entry.id} is taken by another vector")
        found[entry.id] = entry
    entries = tuple(found[name] for name in sorted(found))
    return Suite(folder, entries, dict(_lists(folder, found)))


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
    return [entry for entry in suite.entries if entry.vector.importance in IMPORTANCE[tier]]


def matches(entry: Entry, name: str) -> bool:
    """Whether a name is the vector's id, its chapter or one of its rules."""
    return name in (entry.id, entry.chapter, *entry.vector.rules)


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
