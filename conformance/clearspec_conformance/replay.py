"""Replay real price history with many leveraged accounts, with keepers acting after every price.

The history is the user's own file; the parameters are a set inside the envelope that is coarse enough for bars.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from clearspec import events as ev
from clearspec.events import Action, Event, Receipt
from clearspec.formats import Keepers, PricePoint
from clearspec.history import History, HistoryError, read
from clearspec.keepers import keep
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.numerics import AMOUNT_MAX, PRICE_MAX
from clearspec.parameters import MarketParameters
from clearspec.sandbox import FEED, FUNDING, LIQUIDATION, LISTING, MARGIN, MARK, MARKET, PERCENT, POOL, TRADING, genesis

KEEPER = "keeper"
BAND = 2 * PERCENT
STEP = 1
HIGHEST = PRICE_MAX >> 1
"""Price cap of the replay's feed, in atoms per lot."""


def read_scaled(data: bytes, name: str) -> History:
    """A history in atoms as fine as the price cap of the feed allows.

    Raises:
        HistoryError: the file does not read.
    """
    for exponent in range(10, 0, -1):
        try:
            found = read(data, name, 10**exponent)
        except HistoryError:
            continue
        if max(point.price for point in found.points) <= HIGHEST:
            return found
    return read(data, name, 1)


def parameters() -> MarketParameters:
    """Ten times leverage; the maintenance ratio of 7 % survives one step of a 2 % band."""
    tier = replace(MARGIN.tiers[0], initial=10 * PERCENT, maintenance=7 * PERCENT)
    fees = replace(TRADING, max_position=10**5, max_open_interest=10**6, taker_fee=PERCENT // 20, insurance_share=10**8)
    rules = replace(LIQUIDATION, penalty=PERCENT // 2, reward=PERCENT // 4, close_factor=50 * PERCENT, buffer=PERCENT)
    funding = replace(FUNDING, period=28_800, cap=PERCENT // 2, damper=PERCENT // 20, interest=PERCENT // 100)
    return replace(
        MARKET,
        trading=fees,
        margin=replace(MARGIN, tiers=(tier,)),
        mark=replace(MARK, variation_interval=STEP),
        funding=funding,
        liquidation=replace(rules, critical_health=50 * PERCENT),
    )


def thinned(points: tuple[PricePoint, ...], most: int) -> list[PricePoint]:
    """At most about ``most`` points: of each stretch its first, lowest and highest, in order of time."""
    stretch = max(1, 3 * len(points) // most)
    kept: dict[int, PricePoint] = {}
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        for point in (part[0], min(part, key=lambda p: p.price), max(part, key=lambda p: p.price)):
            kept[points.index(point, start)] = point
    return [kept[place] for place in sorted(kept)]


@dataclass
class Replay:
    """A market's history played through the reference; iterate for every receipt.

    Keepers act after every ``patience``-th price; above 1 they come late, and accounts default.
    """

    history: History
    accounts: int
    seed: int = 1
    most: int = 200
    patience: int = 1
    sequence: int = 0
    time: int = 0
    posts: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        points = thinned(self.history.points, self.most)
        first = points[0].time
        self.points = [PricePoint(1 + point.time - first, point.price) for point in points]
        feed = replace(FEED, band=BAND, step_interval=STEP, max_age=10**7, max_price=HIGHEST)
        listing = replace(LISTING, parameters=parameters())
        pool = replace(POOL, collateral=(), backstop="backstop")
        self.state = build(genesis(pool=pool, feeds=(feed,), markets=(listing,)))
        self.keepers = Keepers(KEEPER, KEEPER, True)
        self.receipts: list[Receipt] = []

    def send(self, actor: str, action: Action) -> Receipt:
        """Apply an action as the next event."""
        self.sequence += 1
        receipt = apply(self.state, Event(f"r{self.sequence}", self.sequence, self.time, actor, action))
        self.counts[f"{receipt.action}: {receipt.reason or 'accepted'}"] += 1
        self.receipts.append(receipt)
        return receipt

    def __iter__(self) -> Iterator[Receipt]:
        """Open the accounts, trade at the first price, then follow the history."""
        for _ in self._setup():
            yield from self._drained()
        for point in self.points[1:]:
            self.time = max(self.time, point.time)
            for _ in self._follow(point.price):
                yield from self._drained()

    def _drained(self) -> list[Receipt]:
        found, self.receipts = self.receipts, []
        return found

    def _setup(self) -> Iterator[None]:
        """Deposits between just enough and four times that; pairs of accounts trade with each other."""
        chance = random.Random(self.seed)
        price = self.points[0].price
        self.send("s1", ev.PostPrice("BTC", price, 0))
        rich = min(AMOUNT_MAX >> 8, price * 10**5)
        for name, owner, cash in ((KEEPER, KEEPER, rich), ("backstop", "admin", rich)):
            self.send(owner, ev.OpenAccount(name, "main"))
            self.send(owner, ev.Deposit(name, "USD", cash))
        self.send("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, price * self.accounts // 10))
        for number in range(self.accounts):
            name = f"a{number}"
            self.send(name, ev.OpenAccount(name, "main"))
            self.send(name, ev.Deposit(name, "USD", price * 10 * chance.randrange(11, 45) // 100))
            yield
            if number % 2 == 1:
                buyer, seller = chance.sample([name, f"a{number - 1}"], 2)
                self.send("venue", ev.Trade("BTC-PERP", buyer, seller, chance.randrange(5, 11), price, ev.Side.SELLER))
                yield

    def _follow(self, price: int) -> Iterator[None]:
        """Post a price once a second until the index has arrived, keepers after each."""
        while True:
            self.send("s1", ev.PostPrice("BTC", price, 0))
            yield
            self.posts += 1
            if self.posts % self.patience == 0:
                keep(self.state, self.time, self.keepers, self.send)
                yield
            if self.state.feeds["BTC"].index == price:
                return
            self.time += STEP
