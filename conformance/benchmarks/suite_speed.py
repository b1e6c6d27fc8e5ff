"""Measure the speed of the conformance suite against two other suites, side by side.

Each contestant gets a virtual environment of its own in a temporary folder and runs its own vectors through its own
command, one command at a time, in turns. Nothing of a peer is kept. Whole commands are timed, start included; the
rate beyond the start takes away the time of the same command on one vector (of a peer's file: its few). Ours is run in
one process, as the peers' commands are, and once more with ``--jobs 2``, for which they have no counterpart.

The peers are pinned: ``ethereum-execution`` (its command ``ethereum-spec-evm statetest``) and ``bowtie-json-schema``
(``bowtie suite`` on ``direct:python-jsonschema``, in one process). The cases of the latter are in the source
distribution of ``jsonschema``. No package carries those of the former: ``--ethereum-tests`` names a checkout of the
repository ``ethereum/tests``; without it that peer is not measured.

Run: ``python3.12 conformance/benchmarks/suite_speed.py --ethereum-tests CHECKOUT``
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ETHEREUM = "ethereum-execution==2.20.0"
BOWTIE = "bowtie-json-schema==2025.8.1"
JSONSCHEMA = "jsonschema==4.26.0"
DIALECT = "draft2020-12"
HEAVY = ("stTimeConsuming", "stQuadraticComplexityTest", "stMemoryStressTest", "stAttackTest")
"""Groups of state tests left out: made to be slow, they would only raise our ratio."""

GOAL = 10
"""Times the vectors per second of each peer."""

LONGEST = 600
"""Seconds that one command may take."""

JOBS = 2

COUNT_PARTS = """
from clearspec_conformance.formats import Tier
from clearspec_conformance.suite import load_suite, selected, vectors_folder
chosen = [entry.document() for entry in selected(load_suite(vectors_folder()), Tier.STANDARD, ())]
print(sum(len(each.get("steps") or each.get("calls") or each["cases"]) for each in chosen))
"""


class NotMeasured(Exception):
    """A peer, or its vectors, cannot be had."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one command ran: vectors, their parts, and the vectors that passed."""

    vectors: int
    parts: int
    passed: int


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of a command: what it ran, seconds on the clock and of processor."""

    tally: Tally
    wall: float
    cpu: float


@dataclass(slots=True)
class Contestant:
    """A suite ready to run: its commands on all vectors and on one, and how its output is counted."""

    name: str
    version: str
    vector: str
    part: str
    command: list[str]
    one: list[str]
    count: Callable[[str], Tally]
    folder: Path
    standard_input: str = ""
    one_input: str = ""
    runs: list[Timing] = field(default_factory=list)
    starts: list[Timing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second of one turn: vectors and parts by the clock, vectors by processor time; start included."""

    vectors: float
    parts: float
    cpu: float


def called(command: list[str], folder: Path, standard_input: str = "") -> str:
    """What a command writes.

    Raises:
        NotMeasured: it fails or takes too long.
    """
    try:
        ended = subprocess.run(
            command, cwd=folder, input=standard_input, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"{command[0]} took more than {LONGEST} s") from None
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotMeasured(f"{' '.join(command[:3])} ended with {ended.returncode}: {last}")
    return ended.stdout


def environment(folder: Path, *packages: str) -> Path:
    """The folder of commands of a new virtual environment with these packages."""
    venv.create(folder, with_pip=True)
    called([str(folder / "bin" / "pip"), "install", "--quiet", *packages], folder)
    return folder / "bin"


def count_ours(parts: int) -> Callable[[str], Tally]:
    """Counts the output of ``clearspec conform --json``."""

    def count(text: str) -> Tally:
        summary = json.loads(text)["summary"]
        return Tally(summary["vectors"], parts, summary["passed"])

    return count


def count_state_tests(text: str) -> Tally:
    """Counts the output of ``ethereum-spec-evm statetest``: one JSON list for each file."""
    decoder, place, results = json.JSONDecoder(), 0, []
    while place < len(text):
        found, place = decoder.raw_decode(text, place)
        results += found
        place += len(text[place:]) - len(text[place:].lstrip())
    return Tally(len(results), len(results), sum(each["pass"] for each in results))


def count_bowtie(text: str) -> Tally:
    """Counts a report of Bowtie: one line for each answer to a case."""
    answers = [each for each in map(json.loads, text.splitlines()) if "expected" in each]
    right = [
        [found.get("valid") for found in each.get("results", ())] == each["expected"] for each in answers
    ]  # fmt: skip
    return Tally(len(answers), sum(len(each["expected"]) for each in answers), sum(right))


