"""Series for charts, taken while a scenario runs: prices and funds as they change, standings now and then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from clearspec.events import Context, Receipt
from clearspec.ledger import Kind, balance, house, uncovered_loss
from clearspec.margin import standing
from clearspec.state import State

POINTS = 2000
"""Most points of a series in a chart."""

STANDINGS = 200_000
"""About how many standings of accounts are computed for a run, however many accounts there are."""

DECISIVE = ("liquidate", "resolve_default", "trade", "convert", "settle_position", "pay_claim")
"""Actions after which the standings of the accounts they touch are taken at once."""

FUNDS = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)

Point = tuple[int, int]
"""A time and a value."""


@dataclass(slots=True)
class Recorder:
    """Takes the series of a run. ``first`` and ``last`` are the times between which the run is expected to lie."""

    first: int
    last: int
    due: int = 0
    markets: dict[str, dict[str, list[Point]]] = field(default_factory=dict)
    pools: dict[str, dict[str, list[Point]]] = field(default_factory=dict)
    accounts: dict[str, dict[str, list[Point]]] = field(default_factory=dict)

    def before(self, state: State, time: int) -> None:
        """Take the standings that are due as a second ends, with everything in it done, before an event at ``time``."""
        if state.time >= self.due and time > state.time:
            self._take_accounts(state, state.time)

    def after(self, state: State, receipt: Receipt) -> None:
        """Take what an event changed."""
        if not receipt.accepted:
            return
        self._take_markets(state, receipt.time)
        self._take_pools(state, receipt.time)
        if receipt.action in DECISIVE:
            for account in receipt.accounts:
                self._take_account(state, receipt.time, account)

    def finish(self, state: State) -> None:
        """Take every series a last time."""
        for table in (self.markets, self.pools):
            for group in table.values():
                for points in group.values():
                    points += [(state.time, value) for _, value in points[-1:]]
        self._take_accounts(state, state.time)

    def _take_markets(self, state: State, time: int) -> None:
        for name, market in state.markets.items():
            group = self.markets.setdefault(name, {"index": [], "mark": [], "open_interest": []})
            index, mark = state.feeds[market.listing.feed].index, state.marks[name].price
            if index:
                changed(group["index"], time, index)
            if mark:
                changed(group["mark"], time, mark)
            changed(group["open_interest"], time, state.open_interest[name])

    def _take_pools(self, state: State, time: int) -> None:
        for name, pool in state.pools.items():
            group = self.pools.setdefault(name, {})
            for kind in FUNDS:
                held = balance(state, house(pool.settlement_asset, name, kind))
                changed(group.setdefault(kind.value, []), time, held)
            changed(group.setdefault("uncovered_loss", []), time, uncovered_loss(state, name))

    def _take_accounts(self, state: State, time: int) -> None:
        for account in state.accounts:
            self._take_account(state, time, account)
        self.due = time + 1 + (self.last - self.first) * len(state.accounts) // STANDINGS

    def _take_account(self, state: State, time: int, account: str) -> None:
        held = standing(Context(state, time), account)
        group = self.accounts.setdefault(account, {"equity": [], "maintenance": []})
        changed(group["equity"], time, held.margin_equity)
        changed(group["maintenance"], time, held.maintenance)


def changed(points: list[Point], time: int, value: int) -> None:
    """Add a value to a series if it changed; several in one second are one, the last."""
    if points and points[-1][1] == value:
        return
    if points and points[-1][0] == time and len(points) > 1:
        points[-1] = (time, value)
        return
    points.append((time, value))


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """At most ``most`` points that keep the shape: of each stretch the first, least, greatest and last point."""
    if len(points) <= most:
        return list(points)
    stretches = most // 4
    kept = []
    for stretch in range(stretches):
        part = range(stretch * len(points) // stretches, (stretch + 1) * len(points) // stretches)
        least, greatest = (extreme(part, key=lambda place: points[place][1]) for extreme in (min, max))
        kept += sorted({part[0], least, greatest, part[-1]})
    return [points[place] for place in kept]


def summed(series: Sequence[Sequence[Point]]) -> list[Point]:
    """The sum of step series, each 0 before its first point."""
    changes: dict[int, int] = {}
    for points in series:
        before = 0
        for time, value in points:
            changes[time] = changes.get(time, 0) + value - before
            before = value
    times = sorted(changes)
    return list(zip(times, accumulate(changes[time] for time in times), strict=True))
