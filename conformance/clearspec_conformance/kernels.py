"""Kernels that an engine may offer as pure calls: their arguments, results, and the functions of the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, make_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Union

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
from clearspec.codec import TAGS
from clearspec.fields import (
    Amount,
    AmountOrZero,
    Balance,
    Count,
    Duration,
    Index,
    Length,
    Multiple,
    Notional,
    PositiveCount,
    Price,
    ProperRatio,
    Ratio,
    SampleCount,
    SignedPrice,
    SignedRatio,
    SignedSize,
    Size,
    SizeOrZero,
    Wide,
    WideRatio,
)
from clearspec.numerics import SAMPLES_MAX, TIERS_MAX
from clearspec.parameters import Aggregation, FundingParameters, InterestForm, Tier
from clearspec.sandbox import ETH, FUNDING, LIQUIDATION, MARGIN, MARK
from clearspec.state import Funding, Position

Tiers = Annotated[tuple[Tier, ...], Length(TIERS_MAX)]
Values = Annotated[tuple[Wide, ...], Length(SAMPLES_MAX)]
Samples = Annotated[tuple[WideRatio, ...], Length(SAMPLES_MAX)]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A pure function: the rule that it stands in, its record of arguments, the names of its results."""

    name: str
    rule: str
    arguments: type
    results: tuple[str, ...]
    function: Callable[..., Any]


KERNELS: dict[str, Kernel] = {}


def _kernel(name: str, rule: str, results: str, function: Callable[..., Any], **arguments: Any) -> None:
    """Register a kernel; its arguments are a record with one field each, in order."""
    title = "".join(part.capitalize() for part in name.split("_")) + "Arguments"
    text = {"__doc__": f"Arguments of {name} ({rule})."}
    record = make_dataclass(title, list(arguments.items()), frozen=True, slots=True, namespace=text)
    TAGS[record] = name
    KERNELS[name] = Kernel(name, rule, record, tuple(results.split()), function)


def _scaled_initial(value: int, tiered: int, size: int, open_interest: int, **changes: Any) -> int:
    return margin.scaled_initial(value, tiered, size, open_interest, replace(MARGIN, **changes))


def _mark_price(index: int, basis_sum: int, window: int, band: int, max_price: int) -> int:
    return oracle.mark_price(index, basis_sum, replace(MARK, window=window, band=band), max_price)


def _filled(size: int, cost: int, delta: int, price: int) -> tuple[int, int, int]:
    after, realised = trading.filled(Position(size, cost, 0, 0), delta, price)
    return after.size, after.cost, realised


def _aggregated(samples: tuple[int, ...], aggregation: Aggregation, min_samples: int) -> int:
    return funding.aggregated(samples, replace(FUNDING, aggregation=aggregation, min_samples=min_samples))


def _funding_rate(premium: int, **changes: Any) -> int:
    rules: FundingParameters = replace(FUNDING, **changes)
    return funding.funding_rate(premium, rules)


def _accrued(index: int, carry: int, rate: int, index_price: int, elapsed: int, period: int) -> tuple[int, int]:
    after = funding.accrued(Funding(index, carry, 0, (), 0, 0, 0), rate, index_price, elapsed, period)
    return after.index, after.carry


def _conversion_price(amount: int, price: int, unit: int, discount: int) -> int:
    return collateral.conversion_price(amount, price, replace(ETH, unit=unit, discount=discount))


def _topped_up(value: int, reward: int, reward_floor: int, reward_budget: int, spent: int, fund: int) -> int:
    rules = replace(LIQUIDATION, reward_floor=reward_floor, reward_budget=reward_budget)
    return liquidation.topped_up(value, reward, rules, spent, fund)


