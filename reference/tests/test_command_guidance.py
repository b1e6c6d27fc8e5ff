"""What the command says to somebody who begins: places in TOML, warnings, rules behind refusals, the own history."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from clearspec.codec import DecodeError, Fault
from clearspec.consistency import genesis_of, oddities
from clearspec.events import ROLES
from clearspec.formats import (
    Expectation,
    Fact,
    Keepers,
    Measure,
    PremiumPath,
    PremiumPoint,
    PricePath,
    PricePoint,
    Scenario,
    Step,
    Variant,
)
from clearspec.listing import build
from clearspec.parameters import ENVELOPE
from clearspec.scenario import load, spec_folder
from clearspec_command.display import Display
from clearspec_command.explain import explain, sections
from clearspec_command.inputs import read_scenario
from clearspec_command.main import main
from clearspec_command.places import line_of

FOLDER = Path(__file__).resolve().parents[2] / "conformance" / "scenarios"
FIRST = (FOLDER / "first-default.toml").read_text(encoding="utf-8")

TEXT = """title = "t"

[genesis]
time = 0

[[genesis.markets]]
market = "A"
points = [
  { time = 1 },
]

[[genesis.markets]]
market = "B"

[[steps]]
time = 1

[[steps]]
  actor = "x"
"""
"""Its lines: 1 title, 3 genesis, 4 time, 6 and 12 markets, 7 and 13 their ids, 8 points, 15 and 18 steps."""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$.title", 1),
        ("$.format", 0),
        ("$", 0),
        ("$.genesis", 3),
        ("$.genesis.time", 4),
        ("$.genesis.market", 3),
        ("$.genesis.markets[0].market", 7),
        ("$.genesis.markets[1].market", 13),
        ("$.genesis.markets[1].points", 12),
        ("$.genesis.markets[0].points[0].time", 8),
        ("$.genesis.markets[2].market", 3),
        ("$.steps[0].time", 16),
        ("$.steps[1].time", 18),
        ("$.steps[1].actor", 19),
        ("$.steps[2].actor", 0),
    ],
)
def test_a_place_has_the_line_of_its_deepest_header_or_key(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line


def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, *arguments: str, code: int = 2) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["run", str(path), "--quiet", *arguments]) == code
    return capsys.readouterr().err.replace(str(path), "mine.toml")


def changed(before: str, after: str) -> str:
    assert FIRST.count(before) == 1
    return FIRST.replace(before, after)


def test_an_error_in_toml_names_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last of the ten steps stands at time 2400, the one before it at 21."""
    text = changed("time = 2400", "time = 20")
    line = text[: text.index('time = 20\nactor = "bob"')].count("\n") + 1
    expected = f"error: mine.toml: line {line}: $.steps[9].time: inconsistent: expected a time not before 21\n"
    assert said(tmp_path, capsys, text) == expected


def test_a_text_that_is_no_toml_is_called_so() -> None:
    with pytest.raises(DecodeError, match=r"at line 1, column") as error:
        load("[keepers\n", toml=True)
    assert error.value.fault == Fault.NOT_TOML


@pytest.mark.parametrize("number", ["20.5", "1e3", "2024-01-01", "nan"])
def test_a_number_that_is_not_whole_is_called_so(number: str) -> None:
    with pytest.raises(DecodeError, match="expected a whole number") as error:
        load(changed("amount = 20_000_000", f"amount = {number}"), toml=True)
    assert error.value.path == "$.steps[0].action.contribute.amount"


def test_a_variant_of_a_scenario_that_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = said(tmp_path, capsys, FIRST, "--variant", "nope")
    assert message == "error: --variant nope: the scenario has no variants\n"


def test_an_account_that_no_step_opens_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = changed('account = "keeper"\nfunding', 'account = "keepr"\nfunding')
    text = text.replace('withdraw = { account = "bob"', 'withdraw = { account = "bobb"')
    assert said(tmp_path, capsys, text, "--no-check", code=0) == (
        "warning: $.keepers.account: no step opens the account keepr\n"
        "warning: $.steps[9].action.withdraw.account: no step opens the account bobb\n"
    )


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_the_scenarios_of_the_repository_are_not_warned_of(path: Path) -> None:
    assert list(oddities(read_scenario(str(path)))) == []


def test_the_envelope_names_are_those_of_the_spec() -> None:
    """Every name that begins a row of the chapter, under the rule in whose section it stands; one stands in prose."""
    chapter = sections((spec_folder() / "parameters.md").read_text(encoding="utf-8"))
    rows = {
        name: rule
        for rule, (_, body) in chapter.items()
        for name in re.findall(r"^\| `([a-z]+(?:-[a-z]+)+)(?: X)?` \|", body, re.MULTILINE)
    }
    assert rows | {"settlement-window-fixed": "PARM-13"} == ENVELOPE
    assert "`settlement-window-fixed`" in chapter["PARM-13"][1]


