"""pytest plugin: with ``--clearspec-impl ENGINE`` each vector of the suite is one test item."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clearspec_conformance.runner import Run
    from clearspec_conformance.suite import Entry


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin; without the first it does nothing."""
    group = parser.getgroup("clearspec", "conformance of a clearinghouse engine")
    group.addoption("--clearspec-impl", metavar="ENGINE", help="reference, python:MODULE:CLASS or a command")
    group.addoption("--clearspec-vectors", metavar="FOLDER", help="folder of the suite")
    group.addoption("--clearspec-only", action="append", default=[], metavar="NAME", help="a rule, chapter or id")
    group.addoption("--clearspec-tier", default="full", choices=["smoke", "standard", "full"])
    group.addoption("--clearspec-reasons", metavar="FILE", help="JSON map of the engine's reasons to ours")
    group.addoption("--clearspec-timeout", type=float, default=10.0, metavar="SECONDS", help="time a vector may take")


class VectorFailed(Exception):
    """A vector did not pass; the text is the whole explanation."""


class VectorItem(pytest.Item):
    """A vector as a test."""

    def __init__(self, *, entry: Entry, **rest: Any) -> None:
        super().__init__(**rest)
        self.entry = entry

    def runtest(self) -> None:
        """Play the vector on the engine, which goes on from item to item and is started again after trouble."""
        from clearspec_conformance.formats import Verdict
        from clearspec_conformance.reports import explained

        held = self.config.stash[ENGINE]
        held.session, found = held.run.attempt(held.session, self.entry)
        if found.verdict == Verdict.SKIPPED:
            pytest.skip(found.why)
        if found.bad:
            raise VectorFailed(f"{found.verdict.value}: {explained(found)}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The explanation alone, without a traceback of the plugin."""
        if isinstance(excinfo.value, VectorFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item stands and its name."""
        return self.path, None, self.name


class VectorCollector(pytest.Collector):
    """The vectors that are to be run."""

    def collect(self) -> Iterator[VectorItem]:
        """An item for each selected vector."""
        from clearspec_conformance.formats import Tier
        from clearspec_conformance.suite import load_suite, selected, vectors_folder

        option = self.config.option
        folder = Path(option.clearspec_vectors) if option.clearspec_vectors else vectors_folder()
        for entry in selected(load_suite(folder), Tier(option.clearspec_tier), option.clearspec_only):
            yield VectorItem.from_parent(self, name=f"{entry.chapter}/{entry.id}", entry=entry)


class Engine:
    """The engine of a test session: how to start it, and the one that runs."""

    def __init__(self, config: pytest.Config) -> None:
        from clearspec_conformance.conform import read_reasons
        from clearspec_conformance.engines import opener
        from clearspec_conformance.playing import Terms
        from clearspec_conformance.runner import Settings, begun

        option = config.option
        reasons = read_reasons(Path(option.clearspec_reasons) if option.clearspec_reasons else None)
        thorough = option.clearspec_tier == "full"
        settings = Settings(Terms(option.clearspec_timeout, reasons, thorough))
        self.run: Run = begun(opener(option.clearspec_impl), settings)
        self.session: Any = None

    def close(self) -> None:
        """End the engine that runs."""
        if self.session is not None:
            self.session.end(time.monotonic() + 2.0)
        self.run.stop()


ENGINE: pytest.StashKey[Engine] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the vectors to what was collected."""
    if not config.option.clearspec_impl:
        return
    from clearspec_command.failures import BadInput

    try:
        collector = VectorCollector.from_parent(session, name="clearspec")
        items.extend(collector.collect())
        config.stash[ENGINE] = Engine(config)
    except BadInput as error:
        raise pytest.UsageError(error.message) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the engine."""
    held = config.stash.get(ENGINE, None)
    if held is not None:
        held.close()
