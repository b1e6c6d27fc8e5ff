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
from clearspec_command.main import main
from clearspec_conformance.audit.converting import Field, MappingFault, Scope, Target, Unmapped, field_of, repeated
from clearspec_conformance.audit.lines import Census
from clearspec_conformance.audit.mapping import Mapped, line_of, read_mapping
from clearspec_conformance.audit.parsing import LENIENT
from clearspec_conformance.audit.problems import BadLog, Place
from clearspec_conformance.audit.rules import FIGURES, FORMAT, Reader

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

    moved = text().replace("[event]", '[line]\nsnapshot = "dump"\n\n[event]', 1)
    mapping = mapped(tmp_path, moved.replace('"after.*"', '"afters.*"'))
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
    told = {one.key: one.message for one in alone.unfound}
    assert told["$.figures[0].each"] == "nothing stood at afters.* on any of 11 lines"
    for jobs in ("1", "2"):
        words = ["audit", str(path), "--mapping", str(tmp_path / "mapping.toml"), "--json", str(tmp_path / jobs)]
        assert main([*words, "--jobs", jobs]) == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


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


# What is not published, and what is looked for in vain


def test_an_amount_that_does_not_stand_there_is_not_published(tmp_path: Path) -> None:
    """A fill that Harbour rejects, without fees, is called accepted: its verdict is wrong, not the mapping."""
    documents = lines()
    assert (documents[10]["op"], documents[10]["ok"], "fees" in documents[10]) == ("FILL", False, False)
    documents[10]["ok"] = True
    (finding,) = audited(written(tmp_path / "log", documents), read_mapping(MAPPING)).findings
    assert (finding.line, finding.rule, finding.differences[0].path) == (11, "MARG-10", "$.receipt.status")
    assert finding.note == "the reference's subject: ann"


def test_amounts_that_are_not_published_are_counted(tmp_path: Path) -> None:
    """The fills of lines 10, 14, 18 and 27: of one no fee is published, of another only one, and both are compared."""
    documents = lines()
    del documents[9]["fees"]
    del documents[13]["fees"]["taker"]
    report = audited(written(tmp_path / "log", documents), read_mapping(MAPPING), going_on=True)
    assert report.findings[0].differences[0].path == "$.receipt.amounts.maker_fee"
    fields = {one.field: (one.compared, one.not_published) for one in report.fields}
    assert fields["receipt.amounts.trade.taker_fee"] == (2, 2)
    assert fields["receipt.amounts.trade.maker_fee"] == (3, 1)
    assert fields["receipt.amounts"] == (fields["receipt.amounts"][0], report.events - fields["receipt.amounts"][0])
    assert report.unfound == ()


def test_a_price_that_is_not_published_is_not_judged(tmp_path: Path) -> None:
    """Of the amounts of a book only the premium is mapped: its mark, which has a range, is then not known (INV-9).

    The events stand in the log in the forms of the kit; their amounts are mapped all the same.
    """
    from audit_samples import Desk

    from clearspec import events as ev

    desk = Desk()
    desk.price(100)
    desk.box.time = 60
    desk.do("venue", ev.PostBook("BTC-PERP", 100, 100))
    toml = f'format = "{FORMAT}"\n[receipt]\nstatus = "receipt.status"\n'
    toml += '[amounts.post_book]\npremium = "receipt.amounts.premium"\n'
    known = '[amounts.post_price]\nindex = "receipt.amounts.index"\n'
    report = audited(written(tmp_path / "log", desk.lines), Mapped("m", toml + known))
    checks = {check.id: check for check in report.checks}
    assert (report.events, checks["INV-9"].checked) == (2, 1)
    assert checks["INV-9"].not_checked == {"the amounts of prices are not published": 1}


