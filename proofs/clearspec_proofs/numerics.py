"""Theorems about the named divisions, shares, clamp and median, and about the width of every kernel that multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec import parameters
from clearspec.collateral import conversion_price
from clearspec.ledger import post
from clearspec.liquidation import closable_size, penalty_for, restoring_size, reward_from, topped_up
from clearspec.listing import rescale
from clearspec.numerics import (
    AMOUNT_MAX,
    BALANCE_MAX,
    DURATION_MAX,
    EQUITY_MAX,
    GAP_STEPS_MAX,
    LOSS_MAX,
    NOTIONAL_MAX,
    POSITIONS_MAX,
    PRICE_MAX,
    RATIO_MAX,
    SCALE,
    SIZE_MAX,
    TIME_MAX,
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
from clearspec.parameters import (
    CollateralTerms,
    FeedParameters,
    LiquidationParameters,
    MarginParameters,
    MarketListing,
    MarketParameters,
    Tier,
    gains_haircut_violations,
    gap_violations,
    grown,
    haircut_violations,
    market_violations,
    ramped,
    shrunk,
)
from clearspec.settlement import uncollectable
from clearspec.state import Position
from clearspec.trading import charge_fees, filled, within_band
from clearspec.waterfall import haircut_gains, parts_by_market, rank_score
from clearspec_proofs.stand_ins import Function, StandIn, opaque, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.widths import (
    BASIS_SUM_MAX,
    FUND_MAX,
    REQUIREMENT_MAX,
    WORTH_MAX,
    fits,
    in_128_bits,
    wide_standing,
)
from clearspec_proofs.world import MARKET, POOL, World, symbolic


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
    if low * divisor < numerator:
        path.claim("one more where something is left", lambda: high == low + 1)
    else:
        path.claim("the same where nothing is left", lambda: high == low)
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
    path.assume(lambda: total >= 1, "range of the total")
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


def values(path: Any, count: int) -> list[Any]:
    """Any values."""
    return [path.atom(f"value{number}") for number in range(count)]


def at_most(entries: Sequence[Any], bound: Any) -> int:
    """How many values are at most a bound."""
    return sum(1 for entry in entries if entry <= bound)


def at_least(entries: Sequence[Any], bound: Any) -> int:
    """How many values are at least a bound."""
    return sum(1 for entry in entries if entry >= bound)


def middle_of_odd(path: Any, count: int) -> Any:
    """Claim that the median has as many values on either side as the middle has, itself among them."""
    entries = values(path, count)
    result = median(entries)
    below, above = at_most(entries, result), at_least(entries, result)
    path.claim("half of them are at most the median", lambda: below >= count // 2 + 1)
    path.claim("half of them are at least the median", lambda: above >= count // 2 + 1)
    path.claim("the median is one of them", lambda: below + above > count)
    return result


@theorem(
    "median-of-three",
    "Of three values, in any order, at least two are at most the median and at least two are at least the median.",
    "NUM-7",
    strength=Strength.BOUNDED,
)
def median_of_three(path: Any) -> Any:
    """Every order of the values."""
    return middle_of_odd(path, 3)


@theorem(
    "median-of-five",
    "Of five values, in any order, at least three are at most the median and at least three are at least the median.",
    "NUM-7",
    strength=Strength.BOUNDED,
)
def median_of_five(path: Any) -> Any:
    """Every order of the values."""
    return middle_of_odd(path, 5)


@theorem(
    "median-of-even-counts-rounds-down",
    "Of two or four values, in any order, the median is the mean of the two middle ones rounded down, and moves with "
    "all of them.",
    "NUM-7",
    strength=Strength.BOUNDED,
)
def median_of_even_counts(path: Any) -> Any:
    """What is left without the least and the greatest value are the two middle ones."""
    entries = values(path, 4 if path.choice("values", 2, 4) == 4 else 2)
    result = median(entries)
    inner = sum(entries) - (min(entries) + max(entries) if len(entries) == 4 else 0)
    path.claim("the mean of the middle rounded down", lambda: 2 * result <= inner <= 2 * result + 1)
    shift = path.atom("shift")
    moved = median([entry + shift for entry in entries])
    path.claim("true to shifts", lambda: moved == result + shift)
    return result


def small_world(path: Any) -> tuple[World, ev.Context]:
    """A market, two accounts without a position, and any time."""
    world = World(path)
    world.pool()
    world.market()
    for account in "AB":
        world.account(account)
    return world, ev.Context(world.state, path.atom("time", 0, TIME_MAX), "actor")


def any_parameters(path: Any) -> tuple[MarketParameters, FeedParameters]:
    """Parameters of a market with one tier, and of its feed."""
    tier = symbolic(path, Tier, "tier")
    margin = symbolic(path, MarginParameters, "margin", tiers=(tier,))
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=())
    return symbolic(path, MarketParameters, "market", margin=margin), feed


def _posted(path: Any) -> Function:
    def stand_in(_: Any, __: Any, ___: Any, ____: Any, amount: Any, _____: Any) -> None:
        path.claim("an amount to post", lambda: -FUND_MAX <= amount <= FUND_MAX)

    return stand_in


POSTED = StandIn(post, "ledger.fits-128-bits:post", _posted)
"""A posting; its two sums are a theorem of their own."""

POWERS = (
    StandIn(grown, "parameters.grown-compounds", lambda path: lambda *_: path.fresh("grown", 0, RATIO_MAX)),
    StandIn(shrunk, "parameters.shrunk-compounds", lambda path: lambda *_: path.fresh("shrunk", 0, SCALE)),
    opaque(parameters._violations, lambda *_: ()),
)
"""The powers of PARM-6 as any value in their range, each with a theorem of its own about its width.