def test_a_refused_envelope_names_its_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = '{ preset = "perpetual-major" }'
    text = changed(preset, '{ preset = "perpetual-major", margin = { gap_steps = 40 } }')
    message = said(tmp_path, capsys, text)
    assert message.startswith("error: mine.toml: $.genesis: market BTC-PERP: gap-up needs ")
    assert message.endswith("(PARM-8; clearspec explain PARM-8)\n")


@pytest.mark.parametrize("name", ["gap-up", "GAP-UP", "haircut-covers-gap GOLD", "tiers-ascend"])
def test_an_inequality_is_explained_by_its_rule(name: str) -> None:
    rules = {"gap-up": "PARM-8", "haircut-covers-gap": "PARM-12", "tiers-ascend": "PARM-7"}
    found = explain(name)
    assert (found.kind, found.rule) == ("inequality", rules[name.lower().partition(" ")[0]])


def test_a_reason_names_the_other_rules_that_give_it() -> None:
    """The balance limit stands behind withdrawals (COLL-5), fills (TRADE-10) and liquidators (LIQ-7)."""
    found = explain("negative_balance_limit")
    assert found.rule == "COLL-5"
    assert {"TRADE-10", "LIQ-7"} <= set(found.also)
    assert found.rule not in found.also
    assert explain("no_claim").also == []


def test_a_price_of_a_feed_without_a_market_is_in_the_asset_of_the_only_pool() -> None:
    """9,503,500 atoms of an asset of six decimals are 9.5035; with two assets nobody knows which is meant."""
    one = Display({"USDC": 6}, {}, {"main": "USDC", "second": "USDC"}, {})
    assert one.feed_price(9_503_500, "JELLY") == "9.5035 USDC a lot"
    two = Display({"USDC": 6, "EUR": 2}, {}, {"main": "USDC", "second": "EUR"}, {})
    assert two.feed_price(9_503_500, "JELLY") == "9,503,500 atoms a lot"


def own_history(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    """The run of docs/own-history.md."""
    scenario, prices = FOLDER / "own-history.toml", FOLDER / "own-history.csv"
    assert main(["run", str(scenario), "--prices", f"BTC={prices}", "--no-check", "--json", "--all", *arguments]) == 0
    shown = capsys.readouterr()
    return json.loads(shown.out)["runs"][0], shown.err


def test_the_shipped_scenario_fits_the_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is rejected. Row 0 is at second 0, so the rates of minutes 60 and 120 at 3,600 and 7,200.

    The rates are 0.0001 and -0.00005; at 400,000,000 atoms a lot 40,000 and -20,000 atoms.
    alice: 1,020 less a fee of 0.05 % of 20,000 is 1,010, less 50 lots x 0.04 = 2, plus 1: 1,009. Below maintenance:
    1,009 - (40,000 - p) / 2 < 0.03 x p / 2, p < 39,156.7: after minute 127 (39,160) at once at minute 128.
    """
    run, warnings = own_history(capsys)
    assert run["rejected"] == {}
    assert warnings == ""
    of = {
        name: [item for item in run["receipts"] if item["action"] == name] for name in ("accrue_funding", "liquidate")
    }
    assert [(item["time"], item["amounts"]) for item in of["accrue_funding"]] == [
        ("3600", {"rate": "100000", "index_step": "40000"}),
        ("7200", {"rate": "-50000", "index_step": "-20000"}),
    ]
    assert of["liquidate"][0]["time"] == str(128 * 60)


def test_a_trade_that_does_not_fit_the_file_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trade of the first scenario stands at 500 USD a lot, the file begins at 400."""
    prices = f"BTC={FOLDER / 'own-history.csv'}"
    message = said(tmp_path, capsys, FIRST, "--prices", prices, "--unit", "BTC=10000", "--no-check", code=0)
    assert message.startswith("warning: a trade was rejected with price_outside_band (TRADE-5)")


FORMAT = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_the_pieces_of_the_format_page_make_a_scenario() -> None:
    head = 'format = "clearspec/scenario/1"\ntitle = "t"\ndescription = "d"\n'
    found = load(head + "".join(re.findall(r"^```toml\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL)), toml=True)
    build(genesis_of(found, found.variants[0]))
    assert found.genesis.markets[0].parameters.trading.taker_fee == 400_000
    assert found.variants[0].expect[0].published == -50_000_000


def test_the_format_page_names_every_key() -> None:
    records = (Scenario, Step, PricePath, PricePoint, PremiumPath, PremiumPoint, Keepers, Fact, Expectation, Variant)
    words = [*ROLES, *Measure, *(item.name for record in records for item in fields(record))]
    assert [word for word in words if re.search(rf"[`\[{{ \n]{word}[`\] =]", FORMAT) is None] == []
