"""The page: what it says, that it is safe, and that a browser draws every chart."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as graphs
import pytest

from clearspec import events as ev
from clearspec.events import Event
from clearspec.formats import (
    Expectation,
    Fact,
    Keepers,
    Measure,
    PricePath,
    PricePoint,
    Scenario,
    ScenarioFormat,
    Standing,
    Step,
    Variant,
)
from clearspec.ledger import Kind
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.sandbox import genesis
from clearspec_command.charts import MOST_ACCOUNTS, charts_of, value_at
from clearspec_command.page import page
from clearspec_command.playing import Run, play, span
from clearspec_command.series import Recorder, changed, summed, thinned

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

HOSTILE = '<script>alert(1)</script> & "quotes" \''

STEPS = (
    Step(0, "fund", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 50), HOSTILE),
    Step(0, "alice", ev.OpenAccount("alice", "main")),
    Step(0, "alice", ev.Deposit("alice", "USD", 120)),
    Step(0, "bob", ev.OpenAccount("bob", "main")),
    Step(0, "bob", ev.Deposit("bob", "USD", 1000)),
    Step(5, "venue", ev.Trade("BTC-PERP", "alice", "bob", 10, 100, ev.Side.SELLER)),
    Step(6, "venue", ev.Trade("BTC-PERP", "alice", "bob", 10, 100, ev.Side.SELLER)),
    Step(100, "anyone", ev.ResolveDefault("alice")),
)
FACTS = (
    Fact("The price fell.", Standing.PUBLISHED, "https://example.org/fall"),
    Fact("It was assumed.", Standing.ASSUMED, "javascript:alert(1)"),
)
BOB = Expectation(
    "Bob has 1,170.", Measure.BALANCE, 1170, 0, "by hand", subject="bob", kind=Kind.USER, asset="USD", pool="main"
)
SCENARIO = Scenario(
    ScenarioFormat.V1,
    f"Title {HOSTILE}",
    "",
    genesis(),
    STEPS,
    (PricePath("BTC", 1, (PricePoint(1, 100), PricePoint(10, 80))),),
    facts=FACTS,
    variants=(Variant("one", "First.", expect=(BOB,)), Variant("two", "Second.")),
)


def recorded(scenario: Scenario, variant: Variant | None = None) -> tuple[Run, Recorder]:
    recorder = Recorder(*span(scenario))
    return play(scenario, variant, recorder=recorder), recorder


def page_of(scenario: Scenario) -> str:
    pairs = [recorded(scenario, variant) for variant in scenario.variants or (None,)]
    return page([run for run, _ in pairs], [recorder for _, recorder in pairs])


def charts_in(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    text = page_of(SCENARIO)
    own = text.replace(text[text.index("<script>/**") : text.index('<script>\n"use strict"')], "")
    assert "default-src 'none'" in own
    assert "form-action 'none'" in own
    assert "<script>alert(1)</script>" not in own
    assert html.escape(HOSTILE, quote=False)[:40] in own
    assert re.findall(r'(?:src|href)="([^"#]*)"', own) == ["data:,", "https://example.org/fall"]
    assert "javascript:alert(1)" in own


def test_the_page_says_what_came_of_the_run() -> None:
    text = re.sub(r"<[^>]+>", " ", page_of(SCENARIO).split('<script type="application/json"')[0])
    text = " ".join(html.unescape(text).split())
    assert "expectations 1 of 1 expectation met" in text
    assert "Bob has 1,170. 0.00117 USD 0.00117 USD 0 % met by hand" in text
    assert "insufficient_margin [MARG-10]" in text
    assert "The price fell. published https://example.org/fall" in text
    assert "Variants variant events" in text


def traces(charts: Any, identifier: str, choice: int = 0) -> dict[str, Any]:
    chart = next(chart for chart in charts if chart["id"] == identifier)
    return {trace["name"]: trace for trace in chart["choices"][choice]["traces"]}


def test_every_series_by_hand() -> None:
    """Index 100 from second 1, then 99 at 10 ... 80 at 29; a lot is an atom, and a million atoms are a dollar.

    Alice: 120 at 0, less 10 for each step down, 120 - 200 = -80 at 29; maintenance 5 % of 10 x price: 50, 49.5 rounded
    up 50, 49, 48.5 rounded up 49 ... 40. At 100 the waterfall takes 50 of the fund and 30 from Bob.
    """
    charts = charts_in(page_of(replace(SCENARIO, variants=())))
    prices = traces(charts, "run0-prices")
    assert prices["mark"]["x"] == [1000] + [second * 1000 for second in range(10, 30)] + [100_000]
    assert prices["mark"]["y"] == [f"0.{price:08}" for price in [10_000, *range(9900, 7900, -100), 8000]]
    assert prices["default"]["x"] == [100_000]
    assert prices["default"]["y"] == ["0.00008000"]
    equity = traces(charts, "run0-equity")
    first_steps = dict(zip(equity["margin equity"]["x"], equity["margin equity"]["y"], strict=True))
    assert first_steps[10_000] == "0.000110"
    assert first_steps[29_000] == "-0.000080"
    assert first_steps[100_000] == "0.000000"
    wanted = equity["maintenance requirement"]
    requirement = dict(zip(wanted["x"], wanted["y"], strict=True))
    assert requirement[5_000] == "0.000050"
    assert requirement[11_000] == "0.000049"
    assert requirement[100_000] == "0.000000"
    fund = traces(charts, "run0-funds")["insurance fund"]
    assert (fund["x"], fund["y"]) == ([0, 100_000, 100_000], ["0.000050", "0.000000", "0.000000"])
    interest = traces(charts, "run0-interest")["open interest"]
    assert (interest["x"], interest["y"]) == ([0, 5_000, 100_000, 100_000], ["0", "10", "0", "0"])
    layers = traces(charts, "run0-waterfall")
    assert {name: trace["x"] for name, trace in layers.items()} == {
        "insurance fund": ["0.000050"],
        "tear up": ["0.000030"],
    }
    assert layers["tear up"]["y"] == ["#29 alice"]


def test_plotly_accepts_every_trace() -> None:
    """The drawing code turns a trace into one of these; plotly's own classes refuse what it would not draw."""
    for chart in charts_in(page_of(SCENARIO)):
        for trace in (trace for choice in chart["choices"] for trace in choice["traces"]):
            made = graphs.Bar if trace["form"] == "bars" else graphs.Scatter
            assert len(made(name=trace["name"], x=trace["x"], y=trace["y"]).x) == len(trace["y"])