Which inequality fails does not matter here.
"""


@fits("mul_floor", "amounts up to 2^96, the worth of collateral, and ratios up to one", "NUM-3")
def fits_mul_floor(path: Any) -> Any:
    """What each rule multiplies by a larger ratio is shown of its own kernel."""
    in_128_bits(path)
    return mul_floor(path.atom("amount", -(2**96), 2**96), path.atom("ratio", -SCALE, SCALE))


@fits("mul_ceil", "amounts up to 2^96, the worth of collateral, and ratios up to one", "NUM-3")
def fits_mul_ceil(path: Any) -> Any:
    """The same upward."""
    in_128_bits(path)
    return mul_ceil(path.atom("amount", -(2**96), 2**96), path.atom("ratio", -SCALE, SCALE))


@fits("notional", "a size and a price in range", "NUM-8")
def fits_notional(path: Any) -> Any:
    """Before any cap is checked."""
    in_128_bits(path)
    return notional(path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("price", 0, PRICE_MAX))


@fits("cumulative_share", "an amount up to 2^62 and weights up to 2^63, the losses of 64 positions", "NUM-5", "FALL-4")
def fits_cumulative_share(path: Any) -> Any:
    """A clamped deficit over clamped losses; the charges of a tear-up and the claims on a pot are narrower."""
    in_128_bits(path)
    amount, before, weight, total = (
        path.atom("amount", 0, BALANCE_MAX),
        *(path.atom(name, 0, POSITIONS_MAX * LOSS_MAX) for name in ("before", "weight")),
        path.atom("total", 1, POSITIONS_MAX * LOSS_MAX),
    )
    path.assume(lambda: before + weight <= total, "range of the weights")
    return cumulative_share(amount, before, before + weight, total)


@fits("trading.filled", "a position within INV-12 and a fill of any size and price in range", "TRADE-1", "INV-12")
def fits_filled(path: Any) -> Any:
    """Cost times closed lots is the widest."""
    in_128_bits(path)
    size, cost = path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("cost", -SIZE_MAX * PRICE_MAX, SIZE_MAX * PRICE_MAX)
    position = Position(size, cost, 0, 0)
    after, realised = filled(position, path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX))
    return after.size, after.cost, realised


@fits("trading.within_band", "prices and a band in range", "TRADE-5")
def fits_within_band(path: Any) -> Any:
    """The band around the mark."""
    in_128_bits(path)
    return within_band(path.atom("price", 1, PRICE_MAX), path.atom("mark", 1, PRICE_MAX), path.atom("band", 0, SCALE))


@fits("trading.charge_fees", "a fill of any size and price in range, before any cap is checked", "TRADE-7")
def fits_charge_fees(path: Any) -> Any:
    """The sum of both fees times the insurance share is the widest."""
    in_128_bits(path)
    world, ctx = small_world(path)
    market = world.state.markets[MARKET]
    with standing_in(path, POSTED):
        return charge_fees(ctx, market, "A", "B", path.atom("value", 0, SIZE_MAX * PRICE_MAX))


@fits("liquidation.restoring_size", "a shortfall as it is clamped, and a penalty below maintenance (PARM-9)", "LIQ-2")
def fits_restoring_size(path: Any) -> Any:
    """Shortfall times scale."""
    in_128_bits(path)
    shortfall, price = path.atom("shortfall", -EQUITY_MAX, EQUITY_MAX), path.atom("price", 1, PRICE_MAX)
    penalty = path.atom("penalty", 0, SCALE - 1)
    return restoring_size(shortfall, price, penalty + path.atom("above", 1, SCALE), penalty)


@fits("liquidation.closable_size", "any account and a market inside the envelope", "LIQ-2", "LIQ-3", "MARG-12")
def fits_closable_size(path: Any) -> Any:
    """Whatever an account is worth, it is clamped before it is multiplied."""
    in_128_bits(path)
    world, ctx = small_world(path)
    market, size = world.state.markets[MARKET], path.atom("size", 1, SIZE_MAX)
    penalty = market.listing.parameters.liquidation.penalty
    for table in (market.listing.parameters, market.before):
        path.assume(lambda lowest=table.margin.tiers[0].maintenance: penalty + 1 <= lowest, "range by PARM-9")
    return closable_size(size, path.atom("price", 1, PRICE_MAX), wide_standing(path, "account"), market, ctx.time)


@fits("liquidation.penalty_for", "a closed notional up to 2^56 of up to 2^62, and any net liquidation value", "LIQ-4")
def fits_penalty_for(path: Any) -> Any:
    """Net liquidation value, clamped, times closed value."""
    in_128_bits(path)
    value, ratio = path.atom("value", 0, NOTIONAL_MAX), path.atom("ratio", 0, SCALE)
    return penalty_for(value, ratio, path.atom("worth", -WORTH_MAX, WORTH_MAX), path.atom("held", 1, REQUIREMENT_MAX))


@fits("liquidation.reward_from", "a closed notional up to 2^56", "LIQ-5")
def fits_reward_from(path: Any) -> Any:
    """Closed value times reward."""
    in_128_bits(path)
    value, ratio = path.atom("value", 0, NOTIONAL_MAX), path.atom("ratio", 0, SCALE)
    return reward_from(value, path.atom("penalty", 0, NOTIONAL_MAX), ratio)


@fits("liquidation.topped_up", "a closed notional up to 2^56 and a fund up to 2^125", "LIQ-6")
def fits_topped_up(path: Any) -> Any:
    """Closed value times reward floor."""
    in_128_bits(path)
    rules = symbolic(path, LiquidationParameters, "rules")
    value, reward = path.atom("value", 0, NOTIONAL_MAX), path.atom("reward", 0, NOTIONAL_MAX)
    return topped_up(value, reward, rules, path.atom("spent", 0, AMOUNT_MAX), path.atom("fund", 0, FUND_MAX))


@fits("waterfall.rank_score", "any profit and equity, a cost within INV-12 and a notional up to 2^56", "FALL-6")
def fits_rank_score(path: Any) -> Any:
    """Each factor is clamped before it is multiplied."""
    in_128_bits(path)
    cost = path.atom("cost", -SIZE_MAX * PRICE_MAX, SIZE_MAX * PRICE_MAX)
    profit, equity = (path.atom(name, -WORTH_MAX, WORTH_MAX) for name in ("profit", "equity"))
    return rank_score(profit, cost, path.atom("value", 0, NOTIONAL_MAX), equity)


def _shared(path: Any) -> Function:
    def stand_in(amount: Any, before: Any, after: Any, total: Any) -> Any:
        path.claim("an amount to share", lambda: 0 <= amount <= BALANCE_MAX)
        path.claim("weights in order", lambda: 0 <= before <= after <= total)
        path.claim("a total weight", lambda: 1 <= total <= POSITIONS_MAX * LOSS_MAX)
        return path.fresh("share", 0, BALANCE_MAX)

    return stand_in


SHARED = StandIn(
    cumulative_share, "numerics.fits-128-bits:cumulative_share, numerics.shares-are-within-the-amount", _shared
)
"""A share of an amount; what it multiplies is a theorem of its own."""


@fits("waterfall.parts_by_market", "any deficit and the clamped losses of 64 positions", "FALL-4")
def fits_parts_by_market(path: Any) -> Any:
    """All the markets in which an account can hold a position."""
    in_128_bits(path)
    losses = [(f"M{number}", path.atom(f"loss{number}", 1, LOSS_MAX)) for number in range(POSITIONS_MAX)]
    with standing_in(path, SHARED):
        return [part for _, part in parts_by_market(path.atom("deficit", 0, WORTH_MAX), losses)]


@fits("waterfall.haircut_gains", "a market whose fields are in range", "FALL-9")
def fits_haircut_gains(path: Any) -> Any:
    """A step of the haircut index times open interest."""
    in_128_bits(path)
    _, ctx = small_world(path)
    with standing_in(path, POSTED):
        return haircut_gains(ctx, "A", MARKET, path.atom("share", 0, BALANCE_MAX))


@fits("settlement.uncollectable", "any deficit and clamped losses of 64 positions", "SETTLE-5")
def fits_uncollectable(path: Any) -> Any:
    """A clamped deficit times a clamped loss."""
    in_128_bits(path)
    loss = path.atom("loss", 0, LOSS_MAX)
    return uncollectable(loss, path.atom("deficit", 0, WORTH_MAX), path.atom("losses", 0, POSITIONS_MAX * LOSS_MAX))


@fits("collateral.conversion_price", "an amount, a price and terms in range", "COLL-8")
def fits_conversion_price(path: Any) -> Any:
    """Amount, price and one less discount: the widest product of three."""
    in_128_bits(path)
    terms = symbolic(path, CollateralTerms, "terms", asset="ETH", feed="F")
    return conversion_price(path.atom("amount", 0, AMOUNT_MAX), path.atom("price", 0, PRICE_MAX), terms)


@fits("listing.rescale", "a carry within INV-9 and a smoothed basis within its range", "FUND-7", "ORCL-6")
def fits_rescale(path: Any) -> Any:
    """Carry times new period, smoothing state times new window."""
    in_128_bits(path)
    world, ctx = small_world(path)
    before, after = (symbolic(path, MarketParameters, name, margin=None) for name in ("old", "new"))
    carry, basis = path.atom("carry", 0, SCALE * DURATION_MAX), path.atom("basis", -BASIS_SUM_MAX, BASIS_SUM_MAX)
    world.state.fundings.put(MARKET, replace(world.state.fundings[MARKET], carry=carry))
    world.state.marks.put(MARKET, replace(world.state.marks[MARKET], basis_sum=basis))
    rescale(ctx, MARKET, before, after)
    return world.state.fundings[MARKET].carry, world.state.marks[MARKET].basis_sum


@fits("parameters.grown", "any ratio below one and up to 16 steps", "PARM-6", strength=Strength.BOUNDED)
def fits_grown(path: Any) -> Any:
    """Each further step starts from the range in which the sixteenth does."""
    in_128_bits(path)
    return grown(path.atom("ratio", 0, SCALE - 1), 16)


@fits("parameters.shrunk", "any ratio below one and the 257 steps of PARM-8", "PARM-6", strength=Strength.BOUNDED)
def fits_shrunk(path: Any) -> Any:
    """The value never rises, so that no number of steps makes a product wider."""
    in_128_bits(path)
    return shrunk(SCALE - path.atom("kept", 1, SCALE), GAP_STEPS_MAX + 1)


@fits("parameters.ramped", "requirements up to 2^62 and times in range", "PARM-13")
def fits_ramped(path: Any) -> Any:
    """A difference of requirements times seconds."""
    in_128_bits(path)
    before, after = (path.atom(name, 0, REQUIREMENT_MAX) for name in ("before", "after"))
    return ramped(before, after, path.atom("elapsed", 0, DURATION_MAX), path.atom("duration", 1, DURATION_MAX))


@fits("parameters.gap_violations", "any parameters in range", "PARM-8")
def fits_gap_violations(path: Any) -> Any:
    """Growth times penalty, basis and funding; the powers are theorems of their own."""
    in_128_bits(path)
    parameters, feed = any_parameters(path)
    with standing_in(path, *POWERS):
        return list(gap_violations(parameters, feed, path.atom("lowest", 1, SCALE)))


@fits("parameters.gains_haircut_violations", "any parameters in range", "PARM-14")
def fits_gains_haircut_violations(path: Any) -> Any:
    """Powers, bands and the initial ratio."""
    in_128_bits(path)
    parameters, feed = any_parameters(path)
    with standing_in(path, *POWERS):
        return list(gains_haircut_violations(parameters, feed))


@fits("parameters.haircut_violations", "any parameters in range", "PARM-12")
def fits_haircut_violations(path: Any) -> Any:
    """Powers, bands, haircut and discount."""
    in_128_bits(path)
    terms = symbolic(path, CollateralTerms, "terms", asset="ETH", feed="F")
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=())
    steps, interval = path.atom("steps", 1, GAP_STEPS_MAX), path.atom("interval", 1, DURATION_MAX)
    with standing_in(path, *POWERS):
        return list(haircut_violations(terms, feed, steps, interval))


@fits("parameters.market_violations", "any parameters in range", "PARM-9")
def fits_market_violations(path: Any) -> Any:
    """Caps in lots times the highest price, and samples of an interval."""
    in_128_bits(path)
    parameters, feed = any_parameters(path)
    listing = symbolic(path, MarketListing, "listing", market=MARKET, pool=POOL, feed="F", parameters=parameters)
    with standing_in(path, *POWERS):
        return market_violations(listing, feed, path.atom("lowest", 1, SCALE))
