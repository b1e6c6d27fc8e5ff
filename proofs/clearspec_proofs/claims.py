"""What is claimed of the state after a transition: every invariant, each asked of what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from clearspec import invariants as inv
from clearspec.ledger import Kind
from clearspec.snapshot import _dangling
from clearspec.state import Feed, Market, Position, Settlement, State
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.proposed import PROPOSED
from clearspec_proofs.stand_ins import is_good
from clearspec_proofs.unknown import Among, is_unknown, without_lists
from clearspec_proofs.world import LONG_REST, REST, SHORT_REST, Tables, same, shape_of

CLAIM_REST = "~claims"
RESTS = (LONG_REST, SHORT_REST, CLAIM_REST)
ALWAYS = (*inv.INVARIANTS, *PROPOSED)

READS: dict[str, set[str]] = {
    "INV-1": {"balances"},
    "INV-2": {"balances"},
    "INV-3": {"balances"},
    "INV-4": {"balances", "pools"},
    "INV-5": {"markets", "positions", "settlements"},
    "INV-6": {"markets", "positions", "open_interest"},
    "INV-7": {"markets", "positions", "settlements", "balances", "fundings", "pools"},
    "INV-8": {"markets", "positions", "accounts"},
    "INV-9": {"markets", "positions", "marks", "feeds", "fundings"},
    "INV-10": {"markets", "positions", "settlements", "balances", "pools"},
    "INV-11": {"markets", "positions", "settlements", "balances", "fundings", "marks", "pools"},
    "INV-12": {"positions"},
    "INV-13 (proposed)": {"markets", "positions", "settlements", "balances", "marks", "open_interest", "pools"},
    "INV-14 (proposed)": {"markets", "settlements"},
    "INV-15 (proposed)": {"markets", "settlements", "open_interest", "feeds"},
    "INV-16 (proposed)": {"feeds"},
}
"""Tables that each invariant reads. It is shown no other, so that one of whose tables none has changed still holds."""

SUMS = ("INV-1", "INV-5", "INV-6", "INV-7", "INV-10", "INV-11")
"""Invariants that are asked of the whole system; the others of the touched records."""

SINGLE = ("INV-2", "INV-3", "INV-4", "INV-8", "INV-9", "INV-12", "INV-16 (proposed)")
"""Invariants of one record at a time, so that an unknown one may be left out: whoever wrote it kept them."""

RANGED: dict[type, tuple[str, ...]] = {Settlement: (), Position: ()}
"""Fields whose bounds are supposed and claimed, of records whose other figures the invariants bound."""


def rest_or_none(table: str, key: Any, name: str) -> bool:
    """Whether a record stands for untouched ones of which an invariant holds as before."""
    if name in SUMS:
        return False
    if table == "positions" and key[0] in RESTS:
        return name != "INV-13 (proposed)" or key[0] != CLAIM_REST
    return table == "balances" and REST in key


def view(path: Any, state: State, name: str) -> State:
    """The state as one invariant sees it: the tables that it reads, of them what it is asked of.

    Raises:
        LeavesSubset: it would have to look at a record that is not known.
    """
    seen = State(time=state.time)
    for table, mine in zip(state.tables, seen.tables, strict=True):
        if table.name not in READS[name]:
            setattr(seen, table.name, None)
            continue
        for key, record in table.items():
            if is_unknown(record) and not isinstance(record, Among) and name not in SINGLE:
                raise LeavesSubset(f"{name} is asked of {table.name} {key}, which a stand-in may have changed")
            known = not is_unknown(record) and not rest_or_none(table.name, key, name)
            good = name == "INV-12" and table.name == "positions" and known and is_good(path, record)
            if known and not good:
                dict.__setitem__(mine, key, record)
    if name == "INV-9":
        for market in [market for market in seen.markets if market not in seen.fundings]:
            dict.__delitem__(seen.markets, market)
    return seen


def ranged(record: Any) -> Iterator[tuple[Any, int, int]]:
    """Fields of a record whose bounds worlds suppose, each with its bounds."""
    kind = type(record)
    if not is_dataclass(kind):
        return
    chosen = RANGED.get(kind, tuple(item.name for item in fields(kind)))
    for name, _, bounds in shape_of(kind):
        if bounds is not None and name in chosen:
            yield getattr(record, name), bounds.low, bounds.high


def in_ranges(records: Iterable[Any]) -> bool:
    """Whether the fields of records are within their bounds."""
    found = [part for record in records if not is_unknown(record) for part in ranged(record)]
    return all(low <= value <= high for value, low, high in found)


def parameters_kept(before: Tables, state: State, admitted: list[Any]) -> bool:
    """Whether every market and feed has the parameters that it had, or such as have passed the envelope."""
    for name, record in state.markets.items():
        old = before.tables["markets"].get(name)
        if not _kept_or_admitted(old and old.listing.parameters, record.listing.parameters, admitted):
            return False
    for name, feed in state.feeds.items():
        old = before.tables["feeds"].get(name)
        if not _kept_or_admitted(old and old.parameters, feed.parameters, admitted):
            return False
    return all(same(before.tables["pools"].get(name), pool) for name, pool in state.pools.items())


def _kept_or_admitted(before: Any, now: Any, admitted: list[Any]) -> bool:
    return same(before, now) or any(now is entry for entry in admitted)


def dangling(state: State) -> list[tuple[str, str]]:
    """Touched records that refer to nothing."""
    seen = State(time=state.time)
    for table, mine in zip(state.tables, seen.tables, strict=True):
        for key, record in table.items():
            if not rest_or_none(table.name, key, "") and not isinstance(record, Among):
                dict.__setitem__(mine, key, without_lists(record))
    return list(_dangling(seen))


def accounts_of(changed: Iterable[tuple[str, Any]]) -> set[str]:
    """Accounts to which changed records belong."""
    found = set()
    for table, key in changed:
        if table == "accounts":
            found.add(key)
        elif table == "positions" and key[0] not in RESTS:
            found.add(key[0])
        elif table == "balances" and key[2] == Kind.USER.value and key[3] != REST:
            found.add(key[3])
    return found
