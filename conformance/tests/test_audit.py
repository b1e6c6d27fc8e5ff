"""The auditor: what differs from the reference, what breaks by the engine's own numbers, and what was not checked."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit_samples import Desk, audited, market_desk, market_lines, packed, spoiled, written

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.parameters import InterestForm
from clearspec.sandbox import FUNDING, with_market, with_pool
from clearspec_conformance.audit.formats import AuditReport, LogFault, Subject
from clearspec_conformance.audit.reading import Start
from clearspec_conformance.audit.segments import Segment, segments_of
from clearspec_conformance.audit.tallies import CHECKS


def only(report: AuditReport) -> tuple[str, str, str, str]:
    """Rule and first difference of the first finding."""
    first = report.findings[0]
    return first.rule, first.differences[0].path, first.differences[0].expected, first.differences[0].got


def rules(report: AuditReport) -> list[tuple[int, str, str]]:
    return [(one.step, one.subject.value, one.rule) for one in report.findings]


def test_a_right_log_is_clean(tmp_path: Path) -> None:
    report = audited(written(tmp_path / "log", market_lines(3000, 500)))
    assert report.passed
    assert (report.events, report.snapshots, report.lines, report.stop) == (3000, 6, 3007, None)
    assert sum(report.accepted.values()) + sum(report.rejected.values()) == 3000
    assert {"trade", "liquidate", "accrue_funding", "post_price", "withdraw"} <= set(report.accepted)
    assert all(check.checked > 0 and check.at_snapshots == 6 and check.broken == 0 for check in report.checks)


def test_nothing_is_skipped_silently(tmp_path: Path) -> None:
    report = audited(written(tmp_path / "log", market_lines(3000, 500)))
    assert [check.id for check in report.checks] == [check.id for check in CHECKS]
    assert all(check.checked + sum(check.not_checked.values()) == 3000 for check in report.checks)
    fields = {one.field: one for one in report.fields}
    assert all(one.compared + one.not_compared + one.not_published == 3000 for one in report.fields)
    assert (fields["receipt.subject"].not_compared, fields["receipt.postings"].compared) == (3000, 3000)
    assert (fields["observable"].compared, fields["observable"].not_published) == (6, 2994)


def set_in(path: str, value: Any) -> Any:
    """A change of a line: the value at a path."""

    def change(line: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            line = line[int(step)] if isinstance(line, list) else line[step]
        line[int(last) if isinstance(line, list) else last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "rule", "expected"),
    [
        ("receipt.status", "rejected", "TRADE-8", "accepted"),
        ("receipt.reason", "stale_price", "ORCL-8", "null"),
        ("receipt.rule", "TRADE-5", "EVENT-1", "null"),
        ("receipt.id", "e7", "EVENT-1", "e6"),
        ("receipt.sequence", "7", "EVENT-1", "6"),
        ("receipt.time", "1", "EVENT-1", "0"),
        ("receipt.action", "deposit", "EVENT-1", "trade"),
        ("receipt.amounts.taker_fee", "2", "TRADE-7", "1"),
        ("receipt.postings.0.amount", "2", "TRADE-7", "1"),
        ("receipt.postings", [], "TRADE-7", None),
        ("observable.accounts.ann.balances.USD", "9998", "TRADE-7", "9999"),
        ("observable.accounts.ann.positions.BTC-PERP.size", "9", "TRADE-1", "10"),
        ("observable.markets.BTC-PERP.mark", "101", "ORCL-5", "100"),
        ("observable.markets.BTC-PERP.open_interest", "20", "TRADE-3", "10"),
        ("observable.markets.BTC-PERP.funding_index", "1", "FUND-4", "0"),
        ("observable.markets.BTC-PERP.status", "halted", "TRADE-9", "active"),
        ("observable.feeds.BTC", "101", "ORCL-3", "100"),
        ("observable.pools.main.custody.USD", "19999", "LEDG-4", "20000"),
        ("observable.pools.main.fee_treasury", "3", "TRADE-7", "2"),
        ("observable.pools.main.uncovered_loss", "1", "LEDG-5", "0"),
    ],
)
def test_every_published_field_is_compared(
    tmp_path: Path, path: str, value: Any, rule: str, expected: str | None
) -> None:
    """Ann takes 10 lots at 100: fees of 0.1 % of 1,000 for each side, 1 and 1 atoms; the sixth event."""
    desk = market_desk()
    desk.look()
    assert audited(written(tmp_path / "right", desk.lines)).passed
    set_in(path, value)(desk.lines[-1])
    report = audited(written(tmp_path / "wrong", desk.lines))
    assert (report.first_step, report.findings[0].line) == (6, 7)
    assert only(report)[0] == rule
    if expected is not None:
        assert only(report)[1:3] == (f"$.{path.replace('.0.', '[0].')}", expected)


def test_a_finding_shows_where_the_ledger_differs(tmp_path: Path) -> None:
    """Ann's fee of 1 is posted as 4: she has 9,996 instead of 9,999, the treasury 5 instead of 2."""
    desk = market_desk()
    desk.lines[-1]["receipt"]["postings"][0]["amount"] = "4"
    (finding,) = audited(written(tmp_path / "log", desk.lines)).findings
    rows = [(one.path, one.expected, one.got) for one in finding.state]
    assert rows == [
        ("balances.USD.main.fee_treasury", "2", "5"),
        ("balances.USD.main.user.ann", "9999", "9996"),
    ]


