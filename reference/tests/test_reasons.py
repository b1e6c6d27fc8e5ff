"""Every rejection reason is reached, in the documented order, and a rejected event changes nothing.

A *case* is an event that one check rejects. A *chain* is a row of events on one clearinghouse: each fails the check
named and every later one of the chain; the next event repairs that one fault. So each link shows the order of two
checks, and that the second check would have failed too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Event, Reason
from clearspec.machine import REMEMBERED, apply
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE
from clearspec.parameters import MarketKind, PoolParameters, Tier
from clearspec.sandbox import Sandbox
from clearspec.state import MarketStatus, State

PERP = "BTC-PERP"
STRICTER = replace(sb.MARKET, margin=replace(sb.MARGIN, tiers=(Tier(NOTIONAL_MAX, 10 * sb.PERCENT, 6 * sb.PERCENT),)))
"""Maintenance 6 % in place of 5 %: a change that takes a ramp."""
OUTSIDE = replace(sb.MARKET, liquidation=replace(sb.LIQUIDATION, penalty=5 * sb.PERCENT))
"""A penalty equal to maintenance breaks the envelope."""
OUT_OF_RANGE = replace(sb.MARKET, liquidation=replace(sb.LIQUIDATION, penalty=5 * sb.PERCENT, reward=SCALE + 1))
FUTURE = replace(sb.LISTING, market="BTC-FUT", kind=MarketKind.FUTURE, expiry=3000)
SIDE = replace(sb.POOL, pool="side", collateral=())


def fingerprint(state: State) -> Any:
    """All that a state holds, with the order of every table, as a value that compares."""
    tables = tuple((table.name, tuple(table.items()), tuple(table.undo.items())) for table in state.tables)
    roles = (state.administrators, state.venues)
    return state.time, state.sequence, roles, tuple(state.recent), tuple(state.created), tables


def probe(sandbox: Sandbox, actor: str, action: Any, **changes: Any) -> Event:
    """The next event of a sandbox, with changed fields."""
    return replace(Event("probe", sandbox.sequence + 1, sandbox.time, actor, action), **changes)


def refuse(sandbox: Sandbox, event: Event, reason: Reason, subject: str) -> ev.Receipt:
    """Apply an event that must be rejected for a reason about a subject, and must leave the state as it was."""
    before = fingerprint(sandbox.state)
    receipt = sb.apply(sandbox.state, event)
    assert (receipt.reason, receipt.subject) == (reason, subject)
    assert (receipt.id, receipt.sequence, receipt.time) == (event.id, event.sequence, event.time)
    assert (receipt.accounts, dict(receipt.amounts), receipt.postings) == ((), {}, ())
    assert not receipt.accepted
    assert fingerprint(sandbox.state) == before
    return receipt


# ---------------------------------------------------------------------------------------------------------------
# Clearinghouses to start from


def two_pools(side: PoolParameters = SIDE, **changes: Any) -> ev.Genesis:
    """The pool ``main`` (changed) with the perpetual and a future, and the pool ``side`` without collateral."""
    return sb.genesis(pool=replace(sb.POOL, **changes), pools=(side,), markets=(sb.LISTING, FUTURE))


def priced(genesis: ev.Genesis | None = None, cash: int = 10**6) -> Sandbox:
    """BTC at 100, ETH at 2000; accounts ``a`` and ``b`` with cash."""
    sandbox = Sandbox(genesis or sb.genesis())
    sandbox.price(100)
    sandbox.price(2000, "ETH")
    sandbox.open("a", cash)
    sandbox.open("b", cash)
    return sandbox


def fallen(genesis: ev.Genesis | None = None, price: int = 80) -> Sandbox:
    """``a`` with cash 100 bought 10 at 100 from ``b`` with cash 1000; then the price moved.

    At 80 ``a`` is worth 100 - 10 x 20 = -100.
    """
    sandbox = Sandbox(genesis or sb.genesis())
    sandbox.price(100)
    sandbox.price(2000, "ETH")
    sandbox.open("a", 100)
    sandbox.open("b", 1000)
    sandbox.trade("a", "b", 10, 100)
    sandbox.drive(price)
    return sandbox


def uncovered(side: PoolParameters = SIDE, **changes: Any) -> Sandbox:
    """A default of 100 without any layer: uncovered loss 100, custody 1100, ``b`` flat with cash 1200."""
    sandbox = fallen(two_pools(side, layers=(), **changes))
    sandbox.do("k", ev.ResolveDefault("a"))
    assert (sandbox.cash("a"), sandbox.cash("b")) == (0, 1200)
    assert (sandbox.balance("uncovered_loss"), sandbox.balance("custody")) == (-100, -1100)
    return sandbox


def lent(limit: int = 16000) -> Sandbox:
    """``a`` holds 10 ETH at 2000, worth 16000 after haircut, and owes exactly that; equity 0."""
    sandbox = Sandbox(two_pools(negative_balance_limit=limit))
    sandbox.price(100)
    sandbox.price(2000, "ETH")
    sandbox.open("a")
    sandbox.open("b", 10**6)
    sandbox.do("a", ev.Deposit("a", "ETH", 10))
    sandbox.do("a", ev.Withdraw("a", "USD", 16000))
    return sandbox


def settling(genesis: ev.Genesis | None = None, price: int = 100) -> Sandbox:
    """``a`` long 10 and ``b`` short 10 of a future from 100, whose settlement price is now fixed at ``price``."""
    future = replace(FUTURE, expiry=10_000)
    sandbox = priced(genesis or sb.genesis(markets=(sb.LISTING, future)))
    sandbox.trade("a", "b", 10, 100, "BTC-FUT")
    sandbox.drive(price)
    sandbox.time = 9_400
    sandbox.price(price)
    sandbox.time = 10_000
    sandbox.price(price)
    sandbox.do("k", ev.FixSettlement("BTC-FUT"))
    return sandbox


def rich(trips: int = 49) -> Sandbox:
    """``a`` won ``trips`` x 2**20 x (2**36 - 100) atoms from four others, whose collateral is worth far more.

    49 trips are just below 49 x 2**56, so that 2**60 = 16 x 2**56 more is above 2**62 = 64 x 2**56. Each of the four
    loses at most 17 x 2**56: it may open a position while it owes no more than 2**60.
    """
    trading = replace(sb.TRADING, max_position=2**20, max_open_interest=2**20, price_band=SCALE - 1)
    listing = replace(sb.LISTING, parameters=replace(sb.MARKET, trading=trading))
    feeds = (replace(sb.FEED, max_price=PRICE_MAX), sb.ETH_FEED)
    pool = replace(sb.POOL, negative_balance_limit=AMOUNT_MAX)
    sandbox = Sandbox(sb.genesis(pool=pool, markets=(listing,), feeds=feeds))
    sandbox.check = False
    sandbox.price(PRICE_MAX)
    sandbox.price(10**9, "ETH")
    for account in ("a", "c"):
        sandbox.open(account)
    losers = [f"b{place}" for place in range(4)]
    for loser in losers:
        sandbox.open(loser)
        sandbox.do(loser, ev.Deposit(loser, "ETH", 10**12 // 4))
    for trip in range(trips):
        sandbox.trade("a", losers[trip % 4], 2**20, 100)
        sandbox.trade(losers[trip % 4], "a", 2**20, PRICE_MAX)
    assert sandbox.cash("a") == trips * 2**20 * (PRICE_MAX - 100)
    sandbox.check = True
    return sandbox


def full_custody() -> Sandbox:
    """Custody holds 2**62 atoms of the settlement asset, the most that a balance may be; ``b`` owns 1000 of them."""
    sandbox = Sandbox()
    sandbox.open("b", 1000)
    for share in (AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX - 1000):
        sandbox.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, share))
    return sandbox


def many_markets() -> Sandbox:
    """65 markets on one feed; ``a`` holds a position in each of the first 64."""
    markets = tuple(replace(sb.LISTING, market=f"M{place}") for place in range(65))
    sandbox = priced(sb.genesis(markets=markets))
    sandbox.check = False
    for place in range(64):
        sandbox.trade("a", "b", 1, 100, f"M{place}")
    sandbox.check = True
    return sandbox


# ---------------------------------------------------------------------------------------------------------------
# Cases: each reason at least once


@dataclass
class Case:
    """An event that must be rejected, and the subject that its receipt must name."""

    sandbox: Sandbox
    event: Event
    subject: str


CASES: dict[str, tuple[Reason, Callable[[], Case]]] = {}


def case(reason: Reason) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Register the case of a reason under the name of its function."""

    def register(make: Callable[[], Case]) -> Callable[[], Case]:
        CASES[make.__name__] = (reason, make)
        return make

    return register


