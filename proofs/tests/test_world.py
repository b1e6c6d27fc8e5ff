"""World completeness: generated states and events of the reference are worlds of the theorem about the event.

Each pair is written as a world: its touched records as they are, the rest as sums. The theorem, run on these numbers
without any stand-in, must reach the receipt that the reference reaches on the whole state, and its claims must hold.
At least 10,000 pairs in the default profile; what no world has the shape of is counted and named.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest
from embedding import (
    Embedding,
    Names,
    NotThisShape,
    held_by,
    moment_of,
    other_positions,
    phase_of,
    renamed,
    renamed_state,
)
from hypothesis import HealthCheck, given, seed, settings
from test_fuzz import STEPS, WORLDS, Draw, action_of, fork, rightful, world

from clearspec import events as ev
from clearspec.ledger import clearing
from clearspec.machine import apply
from clearspec.state import State
from clearspec_proofs import books
from clearspec_proofs.invariants import COIN_FEED, NOBODY, NOWHERE, OTHER_MARKET
from clearspec_proofs.lifting.concrete import Concrete
from clearspec_proofs.lifting.paths import Discarded, Failed
from clearspec_proofs.sound import OPEN, OTHER, RESTS
from clearspec_proofs.theorems import catalogue
from clearspec_proofs.world import CASH, COIN, FEED, MARKET, POOL, REST

PROFILE = os.environ.get("CLEARSPEC_PROFILE", "ci")
SEQUENCES, PAIRS = {"quick": (10, 0), "full": (3_000, 10_000)}.get(PROFILE, (400, 1_700))
"""From each of six worlds: sequences of up to ten events, and how many pairs these must come to."""

LETTERS = "ABCDEFG"


class Plan:
    """How a pair becomes a world: new ids, accounts in the order in which the world makes them, answers."""

    def __init__(self, state: State, event: ev.Event) -> None:
        self.state, self.action = state, event.action
        self.names: Names = {kind: {} for kind in ("account", "pool", "market", "feed", "asset")}
        self.names["actor"] = {event.actor: "actor"}
        self.answers: dict[str, Any] = {}

    def call(self, kind: str, real: str, name: str) -> None:
        """Give an object the id of the world."""
        self.names[kind].setdefault(real, name)

    def known(self, account: str, pool: str) -> bool:
        """Whether an account exists in a pool."""
        return account in self.state.accounts and self.state.accounts[account].pool == pool

    def place(self, account: str, pool: str) -> str:
        """Where an account is, seen from a pool."""
        if account not in self.state.accounts:
            return "unknown"
        return "here" if self.known(account, pool) else "there"

    def members(self, pool: str) -> list[str]:
        """Accounts of a pool, in the order of their creation."""
        return [name for name, account in self.state.accounts.items() if account.pool == pool]

    def pools(self, pool: str) -> None:
        """The pool that the event is about, and another one."""
        self.call("pool", pool, POOL)
        others = [name for name in self.state.pools if name != pool]
        if others:
            self.call("pool", others[0], "Q")

    def market(self, market: str) -> str:
        """The market that the event is about, or any if there is none such; its pool and feed. Returns the pool."""
        chosen = market if market in self.state.markets else next(iter(self.state.markets))
        listing = self.state.markets[chosen].listing
        self.call("market", chosen, MARKET)
        if market != chosen:
            self.call("market", market, NOWHERE)
        self.call("feed", listing.feed, FEED)
        self.coin()
        self.pools(listing.pool)
        self.answers["market"] = MARKET if market == chosen else NOWHERE
        phase = phase_of(self.state, chosen)
        self.answers |= {"phase": OPEN if phase == OPEN else OTHER, f"{MARKET} is": phase}
        self.answers["moment"] = moment_of(self.state, chosen) if phase == OPEN else OTHER
        return listing.pool

    def coin(self) -> None:
        """The collateral asset and its feed."""
        if "ETH" not in self.names["feed"]:
            self.call("feed", "ETH", COIN_FEED)

    def asset(self, asset: str, pool: str) -> None:
        """The asset of the action: of settlement, collateral, or one that the pool does not know."""
        terms = self.state.pools[pool]
        collateral = any(entry.asset == asset for entry in terms.collateral)
        self.answers["asset"] = CASH if asset == terms.settlement_asset else COIN if collateral else "GOLD"

    def sides(self, one: str, other: str, pool: str) -> None:
        """Two accounts of an action: of the pool, of another, or unknown; or the same twice."""
        first = self.side(one, pool, "AC")
        second = first if one == other else self.side(other, pool, "BD")
        self.answers["sides"] = (first, second)
        self.fill(pool, "AB")
        self.fill(next(name for name in self.state.pools if name != pool), "CD")

    def side(self, account: str, pool: str, letters: str) -> str:
        """What the account is in the world, where its letter is the first one in this pool, the other elsewhere."""
        known = account in self.state.accounts
        name = letters[not self.known(account, pool)] if known else NOBODY
        self.call("account", account, name)
        return name

    def fill(self, pool: str, letters: str) -> None:
        """Name accounts of a pool for those of the world that the event does not name."""
        for letter in letters:
            if letter not in self.names["account"].values():
                free = [name for name in self.members(pool) if name not in self.names["account"]]
                if not free:
                    raise NotThisShape("too few accounts")
                self.call("account", free[0], letter)

    def alone(self, account: str, pool: str) -> None:
        """The one account of an action, if it exists."""
        self.answers["account"] = self.side(account, pool, "AC")
        self.fill(pool, "A")
        self.fill(next(name for name in self.state.pools if name != pool), "CD")


def of_accounts(plan: Plan) -> None:
    """Opening, deposits, withdrawals and transfers."""
    state, action = plan.state, plan.action
    plan.coin()
    if isinstance(action, ev.OpenAccount):
        pool = action.pool if action.pool in state.pools else next(iter(state.pools))
        plan.pools(pool)
        plan.call("pool", action.pool, NOWHERE)
        plan.call("account", action.account, "A")
        backstops = {name: "A" if state.pools[name].backstop == action.account else "" for name in state.pools}
        others = [name for name in state.pools if name != pool]
        plan.answers |= {
            "backstop": backstops[pool],
            "another pool": bool(others),
            "A is": plan.place(action.account, pool),
        }
        plan.answers |= {
            "its backstop": backstops[others[0]] if others else "",
            "pool": plan.names["pool"][action.pool],
            "A holds": "nothing",
        }
        return
    named = [name for name in (action.account, getattr(action, "target", "")) if name in state.accounts]
    pool = state.accounts[named[0]].pool if named else next(iter(state.pools))
    plan.pools(pool)
    plan.asset(action.asset, pool)
    if not isinstance(action, ev.Transfer):
        plan.alone(action.account, pool)
        return
    known = [name in state.accounts for name in (action.account, action.target)]
    other = state.accounts[action.target].pool if known[1] else pool
    plan.call("account", action.account, "A" if known[0] else NOBODY)
    plan.call("account", action.target, "B" if known[1] else NOBODY)
    if not known[0]:
        plan.answers["target"] = "from nobody" if known[1] else "both nobody"
    elif not known[1]:
        plan.answers["target"] = "nobody"
    elif action.account == action.target:
        plan.answers["target"] = "itself"
    else:
        plan.answers["target"] = (
            "here" if other == pool else "takes both" if state.pools[other].collateral else "takes cash"
        )
    plan.fill(pool, "A")
    plan.fill(other, "B")


def of_pools(plan: Plan) -> None:
    """Contributions, covers and fees."""
    plan.coin()
    pool = plan.action.pool
    plan.pools(pool)
    plan.answers["pool"] = POOL
    for question in ("fund", "origin"):
        plan.answers[question] = getattr(plan.action, question, None)


def of_prices(plan: Plan) -> None:
    """Prices of a feed, which up to two markets follow."""
    state, feed = plan.state, plan.state.feeds[plan.action.feed]
    plan.call("feed", plan.action.feed, FEED)
    plan.coin()
    if len(feed.markets) > 2 or len({state.markets[market].listing.pool for market in feed.markets}) > 1:
        raise NotThisShape("more than two markets follow, or of several pools")
    for market, name in zip(feed.markets, (MARKET, OTHER_MARKET), strict=False):
        plan.call("market", market, name)
        plan.answers[f"phase of {name}"] = phase_of(state, market)
        plan.pools(state.markets[market].listing.pool)
    plan.answers["followers"] = (MARKET, OTHER_MARKET)[: len(feed.markets)]
    plan.answers["feed"] = FEED
    plan.answers["sources"] = renamed(feed.parameters.sources, {"actor": plan.names["actor"]}, "actor")
    if plan.answers["sources"] != ("actor",):
        plan.answers["sources"] = ("another",)


def of_markets(plan: Plan) -> None:
    """Everything that names a market and no account."""
    action = plan.action
    market = action.listing.market if isinstance(action, ev.ListMarket) else action.market
    plan.market(market)
    if isinstance(action, ev.ListMarket):
        known = market in plan.state.markets
        plan.names["market"] = {market: MARKET}
        plan.answers["known"] = "listed" if known else "new"
        plan.names["pool"], plan.names["feed"] = {action.listing.pool: POOL}, {action.listing.feed: FEED}
        plan.coin()
    if isinstance(action, ev.SetParameters):
        record = plan.state.markets.get(market)
        if record is None:
            plan.answers["case"] = "unknown"
        elif plan.answers["phase"] == OTHER:
            plan.answers["case"] = "not open"
        elif action.parameters.settlement_window == record.listing.parameters.settlement_window:
            plan.answers["case"] = "same window"
        else:
            plan.answers["case"] = f"another, {'an' if record.listing.expiry else 'no'} expiry"


def of_sides(plan: Plan) -> None:
    """Trades, liquidations and conversions."""
    action = plan.action
    if isinstance(action, ev.Convert):
        plan.coin()
        pool = plan.state.accounts[action.account].pool if action.account in plan.state.accounts else "main"
        plan.pools(pool)
        plan.asset(action.asset, pool)
        plan.sides(action.account, action.keeper, pool)
        return
    pool = plan.market(action.market)
    first, second = (
        (action.buyer, action.seller) if isinstance(action, ev.Trade) else (action.account, action.liquidator)
    )
    plan.sides(first, second, pool)


def of_positions(plan: Plan) -> None:
    """Settling and paying."""
    pool = plan.market(plan.action.market)
    plan.alone(plan.action.account, pool)
    plan.answers["phase"] = phase_of(plan.state, real(plan, MARKET))


def real(plan: Plan, name: str) -> str:
    """The market that bears a name of the world."""
    return next(market for market, called in plan.names["market"].items() if called == name)


def of_defaults(plan: Plan) -> None:
    """A default of an account with at most one position: the theorem shows one of any number of turns."""
    state, account = plan.state, plan.action.account
    record = state.accounts.get(account)
    markets = record.markets if record else ()
    if len(markets) > 1:
        raise NotThisShape("a default with several positions")
    candidates = [
        name for name, market in state.markets.items() if record is None or market.listing.pool == record.pool
    ]
    pool = plan.market(
        next(iter([*markets, *([record.last_market] if record and record.last_market else []), *candidates]))
    )
    plan.alone(account, pool)
    others = [name for name in plan.members(pool) if name not in plan.names["account"]]
    for name, letter in zip(others, "BCDEFG", strict=False):
        plan.call("account", name, letter)
    plan.answers |= {"counterparties": len(others), "layers": state.pools[pool].layers}
    plan.answers["phase"] = phase_of(state, real(plan, MARKET))


PLANS: dict[type, Callable[[Plan], None]] = {
    **dict.fromkeys((ev.OpenAccount, ev.Deposit, ev.Withdraw, ev.Transfer), of_accounts),
    **dict.fromkeys((ev.Contribute, ev.CoverLoss, ev.CollectFees), of_pools),
    **dict.fromkeys((ev.Trade, ev.Liquidate, ev.Convert), of_sides),
    **dict.fromkeys((ev.SettlePosition, ev.PayClaim), of_positions),
    ev.PostPrice: of_prices,
    ev.ResolveDefault: of_defaults,
}


def embedded(state: State, event: ev.Event) -> tuple[State, ev.Event, Embedding]:
    """A pair with the ids of the world, and the numbers that its atoms have."""
    plan = Plan(state, event)
    PLANS.get(type(event.action), of_markets)(plan)
    plan.names["account"] = dict(plan.names["account"])
    mine = renamed_state(state, plan.names)
    if event.id in state.recent:
        mine.recent["event"] = None
    action = renamed(event.action, plan.names)
    action = replace(action, asset=plan.answers["asset"]) if "asset" in plan.answers else action
    here = ev.Event("event", event.sequence, event.time, "actor", action)
    touched = tuple(letter for letter in LETTERS if letter in mine.accounts)
    for account in touched:
        last = mine.accounts[account].last_market
        plan.answers[f"{account} left last"] = last if last in (MARKET, OTHER_MARKET) else ""
        for market in (MARKET, OTHER_MARKET):
            if market in mine.markets:
                plan.answers[f"{account} holds in {market}"] = held_by(mine, account, market)
        if MARKET in mine.markets:
            plan.answers[f"{account} holds"] = held_by(mine, account, MARKET)
    plan.answers |= {f"{market} is at": moment_of(mine, market) for market in mine.markets}
    return mine, here, Embedding(mine, here, touched, answers_for(plan, mine, action))


def answers_for(plan: Plan, state: State, action: Any) -> dict[str, Any]:
    """Answers, with the numbers of listings and parameters that an action brings."""
    from embedding import flattened

    answers = plan.answers
    if isinstance(action, ev.ListMarket):
        parameters, name = action.listing.parameters, "listed"
        answers |= dict(flattened(name, action.listing))
    elif isinstance(action, ev.SetParameters):
        parameters, name = action.parameters, "changed"
    else:
        return answers
    answers |= dict(flattened(name, parameters)) | dict(flattened(f"{name}.tier", parameters.margin.tiers[0]))
    listing = next(iter(state.markets.values())).listing
    return answers | {
        f"{name}.kind": answers.get(f"{name}.kind", listing.kind),
        f"{name}.expiry": answers.get(f"{name}.expiry", 0),
    }


class Watched(books.Books):
    """A world that remembers itself and its receipt."""

    last: Watched

    def begin(self) -> None:
        super().begin()
        Watched.last = self

    def apply(self, action: Any, *stand_ins: Any) -> ev.Receipt:
        self.receipt = super().apply(action, *stand_ins)
        return self.receipt


def claim_same_books(whole: State, seen: Watched) -> None:
    """What the world fixes is what the state holds."""
    tables = seen.start.tables
    for market in tables["markets"]:
        assert tables["open_interest"][market] == whole.open_interest[market]
        assert tables["settlements"][market] == whole.settlements[market]
        key = clearing(CASH, seen.pool_of(market), market)
        assert tables["balances"][key] == whole.balances.get(key, 0)
    for (asset, pool, kind, owner), amount in tables["balances"].items():
        if owner == REST and asset == CASH:
            summed = [(key, held) for key, held in whole.balances.items() if key not in tables["balances"]]
            mine = [(key[2], held) for key, held in summed if key[:2] == (asset, pool)]
            assert amount == sum(held for of, held in mine if of in (kind, "clearing"))
    assert not any(owner in RESTS for owner, _ in whole.positions)


def without_nothing(receipt: ev.Receipt, whole: State) -> ev.Receipt:
    """The receipt of a world, whose pool takes a collateral asset even where the state does not, less its nothing."""
    taken = {(terms.asset, pool.pool) for pool in whole.pools.values() for terms in pool.collateral}
    kept = [row for row in receipt.postings if row.amount or row.debit[0] == CASH or row.debit[:2] in taken]
    return replace(receipt, postings=tuple(kept))


def check_pair(state: State, event: ev.Event) -> str:
    """Embed one pair, and compare; returns what came of it."""
    try:
        whole, here, values = embedded(state, event)
        receipt = apply(fork(whole), here)
        name = f"invariants.{ev.ACTION_NAMES[type(event.action)]}"
        seen = tuple(market for market in (MARKET, OTHER_MARKET) if market in whole.markets)
        if isinstance(event.action, ev.Convert) or MARKET not in whole.markets:
            seen = ()
        with other_positions(whole, event.time, seen):
            catalogue()[name].body(Concrete(values, stand_ins=False))
    except NotThisShape as why:
        return f"{type(event.action).__name__}: not this shape: {why}"
    except Failed as failed:
        raise AssertionError(f"{event}: {failed.claim}") from failed
    except Discarded:
        raise AssertionError(f"{event}: the state is in no world") from None
    claim_same_books(whole, Watched.last)
    assert without_nothing(Watched.last.receipt, whole) == receipt, event
    return f"{type(event.action).__name__}: {receipt.reason or 'accepted'}"


@pytest.fixture(autouse=True)
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Theorems build worlds that remember themselves."""
    monkeypatch.setattr("clearspec_proofs.invariants.Books", Watched)
    yield  # noqa: PT022


