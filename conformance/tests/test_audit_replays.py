"""The log that the reference writes while it replays a real crash day is clean, and not with one figure altered.

The history is not part of the project. CLEARSPEC_PRICES names a folder of CSV files of bars; without it the tests on
real days are skipped, and counted as skipped; those on a made-up day run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

import pytest
from audit_samples import audited, packed, written

from clearspec_conformance.audit.writing import WrittenReplay
from clearspec_conformance.replay import read_scaled

FOLDER = os.environ.get("CLEARSPEC_PRICES", "")
DAYS = ("2020-03-12_BTC_binance_perp_1h", "2022-05-luna_LUNA_binance_spot_1h", "2025-10-10_BTC_binance_perp_1h")
FILES = sorted(path for path in Path(FOLDER or "/nonexistent").glob("*.csv.gz") if path.name.startswith(DAYS))
EVERY = 300


def replayed(data: bytes, name: str, accounts: int) -> list[bytes]:
    replay = WrittenReplay(read_scaled(data, name), accounts, patience=3, every=EVERY)
    lines = list(replay.written())
    assert replay.counts["liquidate: accepted"] > 0
    return lines


def altered(lines: list[bytes], seed: int) -> tuple[list[bytes], int]:
    """The log with one figure of one line changed by one, and the line."""
    chance = Random(seed)
    while True:
        place = chance.randrange(1, len(lines))
        document = json.loads(lines[place])
        amounts = document.get("receipt", {}).get("amounts", {})
        postings = document.get("receipt", {}).get("postings", [])
        if postings:
            row = chance.choice(postings)
            row["amount"] = str(int(row["amount"]) + 1)
        elif amounts:
            name = chance.choice(sorted(amounts))
            amounts[name] = str(int(amounts[name]) + 1)
        else:
            continue
        return [*lines[:place], packed(document), *lines[place + 1 :]], place + 1


def judge(tmp_path: Path, lines: list[bytes], name: str) -> None:
    report = audited(written(tmp_path / "right", lines))
    assert report.passed, report.findings[:1]
    assert report.events == sum(line.startswith(b'{"event"') for line in lines)
    for seed in range(3):
        wrong, line = altered(lines, seed)
        found = audited(written(tmp_path / "wrong", wrong)).findings
        assert [one.line for one in found][:1] == [line]
    print(f"\n{name}: {report.events} events, {report.snapshots} snapshots, clean; altered, found at the line")


@pytest.mark.skipif(not FILES, reason="CLEARSPEC_PRICES names no folder with price history")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_a_real_crash_day(tmp_path: Path, path: Path) -> None:
    judge(tmp_path, replayed(path.read_bytes(), path.name, 400), path.name)


def test_a_made_up_crash_day(tmp_path: Path) -> None:
    rows = [100, 105, 110, 100, 90, 80, 70, 60, 55]
    data = b"time,price\n" + b"".join(f"{3600 * hour},{price}\n".encode() for hour, price in enumerate(rows))
    judge(tmp_path, replayed(data, "made up", 40), "made up")
