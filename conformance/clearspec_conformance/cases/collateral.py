"""Vectors of collateral: accounts and pools, deposit, withdrawal, transfer, conversion, funds and the gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import NOTIONAL_MAX
from clearspec.parameters import Tier
from clearspec.sandbox import ETH, ETH_FEED, FEED, LISTING, MARGIN, MARK, MARKET, PERCENT, POOL, genesis
from clearspec_conformance.cases.ledger import BARE_POOL, TWO_ASSETS, sink, sinking, with_fees
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL, MESSAGE = Importance.CRITICAL, Importance.MESSAGE


def no_market(**pool: Any) -> ev.Genesis:
    """A pool, with changes, that takes ETH; no market."""
    return genesis(pool=replace(POOL, **pool), markets=(), feeds=(ETH_FEED,))


def one_market(**pool: Any) -> ev.Genesis:
    """A pool, with changes, that takes its settlement asset only; one market."""
    return genesis(pool=replace(BARE_POOL, **pool), feeds=(FEED,))


def with_side(**side: Any) -> ev.Genesis:
    """The pool ``main``, which takes ETH, and the pool ``side``, which does not unless it is changed; no market."""
    pools = (replace(BARE_POOL, pool="side", **side),)
    return genesis(pool=replace(POOL, negative_balance_limit=16_000), pools=pools, markets=(), feeds=(ETH_FEED,))


# ---------------------------------------------------------------------------------------------------------------
# Accounts


@case(
    "collateral-open-account-001",
    "COLL-1",
    bug="an account is opened in another pool than asked for, or for another owner than the actor",
    effect="a deposit lands in a pool whose losses its owner did not accept, or belongs to somebody else",
    start=with_side(),
)
def an_account_is_the_actors_in_the_pool(box: Recorder) -> None:
    box.do("alice", ev.OpenAccount("savings", "side"))
    box.do("alice", ev.OpenAccount("trading", "main"))
    box.do("savings", ev.Deposit("savings", "USD", 70), Reason.UNAUTHORISED)
    box.do("alice", ev.Deposit("savings", "USD", 70))
    box.hand("observable.accounts.savings.balances.USD", 70, "0 + 70")
    box.hand("observable.accounts.trading.balances.USD", 0, "an account of its own")
    box.hand("observable.pools.side.custody.USD", 70, "0 + 70")


@case(
    "collateral-open-account-002",
    "COLL-1",
    "EVENT-6",
    bug="an account is opened in a pool that does not exist, or in place of another",
    effect="an account changes its owner or its pool",
    importance=CRITICAL,
    start=with_side(),
)
def an_account_is_opened_once_in_a_known_pool(box: Recorder) -> None:
    box.open("alice", 100)
    box.do("eve", ev.OpenAccount("alice", "nowhere"), Reason.UNKNOWN_POOL)
    box.do("eve", ev.OpenAccount("fresh", "nowhere"), Reason.UNKNOWN_POOL)
    box.do("eve", ev.OpenAccount("alice", "main"), Reason.ACCOUNT_EXISTS)
    box.do("eve", ev.OpenAccount("alice", "side"), Reason.ACCOUNT_EXISTS)
    box.do("alice", ev.OpenAccount("alice", "main"), Reason.ACCOUNT_EXISTS)
    box.do("alice", ev.Deposit("alice", "USD", 1))
    box.hand("observable.accounts.alice.balances.USD", 101, "100 + 1, still hers")


@case(
    "collateral-open-account-003",
    "COLL-1",
    bug="whoever is first opens the account that is named as a pool's backstop",
    effect="positions of the insolvent are handed to a stranger, or to an account of another pool",
    importance=CRITICAL,
    start=genesis(
        pool=replace(BARE_POOL, backstop="safe"),
        pools=(replace(BARE_POOL, pool="side", backstop="shelter"),),
        markets=(),
        feeds=(),
    ),
)
def a_backstop_is_the_administrators_to_open_in_its_pool(box: Recorder) -> None:
    box.do("eve", ev.OpenAccount("safe", "main"), Reason.UNAUTHORISED)
    box.do("eve", ev.OpenAccount("shelter", "main"), Reason.UNAUTHORISED)
    box.do("venue", ev.OpenAccount("shelter", "side"), Reason.UNAUTHORISED)
    box.do("admin", ev.OpenAccount("safe", "side"), Reason.WRONG_POOL)
    box.do("admin", ev.OpenAccount("shelter", "main"), Reason.WRONG_POOL)
    box.do("admin", ev.OpenAccount("safe", "main"))
    box.do("admin", ev.OpenAccount("shelter", "side"))
    box.do("eve", ev.OpenAccount("safe", "main"), Reason.ACCOUNT_EXISTS)
    box.do("eve", ev.OpenAccount("eve", "main"))
    box.hand("observable.accounts.safe.balances.USD", 0, "opened, and nothing in it")


# ---------------------------------------------------------------------------------------------------------------
# Deposit


@case(
    "collateral-deposit-001",
    "COLL-3",
    "COLL-2",
    bug="every asset is booked as the settlement asset",
    effect="an atom of ETH becomes an atom of USD",
    importance=CRITICAL,
    start=no_market(),
)
def an_asset_is_deposited_as_itself(box: Recorder) -> None:
    box.do("alice", ev.OpenAccount("alice", "main"))
    box.do("alice", ev.Deposit("alice", "ETH", 3))
    box.do("alice", ev.Deposit("alice", "USD", 40))
    box.hand("observable.accounts.alice.balances.ETH", 3, "0 + 3")
    box.hand("observable.accounts.alice.balances.USD", 40, "0 + 40")
    box.hand("observable.pools.main.custody.ETH", 3, "0 + 3")


@case(
    "collateral-deposit-002",
    "COLL-3",
    bug="the cap is compared with the deposit alone, or without it",
    effect="a pool takes more of an asset than its cap, or less",
    start=no_market(settlement_cap=1000),
)
def deposits_reach_the_cap_and_no_further(box: Recorder) -> None:
    box.open("alice", 600)
    box.open("bob")
    box.do("bob", ev.Deposit("bob", "USD", 401), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("bob", ev.Deposit("bob", "USD", 400))
    box.do("bob", ev.Deposit("bob", "USD", 1), Reason.DEPOSIT_CAP_EXCEEDED)
    box.hand("observable.pools.main.custody.USD", 1000, "600 + 400, the cap")


@case(
    "collateral-deposit-003",
    "COLL-3",
    "COLL-2",
    "PARM-3",
    bug="the terms of another asset are applied",
    effect="a bad asset enters up to the cap of a good one",
    importance=CRITICAL,
    start=replace(
        TWO_ASSETS,
        pools=(
            replace(
                TWO_ASSETS.pools[0],
                settlement_cap=5,
                collateral=(replace(ETH, cap=10), replace(ETH, asset="GOLD", feed="GOLD", cap=7)),
            ),
        ),
    ),
)
def each_asset_has_its_own_cap(box: Recorder) -> None:
    box.open("alice")
    box.do("alice", ev.Deposit("alice", "ETH", 11), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("alice", ev.Deposit("alice", "GOLD", 8), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("alice", ev.Deposit("alice", "USD", 6), Reason.DEPOSIT_CAP_EXCEEDED)
    for asset, cap in (("ETH", 10), ("GOLD", 7), ("USD", 5)):
        box.do("alice", ev.Deposit("alice", asset, cap))
        box.hand(f"observable.pools.main.custody.{asset}", cap, "its cap")


@case(
    "collateral-deposit-004",
    "COLL-3",
    bug="the cap is compared with the sum of users' balances",
    effect="money of the funds is at risk beyond what the pool may lose",
    start=no_market(settlement_cap=400),
)
def the_cap_counts_all_of_custody(box: Recorder) -> None:
    box.open("alice")
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 300))
    box.do("alice", ev.Deposit("alice", "USD", 101), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("alice", ev.Deposit("alice", "USD", 100))
    box.hand("observable.pools.main.custody.USD", 400, "300 + 100, the cap")


@case(
    "collateral-deposit-005",
    "COLL-3",
    "COLL-1",
    bug="the cap of one pool counts the custody of another",
    effect="a full pool shuts the others",
    start=with_side(settlement_cap=100),
)
def caps_are_kept_by_pool(box: Recorder) -> None:
    box.open("alice", 1000)
    box.open("zoe", 0, "side")
    box.do("zoe", ev.Deposit("zoe", "USD", 101), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("zoe", ev.Deposit("zoe", "USD", 100))
    box.do("alice", ev.Deposit("alice", "USD", 101))
    box.hand("observable.pools.side.custody.USD", 100, "its cap")
    box.hand("observable.pools.main.custody.USD", 1101, "1000 + 101")


@case(
    "collateral-deposit-006",
    "COLL-3",
    "EVENT-6",
    "EVENT-8",
    bug="the checks of a deposit come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=no_market(settlement_cap=100),
)
def the_order_of_the_checks_of_a_deposit(box: Recorder) -> None:
    box.open("alice")
    box.do("eve", ev.Deposit("ghost", "DOGE", 101), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Deposit("alice", "DOGE", 101), Reason.UNAUTHORISED)
    box.do("alice", ev.Deposit("alice", "DOGE", 101), Reason.ASSET_NOT_ACCEPTED)
    box.do("alice", ev.Deposit("alice", "USD", 101), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("alice", ev.Deposit("alice", "USD", 100))
    box.hand("observable.accounts.alice.balances.USD", 100, "only the last was accepted")


def enrich(box: Recorder) -> None:
    """Bring alice's balance to 2**62: four debtors with ETH of ample worth owe her 2**60 each."""
    box.price(10**9, "ETH")
    box.open("alice")
    for debtor in ("b", "c", "d", "e"):
        box.open(debtor)
        box.do(debtor, ev.Deposit(debtor, "ETH", 10**10))
        box.do(debtor, ev.Transfer(debtor, "alice", "USD", 2**60))


