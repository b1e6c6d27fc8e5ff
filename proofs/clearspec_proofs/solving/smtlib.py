"""Obligations as SMT-LIB 2 text, which every solver reads; building text is also the quickest way into Z3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from clearspec_proofs.lifting.certificates import Hypothesis
from clearspec_proofs.lifting.polynomials import Polynomial


def number(value: int, sort: str) -> str:
    """A numeral."""
    text = f"{abs(value)}.0" if sort == "Real" else str(abs(value))
    return f"(- {text})" if value < 0 else text


@dataclass(slots=True)
class Script:
    """Declarations and assertions over one sort."""

    sort: str = "Real"
    names: dict[str, None] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    marks: list[int | None] = field(default_factory=list)

    def declare(self, name: str) -> str:
        """Declare a variable once; returns how it is written."""
        self.names.setdefault(name)
        return f"|{name}|"

    def assertion(self, formula: str) -> None:
        """Assert a formula."""
        self.lines.append(f"(assert {formula})")
        self.marks.append(None)

    def hypothesis(self, entry: Hypothesis, name: int, term: Callable[[Polynomial, Script], str]) -> None:
        """Assert a hypothesis and note its number."""
        relation = "=" if entry.equation else ">="
        zero = number(0, self.sort)
        self.lines.append(f"(assert ({relation} {term(entry.polynomial, self)} {zero}))")
        self.marks.append(name)

    def text(self) -> str:
        """The whole script."""
        declared = [f"(declare-const |{name}| {self.sort})" for name in self.names]
        return "\n".join([*declared, *self.lines])


def summed(parts: list[str], sort: str) -> str:
    """A sum."""
    if not parts:
        return number(0, sort)
    return parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"


def linear_term(polynomial: Polynomial, script: Script, plain: bool = False) -> str:
    """A polynomial as a linear term whose variables stand for whole monomials."""
    parts = []
    for monomial, coefficient in polynomial.items():
        value = number(coefficient, script.sort)
        name = monomial[0] if plain else script.declare("*".join(monomial))
        parts.append(f"(* {value} {name})" if monomial else value)
    return summed(parts, script.sort)


def power_term(polynomial: Polynomial, script: Script) -> str:
    """A polynomial as a term over its atoms."""
    parts = []
    for monomial, coefficient in polynomial.items():
        factors = [number(coefficient, script.sort), *(script.declare(atom) for atom in monomial)]
        parts.append(factors[0] if len(factors) == 1 else f"(* {' '.join(factors)})")
    return summed(parts, script.sort)
