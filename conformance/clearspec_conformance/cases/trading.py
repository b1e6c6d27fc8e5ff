"""Vectors of trading: the position after a fill, novation, status, price band, caps, fees and balance limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import AMOUNT_MAX, NOTIONAL_MAX, PRICE_MAX, SCALE
from clearspec.parameters import Layer, MarketKind, Tier
from clearspec.sandbox import FEED, LISTING, MARKET, PERCENT, POOL, TRADING, genesis
from clearspec.state import MarketStatus
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
MESSAGE = Importance.MESSAGE
PERP = "BTC-PERP"
BARE = replace(POOL, collateral=())
SIDE = replace(BARE, pool="side")


def market(pool: Any = BARE, **trading: Any) -> ev.Genesis:
    """One market with changed limits and fees, in a pool without collateral."""
    parameters = replace(MARKET, trading=replace(TRADING, **trading))
    return genesis(pool=pool, feeds=(FEED,), markets=(replace(LISTING, parameters=parameters),))


def start(box: Recorder, price: int, **accounts: int) -> None:
    """A first price of BTC and accounts with cash."""
    box.price(price, time=1)
    for name, cash in accounts.items():
        box.open(name, cash)


def refuse(box: Recorder, reason: Reason, subject: str, *trade: Any, market: str = PERP, actor: str = "venue") -> None:
    """A fill (buyer, seller, size, price) that must be refused about a subject."""
    buyer, seller, size, price = trade
    receipt = box.do(actor, ev.Trade(market, buyer, seller, size, price, ev.Side.SELLER), reason)
    if receipt.subject != subject:
        raise AssertionError(f"expected {subject}, got {receipt.subject}")


def position(box: Recorder, account: str, size: int, cost: int, derivation: str, market: str = PERP) -> None:
    """Size and cost of a position."""
    box.hand(f"observable.accounts.{account}.positions.{market}.size", size, derivation)
    box.hand(f"observable.accounts.{account}.positions.{market}.cost", cost, derivation)


def cash(box: Recorder, account: str, amount: int, derivation: str) -> None:
    """Settlement balance of an account."""
    box.hand(f"observable.accounts.{account}.balances.USD", amount, derivation)


def interest(box: Recorder, lots: int, derivation: str) -> None:
    """Open interest of the market."""
    box.hand("observable.markets.BTC-PERP.open_interest", lots, derivation)


# ---------------------------------------------------------------------------------------------------------------
# The position after a fill


def fill(size: int, cost: int, delta: int, price: int, *after: int) -> tuple[dict[str, int], dict[str, int]]:
    """A call of the kernel: size and cost, the fill; size, cost and result after it."""
    names = ("size", "cost", "realised")
    return {"size": size, "cost": cost, "delta": delta, "price": price}, dict(zip(names, after, strict=True))


kernel_case(
    "trading-filled-001",
    "TRADE-1",
    kernel="filled",
    bug="a fill that opens realises something, or takes another sign",
    effect="a balance changes when nothing has been closed",
    importance=CRITICAL,
    calls=[
        fill(0, 0, 2, 50, 2, 100, 0),
        fill(0, 0, -2, 50, -2, -100, 0),
        fill(3, 100, 2, 40, 5, 180, 0),  # 100 + 80
        fill(-3, -100, -2, 40, -5, -180, 0),  # -100 - 80
        fill(2**40 - 1, 0, 1, 2**36, 2**40, 2**36, 0),
        fill(-(2**20), -(2**56), -1, 1, -(2**20) - 1, -(2**56) - 1, 0),
    ],
)
kernel_case(
    "trading-filled-002",
    "TRADE-1",
    "NUM-2",
    kernel="filled",
    bug="released cost is rounded down or up, or the remainder is dropped",
    effect="an atom of equity comes from nowhere at every partial close",
    importance=CRITICAL,
    calls=[
        fill(3, 100, -1, 40, 2, 67, 7),  # 33.3 down to 33; 40 - 33
        fill(3, 299, -1, 100, 2, 200, 1),  # 99.67 to 99
        fill(3, 300, -1, 100, 2, 200, 0),
        fill(3, 301, -1, 100, 2, 201, 0),  # 100.33 to 100
        fill(3, 299, -2, 100, 1, 100, 1),  # 199.33 to 199
        fill(3, 1, -1, 1, 2, 1, 1),  # 0.33 to 0
        fill(-3, -100, 1, 30, -2, -67, 3),  # -33.3 to -33; -30 + 33
        fill(-3, -299, 1, 100, -2, -200, -1),  # -99.67 to -99
        fill(-3, -300, 1, 100, -2, -200, 0),
        fill(-3, -301, 1, 100, -2, -201, 0),  # -100.33 to -100
        fill(-3, -1, 1, 1, -2, -1, -1),  # -0.33 to 0
        fill(2**40, 2**76, -1, 2**36, 2**40 - 1, 2**76 - 2**36, 0),
    ],
)
kernel_case(
    "trading-filled-003",
    "TRADE-1",
    kernel="filled",
    bug="a fill through zero keeps the old cost, or realises at the wrong size",
    effect="a short carries a long's cost",
    importance=CRITICAL,
    calls=[
        fill(2, 67, -2, 40, 0, 0, 13),  # 80 - 67: all of the cost is released
        fill(2, 67, -5, 40, -3, -120, 13),  # closes 2, opens 3 at 40
        fill(2, 67, -3, 40, -1, -40, 13),
        fill(-2, -67, 2, 40, 0, 0, -13),
        fill(-2, -67, 5, 40, 3, 120, -13),
        fill(-2, -67, 3, 40, 1, 40, -13),
        fill(1, 7, -1, 7, 0, 0, 0),
        fill(1, 1, -(2**40), 1, -(2**40) + 1, -(2**40) + 1, 0),
        fill(-(2**20), -(2**56), 2**21, PRICE_MAX, 2**20, 2**56, 0),
    ],
)


@case(
    "trading-position-001",
    "TRADE-1",
    "INV-7",
    bug="an average entry price is stored",
    effect="three lots bought for 301 cost 300 afterwards",
    importance=CRITICAL,
    start=market(),
)
def the_remainder_of_a_partial_close_stays(box: Recorder) -> None:
    start(box, 100, a=1_000, b=1_000)
    for price in (100, 100, 101):
        box.trade("a", "b", 1, price)
    position(box, "a", 3, 301, "100 + 100 + 101")
    box.trade("b", "a", 1, 100)
    position(box, "a", 2, 201, "301 / 3 = 100.33, 100 released; 201 stays")
    cash(box, "a", 1_000, "1,000 + 100 - 100")
    position(box, "b", -2, -201, "the same with the other sign")
    box.trade("b", "a", 5, 100)
    position(box, "a", -3, -300, "2 closed, 3 opened at 100")
    cash(box, "a", 999, "1,000 + 200 - 201")
    position(box, "b", 3, 300, "2 closed, 3 opened at 100")
    cash(box, "b", 1_001, "1,000 + 201 - 200")


@case(
    "trading-position-002",
    "TRADE-1",
    "TRADE-2",
    "INV-8",
    bug="a position that is closed stays on the list, or one that is opened again is not put on it",
    effect="risk without margin, or a market that cannot be left",
    importance=CRITICAL,
    start=market(),
)
def a_market_is_left_and_entered_again(box: Recorder) -> None:
    start(box, 1_000, a=1_000, b=10_000)
    box.trade("a", "b", 5, 1_000)
    box.trade("b", "a", 5, 1_000)
    box.do("a", ev.Withdraw("a", "USD", 900))
    cash(box, "a", 100, "1,000 - 900: flat, nothing is required")
    refuse(box, Reason.INSUFFICIENT_MARGIN, "a", "a", "b", 2, 1_000)
    box.trade("b", "a", 1, 1_000)
    position(box, "a", -1, -1_000, "opened again: 100 >= 100")
    box.do("a", ev.Withdraw("a", "USD", 1), Reason.BELOW_INITIAL_MARGIN)


@case(
    "trading-settle-001",
    "TRADE-2",
    "TRADE-3",
    "FUND-6",
    bug="a result is posted before what is owed, or the seller's side before the buyer's",
    effect="two engines give different receipts for one fill",
    importance=MESSAGE,
    start=genesis(
        pool=BARE,
        feeds=(FEED,),
        markets=(
            replace(
                LISTING,
                parameters=replace(
                    MARKET,
                    trading=replace(TRADING, taker_fee=PERCENT, maker_fee=PERCENT // 2, insurance_share=SCALE // 2),
                    funding=replace(MARKET.funding, interest=1_000_000, cap=1_000_000, damper=1_000_000),
                ),
            ),
        ),
    ),
)
def the_postings_of_a_fill_in_their_order(box: Recorder) -> None:
    # 0.1 % of 5,000 is 5 a lot. ``a`` sells 2 of its 3 lots to ``b``, short 3, at 5,010.
    box.price(5_000)
    box.open("a", 100_000)
    box.open("b", 100_000)
    box.trade("a", "b", 3, 5_000)
    box.price(5_000, time=3_600)
    box.do("z", ev.AccrueFunding(PERP))
    box.trade("b", "a", 2, 5_010)
    for place, amount, derivation in (
        (0, 15, "the buyer b first: it is owed 3 x 5"),
        (1, 20, "b realises 10,000 - 10,020 = -20"),
        (2, 15, "then the seller a owes 3 x 5"),
        (3, 20, "a realises 10,020 - 10,000"),
        (4, 101, "taker b: 1 % of 10,020 = 100.2, up"),
        (5, 51, "maker a: 0.5 % of 10,020 = 50.1, up"),
        (6, 76, "half of 152 to insurance"),
    ):
        box.hand(f"receipt.postings.{place}.amount", amount, derivation)
    cash(box, "a", 99_804, "100,000 - 150 (1 % of 15,000) - 15 + 20 - 51")
    cash(box, "b", 99_819, "100,000 - 75 (0.5 % of 15,000) + 15 - 20 - 101")


HAIRCUT = genesis(
    pool=replace(BARE, layers=(Layer.GAINS_HAIRCUT,)),
    feeds=(replace(FEED, band=4 * PERCENT),),
    markets=(
        replace(
            LISTING,
            parameters=replace(
                MARKET,
                margin=replace(MARKET.margin, tiers=(Tier(NOTIONAL_MAX, 20 * PERCENT, 20 * PERCENT),)),
                mark=replace(MARKET.mark, variation_interval=1),
            ),
        ),
    ),
)


@case(
    "trading-settle-002",
    "TRADE-2",
    "FALL-9",
    bug="a gains haircut is not settled before a position changes, or a new position starts at an old index",
    effect="a winner walks off with the gain that was taken, or a newcomer pays for it",
    importance=CRITICAL,
    start=HAIRCUT,
)
def a_haircut_is_settled_before_a_change(box: Recorder) -> None:
    # Short 5 from 300 with 300, at 362: a deficit of 10, 1 of each of the 10 lots of ``g`` after ``w`` has closed.
    start(box, 300, x=300, w=10_000, g=100_000, s=10_000)
    box.trade("w", "x", 5, 300)
    for time in (2, 3, 4, 5):  # 312, 324, 336, 349
        box.price(400, time=time)
    box.trade("g", "s", 10, 349)
    box.price(400, time=6)
    box.do("z", ev.ResolveDefault("x"))
    box.hand("observable.markets.BTC-PERP.haircut_long", 1, "10 / 10 lots")
    cash(box, "g", 99_990, "100,000 - 10 that it owes")
    box.open("n", 1_000)
    box.trade("n", "g", 4, 362)
    box.hand("receipt.postings.0.amount", 10, "the newcomer owes nothing; g settles 10 x 1, then realises 4 x 13")
    cash(box, "n", 1_000, "its long starts at the index of the long side")
    cash(box, "g", 100_042, "100,000 - 10 + 52")
    box.trade("n", "g", 8, 362)
    cash(box, "g", 100_120, "100,042 + 6 x 13: short 2 now, at the index of the short side")
    cash(box, "n", 1_000, "nothing is owed")


@case(
    "trading-settle-003",
    "TRADE-2",
    "FALL-9",
    bug="a short settles the haircut of the long side, or with the sign of its size",
    effect="the winners of a fall are paid what was taken from them",
    importance=CRITICAL,
    start=HAIRCUT,
)
def a_short_settles_the_haircut_of_its_side(box: Recorder) -> None:
    # Long 5 from 300 with 300, at 237: a deficit of 15; 10 lots of ``g`` are short, 1 each; 5 stay uncovered.
    start(box, 300, x=300, w=10_000, g=100_000, s=10_000)
    box.trade("x", "w", 5, 300)
    for time in (2, 3, 4, 5, 6):  # 288, 277, 266, 256, 246
        box.price(200, time=time)
    box.trade("s", "g", 10, 246)
    box.price(200, time=7)
    box.do("z", ev.ResolveDefault("x"))
    box.hand("receipt.amounts.deficit", 15, "300 - 5 x 63 = -15")
    box.hand("observable.markets.BTC-PERP.haircut_short", 1, "15 / 10 lots = 1.5, down 1")
    cash(box, "g", 99_990, "100,000 - 10 that it owes")
    box.trade("g", "s", 4, 237)
    cash(box, "g", 100_026, "100,000 - 10 + 4 x 9")
    cash(box, "s", 9_964, "10,000 - 4 x 9: the long side owes nothing")


# ---------------------------------------------------------------------------------------------------------------
# Open interest


@case(
    "trading-interest-001",
    "TRADE-3",
    "INV-6",
    bug="open interest counts volume, or forgets fills through zero",
    effect="caps, margin and haircuts go by a figure that has drifted",
    importance=CRITICAL,
    start=market(),
)
def open_interest_is_the_long_side(box: Recorder) -> None:
    start(box, 100, a=5_000, b=5_000, c=5_000)
    for buyer, seller, size, lots, derivation in (
        ("a", "b", 10, 10, "a 10, b -10"),
        ("b", "c", 4, 10, "a 10, b -6, c -4"),
        ("b", "a", 15, 9, "a -5, b 9, c -4"),
        ("c", "b", 4, 5, "a -5, b 5, c 0"),
        ("c", "b", 2, 5, "a -5, b 3, c 2"),
        ("a", "b", 3, 2, "a -2, b 0, c 2"),
        ("a", "c", 2, 0, "all flat"),
        ("c", "a", 1, 1, "a -1, c 1"),
    ):
        box.trade(buyer, seller, size, 100)
        interest(box, lots, derivation)


# ---------------------------------------------------------------------------------------------------------------
# Order of the checks


@case(
    "trading-checks-001",
    "TRADE-8",
    "TRADE-4",
    "TRADE-5",
    "EVENT-4",
    "EVENT-8",
    "EVENT-9",
    bug="a check of a fill is missing or in another order",
    effect="a stranger fills for others, or two engines give different reasons",
    importance=CRITICAL,
    start=genesis(pool=BARE, pools=(SIDE,), feeds=(FEED,)),
)
def the_checks_before_a_fill_in_their_order(box: Recorder) -> None:
    # Each event breaks the check that it is refused for and a later one.
    box.open("a", 1_000)
    box.open("b", 1_000)
    box.open("y", 0, "side")
    box.open("z", 0, "side")
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    refuse(box, Reason.UNAUTHORISED, "admin", "ghost", "spook", 1, 1_500, market="NONE", actor="admin")
    refuse(box, Reason.UNAUTHORISED, "a", "a", "b", 1, 1_000, actor="a")
    refuse(box, Reason.UNKNOWN_MARKET, "NONE", "ghost", "spook", 1, 1_500, market="NONE")
    refuse(box, Reason.UNKNOWN_ACCOUNT, "ghost", "ghost", "spook", 1, 1_500)
    refuse(box, Reason.UNKNOWN_ACCOUNT, "spook", "z", "spook", 1, 1_500)
    refuse(box, Reason.SAME_ACCOUNT, "z", "z", "z", 1, 1_500)
    refuse(box, Reason.WRONG_POOL, "z", "z", "y", 1, 1_500)
    refuse(box, Reason.WRONG_POOL, "y", "a", "y", 1, 1_500)
    refuse(box, Reason.MARKET_NOT_TRADING, PERP, "a", "b", 1, 1_500)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    refuse(box, Reason.STALE_PRICE, PERP, "a", "b", 1, 1_500)  # there is no price yet
    box.price(1_000, time=1)
    box.time = 602
    refuse(box, Reason.STALE_PRICE, PERP, "a", "b", 1, 1_500)  # fresh until 601
    box.price(1_000)
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "a", "b", 1, 1_201)
    refuse(box, Reason.REDUCE_ONLY, "a", "a", "b", 1, 1_200)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE))
    box.trade("a", "b", 1, 1_200)
    position(box, "a", 1, 1_200, "1 x 1,200; 1,000 - 200 >= 10 % of 1,000")


@case(
    "trading-checks-002",
    "TRADE-8",
    "TRADE-6",
    "TRADE-10",
    "MARG-10",
    bug="a check after a fill is missing or in another order",
    effect="two engines give different reasons",
    start=market(max_position=10, max_open_interest=8, taker_fee=PERCENT, maker_fee=PERCENT),
)
def the_checks_after_a_fill_in_their_order(box: Recorder) -> None:
    # No cash at all: every fill also lacks fee and margin on both sides.
    start(box, 1_000, a=0, b=0)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    refuse(box, Reason.REDUCE_ONLY, "a", "a", "b", 11, 1_000)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE))
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "a", "a", "b", 11, 1_000)
    refuse(box, Reason.OPEN_INTEREST_CAP_EXCEEDED, PERP, "a", "b", 9, 1_000)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a", "b", 8, 1_000)
    box.do("a", ev.Deposit("a", "USD", 80))  # the fee of 1 % of 8,000
    refuse(box, Reason.INSUFFICIENT_MARGIN, "a", "a", "b", 8, 1_000)
    box.do("a", ev.Deposit("a", "USD", 800))
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "b", "a", "b", 8, 1_000)
    box.do("b", ev.Deposit("b", "USD", 80))
    refuse(box, Reason.INSUFFICIENT_MARGIN, "b", "a", "b", 8, 1_000)
    box.do("b", ev.Deposit("b", "USD", 800))
    box.trade("a", "b", 8, 1_000)
    cash(box, "a", 800, "880 - 80: exactly initial margin")
    cash(box, "b", 800, "880 - 80")
    interest(box, 8, "the cap")


@case(
    "trading-aliases-001",
    "TRADE-8",
    "EVENT-9",
    bug="two accounts of one owner cannot trade, or one account can with itself",
    effect="a fill with oneself moves the market without risk",
    start=market(),
)
def two_accounts_of_one_owner_are_two_accounts(box: Recorder) -> None:
    start(box, 1_000, a=1_000)
    box.do("a", ev.OpenAccount("a2", "main"))
    box.do("a", ev.Transfer("a", "a2", "USD", 500))
    refuse(box, Reason.SAME_ACCOUNT, "a", "a", "a", 1, 1_000)
    box.trade("a", "a2", 5, 1_000)
    interest(box, 5, "0 + 5; 10 % of 5,000 on each side")


# ---------------------------------------------------------------------------------------------------------------
# Status and expiry


@case(
    "trading-status-001",
    "TRADE-4",
    bug="a reduce-only market takes a fill in which one side grows or goes through zero",
    effect="risk grows in a market that is being wound down",
    importance=CRITICAL,
    start=market(),
)
def a_reduce_only_market(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000, c=10_000)
    box.trade("a", "b", 5, 1_000)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    refuse(box, Reason.REDUCE_ONLY, "c", "c", "a", 3, 1_000)  # the buyer opens
    refuse(box, Reason.REDUCE_ONLY, "c", "b", "c", 3, 1_000)  # the seller opens
    refuse(box, Reason.REDUCE_ONLY, "a", "a", "b", 1, 1_000)  # both grow
    refuse(box, Reason.REDUCE_ONLY, "b", "b", "a", 6, 1_000)  # both go through zero
    box.trade("b", "a", 3, 1_000)
    position(box, "a", 2, 2_000, "5 - 3; 5,000 - 3,000")
    box.trade("b", "a", 2, 1_000)
    interest(box, 0, "5 - 3 - 2")
    refuse(box, Reason.REDUCE_ONLY, "b", "b", "a", 1, 1_000)  # from nothing nothing reduces


@case(
    "trading-status-002",
    "TRADE-4",
    bug="a reduce-only market judges one side alone",
    effect="a flat account takes the other side of every reduction",
    importance=CRITICAL,
    start=market(),
)
def both_sides_reduce(box: Recorder) -> None:
    # a 5, b -2, c -3: b may close 2 against a and not 3.
    start(box, 1_000, a=10_000, b=10_000, c=10_000)
    box.trade("a", "b", 2, 1_000)
    box.trade("a", "c", 3, 1_000)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    refuse(box, Reason.REDUCE_ONLY, "b", "b", "a", 3, 1_000)
    refuse(box, Reason.REDUCE_ONLY, "c", "b", "c", 1, 1_000)  # b reduces, c grows
    box.trade("b", "a", 2, 1_000)
    interest(box, 3, "5 - 2")


@case(
    "trading-status-003",
    "TRADE-4",
    bug="a halt stops more than fills, or not even fills",
    effect="risk that exists cannot be reduced, or money is locked in",
    importance=CRITICAL,
    start=market(),
)
def a_halted_market(box: Recorder) -> None:
    # 10 lots from 1,000 with 1,000; at 941: 410 against 470.5.
    start(box, 1_000, a=1_000, b=10_000)
    box.trade("a", "b", 10, 1_000)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    refuse(box, Reason.MARKET_NOT_TRADING, PERP, "b", "a", 1, 1_000)
    box.do("b", ev.Withdraw("b", "USD", 9_000))
    cash(box, "b", 1_000, "10,000 - 9,000")
    box.do("b", ev.Deposit("b", "USD", 9_000))
    box.drive(941)
    box.do("b", ev.Liquidate("a", "b", PERP, 1))
    box.hand("receipt.amounts.closed", 1, "410 < 471: a piece of one lot")


@case(
    "trading-expiry-001",
    "TRADE-4",
    "SETTLE-3",
    bug="a market fills at or after its expiry, or stops before it",
    effect="a position is opened when its settlement price is known",
    importance=CRITICAL,
    start=genesis(
        pool=BARE,
        feeds=(FEED,),
        markets=(replace(LISTING, kind=MarketKind.FUTURE, expiry=601), replace(LISTING, market="P2")),
    ),
)
def a_market_fills_before_its_expiry(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000)
    box.price(1_000, time=600)
    box.trade("a", "b", 1, 1_000)
    position(box, "a", 1, 1_000, "600 < 601")
    box.time = 601
    refuse(box, Reason.MARKET_NOT_TRADING, PERP, "b", "a", 1, 1_000)
    box.do("z", ev.FixSettlement(PERP))
    refuse(box, Reason.MARKET_NOT_TRADING, PERP, "b", "a", 1, 1_000)
    box.do("z", ev.SettlePosition("a", PERP))
    box.do("z", ev.SettlePosition("b", PERP))
    box.do("z", ev.PayClaim("b", PERP), Reason.NOT_SETTLING)  # nothing was won: the market is closed
    refuse(box, Reason.MARKET_NOT_TRADING, PERP, "a", "b", 1, 1_000)
    box.trade("a", "b", 1, 1_000, "P2")
    position(box, "a", 1, 1_000, "a perpetual has no expiry", "P2")


def change(box: Recorder, status: MarketStatus, expect: Reason | None = None, actor: str = "admin") -> None:
    """A change of the perpetual's status."""
    box.do(actor, ev.SetStatus(PERP, status), expect)


