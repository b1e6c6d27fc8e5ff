"""Generated mutants: small changes of the reference's syntax tree, one at a time, each with an id."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args, get_type_hints

from clearspec import events
from clearspec_conformance.mutants import CHAPTER_OF, Patch, functions_in, module_of, source_of, undecorated
from clearspec_conformance.operators import Change, Scope, changes_of
from clearspec_conformance.records import signatures

MUTATED = tuple(name for name in CHAPTER_OF if name != "fields")
"""Modules that are mutated; the bounds of fields are data, checked by ``require_in_range``."""

SKIPPED = ("Rejected.__init__", "OutsideEnvelope.__init__", "Receipt.accepted", "bounds_of", "nested_in")
"""Functions that say only how a rejection is worded, or how a type is read."""

CHECK = "require_in_range"
"""The function that holds the fields of an event within their bounds."""

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


def records_of_events() -> dict[type, bool]:
    """Every record whose integers an event may bring in, and whether it is an action or the event itself."""
    found: dict[type, bool] = dict.fromkeys((events.Event, *events.ACTION_NAMES), True)
    inner = list(events.NESTING)
    while inner:
        record: Any = inner.pop(0)
        hints = get_type_hints(record, include_extras=True)
        for name, many in events.nested_in(record):
            kind = get_args(get_args(hints[name])[0])[0] if many else hints[name]
            found.setdefault(kind, False)
            inner.append(kind)
    return found


def in_bounds(module: str) -> Iterator[Generated]:
    """Mutants of the bounds of a module's records: a value beyond is taken; of an action also: the last one is not."""
    (check,) = [node for name, node in functions_in(ast.parse(source_of("events"))).items() if name == CHECK]
    reach = tuple(("events", line) for line in range(check.body[0].lineno, (check.end_lineno or 0) + 1))
    known = {record.__name__: top for record, top in records_of_events().items()}
    for node in ast.parse(source_of(module)).body:
        if not isinstance(node, ast.ClassDef) or node.name not in known:
            continue
        fields = {ast.unparse(part.target): part for part in node.body if isinstance(part, ast.AnnAssign)}
        for name, low, high in events.bounds_of(getattr(module_of(module), node.name)):
            for operator, bounds in _other_bounds(low, high, known[node.name]):
                yield _rebounded(module, node, fields[name], operator, (name, low, high), bounds, reach)


def _other_bounds(low: int, high: int, top: bool) -> Iterator[tuple[str, tuple[int, int]]]:
    """Bounds that are one too wide, or one too narrow."""
    yield "low-1", (low - 1, high)
    yield "high+1", (low, high + 1)
    if top:
        yield "low+1", (low + 1, high)
        yield "high-1", (low, high - 1)


def _rebounded(
    module: str,
    record: ast.ClassDef,
    place: ast.AnnAssign,
    operator: str,
    old: tuple[str, int, int],
    new: tuple[int, int],
    reach: tuple[tuple[str, int], ...],
) -> Generated:
    """The mutant of the bounds of a field."""
    identifier = f"{module}:{place.lineno}:{place.col_offset + 1}:{operator}"
    words = (f"{old[0]}: {old[1]} to {old[2]}", f"{new[0]} to {new[1]}")
    rules = ("EVENT-5", *rules_of(record.decorator_list))
    patch = Patch(module, (), bounds=(record.name, old[0], *new))
    shape = (CHAPTER_OF[module], module, record.name, rules, place.lineno, operator)
    return Generated(identifier, *shape, *words, patch, reach)


def generated(chapter: str = "") -> list[Generated]:
    """Every mutant, or those of one chapter, in order of modules and lines; no id stands twice."""
    modules = [name for name in MUTATED if chapter in ("", CHAPTER_OF[name])]
    found = [mutant for name in modules for mutant in (*in_functions(name), *in_constants(name), *in_bounds(name))]
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
