"""Kernels of the reference as plain functions of integers, with the ranges that the spec gives their arguments.

Whoever writes one of them writes a function of the same integers in the same order; records are taken apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin

from clearspec import (
    collateral,
    funding,
    liquidation,
    margin,
    numerics,
    oracle,
    parameters,
    settlement,
    trading,
    waterfall,
)
from clearspec.fields import (
    Amount,
    AmountOrZero,
    Balance,
    Bounds,
    Duration,
    DurationOrZero,
    Index,
    Multiple,
    Notional,
    PositiveCount,
    PositiveRatio,
    Price,
    PriceOrZero,
    ProperRatio,
    Ratio,
    SignedPrice,
    SignedRatio,
    SignedSize,
    Size,
    SizeOrZero,
    Wide,
    WideRatio,
)
from clearspec.numerics import SCALE
from clearspec.parameters import (
    CollateralTerms,
    FundingParameters,
    InterestForm,
    LiquidationParameters,
    MarginParameters,
    MarkParameters,
)
from clearspec.state import Funding, Position

Requirement = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel: the rule that it implements, its arguments with their types, what they fulfil, how it is called.

    ``requires`` is a condition on the arguments beyond their ranges, and ``relation`` the same for people.
    """

    name: str
    rule: str
    arguments: dict[str, Any]
    function: Callable[..., Any]
    requires: Requirement = lambda *_: True
    relation: str = ""

    def bounds(self, argument: str) -> Bounds | None:
        """Smallest and largest value of an argument; ``None`` for a choice."""
        hint = self.arguments[argument]
        if get_origin(hint) is None:
            return None
        return next(note for note in get_args(hint)[1:] if isinstance(note, Bounds))

    def options(self, argument: str) -> tuple[str, ...]:
        """Values of a choice, as text."""
        kind: type[Enum] = self.arguments[argument]
        return tuple(member.value for member in kind)


def _record(kind: Callable[..., Any], names: str, **given: Any) -> Any:
    """A record with values for some fields and nothing in the others."""
    return kind(**{**dict.fromkeys(names.split()), **given})


MARGIN_FIELDS = "tiers open_interest_lower open_interest_upper size_slope size_unit multiplier ramp gap_steps"
MARK_FIELDS = "window band stale_rate stale_cap variation_interval"
FUNDING_FIELDS = "interval period max_gap sample_interval aggregation min_samples interest interest_form damper cap"
LIQUIDATION_FIELDS = (
    "penalty reward reward_floor reward_budget close_factor critical_health buffer minimum insurance_cap "
    "budget_interval"
)
COLLATERAL_FIELDS = "asset feed unit haircut discount cap stale_rate"


def scaled_initial(value: int, tiered: int, size: int, open_interest: int, **margin_parameters: int) -> int:
    """``margin.scaled_initial`` with its parameters one by one."""
    record = _record(MarginParameters, MARGIN_FIELDS, **margin_parameters)
    return margin.scaled_initial(value, tiered, size, open_interest, record)


def mark_price(index: int, basis_sum: int, window: int, band: int, max_price: int) -> int:
    """``oracle.mark_price`` with its parameters one by one."""
    return oracle.mark_price(
        index, basis_sum, _record(MarkParameters, MARK_FIELDS, window=window, band=band), max_price
    )


def filled(size: int, cost: int, delta: int, price: int) -> tuple[int, int, int]:
    """``trading.filled`` as size, cost and result."""
    after, realised = trading.filled(Position(size, cost, 0, 0), delta, price)
    return after.size, after.cost, realised


def funding_rate(premium: int, interest: int, interest_form: str, damper: int, cap: int) -> int:
    """``funding.funding_rate`` with its parameters one by one."""
    given = {"interest": interest, "interest_form": interest_form, "damper": damper, "cap": cap}
    return funding.funding_rate(premium, _record(FundingParameters, FUNDING_FIELDS, **given))


def accrued(index: int, carry: int, rate: int, index_price: int, elapsed: int, period: int) -> tuple[int, int]:
    """``funding.accrued`` as index and carry."""
    after = funding.accrued(Funding(index, carry, 0, (), 0, 0, 0), rate, index_price, elapsed, period)
    return after.index, after.carry


