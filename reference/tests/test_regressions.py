"""Regressions A to N: sequences that once broke a rule, each with its numbers and what happens now.

Unless a test says otherwise the clearinghouse is that of ``clearspec.sandbox``: initial margin 10 %, maintenance 5 %,
penalty 1 %, collateral ETH with haircut 20 % and discount 5 %, no fees, a price step of at most 1 % a second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Reason
from clearspec.invariants import broken
from clearspec.ledger import Kind, house, user
from clearspec.liquidation import penalty_for, shortfall_to_target
from clearspec.listing import OutsideEnvelope, build
from clearspec.margin import Standing, bounded, counted_profit, is_critical, reduces_risk
from clearspec.numerics import (
    AMOUNT_MAX,
    BALANCE_MAX,
    DURATION_MAX,
    EQUITY_MAX,
    INDEX_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    RATIO_MAX,
    SCALE,
    TIME_MAX,
)
from clearspec.parameters import (
    InterestForm,
    Layer,
    MarketKind,
    MarketListing,
    PoolParameters,
    Tier,
    grown,
    haircut_violations,
)
from clearspec.sandbox import PERCENT, Sandbox
from clearspec.state import MarketStatus, Position

PERP = "BTC-PERP"
BARE = replace(sb.POOL, collateral=())
ALT_FEED = replace(sb.FEED, feed="ALT")
ALT = replace(sb.LISTING, market="ALT", feed="ALT")
FEEDS = (sb.FEED, sb.ETH_FEED, ALT_FEED)


def tiers(initial: int, maintenance: int) -> tuple[Tier, ...]:
    """One tier, in ratios."""
    return (Tier(NOTIONAL_MAX, initial, maintenance),)


def listed(**sections: Any) -> MarketListing:
    """The perpetual with changed sections of its parameters."""
    return replace(sb.LISTING, parameters=replace(sb.MARKET, **sections))


def future(expiry: int, **sections: Any) -> MarketListing:
    """A future on BTC with changed sections of its parameters."""
    return replace(listed(**sections), market="FUT", kind=MarketKind.FUTURE, expiry=expiry)


def two_markets(pool: PoolParameters = sb.POOL, *markets: MarketListing) -> ev.Genesis:
    """A genesis of the perpetual and ALT, or of other markets, on three feeds."""
    return sb.genesis(pool=pool, markets=markets or (sb.LISTING, ALT), feeds=FEEDS)


def start(genesis: ev.Genesis, prices: dict[str, int], accounts: dict[str, int]) -> Sandbox:
    """A clearinghouse with prices of feeds and accounts with cash."""
    s = Sandbox(genesis)
    for feed, price in prices.items():
        s.price(price, feed)
    for account, cash in accounts.items():
        s.open(account, cash)
    return s


def refused(genesis: ev.Genesis) -> str:
    """The inequality of the envelope that a genesis breaks first."""
    with pytest.raises(OutsideEnvelope) as caught:
        build(genesis)
    return caught.value.violation.inequality


# ---------------------------------------------------------------------------------------------------------------
# A


def test_a_a_market_with_a_fixed_price_bears_no_gains_haircut() -> None:
    """A haircut on a settling market charged the clearing account for short positions that were settled and gone."""
    genesis = sb.with_pool(layers=(Layer.GAINS_HAIRCUT,), negative_balance_limit=2000)
    accounts = {"a": 1000, "b": 1000, "l": 100_000, "x": 0, "k": 5000}
    s = start(genesis, {"BTC": 100, "ETH": 2500}, accounts)
    s.do("x", ev.Deposit("x", "ETH", 1))
    s.trade("b", "a", 10, 100)
    s.trade("l", "a", 10, 100)
    s.trade("x", "a", 1, 100)
    s.trade("a", "x", 1, 100)
    s.do("x", ev.Withdraw("x", "USD", 1990))
    s.drive(2000, "ETH")
    s.do("k", ev.Convert("x", "k", "ETH", 1))  # 95 % of 2000 = 1900: X is flat at -90, and left this market last
    s.do("admin", ev.Delist(PERP, 1))
    s.price(100, time=s.time + 596)
    # Each step at 100 is one atom: 100 -> 96 in four seconds, inside the variation interval of five.
    s.drive(96)
    mark = s.state.marks[PERP]
    s.time = s.state.markets[PERP].listing.expiry
    price = s.do("k", ev.FixSettlement(PERP)).amounts["settlement_price"]
    assert price < mark.variation_price  # the shorts have won since the variation-margin mark
    s.do("k", ev.SettlePosition("a", PERP))
    assert s.state.open_interest[PERP] == 20
    amounts = s.do("k", ev.ResolveDefault("x")).amounts
    assert (amounts["gains_haircut"], amounts["uncovered_loss"]) == (0, 90)
    for account in ("b", "l"):
        s.do("k", ev.SettlePosition(account, PERP))
    s.do("k", ev.PayClaim("a", PERP))
    assert s.state.markets[PERP].status == MarketStatus.CLOSED


# ---------------------------------------------------------------------------------------------------------------
# B


def test_b_the_gap_counts_the_band_on_the_other_side() -> None:
    """One step could move the index by two bands: a short at 3 % with gap_steps 1 and maintenance 2.01 % ended at -400.

    1.01^2 x (1 + 1 % penalty) = 1.030301 must be at most (1 + m) x 0.99, so m >= 4.07080809 %.
    """
    old = listed(margin=replace(sb.MARGIN, tiers=tiers(3 * PERCENT, 20_100_000)))
    assert refused(sb.genesis(pool=BARE, markets=(old,))) == "gap-up"
    below = listed(margin=replace(sb.MARGIN, tiers=tiers(10 * PERCENT, 40_708_080)))
    assert refused(sb.genesis(markets=(below,))) == "gap-up"
    least = listed(margin=replace(sb.MARGIN, tiers=tiers(10 * PERCENT, 40_708_081)))
    s = start(sb.genesis(markets=(least,)), {"BTC": 9000}, {"l": 10**7, "k": 10**7})
    # Short 100 at 9000; worth exactly maintenance at 9900: 990,000 x 4.0708081 % = 40,301.0002 -> 40,302.
    s.open("s", 130_302)
    s.trade("l", "s", 100, 9000)
    s.drive(10_000)
    s.time += 1
    assert s.price(9900) == 9900
    held = s.standing("s")
    assert held.margin_equity == held.maintenance == 40_302
    assert s.price(11_000) == 10_100  # the same step: one band above its anchor of 10,000
    s.time += 1
    assert s.price(11_000) == 10_201
    # 40,302 - 100 x 301 = 10,202; the penalty is 1 % of 1,020,100 = 10,201.
    s.do("k", ev.Liquidate("s", "k", PERP, 100))
    assert s.standing("s").net_liquidation_value == 1


def test_b_funding_is_charged_on_the_index_that_has_risen() -> None:
    """Funding of the gap was counted on the old index: a short with 152,000 at 15.1 % ended at -3000.

    With s = 10 %, cap 5 % an hour and two steps of a second: f = 5 % x 3602 / 3600 = 5.0027778 %,
    1.1^2 x (1 + f) = 1.270533612 must be at most (1 + m) x 0.9, so m >= 41.1704013 %.
    """
    fast = replace(sb.FEED, band=10 * PERCENT)

    def with_maintenance(maintenance: int) -> ev.Genesis:
        listing = listed(
            margin=replace(sb.MARGIN, tiers=tiers(55 * PERCENT, maintenance)),
            mark=replace(sb.MARK, variation_interval=1),
            liquidation=replace(sb.LIQUIDATION, penalty=0, reward=0),
            funding=replace(sb.FUNDING, interest=-5 * PERCENT, interest_form=InterestForm.ADDED, cap=5 * PERCENT),
        )
        return sb.genesis(pool=BARE, markets=(listing,), feeds=(fast,))

    assert refused(with_maintenance(151_000_000)) == "gap-up"
    assert refused(with_maintenance(411_704_013)) == "gap-up"
    s = start(with_maintenance(411_704_014), {"BTC": 8000}, {"l": 10**7})
    # Short 100 at 8000; worth exactly maintenance at 9000: 900,000 x 41.1704014 % = 370,533.6 -> 370,534.
    s.open("s", 470_534)
    s.trade("l", "s", 100, 8000)
    s.time = 3500
    s.drive(10_000)
    s.time = 3599
    assert s.price(9000) == 9000
    held = s.standing("s")
    assert held.margin_equity == held.maintenance == 370_534
    assert s.price(12_000) == 11_000
    s.time = 3600
    assert s.price(13_000) == 12_100
    s.do("z", ev.AccrueFunding(PERP))  # 5 % of 12,100 = 605 a lot
    # 370,534 - 100 x 3100 - 100 x 605 = 34
    assert s.standing("s").net_liquidation_value == 34


# ---------------------------------------------------------------------------------------------------------------
# C


def dead_feed() -> Sandbox:
    """One ETH bought at 2500 against cash -1700, its price now 1500: worth -200, and the feed falls silent."""
    genesis = sb.with_pool(negative_balance_limit=10_000)
    s = start(genesis, {"BTC": 100, "ETH": 2500}, {"b": 10_000, "a": 0, "k": 10_000})
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.do("a", ev.Withdraw("a", "USD", 1700))
    s.drive(1500, "ETH")
    assert s.standing("a").net_liquidation_value == -200
    return s


def test_c_collateral_with_a_dead_feed_is_sold_at_a_falling_price() -> None:
    """Conversion asked for a fresh price and default for no collateral: a dead feed blocked both for ever."""
    s = dead_feed()
    s.time += 600 + 1000
    s.do("z", ev.ResolveDefault("a"), Reason.COLLATERAL_REMAINS)
    # 1000 s overdue at 0.01 % a second: 1500 - 150 = 1350, less 5 % = 1282.5 -> 1283.
    assert s.do("k", ev.Convert("a", "k", "ETH", 1)).amounts["paid"] == 1283
    assert s.do("z", ev.ResolveDefault("a")).amounts["deficit"] == 417


def test_c_a_million_seconds_later_the_default_is_still_resolved() -> None:
    """After 10^6 s without a price the account could be neither converted nor resolved."""
    s = dead_feed()
    s.time += 10**6
    assert s.do("k", ev.Convert("a", "k", "ETH", 1)).accepted
    s.do("z", ev.ResolveDefault("a"))
    assert s.standing("a").net_liquidation_value == 0


def test_c_collateral_that_never_had_a_price_is_not_convertible() -> None:
    """Without a first price there is nothing to fall from."""
    s = start(sb.with_pool(), {"BTC": 100}, {"a": 110, "b": 1000, "k": 1000})
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.trade("a", "b", 10, 100)
    s.drive(80)
    s.do("k", ev.Convert("a", "k", "ETH", 1), Reason.STALE_PRICE)
    assert s.do("z", ev.ResolveDefault("a")).amounts["deficit"] == 90


# ---------------------------------------------------------------------------------------------------------------
# D, E, F


def test_d_a_change_of_the_smoothing_window_keeps_the_mark() -> None:
    """The smoothing state was kept whole: window 60 to 1 with basis 10 took the mark from 10,010 to 10,100."""
    wide = replace(sb.MARK, window=60, band=PERCENT)
    margin = replace(sb.MARGIN, tiers=tiers(20 * PERCENT, 10 * PERCENT))
    genesis = sb.genesis(pool=BARE, markets=(listed(mark=wide, margin=margin),))
    s = Sandbox(genesis, check=False)
    s.price(10_000)
    # A sample of 10 every ten seconds: the state rises by 10 less a sixtieth (down) until it stands at 600.
    for _ in range(250):
        s.time += 10
        s.price(10_000)
        s.do("venue", ev.PostBook(PERP, 10_010, 10_010))
    assert (s.state.marks[PERP].basis_sum, s.state.marks[PERP].price) == (600, 10_010)
    s.do("z", ev.AccrueFunding(PERP), Reason.FUNDING_NOT_DUE)
    narrow = replace(sb.MARKET, mark=replace(wide, window=1), margin=margin)
    s.do("admin", ev.SetParameters(PERP, narrow))
    assert s.state.marks[PERP].basis_sum == 10
    s.price(10_000)
    assert s.state.marks[PERP].price == 10_010


def test_d_a_rescaled_smoothing_state_rounds_down() -> None:
    """A remainder kept whole would have grown with the divisor: -7 of 2 samples is -21 of 6, 7 of 2 is 3 of 1."""
    for before, state, after, kept in ((2, -7, 6, -21), (2, 7, 1, 3), (2, -7, 1, -4)):
        s = Sandbox(sb.with_market(mark=replace(sb.MARK, window=before)))
        s.price(1000)
        s.state.marks.put(PERP, replace(s.state.marks[PERP], basis_sum=state))
        s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, mark=replace(sb.MARK, window=after))))
        assert s.state.marks[PERP].basis_sum == kept


def test_e_time_before_the_first_index_counts_at_the_first_index() -> None:
    """The average counted 300 s without an index at price 0: a price of 1000 throughout settled at 500."""
    s = Sandbox(sb.genesis(markets=(future(600),)))
    s.price(1000, time=300)
    assert s.state.marks["FUT"].price == 1000
    s.price(1000, time=600)
    assert s.do("z", ev.FixSettlement("FUT")).amounts["settlement_price"] == 1000


def test_f_a_power_saturates() -> None:
    """(1 + s)^256 reached 180 bits at s = 1/2: 2^150 at scale 2^30."""
    assert grown(SCALE // 2, 256) == RATIO_MAX
    assert grown(SCALE - 1, 2**8) == RATIO_MAX
    assert grown(PERCENT, 2) == 1_020_100_000


def test_f_a_haircut_over_too_many_steps_is_refused_at_once() -> None:
    """A collateral feed of 1 s steps against a gap of 256 steps of 2^32 s looped 2^40 times."""
    steps = 256
    found = haircut_violations(sb.ETH, sb.ETH_FEED, steps, DURATION_MAX)
    assert [violation.inequality for violation in found] == ["haircut-steps-bounded ETH"]
    assert found[0].left == (steps + 1) * DURATION_MAX + 1
    # 4096 steps are counted: (4095 + 1) x 1 s gives 4097 with the step that runs, one too many.
    assert haircut_violations(sb.ETH, sb.ETH_FEED, 4095, 1)[0].inequality == "haircut-steps-bounded ETH"
    assert haircut_violations(sb.ETH, sb.ETH_FEED, 4094, 1)[0].inequality == "haircut-covers-gap ETH"


# ---------------------------------------------------------------------------------------------------------------
# G


class Narrow(int):
    """An integer of a signed 128-bit register: a product, sum or difference outside it is an error."""

    def _kept(self, value: int) -> Narrow:
        if not -(2**127) <= value < 2**127:
            raise OverflowError(f"{value.bit_length()} bits")
        return Narrow(value)

    def __add__(self, other: int) -> Narrow:
        return self._kept(int(self) + int(other))

    def __sub__(self, other: int) -> Narrow:
        return self._kept(int(self) - int(other))

    def __mul__(self, other: int) -> Narrow:
        return self._kept(int(self) * int(other))

    def __rsub__(self, other: int) -> Narrow:
        return self._kept(int(other) - int(self))

    def __neg__(self) -> Narrow:
        return self._kept(-int(self))

    def __floordiv__(self, other: int) -> Narrow:
        return self._kept(int(self) // int(other))

    __radd__ = __add__
    __rmul__ = __mul__


def extreme(equity: int) -> Standing:
    """A standing at the edge: an equity, and a requirement of 64 positions at the top notional."""
    requirement = Narrow(64 * NOTIONAL_MAX)
    worth = Narrow(equity)
    return Standing(Narrow(0), Narrow(0), worth, worth, worth, worth, requirement, requirement, requirement)


@pytest.mark.parametrize("equity", [2**101, -(2**101), 2**96, -(2**65)])
def test_g_products_of_equity_fit_128_bits(equity: int) -> None:
    """Equity times requirement: funding owed up to 2^101 times 2^62 left 128 bits."""
    held = extreme(equity)
    healthy = equity > 0
    assert reduces_risk(held, held) is healthy
    assert is_critical(held, SCALE) is not healthy
    # Twice 2^62 less an equity beyond the clamp: the clamp, with the other sign.
    assert shortfall_to_target(held, SCALE) == (-EQUITY_MAX if healthy else EQUITY_MAX)
    # 1 % of 2^56 at most; an insolvent account pays nothing.
    assert penalty_for(Narrow(NOTIONAL_MAX), PERCENT, Narrow(equity), NOTIONAL_MAX) == (
        NOTIONAL_MAX // 100 if healthy else 0
    )


def test_g_the_clamp_is_exact() -> None:
    """The clamp stands at 2^64 on both sides, and a profit at 2^92 before its weight."""
    assert [bounded(value) for value in (2**64 - 1, 2**64, 2**64 + 1)] == [2**64 - 1, 2**64, 2**64]
    assert [bounded(value) for value in (1 - 2**64, -(2**64), -(2**64) - 1)] == [1 - 2**64, -(2**64), -(2**64)]
    assert counted_profit(Narrow(2**101), SCALE, 2**100) == 2**92
    assert counted_profit(Narrow(2**101), SCALE, AMOUNT_MAX) == AMOUNT_MAX


def test_g_a_holding_of_2_to_96_settlement_atoms_trades() -> None:
    """2^60 atoms of collateral at a price of 2^36 gave an equity whose product with a requirement left 128 bits."""
    pool = replace(sb.POOL, collateral=(replace(sb.ETH, cap=AMOUNT_MAX),))
    genesis = sb.genesis(pool=pool, feeds=(sb.FEED, replace(sb.ETH_FEED, max_price=PRICE_MAX)))
    s = start(genesis, {"BTC": 100, "ETH": PRICE_MAX}, {"a": 1, "b": 10**6})
    s.do("a", ev.Deposit("a", "ETH", AMOUNT_MAX))
    assert s.standing("a").collateral == 2**96
    s.trade("a", "b", 10, 100)
    assert bounded(s.standing("a").margin_equity) == EQUITY_MAX


# ---------------------------------------------------------------------------------------------------------------
# H


def traded() -> Sandbox:
    """Two accounts, ten lots between them."""
    s = start(sb.genesis(), {"BTC": 100}, {"a": 1000, "b": 1000})
    s.trade("a", "b", 10, 100)
    assert broken(s.state) == []
    return s


def test_h_inv_9_sees_carry_indices_and_feeds() -> None:
    """A carry at or above its divisor, a haircut index beyond its range, an index above its cap went unseen."""
    s = traded()
    sound = s.state.fundings[PERP]
    for wrong in (
        replace(sound, carry=SCALE * 3600),
        replace(sound, carry=-1),
        replace(sound, haircut_long=INDEX_MAX + 1),
        replace(sound, haircut_short=-1),
    ):
        s.state.fundings[PERP] = wrong
        assert "INV-9" in broken(s.state)
    s.state.fundings[PERP] = replace(sound, carry=SCALE * 3600 - 1)
    assert broken(s.state) == []
    s.state.feeds["BTC"] = replace(s.state.feeds["BTC"], index=10**9 + 1)
    assert broken(s.state) == ["INV-9"]


def test_h_inv_11_is_the_solvency_equation() -> None:
    """A clearing balance that no position owes is a claim that nothing backs; balances sum to zero all the same."""
    s = traded()
    a, fund = user("USD", "main", "a"), ("USD", "main", "clearing", PERP)
    s.state.balances[a] = s.state.balances[a] + 7
    s.state.balances[fund] = s.state.balances.get(fund, 0) - 7
    assert {"INV-7", "INV-11"} <= set(broken(s.state))
    assert "INV-1" not in broken(s.state)
    # A loss that is covered by nothing but a smaller custody balances again: the equation counts it by name.
    s = traded()
    loss, custody = (house("USD", "main", kind) for kind in (Kind.UNCOVERED_LOSS, Kind.CUSTODY))
    s.state.balances[loss] = -5
    s.state.balances[custody] = s.state.balances[custody] + 5
    assert broken(s.state) == []


def test_h_inv_12_sees_sign_and_bound_of_cost() -> None:
    """A long with a negative cost, a short with a positive one, a settled loss, a cost above the highest price."""
    s = traded()
    for wrong in (
        Position(10, -1, 0, 0),
        Position(-10, 1, 0, 0),
        Position(0, 1, 0, 0),
        Position(10, 10 * PRICE_MAX + 1, 0, 0),
        Position(-10, -10 * PRICE_MAX - 1, 0, 0),
    ):
        s.state.positions["a", PERP] = wrong
        assert "INV-12" in broken(s.state)
    for sound in (Position(10, 10 * PRICE_MAX, 0, 0), Position(0, -1, 0, 0), Position(-10, 0, 0, 0)):
        s.state.positions["a", PERP] = sound
        assert "INV-12" not in broken(s.state)


# ---------------------------------------------------------------------------------------------------------------
# I, J, K, L


def test_i_funding_parameters_wait_for_a_due_accrual() -> None:
    """Interest raised from 0 to 1 % just before a due accrual charged the whole hour that had passed."""
    margin = replace(sb.MARGIN, tiers=tiers(10 * PERCENT, 8 * PERCENT))
    calm = replace(sb.FUNDING, interest_form=InterestForm.ADDED, cap=PERCENT)
    before = listed(funding=calm, margin=margin)
    s = start(sb.genesis(pool=BARE, markets=(before,)), {"BTC": 10_000}, {"a": 10**6, "b": 10**6})
    s.trade("a", "b", 10, 10_000)
    s.price(10_000, time=3600)
    dear = replace(before.parameters, funding=replace(calm, interest=PERCENT))
    s.do("admin", ev.SetParameters(PERP, dear), Reason.FUNDING_NOT_ACCRUED)
    # Other parameters may change; the hour is accrued at the old interest, then the new one may come.
    s.do("admin", ev.SetParameters(PERP, replace(before.parameters, mark=replace(sb.MARK, window=2))))
    assert s.do("z", ev.AccrueFunding(PERP)).amounts["index_step"] == 0
    s.do("admin", ev.SetParameters(PERP, dear))
    s.price(10_000, time=7200)
    assert s.do("z", ev.AccrueFunding(PERP)).amounts["index_step"] == 100


def test_i_a_due_accrual_is_not_stretched_by_a_longer_gap() -> None:
    """After ten hours a greater gap, set just before the accrual, charged ten hours instead of one."""
    dear = replace(sb.FUNDING, interest=PERCENT // 100, interest_form=InterestForm.ADDED, cap=PERCENT // 100)
    s = start(sb.genesis(pool=BARE, markets=(listed(funding=dear),)), {"BTC": 10_000}, {})
    s.price(10_000, time=36_000)
    longer = replace(sb.MARKET, funding=replace(dear, max_gap=36_000))
    s.do("admin", ev.SetParameters(PERP, longer), Reason.FUNDING_NOT_ACCRUED)
    assert s.do("z", ev.AccrueFunding(PERP)).amounts["index_step"] == 1  # 0.01 % of 10,000 for one hour


def test_j_a_venue_cannot_flood_book_samples() -> None:
    """600 samples in one second put the mark at its band and the premium at its cap, and evicted all others."""
    wide = replace(sb.MARK, window=30, band=PERCENT)
    margin = replace(sb.MARGIN, tiers=tiers(20 * PERCENT, 10 * PERCENT))
    s = Sandbox(sb.genesis(pool=BARE, markets=(listed(mark=wide, margin=margin),)))
    s.price(10_000)
    s.do("venue", ev.PostBook(PERP, 11_000, 11_000), Reason.SAMPLE_TOO_SOON)  # ten seconds since the listing
    s.price(10_000, time=10)
    s.do("venue", ev.PostBook(PERP, 11_000, 11_000))
    for _ in range(600):
        s.do("venue", ev.PostBook(PERP, 11_000, 11_000), Reason.SAMPLE_TOO_SOON)
    s.time = 19
    s.do("venue", ev.PostBook(PERP, 11_000, 11_000), Reason.SAMPLE_TOO_SOON)
    # One sample: basis 1000, clamped to 100, a thirtieth of it = 3.33 -> 3; one premium.
    assert s.state.marks[PERP].price == 10_003
    assert s.state.fundings[PERP].samples == (PERCENT * 10,)
    s.time = 20
    s.do("venue", ev.PostBook(PERP, 9_000, 9_000))
    assert len(s.state.fundings[PERP].samples) == 2


def test_j_all_samples_of_an_interval_fit() -> None:
    """With more than 512 samples in an interval the last ones evict the first: 3600 s needs samples 8 s apart."""
    close = listed(funding=replace(sb.FUNDING, sample_interval=7))  # 7 x 512 = 3584
    assert refused(sb.genesis(markets=(close,))) == "samples-fit"
    assert build(sb.genesis(markets=(listed(funding=replace(sb.FUNDING, sample_interval=8)),)))  # 4096


def test_j_a_source_of_prices_sends_no_book() -> None:
    """One faulty source of a feed that outvotes it could post books of its own."""
    s = Sandbox()
    s.price(100)
    s.time = 10
    s.do("s1", ev.PostBook(PERP, 120, 120), Reason.UNAUTHORISED)


def test_k_an_expiry_stays_in_its_range() -> None:
    """A delisting at the last second with the longest notice and window set an expiry beyond the range of a time."""
    s = Sandbox(sb.with_market(settlement_window=DURATION_MAX))
    s.time = TIME_MAX
    expiry = s.do("admin", ev.Delist(PERP, DURATION_MAX)).amounts["expiry"]
    assert expiry == 2**40 + 2**33
    low, high = next((low, high) for name, low, high in ev.bounds_of(MarketListing) if name == "expiry")
    assert low <= expiry <= high == 2**41


def test_k_a_delisted_market_stays_so() -> None:
    """A delisted market could be made active again, and delisting opened a halted market."""
    s = Sandbox()
    s.price(100)
    s.do("admin", ev.Delist(PERP, 1000))
    s.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED)
    s.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    s.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED)
    s.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))
    s = Sandbox()
    s.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    s.do("admin", ev.Delist(PERP, 1000))
    assert s.state.markets[PERP].status == MarketStatus.HALTED


def test_l_a_full_pool_can_be_made_whole() -> None:
    """Cap 2100, custody 2100, uncovered loss 100: withdrawals gated, and the cover was held up by the cap."""
    s = start(sb.with_pool(settlement_cap=2100, layers=()), {"BTC": 100}, {"a": 2000, "x": 100})
    s.trade("x", "a", 10, 100)
    s.drive(80)
    assert s.do("z", ev.ResolveDefault("x")).amounts["uncovered_loss"] == 100
    s.do("a", ev.Withdraw("a", "USD", 1), Reason.WITHDRAWALS_GATED)
    s.do("a", ev.Deposit("a", "USD", 1), Reason.DEPOSIT_CAP_EXCEEDED)
    s.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 100))
    s.do("a", ev.Withdraw("a", "USD", 2200))
    assert (s.balance("custody"), s.balance("insurance_fund"), s.cash("a")) == (-1, 1, 0)


def test_l_the_range_of_a_balance_still_holds_up_a_contribution() -> None:
    """Without the cap only the range is left: four times 2^60 reach it, an atom more does not fit."""
    s = Sandbox()
    for _ in range(4):
        s.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, AMOUNT_MAX))
    assert s.balance("custody") == -BALANCE_MAX
    s.do("z", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 1), Reason.BALANCE_OUT_OF_RANGE)


# ---------------------------------------------------------------------------------------------------------------
# M


def hostage(**pool: Any) -> Sandbox:
    """Cash 110, ten lots that lost 20 each: -90; then a stranger sends an atom of ETH worth 1: -89."""
    accounts = {"a": 2000, "x": 110, "k": 10_000, "g": 0}
    s = start(sb.with_pool(layers=(), **pool), {"BTC": 100, "ETH": 1}, accounts)
    s.do("g", ev.Deposit("g", "ETH", 1))
    s.trade("x", "a", 10, 100)
    s.drive(80)
    assert s.standing("x").net_liquidation_value == -90
    s.do("g", ev.Transfer("g", "x", "ETH", 1))
    assert s.standing("x").net_liquidation_value == -89
    return s


def test_m_collateral_in_default_is_convertible_with_cash_left() -> None:
    """The settlement balance was positive, so that nothing could be converted, and collateral blocked the default."""
    s = hostage()
    s.do("z", ev.ResolveDefault("x"), Reason.COLLATERAL_REMAINS)
    assert s.do("k", ev.Convert("x", "k", "ETH", 1)).amounts["paid"] == 1  # 0.95 -> 1
    assert s.do("z", ev.ResolveDefault("x")).amounts["deficit"] == 89


def test_m_dust_does_not_hold_up_a_default() -> None:
    """One atom held the default up until a keeper came who was not paid to come."""
    s = hostage(dust=1)
    assert s.do("z", ev.ResolveDefault("x")).amounts["deficit"] == 90
    assert s.balance("insurance_fund", asset="ETH") == 1
    assert s.balance("user", "x", "ETH") == 0
    assert s.standing("x").net_liquidation_value == 0


# ---------------------------------------------------------------------------------------------------------------
# N


def test_n_a_charge_is_at_most_the_value_of_what_was_torn_up() -> None:
    """V, who neither won nor lost, was charged for a loss in ALT because the defaulter kept one lot against it.

    W, who won, hands its short on at mark to U with 700, all of which is initial margin of 7000.
    """
    s = start(two_markets(), {"BTC": 100, "ALT": 100}, {"w": 10**5, "d": 1020, "v": 10**5, "u": 700})
    s.trade("d", "w", 100, 100, "ALT")
    s.trade("d", "v", 1, 100)
    s.drive(70, "ALT")
    s.trade("w", "u", 100, 70, "ALT")
    assert s.standing("d").net_liquidation_value == 1020 - 3000
    amounts = s.do("z", ev.ResolveDefault("d")).amounts
    # Rooms: of 7000 torn up U has 700, of one lot at 100 V bears 100. The rest of 1980 is nobody's.
    assert (amounts["tear_up"], amounts["gains_haircut"], amounts["uncovered_loss"]) == (800, 0, 1180)
    assert (s.standing("u").margin_equity, s.standing("v").margin_equity) == (0, 99_900)


def test_n_no_share_exceeds_its_room_and_the_rest_moves_to_others() -> None:
    """Shares by closed value were cut to what one could bear, and the cut fell to the next layer beside a full purse.

    D long 20 from 100 with cash 220 is worth -180 at 80. C is short 10 from 85 with cash 90 + 50 = 140, W short 10
    from 100 with cash 10,000 + 200. The rooms after the tear-up are min(800, 140) and min(800, 10,200): 180 x 140 / 940
    = 26.8 -> 26 for C if it stands first, 154 for W.
    """
    pool = replace(sb.POOL, layers=(Layer.TEAR_UP,))
    s = start(sb.genesis(pool=pool), {"BTC": 100}, {"d": 220, "w": 10_000, "u": 10_000, "c": 90})
    s.trade("d", "w", 10, 100)
    s.trade("d", "u", 10, 100)
    s.drive(85)
    s.trade("u", "c", 10, 85)
    s.drive(80)
    assert [s.standing(name).margin_equity for name in "dwc"] == [-180, 10_200, 140]
    amounts = s.do("z", ev.ResolveDefault("d")).amounts
    assert (amounts["tear_up"], amounts["uncovered_loss"]) == (180, 0)
    # C gained 5/85 with leverage 800 / 140, which is 0.34; W 0.2 with leverage 800 / 10,200, which is 0.016: C first.
    assert (s.cash("c"), s.cash("w")) == (140 - 26, 10_200 - 154)


def test_n_counterparties_below_maintenance_rank_last() -> None:
    """P with equity -80 ranked before W with 10,200 by leverage, bore nothing, and 90 was uncovered."""
    accounts = {"d": 110, "l": 10_000, "p": 200, "w": 10_000, "u": 10_000}
    s = start(two_markets(replace(sb.POOL, layers=(Layer.TEAR_UP,))), {"BTC": 100, "ALT": 100}, accounts)
    s.trade("d", "p", 10, 100)
    s.trade("l", "w", 10, 100)
    s.trade("p", "u", 10, 100, "ALT")
    s.drive(80)
    s.drive(52, "ALT")
    s.price(80)
    # P: 200 + 10 x 20 - 10 x 48 = -80; W: 10,000 + 10 x 20; D: 110 - 10 x 20 = -90.
    assert [s.standing(name).margin_equity for name in "pwd"] == [-80, 10_200, -90]
    amounts = s.do("z", ev.ResolveDefault("d")).amounts
    assert (amounts["tear_up"], amounts["uncovered_loss"]) == (90, 0)
    assert (s.cash("w"), s.state.positions["w", PERP].size) == (10_110, 0)
    assert s.state.positions["p", PERP].size == -10
