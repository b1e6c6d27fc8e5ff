"""Sequences that still break a rule: each test says what should happen, and is expected to fail until it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_regressions import BARE, PERP, Narrow, future, listed, start, tiers, two_markets
from test_regressions_later import parameters

from clearspec import events as ev
from clearspec import sandbox as sb
from clearspec.listing import build
from clearspec.machine import apply
from clearspec.numerics import MARKETS_MAX, SCALE
from clearspec.parameters import InterestForm
from clearspec.sandbox import PERCENT, Sandbox
from clearspec.state import Position
from clearspec.waterfall import market_weights, parts_by_market


def attempt(s: Sandbox, actor: str, action: Any) -> ev.Receipt:
    """Apply an action now, whatever comes of it."""
    s.sequence += 1
    return apply(s.state, ev.Event(f"e{s.sequence}", s.sequence, s.time, actor, action))


@pytest.mark.xfail(strict=True, reason="W: a reducing fill off mark is exempt from the negative balance limit")
def test_w_a_reducing_fill_off_mark_takes_no_money_of_others() -> None:
    """With a limit of 0, 20 lots bought at 1200 and sold at 800 leave cash -8000: only 21 are refused.

    At the mark of 1000 the sale would realise what the purchase lost, 20 x 200; 20 x 200 more go off mark.
    """
    s = start(sb.genesis(), {"BTC": 1000, "ETH": 2000}, {"a": 0, "b": 10**5, "a2": 5000})
    s.do("a", ev.Deposit("a", "ETH", 10))
    attempt(s, "venue", ev.Trade(PERP, "a", "a2", 20, 1200, ev.Side.SELLER))
    attempt(s, "venue", ev.Trade(PERP, "a2", "a", 20, 800, ev.Side.SELLER))
    assert s.cash("a") >= -20 * 200
    assert not attempt(s, "a2", ev.Withdraw("a2", "USD", 13_000)).accepted


@pytest.mark.xfail(strict=True, reason="C: at price 0 the whole holding goes for nothing, however small the need")
def test_c_a_debt_of_one_atom_does_not_cost_a_thousand_eth() -> None:
    """Cash -1 beside 1000 ETH of 2000: nothing is convertible until the stale price is 0, then all of it, for 0.

    At a price of 1 the ETH still counts 1000 x 80 % = 800 against 1, so that no keeper may buy before the price is 0;
    2000 less 99.99 % rounds down to 0 at 600 + 9999 s.
    """
    s = start(sb.with_pool(negative_balance_limit=10), {"BTC": 1000, "ETH": 2000}, {"a": 0, "k": 10**5})
    s.do("a", ev.Deposit("a", "ETH", 1000))
    s.do("a", ev.Withdraw("a", "USD", 1))
    s.time = 600 + 9999
    attempt(s, "k", ev.Convert("a", "k", "ETH", 1000))
    assert s.balance("user", "a", "ETH") >= 998


@pytest.mark.xfail(strict=True, reason="I: funding parameters changed just before the accrual hold for the whole hour")
def test_i_a_change_just_before_the_accrual_charges_no_time_that_has_passed() -> None:
    """At 3599 s no accrual is due yet; interest raised to 1 % then charges 100 a lot for 3600 s at 3600 s."""
    margin = replace(sb.MARGIN, tiers=tiers(10 * PERCENT, 8 * PERCENT))
    calm = replace(sb.FUNDING, interest_form=InterestForm.ADDED, cap=PERCENT)
    before = listed(funding=calm, margin=margin)
    s = start(sb.genesis(pool=BARE, markets=(before,)), {"BTC": 10_000}, {})
    s.price(10_000, time=3599)
    attempt(s, "admin", ev.SetParameters(PERP, replace(before.parameters, funding=replace(calm, interest=PERCENT))))
    s.price(10_000, time=3600)
    # One second of 1 % an hour on 10,000 is 0.028.
    assert attempt(s, "z", ev.AccrueFunding(PERP)).amounts["index_step"] == 0


@pytest.mark.xfail(strict=True, reason="X: two events in one second shorten the ramp and then use it")
def test_x_a_ramp_cannot_be_shortened_by_an_event_of_its_own() -> None:
    """With the same tiers a ramp of a day becomes one of a second at once; the next event takes 50 to 1000 in it."""
    genesis = sb.genesis(markets=(replace(sb.LISTING, parameters=parameters(10, 5, 86_400)),))
    s = start(genesis, {"BTC": 1000}, {"a": 200, "b": 10_000})
    s.trade("a", "b", 1, 1000)
    attempt(s, "admin", ev.SetParameters(PERP, parameters(10, 5, 1)))
    attempt(s, "admin", ev.SetParameters(PERP, parameters(100, 100, 1)))
    s.time = 1
    assert s.standing("a").maintenance <= 51  # 50 + 950 / 86,400, rounded up


@pytest.mark.xfail(strict=True, reason="R: the mark fades only with a price, and liquidation goes on after expiry")
def test_r_nobody_is_liquidated_at_expiry_below_the_settlement_price() -> None:
    """The last price came at 1401 with max_age 600: at 2000 the mark is 883, the settlement price 900.

    At 1401 the basis is -18 x 599 / 600 = -17.97, toward zero -17. X, long 10 from 1000 with 2000, has 830 against 883
    at that mark, and 1000 against 900 at the price that is paid.
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
    liquidated = attempt(s, "l", ev.Liquidate("x", "l", "FUT", 10))
    assert s.do("z", ev.FixSettlement("FUT")).amounts["settlement_price"] == 900
    assert liquidated.amounts.get("price", 900) == 900


