"""A conversation with one running engine: requests go out as records, answers come back as records."""

from __future__ import annotations

from typing import Any

from clearspec.codec import DecodeError
from clearspec.events import Event, Genesis
from clearspec_conformance.engines import Door, Opener, Trouble, errored
from clearspec_conformance.formats import Implementation
from clearspec_conformance.protocol import (
    ERROR,
    LARGEST_BATCH,
    Apply,
    Bye,
    Compute,
    EngineError,
    EngineReceipt,
    ErrorCode,
    Hello,
    Load,
    Protocol,
    Seen,
    Snapshot,
    answer_body,
    line,
    taken_apart,
)


class NotImplementedByEngine(Exception):
    """The engine lacks what it was asked for."""


class Session:
    """An engine that has introduced itself; ``broken`` once it gave no usable answer."""

    def __init__(self, open_door: Opener, deadline: float) -> None:
        self.door: Door = open_door()
        self.count = 0
        self.broken = False
        try:
            self.implementation = self._introduced(deadline)
        except Trouble as trouble:
            heard = self.door.heard()
            self.door.close(deadline)
            raise Trouble(trouble.verdict, f"at hello: {trouble}" + (f"; stderr: {heard}" if heard else "")) from None

    def _introduced(self, deadline: float) -> Implementation:
        """Say hello."""
        try:
            found = self.ask("hello", Hello(Protocol.V1), deadline)
        except NotImplementedByEngine as error:
            raise errored(f"does not speak {Protocol.V1.value}: {error}") from None
        return Implementation(found.name, found.version, found.language, found.features)

    def claims(self, feature: str) -> bool:
        """Whether the engine claims a feature."""
        return feature in self.implementation.features

    def ask(self, message: str, body: Any, deadline: float) -> Any:
        """The body of the answer to a request.

        Raises:
            NotImplementedByEngine: the engine says so.
            Trouble: it gives no usable answer by the deadline.
        """
        try:
            return self._answer(message, body, deadline)
        except Trouble:
            self.broken = True
            raise

    def _answer(self, message: str, body: Any, deadline: float) -> Any:
        """Ask and judge the answer."""
        self.count += 1
        identifier = str(self.count)
        raw = self.door.exchange(line(identifier, message, body), deadline)
        try:
            answered = taken_apart(raw, (message, ERROR))
            found = answer_body(message, answered)
        except DecodeError as error:
            raise errored(f"answered {message} with what does not fit: {error}", self.door.last) from None
        if answered.id != identifier:
            raise errored(f"answered request {answered.id}, not request {identifier}")
        if not isinstance(found, EngineError):
            return found
        if found.code == ErrorCode.NOT_IMPLEMENTED:
            raise NotImplementedByEngine(found.message)
        raise errored(f"answered {message} with the error {found.code.value}: {found.message}")

    def load(self, genesis: Genesis, deadline: float) -> None:
        """Start again from a genesis."""
        self.ask("load", Load(genesis), deadline)

    def restore(self, snapshot: dict[str, Any], deadline: float) -> None:
        """Start again from a full snapshot."""
        self.ask("load", Load(None, snapshot), deadline)

    def apply(self, events: tuple[Event, ...], deadline: float) -> tuple[EngineReceipt, ...]:
        """Apply events; returns a receipt for each."""
        receipts: tuple[EngineReceipt, ...] = ()
        for start in range(0, len(events), LARGEST_BATCH):
            batch = events[start : start + LARGEST_BATCH]
            answer = self.ask("apply", Apply(batch), deadline)
            if len(answer.receipts) != len(batch):
                raise errored(f"answered {len(batch)} events with {len(answer.receipts)} receipts")
            receipts += answer.receipts
        return receipts

    def seen(self, root: bool, deadline: float) -> Seen:
        """The observable snapshot, and the state root if it is asked for."""
        found: Seen = self.ask("snapshot", Snapshot(root), deadline)
        return found

    def compute(self, call: Any, deadline: float) -> dict[str, int]:
        """The named results of a kernel."""
        return dict(self.ask("kernel", Compute(call), deadline).results)

    def heard(self) -> str:
        """What the engine wrote to standard error since this was last asked."""
        return self.door.heard()

    def end(self, deadline: float) -> None:
        """Say bye, then make sure that the engine is gone."""
        try:
            self.ask("bye", Bye(), deadline)
        except (Trouble, NotImplementedByEngine):
            deadline = 0.0
        self.door.close(deadline)

    def kill(self) -> None:
        """End the engine at once."""
        self.door.close(0.0)
