"""The mutants: each operator on a small function, patches that stay in their child, honest verdicts, and the zoo."""

import ast
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from clearspec import ledger, margin, numerics
from clearspec_command.failures import BadInput
from clearspec_conformance import mutants_report as report
from clearspec_conformance.mutants import (
    Arena,
    Kill,
    Patch,
    Trial,
    Wrong,
    judged,
    lines_of,
    load_zoo,
    open_arena,
    patch_text,
    source_of,
    zoo_candidates,
)
from clearspec_conformance.mutants_command import command
from clearspec_conformance.mutation import Generated, generated, in_bounds, in_functions
from clearspec_conformance.operators import Scope, changes_of
from clearspec_conformance.records import Known, signatures
from clearspec_conformance.suite import vectors_folder

KNOWN = Known(
    {"pay": (("debtor", "str"), ("creditor", "str"), ("amount", "int"))},
    {"Fill": (("buyer", "Id"), ("seller", "Id"), ("size", "Size"), ("least", "Size"), ("market", "Id"))},
    {"Side": ("BUYER", "SELLER")},
)


def alternatives(source: str) -> dict[str, list[str]]:
    """Operator to the texts that it makes of a function."""
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    found: dict[str, list[str]] = {}
    for change in changes_of(function, Scope(function, KNOWN)):
        with change:
            found.setdefault(change.operator, []).append(ast.unparse(function).split("\n", 1)[1].strip())
    assert ast.unparse(function) == ast.unparse(ast.parse(source))
    return found


@pytest.mark.parametrize(
    ("body", "operator", "wanted"),
    [
        ("return a < b", "lt-lte", ["return a <= b"]),
        ("return 0 < a <= b", "lte-lt-2", ["return 0 < a < b"]),
        ("return a in b", "in-notin", ["return a not in b"]),
        ("return a + b", "add-sub", ["return a - b"]),
        ("return a * b", "factor-left", ["return a"]),
        ("return a * b", "factor-right", ["return b"]),
        ("return a // b", "quotient-up", ["return -(-a // b)"]),
        ("return -a", "minus-dropped", ["return a"]),
        ("return not a", "not-dropped", ["return a"]),
        ("return 2 * a", "number+1", ["return 3 * a"]),
        ("return 2 * a", "number-1", ["return 1 * a"]),
        ("f(True)", "boolean", ["f(False)"]),
        ("return a and b", "and-or", ["return a or b"]),
        ("return a or b", "condition-dropped-1", ["return b"]),
        ("return max(0, a)", "max-min", ["return min(0, a)"]),
        ("return max(0, a)", "bound-dropped-1", ["return a"]),
        ("return clamp(a, -b, b)", "bound-dropped-2", ["return min(b, a)"]),
        ("return abs(a)", "abs-dropped", ["return a"]),
        ("return mul_floor(a, b)", "mul_floor-mul_ceil", ["return mul_ceil(a, b)"]),
        ("return div_to_zero(a, b)", "div_to_zero-div_ceil", ["return div_ceil(a, b)"]),
        ("pay(a, b, 7)", "arguments-1-2", ["pay(b, a, 7)"]),
        ("return replace(a, x=b, y=1)", "field-kept-x", ["return replace(a, y=1)"]),
        ("return a if b else c", "condition-true", ["return a"]),
        ("return [x for x in a if x]", "filter-dropped", ["return [x for x in a]"]),
        ("return fill.buyer", "field-seller", ["return fill.seller"]),
        ("return fill.size", "field-least", ["return fill.least"]),
        ("return Side.BUYER", "member", ["return Side.SELLER"]),
        ("return a in (b, c)", "item-dropped-1", ["return a in (c,)"]),
        ("if a:\n        f()", "condition-false", ["if False:\n        f()"]),
        ("for x in a:\n        f()", "once", ["for x in a:\n        f()\n        break"]),
        ("f()", "deleted", ["pass"]),
        ("a += b", "add-sub", ["a -= b"]),
        ("a += b", "deleted", ["pass"]),
        ("return a", "returned-b", ["return b"]),
        ("require_x(a)\n    c = a\n    require_y(b)", "order", ["c = a\n    require_y(b)\n    require_x(a)"]),
        ("post(a)\n    post(b)", "order", ["post(b)\n    post(a)"]),
    ],
)
def test_operators(body: str, operator: str, wanted: list[str]) -> None:
    assert alternatives(f"def g(a: int, b: int, fill: Fill) -> int:\n    {body}")[operator] == wanted


