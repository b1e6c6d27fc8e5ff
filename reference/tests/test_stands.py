"""Sequences that break plausible rules, replayed: none of them works here.

Each test carries the numbers of a hole that some plausible rule would leave open, and shows what happens instead.
They are grouped by subject, S1 to S17; the last group are sentences that sound true and are not.
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
from clearspec.funding import aggregated, funding_rate
from clearspec.invariants import broken
from clearspec.ledger import Kind
from clearspec.liquidation import penalty_for, reward_from
from clearspec.listing import OutsideEnvelope, build, listing_violations
from clearspec.margin import Standing, tiered_requirement
from clearspec.numerics import AMOUNT_MAX, BALANCE_MAX, NOTIONAL_MAX, POSITIONS_MAX, PRICE_MAX, SCALE
from clearspec.oracle import smoothed
from clearspec.parameters import FundingParameters, InterestForm, Layer, MarketKind, MarketListing, Tier
from clearspec.sandbox import PERCENT, Sandbox
from clearspec.snapshot import observable, proof_of, state_root
from clearspec.state import MarketStatus, State
from clearspec.waterfall import rank_score

PERP = "BTC-PERP"
SIDE = replace(sb.POOL, pool="side", collateral=())
SIDE_LISTING = replace(sb.LISTING, market="BTC-SIDE", pool="side")
FUTURE = replace(sb.LISTING, market="BTC-FUT", kind=MarketKind.FUTURE, expiry=10_000)


def tiers(initial: int, maintenance: int) -> tuple[Tier, ...]:
    """One tier, in percent."""
    return (Tier(NOTIONAL_MAX, initial * PERCENT, maintenance * PERCENT),)


def listed(**sections: Any) -> MarketListing:
    """The perpetual with changed sections of its parameters."""
    return replace(sb.LISTING, parameters=replace(sb.MARKET, **sections))


def start(price: int, *accounts: tuple[str, int], genesis: ev.Genesis | None = None, pool: str = "main") -> Sandbox:
    """A clearinghouse with BTC at a price, ETH at 2000 and accounts with cash."""
    s = Sandbox(genesis or sb.genesis())
    s.price(price)
    s.price(2000, "ETH")
    for account, cash in accounts:
        s.open(account, cash, pool)
    return s


def money(state: State, pool: str) -> dict[Any, int]:
    """Every balance of a pool."""
    return {key: amount for key, amount in state.balances.items() if key[1] == pool}


def liquidatable(standing: Standing) -> bool:
    """Whether margin equity is below maintenance."""
    return standing.margin_equity < standing.maintenance


# ---------------------------------------------------------------------------------------------------------------
# S1 Pools


def test_s1_a_default_does_not_reach_another_pool() -> None:
    genesis = sb.genesis(pool=replace(sb.POOL, layers=()), pools=(SIDE,), markets=(sb.LISTING, SIDE_LISTING))
    s = start(100, ("a", 100), ("b", 1000), genesis=genesis)
    s.open("z", 5000, "side")
    s.do("k", ev.Contribute("side", ev.Fund.INSURANCE_FUND, 500))
    s.trade("a", "b", 10, 100)
    s.drive(80)
    before = money(s.state, "side")
    s.do("k", ev.ResolveDefault("a"))  # 100 - 10 x 20 = -100
    assert s.balance("uncovered_loss") == -100
    assert money(s.state, "side") == before
    assert s.balance("insurance_fund", pool="side") == 500


def test_s1_a_gated_pool_leaks_nothing_into_another() -> None:
    genesis = sb.genesis(pool=replace(sb.POOL, layers=()), pools=(SIDE,), markets=(sb.LISTING, SIDE_LISTING))
    s = start(100, ("a", 100), ("b", 1000), ("c", 0), genesis=genesis)
    s.open("z", 0, "side")
    s.trade("a", "b", 10, 100)
    s.drive(80)
    s.do("k", ev.ResolveDefault("a"))
    s.do("b", ev.Transfer("b", "z", "USD", 1), Reason.WITHDRAWALS_GATED)
    s.do("b", ev.Transfer("b", "c", "USD", 1))  # stays in the pool


def test_s1_a_transfer_between_pools_moves_custody_too() -> None:
    genesis = sb.genesis(pools=(SIDE,), markets=(sb.LISTING, SIDE_LISTING))
    s = start(100, ("a", 1000), genesis=genesis)
    s.open("z", 500, "side")
    s.do("a", ev.Transfer("a", "z", "USD", 300))
    assert (s.cash("a"), s.cash("z")) == (700, 800)
    assert (s.balance("custody"), s.balance("custody", pool="side")) == (-700, -800)


def test_s1_insurance_pays_at_most_the_cap_of_a_market_in_an_interval() -> None:
    # Three accounts default with -100 each; the cap is 60 a day.
    pool = replace(sb.POOL, layers=(Layer.INSURANCE_FUND,))
    listing = listed(liquidation=replace(sb.LIQUIDATION, insurance_cap=60, budget_interval=86_400))
    genesis = sb.genesis(pool=pool, markets=(listing,))
    s = start(100, ("a", 100), ("c", 100), ("d", 100), ("b", 3000), genesis=genesis)
    s.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 500))
    for account in ("a", "c", "d"):
        s.trade(account, "b", 10, 100)
    s.drive(80)
    first = s.do("k", ev.ResolveDefault("a")).amounts
    assert (first["insurance_fund"], first["uncovered_loss"]) == (60, 40)
    second = s.do("k", ev.ResolveDefault("c")).amounts
    assert (second["insurance_fund"], second["uncovered_loss"]) == (0, 100)
    s.time = 86_400
    third = s.do("k", ev.ResolveDefault("d")).amounts
    assert (third["insurance_fund"], third["uncovered_loss"]) == (60, 40)
    assert s.balance("insurance_fund") == 380


def test_s1_insurance_pays_at_most_the_cap_of_the_pool_in_an_interval() -> None:
    # Three defaults of 100 each, 150 for the pool: 100, 50 and nothing.
    pool = replace(sb.POOL, layers=(Layer.INSURANCE_FUND,), insurance_cap=150)
    s = start(100, ("a", 100), ("c", 100), ("d", 100), ("b", 3000), genesis=sb.genesis(pool=pool))
    s.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 500))
    for account in ("a", "c", "d"):
        s.trade(account, "b", 10, 100)
    s.drive(80)
    paid = [s.do("k", ev.ResolveDefault(account)).amounts["insurance_fund"] for account in ("a", "c", "d")]
    assert paid == [100, 50, 0]


# ---------------------------------------------------------------------------------------------------------------
# S2 Two equities


def borrowed_against_eth() -> Sandbox:
    """One ETH at 2000 and cash -1700: after haircut 1600 - 1700 = -100, at index 2000 - 1700 = 300."""
    s = Sandbox(sb.with_pool(negative_balance_limit=1700))
    s.price(100)
    s.price(2200, "ETH")
    s.open("a")
    s.open("b", 10_000)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.do("a", ev.Withdraw("a", "USD", 1700))  # 80 % of 2200 = 1760
    s.drive(2000, "ETH")
    return s


def test_s2_eth_2000_cash_minus_1700_is_converted_and_does_not_default() -> None:
    s = borrowed_against_eth()
    standing = s.standing("a")
    assert (standing.margin_equity, standing.net_liquidation_value) == (-100, 300)
    assert liquidatable(standing)
    s.do("k", ev.ResolveDefault("a"), Reason.NOT_IN_DEFAULT)
    receipt = s.do("b", ev.Convert("a", "b", "ETH", 1))
    assert dict(receipt.amounts) == {"paid": 1900, "worth": 2000}
    after = s.standing("a")
    assert (after.cash, after.collateral, after.net_liquidation_value) == (200, 0, 200)
    assert (s.cash("b"), s.balance("user", "b", "ETH")) == (8100, 1)


def test_s2_no_loss_is_allocated_while_collateral_remains() -> None:
    # At 1699 the account is worth -1, but the ETH comes first: a keeper pays ceil(95 % of 1699) = 1615.
    s = borrowed_against_eth()
    s.drive(1699, "ETH")
    s.do("k", ev.ResolveDefault("a"), Reason.COLLATERAL_REMAINS)
    s.do("b", ev.Convert("a", "b", "ETH", 1))
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert receipt.amounts["deficit"] == 1700 - 1615


@pytest.mark.parametrize(("dust", "expect"), [(5, None), (4, Reason.COLLATERAL_REMAINS)])
def test_s2_dust_does_not_hold_up_a_default(dust: int, expect: Reason | None) -> None:
    # One ETH worth 5. a: 100 - 200 + 5 = -95; the ETH passes to insurance in kind, so 100 are missing.
    s = Sandbox(sb.with_pool(dust=dust))
    s.price(100)
    s.price(5, "ETH")
    s.open("a", 100)
    s.open("b", 1000)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.trade("a", "b", 10, 100)
    s.drive(80)
    receipt = s.do("k", ev.ResolveDefault("a"), expect)
    if expect is None:
        assert receipt.amounts["deficit"] == 100
        assert (s.balance("user", "a", "ETH"), s.balance("insurance_fund", asset="ETH")) == (0, 1)


@pytest.mark.parametrize(("amount", "expect"), [(2, Reason.CONVERSION_TOO_LARGE), (1, None)])
def test_s2_no_more_is_converted_than_is_owed(amount: int, expect: Reason | None) -> None:
    # 95 lots bought at 120 and sold at 100 leave cash -1900. One ETH brings 95 % of 2000 = 1900: exactly enough.
    s = start(100, ("a", 0), ("b", 10_000), genesis=sb.with_pool(negative_balance_limit=100))
    s.do("a", ev.Deposit("a", "ETH", 10))
    s.trade("a", "b", 95, 120)
    s.trade("b", "a", 95, 100)
    assert s.cash("a") == -1900
    s.do("b", ev.Convert("a", "b", "ETH", amount), expect)


def test_s2_the_settlement_balance_has_a_floor() -> None:
    s = Sandbox(sb.with_pool(negative_balance_limit=1700))
    s.price(100_000, "ETH")
    s.open("a")
    s.open("b", 10_000)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.do("a", ev.Withdraw("a", "USD", 1701), Reason.NEGATIVE_BALANCE_LIMIT)
    s.do("a", ev.Withdraw("a", "USD", 1700))


@pytest.mark.parametrize(("owed", "expect"), [(100, Reason.NOT_CONVERTIBLE), (101, None)])
def test_s2_a_balance_below_its_limit_is_convertible_though_the_account_is_sound(
    owed: int, expect: Reason | None
) -> None:
    # Against 10 ETH. Buying 1 lot of `owed` above mark and selling it at mark leaves cash -`owed`; the limit is 100.
    s = start(1000, ("a", 0), ("b", 10_000), genesis=sb.with_pool(negative_balance_limit=100))
    s.do("a", ev.Deposit("a", "ETH", 10))
    s.trade("a", "b", 1, 1000 + owed)
    s.trade("b", "a", 1, 1000)
    assert s.cash("a") == -owed
    assert not liquidatable(s.standing("a"))
    s.do("b", ev.Convert("a", "b", "ETH", 1), expect)


def test_s2_a_discount_above_the_haircut_is_refused() -> None:
    terms = replace(sb.ETH, discount=20 * PERCENT + 1)
    with pytest.raises(OutsideEnvelope, match="discount-at-most-haircut"):
        build(sb.with_pool(collateral=(terms,)))


# ---------------------------------------------------------------------------------------------------------------
# S3 Outflow


def custody_2000(**pool: int) -> Sandbox:
    """Both paid in 1000; 16 lots from 100 to 200: A is at -600, untouched, and B's equity is 2600."""
    s = start(100, ("A", 1000), ("B", 1000), genesis=sb.with_pool(**pool))
    s.trade("B", "A", 16, 100)
    s.drive(200)
    assert s.standing("A").margin_equity == -600
    assert s.standing("B").margin_equity == 2600
    assert s.balance("custody") == -2000
    return s


