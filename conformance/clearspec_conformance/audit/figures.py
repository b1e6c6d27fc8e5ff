"""Published figures against the engine's own books, and the invariants that figures alone can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from clearspec.numerics import INDEX_MAX, PRICE_MAX, SIZE_MAX
from clearspec.state import BalanceKey, MarketStatus, State
from clearspec_conformance.audit.books import (
    CLEARING,
    CUSTODY,
    FUNDS,
    LOSS,
    USER,
    Books,
    Breach,
    cost_in_bounds,
    ledger_name,
)
from clearspec_conformance.verdicts import Difference

ADDS_UP = "LEDG-3"
"""A published balance is the sum of what the engine itself posted."""

FOLLOWS_FILLS = "TRADE-1"
"""A published position is what the engine's own fills lead to."""

Document = Mapping[str, Any]
"""A part of an observable snapshot as it goes on the wire, well formed and without nulls."""


def seen(books: Books, figures: Document) -> Iterator[Breach]:
    """Judge published figures one by one, and take them as the engine's word from here on."""
    for pool, part in figures.get("pools", {}).items():
        yield from seen_pool(books, pool, part)
    for account, part in figures.get("accounts", {}).items():
        yield from seen_account(books, account, part)
    for market, part in figures.get("markets", {}).items():
        yield from seen_market(books, market, part)
    for feed, index in figures.get("feeds", {}).items():
        yield from within(books, f"feeds.{feed}", int(index), 0, books.caps.get(feed, PRICE_MAX))


def within(books: Books, path: str, value: int, low: int, high: int) -> Iterator[Breach]:
    """A figure outside its range (INV-9)."""
    return books.judged("INV-9", path, low <= value <= high, f"{low} to {high}", value)


def ledger_account(books: Books, key: BalanceKey, value: int) -> Iterator[Breach]:
    """A published balance that is not the sum of the engine's postings, or out of bounds; it counts from here on."""
    own = books.balances.get(key, 0)
    if books.known and own != value:
        yield stated_otherwise(ADDS_UP, f"balances.{ledger_name(key)}", f"{own} by its own postings", value)
    books.balances[key] = value
    yield from books.bounded(key, value)


def stated_otherwise(rule: str, path: str, expected: str, got: int) -> Breach:
    """A published number that is not what the engine's own word leads to."""
    return Breach(rule, Difference(f"$.own.{path}", expected, str(got)))


def seen_pool(books: Books, pool: str, part: Document) -> Iterator[Breach]:
    """Custody, funds and uncovered loss of a pool."""
    asset = books.settlement.get(pool, "")
    for name, value in part.get("custody", {}).items():
        yield from ledger_account(books, (name, pool, CUSTODY, ""), -int(value))
    for kind in FUNDS:
        if kind in part:
            yield from ledger_account(books, (asset, pool, kind, ""), int(part[kind]))
    if "uncovered_loss" in part:
        yield from ledger_account(books, (asset, pool, LOSS, ""), -int(part["uncovered_loss"]))


def seen_account(books: Books, account: str, part: Document) -> Iterator[Breach]:
    """Positions of an account, and those balances that no funding or haircut may be netted in."""
    for market, position in part.get("positions", {}).items():
        yield from seen_position(books, account, market, position)
    pool = books.account_pools.get(account, "")
    for asset, value in part.get("balances", {}).items():
        if asset != books.settlement.get(pool) or is_flat(books, account):
            yield from ledger_account(books, (asset, pool, USER, account), int(value))


def is_flat(books: Books, account: str) -> bool:
    """Whether an account is known to hold no lots, so that its settlement balance owes nothing."""
    return not books.vague and not books.open[account]


def seen_position(books: Books, account: str, market: str, part: Document) -> Iterator[Breach]:
    """A published position against the engine's own fills; it counts from here on."""
    held = books.position(account, market)
    path = f"positions.{account}.{market}"
    for name, unknown in (("size", books.vague), ("cost", books.vague | books.costless)):
        own = getattr(held, name)
        if name in part and market not in unknown and own != int(part[name]):
            yield stated_otherwise(FOLLOWS_FILLS, f"{path}.{name}", f"{own} by its own fills", int(part[name]))
    size, cost = int(part.get("size", held.size)), int(part.get("cost", held.cost))
    yield from books.put(account, market, size, cost)
    yield from within(books, f"{path}.size", size, -SIZE_MAX, SIZE_MAX)


RANGES = {
    "mark": (0, PRICE_MAX),
    "settlement_price": (0, PRICE_MAX),
    "funding_index": (-INDEX_MAX, INDEX_MAX),
    "haircut_long": (0, INDEX_MAX),
    "haircut_short": (0, INDEX_MAX),
}
"""Figures of a market with a range of their own."""


def seen_market(books: Books, market: str, part: Document) -> Iterator[Breach]:
    """Ranges of a market's figures, and open interest against the engine's own fills."""
    for name, (low, high) in RANGES.items():
        if name in part:
            yield from within(books, f"markets.{market}.{name}", int(part[name]), low, high)
    if "open_interest" in part and market not in books.vague:
        own, path = books.long[market], f"markets.{market}.open_interest"
        holds = own == int(part["open_interest"])
        yield from books.judged("INV-6", path, holds, f"{own}, the sum of the long positions", part["open_interest"])


# A whole observable snapshot


def missing_positions(books: Books, whole: Document) -> Iterator[Breach]:
    """Positions that the engine's own fills lead to and that a whole snapshot does not name: they are flat."""
    stated = {(name, market) for name, part in whole["accounts"].items() for market in part["positions"]}
    for account, market in [key for key, held in books.held.items() if key not in stated and (held.size or held.cost)]:
        yield from seen_position(books, account, market, {"size": "0", "cost": "0"})