def ours(folder: Path) -> list[Contestant]:
    """This project, installed from the checkout: in one process, and in two."""
    commands = environment(folder / "env", f"{ROOT}[conformance]")
    parts = int(called([str(commands / "python"), "-c", COUNT_PARTS], folder))
    single = folder / "single" / "margin"
    single.mkdir(parents=True)
    shutil.copy(min((ROOT / "conformance" / "vectors" / "margin").glob("*.json")), single)
    command = [str(commands / "clearspec"), "conform", "--impl", "reference", "--json"]
    return [
        Contestant(
            name=name,
            version="checkout",
            vector="a genesis, a sequence of events and what must follow (or calls of a kernel, or geneses)",
            part="an event, a call or a genesis",
            command=[*command, "--tier", "standard", *jobs],
            one=[*command, "--vectors", str(single.parent)],
            count=count_ours(parts),
            folder=folder,
        )
        for name, jobs in (("clearspec", []), (f"clearspec --jobs {JOBS}", ["--jobs", str(JOBS)]))
    ]


def state_test_files(checkout: Path | None, every: int) -> list[str]:
    """Every Nth file of the general state tests, in order of their paths, the heavy groups left out."""
    if checkout is None:
        raise NotMeasured("no package carries its vectors; give a checkout of ethereum/tests as --ethereum-tests")
    tests = checkout.resolve() / "GeneralStateTests"
    paths = [path for path in sorted(tests.rglob("*.json")) if not set(HEAVY) & set(path.parts)]
    if not paths:
        raise NotMeasured(f"{tests} holds no state tests")
    return [str(path) for path in paths[every - 1 :: every]]


def ethereum(folder: Path, checkout: Path | None, every: int) -> Contestant:
    """The executable specification of Ethereum on a sample of the general state tests."""
    files = state_test_files(checkout, every)
    commands = environment(folder / "env", ETHEREUM)
    command = [str(commands / "ethereum-spec-evm"), "statetest"]
    return Contestant(
        name="ethereum-execution",
        version=ETHEREUM.partition("==")[2],
        vector=f"a state test: one transaction on a given state under one fork, its state root ({len(files)} files)",
        part="a transaction",
        command=command,
        one=command,
        count=count_state_tests,
        folder=folder,
        standard_input="".join(f"{path}\n" for path in files),
        one_input=f"{fewest_cases(files)}\n",
    )


def fewest_cases(files: list[str]) -> str:
    """The smallest of the files."""
    return min(files, key=lambda path: (Path(path).stat().st_size, path))