def test_a_posting_that_is_missing_or_too_much_stands_alone(tmp_path: Path) -> None:
    """Two postings of fees: 1 atom of Ann's, 1 of Bob's."""
    desk = market_desk()
    postings = desk.lines[-1]["receipt"]["postings"]
    lost = postings.pop(0)
    (one,) = audited(written(tmp_path / "lost", desk.lines)).findings[0].differences
    text = "1 USD of main from user.ann to fee_treasury (TRADE-7)"
    assert (one.path, one.expected, one.got) == ("$.receipt.postings[0]", text, "(absent)")
    postings[:0] = [lost, {**lost, "cause": "FUND-6", "amount": "5"}]
    report = audited(written(tmp_path / "extra", desk.lines))
    text = "5 USD of main from user.ann to fee_treasury (FUND-6)"
    assert only(report) == ("FUND-6", "$.receipt.postings[1]", "(absent)", text)


def test_the_audit_ends_at_the_first_finding(tmp_path: Path) -> None:
    lines = spoiled(market_lines(1000, 250), 300, set_in("receipt.time", "9"))
    lines = spoiled(lines, 700, set_in("receipt.time", "9"))
    path = written(tmp_path / "log", lines)
    assert [(one.step, one.rule) for one in audited(path).findings] == [(300, "EVENT-1")]
    assert audited(path).events == 300
    assert [one.step for one in audited(path, going_on=True).findings] == [300, 700]


# The engine's own numbers, derived by hand


def own(desk: Desk, tmp_path: Path) -> list[tuple[str, str, str]]:
    """Breaches of the engine's own numbers: rule, path, value."""
    report = audited(written(tmp_path / "log", desk.lines), going_on=True)
    rows = [one for one in report.findings if one.subject == Subject.INVARIANT]
    return [(one.rule, part.path.removeprefix("$.own."), part.got) for one in rows for part in one.differences]


def posting(debit: str, credit: str, amount: int, cause: str, asset: str = "USD") -> Any:
    """A posting on the wire; a side is a kind, maybe with an owner."""
    sides = [dict(zip(("kind", "owner"), (*side.split("."), ""), strict=False)) for side in (debit, credit)]
    return {
        "asset": asset,
        "pool": "main",
        "debit": sides[0],
        "credit": sides[1],
        "amount": str(amount),
        "cause": cause,
    }


def with_postings(line: Any, *postings: Any) -> None:
    line["receipt"] |= {"status": "accepted", "reason": None, "rule": None, "postings": list(postings)}


def rejected(line: Any, reason: str, rule: str) -> None:
    parts = {"status": "rejected", "reason": reason, "rule": rule, "postings": [], "accounts": [], "amounts": {}}
    line["receipt"] |= parts


