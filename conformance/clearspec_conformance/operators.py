"""The operators of generated mutants: what may stand in the place of a piece of a function."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from clearspec_conformance.records import Known

Alternative = tuple[str, ast.AST | None]
"""Name of the operator, and what it puts in the place; ``None`` takes the place away."""


@dataclass(slots=True)
class Scope:
    """The function that is mutated, and what is known of the names that it uses."""

    function: ast.FunctionDef
    known: Known
    types: dict[str, str] = field(init=False)
    locals: list[str] = field(init=False)

    def __post_init__(self) -> None:
        arguments = [*self.function.args.args, *self.function.args.kwonlyargs]
        self.types = {part.arg: ast.unparse(part.annotation) for part in arguments if part.annotation is not None}
        stored = [
            node.id
            for node in ast.walk(self.function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        self.locals = list(dict.fromkeys(stored))

    @property
    def returns(self) -> str:
        """Annotation of what the function returns."""
        return "" if self.function.returns is None else ast.unparse(self.function.returns)


@dataclass(slots=True)
class Place:
    """A place in the tree: a field of a node, or an item of a field that is a list."""

    holder: ast.AST
    name: str
    index: int | None = None

    def get(self) -> Any:
        """What stands in the place."""
        part = getattr(self.holder, self.name)
        return part if self.index is None else part[self.index]

    def put(self, node: Any) -> None:
        """Put something there."""
        if self.index is None:
            setattr(self.holder, self.name, node)
        else:
            getattr(self.holder, self.name)[self.index] = node


@dataclass(slots=True)
class Change:
    """A change of a tree, in force inside ``with``; its source before and after, its place, the lines that it needs."""

    operator: str
    place: Place
    before: ast.AST
    after: ast.AST | None
    reach: range
    wording: str = ""
    content: Any = None

    @property
    def line(self) -> int:
        """Line on which the changed piece begins."""
        return int(getattr(self.before, "lineno", self.reach.start))

    @property
    def column(self) -> int:
        """Column at which it begins, from 0."""
        return int(getattr(self.before, "col_offset", 0))

    def __enter__(self) -> None:
        self.content = self.place.get()
        self.place.put(self.after)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.place.put(self.content)


# What can be put in the place of an expression

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
ROUNDING = {
    "mul_floor": ("mul_ceil",),
    "mul_ceil": ("mul_floor",),
    "div_floor": ("div_ceil",),
    "div_ceil": ("div_floor",),
    "div_to_zero": ("div_floor", "div_ceil"),
}
COMMUTATIVE = {
    ("mul_floor", 0),
    ("mul_ceil", 0),
    ("notional", 0),
    ("require_distinct", 0),
    ("conversion_price", 0),
    ("index_value", 0),
    ("size_ratio", 0),
    ("basis_sample", 0),
    ("divide_carry", 0),
    ("worst_price", 1),
    ("accrued", 1),
    ("accrued", 2),
}
"""Callables and the place of the first of two arguments that are only multiplied, added or told apart."""
WORDED = ("Violation", "_known", "_unused", "_refuse")
"""Callables that word a violation, which no receipt shows in what is compared."""
EQUAL_KINDS = ("", "Any")


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    """A call of a function by name."""
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def comparison(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """Another comparison: the bound in or out, or the contrary."""
    if not isinstance(node, ast.Compare):
        return
    for place, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            changed = [*node.ops[:place], other(), *node.ops[place + 1 :]]
            name = f"{type(operator).__name__}-{other.__name__}".lower()
            yield (
                name + (f"-{place + 1}" if len(node.ops) > 1 else ""),
                ast.Compare(node.left, changed, node.comparators),
            )


def arithmetic(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """Plus for minus and minus for plus, one factor for a product, a quotient rounded up for one rounded down."""
    if not isinstance(node, ast.BinOp):
        return
    if isinstance(node.op, ast.Add):
        yield "add-sub", ast.BinOp(node.left, ast.Sub(), node.right)
    elif isinstance(node.op, ast.Sub):
        yield "sub-add", ast.BinOp(node.left, ast.Add(), node.right)
    elif isinstance(node.op, ast.Mult):
        yield "factor-left", node.left
        yield "factor-right", node.right
    elif isinstance(node.op, ast.FloorDiv):
        opposite = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)
        yield "quotient-up", ast.UnaryOp(ast.USub(), opposite)


def number(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """One more and one less for a number, the contrary for a truth value."""
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield "boolean", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield "number+1", ast.Constant(node.value + 1)
        yield "number-1", ast.Constant(node.value - 1)


def negation(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """Without its minus or its ``not``."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield "minus-dropped" if isinstance(node.op, ast.USub) else "not-dropped", node.operand


