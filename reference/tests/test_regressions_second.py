"""Regressions of a second reading: sequences that broke a rule after the first were mended, and what happens now.

The letter of a test is that of the regression in ``test_regressions`` or ``test_regressions_later`` that it goes on
from. The clearinghouse is that of ``clearspec.sandbox``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_regressions import BARE, PERP, Narrow, future, listed, refused, start, tiers, two_markets
from test_regressions_later import parameters

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.events import Reason
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.numerics import MARKETS_MAX, SCALE, SEQUENCE_MAX, TIME_MAX
from clearspec.parameters import InterestForm
from clearspec.sandbox import PERCENT, Sandbox
from clearspec.state import Position
from clearspec.waterfall import market_weights, parts_by_market

# ---------------------------------------------------------------------------------------------------------------
# C, G


def test_c_a_debt_of_one_atom_does_not_cost_a_thousand_eth() -> None:
    """Cash -1 beside 1000 ETH of 2000: the stale price fell to 0, and all of it could be taken for nothing.

    2000 less 99.99 % rounds down to 0 at 600 + 9999 s. At the price of 1, where it ends now, the ETH counts 1000 x 80 %
    = 800 against 1.
    """
    s = start(sb.with_pool(negative_balance_limit=10), {"BTC": 1000, "ETH": 2000}, {"a": 0, "k": 10**5})
    s.do("a", ev.Deposit("a", "ETH", 1000))
    s.do("a", ev.Withdraw("a", "USD", 1))
    s.time = 600 + 9999
    assert s.standing("a").margin_equity == 799
    s.do("k", ev.Convert("a", "k", "ETH", 1000), Reason.NOT_CONVERTIBLE)
    s.time = 10**6
    assert s.standing("a").margin_equity == 799


def test_c_collateral_that_never_had_a_price_stays_with_its_owner() -> None:
    """An asset without a price is worth nothing yet; a default of 90 took it for the fund whatever it would be."""
    s = start(sb.genesis(), {"BTC": 100}, {"d": 110, "w": 1000})
    s.do("d", ev.Deposit("d", "ETH", 3))
    s.trade("d", "w", 10, 100)
    s.drive(80)
    assert s.do("z", ev.ResolveDefault("d")).amounts["deficit"] == 90
    assert (s.balance("user", "d", "ETH"), s.balance("insurance_fund", asset="ETH")) == (3, 0)
    s.price(2000, "ETH")
    assert s.standing("d").net_liquidation_value == 6000


def test_g_parts_of_a_deficit_fit_128_bits() -> None:
    """The weights are losses, with funding owed up to 2^97; a weight is clamped to 2^57, and at most 2^62 is split."""
    s = start(sb.genesis(), {"BTC": 100}, {"d": 0})
    s.state.positions["d", PERP] = Position(2**40, 0, 0, 0)
    s.state.accounts["d"] = replace(s.state.accounts["d"], markets=(PERP,))
    s.state.fundings[PERP] = replace(s.state.fundings[PERP], index=2**57)
    weights = market_weights(ev.Context(s.state, 0), "d")
    assert weights == [(PERP, 2**57)]  # 2^40 x (2^57 - 100) is owed
    narrow: list[tuple[str, int]] = [(market, Narrow(loss)) for market, loss in weights]
    assert [part for _, part in parts_by_market(Narrow(2**65 - 1), narrow)] == [2**62]


# ---------------------------------------------------------------------------------------------------------------
# I


def test_i_a_change_just_before_the_accrual_charges_no_time_that_has_passed() -> None:
    """At 3599 s no accrual is due yet; interest raised to 1 % then charged 100 a lot for 3600 s at 3600 s.

    In the second of an accrual, after it, the change is accepted: the next hour costs 1 % of 10,000.
    """
    margin = replace(sb.MARGIN, tiers=tiers(10 * PERCENT, 8 * PERCENT))
    calm = replace(sb.FUNDING, interest_form=InterestForm.ADDED, cap=PERCENT)
    before = listed(funding=calm, margin=margin)
    dear = ev.SetParameters(PERP, replace(before.parameters, funding=replace(calm, interest=PERCENT)))
    s = start(sb.genesis(pool=BARE, markets=(before,)), {"BTC": 10_000}, {})
    s.price(10_000, time=3599)
    s.do("admin", dear, Reason.FUNDING_NOT_ACCRUED)
    s.price(10_000, time=3600)
    s.do("admin", dear, Reason.FUNDING_NOT_ACCRUED)
    assert s.do("z", ev.AccrueFunding(PERP)).amounts["index_step"] == 0
    s.do("admin", dear)
    s.price(10_000, time=7200)
    assert s.do("z", ev.AccrueFunding(PERP)).amounts["index_step"] == 100


def test_i_funding_may_change_in_the_second_of_the_listing_and_always_for_a_future() -> None:
    """Nothing has passed since the listing, and a future takes no funding."""
    s = start(sb.genesis(markets=(sb.LISTING, future(10_000))), {"BTC": 1000}, {})
    changed = replace(sb.MARKET, funding=replace(sb.FUNDING, min_samples=2))
    s.do("admin", ev.SetParameters(PERP, changed))
    s.time = 1
    s.do("admin", ev.SetParameters(PERP, sb.MARKET), Reason.FUNDING_NOT_ACCRUED)
    s.do("admin", ev.SetParameters("FUT", changed))


# ---------------------------------------------------------------------------------------------------------------
# P, N


@pytest.mark.parametrize(("dust", "paid"), [(1, 1500), (0, 1501)])
def test_p_a_strangers_atom_does_not_pay_the_winner(dust: int, paid: int) -> None:
    """The winner sent the loser one atom of ETH worth 1: it was paid 3000, not 1500, and 1499 were uncovered.

    W is long 10 from 1000 against S with 1000, settled at 1300; insurance holds 500. Dust does not count; what is more
    is sold first, the atom for 0.95, rounded up 1.
    """
    genesis = sb.genesis(pool=replace(sb.POOL, dust=dust), markets=(future(100_000),))
    s = start(genesis, {"BTC": 1000, "ETH": 1}, {"w": 10_000, "s": 1000, "k": 100})
    s.do("w", ev.Deposit("w", "ETH", 1))
    s.do("z", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 500))
    s.trade("w", "s", 10, 1000, "FUT")
    s.drive(1300)
    s.time = 100_000
    s.price(1300)
    s.price(1, "ETH")
    s.do("z", ev.FixSettlement("FUT"))
    s.do("w", ev.Transfer("w", "s", "ETH", 1))
    if dust == 0:
        s.do("z", ev.SettlePosition("s", "FUT"), Reason.COLLATERAL_REMAINS)
        s.do("k", ev.Convert("s", "k", "ETH", 1))
    assert s.do("z", ev.SettlePosition("s", "FUT")).amounts["collected"] == paid
    s.do("z", ev.SettlePosition("w", "FUT"))
    assert s.do("z", ev.PayClaim("w", "FUT")).amounts["paid"] == paid
    assert s.standing("s").net_liquidation_value == dust  # the atom, if it was not sold


def test_p_a_bystander_does_not_pay_the_winner_of_another_market() -> None:
    """D, with 1220, loses 3000 to W; it held 20 lots against V, so W was paid 3000 and V, who won nothing, paid 1780.

    Those lots show no loss, so the whole deficit is the future's: 3000 - 1220 are missing.
    """
    dated = replace(future(1000), feed="ALT")
    accounts = {"w": 10**5, "d": 1220, "v": 10**5}
    s = start(two_markets(sb.POOL, sb.LISTING, dated), {"BTC": 100, "ALT": 100}, accounts)
    s.trade("d", "w", 100, 100, "FUT")
    s.trade("d", "v", 20, 100)
    s.drive(70, "ALT")
    s.time = 400
    s.price(70, "ALT")
    s.price(100)
    s.time = 1000
    s.do("z", ev.FixSettlement("FUT"))
    assert s.do("z", ev.SettlePosition("d", "FUT")).amounts["collected"] == 1220
    s.do("z", ev.ResolveDefault("d"), Reason.NOT_IN_DEFAULT)
    assert s.standing("v").margin_equity == 10**5


# ---------------------------------------------------------------------------------------------------------------
# R, S, T


def test_r_nobody_is_liquidated_at_expiry_below_the_settlement_price() -> None:
    """The mark fades only with a price, and liquidation went on at expiry: at 883 when 900 was to be paid.

    The last price came at 1401 with max_age 600. The basis is -18 x 599 / 600 = -17.97, toward zero -17. X, long 10
    from 1000 with 2000, has 830 against 883 at that mark, and 1000 against 900 at the price that is paid.
    """
    margin = replace(sb.MARGIN, tiers=tiers(20 * PERCENT, 10 * PERCENT))
    dated = future(2000, mark=replace(sb.MARK, band=2 * PERCENT), margin=margin)
    s = start(sb.genesis(pool=BARE, markets=(dated,)), {"BTC": 1000}, {"a": 10**6, "l": 10**6, "x": 2000})
    s.trade("x", "a", 10, 1000, "FUT")
    s.drive(900)
    for time in (500, 1000, 1390):
        s.price(900, time=time)
    s.do("venue", ev.PostBook("FUT", 880, 880))
    s.price(900, time=1401)
    s.time = 2000
    held = s.standing("x")
    assert (s.state.marks["FUT"].price, held.margin_equity, held.maintenance) == (883, 830, 883)
    s.do("l", ev.Liquidate("x", "l", "FUT", 10), Reason.MARKET_NOT_TRADING)
    assert s.do("z", ev.FixSettlement("FUT")).amounts["settlement_price"] == 900
    assert s.standing("x").margin_equity == 1000


def test_s_two_pools_do_not_share_a_backstop() -> None:
    """Each of the two pools refused the id with wrong_pool in favour of the other; the genesis refuses now."""
    other = replace(BARE, pool="other", backstop="bs")
    with pytest.raises(ValueError, match="backstop bs: this id stands twice"):
        build(sb.genesis(pool=replace(BARE, backstop="bs"), pools=(other,)))
    assert build(sb.genesis(pool=BARE, pools=(replace(other, backstop=""),)))


def test_t_a_pool_without_a_market_is_checked() -> None:
    """Band, haircut and discount of 20 %: 1 ETH of 2000 and cash -1600 ended at -320, in a pool without a market."""
    eth = replace(sb.ETH, haircut=20 * PERCENT, discount=20 * PERCENT)
    pool = replace(sb.POOL, collateral=(eth,), negative_balance_limit=10**6)
    wide = sb.genesis(pool=pool, markets=(), feeds=(sb.FEED, replace(sb.ETH_FEED, band=20 * PERCENT)))
    assert refused(wide) == "haircut-covers-gap ETH"


# ---------------------------------------------------------------------------------------------------------------
# W


def test_w_a_reducing_fill_off_mark_takes_no_money_of_others() -> None:
    """With a limit of 0, 20 lots bought at 1200 and sold at 800 left cash -8000: only 21 were refused.

    At the mark of 1000 the sale realises what the purchase lost, 20 x 200.
    """
    s = start(sb.genesis(), {"BTC": 1000, "ETH": 2000}, {"a": 0, "b": 10**5, "a2": 5000})
    s.do("a", ev.Deposit("a", "ETH", 10))
    s.trade("a", "a2", 20, 1200)
    for price in (800, 999):
        s.trade("a2", "a", 20, price, expect=Reason.NEGATIVE_BALANCE_LIMIT)
    s.trade("a2", "a", 20, 1000)
    assert (s.cash("a"), s.cash("a2")) == (-4000, 9000)


def test_w_a_liquidator_is_held_to_the_limit_unless_it_reduces() -> None:
    """L, short 5 from 850 with 10 ETH and no cash, takes 10 lots at 905 through zero: 5 x 55 are realised.

    X, long 10 from 1000 with 1000, is worth 50. For 10 lots L gets 45 of the penalty of 50, and would owe 230. For 5
    the penalty is 50 x 4525 / 9050 = 25, the reward 0.5 % of 4525 = 22: it owes 253, and its risk is gone.
    """
    s = start(sb.genesis(), {"BTC": 850, "ETH": 2000}, {"a": 10**6, "l": 0, "x": 1000})
    s.do("l", ev.Deposit("l", "ETH", 10))
    s.trade("a", "l", 5, 850)
    s.drive(1000)
    s.trade("x", "a", 10, 1000)
    s.drive(905)
    s.do("l", ev.Liquidate("x", "l", PERP, 10), Reason.NEGATIVE_BALANCE_LIMIT)
    s.do("l", ev.Liquidate("x", "l", PERP, 5))
    assert (s.cash("l"), s.state.positions["l", PERP].size) == (-253, 0)


# ---------------------------------------------------------------------------------------------------------------
# X, AA


def test_x_a_ramp_cannot_be_shortened_by_an_event_of_its_own() -> None:
    """With the same tiers a ramp of a day became one of a second at once; the next event took 50 to 1000 in it."""
    genesis = sb.genesis(markets=(replace(sb.LISTING, parameters=parameters(10, 5, 86_400)),))
    s = start(genesis, {"BTC": 1000}, {"a": 200, "b": 10_000})
    s.trade("a", "b", 1, 1000)
    assert s.do("admin", ev.SetParameters(PERP, parameters(10, 5, 1))).amounts["ramp_end"] == 86_400
    s.do("admin", ev.SetParameters(PERP, parameters(100, 100, 1)), Reason.RAMP_IN_PROGRESS)
    s.time = 1
    assert s.standing("a").maintenance == 50
    s.time = 86_400
    assert s.do("admin", ev.SetParameters(PERP, parameters(100, 100, 1))).amounts["ramp_end"] == 86_401


def test_x_a_stale_rate_does_not_take_equity_at_once() -> None:
    """Four lots of a market 301 s overdue at rate 0: the rate 1 took half of 4000, and 1000 became -1000."""
    calm = listed(mark=replace(sb.MARK, stale_rate=0))
    genesis = two_markets(sb.POOL, calm, replace(calm, market="ALT", feed="ALT"))
    s = start(genesis, {"BTC": 1000, "ALT": 1000}, {"a": 1000, "b": 10**6})
    s.trade("a", "b", 4, 1000)
    s.trade("a", "b", 4, 1000, "ALT")
    s.price(1000, time=901)
    for changed in (replace(sb.MARK, stale_rate=SCALE), replace(sb.MARK, stale_rate=0, stale_cap=0)):
        s.do("admin", ev.SetParameters("ALT", replace(sb.MARKET, mark=changed)), Reason.STALE_PRICE)
    assert (s.standing("a").margin_equity, s.standing("a").maintenance) == (1000, 400)
    s.do("admin", ev.SetParameters("ALT", calm.parameters))
    s.price(1000, "ALT")
    s.do("admin", ev.SetParameters("ALT", replace(sb.MARKET, mark=replace(sb.MARK, stale_rate=SCALE))))
    assert s.standing("a").margin_equity == 1000


def test_aa_a_feed_outlives_its_futures() -> None:
    """After 256 futures that had been settled and closed, none could be listed on the feed."""
    s = Sandbox(sb.genesis(markets=()), check=False)
    s.price(100)
    for number in range(MARKETS_MAX + 1):
        name = f"F{number}"
        s.do("admin", ev.ListMarket(replace(future(s.time + 600), market=name)))
        s.time += 600
        s.price(100)
        s.do("z", ev.FixSettlement(name))
    assert s.state.feeds["BTC"].markets == ()


@pytest.mark.parametrize(("sequence", "time"), [(SEQUENCE_MAX + 1, 0), (1, TIME_MAX + 1)])
def test_aa_bounds_reach_the_event_itself(sequence: int, time: int) -> None:
    """A time or a sequence beyond its bound was accepted, and every event after it refused or out of range."""
    s = Sandbox()
    action = ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1)
    receipt = apply(s.state, ev.Event("e", sequence, time, "z", action))
    assert receipt.reason == Reason.FIELD_OUT_OF_RANGE
    assert receipt.subject == ("sequence" if sequence > 1 else "time")


# ---------------------------------------------------------------------------------------------------------------
# Final settlement of a perpetual that is owed funding


def paid_to_long(cash: int, price: int) -> Sandbox:
    """D, long 10 from 100, is settled in a delisted perpetual; the last accrual pays it 10 % of the index a lot."""
    paying = replace(sb.FUNDING, interest=-10 * PERCENT, cap=10 * PERCENT, interest_form=InterestForm.ADDED)
    margin = replace(sb.MARGIN, tiers=tiers(50 * PERCENT, 40 * PERCENT))
    s = start(sb.genesis(markets=(listed(funding=paying, margin=margin),)), {"BTC": 100}, {"d": cash, "w": 10**5})
    s.trade("d", "w", 10, 100)
    s.do("admin", ev.Delist(PERP, 3000))
    s.drive(price)
    s.price(price, time=3500)
    s.price(price, time=3600)
    s.do("z", ev.AccrueFunding(PERP))
    s.do("z", ev.FixSettlement(PERP))
    return s


def test_p_a_loss_that_funding_outweighs_is_collected() -> None:
    """Settled at 99 D loses 10 and is owed 10 x 9.9, the index step rounded down to -10: at mark it has no loss."""
    s = paid_to_long(600, 99)
    assert s.do("z", ev.SettlePosition("d", PERP)).amounts["collected"] == 10
    assert s.cash("d") == 600 + 100 - 10


def test_p_no_more_than_the_deficit_is_forgiven() -> None:
    """Settled at 30 D with 600 loses 700 and is owed 30, so it lacks 70: 70 x 700 / 670 = 73 were forgiven."""
    s = paid_to_long(600, 30)
    assert s.standing("d").net_liquidation_value == -70
    assert s.do("z", ev.SettlePosition("d", PERP)).amounts["collected"] == 630
    assert s.cash("d") == 0
