"""Real crash days with a thousand leveraged accounts; every invariant after every event.

The history is not part of the project. CLEARSPEC_PRICES names a folder of CSV files of bars (time, open, high, low,
close); without it these tests are skipped, and counted as skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clearspec.invariants import broken
from clearspec_conformance.replay import Replay, read_scaled

FOLDER = os.environ.get("CLEARSPEC_PRICES", "")
FILES = sorted(
    path
    for path in Path(FOLDER or "/nonexistent").glob("*.csv.gz")
    if ("_perp_" in path.name or "_spot_" in path.name) and "_alts_" not in path.name
)
ACCOUNTS = int(os.environ.get("CLEARSPEC_REPLAY_ACCOUNTS", "1000"))


@pytest.mark.skipif(not FILES, reason="CLEARSPEC_PRICES names no folder with price history")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_window(path: Path) -> None:
    replay = Replay(read_scaled(path.read_bytes(), path.name), ACCOUNTS)
    events = 0
    for receipt in replay:
        events += 1
        assert broken(replay.state) == [], receipt
    assert events > ACCOUNTS * 2
    assert replay.counts["trade: accepted"] == ACCOUNTS // 2
    print(f"\n{path.name}: {events} events, {dict(replay.counts)}")


LATE = [path for path in FILES if "BTC_binance_perp_1h" in path.name or "LUNA_binance_spot_1h" in path.name]


@pytest.mark.skipif(not LATE, reason="CLEARSPEC_PRICES names no folder with price history")
@pytest.mark.parametrize("path", LATE, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_window_with_late_keepers(path: Path) -> None:
    """Keepers sleep through eleven prices of twelve: accounts default and the waterfall runs."""
    replay = Replay(read_scaled(path.read_bytes(), path.name), ACCOUNTS, patience=12)
    for receipt in replay:
        assert broken(replay.state) == [], receipt
    print(f"\n{path.name}: {dict(replay.counts)}")


def test_late_keepers_meet_defaults() -> None:
    """A made-up crash by half that nobody acts on before its end."""
    data = b"time,price\n0,100\n3600,50\n7200,50\n"
    replay = Replay(read_scaled(data, "made up"), 40, patience=20)
    for receipt in replay:
        assert broken(replay.state) == [], receipt
    assert replay.counts["resolve_default: accepted"] > 0


def test_thinning_keeps_the_extremes() -> None:
    data = b"time,open,high,low,close\n" + b"".join(
        f"{900 * bar},{100 + bar},{120 + bar},{90 - bar},{101 + bar}\n".encode() for bar in range(50)
    )
    history = read_scaled(data, "made up")
    replay = Replay(history, 2, most=20)
    prices = [point.price for point in replay.points]
    assert max(prices) == max(point.price for point in history.points)
    assert min(prices) == min(point.price for point in history.points)
    assert len(prices) <= 80


def test_replay_liquidates_and_stays_sound() -> None:
    """A made-up day: up a tenth, then down by half."""
    rows = [100, 105, 110, 100, 90, 80, 70, 60, 55]
    data = b"time,price\n" + b"".join(f"{3600 * hour},{price}\n".encode() for hour, price in enumerate(rows))
    replay = Replay(read_scaled(data, "made up"), 40)
    for receipt in replay:
        assert broken(replay.state) == [], receipt
    assert replay.counts["liquidate: accepted"] > 0
    assert replay.counts["accrue_funding: accepted"] > 0
