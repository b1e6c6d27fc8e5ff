"""``clearspec schemas``: the JSON Schemas of the wire formats, generated from the records of the reference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from clearspec.codec import schema
from clearspec.formats import FORMATS
from clearspec.scenario import spec_folder
from clearspec_command.failures import EXIT_CODES, FAILED, WELL, BadInput
from clearspec_command.inputs import read_bytes
from clearspec_command.outputs import Outputs, writing

LONGEST_SCHEMA = 2**24


def schema_text(name: str) -> str:
    """The schema of a format as it stands in its file."""
    return json.dumps(schema(FORMATS[name], name), indent=2, sort_keys=False, ensure_ascii=True) + "\n"


def file_name(name: str) -> str:
    """The file of a format's schema."""
    return f"{name}.json"


def write(folder: Path) -> list[Path]:
    """Write every schema into a folder; returns the files."""
    with writing(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / file_name(name) for name in FORMATS]
    with Outputs() as outputs:
        for name, path in zip(FORMATS, paths, strict=True):
            outputs.open(str(path)).write(schema_text(name).encode("ascii"))
    return paths


def differences(folder: Path) -> Iterator[str]:
    """What differs between a folder and the schemas: files that are missing, differ, or belong to no format."""
    for name in FORMATS:
        path = folder / file_name(name)
        if not path.exists():
            yield f"{path}: missing"
        elif read_bytes(str(path), LONGEST_SCHEMA) != schema_text(name).encode("ascii"):
            yield f"{path}: differs"
    known = {file_name(name) for name in FORMATS}
    yield from (f"{path}: belongs to no format" for path in sorted(folder.glob("*.json")) if path.name not in known)


@click.command(
    epilog=f"Example: clearspec schemas --check spec/schemas\n\n{EXIT_CODES}",
    short_help="Write or check the JSON Schemas of the wire formats.",
)
@click.option("--write", "written", type=click.Path(path_type=Path, file_okay=False), help="Write the schemas here.")
@click.option("--check", "checked", type=click.Path(path_type=Path, file_okay=False), help="Compare with this folder.")
def command(written: Path | None, checked: Path | None) -> int:
    """Write the JSON Schemas of the wire formats to a folder, or check that a folder holds exactly these.

    Without an option they are written to the folder spec/schemas of the specification.
    """
    if written is not None and checked is not None:
        raise BadInput("--write and --check exclude each other")
    if checked is None:
        paths = write(spec_folder() / "schemas" if written is None else written)
        click.echo(f"{len(paths)} schemas written to {paths[0].parent}")
        return WELL
    if not checked.is_dir():
        raise BadInput(f"{checked}: expected a folder")
    found = list(differences(checked))
    for line in found:
        click.echo(line)
    return FAILED if found else WELL
