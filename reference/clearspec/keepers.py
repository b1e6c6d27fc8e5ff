"""Keepers: the events that anyone sends to keep a clearinghouse healthy. A runner uses them; ``apply`` does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clearspec.collateral import conversion_need
from clearspec.events import (
    AccrueFunding,
    Action,
    Context,
    Convert,
    FixSettlement,
    Liquidate,
    PayClaim,
    Receipt,
    ResolveDefault,
    SettlePosition,
)
from clearspec.formats import Keepers
from clearspec.funding import is_due
from clearspec.ledger import balance, user
from clearspec.margin import collateral_price, is_liquidatable, standing
from clearspec.numerics import SCALE, div_floor
from clearspec.oracle import is_fresh
from clearspec.parameters import CollateralTerms
from clearspec.state import MarketStatus, State
from clearspec.waterfall import awaits_settlement

Do = Callable[[str, Action], Receipt]
"""Sends an action of an actor now and returns its receipt."""

CLOSED = (MarketStatus.SETTLING, MarketStatus.CLOSED)


def keep(state: State, time: int, keepers: Keepers, do: Do) -> None:
    """Accrue funding, liquidate, convert, resolve defaults and settle expired markets, as far as the rules let.

    Looks at every account, which a runner may and a transition may not.
    """
    if keepers.funding:
        for market in due_fundings(state, time):
            do(keepers.actor, AccrueFunding(market))
    for account in list(state.accounts):
        rescue(state, time, keepers, do, account)
    for market in list(state.markets):
        settle(state, time, keepers, do, market)


def due_fundings(state: State, time: int) -> list[str]:
    """Perpetuals whose funding interval has passed and whose price is fresh."""
    ctx = Context(state, time)
    found = []
    for name, market in state.markets.items():
        if market.status not in CLOSED and is_due(ctx, name) and is_fresh(ctx, name):
            found.append(name)
    return found


def liquidators(state: State, keepers: Keepers, account: str) -> Iterator[str]:
    """Accounts that may take a position: the keepers' own, then the pool's backstop."""
    pool = state.pools[state.accounts[account].pool]
    for name in (keepers.account, pool.backstop):
        if name and name != account and name in state.accounts and state.accounts[name].pool == pool.pool:
            yield name


def rescue(state: State, time: int, keepers: Keepers, do: Do, account: str) -> None:
    """Liquidate an account below maintenance, convert its collateral, and resolve it once it is in default."""
    ctx = Context(state, time)
    if not is_liquidatable(standing(ctx, account)):
        return
    for market in state.accounts[account].markets:
        if is_fresh(ctx, market) and state.markets[market].status not in CLOSED:
            liquidate(state, time, keepers, do, account, market)
    convert(state, time, keepers, do, account)
    held = standing(ctx, account)
    settling = any(awaits_settlement(ctx, state.markets[market]) for market in state.accounts[account].markets)
    if (
        held.net_liquidation_value < 0
        and held.collateral <= state.pools[state.accounts[account].pool].dust
        and not settling
    ):
        do(keepers.actor, ResolveDefault(account))


def liquidate(state: State, time: int, keepers: Keepers, do: Do, account: str, market: str) -> None:
    """Send liquidations of one position until the account is healthy, the position closed or nobody takes it.

    A liquidator that cannot carry a piece tries a quarter of it. An account in default is left to the waterfall: it
    has nothing left to pay a penalty with.
    """
    ctx = Context(state, time)
    for name in liquidators(state, keepers, account):
        size = abs(state.positions[account, market].size)
        while size > 0 and state.positions[account, market].size != 0:
            held = standing(ctx, account)
            if not is_liquidatable(held) or held.net_liquidation_value < 0:
                return
            if not do(keepers.actor, Liquidate(account, name, market, size)).accepted:
                size //= 4


def convert(state: State, time: int, keepers: Keepers, do: Do, account: str) -> None:
    """Buy an account's collateral as far as it is needed; a keeper that cannot pay tries a quarter of it."""
    pool = state.pools[state.accounts[account].pool]
    for terms in pool.collateral:
        for name in liquidators(state, keepers, account):
            amount = convertible(state, time, account, terms)
            while amount > 0:
                taken = do(keepers.actor, Convert(account, name, terms.asset, amount)).accepted
                amount = convertible(state, time, account, terms) if taken else amount // 4


def convertible(state: State, time: int, account: str, terms: CollateralTerms) -> int:
    """Atoms of an asset of an account that may be converted now."""
    ctx = Context(state, time)
    pool = state.pools[state.accounts[account].pool]
    price = collateral_price(ctx, terms)
    need = conversion_need(standing(ctx, account), pool)
    owned = balance(state, user(terms.asset, pool.pool, account))
    return min(owned, needed_for(need, price, terms)) if price > 0 and need > 0 else 0


def needed_for(shortfall: int, price: int, terms: CollateralTerms) -> int:
    """Fewest atoms of collateral whose conversion, which rounds up, pays a shortfall."""
    return div_floor((shortfall - 1) * terms.unit * SCALE, price * (SCALE - terms.discount)) + 1


def settle(state: State, time: int, keepers: Keepers, do: Do, market: str) -> None:
    """Carry an expired market through both phases of final settlement."""
    record = state.markets[market]
    if record.status not in CLOSED and 0 < record.listing.expiry <= time:
        do(keepers.actor, FixSettlement(market))
    if state.markets[market].status != MarketStatus.SETTLING:
        return
    holders = [owner for (owner, held), position in state.positions.items() if held == market and position.size != 0]
    for owner in holders:
        do(keepers.actor, SettlePosition(owner, market))
    claimants = [owner for (owner, held), position in state.positions.items() if held == market and position.cost < 0]
    for owner in claimants:
        do(keepers.actor, PayClaim(owner, market))
