"""Each inequality of the envelope is needed: a parameter set that violates it alone, and what comes of it when played.

Where an inequality cannot be violated alone, or nothing worse than an unfair charge comes of it, the test says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clearspec import events as ev
from clearspec import listing, parameters
from clearspec.events import Reason
from clearspec.invariants import broken
from clearspec.ledger import Kind, house, user
from clearspec.listing import OutsideEnvelope, build
from clearspec.numerics import HAIRCUT_STEPS_MAX, MARKETS_MAX, NOTIONAL_MAX, SAMPLES_MAX, SCALE
from clearspec.parameters import (
    ENVELOPE,
    InterestForm,
    Layer,
    MarketKind,
    Tier,
    gap_violations,
    grown,
)
from clearspec.sandbox import (
    ETH,
    ETH_FEED,
    FEED,
    FUNDING,
    LIQUIDATION,
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

TOP = NOTIONAL_MAX
SHOWN: dict[str, Callable[..., None]] = {}
"""The test of each inequality, by its name."""

CALM_FEED = replace(FEED, band=PERCENT // 1000)
"""A feed that moves so little that most of the envelope has room to spare."""


def shows(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test shows what comes of violating these inequalities."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        for name in names:
            assert name not in SHOWN
            SHOWN[name] = test
        return test

    return note


def outside(start: ev.Genesis, *names: str, check: bool = True, time: int = 0) -> Sandbox:
    """A sandbox of a genesis that violates these inequalities and no other."""
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "_refuse", lambda _, violations: found.extend(entry.inequality for entry in violations))
        state = build(start)
    assert sorted(set(found)) == sorted(names)
    with pytest.raises(OutsideEnvelope):
        build(start)
    box = Sandbox(check=check, time=time)
    box.state = state
    return box


def market(feed: Any = FEED, pool: Any = POOL, **changes: Any) -> ev.Genesis:
    """A genesis with these sections of the market's parameters."""
    changed = replace(LISTING, parameters=replace(MARKET, **changes))
    return genesis(pool=pool, markets=(changed,), feeds=(feed, ETH_FEED))


def table(*tiers: tuple[int, int, int]) -> Any:
    """Margin parameters with tiers of upper end, initial and maintenance percent."""
    return replace(
        MARGIN, tiers=tuple(Tier(upper, initial * PERCENT, held * PERCENT) for upper, initial, held in tiers)
    )


def at_price(box: Sandbox, price: int, **cash: int) -> None:
    """A first price, and accounts with cash."""
    box.price(price, time=1)
    for account, amount in cash.items():
        box.open(account, amount)


def deficit_of(box: Sandbox, account: str) -> int:
    """What resolving an account's default finds missing."""
    return box.do("anyone", ev.ResolveDefault(account)).amounts["deficit"]


def test_every_inequality_is_shown() -> None:
    assert set(SHOWN) == set(ENVELOPE)


# Tiers


@shows("tiers-present")
def test_without_tiers_nothing_is_asked_for() -> None:
    """Not alone: without a ratio the penalty, the gap and the haircut of gains have nothing to be compared with."""
    names = ("tiers-present", "tiers-reach-the-top", "penalty-below-maintenance", "gap-up", "gap-down")
    box = outside(market(margin=replace(MARGIN, tiers=())), *names, "haircut-within-initial")
    at_price(box, 100, poor=0, rich=10**6)
    box.trade("poor", "rich", 1000, 100)
    box.drive(99)
    assert deficit_of(box, "poor") == 1000


@shows("tiers-ascend")
def test_descending_tiers_charge_a_slice_twice() -> None:
    """No deficit: margin is too high. 1,000 at 10 % is 100; from 500 on it is charged again: 150."""
    box = outside(market(margin=table((1000, 10, 5), (500, 10, 5), (TOP, 10, 5))), "tiers-ascend")
    at_price(box, 100, a=100, rich=10**6)
    box.trade("a", "rich", 10, 100, expect=Reason.INSUFFICIENT_MARGIN)
    box.do("a", ev.Deposit("a", "USD", 50))
    box.trade("a", "rich", 10, 100)


