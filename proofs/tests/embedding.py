"""Concrete states of the reference as worlds: the number that each atom of a theorem has in a given state.

Ids become those of the world; what the event does not touch becomes the rest: sums of sizes, costs and balances. What
untouched positions of an account come to is added where the reference folds over its positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from typing import Any

from clearspec import events as ev
from clearspec import margin, waterfall
from clearspec.ledger import Kind
from clearspec.margin import Exposure, position_exposure
from clearspec.numerics import SCALE
from clearspec.parameters import CollateralTerms
from clearspec.state import Account, MarketStatus, Position, State
from clearspec_proofs.lifting.paths import Discarded
from clearspec_proofs.sound import BEFORE, CLAIM, CLOSED, COLLECTING, FLAT, INSIDE, LONG, NEVER, OPEN, PAYING, SHORT
from clearspec_proofs.stand_ins import holders
from clearspec_proofs.world import CASH, COIN, shape_of

KINDS = {
    "account": "account", "target": "account", "keeper": "account", "liquidator": "account", "buyer": "account",
    "seller": "account", "backstop": "account", "pool": "pool", "market": "market", "markets": "market",
    "last_market": "market", "feed": "feed", "asset": "asset", "settlement_asset": "asset", "sources": "actor",
    "owner": "actor", "actor": "actor",
}  # fmt: skip
"""What the ids in a field are of."""

TABLES = {
    "assets": ("asset",), "pools": ("pool",), "feeds": ("feed",), "posts": ("feed", "actor"), "markets": ("market",),
    "marks": ("market",), "fundings": ("market",), "open_interest": ("market",), "budgets": ("market",),
    "pool_budgets": ("pool",), "settlements": ("market",), "accounts": ("account",),
    "positions": ("account", "market"),
}  # fmt: skip


UNUSED = CollateralTerms(COIN, f"{COIN}-feed", 1, SCALE, 0, 0, 1)
"""Terms of a collateral asset that a pool does not take: a world's pool takes one, of which nobody holds anything.

Its haircut is all that it is worth, so that no inequality of the envelope fails for an asset that is not there.
"""


class NotThisShape(Exception):
    """A pair that no world of the theorem has the shape of; the message says why."""


Names = dict[str, dict[str, str]]
"""By kind, what an id is called in the world."""


def renamed(value: Any, names: Names, kind: str = "") -> Any:
    """A record with the ids of the world."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return names.get(kind, {}).get(value, value)
    if isinstance(value, tuple):
        return tuple(renamed(part, names, kind) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: renamed(getattr(value, each.name), names, KINDS.get(each.name, "")) for each in fields(value)
        }
        return replace(value, **changed)
    return value


def renamed_state(state: State, names: Names) -> State:
    """A state with the ids of the world, in the same order of creation."""
    copy = State(state.time, state.sequence, (), (), dict(state.recent))
    copy.administrators = renamed(state.administrators, names, "actor")
    copy.venues = renamed(state.venues, names, "actor")
    for theirs, mine in zip(state.tables, copy.tables, strict=True):
        for key, record in theirs.items():
            dict.__setitem__(mine, renamed_key(theirs.name, key, names), renamed(record, names))
    return copy


