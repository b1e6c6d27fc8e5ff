"""``clearspec run`` from end to end, on a small scenario with round numbers.

Alice deposits 120 and buys 10 lots at 100 (initial margin 10 %: 100) of Bob, who deposits 1,000; the insurance fund
gets 50. The index falls by one atom a second (1 % of 100, and never less than one) from 100 at time 10 to 80 at 29.
Alice's equity is then 120 - 10 x 20 = -80: insurance bears 50, Bob, who gains 200 and has nothing left open, 30.
Bob ends with 1,000 + 200 - 30 = 1,170, which is all of custody: 120 + 1,000 + 50.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearspec import events as ev
from clearspec.codec import canonical_bytes, decode, encode, loads, parse
from clearspec.formats import (
    Expectation,
    LogHeader,
    LogLine,
    Measure,
    PricePath,
    PricePoint,
    Scenario,
    ScenarioFormat,
    Step,
    Unit,
    Variant,
    receipt_record,
)
from clearspec.ledger import Kind
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.sandbox import LISTING, POOL, genesis
from clearspec.snapshot import observable, snapshot
from clearspec_command import playing, report, result
from clearspec_command.main import main
from clearspec_command.result import Result

STEPS = (
    Step(0, "fund", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 50), "The fund starts with 50."),
    Step(0, "alice", ev.OpenAccount("alice", "main")),
    Step(0, "alice", ev.Deposit("alice", "USD", 120)),
    Step(0, "bob", ev.OpenAccount("bob", "main")),
    Step(0, "bob", ev.Deposit("bob", "USD", 1000)),
    Step(5, "venue", ev.Trade("BTC-PERP", "alice", "bob", 10, 100, ev.Side.SELLER)),
    Step(6, "venue", ev.Trade("BTC-PERP", "alice", "bob", 10, 100, ev.Side.SELLER), "Too much."),
    Step(100, "anyone", ev.ResolveDefault("alice")),
)
PRICES = (PricePath("BTC", 1, (PricePoint(1, 100), PricePoint(10, 80))),)
PLAIN = Scenario(
    ScenarioFormat.V1, "A small default", "Two traders.", genesis(), STEPS, PRICES, units=(Unit("BTC", 100),)
)


def expected(measure: Measure, subject: str, published: int, **more: Any) -> Expectation:
    return Expectation(f"{subject} {published}", measure, published, 0, "by hand", subject=subject, **more)


USD: dict[str, Any] = {"asset": "USD", "pool": "main"}


BOB = expected(Measure.BALANCE, "bob", 1170, kind=Kind.USER, **USD)
MET = (
    BOB,
    expected(Measure.BALANCE_CHANGE, "", -50, kind=Kind.INSURANCE_FUND, since=7, **USD),
    expected(Measure.REJECTIONS, "insufficient_margin", 1),
    expected(Measure.NET_LIQUIDATION_VALUE, "alice", 0),
)
NO_TEAR_UP = replace(POOL, layers=POOL.layers[:2])
VARIANTS = replace(
    PLAIN,
    variants=(
        Variant("usual", "As it is.", expect=MET),
        Variant("bare", "Funds only: 80 - 50 = 30 stay uncovered.", pools=(NO_TEAR_UP,), expect=(BOB,)),
    ),
)


def stored(folder: Path, scenario: Scenario, name: str = "scenario.json") -> str:
    path = folder / name
    path.write_bytes(canonical_bytes(scenario))
    return str(path)


def result_of(folder: Path, scenario: Scenario, *arguments: str, code: int = 0) -> Result:
    target = folder / "result.json"
    assert main(["run", stored(folder, scenario), "--quiet", "--json", str(target), *arguments]) == code
    found: Result = loads(Result, target.read_bytes())
    return found


def test_the_report_shows_what_matters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "PIPED_WIDTH", 1000)
    assert main(["run", stored(tmp_path, PLAIN)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "A small default" in text
    assert "insufficient_margin [MARG-10] The account is below initial margin after the fill" in text
    assert "bob main 0.00117 USD" in text.replace("; 0 ETH", "")
    for line in ("deficit 0.00008 USD", "insurance_fund 0.00005 USD", "tear_up 0.00003 USD", "uncovered_loss 0.00 USD"):
        assert line in text
    assert "BTC index 1.00 USD" in text
    assert "until" in text
    assert "invariants hold after every event" in text
    assert text.count("post_price") == 0


def test_all_shows_every_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One source posts 100 once and then once a second from 10 to 29: 21 posts."""
    assert main(["run", stored(tmp_path, PLAIN), "--all"]) == 0
    assert capsys.readouterr().out.count("post_price") == 21


