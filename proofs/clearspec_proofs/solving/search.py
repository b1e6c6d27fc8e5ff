"""Finds certificates and counterexamples with Z3. Nothing here is trusted: what it finds is checked elsewhere.

A contradiction is looked for in four ways, the cheap ones first: by equations and ranges alone; among the hypotheses
as linear facts about monomials; with products of pairs of those that lie near the question; with products of the few
that an unsat core names. The multipliers are the solution of a system of linear inequalities over the rationals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations_with_replacement
from math import lcm
from typing import Any

import z3

from clearspec_proofs.lifting.certificates import Certificate, Hypothesis, Multiple, Product, Unfounded, check
from clearspec_proofs.lifting.paths import Effort, Forced, Path
from clearspec_proofs.lifting.polynomials import ONE, Monomial, Polynomial, add, constant, multiply, negate
from clearspec_proofs.solving.linear import Linear
from clearspec_proofs.solving.smtlib import Script, linear_term, power_term

NEAR = 18
"""Hypotheses near the question of which pairs are multiplied."""

CORE = 10
"""Hypotheses of an unsat core up to which triples are multiplied."""

TURNS, OTHER_SEEDS = 4, 1009
"""Seeds that are tried where Z3 does not find what is there, and how far they lie apart."""

WIDE = 60
"""Hypotheses near the question among which Z3 looks for a core."""


@dataclass(slots=True)
class Budget:
    """Limits in Z3's own units, which do not depend on the machine, and the seed of its choices."""

    linear: int = 2_000_000
    products: int = 20_000_000
    nonlinear: int = 6_000_000
    seed: int = 0


def opposite_of(polynomial: Polynomial) -> Polynomial:
    """``-polynomial - 1``: at least 0 exactly where ``polynomial`` is below 0."""
    return add(negate(polynomial), constant(1), -1)


@dataclass(slots=True)
class Asking:
    """Z3 with its limits, of its own: what others were asked before does not change what it answers."""

    budget: Budget
    context: Any = field(default_factory=z3.Context)


def solver_for(asking: Asking, script: Script, limit: int, logic: str | None = None) -> Any:
    """A solver that has read a script."""
    context = asking.context
    solver = z3.SolverFor(logic, ctx=context) if logic else z3.Solver(ctx=context)
    solver.set("rlimit", limit)
    solver.set("random_seed", asking.budget.seed)
    for formula, mark in zip(z3.parse_smt2_string(script.text(), ctx=context), script.marks, strict=True):
        if mark is None:
            solver.add(formula)
        else:
            solver.assert_and_track(formula, f"h{mark}")
    return solver


def named_core(asking: Asking, script: Script, limit: int, logic: str | None = None) -> list[int] | None:
    """Numbers of the named assertions that contradict each other; ``None``: not found."""
    solver = solver_for(asking, script, limit, logic)
    if solver.check() != z3.unsat:
        return None
    return sorted(int(str(mark)[1:]) for mark in solver.unsat_core())


def rational(value: Any) -> Fraction:
    """A rational of Z3's."""
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def multipliers(asking: Asking, columns: Sequence[tuple[Polynomial, bool]]) -> list[Fraction] | None:
    """Multipliers of polynomials that sum to -1; those of a column with ``True`` may have either sign."""
    rows: dict[Monomial, list[tuple[int, int]]] = {ONE: []}
    for number, (polynomial, _) in enumerate(columns):
        for monomial, coefficient in polynomial.items():
            rows.setdefault(monomial, []).append((number, coefficient))
    script = Script()
    for number, (_, free) in enumerate(columns):
        script.declare(f"x{number}")
        if not free:
            script.assertion(f"(>= x{number} 0.0)")
    for monomial, parts in rows.items():
        row: Polynomial = {(f"x{number}",): coefficient for number, coefficient in parts}
        script.assertion(f"(= {linear_term(row, script, plain=True)} {'(- 1.0)' if monomial == ONE else '0.0'})")
    solver = solver_for(asking, script, asking.budget.products, "QF_LRA")
    if solver.check() != z3.sat:
        return None
    model = solver.model()
    values = {str(entry): rational(model[entry]) for entry in model.decls()}
    return [values.get(f"x{number}", Fraction(0)) for number in range(len(columns))]


Column = tuple[Product | Multiple, Polynomial]


def assembled(columns: Sequence[Column], values: Sequence[Fraction], constant_part: Fraction) -> Certificate:
    """A certificate in whole numbers; ``constant_part`` is the multiplier of the plain product 1."""
    scale = lcm(*(value.denominator for value in [*values, constant_part]))
    products, multiples = [], []
    for (part, _), value in zip(columns, values, strict=True):
        coefficient = int(value * scale)
        if coefficient and isinstance(part, Product):
            products.append(Product(coefficient, part.factors))
        elif coefficient and isinstance(part, Multiple):
            multiples.append(Multiple(coefficient, part.monomial, part.equation))
    if constant_part:
        products.append(Product(int(constant_part * scale), ()))
    return Certificate(tuple(products), tuple(multiples))


