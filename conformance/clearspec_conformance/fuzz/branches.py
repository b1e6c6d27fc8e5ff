"""Which branches of the reference sequences reach: counted by ``coverage`` while the reference runs, and only then."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import clearspec
from clearspec_command.failures import BadInput, needs
from clearspec_conformance.injected.twin import MODULES

Arcs = dict[str, set[tuple[int, int]]]
"""Module of the reference to the pairs of lines that ran one after the other."""


def files() -> dict[str, str]:
    """File of each module whose branches count."""
    folder = Path(clearspec.__file__).parent
    return {str(folder / f"{name}.py"): name for name in MODULES if name != "snapshot"}


def counter() -> Any:
    """What counts, not yet started.

    Raises:
        BadInput: ``coverage`` is not installed.
    """
    try:
        import coverage
    except ImportError:
        raise BadInput(needs("--branches", "coverage")) from None
    return coverage.Coverage(data_file=None, branch=True, config_file=False, include=list(files()), messages=False)


class Branches:
    """Counts while its block runs, as often as it is entered."""

    def __init__(self) -> None:
        self.counter = counter()

    def __enter__(self) -> None:
        self.counter.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.counter.stop()

    def arcs(self) -> Arcs:
        """What ran so far."""
        data = self.counter.get_data()
        return {name: set(data.arcs(file) or ()) for file, name in files().items()}


def joined(parts: list[Arcs]) -> Arcs:
    """What ran in any of several shards."""
    found: Arcs = {}
    for part in parts:
        for name, arcs in part.items():
            found.setdefault(name, set()).update(arcs)
    return found


def exits(arcs: Arcs) -> dict[str, dict[int, tuple[int, int]]]:
    """Module to line to how many ways lead on from there and how many of them were taken, where there are several."""
    from coverage import CoverageData

    data = CoverageData(no_disk=True)
    data.add_arcs({file: arcs.get(name, set()) for file, name in files().items()})
    total = counter()
    total.get_data().update(data)
    return {name: dict(total.branch_stats(file)) for file, name in files().items()}