def test_s3_custody_2000_equity_2600_may_not_take_2300() -> None:
    # Even where profit counts whole for withdrawals.
    s = custody_2000(profit_weight_withdrawal=SCALE, profit_cap_withdrawal=AMOUNT_MAX)
    s.do("B", ev.Withdraw("B", "USD", 2300), Reason.INSUFFICIENT_CUSTODY)
    s.do("B", ev.Withdraw("B", "USD", 2001), Reason.INSUFFICIENT_CUSTODY)


def test_s3_realised_profit_does_not_take_2300_either() -> None:
    s = custody_2000()
    s.open("C", 1000)
    s.trade("C", "B", 16, 200)
    assert s.cash("B") == 2600
    s.do("B", ev.Withdraw("B", "USD", 3001), Reason.INSUFFICIENT_CUSTODY)


def test_s3_unrealised_profit_is_not_withdrawn() -> None:
    # Cash 1000 less initial margin 10 % of 3200 = 320: 680 may leave.
    s = custody_2000()
    s.do("B", ev.Withdraw("B", "USD", 681), Reason.BELOW_INITIAL_MARGIN)
    s.do("B", ev.Withdraw("B", "USD", 680))


def test_s3_unrealised_profit_is_not_recycled_into_new_risk_beyond_its_cap() -> None:
    # Profit 1600 counts half, at most 300: 1300 of initial equity carry 13000 of notional, that is 65 lots at 200.
    s = custody_2000(profit_weight_initial=SCALE // 2, profit_cap_initial=300)
    s.open("C", 10_000)
    assert s.standing("B").initial_equity == 1300
    s.trade("B", "C", 50, 200, expect=Reason.INSUFFICIENT_MARGIN)  # 66 lots need 1320
    s.trade("B", "C", 49, 200)


def test_s3_a_withdrawal_keeps_its_own_ratio_of_notional() -> None:
    # 20 % of 3200 = 640 must stay of 2600: 1960 may leave.
    s = custody_2000(
        profit_weight_withdrawal=SCALE,
        profit_cap_withdrawal=AMOUNT_MAX,
        withdrawal_margin=20 * PERCENT,
        negative_balance_limit=1000,
    )
    s.do("B", ev.Withdraw("B", "USD", 1961), Reason.BELOW_INITIAL_MARGIN)
    s.do("B", ev.Withdraw("B", "USD", 1960))


# ---------------------------------------------------------------------------------------------------------------
# S4 Position


@pytest.mark.parametrize("side", [1, -1])
def test_s4_the_remainder_of_a_partial_close_stays_in_the_cost(side: int) -> None:
    # Three lots for 100 + 100 + 101 = 301. Closing one releases floor(301 / 3) = 100; 201 stays with two lots.
    s = start(100, ("a", 1000), ("b", 1000))
    for price in (100, 100, 101):
        s.trade(*(("a", "b") if side > 0 else ("b", "a")), 1, price)
    before = s.standing("a").margin_equity
    assert before == 1000 + side * (300 - 301)
    s.trade(*(("b", "a") if side > 0 else ("a", "b")), 1, 100)
    position = s.state.positions["a", PERP]
    assert (position.size, position.cost) == (2 * side, 201 * side)
    assert s.cash("a") == 1000  # 100 - 100
    assert s.standing("a").margin_equity == before
    s.trade(*(("b", "a") if side > 0 else ("a", "b")), 2, 100)
    assert s.cash("a") == before


def test_s4_a_fill_through_zero_is_a_close_and_an_open() -> None:
    s = start(100, ("a", 1000), ("b", 1000))
    for price in (100, 100, 101):
        s.trade("a", "b", 1, price)
    s.trade("b", "a", 5, 100)
    position = s.state.positions["a", PERP]
    assert (position.size, position.cost, s.cash("a")) == (-2, -200, 999)


# ---------------------------------------------------------------------------------------------------------------
# S5 Funding

NINE_TENTHS = FundingParameters(
    interval=3600,
    period=3600,
    max_gap=3600,
    sample_interval=10,
    aggregation=sb.FUNDING.aggregation,
    min_samples=1,
    interest=9 * 10**6,
    interest_form=InterestForm.ADDED,
    damper=0,
    cap=9 * 10**6,
)
"""Longs pay 0.9 % of the index every hour: at 100 that is 0.9 atom a lot."""


def after_1000_intervals(poked: bool) -> Sandbox:
    """``a`` long and ``b`` short one lot at 100 for 1000 intervals; each interval a stranger makes ``b`` settle."""
    s = start(100, ("a", 10_000), ("b", 10_000), ("c", 10_000), genesis=sb.with_market(funding=NINE_TENTHS))
    s.check = False
    s.trade("a", "b", 1, 100)
    for _ in range(1000):
        s.time += 3600
        s.price(100)
        s.do("k", ev.AccrueFunding(PERP))
        if poked:
            s.trade("c", "b", 1, 100)
            s.trade("b", "c", 1, 100)
    assert broken(s.state) == []
    return s


@pytest.mark.parametrize("poked", [True, False])
def test_s5_a_receiver_of_nine_tenths_of_an_atom_gets_900_in_1000_intervals(poked: bool) -> None:
    # Rounded down for each account at each settlement it would be 1000 x floor(0.9) = 0.
    s = after_1000_intervals(poked)
    assert s.state.fundings[PERP].index == 900
    assert s.state.fundings[PERP].carry == 0
    equities = [s.standing(account).margin_equity for account in ("a", "b", "c")]
    assert equities == [10_000 - 900, 10_000 + 900, 10_000]
    s.trade("b", "a", 1, 100)
    assert [s.cash(account) for account in ("a", "b", "c")] == equities


def test_s5_a_late_accrual_counts_the_time_since_the_last() -> None:
    # At 5400: 1.5 x 0.9 = 1.35. At 9000: 0.9 more, 2.25 in all.
    margin = replace(sb.MARGIN, tiers=tiers(10, 7))
    s = start(100, genesis=sb.with_market(funding=replace(NINE_TENTHS, max_gap=7200), margin=margin))
    found = []
    for time in (5400, 9000):
        s.time = time
        s.price(100)
        s.do("k", ev.AccrueFunding(PERP))
        funding = s.state.fundings[PERP]
        found.append((funding.index, funding.carry))
    assert found == [(1, 35 * 10**7 * 3600), (2, 25 * 10**7 * 3600)]


def test_s5_catching_up_after_a_pause_is_one_capped_step() -> None:
    # Ten hours have passed, two count: 2 x 0.9 = 1.8, of which 1 enters the index and 0.8 is carried.
    margin = replace(sb.MARGIN, tiers=tiers(10, 7))
    s = start(100, genesis=sb.with_market(funding=replace(NINE_TENTHS, max_gap=7200), margin=margin))
    s.time = 36_000
    s.price(100)
    s.do("k", ev.AccrueFunding(PERP))
    funding = s.state.fundings[PERP]
    assert (funding.index, funding.carry) == (1, 8 * 10**8 * 3600)
    s.do("k", ev.AccrueFunding(PERP), Reason.FUNDING_NOT_DUE)


def test_s5_a_remainder_keeps_its_worth_when_the_period_changes() -> None:
    # 0.9 is carried over a period of an hour; over one of two hours it is as much: 0.9 and then 0.45 make 1.35.
    s = start(100, genesis=sb.with_market(funding=NINE_TENTHS))
    s.time = 3600
    s.price(100)
    s.do("k", ev.AccrueFunding(PERP))
    assert s.state.fundings[PERP].carry == 9 * 10**8 * 3600
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, funding=replace(NINE_TENTHS, period=7200))))
    assert (s.state.fundings[PERP].index, s.state.fundings[PERP].carry) == (0, 9 * 10**8 * 7200)
    s.time = 7200
    s.price(100)
    s.do("k", ev.AccrueFunding(PERP))
    assert (s.state.fundings[PERP].index, s.state.fundings[PERP].carry) == (1, 35 * 10**7 * 7200)


# ---------------------------------------------------------------------------------------------------------------
# S6 Fills below initial margin


def four_lots(cash: int) -> Sandbox:
    """``a`` bought 4 lots at 300, now 250: equity is the cash less 200, the requirement 5 % of 1000 = 50."""
    s = start(300, ("a", cash), ("b", 10_000), ("second", 10_000))
    s.trade("a", "b", 4, 300)
    s.drive(250)
    assert (s.standing("a").margin_equity, s.standing("a").maintenance) == (cash - 200, 50)
    return s


def four_lots_on_eth(limit: int = 1000) -> Sandbox:
    """The same with one ETH at 500, 400 after haircut, and cash 190 - 400: margin equity -10, but worth 90."""
    s = Sandbox(sb.with_pool(negative_balance_limit=limit))
    s.price(300)
    s.price(500, "ETH")
    for account, cash in (("a", 190), ("b", 10_000), ("second", 10_000)):
        s.open(account, cash)
    s.do("a", ev.Deposit("a", "ETH", 1))
    s.do("a", ev.Withdraw("a", "USD", 400))
    s.trade("a", "b", 4, 300)
    s.drive(250)
    standing = s.standing("a")
    assert (standing.margin_equity, standing.maintenance, standing.net_liquidation_value) == (-10, 50, 90)
    return s