@case(
    "collateral-deposit-007",
    "COLL-3",
    "NUM-9",
    bug="a balance may grow without bound",
    effect="a balance leaves the range in which products fit 128 bits, or wraps",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=2**60),
)
def a_balance_reaches_2_to_62_and_no_further(box: Recorder) -> None:
    enrich(box)
    box.hand("observable.accounts.alice.balances.USD", 2**62, "4 x 2^60")
    box.do("alice", ev.Deposit("alice", "USD", 1), Reason.BALANCE_OUT_OF_RANGE)
    box.do("alice", ev.Transfer("alice", "b", "USD", 1))
    box.do("alice", ev.Deposit("alice", "USD", 2), Reason.BALANCE_OUT_OF_RANGE)
    box.do("alice", ev.Deposit("alice", "USD", 1))
    box.hand("observable.accounts.alice.balances.USD", 2**62, "2^62 - 1 + 1")
    box.hand("observable.pools.main.custody.USD", 1, "the one atom that came in")


# ---------------------------------------------------------------------------------------------------------------
# Withdrawal


@case(
    "collateral-withdraw-001",
    "COLL-4",
    "COLL-5",
    bug="a collateral balance may go negative, or the last atom may not be taken",
    effect="an account takes out collateral of others",
    importance=CRITICAL,
    start=no_market(),
)
def all_of_a_collateral_asset_and_no_more(box: Recorder) -> None:
    box.open("alice")
    box.open("bob")
    box.do("alice", ev.Deposit("alice", "ETH", 3))
    box.do("bob", ev.Deposit("bob", "ETH", 5))
    box.do("alice", ev.Withdraw("alice", "ETH", 4), Reason.INSUFFICIENT_BALANCE)
    box.do("alice", ev.Withdraw("alice", "ETH", 3))
    box.hand("observable.accounts.alice.balances.ETH", 0, "3 - 3")
    box.hand("observable.pools.main.custody.ETH", 5, "3 + 5 - 3")


@case(
    "collateral-withdraw-002",
    "COLL-5",
    "PARM-4",
    bug="the settlement balance may fall below the limit while collateral is ample, or not to it",
    effect="a pool lends more of its custody than it may",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=1700),
)
def the_settlement_balance_falls_to_its_limit(box: Recorder) -> None:
    box.price(100_000, "ETH")
    box.open("alice", 100)
    box.open("bob", 10_000)
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.do("alice", ev.Withdraw("alice", "USD", 1801), Reason.NEGATIVE_BALANCE_LIMIT)
    box.do("alice", ev.Withdraw("alice", "USD", 1800))
    box.hand("observable.accounts.alice.balances.USD", -1700, "100 - 1800")


@case(
    "collateral-withdraw-003",
    "COLL-5",
    "MARG-7",
    bug="what is borrowed is compared with collateral at index",
    effect="the haircut protects nobody",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=2000),
)
def no_more_is_borrowed_than_collateral_after_haircut(box: Recorder) -> None:
    box.price(2000, "ETH")
    box.open("alice")
    box.open("bob", 10_000)
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.do("alice", ev.Withdraw("alice", "USD", 1601), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 1600))
    box.hand("observable.accounts.alice.balances.USD", -1600, "80 % of 2000")
    box.do("alice", ev.Withdraw("alice", "ETH", 1), Reason.BELOW_INITIAL_MARGIN)


@case(
    "collateral-withdraw-004",
    "COLL-5",
    "MARG-11",
    bug="initial margin is not kept back, or equality is refused",
    effect="an account takes its margin out and leaves the risk",
    importance=CRITICAL,
    start=one_market(),
)
def initial_margin_stays(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 50, 100)
    box.do("alice", ev.Withdraw("alice", "USD", 501), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 500))
    box.hand("observable.accounts.alice.balances.USD", 500, "10 % of 50 x 100 must stay")


@case(
    "collateral-withdraw-005",
    "COLL-5",
    "MARG-11",
    bug="unrealised profit counts whole for a withdrawal",
    effect="a pumped mark is paid out in cash before it falls back",
    incident="Hyperliquid, ETH, 2025-03-12: profit was withdrawn until the position was liquidated; the vault lost 4 M",
    importance=CRITICAL,
    start=one_market(),
)
def unrealised_profit_is_not_withdrawn(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 50, 100)
    box.price(101, time=1)
    box.do("alice", ev.Withdraw("alice", "USD", 496), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 495))
    box.hand("observable.accounts.alice.balances.USD", 505, "10 % of 50 x 101; the profit of 50 has weight 0")


