"""``clearspec vectors``: fill, check and compare the conformance vectors."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from clearspec.codec import DecodeError, encode, loads
from clearspec.formats import Vector
from clearspec_command.failures import BadInput
from clearspec_command.outputs import Outputs, writing
from clearspec_conformance.formats import IndexEntry, SuiteFormat, SuiteIndex
from clearspec_conformance.suite import INDEX, VERSION, AnyVector, features_of, read_bounded
from clearspec_conformance.vectors import (
    GENESIS_CASES,
    KERNEL_CASES,
    SUITE_VERSION,
    disagreements,
    filled,
    filled_genesis,
    filled_kernel,
    kept,
    load_cases,
    path_of,
)

HERE = Path(__file__).resolve().parents[1] / "vectors"
FOLDER = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=HERE, help="Where the vectors are kept."
)

ANSWER = re.compile(
    r"\$\.(steps\[\d+\]\.(receipt|observable)|root|calls\[\d+\]\.results|cases\[\d+\]\.refused|digest)\b"
)
"""Places of a vector that the reference fills in; the others its case writes."""

MOST_PLACES = 20
"""Places shown of one vector that changed."""


def text_of(vector: AnyVector) -> str:
    """A vector as it is kept: indented JSON, keys in the order of the format."""
    return json.dumps(encode(vector), indent=1, ensure_ascii=True) + "\n"


def fresh() -> Iterator[tuple[str, AnyVector]]:
    """Every case, filled anew: its chapter and its vector."""
    cases, console = list(load_cases().values()), Console(stderr=True)
    for entry in track(cases, "filling", console=console, transient=True, disable=not console.is_terminal):
        yield entry.chapter, filled(entry)
    for kernel_entry in KERNEL_CASES.values():
        yield kernel_entry.chapter, filled_kernel(kernel_entry)
    for genesis_entry in GENESIS_CASES.values():
        yield genesis_entry.chapter, filled_genesis(genesis_entry)


def index_of(vectors: Mapping[Path, AnyVector]) -> SuiteIndex:
    """The index of vectors, by the file in which each is kept."""
    entries = {
        vector.id: IndexEntry(
            path.parent.name,
            hashlib.sha256(text_of(vector).encode("ascii")).hexdigest(),
            vector.digest,
            vector.rules,
            features_of(vector),
            vector.importance,
        )
        for path, vector in sorted(vectors.items())
    }
    return SuiteIndex(SuiteFormat.V1, SUITE_VERSION, entries)


def index_text(index: SuiteIndex) -> str:
    """An index as it is kept: a vector a line."""
    head = {"format": index.format.value, "version": index.version}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(encode(entry))}" for name, entry in index.vectors.items())
    return json.dumps(head, indent=1)[:-2] + ',\n "vectors": {\n' + lines + "\n }\n}\n"


def changes(folder: Path) -> list[str]:
    """How the kept vectors and their index differ from freshly filled ones: what is new, gone, or changed and where."""
    wanted = {path_of(folder, vector, chapter): vector for chapter, vector in fresh()}
    found = dict(kept(folder))
    lines = [f"new: {path.stem}: {about(wanted[path])}" for path in wanted if path not in found]
    lines += [f"gone: {path.stem}" for path in found if path not in wanted]
    for path in sorted(wanted.keys() & found.keys()):
        lines += changed(found[path], wanted[path])
    index = folder / INDEX
    kept_index = index.read_text(encoding="utf-8") if index.exists() else ""
    return lines + ([f"changed: {INDEX}"] if kept_index != index_text(index_of(wanted)) else [])


def about(vector: AnyVector) -> str:
    """A vector in a line: its rules and the class of bug that it is there for."""
    return f"{', '.join(vector.rules)}; {vector.why.bug_class}"


def changed(old: AnyVector, new: AnyVector) -> list[str]:
    """How a vector changed, whether its case did or the reference's answer, and why it is there."""
    places = differing(encode(old), encode(new))
    if not places:
        return []
    whole = [place for place in places if not ANSWER.match(place)]
    cause = "its case was rewritten" if whole else "the reference answers otherwise"
    return [f"changed: {new.id}: {cause}: {about(new)}", *(f"  {place}" for place in places[:MOST_PLACES])]


def differing(old: object, new: object, place: str = "$") -> list[str]:
    """Paths at which two documents differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [line for key in keys for line in differing(old.get(key), new.get(key), f"{place}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for number, (a, b) in pairs for line in differing(a, b, f"{place}[{number}]")]
    return [] if old == new else [f"{place}: {str(old)[:80]} -> {str(new)[:80]}"]


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the kept vectors themselves: an id, a value derived by hand."""
    for path, vector in kept(folder):
        if vector.id != path.stem:
            yield f"{path.stem}: holds the vector {vector.id}"
        if isinstance(vector, Vector):
            yield from disagreements(vector)


