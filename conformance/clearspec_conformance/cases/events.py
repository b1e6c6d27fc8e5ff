"""Vectors of events: sequence, time and repetition, roles, existence, aliases, atomicity, what is observed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.parameters import InterestForm, Tier
from clearspec.sandbox import ETH_FEED, FEED, FUNDING, LISTING, MARKET, PERCENT, POOL, genesis
from clearspec.state import MarketStatus
from clearspec_conformance.cases.ledger import BARE, BARE_POOL, with_fees
from clearspec_conformance.vectors import Recorder, case

CRITICAL, MESSAGE = Importance.CRITICAL, Importance.MESSAGE
PERP = "BTC-PERP"
ONE_MARKET = genesis(pool=BARE_POOL, feeds=(FEED,))


def deposit(box: Recorder, name: str, sequence: int, time: int, amount: int, expect: Reason | None = None) -> None:
    """Send a deposit of alice with an id, a sequence and a time."""
    box.send(ev.Event(name, sequence, time, "alice", ev.Deposit("alice", "USD", amount)), expect)


def opened(box: Recorder, time: int = 0) -> None:
    """Open alice's account: event ``open``, sequence 1."""
    box.send(ev.Event("open", 1, time, "alice", ev.OpenAccount("alice", "main")))


# ---------------------------------------------------------------------------------------------------------------
# Sequence, time, repetition


@case(
    "events-duplicate-001",
    "EVENT-5",
    bug="an event that is sent again under a new sequence is applied again",
    effect="one deposit is credited twice",
    importance=CRITICAL,
    start=BARE,
)
def an_event_counts_once(box: Recorder) -> None:
    opened(box)
    deposit(box, "d1", 2, 0, 100)
    deposit(box, "d1", 3, 0, 100, Reason.DUPLICATE_EVENT)
    deposit(box, "d1", 2, 0, 100, Reason.DUPLICATE_EVENT)
    deposit(box, "open", 4, 1, 100, Reason.DUPLICATE_EVENT)
    deposit(box, "d2", 5, 1, 7)
    box.hand("observable.accounts.alice.balances.USD", 107, "100 once, and 7")
    box.hand("observable.sequence", 5, "that of the last accepted event")


@case(
    "events-duplicate-002",
    "EVENT-5",
    "EVENT-7",
    bug="a rejected event uses up its id, its sequence or its time",
    effect="a valid event is refused because an invalid one came before",
    start=BARE,
)
def a_rejected_event_uses_nothing_up(box: Recorder) -> None:
    opened(box)
    box.send(
        ev.Event("x", 1000, 1000, "eve", ev.Deposit("alice", "USD", 1)),
        Reason.UNAUTHORISED,
    )
    deposit(box, "x", 2, 0, 100)
    box.hand("observable.accounts.alice.balances.USD", 100, "0 + 100")
    box.hand("observable.sequence", 2, "the rejected 1000 does not count")
    box.hand("observable.time", 0, "the rejected 1000 does not count")


@case(
    "events-sequence-001",
    "EVENT-5",
    bug="a sequence that does not grow is accepted, or a gap is refused",
    effect="an old event is replayed, or a log that numbers its rejections cannot be played",
    importance=CRITICAL,
    start=BARE,
)
def sequences_grow_and_may_leave_gaps(box: Recorder) -> None:
    opened(box)
    deposit(box, "a", 1, 0, 1, Reason.SEQUENCE_NOT_INCREASING)
    deposit(box, "a", 10, 0, 2)
    deposit(box, "b", 10, 0, 4, Reason.SEQUENCE_NOT_INCREASING)
    deposit(box, "b", 9, 0, 8, Reason.SEQUENCE_NOT_INCREASING)
    deposit(box, "b", 11, 0, 16)
    box.hand("observable.accounts.alice.balances.USD", 18, "2 + 16")
    box.hand("observable.sequence", 11, "1, 10, 11")


@case(
    "events-time-001",
    "EVENT-5",
    bug="events of one second are refused, or time may go back",
    effect="funding and the ages of prices are counted twice",
    importance=CRITICAL,
    start=BARE,
)
def time_stands_or_goes_on(box: Recorder) -> None:
    opened(box, 50)
    deposit(box, "a", 2, 50, 1)
    deposit(box, "b", 3, 49, 2, Reason.TIME_DECREASING)
    deposit(box, "b", 4, 51, 4)
    deposit(box, "c", 5, 50, 8, Reason.TIME_DECREASING)
    box.hand("observable.accounts.alice.balances.USD", 5, "1 + 4")
    box.hand("observable.time", 51, "that of the last accepted event")