@case(
    "collateral-withdraw-006",
    "COLL-5",
    "MARG-11",
    "PARM-4",
    bug="the weight of unrealised profit is read and its cap is not, or the other way round",
    effect="more profit leaves than was meant to",
    importance=CRITICAL,
    start=one_market(profit_weight_withdrawal=50 * PERCENT, profit_cap_withdrawal=20),
)
def profit_leaves_by_weight_up_to_a_cap(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 30, 100)
    box.price(101, time=1)
    box.do("alice", ev.Withdraw("alice", "USD", 713), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 712))
    box.hand("observable.accounts.alice.balances.USD", 288, "303 must stay, less half of the profit of 30")
    box.do("bob", ev.Withdraw("bob", "USD", 668), Reason.BELOW_INITIAL_MARGIN)
    box.do("bob", ev.Withdraw("bob", "USD", 667))
    box.hand("observable.accounts.bob.balances.USD", 333, "303 must stay, and the loss of 30 counts whole")


@case(
    "collateral-withdraw-007",
    "COLL-5",
    "MARG-11",
    "PARM-4",
    bug="the cap of profit that counts for a withdrawal is not read",
    effect="more profit leaves than was meant to",
    importance=CRITICAL,
    start=one_market(profit_weight_withdrawal=50 * PERCENT, profit_cap_withdrawal=20),
)
def profit_that_leaves_is_capped(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 50, 100)
    box.price(101, time=1)
    box.do("alice", ev.Withdraw("alice", "USD", 516), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 515))
    box.hand("observable.accounts.alice.balances.USD", 485, "505 must stay; half of 50 is 25, of which 20 count")


@case(
    "collateral-withdraw-008",
    "COLL-5",
    "MARG-11",
    "PARM-4",
    bug="the withdrawal ratio of notional is not read",
    effect="a large position is left with its bare initial margin",
    incident="Hyperliquid, ETH, 2025-03-12: afterwards a withdrawal had to leave a share of notional",
    start=one_market(withdrawal_margin=20 * PERCENT),
)
def a_share_of_notional_stays(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 2000)
    box.open("bob", 2000)
    box.trade("alice", "bob", 50, 100)
    box.do("alice", ev.Withdraw("alice", "USD", 1001), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Withdraw("alice", "USD", 1000))
    box.hand("observable.accounts.alice.balances.USD", 1000, "20 % of 5000 is above the 10 % of initial margin")


@case(
    "collateral-withdraw-009",
    "COLL-4",
    "COLL-5",
    "LEDG-4",
    bug="a withdrawal looks at the account's own equity and not at custody",
    effect="the first winner is paid with what others brought, and custody goes negative",
    incident="dYdX v3, YFI, 2023-11: profit of a pumped market was used up before the loss behind it was collected",
    importance=CRITICAL,
    start=genesis(pool=replace(POOL, negative_balance_limit=600)),
)
def custody_2000_does_not_pay_2300(box: Recorder) -> None:
    box.price(100)
    box.price(2000, "ETH")
    box.open("alice", 1000)
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.open("bob", 1000)
    box.trade("alice", "bob", 40, 120)
    box.trade("bob", "alice", 40, 80)
    box.hand("observable.accounts.alice.balances.USD", -600, "1000 - 40 x 40")
    box.hand("observable.accounts.bob.balances.USD", 2600, "1000 + 40 x 40")
    box.do("bob", ev.Withdraw("bob", "USD", 2300), Reason.INSUFFICIENT_CUSTODY)
    box.do("bob", ev.Withdraw("bob", "USD", 2001), Reason.INSUFFICIENT_CUSTODY)
    box.do("bob", ev.Withdraw("bob", "USD", 2000))
    box.hand("observable.pools.main.custody.USD", 0, "1000 + 1000 - 2000")


@case(
    "collateral-withdraw-010",
    "COLL-5",
    "COLL-4",
    "EVENT-6",
    bug="the checks of a withdrawal come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=sinking(negative_balance_limit=100),
)
def the_order_of_the_checks_of_a_withdrawal(box: Recorder) -> None:
    sink(box)
    box.do("eve", ev.Withdraw("ghost", "DOGE", 5), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Withdraw("bob", "DOGE", 5), Reason.UNAUTHORISED)
    box.do("bob", ev.Withdraw("bob", "DOGE", 5), Reason.ASSET_NOT_ACCEPTED)
    box.do("bob", ev.Withdraw("bob", "ETH", 5), Reason.INSUFFICIENT_BALANCE)
    box.do("bob", ev.Withdraw("bob", "USD", 1101), Reason.WITHDRAWALS_GATED)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))  # custody 1000
    box.do("bob", ev.Withdraw("bob", "USD", 1101), Reason.INSUFFICIENT_CUSTODY)
    box.open("carol", 101)
    box.do("bob", ev.Withdraw("bob", "USD", 1101), Reason.NEGATIVE_BALANCE_LIMIT)  # -101
    box.do("bob", ev.Withdraw("bob", "USD", 1001), Reason.BELOW_INITIAL_MARGIN)  # -1
    box.do("bob", ev.Withdraw("bob", "USD", 1000))
    box.hand("observable.accounts.bob.balances.USD", 0, "1000 - 1000")


@case(
    "collateral-withdraw-011",
    "COLL-4",
    "COLL-1",
    "LEDG-4",
    bug="a withdrawal asks for what all pools hold together",
    effect="winners of one pool are paid with the money of another",
    importance=CRITICAL,
    start=with_side(),
)
def a_pool_pays_out_of_its_own_custody(box: Recorder) -> None:
    box.price(2000, "ETH")
    box.open("zoe", 5000, "side")
    box.open("bob", 500)
    box.open("alice")
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.do("alice", ev.Withdraw("alice", "USD", 499))
    box.do("bob", ev.Withdraw("bob", "USD", 2), Reason.INSUFFICIENT_CUSTODY)
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 2), Reason.INSUFFICIENT_CUSTODY)
    box.do("bob", ev.Withdraw("bob", "USD", 1))
    box.hand("observable.pools.main.custody.USD", 0, "500 - 499 - 1")
    box.hand("observable.pools.side.custody.USD", 5000, "not touched")


# ---------------------------------------------------------------------------------------------------------------
# The gate


@case(
    "collateral-gate-001",
    "COLL-6",
    "COLL-10",
    "PARM-4",
    bug="the gate shuts at the threshold, or stays shut when the loss is back at it",
    effect="a loss that the pool tolerates stops every withdrawal, or one above it stops none",
    importance=CRITICAL,
    start=sinking(gate_threshold=99),
)
def one_atom_above_the_threshold_shuts_the_gate(box: Recorder) -> None:
    sink(box)
    box.do("bob", ev.Withdraw("bob", "USD", 1), Reason.WITHDRAWALS_GATED)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 1))
    box.hand("receipt.amounts.uncovered_loss", 99, "100 - 1, the threshold")
    box.do("bob", ev.Withdraw("bob", "USD", 1))
    box.hand("observable.accounts.bob.balances.USD", 999, "1000 - 1")


@case(
    "collateral-gate-002",
    "COLL-6",
    "COLL-3",
    "COLL-7",
    "COLL-9",
    bug="the gate stops what can only help the pool",
    effect="a pool in trouble cannot be repaired",
    start=sinking(),
)
def a_shut_gate_stops_outflow_only(box: Recorder) -> None:
    sink(box)
    box.do("bob", ev.Withdraw("bob", "USD", 1), Reason.WITHDRAWALS_GATED)
    box.do("alice", ev.Deposit("alice", "USD", 40))
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 30))
    box.do("bob", ev.Transfer("bob", "alice", "USD", 10))
    box.hand("observable.accounts.alice.balances.USD", 50, "0 + 40 + 10")
    box.hand("observable.accounts.bob.balances.USD", 990, "1000 - 10")
    box.hand("observable.pools.main.insurance_fund", 30, "0 + 30")


