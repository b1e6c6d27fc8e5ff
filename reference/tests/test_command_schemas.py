"""The JSON Schemas: they admit what the reference writes, refuse what it does not read, and the files are theirs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from clearspec import events as ev
from clearspec.codec import DecodeError, decode, encode
from clearspec.formats import (
    FORMATS,
    LogFormat,
    LogHeader,
    LogLine,
    PricePath,
    PricePoint,
    Scenario,
    ScenarioFormat,
    Step,
    receipt_record,
)
from clearspec.sandbox import LISTING, MARKET, Sandbox, genesis
from clearspec.scenario import Player, expanded, spec_folder
from clearspec.snapshot import observable
from clearspec_command import schemas
from clearspec_command.main import main
from clearspec_command.schemas import schema_text

STEPS = (
    Step(0, "alice", ev.OpenAccount("alice", "main")),
    Step(0, "alice", ev.Deposit("alice", "USD", 120), "A note."),
    Step(0, "admin", ev.ListMarket(LISTING)),
    Step(0, "admin", ev.SetParameters("BTC-PERP", MARKET)),
    Step(0, "nobody", ev.Deposit("alice", "USD", 1)),
)
SCENARIO = Scenario(ScenarioFormat.V1, "Title", "", genesis(), STEPS, (PricePath("BTC", 1, (PricePoint(1, 100),)),))


def validator(name: str) -> Any:
    document = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def instances() -> list[tuple[str, Any]]:
    """Real instances of the formats."""
    player = Player(SCENARIO)
    played = list(player)
    found: list[tuple[str, Any]] = [("scenario", SCENARIO), ("genesis", SCENARIO.genesis)]
    found += [("event", item.event) for item in played]
    found += [("receipt", receipt_record(item.receipt)) for item in played]
    found += [("log-line", LogLine(played[0].event, receipt_record(played[0].receipt), observable(player.state)))]
    found += [("observable", observable(player.state)), ("log-header", LogHeader(LogFormat.V1, SCENARIO.genesis))]
    return found


def test_what_the_reference_writes_is_valid() -> None:
    found = instances()
    assert {name for name, _ in found} == set(FORMATS) - {"vector"}
    assert any(item.reason for name, item in found if name == "receipt")
    for name, item in found:
        validator(name).validate(encode(item))


def test_scenarios_of_the_repository_are_valid() -> None:
    """TOML scenarios with their presets merged in and their integers as strings."""
    folder = Path(__file__).resolve().parents[2] / "conformance" / "scenarios"
    checker = validator("scenario")
    for path in sorted(folder.glob("*.toml")):
        checker.validate(expanded(tomllib.loads(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_missing_and_an_unknown_key_are_invalid(name: str) -> None:
    found = [encode(item) for known, item in instances() if known == name]
    for document in found[:2]:
        checker = validator(name)
        key = next(iter(document))
        assert not checker.is_valid({part: value for part, value in document.items() if part != key})
        assert not checker.is_valid({**document, "unknown": "1"})


@pytest.mark.parametrize("wrong", [5, 5.0, True, "+5", "05", "5.0", "", "-0", "1e3", " 5", "\u0665", None, []])
def test_schema_and_decoder_refuse_the_same_integers(wrong: Any) -> None:
    document = encode(ev.Event("e", 1, 5, "a", ev.Deposit("a", "USD", 5)))
    validator("event").validate(document)
    document["time"] = wrong
    assert not validator("event").is_valid(document)
    with pytest.raises(DecodeError):
        decode(ev.Event, document)


@pytest.mark.parametrize("wrong", ["", " a", "a b", "-a", "a" * 65, "é", 5])
def test_schema_and_decoder_refuse_the_same_ids(wrong: Any) -> None:
    document = encode(ev.Event("e", 1, 5, "a", ev.Deposit("a", "USD", 5)))
    document["actor"] = wrong
    assert not validator("event").is_valid(document)
    with pytest.raises(DecodeError):
        decode(ev.Event, document)


def test_every_action_has_its_place_in_the_schema() -> None:
    actions = json.loads(schema_text("event"))["$defs"]["Event"]["properties"]["action"]["properties"]
    assert sorted(actions) == sorted(ev.ROLES)


def test_writing_and_checking_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert main(["schemas", "--write", str(folder)]) == 0
    assert {path.stem for path in folder.iterdir()} == set(FORMATS)
    assert main(["schemas", "--check", str(folder)]) == 0
    capsys.readouterr()
    (folder / "event.json").write_text("{}\n")
    (folder / "genesis.json").unlink()
    (folder / "other.json").write_text("{}\n")
    assert main(["schemas", "--check", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{folder}/genesis.json: missing",
        f"{folder}/event.json: differs",
        f"{folder}/other.json: belongs to no format",
    ]


def test_the_default_folder_is_that_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schemas, "spec_folder", lambda: tmp_path)
    assert main(["schemas"]) == 0
    assert main(["schemas", "--check", str(tmp_path / "schemas")]) == 0
    assert f"{len(FORMATS)} schemas written" in capsys.readouterr().out


def test_bad_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["schemas", "--write", str(tmp_path / "file" / "x")]) == 2
    assert main(["schemas", "--check", str(tmp_path / "absent")]) == 2
    assert main(["schemas", "--check", str(tmp_path), "--write", str(tmp_path)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[-1] for line in errors] == [
        "Not a directory", "expected a folder", "--write and --check exclude each other",
    ]  # fmt: skip


def test_the_schemas_of_the_spec_are_up_to_date() -> None:
    assert main(["schemas", "--check", str(spec_folder() / "schemas")]) == 0


def test_a_sandbox_event_is_valid() -> None:
    box = Sandbox()
    box.open("a", 5)
    validator("receipt").validate(encode(receipt_record(box.do("a", ev.Withdraw("a", "USD", 5)))))