def test_custody_below_nothing(tmp_path: Path) -> None:
    """Ann brings 500; the engine pays out 501."""
    desk = Desk()
    desk.open("ann", 500)
    line = desk.do("ann", ev.Withdraw("ann", "USD", 501), Reason.INSUFFICIENT_CUSTODY)
    with_postings(line, posting("user.ann", "custody", 501, "COLL-5"))
    assert own(desk, tmp_path) == [("INV-2", "balances.USD.main.custody", "1")]


def test_a_fund_below_nothing(tmp_path: Path) -> None:
    """The treasury is empty; the engine pays 7 of it."""
    desk = Desk()
    desk.open("ann", 500)
    line = desk.do("admin", ev.CollectFees("main", 7), Reason.INSUFFICIENT_FUND)
    with_postings(line, posting("fee_treasury", "custody", 7, "COLL-10"))
    assert own(desk, tmp_path) == [("INV-3", "balances.USD.main.fee_treasury", "-7")]


def test_collateral_below_nothing(tmp_path: Path) -> None:
    """Ann has 2 ETH; the engine lets 3 go to Bob."""
    desk = Desk()
    desk.open("ann", 500)
    desk.open("bob", 500)
    desk.do("ann", ev.Deposit("ann", "ETH", 2))
    line = desk.do("ann", ev.Transfer("ann", "bob", "ETH", 3), Reason.INSUFFICIENT_BALANCE)
    with_postings(line, posting("user.ann", "user.bob", 3, "COLL-7", "ETH"))
    assert own(desk, tmp_path) == [("INV-4", "balances.ETH.main.user.ann", "-1")]


def test_a_breach_is_told_once(tmp_path: Path) -> None:
    """Custody is at -1, then at -503, at 97, at -501: the second time it had been well in between."""
    desk = Desk()
    desk.open("ann", 500)
    line = desk.do("ann", ev.Withdraw("ann", "USD", 501), Reason.INSUFFICIENT_CUSTODY)
    with_postings(line, posting("user.ann", "custody", 501, "COLL-5"))
    line = desk.do("ann", ev.Withdraw("ann", "USD", 502), Reason.INSUFFICIENT_CUSTODY)
    with_postings(line, posting("user.ann", "custody", 502, "COLL-5"))
    line = desk.do("ann", ev.Deposit("ann", "USD", 600))
    line = desk.do("ann", ev.Withdraw("ann", "USD", 598))
    assert [(rule, got) for rule, _, got in own(desk, tmp_path)] == [("INV-2", "1"), ("INV-2", "501")]


def funded_desk() -> Desk:
    """Ann is long 10 lots at 3,000; in an hour longs come to owe 0.1 % of that a lot: 3 atoms."""
    hourly = replace(FUNDING, interest=1_000_000, cap=1_000_000, interest_form=InterestForm.ADDED)
    desk = Desk(with_market(funding=hourly))
    desk.price(3_000)
    desk.open("ann", 100_000)
    desk.open("bob", 100_000)
    desk.trade("ann", "bob", 10, 3_000)
    desk.box.time = 3_600
    desk.price(3_000)
    desk.do("anyone", ev.AccrueFunding("BTC-PERP"))
    return desk


def test_funding_that_is_not_collected(tmp_path: Path) -> None:
    """Ann closes and owes 30 by the steps that the engine reported; it posts nothing, though Bob gets his 30."""
    desk = funded_desk()
    line = desk.trade("bob", "ann", 10, 3_000)
    (paid,) = [
        one for one in line["receipt"]["postings"] if one["cause"] == "FUND-6" and one["debit"]["owner"] == "ann"
    ]
    assert paid["amount"] == "30"
    line["receipt"]["postings"].remove(paid)
    assert own(desk, tmp_path) == [("INV-7", "markets.BTC-PERP.clearing", "-30"), ("INV-11", "pools.main.claims", "30")]


def test_a_closed_position_that_keeps_a_cost(tmp_path: Path) -> None:
    """Ann bought 10 at 100 and sells them at 110; the engine posts a gain of 93 instead of 100: 1,000 - 1,100 + 93."""
    desk = market_desk()
    line = desk.trade("bob", "ann", 10, 110)
    gain = next(one for one in line["receipt"]["postings"] if one["credit"]["owner"] == "ann")
    assert (gain["cause"], gain["amount"]) == ("TRADE-1", "100")
    gain["amount"] = "93"
    assert own(desk, tmp_path) == [("TRADE-1", "positions.ann.BTC-PERP.cost", "-7")]


