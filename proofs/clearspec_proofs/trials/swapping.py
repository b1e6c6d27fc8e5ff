"""The reference with some of its text exchanged, in this process and for a while.

A function keeps its identity and gets other code, so that whoever holds it (modules, tables of functions, theorems,
stand-ins) calls the exchanged one without being told.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from clearspec_proofs.stand_ins import modules

ANNOTATIONS = annotations.compiler_flag
Definition = ast.FunctionDef | ast.ClassDef


class Unfit(ValueError):
    """A change of the reference's text that cannot be made while it runs; the message says why."""


@cache
def source_of(module: str) -> str:
    """The text of a module of the reference.

    Raises:
        Unfit: there is no such module.
    """
    try:
        found = importlib.import_module(f"clearspec.{module}")
    except ModuleNotFoundError:
        raise Unfit(f"the reference has no module {module!r}") from None
    return Path(inspect.getfile(found)).read_text(encoding="utf-8")


def exchanged(module: str, before: str, after: str) -> str:
    """The text of a module with ``after`` for ``before``.

    Raises:
        Unfit: ``before`` does not occur exactly once, or what comes of it is no Python.
    """
    text = source_of(module)
    if text.count(before) != 1:
        raise Unfit(f"{module}.py: {before!r} occurs {text.count(before)} times, not once")
    changed = text.replace(before, after)
    try:
        ast.parse(changed)
    except SyntaxError as fault:
        raise Unfit(f"{module}.py: {fault.msg} in line {fault.lineno} after the change") from None
    return changed


def plain(found: Any) -> FunctionType:
    """The function inside what a decorator made of it.

    Raises:
        Unfit: there is none.
    """
    if isinstance(found, property) and found.fget is not None:
        found = found.fget
    found = inspect.unwrap(getattr(found, "__func__", found))
    if not isinstance(found, FunctionType):
        raise Unfit(f"{found!r} is no function")
    return found


def compiled(definition: ast.FunctionDef, of: FunctionType) -> FunctionType:
    """A function from its syntax, in the module of another, without its decorators."""
    bare = ast.FunctionDef(**{**dict(ast.iter_fields(definition)), "decorator_list": []})
    tree = ast.fix_missing_locations(ast.Module([ast.copy_location(bare, definition)], []))
    code = compile(tree, of.__code__.co_filename, "exec", flags=ANNOTATIONS, dont_inherit=True)
    scope: dict[str, Any] = {}
    exec(code, of.__globals__, scope)
    made: FunctionType = scope[definition.name]
    return made


Act = Callable[[], None]

_IN_PLACE: list[tuple[Act, Act]] = []
"""What is exchanged now: how it is put in place, and how it is put back."""


@contextmanager
def in_place(put: Act, back: Act) -> Iterator[None]:
    """Within it something is exchanged."""
    put()
    _IN_PLACE.append((put, back))
    try:
        yield
    finally:
        _IN_PLACE.pop()
        back()


def is_exchanged() -> bool:
    """Whether anything is exchanged now."""
    return bool(_IN_PLACE)


@contextmanager
def as_it_is() -> Iterator[None]:
    """Within it the reference runs its own text again, whatever is exchanged around it."""
    for _, back in reversed(_IN_PLACE):
        back()
    try:
        yield
    finally:
        for put, _ in _IN_PLACE:
            put()


@contextmanager
def recoded(function: Callable[..., Any], definition: ast.FunctionDef) -> Iterator[None]:
    """Within it a function runs another definition.

    Raises:
        Unfit: the function is a closure.
    """
    inner = plain(function)
    made = compiled(definition, inner)
    if inner.__code__.co_freevars or made.__code__.co_freevars:
        raise Unfit(f"{inner.__qualname__} is a closure")
    before = inner.__code__, inner.__defaults__, inner.__kwdefaults__
    forget = getattr(function, "cache_clear", lambda: None)
    after = made.__code__, made.__defaults__, made.__kwdefaults__

    def run(parts: Any) -> None:
        inner.__code__, inner.__defaults__, inner.__kwdefaults__ = parts
        forget()

    with in_place(lambda: run(after), lambda: run(before)):
        yield


@contextmanager
def rebound(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    """Within it a constant of a module has another value, there and where it was imported from there."""
    before = vars(module)[name]
    tables = [vars(other) for other in modules() if name in vars(other) and vars(other)[name] is before]

    def bind(what: Any) -> None:
        for table in tables:
            table[name] = what

    with in_place(lambda: bind(value), lambda: bind(before)):
        yield


@contextmanager
def added(module: ModuleType, definition: ast.FunctionDef) -> Iterator[None]:
    """Within it a module has one more function."""
    scope: dict[str, Any] = {}
    tree = ast.fix_missing_locations(ast.Module([definition], []))
    exec(compile(tree, module.__file__ or "", "exec", flags=ANNOTATIONS, dont_inherit=True), vars(module), scope)
    vars(module).update(scope)
    try:
        yield
    finally:
        del vars(module)[definition.name]


def defined(tree: ast.Module | ast.ClassDef) -> dict[str, ast.stmt]:
    """Statements of a module or a class by what they define; those that define nothing by their text."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        else:
            found[ast.unparse(node)] = node
    return found


def differing(before: ast.Module | ast.ClassDef, after: ast.Module | ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    """Statements that are others afterwards.

    Raises:
        Unfit: one is gone.
    """
    old, new = defined(before), defined(after)
    gone = [name for name in old if name not in new]
    if gone:
        raise Unfit(f"the change removes {gone[0]!r}")
    for name, node in new.items():
        if name not in old or ast.dump(old[name]) != ast.dump(node):
            yield name, node


def changes(module: ModuleType, before: str, after: str) -> Iterator[Any]:
    """Context managers that make a change of a module's text.

    Raises:
        Unfit: one of its statements cannot be exchanged.
    """
    old, new = ast.parse(before), ast.parse(after)
    for name, node in differing(old, new):
        here = vars(module).get(name)
        if isinstance(node, ast.FunctionDef):
            yield added(module, node) if here is None else recoded(here, node)
        elif isinstance(node, ast.ClassDef) and isinstance(here, type):
            earlier = next(item for item in old.body if isinstance(item, ast.ClassDef) and item.name == name)
            yield from methods(here, earlier, node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and name in vars(module):
            expression = ast.Expression(node.value)
            yield rebound(module, name, eval(compile(expression, module.__file__ or "", "eval"), vars(module)))
        else:
            raise Unfit(f"{module.__name__}: the change of {name!r} cannot be made while it runs")


def methods(kind: type, before: ast.ClassDef, after: ast.ClassDef) -> Iterator[Any]:
    """The same for the methods of a class.

    Raises:
        Unfit: something else than a method differs.
    """
    for name, node in differing(before, after):
        if not isinstance(node, ast.FunctionDef) or name not in vars(kind):
            raise Unfit(f"{kind.__name__}: the change of {name!r} cannot be made while it runs")
        yield recoded(vars(kind)[name], node)


@contextmanager
def swapped(module: str, before: str, after: str) -> Iterator[None]:
    """Within it the reference runs with ``after`` for ``before`` in a module's text.

    Raises:
        Unfit: the change cannot be made, or changes nothing.
    """
    changed = exchanged(module, before, after)
    found = importlib.import_module(f"clearspec.{module}")
    with ExitStack() as stack:
        managers = list(changes(found, source_of(module), changed))
        if not managers:
            raise Unfit(f"{module}.py: the change changes nothing that runs")
        for manager in managers:
            stack.enter_context(manager)
        yield
