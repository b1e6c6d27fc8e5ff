"""Lifting against reality: each path of a theorem is run again on plain numbers that take it.

For values of the atoms that satisfy the hypotheses of a path, the theorem on plain numbers must end as the path did,
give the value that the path's terms have at these numbers, and execute the same lines of the reference in the same
order. This tests what is trusted, and what the theorems' own code does with symbolic integers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import islice
from pathlib import Path as FilePath
from random import Random
from types import FrameType
from typing import Any

import z3

import clearspec
from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.lifting.paths import Discarded, Ended, Failed, Guide, executed, explore
from clearspec_proofs.lifting.polynomials import evaluate
from clearspec_proofs.lifting.terms import Choice, Condition, Term
from clearspec_proofs.proving import chosen
from clearspec_proofs.solving.search import Asking, Budget, solver_for
from clearspec_proofs.solving.smtlib import Script, power_term
from clearspec_proofs.theorems import Theorem

REFERENCE = str(FilePath(clearspec.__file__).parent)

FIRST = 40
"""For each path that is wanted, so many of the first paths of a theorem are looked at to draw it from."""

LEFT_OUT = ("/invariants.py", "/state.py")
"""Modules of the reference whose lines are not compared where a theorem calls them itself."""

Line = tuple[str, int]


@dataclass(slots=True)
class Compared:
    """What came of comparing the paths of a theorem with runs on plain numbers.

    ``impossible`` paths are those of which the solver shows that no numbers take them: they live because their
    contradiction was not worth a certificate. Of those ``without_model`` nothing is known.
    """

    theorem: str
    paths: int = 0
    chosen: int = 0
    compared: int = 0
    impossible: int = 0
    without_model: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@contextmanager
def lines_of_reference(found: list[Line]) -> Iterator[None]:
    """Within it every line of the reference that is executed is noted, in order.

    Invariants that a theorem asks for, and states that it builds to ask them of, are left out: of an invariant that
    reads nothing that has changed nothing is asked, and a symbolic amount may have changed where a number has not.
    """
    asked: list[FrameType] = []

    def local(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        if event == "line":
            found.append((frame.f_code.co_filename.rpartition("/")[2], frame.f_lineno))
        return local

    def leaves(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        if event == "return" and asked[-1:] == [frame]:
            asked.pop()
        return leaves

    def start(frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if asked or not frame.f_code.co_filename.startswith(REFERENCE):
            return None
        caller = "" if frame.f_back is None else frame.f_back.f_code.co_filename
        if frame.f_code.co_filename.endswith(LEFT_OUT) and not caller.startswith(REFERENCE):
            asked.append(frame)
            return leaves
        return local

    before = sys.gettrace()
    sys.settrace(start)
    try:
        yield
    finally:
        sys.settrace(before)


def at(value: Any, integers: dict[str, int], options: dict[str, Any]) -> Any:
    """What a lifted value is where its atoms have these numbers and its choices fell on these options."""
    if type(value) is Term:
        return evaluate(value.polynomial, integers)
    if type(value) is Condition:
        return (evaluate(value.polynomial, integers) >= 0) is value.holds
    if type(value) is Choice:
        return options[value.name]
    if isinstance(value, tuple) and type(value) is not tuple:
        return type(value)(*(at(part, integers, options) for part in value))
    if isinstance(value, tuple | list):
        return type(value)(at(part, integers, options) for part in value)
    if isinstance(value, dict):
        return {key: at(part, integers, options) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: at(getattr(value, item.name), integers, options) for item in fields(value)}
    return value


def answer(end: Ended, budget: Budget) -> tuple[str, dict[str, int]]:
    """Whether numbers take a path, as the solver says (``sat``, ``unsat``, ``unknown``), and such numbers."""
    path, script = end.path, Script(sort="Int")
    for name in path.atoms:
        script.declare(name)
    for number, entry in enumerate(path.hypotheses):
        script.hypothesis(entry, number, power_term)
    for polynomial in path.bounds.apart():
        script.assertion(f"(not (= {power_term(polynomial, script)} 0))")
    solver = solver_for(Asking(budget), script, budget.nonlinear)
    said = str(solver.check())
    if said != "sat":
        return said, {}
    model = solver.model()
    values = {str(entry): model[entry].as_long() for entry in model.decls() if z3.is_int_value(model[entry])}
    return said, {name: values.get(name, 0) for name in path.atoms}


@dataclass(slots=True)
class Run:
    """How an execution ended, with its value and the lines of the reference that it ran."""

    ending: str
    value: Any = None
    lines: list[Line] = field(default_factory=list)


def concrete_run(
    theorem: Theorem, integers: dict[str, int], options: dict[str, Any], recall: Sequence[int] = ()
) -> Run:
    """The theorem on plain numbers, with its stand-ins."""
    run = Run("holds")
    with lines_of_reference(run.lines):
        try:
            run.value = theorem.body(Concrete(Given(integers, options), stand_ins=True, recall=recall))
        except Discarded:
            run.ending = "discarded"
        except Failed as failed:
            run.ending = f"fails: {failed.claim}"
    return run


def lifted_run(theorem: Theorem, guide: Guide, trail: str, story: int) -> tuple[Run, Ended]:
    """The path with this trail, once more."""
    lines: list[Line] = []
    with lines_of_reference(lines):
        end = executed(theorem.body, guide, trail, story)
    ending = "discarded" if end.discarded else f"fails: {end.failed}" if end.failed else "holds"
    return Run(ending, end.value, lines), end


def difference(lifted: Run, concrete: Run, integers: dict[str, int], options: dict[str, Any]) -> str:
    """In what two runs differ, for people; empty: in nothing."""
    if lifted.ending != concrete.ending:
        return f"the path {lifted.ending}, the run {concrete.ending}"
    expected, got = at(lifted.value, integers, options), at(concrete.value, {}, {})
    if expected != got:
        return f"the path gives {expected!r}, the run {got!r}"
    for number, (one, other) in enumerate(zip(lifted.lines, concrete.lines, strict=False)):
        if one != other:
            return f"line {number}: the path runs {one[0]}:{one[1]}, the run {other[0]}:{other[1]}"
    if len(lifted.lines) != len(concrete.lines):
        return f"the path runs {len(lifted.lines)} lines, the run {len(concrete.lines)}"
    return ""


def compare(theorem: Theorem, guide: Guide, limit: int | None = None, budget: Budget | None = None) -> Compared:
    """Compare the paths of a theorem with runs on plain numbers; or ``limit`` drawn from the first of them."""
    result, budget = Compared(theorem.name), budget or Budget()
    first = None if limit is None else FIRST * limit
    trails = [(end.path.trail, end.path.story) for end in islice(explore(theorem.body, guide), first)]
    result.paths = len(trails)
    if limit is not None and limit < len(trails):
        trails = Random(theorem.name).sample(trails, limit)
    result.chosen = len(trails)
    for trail, story in trails:
        lifted, end = lifted_run(theorem, guide, trail, story)
        said, integers = answer(end, budget)
        if said == "unsat":
            result.impossible += 1
        elif said != "sat":
            result.without_model.append(trail)
        else:
            options = chosen(end.path)
            run = concrete_run(theorem, integers, options, vars(end.path).get("recalled", ()))
            found = difference(lifted, run, integers, options)
            result.compared += 1
            result.differences += [f"{trail}: {found}"] if found else []
    return result
