"""Clearinghouses that liquidate wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "penalty-exceeds-equity",
    (
        "liquidation",
        "return min(mul_floor(value, ratio), div_floor(worth * value, notional_held))",
        "return mul_floor(value, ratio)",
    ),
    story="The penalty is charged whole, and the liquidation itself makes the account insolvent.",
)

wrong(
    "penalty-on-all-of-equity",
    (
        "liquidation",
        "div_floor(worth * value, notional_held))",
        "worth)",
    ),
    story="Each piece may cost all that is left: many small pieces take more than one large one.",
)

wrong(
    "buffer-zero",
    (
        "liquidation",
        "account.maintenance + mul_ceil(account.maintenance, buffer) - account.margin_equity",
        "account.maintenance - account.margin_equity",
    ),
    story="A liquidation stops at the maintenance requirement, and the next tick starts it again.",
    incident="In Drift v2 a buffer of zero leaves the requirement for the exit at zero.",
)

wrong(
    "two-rounding-atoms-forgotten",
    (
        "liquidation",
        "closed = div_ceil((shortfall + 2) * SCALE, maintenance - penalty)",
        "closed = div_ceil(shortfall * SCALE, maintenance - penalty)",
    ),
    story="The restoring size ignores that two requirements round up, and the account stays liquidatable by an atom.",
)

wrong(
    "restoring-size-ignores-the-penalty",
    (
        "liquidation",
        "closed = div_ceil((shortfall + 2) * SCALE, maintenance - penalty)",
        "closed = div_ceil((shortfall + 2) * SCALE, maintenance)",
    ),
    story="What the penalty costs is not made good: every step leaves a shortfall.",
)

wrong(
    "critical-health-ignored",
    (
        "liquidation",
        "if is_critical(account, rules.critical_health):",
        "if False:",
    ),
    story="The close factor holds below critical health too, and the account goes under in small steps.",
)

wrong(
    "close-factor-ignored",
    (
        "liquidation",
        "return min(size, max(rules.minimum, min(wanted, mul_ceil(size, rules.close_factor))))",
        "return min(size, max(rules.minimum, wanted))",
    ),
    story="One step may close everything.",
)

wrong(
    "dust-pieces-allowed",
    (
        "liquidation",
        "    require(large_enough, Reason.SIZE_BELOW_MINIMUM, action.account)\n",
        "",
    ),
    story="Pieces below the minimum are taken, each with a reward for its rounding.",
)

wrong(
    "reward-from-the-whole-penalty",
    (
        "liquidation",
        "return min(mul_floor(value, ratio), penalty)",
        "return penalty",
    ),
    story="The liquidator takes the part of the penalty that belongs to the insurance fund.",
)

wrong(
    "reward-floor-without-a-budget",
    (
        "liquidation",
        "return min(wanted, max(0, rules.reward_budget - spent), max(0, fund))",
        "return min(wanted, max(0, fund))",
    ),
    story="The insured floor of the reward has no budget: liquidating own small accounts drains the fund.",
)

wrong(
    "budget-never-renewed",
    (
        "liquidation",
        "return Budget(time, 0, 0) if time >= budget.start + interval else budget",
        "return budget",
    ),
    story="Once spent, a budget stays spent for ever.",
)

wrong(
    "healthy-account-liquidated",
    (
        "liquidation",
        "    require(is_liquidatable(before), Reason.NOT_LIQUIDATABLE, action.account)\n",
        "",
    ),
    story="Whoever asks may close a healthy account's position and be paid for it.",
)

wrong(
    "default-liquidated",
    (
        "liquidation",
        "    require(before.net_liquidation_value >= 0, Reason.IN_DEFAULT, action.account)\n",
        "",
    ),
    story="An account in default is liquidated into its counterparty, who so escapes the tear-up.",
)

wrong(
    "anyone-liquidates-into-any-account",
    (
        "liquidation",
        "    require(may_act_for(ctx, action.liquidator), Reason.UNAUTHORISED, ctx.actor)\n",
        "",
    ),
    story="A stranger names somebody else's account as the liquidator and fills it with bad positions.",
    incident="JELLY on Hyperliquid, March 2025: a vault took over a position that it could not refuse.",
)

wrong(
    "liquidator-without-margin",
    (
        "liquidation",
        "    require(fill_allowed(ctx, liquidator, after), Reason.INSUFFICIENT_MARGIN, liquidator)\n",
        "",
    ),
    story="The liquidator takes over a position that it cannot carry.",
)

wrong(
    "restoring-size-on-the-new-ratio",
    (
        "liquidation",
        "return min(lowest, market.before.margin.tiers[0].maintenance) if time < market.ramp_end else lowest",
        "return lowest",
    ),
    story="During a ramp the size is computed from the ratio that is still to come, and too little is closed.",
)
