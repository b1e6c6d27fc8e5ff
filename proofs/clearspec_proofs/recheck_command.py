"""``clearspec recheck``: check the stored proofs without any solver."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click
from rich.console import Console

from clearspec_command.failures import BadInput
from clearspec_command.outputs import Outputs
from clearspec_proofs import store
from clearspec_proofs.matrix import matrix_of
from clearspec_proofs.rechecking import faults_of, recheck_all
from clearspec_proofs.records import Status, Verdict
from clearspec_proofs.reporting import document, print_table

EPILOG = """
Example: clearspec recheck --jobs 2

Exit codes: 0 every theorem's stored proof holds, of the sources that are here; 1 otherwise; 2 nothing to check.
"""


def checked(folder: Path, jobs: int) -> tuple[list[str], list[Verdict]]:
    """What is wrong, and the verdicts.

    Raises:
        BadInput: the stored proofs cannot be read.
    """
    try:
        faults = faults_of(store.read_manifest(folder))
        verdicts = sorted(recheck_all(str(folder), jobs), key=lambda verdict: verdict.name)
    except store.StoreError as fault:
        raise BadInput(str(fault)) from None
    return faults + [f"{v.name}: {v.note}" for v in verdicts if v.status != Status.PROVED], verdicts


@click.command("recheck", epilog=EPILOG)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where proofs are stored; default: with the package.")
@click.option("--table", is_flag=True, help="Print a row for each theorem.")
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON; - is standard output.")
def command(jobs: int, folder: Path | None, table: bool, json_file: str | None) -> int:
    """Check every stored certificate by executing the reference again. Needs no solver, and trusts none."""
    start = time.perf_counter()
    faults, verdicts = checked(folder or store.default_folder(), jobs)
    seconds = time.perf_counter() - start
    with Outputs() as outputs:
        if json_file:
            report = {**document(verdicts, seconds, matrix_of(verdicts)), "faults": faults}
            outputs.open(json_file).write((json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    if table:
        print_table(verdicts, Console())
    for line in faults:
        click.echo(line, err=json_file == "-")
    if json_file != "-":
        certificates = sum(verdict.certified for verdict in verdicts)
        click.echo(f"{len(verdicts)} theorems, {certificates} certificates, {len(faults)} faults, {seconds:.1f} s")
    return 1 if faults else 0
