"""Mapping files: somebody else's names, units and layout, read exactly; what does not fit is told by line and key."""

from __future__ import annotations

import json
import pickle
import random
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from audit_samples import audited, packed, written
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from clearspec_command.failures import BadInput
from clearspec_conformance.audit.converting import Field, MappingFault, Scope, Unmapped, field_of, repeated
from clearspec_conformance.audit.mapping import FIGURES, FORMAT, Mapped, Reader, line_of, read_mapping
from clearspec_conformance.audit.parsing import LENIENT
from clearspec_conformance.audit.problems import BadLog, Place

HARBOUR = Path(__file__).parents[1] / "examples" / "harbour"
LOG = HARBOUR / "engine.jsonl"
MAPPING = HARBOUR / "mapping.toml"


def lines() -> list[Any]:
    return [json.loads(line) for line in LOG.read_text().splitlines()]


def text() -> str:
    return MAPPING.read_text()


def mapped(tmp_path: Path, changed: str) -> Mapped:
    """A changed copy of the example's mapping, with its genesis beside it."""
    (tmp_path / "genesis.json").write_text((HARBOUR / "genesis.json").read_text())
    return read_mapping(written(tmp_path / "mapping.toml", [changed.encode()]))


def test_the_example_is_read_to_its_one_fault() -> None:
    """Harbour rounds Bob's maker fee down: 0.01 % of 7 lots at 65,419.03 is 45.793321 dollars, rounded up 45.80."""
    report = audited(LOG, read_mapping(MAPPING))
    (finding,) = report.findings
    assert (finding.step, finding.line, finding.event, finding.rule) == (13, 14, "H-013", "TRADE-7")
    assert [(one.path, one.expected, one.got) for one in finding.differences] == [
        ("$.receipt.amounts.maker_fee", "4580", "4579"),
        ("$.receipt.postings[1].amount", "4580", "4579"),
        ("$.figures.accounts.bob.balances.USD", "7758890", "7758891"),
    ]
    assert (report.events, report.skipped, report.mapping) == (13, 1, str(MAPPING))
    assert audited(LOG, read_mapping(MAPPING), going_on=True).events == 26


def test_it_passes_between_processes() -> None:
    one = read_mapping(MAPPING)
    again = pickle.loads(pickle.dumps(one))
    assert audited(LOG, again) == audited(LOG, one)
    assert again.genesis() == one.genesis()


def test_only_the_reasons_of_a_log_in_the_forms_of_the_kit(tmp_path: Path) -> None:
    """A mapping may say no more than which reasons are which; parts may stand elsewhere in the line."""
    from audit_samples import market_desk

    from clearspec import events as ev
    from clearspec.events import Reason

    desk = market_desk()
    line = desk.do("bob", ev.Withdraw("ann", "USD", 5), Reason.UNAUTHORISED)
    line["receipt"]["reason"] = "NOT_YOURS"
    toml = f'format = "{FORMAT}"\n[reasons]\nNOT_YOURS = "unauthorised"\n'
    assert audited(written(tmp_path / "log", desk.lines), Mapped("m", toml)).passed
    moved = [desk.lines[0], *({"body": {"in": one["event"]}, "out": one["receipt"]} for one in desk.lines[1:])]
    toml += '[line]\nevent = "body.in"\nreceipt = "out"\n'
    assert audited(written(tmp_path / "log", moved), Mapped("m", toml)).passed


def test_postings_without_causes(tmp_path: Path) -> None:
    """Causes that an engine does not give are not compared; costs then do not follow from postings."""
    report = audited(LOG, mapped(tmp_path, text().replace('cause = { from = "why", type = "cause" }\n', "")))
    (finding,) = report.findings
    assert (finding.step, [one.path for one in finding.differences][1]) == (13, "$.receipt.postings[1].amount")
    checks = {check.id: check for check in report.checks}
    assert checks["INV-7"].checked < checks["INV-2"].checked == 13


