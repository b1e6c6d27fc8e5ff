"""Vectors of final settlement: expiry, the average price, collection of losses, payment of claims, the end.

Unless a vector says otherwise ``d`` bought 10 lots of a future at 1000 from ``w`` with 10000. It expires at 100 and
settles at 890: ``d`` loses 1100, ``w`` has a claim of 1100.
"""

from __future__ import annotations

from dataclasses import replace

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Reason
from clearspec.formats import Importance
from clearspec.numerics import DURATION_MAX, MARKETS_MAX
from clearspec.parameters import InterestForm, Layer
from clearspec.state import MarketStatus
from clearspec_conformance.situations import (
    FEED,
    INSURED,
    PERP,
    POOL,
    SKIN,
    UNCOVERED,
    amount,
    cash,
    endow,
    enter,
    future,
    insure,
    listed,
    pool_of,
    posting,
    size,
    with_ether,
    world,
)
from clearspec_conformance.vectors import Recorder, case, kernel_case

CRITICAL = Importance.CRITICAL
INSURANCE, OWN, TEAR_UP, GAINS = Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP, Layer.GAINS_HAIRCUT
FUTURE = world(future())
MARKET = "observable.markets.FUT"
SHORTFALL = f"{MARKET}.shortfall"


def settled_price(market: str = "FUT") -> str:
    """Place of a market's settlement price."""
    return f"observable.markets.{market}.settlement_price"


def fix(box: Recorder, time: int = 100, market: str = "FUT") -> None:
    """Fix the settlement price; anyone may."""
    box.time = time
    box.do("anyone", ev.FixSettlement(market))


def settle(box: Recorder, *accounts: str, market: str = "FUT") -> None:
    """Settle positions; anyone may."""
    for account in accounts:
        box.do("anyone", ev.SettlePosition(account, market))


def pay(box: Recorder, account: str, market: str = "FUT") -> None:
    """Pay a claim; anyone may."""
    box.do("anyone", ev.PayClaim(account, market))


def expired(box: Recorder, held: int = 1000, price: int = 890) -> None:
    """``d`` with cash bought 10 lots at 1000 from ``w``; the settlement price is fixed."""
    enter(box, w=10_000, d=held)
    box.trade("d", "w", 10, 1000, "FUT")
    if price != 1000:
        box.drive(price)
    fix(box)


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-1: expiry and delisting


@case(
    "settlement-delist-001",
    "SETTLE-1",
    "TRADE-4",
    bug="a delisted market takes new risk, or its window has already begun",
    effect="somebody is settled at an average that was known when it was chosen",
    importance=CRITICAL,
    start=world(),
)
def a_perpetual_gets_an_expiry(box: Recorder) -> None:
    enter(box, a=10_000, b=10_000)
    box.trade("a", "b", 2, 1000)
    box.time = 100
    box.do("admin", ev.Delist(PERP, 400))
    box.hand(amount("expiry"), 1100, "100 + 400 + a window of 600")
    box.trade("a", "b", 1, 1000, expect=Reason.REDUCE_ONLY)
    box.trade("b", "a", 1, 1000)
    box.hand(size("a"), 1, "2 - 1")
    box.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED)
    box.do("anyone", ev.FixSettlement(PERP), Reason.SETTLEMENT_NOT_DUE)


@case(
    "settlement-delist-002",
    "SETTLE-1",
    bug="an expiry can be put off, or repeated at the same second",
    effect="holders wait for a settlement that never comes",
    start=world(),
)
def an_expiry_can_only_be_brought_forward(box: Recorder) -> None:
    box.do("admin", ev.Delist(PERP, 400))
    box.hand(amount("expiry"), 1000, "0 + 400 + 600")
    box.do("admin", ev.Delist(PERP, 401), Reason.STATUS_NOT_ALLOWED)
    box.do("admin", ev.Delist(PERP, 400), Reason.STATUS_NOT_ALLOWED)
    box.do("admin", ev.Delist(PERP, 399))
    box.hand(amount("expiry"), 999, "0 + 399 + 600")


@case(
    "settlement-delist-003",
    "SETTLE-1",
    bug="delisting opens a halted market for fills",
    effect="trading goes on at a price that was the reason for the halt",
    importance=CRITICAL,
    start=world(),
)
def a_halted_market_stays_halted(box: Recorder) -> None:
    enter(box, a=10_000, b=10_000)
    box.trade("a", "b", 2, 1000)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    box.do("admin", ev.Delist(PERP, 1))
    box.hand(amount("expiry"), 601, "0 + 1 + 600")
    box.trade("b", "a", 1, 1000, expect=Reason.MARKET_NOT_TRADING)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED)
    box.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    box.trade("b", "a", 1, 1000)
    box.hand(size("a"), 1, "2 - 1")


@case(
    "settlement-delist-004",
    "SETTLE-1",
    bug="only perpetuals can be delisted, or a future keeps its old expiry",
    effect="a future on a broken feed cannot be ended",
    start=world(future(expiry=5000, window=600)),
)
def a_future_is_brought_forward(box: Recorder) -> None:
    enter(box)
    box.do("admin", ev.Delist("FUT", 4401), Reason.STATUS_NOT_ALLOWED)  # 5001
    box.do("admin", ev.Delist("FUT", 4400), Reason.STATUS_NOT_ALLOWED)  # 5000
    box.do("admin", ev.Delist("FUT", 1))
    box.hand(amount("expiry"), 601, "0 + 1 + 600")
    fix(box, 601)
    box.hand(amount("settlement_price"), 1000, "the index for all of the window")


@case(
    "settlement-delist-005",
    "SETTLE-1",
    bug="no notice, or one above 2^32 s, is taken, or the expiry of the longest one does not fit its type",
    effect="a market ends without a warning, or the time of settlement wraps into the past",
    start=world(),
)
def a_notice_is_in_range(box: Recorder) -> None:
    box.do("admin", ev.Delist(PERP, 0), Reason.FIELD_OUT_OF_RANGE)
    box.do("admin", ev.Delist(PERP, DURATION_MAX + 1), Reason.FIELD_OUT_OF_RANGE)
    box.do("admin", ev.Delist(PERP, DURATION_MAX))
    box.hand(amount("expiry"), 4_294_967_896, "2^32 + 600")


@case(
    "settlement-order-001",
    "SETTLE-1",
    "EVENT-4",
    "EVENT-8",
    bug="checks come in another order",
    effect="two engines give different reasons for one event",
    importance=Importance.MESSAGE,
    start=FUTURE,
)
def checks_of_a_delisting_come_in_order(box: Recorder) -> None:
    enter(box)
    box.do("eve", ev.Delist("NONE", 1), Reason.UNAUTHORISED)
    box.do("admin", ev.Delist("NONE", 1), Reason.UNKNOWN_MARKET)
    box.do("eve", ev.Delist("FUT", 100), Reason.UNAUTHORISED)
    box.do("admin", ev.Delist("FUT", 100), Reason.STATUS_NOT_ALLOWED)
    fix(box)
    box.hand(amount("settlement_price"), 1000, "the index for all of the window")
    box.do("admin", ev.Delist("FUT", 1), Reason.STATUS_NOT_ALLOWED)


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-2: the mark blends into the average


WINDOWED = world(future(expiry=2000, window=600))