@case(
    "collateral-gate-003",
    "COLL-6",
    "COLL-7",
    "COLL-1",
    bug="a transfer to another pool passes the gate, or the gate of one pool shuts another",
    effect="the first to notice leave through a side door and are paid in full",
    importance=CRITICAL,
    start=replace(sinking(), pools=(sinking().pools[0], replace(BARE_POOL, pool="side"))),
)
def the_gate_of_a_pool_is_its_own(box: Recorder) -> None:
    sink(box)
    box.open("zoe", 7, "side")
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1), Reason.WITHDRAWALS_GATED)
    box.do("zoe", ev.Transfer("zoe", "bob", "USD", 2))
    box.do("zoe", ev.Withdraw("zoe", "USD", 4))
    box.hand("observable.accounts.bob.balances.USD", 1002, "1000 + 2: into a gated pool")
    box.hand("observable.accounts.zoe.balances.USD", 1, "7 - 2 - 4")


# ---------------------------------------------------------------------------------------------------------------
# Transfer


@case(
    "collateral-transfer-001",
    "COLL-7",
    bug="a transfer inside a pool goes through custody, or only one of its ends is booked",
    effect="money is made or lost by moving it",
    importance=CRITICAL,
    start=no_market(),
)
def a_transfer_inside_a_pool_is_one_posting(box: Recorder) -> None:
    box.open("alice", 1000)
    box.open("bob", 1)
    box.do("alice", ev.Transfer("alice", "bob", "USD", 400))
    box.hand("receipt.postings.0.amount", 400, "alice to bob")
    box.hand("observable.accounts.alice.balances.USD", 600, "1000 - 400")
    box.hand("observable.accounts.bob.balances.USD", 401, "1 + 400")
    box.hand("observable.pools.main.custody.USD", 1001, "1000 + 1")


@case(
    "collateral-transfer-002",
    "COLL-7",
    "COLL-1",
    "LEDG-2",
    bug="a transfer between pools leaves custody where it was",
    effect="one pool owes what it does not hold, the other holds what it does not owe",
    importance=CRITICAL,
    start=with_side(),
)
def a_transfer_between_pools_moves_custody(box: Recorder) -> None:
    box.open("alice", 1000)
    box.open("zoe", 0, "side")
    box.do("alice", ev.Transfer("alice", "zoe", "USD", 400))
    box.hand("receipt.postings.0.amount", 400, "alice to the custody of main")
    box.hand("receipt.postings.1.amount", 400, "the custody of side to zoe")
    box.hand("observable.accounts.alice.balances.USD", 600, "1000 - 400")
    box.hand("observable.accounts.zoe.balances.USD", 400, "0 + 400")
    box.hand("observable.pools.main.custody.USD", 600, "1000 - 400")
    box.hand("observable.pools.side.custody.USD", 400, "0 + 400")


@case(
    "collateral-transfer-003",
    "COLL-7",
    "COLL-2",
    bug="an asset is judged by the pool that it leaves alone",
    effect="collateral of one pool cannot become the settlement asset of another, or unwanted assets come in",
    start=genesis(
        pools=(
            replace(BARE_POOL, pool="ether", settlement_asset="ETH", settlement_cap=9),
            replace(BARE_POOL, pool="side"),
        ),
        markets=(),
        feeds=(ETH_FEED,),
    ),
)
def collateral_of_one_pool_settles_another(box: Recorder) -> None:
    box.open("alice")
    box.open("eve", 0, "ether")
    box.open("zoe", 0, "side")
    box.do("alice", ev.Deposit("alice", "ETH", 12))
    box.do("alice", ev.Transfer("alice", "zoe", "ETH", 1), Reason.ASSET_NOT_ACCEPTED)
    box.do("alice", ev.Transfer("alice", "eve", "ETH", 10), Reason.DEPOSIT_CAP_EXCEEDED)
    box.do("alice", ev.Transfer("alice", "eve", "ETH", 9))
    box.hand("observable.accounts.alice.balances.ETH", 3, "12 - 9")
    box.hand("observable.accounts.eve.balances.ETH", 9, "0 + 9, the cap of that pool")
    box.hand("observable.pools.ether.custody.ETH", 9, "0 + 9")
    box.hand("observable.pools.main.custody.ETH", 3, "12 - 9")


@case(
    "collateral-transfer-004",
    "COLL-7",
    "COLL-4",
    bug="a transfer inside a pool asks for custody",
    effect="claims cannot change hands while losses are unpaid",
    start=genesis(pool=replace(POOL, negative_balance_limit=600)),
)
def a_transfer_inside_a_pool_needs_no_custody(box: Recorder) -> None:
    box.price(100)
    box.price(2000, "ETH")
    box.open("alice", 1000)
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.open("bob", 1000)
    box.open("carol")
    box.trade("alice", "bob", 40, 120)
    box.trade("bob", "alice", 40, 80)
    box.do("bob", ev.Transfer("bob", "carol", "USD", 2600))
    box.hand("observable.accounts.carol.balances.USD", 2600, "1000 + 40 x 40, of which 2000 are in custody")
    box.do("carol", ev.Withdraw("carol", "USD", 2001), Reason.INSUFFICIENT_CUSTODY)


@case(
    "collateral-transfer-005",
    "COLL-7",
    "COLL-5",
    bug="a transfer inside a pool needs no margin",
    effect="an account in loss empties itself into a second one and leaves its loss behind",
    importance=CRITICAL,
    start=one_market(),
)
def a_transfer_leaves_initial_margin(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.do("alice", ev.OpenAccount("second", "main"))
    box.open("bob", 1000)
    box.trade("alice", "bob", 50, 100)
    box.do("alice", ev.Transfer("alice", "second", "USD", 501), Reason.BELOW_INITIAL_MARGIN)
    box.do("alice", ev.Transfer("alice", "second", "USD", 500))
    box.hand("observable.accounts.alice.balances.USD", 500, "10 % of 50 x 100 must stay")
    box.hand("observable.accounts.second.balances.USD", 500, "0 + 500")


@case(
    "collateral-transfer-006",
    "COLL-7",
    "NUM-9",
    "EVENT-6",
    bug="the balance of the receiver may grow without bound",
    effect="a balance leaves the range in which products fit 128 bits, or wraps",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=2**60),
)
def a_receiver_holds_at_most_2_to_62(box: Recorder) -> None:
    enrich(box)
    box.open("frank", 1)
    box.do("frank", ev.Transfer("frank", "alice", "USD", 2**60), Reason.BALANCE_OUT_OF_RANGE)
    box.do("frank", ev.Transfer("frank", "alice", "USD", 1), Reason.BALANCE_OUT_OF_RANGE)
    box.do("alice", ev.Transfer("alice", "frank", "USD", 1))
    box.do("frank", ev.Transfer("frank", "alice", "USD", 1))
    box.hand("observable.accounts.alice.balances.USD", 2**62, "2^62 - 1 + 1")
    box.hand("observable.accounts.frank.balances.USD", 1, "1 + 1 - 1")


