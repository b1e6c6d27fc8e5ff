"""Playing a vector on the reference in this process, up to the first difference, and which lines it reaches."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from clearspec.codec import decode, encode
from clearspec.events import Genesis
from clearspec.formats import ReceiptRecord, VectorStep, receipt_record
from clearspec.listing import build
from clearspec.machine import apply, apply_document
from clearspec.snapshot import observable
from clearspec.state import State
from clearspec_conformance.formats import (
    GenesisCase,
    GenesisVector,
    GenesisVectorFormat,
    KernelCall,
    KernelVector,
    KernelVectorFormat,
)
from clearspec_conformance.kernels import called
from clearspec_conformance.playing import WHOLE
from clearspec_conformance.reference_engine import Reference, refused_for
from clearspec_conformance.suite import Entry
from clearspec_conformance.verdicts import differences, shown

COMPARED = ("status", "reason", *WHOLE)
"""The parts of a receipt on which engines are compared."""

Lines = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Script:
    """A vector ready to be played; ``cost`` is the number of its events, calls or geneses."""

    id: str
    chapter: str
    genesis: Genesis | None
    steps: tuple[VectorStep, ...]
    calls: tuple[KernelCall, ...]
    cases: tuple[GenesisCase, ...] = ()

    @property
    def cost(self) -> int:
        """Events, calls or geneses to play."""
        return len(self.steps) + len(self.calls) + len(self.cases)


def script_of(entry: Entry) -> Script:
    """A vector ready to be played."""
    vector = entry.vector
    if isinstance(vector, KernelVector):
        return Script(entry.id, entry.chapter, None, (), vector.calls)
    if isinstance(vector, GenesisVector):
        return Script(entry.id, entry.chapter, None, (), (), vector.cases)
    return Script(entry.id, entry.chapter, vector.genesis, vector.steps, ())


def first_difference(script: Script) -> str:
    """Where the reference, as it is now, first differs from what a vector expects; empty if nowhere."""
    try:
        if script.genesis is None:
            return _call_difference(script.calls) or _case_difference(script.cases)
        return _step_difference(build(script.genesis), script.steps)
    except Exception as error:
        return _raised(error)


def _raised(error: Exception) -> str:
    """An exception of the engine in a line."""
    return f"raises {type(error).__name__}: {error}"[:200]


def _call_difference(calls: tuple[KernelCall, ...]) -> str:
    """The first call of a kernel whose results are others."""
    for place, item in enumerate(calls, start=1):
        got = called(item.call)
        if got != item.results:
            return _told(f"call {place}", item.results, got)
    return ""


def _case_difference(cases: tuple[GenesisCase, ...]) -> str:
    """The first genesis that is refused for another rule, or accepted."""
    for place, case in enumerate(cases, start=1):
        got = refused_for(encode(case.genesis), case.document)
        if got != case.refused:
            return _told(f"genesis {place}", case.refused, got)
    return ""


def _step_difference(state: State, steps: tuple[VectorStep, ...]) -> str:
    """The first step after which receipt or observable snapshot are others."""
    for place, step in enumerate(steps, start=1):
        got = receipt_record(apply(state, step.event)) if step.event else apply_document(state, str(step.document))
        if not _same_receipt(step.receipt, got):
            return _told(f"step {place}", _parts(step.receipt), _parts(got))
        if step.observable is not None and observable(state) != step.observable:
            return _told(f"step {place}", step.observable, observable(state))
    return ""


def _same_receipt(wanted: ReceiptRecord, got: ReceiptRecord) -> bool:
    """Whether two receipts agree in all that is compared."""
    return all(getattr(wanted, name) == getattr(got, name) for name in COMPARED)


def _parts(receipt: ReceiptRecord) -> dict[str, Any]:
    """What is compared of a receipt."""
    return {name: getattr(receipt, name) for name in COMPARED}


def _told(where: str, wanted: Any, got: Any) -> str:
    """The first difference between two values in a line."""
    first = next(iter(differences(encode(wanted), encode(got), "$")))
    return f"{where}: {first.path[2:]}: expected {shown(first.expected)}, got {shown(first.got)}"[:200]


def document_difference(document: Any) -> str:
    """The same for a vector as a document, which the engine decodes with its own bounds."""
    try:
        if document["format"] == KernelVectorFormat.V1.value:
            return _call_difference(decode(KernelVector, document).calls)
        if document["format"] == GenesisVectorFormat.V1.value:
            return _document_cases(document["cases"])
        return _document_steps(document)
    except Exception as error:
        return _raised(error)


def _document_steps(document: Any) -> str:
    """The first step of a document after which receipt or observable snapshot are others."""
    engine = Reference()
    state = engine.state = build(decode(Genesis, document["genesis"]))
    for place, step in enumerate(document["steps"], start=1):
        raw = step["event"]
        got = encode(apply_document(state, step["document"]) if raw is None else engine.receipt(state, raw))
        wanted = step["receipt"]
        if any(wanted[name] != got[name] for name in COMPARED):
            return _told(f"step {place}", {name: wanted[name] for name in COMPARED}, {n: got[n] for n in COMPARED})
        if step["observable"] is not None and step["observable"] != encode(observable(state)):
            return _told(f"step {place}", step["observable"], encode(observable(state)))
    return ""


def _document_cases(cases: list[Any]) -> str:
    """The first genesis of a document that is refused for another rule, or accepted."""
    for place, case in enumerate(cases, start=1):
        got = refused_for(case["genesis"], case["document"])
        if got != case["refused"]:
            return _told(f"genesis {place}", case["refused"], got)
    return ""


def traced(work: Callable[[], Any]) -> Lines:
    """Files and lines that run while some work is done."""
    reached: set[tuple[str, int]] = set()

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def entered(frame: FrameType, event: str, argument: Any) -> Any:
        return local if "/clearspec/" in frame.f_code.co_filename.replace("\\", "/") else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        work()
    finally:
        sys.settrace(before)
    return frozenset(reached)