@case(
    "settlement-average-001",
    "SETTLE-2",
    "SETTLE-3",
    bug="the market settles at the last price, or new prices count for time that has passed",
    effect="whoever moves the price of the last second moves the settlement price",
    importance=CRITICAL,
    start=WINDOWED,
)
def the_price_is_a_time_weighted_average(box: Recorder) -> None:
    box.price(1000, time=1400)
    box.hand(f"{MARKET}.mark", 1000, "the window begins")
    box.price(1010, time=1700)
    box.hand(f"{MARKET}.mark", 1005, "(1000 x 300 + 1010 x 300) / 600")
    box.price(1020, time=1999)
    box.hand(f"{MARKET}.mark", 1005, "(300000 + 1010 x 299 + 1020) / 600 = 1005.02")
    box.hand("observable.feeds.BTC", 1020, "the index itself")
    fix(box, 2000)
    box.hand(amount("settlement_price"), 1005, "(300000 + 1010 x 299 + 1020) / 600 = 603010 / 600 = 1005.02")
    box.hand(settled_price(), 1005, "the same")


@case(
    "settlement-average-002",
    "SETTLE-2",
    bug="the average is rounded up or to the nearest",
    effect="engines settle at different prices",
    importance=CRITICAL,
    start=world(future(expiry=100, window=3)),
)
def the_average_is_rounded_down(box: Recorder) -> None:
    box.price(1000, time=97)
    box.price(1001, time=98)
    box.hand(f"{MARKET}.mark", 1000, "(1000 + 1001 x 2) / 3 = 1000.67")
    box.price(1002, time=99)
    fix(box)
    box.hand(amount("settlement_price"), 1001, "(1000 + 1001 + 1002) / 3")


@case(
    "settlement-average-003",
    "SETTLE-2",
    bug="the time before the first price counts as a price of 0",
    effect="a future whose feed starts late settles at a fraction of its price",
    importance=CRITICAL,
    start=WINDOWED,
)
def the_first_price_counts_for_the_time_before_it(box: Recorder) -> None:
    box.price(1000, time=1700)
    box.hand(f"{MARKET}.mark", 1000, "(1000 x 300 + 1000 x 300) / 600")
    box.price(1020, time=1850)
    box.hand(f"{MARKET}.mark", 1005, "(1000 x 300 + 1000 x 150 + 1020 x 150) / 600")


@case(
    "settlement-average-004",
    "SETTLE-2",
    "SETTLE-3",
    bug="prices after expiry enter the average",
    effect="who sends the last event chooses the settlement price",
    importance=CRITICAL,
    start=WINDOWED,
)
def a_price_after_expiry_does_not_count(box: Recorder) -> None:
    box.price(1000, time=1400)
    box.price(1010, time=1700)
    box.price(1020, time=2300)
    box.hand(f"{MARKET}.mark", 1005, "(1000 x 300 + 1010 x 300 + 1020 x 0) / 600")
    box.price(1030, time=2301)
    fix(box, 2400)
    box.hand(amount("settlement_price"), 1005, "as it stood at 2000")


@case(
    "settlement-average-005",
    "SETTLE-2",
    "SETTLE-3",
    bug="settlement waits for a fresh price",
    effect="a market on a dead feed never ends, and nobody is paid",
    importance=CRITICAL,
    start=WINDOWED,
)
def with_a_dead_feed_the_last_price_counts(box: Recorder) -> None:
    box.price(1000, time=10)
    fix(box, 50_000)
    box.hand(amount("settlement_price"), 1000, "1000 x 600 / 600, however old")


@case(
    "settlement-average-006",
    "SETTLE-2",
    "ORCL-5",
    bug="the basis stays to the end, or fades with the wrong rounding",
    effect="accounts are liquidated at a mark that is known not to be paid",
    importance=CRITICAL,
    start=world(future(expiry=2000, window=600, mark={"band": 3_000_000})),
)
def the_basis_fades_with_the_window(box: Recorder) -> None:
    box.price(1000, time=1390)
    box.do("venue", ev.PostBook("FUT", 990, 990))
    box.hand(amount("mark"), 997, "the basis is -10, in a band of 0.3 % of 1000 = 3: before the window")
    box.price(1000, time=1400)
    box.hand(f"{MARKET}.mark", 997, "as the window begins")
    box.price(1000, time=1700)
    box.hand(f"{MARKET}.mark", 999, "-3 x 300 / 600 = -1.5, toward zero -1")
    box.price(1000, time=1900)
    box.hand(f"{MARKET}.mark", 1000, "-3 x 100 / 600 = -0.5, toward zero 0")
    box.price(1000, time=2100)
    box.hand(f"{MARKET}.mark", 1000, "nothing is left after expiry")
    fix(box, 2101)
    box.hand(amount("settlement_price"), 1000, "the basis does not enter it")


