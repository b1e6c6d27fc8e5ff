"""Properties of kernels as PEP 316 contracts, each the same as a theorem of the catalogue, in the same ranges.

CrossHair reads them from the docstrings. ``THEOREMS`` says which theorem each is.
"""

from __future__ import annotations

from clearspec.funding import accrued
from clearspec.liquidation import penalty_for, restoring_size
from clearspec.margin import Standing, open_interest_weight, reduces_risk, tiered_requirement
from clearspec.numerics import cumulative_share, div_ceil, div_floor, div_to_zero, median, mul_ceil, mul_floor
from clearspec.oracle import banded, premium_sample
from clearspec.parameters import Tier
from clearspec.state import Funding, Position
from clearspec.trading import filled, reduces, within_band
from clearspec.waterfall import haircut_step, rank_score

THEOREMS = {
    "ceil_is_the_smallest": "numerics.ceil-is-the-smallest",
    "floor_and_ceil_enclose": "numerics.floor-and-ceil-enclose",
    "products_are_monotone": "numerics.products-with-a-ratio-are-monotone",
    "shares_are_within": "numerics.shares-are-within-the-amount",
    "filled_keeps_cost_within_size": "trading.filled-keeps-cost-within-size",
    "reduces_means_closer_to_zero": "trading.reduces-means-closer-to-zero",
    "band_is_exact": "trading.band-is-exact",
    "weight_is_a_ratio": "margin.the-open-interest-weight-is-a-ratio",
    "accrual_loses_nothing": "funding.an-accrual-loses-nothing",
    "banded_stays_within": "oracle.banded-stays-within-one-band",
    "restoring_size_suffices": "liquidation.restoring-size-suffices",
    "penalty_is_bounded": "liquidation.penalty-bounded",
    "haircut_step_within_gain": "waterfall.haircut-step-within-gain",
    "premium_is_within_one": "oracle.a-premium-is-a-ratio-within-one",
    "splitting_takes_no_more": "liquidation.splitting-takes-no-more",
    "rank_rises_with_profit": "waterfall.rank-rises-with-profit",
    "less_risk_adds_up": "margin.less-risk-adds-up",
    "three_tiers_are_monotone": "margin.tiered-requirements-are-monotone",
    "median_of_five": "numerics.median-of-five",
}


def ceil_is_the_smallest(numerator: int, divisor: int, below: int) -> int:
    """A quotient rounded up.

    pre: divisor >= 1 and below >= 1
    post: _ * divisor >= numerator
    post: (_ - 1) * divisor < numerator
    post: (_ - below) * divisor < numerator
    """
    return div_ceil(numerator, divisor)


def floor_and_ceil_enclose(numerator: int, divisor: int) -> tuple[int, int, int]:
    """The three directions of one division.

    pre: divisor >= 1
    post: _[0] <= _[1] <= _[0] + 1
    post: _[0] <= _[2] <= _[1]
    post: _[1] == _[0] or _[0] * divisor < numerator < _[1] * divisor
    """
    return div_floor(numerator, divisor), div_ceil(numerator, divisor), div_to_zero(numerator, divisor)


def products_are_monotone(amount: int, more: int, ratio: int) -> tuple[int, int, int, int]:
    """More is never worth less.

    pre: more >= 0 and ratio >= 0
    post: _[0] <= _[1] and _[2] <= _[3]
    """
    low, high = amount, amount + more
    return mul_floor(low, ratio), mul_floor(high, ratio), mul_ceil(low, ratio), mul_ceil(high, ratio)


def shares_are_within(amount: int, before: int, weight: int, total: int) -> int:
    """One share of an amount.

    pre: amount >= 0 and before >= 0 and weight >= 0 and total >= 1 and before + weight <= total
    post: 0 <= _ <= amount
    post: amount > total or _ <= weight
    """
    return cumulative_share(amount, before, before + weight, total)


