"""Worlds whose books are in order: every state that satisfies the invariants, and no other.

What an invariant fixes is not supposed of free atoms but built in: open interest is the sum of the long positions,
the other shorts are what is missing to a sum of zero, a clearing account holds what positions owe it, and one balance
is what is missing to a sum of zero. So no path is spent on states that break an invariant, and most invariants of the
state after an event are identities of polynomials. That every state that satisfies the invariants is such a world is a
theorem of its own (``invariants.any-state-is-a-world``).

The balance that stands for all untouched users of a settlement asset contains the worth at mark, less shortfall, of
all markets that the event does not touch, so that sums over a pool are sums over the whole pool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec import invariants as inv
from clearspec.events import Context
from clearspec.ledger import Kind, clearing
from clearspec.machine import apply
from clearspec.numerics import INDEX_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX
from clearspec.parameters import FeedParameters
from clearspec.state import Budget, Feed, Funding, Mark, MarketStatus, Position, Post, Settlement
from clearspec_proofs.claims import (
    ALWAYS,
    CLAIM_REST,
    READS,
    RESTS,
    accounts_of,
    dangling,
    in_ranges,
    parameters_kept,
    view,
)
from clearspec_proofs.lifting.paths import Discarded, Path
from clearspec_proofs.lifting.polynomials import add, constant, negate
from clearspec_proofs.lifting.terms import Condition, polynomial_of
from clearspec_proofs.stand_ins import StandIn, standing_in
from clearspec_proofs.unknown import Among, is_unknown, unknown
from clearspec_proofs.world import CASH, FEED, LONG_REST, MARKET, POOL, REST, SHORT_REST, Tables, World, symbolic
from clearspec_proofs.writing import writes_of

OPEN, COLLECTING, PAYING, CLOSED, OTHER = "open", "collecting", "paying", "closed", "not open"
"""Phases of a market: before its settlement price is fixed; while positions are settled; while claims are paid; closed.
``OTHER`` is any phase but the first, for events that do nothing in it."""

NEVER, BEFORE, INSIDE, ANY_TIME = "never", "before its window", "inside its window", "any time"
"""Where an open market stands before its expiry; at any time nothing is said of its TWAP."""

TRADED = (MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY, MarketStatus.HALTED)

LONG, SHORT, CLAIM, FLAT = "long", "short", "claim", "flat"
"""What an account may hold in a market."""


def given(path: Any, fact: Any, origin: str) -> None:
    """Suppose one comparison, or one equation as a pair, without a path for its opposite."""
    equation = isinstance(fact, tuple)
    if not isinstance(path, Path):
        if not (fact[0] == fact[1] if equation else fact):
            raise Discarded
        return
    if equation:
        polynomial = add(polynomial_of(fact[0]), polynomial_of(fact[1]), -1)
    elif isinstance(fact, Condition):
        polynomial = fact.polynomial if fact.holds else add(negate(fact.polynomial), constant(1), -1)
    else:
        polynomial = constant(0 if fact else -1)
    if path.evident(polynomial) is False or (equation and path.evident(negate(polynomial)) is False):
        raise Discarded
    path.suppose(polynomial, equation, origin)


class Books(World):
    """A symbolic state that satisfies every invariant, and the events that happen in it."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.phases: dict[str, str] = {}
        self.times: dict[str, str] = {}
        self.kinds: dict[tuple[str, str], str] = {}
        self.admitted: list[Any] = []
        self.named: set[str] = set()
        self.start = self.before
        self.round = 0

    # Objects

    def one_of(self, question: str, *options: Any) -> Any:
        """Each of several answers to a question about how the world is made."""
        answer = self.path.choice(question, *options)
        return next((option for option in options[:-1] if answer == option), options[-1])

    def atom(self, name: str, low: int | None, high: int | None, origin: str) -> Any:
        """An atom within bounds that an invariant gives; after a stand-in it is a new one."""
        return self.path.atom(name if self.round == 0 else f"{name}'{self.round}", low, high, origin)

    def balance(self, key: tuple[str, str, str, str], low: int | None = None) -> None:
        """A ledger account with any balance that the invariants allow."""
        asset, pool, kind, owner = key
        if owner == REST:
            return
        high: int | None = None
        if kind in (Kind.CUSTODY.value, Kind.UNCOVERED_LOSS.value):
            high = 0
        elif kind not in (Kind.USER.value, Kind.CLEARING.value) or asset != self.state.pools[pool].settlement_asset:
            low = 0
        name = f"{pool}.{asset}.{kind}{'.' + owner if owner else ''}"
        self.state.balances.put(key, self.atom(name, low, high, "range (INV-2, INV-3, INV-4)"))

    def feed(self, feed: str = FEED, sources: tuple[str, ...] = ("actor",), markets: tuple[str, ...] = ()) -> None:
        """An oracle feed with any price up to its cap, and a post of each source."""
        path = self.path
        parameters = symbolic(path, FeedParameters, f"{feed}.parameters", feed=feed, sources=sources)
        record = symbolic(path, Feed, feed, parameters=parameters, markets=markets)
        given(path, record.index <= parameters.max_price, "range (INV-9)")
        given(path, record.anchor <= parameters.max_price, "range (INV-16)")
        self.state.feeds.put(feed, record)
        for source in sources:
            self.state.posts.put((feed, source), symbolic(path, Post, f"{feed}.{source}"))

    def market(
        self, market: str = MARKET, pool: str = POOL, feed: str = FEED, tiers: int = 1, phase: str = OPEN,
        time: str = ANY_TIME, **more: Any,
    ) -> None:  # fmt: skip
        """A market in a phase; an open one at a time before, inside or without its settlement window."""
        status = {OPEN: TRADED, CLOSED: (MarketStatus.CLOSED,), OTHER: (MarketStatus.SETTLING, MarketStatus.CLOSED)}
        options = status.get(phase, (MarketStatus.SETTLING,))
        self.phases[market], self.times[market] = phase, time
        if time == NEVER:
            more["expiry"] = 0
        super().market(market, pool, feed, tiers, status=self.path.choice(f"{market}.status", *options), **more)

    def figures(self, market: str, pool: str) -> None:
        """What a market has beside its listing."""
        state, path = self.state, self.path
        state.open_interest.put(market, 0)
        self.renew_market(market)
        state.budgets.put(market, symbolic(path, Budget, f"{market}.budget"))
        self.balance(clearing(CASH, pool, market))

    def renew_market(self, market: str) -> None:
        """Mark, funding, settlement and the rest of the positions of a market."""
        state, phase = self.state, self.phases[market]
        name = market if self.round == 0 else f"{market}'{self.round}"
        listing = state.markets[market].listing
        low = 1 if phase in (COLLECTING, PAYING) else 0
        price = self.path.atom(f"{name}.mark.price", low, PRICE_MAX, "range (INV-9)")
        state.marks.put(market, symbolic(self.path, Mark, f"{name}.mark", price=price))
        carry = self.path.atom(f"{name}.funding.carry", 0, None, "range (INV-9)")
        given(self.path, carry < SCALE * listing.parameters.funding.period, "range (INV-9)")
        sides = {
            side: self.path.atom(f"{name}.funding.{side}", 0, INDEX_MAX, "range (INV-9)")
            for side in ("haircut_long", "haircut_short")
        }
        funding = symbolic(
            self.path, Funding, f"{name}.funding", carry=carry, samples=self.samples(name), **sides
        )  # fmt: skip
        state.fundings.put(market, funding)
        state.settlements.put(market, self.settlement(market, name, price))
        self.rest(market)

    def settlement(self, market: str, name: str, price: Any) -> Settlement:
        """Settlement figures that fit the phase."""
        path, phase = self.path, self.phases[market]
        if phase == OPEN:
            return Settlement(*self.twap(market, name), 0, 0, 0, 0, 0, 0, False)
        free = [path.atom(f"{name}.settlement.{field}") for field in ("accrued", "accrued_time")]
        shortfall = path.atom(f"{name}.settlement.shortfall", 0, None, "range (INV-13)")
        claims = path.atom(f"{name}.settlement.claims", 0, None, "range (INV-13)")
        if phase == COLLECTING:
            residual = path.atom(f"{name}.settlement.residual")
            return Settlement(*free, price, residual, shortfall, 0, claims, 0, False)
        pot, claimed = (path.atom(f"{name}.settlement.{field}", 0, None, "range (INV-13)") for field in ("pot", "claimed"))
        if phase == PAYING:
            given(path, claimed < claims, "range (INV-13)")
            return Settlement(*free, price, 0, shortfall, pot, claims, claimed, True)
        return Settlement(*free, price, 0, 0, pot, claims, claims, path.choice(f"{name}.collected", False, True))

    def twap(self, market: str, name: str) -> tuple[Any, Any]:
        """What the settlement TWAP has accrued, and up to when."""
        path, listing = self.path, self.state.markets[market].listing
        start = listing.expiry - listing.parameters.settlement_window
        time = self.times[market]
        if time == ANY_TIME:
            return path.atom(f"{name}.settlement.accrued"), path.atom(f"{name}.settlement.accrued_time")
        if time != NEVER:
            given(path, start >= 0, "range (INV-14)")
            given(path, listing.expiry >= 1, "range (INV-14)")
        if time != INSIDE:
            return 0, 0
        accrued = path.atom(f"{name}.settlement.accrued", 0, None, "range (INV-14)")
        moment = path.atom(f"{name}.settlement.accrued_time", 1, None, "range (INV-14)")
        for fact in (moment > start, moment <= listing.expiry, moment <= self.state.time):
            given(path, fact, "range (INV-14)")
        given(path, accrued <= PRICE_MAX * (moment - start), "range (INV-14)")
        return accrued, moment

    def rest(self, market: str) -> None:
        """Positions that the event does not touch: long ones, short ones, and claims of settled ones."""
        phase, table = self.phases[market], self.state.positions
        name = market if self.round == 0 else f"{market}'{self.round}"
        if phase in (OPEN, COLLECTING):
            others = self.one_of(f"{name}: others are", "long and short", "long", "short", "flat")
            for account, side in ((LONG_REST, LONG), (SHORT_REST, SHORT)):
                if side in others:
                    size = self.path.atom(f"{name}.{account}.size", 1) if (account, others) == (LONG_REST, "long and short") else 0
                    table.put((account, market), Position(size, self.path.atom(f"{name}.{account}.cost"), 0, 0))
        if phase in (COLLECTING, PAYING):
            table.put((CLAIM_REST, market), Position(0, 0, 0, 0))

    def account(
        self, account: str, pool: str = POOL, markets: tuple[str, ...] = (), owner: Any = None, **holds: str
    ) -> None:
        """An account with any balances, and in each market what ``holds`` says; else what it holds is in the rest."""
        super().account(account, pool, markets, owner)
        for market in self.phases:
            if market in holds:
                self.hold(account, market, holds[market])
            else:
                self.state.positions.put((account, market), Among(f"the position of {account} in {market}"))
        if not holds:
            self.state.accounts.put(account, unknown(account, self.state.accounts[account]))

    def hold(self, account: str, market: str, kind: str) -> None:
        """What an account holds in a market: a long or short position, a claim, or nothing."""
        path, name = self.path, f"{account}.{market}"
        low, high = {LONG: (1, SIZE_MAX), SHORT: (-SIZE_MAX, -1)}.get(kind, (0, 0))
        size = path.atom(f"{name}.size", low, high, "range (INV-9)") if low != high else 0
        cost = path.atom(f"{name}.cost", None, -1, "range (INV-12)") if kind == CLAIM else 0
        cost = path.atom(f"{name}.cost") if kind in (LONG, SHORT) else cost
        indices = path.atom(f"{name}.funding_index"), path.atom(f"{name}.haircut_index")
        self.state.positions.put((account, market), Position(size, cost, *indices))
        path.good.append((size, cost))
        if kind != FLAT:
            record = self.state.accounts[account]
            self.state.accounts.put(account, replace(record, markets=(*record.markets, market)))

    # Balanced books

    def tie(self) -> None:
        """Give the figures that invariants fix the values that they fix."""
        for market, phase in self.phases.items():
            if phase != OTHER:
                self.tie_sizes(market)
                self.tie_claims(market)
                self.tie_clearing(market)
        for pool in self.state.pools.values():
            for asset in (pool.settlement_asset, *(terms.asset for terms in pool.collateral)):
                self.tie_balances(asset, pool.pool)

    def held(self, market: str, *but: str) -> list[Position]:
        """Positions in a market that are known, those of the rest included, but of these accounts."""
        rows = self.state.positions.items()
        return [row for (name, at), row in rows if at == market and name not in but and not is_unknown(row)]

    def tie_sizes(self, market: str) -> None:
        """INV-5 and INV-6, and the bounds of both sides."""
        state, path, table = self.state, self.path, self.state.positions
        residual, mine = state.settlements[market].residual, self.held(market, *RESTS)
        others = -(residual + sum(position.size for position in mine))
        longs, shorts = table.get((LONG_REST, market)), table.get((SHORT_REST, market))
        if longs is None and shorts is None:
            given(path, (others, 0), "range (INV-5)")
        elif shorts is None:
            given(path, others >= 1, "range (INV-5)")
            table.put((LONG_REST, market), replace(longs, size=others))
        else:
            left = others if longs is None else others - longs.size
            given(path, left <= -1, "range (INV-5)")
            table.put((SHORT_REST, market), replace(shorts, size=left))
        interest = sum(max(0, position.size) for position in self.held(market))
        state.open_interest.put(market, interest)
        top = state.feeds[state.markets[market].listing.feed].parameters.max_price
        for lots in (interest, interest + residual):
            for fact in (lots >= 0, lots <= SIZE_MAX, lots * top <= NOTIONAL_MAX):
                given(path, fact, "range (INV-15)")

    def tie_claims(self, market: str) -> None:
        """INV-13: the claims of untouched accounts are what is due beside those of touched ones."""
        state = self.state
        rest = state.positions.get((CLAIM_REST, market))
        if rest is None:
            return
        settlement = state.settlements[market]
        mine = sum(position.cost for position in self.held(market, *RESTS) if position.size == 0)
        cost = settlement.claimed - settlement.claims - mine
        given(self.path, cost <= 0, "range (INV-13)")
        state.positions.put((CLAIM_REST, market), replace(rest, cost=cost))

    def tie_clearing(self, market: str) -> None:
        """INV-7; while claims are paid, the shortfall is what INV-7 leaves of a pot of which claims were paid."""
        state, path = self.state, self.path
        key = clearing(CASH, state.markets[market].listing.pool, market)
        settlement = state.settlements[market]
        if self.phases[market] == PAYING:
            paid = path.atom(f"{market}.paid", 0)
            share, claims = settlement.pot * settlement.claimed, settlement.claims
            for fact in (paid * claims <= share, share < (paid + 1) * claims):
                given(path, fact, "range (INV-13)")
            shortfall = claims - settlement.claimed - (settlement.pot - paid)
            given(path, shortfall >= 0, "range (INV-13)")
            state.settlements.put(market, replace(settlement, shortfall=shortfall))
        state.balances.put(key, 0)
        state.balances.put(key, -inv.clearing_gap(state, market))

    def tie_balances(self, asset: str, pool: str) -> None:
        """INV-1, and with INV-5 and INV-7 thereby INV-11."""
        rows = self.state.balances.items()
        others = [amount for key, amount in rows if key[:2] == (asset, pool) and key[3] != REST]
        rest = -sum(others)
        if asset != self.state.pools[pool].settlement_asset:
            given(self.path, rest >= 0, "range (INV-4)")
        self.state.balances.put((asset, pool, Kind.USER.value, REST), rest)

    # Transitions

    def begin(self) -> None:
        """Take note of the state before."""
        self.tie()
        self.state.commit()
        self.start = self.before = Tables.of(self.state)

    def moment(self) -> Context:
        """A running transition. Its time is that of the state, which the event will give it."""
        return Context(self.state, self.state.time, "actor")

    def settle(self, but: tuple[str, ...] = ()) -> None:
        """Claim every invariant of the state now, and begin again from it."""
        changed = self.before.changed(self.state)
        tables = {table for table, _ in changed}
        self.named |= accounts_of(changed)
        for entry in ALWAYS:
            if entry.id in but:
                continue
            if READS[entry.id] & tables:
                seen = view(self.path, self.state, entry.id)
                self.path.claim(entry.id, lambda entry=entry, seen=seen: entry.holds(seen))  # type: ignore[misc]
            else:
                self.path.claim(entry.id, lambda: True)
        if changed:
            self._claim_records(changed)
        self.before = Tables.of(self.state)

    def _claim_records(self, changed: list[tuple[str, Any]]) -> None:
        """Claim of changed records that they are in range, refer to something and keep admitted parameters."""
        tables = {table.name: table for table in self.state.tables}
        records = [tables[table][key] for table, key in changed]
        self.path.claim("fields in range", lambda: in_ranges(records))
        self.path.claim("parameters admitted", lambda: parameters_kept(self.before, self.state, self.admitted))
        if any(key not in self.before.tables[table] for table, key in changed):
            self.path.claim("nothing dangles", lambda: dangling(self.state) == [])

    def kept(
        self, function: Callable[..., Any], grounds: str, result: Callable[..., Any], then: Callable[..., dict[tuple[str, Any], Any]] | None = None
    ) -> StandIn:
        """A function that keeps the invariants, as the theorem ``grounds`` proves.

        At the call the invariants are claimed, and ``result(*arguments)`` claims what else that theorem requires and
        makes a result. Afterwards the tables that the function writes are unknown but for what ``then`` knows.
        """
        written = writes_of(function)

        def stand_in(*arguments: Any, **more: Any) -> Any:
            self.settle()
            made = result(*arguments, **more)
            known = then(*arguments, **more) if then is not None else {}
            self.forget(written, known)
            return made

        return StandIn(function, grounds, lambda _: stand_in)

    def forget(self, tables: frozenset[str], known: dict[tuple[str, Any], Any]) -> None:
        """Nothing is known any longer of some tables, but of the records in ``known``."""
        for table in self.state.tables:
            if table.name in tables:
                for key, record in list(table.items()):
                    if (table.name, key) in known:
                        table.put(key, known[table.name, key])
                    elif not is_unknown(record):
                        table.put(key, unknown(f"{table.name} {key}", record))
        self.before = Tables.of(self.state)

    def renew(self) -> None:
        """Any state again that satisfies the invariants, in place of what is not known."""
        self.round += 1
        state = self.state
        for market in self.phases:
            figures = (state.marks, state.fundings, state.settlements, state.open_interest)
            if any(is_unknown(table[market]) for table in figures) or any(map(is_unknown, self.rests(market))):
                self.renew_market(market)
            if is_unknown(state.budgets[market]):
                state.budgets.put(market, symbolic(self.path, Budget, f"{market}.budget'{self.round}"))
        for key, record in list(state.balances.items()):
            if is_unknown(record):
                self.balance(key)
        for pool, budget in state.pool_budgets.items():
            if is_unknown(budget):
                state.pool_budgets.put(pool, symbolic(self.path, Budget, f"{pool}.budget'{self.round}"))
        self.tie()
        self.before = Tables.of(state)

    def rests(self, market: str) -> list[Any]:
        """What stands for the untouched positions of a market."""
        return [record for (name, at), record in self.state.positions.items() if at == market and name in RESTS]

    def apply(self, action: Any, *stand_ins: StandIn) -> ev.Receipt:
        """Apply an event; a rejected one must leave everything as it was, another only change accounts that it names."""
        self.begin()
        with standing_in(self.path, *stand_ins):
            receipt = apply(self.state, self.event(action))
        if receipt.reason is None:
            self.path.mark("accepted")
        else:
            self.path.claim("rejected means unchanged", lambda: not self.start.changed(self.state))
        return receipt

    def keeps_invariants(self, action: Any, *stand_ins: StandIn) -> ev.Receipt:
        """Apply an event; if it is accepted, every invariant must hold afterwards."""
        receipt = self.apply(action, *stand_ins)
        if receipt.reason is None:
            self.settle()
            self.path.claim("only accounts of the receipt changed", lambda: self.named <= set(receipt.accounts))
        return receipt

    def call(
        self, call: Callable[[], Any], *stand_ins: StandIn, but: tuple[str, ...] = (), names: tuple[str, ...] = ()
    ) -> Any:
        """Call a part of a transition; every invariant must hold afterwards, but those that the transition sees to.

        No other accounts than ``names`` may change.
        """
        self.begin()
        with standing_in(self.path, *stand_ins):
            result = call()
        self.path.mark("done")
        self.settle(but)
        self.path.claim("only these accounts changed", lambda: self.named <= set(names))
        return result
