"""Faults of every kind at random steps are found at exactly the step at which they first show.

The recorded run of ``conformance/benchmarks/audit_figures.py`` has two hundred of each kind in a log of 100,000 events.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

import pytest
from audit_samples import audited, written

from clearspec.formats import LogLine
from clearspec_conformance.audit.formats import AuditReport, Subject
from clearspec_conformance.audit.lines import Plain
from clearspec_conformance.audit.reading import Layout, Start
from clearspec_conformance.audit.reports import audited_log, report_of
from clearspec_conformance.audit.segments import Log, Segment, audit_segment, snapshot_starts
from clearspec_conformance.audit.writing import line_bytes
from clearspec_conformance.injected import KINDS
from clearspec_conformance.injected.logs import Checkpoint, Record, faulty_log
from clearspec_conformance.injected.market import base_log

EVENTS, EVERY, SAMPLES = 4_000, 500, 2


@cache
def right() -> tuple[Record, ...]:
    return tuple(base_log(EVENTS, 5, EVERY))


def spoiled(kind: str, step: int) -> tuple[list[bytes], int | None]:
    """The log as an engine of a kind would have written it, wrong from some step on, and that step."""
    log = right()
    place = max(
        place
        for place, record in enumerate(log)
        if place == 0 or (isinstance(record, Checkpoint) and record.step < step)
    )
    start = log[place]
    if isinstance(start, Checkpoint):
        faulty = faulty_log(kind, log[place + 1 :], step, step, start)
        return [line_bytes(record) for record in (*log[: place + 1], *faulty)], faulty.fired_at
    faulty = faulty_log(kind, log, step, step)
    return [line_bytes(record) for record in faulty], faulty.fired_at


def resumed(path: Path, line: int) -> AuditReport:
    """The audit from the last snapshot before a line."""
    log = Log(path, Layout.JSONL, Plain())
    start = [Start(), *(start for start in snapshot_starts(log) if start.line < line)][-1]
    tally = audit_segment(log, Segment(start, start.line > 0))
    return report_of(tally, audited_log(path, Layout.JSONL), Plain())


@cache
def draw(kind: str) -> list[tuple[int, list[bytes], int]]:
    """Random steps at which, or after which, a fault shows: the step, the log, the step at which it does."""
    chance, found = Random(f"audit {kind}"), []
    while len(found) < SAMPLES:
        step = chance.randrange(1, EVENTS)
        lines, fired = spoiled(kind, step)
        if fired is not None:
            found.append((step, lines, fired))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_found_at_the_step_at_which_it_shows(tmp_path: Path, kind: str) -> None:
    for step, lines, fired in draw(kind):
        path = written(tmp_path / f"{step}", lines)
        report = audited(path)
        first = report.findings[0]
        assert (report.first_step, first.subject) == (fired, Subject.RECEIPT), (kind, step)
        again = resumed(path, first.line)
        events = sum(isinstance(record, LogLine) for record in right())
        assert events == EVENTS
        before = fired - again.first_step
        assert before % EVERY == 0
        assert again.findings[0].line == first.line
        assert again.findings[0].differences == first.differences


@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_does_not_hide_what_comes_after(tmp_path: Path, kind: str) -> None:
    """Going on, nothing is told after the next snapshot, for from there the engine is right in its own state.

    A lost posting leaves the engine's books out of balance for ever: that is told once, and every snapshot shows it.
    """
    _, lines, fired = draw(kind)[0]
    report = audited(written(tmp_path / "log", lines), going_on=True)
    assert (report.first_step, report.events, report.stop) == (fired, EVENTS, None)
    healed = (fired + EVERY - 1) // EVERY * EVERY
    assert all(one.step <= healed + EVERY for one in report.findings)
    assert len({(one.step, one.subject, one.rule) for one in report.findings}) == len(report.findings) < 12
    assert [one.follows for one in report.findings if one.step > fired and one.subject != Subject.INVARIANT] == [
        True for one in report.findings if one.step > fired and one.subject != Subject.INVARIANT
    ]
