"""A run as one self-contained page: charts, tables, facts, expectations. It loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from clearspec.formats import Scenario
from clearspec_command.charts import Chart, charts_of
from clearspec_command.display import is_calendar, plain, time_text
from clearspec_command.playing import Run, defaults
from clearspec_command.rows import actions, rows_of
from clearspec_command.series import Recorder
from clearspec_command.sheets import (
    BAD,
    GOOD,
    Cell,
    Sheet,
    expectation_verdicts,
    expectations_sheet,
    invariant_verdicts,
    sheets_of,
    uncovered_text,
    variants_sheet,
)

MOST_EVENTS = 1500
"""Rows of events on a page; the rest is in the log."""

TEMPLATE = "page.html"


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of the table of events."""

    number: int
    time: str
    actor: str
    action: str
    name: str
    details: str
    outcome: str
    note: str
    tone: str


@dataclass(frozen=True, slots=True)
class Section:
    """Everything that the page says about one run."""

    id: str
    name: str
    description: str
    tiles: list[tuple[str, Cell]]
    charts: list[Chart]
    sheets: list[Sheet]
    events: list[EventRow]
    left_out: int
    names: list[str]


def page(runs: Sequence[Run], recorders: Sequence[Recorder]) -> str:
    """The page of one or several runs of a scenario."""
    sections = [
        section(run, recorder, f"run{place}") for place, (run, recorder) in enumerate(zip(runs, recorders, strict=True))
    ]
    scenario = runs[0].scenario
    comparison = [expectations_sheet(runs), variants_sheet(runs)] if len(runs) > 1 else []
    return template().render(
        title=plain(scenario.title) or "A run",
        description=scenario.description,
        sections=sections,
        comparison=[sheet for sheet in comparison if sheet.rows],
        facts=facts(scenario),
        data=[asdict(chart) for one in sections for chart in one.charts],
        calendar=is_calendar(runs[0].player.state.time),
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
    )


def template() -> Template:
    """The template, in which every text is escaped."""
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        loader=FunctionLoader(lambda name: source if name == TEMPLATE else None),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE)


def section(run: Run, recorder: Recorder, identifier: str) -> Section:
    """What the page says about a run."""
    events, left_out = event_rows(run)
    return Section(
        identifier,
        run.name,
        "" if run.variant is None else run.variant.description,
        tiles(run),
        charts_of(run, recorder, identifier),
        sheets_of(run),
        events,
        left_out,
        sorted({row.name for row in events}),
    )


def tiles(run: Run) -> list[tuple[str, Cell]]:
    """The figures at the head of a run."""
    cases = defaults(run)
    counts = [
        ("events", Cell(f"{len(run.player.played):,}")),
        ("accepted", Cell(f"{run.accepted:,}")),
        ("rejected", Cell(f"{run.rejected:,}")),
        ("liquidations", Cell(f"{actions(run).get('liquidate', 0):,}")),
        ("defaults", Cell(f"{len(cases):,}", BAD if cases else GOOD)),
        ("uncovered loss", Cell(uncovered_text(run) or "none", BAD if any(case.uncovered for case in cases) else GOOD)),
    ]
    held = [("invariants", cell) for cell in invariant_verdicts(run)]
    return counts + held + [("expectations", cell) for cell in expectation_verdicts(run)]


def event_rows(run: Run) -> tuple[list[EventRow], int]:
    """The rows of the table of events, and how many were left out from its middle."""
    rows = rows_of(run)
    left_out = max(0, len(rows) - MOST_EVENTS)
    kept = rows if not left_out else rows[: MOST_EVENTS // 2] + rows[-MOST_EVENTS // 2 :]
    return [
        EventRow(
            row.first.event.sequence,
            time_text(row.first.event.time),
            row.actor,
            row.repeated,
            row.action,
            row.details + row.late,
            row.outcome,
            row.note,
            "bad" if row.reason else "dim" if row.routine else "",
        )
        for row in kept
    ], left_out


def facts(scenario: Scenario) -> list[dict[str, str]]:
    """What the scenario rests on; a source that is an address becomes a link."""
    return [
        {
            "statement": fact.statement,
            "known": fact.known.value,
            "source": fact.source,
            "link": fact.source if fact.source.startswith(("https://", "http://")) and " " not in fact.source else "",
        }
        for fact in scenario.facts
    ]
