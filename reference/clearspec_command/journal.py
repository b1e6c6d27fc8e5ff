"""A run as a double-entry journal that beancount reads.

- One transaction an accepted event that moved money; its narration is the action and the rules that moved it, its payee
  the actor. Every posting of the receipt is two legs, the debit positive, so a balance here is the ledger's with its
  sign turned.
- A time of ``t`` seconds falls on the day 1970-01-01 plus ``t`` / 86,400, rounded down; the second stands in the
  metadata (``time``), as do the event's id and sequence number. Transactions stand in the order of events.
- Ids that beancount cannot write as an account or a commodity are spelled with legal characters; the original stands in
  the metadata of the ``open`` or ``commodity`` directive.
- At the end, on the day after the last event, every ledger account's balance is asserted with no tolerance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from clearspec.formats import PostingRecord, receipt_record
from clearspec.ledger import Kind
from clearspec.scenario import Played
from clearspec.state import BalanceKey
from clearspec_command.display import EPOCH, LAST_DAY, Display, plain
from clearspec_command.failures import BadInput
from clearspec_command.playing import Run

ROOTS = {
    Kind.USER: "Liabilities:User",
    Kind.CUSTODY: "Assets:Custody",
    Kind.CLEARING: "Liabilities:Clearing",
    Kind.INSURANCE_FUND: "Equity:InsuranceFund",
    Kind.SKIN_IN_THE_GAME: "Equity:SkinInTheGame",
    Kind.FEE_TREASURY: "Income:FeeTreasury",
    Kind.UNCOVERED_LOSS: "Expenses:UncoveredLoss",
}
"""Where each kind of ledger account stands in the chart of accounts."""

COMMODITY_LENGTH = 16
"""Most characters taken from an id; beancount admits 24, and a few are kept for what makes names distinct."""

RESERVED = ("TRUE", "FALSE", "NULL")


def component(name: str) -> str:
    """A legal account component from an id: letters, digits and dashes, the first no dash and no small letter."""
    legal = re.sub(r"[^A-Za-z0-9-]", "-", name)
    return legal[0].upper() + legal[1:]


def commodity(name: str) -> str:
    """A legal commodity name from an id: capitals, digits, and between them ``.``, ``_`` and ``-``."""
    legal = re.sub(r"[^A-Z0-9._-]", "-", name.upper())[:COMMODITY_LENGTH]
    if not legal[0].isalpha() or legal in RESERVED or len(legal) == 1:
        legal = f"C-{legal}"
    return legal if legal[-1].isalnum() else f"{legal}0"


@dataclass(slots=True)
class Names:
    """Legal names, one for each id; where two ids would share one, the later gets a number."""

    make: Callable[[str], str]
    found: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def of(self, name: str) -> str:
        """The legal name of an id."""
        if name not in self.found:
            base = candidate = self.make(name)
            number = 1
            while candidate in self.taken:
                number += 1
                candidate = f"{base}-{number}"
            self.found[name] = candidate
            self.taken.add(candidate)
        return self.found[name]


@dataclass(slots=True)
class Chart:
    """The chart of accounts of a run."""

    display: Display
    pools: Names = field(default_factory=lambda: Names(component))
    owners: Names = field(default_factory=lambda: Names(component))
    commodities: Names = field(default_factory=lambda: Names(commodity))

    def account(self, key: BalanceKey) -> str:
        """The account of a ledger account, whatever the asset."""
        _, pool, kind, owner = key
        parts = [ROOTS[Kind(kind)], self.pools.of(pool)]
        return ":".join([*parts, self.owners.of(owner)] if owner else parts)

    def amount(self, atoms: int, asset: str) -> str:
        """An amount and its commodity."""
        return f"{self.display.number(atoms, asset)} {self.commodities.of(asset)}"


def day_of(time: int) -> str:
    """The calendar day of a time.

    Raises:
        BadInput: there is no such day.
    """
    if time // 86400 > LAST_DAY:
        raise BadInput(f"--journal: the time {time} is beyond the calendar, which ends with 9999-12-31")
    return (EPOCH + timedelta(days=time // 86400)).date().isoformat()


def quoted(text: str) -> str:
    """A string of a journal."""
    return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def journal(run: Run) -> Iterator[str]:
    """The lines of a run's journal."""
    chart, state = Chart(run.display), run.player.state
    start, tomorrow = day_of(run.scenario.genesis.time), day_of(state.time + 86400)
    keys = list(state.balances)
    yield f'option "title" {quoted(run.scenario.title)}'
    for asset in dict.fromkeys(run.display.settlement.values()):
        yield f'option "operating_currency" "{chart.commodities.of(asset)}"'
    yield ""
    for asset in dict.fromkeys(asset for asset, *_ in keys):
        yield f"{start} commodity {chart.commodities.of(asset)}"
        yield f"  asset: {quoted(asset)}"
    yield from _opened(chart, keys, start)
    for item in run.player.played:
        yield from transaction(chart, item)
    yield ""
    for key, amount in state.balances.items():
        yield f"{tomorrow} balance {chart.account(key)}  {_asserted(chart, -amount, key[0])}"


def _opened(chart: Chart, keys: list[BalanceKey], day: str) -> Iterator[str]:
    """An ``open`` directive for each account, with its commodities and the ids behind its name."""
    assets: dict[BalanceKey, list[str]] = {}
    for asset, *rest in keys:
        assets.setdefault(("", rest[0], rest[1], rest[2]), []).append(chart.commodities.of(asset))
    for key, commodities in assets.items():
        yield f"{day} open {chart.account(key)}  {','.join(commodities)}"
        yield f"  pool: {quoted(key[1])}"
        if key[3]:
            yield f"  owner: {quoted(key[3])}"


def _asserted(chart: Chart, atoms: int, asset: str) -> str:
    """An amount asserted without tolerance."""
    return f"{chart.display.number(atoms, asset)} ~ 0 {chart.commodities.of(asset)}"


def transaction(chart: Chart, item: Played) -> Iterator[str]:
    """The transaction of an event; none if it moved no money."""
    receipt = receipt_record(item.receipt)
    if not receipt.postings:
        return
    rules = ", ".join(dict.fromkeys(posting.cause for posting in receipt.postings))
    yield ""
    yield f"{day_of(item.event.time)} * {quoted(item.event.actor)} {quoted(f'{receipt.action} ({rules})')}"
    yield f"  id: {quoted(receipt.id)}"
    yield f"  sequence: {receipt.sequence}"
    yield f"  time: {receipt.time}"
    if item.note:
        yield f"  note: {quoted(item.note)}"
    for posting in receipt.postings:
        yield from _legs(chart, posting)


def _legs(chart: Chart, posting: PostingRecord) -> Iterator[str]:
    """The two legs of a posting; the rule that moved the money stands with each."""
    for leg, amount in ((posting.debit, posting.amount), (posting.credit, -posting.amount)):
        account = chart.account((posting.asset, posting.pool, leg.kind.value, leg.owner))
        yield f"  {account}  {chart.amount(amount, posting.asset)}"
        yield f"    rule: {quoted(posting.cause)}"
