"""Differential fuzzing: what is generated, what is found and how small, and the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.codec import canonical_bytes, encode, loads
from clearspec.events import Event, Reason
from clearspec.formats import VectorStep
from clearspec.invariants import broken
from clearspec.ledger import Kind, house
from clearspec.listing import build
from clearspec.machine import apply, apply_document
from clearspec.state import State
from clearspec_command.failures import BadInput
from clearspec_command.main import main
from clearspec_conformance.engines import opener
from clearspec_conformance.formats import Verdict, digest_of
from clearspec_conformance.fuzz.aims import AIMS, DAMAGE, aims_of, garbled
from clearspec_conformance.fuzz.branches import counter
from clearspec_conformance.fuzz.duel import Disagreement, Duel, against_itself, attempt, found_vector
from clearspec_conformance.fuzz.executors import Here, executor, results
from clearspec_conformance.fuzz.generating import REFERENCE, Enough, Recipe, Trace, answered, each, played
from clearspec_conformance.fuzz.reducing import reduced, rounded
from clearspec_conformance.fuzz.report import FuzzReport
from clearspec_conformance.fuzz.running import chosen_actions, shard_seed
from clearspec_conformance.fuzz.schemas import schemas
from clearspec_conformance.fuzz.shards import Task, Watched, kind_of, play_shard, reachable, shown_path
from clearspec_conformance.fuzz.stage import LARGEST, Draw, Stage
from clearspec_conformance.fuzz.worlds import WORLDS, plain, within, world
from clearspec_conformance.injected import KINDS
from clearspec_conformance.playing import Terms
from clearspec_conformance.protocol import FEATURES
from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.suite import read_vector
from clearspec_conformance.verdicts import Difference, Failure

QUICK = os.environ.get("CLEARSPEC_PROFILE") == "quick"
FULL = os.environ.get("CLEARSPEC_PROFILE") == "full"
ENGINES = Path(__file__).parent / "engines"
TUTORIAL = Path(__file__).resolve().parents[1] / "implementations" / "tutorial-python" / "engine.py"
SERVE = f"{sys.executable} -m clearspec_conformance.serve"
ALL_AIMS = tuple(aims_of(frozenset(ev.ACTION_NAMES)))
SAMPLE = ("lost_posting", "dropped_remainder", "large_liquidation", "late_insurance")
"""Kinds that every run of the tests looks for: the easiest to find and the hardest; the full profile takes all ten."""


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Engines and workers find the packages also where they are not installed, and leave nothing behind."""
    root = Path(__file__).resolve().parents[2]
    paths = [str(root / "reference"), str(root / "conformance"), str(Path(__file__).parent)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path / "hypothesis"))


def recipe(seed: int, count: int, most: int = 40, aims: tuple[str, ...] = ALL_AIMS) -> Recipe:
    return Recipe(seed, count, tuple(WORLDS), aims, most, 16)


def fuzzed(tmp_path: Path, *options: str) -> tuple[int, FuzzReport]:
    """Exit code and report of a run of the command; the vectors go to ``found``."""
    target = tmp_path / "report.json"
    code = main(["fuzz", "--json", str(target), "--save", str(tmp_path / "found"), *options])
    report: FuzzReport = loads(FuzzReport, target.read_bytes())
    assert report.digest == digest_of(report)
    return code, report


# What is generated


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_reached_by_its_steps(name: str) -> None:
    """Every event that leads there is accepted, and the state keeps every invariant."""
    start = world(name)
    state, trace = answered(start.genesis, start.steps) if start.steps else (build(start.genesis), None)
    assert [dict(table) for table in state.tables] == [dict(table) for table in start.state.tables]
    assert all(step.receipt.reason is None for step in start.steps)
    assert trace is None or [step.receipt for step in trace.steps] == [step.receipt for step in start.steps]
    assert broken(state) == []


