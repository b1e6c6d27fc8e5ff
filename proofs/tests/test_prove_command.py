"""``clearspec prove`` and ``clearspec recheck``: reports, stored proofs, wrong references, files, a second opinion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clearspec.codec import loads
from clearspec_command.main import main
from clearspec_conformance.formats import KernelVector
from clearspec_conformance.kernels import called
from clearspec_proofs import store
from clearspec_proofs.proving import prove
from clearspec_proofs.records import Status
from clearspec_proofs.theorems import Strength, Theorem, catalogue
from clearspec_proofs.trials.swapping import swapped

CARRY = "numerics.carry-owns-the-remainder"
FEES = "trading.fees-rounded-up"


def proved(tmp_path: Path, *arguments: str) -> tuple[int, Any]:
    """Exit code and report of a run on one process, stored under a folder of its own."""
    report = tmp_path / "report.json"
    options = ["--jobs", "1", "--folder", str(tmp_path / "stored"), "--json", str(report)]
    code = main(["prove", *arguments, *options])
    return code, json.loads(report.read_text(encoding="utf-8"))


def test_the_list_names_every_theorem(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(catalogue())
    assert any(line.startswith(f"{CARRY}: ") and "[NUM-4; every input]" in line for line in lines)


def test_a_proof_is_stored_and_holds_the_next_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = proved(tmp_path, CARRY)
    assert (code, report["summary"]["theorems"], report["summary"]["proved"]) == (0, 1, 1)
    assert "1 proved (0 by their stored proof)" in capsys.readouterr().out
    [entry] = report["theorems"]
    assert (entry["name"], entry["status"], entry["rules"]) == (CARRY, "proved", ["NUM-4"])
    assert entry["certified"] > 0
    assert Path(entry["file"]).name == "numerics.py"
    assert list(store.read_nodes(str(tmp_path / "stored"), "numerics")) == [CARRY]
    proved(tmp_path, CARRY)
    assert "1 proved (1 by their stored proof)" in capsys.readouterr().out
    proved(tmp_path, CARRY, "--no-cache")
    assert "1 proved (0 by their stored proof)" in capsys.readouterr().out


def test_a_refutation_shows_numbers_and_what_the_reference_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A division that truncates: -1 over 2 is 0, whose product with 2 is above -1."""
    text = 'toward minus infinity. ``divisor`` is positive."""\n    return numerator // divisor'
    with swapped("numerics", text, text.replace("numerator // divisor", "-(-numerator // divisor)")):
        code, report = proved(tmp_path, "numerics.floor-is-the-greatest", "--no-cache")
    assert (code, report["summary"]["refuted"]) == (1, 1)
    [entry] = report["theorems"]
    found = entry["counterexample"]
    numerator, divisor = (int(found["values"][name]) for name in ("numerator", "divisor"))
    assert found["confirmed"]
    assert -(-numerator // divisor) * divisor > numerator
    assert "fails when the reference runs" in " ".join(capsys.readouterr().out.split())


def test_a_refutation_names_the_kernels_that_were_asked(tmp_path: Path) -> None:
    text = "step, carry = divide_carry(rate * index_price * elapsed, funding.carry, SCALE * period)"
    with swapped("funding", text, text.replace("funding.carry", "0")):
        code, report = proved(tmp_path, "funding.an-accrual-loses-nothing", "--no-cache")
    calls = report["theorems"][0]["counterexample"]["calls"]
    assert code == 1
    assert any(call.startswith('{"divide_carry": {') for call in calls)


def test_wrong_references_are_refuted_and_leave_a_vector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = proved(tmp_path, CARRY, "--mutants", "--save", str(tmp_path / "vectors"))
    assert code == 0
    summary = report["summary"]
    assert summary["mutants"] == summary["refuted"] >= 2
    assert f"{summary['refuted']} of {summary['mutants']} wrong references refuted" in capsys.readouterr().out
    files = sorted((tmp_path / "vectors").rglob("*.json"))
    assert len(files) == summary["vectors"] >= 1
    for file in files:
        vector: KernelVector = loads(KernelVector, file.read_bytes())
        assert vector.calls
        assert all(called(call.call) == dict(call.results) for call in vector.calls)
    assert main(["conform", "--impl", "reference", "--vectors", str(tmp_path / "vectors")]) == 0


def test_a_vector_tells_the_wrong_reference_from_the_right_one(tmp_path: Path) -> None:
    proved(tmp_path, CARRY, "--mutants", "--save", str(tmp_path / "vectors"))
    file = tmp_path / "vectors" / "numerics" / "remainder-without-an-owner.json"
    vector: KernelVector = loads(KernelVector, file.read_bytes())
    from clearspec_proofs.mutants import read_mutants

    mutant = read_mutants()["remainder-without-an-owner"]
    with swapped(mutant.module, mutant.before, mutant.after):
        assert any(called(call.call) != dict(call.results) for call in vector.calls)


def test_obligations_are_written_as_smt_lib(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", FEES, "--emit", str(tmp_path / "smt"), "--jobs", "1"]) == 0
    files = list((tmp_path / "smt").rglob("*.smt2"))
    assert f"{len(files)} obligations of 1 theorems" in capsys.readouterr().out
    assert files
    assert all("(check-sat)" in file.read_text(encoding="utf-8") for file in files)


def test_another_solver_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("cvc5")
    code, report = proved(tmp_path, FEES, "--solver", "cvc5")
    summary = report["summary"]
    assert (code, summary["disagrees"], summary["unknown"]) == (0, 0, 0)
    assert summary["obligations"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-theorem"], "no theorem's name contains 'no-such-theorem'"),
        ([CARRY, "--mutants", "--emit", "x"], "exclude each other"),
        ([CARRY, "--save", "x"], "give that too"),
        (["invariants.gap-deficit", "--mutants"], "no named mutant guards these theorems"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_page_is_one_file_that_loads_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    proved(tmp_path, "numerics.carr", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert CARRY in text
    assert "NUM-4" in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("marks", [(), ("reached",)])
def test_a_theorem_about_nothing_is_unknown(marks: tuple[str, ...]) -> None:
    """No number from 0 to 5 has a square of 7, which the solver finds out and known bounds do not."""

    def body(path: Any) -> None:
        number = path.atom("number", 0, 5)
        path.assume(lambda: number * number == 7)
        path.mark("reached")
        path.claim("anything", lambda: number <= 5)

    verdict = prove(Theorem("test.body", "A test.", ("NUM-1",), Strength.EVERY_INPUT, body, marks))
    assert verdict.status == Status.UNKNOWN
    assert verdict.note.startswith("empty")
