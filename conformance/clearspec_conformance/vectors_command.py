"""``clearspec vectors``: fill, check and compare the conformance vectors."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from clearspec.codec import encode
from clearspec.formats import Vector
from clearspec_command.failures import BadInput
from clearspec_conformance.formats import KernelVector
from clearspec_conformance.vectors import (
    KERNEL_CASES,
    disagreements,
    filled,
    filled_kernel,
    kept,
    load_cases,
    path_of,
)

HERE = Path(__file__).resolve().parents[1] / "vectors"
FOLDER = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=HERE, help="Where the vectors are kept."
)


def text_of(vector: Vector | KernelVector) -> str:
    """A vector as it is kept: indented JSON, keys in the order of the format."""
    return json.dumps(encode(vector), indent=1, ensure_ascii=True) + "\n"


def fresh() -> Iterator[tuple[str, Vector | KernelVector]]:
    """Every case, filled anew: its chapter and its vector."""
    cases = load_cases()
    for entry in track(list(cases.values()), "filling", console=Console(stderr=True), transient=True):
        yield entry.chapter, filled(entry)
    for kernel_entry in KERNEL_CASES.values():
        yield kernel_entry.chapter, filled_kernel(kernel_entry)


def changes(folder: Path) -> list[str]:
    """How the kept vectors differ from freshly filled ones: what is new, gone, or changed and where."""
    wanted = {path_of(folder, vector, chapter): vector for chapter, vector in fresh()}
    found = dict(kept(folder))
    lines = [f"new: {path.stem}" for path in wanted if path not in found]
    lines += [f"gone: {path.stem}" for path in found if path not in wanted]
    for path in sorted(wanted.keys() & found.keys()):
        lines += [f"changed: {path.stem}: {place}" for place in differing(encode(found[path]), encode(wanted[path]))]
    return lines


def differing(old: object, new: object, place: str = "$") -> list[str]:
    """Paths at which two documents differ, with both values; at most twenty."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        parts = [line for key in keys for line in differing(old.get(key), new.get(key), f"{place}.{key}")]
        return parts[:20]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for number, (a, b) in pairs for line in differing(a, b, f"{place}[{number}]")][:20]
    return [] if old == new else [f"{place}: {str(old)[:80]} -> {str(new)[:80]}"]


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the kept vectors themselves: an id, a value derived by hand."""
    for path, vector in kept(folder):
        if vector.id != path.stem:
            yield f"{path.stem}: holds the vector {vector.id}"
        if isinstance(vector, Vector):
            yield from disagreements(vector)


@click.group("vectors", epilog="Example: clearspec vectors check")
def command() -> None:
    """Fill, check and compare the conformance vectors."""


@command.command("fill", epilog="Example: clearspec vectors fill")
@FOLDER
def fill(folder: Path) -> None:
    """Write every vector as the reference fills it; vectors without a case are removed."""
    written = set()
    for chapter, vector in fresh():
        path = path_of(folder, vector, chapter)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(vector), encoding="utf-8")
        written.add(path)
    for path in set(folder.glob("*/*.json")) - written:
        path.unlink()
    click.echo(f"{len(written)} vectors")


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
    click.echo(f"{len(list(folder.glob('*/*.json')))} vectors, {len(found)} differences")
    sys.exit(1 if found else 0)


@command.command("diff", epilog="Example: clearspec vectors diff")
@FOLDER
def diff(folder: Path) -> None:
    """Show what a fill would change, and where."""
    for line in changes(folder):
        click.echo(line)
