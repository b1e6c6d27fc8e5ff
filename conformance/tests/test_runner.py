"""The runner: every door, every verdict, and engines that must fail; what it writes, and what it refuses to read."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]
import pytest
import sample_vectors

from clearspec import events as ev
from clearspec.codec import canonical_bytes, encode
from clearspec.events import Event
from clearspec.formats import LogFormat, LogHeader, LogLine, Vector, receipt_record
from clearspec.sandbox import Sandbox
from clearspec.snapshot import observable
from clearspec_command.display import plain
from clearspec_command.failures import BadInput
from clearspec_command.main import main
from clearspec_conformance import engines
from clearspec_conformance.engines import MOST_STDERR, opener
from clearspec_conformance.formats import Tier, sealed
from clearspec_conformance.page import page
from clearspec_conformance.playing import Terms
from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.reports import Finished, explained, junit, suite_record
from clearspec_conformance.runner import RunResult, Settings, run
from clearspec_conformance.schemas import folder as schema_folder
from clearspec_conformance.suite import Suite, load_suite, selected
from clearspec_conformance.vectors import filled
from clearspec_conformance.verdicts import Difference, Result, differences

ENGINES = Path(__file__).parent / "engines"
IMPLEMENTATIONS = Path(__file__).resolve().parents[1] / "implementations"
SERVE = f"{sys.executable} -m clearspec_conformance.serve"
PYTHON = f"{sys.executable} {IMPLEMENTATIONS / 'tutorial-python' / 'engine.py'}"
NODE = f"node {IMPLEMENTATIONS / 'tutorial-javascript' / 'engine.mjs'}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IDS = [
    "events-rejections", "ledger-contributions", "ledger-deposits", "numerics-calls", "trading-fill",
    "waterfall-default",
]  # fmt: skip


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines and other processes find the packages also where they are not installed, from any folder."""
    root = Path(__file__).resolve().parents[2]
    paths = [str(root / "reference"), str(root / "conformance"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_vectors.write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def suite(folder: Path) -> Suite:
    return load_suite(folder)


def engine(name: str) -> str:
    return f"{sys.executable} {ENGINES / name}.py"


def judged(
    suite: Suite, implementation: str, timeout: float = 10.0, jobs: int = 1, fail_fast: bool = False
) -> RunResult:
    settings = Settings(Terms(timeout), 30.0, jobs, fail_fast)
    return run(suite.entries, opener(implementation, 2**20), settings)


def verdicts(outcome: RunResult) -> dict[str, str]:
    return {found.id: found.verdict.value for found in outcome.results}


def one(outcome: RunResult, name: str) -> Result:
    return next(found for found in outcome.results if found.id == name)


# Doors


@pytest.mark.parametrize(
    "implementation", ["reference", "python:clearspec_conformance.reference_engine:Reference", SERVE]
)
def test_the_reference_passes_through_every_door(suite: Suite, implementation: str) -> None:
    outcome = judged(suite, implementation)
    assert verdicts(outcome) == dict.fromkeys(IDS, "passed")
    assert (outcome.implementation.name, outcome.not_run) == ("clearspec reference", 0)


@pytest.mark.parametrize("implementation", [PYTHON, NODE], ids=["python", "javascript"])
def test_the_tutorial_engines_pass_what_they_claim(suite: Suite, implementation: str) -> None:
    if implementation == NODE and shutil.which("node") is None:
        pytest.skip("there is no node here")
    outcome = judged(suite, implementation)
    assert verdicts(outcome) == dict(zip(IDS, ["passed"] * 3 + ["skipped"] * 3, strict=True))
    assert outcome.implementation.features == ("events", "ledger")
    assert one(outcome, "trading-fill").why == "the engine does not claim oracle, trading"


def test_the_tutorial_engine_imports_the_standard_library_alone() -> None:
    """As a script, isolated from this environment's packages."""
    script = IMPLEMENTATIONS / "tutorial-python" / "engine.py"
    sent = b'{"id":"1","hello":{"protocol":"clearspec/protocol/1"}}\n'
    found = subprocess.run([sys.executable, "-I", "-S", script], input=sent, capture_output=True, check=True)
    assert json.loads(found.stdout)["hello"]["name"] == "tutorial-python"


# Engines that must fail

TRADES = ("trading-fill", "waterfall-default")
WRONG = {
    "always_accepts": dict.fromkeys(IDS, "failed") | {"numerics-calls": "passed"},
    "always_rejects": dict.fromkeys(IDS, "failed") | {"numerics-calls": "passed"},
    "wrong_state": dict.fromkeys(IDS, "failed") | {"numerics-calls": "passed", "ledger-contributions": "passed"},
    "wrong_reason": dict.fromkeys(IDS, "passed") | {"events-rejections": "failed", "ledger-contributions": "failed"},
    "wrong_amounts": dict.fromkeys(IDS, "failed") | {"numerics-calls": "passed"},
    "wrong_root": dict.fromkeys(IDS, "failed") | {"numerics-calls": "passed"},
    "wrong_kernel": dict.fromkeys(IDS, "passed") | {"numerics-calls": "failed"},
    "forgets_restored": dict.fromkeys(IDS, "passed") | {"events-rejections": "failed"},
    "sulks": dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "failed"),
    "late": dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "hung"),
    "dies": dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "errored"),
    "garbage": dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "errored"),
    "overlong": dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "errored"),
    "closes_output": dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "errored"),
    "wrong_id": dict.fromkeys(IDS, "errored") | {"numerics-calls": "passed"},
    "floats": dict.fromkeys(IDS, "errored") | {"numerics-calls": "passed"},
    "loses_receipts": dict.fromkeys(IDS, "errored") | {"numerics-calls": "passed"},
    "two_lines": dict.fromkeys(IDS, "errored"),
    "stillborn": dict.fromkeys(IDS, "errored"),
    "deaf": dict.fromkeys(IDS, "hung"),
    "lacks_everything": dict.fromkeys(IDS, "skipped"),
    "noisy": dict.fromkeys(IDS, "passed"),
}
TIMEOUTS = {"late": 1.5, "deaf": 0.2}
SAID = {
    "dies": "ended with exit code 3",
    "garbage": r"received: DEBUG margin \x1b[31mrecomputed",
    "overlong": "answered a line of more than 1048576 bytes; received: xxx",
    "closes_output": "closed its standard output",
    "wrong_id": "answered request 7, not request",
    "floats": "does not fit: $.apply.receipts[0].",
    "loses_receipts": "events with",
    "two_lines": "wrote ",
    "stillborn": "ended with exit code 1; stderr: no licence found",
    "late": "no answer in time",
}