@shows("initial-never-falls")
def test_falling_initial_rewards_concentration() -> None:
    """No deficit: two halves need 40 of margin, the whole 30."""
    box = outside(market(margin=table((100, 20, 5), (TOP, 10, 5))), "initial-never-falls")
    at_price(box, 100, whole=30, half=19, rich=10**6)
    box.trade("half", "rich", 1, 100, expect=Reason.INSUFFICIENT_MARGIN)
    box.trade("whole", "rich", 2, 100)


@shows("maintenance-never-falls")
def test_falling_maintenance_leaves_large_positions_bare() -> None:
    """A short of 10^6 lots from 9,900 is at maintenance with little more than 1 %; the gap of two steps takes 3 %."""
    margin = table((10**6, 10, 5), (TOP, 10, 1))
    box = outside(market(margin=margin, mark=replace(MARK, variation_interval=1)), "maintenance-never-falls")
    at_price(box, 10_000, short=10**9, rich=10**10)
    box.price(9_900)
    box.trade("rich", "short", 10**6, 9_900)
    box.do("short", ev.Withdraw("short", "USD", 10**9 - 990_000_000))
    held = box.standing("short")
    assert held.maintenance == 50_000 + 98_990_000
    set_cash(box, "short", held.maintenance - held.unrealised)
    assert box.standing("short").margin_equity == held.maintenance
    assert [box.price(20_000), box.price(20_000, time=2)] == [10_100, 10_201]
    assert deficit_of(box, "short") == 10**6 * 301 - held.maintenance


def set_cash(box: Sandbox, account: str, cash: int) -> None:
    """Give an account this settlement balance, as if the rest had been withdrawn."""
    custody, mine = house("USD", "main", Kind.CUSTODY), user("USD", "main", account)
    box.state.balances.put(custody, box.state.balances[custody] + box.state.balances[mine] - cash)
    box.state.balances.put(mine, cash)
    box.state.commit()


@shows("maintenance-at-most-initial")
def test_maintenance_above_initial_makes_the_table_untrue() -> None:
    """No deficit: MARG-4 asks for maintenance whatever the table says of initial margin."""
    box = outside(market(margin=table((TOP, 10, 20))), "maintenance-at-most-initial")
    at_price(box, 100, a=100, rich=10**6)
    box.trade("a", "rich", 10, 100, expect=Reason.INSUFFICIENT_MARGIN)
    box.do("a", ev.Deposit("a", "USD", 100))
    box.trade("a", "rich", 10, 100)


@shows("tiers-reach-the-top")
def test_what_lies_above_the_last_tier_asks_for_nothing() -> None:
    """Margin of 10 % on 1,000 carries any position: 10^5 lots at 100 with 100, of which one step takes 10^5."""
    box = outside(market(margin=table((1000, 10, 5))), "tiers-reach-the-top")
    at_price(box, 100, a=100, rich=10**7)
    box.trade("a", "rich", 10**5, 100)
    box.price(99, time=2)
    assert deficit_of(box, "a") == 10**5 - 100


# The price gap


def exactly(ratio: int, feed: Any = FEED, penalty: int = 0) -> ev.Genesis:
    """One lowest maintenance ratio for a gap of two steps of 1 %, with initial margin well above it."""
    changes = {
        "margin": replace(MARGIN, tiers=(Tier(TOP, 10 * PERCENT, ratio),)),
        "mark": replace(MARK, variation_interval=1),
        "liquidation": replace(LIQUIDATION, penalty=penalty, reward=0),
        "trading": replace(TRADING, max_position=2**20, max_open_interest=2**20),
    }
    return market(replace(feed, max_price=2**36), **changes)


