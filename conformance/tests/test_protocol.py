"""The protocol: what the reference says through it, what it refuses, and that page, records and schemas agree."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import sample_vectors

import clearspec
from clearspec import events as ev
from clearspec.codec import TAGS, DecodeError, Fault, encode
from clearspec.events import Event
from clearspec.sandbox import Sandbox, genesis
from clearspec.scenario import spec_folder
from clearspec.snapshot import observable, snapshot, state_root
from clearspec_command.main import project
from clearspec_conformance import schemas
from clearspec_conformance.engines import InProcess, opener
from clearspec_conformance.kernels import KERNELS
from clearspec_conformance.protocol import (
    FEATURES,
    MESSAGES,
    Apply,
    ErrorCode,
    Hello,
    Load,
    Protocol,
    answer_body,
    line,
    parsed,
    request_body,
    taken_apart,
    written,
)
from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.runner import Settings, run
from clearspec_conformance.suite import load_suite

FOLDER = spec_folder() / "schemas" / "protocol"
OPEN = Event("e1", 1, 0, "a", ev.OpenAccount("a", "main"))


def asked(engine: Reference, message: str, body: Any) -> Any:
    """The raw body of the answer, or the error."""
    answer = engine.handle(line("x", message, body))
    assert answer["id"] == "x"
    return answer.get(message, answer)


def loaded() -> Reference:
    engine = Reference()
    assert asked(engine, "load", Load(genesis())) == {}
    return engine


def test_the_schemas_of_the_spec_are_up_to_date() -> None:
    assert list(schemas.differences(FOLDER)) == []


def test_a_folder_of_schemas_is_compared(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    (tmp_path / "hello-answer.json").unlink()
    (tmp_path / "bye-answer.json").write_text("{}")
    (tmp_path / "more.json").write_text("{}")
    found = [line.rsplit("/", 1)[-1] for line in schemas.differences(tmp_path)]
    assert found == ["hello-answer.json: missing", "bye-answer.json: differs", "more.json: belongs to no message"]


class Recording(InProcess):
    """The reference, with every line that passes checked against its schema."""

    passed: list[str] = []  # noqa: RUF012
    requests: list[dict[str, Any]] = []  # noqa: RUF012

    def exchange(self, request: dict[str, Any], deadline: float) -> Any:
        answer = super().exchange(request, deadline)
        message = next(name for name in request if name != "id")
        for way, document in (("request", request), ("answer", answer)):
            checker(f"{message}-{way}").validate(parsed(written(document)))
            self.passed.append(f"{message}-{way}")
        self.requests.append(request)
        return answer


def checker(name: str) -> Any:
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def test_every_line_of_a_run_fits_its_schema_and_no_expected_result_is_sent(tmp_path: Path) -> None:
    """All vectors on the reference, which claims everything: load comes as genesis and as snapshot."""
    suite = load_suite(sample_vectors.write_suite(tmp_path))
    Recording.passed.clear()
    Recording.requests.clear()
    outcome = run(suite.entries, lambda: Recording(Reference), Settings())
    assert [found.verdict for found in outcome.results] == ["passed"] * 6
    assert set(Recording.passed) == {f"{name}-{way}" for name in MESSAGES for way in ("request", "answer")}
    loads = {next(iter(request["load"])) for request in Recording.requests if "load" in request}
    assert loads == {"genesis", "snapshot"}
    for request in Recording.requests:
        if "load" not in request:
            assert not re.search(r'"(receipt|observable|reason|results|digest|by_hand|why)"', json.dumps(request))


def decoded(raw: Any, message: str, way: str) -> Any:
    if way == "request":
        return request_body(taken_apart(raw, tuple(MESSAGES)))
    return answer_body("apply" if message == "error" else message, taken_apart(raw, (message, "error")))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("hello-request", {"id": "1", "hello": {"protocol": "clearspec/protocol/2"}}),
        ("hello-request", {"hello": {"protocol": "clearspec/protocol/1"}}),
        ("load-request", {"id": "1", "load": {}}),
        ("load-request", {"id": "1", "load": {"genesis": None}}),
        ("apply-answer", {"id": "1", "apply": {"receipts": [{"reason": None}]}}),
        ("snapshot-request", {"id": "1", "snapshot": {"root": "true"}}),
        ("kernel-request", {"id": "1", "kernel": {"call": {"median": {}}}}),
        ("kernel-answer", {"id": "1", "kernel": {"results": {"median": 5}}}),
        ("bye-answer", {"id": "1", "bye": {}, "more": 1}),
        ("error-answer", {"id": "1", "error": {"code": "sorry"}}),
    ],
)
def test_schema_and_decoder_refuse_the_same(name: str, spoil: dict[str, Any]) -> None:
    assert not checker(name).is_valid(spoil)
    message, way = name.split("-")
    with pytest.raises(DecodeError):
        decoded(parsed(written(spoil)), message, way)


@pytest.mark.parametrize(
    ("raw", "fault", "path"),
    [
        ([], Fault.WRONG_TYPE, "$"),
        ({"hello": {}}, Fault.MISSING_KEY, "$.id"),
        ({"id": "", "hello": {}}, Fault.BAD_TEXT, "$.id"),
        ({"id": "1"}, Fault.UNKNOWN_KEY, "$"),
        ({"id": "1", "hello": {}, "bye": {}}, Fault.UNKNOWN_KEY, "$"),
        ({"id": "1", "goodbye": {}}, Fault.UNKNOWN_KEY, "$"),
    ],
)
def test_a_line_that_is_none(raw: Any, fault: Fault, path: str) -> None:
    with pytest.raises(DecodeError) as error:
        taken_apart(raw, tuple(MESSAGES))
    assert (error.value.fault, error.value.path) == (fault, path)


def test_the_reference_introduces_itself_with_every_feature() -> None:
    found = asked(Reference(), "hello", Hello(Protocol.V1))
    assert found["protocol"] == "clearspec/protocol/1"
    assert tuple(found["features"]) == FEATURES
    assert {"ledger", "events", "collateral", "receipts", "root", "kernel", "restore"} <= set(FEATURES)


def test_events_come_back_as_receipts_and_the_state_as_seen() -> None:
    engine = loaded()
    deposit = Event("e2", 2, 0, "a", ev.Deposit("a", "USD", 2**60))
    stranger = Event("e3", 3, 0, "b", ev.Deposit("a", "USD", 1))
    found = asked(engine, "apply", Apply((OPEN, deposit, stranger)))["receipts"]
    assert [(one["status"], one["reason"]) for one in found] == [
        ("accepted", None), ("accepted", None), ("rejected", "unauthorised"),
    ]  # fmt: skip
    seen = engine.handle({"id": "1", "snapshot": {"root": True}})["snapshot"]
    assert seen["observable"]["accounts"]["a"]["balances"] == {"USD": "1152921504606846976", "ETH": "0"}
    assert re.fullmatch("[0-9a-f]{64}", seen["root"])
    assert engine.handle({"id": "1", "snapshot": {}})["snapshot"]["root"] is None


def test_a_malformed_event_gets_a_receipt_and_the_others_theirs() -> None:
    engine = loaded()
    broken = encode(Event("e2", 2, 0, "a", ev.Deposit("a", "USD", 1)))
    broken["action"]["deposit"]["amount"] = "01"
    answer = engine.handle({"id": "1", "apply": {"events": [encode(OPEN), broken, 7]}})
    found = [(one["reason"], one["subject"]) for one in answer["apply"]["receipts"]]
    assert found == [(None, ""), ("malformed", "$.action.deposit.amount"), ("malformed", "$")]


def test_a_full_snapshot_continues_as_the_original() -> None:
    box = Sandbox()
    box.open("a", 100)
    engine = Reference()
    assert asked(engine, "load", Load(None, snapshot(box.state))) == {}
    box.do("a", ev.Withdraw("a", "USD", 40))
    asked(engine, "apply", Apply((Event("e3", 3, 0, "a", ev.Withdraw("a", "USD", 40)),)))
    seen = engine.handle({"id": "1", "snapshot": {"root": True}})["snapshot"]
    assert seen == {"observable": encode(observable(box.state)), "root": state_root(box.state)}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"id": "1", "apply": {"events": []}}, "nothing has been loaded"),
        ({"id": "1", "snapshot": {}}, "nothing has been loaded"),
        ({"id": "1", "load": {"genesis": {}, "snapshot": {}}}, "one key: genesis, document or snapshot"),
        ({"id": "1", "load": {"genesis": None}}, "$.load.genesis: wrong_type"),
        ({"id": "1", "load": {"document": {}}}, "$.load.document: wrong_type"),
        ({"id": "1", "kernel": {"call": {"median": {"values": []}}}}, "outside the domain of median"),
        ({"id": "1", "kernel": {"call": {"modus": {}}}}, "one of mul_floor"),
        ({"id": "1", "hello": {"protocol": "x"}}, "clearspec/protocol/1"),
        ({"id": "1", "what": {}}, "one of hello"),
        ("text", "expected an object"),
    ],
)
def test_a_bad_request_is_answered_with_an_error(request_: Any, said: str) -> None:
    answer = Reference().handle(request_)
    assert answer["id"] == ("1" if isinstance(request_, dict) else "unknown")
    assert answer["error"]["code"] == ErrorCode.BAD_REQUEST
    assert said in answer["error"]["message"]


def rebated(market: int = 0) -> dict[str, Any]:
    """A genesis with a maker rebate of 5 above a taker fee of 0."""
    document: dict[str, Any] = encode(genesis())
    document["markets"][market]["parameters"]["trading"]["maker_fee"] = "-5"
    return document


@pytest.mark.parametrize(
    ("body", "rule", "said"),
    [
        ({"genesis": rebated()}, "PARM-9", "rebate-covered"),
        ({"document": json.dumps(rebated())}, "PARM-9", "rebate-covered"),
        ({"genesis": {**encode(genesis()), "feeds": []}}, "EVENT-2", "unknown feed"),
        ({"genesis": {}}, "EVENT-3", "$.time: missing_key"),
        ({"document": "{"}, "EVENT-3", "$: not_json"),
        ({"document": '{"time": "0", "time": "0"}'}, "EVENT-3", "$: duplicate_key"),
        ({"snapshot": {}}, "EVENT-12", "$.objects"),
    ],
)
def test_what_cannot_be_started_from_is_refused_with_its_rule(body: dict[str, Any], rule: str, said: str) -> None:
    error = Reference().handle({"id": "1", "load": body})["error"]
    assert (error["code"], error["rule"]) == (ErrorCode.REFUSED, rule)
    assert said in error["message"]


def test_an_event_as_a_text_is_decoded_by_the_engine() -> None:
    """Another order of keys and an escaped letter are the same event; a bare number and a repeated key are none."""
    engine = loaded()
    asked(engine, "apply", Apply((OPEN,)))
    text = (
        '{"action": {"deposit": {"amount": %s, "asset": "USD", "account": "\\u0061"}},'
        ' "actor": "a", "time": "0", "sequence": "2", "id": "e2"}'
    )
    for amount, reason in (('"5"', None), ("5", "malformed"), ('"5", "amount": "5"', "malformed")):
        (receipt,) = asked(engine, "apply", Apply(document=text % amount))["receipts"]
        assert receipt["reason"] == reason
    seen = engine.handle({"id": "1", "snapshot": {}})["snapshot"]["observable"]
    assert (seen["sequence"], seen["accounts"]["a"]["balances"]["USD"]) == ("2", "5")


def given(**arguments: Any) -> dict[str, Any]:
    return arguments


BY_HAND: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    *((next(iter(call)), call[next(iter(call))], encode(results)) for call, results in sample_vectors.CALLS),
    ("mul_ceil", {"amount": "-7", "ratio": "500000000"}, {"product": "-3"}),  # -3.5 up
    # -7 + 2 = -5 = -2 x 3 + 1
    ("divide_carry", given(numerator="-7", carry="2", divisor="3"), {"quotient": "-2", "carry": "1"}),
    # 10 split 1 : 2: floor(10/3) = 3, so the second part has 10 - 3
    ("cumulative_share", given(amount="10", weight_before="1", weight_after="3", weight_total="3"), {"share": "7"}),
    ("banded", given(candidate="80", anchor="100", band="50000000", max_price="1000"), {"price": "95"}),  # 5 % of 100
    # index 100, basis 50 / 10 = 5 within 2 % = 2
    ("mark_price", given(index="100", basis_sum="50", window="10", band="20000000", max_price="999"), {"price": "102"}),
    ("smoothed", given(basis_sum="25", sample="9", window="10"), {"basis_sum": "32"}),  # 25 - 2 + 9
    ("basis_sample", given(bid="103", ask="106", index="100", band="900000000"), {"basis": "4"}),  # 104.5 down less 100
    ("premium_sample", given(bid="103", ask="106", index="100"), {"premium": "30000000"}),  # 3 of 100
    # 2 % in 2 s of 1 % on 150 is 3, and a short looks up
    ("worst_price", given(price="150", overdue="2", rate="10000000", cap="50000000", size="-1"), {"price": "153"}),
    ("grown", given(ratio="100000000", steps="2"), {"ratio": "1210000000"}),  # 1.1 x 1.1
    ("shrunk", given(ratio="100000000", steps="2"), {"ratio": "810000000"}),  # 0.9 x 0.9
    ("ramped", given(before="100", after="200", elapsed="30", duration="60"), {"requirement": "150"}),  # half-way
    ("open_interest_weight", given(value="15", lower="10", upper="30"), {"weight": "250000000"}),  # 5 of 20
    ("size_ratio", given(size="3", slope="10000000", unit="2"), {"ratio": "15000000"}),  # 1 % x 3 / 2
    ("index_value", given(amount="7", price="3", unit="2"), {"worth": "10"}),  # 10.5 down
    ("counted_profit", given(unrealised="100", weight="500000000", cap="40"), {"counted": "40"}),  # 50, at most 40
    ("aggregated", given(samples=["7", "8"], aggregation="mean", min_samples="4"), {"premium": "3"}),  # 15 / 4 = 3.75
    # 5 + clamp(99 - 5, -20, 20) = 25, at most 22
    ("funding_rate", given(premium="5", interest="99", interest_form="clamped", damper="20", cap="22"), {"rate": "22"}),
    # 1 % of 150 is 1.5, for one whole period: 1 and half a unit of SCALE x period is carried
    (
        "accrued",
        given(index="4", carry="0", rate="10000000", index_price="150", elapsed="60", period="60"),
        {"index": "5", "carry": "30000000000"},
    ),
    # (8 + 2) / (5 % - 1 %) = 250 atoms, 250 / 100 = 2.5 lots
    ("restoring_size", given(shortfall="8", price="100", maintenance="50000000", penalty="10000000"), {"size": "3"}),
    ("reward_from", given(value="1000", penalty="3", ratio="5000000"), {"reward": "3"}),  # 5, at most 3
    # floor 1 % of 1000 = 10, less 3 = 7; the budget has 9 - 4 = 5 left
    (
        "topped_up",
        given(value="1000", reward="3", reward_floor="10000000", reward_budget="9", spent="4", fund="100"),
        {"added": "5"},
    ),
    ("conversion_price", given(amount="3", price="7", unit="2", discount="100000000"), {"paid": "10"}),  # 9.45 up
    # a loss of 5 on a cost of 10 is -50 %
    ("rank_score", given(profit="-5", cost="10", value="100", equity="1"), {"score": "-500000000"}),
    ("bounded_equity", given(equity=str(-(2**64) - 1)), {"equity": str(-(2**64))}),
    # 30 x 50 / 280 = 5.36 down
    ("uncollectable", given(loss="50", deficit="30", losses="280"), {"missing": "5"}),
    ("haircut_step", given(share="10", lots="3", gain="2", index="0"), {"step": "2"}),  # 3.3 down, at most 2
    # of 150: 100 at 10 % and 50 at 20 %: 20; 100 at 5 % and 50 at 7 %: 8.5 up
    (
        "tiered_requirement",
        {
            "value": "150",
            "tiers": [
                {"upper": "100", "initial": "100000000", "maintenance": "50000000"},
                {"upper": "200", "initial": "200000000", "maintenance": "70000000"},
            ],
        },
        {"initial": "20", "maintenance": "9"},
    ),
    # 20 x 1.5 = 30, and 1 % x 2 / 1 of 200 = 4: 34; open interest half-way: 34 + half of 166 = 117
    (
        "scaled_initial",
        given(
            value="200", tiered="20", size="2", open_interest="20", multiplier="1500000000", size_slope="10000000",
            size_unit="1", open_interest_lower="10", open_interest_upper="30",
        ),
        {"initial": "117"},
    ),
]  # fmt: skip


def test_every_kernel_is_tried_by_hand() -> None:
    assert {name for name, _, _ in BY_HAND} == set(KERNELS)


@pytest.mark.parametrize(
    ("name", "arguments", "results"), BY_HAND, ids=lambda value: value if isinstance(value, str) else ""
)
def test_kernels(name: str, arguments: dict[str, Any], results: dict[str, str]) -> None:
    answer = Reference().handle({"id": "1", "kernel": {"call": {name: arguments}}})
    assert answer == {"id": "1", "kernel": {"results": results}}


def page() -> str:
    return (spec_folder() / "protocol.md").read_text(encoding="utf-8")


def test_the_page_names_every_message_feature_and_kernel() -> None:
    text = page()
    for message in MESSAGES:
        assert f"\n### {message}\n" in text
    for feature in FEATURES:
        assert f"`{feature}`" in text
    for kernel in KERNELS.values():
        names = ", ".join(f"`{item.name}`" for item in fields(kernel.arguments))
        results = ", ".join(f"`{name}`" for name in kernel.results)
        assert f"| `{kernel.name}` | {kernel.rule} | {names} | {results} |" in text
        assert TAGS[kernel.arguments] == kernel.name


def test_the_conversation_on_the_page_is_true() -> None:
    """Every line marked > is sent to the reference; the line marked < after it is the answer."""
    block = re.search(r"```\n(> .*?)```", page(), re.DOTALL)
    assert block is not None
    engine = Reference()
    pairs = re.findall(r"^> (.*)\n< (.*)$", block[1], re.MULTILINE)
    assert len(pairs) == block[1].count("> ") == 6
    for request, answer in pairs:
        if "load" in request:
            assert request == '{"id":"2","load":{"genesis":{...}}}'
            request = json.dumps(line("2", "load", Load(genesis())))
        got = engine.handle(json.loads(request))
        wanted = json.loads(answer.replace(',"features":[...]', "").replace('"observable":{...}', '"observable":{}'))
        if "hello" in got:
            del got["hello"]["features"]
            got["hello"]["version"] = wanted["hello"]["version"]
        if "snapshot" in got:
            got["snapshot"]["observable"] = {}
        assert got == wanted


def test_the_reference_over_stdio_answers_what_is_no_line_and_ends_after_bye() -> None:
    sent = b'garbage\n{"id":"1","hello":{"protocol":"clearspec/protocol/1"}}\n{"id":"2","bye":{}}\n{"id":"3"}\n'
    command = [sys.executable, "-m", "clearspec_conformance.serve"]
    found = subprocess.run(command, input=sent, capture_output=True, timeout=30, check=True)
    first, second, third = (json.loads(one) for one in found.stdout.splitlines())
    assert (first["id"], first["error"]["code"]) == ("unknown", "bad_request")
    assert second["hello"]["name"] == "clearspec reference"
    assert third == {"id": "2", "bye": {}}


def test_an_engine_of_another_class_is_served() -> None:
    command = [sys.executable, "-m", "clearspec_conformance.serve"]
    place = "clearspec_conformance.reference_engine:Reference"
    sent = b'{"id":"1","bye":{}}\n'
    assert subprocess.run([*command, place], input=sent, capture_output=True, check=True).stdout == sent
    assert subprocess.run([*command, "a", "b"], input=b"", capture_output=True, check=False).returncode == 2
    assert opener(f"python:{place}")


def test_the_reference_says_the_version_of_the_project() -> None:
    found = asked(Reference(), "hello", Hello(Protocol.V1))
    assert found["version"] == clearspec.__version__ == project()["version"]
