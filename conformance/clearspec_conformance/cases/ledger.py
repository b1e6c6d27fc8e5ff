"""Vectors of the ledger: accounts, deposits and funds, and what the balances are after them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.parameters import AssetParameters, CollateralTerms
from clearspec.sandbox import ETH_FEED, FEED, LISTING, MARKET, PERCENT, POOL, TRADING, genesis
from clearspec_conformance.vectors import Recorder, case

BARE_POOL = replace(POOL, collateral=())
BARE = genesis(pool=BARE_POOL, markets=(), feeds=())
"""A pool that takes its settlement asset only, and nothing else."""

ONE_MARKET = genesis(pool=BARE_POOL, feeds=(FEED,))


def with_fees(taker: int, maker: int, insurance_share: int = 0, **pool: Any) -> ev.Genesis:
    """The market with fees; the pool, with changes, takes ETH."""
    trading = replace(TRADING, taker_fee=taker, maker_fee=maker, insurance_share=insurance_share)
    listing = replace(LISTING, parameters=replace(MARKET, trading=trading))
    return genesis(pool=replace(POOL, **pool), markets=(listing,))


FALLING = CollateralTerms("ETH", "ETH", 1, 99 * PERCENT, 0, 10**12, 10**5)
FALLING_FEED = replace(ETH_FEED, band=70 * PERCENT)


def sinking(**pool: Any) -> ev.Genesis:
    """A pool without layers whose collateral may lose 70 % in a step; up to 100 may be borrowed against it."""
    changes: dict[str, Any] = {"layers": (), "negative_balance_limit": 100, "dust": 90, **pool}
    return genesis(pool=replace(POOL, collateral=(FALLING,), **changes), markets=(), feeds=(FALLING_FEED,))


def sink(box: Recorder) -> None:
    """Leave an uncovered loss of 100: custody 900, bob with 1000, alice with nothing.

    10 ETH at 1000 are worth 1 % of 10000 = 100 after haircut, and 100 are borrowed. The index goes to 300, 90, 27 and
    27 - 18 = 9: net liquidation value 90 - 100 = -10. The ETH is dust, so the deficit is the debt of 100.
    """
    box.price(1000, "ETH")
    box.open("bob", 1000)
    box.open("alice")
    box.do("alice", ev.Deposit("alice", "ETH", 10))
    box.do("alice", ev.Withdraw("alice", "USD", 100))
    for time in range(1, 5):
        box.price(1, "ETH", time)
    box.do("anyone", ev.ResolveDefault("alice"))


@case(
    "ledger-deposit-001",
    "LEDG-1",
    "LEDG-2",
    "LEDG-3",
    "LEDG-6",
    bug="a deposit credits the account without a debit of custody",
    effect="claims exceed what is held",
    importance=Importance.CRITICAL,
)
def a_deposit_is_one_posting(box: Recorder) -> None:
    box.do("alice", ev.OpenAccount("alice", "main"))
    box.do("alice", ev.Deposit("alice", "USD", 100))
    box.hand("receipt.postings.0.amount", 100, "the amount deposited")
    box.hand("observable.accounts.alice.balances.USD", 100, "0 + 100")
    box.hand("observable.pools.main.custody.USD", 100, "0 + 100")


@case(
    "ledger-contribute-001",
    "LEDG-1",
    "LEDG-4",
    bug="a contribution raises the fund but not custody",
    effect="the fund pays with money that is not there",
    importance=Importance.CRITICAL,
)
def a_contribution_is_held(box: Recorder) -> None:
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 70))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 30))
    box.hand("observable.pools.main.insurance_fund", 70, "0 + 70")
    box.hand("observable.pools.main.skin_in_the_game", 30, "0 + 30")
    box.hand("observable.pools.main.custody.USD", 100, "70 + 30")


@case(
    "ledger-balance-001",
    "LEDG-3",
    "LEDG-2",
    bug="a second posting replaces the balance instead of adding to it, or a debit is added",
    effect="an account holds more or less than what came in and went out",
    importance=Importance.CRITICAL,
    start=BARE,
)
def a_balance_is_credits_less_debits(box: Recorder) -> None:
    box.open("alice", 500)
    box.do("alice", ev.Deposit("alice", "USD", 30))
    box.do("alice", ev.Withdraw("alice", "USD", 120))
    box.hand("receipt.postings.0.amount", 120, "the amount withdrawn")
    box.hand("observable.accounts.alice.balances.USD", 410, "500 + 30 - 120")
    box.hand("observable.pools.main.custody.USD", 410, "500 + 30 - 120")


@case(
    "ledger-posting-001",
    "LEDG-2",
    "EVENT-1",
    "TRADE-7",
    bug="a posting of a negative amount is published as it is, or fees come in another order",
    effect="two engines publish different movements of money for one fill",
    start=with_fees(25 * 10**5, -15 * 10**5, 5 * 10**8),
)
def a_rebate_is_a_posting_turned_round(box: Recorder) -> None:
    box.price(1001)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 1, 1001)
    box.hand("receipt.postings.0.amount", 3, "taker: 0.25 % of 1001 = 2.5025, rounded up; alice to the treasury")
    box.hand("receipt.postings.1.amount", 1, "maker: -0.15 % of 1001 = -1.5015, rounded up -1; the treasury to bob")
    box.hand("receipt.postings.2.amount", 1, "half of 3 - 1; the treasury to the insurance fund")
    box.hand("observable.accounts.alice.balances.USD", 997, "1000 - 3")
    box.hand("observable.accounts.bob.balances.USD", 1001, "1000 + 1")
    box.hand("observable.pools.main.fee_treasury", 1, "3 - 1 - 1")


@case(
    "ledger-posting-002",
    "LEDG-2",
    "EVENT-1",
    bug="postings of nothing are published",
    effect="two engines publish different movements of money for one fill",
    start=ONE_MARKET,
)
def a_posting_of_nothing_is_left_out(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 2, 100)
    box.hand("observable.markets.BTC-PERP.open_interest", 2, "0 + 2; nothing realised, no fee: no posting")


@case(
    "ledger-posting-003",
    "LEDG-1",
    "LEDG-2",
    "TRADE-1",
    bug="profit is credited to the winner without a debit of the clearing account, or the loss is taken twice",
    effect="money is made or lost by a fill",
    importance=Importance.CRITICAL,
    start=ONE_MARKET,
)
def profit_and_loss_pass_through_clearing(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 10, 100)
    box.trade("bob", "alice", 10, 95)
    box.hand("receipt.postings.0.amount", 50, "10 x (100 - 95), clearing to bob, the buyer, first")
    box.hand("receipt.postings.1.amount", 50, "10 x (95 - 100) = -50 turned round: alice to clearing")
    box.hand("observable.accounts.alice.balances.USD", 950, "1000 - 50")
    box.hand("observable.accounts.bob.balances.USD", 1050, "1000 + 50")
    box.hand("observable.pools.main.custody.USD", 2000, "1000 + 1000, as before")


@case(
    "ledger-custody-001",
    "LEDG-4",
    "COLL-4",
    bug="what a user may take out of custody includes the money of a fund or of the treasury",
    effect="a winner whose loser has not paid yet is paid by the insurance fund",
    incident="Drift v1, LUNA, 2022-05-11: users withdrew more than they were entitled to",
    importance=Importance.CRITICAL,
    start=with_fees(PERCENT, 0, negative_balance_limit=700),
)
def funds_and_treasury_are_not_the_users(box: Recorder) -> None:
    box.price(100)
    box.price(2000, "ETH")
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 5))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 7))
    box.open("alice", 1000)
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.open("bob", 1000)
    box.trade("alice", "bob", 40, 120)
    box.trade("bob", "alice", 40, 80)
    box.hand("observable.accounts.alice.balances.USD", -648, "1000 - 1 % of 4800 - 40 x 40")
    box.hand("observable.accounts.bob.balances.USD", 2568, "1000 + 40 x 40 - 1 % of 3200")
    box.do("bob", ev.Withdraw("bob", "USD", 1921), Reason.INSUFFICIENT_CUSTODY)
    box.do("bob", ev.Withdraw("bob", "USD", 1920))
    box.hand("observable.pools.main.custody.USD", 92, "5 + 7 + 2000 - 1920 = 5 + 7 + fees of 48 + 32")


@case(
    "ledger-custody-002",
    "LEDG-4",
    "LEDG-1",
    bug="custody of one asset is counted for another",
    effect="a claim in one asset is paid with another",
    importance=Importance.CRITICAL,
    start=genesis(markets=(), feeds=(ETH_FEED,)),
)
def custody_is_kept_by_asset(box: Recorder) -> None:
    box.open("alice", 500)
    box.do("alice", ev.Deposit("alice", "ETH", 20))
    box.do("alice", ev.Withdraw("alice", "ETH", 5))
    box.hand("observable.pools.main.custody.USD", 500, "500; ETH does not count")
    box.hand("observable.pools.main.custody.ETH", 15, "20 - 5")


@case(
    "ledger-pools-001",
    "LEDG-1",
    "LEDG-4",
    "COLL-1",
    bug="ledger accounts carry no pool",
    effect="custody and funds of one pool answer for the losses of another",
    incident="Hyperliquid, JELLY, 2025-03-26: the liquidator's vault shared its collateral with other strategies",
    importance=Importance.CRITICAL,
    start=genesis(pool=BARE_POOL, pools=(replace(BARE_POOL, pool="side"),), markets=(), feeds=()),
)
def custody_and_funds_are_kept_by_pool(box: Recorder) -> None:
    box.open("alice", 500)
    box.open("zoe", 70, "side")
    box.do("donor", ev.Contribute("side", ev.Fund.INSURANCE_FUND, 8))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 3))
    box.hand("observable.pools.main.custody.USD", 503, "500 + 3")
    box.hand("observable.pools.side.custody.USD", 78, "70 + 8")
    box.hand("observable.pools.main.insurance_fund", 0, "nothing was contributed to it")
    box.hand("observable.pools.side.insurance_fund", 8, "0 + 8")


@case(
    "ledger-uncovered-loss-001",
    "LEDG-5",
    "LEDG-1",
    "FALL-10",
    bug="a loss that nobody bears stays as the negative balance of an empty account",
    effect="claims exceed custody and nothing says so",
    importance=Importance.CRITICAL,
    start=sinking(),
)
def a_loss_that_nobody_bears_is_named(box: Recorder) -> None:
    sink(box)
    box.hand("receipt.amounts.uncovered_loss", 100, "the debt of 100; there are no layers")
    box.hand("observable.pools.main.uncovered_loss", 100, "0 + 100")
    box.hand("observable.pools.main.custody.USD", 900, "1000 - 100")
    box.hand("observable.accounts.alice.balances.USD", 0, "-100 + 100")
    box.hand("observable.accounts.bob.balances.USD", 1000, "not touched; 1000 = 900 + 100")


@case(
    "ledger-uncovered-loss-002",
    "LEDG-5",
    "COLL-10",
    bug="covering a loss does not lower it by what was brought, or the loss becomes a hidden fund",
    effect="the pool is owed money that it has, or holds money that belongs to nobody",
    importance=Importance.CRITICAL,
    start=sinking(),
)
def an_uncovered_loss_falls_only_by_what_covers_it(box: Recorder) -> None:
    sink(box)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 101), Reason.EXCEEDS_UNCOVERED_LOSS)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))
    box.hand("receipt.amounts.uncovered_loss", 0, "100 - 100")
    box.hand("observable.pools.main.uncovered_loss", 0, "100 - 100")
    box.hand("observable.pools.main.custody.USD", 1000, "900 + 100")


GOLD = CollateralTerms("GOLD", "GOLD", 1, 20 * PERCENT, 5 * PERCENT, 10**12, 10**5)
TWO_ASSETS = replace(
    genesis(
        pool=replace(POOL, collateral=(*POOL.collateral, GOLD)),
        markets=(),
        feeds=(ETH_FEED, replace(ETH_FEED, feed="GOLD")),
    ),
    assets=(AssetParameters("USD", 6), AssetParameters("ETH", 0), AssetParameters("GOLD", 0)),
)
"""A pool that takes two collateral assets."""


@case(
    "ledger-statement-001",
    "LEDG-6",
    "LEDG-3",
    bug="the statement leaves out assets never held, or mixes two of them up",
    effect="an account's balance is reported under another asset",
    start=TWO_ASSETS,
)
def a_statement_lists_every_asset(box: Recorder) -> None:
    box.open("alice", 500)
    box.do("alice", ev.Deposit("alice", "GOLD", 2))
    box.hand("observable.accounts.alice.balances.USD", 500, "0 + 500")
    box.hand("observable.accounts.alice.balances.ETH", 0, "never held")
    box.hand("observable.accounts.alice.balances.GOLD", 2, "0 + 2")
    box.hand("observable.pools.main.custody.GOLD", 2, "0 + 2")


@case(
    "ledger-statement-002",
    "LEDG-6",
    "EVENT-13",
    bug="a balance includes the profit that a position shows",
    effect="what has not been realised is taken for money",
    importance=Importance.CRITICAL,
    start=ONE_MARKET,
)
def a_balance_leaves_out_unrealised_profit(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 10, 90)
    box.hand("observable.accounts.alice.balances.USD", 1000, "10 x (100 - 90) is not realised")
    box.hand("observable.accounts.alice.positions.BTC-PERP.cost", 900, "10 x 90")
