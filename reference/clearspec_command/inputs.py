"""Reading what a run is given: the scenario, and the user's own prices."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clearspec.codec import LONGEST_DOCUMENT, DecodeError
from clearspec.consistency import genesis_of, inconsistencies
from clearspec.formats import PricePath, Scenario
from clearspec.history import LONGEST_FILE, History, HistoryError, read, shifted
from clearspec.listing import OutsideEnvelope, build
from clearspec.parameters import MarketKind
from clearspec.scenario import load, with_premiums, with_prices
from clearspec_command.failures import BadInput
from clearspec_command.places import line_of
from clearspec_command.rows import envelope_rule

STANDARD_INPUT = "-"


def read_bytes(name: str, longest: int) -> bytes:
    """The bytes of a file; ``-`` is standard input.

    Raises:
        BadInput: it cannot be read or is too long.
    """
    try:
        if name == STANDARD_INPUT:
            data = sys.stdin.buffer.read(longest + 1)
        else:
            with Path(name).open("rb") as stream:
                data = stream.read(longest + 1)
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror or error}") from None
    if len(data) > longest:
        raise BadInput(f"{name}: longer than {longest} bytes")
    return data


def is_toml(name: str, text: str) -> bool:
    """Whether a scenario is TOML: by its suffix, else by how it begins."""
    suffix = Path(name).suffix.lower()
    return suffix == ".toml" if suffix in (".toml", ".json") else not text.lstrip().startswith("{")


def read_scenario(name: str) -> Scenario:
    """The scenario of a file, with everything that it refers to and every variant's genesis checked.

    Raises:
        BadInput: it is not a scenario that can run; file, path and what was expected are named.
    """
    data = read_bytes(name, LONGEST_DOCUMENT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{name}: line {line}: expected text in UTF-8") from None
    toml = is_toml(name, text)
    try:
        scenario = load(text, toml)
    except DecodeError as error:
        line = line_of(text, error.path) if toml else 0
        raise BadInput(f"{name}: line {line}: {error}" if line else f"{name}: {error}") from None
    require_sound(name, scenario)
    return scenario


def require_sound(name: str, scenario: Scenario) -> None:
    """Raise if a genesis of the scenario cannot be built."""
    _require_genesis(name, scenario, "$.genesis", None)
    for place in range(len(scenario.variants)):
        _require_genesis(name, scenario, f"$.variants[{place}]", place)


def _require_genesis(name: str, scenario: Scenario, path: str, variant: int | None) -> None:
    """Raise unless the genesis of a variant (``None``: of the scenario itself) can be built."""
    try:
        build(genesis_of(scenario, None if variant is None else scenario.variants[variant]))
    except OutsideEnvelope as error:
        rule = envelope_rule(error.violation.inequality)
        raise BadInput(f"{name}: {path}: {error} ({rule}; clearspec explain {rule})") from None
    except ValueError as error:
        raise BadInput(f"{name}: {path}: {error}") from None


@dataclass(frozen=True, slots=True)
class Prices:
    """The user's own prices: feeds or markets with their files, and how they are read."""

    files: tuple[tuple[str, str], ...] = ()
    units: Mapping[str, int] | None = None
    column: str = ""
    interval: int | None = None
    shift: bool = True


def feed_and_markets(scenario: Scenario, target: str) -> tuple[str, tuple[str, ...]]:
    """The feed that ``--prices`` names, itself or by a market, and the perpetuals that take its funding rates.

    Raises:
        BadInput: there is no such feed or market.
    """
    genesis = scenario.genesis
    perpetuals = [listing for listing in genesis.markets if listing.kind == MarketKind.PERPETUAL]
    if any(feed.feed == target for feed in genesis.feeds):
        return target, tuple(listing.market for listing in perpetuals if listing.feed == target)
    for listing in genesis.markets:
        if listing.market == target:
            return listing.feed, (target,) if listing in perpetuals else ()
    known = [feed.feed for feed in genesis.feeds] + [listing.market for listing in genesis.markets]
    raise BadInput(f"--prices {target}: expected one of the feeds and markets {', '.join(known)}")


def read_history(scenario: Scenario, name: str, feed: str, prices: Prices) -> History:
    """The history of a file for a feed.

    Raises:
        BadInput: it does not read; file, line, column and what was expected are named.
    """
    units = {unit.feed: unit.atoms for unit in scenario.units} | dict(prices.units or {})
    most = next(item.max_price for item in scenario.genesis.feeds if item.feed == feed)
    try:
        return read(read_bytes(name, LONGEST_FILE), name, units.get(feed, 0), prices.column, most)
    except HistoryError as error:
        hint = f" (give it with --unit {feed}=ATOMS)" if feed not in units and "atoms of" in error.expected else ""
        raise BadInput(f"{error}{hint}") from None


def first_price(scenario: Scenario) -> int:
    """Time of a scenario's first price; without prices, the time of its genesis."""
    times = [point.time for path in scenario.prices for point in path.points]
    return min(times, default=scenario.genesis.time)


def interval_for(scenario: Scenario, feed: str, interval: int | None) -> int:
    """Seconds after which a new price of a feed is posted again: as asked, as before, or one oracle step."""
    if interval is not None:
        return interval
    before = [path.interval for path in scenario.prices if path.feed == feed]
    steps = [item.step_interval for item in scenario.genesis.feeds if item.feed == feed]
    return (before or steps)[0]


def with_user_prices(scenario: Scenario, prices: Prices) -> Scenario:
    """The scenario with the user's own prices and premiums in place of its own, and the interval asked for.

    Raises:
        BadInput: a file or a name does not fit.
    """
    for feed in prices.units or {}:
        if feed not in [item.feed for item in scenario.genesis.feeds]:
            raise BadInput(f"--unit {feed}: there is no such feed")
    if not prices.files:
        if prices.interval is None:
            return scenario
        paths = tuple(PricePath(path.feed, prices.interval, path.points) for path in scenario.prices)
        return replace(scenario, prices=paths)
    found = [(name, *feed_and_markets(scenario, target)) for target, name in prices.files]
    histories = [read_history(scenario, name, feed, prices) for name, feed, _ in found]
    pairs = list(zip(found, histories, strict=True))
    _require_once("prices", [feed for (_, feed, _), history in pairs if history.points])
    _require_once(
        "funding rates", [market for (*_, markets), history in pairs if history.premiums for market in markets]
    )
    move = first_price(scenario) - min(history.start for history in histories) if prices.shift else 0
    if min(history.start for history in histories) + move < scenario.genesis.time:
        raise BadInput(f"{found[0][0]}: starts before the genesis of the scenario, {scenario.genesis.time}")
    for (_, feed, markets), history in pairs:
        scenario = _replaced(scenario, feed, markets, shifted(history, move), prices.interval)
    for place, expected in inconsistencies(scenario):
        raise BadInput(f"--prices: {place}: expected {expected}")
    return scenario


def _require_once(what: str, names: Sequence[str]) -> None:
    """Raise if a feed or market is given something twice."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise BadInput(f"--prices: {name} is given {what} twice")


def _replaced(
    scenario: Scenario, feed: str, markets: tuple[str, ...], history: History, interval: int | None
) -> Scenario:
    """The scenario with one history in place of a feed's prices and its markets' premiums."""
    if history.points:
        scenario = with_prices(scenario, feed, history.points, interval_for(scenario, feed, interval))
    for market in markets if history.premiums else ():
        scenario = with_premiums(scenario, market, history.premiums)
    return scenario
