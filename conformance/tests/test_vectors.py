"""The vectors that are kept: none has changed, the reference passes them, every rule and reason has one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from click.testing import CliRunner

from clearspec.rules import CHAPTERS
from clearspec_conformance.suite import load_suite, vectors_folder
from clearspec_conformance.trace import gaps, rows
from clearspec_conformance.vectors_command import changes, command, faults, text_of


def test_no_vector_has_changed() -> None:
    folder = vectors_folder()
    assert list(faults(folder)) == []
    assert changes(folder) == []


def test_every_rule_and_every_reason_has_a_vector() -> None:
    suite = load_suite(vectors_folder())
    assert list(gaps(suite, rows(suite))) == []


def test_smoke_has_three_vectors_of_every_chapter_that_events_can_show() -> None:
    suite = load_suite(vectors_folder())
    chapter = {entry.id: entry.chapter for entry in suite.entries}
    lines = (vectors_folder() / "smoke.txt").read_text(encoding="utf-8").splitlines()
    counts = Counter(chapter[line] for line in lines if line and not line.startswith("#"))
    wanted = set(CHAPTERS.values()) - {"invariants"}
    assert {name for name in wanted if counts[name] < 3} == set()


def test_check_names_a_changed_vector(tmp_path: Path) -> None:
    """A kept vector with one figure altered is found, by its digest and by the fill."""
    suite = load_suite(vectors_folder())
    for entry in suite.entries:
        path = tmp_path / entry.chapter / f"{entry.id}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text_of(entry.vector), encoding="utf-8")
    target = tmp_path / "ledger" / "ledger-deposit-001.json"
    target.write_text(target.read_text(encoding="utf-8").replace('"100"', '"101"'), encoding="utf-8")
    run = CliRunner().invoke(command, ["check", "--folder", str(tmp_path)])
    assert run.exit_code == 1
    assert "ledger-deposit-001" in run.output