@case(Reason.DUPLICATE_EVENT)
def event_id_seen() -> Case:
    s = Sandbox()
    s.open("a")
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", 1), id="e1"), "e1")


@case(Reason.SEQUENCE_NOT_INCREASING)
def sequence_repeated() -> Case:
    s = Sandbox()
    s.open("a")
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", 1), sequence=1), "probe")


@case(Reason.TIME_DECREASING)
def time_goes_back() -> Case:
    s = Sandbox()
    s.time = 10
    s.open("a")
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", 1), time=9), "probe")


@case(Reason.FIELD_OUT_OF_RANGE)
def amount_zero() -> Case:
    s = priced()
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", 0)), "amount")


@case(Reason.FIELD_OUT_OF_RANGE)
def amount_above_maximum() -> Case:
    s = priced()
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", AMOUNT_MAX + 1)), "amount")


@case(Reason.FIELD_OUT_OF_RANGE)
def size_negative() -> Case:
    s = priced()
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", -1, 0, ev.Side.SELLER)), "size")


@case(Reason.UNAUTHORISED)
def deposit_of_stranger() -> Case:
    s = priced()
    return Case(s, probe(s, "eve", ev.Deposit("a", "USD", 1)), "eve")


@case(Reason.UNAUTHORISED)
def fill_not_of_venue() -> Case:
    s = priced()
    return Case(s, probe(s, "admin", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)), "admin")


@case(Reason.UNAUTHORISED)
def price_of_stranger() -> Case:
    s = priced()
    return Case(s, probe(s, "admin", ev.PostPrice("BTC", 100, 0)), "admin")


@case(Reason.UNAUTHORISED)
def collection_not_of_administrator() -> Case:
    s = priced()
    return Case(s, probe(s, "venue", ev.CollectFees("main", 1)), "venue")


@case(Reason.UNAUTHORISED)
def liquidator_of_stranger() -> Case:
    s = fallen()
    return Case(s, probe(s, "eve", ev.Liquidate("a", "b", PERP, 1)), "eve")


@case(Reason.UNKNOWN_ACCOUNT)
def deposit_to_nobody() -> Case:
    s = priced()
    return Case(s, probe(s, "ghost", ev.Deposit("ghost", "USD", 1)), "ghost")


@case(Reason.UNKNOWN_POOL)
def account_in_no_pool() -> Case:
    s = priced()
    return Case(s, probe(s, "c", ev.OpenAccount("c", "nowhere")), "nowhere")


@case(Reason.UNKNOWN_FEED)
def price_of_no_feed() -> Case:
    s = priced()
    return Case(s, probe(s, "s1", ev.PostPrice("DOGE", 1, 0)), "DOGE")


@case(Reason.UNKNOWN_MARKET)
def funding_of_no_market() -> Case:
    s = priced()
    return Case(s, probe(s, "k", ev.AccrueFunding("DOGE-PERP")), "DOGE-PERP")


@case(Reason.ACCOUNT_EXISTS)
def account_opened_twice() -> Case:
    s = priced()
    return Case(s, probe(s, "eve", ev.OpenAccount("a", "main")), "a")


@case(Reason.MARKET_EXISTS)
def market_listed_twice() -> Case:
    s = priced()
    return Case(s, probe(s, "admin", ev.ListMarket(sb.LISTING)), PERP)


@case(Reason.SAME_ACCOUNT)
def transfer_to_itself() -> Case:
    s = priced()
    return Case(s, probe(s, "a", ev.Transfer("a", "a", "USD", 1)), "a")


@case(Reason.SAME_ACCOUNT)
def fill_with_itself() -> Case:
    s = priced()
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "a", 1, 100, ev.Side.SELLER)), "a")


@case(Reason.SAME_ACCOUNT)
def liquidation_by_itself() -> Case:
    s = fallen()
    return Case(s, probe(s, "a", ev.Liquidate("a", "a", PERP, 1)), "a")


@case(Reason.SAME_ACCOUNT)
def conversion_by_itself() -> Case:
    s = lent()
    s.drive(1990, "ETH")
    return Case(s, probe(s, "a", ev.Convert("a", "a", "ETH", 1)), "a")


@case(Reason.WRONG_POOL)
def fill_across_pools() -> Case:
    s = priced(two_pools())
    s.open("z", 1000, "side")
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "z", 1, 100, ev.Side.SELLER)), "z")


@case(Reason.WRONG_POOL)
def backstop_in_another_pool() -> Case:
    s = Sandbox(two_pools(backstop="backstop"))
    return Case(s, probe(s, "admin", ev.OpenAccount("backstop", "side")), "backstop")


@case(Reason.UNAUTHORISED)
def backstop_of_stranger() -> Case:
    s = Sandbox(two_pools(backstop="backstop"))
    return Case(s, probe(s, "eve", ev.OpenAccount("backstop", "main")), "eve")


@case(Reason.ASSET_NOT_ACCEPTED)
def deposit_of_unknown_asset() -> Case:
    s = priced()
    return Case(s, probe(s, "a", ev.Deposit("a", "DOGE", 1)), "DOGE")


@case(Reason.DEPOSIT_CAP_EXCEEDED)
def deposit_one_above_cap() -> Case:
    # Custody 60 of a cap of 100: 40 fits, 41 does not.
    s = Sandbox(sb.with_pool(settlement_cap=100))
    s.open("a", 60)
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", 41)), "USD")


@case(Reason.DEPOSIT_CAP_EXCEEDED)
def collateral_one_above_cap() -> Case:
    # The cap of ETH is 10**12 atoms.
    s = priced()
    return Case(s, probe(s, "a", ev.Deposit("a", "ETH", 10**12 + 1)), "ETH")


@case(Reason.INSUFFICIENT_BALANCE)
def withdrawal_of_collateral_not_held() -> Case:
    s = priced()
    s.do("a", ev.Deposit("a", "ETH", 3))
    s.do("b", ev.Deposit("b", "ETH", 3))
    return Case(s, probe(s, "a", ev.Withdraw("a", "ETH", 4)), "a")


@case(Reason.INSUFFICIENT_CUSTODY)
def withdrawal_above_custody() -> Case:
    # b paid in 500, a took 500 out against ETH: custody 0, and b's claim of 500 is backed by a's debt.
    s = Sandbox(sb.with_pool(negative_balance_limit=500))
    s.price(2000, "ETH")
    s.open("a")
    s.open("b", 500)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.do("a", ev.Withdraw("a", "USD", 500))
    return Case(s, probe(s, "b", ev.Withdraw("b", "USD", 1)), "main")


@case(Reason.WITHDRAWALS_GATED)
def withdrawal_while_gated() -> Case:
    s = uncovered(gate_threshold=99)
    return Case(s, probe(s, "b", ev.Withdraw("b", "USD", 1)), "main")


@case(Reason.WITHDRAWALS_GATED)
def collection_while_gated() -> Case:
    trading = replace(sb.TRADING, taker_fee=sb.PERCENT)
    listing = replace(sb.LISTING, parameters=replace(sb.MARKET, trading=trading))
    s = Sandbox(sb.genesis(pool=replace(sb.POOL, layers=()), markets=(listing,)))
    s.price(100)
    s.open("a", 110)
    s.open("b", 1000)
    s.trade("a", "b", 10, 100)  # taker fee 1 % of 1000 = 10
    s.drive(80)
    s.do("k", ev.ResolveDefault("a"))
    return Case(s, probe(s, "admin", ev.CollectFees("main", 10)), "main")