def many_accounts(count: int) -> Scenario:
    steps = [
        step
        for place in range(count)
        for step in (
            Step(0, f"u{place}", ev.OpenAccount(f"u{place}", "main")),
            Step(1, f"u{place}", ev.Deposit(f"u{place}", "USD", 10 + place)),
        )
    ]
    return replace(SCENARIO, steps=tuple(sorted(steps, key=lambda step: step.time)), variants=())


def test_accounts_beyond_the_twelve_largest_are_summed_up() -> None:
    """15 accounts of 10, 11 ... 24: the twelve largest are drawn, the others have 10 + 11 + 12 = 33."""
    run, recorder = recorded(many_accounts(15))
    chart = next(chart for chart in charts_of(run, recorder, "r") if chart.id == "r-equity")
    labels = [choice.label for choice in chart.choices]
    assert labels[0] == "u14"
    assert len(labels) == MOST_ACCOUNTS + 2
    assert labels[-2:] == ["3 other accounts, summed", "margin equity of 12 accounts"]
    assert chart.choices[-2].traces[0].y[-1] == "0.000033"


def test_liquidations_are_marked_where_they_happened() -> None:
    """With a keeper the first liquidation comes when 120 - 10 x fall < 5 % of 10 x (100 - fall), rounded up.

    At a fall of 7: 50 >= 47; at 8: 40 < 46. So at 92, eight steps after 100: second 10 + 7 = 17.
    """
    keeper = (
        Step(0, "keeper", ev.OpenAccount("keeper", "main")),
        Step(0, "keeper", ev.Deposit("keeper", "USD", 1000)),
    )
    scenario = replace(
        SCENARIO,
        steps=(*STEPS[:5], *keeper, *STEPS[5:]),
        keepers=Keepers("keeper", "keeper", False),
        variants=(),
    )
    found = traces(charts_in(page_of(scenario)), "run0-prices")["liquidation"]
    assert (found["x"][0], found["y"][0]) == (17_000, "0.00009200")


