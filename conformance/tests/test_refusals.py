"""Geneses and malformed events that must be refused, on engines that refuse too little, too much or wrongly."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_vectors

from clearspec import events as ev
from clearspec.codec import decode, encode
from clearspec.events import Event
from clearspec.formats import Importance, Why, receipt_record
from clearspec.machine import apply
from clearspec.sandbox import POOL, genesis
from clearspec_conformance.engines import InProcess, opener
from clearspec_conformance.formats import GenesisCase
from clearspec_conformance.protocol import EngineError, ErrorCode, Load, Loaded, line
from clearspec_conformance.reference_engine import Reference, Refused
from clearspec_conformance.runner import Settings, run
from clearspec_conformance.suite import Suite, load_suite
from clearspec_conformance.vectors import Case, GenesisEntry, Recorder, filled, filled_genesis
from clearspec_conformance.verdicts import Difference, Result

SERVE = f"{sys.executable} -m clearspec_conformance.serve"
WHY = Why("a class of bug", "its effect", "")
DEPOSIT = (
    '{"id":"d","sequence":"2","time":"0","actor":"a","action":{"deposit":{"account":"a","asset":"USD","amount":%s}}}'
)
TWICE = replace(genesis(), pools=(POOL, POOL))


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    paths = [str(root / "reference"), str(root / "conformance"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))


def deposits(box: Recorder) -> None:
    """Five, once as a number, then as it must be."""
    box.open("a")
    box.write(DEPOSIT % "5")
    box.write(DEPOSIT % '"5"', None)
    box.do("a", ev.Withdraw("a", "USD", 5))


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """A vector with a malformed event, and one with two geneses of which the second must be refused."""
    folder = tmp_path_factory.mktemp("refusals")
    entry = Case("events-text", "events", ("EVENT-3",), WHY, Importance.RULE, genesis(), deposits)
    sample_vectors.write(folder, "events", filled(entry))
    cases = (
        GenesisCase("whole", genesis(), None, None),
        GenesisCase("a pool twice", TWICE, None, "EVENT-2"),
        GenesisCase("half", None, "{", "EVENT-3"),
    )
    geneses = GenesisEntry("parameters-geneses", "parameters", ("EVENT-2",), WHY, Importance.RULE, cases)
    sample_vectors.write(folder, "parameters", filled_genesis(geneses))
    return load_suite(folder)


def judged(suite: Suite, engine: type[Reference]) -> dict[str, Result]:
    return {found.id: found for found in run(suite.entries, lambda: InProcess(engine), Settings()).results}


@pytest.mark.parametrize("implementation", ["reference", SERVE])
def test_the_reference_refuses_what_it_must_through_every_door(suite: Suite, implementation: str) -> None:
    results = run(suite.entries, opener(implementation), Settings()).results
    assert [found.verdict for found in results] == ["passed", "passed"]


def test_a_vector_of_a_text_needs_the_chapter_of_its_action(suite: Suite) -> None:
    assert [entry.features for entry in suite.entries] == [
        ("collateral", "events", "ledger"), ("events", "parameters"),
    ]  # fmt: skip


def test_an_engine_that_forgives_a_number_fails_at_it(suite: Suite) -> None:
    class Forgiving(Reference):
        def receipt_of_document(self, state: Any, document: str) -> Any:
            raw = json.loads(document)
            raw["action"]["deposit"]["amount"] = str(raw["action"]["deposit"]["amount"])
            return receipt_record(apply(state, decode(Event, raw)))

    found = judged(suite, Forgiving)
    assert [one.verdict for one in found.values()] == ["failed", "passed"]
    failure = found["events-text"].failure
    assert failure is not None
    assert (failure.step, failure.rule) == (2, "EVENT-3")
    assert failure.differences[:2] == (
        Difference("$.receipt.status", "rejected", "accepted"),
        Difference("$.receipt.reason", "malformed", None),
    )
    assert failure.events[-1] == DEPOSIT % "5"


def test_the_receipt_of_a_malformed_event_has_the_time_of_the_state(suite: Suite) -> None:
    class Inventive(Reference):
        def receipt_of_document(self, state: Any, document: str) -> Any:
            return replace(super().receipt_of_document(state, document), sequence=2)

    failure = judged(suite, Inventive)["events-text"].failure
    assert failure is not None
    assert failure.differences == (Difference("$.receipt.sequence", "0", "2"),)


def test_an_engine_that_starts_from_anything_fails_at_what_it_must_refuse(suite: Suite) -> None:
    class Trusting(Reference):
        def loaded(self, body: Load) -> Loaded:
            try:
                return super().loaded(body)
            except Refused:
                return Loaded()

    found = judged(suite, Trusting)["parameters-geneses"]
    assert found.why == "step 2: $.load: expected refused, got accepted"
    assert found.failure is not None
    assert (found.failure.rule, found.failure.note) == ("EVENT-2", "a pool twice")
    assert found.failure.events == ({"genesis": encode(TWICE)},)


def test_an_engine_that_refuses_everything_has_failed_and_is_not_errored(suite: Suite) -> None:
    class Timid(Reference):
        def loaded(self, body: Load) -> Loaded:
            raise Refused("not today", ErrorCode.REFUSED)

    found = judged(suite, Timid)
    assert [one.verdict for one in found.values()] == ["failed", "failed"]
    assert found["events-text"].why == "step 0: $.load: expected accepted, got refused: not today"
    assert found["parameters-geneses"].why == "step 1: $.load: expected accepted, got refused"


@pytest.mark.parametrize(
    ("rule", "verdict"), [("EVENT-2", "failed"), ("", "passed"), ("PARM-9", "failed")], ids=["half", "none", "other"]
)
def test_a_rule_is_compared_where_the_engine_names_one(suite: Suite, rule: str, verdict: str) -> None:
    """With ``EVENT-2`` for both the first refusal is right and the second, of half a genesis, is not."""

    class Naming(Reference):
        def loaded(self, body: Load) -> Loaded:
            try:
                return super().loaded(body)
            except Refused as refused:
                raise Refused(str(refused), refused.code, rule) from None

    found = judged(suite, Naming)["parameters-geneses"]
    assert found.verdict == verdict
    if found.failure is not None:
        wanted = "EVENT-3" if rule == "EVENT-2" else "EVENT-2"
        assert found.failure.differences == (Difference("$.rule", wanted, rule),)


@pytest.mark.parametrize(("message", "code"), [("load", ErrorCode.BAD_REQUEST), ("apply", ErrorCode.REFUSED)])
def test_another_error_is_no_refusal(suite: Suite, message: str, code: ErrorCode) -> None:
    class Confused(Reference):
        def handle(self, request: Any) -> dict[str, Any]:
            if message in request:
                return line(request["id"], "error", EngineError(code, "what?"))
            return super().handle(request)

    found = judged(suite, Confused)["events-text"]
    assert (found.verdict, found.why) == ("errored", f"answered {message} with the error {code.value}: what?")


def test_a_genesis_that_the_reference_judges_otherwise_stops_the_fill() -> None:
    cases = (GenesisCase("a pool twice", TWICE, None, "PARM-9"),)
    with pytest.raises(ValueError, match="a pool twice: by hand PARM-9, the reference EVENT-2"):
        filled_genesis(GenesisEntry("x", "parameters", ("EVENT-2",), WHY, Importance.RULE, cases))