def short_of(box: Sandbox, lots: int, anchor: int) -> int:
    """A short at maintenance at the lower edge of the anchor's band; the mark it is then closed at, after one step."""
    at_price(box, anchor, short=10**16, rich=10**17)
    first = box.price(1)
    box.trade("rich", "short", lots, first)
    set_cash(box, "short", box.standing("short").maintenance)
    held = box.standing("short")
    assert held.margin_equity == held.maintenance
    box.price(2**36)
    return box.price(2**36, time=2)


@shows("gap-up")
def test_one_unit_below_the_gap_ends_in_deficit() -> None:
    """(1.01^2) / 0.99 = 1.0304040404..: 3.0404041 % is enough, and one billionth less is not.

    10^6 lots from 9,900,000,000 at maintenance: the last step leaves 5 x 10^6 or takes 5 x 10^6 too much.
    """
    enough = 30_404_041
    for ratio, violations in ((enough, ()), (enough - 1, ("gap-up",))):
        start = exactly(ratio)
        box = outside(start, *violations) if violations else Sandbox(start)
        assert short_of(box, 10**6, 10**10) == 10_201_000_000
        worth = box.standing("short").net_liquidation_value
        assert worth == 990 * 10**7 * 10**6 * ratio // SCALE - 301 * 10**6 * 10**6
        assert (worth < 0) == bool(violations)
        if violations:
            assert deficit_of(box, "short") == -worth


@shows("gap-up with a penalty")
def test_one_unit_below_the_gap_the_penalty_is_not_covered() -> None:
    """1.030301 / 0.99: the least ratio is 4.0708081 %, and one billionth less cannot pay the penalty of 1 %."""
    for ratio, paid_in_full in ((40_708_081, True), (40_708_080, False)):
        start = exactly(ratio, penalty=PERCENT)
        box = Sandbox(start) if paid_in_full else outside(start, "gap-up")
        mark = short_of(box, 10**6, 10**10)
        worth, penalty = box.standing("short").net_liquidation_value, 10**6 * mark // 100
        assert worth > 0
        assert (worth >= penalty) == paid_in_full


del SHOWN["gap-up with a penalty"]


