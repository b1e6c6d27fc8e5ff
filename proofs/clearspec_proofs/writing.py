"""Which tables of the state a function of the reference writes, read off its syntax and that of all that it calls."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from clearspec.state import State

Function = Callable[..., Any]

TABLES = frozenset(table.name for table in State().tables)


class UnknownWrite(ValueError):
    """A function writes in a way that its syntax does not name the table of."""


@cache
def writes_of(function: Function) -> frozenset[str]:
    """Names of the tables that a function, or anything of the reference that it reaches, writes.

    Every function that is named in it counts as called.

    Raises:
        UnknownWrite: a ``put`` on something else than a table by its name.
    """
    found: set[str] = set()
    seen: set[Function] = set()
    waiting = [function]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        tree = ast.parse(textwrap.dedent(inspect.getsource(here)))
        found.update(_written(tree, here))
        waiting += [other for other in _named(tree, here) if other not in seen]
    return frozenset(found)


def _written(tree: ast.AST, function: Function) -> Iterator[str]:
    """Tables on which ``put`` is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "put":
            receiver = node.func.value
            name = getattr(receiver, "attr", getattr(receiver, "id", ""))
            if name not in TABLES:
                raise UnknownWrite(f"{function.__module__}.{function.__name__}: put on {ast.unparse(receiver)}")
            yield name


def _named(tree: ast.AST, function: Function) -> Iterator[Function]:
    """Functions of the reference that are named in another."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            value = function.__globals__.get(node.id)
            if inspect.isfunction(value) and value.__module__.partition(".")[0] == "clearspec":
                yield value
