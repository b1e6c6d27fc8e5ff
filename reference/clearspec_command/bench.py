"""``clearspec bench``: what the reference costs, each figure as a ratio with a peer or a baseline in the same run."""

from __future__ import annotations

import gc
import importlib.metadata
import json
import platform
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from clearspec import events as ev
from clearspec.codec import canonical_bytes, loads
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.sandbox import FEED, LISTING, MARKET, POOL, TRADING, genesis
from clearspec.snapshot import leaves, state_root
from clearspec.state import State

MARKETS = 20
PRICE = 1_000_000
SEED = 7


@dataclass(frozen=True)
class Figure:
    """A measured ratio: what over what, the bound that it is held against, and the two rates behind it."""

    name: str
    ratio: float
    bound: str
    ours: float
    baseline: float
    unit: str
    note: str

    @property
    def met(self) -> bool | None:
        """Whether the ratio is within its bound; ``None`` where there is no bound."""
        if not self.bound:
            return None
        sign, limit = self.bound.split()
        return self.ratio <= float(limit) if sign == "<=" else self.ratio >= float(limit)


class Book:
    """A clearinghouse with many accounts and a stream of trades for it."""

    def __init__(self, accounts: int) -> None:
        feeds = tuple(replace(FEED, feed=f"F{i}", max_age=10**9) for i in range(MARKETS))
        trading = replace(TRADING, taker_fee=500_000, maker_fee=200_000, insurance_share=10**8)
        parameters = replace(MARKET, trading=trading)
        markets = tuple(replace(LISTING, market=f"M{i}", feed=f"F{i}", parameters=parameters) for i in range(MARKETS))
        self.accounts = accounts
        self.sequence = 0
        self.random = random.Random(SEED)
        self.state: State = build(genesis(pool=replace(POOL, collateral=()), feeds=feeds, markets=markets))
        self.populate()

    def send(self, actor: str, action: ev.Action) -> None:
        """Apply an action that must be accepted."""
        receipt = apply(self.state, self.event(actor, action))
        if receipt.reason is not None:
            raise RuntimeError(f"benchmark event rejected: {receipt.reason} {receipt.subject}")

    def event(self, actor: str, action: ev.Action) -> ev.Event:
        """The next event."""
        self.sequence += 1
        return ev.Event(f"e{self.sequence}", self.sequence, 0, actor, action)

    def populate(self) -> None:
        """Accounts with cash, prices, and one position for every account."""
        for i in range(self.accounts):
            self.send(f"a{i}", ev.OpenAccount(f"a{i}", "main"))
            self.send(f"a{i}", ev.Deposit(f"a{i}", "USD", 10**12))
        for i in range(MARKETS):
            self.send("s1", ev.PostPrice(f"F{i}", PRICE, 0))
        for i in range(self.accounts):
            if (i // MARKETS) % 2 == 0 and i + MARKETS < self.accounts:
                self.send("venue", self.trade(i % MARKETS, i, i + MARKETS, 50))

    def trade(self, market: int, buyer: int, seller: int, size: int) -> ev.Trade:
        """A fill near the mark."""
        price = PRICE + self.random.randrange(-1000, 1000)
        return ev.Trade(f"M{market}", f"a{buyer}", f"a{seller}", size, price, ev.Side.SELLER)

    def trades(self, count: int) -> list[ev.Event]:
        """Trades between random accounts of the same home market."""
        found = []
        for _ in range(count):
            market = self.random.randrange(MARKETS)
            homes = range(market, self.accounts, MARKETS)
            buyer, seller = self.random.sample(homes, 2)
            found.append(self.event("venue", self.trade(market, buyer, seller, self.random.randrange(1, 10))))
        return found

    def run(self, events: list[ev.Event]) -> None:
        """Apply events that must be accepted."""
        state = self.state
        for event in events:
            if apply(state, event).reason is not None:
                raise RuntimeError("benchmark trade rejected")


def rate(work: Callable[[], object], count: int) -> float:
    """Operations per second of ``work``, which does ``count``."""
    gc.collect()
    gc.freeze()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    gc.unfreeze()
    return count / seconds


def interleaved(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """Median rates of two workloads measured in turn, so that both meet the same noise."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    middle = rounds // 2
    return sorted(pair[0] for pair in pairs)[middle], sorted(pair[1] for pair in pairs)[middle]


def trade_rate(book: Book, count: int) -> float:
    """Trades per second on a book of accounts."""
    events = book.trades(count)
    return rate(lambda: book.run(events), count)


def peer_rate(count: int) -> float:
    """Commands per second of PyPI ``matching-engine`` on its own order flow."""
    from matching_engine.domain import SequencedCommand
    from matching_engine.engine import MatchingEngine
    from matching_engine.workload import order_flow

    commands = [SequencedCommand(i, i, command) for i, command in enumerate(order_flow(SEED, count), start=1)]
    engine = MatchingEngine()

    def work() -> None:
        for command in commands:
            engine.process(command)

    return rate(work, count)


def against_matching_engine(count: int, rounds: int) -> Figure | str:
    """Trades per second against a matching engine in Python."""
    try:
        version = importlib.metadata.version("matching-engine")
    except importlib.metadata.PackageNotFoundError:
        return "trades against matching-engine: not measured, for the package is not installed (Python 3.12 or later)"
    book = Book(10_000)
    ours, theirs = interleaved(rounds, lambda: trade_rate(book, count), lambda: peer_rate(count * 5))
    note = f"10,000 accounts, 20 markets, root off; matching-engine {version} on its own order flow"
    return Figure("trades against matching-engine", ours / theirs, ">= 0.03", ours, theirs, "operations/s", note)


def scaling(count: int, rounds: int) -> Figure:
    """Cost of a trade with many accounts against that with few."""
    many, few = Book(100_000), Book(100)
    fast, slow = interleaved(rounds, lambda: trade_rate(few, count), lambda: trade_rate(many, count))
    note = "cost of a trade with 100,000 accounts over that with 100, random accounts"
    return Figure("trade cost, 100,000 over 100 accounts", fast / slow, "<= 1.2", slow, fast, "trades/s", note)


def decoding(count: int, rounds: int) -> Figure:
    """Strict decoding against the standard library's parser alone."""
    lines = [canonical_bytes(event) for event in Book(100).trades(count)]

    def strict() -> None:
        for line in lines:
            loads(ev.Event, line)

    def plain() -> None:
        for line in lines:
            json.loads(line)

    ours, theirs = interleaved(rounds, lambda: rate(strict, count), lambda: rate(plain, count))
    return Figure("strict decoding against json.loads", ours / theirs, "", ours, theirs, "events/s", "trade events")


def root_cost(rounds: int) -> Figure:
    """State root against hashing its leaves."""
    book = Book(1_000)
    size = len(book.state.created)
    ours, theirs = interleaved(
        rounds,
        lambda: rate(lambda: str(state_root(book.state)), size),
        lambda: rate(lambda: leaves(book.state), size),
    )
    return Figure("state root against its leaves", ours / theirs, "", ours, theirs, "objects/s", f"{size} objects")


def memory() -> Figure:
    """Bytes that an account with cash and one position takes, against its snapshot on the wire."""
    tracemalloc.start()
    few = Book(1_000)
    small = tracemalloc.get_traced_memory()[0]
    many = Book(6_000)
    large = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    held = (large - 2 * small) / 5_000
    wire = sum(len(canonical_bytes(record)) for record in list(many.state.accounts.values())[:100]) / 100
    del few
    note = "account, position, balance; the account's own canonical bytes as the baseline"
    return Figure("bytes per account", held / wire, "", held, wire, "bytes", note)


def figures(quick: bool) -> Iterator[Figure | str]:
    """Every figure; a string is one that could not be measured."""
    count, rounds = (2_000, 3) if quick else (20_000, 5)
    yield against_matching_engine(count, rounds)
    yield scaling(count, rounds)
    yield decoding(count, rounds)
    yield root_cost(rounds)
    yield memory()


def shown(found: list[Figure], missing: list[str]) -> None:
    """Print the figures as a table."""
    table = Table(title=f"clearspec bench on Python {platform.python_version()}")
    for heading in ("figure", "ratio", "bound", "met", "ours", "baseline", "unit"):
        table.add_column(heading, justify="right" if heading in ("ratio", "ours", "baseline") else "left")
    for figure in found:
        met = "" if figure.met is None else ("yes" if figure.met else "NO")
        numbers = f"{figure.ratio:.4f}", figure.bound, met, f"{figure.ours:,.0f}", f"{figure.baseline:,.0f}"
        table.add_row(figure.name, *numbers, figure.unit)
    console = Console()
    console.print(table)
    for line in [f"{figure.name}: {figure.note}" for figure in found] + missing:
        console.print(line, highlight=False)


@click.command("bench", epilog="Example: clearspec bench --json > bench.json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--quick", is_flag=True, help="A tenth of the work, for a first look; ratios are noisier.")
def command(as_json: bool, quick: bool) -> None:
    """Run the benchmarks; each figure is a ratio with its peer or its baseline, measured in turn in this run."""
    found: list[Figure] = []
    missing: list[str] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("benchmarks", total=5)
        for figure in figures(quick):
            if isinstance(figure, Figure):
                found.append(figure)
            else:
                missing.append(figure)
            progress.advance(task)
    if not as_json:
        shown(found, missing)
        return
    rows = [{**asdict(figure), "met": figure.met} for figure in found]
    click.echo(json.dumps({"python": platform.python_version(), "figures": rows, "not_measured": missing}, indent=2))