def renamed_key(table: str, key: Any, names: Names) -> Any:
    """A key with the ids of the world."""
    if table == "balances":
        asset, pool, kind, owner = key
        of = {Kind.USER.value: "account", Kind.CLEARING.value: "market"}.get(kind, "")
        return renamed(asset, names, "asset"), renamed(pool, names, "pool"), kind, renamed(owner, names, of)
    kinds = TABLES[table]
    parts = [
        renamed(part, names, kind) for part, kind in zip((key,) if isinstance(key, str) else key, kinds, strict=True)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def flattened(name: str, record: Any) -> Iterator[tuple[str, Any]]:
    """Fields of a record by the names that a world gives them."""
    for part, _, _ in shape_of(type(record)):
        value = getattr(record, part)
        if is_dataclass(value) and not isinstance(value, type):
            yield from flattened(f"{name}.{part}", value)
        elif not isinstance(value, str | tuple) or isinstance(value, Enum):
            yield f"{name}.{part}", value


@dataclass
class Embedding:
    """Values of atoms and answers to questions, taken from a state that bears the ids of the world."""

    state: State
    event: ev.Event
    touched: tuple[str, ...]
    """Accounts of the world."""
    answers: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def integer(self, name: str, low: int | None, high: int | None) -> int:
        """The number of an atom; outside its bounds the state is in no world."""
        value = self._value(name)
        if type(value) is not int:
            raise LookupError(f"{name} is {value!r} in the state")
        if (low is not None and value < low) or (high is not None and value > high):
            raise Discarded
        return value

    def option(self, name: str, options: tuple[Any, ...]) -> Any:
        """The answer to a question."""
        value = self._value(name)
        if not any(value == option for option in options):
            raise NotThisShape(f"{name}: {value!r} is none of {options}")
        return value

    def _value(self, name: str) -> Any:
        if name in self.answers:
            return self.answers[name]
        if name not in self.values:
            self.values.update(self._records(name))
        if name not in self.values:
            raise LookupError(f"{name} has no value in the state")
        return self.values[name]

    def _records(self, name: str) -> dict[str, Any]:
        """Everything whose names begin as this one does."""
        state, first = self.state, name.partition(".")[0]
        found: dict[str, Any] = {
            "now": state.time, "sequence": state.sequence, "event.sequence": self.event.sequence,
            "event.time": self.event.time, "repeated": self.event.id in state.recent,
            "administrator": "actor" if self.event.actor in state.administrators else "another administrator",
            "venue": "actor" if self.event.actor in state.venues else "another venue",
        }  # fmt: skip
        found.update(flattened(ev.ACTION_NAMES[type(self.event.action)], self.event.action))
        for table, make in ((state.feeds, feed_values), (state.pools, pool_values), (state.markets, market_values)):
            if first in table:
                found.update(make(state, first, self.touched))  # type: ignore[operator]
        for account in self.touched:
            if first == account and account in state.accounts:
                found.update(account_values(state, account, self.event.actor))
        return found


def feed_values(state: State, name: str, _: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """A feed and its posts."""
    yield from flattened(name, state.feeds[name])
    posts = {source: post for (feed, source), post in state.posts.items() if feed == name}
    for source in ("actor", "another"):
        yield from flattened(f"{name}.{source}", posts.get(source, next(iter(posts.values()))))


def pool_values(state: State, name: str, touched: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """A pool, its terms and its balances; what is not there is nothing."""
    pool = state.pools[name]
    yield from flattened(name, pool)
    yield f"{name}.layers", pool.layers
    yield f"{name}.backstop", pool.backstop if pool.backstop in ("", "A", "B") else "another account"
    yield from flattened(f"{name}.budget", state.pool_budgets[name])
    for terms in pool.collateral or (UNUSED,):
        yield from flattened(f"{name}.{terms.asset}", terms)
    for asset in (CASH, COIN):
        for kind in Kind:
            owners = touched if kind == Kind.USER else tuple(state.markets) if kind == Kind.CLEARING else ("",)
            for owner in owners:
                label = f"{name}.{asset}.{kind.value}{'.' + owner if owner else ''}"
                yield label, state.balances.get((asset, name, kind.value, owner), 0)


def market_values(state: State, name: str, touched: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """A market with everything that belongs to it, and sums over the positions that are not touched."""
    market = state.markets[name]
    for before, record in (("before.", market.before), ("", market.listing.parameters)):
        yield from flattened(name, record)
        for at, tier in enumerate(record.margin.tiers):
            yield from flattened(f"{name}.{before or 'margin.'}tier{at}", tier)
    yield from flattened(name, market.listing)
    yield from ((label, value) for label, value in flattened(name, market) if ".before" not in label)
    for part, table in (("mark", state.marks), ("funding", state.fundings), ("budget", state.budgets)):
        yield from flattened(f"{name}.{part}", table[name])
    yield from flattened(f"{name}.settlement", state.settlements[name])
    yield f"{name}.collected", state.settlements[name].collected
    samples = state.fundings[name].samples
    yield from ((f"{name}.sample{at}", sample) for at, sample in enumerate(samples))
    yield f"{name}.samples", len(samples)
    yield from rest_values(state, name, touched)


def rest_values(state: State, name: str, touched: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Untouched positions: sizes as a sum, costs as a sum that contains what they were settled at."""
    others = [row for (owner, at), row in state.positions.items() if at == name and owner not in touched]
    sides = {LONG: [row for row in others if row.size > 0], SHORT: [row for row in others if row.size < 0]}
    held = [side for side, rows in sides.items() if rows]
    yield f"{name}: others are", " and ".join(held) or FLAT
    for side, rows in sides.items():
        yield f"{name}.~{side}.size", sum(row.size for row in rows)
        yield f"{name}.~{side}.cost", sum(settled_cost(row) for row in rows)


def settled_cost(position: Position) -> int:
    """The cost that it would have, had it been settled at indices of 0."""
    return position.cost - position.size * position.funding_index - abs(position.size) * position.haircut_index


def account_values(state: State, account: str, actor: str) -> Iterator[tuple[str, Any]]:
    """An account and its positions."""
    yield f"{account}.owner", "actor" if state.accounts[account].owner == actor else "somebody else"
    for market in state.markets:
        position = state.positions.get((account, market), Position(0, 0, 0, 0))
        yield from flattened(f"{account}.{market}", position)


# Answers


def phase_of(state: State, market: str) -> str:
    """The phase that a market is in."""
    status = state.markets[market].status
    if status == MarketStatus.CLOSED:
        return CLOSED
    if status == MarketStatus.SETTLING:
        return PAYING if state.settlements[market].collected else COLLECTING
    return OPEN


def moment_of(state: State, market: str) -> str:
    """Where an open market stands before its expiry."""
    if state.markets[market].listing.expiry == 0:
        return NEVER
    return INSIDE if state.settlements[market].accrued_time else BEFORE


def held_by(state: State, account: str, market: str) -> str:
    """What an account holds in a market."""
    position = state.positions.get((account, market), Position(0, 0, 0, 0))
    if position.size:
        return LONG if position.size > 0 else SHORT
    return CLAIM if position.cost else FLAT


# The rest of an account


@contextmanager
def other_positions(state: State, time: int, seen: tuple[str, ...]) -> Iterator[None]:
    """Within it the fold over an account's positions adds what those in markets that are not ``seen`` come to."""
    ctx = ev.Context(state, time)
    parts: dict[str, list[tuple[str, Exposure]]] = {}
    for name, account in state.accounts.items():
        others = [market for market in account.markets if market not in seen]
        parts[name] = [(market, position_exposure(ctx, market, state.positions[name, market])) for market in others]
    exposure, losses = margin.exposure, waterfall.open_losses

    def with_rest(here: ev.Context, account: Account) -> Exposure:
        rows = [exposure(here, account), *(part for _, part in parts.get(account.account, ()))]
        return Exposure(*(sum(figures) for figures in zip(*rows, strict=True)))

    def all_losses(here: ev.Context, account: Account) -> list[tuple[str, int]]:
        rest = [(market, -part.at_mark) for market, part in parts.get(account.account, ()) if part.at_mark < 0]
        return losses(here, account) + rest

    with exchanged({exposure: with_rest, losses: all_losses}):
        yield


@contextmanager
def exchanged(functions: dict[Callable[..., Any], Callable[..., Any]]) -> Iterator[None]:
    """Within it the reference calls other functions."""
    places = [(table, key, real) for real in functions for table, key in holders(real)]
    for table, key, real in places:
        table[key] = functions[real]
    try:
        yield
    finally:
        for table, key, real in places:
            table[key] = real
