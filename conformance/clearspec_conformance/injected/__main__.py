"""Serves an engine with a fault: ``python -m clearspec_conformance.injected KIND [--at N] [--seed N]``."""

from __future__ import annotations

import sys

import click

from clearspec_conformance.injected import KINDS, engine
from clearspec_conformance.serve import serve


@click.command("python -m clearspec_conformance.injected", epilog="Kinds: " + ", ".join(KINDS))
@click.argument("kind", type=click.Choice(list(KINDS)), metavar="KIND")
@click.option("--at", type=click.IntRange(1), help="Fire once, at this event or after; without: wherever it can.")
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses among the ways to be wrong.")
def command(kind: str, at: int | None, seed: int) -> None:
    """Answer the protocol as the reference does, but for one kind of fault."""
    serve(engine(kind, at, seed), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    command()