def test_keys_that_never_find_anything_are_named(tmp_path: Path) -> None:
    """Harbour's log has 26 events and 2 heartbeats; 24 of the events are accepted, four of them fills."""
    changed = (
        text()
        .replace('each = "after.*"', 'each = "afters.*"')
        .replace('"fees.taker"', '"fee.taker"')
        .replace('cause = { from = "why", type', 'cause = { from = "wy", default = "", type')
        .replace('field = "op"', 'field = "oops"')
        .replace('"HEARTBEAT"', '"x"')
        .replace("[log]", '[log]\njson = ["rest"]')
        .replace("[event]", '[line]\nsnapshot = "dump"\n\n[event]', 1)
    )
    documents = [document for document in lines() if document["op"] != "HEARTBEAT"]
    mapping = mapped(tmp_path, changed)
    report = audited(written(tmp_path / "log", documents), mapping, going_on=True)
    moves = sum(len(document.get("moves", ())) for document in documents)
    assert [(one.key, one.message) for one in report.unfound] == [
        ("$.log.json[0]", "nothing stood at rest on any of 26 lines"),
        ("$.log.skip[0].field", "nothing stood at oops on any of 26 lines"),
        ("$.line.snapshot", "nothing stood at dump on any of 26 lines"),
        ("$.amounts.trade.taker_fee", "nothing stood at fee.taker on any of 4 lines"),
        ("$.postings.cause", f"nothing stood at wy on any of {moves} parts"),
        ("$.figures[0].each", "nothing stood at afters.* on any of 26 lines"),
    ]
    rows = changed.splitlines()
    assert "taker_fee" in rows[report.unfound[3].line - 1]
    assert "afters" in rows[report.unfound[5].line - 1]
    assert audited(LOG, read_mapping(MAPPING), going_on=True).unfound == ()


def test_a_part_of_a_text_that_never_stands_there_is_named(tmp_path: Path) -> None:
    changed = text().replace('{ from = "index", type = "money" }', '{ from = "index", split = "/", part = 3 }')
    report = audited(written(tmp_path / "log", lines()[:8]), mapped(tmp_path, changed))
    (told,) = [one.message for one in report.unfound if one.key == "$.amounts.post_price.index"]
    assert told == "no part 3 of a text stood at index on any of 1 line"


@pytest.mark.parametrize(
    ("line", "group", "name", "rule"),
    [
        (23, "closed", "qty", "LIQ-3"),
        (23, "closed", "px", "LIQ-7"),
        (23, "closed", "penalty", "LIQ-4"),
        (23, "closed", "reward", "LIQ-5"),
        (23, "closed", "topped", "LIQ-6"),
        (16, "funding", "rate", "FUND-3"),
        (16, "funding", "step", "FUND-4"),
        (18, "fees", "taker", "TRADE-7"),
    ],
)
def test_each_amount_has_its_rule(tmp_path: Path, line: int, group: str, name: str, rule: str) -> None:
    documents = lines()
    value = documents[line - 1][group][name]
    *digits, last = str(value)
    documents[line - 1][group][name] = type(value)("".join([*digits, str((int(last) + 1) % 10)]))
    report = audited(written(tmp_path / "log", documents), read_mapping(MAPPING), going_on=True)
    (finding,) = [one for one in report.findings if one.line == line and one.subject.value == "receipt"]
    assert finding.differences[0].path.startswith("$.receipt.amounts.")
    assert finding.rule == rule


def test_postings_in_another_order(tmp_path: Path) -> None:
    """Bob's fee and the fund's part of it change places: one thing is wrong, and it has a name."""
    documents = lines()[:10]
    moves = documents[9]["moves"]
    assert moves[0] != moves[1]
    moves[0], moves[1] = moves[1], moves[0]
    for cause in ('cause = { from = "why", type = "cause" }\n', ""):
        changed = text().replace('cause = { from = "why", type = "cause" }\n', cause)
        (finding,) = audited(written(tmp_path / "log", documents), mapped(tmp_path, changed)).findings
        assert finding.rule == "EVENT-1"
        assert finding.note == "the same postings in another order (EVENT-1)"


# What does not fit a line


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("args", "amt"), "350.005", "350.005 is no whole number of the kit's units"),
        (("args", "amt"), None, "nothing stands at args.amt"),
        (("args", "amt"), "many", "expected a number, found 'many'"),
        (("args", "amt"), "9" * 10**5, "expected a number"),
        (("args", "amt"), "1e99999", "expected a number"),
        (("args", "amt"), [], "expected a text or a number, found a list"),
        (("args", "amt"), {}, "expected a text or a number, found an object"),
        (("op",), "SWAP", 'is the name of no action; write `[actions.X]` with `name = "SWAP"`'),
        (("op",), "SWAP", "actions of the spec are open_account, deposit, withdraw, transfer,"),
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


