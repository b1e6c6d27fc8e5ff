"""Wrong references, named and generated: how they are made, and that the theorems refute them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clearspec import funding, listing, machine, margin, numerics, parameters, state, trading, waterfall
from clearspec_proofs import generated
from clearspec_proofs.mutants import HISTORICAL, MutantError, judged, read_mutants, run_mutants
from clearspec_proofs.records import Status
from clearspec_proofs.stand_ins import holders
from clearspec_proofs.theorems import Strength, Theorem, catalogue
from clearspec_proofs.trials.operators import changes
from clearspec_proofs.trials.refuting import OutOfTime, time_limit, tried
from clearspec_proofs.trials.swapping import Unfit, as_it_is, swapped

PROFILE = os.environ.get("CLEARSPEC_PROFILE", "ci")
NAMED = {"quick": 3, "full": 10_000}.get(PROFILE, 12)
GENERATED = {"quick": 3, "full": 200}.get(PROFILE, 10)


def theorem(body: Callable[[Any], Any]) -> Theorem:
    return Theorem("test.body", "A test.", ("NUM-1",), Strength.EVERY_INPUT, body, ())


# Exchanging text while it runs


def test_a_function_runs_other_text_wherever_it_is_held_and_then_its_own_again() -> None:
    before = numerics.mul_ceil
    with swapped("numerics", "return -(-(amount * ratio) // SCALE)", "return amount * ratio // SCALE + 1"):
        assert trading.mul_ceil is before is numerics.mul_ceil
        assert [trading.mul_ceil(10, 10**9), margin.mul_ceil(10, 10**9)] == [11, 11]
        assert holders(before)
    assert [trading.mul_ceil(10, 10**9), margin.mul_ceil(10, 10**9)] == [10, 10]


def test_what_is_exchanged_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), swapped("numerics", "return size * price", "return size // price"):
        numerics.notional(3, 0)
    assert numerics.notional(3, 5) == 15


def test_methods_properties_and_transitions_are_exchanged_too() -> None:
    with swapped("state", "created = [key for key, before in self.undo.items() if before is None]", "created = []"):
        table: state.Table[str, int] = state.Table("t")
        table.put("a", 1)
        assert table.commit() == []
    with swapped("waterfall", "return self.deficit - sum(self.borne.values())", "return self.deficit"):
        case = waterfall.Resolution("A", None, 7, [], [], {"insurance_fund": 3})  # type: ignore[arg-type]
        assert case.remaining == 7
    assert case.remaining == 4
    with swapped(
        "trading", "require_venue(ctx)\n    require_market(ctx, action.market)", "require_market(ctx, action.market)"
    ):
        assert machine.TRANSITIONS["trade"] is trading.trade


def test_constants_are_exchanged_where_they_were_imported() -> None:
    with swapped("numerics", "INDEX_MAX = 2**60", "INDEX_MAX = 5"):
        assert (numerics.INDEX_MAX, funding.INDEX_MAX, waterfall.INDEX_MAX) == (5, 5, 5)
    assert (numerics.INDEX_MAX, funding.INDEX_MAX, waterfall.INDEX_MAX) == (2**60, 2**60, 2**60)


def test_cached_functions_forget_what_they_knew() -> None:
    from clearspec.events import Deposit, bounds_of

    known = bounds_of(Deposit)
    with swapped("events", "found += [(item.name, part.low, part.high)", "found += [(item.name, part.low, 1)"):
        assert bounds_of(Deposit) != known
    assert bounds_of(Deposit) == known


@pytest.mark.parametrize(
    ("module", "before", "after", "said"),
    [
        ("numerics", "no such text", "", "occurs 0 times"),
        ("numerics", "divisor", "d", "occurs"),
        ("numerics", "return size * price", "return size *", "line"),
        ("numerics", "return size * price", "return (size * price)", "changes nothing"),
        ("nowhere", "a", "b", "no module 'nowhere'"),
        ("numerics", "def notional", "def value", "removes 'notional'"),
        ("state", "    size: SignedSize\n", "    size: Wide\n", "cannot be made"),
    ],
)
def test_unfit_changes_are_refused(module: str, before: str, after: str, said: str) -> None:
    with pytest.raises(Unfit, match=said), swapped(module, before, after):
        pass


def test_within_an_exchange_the_reference_may_run_as_it_is() -> None:
    with swapped("numerics", "return -(-(amount * ratio) // SCALE)", "return amount * ratio // SCALE + 1"):
        with swapped("numerics", "INDEX_MAX = 2**60", "INDEX_MAX = 5"):
            with as_it_is():
                assert (trading.mul_ceil(10, 10**9), funding.INDEX_MAX) == (10, 2**60)
            assert (trading.mul_ceil(10, 10**9), funding.INDEX_MAX) == (11, 5)
        with as_it_is():
            assert trading.mul_ceil(10, 10**9) == 10
    assert trading.mul_ceil(10, 10**9) == 10


# Refuting


def test_a_refutation_needs_numbers_on_the_reference_itself() -> None:
    """A claim that fails only by a stand-in is none."""

    def by_stand_in(path: Any) -> None:
        a = path.atom("a", 0, 5)
        path.claim("small", lambda: a <= 3 or not path.stand_ins)

    assert tried(theorem(by_stand_in), 10).status == Status.UNKNOWN
    found = tried(theorem(lambda path: path.claim("small", lambda: path.atom("a", 0, 5) <= 3)), 10)
    assert (found.status, found.claim) == (Status.REFUTED, "small")
    assert int(found.values["a"]) > 3


def test_numbers_that_fail_on_the_right_reference_refute_nothing() -> None:
    """One claim fails on both, the other on the wrong one alone."""

    def on_both(path: Any) -> None:
        a = path.atom("a", 0, 5)
        path.claim("small", lambda: a <= 3)

    def on_one(path: Any) -> None:
        a = path.atom("a", 0, 5)
        path.claim("rounded up", lambda: numerics.mul_ceil(a, 10**9) == a)

    with swapped("numerics", "return -(-(amount * ratio) // SCALE)", "return amount * ratio // SCALE + 1"):
        assert tried(theorem(on_both), 10).status == Status.UNKNOWN
        assert tried(theorem(on_one), 10).status == Status.REFUTED


def test_a_hint_that_fails_refutes_nothing() -> None:
    def body(path: Any) -> None:
        a = path.atom("a", 0, 5)
        path.claim("lemma: small", lambda: a <= 3)
        path.claim("not large", lambda: a <= 5)

    assert tried(theorem(body), 10).status == Status.UNKNOWN


def test_given_numbers_are_tried_first() -> None:
    """A square that no draw finds."""

    def body(path: Any) -> None:
        a = path.atom("a", 0, 2**80)
        path.assume(lambda: a * a * a * a * a == 1234567891**5)
        path.claim("another", lambda: a != 1234567891)

    assert tried(theorem(body), 5, known={"a": 1234567891}).status == Status.REFUTED


def test_what_holds_is_not_refuted() -> None:
    trial = tried(theorem(lambda path: path.claim("all", lambda: path.atom("a", 0, 5) <= 5)), 10)
    assert (trial.status, trial.values) == (Status.PROVED, {})


def test_a_trial_ends_in_time() -> None:
    def endless(path: Any) -> None:
        number = 0
        while True:
            number += 1

    trial = tried(theorem(endless), 0.3)
    assert trial.status == Status.UNKNOWN
    assert "no answer" in trial.note
    with pytest.raises(OutOfTime), time_limit(0.05):
        for _ in count():
            pass


# Named mutants

OF_NOTHING = ["invariants.gap-deficit"]
"""Theorems that call no function of the reference, so that no mistake in it can refute them: of what others use."""


def test_every_named_mutant_fits_the_reference_and_names_theorems() -> None:
    known, mutants = catalogue(), read_mutants()
    assert mutants
    for mutant in mutants.values():
        assert [name for name in mutant.theorems if name not in known] == [], mutant.name
        with swapped(mutant.module, mutant.before, mutant.after):
            pass


def test_every_theorem_is_named_by_two_mutants_at_least() -> None:
    count = Counter(name for mutant in read_mutants().values() for name in mutant.theorems)
    wanting = [name for name in catalogue() if count[name] < 2 and not name.startswith("numerics.fits-")]
    assert wanting == OF_NOTHING


def test_each_historical_mistake_has_a_mutant_and_a_theorem() -> None:
    mutants, known = read_mutants(), catalogue()
    assert len(HISTORICAL) == 10
    for mistake, name in HISTORICAL.items():
        assert name in mutants, mistake
        assert mutants[name].theorems[0] in known, mistake


@pytest.mark.parametrize("name", sorted(set(HISTORICAL.values())))
def test_each_historical_mistake_is_refuted(name: str) -> None:
    result = judged(read_mutants()[name])
    assert result.refuted, result.document()


def sampled() -> list[str]:
    names = sorted(read_mutants())
    return sorted(Random(1).sample(names, min(NAMED, len(names))))


@pytest.mark.parametrize("name", sampled())
def test_named_mutants_are_refuted(name: str) -> None:
    result = judged(read_mutants()[name])
    assert result.refuted, result.document()


def test_the_runner_judges_in_processes_of_their_own() -> None:
    [result] = run_mutants(["fees-rounded-down"], jobs=1)
    document = result.document()
    assert document["refuted"] is True
    assert {trial["status"] for trial in document["trials"]} == {"refuted"}
    with pytest.raises(MutantError, match="no mutant is called"):
        list(run_mutants(["no-such-mutant"]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[mutant]]\nname = 'a'\n", "has the fields"),
        ("not toml", "a.toml"),
        ("[[mutant]]\nname='a'\nstory=1\ntheorems=['x']\nmodule='m'\nbefore='b'\nafter='c'\n", "story is of another"),
        ("[[mutant]]\nname='a'\nstory='s'\ntheorems=[]\nmodule='m'\nbefore='b'\nafter='c'\n", "theorems is of another"),
        (2 * "[[mutant]]\nname='a'\nstory='s'\ntheorems=['x']\nmodule='m'\nbefore='b'\nafter='c'\n", "stands twice"),
    ],
)
def test_files_of_mutants_are_read_strictly(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(MutantError, match=said):
        read_mutants(tmp_path)


# Generated mutants


def test_generated_mutants_differ_from_the_kernel_and_from_each_other() -> None:
    for kernel in ("margin.open_interest_weight", "numerics.div_to_zero", "trading.filled"):
        tree = generated.kernels()[kernel].tree
        texts = [generated.ast.unparse(change.definition) for change in changes(tree)]
        assert len(set(texts)) == len(texts) > 5
        assert generated.ast.unparse(tree) not in texts


def test_the_operators_that_are_asked_for_exist() -> None:
    kinds = {
        mutant.id.partition("/")[2].partition("-")[0] for k in generated.kernels() for mutant in generated.mutants_of(k)
    }
    assert kinds >= {"comparison", "sign", "rounding", "extreme", "number", "statement"}


def test_kernels_write_nothing_and_answer() -> None:
    found = set(generated.kernels())
    assert {"numerics.mul_ceil", "trading.filled", "liquidation.penalty_for", "margin.standing"} <= found
    assert not {"ledger.post", "trading.trade", "trading.require_caps", "waterfall.draw_fund"} & found


def test_what_a_theorem_executes_is_traced() -> None:
    found = generated.executes(catalogue()["trading.filled-conserves"])
    assert {"trading.filled", "numerics.div_to_zero", "numerics.notional"} <= found
    assert "margin.standing" not in found


def some_mutants() -> list[str]:
    kernels = ("numerics.div_ceil", "numerics.cumulative_share", "trading.reduces", "trading.within_band")
    return sorted(Random(2).sample([mutant.id for k in kernels for mutant in generated.mutants_of(k)], GENERATED))


@pytest.mark.parametrize("identifier", some_mutants())
def test_generated_mutants_are_refuted_or_listed(identifier: str) -> None:
    kernel = identifier.partition("/")[0]
    theorems = [name for name in catalogue() if name.partition(".")[0] == kernel.partition(".")[0]]
    theorems = [name for name in theorems if "fits" not in name and kernel in generated.executes(catalogue()[name], 5)]
    [mutant] = [entry for entry in generated.mutants_of(kernel) if entry.id == identifier]
    record = generated.judged(mutant, theorems)
    assert generated.fate_of(record, generated.read_survivors()) in ("refuted", "equivalent", "gap"), record


def test_survivors_that_are_listed_are_mutants_of_today() -> None:
    for identifier, entry in generated.read_survivors().items():
        found = {mutant.id: mutant.change for mutant in generated.mutants_of(identifier.partition("/")[0])}
        assert identifier in found
        assert (entry["before"], entry["after"]) == (found[identifier].before, found[identifier].after)
        assert len(entry["reason"]) > 20


def test_the_report_counts_by_fate(tmp_path: Path) -> None:
    records = [
        {"id": "a.f/sign-1", "kernel": "a.f", "before": "x", "after": "y", "fate": "refuted"},
        {"id": "a.f/sign-2", "kernel": "a.f", "before": "x", "after": "z", "fate": "survived"},
        {"id": "b.g/sign-1", "kernel": "b.g", "before": "x", "after": "y", "fate": "unproved", "unproved": {"t": ""}},
    ]
    summary = generated.document(records)["summary"]
    assert (summary["kernels"], summary["mutants"], summary["refuted"], summary["score"]) == (2, 3, 1, 33.3)
    assert "| b.g/sign-1 |" in generated.page(records)


def test_an_entry_that_no_longer_fits_excuses_nothing() -> None:
    record = {"id": "a.f/sign-1", "before": "x", "after": "y", "fate": "survived"}
    entry = {"id": "a.f/sign-1", "before": "x", "after": "y", "kind": "equivalent", "reason": "the same"}
    assert generated.fate_of(record, {"a.f/sign-1": entry}) == "equivalent"
    assert generated.fate_of(record, {"a.f/sign-1": {**entry, "after": "z"}}) == "survived"
    assert generated.fate_of({**record, "fate": "refuted"}, {"a.f/sign-1": entry}) == "refuted"


def test_parameters_and_listing_have_no_stray_state() -> None:
    """Modules that are exchanged are the modules that everything else holds."""
    assert listing.market_violations is parameters.market_violations