@shows("gap-down")
@pytest.mark.parametrize("steps", [1, 2, 7, 40, 256])
def test_longs_need_less_than_shorts(steps: int) -> None:
    """Not alone: whatever covers the shorts covers the longs, for falls compound to less than rises of the same ratio.

    It is stated for its own reason: a change of the one inequality must not open the other.
    """
    for band, basis, penalty, cap in ((1, 0, 0, 0), (1, 0, 30, 0), (2, 5, 5, 0), (3, 0, 1, 9), (5, 2, 0, 1)):
        feed = replace(FEED, band=band * PERCENT // 10)
        chosen = replace(
            MARKET,
            margin=replace(MARGIN, gap_steps=steps),
            mark=replace(MARK, band=basis * PERCENT // 10),
            liquidation=replace(LIQUIDATION, penalty=penalty * PERCENT),
            funding=replace(FUNDING, cap=cap * PERCENT // 10),
        )
        ratios = [ratio for ratio in range(0, SCALE, SCALE // 499) if accepts(chosen, feed, ratio, "gap-up")]
        assert all(accepts(chosen, feed, ratio, "gap-down") for ratio in ratios)
    assert grown(PERCENT // 10, steps) > SCALE


def accepts(chosen: Any, feed: Any, ratio: int, name: str) -> bool:
    """Whether a maintenance ratio satisfies one inequality of the gap."""
    return all(found.inequality != name for found in gap_violations(chosen, feed, ratio))


# The market


def collecting(start: ev.Genesis, *names: str, check: bool = True) -> Sandbox:
    """A keeper that takes two whole positions of the cap from accounts below maintenance."""
    box = outside(start, *names, check=check)
    lots, price = start.markets[0].parameters.trading.max_position, 2**28
    at_price(box, price, keeper=2**57)
    for n in (1, 2):
        for side in ("long", "short"):
            box.open(f"{side}{n}", 2**54)
        box.trade(f"long{n}", f"short{n}", lots, price)
        set_cash(box, f"long{n}", lots * price // 25)
        box.do("keeper", ev.Liquidate(f"long{n}", "keeper", "BTC-PERP", lots))
    return box


@shows("position-notional-bounded")
def test_a_position_beyond_its_notional_is_held_up_by_open_interest() -> None:
    """Nothing comes of it alone: a position is part of open interest, whose own bound refuses the fill."""
    lots, price = 2**28, 2**29
    trading = replace(TRADING, max_position=lots, max_open_interest=lots // 2)
    box = outside(market(replace(CALM_FEED, max_price=price), trading=trading), "position-notional-bounded")
    at_price(box, price, a=2**58, rich=2**58)
    box.trade("a", "rich", lots, price, expect=Reason.OPEN_INTEREST_CAP_EXCEEDED)
    box.trade("a", "rich", lots // 2, price)


@shows("open-interest-bounded")
def test_a_liquidator_collects_beyond_the_bound_of_a_position() -> None:
    """Two positions of 2^56 each, one liquidator: no cap holds it up, and products of NUM-9 lose their width."""
    lots = 2**28
    trading = replace(TRADING, max_position=lots, max_open_interest=4 * lots)
    rules = replace(LIQUIDATION, penalty=PERCENT // 2, critical_health=SCALE)
    start = market(replace(CALM_FEED, max_price=2**28), trading=trading, liquidation=rules)
    box = collecting(start, "open-interest-bounded", check=False)
    assert box.state.positions["keeper", "BTC-PERP"].size * 2**28 > NOTIONAL_MAX
    assert broken(box.state) == ["INV-15"]


@shows("rebate-covered")
def test_an_uncovered_rebate_empties_the_treasury() -> None:
    """Fee 2, rebate 3 per 10,000: each fill of 10,000 takes an atom out of the house."""
    start = market(trading=replace(TRADING, taker_fee=200_000, maker_fee=-300_000))
    box = outside(start, "rebate-covered", check=False)
    at_price(box, 100, a=10**4, b=10**4)
    box.trade("a", "b", 100, 100)
    assert box.balance("fee_treasury") == -1
    assert "INV-3" in broken(box.state)


@shows("penalty-below-maintenance")
def test_a_penalty_as_high_as_maintenance_cannot_restore() -> None:
    """Closing frees 5 % and costs 5 %: LIQ-2 divides by nothing."""
    still = replace(FEED, band=0)
    rules = replace(LIQUIDATION, penalty=5 * PERCENT, close_factor=50 * PERCENT)
    box = outside(market(still, liquidation=rules), "penalty-below-maintenance")
    at_price(box, 100, a=100, rich=10**6)
    box.trade("a", "rich", 10, 100)
    set_cash(box, "a", 49)
    with pytest.raises(ZeroDivisionError):
        box.do("rich", ev.Liquidate("a", "rich", "BTC-PERP", 10))


@shows("reward-at-most-penalty")
def test_a_reward_above_the_penalty_is_not_paid() -> None:
    """No deficit: LIQ-5 cuts it, so that what is announced is not true."""
    rules = replace(LIQUIDATION, penalty=PERCENT, reward=2 * PERCENT, critical_health=SCALE)
    box = outside(market(liquidation=rules), "reward-at-most-penalty")
    at_price(box, 100, a=100, rich=10**6)
    box.trade("a", "rich", 10, 100)
    set_cash(box, "a", 49)
    paid = box.do("rich", ev.Liquidate("a", "rich", "BTC-PERP", 10)).amounts
    assert (paid["reward"], paid["penalty"]) == (10, 10)


@shows("reward-floor-at-most-penalty")
def test_an_owner_earns_from_its_own_liquidation() -> None:
    """Penalty 1 %, floor 2 %: closing 1,000 costs 10 and brings 20, of which insurance pays 10."""
    rules = replace(LIQUIDATION, reward=PERCENT, reward_floor=2 * PERCENT, reward_budget=10**6, critical_health=SCALE)
    box = outside(market(liquidation=rules), "reward-floor-at-most-penalty")
    at_price(box, 100, a=100, mine=10**4, rich=10**6)
    box.do("sponsor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1000))
    box.trade("a", "rich", 10, 100)
    set_cash(box, "a", 49)
    together = box.cash("a") + box.cash("mine")
    box.do("mine", ev.Liquidate("a", "mine", "BTC-PERP", 10))
    assert box.cash("a") + box.cash("mine") == together + 10
    assert box.balance("insurance_fund") == 990


@shows("taker-fee-at-most-maintenance", "maker-fee-at-most-maintenance")
@pytest.mark.parametrize("side", ["taker", "maker"])
def test_a_fee_above_maintenance_keeps_an_account_from_closing(side: str) -> None:
    """Fee 6 %, maintenance 5 %: at maintenance with 50 of 1,000 an account would pay 60 to be flat."""
    fees = {"taker_fee": 6 * PERCENT, "maker_fee": 0} if side == "taker" else {"taker_fee": 0, "maker_fee": 6 * PERCENT}
    start = market(trading=replace(TRADING, **fees))
    box = outside(start, f"{side}-fee-at-most-maintenance")
    at_price(box, 100, a=1000, rich=10**6)
    box.trade("a", "rich", 10, 100)
    set_cash(box, "a", 50)
    maker = ev.Side.SELLER if side == "maker" else ev.Side.BUYER
    closing = ev.Trade("BTC-PERP", "rich", "a", 10, 100, maker)
    box.do("venue", closing, Reason.INSUFFICIENT_MARGIN)


@shows("open-interest-scale-ordered")
def test_equal_bounds_of_open_interest_divide_by_zero() -> None:
    """Any fill beyond both bounds stops the engine."""
    start = market(margin=replace(MARGIN, open_interest_lower=500, open_interest_upper=500))
    box = outside(start, "open-interest-scale-ordered")
    at_price(box, 100, a=10**4, rich=10**6)
    with pytest.raises(ZeroDivisionError):
        box.trade("a", "rich", 10, 100)


@shows("funding-interval-within-gap")
def test_an_interval_above_the_gap_loses_funding() -> None:
    """No deficit: of each 7,200 seconds 3,600 are charged."""
    rates = replace(
        FUNDING, interval=7200, sample_interval=20, interest=PERCENT, cap=PERCENT, interest_form=InterestForm.ADDED
    )
    margin = table((TOP, 20, 15))
    box = outside(market(funding=rates, margin=margin), "funding-interval-within-gap")
    box.price(10_000, time=1)
    box.price(10_000, time=7200)
    step = box.do("anyone", ev.AccrueFunding("BTC-PERP")).amounts["index_step"]
    assert step == 10_000 // 100 != 2 * 10_000 // 100


@shows("samples-fit")
def test_samples_that_do_not_fit_are_forgotten() -> None:
    """No deficit: of 600 samples in an interval the last 512 decide, and the first premium counts for nothing."""
    rates = replace(FUNDING, interval=1000, period=1000, max_gap=1000, sample_interval=1)
    box = outside(market(funding=rates), "samples-fit")
    at_price(box, 10_000)
    for second in range(2, 602):
        box.price(10_000, time=second)
        price = 20_000 if second < 90 else 10_000
        box.do("venue", ev.PostBook("BTC-PERP", price, price))
    samples = box.state.fundings["BTC-PERP"].samples
    assert len(samples) == SAMPLES_MAX
    assert set(samples) == {0}


@shows("settlement-window-to-come")
def test_a_future_listed_inside_its_window_settles_by_its_last_second() -> None:
    """No deficit: the price of the last two seconds counts for all of the window of 600."""
    future = replace(LISTING, market="NEW", kind=MarketKind.FUTURE, expiry=2000)
    box = Sandbox(time=1)
    box.price(1000, time=1000)
    box.do("admin", ev.ListMarket(future))
    late = replace(future, market="LATE")
    box.price(1010, time=1998)
    box.time = 1999
    box.do("admin", ev.ListMarket(late), Reason.OUTSIDE_ENVELOPE)
    listing.add_market(box.state, late, 1999)
    box.state.commit()
    box.price(1010)
    box.time = 2000
    fixed = [box.do("anyone", ev.FixSettlement(name)).amounts["settlement_price"] for name in ("NEW", "LATE")]
    assert fixed == [1000, 1010]


@shows("expiry-only-of-futures")
def test_a_perpetual_with_an_expiry_ends_unannounced() -> None:
    """No deficit: nobody is told of a notice, and at 1,000 the market settles."""
    start = genesis(markets=(replace(LISTING, expiry=1000),))
    box = outside(start, "expiry-only-of-futures")
    at_price(box, 100, a=1000, b=1000)
    box.trade("a", "b", 1, 100)
    box.price(100, time=1000)
    box.trade("a", "b", 1, 100, expect=Reason.MARKET_NOT_TRADING)
    assert box.do("anyone", ev.FixSettlement("BTC-PERP")).amounts["settlement_price"] == 100


@shows("feed-markets-bounded")
def test_a_price_refreshes_every_market_of_its_feed() -> None:
    """No deficit: the work of one post is bounded by nothing else."""
    count = MARKETS_MAX + 1
    start = genesis(markets=tuple(replace(LISTING, market=f"M{number}") for number in range(count)))
    box = outside(start, "feed-markets-bounded", check=False)
    box.price(100, time=1)
    assert sum(mark.price == 100 for mark in box.state.marks.values()) == count


# Feeds


def posted(feed: Any, names: tuple[str, ...], *posts: tuple[str, int]) -> Sandbox:
    """A feed that violates these inequalities, and prices of its sources."""
    box = outside(market(feed), *names)
    box.time = 1
    for source, price in posts:
        box.do(source, ev.PostPrice("BTC", price, 0))
    return box


@shows("quorum-outvotes-faulty")
def test_two_faulty_of_three_fresh_set_the_price() -> None:
    """Two honest sources are silent; the median of three fresh ones is a faulty one's."""
    feed = replace(FEED, sources=("s1", "s2", "s3", "s4", "s5"), faulty=2, quorum=3)
    box = posted(feed, ("quorum-outvotes-faulty",), ("s1", 100), ("s4", 900), ("s5", 900))
    assert box.state.feeds["BTC"].index == 900


@shows("quorum-reachable")
def test_an_unreachable_quorum_never_gives_a_price() -> None:
    """No deficit: nobody can ever trade."""
    box = posted(replace(FEED, quorum=2), ("quorum-reachable",), ("s1", 100))
    assert box.state.feeds["BTC"].index == 0
    box.open("a", 100)
    box.open("b", 100)
    box.trade("a", "b", 1, 100, expect=Reason.STALE_PRICE)


@shows("sources-distinct")
def test_a_source_that_stands_twice_votes_twice() -> None:
    """One faulty source of two, and the median is its own."""
    feed = replace(FEED, sources=("s1", "s1", "s2"), faulty=1, quorum=3)
    box = posted(feed, ("sources-distinct",), ("s2", 100), ("s1", 900))
    assert box.state.feeds["BTC"].index == 900


# Pools


def defaulted(layers: tuple[Layer, ...], *names: str) -> tuple[Sandbox, dict[str, int]]:
    """A default of 190 with 100 in the fund: a long of 10 from 100 with 110 at 70."""
    box = outside(market(pool=replace(POOL, layers=layers)), *names)
    at_price(box, 100, a=10**4, d=110)
    box.do("sponsor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 100))
    box.trade("d", "a", 10, 100)
    box.drive(70)
    return box, box.do("anyone", ev.ResolveDefault("d")).amounts


@shows("funds-before-sharing")
def test_a_shared_layer_before_a_fund_is_passed_over() -> None:
    """The deficit of 190 is covered by the fund's 100 and nobody, although the counterparty could bear the other 90."""
    _, amounts = defaulted((Layer.TEAR_UP, Layer.INSURANCE_FUND), "funds-before-sharing")
    assert amounts["uncovered_loss"] >= 90
    assert amounts.get("tear_up", 0) == 0


@shows("layers-distinct")
def test_a_layer_named_twice_is_asked_twice_and_reported_once() -> None:
    """The second time the fund is empty: 100 are forgotten, and the defaulter keeps them."""
    box, amounts = defaulted((Layer.INSURANCE_FUND, Layer.INSURANCE_FUND), "layers-distinct")
    assert amounts["insurance_fund"] == 0
    assert box.cash("d") == 100


@shows("collateral-distinct")
def test_an_asset_named_twice_counts_twice() -> None:
    """One ETH at 2,000 counts 3,200 after a haircut of 20 %, and is worth 2,000."""
    box = outside(market(pool=replace(POOL, collateral=(ETH, ETH))), "collateral-distinct")
    at_price(box, 1000, a=0, rich=10**6)
    box.price(2000, "ETH")
    box.do("a", ev.Deposit("a", "ETH", 1))
    assert box.standing("a").margin_equity == 2 * 1600
    box.trade("a", "rich", 30, 1000)
    box.drive(930)
    owned = box.standing("a")
    assert owned.collateral == 4000
    assert owned.cash + 2000 + owned.unrealised == -100


@shows("withdrawal-weight-at-most-initial", "withdrawal-cap-at-most-initial")
@pytest.mark.parametrize("kind", ["weight", "cap"])
def test_profit_that_carries_no_risk_is_paid_out(kind: str) -> None:
    """No deficit: a profit of 100 that does not count as margin leaves, and the account is below initial margin."""
    full = {"profit_weight_withdrawal": SCALE, "profit_cap_withdrawal": 10**6}
    less = {"profit_weight_initial": 0} if kind == "weight" else {"profit_cap_initial": 0}
    box = outside(market(pool=replace(POOL, **full, **less)), f"withdrawal-{kind}-at-most-initial")
    at_price(box, 100, a=110, rich=10**4)
    box.trade("a", "rich", 10, 100)
    box.drive(110)
    box.do("a", ev.Withdraw("a", "USD", 100))
    held = box.standing("a")
    assert held.initial_equity < held.initial


@shows("discount-at-most-haircut")
def test_a_discount_above_the_haircut_lowers_equity() -> None:
    """Not alone: a haircut that covers its gap is above the discount. 1,000 of collateral counts 950 and brings 900."""
    terms = replace(ETH, haircut=5 * PERCENT, discount=10 * PERCENT)
    names = ("discount-at-most-haircut ETH", "haircut-covers-gap ETH")
    box = outside(market(pool=replace(POOL, collateral=(terms,))), *names)
    at_price(box, 100, a=0, rich=10**6)
    box.price(1000, "ETH")
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.trade("a", "rich", 50, 100)
    box.drive(86)
    before = box.standing("a").margin_equity
    assert before == 950 - 50 * 14
    box.drive(85)
    set_cash(box, "a", -100)
    before = box.standing("a").margin_equity
    box.do("rich", ev.Convert("a", "rich", "ETH", 1))
    assert box.standing("a").margin_equity == before - 50


# Collateral


@shows("haircut-covers-gap")
def test_a_haircut_below_the_gap_ends_in_deficit() -> None:
    """Haircut 5 %, 1 % a step: one ETH at 2,000 backs a loss of 1,900, and after six steps fetches 1,885."""
    terms = replace(ETH, haircut=5 * PERCENT, discount=0)
    slow = replace(MARGIN, gap_steps=4, tiers=(Tier(TOP, 12 * PERCENT, 8 * PERCENT),))
    start = market(margin=slow, pool=replace(POOL, collateral=(terms,)))
    box = outside(start, "haircut-covers-gap ETH")
    at_price(box, 1000, a=0, rich=10**6)
    box.price(2000, "ETH")
    box.do("a", ev.Deposit("a", "ETH", 1))
    box.trade("a", "rich", 10, 1000)
    box.drive(810)
    box.trade("rich", "a", 10, 810)
    held = box.standing("a")
    assert (held.cash, held.margin_equity, held.maintenance) == (-1900, 0, 0)
    for step in range(6):
        box.price(1, "ETH", time=box.time + 1)
        box.price(810)
        assert (box.standing("a").net_liquidation_value < 0) == (step == 5)
    box.do("rich", ev.Convert("a", "rich", "ETH", 1))
    assert deficit_of(box, "a") == 1900 - 1885


@shows("haircut-steps-bounded")
def test_steps_of_a_haircut_are_work() -> None:
    """No deficit of its own: a step of 1 s against a gap of days is a loop of as many turns at every listing."""
    feed = replace(FEED, step_interval=2500, band=0)
    start = market(feed, mark=replace(MARK, variation_interval=2500))
    outside(start, "haircut-steps-bounded ETH")
    found = parameters.haircut_violations(ETH, ETH_FEED, 1, 2500)
    assert [(entry.left, entry.right) for entry in found] == [(5001, HAIRCUT_STEPS_MAX)]


# Change and settlement


@shows("settlement-window-fixed")
def test_a_shorter_window_multiplies_what_has_accrued() -> None:
    """500 seconds at 1,000 accrued under a window of 600, divided by one of 60: more than 8,000."""
    start = genesis(markets=(replace(LISTING, kind=MarketKind.FUTURE, expiry=2000),))
    box = Sandbox(start, time=1)
    for time in (1000, 1900):
        box.price(1000, time=time)
    changed = replace(MARKET, settlement_window=60)
    assert box.do("admin", ev.SetParameters("BTC-PERP", changed), Reason.OUTSIDE_ENVELOPE).subject == (
        "settlement-window-fixed"
    )
    record = box.state.markets["BTC-PERP"]
    box.state.markets.put("BTC-PERP", replace(record, listing=replace(record.listing, parameters=changed)))
    box.state.commit()
    box.time = 2000
    assert box.do("anyone", ev.FixSettlement("BTC-PERP")).amounts["settlement_price"] == 1000 * 560 // 60


# Gains haircut


def newcomer(interval: int, *names: str) -> Sandbox:
    """A newcomer with 10 % of 10 lots at 1,300, while the variation-margin mark is 1,000, and a default of 2,000."""
    margin = table((TOP, 10, 5))
    pool, mark = replace(POOL, layers=(Layer.GAINS_HAIRCUT,)), replace(MARK, variation_interval=interval)
    start = market(pool=pool, margin=margin, mark=mark)
    box = outside(start, *names)
    at_price(box, 1000, loser=1000, rich=10**6, new=1300, bear=10**6)
    box.trade("rich", "loser", 10, 1000)
    box.drive(1300)
    assert box.state.marks["BTC-PERP"].variation_price == 1000
    box.trade("new", "bear", 10, 1300)
    box.do("anyone", ev.ResolveDefault("loser"))
    return box


@shows("haircut-within-initial", "variation-steps-bounded")
@pytest.mark.parametrize(("interval", "name"), [(600, "haircut-within-initial"), (86_400, "variation-steps-bounded")])
def test_a_gains_haircut_ruins_a_newcomer(interval: int, name: str) -> None:
    """Its side is asked for 200 a lot, of a gain that it did not have; it brought 130."""
    box = newcomer(interval, name)
    assert box.standing("new").net_liquidation_value == 1300 - 2000
