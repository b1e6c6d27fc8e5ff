"""Clearinghouses that check in another order: an event that breaks two rules is rejected for the wrong one.

Two engines that disagree on the reason disagree on the receipt, and on what the user is told to mend.
"""

from clearspec_conformance.mutants import wrong

wrong(
    "order-of-open-account",
    (
        "collateral",
        "    require_pool(ctx, action.pool)\n"
        "    require(action.account not in ctx.state.accounts, Reason.ACCOUNT_EXISTS, action.account)\n",
        "    require(action.account not in ctx.state.accounts, Reason.ACCOUNT_EXISTS, action.account)\n"
        "    require_pool(ctx, action.pool)\n",
    ),
    story="An account that exists, to be opened in a pool that does not: the account is reported instead of the pool.",
)

wrong(
    "order-of-deposit",
    (
        "collateral",
        "    require_owner(ctx, action.account)\n"
        "    pool = pool_of(ctx, action.account)\n"
        "    require_inflow(ctx, pool, action.asset, action.amount)\n",
        "    pool = pool_of(ctx, action.account)\n"
        "    require_inflow(ctx, pool, action.asset, action.amount)\n"
        "    require_owner(ctx, action.account)\n",
    ),
    story="A stranger's deposit of an unknown asset is refused for the asset.",
)

wrong(
    "order-of-withdraw",
    (
        "collateral",
        "    require_holding(ctx, pool, action.account, action.asset, action.amount)\n"
        "    require_custody(ctx, pool, action.asset, action.amount)\n"
        "    # EFFECT\n"
        "    debit",
        "    require_custody(ctx, pool, action.asset, action.amount)\n"
        "    require_holding(ctx, pool, action.account, action.asset, action.amount)\n"
        "    # EFFECT\n"
        "    debit",
    ),
    story="A withdrawal of more collateral than the account holds, through a shut gate, is refused for the gate.",
)

wrong(
    "order-of-an-outflow",
    (
        "collateral",
        "    require(after.cash >= -pool.negative_balance_limit, Reason.NEGATIVE_BALANCE_LIMIT, account)\n"
        "    require(outflow_allowed(after, pool), Reason.BELOW_INITIAL_MARGIN, account)\n",
        "    require(outflow_allowed(after, pool), Reason.BELOW_INITIAL_MARGIN, account)\n"
        "    require(after.cash >= -pool.negative_balance_limit, Reason.NEGATIVE_BALANCE_LIMIT, account)\n",
    ),
    story="An outflow that breaks the balance limit and initial margin is refused for the margin.",
)

wrong(
    "order-of-transfer",
    (
        "collateral",
        "    require_account(ctx, action.target)\n"
        "    require_distinct(action.account, action.target)\n"
        "    require_owner(ctx, action.account)\n",
        "    require_account(ctx, action.target)\n"
        "    require_owner(ctx, action.account)\n"
        "    require_distinct(action.account, action.target)\n",
    ),
    story="A stranger's transfer from an account to itself is refused for the stranger.",
)

wrong(
    "order-of-convert",
    (
        "collateral",
        "    require(need > 0, Reason.NOT_CONVERTIBLE, action.account)\n"
        "    price = collateral_price(ctx, terms)\n"
        "    smaller = conversion_price(action.amount - 1, price, terms)\n"
        "    require(smaller < need, Reason.CONVERSION_TOO_LARGE, action.account)\n",
        "    price = collateral_price(ctx, terms)\n"
        "    smaller = conversion_price(action.amount - 1, price, terms)\n"
        "    require(smaller < need, Reason.CONVERSION_TOO_LARGE, action.account)\n"
        "    require(need > 0, Reason.NOT_CONVERTIBLE, action.account)\n",
    ),
    story="A conversion of a healthy account's collateral is refused for its size.",
)

wrong(
    "order-of-cover-loss",
    (
        "collateral",
        "    require_administrator(ctx)\n"
        "    require_pool(ctx, action.pool)\n"
        "    pool = ctx.state.pools[action.pool]\n"
        "    outstanding",
        "    require_pool(ctx, action.pool)\n"
        "    require_administrator(ctx)\n"
        "    pool = ctx.state.pools[action.pool]\n"
        "    outstanding",
    ),
    story="A stranger covers the loss of a pool that does not exist: the pool is reported.",
)

wrong(
    "order-of-post-book",
    (
        "oracle",
        "    require_venue(ctx)\n    require(action.bid <= action.ask, Reason.CROSSED_BOOK, action.market)\n",
        "    require(action.bid <= action.ask, Reason.CROSSED_BOOK, action.market)\n    require_venue(ctx)\n",
    ),
    story="A stranger's crossed book is refused for being crossed.",
)

wrong(
    "order-of-trade",
    (
        "trading",
        "    require(is_trading(ctx, market), Reason.MARKET_NOT_TRADING, action.market)\n"
        "    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n",
        "    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n"
        "    require(is_trading(ctx, market), Reason.MARKET_NOT_TRADING, action.market)\n",
    ),
    story="A fill in a halted market with a stale price is refused for the price.",
)

