"""Measure what ``clearspec fuzz`` finds, how small, how fast, and that it is the same everywhere; write a page of it.

Every figure comes from the command itself, started as a user would. Ten faulty engines answer over stdin and stdout; of
each the smallest disagreement must be a vector that the reference passes and the engine fails. Two workers are timed
against one in turns, whole commands, start included. A dask cluster must give the report of one process. The reference
is fuzzed for some minutes, must agree with itself, and shows what the sequences reach.

Run: ``python conformance/benchmarks/fuzz_figures.py --write``; ``--part`` measures one section and leaves the others of
the page alone. Two cores that nothing else runs on are needed for the section of the workers.
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


def table(heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A table in Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def paragraph(text: str) -> str:
    """Text in lines of usual length."""
    return fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def measured_by(part: str) -> str:
    """The command that measured a section, and on what."""
    given = shlex.join(argument for argument in sys.argv[1:] if argument != "--write")
    options = given if "--part" in given else f"--part {part} {given}".strip()
    about = f"Python {platform.python_version()}, Hypothesis {metadata.version('hypothesis')}, {os.cpu_count()} cores"
    return f"`python conformance/benchmarks/fuzz_figures.py {options}`, {about}."


HEADING = """# Fuzzing: figures

What [`clearspec fuzz`](fuzz.md) finds and how fast. Seconds differ between machines; what is found from a seed does
not, as long as the version of Hypothesis, which draws the sequences, is the same.
"""


def sections(text: str) -> dict[str, str]:
    """Heading to section of a page."""
    parts = text.split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def page(made: dict[str, str]) -> str:
    """The page with some sections made anew, in the order of ``TITLES``."""
    before = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    found = {**before, **made}
    return HEADING + "".join(f"\n## {title}\n\n{found[title]}\n" for title in TITLES.values() if title in found)


def of_engines(chosen: argparse.Namespace) -> str:
    """Ten faulty engines."""
    caughts = [caught(kind, seed) for kind in KINDS for seed in range(1, chosen.seeds + 1)]
    rows = [
        (one.kind.replace("_", " "), one.seed, f"{one.sequences:,}", f"{one.events:,}", one.found_with or "-",
         one.smallest or "not found", one.rule, "yes" if one.reference else "NO", "yes" if one.engine else "NO")
        for one in caughts
    ]  # fmt: skip
    well = sum(one.well for one in caughts)
    about = paragraph(
        f"""Engines that are the reference but for one fault (`python -m clearspec_conformance.injected`), over stdin
        and stdout; the seed is that of the run and of the engine. Sequences are played in shards of 100, and a run ends
        with the shard that finds something. In {well} of {len(caughts)} runs the smallest disagreement has at most
        {LARGEST} events and is a vector that the reference passes and the engine fails. {measured_by("engines")}"""
    )
    heads = ("fault", "seed", "sequences", "events played", "events when found", "events when small", "rule",
             "reference passes", "engine fails")  # fmt: skip
    return about + "\n\n" + table(heads, rows)


def of_speed(chosen: argparse.Namespace) -> str:
    """Two workers against one."""
    turns = [(rate(1, chosen.sequences), rate(2, chosen.sequences)) for _ in range(chosen.turns)]
    times = [two.clock / one.clock for one, two in turns]
    rows = [
        (number, f"{one.clock:,.0f}", f"{two.clock:,.0f}", f"{two.clock / one.clock:.2f}", f"{one.processor:,.0f}",
         f"{two.processor:,.0f}", f"{2 * two.processor / one.processor:.2f}")
        for number, (one, two) in enumerate(turns, 1)
    ]  # fmt: skip
    about = paragraph(
        f"""Events per second of whole commands, start included, on the reference behind stdin and stdout. Median of the
        ratios by the clock {median(times):.2f}, goal {GOAL}: {"met" if median(times) >= GOAL else "NOT met"}. Two
        processes need two free cores: what else runs enters the figures by the clock, and hardly those by processor
        time, which the last column turns into a ratio on two cores. Load when it began: {os.getloadavg()[0]:.1f}.
        {measured_by("workers")}"""
    )
    heads = ("turn", "one process", "two processes", "ratio", "one, per processor second", "two, per processor second",
             "ratio on two cores")  # fmt: skip
    return about + "\n\n" + table(heads, rows)


def of_dask(chosen: argparse.Namespace) -> str:
    """One process against a local dask cluster."""
    one, cluster = same_on_dask(chosen.sequences)
    same = "the same report" if one == cluster else "ANOTHER report"
    return paragraph(
        f"""A local dask cluster of two workers gives {same} as one process for the same seed and {chosen.sequences:,}
        sequences (digests `{one[:16]}` and `{cluster[:16]}`). {measured_by("dask")}"""
    )


def of_reference(chosen: argparse.Namespace) -> str:
    """The reference against itself."""
    own = on_itself(chosen.minutes, 2)
    reached, counted = own["reached"], own["counted"]["reached"]
    lacking = [part for name in ("rules_not", "reasons_not", "accepted_not") for part in reached[name]]
    nothing = "nothing" if not own["findings"] else f"{len(own['findings'])} DISAGREEMENTS"
    rules = len(reached["rules"]) + len(reached["rules_not"])
    reasons = len(reached["reasons"]) + len(reached["reasons_not"])
    first = paragraph(
        f"""{int(own["sequences"]):,} sequences with {int(own["events"]):,} events in {chosen.minutes:g} minutes:
        {nothing} was found, and every invariant held at the end of each. They reached {len(reached["rules"])} of the
        {rules} rules that transitions run and {len(reached["reasons"])} of {reasons} reasons, and got
        {len(reached["accepted"])} of {len(own["settings"]["actions"])} actions accepted. Not reached:
        {", ".join(lacking) or "none"}. {measured_by("reference")}"""
    )
    second = paragraph(
        f"""With branches counted, {int(own["counted"]["sequences"]):,} sequences took {counted["branches"]} of
        {counted["branches_all"]} ways out of branching lines. Not every way was taken at:
        {", ".join(f"`{line}`" for line in counted["branches_not"]) or "none"}."""
    )
    return first + "\n\n" + second


TITLES = {
    "engines": "Faulty engines",
    "workers": "Workers",
    "dask": "A cluster",
    "reference": "The reference against itself",
}
PARTS = {"engines": of_engines, "workers": of_speed, "dask": of_dask, "reference": of_reference}


def main() -> int:
    """Measure, print, and write the page if that is wanted."""
    parser = argparse.ArgumentParser(description="Measure what clearspec fuzz finds, how small and how fast.")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this section; repeatable")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each faulty engine (default 3)")
    parser.add_argument("--turns", type=int, default=3, help="turns of one process against two (default 3)")
    parser.add_argument("--sequences", type=int, default=3000, help="sequences of a turn, and on dask (default 3000)")
    parser.add_argument("--minutes", type=float, default=10, help="minutes on the reference (default 10)")
    parser.add_argument("--write", action="store_true", help="write docs/fuzz-figures.md")
    chosen = parser.parse_args()
    made = {TITLES[part]: PARTS[part](chosen) for part in chosen.part or PARTS}
    found = page(made)
    print(found)
    if chosen.write:
        PAGE.write_text(found, encoding="utf-8")
    return 1 if any(" NO" in text or "ANOTHER" in text or "DISAGREEMENTS" in text for text in made.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
