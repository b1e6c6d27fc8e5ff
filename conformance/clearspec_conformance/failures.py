"""Input that is refused, and text made safe for a terminal."""

from __future__ import annotations

import re
from typing import IO, Any

import click

WELL = 0
FAILED = 1
BAD_INPUT = 2


class BadInput(click.ClickException):
    """Input that is refused: one line on standard error, exit code 2."""

    exit_code = BAD_INPUT

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line."""
        click.echo(f"error: {plain(self.message)}", file=file, err=file is None)


def plain(text: str, longest: int = 2000) -> str:
    """Text on one line, cut, with what a terminal might obey made visible."""
    spaced = re.sub(r"\s+", " ", text[: longest + 1])
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in spaced)
    return shown if len(shown) <= longest else f"{shown[:longest]} ..."
