"""Clearinghouses that believe prices wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "stale-source-counted",
    (
        "oracle",
        "if post is None or time - post.time > feed.max_age:",
        "if post is None:",
    ),
    story="The latest price of a source counts however old it is.",
)

wrong(
    "quorum-of-one",
    (
        "oracle",
        "return median(prices) if len(prices) >= feed.quorum else 0",
        "return median(prices) if prices else 0",
    ),
    story="One fresh source is enough: while the honest ones are late, the faulty one sets the price.",
)

wrong(
    "mean-for-median",
    (
        "oracle",
        "return median(prices) if",
        "return div_floor(sum(prices), max(1, len(prices))) if",
    ),
    story="Sources are averaged, and one faulty source moves the index as far as it likes.",
)

wrong(
    "band-rejects",
    (
        "oracle",
        "    if candidate > 0:\n        moved",
        "    if candidate > 0 and (\n"
        "        feed.index == 0\n"
        "        or banded(candidate, feed.index, feed.parameters.band, feed.parameters.max_price) == candidate\n"
        "    ):\n"
        "        moved",
    ),
    story=(
        "A price outside the band is thrown away instead of clamped: the index stays at 100 while the world is at 80."
    ),
)

wrong(
    "band-rolls-with-every-price",
    (
        "oracle",
        "rolls = time >= feed.anchor_time + parameters.step_interval",
        "rolls = True",
    ),
    story="Each price moves the anchor, so that ten prices in a second move the index by ten bands.",
)

wrong(
    "confidence-ignored",
    (
        "oracle",
        "return post.confidence <= mul_floor(post.price, feed.confidence)",
        "return True",
    ),
    story="A source that says itself that it does not know is believed.",
)

wrong(
    "smoothing-floored",
    (
        "oracle",
        "return basis_sum - div_floor(basis_sum, window) + sample",
        "return div_floor(basis_sum - div_floor(basis_sum, window) + sample, window) * window",
    ),
    story="The moving average is kept rounded: it sticks short of its target and never arrives.",
)

wrong(
    "basis-without-a-band",
    (
        "oracle",
        "basis = clamp(div_floor(basis_sum, parameters.window), -width, width)",
        "basis = div_floor(basis_sum, parameters.window)",
    ),
    story="The book moves the mark as far as it likes.",
)

wrong(
    "premium-divided-by-the-mid",
    (
        "oracle",
        "return clamp(div_to_zero(premium * SCALE, index), -SCALE, SCALE)",
        "return clamp(div_to_zero(premium * SCALE, max(1, div_floor(bid + ask, 2))), -SCALE, SCALE)",
    ),
    story="The premium is a ratio of the book's own middle instead of the index.",
)

wrong(
    "samples-without-spacing",
    (
        "oracle",
        "    require(ctx.time >= mark.sample_time + spacing, Reason.SAMPLE_TOO_SOON, action.market)\n",
        "",
    ),
    story="A venue posts six hundred samples in a second and makes mark and funding what it likes.",
)

wrong(
    "anyone-posts-prices",
    (
        "oracle",
        "    require(ctx.actor in feed.parameters.sources, Reason.UNAUTHORISED, ctx.actor)\n",
        "",
    ),
    story="Whoever calls is a source.",
    incident="Drift, April 2026: worthless collateral was listed with an oracle that the attacker controlled.",
)

wrong(
    "band-below-an-atom-sticks",
    (
        "oracle",
        "width = max(1, mul_floor(anchor, band))",
        "width = mul_floor(anchor, band)",
    ),
    story="A band that rounds to nothing holds a low price for ever.",
)

wrong(
    "variation-mark-never-rolls",
    (
        "oracle",
        "    elif ctx.time >= before.variation_time + interval:\n",
        "    elif False:\n",
    ),
    story="The variation-margin mark stays where it began, so that a haircut takes gains of years ago.",
)
