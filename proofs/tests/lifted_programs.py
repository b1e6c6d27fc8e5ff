"""Random small functions over three integers and a choice, and what each lifted path says of every input.

The integers range over a box small enough to run every input. A function is lifted whole; then each input must fall
on exactly one path, which must end as the plain run of the same text ends, with the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from random import Random
from typing import Any

from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.lifting.paths import Discarded, Ended, Failed, Path
from clearspec_proofs.lifting.polynomials import evaluate
from clearspec_proofs.lifting.terms import Term

BOX = {"a": (-4, 4), "b": (-3, 5), "c": (0, 4)}
OPTIONS = ("x", "y", "z")
Body = Callable[[Any], Any]


class Blind:
    """A guide that knows nothing: every path lives that known bounds do not end."""

    def advise(self, path: Path, polynomial: object) -> None:
        """Nothing."""


class Writer:
    """Writes a function."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.names = list(BOX)
        self.lines = ["def body(path):"]
        for name, (low, high) in BOX.items():
            self.lines.append(f"    {name} = path.atom({name!r}, {low}, {high})")
        self.lines.append(f"    option = path.choice('option', *{OPTIONS})")

    def expression(self, depth: int) -> str:
        """An integer."""
        random = self.random
        if depth == 0 or random.random() < 0.2:
            return random.choice([*self.names, str(random.randint(-3, 3))])
        one, other, third = (self.expression(depth - 1) for _ in range(3))
        condition = self.condition(depth - 1)
        return random.choice(
            [
                f"({one} + {other})", f"({one} - {other})", f"({one} * {other})", f"({one} // {self.divisor()})",
                f"({self.names[0]} % {self.divisor()})", f"(-{one})", f"abs({one})", f"min({one}, {other})",
                f"max({one}, {other})", f"({one} if {condition} else {other})", f"sorted([{one}, {other}, {third}])[1]",
                f"max(-3, min(5, {one}))", f"sum([{one}, {other}, {third}])",
            ]
        )  # fmt: skip

    def divisor(self) -> str:
        """A positive integer."""
        name = self.random.choice(self.names)
        return self.random.choice(["2", "3", f"(abs({name}) + 1)", f"max(1, {name})"])

    def condition(self, depth: int) -> str:
        """A truth value."""
        random, less = self.random, max(0, depth - 1)
        one, other, third = (self.expression(less) for _ in range(3))
        simple = [f"({one} {sign} {other})" for sign in ("<", "<=", ">", ">=", "==", "!=")]
        simple += [f"({one} <= {other} < {third})", f"({one} in ({other}, {third}))", f"(({one}, 1) < ({other}, 0))"]
        simple += [f"(option == {random.choice(OPTIONS)!r})", f"(option in {OPTIONS[:2]})"]
        if depth == 0:
            return random.choice(simple)
        joined = [f"({self.condition(less)} {word} {self.condition(less)})" for word in ("and", "or", "==")]
        return random.choice([*simple, *joined, f"(not {self.condition(less)})", f"all([{self.condition(less)}])"])

    def statement(self, number: int) -> list[str]:
        """A statement; most give one more name."""
        name = f"v{number}"
        kinds = {
            "let": [f"{name} = {self.expression(2)}"],
            "if": [f"if {self.condition(2)}:", f"    {name} = {self.expression(1)}", "else:", f"    {name} = {number}"],
            "loop": [f"{name} = 0", "for _ in range(3):", f"    if {self.expression(1)} <= {name}:", "        break",
                     f"    {name} = {name} + 1"],
            "assume": [f"path.assume(lambda: {self.condition(2)})"],
            "claim": [f"path.claim('claim {number}', lambda: {self.condition(2)})"],
        }  # fmt: skip
        kind = self.random.choice(["let", "let", "if", "loop", "assume", "claim"])
        if kind not in ("assume", "claim"):
            self.names.append(name)
        return kinds[kind]

    def text(self) -> str:
        """The whole function."""
        for number in range(self.random.randint(2, 5)):
            self.lines += [f"    {line}" for line in self.statement(number)]
        return "\n".join([*self.lines, f"    return {self.expression(2)}, {self.names[-1]}"])


def written(seed: int) -> tuple[str, Body]:
    """A function and its text."""
    text = Writer(seed).text()
    scope: dict[str, Any] = {}
    exec(text, scope)
    return text, scope["body"]


def inputs() -> Iterator[tuple[dict[str, int], str]]:
    """Every input of the box."""
    ranges = [range(low, high + 1) for low, high in BOX.values()]
    for *values, option in product(*ranges, OPTIONS):
        yield dict(zip(BOX, values, strict=True)), option


def plain_end(body: Body, integers: dict[str, int], option: str) -> tuple[Any, ...]:
    """How the function ends on plain numbers."""
    try:
        return "value", body(Concrete(Given(integers, {"option": option}), stand_ins=False))
    except Discarded:
        return ("discarded",)
    except Failed as failed:
        return "failed", failed.claim


def taken(path: Path, integers: dict[str, int], option: str) -> dict[str, int] | None:
    """Values of all atoms, quotients and remainders among them, if an input takes a path."""
    if option not in path.choices["option"]:
        return None
    values = dict(integers)
    for (numerator, divisor), parts in path.divisions.items():
        below = evaluate(dict(divisor), values)
        if below < 1:
            return None
        for part, number in zip(parts, divmod(evaluate(dict(numerator), values), below), strict=True):
            [*atoms] = [monomial[0] for monomial in part if len(monomial) == 1 and monomial[0] not in values]
            values.update(dict.fromkeys(atoms, number))
    for entry in path.hypotheses:
        found = evaluate(entry.polynomial, values)
        if found < 0 or (entry.equation and found != 0):
            return None
    return None if any(evaluate(apart, values) == 0 for apart in path.bounds.apart()) else values


def value_at(value: Any, values: dict[str, int]) -> Any:
    """A lifted value on plain numbers."""
    if isinstance(value, tuple):
        return tuple(value_at(part, values) for part in value)
    return evaluate(value.polynomial, values) if type(value) is Term else value


def lifted_end(end: Ended, values: dict[str, int]) -> tuple[Any, ...]:
    """How a path ends on plain numbers."""
    if end.failed is not None:
        return "failed", end.failed
    return ("discarded",) if end.discarded else ("value", value_at(end.value, values))


def disagreements(body: Body, ends: list[Ended]) -> list[str]:
    """Inputs that fall on no path, or on several, or on one that says something else."""
    found = []
    for integers, option in inputs():
        hits = [(end, values) for end in ends if (values := taken(end.path, integers, option)) is not None]
        said = [lifted_end(end, values) for end, values in hits]
        expected = plain_end(body, integers, option)
        if said != [expected]:
            found.append(f"{integers} {option}: {said}, expected {expected}")
    return found