@case(
    "events-time-002",
    "EVENT-5",
    "EVENT-2",
    bug="the time of the genesis is not read",
    effect="events happen before the clearinghouse exists",
    start=replace(BARE, time=50),
)
def time_starts_with_the_genesis(box: Recorder) -> None:
    box.send(ev.Event("a", 1, 49, "alice", ev.OpenAccount("alice", "main")), Reason.TIME_DECREASING)
    box.send(ev.Event("a", 1, 50, "alice", ev.OpenAccount("alice", "main")))
    box.hand("observable.time", 50, "that of the genesis")


@case(
    "events-order-001",
    "EVENT-5",
    "EVENT-6",
    bug="the checks that come before those of the action come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=BARE,
)
def the_order_of_the_first_checks(box: Recorder) -> None:
    opened(box, 10)
    ghost = ev.Deposit("ghost", "USD", 1)
    box.send(ev.Event("open", 1, 9, "alice", ghost), Reason.DUPLICATE_EVENT)
    box.send(ev.Event("x", 1, 9, "alice", ghost), Reason.SEQUENCE_NOT_INCREASING)
    box.send(ev.Event("x", 2, 9, "alice", ghost), Reason.TIME_DECREASING)
    box.send(ev.Event("x", 2, 10, "alice", ghost), Reason.UNKNOWN_ACCOUNT)
    deposit(box, "x", 2, 10, 1)
    box.hand("observable.accounts.alice.balances.USD", 1, "only the last was accepted")


@case(
    "events-order-002",
    "EVENT-6",
    "EVENT-8",
    "TRADE-8",
    bug="the accounts of a fill are looked up before its market, or the seller before the buyer",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=ONE_MARKET,
)
def a_fill_is_checked_from_its_market_on(box: Recorder) -> None:
    box.open("alice", 1)
    bad = ev.Trade("DOGE", "ghost", "spook", 1, 1, ev.Side.SELLER)
    box.do("eve", bad, Reason.UNAUTHORISED)
    box.do("venue", bad, Reason.UNKNOWN_MARKET)
    box.do("venue", replace(bad, market=PERP), Reason.UNKNOWN_ACCOUNT)
    box.do("venue", replace(bad, market=PERP, buyer="alice"), Reason.UNKNOWN_ACCOUNT)
    box.do("venue", replace(bad, market=PERP, buyer="alice", seller="alice"), Reason.SAME_ACCOUNT)
    box.hand("observable.markets.BTC-PERP.open_interest", 0, "nothing was filled")


# ---------------------------------------------------------------------------------------------------------------
# Roles


@case(
    "events-roles-001",
    "EVENT-4",
    bug="whoever asks is an administrator",
    effect="anybody changes the rules of a market or takes the fees",
    incident="Drift, 2026-04-01: an administrator's key listed worthless collateral and switched the guards off",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def only_administrators_change_the_house(box: Recorder) -> None:
    actions: list[Any] = [
        ev.CoverLoss("main", ev.Cover.OUTSIDE, 1),
        ev.CollectFees("main", 1),
        ev.ListMarket(replace(LISTING, market="BTC-2")),
        ev.SetParameters(PERP, MARKET),
        ev.SetStatus(PERP, MarketStatus.HALTED),
        ev.Delist(PERP, 100),
    ]
    for actor, action in zip(("venue", "eve", "s1", "alice", "venue", "eve"), actions, strict=True):
        box.do(actor, action, Reason.UNAUTHORISED)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    box.hand("observable.markets.BTC-PERP.open_interest", 0, "halted by the administrator")


@case(
    "events-roles-002",
    "EVENT-4",
    "EVENT-2",
    bug="only the first administrator or venue of the genesis is known",
    effect="a key that was meant to act cannot",
    start=replace(ONE_MARKET, administrators=("admin", "second"), venues=("venue", "other")),
)
def every_administrator_and_venue_acts(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 100)
    box.open("bob", 100)
    box.do("second", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    box.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE))
    fill = ev.Trade(PERP, "alice", "bob", 1, 100, ev.Side.SELLER)
    box.do("other", fill)
    box.do("venue", fill)
    box.hand("observable.markets.BTC-PERP.open_interest", 2, "1 + 1")


