"""What a draw meets: the reference's state, and in it the values at which a rule changes its mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from clearspec.collateral import conversion_need, terms_for
from clearspec.events import Context
from clearspec.keepers import needed_for
from clearspec.ledger import balance, custody_of_users, user
from clearspec.liquidation import closable_size
from clearspec.margin import Standing, collateral_price, is_liquidatable, standing, withdrawal_equity
from clearspec.numerics import SCALE, mul_ceil, mul_floor
from clearspec.parameters import MarketParameters, PoolParameters
from clearspec.state import FLAT, Feed, Market, Position, State

NOBODY = "nobody"
"""An id that nothing has."""

LARGEST = 99
"""Largest number that is drawn.

Above it Hypothesis favours constants that stand in the modules that happen to be loaded, and a seed would mean
something else in every process.
"""

NUDGES = (0, 0, 0, 1, -1)
"""How far a value is moved off its boundary."""

SHIFTS = (0, 0, 0, 3, 6, 10, 20, 40, 60)
"""Powers of two by which a number without meaning is multiplied; the small ones most of the time."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn for one event; it becomes an event that makes sense in the state it meets.

    ``parties`` chooses accounts, ``which`` a market, ``choice`` among the values that an aim proposes, and whether it
    is moved off its boundary, ``pause`` how the time goes on; ``digits`` is for whatever else is to be chosen.
    """

    aim: str
    parties: int
    which: int
    choice: int
    pause: int
    digits: int

    @property
    def who(self) -> int:
        """Chooses an account."""
        return self.parties // 10

    @property
    def whom(self) -> int:
        """Chooses another."""
        return self.parties % 10

    @property
    def pick(self) -> int:
        """Chooses a value."""
        return self.choice // len(NUDGES)

    @property
    def nudge(self) -> int:
        """How far the value is moved."""
        return NUDGES[self.choice % len(NUDGES)]

    @property
    def number(self) -> int:
        """A number without any meaning in the state: small ones, and some of every magnitude."""
        return (1 + self.digits) << SHIFTS[(self.digits + self.choice) % len(SHIFTS)]


def chosen(values: Sequence[str], place: int, otherwise: str = NOBODY) -> str:
    """A value by its place, counted round."""
    return values[place % len(values)] if values else otherwise


class Stage:
    """A state at a time, seen by a draw."""

    def __init__(self, state: State, time: int, draw: Draw) -> None:
        self.state, self.draw = state, draw
        self.time = time
        self.time = max(time, self.moment())
        self.ctx = Context(state, self.time)
        self.standings: dict[str, Standing] = {}

    def value(self, *values: int) -> int:
        """One of the proposed values, on it or one beside; or the number without meaning."""
        place = self.draw.pick % (len(values) + 1)
        return self.draw.number if place == len(values) else values[place] + self.draw.nudge

    def amount(self, *values: int) -> int:
        """The same, at least 1."""
        return max(1, self.value(*values))

    # What there is

    @cached_property
    def accounts(self) -> list[str]:
        """Accounts of the market's pool; all, where there is no market."""
        market = self.market
        pool = None if market is None else market.listing.pool
        return [name for name, account in self.state.accounts.items() if pool in (None, account.pool)]

    @cached_property
    def name(self) -> str:
        """The market that is drawn."""
        return chosen(list(self.state.markets), self.draw.which)

    @property
    def market(self) -> Market | None:
        """The record of the market that is drawn."""
        return self.state.markets.get(self.name)

    @property
    def rules(self) -> MarketParameters:
        """Parameters of the market that is drawn."""
        return self.state.markets[self.name].listing.parameters

    @property
    def feed(self) -> Feed:
        """The feed of the market that is drawn."""
        return self.state.feeds[self.state.markets[self.name].listing.feed]

    @property
    def mark(self) -> int:
        """Mark of the market that is drawn; 1 where it has none."""
        mark = self.state.marks.get(self.name)
        return max(1, 0 if mark is None else mark.price)

    @cached_property
    def one(self) -> str:
        """The account that is drawn first."""
        return chosen(self.accounts, self.draw.who)

    @cached_property
    def other(self) -> str:
        """The account that is drawn second, never the first."""
        return chosen([name for name in self.accounts if name != self.one], self.draw.whom)

    @cached_property
    def weak(self) -> str:
        """The account of least health."""
        health = {name: self.standing(name).margin_equity - self.standing(name).maintenance for name in self.accounts}
        return min(health, key=lambda name: health[name], default=self.one)

    @cached_property
    def liquidatable(self) -> str:
        """An account below maintenance that is not in default, else the weakest."""
        weak = [name for name in self.accounts if is_liquidatable(self.standing(name))]
        found = [name for name in weak if self.standing(name).net_liquidation_value >= 0]
        return chosen(found, self.draw.who, self.weak)

    @cached_property
    def defaulted(self) -> str:
        """An account in default, else the weakest."""
        found = [name for name in self.accounts if self.standing(name).net_liquidation_value < 0]
        return chosen(found, self.draw.who, self.weak)

    @cached_property
    def needy(self) -> str:
        """An account whose collateral may be converted, else the weakest."""
        found = [name for name in self.accounts if conversion_need(self.standing(name), self.pool_of(name)) > 0]
        with_collateral = [name for name in found if self.standing(name).collateral > 0]
        return chosen(with_collateral or found, self.draw.who, self.weak)

    def beside(self, account: str) -> str:
        """Another account than this one."""
        return chosen([name for name in self.accounts if name != account], self.draw.whom)

    def pool_of(self, account: str) -> PoolParameters:
        """Parameters of the pool of an account that exists."""
        return self.state.pools[self.state.accounts[account].pool]

    def pool(self, account: str) -> PoolParameters | None:
        """Parameters of an account's pool."""
        record = self.state.accounts.get(account)
        return None if record is None else self.state.pools[record.pool]

    def standing(self, account: str) -> Standing:
        """Where an account stands now; nowhere, if there is no such account."""
        if account not in self.standings:
            known = account in self.state.accounts
            self.standings[account] = standing(self.ctx, account) if known else Standing(*[0] * 9)
        return self.standings[account]

    def position(self, account: str) -> Position:
        """An account's position in the market that is drawn."""
        return self.state.positions.get((account, self.name), FLAT)

    def held_market(self, account: str) -> str:
        """A market in which an account holds a position; the one drawn, if in none."""
        record = self.state.accounts.get(account)
        return chosen(record.markets if record else (), self.draw.which, self.name)

    def asset(self, account: str) -> str:
        """An asset of an account's pool, more often its settlement asset; at times one that it does not take."""
        pool = self.pool(account)
        if pool is None:
            return "USD"
        if self.draw.digits % 24 == 7:
            return "GOLD"
        collateral = [terms.asset for terms in pool.collateral]
        return chosen(collateral, self.draw.pick) if collateral and self.draw.digits % 3 == 0 else pool.settlement_asset

    # Times at which something changes

    def moment(self) -> int:
        """The time of the event: now, soon, or when something of the market changes."""
        now, pause = self.time, self.draw.pause
        if self.market is None or pause < 40:
            return now + (0, 0, 0, 1, 1)[pause % 5]
        own = self.own_moment()
        if own is not None:
            return own + self.draw.nudge
        if pause < 80:
            return now + (0, 0, 0, 1, 1)[pause % 5]
        ahead = [moment for moment in self.moments() if moment > now]
        return (ahead[pause % len(ahead)] if ahead else now + 1) + self.draw.nudge

    def own_moment(self) -> int | None:
        """When what is aimed at first becomes possible, if that is still to come."""
        found = {
            "accrue": self.state.fundings[self.name].time + self.rules.funding.interval,
            "book": self.state.marks[self.name].sample_time + self.rules.funding.sample_interval,
            "fix": self.state.markets[self.name].listing.expiry,
        }.get(self.draw.aim, 0)
        return found if found > self.time else None

    def moments(self) -> list[int]:
        """Times at which something of the market changes."""
        mark, listing = self.state.marks[self.name], self.state.markets[self.name].listing
        return [
            self.time + self.feed.parameters.step_interval,
            self.state.fundings[self.name].time + self.rules.funding.interval,
            mark.sample_time + self.rules.funding.sample_interval,
            mark.fresh_until + 1,
            self.state.markets[self.name].ramp_end,
            self.state.budgets[self.name].start + self.rules.liquidation.budget_interval,
            listing.expiry - self.rules.settlement_window if listing.expiry else 0,
            listing.expiry,
        ]

    # Values at which something changes

    def sizes(self) -> list[int]:
        """Lots at the caps, at the position's end, at a tier's bound, and as many as there is margin for."""
        rules, held, price = self.rules, abs(self.position(self.one).size), self.mark
        first = self.standing(self.one)
        room = (first.initial_equity - first.initial) * SCALE
        tiers = [(tier.upper - held * price) // price for tier in rules.margin.tiers[:-1]]
        ratio = rules.margin.tiers[0].initial
        return [
            held,
            abs(self.position(self.other).size),
            rules.trading.max_position - held,
            rules.trading.max_open_interest - self.state.open_interest[self.name],
            room // (price * ratio),
            *tiers,
        ]

    def fill_prices(self) -> list[int]:
        """The mark, and the ends of the band around it."""
        width = mul_floor(self.mark, self.rules.trading.price_band)
        return [self.mark, self.mark - width, self.mark + width]

    def posted_prices(self) -> list[int]:
        """Prices at the ends of the oracle's band, and those at which an account becomes liquidatable or defaults."""
        feed, index = self.feed.parameters, max(1, self.feed.index)
        width = max(1, mul_floor(max(1, self.feed.anchor), feed.band))
        critical = self.critical_prices(self.weak)
        return [index, self.feed.anchor - width, self.feed.anchor + width, *critical, *critical, 1, feed.max_price]

    def critical_prices(self, account: str) -> list[int]:
        """About the price at which equity meets the requirement, and that at which nothing is left."""
        size, price, held = self.position(account).size, self.mark, self.standing(account)
        if size == 0:
            return [price]
        worth = size * price
        slope = worth - held.maintenance
        meets = (worth - held.margin_equity) * price // slope if slope else price
        return [meets, price - held.net_liquidation_value // size]

    def outflows(self, account: str, asset: str) -> list[int]:
        """Amounts at which an outflow meets the balance, its limit, the margin, or custody."""
        pool = self.pool(account)
        if pool is None:
            return [1]
        held = self.standing(account)
        owned = balance(self.state, user(asset, pool.pool, account))
        custody = custody_of_users(self.state, asset, pool.pool)
        if asset != pool.settlement_asset:
            return [owned, custody]
        least = max(held.initial, mul_ceil(held.notional, pool.withdrawal_margin))
        return [withdrawal_equity(held, pool) - least, held.cash + pool.negative_balance_limit, custody, owned]

    def conversions(self, account: str, asset: str) -> list[int]:
        """Amounts of collateral that bring in what is needed, or are all that there is."""
        pool = self.pool(account)
        terms = None if pool is None else terms_for(pool, asset)
        if pool is None or terms is None:
            return [1]
        need, price = conversion_need(self.standing(account), pool), collateral_price(self.ctx, terms)
        enough = needed_for(need, price, terms) if need > 0 and price > 0 else 1
        return [enough, balance(self.state, user(asset, pool.pool, account))]

    def pieces(self, account: str, market: str) -> list[int]:
        """Lots that a liquidation may close at most, the minimum, and the whole position."""
        size = abs(self.state.positions.get((account, market), FLAT).size)
        record = self.state.markets[market]
        price = self.state.marks[market].price
        if size == 0 or price == 0:
            return [1]
        most = closable_size(size, price, self.standing(account), record, self.time)
        return [most, record.listing.parameters.liquidation.minimum, size]
