"""Worlds whose books are in order: every state that satisfies the invariants, and no other.

What an invariant fixes is not supposed of free atoms but built in: open interest is the sum of the long positions,
the other shorts are what is missing to a sum of zero, a clearing account holds what positions owe it, and one balance
is what is missing to a sum of zero. So no path is spent on states that break an invariant, and most invariants of the
state after an event are identities of polynomials. That every state that satisfies the invariants is such a world is a
theorem of its own (``invariants.any-market-is-a-world``): there the world is ``free`` of some invariants, they are
supposed of free atoms, and what is built in elsewhere is claimed.

The balance that stands for all untouched users of a settlement asset contains the clearing balances of all markets that
the event does not touch. By INV-5, INV-7 and INV-13 these are what the positions in them are worth at mark, less
shortfall; so sums over a pool are sums over the whole pool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clearspec import invariants as inv
from clearspec.ledger import Kind, clearing
from clearspec.numerics import INDEX_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE, SIZE_MAX, SOURCES_MAX
from clearspec.parameters import FUND_LAYERS, FeedParameters, Layer
from clearspec.state import Budget, Feed, Funding, Mark, MarketStatus, Position, Post, Settlement
from clearspec_proofs.claims import CLAIM_REST, RESTS, envelope, tables_of, view
from clearspec_proofs.lifting.paths import Discarded, Path
from clearspec_proofs.lifting.polynomials import add, constant, negate
from clearspec_proofs.lifting.terms import Condition, polynomial_of
from clearspec_proofs.unknown import Among, is_unknown, unknown
from clearspec_proofs.world import CASH, COIN, FEED, LONG_REST, MARKET, POOL, REST, SHORT_REST, World, symbolic

OPEN, COLLECTING, PAYING, CLOSED, OTHER = "open", "collecting", "paying", "closed", "not open"
"""Phases of a market: before its settlement price is fixed; while positions are settled; while claims are paid; closed.
``OTHER`` is any phase but the first, for events that do nothing in it."""

NEVER, BEFORE, INSIDE, ANY_TIME = "never", "before its window", "inside its window", "any time"
"""Where an open market stands before its expiry; at any time nothing is said of its TWAP."""

TRADED = (MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY, MarketStatus.HALTED)
STATUSES = {OPEN: TRADED, CLOSED: (MarketStatus.CLOSED,), OTHER: (MarketStatus.SETTLING, MarketStatus.CLOSED)}

LONG, SHORT, CLAIM, FLAT = "long", "short", "claim", "flat"
"""What an account may hold in a market."""

HELD = {OPEN: (FLAT, LONG, SHORT), COLLECTING: (FLAT, LONG, SHORT, CLAIM), PAYING: (FLAT, CLAIM), CLOSED: (FLAT,)}
"""What an account may hold in a market by its phase."""


INSURANCE, SKIN, TEAR_UP, HAIRCUT = Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP, Layer.GAINS_HAIRCUT
LAYERS: tuple[tuple[Layer, ...], ...] = (
    (), (INSURANCE,), (SKIN,), (INSURANCE, SKIN), (SKIN, INSURANCE), (TEAR_UP,), (HAIRCUT,), (*FUND_LAYERS, TEAR_UP),
    (*FUND_LAYERS, TEAR_UP, HAIRCUT), (*FUND_LAYERS, HAIRCUT, TEAR_UP),
)  # fmt: skip
"""Orders of layers; that what bears keeps the invariants is shown of each layer apart, so that others add nothing."""


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


def lemma(path: Any, name: str, fact: Callable[[], Any]) -> None:
    """Claim a comparison and note it among the hypotheses, also where bounds made it evident."""
    path.claim(name, fact)
    given(path, fact(), name)


class SoundWorld(World):
    """A symbolic state that satisfies every invariant."""

    def __init__(self, path: Any, free: tuple[str, ...] = ()) -> None:
        """Of ``free`` nothing is built in."""
        super().__init__(path)
        self.free = {name.partition(" ")[0] for name in free}
        self.explicit = not path.stand_ins
        self.owed: list[tuple[str, Any]] = []
        self.phases: dict[str, str] = {}
        self.times: dict[str, str] = {}
        self.bare: set[str] = set()
        self.round = 0

    # What an invariant says

    def one_of(self, question: str, *options: Any) -> Any:
        """Each of several answers to a question about how the world is made."""
        answer = self.path.choice(question, *options)
        return next((option for option in options[:-1] if answer == option), options[-1])

    def is_free(self, invariants: str) -> bool:
        """Whether the world is free of what these say."""
        return bool(self.free & set(invariants.split(", ")))

    def said(self, fact: Any, invariant: str) -> None:
        """What an invariant says: supposed; owed by a world that is free of it."""
        if self.is_free(invariant):
            self.owed.append((invariant, fact))
        else:
            given(self.path, fact, f"range ({invariant})")

    def atom(self, name: str, low: int | None, high: int | None, invariant: str) -> Any:
        """An atom within the bounds that an invariant gives it."""
        if not self.is_free(invariant):
            return self.path.atom(name, low, high, f"range ({invariant})")
        made = self.path.atom(name)
        self.owed += [(invariant, made >= low)] if low is not None else []
        self.owed += [(invariant, made <= high)] if high is not None else []
        return made

    def figure(self, name: str, value: int, invariant: str) -> Any:
        """A figure of which an invariant says what it is."""
        return self.atom(name, value, value, invariant) if self.is_free(invariant) else value

    def fix(self, table: Any, key: Any, value: Any, invariant: str) -> None:
        """Give a record that an invariant fixes its value."""
        if self.is_free(invariant):
            self.owed.append((invariant, (table[key], value)))
        else:
            table.put(key, value)

    def label(self, name: str) -> str:
        """A name for atoms, which are new ones after a stand-in."""
        return name if self.round == 0 else f"{name}'{self.round}"

    def fresh_name(self, name: str) -> str:
        """A name for atoms that is new each time."""
        counts = self.path.counts
        counts[name] = counts.get(name, 0) + 1
        return f"{name}#{counts[name]}"

    # Objects

    def balance(self, key: tuple[str, str, str, str], low: int | None = None) -> None:
        """A ledger account with any balance that the invariants allow."""
        asset, pool, kind, owner = key
        if owner == REST and kind == Kind.CLEARING.value:
            return
        collateral = asset != self.state.pools[pool].settlement_asset
        name = self.label(f"{pool}.{asset}.{kind}{'.' + owner if owner else ''}")
        if owner == REST:
            self.state.balances.put(
                key, self.path.atom(name, 0 if collateral else None) if self.is_free("INV-1") else 0
            )
        elif kind in (Kind.CUSTODY.value, Kind.UNCOVERED_LOSS.value):
            self.state.balances.put(key, self.atom(name, None, 0, "INV-2, INV-3"))
        elif kind in (Kind.USER.value, Kind.CLEARING.value):
            self.state.balances.put(key, self.atom(name, 0 if collateral else None, None, "INV-4"))
        else:
            self.state.balances.put(key, self.atom(name, 0, None, "INV-3"))

    def pool(
        self, pool: str = POOL, collateral: tuple[str, ...] = (), settlement_asset: str = CASH, **given: Any
    ) -> None:
        """A margin pool; with a collateral asset and layers where the real functions run, which look at them."""
        if self.explicit and not collateral and settlement_asset == CASH:
            collateral = (COIN,)
            if f"{COIN}-feed" not in self.state.feeds:
                self.feed(f"{COIN}-feed")
        if self.explicit and "layers" not in given:
            given["layers"] = self.one_of(f"{pool}.layers", *LAYERS)
        super().pool(pool, collateral, settlement_asset, **given)

    def feed(self, feed: str = FEED, sources: tuple[str, ...] = ("actor",), markets: tuple[str, ...] = ()) -> None:
        """An oracle feed with any price up to its cap, and a post of each source."""
        path = self.path
        quorum = path.atom(f"{feed}.parameters.quorum", 1, SOURCES_MAX, "range (envelope)")
        parameters = symbolic(path, FeedParameters, f"{feed}.parameters", feed=feed, sources=sources, quorum=quorum)
        drawn = isinstance(parameters.max_price, int) and not self.is_free("INV-9, INV-16")
        most = parameters.max_price if drawn else PRICE_MAX
        prices = {name: path.atom(f"{feed}.{name}", 0, most) for name in ("index", "anchor")}
        record = symbolic(path, Feed, feed, parameters=parameters, markets=markets, **prices)
        self.said(record.index <= parameters.max_price, "INV-9")
        self.said(record.anchor <= parameters.max_price, "INV-16")
        self.state.feeds.put(feed, record)
        for source in sources:
            self.state.posts.put((feed, source), symbolic(path, Post, f"{feed}.{source}"))

    def market(
        self, market: str = MARKET, pool: str = POOL, feed: str = FEED, tiers: int = 1, phase: str = OPEN,
        time: str = ANY_TIME, bare: bool = False, **more: Any,
    ) -> None:  # fmt: skip
        """A market in a phase; an open one at a time before, inside or without its settlement window.

        A ``bare`` market shows nothing of its positions: that will do where nothing changes that a sum over them reads.
        """
        if self.explicit and phase == OTHER:
            phase = self.one_of(f"{market} is", COLLECTING, PAYING, CLOSED)
        if self.explicit and phase == OPEN and time == ANY_TIME:
            time = self.one_of(f"{market} is at", NEVER, BEFORE, INSIDE)
        if phase == OTHER or (bare and not self.explicit):
            self.bare.add(market)
        self.phases[market], self.times[market] = phase, time
        if time == NEVER:
            more["expiry"] = 0
        status = self.path.choice(f"{market}.status", *STATUSES.get(phase, (MarketStatus.SETTLING,)))
        super().market(market, pool, feed, tiers, status=status, **more)
        record, parameters = self.state.markets[market], self.state.feeds[feed].parameters
        for tiers in tables_of(record):
            for fact in envelope(record.listing, tiers[0].maintenance, parameters):
                given(self.path, fact, "range (envelope)")

    def figures(self, market: str, pool: str) -> None:
        """What a market has beside its listing."""
        state, name = self.state, f"{market}.open_interest"
        state.open_interest.put(market, self.path.atom(name) if self.is_free("INV-6") else 0)
        if market in self.bare:
            state.open_interest.put(market, unknown(name, 0))
        self.prices(market)
        self.rest(market)
        state.budgets.put(market, symbolic(self.path, Budget, f"{market}.budget"))
        key = clearing(CASH, pool, market)
        if market in self.bare:
            state.balances.put(key, Among(f"the clearing balance of {market}"))
        else:
            self.balance(key)

    def prices(self, market: str) -> None:
        """Mark, funding and settlement of a market."""
        state, path, name = self.state, self.path, self.label(market)
        low = 1 if self.phases[market] in (COLLECTING, PAYING) else 0
        price, basis = self.atom(f"{name}.mark.price", low, PRICE_MAX, "INV-9"), path.atom(f"{name}.mark.basis_sum")
        self.said(price <= self.highest_price(market), "INV-16")
        state.marks.put(market, symbolic(path, Mark, f"{name}.mark", price=price, basis_sum=basis))
        period = state.markets[market].listing.parameters.funding.period
        figures = {
            "index": self.atom(f"{name}.funding.index", -INDEX_MAX, INDEX_MAX, "INV-9"),
            "carry": self.atom(f"{name}.funding.carry", 0, None, "INV-9"),
            "haircut_long": self.atom(f"{name}.funding.haircut_long", 0, INDEX_MAX, "INV-9"),
            "haircut_short": self.atom(f"{name}.funding.haircut_short", 0, INDEX_MAX, "INV-9"),
            "samples": self.samples(name),
        }
        self.said(figures["carry"] < SCALE * period, "INV-9")
        state.fundings.put(market, symbolic(path, Funding, f"{name}.funding", **figures))
        state.settlements.put(market, self.settlement(market, f"{name}.settlement", price))

    def highest_price(self, market: str) -> Any:
        """The highest price of the feed that a market follows."""
        return self.state.feeds[self.state.markets[market].listing.feed].parameters.max_price

    def samples(self, market: str) -> tuple[Any, ...]:
        """Premium samples of a running interval: one of any value stands for all; all where the real functions run."""
        if self.explicit:
            drawn = self.path.choice(f"{market}.samples", *range(10))
            count = next(number for number in range(10) if drawn == number)
            return tuple(self.path.atom(f"{market}.sample{at}") for at in range(count))
        return (self.path.atom(f"{market}.sample"),)

    def settlement(self, market: str, name: str, price: Any) -> Settlement:
        """Settlement figures that fit the phase."""
        path, phase = self.path, self.phases[market]
        zero = (self.figure(f"{name}.{field}", 0, "INV-13") for field in ("price", "residual", "shortfall"))
        none = (self.figure(f"{name}.{field}", 0, "INV-13") for field in ("pot", "claims", "claimed"))
        if phase == OPEN:
            return Settlement(*self.twap(market, name), *zero, *none, False)
        accrued = (path.atom(f"{name}.accrued"), path.atom(f"{name}.accrued_time"))
        fixed = path.atom(f"{name}.price") if phase == CLOSED else self.figure_of(f"{name}.price", price)
        if phase == COLLECTING:
            shortfall = self.atom(f"{name}.shortfall", 0, None, "INV-13")
            pot, claims = self.figure(f"{name}.pot", 0, "INV-13"), self.atom(f"{name}.claims", 0, None, "INV-13")
            claimed = self.figure(f"{name}.claimed", 0, "INV-13")
            return Settlement(*accrued, fixed, path.atom(f"{name}.residual"), shortfall, pot, claims, claimed, False)
        residual = self.figure(f"{name}.residual", 0, "INV-13")
        claims = self.atom(f"{name}.claims", 1 if phase == PAYING else None, None, "INV-13")
        if phase == PAYING:
            pot, claimed = (self.atom(f"{name}.{field}", 0, None, "INV-13") for field in ("pot", "claimed"))
            self.said(claimed < claims, "INV-13")
            self.said(pot <= claims, "INV-13")
            shortfall = path.atom(f"{name}.shortfall") if self.is_free("INV-13") else 0
            return Settlement(*accrued, fixed, residual, shortfall, pot, claims, claimed, True)
        shortfall, pot = self.figure(f"{name}.shortfall", 0, "INV-10"), path.atom(f"{name}.pot")
        claimed = self.figure_of(f"{name}.claimed", claims)
        collected = path.choice(f"{name}.collected", False, True)
        return Settlement(*accrued, fixed, residual, shortfall, pot, claims, claimed, collected)

    def figure_of(self, name: str, value: Any) -> Any:
        """A figure of which INV-13 says that it is another one."""
        if not self.is_free("INV-13"):
            return value
        made = self.path.atom(name)
        self.owed.append(("INV-13", (made, value)))
        return made

    def twap(self, market: str, name: str) -> tuple[Any, Any]:
        """What the settlement TWAP has accrued, and up to when."""
        path, listing, time = self.path, self.state.markets[market].listing, self.times[market]
        start = listing.expiry - listing.parameters.settlement_window
        if time == ANY_TIME:
            return path.atom(f"{name}.accrued"), path.atom(f"{name}.accrued_time")
        if time != NEVER:
            given(path, listing.expiry >= 1, "range")
            self.said(start >= 0, "INV-14")
        if time != INSIDE:
            moment = self.figure(f"{name}.accrued_time", 0, "INV-14") if time == NEVER else 0
            return self.figure(f"{name}.accrued", 0, "INV-14"), moment
        accrued, moment = self.atom(f"{name}.accrued", 0, None, "INV-14"), path.atom(f"{name}.accrued_time", 1)
        for fact in (moment > start, moment <= listing.expiry, moment <= self.state.time):
            self.said(fact, "INV-14")
        self.said(accrued <= self.highest_price(market) * (moment - start), "INV-14")
        return accrued, moment

    def rest(self, market: str) -> None:
        """Positions that the event does not touch: long ones, short ones, and claims of settled ones."""
        path, phase, table, name = self.path, self.phases[market], self.state.positions, self.label(market)
        if market in self.bare:
            return
        if phase in (OPEN, COLLECTING):
            others = self.one_of(f"{name}: others are", "long and short", LONG, SHORT, FLAT)
            for account, side, bounds in ((LONG_REST, LONG, (1, None)), (SHORT_REST, SHORT, (None, -1))):
                if side in others:
                    own = self.is_free("INV-5") or (account == LONG_REST and SHORT in others)
                    size = path.atom(f"{name}.{account}.size", *bounds) if own else 0
                    table.put((account, market), Position(size, path.atom(f"{name}.{account}.cost"), 0, 0))
        if phase in (COLLECTING, PAYING):
            cost = path.atom(f"{name}.{CLAIM_REST}.cost", None, 0) if self.is_free("INV-13") else 0
            table.put((CLAIM_REST, market), Position(0, cost, 0, 0))

    def account(
        self, account: str, pool: str = POOL, markets: tuple[str, ...] = (), owner: Any = None, **holds: str
    ) -> None:
        """An account with any balances, and in each market what ``holds`` says.

        What else it holds is in the rest; but where the real functions run instead of stand-ins, which may look at it,
        each of its positions is made.
        """
        super().account(account, pool, markets, owner)
        here = {market: phase for market, phase in self.phases.items() if self.pool_of(market) == pool}
        if self.explicit:
            last = self.one_of(f"{account} left last", "", *here)
            self.state.accounts.put(account, replace(self.state.accounts[account], last_market=last))
        for market, phase in here.items():
            if market in holds or self.explicit:
                kind = holds.get(market) or self.one_of(f"{account} holds in {market}", *HELD[phase])
                self.hold(account, market, kind)
            else:
                self.state.positions.put((account, market), Among(f"the position of {account} in {market}"))
        if not holds and not self.explicit:
            self.state.accounts.put(account, unknown(account, self.state.accounts[account]))

    def pool_of(self, market: str) -> str:
        """The pool of a market."""
        return str(self.state.markets[market].listing.pool)

    def hold(self, account: str, market: str, kind: str) -> None:
        """What an account holds in a market: a long or short position, a claim, or nothing."""
        path, name = self.path, f"{account}.{market}"
        size = cost = 0
        if kind in (LONG, SHORT):
            most = None if self.is_free("INV-9") else SIZE_MAX
            bounds = (1, most) if kind == LONG else (most and -most, -1)
            size = path.atom(f"{name}.size", *bounds)
            cost = self.cost(f"{name}.cost", size)
            self.said(abs(size) <= SIZE_MAX, "INV-9")
            self.said(self.state.marks[market].price >= 1, "INV-17")
        elif kind == CLAIM:
            cost = path.atom(f"{name}.cost", None, -1)
        indices = path.atom(f"{name}.funding_index"), path.atom(f"{name}.haircut_index")
        self.state.positions.put((account, market), Position(size, cost, *indices))
        path.good.append((size, cost))
        if kind != FLAT:
            record = self.state.accounts[account]
            self.state.accounts.put(account, replace(record, markets=(*record.markets, market)))

    def cost(self, name: str, size: Any) -> Any:
        """The cost of an open position: any in the lifted world, where ``path.good`` says that INV-12 holds of it.

        Where the real functions run it is one that INV-12 allows; a drawn one is drawn from those.
        """
        if not self.explicit:
            return self.path.atom(name)
        ends = (0, size * PRICE_MAX)
        if isinstance(size, int):
            return self.path.atom(name, min(ends), max(ends))
        made = self.path.atom(name)
        low, high = ends if size >= 0 else ends[::-1]
        given(self.path, made >= low, "range (INV-12)")
        given(self.path, made <= high, "range (INV-12)")
        return made

    # Balanced books

    def tie(self) -> None:
        """Give the figures that invariants fix their values."""
        for market in self.phases:
            if market not in self.bare:
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
        """INV-5 and INV-6, and what follows of the bounds of both sides."""
        state, table, price = self.state, self.state.positions, self.state.marks[market].price
        residual, mine = state.settlements[market].residual, self.held(market, *RESTS)
        others = -(residual + sum(position.size for position in mine))
        longs, shorts = table.get((LONG_REST, market)), table.get((SHORT_REST, market))
        if shorts is not None:
            left = others if longs is None else others - longs.size
            self.said(left <= -1, "INV-5")
            self.fix(table, (SHORT_REST, market), replace(shorts, size=left), "INV-5")
        elif longs is not None:
            self.said(others >= 1, "INV-5")
            self.fix(table, (LONG_REST, market), replace(longs, size=others), "INV-5")
        else:
            self.said((others, 0), "INV-5")
            self.said((others * price, 0), "INV-5")
        if longs is not None or shorts is not None:
            self.said(price >= 1, "INV-17")
        interest = sum(max(0, position.size) for position in self.held(market))
        self.fix(state.open_interest, market, interest, "INV-6")
        self._bound_sides(market, interest, interest + residual)

    def _bound_sides(self, market: str, *sides: Any) -> None:
        """INV-15, and that the notional of each touched position has its sign."""
        top = self.highest_price(market)
        for position in self.held(market, *RESTS):
            given(self.path, position.size * top >= 0 if position.size >= 0 else position.size * top <= 0, "range")
        for lots in sides:
            for fact in (lots >= 0, lots <= SIZE_MAX, lots * top <= NOTIONAL_MAX):
                self.said(fact, "INV-15")

    def tie_claims(self, market: str) -> None:
        """INV-13: the claims of untouched accounts are what is due beside those of touched ones."""
        state = self.state
        rest = state.positions.get((CLAIM_REST, market))
        if rest is None:
            return
        settlement = state.settlements[market]
        mine = sum(position.cost for position in self.held(market, *RESTS) if position.size == 0)
        cost = settlement.claimed - settlement.claims - mine
        self.said(cost <= 0, "INV-13")
        self.fix(state.positions, (CLAIM_REST, market), replace(rest, cost=cost), "INV-13")

    def tie_clearing(self, market: str) -> None:
        """INV-7; while claims are paid, the shortfall is what INV-7 leaves of a pot of which claims were paid."""
        state, settlement = self.state, self.state.settlements[market]
        key = clearing(CASH, state.markets[market].listing.pool, market)
        if self.phases[market] == PAYING:
            paid = settlement.pot * settlement.claimed // settlement.claims
            shortfall = settlement.claims - settlement.claimed - (settlement.pot - paid)
            self.fix(state.settlements, market, replace(settlement, shortfall=shortfall), "INV-13")
        held = state.balances[key]
        state.balances.put(key, 0)
        due = -inv.clearing_gap(view(self.path, state, "INV-7"), market)
        state.balances.put(key, held)
        self.fix(state.balances, key, due, "INV-7")

    def tie_balances(self, asset: str, pool: str) -> None:
        """INV-1, and with INV-5 and INV-7 thereby INV-11."""
        rows = self.state.balances.items()
        mine = [(key, amount) for key, amount in rows if key[:2] == (asset, pool) and key[3] != REST]
        rest = -sum(amount for _, amount in mine if not is_unknown(amount))
        if asset != self.state.pools[pool].settlement_asset:
            self.said(rest >= 0, "INV-4")
        self.fix(self.state.balances, (asset, pool, Kind.USER.value, REST), rest, "INV-1")
