"""Static checks on which stand-ins and lifting rest: what the reference's text must not do.

A function that stands in as *opaque* or *passing* must write nothing, however it is called. A *passing* one may only
ever reject: nothing else may depend on what it says. One that is *cut short* must reject nothing. And code that is
lifted must not ask what a symbolic integer cannot notice being asked: identity, type, representation.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from clearspec_proofs.stand_ins import CUT_SHORT, OPAQUE, PASSING, modules

Function = Callable[..., Any]


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


WELL_BEHAVED = words(
    "abs all any bool dict enumerate frozenset int len list max min next range reversed set sorted str sum tuple zip "
    "replace field super"
)
"""Callables from outside of the reference that write nothing that they are given."""

READING = words("get items values keys index count union rewound startswith endswith join split strip")
"""Methods that write nothing; ``rewound`` writes back what it wrote when its block ends."""

GROWING = words("append extend insert add update setdefault pop popitem clear remove discard sort reverse")
"""Methods that write the container that they are called on: allowed on one that the function has just made."""

MAKERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Tuple, ast.GeneratorExp)
MAKING = words("list dict set sorted frozenset tuple")
ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.Call, ast.Compare, ast.BoolOp, ast.IfExp, *MAKERS)


LIFTED = (
    "numerics", "ledger", "events", "collateral", "oracle", "parameters", "margin", "trading", "funding", "liquidation",
    "waterfall", "settlement", "listing", "invariants", "machine",
)  # fmt: skip
"""Modules of the reference that theorems execute."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a function must not do: where, and what."""

    module: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line}: {self.what}"


@dataclass(slots=True)
class Text:
    """A function of the reference and its syntax."""

    function: FunctionType
    tree: ast.FunctionDef
    first: int
    made: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Find names that hold only what the function has made itself."""
        values: dict[str, list[ast.expr | None]] = {}
        for node in ast.walk(self.tree):
            for name, value in bindings(node):
                values.setdefault(name, []).append(value)
        self.made = {name for name, found in values.items() if all(is_made(value) for value in found)}
        self.own = {name for name, found in values.items() if all(isinstance(value, ARITHMETIC) for value in found)}
        given = {argument.arg for argument in ast.walk(self.tree) if isinstance(argument, ast.arg)}
        self.made -= given
        self.own -= given

    @property
    def making(self) -> bool:
        """Whether it fills a new instance."""
        return self.tree.name in ("__init__", "__post_init__")

    @property
    def module(self) -> str:
        """Name of its module."""
        return self.function.__module__.rpartition(".")[2]

    def finding(self, node: ast.AST, what: str) -> Finding:
        """Something at a node."""
        return Finding(self.module, self.first + getattr(node, "lineno", 1) - 1, what)


def bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Names that a statement binds, and the expression that they get; ``None``: another."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            paired = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            if paired and len(target.elts) == len(node.value.elts):  # type: ignore[attr-defined]
                for one, value in zip(target.elts, node.value.elts, strict=True):  # type: ignore[attr-defined]
                    yield from ((name, value) for name in names_in(one))
            else:
                alone = isinstance(target, ast.Name)
                yield from ((name, node.value if alone else None) for name in names_in(target))
    elif isinstance(node, ast.AnnAssign):
        yield from ((name, node.value) for name in names_in(node.target))
    elif isinstance(node, ast.For | ast.comprehension):
        yield from ((name, None) for name in names_in(node.target))
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from ((name, None) for name in names_in(node.optional_vars))
    elif isinstance(node, ast.NamedExpr):
        yield from ((name, node.value) for name in names_in(node.target))


def names_in(target: ast.AST) -> list[str]:
    """Names that a target binds."""
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def is_made(value: ast.expr | None) -> bool:
    """Whether an expression makes a container."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in MAKING
    return isinstance(value, MAKERS)


def text_of(function: Function) -> Text:
    """A function with its syntax."""
    inner = inspect.unwrap(function)
    lines, first = inspect.getsourcelines(inner)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef) or not isinstance(inner, FunctionType):
        raise TypeError(f"{function!r} is no function")
    tree.decorator_list = []
    return Text(inner, tree, first)


def of_reference(value: object) -> bool:
    """Whether something is defined in the reference."""
    return str(getattr(value, "__module__", "")).partition(".")[0] == "clearspec"


# Writing


def effects(text: Text) -> Iterator[Finding]:
    """What a function itself writes that it has not made, or does that this check does not understand."""
    for node in ast.walk(text.tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete | ast.For):
            yield from _stores(text, node)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield text.finding(node, f"{type(node).__name__.lower()} {', '.join(node.names)}")
        elif isinstance(node, ast.Call):
            yield from _calls(text, node)


