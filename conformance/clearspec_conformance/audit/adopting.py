"""Going on after a divergence from the engine's own claimed state, so that one fault does not hide the rest.

What the engine publishes is taken over: its postings, what follows from them for positions, its figures. What it does
not publish (carried remainders, samples, budgets) stays as the reference has it, until the log carries a full snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

from clearspec.events import Context, Event, Reason, Receipt
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, Posting, house, user
from clearspec.state import FLAT, BalanceKey, MarketStatus, State, Table
from clearspec.trading import put_position, settle_owed
from clearspec_conformance.audit.books import CUSTODY, FUNDS, Books
from clearspec_conformance.injected.twin import Twin

Document = Mapping[str, Any]


class Kept(State):
    """A state that can undo its last accepted event."""

    __slots__ = ("before", "overwritten")

    overwritten: list[tuple[Table[Any, Any], dict[Any, Any]]]
    before: tuple[int, int, int, int, str | None]

    @classmethod
    def of(cls, state: State) -> Kept:
        """The same tables, with the last event kept."""
        return cls(**{item.name: getattr(state, item.name) for item in fields(State) if item.init})

    def commit(self) -> None:
        """Set aside what the transition overwrote instead of forgetting it."""
        oldest = next(iter(self.recent), None)
        self.before = (self.time, self.sequence, len(self.created), len(self.recent), oldest)
        self.overwritten = [(table, dict(table.undo)) for table in self.tables if table.undo]
        for table, _ in self.overwritten:
            self.created.extend((table.name, key) for key in table.commit())

    def undo(self) -> None:
        """Go back to before the last accepted event."""
        self.time, self.sequence, created, remembered, oldest = self.before
        for table, before in self.overwritten:
            table.undo = before
            table.exchange()
            table.undo = {}
        del self.created[created:]
        self.recent.popitem()
        if len(self.recent) < remembered:
            rest = dict(self.recent)
            self.recent.clear()
            self.recent.update({str(oldest): None, **rest})


MAKES_NO_SENSE = frozenset((
    Reason.FIELD_OUT_OF_RANGE, Reason.UNKNOWN_ACCOUNT, Reason.UNKNOWN_POOL, Reason.UNKNOWN_FEED, Reason.UNKNOWN_MARKET,
    Reason.ACCOUNT_EXISTS, Reason.MARKET_EXISTS, Reason.SAME_ACCOUNT, Reason.WRONG_POOL, Reason.ASSET_NOT_ACCEPTED,
))  # fmt: skip
"""Reasons for which an event has no effect that could be taken over, whatever an engine says of it."""


@cache
def unchecked() -> Callable[[State, Event], Receipt]:
    """The reference without its checks: it takes what an engine took, as far as the event makes sense at all."""

    def wrapped(require: Callable[[bool, Reason, str], None]) -> Callable[[bool, Reason, str], None]:
        return lambda holds, reason, subject: require(holds or reason not in MAKES_NO_SENSE, reason, subject)

    twin = Twin()
    twin.wrap("events.require", wrapped)
    return twin.apply


def forced(state: State, event: Event) -> tuple[Posting, ...] | None:
    """Take an event that the reference rejects; returns its postings, or ``None`` where it makes no sense.

    Clock and sequence never go back: what comes after is judged by what was accepted before.
    """
    time, sequence = state.time, state.sequence
    try:
        receipt = unchecked()(state, event)
    except Exception:
        return None
    state.time, state.sequence = max(time, state.time), max(sequence, state.sequence)
    return receipt.postings if receipt.accepted else None


def adopt(state: Kept, books: Books, event: Event, wanted: Receipt, accepted: bool, touched: set[BalanceKey]) -> str:
    """Make the state what the engine claims after an event; ``touched`` are the ledger accounts that it posted to.

    Returns what could not be taken over, in words.
    """
    left = []
    postings = wanted.postings
    if wanted.accepted and not accepted:
        state.undo()
        return ""
    if accepted and not wanted.accepted:
        found = forced(state, event)
        left += [] if found is not None else ["what the event did besides its postings"]
        postings = found or ()
    if books.known:
        reconcile_balances(state, books, {key for posting in postings for key in posting[:2]} | touched)
    else:
        left.append("balances, for not all postings were published")
    reconcile_positions(state, books, named_accounts(event, wanted))
    state.commit()
    return "; ".join(left)


def named_accounts(event: Event, wanted: Receipt) -> set[str]:
    """Accounts whose positions an event may have changed."""
    parts = ("account", "target", "keeper", "liquidator", "buyer", "seller")
    named = {getattr(event.action, part) for part in parts if hasattr(event.action, part)}
    return named | set(wanted.accounts)


def reconcile_balances(state: State, books: Books, keys: Iterable[BalanceKey]) -> None:
    """Give ledger accounts the balances that the engine's own postings add up to."""
    for key in keys:
        state.balances.put(key, books.balances.get(key, 0))


