"""Exact integer arithmetic: the ratio scale, named divisions, bounds, median.

Units used throughout: an *atom* is the smallest unit of an asset, a *lot* the smallest contract size, a *price*
settlement-asset atoms per lot, a *ratio* an integer over ``SCALE``, a *time* seconds. Every division in the
reference is one of the functions below, so its direction stands in its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from clearspec.rules import rule

SCALE = 10**9
"""One, as a ratio (NUM-1)."""

RATIO_MAX = 2**33
PRICE_MAX = 2**36
SIZE_MAX = 2**40
NOTIONAL_MAX = 2**56
AMOUNT_MAX = 2**60
BALANCE_MAX = 2**62
TIME_MAX = 2**40
DURATION_MAX = 2**32
COUNT_MAX = 2**16
SEQUENCE_MAX = 2**62
INDEX_MAX = 2**60
POSITIONS_MAX = 64
MARKETS_MAX = 256
SOURCES_MAX = 31
TIERS_MAX = 8
SAMPLES_MAX = 512
GAP_STEPS_MAX = 256
HAIRCUT_STEPS_MAX = 4096
PROFIT_MAX = 2**92
LOSS_MAX = 2**57
EQUITY_MAX = 2**64


@rule("NUM-2")
def div_floor(numerator: int, divisor: int) -> int:
    """Quotient rounded toward minus infinity. ``divisor`` is positive."""
    return numerator // divisor


@rule("NUM-2")
def div_ceil(numerator: int, divisor: int) -> int:
    """Quotient rounded toward plus infinity. ``divisor`` is positive."""
    return -((-numerator) // divisor)


@rule("NUM-2")
def div_to_zero(numerator: int, divisor: int) -> int:
    """Quotient rounded toward zero (down in magnitude). ``divisor`` is positive."""
    if numerator >= 0:
        return numerator // divisor
    return -((-numerator) // divisor)


@rule("NUM-3")
def mul_floor(amount: int, ratio: int) -> int:
    """``amount`` times a ratio, rounded toward minus infinity."""
    return amount * ratio // SCALE


@rule("NUM-3")
def mul_ceil(amount: int, ratio: int) -> int:
    """``amount`` times a ratio, rounded toward plus infinity."""
    return -(-(amount * ratio) // SCALE)


@rule("NUM-4")
def divide_carry(numerator: int, carry: int, divisor: int) -> tuple[int, int]:
    """Floor quotient of ``numerator + carry`` and the remainder to carry on, in ``0 .. divisor - 1``."""
    total = numerator + carry
    quotient = div_floor(total, divisor)
    return quotient, total - quotient * divisor


@rule("NUM-5")
def cumulative_share(amount: int, weight_before: int, weight_after: int, weight_total: int) -> int:
    """One part of ``amount`` split by weights: the difference of two cumulative floors.

    Over consecutive intervals from 0 to ``weight_total`` the parts sum to ``amount`` exactly.
    """
    upper = div_floor(amount * weight_after, weight_total)
    return upper - div_floor(amount * weight_before, weight_total)


@rule("NUM-6")
def clamp(value: int, low: int, high: int) -> int:
    """``value`` moved into ``low .. high``; ``low <= high``."""
    return max(low, min(high, value))


@rule("NUM-7")
def median(values: Sequence[int]) -> int:
    """Middle value; of an even count the mean of the two middle values, rounded down. ``values`` is not empty."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return div_floor(ordered[middle - 1] + ordered[middle], 2)


@rule("NUM-8")
def notional(size: int, price: int) -> int:
    """Value of ``size`` lots (signed) at ``price``, in settlement atoms; exact."""
    return size * price