def stopped(tmp_path: Path, toml: str, documents: list[Any] | None = None) -> str:
    """What an audit of Harbour's log through a mapping says that ends it."""
    log = written(tmp_path / "log", lines() if documents is None else documents)
    stop = audited(log, mapped(tmp_path, toml)).stop
    assert stop is not None
    return stop.message


def test_a_mapping_without_genesis(tmp_path: Path) -> None:
    for toml in (f'format = "{FORMAT}"\n', text().replace('genesis = "genesis.json"\n', "")):
        message = stopped(tmp_path, toml)
        assert 'mapping.toml names no genesis file: `[log] genesis = "FILE"`' in message


def test_a_mapping_without_events(tmp_path: Path) -> None:
    toml = f'format = "{FORMAT}"\n[log]\ngenesis = "genesis.json"\n'
    told = stopped(tmp_path, toml, [{"type": "BOOT", "ver": 9}])
    assert "mapping.toml has no table event, and the line is none of the kit's (its keys: type, ver)" in told
    assert "map it or name it in `log.skip`" in told
    assert "(it is no object)" in stopped(tmp_path, toml, [[1]])


def test_the_name_of_no_action_is_told_with_its_place(tmp_path: Path) -> None:
    toml = text().replace("FEES_OUT", "X").replace('name = "PRICE"', 'name = "QUOTE"')
    line = toml.splitlines().index('action = "op"') + 1
    told = stopped(tmp_path, toml)
    assert f"'PRICE' (at `op`, {tmp_path}/mapping.toml line {line}) is the name of no action" in told
    assert "settle_position, pay_claim" in told


def test_too_few_parts_of_a_text(tmp_path: Path) -> None:
    toml = text().replace('feed = "args.sym"', 'feed = { from = "args.sym", split = "/", part = 3 }')
    documents = lines()[:1]
    documents[0]["args"]["sym"] = "BTC/USD"
    assert "'BTC/USD' at args.sym has 2 parts, not 3 (" in stopped(tmp_path, toml, documents)
    documents[0]["args"]["sym"] = "BTC"
    assert "'BTC' at args.sym has 1 part, not 3 (" in stopped(tmp_path, toml, documents)


def test_a_list_without_a_star(tmp_path: Path) -> None:
    told = stopped(tmp_path, text().replace('each = "moves.*"', 'each = "moves"'))
    assert "moves is a list: write `moves.*` (" in told
    assert "$.postings.each" in told


def test_an_empty_line(tmp_path: Path) -> None:
    path = written(tmp_path / "log", [packed(lines()[0]), b"\n", packed(lines()[1])])
    stop = audited(path, read_mapping(MAPPING)).stop
    assert stop is not None
    assert (stop.fault.value, stop.line) == ("not_json", 2)
    assert stop.message == "expected one JSON document, found an empty line"


def test_the_message_names_the_line_and_key_of_the_mapping(tmp_path: Path) -> None:
    documents = lines()
    documents[2]["args"]["amt"] = "0.001"
    report = audited(written(tmp_path / "log", documents), read_mapping(MAPPING))
    assert report.stop is not None
    header = text().splitlines().index("[actions.deposit]") + 1
    assert f"mapping.toml: line {header + 4}: $.actions.deposit.amount" in report.stop.message


def test_the_line_of_a_key() -> None:
    toml = "a = 1\n[b.c]\nd = { e = 2 }\n[[f]]\ng = 3\n[[f]]\nh = 4\n"
    paths = ("$.a", "$.b.c", "$.b.c.d", "$.b.c.d.e", "$.b.c.x", "$.f[0].g", "$.f[1].h", "$.f[1].x", "$.z", "$.b")
    assert [line_of(toml, path) for path in paths] == [1, 2, 3, 3, 2, 5, 7, 6, 0, 2]


# What is no mapping


