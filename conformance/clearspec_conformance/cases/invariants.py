"""Vectors of the invariants: attacks of many steps, at the ceilings of the parameters, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, SCALE
from clearspec.parameters import InterestForm, Tier
from clearspec.sandbox import FEED, FUNDING, LIQUIDATION, LISTING, MARGIN, MARK, MARKET, PERCENT, POOL, TRADING, genesis
from clearspec_conformance.vectors import Recorder, case

CRITICAL = Importance.CRITICAL
PERP = "BTC-PERP"
LENDING = replace(POOL, collateral=(), negative_balance_limit=AMOUNT_MAX)
WHOLE = replace(LENDING, profit_weight_withdrawal=SCALE, profit_cap_withdrawal=AMOUNT_MAX)
"""A pool in which unrealised profit counts whole, towards new risk and towards outflows."""
STEEP = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * PERCENT, 20 * PERCENT),))
QUICK = replace(FEED, band=4 * PERCENT)
BRIEF = replace(MARK, variation_interval=1)
YFI = "dYdX, November 2023: unrealised profit in YFI carried new positions; insurance paid about 9 million"
ETH_2025 = "Hyperliquid, March 2025: unrealised profit withdrawn until the position was liquidated; 4 million lost"


def world(feed: Any = FEED, pool: Any = LENDING, **sections: Any) -> ev.Genesis:
    """One feed, one pool without collateral, one market with changed sections."""
    return genesis(pool=pool, feeds=(feed,), markets=(replace(LISTING, parameters=replace(MARKET, **sections)),))


def steep(pool: Any = LENDING, **sections: Any) -> ev.Genesis:
    """Margins of 20 % on a feed of 4 % a step."""
    return world(QUICK, pool, **{"margin": STEEP, "mark": BRIEF, **sections})


def start(box: Recorder, price: int, **accounts: int) -> None:
    """A first price of BTC and accounts with cash."""
    box.price(price, time=1)
    for name, cash in accounts.items():
        box.open(name, cash)


def cash(box: Recorder, account: str, amount: int, derivation: str) -> None:
    """Settlement balance of an account, net of what it owes."""
    box.hand(f"observable.accounts.{account}.balances.USD", amount, derivation)


def custody(box: Recorder, amount: int, derivation: str) -> None:
    """Settlement atoms that the pool holds."""
    box.hand("observable.pools.main.custody.USD", amount, derivation)


def take(box: Recorder, account: str, amount: int, more: Reason = Reason.BELOW_INITIAL_MARGIN) -> None:
    """The most that an account may withdraw: an atom more is refused."""
    owner = box.state.accounts[account].owner
    box.do(owner, ev.Withdraw(account, "USD", amount + 1), more)
    box.do(owner, ev.Withdraw(account, "USD", amount))


# ---------------------------------------------------------------------------------------------------------------
# Funding


@case(
    "invariants-funding-001",
    "INV-1",
    "INV-7",
    "INV-9",
    "INV-11",
    "FUND-4",
    "FUND-6",
    bug="each accrual or each touch rounds, and the house keeps or pays the difference",
    effect="2^40 lots make 2^40 atoms of every atom that is rounded",
    importance=CRITICAL,
    start=world(
        replace(QUICK, max_price=2**16),
        trading=replace(TRADING, max_position=2**40, max_open_interest=2**40),
        margin=STEEP,
        mark=BRIEF,
        funding=replace(FUNDING, interest=13_733, interest_form=InterestForm.ADDED, cap=13_733),
    ),
)
def funding_is_not_drained_in_small_steps(box: Recorder) -> None:
    # 13,733 x 65,536 = 900,005,888 of 10^9: 0.9 atom an hour on each of 2^40 lots. The short changes hands before each
    # accrual that it knows to land.
    lots = 2**40
    start(box, 2**16, a=2**55, b=2**55, c=2**55)
    box.trade("a", "b", lots, 2**16)
    for hour, step in ((1, 0), (2, 1), (3, 1), (4, 1)):
        if hour == 2:
            box.trade("b", "c", lots, 2**16)
        if hour == 4:
            box.trade("c", "b", lots, 2**16)
        box.price(2**16, time=3_600 * hour)
        box.do("z", ev.AccrueFunding(PERP))
        box.hand("receipt.amounts.index_step", step, f"{hour} x 0.900005888, whole atoms, less those before")
    box.trade("b", "a", lots, 2**16)
    cash(box, "a", 2**55 - 3 * 2**40, "3 atoms on each of 2^40 lots")
    cash(box, "b", 2**55 + 2**40, "hours 1 and 4: 0 + 1")
    cash(box, "c", 2**55 + 2 * 2**40, "hours 2 and 3: 1 + 1")
    take(box, "a", 2**55 - 3 * 2**40)
    take(box, "b", 2**55 + 2**40)
    take(box, "c", 2**55 + 2 * 2**40, Reason.INSUFFICIENT_CUSTODY)
    custody(box, 0, "3 x 2^55 in, the same out: nothing is left over and nothing is missing")


@case(
    "invariants-funding-002",
    "INV-1",
    "INV-7",
    "INV-11",
    "FUND-5",
    "PARM-13",
    bug="parameters change between what is owed and what is charged",
    effect="an administrator charges the past hour at a rate that nobody knew",
    importance=CRITICAL,
    start=world(pool=WHOLE, margin=STEEP, funding=replace(FUNDING, interest_form=InterestForm.ADDED, cap=5 * PERCENT)),
)
def funding_parameters_reach_no_past_hour(box: Recorder) -> None:
    # Interest 0, then 5 %, set as late as the rules allow: right after an accrual.
    dear = replace(FUNDING, interest=5 * PERCENT, interest_form=InterestForm.ADDED, cap=5 * PERCENT)
    changed = ev.SetParameters(PERP, replace(MARKET, margin=STEEP, funding=dear))
    start(box, 1_000, a=10_000, b=10_000)
    box.trade("a", "b", 10, 1_000)
    for time in (3_599, 3_600):
        box.price(1_000, time=time)
        box.do("admin", changed, Reason.FUNDING_NOT_ACCRUED)
    box.do("z", ev.AccrueFunding(PERP))
    cash(box, "a", 10_000, "interest 0")
    box.do("admin", changed)
    box.do("z", ev.AccrueFunding(PERP), Reason.FUNDING_NOT_DUE)
    box.price(1_000, time=7_200)
    box.do("z", ev.AccrueFunding(PERP))
    cash(box, "a", 9_500, "10,000 - 10 x 5 % of 1,000")
    cash(box, "b", 10_500, "10,000 + 500")


# ---------------------------------------------------------------------------------------------------------------
# Liquidation


@case(
    "invariants-dust-001",
    "INV-1",
    "INV-5",
    "INV-7",
    "INV-11",
    "LIQ-4",
    "LIQ-5",
    bug="each piece of a liquidation rounds its penalty or its reward up",
    effect="a keeper who liquidates lot by lot takes an atom of each, 4 % in place of 1 %",
    importance=CRITICAL,
    start=steep(liquidation=replace(LIQUIDATION, reward=PERCENT)),
)
def dust_pieces_pay_nothing(box: Recorder) -> None:
    # 100 lots from 25 with 500: at 24 400 against 480. A lot frees 4.8; 1 % of 24 is 0.24, down 0.
    start(box, 25, a=500, k=10_000)
    box.trade("a", "k", 100, 25)
    box.price(24, time=2)
    for piece in range(1, 18):
        box.do("k", ev.Liquidate("a", "k", PERP, 1))
        box.hand("receipt.amounts.penalty", 0, f"piece {piece}: 1 % of 24 = 0.24, down 0")
        box.hand("receipt.amounts.reward", 0, "at most the penalty")
    box.do("k", ev.Liquidate("a", "k", PERP, 1), Reason.NOT_LIQUIDATABLE)
    cash(box, "a", 483, "500 - 17 x 1; 483 - 83 = 400 against 20 % of 83 x 24 = 398.4, up 399")
    cash(box, "k", 10_017, "10,000 + 17 x 1: what its short won, and no reward")
    custody(box, 10_500, "500 + 10,000")


@case(
    "invariants-dust-002",
    "INV-1",
    "INV-3",
    "INV-11",
    "LIQ-3",
    "LIQ-5",
    bug="pieces below the minimum are taken",
    effect="the penalty is avoided lot by lot by an owner who liquidates himself",
    importance=CRITICAL,
    start=steep(liquidation=replace(LIQUIDATION, reward=PERCENT, minimum=18)),
)
def an_owner_does_not_avoid_the_penalty(box: Recorder) -> None:
    # The same account; its owner's second account may close 18 lots at once and no fewer.
    start(box, 25, a=500, k=10_000)
    box.do("a", ev.OpenAccount("a2", "main"))
    box.do("a", ev.Deposit("a2", "USD", 1_000))
    box.trade("a", "k", 100, 25)
    box.price(24, time=2)
    for piece in (1, 17):
        box.do("a", ev.Liquidate("a", "a2", PERP, piece), Reason.SIZE_BELOW_MINIMUM)
    box.do("a", ev.Liquidate("a", "a2", PERP, 100))
    box.hand("receipt.amounts.closed", 18, "(80 + 2) / (20 % - 1 %) = 431.6, up 432, over 24 is 18")
    box.hand("receipt.amounts.penalty", 4, "1 % of 432 = 4.32, down")
    cash(box, "a", 478, "500 - 18 - 4")
    cash(box, "a2", 1_004, "1,000 + 4: together they have gained nothing")


@case(
    "invariants-floor-001",
    "INV-1",
    "INV-3",
    "INV-11",
    "LIQ-6",
    bug="the insured floor of the reward has no budget, or one for each piece",
    effect="an owner liquidates a worthless account into a second one and empties the insurance fund",
    importance=CRITICAL,
    start=steep(
        liquidation=replace(
            LIQUIDATION, reward=0, reward_floor=PERCENT, reward_budget=10, budget_interval=100, critical_health=SCALE
        )
    ),
)
def the_insured_floor_is_drained_up_to_its_budget(box: Recorder) -> None:
    # 10 lots from 1,000 with 2,000 are worth nothing at 800: no penalty, and 1 % of 800 from insurance for each lot.
    start(box, 1_000, a=2_000, b=10_000)
    box.do("a", ev.OpenAccount("a2", "main"))
    box.do("a", ev.Deposit("a2", "USD", 1_000))
    box.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 100))
    box.trade("a", "b", 10, 1_000)
    for time in range(2, 8):  # 960, 922, 886, 851, 817, 800
        box.price(800, time=time)
    for piece, floor in enumerate((8, 2, 0), start=1):
        box.do("a", ev.Liquidate("a", "a2", PERP, 1))
        box.hand("receipt.amounts.penalty", 0, "2,000 - 10 x 200 = 0 is all that it is worth")
        box.hand("receipt.amounts.reward_floor", floor, f"piece {piece}: 8, at most what is left of 10")
    box.hand("observable.pools.main.insurance_fund", 90, "100 - 10")
    box.time = 101
    box.do("a", ev.Liquidate("a", "a2", PERP, 1))
    box.hand(
        "receipt.amounts.reward_floor", 8, "1 + 100: a new interval of the budget that began with the listing at 0"
    )


# ---------------------------------------------------------------------------------------------------------------
# The mark


@case(
    "invariants-mark-001",
    "INV-9",
    "INV-11",
    "ORCL-5",
    "ORCL-6",
    "TRADE-5",
    bug="fills or book samples of the attacker move the mark",
    effect="an attacker trades with himself and liquidates a stranger",
    importance=CRITICAL,
    start=world(
        margin=replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, 20 * PERCENT, 10 * PERCENT),)),
        mark=replace(MARK, band=PERCENT),
        funding=replace(FUNDING, interest_form=InterestForm.ADDED, cap=PERCENT),
    ),
)
def self_trades_and_samples_do_not_move_the_mark(box: Recorder) -> None:
    # The victim is short 10 from 1,000 with 2,000; it would be liquidatable from 1,090.9 on.
    box.price(1_000, time=10)
    for name, amount in (("v", 2_000), ("e1", 10**5), ("e2", 10**5)):
        box.open(name, amount)
    box.trade("e1", "v", 10, 1_000)
    for price in (1_200, 800, 1_200):
        box.trade("e1", "e2", 10, price)
        box.hand("observable.markets.BTC-PERP.mark", 1_000, "the index: a fill is no price")
    box.do("e1", ev.PostBook(PERP, 10**9, 10**9), Reason.UNAUTHORISED)
    box.do("e1", ev.PostPrice("BTC", 10**9, 0), Reason.UNAUTHORISED)
    box.do("venue", ev.PostBook(PERP, 10**9, 10**9))
    box.hand("receipt.amounts.mark", 1_010, "1,000 + 1 %, the widest basis")
    box.hand("receipt.amounts.premium", SCALE, "at most 100 %")
    box.do("venue", ev.PostBook(PERP, 10**9, 10**9), Reason.SAMPLE_TOO_SOON)
    box.time = 20
    box.do("venue", ev.PostBook(PERP, 10**9, 10**9))
    box.hand("receipt.amounts.mark", 1_010, "1 % is all that there is")
    box.do("e1", ev.Liquidate("v", "e1", PERP, 10), Reason.NOT_LIQUIDATABLE)  # 1,900 >= 1,010
    box.price(1_000, time=3_600)
    box.do("z", ev.AccrueFunding(PERP))
    box.hand("receipt.amounts.rate", PERCENT, "100 % capped at 1 %")
    cash(box, "v", 2_100, "2,000 + 10 x 1 % of 1,000: the premium is paid to the shorts")


# ---------------------------------------------------------------------------------------------------------------
# Outflows


@case(
    "invariants-outflow-001",
    "INV-2",
    "INV-11",
    "MARG-11",
    "MARG-12",
    "LIQ-4",
    bug="profit leaves until nothing covers the fall",
    effect="the account is left to the house with a deficit",
    incident=ETH_2025,
    importance=CRITICAL,
    start=world(pool=WHOLE),
)
def profit_is_withdrawn_until_liquidation(box: Recorder) -> None:
    # 100 lots from 1,000 with 10,000; profit counts whole, the most that a pool may allow.
    start(box, 1_000, a=10_000, k=100_000)
    box.trade("a", "k", 100, 1_000)
    for time, price in ((2, 1_010), (3, 1_020), (4, 1_030)):
        box.price(price, time=time)
        take(box, "a", 900)
    cash(box, "a", 7_300, "10,000 - 3 x 900; each step wins 1,000 and raises the requirement by 100")
    for time, price in ((5, 1_020), (6, 1_010), (7, 1_000), (8, 990), (9, 981), (10, 972)):
        box.price(900, time=time)
        box.hand("receipt.amounts.index", price, "1 % down, the width rounded down")
    box.do("a", ev.Withdraw("a", "USD", 1), Reason.BELOW_INITIAL_MARGIN)
    box.do("z", ev.ResolveDefault("a"), Reason.NOT_IN_DEFAULT)
    box.do("k", ev.Liquidate("a", "k", PERP, 100))
    box.hand(
        "receipt.amounts.closed", 10, "7,300 - 2,800 = 4,500 against 4,860: (360 + 2) / 4 % = 9,050, over 972 is 9.3"
    )
    box.hand("receipt.amounts.penalty", 97, "1 % of 9,720: the account pays it")
    custody(box, 107_300, "110,000 - 2,700")


@case(
    "invariants-outflow-002",
    "INV-2",
    "INV-11",
    "COLL-4",
    "MARG-11",
    bug="an outflow is checked against equity alone",
    effect="custody is paid out against a profit that the loser cannot pay",
    importance=CRITICAL,
    start=steep(pool=WHOLE),
)
def custody_bounds_every_outflow(box: Recorder) -> None:
    # 16 lots from 100 to 200, both with 1,000: ``a`` is at -600 and untouched, ``b`` worth 2,600; custody is 2,000.
    start(box, 100, a=1_000, b=1_000)
    box.trade("b", "a", 16, 100)
    box.drive(200)
    box.do("b", ev.Withdraw("b", "USD", 2_300), Reason.INSUFFICIENT_CUSTODY)
    box.do("b", ev.Withdraw("b", "USD", 2_001), Reason.INSUFFICIENT_CUSTODY)
    take(box, "b", 1_960)
    custody(box, 40, "2,000 - 1,960: 2,600 - 1,960 = 640 = 20 % of 3,200")
    box.do("b", ev.Withdraw("b", "USD", 41), Reason.INSUFFICIENT_CUSTODY)


@case(
    "invariants-recycling-001",
    "INV-2",
    "INV-11",
    "MARG-8",
    "MARG-10",
    "MARG-12",
    bug="profit that counts whole carries more than the price gap allows",
    effect="a pyramid of profit falls below nothing in one step",
    incident=YFI,
    importance=CRITICAL,
    start=world(pool=WHOLE),
)
def profit_is_recycled_into_new_risk(box: Recorder) -> None:
    # Each step up buys what the profit carries; the fall ends in a liquidation that the account pays.
    start(box, 1_000, a=10_000, k=10**6)
    held = 100
    box.trade("a", "k", held, 1_000)
    for time, price, more in ((2, 1_010, 8), (3, 1_020, 10), (4, 1_030, 10)):
        box.price(price, time=time)
        box.trade("a", "k", more + 1, price, expect=Reason.INSUFFICIENT_MARGIN)
        box.trade("a", "k", more, price)
    box.hand("observable.accounts.a.positions.BTC-PERP.size", 128, "100 + 8 + 10 + 10: 13,260 carry 128 x 103 = 13,184")
    box.hand("observable.accounts.a.positions.BTC-PERP.cost", 128_580, "100,000 + 8,080 + 10,200 + 10,300")
    for time in range(5, 11):  # 1,020, 1,010, 1,000, 990, 981, 972
        box.price(900, time=time)
    box.do("z", ev.ResolveDefault("a"), Reason.NOT_IN_DEFAULT)
    box.do("k", ev.Liquidate("a", "k", PERP, 128))
    box.hand("receipt.amounts.closed", 10, "5,836 against 6,220.8, up 6,221: (385 + 2) / 4 % = 9,675, over 972 is 9.95")
    box.hand("receipt.amounts.penalty", 97, "1 % of 9,720 = 97.2, down")


@case(
    "invariants-round-trips-001",
    "INV-1",
    "INV-2",
    "INV-3",
    "INV-11",
    "TRADE-7",
    "TRADE-10",
    bug="a round trip between two accounts of one owner pays more than it costs",
    effect="deposits, fills at the edges of the band and withdrawals empty the pool",
    importance=CRITICAL,
    start=world(
        pool=replace(LENDING, negative_balance_limit=0),
        trading=replace(TRADING, taker_fee=PERCENT, maker_fee=-PERCENT, insurance_share=SCALE // 2),
    ),
)
def round_trips_gain_nothing(box: Recorder) -> None:
    # The rebate is as large as the envelope allows; the fills stand at both edges of a band of 20 %.
    start(box, 1_000, a=10_000, b=10_000)
    box.do("a", ev.OpenAccount("a2", "main"))
    box.do("a", ev.Deposit("a2", "USD", 10_000))
    box.trade("a", "a2", 5, 1_200)
    box.trade("a2", "a", 5, 800)
    cash(box, "a", 7_980, "10,000 - 60 + 40 - 2,000")
    cash(box, "a2", 12_020, "10,000 + 60 - 40 + 2,000")
    box.trade("a", "a2", 1, 999)
    box.trade("a2", "a", 1, 1_001)
    cash(box, "a", 7_982, "7,980 - 10 + 10 + 2: 9.99 up 10, -10.01 up -10")
    cash(box, "a2", 12_016, "12,020 + 9 - 11 - 2: -9.99 up -9, 10.01 up 11")
    take(box, "a", 7_982, Reason.NEGATIVE_BALANCE_LIMIT)
    take(box, "a2", 12_016, Reason.NEGATIVE_BALANCE_LIMIT)
    custody(box, 10_002, "30,000 - 19,998: the deposit of b and 2 of fees")
    box.hand("observable.pools.main.fee_treasury", 2, "1 + 1, half of each is 0.5, down 0")
    box.do("b", ev.Withdraw("b", "USD", 10_000))
    custody(box, 2, "the fees")


@case(
    "invariants-round-trips-002",
    "INV-1",
    "INV-2",
    "INV-7",
    "INV-11",
    "INV-12",
    "TRADE-1",
    bug="closing in small pieces releases more or less cost than closing at once",
    effect="an atom for each lot comes from nowhere",
    importance=CRITICAL,
    start=world(),
)
def pieces_add_up_to_the_whole(box: Recorder) -> None:
    # 7 lots for 4 x 1,000 + 3 x 1,001 = 7,003, sold one by one at 1,000: 7,000 - 7,003 = -3 in all.
    start(box, 1_000, a=5_000, b=5_000)
    box.trade("a", "b", 4, 1_000)
    box.trade("a", "b", 3, 1_001)
    costs = (6_003, 5_003, 4_003, 3_003, 2_002, 1_001, 0)
    for left, cost in zip(range(6, 0, -1), costs, strict=False):
        box.trade("b", "a", 1, 1_000)
        box.hand("observable.accounts.a.positions.BTC-PERP.cost", cost, f"floor of the cost / {left + 1} released")
    box.trade("b", "a", 1, 1_000)
    cash(box, "a", 4_997, "5,000 - 3")
    cash(box, "b", 5_003, "5,000 + 3")
    take(box, "a", 4_997)
    take(box, "b", 5_003, Reason.INSUFFICIENT_CUSTODY)
    custody(box, 0, "10,000 in, 10,000 out")


# ---------------------------------------------------------------------------------------------------------------
# Replays


@case(
    "invariants-replay-001",
    "INV-1",
    "INV-2",
    "INV-11",
    "EVENT-5",
    "EVENT-7",
    bug="an event that is sent again takes effect again",
    effect="a withdrawal is paid twice",
    importance=CRITICAL,
    start=world(),
)
def a_replayed_event_changes_nothing(box: Recorder) -> None:
    start(box, 1_000, a=1_000, b=1_000)
    box.trade("a", "b", 5, 1_000)
    box.do("b", ev.Withdraw("b", "USD", 500))
    for number in (5, 2, 0):  # the fill, the deposit, the price are the sixth, third and first event
        box.send(box.event(number), Reason.DUPLICATE_EVENT)
    withdrawal = box.event(6)
    box.send(withdrawal, Reason.DUPLICATE_EVENT)
    box.send(replace(withdrawal, sequence=100), Reason.DUPLICATE_EVENT)
    box.sequence = 7
    box.send(replace(withdrawal, id="other"), Reason.SEQUENCE_NOT_INCREASING)
    box.send(replace(withdrawal, id="other", sequence=8, time=0), Reason.TIME_DECREASING)
    custody(box, 1_500, "1,000 + 1,000 - 500, once")
    cash(box, "b", 500, "1,000 - 500, once")


@case(
    "invariants-replay-002",
    "INV-2",
    "EVENT-5",
    "EVENT-7",
    bug="a rejected event uses up its id, its sequence number or its time",
    effect="an honest event is lost, or time runs ahead",
    start=world(),
)
def a_rejected_event_leaves_no_trace(box: Recorder) -> None:
    box.open("a", 100)
    box.open("b", 100)
    late = ev.Event("once", 50, 1_000, "a", ev.Withdraw("a", "USD", 101))
    box.send(late, Reason.BELOW_INITIAL_MARGIN)
    box.sequence = 4
    box.do("a", ev.Deposit("a", "USD", 1))
    cash(box, "a", 101, "100 + 1 with sequence 5 and time 0, after the rejected event of 50 and 1,000")
    box.send(late)
    cash(box, "a", 0, "the same event, now with enough: 101 - 101")
    box.send(late, Reason.DUPLICATE_EVENT)
    custody(box, 100, "100 + 1 - 101 + 100 of b")