@case(
    "trading-set-status-001",
    "TRADE-9",
    "SETTLE-1",
    bug="a status that belongs to final settlement is set or left by hand, or a delisted market is opened again",
    effect="positions are opened that settle at a price that is fixed",
    importance=CRITICAL,
    start=market(),
)
def the_status_of_a_market(box: Recorder) -> None:
    status = MarketStatus
    box.do("eve", ev.SetStatus("NONE", status.SETTLING), Reason.UNAUTHORISED)
    box.do("venue", ev.SetStatus(PERP, status.HALTED), Reason.UNAUTHORISED)
    box.do("admin", ev.SetStatus("NONE", status.SETTLING), Reason.UNKNOWN_MARKET)
    start(box, 1_000, a=10_000, b=10_000)
    open_status = (status.ACTIVE, status.REDUCE_ONLY, status.HALTED)
    for now in open_status:
        change(box, now)
        change(box, status.SETTLING, Reason.STATUS_NOT_ALLOWED)
        change(box, status.CLOSED, Reason.STATUS_NOT_ALLOWED)
        change(box, now)
    change(box, status.ACTIVE)
    box.trade("a", "b", 1, 1_000)
    interest(box, 1, "active again after a halt")
    box.do("admin", ev.Delist(PERP, 1))
    box.hand("receipt.amounts.expiry", 602, "1 + 1 + 600")
    change(box, status.HALTED)
    change(box, status.ACTIVE, Reason.STATUS_NOT_ALLOWED)
    change(box, status.REDUCE_ONLY)
    box.price(1_000, time=602)
    box.do("z", ev.FixSettlement(PERP))
    for asked in open_status:
        change(box, asked, Reason.STATUS_NOT_ALLOWED)
    box.do("z", ev.SettlePosition("a", PERP))
    box.do("z", ev.SettlePosition("b", PERP))
    for asked in open_status:
        change(box, asked, Reason.STATUS_NOT_ALLOWED)
    box.hand("observable.markets.BTC-PERP.settlement_price", 1_000, "one price of 1,000 in the window")


