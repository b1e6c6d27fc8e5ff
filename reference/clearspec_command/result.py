"""The machine-readable result of ``clearspec run --json``: its records are its documentation and its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from clearspec.codec import canonical_bytes
from clearspec.consistency import genesis_of
from clearspec.events import Context
from clearspec.fields import Id, Prose, SequenceOrZero, Text, Time, Wide
from clearspec.fields import Sequence as SequenceNumber
from clearspec.formats import Expectation, LogFormat, LogHeader, LogLine, Observable, ReceiptRecord, receipt_record
from clearspec.invariants import INVARIANTS
from clearspec.margin import standing
from clearspec.snapshot import observable, state_root
from clearspec_command.playing import Run, defaults
from clearspec_command.rows import actions, is_routine, rejections

Digest = Annotated[str, Text(64, r"[0-9a-f]{64}")]


class ResultFormat(StrEnum):
    """Version of the result format."""

    V1 = "clearspec/result/1"


@dataclass(frozen=True, slots=True)
class StandingRecord:
    """Where an account stands at the end, in settlement atoms (MARG-9)."""

    cash: Wide
    collateral: Wide
    unrealised: Wide
    margin_equity: Wide
    initial_equity: Wide
    net_liquidation_value: Wide
    initial: Wide
    maintenance: Wide
    notional: Wide


@dataclass(frozen=True, slots=True)
class DefaultRecord:
    """A resolved default: ``layers`` say what each bore; with ``uncovered_loss`` they sum to ``deficit``."""

    sequence: SequenceNumber
    time: Time
    account: Id
    pool: Id
    deficit: Wide
    layers: Mapping[Id, Wide]
    uncovered_loss: Wide


@dataclass(frozen=True, slots=True)
class ExpectationRecord:
    """An expectation of the variant, the figure measured, and whether it lies within the tolerance."""

    expectation: Expectation
    measured: Wide
    met: bool


@dataclass(frozen=True, slots=True)
class BreachRecord:
    """An invariant that did not hold, and the event after which that was first seen (0: at the start or the end)."""

    invariant: Id
    sequence: SequenceOrZero


@dataclass(frozen=True, slots=True)
class InvariantsRecord:
    """Which invariants were checked, whether after every event or only at the ends of the run, and what broke."""

    checked: tuple[Id, ...]
    after_every_event: bool
    broken: tuple[BreachRecord, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run: ``variant`` is null where the scenario has none.

    ``accepted`` counts by action, ``rejected`` by reason. ``receipts`` are those that matter (without accepted prices,
    book samples and funding accruals), with ``--all`` every one. ``observable`` is the observable snapshot at the end.
    """

    variant: Id | None
    description: Prose
    passed: bool
    events: SequenceOrZero
    accepted: Mapping[Id, SequenceOrZero]
    rejected: Mapping[Id, SequenceOrZero]
    receipts: tuple[ReceiptRecord, ...]
    defaults: tuple[DefaultRecord, ...]
    expectations: tuple[ExpectationRecord, ...]
    invariants: InvariantsRecord
    standings: Mapping[Id, StandingRecord]
    observable: Observable
    state_root: Digest


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that ``clearspec run`` found: ``passed`` says whether every run passed."""

    format: ResultFormat
    title: Prose
    passed: bool
    runs: tuple[RunRecord, ...]


def result_of(runs: Sequence[Run], everything: bool = False) -> Result:
    """The result of one or several runs of a scenario."""
    records = tuple(run_record(run, everything) for run in runs)
    return Result(ResultFormat.V1, runs[0].scenario.title, all(run.well for run in runs), records)


def run_record(run: Run, everything: bool) -> RunRecord:
    """One run as a record."""
    player = run.player
    played = [item for item in player.played if everything or not is_routine(item)]
    return RunRecord(
        None if run.variant is None else run.variant.name,
        run.scenario.description if run.variant is None else run.variant.description,
        run.well,
        len(player.played),
        actions(run),
        rejections(run),
        tuple(receipt_record(item.receipt) for item in played),
        default_records(run),
        tuple(ExpectationRecord(item.expectation, item.measured, item.met) for item in run.checks),
        invariants_record(run),
        standing_records(run),
        observable(player.state),
        state_root(player.state),
    )


def default_records(run: Run) -> tuple[DefaultRecord, ...]:
    """Every default of a run as a record."""
    return tuple(
        DefaultRecord(
            item.played.receipt.sequence,
            item.played.receipt.time,
            item.account,
            item.pool,
            item.deficit,
            dict(item.layers),
            item.uncovered,
        )
        for item in defaults(run)
    )


def invariants_record(run: Run) -> InvariantsRecord:
    """What was checked in a run, and what broke."""
    breaches = tuple(BreachRecord(name, sequence) for name, sequence in run.player.breaches.items())
    return InvariantsRecord(tuple(entry.id for entry in INVARIANTS), run.player.check_each, breaches)


def standing_records(run: Run) -> dict[str, StandingRecord]:
    """Where every account stands at the end."""
    state = run.player.state
    ctx = Context(state, state.time)
    return {account: StandingRecord(*standing(ctx, account)) for account in state.accounts}


def log_lines(run: Run) -> list[bytes]:
    """The log of a run: the header, then an event a line; the last event carries the observable snapshot.

    Full snapshots that the player took stand on lines of their own.
    """
    lines = [canonical_bytes(LogHeader(LogFormat.V1, genesis_of(run.scenario, run.variant)))]
    last = len(run.player.played)
    for place, item in enumerate(run.player.played, start=1):
        seen = observable(run.player.state) if place == last else None
        lines.append(canonical_bytes(LogLine(item.event, receipt_record(item.receipt), seen)))
        if place in run.player.snapshots:
            lines.append(b'{"snapshot":' + run.player.snapshots[place] + b"}")
    return lines
