"""Makes a trace on which engine and reference disagree smaller, as long as they still disagree.

Each pass proposes traces that are simpler than the one at hand; the first on which the two still disagree, with the
same verdict, takes its place. The passes are tried in turn until none finds anything more. What is tried depends on
the trace alone, so that the same disagreement always ends as the same trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from clearspec.events import Deposit, Event, Genesis, OpenAccount, PostPrice
from clearspec.formats import VectorStep
from clearspec.numerics import SCALE
from clearspec.snapshot import state_root
from clearspec_conformance.formats import Verdict
from clearspec_conformance.fuzz.duel import RESTORING, Disagreement, Duel, Skipped, against_itself
from clearspec_conformance.fuzz.generating import answered
from clearspec_conformance.fuzz.worlds import FEED, PARAMETERS, START, plain
from clearspec_conformance.playing import ROOT_PATH

MOST_TRIES = 5_000
"""Traces that are tried at most."""

MOST_HUNG = 15
"""The same for an engine that hangs, where each try that succeeds lasts as long as an engine is waited for."""

ACTING = {"Convert": "keeper", "Liquidate": "liquidator"}
"""Field of the account for which the actor acts, where it is not ``account``."""

PARTIES = ("account", "target", "buyer", "seller", "liquidator", "keeper")
"""Fields of actions that name an account."""

MARGINED = ("trade", "withdraw", "transfer", "convert", "liquidate")
"""Actions that ask for margin."""

Steps = tuple[VectorStep, ...]
Candidates = Iterator[tuple[Genesis, Sequence[VectorStep]]]
Pass = Callable[[Genesis, Steps], Candidates]


def moved(step: VectorStep, **changes: Any) -> VectorStep:
    """A step with another event."""
    assert step.event is not None
    return replace(step, event=replace(step.event, **changes))


def without_events(genesis: Genesis, steps: Steps) -> Candidates:
    """Leave out events: half of them, a quarter, and so on down to one; the last ones first."""
    size = len(steps) // 2
    while size:
        for end in range(len(steps), 0, -size):
            start = max(0, end - size)
            if start or end < len(steps):
                yield genesis, steps[:start] + steps[end:]
        size //= 2


def without_runs(genesis: Genesis, steps: Steps) -> Candidates:
    """Of events of one kind in a row leave only some, the first or the last."""
    kinds = [type(None if step.event is None else step.event.action) for step in steps]
    start = 0
    for place in range(1, len(steps) + 1):
        if place == len(steps) or kinds[place] is not kinds[start]:
            for left in range(place - start - 1):
                yield genesis, steps[: start + left] + steps[place:]
                yield genesis, steps[:start] + steps[place - left :]
            start = place


def without_pairs(genesis: Genesis, steps: Steps) -> Candidates:
    """Leave out two events that stand apart."""
    if len(steps) > 16:
        return
    for one in range(len(steps)):
        for other in range(one + 2, len(steps)):
            yield genesis, steps[:one] + steps[one + 1 : other] + steps[other + 1 :]


def names_in(steps: Steps) -> list[str]:
    """Accounts that the events name, in order."""
    actions = [step.event.action for step in steps if step.event is not None]
    return list(dict.fromkeys(getattr(action, name) for action in actions for name in PARTIES if hasattr(action, name)))


def renamed(step: VectorStep, old: str, new: str, owner: str) -> VectorStep:
    """A step in which one account is another, and who acts for it the other's owner."""
    if step.event is None:
        return step
    action: Any = step.event.action
    changes = {name: new for name in PARTIES if getattr(action, name, None) == old}
    acts = getattr(action, ACTING.get(type(action).__name__, "account"), None) == old
    return moved(step, actor=owner if acts else step.event.actor, action=replace(action, **changes))


def owner_of(steps: Steps, account: str) -> str:
    """Who opened an account; itself, if nobody did."""
    for event in (step.event for step in steps):
        if event is not None and isinstance(event.action, OpenAccount) and event.action.account == account:
            return event.actor
    return account


