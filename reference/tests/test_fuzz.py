"""Generated sequences of events: every invariant after every event, and what each event may not do.

Sequences start from worlds in different conditions, so that the deep transitions (liquidation, default, settlement)
are reached often. With the default profile six worlds get 8,500 sequences each, 51,000 in all; `-s` prints what they
reached.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from clearspec import events as ev
from clearspec.codec import canonical_bytes, decode, encode, loads, parse
from clearspec.formats import ReceiptRecord, receipt_record
from clearspec.invariants import broken
from clearspec.ledger import uncovered_loss
from clearspec.listing import build
from clearspec.machine import apply, apply_document
from clearspec.margin import is_liquidatable, standing
from clearspec.numerics import AMOUNT_MAX
from clearspec.parameters import FundingParameters, MarketKind
from clearspec.sandbox import (
    ETH_FEED,
    FEED,
    FUNDING,
    LIQUIDATION,
    LISTING,
    MARK,
    MARKET,
    PERCENT,
    POOL,
    TRADING,
    Sandbox,
    genesis,
)
from clearspec.snapshot import restore, snapshot
from clearspec.state import MarketStatus, State

ACCOUNTS = ("a", "b", "c", "d", "backstop", "x", "nobody")
MARKETS = ("BTC-PERP", "BTC-FUT", "ALT-PERP", "NONE")
FUND: FundingParameters = replace(FUNDING, cap=PERCENT // 10, damper=PERCENT // 100, interest=PERCENT // 100)
FEES = replace(TRADING, taker_fee=500_000, maker_fee=-200_000, insurance_share=3 * 10**8, max_position=5_000)
RISK = replace(LIQUIDATION, close_factor=5 * 10**8, critical_health=5 * 10**8, reward_floor=10**6, reward_budget=500)
SMOOTHED = replace(MARK, window=3, band=PERCENT // 5, variation_interval=4)
PARAMETERS = replace(MARKET, funding=FUND, trading=FEES, liquidation=RISK, mark=SMOOTHED)


def open_world() -> Sandbox:
    """Two pools, three markets, four accounts, a backstop, funds and prices."""
    pool = replace(
        POOL,
        backstop="backstop",
        negative_balance_limit=50,
        profit_weight_withdrawal=5 * 10**8,
        profit_cap_withdrawal=500,
        gate_threshold=10,
    )
    side = replace(POOL, pool="side", collateral=())
    perpetual = replace(LISTING, parameters=PARAMETERS)
    future = replace(perpetual, market="BTC-FUT", kind=MarketKind.FUTURE, expiry=5_000)
    other = replace(perpetual, market="ALT-PERP", pool="side", feed="ALT")
    feeds = (FEED, ETH_FEED, replace(FEED, feed="ALT", max_age=100))
    box = Sandbox(genesis(pool=pool, pools=(side,), feeds=feeds, markets=(perpetual, future, other)), check=False)
    for account in ("a", "b", "c", "backstop"):
        box.open(account, 20_000)
    box.open("d", 20_000, pool="side")
    box.open("x", 20_000, pool="side")
    box.do("a", ev.Deposit("a", "ETH", 3))
    box.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 700))
    box.do("z", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 300))
    box.price(100)
    box.price(2_000, "ETH")
    box.price(50, "ALT")
    return box


def traded_world() -> Sandbox:
    """Positions in every market, a book sample and a funding interval gone by."""
    box = open_world()
    box.trade("a", "b", 900, 100)
    box.trade("c", "b", 300, 100, market="BTC-FUT")
    box.trade("d", "x", 700, 50, market="ALT-PERP")
    box.time = 10
    box.do("venue", ev.PostBook("BTC-PERP", 101, 103))
    return box


def falling_world() -> Sandbox:
    """The price has fallen: longs stand below maintenance."""
    box = traded_world()
    box.drive(76)
    box.drive(25, "ALT")
    return box


def crashed_world() -> Sandbox:
    """The price has crashed: longs are in default, one still with collateral."""
    box = traded_world()
    box.drive(70)
    box.drive(21, "ALT")
    return box


def settling_world() -> Sandbox:
    """The future is in final settlement after a crash."""
    box = traded_world()
    box.drive(60)
    box.time = 5_000
    box.do("z", ev.FixSettlement("BTC-FUT"))
    return box


def paying_world() -> Sandbox:
    """Every position of the settled future is closed; its claims wait to be paid."""
    box = settling_world()
    for account in ("c", "b"):
        box.do("z", ev.SettlePosition(account, "BTC-FUT"))
    return box


WORLDS = {
    "open": open_world,
    "traded": traded_world,
    "falling": falling_world,
    "crashed": crashed_world,
    "settling": settling_world,
    "paying": paying_world,
}

REACHES = {
    "open": ("Deposit", "Withdraw", "Transfer", "Trade", "PostPrice", "PostBook", "OpenAccount"),
    "traded": ("Trade", "AccrueFunding", "SetStatus", "Delist"),
    "falling": ("Liquidate", "Trade"),
    "crashed": ("ResolveDefault", "Convert"),
    "settling": ("SettlePosition",),
    "paying": ("PayClaim",),
}
"""Actions that generated sequences must get accepted from each world; else they are not worth running."""


@cache
def world(name: str) -> Sandbox:
    return WORLDS[name]()


def fork(state: State) -> State:
    """A state that shares the records, which are immutable, and nothing else."""
    copy = State(state.time, state.sequence, state.administrators, state.venues, dict(state.recent))
    for mine, theirs in zip(copy.tables, state.tables, strict=True):
        mine.update(theirs)
    copy.created.extend(state.created)
    return copy


def frozen(state: State) -> Any:
    return [dict(table) for table in state.tables], list(state.created), state.time, state.sequence, list(state.recent)


AMOUNTS = st.one_of(
    st.integers(1, 40), st.integers(1, 3_000), st.integers(1, 50_000), st.sampled_from((1, AMOUNT_MAX, 2**40, 2**36))
)
PRICES = st.one_of(st.integers(1, 220), st.sampled_from((1, 2**36)))
ACCOUNT = st.sampled_from(ACCOUNTS)
MARKET_IDS = st.sampled_from(MARKETS)
ASSET = st.sampled_from(("USD", "USD", "ETH", "GOLD"))
SIZES = st.one_of(st.integers(1, 1_000), st.sampled_from((1, 2**40)))
FEEDS = st.sampled_from(("BTC", "ALT", "ETH"))

ACTIONS = st.one_of(
    st.builds(ev.OpenAccount, st.sampled_from(("new", "a", "backstop")), st.sampled_from(("main", "side", "none"))),
    st.builds(ev.Deposit, ACCOUNT, ASSET, AMOUNTS),
    st.builds(ev.Withdraw, ACCOUNT, ASSET, AMOUNTS),
    st.builds(ev.Transfer, ACCOUNT, ACCOUNT, ASSET, AMOUNTS),
    st.builds(ev.Convert, ACCOUNT, ACCOUNT, ASSET, AMOUNTS),
    st.builds(ev.Contribute, st.sampled_from(("main", "side")), st.sampled_from(ev.Fund), AMOUNTS),
    st.builds(ev.CoverLoss, st.sampled_from(("main", "side")), st.sampled_from(ev.Cover), AMOUNTS),
    st.builds(ev.CollectFees, st.sampled_from(("main", "side")), AMOUNTS),
    st.builds(ev.PostPrice, FEEDS, PRICES, st.integers(0, 5)),
    st.builds(ev.PostPrice, FEEDS, PRICES, st.just(0)),
    st.builds(ev.PostBook, MARKET_IDS, PRICES, PRICES),
    st.builds(ev.Trade, MARKET_IDS, ACCOUNT, ACCOUNT, SIZES, st.integers(20, 140), st.sampled_from(ev.Side)),
    st.builds(
        ev.Trade, MARKET_IDS, ACCOUNT, ACCOUNT, st.integers(1, 1_000), st.integers(40, 110), st.sampled_from(ev.Side)
    ),
    st.builds(ev.AccrueFunding, MARKET_IDS),
    st.builds(ev.Liquidate, ACCOUNT, ACCOUNT, MARKET_IDS, SIZES),
    st.builds(
        ev.Liquidate, st.sampled_from(("a", "c", "d")), st.sampled_from(("b", "backstop", "x")), MARKET_IDS, SIZES
    ),
    st.builds(ev.ResolveDefault, ACCOUNT),
    st.builds(ev.ResolveDefault, st.sampled_from(("a", "c", "d"))),
    st.builds(ev.SetStatus, MARKET_IDS, st.sampled_from(MarketStatus)),
    st.builds(ev.Delist, MARKET_IDS, st.integers(1, 1_000)),
    st.builds(ev.FixSettlement, MARKET_IDS),
    st.builds(ev.SettlePosition, ACCOUNT, MARKET_IDS),
    st.builds(ev.PayClaim, ACCOUNT, MARKET_IDS),
    st.builds(
        ev.SetParameters, MARKET_IDS, st.sampled_from((PARAMETERS, MARKET, replace(PARAMETERS, settlement_window=60)))
    ),
    st.builds(ev.ListMarket, st.sampled_from((LISTING, replace(LISTING, market="NEW", parameters=PARAMETERS)))),
)
KINDS = (
    ["trade"] * 6 + ["liquidate"] * 4 + ["resolve"] * 2 + ["convert"] * 3 + ["withdraw"] * 2 + ["price"] * 5
    + ["settle", "pay", "fund", "book", "transfer", "wild", "wild"]
)  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """What is drawn for one step; it becomes an action that makes sense in the state it meets."""

    kind: str
    first: int
    second: int
    amount: int
    offset: int
    wild: Any
    pause: int
    luck: int


STEPS = st.lists(
    st.builds(
        Draw,
        st.sampled_from(KINDS),
        st.integers(0, 6),
        st.integers(0, 6),
        AMOUNTS,
        st.integers(-4, 4),
        ACTIONS,
        st.sampled_from((0, 0, 0, 1, 1, 70, 3600)),
        st.integers(0, 19),
    ),
    min_size=1,
    max_size=10,
)


def action_of(state: State, time: int, draw: Draw) -> Any:
    """An action of the drawn kind between accounts and in markets that fit."""
    market = list(state.markets)[draw.first % len(state.markets)]
    listing, mark = state.markets[market].listing, state.marks[market].price
    members = [name for name, account in state.accounts.items() if account.pool == listing.pool]
    one = members[draw.second % len(members)]
    other = members[(draw.second + 1 + draw.first % (len(members) - 1)) % len(members)]
    ctx = ev.Context(state, time)
    weak = [name for name in members if is_liquidatable(standing(ctx, name))] or [one]
    target = weak[draw.second % len(weak)]
    held = state.accounts[target].markets or (market,)
    price = max(1, mark + draw.offset)
    cash = -standing(ctx, target).cash
    lots = draw.amount % 400 + 1
    keeper = other if other != target else one
    actions: dict[str, Callable[[], Any]] = {
        "trade": lambda: ev.Trade(market, one, other, lots, price, list(ev.Side)[draw.amount % 2]),
        "liquidate": lambda: ev.Liquidate(target, keeper, held[draw.first % len(held)], draw.amount),
        "resolve": lambda: ev.ResolveDefault(target),
        "convert": lambda: ev.Convert(target, keeper, "ETH", max(1, cash // 1_900 + draw.offset // 4 + 1)),
        "withdraw": lambda: ev.Withdraw(one, "USD", draw.amount),
        "price": lambda: ev.PostPrice(listing.feed, price, 0),
        "settle": lambda: ev.SettlePosition(one, market),
        "pay": lambda: ev.PayClaim(one, market),
        "fund": lambda: ev.AccrueFunding(market),
        "book": lambda: ev.PostBook(market, price, price + draw.first),
        "transfer": lambda: ev.Transfer(one, other, "USD", draw.amount),
        "wild": lambda: draw.wild,
    }
    return actions[draw.kind]()


def rightful(state: State, action: Any) -> str:
    """The actor who may take an action."""
    kind = ev.ROLES[ev.ACTION_NAMES[type(action)]][1]
    owned = {ev.Convert: "keeper", ev.Liquidate: "liquidator"}.get(type(action), "account")
    account = getattr(action, owned, "")
    by_role = {ev.ADMINISTRATOR: "admin", ev.VENUE: "venue", ev.SOURCE: "s1", ev.ANYONE: "z"}
    return by_role.get(kind) or (state.accounts[account].owner if account in state.accounts else "z")


CAPPED = (ev.Trade, ev.Transfer, ev.Convert, ev.Withdraw, ev.SetParameters, ev.Deposit, ev.SetStatus)
"""Actions that may not raise any account's deficit; a conversion not beyond what its discount gives up."""


