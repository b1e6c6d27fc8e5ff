"""Snapshot and restore of the whole state, the observable snapshot, and the state root."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from clearspec import merkle
from clearspec.codec import DecodeError, Fault, canonical_bytes, decode, encode
from clearspec.fields import Id, Length, SequenceOrZero, SizeOrZero, Time, Wide
from clearspec.formats import Observable, ObservableAccount, ObservableMarket, ObservablePool, ObservablePosition
from clearspec.funding import funding_owed, haircut_owed
from clearspec.invariants import broken
from clearspec.ledger import Kind, balance, custody_held, house, statement, uncovered_loss
from clearspec.listing import listing_violations, lowest_maintenance, opened_pool_violations
from clearspec.parameters import AssetParameters, PoolParameters, Violation, feed_violations
from clearspec.rules import rule
from clearspec.state import (
    Account,
    Budget,
    Feed,
    Funding,
    Mark,
    Market,
    Position,
    Post,
    Settlement,
    State,
)

RECORDS: dict[str, Any] = {
    "assets": AssetParameters,
    "pools": PoolParameters,
    "feeds": Feed,
    "posts": Post,
    "markets": Market,
    "marks": Mark,
    "fundings": Funding,
    "open_interest": SizeOrZero,
    "budgets": Budget,
    "pool_budgets": Budget,
    "settlements": Settlement,
    "accounts": Account,
    "positions": Position,
    "balances": Wide,
}
"""Table to the type of its records."""

KEY_PARTS = {"posts": 2, "positions": 2, "balances": 4}
"""Tables whose key has more than one part."""


class SnapshotFormat(StrEnum):
    """Version of the snapshot format."""

    V1 = "clearspec/snapshot/1"


@rule("EVENT-12")
@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """A snapshot without its objects."""

    format: SnapshotFormat
    time: Time
    sequence: SequenceOrZero
    administrators: Annotated[tuple[Id, ...], Length(16)]
    venues: Annotated[tuple[Id, ...], Length(16)]
    recent: Annotated[tuple[Id, ...], Length(4096)]


def _object(state: State, table: str, key: Any) -> dict[str, Any]:
    """One object of a snapshot: its table, its key as a list, its record."""
    parts = list(key) if isinstance(key, tuple) else [key]
    return {"table": table, "key": parts, "record": getattr(state, table)[key]}


@rule("EVENT-12")
def snapshot(state: State) -> dict[str, Any]:
    """The whole state as a JSON document; its objects stand in order of creation."""
    header = SnapshotHeader(
        SnapshotFormat.V1, state.time, state.sequence, state.administrators, state.venues, tuple(state.recent)
    )
    objects = [encode(_object(state, table, key)) for table, key in state.created]
    return {**encode(header), "objects": objects}


@rule("EVENT-12")
def restore(document: Any) -> State:
    """The state of a snapshot; it continues exactly as the one that the snapshot was taken of.

    Raises:
        DecodeError: the document is not a snapshot; the path is named.
    """
    if not isinstance(document, dict) or not isinstance(document.get("objects"), list):
        raise DecodeError(Fault.MISSING_KEY, "$.objects", "a list of objects")
    header = decode(SnapshotHeader, {name: part for name, part in document.items() if name != "objects"})
    state = State(header.time, header.sequence, header.administrators, header.venues, dict.fromkeys(header.recent))
    for place, item in enumerate(document["objects"]):
        _restore_object(state, item, f"$.objects[{place}]")
    state.created.extend((item["table"], _key(item["key"])) for item in document["objects"])
    for table in state.tables:
        table.commit()
    _require_consistent(state)
    return state


def _require_consistent(state: State) -> None:
    """Raise unless references lead somewhere, parameters are inside the envelope, marks, ramps and invariants hold.

    A state that fails one of these was not reached by events, and ``apply`` promises nothing on it.
    """
    for place, missing in _dangling(state):
        raise DecodeError(Fault.INCONSISTENT, place, f"an existing {missing}")
    for place, violation in _outside_envelope(state):
        raise DecodeError(Fault.INCONSISTENT, place, f"{violation.inequality} to hold")
    for place, expected in _out_of_reach(state):
        raise DecodeError(Fault.INCONSISTENT, place, expected)
    for invariant in broken(state):
        raise DecodeError(Fault.INCONSISTENT, "$.objects", f"{invariant} to hold")


def _outside_envelope(state: State) -> Iterator[tuple[str, Violation]]:
    """Parameters that genesis, a listing or a change of them would have refused."""
    for name, feed in state.feeds.items():
        yield from ((f"feed {name}", entry) for entry in feed_violations(feed.parameters))
    for name, pool in state.pools.items():
        yield from ((f"pool {name}", entry) for entry in opened_pool_violations(state, pool))
    for name, market in state.markets.items():
        lowest = lowest_maintenance(market.listing)
        if state.time < market.ramp_end:
            lowest = min(lowest, lowest_maintenance(replace(market.listing, parameters=market.before)))
        yield from ((f"market {name}", entry) for entry in listing_violations(state, market.listing, lowest))


def _out_of_reach(state: State) -> Iterator[tuple[str, str]]:
    """Marks whose feed has no index, and ramps that begin after the last event."""
    for name, market in state.markets.items():
        if state.marks[name].price > 0 and state.feeds[market.listing.feed].index == 0:
            yield f"market {name}", "an index of the feed of its mark"
        if market.ramp_start > state.time:
            yield f"market {name}", "a ramp that has begun"


def _dangling(state: State) -> Iterator[tuple[str, str]]:
    """Places that refer to an object that does not exist, or stand under another key than their own."""
    per_market = (state.marks, state.fundings, state.open_interest, state.budgets, state.settlements)
    for name, market in state.markets.items():
        found = [name in table for table in per_market]
        known = market.listing.pool in state.pools and market.listing.feed in state.feeds
        if market.listing.market != name or not all(found) or not known:
            yield f"market {name}", "record of each kind, pool and feed"
    for table in per_market:
        yield from ((f"{table.name} {name}", "market") for name in table if name not in state.markets)
    for name, feed in state.feeds.items():
        if feed.parameters.feed != name or any(market not in state.markets for market in feed.markets):
            yield f"feed {name}", "market"
    for name, pool in state.pools.items():
        feeds = [terms.feed for terms in pool.collateral]
        if pool.pool != name or any(feed not in state.feeds for feed in feeds) or name not in state.pool_budgets:
            yield f"pool {name}", "feed and budget"
    yield from _dangling_accounts(state)


def _dangling_accounts(state: State) -> Iterator[tuple[str, str]]:
    """Accounts, positions, posts and balances that refer to an object that does not exist."""
    for name, account in state.accounts.items():
        held = [(name, market) in state.positions for market in account.markets]
        if account.account != name or account.pool not in state.pools or not all(held):
            yield f"account {name}", "pool and position"
        if account.last_market and account.last_market not in state.markets:
            yield f"account {name}", "last market"
    for owner, market in state.positions:
        if owner not in state.accounts or market not in state.markets:
            yield f"position {owner} {market}", "account and market"
    yield from ((f"post {feed} {source}", "feed") for feed, source in state.posts if feed not in state.feeds)
    yield from ((f"balance {key}", "pool") for key in state.balances if key[1] not in state.pools)


def _key(parts: list[str]) -> Any:
    """The key of an object from its parts."""
    return parts[0] if len(parts) == 1 else tuple(parts)


def _restore_object(state: State, item: Any, path: str) -> None:
    """Put one object of a snapshot into its table."""
    if not isinstance(item, dict) or set(item) != {"table", "key", "record"}:
        raise DecodeError(Fault.WRONG_TYPE, path, "an object with table, key and record")
    table = item["table"]
    if not isinstance(table, str) or table not in RECORDS:
        raise DecodeError(Fault.UNKNOWN_VALUE, f"{path}.table", f"one of {', '.join(RECORDS)}")
    parts = item["key"]
    fits = isinstance(parts, list) and len(parts) == KEY_PARTS.get(table, 1)
    if not fits or not all(isinstance(part, str) for part in parts):
        raise DecodeError(Fault.WRONG_TYPE, f"{path}.key", f"a list of {KEY_PARTS.get(table, 1)} strings")
    key = _key(parts)
    if key in getattr(state, table):
        raise DecodeError(Fault.DUPLICATE_KEY, f"{path}.key", "each object once")
    getattr(state, table).put(key, decode(RECORDS[table], item["record"], f"{path}.record"))


def leaves(state: State) -> list[bytes]:
    """Leaf hashes of the state's objects in order of creation."""
    return [merkle.leaf_hash(canonical_bytes(_object(state, table, key))) for table, key in state.created]


