"""The engine's own numbers, kept from what it publishes alone.

Balances are the sums of its own postings. Positions follow from its own fills: sizes from the events, costs from what
it posted as realised, what they owe in funding from the steps of the index that it reported. No formula of the
reference for rounding, margin or prices enters. What it publishes of balances, positions and markets is taken as its
word. What it does not publish is not known, and every check says after how many events it was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearspec.funding import funding_owed, haircut_owed
from clearspec.invariants import clearing_gap
from clearspec.ledger import Kind, Posting
from clearspec.numerics import INDEX_MAX, PRICE_MAX, SIZE_MAX
from clearspec.state import BalanceKey, State
from clearspec_conformance.verdicts import Difference

USER, CUSTODY, CLEARING, LOSS = (kind.value for kind in (Kind.USER, Kind.CUSTODY, Kind.CLEARING, Kind.UNCOVERED_LOSS))
FUNDS = tuple(kind.value for kind in (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY))

NEVER_NEGATIVE = dict.fromkeys(FUNDS, "INV-3")
NEVER_POSITIVE = {CUSTODY: "INV-2", LOSS: "INV-3"}
"""Kinds of ledger account to the invariant that bounds them; users' collateral is bounded by INV-4."""

REALISED = "TRADE-1"
"""Cause of the postings by which a fill realises profit or loss."""


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that the engine's own numbers break, and where."""

    rule: str
    difference: Difference


@dataclass(slots=True)
class Held:
    """A position by the engine's own word: lots, cost, and what it owes.

    That is funding since the index stood at ``entry``, and ``debt`` beside it, in atoms.
    """

    size: int = 0
    cost: int = 0
    entry: int = 0
    debt: int = 0


@dataclass(slots=True)
class MarketBook:
    """A market by the engine's own word.

    ``net`` is the sum of sizes and of the settled residual (INV-5), ``gap`` the sum of INV-7; both are 0 in a sound
    engine. ``price`` is the settlement price, ``index`` the funding index. ``unknown`` are the accounts whose positions
    are not known since a default, ``blind`` says that any account may be among them.
    """

    pool: str
    net: int = 0
    long: int = 0
    gap: int = 0
    index: int = 0
    price: int = 0
    unknown: set[str] = field(default_factory=set)
    blind: bool = False


def ledger_name(key: BalanceKey) -> str:
    """A ledger account in a word: asset, pool, kind and owner."""
    return ".".join(part for part in key if part)


def cost_in_bounds(size: int, cost: int) -> bool:
    """Whether a cost has the sign of its size and is at most its size at the highest price (INV-12)."""
    if size > 0:
        return 0 <= cost <= size * PRICE_MAX
    return size * PRICE_MAX <= cost <= 0 if size < 0 else cost <= 0


