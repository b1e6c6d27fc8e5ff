"""Logs as files: the records of a log as its lines, and the log of a replay of real history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from clearspec.codec import canonical_bytes
from clearspec.events import Action, Event, Genesis, Receipt
from clearspec.formats import LogFormat, LogHeader, LogLine, receipt_record
from clearspec.machine import apply
from clearspec.snapshot import observable, snapshot
from clearspec.state import State
from clearspec_conformance.injected.logs import Checkpoint, Record
from clearspec_conformance.replay import Replay


def line_bytes(record: Record) -> bytes:
    """A header, an event with its receipt, or a full snapshot, as a line with its line feed."""
    document = {"snapshot": record.document} if isinstance(record, Checkpoint) else record
    return canonical_bytes(document) + b"\n"


def genesis_of(state: State) -> Genesis:
    """The genesis that a first state was built from."""
    return Genesis(
        state.time,
        state.administrators,
        state.venues,
        tuple(state.assets.values()),
        tuple(feed.parameters for feed in state.feeds.values()),
        tuple(state.pools.values()),
        tuple(market.listing for market in state.markets.values()),
    )


@dataclass
class WrittenReplay(Replay):
    """A replay that writes its log, after every so many events with an observable and a full snapshot."""

    every: int = 1_000
    lines: list[bytes] = field(default_factory=list)

    def send(self, actor: str, action: Action) -> Receipt:
        """Apply an action as the next event and write it down."""
        self.sequence += 1
        event = Event(f"r{self.sequence}", self.sequence, self.time, actor, action)
        receipt = apply(self.state, event)
        self.counts[f"{receipt.action}: {receipt.reason or 'accepted'}"] += 1
        self.receipts.append(receipt)
        due = self.sequence % self.every == 0
        seen = observable(self.state) if due else None
        self.lines.append(line_bytes(LogLine(event, receipt_record(receipt), seen)))
        if due:
            self.lines.append(line_bytes(Checkpoint(self.sequence, snapshot(self.state))))
        return receipt

    def written(self) -> Iterator[bytes]:
        """The lines of the log, while the history is played."""
        yield line_bytes(LogHeader(LogFormat.V1, genesis_of(self.state)))
        for _ in self:
            yield from self.lines
            self.lines.clear()
        yield from self.lines
