"""Invariants that the proofs need beside INV-1 to INV-12, written as the reference writes its own.

Each is supposed of the state before an event and claimed of the state after it, like the others.
"""

from __future__ import annotations

from clearspec.invariants import Invariant, market_positions
from clearspec.ledger import balance, clearing
from clearspec.numerics import NOTIONAL_MAX, PRICE_MAX, SIZE_MAX
from clearspec.state import Market, MarketStatus, Settlement, State


def settlement_in_order(state: State) -> bool:
    """What final settlement owes is what settled positions claim, and its figures fit the phase that it is in."""
    return all(_claims_due(state, market) and _phase_fits(state, market) for market in state.markets)


def _claims_due(state: State, market: str) -> bool:
    settlement = state.settlements[market]
    claims = sum(-position.cost for position in market_positions(state, market) if position.size == 0)
    return claims == settlement.claims - settlement.claimed


def _phase_fits(state: State, market: str) -> bool:
    """Nothing is settled before the price is fixed; nothing is paid before every position is settled."""
    record, settlement = state.markets[market], state.settlements[market]
    if record.status == MarketStatus.CLOSED:
        return True
    if record.status != MarketStatus.SETTLING:
        figures = (settlement.price, settlement.residual, settlement.shortfall, settlement.pot)
        return all(figure == 0 for figure in (*figures, settlement.claims, settlement.claimed)) and (
            not settlement.collected
        )
    if settlement.price != state.marks[market].price or settlement.price < 1:
        return False
    if settlement.collected:
        return _paying_in_order(state, market, record, settlement)
    open_lots = state.open_interest[market] != 0 or settlement.residual != 0
    kept = settlement.claims >= 0 and settlement.shortfall >= 0
    return kept and settlement.claimed == 0 and settlement.pot == 0 and open_lots


def _paying_in_order(state: State, market: str, record: Market, settlement: Settlement) -> bool:
    """Everything is settled, and of the pot is gone what the claims paid so far come to, rounded down."""
    if state.open_interest[market] != 0 or settlement.residual != 0:
        return False
    pool = state.pools[record.listing.pool]
    paid = settlement.pot - balance(state, clearing(pool.settlement_asset, pool.pool, market))
    share, claims = settlement.pot * settlement.claimed, settlement.claims
    in_range = 0 <= settlement.claimed < claims and 0 <= settlement.pot <= claims
    return in_range and paid * claims <= share < (paid + 1) * claims


def twap_within_prices(state: State) -> bool:
    """What a settlement TWAP has accrued is at most the highest price for the seconds of its window gone by."""
    return all(_twap_in_bounds(state, market, record) for market, record in state.markets.items())


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
    return 0 <= settlement.accrued <= PRICE_MAX * (settlement.accrued_time - start)


def sides_bounded(state: State) -> bool:
    """The long lots of a market and its short lots are each within the bounds of a size and of a notional."""
    return all(_sides_in_bounds(state, market, record) for market, record in state.markets.items())


def _sides_in_bounds(state: State, market: str, record: Market) -> bool:
    longs = state.open_interest[market]
    top = state.feeds[record.listing.feed].parameters.max_price
    sides = (longs, longs + state.settlements[market].residual)
    return all(0 <= lots <= SIZE_MAX and lots * top <= NOTIONAL_MAX for lots in sides)


def anchors_within_caps(state: State) -> bool:
    """The anchor of a feed is at most its highest price."""
    return all(0 <= feed.anchor <= feed.parameters.max_price for feed in state.feeds.values())


def open_lots_have_marks(state: State) -> bool:
    """A market in which lots are open has had a price."""
    return all(state.open_interest[market] == 0 or state.marks[market].price >= 1 for market in state.markets)


PROPOSED = (
    Invariant("INV-13 (proposed)", settlement_in_order.__doc__ or "", settlement_in_order),
    Invariant("INV-14 (proposed)", twap_within_prices.__doc__ or "", twap_within_prices),
    Invariant("INV-15 (proposed)", sides_bounded.__doc__ or "", sides_bounded),
    Invariant("INV-16 (proposed)", anchors_within_caps.__doc__ or "", anchors_within_caps),
    Invariant("INV-17 (proposed)", open_lots_have_marks.__doc__ or "", open_lots_have_marks),
)