def combined(asking: Asking, columns: Sequence[Column]) -> Certificate | None:
    """A certificate that uses these products and multiples, if there is one."""
    rows = [(polynomial, isinstance(part, Multiple)) for part, polynomial in columns]
    values = multipliers(asking, [*rows, ({ONE: 1}, False)])
    return None if values is None else assembled(columns, values[:-1], values[-1])


def product_columns(hypotheses: Sequence[Hypothesis], chosen: Sequence[int], degree: int) -> list[Column]:
    """Products of up to ``degree`` of the chosen inequalities."""
    plain = [number for number in chosen if not hypotheses[number].equation]
    columns: list[Column] = []
    known: dict[tuple[int, ...], Polynomial] = {(): {ONE: 1}}
    for size in range(1, degree + 1):
        for factors in combinations_with_replacement(plain, size):
            known[factors] = multiply(known[factors[:-1]], hypotheses[factors[-1]].polynomial)
            columns.append((Product(1, factors), known[factors]))
    return columns


def multiple_columns(hypotheses: Sequence[Hypothesis], chosen: Sequence[int], degree: int) -> list[Column]:
    """The chosen equations times monomials over the atoms present, as far as the degree goes."""
    atoms = sorted({atom for number in chosen for monomial in hypotheses[number].polynomial for atom in monomial})
    columns: list[Column] = []
    for number in (number for number in chosen if hypotheses[number].equation):
        polynomial = hypotheses[number].polynomial
        own = max((len(monomial) for monomial in polynomial), default=0)
        for size in range(degree if own <= 1 else 2 if degree > 1 else 1):
            for monomial in combinations_with_replacement(atoms, size):
                columns.append((Multiple(1, monomial, number), multiply({monomial: 1}, polynomial)))
    return columns


def nearness(hypotheses: Sequence[Hypothesis], start: int) -> list[int]:
    """Numbers of hypotheses in order of their distance from one, by atoms that they share."""
    atoms = [{atom for monomial in entry.polynomial for atom in monomial} for entry in hypotheses]
    reached, order, left = set(atoms[start]), [start], [n for n in range(len(hypotheses)) if n != start]
    while left:
        ring = [number for number in left if atoms[number] & reached]
        if not ring:
            break
        ring.sort(key=lambda number: (len(atoms[number] - reached), len(hypotheses[number].polynomial)))
        order += ring
        for number in ring:
            reached |= atoms[number]
        left = [number for number in left if number not in set(ring)]
    return order


def with_equations(hypotheses: Sequence[Hypothesis], core: Sequence[int], near: Sequence[int]) -> list[int]:
    """A core and the equations near by over its atoms, which a solver substitutes without naming them."""
    atoms = {atom for number in core for monomial in hypotheses[number].polynomial for atom in monomial}
    equations = {
        number
        for number in near
        if hypotheses[number].equation and all(atoms.issuperset(monomial) for monomial in hypotheses[number].polynomial)
    }
    return sorted(equations.union(core))


def is_range(entry: Hypothesis) -> bool:
    """Whether a hypothesis bounds one monomial."""
    return not entry.equation and len(entry.polynomial) - (ONE in entry.polynomial) <= 1


