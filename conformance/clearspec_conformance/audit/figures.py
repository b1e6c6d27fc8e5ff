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

FOLLOWS_STEPS = "FUND-4"
"""A published funding index is the sum of the steps that the engine reported."""

Document = Mapping[str, Any]
"""A part of an observable snapshot as it goes on the wire, well formed and without nulls."""


def stated_otherwise(rule: str, path: str, expected: str, got: int) -> Breach:
    """A published number that is not what the engine's own word leads to."""
    return Breach(rule, Difference(f"$.own.{path}", expected, str(got)))


def seen(books: Books, figures: Document) -> Iterator[Breach]:
    """Judge published figures one by one, and take them as the engine's word from here on."""
    for pool, part in figures.get("pools", {}).items():
        yield from seen_pool(books, pool, part)
    for market, part in figures.get("markets", {}).items():
        yield from seen_market(books, market, part)
    for account, part in figures.get("accounts", {}).items():
        yield from seen_account(books, account, part)
    for market, part in figures.get("markets", {}).items():
        yield from seen_interest(books, market, part)
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
        if market in books.markets:
            yield from seen_position(books, account, market, position)
    pool = books.account_pools.get(account, "")
    for asset, value in part.get("balances", {}).items():
        if asset != books.settlement.get(pool) or books.is_flat(account):
            yield from ledger_account(books, (asset, pool, USER, account), int(value))


def seen_position(books: Books, account: str, market: str, part: Document) -> Iterator[Breach]:
    """A published position against the engine's own fills; it counts from here on."""
    held, path = books.position(account, market), f"positions.{account}.{market}"
    known = books.knows(account, market)
    for name, sure in (("size", known), ("cost", known and market not in books.costless)):
        own = getattr(held, name)
        if name in part and sure and own != int(part[name]):
            yield stated_otherwise(FOLLOWS_FILLS, f"{path}.{name}", f"{own} by its own fills", int(part[name]))
            books.debtless.add(market)
    if "size" in part and "cost" in part:
        books.learn(account, market)
        size, cost = int(part["size"]), int(part["cost"])
        yield from books.judged("INV-12", f"{path}.cost", cost_in_bounds(size, cost), f"a cost of {size} lots", cost)
    yield from books.put(account, market, int(part.get("size", held.size)), int(part.get("cost", held.cost)))


RANGES = {
    "mark": (0, PRICE_MAX),
    "settlement_price": (0, PRICE_MAX),
    "haircut_long": (0, INDEX_MAX),
    "haircut_short": (0, INDEX_MAX),
}
"""Figures of a market with a range of their own."""


def seen_market(books: Books, market: str, part: Document) -> Iterator[Breach]:
    """Ranges of a market's figures, and the funding index against the steps that the engine reported."""
    path, book = f"markets.{market}", books.markets.get(market)
    for name, (low, high) in RANGES.items():
        if name in part:
            yield from within(books, f"{path}.{name}", int(part[name]), low, high)
    if "funding_index" in part and book is not None:
        own, index = book.index, int(part["funding_index"])
        if own != index and market not in books.debtless:
            yield stated_otherwise(FOLLOWS_STEPS, f"{path}.funding_index", f"{own} by the steps it reported", index)
        yield from books.indexed(market, index)


def seen_interest(books: Books, market: str, part: Document) -> Iterator[Breach]:
    """Open interest against the engine's own fills (INV-6)."""
    book = books.markets.get(market)
    if "open_interest" in part and book is not None and market not in books.vague:
        stated, path = int(part["open_interest"]), f"markets.{market}.open_interest"
        expected = f"{book.long}, the sum of the long positions"
        yield from books.judged("INV-6", path, book.long == stated, expected, stated)
        yield from within(books, path, stated, 0, SIZE_MAX)


# A whole observable snapshot


def positions_of(whole: Document) -> Iterator[tuple[str, str, int, int]]:
    """Account, market, size and cost of every position."""
    for account, part in whole["accounts"].items():
        for market, position in part["positions"].items():
            yield account, market, int(position["size"]), int(position["cost"])


def missing_positions(books: Books, whole: Document) -> Iterator[Breach]:
    """Positions that the engine's own fills lead to and that a whole snapshot does not name: they are flat."""
    stated = {(name, market) for name, part in whole["accounts"].items() for market in part["positions"]}
    rows = [key for key, held in books.held.items() if key not in stated and (held.size or held.cost)]
    for account, market in rows:
        yield from seen_position(books, account, market, {"size": "0", "cost": "0"})


