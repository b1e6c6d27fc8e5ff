"""Obligations as SMT-LIB 2, and what another solver makes of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import z3

from clearspec_proofs.lifting.certificates import Certificate, check
from clearspec_proofs.solving import second
from clearspec_proofs.solving.emit import (
    INTEGERS,
    REALS,
    Obligation,
    emit,
    emit_all,
    file_name,
    guide_for,
    obligations_of,
)
from clearspec_proofs.solving.second import Opinion, asked, cvc5_answer, opinion
from clearspec_proofs.theorems import catalogue

EXAMPLE = "trading.filled-keeps-cost-within-size"
PROFILE = os.environ.get("CLEARSPEC_PROFILE", "ci")
THEOREMS = {"quick": 5, "full": 10_000}.get(PROFILE, 25)

cvc5 = pytest.importorskip("cvc5")


@pytest.fixture(scope="module")
def obligations() -> list[Obligation]:
    theorem = catalogue()[EXAMPLE]
    return list(obligations_of(theorem, guide_for(theorem)))


def z3_answer(text: str) -> str:
    solver = z3.Solver()
    solver.from_string(text)
    return str(solver.check())


def test_an_obligation_is_what_its_certificate_contradicts(obligations: list[Obligation]) -> None:
    assert len(obligations) > 10
    for entry in obligations:
        check(entry.hypotheses, entry.certificate)
        assert entry.hypotheses[-1].origin == "the opposite"
        assert set(entry.cited) == entry.certificate.used


def test_files_say_what_they_are(tmp_path: Path, obligations: list[Obligation]) -> None:
    assert emit(catalogue()[EXAMPLE], tmp_path) == len(obligations)
    files = sorted(tmp_path.rglob("*.smt2"))
    assert len(files) == len(obligations)
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "(set-logic QF_NIA)" in text
        assert "(set-info :status unsat)" in text
        assert f"theorem {EXAMPLE}" in text
        assert text.rstrip().endswith("(check-sat)\n(exit)")
    assert z3_answer(files[0].read_text(encoding="utf-8")) == "unsat"


def test_several_theorems_are_written_side_by_side(tmp_path: Path) -> None:
    names = ["numerics.floor-is-the-greatest", "numerics.ceil-is-the-smallest"]
    counts = dict(emit_all(names, tmp_path, jobs=1))
    assert set(counts) == set(names)
    assert {folder.name: len(list(folder.iterdir())) for folder in tmp_path.iterdir()} == counts


def test_file_names_fit_and_differ(obligations: list[Obligation]) -> None:
    long = [replace(entry, trail=entry.trail + "T" * 300) for entry in obligations]
    names = [file_name(entry) for entry in [*obligations, *long]]
    assert len(set(names)) == len(names)
    assert max(len(name.partition("/")[2]) for name in names) < 100


@pytest.mark.parametrize("logic", [INTEGERS, REALS])
@pytest.mark.parametrize("whole", [False, True])
def test_both_solvers_read_every_form(obligations: list[Obligation], logic: str, whole: bool) -> None:
    text = obligations[0].text(logic, whole)
    assert cvc5_answer(text, 200_000) == z3_answer(text) == "unsat"


def test_without_the_outcome_that_is_impossible_cvc5_disagrees() -> None:
    """What is left has a model, for the path can be taken."""
    theorem = catalogue()["trading.reduces-means-closer-to-zero"]
    found = []
    for entry in obligations_of(theorem, guide_for(theorem)):
        less = replace(entry, hypotheses=entry.hypotheses[:-1], certificate=Certificate((), ()))
        found.append(opinion(less, whole=True))
    assert Opinion.DISAGREES in found
    assert Opinion.AGREES not in found


def test_an_opinion_is_sought_in_three_ways(obligations: list[Obligation]) -> None:
    def solver(answers: dict[str, str]) -> second.Solver:
        return lambda text, _: answers["products" if "(>= (* (+" in text else "reals" if REALS in text else "integers"]

    entry = max(obligations, key=lambda one: sum(len(part.factors) for part in one.certificate.products))
    unknown = dict.fromkeys(("integers", "reals", "products"), "unknown")
    assert opinion(entry, False, solver({**unknown, "integers": "unsat"})) == Opinion.AGREES
    assert opinion(entry, False, solver({**unknown, "reals": "unsat"})) == Opinion.AGREES_OVER_REALS
    assert opinion(entry, False, solver({**unknown, "products": "unsat"})) == Opinion.AGREES_WITH_PRODUCTS
    assert opinion(entry, False, solver({**unknown, "integers": "sat"})) == Opinion.DISAGREES
    assert opinion(entry, False, solver({**unknown, "reals": "sat", "products": "sat"})) == Opinion.UNKNOWN


def test_waivers_are_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text("[[waiver]]\ntheorem = 'a.b'\nobligation = 'c'\nreason = 'd'\n", encoding="utf-8")
    assert second.read_waivers(path) == {"c": "d"}
    path.write_text("[[waiver]]\ntheorem = 'a.b'\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a waiver has the fields"):
        second.read_waivers(path)
    for reason in second.read_waivers().values():
        assert len(reason) > 20


def test_a_waiver_excuses_not_knowing_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, obligations: list[Obligation]
) -> None:
    waivers = {entry.digest: "for the test" for entry in obligations}
    monkeypatch.setattr(second, "opinion", lambda *_: Opinion.UNKNOWN)
    assert asked(EXAMPLE, limit=3, waivers=waivers).counts == {Opinion.WAIVED: 3}
    assert asked(EXAMPLE, limit=3).counts == {Opinion.UNKNOWN: 3}
    monkeypatch.setattr(second, "opinion", lambda *_: Opinion.DISAGREES)
    assert asked(EXAMPLE, limit=3, waivers=waivers).counts == {Opinion.DISAGREES: 3}


@pytest.mark.parametrize("name", sorted(catalogue())[:: max(1, len(catalogue()) // THEOREMS)])
def test_cvc5_agrees(name: str) -> None:
    """A few obligations of some theorems; all of all in the full profile."""
    result = asked(name, limit=None if PROFILE == "full" else 4, waivers=second.read_waivers())
    assert result.open == {}
