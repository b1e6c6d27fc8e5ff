"""Clearinghouses that charge funding wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "funding-rounded-per-position",
    (
        "funding",
        "return position.size * (index - position.funding_index)",
        "return div_floor(position.size * (index - position.funding_index), 10) * 10",
    ),
    story=(
        "What each position owes is rounded by itself: the two sides no longer cancel, and a crank can shave a "
        "receiver."
    ),
    incident="dYdX v4 floored funding per position until September 2023 (change 341).",
)

wrong(
    "remainder-dropped",
    (
        "funding",
        "return replace(funding, index=index, carry=carry, samples=())",
        "return replace(funding, index=index, carry=0, samples=())",
    ),
    story="The remainder of an accrual is forgotten: funding below an atom a lot is never paid.",
    incident="Vega change 9619: seven atoms left over in a funding settlement halted the network.",
)

wrong(
    "funding-sign-reversed",
    (
        "funding",
        "return position.size * (index - position.funding_index)",
        "return position.size * (position.funding_index - index)",
    ),
    story="Longs receive when the perpetual trades above the index, and the premium feeds itself.",
)

wrong(
    "funding-on-the-mark",
    (
        "funding",
        "price = state.feeds[market.listing.feed].index",
        "price = state.marks[action.market].price",
    ),
    story="Funding is charged on the mark instead of the index, so that a pushed book is charged for twice.",
)

wrong(
    "catch-up-without-a-cap",
    (
        "funding",
        "elapsed = min(ctx.time - funding.time, parameters.max_gap)",
        "elapsed = ctx.time - funding.time",
    ),
    story="After a pause all the missed time is charged at once, at a rate that nobody saw.",
)

wrong(
    "one-interval-per-accrual",
    (
        "funding",
        "elapsed = min(ctx.time - funding.time, parameters.max_gap)",
        "elapsed = parameters.interval",
    ),
    story="An accrual charges one interval however much time has passed.",
)

wrong(
    "cap-per-interval",
    (
        "funding",
        "step, carry = divide_carry(rate * index_price * elapsed, funding.carry, SCALE * period)",
        "step, carry = divide_carry(rate * index_price, funding.carry, SCALE)",
    ),
    story="The rate holds for an interval whatever its length: a shorter interval multiplies the cap for a day.",
    incident="BitMEX caps an interval at 0.375 %; cut from eight hours to two, a day's cap goes from 1.125 % to 4.5 %.",
)

wrong(
    "rate-not-capped",
    (
        "funding",
        "return clamp(premium + interest, -parameters.cap, parameters.cap)",
        "return premium + interest",
    ),
    story="The rate has no cap.",
)

wrong(
    "samples-not-padded",
    (
        "funding",
        "padded = samples + (0,) * (parameters.min_samples - len(samples))",
        "padded = samples or (0,)",
    ),
    story="A single sample stands for the whole interval: whoever pushes the book once sets the rate.",
)

wrong(
    "samples-kept",
    (
        "funding",
        "return replace(funding, index=index, carry=carry, samples=())",
        "return replace(funding, index=index, carry=carry)",
    ),
    story="Samples of the last interval are counted again in the next.",
)

wrong(
    "damper-ignored",
    (
        "funding",
        "interest = clamp(interest - premium, -parameters.damper, parameters.damper)",
        "interest = interest - premium",
    ),
    story="The interest component pulls the rate all the way to the interest.",
)

wrong(
    "funding-accrues-on-a-stale-index",
    (
        "funding",
        "    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n",
        "",
    ),
    story="Funding is accrued on a price that has stopped.",
)

wrong(
    "haircut-taken-from-losers",
    (
        "funding",
        "side = funding.haircut_long if position.size >= 0 else funding.haircut_short",
        "side = funding.haircut_short if position.size >= 0 else funding.haircut_long",
    ),
    story="A gains haircut is taken from the side that lost.",
)
