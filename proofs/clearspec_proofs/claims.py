"""What is claimed of the state after a transition: every invariant, each asked of what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from operator import attrgetter
from typing import Any

from clearspec.ledger import Kind
from clearspec.numerics import NOTIONAL_MAX
from clearspec.parameters import FeedParameters, MarketListing
from clearspec.snapshot import _dangling
from clearspec.state import Mark, Market, Position, Settlement, State
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.stand_ins import is_good
from clearspec_proofs.unknown import Among, Unknown, is_unknown, without_lists
from clearspec_proofs.world import LONG_REST, REST, SHORT_REST, Tables, same, shape_of

CLAIM_REST = "~claims"
RESTS = (LONG_REST, SHORT_REST, CLAIM_REST)

ALL: tuple[str, ...] = ("*",)
KEYS: tuple[str, ...] = ()
FUNDS = ("insurance_fund", "skin_in_the_game", "fee_treasury", "uncovered_loss")
OWED = ("index", "haircut_long", "haircut_short")
PAID = ("price", "residual", "shortfall", "pot", "claims", "claimed", "collected")

READS: dict[str, dict[str, tuple[str, ...]]] = {
    "INV-1": {"balances": ALL},
    "INV-2": {"balances": ("custody",)},
    "INV-3": {"balances": FUNDS},
    "INV-4": {"balances": ("user",), "pools": ALL},
    "INV-5": {"markets": KEYS, "positions": ("size",), "settlements": ("residual",)},
    "INV-6": {"markets": KEYS, "positions": ("size",), "open_interest": ALL},
    "INV-7": {
        "markets": ("listing.pool",), "positions": ALL, "settlements": ("residual", "price", "shortfall"),
        "balances": ("clearing",), "fundings": OWED, "pools": ALL,
    },
    "INV-8": {"markets": ("listing.pool",), "positions": ("size", "cost"), "accounts": ("markets", "pool")},
    "INV-9": {
        "markets": ("listing.parameters.funding.period",), "positions": ("size",), "marks": ("price",),
        "feeds": ("index", "parameters"),
        "fundings": (*OWED, "carry"),
    },
    "INV-10": {
        "markets": ("listing.pool", "status"), "positions": ("size", "cost"), "settlements": ("shortfall",),
        "balances": ("clearing",), "pools": ALL,
    },
    "INV-11": {
        "markets": ("listing.pool",), "positions": ALL, "settlements": ("shortfall",), "fundings": OWED,
        "balances": ("custody", "user", *FUNDS), "marks": ("price",), "pools": ALL,
    },
    "INV-12": {"positions": ("size", "cost")},
    "INV-13": {
        "markets": ("listing.pool", "status"), "positions": ("size", "cost"), "settlements": PAID,
        "balances": ("clearing",), "marks": ("price",), "open_interest": ALL, "pools": ALL,
    },
    "INV-14": {
        "markets": ("listing.feed", "listing.expiry", "listing.parameters.settlement_window", "status"),
        "settlements": ("accrued", "accrued_time"), "feeds": ("parameters",), "time": ALL,
    },
    "INV-15": {
        "markets": ("listing.feed",), "settlements": ("residual",), "open_interest": ALL, "feeds": ("parameters",)
    },
    "INV-16": {"feeds": ("anchor", "parameters"), "markets": ("listing.feed",), "marks": ("price",)},
    "INV-17": {"markets": KEYS, "open_interest": ALL, "marks": ("price",)},
}  # fmt: skip
"""Tables and fields that each invariant reads, also of records within records, and of balances the kinds; ``KEYS`` are
those under which records stand; and whether it reads the time. It is shown no
other, so that one of which nothing has changed that it reads still holds."""

BY_MARKET = (
    "INV-5",
    "INV-6",
    "INV-7",
    "INV-10",
    "INV-11",
    "INV-13",
    "INV-15",
    "INV-17",
)
"""Invariants of the sums over a market; of a bare one nothing may change that they read."""

SUMS = ("INV-1", "INV-5", "INV-6", "INV-7", "INV-10", "INV-11")
"""Invariants that are asked of the whole system; the others of the touched records."""

SINGLE = ("INV-2", "INV-3", "INV-4", "INV-8", "INV-9", "INV-12", "INV-16")
"""Invariants of one record at a time, so that an unknown one may be left out: whoever wrote it kept them."""

RANGED: dict[type, tuple[str, ...]] = {
    Settlement: (),
    Position: (),
    Mark: ("price", "fresh_until", "sample_time", "variation_price", "variation_time"),
}
"""Fields whose bounds worlds suppose, of records of which they do not suppose all; the invariants bound the others."""


def rest_or_none(table: str, key: Any, name: str) -> bool:
    """Whether a record stands for untouched ones of which an invariant holds as before."""
    if name in SUMS:
        return False
    if table == "positions" and key[0] in RESTS:
        return name != "INV-13" or key[0] != CLAIM_REST
    return table == "balances" and REST in key


PER_MARKET = ("markets", "marks", "fundings", "open_interest", "settlements", "positions")

Changes = set[tuple[str, Any]]
"""Tables and keys."""


def view(path: Any, state: State, name: str, bare: Iterable[str] = (), concerned: Changes | None = None) -> State:
    """The state as one invariant sees it: the tables and fields that it reads, of them what it is asked of.

    An invariant of single records is asked of those in ``concerned``.

    Raises:
        LeavesSubset: it would have to look at a record that is not known.
    """
    seen = State(time=state.time if "time" in READS[name] else Unknown("the time"))  # type: ignore[arg-type]
    for table, mine in zip(state.tables, seen.tables, strict=True):
        chosen = READS[name].get(table.name)
        if chosen is None:
            setattr(seen, table.name, None)
            continue
        for key, record in table.items():
            untouched = name in BY_MARKET and table.name in PER_MARKET and market_of(key) in bare
            untouched = untouched or (name in SINGLE and not is_concerned(name, table.name, key, concerned))
            if not untouched and is_asked(path, name, table.name, key, record, chosen):
                dict.__setitem__(mine, key, shown(record, chosen if table.name != "balances" else ALL))
    return seen


def is_concerned(name: str, table: str, key: Any, concerned: Changes | None) -> bool:
    """Whether an invariant of single records has to be asked of one: it has changed, or it belongs to one that has."""
    if concerned is None or table == "pools" or (name, table) == ("INV-8", "markets"):
        return True
    if name == "INV-8":
        owners = {at if of == "accounts" else at[0] for of, at in concerned}
        return (key if table == "accounts" else key[0]) in owners
    if name == "INV-9" and table in ("markets", "fundings"):
        return ("markets", key) in concerned or ("fundings", key) in concerned
    if name == "INV-16":
        return table == "feeds" or ("markets", key) in concerned or ("marks", key) in concerned
    return (table, key) in concerned


def is_asked(path: Any, name: str, table: str, key: Any, record: Any, chosen: tuple[str, ...]) -> bool:
    """Whether an invariant is asked of a record.

    Raises:
        LeavesSubset: it would have to be, but the record is not known.
    """
    if isinstance(record, Among) or rest_or_none(table, key, name):
        return False
    if table == "balances" and chosen != ALL and key[2] not in chosen:
        return False
    if is_unknown(record):
        if name in SINGLE:
            return False
        raise LeavesSubset(f"{name} is asked of {table} {key}, which a stand-in may have changed")
    return not (name == "INV-12" and table == "positions" and is_good(path, record))


def shown(record: Any, chosen: tuple[str, ...]) -> Any:
    """A record of which only the chosen fields are known."""
    if chosen == ALL or not is_dataclass(record) or isinstance(record, type):
        return record
    parts = {item.name: tuple(deeper(item.name, chosen)) for item in fields(record)}
    return replace(record, **{name: _part(record, name, part) for name, part in parts.items()})


def deeper(name: str, chosen: Iterable[str]) -> Iterator[str]:
    """What is chosen of a field: all of it, or fields of the record that it holds."""
    for field in chosen:
        top, _, rest = field.partition(".")
        if top == name:
            yield rest or "*"


def _part(record: Any, name: str, chosen: tuple[str, ...]) -> Any:
    return shown(getattr(record, name), chosen) if chosen else Unknown(name)


def concerns(name: str, before: Tables, state: State, changed: Iterable[tuple[str, Any]]) -> Changes:
    """What has changed that an invariant reads."""
    tables = {table.name: table for table in state.tables}
    found: Changes = set()
    for table, key in changed:
        chosen = READS[name].get(table)
        if chosen is None or (table == "balances" and chosen != ALL and key[2] not in chosen):
            continue
        old, new = before.tables[table].get(key), tables[table].get(key)
        whole = chosen == ALL or table == "balances" or old is None or is_unknown(old) or is_unknown(new)
        if whole or not all(same(attrgetter(field)(old), attrgetter(field)(new)) for field in chosen):
            found.add((table, key))
    return found


def market_of(key: Any) -> Any:
    """The market that a record is of, by its key."""
    if isinstance(key, str):
        return key
    return key[3] if len(key) == 4 else key[1]


def ranged(old: Any, record: Any) -> Iterator[tuple[Any, int, int]]:
    """Fields that are new and whose bounds worlds suppose, each with its bounds; of records within a record too."""
    kind = type(record)
    if not is_dataclass(kind) or is_unknown(record):
        return
    chosen = RANGED.get(kind, tuple(item.name for item in fields(kind)))
    for name, _, bounds in shape_of(kind):
        value, before = getattr(record, name), getattr(old, name) if type(old) is kind else None
        if name not in chosen or same(before, value) or is_unknown(value):
            continue
        if bounds is not None:
            yield value, bounds.low, bounds.high
        for part in value if isinstance(value, tuple) else (value,):
            yield from ranged(before, part)


def in_ranges(records: Iterable[tuple[Any, Any]]) -> bool:
    """Whether the fields of records, each given with what it was before, are within their bounds."""
    return all(low <= value <= high for old, record in records for value, low, high in ranged(old, record))


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
    pools = before.tables["pools"]
    return all(_kept_or_admitted(pools.get(name), pool, admitted) for name, pool in state.pools.items())


def _kept_or_admitted(before: Any, now: Any, admitted: list[Any]) -> bool:
    return same(before, now) or any(now is entry for entry in admitted)


def envelope(listing: MarketListing, lowest: Any, feed: FeedParameters) -> tuple[Any, ...]:
    """The inequalities of the envelope that worlds suppose; ``lowest`` is a maintenance ratio."""
    trading, penalty = listing.parameters.trading, listing.parameters.liquidation.penalty
    return (
        -trading.maker_fee <= trading.taker_fee,
        trading.max_open_interest * feed.max_price <= NOTIONAL_MAX,
        penalty < lowest,
    )


def inside_envelope(state: State, changed: Iterable[tuple[str, Any]]) -> bool:
    """Whether these hold of every market that has changed, with either of its tables; every feed has a quorum."""
    records = [
        state.markets[key] for table, key in changed if table == "markets" and not is_unknown(state.markets[key])
    ]
    tables = [(record, tiers) for record in records for tiers in tables_of(record)]
    feeds = [state.feeds[key].parameters for table, key in changed if table == "feeds"]
    return all(feed.quorum >= 1 for feed in feeds) and all(
        fact
        for record, tiers in tables
        for fact in envelope(record.listing, tiers[0].maintenance, state.feeds[record.listing.feed].parameters)
    )


def accounts_kept(before: Tables, state: State, changed: Iterable[tuple[str, Any]]) -> bool:
    """Whether accounts keep id, owner and pool, and the market that one left last is of its pool, if there is one."""
    for table, key in changed:
        if table != "accounts":
            continue
        old, new = before.tables[table].get(key), state.accounts[key]
        if new.account != key or (old is not None and not same((old.owner, old.pool), (new.owner, new.pool))):
            return False
        left = (
            "" if is_unknown(new) or (old is not None and same(old.last_market, new.last_market)) else new.last_market
        )
        if left != "" and (left not in state.markets or state.markets[left].listing.pool != new.pool):
            return False
    return True


def followers_kept(before: Tables, state: State) -> bool:
    """Whether markets keep id, pool and feed, and the list of a feed gains no market but such as follow it."""
    for name, market in state.markets.items():
        old, new = before.tables["markets"].get(name), market.listing
        ids = (new.market, new.pool, new.feed)
        if old is not None and (old.listing.market, old.listing.pool, old.listing.feed) != ids:
            return False
    for name, feed in state.feeds.items():
        old = before.tables["feeds"].get(name)
        gained = [market for market in feed.markets if old is None or market not in old.markets]
        if any(market not in state.markets or state.markets[market].listing.feed != name for market in gained):
            return False
    return True


def marks_have_indices(before: Tables, state: State) -> bool:
    """Whether every mark that is new, or of another price, belongs to a feed with an index, which none loses again.

    So a market whose mark is fresh has an index. No invariant says so, but restoring asks for it (EVENT-12); worlds
    suppose it where a function divides by the index.
    """
    for name, feed in state.feeds.items():
        old = before.tables["feeds"].get(name)
        if old is not None and not same(old.index, feed.index) and not feed.index >= 1:
            return False
    for name, mark in state.marks.items():
        old = before.tables["marks"].get(name)
        if is_unknown(mark) or (old is not None and not is_unknown(old) and same(old.price, mark.price)):
            continue
        if mark.price >= 1 and not state.feeds[state.markets[name].listing.feed].index >= 1:
            return False
    return True


def ramps_begun(before: Tables, state: State) -> bool:
    """Whether no ramp that is new begins later than now; restoring asks for it too (EVENT-12)."""
    for name, market in state.markets.items():
        old = before.tables["markets"].get(name)
        if is_unknown(market) or (old is not None and not is_unknown(old) and same(old.ramp_start, market.ramp_start)):
            continue
        if not market.ramp_start <= state.time:
            return False
    return True


def tables_of(record: Market) -> tuple[Any, Any]:
    """The tiers in force, and those from which a ramp started."""
    return record.listing.parameters.margin.tiers, record.before.margin.tiers


def dangling(state: State) -> list[tuple[str, str]]:
    """Touched records that refer to nothing."""
    seen = State(time=state.time)
    for table, mine in zip(state.tables, seen.tables, strict=True):
        for key, record in table.items():
            if not rest_or_none(table.name, key, "") and not isinstance(record, Among):
                dict.__setitem__(mine, key, without_lists(record))
    return list(_dangling(seen))


def losses_grown(before: Tables, state: State) -> Any:
    """By how much uncovered losses and shortfalls have grown together, of records that are known now and then."""
    grown: Any = 0
    for key, amount in state.balances.items():
        old = before.tables["balances"].get(key, 0)
        if key[2] == Kind.UNCOVERED_LOSS.value and not is_unknown(amount) and not is_unknown(old):
            grown = grown + old - amount
    for market, settlement in state.settlements.items():
        old = before.tables["settlements"].get(market)
        if old is not None and not is_unknown(settlement) and not is_unknown(old):
            grown = grown + settlement.shortfall - old.shortfall
    return grown


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