def test_s6_an_insolvent_account_does_not_sell_to_its_owners_other_account_below_mark() -> None:
    # E = -10, R = 50. Half sold 2 x 12 = 24 below mark: E = -34, R = 25. E - R rises from -60 to -59, and 24 is stolen.
    s = four_lots_on_eth()
    s.trade("second", "a", 2, 238, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("second", "a", 2, 249, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("second", "a", 2, 250)
    assert (s.standing("a").margin_equity, s.standing("a").maintenance) == (-10, 25)


def test_s6_a_solvent_account_stays_as_healthy() -> None:
    # E = 20, R = 50. Half sold 2 x 5 below mark: 10 x 50 = 20 x 25, allowed; 2 x 6 below: 8 x 50 < 20 x 25.
    s = four_lots(220)
    s.trade("second", "a", 2, 244, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("second", "a", 2, 245)


def test_s6_an_account_in_default_does_not_fill_its_way_out() -> None:
    # Worth -10: at mark nothing changes that, so its default is resolved; 5 above mark somebody else pays for it.
    s = four_lots(190)
    s.trade("second", "a", 2, 250, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("second", "a", 2, 254, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("second", "a", 2, 255)


def test_s6_a_fill_may_not_raise_the_requirement() -> None:
    # Buying 10 below mark raises equity from 20 to 30 and the requirement from 50 to 63.
    s = four_lots(220)
    s.trade("a", "b", 1, 240, expect=Reason.INSUFFICIENT_MARGIN)


def test_s6_without_a_requirement_there_is_nothing_to_reduce() -> None:
    # Flat with equity -10: one lot needs 25, and only a fill 35 below mark would bring it.
    s = four_lots_on_eth()
    s.trade("b", "a", 4, 250)
    assert (s.standing("a").margin_equity, s.standing("a").maintenance) == (-10, 0)
    s.trade("a", "b", 1, 250, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("a", "b", 1, 216, expect=Reason.INSUFFICIENT_MARGIN)  # -10 + 34 = 24
    s.trade("a", "b", 1, 215)  # 25


def test_s6_new_risk_is_not_opened_on_a_debt_beyond_its_limit() -> None:
    # Flat with cash 190 - 400 - 200 = -410.
    s = four_lots_on_eth(409)
    s.trade("b", "a", 4, 250)
    s.trade("a", "b", 1, 215, expect=Reason.NEGATIVE_BALANCE_LIMIT)


def test_s6_a_rebate_above_the_taker_fee_is_refused() -> None:
    # 0.03 % to the maker against 0.02 % from the taker would pay 0.01 % for every wash trade.
    trading = replace(sb.TRADING, taker_fee=2 * 10**5, maker_fee=-3 * 10**5)
    with pytest.raises(OutsideEnvelope, match="rebate-covered"):
        build(sb.with_market(trading=trading))


def test_s6_a_lowered_cap_binds_only_what_grows() -> None:
    s = start(100, ("a", 10_000), ("b", 10_000))
    s.trade("a", "b", 10, 100)
    trading = replace(sb.TRADING, max_position=5, max_open_interest=5)
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, trading=trading)))
    s.trade("a", "b", 1, 100, expect=Reason.POSITION_CAP_EXCEEDED)
    s.trade("b", "a", 21, 100, expect=Reason.POSITION_CAP_EXCEEDED)
    s.trade("b", "a", 20, 100)
    s.trade("a", "b", 4, 100)
    assert s.state.positions["a", PERP].size == -6


def test_s6_fees_are_rounded_up_and_a_rebate_down() -> None:
    # Of 1001: taker 0.25 % = 2.5025, so 3; rebate 0.15 % = 1.5015, so 1; half of the 2 that remain to insurance.
    trading = replace(sb.TRADING, taker_fee=25 * 10**5, maker_fee=-15 * 10**5, insurance_share=SCALE // 2)
    s = start(1001, ("a", 1000), ("b", 1000), genesis=sb.with_market(trading=trading))
    s.trade("a", "b", 1, 1001)
    assert (s.cash("a"), s.cash("b")) == (997, 1001)
    assert (s.balance("fee_treasury"), s.balance("insurance_fund")) == (1, 1)
    s.do("admin", ev.CollectFees("main", 1))
    assert (s.balance("fee_treasury"), s.balance("custody")) == (0, -1999)


def test_s6_a_fill_far_from_mark_is_refused_however_rich_the_parties() -> None:
    s = start(100, ("a", 10**9), ("b", 10**9))
    s.trade("a", "b", 1, 79, expect=Reason.PRICE_OUTSIDE_BAND)
    s.trade("a", "b", 1, 121, expect=Reason.PRICE_OUTSIDE_BAND)


# ---------------------------------------------------------------------------------------------------------------
# S7 Aliases


def test_s7_no_event_has_one_account_on_both_sides() -> None:
    s = borrowed_against_eth()
    s.do("venue", ev.Trade(PERP, "b", "b", 1, 100, ev.Side.SELLER), Reason.SAME_ACCOUNT)
    s.do("b", ev.Liquidate("b", "b", PERP, 1), Reason.SAME_ACCOUNT)
    s.do("b", ev.Transfer("b", "b", "USD", 1), Reason.SAME_ACCOUNT)
    s.do("a", ev.Convert("a", "a", "ETH", 1), Reason.SAME_ACCOUNT)


def test_s7_two_accounts_of_one_owner_are_two_accounts() -> None:
    s = start(100, ("a", 1000))
    s.do("a", ev.OpenAccount("a2", "main"))
    s.do("a", ev.Transfer("a", "a2", "USD", 500))
    s.trade("a", "a2", 10, 100)
    assert s.state.open_interest[PERP] == 10


# ---------------------------------------------------------------------------------------------------------------
# S8 Maintenance is the account's own


def test_s8_open_interest_of_others_does_not_liquidate_a_stranger() -> None:
    # 10 lots at 95 need 5 % = 48 and have 50. Then open interest goes from 950 to 95000, far above the upper bound.
    margin = replace(sb.MARGIN, open_interest_lower=1000, open_interest_upper=2000)
    s = start(100, ("a", 100), ("b", 1000), ("e1", 10**6), ("e2", 10**6), genesis=sb.with_market(margin=margin))
    s.trade("a", "b", 10, 100)
    s.drive(95)
    assert (s.standing("a").initial, s.standing("a").maintenance) == (95, 48)
    s.trade("e1", "e2", 990, 95)
    assert (s.standing("a").initial, s.standing("a").maintenance) == (950, 48)
    s.do("e1", ev.Liquidate("a", "e1", PERP, 10), Reason.NOT_LIQUIDATABLE)


def test_s8_the_multiplier_does_not_liquidate_a_stranger() -> None:
    s = start(100, ("a", 100), ("b", 1000))
    s.trade("a", "b", 10, 100)
    s.drive(95)
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, margin=replace(sb.MARGIN, multiplier=3 * SCALE))))
    assert (s.standing("a").initial, s.standing("a").maintenance) == (285, 48)
    s.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)


def test_s8_tighter_maintenance_arrives_along_a_ramp() -> None:
    # From 48 to 95 in 100 seconds: after 4 seconds 48 + ceil(47 x 0.04) = 50, after 5 seconds 48 + ceil(2.35) = 51,
    # after 50 seconds 48 + ceil(23.5) = 72.
    s = start(100, ("a", 100), ("b", 1000))
    s.trade("a", "b", 10, 100)
    s.drive(95)
    margin = replace(sb.MARGIN, tiers=tiers(10, 10), ramp=100)
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, margin=margin)))
    begin = s.time
    found = []
    for elapsed in (0, 4, 5, 50, 100):
        s.time = begin + elapsed
        found.append(s.standing("a").maintenance)
    assert found == [48, 50, 51, 72, 95]
    s.time = begin + 4
    s.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)


def test_s8_a_liquidation_at_the_start_of_a_ramp_restores() -> None:
    # 100 lots from 100 with 1000, at 94: E = 400, R = 470. Closing frees 5 % less 1 %: ceil(72 / 4 %) = 1800 atoms are
    # 20 lots. At the 40 % that the ramp leads to, 2 lots would seem enough.
    s = start(100, ("a", 1000), ("b", 10**6))
    s.trade("a", "b", 100, 100)
    s.drive(94)
    margin = replace(sb.MARGIN, tiers=tiers(40, 40), ramp=10**6)
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, margin=margin)))
    assert s.do("b", ev.Liquidate("a", "b", PERP, 100)).amounts["closed"] == 20
    assert not liquidatable(s.standing("a"))


# ---------------------------------------------------------------------------------------------------------------
# S9 Oracle

FIVE = ("s1", "s2", "s3", "s4", "s5")


def test_s9_two_faulty_of_five_and_two_stale_do_not_move_the_index() -> None:
    # Of the fresh three, 500, 500 and 100, the median is 500. Five fresh ones are asked for.
    feed = replace(sb.FEED, sources=FIVE, quorum=5, faulty=2)
    s = Sandbox(sb.genesis(feeds=(feed, sb.ETH_FEED)))
    assert s.price(100) == 100
    s.time = 601
    for source, price in (("s1", 500), ("s2", 500), ("s3", 100)):
        s.do(source, ev.PostPrice("BTC", price, 0))
        assert s.state.feeds["BTC"].index == 100
    s.do("s4", ev.PostPrice("BTC", 100, 0))
    s.do("s5", ev.PostPrice("BTC", 100, 0))  # 100, 100, 100, 500, 500
    assert s.state.feeds["BTC"].index == 100


@pytest.mark.parametrize("quorum", [3, 4])
def test_s9_a_quorum_that_two_faulty_sources_outvote_is_refused(quorum: int) -> None:
    feed = replace(sb.FEED, sources=FIVE, quorum=quorum, faulty=2)
    with pytest.raises(OutsideEnvelope, match="quorum-outvotes-faulty"):
        build(sb.genesis(feeds=(feed, sb.ETH_FEED)))