@case(
    "collateral-transfer-007",
    "COLL-7",
    "EVENT-6",
    "EVENT-9",
    bug="the first checks of a transfer come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=with_side(),
)
def the_order_of_the_first_checks_of_a_transfer(box: Recorder) -> None:
    box.open("alice", 100)
    box.open("zoe", 0, "side")
    box.do("eve", ev.Transfer("ghost", "spook", "DOGE", 5), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Transfer("alice", "spook", "DOGE", 5), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Transfer("alice", "alice", "DOGE", 5), Reason.SAME_ACCOUNT)
    box.do("eve", ev.Transfer("alice", "zoe", "DOGE", 5), Reason.UNAUTHORISED)
    box.do("zoe", ev.Transfer("alice", "zoe", "USD", 5), Reason.UNAUTHORISED)
    box.do("alice", ev.Transfer("alice", "zoe", "DOGE", 5), Reason.ASSET_NOT_ACCEPTED)
    box.do("alice", ev.Transfer("alice", "zoe", "ETH", 5), Reason.INSUFFICIENT_BALANCE)
    box.do("alice", ev.Transfer("alice", "zoe", "USD", 5))
    box.hand("observable.accounts.zoe.balances.USD", 5, "only the last was accepted")


@case(
    "collateral-transfer-008",
    "COLL-7",
    "COLL-4",
    "COLL-6",
    "EVENT-6",
    bug="the checks of the two ends of a transfer between pools come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=replace(sinking(), pools=(sinking().pools[0], replace(BARE_POOL, pool="side", settlement_cap=1102))),
)
def the_order_of_the_checks_of_both_ends(box: Recorder) -> None:
    sink(box)
    box.do("bob", ev.Deposit("bob", "ETH", 4))
    box.open("zoe", 2, "side")
    box.do("bob", ev.Transfer("bob", "zoe", "ETH", 5), Reason.INSUFFICIENT_BALANCE)
    box.do("bob", ev.Transfer("bob", "zoe", "ETH", 4), Reason.WITHDRAWALS_GATED)
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1101), Reason.WITHDRAWALS_GATED)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))  # custody 1000
    box.do("bob", ev.Transfer("bob", "zoe", "ETH", 4), Reason.ASSET_NOT_ACCEPTED)
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1101), Reason.INSUFFICIENT_CUSTODY)
    box.open("carol", 101)
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1101), Reason.DEPOSIT_CAP_EXCEEDED)  # 2 + 1101
    box.do("zoe", ev.Withdraw("zoe", "USD", 1))
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1101), Reason.NEGATIVE_BALANCE_LIMIT)  # -101
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1037), Reason.BELOW_INITIAL_MARGIN)  # -37, and 36 x 1 % of ETH
    box.do("bob", ev.Transfer("bob", "zoe", "USD", 1000))
    box.hand("observable.accounts.zoe.balances.USD", 1001, "2 - 1 + 1000")


# ---------------------------------------------------------------------------------------------------------------
# Conversion


def price_of(amount: int, price: int, unit: int = 1, discount: int = 0) -> dict[str, int]:
    """Arguments of a conversion price."""
    return {"amount": amount, "price": price, "unit": unit, "discount": discount}


kernel_case(
    "collateral-conversion-price-001",
    "COLL-8",
    "NUM-2",
    kernel="conversion_price",
    bug="the price of a conversion is rounded down, or rounded before it is whole",
    effect="the keeper takes an atom of the account every time, or pays nothing for a little",
    importance=CRITICAL,
    calls=[
        (price_of(9, 1, 10), {"paid": 1}),  # 0.9
        (price_of(10, 1, 10), {"paid": 1}),  # 1
        (price_of(11, 1, 10), {"paid": 2}),  # 1.1
        (price_of(0, 2000), {"paid": 0}),
        (price_of(1, 2000, 1, 5 * PERCENT), {"paid": 1900}),
        (price_of(3, 7, 1, 5 * PERCENT), {"paid": 20}),  # 19.95
        (price_of(20, 1, 1, 5 * PERCENT), {"paid": 19}),  # 19 exactly
        (price_of(21, 1, 1, 5 * PERCENT), {"paid": 20}),  # 19.95
        (price_of(1, 1, 1, 10**9 - 1), {"paid": 1}),  # 0.000000001
        (price_of(3, 5, 7, 50 * PERCENT), {"paid": 2}),  # 15 / 14; 3 if 15 / 7 is rounded up first
        (price_of(2**60, 2**36), {"paid": 2**96}),
        (price_of(2**60, 2**36, 2**60), {"paid": 2**36}),
    ],
)


def borrow(box: Recorder, amount: int, price: int, debt: int) -> None:
    """Let alice deposit ETH at a price and borrow; bob, the keeper, has the money."""
    box.price(price, "ETH")
    box.open("alice")
    box.open("bob", 100_000)
    box.do("alice", ev.Deposit("alice", "ETH", amount))
    box.do("alice", ev.Withdraw("alice", "USD", debt))


@case(
    "collateral-convert-001",
    "COLL-8",
    "MARG-9",
    "FALL-1",
    bug="there is one equity, after haircut, for liquidation and for default",
    effect="an account worth 300 is taken through the waterfall",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=1700),
)
def eth_2000_and_cash_minus_1700_is_converted(box: Recorder) -> None:
    borrow(box, 1, 2125, 1700)  # 80 % of 2125 = 1700
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.drive(2000, "ETH")
    box.do("anyone", ev.ResolveDefault("alice"), Reason.NOT_IN_DEFAULT)  # 2000 - 1700 = 300
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 1900, "2000 less 5 %")
    box.hand("receipt.amounts.worth", 2000, "1 x 2000")
    box.hand("receipt.postings.0.amount", 1900, "bob to alice, in USD")
    box.hand("receipt.postings.1.amount", 1, "alice to bob, in ETH")
    box.hand("observable.accounts.alice.balances.USD", 200, "-1700 + 1900")
    box.hand("observable.accounts.alice.balances.ETH", 0, "1 - 1")
    box.hand("observable.accounts.bob.balances.USD", 98_100, "100000 - 1900")
    box.hand("observable.accounts.bob.balances.ETH", 1, "0 + 1")


@case(
    "collateral-convert-002",
    "COLL-8",
    bug="more collateral is sold than the need asks for",
    effect="a debt of a few atoms costs an account all of its collateral at a discount",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=80_000),
)
def no_more_is_converted_than_brings_in_the_need(box: Recorder) -> None:
    # At 990 the haircut leaves 79200 of 100 ETH: liquidatable. One ETH fetches 940.5; 85 fetch 79942.5, up 79943.
    borrow(box, 100, 1000, 79_943)
    box.price(990, "ETH", 1)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 86), Reason.CONVERSION_TOO_LARGE)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 85))
    box.hand("receipt.amounts.paid", 79_943, "85 x 990 x 95 % = 79942.5, rounded up: just the need")
    box.hand("observable.accounts.alice.balances.USD", 0, "-79943 + 79943")
    box.hand("observable.accounts.alice.balances.ETH", 15, "100 - 85")


@case(
    "collateral-convert-003",
    "COLL-8",
    bug="the last atom that the need asks for may not be converted",
    effect="an account is left with a debt that nobody may repay",
    start=no_market(negative_balance_limit=80_000),
)
def a_conversion_may_bring_in_less_than_one_atom_too_much(box: Recorder) -> None:
    borrow(box, 100, 1000, 79_944)  # one atom more than 85 ETH fetch
    box.price(990, "ETH", 1)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 87), Reason.CONVERSION_TOO_LARGE)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 86))
    box.hand("receipt.amounts.paid", 80_883, "86 x 990 x 95 % = 80883")
    box.hand("observable.accounts.alice.balances.USD", 939, "-79944 + 80883")


