"""What an accepted event means for the engine's own books: for positions, markets and the sums over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearspec import events as ev
from clearspec.events import Event
from clearspec.ledger import Posting
from clearspec.numerics import PRICE_MAX
from clearspec_conformance.audit.books import CLEARING, LOSS, REALISED, Books, Breach, MarketBook, realised


@dataclass(frozen=True, slots=True)
class Entry:
    """An accepted event with what the engine published of it; ``None`` for what it did not."""

    event: Event
    postings: Sequence[Posting] | None
    amounts: Mapping[str, int] | None
    accounts: Sequence[str] | None


def entered(books: Books, entry: Entry) -> list[Breach]:
    """Take in an event: its postings, then what follows for positions, then the sums over the markets it touched."""
    if entry.postings is None:
        books.known = False
    found = books.book(entry.postings or ())
    follow = FOLLOW.get(type(entry.event.action))
    if follow is not None:
        found += follow(books, entry, entry.event.action)
    market = getattr(entry.event.action, "market", None)
    if market in books.markets:
        found += books.balanced(market)
    return found


def filled(books: Books, entry: Entry, market: str, fills: Iterable[tuple[str, int]], price: int) -> Iterator[Breach]:
    """Fills at a price: the cost of a position rises by what was paid and what was realised."""
    book = books.markets.get(market)
    if book is None:
        return
    if entry.postings is None or any(not posting.cause for posting in entry.postings):
        books.costless.add(market)
    gains = realised(entry.postings or (), market)
    for account, delta in fills:
        books.settle(account, market)
        position = books.position(account, market)
        size, cost = position.size + delta, position.cost + delta * price + gains.get(account, 0)
        yield from books.put(account, market, size, cost)
        if books.knows(account, market) and market not in books.costless:
            path = f"positions.{account}.{market}.cost"
            yield from books.judged(REALISED, path, size != 0 or cost == 0, "0 once it is closed", cost)


def follow_open_account(books: Books, entry: Entry, action: ev.OpenAccount) -> Iterator[Breach]:
    """A new account is bound to its pool."""
    books.account_pools[action.account] = action.pool
    return iter(())


def follow_list_market(books: Books, entry: Entry, action: ev.ListMarket) -> Iterator[Breach]:
    """A new market belongs to its pool."""
    books.markets.setdefault(action.listing.market, MarketBook(action.listing.pool))
    return iter(())


def follow_trade(books: Books, entry: Entry, action: ev.Trade) -> Iterator[Breach]:
    """A fill moves the buyer up and the seller down."""
    fills = ((action.buyer, action.size), (action.seller, -action.size))
    return filled(books, entry, action.market, fills, action.price)


def follow_liquidate(books: Books, entry: Entry, action: ev.Liquidate) -> Iterator[Breach]:
    """The lots that the receipt says were closed go to the liquidator."""
    amounts, book = entry.amounts or {}, books.markets.get(action.market)
    if book is None:
        return iter(())
    if "closed" not in amounts or "price" not in amounts or not books.knows(action.account, action.market):
        books.lose(action.market, (action.account, action.liquidator))
        return iter(())
    size = books.position(action.account, action.market).size
    taken = amounts["closed"] if size > 0 else -amounts["closed"]
    fills = ((action.account, -taken), (action.liquidator, taken))
    return filled(books, entry, action.market, fills, amounts["price"])


def follow_default(books: Books, entry: Entry, action: ev.ResolveDefault) -> Iterator[Breach]:
    """Receipts name the accounts that were torn up, not their lots: one alone takes all, of several none is known."""
    held = [(market, books.held.get((action.account, market))) for market in books.markets]
    markets = [market for market, position in held if position is not None and (position.size or position.cost)]
    others = None if entry.accounts is None else [name for name in entry.accounts if name != action.account]
    for market in markets:
        if others is not None and len(others) == len(markets) == 1 and entry.postings and books.is_sound(market):
            yield from taken_over(books, entry, action.account, others[0], market)
        else:
            books.lose(market, None if others is None else (action.account, *others))
    # What a haircut pays out of clearing its positions owe from then on, and which of them is not published.
    for posting in entry.postings or ():
        market = posting.debit[3]
        if posting.cause == "FALL-9" and posting.debit[2] == CLEARING and posting.amount and market in books.markets:
            books.markets[market].gap += posting.amount
            books.debtless.add(market)
    for market in markets:
        yield from books.balanced(market)


def taken_over(books: Books, entry: Entry, account: str, other: str, market: str) -> Iterator[Breach]:
    """All lots of a defaulter went to one counterparty; what both realised says at what cost."""
    gains = realised(entry.postings or (), market)
    books.settle(account, market)
    books.settle(other, market)
    mine, theirs = books.position(account, market), books.position(other, market)
    size, cost = theirs.size + mine.size, theirs.cost + mine.cost + gains.get(account, 0) + gains.get(other, 0)
    yield from books.put(account, market, 0, 0)
    yield from books.put(other, market, size, cost)


def follow_accrual(books: Books, entry: Entry, action: ev.AccrueFunding) -> Iterator[Breach]:
    """The funding index steps; without the step what is owed is not known."""
    book, amounts = books.markets.get(action.market), entry.amounts or {}
    if book is None:
        return iter(())
    if "index_step" not in amounts:
        books.debtless.add(action.market)
        return iter(())
    return books.indexed(action.market, book.index + amounts["index_step"])


def follow_fix(books: Books, entry: Entry, action: ev.FixSettlement) -> Iterator[Breach]:
    """The settlement price is fixed; without it claims and losses cannot be judged."""
    book, price = books.markets.get(action.market), (entry.amounts or {}).get("settlement_price")
    if book is None:
        return iter(())
    if price is None:
        books.costless.add(action.market)
        return iter(())
    book.price = price
    path = f"markets.{action.market}.settlement_price"
    return books.judged("INV-9", path, 0 <= price <= PRICE_MAX, f"0 to {PRICE_MAX}", price)


def follow_settlement(books: Books, entry: Entry, action: ev.SettlePosition) -> Iterator[Breach]:
    """A settled position keeps its claim as a negative cost; what is not collected of a loss is the shortfall."""
    book, amounts = books.markets.get(action.market), entry.amounts or {}
    if book is None:
        return
    if "claim" not in amounts and not {"loss", "collected"} <= amounts.keys():
        books.costless.add(action.market)
    size = books.position(action.account, action.market).size
    books.settle(action.account, action.market)
    yield from books.put(action.account, action.market, 0, -amounts.get("claim", 0))
    book.net += size
    book.gap += size * book.price + amounts.get("loss", 0) - amounts.get("collected", 0)
    for posting in entry.postings or ():
        if (posting.debit[2], posting.credit[2], posting.credit[3]) == (LOSS, CLEARING, action.market):
            book.gap -= posting.amount


def follow_claim(books: Books, entry: Entry, action: ev.PayClaim) -> Iterator[Breach]:
    """A claim that is paid is gone, and what it was not paid leaves the shortfall."""
    book, amounts = books.markets.get(action.market), entry.amounts or {}
    if book is None:
        return
    if not {"claim", "paid"} <= amounts.keys():
        books.costless.add(action.market)
    yield from books.put(action.account, action.market, 0, 0)
    book.gap -= amounts.get("claim", 0) - amounts.get("paid", 0)


def follow_price(books: Books, entry: Entry, action: ev.PostPrice) -> Iterator[Breach]:
    """The index of the feed stays within its cap."""
    index = (entry.amounts or {}).get("index", 0)
    cap = books.caps.get(action.feed, PRICE_MAX)
    return books.judged("INV-9", f"feeds.{action.feed}", 0 <= index <= cap, f"0 to {cap}", index)


def follow_book(books: Books, entry: Entry, action: ev.PostBook) -> Iterator[Breach]:
    """The mark stays within the highest price."""
    mark = (entry.amounts or {}).get("mark", 0)
    path = f"markets.{action.market}.mark"
    return books.judged("INV-9", path, 0 <= mark <= PRICE_MAX, f"0 to {PRICE_MAX}", mark)


Follow = Callable[[Books, Entry, Any], Iterator[Breach]]

FOLLOW: dict[type, Follow] = {
    ev.OpenAccount: follow_open_account,
    ev.ListMarket: follow_list_market,
    ev.Trade: follow_trade,
    ev.Liquidate: follow_liquidate,
    ev.ResolveDefault: follow_default,
    ev.AccrueFunding: follow_accrual,
    ev.FixSettlement: follow_fix,
    ev.SettlePosition: follow_settlement,
    ev.PayClaim: follow_claim,
    ev.PostPrice: follow_price,
    ev.PostBook: follow_book,
}
"""Actions after which more than balances has changed."""
