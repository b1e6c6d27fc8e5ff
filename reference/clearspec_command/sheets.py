"""The tables of a report, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clearspec.events import REASONS, Context, Reason
from clearspec.formats import Measure
from clearspec.invariants import INVARIANTS
from clearspec.ledger import Kind, balance, custody_held, house, statement, uncovered_loss
from clearspec.margin import is_liquidatable, standing
from clearspec.scenario import Checked
from clearspec.state import State
from clearspec_command.display import Display, grouped, ratio_text, time_text
from clearspec_command.playing import AT_END, Run, defaults
from clearspec_command.rows import Row, counted, rejections, rows_of

PLAIN, GOOD, BAD, WARN, DIM = "", "good", "bad", "warn", "dim"
"""Tones of a cell."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text and its tone."""

    text: str
    tone: str = PLAIN


@dataclass(slots=True)
class Sheet:
    """A table: its title, its columns, those that hold numbers, and its rows."""

    title: str
    columns: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def add(self, *cells: str | Cell) -> None:
        """Add a row."""
        self.rows.append(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in cells))


def sheets_of(run: Run) -> list[Sheet]:
    """Every table of a run but that of its events; empty ones are left out."""
    found = [
        rejections_sheet(run),
        accounts_sheet(run),
        positions_sheet(run),
        pools_sheet(run),
        defaults_sheet(run),
        expectations_sheet([run]),
    ]
    return [sheet for sheet in found if sheet.rows]


def events_sheet(run: Run, everything: bool, most: int) -> Sheet:
    """The events that matter, in order; the middle of a long list is left out unless everything is asked for."""
    sheet = Sheet("Events", ("#", "time", "actor", "action", "details", "result"), ("#",))
    rows = rows_of(run, everything)
    left_out = 0 if everything else max(0, len(rows) - most)
    for place, row in enumerate(rows):
        if left_out and place == most // 2:
            sheet.add("...", "", "", "", f"{left_out:,} rows left out; --all shows every event", "")
        if not left_out or not most // 2 <= place < most // 2 + left_out:
            add_event(sheet, row)
    return sheet


def add_event(sheet: Sheet, row: Row) -> None:
    """Add the row of one event or of several alike, and its note."""
    event = row.first.event
    tone = BAD if row.reason else DIM if row.routine else PLAIN
    cells = (str(event.sequence), time_text(event.time), row.actor, row.repeated, row.details + row.late, row.outcome)
    sheet.add(*(Cell(cell, tone) for cell in cells))
    if row.note:
        sheet.add("", "", "", "", Cell(row.note, DIM), "")


def rejections_sheet(run: Run) -> Sheet:
    """How often each reason was given, what it means and the rule behind it."""
    sheet = Sheet("Rejections", ("count", "reason", "rule", "meaning"), ("count",))
    for name, count in rejections(run).items():
        rule, meaning = REASONS[Reason(name)]
        sheet.add(f"{count:,}", name, rule, meaning)
    return sheet


def accounts_sheet(run: Run) -> Sheet:
    """Final balances and standing of every account."""
    numbers = ("balance", "margin equity", "net liquidation value", "maintenance")
    sheet = Sheet("Accounts at the end", ("account", "pool", *numbers, "state"), numbers)
    state, display = run.player.state, run.display
    for name, account in state.accounts.items():
        held, asset = standing(Context(state, state.time), name), display.asset_of(account.pool)
        balances = [display.amount(amount, other) for other, amount in statement(state, name).items()]
        figures = (held.margin_equity, held.net_liquidation_value, held.maintenance)
        mark = Cell("liquidatable", WARN) if is_liquidatable(held) else Cell("")
        amounts = [display.amount(figure, asset) for figure in figures]
        sheet.add(name, account.pool, "; ".join(balances), *amounts, mark)
    return sheet


def positions_sheet(run: Run) -> Sheet:
    """Open positions at the end, with the mark."""
    numbers = ("lots", "cost", "mark")
    sheet = Sheet("Positions at the end", ("account", "market", *numbers), numbers)
    state, display = run.player.state, run.display
    for (account, market), position in state.positions.items():
        if position.size or position.cost:
            cost = display.amount(position.cost, display.feeds[market][1])
            mark = display.market_price(state.marks[market].price, market)
            sheet.add(account, market, f"{position.size:,}", cost, mark)
    return sheet


