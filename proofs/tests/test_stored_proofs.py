"""The stored proofs hold, without a solver; and one altered coefficient, hypothesis or source line makes them fail."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearspec_proofs import store
from clearspec_proofs.lifting.certificates import Certificate, Multiple, Product
from clearspec_proofs.lifting.paths import Forced
from clearspec_proofs.matrix import blanks, matrix_of
from clearspec_proofs.rechecking import faults_of, main, recheck, recheck_all
from clearspec_proofs.records import Status
from clearspec_proofs.theorems import Strength, Theorem, catalogue

FOLDER = store.default_folder()
ROOT = Path(__file__).parents[2]
EXAMPLE = "trading.filled-keeps-cost-within-size"


def test_no_source_has_changed_since_it_was_proved() -> None:
    assert faults_of(store.read_manifest(FOLDER)) == []


def test_every_stored_proof_holds_and_the_matrix_is_full() -> None:
    verdicts = list(recheck_all(str(FOLDER), os.cpu_count() or 1))
    assert [f"{v.name}: {v.note}" for v in verdicts if v.status != Status.PROVED] == []
    assert {verdict.name for verdict in verdicts} == set(catalogue())
    assert blanks(matrix_of(verdicts)) == []


def test_the_command_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/nowhere"]) == 2
    assert "/nowhere/manifest.json" in capsys.readouterr().err


def stored(name: str) -> dict[str, Forced]:
    return store.read_nodes(FOLDER, name.split(".")[0])[name]


def changed_by_one(certificate: Certificate) -> Certificate:
    if certificate.products:
        first, *rest = certificate.products
        return replace(certificate, products=(Product(first.coefficient + 1, first.factors), *rest))
    one, *others = certificate.multiples
    return replace(certificate, multiples=(Multiple(one.coefficient + 1, one.monomial, one.equation), *others))


def test_an_altered_coefficient_fails() -> None:
    """Each certificate in turn. Raising the plain 1 alone makes no certificate false, only the sum less negative."""
    nodes, theorem = stored(EXAMPLE), catalogue()[EXAMPLE]
    assert len(nodes) >= 5
    for trail, forced in nodes.items():
        bad = {**nodes, trail: Forced(forced.outcome, changed_by_one(forced.certificate))}
        assert recheck(theorem, bad).status == Status.UNKNOWN, trail


def test_a_missing_or_surplus_certificate_fails() -> None:
    nodes, theorem = stored(EXAMPLE), catalogue()[EXAMPLE]
    for trail in nodes:
        assert recheck(theorem, {key: value for key, value in nodes.items() if key != trail}).status == Status.UNKNOWN
    extra = next(iter(nodes.values()))
    assert "never asked for" in recheck(theorem, {**nodes, "never": extra}).note


def capped(high: int) -> Theorem:
    def body(path: Any) -> None:
        value = path.atom("value", 0, 100)
        path.assume(lambda: value * value <= high)
        path.claim("small", lambda: value <= 10)

    return Theorem("test.capped", "", ("NUM-1",), Strength.EVERY_INPUT, body, ())


def test_an_altered_hypothesis_fails() -> None:
    proving = pytest.importorskip("clearspec_proofs.proving")
    proved = proving.prove(capped(100))
    assert proved.status == Status.PROVED
    assert proved.nodes
    assert recheck(capped(100), proved.nodes).status == Status.PROVED
    assert recheck(capped(121), proved.nodes).status == Status.UNKNOWN
    weaker = recheck(capped(99), proved.nodes)
    assert weaker.status == Status.UNKNOWN or weaker.digest != proved.digest


def test_a_false_statement_is_refuted_with_values() -> None:
    proving = pytest.importorskip("clearspec_proofs.proving")
    found = proving.prove(capped(121))
    assert found.status == Status.REFUTED
    assert found.counterexample.values["value"] == "11"


def copy_of_sources(target: Path) -> dict[str, str]:
    """A copy of the packages, and the environment in which Python finds them there and no solver."""
    for part in ("reference/clearspec", "proofs/clearspec_proofs", "proofs/certificates"):
        shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "blocked").mkdir()
    for name in ("z3", "cvc5", "click", "rich", "jinja2", "sympy"):
        (target / "blocked" / f"{name}.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    places = [target / "blocked", target / "reference", target / "proofs"]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONDONTWRITEBYTECODE": "1"}


def only_chapter(folder: Path, chapter: str) -> None:
    """Keep one chapter's theorems, so that the test is quick; the sources are all kept."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["theorems"] = [entry for entry in document["theorems"] if entry["name"].startswith(f"{chapter}.")]
    path.write_text(json.dumps(document), encoding="utf-8")


def run(environment: dict[str, str], folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "clearspec_proofs.rechecking", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_an_altered_source_line_fails_without_any_solver_installed(tmp_path: Path) -> None:
    environment = copy_of_sources(tmp_path)
    folder = tmp_path / "proofs" / "certificates"
    only_chapter(folder, "trading")
    _, text = run(environment, folder)
    assert "has changed" not in text
    assert "not shown" not in text
    source = tmp_path / "reference" / "clearspec" / "trading.py"
    line = "released = div_to_zero(cost * closing, abs(size))"
    assert source.read_text(encoding="utf-8").count(line) == 1
    source.write_text(source.read_text(encoding="utf-8").replace(line, line + " + 1"), encoding="utf-8")
    code, text = run(environment, folder)
    assert code == 1
    assert "clearspec/trading.py has changed since it was proved" in text
    assert f"{EXAMPLE}: " in text


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "margin.json.xz").write_bytes(b"no archive")
    with pytest.raises(store.StoreError, match=r"margin\.json\.xz"):
        store.read_nodes(tmp_path, "margin")
    (tmp_path / "margin.json.xz").write_bytes(lzma.compress(b'{"a": {"1": {"outcome": 2}}}'))
    with pytest.raises(store.StoreError, match=r"margin\.json\.xz"):
        store.read_nodes(tmp_path, "margin")
    (tmp_path / "manifest.json").write_text('{"format": "another"}', encoding="utf-8")
    with pytest.raises(store.StoreError, match="another"):
        store.read_manifest(tmp_path)
