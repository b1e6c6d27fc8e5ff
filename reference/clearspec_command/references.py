"""What a scenario's units and expectations refer to must exist. Found before it is run, beside what ``load`` finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clearspec.codec import DecodeError, Fault
from clearspec.events import Genesis, ListMarket, OpenAccount
from clearspec.formats import Expectation, Measure, Scenario
from clearspec.ledger import Kind
from clearspec.scenario import genesis_of


def unknown(path: str, what: str, known: Iterable[str]) -> DecodeError:
    """The error of a name that refers to nothing."""
    return DecodeError(Fault.UNKNOWN_VALUE, path, f"one of the {what} {', '.join(known) or '(there is none)'}"[:300])


def unit_faults(scenario: Scenario) -> Iterator[DecodeError]:
    """Units of unknown feeds, and units that are not positive."""
    feeds = [feed.feed for feed in scenario.genesis.feeds]
    for place, unit in enumerate(scenario.units):
        if unit.feed not in feeds:
            yield unknown(f"$.units[{place}].feed", "feeds", feeds)
        if unit.atoms < 1:
            yield DecodeError(Fault.OUT_OF_RANGE, f"$.units[{place}].atoms", "at least 1")


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
    """Everything in units and expectations that refers to nothing."""
    yield from unit_faults(scenario)
    for place, variant in enumerate(scenario.variants):
        genesis = genesis_of(scenario, variant)
        for number, expectation in enumerate(variant.expect):
            yield from expectation_faults(scenario, genesis, expectation, f"$.variants[{place}].expect[{number}]")