@pytest.mark.parametrize(
    ("body", "absent"),
    [
        ("return a > 0", "number-1"),  # a > -1 says what a >= 0 says
        ("return a >= 0", "number+1"),
        ("return 0 < a", "number-1"),
        ("return mul_floor(a, b)", "arguments-1-2"),  # a product
        ("return fill.market", "field-buyer"),  # an id of something else is found out at once
        ("require(a, Reason.X, fill.buyer)", "field-seller"),  # subjects are not compared
        ('"""A bare string."""', "deleted"),
    ],
)
def test_what_says_nothing_new_is_left_out(body: str, absent: str) -> None:
    assert absent not in alternatives(f"def g(a: int, b: int, fill: Fill) -> int:\n    {body}")


def test_a_truth_value_is_returned_either_way() -> None:
    found = alternatives("def g(a: int) -> bool:\n    return a > 0")
    assert found["returned-true"] == ["return True"]
    assert found["returned-false"] == ["return False"]


def test_signatures_of_a_module() -> None:
    known = signatures(vars(margin))
    assert known.callables["mul_ceil"] == (("amount", "int"), ("ratio", "int"))
    assert known.sibling("Standing", "cash") == "collateral"
    assert known.sibling("Position", "size") is None


def test_ids_and_names_stand_once_and_stay_the_same() -> None:
    found = generated("liquidation")
    assert len({mutant.id for mutant in found}) == len({mutant.name for mutant in found}) == len(found)
    assert found == generated("liquidation")
    assert all(mutant.chapter == "liquidation" and mutant.module == "liquidation" for mutant in found)


def test_a_mutant_knows_its_rule_and_line() -> None:
    found = [one for one in in_functions("margin") if one.function == "is_liquidatable"]
    (mutant,) = [one for one in found if one.operator == "lt-lte"]
    assert mutant.rules == ("MARG-12",)
    line = source_of("margin").splitlines()[mutant.line - 1]
    assert line.strip() == "return account.margin_equity < account.maintenance"
    assert mutant.id == f"margin:{mutant.line}:{line.index('account') + 1}:lt-lte"
    assert mutant.lines == (("margin", mutant.line),)


