"""A run as one self-contained page. It loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from clearspec_command.display import plain
from clearspec_conformance.formats import Implementation, Tally, Verdict
from clearspec_conformance.reports import Finished, failure_document
from clearspec_conformance.verdicts import BAD, Result, by_rule, shown, tally

TEMPLATE = "page.html"
COUNTED = ("vectors", "passed", "failed", "skipped", "errored", "hung")
TONES = ("", "good", "bad", "warn", "bad", "bad")


def engine_name(engine: Implementation) -> str:
    """An engine in a line."""
    return plain(" ".join(part for part in (engine.name, engine.version) if part), 200)


def verdict_line(finished: Finished) -> str:
    """The run in a line."""
    counts = finished.summary
    parts = [f"{getattr(counts, name):,} {name}" for name in COUNTED[1:] if getattr(counts, name) or name == "passed"]
    parts += [f"{finished.outcome.not_run:,} not run"] if finished.outcome.not_run else []
    return f"{counts.vectors:,} vectors: {', '.join(parts)}"


def about_line(finished: Finished) -> str:
    """What was run, in a line."""
    engine = finished.outcome.implementation
    claimed = ", ".join(engine.features) or "nothing"
    parts = [f"Written in {engine.language}." if engine.language else "", f"Claims {plain(claimed)}."]
    if finished.selection is not None:
        only = f", only {', '.join(finished.selection.only)}" if finished.selection.only else ""
        parts.append(f"Tier {finished.selection.tier.value}{only}.")
    return " ".join(part for part in parts if part)


def by_chapter(results: Iterable[Result]) -> dict[str, Tally]:
    """Chapter to the verdicts on its vectors."""
    found = list(results)
    chapters = dict.fromkeys(one.chapter for one in sorted(found, key=lambda one: one.chapter))
    return {chapter: tally(one.verdict for one in found if one.chapter == chapter) for chapter in chapters}


def vector_row(found: Result) -> dict[str, Any]:
    """A row of the table of vectors."""
    tone = "bad" if found.verdict in BAD else "warn" if found.verdict == Verdict.SKIPPED else "good"
    return {
        "id": found.id,
        "verdict": found.verdict.value,
        "tone": tone,
        "rules": " ".join(found.rules),
        "why": plain(found.why, 300),
        "milliseconds": f"{1000 * found.seconds:.1f}",
    }


def page(finished: Finished) -> str:
    """The page of a run."""
    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        loader=FunctionLoader(lambda name: source if name == TEMPLATE else None),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    results, counts = finished.outcome.results, finished.summary
    tiles = [(name, f"{value:,}", tone if value else "") for name, value, tone in zip(COUNTED, astuple(counts), TONES)]  # noqa: B905
    tables = [
        (heading, [(name, astuple(row)) for name, row in rows.items()])
        for heading, rows in (("By chapter", by_chapter(results)), ("By rule", by_rule(results)))
        if rows
    ]
    return environment.get_template(TEMPLATE).render(
        title=f"Conformance of {engine_name(finished.outcome.implementation) or 'an engine'}",
        well=finished.well,
        verdict=verdict_line(finished),
        about=about_line(finished),
        tiles=[*tiles, ("seconds", f"{finished.outcome.seconds:.1f}", "")],
        failures=[failure_document(found) for found in results if found.bad],
        tables=tables,
        counted=COUNTED,
        tones=TONES,
        vectors=[vector_row(found) for found in sorted(results, key=lambda one: not one.bad)],
        suite=finished.suite,
    )
