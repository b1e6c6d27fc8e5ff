"""What a reader relies on: strict types, lint, layering, short functions, standard library only, no float."""

from __future__ import annotations

import ast
import shutil
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "reference" / "clearspec"
MODULES = sorted(PACKAGE.glob("*.py"))
EDGE = ("scenario.py", "history.py", "keepers.py", "sandbox.py")
"""Modules around the state machine that may read files or decimals; nothing that ``apply`` runs is among them."""


def tool(*command: str) -> str:
    scripts = sysconfig.get_path("scripts")
    found = shutil.which(command[0], path=scripts) or shutil.which(command[0])
    if found is None:
        pytest.skip(f"{command[0]} is not installed")
    run = subprocess.run([found, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def test_lint() -> None:
    assert tool("ruff", "check", "reference", "conformance", "proofs", "docs") == ""


def test_format() -> None:
    assert tool("ruff", "format", "--check", "reference", "conformance", "proofs", "docs") == ""


def test_types() -> None:
    assert tool("mypy") == ""


def test_layers() -> None:
    assert tool("lint-imports") == ""


def functions() -> list[tuple[str, ast.FunctionDef, int]]:
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                docstring = ast.get_docstring(node) is not None
                start = node.body[1].lineno if docstring and len(node.body) > 1 else node.body[0].lineno
                found.append((f"{path.name}:{node.name}", node, (node.end_lineno or start) - start + 1))
    return found


def test_functions_are_short() -> None:
    """Lines of the body without the docstring. EELS has a median of 13 lines a function."""
    lengths = {name: length for name, _, length in functions()}
    assert statistics.median(lengths.values()) <= 8
    long = {name: length for name, length in lengths.items() if length > 36}
    assert long == {}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_standard_library_only(path: Path) -> None:
    assert imported(path) <= set(sys.stdlib_module_names) | {"clearspec"}


FORBIDDEN = {"random", "time", "datetime", "decimal", "os", "socket", "threading", "math", "fractions"}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name not in EDGE], ids=lambda path: path.name)
def test_no_float_clock_or_chance(path: Path) -> None:
    assert imported(path) & FORBIDDEN == set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{path.name}:{node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id == "float"), f"{path.name}:{node.lineno}"
        if isinstance(node, ast.BinOp):
            assert not isinstance(node.op, ast.Div), f"{path.name}:{node.lineno}"


KERNEL_DIVISIONS = {"numerics.py", "keepers.py", "merkle.py"}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name not in EDGE], ids=lambda path: path.name)
def test_divisions_are_named(path: Path) -> None:
    """A bare `//` or `%` stands in numerics alone; everywhere else a division has a name with its direction."""
    if path.name in KERNEL_DIVISIONS:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert not isinstance(node.op, ast.FloorDiv | ast.Mod), f"{path.name}:{node.lineno}"
