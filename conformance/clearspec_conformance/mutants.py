"""Mutants: wrong clearinghouses made from the reference, and which vectors tell them from it.

A mutant is other text for some of the reference's functions. It lives in a forked child of its own: there the code of
those functions is exchanged, the vectors are played, and with the child everything is gone. A mutant that changes more
than the insides of functions gets a fresh copy of every module in its child.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location, spec_from_loader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from clearspec import events, numerics
from clearspec.codec import parse
from clearspec_command.failures import BadInput
from clearspec_conformance.suite import load_suite, read_bounded
from clearspec_conformance.trial import Lines, Script, first_difference, script_of, traced

PACKAGE = "clearspec"
OWN_PACKAGE = "clearspec_conformance"

CHAPTER_OF: dict[str, str] = {
    "numerics": "numerics",
    "fields": "numerics",
    "ledger": "ledger",
    "events": "events",
    "machine": "events",
    "collateral": "collateral",
    "oracle": "oracle",
    "parameters": "parameters",
    "listing": "parameters",
    "margin": "margin",
    "trading": "trading",
    "funding": "funding",
    "liquidation": "liquidation",
    "waterfall": "waterfall",
    "settlement": "settlement",
}
"""Module of the reference to the chapter that it implements."""

TIMEOUT = 120.0
"""Seconds that a mutant may take over all its vectors; after that it counts as killed by never ending."""

MEMORY = 4 * 2**30
"""Bytes of address space that a mutant may take."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Other text for one module: for some functions by qualified name, or where that is not enough for all of it.

    ``bounds`` are other bounds of a field instead: record, field, smallest and largest value.
    """

    module: str
    functions: tuple[tuple[str, str], ...]
    text: str = ""
    bounds: tuple[str, str, int, int] | None = None

    @property
    def fresh(self) -> bool:
        """Whether the mutant needs modules of its own."""
        return bool(self.text)


@dataclass(frozen=True, slots=True)
class Kill:
    """A vector that tells a mutant from the reference, and by what."""

    vector: str
    by: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a mutant: the vectors that killed it, and how many could have."""

    kills: tuple[Kill, ...]
    played: int

    @property
    def killed(self) -> bool:
        """Whether any vector tells the mutant from the reference."""
        return bool(self.kills)


def module_of(name: str) -> ModuleType:
    """A module of the reference, loaded."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def source_of(name: str) -> str:
    """The text of a module of the reference."""
    return Path(str(module_of(name).__file__)).read_text(encoding="utf-8")


# Making a patch


def functions_in(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Every function of a module and every method of its classes, by qualified name."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            inner = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found |= {f"{node.name}.{part.name}": part for part in inner}
    return found


def emptied(tree: ast.Module) -> str:
    """A module without the insides of its functions and without its imports, for comparison."""
    copied = ast.parse(ast.unparse(tree))
    for function in functions_in(copied).values():
        function.body = [ast.Pass()]
        function.args.defaults, function.args.kw_defaults = [], [None] * len(function.args.kwonlyargs)
    copied.body = [node for node in copied.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.dump(copied)


def is_plain(module: str, qualified: str) -> bool:
    """Whether a name leads to a function whose code may be exchanged in place."""
    return _function(module_of(module), qualified) is not None


def _function(module: ModuleType, qualified: str) -> FunctionType | None:
    """The function of a qualified name; ``None`` where a decorator stands between, or it closes over something."""
    found: Any = module
    for part in qualified.split("."):
        found = vars(found).get(part)
    found = found.fget if isinstance(found, property) else found
    plain = isinstance(found, FunctionType) and found.__qualname__ == qualified and not found.__code__.co_freevars
    return found if plain and "__wrapped__" not in vars(found) else None


def patch_between(module: str, old: str, new: str) -> Patch:
    """The patch that turns one text of a module into another.

    Raises:
        BadInput: the new text is not Python, or says the same.
    """
    try:
        before, after = ast.parse(old), ast.parse(new)
    except SyntaxError as error:
        raise BadInput(f"patch of {module}: {error}") from None
    if ast.dump(before) == ast.dump(after):
        raise BadInput(f"patch of {module}: changes nothing")
    known, wanted = functions_in(before), functions_in(after)
    changed = [name for name in wanted if name in known and ast.dump(known[name]) != ast.dump(wanted[name])]
    inside = emptied(before) == emptied(after) and all(is_plain(module, name) for name in changed)
    if not inside:
        return Patch(module, (), new)
    return Patch(module, tuple((name, undecorated(wanted[name])) for name in changed))


def undecorated(function: ast.FunctionDef) -> str:
    """The text of a function without its decorators."""
    decorators, function.decorator_list = function.decorator_list, []
    text = ast.unparse(function)
    function.decorator_list = decorators
    return text


def patch_text(module: str, old: str, new: str) -> Patch:
    """The patch that replaces one passage of a module by another.

    Raises:
        BadInput: the passage does not stand there exactly once.
    """
    text = source_of(module)
    if text.count(old) != 1:
        raise BadInput(f"patch of {module}: the passage stands there {text.count(old)} times, expected once: {old!r}")
    return patch_between(module, text, text.replace(old, new))


# Living with a patch


def names_in(code: CodeType) -> set[str]:
    """Every global or attribute name that a code object and those inside it use."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*(names_in(part) for part in inner))


