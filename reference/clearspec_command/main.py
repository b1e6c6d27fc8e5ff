"""The ``clearspec`` command: gathers every sub-command that a part of the project registers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import click

from clearspec_command.failures import EXIT_CODES, INTERRUPTED, UNREAD, WELL, BadInput, lacking, needs

DISTRIBUTION = "clearspec"
GROUP = "clearspec.commands"
OWN = {
    "run": "clearspec_command.run:command",
    "explain": "clearspec_command.explain:command",
    "bench": "clearspec_command.bench:command",
    "schemas": "clearspec_command.schemas:command",
    "conform": "clearspec_conformance.conform:command",
    "vectors": "clearspec_conformance.vectors_command:command",
    "trace": "clearspec_conformance.trace:command",
    "mutants": "clearspec_conformance.mutants_command:command",
}
"""Commands that are found without asking what is installed, which takes longer than to load one of them."""

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def project() -> dict[str, Any]:
    """The project table of the checkout; empty elsewhere."""
    import tomllib

    try:
        table = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        return {}
    return dict(table) if table.get("name") == DISTRIBUTION else {}


def registered() -> dict[str, str]:
    """Name of every command to where it stands (``module:attribute``): our own, the checkout's, what is installed."""
    from importlib import metadata

    checkout = project().get("entry-points", {}).get(GROUP, {})
    installed = {entry.name: entry.value for entry in metadata.entry_points(group=GROUP)}
    return {**OWN, **checkout, **installed}


def version() -> str:
    """Version of the installed distribution, or of the checkout."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return f"{project().get('version', 'unknown')} (not installed)"


def absent(name: str, error: Exception) -> click.Command:
    """A command that stands for one that cannot be loaded, and says why."""
    library = lacking(error)
    why = needs(f"the command {name}", library) if library else f"the command {name} cannot be loaded: {error}"
    shown = f"({needs('not installed:', library)})" if library else f"(not available: {error})"

    def refuse() -> None:
        raise BadInput(why)

    options = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=refuse, short_help=shown, context_settings=options, add_help_option=False)


class Commands(click.Group):
    """A group whose commands are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted(registered())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; one whose module cannot be imported says so when it is used."""
        place = OWN.get(cmd_name) or registered().get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            return absent(cmd_name, error)
        return found if isinstance(found, click.Command) else absent(cmd_name, TypeError(f"{place} is no command"))


EPILOG = f"""
Example: clearspec run first-default.toml --html run.html

Example: clearspec explain insufficient_margin

{EXIT_CODES}
"""


def _show_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Show the version and exit, if that is wanted."""
    if wanted:
        click.echo(f"clearspec {version()}")
        ctx.exit()


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
              help="Show the version and exit.")  # fmt: skip
def group() -> None:
    """A derivatives clearinghouse whose rules are code: run scenarios, read rules, check engines."""


def _stop(signum: int, frame: FrameType | None) -> None:
    """End on a signal as on any error, so that nothing half-written stays behind."""
    sys.exit(128 + signum)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = group.main(
            args=None if arguments is None else list(arguments), prog_name="clearspec", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ModuleNotFoundError as error:
        if not lacking(error):
            raise
        refused = BadInput(needs("this", lacking(error)))
        refused.show()
        return refused.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return code if isinstance(code, int) else WELL
