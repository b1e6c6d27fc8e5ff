"""Every sequence of four events over a small domain, by three actors of whom two play into each other's hands.

A second line of defence against what theorems about one event or two cannot see: mistakes that need several valid
steps. After every event every invariant must hold; nobody gains at another's or the house's expense beyond what
prices did; nobody's deficit grows but by prices; whom the receipt does not name has what they had.

A rejected event leaves the state as it was, which is checked at each, so that a sequence with one continues as the
sequence without it, which is among those of fewer events. All of them are covered and few of them executed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from clearspec import events as ev
from clearspec.invariants import broken
from clearspec.ledger import Kind, balance, house
from clearspec.machine import apply
from clearspec.margin import standing
from clearspec.numerics import NOTIONAL_MAX, SCALE
from clearspec.parameters import InterestForm, Tier
from clearspec.sandbox import (
    ETH,
    FEED,
    FUNDING,
    LISTING,
    MARGIN,
    MARK,
    MARKET,
    PERCENT,
    POOL,
    TRADING,
    Sandbox,
    genesis,
)
from clearspec.state import State
from clearspec_proofs.mutants import read_mutants
from clearspec_proofs.trials.swapping import swapped

FULL = os.environ.get("CLEARSPEC_PROFILE") == "full"
LENGTH = 4
CROOKS, VICTIM = ("A", "B"), "C"
ACCOUNTS = (*CROOKS, VICTIM)

FUNDED = replace(
    FUNDING,
    interval=1,
    period=1,
    max_gap=1,
    interest=2 * PERCENT,
    cap=2 * PERCENT,
    interest_form=InterestForm.ADDED,
)
GENESIS = genesis(
    pool=replace(POOL, collateral=(ETH,), negative_balance_limit=50, profit_weight_withdrawal=SCALE // 2),
    feeds=(replace(FEED, band=5 * PERCENT), replace(FEED, feed="ETH")),
    markets=(
        replace(
            LISTING,
            parameters=replace(
                MARKET,
                trading=replace(
                    TRADING,
                    price_band=5 * PERCENT,
                    taker_fee=PERCENT,
                    maker_fee=-PERCENT // 2,
                    insurance_share=SCALE // 2,
                ),
                margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 40 * PERCENT, 25 * PERCENT),), gap_steps=1),
                mark=replace(MARK, variation_interval=1),
                funding=FUNDED,
            ),
        ),
    ),
)


@dataclass(frozen=True)
class Step:
    """An event that may come next, ``wait`` seconds later."""

    name: str
    actor: str
    action: Any
    wait: int = 0

    @property
    def by_price(self) -> bool:
        """Whether it moves values by price or by time."""
        return isinstance(self.action, ev.PostPrice | ev.AccrueFunding)


def trade(buyer: str, seller: str, size: int, price: int, maker: ev.Side = ev.Side.SELLER) -> Step:
    return Step(
        f"{buyer} buys {size} of {seller} at {price}", "venue", ev.Trade("BTC-PERP", buyer, seller, size, price, maker)
    )


MENU = (
    Step("up", "s1", ev.PostPrice("BTC", 160, 0), 1),
    Step("down", "s1", ev.PostPrice("BTC", 50, 0), 1),
    trade("A", "B", 2, 103),
    trade("B", "A", 3, 97, ev.Side.BUYER),
    trade("B", "A", 6, 78),
    Step("A withdraws 60", "A", ev.Withdraw("A", "USD", 60)),
    Step("B withdraws 250", "B", ev.Withdraw("B", "USD", 250)),
    Step("B withdraws 470", "B", ev.Withdraw("B", "USD", 470)),
    Step("C withdraws 400", "C", ev.Withdraw("C", "USD", 400)),
    Step("A sends 40 to B", "A", ev.Transfer("A", "B", "USD", 40)),
    Step("A deposits 30", "A", ev.Deposit("A", "USD", 30)),
    Step("A withdraws an ETH", "A", ev.Withdraw("A", "ETH", 1)),
    Step("B liquidates A", "B", ev.Liquidate("A", "B", "BTC-PERP", 3)),
    Step("B converts A's ETH", "B", ev.Convert("A", "B", "ETH", 1)),
    Step("A is resolved", "anyone", ev.ResolveDefault("A")),
    Step("funding", "anyone", ev.AccrueFunding("BTC-PERP"), 1),
)
MORE = (
    trade("A", "B", 6, 100),
    Step("B liquidates C", "B", ev.Liquidate("C", "B", "BTC-PERP", 6)),
    Step("B sends 100 to A", "B", ev.Transfer("B", "A", "USD", 100)),
    Step("B deposits 200", "B", ev.Deposit("B", "USD", 200)),
    Step("the loss is covered", "admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 10)),
    Step("fees are collected", "admin", ev.CollectFees("main", 2)),
    Step("reduce only", "admin", ev.SetStatus("BTC-PERP", ev.MarketStatus.REDUCE_ONLY)),
    Step("active", "admin", ev.SetStatus("BTC-PERP", ev.MarketStatus.ACTIVE)),
)


# Where sequences begin


def fresh() -> Sandbox:
    """Nobody holds anything but money, and A an ETH."""
    box = Sandbox(GENESIS, time=1)
    box.price(100)
    box.price(40, "ETH")
    for account, cash in zip(ACCOUNTS, (260, 300, 400), strict=True):
        box.open(account, cash)
    box.do("A", ev.Deposit("A", "ETH", 1))
    box.do("sponsor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 20))
    return box


def held(price: int = 100) -> Sandbox:
    """A has bought 6 lots of C at 100; then the price goes to ``price``."""
    box = fresh()
    box.trade("A", "C", 6, 100)
    if price != 100:
        box.drive(price)
    return box


def indebted() -> Sandbox:
    """A has lost to B more than its cash, which its ETH backs: custody holds less than the others' balances."""
    box = fresh()
    box.do("A", ev.Deposit("A", "ETH", 4))
    box.trade("A", "B", 6, 100)
    box.do("A", ev.Withdraw("A", "USD", 140))
    box.drive(70)
    box.trade("B", "A", 6, 70)
    assert box.cash("A") < 0
    return box