def deficits(state: State, time: int) -> dict[str, int]:
    ctx = ev.Context(state, time)
    return {account: max(0, -standing(ctx, account).net_liquidation_value) for account in state.accounts}


def holdings(state: State) -> dict[str, Any]:
    """All that belongs to each account."""
    found: dict[str, Any] = {account: [record] for account, record in state.accounts.items()}
    for (account, market), position in state.positions.items():
        found[account].append((market, position))
    for (asset, pool, kind, owner), amount in state.balances.items():
        if kind == "user":
            found[owner].append((asset, pool, amount))
    return found


def check_step(state: State, event: ev.Event) -> str:
    """Apply one event and check all that must hold of it; returns its outcome."""
    before, held = frozen(state), holdings(state)
    short = deficits(state, event.time) if event.time >= state.time else {}
    lost = {pool: uncovered_loss(state, pool) for pool in state.pools}
    receipt = apply(state, event)
    outcome = f"{type(event.action).__name__}: {receipt.reason or 'accepted'}"
    assert broken(state) == []
    record = receipt_record(receipt)
    assert decode(ReceiptRecord, encode(record)) == record
    assert all(abs(amount) < 2**127 for amount in state.balances.values())
    if not receipt.accepted:
        assert frozen(state) == before
        return outcome
    after = holdings(state)
    for account, content in held.items():
        assert account in receipt.accounts or after[account] == content, account
    if isinstance(event.action, CAPPED):
        discount = receipt.amounts.get("worth", 0) - receipt.amounts.get("paid", 0)
        for account, deficit in deficits(state, event.time).items():
            assert deficit <= short.get(account, 0) + max(0, discount), account
    if not isinstance(event.action, ev.ResolveDefault | ev.SettlePosition):
        assert all(uncovered_loss(state, pool) <= lost[pool] for pool in lost)
    return outcome