def test_s9_the_band_clamps_and_arrives_from_100_at_80_in_five_updates() -> None:
    # 5 % of 100, 95, 91, 87, 83 rounded down: 5, 4, 4, 4, 4. Rejecting every post outside would stay at 100.
    feed = replace(sb.FEED, band=5 * PERCENT)
    listing = listed(margin=replace(sb.MARGIN, tiers=tiers(60, 20)))
    s = Sandbox(sb.genesis(feeds=(feed, sb.ETH_FEED), markets=(listing,)))
    s.price(100)
    found = []
    for _ in range(5):
        s.time += 1
        found.append(s.price(80))
    assert found == [95, 91, 87, 83, 80]


def test_s9_a_moving_average_arrives_from_100_at_109_and_back() -> None:
    # With a window of 10 a floored average stays at 100 + floor(9 / 10) = 100.
    mark = replace(sb.MARK, window=10, band=20 * PERCENT)
    listing = listed(mark=mark, margin=replace(sb.MARGIN, tiers=tiers(100, 60)))
    s = Sandbox(sb.genesis(markets=(listing,)))
    s.price(1000)

    def arrives(price: int) -> None:
        for _ in range(200):
            s.time += 10
            s.price(1000)
            s.do("venue", ev.PostBook(PERP, price, price))
        assert s.state.marks[PERP].price == price

    arrives(1100)
    arrives(1109)
    arrives(1100)


def test_s9_the_kernel_of_the_average_arrives_too() -> None:
    total, steps = 10 * 100, 0
    while total // 10 < 109:
        total, steps = smoothed(total, 109, 10), steps + 1
        assert steps < 100
    assert total // 10 == 109


def test_s9_a_basis_keeps_its_worth_when_the_window_changes() -> None:
    # Smoothed over 4 samples a basis of 100 is a quarter there: 25. Over 2 samples it stays 25, and then goes to 62.
    margin = replace(sb.MARGIN, tiers=tiers(100, 60))
    mark = replace(sb.MARK, window=4, band=20 * PERCENT)
    s = start(1000, genesis=sb.with_market(mark=mark, margin=margin))
    s.time = 10
    s.do("venue", ev.PostBook(PERP, 1100, 1100))
    assert s.state.marks[PERP].price == 1025
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, mark=replace(mark, window=2), margin=margin)))
    s.price(1000)
    assert s.state.marks[PERP].price == 1025
    s.time = 20
    s.do("venue", ev.PostBook(PERP, 1100, 1100))  # 50 - 25 + 100 = 125 over 2, rounded down
    assert s.state.marks[PERP].price == 1062


def test_s9_no_price_is_below_one() -> None:
    s = start(3)
    for expected in (2, 1, 1):
        s.time += 1
        assert s.price(1) == expected
    s.do("s1", ev.PostPrice("BTC", 0, 0), Reason.FIELD_OUT_OF_RANGE)


# ---------------------------------------------------------------------------------------------------------------
# S10 Stale markets take no hostages


def two_markets(cash: int = 115) -> Sandbox:
    """``a``: 10 lots of BTC at 100 and one lot of ETH at 100, whose price is last posted at 0, fresh until 600."""
    eth = replace(sb.LISTING, market="ETH-PERP", feed="ETH")
    s = Sandbox(sb.genesis(markets=(sb.LISTING, eth)))
    s.price(100)
    s.price(100, "ETH")
    s.open("a", cash)
    s.open("b", 10_000)
    s.trade("a", "b", 10, 100)
    s.trade("a", "b", 1, 100, "ETH-PERP")
    return s


def test_s10_one_stale_lot_does_not_make_an_account_unliquidatable() -> None:
    # At 90: 115 - 100 less the age of ETH, against 45 + 5.
    s = two_markets()
    s.time = 600
    s.drive(90)
    s.do("b", ev.Liquidate("a", "b", "ETH-PERP", 1), Reason.STALE_PRICE)
    receipt = s.do("b", ev.Liquidate("a", "b", PERP, 10))
    assert receipt.amounts["closed"] == 10


def test_s10_a_stale_position_is_valued_at_the_worst_price_of_a_growing_band() -> None:
    # 0.01 % a second after 600: 1 % at 700, 25 % at 3100, at most 50 %. For the short side upwards.
    s = two_markets()
    found = []
    for time in (600, 700, 3100, 5600, 100_000):
        s.time = time
        s.price(100)
        found.append((s.standing("a").unrealised, s.standing("b").unrealised))
    assert found == [(0, 0), (-1, -1), (-25, -25), (-50, -50), (-50, -50)]


def test_s10_stale_collateral_loses_its_worth_with_its_age() -> None:
    # Posted at 100, fresh until 700, then 0.01 % a second: 1980 at 800, 80 % of it 1584; at index it stays 2000.
    s = Sandbox()
    s.time = 100
    s.price(2000, "ETH")
    s.open("a")
    s.do("a", ev.Deposit("a", "ETH", 1))
    found = []
    for time in (700, 800, 10_700, 20_000):
        s.time = time
        found.append((s.standing("a").margin_equity, s.standing("a").net_liquidation_value))
    assert found == [(1600, 2000), (1584, 2000), (0, 2000), (0, 2000)]


# ---------------------------------------------------------------------------------------------------------------
# S11 Liquidation


def test_s11_the_trigger_is_strict() -> None:
    # 107 - 10 x 6 = 47 = 5 % of 940.
    s = start(100, ("a", 107), ("b", 1000))
    s.trade("a", "b", 10, 100)
    s.drive(94)
    s.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)
    s.drive(93)
    s.do("b", ev.Liquidate("a", "b", PERP, 10))


