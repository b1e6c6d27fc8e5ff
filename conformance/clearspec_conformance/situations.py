"""Small clearinghouses for the vectors of liquidation, waterfall and settlement.

An oracle step is 2 %, initial margin 10 %, maintenance 8 %, the penalty 1 % with half of it as reward, and there are no
fees: from 1000 an account at initial margin is liquidatable after two prices and in default after six.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.numerics import NOTIONAL_MAX
from clearspec.parameters import CollateralTerms, MarketKind, MarketListing, PoolParameters, Tier
from clearspec.sandbox import PERCENT
from clearspec_conformance.vectors import Recorder

PERP = "BTC-PERP"
FEED = replace(sb.FEED, band=2 * PERCENT)
ETH_FEED = replace(sb.ETH_FEED, band=15 * PERCENT)
ETH: CollateralTerms = replace(sb.ETH, haircut=50 * PERCENT)
"""Collateral with a haircut of 50 %, a discount of 5 % and an oracle step of 15 %."""

POOL = replace(sb.POOL, collateral=())
MARKET = replace(
    sb.MARKET,
    margin=replace(sb.MARGIN, tiers=(Tier(NOTIONAL_MAX, 10 * PERCENT, 8 * PERCENT),)),
    mark=replace(sb.MARK, variation_interval=1),
)


def tier(maintenance: int) -> tuple[Tier, ...]:
    """One tier with initial margin of 10 % and a maintenance ratio."""
    return (Tier(NOTIONAL_MAX, 10 * PERCENT, maintenance),)


def listed(market: str = PERP, pool: str = "main", window: int = 600, **sections: Any) -> MarketListing:
    """A perpetual on BTC with changes of sections of its parameters, such as ``liquidation={"minimum": 5}``."""
    changed = {name: replace(getattr(MARKET, name), **changes) for name, changes in sections.items()}
    parameters = replace(MARKET, settlement_window=window, **changed)
    return replace(sb.LISTING, market=market, pool=pool, parameters=parameters)


def future(expiry: int = 100, window: int = 1, market: str = "FUT", **sections: Any) -> MarketListing:
    """A future on BTC with changes of sections of its parameters."""
    listing = listed(market, window=window, **sections)
    return replace(listing, kind=MarketKind.FUTURE, expiry=expiry)


def pool_of(name: str = "main", **changes: Any) -> PoolParameters:
    """A pool without collateral, changed."""
    return replace(POOL, pool=name, **changes)


def world(*markets: MarketListing, pool: PoolParameters = POOL, pools: tuple[PoolParameters, ...] = ()) -> ev.Genesis:
    """A genesis of markets on BTC; without any, of the perpetual."""
    return sb.genesis(pool=pool, pools=pools, markets=markets or (listed(),), feeds=(FEED,))


def with_ether(*markets: MarketListing, pools: tuple[PoolParameters, ...] = (), **pool: Any) -> ev.Genesis:
    """A genesis of markets on BTC in a pool that takes ETH."""
    changed = replace(POOL, collateral=(ETH,), **pool)
    return sb.genesis(pool=changed, pools=pools, markets=markets or (listed(),), feeds=(FEED, ETH_FEED))


def enter(box: Recorder, price: int = 1000, **cash: int) -> None:
    """Post the first price of BTC and open accounts with cash."""
    box.price(price)
    for account, amount in cash.items():
        box.open(account, amount)


def fallen(box: Recorder, price: int, cash: int = 1000) -> None:
    """Account ``x`` with cash bought 10 lots at 1000 from ``a``; then the price moved. ``k`` holds 10000."""
    enter(box, a=10_000, x=cash, k=10_000)
    box.trade("x", "a", 10, 1000)
    box.drive(price)


def risen(box: Recorder, price: int, cash: int = 1000) -> None:
    """Account ``x`` with cash sold 10 lots at 1000 to ``a``; then the price moved. ``k`` holds 10000."""
    enter(box, a=10_000, x=cash, k=10_000)
    box.trade("a", "x", 10, 1000)
    box.drive(price)


def insure(box: Recorder, amount: int, pool: str = "main") -> None:
    """Bring settlement atoms into a pool's insurance fund."""
    box.do("sponsor", ev.Contribute(pool, ev.Fund.INSURANCE_FUND, amount))


def endow(box: Recorder, amount: int) -> None:
    """Bring settlement atoms into skin in the game."""
    box.do("sponsor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, amount))


def cash(account: str) -> str:
    """Place of an account's settlement balance."""
    return f"observable.accounts.{account}.balances.USD"


def size(account: str, market: str = PERP) -> str:
    """Place of the size of an account's position."""
    return f"observable.accounts.{account}.positions.{market}.size"


def amount(name: str) -> str:
    """Place of a named result of a receipt."""
    return f"receipt.amounts.{name}"


def posting(place: int) -> str:
    """Place of the amount of a posting."""
    return f"receipt.postings.{place}.amount"


INSURED = "observable.pools.main.insurance_fund"
SKIN = "observable.pools.main.skin_in_the_game"
UNCOVERED = "observable.pools.main.uncovered_loss"
