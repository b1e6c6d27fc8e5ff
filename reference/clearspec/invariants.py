"""Invariants: each a plain function over the state that is true after genesis and after every event.

The functions use sums, products and comparisons only, so that they run on integers and on symbolic terms alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, balance, clearing
from clearspec.numerics import INDEX_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX
from clearspec.rules import rule
from clearspec.state import Market, MarketStatus, Position, Settlement, State

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


def highest_price(state: State, record: Market) -> int:
    """The highest price of the feed that a market follows."""
    return state.feeds[record.listing.feed].parameters.max_price


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
    marks = all(0 <= mark.price <= PRICE_MAX for mark in state.marks.values())
    feeds = all(0 <= feed.index <= feed.parameters.max_price for feed in state.feeds.values())
    sizes = all(abs(position.size) <= SIZE_MAX for position in state.positions.values())
    return marks and feeds and sizes and all(_funding_in_bounds(state, market) for market, _ in _markets(state))


def _funding_in_bounds(state: State, market: str) -> bool:
    funding = state.fundings[market]
    period = state.markets[market].listing.parameters.funding.period
    haircuts = 0 <= funding.haircut_long <= INDEX_MAX and 0 <= funding.haircut_short <= INDEX_MAX
    return haircuts and abs(funding.index) <= INDEX_MAX and 0 <= funding.carry < SCALE * period


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


@invariant(
    "INV-11", "What accounts are worth at mark and what funds hold equals custody, uncovered loss and shortfalls."
)
def assets_cover_claims(state: State) -> bool:
    """Solvency of each pool in its settlement asset: every claim is held in custody or is a named loss."""
    return all(claims_gap(state, pool) == 0 for pool in state.pools)


def claims_gap(state: State, pool_id: str) -> int:
    """Claims on a pool at mark less custody, uncovered loss and shortfalls, in settlement atoms."""
    asset = state.pools[pool_id].settlement_asset
    held = sum(
        amount
        for (held_asset, pool, kind, _), amount in state.balances.items()
        if (held_asset, pool) == (asset, pool_id) and kind != Kind.CLEARING.value
    )
    markets = [market for market, record in _markets(state) if record.listing.pool == pool_id]
    return held + sum(_value_at_mark(state, market) for market in markets)


def _value_at_mark(state: State, market: str) -> int:
    """Worth at mark of all positions of a market, less its shortfall."""
    funding, price = state.fundings[market], state.marks[market].price
    worth = sum(
        position.size * price - position.cost - funding_owed(position, funding.index) - haircut_owed(position, funding)
        for position in market_positions(state, market)
    )
    return worth - state.settlements[market].shortfall


@invariant(
    "INV-12", "The cost of an open position has the sign of its size and is at most its size at the highest price."
)
def cost_within_size(state: State) -> bool:
    """The bound that keeps the release of cost within 128 bits; a settled position holds a claim and no loss."""
    return all(_cost_in_bounds(position) for position in state.positions.values())


def _cost_in_bounds(position: Position) -> bool:
    if position.size > 0:
        return 0 <= position.cost <= position.size * PRICE_MAX
    if position.size < 0:
        return position.size * PRICE_MAX <= position.cost <= 0
    return position.cost <= 0


@invariant("INV-13", "What final settlement owes is what settled positions claim, and its figures fit its phase.")
def settlement_in_order(state: State) -> bool:
    """Nothing is settled before the price is fixed, nothing paid before every position is settled."""
    return all(_claims_due(state, market) and _phase_fits(state, market, record) for market, record in _markets(state))


def _claims_due(state: State, market: str) -> bool:
    settlement = state.settlements[market]
    claims = sum(-position.cost for position in market_positions(state, market) if position.size == 0)
    return claims == settlement.claims - settlement.claimed


def _phase_fits(state: State, market: str, record: Market) -> bool:
    settlement = state.settlements[market]
    if record.status == MarketStatus.CLOSED:
        return True
    if record.status != MarketStatus.SETTLING:
        return _not_begun(settlement)
    if settlement.price != state.marks[market].price or settlement.price < 1:
        return False
    if settlement.collected:
        return _paying_in_order(state, market, record, settlement)
    lots_left = state.open_interest[market] != 0 or settlement.residual != 0
    nothing_paid = settlement.claimed == 0 and settlement.pot == 0
    return lots_left and nothing_paid and settlement.claims >= 0 and settlement.shortfall >= 0


def _not_begun(settlement: Settlement) -> bool:
    figures = (settlement.price, settlement.residual, settlement.shortfall, settlement.pot)
    due = (settlement.claims, settlement.claimed)
    return all(figure == 0 for figure in (*figures, *due)) and not settlement.collected


def _paying_in_order(state: State, market: str, record: Market, settlement: Settlement) -> bool:
    """Everything is settled, and of the pot is gone what the claims paid so far come to, rounded down."""
    if state.open_interest[market] != 0 or settlement.residual != 0:
        return False
    pool = state.pools[record.listing.pool]
    paid = settlement.pot - balance(state, clearing(pool.settlement_asset, pool.pool, market))
    share, claims = settlement.pot * settlement.claimed, settlement.claims
    in_range = 0 <= settlement.claimed < claims and 0 <= settlement.pot <= claims
    return in_range and paid * claims <= share < (paid + 1) * claims


@invariant(
    "INV-14", "A settlement TWAP has accrued at most its feed's highest price for each second of its window gone by."
)
def twap_within_prices(state: State) -> bool:
    """So the price at which a market settles is a price."""
    return all(_twap_in_bounds(state, market, record) for market, record in _markets(state))


def _twap_in_bounds(state: State, market: str, record: Market) -> bool:
    if record.status in (MarketStatus.SETTLING, MarketStatus.CLOSED):
        return True
    settlement, expiry = state.settlements[market], record.listing.expiry
    start = expiry - record.listing.parameters.settlement_window
    if expiry != 0 and start < 0:
        return False
    if settlement.accrued_time == 0:
        return settlement.accrued == 0
    if expiry == 0 or not start < settlement.accrued_time <= expiry or settlement.accrued_time > state.time:
        return False
    return 0 <= settlement.accrued <= highest_price(state, record) * (settlement.accrued_time - start)


@invariant(
    "INV-15", "The long lots of a market and its short lots are each within the bounds of a size and a notional."
)
def sides_bounded(state: State) -> bool:
    """Sums over a side stay within 128 bits, however many positions it has; settled positions have left theirs."""
    return all(_sides_in_bounds(state, market, record) for market, record in _markets(state))


def _sides_in_bounds(state: State, market: str, record: Market) -> bool:
    longs = state.open_interest[market]
    top = highest_price(state, record)
    sides = (longs, longs + state.settlements[market].residual)
    return all(0 <= lots <= SIZE_MAX and lots * top <= NOTIONAL_MAX for lots in sides)


@invariant("INV-16", "The anchor of a feed and the marks of the markets that follow it are at most its highest price.")
def prices_within_caps(state: State) -> bool:
    """The next index is banded around the anchor; no position is worth more than its lots at the highest price."""
    anchors = all(0 <= feed.anchor <= feed.parameters.max_price for feed in state.feeds.values())
    return anchors and all(
        state.marks[market].price <= highest_price(state, record) for market, record in _markets(state)
    )


@invariant("INV-17", "A market in which lots are open has had a price.")
def open_lots_have_marks(state: State) -> bool:
    """No lot is worth nothing because its market never had a mark."""
    return all(state.open_interest[market] == 0 or state.marks[market].price >= 1 for market, _ in _markets(state))