def pools_sheet(run: Run) -> Sheet:
    """Custody, funds and uncovered loss of every pool."""
    numbers = ("custody", "insurance fund", "skin in the game", "fee treasury", "uncovered loss")
    sheet = Sheet("Pools at the end", ("pool", *numbers), numbers)
    state, display = run.player.state, run.display
    for name, pool in state.pools.items():
        figures = pool_figures(state, name, pool.settlement_asset)
        amounts = [display.amount(figure, pool.settlement_asset) for figure in figures]
        sheet.add(name, *amounts[:-1], Cell(amounts[-1], BAD if figures[-1] else PLAIN))
    return sheet


def pool_figures(state: State, pool: str, asset: str) -> tuple[int, ...]:
    """Custody, the three funds and the uncovered loss of a pool, in settlement atoms."""
    funds = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)
    held = (balance(state, house(asset, pool, kind)) for kind in funds)
    return (custody_held(state, asset, pool), *held, uncovered_loss(state, pool))


def defaults_sheet(run: Run) -> Sheet:
    """The waterfall of every default, layer by layer."""
    sheet = Sheet("Defaults, layer by layer", ("#", "time", "account", "layer", "amount"), ("#", "amount"))
    for item in defaults(run):
        event, asset = item.played.event, run.display.asset_of(item.pool)
        start = (str(event.sequence), time_text(event.time), item.account)
        sheet.add(*start, "deficit", run.display.amount(item.deficit, asset))
        for layer, amount in (*item.layers, ("uncovered_loss", item.uncovered)):
            tone = DIM if not amount else BAD if layer == "uncovered_loss" else PLAIN
            sheet.add("", "", "", Cell(layer, tone), Cell(run.display.amount(amount, asset), tone))
    return sheet


def expectations_sheet(runs: Sequence[Run]) -> Sheet:
    """Expected against measured figures; those of several runs one below the other."""
    numbers = ("expected", "measured", "tolerance")
    start = ("variant",) if len(runs) > 1 else ()
    sheet = Sheet("Expectations", (*start, "statement", *numbers, "verdict", "source"), numbers)
    for run in runs:
        for item in run.checks:
            wanted = item.expectation
            figures = [figure(run.display, item, value) for value in (wanted.published, item.measured)]
            verdict = Cell("met", GOOD) if item.met else Cell("MISSED", BAD)
            names = (run.name,) if start else ()
            sheet.add(*names, wanted.statement, *figures, ratio_text(wanted.tolerance), verdict, wanted.source)
    return sheet


def figure(display: Display, item: Checked, value: int) -> str:
    """A figure of an expectation: a count of rejections, or an amount."""
    expectation = item.expectation
    if expectation.measure == Measure.REJECTIONS:
        return grouped(str(value))
    pool = expectation.pool or next(iter(display.settlement), "")
    return display.amount(value, expectation.asset or display.asset_of(pool))


def variants_sheet(runs: Sequence[Run]) -> Sheet:
    """All variants side by side."""
    numbers = ("events", "rejected", "defaults", "uncovered loss")
    sheet = Sheet("Variants", ("variant", *numbers, "verdict"), numbers)
    for run in runs:
        verdict = Cell("; ".join(cell.text for cell in verdicts(run)), GOOD if run.well else BAD)
        figures = (f"{len(run.player.played):,}", f"{run.rejected:,}", f"{len(defaults(run)):,}")
        sheet.add(run.name, *figures, uncovered_text(run), verdict)
    return sheet


def uncovered_text(run: Run) -> str:
    """What all defaults of a run left uncovered, by asset."""
    losses: dict[str, int] = {}
    for case in defaults(run):
        asset = run.display.asset_of(case.pool)
        losses[asset] = losses.get(asset, 0) + case.uncovered
    return "; ".join(run.display.amount(amount, asset) for asset, amount in losses.items())


def verdicts(run: Run) -> list[Cell]:
    """What is to be said about invariants and expectations, good or bad."""
    return [*invariant_verdicts(run), *expectation_verdicts(run)]


def invariant_verdicts(run: Run) -> list[Cell]:
    """That every invariant held, or each that did not."""
    when = "after every event" if run.player.check_each else "at the end"
    found = [Cell(f"{name} does not hold {place_of(seen)}", BAD) for name, seen in run.player.breaches.items()]
    return found or [Cell(f"{len(INVARIANTS)} invariants hold {when}", GOOD)]


def expectation_verdicts(run: Run) -> list[Cell]:
    """How many expectations were met; nothing where there are none."""
    missed = sum(1 for item in run.checks if not item.met)
    met = f"{len(run.checks) - missed} of {counted(len(run.checks), 'expectation')} met"
    return [Cell(met, BAD if missed else GOOD)] if run.checks else []


def place_of(sequence: int) -> str:
    """Where in a run an invariant was first seen not to hold."""
    return "at the end" if sequence == AT_END else f"after event {sequence}"