@case(
    "events-roles-003",
    "EVENT-4",
    bug="anybody, or the parties themselves, post fills and books",
    effect="two accounts agree on a price that no market made",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def only_venues_post_fills_and_books(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 100)
    box.open("bob", 100)
    box.time = 10
    for actor in ("alice", "admin", "s1"):
        box.do(actor, ev.Trade(PERP, "alice", "bob", 1, 100, ev.Side.SELLER), Reason.UNAUTHORISED)
        box.do(actor, ev.PostBook(PERP, 100, 100), Reason.UNAUTHORISED)
    box.do("venue", ev.PostBook(PERP, 100, 100))
    box.trade("alice", "bob", 1, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 1, "only the venue's fill")


@case(
    "events-roles-004",
    "EVENT-4",
    bug="an account is its owner's name, or the other side's owner may act",
    effect="a stranger empties an account",
    importance=CRITICAL,
    start=genesis(pool=replace(POOL, negative_balance_limit=1600), feeds=(FEED, ETH_FEED)),
)
def only_an_owner_acts_for_an_account(box: Recorder) -> None:
    box.price(2000, "ETH")
    box.do("alice", ev.OpenAccount("purse", "main"))
    box.do("alice", ev.Deposit("purse", "USD", 1600))
    box.open("bob")
    box.do("bob", ev.Deposit("bob", "ETH", 1))
    box.do("bob", ev.Withdraw("bob", "USD", 1600))
    box.price(1999, "ETH", 1)
    for actor in ("purse", "bob", "admin", "venue"):
        box.do(actor, ev.Deposit("purse", "USD", 1), Reason.UNAUTHORISED)
        box.do(actor, ev.Withdraw("purse", "USD", 1), Reason.UNAUTHORISED)
        box.do(actor, ev.Transfer("purse", "bob", "USD", 1), Reason.UNAUTHORISED)
        box.do(actor, ev.Convert("bob", "purse", "ETH", 1), Reason.UNAUTHORISED)
        box.do(actor, ev.Liquidate("bob", "purse", PERP, 1), Reason.UNAUTHORISED)
    box.do("alice", ev.Transfer("purse", "bob", "USD", 600))
    box.hand("observable.accounts.purse.balances.USD", 1000, "1600 - 600")


@case(
    "events-roles-005",
    "EVENT-4",
    bug="an action that is open to anybody asks for a role",
    effect="nobody is there to keep the clearinghouse going",
    start=ONE_MARKET,
)
def anybody_keeps_the_house_going(box: Recorder) -> None:
    box.price(100, time=3600)
    box.do("eve", ev.AccrueFunding(PERP))
    box.do("eve", ev.OpenAccount("eve", "main"))
    box.do("eve", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 3))
    box.do("eve", ev.ResolveDefault("eve"), Reason.NOT_IN_DEFAULT)
    box.do("eve", ev.FixSettlement(PERP), Reason.SETTLEMENT_NOT_DUE)
    box.do("eve", ev.SettlePosition("eve", PERP), Reason.NOT_SETTLING)
    box.do("eve", ev.PayClaim("eve", PERP), Reason.NOT_SETTLING)
    box.hand("observable.pools.main.insurance_fund", 3, "0 + 3")


# ---------------------------------------------------------------------------------------------------------------
# Existence and aliases