def test_series_keep_changes_only_and_one_value_a_second() -> None:
    points = [(0, 5)]
    for time, value in ((1, 5), (2, 6), (2, 7), (3, 8)):
        changed(points, time, value)
    assert points == [(0, 5), (2, 7), (3, 8)]
    assert [value_at(points, time) for time in (-1, 0, 1, 2, 9)] == [0, 5, 5, 7, 8]


def test_thinning_keeps_ends_and_extremes() -> None:
    """10,001 points, flat but for one dip and one spike."""
    points = [(time, 0) for time in range(10_001)]
    points[1234], points[7777] = (1234, -9), (7777, 9)
    kept = thinned(points, 2000)
    assert len(kept) <= 2000
    assert kept == sorted(kept)
    assert {(0, 0), (1234, -9), (7777, 9), (10_000, 0)} <= set(kept)
    assert thinned(points[:2000], 2000) == points[:2000]


def test_step_series_are_summed() -> None:
    """1 from 0, 3 from 5; and 10 from 2, 0 from 5: 1, 11, 3."""
    assert summed([[(0, 1), (5, 3)], [(2, 10), (5, 0)]]) == [(0, 1), (2, 11), (5, 3)]


def test_standings_are_sampled_less_often_where_accounts_are_many() -> None:
    """1,000 accounts over 1,000,000 seconds: 1,000,000 x 1,000 / 200,000 = 5,000 seconds apart."""
    recorder = Recorder(0, 1_000_000)
    state = build(genesis())
    for place in range(1, 1001):
        apply(state, Event(f"e{place}", place, 0, "a", ev.OpenAccount(f"a{place}", "main")))
    recorder.before(state, 0)
    assert recorder.accounts == {}
    recorder.before(state, 7)
    assert len(recorder.accounts) == 1000
    assert recorder.due == 5001


def test_a_standing_is_taken_when_everything_of_its_second_is_done() -> None:
    """Two deposits of 5 in second 3: the series goes to 10, never through 5."""
    steps = (Step(0, "a", ev.OpenAccount("a", "main")), *[Step(3, "a", ev.Deposit("a", "USD", 5))] * 2)
    _, recorder = recorded(replace(SCENARIO, steps=steps, prices=(), variants=()))
    assert recorder.accounts["a"]["equity"] == [(0, 0), (3, 10)]


def browser(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,2400",
        "--virtual-time-budget=8000",
        "--enable-logging=stderr",
        "--dump-dom",
    ]
    command = [str(CHROMIUM), *options, f"--user-data-dir={folder / 'profile'}", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")
@pytest.mark.parametrize("spoilt", [False, True])
def test_a_browser_draws_every_chart_without_an_error(tmp_path: Path, spoilt: bool) -> None:
    """Five charts for each of two variants; ten rows of events, of which two sum up prices.

    Spoilt: a page that must fail the same test.
    """
    text = page_of(SCENARIO)
    path = tmp_path / "page.html"
    path.write_text(text.replace("Plotly.react(", "Plotly.reactt(") if spoilt else text, encoding="utf-8")
    found = browser(path, tmp_path)
    errors = [line for line in found.stderr.splitlines() if "CONSOLE" in line]
    drawn = re.findall(r'class="chart js-plotly-plot" id="([^"]+)"', found.stdout)
    if spoilt:
        assert errors
        assert drawn == []
        return
    assert errors == []
    names = [f"run{run}-{name}" for run in (0, 1) for name in ("prices", "equity", "funds", "interest", "waterfall")]
    assert sorted(drawn) == sorted(names)
    assert found.stdout.count('class="main-svg"') >= len(names)
    assert "10 of 10 rows" in found.stdout
    assert "Download plot as a PNG" in found.stdout
    assert 'data-title="Share' not in found.stdout