def stepwise(critical_health: int) -> Sandbox:
    """N = 100000 and E = 5000 at 10000; maintenance 5 %, penalty 1 %, close factor 50 %; then the price falls 4 %.

    ``a`` bought 10 lots at 10600 with 11000: 11000 - 6000 = 5000 at 10000, and 1000 at 9600, where 4800 is needed.
    """
    liquidation = replace(sb.LIQUIDATION, close_factor=SCALE // 2, critical_health=critical_health)
    s = start(10_600, ("a", 11_000), ("b", 10**6), genesis=sb.with_market(liquidation=liquidation))
    s.trade("a", "b", 10, 10_600)
    s.drive(10_000)
    assert (s.standing("a").margin_equity, s.standing("a").maintenance) == (5000, 5000)
    s.drive(9600)
    return s


def test_s11_closing_half_alone_ends_in_a_deficit() -> None:
    # Half: 5 lots, penalty 480: E = 520. 4 % down again, to 9216: 520 - 5 x 384 = -1400.
    s = stepwise(0)
    assert s.do("b", ev.Liquidate("a", "b", PERP, 10)).amounts["closed"] == 5
    assert s.standing("a").margin_equity == 520
    s.drive(9216)
    assert s.standing("a").net_liquidation_value == -1400


def test_s11_below_critical_health_everything_closes() -> None:
    # 1000 is below 50 % of 4800: all 10 lots close, penalty 960: E = 40, whatever comes.
    s = stepwise(SCALE // 2)
    assert s.do("b", ev.Liquidate("a", "b", PERP, 10)).amounts["closed"] == 10
    s.drive(9216)
    assert s.standing("a").net_liquidation_value == 40


@pytest.mark.parametrize(
    ("value", "worth", "penalty", "reward"),
    [
        (1000, 100, 10, 5),  # 1 % and 0.5 % of 1000
        (1000, 7, 7, 5),  # no more than it is worth
        (1000, 3, 3, 3),
        (1000, 0, 0, 0),
        (1000, -50, 0, 0),
        (500, 7, 3, 2),  # half of what it holds: at most half of what it is worth
        (150, 100, 1, 0),  # both rounded down
    ],
)
def test_s11_the_reward_is_paid_by_the_account_only_from_what_it_is_worth(
    value: int, worth: int, penalty: int, reward: int
) -> None:
    assert penalty_for(value, PERCENT, worth, 1000) == penalty
    assert reward_from(value, penalty, PERCENT // 2) == reward


def floor_paid(pieces: list[int], budget: int = 1000, fund: int = 1000) -> int:
    """What the insurance fund pays the liquidator of 10 lots at 91 that are worth 10, in these pieces.

    The penalty is 1 % and none of it a reward; the floor of the reward is 0.5 %.
    """
    rules = replace(sb.LIQUIDATION, reward=0, reward_floor=PERCENT // 2, reward_budget=budget, critical_health=SCALE)
    s = start(100, ("a", 100), ("b", 10_000), genesis=sb.with_market(liquidation=rules))
    s.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, fund))
    s.trade("a", "b", 10, 100)
    s.drive(91)
    paid = 0
    for piece in pieces:
        receipt = s.do("b", ev.Liquidate("a", "b", PERP, piece))
        assert receipt.amounts["reward"] == 0
        paid += receipt.amounts["reward_floor"]
    assert (s.state.budgets[PERP].deficits, s.state.budgets[PERP].rewards) == (0, paid)
    return paid


def test_s11_an_insured_floor_has_its_own_budget() -> None:
    # 0.5 % of 910 = 4.55, within the budget.
    assert floor_paid([10]) == 4
    assert floor_paid([10], budget=3) == 3
    assert floor_paid([5, 5], budget=3) == 3


def test_s11_splitting_never_pays_more() -> None:
    # 0.5 % of 910 = 4.55; of 455 twice 2; of 273, 273 and 364 three times 1; of 91 nothing.
    assert floor_paid([10]) == 4
    assert floor_paid([5, 5]) == 4
    assert floor_paid([3, 3, 4]) == 3
    assert floor_paid([1] * 8) == 0


def test_s11_splitting_a_solvent_liquidation_never_pays_more() -> None:
    # 10 lots from 10000 with 10000, now 9390: 3 lots may be closed. One piece: floor(0.5 % of 28170) = 140; three
    # pieces: 3 x floor(46.95) = 138.
    def rewards(pieces: list[int]) -> int:
        s = start(10_000, ("a", 10_000), ("b", 10**6))
        s.trade("a", "b", 10, 10_000)
        s.drive(9390)
        return sum(s.do("b", ev.Liquidate("a", "b", PERP, piece)).amounts["reward"] for piece in pieces)

    assert rewards([3]) == 140
    assert rewards([1, 1, 1]) == 138


def test_s11_the_account_and_its_liquidator_never_gain_together() -> None:
    s = start(100, ("a", 100), ("b", 10_000))
    s.trade("a", "b", 10, 100)
    s.drive(94)
    together = sum(s.standing(account).net_liquidation_value for account in ("a", "b"))
    receipt = s.do("b", ev.Liquidate("a", "b", PERP, 10))
    after = sum(s.standing(account).net_liquidation_value for account in ("a", "b"))
    assert after - together == receipt.amounts["reward"] - receipt.amounts["penalty"] == 1 - 2


def jelly(price: int) -> Sandbox:
    """A short of 1000 lots at 95, bought by the same hand; the backstop takes it over at 100; the price goes on.

    At 100 the short is worth 9500 - 5000 = 4500, below 5 % of 100000; the penalty is 1000, half of it insurance.
    """
    rules = replace(sb.LIQUIDATION, critical_health=SCALE)
    pool = replace(sb.POOL, backstop="backstop")
    markets = (listed(liquidation=rules), SIDE_LISTING)
    s = Sandbox(sb.genesis(pool=pool, pools=(SIDE,), markets=markets))
    s.price(95)
    s.price(2000, "ETH")
    s.open("short", 9500)
    s.open("long", 9500)
    s.open("backstop", 12_000)
    s.open("z", 10**6, "side")
    s.do("k", ev.Contribute("side", ev.Fund.INSURANCE_FUND, 10**6))
    s.trade("long", "short", 1000, 95)
    s.drive(100)
    receipt = s.do("anyone", ev.Liquidate("short", "backstop", PERP, 1000))
    assert receipt.amounts["closed"] == 1000
    s.drive(price)
    return s


def test_s11_a_pumped_price_takes_from_the_backstop_and_from_no_other_pool() -> None:
    # The backstop has 12000 + 500 and lost 280 x 1000: -267500. Insurance holds 500; the long pays the other 267000
    # out of 9500 + 285000 = 294500.
    s = jelly(380)
    assert s.standing("backstop").net_liquidation_value == -267_500
    before = money(s.state, "side")
    receipt = s.do("k", ev.ResolveDefault("backstop"))
    assert dict(receipt.amounts) == {
        "deficit": 267_500,
        "insurance_fund": 500,
        "skin_in_the_game": 0,
        "tear_up": 267_000,
        "gains_haircut": 0,
        "uncovered_loss": 0,
    }
    assert money(s.state, "side") == before
    assert [s.cash(account) for account in ("short", "long", "backstop")] == [3500, 27_500, 0]
    assert s.balance("custody") == -(9500 + 9500 + 12_000)


def test_s11_the_backstop_is_liquidated_like_anyone() -> None:
    # 12500 - 8 x 1000 = 4500 against 5 % of 108000.
    s = jelly(108)
    s.open("keeper", 10**6)
    receipt = s.do("keeper", ev.Liquidate("backstop", "keeper", PERP, 400))
    assert receipt.amounts["closed"] == 400


def test_s11_liquidation_and_default_are_never_rejected_for_range() -> None:
    # The keeper's balance is a little below 2**62 when it takes over a position and earns a reward that passes it.
    s = start(100, ("a", 100), ("k", 0), ("b", 1000))
    s.trade("a", "b", 10, 100)
    s.drive(94)
    key, other = ("USD", "main", "user", "k"), ("USD", "main", "custody", "")
    s.state.balances[key] = BALANCE_MAX
    s.state.balances[other] -= BALANCE_MAX
    s.do("k", ev.Liquidate("a", "k", PERP, 3))
    assert s.cash("k") == BALANCE_MAX + 1
    s.drive(80)
    s.do("k", ev.ResolveDefault("a"))


# ---------------------------------------------------------------------------------------------------------------
# S12 Default


def test_s12_a_deficit_of_seven_is_shared_by_three_as_whole_atoms() -> None:
    # a: 32 + 3 x (87 - 100) = -7. Equal parts by cumulative floor: floor(7/3) = 2, floor(14/3) - 2 = 2, 7 - 4 = 3.
    s = start(100, ("a", 32), ("b", 100), ("c", 100), ("d", 100))
    for other in ("b", "c", "d"):
        s.trade("a", other, 1, 100)
    s.drive(87)
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert (receipt.amounts["deficit"], receipt.amounts["tear_up"], receipt.amounts["uncovered_loss"]) == (7, 7, 0)
    assert [s.cash(account) for account in ("a", "b", "c", "d")] == [0, 113 - 2, 113 - 2, 113 - 3]
    assert s.state.open_interest[PERP] == 0


def test_s12_a_counterparty_is_not_charged_below_nothing() -> None:
    # a: long 10 from 100, cash 0, bought while the mark stood at 125. c: short 10 from 85, cash 20. At mark 80 a is
    # worth -200 and c 20 + 50 = 70. At a's bankruptcy price, 100, c would end at 20 + 10 x (85 - 100) = -130.
    s = start(125, ("a", 0), ("b", 1000), ("c", 20))
    s.trade("a", "b", 10, 100)
    s.drive(78)
    s.trade("b", "c", 10, 85)
    s.drive(80)
    assert (s.standing("a").net_liquidation_value, s.standing("c").margin_equity) == (-200, 70)
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert (receipt.amounts["tear_up"], receipt.amounts["gains_haircut"], receipt.amounts["uncovered_loss"]) == (
        70,
        0,
        130,
    )
    assert (s.cash("a"), s.cash("c")) == (0, 0)
    assert s.balance("uncovered_loss") == -130


def test_s12_a_counterparty_keeps_the_requirement_of_its_other_positions() -> None:
    # As above, and c also holds 1 lot of ETH-PERP at 100, which needs 5: it is charged 65.
    eth = replace(sb.LISTING, market="ETH-PERP", feed="ETH")
    s = Sandbox(sb.genesis(markets=(sb.LISTING, eth)))
    s.price(125)
    s.price(100, "ETH")
    for account, cash in (("a", 0), ("b", 1000), ("c", 20), ("d", 1000)):
        s.open(account, cash)
    s.trade("a", "b", 10, 100)
    s.drive(74)
    s.trade("b", "c", 10, 83)  # 20 + 90 = 110 covers 74 + 10
    s.trade("c", "d", 1, 100, "ETH-PERP")
    s.drive(78)  # c: 20 + 50 = 70; a: -220
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert receipt.amounts["tear_up"] == 65
    assert (s.standing("c").margin_equity, s.standing("c").maintenance) == (5, 5)


def test_s12_insurance_pays_before_anything_else_moves() -> None:
    s = start(100, ("a", 32), ("b", 100), ("c", 100), ("d", 100))
    s.do("k", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 5))
    s.do("k", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 5))
    for other in ("b", "c", "d"):
        s.trade("a", other, 1, 100)
    s.drive(87)
    receipt = s.do("k", ev.ResolveDefault("a"))
    borne = {name: receipt.amounts[name] for name in ("insurance_fund", "skin_in_the_game", "tear_up")}
    assert borne == {"insurance_fund": 5, "skin_in_the_game": 2, "tear_up": 0}
    assert [s.cash(account) for account in ("a", "b", "c", "d")] == [0, 113, 113, 113]
    assert receipt.postings[0].debit == ("USD", "main", Kind.INSURANCE_FUND.value, "")


def test_s12_layers_that_share_losses_before_the_funds_are_refused() -> None:
    with pytest.raises(OutsideEnvelope, match="funds-before-sharing"):
        build(sb.with_pool(layers=(Layer.TEAR_UP, Layer.INSURANCE_FUND)))


def two_pairs(price: int) -> Sandbox:
    """``a`` and ``e`` long 10, ``b`` and ``f`` short 10, all from 100; then the price falls by 1 a second.

    Every 5 seconds the mark of the second before becomes the variation mark: 96 at 5, 91 at 10, 81 at 20.
    """
    pool = replace(sb.POOL, layers=(Layer.INSURANCE_FUND, Layer.GAINS_HAIRCUT))
    s = start(100, ("a", 100), ("b", 1000), ("e", 1000), ("f", 1000), genesis=sb.genesis(pool=pool))
    s.trade("a", "b", 10, 100)
    s.trade("e", "f", 10, 100)
    s.drive(price)
    assert s.time == 100 - price
    return s


def test_s12_the_gains_haircut_takes_from_gains_since_the_variation_mark() -> None:
    # a: 100 - 10 x 12 = -20, over the 10 lots that remain 2 each, of the 3 that they won since the variation mark.
    s = two_pairs(88)
    assert s.state.marks[PERP].variation_price == 91
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert (receipt.amounts["gains_haircut"], receipt.amounts["uncovered_loss"]) == (20, 0)
    # Equal scores: the older b is torn up at 88 with its gain whole, and f bears the haircut.
    equities = [s.standing(account).margin_equity for account in ("a", "b", "e", "f")]
    assert equities == [0, 1120, 880, 1120 - 20]


def test_s12_gains_of_earlier_variation_intervals_are_not_taken() -> None:
    s = two_pairs(88)
    s.time = 15
    s.price(88)  # the mark so far, 88, becomes the variation mark
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert (receipt.amounts["gains_haircut"], receipt.amounts["uncovered_loss"]) == (0, 20)


def test_s12_the_gains_haircut_takes_no_more_than_the_gain() -> None:
    # a: 100 - 10 x 24 = -140. Since the variation mark 81 - 76 = 5 a lot were won: 50 of 140, and never again.
    s = two_pairs(76)
    receipt = s.do("k", ev.ResolveDefault("a"))
    assert (receipt.amounts["gains_haircut"], receipt.amounts["uncovered_loss"]) == (50, 90)
    assert s.state.fundings[PERP].haircut_since_variation == 5


def test_s12_two_defaults_of_one_interval_share_its_gain() -> None:
    # a and g: 100 - 10 x 24 = -140 each; 3 and 3 lots more of e and f. The first takes 5 a lot of the 13 lots that
    # remain short, 65; the second finds nothing left of the gain.
    pool = replace(sb.POOL, layers=(Layer.GAINS_HAIRCUT,))
    accounts = (("a", 100), ("g", 100), ("b", 2000), ("e", 1000), ("f", 1000))
    s = start(100, *accounts, genesis=sb.genesis(pool=pool))
    s.trade("a", "b", 10, 100)
    s.trade("g", "b", 10, 100)
    s.trade("e", "f", 3, 100)
    s.drive(76)
    assert s.do("k", ev.ResolveDefault("a")).amounts["gains_haircut"] == 5 * 13
    assert s.do("k", ev.ResolveDefault("g")).amounts["gains_haircut"] == 0