# ---------------------------------------------------------------------------------------------------------------
# Price band


@case(
    "trading-band-001",
    "TRADE-5",
    bug="the band is rounded up, strict, or open on one side",
    effect="value moves between accounts by fills far from the mark",
    importance=CRITICAL,
    start=market(price_band=25_000_000),
)
def the_band_around_the_mark(box: Recorder) -> None:
    # 2.5 % of 1,050 = 26.25, down 26.
    start(box, 1_050, a=10_000, b=10_000)
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "a", "b", 1, 1_023)
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "a", "b", 1, 1_077)
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "b", "a", 1, 1_077)
    box.trade("a", "b", 1, 1_024)
    position(box, "a", 1, 1_024, "1,050 - 26")
    box.trade("a", "b", 1, 1_076)
    position(box, "a", 2, 2_100, "1,050 + 26")


@case(
    "trading-band-002",
    "TRADE-5",
    bug="the band is counted from the index or from the last fill",
    effect="a fill that the mark does not allow is accepted",
    start=genesis(
        pool=BARE,
        feeds=(FEED,),
        markets=(
            replace(
                LISTING,
                parameters=replace(
                    MARKET,
                    trading=replace(TRADING, price_band=PERCENT),
                    margin=replace(MARKET.margin, tiers=(replace(MARKET.margin.tiers[0], maintenance=10 * PERCENT),)),
                    mark=replace(MARKET.mark, band=PERCENT, variation_interval=1),
                ),
            ),
        ),
    ),
)
def the_band_is_around_the_mark_not_the_index(box: Recorder) -> None:
    box.price(1_000, time=10)
    box.open("a", 10_000)
    box.open("b", 10_000)
    box.do("venue", ev.PostBook(PERP, 1_010, 1_010))
    box.hand("receipt.amounts.mark", 1_010, "1,000 + 10, within 1 %")
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "a", "b", 1, 999)
    box.trade("a", "b", 1, 1_020)
    position(box, "a", 1, 1_020, "1,010 + 1 % of 1,010 = 1,020.1")
    box.trade("a", "b", 1, 1_000)
    position(box, "a", 2, 2_020, "1,010 - 10: the last fill does not matter")