@case(
    "settlement-fix-006",
    "SETTLE-3",
    "MARG-6",
    bug="the mark stays where the last price left it",
    effect="equities, and what is missing of a loss, count a price that nobody is paid",
    importance=CRITICAL,
    start=world(future(expiry=2000, window=600, mark={"band": 3_000_000})),
)
def the_settlement_price_becomes_the_mark(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("d", "w", 10, 1000, "FUT")
    box.price(1000, time=1390)
    box.do("venue", ev.PostBook("FUT", 990, 990))
    box.hand(amount("mark"), 997, "the basis is -10, in a band of 0.3 % of 1000 = 3")
    fix(box, 2000)
    box.hand(amount("settlement_price"), 1000, "the index for all of the window")
    box.hand(f"{MARKET}.mark", 1000, "the settlement price")


FUT_AND_ETHER = sb.genesis(
    pool=POOL,
    markets=(future(), replace(listed("ETH-PERP"), feed="ETH")),
    feeds=(FEED, replace(FEED, feed="ETH")),
)


@case(
    "settlement-fix-007",
    "SETTLE-3",
    "MARG-5",
    bug="a settlement price becomes stale like a mark",
    effect="an account loses half of what it has while it waits for its position to be settled",
    importance=CRITICAL,
    start=FUT_AND_ETHER,
)
def a_settlement_price_never_becomes_stale(box: Recorder) -> None:
    enter(box, w=10_000, d=1100)
    box.trade("d", "w", 10, 1000, "FUT")
    fix(box)
    box.price(1000, "ETH", time=50_000)
    box.trade("d", "w", 1, 1000, "ETH-PERP")
    box.hand(size("d", "ETH-PERP"), 1, "1100 covers 10 % of 10 x 1000 and of 1000, without an age penalty")


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-3: fixing the price


@case(
    "settlement-fix-001",
    "SETTLE-3",
    bug="the price is fixed a second early, or again",
    effect="the average misses its last second, or changes while positions are settled",
    importance=CRITICAL,
    start=FUTURE,
)
def the_price_is_fixed_once_from_expiry_on(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("d", "w", 10, 1000, "FUT")
    box.time = 99
    box.do("anyone", ev.FixSettlement("FUT"), Reason.SETTLEMENT_NOT_DUE)
    fix(box)
    box.hand(amount("settlement_price"), 1000, "the index for all of the window")
    box.do("anyone", ev.FixSettlement("FUT"), Reason.STATUS_NOT_ALLOWED)
    box.price(1010, time=101)
    box.hand(f"{MARKET}.mark", 1000, "a price no longer moves it")


@case(
    "settlement-fix-002",
    "SETTLE-3",
    "SETTLE-7",
    bug="a market without open interest waits for positions that nobody holds",
    effect="the market never closes",
    start=FUTURE,
)
def an_empty_market_closes_at_once(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("w", "d", 10, 1000, "FUT")
    fix(box)
    box.hand(amount("settlement_price"), 1000, "the index for all of the window")
    box.do("anyone", ev.FixSettlement("FUT"), Reason.STATUS_NOT_ALLOWED)
    box.do("anyone", ev.SettlePosition("d", "FUT"), Reason.NOT_SETTLING)
    box.price(1010, time=101)
    box.hand(f"{MARKET}.mark", 1000, "a price no longer moves it")


@case(
    "settlement-fix-003",
    "SETTLE-3",
    bug="a market of one lot counts as empty",
    effect="the last position is never settled",
    importance=CRITICAL,
    start=FUTURE,
)
def one_lot_is_open_interest(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("d", "w", 1, 1000, "FUT")
    box.drive(980)
    fix(box)
    settle(box, "w")
    box.hand(amount("claim"), 20, "1000 - 980")
    settle(box, "d")
    box.hand(amount("collected"), 20, "980 - 1000")
    pay(box, "w")
    box.hand(amount("paid"), 20, "20 x 20 / 20")


@case(
    "settlement-fix-004",
    "SETTLE-3",
    bug="an expiry at the first second is taken for none",
    effect="a market with the shortest life is never settled",
    start=world(future(expiry=1)),
)
def the_shortest_future_is_settled(box: Recorder) -> None:
    box.price(1000)
    box.do("anyone", ev.FixSettlement("FUT"), Reason.SETTLEMENT_NOT_DUE)
    fix(box, 1)
    box.hand(amount("settlement_price"), 1000, "1000 x 1 / 1")


@case(
    "settlement-fix-005",
    "SETTLE-3",
    bug="a price of one atom is taken for none, or falls below one",
    effect="a worthless market cannot be ended",
    start=FUTURE,
)
def the_smallest_price_settles(box: Recorder) -> None:
    box.price(1)
    fix(box)
    box.hand(amount("settlement_price"), 1, "1 x 1 / 1, the least price")


@case(
    "settlement-order-002",
    "SETTLE-3",
    "EVENT-8",
    bug="checks come in another order",
    effect="two engines give different reasons for one event",
    importance=Importance.MESSAGE,
    start=sb.genesis(
        pool=POOL,
        markets=(listed(), future(), replace(future(), market="OLD", feed="ETH")),
        feeds=(FEED, replace(FEED, feed="ETH")),
    ),
)
def checks_of_fixing_come_in_order(box: Recorder) -> None:
    box.price(2000, "ETH")
    box.do("anyone", ev.FixSettlement("NONE"), Reason.UNKNOWN_MARKET)
    box.do("anyone", ev.FixSettlement(PERP), Reason.SETTLEMENT_NOT_DUE)  # nor has its feed a price
    box.do("anyone", ev.FixSettlement("FUT"), Reason.SETTLEMENT_NOT_DUE)  # nor has its feed a price
    box.time = 100
    box.do("anyone", ev.FixSettlement("FUT"), Reason.STALE_PRICE)
    fix(box, market="OLD")
    box.hand(amount("settlement_price"), 2000, "the index for all of the window")
    box.do("anyone", ev.FixSettlement("OLD"), Reason.STATUS_NOT_ALLOWED)


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-4: first phase


@case(
    "settlement-winner-first-001",
    "SETTLE-4",
    "SETTLE-5",
    "SETTLE-6",
    bug="a gain is paid when its position is settled",
    effect="the first winners are paid in full and the last not at all",
    importance=CRITICAL,
    start=FUTURE,
)
def a_winning_short_settles_before_the_loser(box: Recorder) -> None:
    expired(box, 1200)
    settle(box, "w")
    box.hand(amount("claim"), 1100, "-10 x 890 + 10000")
    box.hand(cash("w"), 10_000, "no money moves yet")
    box.hand(f"{MARKET}.open_interest", 10, "the long is still open")
    box.do("anyone", ev.PayClaim("w", "FUT"), Reason.POSITIONS_REMAIN)
    settle(box, "d")
    box.hand(amount("loss"), 1100, "10 x 890 - 10000")
    box.hand(amount("collected"), 1100, "it has 1200")
    box.hand(amount("funds"), 0, "nothing is missing")
    box.hand(cash("d"), 100, "1200 - 1100")
    pay(box, "w")
    box.hand(amount("paid"), 1100, "1100 x 1100 / 1100")
    box.hand(cash("w"), 11_100, "10000 + 1100")
    box.do("anyone", ev.PayClaim("w", "FUT"), Reason.NOT_SETTLING)


@case(
    "settlement-loser-first-001",
    "SETTLE-4",
    "SETTLE-5",
    "SETTLE-6",
    bug="the market closes when no long is left",
    effect="the winning shorts are never settled",
    importance=CRITICAL,
    start=FUTURE,
)
def a_losing_long_settles_before_the_winner(box: Recorder) -> None:
    expired(box, 1200)
    settle(box, "d")
    box.hand(amount("collected"), 1100, "10 x 890 - 10000")
    box.hand(f"{MARKET}.open_interest", 0, "no long is left")
    box.do("anyone", ev.PayClaim("w", "FUT"), Reason.POSITIONS_REMAIN)
    settle(box, "w")
    box.hand(amount("claim"), 1100, "-10 x 890 + 10000")
    pay(box, "w")
    box.hand(amount("paid"), 1100, "1100 x 1100 / 1100")


@case(
    "settlement-winner-first-002",
    "SETTLE-4",
    "SETTLE-6",
    bug="all positions count as settled when open interest is 0",
    effect="the winning long is paid before the loss of the short has come in",
    importance=CRITICAL,
    start=FUTURE,
)
def a_winning_long_settles_before_the_loser(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("w", "d", 10, 1000, "FUT")
    box.drive(1110)
    fix(box)
    settle(box, "w")
    box.hand(amount("claim"), 1100, "10 x 1110 - 10000")
    box.hand(f"{MARKET}.open_interest", 0, "no long is left; the short is")
    box.do("anyone", ev.PayClaim("w", "FUT"), Reason.POSITIONS_REMAIN)
    settle(box, "d")
    box.hand(amount("collected"), 1100, "-10 x 1110 + 10000")
    pay(box, "w")
    box.hand(cash("w"), 11_100, "10000 + 1100")


@case(
    "settlement-residual-001",
    "SETTLE-4",
    "SETTLE-6",
    bug="all positions count as settled when the settled lots cancel out",
    effect="the first pair is paid before the losses of the others have come in",
    importance=CRITICAL,
    start=FUTURE,
)
def a_settled_pair_is_not_the_whole_market(box: Recorder) -> None:
    enter(box, w=10_000, v=10_000, d=1000, e=1200)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("e", "v", 10, 1000, "FUT")
    box.drive(890)
    fix(box)
    settle(box, "w", "e")
    box.hand(amount("collected"), 1100, "of 1200; settled lots -10 + 10, open interest 10")
    box.do("anyone", ev.PayClaim("w", "FUT"), Reason.POSITIONS_REMAIN)
    settle(box, "d", "v")
    pay(box, "w")
    box.hand(amount("paid"), 1050, "2100 x 1100 / 2200")


@case(
    "settlement-zero-001",
    "SETTLE-4",
    "SETTLE-6",
    bug="a position without gain or loss keeps the market open, or divides by claims of nothing",
    effect="the market never closes, or the engine stops",
    importance=CRITICAL,
    start=FUTURE,
)
def without_claims_the_market_closes_with_its_last_position(box: Recorder) -> None:
    expired(box, 1200, price=1000)
    settle(box, "w")
    box.hand(amount("claim"), 0, "-10 x 1000 + 10000")
    settle(box, "d")
    box.hand(amount("claim"), 0, "10 x 1000 - 10000")
    box.do("anyone", ev.PayClaim("d", "FUT"), Reason.NOT_SETTLING)


@case(
    "settlement-zero-002",
    "SETTLE-4",
    "SETTLE-6",
    bug="a settled position without a gain is a claim",
    effect="a claim of nothing holds the market open, or is paid",
    start=FUTURE,
)
def a_gain_of_nothing_is_no_claim(box: Recorder) -> None:
    enter(box, v=10_000, w=10_000, d=1300)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("d", "v", 1, 890, "FUT")
    box.drive(890)
    fix(box)
    settle(box, "v")
    box.hand(amount("claim"), 0, "-890 + 890")
    settle(box, "w", "d")
    box.do("anyone", ev.PayClaim("v", "FUT"), Reason.NO_CLAIM)
    pay(box, "w")
    box.hand(amount("paid"), 1100, "all that is claimed")


@case(
    "settlement-order-003",
    "SETTLE-4",
    "EVENT-8",
    bug="checks come in another order, or a settled position is settled again",
    effect="two engines give different reasons for one event, or a gain is claimed twice",
    importance=CRITICAL,
    start=with_ether(listed(), future(), future(market="FUT-2")),
)
def checks_of_settling_come_in_order(box: Recorder) -> None:
    box.price(49, "ETH")
    enter(box, w=10_000, d=1000, c=0)
    box.do("d", ev.Deposit("d", "ETH", 2))
    box.trade("d", "w", 10, 1000, "FUT")
    box.open("k", 1000)
    box.trade("k", "w", 1, 1000, "FUT-2")
    box.drive(890)
    box.do("anyone", ev.SettlePosition("ghost", "NONE"), Reason.UNKNOWN_MARKET)
    box.do("anyone", ev.SettlePosition("ghost", "FUT"), Reason.UNKNOWN_ACCOUNT)
    box.do("anyone", ev.SettlePosition("d", PERP), Reason.NOT_SETTLING)
    box.do("anyone", ev.SettlePosition("d", "FUT"), Reason.NOT_SETTLING)
    fix(box)
    box.do("anyone", ev.SettlePosition("c", "FUT"), Reason.NO_POSITION)
    box.do("anyone", ev.SettlePosition("d", "FUT"), Reason.COLLATERAL_REMAINS)  # 98 - 100
    fix(box, market="FUT-2")
    box.do("anyone", ev.SettlePosition("d", "FUT-2"), Reason.NO_POSITION)  # its collateral remains too
    settle(box, "w")
    box.hand(amount("claim"), 1100, "10000 - 8900")
    box.do("anyone", ev.SettlePosition("w", "FUT"), Reason.NO_POSITION)
    box.do("w", ev.Convert("d", "w", "ETH", 2))
    box.do("anyone", ev.ResolveDefault("d"), Reason.CLAIMS_PENDING)
    settle(box, "d")
    box.hand(amount("collected"), 1094, "1000 + 95 % of 98 = 93.1, 94")
    box.do("anyone", ev.SettlePosition("d", "FUT"), Reason.NO_POSITION)


@case(
    "settlement-funding-001",
    "SETTLE-4",
    "SETTLE-1",
    "FUND-6",
    "TRADE-2",
    bug="a delisted perpetual is settled without the funding that its positions owe",
    effect="clearing pays out less or more than it gets, and the market never empties",
    importance=CRITICAL,
    start=world(listed(window=10, funding={"interest": 10**6, "interest_form": InterestForm.ADDED, "cap": 5 * 10**6})),
)
def a_delisted_perpetual_settles_the_funding_owed(box: Recorder) -> None:
    enter(box, w=10_000, d=2000)
    box.trade("d", "w", 10, 1000)
    box.price(1000, time=3600)
    box.do("anyone", ev.AccrueFunding(PERP))
    box.hand(amount("index_step"), 1, "0.1 % of 1000 for one period")
    box.do("admin", ev.Delist(PERP, 1))
    box.hand(amount("expiry"), 3611, "3600 + 1 + 10")
    fix(box, 3611, PERP)
    settle(box, "w", market=PERP)
    box.hand(posting(0), 10, "10 x 1, clearing to the short")
    box.hand(amount("claim"), 0, "10 x (1000 - 1000)")
    settle(box, "d", market=PERP)
    box.hand(posting(0), 10, "10 x 1, the long to clearing")
    box.hand(cash("d"), 1990, "2000 - 10")
    box.hand(cash("w"), 10_010, "10000 + 10")
    box.do("anyone", ev.PayClaim("w", PERP), Reason.NOT_SETTLING)


@case(
    "settlement-haircut-001",
    "SETTLE-4",
    "FALL-9",
    "TRADE-2",
    bug="a position is settled without the gains haircut that it owes",
    effect="clearing has paid out what it does not get back",
    importance=CRITICAL,
    start=world(future(), pool=pool_of(layers=(GAINS,))),
)
def a_settled_winner_pays_the_haircut_that_it_owes(box: Recorder) -> None:
    enter(box, w=10_000, d=1000, g=1000)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("g", "w", 4, 1000, "FUT")
    box.drive(890)
    box.do("anyone", ev.ResolveDefault("d"))
    box.hand(amount("gains_haircut"), 64, "100 / 4 = 25, at most 906 - 890 = 16 a lot of 4")
    fix(box)
    settle(box, "w")
    box.hand(posting(0), 64, "4 x 16, w to clearing")
    box.hand(amount("claim"), 440, "4 x 110")
    settle(box, "g")
    box.hand(amount("collected"), 440, "4 x 110")
    pay(box, "w")
    box.hand(cash("w"), 11_476, "10000 + 1100 - 64 + 440")


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-5: collecting a loss


@case(
    "settlement-shortfall-001",
    "SETTLE-5",
    "SETTLE-6",
    "INV-7",
    bug="a loss that its account cannot bear is debited whole",
    effect="winners are paid with a debt that nobody will pay",
    importance=CRITICAL,
    start=FUTURE,
)
def what_is_missing_lowers_the_payout(box: Recorder) -> None:
    expired(box)
    settle(box, "d")
    box.hand(amount("loss"), 1100, "10 x 110")
    box.hand(amount("collected"), 1000, "all that it has")
    box.hand(cash("d"), 0, "1000 - 1000")
    settle(box, "w")
    pay(box, "w")
    box.hand(amount("claim"), 1100, "10 x 110")
    box.hand(amount("paid"), 1000, "all that came in")
    box.hand(cash("w"), 11_000, "10000 + 1000")
    box.hand(UNCOVERED, 0, "the winner bears what is missing")


@case(
    "settlement-shortfall-002",
    "SETTLE-5",
    bug="an account worth exactly nothing is forgiven, or its last atom is left to it",
    effect="winners are paid less than could be collected",
    importance=CRITICAL,
    start=FUTURE,
)
def an_account_that_can_just_pay_pays_whole(box: Recorder) -> None:
    expired(box, 1100)
    settle(box, "d")
    box.hand(amount("collected"), 1100, "1100 - 1100 = 0 is not below nothing")
    box.hand(cash("d"), 0, "1100 - 1100")


@case(
    "settlement-shortfall-003",
    "SETTLE-5",
    bug="a deficit of one atom is taken for none",
    effect="an empty account is left with a debt of one atom among the claims",
    importance=CRITICAL,
    start=FUTURE,
)
def one_atom_is_missing(box: Recorder) -> None:
    expired(box, 1099)
    settle(box, "d")
    box.hand(amount("collected"), 1099, "1100 - 1")
    box.hand(cash("d"), 0, "1099 - 1099")


@case(
    "settlement-shortfall-004",
    "SETTLE-5",
    "SETTLE-6",
    "INV-11",
    bug="what the second loser cannot bear replaces what the first could not, or claims that are cut stay open",
    effect="a house publishes less than it owes, or owes for ever what nobody can claim",
    importance=CRITICAL,
    start=FUTURE,
)
def the_shortfall_adds_up_and_is_borne(box: Recorder) -> None:
    enter(box, w=10_000, v=10_000, d=1000, e=1070)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("e", "v", 10, 1000, "FUT")
    box.drive(890)
    fix(box)
    settle(box, "d")
    box.hand(SHORTFALL, 100, "1100 - 1000")
    settle(box, "e")
    box.hand(SHORTFALL, 130, "100 + 1100 - 1070")
    settle(box, "w", "v")
    pay(box, "w")
    box.hand(amount("paid"), 1035, "1100 x 2070 / 2200")
    box.hand(SHORTFALL, 65, "130 - (1100 - 1035)")
    pay(box, "v")
    box.hand(SHORTFALL, 0, "65 - 65: borne by those who won")


@case(
    "settlement-shortfall-005",
    "SETTLE-5",
    "INV-11",
    bug="what a fund pays stays in the shortfall too",
    effect="the same atoms are missing twice in the sum that an auditor makes",
    importance=CRITICAL,
    start=FUTURE,
)
def the_shortfall_is_what_nobody_else_bears(box: Recorder) -> None:
    insure(box, 40)
    expired(box)
    settle(box, "d")
    box.hand(amount("funds"), 40, "of 100 that are missing")
    box.hand(SHORTFALL, 60, "1100 - 1000 - 40")
    settle(box, "w")
    pay(box, "w")
    box.hand(amount("paid"), 1040, "1000 + 40")
    box.hand(SHORTFALL, 0, "60 - (1100 - 1040)")


def drawn_in_order(number: int, layers: tuple[Layer, ...], insurance: int, skin: int) -> None:
    """Register the vector of a pool whose layers are these; each fund holds 60, and 100 are missing."""

    @case(
        f"settlement-funds-{number:03}",
        "SETTLE-5",
        "FALL-5",
        bug="settlement draws on funds that the pool does not list, or in another order",
        effect="the wrong fund pays, or winners bear what a fund should",
        importance=CRITICAL,
        start=world(future(), pool=pool_of(layers=layers)),
    )
    def settlement_draws_the_funds_of_the_pool(box: Recorder) -> None:
        insure(box, 60)
        endow(box, 60)
        expired(box)
        settle(box, "d")
        box.hand(amount("funds"), insurance + skin, "of 100, from funds of 60 that are layers of the pool")
        box.hand(amount("collected"), 1000 + insurance + skin, "1100 - 100 and what the funds paid")
        box.hand(INSURED, 60 - insurance, f"60 - {insurance}")
        box.hand(SKIN, 60 - skin, f"60 - {skin}")
        settle(box, "w")
        pay(box, "w")
        box.hand(amount("paid"), 1000 + insurance + skin, "all that came in")


for place, (order, from_insurance, from_skin) in enumerate(
    (
        ((), 0, 0),
        ((INSURANCE,), 60, 0),
        ((OWN,), 0, 60),
        ((INSURANCE, OWN, TEAR_UP, GAINS), 60, 40),
        ((OWN, INSURANCE), 40, 60),
        ((INSURANCE, TEAR_UP, GAINS), 60, 0),
    ),
    start=1,
):
    drawn_in_order(place, order, from_insurance, from_skin)


@case(
    "settlement-cap-001",
    "SETTLE-5",
    "FALL-5",
    bug="settlement draws on insurance without the market's cap, or does not use it up",
    effect="a manipulated market empties the fund at its expiry",
    importance=CRITICAL,
    start=world(listed(), future(liquidation={"insurance_cap": 130}), pool=pool_of(layers=(INSURANCE,))),
)
def the_markets_cap_holds_in_settlement(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, w=50_000, d=1000, e=1000)
    for account in ("d", "e"):
        box.trade(account, "w", 10, 1000, "FUT")
    box.drive(890)
    fix(box)
    settle(box, "d")
    box.hand(amount("funds"), 100, "of the 130 that the market may draw")
    settle(box, "e")
    box.hand(amount("funds"), 30, "130 - 100")
    box.hand(amount("collected"), 1030, "1100 - 100 + 30")
    settle(box, "w")
    pay(box, "w")
    box.hand(amount("paid"), 2130, "2200 - 70")


@case(
    "settlement-cap-002",
    "SETTLE-5",
    "FALL-5",
    bug="defaults and settlement have separate budgets of the pool",
    effect="the fund pays twice its cap in one interval",
    importance=CRITICAL,
    start=world(listed(), future(), pool=pool_of(layers=(INSURANCE,), insurance_cap=130)),
)
def the_pools_cap_holds_for_default_and_settlement_together(box: Recorder) -> None:
    insure(box, 1000)
    enter(box, w=50_000, d=1000, e=1000)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("e", "w", 10, 1000)
    box.drive(890)
    box.do("anyone", ev.ResolveDefault("e"))
    box.hand(amount("insurance_fund"), 100, "of 130")
    fix(box)
    settle(box, "d")
    box.hand(amount("funds"), 30, "130 - 100")


@case(
    "settlement-proportion-001",
    "SETTLE-5",
    "FALL-4",
    bug="the whole deficit of an account is missing in the market that settles first",
    effect="one market's winners pay for another, and after a recovery the account keeps what it was forgiven",
    importance=CRITICAL,
    start=world(listed(), future(), pool=pool_of(layers=())),
)
def a_deficit_is_missing_in_proportion_to_losses(box: Recorder) -> None:
    enter(box, w=50_000, d=1501)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("d", "w", 5, 1000)
    box.drive(890)
    fix(box)
    settle(box, "d")
    box.hand(amount("collected"), 1001, "1100 - 99; 149 x 1100 / 1650 = 99.3 of the deficit of 1650 - 1501")
    box.hand(cash("d"), 500, "1501 - 1001")
    box.do("anyone", ev.ResolveDefault("d"))
    box.hand(amount("deficit"), 50, "550 - 500, what is left of 149")


@case(
    "settlement-proportion-002",
    "SETTLE-5",
    bug="nothing is missing while the account holds another position",
    effect="a loser keeps a lot elsewhere, and whoever stands against it pays the winner here",
    importance=CRITICAL,
    start=world(listed(), future(), pool=pool_of(layers=(TEAR_UP,))),
)
def a_lot_elsewhere_does_not_move_the_loss(box: Recorder) -> None:
    enter(box, w=50_000, v=10_000, d=1100)
    box.trade("d", "w", 10, 1000, "FUT")
    box.trade("d", "v", 1, 890)
    box.drive(890)
    fix(box)
    settle(box, "d")
    box.hand(amount("collected"), 1100, "1100 - 1100 = 0 and the lot at its mark: nothing is missing yet")
    box.drive(889)
    box.do("anyone", ev.ResolveDefault("d"))
    box.hand(amount("tear_up"), 1, "v bears the one atom of its own market")


@case(
    "settlement-proportion-003",
    "SETTLE-5",
    bug="a gain elsewhere is divided like a loss",
    effect="what is missing is more than the deficit, or none of it",
    importance=CRITICAL,
    start=world(listed(), future(), pool=pool_of(layers=())),
)
def a_gain_elsewhere_has_no_weight(box: Recorder) -> None:
    enter(box, w=50_000, d=2100)
    box.trade("d", "w", 20, 1000, "FUT")
    box.trade("w", "d", 1, 1000)
    box.drive(885)
    fix(box)
    settle(box, "d")
    box.hand(amount("loss"), 2300, "20 x 115")
    box.hand(amount("collected"), 2215, "2300 - 85: the deficit of 2300 - 115 - 2100, all of it from this loss")
    box.hand(cash("d"), -115, "2100 - 2215: the gain of 115 stands against it")


@case(
    "settlement-proportion-004",
    "SETTLE-5",
    bug="more is missing than the loss",
    effect="a loser is paid for losing",
    importance=CRITICAL,
    start=with_ether(listed(), future(), layers=(), negative_balance_limit=1000),
)
def no_more_is_missing_than_was_lost(box: Recorder) -> None:
    box.price(2000, "ETH")
    enter(box, w=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 1))
    box.trade("d", "w", 1, 1000, "FUT")
    box.do("d", ev.Withdraw("d", "USD", 900))
    box.drive(990)
    fix(box)
    box.drive(900, "ETH")
    box.do("w", ev.Convert("d", "w", "ETH", 1))
    settle(box, "d")
    box.hand(amount("loss"), 10, "1000 - 990")
    box.hand(amount("collected"), 0, "the deficit is 900 + 10 - 855 = 55; all of the loss is missing, no more")
    box.do("anyone", ev.ResolveDefault("d"))
    box.hand(amount("deficit"), 45, "900 - 855")


@case(
    "settlement-collateral-001",
    "SETTLE-4",
    "SETTLE-5",
    bug="a loss beside collateral is forgiven, or a solvent account must sell its collateral first",
    effect="winners pay for an account that owns enough",
    importance=CRITICAL,
    start=with_ether(future()),
)
def a_solvent_account_pays_whole_from_a_negative_balance(box: Recorder) -> None:
    box.price(100, "ETH")
    enter(box, w=10_000, d=1000)
    box.do("d", ev.Deposit("d", "ETH", 1))
    box.trade("d", "w", 10, 1000, "FUT")
    box.drive(890)
    fix(box)
    settle(box, "d")
    box.hand(amount("collected"), 1100, "1000 + 100 - 1100 = 0 is not below nothing")
    box.hand(cash("d"), -100, "1000 - 1100; one ETH of 100 stands against it")


@case(
    "settlement-collateral-002",
    "SETTLE-4",
    "SETTLE-5",
    bug="dust holds up settlement, or counts against what is missing",
    effect="an atom that a stranger sends holds up every winner, or moves the loss to the pool",
    importance=CRITICAL,
    start=with_ether(future(), dust=2),
)
def dust_neither_holds_up_nor_counts(box: Recorder) -> None:
    box.price(1, "ETH")
    enter(box, w=10_000, d=1000)
    box.do("w", ev.Deposit("w", "ETH", 3))
    box.trade("d", "w", 10, 1000, "FUT")
    box.drive(890)
    fix(box)
    box.do("w", ev.Transfer("w", "d", "ETH", 3))
    box.do("anyone", ev.SettlePosition("d", "FUT"), Reason.COLLATERAL_REMAINS)  # 3 are above 2
    box.do("w", ev.Convert("d", "w", "ETH", 1))
    settle(box, "d")
    box.hand(amount("collected"), 1001, "1100 - 99: the deficit without the dust, 1100 - 1001")
    box.hand(cash("d"), 0, "1001 - 1001")


@case(
    "settlement-owed-001",
    "SETTLE-5",
    "TRADE-2",
    bug="what is missing counts the price loss alone, not the haircut or funding that the position owes",
    effect="the account is left with a debt, or is forgiven what it could pay",
    importance=CRITICAL,
    start=world(listed(window=10, funding={"interest": 10**6, "interest_form": InterestForm.ADDED, "cap": 5 * 10**6})),
)
def what_is_missing_is_at_most_the_result(box: Recorder) -> None:
    enter(box, w=10_000, d=1000)
    box.trade("d", "w", 10, 1000)
    box.price(1000, time=3600)
    box.do("anyone", ev.AccrueFunding(PERP))
    box.hand(amount("index_step"), 1, "0.1 % of 1000 for one period: 10 are owed")
    box.drive(890)
    box.do("admin", ev.Delist(PERP, 1))
    fix(box, box.state.markets[PERP].listing.expiry, PERP)
    settle(box, "d", market=PERP)
    box.hand(posting(0), 10, "10 x 1, the long to clearing")
    box.hand(amount("loss"), 1100, "10 x 110, without the funding")
    box.hand(amount("collected"), 990, "1100 - 110: the deficit is 1100 + 10 - 1000")
    box.hand(cash("d"), 0, "1000 - 10 - 990")


def indebted(box: Recorder, side: int, price: int, ether: int = 900) -> None:
    """``d`` holds one lot of a delisted perpetual from 1000 and owes 900 less what its ETH was sold for.

    Funding of one atom a lot was accrued: the long owes it, the short is owed it.
    """
    box.price(2000, "ETH")
    enter(box, w=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 1))
    box.do("d", ev.Withdraw("d", "USD", 900))
    box.trade(*(("d", "w") if side > 0 else ("w", "d")), 1, 1000)
    box.price(1000, time=3600)
    box.price(2000, "ETH")
    box.do("anyone", ev.AccrueFunding(PERP))
    box.hand(amount("index_step"), 1, "0.1 % of 1000 for one period")
    box.drive(price)
    box.do("admin", ev.Delist(PERP, 1))
    box.drive(ether, "ETH")
    box.do("w", ev.Convert("d", "w", "ETH", 1))
    fix(box, 3700, PERP)
    settle(box, "d", market=PERP)


FUNDED = with_ether(
    listed(window=10, funding={"interest": 10**6, "interest_form": InterestForm.ADDED, "cap": 5 * 10**6}),
    layers=(),
    negative_balance_limit=1000,
)


@case(
    "settlement-owed-002",
    "SETTLE-5",
    bug="more is missing than the result, because funding owed counts in it",
    effect="clearing pays a loser",
    importance=CRITICAL,
    start=FUNDED,
)
def funding_owed_is_not_missing_twice(box: Recorder) -> None:
    indebted(box, 1, 995)
    box.hand(amount("loss"), 5, "1000 - 995; at mark it has lost 6, with 1 of funding, and owes 900 - 855 besides")
    box.hand(amount("collected"), 0, "5 - min(5, 6, 51 x 6 / 6)")
    box.hand(cash("d"), -46, "-900 + 855 - 1")


@case(
    "settlement-owed-003",
    "SETTLE-5",
    bug="what is missing is bounded by the result alone, not by the loss at mark",
    effect="a loser is forgiven what its funding has paid already",
    importance=CRITICAL,
    start=FUNDED,
)
def funding_received_pays_for_the_loss(box: Recorder) -> None:
    indebted(box, -1, 1005)
    box.hand(amount("loss"), 5, "1005 - 1000; at mark it has lost 4, with 1 of funding received")
    box.hand(amount("collected"), 1, "5 - min(5, 4, 49 x 4 / 4)")
    box.hand(cash("d"), -45, "-900 + 855 + 1 - 1")


@case(
    "settlement-owed-004",
    "SETTLE-5",
    bug="a position without a loss at mark divides by losses of nothing, or counts as one atom",
    effect="the engine stops in the middle of settlement, or a loss is forgiven",
    importance=CRITICAL,
    start=FUNDED,
)
def a_loss_that_funding_made_good_is_collected(box: Recorder) -> None:
    indebted(box, -1, 1001)
    box.hand(amount("loss"), 1, "1001 - 1000; at mark it has lost nothing, with 1 of funding received")
    box.hand(amount("collected"), 1, "1 - min(1, 0, 45 x 0 / 1)")
    box.hand(cash("d"), -45, "-900 + 855 + 1 - 1")


@case(
    "settlement-atom-001",
    "SETTLE-5",
    "SETTLE-6",
    "SETTLE-4",
    bug="a loss of one atom is a gain, a claim of one atom is none, or one missing atom is halved away",
    effect="the market never closes, or an empty account is left with a debt",
    importance=CRITICAL,
    start=with_ether(future(), layers=(), negative_balance_limit=1000),
)
def one_atom_is_lost_missing_and_claimed(box: Recorder) -> None:
    box.price(2000, "ETH")
    enter(box, w=10_000, d=0)
    box.do("d", ev.Deposit("d", "ETH", 1))
    box.trade("d", "w", 1, 1000, "FUT")
    box.do("d", ev.Withdraw("d", "USD", 900))
    box.drive(999)
    box.drive(947, "ETH")
    box.do("w", ev.Convert("d", "w", "ETH", 1))
    box.hand(cash("d"), 0, "-900 + 95 % of 947 = 899.65, 900")
    fix(box)
    settle(box, "d")
    box.hand(amount("loss"), 1, "1000 - 999")
    box.hand(amount("collected"), 0, "1 - min(1, 1, 1 x 1 / 1)")
    settle(box, "w")
    box.hand(amount("claim"), 1, "1000 - 999")
    pay(box, "w")
    box.hand(amount("paid"), 0, "the pot is empty")


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-6: second phase


def three_winners(box: Recorder) -> None:
    """``d`` with 901 is long 9 against three shorts of 3: claims of 330 each share 901."""
    enter(box, a=1000, b=1000, c=1000, d=901)
    for winner in ("a", "b", "c"):
        box.trade("d", winner, 3, 1000, "FUT")
    box.drive(890)
    fix(box)


def paid_in_order(number: int, settled: str, paid: str) -> None:
    """Register the vector of an order of settling and paying; the last one gets the atom that is left."""

    @case(
        f"settlement-payout-{number:03}",
        "SETTLE-6",
        "SETTLE-4",
        "NUM-5",
        bug="who comes first is paid more, or atoms of the pot belong to nobody",
        effect="the payout depends on the order of events, or the market never empties",
        importance=CRITICAL,
        start=FUTURE,
    )
    def one_payout_factor_for_all(box: Recorder) -> None:
        three_winners(box)
        settle(box, *settled)
        for account, share, derivation in zip(
            paid,
            (300, 300, 301),
            ("901 / 3 = 300.3", "901 x 2 / 3 = 600.7, 600, less 300", "901 less 600"),
            strict=True,
        ):
            pay(box, account)
            box.hand(amount("claim"), 330, "3 x 110")
            box.hand(amount("paid"), share, derivation)
        box.hand(cash(paid[-1]), 1301, "1000 + 301")
        box.do("anyone", ev.PayClaim(paid[-1], "FUT"), Reason.NOT_SETTLING)


for place, (settled_first, paid_first) in enumerate((("abcd", "abc"), ("dcba", "bca"), ("bdac", "cab")), start=1):
    paid_in_order(place, settled_first, paid_first)


@case(
    "settlement-payout-004",
    "SETTLE-6",
    "NUM-5",
    bug="claims are paid in equal parts, or by floors taken one by one",
    effect="the smaller claim is overpaid, or atoms of the pot belong to nobody",
    importance=CRITICAL,
    start=FUTURE,
)
def claims_are_paid_in_proportion(box: Recorder) -> None:
    enter(box, a=2000, b=2000, d=1012)
    box.trade("d", "a", 6, 1000, "FUT")
    box.trade("d", "b", 4, 1003, "FUT")
    box.drive(880)
    fix(box)
    settle(box, "a", "b", "d")
    box.hand(amount("collected"), 1012, "of 6 x 120 + 4 x 123 = 1212")
    pay(box, "a")
    box.hand(amount("paid"), 601, "1012 x 720 / 1212 = 601.2")
    pay(box, "b")
    box.hand(amount("paid"), 411, "1012 - 601; 1012 x 492 / 1212 = 410.8")


@case(
    "settlement-order-004",
    "SETTLE-6",
    "EVENT-8",
    bug="checks come in another order, or a claim is paid twice",
    effect="two engines give different reasons for one event, or the pot is paid out twice",
    importance=CRITICAL,
    start=world(listed(), future()),
)
def checks_of_paying_come_in_order(box: Recorder) -> None:
    three_winners(box)
    box.do("anyone", ev.PayClaim("ghost", "NONE"), Reason.UNKNOWN_MARKET)
    box.do("anyone", ev.PayClaim("ghost", "FUT"), Reason.UNKNOWN_ACCOUNT)
    box.do("anyone", ev.PayClaim("ghost", PERP), Reason.UNKNOWN_ACCOUNT)
    box.do("anyone", ev.PayClaim("d", PERP), Reason.NOT_SETTLING)
    box.do("anyone", ev.PayClaim("d", "FUT"), Reason.POSITIONS_REMAIN)
    settle(box, "a", "b", "c", "d")
    box.open("e")
    box.do("anyone", ev.PayClaim("e", "FUT"), Reason.NO_CLAIM)
    box.do("anyone", ev.PayClaim("d", "FUT"), Reason.NO_CLAIM)
    pay(box, "a")
    box.hand(amount("paid"), 300, "901 / 3 = 300.3")
    box.do("anyone", ev.PayClaim("a", "FUT"), Reason.NO_CLAIM)


@case(
    "settlement-claim-worth-001",
    "SETTLE-6",
    "MARG-6",
    bug="a claim counts whole when its payout is known to be less",
    effect="risk is opened, or money sent away, against money that will not come",
    importance=CRITICAL,
    start=world(listed(), future()),
)
def a_claim_counts_at_its_payout(box: Recorder) -> None:
    enter(box, w=1001, d=1000, a=10_000)
    box.trade("d", "w", 10, 1000, "FUT")
    box.drive(890)
    fix(box)
    settle(box, "w")
    box.trade("w", "a", 23, 890)
    box.hand(size("w"), 23, "1001 + 1100 = 2101 covers 10 % of 23 x 890 = 2047")
    box.trade("a", "w", 1, 890)
    settle(box, "d")
    box.hand(amount("collected"), 1000, "the pot for a claim of 1100")
    box.trade("w", "a", 1, 890, expect=Reason.INSUFFICIENT_MARGIN)  # 1001 + 1000 = 2001 against 2047
    pay(box, "w")
    box.hand(cash("w"), 2001, "1001 + 1000")


@case(
    "settlement-claim-bound-001",
    "SETTLE-4",
    "SETTLE-6",
    "TRADE-2",
    bug="the account forgets the market when its position is settled",
    effect="its claim is neither counted nor waited for",
    importance=CRITICAL,
    start=FUTURE,
)
def an_account_is_bound_to_its_claim(box: Recorder) -> None:
    expired(box, 1200)
    settle(box, "w", "d")
    box.hand("observable.accounts.w.positions.FUT.size", 0, "-10 + 10")
    box.hand("observable.accounts.w.positions.FUT.cost", -1100, "the claim of 1100")
    box.do("w", ev.Withdraw("w", "USD", 10_001), Reason.NEGATIVE_BALANCE_LIMIT)
    pay(box, "w")
    box.do("w", ev.Withdraw("w", "USD", 11_100))
    box.hand(cash("w"), 0, "10000 + 1100 - 11100")


@case(
    "settlement-halted-001",
    "SETTLE-3",
    "SETTLE-4",
    "SETTLE-6",
    bug="a halted market is not settled",
    effect="positions of a stopped market are stuck for ever",
    importance=CRITICAL,
    start=FUTURE,
)
def a_halted_market_is_settled(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("d", "w", 10, 1000, "FUT")
    box.drive(890)
    box.do("admin", ev.SetStatus("FUT", MarketStatus.HALTED))
    fix(box)
    box.hand(amount("settlement_price"), 890, "the index for all of the window")
    box.do("admin", ev.SetStatus("FUT", MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED)
    settle(box, "w", "d")
    pay(box, "w")
    box.hand(amount("paid"), 1100, "10 x 110")


@case(
    "settlement-reduce-only-001",
    "SETTLE-1",
    "SETTLE-3",
    "SETTLE-6",
    bug="a reduce-only market is not settled, or keeps trading at its expiry",
    effect="a delisted market never ends",
    importance=CRITICAL,
    start=world(listed(window=10)),
)
def a_delisted_perpetual_is_settled(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("d", "w", 10, 1000)
    box.drive(890)
    box.do("admin", ev.Delist(PERP, 84))
    box.hand(amount("expiry"), 100, "6 + 84 + 10")
    box.time = 99
    box.trade("w", "d", 1, 890)
    box.time = 100
    box.trade("w", "d", 1, 890, expect=Reason.MARKET_NOT_TRADING)
    fix(box, market=PERP)
    box.hand(amount("settlement_price"), 890, "the index for all of the window")
    settle(box, "d", "w", market=PERP)
    box.hand(amount("claim"), 990, "9 x 110")
    pay(box, "w", PERP)
    box.hand(cash("w"), 11_100, "10000 + 110 + 990")


# ---------------------------------------------------------------------------------------------------------------
# SETTLE-7: gains already realised, and the end


def realised(box: Recorder, price: int) -> None:
    """``w`` sold 10 lots to ``d`` at 1000 and bought them back from ``n`` at a price; the market settles at 890."""
    enter(box, w=10_000, n=10_000, d=1000)
    box.trade("d", "w", 10, 1000, "FUT")
    box.drive(890)
    box.trade("w", "n", 10, price, "FUT")
    fix(box)
    settle(box, "n", "d")


@case(
    "settlement-realised-001",
    "SETTLE-6",
    "SETTLE-7",
    bug="the pot is what was collected, not the clearing balance",
    effect="money that has left the market already is paid out again",
    importance=CRITICAL,
    start=FUTURE,
)
def gains_realised_before_have_left_the_pot(box: Recorder) -> None:
    realised(box, 906)
    box.hand(amount("collected"), 1000, "of 1100")
    box.hand(UNCOVERED, 0, "1000 - 940 is not below nothing")
    pay(box, "n")
    box.hand(amount("claim"), 160, "10 x (906 - 890)")
    box.hand(amount("paid"), 60, "1000 - 10 x (1000 - 906)")
    box.hand(cash("w"), 10_940, "10000 + 940")


@case(
    "settlement-realised-002",
    "SETTLE-7",
    "SETTLE-6",
    bug="a negative clearing balance stays in the market, or is paid by the claims beyond nothing",
    effect="a loss hides in an account that nobody looks at, or a winner pays for having won",
    importance=CRITICAL,
    start=FUTURE,
)
def more_realised_than_collected_is_uncovered(box: Recorder) -> None:
    realised(box, 894)
    box.hand(posting(1), 60, "after the 1000 of d: uncovered loss to clearing, 10 x (1000 - 894) - 1000")
    box.hand(UNCOVERED, 60, "1060 - 1000")
    pay(box, "n")
    box.hand(amount("claim"), 40, "10 x (894 - 890)")
    box.hand(amount("paid"), 0, "the pot is empty")
    box.do("anyone", ev.PayClaim("n", "FUT"), Reason.NOT_SETTLING)


@case(
    "settlement-realised-003",
    "SETTLE-7",
    bug="a market without claims closes with a debt in its clearing account",
    effect="the ledger of a closed market does not end at zero",
    importance=CRITICAL,
    start=FUTURE,
)
def a_loss_without_any_claim_is_uncovered(box: Recorder) -> None:
    realised(box, 890)
    box.hand(UNCOVERED, 100, "1100 were realised, 1000 came in")
    box.do("anyone", ev.PayClaim("n", "FUT"), Reason.NOT_SETTLING)


@case(
    "settlement-closed-001",
    "SETTLE-7",
    "TRADE-9",
    bug="a closed market comes back to life, or follows its feed",
    effect="a mark moves in a market where nobody can trade",
    start=world(listed(), future()),
)
def a_closed_market_stays_closed(box: Recorder) -> None:
    expired(box, 1200)
    settle(box, "w", "d")
    pay(box, "w")
    box.hand(amount("paid"), 1100, "10 x 110")
    for action, reason in (
        (ev.SetStatus("FUT", MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED),
        (ev.Delist("FUT", 1), Reason.STATUS_NOT_ALLOWED),
        (ev.FixSettlement("FUT"), Reason.STATUS_NOT_ALLOWED),
        (ev.SettlePosition("w", "FUT"), Reason.NOT_SETTLING),
        (ev.PayClaim("w", "FUT"), Reason.NOT_SETTLING),
    ):
        box.do("admin", action, reason)
    box.price(895, time=101)
    box.hand(f"{MARKET}.mark", 890, "the settlement price")
    box.hand("observable.markets.BTC-PERP.mark", 895, "the other market of the feed follows it")


FULL_FEED = world(future(expiry=1), *(listed(f"M{place}") for place in range(MARKETS_MAX - 1)))


@case(
    "settlement-feed-001",
    "SETTLE-7",
    "PARM-9",
    bug="a closed market stays among those of its feed",
    effect="256 settled futures use up a feed, and no market can be listed on it any more",
    start=FULL_FEED,
)
def a_closed_market_makes_room_on_its_feed(box: Recorder) -> None:
    box.price(1000)
    box.do("admin", ev.ListMarket(listed("NEXT")), Reason.OUTSIDE_ENVELOPE)  # 256 markets on the feed
    fix(box, 1)
    box.hand(amount("settlement_price"), 1000, "1000 x 1 / 1; without open interest the market closes")
    box.do("admin", ev.ListMarket(listed("NEXT")))
    box.do("admin", ev.ListMarket(listed("AFTER")), Reason.OUTSIDE_ENVELOPE)


# ---------------------------------------------------------------------------------------------------------------
# Incidents


@case(
    "settlement-no-vote-001",
    "SETTLE-1",
    "SETTLE-2",
    "SETTLE-3",
    bug="an administrator sets the price at which a delisted market is settled",
    effect="the house chooses who wins after the fact",
    incident="Hyperliquid, JELLY, 2025-03-26: the market was settled at a voted 0.0095 while it traded at 0.0376",
    importance=CRITICAL,
    start=world(listed(window=10)),
)
def a_delisted_market_settles_at_the_average(box: Recorder) -> None:
    enter(box, w=10_000, d=1200)
    box.trade("w", "d", 10, 1000)
    box.drive(1090)
    box.do("admin", ev.Delist(PERP, 1))
    box.hand(amount("expiry"), 16, "5 + 1 + 10")
    box.time = 16
    box.do("admin", ev.PostPrice("BTC", 1000, 0), Reason.UNAUTHORISED)
    box.price(1070, time=16)
    fix(box, 16, PERP)
    box.hand(amount("settlement_price"), 1090, "1090 x 10 / 10: the price that held, not the one of the last second")
    settle(box, "w", "d", market=PERP)
    pay(box, "w", PERP)
    box.hand(amount("paid"), 900, "10 x 90")


def shared(loss: int, deficit: int, losses: int) -> dict[str, int]:
    """Arguments of the part of a loss that an account cannot bear."""
    return {"loss": loss, "deficit": deficit, "losses": losses}


kernel_case(
    "settlement-uncollectable-001",
    "SETTLE-5",
    "NUM-9",
    kernel="uncollectable",
    bug="the part of a deficit is rounded up, exceeds its loss, or is split before the deficit is clamped to 2^62",
    effect="more is missing than the account owes, and the winners bear it",
    calls=[
        # deficit x loss over losses, rounded down, at most the loss
        (shared(50, 30, 280), {"missing": 5}),  # 1500 / 280 = 5.36
        (shared(230, 25, 230), {"missing": 25}),
        (shared(7, 39, 40), {"missing": 6}),  # 273 / 40 = 6.825
        (shared(7, 40, 40), {"missing": 7}),
        (shared(7, 41, 40), {"missing": 7}),
        (shared(200, 300, 200), {"missing": 200}),
        (shared(200, 0, 200), {"missing": 0}),
        (shared(0, 5, 10), {"missing": 0}),
        (shared(0, 5, 0), {"missing": 0}),
        # 2^62 x 2^57 / 2^63 = 2^56, whatever the deficit is beyond 2^62
        (shared(2**57, 2**62 - 64, 2**63), {"missing": 2**56 - 1}),
        (shared(2**57, 2**62, 2**63), {"missing": 2**56}),
        (shared(2**57, 2**62 + 64, 2**63), {"missing": 2**56}),
        (shared(2**57, 2**126, 2**63), {"missing": 2**56}),
    ],
)