def test_every_action_is_aimed_at() -> None:
    """What is chosen from by a drawn place has no more than as many as may be drawn."""
    assert {kind for _, kind, _ in AIMS.values()} == set(ev.ACTION_NAMES)
    assert max(len(ALL_AIMS), len(WORLDS)) <= LARGEST + 1


@pytest.mark.parametrize("name", ev.ROLES)
def test_an_engine_with_one_action_can_be_fuzzed(name: str) -> None:
    """Every proposal is an event, whatever the state and however little an engine is up to."""
    aims = tuple(aims_of(frozenset(kind for kind, action in ev.ACTION_NAMES.items() if action == name)))
    made = recipe(6, 30, aims=aims)
    actions = set()

    def use(start: Any, draws: list[Draw]) -> None:
        _, trace = played(start, draws, made, REFERENCE)
        sent_before = {step.receipt.id for step in start.steps}
        actions.update(s.receipt.action for s in trace.steps[len(start.steps) :] if s.receipt.id not in sent_before)

    each(made, use)
    assert actions <= {name, ""}


@pytest.mark.parametrize("place", range(len(DAMAGE)))
def test_damage_makes_a_text_malformed(place: int) -> None:
    text = garbled(Event("e1", 1, 5, "venue", ev.Trade("BTC-PERP", "a", "b", 1, 1000, ev.Side.BUYER)), place)
    assert apply_document(build(plain()), text).reason == Reason.MALFORMED


def drawn(count: int) -> list[tuple[str, list[Draw]]]:
    found: list[tuple[str, list[Draw]]] = []
    each(recipe(9, count), lambda start, draws: found.append((start.name, draws)))
    return found


def test_a_seed_means_the_same_in_another_process() -> None:
    """Constants of loaded modules must not enter: here other modules are loaded than in the other process."""
    code = "import sys, test_fuzz_engines as t; sys.stdout.write(repr(t.drawn(30)))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert other.stdout == repr(drawn(30))


def test_numbers_that_are_drawn_stay_small() -> None:
    numbers = [n for _, draws in drawn(50) for d in draws for n in (d.parties, d.which, d.choice, d.pause, d.digits)]
    assert 0 <= min(numbers) <= max(numbers) <= LARGEST < 100


def test_values_lie_on_and_beside_their_boundaries() -> None:
    """``a`` holds 10,000 and no position: an outflow of 10,050 would reach the limit of a negative balance."""
    start = world("plain funded")
    amounts = set()
    for choice in range(100):
        stage = Stage(start.state, start.state.time, Draw("withdraw", 0, 0, choice, 0, 1))
        action: Any = AIMS["withdraw"][0](stage)
        amounts.add(action.amount)
    assert {9_999, 10_000, 10_001, 10_049, 10_050, 10_051} <= amounts


def sequences(seed: int, count: int) -> Counter[str]:
    """Outcomes of sequences on the reference; every one must keep every invariant."""
    outcomes: Counter[str] = Counter()

    def use(start: Any, draws: list[Draw]) -> None:
        state, trace = played(start, draws, recipe(seed, count), REFERENCE)
        assert broken(state) == []
        for step in trace.steps[len(start.steps) :]:
            outcomes[f"{step.receipt.action} {step.receipt.reason or 'accepted'}"] += 1

    each(recipe(seed, count), use)
    return outcomes


def test_sequences_reach_every_action_and_every_reason() -> None:
    outcomes = sequences(8, 200 if QUICK else 3_000)
    reasons = {outcome.rpartition(" ")[2] for outcome in outcomes}
    accepted = {outcome.partition(" ")[0] for outcome in outcomes if outcome.endswith("accepted")}
    if QUICK:
        assert len(reasons) > 40
        pytest.skip("too few sequences to judge what they reach")
    assert [reason.value for reason in Reason if reason.value not in reasons] == []
    assert accepted == set(ev.ROLES)


