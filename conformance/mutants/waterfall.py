"""Clearinghouses that allocate losses wrongly."""

from clearspec_conformance.mutants import wrong

wrong(
    "waterfall-order-swapped",
    (
        "waterfall",
        "    for layer in funds:\n        case.borne",
        "    for layer in funds[::-1]:\n        case.borne",
    ),
    story="Skin in the game pays before the insurance fund, whatever order the pool has set.",
)

wrong(
    "insurance-paid-last",
    (
        "waterfall",
        "    for layer in funds:\n        case.borne[layer.value] = bear(ctx, case, layer)\n",
        "",
    ),
    (
        "waterfall",
        "    for layer in pool.layers[len(funds) :]:\n",
        "    for layer in (*funds, *pool.layers[len(funds) :]):\n",
    ),
    story="Positions close before the insurance fund has paid: for a moment the pool owes more than it holds.",
    incident=(
        "dYdX v4, 10 October 2025: collateral left an isolated pool before the insurance payment came in; halted "
        "for eight hours."
    ),
)

wrong(
    "tear-up-before-insurance",
    (
        "waterfall",
        "    for layer in funds:\n        case.borne[layer.value] = bear(ctx, case, layer)\n",
        "",
    ),
    (
        "waterfall",
        "    for layer in pool.layers[len(funds) :]:\n",
        "    for layer in (*pool.layers[len(funds) :], *funds):\n",
    ),
    story="Counterparties pay while the insurance fund is full.",
)

wrong(
    "insurance-without-a-market-cap",
    (
        "waterfall",
        "amount = draw_pool_insurance(ctx, pool, min(part, room), credit)",
        "amount = draw_pool_insurance(ctx, pool, part, credit)",
    ),
    story="One market's deficits empty the fund that all markets share.",
    incident="YFI on dYdX v3, November 2023: one market took two fifths of the insurance fund.",
)

wrong(
    "insurance-without-a-pool-cap",
    (
        "waterfall",
        "amount = draw_fund(ctx, pool, Kind.INSURANCE_FUND, min(deficit, room), credit)",
        "amount = draw_fund(ctx, pool, Kind.INSURANCE_FUND, deficit, credit)",
    ),
    story="Deficits spread over many markets pass every market's cap and empty the fund.",
)

wrong(
    "market-budget-not-charged",
    (
        "waterfall",
        "state.budgets.put(market, replace(budget, deficits=budget.deficits + amount))",
        "state.budgets.put(market, budget)",
    ),
    story="The market's cap holds for one draw instead of for an interval.",
)

wrong(
    "ranking-ignores-the-side",
    (
        "waterfall",
        "if (position.size > 0) == (size > 0) or position.size == 0:",
        "if position.size == 0:",
    ),
    story="Accounts on the defaulter's own side are torn up, and their positions grow.",
)

wrong(
    "wrong-sign-for-shorts",
    (
        "waterfall",
        "score = rank_score(part.at_mark, position.cost, part.notional, held.margin_equity)",
        "sign = 1 if position.size > 0 else -1\n"
        "        score = rank_score(sign * part.at_mark, position.cost, part.notional, held.margin_equity)",
    ),
    story="Shorts are ranked by loss instead of by profit.",
    incident=(
        "Hyperliquid's published index (mark over entry) falls as a short wins; how the sign is handled is not said."
    ),
)

wrong(
    "loser-ranked-by-leverage",
    (
        "waterfall",
        "    if profit <= 0:\n        return rate\n",
        "",
    ),
    story="A loser's rank is multiplied by its leverage like a winner's, so that the order among losers is another.",
)

wrong(
    "ranked-from-the-bottom",
    (
        "waterfall",
        "scored.append((held.margin_equity <= held.maintenance, -score, ordinal, account))",
        "scored.append((held.margin_equity <= held.maintenance, score, ordinal, account))",
    ),
    story="The counterparty that gained least is torn up first.",
)

wrong(
    "tear-up-of-the-whole-queue",
    (
        "waterfall",
        "piece = min(left, abs(held_size(ctx, other, market_id)))",
        "piece = abs(held_size(ctx, other, market_id))",
    ),
    story="The last counterparty is torn up whole, and the defaulter ends on the other side of the market.",
    incident="10 October 2025: deleveraging closed far more than the deficits asked for.",
)

wrong(
    "tear-up-charge-without-a-bound",
    (
        "waterfall",
        "charged = min(deficit, total)",
        "charged = deficit",
    ),
    story="Counterparties are charged the whole deficit, whatever they can bear.",
)

wrong(
    "tear-up-charges-all-equity",
    (
        "waterfall",
        "return max(0, held.margin_equity - held.maintenance)",
        "return max(0, held.margin_equity)",
    ),
    story="A counterparty is charged down to nothing, and is liquidatable the moment after.",
)

wrong(
    "shares-rounded-one-by-one",
    (
        "waterfall",
        "charge = cumulative_share(charged, before, before + room, max(1, total))",
        "charge = div_floor(charged * room, max(1, total))",
    ),
    story="Each share is rounded by itself, and the atoms that are lost have no owner.",
)

wrong(
    "haircut-beyond-the-gain",
    (
        "waterfall",
        "return min(div_floor(share, lots), max(0, gain), INDEX_MAX - index)",
        "return min(div_floor(share, lots), INDEX_MAX - index)",
    ),
    story="The haircut takes more than the winning side has gained.",
)

wrong(
    "haircut-taken-twice",
    (
        "waterfall",
        "taken = funding.haircut_since_variation + step",
        "taken = funding.haircut_since_variation",
    ),
    story="A second default between two variation-margin marks takes the same gain again.",
)

wrong(
    "dust-to-nobody",
    (
        "waterfall",
        "    seize_collateral_dust(ctx, pool, account)\n",
        "",
    ),
    story="Collateral dust is counted as nothing in the deficit and left with the account that defaulted.",
)

wrong(
    "dust-holds-up-a-default",
    (
        "waterfall",
        "require(held.collateral <= pool.dust, Reason.COLLATERAL_REMAINS, account)",
        "require(held.collateral == 0, Reason.COLLATERAL_REMAINS, account)",
    ),
    story="One atom of collateral, sent by a stranger, holds up a default.",
)

wrong(
    "uncovered-loss-forgotten",
    (
        "waterfall",
        '    post(state, ctx.postings, loss, user(pool.settlement_asset, pool.pool, account), uncovered, "FALL-10")\n',
        "",
    ),
    story="What no layer bears stays as the debt of an account that nobody will ever pay.",
)

wrong(
    "default-by-margin-equity",
    (
        "waterfall",
        "require(held.net_liquidation_value < 0, Reason.NOT_IN_DEFAULT, account)",
        "require(held.margin_equity < 0, Reason.NOT_IN_DEFAULT, account)",
    ),
    story="An account whose collateral covers its debt, haircut aside, is put into default.",
)