def test_s12_haircuts_of_two_intervals_add_up() -> None:
    # a loses 100 + 20 at 88, so 2 a lot; g, with 200 more, defaults at 67: 300 - 330 = -30, so 3 of the 4 a lot won.
    pool = replace(sb.POOL, layers=(Layer.GAINS_HAIRCUT,))
    accounts = (("a", 100), ("g", 300), ("b", 1000), ("h", 3000), ("e", 1000), ("f", 1000))
    s = start(100, *accounts, genesis=sb.genesis(pool=pool))
    s.trade("a", "b", 10, 100)
    s.trade("g", "h", 10, 100)
    s.drive(88)
    assert s.do("k", ev.ResolveDefault("a")).amounts["gains_haircut"] == 20
    assert s.state.fundings[PERP].haircut_short == 2
    s.trade("e", "f", 10, 88)
    s.drive(67)  # the variation mark of 30 is 71
    assert s.do("k", ev.ResolveDefault("g")).amounts["gains_haircut"] == 30
    assert s.state.fundings[PERP].haircut_short == 5


def test_s12_who_is_below_maintenance_is_torn_up_last() -> None:
    # At 80 d won most a lot and is older than c, but what it lost in another market leaves it below maintenance.
    eth = replace(sb.LISTING, market="ETH-PERP", feed="ETH")
    s = Sandbox(sb.genesis(markets=(sb.LISTING, eth)))
    s.price(100)
    s.price(1000, "ETH")
    for account, cash in (("a", 110), ("d", 1000), ("c", 1000), ("b", 10_000)):
        s.open(account, cash)
    s.trade("a", "d", 10, 101)
    s.trade("b", "c", 10, 100)
    s.trade("d", "b", 5, 1000, "ETH-PERP")
    s.drive(80)
    s.drive(765, "ETH")  # d: 1000 + 210 - 1175 = 35, and it needs 40 + 192
    assert liquidatable(s.standing("d"))
    assert s.do("k", ev.ResolveDefault("a")).accounts == ("a", "c")


def test_s12_the_gains_haircut_leaves_a_newcomer_solvent() -> None:
    # n takes f's short over at 76 with exactly its initial margin, 76, and bears 5 a lot though it won nothing.
    s = two_pairs(76)
    s.open("n", 76)
    s.trade("f", "n", 10, 76)
    s.do("k", ev.ResolveDefault("a"))
    assert s.standing("n").margin_equity == 26


def test_s12_a_variation_interval_beyond_initial_margin_is_refused() -> None:
    # 6 seconds are 7 steps, at most one more: 0.99 ** 8 x 1.1 = 1.0150 >= 1.01; one second more: 0.99 ** 9 = 1.0049.
    build(sb.with_market(mark=replace(sb.MARK, variation_interval=6)))
    with pytest.raises(OutsideEnvelope, match="haircut-within-initial"):
        build(sb.with_market(mark=replace(sb.MARK, variation_interval=7)))


def test_s12_winners_rank_above_losers_on_both_sides() -> None:
    # Profit 12 on a cost of 100 at leverage 88 / 50 = 1.76; a long's cost is positive, a short's negative.
    winner = 12 * SCALE // 100 * (88 * SCALE // 50)
    assert rank_score(12, -100, 88, 50) == rank_score(12, 100, 88, 50) == winner
    assert rank_score(12, 100, 88, 50) > rank_score(0, 100, 88, 50) > rank_score(-12, 100, 88, 50)
    assert rank_score(-12, -100, 112, 50) == rank_score(-12, 100, 112, 50)


def test_s12_a_score_fits_128_bits() -> None:
    assert 0 < rank_score(2**62, 0, 2**56, -(2**62)) <= 2**124


# ---------------------------------------------------------------------------------------------------------------
# S13 Gates open again


def one_atom_lost(threshold: int) -> Sandbox:
    """``a`` bought one lot at 100 with cash 10; at 89 it is worth -1, and no layer pays."""
    s = start(100, ("a", 10), ("b", 1000), ("e", 115), genesis=sb.with_pool(layers=(), gate_threshold=threshold))
    s.trade("a", "b", 1, 100)
    s.trade("e", "b", 10, 100)
    s.drive(89)
    s.do("k", ev.ResolveDefault("a"))
    assert s.balance("uncovered_loss") == -1
    return s


def test_s13_a_deficit_of_one_atom_does_not_gate() -> None:
    s = one_atom_lost(1)
    s.do("b", ev.Withdraw("b", "USD", 1))


def test_s13_what_gates_a_pool_and_what_clears_it() -> None:
    s = one_atom_lost(0)
    s.do("b", ev.Withdraw("b", "USD", 1), Reason.WITHDRAWALS_GATED)
    s.do("b", ev.Deposit("b", "USD", 100))
    s.trade("b", "e", 1, 89)  # e: 115 - 110 = 5 of 45 needed
    s.do("b", ev.Liquidate("e", "b", PERP, 1))
    s.drive(88)  # 5 - 8 x 1 = -3
    s.do("k", ev.ResolveDefault("e"))
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 3))
    s.do("b", ev.Withdraw("b", "USD", 1), Reason.WITHDRAWALS_GATED)
    s.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 1))
    s.do("b", ev.Withdraw("b", "USD", 1))


# ---------------------------------------------------------------------------------------------------------------
# S14 Final settlement


def expired(fund: int = 0, skin: int = 0) -> Sandbox:
    """A future settled at 80: ``a`` long 10 from 100 with cash 100, ``b`` short 6, ``c`` short 4."""
    s = start(100, ("a", 100), ("b", 1000), ("c", 1000), genesis=sb.genesis(markets=(FUTURE,)))
    for name, amount in ((ev.Fund.INSURANCE_FUND, fund), (ev.Fund.SKIN_IN_THE_GAME, skin)):
        if amount:
            s.do("k", ev.Contribute("main", name, amount))
    s.trade("a", "b", 6, 100, "BTC-FUT")
    s.trade("a", "c", 4, 100, "BTC-FUT")
    s.drive(80)
    s.time = 10_000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    assert s.state.settlements["BTC-FUT"].price == 80
    return s


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")])
@pytest.mark.parametrize(
    ("fund", "skin", "paid"), [(0, 0, (60, 40)), (30, 0, (78, 52)), (30, 50, (108, 72)), (90, 50, (120, 80))]
)
def test_s14_one_payout_factor_whoever_comes_first(
    order: tuple[str, ...], fund: int, skin: int, paid: tuple[int, int]
) -> None:
    # The loss is 200, a pays 100, the funds what they have. Claims 120 and 80 share 100, 130, 180 or 200 by 3 to 2.
    s = expired(fund, skin)
    for account in order:
        s.do("k", ev.SettlePosition(account, "BTC-FUT"))
    for account in order[::-1]:
        if account != "a":
            s.do("k", ev.PayClaim(account, "BTC-FUT"))
    assert (s.cash("b"), s.cash("c")) == (1000 + paid[0], 1000 + paid[1])
    assert s.cash("a") == 0
    assert s.balance("insurance_fund") + s.balance("skin_in_the_game") == max(0, fund + skin - 100)
    assert s.balance("insurance_fund") == 0
    assert s.state.markets["BTC-FUT"].status == MarketStatus.CLOSED
    assert s.balance("clearing", "BTC-FUT") == 0
    assert s.balance("uncovered_loss") == 0


def test_s14_a_claim_counts_at_the_payout_factor_once_it_is_known() -> None:
    # 101 for claims of 120 and 80: 60.6 and 40.4, each rounded down; of the cumulative floors b gets 60 and c 41.
    s = expired(1)
    s.do("k", ev.SettlePosition("b", "BTC-FUT"))
    s.do("k", ev.SettlePosition("c", "BTC-FUT"))
    assert [s.standing(account).unrealised for account in ("b", "c")] == [120, 80]
    s.do("k", ev.SettlePosition("a", "BTC-FUT"))
    assert [s.standing(account).unrealised for account in ("b", "c")] == [60, 40]
    assert s.do("k", ev.PayClaim("b", "BTC-FUT")).amounts["paid"] == 60
    assert s.do("k", ev.PayClaim("c", "BTC-FUT")).amounts["paid"] == 41


def test_s14_a_halted_market_stays_halted_when_it_is_delisted() -> None:
    s = start(100, ("a", 1000), ("b", 1000))
    s.do("admin", ev.SetStatus(PERP, MarketStatus.HALTED))
    s.do("admin", ev.Delist(PERP, 100))
    assert s.state.markets[PERP].status == MarketStatus.HALTED
    s.do("admin", ev.SetStatus(PERP, MarketStatus.ACTIVE), Reason.STATUS_NOT_ALLOWED)
    s.do("admin", ev.SetStatus(PERP, MarketStatus.REDUCE_ONLY))


def test_s14_the_settlement_window_of_an_expiring_market_is_fixed() -> None:
    # At 9900 of a window of 600 the average has 500 seconds; over a window of 100 it would end at six times the price.
    s = start(100, genesis=sb.genesis(markets=(FUTURE, sb.LISTING)))
    s.time = 9900
    s.price(100)
    s.do("k", ev.AccrueFunding(PERP))
    shorter = replace(sb.MARKET, settlement_window=100)
    s.do("admin", ev.SetParameters("BTC-FUT", shorter), Reason.OUTSIDE_ENVELOPE)
    s.do("admin", ev.SetParameters(PERP, shorter))
    s.time = 10_000
    s.price(100)
    s.do("k", ev.FixSettlement("BTC-FUT"))
    assert s.state.settlements["BTC-FUT"].price == 100


def test_s14_the_basis_fades_out_with_the_window() -> None:
    # Index 10000, book 1 % above, band 1 %: mark 10100; half of the basis after half of the window, none at expiry.
    mark = replace(sb.MARK, band=PERCENT)
    parameters = replace(sb.MARKET, mark=mark, margin=replace(sb.MARGIN, tiers=tiers(15, 8)))
    s = start(10_000, genesis=sb.genesis(markets=(replace(FUTURE, parameters=parameters),)))
    found = []
    for time in (9400, 9700, 10_000):
        s.time = time
        s.price(10_000)
        s.do("venue", ev.PostBook("BTC-FUT", 10_100, 10_100))
        found.append(s.state.marks["BTC-FUT"].price)
    assert found == [10_100, 10_050, 10_000]


def test_s14_a_first_price_inside_the_window_counts_for_all_of_it() -> None:
    s = Sandbox(sb.genesis(markets=(FUTURE,)))
    s.time = 9900
    s.price(100)
    assert s.state.marks["BTC-FUT"].price == 100