wrong(
    "order-of-a-fill",
    (
        "trading",
        "        require(allowed, Reason.REDUCE_ONLY, account)\n"
        "        require_caps(ctx, account, start, end, market)\n",
        "        require_caps(ctx, account, start, end, market)\n"
        "        require(allowed, Reason.REDUCE_ONLY, account)\n",
    ),
    story="A fill that grows a position above its cap in a reduce-only market is refused for the cap.",
)

wrong(
    "order-of-accrue-funding",
    (
        "funding",
        "    require(is_due(ctx, action.market), Reason.FUNDING_NOT_DUE, action.market)\n"
        "    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n",
        "    require(is_fresh(ctx, action.market), Reason.STALE_PRICE, action.market)\n"
        "    require(is_due(ctx, action.market), Reason.FUNDING_NOT_DUE, action.market)\n",
    ),
    story="An accrual that is not due, on a stale price, is refused for the price.",
)

wrong(
    "order-of-liquidate",
    (
        "liquidation",
        "    require_distinct(action.account, action.liquidator)\n"
        "    require(may_act_for(ctx, action.liquidator), Reason.UNAUTHORISED, ctx.actor)\n",
        "    require(may_act_for(ctx, action.liquidator), Reason.UNAUTHORISED, ctx.actor)\n"
        "    require_distinct(action.account, action.liquidator)\n",
    ),
    story="A stranger's liquidation of an account into itself is refused for the stranger.",
)

wrong(
    "order-of-resolve-default",
    (
        "waterfall",
        "    require(held.net_liquidation_value < 0, Reason.NOT_IN_DEFAULT, account)\n"
        "    pool = state.pools[state.accounts[account].pool]\n"
        "    require(held.collateral <= pool.dust, Reason.COLLATERAL_REMAINS, account)\n",
        "    pool = state.pools[state.accounts[account].pool]\n"
        "    require(held.collateral <= pool.dust, Reason.COLLATERAL_REMAINS, account)\n"
        "    require(held.net_liquidation_value < 0, Reason.NOT_IN_DEFAULT, account)\n",
    ),
    story="A healthy account with collateral is reported as one whose collateral remains.",
)

wrong(
    "order-of-list-market",
    (
        "listing",
        "    require_pool(ctx, listing.pool)\n    require_feed(ctx, listing.feed)\n",
        "    require_feed(ctx, listing.feed)\n    require_pool(ctx, listing.pool)\n",
    ),
    story="A listing with neither pool nor feed is refused for the feed.",
)

wrong(
    "order-of-set-parameters",
    (
        "listing",
        "    require(not settled, Reason.STATUS_NOT_ALLOWED, action.market)\n"
        "    require(ctx.time >= market.ramp_end, Reason.RAMP_IN_PROGRESS, action.market)\n",
        "    require(ctx.time >= market.ramp_end, Reason.RAMP_IN_PROGRESS, action.market)\n"
        "    require(not settled, Reason.STATUS_NOT_ALLOWED, action.market)\n",
    ),
    story="A change of a settling market whose ramp still runs is refused for the ramp.",
)

wrong(
    "order-of-fix-settlement",
    (
        "settlement",
        "    require(open_status, Reason.STATUS_NOT_ALLOWED, action.market)\n"
        "    expiry = market.listing.expiry\n"
        "    require(0 < expiry <= ctx.time, Reason.SETTLEMENT_NOT_DUE, action.market)\n"
        "    feed = state.feeds[market.listing.feed]\n"
        "    require(feed.index > 0, Reason.STALE_PRICE, market.listing.feed)\n",
        "    require(open_status, Reason.STATUS_NOT_ALLOWED, action.market)\n"
        "    expiry = market.listing.expiry\n"
        "    feed = state.feeds[market.listing.feed]\n"
        "    require(feed.index > 0, Reason.STALE_PRICE, market.listing.feed)\n"
        "    require(0 < expiry <= ctx.time, Reason.SETTLEMENT_NOT_DUE, action.market)\n",
    ),
    story="A settlement that is not due, in a market that never had a price, is refused for the price.",
)

wrong(
    "order-of-pay-claim",
    (
        "settlement",
        "    require(settlement.collected, Reason.POSITIONS_REMAIN, action.market)\n"
        "    position = state.positions.get((action.account, action.market))\n"
        "    require(position is not None and position.cost < 0, Reason.NO_CLAIM, action.account)\n",
        "    position = state.positions.get((action.account, action.market))\n"
        "    require(position is not None and position.cost < 0, Reason.NO_CLAIM, action.account)\n"
        "    require(settlement.collected, Reason.POSITIONS_REMAIN, action.market)\n",
    ),
    story="A claim of an account that has none, before every position is settled, is refused for the claim.",
)

wrong(
    "order-of-an-event",
    (
        "machine",
        "    require(event.sequence > state.sequence, Reason.SEQUENCE_NOT_INCREASING, event.id)\n"
        "    require(event.time >= state.time, Reason.TIME_DECREASING, event.id)\n",
        "    require(event.time >= state.time, Reason.TIME_DECREASING, event.id)\n"
        "    require(event.sequence > state.sequence, Reason.SEQUENCE_NOT_INCREASING, event.id)\n",
    ),
    story="An old event with an old sequence number is refused for its time.",
)
