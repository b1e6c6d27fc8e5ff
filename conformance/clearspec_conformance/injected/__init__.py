"""Engines with a known fault, as subjects for the tools that must find it.

``python -m clearspec_conformance.injected KIND [--at N] [--seed N]`` serves one over stdin and stdout. ``base_log``
writes a long right log, ``faulty_log`` the same log as a faulty engine would have written it.
"""

from __future__ import annotations

from typing import Any

from clearspec.codec import DecodeError, decode, parse
from clearspec.events import Event
from clearspec.formats import receipt_record
from clearspec.state import State
from clearspec_conformance.injected.faults import KINDS, Kind
from clearspec_conformance.injected.logs import Checkpoint, FaultyLog, Record, faulty_log
from clearspec_conformance.injected.machine import Faulty
from clearspec_conformance.injected.market import base_log
from clearspec_conformance.protocol import Introduction, Load, Loaded
from clearspec_conformance.reference_engine import Reference, malformed

__all__ = [
    "KINDS",
    "Checkpoint",
    "Faulty",
    "FaultyLog",
    "Injected",
    "Kind",
    "Record",
    "base_log",
    "engine",
    "faulty_log",
]


class Injected(Reference):
    """The reference with a fault behind the protocol. Loading puts it in order until the fault fires again."""

    def __init__(self, kind: Kind, at: int | None = None, seed: int = 0) -> None:
        super().__init__()
        self.machine = Faulty(kind, State(), at, seed)

    @property
    def fired_at(self) -> int | None:
        """Number of the first event since the load whose receipt is wrong; ``None`` as long as there is none."""
        return self.machine.fired_at

    def introduced(self, body: Any) -> Introduction:
        """Who the engine is."""
        found = super().introduced(body)
        name = f"reference, {self.machine.kind.name}"
        return Introduction(found.protocol, name, found.version, found.language, found.features)

    def loaded(self, body: Load) -> Loaded:
        """Start from a genesis or a full snapshot, with the fault to come."""
        answer = super().loaded(body)
        self.machine.start(self.current())
        return answer

    def receipt_of_document(self, state: Any, document: str) -> Any:
        """What comes of an event that stands in a text."""
        try:
            raw = parse(document)
        except DecodeError as error:
            return self.unread(error)
        return self.receipt(state, raw)

    def unread(self, error: DecodeError) -> Any:
        """The receipt of what does not decode."""
        self.machine.step += 1
        return malformed(self.machine.state.time, error.path)

    def receipt(self, state: Any, raw: Any) -> Any:
        """What comes of one event; ``state`` is that of the start of the request, which may be out of date."""
        try:
            event = decode(Event, raw)
        except DecodeError as error:
            return self.unread(error)
        found = receipt_record(self.machine.apply(event))
        self.state = self.machine.state
        return found


def engine(kind: str, at: int | None = None, seed: int = 0) -> Injected:
    """The engine of a kind; its fault fires once at event ``at`` or after, or without ``at`` wherever it can.

    Raises:
        KeyError: there is no such kind.
    """
    return Injected(KINDS[kind], at, seed)