def exchange(patch: Patch) -> None:
    """Exchange the code of functions in place; every module that holds one of them sees the other code.

    What ``numerics`` defines is at hand in every patch.
    """
    module = module_of(patch.module)
    if patch.bounds is not None:
        rebound(getattr(module, patch.bounds[0]), *patch.bounds[1:])
    for qualified, text in patch.functions:
        target = _function(module, qualified)
        if target is None:
            raise BadInput(f"patch of {patch.module}: {qualified} cannot be exchanged")
        made: dict[str, Any] = {}
        code = compile(
            text, str(module.__file__), "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True
        )
        exec(code, vars(module), made)
        other = made[qualified.rpartition(".")[2]]
        for name in names_in(other.__code__) & set(vars(numerics)):
            vars(module).setdefault(name, vars(numerics)[name])
        target.__code__, target.__defaults__ = other.__code__, other.__defaults__


def rebound(record: type, field: str, low: int, high: int) -> None:
    """Give a field of a record other bounds where events are checked."""
    known = events.bounds_of(record)
    events._BOUNDS[record] = tuple((name, low, high) if name == field else (name, a, b) for name, a, b in known)


class _Text(InspectLoader):
    """Loads a module from a text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, fullname: str) -> str:
        return self.text


class _Texts(MetaPathFinder):
    """Finds the modules that have another text."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module, if it is one of ours."""
        return spec_from_loader(fullname, _Text(self.texts[fullname])) if fullname in self.texts else None


def fresh_trial(patches: Sequence[Patch]) -> ModuleType:
    """Load every module anew, the patched ones from their other text; returns the one that plays vectors."""
    own = [name for name in sys.modules if name.split(".")[0] in (PACKAGE, OWN_PACKAGE)]
    texts = {f"{PACKAGE}.{patch.module}": whole_text(patch) for patch in patches}
    for name in own:
        del sys.modules[name]
    sys.meta_path.insert(0, _Texts(texts))
    return importlib.import_module(f"{OWN_PACKAGE}.trial")


def whole_text(patch: Patch) -> str:
    """The whole text of a patched module."""
    if patch.fresh:
        return patch.text
    tree = ast.parse(source_of(patch.module))
    known = functions_in(tree)
    for qualified, text in patch.functions:
        (other,) = ast.parse(text).body
        assert isinstance(other, ast.FunctionDef)
        known[qualified].body, known[qualified].args = other.body, other.args
    return ast.unparse(tree)


# The vectors, and which of them reach a line