def test_a_settlement_by_its_own_numbers(tmp_path: Path) -> None:
    """A market is delisted at 130: Ann has a claim of 300, Bob pays 300, and the claim is paid in full."""
    desk = market_desk()
    desk.do("admin", ev.Delist("BTC-PERP", 1))
    for time in range(1, 35):
        desk.box.time = time
        desk.price(130)
    desk.box.time = 650
    desk.price(130)
    desk.box.time = 1_300
    desk.do("anyone", ev.FixSettlement("BTC-PERP"))
    won = desk.do("anyone", ev.SettlePosition("ann", "BTC-PERP"))["receipt"]["amounts"]["claim"]
    desk.do("anyone", ev.SettlePosition("bob", "BTC-PERP"))
    paid = desk.do("anyone", ev.PayClaim("ann", "BTC-PERP"))
    assert paid["receipt"]["amounts"] == {"claim": won, "paid": won}
    assert own(desk, tmp_path) == []
    paid["receipt"]["postings"][0]["amount"] = str(int(won) - 1)
    assert [(rule, got) for rule, _, got in own(desk, tmp_path)] == [("INV-7", "1"), ("INV-11", "-1")]


@pytest.mark.parametrize(
    ("path", "value", "breach"),
    [
        ("accounts.ann.positions.BTC-PERP.size", "11", ("INV-5", "markets.BTC-PERP.sizes", "1")),
        ("accounts.ann.positions.BTC-PERP.size", "11", ("INV-6", "markets.BTC-PERP.open_interest", "10")),
        ("accounts.ann.positions.BTC-PERP.size", "11", ("TRADE-1", "positions.ann.BTC-PERP.size", "11")),
        (
            "accounts.ann.positions.BTC-PERP.size",
            str(2**40 + 1),
            ("INV-9", "positions.ann.BTC-PERP.size", str(2**40 + 1)),
        ),
        ("accounts.ann.positions.BTC-PERP.cost", "-5", ("INV-12", "positions.ann.BTC-PERP.cost", "-5")),
        ("accounts.ann.positions.BTC-PERP.cost", "1001", ("INV-7", "pools.main.clearing", "1")),
        ("accounts.ann.positions", {}, ("TRADE-1", "positions.ann.BTC-PERP.size", "0")),
        ("accounts.ann.pool", "other", ("INV-8", "positions.ann.BTC-PERP", "(10, 1000)")),
        ("accounts.ann.balances.ETH", "-1", ("INV-4", "balances.ETH.main.user.ann", "-1")),
        ("markets.BTC-PERP.open_interest", "20", ("INV-6", "markets.BTC-PERP.open_interest", "20")),
        ("markets.BTC-PERP.mark", str(2**36 + 1), ("INV-9", "markets.BTC-PERP.mark", str(2**36 + 1))),
        ("markets.BTC-PERP.funding_index", "1", ("FUND-4", "markets.BTC-PERP.funding_index", "1")),
        ("markets.BTC-PERP.status", "closed", ("INV-10", "markets.BTC-PERP", "10 lots long, clearing 0")),
        ("markets.BTC-PERP.shortfall", "5", ("INV-11", "pools.main.published", "20000")),
        ("feeds.BTC", str(10**9 + 1), ("INV-9", "feeds.BTC", str(10**9 + 1))),
        ("pools.main.custody.USD", "19999", ("INV-11", "pools.main.published", "20000")),
        ("pools.main.custody.USD", "-1", ("INV-2", "balances.USD.main.custody", "1")),
        ("pools.main.fee_treasury", "3", ("LEDG-3", "balances.USD.main.fee_treasury", "3")),
        ("pools.main.insurance_fund", "-4", ("INV-3", "balances.USD.main.insurance_fund", "-4")),
        ("pools.main.uncovered_loss", "-6", ("INV-3", "balances.USD.main.uncovered_loss", "6")),
    ],
)
def test_every_invariant_on_published_figures(
    tmp_path: Path, path: str, value: Any, breach: tuple[str, str, str]
) -> None:
    """Ann +10 and Bob -10 at 100; each paid a fee of 1, so that claims and custody are 20,000."""
    desk = market_desk()
    set_in(path, value)(desk.look())
    assert breach in own(desk, tmp_path)


