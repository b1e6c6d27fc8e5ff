"""Measure what ``clearspec fuzz`` finds, how small, how fast, and that it is the same everywhere; write a page of it.

Every figure comes from the command itself, started as a user would. Ten faulty engines answer over stdin and stdout; of
each the smallest disagreement must be a vector that the reference passes and the engine fails. Two workers are timed
against one in turns, whole commands, start included. A dask cluster must give the report of one process. The reference
is fuzzed for some minutes, must agree with itself, and shows what the sequences reach.

Run: ``python conformance/benchmarks/fuzz_figures.py --minutes 10 --write``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

from clearspec_conformance.injected import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fuzz-figures.md"
SERVE = f"{sys.executable} -m clearspec_conformance.serve"
GOAL = 1.7
"""Times the events per second of one process that two must reach."""

LARGEST = 8
"""Events that the smallest disagreement may have."""

MOST = 20_000
"""Sequences after which a fault counts as not found."""


@dataclass(frozen=True, slots=True)
class Caught:
    """What came of a faulty engine from one seed."""

    kind: str
    seed: int
    sequences: int
    events: int
    found_with: int
    smallest: int
    others: int
    rule: str
    reference: bool
    engine: bool

    @property
    def well(self) -> bool:
        """Whether the smallest trace is small enough, and a vector that tells the two apart."""
        return 0 < self.smallest <= LARGEST and self.reference and self.engine


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``clearspec``; any exit code but 0 and 1 ends the measurement."""
    started = [sys.executable, "-m", "clearspec_command", *arguments]
    ended = subprocess.run(started, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{shlex.join(started)} ended with {ended.returncode}: {ended.stderr.strip()}")
    return ended


def fuzzed(folder: Path, *options: str) -> dict[str, Any]:
    """The report of a run."""
    target = folder / "report.json"
    command("fuzz", "--json", str(target), "--save", str(folder / "found"), *options)
    found: dict[str, Any] = json.loads(target.read_bytes())
    return found


def passes(engine: str, folder: Path, vector: str) -> bool:
    """Whether an engine passes a vector that was saved."""
    found = folder / "found"
    return command("conform", "--impl", engine, "--vectors", str(found), "--only", vector).returncode == 0


def caught(kind: str, seed: int) -> Caught:
    """Fuzz a faulty engine, and play the smallest vector on it and on the reference."""
    engine = f"{sys.executable} -m clearspec_conformance.injected {kind} --seed {seed}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = fuzzed(folder, "--impl", engine, "--seed", str(seed), "--sequences", str(MOST))
        sequences, events = int(report["sequences"]), int(report["events"])
        if not report["findings"]:
            return Caught(kind, seed, sequences, events, 0, 0, 0, "", False, False)
        first = report["findings"][0]
        return Caught(
            kind, seed, sequences, events, int(first["found_with"]), int(first["events"]), len(report["findings"]) - 1,
            first["rule"], passes("reference", folder, first["id"]), not passes(engine, folder, first["id"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per second of a whole command, by the clock and by processor time."""

    clock: float
    processor: float


def rate(jobs: int, sequences: int) -> Rate:
    """How fast so many processes fuzz the reference behind stdin and stdout."""
    with tempfile.TemporaryDirectory() as name:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        options = ("--impl", SERVE, "--seed", "1", "--sequences", str(sequences), "--jobs", str(jobs))
        events = int(fuzzed(Path(name), *options)["events"])
        seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Rate(events / seconds, events / used)


def same_on_dask(sequences: int) -> tuple[str, str]:
    """The digest of the report of one process, and of a local dask cluster."""
    digests = []
    for options in ((), ("--executor", "dask", "--jobs", "2")):
        with tempfile.TemporaryDirectory() as name:
            common = ("--impl", SERVE, "--seed", "1", "--sequences", str(sequences))
            digests.append(fuzzed(Path(name), *common, *options)["digest"])
    return digests[0], digests[1]


def on_itself(minutes: float, jobs: int) -> dict[str, Any]:
    """The report of fuzzing the reference, with branches counted in a tenth of the time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        common = ("--impl", "reference", "--seed", "1", "--jobs", str(jobs), "--keep-going")
        report = fuzzed(folder, *common, "--time", str(60 * minutes))
        counted = fuzzed(folder, *common, "--time", str(6 * minutes), "--branches")
        return {**report, "counted": counted}


def table(heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    """A table in Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def paragraph(text: str) -> str:
    """Text in lines of usual length."""
    return fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def page(caughts: list[Caught], turns: list[tuple[Rate, Rate]], dask: tuple[str, str], own: dict[str, Any]) -> str:
    """All figures as a page."""
    return "\n".join([*heading(), *of_engines(caughts), *of_speed(turns, dask), *of_reference(own)]) + "\n"


def heading() -> list[str]:
    """What the page is and how it was made."""
    about = f"Python {platform.python_version()}, Hypothesis {metadata.version('hypothesis')}, {os.cpu_count()} cores"
    return [
        "# Fuzzing: figures",
        "",
        "What [`clearspec fuzz`](fuzz.md) finds and how fast, measured by",
        "",
        "```",
        shlex.join(["python", "conformance/benchmarks/fuzz_figures.py", *sys.argv[1:]]),
        "```",
        "",
        paragraph(
            f"""on {about}. Seconds differ between machines; what is found from a seed does not, as long as the
            version of Hypothesis, which draws the sequences, is the same."""
        ),
        "",
    ]


def of_engines(caughts: list[Caught]) -> list[str]:
    """Ten faulty engines."""
    rows = [
        (one.kind.replace("_", " "), one.seed, f"{one.sequences:,}", f"{one.events:,}", one.found_with or "-",
         one.smallest or "not found", one.rule, "yes" if one.reference else "NO", "yes" if one.engine else "NO")
        for one in caughts
    ]  # fmt: skip
    well = sum(one.well for one in caughts)
    return [
        "## Faulty engines",
        "",
        paragraph(
            f"""Engines that are the reference but for one fault (`python -m clearspec_conformance.injected`), over
            stdin and stdout; the seed is that of the run and of the engine. Sequences are played in shards of 100, and
            a run ends with the shard that finds something. In {well} of {len(caughts)} runs the smallest disagreement
            has at most {LARGEST} events and is a vector that the reference passes and the engine fails."""
        ),
        "",
        *table(
            ("fault", "seed", "sequences", "events played", "events when found", "events when small", "rule",
             "reference passes", "engine fails"),
            rows,
        ),
        "",
    ]  # fmt: skip


def of_speed(turns: list[tuple[Rate, Rate]], dask: tuple[str, str]) -> list[str]:
    """Two workers against one, and a cluster."""
    times = [two.clock / one.clock for one, two in turns]
    rows = [
        (number, f"{one.clock:,.0f}", f"{two.clock:,.0f}", f"{two.clock / one.clock:.2f}", f"{one.processor:,.0f}",
         f"{two.processor:,.0f}", f"{2 * two.processor / one.processor:.2f}")
        for number, (one, two) in enumerate(turns, 1)
    ]  # fmt: skip
    met = "met" if times and median(times) >= GOAL else "NOT met"
    same = "the same report" if dask[0] == dask[1] else "ANOTHER report"
    shown = f"{median(times):.2f}" if times else "not measured"
    return [
        "## Workers",
        "",
        paragraph(
            """Events per second of whole commands, start included, on the reference behind stdin and stdout. Two
            processes need two free cores: what else runs enters the figures by the clock, and hardly those by processor
            time; the last column is what the latter come to on two cores."""
        ),
        "",
        *table(
            ("turn", "one process", "two processes", "ratio", "one, per processor second",
             "two, per processor second", "ratio on two cores"),
            rows,
        ),
        "",
        paragraph(
            f"""Median of the ratios by the clock {shown}, goal {GOAL}: {met}. A local dask cluster of two workers gives
            {same} as one process for the same seed (digest `{dask[1][:16]}`)."""
        ),
        "",
    ]  # fmt: skip


def of_reference(own: dict[str, Any]) -> list[str]:
    """The reference against itself."""
    reached, counted = own["reached"], own["counted"]["reached"]
    lacking = [part for name in ("rules_not", "reasons_not", "accepted_not") for part in reached[name]]
    nothing = "nothing" if not own["findings"] else f"{len(own['findings'])} DISAGREEMENTS"
    rules = len(reached["rules"]) + len(reached["rules_not"])
    reasons = len(reached["reasons"]) + len(reached["reasons_not"])
    return [
        "## The reference against itself",
        "",
        paragraph(
            f"""{int(own["sequences"]):,} sequences with {int(own["events"]):,} events: {nothing} was found, and every
            invariant held at the end of each. They reached {len(reached["rules"])} of the {rules} rules that
            transitions run and {len(reached["reasons"])} of {reasons} reasons, and got {len(reached["accepted"])} of
            {len(own["settings"]["actions"])} actions accepted. Not reached: {", ".join(lacking) or "none"}."""
        ),
        "",
        paragraph(
            f"""With branches counted, {int(own["counted"]["sequences"]):,} sequences took {counted["branches"]} of
            {counted["branches_all"]} ways out of branching lines. Not every way was taken at:
            {", ".join(f"`{line}`" for line in counted["branches_not"]) or "none"}."""
        ),
    ]


def main() -> int:
    """Measure, print, and write the page if that is wanted."""
    parser = argparse.ArgumentParser(description="Measure what clearspec fuzz finds, how small and how fast.")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each faulty engine (default 3)")
    parser.add_argument("--turns", type=int, default=3, help="turns of one process against two (default 3)")
    parser.add_argument("--sequences", type=int, default=3000, help="sequences of a turn (default 3000)")
    parser.add_argument("--minutes", type=float, default=10, help="minutes on the reference (default 10)")
    parser.add_argument("--write", action="store_true", help="write docs/fuzz-figures.md")
    chosen = parser.parse_args()
    caughts = []
    for kind in KINDS:
        for seed in range(1, chosen.seeds + 1):
            caughts.append(caught(kind, seed))
            print(caughts[-1], file=sys.stderr)
    turns = []
    for _ in range(chosen.turns):
        turns.append((rate(1, chosen.sequences), rate(2, chosen.sequences)))
        print(turns[-1], file=sys.stderr)
    found = page(caughts, turns, same_on_dask(300), on_itself(chosen.minutes, 2))
    print(found)
    if chosen.write:
        PAGE.write_text(found, encoding="utf-8")
    return 0 if all(one.well for one in caughts) else 1


if __name__ == "__main__":
    sys.exit(main())