def test_every_engine_that_must_fail_is_tried() -> None:
    assert {path.stem for path in ENGINES.glob("*.py")} == {*WRONG, "orphans"}


@pytest.mark.parametrize("name", WRONG)
def test_the_verdicts_on(name: str, suite: Suite) -> None:
    outcome = judged(suite, engine(name), TIMEOUTS.get(name, 10.0))
    assert verdicts(outcome) == WRONG[name]
    for found in outcome.results:
        if found.bad and name in SAID:
            assert SAID[name] in found.why


def test_the_first_divergence_is_found_before_the_vector_looks(suite: Suite) -> None:
    """An atom too many stands with alice after her deposit, step 2 of 6; the vector looks at the state after step 6."""
    found = one(judged(suite, engine("wrong_state")), "trading-fill")
    assert found.failure is not None
    assert (found.failure.step, found.failure.rule) == (2, "COLL-3")
    assert found.failure.differences == (Difference("$.observable.accounts.alice.balances.USD", "1000", "1001"),)
    assert [next(iter(event["action"])) for event in found.failure.events] == ["open_account", "deposit"]
    assert "is 990 by hand: 1000 - 10 x 100 x 1 %" in found.failure.note
    assert "the vector itself sees it at step 6" in found.failure.note


def test_a_wrong_reason_names_both_and_the_rule_behind_the_right_one(suite: Suite) -> None:
    found = one(judged(suite, engine("wrong_reason")), "ledger-contributions")
    assert found.failure is not None
    assert (found.failure.step, found.failure.rule, len(found.failure.events)) == (3, "EVENT-8", 3)
    assert found.failure.differences == (Difference("$.receipt.reason", "unknown_pool", "malformed"),)


def test_what_an_engine_forgets_on_restoring_is_found(suite: Suite) -> None:
    found = one(judged(suite, engine("forgets_restored")), "events-rejections")
    assert found.failure is not None
    assert (found.failure.rule, found.failure.note) == ("EVENT-12", "after restoring the snapshot of step 4")
    assert found.failure.differences[:2] == (
        Difference("$.receipt.status", "rejected", "accepted"),
        Difference("$.receipt.reason", "duplicate_event", None),
    )


def test_a_wrong_kernel_is_shown_with_its_call(suite: Suite) -> None:
    """-3.5 rounded down is -4, and the engine adds one."""
    found = one(judged(suite, engine("wrong_kernel")), "numerics-calls")
    assert found.failure is not None
    assert found.failure.rule == "NUM-3"
    assert found.failure.differences == (Difference("$.results.product", "-4", "-3"),)
    assert found.failure.events == ({"mul_floor": {"amount": "-7", "ratio": "500000000"}},)