@case(
    "trading-band-003",
    "TRADE-5",
    bug="a band of less than an atom is widened",
    effect="a market of small prices has another band than it says",
    start=market(price_band=25_000_000),
)
def a_band_of_less_than_an_atom(box: Recorder) -> None:
    start(box, 7, a=100, b=100)  # 0.175, down 0
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "a", "b", 1, 8)
    refuse(box, Reason.PRICE_OUTSIDE_BAND, PERP, "a", "b", 1, 6)
    box.trade("a", "b", 1, 7)
    position(box, "a", 1, 7, "at the mark")


# ---------------------------------------------------------------------------------------------------------------
# Caps


@case(
    "trading-caps-001",
    "TRADE-6",
    bug="a cap is strict, counts one side, or binds what shrinks",
    effect="a cap that is lowered locks positions in",
    importance=CRITICAL,
    start=market(max_position=5),
)
def the_cap_of_a_position(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000, c=10_000)
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "a", "a", "b", 6, 1_000)
    box.trade("a", "b", 5, 1_000)
    position(box, "b", -5, -5_000, "5 <= 5 on both sides")
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "b", "c", "b", 1, 1_000)
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "b", "b", "a", 11, 1_000)  # -5 to 6
    box.trade("b", "a", 10, 1_000)
    position(box, "a", -5, -5_000, "5 - 10: as large as before, through zero")
    lower = replace(MARKET, trading=replace(TRADING, max_position=3))
    box.do("admin", ev.SetParameters(PERP, lower))
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "b", "b", "a", 1, 1_000)
    box.trade("a", "b", 1, 1_000)
    position(box, "a", -4, -4_000, "above the cap of 3 and smaller than before")
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "b", "b", "a", 1, 1_000)
    box.trade("a", "b", 8, 1_000)
    position(box, "a", 4, 4_000, "-4 to 4: not grown")