class Books:
    """What is known of the engine's state from its own word.

    ``known``: every event so far came with its postings. ``vague`` are the markets in which not every size is known,
    ``costless`` those in which not every cost is, ``debtless`` those in which not all that positions owe is.
    """

    def __init__(self, state: State) -> None:
        self.broken: set[tuple[str, str]] = set()
        self.load(state)

    def load(self, state: State) -> None:
        """Take over a whole state, which the engine published or the log begins with."""
        self.settlement = {name: pool.settlement_asset for name, pool in state.pools.items()}
        self.caps = {name: feed.parameters.max_price for name, feed in state.feeds.items()}
        self.account_pools = {name: account.pool for name, account in state.accounts.items()}
        self.balances: dict[BalanceKey, int] = dict(state.balances)
        self.held: dict[tuple[str, str], Held] = {}
        self.open: Counter[str] = Counter()
        self.markets = {name: market_book(state, name) for name in state.markets}
        for (account, market), position in state.positions.items():
            funding, book = state.fundings[market], self.markets[market]
            debt = haircut_owed(position, funding) + funding_owed(position, funding.index)
            self.held[account, market] = Held(position.size, position.cost, book.index, debt)
            self.open[account] += position.size != 0
        self.known = True
        self.vague: set[str] = set()
        self.costless: set[str] = set()
        self.debtless: set[str] = set()
        self.broken.clear()

    def judged(self, rule: str, path: str, holds: bool, expected: Any, got: Any) -> Iterator[Breach]:
        """A breach if something does not hold now and did hold when it was last looked at."""
        if holds:
            self.broken.discard((rule, path))
        elif (rule, path) not in self.broken:
            self.broken.add((rule, path))
            yield Breach(rule, Difference(f"$.own.{path}", str(expected), str(got)))

    def totals(self) -> dict[str, int]:
        """Custody, funds and uncovered loss of each pool in atoms of its settlement asset, by the engine's own word."""
        found = {}
        for pool, asset in self.settlement.items():
            found[f"{pool} custody"] = -self.balances.get((asset, pool, CUSTODY, ""), 0)
            for kind in FUNDS:
                found[f"{pool} {kind}"] = self.balances.get((asset, pool, kind, ""), 0)
            found[f"{pool} {LOSS}"] = -self.balances.get((asset, pool, LOSS, ""), 0)
        return found

    # Postings

    def book(self, postings: Iterable[Posting]) -> list[Breach]:
        """Book the engine's postings; the bounds of every ledger account that they touch are checked after the last."""
        balances, touched = self.balances, {}
        for debit, credit, amount, _ in postings:
            touched[debit] = balances[debit] = balances.get(debit, 0) - amount
            touched[credit] = balances[credit] = balances.get(credit, 0) + amount
            if debit[2] == CLEARING and debit[3] in self.markets:
                self.markets[debit[3]].gap -= amount
            if credit[2] == CLEARING and credit[3] in self.markets:
                self.markets[credit[3]].gap += amount
        return [breach for key in touched for breach in self.bounded(key, balances[key])]

    def bounded(self, key: BalanceKey, value: int) -> Sequence[Breach]:
        """The breach of the bound of a ledger account, if there is one."""
        asset, pool, kind, _ = key
        if kind == USER:
            rule, holds = "INV-4", value >= 0 or asset == self.settlement.get(pool)
        elif kind in NEVER_NEGATIVE:
            rule, holds = NEVER_NEGATIVE[kind], value >= 0
        elif kind in NEVER_POSITIVE:
            rule, holds = NEVER_POSITIVE[kind], value <= 0
        else:
            return ()
        if holds and not self.broken:
            return ()
        expected = "at most 0" if kind in NEVER_POSITIVE else "at least 0"
        return list(self.judged(rule, f"balances.{ledger_name(key)}", holds, expected, value))

    # Positions

    def position(self, account: str, market: str) -> Held:
        """The position of an account; one that it never had is flat."""
        return self.held.setdefault((account, market), Held())

    def is_flat(self, account: str) -> bool:
        """Whether an account is known to hold no lots, so that its settlement balance owes nothing."""
        return not self.open[account] and all(self.knows(account, market) for market in self.vague)

    def knows(self, account: str, market: str) -> bool:
        """Whether the size of a position is known."""
        book = self.markets.get(market)
        return book is not None and not book.blind and account not in book.unknown

    def is_sound(self, market: str) -> bool:
        """Whether sizes, costs and debts of a market are all known."""
        return not (market in self.vague or market in self.costless or market in self.debtless)

    def lose(self, market: str, accounts: Iterable[str] | None) -> None:
        """The positions of some accounts (``None``: of any) are not known from here on."""
        book = self.markets[market]
        book.unknown.update(accounts or ())
        book.blind = book.blind or accounts is None
        self.vague.add(market)
        self.debtless.add(market)

    def learn(self, account: str, market: str) -> None:
        """The position of an account is known again."""
        book = self.markets[market]
        book.unknown.discard(account)
        if not book.unknown and not book.blind:
            self.vague.discard(market)

    def settle(self, account: str, market: str) -> None:
        """The position pays what it owes."""
        position, book = self.position(account, market), self.markets[market]
        book.gap -= position.size * (book.index - position.entry) + position.debt
        position.entry, position.debt = book.index, 0

    def put(self, account: str, market: str, size: int, cost: int) -> Iterator[Breach]:
        """Write a position and check its cost and size."""
        position, book = self.position(account, market), self.markets[market]
        book.long += max(0, size) - max(0, position.size)
        book.net += size - position.size
        book.gap += cost - position.cost
        self.open[account] += (size != 0) - (position.size != 0)
        position.size, position.cost = size, cost
        if not self.knows(account, market):
            return
        path = f"positions.{account}.{market}"
        yield from self.judged("INV-9", f"{path}.size", -SIZE_MAX <= size <= SIZE_MAX, f"at most {SIZE_MAX} lots", size)
        if market not in self.costless:
            holds = cost_in_bounds(size, cost)
            yield from self.judged("INV-12", f"{path}.cost", holds, f"a cost of {size} lots", cost)

    def balanced(self, market: str) -> Iterator[Breach]:
        """The sums over a market that can be taken now: sizes (INV-5), clearing (INV-7), and with it solvency (INV-11).

        The balances of a pool sum to zero, and marks cancel with sizes, so that claims exceed what backs them by minus
        the gaps of the pool's markets.
        """
        book, path = self.markets[market], f"markets.{market}"
        if market in self.vague or not (book.net or book.gap or self.broken):
            return
        yield from self.judged("INV-5", f"{path}.sizes", book.net == 0, 0, book.net)
        if self.known and self.is_sound(market):
            yield from self.judged("INV-7", f"{path}.clearing", book.gap == 0, 0, book.gap)
            rows = [(name, other) for name, other in self.markets.items() if other.pool == book.pool]
            if all(self.is_sound(name) and not other.net for name, other in rows):
                gap = -sum(other.gap for _, other in rows)
                yield from self.judged("INV-11", f"pools.{book.pool}.claims", gap == 0, 0, gap)

    def indexed(self, market: str, index: int) -> Iterator[Breach]:
        """Write the funding index of a market; what its positions owe changes by the step times the sum of sizes."""
        book = self.markets[market]
        book.gap += (index - book.index) * book.net
        book.index = index
        path = f"markets.{market}.funding_index"
        yield from self.judged("INV-9", path, -INDEX_MAX <= index <= INDEX_MAX, f"at most {INDEX_MAX}", index)


def market_book(state: State, market: str) -> MarketBook:
    """A market of a whole state."""
    sizes = [position.size for (_, held), position in state.positions.items() if held == market]
    settlement, pool = state.settlements[market], state.markets[market].listing.pool
    net, long = sum(sizes) + settlement.residual, sum(max(0, size) for size in sizes)
    index = state.fundings[market].index
    return MarketBook(pool, net, long, clearing_gap(state, market), index, settlement.price)


def realised(postings: Iterable[Posting], market: str) -> dict[str, int]:
    """What each account realised in a market by fills, in atoms, from the postings."""
    found: dict[str, int] = {}
    for debit, credit, amount, cause in postings:
        if cause == REALISED and (debit[2], debit[3], credit[2]) == (CLEARING, market, USER):
            found[credit[3]] = found.get(credit[3], 0) + amount
        elif cause == REALISED and (credit[2], credit[3], debit[2]) == (CLEARING, market, USER):
            found[debit[3]] = found.get(debit[3], 0) - amount
    return found