def test_amounts_are_claimed_by_name(tmp_path: Path) -> None:
    without = text().replace('maker_fee = { from = "fees.maker", type = "money" }\n', "")
    (finding,) = audited(LOG, mapped(tmp_path, without)).findings
    assert finding.differences[0].path == "$.receipt.postings[1].amount"


def test_a_posting_may_be_turned_round_or_of_nothing(tmp_path: Path) -> None:
    """From A to B by -5 is from B to A by 5, and 0 is no posting (LEDG-2)."""
    documents = lines()[:13]
    (move,) = documents[2]["moves"]
    documents[2]["moves"] = [
        {**move, "from": move["to"], "to": move["from"], "amt": f"-{move['amt']}"},
        {**move, "amt": "0.00"},
    ]
    assert audited(written(tmp_path / "log", documents), read_mapping(MAPPING)).passed


def test_a_reason_that_is_not_mapped_is_told(tmp_path: Path) -> None:
    without = text().replace('NO_MARGIN = "below_initial_margin"\n', "")
    (finding,) = audited(LOG, mapped(tmp_path, without)).findings
    assert (finding.step, finding.rule) == (11, "COLL-5")
    assert finding.note.startswith("NO_MARGIN is no reason of the spec")


def test_a_mapping_without_receipts(tmp_path: Path) -> None:
    before, _, after = text().partition("[receipt]")
    changed = before + "[reasons]" + after.partition("[reasons]")[2].partition("[amounts")[0]
    stop = audited(LOG, mapped(tmp_path, changed)).stop
    assert stop is not None
    assert "no receipt stands at receipt" in stop.message


def test_snapshots_through_a_mapping(tmp_path: Path) -> None:
    """A line may hold a full snapshot, in the kit's form, under a name of its own; segments begin there."""
    from clearspec.listing import build
    from clearspec.machine import apply
    from clearspec.snapshot import snapshot

    mapping = mapped(tmp_path, text().replace("[event]", '[line]\nsnapshot = "dump"\n\n[event]', 1))
    genesis = mapping.genesis()
    assert genesis is not None
    state, right = build(genesis), []
    for document in lines()[:12]:
        right.append(document)
        line = mapping.line(LENIENT(packed(document).decode()), Place(1, 0))
        if line is not None:
            from clearspec.codec import decode
            from clearspec.events import Event

            apply(state, decode(Event, line.event))
            right.append({"dump": snapshot(state)})
    path = written(tmp_path / "log", right)
    alone = audited(path, mapping)
    assert (alone.passed, alone.events, alone.snapshots, alone.skipped) == (True, 11, 11, 1)
    with ThreadPoolExecutor(2) as pool:
        assert audited(path, mapping, executor=pool, pieces=4) == alone


def test_parquet_rows_through_a_mapping(tmp_path: Path) -> None:
    """Columns of integers, decimals and structures are exact; text columns may hold JSON."""
    rows = []
    for line in lines():
        own = {key: line.get(key) for key in ("n", "ref", "at", "by", "op", "ok", "err", "index")}
        rest = {key: part for key, part in line.items() if key not in own}
        rows.append({**own, "rest": json.dumps(rest)})
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "log")
    changed = text().replace("[log]", '[log]\njson = ["rest"]')
    for name in ("args", "moves", "after", "fees", "funding", "closed"):
        changed = changed.replace(f'"{name}.', f'"rest.{name}.')
    (finding,) = audited(tmp_path / "log", mapped(tmp_path, changed)).findings
    assert (finding.step, finding.line, finding.byte, finding.rule) == (13, 14, None, "TRADE-7")


def test_a_column_of_floats_is_refused(tmp_path: Path) -> None:
    parquet.write_table(
        pyarrow.table({"n": [1.0], "op": ["OPEN"], "ref": ["a"], "at": ["x"], "by": ["y"]}), tmp_path / "log"
    )
    changed = text().replace('account = "args.member"\npool', 'account = "ref"\npool', 1)
    report = audited(tmp_path / "log", mapped(tmp_path, changed))
    assert report.stop is not None
    assert "expected a text or a number, found a float" in report.stop.message


