"""What a run leaves behind: the JSON result, JUnit, a badge, and the report that others can recheck."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clearspec.codec import canonical_bytes
from clearspec.events import Reason
from clearspec_command.failures import BadInput
from clearspec_conformance.formats import (
    Report,
    ReportFormat,
    Selection,
    SuiteRecord,
    Tally,
    VectorVerdict,
    Verdict,
    digest_of,
    sealed,
)
from clearspec_conformance.runner import RunResult
from clearspec_conformance.suite import Entry, Suite, selected
from clearspec_conformance.verdicts import Result, by_rule, shown, tally

LONGEST_WHY = 400
NOT_XML = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


@dataclass(frozen=True, slots=True)
class Finished:
    """A run and what it was a run of; a replayed log has neither suite nor selection."""

    outcome: RunResult
    suite: SuiteRecord | None = None
    selection: Selection | None = None

    @property
    def summary(self) -> Tally:
        """Verdicts counted."""
        return tally(found.verdict for found in self.outcome.results)

    @property
    def well(self) -> bool:
        """Whether something passed and nothing speaks against the engine."""
        return self.summary.passed > 0 and not any(found.bad for found in self.outcome.results)


def suite_record(suite: Suite) -> SuiteRecord:
    """A suite's version, digest and size."""
    return SuiteRecord(suite.version, suite.digest, len(suite.entries))


def failure_document(found: Result) -> dict[str, Any]:
    """A bad result as JSON."""
    document: dict[str, Any] = {
        "id": found.id,
        "chapter": found.chapter,
        "rules": list(found.rules),
        "verdict": found.verdict.value,
        "why": found.why,
        "stderr": found.stderr,
    }
    if found.failure is not None:
        document |= {
            "rule": found.failure.rule,
            "step": found.failure.step,
            "differences": [asdict(difference) for difference in found.failure.differences],
            "events": list(found.failure.events),
            "note": found.failure.note,
        }
    return document


def result_document(finished: Finished) -> dict[str, Any]:
    """A run as one JSON object; counts and seconds are numbers, what comes from the wire stays as it was."""
    outcome = finished.outcome
    return {
        "summary": {**asdict(finished.summary), "seconds": round(outcome.seconds, 3)},
        "not_run": outcome.not_run,
        "implementation": asdict(outcome.implementation),
        "suite": None if finished.suite is None else asdict(finished.suite),
        "selection": None if finished.selection is None else asdict(finished.selection),
        "rules": {rule: asdict(counts) for rule, counts in by_rule(outcome.results).items()},
        "failures": [failure_document(found) for found in outcome.results if found.bad],
        "skipped": [
            {"id": found.id, "why": found.why} for found in outcome.results if found.verdict == Verdict.SKIPPED
        ],
    }


def json_text(document: Any) -> bytes:
    """A document as indented JSON."""
    return json.dumps(document, indent=2, ensure_ascii=True, default=list).encode("ascii") + b"\n"


def clean(text: str) -> str:
    """Text without the characters that XML has no form for."""
    return re.sub(NOT_XML, "\ufffd", text)


def explained(found: Result) -> str:
    """Everything about a bad result as text."""
    lines = [found.why]
    if found.failure is not None:
        lines.append(f"rule {found.failure.rule}, step {found.failure.step}")
        lines += [
            f"{one.path}: expected {shown(one.expected)}, got {shown(one.got)}" for one in found.failure.differences
        ]
        lines += [found.failure.note] if found.failure.note else []
        lines += ["events:", *(shown(event) for event in found.failure.events)]
    if found.stderr:
        lines += ["stderr:", found.stderr]
    return "\n".join(lines)