@case(
    "trading-caps-002",
    "TRADE-6",
    "TRADE-3",
    bug="the cap of open interest counts volume, is strict, or binds what shrinks",
    effect="a full market cannot be left",
    importance=CRITICAL,
    start=market(max_open_interest=7),
)
def the_cap_of_open_interest(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000, c=10_000, d=10_000)
    box.trade("a", "b", 5, 1_000)
    refuse(box, Reason.OPEN_INTEREST_CAP_EXCEEDED, PERP, "c", "d", 3, 1_000)
    box.trade("c", "d", 2, 1_000)
    interest(box, 7, "5 + 2 <= 7")
    refuse(box, Reason.OPEN_INTEREST_CAP_EXCEEDED, PERP, "c", "d", 1, 1_000)
    box.trade("c", "a", 5, 1_000)
    interest(box, 7, "handed on: 7 as before")
    box.do("admin", ev.SetParameters(PERP, replace(MARKET, trading=replace(TRADING, max_open_interest=3))))
    box.trade("a", "c", 1, 1_000)
    interest(box, 7, "handed on above a lowered cap")
    refuse(box, Reason.OPEN_INTEREST_CAP_EXCEEDED, PERP, "a", "b", 1, 1_000)
    box.trade("b", "c", 3, 1_000)
    interest(box, 4, "7 - 3: above the cap and smaller")
    refuse(box, Reason.OPEN_INTEREST_CAP_EXCEEDED, PERP, "c", "b", 1, 1_000)


