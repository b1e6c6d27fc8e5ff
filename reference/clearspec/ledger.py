"""Double-entry ledger per (asset, pool): account kinds, postings, custody against claims.

A balance is credits minus debits. Claims on the clearinghouse (users, funds) are credit balances; what backs them
(custody, uncovered loss) is a debit balance and so at or below zero. The balances of one (asset, pool) sum to zero
at all times (INV-1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from clearspec.rules import rule
from clearspec.state import BalanceKey, State


@rule("LEDG-1")
class Kind(StrEnum):
    """Kinds of ledger account (LEDG-1)."""

    USER = "user"
    CUSTODY = "custody"
    CLEARING = "clearing"
    INSURANCE_FUND = "insurance_fund"
    SKIN_IN_THE_GAME = "skin_in_the_game"
    FEE_TREASURY = "fee_treasury"
    UNCOVERED_LOSS = "uncovered_loss"


# Plain strings, because the hash of an enumeration member costs a call on every ledger access.
_USER = "user"
_CLEARING = "clearing"


@rule("LEDG-2")
class Posting(NamedTuple):
    """One debit and one equal credit of ``amount`` atoms; a negative amount is the same posting turned round.

    ``cause`` is the rule that moved the money.
    """

    debit: BalanceKey
    credit: BalanceKey
    amount: int
    cause: str


def user(asset: str, pool: str, account: str) -> BalanceKey:
    """Ledger account of a clearing account's balance in one asset."""
    return (asset, pool, _USER, account)


def clearing(asset: str, pool: str, market: str) -> BalanceKey:
    """Ledger account against which a market's positions realise profit, loss and funding."""
    return (asset, pool, _CLEARING, market)


def house(asset: str, pool: str, kind: Kind) -> BalanceKey:
    """Ledger account of a pool that belongs to no account and no market."""
    return (asset, pool, kind.value, "")


@rule("LEDG-3")
def balance(state: State, key: BalanceKey) -> int:
    """Credits minus debits of a ledger account, in atoms; 0 for one never posted to."""
    return state.balances.get(key, 0)


@rule("LEDG-2")
def post(state: State, postings: list[Posting], debit: BalanceKey, credit: BalanceKey, amount: int, cause: str) -> None:
    """Move ``amount`` from ``debit`` to ``credit`` and note it in ``postings``; the one way money moves."""
    balances = state.balances
    balances.put(debit, balances.get(debit, 0) - amount)
    balances.put(credit, balances.get(credit, 0) + amount)
    postings.append(Posting(debit, credit, amount, cause))


@rule("LEDG-4")
def custody_held(state: State, asset: str, pool: str) -> int:
    """Atoms of an asset that a pool holds in custody."""
    return -balance(state, house(asset, pool, Kind.CUSTODY))


@rule("LEDG-4")
def custody_of_users(state: State, asset: str, pool: str) -> int:
    """Atoms of an asset in custody beyond what the pool's funds and treasury own."""
    funds = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY)
    return custody_held(state, asset, pool) - sum(balance(state, house(asset, pool, fund)) for fund in funds)


@rule("LEDG-5")
def uncovered_loss(state: State, pool: str) -> int:
    """Atoms of settlement asset that claims on a pool exceed its assets by."""
    asset = state.pools[pool].settlement_asset
    return -balance(state, house(asset, pool, Kind.UNCOVERED_LOSS))


@rule("LEDG-6")
def statement(state: State, account: str) -> dict[str, int]:
    """Balances of an account by asset, in atoms: the settlement asset first, then collateral in the pool's order."""
    pool = state.pools[state.accounts[account].pool]
    assets = [pool.settlement_asset] + [terms.asset for terms in pool.collateral]
    return {asset: balance(state, user(asset, pool.pool, account)) for asset in assets}
