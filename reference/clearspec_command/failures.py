"""Exit codes, and input that is refused with one line on standard error."""

from __future__ import annotations

from typing import IO, Any

import click

from clearspec_command.display import plain

WELL = 0
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
UNREAD = 141
"""Whoever read standard output went away."""

EXIT_CODES = """Exit codes: 0 all is well; 1 an invariant broke, an expectation was missed or a file differs;
2 bad input, or an output that cannot be written; 130 interrupted; 141 the reader of standard output went away."""

EXTRAS = {
    "z3": "proofs",
    "cvc5": "second-opinion",
    "crosshair": "second-opinion",
    "hypothesis": "conformance",
    "jsonschema": "conformance",
    "coverage": "conformance",
    "backports": "audit",
    "pyarrow": "audit",
    "prometheus_client": "audit",
    "dask": "dask",
    "distributed": "dask",
}
"""Library, as it is imported, to the extra of the project that brings it."""


def needs(who: str, library: str) -> str:
    """What is to be installed for a part of the project whose library is missing."""
    return f"{who} needs {library}: pip install '.[{EXTRAS[library]}]'"


def lacking(error: Exception) -> str:
    """The library of an extra that is missing; empty where an error has another cause."""
    library = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return library if library in EXTRAS else ""


class BadInput(click.ClickException):
    """Input that is refused: one line on standard error, exit code 2."""

    exit_code = BAD_INPUT

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as one line."""
        click.echo(f"error: {plain(self.message)}", file=file, err=file is None)