def with_fewer_accounts(genesis: Genesis, steps: Steps) -> Candidates:
    """Let one account do what two did; what then says nothing any more is left out by the next pass."""
    names = names_in(steps)
    for old in reversed(names):
        for new in names:
            if old != new:
                merged = tuple(renamed(step, old, new, owner_of(steps, new)) for step in steps)
                distinct = tuple(
                    step for place, step in enumerate(merged) if not _repeats_opening(merged[:place], step)
                )
                if len(distinct) < len(steps):
                    yield genesis, distinct


def _repeats_opening(before: Steps, step: VectorStep) -> bool:
    """Whether a step opens an account that an earlier one has opened."""
    if step.event is None or not isinstance(step.event.action, OpenAccount):
        return False
    return any(other.event is not None and other.event.action == step.event.action for other in before)


def with_joined_amounts(genesis: Genesis, steps: Steps) -> Candidates:
    """Let one event bring what two of the same kind brought."""
    for one, step in enumerate(steps):
        for other in range(one + 1, len(steps)):
            joined = _joined(step.event, steps[other].event)
            if joined is not None:
                yield genesis, (*steps[:one], replace(step, event=joined), *steps[one + 1 : other], *steps[other + 1 :])


def _joined(one: Event | None, other: Event | None) -> Event | None:
    """One event in the place of two that differ in their amount alone."""
    if one is None or other is None or type(one.action) is not type(other.action):
        return None
    action, second = (_plain(event.action) for event in (one, other))
    if "amount" not in action or {**action, "amount": 0} != {**second, "amount": 0}:
        return None
    changed: Any = one.action
    return replace(one, action=replace(changed, amount=action["amount"] + second["amount"]))


def _plain(action: Any) -> dict[str, Any]:
    """The fields of an action."""
    return {item.name: getattr(action, item.name) for item in fields(action)}


