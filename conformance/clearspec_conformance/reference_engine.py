"""The reference as an engine: answers the documents of requests with the documents of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearspec.codec import DecodeError, decode
from clearspec.events import REASONS, Event, Reason
from clearspec.formats import ReceiptRecord, Status, receipt_record
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.snapshot import observable, restore, state_root
from clearspec.state import State
from clearspec_conformance.kernels import called
from clearspec_conformance.protocol import (
    ERROR,
    FEATURES,
    LARGEST_BATCH,
    MESSAGES,
    Applied,
    Bye,
    Compute,
    Computed,
    EngineError,
    ErrorCode,
    Hello,
    Introduction,
    Load,
    Loaded,
    Protocol,
    Seen,
    Snapshot,
    line,
    request_body,
    taken_apart,
)


class Refused(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, message: str, code: ErrorCode = ErrorCode.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code


def malformed(time: int, path: str) -> ReceiptRecord:
    """The receipt of an event that does not decode (EVENT-3)."""
    rule = REASONS[Reason.MALFORMED][0]
    return ReceiptRecord("", 0, time, "", Status.REJECTED, Reason.MALFORMED, rule, path, (), {}, ())


class Reference:
    """The reference behind the protocol."""

    def __init__(self) -> None:
        self.state: State | None = None

    def handle(self, request: Any) -> dict[str, Any]:
        """The answer to a request; whatever is wrong with it, there is an answer."""
        try:
            asked = taken_apart(request, tuple(MESSAGES))
        except DecodeError as error:
            known = request.get("id") if isinstance(request, dict) else None
            name = known if isinstance(known, str) else "unknown"
            return line(name, ERROR, EngineError(ErrorCode.BAD_REQUEST, str(error)))
        try:
            return line(asked.id, asked.message, self.answer(asked.message, asked))
        except (DecodeError, Refused) as error:
            code = error.code if isinstance(error, Refused) else ErrorCode.BAD_REQUEST
            return line(asked.id, ERROR, EngineError(code, str(error)[:4096]))

    def answer(self, message: str, asked: Any) -> Any:
        """The body of the answer."""
        if message == "apply":
            return self.applied(asked.body)
        answers: dict[str, Callable[[Any], Any]] = {
            "hello": self.introduced,
            "load": self.loaded,
            "snapshot": self.seen,
            "kernel": self.computed,
            "bye": lambda body: Bye(),
        }
        return answers[message](request_body(asked))

    def introduced(self, body: Hello) -> Introduction:
        """Who the reference is."""
        from importlib import metadata

        try:
            version = metadata.version("clearspec")
        except metadata.PackageNotFoundError:
            version = "checkout"
        return Introduction(Protocol.V1, "clearspec reference", version, "Python", FEATURES)

    def loaded(self, body: Load) -> Loaded:
        """Start from a genesis or a full snapshot."""
        try:
            self.state = restore(body.snapshot) if body.genesis is None else build(body.genesis)
        except ValueError as error:
            raise Refused(str(error)) from None
        return Loaded()

    def current(self) -> State:
        """The state that was loaded."""
        if self.state is None:
            raise Refused("nothing has been loaded")
        return self.state

    def applied(self, body: Any) -> Applied:
        """Apply events; one that does not decode gets a receipt too."""
        state = self.current()
        events = body.get("events") if isinstance(body, dict) and set(body) == {"events"} else None
        if not isinstance(events, list) or len(events) > LARGEST_BATCH:
            raise Refused(f"$.apply: expected an object with a list of at most {LARGEST_BATCH} events")
        return Applied(tuple(self.receipt(state, raw) for raw in events))

    def receipt(self, state: State, raw: Any) -> Any:
        """What comes of one event, as a receipt of the wire format."""
        try:
            event = decode(Event, raw)
        except DecodeError as error:
            return malformed(state.time, error.path)
        return receipt_record(apply(state, event))

    def seen(self, body: Snapshot) -> Seen:
        """The observable snapshot, and the root if it is asked for."""
        state = self.current()
        return Seen(observable(state), state_root(state) if body.root else None)

    def computed(self, body: Compute) -> Computed:
        """Call a kernel."""
        try:
            return Computed(called(body.call))
        except ValueError as error:
            raise Refused(str(error)) from None
