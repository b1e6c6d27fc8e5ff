"""Clearinghouses that settle markets wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "pays-before-collecting",
    (
        "settlement",
        "    require(settlement.collected, Reason.POSITIONS_REMAIN, action.market)\n",
        "",
    ),
    story="Claims are paid as they are made: the first are paid whole and the last from what is left.",
)

wrong(
    "claim-paid-twice",
    (
        "settlement",
        "    put_position(ctx, state.accounts[action.account], action.market, 0, 0)\n    shortfall",
        "    shortfall",
    ),
    story="A claim that has been paid may be made again.",
)

wrong(
    "every-claim-its-own-factor",
    (
        "settlement",
        "paid = cumulative_share(settlement.pot, settlement.claimed, claimed, settlement.claims)",
        "paid = min(claim, settlement.pot - settlement.claimed)",
    ),
    story="First come, first served: whoever calls first is paid whole.",
)

wrong(
    "settles-at-the-last-price",
    (
        "settlement",
        "price = max(1, accrued_index(ctx, action.market, feed))",
        "price = feed.index",
    ),
    story="The settlement price is the index of the moment, which one push decides.",
)

wrong(
    "twap-without-blend",
    (
        "oracle",
        "return div_floor(accrued + feed.index * (listing.expiry - now), window)",
        "return feed.index",
    ),
    story="Inside the settlement window the mark stays at the index, and jumps to the average at expiry.",
)

wrong(
    "basis-kept-to-expiry",
    (
        "oracle",
        "return div_to_zero(basis_sum * max(0, listing.expiry - time), window)",
        "return basis_sum",
    ),
    story="The basis stays in the mark to the end, and the mark is not the settlement price at expiry.",
)

wrong(
    "twap-counts-from-the-new-price",
    (
        "oracle",
        "accrued = settlement.accrued + (held if held > 0 else feed.index) * max(0, passed)",
        "accrued = settlement.accrued + feed.index * max(0, passed)",
    ),
    story="A price counts for the time before it came, so that one late price rewrites the window.",
)

wrong(
    "settlement-without-insurance",
    (
        "settlement",
        "drawn += draw_insurance(ctx, pool, [(market, missing - drawn)], account)",
        "drawn += 0",
    ),
    story="At final settlement the winners bear what the insurance fund is there for.",
    incident="dYdX v4, 2026: the insurance funds of isolated markets were stranded at final settlement.",
)

wrong(
    "loss-forgiven-whole",
    (
        "settlement",
        "return min(loss, div_floor(",
        "return loss if deficit > 0 else min(loss, div_floor(",
    ),
    story="A loser that lacks one atom pays nothing at all.",
)

wrong(
    "settles-before-expiry",
    (
        "settlement",
        "require(0 < expiry <= ctx.time, Reason.SETTLEMENT_NOT_DUE, action.market)",
        "require(0 < expiry, Reason.SETTLEMENT_NOT_DUE, action.market)",
    ),
    story="Anyone may settle a future while its average still runs.",
)

wrong(
    "market-never-closes",
    (
        "settlement",
        "    if claimed == settlement.claims:\n        close_market(ctx, market)\n",
        "",
    ),
    story="A settled market stays in settlement for ever and keeps its place on the feed.",
)

wrong(
    "delisting-reopens-a-halted-market",
    (
        "settlement",
        "status = MarketStatus.HALTED if market.status == MarketStatus.HALTED else MarketStatus.REDUCE_ONLY",
        "status = MarketStatus.REDUCE_ONLY",
    ),
    story="Delisting a halted market lets it trade again.",
)

wrong(
    "expiry-postponed",
    (
        "settlement",
        "sooner = market.listing.expiry == 0 or expiry < market.listing.expiry",
        "sooner = True",
    ),
    story="A second delisting puts the expiry off, again and again.",
)