@pytest.mark.parametrize(
    ("before", "after", "anchor", "message"),
    [
        ('format = "clearspec/mapping/1"', 'format = "x"', "format", '$.format: expected "clearspec/mapping/1"'),
        ("[reasons]", "[reason]", "[reason]", "$.reason: expected one of format, log"),
        ("[types.money]", "[type.money]", "[type.money]", "$.type: expected one of format, log"),
        ('false = "rejected" }', 'false = "refused" }', "status", ".false: expected one of accepted, rejected"),
        ('ask = "seller"', 'ask = "asker"', "maker", "$.actions.trade.maker.values.ask: expected one of buyer, seller"),
        ('"insurance_fund" } }', '"buffer" } }', "fund", ".values.insurance: expected one of insurance_fund, skin_in"),
        ('member = "user"', 'member = "users"', "values", "$.types.kind.values.member: expected one of user, custody"),
        ('PNL = "TRADE-1"', 'PNL = "LIQ-44"', "PNL", "$.types.cause.values.PNL: 'LIQ-44' is no rule"),
        ("penalty = {", "penality = {", "penality", "expected one of closed, price, penalty, reward, reward_floor"),
        ("[amounts.trade]", "[amounts.deposit]", "[amounts.deposit]", "a receipt of deposit has no amounts"),
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


def test_a_name_that_is_given_twice(tmp_path: Path) -> None:
    """The later action would win, and every deposit would be taken for a withdrawal."""
    changed = text().replace('name = "CASH_OUT"', 'name = ["CASH_OUT", "CASH_IN"]')
    line = changed.splitlines().index('name = ["CASH_OUT", "CASH_IN"]') + 1
    with pytest.raises(BadInput) as refused:
        mapped(tmp_path, changed)
    told = f"mapping.toml: line {line}: $.actions.withdraw.name: 'CASH_IN' is already the name of deposit"
    assert refused.value.message.endswith(told)


def test_a_mapping_that_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not_toml: Expected"):
        mapped(tmp_path, 'format = "clearspec/mapping/1"\n[event')


def refused_genesis(tmp_path: Path, genesis: str) -> str:
    """What is said of a genesis."""
    written(tmp_path / "none.json", [genesis.encode()])
    with pytest.raises(BadInput) as refused:
        mapped(tmp_path, text().replace('"genesis.json"', '"none.json"'))
    return refused.value.message


def test_a_genesis_that_is_not_there_or_none(tmp_path: Path) -> None:
    line = text().splitlines().index('genesis = "genesis.json"') + 1
    named = f"(named in {tmp_path}/mapping.toml: line {line}: log.genesis)"
    with pytest.raises(BadInput, match=r"other\.json: cannot be read") as refused:
        mapped(tmp_path, text().replace('"genesis.json"', '"other.json"'))
    assert refused.value.message.endswith(named)
    told = refused_genesis(tmp_path, "{}")
    assert "none.json: line 1: $.time: missing_key" in told
    assert told.endswith(named)
    assert "none.json: $: not_json" in refused_genesis(tmp_path, '{"time": ')


def test_a_bare_number_in_a_genesis_is_told_with_its_line(tmp_path: Path) -> None:
    document = json.loads((HARBOUR / "genesis.json").read_text())
    document["pools"][0]["dust"] = 60
    whole = json.dumps(document, indent=1)
    line = next(place for place, row in enumerate(whole.splitlines(), start=1) if row.strip() == '"dust": 60,')
    told = refused_genesis(tmp_path, whole)
    assert f"none.json: line {line}: $.pools[0].dust: expected a whole number in quotes, found 60 (" in told


def test_a_genesis_outside_the_envelope_is_no_fault_of_the_log(tmp_path: Path) -> None:
    document = json.loads((HARBOUR / "genesis.json").read_text())
    document["markets"][0]["parameters"]["margin"]["gap_steps"] = "256"
    told = refused_genesis(tmp_path, json.dumps(document))
    assert "none.json: market BTC-PERP: gap-" in told
    assert "(`clearspec explain gap-" in told


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
    return field_of(raw, "$.x", Target(form), {"cents": {"times": 100}})


def got(raw: Any, document: Any, form: str = "integer") -> Any:
    return field(raw, form).get(Scope(document, document), Census())


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
