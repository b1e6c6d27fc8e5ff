"""Replay of an engine's own log against the reference, up to the first divergence."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clearspec.codec import LONGEST_DOCUMENT, DecodeError, decode, encode, parse
from clearspec.events import Receipt
from clearspec.formats import LogHeader, LogLine, ReceiptRecord, receipt_record
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.snapshot import observable
from clearspec.state import State
from clearspec_command.failures import BadInput
from clearspec_conformance.formats import Implementation, Verdict
from clearspec_conformance.playing import Terms, headline, observable_differences
from clearspec_conformance.runner import RunResult
from clearspec_conformance.verdicts import MOST_DIFFERENCES, Difference, Failure, Result, differences

LOG = Implementation("log", "", "", ())


@dataclass(slots=True)
class Log:
    """A log being read: each line is bounded, counted and hashed."""

    path: Path
    count: int = 0
    hash: Any = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[Any]:
        """The document of each line."""
        try:
            with self.path.open("rb") as stream:
                while data := stream.readline(LONGEST_DOCUMENT + 1):
                    self.count += 1
                    self.hash.update(data)
                    yield self._document(data)
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be read: {error.strerror or error}") from None

    def _document(self, data: bytes) -> Any:
        """The document of a line."""
        try:
            return parse(data)
        except DecodeError as error:
            raise self.refused(error) from None

    def decoded(self, kind: Any, raw: Any) -> Any:
        """The record of a line."""
        try:
            return decode(kind, raw)
        except DecodeError as error:
            raise self.refused(error) from None

    def refused(self, error: Exception) -> BadInput:
        """The line that was read last is not as it must be."""
        return BadInput(f"{self.path}: line {self.count}: {error}")


def in_our_words(raw: Any, terms: Terms) -> Any:
    """A raw log line with the engine's reason replaced by ours."""
    if isinstance(raw, dict) and isinstance(raw.get("receipt"), dict):
        reason = raw["receipt"].get("reason")
        if isinstance(reason, str) and reason in terms.reasons:
            raw["receipt"]["reason"] = terms.reasons[reason].value
    return raw


def parts(receipt: ReceiptRecord, receipts: bool) -> dict[str, Any]:
    """The parts of a receipt that are compared."""
    names = ["id", "sequence", "status", "reason"] + (["amounts", "postings"] if receipts else [])
    return {name: encode(getattr(receipt, name)) for name in names}


def line_differences(state: State, line: LogLine, wanted: Receipt, receipts: bool) -> tuple[Difference, ...]:
    """Where a line differs from what the reference says of its event."""
    pair = parts(receipt_record(wanted), receipts), parts(line.receipt, receipts)
    found = tuple(differences(pair[0], pair[1], "$.receipt"))
    if line.observable is not None:
        found += observable_differences(observable(state), line.observable)
    return found[:MOST_DIFFERENCES]


def first_divergence(log: Log, terms: Terms, receipts: bool) -> tuple[int, Failure | None]:
    """How many events were replayed, and the first that diverges."""
    lines = iter(log)
    header: LogHeader = log.decoded(LogHeader, next(lines, None))
    try:
        state = build(header.genesis)
    except ValueError as error:
        raise log.refused(error) from None
    count = 0
    for count, raw in enumerate(lines, start=1):
        line: LogLine = log.decoded(LogLine, in_our_words(raw, terms))
        wanted = apply(state, line.event)
        found = line_differences(state, line, wanted, receipts)
        if found:
            record = receipt_record(wanted)
            rule = record.rule or line.receipt.rule or "EVENT-13"
            note = f"line {log.count} of the log; the lines up to it show the divergence"
            return count, Failure(count, rule, found, (encode(line.event),), note)
    return count, None


def replay(path: Path, terms: Terms, receipts: bool) -> RunResult:
    """Replay a log.

    Raises:
        BadInput: the file is no log.
    """
    started = time.monotonic()
    log = Log(path)
    count, failure = first_divergence(log, terms, receipts)
    seconds = time.monotonic() - started
    verdict = Verdict.PASSED if failure is None else Verdict.FAILED
    why = f"{count} events replayed" if failure is None else headline(failure)
    rules = () if failure is None else (failure.rule,)
    found = Result(path.name, "log", rules, log.hash.hexdigest(), verdict, why, failure, "", seconds)
    return RunResult(LOG, [found], 0, seconds)
