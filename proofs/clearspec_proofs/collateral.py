"""Theorems about what leaves an account and a pool, what a conversion costs, and what round trips bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from clearspec import collateral, margin
from clearspec import events as ev
from clearspec.collateral import conversion_price
from clearspec.events import Cover
from clearspec.ledger import Kind, balance, custody_held, custody_of_users, house, uncovered_loss, user
from clearspec.margin import index_value
from clearspec.numerics import AMOUNT_MAX, BALANCE_MAX, PRICE_MAX, SCALE, mul_floor
from clearspec.parameters import CollateralTerms, PoolParameters
from clearspec_proofs.enabled import accepted, follow
from clearspec_proofs.stand_ins import any_integer, any_standing, opaque, passing, standing_in
from clearspec_proofs.standings import Standings
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, COIN, OTHER_POOL, POOL, World, symbolic

OTHER_COIN = "BTC"


def holders(path: Any, *accounts: str, second: str = "") -> World:
    """Accounts of a pool that takes two collateral assets, of which one is touched; ``second`` is in another pool."""
    world = World(path)
    for asset in (COIN, OTHER_COIN):
        world.feed(f"{asset}-feed")
    world.pool(collateral=(COIN, OTHER_COIN))
    if second:
        world.pool(OTHER_POOL, collateral=(COIN, OTHER_COIN))
    for account in accounts:
        world.account(account, OTHER_POOL if account == second else POOL)
    return world


def pool_of(path: Any) -> PoolParameters:
    """Any parameters of a pool."""
    given: dict[str, Any] = {"pool": POOL, "settlement_asset": CASH, "collateral": (), "layers": (), "backstop": ""}
    pool: PoolParameters = symbolic(path, PoolParameters, POOL, **given)
    return pool


def one_of(path: Any, name: str, options: Iterable[Any]) -> Any:
    """Each of a few values, as a value and not as a choice."""
    known = tuple(options)
    chosen = path.choice(name, *known)
    return next(option for option in known if chosen == option)


def either_asset(world: World) -> str:
    """The settlement asset or a collateral asset."""
    return COIN if world.either("collateral") else CASH


# What an outflow leaves


@theorem(
    "outflow-counts-profit-by-weight-and-cap",
    "Where an outflow may stand, equity without unrealised profit, plus that profit at its weight for withdrawals and "
    "at most its cap, covers the initial requirement and the withdrawal ratio of notional; a loss counts whole.",
    "MARG-8",
    "MARG-11",
)
def outflow_counts_profit_by_weight_and_cap(path: Any) -> Any:
    """Of any standing: profit that is not there yet is not paid out beyond its weight and cap."""
    after, pool = any_standing(path, "after"), pool_of(path)
    if not margin.outflow_allowed(after, pool):
        return False
    kept = after.margin_equity - after.unrealised
    if after.unrealised >= 0:
        counted = (after.initial - kept) * SCALE
        path.claim("profit by its weight", lambda: counted <= after.unrealised * pool.profit_weight_withdrawal)
        path.claim("profit to its cap", lambda: after.initial - kept <= pool.profit_cap_withdrawal)
    else:
        path.claim("a loss whole", lambda: after.margin_equity >= after.initial)
    path.claim("no more than margin equity", lambda: after.margin_equity >= after.initial)
    path.claim("ratio of notional", lambda: after.margin_equity * SCALE >= after.notional * pool.withdrawal_margin)
    return True


def claim_initial_margin(standings: Standings, account: str, pool: str = POOL) -> None:
    """An account that was paid out of: initial margin without the profit that is not there yet, and no default."""
    path, terms, after = standings.world.path, standings.world.state.pools[pool], standings.of(account)
    with standing_in(path, *standings.stand_ins()):
        kept = margin.withdrawal_equity(after, terms)
    path.claim("initial margin", lambda: kept >= after.initial)
    path.claim("ratio of notional", lambda: kept * SCALE >= after.notional * terms.withdrawal_margin)
    path.claim("balance limit", lambda: after.cash >= -terms.negative_balance_limit)
    path.claim("not in default", lambda: after.net_liquidation_value >= 0)


@theorem(
    "withdrawal-leaves-initial-margin",
    "After an accepted withdrawal the account has its initial margin and the withdrawal ratio of its notional, its "
    "unrealised profit counted by the weight and cap for withdrawals alone; its settlement balance is not below the "
    "negative balance limit, and it is not in default, so that no deficit has grown.",
    "COLL-5",
    "MARG-11",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def withdrawal_leaves_initial_margin(path: Any) -> Any:
    """Settlement asset and collateral, any positions and other collateral."""
    world = holders(path, "A")
    standings = Standings(world)
    action = world.action(ev.Withdraw, account="A", asset=either_asset(world))
    receipt = world.apply(action, *standings.stand_ins())
    if receipt.reason is None:
        claim_initial_margin(standings, "A")
    return receipt.reason


@theorem(
    "withdrawal-is-paid-by-what-users-own",
    "An accepted withdrawal happens with the gate open and leaves in custody what the pool's funds own of the asset: "
    "it never pays one pool's or one fund's money, nor more than there is.",
    "COLL-4",
    "COLL-6",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def withdrawal_is_paid_by_what_users_own(path: Any) -> Any:
    """A profit that no loser has paid yet may be equity, but it is not in custody."""
    world = holders(path, "A")
    asset = either_asset(world)
    action = world.action(ev.Withdraw, account="A", asset=asset)
    receipt = world.apply(action, passing(collateral.require_outflow))
    if receipt.reason is None:
        claim_custody(world, asset, action.amount)
        paid = [balance(state, user(asset, POOL, "A")) for state in (world.before.state(), world.state)]
        path.claim("the account pays", lambda: paid[1] == paid[0] - action.amount)
    return receipt.reason


def claim_custody(world: World, asset: str, amount: Any) -> None:
    """What left the pool: the users' money, through an open gate."""
    path, before = world.path, world.before.state()
    held = [custody_of_users(state, asset, POOL) for state in (before, world.state)]
    path.claim("users' custody pays", lambda: held[1] == held[0] - amount)
    path.claim("users' custody suffices", lambda: held[1] >= 0)
    path.claim("the gate is open", lambda: uncovered_loss(before, POOL) <= before.pools[POOL].gate_threshold)