_kernel("mul_floor", "NUM-3", "product", numerics.mul_floor, amount=Balance, ratio=WideRatio)
_kernel("mul_ceil", "NUM-3", "product", numerics.mul_ceil, amount=Balance, ratio=WideRatio)
_kernel(
    "divide_carry", "NUM-4", "quotient carry", numerics.divide_carry,
    numerator=Wide, carry=AmountOrZero, divisor=Amount,
)  # fmt: skip
_kernel(
    "cumulative_share", "NUM-5", "share", numerics.cumulative_share,
    amount=AmountOrZero, weight_before=AmountOrZero, weight_after=AmountOrZero, weight_total=Amount,
)  # fmt: skip
_kernel("median", "NUM-7", "median", numerics.median, values=Values)
_kernel("bounded_equity", "NUM-9", "equity", margin.bounded, equity=Wide)
_kernel("banded", "ORCL-3", "price", oracle.banded, candidate=Price, anchor=Price, band=ProperRatio, max_price=Price)
_kernel(
    "mark_price", "ORCL-5", "price", _mark_price,
    index=Price, basis_sum=Wide, window=PositiveCount, band=ProperRatio, max_price=Price,
)  # fmt: skip
_kernel("smoothed", "ORCL-6", "basis_sum", oracle.smoothed, basis_sum=Wide, sample=SignedPrice, window=PositiveCount)
_kernel("basis_sample", "ORCL-6", "basis", oracle.basis_sample, bid=Price, ask=Price, index=Price, band=ProperRatio)
_kernel("premium_sample", "ORCL-7", "premium", oracle.premium_sample, bid=Price, ask=Price, index=Price)
_kernel(
    "worst_price", "ORCL-9", "price", oracle.worst_price,
    price=Price, overdue=Duration, rate=Ratio, cap=Ratio, size=SignedSize,
)  # fmt: skip
_kernel("grown", "PARM-6", "ratio", parameters.grown, ratio=Ratio, steps=Count)
_kernel("shrunk", "PARM-6", "ratio", parameters.shrunk, ratio=Ratio, steps=Count)
_kernel(
    "ramped", "PARM-13", "requirement", parameters.ramped,
    before=Notional, after=Notional, elapsed=Duration, duration=Duration,
)  # fmt: skip
_kernel("tiered_requirement", "MARG-1", "initial maintenance", margin.tiered_requirement, value=Notional, tiers=Tiers)
_kernel(
    "open_interest_weight", "MARG-2", "weight", margin.open_interest_weight,
    value=Notional, lower=AmountOrZero, upper=AmountOrZero,
)  # fmt: skip
_kernel("size_ratio", "MARG-3", "ratio", margin.size_ratio, size=SizeOrZero, slope=Ratio, unit=Size)
_kernel(
    "scaled_initial", "MARG-4", "initial", _scaled_initial,
    value=Notional, tiered=Notional, size=SizeOrZero, open_interest=Notional, multiplier=Multiple, size_slope=Ratio,
    size_unit=Size, open_interest_lower=AmountOrZero, open_interest_upper=AmountOrZero,
)  # fmt: skip
_kernel("index_value", "MARG-7", "worth", margin.index_value, amount=AmountOrZero, price=Price, unit=Amount)
_kernel("counted_profit", "MARG-8", "counted", margin.counted_profit, unrealised=Wide, weight=Ratio, cap=AmountOrZero)
_kernel(
    "filled", "TRADE-1", "size cost realised", _filled,
    size=SignedSize, cost=Wide, delta=SignedSize, price=Price,
)  # fmt: skip
_kernel(
    "aggregated", "FUND-2", "premium", _aggregated,
    samples=Samples, aggregation=Aggregation, min_samples=SampleCount,
)  # fmt: skip
_kernel(
    "funding_rate", "FUND-3", "rate", _funding_rate,
    premium=WideRatio, interest=SignedRatio, interest_form=InterestForm, damper=Ratio, cap=Ratio,
)  # fmt: skip
_kernel(
    "accrued", "FUND-4", "index carry", _accrued,
    index=Index, carry=Wide, rate=SignedRatio, index_price=Price, elapsed=Duration, period=Duration,
)  # fmt: skip
_kernel(
    "restoring_size", "LIQ-2", "size", liquidation.restoring_size,
    shortfall=AmountOrZero, price=Price, maintenance=Ratio, penalty=ProperRatio,
)  # fmt: skip
_kernel(
    "penalty_for", "LIQ-4", "penalty", liquidation.penalty_for,
    value=Notional, ratio=Ratio, net_liquidation_value=Wide, notional_held=Amount,
)  # fmt: skip
_kernel("reward_from", "LIQ-5", "reward", liquidation.reward_from, value=Notional, penalty=Notional, ratio=Ratio)
_kernel(
    "topped_up", "LIQ-6", "added", _topped_up,
    value=Notional, reward=Notional, reward_floor=Ratio, reward_budget=AmountOrZero, spent=AmountOrZero, fund=Balance,
)  # fmt: skip
_kernel(
    "conversion_price", "COLL-8", "paid", _conversion_price,
    amount=AmountOrZero, price=Price, unit=Amount, discount=ProperRatio,
)  # fmt: skip
_kernel(
    "rank_score", "FALL-6", "score", waterfall.rank_score,
    profit=Wide, cost=Wide, value=Notional, equity=Balance,
)  # fmt: skip
_kernel(
    "haircut_step", "FALL-9", "step", waterfall.haircut_step,
    share=AmountOrZero, lots=SizeOrZero, gain=SignedPrice, index=Index,
)  # fmt: skip

_kernel(
    "uncollectable", "SETTLE-5", "missing", settlement.uncollectable,
    loss=AmountOrZero, deficit=Wide, losses=Wide,
)  # fmt: skip

if TYPE_CHECKING:
    Arguments = Any
else:
    Arguments = Union[tuple(kernel.arguments for kernel in KERNELS.values())]  # noqa: UP007
    """The arguments of any kernel, on the wire an object with one key, its name."""


def called(arguments: Any) -> dict[str, int]:
    """Call a kernel of the reference; returns its named results.

    Raises:
        ValueError: the arguments are outside the kernel's domain.
    """
    kernel = KERNELS[TAGS[type(arguments)]]
    given = {item.name: getattr(arguments, item.name) for item in fields(arguments)}
    try:
        found = kernel.function(**given)
    except (ArithmeticError, IndexError) as error:
        raise ValueError(f"outside the domain of {kernel.name}: {error}") from None
    return dict(zip(kernel.results, found if isinstance(found, tuple) else (found,), strict=True))
