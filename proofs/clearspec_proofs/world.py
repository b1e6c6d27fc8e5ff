"""Arbitrary states: what an event touches as symbolic records, everything else as an opaque rest.

A world holds one market of a pool, or a few, with any parameters; the accounts that an event names, with any balances
and positions; and for each market two positions that stand for all others: the long rest and the short rest. The
sizes of the rest are sums; its costs absorb the indices at which each position was last settled, so that every sum
over positions that an invariant takes is the sum over the whole system, however many accounts it has. A ledger
account per (asset, pool) stands for all balances that the event does not touch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from clearspec import events as ev
from clearspec.fields import Bounds
from clearspec.ledger import Kind, clearing, house, user
from clearspec.machine import apply
from clearspec.parameters import (
    AssetParameters,
    CollateralTerms,
    FeedParameters,
    MarketListing,
    MarketParameters,
    PoolParameters,
    Tier,
)
from clearspec.state import Account, Budget, Feed, Funding, Mark, Market, Position, Post, Settlement, State
from clearspec_proofs.lifting.terms import Term
from clearspec_proofs.stand_ins import StandIn, standing_in

POOL, OTHER_POOL = "P", "Q"
CASH, COIN = "USD", "ETH"
MARKET, FEED, COIN_FEED = "M", "F", "G"
LONG_REST, SHORT_REST, REST = "~long", "~short", "~rest"
WIDE = 2**127


@cache
def shape_of(kind: type) -> tuple[tuple[str, Any, Bounds | None], ...]:
    """Name, type and integer bounds of every field of a record."""
    hints = get_type_hints(kind, include_extras=True)
    names = [item.name for item in fields(kind)] if is_dataclass(kind) else list(kind._fields)  # type: ignore[attr-defined]
    found = []
    for name in names:
        hint = hints[name]
        notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        bounds = next((note for note in notes if isinstance(note, Bounds)), None)
        found.append((name, hint, bounds))
    return tuple(found)


def symbolic(path: Any, kind: type, name: str, wide: bool = False, **given: Any) -> Any:
    """A record with an atom for each integer field, within the field's bounds, or with ``wide`` far beyond them.

    Fields of finite types become choices, records inside it are built alike; ids and lists must be ``given``.
    """
    values: dict[str, Any] = {}
    for field_name, hint, bounds in shape_of(kind):
        here = f"{name}.{field_name}"
        if field_name in given:
            values[field_name] = given[field_name]
        elif bounds is not None:
            low, high = (-WIDE, WIDE) if wide else (bounds.low, bounds.high)
            values[field_name] = path.atom(here, low, high)
        elif hint is bool:
            values[field_name] = path.choice(here, False, True)
        elif isinstance(hint, type) and issubclass(hint, Enum):
            values[field_name] = path.choice(here, *hint)
        elif hint is int:
            values[field_name] = path.atom(here)
        elif isinstance(hint, type) and is_dataclass(hint):
            values[field_name] = symbolic(path, hint, here, wide)
        else:
            raise TypeError(f"{here}: give a value of type {hint}")
    return kind(**values)


def same(one: Any, other: Any) -> bool:
    """Whether two values are written the same, atom by atom; asks no path."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if type(one) is Term:
        return bool(one.polynomial == other.polynomial)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if is_dataclass(one) and not isinstance(one, type):
        return all(same(getattr(one, item.name), getattr(other, item.name)) for item in fields(one))
    return bool(type(one) in (int, bool, str) and one == other) or (isinstance(one, Enum) and one == other)


@dataclass(slots=True)
class Tables:
    """What the tables of a state held at one moment."""

    tables: dict[str, dict[Any, Any]]
    time: Any
    sequence: Any

    @classmethod
    def of(cls, state: State) -> Tables:
        """Take note of a state."""
        return cls({table.name: dict(table) for table in state.tables}, state.time, state.sequence)

    def state(self) -> State:
        """The state as it was."""
        state = State(time=self.time, sequence=self.sequence)
        for table in state.tables:
            dict.update(table, self.tables[table.name])
        return state

    def changed(self, state: State) -> list[tuple[str, Any]]:
        """Tables and keys whose records are others now."""
        found = []
        for table in state.tables:
            before = self.tables[table.name]
            keys = [*before, *(key for key in table if key not in before)]
            found += [(table.name, key) for key in keys if not same(before.get(key), table.get(key))]
        return found