def positions_of(whole: Document) -> Iterator[tuple[str, str, int, int]]:
    """Account, market, size and cost of every position."""
    for account, part in whole["accounts"].items():
        for market, position in part["positions"].items():
            yield account, market, int(position["size"]), int(position["cost"])


def unsettled_pools(books: Books, whole: Document) -> list[str]:
    """Pools without a market in final settlement, of which shortfalls and residuals are not published."""
    settling = {
        books.market_pools.get(name)
        for name, part in whole["markets"].items()
        if part["status"] == MarketStatus.SETTLING.value
    }
    return [pool for pool in whole["pools"] if pool not in settling]


def judged_whole(books: Books, whole: Document) -> Iterator[Breach]:
    """The invariants over sums of a whole observable snapshot, from which on every position is known."""
    yield from missing_positions(books, whole)
    books.vague.clear()
    books.costless.clear()
    sizes: Counter[str] = Counter()
    longs: Counter[str] = Counter()
    for account, market, size, cost in positions_of(whole):
        sizes[market] += size
        longs[market] += max(0, size)
        path = f"positions.{account}.{market}"
        home = books.market_pools.get(market) == whole["accounts"][account]["pool"]
        yield from books.judged(
            "INV-8", path, home and (size, cost) != (0, 0), "a position in a market of the pool", ""
        )
        yield from books.judged("INV-12", f"{path}.cost", cost_in_bounds(size, cost), "the sign of the size", cost)
    for market, part in whole["markets"].items():
        yield from judged_market(books, market, part, sizes[market], longs[market])
    for pool in unsettled_pools(books, whole):
        yield from solvent(books, whole, pool)
        if books.known:
            yield from cleared(books, whole, pool)


def judged_market(books: Books, market: str, part: Document, size: int, long: int) -> Iterator[Breach]:
    """The sums over the positions of a market."""
    path, interest = f"markets.{market}", int(part["open_interest"])
    if part["status"] != MarketStatus.SETTLING.value:
        yield from books.judged("INV-5", f"{path}.sizes", size == 0, 0, size)
    yield from books.judged("INV-6", f"{path}.open_interest", interest == long, long, interest)
    if part["status"] == MarketStatus.CLOSED.value:
        pool = books.market_pools.get(market, "")
        held = books.balances.get((books.settlement.get(pool, ""), pool, CLEARING, market), 0) if books.known else 0
        empty = (long, size, held) == (0, 0, 0)
        yield from books.judged("INV-10", path, empty, "nothing left", f"{long} lots long, clearing {held}")


def members(books: Books, whole: Document, pool: str) -> Iterator[tuple[str, int, int]]:
    """Account, published settlement balance and cost of positions, of every account of a pool."""
    asset = books.settlement.get(pool, "")
    for account, part in whole["accounts"].items():
        if part["pool"] == pool:
            cost = sum(int(position["cost"]) for position in part["positions"].values())
            yield account, int(part["balances"].get(asset, 0)), cost


def solvent(books: Books, whole: Document, pool: str) -> Iterator[Breach]:
    """INV-11 from published figures: worth of accounts and funds against custody and uncovered loss."""
    part, asset = whole["pools"][pool], books.settlement.get(pool, "")
    marks = {name: int(market["mark"]) for name, market in whole["markets"].items()}
    worth = sum(balance - cost for _, balance, cost in members(books, whole, pool))
    worth += sum(
        size * marks.get(market, 0)
        for account, market, size, _ in positions_of(whole)
        if whole["accounts"][account]["pool"] == pool
    )
    claims = worth + sum(int(part[kind]) for kind in FUNDS)
    backed = int(part["custody"].get(asset, 0)) + int(part["uncovered_loss"])
    yield from books.judged("INV-11", f"pools.{pool}.claims", claims == backed, backed, claims)


def cleared(books: Books, whole: Document, pool: str) -> Iterator[Breach]:
    """INV-7 summed over a pool: clearing by own postings, published costs, and what published balances are net of."""
    asset = books.settlement.get(pool, "")
    rows = [(kind, amount) for (held, home, kind, _), amount in books.balances.items() if (held, home) == (asset, pool)]
    clearing = sum(amount for kind, amount in rows if kind == CLEARING)
    posted = sum(amount for kind, amount in rows if kind == USER)
    stated = list(members(books, whole, pool))
    gap = clearing + sum(cost for *_, cost in stated) + posted - sum(balance for _, balance, _ in stated)
    yield from books.judged("INV-7", f"pools.{pool}.clearing", gap == 0, 0, gap)


# A full snapshot


def against_snapshot(books: Books, state: State) -> Iterator[Breach]:
    """A published full snapshot against the engine's own postings and fills."""
    if books.known:
        for key in dict.fromkeys([*books.balances, *state.balances]):
            own, stated = books.balances.get(key, 0), state.balances.get(key, 0)
            if own != stated:
                yield stated_otherwise(ADDS_UP, f"balances.{ledger_name(key)}", f"{own} by its own postings", stated)
    for (account, market), position in state.positions.items():
        held = books.position(account, market)
        if market not in books.vague and held.size != position.size:
            path = f"positions.{account}.{market}.size"
            yield stated_otherwise(FOLLOWS_FILLS, path, f"{held.size} by its own fills", position.size)
        if market not in books.vague | books.costless and held.cost != position.cost:
            path = f"positions.{account}.{market}.cost"
            yield stated_otherwise(FOLLOWS_FILLS, path, f"{held.cost} by its own fills", position.cost)
