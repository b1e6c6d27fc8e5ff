"""Collateral: accounts and pools, deposit, withdraw, transfer, convert, funds, and the withdrawal gate."""

from __future__ import annotations

from clearspec.events import (
    CollectFees,
    Context,
    Contribute,
    Convert,
    Cover,
    CoverLoss,
    Deposit,
    OpenAccount,
    Outcome,
    Reason,
    Rejected,
    Transfer,
    Withdraw,
    require,
    require_account,
    require_administrator,
    require_distinct,
    require_owner,
    require_pool,
)
from clearspec.ledger import Kind, balance, custody_held, custody_of_users, house, post, uncovered_loss, user
from clearspec.margin import Standing, collateral_price, index_value, is_liquidatable, outflow_allowed, standing
from clearspec.numerics import BALANCE_MAX, SCALE, div_ceil
from clearspec.parameters import CollateralTerms, PoolParameters
from clearspec.rules import rule
from clearspec.state import Account


@rule("COLL-1")
def open_account(ctx: Context, action: OpenAccount) -> Outcome:
    """Open an account of the actor, bound to a pool for life; a backstop account is an administrator's to open."""
    # CHECK
    require_pool(ctx, action.pool)
    require(action.account not in ctx.state.accounts, Reason.ACCOUNT_EXISTS, action.account)
    for pool in ctx.state.pools.values():
        if pool.backstop == action.account:
            require_administrator(ctx)
            require(pool.pool == action.pool, Reason.WRONG_POOL, action.account)
    # EFFECT
    ctx.state.accounts.put(action.account, Account(action.account, ctx.actor, action.pool, (), ""))
    return Outcome((action.account,))


def pool_of(ctx: Context, account: str) -> PoolParameters:
    """Parameters of the pool to which an account is bound."""
    return ctx.state.pools[ctx.state.accounts[account].pool]


@rule("COLL-2")
def terms_for(pool: PoolParameters, asset: str) -> CollateralTerms | None:
    """The pool's terms for a collateral asset; ``None`` for its settlement asset and for one it does not accept."""
    return next((terms for terms in pool.collateral if terms.asset == asset), None)


@rule("COLL-2", "COLL-3")
def require_inflow(ctx: Context, pool: PoolParameters, asset: str, amount: int) -> None:
    """Reject an asset that the pool does not accept, or more of it than the pool's cap."""
    terms = terms_for(pool, asset)
    require(terms is not None or asset == pool.settlement_asset, Reason.ASSET_NOT_ACCEPTED, asset)
    cap = pool.settlement_cap if terms is None else terms.cap
    held = custody_held(ctx.state, asset, pool.pool)
    require(held + amount <= cap, Reason.DEPOSIT_CAP_EXCEEDED, asset)


@rule("COLL-3")
def deposit(ctx: Context, action: Deposit) -> Outcome:
    """Take an asset into custody and credit the account; never gated."""
    # CHECK
    require_account(ctx, action.account)
    require_owner(ctx, action.account)
    pool = pool_of(ctx, action.account)
    require_inflow(ctx, pool, action.asset, action.amount)
    # EFFECT
    custody = house(action.asset, pool.pool, Kind.CUSTODY)
    credit = user(action.asset, pool.pool, action.account)
    post(ctx.state, ctx.postings, custody, credit, action.amount, "COLL-3")
    # ENSURE
    require(balance(ctx.state, credit) <= BALANCE_MAX, Reason.BALANCE_OUT_OF_RANGE, action.account)
    return Outcome((action.account,))


@rule("COLL-4")
def require_holding(ctx: Context, pool: PoolParameters, account: str, asset: str, amount: int) -> None:
    """Reject an asset the pool does not know, or more of a collateral asset than the account holds.

    The settlement balance may go negative down to its limit, which ``require_outflow`` checks.
    """
    terms = terms_for(pool, asset)
    require(terms is not None or asset == pool.settlement_asset, Reason.ASSET_NOT_ACCEPTED, asset)
    held = balance(ctx.state, user(asset, pool.pool, account))
    require(terms is None or held >= amount, Reason.INSUFFICIENT_BALANCE, account)


@rule("COLL-4", "COLL-6")
def require_custody(ctx: Context, pool: PoolParameters, asset: str, amount: int) -> None:
    """Reject money leaving a pool while its gate is shut, or more than it holds beyond what its funds own."""
    require(not is_gated(ctx, pool), Reason.WITHDRAWALS_GATED, pool.pool)
    require(custody_of_users(ctx.state, asset, pool.pool) >= amount, Reason.INSUFFICIENT_CUSTODY, pool.pool)


