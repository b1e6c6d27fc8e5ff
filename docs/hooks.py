"""mkdocs hook: the site includes the Markdown of spec/ under spec/, from where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: Any) -> Files:
    """Add every Markdown file of the spec to the site."""
    for path in sorted((ROOT / "spec").rglob("*.md")):
        name = path.relative_to(ROOT).as_posix()
        files.append(File(name, str(ROOT), config["site_dir"], config["use_directory_urls"]))
    return files