def test_a_shard_reaches_every_rule_that_transitions_run() -> None:
    shard = play_shard(Task("reference", Terms(), 30.0, recipe(3, 60)))
    assert shard.found == []
    assert shard.sequences == 60
    assert sorted(set(reachable()) - shard.rules) == []


def test_watching_changes_nothing() -> None:
    start, reached = world("mixed traded"), set[str]()
    watched = Watched(reached)
    draws = next(draws for name, draws in drawn(40) if len(draws) > 20)
    one, first = played(start, draws, recipe(9, 1), REFERENCE)
    other, second = played(start, draws, recipe(9, 1), watched.answers)
    assert first == second
    assert [dict(table) for table in one.tables] == [dict(table) for table in other.tables]
    assert "ORCL-4" in reached
    assert watched.twin["oracle.stepped"].__name__ == "stepped"


def test_enough_is_enough() -> None:
    count = 0

    def use(start: Any, draws: list[Draw]) -> None:
        nonlocal count
        count += 1
        raise Enough

    each(recipe(1, 50), use)
    assert count <= 2


# What is found


@pytest.mark.parametrize("kind", KINDS if FULL else SAMPLE)
def test_a_faulty_engine_is_found_with_eight_events(kind: str, tmp_path: Path) -> None:
    """The smallest trace is a vector that the reference passes and the engine fails."""
    place = f"python:clearspec_conformance.injected.subjects:{kind}"
    code, report = fuzzed(tmp_path, "--impl", place, "--seed", "1", "--sequences", "4000")
    assert code == 1
    smallest = report.findings[0]
    assert smallest.confirmed
    assert smallest.events <= 8
    assert smallest.verdict == Verdict.FAILED
    assert smallest.found_with >= smallest.events
    folder = str(tmp_path / "found")
    assert main(["conform", "--impl", "reference", "--vectors", folder]) == 0
    assert main(["conform", "--impl", place, "--vectors", folder, "--only", smallest.id]) == 1


def test_the_reference_agrees_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = fuzzed(tmp_path, "--impl", "reference", "--seed", "4", "--sequences", "60" if QUICK else "300")
    assert code == 0
    assert report.findings == ()
    assert not (tmp_path / "found").exists()
    assert report.sequences == (60 if QUICK else 300)
    assert report.events > 20 * report.sequences
    assert "no disagreement" in capsys.readouterr().out


class TakesTooMuch(Reference):
    """Credits one atom too many of every deposit of a thousand atoms or more."""

    def receipt(self, state: State, raw: Any) -> Any:
        deposit = raw.get("action", {}).get("deposit") if isinstance(raw, dict) else None
        amount = int(deposit["amount"]) if isinstance(deposit, dict) and deposit["amount"].isdecimal() else 0
        found = super().receipt(state, raw)
        if amount >= 1000 and found.reason is None:
            key = ("USD", "main", "user", deposit["account"])
            state.balances[key] = state.balances.get(key, 0) + 1
        return found


def steps_of(*actions: tuple[str, Any]) -> tuple[VectorStep, ...]:
    """Events one second apart as steps whose receipts are still to be filled in."""
    events = [Event(f"x{n}", 10 * n, n, actor, action) for n, (actor, action) in enumerate(actions, start=1)]
    return tuple(VectorStep(event, None) for event in events)  # type: ignore[arg-type]


def duel_with(make: str) -> Duel:
    return Duel(opener(f"python:{__name__}:{make}"), Terms(), 30.0)


def small(duel: Duel, genesis: ev.Genesis, steps: tuple[VectorStep, ...]) -> Disagreement:
    """The reduced disagreement on some steps."""
    _, trace = answered(genesis, steps)
    found = duel.disagreement(trace)
    assert found is not None
    return reduced(duel, found)