@rule("COLL-6")
def is_gated(ctx: Context, pool: PoolParameters) -> bool:
    """Whether the pool's uncovered loss is above its threshold; ``cover_loss`` clears it."""
    return uncovered_loss(ctx.state, pool.pool) > pool.gate_threshold


@rule("COLL-5")
def require_outflow(ctx: Context, pool: PoolParameters, account: str) -> None:
    """Reject an outflow that leaves too low a settlement balance, or less than initial margin."""
    after = standing(ctx, account)
    require(after.cash >= -pool.negative_balance_limit, Reason.NEGATIVE_BALANCE_LIMIT, account)
    require(outflow_allowed(after, pool), Reason.BELOW_INITIAL_MARGIN, account)


@rule("COLL-5", "COLL-6")
def withdraw(ctx: Context, action: Withdraw) -> Outcome:
    """Pay an asset out of custody to the account's owner."""
    # CHECK
    require_account(ctx, action.account)
    require_owner(ctx, action.account)
    pool = pool_of(ctx, action.account)
    require_holding(ctx, pool, action.account, action.asset, action.amount)
    require_custody(ctx, pool, action.asset, action.amount)
    # EFFECT
    debit = user(action.asset, pool.pool, action.account)
    custody = house(action.asset, pool.pool, Kind.CUSTODY)
    post(ctx.state, ctx.postings, debit, custody, action.amount, "COLL-5")
    # ENSURE
    require_outflow(ctx, pool, action.account)
    return Outcome((action.account,))


@rule("COLL-7")
def transfer(ctx: Context, action: Transfer) -> Outcome:
    """Move an asset between accounts; between pools custody moves too, under every check of both ends."""
    # CHECK
    require_account(ctx, action.account)
    require_account(ctx, action.target)
    require_distinct(action.account, action.target)
    require_owner(ctx, action.account)
    origin, target = pool_of(ctx, action.account), pool_of(ctx, action.target)
    require_holding(ctx, origin, action.account, action.asset, action.amount)
    if origin.pool != target.pool:
        require_custody(ctx, origin, action.asset, action.amount)
        require_inflow(ctx, target, action.asset, action.amount)
    # EFFECT
    debit = user(action.asset, origin.pool, action.account)
    credit = user(action.asset, target.pool, action.target)
    if origin.pool == target.pool:
        post(ctx.state, ctx.postings, debit, credit, action.amount, "COLL-7")
    else:
        out, into = (
            house(action.asset, origin.pool, Kind.CUSTODY),
            house(action.asset, target.pool, Kind.CUSTODY),
        )
        post(ctx.state, ctx.postings, debit, out, action.amount, "COLL-7")
        post(ctx.state, ctx.postings, into, credit, action.amount, "COLL-7")
    # ENSURE
    require(balance(ctx.state, credit) <= BALANCE_MAX, Reason.BALANCE_OUT_OF_RANGE, action.target)
    require_outflow(ctx, origin, action.account)
    return Outcome((action.account, action.target))


@rule("COLL-8")
def conversion_price(amount: int, price: int, terms: CollateralTerms) -> int:
    """Settlement atoms that a keeper pays for collateral at a price: less the discount, rounded up."""
    return div_ceil(amount * price * (SCALE - terms.discount), terms.unit * SCALE)


@rule("COLL-8")
def conversion_need(account: Standing, pool: PoolParameters) -> int:
    """Settlement atoms that collateral may be converted for; 0 while none may be.

    In default all that the account lacks without its collateral; else a negative settlement balance that is below
    its limit or belongs to a liquidatable account.
    """
    if account.net_liquidation_value < 0:
        return account.collateral - account.net_liquidation_value
    due = account.cash < -pool.negative_balance_limit or is_liquidatable(account)
    return max(0, -account.cash) if due else 0