def test_figures_are_any_part_of_a_snapshot(tmp_path: Path) -> None:
    """A line may publish single figures; a position that is not open is 0 lots."""
    desk = market_desk()
    desk.lines[-1]["figures"] = {
        "accounts": {"ann": {"balances": {"USD": "9999"}, "positions": {"BTC-PERP": {"size": "10"}}}},
        "markets": {"BTC-PERP": {"open_interest": "10"}},
        "pools": {"main": {"fee_treasury": "2", "insurance_fund": None}},
    }
    desk.open("cem", 5)
    desk.lines[-1]["figures"] = {"accounts": {"cem": {"positions": {"BTC-PERP": {"size": "0", "cost": "0"}}}}}
    report = audited(written(tmp_path / "right", desk.lines))
    assert report.passed
    assert {one.field: one.compared for one in report.fields}["figures"] == 2
    desk.lines[6]["figures"]["accounts"]["ann"]["balances"]["USD"] = "9998"
    report = audited(written(tmp_path / "wrong", desk.lines))
    assert only(report) == ("TRADE-7", "$.figures.accounts.ann.balances.USD", "9999", "9998")


def test_figures_of_strangers_differ(tmp_path: Path) -> None:
    desk = market_desk()
    desk.lines[-1]["figures"] = {"accounts": {"zoe": {"balances": {"USD": "5"}}}, "feeds": {"GOLD": "1"}}
    report = audited(written(tmp_path / "log", desk.lines))
    assert rules(report) == [(6, "figures", "EVENT-13"), (6, "invariant", "LEDG-3")]
    assert [(one.path, one.expected) for one in report.findings[0].differences] == [
        ("$.figures.accounts.zoe", "(absent)"),
        ("$.figures.feeds.GOLD", "(absent)"),
    ]


def test_without_postings_little_is_known_and_said_to_be(tmp_path: Path) -> None:
    desk = market_desk()
    for line in desk.lines[1:]:
        line["receipt"] = {"status": line["receipt"]["status"]}
    report = audited(written(tmp_path / "log", desk.lines))
    checks = {check.id: check for check in report.checks}
    assert (checks["INV-2"].checked, checks["INV-2"].not_checked) == (0, {"not all postings are published": 6})
    assert (checks["INV-5"].checked, checks["INV-12"].checked, checks["INV-7"].checked) == (6, 5, 0)
    assert {one.field: one.not_published for one in report.fields}["receipt.postings"] == 6


def test_a_default_leaves_sizes_unknown_until_they_are_published(tmp_path: Path) -> None:
    """Two accounts stand against the one that defaults: how many lots each lost is in no receipt."""
    desk = Desk(with_pool(settlement_cap=10**9))
    desk.price(100)
    for name, cash in (("ann", 120), ("bob", 5_000), ("cem", 5_000)):
        desk.open(name, cash)
    desk.trade("ann", "bob", 6, 100)
    desk.trade("ann", "cem", 4, 100)
    for time in range(1, 40):
        desk.box.time = time
        desk.price(80)
    desk.do("anyone", ev.ResolveDefault("ann"))
    clean = audited(written(tmp_path / "log", desk.lines))
    assert clean.passed
    assert {check.id: sum(check.not_checked.values()) for check in clean.checks}["INV-5"] == 1
    desk.lines[-1]["figures"] = {
        "accounts": {name: {"positions": {"BTC-PERP": {"size": "0", "cost": "0"}}} for name in ("ann", "bob", "cem")}
    }
    again = audited(written(tmp_path / "log", desk.lines))
    assert again.passed
    assert {check.id: sum(check.not_checked.values()) for check in again.checks}["INV-5"] == 0


# Snapshots


