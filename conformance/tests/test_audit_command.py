"""``clearspec audit``: files, exit codes, what is printed; the page in a browser; the documentation as it stands."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from audit_samples import market_desk, market_lines, packed, spoiled, written

from clearspec.codec import loads
from clearspec.events import ROLES
from clearspec.scenario import spec_folder
from clearspec_command.main import main
from clearspec_conformance.audit import metrics, parquet, schemas
from clearspec_conformance.audit.formats import AuditReport
from clearspec_conformance.audit.page import page
from clearspec_conformance.audit.reports import report_text
from clearspec_conformance.audit.tallies import CHECKS, Series

ROOT = Path(__file__).parents[2]
HARBOUR = ROOT / "conformance" / "examples" / "harbour"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
Printed = pytest.CaptureFixture[str]


def wrong_time(line: Any) -> None:
    line["receipt"]["time"] = "9"


def right_log(tmp_path: Path) -> Path:
    return written(tmp_path / "right.jsonl", market_lines(600, 100))


def wrong_log(tmp_path: Path) -> Path:
    return written(tmp_path / "wrong.jsonl", spoiled(market_lines(600, 100), 333, wrong_time))


def test_a_right_log(tmp_path: Path, capsys: Printed) -> None:
    assert main(["audit", str(right_log(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert "600 events, 6 snapshots: nothing is wrong" in out
    assert all(check.id in out for check in CHECKS)
    assert "594 not: no whole observable snapshot is published" in out
    assert "receipt.subject not compared" in out


def test_the_log_of_a_run_is_clean(tmp_path: Path, capsys: Printed) -> None:
    scenario, log = ROOT / "conformance" / "scenarios" / "first-default.toml", tmp_path / "run.jsonl"
    assert main(["run", str(scenario), "--quiet", "--log", str(log)]) == 0
    assert main(["audit", str(log)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_a_wrong_log(tmp_path: Path, capsys: Printed) -> None:
    assert main(["audit", str(wrong_log(tmp_path))]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^step 333 \(line 337\): \w+ m\d+: the receipt differs, rule EVENT-1$", out, re.MULTILINE)
    assert re.search(r"\$\.receipt\.time: expected \d+, got 9", out)
    assert "clearspec explain EVENT-1 shows the rule" in out
    assert "1 finding, the first at step 333 (line 337), EVENT-1" in out


def test_a_log_that_breaks_off(tmp_path: Path, capsys: Printed) -> None:
    """What was found before the end is told too; a log that cannot be read is bad input, whatever was found."""
    lines = [*spoiled(market_lines(600, 100), 333, wrong_time)[:400], b'{"event":']
    path = written(tmp_path / "log", lines)
    assert main(["audit", str(path), "--continue"]) == 2
    out = capsys.readouterr().out
    assert "step 333" in out
    assert "ended early at line 401, byte" in out
    assert "truncated: the last line breaks off" in out


def test_begin_at_the_snapshot_before_a_line(tmp_path: Path, capsys: Printed) -> None:
    """Snapshots stand on lines 102, 203, 304 ...: from line 337 on means from line 304, the event 333 is the 33rd."""
    path = wrong_log(tmp_path)
    assert main(["audit", str(path), "--from-line", "337"]) == 1
    assert "step 33 (line 337)" in capsys.readouterr().out
    assert main(["audit", str(path), "--from-line", "304"]) == 1
    assert main(["audit", str(path), "--from-line", "338"]) == 1
    assert main(["audit", str(path), "--from-line", "500"]) == 0
    assert main(["audit", str(path), "--from-line", "101"]) == 2
    assert "no snapshot at or before this line" in capsys.readouterr().err


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_jobs_write_the_same_report(tmp_path: Path, executor: str) -> None:
    for path, code in ((right_log(tmp_path), 0), (wrong_log(tmp_path), 1)):
        one, two = tmp_path / "one.json", tmp_path / "two.json"
        assert main(["audit", str(path), "--json", str(one)]) == code
        assert main(["audit", str(path), "--json", str(two), "--jobs", "2", "--executor", executor]) == code
        assert one.read_bytes() == two.read_bytes()


def test_a_dask_cluster_writes_the_same_report(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    path, one, two = wrong_log(tmp_path), tmp_path / "one.json", tmp_path / "two.json"
    assert main(["audit", str(path), "--continue", "--json", str(one)]) == 1
    assert main(["audit", str(path), "--continue", "--json", str(two), "--jobs", "2", "--executor", "dask"]) == 1
    assert one.read_bytes() == two.read_bytes()


def test_an_executor_that_is_none(tmp_path: Path, capsys: Printed) -> None:
    """It is refused in one pass too, in which nothing would run there."""
    for options in (["--jobs", "2"], []):
        assert main(["audit", str(right_log(tmp_path)), *options, "--executor", "slurm"]) == 2
        assert "expected process, thread, dask or dask:ADDRESS" in capsys.readouterr().err


def test_a_log_without_segments_says_so(tmp_path: Path, capsys: Printed) -> None:
    path = written(tmp_path / "log", market_desk().lines)
    assert main(["audit", str(path), "--jobs", "2"]) == 0
    assert "no full snapshot in the log: audited in one pass" in capsys.readouterr().err
    assert main(["audit", str(right_log(tmp_path)), "--jobs", "2", "--executor", "thread"]) == 0
    assert "in one pass" not in capsys.readouterr().err


def test_a_log_in_which_nothing_is_audited(tmp_path: Path, capsys: Printed) -> None:
    path = written(tmp_path / "log", [market_desk().lines[0], b"{"])
    assert main(["audit", str(path)]) == 2
    out = capsys.readouterr().out
    assert "0 events, 0 snapshots: nothing was audited" in out
    assert "nothing is wrong" not in out


def test_figures_are_many(tmp_path: Path, capsys: Printed) -> None:
    desk = market_desk()
    desk.lines[-1]["figures"] = {"accounts": {"ann": {"balances": {"USD": "9998"}}}}
    assert main(["audit", str(written(tmp_path / "log", desk.lines))]) == 1
    assert "the figures differ, rule TRADE-7" in capsys.readouterr().out


def test_keys_that_found_nothing_are_printed(tmp_path: Path, capsys: Printed) -> None:
    """On the terminal, on the page and in the report; they are no findings."""
    from clearspec_conformance.audit.formats import UnfoundRecord

    shutil.copytree(HARBOUR, tmp_path / "harbour")
    mapping, page_file, report_file = tmp_path / "harbour" / "mapping.toml", tmp_path / "page", tmp_path / "report"
    mapping.write_text(mapping.read_text().replace('each = "after.*"', 'each = "afters.*"'))
    log = tmp_path / "harbour" / "engine.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:12]))
    words = ["--mapping", str(mapping), "--html", str(page_file), "--json", str(report_file)]
    assert main(["audit", str(log), *words]) == 0
    line = next(place for place, row in enumerate(mapping.read_text().splitlines(), start=1) if '"afters.*"' in row)
    said = "nothing stood at afters.* on any of 11 lines"
    told = f"{mapping}: line {line}: $.figures[0].each: {said}"
    out = capsys.readouterr().out
    assert " ".join(told.split()) in " ".join(out.split())
    assert "nothing is wrong" in out
    assert html.escape(told, quote=False) in page_file.read_text()
    report: AuditReport = loads(AuditReport, report_file.read_bytes())
    assert UnfoundRecord(line, "$.figures[0].each", said) in report.unfound
    assert (report.passed, report.findings) == (True, ())


def test_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Printed) -> None:
    import sys

    for name in ("backports", "pyarrow", "prometheus_client", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    path = written(tmp_path / "log.zst", [b"\x28\xb5\x2f\xfd"])
    assert main(["audit", str(path)]) == 2
    assert "pip install '.[audit]'" in capsys.readouterr().err
    for call in (parquet.library, metrics.library):
        with pytest.raises(Exception, match=r"'\.\[audit\]'"):
            call()
    assert main(["audit", str(right_log(tmp_path)), "--jobs", "2", "--executor", "dask"]) == 2
    assert "pip install '.[dask]'" in capsys.readouterr().err


def test_json_goes_to_standard_output(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["audit", str(wrong_log(tmp_path)), "--json"]) == 1
    out, err = capsysbinary.readouterr()
    report: AuditReport = loads(AuditReport, out)
    assert (report.first_step, report.found, report.passed) == (333, {"EVENT-1": 1}, False)
    assert b"the first at step 333" in err
    assert report_text(report) == out


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    path = right_log(tmp_path)
    assert main(["audit", str(path), "--json", str(path)]) == 2
    assert main(["audit", str(tmp_path / "none"), "--json", str(tmp_path / "report")]) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["right.jsonl"]


# Schemas


def validator(name: str) -> Any:
    schema = schemas.schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_lines_and_reports_fit_their_schemas(tmp_path: Path) -> None:
    line, report = validator("audit-line.json"), validator("audit-report.json")
    for data in market_lines(600, 100)[1:]:
        line.validate(json.loads(data))
    assert not line.is_valid({"receipt": {"status": "accepted"}})
    assert not line.is_valid({"snapshot": {"format": "clearspec/snapshot/1"}})
    desk = market_desk()
    desk.lines[-1]["figures"] = {"accounts": {"ann": {"balances": {"USD": "9999"}}}}
    line.validate(desk.lines[-1])
    assert main(["audit", str(wrong_log(tmp_path)), "--continue", "--json", str(tmp_path / "report")]) == 1
    report.validate(json.loads((tmp_path / "report").read_text()))


@pytest.mark.parametrize("name", ["audit-line.json", "audit-report.json"])
def test_the_schemas_stand_with_the_others(name: str) -> None:
    stored = json.loads((spec_folder() / "schemas" / "protocol" / name).read_text(encoding="utf-8"))
    assert stored == schemas.schemas()[name]


# The page

HOSTILE = '<script>alert(1)</script> & "quotes"'


def hostile_report(tmp_path: Path) -> tuple[AuditReport, Series]:
    from clearspec_conformance.audit.lines import Plain
    from clearspec_conformance.audit.reading import Layout
    from clearspec_conformance.audit.reports import audited_log, report_of
    from clearspec_conformance.audit.segments import Log, audit

    def change(line: Any) -> None:
        line["receipt"]["reason"] = HOSTILE

    path = written(tmp_path / "log", spoiled(market_lines(600, 100), 333, change))
    tally = audit(Log(path, Layout.JSONL, Plain(), True))
    hostile = Plain()
    hostile.name = HOSTILE
    return report_of(tally, audited_log(path, Layout.JSONL), hostile), tally.series


def test_the_page_loads_nothing_and_escapes_everything(tmp_path: Path) -> None:
    text = page(*hostile_report(tmp_path))
    own = text.replace(text[text.index("<script>/**") : text.index('<script>\n"use strict"')], "")
    assert "default-src 'none'" in own
    assert "<script>alert(1)</script>" not in own
    assert html.escape(HOSTILE, quote=False)[:30] in own
    assert re.findall(r'(?:src|href)="([^"#]*)"', own) == ["data:,"]


def test_the_page_says_what_came_of_the_audit(tmp_path: Path) -> None:
    text = page(*hostile_report(tmp_path)).split('<script type="application/json"')[0]
    words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
    assert "600 events, 6 snapshots: 1 finding, the first at step 333 (line 337)" in words
    assert "Custody and funds of pool main" in words
    assert all(check.sentence in words for check in CHECKS)
    assert "receipt.subject 0 600 0" in words


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_page(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page(*hostile_report(tmp_path)), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={tmp_path / 'home'}", (tmp_path / "page.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert 'data-drawn="2"' in shown
    assert shown.count('class="main-svg"') >= 2


# The documentation


def commands() -> list[list[str]]:
    """The commands of the tutorial, with their words."""
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(clearspec audit .*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [
        shlex.split(line)[1:] for block in blocks for line in block.splitlines() if line.startswith("clearspec audit")
    ]


def test_the_tutorial_comes_to_its_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    """The commands of the page are run as they stand; what it shows of the finding is what they print."""
    shutil.copytree(HARBOUR, tmp_path / "conformance" / "examples" / "harbour")
    monkeypatch.chdir(tmp_path)
    tutorial = [words for words in commands() if "conformance/examples/harbour/engine.jsonl" in words]
    assert len(tutorial) >= 3
    for words in tutorial:
        assert main(words) in (1, 2)
    out = capsys.readouterr().out
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    for shown in re.findall(r"^step 13 .*$", text, re.MULTILINE):
        assert shown in out
    assert "step 13 (line 14)" in text


def test_every_key_of_a_mapping_is_documented() -> None:
    from clearspec_conformance.audit.converting import KEYS
    from clearspec_conformance.audit.rules import FIGURES, POSTING_FIELDS, SECTIONS

    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    for name in (*KEYS, *FIGURES, *POSTING_FIELDS, *SECTIONS, "skip", "json", "genesis", "@value", "@1"):
        assert f"`{name}`" in text, name


def test_the_table_of_actions_is_that_of_the_reference() -> None:
    """The amounts of the table are those that receipts of the conformance vectors have, no less and no more."""
    from clearspec_conformance.audit.amounts import AMOUNTS
    from clearspec_conformance.audit.rules import action_table

    assert action_table() in (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "conformance" / "vectors").rglob("*.json")):
        for receipt in receipts_in(json.loads(path.read_text(encoding="utf-8"))):
            found.setdefault(receipt["action"], set()).update(receipt["amounts"])
    assert {name: set(amounts) for name, amounts in AMOUNTS.items()} == {
        name: part for name, part in found.items() if part
    }
    assert set(found) >= set(ROLES)


def receipts_in(document: Any) -> Iterator[Any]:
    """Every receipt in a document."""
    if isinstance(document, dict) and {"action", "amounts", "postings"} <= document.keys():
        yield document
    elif isinstance(document, dict | list):
        for part in document.values() if isinstance(document, dict) else document:
            yield from receipts_in(part)


def test_the_rule_of_each_amount_is_one_of_the_reference() -> None:
    from clearspec_command.explain import rule_ids
    from clearspec_conformance.audit.amounts import AMOUNTS, RANGED

    assert {rule for amounts in AMOUNTS.values() for rule in amounts.values()} <= set(rule_ids())
    assert all(name in AMOUNTS[action] for action, name in RANGED.items())


def test_every_fault_is_documented() -> None:
    from clearspec_conformance.audit.formats import LogFault

    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    assert all(f"`{fault.value}`" in text for fault in LogFault)


def test_packed_lines_are_lines() -> None:
    assert packed({"a": 1}) == b'{"a":1}\n'