# What does not fit a line


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("args", "amt"), "350.005", "350.005 is no whole number of the kit's units"),
        (("args", "amt"), None, "nothing stands at args.amt"),
        (("args", "amt"), "many", "expected a number, found 'many'"),
        (("args", "amt"), "9" * 10**5, "expected a number"),
        (("args", "amt"), "1e99999", "expected a number"),
        (("args", "amt"), [], "expected a text or a number, found list"),
        (("op",), "SWAP", "'SWAP' is none of the actions"),
        (("at",), "yesterday", "expected a date and time such as"),
        (("ok",), "perhaps", "'perhaps' is none of true, false"),
        (("moves", 0, "from"), "vault", "'vault' is none of member, bank"),
    ],
)
def test_a_line_that_the_mapping_cannot_read(tmp_path: Path, path: tuple[Any, ...], value: Any, message: str) -> None:
    documents = lines()
    *way, last = path
    target = documents[2]
    for key in way:
        target = target[key]
    target[last] = value
    log = written(tmp_path / "log", documents)
    report = audited(log, read_mapping(MAPPING))
    assert report.stop is not None
    assert (report.stop.fault.value, report.stop.line, report.events) == ("unmapped", 3, 2)
    assert message in report.stop.message


def test_the_message_names_the_line_and_key_of_the_mapping(tmp_path: Path) -> None:
    documents = lines()
    documents[2]["args"]["amt"] = "0.001"
    report = audited(written(tmp_path / "log", documents), read_mapping(MAPPING))
    assert report.stop is not None
    header = text().splitlines().index("[actions.deposit]") + 1
    assert f"mapping.toml: line {header + 4}: $.actions.deposit.amount" in report.stop.message


def test_the_line_of_a_key() -> None:
    toml = "a = 1\n[b.c]\nd = { e = 2 }\n[[f]]\ng = 3\n[[f]]\nh = 4\n"
    paths = ("$.a", "$.b.c", "$.b.c.d", "$.b.c.d.e", "$.b.c.x", "$.f[0].g", "$.f[1].h", "$.f[1].x", "$.z")
    assert [line_of(toml, path) for path in paths] == [1, 2, 3, 3, 2, 5, 7, 6, 0]


# What is no mapping


@pytest.mark.parametrize(
    ("before", "after", "anchor", "message"),
    [
        ('format = "clearspec/mapping/1"', 'format = "x"', "format", '$.format: expected "clearspec/mapping/1"'),
        ("[reasons]", "[reason]", "", "$.reason: expected one of format, log"),
        (
            'NO_MARGIN = "below_initial_margin"',
            'NO_MARGIN = "poor"',
            "NO_MARGIN =",
            "$.reasons.NO_MARGIN: expected a reason",
        ),
        (
            "[actions.withdraw]",
            "[actions.withdrawal]",
            "[actions.withdrawal]",
            "$.actions.withdrawal: expected one of the actions",
        ),
        ('buyer = "args.bid"', 'bidder = "args.bid"', "[actions.trade]", "expected the field buyer"),
        ('id = "ref"', "", "[event]", "$.event: expected the field id"),
        ('actor = "by"', 'actor = { form = "by" }', "actor", "$.event.actor: expected either from or value"),
        ('actor = "by"', 'actor = { from = "by", of = 1 }', "actor", "$.event.actor.of: expected one of from, value"),
        ('actor = "by"', 'actor = "a..b"', "actor", "$.event.actor: expected a path"),
        ('type = "ratio"', 'type = "rate"', "rate =", "type: expected one of the types money, ratio, kind"),
        ("times = 100\n", "times = 0\n", "times", "$.types.money.times: expected a factor"),
        ("times = 100\n", "times = 1.5\n", "times", "$.types.money.times: expected a factor"),
        ('form = "iso8601"', 'form = "unix"', "time =", "$.event.time.form: expected one of iso8601"),
        ("part = 1", "part = 0", "part", "part: expected the number of a part, from 1"),
        ('each = "moves.*"', "", "[postings]", "$.postings.each: expected a path"),
        (
            'figure = "size"',
            'figure = "delta"',
            'figure = "delta"',
            "$.figures[1].figure: expected one of balance, size",
        ),
        ('market = "@2"\n', "", "", "$.figures[1]: expected the field market"),
        (
            'values = ["HEARTBEAT"]',
            'value = ["HEARTBEAT"]',
            "skip",
            "$.log.skip[0].value: expected one of field, values",
        ),
    ],
)
def test_a_mapping_that_is_none(tmp_path: Path, before: str, after: str, anchor: str, message: str) -> None:
    assert before in text()
    changed = text().replace(before, after, 1)
    with pytest.raises(BadInput) as refused:
        mapped(tmp_path, changed)
    assert message in refused.value.message
    places = [place for place, line in enumerate(changed.splitlines(), start=1) if line.startswith(anchor)]
    assert not anchor or f"mapping.toml: line {places[0]}:" in refused.value.message


