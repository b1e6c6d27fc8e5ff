"""What the parts of a scenario say of each other must agree, and what they refer to must exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from clearspec.codec import TAGS, DecodeError, Fault
from clearspec.events import Genesis, ListMarket, OpenAccount, Reason
from clearspec.formats import Expectation, Measure, Scenario, Variant
from clearspec.ledger import Kind


def genesis_of(scenario: Scenario, variant: Variant | None) -> Genesis:
    """The scenario's genesis with the feeds, pools and markets that a variant replaces."""
    genesis = scenario.genesis
    if variant is None:
        return genesis
    feeds = {feed.feed: feed for feed in genesis.feeds} | {feed.feed: feed for feed in variant.feeds}
    pools = {pool.pool: pool for pool in genesis.pools} | {pool.pool: pool for pool in variant.pools}
    markets = {item.market: item for item in genesis.markets} | {item.market: item for item in variant.markets}
    return replace(genesis, feeds=tuple(feeds.values()), pools=tuple(pools.values()), markets=tuple(markets.values()))


def inconsistencies(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Places where the parts of a scenario contradict each other, and what was expected there."""
    feeds = {feed.feed: feed.max_price for feed in scenario.genesis.feeds}
    markets = {listing.market for listing in scenario.genesis.markets}
    start = scenario.genesis.time
    yield from _disorder("$.steps", [step.time for step in scenario.steps], start)
    for place, path in enumerate(scenario.prices):
        if path.feed not in feeds:
            yield f"$.prices[{place}].feed", f"one of the feeds {', '.join(sorted(feeds))}"
        yield from _disorder(f"$.prices[{place}].points", [point.time for point in path.points], start)
        for number, point in enumerate(path.points):
            if point.price > feeds.get(path.feed, point.price):
                yield f"$.prices[{place}].points[{number}].price", f"at most the feed's max_price, {feeds[path.feed]}"
    for place, premium in enumerate(scenario.premiums):
        if premium.market not in markets:
            yield f"$.premiums[{place}].market", f"one of the markets {', '.join(sorted(markets))}"
        yield from _disorder(f"$.premiums[{place}].points", [point.time for point in premium.points], start)
    if scenario.premiums and not scenario.genesis.venues:
        yield "$.genesis.venues", "a venue to post the premiums"
    names = [variant.name for variant in scenario.variants]
    for place, variant in enumerate(scenario.variants):
        if variant.name in names[:place]:
            yield f"$.variants[{place}].name", "each name once"
        yield from _odd_expectations(f"$.variants[{place}].expect", variant, len(scenario.steps))


def _disorder(path: str, times: list[int], start: int) -> Iterator[tuple[str, str]]:
    """The first time that is before the one above it, or before genesis."""
    for place, (before, time) in enumerate(zip([start, *times], times, strict=False)):
        if time < before:
            yield f"{path}[{place}].time", f"a time not before {before}"
            return


def _odd_expectations(path: str, variant: Variant, steps: int) -> Iterator[tuple[str, str]]:
    """Expectations that look at a step or a reason that does not exist."""
    for place, expectation in enumerate(variant.expect):
        if expectation.since > steps:
            yield f"{path}[{place}].since", f"a step, 0 to {steps}"
        if expectation.measure == Measure.REJECTIONS and expectation.subject not in Reason.__members__.values():
            yield f"{path}[{place}].subject", "a rejection reason"


def unknown(path: str, what: str, known: Iterable[str]) -> DecodeError:
    """The error of a name that refers to nothing."""
    return DecodeError(Fault.UNKNOWN_VALUE, path, f"one of the {what} {', '.join(known) or '(there is none)'}"[:300])


def unit_faults(scenario: Scenario) -> Iterator[DecodeError]:
    """Units of unknown feeds."""
    feeds = [feed.feed for feed in scenario.genesis.feeds]
    for place, unit in enumerate(scenario.units):
        if unit.feed not in feeds:
            yield unknown(f"$.units[{place}].feed", "feeds", feeds)


def subjects(scenario: Scenario, genesis: Genesis, expectation: Expectation) -> tuple[str, list[str]]:
    """What the subject of an expectation is, and what it may be."""
    if expectation.measure == Measure.NET_LIQUIDATION_VALUE or expectation.kind == Kind.USER:
        return "accounts", [step.action.account for step in scenario.steps if isinstance(step.action, OpenAccount)]
    if expectation.kind == Kind.CLEARING:
        later = [step.action.listing.market for step in scenario.steps if isinstance(step.action, ListMarket)]
        return "markets", [*(listing.market for listing in genesis.markets), *later]
    return "subjects of a fund, which has none: an empty text", [""]


def expectation_faults(scenario: Scenario, genesis: Genesis, item: Expectation, path: str) -> Iterator[DecodeError]:
    """An expectation that looks at an account, a market, an asset or a pool that does not exist."""
    if item.measure == Measure.REJECTIONS:
        return
    what, known = subjects(scenario, genesis, item)
    if item.subject not in known:
        yield unknown(f"{path}.subject", what, known)
    if item.measure == Measure.NET_LIQUIDATION_VALUE:
        return
    pools, assets = [pool.pool for pool in genesis.pools], [asset.asset for asset in genesis.assets]
    if item.asset not in assets:
        yield unknown(f"{path}.asset", "assets", assets)
    if item.pool not in pools:
        yield unknown(f"{path}.pool", "pools", pools)


def scenario_faults(scenario: Scenario) -> Iterator[DecodeError]:
    """Everything in a scenario that refers to nothing or contradicts another part, the first place first."""
    for path, expected in inconsistencies(scenario):
        yield DecodeError(Fault.INCONSISTENT, path, expected)
    yield from unit_faults(scenario)
    for place, variant in enumerate(scenario.variants):
        genesis = genesis_of(scenario, variant)
        for number, expectation in enumerate(variant.expect):
            yield from expectation_faults(scenario, genesis, expectation, f"$.variants[{place}].expect[{number}]")


ACCOUNTS = ("account", "target", "keeper", "liquidator", "buyer", "seller")
"""Fields of an action that name an account."""


def oddities(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Places that name an account which no step opens, and that account.

    No faults: a rejection may be what a scenario is to show.
    """
    opened = {step.action.account for step in scenario.steps if isinstance(step.action, OpenAccount)}
    keepers = scenario.keepers
    if keepers is not None and keepers.account not in opened:
        yield "$.keepers.account", keepers.account
    for place, step in enumerate(scenario.steps):
        for item in fields(step.action):
            name = getattr(step.action, item.name)
            if item.name in ACCOUNTS and name not in opened:
                yield f"$.steps[{place}].action.{TAGS[type(step.action)]}.{item.name}", name