@theorem(
    "transfer-leaves-initial-margin",
    "After an accepted transfer, inside a pool or between pools, the paying account has what a withdrawal would have "
    "had to leave it, and the receiving account is worth no less than before: no deficit has grown.",
    "COLL-7",
    "MARG-11",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def transfer_leaves_initial_margin(path: Any) -> Any:
    """Settlement asset and collateral; the receiver may belong to anyone."""
    between = path.choice("between pools", False, True) == True  # noqa: E712
    world = holders(path, "A", "B", second="B" if between else "")
    asset = either_asset(world)
    standings = Standings(world, ("B", asset))
    receipt = world.apply(world.action(ev.Transfer, account="A", target="B", asset=asset), *standings.stand_ins())
    if receipt.reason is None:
        claim_initial_margin(standings, "A")
        before, after = standings.around("B")
        path.claim("receiver gains", lambda: after.net_liquidation_value >= before.net_liquidation_value)
    return receipt.reason


@theorem(
    "transfer-between-pools-is-paid-by-users",
    "An accepted transfer between pools passes an open gate, leaves in custody what the paying pool's funds own, and "
    "brings the same amount into the other pool's custody, within its cap; inside a pool custody does not move.",
    "COLL-4",
    "COLL-6",
    "COLL-7",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def transfer_between_pools_is_paid_by_users(path: Any) -> Any:
    """Settlement asset and collateral."""
    between = path.choice("between pools", False, True) == True  # noqa: E712
    world = holders(path, "A", "B", second="B" if between else "")
    asset = either_asset(world)
    action = world.action(ev.Transfer, account="A", target="B", asset=asset)
    receipt = world.apply(action, passing(collateral.require_outflow))
    if receipt.reason is not None:
        return receipt.reason
    before, amount = world.before.state(), action.amount
    if between:
        claim_custody(world, asset, amount)
        pool = world.state.pools[OTHER_POOL]
        cap = pool.settlement_cap if asset == CASH else pool.collateral[0].cap
        held = [custody_held(state, asset, OTHER_POOL) for state in (before, world.state)]
        path.claim("the other pool receives", lambda: held[1] == held[0] + amount)
        path.claim("within its cap", lambda: held[1] <= cap)
    else:
        held = [custody_held(state, asset, POOL) for state in (before, world.state)]
        path.claim("custody stays", lambda: held[1] == held[0])
    return None


# Conversion


def any_terms(path: Any) -> CollateralTerms:
    """Any terms inside the envelope: the discount is at most the haircut."""
    terms: CollateralTerms = symbolic(path, CollateralTerms, COIN, asset=COIN, feed=f"{COIN}-feed")
    path.assume(lambda: terms.discount <= terms.haircut, "discount-at-most-haircut")
    return terms


@theorem(
    "conversion-price-rounded-up",
    "A keeper pays for collateral its price less the discount, rounded up by less than an atom.",
    "COLL-8",
)
def conversion_price_rounded_up(path: Any) -> Any:
    """The account gets the remainder."""
    terms = any_terms(path)
    amount, price = path.atom("amount", 0, AMOUNT_MAX), path.atom("price", 1, PRICE_MAX)
    paid, exact = conversion_price(amount, price, terms), amount * price * (SCALE - terms.discount)
    path.claim("no less", lambda: paid * terms.unit * SCALE >= exact)
    path.claim("less than an atom more", lambda: paid * terms.unit * SCALE <= exact + terms.unit * SCALE - 1)
    return paid


@theorem(
    "splitting-a-conversion-pays-no-less",
    "A conversion in two parts at one price costs the keeper no less than the whole, and at most an atom more.",
    "COLL-8",
)
def splitting_a_conversion_pays_no_less(path: Any) -> Any:
    """By induction in any number of parts."""
    terms, price = any_terms(path), path.atom("price", 1, PRICE_MAX)
    parts = [path.atom(f"part {number}", 0, AMOUNT_MAX // 2) for number in (1, 2)]
    whole = conversion_price(parts[0] + parts[1], price, terms)
    more = sum(conversion_price(part, price, terms) for part in parts) - whole
    path.claim("no less", lambda: more >= 0)
    path.claim("at most an atom more", lambda: more <= 1)
    return whole


def values_of(amount: Any, price: Any, terms: CollateralTerms) -> tuple[Any, Any]:
    """Worth of collateral at a price, and that after the haircut."""
    worth = index_value(amount, price, terms.unit)
    return worth, mul_floor(worth, SCALE - terms.haircut)


def claim_fall(path: Any, before: Any, sold: Any, price: Any, terms: CollateralTerms) -> None:
    """What an account has after haircut falls by at most an atom more than a conversion of a part of it brings."""
    paid = conversion_price(sold, price, terms)
    worth, counted = values_of(before, price, terms)
    left, still = values_of(before - sold, price, terms)
    unit, kept, fall = terms.unit, SCALE - terms.haircut, worth - left
    path.claim("fall of worth", lambda: fall * unit <= sold * price + unit - 1)
    path.claim("fall after haircut", lambda: (counted - still) * SCALE <= fall * kept + SCALE - 1)
    path.claim("fall of worth, kept", lambda: fall * unit * kept <= (sold * price + unit - 1) * kept)
    path.claim(
        "fall after haircut, by unit",
        lambda: (counted - still) * SCALE * unit <= fall * unit * kept + (SCALE - 1) * unit,
    )
    path.claim("haircut above discount", lambda: sold * price * (terms.haircut - terms.discount) >= 0)
    path.claim("the rest of a unit, kept", lambda: (unit - 1) * kept <= (unit - 1) * SCALE)
    path.claim("by unit", lambda: (counted - still - paid) * SCALE * unit <= 2 * SCALE * unit - 1)
    path.claim("at most an atom", lambda: counted - still <= paid + 1)


@theorem(
    "conversion-fetches-what-counted",
    "Selling collateral at its price less the discount lowers what the account has after haircut by at most an atom "
    "more than it brings.",
    "COLL-8",
    "PARM-11",
)
def conversion_fetches_what_counted(path: Any) -> Any:
    """Any part of any holding."""
    terms, price = any_terms(path), path.atom("price", 1, PRICE_MAX)
    sold, left = path.atom("sold", 1, AMOUNT_MAX), path.atom("left", 0, BALANCE_MAX)
    claim_fall(path, sold + left, sold, price, terms)
    return values_of(sold + left, price, terms)


def claim_cost(path: Any, before: Any, sold: Any, price: Any, index: Any, terms: CollateralTerms) -> None:
    """Worth at index falls by less than discount and age penalty on what is sold, and an atom, beyond its price."""
    paid, unit = conversion_price(sold, price, terms), terms.unit
    fall = index_value(before, index, unit) - index_value(before - sold, index, unit)
    given_up = sold * index * SCALE - sold * price * (SCALE - terms.discount)
    path.claim("fall at index", lambda: fall * unit <= sold * index + unit - 1)
    path.claim("bounded", lambda: (fall - paid) * unit * SCALE <= given_up + unit * SCALE - SCALE)


@theorem(
    "conversion-costs-its-discount",
    "Selling collateral lowers its worth at index by less than discount and age penalty on what is sold, and an atom, "
    "more than it brings.",
    "COLL-8",
)
def conversion_costs_its_discount(path: Any) -> Any:
    """The one event but a liquidation's penalty by which a net liquidation value may fall; with its own bound."""
    terms, index = any_terms(path), path.atom("index", 1, PRICE_MAX)
    price = index - path.atom("penalty", 0, PRICE_MAX)
    sold, left = path.atom("sold", 1, AMOUNT_MAX), path.atom("left", 0, BALANCE_MAX)
    claim_cost(path, sold + left, sold, price, index, terms)
    return index_value(sold + left, index, terms.unit)


@theorem(
    "conversion-keeps-margin",
    "An accepted conversion lowers the account's margin equity by at most an atom and its net liquidation value by "
    "less than discount and age penalty on what is sold, and an atom; the keeper has what a withdrawal would have had "
    "to leave it; what the one receives the other pays.",
    "COLL-8",
    "PARM-11",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def conversion_keeps_margin(path: Any) -> Any:
    """Any positions and other collateral of both."""
    world = holders(path, "A", "B")
    standings = Standings(world, ("A", COIN))
    action = world.action(ev.Convert, account="A", keeper="B", asset=COIN)
    terms = world.state.pools[POOL].collateral[0]
    path.assume(lambda: terms.discount <= terms.haircut, "discount-at-most-haircut")
    receipt = world.apply(action, *standings.stand_ins(), opaque(collateral.conversion_need, any_integer))
    if receipt.reason is not None:
        return receipt.reason
    before, after = standings.around("A")
    price, index = standings.price(terms), world.state.feeds[terms.feed].index
    held, sold = balance(world.before.state(), user(COIN, POOL, "A")), action.amount
    paid, unit = conversion_price(sold, price, terms), terms.unit
    path.claim("paid", lambda: after.cash - before.cash == paid)
    claim_fall(path, held, sold, price, terms)
    path.claim("margin equity", lambda: after.margin_equity >= before.margin_equity - 1)
    claim_cost(path, held, sold, price, index, terms)
    fall = before.net_liquidation_value - after.net_liquidation_value
    given_up = sold * index * SCALE - sold * price * (SCALE - terms.discount)
    path.claim("net liquidation value", lambda: fall * unit * SCALE <= given_up + unit * SCALE - SCALE)
    claim_initial_margin(standings, "B")
    return None


@theorem(
    "conversion-only-where-needed",
    "Collateral is converted only of an account in default, for what it lacks without its collateral, or of one with "
    "a negative settlement balance that is below its limit or belongs to a liquidatable account, for that balance; an "
    "atom of the asset less would not have brought it in.",
    "COLL-8",
    strength=Strength.ONE_STEP,
    marks=("accepted", "in default", "in debt"),
)
def conversion_only_where_needed(path: Any) -> Any:
    """Nobody's collateral is sold at a discount for nothing."""
    world = holders(path, "A", "B")
    standings = Standings(world)
    action = world.action(ev.Convert, account="A", keeper="B", asset=COIN)
    receipt = world.apply(action, *standings.stand_ins(), passing(collateral.require_outflow))
    if receipt.reason is not None:
        return receipt.reason
    held, pool = standings.of("A", state=world.before.state()), world.state.pools[POOL]
    less = conversion_price(action.amount - 1, standings.price(pool.collateral[0]), pool.collateral[0])
    if held.net_liquidation_value < 0:
        path.mark("in default")
        path.claim("no more than is lacking", lambda: less <= held.collateral - held.net_liquidation_value - 1)
        return None
    path.mark("in debt")
    path.claim("in debt", lambda: held.cash <= -1)
    path.claim("no more than the debt", lambda: less <= -held.cash - 1)
    if held.margin_equity >= held.maintenance:
        path.claim("below its limit", lambda: held.cash <= -pool.negative_balance_limit - 1)
    return None


# Deposits


def claim_growth(path: Any, before: Any, more: Any, price: Any, terms: CollateralTerms) -> None:
    """A larger holding is worth no less, at a price and after the haircut."""
    (worth, counted), (grown, still) = (values_of(amount, price, terms) for amount in (before, before + more))
    path.claim("worth no less", lambda: grown >= worth)
    path.claim("counts no less", lambda: still >= counted)


@theorem(
    "deposit-adds-what-it-brings",
    "An accepted deposit raises the account's balance and the pool's custody by its amount, within the cap, and "
    "lowers neither its margin equity nor its net liquidation value.",
    "COLL-3",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def deposit_adds_what_it_brings(path: Any) -> Any:
    """Settlement asset and collateral."""
    world = holders(path, "A")
    asset = either_asset(world)
    standings, pool = Standings(world, ("A", asset)), world.state.pools[POOL]
    action = world.action(ev.Deposit, account="A", asset=asset)
    receipt = world.apply(action)
    if receipt.reason is not None:
        return receipt.reason
    before = world.before.state()
    held = [custody_held(state, asset, POOL) for state in (before, world.state)]
    path.claim("custody", lambda: held[1] == held[0] + action.amount)
    path.claim("cap", lambda: held[1] <= (pool.settlement_cap if asset == CASH else pool.collateral[0].cap))
    balances = [balance(state, user(asset, POOL, "A")) for state in (before, world.state)]
    path.claim("balance", lambda: balances[1] == balances[0] + action.amount)
    if asset == COIN:
        terms = pool.collateral[0]
        for price in (standings.price(terms), world.state.feeds[terms.feed].index):
            claim_growth(path, balances[0], action.amount, price, terms)
    old, new = standings.around("A")
    path.claim("margin equity", lambda: new.margin_equity >= old.margin_equity)
    path.claim("net liquidation value", lambda: new.net_liquidation_value >= old.net_liquidation_value)
    return None


@theorem(
    "fees-leave-behind-the-gate",
    "An accepted collection of fees happens with the gate open, takes no more than the treasury holds, leaves in "
    "custody what the other funds own, and takes nothing of what users own there.",
    "COLL-6",
    "COLL-10",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def fees_leave_behind_the_gate(path: Any) -> Any:
    """While users cannot leave, neither can fees."""
    world = holders(path)
    treasury = house(CASH, POOL, Kind.FEE_TREASURY)
    receipt = world.apply(world.action(ev.CollectFees, pool=POOL))
    if receipt.reason is not None:
        return receipt.reason
    before = world.before.state()
    users = [custody_of_users(state, CASH, POOL) for state in (before, world.state)]
    path.claim("users' custody stays", lambda: users[1] == users[0])
    funds = (house(CASH, POOL, kind) for kind in (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME))
    owned = sum(balance(world.state, fund) for fund in funds)
    path.claim("the other funds' custody is there", lambda: custody_held(world.state, CASH, POOL) >= owned)
    path.claim("the treasury pays", lambda: balance(world.state, treasury) >= 0)
    path.claim("the gate is open", lambda: uncovered_loss(before, POOL) <= before.pools[POOL].gate_threshold)
    path.claim("an administrator's", lambda: "actor" in world.state.administrators)
    return None


@theorem(
    "account-opens-in-its-pool",
    "An accepted opening makes one account, of the actor, in an existing pool, holding nothing; none that exists is "
    "written over, and a pool's backstop account is opened by an administrator, in that pool.",
    "COLL-1",
    strength=Strength.ONE_STEP,
    marks=("accepted", "backstop"),
)
def account_opens_in_its_pool(path: Any) -> Any:
    """Two pools, of which either may name the account its backstop."""
    world = holders(path, "A", second="another account")
    for pool in (POOL, OTHER_POOL):
        record = world.state.pools[pool]
        named = "new" if world.either(f"{pool} names it") else ""
        world.state.pools.put(pool, replace(record, backstop=named))
    pool = one_of(path, "pool", (POOL, OTHER_POOL, "no pool"))
    receipt = world.apply(ev.OpenAccount(one_of(path, "account", ("new", "A")), pool))
    if receipt.reason is not None:
        return receipt.reason
    opened = world.state.accounts["new"]
    path.claim("one account", lambda: world.before.changed(world.state) == [("accounts", "new")])
    path.claim("the actor's", lambda: (opened.owner, opened.pool, opened.markets) == ("actor", pool, ()))
    for other in (POOL, OTHER_POOL):
        if world.state.pools[other].backstop == "new":
            path.mark("backstop")
            path.claim("by an administrator", lambda: "actor" in world.state.administrators)
            path.claim("in its pool", lambda other=other: other == pool)
    return None


# No free lunch


def balances_of(world: World) -> dict[Any, Any]:
    """Every balance, of users and funds."""
    return dict(world.state.balances)


def claim_balances(world: World, before: dict[Any, Any]) -> None:
    """Every balance is what it was."""
    for key, amount in world.state.balances.items():
        world.path.claim(f"{' '.join(key)} is what it was", lambda k=key, a=amount: a == before.get(k, 0))


@theorem(
    "deposit-and-withdrawal-gain-nothing",
    "A deposit and the withdrawal of the same amount, both accepted, leave every balance as it was.",
    "COLL-3",
    "COLL-5",
    strength=Strength.ONE_STEP,
    marks=("there and back",),
)
def deposit_and_withdrawal_gain_nothing(path: Any) -> Any:
    """From any state; what came in went out, and nothing else moved."""
    world = holders(path, "A")
    before, asset, amount = balances_of(world), either_asset(world), path.atom("amount", 1, AMOUNT_MAX)
    there = follow(world, ev.Deposit("A", asset, amount))
    back = follow(world, ev.Withdraw("A", asset, amount), passing(collateral.require_outflow))
    if there.reason is None and back.reason is None:
        path.mark("there and back")
        claim_balances(world, before)
    return there.reason, back.reason


@theorem(
    "transfer-and-back-gain-nothing",
    "A transfer and the transfer of the same amount back, inside a pool or between pools, leave every balance as it "
    "was.",
    "COLL-7",
    strength=Strength.ONE_STEP,
    marks=("there and back",),
)
def transfer_and_back_gain_nothing(path: Any) -> Any:
    """Settlement asset and collateral."""
    between = path.choice("between pools", False, True) == True  # noqa: E712
    world = holders(path, "A", "B", second="B" if between else "")
    before, asset, amount = balances_of(world), either_asset(world), path.atom("amount", 1, AMOUNT_MAX)
    there = follow(world, ev.Transfer("A", "B", asset, amount), passing(collateral.require_outflow))
    back = follow(world, ev.Transfer("B", "A", asset, amount), passing(collateral.require_outflow))
    if there.reason is None and back.reason is None:
        path.mark("there and back")
        claim_balances(world, before)
    return there.reason, back.reason


@theorem(
    "conversion-has-no-way-back",
    "After an accepted conversion account and keeper together hold what they held of either asset, nobody else's "
    "balance has changed, and the keeper's own collateral is not for sale in that second: nothing is bought back at a "
    "discount.",
    "COLL-8",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def conversion_has_no_way_back(path: Any) -> Any:
    """Any positions and other collateral of both."""
    world = holders(path, "A", "B")
    standings = Standings(world)
    action = world.action(ev.Convert, account="A", keeper="B", asset=COIN)
    receipt = world.apply(action, *standings.stand_ins(), opaque(collateral.conversion_need, any_integer))
    if receipt.reason is not None:
        return receipt.reason
    before, after = world.before.state().balances, world.state.balances
    mine = [user(asset, POOL, account) for asset in (CASH, COIN) for account in "AB"]
    for asset in (CASH, COIN):
        held = [sum(table[user(asset, POOL, account)] for account in "AB") for table in (before, after)]
        path.claim(f"together of {asset}", lambda held=held: held[1] == held[0])
    for key in before:
        if key not in mine:
            path.claim(f"{' '.join(key)} is what it was", lambda key=key: after[key] == before[key])
    need = collateral.conversion_need(standings.of("B"), world.state.pools[POOL])
    path.claim("the keeper is not for sale", lambda: need == 0)
    return None


# Gates open again


@theorem(
    "cover-loss-opens-the-gate",
    "Whatever the uncovered loss of a pool and however it is gated, an administrator's cover from outside of any part "
    "of it is accepted, as long as custody stays in range, and lowers it by that part; a cover down to the threshold "
    "opens the gate.",
    "COLL-6",
    "COLL-10",
    strength=Strength.ONE_STEP,
    marks=("the gate opens",),
)
def cover_loss_opens_the_gate(path: Any) -> Any:
    """No cap and no gate holds it up."""
    world = holders(path)
    world.state.administrators = ("actor",)
    pool, amount = world.state.pools[POOL], path.atom("amount", 1, AMOUNT_MAX)
    loss = uncovered_loss(world.state, POOL)
    path.assume(lambda: amount <= loss, "a part of the loss")
    path.assume(lambda: custody_held(world.state, CASH, POOL) + amount <= BALANCE_MAX, "custody in range")
    receipt = accepted(world, ev.CoverLoss(POOL, Cover.OUTSIDE, amount))
    path.claim("the loss falls", lambda: uncovered_loss(world.state, POOL) == loss - amount)
    if loss > pool.gate_threshold and loss - amount <= pool.gate_threshold:
        path.mark("the gate opens")
        path.claim("open", lambda: not collateral.is_gated(world.context(), pool))
    return receipt.reason


@theorem(
    "funds-cover-a-loss",
    "A cover from a fund of the pool that holds the amount is accepted and lowers fund and uncovered loss by it.",
    "COLL-10",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def funds_cover_a_loss(path: Any) -> Any:
    """Insurance fund, skin in the game, fee treasury."""
    world = holders(path)
    world.state.administrators = ("actor",)
    amount, loss = path.atom("amount", 1, AMOUNT_MAX), uncovered_loss(world.state, POOL)
    cover = one_of(path, "origin", (Cover.INSURANCE_FUND, Cover.SKIN_IN_THE_GAME, Cover.FEE_TREASURY))
    fund = house(CASH, POOL, collateral.COVERS[cover])
    held = balance(world.state, fund)
    path.assume(lambda: amount <= loss, "a part of the loss")
    path.assume(lambda: amount <= held, "the fund holds it")
    receipt = accepted(world, ev.CoverLoss(POOL, cover, amount))
    path.claim("the loss falls", lambda: uncovered_loss(world.state, POOL) == loss - amount)
    path.claim("the fund pays", lambda: balance(world.state, fund) == held - amount)
    return receipt.reason


@theorem(
    "deposit-is-never-gated",
    "An owner's deposit of an accepted asset below the pool's cap is accepted, gate or no gate, and raises a "
    "settlement balance and every equity by what it brings: the limit of a negative balance and initial margin are "
    "reached by a deposit of what lacks.",
    "COLL-3",
    "COLL-6",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def deposit_is_never_gated(path: Any) -> Any:
    """Settlement asset; what collateral brings is ``deposit-adds-what-it-brings``."""
    world = holders(path)
    world.account("A", owner="actor")
    standings, amount = Standings(world), path.atom("amount", 1, AMOUNT_MAX)
    held, cap = custody_held(world.state, CASH, POOL), world.state.pools[POOL].settlement_cap
    path.assume(lambda: held + amount <= cap, "below the cap")
    path.assume(lambda: balance(world.state, user(CASH, POOL, "A")) + amount <= BALANCE_MAX, "balance in range")
    receipt = accepted(world, ev.Deposit("A", CASH, amount))
    before, after = standings.around("A")
    path.claim("balance", lambda: after.cash == before.cash + amount)
    path.claim("initial equity", lambda: after.initial_equity == before.initial_equity + amount)
    path.claim("net liquidation value", lambda: after.net_liquidation_value == before.net_liquidation_value + amount)
    path.claim("requirement", lambda: after.initial == before.initial)
    return receipt.reason


@theorem(
    "contribution-is-never-gated",
    "Anyone's contribution to a fund is accepted, as long as custody stays in range, cap or gate notwithstanding, and "
    "the fund gets it.",
    "COLL-6",
    "COLL-9",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def contribution_is_never_gated(path: Any) -> Any:
    """Insurance fund and skin in the game."""
    world = holders(path)
    amount, insurance = path.atom("amount", 1, AMOUNT_MAX), world.either("insurance")
    name, kind = (
        (ev.Fund.INSURANCE_FUND, Kind.INSURANCE_FUND)
        if insurance
        else (ev.Fund.SKIN_IN_THE_GAME, Kind.SKIN_IN_THE_GAME)
    )
    held = balance(world.state, house(CASH, POOL, kind))
    path.assume(lambda: custody_held(world.state, CASH, POOL) + amount <= BALANCE_MAX, "custody in range")
    receipt = accepted(world, ev.Contribute(POOL, name, amount))
    path.claim("the fund gets it", lambda: balance(world.state, house(CASH, POOL, kind)) == held + amount)
    return receipt.reason


@theorem(
    "conversion-is-open-to-a-keeper",
    "Where collateral may be converted, every keeper that can pay buys an amount that is held and of which an atom "
    "less would not do, though the asset's feed be dead: nothing else holds it up.",
    "COLL-8",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def conversion_is_open_to_a_keeper(path: Any) -> Any:
    """Able to pay: the keeper passes the test of an outflow. The gate and the age of the price do not matter."""
    world = holders(path, "A")
    world.account("B", owner="actor")
    standings, amount = Standings(world), path.atom("amount", 1, AMOUNT_MAX)
    terms, pool = world.state.pools[POOL].collateral[0], world.state.pools[POOL]
    held, cash = (balance(world.state, user(asset, POOL, "A")) for asset in (COIN, CASH))
    path.assume(lambda: world.state.feeds[terms.feed].index >= 1, "a price was known")
    path.assume(lambda: held >= amount, "the amount is held")
    time = world.state.time + path.atom("wait", 0)
    standing = standings.of("A", time=time)
    with standing_in(path, *standings.stand_ins()):
        need = collateral.conversion_need(standing, pool)
    price = standings.price(terms, time)
    path.assume(lambda: need >= 1, "convertible")
    path.assume(lambda: conversion_price(amount - 1, price, terms) <= need - 1, "no more than needed")
    path.assume(lambda: cash + conversion_price(amount, price, terms) <= BALANCE_MAX, "balance in range")
    able = passing(collateral.require_outflow)
    receipt = accepted(world, ev.Convert("A", "B", COIN, amount), *standings.stand_ins(), able, time=time)
    return receipt.reason