def test_a_mapping_that_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not_toml: Expected"):
        mapped(tmp_path, 'format = "clearspec/mapping/1"\n[event')


def test_a_genesis_that_is_not_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"other\.json: cannot be read"):
        mapped(tmp_path, text().replace('"genesis.json"', '"other.json"'))
    written(tmp_path / "none.json", [b"{}"])
    with pytest.raises(BadInput, match=r"none\.json: .*missing_key"):
        mapped(tmp_path, text().replace('"genesis.json"', '"none.json"'))


ODD: list[Any] = [None, True, 0, -1, 1.5, "", "a", "a..b", "/", "@", "*", [], ["a"], [1], {}, {"from": "a"}, {"x": {}}]


@pytest.mark.parametrize("seed", range(40))
def test_any_change_of_a_mapping_is_refused_or_read(seed: int) -> None:
    """Whatever stands anywhere in a mapping, it is refused, or reads or refuses lines; nothing else is raised."""
    chance = random.Random(seed)
    for _ in range(50):
        document = tomllib.loads(text())
        target: Any = document
        while True:
            key = chance.choice(list(target)) if isinstance(target, dict) else chance.randrange(len(target))
            inner = target[key]
            if not isinstance(inner, dict | list) or not inner or chance.random() < 0.2:
                break
            target = inner
        target[key] = chance.choice(ODD)
        mapping = Mapped.__new__(Mapped)
        mapping.name, mapping.text, mapping.stored = "m", "", b""
        with suppress(MappingFault):
            mapping.rules = Reader(document).rules()
            for line in lines():
                with suppress(BadLog):
                    mapping.line(LENIENT(packed(line).decode()), Place(1, 0))


def test_actions_need_events_beside_them() -> None:
    with pytest.raises(BadInput, match="expected a table event beside it"):
        Mapped("m", f'format = "{FORMAT}"\n[actions.deposit]\naccount = "a"\nasset = "b"\namount = "c"\n')


# Fields


def field(raw: Any, form: str = "integer") -> Field:
    return field_of(raw, "$.x", form, {"cents": {"times": 100}})


def got(raw: Any, document: Any, form: str = "integer") -> Any:
    return field(raw, form).get(Scope(document, document))


@pytest.mark.parametrize(
    ("raw", "document", "expected"),
    [
        ("a.b", {"a": {"b": "7"}}, "7"),
        (["a.b", "c"], {"a.b": {"c": "7"}}, "7"),
        ("a.1.b", {"a": [{}, {"b": "7"}]}, "7"),
        ("a", {}, None),
        ("a", {"a": None}, None),
        ({"from": "a", "default": "5"}, {}, "5"),
        ({"value": 3}, {}, "3"),
        ({"from": "a", "times": 100}, {"a": "1.25"}, "125"),
        ({"from": "a", "type": "cents"}, {"a": "-0.01"}, "-1"),
        ({"from": "a", "times": "1/1000"}, {"a": "5000"}, "5"),
        ({"from": "a", "times": "1/1000", "round": "down"}, {"a": "-1"}, "-1"),
        ({"from": "a", "times": "1/1000", "round": "up"}, {"a": "-1"}, "0"),
        ({"from": "a", "times": "1/1000", "round": "up"}, {"a": "1"}, "1"),
        ({"from": "a", "times": {"by": "c", "USD": 100, "ETH": 10}}, {"a": "3", "c": "ETH"}, "30"),
        ({"from": "a"}, {"a": "1e3"}, "1000"),
        ({"from": "a"}, {"a": "+007.0"}, "7"),
        ({"from": "a", "form": "iso8601"}, {"a": "1970-01-02T00:00:01.9+00:00"}, "86401"),
        ({"from": "a", "form": "iso8601"}, {"a": "1970-01-01T01:00:00"}, "3600"),
        ({"from": "a", "form": "iso8601"}, {"a": "1970-01-01T01:00:00+01:00"}, "0"),
    ],
)
def test_integers(raw: Any, document: Any, expected: Any) -> None:
    assert got(raw, document) == expected


