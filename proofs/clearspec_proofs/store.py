"""Where proofs are kept: certificates compressed, one file a chapter, beside a manifest. Standard library only."""

from __future__ import annotations

import ast
import json
import lzma
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import clearspec
from clearspec_proofs.lifting.recorded import Nodes, decoded, encoded
from clearspec_proofs.theorems import MODULES

PACKAGE = "clearspec_proofs"
FORMAT = "clearspec/proofs/1"
MANIFEST = "manifest.json"
UNPACKED_MAX = 1 << 30
"""Bytes of certificates of one chapter, unpacked."""


class StoreError(ValueError):
    """Stored proofs that cannot be read; the message names the file."""


@dataclass(slots=True)
class Manifest:
    """What was proved, of which sources, by which solvers."""

    sources: dict[str, str]
    solvers: dict[str, str]
    theorems: list[dict[str, Any]] = field(default_factory=list)

    @property
    def digests(self) -> dict[str, str]:
        """Digest of the obligations of each proved theorem."""
        return {
            entry["name"]: entry["obligations_digest"] for entry in self.theorems if entry.get("status") == "proved"
        }


def package_folder() -> Path:
    """Folder of this package."""
    return Path(__file__).parent


def default_folder() -> Path:
    """Where the proofs of this distribution are: in a checkout beside the package, else inside it."""
    beside = package_folder().parent / "certificates"
    return beside if beside.is_dir() else package_folder() / "certificates"


def imported_by(path: Path) -> set[str]:
    """Modules of this package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if module_file(name).is_file()}


def module_file(name: str) -> Path:
    """The file of a module of this package."""
    return package_folder().joinpath(*name.split(".")[1:]).with_suffix(".py")


def source_files() -> dict[str, Path]:
    """Every file that a proof depends on: the reference, the theorems, and what states and checks them."""
    found = {f"clearspec/{path.name}": path for path in sorted(Path(clearspec.__file__).parent.glob("*.py"))}
    waiting = {f"{PACKAGE}.{chapter}" for chapter in MODULES} | {f"{PACKAGE}.lifting.recorded"}
    known: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in known and module_file(name).is_file():
            known.add(name)
            waiting |= imported_by(module_file(name))
    return {**found, **{f"{name.replace('.', '/')}.py": module_file(name) for name in sorted(known)}}


def source_digests() -> dict[str, str]:
    """SHA-256 of every file that a proof depends on."""
    return {name: sha256(path.read_bytes()).hexdigest() for name, path in source_files().items()}


def stale_sources(manifest: Manifest) -> list[str]:
    """Files that are not as they were when the proofs were stored."""
    now = source_digests()
    return [name for name in sorted({*now, *manifest.sources}) if now.get(name) != manifest.sources.get(name)]


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a folder of proofs.

    Raises:
        StoreError: there is none, or it is none.
    """
    path = Path(folder) / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise StoreError(f"{path}: format {document['format']!r}, not {FORMAT!r}")
        return Manifest(document["sources"], document["solvers"], document["theorems"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise StoreError(f"{path}: {fault}") from fault


def read_nodes(folder: str | Path, chapter: str) -> dict[str, Nodes]:
    """The certificates of a chapter's theorems.

    Raises:
        StoreError: they are not there, or too long, or damaged.
    """
    path = Path(folder) / f"{chapter}.json.xz"
    try:
        with lzma.open(path) as file:
            raw = file.read(UNPACKED_MAX + 1)
        if len(raw) > UNPACKED_MAX:
            raise StoreError(f"{path}: more than {UNPACKED_MAX} bytes")
        return {name: decoded(nodes) for name, nodes in json.loads(raw).items()}
    except (OSError, ValueError, EOFError, AttributeError, lzma.LZMAError) as fault:
        raise StoreError(f"{path}: {fault}") from fault


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    rough = path.with_name(f".{path.name}.{os.getpid()}")
    rough.write_bytes(data)
    os.replace(rough, path)


def write_chapter(folder: Path, chapter: str, nodes: dict[str, Nodes]) -> None:
    """Store the certificates of a chapter."""
    document = {name: encoded(entry) for name, entry in sorted(nodes.items())}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    _write(folder / f"{chapter}.json.xz", lzma.compress(text.encode(), preset=6))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Store the manifest."""
    document = {
        "format": FORMAT, "solvers": manifest.solvers, "sources": manifest.sources, "theorems": manifest.theorems,
    }  # fmt: skip
    _write(folder / MANIFEST, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