@case(Reason.BELOW_INITIAL_MARGIN)
def withdrawal_one_too_large() -> Case:
    # 10 lots at 100 need 10 % of 1000 = 100; of 1000 cash 900 may leave, 901 may not.
    s = priced(cash=1000)
    s.trade("a", "b", 10, 100)
    return Case(s, probe(s, "a", ev.Withdraw("a", "USD", 901)), "a")


@case(Reason.NEGATIVE_BALANCE_LIMIT)
def withdrawal_below_limit() -> Case:
    s = priced(cash=1000)
    s.do("a", ev.Deposit("a", "ETH", 1))
    return Case(s, probe(s, "a", ev.Withdraw("a", "USD", 1001)), "a")


@case(Reason.NOT_CONVERTIBLE)
def conversion_of_sound_account() -> Case:
    # Equity 0, requirement 0, cash exactly at its limit: neither condition holds.
    s = lent()
    return Case(s, probe(s, "b", ev.Convert("a", "b", "ETH", 1)), "a")


@case(Reason.CONVERSION_TOO_LARGE)
def conversion_of_one_too_many() -> Case:
    # At 1990 less 5 %: 9 ETH bring ceil(17014.5) = 17015 >= 16000, so the tenth is not needed.
    s = lent()
    s.drive(1990, "ETH")
    return Case(s, probe(s, "b", ev.Convert("a", "b", "ETH", 10)), "a")


@case(Reason.INSUFFICIENT_FUND)
def collection_from_empty_treasury() -> Case:
    s = priced()
    return Case(s, probe(s, "admin", ev.CollectFees("main", 1)), "main")


@case(Reason.INSUFFICIENT_FUND)
def cover_from_poor_fund() -> Case:
    s = uncovered()
    s.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 99))
    return Case(s, probe(s, "admin", ev.CoverLoss("main", ev.Cover.INSURANCE_FUND, 100)), "main")


@case(Reason.EXCEEDS_UNCOVERED_LOSS)
def cover_of_more_than_is_lost() -> Case:
    s = uncovered()
    return Case(s, probe(s, "admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 101)), "main")


@case(Reason.STALE_PRICE)
def fill_one_second_too_late() -> Case:
    # Posted at 0, greatest age 600: fresh up to and including 600.
    s = priced()
    s.time = 600
    s.trade("a", "b", 1, 100)
    s.time = 601
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)), PERP)


@case(Reason.STALE_PRICE)
def fill_before_any_price() -> Case:
    s = Sandbox()
    s.open("a", 1000)
    s.open("b", 1000)
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)), PERP)


@case(Reason.STALE_PRICE)
def conversion_of_an_asset_without_a_price() -> Case:
    s = Sandbox()
    s.open("a")
    s.open("b", 1000)
    s.do("a", ev.Deposit("a", "ETH", 1))
    return Case(s, probe(s, "b", ev.Convert("a", "b", "ETH", 1)), "ETH")


@case(Reason.CROSSED_BOOK)
def bid_above_ask() -> Case:
    s = priced()
    return Case(s, probe(s, "venue", ev.PostBook(PERP, 101, 100)), PERP)


@case(Reason.OUTSIDE_ENVELOPE)
def penalty_equal_to_maintenance() -> Case:
    s = priced()
    return Case(s, probe(s, "admin", ev.SetParameters(PERP, OUTSIDE)), "penalty-below-maintenance")


@case(Reason.RAMP_IN_PROGRESS)
def second_change_during_ramp() -> Case:
    # The ramp takes 60 seconds.
    s = priced()
    s.do("admin", ev.SetParameters(PERP, STRICTER))
    s.time = 59
    return Case(s, probe(s, "admin", ev.SetParameters(PERP, sb.MARKET)), PERP)


@case(Reason.STATUS_NOT_ALLOWED)
def status_settling_by_hand() -> Case:
    s = priced()
    return Case(s, probe(s, "admin", ev.SetStatus(PERP, MarketStatus.SETTLING)), PERP)


@case(Reason.STATUS_NOT_ALLOWED)
def delisting_later_than_expiry() -> Case:
    # Delisted at 0 with notice 100: expiry 100 + 600 = 700. Again with notice 100 would be no sooner.
    s = priced()
    s.do("admin", ev.Delist(PERP, 100))
    return Case(s, probe(s, "admin", ev.Delist(PERP, 100)), PERP)


@case(Reason.MARKET_NOT_TRADING)
def fill_in_halted_market() -> Case:
    s = priced()
    s.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)), PERP)


@case(Reason.MARKET_NOT_TRADING)
def fill_at_expiry() -> Case:
    s = priced(two_pools())
    s.time = 2999
    s.price(100)
    s.trade("a", "b", 1, 100, "BTC-FUT")
    s.time = 3000
    s.price(100)
    return Case(s, probe(s, "venue", ev.Trade("BTC-FUT", "a", "b", 1, 100, ev.Side.SELLER)), "BTC-FUT")


@case(Reason.REDUCE_ONLY)
def fill_through_zero_in_reduce_only() -> Case:
    s = priced()
    s.trade("a", "b", 10, 100)
    s.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    return Case(s, probe(s, "venue", ev.Trade(PERP, "b", "a", 11, 100, ev.Side.SELLER)), "b")


@case(Reason.PRICE_OUTSIDE_BAND)
def fill_one_atom_above_band() -> Case:
    # Band 20 % of 100 = 20: 80 to 120.
    s = priced()
    s.trade("a", "b", 1, 120)
    s.trade("a", "b", 1, 80)
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 121, ev.Side.SELLER)), PERP)


@case(Reason.PRICE_OUTSIDE_BAND)
def fill_one_atom_below_band() -> Case:
    s = priced()
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 79, ev.Side.SELLER)), PERP)


@case(Reason.POSITION_CAP_EXCEEDED)
def position_one_above_cap() -> Case:
    s = priced(sb.with_market(trading=replace(sb.TRADING, max_position=10)))
    s.trade("a", "b", 10, 100)
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)), "a")


@case(Reason.OPEN_INTEREST_CAP_EXCEEDED)
def open_interest_one_above_cap() -> Case:
    s = priced(sb.with_market(trading=replace(sb.TRADING, max_open_interest=10)))
    s.open("c", 1000)
    s.trade("a", "b", 10, 100)
    s.trade("c", "a", 10, 100)  # passes the long side on: open interest stays 10
    return Case(s, probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)), PERP)


@case(Reason.TOO_MANY_POSITIONS)
def position_in_a_65th_market() -> Case:
    s = many_markets()
    return Case(s, probe(s, "venue", ev.Trade("M64", "a", "b", 1, 100, ev.Side.SELLER)), "a")


@case(Reason.BALANCE_OUT_OF_RANGE)
def deposit_above_largest_balance() -> Case:
    s = rich()
    return Case(s, probe(s, "a", ev.Deposit("a", "USD", AMOUNT_MAX)), "a")


@case(Reason.BALANCE_OUT_OF_RANGE)
def transfer_above_largest_balance() -> Case:
    s = rich()
    s.do("c", ev.Deposit("c", "USD", AMOUNT_MAX))
    return Case(s, probe(s, "c", ev.Transfer("c", "a", "USD", AMOUNT_MAX)), "a")


@case(Reason.BALANCE_OUT_OF_RANGE)
def fill_above_largest_balance() -> Case:
    # 2**60 and 48 gains of almost 2**56 fit; the next sale, again for almost 2**56, does not.
    s = rich(48)
    s.check = False
    s.do("a", ev.Deposit("a", "USD", AMOUNT_MAX))
    s.trade("a", "b0", 2**20, 100)
    s.check = True
    return Case(s, probe(s, "venue", ev.Trade(PERP, "b0", "a", 2**20, PRICE_MAX, ev.Side.SELLER)), "a")


