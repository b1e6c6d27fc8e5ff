"""Play one variant of a scenario and keep what a report needs: breaches of invariants, checks, series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clearspec.codec import DecodeError, canonical_bytes
from clearspec.events import Action, OpenAccount, Receipt
from clearspec.formats import Scenario, Variant
from clearspec.invariants import broken
from clearspec.scenario import Checked, Played, Player, check
from clearspec.snapshot import snapshot
from clearspec_command.display import Display, display_of
from clearspec_command.failures import BadInput
from clearspec_command.series import Recorder

AT_END = 0
"""Stands for the end of a run where an event's sequence number would stand."""

Progress = Callable[[int], None]
"""Is told the time of every event."""


@dataclass
class Watched(Player):
    """A player that looks at the state after every single event, which iterating does not: it yields after batches."""

    check_each: bool = True
    breaches: dict[str, int] = field(default_factory=dict)
    recorder: Recorder | None = None
    progress: Progress | None = None
    snapshot_every: int = 0
    snapshots: dict[int, bytes] = field(default_factory=dict)
    """Number of an event to the full snapshot after it, in canonical bytes: after every so many, or none."""

    def send(self, time: int, actor: str, action: Action, step: int, note: str = "") -> Receipt:
        """Apply one action, then check every invariant and take the samples that are due."""
        if self.recorder is not None:
            self.recorder.before(self.state, time)
        receipt = super().send(time, actor, action, step, note)
        if self.check_each:
            self.look(receipt.sequence)
        if self.recorder is not None:
            self.recorder.after(self.state, receipt)
        if self.snapshot_every and len(self.played) % self.snapshot_every == 0:
            self.snapshots[len(self.played)] = canonical_bytes(snapshot(self.state))
        if self.progress is not None:
            self.progress(time)
        return receipt

    def look(self, sequence: int) -> None:
        """Note every invariant that does not hold now, with the event after which that was first seen."""
        for identifier in broken(self.state):
            self.breaches.setdefault(identifier, sequence)


@dataclass(frozen=True, slots=True)
class Default:
    """A default that was resolved: its deficit and what each layer bore, in the order of the pool."""

    played: Played
    account: str
    pool: str
    deficit: int
    layers: tuple[tuple[str, int], ...]
    uncovered: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended."""

    scenario: Scenario
    variant: Variant | None
    player: Watched
    checks: tuple[Checked, ...]
    display: Display

    @property
    def name(self) -> str:
        """Name of the variant; empty where the scenario has none."""
        return "" if self.variant is None else self.variant.name

    @property
    def well(self) -> bool:
        """Whether every invariant held and every expectation was met."""
        return not self.player.breaches and all(item.met for item in self.checks)

    @property
    def accepted(self) -> int:
        """How many events took effect."""
        return sum(1 for item in self.player.played if item.receipt.accepted)

    @property
    def rejected(self) -> int:
        """How many events were rejected."""
        return len(self.player.played) - self.accepted


def play(
    scenario: Scenario,
    variant: Variant | None,
    check_each: bool = True,
    recorder: Recorder | None = None,
    progress: Progress | None = None,
    snapshot_every: int = 0,
) -> Run:
    """Play a scenario in one variant, to its end.

    Raises:
        BadInput: an expectation looks at an account that was never opened.
    """
    player = Watched(scenario, variant, check_each=check_each, recorder=recorder, progress=progress)
    player.snapshot_every = snapshot_every
    player.look(AT_END)
    for _ in player:
        pass
    player.look(AT_END)
    if recorder is not None:
        recorder.finish(player.state)
    try:
        checks = tuple(check(player, item) for item in (() if variant is None else variant.expect))
    except DecodeError as error:
        raise BadInput(f"{scenario.title}: {error}") from None
    return Run(scenario, variant, player, checks, display_of(player.state, scenario.units))


def chosen(scenario: Scenario, names: Sequence[str]) -> list[Variant | None]:
    """The variants to run: those named, else all; a scenario without variants runs as it stands.

    Raises:
        BadInput: there is no variant of a name.
    """
    known = {variant.name: variant for variant in scenario.variants}
    for name in names:
        if name not in known:
            wanted = f"expected one of {', '.join(known)}" if known else "the scenario has no variants"
            raise BadInput(f"--variant {name}: {wanted}")
    return [known[name] for name in dict.fromkeys(names)] or list(scenario.variants) or [None]


def defaults(run: Run) -> list[Default]:
    """Every default of a run."""
    state, found = run.player.state, []
    for item in run.player.played:
        if item.receipt.action == "resolve_default" and item.receipt.accepted:
            amounts = dict(item.receipt.amounts)
            deficit, uncovered = amounts.pop("deficit"), amounts.pop("uncovered_loss")
            account = item.receipt.accounts[0]
            pool = state.accounts[account].pool
            found.append(Default(item, account, pool, deficit, tuple(amounts.items()), uncovered))
    return found


def opened_accounts(scenario: Scenario) -> int:
    """How many accounts the steps of a scenario open."""
    return sum(1 for step in scenario.steps if isinstance(step.action, OpenAccount))


def span(scenario: Scenario) -> tuple[int, int]:
    """First and last time of a scenario."""
    times = [step.time for step in scenario.steps]
    times += [point.time for path in scenario.prices for point in path.points]
    times += [point.time for path in scenario.premiums for point in path.points]
    return min(times, default=scenario.genesis.time), max(times, default=scenario.genesis.time)