def test_standard_error_is_kept_bounded_and_apart(suite: Suite) -> None:
    found = one(judged(suite, engine("dies")), "trading-fill")
    assert found.stderr == "out of memory\n"
    noisy = opener(engine("noisy"))()
    noisy.exchange({"id": "1", "hello": {"protocol": "clearspec/protocol/1"}}, time.monotonic() + 10)
    heard = noisy.heard()
    noisy.close(0.0)
    assert heard.endswith('"hello": {}}\n')
    assert len(heard) == MOST_STDERR


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_the_children_of_an_engine_end_with_it(suite: Suite, tmp_path: Path) -> None:
    """The child holds the engine's output open after its death, and would live on for five minutes."""
    small = replace(suite, entries=suite.entries[:1])
    outcome = judged(small, f"{engine('orphans')} {tmp_path / 'child'}")
    assert one(outcome, IDS[0]).why == "ended with exit code 0"
    child, deadline = int((tmp_path / "child").read_text()), time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(child)


def test_no_engine_outlives_a_run(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **options: Any) -> Any:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(engines.subprocess, "Popen", noted)
    begun = time.monotonic()
    judged(suite, engine("late"), 0.3, jobs=2)
    assert time.monotonic() - begun < 20
    assert len(started) >= 2
    assert all(process.returncode is not None for process in started)


def test_an_engine_that_does_not_start_is_tried_three_times(suite: Suite) -> None:
    results = judged(suite, engine("stillborn")).results
    assert [found.why.startswith("not started again after 3 tries") for found in results] == [False] * 3 + [True] * 3


def test_an_engine_that_does_not_survive_the_second_run_has_failed_all_the_same(suite: Suite) -> None:
    found = one(judged(suite, engine("sulks")), "trading-fill")
    assert found.failure is not None
    assert found.why == "step 6: $.receipt.status: expected accepted, got rejected"
    assert found.failure.note == "the second run, to find the first divergence, failed: ended with exit code 4"
    assert len(found.failure.events) == 6


def test_an_error_answer_is_errored(suite: Suite) -> None:
    def refusing(request: Any) -> Any:
        return {"id": request["id"], "error": {"code": "internal", "message": "disk full"}}

    class Broken(Reference):
        def handle(self, request: Any) -> dict[str, Any]:
            return refusing(request) if "apply" in request else super().handle(request)

    found = one(run(suite.entries, lambda: engines.InProcess(Broken), Settings()), "ledger-deposits")
    assert (found.verdict, found.why) == ("errored", "answered apply with the error internal: disk full")


def test_engines_in_this_process_are_interrupted_and_their_print_is_kept_out(
    suite: Suite, capsys: pytest.CaptureFixture[str]
) -> None:
    class Endless(Reference):
        def receipt(self, state: Any, raw: Any) -> Any:
            print("computing")
            while "trade" in raw["action"]:
                try:
                    time.sleep(0.01)
                except Exception:
                    continue
            if "contribute" in raw["action"]:
                sys.exit(3)
            return super().receipt(state, raw)

    outcome = run(suite.entries, lambda: engines.InProcess(Endless), Settings(Terms(1.5)))
    assert verdicts(outcome) == dict.fromkeys(IDS, "passed") | {
        "trading-fill": "hung", "waterfall-default": "errored", "ledger-contributions": "errored",
    }  # fmt: skip
    assert capsys.readouterr().out == ""


# How a run goes


def test_several_engines_side_by_side_give_the_same_results(suite: Suite) -> None:
    for name in ("wrong_state", "dies"):
        alone, together = (judged(suite, engine(name), jobs=jobs).results for jobs in (1, 3))
        assert alone == together


def test_fail_fast_stops_at_the_first_bad_verdict(suite: Suite) -> None:
    outcome = judged(suite, engine("wrong_kernel"), fail_fast=True)
    assert (len(outcome.results), outcome.not_run) == (4, 2)
    assert outcome.results[-1].bad


def test_selection_by_rule_chapter_id_and_tier(suite: Suite) -> None:
    def ids(tier: Tier, *only: str) -> list[str]:
        return [entry.id for entry in selected(suite, tier, only)]

    assert ids(Tier.FULL) == IDS
    assert ids(Tier.FULL, "COLL-3") == ["events-rejections", "ledger-deposits"]
    assert ids(Tier.FULL, "ledger") == ["ledger-contributions", "ledger-deposits"]
    assert ids(Tier.FULL, "trading-fill", "COLL-9") == ["ledger-contributions", "trading-fill"]
    assert ids(Tier.STANDARD) == [name for name in IDS if name != "ledger-contributions"]
    assert ids(Tier.SMOKE) == ["events-rejections", "ledger-deposits"]
    for name in ("COLL", "COLL-33", "led"):
        with pytest.raises(BadInput, match="no rule, chapter or id"):
            selected(suite, Tier.FULL, [name])
    with pytest.raises(BadInput, match=r"smoke\.txt: a smoke run needs"):
        selected(replace(suite, lists={}), Tier.SMOKE, [])


