"""Theorems about postings, balances and custody."""

from __future__ import annotations

from typing import Any

from clearspec.invariants import balances_sum_to_zero
from clearspec.ledger import (
    Kind,
    Posting,
    balance,
    clearing,
    custody_held,
    custody_of_users,
    house,
    post,
    statement,
    uncovered_loss,
    user,
)
from clearspec.state import BalanceKey, State
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.widths import FUND_MAX, fits, in_128_bits
from clearspec_proofs.world import CASH, COIN, MARKET, POOL, REST, World

ANN, BOB, CEM = (user(CASH, POOL, name) for name in ("ann", "bob", "cem"))


def books(path: Any, *keys: BalanceKey) -> State:
    """Balances of some accounts, each posted to before or not."""
    state = State()
    for key in keys:
        if path.choice(f"{key[3]} has a balance", True, False) == True:  # noqa: E712
            state.balances.put(key, path.atom(f"{key[3]}.balance"))
    return state


@theorem(
    "post-debits-and-credits-the-same",
    "A posting lowers the balance of its debit and raises that of its credit by the same integer of any sign, notes "
    "itself once, and touches nothing else; between an account and itself it changes nothing.",
    "LEDG-2",
)
def post_debits_and_credits(path: Any) -> Any:
    """Both ways in which debit and credit may coincide, accounts with and without a balance before."""
    state, postings, amount = books(path, ANN, BOB, CEM), [Posting(CEM, CEM, 1, "TRADE-1")], path.atom("amount")
    before = {key: balance(state, key) for key in (ANN, BOB, CEM)}
    credit = ANN if path.choice("same account", False, True) == True else BOB  # noqa: E712
    moved = 0 if credit == ANN else amount
    post(state, postings, ANN, credit, amount, "COLL-7")
    path.claim("debit", lambda: balance(state, ANN) == before[ANN] - moved)
    path.claim("credit", lambda: balance(state, BOB) == before[BOB] + moved)
    path.claim("nobody else", lambda: balance(state, CEM) == before[CEM])
    path.claim("the sum stays", lambda: sum(balance(state, key) for key in before) == sum(before.values()))
    path.claim("noted once", lambda: postings[1:] == [Posting(ANN, credit, amount, "COLL-7")])
    return balance(state, ANN), balance(state, BOB)


@theorem(
    "a-negative-posting-is-turned-round",
    "A posting of a negative amount moves what the posting turned round moves; one of 0 moves nothing.",
    "LEDG-2",
)
def negative_posting_turned_round(path: Any) -> Any:
    """So that a signed result needs no case."""
    amount, held = path.atom("amount"), path.atom("held")
    one, other = State(), State()
    for state in (one, other):
        state.balances.put(ANN, held)
    post(one, [], ANN, BOB, amount, "COLL-7")
    post(other, [], BOB, ANN, -amount, "COLL-7")
    path.claim("the same balances", lambda: all(balance(one, key) == balance(other, key) for key in (ANN, BOB)))
    post(other, [], ANN, BOB, 0, "COLL-7")
    path.claim("nothing moves", lambda: all(balance(one, key) == balance(other, key) for key in (ANN, BOB)))
    return balance(one, ANN)


def pool_of_all_kinds(path: Any) -> World:
    """A pool with every kind of ledger account; all users but one, and all markets but one, are a rest each.

    The rest of the users is what INV-1 leaves for it.
    """
    world = World(path)
    world.pool()
    world.balance(user(CASH, POOL, "A"))
    world.balance(clearing(CASH, POOL, MARKET))
    balances, rest = world.state.balances, user(CASH, POOL, REST)
    balances.put(rest, -sum(amount for key, amount in balances.items() if key != rest))
    return world


FUNDS = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)


