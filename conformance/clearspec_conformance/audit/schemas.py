"""The JSON Schemas of the auditor's formats, generated from their records."""

from __future__ import annotations

from typing import Any

from clearspec.codec import schema
from clearspec_conformance.audit.formats import AuditLine, AuditReport
from clearspec_conformance.schemas import snapshot_schema


def line_schema() -> dict[str, Any]:
    """Schema of a line of a log after the header: an event with its receipt, a full snapshot, or both."""
    found = schema(AuditLine, "audit-line")
    whole, definitions = snapshot_schema()
    line = found["$defs"]["AuditLine"]
    line["properties"]["snapshot"] = {"anyOf": [{"$ref": "#/$defs/Snapshot"}, {"type": "null"}]}
    del line["required"]
    line["anyOf"] = [{"required": ["event", "receipt"]}, {"required": ["snapshot"]}]
    found["$defs"] = dict(sorted({**definitions, **found["$defs"], "Snapshot": whole}.items()))
    return found


def schemas() -> dict[str, dict[str, Any]]:
    """File name to schema."""
    return {"audit-line.json": line_schema(), "audit-report.json": schema(AuditReport, "audit-report")}