def spoilt(vector: Vector, **changes: Any) -> Vector:
    found: Vector = sealed(replace(vector, **changes))
    return found


def test_the_loader_refuses_every_fault(tmp_path: Path) -> None:
    good = filled(sample_vectors.CASES[0])
    receipt = replace(good.steps[0], receipt=good.steps[1].receipt)
    faults = {
        r"\$.digest: expected [0-9a-f]{64}": replace(good, digest="0" * 64),
        r"\$.rules: expected at least one rule": spoilt(good, rules=()),
        r"\$.rules: expected rule ids, not COLL3": spoilt(good, rules=("COLL3",)),
        r"\$.features: unknown feature leger": spoilt(good, features=("leger",)),
        r"\$.invariants: unknown invariant INV-99": spoilt(good, invariants=("INV-99",)),
        r"\$.steps: expected at least one step": spoilt(good, steps=()),
        r"\$.steps\[0\].receipt: expected that of": spoilt(good, steps=(receipt, *good.steps[1:])),
        r"\$.calls: expected at least one call": sealed(replace(sample_vectors.kernel_vector(), calls=())),
    }
    for message, vector in faults.items():
        path = sample_vectors.write(tmp_path, "ledger", vector)
        with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: {message}"):
            load_suite(tmp_path)
        path.unlink()
    path = sample_vectors.write(tmp_path, "ledger", good)
    for text, message in (("{}", r"missing_key"), ("{", "not_json"), ("[]", "wrong_type")):
        (tmp_path / "ledger" / "other.json").write_text(text)
        with pytest.raises(BadInput, match=message):
            load_suite(tmp_path)
    shutil.copy(path, tmp_path / "ledger" / "other.json")
    with pytest.raises(BadInput, match="the id ledger-deposits is taken"):
        load_suite(tmp_path)
    (tmp_path / "ledger" / "other.json").unlink()
    (tmp_path / "smoke.txt").write_text("ledger-deposit\n")
    with pytest.raises(BadInput, match=r"there is no vector ledger-deposit$"):
        load_suite(tmp_path)
    shutil.move(tmp_path / "ledger", tmp_path / "leger")
    with pytest.raises(BadInput, match="expected a folder named as a chapter"):
        load_suite(tmp_path)
    with pytest.raises(BadInput, match="expected a folder of vectors"):
        load_suite(tmp_path / "absent")


def test_the_digest_of_a_suite_depends_on_every_vector(suite: Suite) -> None:
    assert re.fullmatch("[0-9a-f]{64}", suite.digest)
    assert replace(suite, entries=suite.entries[1:]).digest != suite.digest


def test_differences_name_paths() -> None:
    expected = {"a": {"b": ["1", "2"], "c": "3"}, "d": "4"}
    got = {"a": {"b": ["1"], "c": "3", "e": "5"}, "d": {}}
    assert list(differences(expected, got)) == [
        Difference("$.a.b[1]", "2", "(absent)"),
        Difference("$.a.e", "(absent)", "5"),
        Difference("$.d", "4", {}),
    ]


# The command


def conform(folder: Path, *arguments: object) -> int:
    return main(["conform", "--vectors", str(folder), *map(str, arguments)])


