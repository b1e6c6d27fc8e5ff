"""The vectors that are kept: none has changed, the reference passes them, every rule and reason has one."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_vectors
from click.testing import CliRunner

from clearspec.codec import canonical_bytes, encode, loads
from clearspec.formats import LogFormat, LogHeader, LogLine, Vector
from clearspec.rules import CHAPTERS
from clearspec_command.failures import BadInput
from clearspec_conformance import vectors_command
from clearspec_conformance.formats import SuiteIndex, sealed
from clearspec_conformance.logs import replay
from clearspec_conformance.playing import Terms
from clearspec_conformance.suite import INDEX, VERSION, load_suite, read_bounded, vectors_folder
from clearspec_conformance.trace import gaps, rows
from clearspec_conformance.vectors import filled
from clearspec_conformance.vectors_command import (
    changes,
    command,
    faults,
    index_of,
    index_text,
    least_version,
    path_of,
    text_of,
)


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


# The index

CASES = {one.id: one for one in sample_vectors.CASES}


def small(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Path:
    """A suite of a few sample vectors, filled with its index; the commands know no other cases."""
    monkeypatch.setattr(vectors_command, "load_cases", lambda: {name: CASES[name] for name in names})
    monkeypatch.setattr(vectors_command, "KERNEL_CASES", {})
    monkeypatch.setattr(vectors_command, "GENESIS_CASES", {})
    told = CliRunner().invoke(command, ["fill", "--folder", str(folder)])
    assert told.exit_code == 0, told.output
    return folder


def ran(folder: Path, *arguments: object) -> tuple[int, str]:
    found = CliRunner().invoke(command, [str(one) for one in (*arguments, "--folder", folder)], standalone_mode=False)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return (found.exit_code or int(found.return_value or 0)), found.output


def test_with_and_without_the_index_a_suite_is_the_same(tmp_path: Path) -> None:
    """The whole suite, once by its index and once decoded strictly and checked."""
    folder = vectors_folder()
    for path in folder.glob("*/*.json"):
        target = tmp_path / path.relative_to(folder)
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(path)
    fast, strict = load_suite(folder), load_suite(tmp_path)
    assert (fast.version, strict.version) == (load_suite(folder).version, "")
    assert fast.version.startswith(f"{VERSION}.")
    assert fast.digest == strict.digest
    assert fast.entries == strict.entries


def test_a_file_that_is_not_the_one_of_the_index_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An amount of 100 becomes 101: the digest does not fit, index or not. Other white space is the same vector."""
    folder = small(tmp_path, monkeypatch, "ledger-deposits")
    path = folder / "ledger" / "ledger-deposits.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole)))
    assert load_suite(folder).entries[0].digest == load_suite(folder).entries[0].vector.digest
    path.write_text(whole.replace('"100"', '"101"', 1))
    with pytest.raises(BadInput, match="digest: expected"):
        load_suite(folder)


def test_an_index_leaves_nothing_out_and_lies_about_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small(tmp_path, monkeypatch, "ledger-deposits", "trading-fill")
    index = json.loads((folder / INDEX).read_text())
    index["vectors"]["trading-fill"]["rules"] = ["NUM-1"]
    index["vectors"]["trading-fill"]["file"] = "0" * 64
    (folder / INDEX).write_text(json.dumps(index))
    assert load_suite(folder).entries[1].rules == CASES["trading-fill"].rules
    (folder / INDEX).write_text(json.dumps({**index, "version": f"{VERSION + 1}.0.0"}))
    assert load_suite(folder).version == ""
    (folder / INDEX).write_text(json.dumps(index))
    (folder / "trading" / "trading-fill.json").unlink()
    with pytest.raises(BadInput, match="there is no vector trading-fill"):
        load_suite(folder)
    (folder / INDEX).write_text("{}")
    with pytest.raises(BadInput, match=r"suite\.json: \$\.format: missing_key"):
        load_suite(folder)


# Fill and diff


def test_a_fill_writes_what_changed_and_removes_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path, monkeypatch, "ledger-deposits", "trading-fill")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*.json")}
    assert ran(tmp_path, "fill")[1].startswith("2 vectors, 0 files written, 0 removed")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*.json")} == before
    small(tmp_path, monkeypatch, "ledger-deposits")
    assert [path.name for path in tmp_path.glob("*/*")] == ["ledger-deposits.json"]
    assert ran(tmp_path, "check") == (0, "1 vectors, 0 differences\n")