def reconcile_positions(state: State, books: Books, accounts: set[str]) -> None:
    """Give accounts the positions that follow from the engine's own fills, where these are known."""
    for (account, market), held in books.held.items():
        if account in accounts and account in state.accounts and market in state.markets:
            unknown = not books.knows(account, market) or market in books.costless
            position = state.positions.get((account, market), FLAT)
            if not unknown and (position.size, position.cost) != (held.size, held.cost):
                move_position(state, account, market, held.size, held.cost)


def move_position(state: State, account: str, market: str, size: int, cost: int) -> None:
    """Write a position; open interest follows."""
    before = state.positions.get((account, market), FLAT)
    put_position(Context(state, state.time), state.accounts[account], market, size, cost)
    change = max(0, size) - max(0, before.size)
    state.open_interest.put(market, state.open_interest[market] + change)


# Published figures


def adopt_figures(state: State, figures: Document) -> None:
    """Make the state show what the engine published, in all that the figures name."""
    state.time = int(figures.get("time", state.time))
    state.sequence = int(figures.get("sequence", state.sequence))
    for name, price in figures.get("feeds", {}).items():
        if name in state.feeds:
            state.feeds.put(name, replace(state.feeds[name], index=int(price)))
    for name, part in figures.get("markets", {}).items():
        if name in state.markets:
            adopt_market(state, name, part)
    for name, part in figures.get("accounts", {}).items():
        if name in state.accounts:
            adopt_account(state, name, part)
    for name, part in figures.get("pools", {}).items():
        if name in state.pools:
            adopt_pool(state, name, part)
    state.commit()


def adopt_market(state: State, market: str, part: Document) -> None:
    """Mark, open interest, indices, settlement price and status of a market."""
    figures = {name: int(value) for name, value in part.items() if name != "status"}
    mark, funding = state.marks[market], state.fundings[market]
    settlement = state.settlements[market]
    state.marks.put(market, replace(mark, price=figures.get("mark", mark.price)))
    state.open_interest.put(market, figures.get("open_interest", state.open_interest[market]))
    price, shortfall = (figures.get(name, before) for name, before in zip(
        ("settlement_price", "shortfall"), (settlement.price, settlement.shortfall), strict=True
    ))  # fmt: skip
    state.settlements.put(market, replace(settlement, price=price, shortfall=shortfall))
    funding = replace(
        funding,
        index=figures.get("funding_index", funding.index),
        haircut_long=figures.get("haircut_long", funding.haircut_long),
        haircut_short=figures.get("haircut_short", funding.haircut_short),
    )
    state.fundings.put(market, funding)
    if "status" in part:
        state.markets.put(market, replace(state.markets[market], status=MarketStatus(part["status"])))


def adopt_account(state: State, account: str, part: Document) -> None:
    """Positions, then balances; the settlement balance is net of what the positions owe by now."""
    ctx = Context(state, state.time)
    for market, figures in part.get("positions", {}).items():
        if market in state.markets:
            before = state.positions.get((account, market), FLAT)
            settle_owed(ctx, state.accounts[account], market, before)
            size, cost = int(figures.get("size", before.size)), int(figures.get("cost", before.cost))
            put_position(ctx, state.accounts[account], market, size, cost)
    pool = state.pools[state.accounts[account].pool]
    for asset, value in part.get("balances", {}).items():
        due = owed(state, account) if asset == pool.settlement_asset else 0
        state.balances.put(user(asset, pool.pool, account), int(value) + due)


def owed(state: State, account: str) -> int:
    """Funding and haircut that an account's positions owe by now, in settlement atoms."""
    found = 0
    for market in state.accounts[account].markets:
        position, funding = state.positions[account, market], state.fundings[market]
        found += funding_owed(position, funding.index) + haircut_owed(position, funding)
    return found


def adopt_pool(state: State, name: str, part: Document) -> None:
    """Custody, funds and uncovered loss of a pool."""
    asset = state.pools[name].settlement_asset
    for held, value in part.get("custody", {}).items():
        state.balances.put((held, name, CUSTODY, ""), -int(value))
    for kind in FUNDS:
        if kind in part:
            state.balances.put((asset, name, kind, ""), int(part[kind]))
    if "uncovered_loss" in part:
        state.balances.put(house(asset, name, Kind.UNCOVERED_LOSS), -int(part["uncovered_loss"]))