def junction(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """``or`` for ``and``, ``and`` for ``or``, and each condition removed."""
    if not isinstance(node, ast.BoolOp):
        return
    other, name = (ast.Or(), "and-or") if isinstance(node.op, ast.And) else (ast.And(), "or-and")
    yield name, ast.BoolOp(other, node.values)
    for place in range(len(node.values)):
        rest = [*node.values[:place], *node.values[place + 1 :]]
        yield f"condition-dropped-{place + 1}", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def bound(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """``min`` for ``max``, ``max`` for ``min``, a bound left out, ``abs`` left out."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        return
    name, arguments = node.func.id, node.args
    if name in ("min", "max") and len(arguments) > 1:
        yield f"{name}-{'max' if name == 'min' else 'min'}", _call("max" if name == "min" else "min", *arguments)
        for place in range(len(arguments)):
            rest = [*arguments[:place], *arguments[place + 1 :]]
            yield f"bound-dropped-{place + 1}", rest[0] if len(rest) == 1 else _call(name, *rest)
    elif name == "clamp":
        value, low, high = arguments
        yield "bound-dropped-2", _call("min", high, value)
        yield "bound-dropped-3", _call("max", low, value)
    elif name == "abs":
        yield "abs-dropped", arguments[0]


def rounding(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """The other direction of a named division."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for other in ROUNDING.get(node.func.id, ()):
            yield f"{node.func.id}-{other}", ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)


def arguments(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """Two neighbouring arguments of one type exchanged; a field that ``replace`` does not replace."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return
    name = node.func.id
    known = () if name in WORDED else scope.known.callables.get(name, ())
    for place in range(min(len(node.args), len(known)) - 1):
        first, second = node.args[place : place + 2]
        same = known[place][1] == known[place + 1][1] and known[place][1] not in EQUAL_KINDS
        if same and (name, place) not in COMMUTATIVE and ast.dump(first) != ast.dump(second):
            swapped = [*node.args[:place], second, first, *node.args[place + 2 :]]
            yield f"arguments-{place + 1}-{place + 2}", ast.Call(node.func, swapped, node.keywords)
    if name == "replace" and len(node.keywords) > 1:
        for place, keyword in enumerate(node.keywords):
            rest = [*node.keywords[:place], *node.keywords[place + 1 :]]
            yield f"field-kept-{keyword.arg}", ast.Call(node.func, node.args, rest)


def choice(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """Always one side of a conditional expression; a filter of a comprehension left out."""
    if isinstance(node, ast.IfExp):
        yield "condition-true", node.body
        yield "condition-false", node.orelse
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "filter-dropped", ast.comprehension(node.target, node.iter, [], node.is_async)


def member(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """Another field of the same record and type, or another member of an enumeration."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return
    base = node.value.id if isinstance(node.value, ast.Name) else ""
    if base in scope.known.members and node.attr in scope.known.members[base]:
        if base != "Reason":
            yield "member", ast.Attribute(node.value, scope.known.next_member(base, node.attr), ast.Load())
        return
    declared = scope.types.get(base, "")
    candidates = [declared] if declared in scope.known.records else list(scope.known.records)
    found = [scope.known.sibling(record, node.attr) for record in candidates]
    for other in dict.fromkeys(name for name in found if name is not None):
        yield f"field-{other}", ast.Attribute(node.value, other, ast.Load())


def says_the_same(place: Place, step: int) -> bool:
    """Whether a number one more or less only says what ``<=`` for ``<``, or the like, says already."""
    holder = place.holder
    if not isinstance(holder, ast.Compare) or place.name not in ("left", "comparators"):
        return False
    if place.index is None:
        return isinstance(holder.ops[0], (ast.Lt, ast.GtE) if step < 0 else (ast.LtE, ast.Gt))
    return isinstance(holder.ops[place.index], (ast.Gt, ast.LtE) if step < 0 else (ast.GtE, ast.Lt))


def item(node: ast.AST, scope: Scope) -> Iterator[Alternative]:
    """A tuple that something is looked for in, without one of its items."""
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.In | ast.NotIn):
        return
    inside = node.comparators[0]
    if isinstance(inside, ast.Tuple) and len(inside.elts) > 1:
        for place in range(len(inside.elts)):
            rest: list[ast.expr] = [*inside.elts[:place], *inside.elts[place + 1 :]]
            yield f"item-dropped-{place + 1}", ast.Compare(node.left, node.ops, [ast.Tuple(rest, ast.Load())])


STEPS = {"number+1": 1, "number-1": -1}

EXPRESSIONS: tuple[Callable[[ast.AST, Scope], Iterator[Alternative]], ...] = (
    comparison,
    arithmetic,
    number,
    negation,
    junction,
    bound,
    rounding,
    arguments,
    choice,
    member,
    item,
)


# What can be put in the place of a statement


def is_check(node: ast.stmt) -> bool:
    """Whether a statement may reject the event."""
    if isinstance(node, ast.If | ast.For):
        return any(isinstance(part, ast.Raise) for part in node.body)
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.startswith("require")


def reason_of(node: ast.stmt) -> str:
    """What a check rejects for, as far as its text says: a reason, or the check that it calls."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "Reason":
            return part.attr
    call = node.value if isinstance(node, ast.Expr) else None
    return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""


def is_posting(node: ast.stmt) -> bool:
    """Whether a statement moves money."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "post"


def returned(node: ast.Return, scope: Scope) -> Iterator[Alternative]:
    """Another name of the same type for the one returned, the two ends of a pair exchanged, a truth value."""
    value = node.value
    if isinstance(value, ast.Name):
        kind = scope.types.get(value.id)
        same = [name for name, other in scope.types.items() if other == kind] if kind else scope.locals
        for name in [name for name in same if name != value.id][:2]:
            yield f"returned-{name}", ast.Return(ast.Name(name, ast.Load()))
    if isinstance(value, ast.Tuple) and scope.returns == "tuple[int, int]":
        yield "returned-swapped", ast.Return(ast.Tuple(value.elts[::-1], ast.Load()))
    if scope.returns == "bool" and not isinstance(value, ast.Constant):
        yield "returned-true", ast.Return(ast.Constant(True))
        yield "returned-false", ast.Return(ast.Constant(False))


def statement(node: ast.stmt, scope: Scope) -> Iterator[Alternative]:
    """The statement deleted, its condition always or never true, its loop ended after one turn."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        other, name = (ast.Sub(), "add-sub") if isinstance(node.op, ast.Add) else (ast.Add(), "sub-add")
        yield name, ast.AugAssign(node.target, other, node.value)
    if isinstance(node, ast.If):
        yield "condition-true", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "condition-false", ast.If(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.For) and not isinstance(node.body[-1], ast.Raise):
        yield "once", ast.For(node.target, node.iter, [*node.body, ast.Break()], node.orelse, lineno=node.lineno)
    elif isinstance(node, ast.Return):
        yield from returned(node, scope)
    stored = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if stored or call or isinstance(node, ast.AugAssign | ast.Delete):
        yield "deleted", ast.Pass()


# Walking a function


def hidden(node: ast.AST) -> list[ast.AST]:
    """Parts of a call that no receipt shows in what is compared: subjects of rejections, accounts of an outcome."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return []
    shown = {"require": 2, "Rejected": 1, "Violation": 0, "Outcome": 0}
    if node.func.id not in shown:
        return [part for part in node.keywords if part.arg == "strict"]
    first = shown[node.func.id]
    return list(node.args[first : first + 1]) if node.func.id == "Outcome" else list(node.args[first:])


def places(node: ast.AST) -> Iterator[Place]:
    """Every place inside a node, from outside in; annotations, decorators and hidden parts left out."""
    out = [id(part) for part in hidden(node)]
    for name, content in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "ctx", "op", "ops", "func"):
            if name == "func" and isinstance(content, ast.Attribute):
                yield from places(content)
            continue
        many = content if isinstance(content, list) else [content]
        for index, part in enumerate(many):
            if isinstance(part, ast.AST) and id(part) not in out:
                yield Place(node, name, index if isinstance(content, list) else None)
                yield from places(part)