@dataclass(frozen=True, slots=True)
class Arena:
    """The vectors as they are played, and for each line of the reference the vectors that reach it."""

    scripts: tuple[Script, ...]
    documents: tuple[Any, ...]
    reach: Mapping[tuple[str, int], tuple[int, ...]]

    def candidates(self, chapter: str, lines: Sequence[tuple[str, int]] | None) -> list[int]:
        """Places of the vectors that reach any of the lines (``None``: all), those of the chapter first."""
        chosen = (
            range(len(self.scripts)) if lines is None else {at for line in lines for at in self.reach.get(line, ())}
        )
        return sorted(chosen, key=lambda at: (self.scripts[at].chapter != chapter, self.scripts[at].cost, at))


def open_arena(folder: Path, jobs: int = 1) -> Arena:
    """The vectors of a folder, each played once on the reference.

    Raises:
        BadInput: there is no vector, or the reference itself does not pass one.
    """
    entries = load_suite(folder).entries
    if not entries:
        raise BadInput(f"{folder}: there is no vector")
    scripts = tuple(script_of(entry) for entry in entries)
    documents = tuple(parse(read_bounded(folder / entry.chapter / f"{entry.id}.json")) for entry in entries)
    files = {str(module_of(name).__file__): name for name in CHAPTER_OF}
    reach: dict[tuple[str, int], list[int]] = {}
    for at, (differs, lines) in enumerate(shared(lambda at: _reached(scripts[at]), len(scripts), jobs)):
        if differs:
            raise BadInput(f"{scripts[at].id}: the reference does not pass: {differs}; fill the vectors first")
        for file, line in lines:
            if file in files:
                reach.setdefault((files[file], line), []).append(at)
    return Arena(scripts, documents, {line: tuple(found) for line, found in reach.items()})


def _reached(script: Script) -> tuple[str, Lines]:
    """What a vector finds wrong with the reference, and the lines that it reaches."""
    differs: list[str] = []
    lines = traced(lambda: differs.append(first_difference(script)))
    return differs[0], lines


# Trying a mutant


def tried(arena: Arena, patches: Sequence[Patch], candidates: Sequence[int], most: int) -> Trial:
    """Play vectors on a mutant until ``most`` of them have killed it."""
    if any(patch.fresh for patch in patches):
        trial = fresh_trial(patches)
        one: Callable[[int], str] = lambda at: str(trial.document_difference(arena.documents[at]))  # noqa: E731
    else:
        for patch in patches:
            exchange(patch)
        one = lambda at: first_difference(arena.scripts[at])  # noqa: E731
    kills: list[Kill] = []
    for number, at in enumerate(candidates, start=1):
        differs = one(at)
        if differs:
            kills.append(Kill(arena.scripts[at].id, differs))
        if len(kills) == most:
            return Trial(tuple(kills), number)
    return Trial(tuple(kills), len(candidates))


