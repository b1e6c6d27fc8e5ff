"""The charts of a run as data: what is drawn stands here, how it is drawn in ``page.html``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from clearspec_command.display import Display
from clearspec_command.playing import Default, Run, defaults
from clearspec_command.series import Point, Recorder, summed, thinned

MOST_ACCOUNTS = 12
"""Accounts drawn by name; the others are summed up."""

MOST_DEFAULTS = 30
"""Defaults drawn as bars, the largest; the table names all."""

Number = Callable[[int], str]
"""Turns an integer into the decimal number that is drawn."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A line (``x`` in milliseconds), or the markers or bars of one colour. ``y`` are decimal numbers."""

    name: str
    role: str
    x: list[int] | list[str]
    y: list[str]
    form: str = "line"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a chart shows at a time: a label to choose it by, the unit of the axis, the traces."""

    label: str
    unit: str
    traces: list[Trace]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: over time, or bars by category."""

    id: str
    title: str
    about: str
    choices: list[Choice]
    kind: str = "time"
    start: int = 0
    end: int = 0
    extra: dict[str, str] = field(default_factory=dict)


def line(name: str, role: str, points: Sequence[Point], number: Number) -> Trace:
    """A line that keeps its value until the next point."""
    kept = thinned(points)
    return Trace(name, role, [time * 1000 for time, _ in kept], [number(value) for _, value in kept])


def charts_of(run: Run, recorder: Recorder, prefix: str) -> list[Chart]:
    """Every chart of a run that has something to show."""
    start, end = bounds(run)
    made = [
        Chart(
            "prices",
            "Index and mark",
            "Prices per market, with liquidations and defaults.",
            price_choices(run, recorder),
        ),
        Chart(
            "equity",
            "Margin equity and maintenance requirement",
            "Below its requirement an account is liquidatable. A stale price counts at its worst.",
            account_choices(run, recorder),
        ),
        Chart(
            "funds", "Funds and uncovered loss", "What stands behind a default, per pool.", fund_choices(run, recorder)
        ),
        Chart("interest", "Open interest", "Lots that are long, per market.", interest_choices(run, recorder)),
        Chart("waterfall", "Default waterfall", "What each layer bore.", waterfall_choices(run), "bars"),
    ]
    return [
        Chart(f"{prefix}-{chart.id}", chart.title, chart.about, chart.choices, chart.kind, start * 1000, end * 1000)
        for chart in made
        if chart.choices
    ]


def bounds(run: Run) -> tuple[int, int]:
    """First and last second that is drawn: from the first price, or where there is none from the first event."""
    played = run.player.played
    first = next((item for item in played if item.receipt.action == "post_price"), played[0] if played else None)
    end = run.player.state.time
    return (end if first is None else first.event.time), end


def price_choices(run: Run, recorder: Recorder) -> list[Choice]:
    """Index and mark of each market, with its liquidations and its pool's defaults."""
    return [
        Choice(market, run.display.price_unit(*run.display.feeds[market]), price_traces(run, market, group))
        for market, group in recorder.markets.items()
        if group["index"]
    ]


def price_traces(run: Run, market: str, group: dict[str, list[Point]]) -> list[Trace]:
    """The traces of one market."""
    number = price_number(run.display, market)
    found = [line("index", "muted", group["index"], number), line("mark", "main", group["mark"], number)]
    hits = [
        (item.event.time, item.receipt.amounts["price"])
        for item in run.player.played
        if item.receipt.action == "liquidate" and item.receipt.accepted and item.event.action.market == market  # type: ignore[union-attr]
    ]
    pool = run.player.state.markets[market].listing.pool
    times = [item.played.event.time for item in defaults(run) if item.pool == pool]
    falls = [(time, value_at(group["mark"], time)) for time in times]
    found += [markers("liquidation", "warn", hits, number)] if hits else []
    found += [markers("default", "bad", falls, number)] if falls else []
    return found


def price_number(display: Display, market: str) -> Number:
    """Turns a price of a market into the number that is drawn."""
    feed, asset = display.feeds[market]
    return lambda price: display.price_number(price, feed, asset)


def markers(name: str, role: str, points: Sequence[Point], number: Number) -> Trace:
    """Markers at single moments."""
    kept = thinned(points)
    return Trace(name, role, [time * 1000 for time, _ in kept], [number(value) for _, value in kept], "markers")


def value_at(points: Sequence[Point], time: int) -> int:
    """Value of a step series at a time; 0 before its first point."""
    place = bisect_right(points, time, key=lambda point: point[0])
    return points[place - 1][1] if place else 0


