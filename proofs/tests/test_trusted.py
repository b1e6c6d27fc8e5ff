"""The trusted base against independent arithmetic, against brute force, and against attempts to deceive it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise, product
from random import Random
from typing import Any

import pytest
import sympy
from lifted_programs import Blind, disagreements, inputs, plain_end, written

from clearspec_proofs.lifting import intervals, paths, polynomials
from clearspec_proofs.lifting.certificates import Certificate, Hypothesis, Multiple, Product, Unfounded, check
from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.lifting.intervals import Bounds
from clearspec_proofs.lifting.paths import Path, Unliftable, executed, explore
from clearspec_proofs.lifting.terms import LeavesSubset, Term, on_path
from clearspec_proofs.proving import prove
from clearspec_proofs.records import Status, Verdict
from clearspec_proofs.solving.search import Budget, Searching
from clearspec_proofs.theorems import Strength, Theorem

PROGRAMS = {"quick": 10, "full": 600}.get(os.environ.get("CLEARSPEC_PROFILE", "ci"), 50)
ATOMS = ("a", "b", "c")

Polynomial = polynomials.Polynomial


def theorem(body: Callable[[Any], Any]) -> Theorem:
    return Theorem("test.body", "A test.", ("NUM-1",), Strength.EVERY_INPUT, body, ())


def verdict(body: Callable[[Any], Any]) -> Verdict:
    return prove(theorem(body))


# Polynomials


def some_polynomial(random: Random, degree: int = 3) -> Polynomial:
    found: Polynomial = {}
    for _ in range(random.randrange(6)):
        monomial = tuple(sorted(random.choice(ATOMS) for _ in range(random.randrange(degree + 1))))
        found = polynomials.add(found, {monomial: random.choice((-7, -2, -1, 1, 3, 10**20))})
    return found


def independent(polynomial: Polynomial) -> Any:
    symbols = {name: sympy.Symbol(name) for name in ATOMS}
    return sum(value * sympy.prod([symbols[atom] for atom in monomial]) for monomial, value in polynomial.items())


def test_polynomials_agree_with_sympy() -> None:
    random = Random(1)
    for _ in range(150):
        left, right, times = some_polynomial(random), some_polynomial(random), random.randint(-3, 3)
        one, other = independent(left), independent(right)
        assert sympy.expand(independent(polynomials.add(left, right, times)) - (one + times * other)) == 0
        assert sympy.expand(independent(polynomials.multiply(left, right)) - one * other) == 0
        assert sympy.expand(independent(polynomials.negate(left)) + one) == 0
        for polynomial in (polynomials.add(left, right, times), polynomials.multiply(left, right)):
            assert 0 not in polynomial.values()
            assert all(monomial == tuple(sorted(monomial)) for monomial in polynomial)


def test_evaluation_agrees_with_sympy() -> None:
    random = Random(2)
    for _ in range(100):
        polynomial = some_polynomial(random)
        values = {name: random.randint(-(10**9), 10**9) for name in ATOMS}
        assert polynomials.evaluate(polynomial, values) == sympy.sympify(independent(polynomial)).subs(values)


def test_the_normal_form_is_one_for_all_multiples_and_gives_the_polynomial_back() -> None:
    random = Random(3)
    for _ in range(300):
        polynomial = some_polynomial(random)
        form, factor, rest = polynomials.normalised(polynomial)
        again = polynomials.add(polynomials.constant(rest), dict(form), factor)
        assert again == polynomial
        times = random.choice((-6, -1, 2, 5))
        scaled = {monomial: value * times for monomial, value in polynomial.items()}
        assert polynomials.normalised(scaled)[0] == form


# Intervals


def box(random: Random) -> tuple[Bounds, dict[str, range]]:
    bounds, ranges = Bounds(), {}
    for name in ATOMS:
        low = random.randint(-4, 3)
        high = low + random.randint(0, 4)
        ranges[name] = range(low, high + 1)
        bounds.learn({(name,): 1, (): -low})
        bounds.learn({(name,): -1, (): high})
    return bounds, ranges


def points(ranges: dict[str, range]) -> list[dict[str, int]]:
    return [dict(zip(ranges, values, strict=True)) for values in product(*ranges.values())]


def test_intervals_hold_at_every_point_of_small_boxes() -> None:
    random = Random(4)
    for _ in range(150):
        bounds, ranges = box(random)
        polynomial = {m: v for m, v in some_polynomial(random, 4).items() if abs(v) < 100}
        low, high = bounds.of(polynomial)
        for point in points(ranges):
            value = polynomials.evaluate(polynomial, point)
            assert low is None or low <= value
            assert high is None or value <= high


def test_intervals_with_open_ends_hold_too() -> None:
    random = Random(5)
    for _ in range(150):
        bounds, lows = Bounds(), {}
        for name in ATOMS:
            lows[name] = random.randint(-2, 3)
            bounds.learn({(name,): 1, (): -lows[name]})
        polynomial = {m: v for m, v in some_polynomial(random, 4).items() if abs(v) < 100}
        low, high = bounds.of(polynomial)
        for point in points({name: range(start, start + 7) for name, start in lows.items()}):
            value = polynomials.evaluate(polynomial, point)
            assert low is None or low <= value
            assert high is None or value <= high


def test_what_is_learnt_and_excluded_holds_at_the_points_that_remain() -> None:
    """Facts are drawn that hold at some points of a box; bounds and exclusions must hold at these points."""
    random = Random(6)
    for _ in range(200):
        bounds, ranges = box(random)
        left = points(ranges)
        for _ in range(3):
            fact = {m: v for m, v in some_polynomial(random, 2).items() if abs(v) < 100}
            if random.random() < 0.5:
                bounds.learn(fact)
                left = [point for point in left if polynomials.evaluate(fact, point) >= 0]
            else:
                bounds.exclude(fact)
                left = [point for point in left if polynomials.evaluate(fact, point) != 0]
        asked = {m: v for m, v in some_polynomial(random, 2).items() if abs(v) < 100}
        low, high = bounds.of(asked)
        for point in left:
            value = polynomials.evaluate(asked, point)
            assert low is None or low <= value
            assert high is None or value <= high
            assert value != 0 or not bounds.is_excluded(asked)
            assert all(polynomials.evaluate(apart, point) != 0 for apart in bounds.apart())


@pytest.mark.parametrize("low", [None, -7, -1, 0, 1, 5])
@pytest.mark.parametrize("width", [None, 0, 3])
def test_bounds_of_a_quotient(low: int | None, width: int | None) -> None:
    for start, span in product((None, 1, 2, 5), (None, 0, 4)):
        if (low is None and width is not None) or (start is None and span is not None):
            continue
        numerator = (low, None if width is None or low is None else low + width)
        divisor = (start, None if span is None or start is None else start + span)
        below, above = intervals.quotient(numerator, divisor)
        first = -40 if numerator[0] is None else numerator[0]
        last = 40 if numerator[1] is None else numerator[1]
        for value in range(first, last + 1):
            for by in range(divisor[0] or 1, (divisor[1] or 30) + 1):
                assert below is None or below <= value // by
                assert above is None or value // by <= above


# Certificates

HYPOTHESES = [
    Hypothesis({("a",): 1, (): -1}, False, "a >= 1"),
    Hypothesis({("b",): 1, (): -2}, False, "b >= 2"),
    Hypothesis({("a", "b"): -1, (): 1}, False, "a * b <= 1"),
    Hypothesis({("c",): 1, ("a",): -1}, True, "c == a"),
]
PROOF = Certificate((Product(1, (0, 1)), Product(2, (0,)), Product(1, (1,)), Product(1, (2,))), ())
"""(a - 1)(b - 2) + 2(a - 1) + (b - 2) + (1 - ab) = -1."""


def test_a_certificate_is_accepted() -> None:
    check(HYPOTHESES, PROOF)
    check(HYPOTHESES, replace(PROOF, products=tuple(Product(3 * p.coefficient, p.factors) for p in PROOF.products)))


def test_an_equation_is_used_with_either_sign() -> None:
    """c == a: c - a with one sign and -c + a with the other add up to nothing, beside a certificate."""
    again = [*HYPOTHESES, Hypothesis({("a",): 1, ("c",): -1}, True, "a == c")]
    check(again, Certificate(PROOF.products, (Multiple(-5, ("a",), 3), Multiple(-5, ("a",), 4))))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("step", [-1, 1])
def test_an_altered_coefficient_is_rejected(place: int, step: int) -> None:
    products = list(PROOF.products)
    products[place] = Product(products[place].coefficient + step, products[place].factors)
    with pytest.raises(Unfounded):
        check(HYPOTHESES, Certificate(tuple(products), ()))


@pytest.mark.parametrize("place", range(3))
def test_an_altered_hypothesis_is_rejected(place: int) -> None:
    for monomial in ((), ("a",), ("a", "b")):
        weaker = polynomials.add(HYPOTHESES[place].polynomial, {monomial: 1})
        altered = [*HYPOTHESES]
        altered[place] = Hypothesis(weaker, False, "altered")
        with pytest.raises(Unfounded):
            check(altered, PROOF)


FALSE_CERTIFICATES = {
    "negative coefficient": Certificate((Product(-1, ()),), ()),
    "zero coefficient": Certificate((Product(0, ()),), ()),
    "nothing at all": Certificate((), ()),
    "a positive number": Certificate((Product(1, ()),), ()),
    "no such hypothesis": Certificate((Product(1, (4,)),), ()),
    "a hypothesis from behind": Certificate((Product(1, (-1,)),), ()),
    "a multiple of an inequality": Certificate((), (Multiple(-1, (), 0),)),
    "a multiple of nothing": Certificate((), (Multiple(1, (), 9),)),
    "a multiple from behind": Certificate((), (Multiple(1, (), -1),)),
    "an equation that does not cancel": Certificate(PROOF.products, (Multiple(1, (), 3),)),
}


@pytest.mark.parametrize("name", FALSE_CERTIFICATES)
def test_false_certificates_are_rejected(name: str) -> None:
    with pytest.raises(Unfounded):
        check(HYPOTHESES, FALSE_CERTIFICATES[name])


def test_a_certificate_never_passes_where_the_hypotheses_have_a_model() -> None:
    """Random certificates over hypotheses that hold at one point: their sum there is not negative."""
    random = Random(7)
    for _ in range(2_000):
        point = {name: random.randint(-3, 3) for name in ATOMS}
        hypotheses = []
        for _ in range(3):
            polynomial = {m: v for m, v in some_polynomial(random, 2).items() if abs(v) < 100}
            value = polynomials.evaluate(polynomial, point)
            equation = random.random() < 0.3
            lift = -value if equation else max(0, -value)
            hypotheses.append(Hypothesis(polynomials.add(polynomial, polynomials.constant(lift)), equation, ""))
        products = tuple(Product(random.randint(1, 3), tuple(random.choices(range(3), k=k))) for k in (0, 1, 2))
        multiples = tuple(
            Multiple(random.randint(-2, 2), tuple(sorted(random.choices(ATOMS, k=1))), n)
            for n, entry in enumerate(hypotheses)
            if entry.equation
        )
        with pytest.raises(Unfounded):
            check(hypotheses, Certificate(products[random.randrange(3) :], multiples))


# Every input on one path


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_every_input_of_a_random_function_falls_on_the_one_path_that_says_what_it_does(seed: int) -> None:
    text, body = written(seed)
    try:
        ends = list(explore(body, Blind(), 2_000))
    except Unliftable:
        pytest.skip("more than 2,000 paths")
    assert disagreements(body, ends) == [], text


@pytest.mark.parametrize("seed", range(1_000, 1_000 + PROGRAMS))
def test_what_a_solver_prunes_no_input_takes(seed: int) -> None:
    """The same with certificates; a claim that is proved must hold of every input."""
    text, body = written(seed)
    try:
        ends = list(explore(body, Searching(Budget()), 500))
    except Unliftable:
        pytest.skip("more than 500 paths")
    assert disagreements(body, ends) == [], text
    if not any(end.failed for end in ends):
        assert not any(plain_end(body, *given)[0] == "failed" for given in inputs()), text


# The liftable subset

REFUSED: dict[str, Callable[[Any], Any]] = {
    "hash": hash,
    "a key": lambda a: {a: 1},
    "a look into a dictionary": lambda a: {1: 2}.get(a),
    "a look into a set": lambda a: a in {1, 2},
    "int()": int,
    "float()": float,
    "complex()": complex,
    "round()": round,
    "str()": str,
    "a text": lambda a: f"{a}",
    "an old text": lambda a: "%d" % a,  # noqa: UP031
    "an index": lambda a: [1, 2][a],
    "a range": range,
    "a size": lambda a: (1,) * a,
    "a repeated text": lambda a: "x" * a,
    "a power": lambda a: a**2,
    "a power of": lambda a: 2**a,
    "three powers": lambda a: pow(a, 2, 5),
    "true division": lambda a: a / 2,
    "true division by": lambda a: 2 / a,
    "divmod": lambda a: divmod(a, 2),
    "a rest of a plain number": lambda a: 7 % a,
    "a shift": lambda a: a << 1,
    "a shift by": lambda a: 1 << a,
    "bits": lambda a: a & 1,
    "an inversion": lambda a: ~a,
    "a float": lambda a: a + 0.5,
    "a comparison with a float": lambda a: a == 0.5,
    "a truth value as a number": lambda a: a + True,
    "a comparison with a truth value": lambda a: a == True,  # noqa: E712
    "a copy": lambda a: __import__("copy").deepcopy(a),
    "a cached call": lambda a: lru_cache(lambda value: value)(a),
    "a sum of comparisons": lambda a: sum([a > 0, a < 0]),
    "a product with a comparison": lambda a: (a > 0) * 2,
    "bits of comparisons": lambda a: (a > 0) & (a < 5),
    "a comparison as an index": lambda a: ["no", "yes"][a > 0],
    "a text of a comparison": lambda a: f"{a > 0}",
    "a comparison that equals a number": lambda a: (a > 0) == 1,
    "a comparison that equals nothing": lambda a: (a > 0) == None,  # noqa: E711
    "a key that is a comparison": lambda a: {a > 0: 1},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_leaves_the_subset_is_refused_with_its_place(name: str) -> None:
    operation = REFUSED[name]
    found = verdict(lambda path: operation(path.atom("a", -5, 5)))
    assert found.status == Status.UNKNOWN
    line = operation.__code__.co_firstlineno if hasattr(operation, "__code__") else None
    if name not in ("a copy", "a cached call"):
        assert f"{__file__}, line {line or ''}" in found.note


@pytest.mark.parametrize("caught", [TypeError, Exception, BaseException])
def test_a_refusal_that_is_caught_counts(caught: type[BaseException]) -> None:
    def body(path: Any) -> None:
        a = path.atom("a", 0, 5)
        try:
            value = int(a)
        except caught:
            value = 0
        path.claim("nothing", lambda: value == 0)

    found = verdict(body)
    assert found.status == Status.UNKNOWN
    assert "int()" in found.note


def test_a_claim_that_failed_counts_even_if_its_error_is_caught() -> None:
    def swallows(path: Any) -> None:
        a = path.atom("a", 0, 5)
        try:
            path.claim("small", lambda: a <= 3)
        except Exception:
            path.mark("caught")

    def returns(path: Any) -> int:
        a = path.atom("a", 0, 5)
        try:
            path.claim("small", lambda: a <= 3)
        finally:
            return 1  # noqa: B012

    for body in (swallows, returns):
        assert verdict(body).status != Status.PROVED


def test_a_statement_must_be_true_or_false() -> None:
    for statement in (lambda a: (a >= 7, a >= 8), lambda a: "yes", lambda a: [a >= 9], lambda a: 1, lambda a: a):
        found = verdict(lambda path, statement=statement: path.claim("it", lambda: statement(path.atom("a", 0, 5))))
        assert found.status == Status.UNKNOWN
        with pytest.raises(LeavesSubset):
            Concrete(Given({}, {}), True).assume(lambda: (1, 2))


def test_an_error_of_the_code_is_a_claim_that_fails() -> None:
    def divides(path: Any) -> Any:
        return 10 // path.atom("a", 0, 5)

    def looks(path: Any) -> Any:
        return {"a": 1}["a" if path.atom("a", 0, 5) <= 4 else "b"]

    for body, value in ((divides, "0"), (looks, "5")):
        found = verdict(body)
        assert found.status == Status.REFUTED
        assert found.counterexample is not None
        assert found.counterexample.confirmed
        assert found.counterexample.values == {"a": value}


def test_a_divisor_that_may_be_negative_is_not_lifted() -> None:
    found = verdict(lambda path: 10 // path.atom("a", -3, -1))
    assert found.status == Status.UNKNOWN
    assert "every divisor is positive" in found.note


def loop_on_an_amount(path: Any) -> Any:
    number, end = 0, path.atom("a", 0)
    while number < end:
        number = number + 1
    return number


def loop_without_an_end(path: Any) -> Any:
    number = path.atom("a", 0)
    while True:
        number = number + 1


def loop_over_known_decisions(path: Any) -> Any:
    number = path.atom("a", 0)
    while number >= 0:
        path.mark("on")
    return number


@pytest.mark.parametrize("body", [loop_on_an_amount, loop_without_an_end, loop_over_known_decisions])
def test_a_loop_without_end_is_caught(body: Callable[[Any], Any]) -> None:
    found = verdict(body)
    assert found.status == Status.UNKNOWN
    assert "loop" in found.note


def test_too_many_paths_are_no_proof() -> None:
    def body(path: Any) -> None:
        for number in range(12):
            path.mark("yes" if path.atom(f"a{number}", 0, 1) >= 1 else "no")

    with pytest.raises(Unliftable, match="more than 100 paths"):
        list(explore(body, Blind(), 100))


def test_an_execution_that_depends_on_something_else_is_caught() -> None:
    """Decisions taken before must be asked for again, in the same order."""
    runs = []

    def body(path: Any) -> None:
        runs.append(1)
        a, b = path.atom("a", 0, 5), path.atom("b", 0, 5)
        first, second = (a, b) if len(runs) % 2 else (b, a)
        path.mark("yes" if first <= 2 and second <= 2 else "no")

    assert "depends on something else" in verdict(body).note


def test_fewer_decisions_than_before_are_caught() -> None:
    runs = []

    def body(path: Any) -> None:
        runs.append(1)
        if len(runs) == 1:
            path.mark("yes" if path.atom("a", 0, 5) <= 2 else "no")

    assert "depends on something else" in verdict(body).note


# Choices


def test_a_choice_falls_on_each_option_once() -> None:
    def body(path: Any) -> str:
        option = path.choice("c", "x", "y", "z")
        again = path.choice("c", "x", "y", "z")
        name = next((name for name in ("z", "x", "y") if option == name), "none")
        path.claim("the same", lambda: again == name and name == again and option == again)
        path.claim("no other", lambda: option != "x" or name == "x")
        path.claim("among", lambda: option in (name, "w") and option not in ("v", "w"))
        return name

    ends = list(explore(body, Blind()))
    assert sorted(end.value for end in ends) == ["x", "y", "z"]
    assert [end.failed for end in ends] == [None, None, None]


def test_two_choices_are_independent_and_may_be_equal() -> None:
    def body(path: Any) -> tuple[bool, bool]:
        one, other = path.choice("one", "x", "y"), path.choice("other", "y", "z")
        equal = one == other
        return equal, one == "y" and other == "y"

    assert sorted({end.value for end in explore(body, Blind())}) == [(False, False), (True, True)]


def test_truth_of_a_choice_and_its_options() -> None:
    def body(path: Any) -> tuple[bool, bool]:
        option = path.choice("c", "", "x", "y")
        return bool(option), option == ""

    assert sorted({end.value for end in explore(body, Blind())}) == [(False, True), (True, False)]


@pytest.mark.parametrize(
    ("first", "second"),
    [(("x", "y"), ("x", "z")), (("x",), ("y",)), (("x", "y"), ("x", "y", "z")), ((None, 1), (None, 1))],
)
def test_a_choice_cannot_become_another(first: tuple[Any, ...], second: tuple[Any, ...]) -> None:
    def body(path: Any) -> None:
        path.choice("c", *first)
        path.choice("c", *second)

    assert verdict(body).status == Status.UNKNOWN


def test_an_atom_cannot_be_made_twice() -> None:
    def body(path: Any) -> None:
        path.atom("a", 0, 1)
        path.atom("a", 2, 3)

    assert verdict(body).status == Status.UNKNOWN


def test_choices_refuse_text_and_hash() -> None:
    for operation in (
        hash,
        str,
        lambda option: f"{option}",
        lambda option: {option: 1},
        lambda option: option in {"x"},
    ):
        found = verdict(lambda path, operation=operation: operation(path.choice("c", "x", "y")))
        assert found.status == Status.UNKNOWN
        assert "choice" in found.note


# Python's own ways to compare


def test_order_of_tuples_and_sorting_follow_python() -> None:
    def body(path: Any) -> None:
        a, b, c = (path.atom(name, -3, 3) for name in "abc")
        ordered = sorted([(a >= 0, a), (b >= 0, b), (c >= 0, c)])
        path.claim("ascending", lambda: all(x <= y for (_, x), (_, y) in pairwise(ordered)))
        path.claim("none lost", lambda: sum(x for _, x in ordered) == a + b + c)
        path.claim("extremes", lambda: ordered[0][1] == min(a, b, c) and ordered[-1][1] == max(a, b, c))

    assert verdict(body).status == Status.PROVED


def test_a_tuple_with_equal_heads_is_ordered_by_its_tail() -> None:
    def body(path: Any) -> None:
        a, b = path.atom("a", 0, 5), path.atom("b", 0, 5)
        path.claim("too much", lambda: not (a, 0) < (b, 1) or a < b)

    found = verdict(body)
    assert found.status == Status.REFUTED
    assert found.counterexample is not None
    assert found.counterexample.values["a"] == found.counterexample.values["b"]


def test_a_pattern_is_matched_by_value() -> None:
    def body(path: Any) -> int:
        match path.atom("a", 0, 5):
            case 3:
                return 1
            case _:
                return 0

    assert {end.value for end in explore(body, Blind())} == {0, 1}


# Widths


def test_a_width_is_claimed_of_every_intermediate_value() -> None:
    def body(path: Any, high: int) -> Any:
        path.width = 8
        a = path.atom("a", 0, high)
        return a * a - a * a

    assert verdict(lambda path: body(path, 11)).status == Status.PROVED
    assert verdict(lambda path: body(path, 12)).status != Status.PROVED


def test_terms_outside_of_a_path_are_refused() -> None:
    with pytest.raises(LeavesSubset):
        bool(Term({("a",): 1}) >= 0)
    path = Path(Blind())
    with on_path(path):
        assert path.steps == 0


def test_a_false_certificate_from_a_guide_is_not_taken() -> None:
    """The search is not trusted: an outcome that it calls impossible is checked where it is used."""

    class Liar:
        def advise(self, path: Path, polynomial: Polynomial) -> paths.Forced:
            return paths.Forced(True, Certificate((Product(1, (0,)), Product(1, (len(path.hypotheses),))), ()))

    with pytest.raises(Unfounded):
        executed(lambda path: path.claim("false", lambda: path.atom("a", 0, 5) >= 3), Liar())