def test_a_snapshot_that_differs(tmp_path: Path) -> None:
    """5 atoms go from Ann to Bob in the snapshot alone: it contradicts no invariant, and the engine's own postings."""
    desk = market_desk()
    rows = {tuple(item["key"]): item for item in desk.snap()["objects"] if item["table"] == "balances"}
    rows["USD", "main", "user", "ann"]["record"] = "9994"
    rows["USD", "main", "user", "bob"]["record"] = "10004"
    report = audited(written(tmp_path / "log", desk.lines))
    assert rules(report) == [(6, "snapshot", "LEDG-3"), (6, "invariant", "LEDG-3")]
    assert only(report) == ("LEDG-3", "$.snapshot.balances.USD.main.user.ann", "9999", "9994")


def test_a_snapshot_that_contradicts_itself(tmp_path: Path) -> None:
    """One atom more for Ann: the balances no longer sum to zero, and nothing can begin there."""
    desk = market_desk()
    rows = {tuple(item["key"]): item for item in desk.snap()["objects"] if item["table"] == "balances"}
    rows["USD", "main", "user", "ann"]["record"] = "10000"
    report = audited(written(tmp_path / "log", desk.lines))
    assert rules(report) == [(6, "snapshot", "INV-1")]
    report = audited(written(tmp_path / "log", [desk.lines[-1]]))
    assert report.stop is not None
    assert (report.stop.fault, report.stop.line) == (LogFault.MALFORMED, 1)


def test_the_order_of_objects_and_the_remembered_ids_are_compared(tmp_path: Path) -> None:
    desk = market_desk()
    objects = desk.snap()["objects"]
    objects[-1], objects[-2] = objects[-2], objects[-1]
    report = audited(written(tmp_path / "log", desk.lines))
    assert only(report)[:2] == ("EVENT-12", "$.snapshot.objects")
    desk = market_desk()
    del desk.snap()["recent"][0]
    report = audited(written(tmp_path / "log", desk.lines))
    assert only(report)[:2] == ("EVENT-5", "$.snapshot.recent[0]")


def test_a_log_may_begin_with_a_snapshot(tmp_path: Path) -> None:
    desk = market_desk()
    desk.snap()
    desk.trade("bob", "ann", 3, 101)
    report = audited(written(tmp_path / "log", desk.lines[-2:]))
    assert (report.passed, report.events, report.snapshots) == (True, 1, 0)


# Going on


def test_one_fault_does_not_hide_the_rest(tmp_path: Path) -> None:
    """The engine lets Ann withdraw more than she may, then loses a posting; in between and after it agrees."""
    desk = market_desk()
    line = desk.do("ann", ev.Withdraw("ann", "USD", 9_950), Reason.BELOW_INITIAL_MARGIN)
    with_postings(line, posting("user.ann", "custody", 9_950, "COLL-5"))
    desk.price(100)
    line = desk.do("bob", ev.Deposit("bob", "USD", 70))
    line["receipt"]["postings"] = []
    desk.price(100)
    report = audited(written(tmp_path / "log", desk.lines), going_on=True)
    assert rules(report) == [(7, "receipt", "COLL-5"), (9, "receipt", "COLL-3")]
    assert [one.follows for one in report.findings] == [False, True]
    # Ann has 9,999 - 9,950 = 49 by the engine's word: 50 more is too much for it as well.
    line = desk.do("ann", ev.Withdraw("ann", "USD", 50))
    rejected(line, "negative_balance_limit", "COLL-5")
    report = audited(written(tmp_path / "log", desk.lines), going_on=True)
    assert len(report.findings) == 2


def test_going_on_after_a_rejection_that_should_not_be(tmp_path: Path) -> None:
    """The engine rejects Bob's deposit: by its word he has none of it, and the id is free."""
    desk = market_desk()
    state = desk.box.state
    line = desk.do("bob", ev.Deposit("bob", "USD", 70))
    rejected(line, "unauthorised", "EVENT-4")
    desk.lines[-1]["figures"] = {"accounts": {"bob": {"balances": {"USD": "9999"}}}}
    assert state.balances["USD", "main", "user", "bob"] == 10_069
    report = audited(written(tmp_path / "log", desk.lines), going_on=True)
    assert rules(report) == [(7, "receipt", "EVENT-4")]