@case(
    "trading-caps-003",
    "TRADE-6",
    "INV-8",
    bug="an account takes positions in any number of markets, or 64 are too many",
    effect="one account costs unbounded work in every check",
    start=genesis(
        pool=BARE,
        feeds=(FEED,),
        markets=tuple(
            replace(LISTING, market=f"M{number}", parameters=replace(MARKET, trading=replace(TRADING, max_position=5)))
            for number in range(65)
        ),
    ),
)
def at_most_64_markets_an_account(box: Recorder) -> None:
    start(box, 10, a=1_000, b=1_000, c=1_000)
    for number in range(64):
        box.trade("a", "b" if number % 2 else "c", 1, 10, f"M{number}")
    position(box, "a", 1, 10, "the 64th market", "M63")
    refuse(box, Reason.POSITION_CAP_EXCEEDED, "a", "a", "b", 6, 10, market="M64")  # before the number of markets
    refuse(box, Reason.TOO_MANY_POSITIONS, "a", "a", "b", 1, 10, market="M64")
    refuse(box, Reason.TOO_MANY_POSITIONS, "a", "b", "a", 1, 10, market="M64")
    box.trade("a", "b", 1, 10, "M63")
    position(box, "a", 2, 20, "a market that it holds", "M63")
    box.trade("c", "a", 1, 10, "M0")
    box.trade("a", "b", 1, 10, "M64")
    position(box, "a", 1, 10, "63 + 1: M0 was left", "M64")