def test_a_fill_that_breaks_off_leaves_every_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path, monkeypatch, "ledger-deposits")
    path = tmp_path / "ledger" / "ledger-deposits.json"
    path.write_text("old")

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    found = CliRunner().invoke(command, ["fill", "--folder", str(tmp_path)])
    assert "No space left on device" in found.output
    assert path.read_text() == "old"
    assert [one.name for one in (tmp_path / "ledger").iterdir()] == [path.name]


def test_diff_says_which_changed_where_and_whether_the_case_or_the_answer_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path, monkeypatch, "ledger-deposits", "trading-fill")
    assert ran(tmp_path, "diff") == (0, "")
    vector = filled(CASES["trading-fill"])
    richer = replace(vector.steps[1], receipt=replace(vector.steps[1].receipt, amounts={"fee": 1}))
    path = path_of(tmp_path, vector, "trading")
    path.write_text(text_of(sealed(replace(vector, steps=(vector.steps[0], richer, *vector.steps[2:])))))
    told = ran(tmp_path, "diff")[1]
    assert "changed: trading-fill: the reference answers otherwise: TRADE-1, TRADE-7; a class of bug" in told
    assert "  $.steps[1].receipt.amounts.fee: 1 -> None" in told
    path.write_text(text_of(sealed(replace(vector, rules=("TRADE-1",)))))
    assert "changed: trading-fill: its case was rewritten: TRADE-1, TRADE-7" in ran(tmp_path, "diff")[1]
    path.unlink()
    assert ran(tmp_path, "diff")[1] == "new: trading-fill: TRADE-1, TRADE-7; a class of bug\n"


def test_the_version_rises_by_what_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Format, coverage, fix: the first number, the second, the third."""
    both = {
        path_of(tmp_path, vector, "c"): vector
        for vector in (filled(CASES["ledger-deposits"]), filled(CASES["trading-fill"]))
    }
    new = index_of(both)
    old = replace(new, version=f"{VERSION}.3.4")
    assert least_version(old, new) == (f"{VERSION}.3.4", "nothing")
    changed = {**new.vectors, "trading-fill": replace(new.vectors["trading-fill"], digest="0")}
    assert least_version(replace(old, vectors=changed), new) == (f"{VERSION}.3.5", "fix")
    fewer = {"trading-fill": changed["trading-fill"]}
    assert least_version(replace(old, vectors=fewer), new) == (f"{VERSION}.4.0", "coverage")
    assert least_version(replace(old, version=f"{VERSION - 1}.9.9"), new) == (f"{VERSION}.0.0", "format")
    small(tmp_path, monkeypatch, "ledger-deposits", "trading-fill")
    (tmp_path / "old.json").write_text(index_text(replace(new, version=f"{VERSION - 1}.9.9")))
    assert ran(tmp_path, "diff", "--against", tmp_path / "old.json")[0] == 0
    (tmp_path / "old.json").write_text(index_text(replace(new, vectors=fewer)))
    code, told = ran(tmp_path, "diff", "--against", tmp_path / "old.json")
    assert code == 1
    assert "new: ledger-deposits\nchanged: trading-fill\ncoverage changed since" in told


def test_the_kept_index_is_that_of_the_kept_vectors() -> None:
    index: SuiteIndex = loads(SuiteIndex, read_bounded(vectors_folder() / INDEX))
    suite = load_suite(vectors_folder())
    assert set(index.vectors) == {entry.id for entry in suite.entries}
    assert re.fullmatch(rf"{VERSION}\.[0-9]+\.[0-9]+", index.version)
    assert encode(index)["vectors"].keys() == index.vectors.keys()


# The third door


def test_every_vector_is_a_log_that_replays(tmp_path: Path) -> None:
    """Each vector of events as the log of an engine that did as it says; what is no event stands in no log."""
    path, played = tmp_path / "log.jsonl", 0
    for entry in load_suite(vectors_folder()).entries:
        if not isinstance(entry.vector, Vector):
            continue
        steps = [step for step in entry.vector.steps if step.event is not None]
        lines: list[Any] = [LogHeader(LogFormat.V1, entry.vector.genesis)]
        lines += [LogLine(step.event, step.receipt, step.observable) for step in steps if step.event]
        path.write_bytes(b"".join(canonical_bytes(line) + b"\n" for line in lines))
        (found,) = replay(path, Terms(), True).results
        assert (found.verdict, found.why) == ("passed", f"{len(steps)} events replayed"), entry.id
        played += 1
    assert played > 500
