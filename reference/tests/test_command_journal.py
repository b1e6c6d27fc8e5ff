"""The journal: its names, its numbers, and that beancount proves our balances with it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clearspec import events as ev
from clearspec.formats import PricePath, PricePoint, Scenario, ScenarioFormat, Step
from clearspec.parameters import AssetParameters
from clearspec.sandbox import POOL, genesis
from clearspec_command.failures import BadInput
from clearspec_command.journal import Names, commodity, component, day_of, journal, quoted
from clearspec_command.playing import Run, play

BEAN_CHECK = shutil.which("bean-check", path=str(Path(sys.executable).parent)) or shutil.which("bean-check")
needs_beancount = pytest.mark.skipif(BEAN_CHECK is None, reason="bean-check of beancount is not installed")

SECOND = replace(POOL, pool="Main", collateral=())
"""A pool whose name differs from the first one's in its first letter only, as its account component does not."""

STEPS = (
    Step(0, "fund", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 50)),
    Step(0, "alice", ev.OpenAccount("alice", "main")),
    Step(0, "alice", ev.Deposit("alice", "USD", 120), 'A "first" deposit\\'),
    Step(0, "alice", ev.Deposit("alice", "ETH", 3)),
    Step(0, "alice", ev.Withdraw("alice", "ETH", 3)),
    Step(0, "Alice", ev.OpenAccount("Alice", "main")),
    Step(0, "Alice", ev.Deposit("Alice", "USD", 1000)),
    Step(0, "x", ev.OpenAccount("1.x/y_z", "Main")),
    Step(0, "x", ev.Deposit("1.x/y_z", "USD", 7)),
    Step(5, "venue", ev.Trade("BTC-PERP", "alice", "Alice", 10, 100, ev.Side.SELLER)),
    Step(90_000, "anyone", ev.ResolveDefault("alice")),
)
SCENARIO = Scenario(
    ScenarioFormat.V1,
    'A "quoted" title',
    "",
    genesis(pools=(SECOND,)),
    STEPS,
    (PricePath("BTC", 1, (PricePoint(1, 100), PricePoint(10, 80))), PricePath("ETH", 0, (PricePoint(0, 5),))),
)


def written(run: Run) -> str:
    return "\n".join(journal(run)) + "\n"


def checked(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = folder / "journal.beancount"
    path.write_text(text)
    return subprocess.run([str(BEAN_CHECK), str(path)], capture_output=True, text=True, timeout=60, check=False)


@needs_beancount
def test_beancount_proves_the_balances(tmp_path: Path) -> None:
    found = checked(tmp_path, written(play(SCENARIO, None)))
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


@needs_beancount
@pytest.mark.parametrize("line", ["balance Assets:Custody:Main  ", "balance Liabilities:User:Main:Alice-2  "])
def test_beancount_sees_a_balance_that_is_off_by_one_atom(tmp_path: Path, line: str) -> None:
    text = written(play(SCENARIO, None))
    start = text.index(line) + len(line)
    number = re.match(r"-?[0-9.]+", text[start:])
    assert number is not None
    wrong = f"{int(number[0].replace('.', '')) + 1}".rjust(7, "0")
    spoilt = f"{text[:start]}{wrong[:-6]}.{wrong[-6:]}{text[start + number.end() :]}".replace("-.", "-0.")
    found = checked(tmp_path, spoilt)
    assert found.returncode != 0
    assert "Balance failed" in found.stdout + found.stderr


@needs_beancount
def test_beancount_reads_assets_without_and_with_many_decimals(tmp_path: Path) -> None:
    """18 decimals, an amount of 2^60 atoms, and names that beancount could not write."""
    assets = (AssetParameters("weth:1", 18), AssetParameters("ETH", 0))
    pool = replace(POOL, pool="a.b", settlement_asset="weth:1")
    steps = (
        Step(0, "a", ev.OpenAccount("null", "a.b")),
        Step(0, "a", ev.Deposit("null", "weth:1", 2**60)),
        Step(0, "a", ev.Withdraw("null", "weth:1", 1)),
    )
    scenario = Scenario(ScenarioFormat.V1, "", "", replace(genesis(pool=pool, markets=()), assets=assets), steps)
    text = written(play(scenario, None))
    assert "Assets:Custody:A-b  1.152921504606846976 WETH-1" in text
    assert "balance Assets:Custody:A-b  1.152921504606846975 ~ 0 WETH-1" in text
    found = checked(tmp_path, text)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_every_amount_and_name_by_hand() -> None:
    """alice -80 at mark: insurance 50, Alice 30. Alice 1,000 + 200 - 30 = 1,170; day 2 of 1970, 25 hours in."""
    text = written(play(SCENARIO, None))
    assert 'option "title" "A \\"quoted\\" title"' in text
    assert '1970-01-01 * "alice" "deposit (COLL-3)"' in text
    assert 'note: "A \\"first\\" deposit\\\\"' in text
    assert "  Assets:Custody:Main  0.000120 USD\n" in text
    assert "  Liabilities:User:Main:Alice  -0.000120 USD\n" in text
    assert "  Liabilities:User:Main:Alice  -3 ETH\n" in text
    assert '1970-01-02 * "anyone" "resolve_default (FALL-5,' in text
    assert "  Equity:InsuranceFund:Main  0.000050 USD\n" in text
    assert "1970-01-03 balance Liabilities:User:Main:Alice-2  -0.001170 ~ 0 USD\n" in text
    assert "1970-01-03 balance Liabilities:User:Main-2:1-x-y-z  -0.000007 ~ 0 USD\n" in text
    assert "1970-01-03 balance Equity:InsuranceFund:Main  0.000000 ~ 0 USD\n" in text


def test_every_accepted_event_that_moved_money_is_a_transaction_in_order() -> None:
    run = play(SCENARIO, None)
    moved = [
        item.event.sequence
        for item in run.player.played
        if item.receipt.accepted and any(posting.amount for posting in item.receipt.postings)
    ]
    assert [int(number) for number in re.findall(r"^  sequence: ([0-9]+)$", written(run), re.MULTILINE)] == moved


def test_names_are_legal() -> None:
    assert [component(name) for name in ("alice", "a.b/c", "9", "x:y_z")] == ["Alice", "A-b-c", "9", "X-y-z"]
    names = ("usd", "ETH", "1inch", "x", "true", "a:b/", "wrapped-something-quite-long")
    made = [commodity(name) for name in names]
    assert made == ["USD", "ETH", "C-1INCH", "C-X", "C-TRUE", "A-B-0", "WRAPPED-SOMETHIN"]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]", name) for name in made)


def test_two_ids_never_share_a_name() -> None:
    names = Names(component)
    assert [names.of(name) for name in ("alice", "Alice", "a.b", "a-b", "alice", "alice-2")] == [
        "Alice", "Alice-2", "A-b", "A-b-2", "Alice", "Alice-2-2",
    ]  # fmt: skip


def test_days_end_with_the_calendar() -> None:
    """9999-12-31 is day 2,932,896 after 1970-01-01."""
    assert day_of(0) == "1970-01-01"
    assert day_of(86_399) == "1970-01-01"
    assert day_of(86_400) == "1970-01-02"
    assert day_of(2_932_896 * 86_400) == "9999-12-31"
    with pytest.raises(BadInput, match="beyond the calendar"):
        day_of(2_932_897 * 86_400)


def test_strings_are_quoted() -> None:
    assert quoted('a\n"b"\\\x1b') == '"a \\"b\\"\\\\\\\\x1b"'