# ---------------------------------------------------------------------------------------------------------------
# Fees

REBATE = {"taker_fee": 2_500_000, "maker_fee": -1_500_000, "insurance_share": SCALE // 2}


def fees(
    identifier: str,
    size: int,
    price: int,
    taker: int,
    maker: int,
    fund: int,
    treasury: int,
    derivation: str,
    **changes: int,
) -> None:
    """Register a vector: one fill with a taker who buys, and where its fees go."""

    def play(box: Recorder) -> None:
        start(box, price, a=10_000, b=10_000)
        box.trade("a", "b", size, price)
        box.hand("receipt.amounts.taker_fee", taker, derivation)
        box.hand("receipt.amounts.maker_fee", maker, derivation)
        cash(box, "a", 10_000 - taker, derivation)
        cash(box, "b", 10_000 - maker, derivation)
        box.hand("observable.pools.main.insurance_fund", fund, derivation)
        box.hand("observable.pools.main.fee_treasury", treasury, derivation)

    case(
        identifier,
        "TRADE-7",
        bug="a fee is rounded down, a rebate up, or the insurance fund's share is not the floor",
        effect="splitting a fill makes it free, or two accounts are paid for trading with each other",
        importance=CRITICAL,
        start=market(**changes),
    )(play)


fees("trading-fees-001", 1, 1_001, 3, -1, 1, 1, "2.5025, up 3; -1.5015, up -1; half of 2", **REBATE)
fees("trading-fees-002", 1, 1_000, 3, -1, 1, 1, "2.5, up 3; -1.5, up -1; half of 2", **REBATE)
fees("trading-fees-003", 4, 1_000, 10, -6, 2, 2, "10 and -6 exactly; half of 4", **REBATE)
fees("trading-fees-004", 1, 399, 1, 0, 0, 1, "0.9975, up 1; -0.5985, up 0; half of 1 is 0.5, down 0", **REBATE)
fees("trading-fees-005", 1, 400, 1, 0, 0, 1, "1 exactly; -0.6, up 0", **REBATE)
fees("trading-fees-006", 1, 401, 2, 0, 1, 1, "1.0025, up 2; -0.6015, up 0; half of 2", **REBATE)
fees("trading-fees-007", 1, 667, 2, -1, 0, 1, "1.6675, up 2; -1.0005, up -1; half of 1, down 0", **REBATE)
fees("trading-fees-008", 1, 666, 2, 0, 1, 1, "1.665, up 2; -0.999, up 0; half of 2", **REBATE)
fees(
    "trading-fees-009", 10, 1_001, 51, 21, 54, 18, "50.05, up 51; 20.02, up 21; 75 % of 72",
    taker_fee=5_000_000, maker_fee=2_000_000, insurance_share=75 * PERCENT,
)  # fmt: skip
fees(
    "trading-fees-010", 1, 1_000, 1, 0, 0, 1, "10^-9 of 1,000, up 1; nothing to insurance",
    taker_fee=1, maker_fee=0, insurance_share=SCALE - 1,
)  # fmt: skip
fees(
    "trading-fees-011", 1, 1_000, 20, -20, 0, 0, "the rebate takes the whole fee: nothing remains",
    taker_fee=2 * PERCENT, maker_fee=-2 * PERCENT, insurance_share=SCALE,
)  # fmt: skip
fees(
    "trading-fees-012", 1, 999, 10, -9, 1, 0, "9.99, up 10; -9.99, up -9: all of the 1 to insurance",
    taker_fee=PERCENT, maker_fee=-PERCENT, insurance_share=SCALE,
)  # fmt: skip


@case(
    "trading-maker-001",
    "TRADE-7",
    bug="the buyer always pays the taker fee",
    effect="the maker pays for the taker",
    start=market(taker_fee=PERCENT, maker_fee=0),
)
def the_maker_is_the_side_that_is_named(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000)
    box.do("venue", ev.Trade(PERP, "a", "b", 1, 1_000, ev.Side.BUYER))
    cash(box, "a", 10_000, "the buyer is the maker")
    cash(box, "b", 9_990, "the seller takes: 1 % of 1,000")
    box.do("venue", ev.Trade(PERP, "a", "b", 1, 1_000, ev.Side.SELLER))
    cash(box, "a", 9_990, "now the buyer takes")
    cash(box, "b", 9_990, "the seller makes")


@case(
    "trading-fees-013",
    "TRADE-7",
    bug="the fee is taken of the notional at mark",
    effect="a fill away from the mark pays another fee than it says",
    start=market(taker_fee=PERCENT, maker_fee=PERCENT),
)
def fees_are_of_the_fill_price(box: Recorder) -> None:
    start(box, 1_000, a=10_000, b=10_000)
    box.trade("a", "b", 1, 1_200)
    box.hand("receipt.amounts.taker_fee", 12, "1 % of 1,200")
    box.hand("receipt.amounts.maker_fee", 12, "1 % of 1,200")


# ---------------------------------------------------------------------------------------------------------------
# The settlement balance after a fill


def lent(limit: int = 0, **trading: Any) -> ev.Genesis:
    """A pool with ETH as collateral and a limit of negative balances."""
    parameters = replace(MARKET, trading=replace(TRADING, **trading))
    pool = replace(POOL, negative_balance_limit=limit)
    return genesis(pool=pool, markets=(replace(LISTING, parameters=parameters),))


def on_collateral(box: Recorder, *accounts: str) -> None:
    """BTC at 1,000, ETH at 2,000, accounts with 10 ETH and no cash, and a rich counterparty ``b``."""
    start(box, 1_000, b=50_000)
    box.price(2_000, "ETH")
    for name in accounts:
        box.open(name)
        box.do(name, ev.Deposit(name, "ETH", 10))


@case(
    "trading-limit-001",
    "TRADE-10",
    bug="fills ignore the negative balance limit, or a fee does not count",
    effect="money of others is lent without a limit",
    importance=CRITICAL,
    start=lent(limit=200, taker_fee=PERCENT),
)
def a_fee_counts_towards_the_limit(box: Recorder) -> None:
    on_collateral(box, "a")
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a", "b", 21, 1_000)  # 210
    box.trade("a", "b", 20, 1_000)
    cash(box, "a", -200, "0 - 1 % of 20,000: at the limit")
    box.do("venue", ev.Trade(PERP, "b", "a", 1, 1_000, ev.Side.BUYER))
    cash(box, "a", -210, "a sale at mark reduces: its fee may pass the limit")


@case(
    "trading-limit-002",
    "TRADE-10",
    "TRADE-4",
    bug="a loss locks a position in, or a reducing fill off mark takes money of others",
    effect="20 lots bought at 1,200 and sold at 800 to an own account take 8,000 of other people's custody",
    importance=CRITICAL,
    start=lent(),
)
def a_reduction_at_mark_may_pass_the_limit(box: Recorder) -> None:
    # Long and short 20 from 1,000; at 990 the long has lost 200.
    on_collateral(box, "a", "c")
    box.trade("a", "b", 20, 1_000)
    box.price(990, time=2)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "b", "a", 20, 989)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "b", "a", 21, 990)  # through zero
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "b", "a", 1, 989)
    box.trade("b", "a", 10, 990)
    cash(box, "a", -100, "10 x (990 - 1,000), at mark")
    box.trade("b", "a", 10, 991)
    cash(box, "a", -190, "-100 - 90, better than mark")
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a", "b", 1, 990)  # a new position needs the limit


