"""``clearspec explain``: the text of a rule, the reason behind a rejection, an invariant, and the code of each."""

from __future__ import annotations

import inspect
import json
import os
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.markdown import Markdown
from rich.syntax import Syntax

import clearspec
from clearspec.events import REASONS, Reason
from clearspec.invariants import INVARIANTS
from clearspec.parameters import ENVELOPE
from clearspec.rules import CHAPTERS, IMPLEMENTED, RULE_ID
from clearspec.scenario import spec_folder
from clearspec_command.failures import WELL, BadInput
from clearspec_command.report import console_for, print_sheet, text
from clearspec_command.sheets import Sheet

LIST = "list"

EPILOG = """
Example: clearspec explain insufficient_margin

Example: clearspec explain INV-1

Exit codes: 0 it is shown; 2 there is nothing of this name, or the spec cannot be read; 130 interrupted; 141 the reader
of standard output went away.
"""


@dataclass(frozen=True, slots=True)
class Code:
    """A function or class that implements a rule, and where it stands."""

    name: str
    file: str
    line: int
    source: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about a rule; for a rejection reason also what it means."""

    id: str
    kind: str
    rule: str
    title: str
    chapter: str
    meaning: str
    text: str
    code: list[Code] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    """Of a reason: the other rules whose text names it."""


@cache
def load_reference() -> None:
    """Import every module of the reference, so that every rule that it cites is known."""
    for module in pkgutil.iter_modules(clearspec.__path__):
        import_module(f"clearspec.{module.name}")


def lines_outside_code(body: str) -> Iterator[tuple[str, bool]]:
    """Each line of a Markdown text, and whether it stands outside fenced code."""
    fence = ""
    for line in body.splitlines():
        mark = line.strip()[:3]
        if not fence and mark in ("```", "~~~"):
            fence = mark
            yield line, False
        elif fence and line.strip().startswith(fence):
            fence = ""
            yield line, False
        else:
            yield line, not fence


def sections(body: str) -> dict[str, tuple[str, str]]:
    """Rule id to title and text of every section ``## RULE-ID title`` of a chapter."""
    found: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    current: list[str] = []
    for line, prose in lines_outside_code(body):
        if prose and line.startswith(("## ", "# ")):
            identifier, _, title = line.lstrip("#").strip().partition(" ")
            current = []
            if line.startswith("## ") and RULE_ID.fullmatch(identifier):
                titles[identifier] = title.strip()
                found[identifier] = current
        else:
            current.append(line)
    return {identifier: (titles[identifier], "\n".join(part).strip()) for identifier, part in found.items()}


@cache
def chapter_sections(chapter: str) -> dict[str, tuple[str, str]]:
    """The sections of a chapter; none while it is not written."""
    path = spec_folder() / f"{chapter}.md"
    try:
        return sections(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None


def chapter_of(rule: str) -> str:
    """The chapter of a rule."""
    return CHAPTERS[rule.partition("-")[0]]


def rule_ids() -> list[str]:
    """Every rule that the spec, the code or a reason names, by chapter and number."""
    load_reference()
    found = set(IMPLEMENTED) | {rule for rule, _ in REASONS.values()}
    for chapter in CHAPTERS.values():
        found |= set(chapter_sections(chapter))
    order = list(CHAPTERS)
    return sorted(found, key=lambda rule: (order.index(rule.partition("-")[0]), int(rule.partition("-")[2])))


def sentence_of(rule: str) -> str:
    """The sentence of an invariant; empty for another rule."""
    return next((entry.sentence for entry in INVARIANTS if entry.id == rule), "")


def title_of(rule: str) -> str:
    """Title of a rule: that of its section, else the sentence of the invariant, else what its first function says."""
    title, _ = chapter_sections(chapter_of(rule)).get(rule, ("", ""))
    functions = IMPLEMENTED.get(rule, [])
    said = (inspect.getdoc(functions[0]) or "").split("\n")[0] if functions else ""
    return title or sentence_of(rule) or said


def code_of(function: Callable[..., Any]) -> Code:
    """Where a function or class stands, and its source."""
    target = inspect.unwrap(function)
    lines, line = inspect.getsourcelines(target)
    path = Path(inspect.getsourcefile(target) or "").resolve()
    home = Path(next(iter(clearspec.__path__))).resolve().parent
    place = path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)
    return Code(target.__qualname__, place, line, inspect.cleandoc("\n" + "".join(lines)))


def rules_that_name(reason: str) -> list[str]:
    """Every rule whose text, outside its example, names a rejection reason; in order."""

    def names(body: str) -> bool:
        return any(prose and f"`{reason}`" in line for line, prose in lines_outside_code(body))

    found = (chapter_sections(chapter) for chapter in CHAPTERS.values())
    return [rule for chapter in found for rule, (_, body) in chapter.items() if names(body)]