def with_smaller_numbers(genesis: Genesis, steps: Steps) -> Candidates:
    """Bring each number of each action nearer to 1, and to a round one."""
    for place, step in enumerate(steps):
        if step.event is None:
            continue
        for name, value in _plain(step.event.action).items():
            if isinstance(value, int) and not isinstance(value, bool) and value > 1:
                for smaller in dict.fromkeys((1, *rounded(value), value // 2, value - value // 8)):
                    changed: Any = step.event.action
                    action = replace(changed, **{name: smaller})
                    yield genesis, (*steps[:place], moved(step, action=action), *steps[place + 1 :])


def rounded(value: int) -> Iterator[int]:
    """Smaller numbers with fewer digits that are not 0."""
    unit = 10 ** (len(str(value)) - 1)
    while unit > 1:
        if value % unit:
            yield value // unit * unit
        unit //= 10


def with_settlement_asset(genesis: Genesis, steps: Steps) -> Candidates:
    """Bring in settlement atoms in the place of collateral, as many as it counts for."""
    terms = {each.asset: each for pool in genesis.pools for each in pool.collateral}
    prices: dict[str, int] = {}
    for place, step in enumerate(steps):
        action = None if step.event is None else step.event.action
        if isinstance(action, PostPrice):
            prices[action.feed] = action.price
        if isinstance(action, Deposit) and action.asset in terms:
            taken = terms[action.asset]
            worth = action.amount * prices.get(taken.feed, START) * (SCALE - taken.haircut) // SCALE
            other = replace(action, asset=genesis.pools[0].settlement_asset, amount=worth)
            yield genesis, (*steps[:place], moved(step, action=other), *steps[place + 1 :])


def with_thin_deposits(genesis: Genesis, steps: Steps) -> Candidates:
    """Let accounts bring in only what they need for what follows, and leave out what it then does not take.

    An account that has only just its margin needs fewer prices to fall below it.
    """
    thin = steps
    for place, step in enumerate(steps):
        if step.event is not None and isinstance(step.event.action, Deposit) and step.receipt.reason is None:
            thin = (*thin[:place], _thinned(genesis, thin, place), *thin[place + 1 :])
    if thin != steps:
        yield genesis, thin
        yield from without_runs(genesis, thin)
        yield from without_events(genesis, thin)


def _thinned(genesis: Genesis, steps: Steps, place: int) -> VectorStep:
    """A deposit of the least amount with which every step but the last is accepted that is accepted now."""
    wanted = outcomes(genesis, steps)
    event = steps[place].event
    assert event is not None
    action: Any = event.action

    def deposited(amount: int) -> VectorStep:
        return moved(steps[place], action=replace(action, amount=amount))

    low, high = 0, int(action.amount)
    while high - low > 1:
        middle = (low + high) // 2
        enough = outcomes(genesis, (*steps[:place], deposited(middle), *steps[place + 1 :])) == wanted
        low, high = (low, middle) if enough else (middle, high)
    return deposited(high)


def outcomes(genesis: Genesis, steps: Steps) -> list[Any]:
    """The reasons that the reference gives to every step but the last that asks for margin."""
    _, trace = answered(genesis, steps)
    return [step.receipt.reason for step in trace.steps[:-1] if step.receipt.action in MARGINED]


def with_simpler_times(genesis: Genesis, steps: Steps) -> Candidates:
    """Let events happen at once, or sooner."""
    for place, step in enumerate(steps):
        if step.event is None:
            continue
        before = max((other.event.time for other in steps[:place] if other.event), default=genesis.time)
        lead = step.event.time - before
        for shorter in dict.fromkeys((0, 1, lead // 2, lead - 1)):
            if 0 <= shorter < lead:
                moves = lead - shorter
                rest = tuple(
                    later if later.event is None else moved(later, time=max(0, later.event.time - moves))
                    for later in steps[place:]
                )
                yield genesis, (*steps[:place], *rest)


def with_plain_numbering(genesis: Genesis, steps: Steps) -> Candidates:
    """Number the events 1, 2, 3; an event that stands twice keeps standing twice."""
    names: dict[str, tuple[str, int]] = {}
    for step in steps:
        if step.event is not None:
            names.setdefault(step.event.id, (f"e{len(names) + 1}", len(names) + 1))
    plain = tuple(
        step if step.event is None else moved(step, id=names[step.event.id][0], sequence=names[step.event.id][1])
        for step in steps
    )
    if plain != steps:
        yield genesis, plain


def with_smaller_genesis(genesis: Genesis, steps: Steps) -> Candidates:
    """Leave out markets, pools, feeds and assets, then what a pool takes and a feed asks for."""
    for name in ("markets", "pools", "feeds", "assets"):
        parts: tuple[Any, ...] = getattr(genesis, name)
        if len(parts) > 2:
            yield from ((_having(genesis, name, (part,)), steps) for part in parts)
        for place in range(len(parts) - 1, -1, -1):
            yield _having(genesis, name, parts[:place] + parts[place + 1 :]), steps
    for place, pool in enumerate(genesis.pools):
        for simpler in (replace(pool, collateral=()), replace(pool, backstop="")):
            if simpler != pool:
                yield replace(genesis, pools=(*genesis.pools[:place], simpler, *genesis.pools[place + 1 :])), steps
    for place, feed in enumerate(genesis.feeds):
        if len(feed.sources) > 1:
            alone = replace(feed, sources=feed.sources[:1], quorum=1, faulty=0)
            feeds = (*genesis.feeds[:place], alone, *genesis.feeds[place + 1 :])
            yield replace(genesis, feeds=feeds), tuple(_from_source(step, feed.sources[0]) for step in steps)


def with_plain_genesis(genesis: Genesis, steps: Steps) -> Candidates:
    """Start from the plainest of the worlds' geneses, or give every market the parameters of that one."""
    if _size(plain()) < _size(genesis):
        yield plain(), tuple(_from_source(step, FEED.sources[0]) for step in steps)
    markets = tuple(replace(listing, parameters=PARAMETERS) for listing in genesis.markets)
    if markets != genesis.markets:
        yield replace(genesis, markets=markets), steps


def _size(genesis: Genesis) -> tuple[int, int]:
    """How many parts a genesis has, and how many of its markets have other parameters than the plain ones."""
    parts = (genesis.markets, genesis.pools, genesis.feeds, genesis.assets)
    return sum(map(len, parts)), sum(listing.parameters != PARAMETERS for listing in genesis.markets)


def _having(genesis: Genesis, name: str, parts: tuple[Any, ...]) -> Genesis:
    """A genesis with other parts of a kind."""
    changes: dict[str, Any] = {name: parts}
    return replace(genesis, **changes)


def _from_source(step: VectorStep, source: str) -> VectorStep:
    """A step in which a price comes from one source, whoever posted it."""
    if step.event is None or not isinstance(step.event.action, PostPrice):
        return step
    return moved(step, actor=source)


SHORTER: tuple[Pass, ...] = (
    without_events,
    without_runs,
    with_plain_genesis,
    with_smaller_genesis,
    with_fewer_accounts,
    with_settlement_asset,
    with_joined_amounts,
    with_thin_deposits,
    without_pairs,
)
"""Passes after which a trace has fewer events, or a smaller genesis."""

SIMPLER: tuple[Pass, ...] = (with_simpler_times, with_smaller_numbers, with_plain_numbering)
"""Passes that only make it easier to read; each lets the others find more."""


@dataclass(slots=True)
class Reduction:
    """A disagreement that is being made smaller."""

    duel: Duel
    found: Disagreement
    tries: int = 0
    hung: int = 0
    seen: set[Any] = field(default_factory=set)

    @property
    def thorough(self) -> bool:
        """Whether the disagreement shows only in the state root, or after a full snapshot has been restored."""
        failure = self.found.failure
        return failure is not None and (failure.rule == RESTORING or failure.differences[0].path == ROOT_PATH)

    @property
    def spent(self) -> bool:
        """Whether no more may be tried."""
        return self.tries >= MOST_TRIES or self.hung >= MOST_HUNG

    def still(self, genesis: Genesis, steps: Sequence[VectorStep]) -> Disagreement | None:
        """The disagreement on a candidate; ``None`` if there is none of the same verdict."""
        key = genesis, tuple(step.event or step.document for step in steps)
        if not steps or self.spent or hash(key) in self.seen:
            return None
        self.seen.add(hash(key))
        self.tries += 1
        try:
            found = self.judged(genesis, steps)
        except (ValueError, Skipped):
            return None
        if found is not None:
            self.hung += found.verdict == Verdict.HUNG
        return found if found is not None and found.verdict == self.found.verdict else None

    def judged(self, genesis: Genesis, steps: Sequence[VectorStep]) -> Disagreement | None:
        """What engine and reference disagree on; or where the reference is at fault, what it breaks."""
        state, trace = answered(genesis, steps)
        if self.found.own:
            return against_itself(state, trace)
        return self.duel.disagreement(trace, state_root(state) if self.thorough else "")

    def improved(self, proposals: Pass) -> bool:
        """Take the first candidate of a pass that still shows the disagreement, and go on from it; until none does."""
        better = False
        again = True
        while again:
            again = False
            trace = self.found.trace
            for genesis, steps in proposals(trace.genesis, trace.steps):
                found = self.still(genesis, steps)
                if found is not None:
                    self.found, better, again = found, True, True
                    break
        return better

    def any_improved(self, passes: Sequence[Pass]) -> bool:
        """Whether any of some passes, each tried in turn, made the disagreement smaller."""
        return sum(self.improved(proposals) for proposals in passes) > 0 and not self.spent


def reduced(duel: Duel, found: Disagreement) -> Disagreement:
    """A disagreement of the same verdict on a trace that no pass makes any smaller.

    One that is seen no more when it is played once more, alone and step by step, is returned as it was.
    """
    reduction = Reduction(duel, found)
    first = reduction.still(found.trace.genesis, found.trace.steps)
    if first is None:
        return found
    reduction.found = first
    better = True
    while better and not reduction.spent:
        while reduction.any_improved(SHORTER):
            pass
        better = reduction.any_improved(SIMPLER)
    return reduction.found
