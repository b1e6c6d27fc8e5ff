"""Vectors played in forked children, for an engine that lives in this process: several at a time, and apart from it."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING

from clearspec_conformance.engines import GRACE
from clearspec_conformance.formats import Implementation, Verdict
from clearspec_conformance.playing import result
from clearspec_conformance.suite import Entry
from clearspec_conformance.verdicts import Result

if TYPE_CHECKING:
    from clearspec_conformance.runner import Run


@dataclass(slots=True)
class Share:
    """What one child plays: its process, the pipe of its results, vectors without one, when it must have spoken."""

    process: ForkProcess
    pipe: Connection
    left: list[Entry]
    deadline: float


def play_shares(run: Run, entries: Sequence[Entry], count: int) -> None:
    """Play vectors in children, every ``count``-th in the same one."""
    shares = [_begun(run, list(entries[place::count])) for place in range(count)]
    try:
        while shares and not run.stopped:
            soonest = min(share.deadline for share in shares)
            ready = wait([share.pipe for share in shares], max(0.0, soonest - time.monotonic()))
            for share in [share for share in shares if share.pipe in ready or share.deadline < time.monotonic()]:
                shares.remove(share)
                shares += _after(run, share)
    finally:
        for share in shares:
            _end(share)


def _patience(run: Run) -> float:
    """Seconds in which a child must have told a result: it may start an engine and play a vector twice."""
    return run.settings.start_timeout + 2 * run.settings.terms.timeout + GRACE


def _begun(run: Run, entries: list[Entry]) -> Share:
    """A child that plays vectors."""
    context = get_context("fork")
    theirs, ours = context.Pipe(duplex=False)
    process = context.Process(target=_play, args=(run, entries, ours), daemon=True)
    process.start()
    ours.close()
    return Share(process, theirs, entries, time.monotonic() + _patience(run))


def _play(run: Run, entries: Sequence[Entry], pipe: Connection) -> None:
    """Play vectors, tell each result, and at the end who the engine was; an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = replace(run, queue=deque(entries), results={}, sessions=set(), tell=pipe.send)
    try:
        own.work()
    finally:
        own.stop()
    pipe.send(own.implementation)


def _after(run: Run, share: Share) -> list[Share]:
    """Take in what a child has told; returns the share that there still is, if any."""
    try:
        told = share.pipe.recv() if share.pipe.poll() else None
    except EOFError:
        return _lost(run, share, Verdict.ERRORED, "the engine ended the process that it ran in")
    if told is None:
        return _lost(run, share, Verdict.HUNG, "no answer in time")
    if isinstance(told, Result):
        share.left.pop(0)
        share.deadline = time.monotonic() + _patience(run)
        run.note(told)
        return [share]
    assert isinstance(told, Implementation)
    run.implementation = told
    _end(share)
    return []


def _lost(run: Run, share: Share, verdict: Verdict, why: str) -> list[Share]:
    """The vector that a child was at when it was lost gets the verdict; another child plays those after it."""
    _end(share)
    if not share.left:
        return []
    run.note(result(share.left[0], verdict, why))
    return [_begun(run, share.left[1:])] if share.left[1:] else []


def _end(share: Share) -> None:
    """End a child, by force if vectors are left, and its pipe."""
    if share.left:
        share.process.kill()
    share.process.join()
    share.pipe.close()
