"""The doors through which an engine is reached: in this process, or a command over stdin and stdout."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from types import FrameType
from typing import Any

from clearspec.codec import DecodeError
from clearspec_command.display import plain
from clearspec_command.failures import BadInput
from clearspec_conformance.formats import Verdict
from clearspec_conformance.protocol import LONGEST_LINE, parsed, written
from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import Handler, made

REFERENCE = "reference"
PYTHON = "python:"

MOST_STDERR = 16 * 2**10
"""Bytes of an engine's standard error that are kept, the last ones."""

MOST_RECEIVED = 300
"""Characters shown of an answer that is none."""

GRACE = 2.0
"""Seconds that an engine has to end after ``bye``."""

TICK = 0.1
"""Seconds after which a silent engine is looked at: a child of a dead one may hold its output open."""

CHUNK = 2**16


class Trouble(Exception):
    """The engine gave no usable answer: errored or hung, and what was received instead."""

    def __init__(self, verdict: Verdict, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


def errored(message: str, received: bytes = b"") -> Trouble:
    """Trouble of an engine that broke the protocol or ended."""
    if not received:
        return Trouble(Verdict.ERRORED, message)
    head = plain(received[: 4 * MOST_RECEIVED].decode("utf-8", "replace"), MOST_RECEIVED)
    return Trouble(Verdict.ERRORED, f"{message}; received: {head}")


def hung() -> Trouble:
    """Trouble of an engine that did not answer in time."""
    return Trouble(Verdict.HUNG, "no answer in time")


class Door(ABC):
    """A way to an engine. After a ``Trouble`` it is not to be used again."""

    @property
    @abstractmethod
    def last(self) -> bytes:
        """The last answer as it came."""

    @abstractmethod
    def exchange(self, request: dict[str, Any], deadline: float) -> Any:
        """Send a request and return the document of the answer.

        Raises:
            Trouble: there is none by the deadline (of ``time.monotonic``).
        """

    @contextmanager
    def watched(self, deadline: float) -> Iterator[None]:
        """A block of exchanges that all end by the deadline.

        Raises:
            Trouble: they do not.
        """
        yield

    @abstractmethod
    def close(self, deadline: float) -> None:
        """End the engine, well if it ends by the deadline, else by force."""

    def heard(self) -> str:
        """What the engine wrote to standard error since this was last asked, cut to its end."""
        return ""


class _TimeIsUp(BaseException):
    """Interrupts an engine in this process; no ``except Exception`` of the engine stops it."""


@contextmanager
def _alarm(deadline: float) -> Iterator[None]:
    """Interrupt the block at the deadline; only in the main thread, elsewhere it runs on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline - time.monotonic()))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class InProcess(Door):
    """An engine in this process. It can be interrupted while it runs Python, but not isolated.

    With ``lines`` requests and answers go through the text that a pipe would carry, so that what an engine does to its
    objects, or puts into an answer that is no document, is judged as it would be there.
    """

    def __init__(self, make: Callable[[], Handler], lines: bool = True) -> None:
        self.lines = lines
        self.armed = False
        self.answered: Any = None
        try:
            self.engine = make()
        except Exception as error:
            raise errored(f"the engine cannot be made: {type(error).__name__}: {error}") from None

    @property
    def last(self) -> bytes:
        """The last answer."""
        return repr(self.answered).encode("utf-8", "replace")

    @contextmanager
    def watched(self, deadline: float) -> Iterator[None]:
        """Interrupt whatever runs at the deadline. One alarm for a whole vector: it costs as much as an event."""
        self.armed = True
        try:
            with _alarm(deadline):
                yield
        except _TimeIsUp:
            raise hung() from None
        finally:
            self.armed = False

    def exchange(self, request: dict[str, Any], deadline: float) -> Any:
        """Call the engine."""
        with nullcontext() if self.armed else self.watched(deadline):
            try:
                with redirect_stdout(sys.stderr):
                    asked = parsed(written(request)) if self.lines else request
                    answer = self.engine.handle(asked)
                    self.answered = parsed(written(answer)) if self.lines else answer
                return self.answered
            except (Exception, SystemExit) as error:
                raise errored(f"raised {type(error).__name__}: {error}") from None

    def close(self, deadline: float) -> None:
        """Nothing to end."""


class Stdio(Door):
    """A command in a process group of its own, spoken to in lines; reads, writes and memory are bounded."""

    def __init__(self, command: Sequence[str], longest: int = LONGEST_LINE) -> None:
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            hint = " (a Python class is python:MODULE:CLASS)" if ":" in command[0] else ""
            raise BadInput(f"--impl: {command[0]} cannot be started: {error.strerror or error}{hint}") from None
        pipes = (self.process.stdin, self.process.stdout, self.process.stderr)
        self.stdin, self.stdout, self.stderr = (pipe.fileno() for pipe in pipes if pipe is not None)
        self.longest = longest
        self.line = b""
        self.received = bytearray()
        self.errors = bytearray()
        self.ended = False
        self.selector = selectors.DefaultSelector()
        for pipe in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(pipe, False)
        for pipe in (self.stdout, self.stderr):
            self.selector.register(pipe, selectors.EVENT_READ)

    @property
    def last(self) -> bytes:
        """The last line."""
        return self.line

    def exchange(self, request: dict[str, Any], deadline: float) -> Any:
        """Send one line and read one."""
        if self.received:
            raise errored("wrote without being asked", bytes(self.received))
        data = self.line = self._line_after(written(request), deadline)
        try:
            answer = parsed(data, self.longest)
        except DecodeError as error:
            raise errored(f"answered what is not one JSON line: {error}", data) from None
        if self.received:
            raise errored("wrote more than one line for an answer", bytes(self.received))
        return answer

    def _line_after(self, pending: bytes, deadline: float) -> bytes:
        """Write all of ``pending`` and read until one whole line has come."""
        searched, found = 0, -1
        self.selector.register(self.stdin, selectors.EVENT_WRITE)
        try:
            while pending or found < 0:
                self._require_more(deadline)
                pending = self._turn(pending, deadline)
                found = self.received.find(b"\n", searched) if found < 0 else found
                searched = len(self.received)
        finally:
            with suppress(KeyError):
                self.selector.unregister(self.stdin)
        line = bytes(self.received[: found + 1])
        if len(line) > self.longest:
            raise errored(f"answered a line of more than {self.longest} bytes", line)
        del self.received[: found + 1]
        return line

    def _require_more(self, deadline: float) -> None:
        """Raise unless more may come: the line is not too long, the engine there, time left."""
        if len(self.received) > self.longest:
            raise errored(f"answered a line of more than {self.longest} bytes", bytes(self.received[:CHUNK]))
        if self.ended:
            raise errored(self._ending(), bytes(self.received[:CHUNK]))
        if time.monotonic() >= deadline:
            raise hung()

    def _turn(self, pending: bytes, deadline: float) -> bytes:
        """Wait for a pipe and serve it; returns what is still to be written."""
        ready = self.selector.select(max(0.0, min(TICK, deadline - time.monotonic())))
        if not ready and self._has_ended(0.0):
            self.ended = True
        for key, _ in ready:
            if key.fd == self.stdin:
                pending = self._write(pending)
            elif key.fd == self.stdout:
                self._read_answer()
            else:
                self._read_errors()
        return pending

    def _write(self, pending: bytes) -> bytes:
        """Write what the pipe takes; a pipe that is closed or has everything is waited for no more."""
        try:
            pending = pending[os.write(self.stdin, pending[:CHUNK]) :]
        except BlockingIOError:
            return pending
        except OSError:
            pending = b""
        if not pending:
            self.selector.unregister(self.stdin)
        return pending

    def _read_answer(self) -> None:
        """Take what stands in standard output."""
        data = _read(self.stdout)
        if data is None:
            return
        self.received += data
        if not data:
            self.selector.unregister(self.stdout)
            self.ended = True

    def _read_errors(self) -> None:
        """Take what stands in standard error, and keep its end."""
        data = _read(self.stderr)
        if data is None:
            return
        self.errors += data
        del self.errors[:-MOST_STDERR]
        if not data:
            self.selector.unregister(self.stderr)

    def _ending(self) -> str:
        """How an engine that closed its output ended."""
        if not self._has_ended(time.monotonic() + GRACE / 4):
            return "closed its standard output"
        status = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if status is None or status.si_code == os.CLD_EXITED:
            return f"ended with exit code {0 if status is None else status.si_status}"
        return f"was ended by signal {signal.Signals(status.si_status).name}"

    def _has_ended(self, deadline: float) -> bool:
        """Whether the process ends by the deadline; it stays unreaped, so that its group keeps its number."""
        while os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True

    def heard(self) -> str:
        """The end of what was written to standard error."""
        if self.stderr in (self.selector.get_map() or {}):
            self._read_errors()
        text = bytes(self.errors).decode("utf-8", "replace")
        self.errors.clear()
        return text

    def close(self, deadline: float) -> None:
        """Close the engine's input, wait for it, then end what is left of its process group."""
        if self.process.returncode is not None:
            return
        self.selector.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._has_ended(deadline)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def _read(pipe: int) -> bytes | None:
    """What stands in a pipe: nothing yet is ``None``, nothing any more is empty."""
    try:
        return os.read(pipe, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


Opener = Callable[[], Door]


def opener(implementation: str, longest: int = LONGEST_LINE) -> Opener:
    """How to open the engine that ``--impl`` names.

    Raises:
        BadInput: it names none.
    """
    if implementation == REFERENCE:
        return lambda: InProcess(Reference, lines=False)
    if implementation.startswith(PYTHON):
        place = implementation.removeprefix(PYTHON)
        try:
            made(place)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise BadInput(f"--impl {implementation}: {error}") from None
        return lambda: InProcess(lambda: made(place))
    try:
        command = shlex.split(implementation)
    except ValueError as error:
        raise BadInput(f"--impl {implementation}: {error}") from None
    if not command:
        raise BadInput("--impl: expected reference, python:MODULE:CLASS or a command")
    return lambda: Stdio(command, longest)


def in_process(implementation: str) -> bool:
    """Whether ``--impl`` names an engine in this process."""
    return implementation == REFERENCE or implementation.startswith(PYTHON)