def test_a_disagreement_is_made_as_small_as_it_gets() -> None:
    """Of five accounts, prices and a market only one account and its deposit matter; 1000 is the least amount."""
    actions: list[tuple[str, Any]] = [("s1", ev.PostPrice("BTC", 1000, 0))]
    for name in "abcde":
        actions += [(name, ev.OpenAccount(name, "main")), (name, ev.Deposit(name, "USD", 700))]
    actions += [("c", ev.Deposit("c", "USD", 5431)), ("s1", ev.PostPrice("BTC", 1001, 0))]
    found = small(duel_with("TakesTooMuch"), sb.genesis(), steps_of(*actions))
    events = [step.event for step in found.trace.steps]
    assert [event.action for event in events if event] == [ev.OpenAccount("c", "main"), ev.Deposit("c", "USD", 1000)]
    assert [(event.id, event.sequence, event.time) for event in events if event] == [("e1", 1, 0), ("e2", 2, 0)]
    assert found.trace.genesis.markets == ()
    assert [asset.asset for asset in found.trace.genesis.assets] == ["USD"]
    assert found.failure is not None
    assert found.failure.differences[0].path == "$.observable.accounts.c.balances.USD"


def test_amounts_are_joined_where_only_their_sum_matters() -> None:
    """Two deposits of 600 bring 1200; a withdrawal of 1100 needs both, or one of as much."""
    fault = "clearspec_conformance.injected.subjects:lost_posting"
    actions = [("a", ev.OpenAccount("a", "main")), ("a", ev.Deposit("a", "USD", 600)),
               ("a", ev.Deposit("a", "USD", 600)), ("a", ev.Withdraw("a", "USD", 1100))]  # fmt: skip
    _, trace = answered(sb.genesis(), steps_of(*actions))
    kept = [step for _, steps in joined(trace) for step in steps]
    amounts = [step.event.action.amount for step in kept if isinstance(step.event.action, ev.Deposit)]  # type: ignore[union-attr]
    assert amounts == [1200]
    assert Duel(opener(f"python:{fault}"), Terms(), 30.0).disagreement(trace) is not None


def joined(trace: Trace) -> list[Any]:
    from clearspec_conformance.fuzz.reducing import with_joined_amounts

    return list(with_joined_amounts(trace.genesis, trace.steps))


def test_round_numbers() -> None:
    assert list(rounded(5431)) == [5000, 5400, 5430]
    assert list(rounded(700)) == []


def test_a_found_vector_is_what_the_reference_says(tmp_path: Path) -> None:
    actions = [("a", ev.OpenAccount("a", "main")), ("a", ev.Deposit("a", "USD", 1000))]
    vector = found_vector(small(duel_with("TakesTooMuch"), sb.genesis(), steps_of(*actions)))
    path = tmp_path / "ledger" / f"{vector.id}.json"
    path.parent.mkdir()
    path.write_bytes(canonical_bytes(vector))
    assert read_vector(path) == vector
    assert vector.rules == ("COLL-3",)
    assert vector.features == ("events", "ledger")
    assert [step.observable is None for step in vector.steps] == [True, False]
    assert main(["conform", "--impl", "reference", "--vectors", str(tmp_path)]) == 0
    assert main(["conform", "--impl", f"python:{__name__}:TakesTooMuch", "--vectors", str(tmp_path)]) == 1


def test_a_reference_that_breaks_an_invariant_is_found_too() -> None:
    start = world("plain funded")
    state, trace = answered(start.genesis, start.steps)
    assert against_itself(state, trace) is None
    key = house("USD", "main", Kind.INSURANCE_FUND)
    state.balances[key] += 1
    found = against_itself(state, trace)
    assert found is not None
    assert found.failure is not None
    assert found.failure.differences[0].got == ["INV-1", "INV-11"]


