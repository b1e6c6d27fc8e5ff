"""mkdocs hook: the site includes the Markdown of spec/ under spec/, from where it stands.

In the checkout docs/ and spec/ are neighbours; on the site spec/ lies within. Pages link as in the checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
NEIGHBOUR = "](../spec/"
WITHIN = "](spec/"


def on_files(files: Files, config: Any) -> Files:
    """Add every Markdown file of the spec to the site."""
    for path in sorted((ROOT / "spec").rglob("*.md")):
        name = path.relative_to(ROOT).as_posix()
        files.append(File(name, str(ROOT), config["site_dir"], config["use_directory_urls"]))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Lead the links of a page to the spec to where it is on the site."""
    return markdown if page.file.src_uri.startswith("spec/") else markdown.replace(NEIGHBOUR, WITHIN)
