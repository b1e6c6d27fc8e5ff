"""A whole log: one pass from its beginning, or its segments between snapshots side by side with the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from clearspec.codec import DecodeError
from clearspec.events import Genesis
from clearspec.listing import build
from clearspec.snapshot import restore
from clearspec.state import State
from clearspec_conformance.audit.auditor import Auditor
from clearspec_conformance.audit.formats import LogFault
from clearspec_conformance.audit.lines import SNAPSHOT_MARK, Translator, header_of, is_header
from clearspec_conformance.audit.problems import BadLog, Place, undecoded
from clearspec_conformance.audit.reading import Item, Layout, Source, Start, next_line, opened
from clearspec_conformance.audit.tallies import Tally, joined

TELL_EVERY = 512
"""Lines between two words about the progress."""

BEGINNING = "a header with a genesis, or a snapshot, to begin with"

Tell = Callable[[int, Tally], None]
"""Is told how far reading has come (bytes of the text, or rows), and what was counted so far."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log and how it is read and judged."""

    path: Path
    layout: Layout
    translator: Translator
    going_on: bool = False

    @property
    def source(self) -> Source:
        """Its lines."""
        return Source(self.path, self.layout, self.translator.decode)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a log. ``inside``: it begins at a line with a snapshot, of which the line itself is no part.

    It ends with the line ``last`` (0: with the log).
    """

    start: Start = Start()  # noqa: RUF009
    inside: bool = False
    last: int = 0


def ignored(end: int, tally: Tally) -> None:
    """Tell nobody."""


def audit_segment(log: Log, segment: Segment, tell: Tell = ignored) -> Tally:
    """Audit a segment; whatever is wrong with the log stands in the result."""
    auditor: Auditor | None = None
    items = log.source.items(segment.start)
    try:
        auditor, items = begun(log, items, segment.inside)
        for item in items:
            take(log, auditor, item)
            if auditor.done or item.place.line == segment.last:
                break
            if item.place.line % TELL_EVERY == 0:
                tell(item.end, auditor.tally)
    except BadLog as error:
        tally = Tally(lost=segment.inside) if auditor is None else auditor.tally
        tally.stop = error.stop
        return tally
    return auditor.tally


def take(log: Log, auditor: Auditor, item: Item) -> None:
    """Audit a line.

    Raises:
        BadLog: it cannot be judged.
    """
    auditor.tally.lines += 1
    line = log.translator.line(item.document, item.place, auditor.tally.census)
    if line is None:
        auditor.tally.skipped += 1
    else:
        auditor.take(line, item.place)


def begun(log: Log, items: Iterator[Item], inside: bool) -> tuple[Auditor, Iterator[Item]]:
    """An auditor with the state in which a segment begins, and the lines that are left.

    Raises:
        BadLog: the log does not begin with a state.
    """
    first = next(items, None)
    if first is None:
        raise BadLog(LogFault.TRUNCATED, Place(1, 0), f"the log is empty: expected {BEGINNING}")
    if inside:
        return Auditor(snapshot_state(log.translator, first), log.going_on), items
    auditor, used = begun_at(log, first)
    return auditor, items if used else chain((first,), items)


def begun_at(log: Log, first: Item) -> tuple[Auditor, bool]:
    """An auditor with the state in which a log begins whose first line this is, and whether the line is used up.

    Raises:
        BadLog: the log does not begin with a state.
    """
    given = log.translator.genesis()
    if given is not None:
        return Auditor(first_state(given, first.place), log.going_on), False
    if is_header(first.document):
        state = first_state(header_of(first.document, first.place), first.place)
    else:
        state = snapshot_state(log.translator, first)
    auditor = Auditor(state, log.going_on)
    auditor.tally.lines = 1
    return auditor, True


def first_state(genesis: Genesis, place: Place) -> State:
    """The state of a genesis.

    Raises:
        BadLog: it cannot be built.
    """
    try:
        return build(genesis)
    except ValueError as error:
        raise BadLog(LogFault.MALFORMED, place, f"$.genesis: {error}") from None


def snapshot_state(translator: Translator, item: Item) -> State:
    """The state of the snapshot in a line.

    Raises:
        BadLog: the line has none that can be restored.
    """
    document = item.document
    foreign = not translator.name and not (isinstance(document, dict) and "snapshot" in document)
    try:
        line = None if foreign else translator.line(document, item.place)
    except BadLog as error:
        if error.fault != LogFault.UNMAPPED:
            raise
        line = None
    if line is None or line.snapshot is None:
        named = f'; {translator.name} names no genesis file: `[log] genesis = "FILE"`' if translator.name else ""
        hint = " (a log in other names than the kit's is read through --mapping)" if foreign else named
        raise BadLog(LogFault.MALFORMED, item.place, f"expected {BEGINNING}{hint}")
    try:
        return restore(line.snapshot)
    except DecodeError as error:
        raise undecoded(error.inside("$.snapshot"), item.place) from None


# Segments side by side


def snapshot_starts(log: Log) -> Iterator[Start]:
    """Where lines begin that seem to hold a snapshot; ends where the log cannot be read on."""
    with suppress(BadLog):
        if log.layout == Layout.PARQUET:
            from clearspec_conformance.audit.parquet import marked_rows

            yield from (Start(row - 1) for row in marked_rows(log.path, log.translator.snapshot_column))
            return
        number, byte = 0, 0
        with opened(log.path, log.layout) as stream:
            while data := next_line(stream, Place(number + 1, byte)):
                if SNAPSHOT_MARK in data:
                    yield Start(number, byte)
                number, byte = number + 1, byte + len(data)


def segments_of(starts: Sequence[Start], pieces: int) -> list[Segment]:
    """So many segments, or as many as there are snapshots, with a like number of snapshots each.

    A segment goes from the first line, or from a snapshot, to the line with the snapshot of the next one.
    """
    later = [start for start in starts if start.line > 0]
    stretches = len(later) + 1
    ends = [later[max(0, stretches * piece // pieces - 1)] for piece in range(1, pieces)] if later else []
    chosen = [Start(), *dict.fromkeys(ends)]
    lasts = [start.line + 1 for start in chosen[1:]] + [0]
    return [Segment(start, start.line > 0, last) for start, last in zip(chosen, lasts, strict=True)]


def audit(log: Log, executor: Executor | None = None, pieces: int = 1, tell: Tell = ignored) -> Tally:
    """Audit a whole log, in one pass or in about so many segments on an executor; the result is the same.

    Raises:
        BadInput: the file cannot be opened.
    """
    segments = [Segment()] if executor is None or pieces < 2 else segments_of(list(snapshot_starts(log)), pieces)
    if executor is None or len(segments) == 1:
        return audit_segment(log, segments[0], tell)
    futures = [executor.submit(audit_segment, log, segment) for segment in segments]
    try:
        return joined([tally for tally, _ in collected(log, segments, futures, tell)])
    finally:
        for future in futures:
            future.cancel()


def collected(
    log: Log, segments: Sequence[Segment], futures: Sequence[Future[Tally]], tell: Tell
) -> list[tuple[Tally, Segment]]:
    """The counts of the segments in order, up to the one in which one pass would have ended.

    A segment whose snapshot cannot be restored is audited together with the one before it.
    """
    found: list[tuple[Tally, Segment]] = []
    ends = [segment.start for segment in segments[1:]] + [segments[-1].start]
    for segment, future, end in zip(segments, futures, ends, strict=True):
        tally = future.result()
        if tally.lost and found:
            _, before = found.pop()
            segment = replace(before, last=segment.last)
            tally = audit_segment(log, segment)
        found.append((tally, segment))
        tell(end.byte or end.line, joined([part for part, _ in found]))
        if tally.stop is not None or (tally.findings and not log.going_on):
            break
    return found