@case(Reason.BALANCE_OUT_OF_RANGE)
def contribution_above_largest_custody() -> Case:
    s = full_custody()
    return Case(s, probe(s, "k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1)), "main")


@case(Reason.NEGATIVE_BALANCE_LIMIT)
def fill_that_opens_below_the_limit() -> Case:
    # a, with ETH for 16000, buys at 110 and sells at 100: cash -10. Opening again below the limit of 5 is refused.
    s = priced(sb.with_pool(negative_balance_limit=5), cash=1000)
    s.open("c")
    s.do("c", ev.Deposit("c", "ETH", 10))
    s.trade("c", "b", 1, 110)
    s.trade("b", "c", 1, 100)
    assert s.cash("c") == -10
    return Case(s, probe(s, "venue", ev.Trade(PERP, "c", "b", 1, 100, ev.Side.SELLER)), "c")


@case(Reason.INSUFFICIENT_MARGIN)
def fill_one_atom_short_of_margin() -> Case:
    # 10 lots at 100 need 100.
    s = priced()
    s.open("c", 99)
    return Case(s, probe(s, "venue", ev.Trade(PERP, "c", "b", 10, 100, ev.Side.SELLER)), "c")


@case(Reason.INSUFFICIENT_MARGIN)
def liquidator_short_of_margin() -> Case:
    # At 94 a has 100 - 60 = 40 of 47 needed: closing ceil((7 + 2) / 4 %) = 225 atoms, so ceil(225 / 94) = 3 lots,
    # restores it. 3 lots at 94 need ceil(10 % of 282) = 29; the reward is floor(0.5 % of 282) = 1: 28 suffice.
    s = fallen(price=94)
    s.open("k", 27)
    return Case(s, probe(s, "k", ev.Liquidate("a", "k", PERP, 10)), "k")


@case(Reason.NOT_PERPETUAL)
def funding_of_a_future() -> Case:
    s = priced(two_pools())
    return Case(s, probe(s, "k", ev.AccrueFunding("BTC-FUT")), "BTC-FUT")


@case(Reason.FUNDING_NOT_DUE)
def funding_one_second_early() -> Case:
    s = priced()
    s.time = 3599
    s.price(100)
    return Case(s, probe(s, "k", ev.AccrueFunding(PERP)), PERP)


@case(Reason.FUNDING_NOT_ACCRUED)
def funding_parameters_changed_before_accrual() -> Case:
    s = priced()
    s.time = 3600
    parameters = replace(sb.MARKET, funding=replace(sb.FUNDING, interest=1))
    return Case(s, probe(s, "admin", ev.SetParameters(PERP, parameters)), PERP)


@case(Reason.SAMPLE_TOO_SOON)
def sample_one_second_early() -> Case:
    # Samples are at least 10 seconds apart.
    s = priced()
    s.time = 10
    s.do("venue", ev.PostBook(PERP, 100, 100))
    s.time = 19
    return Case(s, probe(s, "venue", ev.PostBook(PERP, 100, 100)), PERP)


@case(Reason.NO_POSITION)
def liquidation_of_nothing() -> Case:
    s = priced()
    return Case(s, probe(s, "b", ev.Liquidate("a", "b", PERP, 1)), "a")


@case(Reason.NOT_LIQUIDATABLE)
def liquidation_at_equality() -> Case:
    # 107 - 10 x 6 = 47, and 5 % of 940 = 47.
    s = Sandbox()
    s.price(100)
    s.open("a", 107)
    s.open("b", 1000)
    s.trade("a", "b", 10, 100)
    s.drive(94)
    return Case(s, probe(s, "b", ev.Liquidate("a", "b", PERP, 1)), "a")


@case(Reason.IN_DEFAULT)
def liquidation_of_an_account_worth_less_than_nothing() -> Case:
    # At 90 it is worth 100 - 10 x 10 = 0 and may be liquidated; with 9 lots at 89 it is worth -9.
    s = fallen(price=90)
    s.do("b", ev.Liquidate("a", "b", PERP, 1))
    s.drive(89)
    return Case(s, probe(s, "b", ev.Liquidate("a", "b", PERP, 1)), "a")


@case(Reason.SIZE_BELOW_MINIMUM)
def liquidation_of_a_crumb() -> Case:
    s = fallen(sb.with_market(liquidation=replace(sb.LIQUIDATION, minimum=5)), 94)
    return Case(s, probe(s, "b", ev.Liquidate("a", "b", PERP, 4)), "a")


@case(Reason.NOT_IN_DEFAULT)
def default_at_exactly_nothing() -> Case:
    # 100 + 10 x (90 - 100) = 0.
    s = fallen(price=90)
    return Case(s, probe(s, "k", ev.ResolveDefault("a")), "a")


@case(Reason.COLLATERAL_REMAINS)
def default_with_collateral() -> Case:
    # At 80: 100 - 200 = -100, with one ETH, which then falls to 99 and below: worth -1 in all.
    s = Sandbox(sb.genesis(feeds=(sb.FEED, replace(sb.ETH_FEED, band=0))))
    s.price(100)
    s.price(99, "ETH")
    s.open("a", 100)
    s.open("b", 1000)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.trade("a", "b", 10, 100)
    s.drive(80)
    return Case(s, probe(s, "k", ev.ResolveDefault("a")), "a")


@case(Reason.CLAIMS_PENDING)
def default_during_settlement() -> Case:
    # a: 100 cash, long 10 of the future from 100, settled at 80: worth -100.
    s = Sandbox(sb.genesis(markets=(replace(FUTURE, expiry=1000),)))
    s.price(100)
    s.open("a", 100)
    s.open("b", 1000)
    s.trade("a", "b", 10, 100, "BTC-FUT")
    s.drive(80)
    s.time = 1000
    s.price(80)
    s.do("k", ev.FixSettlement("BTC-FUT"))
    return Case(s, probe(s, "k", ev.ResolveDefault("a")), "a")


@case(Reason.SETTLEMENT_NOT_DUE)
def settlement_of_a_perpetual() -> Case:
    s = priced()
    return Case(s, probe(s, "k", ev.FixSettlement(PERP)), PERP)


@case(Reason.SETTLEMENT_NOT_DUE)
def settlement_one_second_early() -> Case:
    s = priced(two_pools())
    s.time = 2999
    return Case(s, probe(s, "k", ev.FixSettlement("BTC-FUT")), "BTC-FUT")


@case(Reason.NOT_SETTLING)
def settling_of_a_trading_market() -> Case:
    s = priced()
    s.trade("a", "b", 10, 100)
    return Case(s, probe(s, "k", ev.SettlePosition("a", PERP)), PERP)


@case(Reason.POSITIONS_REMAIN)
def claim_before_collection_ends() -> Case:
    s = settling(price=110)
    s.do("k", ev.SettlePosition("a", "BTC-FUT"))
    return Case(s, probe(s, "k", ev.PayClaim("a", "BTC-FUT")), "BTC-FUT")


@case(Reason.NO_CLAIM)
def claim_of_the_loser() -> Case:
    s = settling(price=110)
    s.do("k", ev.SettlePosition("a", "BTC-FUT"))
    s.do("k", ev.SettlePosition("b", "BTC-FUT"))
    return Case(s, probe(s, "k", ev.PayClaim("b", "BTC-FUT")), "b")


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    reason, make = CASES[name]
    found = make()
    refuse(found.sandbox, found.event, reason, found.subject)


def test_every_reason_is_reached() -> None:
    reached = set()
    for reason in Reason:
        make = next((make for expected, make in CASES.values() if expected == reason), None)
        if make is not None:
            found = make()
            reached.add(apply(found.sandbox.state, found.event).reason)
    # A malformed input does not decode, so it never becomes an event: the decoder rejects it before ``apply``.
    assert reached == set(Reason) - {Reason.MALFORMED}


def test_every_reason_is_documented() -> None:
    assert set(ev.REASONS) == set(Reason)


# ---------------------------------------------------------------------------------------------------------------
# Chains: the order of the checks


class Chain:
    """A clearinghouse on which each event repairs what the event before was rejected for."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.last: tuple[Reason, str] | None = None
        self.pairs = 0

    def link(self, reason: Reason, subject: str, actor: str, action: Any, **changes: Any) -> None:
        """The next event must be rejected for this reason about this subject."""
        refuse(self.sandbox, probe(self.sandbox, actor, action, **changes), reason, subject)
        assert self.last != (reason, subject)
        self.pairs += self.last is not None
        self.last = reason, subject

    def cut(self) -> None:
        """The check before and the check after cannot fail together, so their order shows nowhere."""
        self.last = None


CHAINS: dict[str, tuple[int, Callable[[], Chain]]] = {}


def chain(pairs: int) -> Callable[[Callable[[], Chain]], Callable[[], Chain]]:
    """Register a chain that shows the order of this many pairs of checks."""

    def register(make: Callable[[], Chain]) -> Callable[[], Chain]:
        CHAINS[make.__name__] = (pairs, make)
        return make

    return register


@chain(4)
def order_of_event() -> Chain:
    s = Sandbox()
    s.time = 10
    s.open("a")
    c = Chain(s)
    bad = ev.Deposit("ghost", "USD", 0)
    c.link(Reason.DUPLICATE_EVENT, "e1", "a", bad, id="e1", sequence=1, time=9)
    c.link(Reason.SEQUENCE_NOT_INCREASING, "probe", "a", bad, sequence=1, time=9)
    c.link(Reason.TIME_DECREASING, "probe", "a", bad, time=9)
    c.link(Reason.FIELD_OUT_OF_RANGE, "amount", "a", bad)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "a", replace(bad, amount=1))
    return c


@chain(1)
def order_of_fields() -> Chain:
    c = Chain(priced())
    bad = ev.Trade(PERP, "a", "b", 0, PRICE_MAX + 1, ev.Side.SELLER)
    c.link(Reason.FIELD_OUT_OF_RANGE, "size", "venue", bad)
    c.link(Reason.FIELD_OUT_OF_RANGE, "price", "venue", replace(bad, size=1))
    return c


@chain(1)
def order_of_open_account() -> Chain:
    c = Chain(priced())
    c.link(Reason.UNKNOWN_POOL, "nowhere", "eve", ev.OpenAccount("a", "nowhere"))
    c.link(Reason.ACCOUNT_EXISTS, "a", "eve", ev.OpenAccount("a", "main"))
    return c


@chain(2)
def order_of_deposit() -> Chain:
    c = Chain(priced())
    bad = ev.Deposit("ghost", "DOGE", 1)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "eve", bad)
    c.link(Reason.UNAUTHORISED, "eve", "eve", replace(bad, account="a"))
    c.link(Reason.ASSET_NOT_ACCEPTED, "DOGE", "a", replace(bad, account="a"))
    return c


@chain(2)
def order_of_deposit_amount() -> Chain:
    # One atom in custody: 2**60 is above the cap, 2**60 - 1 is not, and both are too much for a.
    s = rich()
    s.do("c", ev.Deposit("c", "USD", 1))
    c = Chain(s)
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.Deposit("a", "USD", AMOUNT_MAX))
    c.link(Reason.DEPOSIT_CAP_EXCEEDED, "USD", "a", ev.Deposit("a", "USD", AMOUNT_MAX))
    c.link(Reason.BALANCE_OUT_OF_RANGE, "a", "a", ev.Deposit("a", "USD", AMOUNT_MAX - 1))
    return c


@chain(7)
def order_of_withdraw() -> Chain:
    # b holds 1200 of custody 1100; the limit is 1.
    s = uncovered(negative_balance_limit=1)
    c = Chain(s)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "eve", ev.Withdraw("ghost", "DOGE", 5))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.Withdraw("b", "DOGE", 5))
    c.link(Reason.ASSET_NOT_ACCEPTED, "DOGE", "b", ev.Withdraw("b", "DOGE", 5))
    c.link(Reason.INSUFFICIENT_BALANCE, "b", "b", ev.Withdraw("b", "ETH", 5))
    c.link(Reason.WITHDRAWALS_GATED, "main", "b", ev.Withdraw("b", "USD", 1202))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))  # custody 1200
    c.link(Reason.INSUFFICIENT_CUSTODY, "main", "b", ev.Withdraw("b", "USD", 1202))
    s.open("d", 100)
    c.link(Reason.NEGATIVE_BALANCE_LIMIT, "b", "b", ev.Withdraw("b", "USD", 1202))  # cash -2
    c.link(Reason.BELOW_INITIAL_MARGIN, "b", "b", ev.Withdraw("b", "USD", 1201))  # cash -1
    return c


@chain(10)
def order_of_transfer() -> Chain:
    s = uncovered(replace(SIDE, settlement_cap=1202), negative_balance_limit=1)
    s.open("z", 1, "side")
    c = Chain(s)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "eve", ev.Transfer("ghost", "spook", "DOGE", 5))
    c.link(Reason.UNKNOWN_ACCOUNT, "spook", "eve", ev.Transfer("b", "spook", "DOGE", 5))
    c.link(Reason.SAME_ACCOUNT, "b", "eve", ev.Transfer("b", "b", "DOGE", 5))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.Transfer("b", "z", "DOGE", 5))
    c.link(Reason.ASSET_NOT_ACCEPTED, "DOGE", "b", ev.Transfer("b", "z", "DOGE", 5))
    c.link(Reason.INSUFFICIENT_BALANCE, "b", "b", ev.Transfer("b", "z", "ETH", 5))
    c.link(Reason.WITHDRAWALS_GATED, "main", "b", ev.Transfer("b", "z", "USD", 1202))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))
    c.link(Reason.INSUFFICIENT_CUSTODY, "main", "b", ev.Transfer("b", "z", "USD", 1202))
    s.open("d", 100)
    c.link(Reason.DEPOSIT_CAP_EXCEEDED, "USD", "b", ev.Transfer("b", "z", "USD", 1202))  # 1 + 1202 > 1202
    s.do("z", ev.Withdraw("z", "USD", 1))
    c.link(Reason.NEGATIVE_BALANCE_LIMIT, "b", "b", ev.Transfer("b", "z", "USD", 1202))
    c.link(Reason.BELOW_INITIAL_MARGIN, "b", "b", ev.Transfer("b", "z", "USD", 1201))
    return c


@chain(2)
def order_of_transfer_of_collateral() -> Chain:
    # The side pool takes no collateral.
    s = uncovered()
    s.open("z", 0, "side")
    s.do("b", ev.Deposit("b", "ETH", 4))
    c = Chain(s)
    c.link(Reason.INSUFFICIENT_BALANCE, "b", "b", ev.Transfer("b", "z", "ETH", 5))
    c.link(Reason.WITHDRAWALS_GATED, "main", "b", ev.Transfer("b", "z", "ETH", 4))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))
    c.link(Reason.ASSET_NOT_ACCEPTED, "ETH", "b", ev.Transfer("b", "z", "ETH", 4))
    return c


@chain(1)
def order_of_transfer_within_pool() -> Chain:
    # c has nothing, and a would hold too much.
    c = Chain(rich())
    c.link(Reason.BALANCE_OUT_OF_RANGE, "a", "c", ev.Transfer("c", "a", "USD", AMOUNT_MAX))
    c.link(Reason.BELOW_INITIAL_MARGIN, "c", "c", ev.Transfer("c", "a", "USD", 1))
    return c


@chain(11)
def order_of_convert() -> Chain:
    s = Sandbox(two_pools(negative_balance_limit=16000))
    s.open("a")
    s.open("b", 10**6)
    s.open("k", 100)
    s.open("z", 0, "side")
    s.do("a", ev.Deposit("a", "ETH", 10))
    c = Chain(s)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "eve", ev.Convert("ghost", "spook", "DOGE", 11))
    c.link(Reason.UNKNOWN_ACCOUNT, "spook", "eve", ev.Convert("a", "spook", "DOGE", 11))
    c.link(Reason.SAME_ACCOUNT, "a", "eve", ev.Convert("a", "a", "DOGE", 11))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.Convert("a", "z", "DOGE", 11))
    c.link(Reason.WRONG_POOL, "z", "z", ev.Convert("a", "z", "DOGE", 11))
    c.link(Reason.ASSET_NOT_ACCEPTED, "DOGE", "k", ev.Convert("a", "k", "DOGE", 11))
    c.link(Reason.STALE_PRICE, "ETH", "k", ev.Convert("a", "k", "ETH", 11))
    s.price(2000, "ETH")
    c.link(Reason.INSUFFICIENT_BALANCE, "a", "k", ev.Convert("a", "k", "ETH", 11))
    c.link(Reason.NOT_CONVERTIBLE, "a", "k", ev.Convert("a", "k", "ETH", 10))
    s.do("a", ev.Withdraw("a", "USD", 16000))
    s.drive(1990, "ETH")
    c.link(Reason.CONVERSION_TOO_LARGE, "a", "k", ev.Convert("a", "k", "ETH", 10))
    # 9 cost ceil(9 x 1990 x 0.95 = 17014.5) = 17015: k would owe 16915, more than 16000, against 9 x 1592 = 14328.
    c.link(Reason.NEGATIVE_BALANCE_LIMIT, "k", "k", ev.Convert("a", "k", "ETH", 9))
    s.do("k", ev.Deposit("k", "USD", 1000))
    c.link(Reason.BELOW_INITIAL_MARGIN, "k", "k", ev.Convert("a", "k", "ETH", 9))
    return c


@chain(1)
def order_of_contribute() -> Chain:
    c = Chain(full_custody())
    c.link(Reason.UNKNOWN_POOL, "nowhere", "k", ev.Contribute("nowhere", ev.Fund.INSURANCE_FUND, 1))
    c.link(Reason.BALANCE_OUT_OF_RANGE, "main", "k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1))
    return c


@chain(3)
def order_of_cover_loss() -> Chain:
    # Uncovered loss 100; custody holds 1100 and 4 x 2**60 - 1199 more, so that 99 atoms fit and 100 do not.
    s = uncovered()
    for share in (AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX - 1199):
        s.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, share))
    c = Chain(s)
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.CoverLoss("nowhere", ev.Cover.OUTSIDE, 101))
    c.link(Reason.UNKNOWN_POOL, "nowhere", "admin", ev.CoverLoss("nowhere", ev.Cover.OUTSIDE, 101))
    c.link(Reason.EXCEEDS_UNCOVERED_LOSS, "main", "admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 101))
    c.link(Reason.BALANCE_OUT_OF_RANGE, "main", "admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 99))
    return c


@chain(1)
def order_of_cover_loss_from_a_fund() -> Chain:
    c = Chain(uncovered())
    c.link(Reason.EXCEEDS_UNCOVERED_LOSS, "main", "admin", ev.CoverLoss("main", ev.Cover.FEE_TREASURY, 101))
    c.link(Reason.INSUFFICIENT_FUND, "main", "admin", ev.CoverLoss("main", ev.Cover.FEE_TREASURY, 100))
    return c


@chain(4)
def order_of_collect_fees() -> Chain:
    # The taker fee is 1 % of 1000 = 10. a's default leaves 110 - 10 - 200 = -100 uncovered, one above the threshold.
    # d borrows the 1100 that custody holds beyond the fee and then owes a fee of 1 % of 800 = 8: of 18 custody has 10.
    trading = replace(sb.TRADING, taker_fee=sb.PERCENT)
    listing = replace(sb.LISTING, parameters=replace(sb.MARKET, trading=trading))
    pool = replace(sb.POOL, layers=(), gate_threshold=99, negative_balance_limit=2000)
    s = Sandbox(sb.genesis(pool=pool, markets=(listing,)))
    s.price(100)
    s.price(2000, "ETH")
    for account, cash in (("a", 110), ("b", 1000), ("d", 0)):
        s.open(account, cash)
    s.trade("a", "b", 10, 100)
    s.drive(80)
    s.do("d", ev.Deposit("d", "ETH", 1))
    s.do("d", ev.Withdraw("d", "USD", 1100))
    s.trade("d", "b", 10, 80)
    s.do("k", ev.ResolveDefault("a"))
    c = Chain(s)
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.CollectFees("nowhere", 19))
    c.link(Reason.UNKNOWN_POOL, "nowhere", "admin", ev.CollectFees("nowhere", 19))
    c.link(Reason.INSUFFICIENT_FUND, "main", "admin", ev.CollectFees("main", 19))
    c.link(Reason.WITHDRAWALS_GATED, "main", "admin", ev.CollectFees("main", 18))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 1))
    c.link(Reason.INSUFFICIENT_CUSTODY, "main", "admin", ev.CollectFees("main", 18))
    s.do("admin", ev.CollectFees("main", 11))
    return c


@chain(1)
def order_of_post_price() -> Chain:
    c = Chain(priced())
    c.link(Reason.UNKNOWN_FEED, "DOGE", "eve", ev.PostPrice("DOGE", 1, 0))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.PostPrice("BTC", 1, 0))
    return c


@chain(5)
def order_of_post_book() -> Chain:
    # The price of 2400 is fresh until 3000; after the sample of 2995 the next may come at 3005.
    s = priced(two_pools())
    s.time = 2400
    s.price(100)
    s.time = 2995
    s.do("venue", ev.PostBook(PERP, 100, 100))
    s.time = 3001
    s.do("k", ev.FixSettlement("BTC-FUT"))  # nobody holds a position: closed
    c = Chain(s)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "eve", ev.PostBook("DOGE-PERP", 2, 1))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.PostBook("BTC-FUT", 2, 1))
    c.link(Reason.CROSSED_BOOK, "BTC-FUT", "venue", ev.PostBook("BTC-FUT", 2, 1))
    c.link(Reason.MARKET_NOT_TRADING, "BTC-FUT", "venue", ev.PostBook("BTC-FUT", 1, 2))
    c.cut()  # a settlement price is always fresh
    c.link(Reason.CROSSED_BOOK, PERP, "venue", ev.PostBook(PERP, 2, 1))
    c.link(Reason.STALE_PRICE, PERP, "venue", ev.PostBook(PERP, 1, 2))
    s.price(100)
    c.link(Reason.SAMPLE_TOO_SOON, PERP, "venue", ev.PostBook(PERP, 1, 2))
    return c


@chain(13)
def order_of_trade() -> Chain:
    # Cap of a position 100, of open interest 50.
    trading = replace(sb.TRADING, max_position=100, max_open_interest=50)
    listing = replace(sb.LISTING, parameters=replace(sb.MARKET, trading=trading))
    s = Sandbox(sb.genesis(pools=(SIDE,), markets=(listing,)))
    s.open("a", 1)
    s.open("b", 10**6)
    s.open("y", 0, "side")
    s.open("z", 0, "side")
    s.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    c = Chain(s)
    bad = ev.Trade("DOGE-PERP", "ghost", "spook", 101, 121, ev.Side.SELLER)
    c.link(Reason.UNAUTHORISED, "eve", "eve", bad)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "venue", bad)
    bad = replace(bad, market=PERP)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "venue", bad)
    bad = replace(bad, buyer="y")
    c.link(Reason.UNKNOWN_ACCOUNT, "spook", "venue", bad)
    c.link(Reason.SAME_ACCOUNT, "y", "venue", replace(bad, seller="y"))
    bad = replace(bad, seller="z")
    c.link(Reason.WRONG_POOL, "y", "venue", bad)
    bad = replace(bad, buyer="a")
    c.link(Reason.WRONG_POOL, "z", "venue", bad)
    bad = replace(bad, seller="b")
    c.link(Reason.MARKET_NOT_TRADING, PERP, "venue", bad)
    s.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    c.link(Reason.STALE_PRICE, PERP, "venue", bad)
    s.price(100)
    c.link(Reason.PRICE_OUTSIDE_BAND, PERP, "venue", bad)
    bad = replace(bad, price=120)
    c.link(Reason.REDUCE_ONLY, "a", "venue", bad)
    s.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE))
    c.link(Reason.POSITION_CAP_EXCEEDED, "a", "venue", bad)
    bad = replace(bad, size=51)
    c.link(Reason.OPEN_INTEREST_CAP_EXCEEDED, PERP, "venue", bad)
    c.link(Reason.INSUFFICIENT_MARGIN, "a", "venue", replace(bad, size=50))
    return c


@chain(2)
def order_of_trade_in_many_markets() -> Chain:
    # Caps of 10**6 and 10**7 lots; in M64 open interest is lowered to 0 with the administrator's parameters.
    s = many_markets()
    trading = replace(sb.TRADING, max_position=2, max_open_interest=1)
    s.do("admin", ev.SetParameters("M64", replace(sb.MARKET, trading=trading)))
    c = Chain(s)
    c.link(Reason.POSITION_CAP_EXCEEDED, "a", "venue", ev.Trade("M64", "a", "b", 3, 100, ev.Side.SELLER))
    c.link(Reason.TOO_MANY_POSITIONS, "a", "venue", ev.Trade("M64", "a", "b", 2, 100, ev.Side.SELLER))
    s.trade("b", "a", 1, 100, "M0")
    c.link(Reason.OPEN_INTEREST_CAP_EXCEEDED, "M64", "venue", ev.Trade("M64", "a", "b", 2, 100, ev.Side.SELLER))
    return c


@chain(1)
def order_of_trade_below_the_limit() -> Chain:
    # c, with ETH for 16000, owes 10, the limit is 5; and 2000 lots at 100 need 20000.
    s = priced(sb.with_pool(negative_balance_limit=5))
    s.open("c")
    s.do("c", ev.Deposit("c", "ETH", 10))
    s.trade("c", "b", 1, 110)
    s.trade("b", "c", 1, 100)
    c = Chain(s)
    bad = ev.Trade(PERP, "c", "b", 2000, 100, ev.Side.SELLER)
    c.link(Reason.NEGATIVE_BALANCE_LIMIT, "c", "venue", bad)
    s.do("c", ev.Deposit("c", "USD", 10))
    c.link(Reason.INSUFFICIENT_MARGIN, "c", "venue", bad)
    return c


@chain(1)
def order_of_trade_buyer_then_seller() -> Chain:
    s = priced()
    s.open("c", 9)
    s.open("d", 9)
    c = Chain(s)
    c.link(Reason.INSUFFICIENT_MARGIN, "c", "venue", ev.Trade(PERP, "c", "d", 1, 100, ev.Side.SELLER))
    s.do("c", ev.Deposit("c", "USD", 1))
    c.link(Reason.INSUFFICIENT_MARGIN, "d", "venue", ev.Trade(PERP, "c", "d", 1, 100, ev.Side.SELLER))
    return c


@chain(3)
def order_of_accrue_funding() -> Chain:
    s = priced(two_pools())
    s.time = 3599
    c = Chain(s)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "k", ev.AccrueFunding("DOGE-PERP"))
    c.link(Reason.NOT_PERPETUAL, "BTC-FUT", "k", ev.AccrueFunding("BTC-FUT"))
    c.link(Reason.FUNDING_NOT_DUE, PERP, "k", ev.AccrueFunding(PERP))
    s.time = 3600
    c.link(Reason.STALE_PRICE, PERP, "k", ev.AccrueFunding(PERP))
    return c


@chain(12)
def order_of_liquidate() -> Chain:
    listing = replace(sb.LISTING, parameters=replace(sb.MARKET, liquidation=replace(sb.LIQUIDATION, minimum=5)))
    s = Sandbox(sb.genesis(pools=(SIDE,), markets=(listing, FUTURE)))
    s.price(100)
    s.open("a", 100)
    s.open("b", 1000)
    s.open("k")
    s.open("y", 0, "side")
    s.open("z", 0, "side")
    s.time = 3000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    c = Chain(s)
    bad = ev.Liquidate("ghost", "spook", "DOGE-PERP", 4)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "eve", bad)
    bad = replace(bad, market="BTC-FUT")
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "eve", bad)
    bad = replace(bad, account="y")
    c.link(Reason.UNKNOWN_ACCOUNT, "spook", "eve", bad)
    c.link(Reason.SAME_ACCOUNT, "y", "eve", replace(bad, liquidator="y"))
    bad = replace(bad, liquidator="z")
    c.link(Reason.UNAUTHORISED, "eve", "eve", bad)
    c.link(Reason.WRONG_POOL, "y", "z", bad)
    bad = replace(bad, account="a")
    c.link(Reason.WRONG_POOL, "z", "z", bad)
    bad = replace(bad, liquidator="k")
    c.link(Reason.MARKET_NOT_TRADING, "BTC-FUT", "k", bad)
    bad = replace(bad, market=PERP)
    c.cut()  # a settlement price is always fresh
    c.link(Reason.STALE_PRICE, PERP, "k", bad)
    s.price(100)
    c.link(Reason.NO_POSITION, "a", "k", bad)
    s.trade("a", "b", 10, 100)
    c.link(Reason.NOT_LIQUIDATABLE, "a", "k", bad)
    s.drive(89)
    c.link(Reason.IN_DEFAULT, "a", "k", bad)
    s.drive(94)
    c.link(Reason.SIZE_BELOW_MINIMUM, "a", "k", bad)
    c.link(Reason.INSUFFICIENT_MARGIN, "k", "k", replace(bad, size=5))
    return c


@chain(1)
def order_of_liquidate_below_the_limit() -> Chain:
    # a, long 24 from 1000 with 2400, is worth 120 at 905. k is short 5 from 850 with one ETH: through zero it realises
    # -275 and gets 0.5 % of 21720 = 108, owes 167, and is worth 1433 where 19 lots need 1720; with 167 more 1600.
    s = Sandbox()
    s.price(850)
    s.price(2000, "ETH")
    for name, cash in (("a", 2400), ("b", 10**6), ("k", 0)):
        s.open(name, cash)
    s.do("k", ev.Deposit("k", "ETH", 1))
    s.trade("b", "k", 5, 850)
    s.drive(1000)
    s.trade("a", "b", 24, 1000)
    s.drive(905)
    c = Chain(s)
    c.link(Reason.NEGATIVE_BALANCE_LIMIT, "k", "k", ev.Liquidate("a", "k", PERP, 24))
    s.do("k", ev.Deposit("k", "USD", 167))
    c.link(Reason.INSUFFICIENT_MARGIN, "k", "k", ev.Liquidate("a", "k", PERP, 24))
    return c


@chain(3)
def order_of_resolve_default() -> Chain:
    # a owes 100 against one ETH and bought 10 of a future at 100, settled at 80: worth the ETH less 300.
    s = Sandbox(two_pools(negative_balance_limit=100))
    s.price(100)
    s.price(1000, "ETH")
    s.open("a")
    s.open("b", 10**4)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.do("a", ev.Withdraw("a", "USD", 100))
    s.trade("a", "b", 10, 100, "BTC-FUT")
    s.drive(80)
    s.time = 3000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    s.drive(300, "ETH")
    c = Chain(s)
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "k", ev.ResolveDefault("ghost"))
    c.link(Reason.NOT_IN_DEFAULT, "a", "k", ev.ResolveDefault("a"))
    s.drive(299, "ETH")
    c.link(Reason.COLLATERAL_REMAINS, "a", "k", ev.ResolveDefault("a"))
    s.do("b", ev.Convert("a", "b", "ETH", 1))  # for ceil(95 % of 299) = 285: worth 285 - 300 = -15
    c.link(Reason.CLAIMS_PENDING, "a", "k", ev.ResolveDefault("a"))
    return c


@chain(4)
def order_of_list_market() -> Chain:
    s = priced()
    c = Chain(s)
    bad = replace(sb.LISTING, pool="nowhere", feed="DOGE", parameters=OUTSIDE)
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.ListMarket(bad))
    c.link(Reason.UNKNOWN_POOL, "nowhere", "admin", ev.ListMarket(bad))
    bad = replace(bad, pool="main")
    c.link(Reason.UNKNOWN_FEED, "DOGE", "admin", ev.ListMarket(bad))
    bad = replace(bad, feed="BTC")
    c.link(Reason.MARKET_EXISTS, PERP, "admin", ev.ListMarket(bad))
    bad = replace(bad, market="BTC-2")
    c.link(Reason.OUTSIDE_ENVELOPE, "penalty-below-maintenance", "admin", ev.ListMarket(bad))
    return c


@chain(8)
def order_of_set_parameters() -> Chain:
    # A future that is closed while its ramp runs, and a delisted perpetual whose ramp runs.
    slow = replace(STRICTER, margin=replace(STRICTER.margin, ramp=10_000))
    s = priced(two_pools())
    s.do("admin", ev.SetParameters("BTC-FUT", slow))
    s.do("admin", ev.SetParameters(PERP, slow))
    s.time = 3000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    c = Chain(s)
    c.link(Reason.FIELD_OUT_OF_RANGE, "reward", "eve", ev.SetParameters("DOGE-PERP", OUT_OF_RANGE))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.SetParameters("DOGE-PERP", OUTSIDE))
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "admin", ev.SetParameters("DOGE-PERP", OUTSIDE))
    c.link(Reason.STATUS_NOT_ALLOWED, "BTC-FUT", "admin", ev.SetParameters("BTC-FUT", OUTSIDE))
    c.link(Reason.RAMP_IN_PROGRESS, PERP, "admin", ev.SetParameters(PERP, OUTSIDE))
    s.time = 10_000
    s.do("admin", ev.Delist(PERP, 10_000))
    changed = {"funding": replace(sb.FUNDING, interest=1), "mark": replace(sb.MARK, stale_rate=1)}
    bad = replace(OUTSIDE, settlement_window=60, **changed)
    c.link(Reason.OUTSIDE_ENVELOPE, "penalty-below-maintenance", "admin", ev.SetParameters(PERP, bad))
    bad = replace(sb.MARKET, settlement_window=60, **changed)
    c.link(Reason.OUTSIDE_ENVELOPE, "settlement-window-fixed", "admin", ev.SetParameters(PERP, bad))
    bad = replace(sb.MARKET, **changed)
    c.link(Reason.STALE_PRICE, PERP, "admin", ev.SetParameters(PERP, bad))
    s.price(100)
    c.link(Reason.FUNDING_NOT_ACCRUED, PERP, "admin", ev.SetParameters(PERP, bad))
    return c


@chain(2)
def order_of_set_status() -> Chain:
    c = Chain(priced())
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.SetStatus("DOGE-PERP", MarketStatus.CLOSED))
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "admin", ev.SetStatus("DOGE-PERP", MarketStatus.CLOSED))
    c.link(Reason.STATUS_NOT_ALLOWED, PERP, "admin", ev.SetStatus(PERP, MarketStatus.CLOSED))
    return c


@chain(2)
def order_of_delist() -> Chain:
    # The future expires at 3000; notice 2401 and a window of 600 would end at 3001.
    c = Chain(priced(two_pools()))
    c.link(Reason.UNAUTHORISED, "eve", "eve", ev.Delist("DOGE-PERP", 2401))
    c.link(Reason.UNKNOWN_MARKET, "DOGE-PERP", "admin", ev.Delist("DOGE-PERP", 2401))
    c.link(Reason.STATUS_NOT_ALLOWED, "BTC-FUT", "admin", ev.Delist("BTC-FUT", 2401))
    return c


@chain(2)
def order_of_fix_settlement() -> Chain:
    # No price was ever posted on the feed of BTC-FUT; ETH-FUT is closed.
    other = replace(FUTURE, market="ETH-FUT", feed="ETH", expiry=700)
    s = Sandbox(sb.genesis(markets=(FUTURE, other)))
    s.price(2000, "ETH")
    s.time = 700
    s.do("k", ev.FixSettlement("ETH-FUT"))
    c = Chain(s)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-FUT", "k", ev.FixSettlement("DOGE-FUT"))
    c.link(Reason.STATUS_NOT_ALLOWED, "ETH-FUT", "k", ev.FixSettlement("ETH-FUT"))
    c.cut()  # what is settled was due
    c.link(Reason.SETTLEMENT_NOT_DUE, "BTC-FUT", "k", ev.FixSettlement("BTC-FUT"))
    s.time = 3000
    c.link(Reason.STALE_PRICE, "BTC", "k", ev.FixSettlement("BTC-FUT"))
    return c


@chain(4)
def order_of_settle_position() -> Chain:
    # a bought 10 of a future at 100, settled at 80, and holds one ETH: worth 199 - 200. c has no position and owes 800.
    s = Sandbox(two_pools(negative_balance_limit=800))
    s.price(100)
    s.price(1000, "ETH")
    s.open("b", 10**4)
    for name in ("a", "c"):
        s.open(name)
        s.do(name, ev.Deposit(name, "ETH", 1))
    s.do("c", ev.Withdraw("c", "USD", 800))
    s.trade("a", "b", 10, 100, "BTC-FUT")
    s.drive(80)
    s.time = 3000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    s.drive(199, "ETH")
    c = Chain(s)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-FUT", "k", ev.SettlePosition("ghost", "DOGE-FUT"))
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "k", ev.SettlePosition("ghost", PERP))
    c.link(Reason.NOT_SETTLING, PERP, "k", ev.SettlePosition("c", PERP))
    c.link(Reason.NO_POSITION, "c", "k", ev.SettlePosition("c", "BTC-FUT"))
    c.link(Reason.COLLATERAL_REMAINS, "a", "k", ev.SettlePosition("a", "BTC-FUT"))
    return c


@chain(4)
def order_of_pay_claim() -> Chain:
    s = settling(price=110)
    c = Chain(s)
    c.link(Reason.UNKNOWN_MARKET, "DOGE-FUT", "k", ev.PayClaim("ghost", "DOGE-FUT"))
    c.link(Reason.UNKNOWN_ACCOUNT, "ghost", "k", ev.PayClaim("ghost", PERP))
    c.link(Reason.NOT_SETTLING, PERP, "k", ev.PayClaim("b", PERP))
    c.link(Reason.POSITIONS_REMAIN, "BTC-FUT", "k", ev.PayClaim("b", "BTC-FUT"))
    s.do("k", ev.SettlePosition("a", "BTC-FUT"))
    s.do("k", ev.SettlePosition("b", "BTC-FUT"))
    c.link(Reason.NO_CLAIM, "b", "k", ev.PayClaim("b", "BTC-FUT"))
    return c


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str) -> None:
    pairs, make = CHAINS[name]
    assert make().pairs == pairs


def test_every_action_has_a_chain() -> None:
    assert {f"order_of_{name}" for name in ev.ROLES} <= set(CHAINS)


# ---------------------------------------------------------------------------------------------------------------
# Repetition


@pytest.mark.parametrize("name", ["deposit", "trade", "price"])
def test_repeated_event_is_rejected_and_changes_nothing(name: str) -> None:
    actions = {
        "deposit": ("a", ev.Deposit("a", "USD", 5)),
        "trade": ("venue", ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER)),
        "price": ("s1", ev.PostPrice("BTC", 101, 0)),
    }
    s = priced()
    event = probe(s, *actions[name])
    assert apply(s.state, event).accepted
    refuse(s, event, Reason.DUPLICATE_EVENT, "probe")
    # A new sequence number does not make it another event.
    refuse(s, replace(event, sequence=event.sequence + 1), Reason.DUPLICATE_EVENT, "probe")


def test_a_rejected_event_may_be_sent_again() -> None:
    s = priced()
    event = probe(s, "venue", ev.Trade(PERP, "a", "b", 1, 121, ev.Side.SELLER))
    refuse(s, event, Reason.PRICE_OUTSIDE_BAND, PERP)
    refuse(s, event, Reason.PRICE_OUTSIDE_BAND, PERP)
    assert apply(s.state, replace(event, action=replace(event.action, price=120))).accepted


def test_an_id_is_remembered_for_4096_accepted_events() -> None:
    s = Sandbox(check=False)
    s.open("a")  # e1
    for _ in range(REMEMBERED - 1):
        s.do("a", ev.Deposit("a", "USD", 1))
    refuse(s, probe(s, "a", ev.Deposit("a", "USD", 1), id="e1"), Reason.DUPLICATE_EVENT, "e1")
    s.do("a", ev.Deposit("a", "USD", 1))
    assert apply(s.state, probe(s, "a", ev.Deposit("a", "USD", 1), id="e1")).accepted
    assert s.cash("a") == REMEMBERED + 1
