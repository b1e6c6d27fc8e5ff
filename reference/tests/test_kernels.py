"""Properties of the kernels, over the whole of the ranges that their arguments may have."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, trunc
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clearspec.collateral import conversion_price
from clearspec.funding import accrued, aggregated, funding_owed, funding_rate, haircut_owed
from clearspec.liquidation import penalty_for, restoring_size, reward_from, shortfall_to_target, topped_up
from clearspec.margin import (
    Standing,
    counted_profit,
    index_value,
    is_critical,
    open_interest_weight,
    reduces_risk,
    scaled_initial,
    size_ratio,
    tiered_requirement,
)
from clearspec.numerics import (
    AMOUNT_MAX,
    BALANCE_MAX,
    DURATION_MAX,
    INDEX_MAX,
    LOSS_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    RATIO_MAX,
    SCALE,
    SIZE_MAX,
    TIERS_MAX,
    clamp,
    cumulative_share,
    div_ceil,
    div_floor,
    div_to_zero,
    divide_carry,
    median,
    mul_ceil,
    mul_floor,
)
from clearspec.oracle import banded, basis_sample, counts, mark_price, premium_sample, smoothed, worst_price
from clearspec.parameters import (
    Aggregation,
    CollateralTerms,
    FeedParameters,
    FundingParameters,
    InterestForm,
    LiquidationParameters,
    MarginParameters,
    MarketKind,
    MarketListing,
    MarkParameters,
    Tier,
    expiry_violations,
    feed_violations,
    gains_haircut_violations,
    gap_violations,
    grown,
    haircut_violations,
    market_violations,
    ramped,
    shrunk,
)
from clearspec.sandbox import ETH, FEED, LIQUIDATION, LISTING, MARK, MARKET, PERCENT
from clearspec.settlement import uncollectable
from clearspec.state import Funding, Position, Post
from clearspec.trading import filled, reduces, within_band
from clearspec.waterfall import haircut_step, parts_by_market, rank_score

some = settings(max_examples=max(50, settings.default.max_examples // 5))
"""A fifth of the examples of the profile in force, for there are many small properties."""

WIDE = 2**126
wide = st.integers(-WIDE, WIDE)
divisor = st.integers(1, 2**64)
amount = st.integers(0, AMOUNT_MAX)
balance = st.integers(-BALANCE_MAX, BALANCE_MAX)
price = st.integers(1, PRICE_MAX)
ratio = st.integers(0, SCALE)
size = st.integers(-SIZE_MAX, SIZE_MAX)
value = st.integers(0, NOTIONAL_MAX)


# ---------------------------------------------------------------------------------------------------------------
# numerics


@some
@given(wide, divisor)
def test_divisions_round_as_their_names_say(numerator: int, by: int) -> None:
    exact = Fraction(numerator, by)
    assert div_floor(numerator, by) == floor(exact)
    assert div_ceil(numerator, by) == ceil(exact)
    assert div_to_zero(numerator, by) == trunc(exact)


@some
@given(balance, st.integers(-RATIO_MAX, RATIO_MAX))
def test_products_with_a_ratio_round_as_their_names_say(base: int, by: int) -> None:
    exact = Fraction(base * by, SCALE)
    assert mul_floor(base, by) == floor(exact)
    assert mul_ceil(base, by) == ceil(exact)


@some
@given(wide, st.integers(0, 2**64), divisor)
def test_a_carried_division_loses_nothing(numerator: int, carry: int, by: int) -> None:
    quotient, rest = divide_carry(numerator, carry, by)
    assert quotient * by + rest == numerator + carry
    assert 0 <= rest < by


@some
@given(amount, st.lists(value, min_size=1, max_size=12))
def test_cumulative_shares_sum_and_stay_within_one_atom(whole: int, weights: list[int]) -> None:
    total = sum(weights)
    assume(total > 0)
    before, shares = 0, []
    for weight in weights:
        shares.append(cumulative_share(whole, before, before + weight, total))
        before += weight
    assert sum(shares) == whole
    for share, weight in zip(shares, weights, strict=True):
        exact = Fraction(whole * weight, total)
        assert floor(exact) <= share <= ceil(exact)


@some
@given(balance, balance, balance)
def test_a_clamped_value_is_the_nearest_in_range(point: int, one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    found = clamp(point, low, high)
    assert low <= found <= high
    assert found == point or abs(found - point) == min(abs(low - point), abs(high - point))


@some
@given(st.lists(price, min_size=1, max_size=31), st.randoms(use_true_random=False))
def test_a_median_splits_its_values_in_halves(values: list[int], random: object) -> None:
    middle = median(values)
    assert 2 * sum(point <= middle for point in values) >= len(values)
    assert 2 * sum(point < middle for point in values) <= len(values)
    if len(values) % 2 == 1:
        assert middle in values
        assert 2 * sum(point >= middle for point in values) >= len(values)
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert median(shuffled) == middle


@some
@given(st.data(), st.integers(0, 6))
def test_a_minority_of_faulty_values_does_not_move_a_median_out_of_the_honest_range(
    data: st.DataObject, faulty: int
) -> None:
    honest = data.draw(st.lists(price, min_size=faulty + 1, max_size=12))
    liars = data.draw(st.lists(price, min_size=faulty, max_size=faulty))
    assert min(honest) <= median(honest + liars) <= max(honest)


# ---------------------------------------------------------------------------------------------------------------
# trading

position = st.builds(
    lambda lots, cost, funding, haircut: Position(lots, cost if lots else 0, funding, haircut),
    size,
    st.integers(-(2**80), 2**80),
    st.integers(-INDEX_MAX, INDEX_MAX),
    st.integers(0, INDEX_MAX),
)


@some
@given(position, size, price, price)
def test_a_fill_rounds_no_equity_at_any_price(before: Position, delta: int, at: int, mark: int) -> None:
    assume(delta != 0)
    after, realised = filled(before, delta, at)
    assert after.size == before.size + delta
    # What the account is worth at a mark changes by the lots bought times what they are worth above their price.
    worth_before = before.size * mark - before.cost
    worth_after = after.size * mark - after.cost + realised
    assert worth_after - worth_before == delta * (mark - at)
    assert (after.funding_index, after.haircut_index) == (before.funding_index, before.haircut_index)


@some
@given(position, st.integers(1, SIZE_MAX), price)
def test_a_partial_close_releases_its_part_of_the_cost_toward_zero(before: Position, lots: int, at: int) -> None:
    assume(abs(before.size) > 0)
    closing = min(lots, abs(before.size))
    delta = -closing if before.size > 0 else closing
    after, _ = filled(before, delta, at)
    released = before.cost - after.cost
    assert released == trunc(Fraction(before.cost * closing, abs(before.size)))
    assert after.size != 0 or after.cost == 0


@some
@given(position, size, price)
def test_opening_realises_nothing_and_crossing_leaves_the_price_of_what_it_opened(
    before: Position, delta: int, at: int
) -> None:
    assume(delta != 0)
    after, realised = filled(before, delta, at)
    if before.size * delta >= 0:
        assert (realised, after.cost) == (0, before.cost + delta * at)
    if before.size * after.size < 0:
        assert after.cost == after.size * at


@some
@given(size, size)
def test_a_reducing_fill_goes_toward_zero_and_not_through_it(before: int, after: int) -> None:
    assert reduces(before, after) == (abs(after) <= abs(before) and before * after >= 0)


@some
@given(price, st.integers(0, SCALE - 1), st.integers(-2, 2), st.sampled_from([1, -1]))
def test_a_price_in_the_band_is_at_most_the_ratio_away(mark: int, band: int, off: int, side: int) -> None:
    at_price = mark + side * (mark * band // SCALE + off)
    inside = abs(Fraction(at_price, mark) - 1) <= Fraction(band, SCALE)
    assert within_band(at_price, mark, band) == inside


# ---------------------------------------------------------------------------------------------------------------
# margin


@st.composite
def tables(draw: st.DrawFn) -> tuple[Tier, ...]:
    """Tiers that ascend to the top, in ratios that never fall, with maintenance at most initial."""
    count = draw(st.integers(1, TIERS_MAX))
    uppers = sorted(draw(st.sets(st.integers(0, NOTIONAL_MAX - 1), min_size=count - 1, max_size=count - 1)))
    maintenance = sorted(draw(st.lists(st.integers(1, SCALE), min_size=count, max_size=count)))
    initial, floor_ = [], 0
    for lowest in maintenance:
        floor_ = draw(st.integers(max(floor_, lowest), SCALE))
        initial.append(floor_)
    return tuple(Tier(*row) for row in zip([*uppers, NOTIONAL_MAX], initial, maintenance, strict=True))


@some
@given(tables(), value)
def test_a_requirement_is_the_exact_sum_rounded_up_once(tiers: tuple[Tier, ...], worth: int) -> None:
    initial, maintenance = tiered_requirement(worth, tiers)
    lower, exact = 0, Fraction(0)
    for tier in tiers:
        exact += Fraction(max(0, min(worth, tier.upper) - lower) * tier.maintenance, SCALE)
        lower = tier.upper
    assert maintenance == ceil(exact)
    assert maintenance <= initial <= worth


@some
@given(tables(), value, value)
def test_a_requirement_is_monotone_and_superadditive_up_to_one_atom(
    tiers: tuple[Tier, ...], one: int, other: int
) -> None:
    assume(one + other <= NOTIONAL_MAX)
    for place in (0, 1):
        first, second, both = (tiered_requirement(worth, tiers)[place] for worth in (one, other, one + other))
        assert both >= max(first, second)
        assert both >= first + second - 1


@some
@given(tables(), value, value)
def test_opposite_positions_need_at_most_what_each_needs(tiers: tuple[Tier, ...], one: int, other: int) -> None:
    for place in (0, 1):
        first, second, net = (tiered_requirement(worth, tiers)[place] for worth in (one, other, abs(one - other)))
        assert net <= first + second


@some
@given(tables(), st.integers(0, NOTIONAL_MAX - 1))
def test_a_requirement_jumps_by_at_most_the_slope_and_one(tiers: tuple[Tier, ...], worth: int) -> None:
    for place in (0, 1):
        jump = tiered_requirement(worth + 1, tiers)[place] - tiered_requirement(worth, tiers)[place]
        assert 0 <= jump <= 1


margins = st.builds(
    MarginParameters,
    tables(),
    st.integers(0, NOTIONAL_MAX // 4),
    st.just(0),
    ratio,
    st.integers(1, SIZE_MAX),
    st.integers(SCALE, RATIO_MAX),
    st.just(60),
    st.just(1),
)


@some
@given(margins, value, st.integers(0, SIZE_MAX), value, value, st.integers(1, NOTIONAL_MAX))
def test_scaling_raises_initial_margin_with_open_interest_and_never_above_notional(
    rules: MarginParameters, worth: int, lots: int, interest: int, more: int, width: int
) -> None:
    rules = MarginParameters(
        rules.tiers,
        rules.open_interest_lower,
        rules.open_interest_lower + width,
        rules.size_slope,
        rules.size_unit,
        rules.multiplier,
        60,
        1,
    )
    tiered, _ = tiered_requirement(worth, rules.tiers)
    low = scaled_initial(worth, tiered, lots, min(interest, more), rules)
    high = scaled_initial(worth, tiered, lots, max(interest, more), rules)
    assert tiered <= low <= high <= worth
    weight = open_interest_weight(interest, rules.open_interest_lower, rules.open_interest_upper)
    assert weight == min(SCALE, max(0, ceil(Fraction((interest - rules.open_interest_lower) * SCALE, width))))
    growth = size_ratio(lots, rules.size_slope, rules.size_unit)
    assert growth == min(SCALE, ceil(Fraction(lots * rules.size_slope, rules.size_unit)))
    base = min(worth, ceil(Fraction(tiered * rules.multiplier, SCALE)) + ceil(Fraction(worth * growth, SCALE)))
    scaled = scaled_initial(worth, tiered, lots, interest, rules)
    assert scaled == base + ceil(Fraction((worth - base) * weight, SCALE))


@some
@given(value, value, st.integers(1, DURATION_MAX), st.data())
def test_a_ramp_stays_between_its_ends_and_moves_one_way(
    before: int, after: int, duration: int, data: st.DataObject
) -> None:
    times = sorted(data.draw(st.lists(st.integers(0, duration), min_size=2, max_size=4)))
    found = [ramped(before, after, elapsed, duration) for elapsed in times]
    assert all(min(before, after) <= point <= max(before, after) for point in found)
    rising = after >= before
    assert all((first <= second) if rising else (first >= second) for first, second in pairwise(found))
    assert (ramped(before, after, 0, duration), ramped(before, after, duration, duration)) == (before, after)


@some
@given(balance, ratio, amount)
def test_a_loss_counts_whole_and_a_profit_in_part(unrealised: int, weight: int, cap: int) -> None:
    counted = counted_profit(unrealised, weight, cap)
    assert counted == unrealised if unrealised <= 0 else 0 <= counted <= min(unrealised, cap)


def at(equity: int, maintenance: int, worth: int = 0) -> Standing:
    """A standing of which only margin equity, maintenance and net liquidation value matter."""
    return Standing(0, 0, 0, equity, equity, worth, maintenance, maintenance, 0)


@some
@given(balance, value, balance, value)
def test_a_fill_that_reduces_risk_keeps_the_solvent_solvent_and_the_insolvent_from_sinking(
    equity: int, need: int, equity_after: int, need_after: int
) -> None:
    if not reduces_risk(at(equity, need), at(equity_after, need_after)):
        return
    assert need_after <= need
    assert equity_after >= min(equity, 0)
    if need > 0 and need_after > 0 and equity >= 0:
        assert Fraction(equity_after, need_after) >= Fraction(equity, need)


@some
@given(balance, value, st.integers(-1, 1), st.integers(0, 1))
def test_less_risk_is_decided_at_the_boundary(equity: int, need: int, more: int, grown_need: int) -> None:
    allowed = reduces_risk(at(equity, need), at(equity + more, need + grown_need))
    assert allowed == (grown_need == 0 and more >= 0)
    assert not reduces_risk(at(equity, need, -1), at(equity + 1, need, -1))


@some
@given(st.integers(-(2**40), 2**40), st.integers(1, 2**40), st.integers(0, SCALE))
def test_health_is_critical_strictly_below_the_ratio(equity: int, need: int, critical: int) -> None:
    assert is_critical(at(equity, need), critical) == (Fraction(equity, need) < Fraction(critical, SCALE))
    boundary = need * critical // SCALE
    assert is_critical(at(boundary, need), critical) == (boundary * SCALE < need * critical)


# ---------------------------------------------------------------------------------------------------------------
# liquidation


@some
@given(st.integers(1, NOTIONAL_MAX), value, balance, ratio, ratio)
def test_a_reward_is_at_most_the_penalty_and_that_at_most_its_part_of_what_the_account_is_worth(
    closed: int, other: int, worth: int, penalty_ratio: int, reward_ratio: int
) -> None:
    penalty = penalty_for(closed, penalty_ratio, worth, closed + other)
    reward = reward_from(closed, penalty, reward_ratio)
    assert 0 <= reward <= penalty
    assert penalty == min(
        floor(Fraction(closed * penalty_ratio, SCALE)), floor(Fraction(max(0, worth) * closed, closed + other))
    )
    assert reward == min(penalty, floor(Fraction(closed * reward_ratio, SCALE)))


@some
@given(st.lists(st.integers(1, NOTIONAL_MAX), min_size=1, max_size=6), value, balance, st.tuples(ratio, ratio))
def test_splitting_a_liquidation_neither_pays_nor_costs_more(
    pieces: list[int], rest: int, worth: int, ratios: tuple[int, int]
) -> None:
    reward_ratio, penalty_ratio = sorted(ratios)
    held = sum(pieces) + rest
    whole = penalty_for(sum(pieces), penalty_ratio, worth, held)
    reward = reward_from(sum(pieces), whole, reward_ratio)
    earned, left = 0, worth
    for piece in pieces:
        penalty = penalty_for(piece, penalty_ratio, left, held)
        earned += reward_from(piece, penalty, reward_ratio)
        left, held = left - penalty, held - piece
    assert worth - left <= whole
    assert earned <= reward
    assert left >= min(worth, 0)


@some
@given(value, amount, ratio, amount, amount, balance)
def test_an_insured_floor_stays_within_its_ratio_its_budget_and_the_fund(
    closed: int, reward: int, floor_ratio: int, budget: int, spent: int, fund: int
) -> None:
    rules = LiquidationParameters(LIQUIDATION.penalty, LIQUIDATION.reward, floor_ratio, budget, SCALE, 0, 0, 1, 0, 1)
    added = topped_up(closed, reward, rules, spent, fund)
    assert 0 <= added <= max(0, fund)
    assert added <= max(0, budget - spent)
    assert added == 0 or reward + added <= closed * floor_ratio // SCALE


@st.composite
def short_of_margin(draw: st.DrawFn) -> tuple[tuple[Tier, ...], int, int, int, int, int]:
    """Tiers, price, lots, equity below maintenance, penalty below the lowest maintenance, buffer."""
    tiers = draw(tables().filter(lambda found: found[0].maintenance > 1))
    at_price = draw(price)
    lots = draw(st.integers(1, min(SIZE_MAX, NOTIONAL_MAX // at_price)))
    need = tiered_requirement(lots * at_price, tiers)[1]
    shortfall = draw(st.integers(1, max(1, need // draw(st.sampled_from([1, 10, 1000])))))
    penalty = draw(st.integers(0, tiers[0].maintenance - 1) | st.just(tiers[0].maintenance // 4))
    return tiers, at_price, lots, need - shortfall, penalty, draw(ratio | st.just(0))


@some
@given(short_of_margin())
def test_closing_the_restoring_size_restores_maintenance_with_its_buffer(
    case: tuple[tuple[Tier, ...], int, int, int, int, int],
) -> None:
    tiers, at_price, lots, equity, penalty, buffer = case
    need = tiered_requirement(lots * at_price, tiers)[1]
    shortfall = shortfall_to_target(at(equity, need), buffer)
    assert shortfall == need + ceil(Fraction(need * buffer, SCALE)) - equity
    closing = restoring_size(shortfall, at_price, tiers[0].maintenance, penalty)
    assert closing >= 1
    if closing > lots:
        return
    equity_after = equity - floor(Fraction(closing * at_price * penalty, SCALE))
    need_after = tiered_requirement((lots - closing) * at_price, tiers)[1]
    assert equity_after >= need_after + ceil(Fraction(need_after * buffer, SCALE))


@some
@given(short_of_margin(), st.data())
def test_closing_never_widens_the_distance_to_maintenance(
    case: tuple[tuple[Tier, ...], int, int, int, int, int], data: st.DataObject
) -> None:
    tiers, at_price, lots, equity, penalty, _ = case
    closing = data.draw(st.integers(1, lots))
    gap = equity - tiered_requirement(lots * at_price, tiers)[1]
    after = equity - floor(Fraction(closing * at_price * penalty, SCALE))
    assert after - tiered_requirement((lots - closing) * at_price, tiers)[1] >= gap


# ---------------------------------------------------------------------------------------------------------------
# funding and waterfall

rates = st.integers(-SCALE, SCALE)
EMPTY = Funding(0, 0, 0, (), 0, 0, 0)


@some
@given(
    st.integers(1, DURATION_MAX),
    st.lists(st.tuples(rates, price, st.integers(0, DURATION_MAX)), min_size=1, max_size=6),
)
def test_accruals_carry_their_remainder_and_lose_nothing(period: int, accruals: list[tuple[int, int, int]]) -> None:
    funding, exact = EMPTY, 0
    for rate, index, elapsed in accruals:
        funding = accrued(funding, rate, index, elapsed, period)
        exact += rate * index * elapsed
        assert 0 <= funding.carry < SCALE * period
        if abs(funding.index) < INDEX_MAX:
            assert funding.index * SCALE * period + funding.carry == exact
        else:
            return


@some
@given(
    st.lists(st.integers(-(2**30), 2**30), min_size=1, max_size=5),
    st.lists(st.tuples(rates, price, st.sets(st.integers(0, 5))), min_size=1, max_size=6),
)
def test_funding_is_zero_sum_and_does_not_depend_on_who_settles_when(
    sizes: list[int], intervals: list[tuple[int, int, set[int]]]
) -> None:
    held = [Position(lots, 0, 0, 0) for lots in [*sizes, -sum(sizes)]]
    paid = [0] * len(held)
    funding = EMPTY

    def settle(place: int) -> None:
        paid[place] += funding_owed(held[place], funding.index)
        held[place] = Position(held[place].size, 0, funding.index, 0)

    for rate, index, settled in intervals:
        funding = accrued(funding, rate, index, 3600, 28_800)
        for place in sorted(settled & set(range(len(held)))):
            settle(place)
    for place in range(len(held)):
        settle(place)
    assert sum(paid) == 0
    assert paid == [lots * funding.index for lots in [*sizes, -sum(sizes)]]


@some
@given(
    st.lists(rates, max_size=8),
    st.sampled_from(list(Aggregation)),
    st.integers(1, 10),
    rates,
    st.sampled_from(list(InterestForm)),
    ratio,
    ratio,
)
def test_a_funding_rate_stays_within_its_cap(
    samples: list[int], how: Aggregation, least: int, interest: int, form: InterestForm, damper: int, cap: int
) -> None:
    rules = FundingParameters(1, 1, 1, 1, how, least, interest, form, damper, cap)
    premium = aggregated(tuple(samples), rules)
    assert min([*samples, 0]) <= premium <= max([*samples, 0])
    if how == Aggregation.MEAN:
        assert premium == trunc(Fraction(sum(samples), max(len(samples), least)))
    rate = funding_rate(premium, rules)
    assert -cap <= rate <= cap
    if form == InterestForm.CLAMPED and abs(premium) <= cap:
        assert abs(rate - premium) <= damper


@some
@given(
    amount,
    st.integers(0, SIZE_MAX),
    st.integers(-PRICE_MAX, PRICE_MAX),
    st.integers(0, INDEX_MAX) | st.integers(0, 99).map(lambda room: INDEX_MAX - room),
)
def test_a_haircut_takes_no_more_than_the_share_the_gain_and_the_range(
    share: int, lots: int, gain: int, index: int
) -> None:
    step = haircut_step(share, lots, gain, index)
    assert 0 <= step <= max(0, gain)
    assert step * lots <= share
    assert index + step <= INDEX_MAX
    assert lots > 0 or step == 0
    if lots > 0 and step < min(max(0, gain), INDEX_MAX - index):
        assert share - step * lots < lots  # as much as goes


@some
@given(size, st.integers(0, INDEX_MAX), st.integers(0, INDEX_MAX), st.integers(0, PRICE_MAX), st.integers(0, PRICE_MAX))
def test_a_haircut_owed_is_never_negative_and_of_its_own_side(
    lots: int, long: int, short: int, since_long: int, since_short: int
) -> None:
    funding = Funding(0, 0, 0, (), long + since_long, short + since_short, 0)
    owed = haircut_owed(Position(lots, 0, 0, long if lots >= 0 else short), funding)
    assert owed == abs(lots) * (since_long if lots >= 0 else since_short)


@some
@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62), value, balance)
def test_a_rank_score_fits_signed_128_bits_and_keeps_the_sign_of_the_profit(
    profit: int, cost: int, worth: int, equity: int
) -> None:
    score = rank_score(profit, cost, worth, equity)
    assert -(2**127) <= score < 2**127
    assert score >= 0 if profit >= 0 else score < 0
    assert score == rank_score(profit, -cost, worth, equity)


@some
@given(amount, st.lists(st.integers(1, NOTIONAL_MAX), min_size=1, max_size=8))
def test_parts_of_a_deficit_sum(deficit: int, weights: list[int]) -> None:
    parts = parts_by_market(deficit, [(f"M{place}", weight) for place, weight in enumerate(weights)])
    assert sum(part for _, part in parts) == deficit
    assert all(part >= 0 for _, part in parts)


@some
@given(st.integers(0, LOSS_MAX), st.integers(0, 2**100), st.integers(0, 63 * LOSS_MAX))
def test_what_cannot_be_collected_is_part_of_the_loss_and_of_the_deficit(loss: int, deficit: int, others: int) -> None:
    assume(loss + others > 0)
    missing = uncollectable(loss, deficit, loss + others)
    assert missing == min(loss, floor(Fraction(min(deficit, BALANCE_MAX) * loss, loss + others)))
    assert 0 <= missing <= deficit
    if others == 0:
        assert missing == min(loss, deficit)
    if loss:  # what is left of the deficit after the last of two losses is their rest
        rest = uncollectable(others, deficit - missing, others) if others else 0
        assert missing + rest == min(deficit, loss + others) or deficit > BALANCE_MAX


# ---------------------------------------------------------------------------------------------------------------
# oracle, collateral, envelope


@some
@given(price, st.integers(0, 2**40), ratio, st.integers(0, SCALE), st.integers(1, SIZE_MAX))
def test_a_stale_position_is_valued_against_itself(at_price: int, overdue: int, rate: int, cap: int, lots: int) -> None:
    long, short = (worst_price(at_price, overdue, rate, cap, side) for side in (lots, -lots))
    assert 0 <= long <= at_price <= short
    assert at_price - long == short - at_price == ceil(Fraction(at_price * min(cap, rate * overdue), SCALE))
    assert worst_price(at_price, overdue + 1, rate, cap, lots) <= long


@some
@given(price, price, st.integers(0, SCALE - 1), price)
def test_a_banded_price_is_the_nearest_allowed(candidate: int, anchor: int, band: int, top: int) -> None:
    assume(anchor <= top)
    found = banded(candidate, anchor, band, top)
    width = max(1, anchor * band // SCALE)
    assert 1 <= found <= top
    assert abs(found - anchor) <= width
    assert found == candidate or found in (1, top, anchor - width, anchor + width)
    assert abs(found - candidate) <= abs(anchor - candidate)  # never away from the candidate


@some
@given(price, st.integers(-(2**100), 2**100), st.integers(1, 2**16), st.integers(0, SCALE - 1), price)
def test_a_mark_stays_in_its_band_and_its_range(index: int, total: int, window: int, band: int, top: int) -> None:
    assume(index <= top)
    mark = mark_price(index, total, MarkParameters(window, band, 0, 0, 60), top)
    assert 1 <= mark <= top
    assert abs(mark - index) <= index * band // SCALE


@some
@given(st.integers(1, 100), st.integers(-(10**6), 10**6), st.integers(-1000, 1000))
def test_a_moving_average_arrives_and_never_passes_its_target(window: int, begin: int, distance: int) -> None:
    target, total = begin + distance, begin * window
    for _ in range(window * (abs(distance) + 2)):
        step = smoothed(total, target, window)
        if distance >= 0:
            assert total // window <= step // window <= target
        else:
            assert total // window >= step // window >= target
        if step == total:
            break
        total = step
    assert total // window == target


@some
@given(price, price, price, st.integers(0, SCALE - 1))
def test_a_basis_is_the_middle_of_the_book_less_the_index_within_its_band(
    one: int, other: int, index: int, band: int
) -> None:
    width = index * band // SCALE
    exact = floor(Fraction(one + other, 2)) - index
    assert basis_sample(min(one, other), max(one, other), index, band) == max(-width, min(width, exact))


@some
@given(price, st.integers(0, PRICE_MAX), st.integers(0, 1000), ratio, st.integers(1, 1000))
def test_a_post_counts_while_it_is_young_and_confident(
    posted: int, confidence: int, age: int, accepted: int, max_age: int
) -> None:
    feed = replace(FEED, confidence=accepted, max_age=max_age)
    sure = Fraction(confidence, posted) <= Fraction(accepted, SCALE)
    assert counts(Post(posted, confidence, 5), feed, 5 + age) == (age <= max_age and sure)
    assert counts(Post(posted, 0, 5), feed, 5 + max_age)
    assert not counts(Post(posted, 0, 5), feed, 6 + max_age)
    assert counts(Post(posted, posted * accepted // SCALE, 5), feed, 5)
    assert not counts(Post(posted, posted * accepted // SCALE + 1, 5), feed, 5)
    assert not counts(None, feed, 5)


@some
@given(price, price, price)
def test_a_premium_has_the_side_of_the_book_that_lies_beyond_the_index(one: int, other: int, index: int) -> None:
    bid, ask = min(one, other), max(one, other)
    premium = premium_sample(bid, ask, index)
    assert -SCALE <= premium <= SCALE
    if bid <= index <= ask:
        assert premium == 0
    elif bid > index:
        assert premium == min(SCALE, (bid - index) * SCALE // index)
    else:
        assert premium == -((index - ask) * SCALE // index)


@some
@given(amount, price, st.integers(1, AMOUNT_MAX), st.integers(0, SCALE - 1))
def test_a_conversion_is_paid_at_index_less_the_discount_rounded_up(
    sold: int, index: int, unit: int, discount: int
) -> None:
    terms = CollateralTerms("ETH", "ETH", unit, SCALE, discount, AMOUNT_MAX, 0)
    exact = Fraction(sold * index * (SCALE - discount), unit * SCALE)
    assert conversion_price(sold, index, terms) == ceil(exact)


@some
@given(st.integers(0, SCALE - 1), st.integers(0, 30))
def test_growth_is_rounded_up_and_shrinking_down(step: int, steps: int) -> None:
    assert Fraction(grown(step, steps), SCALE) >= min(Fraction(RATIO_MAX, SCALE), (1 + Fraction(step, SCALE)) ** steps)
    assert 0 <= Fraction(shrunk(step, steps), SCALE) <= (1 - Fraction(step, SCALE)) ** steps


@some
@given(amount, price, st.integers(1, AMOUNT_MAX))
def test_collateral_is_worth_its_price_rounded_down(held: int, index: int, unit: int) -> None:
    assert index_value(held, index, unit) == floor(Fraction(held * index, unit))


# ---------------------------------------------------------------------------------------------------------------
# envelope

one_step = st.integers(0, SCALE // 5)


@some
@given(one_step, st.integers(1, 6), one_step, one_step, ratio, st.integers(0, SCALE // 100))
def test_what_the_gap_inequalities_accept_holds_exactly(
    band: int, steps: int, basis: int, penalty: int, maintenance: int, cap: int
) -> None:
    feed = replace(FEED, band=band, step_interval=7)
    parameters = replace(
        MARKET,
        margin=replace(MARKET.margin, gap_steps=steps),
        mark=replace(MARK, band=basis),
        liquidation=replace(LIQUIDATION, penalty=penalty),
        funding=replace(MARKET.funding, cap=cap),
    )
    s, b, p, m = (Fraction(part, SCALE) for part in (band, basis, penalty, maintenance))
    rules = parameters.funding
    f = Fraction(cap * (rules.max_gap + (steps + 1) * 7), SCALE * rules.period)
    exact = {
        "gap-up": ((1 + s) ** (steps + 1) * ((1 + p) * (1 + b) + f), (1 + m) * (1 - b) * (1 - s)),
        "gap-down": (((1 - m) * (1 + b) + f) * (1 + s), (1 - s) ** (steps + 1) * (1 - p) * (1 - b)),
    }
    broken = {violation.inequality: violation for violation in gap_violations(parameters, feed, maintenance)}
    for name, (left, right) in exact.items():
        if name not in broken:
            assert left <= right
        else:
            found = broken[name]
            # Left sides are rounded up and right sides down, by a few parts in 10**9 for each step.
            tolerance = Fraction(10 * (steps + 6), SCALE)
            assert min(left, Fraction(RATIO_MAX, SCALE)) <= Fraction(found.left, SCALE)
            assert Fraction(found.left, SCALE) <= left + tolerance
            assert right - tolerance <= Fraction(found.right, SCALE) <= right


@some
@given(one_step, st.integers(1, 6), st.integers(1, 100), st.integers(1, 100), ratio, ratio)
def test_what_the_haircut_inequality_accepts_holds_exactly(
    band: int, steps: int, interval: int, own_interval: int, haircut: int, discount: int
) -> None:
    assume(discount < SCALE)
    terms = replace(ETH, haircut=haircut, discount=discount)
    feed = replace(FEED, band=band, step_interval=own_interval)
    own = ceil(Fraction((steps + 1) * interval, own_interval)) + 1
    fallen = (1 - Fraction(band, SCALE)) ** own * (1 - Fraction(discount, SCALE))
    least = (1 - Fraction(haircut, SCALE)) * (1 + Fraction(band, SCALE))
    found = haircut_violations(terms, feed, steps, interval)
    if not found:
        assert least <= fallen
    else:
        assert least <= Fraction(found[0].left, SCALE) <= least + Fraction(2, SCALE)
        assert fallen - Fraction(own + 2, SCALE) <= Fraction(found[0].right, SCALE) <= fallen


@some
@given(st.integers(0, SCALE // 50), st.integers(0, SCALE // 50), st.integers(1, 40), st.integers(1, 9), ratio)
def test_what_the_variation_inequality_accepts_holds_exactly(
    band: int, basis: int, variation: int, interval: int, initial: int
) -> None:
    assume(initial > 0)
    feed = replace(FEED, band=band, step_interval=interval)
    mark = replace(MARK, band=basis, variation_interval=variation)
    margin = replace(MARKET.margin, tiers=(Tier(NOTIONAL_MAX, initial, 1),))
    found = list(gains_haircut_violations(replace(MARKET, mark=mark, margin=margin), feed))
    s, b, i = (Fraction(part, SCALE) for part in (band, basis, initial))
    steps = ceil(Fraction(variation, interval)) + 2
    moved, covered = (1 + s) * (1 + b), (1 - s) ** steps * (1 - b) * (1 + i)
    if not found:
        assert moved <= covered
    else:
        assert moved <= Fraction(found[0].left, SCALE) <= moved + Fraction(2, SCALE)
        assert covered - Fraction(2 * steps + 6, SCALE) <= Fraction(found[0].right, SCALE) <= covered


def changed(**sections: Any) -> MarketListing:
    """The sandbox's listing with changed fields in sections of its parameters."""
    parameters = {name: replace(getattr(MARKET, name), **fields) for name, fields in sections.items()}
    return replace(LISTING, parameters=replace(MARKET, **parameters))