@theorem(
    "custody-of-users-is-what-funds-do-not-own",
    "Custody held is minus the custody balance; custody of users is that less the three funds, and equals what users "
    "and markets hold less the uncovered loss, for any number of accounts and markets.",
    "LEDG-3",
    "LEDG-4",
    "LEDG-5",
    "INV-1",
    strength=Strength.INDUCTIVE,
)
def custody_of_users_complements_funds(path: Any) -> Any:
    """What users take out is not the funds' money."""
    world = pool_of_all_kinds(path)
    state = world.state
    path.claim("INV-1", lambda: balances_sum_to_zero(state))
    held, loss = custody_held(state, CASH, POOL), uncovered_loss(state, POOL)
    funds = sum(balance(state, house(CASH, POOL, kind)) for kind in FUNDS)
    path.claim("custody held", lambda: held + balance(state, house(CASH, POOL, Kind.CUSTODY)) == 0)
    path.claim("uncovered loss", lambda: loss + balance(state, house(CASH, POOL, Kind.UNCOVERED_LOSS)) == 0)
    users = [user(CASH, POOL, "A"), user(CASH, POOL, REST)]
    markets = [clearing(CASH, POOL, MARKET), clearing(CASH, POOL, REST)]
    claims = sum(balance(state, key) for key in (*users, *markets))
    own = custody_of_users(state, CASH, POOL)
    path.claim("custody of users", lambda: own == held - funds)
    path.claim("what users and markets are owed", lambda: own == claims - loss)
    return own


@theorem(
    "a-pool-is-read-alone",
    "Custody, custody of users and uncovered loss of an (asset, pool) do not depend on the balances of another pool "
    "or of another asset.",
    "LEDG-4",
    "LEDG-5",
)
def pool_read_alone(path: Any) -> Any:
    """Isolation of pools, where money is counted."""
    world = pool_of_all_kinds(path)
    state = world.state
    before = custody_held(state, CASH, POOL), custody_of_users(state, CASH, POOL), uncovered_loss(state, POOL)
    for kind in (Kind.CUSTODY, *FUNDS, Kind.UNCOVERED_LOSS):
        state.balances.put(house(CASH, "Q", kind), path.atom(f"other pool {kind.value}"))
        state.balances.put(house(COIN, POOL, kind), path.atom(f"other asset {kind.value}"))
    after = custody_held(state, CASH, POOL), custody_of_users(state, CASH, POOL), uncovered_loss(state, POOL)
    path.claim("the same", lambda: before == after)
    return after


@theorem(
    "statement-lists-own-balances",
    "The statement of an account is its balance of the settlement asset and then of each collateral asset in the "
    "pool's order, 0 where nothing was posted (up to two collateral assets).",
    "LEDG-6",
    "LEDG-3",
    strength=Strength.BOUNDED,
)
def statement_lists_own_balances(path: Any) -> Any:
    """Another account's balances and another pool's are no part of it."""
    world = World(path)
    world.pool(collateral=(COIN, "BTC"))
    world.account("A")
    world.account("B")
    state = world.state
    state.balances.pop(user("BTC", POOL, "A"))
    state.balances.put(user("BTC", "Q", "A"), path.atom("elsewhere"))
    listed = statement(state, "A")
    path.claim("order", lambda: list(listed) == [CASH, COIN, "BTC"])
    path.claim("settlement asset", lambda: listed[CASH] == state.balances[user(CASH, POOL, "A")])
    path.claim("collateral", lambda: listed[COIN] == state.balances[user(COIN, POOL, "A")])
    path.claim("never posted", lambda: listed["BTC"] == 0)
    return listed[CASH], listed[COIN]


@fits("post", "balances and an amount up to 2^125", "LEDG-2")
def fits_post(path: Any) -> Any:
    """The two sums of a posting."""
    in_128_bits(path)
    state, amount = State(), path.atom("amount", -FUND_MAX, FUND_MAX)
    for key in (ANN, BOB):
        state.balances.put(key, path.atom(key[3], -FUND_MAX, FUND_MAX))
    post(state, [], ANN, BOB, amount, "COLL-7")
    return balance(state, ANN), balance(state, BOB)


@fits("custody_of_users", "the balances of a pool up to 2^124", "LEDG-4")
def fits_custody_of_users(path: Any) -> Any:
    """A sum of four balances."""
    in_128_bits(path)
    state = State()
    for kind in (Kind.CUSTODY, *FUNDS):
        state.balances.put(house(CASH, POOL, kind), path.atom(kind.value, -(2**124), 2**124))
    return custody_of_users(state, CASH, POOL)