def filled_keeps_cost_within_size(size: int, cost: int, delta: int, price: int) -> tuple[int, int]:
    """The position after a fill.

    pre: -2**40 <= size <= 2**40 and -2**40 <= delta <= 2**40 and 1 <= price <= 2**36
    pre: 0 <= cost <= size * 2**36 if size >= 0 else size * 2**36 <= cost <= 0
    post: 0 <= _[1] <= _[0] * 2**36 if _[0] >= 0 else _[0] * 2**36 <= _[1] <= 0
    """
    after, _ = filled(Position(size, cost, 0, 0), delta, price)
    return after.size, after.cost


def reduces_means_closer_to_zero(before: int, after: int) -> bool:
    """Whether a fill reduces.

    pre: -2**40 <= before <= 2**40 and -2**40 <= after <= 2**40
    post: not _ or (abs(after) <= abs(before) and before * after >= 0 and max(0, after) <= max(0, before))
    post: _ or before * after < 0 or abs(after) >= abs(before) + 1
    """
    return reduces(before, after)


def band_is_exact(price: int, mark: int, band: int) -> bool:
    """Whether a price lies within a band.

    pre: 1 <= price <= 2**36 and 0 <= mark <= 2**36 and 0 <= band < 10**9
    post: (abs(price - mark) * 10**9 <= mark * band) == _
    """
    return within_band(price, mark, band)


def weight_is_a_ratio(interest: int, more: int, lower: int, width: int) -> tuple[int, int]:
    """The weight of open interest, and of more of it.

    pre: 0 <= interest <= 2**56 and 0 <= more <= 2**56 and 0 <= lower <= 2**60 and 0 <= width <= 2**60
    post: 0 <= _[0] <= 10**9 and _[0] <= _[1]
    post: _[0] == 0 if width == 0 or interest <= lower else True
    post: _[0] == 10**9 if width > 0 and interest >= lower + width else True
    post: not (width > 0 and lower < interest < lower + width) or 0 <= _[0] * width - (interest - lower) * 10**9 < width
    """
    upper = lower + width if width else 0
    return open_interest_weight(interest, lower, upper), open_interest_weight(interest + more, lower, upper)


def accrual_loses_nothing(index: int, carry: int, rate: int, price: int, elapsed: int, period: int) -> tuple[int, int]:
    """Funding index and carry after an accrual.

    pre: -2**60 <= index <= 2**60 and carry >= 0 and 1 <= period <= 2**32
    pre: -10**9 <= rate <= 10**9 and 1 <= price <= 2**36 and 0 <= elapsed <= 2**32
    post: abs(_[0]) == 2**60 or (_[0] - index) * 10**9 * period + _[1] - carry == rate * price * elapsed
    """
    after = accrued(Funding(index, carry, 0, (), 0, 0, 0), rate, price, elapsed, period)
    return after.index, after.carry


def banded_stays_within(candidate: int, anchor: int, band: int, cap: int) -> int:
    """A candidate moved into the band around an anchor.

    pre: 1 <= anchor <= cap <= 2**36 and 0 <= band < 10**9
    post: 1 <= _ <= cap
    post: abs(_ - anchor) <= 1 or abs(_ - anchor) * 10**9 <= anchor * band
    """
    return banded(candidate, anchor, band, cap)


def restoring_size_suffices(shortfall: int, price: int, penalty: int, edge: int) -> int:
    """Lots whose closing makes good a shortfall.

    pre: shortfall >= 1 and 1 <= price <= 2**36 and 0 <= penalty < 10**9 and 1 <= edge <= 10**9
    post: _ >= 1
    post: _ * price * edge >= (shortfall + 2) * 10**9
    """
    return restoring_size(shortfall, price, penalty + edge, penalty)


def penalty_is_bounded(closed: int, other: int, ratio: int, worth: int) -> int:
    """The penalty on a closed notional.

    pre: 0 <= closed <= 2**62 and 0 <= other <= 2**62 and closed + other >= 1 and 0 <= ratio < 10**9
    post: 0 <= _ and _ * 10**9 <= closed * ratio
    post: _ * (closed + other) <= max(0, worth) * closed and _ <= max(0, worth)
    """
    return penalty_for(closed, ratio, worth, closed + other)


