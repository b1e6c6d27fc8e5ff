"""Scenarios: read one from JSON or TOML, with presets, and play it through the reference."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from clearspec.codec import DecodeError, Fault, decode, parse
from clearspec.consistency import genesis_of, scenario_faults
from clearspec.events import Action, Context, Event, PostBook, PostPrice, Reason, Receipt
from clearspec.formats import (
    Expectation,
    Measure,
    PremiumPath,
    PremiumPoint,
    PricePath,
    PricePoint,
    Scenario,
    Step,
    Variant,
)
from clearspec.keepers import keep
from clearspec.ledger import balance
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.margin import standing
from clearspec.numerics import PRICE_MAX, SCALE, clamp, div_to_zero
from clearspec.rules import rule
from clearspec.state import State


def spec_folder() -> Path:
    """The folder of the spec: beside the installed package, or in the checkout."""
    here = Path(__file__).resolve()
    installed = here.parent / "spec"
    return installed if installed.is_dir() else here.parents[2] / "spec"


@rule("EVENT-11")
def preset(name: str, path: str) -> Any:
    """The parameters of a preset of ``spec/parameters``, as a raw document.

    Raises:
        DecodeError: there is no such preset; the known ones are named.
    """
    folder = spec_folder() / "parameters"
    known = sorted(file.stem for file in folder.glob("*.toml"))
    if name not in known:
        raise DecodeError(Fault.UNKNOWN_VALUE, path, f"one of the presets {', '.join(known)}")
    return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))


def merged(base: Any, over: Any) -> Any:
    """``base`` with what ``over`` says instead; objects are merged, all else is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merged(base.get(key), part) for key, part in over.items()} | {
            key: part for key, part in base.items() if key not in over
        }
    return over


@rule("EVENT-11")
def expanded(raw: Any, path: str = "$") -> Any:
    """A raw scenario with each object that has a key ``preset`` merged onto that preset.

    Integers, which TOML has and JSON scenarios have not, become decimal strings.
    """
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int):
        return str(raw)
    if isinstance(raw, float | datetime.date | datetime.time):
        raise DecodeError(Fault.WRONG_TYPE, path, f"a whole number, or a text in quotes, found {raw}")
    if isinstance(raw, list):
        return [expanded(part, f"{path}[{place}]") for place, part in enumerate(raw)]
    if not isinstance(raw, dict):
        return raw
    found = {key: expanded(part, f"{path}.{key}") for key, part in raw.items()}
    name = found.pop("preset", None)
    if name is None:
        return found
    if not isinstance(name, str):
        raise DecodeError(Fault.WRONG_TYPE, f"{path}.preset", "the name of a preset")
    return merged(expanded(preset(name, f"{path}.preset"), path), found)


def _within(raw: Any, deepest: int) -> bool:
    """Whether a raw document nests at most ``deepest`` levels."""
    level: list[Any] = [raw]
    for _ in range(deepest):
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return True
    return False


@rule("EVENT-11")
def load(text: str, toml: bool) -> Scenario:
    """The scenario of a JSON or TOML text.

    Raises:
        DecodeError: the text is not a scenario; the place and what was expected there are named.
    """
    raw = _parse_toml(text) if toml else parse(text)
    found = decode(Scenario, expanded(raw))
    for fault in scenario_faults(found):
        raise fault
    return found  # type: ignore[no-any-return]


def _parse_toml(text: str) -> Any:
    """Parse TOML; a float or a date in it is refused when it is decoded."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DecodeError(Fault.NOT_TOML, "$", f"a TOML document ({error})"[:200]) from None
    except ValueError:
        raise DecodeError(Fault.OUT_OF_RANGE, "$", "integers of at most 4300 digits") from None
    if not _within([raw], 64):
        raise DecodeError(Fault.TOO_DEEP, "$", "at most 64 levels")
    return raw


@dataclass(frozen=True, slots=True)
class Played:
    """One event of a run, its receipt, and the number of the scenario's step (0: prices, -1: keepers)."""

    event: Event
    receipt: Receipt
    step: int
    note: str = ""