def in_child(work: Callable[[], Any], timeout: float) -> Any:
    """What some work returns, as a JSON document, done in a forked child; ``None`` if it does not end in time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, reading, writing, timeout)
    os.close(writing)
    try:
        return _answer(reading, time.monotonic() + timeout)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _child(work: Callable[[], Any], reading: int, writing: int, timeout: float) -> None:
    """Do the work, write what it returns, and end without a word."""
    try:
        os.close(reading)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _limit(timeout)
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            json.dump(work(), pipe)
    except BaseException as error:
        with suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(0)


def _limit(timeout: float) -> None:
    """Keep a mutant from taking all memory, and from outliving whoever waits for it."""
    import resource

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, timeout + 1)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _answer(reading: int, deadline: float) -> Any:
    """The document that a child writes; ``None`` if nothing has come by the deadline."""
    data = b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        part = os.read(reading, 2**16)
        if not part:
            return json.loads(data) if data else {"broken": True}
        data += part


def judged(arena: Arena, patches: Sequence[Patch], candidates: Sequence[int], most: int = 1) -> Trial:
    """The trial of a mutant in a child of its own. One that never ends, or breaks its child, is killed by that."""

    def work() -> Any:
        trial = tried(arena, patches, candidates, most)
        return {"kills": [[kill.vector, kill.by] for kill in trial.kills], "played": trial.played}

    if not candidates:
        return Trial((), 0)
    document = in_child(work, TIMEOUT)
    if document is None:
        return Trial((Kill("", "it does not end"),), len(candidates))
    if "broken" in document:
        return Trial((Kill("", "it does not load"),), 0)
    return Trial(tuple(Kill(vector, by) for vector, by in document["kills"]), document["played"])


def shared(work: Callable[[int], Any], count: int, jobs: int) -> Iterator[Any]:
    """Results of ``work(0 .. count - 1)`` in order, done by several processes."""
    if jobs <= 1 or count <= 1:
        yield from (work(place) for place in range(count))
        return
    from multiprocessing import get_context

    global _WORK
    _WORK = work
    with get_context("fork").Pool(jobs, _plain_signals) as pool:
        yield from pool.imap(_work, range(count), chunksize=max(1, min(8, count // (4 * jobs))))


def _plain_signals() -> None:
    """Let a process end as it would by itself, whatever the command has set."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


_WORK: Callable[[int], Any] | None = None


def _work(place: int) -> Any:
    """One piece of shared work."""
    assert _WORK is not None
    return _WORK(place)


# The zoo


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong clearinghouse of the zoo: its name, the chapter that it gets wrong, a story in a sentence, a patch."""

    name: str
    chapter: str
    story: str
    incident: str
    passages: tuple[tuple[str, str, str], ...]

    def patches(self) -> tuple[Patch, ...]:
        """Its patches, one a module.

        Raises:
            BadInput: a passage does not stand where it should.
        """
        texts: dict[str, str] = {}
        for module, old, new in self.passages:
            text = texts.get(module) or source_of(module)
            if text.count(old) != 1:
                raise BadInput(f"mutant {self.name}: the passage stands {text.count(old)} times in {module}: {old!r}")
            texts[module] = text.replace(old, new)
        return tuple(patch_between(module, source_of(module), text) for module, text in texts.items())


ZOO: dict[str, Wrong] = {}


def wrong(name: str, *passages: tuple[str, str, str], story: str, incident: str = "") -> None:
    """Put a wrong clearinghouse into the zoo: each passage is a module, what stands there, and what shall.

    Raises:
        ValueError: the name is taken, or nothing is changed.
    """
    if name in ZOO or not passages:
        raise ValueError(f"mutant {name}: the name is taken, or nothing is changed")
    ZOO[name] = Wrong(name, CHAPTER_OF[passages[0][0]], story, incident, passages)


def zoo_folder() -> Path:
    """Where the zoo stands."""
    return Path(__file__).resolve().parents[1] / "mutants"


def load_zoo(folder: Path | None = None) -> dict[str, Wrong]:
    """Every wrong clearinghouse of a folder, by name."""
    ZOO.clear()
    for path in sorted((folder or zoo_folder()).glob("*.py")):
        spec = spec_from_file_location(f"clearspec_zoo_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(module_from_spec(spec))
    return dict(ZOO)


def lines_of(patch: Patch) -> list[tuple[str, int]] | None:
    """Lines of the functions that a patch changes; ``None`` if it changes more."""
    if patch.fresh:
        return None
    known = functions_in(ast.parse(source_of(patch.module)))
    found = []
    for qualified, _ in patch.functions:
        node = known[qualified]
        found += [(patch.module, line) for line in range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)]
    return found


def zoo_candidates(arena: Arena, entry: Wrong, patches: Sequence[Patch]) -> list[int]:
    """Vectors that may tell a wrong clearinghouse from the reference."""
    parts = [lines_of(patch) for patch in patches]
    lines = None if None in parts else [line for part in parts if part is not None for line in part]
    return arena.candidates(entry.chapter, lines)
