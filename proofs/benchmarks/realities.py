"""Every path of every theorem against a run on plain numbers that takes it.

python proofs/benchmarks/realities.py --jobs 2 --write
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pages import write_section

from clearspec_proofs.reality import compare
from clearspec_proofs.solving.emit import guide_for
from clearspec_proofs.theorems import catalogue


def compared(name: str, limit: int | None) -> dict[str, Any]:
    """The comparison of a theorem's paths, as JSON."""
    theorem = catalogue()[name]
    return compare(theorem, guide_for(theorem), limit).document()


def table(rows: list[dict[str, Any]], seconds: float, jobs: int) -> str:
    """The comparison as Markdown."""
    total = {key: sum(row[key] for row in rows) for key in ("paths", "chosen", "compared", "impossible")}
    unknown, different = (sum(len(row[key]) for row in rows) for key in ("without_model", "differences"))
    lines = [
        f"{len(rows)} theorems with {total['paths']} paths; {seconds:.0f} s, {jobs} processes.",
        "", "| paths looked at | compared | alike | different | impossible | no numbers known |",
        "|---|---|---|---|---|---|",
        f"| {total['chosen']} | {total['compared']} | {total['compared'] - different} | {different} "
        f"| {total['impossible']} | {unknown} |",
    ]  # fmt: skip
    wanting = sorted((row for row in rows if row["without_model"]), key=lambda row: -len(row["without_model"]))
    if wanting:
        lines += ["", "Theorems with paths of which no numbers are known:", ""]
        lines += [f"- `{row['theorem']}`: {len(row['without_model'])} of {row['chosen']}" for row in wanting]
    return "\n".join(lines)


def main() -> int:
    """Compare; 1 if a path differs from its run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=int, help="paths of each theorem; default: all")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="write into docs/proofs-figures.md")
    parser.add_argument("names", nargs="*", help="parts of names of theorems; default: all")
    given = parser.parse_args()
    names = [name for name in catalogue() if not given.names or any(part in name for part in given.names)]
    start, rows = time.perf_counter(), []
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(compared, name, given.limit) for name in names]):
            rows.append(future.result())
            row = rows[-1]
            sys.stderr.write(f"{row['theorem']}: {row['compared']} of {row['chosen']} {row['differences'] or ''}\n")
    text = table(sorted(rows, key=lambda row: str(row["theorem"])), time.perf_counter() - start, given.jobs)
    if given.write:
        write_section("reality", text)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    return 1 if any(row["differences"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
