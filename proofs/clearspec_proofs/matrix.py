"""The matrix of invariants and events: which theorem shows that an event keeps an invariant. No cell may be blank."""

from __future__ import annotations

from collections.abc import Iterable

from clearspec.events import ACTION_NAMES
from clearspec.invariants import INVARIANTS
from clearspec_proofs.records import Status, Verdict

EVENTS = ("genesis", *ACTION_NAMES.values())
COLUMNS = tuple(entry.id for entry in INVARIANTS)

Matrix = dict[str, dict[str, list[str]]]
"""Event to invariant to the theorems that show the cell."""


def matrix_of(verdicts: Iterable[Verdict]) -> Matrix:
    """The cells that proved theorems fill.

    A theorem ``invariants.<event>`` or ``invariants.<event>:<part>`` fills those that it claims.
    """
    cells: Matrix = {event: {column: [] for column in COLUMNS} for event in EVENTS}
    for verdict in verdicts:
        chapter, _, rest = verdict.name.partition(".")
        event = rest.partition(":")[0]
        if chapter == "invariants" and event in cells and verdict.status == Status.PROVED:
            for claim in verdict.claims:
                if claim in cells[event]:
                    cells[event][claim].append(verdict.name)
    return cells


def blanks(cells: Matrix) -> list[tuple[str, str]]:
    """Cells that no theorem fills."""
    return [(event, column) for event, row in cells.items() for column, names in row.items() if not names]