def tier(upper: int, initial: int, maintenance: int) -> Tier:
    """A tier with ratios in percent."""
    return Tier(upper, initial * PERCENT, maintenance * PERCENT)


BOUNDARIES: dict[str, tuple[MarketListing, MarketListing]] = {
    "tiers-ascend": (
        changed(margin={"tiers": (tier(0, 10, 5), tier(1, 10, 5), tier(NOTIONAL_MAX, 10, 5))}),
        changed(margin={"tiers": (tier(1, 10, 5), tier(1, 10, 5), tier(NOTIONAL_MAX, 10, 5))}),
    ),
    "initial-never-falls": (
        changed(margin={"tiers": (tier(9, 11, 5), tier(NOTIONAL_MAX, 11, 5))}),
        changed(margin={"tiers": (tier(9, 11, 5), tier(NOTIONAL_MAX, 10, 5))}),
    ),
    "maintenance-never-falls": (
        changed(margin={"tiers": (tier(9, 10, 6), tier(NOTIONAL_MAX, 10, 6))}),
        changed(margin={"tiers": (tier(9, 10, 6), tier(NOTIONAL_MAX, 10, 5))}),
    ),
    "maintenance-at-most-initial": (
        changed(margin={"tiers": (tier(NOTIONAL_MAX, 10, 10),)}),
        changed(margin={"tiers": (tier(NOTIONAL_MAX, 10, 11),)}),
    ),
    "tiers-reach-the-top": (
        changed(margin={"tiers": (tier(NOTIONAL_MAX, 10, 5),)}),
        changed(margin={"tiers": (tier(NOTIONAL_MAX - 1, 10, 5),)}),
    ),
    # 2**56 / 10**9 = 72057594.03 lots at the highest price of the feed.
    "position-notional-bounded": (
        changed(trading={"max_position": 72_057_594}),
        changed(trading={"max_position": 72_057_595}),
    ),
    "open-interest-bounded": (
        changed(trading={"max_open_interest": 72_057_594}),
        changed(trading={"max_open_interest": 72_057_595}),
    ),
    "rebate-covered": (
        changed(trading={"taker_fee": 5, "maker_fee": -5}),
        changed(trading={"taker_fee": 5, "maker_fee": -6}),
    ),
    "taker-fee-at-most-maintenance": (
        changed(trading={"taker_fee": 5 * PERCENT}),
        changed(trading={"taker_fee": 5 * PERCENT + 1}),
    ),
    "maker-fee-at-most-maintenance": (
        changed(trading={"maker_fee": 5 * PERCENT}),
        changed(trading={"maker_fee": 5 * PERCENT + 1}),
    ),
    "reward-at-most-penalty": (
        changed(liquidation={"reward": PERCENT}),
        changed(liquidation={"reward": PERCENT + 1}),
    ),
    "reward-floor-at-most-penalty": (
        changed(liquidation={"reward_floor": PERCENT}),
        changed(liquidation={"reward_floor": PERCENT + 1}),
    ),
    "open-interest-scale-ordered": (
        changed(margin={"open_interest_lower": 8, "open_interest_upper": 9}),
        changed(margin={"open_interest_lower": 9, "open_interest_upper": 9}),
    ),
    "funding-interval-within-gap": (
        changed(funding={"interval": 3600}),
        changed(funding={"interval": 3601}),
    ),
    # 512 samples, one every 7 seconds, last 3584 seconds; one every 8 seconds 4096.
    "samples-fit": (changed(funding={"sample_interval": 8}), changed(funding={"sample_interval": 7})),
    # 1.01 <= 1.1 x 0.99 ** 8 = 1.0150 with 6 + 1 steps and one more; 1.1 x 0.99 ** 9 = 1.0049.
    "haircut-within-initial": (
        changed(mark={"variation_interval": 6}),
        changed(mark={"variation_interval": 7}),
    ),
}


