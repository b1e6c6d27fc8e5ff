"""The JSON Schemas of the protocol, generated from its records: ``python -m clearspec_conformance.schemas [--check]``.

One file for each line that asks and each that answers, in ``spec/schemas/protocol``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import make_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from clearspec.codec import schema
from clearspec.events import Genesis
from clearspec.fields import DOCUMENT, Length, OptionalId
from clearspec.scenario import spec_folder
from clearspec.snapshot import KEY_PARTS, RECORDS, SnapshotHeader
from clearspec_conformance.formats import FORMATS
from clearspec_conformance.fuzz.schemas import schemas as fuzz_schemas
from clearspec_conformance.protocol import ERROR, LARGEST_BATCH, MESSAGES, Apply, EngineError, line_record


def folder() -> Path:
    """Where the schemas of the protocol stand."""
    return spec_folder() / "schemas" / "protocol"


def snapshot_object(table: str, record: Any) -> type:
    """The record of one object of a full snapshot: its table, its key, what stands there."""
    name = StrEnum(f"{table.title()}Table", {table.upper(): table})  # type: ignore[misc]
    key = Annotated[tuple[OptionalId, ...], Length(KEY_PARTS.get(table, 1))]
    title = "".join(part.capitalize() for part in table.split("_")) + "Object"
    text = {"__doc__": f"An object of the table {table}."}
    return make_dataclass(title, [("table", name), ("key", key), ("record", record)], namespace=text)


def snapshot_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """Schema of a full snapshot, and the definitions that it refers to."""
    kinds = [snapshot_object(table, record) for table, record in RECORDS.items()]
    parts = [("header", SnapshotHeader), *((kind.__name__, kind) for kind in kinds)]
    definitions = schema(make_dataclass("Parts", parts), "")["$defs"]
    del definitions["Parts"]
    whole = definitions.pop("SnapshotHeader")
    choices = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]
    whole["properties"]["objects"] = {"type": "array", "items": {"anyOf": choices}}
    whole["required"].append("objects")
    whole["description"] = "A full snapshot (EVENT-12)."
    return whole, definitions


TEXT = {"type": "string", "maxLength": DOCUMENT.longest}
"""Schema of a document that stands in a text."""


def one_of(description: str, **properties: Any) -> dict[str, Any]:
    """Schema of a body with exactly one key."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def load_schema() -> dict[str, Any]:
    """Schema of the request ``load``: exactly one of genesis, full snapshot and document."""
    whole, definitions = snapshot_schema()
    found = schema(line_record("load", Genesis, "Request"), "load request")
    found["$defs"]["LoadRequest"]["properties"]["load"] = one_of(
        "Starts again from a genesis, with the feature restore from a full snapshot, or from the text of a genesis.",
        genesis={"$ref": "#/$defs/Genesis"},
        snapshot={"$ref": "#/$defs/Snapshot"},
        document=TEXT,
    )
    found["$defs"] = dict(sorted({**definitions, **found["$defs"], "Snapshot": whole}.items()))
    return found


def apply_schema() -> dict[str, Any]:
    """Schema of the request ``apply``: exactly one of a list of events and the document of one."""
    found = schema(line_record("apply", Apply, "Request"), "apply request")
    events = {"type": "array", "items": {"$ref": "#/$defs/Event"}, "maxItems": LARGEST_BATCH}
    description = found["$defs"].pop("Apply")["description"]
    found["$defs"]["ApplyRequest"]["properties"]["apply"] = one_of(description, events=events, document=TEXT)
    return found


def schemas() -> dict[str, dict[str, Any]]:
    """File name to schema, of every line of the protocol and every format of its own."""
    own = {"load": load_schema, "apply": apply_schema}
    found = {}
    for message, (asked, answered) in MESSAGES.items():
        made = (
            own[message]() if message in own else schema(line_record(message, asked, "Request"), f"{message} request")
        )
        found[f"{message}-request.json"] = made
        found[f"{message}-answer.json"] = schema(line_record(message, answered, "Answer"), f"{message} answer")
    found[f"{ERROR}-answer.json"] = schema(line_record(ERROR, EngineError, "Answer"), f"{ERROR} answer")
    found.update({f"{name}.json": schema(kind, name) for name, kind in FORMATS.items()})
    return {**found, **audit_schemas(), **fuzz_schemas()}


def audit_schemas() -> dict[str, dict[str, Any]]:
    """File name to schema, of the formats of the auditor; they hold the schema of a snapshot, which stands here."""
    from clearspec_conformance.audit.schemas import schemas as made

    return made()


def text_of(document: dict[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def write(target: Path) -> list[Path]:
    """Write every schema into a folder; returns the files."""
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, document in schemas().items():
        paths.append(target / name)
        paths[-1].write_text(text_of(document), encoding="ascii")
    return paths


def differences(target: Path) -> Iterator[str]:
    """What differs between a folder and the schemas."""
    wanted = schemas()
    for name, document in wanted.items():
        path = target / name
        if not path.is_file():
            yield f"{path}: missing"
        elif path.read_text(encoding="utf-8") != text_of(document):
            yield f"{path}: differs"
    yield from (f"{path}: belongs to no message" for path in sorted(target.glob("*.json")) if path.name not in wanted)


def main(arguments: list[str]) -> int:
    """Write the schemas, or with ``--check`` compare; returns the exit code."""
    if arguments == ["--check"]:
        found = list(differences(folder()))
        print("\n".join(found) or "the schemas are up to date")
        return 1 if found else 0
    if arguments:
        print("usage: python -m clearspec_conformance.schemas [--check]", file=sys.stderr)
        return 2
    print(f"{len(write(folder()))} schemas written to {folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