@rule("EVENT-14")
def state_root(state: State) -> str:
    """Merkle root of the state, as 64 hexadecimal digits; computed on demand."""
    return merkle.root(leaves(state)).hex()


@rule("EVENT-14")
def proof_of(state: State, table: str, key: Any) -> tuple[int, list[str]]:
    """Creation ordinal of an object and the siblings that prove its inclusion.

    Raises:
        ValueError: there is no such object.
    """
    ordinal = state.created.index((table, key))
    return ordinal, [sibling.hex() for sibling in merkle.inclusion_proof(leaves(state), ordinal)]


def _observable_account(state: State, account: Account) -> ObservableAccount:
    """An account with everything settled that it owes."""
    balances = statement(state, account.account)
    positions = {}
    asset = state.pools[account.pool].settlement_asset
    for market in account.markets:
        position, funding = state.positions[account.account, market], state.fundings[market]
        balances[asset] -= funding_owed(position, funding.index) + haircut_owed(position, funding)
        positions[market] = ObservablePosition(position.size, position.cost)
    return ObservableAccount(account.owner, account.pool, balances, positions)


def _observable_market(state: State, market: str) -> ObservableMarket:
    """A market's public figures."""
    funding, settlement = state.fundings[market], state.settlements[market]
    return ObservableMarket(
        state.markets[market].status,
        state.marks[market].price,
        state.open_interest[market],
        funding.index,
        funding.haircut_long,
        funding.haircut_short,
        settlement.price,
        settlement.shortfall,
    )


def _observable_pool(state: State, pool: PoolParameters) -> ObservablePool:
    """A pool's public figures."""
    asset = pool.settlement_asset
    assets = [asset] + [terms.asset for terms in pool.collateral]
    funds = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)
    insurance, skin, treasury = (balance(state, house(asset, pool.pool, fund)) for fund in funds)
    custody = {name: custody_held(state, name, pool.pool) for name in assets}
    return ObservablePool(custody, insurance, skin, treasury, uncovered_loss(state, pool.pool))


@rule("EVENT-13")
def observable(state: State) -> Observable:
    """The observable snapshot: what every engine can publish, whatever it settles when."""
    return Observable(
        state.sequence,
        state.time,
        {name: _observable_account(state, account) for name, account in state.accounts.items()},
        {name: feed.index for name, feed in state.feeds.items()},
        {name: _observable_market(state, name) for name in state.markets},
        {name: _observable_pool(state, pool) for name, pool in state.pools.items()},
    )