@case(
    "collateral-convert-004",
    "COLL-8",
    "MARG-12",
    bug="collateral may be bought at a discount from a sound account, or not from one just below maintenance",
    effect="a keeper takes the discount from whoever borrows, or nobody may help who is liquidatable",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=16_000),
)
def equity_of_nothing_is_not_convertible_and_below_is(box: Recorder) -> None:
    borrow(box, 10, 2000, 15_992)
    box.price(1999, "ETH", 1)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.price(1998, "ETH", 2)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 1899, "1998 x 95 % = 1898.1; at 1999 equity was 15992 - 15992 = 0")


@case(
    "collateral-convert-005",
    "COLL-8",
    "PARM-4",
    bug="a settlement balance at its limit is convertible, or one below it is not",
    effect="a sound account loses the discount, or a loan from custody beyond the limit stands for ever",
    importance=CRITICAL,
    start=genesis(pool=replace(POOL, negative_balance_limit=100)),
)
def a_balance_below_its_limit_is_convertible(box: Recorder) -> None:
    box.price(1000)
    box.price(2000, "ETH")
    box.open("bob", 10_000)
    for account, loss in (("at", 100), ("below", 101)):
        box.open(account)
        box.do(account, ev.Deposit(account, "ETH", 10))
        box.trade(account, "bob", 1, 1000 + loss)
        box.trade("bob", account, 1, 1000)
    box.do("bob", ev.Convert("at", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.do("bob", ev.Convert("below", "bob", "ETH", 2), Reason.CONVERSION_TOO_LARGE)
    box.do("bob", ev.Convert("below", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 1900, "2000 less 5 %; the need is 101")
    box.hand("observable.accounts.below.balances.USD", 1799, "1000 - 1101 + 1900")
    box.hand("observable.accounts.at.balances.USD", -100, "1000 - 1100, at the limit")


QUICK = replace(
    MARKET,
    margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 13 * PERCENT, 12 * PERCENT),)),
    mark=replace(MARK, variation_interval=1),
)
"""A market that may fall 3 % a second, with initial margin of 13 %."""


def falling(**pool: Any) -> ev.Genesis:
    """A pool, with changes, that takes ETH, and a market that falls fast."""
    listing = replace(LISTING, parameters=QUICK)
    return genesis(pool=replace(POOL, **pool), markets=(listing,), feeds=(replace(FEED, band=3 * PERCENT), ETH_FEED))


def fall(box: Recorder, collateral: int) -> None:
    """Let alice lose 140: cash 130, one lot from 1000, and ETH worth one atom each. The index goes to 860."""
    box.price(1000)
    box.price(1, "ETH")
    box.open("alice", 130)
    box.open("bob", 1000)
    box.do("alice", ev.Deposit("alice", "ETH", collateral))
    box.trade("alice", "bob", 1, 1000)
    for time in range(1, 6):  # 970, 941, 913, 886, 860
        box.price(860, time=time)


@case(
    "collateral-convert-006",
    "COLL-8",
    "FALL-1",
    bug="in default no more is converted than the settlement balance owes",
    effect="a stranger's gift of one atom of collateral holds up a default for ever",
    importance=CRITICAL,
    start=falling(),
)
def collateral_in_default_is_convertible_with_cash_left(box: Recorder) -> None:
    fall(box, 9)
    box.do("anyone", ev.ResolveDefault("alice"), Reason.COLLATERAL_REMAINS)  # 130 - 140 + 9 = -1
    box.do("bob", ev.Convert("alice", "bob", "ETH", 9))
    box.hand("receipt.amounts.paid", 9, "9 x 95 % = 8.55, rounded up; the need is 9 + 1 = 10")
    box.hand("observable.accounts.alice.balances.USD", 139, "130 + 9")
    box.hand("observable.accounts.alice.balances.ETH", 0, "9 - 9")


@case(
    "collateral-convert-007",
    "COLL-8",
    bug="an account that is liquidatable but owes no money may be converted",
    effect="a keeper takes collateral at a discount that nobody needs",
    importance=CRITICAL,
    start=falling(),
)
def a_liquidatable_account_with_cash_is_not_convertible(box: Recorder) -> None:
    fall(box, 10)  # 130 - 140 + 10 = 0: not in default, and 130 - 140 + 8 is below maintenance
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.hand("observable.accounts.alice.balances.USD", 130, "minus 130 is no need")
    box.hand("observable.accounts.alice.balances.ETH", 10, "not touched")


@case(
    "collateral-convert-008",
    "COLL-8",
    "ORCL-9",
    "MARG-7",
    bug="collateral whose feed has died may not be sold, or is sold at its last price",
    effect="a dead feed holds up a debt for ever, or no keeper buys",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=1700),
)
def the_price_of_a_stale_asset_falls_with_its_age(box: Recorder) -> None:
    borrow(box, 1, 2500, 1700)
    box.time = 600
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)  # 2000 - 1700
    box.time = 5100
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 1307, "4500 s overdue: 2500 less 45 % = 1375, less 5 % = 1306.25, rounded up")
    box.hand("receipt.amounts.worth", 2500, "at index as it stands")
    box.hand("observable.accounts.alice.balances.USD", -393, "-1700 + 1307")


@case(
    "collateral-convert-009",
    "COLL-8",
    "ORCL-9",
    "PARM-3",
    bug="the rate of an asset's terms is not read, or the age counts from the index and not from its greatest age",
    effect="stale collateral keeps a worth that nobody would pay",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=1700, collateral=(replace(ETH, stale_rate=10**6),)),
)
def a_stale_asset_loses_its_rate_a_second(box: Recorder) -> None:
    borrow(box, 1, 2125, 1700)
    box.time = 600
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.time = 601
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 2016, "1 s overdue: 2125 less 0.1 % = 2.125, up 3: 2122; less 5 % = 2015.9")


@case(
    "collateral-convert-013",
    "COLL-8",
    "ORCL-9",
    "MARG-7",
    bug="the price of collateral with a dead feed falls to nothing",
    effect="a debt of one atom costs all of a thousand ETH, and the keeper pays nothing for them",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=900),
)
def the_price_of_stale_collateral_ends_at_one(box: Recorder) -> None:
    borrow(box, 1000, 2000, 1)
    box.open("carol")
    box.do("carol", ev.Deposit("carol", "ETH", 1000))
    box.do("carol", ev.Withdraw("carol", "USD", 900))
    box.time = 20_000  # 19400 s overdue at 0.01 % a second is more than all
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)  # 80 % of 1000 x 1 against a debt of 1
    box.do("bob", ev.Convert("carol", "bob", "ETH", 948), Reason.CONVERSION_TOO_LARGE)
    box.do("bob", ev.Convert("carol", "bob", "ETH", 947))
    box.hand("receipt.amounts.paid", 900, "947 x 1 x 95 % = 899.65, rounded up: just the debt of 900")
    box.hand("observable.accounts.alice.balances.ETH", 1000, "not for sale")