def explain_rule(rule: str, identifier: str = "", kind: str = "", meaning: str = "") -> Explanation:
    """The explanation of a rule, asked for by its own id or by that of something it stands behind."""
    own = "invariant" if rule.startswith("INV-") else "rule"
    _, body = chapter_sections(chapter_of(rule)).get(rule, ("", ""))
    code = [code_of(function) for function in IMPLEMENTED.get(rule, [])]
    said = meaning or sentence_of(rule)
    return Explanation(identifier or rule, kind or own, rule, title_of(rule), chapter_of(rule), said, body, code)


def explain(name: str) -> Explanation:
    """The explanation of a rule id, an invariant, a rejection reason or an inequality of the envelope.

    Capitals do not matter.

    Raises:
        BadInput: there is none of this name; close ones are named.
    """
    rules, reasons = rule_ids(), [reason.value for reason in Reason]
    if name.upper() in rules:
        return explain_rule(name.upper())
    if name.lower() in reasons:
        rule, meaning = REASONS[Reason(name.lower())]
        found = explain_rule(rule, name.lower(), "reason", meaning)
        return replace(found, also=[other for other in rules_that_name(found.id) if other != rule])
    inequality = name.lower().partition(" ")[0]
    if inequality in ENVELOPE:
        return explain_rule(ENVELOPE[inequality], inequality, "inequality", "An inequality of the envelope.")
    close = get_close_matches(name.upper(), rules, 3, 0.5)
    close += get_close_matches(name.lower(), [*reasons, *ENVELOPE], 3, 0.5)
    hint = f"close are {', '.join(close)}" if close else "clearspec explain list shows them all"
    raise BadInput(
        f"{name[:80]}: expected a rule id, a rejection reason, an invariant or an inequality of the envelope, {hint}"
    )


def print_explanation(console: Console, found: Explanation) -> None:
    """Print an explanation: meaning, rule text, code."""
    console.print(text(f"{found.rule} {found.title}", "bold underline"))
    if found.kind == "reason":
        console.print(text(f"Reason {found.id}: {found.meaning}", "bold red"))
        if found.also:
            console.print(text(f"The reason is also named in {', '.join(found.also)}.", "dim"))
    elif found.kind == "inequality":
        console.print(text(f"Inequality {found.id} of the envelope: see its row below.", "bold red"))
    elif found.kind == "invariant":
        console.print(text(found.meaning, "bold"))
    console.print()
    if found.text:
        console.print(Markdown(found.text))
    else:
        console.print(text(f"The chapter {found.chapter} has no text of {found.rule}; its code:", "dim"))
    for code in found.code:
        console.print(Group(text(""), text(f"{located(code)}  {code.name}", "bold cyan")))
        console.print(Syntax(code.source, "python", line_numbers=True, start_line=code.line, theme="ansi_dark"))
    if not found.code:
        console.print(text(f"No code of the reference cites {found.rule}.", "dim"))


def located(code: Code) -> str:
    """File and line of a piece of code, from the current folder where that is shorter."""
    path = Path(next(iter(clearspec.__path__))).resolve().parent / code.file
    try:
        shown = min(str(path), os.path.relpath(path), key=len)
    except ValueError:
        shown = str(path)
    return f"{shown}:{code.line}"


def print_list(console: Console) -> None:
    """Print every chapter with its prefix and rules."""
    for prefix, chapter in CHAPTERS.items():
        sheet = Sheet(f"{prefix}  {chapter}", ("rule", "title", "text", "functions"), ("functions",))
        for rule in rule_ids():
            if rule.partition("-")[0] == prefix:
                written = "yes" if rule in chapter_sections(chapter) else "no"
                sheet.add(rule, title_of(rule), written, str(len(IMPLEMENTED.get(rule, []))))
        print_sheet(console, sheet)


def listing() -> dict[str, Any]:
    """Every chapter with its rules, every reason and every inequality of the envelope, for machines."""
    rules = [{"id": rule, "chapter": chapter_of(rule), "title": title_of(rule)} for rule in rule_ids()]
    reasons = [{"id": reason.value, "rule": rule, "meaning": said} for reason, (rule, said) in REASONS.items()]
    inequalities = [{"id": name, "rule": rule} for name, rule in ENVELOPE.items()]
    return {"chapters": CHAPTERS, "rules": rules, "reasons": reasons, "inequalities": inequalities}


@click.command(epilog=EPILOG, short_help="Show a rule's text and its code.")
@click.argument("name", metavar="RULE|REASON|INV-n|INEQUALITY|list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str, as_json: bool) -> int:
    """Show the text of a rule from the specification and the code that implements it.

    A rejection reason shows what it means and the rule behind it; an invariant (INV-1 ...) its sentence; an inequality
    of the envelope (gap-up) the rule that states it; list shows the chapters with their prefixes and rules.
    """
    if name.lower() == LIST:
        if as_json:
            click.echo(json.dumps(listing(), indent=2))
        else:
            print_list(console_for())
        return WELL
    found = explain(name)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        print_explanation(console_for(), found)
    return WELL
