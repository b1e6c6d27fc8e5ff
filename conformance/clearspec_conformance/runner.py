"""The runner: plays vectors on one or several engine processes, restarts those that die or hang, and goes on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clearspec_conformance.engines import GRACE, Opener, Trouble
from clearspec_conformance.formats import Implementation, Verdict
from clearspec_conformance.playing import Terms, play, result
from clearspec_conformance.session import Session
from clearspec_conformance.suite import Entry
from clearspec_conformance.verdicts import Result

MOST_FAILED_STARTS = 3
"""Starts in a row that may fail; after that the rest of the vectors is errored without another try."""

UNKNOWN = Implementation("unknown", "", "", ())


@dataclass(slots=True)
class Settings:
    """How a run goes; ``forked``: several jobs are children of this process, for the engine has none of its own."""

    terms: Terms = field(default_factory=Terms)
    start_timeout: float = 30.0
    jobs: int = 1
    fail_fast: bool = False
    forked: bool = False


@dataclass(slots=True)
class RunResult:
    """What came of a run: the engine as it introduced itself, results in the suite's order, vectors not run."""

    implementation: Implementation
    results: list[Result]
    not_run: int
    seconds: float


Tell = Callable[[Result], None]


@dataclass(slots=True)
class Run:
    """A run in progress. Workers share the queue; each has an engine of its own."""

    open_door: Opener
    settings: Settings
    tell: Tell
    queue: deque[Entry]
    lock: threading.Lock = field(default_factory=threading.Lock)
    results: dict[str, Result] = field(default_factory=dict)
    sessions: set[Session] = field(default_factory=set)
    implementation: Implementation = UNKNOWN
    failed_starts: int = 0
    last_failure: str = ""
    stopped: bool = False

    def next_entry(self) -> Entry | None:
        """The next vector, unless the run is stopped or done."""
        with self.lock:
            return None if self.stopped or not self.queue else self.queue.popleft()

    def note(self, found: Result) -> None:
        """Take a result in, and stop the run at the first bad one if that is wanted."""
        with self.lock:
            if self.stopped and self.settings.fail_fast:
                return
            self.results[found.id] = found
            self.stopped = self.stopped or (self.settings.fail_fast and found.bad)
            self.tell(found)

    def start(self) -> Session:
        """A new engine.

        Raises:
            Trouble: it does not start, or too many before did not.
        """
        if self.failed_starts >= MOST_FAILED_STARTS:
            raise Trouble(Verdict.ERRORED, f"not started again after {MOST_FAILED_STARTS} tries: {self.last_failure}")
        try:
            session = Session(self.open_door, time.monotonic() + self.settings.start_timeout)
        except Trouble as trouble:
            with self.lock:
                self.failed_starts, self.last_failure = self.failed_starts + 1, str(trouble)
            raise
        with self.lock:
            self.failed_starts = 0
            self.sessions.add(session)
            self.implementation = session.implementation
        return session

    def drop(self, session: Session | None) -> None:
        """End an engine that is of no more use."""
        if session is not None:
            with self.lock:
                self.sessions.discard(session)
            session.kill()

    def attempt(self, session: Session | None, entry: Entry) -> tuple[Session | None, Result]:
        """Play one vector, on a new engine if there is none; after trouble there is none."""
        started = time.monotonic()
        try:
            session = session or self.start()
            found = play(session, entry, self.settings.terms)
        except Trouble as trouble:
            heard = session.heard() if session is not None else ""
            self.drop(session)
            seconds = time.monotonic() - started
            return None, result(entry, trouble.verdict, str(trouble), stderr=heard, seconds=seconds)
        if session.broken:
            self.drop(session)
            return None, found
        return session, found

    def work(self) -> None:
        """Play vectors until there are no more."""
        session: Session | None = None
        while (entry := self.next_entry()) is not None:
            session, found = self.attempt(session, entry)
            self.note(found)
        if session is not None:
            with self.lock:
                self.sessions.discard(session)
            session.end(time.monotonic() + GRACE)

    def stop(self) -> None:
        """End every engine that still runs."""
        with self.lock:
            self.stopped = True
            left, self.sessions = self.sessions, set()
        for session in left:
            session.kill()


def ignored(found: Result) -> None:
    """Tell nobody."""


def begun(open_door: Opener, settings: Settings, entries: Sequence[Entry] = (), tell: Tell = ignored) -> Run:
    """A run of which nothing has been played yet."""
    return Run(open_door, settings, tell, deque(entries))


def run(entries: Sequence[Entry], open_door: Opener, settings: Settings, tell: Tell = ignored) -> RunResult:
    """Play vectors on an engine.

    Raises:
        BadInput: the engine's command cannot be started at all.
    """
    started = time.monotonic()
    state = begun(open_door, settings, entries, tell)
    try:
        if settings.jobs == 1:
            state.work()
        elif settings.forked:
            from clearspec_conformance.children import play_shares

            play_shares(state, entries, settings.jobs)
        else:
            _in_parallel(state)
    finally:
        state.stop()
    results = [state.results[entry.id] for entry in entries if entry.id in state.results]
    return RunResult(state.implementation, results, len(entries) - len(results), time.monotonic() - started)


def _in_parallel(state: Run) -> None:
    """Several workers; the first error of one ends all."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(state.settings.jobs) as pool:
        workers = [pool.submit(state.work) for _ in range(state.settings.jobs)]
        try:
            for worker in workers:
                worker.result()
        except BaseException:
            state.stop()
            raise