def test_s14_no_claim_is_paid_before_the_last_loss_is_collected() -> None:
    s = expired()
    s.do("k", ev.SettlePosition("b", "BTC-FUT"))
    s.do("k", ev.PayClaim("b", "BTC-FUT"), Reason.POSITIONS_REMAIN)


def test_s14_a_gain_realised_before_is_not_taken_back() -> None:
    # b sold its short to c at 80 and keeps 200; at 80 nobody has a claim, and a pays 100 of its loss of 200.
    s = start(100, ("a", 100), ("b", 1000), ("c", 1000), genesis=sb.genesis(markets=(FUTURE,)))
    s.trade("a", "b", 10, 100, "BTC-FUT")
    s.drive(80)
    s.trade("b", "c", 10, 80, "BTC-FUT")
    s.time = 10_000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    s.do("k", ev.SettlePosition("c", "BTC-FUT"))
    assert s.do("k", ev.SettlePosition("a", "BTC-FUT")).amounts["collected"] == 100
    assert [s.cash(account) for account in ("a", "b", "c")] == [0, 1200, 1000]
    assert s.balance("uncovered_loss") == -100
    assert s.balance("clearing", "BTC-FUT") == 0
    assert s.state.markets["BTC-FUT"].status == MarketStatus.CLOSED


def test_s14_nobody_escapes_a_settled_loss_by_the_moment_of_its_collection() -> None:
    # a loses 10 x 20 = 200 in the future and holds cash 1000; its 5 lots of ETH are down 1100 at this moment, so that
    # it is worth -300. Of these 300 the future's part is 300 x 200 / 1300 = 46.2, rounded down 46: 154 are collected.
    # Were the whole loss forgiven now, it would have all of its 1000 when ETH is back.
    eth = replace(sb.LISTING, market="ETH-PERP", feed="ETH")
    s = Sandbox(sb.genesis(markets=(FUTURE, eth)))
    s.price(100)
    s.price(1000, "ETH")
    s.open("a", 1000)
    s.open("b", 10_000)
    s.trade("a", "b", 10, 100, "BTC-FUT")
    s.trade("a", "b", 5, 1000, "ETH-PERP")
    s.drive(80)
    s.time = 10_000
    s.do("k", ev.FixSettlement("BTC-FUT"))
    s.drive(780, "ETH")
    assert s.standing("a").net_liquidation_value == -300
    assert s.do("k", ev.SettlePosition("a", "BTC-FUT")).amounts["collected"] == 154
    assert s.standing("a").net_liquidation_value == -254
    s.do("k", ev.SettlePosition("b", "BTC-FUT"))
    assert s.do("k", ev.PayClaim("b", "BTC-FUT")).amounts["paid"] == 154
    s.drive(1000, "ETH")
    assert s.standing("a").net_liquidation_value == 846


def test_s14_a_price_of_the_last_second_hardly_counts() -> None:
    # Window 600: the index stands at 10000 for 599 seconds and then 1 % higher for one: 10000 + floor(100 / 600).
    s = start(10_000, genesis=sb.genesis(markets=(FUTURE,)))
    s.time = 9999
    s.price(20_000)
    assert s.state.feeds["BTC"].index == 10_100
    assert s.state.marks["BTC-FUT"].price == 10_000
    s.time = 10_000
    s.price(20_000)
    s.do("k", ev.FixSettlement("BTC-FUT"))
    assert s.state.settlements["BTC-FUT"].price == 10_000


def test_s14_the_mark_blends_into_the_average() -> None:
    # Half of the window at 10000; then 10100 counts for the half that remains: 10050.
    s = start(10_000, genesis=sb.genesis(markets=(FUTURE,)))
    s.time = 9700
    s.price(20_000)
    assert s.state.marks["BTC-FUT"].price == 10_050


# ---------------------------------------------------------------------------------------------------------------
# S15 Roles

NOT_FOR_A_STRANGER = [
    ev.Deposit("a", "USD", 1),
    ev.Withdraw("a", "USD", 1),
    ev.Transfer("a", "b", "USD", 1),
    ev.Convert("a", "b", "ETH", 1),
    ev.CoverLoss("main", ev.Cover.OUTSIDE, 1),
    ev.CollectFees("main", 1),
    ev.PostPrice("BTC", 100, 0),
    ev.PostBook(PERP, 100, 100),
    ev.Trade(PERP, "a", "b", 1, 100, ev.Side.SELLER),
    ev.Liquidate("a", "b", PERP, 1),
    ev.ListMarket(replace(sb.LISTING, market="BTC-2")),
    ev.SetParameters(PERP, sb.MARKET),
    ev.SetStatus(PERP, MarketStatus.HALTED),
    ev.Delist(PERP, 600),
]

FOR_ANYONE = {
    ev.OpenAccount("new", "main"): None,
    ev.Contribute("main", ev.Fund.INSURANCE_FUND, 1): None,
    ev.AccrueFunding(PERP): Reason.FUNDING_NOT_DUE,
    ev.ResolveDefault("a"): Reason.NOT_IN_DEFAULT,
    ev.FixSettlement(PERP): Reason.SETTLEMENT_NOT_DUE,
    ev.SettlePosition("a", PERP): Reason.NOT_SETTLING,
    ev.PayClaim("a", PERP): Reason.NOT_SETTLING,
}


def test_s15_every_action_has_its_role() -> None:
    asked = {type(action) for action in NOT_FOR_A_STRANGER}
    assert asked == {record for record, role in ev.ROLES.values() if role != ev.ANYONE}
    assert {type(action) for action in FOR_ANYONE} == {
        record for record, role in ev.ROLES.values() if role == ev.ANYONE
    }


ROLE_HOLDERS = {ev.VENUE: "venue", ev.ADMINISTRATOR: "admin", ev.SOURCE: "s1"}


def holder(action: Any) -> str:
    """Who may take an action: of a conversion and a liquidation the owner of the account that buys."""
    role = dict(ev.ROLES.values())[type(action)]
    owner = "b" if isinstance(action, ev.Convert | ev.Liquidate) else "a"
    return owner if role == ev.OWNER else ROLE_HOLDERS[role]


@pytest.mark.parametrize("action", NOT_FOR_A_STRANGER, ids=lambda action: type(action).__name__)
def test_s15_no_other_role_will_do(action: Any) -> None:
    for actor in ("eve", "a", "b", "venue", "admin", "s1"):
        if actor != holder(action):
            s = start(100, ("a", 1000), ("b", 1000))
            s.do(actor, action, Reason.UNAUTHORISED)


@pytest.mark.parametrize("action", FOR_ANYONE, ids=lambda action: type(action).__name__)
def test_s15_what_anyone_may_do(action: Any) -> None:
    s = start(100, ("a", 1000), ("b", 1000))
    s.do("eve", action, FOR_ANYONE[action])


# ---------------------------------------------------------------------------------------------------------------
# S16 Range


def test_s16_a_position_of_more_than_2_to_56_is_refused() -> None:
    # 2**20 lots at 2**36 are 2**56 exactly.
    feeds = (replace(sb.FEED, max_price=PRICE_MAX), sb.ETH_FEED)
    trading = replace(sb.TRADING, max_position=2**20, max_open_interest=2**20)
    build(sb.genesis(feeds=feeds, markets=(listed(trading=trading),)))
    with pytest.raises(OutsideEnvelope, match="position-notional-bounded"):
        build(sb.genesis(feeds=feeds, markets=(listed(trading=replace(trading, max_position=2**20 + 1)),)))


def test_s16_64_positions_fill_an_account() -> None:
    markets = tuple(replace(sb.LISTING, market=f"M{place}") for place in range(POSITIONS_MAX + 1))
    s = start(100, ("a", 10**6), ("b", 10**6), ("c", 10**6), genesis=sb.genesis(markets=markets))
    s.check = False
    for place in range(POSITIONS_MAX):
        s.trade("a", "b" if place % 2 else "c", 1, 100, f"M{place}")
    s.trade("a", "b", 1, 100, "M64", expect=Reason.TOO_MANY_POSITIONS)
    s.trade("b", "a", 1, 100, "M1")
    s.trade("a", "b", 1, 100, "M64")


def test_s16_a_liquidator_does_not_hold_a_65th_position() -> None:
    markets = tuple(replace(sb.LISTING, market=f"M{place}") for place in range(POSITIONS_MAX + 1))
    s = start(100, ("k", 10**6), ("b", 10**6), ("c", 10**6), ("a", 100), genesis=sb.genesis(markets=markets))
    s.check = False
    for place in range(POSITIONS_MAX):
        s.trade("k", "b" if place % 2 else "c", 1, 100, f"M{place}")
    s.trade("a", "b", 10, 100, "M64")
    s.drive(94)
    s.do("k", ev.Liquidate("a", "k", "M64", 3), Reason.TOO_MANY_POSITIONS)


# ---------------------------------------------------------------------------------------------------------------
# S17 State root


def test_s17_a_new_object_reshuffles_nothing() -> None:
    s = start(100, ("m", 1000))
    place = s.state.created.index(("accounts", "m"))
    before = list(s.state.created)
    s.open("a", 1000)  # stands before m in any order by name
    assert s.state.created[: len(before)] == before
    assert proof_of(s.state, "accounts", "m")[0] == place


def test_s17_a_rejected_event_leaves_the_root() -> None:
    s = start(100, ("a", 1000), ("b", 9))
    root = state_root(s.state)
    s.trade("a", "b", 1, 100, expect=Reason.INSUFFICIENT_MARGIN)
    assert state_root(s.state) == root
    s.do("b", ev.Deposit("b", "USD", 1))
    assert state_root(s.state) != root


def test_s17_the_observable_snapshot_does_not_tell_who_settled_when() -> None:
    # b settles its funding by a fill and its reverse; a does not.
    def run(poked: bool) -> Sandbox:
        s = start(100, ("a", 10_000), ("b", 10_000), ("c", 10_000), genesis=sb.with_market(funding=NINE_TENTHS))
        s.trade("a", "b", 10, 100)
        for _ in range(3):
            s.time += 3600
            s.price(100)
            s.do("k", ev.AccrueFunding(PERP))
            if poked:
                s.trade("c", "b", 1, 100)
                s.trade("b", "c", 1, 100)
        return s

    poked, untouched = (observable(run(choice).state) for choice in (True, False))
    assert poked.accounts == untouched.accounts
    assert poked.markets == untouched.markets
    assert poked.pools == untouched.pools