@pytest.mark.xfail(strict=True, reason="P: one atom of collateral moves a loss from a market's winners to the pool")
def test_p_a_strangers_atom_does_not_pay_the_winner() -> None:
    """The winner sends the loser one atom of ETH worth 1: it is paid 3000, not 1500, and 1499 are uncovered.

    W is long 10 from 1000 against S with 1000, settled at 1300; insurance holds 500.
    """
    genesis = sb.genesis(pool=replace(sb.POOL, dust=1), markets=(future(100_000),))
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
    if not attempt(s, "z", ev.SettlePosition("s", "FUT")).accepted:
        s.do("k", ev.Convert("s", "k", "ETH", 1))
        s.do("z", ev.SettlePosition("s", "FUT"))
    s.do("z", ev.SettlePosition("w", "FUT"))
    assert s.do("z", ev.PayClaim("w", "FUT")).amounts["paid"] <= 1501  # 1000 + 500, and the atom
    assert s.standing("s").net_liquidation_value >= 0


@pytest.mark.xfail(strict=True, reason="P, N: a lot elsewhere moves a settled loss from its winner to a bystander")
def test_p_a_bystander_does_not_pay_the_winner_of_another_market() -> None:
    """D, with 1220, loses 3000 to W; it holds 20 lots against V, so W is paid 3000 and V, who won nothing, pays 1780.

    Without those lots W is paid 1220. W and D may be one owner.
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
    attempt(s, "z", ev.SettlePosition("d", "FUT"))
    attempt(s, "z", ev.ResolveDefault("d"))
    assert s.standing("v").margin_equity == 10**5


@pytest.mark.xfail(strict=True, reason="T: the haircut of a pool without a market is never held against its feed")
def test_t_a_pool_without_a_market_is_checked() -> None:
    """Band, haircut and discount of 20 %: 1 ETH of 2000 and cash -1600 end at -320, in a pool without a market."""
    eth = replace(sb.ETH, haircut=20 * PERCENT, discount=20 * PERCENT)
    pool = replace(sb.POOL, collateral=(eth,), negative_balance_limit=10**6)
    with pytest.raises(ValueError):
        build(sb.genesis(pool=pool, markets=(), feeds=(sb.FEED, replace(sb.ETH_FEED, band=20 * PERCENT))))


@pytest.mark.xfail(strict=True, reason="X: the age penalty has no ramp: one event makes a healthy account liquidatable")
def test_x_a_stale_rate_does_not_take_equity_at_once() -> None:
    """Four lots of a market 301 s overdue at rate 0: the rate 1 takes half of 4000, and 1000 become -1000."""
    calm = listed(mark=replace(sb.MARK, stale_rate=0))
    genesis = two_markets(sb.POOL, calm, replace(calm, market="ALT", feed="ALT"))
    s = start(genesis, {"BTC": 1000, "ALT": 1000}, {"a": 1000, "b": 10**6})
    s.trade("a", "b", 4, 1000)
    s.trade("a", "b", 4, 1000, "ALT")
    s.price(1000, time=901)
    assert s.standing("a").margin_equity == 1000
    strict = replace(sb.MARKET, mark=replace(sb.MARK, stale_rate=SCALE))
    attempt(s, "admin", ev.SetParameters("ALT", strict))
    assert s.standing("a").margin_equity >= s.standing("a").maintenance == 400


@pytest.mark.xfail(strict=True, reason="AA: closed markets count towards the markets of a feed for ever")
def test_aa_a_feed_outlives_its_futures() -> None:
    """After 256 futures that have been settled and closed, none may be listed on the feed."""
    s = Sandbox(sb.genesis(markets=()), check=False)
    s.price(100)
    for number in range(MARKETS_MAX + 1):
        name = f"F{number}"
        s.do("admin", ev.ListMarket(replace(future(s.time + 600), market=name)))
        s.time += 600
        s.price(100)
        s.do("z", ev.FixSettlement(name))


@pytest.mark.xfail(strict=True, reason="S: a backstop named by two pools can be opened in neither")
def test_s_two_pools_do_not_share_a_backstop() -> None:
    """Each of the two pools refuses the id with wrong_pool in favour of the other; the genesis should."""
    other = replace(BARE, pool="other", backstop="bs")
    with pytest.raises(ValueError):
        build(sb.genesis(pool=replace(BARE, backstop="bs"), pools=(other,)))


@pytest.mark.xfail(strict=True, raises=OverflowError, reason="G: the weight of a market in a deficit has no bound")
def test_g_parts_of_a_deficit_fit_128_bits() -> None:
    """NUM-9 counts deficit x closed value, 65 + 62 bits; the weights are losses now, with funding owed up to 2^97."""
    s = start(sb.genesis(), {"BTC": 100}, {"d": 0})
    s.state.positions["d", PERP] = Position(2**40, 0, 0, 0)
    s.state.accounts["d"] = replace(s.state.accounts["d"], markets=(PERP,))
    s.state.fundings[PERP] = replace(s.state.fundings[PERP], index=2**57)
    weights: list[tuple[str, int]] = []
    for market, loss in market_weights(ev.Context(s.state, 0), "d"):
        weights.append((market, Narrow(loss)))
    assert [part for _, part in parts_by_market(Narrow(2**65 - 1), weights)] == [2**65 - 1]