def test_exit_codes_and_the_report_on_a_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(folder, "--impl", "reference") == 0
    out = capsys.readouterr().out
    assert "6 vectors: 6 passed in" in out
    assert conform(folder, "--impl", engine("wrong_state")) == 1
    out = capsys.readouterr().out
    assert out.index("failed events-rejections") < out.index("chapter")
    assert "$.observable.accounts.alice.balances.USD: expected 1000, got 1001" in out
    assert "shortest prefix that shows it, 2 events:" in out
    assert "6 vectors: 2 passed, 4 failed in" in out
    assert conform(folder, "--impl", engine("lacks_everything")) == 1
    out = capsys.readouterr().out
    assert "skipped 6: not implemented: later" in out
    assert "nothing passed: nothing was tested" in out
    assert conform(folder, "--impl", PYTHON) == 0
    assert conform(folder, "--impl", PYTHON, "--no-skips") == 1
    assert conform(folder, "--impl", "reference", "--tier", "smoke", "--only", "COLL-3", "--jobs", "2") == 0
    assert "2 vectors: 2 passed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give one of --impl, --log, --recheck"),
        (("--impl", "reference", "--log", "x"), "give one of"),
        (("--impl", "no-such-engine-anywhere"), "no-such-engine-anywhere cannot be started: No such file"),
        (("--impl", ""), "expected reference, python:MODULE:CLASS or a command"),
        (("--impl", "'"), "No closing quotation"),
        (("--impl", "python:json:Nothing"), "no attribute 'Nothing'"),
        (("--impl", "python:json:JSONDecoder"), "has no method handle"),
        (("--impl", "python:no_such_module:X"), "No module named"),
        (("--impl", "reference", "--only", "X-1"), "--only X-1: no rule, chapter or id"),
        (("--impl", "reference", "--json", "/nowhere/x.json"), "/nowhere/x.json: cannot be written"),
        (("--impl", "reference", "--json", "-", "--html", "-"), "two outputs go there"),
        (("--impl", "reference", "--reasons", "/nowhere"), "/nowhere: cannot be read"),
        (("--log", "/nowhere"), "/nowhere: cannot be read"),
        (("--log", "/nowhere", "--report", "x"), "a log is no run of the suite"),
        (("--recheck", "/nowhere"), "/nowhere: cannot be read"),
    ],
)
def test_bad_input(folder: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(folder, *arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_outputs_appear_whole_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "taken").mkdir()
    assert conform(folder, "--impl", "reference", "--json", tmp_path / "old.json", "--html", tmp_path / "taken") == 2
    assert conform(folder, "--impl", "no-such-engine", "--json", tmp_path / "old.json") == 2
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["old.json", "taken"]
    assert (tmp_path / "old.json").read_text() == "old"
    assert conform(folder, "--impl", "reference", "--json", tmp_path / "old.json", "--junit", os.devnull) == 0
    assert json.loads((tmp_path / "old.json").read_text())["summary"]["passed"] == 6
    assert not Path(os.devnull).is_file()


def test_the_json_result(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(folder, "--impl", engine("dies"), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    seconds = found["summary"].pop("seconds")
    assert found["summary"] == {"vectors": 6, "passed": 4, "failed": 0, "skipped": 0, "errored": 2, "hung": 0}
    assert 0 < seconds < 60
    assert found["rules"]["TRADE-1"] == {
        "vectors": 2, "passed": 1, "failed": 0, "skipped": 0, "errored": 1, "hung": 0,
    }  # fmt: skip
    assert [(one["id"], one["verdict"], one["stderr"]) for one in found["failures"]] == [
        ("trading-fill", "errored", "out of memory\n"), ("waterfall-default", "errored", "out of memory\n"),
    ]  # fmt: skip
    assert conform(folder, "--impl", engine("wrong_reason"), "--json", "-", "--only", "COLL-9") == 1
    (failure,) = json.loads(capsys.readouterr().out)["failures"]
    assert failure["differences"] == [{"path": "$.receipt.reason", "expected": "unknown_pool", "got": "malformed"}]
    assert (failure["rule"], failure["step"], len(failure["events"])) == ("EVENT-8", 3, 3)
    assert conform(folder, "--impl", PYTHON, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["failures"] == []
    assert found["skipped"][0] == {"id": "numerics-calls", "why": "the engine does not claim kernel"}


def test_junit_and_badge(folder: Path, tmp_path: Path) -> None:
    files = ("--junit", tmp_path / "j.xml", "--badge", tmp_path / "b.json")
    assert conform(folder, "--impl", engine("garbage"), *files) == 1
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6", "failures": "0", "errors": "2", "skipped": "0",
    }  # fmt: skip
    cases = {case.get("name"): [part.tag for part in case] for case in root.iter("testcase")}
    assert cases == {name: ["error"] if name in TRADES else [] for name in IDS}
    badge = json.loads((tmp_path / "b.json").read_text())
    assert badge == {
        "schemaVersion": 1, "label": "clearspec", "message": "4 of 6 passed", "color": "red", "isError": True,
    }  # fmt: skip
    assert conform(folder, "--impl", PYTHON, *files) == 0
    badge = json.loads((tmp_path / "b.json").read_text())
    assert (badge["message"], badge["color"], badge["isError"]) == ("3 of 3 passed, 3 skipped", "green", False)


def test_junit_survives_what_xml_has_no_form_for(suite: Suite) -> None:
    bad = replace(judged(suite, engine("dies")).results[4], why="\x00\x1b\ud800", stderr="\x08<&")
    told = Finished(RunResult(replace(judged(suite, "reference").implementation), [bad], 0, 0.0), suite_record(suite))
    assert ElementTree.fromstring(junit(told)).get("errors") == "1"
    assert plain("a\x1b[31m\nb") == "a\\x1b[31m b"
    assert "stderr:" in explained(bad)


def test_reasons_in_the_implementers_words(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine says malformed for everything; mapped to unknown_pool one of the two vectors passes."""
    path = tmp_path / "reasons.json"
    path.write_text('{"malformed": "unknown_pool"}')
    assert conform(folder, "--impl", engine("wrong_reason"), "--reasons", path, "--only", "COLL-9") == 0
    assert conform(folder, "--impl", engine("wrong_reason"), "--reasons", path) == 1
    assert "step 3: " not in capsys.readouterr().out.partition("events-rejections")[0]
    for text, said in (('{"a": "no_such_reason"}', "$.a: unknown_value"), ("[]", "an object"), ("{", "not_json")):
        path.write_text(text)
        assert conform(folder, "--impl", "reference", "--reasons", path) == 2
        assert said in capsys.readouterr().err


# Reports


def test_a_report_rechecks_and_a_changed_one_does_not(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    assert conform(folder, "--impl", PYTHON, "--report", path, "--only", "ledger", "--only", "trading") == 0
    assert conform(folder, "--recheck", path) == 0
    assert "3 verdicts: digests and counts agree" in capsys.readouterr().out
    original = json.loads(path.read_text())
    schema = json.loads((schema_folder() / "report.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(original)
    assert "seconds" not in path.read_text()

    def told(change: Any) -> str:
        document = json.loads(json.dumps(original))
        change(document)
        path.write_text(json.dumps(document))
        assert conform(folder, "--recheck", path) == 1
        return capsys.readouterr().out

    assert "the report's digest is" in told(lambda one: one["implementation"].update(name="other"))
    assert "the suite is" in told(lambda one: one["suite"].update(vectors="7"))
    assert "count to" in told(lambda one: one["summary"].update(passed="3", skipped="0"))
    out = told(lambda one: one["verdicts"][2].update(verdict="passed"))
    assert "trading-fill has the verdict passed without the features oracle, trading" in out
    assert "the verdicts by rule are not those of the vectors" in out
    assert "1 of the vectors selected have no verdict, not 0" in told(lambda one: one["verdicts"].pop())
    assert "has the digest" in told(lambda one: one["verdicts"][0].update(digest="0" * 64))
    assert "not among the vectors selected" in told(lambda one: one["selection"].update(only=["ledger"]))
    assert "the selection: --only x" in told(lambda one: one["selection"].update(only=["x"]))
    assert "more than one verdict" in told(lambda one: one["verdicts"].append(one["verdicts"][0]))
    path.write_text(json.dumps({**original, "more": "1"}))
    assert conform(folder, "--recheck", path) == 2


def test_a_report_does_not_fit_another_suite(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    vector = filled(sample_vectors.CASES[0])
    sample_vectors.write(other, "ledger", spoilt(vector, version=9))
    assert conform(folder, "--impl", "reference", "--report", tmp_path / "r.json") == 0
    assert conform(other, "--recheck", tmp_path / "r.json") == 1
    out = capsys.readouterr().out
    assert "the suite is" in out
    assert "ledger-deposits has the digest" in out


# Logs


def log_of(tmp_path: Path, spoil: Any = lambda lines: None) -> Path:
    """A log of a deposit, a refused withdrawal and a withdrawal, in which the engine published the state twice."""
    box = Sandbox()
    lines: list[Any] = [encode(LogHeader(LogFormat.V1, box.genesis))]
    actions = (
        ("a", ev.OpenAccount("a", "main")), ("a", ev.Deposit("a", "USD", 100)),
        ("b", ev.Withdraw("a", "USD", 1)), ("a", ev.Withdraw("a", "USD", 40)),
    )  # fmt: skip
    for number, (actor, action) in enumerate(actions, start=1):
        reason = ev.Reason.UNAUTHORISED if actor == "b" else None
        receipt = receipt_record(box.do(actor, action, reason))
        seen = observable(box.state) if number in (2, 4) else None
        lines.append(encode(LogLine(Event(f"e{number}", number, 0, actor, action), receipt, seen)))
    spoil(lines)
    path = tmp_path / "engine.jsonl"
    path.write_bytes(b"".join(canonical_bytes(line) + b"\n" for line in lines))
    return path


def test_a_log_is_replayed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log_of(tmp_path)
    assert conform(folder, "--log", path) == 0
    assert "1 vectors: 1 passed" in capsys.readouterr().out
    assert conform(folder, "--log", path, "--json", path) == 2
    assert "it is read as an input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "step", "rule", "difference"),
    [
        (lambda lines: lines[3]["receipt"].update(reason="unknown_account"), 3, "EVENT-4",
         Difference("$.receipt.reason", "unauthorised", "unknown_account")),
        (lambda lines: lines[4]["receipt"].update(postings=[]), 4, "EVENT-13", None),
        (lambda lines: lines[4]["observable"]["accounts"]["a"]["balances"].update(USD="61"), 4, "EVENT-13",
         Difference("$.observable.accounts.a.balances.USD", "60", "61")),
        (lambda lines: lines[2]["receipt"].update(sequence="9"), 2, "EVENT-13",
         Difference("$.receipt.sequence", "2", "9")),
    ],
)  # fmt: skip
def test_a_log_that_diverges(
    folder: Path, tmp_path: Path, spoil: Any, step: int, rule: str, difference: Difference | None,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert conform(folder, "--log", log_of(tmp_path, spoil), "--json") == 1
    (failure,) = json.loads(capsys.readouterr().out)["failures"]
    assert (failure["step"], failure["rule"]) == (step, rule)
    if difference is not None:
        assert failure["differences"] == [
            {"path": difference.path, "expected": difference.expected, "got": difference.got}
        ]
    assert f"line {step + 1} of the log" in failure["note"]


def test_a_log_without_receipts_and_with_own_reasons(folder: Path, tmp_path: Path) -> None:
    def bare(lines: list[Any]) -> None:
        for line in lines[1:]:
            line["receipt"].update(amounts={}, postings=[])
        lines[3]["receipt"]["reason"] = "NotOwner()"

    path, reasons = log_of(tmp_path, bare), tmp_path / "reasons.json"
    reasons.write_text('{"NotOwner()": "unauthorised"}')
    assert conform(folder, "--log", path, "--reasons", reasons, "--no-receipts") == 0
    assert conform(folder, "--log", path, "--reasons", reasons) == 1
    assert conform(folder, "--log", path, "--no-receipts") == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: lines.clear(), "line 0: $: wrong_type"),
        (lambda lines: lines.pop(0), "line 1: $.event: unknown_key"),
        (lambda lines: lines[1].pop("receipt"), "line 2: $.receipt: missing_key"),
        (lambda lines: lines[0]["genesis"]["pools"].append(lines[0]["genesis"]["pools"][0]), "line 1: "),
    ],
)
def test_what_is_no_log(
    folder: Path, tmp_path: Path, spoil: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conform(folder, "--log", log_of(tmp_path, spoil)) == 2
    assert said in capsys.readouterr().err


# The page


def told(suite: Suite, implementation: str) -> Finished:
    return Finished(judged(suite, implementation), suite_record(suite))


def test_the_page_escapes_everything_and_loads_nothing(suite: Suite) -> None:
    outcome = judged(suite, engine("dies"))
    hostile = "</script><script>alert(1)</script>"
    results = [replace(one, why=hostile, stderr=hostile) if one.bad else one for one in outcome.results]
    implementation = replace(outcome.implementation, name=hostile)
    text = page(Finished(replace(outcome, results=results, implementation=implementation), suite_record(suite)))
    assert "<script>alert" not in text
    assert "default-src 'none'" in text
    assert re.findall(r'(?:src|href)="([^"#]*)"', text) == ["data:,"]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")
@pytest.mark.parametrize("spoilt_page", [False, True])
def test_a_browser_shows_the_page_without_an_error(suite: Suite, tmp_path: Path, spoilt_page: bool) -> None:
    """Four failures unfold and the filter counts six vectors. Spoilt: a page that must fail the same test."""
    text = page(told(suite, engine("wrong_state")))
    path = tmp_path / "page.html"
    path.write_text(text.replace("show();\n</script>", "shew();\n</script>") if spoilt_page else text, encoding="utf-8")
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        "--dump-dom", f"--user-data-dir={tmp_path / 'profile'}",
    ]  # fmt: skip
    found = subprocess.run(
        [str(CHROMIUM), *options, path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    errors = [line for line in found.stderr.splitlines() if "CONSOLE" in line]
    assert (errors == []) is not spoilt_page
    assert ("6 of 6" in found.stdout) is not spoilt_page
    assert found.stdout.count("<details") == 4


# pytest


def pytest_run(folder: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-rA"]
    installed = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    if "--clearspec-impl" not in installed.stdout:
        command += ["-p", "clearspec_conformance.pytest_plugin"]
    command += ["--clearspec-vectors", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)


def test_each_vector_is_a_test_item(folder: Path, tmp_path: Path) -> None:
    found = pytest_run(folder, tmp_path, "--clearspec-impl", engine("dies"))
    assert "2 failed, 4 passed" in found.stdout
    assert "errored: ended with exit code 3" in found.stdout
    assert "clearspec_conformance/pytest_plugin" not in found.stdout
    found = pytest_run(folder, tmp_path, "--clearspec-impl", PYTHON, "-k", "ledger or trading")
    assert "2 passed, 1 skipped, 3 deselected" in found.stdout
    found = pytest_run(folder, tmp_path, "--clearspec-impl", "reference", "--clearspec-only", "COLL-9")
    assert "PASSED" in found.stdout
    assert "ledger/ledger-contributions" in found.stdout
    assert found.returncode == 0


def test_the_plugin_does_nothing_unasked_and_refuses_bad_input(folder: Path, tmp_path: Path) -> None:
    assert pytest_run(folder, tmp_path).returncode == 5
    found = pytest_run(folder, tmp_path, "--clearspec-impl", "reference", "--clearspec-only", "x")
    assert found.returncode == 4
    assert "--only x: no rule, chapter or id" in found.stderr


def test_the_walk_through_shows_the_engine_as_it_is() -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "docs" / "join.md").read_text(encoding="utf-8")
    source = (IMPLEMENTATIONS / "tutorial-python" / "engine.py").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    assert [block for block in blocks if block not in source] == []


def test_breaking_the_tutorial_engine_as_the_walk_through_says_fails(suite: Suite, tmp_path: Path) -> None:
    source = (IMPLEMENTATIONS / "tutorial-python" / "engine.py").read_text(encoding="utf-8")
    line = '        require(self.accounts[account]["owner"] == actor, "unauthorised")\n'
    assert source.count(line) == 1
    (tmp_path / "engine.py").write_text(source.replace(line, ""))
    found = one(judged(suite, f"{sys.executable} {tmp_path / 'engine.py'}"), "events-rejections")
    assert found.failure is not None
    assert found.failure.rule == "EVENT-4"
    assert found.failure.differences[:2] == (
        Difference("$.receipt.status", "rejected", "accepted"),
        Difference("$.receipt.reason", "unauthorised", None),
    )


# Engines in this process, side by side


class Leaving(Reference):
    """Ends the process that it runs in at the first contribution, as a crash in compiled code would."""

    def receipt(self, state: Any, raw: Any) -> Any:
        if "contribute" in raw["action"]:
            os._exit(5)
        return super().receipt(state, raw)


class Stuck(Reference):
    """Hangs at the first trade in a way that no signal interrupts."""

    def receipt(self, state: Any, raw: Any) -> Any:
        if "trade" in raw["action"]:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(60)
        return super().receipt(state, raw)


def forked(suite: Suite, engine: type[Reference], jobs: int, terms: Terms = Terms(), **more: Any) -> RunResult:  # noqa: B008
    return run(suite.entries, lambda: engines.InProcess(engine), Settings(terms, 0.1, jobs, forked=True, **more))


def test_engines_in_this_process_play_in_children_side_by_side(suite: Suite) -> None:
    alone, together = forked(suite, Reference, 1), forked(suite, Reference, 3)
    assert alone.results == together.results
    assert together.implementation == alone.implementation
    assert [found.id for found in together.results] == IDS


def test_an_engine_that_ends_its_process_costs_one_vector(suite: Suite) -> None:
    outcome = forked(suite, Leaving, 2)
    lost = dict.fromkeys(("ledger-contributions", "waterfall-default"), "errored")
    assert verdicts(outcome) == dict.fromkeys(IDS, "passed") | lost
    assert one(outcome, "waterfall-default").why == "the engine ended the process that it ran in"


def test_an_engine_that_no_signal_interrupts_is_ended(suite: Suite) -> None:
    begun = time.monotonic()
    outcome = forked(suite, Stuck, 2, Terms(0.2))
    assert verdicts(outcome) == dict.fromkeys(IDS, "passed") | dict.fromkeys(TRADES, "hung")
    assert time.monotonic() - begun < 15


def test_fail_fast_stops_the_children_too(suite: Suite) -> None:
    outcome = forked(suite, Leaving, 2, fail_fast=True)
    assert outcome.not_run > 0
    assert sum(found.bad for found in outcome.results) == 1


def test_jobs_of_the_command_hold_for_the_reference(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(folder, "--impl", "reference", "--jobs", 2, "--json") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["passed"] == 6


def test_an_engine_in_this_process_is_judged_by_what_a_pipe_would_carry(suite: Suite) -> None:
    """A Python number is errored, what equals everything is no answer, and a request that is emptied harms nothing."""

    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    class Numbers(Reference):
        def handle(self, request: Any) -> dict[str, Any]:
            answer = super().handle(request)
            if "apply" in answer:
                answer["apply"]["receipts"][0]["sequence"] = 1
            request.clear()
            return answer

    class Equal(Reference):
        def handle(self, request: Any) -> dict[str, Any]:
            return {**super().handle(request), "apply": Anything()} if "apply" in request else super().handle(request)

    def why(engine: type[Reference]) -> str:
        return one(run(suite.entries, lambda: engines.InProcess(engine), Settings()), "ledger-deposits").why

    assert "$.apply.receipts[0].sequence: wrong_type" in why(Numbers)
    assert "Object of type Anything is not JSON serializable" in why(Equal)


def test_restoring_is_tried_in_the_tier_full(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An engine that forgets ids when it is restored is found out there, and passes a quicker run."""
    command = ("--impl", engine("forgets_restored"), "--only", "events-rejections")
    assert conform(folder, *command, "--tier", "standard") == 0
    assert conform(folder, *command, "--tier", "full") == 1
    assert "after restoring the snapshot of step 4" in capsys.readouterr().out