def haircut_step_within_gain(share: int, lots: int, gain: int, index: int) -> int:
    """What each winning lot gives up.

    pre: share >= 0 and 0 <= lots <= 2**40 and 0 <= index <= 2**60
    post: 0 <= _ <= max(0, gain) and index + _ <= 2**60 and _ * lots <= share
    post: lots == 0 or share - _ * lots < lots or _ == max(0, gain) or index + _ == 2**60
    """
    return haircut_step(share, lots, gain, index)


def premium_is_within_one(bid: int, width: int, index: int) -> int:
    """The premium of a book.

    pre: 1 <= bid <= 2**36 and 0 <= width <= 2**36 and 1 <= index <= 2**36
    post: -10**9 <= _ <= 10**9
    post: not bid > index or 0 <= _ * index <= (bid - index) * 10**9
    post: not bid > index or _ == 10**9 or (_ + 1) * index > (bid - index) * 10**9
    post: not bid + width < index or 0 <= -_ * index <= (index - bid - width) * 10**9
    post: not bid <= index <= bid + width or _ == 0
    """
    return premium_sample(bid, bid + width, index)


def splitting_takes_no_more(one: int, other: int, rest: int, ratio: int, worth: int) -> tuple[int, int]:
    """The penalties of two pieces, and of both together; the worth is lowered by what the first piece took.

    pre: 0 <= one <= 2**56 and 0 <= other <= 2**56 and 0 <= rest <= 2**56 and one + other + rest >= 1
    pre: 0 <= ratio < 10**9 and 0 <= worth <= 2**64 and other + rest >= 1
    post: _[0] <= _[1]
    """
    first = penalty_for(one, ratio, worth, one + other + rest)
    second = penalty_for(other, ratio, worth - first, other + rest)
    return first + second, penalty_for(one + other, ratio, worth, one + other + rest)


def rank_rises_with_profit(profit: int, apart: int, cost: int, value: int, equity: int) -> tuple[int, int]:
    """The ranks of two profits of one sign.

    pre: profit > 0 and apart >= 0 and cost != 0 and value >= 0
    post: _[0] <= _[1]
    """
    return rank_score(profit, cost, value, equity), rank_score(profit + apart, cost, value, equity)


def less_risk_adds_up(
    first: tuple[int, int, int], second: tuple[int, int, int], third: tuple[int, int, int]
) -> tuple[bool, bool, bool]:
    """Margin equity, net liquidation value and maintenance at three times.

    pre: all(0 <= part[2] <= 2**62 for part in (first, second, third))
    post: _[2] or not (_[0] and _[1])
    """
    one, two, three = (Standing(0, 0, 0, part[0], 0, part[1], 0, part[2], 0) for part in (first, second, third))
    return reduces_risk(one, two), reduces_risk(two, three), reduces_risk(one, three)


def three_tiers_are_monotone(value: int, more: int, widths: tuple[int, int, int], ratios: tuple[int, int, int]) -> bool:
    """Whether both requirements rise with the notional, of a table of three tiers; the theorem has up to eight.

    pre: 0 <= value <= 2**56 and 0 <= more <= 2**56 and all(1 <= width <= 2**50 for width in widths)
    pre: 1 <= ratios[0] <= ratios[1] <= ratios[2] <= 10**9
    post: _
    """
    uppers = (widths[0], widths[0] + widths[1], widths[0] + widths[1] + widths[2])
    tiers = tuple(Tier(upper, ratio, ratio) for upper, ratio in zip(uppers, ratios, strict=True))
    low, high = tiered_requirement(value, tiers), tiered_requirement(value + more, tiers)
    return low[0] <= high[0] and low[1] <= high[1]


def median_of_five(values: tuple[int, int, int, int, int]) -> int:
    """The middle of five values.

    post: sum(value <= _ for value in values) >= 3 and sum(value >= _ for value in values) >= 3
    """
    return median(values)


def nothing_satisfies_this(amount: int) -> int:
    """A precondition that contradicts itself: whatever is claimed of it says nothing.

    pre: amount > 0 and amount < 0
    post: _ == amount + 1
    """
    return amount


def starts(amount: int) -> int:
    """Nothing to show: what a run of CrossHair costs before it looks at anything.

    post: True
    """
    return amount