def bowtie_cases(folder: Path, commands: Path) -> Path:
    """The required cases of a dialect and what they refer to, out of the source distribution of jsonschema."""
    called([str(commands / "pip"), "download", "--quiet", "--no-deps", "--no-binary", "jsonschema", JSONSCHEMA], folder)
    with tarfile.open(next(folder.glob("jsonschema-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    suite = next(folder.glob("jsonschema-*/json"))
    shutil.rmtree(suite / "tests" / DIALECT / "optional")
    return suite / "tests" / DIALECT


def bowtie(folder: Path) -> Contestant:
    """Bowtie in its direct mode on the required cases of the JSON Schema Test Suite."""
    commands = environment(folder / "env", BOWTIE, JSONSCHEMA)
    cases = bowtie_cases(folder, commands)
    single = folder / "single" / "tests" / DIALECT / "one.json"
    single.parent.mkdir(parents=True)
    single.write_text(json.dumps(json.loads((cases / "type.json").read_text())[:1]))
    command = [str(commands / "bowtie"), "suite", "-i", "direct:python-jsonschema"]
    return Contestant(
        name="bowtie-json-schema",
        version=f"{BOWTIE.partition('==')[2]}, jsonschema {JSONSCHEMA.partition('==')[2]}",
        vector=f"a case of the JSON Schema Test Suite ({DIALECT}, required): a schema and its instances",
        part="an instance to validate",
        command=[*command, str(cases)],
        one=[*command, str(single)],
        count=count_bowtie,
        folder=folder,
    )


def timed(contestant: Contestant, command: list[str], standard_input: str) -> Timing:
    """Run one of its commands."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    text = called(command, contestant.folder, standard_input)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timing(contestant.count(text), wall, cpu)


def rates(contestant: Contestant, turn: int) -> Rates:
    """The rates of one turn."""
    run = contestant.runs[turn]
    return Rates(
        vectors=run.tally.vectors / run.wall,
        parts=run.tally.parts / run.wall,
        cpu=run.tally.vectors / run.cpu,
    )


def marginal(contestant: Contestant) -> float | None:
    """Vectors per second beyond the start, of the shortest runs; none if the start takes as long as the whole."""
    more = contestant.runs[0].tally.vectors - contestant.starts[0].tally.vectors
    seconds = min(run.wall for run in contestant.runs) - min(run.wall for run in contestant.starts)
    return more / seconds if seconds > 0 else None


def compared(reference: Contestant, peer: Contestant) -> dict[str, Any]:
    """Ours over theirs, by turn: the median, the least and the most."""
    found: dict[str, Any] = {}
    for name in Rates.__dataclass_fields__:
        ratios = [
            getattr(rates(reference, turn), name) / getattr(rates(peer, turn), name)
            for turn in range(len(peer.runs))
        ]  # fmt: skip
        found[name] = {"median": median(ratios), "least": min(ratios), "most": max(ratios)}
    mine, theirs = marginal(reference), marginal(peer)
    found["marginal"] = mine / theirs if mine and theirs else None
    return found


def described(contestant: Contestant) -> dict[str, Any]:
    """What a contestant is and what it ran."""
    return {
        "name": contestant.name,
        "version": contestant.version,
        "vector": contestant.vector,
        "part": contestant.part,
        **asdict(contestant.runs[0].tally),
        "wall": [round(run.wall, 3) for run in contestant.runs],
        "cpu": [round(run.cpu, 3) for run in contestant.runs],
        "start": [round(run.wall, 3) for run in contestant.starts],
    }


def prepared(
    folder: Path, makers: dict[str, Callable[[Path], Contestant]]
) -> tuple[list[Contestant], dict[str, str]]:  # fmt: skip
    """The contestants that can be had, and why the others cannot."""
    ready, absent = [], {}
    for name, make in makers.items():
        (folder / name).mkdir()
        try:
            ready.append(make(folder / name))
        except NotMeasured as reason:
            absent[name] = str(reason)
    return ready, absent


def measured(folder: Path, turns: int, makers: dict[str, Callable[[Path], Contestant]]) -> dict[str, Any]:
    """Everything there is to report."""
    own = ours(folder)
    peers, absent = prepared(folder, makers)
    for _ in range(turns):
        for each in (*own, *peers):
            if each.name in absent:
                continue
            try:
                each.starts.append(timed(each, each.one, each.one_input))
                each.runs.append(timed(each, each.command, each.standard_input))
            except NotMeasured as reason:
                absent[each.name] = str(reason)
    for each in own:
        if each.name in absent:
            raise SystemExit(f"{each.name}: {absent[each.name]}")
    there = [peer for peer in peers if peer.name not in absent]
    return {
        "python": sys.version.split()[0],
        "turns": turns,
        "goal": GOAL,
        "ours": [described(each) for each in own],
        "peers": [{**described(peer), "ratios": {each.name: compared(each, peer) for each in own}} for peer in there],
        "not_measured": absent,
    }


def spread(ratio: dict[str, float]) -> str:
    """A ratio as text."""
    return f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"


def print_table(found: dict[str, Any]) -> None:
    """The report as text."""
    print(f"Python {found['python']}; ours over theirs: median (least to most) of {found['turns']} turns")
    for each in (found["ours"][0], *found["peers"]):
        print(f"\n{each['name']} {each['version']}: {each['vectors']} vectors, {each['passed']} passed")
        print(f"  a vector: {each['vector']}")
        print(f"  {each['parts']} parts; a part: {each['part']}")
    for own in found["ours"]:
        print(
            f"\n{own['name']} over {'vectors/s':24} {'vectors/cpu s':24} {'parts/s':24} {'beyond start':12} goal {GOAL}"
        )
        for peer in found["peers"]:
            print_ratios(peer["name"], peer["ratios"][own["name"]])
    for name, reason in found["not_measured"].items():
        print(f"{name:20} not measured: {reason}")


def print_ratios(name: str, ratios: dict[str, Any]) -> None:
    """Ours over one peer as a line."""
    cells = "".join(f" {spread(ratios[what]):24}" for what in ("vectors", "cpu", "parts"))
    beyond = "too short" if ratios["marginal"] is None else f"{ratios['marginal']:.2f}"
    print(f"{name:20}{cells} {beyond:12} {'met' if ratios['vectors']['median'] >= GOAL else 'not met'}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the speed of the suite against two other suites.")
    parser.add_argument("--ethereum-tests", type=Path, metavar="CHECKOUT", help="a checkout of ethereum/tests")
    parser.add_argument("--every", type=int, default=20, help="run every Nth file of state tests (default 20)")
    parser.add_argument("--turns", type=int, default=3, help="how often each is run (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    if min(chosen.every, chosen.turns) < 1:
        parser.error("--every and --turns: at least 1")
    makers: dict[str, Callable[[Path], Contestant]] = {
        "ethereum-execution": lambda folder: ethereum(folder, chosen.ethereum_tests, chosen.every),
        "bowtie-json-schema": bowtie,
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = measured(Path(folder), chosen.turns, makers)
        except NotMeasured as reason:
            raise SystemExit(f"clearspec: {reason}") from None
    print(json.dumps(found, indent=2)) if chosen.json else print_table(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
