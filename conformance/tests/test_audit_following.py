"""A log that is still being written: half lines, rotation, interruption, and what Prometheus is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_samples import market_desk, market_lines, packed, written

from clearspec.codec import Fault, loads
from clearspec_command.failures import BadInput
from clearspec_command.main import main
from clearspec_conformance.audit.following import Follower, Position, Tail, follow
from clearspec_conformance.audit.formats import AuditReport
from clearspec_conformance.audit.lines import Plain
from clearspec_conformance.audit.metrics import Metrics, address_of
from clearspec_conformance.audit.problems import BadLog
from clearspec_conformance.audit.reading import Layout
from clearspec_conformance.audit.segments import Log
from clearspec_conformance.audit.tallies import Tally

PAUSE = 0.001


def grown(path: Path, changes: list[Callable[[], Any]], **options: Any) -> tuple[Tally, list[Position]]:
    """Follow a file; whenever there is nothing more to read the next change is made, after the last it ends."""
    left, seen = list(changes), []

    def tell(position: Position, tally: Tally) -> None:
        seen.append(Position(position.file, position.line, position.byte, position.size))
        if left:
            left.pop(0)()
        elif not options:
            raise KeyboardInterrupt

    log = Log(path, Layout.JSONL, Plain())
    try:
        return follow(log, tell, options.get("idle"), PAUSE), seen
    except KeyboardInterrupt:
        raise AssertionError("told after the end") from None


def appended(path: Path, data: bytes) -> Callable[[], Any]:
    def change() -> None:
        with path.open("ab") as stream:
            stream.write(data)

    return change


def rotated(path: Path, data: bytes) -> Callable[[], Any]:
    def change() -> None:
        path.rename(path.with_suffix(f".{time.monotonic_ns()}"))
        path.write_bytes(data)

    return change


def desk_lines() -> list[bytes]:
    return [packed(line) for line in market_desk().lines]


def idle(path: Path, *changes: Callable[[], Any]) -> Tally:
    return grown(path, list(changes), idle=0.25)[0]


def test_lines_that_come_in_pieces(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", [lines[0][:10]])
    rest = lines[0][10:] + b"".join(lines[1:3]) + lines[3][:-1]
    tally = idle(path, appended(path, rest), appended(path, b"\n" + lines[4]), appended(path, lines[5][:5]))
    assert (tally.events, tally.lines, tally.stop) == (4, 5, None)


def test_an_empty_file_is_waited_for(tmp_path: Path) -> None:
    path = written(tmp_path / "log", [])
    assert idle(path, appended(path, b"".join(desk_lines()))).events == 6


def test_rotation_goes_on_in_the_new_file(tmp_path: Path) -> None:
    """The new file goes on with the next event, repeats the header, or begins with a snapshot."""
    lines = list(market_lines(400, 100))
    path = written(tmp_path / "log", lines[:50])
    tally = idle(path, rotated(path, b"".join(lines[50:90])), rotated(path, b"".join([lines[0], *lines[90:101]])),
                 rotated(path, b"".join(lines[101:])))  # fmt: skip
    assert lines[101].startswith(b'{"snapshot"')
    assert (tally.events, tally.snapshots, tally.findings, tally.stop) == (400, 4, [], None)


def test_what_is_written_to_the_old_file_last_is_read(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", lines[:3])

    def swap() -> None:
        old = path.with_suffix(".1")
        path.rename(old)
        with old.open("ab") as stream:
            stream.write(lines[3])
        path.write_bytes(b"".join(lines[4:]))

    assert idle(path, swap).events == 6


def test_a_file_that_is_cut_short_is_read_anew(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", lines[:5])
    assert idle(path, lambda: path.write_bytes(lines[5]), appended(path, lines[6])).events == 6


def test_a_file_replaced_in_the_middle_of_a_line(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", [*lines[:3], lines[3][:20]])
    stop = idle(path, rotated(path, lines[4])).stop
    assert stop is not None
    assert (stop.fault.value, stop.line) == ("truncated", 4)


def test_a_new_file_with_another_genesis(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", lines[:3])
    stop = idle(path, rotated(path, lines[0].replace(b'"time":"0"', b'"time":"1"'))).stop
    assert stop is not None
    assert (stop.fault.value, stop.message) == ("malformed", "$.genesis: expected the genesis of the file before")


def test_a_file_that_goes_away_for_a_while(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", lines[:3])
    away = path.with_suffix(".old")
    tally = idle(path, lambda: path.rename(away), lambda: path.write_bytes(b"".join(lines[3:])))
    assert tally.events == 6


def test_a_long_line_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clearspec_conformance.audit import following

    monkeypatch.setattr(following, "LONGEST_LINE", 10_000)
    path = written(tmp_path / "log", desk_lines())
    stop = idle(path, appended(path, b"x" * 9_999), appended(path, b"xx")).stop
    assert stop is not None
    assert (stop.fault.value, stop.line) == ("too_long", 8)


def test_a_finding_ends_it_or_not(tmp_path: Path) -> None:
    lines = desk_lines()
    wrong = lines[3].replace(b'"time":"0","action":"deposit"', b'"time":"9","action":"deposit"')
    assert wrong != lines[3]
    path = written(tmp_path / "log", [*lines[:3], wrong, *lines[4:]])
    assert idle(path).events == 3
    log = Log(path, Layout.JSONL, Plain(), True)
    tally = follow(log, lambda position, tally: None, 0.0, PAUSE)
    assert (tally.events, len(tally.findings)) == (6, 1)


def test_an_interruption_is_an_end(tmp_path: Path) -> None:
    path = written(tmp_path / "log", desk_lines())
    told = []

    def tell(position: Position, tally: Tally) -> None:
        told.append(tally.events)
        if len(told) == 1:
            raise KeyboardInterrupt

    assert follow(Log(path, Layout.JSONL, Plain()), tell, None, PAUSE).events == 6
    assert told == [6, 6]


def test_positions_are_told(tmp_path: Path) -> None:
    lines = desk_lines()
    path = written(tmp_path / "log", lines[:3])
    _, seen = grown(path, [appended(path, lines[3][:7])], idle=0.01)
    size = sum(map(len, lines[:3]))
    assert seen[0] == Position(1, 3, size, size)
    assert seen[-1] == Position(1, 3, size, size + 7)


def test_a_follower_takes_no_event_first(tmp_path: Path) -> None:
    path = written(tmp_path / "log", desk_lines()[1:])
    tail, follower = Tail(path, Plain.decode), Follower(Log(path, Layout.JSONL, Plain()))
    item = tail.next_item()
    assert item is not None
    with pytest.raises(BadLog) as refused:
        follower.take(item)
    assert refused.value.fault.value == "malformed"
    assert Fault.NOT_JSON.value != refused.value.fault.value


# Metrics


def scraped(metrics: Metrics) -> dict[str, float]:
    """What a request is answered with, by name and labels."""
    port = metrics.serve("127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        rows = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


def test_metrics(tmp_path: Path) -> None:
    lines = list(market_lines(400, 100))
    lines[30] = lines[30].replace(b'"status":"accepted"', b'"status":"rejected"')
    path = written(tmp_path / "log", lines)
    metrics = Metrics()
    follow(Log(path, Layout.JSONL, Plain(), True), metrics.tell, 0.0, PAUSE)
    found = scraped(metrics)
    assert found['clearspec_audit_events_total{status="accepted"}'] + found[
        'clearspec_audit_events_total{status="rejected"}'
    ] == 400  # fmt: skip
    assert found["clearspec_audit_snapshots_total"] == 4
    assert found["clearspec_audit_first_finding_step"] == 30
    assert sum(value for name, value in found.items() if name.startswith("clearspec_audit_findings_total")) >= 1
    assert found["clearspec_audit_line"] == 405
    assert found["clearspec_audit_lag_bytes"] == 0
    assert found['clearspec_audit_not_checked{check="INV-8"}'] == 396


def test_a_stop_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "log", [*desk_lines(), b"{\n"])
    metrics = Metrics()
    follow(Log(path, Layout.JSONL, Plain()), metrics.tell, 0.0, PAUSE)
    assert scraped(metrics)['clearspec_audit_stopped{fault="not_json"}'] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("9464", ("127.0.0.1", 9464)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:7", ("::1", 7))],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert address_of(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "1:2:x", "70000", "-1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(BadInput):
        address_of(text)


def test_a_port_that_is_taken() -> None:
    port = Metrics().serve("127.0.0.1", 0)
    with pytest.raises(BadInput, match="in use"):
        Metrics().serve("127.0.0.1", port)


# The command


def test_follow_by_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A writer appends, rotates and ends; the command follows, prints what is found at once, and reports."""
    lines = list(market_lines(400, 100))
    wrong = next(place for place in range(200, 300) if b'"status":"accepted"' in lines[place])
    lines[wrong] = lines[wrong].replace(b'"status":"accepted"', b'"status":"rejected"')
    path = written(tmp_path / "log", lines[:20])

    def write() -> None:
        time.sleep(0.3)
        appended(path, b"".join(lines[20:150]) + lines[150][:40])()
        time.sleep(0.3)
        appended(path, lines[150][40:])()
        rotated(path, b"".join(lines[151:]))()

    writer = threading.Thread(target=write)
    writer.start()
    options = ["--follow", "--continue", "--until-idle", "1.5", "--metrics", "0", "--json", str(tmp_path / "report")]
    code = main(["audit", str(path), *options])
    writer.join()
    report: AuditReport = loads(AuditReport, (tmp_path / "report").read_bytes())
    assert (code, report.events, report.log.digest) == (1, 400, "")
    out, err = capfd.readouterr()
    assert "metrics at http://127.0.0.1:" in err
    assert err.count("the receipt differs") >= 1
    assert "$.receipt.status: expected accepted, got rejected" in err
    assert "400 events" in out


def minding_interrupts() -> None:
    """What a shell starts in the background ignores interrupts, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_its_report(tmp_path: Path, signum: int) -> None:
    path = written(tmp_path / "log", desk_lines())
    command = [sys.executable, "-m", "clearspec_command", "audit", str(path), "--follow", "--metrics", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=minding_interrupts
    )
    try:
        assert process.stderr is not None
        assert "metrics at" in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signum)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, "6 events, 0 snapshots: nothing is wrong" in out) == (0, True), err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics", "1"], "give --follow too"),
        (["--until-idle", "1"], "give --follow too"),
        (["--follow", "--jobs", "2"], "in one pass from its beginning"),
        (["--follow", "--from-line", "2"], "in one pass from its beginning"),
        (["--follow", "--metrics", "x"], "expected a port"),
    ],
)
def test_options_that_contradict(
    tmp_path: Path, options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "log", desk_lines())
    assert main(["audit", str(path), *options]) == 2
    assert message in capfd.readouterr().err