def _stores(text: Text, node: ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete | ast.For) -> Iterator[Finding]:
    """Assignments to what may belong to somebody else."""
    targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
    for part in (item for target in targets for item in ast.walk(target)):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store | ast.Del):
            if not text.making or ast.unparse(part.value) != "self":
                yield text.finding(part, f"sets {ast.unparse(part)}")
        elif isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store | ast.Del):
            own = isinstance(part.value, ast.Name) and part.value.id in text.made
            yield from [] if own else [text.finding(part, f"sets {ast.unparse(part)}")]
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id not in text.own:
        yield text.finding(node, f"grows {node.target.id}, which may be somebody else's")


def _calls(text: Text, node: ast.Call) -> Iterator[Finding]:
    """Calls of what writes, or of what is not known."""
    callee = node.func
    if isinstance(callee, ast.Attribute):
        receiver = callee.value.id if isinstance(callee.value, ast.Name) else ""
        known = callee.attr in READING or (callee.attr in GROWING and receiver in text.made)
        known = known or (text.making and ast.unparse(callee) == "super().__init__")
        if not known and not of_reference(getattr(text.function.__globals__.get(receiver), callee.attr, None)):
            yield text.finding(node, f"calls {ast.unparse(callee)}")
    elif isinstance(callee, ast.Name):
        value = text.function.__globals__.get(callee.id, vars(builtins).get(callee.id))
        if not of_reference(value) and callee.id not in WELL_BEHAVED and callee.id not in text.own:
            yield text.finding(node, f"calls {callee.id}")
    else:
        yield text.finding(node, f"calls {ast.unparse(callee)}")


def named(text: Text) -> Iterator[Function]:
    """Functions and methods of the reference that a function names; each counts as called."""
    scope = text.function.__globals__
    for node in ast.walk(text.tree):
        value = scope.get(node.id) if isinstance(node, ast.Name) else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = getattr(scope.get(node.value.id), node.attr, None) if node.value.id in scope else None
        if isinstance(value, type) and of_reference(value):
            yield from _making(value)
        elif callable(value) and of_reference(value) and isinstance(inspect.unwrap(value), FunctionType):
            yield value


def _making(kind: type) -> Iterator[Function]:
    """What runs of a class's own text when an instance is made, and its properties."""
    for name, value in vars(kind).items():
        if isinstance(value, property) and value.fget is not None:
            yield value.fget
        elif name == "__post_init__" or (name == "__init__" and not hasattr(kind, "__dataclass_fields__")):
            yield value


def reached(function: Function) -> list[Text]:
    """A function and every one of the reference that it may call."""
    found: dict[FunctionType, Text] = {}
    waiting = [function]
    while waiting:
        text = text_of(waiting.pop())
        if text.function not in found:
            found[text.function] = text
            waiting += [other for other in named(text) if inspect.unwrap(other) not in found]
    return list(found.values())


def writes(function: Function) -> list[Finding]:
    """What a function, or anything that it may call, writes; nothing for a pure one."""
    return [finding for text in reached(function) for finding in effects(text)]


# Only rejecting


def around(text: Text, node: ast.AST) -> list[ast.AST]:
    """What a node stands in, from inside out."""
    parents = {child: parent for parent in ast.walk(text.tree) for child in ast.iter_child_nodes(parent)}
    found = []
    while node in parents:
        node = parents[node]
        found.append(node)
    return found


def uses(function: Function) -> Iterator[tuple[Text, ast.AST]]:
    """Every mention of a function in what theorems execute."""
    for text in (text for text in reference() if text.module in LIFTED):
        for node in ast.walk(text.tree):
            if isinstance(node, ast.Name) and text.function.__globals__.get(node.id) is function:
                yield text, node


def only_rejects(function: Function) -> list[Finding]:
    """Places where more than a rejection depends on what a passing function says; none for one that may pass.

    Its call is a statement of its own, or what it says is required: as the first argument of ``require``, alone or
    under ``and`` and ``or``, directly, through a name that is used for nothing else, or through a check that is given
    it and requires it. So a yes where it would say no only lets more events through.
    """
    found = []
    for text, node in uses(function):
        outer = around(text, node)
        called = isinstance(outer[0], ast.Call) and outer[0].func is node
        if not called or not (isinstance(outer[1], ast.Expr) or _is_required(text, outer[0])):
            found.append(text.finding(node, f"more than a rejection depends on {function.__name__}"))
    return found


def _is_required(text: Text, node: ast.AST) -> bool:
    """Whether a truth value is required, and nothing else depends on it."""
    inside, outer = node, around(text, node)
    while isinstance(outer[0], ast.BoolOp):
        inside, outer = outer[0], outer[1:]
    holder = outer[0]
    if isinstance(holder, ast.Call) and inside in holder.args:
        return _requires(text, holder, holder.args.index(inside))  # type: ignore[arg-type]
    if isinstance(holder, ast.Assign) and isinstance(holder.targets[0], ast.Name):
        return _all_required(text, holder.targets[0].id)
    return False


