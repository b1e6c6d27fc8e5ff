"""Theorems about funding: zero-sum, exact, independent of the moment of settlement, bounded by the cap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import events as ev
from clearspec.funding import accrue_funding, accrued, aggregated, funding_owed, funding_rate, haircut_owed, is_due
from clearspec.ledger import balance, clearing, user
from clearspec.listing import rescale
from clearspec.numerics import (
    DURATION_MAX,
    INDEX_MAX,
    PRICE_MAX,
    RATIO_MAX,
    SAMPLES_MAX,
    SCALE,
    SIZE_MAX,
    TIME_MAX,
    divide_carry,
)
from clearspec.parameters import (
    Aggregation,
    FeedParameters,
    FundingParameters,
    InterestForm,
    MarketKind,
    MarketParameters,
)
from clearspec.state import Feed, Funding, MarketStatus, Position
from clearspec.trading import settle_owed
from clearspec_proofs.stand_ins import any_integer, opaque, standing_in, with_lemmas
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.widths import fits, in_128_bits
from clearspec_proofs.world import CASH, FEED, MARKET, POOL, World, symbolic


def record(path: Any, **given: Any) -> Funding:
    """A funding record without samples."""
    made: Funding = symbolic(path, Funding, "funding", samples=(), **given)
    return made


def parameters_of(path: Any, **given: Any) -> FundingParameters:
    """Any funding parameters."""
    made: FundingParameters = symbolic(path, FundingParameters, "parameters", **given)
    return made


def position_of(path: Any, name: str = "position") -> Position:
    """Any position."""
    return Position(*(path.atom(f"{name}.{field}") for field in ("size", "cost", "funding index", "haircut index")))


@theorem(
    "funding-is-zero-sum",
    "Over any step of the index, what any number of positions come to owe is the sum of their sizes times the step, "
    "whenever each was settled last; so it is 0 where sizes sum to 0.",
    "FUND-6",
    "INV-5",
)
def funding_is_zero_sum(path: Any) -> Any:
    """The step of an induction over the positions of a market; of none the sum is 0."""
    sizes, start, end = path.atom("sizes so far"), path.atom("index before"), path.atom("index after")
    owed = sizes * (end - start)
    position = position_of(path)
    more = funding_owed(position, end) - funding_owed(position, start)
    path.claim("one more", lambda: owed + more == (sizes + position.size) * (end - start))
    if sizes + position.size == 0:
        path.claim("nothing is left over", lambda: owed + more == 0)
        path.mark("all positions")
    return more


@theorem(
    "the-moment-of-settlement-does-not-matter",
    "Settling a position at any index between changes nothing of what it owes in all; so neither does settling it any "
    "number of times.",
    "FUND-6",
)
def moment_of_settlement(path: Any) -> Any:
    """One settlement between two others; what follows starts from the same place."""
    position, between, now = position_of(path), path.atom("index between"), path.atom("index now")
    settled = replace(position, funding_index=between)
    parts = funding_owed(position, between), funding_owed(settled, now)
    path.claim("the parts are the whole", lambda: sum(parts) == funding_owed(position, now))
    path.claim("nothing is owed at once", lambda: funding_owed(settled, between) == 0)
    return parts


@theorem(
    "a-haircut-owed-is-linear-and-never-negative",
    "Haircut owed is the unsigned size times the step of the index of the position's side, not negative while that "
    "index never falls, and independent of settlements in between.",
    "FALL-9",
)
def haircut_owed_is_linear(path: Any) -> Any:
    """The winning side alone pays, each lot the same."""
    position = position_of(path)
    long, short = path.atom("haircut long"), path.atom("haircut short")
    funding = Funding(0, 0, 0, (), long, short, 0)
    owed = haircut_owed(position, funding)
    side = long if position.size >= 0 else short
    path.claim("each lot the same", lambda: owed == abs(position.size) * (side - position.haircut_index))
    if side >= position.haircut_index:
        path.claim("not negative", lambda: owed >= 0)
        path.mark("the index never fell")
    settled = replace(position, haircut_index=side)
    path.claim("nothing is owed at once", lambda: haircut_owed(settled, funding) == 0)
    step = path.atom("step")
    later = Funding(0, 0, 0, (), long + step, short + step, 0)
    path.claim("parts", lambda: owed + haircut_owed(settled, later) == haircut_owed(position, later))
    return owed


def interval(path: Any) -> tuple[Any, Any, Any]:
    """Rate, index price and charged seconds of an accrual."""
    return path.atom("rate", -SCALE, SCALE), path.atom("price", 1, PRICE_MAX), path.atom("elapsed", 0, DURATION_MAX)


@theorem(
    "an-accrual-loses-nothing",
    "An accrual raises index x divisor + carry by exactly rate x price x seconds, where the index is not at its bound; "
    "the divisor is the scale times the period.",
    "FUND-4",
    "NUM-4",
)
def accrual_loses_nothing(path: Any) -> Any:
    """So over any sequence of accrual intervals the index moves by the floor of the exact sum."""
    rate, price, elapsed = interval(path)
    period = path.atom("period", 1, DURATION_MAX)
    before = record(path, carry=path.atom("carry", 0))
    after = accrued(before, rate, price, elapsed, period)
    if -INDEX_MAX < after.index < INDEX_MAX:
        charged = (after.index - before.index) * (SCALE * period) + after.carry - before.carry
        path.claim("exact", lambda: charged == rate * price * elapsed)
        path.mark("within its bounds")
    path.claim("what else is kept", lambda: after.time == before.time and after.samples == ())
    path.claim(
        "haircuts stay",
        lambda: (after.haircut_long, after.haircut_short) == (before.haircut_long, before.haircut_short),
    )
    return after.index, after.carry


@theorem(
    "the-carry-stays-below-the-divisor",
    "After an accrual the carry is within 0 .. scale x period - 1 and the index within its bounds; that is the part "
    "of INV-9 about funding.",
    "FUND-4",
    "INV-9",
)
def carry_stays_below_the_divisor(path: Any) -> Any:
    """Whatever carry and index were before."""
    rate, price, elapsed = interval(path)
    period, before = path.atom("period", 1, DURATION_MAX), record(path)
    after = accrued(before, rate, price, elapsed, period)
    path.claim("carry", lambda: 0 <= after.carry < SCALE * period)
    path.claim("index", lambda: -INDEX_MAX <= after.index <= INDEX_MAX)
    return after.index, after.carry


@theorem(
    "a-rate-stays-within-the-cap",
    "The rate lies within -cap .. cap and never falls when the premium rises. It is premium plus interest, moved into "
    "that range; in the clamped form the interest while the premium is within the damper of it, else a damper nearer "
    "to it than the premium, moved into that range too.",
    "FUND-3",
    marks=("added", "interest", "damped"),
)
def rate_within_the_cap(path: Any) -> Any:
    """Nothing is divided and nothing rounds."""
    parameters, premium = parameters_of(path), path.atom("premium")
    rate, cap, damper = funding_rate(premium, parameters), parameters.cap, parameters.damper
    path.claim("within the cap", lambda: -cap <= rate <= cap)
    higher = funding_rate(premium + path.atom("more", 0), parameters)
    path.claim("monotone", lambda: higher >= rate)
    if parameters.interest_form == InterestForm.ADDED:
        path.mark("added")
        free = premium + parameters.interest
    elif -damper <= parameters.interest - premium <= damper:
        path.mark("interest")
        free = parameters.interest
    else:
        path.mark("damped")
        free = premium + (damper if premium < parameters.interest else -damper)
    if -cap <= free <= cap:
        path.claim("where the cap does not bind", lambda: rate == free)
    else:
        path.claim("where it binds", lambda: rate == (cap if free > cap else -cap))
    return rate


@theorem(
    "an-accrual-is-bounded-by-the-cap",
    "With any rate within the cap, an accrual moves the index by less than cap x price x seconds / (scale x period) + "
    "1 either way, seconds being those that have passed.",
    "FUND-3",
    "FUND-4",
)
def accrual_bounded_by_the_cap(path: Any) -> Any:
    """A rate per period, charged for the time that passed: a shorter interval does not charge more."""
    cap, price, elapsed = path.atom("cap", 0, SCALE), path.atom("price", 1, PRICE_MAX), path.atom("elapsed", 0)
    rate, period = cap - path.atom("below the cap", 0), path.atom("period", 1, DURATION_MAX)
    path.assume(lambda: rate >= -cap, "range of the rate")
    divisor, most, carry = SCALE * period, cap * price * elapsed, path.atom("carry", 0)
    path.assume(lambda: carry < divisor, "INV-9")
    path.claim("a charge of at most the cap", lambda: -most <= rate * (price * elapsed) <= most)

    def lemma(path: Any, result: Any, *_: Any) -> None:
        path.claim("a step up", lambda: (result[0] - 1) * divisor < most)
        path.claim("a step down", lambda: (-result[0] - 1) * divisor < most)

    before = record(path, carry=carry)
    with standing_in(path, with_lemmas(divide_carry, lemma)):
        after = accrued(before, rate, price, elapsed, period)
    path.claim("up", lambda: (after.index - before.index - 1) * divisor < most)
    path.claim("down", lambda: (before.index - after.index - 1) * divisor < most)
    return after.index


@theorem(
    "any-sequence-of-accruals-is-bounded-by-the-cap",
    "If the index has moved, carries counted, by at most cap x highest price x seconds so far over the divisor, so it "
    "has after one interval more, however time is cut into intervals, while it is not at its bound.",
    "FUND-3",
    "FUND-4",
    "FUND-5",
)
def accruals_bounded_by_the_cap(path: Any) -> Any:
    """The step of an induction over the intervals, of whatever lengths; with none nothing has moved."""
    cap, highest, seconds = (
        path.atom("cap", 0, SCALE),
        path.atom("highest", 1, PRICE_MAX),
        path.atom("seconds so far", 0),
    )
    period, before = path.atom("period", 1, DURATION_MAX), record(path)
    divisor = SCALE * period
    moved = path.atom("moved so far")
    path.assume(lambda: -cap * highest * seconds <= moved <= cap * highest * seconds, "bounded so far")
    rate, price, elapsed = (
        cap - path.atom("below the cap", 0),
        highest - path.atom("below the highest", 0),
        path.atom("elapsed", 0),
    )
    path.assume(lambda: rate >= -cap and price >= 1, "rate within the cap, a price")
    after = accrued(before, rate, price, elapsed, period)
    path.claim("a rate times a price", lambda: -cap * highest <= rate * price <= cap * highest)
    path.claim("for a time", lambda: -cap * highest * elapsed <= rate * price * elapsed <= cap * highest * elapsed)
    if -INDEX_MAX < after.index < INDEX_MAX:
        now = moved + (after.index - before.index) * divisor + after.carry - before.carry
        most = cap * highest * (seconds + elapsed)
        path.claim("up", lambda: now <= most)
        path.claim("down", lambda: now >= -most)
        path.mark("within its bounds")
    return after.index


def picked(path: Any, name: str, *options: Any) -> Any:
    """One of a few plain values, each on paths of its own."""
    choice = path.choice(name, *options)
    return next(option for option in options if choice == option)


@theorem(
    "a-premium-lies-between-its-samples",
    "The premium of an interval lies between the least and the greatest of its samples, zeros among them where it has "
    "fewer than it needs (up to three samples, up to four needed); without a sample it is 0.",
    "FUND-2",
    strength=Strength.BOUNDED,
    marks=("padded", "full"),
)
def premium_between_samples(path: Any) -> Any:
    """Mean and median; no sample set the rate alone where more are expected."""
    count, least = picked(path, "samples", 0, 1, 2, 3), picked(path, "needed", 1, 2, 3, 4)
    low, spread = path.atom("low", -SCALE, SCALE), path.atom("spread", 0, 2 * SCALE)
    high = low + spread
    if count < least:
        path.assume(lambda: low <= 0 <= high, "range of what is padded")
    samples = tuple(low + path.atom(f"above {number}", 0) for number in range(count))
    path.assume(lambda: all(sample <= high for sample in samples), "range of the samples")
    parameters = parameters_of(path, min_samples=least)
    premium = aggregated(samples, parameters)
    path.claim("at least the least", lambda: premium >= low)
    path.claim("at most the greatest", lambda: premium <= high)
    if count == 0:
        path.claim("no sample, no premium", lambda: premium == 0)
    path.mark("padded" if count < least else "full")
    return premium


@theorem(
    "a-mean-weighs-samples-alike",
    "A mean premium is the sum of the samples over their number, or over the number needed where that is more, rounded "
    "toward zero (up to three samples, up to four needed).",
    "FUND-2",
    strength=Strength.BOUNDED,
)
def mean_weighs_alike(path: Any) -> Any:
    """One extreme sample counts for its part of an hour."""
    count, least = picked(path, "samples", 1, 2, 3), picked(path, "needed", 1, 2, 3, 4)
    samples = tuple(path.atom(f"sample {number}", -SCALE, SCALE) for number in range(count))
    premium = aggregated(samples, parameters_of(path, min_samples=least, aggregation=Aggregation.MEAN))
    total, number = sum(samples), max(count, least)
    path.claim("rounded toward zero", lambda: abs(premium) * number <= abs(total) < (abs(premium) + 1) * number)
    path.claim("its sign", lambda: premium >= 0 if total >= 0 else premium <= 0)
    return premium


def market_of(path: Any) -> tuple[World, ev.Context]:
    """A market with any parameters, funding record and mark, at any time from now on."""
    world = World(path)
    terms = symbolic(path, FeedParameters, f"{FEED}.parameters", feed=FEED, sources=())
    world.state.feeds.put(FEED, symbolic(path, Feed, FEED, parameters=terms, markets=(MARKET,)))
    world.pool()
    world.market()
    return world, ev.Context(world.state, world.state.time + path.atom("passed", 0, TIME_MAX), "actor")


@theorem(
    "an-accrual-is-due-after-its-interval",
    "An accrual is due exactly if the market is a perpetual and its interval has passed since the last accrual.",
    "FUND-5",
)
def accrual_due_after_interval(path: Any) -> Any:
    """At equality it is due."""
    world, ctx = market_of(path)
    listing, since = world.state.markets[MARKET].listing, ctx.time - world.state.fundings[MARKET].time
    due = is_due(ctx, MARKET)
    wanted = listing.kind == MarketKind.PERPETUAL and since >= listing.parameters.funding.interval
    path.claim("exactly then", lambda: bool(due) == bool(wanted))


@theorem(
    "an-accrual-charges-at-most-the-gap",
    "An accepted accrual charges its rate on the index for the time since the last one, at most max_gap, over the "
    "period in force, and for none of it again; it is refused for a future, in settlement, before its interval has "
    "passed, and without a fresh mark, and then alone.",
    "FUND-1",
    "FUND-4",
    "FUND-5",
    strength=Strength.ONE_STEP,
    marks=("accepted", "a gap"),
)
def accrual_charges_at_most_the_gap(path: Any) -> Any:
    """A cap per interval that can be changed would charge a shorter interval as much as a longer one."""
    world, ctx = market_of(path)
    state = world.state
    market, before, mark = state.markets[MARKET], state.fundings[MARKET], state.marks[MARKET]
    parameters, passed = market.listing.parameters.funding, ctx.time - before.time
    stand_ins = opaque(aggregated, any_integer), opaque(funding_rate, any_integer)
    try:
        with standing_in(path, *stand_ins):
            outcome = accrue_funding(ctx, ev.AccrueFunding(MARKET))
    except ev.Rejected as refusal:
        return claim_refusal(path, refusal.reason, ctx)
    path.claim("in trading", lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED))
    path.claim("a perpetual", lambda: market.listing.kind == MarketKind.PERPETUAL)
    path.claim("due", lambda: passed >= parameters.interval)
    path.claim("fresh", lambda: mark.price >= 1 and ctx.time <= mark.fresh_until)
    after, seconds = state.fundings[MARKET], min(passed, parameters.max_gap)
    path.mark("accepted" if seconds is passed else "a gap")
    rate, index = outcome.amounts["rate"], state.feeds[FEED].index
    path.claim("charged up to now", lambda: after.time == ctx.time and after.samples == ())
    path.claim("as the receipt says", lambda: outcome.amounts["index_step"] == after.index - before.index)
    if -INDEX_MAX < after.index < INDEX_MAX:
        charged = (after.index - before.index) * (SCALE * parameters.period) + after.carry - before.carry
        path.claim("for the time, at most the gap", lambda: charged == rate * index * seconds)
    return after.index


def claim_refusal(path: Any, reason: ev.Reason, ctx: ev.Context) -> Any:
    """Claim that an accrual was refused for what it should be."""
    market, mark = ctx.state.markets[MARKET], ctx.state.marks[MARKET]
    passed = ctx.time - ctx.state.fundings[MARKET].time
    if reason == ev.Reason.NOT_PERPETUAL:
        settled = market.status in (MarketStatus.SETTLING, MarketStatus.CLOSED)
        path.claim("a future, or settled", lambda: settled or market.listing.kind == MarketKind.FUTURE)
    elif reason == ev.Reason.FUNDING_NOT_DUE:
        path.claim("not due", lambda: passed < market.listing.parameters.funding.interval)
    else:
        path.claim(
            "stale", lambda: reason == ev.Reason.STALE_PRICE and (mark.price == 0 or ctx.time > mark.fresh_until)
        )
    return reason


@theorem(
    "settling-pays-what-is-owed",
    "Settling a position moves exactly what it owes in funding and in haircut from the account's settlement balance to "
    "the clearing account of its market, and nothing else.",
    "FUND-6",
    "TRADE-2",
    "FALL-9",
)
def settling_pays_what_is_owed(path: Any) -> Any:
    """No rounding between what is owed and what is paid."""
    world, ctx = market_of(path)
    world.account("A")
    state, position = world.state, position_of(path)
    keys = user(CASH, POOL, "A"), clearing(CASH, POOL, MARKET)
    before, rest = [balance(state, key) for key in keys], dict(state.balances)
    settle_owed(ctx, state.accounts["A"], MARKET, position)
    funding = state.fundings[MARKET]
    owed = funding_owed(position, funding.index) + haircut_owed(position, funding)
    path.claim("paid", lambda: balance(state, keys[0]) == before[0] - owed)
    path.claim("received", lambda: balance(state, keys[1]) == before[1] + owed)
    path.claim("nobody else", lambda: all(state.balances[key] == rest[key] for key in rest if key not in keys))
    path.claim("two postings", lambda: [entry.cause for entry in ctx.postings] == ["FUND-6", "FALL-9"])
    return owed


@theorem(
    "a-change-of-period-keeps-the-carry",
    "When the funding period changes, the carry keeps the same part of an atom, rounded down by less than 1 / (scale x "
    "new period), and stays below the new divisor; the smoothed basis likewise over its window.",
    "FUND-7",
    "ORCL-6",
    "INV-9",
)
def change_of_period_keeps_the_carry(path: Any) -> Any:
    """Read over the wrong divisor it would be charged many times."""
    world, ctx = market_of(path)
    old, new = (symbolic(path, MarketParameters, name, margin=None) for name in ("old", "new"))
    funding, mark = world.state.fundings[MARKET], world.state.marks[MARKET]
    path.assume(lambda: 0 <= funding.carry < SCALE * old.funding.period, "INV-9")
    rescale(ctx, MARKET, old, new)
    after, basis = world.state.fundings[MARKET], world.state.marks[MARKET].basis_sum
    exact, kept = funding.carry * new.funding.period, after.carry * old.funding.period
    path.claim("rounded down", lambda: kept <= exact < kept + old.funding.period)
    path.claim("below the divisor", lambda: 0 <= after.carry < SCALE * new.funding.period)
    worth = mark.basis_sum * new.mark.window
    path.claim("the basis", lambda: basis * old.mark.window <= worth < (basis + 1) * old.mark.window)
    path.claim("the index stays", lambda: after.index == funding.index)
    return after.carry, basis


@fits("aggregated", "512 samples up to 2^33", "FUND-2", strength=Strength.BOUNDED)
def fits_aggregated(path: Any) -> Any:
    """A mean of as many samples as a market keeps; a median adds two."""
    in_128_bits(path)
    samples = tuple(path.atom(f"sample {number}", -RATIO_MAX, RATIO_MAX) for number in range(SAMPLES_MAX))
    return aggregated(samples, parameters_of(path, min_samples=1, aggregation=Aggregation.MEAN))


@fits("funding_rate", "parameters in range and a premium up to 2^33", "FUND-3")
def fits_funding_rate(path: Any) -> Any:
    """Sums only."""
    in_128_bits(path)
    return funding_rate(path.atom("premium", -RATIO_MAX, RATIO_MAX), parameters_of(path))


@fits("accrued", "a rate within one, a price and a time in range, and a carry within INV-9", "FUND-4", "INV-9")
def fits_accrued(path: Any) -> Any:
    """Rate times price times seconds, and the carry."""
    in_128_bits(path)
    before = record(path, carry=path.atom("carry", 0, SCALE * DURATION_MAX))
    after = accrued(before, *interval(path), path.atom("period", 1, DURATION_MAX))
    return after.index, after.carry


@fits("funding_owed", "a size and indices within INV-9", "FUND-6", "INV-9")
def fits_funding_owed(path: Any) -> Any:
    """Size times the step of an index."""
    in_128_bits(path)
    size, index = path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("index", -INDEX_MAX, INDEX_MAX)
    return funding_owed(Position(size, 0, path.atom("settled", -INDEX_MAX, INDEX_MAX), 0), index)


@fits("haircut_owed", "a size and indices within INV-9", "FALL-9", "INV-9")
def fits_haircut_owed(path: Any) -> Any:
    """Size times the step of an index."""
    in_128_bits(path)
    size, settled = path.atom("size", -SIZE_MAX, SIZE_MAX), path.atom("settled", 0, INDEX_MAX)
    long, short = path.atom("long", 0, INDEX_MAX), path.atom("short", 0, INDEX_MAX)
    return haircut_owed(Position(size, 0, 0, settled), Funding(0, 0, 0, (), long, short, 0))
