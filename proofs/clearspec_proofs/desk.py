"""A small clearinghouse of the sandbox, in which what a theorem is about is symbolic and everything else is plain.

Two pools with a market each, so that a posting to the wrong pool is seen. For theorems about one function of a
transition that reads little of the state: what it does not read need not be an atom.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec.events import Context
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, balance, house, user
from clearspec.listing import build
from clearspec.numerics import INDEX_MAX, PRICE_MAX, notional
from clearspec.parameters import LiquidationParameters
from clearspec.sandbox import LISTING, genesis
from clearspec.sandbox import POOL as POOL_PARAMETERS
from clearspec.state import FLAT, Account, Budget, Market, MarketStatus, Position
from clearspec_proofs.world import Tables, symbolic

CASH, COIN, POOL, OTHER_POOL = "USD", "ETH", "main", "other"
MARKET, SECOND_MARKET, OTHER_MARKET = "BTC-PERP", "BTC-SECOND", "BTC-OTHER"
HOUSE = (Kind.CUSTODY, Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY, Kind.UNCOVERED_LOSS)


def claim_parties(path: Any, ctx: Context, market: str, *parties: str) -> None:
    """Claim what a novation supposes: two different accounts of the market's pool, neither with a claim there."""
    state = ctx.state
    pools = [state.accounts[account].pool for account in parties]
    path.claim("two accounts", lambda: len(set(parties)) == 2)
    path.claim("of the market's pool", lambda: {*pools, state.markets[market].listing.pool} == {POOL})
    for position in (state.positions.get((account, market), FLAT) for account in parties):
        path.claim("no claim", lambda position=position: position.size != 0 or position.cost == 0)


class Desk:
    """Accounts of one pool with any cash, beside another pool; a running transition at any time."""

    def __init__(self, path: Any, *accounts: str, **pool: Any) -> None:
        other = replace(POOL_PARAMETERS, pool=OTHER_POOL, collateral=())
        mine = replace(POOL_PARAMETERS, **{"collateral": (), **pool})
        listings = [replace(LISTING, market=OTHER_MARKET, pool=OTHER_POOL)]
        listings += [replace(LISTING, market=market) for market in (MARKET, SECOND_MARKET)]
        self.path = path
        self.state = build(genesis(pool=other, pools=(mine,), markets=tuple(listings)))
        self.state.time = path.atom("time", 0, 2**40)
        self.ctx = Context(self.state, self.state.time, "actor")
        for account in accounts:
            self.account(account)
        for name in (OTHER_POOL, POOL):
            for kind in HOUSE:
                self.balance(name, kind)

    def account(self, account: str, pool: str = POOL) -> None:
        """An account with any settlement balance and no position."""
        self.state.accounts.put(account, Account(account, "actor", pool, (), ""))
        self.state.balances.put(user(CASH, pool, account), self.path.atom(f"cash of {account}"))

    def balance(self, pool: str, kind: Kind) -> None:
        """A ledger account of the house with any balance; a fund holds no less than nothing (INV-3)."""
        fund = kind in (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)
        self.state.balances.put(house(CASH, pool, kind), self.path.atom(f"{pool} {kind.value}", 0 if fund else None))

    def claim(self, account: str, claim: Any) -> None:
        """A claim of a settled market."""
        record, funding = self.state.accounts[account], self.state.fundings[MARKET]
        position = Position(0, -claim, funding.index, funding.haircut_long)
        self.state.positions.put((account, MARKET), position)
        self.state.accounts.put(account, replace(record, markets=(*record.markets, MARKET)))

    def priced(self, price: Any, market: str = MARKET) -> None:
        """A mark that is fresh for ever."""
        mark = replace(self.state.marks[market], price=price, fresh_until=2**41)
        variation_price = self.path.atom(f"variation price of {market}", 1, PRICE_MAX)
        self.state.marks.put(market, replace(mark, variation_price=variation_price))

    def hold(self, account: str, size: Any, market: str = MARKET) -> None:
        """A position of an account of any cost, that owes any funding and haircut."""
        path, record = self.path, self.state.accounts[account]
        cost, *indices = (
            path.atom(f"{account}.{market}.{name}") for name in ("cost", "funding_index", "haircut_index")
        )
        self.state.positions.put((account, market), Position(size, cost, *indices))
        self.state.accounts.put(account, replace(record, markets=(*record.markets, market)))
        self.state.open_interest.put(market, self.state.open_interest[market] + max(0, size))

    def mark(self, market: str = MARKET) -> Any:
        """The mark of a market."""
        return self.state.marks[market].price

    def indices(self, market: str = MARKET, **given: Any) -> None:
        """Any index of funding, and haircut indices of both sides within their range."""
        path, funding = self.path, self.state.fundings[market]
        sides = {name: path.atom(name, 0, INDEX_MAX) for name in ("haircut_long", "haircut_short")}
        self.state.fundings.put(market, replace(funding, index=path.atom("funding index"), **sides, **given))

    def worth(self, account: str) -> Any:
        """Settlement balance of an account and what its positions are worth at mark, less what they owe; exact."""
        state = self.state
        total = balance(state, user(CASH, POOL, account))
        for market in (MARKET, SECOND_MARKET):
            position, funding = state.positions.get((account, market)), state.fundings[market]
            if position is not None:
                owed = funding_owed(position, funding.index) + haircut_owed(position, funding)
                total += notional(position.size, state.marks[market].price) - position.cost - owed
        return total

    def market(self, rules: LiquidationParameters, market: str = MARKET) -> Market:
        """Give the market these rules of liquidation, and any budget."""
        record = self.state.markets[market]
        listing = replace(record.listing, parameters=replace(record.listing.parameters, liquidation=rules))
        record = replace(record, listing=listing)
        self.state.markets.put(market, record)
        self.state.budgets.put(market, symbolic(self.path, Budget, f"budget of {market}"))
        return record

    def settling(self, price: Any, **figures: Any) -> None:
        """Put the market in final settlement at a price, with these figures."""
        state = self.state
        self.priced(price)
        state.markets.put(MARKET, replace(state.markets[MARKET], status=MarketStatus.SETTLING))
        settlement = replace(state.settlements[MARKET], price=price)
        state.settlements.put(MARKET, replace(settlement, **figures))

    def held(self, *key: str) -> Any:
        """Balance of a ledger account."""
        return balance(self.state, (key[0], key[1], key[2], key[3]))

    def begin(self) -> Tables:
        """Take note of the state before what a theorem is about."""
        self.state.commit()
        return Tables.of(self.state)
