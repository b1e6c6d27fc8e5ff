"""``clearspec explain``: text and code of rules, reasons and invariants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import clearspec
from clearspec.events import REASONS
from clearspec.rules import CHAPTERS, IMPLEMENTED
from clearspec_command import explain as module
from clearspec_command.explain import chapter_sections, explain, rule_ids, sections
from clearspec_command.main import main

CHAPTER = """# Funding

## FUND-3 The rate

Text of `FUND-3`.

```python
## FUND-9 not a section, a comment of the code
assert 1 + 1 == 2
```

### Below

More.

## FUND-4 Accrual

~~~
# Nor is this a chapter
~~~

## Notes

Not a rule.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A spec that has one chapter."""
    (tmp_path / "funding.md").write_text(CHAPTER, encoding="utf-8")
    monkeypatch.setattr(module, "spec_folder", lambda: tmp_path)
    chapter_sections.cache_clear()
    yield tmp_path
    chapter_sections.cache_clear()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["explain", *arguments]) == code
    return capsys.readouterr().out


def test_sections_end_at_the_next_heading_and_not_in_code() -> None:
    found = sections(CHAPTER)
    assert list(found) == ["FUND-3", "FUND-4"]
    title, text = found["FUND-3"]
    assert title == "The rate"
    assert text.startswith("Text of `FUND-3`.")
    assert "## FUND-9 not a section" in text
    assert text.endswith("### Below\n\nMore.")
    assert found["FUND-4"] == ("Accrual", "~~~\n# Nor is this a chapter\n~~~")


def test_a_rule_is_shown_with_its_text_and_its_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "fund-3")
    assert text.startswith("FUND-3 The rate")
    assert "Text of FUND-3." in text
    assert "funding.py:" in text
    assert "def funding_rate(" in text
    assert "def accrued(" not in text


def test_the_line_of_the_code_is_where_it_stands() -> None:
    (code,) = explain("FUND-3").code
    lines = (Path(clearspec.__path__[0]).parent / code.file).read_text(encoding="utf-8").splitlines()
    assert lines[code.line - 1] == '@rule("FUND-3")'
    assert code.source.splitlines()[0] == '@rule("FUND-3")'


def test_a_rule_without_text_shows_its_code_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "LEDG-2")
    assert "has no text of LEDG-2" in text
    assert "def post(" in text


def test_a_rule_without_code_shows_its_text_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(IMPLEMENTED, "FUND-3")
    text = printed(capsys, "FUND-3")
    assert "Text of FUND-3." in text
    assert "No code of the reference cites FUND-3." in text


def test_a_reason_is_shown_with_its_meaning_and_the_rule_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "INSUFFICIENT_MARGIN")
    assert text.startswith("MARG-10 ")
    assert (
        "Reason insufficient_margin: The account is below initial margin after the fill and worse than before." in text
    )
    assert "def has_initial_margin(" in text


def test_an_invariant_is_shown_with_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "INV-1")
    assert "The balances of each (asset, pool) sum to zero." in text
    assert "def balances_sum_to_zero(" in text


def test_every_rule_and_reason_can_be_explained() -> None:
    for name in [*rule_ids(), *(reason.value for reason in REASONS)]:
        found = explain(name)
        assert found.title, name
        assert found.text or found.code, name


def test_every_rule_that_the_reference_cites_is_listed() -> None:
    assert set(IMPLEMENTED) <= set(rule_ids())
    assert rule_ids().index("FUND-2") < rule_ids().index("FUND-10" if "FUND-10" in rule_ids() else "FUND-6")


@pytest.mark.parametrize(
    ("name", "close"),
    [("FUND-99", "FUND-"), ("insuficient_margin", "insufficient_margin"), ("zzz", "clearspec explain list")],
)
def test_an_unknown_name_names_close_ones(capsys: pytest.CaptureFixture[str], name: str, close: str) -> None:
    assert main(["explain", name]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {name}: expected a rule id")
    assert close in message
    assert message.count("\n") == 1


def test_the_list_has_every_chapter_and_rule(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "list")
    assert all(f"{prefix}  {chapter}" in text for prefix, chapter in CHAPTERS.items())
    assert all(f"\n{rule} " in text for rule in rule_ids())


def test_json_of_a_rule_and_of_the_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "funding_not_due", "--json"))
    assert (found["id"], found["kind"], found["rule"]) == ("funding_not_due", "reason", "FUND-5")
    assert found["code"][0]["file"] == "clearspec/funding.py"
    assert set(found) == {"id", "kind", "rule", "title", "chapter", "meaning", "text", "code", "also"}
    listed = json.loads(printed(capsys, "list", "--json"))
    assert {"id": "FUND-3", "chapter": "funding", "title": "The rate"} in listed["rules"]
    assert len(listed["reasons"]) == len(REASONS)