@pytest.mark.parametrize("inequality", BOUNDARIES)
def test_an_inequality_holds_at_equality_and_fails_one_beyond(inequality: str) -> None:
    inside, outside = BOUNDARIES[inequality]
    lowest = inside.parameters.margin.tiers[0].maintenance
    assert market_violations(inside, FEED, lowest) == []
    found = market_violations(outside, FEED, outside.parameters.margin.tiers[0].maintenance)
    assert [violation.inequality for violation in found][:1] == [inequality]
    assert found[0].left > found[0].right


def test_a_penalty_is_strictly_below_the_lowest_maintenance_in_force() -> None:
    names = [violation.inequality for violation in market_violations(LISTING, FEED, PERCENT)]
    assert "penalty-below-maintenance" in names
    assert "penalty-below-maintenance" not in [
        violation.inequality for violation in market_violations(LISTING, FEED, PERCENT + 1)
    ]


@pytest.mark.parametrize(("time", "expiry", "fails"), [(400, 1000, False), (401, 1000, True), (0, 600, False)])
def test_a_future_is_listed_before_its_settlement_window(time: int, expiry: int, fails: bool) -> None:
    listing = replace(LISTING, kind=MarketKind.FUTURE, expiry=expiry)
    assert bool(expiry_violations(listing, time)) == fails
    assert [found.inequality for found in expiry_violations(replace(listing, kind=MarketKind.PERPETUAL), 0)] == [
        "expiry-only-of-futures"
    ]
    assert expiry_violations(LISTING, time) == []


@pytest.mark.parametrize(
    ("feed", "inequality"),
    [
        (replace(FEED, sources=("s1", "s2", "s3"), quorum=2, faulty=1), "quorum-outvotes-faulty"),
        (replace(FEED, quorum=2), "quorum-reachable"),
        (replace(FEED, sources=("s1", "s1"), quorum=1), "sources-distinct"),
    ],
)
def test_a_feed_outside_the_envelope(feed: FeedParameters, inequality: str) -> None:
    assert [violation.inequality for violation in feed_violations(feed)] == [inequality]
    assert feed_violations(replace(FEED, sources=("s1", "s2", "s3"), quorum=3, faulty=1)) == []