def _all_required(text: Text, name: str) -> bool:
    """Whether everything that is done with a name is to require it."""
    read = [node for node in ast.walk(text.tree) if isinstance(node, ast.Name) and node.id == name]
    return all(_is_required(text, node) for node in read if isinstance(node.ctx, ast.Load))


def _requires(text: Text, call: ast.Call, place: int) -> bool:
    """Whether a call requires the argument at a place: ``require`` its first, a check what it requires itself."""
    if not isinstance(call.func, ast.Name) or any(isinstance(part, ast.Starred) for part in call.args[:place]):
        return False
    if call.func.id == "require":
        return place == 0
    check = text.function.__globals__.get(call.func.id)
    if not of_reference(check) or not isinstance(check, FunctionType) or not check.__name__.startswith("require_"):
        return False
    inner = text_of(check)
    return _all_required(inner, inner.tree.args.args[place].arg)


def reference() -> list[Text]:
    """Every function of every module of the reference."""
    return [
        text_of(value)
        for module in modules()
        for value in vars(module).values()
        if callable(value) and isinstance(inspect.unwrap(value), FunctionType) and value.__module__ == module.__name__
    ]


def function_of(title: str) -> Function:
    """The function that a stand-in's title names."""
    module, _, name = title.partition(":")[0].rpartition(".")
    found: Function = getattr(importlib.import_module(f"clearspec.{module}"), name)
    return found


def unfounded(titles: Iterable[str]) -> list[str]:
    """Stand-ins, by their titles, that may not stand in as they do, each with the reasons."""
    found = []
    for title in sorted(set(titles)):
        grounds = title.partition(": ")[2]
        if grounds in (OPAQUE, PASSING):
            function = function_of(title)
            faults = writes(function) + (only_rejects(function) if grounds == PASSING else [])
            found += [f"{title}: {fault}" for fault in faults]
        elif grounds == CUT_SHORT:
            found += [f"{title}: {fault}" for fault in rejections(function_of(title))]
    return found


def rejections(function: Function) -> list[Finding]:
    """Where a function, or anything that it may call, rejects; nothing for one that may be cut short."""
    return [
        text.finding(node, f"rejects: {ast.unparse(node)[:60]}")
        for text in reached(function)
        for node in ast.walk(text.tree)
        if _rejects(node)
    ]


def _rejects(node: ast.AST) -> bool:
    """Whether a node raises, or calls what requires something."""
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return isinstance(node, ast.Raise) or called == "require" or called.startswith("require_")


# What lifting would not notice

UNNOTICED = words("isinstance issubclass type id repr ascii vars eval exec globals locals setattr delattr")

ALLOWED: dict[str, str] = {
    "machine.require_next": "isinstance of an action, which is concrete",
    "machine.apply": "type of an action, which is concrete; drops what was written and raises again",
    "machine.apply_document": "decodes, and is not lifted",
    "events.bounds_of": "looks at annotations, not at amounts",
    "events.require_in_range": "type of a record, which is concrete",
    "listing._known": "words a fault of a genesis, not of an event",
    "events.require_all_in_range": "type of a record, which is concrete",
}
"""Functions that may do what lifting would not notice, and why."""


def unnoticed(text: Text) -> Iterator[Finding]:
    """What a function asks that a symbolic integer, a comparison or a choice would answer wrongly without a word."""
    for node in ast.walk(text.tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for place, operator in enumerate(node.ops):
                none = any(isinstance(side, ast.Constant) and side.value is None for side in sides[place : place + 2])
                if isinstance(operator, ast.Is | ast.IsNot) and not none:
                    yield text.finding(node, f"identity: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in UNNOTICED:
            yield text.finding(node, f"calls {node.func.id}")
        elif isinstance(node, ast.Match | ast.ExceptHandler | ast.Try):
            yield text.finding(node, type(node).__name__.lower())
        elif isinstance(node, ast.FormattedValue) and node.conversion in (ord("r"), ord("a")):
            yield text.finding(node, "a representation in a text")


def outside_subset() -> list[Finding]:
    """What stands in the reference and must not, for lifting would not notice it."""
    return [
        finding
        for text in reference()
        if text.module in LIFTED and f"{text.module}.{text.function.__name__}" not in ALLOWED
        for finding in unnoticed(text)
    ]


# Contracts

THEOREM = re.compile(r"[a-z]+\.[a-z0-9][A-Za-z0-9_.:-]*[A-Za-z0-9]")
ITSELF = "itself"


def groundless(titles: Iterable[str], theorems: Container[str]) -> list[str]:
    """Stand-ins that rest on no theorem, or on one that does not exist."""
    found = []
    for title in sorted(set(titles)):
        grounds = title.partition(": ")[2]
        if grounds in (OPAQUE, PASSING) or grounds.startswith(ITSELF):
            continue
        cited = THEOREM.findall(grounds)
        if not cited or any(name not in theorems for name in cited):
            found.append(title)
    return found