@dataclass(slots=True)
class Player:
    """Plays a scenario; iterate to run it, one ``Played`` an event."""

    scenario: Scenario
    variant: Variant | None = None
    state: State = field(init=False)
    played: list[Played] = field(default_factory=list)
    marks: dict[int, dict[tuple[str, str, str, str], int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = build(genesis_of(self.scenario, self.variant))

    def send(self, time: int, actor: str, action: Action, step: int, note: str = "") -> Receipt:
        """Apply one action as the next event."""
        number = len(self.played) + 1
        event = Event(f"e{number}", number, time, actor, action)
        receipt = apply(self.state, event)
        self.played.append(Played(event, receipt, step, note))
        return receipt

    def __iter__(self) -> Iterator[Played]:
        """Run the scenario: prices before steps of the same time, keepers after the prices and premiums."""
        shown = 0
        self.marks[0] = dict(self.state.balances)
        for _ in self._advance():
            yield from self.played[shown:]
            shown = len(self.played)
        yield from self.played[shown:]

    def _advance(self) -> Iterator[None]:
        """Everything that the scenario does, in order of time; prices, then premiums, then steps."""
        queue: list[tuple[int, int, int, Tick | Premium | Step]] = []
        for place, tick in enumerate(price_ticks(self.scenario)):
            heappush(queue, (tick.time, 0, place, tick))
        for place, premium in enumerate(premiums(self.scenario)):
            heappush(queue, (premium.time, 1, place, premium))
        for place, step in enumerate(self.scenario.steps, start=1):
            heappush(queue, (step.time, 2, place, step))
        while queue:
            time, _, place, item = heappop(queue)
            if isinstance(item, Step):
                self.send(time, item.actor, item.action, place, item.note)
                self.marks[place] = dict(self.state.balances)
            elif isinstance(item, Premium):
                self._post_book(item)
            elif not self._post(time, item):
                heappush(queue, (time + item.path.interval, 0, place, item))
            posts_follow = bool(queue) and queue[0][0] == time and queue[0][1] < 2
            if not isinstance(item, Step) and not posts_follow:
                self._keep(time)
            yield

    def _post(self, time: int, tick: Tick) -> bool:
        """Post a price from every source; returns whether that was the last time it is to be posted."""
        path = tick.path
        for source in self.state.feeds[path.feed].parameters.sources:
            self.send(time, source, PostPrice(path.feed, tick.price, 0), 0)
        arrived = self.state.feeds[path.feed].index == tick.price
        return arrived or path.interval == 0 or time + path.interval >= tick.until

    def _post_book(self, item: Premium) -> None:
        """Post a book sample whose middle is the premium above the index."""
        feed = self.state.feeds[self.state.markets[item.market].listing.feed]
        price = clamp(feed.index + div_to_zero(feed.index * item.premium, SCALE), 1, PRICE_MAX)
        self.send(item.time, self.state.venues[0], PostBook(item.market, price, price), 0)

    def _keep(self, time: int) -> None:
        """Let the keepers act."""
        if self.scenario.keepers is not None:
            keep(self.state, time, self.scenario.keepers, lambda actor, action: self.send(time, actor, action, -1))


@dataclass(frozen=True, slots=True)
class Tick:
    """A price of a path that falls due at ``time``, and the time of the next one (a day later for the last)."""

    time: int
    path: PricePath
    price: int
    until: int


def price_ticks(scenario: Scenario) -> list[Tick]:
    """Every price of every path."""
    ticks = []
    for path in scenario.prices:
        ends = [point.time for point in path.points[1:]]
        last = path.points[-1].time + 86400 if path.points else 0
        ticks += [
            Tick(point.time, path, point.price, end) for point, end in zip(path.points, [*ends, last], strict=True)
        ]
    return ticks


@dataclass(frozen=True, slots=True)
class Premium:
    """A premium of a market that falls due."""

    time: int
    market: str
    premium: int


def premiums(scenario: Scenario) -> list[Premium]:
    """Every premium of every path."""
    return [Premium(point.time, path.market, point.premium) for path in scenario.premiums for point in path.points]


def measured(player: Player, expectation: Expectation) -> int:
    """What an expectation looks at, at the end of a run."""
    if expectation.measure == Measure.REJECTIONS:
        wanted = Reason(expectation.subject)
        return sum(1 for item in player.played if item.receipt.reason == wanted)
    if expectation.measure == Measure.NET_LIQUIDATION_VALUE:
        if expectation.subject not in player.state.accounts:
            raise DecodeError(Fault.INCONSISTENT, "$.variants.expect", f"an account, not {expectation.subject!r}")
        return standing(Context(player.state, player.state.time), expectation.subject).net_liquidation_value
    key = (expectation.asset, expectation.pool, expectation.kind.value, expectation.subject)
    now = balance(player.state, key)
    if expectation.measure == Measure.BALANCE:
        return now
    return now - player.marks[expectation.since].get(key, 0)


@dataclass(frozen=True, slots=True)
class Checked:
    """An expectation, the figure measured, and whether it lies within the tolerance."""

    expectation: Expectation
    measured: int
    met: bool


@rule("EVENT-11")
def check(player: Player, expectation: Expectation) -> Checked:
    """Compare a run with a published figure; the tolerance is a ratio of that figure."""
    found = measured(player, expectation)
    apart = abs(found - expectation.published) * SCALE
    return Checked(expectation, found, apart <= abs(expectation.published) * expectation.tolerance)


def with_premiums(scenario: Scenario, market: str, points: tuple[PremiumPoint, ...]) -> Scenario:
    """The scenario with the premiums of a market replaced."""
    kept = tuple(path for path in scenario.premiums if path.market != market)
    return replace(scenario, premiums=(*kept, PremiumPath(market, points)))


def with_prices(scenario: Scenario, feed: str, points: tuple[PricePoint, ...], interval: int) -> Scenario:
    """The scenario with the prices of a feed replaced."""
    kept = tuple(path for path in scenario.prices if path.feed != feed)
    return replace(scenario, prices=(*kept, PricePath(feed, interval, points)))