def test_the_result_holds_what_the_run_came_to(tmp_path: Path) -> None:
    found = result_of(tmp_path, PLAIN)
    (run,) = found.runs
    assert (found.passed, run.passed, run.variant) == (True, True, None)
    assert run.events == 8 + 21
    assert run.accepted == {
        "open_account": 2, "deposit": 2, "contribute": 1, "post_price": 21, "trade": 1, "resolve_default": 1,
    }  # fmt: skip
    assert run.rejected == {"insufficient_margin": 1}
    (default,) = run.defaults
    assert (default.account, default.pool, default.time, default.deficit) == ("alice", "main", 100, 80)
    assert default.layers == {"insurance_fund": 50, "skin_in_the_game": 0, "tear_up": 30, "gains_haircut": 0}
    assert default.uncovered_loss == 0
    assert run.observable.accounts["bob"].balances == {"USD": 1170, "ETH": 0}
    assert run.observable.pools["main"].custody["USD"] == 1170
    assert run.standings["bob"].margin_equity == 1170
    assert len(run.receipts) == 8
    assert run.invariants.after_every_event
    assert run.invariants.broken == ()


def test_with_all_the_result_holds_every_receipt(tmp_path: Path) -> None:
    assert len(result_of(tmp_path, PLAIN, "--all").runs[0].receipts) == 29


