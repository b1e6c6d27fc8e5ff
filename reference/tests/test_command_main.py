"""The command as a whole: it gathers registered commands, and says what it is."""

from __future__ import annotations

import ast
import re
import sys
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import click
import pytest

import clearspec
from clearspec_command import main as module
from clearspec_command.display import amount_text, cut, exact, grouped, plain, ratio_text, time_text
from clearspec_command.failures import EXTRAS
from clearspec_command.main import OWN, main, project, registered


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in OWN)
    assert "Example:" in text
    assert "Exit codes:" in text


@pytest.mark.parametrize("name", ["run", "schemas"])
def test_each_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Example: clearspec {name} " in text
    assert "Exit codes: 0 all is well;" in text


def test_explain_says_its_own_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Example: clearspec explain INV-1 Exit codes: 0 it is shown; 2 there is nothing of this name" in text


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"clearspec {project()['version']}")


def test_our_own_commands_are_those_of_the_project() -> None:
    declared = project()["entry-points"][module.GROUP]
    assert {name: declared[name] for name in OWN} == OWN


def installed(folder: Path, entries: str) -> None:
    """A distribution that registers commands."""
    info = folder / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[clearspec.commands]\n{entries}\n")


def test_a_command_that_another_part_registers_is_found_and_its_result_is_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path, "seven = other_commands:seven")
    code = "import click\n\n@click.command(help='Seven.')\ndef seven():\n    click.echo('here')\n    return 7\n"
    (tmp_path / "other_commands.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registered()["seven"] == "other_commands:seven"
    assert main(["seven"]) == 7
    assert capsys.readouterr().out == "here\n"
    assert main(["--help"]) == 0
    assert "Seven." in capsys.readouterr().out


@pytest.mark.parametrize("place", ["no_such_module:command", "json:no_such_attribute", "json:dumps"])
def test_a_command_that_cannot_be_loaded_says_so_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    installed(tmp_path, f"broken = {place}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["--help"]) == 0
    assert "broken" in capsys.readouterr().out
    assert main(["broken", "--option", "x"]) == 2
    assert capsys.readouterr().err.startswith("error: the command broken cannot be loaded: ")
    assert main(["explain", "INV-1"]) == 0


@pytest.mark.parametrize(
    ("library", "extra"),
    [("z3", "proofs"), ("hypothesis", "conformance"), ("pyarrow.parquet", "audit"), ("backports.zstd", "audit"),
     ("prometheus_client", "audit"), ("distributed", "dask"), ("cvc5", "second-opinion"),
     ("crosshair.core", "second-opinion")],
)  # fmt: skip
def test_a_command_without_its_library_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: str, extra: str
) -> None:
    installed(tmp_path, "needy = needy_commands:command")
    (tmp_path / "needy_commands.py").write_text(f"import {library}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "needy_commands", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, library.partition(".")[0], None)
    top = library.partition(".")[0]
    assert main(["needy", "--option"]) == 2
    assert capsys.readouterr().err == f"error: the command needy needs {top}: pip install '.[{extra}]'\n"
    assert main(["--help"]) == 0
    assert f"(not installed: needs {top}: pip install '.[{extra}]')" in " ".join(capsys.readouterr().out.split())


def test_a_library_that_is_missing_only_when_the_command_runs_is_named_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late() -> None:
        raise ModuleNotFoundError("No module named 'dask'", name="dask.distributed")

    def broken() -> None:
        raise ModuleNotFoundError("No module named 'our_own'", name="our_own")

    run = {"late": late, "broken": broken}
    monkeypatch.setattr(module.group, "get_command", lambda ctx, name: click.Command(name, callback=run[name]))
    assert main(["late"]) == 2
    assert capsys.readouterr().err == "error: this needs dask: pip install '.[dask]'\n"
    with pytest.raises(ModuleNotFoundError, match="our_own"):
        main(["broken"])


@pytest.mark.parametrize(("library", "extra"), EXTRAS.items())
def test_the_extra_that_is_named_brings_the_library(library: str, extra: str) -> None:
    brought = {re.split(r"[=<>; ]", line)[0].lower() for line in project()["optional-dependencies"][extra]}
    bringing = metadata.packages_distributions().get(library)
    if bringing is None:
        pytest.skip(f"{library} is not installed")
    assert brought & {re.sub("_", "-", name).lower() for name in bringing}


def test_usage_errors_have_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert main(["run"]) == 2
    assert main(["run", "x", "--interval", "-5"]) == 2
    assert main(["run", "x", "--prices", "BTC"]) == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_an_interrupt_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.group, "get_command", lambda ctx, name: click.Command(name, callback=stop))
    assert main(["anything"]) == 130


def test_the_reference_does_not_import_the_command() -> None:
    folder = Path(next(iter(clearspec.__path__)))
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.split(".")[0] for name in names} - {"clearspec"}
            assert tops <= sys.stdlib_module_names, path


def test_amounts_are_shown_exactly() -> None:
    assert [exact(amount, 6) for amount in (0, 1, -1, 1_500_000, -(2**62))] == [
        "0.000000", "0.000001", "-0.000001", "1.500000", "-4611686018427.387904",
    ]  # fmt: skip
    assert exact(-5, 0) == "-5"
    assert [amount_text(amount, 6) for amount in (0, 1, 1_500_000, -1_234_567_890_000)] == [
        "0.00", "0.000001", "1.50", "-1,234,567.89",
    ]  # fmt: skip
    assert amount_text(1_234_567, 0) == "1,234,567"
    assert grouped("-1234.5000") == "-1,234.5"


def test_ratios_and_fractions_are_cut_toward_zero() -> None:
    """12,345 / 10^9 = 0.0012345 %; two thirds to two places 0.66."""
    assert ratio_text(12_345) == "0.0012345 %"
    assert ratio_text(-1) == "-0.0000001 %"
    assert ratio_text(10**9) == "100 %"
    assert cut(Fraction(2, 3), 2) == "0.66"
    assert cut(Fraction(-2, 3), 2) == "-0.66"


def test_times_are_clocks_days_or_dates() -> None:
    assert time_text(3_661) == "01:01:01"
    assert time_text(86_400 + 5) == "day 2 00:00:05"
    assert time_text(1_583_884_800) == "2020-03-11 00:00:00"
    assert time_text(2**40).startswith("day ")


def test_text_is_kept_on_one_line_and_harmless() -> None:
    assert plain("a\r\nb\tc\x1b[1m\u202e é") == "a b c\\x1b[1m\\u202e é"
