"""Theorems about the named divisions, shares, clamp and median, and about the width of every kernel that multiplies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from clearspec.numerics import (
    SCALE,
    clamp,
    cumulative_share,
    div_ceil,
    div_floor,
    div_to_zero,
    divide_carry,
    median,
    mul_ceil,
    mul_floor,
    notional,
)
from clearspec_proofs.theorems import Strength, theorem


def division(path: Any) -> tuple[Any, Any]:
    """Any numerator and any divisor."""
    return path.atom("numerator"), path.atom("divisor", 1)


@theorem(
    "floor-is-the-greatest",
    "div_floor(n, d) is the greatest integer whose product with d is at most n.",
    "NUM-2",
)
def floor_is_the_greatest(path: Any) -> Any:
    """No integer above it qualifies."""
    numerator, divisor = division(path)
    result = div_floor(numerator, divisor)
    path.claim("its product is at most the numerator", lambda: result * divisor <= numerator)
    path.claim("that of the next is above it", lambda: (result + 1) * divisor > numerator)
    other = result + path.atom("above", 1)
    path.claim("that of any greater is above it", lambda: other * divisor > numerator)
    return result


@theorem(
    "ceil-is-the-smallest",
    "div_ceil(n, d) is the smallest integer whose product with d is at least n.",
    "NUM-2",
)
def ceil_is_the_smallest(path: Any) -> Any:
    """No integer below it qualifies."""
    numerator, divisor = division(path)
    result = div_ceil(numerator, divisor)
    path.claim("its product is at least the numerator", lambda: result * divisor >= numerator)
    path.claim("that of the one before is below it", lambda: (result - 1) * divisor < numerator)
    other = result - path.atom("below", 1)
    path.claim("that of any smaller is below it", lambda: other * divisor < numerator)
    return result


@theorem(
    "to-zero-floors-the-magnitude",
    "div_to_zero(n, d) has the floor of the magnitude of n over d as its magnitude, and never the sign opposite to n.",
    "NUM-2",
)
def to_zero_floors_the_magnitude(path: Any) -> Any:
    """Both signs are treated alike."""
    numerator, divisor = division(path)
    result = div_to_zero(numerator, divisor)
    path.claim("not of opposite sign", lambda: result >= 0 if numerator >= 0 else result <= 0)
    path.claim("at most the magnitude", lambda: abs(result) * divisor <= abs(numerator))
    path.claim("the next is above it", lambda: (abs(result) + 1) * divisor > abs(numerator))
    path.claim("odd", lambda: div_to_zero(-numerator, divisor) == -result)
    return result


@theorem(
    "exact-divisions-agree",
    "Where n is a multiple of d, div_floor, div_ceil and div_to_zero all give the quotient itself.",
    "NUM-2",
)
def exact_divisions_agree(path: Any) -> Any:
    """No division adds one to an exact quotient."""
    quotient, divisor = path.atom("quotient"), path.atom("divisor", 1)
    numerator = quotient * divisor
    for divide in (div_floor, div_ceil, div_to_zero):
        path.claim(divide.__name__, lambda divide=divide: divide(numerator, divisor) == quotient)
    return quotient


@theorem(
    "floor-and-ceil-enclose",
    "div_ceil is div_floor, or one more where the division is not exact, and div_to_zero is one of the two.",
    "NUM-2",
)
def floor_and_ceil_enclose(path: Any) -> Any:
    """The three directions of one division."""
    numerator, divisor = division(path)
    low, high, middle = (divide(numerator, divisor) for divide in (div_floor, div_ceil, div_to_zero))
    path.claim("at most one apart", lambda: low <= high <= low + 1)
    path.claim("to zero is between", lambda: low <= middle <= high)
    path.claim("apart only where something is left", lambda: high == low or low * divisor < numerator < high * divisor)
    return low, middle, high


@theorem(
    "products-with-a-ratio-round-once",
    "mul_floor and mul_ceil of an amount and a ratio, of any signs, lie less than one atom below and above the exact "
    "product, and give it where it is whole.",
    "NUM-3",
)
def products_round_once(path: Any) -> Any:
    """The product is formed whole and divided once."""
    amount, ratio = path.atom("amount"), path.atom("ratio")
    exact = amount * ratio
    low, high = mul_floor(amount, ratio), mul_ceil(amount, ratio)
    path.claim("floor", lambda: low * SCALE <= exact < (low + 1) * SCALE)
    path.claim("ceil", lambda: (high - 1) * SCALE < exact <= high * SCALE)
    path.claim("whole amounts of one stay", lambda: mul_floor(amount, SCALE) == amount == mul_ceil(amount, SCALE))
    return low, high


@theorem(
    "a-part-is-within-the-whole",
    "A ratio of at most one of an amount that is not negative, rounded either way, lies between 0 and the amount.",
    "NUM-3",
)
def part_within_whole(path: Any) -> Any:
    """Fees, haircuts and penalties take no more than there is."""
    amount, ratio = path.atom("amount", 0), path.atom("ratio", 0, SCALE)
    low, high = mul_floor(amount, ratio), mul_ceil(amount, ratio)
    path.claim("floor", lambda: 0 <= low <= amount)
    path.claim("ceil", lambda: 0 <= high <= amount)
    return low, high


@theorem(
    "products-with-a-ratio-are-monotone",
    "mul_floor and mul_ceil of an amount and a ratio that is not negative never fall when the amount rises.",
    "NUM-3",
)
def products_monotone(path: Any) -> Any:
    """More is never worth less."""
    amount, ratio = path.atom("amount"), path.atom("ratio", 0)
    more = amount + path.atom("more", 0)
    path.claim("floor", lambda: mul_floor(amount, ratio) <= mul_floor(more, ratio))
    path.claim("ceil", lambda: mul_ceil(amount, ratio) <= mul_ceil(more, ratio))


@theorem(
    "carry-owns-the-remainder",
    "divide_carry gives a quotient and a carry in 0 .. d - 1 with quotient x d + carry = numerator + carry before.",
    "NUM-4",
)
def carry_owns_the_remainder(path: Any) -> Any:
    """Exact, whatever the sign of the numerator."""
    numerator, divisor = division(path)
    before = path.atom("before", 0)
    quotient, carry = divide_carry(numerator, before, divisor)
    path.claim("exact", lambda: quotient * divisor + carry == numerator + before)
    path.claim("in range", lambda: 0 <= carry < divisor)
    return quotient, carry


@theorem(
    "carried-quotients-sum-exactly",
    "If quotients and carry make up the numerators of any number of divisions by d so far, they do so after one more; "
    "so the quotients sum to the floor of the exact sum.",
    "NUM-4",
)
def carried_quotients_sum(path: Any) -> Any:
    """The step of an induction over the number of divisions; with none the sums and the carry are 0."""
    numerator, divisor = division(path)
    quotients, before = path.atom("quotients"), path.atom("before", 0)
    numerators = quotients * divisor + before
    quotient, carry = divide_carry(numerator, before, divisor)
    path.claim("exact", lambda: (quotients + quotient) * divisor + carry == numerators + numerator)
    path.claim("floor", lambda: quotients + quotient == div_floor(numerators + numerator, divisor))
    return quotient, carry


def parts(path: Any) -> tuple[Any, Any, Any, Any]:
    """An amount, the weights before a part, its weight, and the weight of all."""
    before, weight = path.atom("before", 0), path.atom("weight", 0)
    total = before + weight + path.atom("after", 0)
    path.assume(lambda: total >= 1, "some weight")
    return path.atom("amount", 0), before, weight, total


@theorem(
    "shares-telescope",
    "If the shares of any number of parts sum to the floor of the amount times their weights over the total, they do "
    "so with one part more; of no weight that floor is 0, of all the weights it is the amount.",
    "NUM-5",
)
def shares_telescope(path: Any) -> Any:
    """The step of an induction over the parts, and both its ends: the shares of all parts sum to the amount."""
    amount, before, weight, total = parts(path)
    handed = div_floor(amount * before, total)
    share = cumulative_share(amount, before, before + weight, total)
    path.claim("one more", lambda: handed + share == div_floor(amount * (before + weight), total))
    path.claim("none", lambda: cumulative_share(amount, 0, 0, total) == 0)
    path.claim("all", lambda: cumulative_share(amount, 0, total, total) == amount)
    return share


@theorem(
    "shares-are-near-exact",
    "Each share differs from the amount times its weight over the total by less than one atom; weight 0 gets 0.",
    "NUM-5",
)
def shares_near_exact(path: Any) -> Any:
    """The order decides who gets the odd atoms, and nothing else."""
    amount, before, weight, total = parts(path)
    share = cumulative_share(amount, before, before + weight, total)
    path.claim("not an atom more", lambda: (share - 1) * total < amount * weight)
    path.claim("not an atom less", lambda: (share + 1) * total > amount * weight)
    path.claim("no weight, no share", lambda: cumulative_share(amount, before, before, total) == 0)
    return share


@theorem(
    "shares-are-within-the-amount",
    "Each share lies between 0 and the amount, and between 0 and its weight where the amount is at most all weights.",
    "NUM-5",
)
def shares_within_amount(path: Any) -> Any:
    """Where weights are rooms, nobody is charged more than its room."""
    amount, before, weight, total = parts(path)
    share = cumulative_share(amount, before, before + weight, total)
    path.claim("not negative", lambda: share >= 0)
    path.claim("at most the amount", lambda: share <= amount)
    if amount <= total:
        path.claim("at most its weight", lambda: share <= weight)
        path.mark("rooms suffice")
    return share


@theorem(
    "clamp-moves-into-the-range",
    "clamp(value, low, high) with low <= high lies between them, is the value where that does, else the nearer end, "
    "and never falls when the value rises.",
    "NUM-6",
)
def clamp_moves_into_range(path: Any) -> Any:
    """Never refused, and never beyond the edge."""
    value, low = path.atom("value"), path.atom("low")
    high = low + path.atom("width", 0)
    result = clamp(value, low, high)
    path.claim("inside", lambda: low <= result <= high)
    if value < low:
        path.claim("low end", lambda: result == low)
    elif value > high:
        path.claim("high end", lambda: result == high)
    else:
        path.claim("itself", lambda: result == value)
    more = value + path.atom("more", 0)
    path.claim("monotone", lambda: clamp(more, low, high) >= result)
    return result
