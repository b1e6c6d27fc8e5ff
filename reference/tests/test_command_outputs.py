"""Output files appear whole or not at all, whatever goes wrong."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from clearspec import events as ev
from clearspec.codec import canonical_bytes
from clearspec.formats import PricePath, PricePoint, Scenario, ScenarioFormat, Step
from clearspec.sandbox import genesis
from clearspec_command import run as run_module
from clearspec_command.failures import BadInput
from clearspec_command.main import main
from clearspec_command.outputs import Outputs

SHORT = Scenario(ScenarioFormat.V1, "Short", "", genesis(), (Step(0, "alice", ev.OpenAccount("alice", "main")),))
OUTPUTS = ("json", "journal", "html", "log")


def stored(folder: Path, scenario: Scenario) -> str:
    path = folder / "scenario.json"
    path.write_bytes(canonical_bytes(scenario))
    return str(path)


def asked(folder: Path) -> list[str]:
    """Options for every kind of output, in a folder."""
    return [part for kind in OUTPUTS for part in (f"--{kind}", str(folder / kind))]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_files_are_there_at_the_end(tmp_path: Path) -> None:
    assert main(["run", stored(tmp_path, SHORT), "--quiet", *asked(tmp_path)]) == 0
    assert names(tmp_path) == {"scenario.json", *OUTPUTS}
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "json").stat().st_mode) == 0o666 & ~mask


def test_a_file_is_replaced_through_its_link_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to(target)
    assert main(["run", stored(tmp_path, SHORT), "--quiet", "--json", str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert target.read_text().startswith('{"format":"clearspec/result/1"')
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (BadInput("no"), 2)])
def test_an_error_on_the_way_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | type[BaseException], code: int
) -> None:
    """The log, which is written after the result and the journal, fails; an older result keeps its content."""

    def fail(run: object) -> list[bytes]:
        raise error

    (tmp_path / "json").write_text("old")
    monkeypatch.setattr(run_module, "log_lines", fail)
    assert main(["run", stored(tmp_path, SHORT), "--quiet", *asked(tmp_path)]) == code
    assert names(tmp_path) == {"scenario.json", "json"}
    assert (tmp_path / "json").read_text() == "old"


def test_a_fault_of_the_program_leaves_nothing_behind_and_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "log_lines", lambda run: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        main(["run", stored(tmp_path, SHORT), "--quiet", *asked(tmp_path)])
    assert names(tmp_path) == {"scenario.json"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent/json", "No such file or directory"),
        ("scenario.json/json", "Not a directory"),
        ("folder", "it is a directory"),
        ("scenario.json", "it is read as an input"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setattr(run_module, "play", lambda *arguments: pytest.fail("it was run"))
    (tmp_path / "folder").mkdir()
    scenario = stored(tmp_path, SHORT)
    log = ["--log", str(tmp_path / "log")]
    assert main(["run", scenario, *log, "--json", str(tmp_path / name)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {tmp_path / name}: cannot be written: ")
    assert said in message
    assert message.count("\n") == 1
    assert names(tmp_path) == {"scenario.json", "folder"}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert main(["run", stored(tmp_path, SHORT), "--json", str(locked / "json")]) == 2
    assert "Permission denied" in capsys.readouterr().err
    assert names(locked) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_device_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", stored(tmp_path, SHORT), "--json", "/dev/full", "--log", str(tmp_path / "log")]) == 2
    assert "/dev/full: cannot be written: No space left on device" in capsys.readouterr().err
    assert names(tmp_path) == {"scenario.json"}


def test_two_outputs_to_one_place_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = [str(tmp_path / "x"), str(tmp_path / "." / "x")]
    assert main(["run", stored(tmp_path, SHORT), "--json", same[0], "--log", same[1]]) == 2
    assert "two outputs go there" in capsys.readouterr().err
    assert names(tmp_path) == {"scenario.json"}


def test_a_file_that_cannot_take_its_place_leaves_none_behind(tmp_path: Path) -> None:
    """The target becomes a folder while the run goes on."""
    outputs = Outputs()
    outputs.open(str(tmp_path / "x")).write(b"x")
    (tmp_path / "x").mkdir()
    with pytest.raises(BadInput, match="cannot be written"):
        outputs.__exit__(None, None, None)
    assert names(tmp_path) == {"x"}


LONG = Scenario(
    ScenarioFormat.V1,
    "Long",
    "",
    genesis(),
    (),
    (PricePath("BTC", 0, tuple(PricePoint(time, 100 + time % 2) for time in range(200_000))),),
)
LESS_LONG = replace(LONG, prices=(replace(LONG.prices[0], points=LONG.prices[0].points[:5000]),))


def minding_interrupts() -> None:
    """What a shell starts in the background ignores interrupts, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_long_run_cleanly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "clearspec_command", "run", stored(tmp_path, LONG), *asked(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=minding_interrupts)
    try:
        while len(names(tmp_path)) < 1 + len(OUTPUTS) and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.2)
        assert process.poll() is None, "the run ended before it could be stopped"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert names(tmp_path) == {"scenario.json"}


def test_a_reader_that_goes_away_is_no_fault_of_the_run(tmp_path: Path) -> None:
    run = f"{sys.executable} -m clearspec_command run {stored(tmp_path, LESS_LONG)} --all --no-check"
    found = subprocess.run(
        ["bash", "-c", f"{run} 2>{tmp_path}/err | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (found.returncode, found.stdout) == (141, b"Long\n")
    assert (tmp_path / "err").read_text() == ""
