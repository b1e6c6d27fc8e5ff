"""Strict decoding: each fault at its path; what is encoded decodes to the same; schemas agree with the decoder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from clearspec.codec import DEEPEST, DecodeError, Fault, canonical_bytes, decode, encode, loads, parse, schema
from clearspec.events import Event, Genesis
from clearspec.formats import FORMATS, LogFormat, LogHeader, Observable, ReceiptRecord, receipt_record
from clearspec.machine import apply_document
from clearspec.sandbox import Sandbox, genesis
from clearspec.scenario import spec_folder
from clearspec.snapshot import observable, restore, snapshot

GOOD: dict[str, Any] = {
    "id": "e1",
    "sequence": "1",
    "time": "0",
    "actor": "alice",
    "action": {"deposit": {"account": "alice", "asset": "USD", "amount": "5"}},
}


def changed(path: str, value: Any) -> str:
    """The good event as text with the value at a dotted path replaced."""
    document = json.loads(json.dumps(GOOD))
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    place[last] = value
    return json.dumps(document)


AMOUNT = "action.deposit.amount"
CASES = [
    (changed(AMOUNT, 5), Fault.WRONG_TYPE, f"$.{AMOUNT}"),
    (changed(AMOUNT, 5.0), Fault.WRONG_TYPE, f"$.{AMOUNT}"),
    (changed(AMOUNT, float("nan")), Fault.WRONG_TYPE, f"$.{AMOUNT}"),
    (changed(AMOUNT, None), Fault.WRONG_TYPE, f"$.{AMOUNT}"),
    (changed(AMOUNT, True), Fault.WRONG_TYPE, f"$.{AMOUNT}"),
    (changed(AMOUNT, ["5"]), Fault.WRONG_TYPE, f"$.{AMOUNT}"),
    (changed(AMOUNT, "+5"), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "05"), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "-0"), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "5 "), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "5\n"), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "1e3"), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "٣"), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, "9" * 1_000_000), Fault.NOT_AN_INTEGER, f"$.{AMOUNT}"),
    (changed(AMOUNT, str(2**126 + 1)), Fault.OUT_OF_RANGE, f"$.{AMOUNT}"),
    (changed(AMOUNT, str(-(2**126) - 1)), Fault.OUT_OF_RANGE, f"$.{AMOUNT}"),
    (changed("actor", ""), Fault.BAD_TEXT, "$.actor"),
    (changed("actor", "a b"), Fault.BAD_TEXT, "$.actor"),
    (changed("actor", "a\n"), Fault.BAD_TEXT, "$.actor"),
    (changed("actor", "a" * 65), Fault.BAD_TEXT, "$.actor"),
    (changed("actor", "\ud800"), Fault.BAD_TEXT, "$.actor"),
    (changed("action", {}), Fault.WRONG_TYPE, "$.action"),
    (changed("action", {"deposit": {}, "withdraw": {}}), Fault.WRONG_TYPE, "$.action"),
    (changed("action", {"steal": {}}), Fault.UNKNOWN_VALUE, "$.action.steal"),
    (changed("action", {"deposit": {}}), Fault.MISSING_KEY, "$.action.deposit.account"),
    (changed("extra", "1"), Fault.UNKNOWN_KEY, "$.extra"),
    ('{"id": "e1", "id": "e1"}', Fault.DUPLICATE_KEY, "$"),
    ('{"action": {"deposit": {}, "deposit": {}}}', Fault.MISSING_KEY, "$.id"),
    ("[]", Fault.WRONG_TYPE, "$"),
    ("", Fault.NOT_JSON, "$"),
    ("{", Fault.NOT_JSON, "$"),
    ("{} {}", Fault.NOT_JSON, "$"),
    ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), Fault.TOO_DEEP, "$"),
    ("[" * 10_000_000, Fault.TOO_DEEP, "$"),
    ('{"a":' * 100_000, Fault.TOO_DEEP, "$"),
]


@pytest.mark.parametrize(("text", "fault", "path"), CASES, ids=range(len(CASES)))
def test_fault_and_path(text: str, fault: Fault, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        loads(Event, text)
    assert (caught.value.fault, caught.value.path) == (fault, path)
    assert len(str(caught.value)) < 1000
    record = apply_document(Sandbox().state, text)
    assert (record.reason, record.subject) == ("malformed", path)


@pytest.mark.parametrize("amount", ["0", "-1", str(2**60 + 1), str(2**126)])
def test_an_event_decodes_within_128_bits_and_apply_gives_its_bounds(amount: str) -> None:
    record = apply_document(Sandbox().state, changed(AMOUNT, amount))
    assert (record.reason, record.subject) == ("field_out_of_range", "amount")


def test_bytes_that_are_not_utf8() -> None:
    with pytest.raises(DecodeError) as caught:
        parse(b"\xff")
    assert caught.value.fault == Fault.NOT_JSON


def test_document_too_long() -> None:
    with pytest.raises(DecodeError) as caught:
        parse(b" " * 101, longest=100)
    assert caught.value.fault == Fault.TOO_LONG


def test_brackets_inside_strings_do_not_nest() -> None:
    assert parse(json.dumps({"a": "[" * 1000, "b": '"' + "{" * 100})) is not None


def busy() -> Sandbox:
    box = Sandbox()
    box.open("alice", 1_000)
    box.open("bob", 1_000)
    box.price(100)
    box.trade("alice", "bob", 5, 100)
    return box


def test_round_trips() -> None:
    box = busy()
    receipt = receipt_record(box.trade("bob", "alice", 1, 101))
    for kind, value in (
        (Genesis, genesis()),
        (Observable, observable(box.state)),
        (ReceiptRecord, receipt),
        (LogHeader, LogHeader(LogFormat.V1, genesis())),
    ):
        assert loads(kind, canonical_bytes(value)) == value


def test_canonical_bytes_are_ascii_sorted_and_tight() -> None:
    assert canonical_bytes({"b": 1, "a": ["é", None, True]}) == b'{"a":["\\u00e9",null,true],"b":"1"}'


@pytest.mark.parametrize("name", FORMATS)
def test_schemas_are_valid_and_written(name: str) -> None:
    document = schema(FORMATS[name], f"clearspec {name}")
    Draft202012Validator.check_schema(document)
    written = json.loads((spec_folder() / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    assert written["$defs"] == json.loads(json.dumps(document["$defs"]))


STRUCTURAL = (Fault.UNKNOWN_KEY, Fault.MISSING_KEY, Fault.UNKNOWN_VALUE, Fault.NOT_AN_INTEGER)


def test_schema_and_decoder_agree_on_structure() -> None:
    """What the schema refuses the decoder refuses; the decoder alone knows ranges, repeated keys and bare numbers."""
    validator = Draft202012Validator(schema(Event, "event"))
    assert validator.is_valid(GOOD)
    for text, fault, _ in CASES:
        if fault in STRUCTURAL:
            assert not validator.is_valid(json.loads(text)), text[:80]
    validator = Draft202012Validator(schema(Observable, "observable"))
    assert validator.is_valid(encode(observable(busy().state)))


DAMAGE: list[tuple[Any, Fault]] = [
    ([], Fault.MISSING_KEY),
    ({"objects": "none"}, Fault.MISSING_KEY),
    ({"objects": []}, Fault.MISSING_KEY),
]


@pytest.mark.parametrize(("document", "fault"), DAMAGE, ids=range(len(DAMAGE)))
def test_restore_refuses_what_is_no_snapshot(document: Any, fault: Fault) -> None:
    with pytest.raises(DecodeError) as caught:
        restore(document)
    assert caught.value.fault == fault


@pytest.mark.parametrize(
    ("table", "field", "value", "place"),
    [
        ("balances", None, "7", "$.objects"),
        ("positions", "size", "6", "$.objects"),
        ("accounts", "pool", "nowhere", "account alice"),
        ("accounts", "markets", [], "$.objects"),
        ("feeds", "markets", ["nowhere"], "feed BTC"),
    ],
)
def test_restore_refuses_what_events_cannot_reach(table: str, field: str | None, value: Any, place: str) -> None:
    document = json.loads(json.dumps(snapshot(busy().state)))
    item = next(item for item in document["objects"] if item["table"] == table and item["record"] != "0")
    if field is None:
        item["record"] = value
    else:
        item["record"][field] = value
    with pytest.raises(DecodeError) as caught:
        restore(document)
    assert (caught.value.fault, caught.value.path) == (Fault.INCONSISTENT, place)


@pytest.mark.parametrize(
    ("table", "change", "place", "expected"),
    [
        ("feeds", lambda feed: feed["parameters"].update(quorum="0"), "feed BTC", "quorum-outvotes-faulty to hold"),
        ("feeds", lambda feed: feed["parameters"].update(sources=[]), "feed BTC", "quorum-reachable to hold"),
        ("pools", lambda pool: pool.update(layers=["tear_up", "insurance_fund"]), "pool main",
         "funds-before-sharing to hold"),
        ("pools", lambda pool: pool["collateral"][0].update(haircut="0", discount="0"), "pool main",
         "haircut-covers-gap ETH to hold"),
        ("markets", lambda market: market.update(ramp_start="4102444800"), "market BTC-PERP", "a ramp that has begun"),
        ("marks", lambda mark: mark.update(price="1000000001"), "$.objects", "INV-16 to hold"),
        ("feeds", lambda feed: feed.update(index="0"), "market BTC-PERP", "an index of the feed of its mark"),
    ],
)  # fmt: skip
def test_restore_refuses_what_no_genesis_and_no_event_writes(
    table: str, change: Any, place: str, expected: str
) -> None:
    """The highest price of the feed is 1,000,000,000; with its index at 0 a book sample would divide by nothing."""
    document = json.loads(json.dumps(snapshot(busy().state)))
    change(next(item for item in document["objects"] if item["table"] == table)["record"])
    with pytest.raises(DecodeError) as caught:
        restore(document)
    assert (caught.value.path, caught.value.expected) == (place, expected)


def test_restore_refuses_a_ramp_from_below_the_penalty() -> None:
    """While it runs, the lowest maintenance of before is in force: it must exceed the penalty too."""
    document = json.loads(json.dumps(snapshot(busy().state)))
    market = next(item["record"] for item in document["objects"] if item["table"] == "markets")
    market["ramp_end"] = "4102444800"
    assert restore(document).markets["BTC-PERP"].ramp_end == 4_102_444_800
    market["before"]["margin"]["tiers"][0]["maintenance"] = "1"
    with pytest.raises(DecodeError, match="market BTC-PERP"):
        restore(document)


def test_restore_refuses_an_object_twice_and_one_unknown() -> None:
    document = snapshot(busy().state)
    objects = document["objects"]
    for extra, fault in (
        (objects[0], Fault.DUPLICATE_KEY),
        ({"table": "wishes", "key": ["a"], "record": "1"}, Fault.UNKNOWN_VALUE),
        ({"table": "positions", "key": ["alice"], "record": {}}, Fault.WRONG_TYPE),
        ({"table": "open_interest", "key": ["M"], "record": "-1"}, Fault.OUT_OF_RANGE),
        ("nothing", Fault.WRONG_TYPE),
    ):
        with pytest.raises(DecodeError) as caught:
            restore({**document, "objects": [*objects, extra]})
        assert caught.value.fault == fault


def test_decode_of_a_type_without_a_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        decode(float, "1.0")
