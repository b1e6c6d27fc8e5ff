"""Generated mutants: small changes of the reference's syntax tree, one at a time, each with an id."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clearspec_conformance.mutants import CHAPTER_OF, Patch, functions_in, module_of, source_of, undecorated
from clearspec_conformance.operators import Change, Scope, changes_of
from clearspec_conformance.records import signatures

MUTATED = tuple(name for name in CHAPTER_OF if name != "fields")
"""Modules that are mutated; the bounds of fields are data, checked by ``require_in_range``."""

SKIPPED = ("Rejected.__init__", "OutsideEnvelope.__init__", "Receipt.accepted", "bounds_of", "nested_in")
"""Functions that say only how a rejection is worded, or how a type is read."""

LONGEST = 90
"""Characters shown of a piece of source."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated mutant: its id, where it stands, what it replaces by what, and the lines that it concerns."""

    id: str
    chapter: str
    module: str
    function: str
    rules: tuple[str, ...]
    line: int
    operator: str
    before: str
    after: str
    patch: Patch
    lines: tuple[tuple[str, int], ...] | None
    number: int = field(default=1)

    @property
    def name(self) -> str:
        """The mutant in words that a change elsewhere in the module leaves alone; equivalents are kept by it."""
        place = f"{self.module}.{self.function}" if self.function else self.module
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{place}: {self.before} -> {self.after}{again}"


def rules_of(decorators: Sequence[ast.expr]) -> tuple[str, ...]:
    """Rule ids that a function's or class's decorators cite."""
    calls = [node for node in decorators if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "rule"]
    return tuple(str(part.value) for call in calls for part in call.args if isinstance(part, ast.Constant))


def shown(node: ast.AST | None) -> str:
    """A piece of source on one line; ``None`` is nothing."""
    if node is None:
        return "(nothing)"
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def in_functions(module: str) -> Iterator[Generated]:
    """Mutants of the insides of a module's functions."""
    tree = ast.parse(source_of(module))
    classes = {node.name: rules_of(node.decorator_list) for node in tree.body if isinstance(node, ast.ClassDef)}
    known = signatures(vars(module_of(module)))
    for name, function in functions_in(tree).items():
        if name in SKIPPED:
            continue
        cited = rules_of(function.decorator_list) or classes.get(name.partition(".")[0], ())
        for change in changes_of(function, Scope(function, known)):
            yield _generated(module, name, cited, function, change)


def _generated(module: str, name: str, rules: tuple[str, ...], function: ast.FunctionDef, change: Change) -> Generated:
    """The mutant of a change of a function."""
    with change:
        text = undecorated(function)
    return Generated(
        f"{module}:{change.line}:{change.column + 1}:{change.operator}",
        CHAPTER_OF[module],
        module,
        name,
        rules,
        change.line,
        change.operator,
        shown(change.before),
        change.wording or shown(change.after),
        Patch(module, ((name, text),)),
        tuple((module, line) for line in change.reach),
    )


def in_constants(module: str) -> Iterator[Generated]:
    """Mutants of a module's integer constants and of its tuples of names."""
    tree = ast.parse(source_of(module))
    values = vars(module_of(module))
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name, before = node.targets[0].id, node.value
        if not name.isupper():
            continue
        for operator, after in _other_constants(before, values[name]):
            node.value = after
            patch = Patch(module, (), ast.unparse(tree))
            node.value = before
            identifier = f"{module}:{node.lineno}:{node.col_offset + 1}:{operator}"
            shape = (CHAPTER_OF[module], module, "", _constant_rules(module), node.lineno, operator)
            yield Generated(identifier, *shape, f"{name} = {shown(before)}", shown(after), patch, None)


def _constant_rules(module: str) -> tuple[str, ...]:
    """Rules that a module's constants belong to: the bounds of numbers are NUM-1 and NUM-9."""
    return ("NUM-1", "NUM-9") if module == "numerics" else ()


def _other_constants(node: ast.expr, value: Any) -> Iterator[tuple[str, ast.expr]]:
    """Other values of a constant: one more, one less, or a tuple without one of its items."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield "number+1", ast.BinOp(node, ast.Add(), ast.Constant(1))
        yield "number-1", ast.BinOp(node, ast.Sub(), ast.Constant(1))
    elif isinstance(node, ast.Tuple) and len(node.elts) > 1 and all(isinstance(v, ast.expr) for v in node.elts):
        for place in range(len(node.elts)):
            rest: list[ast.expr] = [*node.elts[:place], *node.elts[place + 1 :]]
            yield f"item-dropped-{place + 1}", ast.Tuple(rest, ast.Load())


def generated(chapter: str = "") -> list[Generated]:
    """Every mutant, or those of one chapter, in order of modules and lines; no id stands twice."""
    modules = [name for name in MUTATED if chapter in ("", CHAPTER_OF[name])]
    found = [mutant for name in modules for mutant in (*in_functions(name), *in_constants(name))]
    return list(_numbered(_distinct(found)))


def _distinct(mutants: Sequence[Generated]) -> Iterator[Generated]:
    """Mutants of different text, each under an id of its own."""
    texts, ids = set(), Counter[str]()
    for mutant in mutants:
        if mutant.patch in texts:
            continue
        texts.add(mutant.patch)
        ids[mutant.id] += 1
        again = f"-{ids[mutant.id]}" if ids[mutant.id] > 1 else ""
        yield replace(mutant, id=mutant.id + again)


def _numbered(mutants: Iterator[Generated]) -> Iterator[Generated]:
    """Mutants whose words are the same, told apart by a number in order."""
    seen = Counter[str]()
    for mutant in mutants:
        seen[mutant.name] += 1
        yield replace(mutant, number=seen[mutant.name])
