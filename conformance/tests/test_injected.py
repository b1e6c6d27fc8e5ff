"""Engines with a fault: right until it fires, wrong exactly there, and the reference beside them right throughout."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.codec import encode
from clearspec.events import Event, Reason
from clearspec.formats import LogHeader, LogLine, receipt_record
from clearspec.invariants import broken
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.sandbox import PERCENT, Sandbox
from clearspec.snapshot import observable, snapshot
from clearspec.state import State
from clearspec_conformance.injected import KINDS, Checkpoint, Faulty, Record, base_log, engine, faulty_log, subjects
from clearspec_conformance.injected.twin import MODULES, Twin, forked
from clearspec_conformance.serve import made
from clearspec_conformance.situations import fallen, pool_of, world
from clearspec_conformance.vectors import Recorder

EVENTS = 6_000


@pytest.fixture(scope="module")
def log() -> list[Record]:
    """A right log of which the first events open accounts."""
    return list(base_log(EVENTS, seed=11, every=500))


def lines_of(log: list[Record]) -> list[LogLine]:
    return [record for record in log if isinstance(record, LogLine)]


def wrong_lines(right: list[LogLine], wrong: list[LogLine], first: int = 1) -> list[int]:
    """Numbers of the lines whose receipts differ."""
    pairs = zip(right[first - 1 :], wrong, strict=True)
    return [number for number, (one, other) in enumerate(pairs, first) if one.receipt != other.receipt]


def test_ten_kinds_break_rules_that_exist() -> None:
    from clearspec.rules import IMPLEMENTED

    assert len(KINDS) == 10
    assert all(kind.rules and set(kind.rules) <= set(IMPLEMENTED) for kind in KINDS.values())
    assert all((kind.plant is None) != (kind.act is None) for kind in KINDS.values())
    assert {name for name in vars(subjects) if name in KINDS} == set(KINDS)


# Each kind once, by hand


def last_receipt(kind: str, play: Any, genesis: ev.Genesis) -> tuple[Any, Any, Faulty]:
    """The last receipt of a sequence as it must be and as the faulty engine gives it; all others must agree."""
    box = Recorder(genesis)
    play(box)
    faulty = Faulty(KINDS[kind], build(genesis))
    for step in box.steps[:-1]:
        assert receipt_record(faulty.apply(step.event)) == step.receipt
    assert faulty.fired_at is None
    wrong = receipt_record(faulty.apply(box.steps[-1].event))
    assert faulty.fired_at == len(box.steps)
    return box.steps[-1].receipt, wrong, faulty


def test_wrong_rounding() -> None:
    """The band of 1 % around 150 is 1 atom (1.5 rounded down); rounded up it is 2."""

    def play(box: Recorder) -> None:
        box.price(150)
        box.time = 1
        box.price(170)

    right, wrong, _ = last_receipt("wrong_rounding", play, sb.genesis())
    assert (right.amounts["index"], wrong.amounts["index"]) == (151, 152)


def test_lost_posting() -> None:
    def play(box: Recorder) -> None:
        box.do("x", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 700))

    right, wrong, faulty = last_receipt("lost_posting", play, sb.genesis())
    assert [posting.amount for posting in right.postings] == [700]
    assert wrong.postings == ()
    assert wrong.reason is None
    assert observable(faulty.state).pools["main"].insurance_fund == 0


def test_stale_price() -> None:
    """A price is fresh for 600 seconds."""

    def play(box: Recorder) -> None:
        box.price(100)
        box.time = 590
        box.do("venue", ev.PostBook("BTC-PERP", 100, 101))
        box.time = 601
        box.do("venue", ev.PostBook("BTC-PERP", 100, 101), Reason.STALE_PRICE)

    _, wrong, _ = last_receipt("stale_price", play, sb.genesis())
    assert wrong.reason is None


def test_skipped_margin() -> None:
    """Initial margin of 10 lots at 1000 is 1000; the account holds 999."""

    def play(box: Recorder) -> None:
        box.price(1000)
        box.open("a", 999)
        box.open("b", 1000)
        box.trade("a", "b", 10, 1000, expect=Reason.INSUFFICIENT_MARGIN)

    _, wrong, faulty = last_receipt("skipped_margin", play, sb.genesis())
    assert wrong.reason is None
    assert observable(faulty.state).accounts["a"].positions["BTC-PERP"].size == 10


def test_swapped_events() -> None:
    """The deposit meets no account: it took effect before the event that opens it."""

    def play(box: Recorder) -> None:
        box.open("a", 5)

    _, wrong, faulty = last_receipt("swapped_events", play, sb.genesis())
    assert (wrong.reason, wrong.id, wrong.sequence) == (Reason.UNKNOWN_ACCOUNT, "e2", 2)
    assert observable(faulty.state).accounts["a"].balances["USD"] == 0


def test_applied_duplicate() -> None:
    def play(box: Recorder) -> None:
        box.open("a", 5)
        box.send(box.steps[-1].event, Reason.DUPLICATE_EVENT)

    _, wrong, faulty = last_receipt("applied_duplicate", play, sb.genesis())
    assert wrong.reason is None
    assert observable(faulty.state).accounts["a"].balances["USD"] == 10
    assert faulty.state.sequence == 2
    assert list(faulty.state.recent) == ["e1", "e2"]


def test_dropped_remainder() -> None:
    """Interest of 1 % an hour on an index of 150 is 1.5 atoms a lot: 1, then 2 with the half that was carried."""
    funding = replace(sb.FUNDING, interest=PERCENT, damper=PERCENT, cap=PERCENT)
    wide = replace(sb.MARGIN, tiers=(replace(sb.MARGIN.tiers[0], initial=20 * PERCENT, maintenance=10 * PERCENT),))
    changed = replace(sb.LISTING, parameters=replace(sb.MARKET, funding=funding, margin=wide))

    def play(box: Recorder) -> None:
        for hour in (1, 2):
            box.price(150, time=hour * 3600)
            box.do("z", ev.AccrueFunding("BTC-PERP"))

    right, wrong, _ = last_receipt("dropped_remainder", play, sb.genesis(markets=(changed,)))
    assert (right.amounts["index_step"], wrong.amounts["index_step"]) == (2, 1)


def test_large_liquidation() -> None:
    """Equity of 750 lacks 26 of 776; (26 + 2) / (8 % - 1 %) is a notional of 400, so 1 lot at 970 restores it."""

    def play(box: Recorder) -> None:
        fallen(box, 970, 1050)
        box.do("k", ev.Liquidate("x", "k", "BTC-PERP", 10))

    right, wrong, faulty = last_receipt("large_liquidation", play, world())
    assert right.amounts["closed"] == 1
    assert wrong.amounts["closed"] in (2, 10)
    assert broken(faulty.state) == []


def test_late_insurance() -> None:
    """The fund pays nothing with the default, and all of it with the next event that is accepted."""

    def play(box: Recorder) -> None:
        fallen(box, 890)
        box.do("s", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 500))
        box.do("z", ev.ResolveDefault("x"))

    right, wrong, faulty = last_receipt("late_insurance", play, world(pool=pool_of(layers=sb.LAYERS)))
    paid = [posting for posting in right.postings if posting.cause == "FALL-5"]
    assert [posting.amount for posting in paid] == [100]
    assert wrong.postings == tuple(posting for posting in right.postings if posting.cause != "FALL-5")
    time, sequence = faulty.state.time, faulty.state.sequence
    refused = faulty.apply(Event("n1", sequence + 1, time, "z", ev.Deposit("nobody", "USD", 1)))
    assert (refused.reason, refused.postings) == (Reason.UNKNOWN_ACCOUNT, ())
    later = faulty.apply(Event("n2", sequence + 2, time, "s1", ev.PostPrice("BTC", 890, 0)))
    assert receipt_record(later).postings == tuple(paid)
    assert broken(faulty.state) == []


def test_backward_clock() -> None:
    def play(box: Recorder) -> None:
        box.time = 9
        box.open("a", 5)
        box.time = 8
        box.do("a", ev.Deposit("a", "USD", 5), Reason.TIME_DECREASING)

    _, wrong, faulty = last_receipt("backward_clock", play, sb.genesis())
    assert wrong.reason is None
    assert observable(faulty.state).time == 8


# In a long log


def test_the_log_is_right_and_everything_happens_in_it(log: list[Record]) -> None:
    header = log[0]
    assert isinstance(header, LogHeader)
    state, outcomes = build(header.genesis), Counter[str]()
    for number, record in enumerate(lines_of(log), start=1):
        assert receipt_record(apply(state, record.event)) == record.receipt
        assert (record.observable is not None) == (number % 500 == 0)
        outcomes[f"{record.receipt.action} {record.receipt.reason or 'accepted'}"] += 1
        if number % 500 == 0:
            assert broken(state) == []
    checkpoints = [record for record in log if isinstance(record, Checkpoint)]
    assert [checkpoint.step for checkpoint in checkpoints] == list(range(500, EVENTS + 1, 500))
    assert checkpoints[-1].document == snapshot(state)
    wanted = ("liquidate accepted", "resolve_default accepted", "accrue_funding accepted", "pay_claim accepted",
              "convert accepted", "trade stale_price", "trade insufficient_margin", "deposit time_decreasing",
              "post_price duplicate_event")  # fmt: skip
    assert [name for name in wanted if outcomes[name] < 3] == []


def test_the_same_seed_gives_the_same_log() -> None:
    assert list(base_log(300, seed=4)) == list(base_log(300, seed=4))
    assert list(base_log(300, seed=4)) != list(base_log(300, seed=5))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_fires_once_where_it_shows(kind: str, log: list[Record]) -> None:
    """Up to ``fired_at`` the log is right; resumed from the snapshot before it, the fault is the same."""
    wrong = faulty_log(kind, log, 2_600, seed=3)
    records = list(wrong)
    found = wrong_lines(lines_of(log), lines_of(records))
    assert found[0] == wrong.fired_at
    assert 2_600 <= found[0] < EVENTS
    assert [type(record) for record in records] == [type(record) for record in log]
    start = next(record for record in log if isinstance(record, Checkpoint) and record.step == 2_500)
    again = faulty_log(kind, log[log.index(start) + 1 :], 2_600, seed=3, start=start)
    assert lines_of(list(again)) == lines_of(records)[2_500:]
    assert again.fired_at == wrong.fired_at


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_step_the_fault_fires_wherever_it_can(kind: str, log: list[Record]) -> None:
    header = log[0]
    assert isinstance(header, LogHeader)
    faulty, fired = Faulty(KINDS[kind], build(header.genesis)), 0
    for record in lines_of(log)[:1_500]:
        before = forked(faulty.state)
        fired += receipt_record(apply(before, record.event)) != receipt_record(faulty.apply(record.event))
    assert fired > 1


def test_a_log_needs_a_beginning(log: list[Record]) -> None:
    with pytest.raises(ValueError, match="begins with its header"):
        list(faulty_log("lost_posting", log[1:], 5))
    with pytest.raises(KeyError):
        faulty_log("no_such_kind", log, 5)


# The reference beside them


def tables(state: State) -> Any:
    return [dict(table) for table in state.tables], list(state.created), state.time, state.sequence


def test_a_twin_is_the_reference(log: list[Record]) -> None:
    header = log[0]
    assert isinstance(header, LogHeader)
    twin, one, other = Twin(), build(header.genesis), build(header.genesis)
    for record in lines_of(log)[:2_000]:
        assert twin.apply(one, record.event) == apply(other, record.event)
    assert tables(one) == tables(other)


def test_a_twin_shares_no_function_with_the_reference() -> None:
    twin = Twin()
    own = {id(copy) for copy, _ in twin.originals}
    originals = {id(original) for _, original in twin.originals}
    for name in MODULES:
        for value in twin.spaces[name].values():
            parts = value.values() if isinstance(value, dict) else [value]
            assert not originals & {id(part) for part in parts}, name
    assert len(own) == len(originals) > 200


def test_the_reference_stays_right_while_faults_act(log: list[Record]) -> None:
    """Ten faulty engines run in threads of their own while the reference replays the same log."""
    header, lines = log[0], lines_of(log)[:800]
    assert isinstance(header, LogHeader)
    machines = [Faulty(kind, build(header.genesis)) for kind in KINDS.values()]

    def run(machine: Faulty) -> None:
        for record in lines:
            machine.apply(record.event)

    threads = [threading.Thread(target=run, args=(machine,)) for machine in machines]
    for thread in threads:
        thread.start()
    state = build(header.genesis)
    right = [receipt_record(apply(state, record.event)) == record.receipt for record in lines]
    for thread in threads:
        thread.join()
    assert all(right)
    assert sum(machine.fired_at is not None for machine in machines) >= 8


# Behind the protocol


def requests(events: list[Event]) -> Iterator[dict[str, Any]]:
    yield {"id": "1", "hello": {"protocol": "clearspec/protocol/1"}}
    yield {"id": "2", "load": {"genesis": encode(sb.genesis())}}
    yield {"id": "3", "apply": {"events": [encode(event) for event in events]}}
    yield {"id": "4", "snapshot": {"root": False}}
    yield {"id": "5", "bye": {}}


def sample() -> list[Event]:
    deposits = [ev.Deposit("a", "USD", amount) for amount in (5, 6, 7, 8)]
    actions = [ev.OpenAccount("a", "main"), *deposits]
    return [Event(f"e{number}", number, 0, "a", action) for number, action in enumerate(actions, start=1)]


def test_an_engine_speaks_the_protocol_in_process_and_over_stdio() -> None:
    """The fault is due at event 4; every deposit is an opportunity, so it fires there and nowhere else."""
    subject = engine("lost_posting", at=4)
    answers = [subject.handle(request) for request in requests(sample())]
    amounts = [[part["amount"] for part in receipt["postings"]] for receipt in answers[2]["apply"]["receipts"]]
    assert amounts == [[], ["5"], ["6"], [], ["8"]]
    assert answers[3]["snapshot"]["observable"]["accounts"]["a"]["balances"]["USD"] == "19"
    assert answers[0]["hello"]["name"] == "reference, lost_posting"
    assert subject.fired_at == 4
    command = [sys.executable, "-m", "clearspec_conformance.injected", "lost_posting", "--at", "4"]
    text = "".join(json.dumps(request) + "\n" for request in requests(sample()))
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)
    assert [json.loads(line) for line in ended.stdout.splitlines()] == json.loads(json.dumps(answers))


def test_loading_puts_an_engine_in_order() -> None:
    subject = made("clearspec_conformance.injected.subjects:lost_posting")
    first = [subject.handle(request) for request in requests(sample())]
    assert [subject.handle(request) for request in requests(sample())] == first


def test_what_does_not_decode_counts_as_an_event() -> None:
    subject = engine("lost_posting", at=2)
    one, two, *_ = requests(sample())
    subject.handle(one)
    subject.handle(two)
    first, second = (encode(event) for event in sample()[:2])
    answer = subject.handle({"id": "3", "apply": {"events": [first, {"no": "event"}, second]}})
    assert [receipt["reason"] for receipt in answer["apply"]["receipts"]] == [None, "malformed", None]
    assert subject.fired_at == 3


def test_an_unknown_kind_is_refused() -> None:
    command = [sys.executable, "-m", "clearspec_conformance.injected", "no_such_kind"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "lost_posting" in ended.stderr
    with pytest.raises(KeyError):
        engine("no_such_kind")


def test_sandbox_is_untouched() -> None:
    """What a fault wraps is the twin's: a sandbox made after all the above still keeps its invariants."""
    box = Sandbox()
    box.open("a", 5)
    assert box.cash("a") == 5
