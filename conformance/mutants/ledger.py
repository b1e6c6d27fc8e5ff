"""Clearinghouses that keep their books wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "one-sided-posting",
    (
        "ledger",
        "    balances.put(debit, balances.get(debit, 0) - amount)\n",
        "",
    ),
    story="A posting credits and does not debit: money out of nothing.",
)

wrong(
    "median-of-an-even-count",
    (
        "numerics",
        "return div_floor(ordered[middle - 1] + ordered[middle], 2)",
        "return ordered[middle]",
    ),
    story="The median of an even count is its upper middle value.",
    incident="dYdX v4 rounds the mean of an even count away from zero.",
)

wrong(
    "division-toward-zero",
    (
        "numerics",
        "return amount * ratio // SCALE",
        "return div_to_zero(amount * ratio, SCALE)",
    ),
    story="Rounding down is done by the machine's division, which goes toward zero for what is negative.",
)

wrong(
    "one-pool-for-all",
    (
        "ledger",
        'return (asset, pool, kind.value, "")',
        'return (asset, "main", kind.value, "")',
    ),
    story="Funds and custody are kept once for all pools: an isolated market spends everybody's insurance fund.",
    incident="dYdX v4 kept one insurance fund before isolated markets had their own.",
)
