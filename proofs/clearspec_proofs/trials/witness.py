"""What a refuted theorem saw: the calls of the reference that it made with the numbers that refute it.

Of a wrong reference they are made twice, on it and on the right one; where a kernel of the protocol gives two results,
the call and the right result are a conformance vector that tells the two apart.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from types import CodeType, FrameType
from typing import Any

from clearspec import machine
from clearspec.codec import TAGS, DecodeError, decode, encode
from clearspec.events import Event, Receipt
from clearspec.formats import Importance, Why
from clearspec_conformance.formats import KernelCall, KernelVector, KernelVectorFormat, sealed
from clearspec_conformance.kernels import KERNELS, Kernel, called
from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.theorems import Theorem

MOST_CALLS = 32
"""Calls of kernels that go into one vector."""


@dataclass(slots=True)
class Witness:
    """Calls in the order in which they were made: of kernels with named arguments, and of ``apply``."""

    kernels: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    events: list[tuple[Event, Receipt | None]] = field(default_factory=list)


@cache
def kernel_of(code: CodeType) -> Kernel | None:
    """The kernel of the protocol that a function of the reference is."""
    for kernel in KERNELS.values():
        function = inspect.unwrap(kernel.function)
        wrapped = function.__module__.startswith("clearspec_conformance")
        names = {function.__name__.lstrip("_")} if wrapped else set()
        if function.__code__ is code or code.co_name in names:
            return kernel
    return None


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, those within records beside them; the first of a name counts."""
    found = dict(values)
    for value in values.values():
        if is_dataclass(value) and not isinstance(value, type):
            for item in fields(value):
                found.setdefault(item.name, getattr(value, item.name))
    return found


@contextmanager
def watching(seen: Witness) -> Iterator[None]:
    """Within it every call of a kernel and of ``apply`` is noted."""
    apply_code = inspect.unwrap(machine.apply).__code__

    def note(frame: FrameType, event: str, given: object) -> None:
        code = frame.f_code
        if code is apply_code:
            if event == "call":
                seen.events.append((frame.f_locals["event"], None))
            elif event == "return" and isinstance(given, Receipt):
                seen.events[-1] = (seen.events[-1][0], given)
        elif event == "call" and "clearspec" in code.co_filename:
            kernel = kernel_of(code)
            if kernel is not None:
                seen.kernels.append((kernel.name, flat(frame.f_locals)))

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def witnessed(theorem: Theorem, drawn: dict[str, Any]) -> Witness:
    """Run a theorem on plain numbers without stand-ins, and take note of what it calls."""
    integers = {name: value for name, value in drawn.items() if isinstance(value, int) and not isinstance(value, bool)}
    options = {name: value for name, value in drawn.items() if name not in integers}
    seen = Witness()
    with watching(seen), suppress(Exception):
        theorem.body(Concrete(Given(integers, options), stand_ins=False))
    return seen


def call_of(name: str, values: dict[str, Any]) -> Any | None:
    """The arguments of a kernel as the protocol has them; ``None`` where these are outside its domain."""
    kernel = KERNELS[name]
    wanted = {item.name: values.get(item.name) for item in fields(kernel.arguments)}
    try:
        document = {key: encode(value) for key, value in wanted.items()}
        return decode(kernel.arguments, document)
    except (DecodeError, TypeError, ValueError, KeyError):
        return None


def results_of(arguments: Any) -> dict[str, int] | None:
    """What the reference as it is now gives; ``None``: outside its domain."""
    try:
        return called(arguments)
    except (ValueError, TypeError, AttributeError):
        return None


def distinct(seen: Witness) -> list[Any]:
    """The calls of kernels that the protocol can carry, each once."""
    found: list[Any] = []
    for name, values in seen.kernels:
        arguments = call_of(name, values)
        if arguments is not None and arguments not in found:
            found.append(arguments)
    return found


def told(seen: Witness) -> list[str]:
    """Events with what came of them, then the calls of kernels with their results, each as one line of JSON."""
    lines = []
    for event, receipt in seen.events:
        said = "no receipt" if receipt is None else json.dumps(encode(receipt))
        lines.append(f"{json.dumps(encode(event))} -> {said}")
    for call in distinct(seen):
        lines.append(f"{json.dumps(encode(call))} -> {json.dumps(encode(results_of(call) or {}))}")
    return lines


@dataclass(frozen=True, slots=True)
class Answers:
    """Calls of kernels, and what a wrong reference answered."""

    calls: tuple[Any, ...] = ()
    wrong: tuple[dict[str, int] | None, ...] = ()


def answers_of(theorem: Theorem, drawn: dict[str, Any]) -> Answers:
    """What a theorem asks of the reference as it is now, with the numbers that refute it, and what it is told."""
    calls = distinct(witnessed(theorem, drawn))
    return Answers(tuple(calls), tuple(map(results_of, calls)))


def vector_of(name: str, story: str, theorem: Theorem, found: Answers) -> KernelVector | None:
    """The calls that the right reference answers otherwise than the wrong one did, with the right results.

    ``None`` where there is none: the mistake is in no kernel of the protocol.
    """
    rows = [(call, results_of(call), wrong) for call, wrong in zip(found.calls, found.wrong, strict=True)]
    calls = [KernelCall(call, right) for call, right, wrong in rows if right is not None and right != wrong]
    if not calls:
        return None
    rules = tuple(dict.fromkeys(KERNELS[TAGS[type(call.call)]].rule for call in calls))
    why = Why(story, f"{theorem.name} does not hold: {theorem.sentence}", "")
    version = KernelVectorFormat.V1
    return sealed(  # type: ignore[no-any-return]
        KernelVector(version, name, 1, rules, Importance.RULE, why, tuple(calls[:MOST_CALLS]), "")
    )