def gated() -> Sandbox:
    """A has defaulted beyond all layers but what nobody bears, and the gate is shut."""
    layers = replace(GENESIS.pools[0], layers=())
    box = Sandbox(replace(GENESIS, pools=(layers,)), time=1)
    box.price(100)
    box.price(40, "ETH")
    for account, cash in zip(ACCOUNTS, (250, 300, 500), strict=True):
        box.open(account, cash)
    box.trade("A", "C", 6, 100)
    box.drive(50)
    box.do("anyone", ev.ResolveDefault("A"))
    assert box.balance("uncovered_loss") < 0
    return box


STARTS: dict[str, Callable[[], Sandbox]] = {
    "fresh": fresh,
    "held": held,
    "near maintenance": lambda: held(78),
    "liquidatable": lambda: held(70),
    "in default": lambda: held(50),
    "victim liquidatable": lambda: held(140),
    "indebted": indebted,
    "gated": gated,
}


# What is watched


@dataclass(frozen=True)
class Books:
    """What each account is worth at mark and index, and what the funds hold."""

    worth: dict[str, int]
    funds: int

    @classmethod
    def of(cls, state: State) -> Books:
        """The books of a state at its own time."""
        ctx = ev.Context(state, state.time)
        worth = {account: standing(ctx, account).net_liquidation_value for account in ACCOUNTS}
        kinds = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)
        coins = balance(state, house("ETH", "main", Kind.INSURANCE_FUND)) * state.feeds["ETH"].index
        return cls(worth, coins + sum(balance(state, house("USD", "main", kind)) for kind in kinds))


def taken_out(state: State, action: Any) -> int:
    """What an accepted action brought the owner of its account outside of the pool, at index."""
    if not isinstance(action, ev.Withdraw | ev.Deposit):
        return 0
    price = state.feeds["ETH"].index if action.asset == "ETH" else 1
    return action.amount * price * (1 if isinstance(action, ev.Withdraw) else -1)


def gain_allowed(action: Any, receipt: ev.Receipt) -> int:
    """What the two crooks together may gain by an event beyond prices."""
    if isinstance(action, ev.ResolveDefault) and action.account in CROOKS:
        return receipt.amounts["deficit"]
    if isinstance(action, ev.Liquidate) and action.account == VICTIM:
        return receipt.amounts["penalty"] + receipt.amounts["reward_floor"]
    return 0