def test_a_fault_of_the_reference_is_made_small_and_gets_no_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As if an invariant broke as soon as there are two accounts: opening two is all that is left."""
    monkeypatch.setattr("clearspec_conformance.fuzz.duel.broken", lambda s: ["INV-8"] if len(s.accounts) > 1 else [])
    code, report = fuzzed(tmp_path, "--impl", "reference", "--seed", "3", "--sequences", "100")
    assert code == 1
    assert [(one.events, one.confirmed, one.why) for one in report.findings] == [
        (2, False, "the reference breaks INV-8")
    ]
    assert not (tmp_path / "found").exists()
    assert "the fault is the reference's own" in capsys.readouterr().out


def test_kinds_of_disagreement() -> None:
    """Names of accounts and numbers of postings do not make a kind."""
    assert shown_path("$.receipt.postings[4].amount") == shown_path("$.receipt.postings[0].amount")
    assert shown_path("$.observable.accounts.a.balances.USD") == shown_path("$.observable.accounts.b.balances.USD")
    _, trace = answered(sb.genesis(), steps_of(("a", ev.OpenAccount("a", "main"))))
    failure = Failure(1, "COLL-1", (Difference("$.receipt.postings[2]", 1, 2),))
    one = Disagreement(trace, Verdict.FAILED, failure, "")
    assert kind_of(one) == ("failed", "open_account", "None", "$.receipt.postings[]")
    assert kind_of(Disagreement(trace, Verdict.HUNG, None, "no answer in time")) == ("hung", "no answer in time")


def test_a_trace_is_played_as_the_vector_that_it_is() -> None:
    _, trace = answered(plain(), steps_of(("a", ev.OpenAccount("a", "main"))))
    entry = attempt(trace, "00")
    assert entry.document()["steps"] == [encode(step) for step in trace.steps]
    assert encode(entry.vector)["steps"] == entry.document()["steps"]
    assert encode(entry.vector)["genesis"] == entry.document()["genesis"]


# Engines that misbehave


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("dies", Verdict.ERRORED), ("garbage", Verdict.ERRORED), ("always_rejects", Verdict.FAILED),
     ("wrong_root", Verdict.FAILED), ("forgets_restored", Verdict.FAILED)],
)  # fmt: skip
def test_engines_that_must_fail(name: str, verdict: Verdict, tmp_path: Path) -> None:
    command = f"{sys.executable} {ENGINES / name}.py"
    code, report = fuzzed(tmp_path, "--impl", command, "--seed", "3", "--sequences", "100")
    assert code == 1
    assert report.findings[0].verdict == verdict
    assert report.findings[0].confirmed
    assert report.findings[0].events <= 2
    assert len(list((tmp_path / "found").glob("*/*.json"))) == sum(one.confirmed for one in report.findings)


def test_an_engine_that_hangs_is_not_waited_for_again_and_again(tmp_path: Path) -> None:
    command = f"{sys.executable} {ENGINES / 'deaf.py'}"
    code, report = fuzzed(tmp_path, "--impl", command, "--seed", "3", "--timeout", "0.3", "--sequences", "200")
    assert code == 1
    assert report.findings[0].verdict == Verdict.HUNG
    assert report.sequences <= 3


def test_an_engine_that_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = f"{sys.executable} {ENGINES / 'stillborn.py'}"
    assert main(["fuzz", "--impl", command, "--json", str(tmp_path / "r.json")]) == 1
    assert "errored: at hello" in capsys.readouterr().err


def test_an_engine_that_lacks_everything_has_not_been_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"{sys.executable} {ENGINES / 'lacks_everything.py'}"
    code, report = fuzzed(tmp_path, "--impl", command, "--seed", "3", "--sequences", "5")
    assert code == 1
    assert (report.skipped, report.lacking) == (5, "later")
    assert "nothing was compared" in capsys.readouterr().out


def test_an_engine_is_asked_only_for_what_it_claims(tmp_path: Path) -> None:
    code, report = fuzzed(
        tmp_path, "--impl", f"{sys.executable} {TUTORIAL}", "--seed", "3", "--sequences", "40" if QUICK else "200"
    )
    assert code == 0
    assert report.settings.actions == ("open_account", "deposit", "contribute")
    assert report.skipped == 0
    assert set(report.reached.accepted) == {"open_account", "deposit", "contribute"}


def test_worlds_need_what_leads_into_them() -> None:
    assert within({"ledger"}) == ["plain", "mixed", "scaled"]
    assert within(FEATURES) == list(WORLDS)


def test_only_some_actions() -> None:
    assert chosen_actions((), ("trading", "oracle")) == ("post_price", "post_book", "trade", "set_status")
    assert chosen_actions(("trade", "oracle"), FEATURES) == ("post_price", "post_book", "trade")
    with pytest.raises(BadInput, match="claims the features of none"):
        chosen_actions(("trade",), ("ledger",))
    with pytest.raises(BadInput, match="--only trades"):
        chosen_actions(("trades",), FEATURES)


# The same everywhere


def test_the_same_report_from_one_process_and_two(tmp_path: Path) -> None:
    """Something is found in the fifth shard (in the quick profile in the first), while others are under way."""
    place, number = "python:clearspec_conformance.injected.subjects:dropped_remainder", "3" if QUICK else "2"
    options = ("--impl", place, "--seed", number, "--sequences", "800")
    one, two = fuzzed(tmp_path, *options), fuzzed(tmp_path, *options, "--jobs", "2")
    assert one == two
    report = one[1]
    assert len(report.findings) == 1
    assert len(report.shards) == (1 if QUICK else 5)
    assert [shard.seed for shard in report.shards] == [shard_seed(int(number), n) for n in range(len(report.shards))]


def test_the_same_report_from_a_dask_cluster(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    if QUICK:
        pytest.skip("a cluster takes long to start")
    options = ("--impl", SERVE, "--seed", "2", "--sequences", "150")
    assert fuzzed(tmp_path, *options) == fuzzed(tmp_path, *options, "--executor", "dask", "--jobs", "2")


@pytest.mark.parametrize("make", [Here, lambda: ThreadPoolExecutor(2)])
def test_any_executor_gives_results_in_order(make: Callable[[], Any]) -> None:
    submitted: list[int] = []

    def tasks() -> Any:
        for number in range(20):
            submitted.append(number)
            yield number

    with make() as pool:
        found = results(pool, lambda number: number * number, tasks(), 2)
        assert [next(found) for _ in range(3)] == [0, 1, 4]
        assert len(submitted) <= 6
        assert list(found) == [number * number for number in range(3, 20)]


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(BadInput, match="--executor cloud"), executor("cloud", 2):
        pass


def test_a_report_is_played_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same engine gives the same report; a mended one is told to be mended."""
    options = ("--impl", f"python:{__name__}:TakesTooMuch", "--seed", "5", "--sequences", "30")
    code, report = fuzzed(tmp_path, *options)
    assert code == 1
    kept = tmp_path / "kept.json"
    kept.write_bytes((tmp_path / "report.json").read_bytes())
    again, same = fuzzed(tmp_path, "--impl", options[1], "--replay", str(kept))
    assert (again, same) == (1, report)
    assert "the report is the same as before" in capsys.readouterr().out
    mended, other = fuzzed(tmp_path, "--impl", "reference", "--replay", str(kept))
    assert (mended, other.findings) == (0, ())
    assert f"found no more: {report.findings[0].id}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "named"),
    [(("--only", "trade"), "--only"), (("--seed", "3"), "--seed"), (("--branches",), "--branches"),
     (("--sequences", "2000"), "--sequences"), (("--time", "5"), "--time"), (("--max-events", "40"), "--max-events"),
     (("--every", "16"), "--every"), (("--keep-going", "--branches"), "--keep-going, --branches")],
)  # fmt: skip
def test_what_a_replay_takes_from_the_report_is_refused_beside_it(
    options: tuple[str, ...], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the value is the default."""
    fuzzed(tmp_path, "--impl", "reference", "--seed", "5", "--sequences", "1")
    capsys.readouterr()
    assert main(["fuzz", "--impl", "reference", "--replay", str(tmp_path / "report.json"), *options]) == 2
    assert f"leave out {named}" in capsys.readouterr().err


def test_branches_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coverage", None)
    with pytest.raises(BadInput, match=r"--branches needs coverage: pip install '\.\[conformance\]'"):
        counter()


def test_a_report_fits_its_schema(tmp_path: Path) -> None:
    _, report = fuzzed(tmp_path, "--impl", f"python:{__name__}:TakesTooMuch", "--seed", "5", "--sequences", "20")
    schema = schemas()["fuzz-report.json"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads((tmp_path / "report.json").read_bytes()), schema)
    assert report.settings.seed == 5
    wrong = encode(report)
    del wrong["findings"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_branches_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    _, report = fuzzed(tmp_path, "--impl", "reference", "--seed", "5", "--sequences", "20", "--branches")
    assert 100 < report.reached.branches < report.reached.branches_all
    assert all(line.endswith(("0 of 2", "1 of 2")) for line in report.reached.branches_not)
    _, more = fuzzed(tmp_path, "--impl", "reference", "--seed", "5", "--sequences", "60", "--branches")
    assert more.reached.branches > report.reached.branches
    assert more.reached.branches_all == report.reached.branches_all


def test_time_ends_a_run(tmp_path: Path) -> None:
    code, report = fuzzed(tmp_path, "--impl", "reference", "--seed", "1", "--time", "0.01")
    assert code == 0
    assert report.sequences == 100


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--impl", "python:no_such_module:Engine"), "no_such_module"),
        (("--impl", "reference", "--only", "no_such_action"), "expected an action or a feature"),
        (("--impl", "reference", "--executor", "cloud", "--sequences", "1"), "--executor cloud"),
        (("--impl", "reference", "--replay", "BAD"), "BAD"),
        (("--impl", "/no/such/command"), "cannot be started: No such file or directory\n"),
        (("--impl", "no_such.module:Engine"), "(a Python class is python:MODULE:CLASS)\n"),
        (("--impl", "reference", "--json", "/no/such/folder/report.json"), "cannot be written"),
    ],
)
def test_bad_input(options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "BAD"
    bad.write_text('{"format": "clearspec/fuzz-report/1"}')
    assert main(["fuzz", *(str(bad) if option == "BAD" else option for option in options)]) == 2
    assert message in capsys.readouterr().err


def test_nothing_is_written_where_vectors_cannot_be_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file stands where the folder, or the folder of the chapter, should: the one is seen before the run."""
    blocked, target = tmp_path / "blocked", tmp_path / "report.json"
    blocked.mkdir()
    (blocked / "collateral").write_text("a file")
    options = ["fuzz", "--impl", f"python:{__name__}:TakesTooMuch", "--seed", "5", "--json", str(target)]
    assert main([*options, "--sequences", "20", "--save", str(blocked)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main([*options, "--sequences", "1000000", "--save", str(blocked / "collateral" / "found")]) == 2
    assert "cannot be written there" in capsys.readouterr().err
    assert not target.exists()


def test_the_state_of_the_sequence_is_that_of_its_events() -> None:
    """What a draw becomes is applied to the reference once: a replay of the steps gives the same state."""
    start = world("mixed crashed")
    draws = next(draws for _, draws in drawn(60) if len(draws) > 25)
    state, trace = played(start, draws, recipe(9, 1), REFERENCE)
    again = build(start.genesis)
    for step in trace.steps:
        if step.event is not None:
            apply(again, step.event)
    assert [dict(table) for table in state.tables] == [dict(table) for table in again.tables]
    assert replace(trace.steps[-1], observable=None) != trace.steps[-1]
