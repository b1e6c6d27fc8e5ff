"""Clearinghouses that novate wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "self-trade-allowed",
    (
        "trading",
        "require_distinct(action.buyer, action.seller)\n",
        "pass\n",
    ),
    story="An account trades with itself and writes its own position twice.",
)

wrong(
    "fees-dropped",
    (
        "trading",
        '    post(state, postings, user(asset, pool.pool, taker), treasury, taker_fee, "TRADE-7")\n',
        "",
    ),
    story="The taker's fee is reported and never charged.",
)

wrong(
    "rebate-from-insurance",
    (
        "trading",
        'post(state, postings, user(asset, pool.pool, maker), treasury, maker_fee, "TRADE-7")',
        "post(state, postings, user(asset, pool.pool, maker), house(asset, pool.pool, Kind.INSURANCE_FUND), "
        'maker_fee, "TRADE-7")',
    ),
    story="Rebates are paid out of the insurance fund instead of out of the taker's fee.",
)

wrong(
    "fee-rounded-down",
    (
        "trading",
        "taker_fee, maker_fee = mul_ceil(value, trading.taker_fee), mul_ceil(value, trading.maker_fee)",
        "taker_fee, maker_fee = mul_floor(value, trading.taker_fee), mul_floor(value, trading.maker_fee)",
    ),
    story=(
        "Fees are rounded down and rebates up, so that a stream of tiny fills trades free of charge and is paid for it."
    ),
)

wrong(
    "maker-and-taker-exchanged",
    (
        "trading",
        "taker, maker = parties if action.maker == Side.SELLER else parties[::-1]",
        "taker, maker = parties if action.maker == Side.BUYER else parties[::-1]",
    ),
    story="The maker pays the taker's fee.",
)

wrong(
    "position-cap-ignored",
    (
        "trading",
        "    require(not grew or abs(after) <= trading.max_position, Reason.POSITION_CAP_EXCEEDED, account)\n",
        "",
    ),
    story="No cap on a position: one account owns the market and its liquidation moves it.",
    incident="JELLY on Hyperliquid, March 2025: a position out of proportion to what the market traded.",
)

wrong(
    "open-interest-cap-ignored",
    (
        "trading",
        "    require_open_interest(ctx, market, interest, trading)\n",
        "",
    ),
    story="No cap on open interest.",
    incident="YFI on dYdX v3, November 2023: open interest went from 0.8 to 67 million in a few days.",
)

wrong(
    "open-interest-counts-shorts",
    (
        "trading",
        "change = max(0, bought[1]) - max(0, bought[0]) + max(0, sold[1]) - max(0, sold[0])",
        "change = abs(bought[1]) - abs(bought[0]) + abs(sold[1]) - abs(sold[0])",
    ),
    story="Both sides are counted, and open interest is twice what it is.",
)

wrong(
    "cost-released-away-from-zero",
    (
        "trading",
        "released = div_to_zero(cost * closing, abs(size))",
        "released = div_floor(cost * closing, abs(size))",
    ),
    story="Closing part of a short releases an atom of cost too much, and equity moves without a price.",
)

wrong(
    "flip-keeps-the-old-cost",
    (
        "trading",
        "after = replace_fill(position, size + delta, cost - released + notional(opened, price))",
        "after = replace_fill(position, size + delta, cost - released)",
    ),
    story="A fill through zero opens the new position at no cost.",
)

wrong(
    "band-not-checked",
    (
        "trading",
        "    require(inside, Reason.PRICE_OUTSIDE_BAND, action.market)\n",
        "",
    ),
    story="A fill at any price is novated, and an account hands its equity to another.",
)

wrong(
    "stale-market-trades",
    (
        "trading",
        "    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n",
        "",
    ),
    story="Fills are taken while the price is stale, at a mark that everybody knows to be wrong.",
)

wrong(
    "funding-not-settled-by-a-fill",
    (
        "trading",
        '    post(state, ctx.postings, cash, against, funding_owed(position, funding.index), "FUND-6")\n',
        "",
    ),
    story="A fill moves the position's index on without paying the funding that is owed.",
)

wrong(
    "reduce-only-lets-a-flip-through",
    (
        "trading",
        "return 0 <= after <= before or before <= after <= 0",
        "return abs(after) <= abs(before)",
    ),
    story="In a reduce-only market a long of 10 may become a short of 10.",
)

wrong(
    "reduce-only-for-one-side",
    (
        "trading",
        "allowed = market.status == MarketStatus.ACTIVE or reduces(start, end)",
        "allowed = market.status == MarketStatus.ACTIVE or reduces(start, end) or account == action.seller",
    ),
    story="Reduce-only is checked for the buyer alone.",
)

wrong(
    "fill-checks-one-side",
    (
        "trading",
        "require(fill_allowed(ctx, account, after), Reason.INSUFFICIENT_MARGIN, account)",
        "require(account == action.seller or fill_allowed(ctx, account, after), Reason.INSUFFICIENT_MARGIN, account)",
    ),
    story="Only the taker's margin is checked; the maker's order was good when it was placed.",
)

wrong(
    "margin-before-caps",
    (
        "trading",
        "    require_open_interest(ctx, market, interest, trading)\n"
        "    for account, (start, end) in zip(parties, sizes, strict=True):\n",
        "    for account, (start, end) in zip(parties, sizes, strict=True):\n"
        "        require_open_interest(ctx, market, interest, trading) if fill_allowed(ctx, account, standing(ctx, "
        "account)) else None\n",
    ),
    story="Margin is checked before the cap on open interest: the first of two broken rules is another one.",
)

wrong(
    "balance-limit-for-no-fill",
    (
        "trading",
        "    require(exempt or cash >= -limit, Reason.NEGATIVE_BALANCE_LIMIT, account)\n",
        "    pass\n",
    ),
    story=(
        "A settlement balance may go as far below zero as collateral allows: fills with an own account draw out "
        "other people's money."
    ),
)

wrong(
    "expired-future-trades",
    (
        "trading",
        "return open_status and (expiry == 0 or ctx.time < expiry)",
        "return open_status",
    ),
    story="A future trades on after its expiry, at a price that is already known.",
)

wrong(
    "delisted-market-reopens",
    (
        "trading",
        "action.status in ALLOWED_STATUS and not reopens",
        "action.status in ALLOWED_STATUS",
    ),
    story="A delisted market is made active again, and its expiry finds new positions in it.",
)
