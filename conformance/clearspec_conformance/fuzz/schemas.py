"""The JSON Schema of the fuzz report, generated from its record."""

from __future__ import annotations

from typing import Any

from clearspec.codec import schema
from clearspec_conformance.fuzz.report import FuzzReport


def schemas() -> dict[str, dict[str, Any]]:
    """File name to schema."""
    return {"fuzz-report.json": schema(FuzzReport, "fuzz-report")}