@pytest.mark.parametrize(
    ("raw", "document", "expected"),
    [
        ("a", {"a": True}, "true"),
        ({"from": "a", "strip": "u:"}, {"a": "u:ann"}, "ann"),
        ({"from": "a", "strip": "u:", "prefix": "x-"}, {"a": "u:ann"}, "x-ann"),
        ({"from": "a", "values": {"B": "buyer"}}, {"a": "B"}, "buyer"),
        ({"from": "a", "values": {"": "accepted"}, "otherwise": "rejected"}, {"a": "BAD"}, "rejected"),
        ({"from": "a", "split": ":", "part": 2}, {"a": "member:ann"}, "ann"),
        ({"from": "a", "split": ":", "part": 2}, {"a": "bank"}, None),
    ],
)
def test_texts(raw: Any, document: Any, expected: Any) -> None:
    assert got(raw, document, "text") == expected


@pytest.mark.parametrize(
    ("raw", "document"),
    [
        ({"from": "a", "strip": "u:"}, {"a": "ann"}),
        ({"from": "a", "values": {"B": "buyer"}}, {"a": "S"}),
        ({"from": "a"}, {"a": "0.5"}),
        ({"from": "a", "times": {"by": "c", "USD": 100}}, {"a": "3", "c": "ETH"}),
        ({"from": "a", "times": {"by": "c", "USD": 100}}, {"a": "3"}),
        ({"from": "a"}, {"a": "\u0667"}),
    ],
)
def test_values_that_cannot_be_read(raw: Any, document: Any) -> None:
    with pytest.raises(Unmapped):
        got(raw, document)


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**6), st.integers(1, 10**9))
def test_scaling_is_exact(number: Fraction, factor: int) -> None:
    """A decimal number times a factor: exactly, or not at all."""
    digits = f"{'-' if number < 0 else ''}{abs(number.numerator) // number.denominator}.{number.denominator:06}"
    wanted = Fraction(digits) * factor
    for rounding, right in (("down", wanted.__floor__()), ("up", wanted.__ceil__())):
        assert got({"from": "a", "times": factor, "round": rounding}, {"a": digits}) == str(right)
    if wanted.denominator == 1:
        assert got({"from": "a", "times": factor}, {"a": digits}) == str(wanted)


def test_stars_stand_for_every_key_and_item() -> None:
    document = {"a": {"x": {"l": [{"v": 1}, {"v": 2}]}, "y": {"l": []}, "z": 5}}
    found = [(one.keys, one.part) for one in repeated(Scope(document, document), ("a", "*", "l", "*"))]
    assert found == [(("x", "0"), {"v": 1}), (("x", "1"), {"v": 2})]
    assert [one.keys for one in repeated(Scope(document, document), ("a", "*"))] == [("x",), ("y",), ("z",)]


def test_every_figure_has_a_name() -> None:
    """A figure of the observable snapshot that no name leads to could not be mapped."""
    from dataclasses import fields

    from clearspec.formats import ObservableMarket, ObservablePool, ObservablePosition

    named = {place[-1] for place in FIGURES.values()}
    for record in (ObservableMarket, ObservablePosition, ObservablePool):
        assert {item.name for item in fields(record)} - {"custody"} <= named
    assert {place[0] for place in FIGURES.values()} == {"accounts", "feeds", "markets", "pools"}
