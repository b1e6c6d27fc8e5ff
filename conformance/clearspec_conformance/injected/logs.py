"""Long logs that the reference writes, and the same logs as a faulty engine would have written them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clearspec.formats import LogHeader, LogLine, receipt_record
from clearspec.listing import build
from clearspec.snapshot import observable, restore, snapshot
from clearspec_conformance.injected.faults import KINDS
from clearspec_conformance.injected.machine import Faulty


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The full snapshot (EVENT-12) after the event of a number; the first event of a log has number 1."""

    step: int
    document: dict[str, Any]


Record = LogHeader | LogLine | Checkpoint
"""A part of a log: the header first, then lines, with snapshots between them."""


class FaultyLog:
    """A right log as a faulty engine would have written it; ``fired_at`` is the first wrong line once it has passed.

    It may start in the middle: at the checkpoint after which the records given go on.
    """

    def __init__(
        self, kind: str, log: Iterable[Record], at: int, seed: int = 0, start: Checkpoint | None = None
    ) -> None:
        self.log, self.options = log, (KINDS[kind], at, seed)
        self.machine = None if start is None else self._machine(restore(start.document), start.step)

    @property
    def fired_at(self) -> int | None:
        """Number of the first event whose receipt is wrong; ``None`` as long as there is none."""
        return None if self.machine is None else self.machine.fired_at

    def _machine(self, state: Any, step: int) -> Faulty:
        kind, at, seed = self.options
        return Faulty(kind, state, at, seed, step)

    def __iter__(self) -> Iterator[Record]:
        """The records, wrong from ``fired_at`` on."""
        for record in self.log:
            if isinstance(record, LogHeader):
                self.machine = self._machine(build(record.genesis), 0)
                yield record
            else:
                yield self._after(record)

    def _after(self, record: LogLine | Checkpoint) -> LogLine | Checkpoint:
        """What the faulty engine writes in the place of a record."""
        if self.machine is None:
            raise ValueError("a log begins with its header, or goes on after a checkpoint")
        if isinstance(record, Checkpoint):
            return Checkpoint(record.step, snapshot(self.machine.state))
        receipt = receipt_record(self.machine.apply(record.event))
        seen = None if record.observable is None else observable(self.machine.state)
        return LogLine(record.event, receipt, seen)


def faulty_log(kind: str, log: Iterable[Record], at: int, seed: int = 0, start: Checkpoint | None = None) -> FaultyLog:
    """A right log as the engine of a kind would have written it, whose fault fires once at event ``at`` or after.

    Iterate the result for its records; afterwards its ``fired_at`` is the number of the first wrong line.

    Raises:
        KeyError: there is no such kind.
    """
    return FaultyLog(kind, log, at, seed, start)
