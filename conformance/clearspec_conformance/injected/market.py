"""A made-up clearinghouse at work: the reference driven through a long log in which everything happens often.

Traders with leverage, prices that jump, feeds that fall silent, keepers that come late, orders without margin, messages
sent twice or late, futures that expire. The same seed gives the same log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Action, Event, Receipt
from clearspec.formats import Keepers, LogFormat, LogHeader, LogLine, receipt_record
from clearspec.keepers import keep
from clearspec.ledger import uncovered_loss
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.margin import standing
from clearspec.numerics import NOTIONAL_MAX, SCALE, SIZE_MAX
from clearspec.parameters import MarketKind, MarketListing, Tier
from clearspec.sandbox import PERCENT
from clearspec.snapshot import observable, snapshot
from clearspec.state import FLAT
from clearspec_conformance.injected.logs import Checkpoint, Record

TRADERS = 24
PURSE = 10**7
"""What a trader brings in, in atoms."""

INITIAL = 10 * PERCENT
"""Initial margin of a small position, as a ratio."""

FUNDING = 60
"""Seconds between accruals of funding."""

LIFE = 1_800
"""Seconds that a future is listed for."""

SILENCE = 30
"""Seconds after which a price is stale."""

FEED = replace(sb.FEED, sources=("s1", "s2", "s3"), quorum=2, max_age=SILENCE, band=2 * PERCENT, max_price=10**7)
ALT = replace(FEED, feed="ALT", sources=("s1",), quorum=1, max_price=10**7)
ETH = replace(sb.ETH_FEED, max_age=600, band=2 * PERCENT)
POOL = replace(
    sb.POOL, backstop="backstop", negative_balance_limit=20 * PURSE, gate_threshold=PURSE,
    profit_weight_withdrawal=PERCENT * 100, profit_cap_withdrawal=2 * PURSE,
)  # fmt: skip
PARAMETERS = replace(
    sb.MARKET,
    trading=replace(
        sb.TRADING, max_position=10**8, max_open_interest=10**9, taker_fee=300_007, maker_fee=-100_003,
        insurance_share=PERCENT * 30,
    ),
    margin=replace(
        sb.MARGIN,
        tiers=(Tier(5 * PURSE, INITIAL, 7 * PERCENT), Tier(NOTIONAL_MAX, 15 * PERCENT, 8 * PERCENT)),
        size_slope=PERCENT,
        size_unit=10**4,
    ),
    mark=replace(sb.MARK, window=4, band=PERCENT // 10, variation_interval=1),
    funding=replace(
        sb.FUNDING, interval=FUNDING, period=28_800, max_gap=2 * FUNDING, interest=PERCENT // 100, damper=PERCENT // 20,
        cap=PERCENT // 2, sample_interval=5,
    ),
    liquidation=replace(
        sb.LIQUIDATION, penalty=PERCENT // 2, reward=PERCENT // 4, reward_floor=PERCENT * 4 // 10, reward_budget=10**6,
        close_factor=50 * PERCENT, critical_health=50 * PERCENT, buffer=PERCENT, budget_interval=600,
    ),
    settlement_window=60,
)  # fmt: skip
PERPETUALS = (
    replace(sb.LISTING, parameters=PARAMETERS),
    replace(sb.LISTING, market="ALT-PERP", feed="ALT", parameters=PARAMETERS),
)
PRICES = {"BTC": 50_021, "ALT": 1_013, "ETH": 2_003}
"""First prices in atoms per lot."""

JUMPS = 0.02
"""How likely a price jumps in a second."""

PATIENCE = 6
"""Seconds between two looks of the keepers."""

KEEPERS = Keepers("keeper", "keeper", True)


def future(number: int, time: int) -> MarketListing:
    """The future of a number, listed now."""
    return replace(
        PERPETUALS[0], market=f"BTC-F{number}", kind=MarketKind.FUTURE, expiry=time + LIFE, parameters=PARAMETERS
    )


class Market:
    """The clearinghouse and all who deal with it; iterate for the records of its log."""

    def __init__(self, seed: int, every: int) -> None:
        self.every = every
        self.genesis = sb.genesis(pool=POOL, feeds=(FEED, ALT, ETH), markets=PERPETUALS)
        self.state = build(self.genesis)
        self.chance = Random(seed)
        self.prices = dict(PRICES)
        self.traders = [f"t{number}" for number in range(TRADERS)]
        self.time, self.sequence, self.futures, self.step = 1, 0, 0, 0
        self.sent: list[LogLine] = []
        self.records: list[Record] = []

    def __iter__(self) -> Iterator[Record]:
        """Open the accounts, then go on for ever."""
        yield LogHeader(LogFormat.V1, self.genesis)
        self.opened()
        while True:
            yield from self.records
            self.records.clear()
            self.second()

    def apply(self, event: Event) -> Receipt:
        """Apply an event and write it down."""
        self.step += 1
        receipt = apply(self.state, event)
        due = self.step % self.every == 0
        line = LogLine(event, receipt_record(receipt), observable(self.state) if due else None)
        self.sent = [*self.sent[-9:], line]
        self.records.append(line)
        if due:
            self.records.append(Checkpoint(self.step, snapshot(self.state)))
        return receipt

    def send(self, actor: str, action: Action, late: int = 0) -> Receipt:
        """Apply an action as the next event; ``late`` seconds too late."""
        self.sequence += 1
        return self.apply(Event(f"m{self.sequence}", self.sequence, self.time - late, actor, action))

    def opened(self) -> None:
        """Prices, accounts and funds to begin with."""
        for feed, sources in (("BTC", FEED.sources), ("ALT", ALT.sources), ("ETH", ETH.sources)):
            for source in sources:
                self.send(source, ev.PostPrice(feed, self.prices[feed], 0))
        for name, owner in [*((name, name) for name in self.traders), ("keeper", "keeper"), ("backstop", "admin")]:
            self.send(owner, ev.OpenAccount(name, "main"))
            self.send(owner, ev.Deposit(name, "USD", PURSE if name in self.traders else 10**15))

    def second(self) -> None:
        """All that happens before the clock moves on."""
        self.time += 1
        self.quote()
        for _ in range(self.chance.randrange(4)):
            self.order()
        self.chance.choice((self.cash, self.cash, self.book, self.again, self.late, self.silence))()
        if self.time % PATIENCE == 0:
            keep(self.state, self.time, KEEPERS, self.send)
        if self.time % 30 == 0:
            self.house()

    def quote(self) -> None:
        """Each source may post a price near the true one, which moves, and at times jumps beyond any margin."""
        for feed, sources in (("BTC", FEED.sources), ("ALT", ALT.sources)):
            jump = self.chance.choice((-14, 16)) if self.chance.random() < JUMPS else 0
            width = self.prices[feed] // 200
            moved = self.prices[feed] * (100 + jump) // 100 + self.chance.randint(-width, width)
            self.prices[feed] = min(3 * PRICES[feed], max(PRICES[feed] // 3, moved))
            for source in sources:
                if self.chance.random() < 0.5:
                    price = self.prices[feed] + self.chance.randint(-2, 2)
                    self.send(source, ev.PostPrice(feed, price, 0))
        if self.time % 20 == 0:
            self.prices["ETH"] += self.chance.randint(-9, 9) if self.prices["ETH"] > 100 else 9
            self.send("s1", ev.PostPrice("ETH", self.prices["ETH"], 0))

    def order(self) -> None:
        """A fill between two traders, at times beyond what they have margin for."""
        markets = [name for name, market in self.state.markets.items() if market.status == "active"]
        market = self.chance.choice(markets)
        mark = max(1, self.state.marks[market].price)
        buyer, seller = self.parties(market)
        now = ev.Context(self.state, self.time)
        held = [standing(now, name) for name in (buyer, seller)]
        room = min(max(1, each.initial_equity - each.initial) for each in held) * SCALE // (mark * INITIAL)
        lots = 1 + room * self.chance.randint(10, 110) // 100
        price = max(1, mark + mark * self.chance.randint(-40, 40) // 10_000)
        self.send(
            "venue", ev.Trade(market, buyer, seller, min(lots, SIZE_MAX), price, self.chance.choice(tuple(ev.Side)))
        )

    def parties(self, market: str) -> list[str]:
        """Two traders; half of the time the one that holds more sells."""
        pair = self.chance.sample(self.traders, 2)
        if self.chance.random() < 0.5:
            pair.sort(key=lambda name: self.state.positions.get((name, market), FLAT).size)
        return pair

    def cash(self) -> None:
        """A trader brings in what it lacks, or takes out what it has too much of."""
        name = self.chance.choice(self.traders)
        held = standing(ev.Context(self.state, self.time), name)
        spare = held.initial_equity - held.initial - self.chance.randrange(PURSE)
        if held.net_liquidation_value < PURSE // 4:
            asset, amount = self.chance.choice((("USD", PURSE), ("USD", PURSE // 2), ("ETH", PURSE // 500)))
            self.send(name, ev.Deposit(name, asset, amount + self.chance.randrange(1000)))
        elif spare > 0:
            self.send(name, ev.Withdraw(name, "USD", spare))
        else:
            amount = self.chance.randint(1, PURSE // 100)
            self.send(name, ev.Transfer(name, self.chance.choice(self.traders), "USD", amount))

    def book(self) -> None:
        """A sample of a book."""
        market = self.chance.choice(PERPETUALS).market
        mark = max(1, self.state.marks[market].price)
        bid = max(1, mark + mark * self.chance.randint(-20, 20) // 10_000)
        self.send("venue", ev.PostBook(market, bid, bid + self.chance.randint(0, 5)))

    def again(self) -> None:
        """A message of a moment ago is sent twice."""
        self.apply(self.chance.choice(self.sent).event)

    def late(self) -> None:
        """A message comes too late."""
        name = self.chance.choice(self.traders)
        self.send(name, ev.Deposit(name, "USD", self.chance.randint(1, 1000)), late=self.chance.randint(1, 9))

    def silence(self) -> None:
        """The sources fall silent for a while; who trades all the same is refused."""
        self.time += SILENCE + self.chance.randint(1, 20)
        self.order()
        self.book()

    def house(self) -> None:
        """What the house does: futures, funds, and a loss that it makes good."""
        if self.futures == 0 or self.state.markets[f"BTC-F{self.futures}"].status == "closed":
            self.futures += 1
            self.send("admin", ev.ListMarket(future(self.futures, self.time)))
        for fund in ev.Fund:
            self.send("sponsor", ev.Contribute("main", fund, self.chance.randint(PURSE // 100, PURSE)))
        loss = uncovered_loss(self.state, "main")
        if loss > 0:
            self.send("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, loss))


def base_log(events: int, seed: int = 0, every: int = 1_000) -> Iterator[Record]:
    """A right log: the header, then so many lines; after every so many an observable snapshot and a checkpoint."""
    lines = 0
    for record in Market(seed, every):
        if isinstance(record, LogLine):
            lines += 1
        if lines > events:
            return
        yield record