def test_every_key_of_the_result_is_documented(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    main(["run", stored(tmp_path, VARIANTS), "--quiet", "--json", str(target)])
    document = parse(target.read_bytes())
    readme = (Path(result.__file__).parent / "README.md").read_text(encoding="utf-8")
    run = document["runs"][0]
    keys = [*document, *run, *run["defaults"][0], *run["expectations"][0], *run["invariants"], *run["standings"]["bob"]]
    assert [key for key in keys if f"`{key}`" not in readme] == []


def test_all_variants_run_and_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the second variant Bob is not charged: 1,000 + 200 = 1,200, not the published 1,170."""
    found = result_of(tmp_path, VARIANTS, code=1)
    usual, bare = found.runs
    assert (found.passed, usual.passed, bare.passed) == (False, True, False)
    assert [item.met for item in usual.expectations] == [True, True, True, True]
    assert [(item.measured, item.met) for item in bare.expectations] == [(1200, False)]
    assert bare.defaults[0].uncovered_loss == 30
    assert bare.defaults[0].layers == {"insurance_fund": 50, "skin_in_the_game": 0}
    assert capsys.readouterr().err == "bare: 0 of 1 expectation met\n"
    assert main(["run", stored(tmp_path, VARIANTS)]) == 1
    text = capsys.readouterr().out
    assert "All variants" in text
    assert text.count("MISSED") == 2


def test_a_variant_can_be_chosen(tmp_path: Path) -> None:
    assert [run.variant for run in result_of(tmp_path, VARIANTS, "--variant", "usual").runs] == ["usual"]


def test_json_without_a_file_goes_to_standard_output_alone(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["run", stored(tmp_path, PLAIN), "--json"]) == 0
    found: Result = loads(Result, capfdbinary.readouterr().out)
    assert found.title == "A small default"


def test_the_log_replays_to_the_same_receipts(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert main(["run", stored(tmp_path, PLAIN), "--quiet", "--log", str(log)]) == 0
    lines = log.read_bytes().splitlines()
    header: LogHeader = loads(LogHeader, lines[0])
    state = build(header.genesis)
    records: list[LogLine] = [loads(LogLine, line) for line in lines[1:]]
    assert len(records) == 29
    assert all(receipt_record(apply(state, record.event)) == record.receipt for record in records)
    assert [record.observable is None for record in records] == [True] * 28 + [False]
    assert records[-1].observable == observable(state)
    assert all(line == canonical_bytes(record) for line, record in zip(lines[1:], records, strict=True))


def test_the_log_holds_a_full_snapshot_after_every_so_many_events(tmp_path: Path) -> None:
    """29 events with a snapshot after every tenth: the header, then 10 events, a snapshot, 10, a snapshot, 9."""
    log = tmp_path / "log.jsonl"
    scenario = stored(tmp_path, PLAIN)
    assert main(["run", scenario, "--quiet", "--log", str(log), "--snapshot-every", "10"]) == 0
    lines = log.read_bytes().splitlines()
    assert [place for place, line in enumerate(lines) if line.startswith(b'{"snapshot":')] == [11, 22]
    assert len(lines) == 1 + 29 + 2
    header: LogHeader = loads(LogHeader, lines[0])
    state = build(header.genesis)
    for line in lines[1:11]:
        apply(state, loads(LogLine, line).event)
    assert json.loads(lines[11]) == {"snapshot": snapshot(state)}
    assert main(["run", scenario, "--quiet", "--log", str(tmp_path / "plain")]) == 0
    assert [line for line in lines if b'{"snapshot":' not in line] == (tmp_path / "plain").read_bytes().splitlines()


def test_snapshots_stand_in_a_log_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", stored(tmp_path, PLAIN), "--snapshot-every", "10"]) == 2
    assert "--snapshot-every: give --log too" in capsys.readouterr().err


def test_invariants_are_checked_after_every_single_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invariant that fails only while the clock stands at event 3 is seen; with ``--no-check`` it is not."""
    monkeypatch.setattr(playing, "broken", lambda state: ["INV-1"] if state.sequence == 3 else [])
    (run,) = result_of(tmp_path, PLAIN, code=1).runs
    assert [(item.invariant, item.sequence) for item in run.invariants.broken] == [("INV-1", 3)]
    assert result_of(tmp_path, PLAIN, "--no-check").passed


def test_without_checks_a_breach_that_lasts_is_still_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(playing, "broken", lambda state: ["INV-1"] if state.sequence >= 3 else [])
    (run,) = result_of(tmp_path, PLAIN, "--no-check", code=1).runs
    assert [(item.invariant, item.sequence) for item in run.invariants.broken] == [("INV-1", 0)]
    assert not run.invariants.after_every_event
    assert capsys.readouterr().err == "INV-1 does not hold at the end\n"


def test_toml_and_json_are_told_apart_by_content(tmp_path: Path) -> None:
    assert main(["run", stored(tmp_path, PLAIN, "scenario.txt"), "--quiet"]) == 0
    (tmp_path / "toml").write_text('title = "x"\n')
    assert main(["run", str(tmp_path / "toml"), "--quiet"]) == 2


def prices(folder: Path, *lines: str) -> str:
    path = folder / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def posts(found: Result) -> list[tuple[int, int]]:
    """Time and index of every accepted post."""
    receipts = found.runs[0].receipts
    return [(item.time, item.amounts["index"]) for item in receipts if item.action == "post_price"]


def test_own_prices_replace_those_of_a_feed(tmp_path: Path) -> None:
    """The file starts at 2020-03-11, the scenario's prices at 1; unit 100: 1.005 becomes 100 atoms, 0.995 99."""
    name = prices(tmp_path, "time,price", "2020-03-11T00:00:00Z,1.005", "2020-03-11T00:01:00Z,0.995")
    assert posts(result_of(tmp_path, PLAIN, "--all", "--prices", f"BTC={name}")) == [(1, 100), (61, 99)]


def test_a_market_names_its_feed_and_a_unit_overrules_the_scenario(tmp_path: Path) -> None:
    name = prices(tmp_path, "time,price", "0,1", "60,1.01")
    found = result_of(tmp_path, PLAIN, "--all", "--prices", f"BTC-PERP={name}", "--unit", "BTC=200")
    assert posts(found) == [(1, 200), (61, 202)]


def test_the_interval_decides_how_often_a_price_is_posted_again(tmp_path: Path) -> None:
    """From 100 to 97 the index goes one atom a post: with an interval of 10 at 61, 71 and 81, with 0 once."""
    name = prices(tmp_path, "time,price", "0,1", "60,0.97", "600,0.97")
    spec = ["--all", "--prices", f"BTC={name}"]
    slow = posts(result_of(tmp_path, PLAIN, *spec, "--interval", "10"))
    assert slow == [(1, 100), (61, 99), (71, 98), (81, 97), (601, 97)]
    assert posts(result_of(tmp_path, PLAIN, *spec, "--interval", "0")) == [(1, 100), (61, 99), (601, 98)]


def test_the_interval_without_own_prices_is_that_of_the_scenario(tmp_path: Path) -> None:
    assert posts(result_of(tmp_path, PLAIN, "--all", "--interval", "0")) == [(1, 100), (10, 99)]


def test_without_shift_times_stay(tmp_path: Path) -> None:
    name = prices(tmp_path, "time,price", "200,1", "260,1")
    found = result_of(tmp_path, PLAIN, "--all", "--no-shift", "--prices", f"BTC={name}")
    assert [time for time, _ in posts(found)] == [200, 260]


def test_several_files_are_shifted_together(tmp_path: Path) -> None:
    """BTC starts 60 seconds before ETH, and does so after the shift: 1 and 61."""
    btc = prices(tmp_path, "time,price", "1000,1", "1060,1")
    eth = tmp_path / "eth.csv"
    eth.write_text("time,price\n1060,5\n")
    spec = ["--all", "--prices", f"BTC={btc}", "--prices", f"ETH={eth}", "--unit", "ETH=1"]
    assert sorted(posts(result_of(tmp_path, PLAIN, *spec))) == [(1, 100), (61, 5), (61, 100)]


def test_funding_rates_become_book_samples_of_the_market(tmp_path: Path) -> None:
    """A premium of 2 % on an index of 100 is a book around 102; the sample read back is 0.02 x 10^9."""
    name = prices(tmp_path, "time,price,funding_rate", "0,1,", "60,1,0.02")
    found = result_of(tmp_path, PLAIN, "--all", "--prices", f"BTC={name}")
    samples = [item for item in found.runs[0].receipts if item.action == "post_book"]
    assert [(item.time, item.amounts["premium"]) for item in samples] == [(61, 20_000_000)]


def test_bad_input_is_one_line_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = encode(PLAIN)
    document["steps"][3]["action"] = {"open_acount": {}}
    (tmp_path / "bad.json").write_text(json.dumps(document))
    assert main(["run", str(tmp_path / "bad.json")]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"error: {tmp_path}/bad.json: $.steps[3].action.open_acount: unknown_value: expected one of")
    assert line.count("\n") == 1


def refused(folder: Path, capsys: pytest.CaptureFixture[str], scenario: Scenario, *arguments: str) -> str:
    assert main(["run", stored(folder, scenario), "--quiet", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("scenario", "place"),
    [
        (
            replace(PLAIN, prices=(PricePath("XBT", 0, ()),)),
            "$.prices[0].feed: inconsistent: expected one of the feeds",
        ),
        (replace(PLAIN, units=(Unit("BTC", 0),)), "$.units[0].atoms: out_of_range: expected 1 to"),
        (replace(PLAIN, variants=(Variant("a", ""), Variant("a", ""))), "$.variants[1].name: inconsistent"),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(expected(Measure.REJECTIONS, "no_reason", 1),)),)),
            "$.variants[0].expect[0].subject: inconsistent: expected a rejection reason",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(expected(Measure.NET_LIQUIDATION_VALUE, "eve", 1),)),)),
            "$.variants[0].expect[0].subject: unknown_value: expected one of the accounts alice, bob",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(expected(Measure.BALANCE, "bob", 1),)),)),
            "$.variants[0].expect[0].asset: unknown_value: expected one of the assets USD, ETH",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(replace(BOB, pool="side"),)),)),
            "$.variants[0].expect[0].pool: unknown_value: expected one of the pools main",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(replace(BOB, kind=Kind.CLEARING),)),)),
            "$.variants[0].expect[0].subject: unknown_value: expected one of the markets BTC-PERP",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(replace(BOB, kind=Kind.CUSTODY),)),)),
            "$.variants[0].expect[0].subject: unknown_value: expected one of the subjects of a fund, which has none",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", expect=(replace(BOB, since=9),)),)),
            "$.variants[0].expect[0].since: inconsistent: expected a step, 0 to 8",
        ),
        (
            replace(PLAIN, genesis=replace(PLAIN.genesis, pools=())),
            "$.genesis: market BTC-PERP: unknown pool 'main'",
        ),
        (
            replace(PLAIN, variants=(Variant("a", "", markets=(replace(LISTING, feed="XBT"),)),)),
            "$.variants[0]: market BTC-PERP: unknown feed 'XBT'",
        ),
    ],
)
def test_what_a_scenario_refers_to_must_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scenario: Scenario, place: str
) -> None:
    assert place in refused(tmp_path, capsys, scenario)


