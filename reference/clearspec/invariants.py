"""Invariants: each a plain function over the state that is true after genesis and after every event.

The functions use sums, products and comparisons only, so that they run on integers and on symbolic terms alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, balance, clearing, house
from clearspec.numerics import INDEX_MAX, PRICE_MAX, SCALE, SIZE_MAX
from clearspec.rules import rule
from clearspec.state import Market, MarketStatus, Position, State

Check = Callable[[State], bool]


@dataclass(frozen=True, slots=True)
class Invariant:
    """An invariant: its id, a sentence, and the function that decides it."""

    id: str
    sentence: str
    holds: Check


INVARIANTS: list[Invariant] = []


def invariant(identifier: str, sentence: str) -> Callable[[Check], Check]:
    """Register an invariant under its rule id."""

    def register(check: Check) -> Check:
        INVARIANTS.append(Invariant(identifier, sentence, check))
        return rule(identifier)(check)

    return register


def broken(state: State) -> list[str]:
    """Ids of the invariants that do not hold."""
    return [entry.id for entry in INVARIANTS if not entry.holds(state)]


def market_positions(state: State, market: str) -> list[Position]:
    """Every position ever opened in a market."""
    return [position for (_, held), position in state.positions.items() if held == market]


def _markets(state: State) -> list[tuple[str, Market]]:
    return list(state.markets.items())


@invariant("INV-1", "The balances of each (asset, pool) sum to zero.")
def balances_sum_to_zero(state: State) -> bool:
    """Conservation: money moves between ledger accounts of one (asset, pool), and nowhere else."""
    sums: dict[tuple[str, str], int] = {}
    for (asset, pool, _, _), amount in state.balances.items():
        sums[asset, pool] = sums.get((asset, pool), 0) + amount
    return all(total == 0 for total in sums.values())


@invariant("INV-2", "Custody of each (asset, pool) is never negative.")
def custody_not_negative(state: State) -> bool:
    """No more of an asset leaves a pool than it holds."""
    return all(amount <= 0 for (_, _, kind, _), amount in state.balances.items() if kind == Kind.CUSTODY.value)


@invariant("INV-3", "Insurance fund, skin in the game and fee treasury are never negative, nor is uncovered loss.")
def funds_not_negative(state: State) -> bool:
    """Funds pay what they hold and no more; an uncovered loss is never over-covered."""
    funds = (Kind.INSURANCE_FUND.value, Kind.SKIN_IN_THE_GAME.value, Kind.FEE_TREASURY.value)
    rows = list(state.balances.items())
    paid = all(amount >= 0 for (_, _, kind, _), amount in rows if kind in funds)
    return paid and all(amount <= 0 for (_, _, kind, _), amount in rows if kind == Kind.UNCOVERED_LOSS.value)


@invariant("INV-4", "No account holds less than nothing of a collateral asset.")
def collateral_not_negative(state: State) -> bool:
    """Only the settlement balance of an account may be negative."""
    return all(
        amount >= 0
        for (asset, pool, kind, _), amount in state.balances.items()
        if kind == Kind.USER.value and asset != state.pools[pool].settlement_asset
    )


@invariant("INV-5", "The sizes of a market's positions and its settled residual sum to zero.")
def positions_balanced(state: State) -> bool:
    """Every long lot has a short lot."""
    return all(
        sum(position.size for position in market_positions(state, market)) + state.settlements[market].residual == 0
        for market, _ in _markets(state)
    )


@invariant("INV-6", "Open interest of a market is the sum of its long positions.")
def open_interest_is_long_side(state: State) -> bool:
    """The running figure equals the sum that it stands for."""
    return all(
        state.open_interest[market] == sum(max(0, position.size) for position in market_positions(state, market))
        for market, _ in _markets(state)
    )


def clearing_gap(state: State, market: str) -> int:
    """Clearing balance plus all that positions owe it; zero, whenever anyone settles."""
    record, settlement = state.markets[market], state.settlements[market]
    pool = state.pools[record.listing.pool]
    held = balance(state, clearing(pool.settlement_asset, pool.pool, market))
    funding = state.fundings[market]
    owed = sum(
        position.cost + funding_owed(position, funding.index) + haircut_owed(position, funding)
        for position in market_positions(state, market)
    )
    return held + owed + settlement.residual * settlement.price + settlement.shortfall


@invariant("INV-7", "Cost, funding owed and haircut owed of a market's positions balance its clearing account.")
def cost_balances_clearing(state: State) -> bool:
    """What the clearing account paid out is what open positions will bring in."""
    return all(clearing_gap(state, market) == 0 for market, _ in _markets(state))


@invariant("INV-8", "An account's list of markets names exactly its positions that are not flat, all in its pool.")
def position_lists_true(state: State) -> bool:
    """The list that the margin fold runs over misses no position and holds no stranger."""
    held: dict[str, set[str]] = {}
    for (account, market), position in state.positions.items():
        if position.size != 0 or position.cost != 0:
            held.setdefault(account, set()).add(market)
    for account, record in state.accounts.items():
        listed = record.markets
        if len(set(listed)) != len(listed) or set(listed) != held.get(account, set()):
            return False
        if any(state.markets[market].listing.pool != record.pool for market in listed):
            return False
    return True


@invariant("INV-9", "Prices, sizes and indices stay within their bounds; a carried remainder stays below its divisor.")
def within_bounds(state: State) -> bool:
    """The ranges from which signed 128 bits suffice."""
    marks = all(0 <= mark.price <= PRICE_MAX for _, mark in state.marks.items())
    sizes = all(abs(position.size) <= SIZE_MAX for _, position in state.positions.items())
    fundings = all(_funding_in_bounds(state, market) for market, _ in _markets(state))
    return marks and sizes and fundings


def _funding_in_bounds(state: State, market: str) -> bool:
    funding = state.fundings[market]
    return abs(funding.index) <= INDEX_MAX and 0 <= funding.carry < SCALE * 2**32


@invariant("INV-10", "A closed market holds no position, no clearing balance and no shortfall.")
def closed_markets_empty(state: State) -> bool:
    """Nothing is left in a market that has been settled."""
    for market, record in _markets(state):
        if record.status != MarketStatus.CLOSED:
            continue
        pool = state.pools[record.listing.pool]
        held = balance(state, clearing(pool.settlement_asset, pool.pool, market))
        flat = all(position.size == 0 and position.cost == 0 for position in market_positions(state, market))
        if held != 0 or state.settlements[market].shortfall != 0 or not flat:
            return False
    return True


@invariant("INV-11", "Custody and uncovered loss together equal all claims of each (asset, pool).")
def custody_backs_claims(state: State) -> bool:
    """What users and funds may claim is held, or is a named loss."""
    for pool_id, pool in state.pools.items():
        asset = pool.settlement_asset
        backing = balance(state, house(asset, pool_id, Kind.CUSTODY)) + balance(
            state, house(asset, pool_id, Kind.UNCOVERED_LOSS)
        )
        claims = sum(
            amount
            for (held, owner_pool, kind, _), amount in state.balances.items()
            if (held, owner_pool) == (asset, pool_id) and kind not in (Kind.CUSTODY.value, Kind.UNCOVERED_LOSS.value)
        )
        if claims + backing != 0:
            return False
    return True