def play(box: Sandbox, steps: list[Draw], reached: Counter[str]) -> None:
    """Run a sequence from a fork of a world, with every check after every event."""
    state, time = fork(box.state), box.time
    for number, draw in enumerate(steps, start=1):
        time += draw.pause
        action = action_of(state, time, draw)
        actor = "mallory" if draw.luck == 0 else rightful(state, action)
        event = ev.Event(f"f{number}", box.sequence + number, time, actor, action)
        reached[check_step(state, event)] += 1
    reached["sequences"] += 1
    assert all(not table.undo for table in state.tables)


@pytest.mark.parametrize("name", WORLDS)
def test_sequences(name: str) -> None:
    reached: Counter[str] = Counter()

    @seed(crc32(name.encode()))
    @settings(max_examples=settings.default.max_examples * 17 // 2)
    @given(steps=STEPS)
    def sequences(steps: list[Draw]) -> None:
        play(world(name), steps, reached)

    sequences()
    print(f"\n{name}: {reached.pop('sequences')} sequences, {reached.total()} events, {len(reached)} outcomes")
    if settings.default.max_examples < 1000:
        pytest.skip("too few sequences to judge what they reach")
    missing = [action for action in REACHES[name] if reached[f"{action}: accepted"] == 0]
    assert missing == [], reached


@settings(max_examples=200)
@given(name=st.sampled_from(list(WORLDS)), steps=STEPS, cut=st.integers(0, 12))
def test_restored_continues_identically(name: str, steps: list[Draw], cut: int) -> None:
    box = world(name)
    state, time = fork(box.state), box.time
    copy: State | None = None
    for number, draw in enumerate(steps):
        if number == cut or copy is None:
            copy = restore(parse(json.dumps(snapshot(state))))
        time += draw.pause
        action = action_of(state, time, draw)
        event = ev.Event(f"f{number}", box.sequence + number + 1, time, rightful(state, action), action)
        receipt = apply(state, event)
        assert receipt == apply(copy, event)
        if receipt.reason != ev.Reason.FIELD_OUT_OF_RANGE:
            assert loads(ev.Event, canonical_bytes(event)) == event
        assert apply(state, event).reason is not None
    assert copy is not None
    assert snapshot(copy) == snapshot(state)


VALID = canonical_bytes(
    ev.Event("e", 10**6, 10**6, "venue", ev.Trade("BTC-PERP", "a", "b", 5, 100, ev.Side.BUYER))
).decode()
JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.from_regex(r"-?[0-9]{1,60}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid event with one span of its text replaced."""
    start = draw(st.integers(0, len(VALID) - 1))
    end = draw(st.integers(start, min(len(VALID), start + 12)))
    piece = draw(
        st.text(max_size=6) | st.sampled_from(('"', "{", "NaN", "1e9", '"01"', "-0", "\\ud800", "9" * 5000, "null"))
    )
    return VALID[:start] + piece + VALID[end:]


@given(text=damaged() | st.text() | JSONISH.map(json.dumps))
def test_any_text_gets_a_receipt(text: str) -> None:
    state = fork(world("traded").state)
    before = frozen(state)
    record = apply_document(state, text)
    assert record.reason is not None or text != VALID or record.status == "accepted"
    if record.reason is not None:
        assert frozen(state) == before


@given(data=st.binary(max_size=200))
def test_any_bytes_get_a_receipt(data: bytes) -> None:
    assert apply_document(fork(world("open").state), data).reason == ev.Reason.MALFORMED


@settings(max_examples=300)
@given(raw=JSONISH)
def test_any_document_restores_or_is_refused(raw: Any) -> None:
    document = snapshot(world("open").state)
    try:
        parsed = parse(json.dumps(raw))
    except ValueError:
        return
    targets = [parsed, {**document, "objects": [*document["objects"], parsed]}]
    targets += [] if parsed == [] else [{**document, "objects": parsed}]
    for target in targets:
        with pytest.raises(ValueError):
            restore(target)


def test_genesis_is_stable() -> None:
    assert snapshot(build(world("open").genesis)) == snapshot(build(world("open").genesis))
