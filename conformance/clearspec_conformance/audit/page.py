"""An audit as one self-contained page. It loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from clearspec_conformance.audit.formats import AuditReport, FindingRecord
from clearspec_conformance.audit.reports import stop_line, verdict_line
from clearspec_conformance.audit.tallies import Series
from clearspec_conformance.audit.terminal import headline, unfound_lines, why_not

TEMPLATE = "page.html"
MOST_SHOWN = 200
"""Findings on a page; all that are kept stand in the JSON report."""


def tiles(report: AuditReport) -> Iterator[tuple[str, str, str]]:
    """The figures at the head: label, text, tone."""
    found = sum(report.found.values())
    yield "events", f"{report.events:,}", ""
    yield "accepted", f"{sum(report.accepted.values()):,}", ""
    yield "rejected", f"{sum(report.rejected.values()):,}", ""
    yield "snapshots", f"{report.snapshots:,}", ""
    yield "findings", f"{found:,}", "bad" if found else "good"
    yield "first at step", f"{report.first_step:,}" if found else "none", "bad" if found else "good"
    if report.skipped:
        yield "lines skipped", f"{report.skipped:,}", "warn"


def finding_chart(report: AuditReport) -> dict[str, Any] | None:
    """Where findings lie: a point for each, by step and rule."""
    if not report.findings:
        return None
    groups = {"differs from the reference": False, "breaks an invariant by its own numbers": True}
    traces = [
        {
            "name": name,
            "mode": "markers",
            "x": [one.step for one in report.findings if is_breach(one) == breach],
            "y": [one.rule for one in report.findings if is_breach(one) == breach],
        }
        for name, breach in groups.items()
    ]
    shown = [one for one in traces if one["x"]]
    return {"id": "where", "x": "step", "traces": shown, "category": True, "range": [0, report.events + 1]}


def is_breach(one: FindingRecord) -> bool:
    """Whether a finding is about the engine's own numbers."""
    return one.subject.value == "invariant"


def figure_charts(series: Series) -> Iterator[dict[str, Any]]:
    """The engine's own figures along the log, pool by pool; numbers go as text, as exact as they are."""
    names = list(dict.fromkeys(name for _, values in series.points for name in values))
    for pool in dict.fromkeys(name.rpartition(" ")[0] for name in names):
        traces = []
        for name in (name for name in names if name.rpartition(" ")[0] == pool):
            points = [(line, values[name]) for line, values in series.points if name in values]
            label = name.rpartition(" ")[2].replace("_", " ")
            x, y = [line for line, _ in points], [str(value) for _, value in points]
            traces.append({"name": label, "mode": "lines", "x": x, "y": y})
        shown = [trace for trace in traces if any(value != "0" for value in trace["y"])]
        if shown:
            yield {"id": f"pool{pool}", "title": pool, "x": "line of the log", "traces": shown, "category": False}


def page(report: AuditReport, series: Series) -> str:
    """The page of an audit."""
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        loader=FunctionLoader(lambda name: source if name == TEMPLATE else None),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"headline": headline, "why_not": why_not}
    pools, where = list(figure_charts(series)), finding_chart(report)
    return environment.get_template(TEMPLATE).render(
        report=report,
        verdict=verdict_line(report),
        stop=stop_line(report),
        tiles=list(tiles(report)),
        findings=report.findings[:MOST_SHOWN],
        unfound=unfound_lines(report),
        left_out=sum(report.found.values()) - min(MOST_SHOWN, len(report.findings)),
        where=where,
        pools=pools,
        data=[*([where] if where else []), *pools],
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
    )
