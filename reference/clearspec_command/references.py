"""What a scenario refers to must exist: feeds, markets, accounts, reasons, steps. Found before it is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clearspec.codec import DecodeError, Fault
from clearspec.events import Genesis, ListMarket, OpenAccount, Reason
from clearspec.formats import Expectation, Measure, Scenario, Variant
from clearspec.ledger import Kind
from clearspec.scenario import genesis_of


def unknown(path: str, what: str, known: Iterable[str]) -> DecodeError:
    """The error of a name that refers to nothing."""
    return DecodeError(Fault.UNKNOWN_VALUE, path, f"one of the {what} {', '.join(known) or '(there is none)'}"[:300])


def listed_markets(scenario: Scenario, genesis: Genesis) -> list[str]:
    """Markets of genesis, and those that a step lists."""
    later = [step.action.listing.market for step in scenario.steps if isinstance(step.action, ListMarket)]
    return [*(listing.market for listing in genesis.markets), *later]


def path_faults(scenario: Scenario, genesis: Genesis) -> Iterator[DecodeError]:
    """Prices and units of unknown feeds, premiums of unknown markets, units that are not positive."""
    feeds = [feed.feed for feed in genesis.feeds]
    markets = listed_markets(scenario, genesis)
    for place, prices in enumerate(scenario.prices):
        if prices.feed not in feeds:
            yield unknown(f"$.prices[{place}].feed", "feeds", feeds)
    for place, premiums in enumerate(scenario.premiums):
        if premiums.market not in markets:
            yield unknown(f"$.premiums[{place}].market", "markets", markets)
    for place, unit in enumerate(scenario.units):
        if unit.feed not in feeds:
            yield unknown(f"$.units[{place}].feed", "feeds", feeds)
        if unit.atoms < 1:
            yield DecodeError(Fault.OUT_OF_RANGE, f"$.units[{place}].atoms", "at least 1")


def subjects(scenario: Scenario, genesis: Genesis, expectation: Expectation) -> tuple[str, list[str]]:
    """What the subject of an expectation is, and what it may be."""
    accounts = [step.action.account for step in scenario.steps if isinstance(step.action, OpenAccount)]
    if expectation.measure == Measure.REJECTIONS:
        return "reasons", [reason.value for reason in Reason]
    if expectation.measure == Measure.NET_LIQUIDATION_VALUE or expectation.kind == Kind.USER:
        return "accounts", accounts
    if expectation.kind == Kind.CLEARING:
        return "markets", listed_markets(scenario, genesis)
    return "subjects of a fund, which has none: an empty text", [""]


def expectation_faults(scenario: Scenario, genesis: Genesis, item: Expectation, path: str) -> Iterator[DecodeError]:
    """An expectation that looks at something that does not exist."""
    what, known = subjects(scenario, genesis, item)
    if item.subject not in known:
        yield unknown(f"{path}.subject", what, known)
    if item.measure not in (Measure.BALANCE, Measure.BALANCE_CHANGE):
        return
    pools, assets = [pool.pool for pool in genesis.pools], [asset.asset for asset in genesis.assets]
    if item.kind is None:
        yield unknown(f"{path}.kind", "kinds", [kind.value for kind in Kind])
    if item.asset not in assets:
        yield unknown(f"{path}.asset", "assets", assets)
    if item.pool not in pools:
        yield unknown(f"{path}.pool", "pools", pools)
    if item.since > len(scenario.steps):
        yield DecodeError(Fault.OUT_OF_RANGE, f"{path}.since", f"0 to {len(scenario.steps)}, the number of steps")


def variant_faults(scenario: Scenario, variant: Variant, path: str) -> Iterator[DecodeError]:
    """Expectations of a variant that look at something that does not exist."""
    genesis = genesis_of(scenario, variant)
    for place, expectation in enumerate(variant.expect):
        yield from expectation_faults(scenario, genesis, expectation, f"{path}.expect[{place}]")


def scenario_faults(scenario: Scenario) -> Iterator[DecodeError]:
    """Everything in a scenario that refers to nothing."""
    yield from path_faults(scenario, scenario.genesis)
    names = [variant.name for variant in scenario.variants]
    for place, variant in enumerate(scenario.variants):
        if variant.name in names[:place]:
            yield DecodeError(Fault.INCONSISTENT, f"$.variants[{place}].name", "a name that no variant above has")
        yield from variant_faults(scenario, variant, f"$.variants[{place}]")
