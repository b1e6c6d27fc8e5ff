"""The reference as an engine: answers the documents of requests with the documents of answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import clearspec
from clearspec.codec import DecodeError, decode, loads, parse
from clearspec.events import Event, Genesis
from clearspec.formats import receipt_record
from clearspec.listing import OutsideEnvelope, build
from clearspec.machine import apply
from clearspec.machine import malformed as malformed
from clearspec.parameters import ENVELOPE
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
    """A request that gets an error for an answer; ``rule`` is the one for which a genesis is refused."""

    def __init__(self, message: str, code: ErrorCode = ErrorCode.BAD_REQUEST, rule: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.rule = rule


def rule_against(error: ValueError) -> str:
    """The rule for which a genesis is refused: it does not decode, breaks the envelope, or does not hang together."""
    if isinstance(error, DecodeError):
        return "EVENT-3"
    if isinstance(error, OutsideEnvelope):
        return ENVELOPE[error.violation.inequality.partition(" ")[0]]
    return "EVENT-2"


def started(genesis: Any, document: str | None) -> State:
    """The state of a genesis, given as a document or as the text of one.

    Raises:
        ValueError: it is refused.
    """
    return build(decode(Genesis, genesis) if document is None else loads(Genesis, document))


def refused_for(genesis: Any, document: str | None) -> str | None:
    """The rule for which a genesis, given in one of the two ways, is refused; none if it is accepted."""
    try:
        started(genesis, document)
    except ValueError as error:
        return rule_against(error)
    return None


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
        except DecodeError as error:
            return line(asked.id, ERROR, EngineError(ErrorCode.BAD_REQUEST, str(error)[:4096]))
        except Refused as error:
            return line(asked.id, ERROR, EngineError(error.code, str(error)[:4096], error.rule))

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
        return Introduction(Protocol.V1, "clearspec reference", clearspec.__version__, "Python", FEATURES)

    def loaded(self, body: Load) -> Loaded:
        """Start from a genesis or a full snapshot."""
        snapshot = body.snapshot
        try:
            self.state = started(body.genesis, body.document) if snapshot is None else restore(snapshot)
        except ValueError as error:
            rule = rule_against(error) if snapshot is None else "EVENT-12"
            raise Refused(str(error), ErrorCode.REFUSED, rule) from None
        return Loaded()

    def current(self) -> State:
        """The state that was loaded."""
        if self.state is None:
            raise Refused("nothing has been loaded")
        return self.state

    def applied(self, body: Any) -> Applied:
        """Apply events; one that does not decode gets a receipt too."""
        state = self.current()
        if isinstance(body, dict) and len(body) == 1:
            events, document = body.get("events"), body.get("document")
            if isinstance(document, str):
                return Applied((self.receipt_of_document(state, document),))
            if isinstance(events, list) and len(events) <= LARGEST_BATCH:
                return Applied(tuple(self.receipt(state, raw) for raw in events))
        raise Refused(f"$.apply: expected an object with a list of at most {LARGEST_BATCH} events, or a document")

    def receipt_of_document(self, state: State, document: str) -> Any:
        """What comes of an event that stands in a text."""
        try:
            raw = parse(document)
        except DecodeError as error:
            return malformed(state.time, error.path)
        return self.receipt(state, raw)

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
