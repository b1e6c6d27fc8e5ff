"""The spec and the code say the same: every rule has text, code and a worked example that runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

import clearspec.invariants
import clearspec.machine
import clearspec.scenario
import clearspec.snapshot  # noqa: F401
from clearspec.events import REASONS
from clearspec.rules import CHAPTERS, IMPLEMENTED, RULE_ID
from clearspec.scenario import spec_folder

HEADING = re.compile(r"^## (\S+) (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    rule: str
    title: str
    text: str
    chapter: str

    @property
    def examples(self) -> list[str]:
        return BLOCK.findall(self.text)


def sections(chapter: str) -> list[Section]:
    text = (spec_folder() / f"{chapter}.md").read_text(encoding="utf-8")
    found = list(HEADING.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        Section(match[1], match[2], text[match.end() : end], chapter) for match, end in zip(found, ends, strict=True)
    ]


SECTIONS = [section for chapter in CHAPTERS.values() for section in sections(chapter)]


def test_every_rule_has_one_section_in_its_chapter() -> None:
    seen: set[str] = set()
    for section in SECTIONS:
        assert RULE_ID.fullmatch(section.rule), section
        assert CHAPTERS[section.rule.rsplit("-", 1)[0]] == section.chapter, section.rule
        assert section.rule not in seen, section.rule
        seen.add(section.rule)


def test_spec_and_code_cite_the_same_rules() -> None:
    written = {section.rule for section in SECTIONS}
    assert written - set(IMPLEMENTED) == set(), "rules without code"
    assert set(IMPLEMENTED) - written == set(), "code without a rule"
    assert {rule for rule, _ in REASONS.values()} <= written


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_worked_example_runs(section: Section) -> None:
    assert section.examples, f"{section.rule} has no worked example"
    for example in section.examples:
        exec(compile(example, f"<{section.rule}>", "exec"), {"__name__": section.rule})


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_worked_example_asserts_something(section: Section) -> None:
    for example in section.examples:
        assert any(word in example for word in ("assert", "expect=", "Reason.")), section.rule