# ---------------------------------------------------------------------------------------------------------------
# Theorems: the counterexample to the wording that is not true, and what holds


def test_liquidation_lowers_neither_the_ratio_nor_the_difference() -> None:
    # In hundreds: E = 20, R = 50, penalty 2.5 %, half closed. 2.5 % of 500 = 12.5 would leave 7.5 / 25 = 0.30 in place
    # of 0.40. The penalty is at most half of what the account is worth: 10 / 25 = 0.40; E - R goes from -30 to -15.
    rules = replace(sb.LIQUIDATION, penalty=PERCENT * 5 // 2, close_factor=SCALE // 2)
    genesis = sb.genesis(feeds=(replace(sb.FEED, band=PERCENT // 2), sb.ETH_FEED), markets=(listed(liquidation=rules),))
    s = start(11_000, ("a", 12_000), ("b", 10**6), genesis=genesis)
    s.trade("a", "b", 10, 11_000)
    s.drive(10_000)
    before = s.standing("a")
    assert (before.margin_equity, before.maintenance) == (2000, 5000)
    assert s.do("b", ev.Liquidate("a", "b", PERP, 10)).amounts["closed"] == 5
    after = s.standing("a")
    assert (after.margin_equity, after.maintenance) == (1000, 2500)


def test_a_sized_step_restores() -> None:
    # E = 40, R = 47 at 94: ceil((7 + 2) / 4 %) = 225 atoms are 3 lots. Penalty floor(2.82) = 2: E = 38; 7 lots need
    # ceil(32.9) = 33.
    s = start(100, ("a", 100), ("b", 10_000))
    s.trade("a", "b", 10, 100)
    s.drive(94)
    assert s.do("b", ev.Liquidate("a", "b", PERP, 10)).amounts["closed"] == 3
    assert (s.standing("a").margin_equity, s.standing("a").maintenance) == (38, 33)
    s.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)


def test_a_step_at_the_close_factor_raises_the_difference() -> None:
    s = start(
        100,
        ("a", 100),
        ("b", 10_000),
        genesis=sb.with_market(liquidation=replace(sb.LIQUIDATION, close_factor=SCALE // 10)),
    )
    s.trade("a", "b", 10, 100)
    s.drive(94)
    gaps = [s.standing("a").margin_equity - s.standing("a").maintenance]
    assert s.do("b", ev.Liquidate("a", "b", PERP, 10)).amounts["closed"] == 1
    gaps.append(s.standing("a").margin_equity - s.standing("a").maintenance)
    assert gaps == [40 - 47, 40 - 43]  # penalty floor(0.94); 5 % of 846 = 42.3


def test_the_gap_bound_binds_the_short_side_first() -> None:
    # m = 5 %, penalty 1 %, one step of 1.3 % beyond the one that runs. Down: 0.987 ** 2 x 0.99 = 0.964427, more than
    # 0.95 x 1.013 = 0.962350. Up: 1.013 ** 2 x 1.01 = 1.036431, above 1.05 x 0.987 = 1.036350. 5.01 % suffice:
    # 1.0501 x 0.987 = 1.036449.
    feeds = (replace(sb.FEED, band=13 * 10**6), sb.ETH_FEED)
    with pytest.raises(OutsideEnvelope, match="gap-up") as found:
        build(sb.genesis(feeds=feeds))
    assert found.value.violation.left == 1_036_430_690
    assert found.value.violation.right == 1_036_350_000
    margin = replace(sb.MARGIN, tiers=(Tier(NOTIONAL_MAX, 10 * PERCENT, 501 * 10**5),))
    markets = (listed(margin=margin, mark=replace(sb.MARK, variation_interval=1)),)
    build(sb.genesis(feeds=feeds, markets=markets))


def test_steps_of_4_percent_with_maintenance_of_5_percent_are_refused() -> None:
    # Even of one step alone: 1.04 x 1.01 = 1.0504 > 1.05.
    feeds = (replace(sb.FEED, band=4 * PERCENT), sb.ETH_FEED)
    with pytest.raises(OutsideEnvelope, match="gap-up"):
        build(sb.genesis(feeds=feeds))


def test_within_the_gap_bound_no_move_of_one_step_makes_a_debt() -> None:
    # The worst that a band of 1.2 % allows: from its lower edge to its upper edge inside one step, then up once more.
    # Short 10 from 9400 with 9740: at 9880 E = 9740 - 4800 = 4940 = R. At 10120 and then 10241 E = 1330; the penalty
    # is floor(1 % of 102410) = 1024.
    feeds = (replace(sb.FEED, band=12 * 10**6, step_interval=60), replace(sb.ETH_FEED, step_interval=60))
    markets = (listed(liquidation=replace(sb.LIQUIDATION, critical_health=SCALE)),)
    s = start(9400, ("a", 9740), ("b", 10**6), genesis=sb.genesis(feeds=feeds, markets=markets))
    s.trade("b", "a", 10, 9400)
    for _ in range(7):
        s.time += 60
        s.price(10_000)
    assert s.state.feeds["BTC"].anchor == 10_000
    assert s.price(9000) == 9880
    s.do("b", ev.Liquidate("a", "b", PERP, 10), Reason.NOT_LIQUIDATABLE)
    assert s.price(11_000) == 10_120
    s.time += 60
    assert s.price(11_000) == 10_241
    receipt = s.do("b", ev.Liquidate("a", "b", PERP, 10))
    assert (receipt.amounts["closed"], receipt.amounts["penalty"]) == (10, 1024)
    assert s.standing("a").net_liquidation_value == 1330 - 1024


def test_a_haircut_below_the_fall_of_its_asset_is_refused() -> None:
    # 80 % at one band above must be covered after k + 2 steps of 1 % and the discount of 5 %: 0.8 x 1.01 = 0.808.
    # k = 14: 0.99 ** 16 x 0.95 = 0.8089; k = 15: 0.99 ** 17 x 0.95 = 0.8008.
    def violations(steps: int) -> list[str]:
        genesis = sb.with_market(margin=replace(sb.MARGIN, tiers=tiers(60, 50), gap_steps=steps))
        state = build(sb.genesis())
        return [violation.inequality for violation in listing_violations(state, genesis.markets[0], 50 * PERCENT)]

    assert violations(14) == []
    assert violations(15) == ["haircut-covers-gap ETH"]


def test_tiers_charge_one_position_more_than_two_halves() -> None:
    # 5 % up to 100000, 10 % above: R(200000) = 5000 + 10000 = 15000, twice R(100000) = 10000.
    table = (Tier(100_000, 5 * PERCENT, 5 * PERCENT), Tier(NOTIONAL_MAX, 10 * PERCENT, 10 * PERCENT))
    assert tiered_requirement(200_000, table) == (15_000, 15_000)
    assert tiered_requirement(100_000, table) == (5_000, 5_000)


def test_a_requirement_jumps_by_at_most_the_slope_and_one() -> None:
    assert [tiered_requirement(value, tiers(10, 5))[1] for value in (0, 1, 20, 21, 40, 41)] == [0, 1, 1, 2, 2, 3]


def test_only_a_price_makes_a_deficit() -> None:
    # 10 lots from 100 with cash 50: at 94 the deficit is 10; no fill, transfer, withdrawal or liquidation adds to it.
    margin = replace(sb.MARGIN, tiers=(Tier(NOTIONAL_MAX, 5 * PERCENT, 45 * 10**6),))
    genesis = sb.with_market(margin=margin, mark=replace(sb.MARK, variation_interval=1))
    s = start(100, ("a", 50), ("b", 10_000), genesis=genesis)
    s.do("b", ev.OpenAccount("second", "main"))
    s.trade("a", "b", 10, 100)
    assert max(0, -s.standing("a").net_liquidation_value) == 0
    s.drive(94)
    assert s.standing("a").net_liquidation_value == -10
    s.do("a", ev.Withdraw("a", "USD", 1), Reason.BELOW_INITIAL_MARGIN)
    s.do("a", ev.Transfer("a", "second", "USD", 1), Reason.BELOW_INITIAL_MARGIN)
    s.trade("b", "a", 5, 93, expect=Reason.INSUFFICIENT_MARGIN)
    s.trade("b", "a", 5, 94, expect=Reason.INSUFFICIENT_MARGIN)
    s.do("admin", ev.SetParameters(PERP, replace(sb.MARKET, margin=replace(sb.MARGIN, tiers=tiers(10, 5)))))
    s.do("b", ev.Liquidate("a", "b", PERP, 5), Reason.IN_DEFAULT)
    assert s.standing("a").net_liquidation_value == -10


def test_an_accrual_cannot_be_split_by_a_stranger() -> None:
    # Cap 4. Premiums 10 and 0: the mean 5 is clamped to 4; two halves would charge 4 and 0, 2 on average.
    rules = replace(sb.FUNDING, cap=4)
    assert funding_rate(aggregated((10, 0), rules), rules) == 4
    assert [funding_rate(aggregated((premium,), rules), rules) for premium in (10, 0)] == [4, 0]
    s = start(100)
    s.time = 1800
    s.price(100)
    s.do("k", ev.AccrueFunding(PERP), Reason.FUNDING_NOT_DUE)


def test_only_accounts_that_the_receipt_names_change() -> None:
    s = start(100, ("a", 32), ("b", 100), ("c", 100), ("d", 100), ("e", 500), ("f", 500))
    for other in ("b", "c", "d"):
        s.trade("a", other, 1, 100)
    s.trade("e", "f", 1, 110)  # f won most and is torn up first
    s.drive(87)

    def seen() -> dict[str, Any]:
        rows = {name: [record] for name, record in s.state.accounts.items()}
        for (name, _), position in s.state.positions.items():
            rows[name].append(position)
        for (_, _, kind, name), amount in s.state.balances.items():
            if kind == Kind.USER.value:
                rows[name].append(amount)
        return rows

    before = seen()
    receipt = s.do("k", ev.ResolveDefault("a"))
    after = seen()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= set(receipt.accounts)
    assert "e" not in changed
    assert receipt.accounts[0] == "a"
    assert len(changed) == 4


def test_a_conversion_costs_an_account_at_most_its_discount() -> None:
    # Worth 300 before; one ETH goes at 5 % below index: 300 - 100 after.
    s = borrowed_against_eth()
    before = s.standing("a").net_liquidation_value
    s.do("b", ev.Convert("a", "b", "ETH", 1))
    assert before - s.standing("a").net_liquidation_value == 2000 * 5 // 100
