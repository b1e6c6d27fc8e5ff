"""Clearinghouses that let their parameters go wrong."""

from clearspec_conformance.mutants import wrong

wrong(
    "envelope-not-checked",
    (
        "listing",
        "    for violation in listing_violations(ctx.state, listing, lowest):\n"
        "        raise Rejected(Reason.OUTSIDE_ENVELOPE, violation.inequality)\n",
        "",
    ),
    story=(
        "Parameters change to whatever an administrator sends: a penalty above the maintenance ratio makes every "
        "liquidation a loss."
    ),
)

wrong(
    "gap-without-the-penalty",
    ("parameters", "mul_ceil(SCALE + penalty, SCALE + basis) + funding)", "SCALE + basis + funding)"),
    story="The maintenance ratio covers the move of the price, but not the penalty that is taken on top of it.",
)

wrong(
    "gap-without-the-half-step",
    (
        "parameters",
        "rise = mul_ceil(grown(band, steps + 1), mul_ceil(",
        "rise = mul_ceil(grown(band, steps), mul_ceil(",
    ),
    story="The index is taken to start a step at its anchor; it may stand a band away on the other side.",
)

wrong(
    "ramp-from-the-new-parameters",
    (
        "listing",
        "ramp = max(action.parameters.margin.ramp, market.listing.parameters.margin.ramp)",
        "ramp = action.parameters.margin.ramp",
    ),
    story="The change itself says how slowly it arrives: with a ramp of a second it arrives at once.",
)

wrong(
    "ramp-over-ramp",
    (
        "listing",
        "    require(ctx.time >= market.ramp_end, Reason.RAMP_IN_PROGRESS, action.market)\n",
        "",
    ),
    story="A second change during a ramp starts from a requirement that was never in force.",
)

wrong(
    "ramp-without-notice",
    (
        "listing",
        "end = ctx.time + ramp if hastened or not same_tiers else ctx.time",
        "end = ctx.time + ramp if not same_tiers else ctx.time",
    ),
    story="One event shortens the ramp and the next one in the same second uses it.",
)

wrong(
    "funding-changed-in-arrears",
    (
        "listing",
        "    require(allowed, Reason.FUNDING_NOT_ACCRUED, action.market)\n",
        "",
    ),
    story="New funding parameters hold for the time that has already passed.",
)

wrong(
    "smoothing-window-not-rescaled",
    (
        "listing",
        "basis_sum = div_floor(mark.basis_sum * after.mark.window, before.mark.window)",
        "basis_sum = mark.basis_sum",
    ),
    story="A shorter smoothing window multiplies the basis that is in the mark.",
)

wrong(
    "funding-remainder-not-rescaled",
    (
        "listing",
        "carry = div_floor(funding.carry * after.funding.period, before.funding.period)",
        "carry = funding.carry",
    ),
    story="The carried remainder keeps its number while its divisor changes.",
)

wrong(
    "settled-market-changed",
    (
        "listing",
        "    require(not settled, Reason.STATUS_NOT_ALLOWED, action.market)\n",
        "",
    ),
    story="Parameters of a market in final settlement change.",
)

wrong(
    "settlement-window-moved",
    (
        "listing",
        '    require(listing.expiry == 0 or same_window, Reason.OUTSIDE_ENVELOPE, "settlement-window-fixed")\n',
        "",
    ),
    story="A window that is shortened inside itself multiplies the settlement price.",
)

wrong(
    "stale-rate-changed-while-stale",
    (
        "listing",
        "    require(same_age or is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n",
        "",
    ),
    story="The penalty on stale positions is raised while the market is stale, and takes their equity at once.",
)

wrong(
    "market-listed-twice",
    (
        "listing",
        "    require(listing.market not in ctx.state.markets, Reason.MARKET_EXISTS, listing.market)\n",
        "",
    ),
    story="Listing a market again wipes out its prices, its funding and its open interest.",
)
