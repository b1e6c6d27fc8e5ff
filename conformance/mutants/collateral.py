"""Clearinghouses that take in and pay out wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "withdrawal-ignores-margin",
    (
        "collateral",
        "    require(outflow_allowed(after, pool), Reason.BELOW_INITIAL_MARGIN, account)\n",
        "",
    ),
    story="Margin may be withdrawn from under an open position.",
    incident=(
        "Drift v1, 11 May 2022: users withdrew more than they were entitled to; 8.72 million left in twelve hours."
    ),
)

wrong(
    "withdraws-the-funds",
    (
        "collateral",
        "require(custody_of_users(ctx.state, asset, pool.pool) >= amount, Reason.INSUFFICIENT_CUSTODY, pool.pool)",
        "require(custody_held(ctx.state, asset, pool.pool) >= amount, Reason.INSUFFICIENT_CUSTODY, pool.pool)",
    ),
    story="Winners who are first at the door are paid out of the insurance fund.",
)

wrong(
    "isolated-pool-leaks",
    (
        "collateral",
        "require(custody_of_users(ctx.state, asset, pool.pool) >= amount, Reason.INSUFFICIENT_CUSTODY, pool.pool)",
        "held = sum(custody_of_users(ctx.state, asset, other) for other in ctx.state.pools)\n"
        "    require(held >= amount, Reason.INSUFFICIENT_CUSTODY, pool.pool)",
    ),
    story="What all pools hold together is asked for, so that winners of one pool are paid with the money of another.",
    incident="dYdX v4 gates withdrawals per pool since change 1208: before, one pool's loss was everybody's.",
)

wrong(
    "transfer-without-the-gate",
    (
        "collateral",
        "        require_custody(ctx, origin, action.asset, action.amount)\n",
        "",
    ),
    story="A transfer to another pool is a way around the gate on withdrawals.",
)

wrong(
    "gate-never-opens",
    (
        "collateral",
        "return uncovered_loss(ctx.state, pool.pool) > pool.gate_threshold",
        "return uncovered_loss(ctx.state, pool.pool) >= pool.gate_threshold",
    ),
    story="With a threshold of zero the gate is shut even when no loss is left.",
)

wrong(
    "gate-never-shuts",
    (
        "collateral",
        "    require(not is_gated(ctx, pool), Reason.WITHDRAWALS_GATED, pool.pool)\n",
        "",
    ),
    story="Whoever is quick leaves the loss to the others.",
    incident="dYdX v4 added the gate in 2024: accounts below zero could drain the pool.",
)

wrong(
    "deposit-cap-ignored",
    (
        "collateral",
        "    require(held + amount <= cap, Reason.DEPOSIT_CAP_EXCEEDED, asset)\n",
        "",
    ),
    story="A pool takes any amount of a thin asset as collateral.",
    incident="Drift, April 2026: a worthless token was deposited as collateral without limit.",
)

wrong(
    "balance-limit-ignored",
    (
        "collateral",
        "    require(after.cash >= -pool.negative_balance_limit, Reason.NEGATIVE_BALANCE_LIMIT, account)\n",
        "",
    ),
    story="Collateral is lent against in cash: the settlement balance goes as far below zero as margin allows.",
)

wrong(
    "conversion-without-need",
    (
        "collateral",
        "    require(need > 0, Reason.NOT_CONVERTIBLE, action.account)\n",
        "",
    ),
    story="A keeper buys a healthy account's collateral at a discount.",
)

wrong(
    "conversion-of-everything",
    (
        "collateral",
        "    require(smaller < need, Reason.CONVERSION_TOO_LARGE, action.account)\n",
        "",
    ),
    story="A debt of one atom sells all of the collateral at a discount.",
)

wrong(
    "conversion-rounded-against-the-account",
    (
        "collateral",
        "return div_ceil(amount * price * (SCALE - terms.discount), terms.unit * SCALE)",
        "return div_floor(amount * price * (SCALE - terms.discount), terms.unit * SCALE)",
    ),
    story="Converting an atom at a time, each worth less than one, takes collateral for nothing.",
)

wrong(
    "owner-not-checked",
    (
        "events",
        "    require(ctx.state.accounts[account].owner == ctx.actor, Reason.UNAUTHORISED, ctx.actor)\n",
        "    pass\n",
    ),
    story="Anybody withdraws from any account.",
)

wrong(
    "loss-covered-twice",
    (
        "collateral",
        "    require(action.amount <= outstanding, Reason.EXCEEDS_UNCOVERED_LOSS, action.pool)\n",
        "",
    ),
    story="More is paid in than was lost, and the surplus belongs to nobody.",
)

wrong(
    "backstop-squatted",
    (
        "collateral",
        "            require_administrator(ctx)\n",
        "",
    ),
    story="A stranger opens the account that is to be the backstop, and takes the positions that it takes over.",
)