@case(
    "events-existence-001",
    "EVENT-8",
    bug="an account that does not exist has a balance of nothing",
    effect="money is sent to nobody, or the engine fails",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def accounts_must_exist(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    for action in (
        ev.Deposit("ghost", "USD", 1),
        ev.Withdraw("ghost", "USD", 1),
        ev.Transfer("ghost", "alice", "USD", 1),
        ev.Transfer("alice", "ghost", "USD", 1),
        ev.Convert("ghost", "alice", "ETH", 1),
        ev.Convert("alice", "ghost", "ETH", 1),
        ev.Liquidate("ghost", "alice", PERP, 1),
        ev.Liquidate("alice", "ghost", PERP, 1),
        ev.ResolveDefault("ghost"),
        ev.SettlePosition("ghost", PERP),
        ev.PayClaim("ghost", PERP),
    ):
        box.do("alice", action, Reason.UNKNOWN_ACCOUNT)
    box.do("venue", ev.Trade(PERP, "ghost", "alice", 1, 100, ev.Side.SELLER), Reason.UNKNOWN_ACCOUNT)
    box.do("venue", ev.Trade(PERP, "alice", "ghost", 1, 100, ev.Side.SELLER), Reason.UNKNOWN_ACCOUNT)
    box.hand("observable.accounts.alice.balances.USD", 1000, "nothing was accepted")


@case(
    "events-existence-002",
    "EVENT-8",
    bug="a market, feed or pool that does not exist is taken for an empty one",
    effect="the engine fails on an event that anybody may send",
    start=ONE_MARKET,
)
def markets_feeds_and_pools_must_exist(box: Recorder) -> None:
    box.open("alice", 1000)
    of_no_market: list[tuple[str, Any]] = [
        ("venue", ev.PostBook("DOGE", 1, 1)),
        ("venue", ev.Trade("DOGE", "alice", "alice", 1, 1, ev.Side.SELLER)),
        ("alice", ev.AccrueFunding("DOGE")),
        ("alice", ev.Liquidate("alice", "alice", "DOGE", 1)),
        ("admin", ev.SetParameters("DOGE", MARKET)),
        ("admin", ev.SetStatus("DOGE", MarketStatus.HALTED)),
        ("admin", ev.Delist("DOGE", 1)),
        ("alice", ev.FixSettlement("DOGE")),
        ("alice", ev.SettlePosition("alice", "DOGE")),
        ("alice", ev.PayClaim("alice", "DOGE")),
    ]
    for actor, action in of_no_market:
        box.do(actor, action, Reason.UNKNOWN_MARKET)
    box.do("s1", ev.PostPrice("DOGE", 1, 0), Reason.UNKNOWN_FEED)
    box.do("admin", ev.ListMarket(replace(LISTING, market="BTC-2", feed="DOGE")), Reason.UNKNOWN_FEED)
    of_no_pool: list[tuple[str, Any]] = [
        ("alice", ev.OpenAccount("second", "nowhere")),
        ("alice", ev.Contribute("nowhere", ev.Fund.INSURANCE_FUND, 1)),
        ("admin", ev.CoverLoss("nowhere", ev.Cover.OUTSIDE, 1)),
        ("admin", ev.CollectFees("nowhere", 1)),
        ("admin", ev.ListMarket(replace(LISTING, market="BTC-2", pool="nowhere"))),
    ]
    for actor, action in of_no_pool:
        box.do(actor, action, Reason.UNKNOWN_POOL)
    box.hand("observable.accounts.alice.balances.USD", 1000, "nothing was accepted")


@case(
    "events-existence-003",
    "EVENT-8",
    bug="ids of accounts, markets, feeds and pools share one table",
    effect="an account that is named as a market, or a market as a pool, is taken for it",
    start=ONE_MARKET,
)
def an_id_is_of_its_own_kind(box: Recorder) -> None:
    for account in ("BTC", PERP, "main"):
        box.open(account, 5)
    box.do("main", ev.OpenAccount("x", PERP), Reason.UNKNOWN_POOL)
    box.do("main", ev.AccrueFunding("main"), Reason.UNKNOWN_MARKET)
    box.do("s1", ev.PostPrice(PERP, 1, 0), Reason.UNKNOWN_FEED)
    box.do("BTC", ev.Transfer("BTC", "USD", "USD", 1), Reason.UNKNOWN_ACCOUNT)
    box.do("BTC", ev.Transfer("BTC", PERP, "USD", 1))
    box.hand("observable.accounts.BTC-PERP.balances.USD", 6, "5 + 1")


@case(
    "events-aliases-001",
    "EVENT-9",
    bug="both sides of an event may be one account",
    effect="an account earns its own rebate or reward, or is credited what it was never debited",
    importance=CRITICAL,
    start=genesis(pool=replace(POOL, negative_balance_limit=1600), feeds=(FEED, ETH_FEED)),
)
def two_sides_are_two_accounts(box: Recorder) -> None:
    box.price(100)
    box.price(2000, "ETH")
    box.open("bob", 1600)
    box.open("alice")
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.do("alice", ev.Withdraw("alice", "USD", 1600))
    box.price(1999, "ETH", 1)
    box.do("venue", ev.Trade(PERP, "bob", "bob", 1, 100, ev.Side.SELLER), Reason.SAME_ACCOUNT)
    box.do("alice", ev.Liquidate("alice", "alice", PERP, 1), Reason.SAME_ACCOUNT)
    box.do("alice", ev.Convert("alice", "alice", "ETH", 1), Reason.SAME_ACCOUNT)
    box.do("bob", ev.Transfer("bob", "bob", "USD", 1), Reason.SAME_ACCOUNT)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 1900, "1999 x 95 % = 1899.05, rounded up")


@case(
    "events-aliases-002",
    "EVENT-9",
    bug="accounts of one owner may not meet",
    effect="a rule that anybody evades by being two owners",
    start=ONE_MARKET,
)
def two_accounts_of_one_owner_are_two_accounts(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.do("alice", ev.OpenAccount("second", "main"))
    box.do("alice", ev.Transfer("alice", "second", "USD", 500))
    box.trade("alice", "second", 10, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 10, "0 + 10")
    box.hand("observable.accounts.second.balances.USD", 500, "0 + 500")


# ---------------------------------------------------------------------------------------------------------------
# Atomicity


@case(
    "events-atomicity-001",
    "EVENT-7",
    "TRADE-8",
    bug="fees, position or open interest of a rejected fill stay",
    effect="an account pays for a fill that did not happen",
    importance=CRITICAL,
    start=with_fees(PERCENT, 0, 5 * 10**8),
)
def nothing_of_a_rejected_fill_stays(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 109)
    box.open("bob", 10_000)
    box.trade("alice", "bob", 10, 100, expect=Reason.INSUFFICIENT_MARGIN)  # 109 - 10 = 99 of 100
    box.hand("observable.accounts.alice.balances.USD", 109, "no fee")
    box.hand("observable.pools.main.fee_treasury", 0, "no fee")
    box.hand("observable.markets.BTC-PERP.open_interest", 0, "no fill")
    box.trade("alice", "bob", 9, 100)
    box.hand("observable.accounts.alice.balances.USD", 100, "109 - 9")
    box.hand("observable.accounts.alice.positions.BTC-PERP.cost", 900, "9 x 100, and nothing of the first try")
    box.hand("observable.pools.main.fee_treasury", 5, "9, less half of it rounded down")
    box.hand("observable.pools.main.insurance_fund", 4, "half of 9, rounded down")


@case(
    "events-atomicity-002",
    "EVENT-7",
    "COLL-7",
    bug="one end of a rejected transfer between pools stays",
    effect="money appears in a pool and is not missing in the other",
    importance=CRITICAL,
    start=genesis(
        pool=replace(POOL, negative_balance_limit=500),
        pools=(replace(BARE_POOL, pool="side"),),
        markets=(),
        feeds=(ETH_FEED,),
    ),
)
def nothing_of_a_rejected_transfer_stays(box: Recorder) -> None:
    box.open("alice", 100)
    box.open("bob", 1000)
    box.open("zoe", 0, "side")
    box.do("alice", ev.Transfer("alice", "zoe", "USD", 601), Reason.NEGATIVE_BALANCE_LIMIT)
    box.do("alice", ev.Transfer("alice", "zoe", "USD", 101), Reason.BELOW_INITIAL_MARGIN)
    box.hand("observable.pools.side.custody.USD", 0, "nothing arrived")
    box.do("alice", ev.Transfer("alice", "zoe", "USD", 100))
    box.hand("observable.accounts.alice.balances.USD", 0, "100 - 100")
    box.hand("observable.accounts.zoe.balances.USD", 100, "0 + 100")
    box.hand("observable.pools.side.custody.USD", 100, "0 + 100")
    box.hand("observable.pools.main.custody.USD", 1000, "1100 - 100")


@case(
    "events-atomicity-003",
    "EVENT-7",
    "EVENT-8",
    "COLL-1",
    bug="an object that a rejected event created stays",
    effect="an account exists that nobody opened",
    importance=CRITICAL,
    start=with_fees(0, 0),
)
def a_rejected_event_creates_nothing(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 5)
    box.open("bob", 1000)
    box.do("alice", ev.Deposit("alice", "ETH", 10**12 + 1), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("admin", ev.ListMarket(replace(LISTING, market="BTC-2", pool="nowhere")), Reason.UNKNOWN_POOL)
    box.do("admin", ev.SetStatus("BTC-2", MarketStatus.HALTED), Reason.UNKNOWN_MARKET)
    box.do("carol", ev.OpenAccount("carol", "nowhere"), Reason.UNKNOWN_POOL)
    box.do("carol", ev.Deposit("carol", "USD", 1), Reason.UNKNOWN_ACCOUNT)
    box.trade("alice", "bob", 1, 100, expect=Reason.INSUFFICIENT_MARGIN)
    box.do("bob", ev.Liquidate("alice", "bob", PERP, 1), Reason.NO_POSITION)
    box.do("alice", ev.Withdraw("alice", "USD", 5))
    box.hand("observable.accounts.alice.balances.USD", 0, "5 - 5: no margin is kept back for a fill that was rejected")


ONE_PERCENT = replace(FUNDING, interest=PERCENT, interest_form=InterestForm.ADDED, cap=PERCENT)
PAYING = replace(LISTING, parameters=replace(MARKET, funding=ONE_PERCENT))
WITH_FUNDING = genesis(pool=BARE_POOL, markets=(PAYING,), feeds=(replace(FEED, band=PERCENT // 2),))
"""Longs pay 1 % of the index an hour."""


def charge(box: Recorder) -> None:
    """Let alice, long 2 lots from 100, owe bob 2 atoms of funding that nobody has settled."""
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 2, 100)
    box.price(100, time=3600)
    box.do("anyone", ev.AccrueFunding(PERP))


@case(
    "events-observable-001",
    "EVENT-13",
    "FUND-6",
    bug="balances are published without what positions owe",
    effect="two correct engines differ because one settles earlier",
    start=WITH_FUNDING,
)
def balances_are_net_of_what_positions_owe(box: Recorder) -> None:
    charge(box)
    box.hand("observable.markets.BTC-PERP.funding_index", 1, "1 % of 100 for an hour")
    box.hand("observable.accounts.alice.balances.USD", 998, "1000 - 2 x 1, though nobody has settled")
    box.hand("observable.accounts.bob.balances.USD", 1002, "1000 + 2 x 1")
    box.trade("alice", "bob", 1, 100)
    box.hand("receipt.postings.0.amount", 2, "alice settles: 2 x 1")
    box.hand("observable.accounts.alice.balances.USD", 998, "the same after settling")
    box.hand("observable.accounts.alice.positions.BTC-PERP.size", 3, "2 + 1")


@case(
    "events-atomicity-004",
    "EVENT-7",
    "FUND-6",
    bug="a rejected event leaves positions settled",
    effect="funding that is owed is forgotten, or charged again",
    importance=CRITICAL,
    start=WITH_FUNDING,
)
def nothing_that_a_rejected_fill_settled_stays(box: Recorder) -> None:
    charge(box)
    box.trade("alice", "bob", 200, 100, expect=Reason.INSUFFICIENT_MARGIN)
    box.hand("observable.accounts.alice.balances.USD", 998, "1000 - 2 x 1")
    box.trade("alice", "bob", 1, 100)
    box.hand("receipt.postings.0.amount", 2, "alice settles her 2 lots only now")
    box.hand("observable.accounts.alice.balances.USD", 998, "once")
    box.hand("observable.accounts.bob.balances.USD", 1002, "once")


@case(
    "events-observable-002",
    "EVENT-13",
    "TRADE-1",
    bug="a position that was closed is still published",
    effect="an account seems to hold what it does not",
    start=ONE_MARKET,
)
def flat_positions_are_left_out(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.open("carol", 1000)
    box.trade("alice", "bob", 2, 100)
    box.trade("carol", "alice", 2, 100)
    box.hand("observable.accounts.carol.positions.BTC-PERP.size", 2, "0 + 2; alice has none any more")
    box.hand("observable.accounts.bob.positions.BTC-PERP.size", -2, "0 - 2")
    box.hand("observable.markets.BTC-PERP.open_interest", 2, "2, passed on")


@case(
    "events-replay-001",
    "EVENT-5",
    "EVENT-7",
    bug="an event is applied again when it comes again, byte for byte",
    effect="a withdrawal is paid twice",
    importance=CRITICAL,
    start=BARE,
)
def a_withdrawal_that_comes_again_is_not_paid_again(box: Recorder) -> None:
    opened(box)
    deposit(box, "d", 2, 0, 100)
    paid = ev.Event("w", 3, 0, "alice", ev.Withdraw("alice", "USD", 30))
    box.send(paid)
    box.send(paid, Reason.DUPLICATE_EVENT)
    box.send(replace(paid, sequence=4, time=1), Reason.DUPLICATE_EVENT)
    box.send(replace(paid, id="w2"), Reason.SEQUENCE_NOT_INCREASING)
    box.send(replace(paid, id="w2", sequence=4))
    box.hand("observable.accounts.alice.balances.USD", 40, "100 - 30 - 30: once each")
    box.hand("observable.pools.main.custody.USD", 40, "100 - 30 - 30")


@case(
    "events-receipt-001",
    "EVENT-1",
    "LEDG-2",
    bug="a rejected event publishes the movements of money that it had begun",
    effect="whoever sums the postings of a log gets other balances than the engine",
    start=with_fees(PERCENT, 0),
)
def a_rejected_event_has_no_postings(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 109)
    box.open("bob", 10_000)
    box.trade("alice", "bob", 10, 100, expect=Reason.INSUFFICIENT_MARGIN)
    box.do("alice", ev.Deposit("alice", "USD", 1))
    box.trade("alice", "bob", 10, 100)
    box.hand("receipt.amounts.taker_fee", 10, "1 % of 1000")
    box.hand("receipt.postings.0.amount", 10, "alice to the treasury, the only posting")


# ---------------------------------------------------------------------------------------------------------------
# Ranges of fields

A, P, S, D = 2**60, 2**36, 2**40, 2**32

OUT_OF_RANGE: tuple[tuple[str, str, Any], ...] = (
    ("deposit", "alice", lambda n: ev.Deposit("alice", "USD", n)),
    ("withdraw", "alice", lambda n: ev.Withdraw("alice", "USD", n)),
    ("transfer", "alice", lambda n: ev.Transfer("alice", "bob", "USD", n)),
    ("convert", "alice", lambda n: ev.Convert("bob", "alice", "ETH", n)),
    ("contribute", "alice", lambda n: ev.Contribute("main", ev.Fund.INSURANCE_FUND, n)),
    ("cover_loss", "admin", lambda n: ev.CoverLoss("main", ev.Cover.OUTSIDE, n)),
    ("collect_fees", "admin", lambda n: ev.CollectFees("main", n)),
)
"""Actions with an amount of 1 .. 2^60."""


@case(
    "events-range-001",
    "EVENT-5",
    "NUM-9",
    bug="an amount of nothing, below nothing or above 2^60 is applied",
    effect="a withdrawal of a negative amount is a deposit of money that is not there; a large one wraps",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def amounts_are_from_1_to_2_to_60(box: Recorder) -> None:
    box.open("alice", 100)
    box.open("bob", 100)
    for _, actor, action in OUT_OF_RANGE:
        for amount in (-1, 0, A + 1):
            box.do(actor, action(amount), Reason.FIELD_OUT_OF_RANGE)
    box.hand("observable.accounts.alice.balances.USD", 100, "nothing was accepted")


@case(
    "events-range-002",
    "EVENT-5",
    "NUM-9",
    bug="prices, sizes and notices outside their bounds are applied",
    effect="a price of nothing divides by nothing; a size below nothing turns a purchase into a sale",
    importance=CRITICAL,
    start=ONE_MARKET,
)
def prices_sizes_and_notices_have_bounds(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 100)
    box.open("bob", 100)
    box.time = 10
    for price in (0, P + 1):
        box.do("s1", ev.PostPrice("BTC", price, 0), Reason.FIELD_OUT_OF_RANGE)
        box.do("venue", ev.PostBook(PERP, price, 100), Reason.FIELD_OUT_OF_RANGE)
        box.do("venue", ev.PostBook(PERP, 100, price), Reason.FIELD_OUT_OF_RANGE)
        box.do("venue", ev.Trade(PERP, "alice", "bob", 1, price, ev.Side.SELLER), Reason.FIELD_OUT_OF_RANGE)
    for confidence in (-1, P + 1):
        box.do("s1", ev.PostPrice("BTC", 100, confidence), Reason.FIELD_OUT_OF_RANGE)
    for size in (-1, 0, S + 1):
        box.do("venue", ev.Trade(PERP, "alice", "bob", size, 100, ev.Side.SELLER), Reason.FIELD_OUT_OF_RANGE)
        box.do("bob", ev.Liquidate("alice", "bob", PERP, size), Reason.FIELD_OUT_OF_RANGE)
    for notice in (0, D + 1):
        box.do("admin", ev.Delist(PERP, notice), Reason.FIELD_OUT_OF_RANGE)
    box.do("s1", ev.PostPrice("BTC", 101, P))
    box.hand("receipt.amounts.index", 100, "a confidence of 2^36 is in range, and does not count")


@case(
    "events-range-003",
    "EVENT-5",
    "NUM-9",
    bug="sequence or time outside their bounds are applied",
    effect="no event can follow",
    importance=CRITICAL,
    start=BARE,
)
def sequence_and_time_have_bounds(box: Recorder) -> None:
    opened(box)
    deposit(box, "a", 2**62 + 1, 0, 1, Reason.FIELD_OUT_OF_RANGE)
    deposit(box, "a", 2, 2**40 + 1, 1, Reason.FIELD_OUT_OF_RANGE)
    deposit(box, "a", 0, 0, 1, Reason.SEQUENCE_NOT_INCREASING)
    deposit(box, "a", 2, -1, 1, Reason.TIME_DECREASING)
    deposit(box, "a", 2**62 + 1, -1, 0, Reason.TIME_DECREASING)
    deposit(box, "open", 2**62 + 1, 0, 0, Reason.DUPLICATE_EVENT)
    deposit(box, "a", 2, 0, 1)
    box.hand("observable.accounts.alice.balances.USD", 1, "only the last was accepted")


@case(
    "events-range-004",
    "EVENT-5",
    "EVENT-6",
    bug="the range of fields is checked after the checks of the action",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=ONE_MARKET,
)
def ranges_come_before_the_checks_of_the_action(box: Recorder) -> None:
    box.do("eve", ev.Deposit("ghost", "DOGE", 0), Reason.FIELD_OUT_OF_RANGE)
    box.do("eve", ev.Deposit("ghost", "DOGE", 1), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Delist("DOGE", 0), Reason.FIELD_OUT_OF_RANGE)
    box.do("eve", ev.Delist("DOGE", 1), Reason.UNAUTHORISED)
    bad = replace(MARKET, trading=replace(MARKET.trading, max_position=0))
    box.do("eve", ev.SetParameters("DOGE", bad), Reason.FIELD_OUT_OF_RANGE)
    box.do("eve", ev.SetParameters("DOGE", MARKET), Reason.UNAUTHORISED)
    box.open("alice", 1)
    box.hand("observable.accounts.alice.balances.USD", 1, "0 + 1")


def changed(section: str, **fields: int) -> Any:
    """The market's parameters with changed fields of one section."""
    return replace(MARKET, **{section: replace(getattr(MARKET, section), **fields)})


@case(
    "events-range-005",
    "EVENT-5",
    "NUM-9",
    bug="fields of records inside an action are not checked",
    effect="a listing or a change of parameters brings a number in that no rule was made for",
    importance=CRITICAL,
    start=genesis(pool=BARE_POOL, markets=(), feeds=(FEED,)),
)
def records_inside_an_action_have_bounds(box: Recorder) -> None:
    one = 10**9
    for parameters in (
        changed("trading", max_position=S + 1),
        changed("trading", maker_fee=-one - 1),
        changed("trading", price_band=one),
        changed("margin", multiplier=one - 1),
        changed("margin", multiplier=2**33 + 1),
        changed("margin", gap_steps=257),
        changed("margin", size_unit=0),
        replace(MARKET, margin=replace(MARKET.margin, tiers=(Tier(2**56 + 1, one, one),))),
        replace(MARKET, margin=replace(MARKET.margin, tiers=(Tier(2**56, 0, 0),))),
        changed("mark", window=0),
        changed("mark", window=2**16 + 1),
        changed("funding", period=0),
        changed("funding", min_samples=513),
        changed("liquidation", close_factor=0),
        changed("liquidation", insurance_cap=A + 1),
        replace(MARKET, settlement_window=D + 1),
    ):
        box.do("admin", ev.ListMarket(replace(LISTING, parameters=parameters)), Reason.FIELD_OUT_OF_RANGE)
    for expiry in (-1, 2**41 + 1):
        box.do("admin", ev.ListMarket(replace(LISTING, expiry=expiry)), Reason.FIELD_OUT_OF_RANGE)
    box.do("admin", ev.ListMarket(LISTING))
    box.do("admin", ev.SetParameters(PERP, changed("mark", window=0)), Reason.FIELD_OUT_OF_RANGE)
    box.hand("observable.markets.BTC-PERP.open_interest", 0, "only the listing in range was accepted")