def account_choices(run: Run, recorder: Recorder) -> list[Choice]:
    """Each of the accounts that matter most, the sum of the others, and all equities together."""
    named, others = split_accounts(run, recorder)
    state, display = run.player.state, run.display
    pools = {account: state.accounts[account].pool for account in recorder.accounts}
    asset_of = {account: display.asset_of(pool) for account, pool in pools.items()}
    found = []
    for account in named:
        asset = asset_of[account]
        found.append(Choice(account, asset, standing_traces(recorder.accounts[account], amounts(display, asset))))
    for asset in dict.fromkeys(asset_of[account] for account in others):
        group = [recorder.accounts[account] for account in others if asset_of[account] == asset]
        total = {kind: summed([one[kind] for one in group]) for kind in ("equity", "maintenance")}
        found.append(
            Choice(f"{len(group)} other accounts, summed", asset, standing_traces(total, amounts(display, asset)))
        )
    for asset in dict.fromkeys(asset_of[account] for account in named):
        same = [account for account in named if asset_of[account] == asset]
        if len(same) > 1:
            found.append(
                Choice(
                    f"margin equity of {len(same)} accounts", asset, equities(recorder, same, amounts(display, asset))
                )
            )
    return found


def equities(recorder: Recorder, accounts: Sequence[str], number: Number) -> list[Trace]:
    """The equities of several accounts in one chart."""
    return [line(account, "series", recorder.accounts[account]["equity"], number) for account in accounts]


def standing_traces(group: dict[str, list[Point]], number: Number) -> list[Trace]:
    """Equity against requirement."""
    equity = line("margin equity", "main", group["equity"], number)
    return [equity, line("maintenance requirement", "warn", group["maintenance"], number)]


def amounts(display: Display, asset: str) -> Number:
    """Turns an amount of an asset into the number that is drawn."""
    return lambda amount: display.number(amount, asset)


def split_accounts(run: Run, recorder: Recorder) -> tuple[list[str], list[str]]:
    """The accounts drawn by name, those that defaulted or were liquidated first, then the largest; and the others."""
    fallen = [item.account for item in defaults(run)]
    struck = [
        item.receipt.accounts[0]
        for item in run.player.played
        if item.receipt.action == "liquidate" and item.receipt.accepted
    ]
    sizes = {name: max(abs(value) for _, value in group["equity"]) for name, group in recorder.accounts.items()}
    order = dict.fromkeys([*fallen, *struck, *sorted(sizes, key=lambda name: -sizes[name])])
    ranked = list(order)
    return ranked[:MOST_ACCOUNTS], ranked[MOST_ACCOUNTS:]


FUND_ROLES = {
    "insurance_fund": "main",
    "skin_in_the_game": "second",
    "fee_treasury": "muted",
    "uncovered_loss": "bad",
}


def fund_choices(run: Run, recorder: Recorder) -> list[Choice]:
    """The funds of each pool, and its uncovered loss."""
    found = []
    for pool, group in recorder.pools.items():
        asset = run.display.asset_of(pool)
        number = amounts(run.display, asset)
        shown = [(fund, role) for fund, role in FUND_ROLES.items() if any(value for _, value in group[fund])]
        lines = [line(fund.replace("_", " "), role, group[fund], number) for fund, role in shown]
        found += [Choice(pool, asset, lines)] if lines else []
    return found


def interest_choices(run: Run, recorder: Recorder) -> list[Choice]:
    """Open interest of each market that ever had any."""
    return [
        Choice(market, "lots", [line("open interest", "main", group["open_interest"], str)])
        for market, group in recorder.markets.items()
        if any(value for _, value in group["open_interest"])
    ]


LAYER_ROLES = {
    "insurance_fund": "main",
    "skin_in_the_game": "second",
    "tear_up": "warn",
    "gains_haircut": "muted",
    "uncovered_loss": "bad",
}


def waterfall_choices(run: Run) -> list[Choice]:
    """A bar for each of the largest defaults, layer by layer, per settlement asset."""
    cases = defaults(run)
    assets = dict.fromkeys(run.display.asset_of(case.pool) for case in cases)
    return [
        waterfall(run, asset, [case for case in cases if run.display.asset_of(case.pool) == asset]) for asset in assets
    ]


def waterfall(run: Run, asset: str, cases: Sequence[Default]) -> Choice:
    """The bars of the largest defaults in one asset, in the order of events."""
    largest = sorted(cases, key=lambda case: -case.deficit)[:MOST_DEFAULTS]
    shown = sorted(largest, key=lambda case: case.played.event.sequence)
    names = [f"#{case.played.event.sequence} {case.account}" for case in shown]
    borne = [{**dict(case.layers), "uncovered_loss": case.uncovered} for case in shown]
    layers = ordered(name for one in borne for name in one)
    traces = [
        Trace(
            layer.replace("_", " "),
            LAYER_ROLES[layer],
            [run.display.number(one.get(layer, 0), asset) for one in borne],
            names,
            "bars",
        )
        for layer in layers
        if any(one.get(layer) for one in borne)
    ]
    label = f"{asset}" if len(shown) == len(cases) else f"{asset}, the {len(shown)} largest of {len(cases)}"
    return Choice(label, asset, traces)


def ordered(layers: Iterable[str]) -> list[str]:
    """Layers in the order in which they bear, the uncovered loss last."""
    found = dict.fromkeys(layers)
    return [layer for layer in found if layer != "uncovered_loss"] + [
        layer for layer in found if layer == "uncovered_loss"
    ]