def least_version(old: SuiteIndex, new: SuiteIndex) -> tuple[str, str]:
    """The least version that a suite must have after another, and the kind of change that asks for it."""
    numbers = [int(part) for part in old.version.split(".")]
    if numbers[0] != VERSION:
        return f"{VERSION}.0.0", "format"
    if old.vectors.keys() != new.vectors.keys():
        return f"{VERSION}.{numbers[1] + 1}.0", "coverage"
    if any(old.vectors[name].digest != entry.digest for name, entry in new.vectors.items()):
        return f"{VERSION}.{numbers[1]}.{numbers[2] + 1}", "fix"
    return old.version, "nothing"


def read_old(path: Path) -> SuiteIndex:
    """The index of an earlier suite.

    Raises:
        BadInput: the file is none.
    """
    try:
        found: SuiteIndex = loads(SuiteIndex, read_bounded(path))
    except DecodeError as error:
        raise BadInput(f"{path}: {error}") from None
    if re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", found.version) is None:
        raise BadInput(f"{path}: $.version: expected three numbers, not {found.version!r}")
    return found


def since(old: SuiteIndex, new: SuiteIndex) -> Iterator[str]:
    """What changed since an earlier suite, a vector a line."""
    yield from (f"new: {name}" for name in new.vectors if name not in old.vectors)
    yield from (f"gone: {name}" for name in old.vectors if name not in new.vectors)
    both = old.vectors.keys() & new.vectors.keys()
    yield from (f"changed: {name}" for name in sorted(both) if old.vectors[name].digest != new.vectors[name].digest)


@click.group("vectors", epilog="Example: clearspec vectors check")
def command() -> None:
    """Fill, check and compare the conformance vectors."""


@command.command("fill", epilog="Example: clearspec vectors fill")
@FOLDER
def fill(folder: Path) -> None:
    """Write every vector as the reference fills it, and their index; vectors without a case are removed.

    Nothing is written unless every vector could be filled; each file appears whole.
    """
    vectors = {path_of(folder, vector, chapter): vector for chapter, vector in fresh()}
    texts = {path: text_of(vector) for path, vector in vectors.items()}
    texts[folder / INDEX] = index_text(index_of(vectors))
    stale = {path for path, text in texts.items() if not path.exists() or path.read_bytes() != text.encode("ascii")}
    for path in (path for path in texts if path in stale):
        with writing(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
        with Outputs() as outputs:
            outputs.open(str(path)).write(texts[path].encode("ascii"))
    gone = set(folder.glob("*/*.json")) - texts.keys()
    for path in gone:
        path.unlink()
    click.echo(f"{len(vectors)} vectors, {len(stale)} files written, {len(gone)} removed; suite {SUITE_VERSION}")


@command.command("check", epilog="Example: clearspec vectors check; exit code 1 if a vector changed")
@FOLDER
def check(folder: Path) -> None:
    """Check that no kept vector has changed, each digest fits, and each value derived by hand agrees."""
    try:
        found = [*faults(folder), *changes(folder)]
    except (BadInput, ValueError) as error:
        found = [str(error)]
    for line in found:
        click.echo(line)
    differences = sum(not line.startswith(" ") for line in found)
    click.echo(f"{len(list(folder.glob('*/*.json')))} vectors, {differences} differences")
    sys.exit(1 if found else 0)


@command.command("diff", epilog="Example: clearspec vectors diff --against old/suite.json")
@FOLDER
@click.option("--against", type=click.Path(dir_okay=False, path_type=Path), help="The suite.json of an earlier suite.")
def diff(folder: Path, against: Path | None) -> int:
    """Show what a fill would change, where, and whether the case or the reference's answer is other than before.

    With --against, what changed since an earlier suite, and whether the version has risen as it must; exit code 1 if it
    has not.
    """
    if against is None:
        for line in changes(folder):
            click.echo(line)
        return 0
    old, new = read_old(against), index_of({path_of(folder, vector, chapter): vector for chapter, vector in fresh()})
    for line in since(old, new):
        click.echo(line)
    least, kind = least_version(old, new)
    risen = _numbers(new.version) >= _numbers(least)
    click.echo(f"{kind} changed since {old.version}: the suite is {new.version}, at least {least} is due")
    return 0 if risen else 1


def _numbers(version: str) -> list[Any]:
    """A version as numbers, to be compared."""
    return [int(part) for part in version.split(".")]