@case(
    "collateral-convert-014",
    "COLL-8",
    bug="a need of one atom is no need",
    effect="the last atom of a debt cannot be repaid by anybody else",
    start=no_market(negative_balance_limit=1),
)
def a_debt_of_one_atom_is_a_need(box: Recorder) -> None:
    borrow(box, 1, 2, 1)  # 80 % of 2 = 1.6, rounded down 1
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1), Reason.NOT_CONVERTIBLE)
    box.price(1, "ETH", 1)  # 80 % of 1 = 0.8, rounded down 0
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1))
    box.hand("receipt.amounts.paid", 1, "95 % of 1, rounded up")
    box.hand("observable.accounts.alice.balances.USD", 0, "-1 + 1")


@case(
    "collateral-convert-010",
    "COLL-8",
    "EVENT-6",
    "EVENT-9",
    bug="the first checks of a conversion come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=with_side(),
)
def the_order_of_the_first_checks_of_a_conversion(box: Recorder) -> None:
    box.open("alice")
    box.open("bob", 10)
    box.open("zoe", 0, "side")
    box.do("alice", ev.Deposit("alice", "ETH", 10))
    box.do("eve", ev.Convert("ghost", "spook", "DOGE", 11), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Convert("alice", "spook", "DOGE", 11), Reason.UNKNOWN_ACCOUNT)
    box.do("eve", ev.Convert("alice", "alice", "DOGE", 11), Reason.SAME_ACCOUNT)
    box.do("eve", ev.Convert("alice", "zoe", "DOGE", 11), Reason.UNAUTHORISED)
    box.do("zoe", ev.Convert("alice", "zoe", "DOGE", 11), Reason.WRONG_POOL)
    box.do("bob", ev.Convert("alice", "bob", "DOGE", 11), Reason.ASSET_NOT_ACCEPTED)
    box.do("bob", ev.Convert("alice", "bob", "USD", 11), Reason.ASSET_NOT_ACCEPTED)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 11), Reason.STALE_PRICE)
    box.price(2000, "ETH")
    box.do("bob", ev.Convert("alice", "bob", "ETH", 11), Reason.INSUFFICIENT_BALANCE)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 10), Reason.NOT_CONVERTIBLE)
    box.hand("observable.accounts.alice.balances.ETH", 10, "nothing was converted")


@case(
    "collateral-convert-011",
    "COLL-8",
    "COLL-5",
    "EVENT-6",
    "EVENT-7",
    bug="a keeper buys what it cannot pay for, or half of a refused conversion stays",
    effect="the debt moves to an account that is no better",
    importance=CRITICAL,
    start=no_market(negative_balance_limit=16_000),
)
def a_keeper_pays_within_its_own_limits(box: Recorder) -> None:
    borrow(box, 10, 2000, 16_000)
    box.open("kim", 1100)
    box.open("liz", 1014)
    box.price(1990, "ETH", 1)
    box.do("liz", ev.Convert("alice", "liz", "ETH", 10), Reason.CONVERSION_TOO_LARGE)
    # 9 cost 9 x 1990 x 95 % = 17014.5, up 17015: liz would owe 16001, kim 15915 against 80 % of 9 x 1990 = 14328
    box.do("liz", ev.Convert("alice", "liz", "ETH", 9), Reason.NEGATIVE_BALANCE_LIMIT)
    box.do("kim", ev.Convert("alice", "kim", "ETH", 9), Reason.BELOW_INITIAL_MARGIN)
    box.hand("observable.accounts.kim.balances.USD", 1100, "nothing of it stays")
    box.hand("observable.accounts.alice.balances.USD", -16_000, "nothing of it stays")
    # 3 cost 5671.5, up 5672: kim owes 4572 against 80 % of 5970 = 4776
    box.do("kim", ev.Convert("alice", "kim", "ETH", 3))
    box.hand("receipt.amounts.paid", 5672, "3 x 1990 x 95 % = 5671.5, rounded up")
    box.hand("observable.accounts.kim.balances.USD", -4572, "1100 - 5672")


@case(
    "collateral-convert-012",
    "COLL-8",
    "PARM-3",
    bug="the unit of the price, the discount or the haircut of the asset's terms is not read",
    effect="collateral is sold at a wrong price",
    importance=CRITICAL,
    start=no_market(
        negative_balance_limit=10**6,
        collateral=(replace(ETH, unit=1000, haircut=30 * PERCENT, discount=10 * PERCENT),),
    ),
)
def a_price_is_for_a_unit_of_atoms(box: Recorder) -> None:
    # 5000 atoms at 2000 a 1000 are worth 10000, and 7000 after haircut; at 1980 9900 and 6930.
    borrow(box, 5000, 2000, 7000)
    box.price(1980, "ETH", 1)
    box.do("bob", ev.Convert("alice", "bob", "ETH", 1001))
    box.hand("receipt.amounts.paid", 1784, "1001 x 1.98 x 90 % = 1783.782, rounded up")
    box.hand("receipt.amounts.worth", 1981, "1001 x 1.98 = 1981.98, rounded down")


# ---------------------------------------------------------------------------------------------------------------
# Funds


@case(
    "collateral-contribute-001",
    "COLL-9",
    "EVENT-8",
    bug="the deposit cap holds for contributions",
    effect="a full pool cannot be made whole",
    start=genesis(pool=replace(BARE_POOL, settlement_cap=400), markets=(), feeds=()),
)
def the_cap_does_not_hold_for_contributions(box: Recorder) -> None:
    box.do("donor", ev.Contribute("nowhere", ev.Fund.INSURANCE_FUND, 1), Reason.UNKNOWN_POOL)
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 300))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 200))
    box.hand("observable.pools.main.insurance_fund", 300, "0 + 300")
    box.hand("observable.pools.main.skin_in_the_game", 200, "0 + 200")
    box.hand("observable.pools.main.custody.USD", 500, "300 + 200, above the cap of 400")


@case(
    "collateral-cover-loss-001",
    "COLL-10",
    bug="the deposit cap holds for what covers a loss",
    effect="a gated pool at its cap stays gated for ever",
    start=sinking(settlement_cap=1000),
)
def a_loss_is_covered_from_outside_above_the_cap(box: Recorder) -> None:
    sink(box)
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 100))  # custody 1000
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 40))
    box.hand("receipt.amounts.uncovered_loss", 60, "100 - 40")
    box.hand("observable.pools.main.custody.USD", 1040, "900 + 100 + 40")
    box.hand("observable.pools.main.insurance_fund", 100, "not touched")


@case(
    "collateral-cover-loss-002",
    "COLL-10",
    bug="a loss is covered from a fund beyond what it holds, or from another fund",
    effect="a fund goes negative and nobody sees the loss any more",
    importance=CRITICAL,
    start=sinking(),
)
def a_loss_is_covered_from_funds_as_far_as_they_reach(box: Recorder) -> None:
    sink(box)
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 30))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 20))
    box.do("admin", ev.CoverLoss("main", ev.Cover.FEE_TREASURY, 1), Reason.INSUFFICIENT_FUND)
    box.do("admin", ev.CoverLoss("main", ev.Cover.SKIN_IN_THE_GAME, 21), Reason.INSUFFICIENT_FUND)
    box.do("admin", ev.CoverLoss("main", ev.Cover.SKIN_IN_THE_GAME, 20))
    box.do("admin", ev.CoverLoss("main", ev.Cover.INSURANCE_FUND, 31), Reason.INSUFFICIENT_FUND)
    box.do("admin", ev.CoverLoss("main", ev.Cover.INSURANCE_FUND, 30))
    box.hand("receipt.amounts.uncovered_loss", 50, "100 - 20 - 30")
    box.hand("observable.pools.main.insurance_fund", 0, "30 - 30")
    box.hand("observable.pools.main.skin_in_the_game", 0, "20 - 20")
    box.hand("observable.pools.main.custody.USD", 950, "900 + 30 + 20: covering from a fund moves no custody")