# Patches and their children


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Two vectors of the ledger: a deposit, and two contributions."""
    folder = tmp_path_factory.mktemp("vectors")
    (folder / "ledger").mkdir()
    for name in ("ledger-deposit-001", "ledger-contribute-001"):
        shutil.copy(vectors_folder() / "ledger" / f"{name}.json", folder / "ledger")
    return open_arena(folder)


def trial(arena: Arena, patch: Patch, most: int = 3) -> Trial:
    lines = lines_of(patch)
    return judged(arena, [patch], arena.candidates("ledger", lines), most)


ONE_SIDED = ("ledger", "    balances.put(credit, balances.get(credit, 0) + amount)\n", "")


def test_a_wrong_posting_is_killed_and_leaves_no_trace(arena: Arena) -> None:
    before = ledger.post.__code__
    found = trial(arena, patch_text(*ONE_SIDED))
    assert [kill.vector for kill in found.kills] == ["ledger-contribute-001", "ledger-deposit-001"]
    assert found.kills[0].by.startswith("step 2: pools.main.insurance_fund: expected 70, got 0")
    assert ledger.post.__code__ is before


def test_a_patch_that_changes_nothing_that_shows_survives(arena: Arena) -> None:
    found = trial(
        arena, patch_text("ledger", "balances = state.balances\n", "balances = state.balances or state.balances\n")
    )
    assert not found.killed
    assert found.played == 2


def test_a_line_that_no_vector_reaches_is_not_played(arena: Arena) -> None:
    found = trial(arena, patch_text("margin", "return account.margin_equity <", "return account.margin_equity <="))
    assert found == Trial((), 0)


def test_a_constant_gets_fresh_modules(arena: Arena) -> None:
    patch = patch_text("ledger", '_USER = "user"', '_USER = "clearing"')
    assert patch.fresh
    assert lines_of(patch) is None
    assert [kill.vector for kill in trial(arena, patch).kills] == ["ledger-deposit-001"]
    assert ledger.user("a", "p", "x") == ("a", "p", "user", "x")


def test_a_name_of_numerics_is_at_hand(arena: Arena) -> None:
    patch = patch_text("ledger", "balances.get(credit, 0) + amount)", "balances.get(credit, 0) + div_floor(amount, 2))")
    assert trial(arena, patch).kills[0].by.startswith("step 2: pools.main.insurance_fund: expected 70, got 35")
    assert not hasattr(ledger, "div_floor")


def test_a_mutant_that_never_ends_is_killed(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = patch_text("ledger", "    balances = state.balances\n", "    while True:\n        pass\n")
    monkeypatch.setattr("clearspec_conformance.mutants.TIMEOUT", 0.3)
    assert trial(arena, patch).kills == (Kill("", "it does not end"),)


def test_a_mutant_that_does_not_load_is_broken(arena: Arena) -> None:
    patch = patch_text("ledger", '_USER = "user"', "_USER = 1 / 0")
    assert trial(arena, patch).kills == (Kill("", "it does not load"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("no such passage", "x", "stands there 0 times"),
        ("balances", "x", "times, expected once"),
        ("    balances = state.balances\n", "    balances = = state.balances\n", "invalid syntax"),
        ("    balances = state.balances\n", "    balances = (state.balances)\n", "changes nothing"),
    ],
)
def test_a_patch_must_fit(old: str, new: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        patch_text("ledger", old, new)
    assert message in str(caught.value.message)


def test_vectors_that_the_reference_fails_are_refused(tmp_path: Path) -> None:
    """A vector that expects 101 after a deposit of 100 is mended in its digest, so that it is read."""
    from clearspec.codec import decode, encode, parse
    from clearspec.formats import Vector
    from clearspec_conformance.formats import sealed

    text = (vectors_folder() / "ledger" / "ledger-deposit-001.json").read_text(encoding="utf-8")
    false = sealed(decode(Vector, parse(text.replace('"100"', '"101"', 1))))
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "ledger-deposit-001.json").write_text(json.dumps(encode(false)), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        open_arena(tmp_path)
    assert "the reference does not pass" in str(caught.value.message)


def test_no_vectors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        open_arena(tmp_path)


def test_bounds_of_every_record_of_an_event_are_mutated() -> None:
    """A deposit has one integer, from 1 to 2^60: one too wide and one too narrow at either end."""
    found = {one.operator: one for one in in_bounds("events") if one.function == "Deposit"}
    assert {name: one.patch.bounds for name, one in found.items()} == {
        "low-1": ("Deposit", "amount", 0, 2**60),
        "high+1": ("Deposit", "amount", 1, 2**60 + 1),
        "low+1": ("Deposit", "amount", 2, 2**60),
        "high-1": ("Deposit", "amount", 1, 2**60 - 1),
    }
    nested = [one.function for one in in_bounds("parameters")]
    assert nested.count("FundingParameters") == 2 * 8
    assert "FeedParameters" not in nested  # no event brings one in


def test_other_bounds_are_killed_by_what_lies_between(arena: Arena) -> None:
    """The deposit of 100 is refused where 100 is the least that is out of range."""
    narrow = Patch("events", (), bounds=("Deposit", "amount", 1, 99))
    kills = judged(arena, [narrow], [0, 1], 2).kills
    assert [kill.vector for kill in kills] == ["ledger-deposit-001"]
    assert kills[0].by == "step 2: status: expected accepted, got rejected"
    assert not judged(arena, [Patch("events", (), bounds=("Deposit", "amount", 1, 100))], [0, 1]).killed


# The report


def mutant(name: str = "a", rules: tuple[str, ...] = ("LEDG-1",)) -> Generated:
    return Generated(
        f"ledger:1:1:{name}", "ledger", "ledger", "post", rules, 1, name, name, "b", Patch("ledger", ()), ()
    )  # fmt: skip


NOTHING = report.Reason(report.Excuse.EQUIVALENT, "nothing shows it")
FAR = report.Reason(report.Excuse.OUT_OF_REACH, "too long for a vector")


def one(name: str, by: str = "", reason: report.Reason | None = None) -> report.Judged:
    kills = (Kill("v", by),) if by else ()
    return report.Judged(mutant(name), Trial(kills, 1), 1, reason)


SOME = (
    one("a", "step 1: reason: expected None, got same_account"),
    one("b", "step 1: amounts: expected 1, got 2"),
    one("c"),
    one("d", reason=NOTHING),
    one("e", "raises TypeError: no"),
    one("f", reason=FAR),
    one("g", "raises KeyError: 'x'"),
)


def test_score_counts_killed_of_killed_and_survived() -> None:
    """Three are killed, one survives: 3 of 4. Counted strictly one is out of reach too: 3 of 5."""
    score = report.score_of(SOME)
    assert [(outcome.value, count) for outcome, count in score.counts.items()] == [
        ("killed", 3),
        ("survived", 1),
        ("equivalent", 1),
        ("out_of_reach", 1),
        ("broken", 1),
    ]
    assert (score.percent, score.strict) == (75, 60)
    assert report.by_chapter(SOME) == {"ledger": score}
    assert report.by_rule(SOME) == {"LEDG-1": score}


def test_a_low_score_and_a_survivor_of_the_zoo_fail() -> None:
    wrong = Wrong("never-caught", "ledger", "A story.", "", (("ledger", "a", "b"),))
    run = report.Run(1, (report.Caged(wrong, Trial((), 1)),), SOME, ("a fault",))
    assert run.failed == ["never-caught survives", "ledger: 60.0 %, below 95 %", "a fault"]
    text = report.page(run)
    assert "| never-caught (ledger) | A story. | **SURVIVES** |" in text
    assert "| ledger | 3 | 1 | 1 | 1 | 1 | 75.0 % | 60.0 % |" in text
    assert "| `ledger:1:1:c` | `ledger.post` | `c` | `b` | 1 |" in text
    assert "| nothing shows it | `ledger.post: d -> b` |" in text
    assert "| too long for a vector | `ledger.post: f -> b` |" in text


def test_a_wrong_clearinghouse_that_is_no_program_fails() -> None:
    wrong = Wrong("misspelt", "ledger", "A story.", "", (("ledger", "a", "b"),))
    misspelt = Trial((Kill("v", "raises NameError: name 'amuont' is not defined"),), 1)
    missing = Trial((Kill("v", "raises AttributeError: 'NoneType' object has no attribute 'size'"),), 1)
    assert report.Run(1, (report.Caged(wrong, misspelt),), (), ()).failed == ["misspelt is no program"]
    assert report.Run(1, (report.Caged(wrong, missing),), (), ()).failed == []


def test_the_list_of_equivalents_cannot_rot() -> None:
    """It may name neither a mutant that is killed nor one that is not there; other modules are not looked at."""
    names = ("ledger.post: a -> b", "ledger.post: z -> b", "ledger.post: c -> b", "margin.f: a -> b")
    assert list(report.faults_of(SOME, dict.fromkeys(names, NOTHING), ["ledger"])) == [
        "equivalent.toml names a mutant that is killed by v: ledger.post: a -> b",
        "equivalent.toml names no mutant: ledger.post: z -> b",
    ]


def test_every_entry_of_the_list_names_a_mutant() -> None:
    names = {mutant.name for mutant in generated()}
    assert [name for name in report.read_reasons() if name not in names] == []


GOOD = '[[equivalent.ledger]]\nwhy = "because"\nmutants = ["ledger.post: a -> b"]\n'


def test_equivalents_need_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "equivalent.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert report.read_reasons(path) == {"ledger.post: a -> b": report.Reason(report.Excuse.EQUIVALENT, "because")}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"because"', '""'),
        ('why = "because"\n', ""),
        ("equivalent.ledger", "equivalent.nowhere"),
        ("equivalent.ledger", "harmless.ledger"),
        ("[[", "["),
        ('["ledger.post: a -> b"]', "[]"),
    ],
)
def test_a_wrong_list_of_equivalents_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "equivalent.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(BadInput):
        report.read_reasons(path)


# The zoo and the command


def test_every_wrong_clearinghouse_is_killed() -> None:
    zoo = load_zoo()
    arena = open_arena(vectors_folder(), 2)
    alive = []
    for entry in zoo.values():
        patches = entry.patches()
        found = judged(arena, patches, zoo_candidates(arena, entry, patches))
        if not found.killed or report.is_broken(found):
            alive.append(entry.name)
    assert len(zoo) >= 60
    assert alive == []


def test_command(arena: Arena, tmp_path: Path) -> None:
    """With two vectors the ledger's score is below 95 %; a page is not written from a part."""
    folder = tmp_path / "vectors"
    (folder / "ledger").mkdir(parents=True)
    for name in ("ledger-deposit-001", "ledger-contribute-001"):
        shutil.copy(vectors_folder() / "ledger" / f"{name}.json", folder / "ledger")
    done = CliRunner().invoke(command, ["--chapter", "ledger", "--json", "--vectors", str(folder), "--jobs", "1"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["vectors"] == 2
    assert {"name": "one-sided-posting", "chapter": "ledger"}.items() <= told["zoo"][0].items()
    assert told["chapters"]["ledger"]["survived"] > 0
    assert told["failed"]
    assert CliRunner().invoke(command, ["--chapter", "ledger", "--write"]).exit_code == 2


def test_mutants_are_of_the_tree_that_is_tested() -> None:
    assert numerics.__file__ is not None
    assert source_of("numerics") == Path(numerics.__file__).read_text(encoding="utf-8")