def pairs(name: str, steps: list[Draw]) -> Iterator[tuple[State, ev.Event]]:
    """The states and events of a sequence."""
    box = world(name)
    state, time = fork(box.state), box.time
    for number, draw in enumerate(steps, start=1):
        time += draw.pause
        action = action_of(state, time, draw)
        actor = "mallory" if draw.luck == 0 else rightful(state, action)
        event = ev.Event(
            f"w{number}" if draw.luck != 1 else "e1", box.sequence + number - (draw.luck == 2) * 9, time, actor, action
        )
        yield state, event
        apply(state, event)


@pytest.mark.parametrize("name", WORLDS)
def test_generated_pairs_are_worlds(name: str) -> None:
    reached: Counter[str] = Counter()

    @seed(crc32(name.encode()))
    @settings(max_examples=SEQUENCES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS)
    def sequences(steps: list[Draw]) -> None:
        for state, event in pairs(name, steps):
            reached[check_pair(state, event)] += 1

    sequences()
    missed = {outcome: count for outcome, count in reached.items() if "not this shape" in outcome}
    total = reached.total() - sum(missed.values())
    print(f"\n{name}: {total} pairs embedded, {len(reached) - len(missed)} outcomes; not embedded: {missed}")
    assert total >= PAIRS
    assert total > 30 * sum(missed.values())