class World:
    """A symbolic state under construction, and the events that happen in it."""

    def __init__(self, path: Any) -> None:
        self.path = path
        self.state = State()
        self.state.time = path.atom("now", 0, 2**40)
        self.state.sequence = path.atom("sequence", 0, 2**62)
        self.state.administrators = (path.choice("administrator", "actor", "another administrator"),)
        self.state.venues = (path.choice("venue", "actor", "another venue"),)
        self.before = Tables({}, 0, 0)

    def either(self, question: str) -> bool:
        """Both answers to a question about how the world is made."""
        return bool(self.path.choice(question, False, True) == True)  # noqa: E712

    # Objects

    def asset(self, asset: str) -> None:
        """An asset."""
        self.state.assets.put(asset, symbolic(self.path, AssetParameters, asset, asset=asset))

    def feed(self, feed: str = FEED, sources: tuple[str, ...] = ("actor",), markets: tuple[str, ...] = ()) -> None:
        """An oracle feed with a price, and a post of each source."""
        parameters = symbolic(self.path, FeedParameters, f"{feed}.parameters", feed=feed, sources=sources)
        record = symbolic(self.path, Feed, feed, parameters=parameters, markets=markets)
        self.path.assume(lambda: record.index <= parameters.max_price, "INV-9")
        self.state.feeds.put(feed, record)
        for source in sources:
            self.state.posts.put((feed, source), symbolic(self.path, Post, f"{feed}.{source}"))

    def pool(
        self, pool: str = POOL, collateral: tuple[str, ...] = (), settlement_asset: str = CASH, **given: Any
    ) -> None:
        """A margin pool with its ledger accounts; ``collateral`` assets have a feed each, made before."""
        path = self.path
        terms = tuple(
            symbolic(path, CollateralTerms, f"{pool}.{asset}", asset=asset, feed=f"{asset}-feed")
            for asset in collateral
        )
        given = {"layers": (), "backstop": path.choice(f"{pool}.backstop", "", "A", "B", "another account"), **given}
        given = {"settlement_asset": settlement_asset, "collateral": terms, **given}
        record = symbolic(path, PoolParameters, pool, pool=pool, **given)
        self.state.pools.put(pool, record)
        self.state.pool_budgets.put(pool, symbolic(path, Budget, f"{pool}.budget"))
        for asset in (settlement_asset, *collateral):
            self.ledger(pool, asset)

    def ledger(self, pool: str, asset: str) -> None:
        """The house accounts of one (asset, pool), and one account for all balances that are not touched."""
        for kind in (Kind.CUSTODY, Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME, Kind.FEE_TREASURY, Kind.UNCOVERED_LOSS):
            self.balance(house(asset, pool, kind))
        self.balance((asset, pool, Kind.USER.value, REST), None if asset == CASH else 0)
        self.balance((asset, pool, Kind.CLEARING.value, REST))

    def balance(self, key: tuple[str, str, str, str], low: int | None = None) -> None:
        """A ledger account with any balance."""
        asset, pool, kind, owner = key
        self.state.balances.put(key, self.path.atom(f"{pool}.{asset}.{kind}{'.' + owner if owner else ''}", low))

    def market(self, market: str = MARKET, pool: str = POOL, feed: str = FEED, tiers: int = 1, **given: Any) -> None:
        """A market with any parameters, and the rest of its positions."""
        path, state = self.path, self.state
        parameters = self.parameters(market, tiers)
        listing = symbolic(
            path, MarketListing, market, market=market, pool=pool, feed=feed, parameters=parameters,
            **{name: given.pop(name) for name in ("kind", "expiry") if name in given},
        )  # fmt: skip
        before = replace(parameters, margin=replace(parameters.margin, tiers=self.tiers(f"{market}.before", tiers)))
        state.markets.put(market, symbolic(path, Market, market, listing=listing, before=before, **given))
        self.figures(market, pool)

    def figures(self, market: str, pool: str) -> None:
        """What a market has beside its listing: prices, indices, budgets, settlement and the rest of its positions."""
        path, state = self.path, self.state
        state.marks.put(market, symbolic(path, Mark, f"{market}.mark"))
        state.fundings.put(market, symbolic(path, Funding, f"{market}.funding", samples=self.samples(market)))
        state.open_interest.put(market, path.atom(f"{market}.open_interest", 0, 2**40))
        state.budgets.put(market, symbolic(path, Budget, f"{market}.budget"))
        state.settlements.put(market, symbolic(path, Settlement, f"{market}.settlement"))
        self.balance(clearing(CASH, pool, market))
        self.rest(market)

    def samples(self, market: str) -> tuple[Any, ...]:
        """Premium samples of a running interval: one, standing for any aggregate."""
        return (self.path.atom(f"{market}.sample", -(2**33), 2**33),)

    def parameters(self, name: str, tiers: int = 1) -> MarketParameters:
        """Any parameters of a market, with this many tiers."""
        from clearspec.parameters import MarginParameters

        margin = symbolic(self.path, MarginParameters, f"{name}.margin", tiers=self.tiers(f"{name}.margin", tiers))
        built: MarketParameters = symbolic(self.path, MarketParameters, name, margin=margin)
        return built

    def tiers(self, name: str, count: int) -> tuple[Tier, ...]:
        """Margin tiers that ascend to the top."""
        return tuple(symbolic(self.path, Tier, f"{name}.tier{number}") for number in range(count))

    def rest(self, market: str) -> None:
        """All positions of a market that the event does not touch: the long ones, and the short ones."""
        path = self.path
        for account, low, high in ((LONG_REST, 0, None), (SHORT_REST, None, 0)):
            size, cost = path.atom(f"{market}.{account}.size", low, high), path.atom(f"{market}.{account}.cost")
            self.state.positions.put((account, market), Position(size, cost, 0, 0))

    def account(self, account: str, pool: str = POOL, markets: tuple[str, ...] = (), owner: Any = None) -> None:
        """An account with any balances, that holds a position in ``markets``."""
        path = self.path
        owner = path.choice(f"{account}.owner", "actor", "somebody else") if owner is None else owner
        record = symbolic(
            path, Account, account, account=account, owner=owner, pool=pool, markets=markets, last_market=""
        )
        self.state.accounts.put(account, record)
        bound = self.state.pools[pool]
        self.balance(user(bound.settlement_asset, pool, account))
        for entry in bound.collateral:
            self.balance(user(entry.asset, pool, account))

    def position(self, account: str, market: str, held: str) -> None:
        """A position of an account: ``open``, a ``claim`` of a settled market, or ``flat`` (as good as none)."""
        path, name = self.path, f"{account}.{market}"
        if held == "flat":
            indices = (path.atom(f"{name}.funding_index"), path.atom(f"{name}.haircut_index"))
            self.state.positions.put((account, market), Position(0, 0, *indices))
            path.good.append((0, 0))
            return
        given: dict[str, Any] = {"size": 0} if held == "claim" else {}
        position = symbolic(path, Position, name, **given)
        self.state.positions.put((account, market), position)
        path.assume(lambda: position.cost != 0 if held == "claim" else position.size != 0, "held")
        path.good.append((position.size, position.cost))
        record = self.state.accounts[account]
        self.state.accounts.put(account, replace(record, markets=(*record.markets, market)))

    # Events

    def action(self, kind: type, **given: Any) -> Any:
        """An action with any integers, even ones that no field admits."""
        return symbolic(self.path, kind, ev.ACTION_NAMES[kind], wide=True, **given)

    def event(self, action: Any) -> ev.Event:
        """An event of any sequence number and time, new or repeated, by ``actor``."""
        if self.either("repeated"):
            self.state.recent["event"] = None
        sequence, time = self.path.atom("event.sequence", -WIDE, WIDE), self.path.atom("event.time", -WIDE, WIDE)
        return ev.Event("event", sequence, time, "actor", action)

    def apply(self, action: Any, *stand_ins: StandIn) -> ev.Receipt:
        """Apply an event, with stand-ins; a rejected one must leave everything as it was."""
        self.state.commit()
        self.before = Tables.of(self.state)
        with standing_in(self.path, *stand_ins):
            receipt = apply(self.state, self.event(action))
        if receipt.reason is None:
            self.path.mark("accepted")
        else:
            self.path.claim("rejected means unchanged", lambda: not self.before.changed(self.state))
        return receipt

    def context(self) -> ev.Context:
        """A running transition at any time that is not before now."""
        time = self.path.atom("time", 0, 2**40)
        self.path.assume(lambda: time >= self.state.time, "time")
        return ev.Context(self.state, time, "actor")