def test_an_account_whose_opening_was_rejected_is_no_subject(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = (Step(0, "eve", ev.OpenAccount("eve", "nowhere")),)
    wanted = (expected(Measure.NET_LIQUIDATION_VALUE, "eve", 0),)
    scenario = replace(PLAIN, steps=steps, variants=(Variant("a", "", expect=wanted),))
    assert "expected an account, not 'eve'" in refused(tmp_path, capsys, scenario)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "none"], "--variant none: expected one of usual, bare"),
        (["--log", "log"], "choose one of usual, bare with --variant"),
        (["--journal", "journal"], "choose one of usual, bare with --variant"),
        (["--prices", "BTC=absent.csv"], "absent.csv: cannot be read: No such file or directory"),
        (["--prices", "XBT=absent.csv"], "--prices XBT: expected one of the feeds and markets BTC, ETH, BTC-PERP"),
        (["--unit", "BTC=1.5"], "--unit BTC=1.5: expected a whole number"),
        (["--unit", "XBT=1"], "--unit XBT: there is no such feed"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in refused(tmp_path, capsys, VARIANTS, *arguments)


def test_a_bad_price_file_names_line_and_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = prices(tmp_path, "time,price", "0,1", "60,x")
    message = refused(tmp_path, capsys, PLAIN, "--prices", f"BTC={name}")
    assert f"error: {name}: line 3, column price: expected a decimal number" in message
    assert "--unit ETH=ATOMS" in refused(tmp_path, capsys, PLAIN, "--prices", f"ETH={name}")
    assert "BTC is given prices twice" in refused(
        tmp_path,
        capsys,
        PLAIN,
        "--prices",
        f"BTC={prices(tmp_path, 'time,price', '0,1')}",
        "--prices",
        f"BTC-PERP={name}",
    )


def test_prices_that_the_feed_cannot_show_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The feed's cap is 10^9 atoms; a price of 10,000,001 at 100 atoms is above it, one of 10,000,000 is not."""
    name = prices(tmp_path, "time,price", "0,10000000", "60,10000001")
    message = refused(tmp_path, capsys, PLAIN, "--prices", f"BTC={name}")
    assert f"error: {name}: line 3, column price: " in message
    assert "1 to 1000000000 atoms a lot, the max_price of the feed, found '10000001'" in message
    name = prices(tmp_path, "time,price", "0,10000000")
    assert posts(result_of(tmp_path, PLAIN, "--all", "--prices", f"BTC={name}")) == [(1, 10**9)]


def test_prices_before_genesis_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = prices(tmp_path, "time,price", "100,1")
    late = replace(PLAIN, genesis=replace(PLAIN.genesis, time=500), steps=(), prices=())
    assert "starts before the genesis" in refused(tmp_path, capsys, late, "--no-shift", "--prices", f"BTC={name}")


def test_a_toml_error_names_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.toml").write_text('format = "clearspec/scenario/1"\ntitle = = "x"\n')
    assert main(["run", str(tmp_path / "bad.toml")]) == 2
    assert "line 2" in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_made_visible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = replace(PLAIN, title="\x1b[31mred\x07", description="two\nlines \u202e")
    assert main(["run", stored(tmp_path, scenario)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\\x1b[31mred\\x07" in text
    assert "two lines \\u202e" in text


def test_a_scenario_without_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = replace(PLAIN, steps=(), prices=(), genesis=replace(PLAIN.genesis, markets=()))
    assert main(["run", stored(tmp_path, empty)]) == 0
    assert "0 events: 0 accepted, 0 rejected" in capsys.readouterr().out


def test_decoding_the_result_is_strict(tmp_path: Path) -> None:
    """What the other tests read was held against the records: an unknown key would have been refused."""
    document = encode(result_of(tmp_path, PLAIN))
    assert decode(Result, document)
    with pytest.raises(ValueError, match="unknown_key"):
        decode(Result, {**document, "more": "1"})