@case(
    "trading-limit-003",
    "TRADE-10",
    bug="the exemption of a reducing fill looks at the wrong side of the mark",
    effect="a short is locked in by its loss, or buys back off mark from an own account",
    importance=CRITICAL,
    start=lent(),
)
def a_short_reduces_at_mark_or_below(box: Recorder) -> None:
    on_collateral(box, "a")
    box.trade("b", "a", 20, 1_000)
    box.price(1_010, time=2)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a", "b", 20, 1_011)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a", "b", 21, 1_010)
    box.trade("a", "b", 10, 1_010)
    cash(box, "a", -100, "10 x (1,000 - 1,010), at mark")
    box.trade("a", "b", 10, 1_009)
    cash(box, "a", -190, "-100 - 90, better than mark")


@case(
    "trading-limit-004",
    "TRADE-10",
    "TRADE-5",
    bug="fills walk around the limit of a negative balance",
    effect="an owner takes 8,000 of custody through a second account",
    importance=CRITICAL,
    start=lent(),
)
def fills_do_not_walk_around_the_limit(box: Recorder) -> None:
    on_collateral(box, "a")
    box.open("a2", 5_000)
    box.trade("a", "a2", 20, 1_200)
    position(box, "a", 20, 24_000, "20 x 1,200: nothing is realised yet")
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a2", "a", 21, 800)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a2", "a", 20, 800)
    refuse(box, Reason.NEGATIVE_BALANCE_LIMIT, "a", "a2", "a", 1, 999)


@case(
    "trading-range-001",
    "TRADE-10",
    "NUM-9",
    bug="a balance leaves its range by a fill, or one at its bound is refused",
    effect="an engine of fixed width turns the largest balance into a debt",
    importance=CRITICAL,
    start=lent(limit=AMOUNT_MAX),
)
def a_fill_leaves_the_balance_in_range(box: Recorder) -> None:
    # Four debtors with ETH of ample worth owe ``a`` 2^60 each: 2^62. It gives 10 back and may win 10.
    start(box, 1_000, b=50_000)
    box.price(10**9, "ETH")
    box.open("a")
    for name in ("c", "d", "e", "f"):
        box.open(name)
        box.do(name, ev.Deposit(name, "ETH", 10**10))
        box.do(name, ev.Transfer(name, "a", "USD", 2**60))
    box.do("a", ev.Transfer("a", "b", "USD", 10))
    box.trade("a", "b", 1, 990)
    box.trade("a", "b", 1, 989)
    refuse(box, Reason.BALANCE_OUT_OF_RANGE, "a", "b", "a", 2, 1_000)  # 2,000 - 1,979 = 21
    refuse(box, Reason.BALANCE_OUT_OF_RANGE, "a", "b", "a", 1, 1_000)  # 1,000 - 989 = 11
    box.trade("b", "a", 1, 999)
    cash(box, "a", 2**62, "2^62 - 10 + 999 - 989: 1,979 / 2 = 989.5, 989 released")
