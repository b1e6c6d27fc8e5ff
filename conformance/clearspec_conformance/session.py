"""A conversation with one running engine: requests and answers are documents, decoded where they must be judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clearspec.codec import DecodeError, encode
from clearspec_conformance.engines import Door, Opener, Trouble, errored
from clearspec_conformance.formats import Implementation
from clearspec_conformance.protocol import (
    ERROR,
    EngineError,
    ErrorCode,
    Hello,
    Line,
    Protocol,
    answer_body,
    taken_apart,
)

LOAD = "load"


class NotImplementedByEngine(Exception):
    """The engine lacks what it was asked for."""


class RefusedByEngine(Exception):
    """The engine refuses to start from what it was given; ``rule`` is empty if it names none."""

    def __init__(self, message: str, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


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
            found = self.ask("hello", encode(Hello(Protocol.V1)), deadline)
        except NotImplementedByEngine as error:
            raise errored(f"does not speak {Protocol.V1.value}: {error}") from None
        return Implementation(found.name, found.version, found.language, found.features)

    @contextmanager
    def watched(self, deadline: float) -> Iterator[None]:
        """A block of requests that all end by the deadline.

        Raises:
            Trouble: they do not, or one of them has no usable answer.
        """
        try:
            with self.door.watched(deadline):
                yield
        except Trouble:
            self.broken = True
            raise

    def claims(self, feature: str) -> bool:
        """Whether the engine claims a feature."""
        return feature in self.implementation.features

    def ask(self, message: str, body: dict[str, Any], deadline: float) -> Any:
        """The body of the answer to a request, as a record.

        Raises:
            NotImplementedByEngine, RefusedByEngine: the engine says so.
            Trouble: it gives no usable answer by the deadline.
        """
        return self.fitting(self.answer(message, body, deadline))

    def answer(self, message: str, body: dict[str, Any], deadline: float) -> Line:
        """The answer to a request, its body still a document.

        Raises:
            NotImplementedByEngine, RefusedByEngine: the engine says so.
            Trouble: there is no answer to this request by the deadline, or another error.
        """
        try:
            return self._answer(message, body, deadline)
        except Trouble:
            self.broken = True
            raise

    def _answer(self, message: str, body: dict[str, Any], deadline: float) -> Line:
        """Ask, and take the answer apart."""
        self.count += 1
        identifier = str(self.count)
        raw = self.door.exchange({"id": identifier, message: body}, deadline)
        try:
            answered = taken_apart(raw, (message, ERROR))
        except DecodeError as error:
            raise self._misfit(message, error) from None
        if answered.id != identifier:
            raise errored(f"answered request {answered.id}, not request {identifier}")
        if answered.message == ERROR:
            self._raise(message, self.fitting(answered))
        return answered

    def _raise(self, message: str, error: EngineError) -> None:
        """Raise what an error answer means."""
        if error.code == ErrorCode.NOT_IMPLEMENTED:
            raise NotImplementedByEngine(error.message)
        if error.code == ErrorCode.REFUSED and message == LOAD:
            raise RefusedByEngine(error.message, error.rule)
        raise errored(f"answered {message} with the error {error.code.value}: {error.message}")

    def _misfit(self, message: str, error: DecodeError) -> Trouble:
        """The trouble of an answer that is none of the protocol."""
        return errored(f"answered {message} with what does not fit: {error}", self.door.last)

    def fitting(self, answered: Line) -> Any:
        """The body of an answer as a record.

        Raises:
            Trouble: it does not fit.
        """
        try:
            return answer_body(answered.message, answered)
        except DecodeError as error:
            self.broken = True
            raise self._misfit(answered.message, error) from None

    def load(self, body: dict[str, Any], deadline: float) -> None:
        """Start again from the genesis, the document of one, or the full snapshot in the body."""
        self.ask(LOAD, body, deadline)

    def applied(self, body: dict[str, Any], deadline: float) -> Line:
        """Apply the events, or the document of one, in the body; the answer, still a document."""
        return self.answer("apply", body, deadline)

    def receipts(self, answered: Line, count: int) -> Any:
        """The receipts of an answer to ``apply``, one for each of ``count`` events."""
        found = self.fitting(answered).receipts
        if len(found) != count:
            self.broken = True
            raise errored(f"answered {count} events with {len(found)} receipts")
        return found

    def seen(self, root: bool, deadline: float) -> Line:
        """The observable snapshot, and the state root if it is asked for; the answer is still a document."""
        return self.answer("snapshot", {"root": root}, deadline)

    def heard(self) -> str:
        """What the engine wrote to standard error since this was last asked."""
        return self.door.heard()

    def end(self, deadline: float) -> None:
        """Say bye, then make sure that the engine is gone."""
        try:
            self.ask("bye", {}, deadline)
        except (Trouble, NotImplementedByEngine):
            deadline = 0.0
        self.door.close(deadline)

    def kill(self) -> None:
        """End the engine at once."""
        self.door.close(0.0)