def complaints(step: Step, receipt: ev.Receipt, state: State, before: Books, after: Books) -> list[str]:
    """What is wrong with an accepted event that is no price and no time."""
    action, found = step.action, []
    default = isinstance(action, ev.ResolveDefault)
    change = {account: after.worth[account] - before.worth[account] for account in ACCOUNTS}
    strangers = [account for account in ACCOUNTS if account not in receipt.accounts and not default]
    found += [f"{account} is not named and has {change[account]} more" for account in strangers if change[account]]
    if taken_out(state, action):
        change[action.account] += taken_out(state, action)
    gain = sum(change[account] for account in CROOKS)
    if gain > gain_allowed(action, receipt):
        found.append(f"the crooks gain {gain}")
    concerned = default or (isinstance(action, ev.Liquidate | ev.Convert) and action.account == VICTIM)
    if change[VICTIM] < 0 and not concerned:
        found.append(f"the victim loses {-change[VICTIM]}")
    sold = receipt.amounts["worth"] - receipt.amounts["paid"] + 1 if isinstance(action, ev.Convert) else 0
    for account in ACCOUNTS:
        deeper = max(0, -after.worth[account]) - max(0, -before.worth[account])
        if deeper > max(0, sold):
            found.append(f"the deficit of {account} grows by {deeper}")
    spent = before.funds - after.funds
    if spent > (receipt.amounts["deficit"] if default else 2 if isinstance(action, ev.CollectFees) else 0):
        found.append(f"the funds lose {spent}")
    return found


def copied(state: State) -> State:
    """A state of its own with the same records."""
    other = State(state.time, state.sequence, state.administrators, state.venues, dict(state.recent))
    for table, mine in zip(state.tables, other.tables, strict=True):
        dict.update(mine, table)
    return other


@dataclass
class Walk:
    """All sequences over a menu from one state: how many, how many events were executed, what was wrong."""

    menu: tuple[Step, ...]
    executed: int = 0
    accepted: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    @property
    def covered(self) -> int:
        """Number of sequences."""
        return len(self.menu) ** LENGTH

    def go(self, state: State, books: Books, names: tuple[str, ...] = ()) -> None:
        """Every event after these, and every sequence after each."""
        for step in self.menu:
            if len(names) < LENGTH and not self.wrong:
                self.take(step, state, books, (*names, step.name))

    def take(self, step: Step, state: State, books: Books, names: tuple[str, ...]) -> None:
        """One event, and every sequence after it."""
        self.executed += 1
        after = copied(state)
        event = ev.Event(f"n{state.sequence + 1}", state.sequence + 1, state.time + step.wait, step.actor, step.action)
        receipt = apply(after, event)
        if receipt.reason is not None:
            unchanged = all(one == other for one, other in zip(state.tables, after.tables, strict=True))
            self.wrong += [] if unchanged else [f"{names}: a rejected event left something"]
            return
        self.accepted.add(step.name)
        now = Books.of(after)
        found = broken(after) + ([] if step.by_price else complaints(step, receipt, after, books, now))
        if found:
            self.wrong.append(f"{' / '.join(names)}: {', '.join(found)}")
        elif len(names) < LENGTH:
            self.go(after, now, names)


def walked(start: str) -> Walk:
    """All sequences from a start."""
    state = STARTS[start]().state
    walk = Walk(MENU + MORE if FULL else MENU)
    walk.go(state, Books.of(state))
    return walk


@pytest.fixture(scope="module")
def walks() -> dict[str, Walk]:
    """All sequences from every start."""
    return {start: walked(start) for start in STARTS}


@pytest.mark.parametrize("start", STARTS)
def test_every_sequence_of_four_events(start: str, walks: dict[str, Walk]) -> None:
    """16^4 = 65,536 from each of eight states, 524,288 in all; in full 24^4 = 331,776 from each, 2,654,208 in all."""
    walk = walks[start]
    assert walk.wrong == []
    assert walk.covered == (331_776 if FULL else 65_536)
    assert len(walk.accepted) >= 5


def test_every_event_of_the_menu_is_accepted_somewhere(walks: dict[str, Walk]) -> None:
    accepted = {name for walk in walks.values() for name in walk.accepted}
    assert accepted == {step.name for step in walks["fresh"].menu}


MISTAKES = {
    "withdrawal-tested-before-it-is-paid": "fresh",
    "transfer-inside-a-pool-untested": "liquidatable",
    "profits-paid-before-losses": "indebted",
    "deposit-credited-twice": "fresh",
    "conversion-paid-from-custody": "in default",
    "withdrawal-of-collateral-untested": "in default",
    "funding-not-settled": "held",
    "result-posted-the-wrong-way": "held",
    "first-of-two-writes-forgotten": "fresh",
}
"""Mistakes of the reference, and a state from which some sequence shows them."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found(mistake: str) -> None:
    mutant = read_mutants()[mistake]
    with swapped(mutant.module, mutant.before, mutant.after):
        assert walked(MISTAKES[mistake]).wrong != []
