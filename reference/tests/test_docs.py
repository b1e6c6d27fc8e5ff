"""What is written for readers: links that lead somewhere in the checkout and on the site, and lists that are whole."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearspec_command.main import project

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "spec").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> Iterator[str]:
    """Targets of the relative links of a page, without their anchors."""
    for target in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target and not target.startswith("#"):
            yield target.partition("#")[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_in_the_checkout(page: Path) -> None:
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


def test_links_lead_somewhere_on_the_site(tmp_path: Path) -> None:
    """The build ends with an error where a link leads nowhere."""
    pytest.importorskip("mkdocs")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")
    assert 'href="../spec/protocol/"' in (site / "join" / "index.html").read_text(encoding="utf-8")


def test_the_start_page_links_every_page_of_the_site() -> None:
    index = set(links(ROOT / "docs" / "index.md"))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= index
    named = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name in named if "/" not in name} - {"index.md"} <= index


def test_the_readme_lists_every_command() -> None:
    listed = re.findall(r"^\| `clearspec ([a-z]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(project()["entry-points"]["clearspec.commands"])


def test_extras_are_installed_from_the_checkout() -> None:
    """One form everywhere, that of a checkout; and the extras are there."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert "pip install 'clearspec" not in text, page
        for names in re.findall(r"'\.\[([a-z,-]+)\]'", text):
            assert set(names.split(",")) <= set(project()["optional-dependencies"]), page
