"""cvc5 on the obligations of the catalogue: all of them as their certificates cite them, a sample of them whole.

python proofs/benchmarks/second_opinion.py --jobs 2 --write
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import cvc5
from pages import write_section

from clearspec_proofs.solving.second import Opinion, ask_all, document
from clearspec_proofs.theorems import catalogue


def asked(names: list[str], jobs: int, whole: bool, limit: int | None) -> dict[str, Any]:
    """Opinions, with the wall time."""
    start = time.perf_counter()
    found = document(list(ask_all(names, jobs, whole, limit)))
    found["summary"]["wall"] = round(time.perf_counter() - start, 1)
    return found


def table(runs: dict[str, dict[str, Any]], jobs: int) -> str:
    """The runs as Markdown."""
    lines = [
        f"cvc5 {cvc5.__version__}, Python {platform.python_version()}, {jobs} processes on {os.cpu_count()} cores.", "",
        "| hypotheses | obligations | " + " | ".join(entry.value for entry in Opinion) + " | s |",
        "|---" * (len(Opinion) + 3) + "|",
    ]  # fmt: skip
    for name, run in runs.items():
        summary = run["summary"]
        cells = [name, summary["obligations"], *(summary[entry.value] for entry in Opinion), summary["wall"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> int:
    """Ask; 1 where cvc5 disagrees, or does not know and there is no waiver."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sample", type=int, default=3, help="obligations of each theorem that are asked whole")
    parser.add_argument("--limit", type=int, help="obligations of each theorem that are asked as cited; default: all")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="write into docs/proofs-figures.md")
    parser.add_argument("names", nargs="*", help="parts of names of theorems; default: all")
    given = parser.parse_args()
    names = [name for name in catalogue() if not given.names or any(part in name for part in given.names)]
    runs = {
        "those that the certificate cites": asked(names, given.jobs, False, given.limit),
        f"all of the path, {given.sample} obligations a theorem": asked(names, given.jobs, True, given.sample),
    }
    text = table(runs, given.jobs)
    if given.write:
        write_section("second-opinion", text)
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    cited, whole = (run["summary"] for run in runs.values())
    return 1 if cited[Opinion.UNKNOWN] or cited[Opinion.DISAGREES] or whole[Opinion.DISAGREES] else 0


if __name__ == "__main__":
    sys.exit(main())