@case(
    "collateral-cover-loss-003",
    "COLL-10",
    "NUM-9",
    bug="money from outside may bring custody above 2^62",
    effect="a balance leaves the range in which products fit 128 bits",
    start=sinking(),
)
def a_cover_from_outside_stays_in_range(box: Recorder) -> None:
    sink(box)
    for amount in (2**60, 2**60, 2**60, 2**60 - 999):
        box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, amount))
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100), Reason.BALANCE_OUT_OF_RANGE)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 99))
    box.hand("observable.pools.main.custody.USD", 2**62, "900 + 4 x 2^60 - 999 + 99")
    box.do("admin", ev.CoverLoss("main", ev.Cover.INSURANCE_FUND, 1))
    box.hand("receipt.amounts.uncovered_loss", 0, "100 - 99 - 1")


@case(
    "collateral-cover-loss-004",
    "COLL-10",
    "EVENT-6",
    bug="the checks of covering a loss come in another order",
    effect="two engines give different reasons for one event",
    importance=MESSAGE,
    start=sinking(),
)
def the_order_of_the_checks_of_covering_a_loss(box: Recorder) -> None:
    sink(box)
    for _ in range(3):
        box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 2**60))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 2**60 - 900))
    box.do("eve", ev.CoverLoss("nowhere", ev.Cover.OUTSIDE, 101), Reason.UNAUTHORISED)
    box.do("venue", ev.CoverLoss("main", ev.Cover.OUTSIDE, 1), Reason.UNAUTHORISED)
    box.do("admin", ev.CoverLoss("nowhere", ev.Cover.OUTSIDE, 101), Reason.UNKNOWN_POOL)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 101), Reason.EXCEEDS_UNCOVERED_LOSS)
    box.do("admin", ev.CoverLoss("main", ev.Cover.INSURANCE_FUND, 101), Reason.EXCEEDS_UNCOVERED_LOSS)
    box.do("admin", ev.CoverLoss("main", ev.Cover.INSURANCE_FUND, 100), Reason.INSUFFICIENT_FUND)
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 1), Reason.BALANCE_OUT_OF_RANGE)
    box.hand("observable.pools.main.uncovered_loss", 100, "nothing was covered")


PAID = with_fees(PERCENT, 0, negative_balance_limit=2000)


@case(
    "collateral-collect-fees-001",
    "COLL-10",
    bug="fees are paid out twice, or without leaving custody",
    effect="the operator takes money of users",
    importance=CRITICAL,
    start=PAID,
)
def fees_are_collected_once(box: Recorder) -> None:
    box.price(100)
    box.open("alice", 1000)
    box.open("bob", 1000)
    box.trade("alice", "bob", 10, 100)
    box.do("admin", ev.CollectFees("main", 11), Reason.INSUFFICIENT_FUND)
    box.do("admin", ev.CollectFees("main", 4))
    box.do("admin", ev.CollectFees("main", 6))
    box.hand("receipt.postings.0.amount", 6, "the treasury to custody")
    box.hand("observable.pools.main.fee_treasury", 0, "1 % of 1000 = 10, less 4 and 6")
    box.hand("observable.pools.main.custody.USD", 1990, "2000 - 10")
    box.do("admin", ev.CollectFees("main", 1), Reason.INSUFFICIENT_FUND)


@case(
    "collateral-collect-fees-002",
    "COLL-10",
    "LEDG-4",
    bug="fees are collected out of the custody of the funds",
    effect="the operator is paid before a loser has paid, with the insurance fund's money",
    importance=CRITICAL,
    start=PAID,
)
def fees_wait_until_they_are_in_custody(box: Recorder) -> None:
    box.price(100)
    box.price(2000, "ETH")
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 3))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 2))
    box.open("bob", 1000)
    box.open("dora")
    box.do("dora", ev.Deposit("dora", "ETH", 1))
    box.do("dora", ev.Withdraw("dora", "USD", 1000))
    box.trade("dora", "bob", 10, 100)
    box.hand("observable.pools.main.fee_treasury", 10, "1 % of 1000, which dora owes")
    box.hand("observable.pools.main.custody.USD", 5, "3 + 2 + 1000 - 1000")
    box.do("admin", ev.CollectFees("main", 1), Reason.INSUFFICIENT_CUSTODY)
    box.do("bob", ev.Deposit("bob", "USD", 4))
    box.do("admin", ev.CollectFees("main", 5), Reason.INSUFFICIENT_CUSTODY)
    box.do("admin", ev.CollectFees("main", 4))
    box.hand("observable.pools.main.custody.USD", 5, "3 + 2 of the funds are left")


def gated_with_fees() -> ev.Genesis:
    """The market with a taker fee of 1 %, beside the pool that sinks."""
    return replace(sinking(), markets=PAID.markets, feeds=(FEED, *sinking().feeds))


@case(
    "collateral-collect-fees-003",
    "COLL-10",
    "COLL-6",
    "EVENT-6",
    bug="fees pass the gate, or the checks come in another order",
    effect="the operator leaves while users cannot",
    importance=CRITICAL,
    start=gated_with_fees(),
)
def fees_wait_behind_the_gate(box: Recorder) -> None:
    box.price(100)
    box.open("carol", 1000)
    box.open("dave", 1000)
    box.trade("carol", "dave", 10, 100)
    sink(box)
    box.do("eve", ev.CollectFees("nowhere", 11), Reason.UNAUTHORISED)
    box.do("admin", ev.CollectFees("nowhere", 11), Reason.UNKNOWN_POOL)
    box.do("admin", ev.CollectFees("main", 11), Reason.INSUFFICIENT_FUND)
    box.do("admin", ev.CollectFees("main", 10), Reason.WITHDRAWALS_GATED)
    box.do("admin", ev.CoverLoss("main", ev.Cover.FEE_TREASURY, 3))
    box.hand("receipt.amounts.uncovered_loss", 97, "100 - 3")
    box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 97))
    box.do("admin", ev.CollectFees("main", 7))
    box.hand("observable.pools.main.fee_treasury", 0, "1 % of 1000 = 10, less 3 and 7")


@case(
    "collateral-asset-001",
    "COLL-2",
    "EVENT-8",
    bug="an asset that the pool does not take is booked as a new kind of money",
    effect="worthless atoms come in and others go out",
    importance=CRITICAL,
    start=replace(TWO_ASSETS, pools=(replace(POOL, collateral=(ETH,)),)),
)
def an_asset_that_exists_is_not_therefore_accepted(box: Recorder) -> None:
    box.open("alice", 5)
    box.do("alice", ev.Deposit("alice", "GOLD", 1), Reason.ASSET_NOT_ACCEPTED)
    box.do("alice", ev.Withdraw("alice", "GOLD", 1), Reason.ASSET_NOT_ACCEPTED)
    box.do("alice", ev.Deposit("alice", "main", 1), Reason.ASSET_NOT_ACCEPTED)
    box.do("alice", ev.Deposit("alice", "ETH", 1))
    box.hand("observable.accounts.alice.balances.ETH", 1, "0 + 1")
