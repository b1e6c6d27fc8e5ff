"""``clearspec params``: sets inside and outside, their price paths played, and files that do not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clearspec.parameters import ENVELOPE
from clearspec.scenario import Player, spec_folder
from clearspec_command.inputs import read_scenario
from clearspec_command.main import main
from clearspec_proofs.parameter_sets import read_set, tables

PRESETS = spec_folder() / "parameters"
MARKET = (PRESETS / "perpetual-major.toml").read_text(encoding="utf-8")


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of the command."""
    code = main(["params", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def changed(tmp_path: Path, before: str, after: str) -> str:
    """A file with the deep perpetual, and one text in it changed."""
    assert MARKET.count(before) == 1
    path = tmp_path / "market.toml"
    path.write_text(MARKET.replace(before, after), encoding="utf-8")
    return str(path)


def played(name: Path) -> Player:
    """The run of a written scenario, which must be one that the command for runs takes."""
    player = Player(read_scenario(str(name)))
    assert all(item.receipt.accepted for item in player)
    return player


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.toml")))
def test_presets_are_inside(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with the presets that are its companions."""
    companions = ("--market", "perpetual-minor") if name == "feed-minor" else ()
    code, found = report(capsys, str(PRESETS / f"{name}.toml"), *companions)
    assert (code, found["inside"], found["violations"], found["path"]) == (0, True, [], None)


def test_a_promise_that_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1.5 % at a band of 0.3 %: below 1.003 / 0.997 to the power of three steps, though four are promised."""
    name, scenario = changed(tmp_path, "maintenance = 30_000_000", "maintenance = 15_000_000"), tmp_path / "ruin.json"
    code, found = report(capsys, name, "--scenario", str(scenario))
    assert code == 1
    assert [entry["inequality"] for entry in found["violations"]] == ["gap-up", "gap-down"]
    assert {entry["rule"] for entry in found["violations"]} == {"PARM-8"}
    path = found["path"]
    assert (path["side"], path["steps"], path["promised"]) == ("short", 3, 4)
    last = played(scenario).played[-1].receipt
    assert (last.action, str(last.amounts["deficit"])) == ("resolve_default", path["deficit"])


def test_one_step_fewer_is_survived(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path is the shortest: before its last price the account still had what it owed."""
    name, scenario = changed(tmp_path, "maintenance = 30_000_000", "maintenance = 15_000_000"), tmp_path / "ruin.json"
    report(capsys, name, "--scenario", str(scenario))
    document = json.loads(scenario.read_text(encoding="utf-8"))
    points = document["prices"][0]["points"]
    document["prices"][0]["points"] = points[:-1]
    document["steps"][-1]["time"] = points[-2]["time"]
    scenario.write_text(json.dumps(document), encoding="utf-8")
    receipts = [item.receipt for item in Player(read_scenario(str(scenario)))]
    assert [receipt.reason for receipt in receipts if not receipt.accepted] == ["not_in_default"]


def test_at_maintenance_when_the_gap_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After the price that begins the window the account has exactly its requirement, 1.5 % of the notional."""
    name, scenario = changed(tmp_path, "maintenance = 30_000_000", "maintenance = 15_000_000"), tmp_path / "ruin.json"
    _, found = report(capsys, name, "--scenario", str(scenario))
    read = read_scenario(str(scenario))
    fill = next(step.action for step in read.steps if hasattr(step.action, "size"))
    cash = next(step.action.amount for step in read.steps if getattr(step.action, "account", "") == "trader"
                and hasattr(step.action, "amount"))  # fmt: skip
    first, lots = int(found["path"]["prices"][0]), fill.size
    assert cash - lots * (first - fill.price) == lots * first * 15 // 1000


def test_far_outside_even_one_step_ruins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0.4 % cannot be listed with any gap: the scenario has other ratios, the account what 0.4 % asks for."""
    name, scenario = changed(tmp_path, "maintenance = 30_000_000", "maintenance = 4_000_000"), tmp_path / "ruin.json"
    code, found = report(capsys, name, "--scenario", str(scenario))
    assert (code, found["path"]["steps"]) == (1, 0)
    assert any("higher margin ratios" in change for change in found["path"]["changes"])
    facts = [fact.statement for fact in read_scenario(str(scenario)).facts]
    assert facts == found["path"]["changes"]
    assert played(scenario).played[-1].receipt.amounts["deficit"] > 0


def test_a_haircut_that_does_not_cover_its_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Six steps of 0.8 % and a discount of 5 %: a haircut of 10 % is 0.19 points short, and the sixth step ruins."""
    name, scenario = tmp_path / "set.toml", tmp_path / "ruin.json"
    lines = '[[collateral]]\npreset = "collateral-major"\nhaircut = 100_000_000\nfeed = { preset = "feed-minor" }\n'
    name.write_text(lines, encoding="utf-8")
    code, found = report(capsys, str(name), "--scenario", str(scenario))
    assert [entry["inequality"] for entry in found["violations"]] == ["haircut-covers-gap collateral-1"]
    assert (code, found["path"]["side"], found["path"]["steps"], found["path"]["promised"]) == (1, "collateral", 6, 6)
    assert str(played(scenario).played[-1].receipt.amounts["deficit"]) == found["path"]["deficit"]


def test_an_inequality_without_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rebate above the fee is named with its sides and its rule; no price ruins anybody."""
    name = changed(tmp_path, "maker_fee = -100_000", "maker_fee = -600_000")
    code, found = report(capsys, name)
    assert (code, found["path"]) == (1, None)
    (entry,) = found["violations"]
    assert (entry["part"], entry["inequality"], entry["left"], entry["right"]) == (
        "market", "rebate-covered", "600000", "500000",
    )  # fmt: skip
    assert entry["statement"] == "-maker_fee <= taker_fee"
    assert main(["params", name, "--scenario", str(tmp_path / "none.json")]) == 2
    assert not (tmp_path / "none.json").exists()


def test_the_report_names_what_is_violated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people: both sides, the rule, the path and what was changed to play it."""
    name = changed(tmp_path, "maintenance = 30_000_000", "maintenance = 15_000_000")
    assert main(["params", name]) == 1
    out = capsys.readouterr().out
    for part in ("outside the envelope", "gap-up", "PARM-8", "1,009,931,090", "3 steps of the oracle", "Played with"):
        assert part in out


def test_a_set_in_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All parts from one file: no preset stands in."""
    name = tmp_path / "set.toml"
    parts = {"market": "perpetual-minor", "feed": "feed-minor", "pool": "pool"}
    name.write_text("".join(f'[{part}]\npreset = "{preset}"\n' for part, preset in parts.items()), encoding="utf-8")
    code, found = report(capsys, str(name))
    assert (code, found["presets"]) == (0, {})
    assert read_set(str(name), {}).feed.band == 8_000_000


def test_a_file_may_only_name_a_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or say what is otherwise: which part it is the preset says."""
    market, feed = tmp_path / "market.toml", tmp_path / "feed.toml"
    market.write_text('preset = "perpetual-minor"\n', encoding="utf-8")
    feed.write_text('preset = "feed-minor"\n', encoding="utf-8")
    code, found = report(capsys, str(market), "--feed", str(feed))
    assert (code, found["presets"]) == (0, {"pool": "pool"})
    assert read_set(str(market), {"feed": str(feed)}).feed.band == 8_000_000
    feed.write_text('preset = "feed-minor"\nband = 900_000_000\n', encoding="utf-8")
    assert read_set(str(feed), {}).feed.band == 900_000_000
    code, found = report(capsys, str(market), "--feed", str(feed))
    assert (code, found["inside"]) == (1, False)


def test_the_help_ends_with_the_exit_codes_of_this_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["params", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Exit codes: 0 inside the envelope; 1 outside it; 2 a file does not read" in text
    assert "invariant" not in text


def test_every_inequality_is_explained() -> None:
    """What the spec states of it, and why or what happens outside; those of a change of parameters stand elsewhere."""
    missing = [name for name in ENVELOPE if not tables().get(name, {}).get("inequality")]
    assert missing == ["settlement-window-fixed"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x = 1\n", "expected the parameters of a market, a feed, a pool or collateral"),
        ("x =\n", "expected a TOML document"),
        ("[market]\npreset = 'no-such'\n", "one of the presets"),
        ("preset = 'no-such'\n", "line 1: $.preset"),
        ("preset = 3\n", "expected the parameters of a market, a feed, a pool or collateral"),
        (MARKET.replace("penalty = 5_000_000", "penalty = 1_000_000_001"), "penalty"),
        (MARKET.replace("penalty = 5_000_000", "penalty = 0.5"), "whole number"),
        ("[market]\npreset = 'perpetual-major'\n[pool]\npreset = 'pool'\ncollateral = [{}]\n", "collateral"),
        ("collateral = 3\n", "an array of tables"),
    ],
)
def test_what_does_not_read(content: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tmp_path / "bad.toml"
    name.write_text(content, encoding="utf-8")
    assert main(["params", str(name)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--feed", "no-such"), "one of the presets"),
        (("--feed", "missing/feed.toml"), "cannot be read"),
        (("--feed", str(PRESETS / "pool.toml")), "expected the parameters of a feed"),
        (("--market", "perpetual-minor"), "has this part itself"),
        (("--scenario", "ruin.toml"), "written as JSON"),
    ],
)
def test_options_that_do_not_fit(
    arguments: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = changed(tmp_path, "maintenance = 30_000_000", "maintenance = 15_000_000")
    assert main(["params", name, *arguments]) == 2
    assert expected in capsys.readouterr().err
