"""What may stand in the place of a piece of a kernel: mistakes of one token, or a statement forgotten."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
ROUNDING = {
    "mul_floor": ("mul_ceil",),
    "mul_ceil": ("mul_floor",),
    "div_floor": ("div_ceil",),
    "div_ceil": ("div_floor",),
    "div_to_zero": ("div_floor", "div_ceil"),
}
EXTREMES = {"min": "max", "max": "min"}


@dataclass(frozen=True, slots=True)
class Change:
    """A changed function: what was exchanged for what, and where."""

    operator: str
    line: int
    before: str
    after: str
    definition: ast.FunctionDef


def alternatives(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of an expression, with the name of the mistake."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                yield "comparison", ast.Compare(node.left, operators, node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield "sign", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield "factor", node.left
        yield "factor", node.right
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        opposite = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)
        yield "rounding", ast.UnaryOp(ast.USub(), opposite)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield "negation", node.operand
    elif isinstance(node, ast.BoolOp):
        yield "junction", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield "number", ast.Constant(node.value + 1)
        yield "number", ast.Constant(node.value - 1)
    elif isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from _calls(node, node.func.id)


def _calls(node: ast.Call, name: str) -> Iterator[tuple[str, ast.AST]]:
    """Another direction of rounding, the other extreme, a bound or a magnitude left out."""
    for other in ROUNDING.get(name, ()):
        yield "rounding", ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)
    if name in EXTREMES and len(node.args) > 1:
        yield "extreme", ast.Call(ast.Name(EXTREMES[name], ast.Load()), node.args, node.keywords)
        for place in range(len(node.args)):
            rest = [*node.args[:place], *node.args[place + 1 :]]
            yield "bound", rest[0] if len(rest) == 1 else ast.Call(node.func, rest, [])
    elif name == "clamp":
        value, low, high = node.args
        yield "bound", ast.Call(ast.Name("min", ast.Load()), [high, value], [])
        yield "bound", ast.Call(ast.Name("max", ast.Load()), [low, value], [])
    elif name == "abs":
        yield "magnitude", node.args[0]


def forgotten(node: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """A statement left out, or a condition that is always or never true."""
    if isinstance(node, ast.AugAssign):
        if type(node.op) in ARITHMETIC:
            yield "sign", ast.AugAssign(node.target, ARITHMETIC[type(node.op)](), node.value)
        yield "statement", ast.Pass()
    elif isinstance(node, ast.If):
        yield "branch", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "branch", ast.If(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "statement", ast.Pass()


HIDDEN = ("annotation", "returns", "decorator_list", "ctx", "op", "ops", "func", "args")


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every place inside a function's body, from outside in: the node that holds it, the field, the item."""
    for name, content in ast.iter_fields(node):
        if name in HIDDEN and not (name == "args" and isinstance(node, ast.Call)):
            continue
        for index, part in enumerate(content if isinstance(content, list) else [content]):
            if isinstance(part, ast.AST) and not _is_text(part):
                yield node, name, index if isinstance(content, list) else None
                yield from places(part)


def _is_text(node: ast.AST) -> bool:
    """Whether a node is a docstring, or words an error."""
    return (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or isinstance(node, ast.JoinedStr)


def changes(definition: ast.FunctionDef) -> Iterator[Change]:
    """Every function with one mistake, in order of the text; none twice."""
    known = {ast.dump(definition)}
    for number, (holder, name, index) in enumerate(places(definition)):
        part = getattr(holder, name)
        node = part if index is None else part[index]
        found = forgotten(node) if isinstance(node, ast.stmt) else alternatives(node)
        for operator, other in found:
            changed = copy.deepcopy(definition)
            twin, field, place = list(places(changed))[number]
            if place is None:
                setattr(twin, field, copy.deepcopy(other))
            else:
                getattr(twin, field)[place] = copy.deepcopy(other)
            if ast.dump(changed) not in known:
                known.add(ast.dump(changed))
                yield Change(operator, getattr(node, "lineno", 0), _short(node), _short(other), changed)


def _short(node: ast.AST) -> str:
    """A piece of text on one line; of a compound statement its head."""
    if isinstance(node, ast.Pass):
        return "(nothing)"
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())