def junit(finished: Finished) -> bytes:
    """A run as JUnit XML: a test case for each vector; errored and hung are errors, failed is a failure."""
    from xml.etree import ElementTree

    counts = finished.summary
    totals = {
        "tests": str(counts.vectors),
        "failures": str(counts.failed),
        "errors": str(counts.errored + counts.hung),
        "skipped": str(counts.skipped),
        "time": f"{finished.outcome.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "clearspec", **totals})
    for found in finished.outcome.results:
        names = {"classname": found.chapter, "name": found.id, "time": f"{found.seconds:.3f}"}
        test = ElementTree.SubElement(suite, "testcase", names)
        if found.verdict == Verdict.SKIPPED:
            ElementTree.SubElement(test, "skipped", {"message": clean(found.why)})
        elif found.bad:
            tag = "failure" if found.verdict == Verdict.FAILED else "error"
            kind = {"type": found.verdict.value, "message": clean(found.why)}
            ElementTree.SubElement(test, tag, kind).text = clean(explained(found))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def badge(finished: Finished) -> bytes:
    """A run as the JSON of a badge endpoint: how many vectors passed; skipped ones are never hidden."""
    counts = finished.summary
    ran = counts.vectors - counts.skipped
    message = f"{counts.passed} of {ran} passed" + (f", {counts.skipped} skipped" if counts.skipped else "")
    color = "red" if not finished.well else "brightgreen" if not counts.skipped else "green"
    return json_text(
        {"schemaVersion": 1, "label": "clearspec", "message": message, "color": color, "isError": not finished.well}
    )


def report_of(finished: Finished, reasons: Mapping[str, Reason]) -> Report:
    """The report of a run of the suite."""
    outcome = finished.outcome
    assert finished.suite is not None
    assert finished.selection is not None
    verdicts = tuple(
        VectorVerdict(found.id, found.digest, found.verdict, found.why[:LONGEST_WHY].replace("\0", "\ufffd"))
        for found in outcome.results
    )
    report: Report = sealed(
        Report(
            ReportFormat.V2,
            finished.suite,
            outcome.implementation,
            finished.selection,
            dict(reasons),
            finished.summary,
            outcome.not_run,
            by_rule(outcome.results),
            verdicts,
            "",
        )
    )
    return report


def report_text(report: Report) -> bytes:
    """A report as it stands in its file: canonical bytes and a newline."""
    return canonical_bytes(report) + b"\n"


def disagreements(report: Report, suite: Suite) -> Iterator[str]:
    """Where a report does not agree with itself or with the suite; nothing needs to be run for it."""
    if report.digest != digest_of(report):
        yield f"the report's digest is {digest_of(report)}, not {report.digest}"
    if report.suite != suite_record(suite):
        yield f"the suite is {suite_record(suite)}, not {report.suite}"
    names = [item.id for item in report.verdicts]
    yield from (f"{name} has more than one verdict" for name in sorted({one for one in names if names.count(one) > 1}))
    if report.summary != tally(item.verdict for item in report.verdicts):
        yield f"the verdicts count to {tally(item.verdict for item in report.verdicts)}, not {report.summary}"
    try:
        entries = selected(suite, report.selection.tier, report.selection.only)
    except BadInput as error:
        yield f"the selection: {error.message}"
        return
    yield from _vector_disagreements(report, {entry.id: entry for entry in entries})


def _vector_disagreements(report: Report, entries: Mapping[str, Entry]) -> Iterator[str]:
    """Where the verdicts of a report do not agree with the vectors that were to be run."""
    results = []
    for item in report.verdicts:
        entry = entries.get(item.id)
        if entry is None:
            yield f"{item.id} is not among the vectors selected"
            continue
        if entry.digest != item.digest:
            yield f"{item.id} has the digest {entry.digest}, not {item.digest}"
        lacking = set(entry.features) - set(report.implementation.features)
        if lacking and item.verdict in (Verdict.PASSED, Verdict.FAILED):
            yield f"{item.id} has the verdict {item.verdict.value} without the features {', '.join(sorted(lacking))}"
        results.append(Result(item.id, entry.chapter, entry.rules, item.digest, item.verdict))
    missing = len(entries) - len(results)
    if missing != report.not_run:
        yield f"{missing} of the vectors selected have no verdict, not {report.not_run}"
    if dict(report.rules) != by_rule(results):
        yield "the verdicts by rule are not those of the vectors"
