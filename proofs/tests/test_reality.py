"""Each lifted path against a run of the reference on plain numbers that take it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from lifted_programs import Blind

from clearspec.numerics import div_ceil, mul_floor
from clearspec.state import Position
from clearspec_proofs.lifting.paths import explore
from clearspec_proofs.lifting.terms import Condition, Term
from clearspec_proofs.reality import answer, at, compare, lines_of_reference
from clearspec_proofs.solving.emit import guide_for
from clearspec_proofs.solving.search import Budget
from clearspec_proofs.standings import remembered
from clearspec_proofs.theorems import Strength, Theorem, catalogue

PROFILE = os.environ.get("CLEARSPEC_PROFILE", "ci")
PATHS = {"quick": 1, "full": None}.get(PROFILE, 1)
BUDGET = Budget() if PROFILE == "full" else Budget(nonlinear=1_000_000)


def theorem(body: Callable[[Any], Any]) -> Theorem:
    return Theorem("test.body", "A test.", ("NUM-1",), Strength.EVERY_INPUT, body, ())


@pytest.mark.parametrize("name", catalogue())
def test_paths_do_what_the_reference_does(name: str) -> None:
    """A path of each theorem; every path in the full profile. Paths of which no numbers are known are counted."""
    entry = catalogue()[name]
    result = compare(entry, guide_for(entry), PATHS, BUDGET)
    assert result.differences == []
    assert result.paths >= 1
    if result.without_model:
        pytest.skip(f"no numbers are known for {len(result.without_model)} of {result.chosen} paths")


def test_values_of_every_shape_are_compared() -> None:
    term, condition = Term({("a",): 2, (): 1}), Condition({("a",): 1, (): -3})
    assert at((term, [condition], {"k": term}), {"a": 3}, {}) == (7, [True], {"k": 7})
    assert at(Position(term, 0, 0, 0), {"a": -1}, {})["size"] == -1
    assert at(Condition({("a",): 1}, holds=False), {"a": 3}, {}) is False


def test_lines_are_noted_in_order() -> None:
    lines: list[tuple[str, int]] = []
    with lines_of_reference(lines):
        mul_floor(3, 4)
        div_ceil(3, 4)
    assert [name for name, _ in lines] == ["numerics.py", "numerics.py"]
    assert lines[0][1] > lines[1][1]


def differs_by_identity(path: Any) -> Any:
    a = path.atom("a", 0, 5)
    return 1 if isinstance(a, int) else 2


def differs_by_representation(path: Any) -> Any:
    a = path.atom("a", 0, 5)
    path.claim("no text of a number", lambda: repr(a) not in ("0", "1", "2", "3", "4", "5"))


def differs_in_its_lines(path: Any) -> Any:
    a = path.atom("a", 0, 5)
    return mul_floor(1, 1) if type(a) is int else 0


def differs_in_the_end(path: Any) -> Any:
    a = path.atom("a", 0, 5)
    path.assume(lambda: type(a) is not int)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (differs_by_identity, "the path gives 2, the run 1"),
        (differs_by_representation, "the path holds, the run fails: no text of a number"),
        (differs_in_its_lines, "the path runs 0 lines, the run 1"),
        (differs_in_the_end, "the path holds, the run discarded"),
    ],
)
def test_code_that_tells_lifting_from_reality_is_found_out(body: Callable[[Any], Any], said: str) -> None:
    def padded(path: Any) -> Any:
        found = body(path)
        return 0 if body is differs_in_its_lines else found

    [difference] = compare(theorem(padded), Blind()).differences
    assert difference.endswith(said) or said in difference


def test_numbers_for_a_path_satisfy_all_that_it_supposes() -> None:
    def body(path: Any) -> Any:
        a, b = path.atom("a", -9, 9), path.atom("b", 1, 9)
        path.assume(lambda: a * b == 12)
        return a // b

    [end] = [end for end in explore(body, Blind()) if not end.discarded]
    said, values = answer(end, Budget())
    assert said == "sat"
    assert values["a"] * values["b"] == 12
    assert values["a"] == values["quotient0"] * values["b"] + values["remainder0"]


def doubled(value: Any) -> Any:
    return 2 * value


def test_a_contract_answers_as_the_path_did_where_arguments_come_to_one_number() -> None:
    """On a path two terms are two arguments; at a = b a run that compares numbers would repeat the first answer."""
    contract = remembered(doubled, "opaque", lambda path, _: path.fresh("answer", 0, 9))

    def body(path: Any) -> Any:
        a, b = path.atom("a", 3, 3), path.atom("b", 3, 3)
        answer = contract.of(path)
        first, second, again = answer(a), answer(b), answer(a)
        path.assume(lambda: first != second)
        return first, second, again

    result = compare(theorem(body), Blind())
    assert (result.compared, result.differences) == (result.paths, [])
    assert result.compared >= 2


def test_impossible_paths_are_counted_and_not_compared() -> None:
    def body(path: Any) -> int:
        a, b = path.atom("a", 1, 9), path.atom("b", 1, 9)
        return 1 if a * b < a else 2

    result = compare(theorem(body), Blind())
    assert (result.paths, result.compared, result.impossible, result.differences) == (2, 1, 1, [])