def judged_whole(books: Books, whole: Document) -> Iterator[Breach]:
    """The invariants over sums of a whole observable snapshot, from which on every position is known."""
    yield from missing_positions(books, whole)
    if books.vague or books.costless or books.debtless:
        refresh(books)
    sizes: Counter[str] = Counter()
    longs: Counter[str] = Counter()
    for account, market, size, cost in positions_of(whole):
        sizes[market] += size
        longs[market] += max(0, size)
        yield from judged_position(books, whole["accounts"][account]["pool"], account, market, (size, cost))
    for market, part in whole["markets"].items():
        yield from judged_market(books, market, part, sizes[market], longs[market])
    for pool in whole["pools"]:
        yield from solvent(books, whole, pool)
        if books.known:
            yield from cleared(books, whole, pool)


def refresh(books: Books) -> None:
    """All positions have just been stated: sizes and costs are known; what they owe only in sum, not one by one."""
    for market in books.vague | books.costless:
        books.markets[market].unknown.clear()
        books.markets[market].blind = False
        books.debtless.add(market)
    books.vague.clear()
    books.costless.clear()


def judged_position(books: Books, pool: str, account: str, market: str, position: tuple[int, int]) -> Iterator[Breach]:
    """A position of a whole snapshot: it is one, in a market of its account's pool, and its cost is within bounds."""
    path, book = f"positions.{account}.{market}", books.markets.get(market)
    listed = book is not None and book.pool == pool and position != (0, 0)
    yield from books.judged("INV-8", path, listed, "lots or a cost, in a market of the account's pool", position)
    yield from books.judged(
        "INV-12", f"{path}.cost", cost_in_bounds(*position), f"a cost of {position[0]} lots", position[1]
    )


def judged_market(books: Books, market: str, part: Document, size: int, long: int) -> Iterator[Breach]:
    """The sums over the positions of a market."""
    path, interest = f"markets.{market}", int(part["open_interest"])
    if part["status"] != MarketStatus.SETTLING.value:
        yield from books.judged("INV-5", f"{path}.sizes", size == 0, 0, size)
    yield from books.judged("INV-6", f"{path}.open_interest", interest == long, long, interest)
    if part["status"] == MarketStatus.CLOSED.value:
        book = books.markets.get(market)
        pool = "" if book is None else book.pool
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


def worth(books: Books, whole: Document, pool: str, price: str) -> int:
    """What the sizes of a pool's positions are worth at a price of their markets, in atoms."""
    prices = {name: int(market[price]) for name, market in whole["markets"].items()}
    homes = {name: book.pool for name, book in books.markets.items()}
    return sum(size * prices.get(market, 0) for _, market, size, _ in positions_of(whole) if homes.get(market) == pool)


def shortfalls(books: Books, whole: Document, pool: str) -> int:
    """What final settlement could not collect in the markets of a pool, in atoms."""
    return sum(int(whole["markets"][name]["shortfall"]) for name, book in books.markets.items()
               if book.pool == pool and name in whole["markets"])  # fmt: skip


def solvent(books: Books, whole: Document, pool: str) -> Iterator[Breach]:
    """INV-11 from published figures: worth of accounts and funds against custody, uncovered loss and shortfalls."""
    part, asset = whole["pools"][pool], books.settlement.get(pool, "")
    own = sum(balance - cost for _, balance, cost in members(books, whole, pool))
    claims = own + worth(books, whole, pool, "mark") + sum(int(part[kind]) for kind in FUNDS)
    backed = int(part["custody"].get(asset, 0)) + int(part["uncovered_loss"]) + shortfalls(books, whole, pool)
    yield from books.judged("INV-11", f"pools.{pool}.published", claims == backed, backed, claims)


def cleared(books: Books, whole: Document, pool: str) -> Iterator[Breach]:
    """INV-7 summed over a pool: clearing by own postings, published costs, and what published balances are net of.

    Settled residuals are minus the sizes that are left (INV-5); they count at the settlement price.
    """
    asset = books.settlement.get(pool, "")
    rows = [(kind, amount) for (held, home, kind, _), amount in books.balances.items() if (held, home) == (asset, pool)]
    clearing = sum(amount for kind, amount in rows if kind == CLEARING)
    posted = sum(amount for kind, amount in rows if kind == USER)
    stated = list(members(books, whole, pool))
    gap = clearing + sum(cost for *_, cost in stated) + posted - sum(balance for _, balance, _ in stated)
    gap += shortfalls(books, whole, pool) - worth(books, whole, pool, "settlement_price")
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
        held, path = books.position(account, market), f"positions.{account}.{market}"
        known = books.knows(account, market)
        if known and held.size != position.size:
            yield stated_otherwise(FOLLOWS_FILLS, f"{path}.size", f"{held.size} by its own fills", position.size)
        if known and market not in books.costless and held.cost != position.cost:
            yield stated_otherwise(FOLLOWS_FILLS, f"{path}.cost", f"{held.cost} by its own fills", position.cost)