def is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a bare string."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def extent(node: ast.stmt) -> range:
    """Lines of a statement; of one that holds others, those of its head."""
    if isinstance(node, ast.If):
        return range(node.lineno, (node.test.end_lineno or node.lineno) + 1)
    if isinstance(node, ast.For):
        return range(node.lineno, (node.iter.end_lineno or node.lineno) + 1)
    if isinstance(node, ast.With):
        return range(node.lineno, node.lineno + 1)
    if isinstance(node, ast.Try):
        return range(node.lineno, node.lineno + 2)
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def changes_of(function: ast.FunctionDef, scope: Scope) -> Iterator[Change]:
    """Every change of a function, in order of its text."""
    reach = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    for place in places(function):
        node = place.get()
        if isinstance(node, ast.stmt):
            if is_docstring(node):
                reach = range(0)
                continue
            reach = extent(node)
            yield from _changes(place, node, reach, statement(node, scope))
            yield from _reordered(place, node)
        elif place.name != "args" or not isinstance(node, ast.arguments):
            for operator in EXPRESSIONS:
                yield from _changes(place, node, reach, operator(node, scope))


def _changes(place: Place, node: ast.AST, reach: range, alternatives: Iterator[Alternative]) -> Iterator[Change]:
    """The changes that put alternatives in a place."""
    for operator, after in alternatives:
        if operator in STEPS and says_the_same(place, STEPS[operator]):
            continue
        wording = "(deleted)" if operator == "deleted" else "(once)" if operator == "once" else ""
        before: Any = node
        if operator.startswith("condition-") and isinstance(node, ast.If):
            before, wording = node.test, operator.removeprefix("condition-").capitalize()
        elif operator == "once" and isinstance(node, ast.For):
            before = node.iter
        if isinstance(node, ast.comprehension):
            before, wording = node.ifs[0], "(no filter)"
        yield Change(operator, place, before, after, reach, wording)


def _reordered(place: Place, node: ast.stmt) -> Iterator[Change]:
    """A check moved behind the next one, or two postings exchanged."""
    if place.index is None:
        return
    body: Sequence[ast.stmt] = getattr(place.holder, place.name)
    for kind in (is_check, is_posting):
        later = [other for other in range(place.index + 1, len(body)) if kind(body[other])] if kind(node) else []
        if later and reason_of(node) == reason_of(body[later[0]]) and kind is is_check:
            continue
        if later and (kind is is_check or later[0] == place.index + 1):
            moved = [*body[: place.index], *body[place.index + 1 : later[0] + 1], node, *body[later[0] + 1 :]]
            reach = range(extent(node).start, extent(node).stop)
            wording = f"after {' '.join(ast.unparse(body[later[0]]).split())[:60]}"
            whole = Place(place.holder, place.name)
            yield Change("order", whole, node, copy.copy(moved), reach, wording)  # type: ignore[arg-type]
