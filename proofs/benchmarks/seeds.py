"""Ten seeds: the catalogue is proved cold with each seed of the solver's choices; all verdicts must be alike.

python proofs/benchmarks/seeds.py --jobs 2 --write
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from pathlib import Path

import z3
from pages import write_section

from clearspec_proofs.proving import prove_all
from clearspec_proofs.solving.search import Budget
from clearspec_proofs.theorems import catalogue


def run(seed: int, names: list[str], jobs: int) -> dict[str, object]:
    """Verdicts, certificates and time of a cold run."""
    start = time.perf_counter()
    verdicts = list(prove_all(names, jobs, Budget(seed=seed)))
    return {
        "seed": seed,
        "verdicts": {verdict.name: verdict.status.value for verdict in verdicts},
        "certificates": sum(verdict.certified for verdict in verdicts),
        "seconds": round(time.perf_counter() - start, 1),
        "slowest": max(verdicts, key=lambda verdict: verdict.seconds).name,
    }


def unlike(runs: list[dict[str, object]]) -> dict[str, list[str]]:
    """Theorems of which the verdicts differ, or are not all proved, with the verdict of each seed."""
    found: dict[str, list[str]] = {}
    for name in runs[0]["verdicts"]:  # type: ignore[attr-defined]
        verdicts = [entry["verdicts"].get(name, "missing") for entry in runs]  # type: ignore[attr-defined]
        if set(verdicts) != {"proved"}:
            found[name] = verdicts
    return found


def table(runs: list[dict[str, object]], jobs: int) -> str:
    """The runs as Markdown."""
    lines = [
        f"z3 {z3.get_version_string()}, Python {platform.python_version()}, {jobs} processes.", "",
        "| seed | proved | other | certificates | s | slowest |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for entry in runs:
        counts = Counter(entry["verdicts"].values())  # type: ignore[attr-defined]
        others = sum(counts.values()) - counts["proved"]
        row = (entry["seed"], counts["proved"], others, entry["certificates"], entry["seconds"], entry["slowest"])
        lines.append("| " + " | ".join(map(str, row)) + " |")
    different = unlike(runs)
    lines += ["", "All verdicts are alike: proved." if not different else f"Not alike: {', '.join(sorted(different))}."]
    return "\n".join(lines)


def main() -> int:
    """Run the seeds; 1 if a verdict differs or is not proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write the runs here")
    parser.add_argument("--write", action="store_true", help="write into docs/proofs-figures.md")
    parser.add_argument("names", nargs="*", help="parts of names of theorems; default: all")
    given = parser.parse_args()
    names = [name for name in catalogue() if not given.names or any(part in name for part in given.names)]
    runs = []
    for seed in range(given.seeds):
        runs.append(run(seed, names, given.jobs))
        sys.stderr.write(f"seed {seed}: {runs[-1]['seconds']} s\n")
    text = table(runs, given.jobs)
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    if given.write:
        write_section("seeds", text)
    sys.stdout.write(f"{text}\n")
    return 1 if unlike(runs) else 0


if __name__ == "__main__":
    sys.exit(main())