@rule("COLL-8")
def convert(ctx: Context, action: Convert) -> Outcome:
    """A keeper buys collateral for settlement atoms, no more of it than is needed.

    The price of a stale asset falls with its age until somebody buys: a dead feed holds no default up.
    """
    # CHECK
    require_account(ctx, action.account)
    require_account(ctx, action.keeper)
    require_distinct(action.account, action.keeper)
    require_owner(ctx, action.keeper)
    pool = pool_of(ctx, action.account)
    require(pool_of(ctx, action.keeper).pool == pool.pool, Reason.WRONG_POOL, action.keeper)
    terms = terms_for(pool, action.asset)
    if terms is None:
        raise Rejected(Reason.ASSET_NOT_ACCEPTED, action.asset)
    require(ctx.state.feeds[terms.feed].index > 0, Reason.STALE_PRICE, terms.feed)
    require_holding(ctx, pool, action.account, action.asset, action.amount)
    need = conversion_need(standing(ctx, action.account), pool)
    require(need > 0, Reason.NOT_CONVERTIBLE, action.account)
    price = collateral_price(ctx, terms)
    smaller = conversion_price(action.amount - 1, price, terms)
    require(smaller < need, Reason.CONVERSION_TOO_LARGE, action.account)
    # EFFECT
    paid = conversion_price(action.amount, price, terms)
    account, keeper = (user(pool.settlement_asset, pool.pool, party) for party in (action.account, action.keeper))
    post(ctx.state, ctx.postings, keeper, account, paid, "COLL-8")
    sold, bought = (user(action.asset, pool.pool, party) for party in (action.account, action.keeper))
    post(ctx.state, ctx.postings, sold, bought, action.amount, "COLL-8")
    # ENSURE
    require(balance(ctx.state, account) <= BALANCE_MAX, Reason.BALANCE_OUT_OF_RANGE, action.account)
    require_outflow(ctx, pool, action.keeper)
    worth = index_value(action.amount, ctx.state.feeds[terms.feed].index, terms.unit)
    return Outcome((action.account, action.keeper), {"paid": paid, "worth": worth})


@rule("COLL-9", "NUM-9")
def require_custody_range(ctx: Context, pool: PoolParameters, amount: int) -> None:
    """Reject settlement atoms beyond the range of a balance; what makes good a loss is not held up by the cap."""
    held = custody_held(ctx.state, pool.settlement_asset, pool.pool)
    require(held + amount <= BALANCE_MAX, Reason.BALANCE_OUT_OF_RANGE, pool.pool)


@rule("COLL-9")
def contribute(ctx: Context, action: Contribute) -> Outcome:
    """Bring settlement atoms from outside into a fund of a pool; never gated."""
    # CHECK
    require_pool(ctx, action.pool)
    pool = ctx.state.pools[action.pool]
    require_custody_range(ctx, pool, action.amount)
    # EFFECT
    custody = house(pool.settlement_asset, pool.pool, Kind.CUSTODY)
    fund = house(pool.settlement_asset, pool.pool, Kind(action.fund.value))
    post(ctx.state, ctx.postings, custody, fund, action.amount, "COLL-9")
    return Outcome()


COVERS = {
    Cover.OUTSIDE: Kind.CUSTODY,
    Cover.INSURANCE_FUND: Kind.INSURANCE_FUND,
    Cover.SKIN_IN_THE_GAME: Kind.SKIN_IN_THE_GAME,
    Cover.FEE_TREASURY: Kind.FEE_TREASURY,
}


@rule("COLL-10")
def cover_loss(ctx: Context, action: CoverLoss) -> Outcome:
    """Reduce the uncovered loss of a pool; at or below the threshold the gate opens again."""
    # CHECK
    require_administrator(ctx)
    require_pool(ctx, action.pool)
    pool = ctx.state.pools[action.pool]
    outstanding = uncovered_loss(ctx.state, pool.pool)
    require(action.amount <= outstanding, Reason.EXCEEDS_UNCOVERED_LOSS, action.pool)
    origin = house(pool.settlement_asset, pool.pool, COVERS[action.origin])
    if action.origin == Cover.OUTSIDE:
        require_custody_range(ctx, pool, action.amount)
    else:
        require(balance(ctx.state, origin) >= action.amount, Reason.INSUFFICIENT_FUND, action.pool)
    # EFFECT
    loss = house(pool.settlement_asset, pool.pool, Kind.UNCOVERED_LOSS)
    post(ctx.state, ctx.postings, origin, loss, action.amount, "COLL-10")
    return Outcome(amounts={"uncovered_loss": uncovered_loss(ctx.state, pool.pool)})


@rule("COLL-10")
def collect_fees(ctx: Context, action: CollectFees) -> Outcome:
    """Pay fees out of the treasury to the administrator; gated like any outflow."""
    # CHECK
    require_administrator(ctx)
    require_pool(ctx, action.pool)
    pool = ctx.state.pools[action.pool]
    treasury = house(pool.settlement_asset, pool.pool, Kind.FEE_TREASURY)
    owned = balance(ctx.state, treasury)
    require(owned >= action.amount, Reason.INSUFFICIENT_FUND, action.pool)
    require_custody(ctx, pool, pool.settlement_asset, action.amount - owned)
    # EFFECT
    custody = house(pool.settlement_asset, pool.pool, Kind.CUSTODY)
    post(ctx.state, ctx.postings, treasury, custody, action.amount, "COLL-10")
    return Outcome()
