"""Vectors of the ledger: accounts, deposits and funds, and what the balances are after them."""

from __future__ import annotations

from clearspec import events as ev
from clearspec_conformance.vectors import Recorder, case


@case(
    "ledger-deposit-001",
    "LEDG-1",
    "LEDG-2",
    "LEDG-3",
    "LEDG-6",
    bug="a deposit credits the account without a debit of custody",
    effect="claims exceed what is held",
)
def a_deposit_is_one_posting(box: Recorder) -> None:
    box.do("alice", ev.OpenAccount("alice", "main"))
    box.do("alice", ev.Deposit("alice", "USD", 100))
    box.hand("receipt.postings.0.amount", 100, "the amount deposited")
    box.hand("observable.accounts.alice.balances.USD", 100, "0 + 100")
    box.hand("observable.pools.main.custody.USD", 100, "0 + 100")


@case(
    "ledger-contribute-001",
    "LEDG-1",
    "LEDG-4",
    bug="a contribution raises the fund but not custody",
    effect="the fund pays with money that is not there",
)
def a_contribution_is_held(box: Recorder) -> None:
    box.do("donor", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 70))
    box.do("donor", ev.Contribute("main", ev.Fund.SKIN_IN_THE_GAME, 30))
    box.hand("observable.pools.main.insurance_fund", 70, "0 + 70")
    box.hand("observable.pools.main.skin_in_the_game", 30, "0 + 30")
    box.hand("observable.pools.main.custody.USD", 100, "70 + 30")
