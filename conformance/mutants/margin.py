"""Clearinghouses that measure margin wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "requirement-rounded-down",
    (
        "margin",
        "return div_ceil(initial, SCALE), div_ceil(maintenance, SCALE)",
        "return div_floor(initial, SCALE), div_floor(maintenance, SCALE)",
    ),
    story="Requirements are rounded in the user's favour, so that small positions need no margin at all.",
    incident="Drift v2 rounds requirements down (public report 2146 of March 2026).",
)

wrong(
    "requirement-rounded-per-tier",
    (
        "margin",
        "initial += part * tier.initial",
        "initial += div_ceil(part * tier.initial, SCALE) * SCALE",
    ),
    story="Each tier is rounded up by itself, so that a position pays an atom for every tier that it spans.",
)

wrong(
    "exact-quotient-plus-one",
    (
        "numerics",
        'plus infinity. ``divisor`` is positive."""\n    return -((-numerator) // divisor)',
        'plus infinity. ``divisor`` is positive."""\n    return numerator // divisor + 1',
    ),
    story="Rounding up adds one even where the division is exact.",
    incident="Drift v2's spot balances add one to exact divisions when they round up.",
)

wrong(
    "highest-tier-for-all",
    (
        "margin",
        "maintenance += part * tier.maintenance",
        "maintenance = value * tier.maintenance if part > 0 else maintenance",
    ),
    story=(
        "The ratio of the highest tier reached applies to the whole notional, so that one lot more doubles the "
        "requirement."
    ),
)

wrong(
    "liquidatable-at-equality",
    (
        "margin",
        "return account.margin_equity < account.maintenance",
        "return account.margin_equity <= account.maintenance",
    ),
    story="An account whose equity just equals its maintenance requirement is liquidated.",
)

wrong(
    "initial-margin-strict",
    (
        "margin",
        "return account.initial_equity >= account.initial",
        "return account.initial_equity > account.initial",
    ),
    story=(
        "Equity that just covers initial margin is refused, so that the greatest order that a page shows always fails."
    ),
)

wrong(
    "haircut-on-the-wrong-side",
    (
        "margin",
        "return mul_floor(worth, SCALE - terms.haircut), index_value(",
        "return mul_floor(worth, SCALE + terms.haircut), index_value(",
    ),
    story="The haircut is added to the worth of collateral instead of taken from it.",
)

wrong(
    "haircut-decides-default",
    (
        "margin",
        "cash + collateral + at_mark,",
        "cash + haircut_value + at_mark,",
    ),
    story="Default is decided after the haircut, so that an account whose collateral covers its debt is wiped out.",
)

wrong(
    "no-haircut-in-margin",
    (
        "margin",
        "realised = cash + haircut_value",
        "realised = cash + collateral",
    ),
    story="Collateral counts at index for margin, and the fall that the haircut was for becomes bad debt.",
)

wrong(
    "stale-price-at-face-value",
    (
        "margin",
        "at_risk = at_mark if ctx.time <= mark.fresh_until else at_mark - stale_penalty",
        "at_risk = at_mark if True else at_mark - stale_penalty",
    ),
    story="A position in a market whose price has stopped is valued at the last price for ever.",
    incident="dYdX v4, October 2025: after a halt, accounts were liquidated on stale oracle prices.",
)

wrong(
    "stale-penalty-on-the-wrong-side",
    (
        "oracle",
        "return price - mul_ceil(price, width) if size >= 0 else price + mul_ceil(price, width)",
        "return price + mul_ceil(price, width) if size >= 0 else price - mul_ceil(price, width)",
    ),
    story="A stale position is valued at the best price in the band, so that a dead feed lends money.",
)

wrong(
    "profit-counts-whole",
    (
        "margin",
        "return min(cap, mul_floor(min(unrealised, PROFIT_MAX), weight))",
        "return unrealised",
    ),
    story="Unrealised profit counts whole towards new risk: a pumped price carries ever larger positions.",
    incident="YFI and SUSHI on dYdX v3, November 2023: recycled profit, 9 million of the insurance fund lost.",
)

wrong(
    "profit-withdrawn-like-cash",
    (
        "margin",
        "return account.margin_equity - account.unrealised + counted",
        "return account.margin_equity",
    ),
    story="Unrealised profit may be withdrawn, and the position left behind is too thin to close.",
    incident="Hyperliquid, 12 March 2025: 17 million withdrawn against an open profit, 4 million lost by the vault.",
)

wrong(
    "withdrawal-margin-ignored",
    (
        "margin",
        "least = max(after.initial, mul_ceil(after.notional, pool.withdrawal_margin))",
        "least = after.initial",
    ),
    story="An outflow need leave no more than initial margin, whatever the share of notional that must stay.",
    incident="Hyperliquid added the share of notional after 12 March 2025.",
)

wrong(
    "open-interest-moves-maintenance",
    (
        "margin",
        "return max(initial, maintenance), maintenance",
        "return max(initial, maintenance), max(initial, maintenance)",
    ),
    story=(
        "What raises initial margin raises maintenance too: open interest between two own accounts liquidates a "
        "stranger."
    ),
)

wrong(
    "initial-below-maintenance",
    (
        "margin",
        "return max(initial, maintenance), maintenance",
        "return initial, maintenance",
    ),
    story="While maintenance ramps down, initial margin may lie below it: a position is liquidatable as it opens.",
)

wrong(
    "ramp-ignored",
    (
        "margin",
        "if time < market.ramp_end:",
        "if False:",
    ),
    story="A tighter maintenance requirement applies at once, and accounts are liquidated without a warning.",
)

wrong(
    "health-by-difference",
    (
        "margin",
        "return bounded(after.margin_equity) * before.maintenance >= bounded(before.margin_equity) * after.maintenance",
        "return after.margin_equity - after.maintenance >= before.margin_equity - before.maintenance",
    ),
    story=(
        "A fill below initial margin is judged by equity less requirement, so that equity can be given away while "
        "it shrinks."
    ),
)

wrong(
    "default-fills-its-way-out",
    (
        "margin",
        "if after.maintenance > before.maintenance or after.net_liquidation_value < 0:",
        "if after.maintenance > before.maintenance:",
    ),
    story="An account in default may still fill, so that its counterparty closes out before the loss is shared.",
)

wrong(
    "insolvent-may-sink",
    (
        "margin",
        "return after.margin_equity >= before.margin_equity",
        "return True",
    ),
    story="An account with negative equity may fill at any price as long as its position shrinks.",
)

wrong(
    "claims-at-face-value",
    (
        "margin",
        "if settlement.collected else claim",
        "if False else claim",
    ),
    story="A claim on a market that cannot pay it whole still counts whole: it is lent against and withdrawn.",
)
