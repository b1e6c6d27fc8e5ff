"""An audit as a record: what was read, compared, checked and found, and what was not."""

from __future__ import annotations

import hashlib
from pathlib import Path

from clearspec.codec import canonical_bytes
from clearspec_command.display import plain
from clearspec_conformance.audit.formats import AuditedLog, AuditFormat, AuditReport, FieldRecord
from clearspec_conformance.audit.lines import Translator
from clearspec_conformance.audit.problems import BadLog, Place
from clearspec_conformance.audit.reading import Layout, unreadable
from clearspec_conformance.audit.tallies import Tally, check_records, field_records


def audited_log(path: Path, layout: Layout) -> AuditedLog:
    """The file that was audited, with its digest.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return AuditedLog(plain(path.name), layout.value, stream.tell(), digest)
    except OSError as error:
        raise unreadable(path, error) from None


def report_of(tally: Tally, log: AuditedLog, translator: Translator) -> AuditReport:
    """The report of an audit."""
    return AuditReport(
        AuditFormat.V1,
        log,
        translator.name,
        tally.stop is None and not tally.findings,
        tally.events,
        tally.lines,
        tally.snapshots,
        tally.skipped,
        dict(sorted(tally.accepted.items())),
        dict(sorted(tally.rejected.items())),
        tally.findings[0].step if tally.findings else 0,
        tuple(tally.findings),
        dict(sorted(tally.found.items())),
        tally.stop,
        check_records(tally),
        (*field_records(tally), *amount_records(tally, translator)),
        translator.unfound(tally.census),
    )


def amount_records(tally: Tally, translator: Translator) -> tuple[FieldRecord, ...]:
    """The amounts of a mapping that accepted events of their actions did not always have."""
    missed = {key: tally.census.missed[key] for key in translator.amounts if tally.census.missed[key]}
    return tuple(
        FieldRecord(f"receipt.{key[2:]}", max(0, tally.accepted[key.split(".")[2]] - count), 0, count)
        for key, count in missed.items()
    )


def report_text(report: AuditReport) -> bytes:
    """A report as it stands in its file: canonical bytes and a newline."""
    return canonical_bytes(report) + b"\n"


def stop_line(report: AuditReport) -> str:
    """Where and why an audit ended too early, in a line; empty if it did not."""
    stop = report.stop
    if stop is None:
        return ""
    return BadLog(stop.fault, Place(stop.line, stop.byte), stop.message).message


def verdict_line(report: AuditReport) -> str:
    """An audit in a line."""
    counts = f"{report.events:,} events, {report.snapshots:,} snapshots"
    found = sum(report.found.values())
    if found:
        first = report.findings[0]
        where = f"line {first.line}" if first.byte is not None else f"row {first.line}"
        return f"{counts}: {found:,} finding{'s' * (found > 1)}, the first at step {first.step} ({where}), {first.rule}"
    if not report.events and not report.snapshots:
        return f"{counts}: nothing was audited"
    return f"{counts}: {'nothing is wrong up to where it ends' if report.stop else 'nothing is wrong'}"