def test_a_snapshot_puts_everything_in_order_again(tmp_path: Path) -> None:
    lines = spoiled(market_lines(1500, 250), 400, set_in("receipt.amounts", {"nonsense": "1"}))
    lines = spoiled(lines, 900, set_in("receipt.amounts", {"nonsense": "1"}))
    report = audited(written(tmp_path / "log", lines), going_on=True)
    assert [(one.step, one.follows) for one in report.findings] == [(400, False), (900, False)]


# Segments


def report_bytes(report: AuditReport) -> bytes:
    from clearspec_conformance.audit.reports import report_text

    return report_text(report)


def spoil_nothing(lines: list[bytes]) -> list[bytes]:
    return lines


def spoil_receipts(lines: list[bytes]) -> list[bytes]:
    for step in (90, 901, 1490):
        lines = spoiled(lines, step, set_in("receipt.time", "9"))
    return lines


def spoil_snapshot(lines: list[bytes]) -> list[bytes]:
    """The third snapshot cannot be restored, the fifth differs."""
    places = [place for place, line in enumerate(lines) if line.startswith(b'{"snapshot"')]
    broken, other = json.loads(lines[places[2]]), json.loads(lines[places[4]])
    row = next(item for item in broken["snapshot"]["objects"] if item["table"] == "balances")
    row["record"] = str(int(row["record"]) + 1)
    del other["snapshot"]["recent"][3]
    lines[places[2]], lines[places[4]] = packed(broken), packed(other)
    return lines


def spoil_end(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-200], lines[-200][:30], b"\n", *lines[-199:]]


@pytest.mark.parametrize("going_on", [False, True])
@pytest.mark.parametrize("spoil", [spoil_nothing, spoil_receipts, spoil_snapshot, spoil_end])
@pytest.mark.parametrize("pieces", [2, 5, 100])
def test_segments_side_by_side_give_the_same_report(tmp_path: Path, spoil: Any, pieces: int, going_on: bool) -> None:
    path = written(tmp_path / "log", spoil(list(market_lines(1500, 250))))
    alone = audited(path, going_on=going_on)
    with ThreadPoolExecutor(2) as pool:
        together = audited(path, going_on=going_on, executor=pool, pieces=pieces)
    assert report_bytes(together) == report_bytes(alone)
    assert alone.passed == (spoil is spoil_nothing)
    if going_on:
        assert {spoil_receipts: 3, spoil_snapshot: 2}.get(spoil, 0) <= len(alone.findings)


def test_segments_begin_at_snapshots_and_cover_the_log() -> None:
    starts = [Start(line, 100 * line) for line in (10, 20, 30, 40)]
    assert segments_of(starts, 2) == [Segment(Start(), False, 21), Segment(starts[1], True, 0)]
    assert segments_of([], 4) == [Segment()]
    lasts = [segment.last for segment in segments_of(starts, 50)]
    assert lasts == [11, 21, 31, 41, 0]


# Events that do not decode


def test_a_malformed_event_that_was_rejected_as_such_is_well(tmp_path: Path) -> None:
    desk = market_desk()
    bad = {"id": "x", "sequence": "9", "time": "0", "actor": "ann", "action": {"deposit": {"account": "ann"}}}
    receipt = {"status": "rejected", "reason": "malformed", "subject": "$.action.deposit.asset"}
    desk.lines.append({"event": bad, "receipt": receipt})
    report = audited(written(tmp_path / "log", desk.lines))
    assert (report.passed, report.rejected) == (True, {"malformed": 1})
    desk.lines[-1]["receipt"] = {"status": "accepted"}
    stop = audited(written(tmp_path / "log", desk.lines)).stop
    assert stop is not None
    assert (stop.fault, stop.line) == (LogFault.MALFORMED, 8)
    assert stop.message.startswith("$.event.action.deposit.asset: missing_key")


def test_one_posting_per_pool_is_a_posting(tmp_path: Path) -> None:
    """A pool that the genesis does not know, in postings that the engine made up, is judged and no fault."""
    desk = market_desk()
    stranger = {**posting("custody", "user.ann", 5, "COLL-3"), "pool": "nowhere"}
    desk.lines[-1]["receipt"]["postings"].append(stranger)
    report = audited(written(tmp_path / "log", desk.lines))
    assert only(report)[:2] == ("COLL-3", "$.receipt.postings[2]")
