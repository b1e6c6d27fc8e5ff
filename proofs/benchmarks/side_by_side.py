"""CrossHair and the lifted proofs side by side, on the same properties of the same kernels.

CrossHair lifts Python by other means and asks Z3; it writes no certificates. Its verdicts are read from its full
report, for its exit code is 0 for "not confirmed" too. Each property is one run of its command, less what a run costs
that has nothing to show; each theorem is proved cold in this process, in the same session, in turns with CrossHair.

    python proofs/benchmarks/side_by_side.py --write
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from contracts import THEOREMS
from pages import write_section

from clearspec_proofs.proving import prove
from clearspec_proofs.rechecking import recheck
from clearspec_proofs.records import Verdict
from clearspec_proofs.theorems import catalogue

HERE = Path(__file__).parent
LINE = re.compile(r":\d+: (?P<kind>\w+): (?P<text>.*)$")
SECONDS = 60
GOAL = 20
"""Times quicker than CrossHair that the lifted proofs should be."""
TURNS = 3


@dataclass
class Row:
    """A property: the verdicts and times of both."""

    property: str
    theorem: str
    crosshair: str
    crosshair_seconds: float
    lifted: str
    lifted_seconds: float
    recheck_seconds: float

    @property
    def decided(self) -> bool:
        """Whether CrossHair has a complete verdict."""
        return self.crosshair == "confirmed"

    def ratio(self, seconds: float) -> str:
        """How many times quicker so many seconds are than CrossHair's; it may have no verdict."""
        return f"{self.crosshair_seconds / seconds:.1f}" if self.decided else "no verdict"


def verdict_of(report: str) -> str:
    """One verdict from CrossHair's full report on a function: the worst of its conditions."""
    said = {match["text"].strip() for line in report.splitlines() if (match := LINE.search(line))}
    if any(text not in ("Confirmed over all paths.", "Not confirmed.") for text in said):
        return next(text for text in sorted(said) if text not in ("Confirmed over all paths.", "Not confirmed."))
    if not said:
        return "nothing reported"
    return "not confirmed" if "Not confirmed." in said else "confirmed"


def crosshair(target: str, kind: str = "PEP316", seconds: int = SECONDS) -> tuple[str, float, int]:
    """Verdict, wall time and exit code of one run of CrossHair's command."""
    command = [sys.executable, "-m", "crosshair", "check", target, f"--analysis_kind={kind}", "--report_all"]
    start = time.perf_counter()
    run = subprocess.run(
        [*command, f"--per_condition_timeout={seconds}"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return verdict_of(run.stdout + run.stderr), time.perf_counter() - start, run.returncode


def lifted(name: str) -> Verdict:
    """A cold proof."""
    return prove(catalogue()[name])


def compared(seconds: int, turns: int) -> list[Row]:
    """Every property in turns with its theorem; medians of the times."""
    rows = []
    for function, name in THEOREMS.items():
        ours, again, theirs, said, proved = [], [], [], [], []
        for _ in range(turns):
            start = crosshair("contracts.starts", seconds=seconds)[1]
            verdict = lifted(name)
            ours.append(verdict.seconds)
            again.append(recheck(catalogue()[name], verdict.nodes).seconds)
            proved.append(verdict.status.value)
            report, wall, _ = crosshair(f"contracts.{function}", seconds=seconds)
            theirs.append(max(0.0, wall - start))
            said.append(report)
            if wall > seconds:
                break
        middle = [statistics.median(times) for times in (theirs, ours, again)]
        row = Row(function, name, max(said), middle[0], max(proved), *middle[1:])
        sys.stderr.write(f"{row}\n")
        rows.append(row)
    return rows


def empty() -> list[str]:
    """What CrossHair says of preconditions that contradict themselves, with its exit codes."""
    by_docstring = crosshair("contracts.nothing_satisfies_this")
    by_assert = crosshair("asserted.nothing_gets_past", kind="asserts")
    return [
        f'as `pre:` lines: "{by_docstring[0]}", exit code {by_docstring[2]}',
        f'as assert statements: "{by_assert[0]}", exit code {by_assert[2]}',
    ]


def table(rows: list[Row], said: list[str], seconds: int, turns: int) -> str:
    """The comparison as Markdown."""
    versions = f"crosshair-tool {importlib.metadata.version('crosshair-tool')}, "
    versions += f"z3-solver {importlib.metadata.version('z3-solver')}, Python {platform.python_version()}"
    lines = [
        f"{versions}; medians of up to {turns} turns; CrossHair has {seconds} s for each condition.", "",
        "| property | CrossHair | s | lifted proof | s | times quicker | its re-check, s | times quicker |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| `{row.theorem}` | {row.crosshair} | {row.crosshair_seconds:.2f} | {row.lifted} | {row.lifted_seconds:.2f} "
        f"| {row.ratio(row.lifted_seconds)} | {row.recheck_seconds:.4f} | {row.ratio(row.recheck_seconds)} |"
        for row in rows
    ]
    decided = [row for row in rows if row.decided]
    search = [row.crosshair_seconds / row.lifted_seconds for row in decided]
    again = [row.crosshair_seconds / row.recheck_seconds for row in decided]
    lines += [
        "",
        f"Of {len(rows)} properties CrossHair confirms {len(decided)}. On these the search for a lifted proof, which "
        f"ends with certificates, is {statistics.median(search):.1f} times as quick in the median and at least "
        f"{GOAL} times on {sum(ratio >= GOAL for ratio in search)}; the goal was {GOAL} on all. The re-check of the "
        f"certificates, without a solver, is {statistics.median(again):.0f} times as quick in the median and at least "
        f"{GOAL} times on {sum(ratio >= GOAL for ratio in again)}.",
        "",
        "A precondition that contradicts itself, with a false claim behind it:",
        "",
        *(f"- CrossHair {line};" for line in said),
        "- a theorem whose marked points no execution reaches: unknown, exit code 1.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Compare, print, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="CrossHair's time for each condition")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="write into docs/proofs-figures.md")
    given = parser.parse_args()
    rows = compared(given.seconds, given.turns)
    text = table(rows, empty(), given.seconds, given.turns)
    if given.write:
        write_section("crosshair", text)
    sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=1) if given.json else text)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