@dataclass(slots=True)
class Searching:
    """A guide that asks Z3. Outcomes that it finds impossible come with their certificate."""

    budget: Budget = field(default_factory=Budget)
    found: dict[str, Forced] = field(default_factory=dict)
    asked: int = 0
    _path: Path | None = None
    _linear: Linear = field(default_factory=Linear)
    _fruitless: set[int] = field(default_factory=set)
    _z3: Asking | None = None

    def _asking(self) -> Asking:
        if self._z3 is None:
            self._z3 = Asking(self.budget)
        return self._z3

    def advise(self, path: Path, polynomial: Polynomial) -> Forced | None:
        """Look for a contradiction with the one outcome, then with the other."""
        if self._path is not path:
            self._path, self._linear = path, Linear()
        self._linear.take(path.hypotheses)
        yes, no = opposite_of(polynomial), polynomial
        if not yes:
            return self._noted(path, self._by_products(path, yes, True, len(path.hypotheses) - 1))
        advice = self._by_equations(path, yes, True) or self._by_equations(path, no, False)
        advice = advice or self._by_linear_facts(path, yes, True) or self._by_linear_facts(path, no, False)
        if advice is None and path.effort == Effort.FULL:
            advice = self._in_turns(path, yes, no)
        return self._noted(path, advice)

    def _in_turns(self, path: Path, yes: Polynomial, no: Polynomial) -> Forced | None:
        """A contradiction that needs products; with other seeds where Z3 names no core that is of use."""
        own = self._asking()
        for turn in range(TURNS):
            if turn > 0:
                self._z3 = Asking(replace(self.budget, seed=self.budget.seed + OTHER_SEEDS * turn))
            advice = self._by_products(path, yes, True) or self._by_products(path, no, False)
            if advice is not None:
                break
        self._z3 = own
        return advice

    def _noted(self, path: Path, advice: Forced | None) -> Forced | None:
        if advice is not None:
            self.found[path.trail] = advice
        return advice

    def _by_equations(self, path: Path, opposite: Polynomial, outcome: bool) -> Forced | None:
        """A contradiction from equations and ranges."""
        found = self._linear.contradicts(opposite)
        if found is None:
            return None
        bounds, equations, _ = found
        against = [*path.hypotheses, Hypothesis(opposite, False, "the opposite")]
        columns: list[Column] = [(Product(1, (number,)), {}) for number in bounds]
        columns += [(Multiple(1, ONE, number), {}) for number in equations]
        columns.append((Product(1, (len(path.hypotheses),)), {}))
        values = [*bounds.values(), *equations.values(), Fraction(1)]
        return self._checked(against, assembled(columns, values, Fraction(0)), outcome)

    def _checked(self, against: Sequence[Hypothesis], certificate: Certificate | None, outcome: bool) -> Forced | None:
        if certificate is None:
            return None
        try:
            check(against, certificate)
        except Unfounded:
            return None
        return Forced(outcome, certificate)

    def _component(self, path: Path, opposite: Polynomial) -> list[int]:
        """Hypotheses that share monomials with the question, directly or through others."""
        present = {monomial for monomial in opposite if monomial != ONE}
        left = {n: set(entry.polynomial) - {ONE} for n, entry in enumerate(path.hypotheses) if not is_range(entry)}
        chosen: list[int] = []
        while True:
            ring = [number for number, monomials in left.items() if monomials & present]
            if not ring:
                break
            for number in ring:
                present |= left.pop(number)
            chosen += ring
        if not chosen:
            return []
        ranges = ((n, entry) for n, entry in enumerate(path.hypotheses) if is_range(entry))
        return chosen + [number for number, entry in ranges if set(entry.polynomial) - {ONE} <= present]

    def _by_linear_facts(self, path: Path, opposite: Polynomial, outcome: bool) -> Forced | None:
        """A contradiction among linear facts about monomials."""
        chosen = self._component(path, opposite)
        if not chosen:
            return None
        key = hash((frozenset(frozenset(path.hypotheses[n].polynomial.items()) for n in chosen),
                    frozenset(opposite.items())))  # fmt: skip
        if key in self._fruitless:
            return None
        against = [*path.hypotheses, Hypothesis(opposite, False, "the opposite")]
        script = Script()
        for number in [*chosen, len(path.hypotheses)]:
            script.hypothesis(against[number], number, linear_term)
        self.asked += 1
        core = named_core(self._asking(), script, self.budget.linear, "QF_LRA")
        if core is None:
            self._fruitless.add(key)
            return None
        return self._certified(against, core, 1, outcome)

    def _certified(
        self, against: Sequence[Hypothesis], chosen: Iterable[int], degree: int, outcome: bool
    ) -> Forced | None:
        """A certificate with products of the chosen hypotheses."""
        numbers = list(chosen)
        columns = product_columns(against, numbers, degree) + multiple_columns(against, numbers, degree)
        return self._checked(against, combined(self._asking(), columns), outcome)

    def _by_products(self, path: Path, opposite: Polynomial, outcome: bool, start: int | None = None) -> Forced | None:
        """A contradiction that needs products of hypotheses near to the question, or to the one named."""
        against = [*path.hypotheses, Hypothesis(opposite, False, "the opposite")]
        order = nearness(against, len(against) - 1 if start is None else start)
        advice = self._certified(against, order[:NEAR], 2, outcome)
        for width in (NEAR, 2 * NEAR, WIDE):
            if advice is not None:
                return advice
            core = self._core(against, order[:width])
            if core is not None:
                core = with_equations(against, core, order[:width])
                for degree in (2, 3) if len(core) <= CORE else (2,):
                    advice = advice or self._certified(against, core, degree, outcome)
            if width >= len(order):
                break
        return advice

    def _core(self, against: Sequence[Hypothesis], chosen: Sequence[int]) -> list[int] | None:
        """The hypotheses that contradict each other over the reals, if Z3 sees it."""
        script = Script()
        for number in chosen:
            script.hypothesis(against[number], number, power_term)
        self.asked += 1
        return named_core(self._asking(), script, self.budget.nonlinear)


def model_of(path: Path, budget: Budget) -> dict[str, int] | None:
    """Values of the atoms under which the execution takes this path, if Z3 finds any."""
    script = Script(sort="Int")
    for name in path.atoms:
        script.declare(name)
    for number, entry in enumerate(path.hypotheses):
        script.hypothesis(entry, number, power_term)
    for polynomial in path.bounds.apart():
        script.assertion(f"(not (= {power_term(polynomial, script)} 0))")
    for turn in range(TURNS):
        asking = Asking(replace(budget, seed=budget.seed + OTHER_SEEDS * turn))
        solver = solver_for(asking, script, budget.nonlinear)
        said = solver.check()
        if said != z3.unknown:
            break
    if said != z3.sat:
        return None
    model = solver.model()
    values = {str(entry): model[entry].as_long() for entry in model.decls() if z3.is_int_value(model[entry])}
    return {name: values.get(name, 0) for name in path.atoms}