def conversion_price(amount: int, price: int, unit: int, discount: int) -> int:
    """``collateral.conversion_price`` with its terms one by one."""
    terms = _record(CollateralTerms, COLLATERAL_FIELDS, unit=unit, discount=discount)
    return collateral.conversion_price(amount, price, terms)


def topped_up(value: int, reward: int, reward_floor: int, reward_budget: int, spent: int, fund: int) -> int:
    """``liquidation.topped_up`` with its rules one by one."""
    rules = _record(LiquidationParameters, LIQUIDATION_FIELDS, reward_floor=reward_floor, reward_budget=reward_budget)
    return liquidation.topped_up(value, reward, rules, spent, fund)


def median_of_three(first: int, second: int, third: int) -> int:
    """``numerics.median`` of three values."""
    return numerics.median((first, second, third))


def _all() -> list[Kernel]:
    """Every kernel, in the order of the chapters."""
    return [
        Kernel("div_floor", "NUM-2", {"numerator": Wide, "divisor": Amount}, numerics.div_floor),
        Kernel("div_ceil", "NUM-2", {"numerator": Wide, "divisor": Amount}, numerics.div_ceil),
        Kernel("div_to_zero", "NUM-2", {"numerator": Wide, "divisor": Amount}, numerics.div_to_zero),
        Kernel("mul_floor", "NUM-3", {"amount": Balance, "ratio": WideRatio}, numerics.mul_floor),
        Kernel("mul_ceil", "NUM-3", {"amount": Balance, "ratio": WideRatio}, numerics.mul_ceil),
        Kernel(
            "divide_carry", "NUM-4", {"numerator": Wide, "carry": AmountOrZero, "divisor": Amount},
            numerics.divide_carry, lambda _, carry, divisor: carry < divisor, "carry < divisor",
        ),
        Kernel(
            "cumulative_share", "NUM-5",
            {"amount": AmountOrZero, "weight_before": AmountOrZero, "weight_after": AmountOrZero,
             "weight_total": Amount},
            numerics.cumulative_share, lambda _, before, after, total: before <= after <= total,
            "weight_before <= weight_after <= weight_total",
        ),
        Kernel(
            "clamp", "NUM-6", {"value": Wide, "low": Wide, "high": Wide}, numerics.clamp,
            lambda _, low, high: low <= high, "low <= high",
        ),
        Kernel("median_of_three", "NUM-7", {"first": Wide, "second": Wide, "third": Wide}, median_of_three),
        Kernel("notional", "NUM-8", {"size": SignedSize, "price": Price}, numerics.notional),
        Kernel("bounded", "NUM-9", {"equity": Wide}, margin.bounded),
        Kernel(
            "conversion_price", "COLL-8",
            {"amount": AmountOrZero, "price": Price, "unit": Amount, "discount": ProperRatio}, conversion_price,
        ),
        Kernel(
            "banded", "ORCL-3", {"candidate": Price, "anchor": Price, "band": ProperRatio, "max_price": Price},
            oracle.banded, lambda _candidate, anchor, _band, max_price: anchor <= max_price, "anchor <= max_price",
        ),
        Kernel(
            "mark_price", "ORCL-5",
            {"index": Price, "basis_sum": Wide, "window": PositiveCount, "band": ProperRatio, "max_price": Price},
            mark_price,
        ),
        Kernel("smoothed", "ORCL-6", {"basis_sum": Wide, "sample": SignedPrice, "window": PositiveCount},
               oracle.smoothed),
        Kernel(
            "basis_sample", "ORCL-6", {"bid": Price, "ask": Price, "index": Price, "band": ProperRatio},
            oracle.basis_sample, lambda bid, ask, _index, _band: bid <= ask, "bid <= ask",
        ),
        Kernel(
            "premium_sample", "ORCL-7", {"bid": Price, "ask": Price, "index": Price}, oracle.premium_sample,
            lambda bid, ask, _: bid <= ask, "bid <= ask",
        ),
        Kernel(
            "worst_price", "ORCL-9",
            {"price": PriceOrZero, "overdue": DurationOrZero, "rate": Ratio, "cap": Ratio, "size": SignedSize},
            oracle.worst_price,
        ),
        Kernel(
            "ramped", "PARM-13",
            {"before": Notional, "after": Notional, "elapsed": DurationOrZero, "duration": Duration},
            parameters.ramped, lambda _before, _after, elapsed, duration: elapsed <= duration, "elapsed <= duration",
        ),
        Kernel(
            "open_interest_weight", "MARG-2", {"value": Notional, "lower": AmountOrZero, "upper": AmountOrZero},
            margin.open_interest_weight, lambda _, lower, upper: upper == 0 or lower < upper,
            "upper = 0 or lower < upper",
        ),
        Kernel("size_ratio", "MARG-3", {"size": SizeOrZero, "slope": Ratio, "unit": Size}, margin.size_ratio),
        Kernel(
            "scaled_initial", "MARG-4",
            {"value": Notional, "tiered": Notional, "size": SizeOrZero, "open_interest": Notional,
             "multiplier": Multiple, "size_slope": Ratio, "size_unit": Size, "open_interest_lower": AmountOrZero,
             "open_interest_upper": AmountOrZero},
            lambda value, tiered, size, interest, multiplier, slope, unit, lower, upper: scaled_initial(
                value, tiered, size, interest, multiplier=multiplier, size_slope=slope, size_unit=unit,
                open_interest_lower=lower, open_interest_upper=upper),
            lambda *given: given[8] == 0 or given[7] < given[8],
            "open_interest_upper = 0 or open_interest_lower < open_interest_upper",
        ),
        Kernel("index_value", "MARG-7", {"amount": AmountOrZero, "price": PriceOrZero, "unit": Amount},
               margin.index_value),
        Kernel("counted_profit", "MARG-8", {"unrealised": Wide, "weight": Ratio, "cap": AmountOrZero},
               margin.counted_profit),
        Kernel(
            "filled", "TRADE-1", {"size": SignedSize, "cost": Wide, "delta": SignedSize, "price": Price}, filled,
        ),
        Kernel("reduces", "TRADE-4", {"before": SignedSize, "after": SignedSize}, trading.reduces),
        Kernel("within_band", "TRADE-5", {"price": Price, "mark": Price, "band": ProperRatio}, trading.within_band),
        Kernel("no_worse_than_mark", "TRADE-10", {"delta": SignedSize, "price": Price, "mark": Price},
               trading.no_worse_than_mark),
        Kernel(
            "funding_rate", "FUND-3",
            {"premium": WideRatio, "interest": SignedRatio, "interest_form": InterestForm, "damper": Ratio,
             "cap": Ratio},
            funding_rate,
        ),
        Kernel(
            "accrued", "FUND-4",
            {"index": Index, "carry": AmountOrZero, "rate": SignedRatio, "index_price": Price, "elapsed": Duration,
             "period": Duration},
            accrued, lambda *given: given[1] < SCALE * given[5], "carry < 10^9 x period",
        ),
        Kernel(
            "restoring_size", "LIQ-2",
            {"shortfall": AmountOrZero, "price": Price, "maintenance": PositiveRatio, "penalty": ProperRatio},
            liquidation.restoring_size, lambda _shortfall, _price, maintenance, penalty: penalty < maintenance,
            "penalty < maintenance",
        ),
        Kernel(
            "penalty_for", "LIQ-4",
            {"value": Notional, "ratio": Ratio, "net_liquidation_value": Wide, "notional_held": Amount},
            liquidation.penalty_for,
        ),
        Kernel("reward_from", "LIQ-5", {"value": Notional, "penalty": Notional, "ratio": Ratio},
               liquidation.reward_from),
        Kernel(
            "topped_up", "LIQ-6",
            {"value": Notional, "reward": Notional, "reward_floor": Ratio, "reward_budget": AmountOrZero,
             "spent": AmountOrZero, "fund": Balance},
            topped_up,
        ),
        Kernel(
            "rank_score", "FALL-6", {"profit": Wide, "cost": Wide, "value": Notional, "equity": Balance},
            waterfall.rank_score,
        ),
        Kernel(
            "haircut_step", "FALL-9", {"share": AmountOrZero, "lots": SizeOrZero, "gain": SignedPrice, "index": Index},
            waterfall.haircut_step,
        ),
        Kernel(
            "uncollectable", "SETTLE-5", {"loss": AmountOrZero, "deficit": Wide, "losses": Wide},
            settlement.uncollectable, lambda _loss, deficit, _losses: deficit >= 0, "deficit >= 0",
        ),
    ]  # fmt: skip


KERNELS: dict[str, Kernel] = {kernel.name: kernel for kernel in _all()}
