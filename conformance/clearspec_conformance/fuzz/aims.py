"""What a draw aims at: for every action and every reason for a rejection an event that comes near it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearspec import events as ev
from clearspec.codec import canonical_bytes
from clearspec.events import Action, Event
from clearspec.ledger import Kind, balance, custody_held, house, uncovered_loss
from clearspec.margin import is_liquidatable
from clearspec.numerics import AMOUNT_MAX, BALANCE_MAX, PRICE_MAX, SIZE_MAX, TIME_MAX, mul_floor
from clearspec.parameters import MarketKind, MarketListing, MarketParameters, Tier
from clearspec.sandbox import PERCENT
from clearspec.state import MarketStatus
from clearspec_conformance.fuzz.stage import NOBODY, Stage, chosen
from clearspec_conformance.fuzz.worlds import LISTING, PARAMETERS, SCALED

Aim = Callable[[Stage], Action]

AIMS: dict[str, tuple[Aim, type[Any], int]] = {}
"""Name to the function that proposes an action, the kind of action, and how often the aim is drawn."""


def aim(kind: type[Any], weight: int = 1) -> Callable[[Aim], Aim]:
    """Register an aim under the name of its function."""

    def register(function: Aim) -> Aim:
        AIMS[function.__name__] = (function, kind, weight)
        return function

    return register


def pool_of(stage: Stage) -> str:
    """The pool of the market that is drawn; at times one that does not exist."""
    if stage.draw.digits % 23 == 0 or stage.market is None:
        return chosen(list(stage.state.pools), stage.draw.whom) if stage.draw.whom % 4 else NOBODY
    return stage.market.listing.pool


def settlement(stage: Stage, pool: str, kind: Kind) -> int:
    """Balance of a fund of a pool; 0 where there is no such pool."""
    found = stage.state.pools.get(pool)
    return 0 if found is None else balance(stage.state, house(found.settlement_asset, pool, kind))


# Accounts and money


@aim(ev.OpenAccount, 3)
def open_account(stage: Stage) -> Action:
    """An account, at times one that exists, or the backstop."""
    return ev.OpenAccount(chosen(("a", "b", "c", "d", "backstop"), stage.draw.who), pool_of(stage))


@aim(ev.Deposit, 4)
def deposit(stage: Stage) -> Action:
    """Up to the cap and one beyond."""
    account = stage.one
    asset, pool = stage.asset(account), stage.pool(account)
    if pool is None:
        return ev.Deposit(account, asset, min(AMOUNT_MAX, stage.draw.number))
    caps = {terms.asset: terms.cap for terms in pool.collateral} | {pool.settlement_asset: pool.settlement_cap}
    room = caps.get(asset, 1) - custody_held(stage.state, asset, pool.pool)
    usual = 10_000 if asset == pool.settlement_asset else 5
    return ev.Deposit(account, asset, min(AMOUNT_MAX, stage.amount(room, usual, usual, usual)))


@aim(ev.Withdraw, 3)
def withdraw(stage: Stage) -> Action:
    """Up to what balance, margin and custody allow."""
    asset = stage.asset(stage.one)
    return ev.Withdraw(stage.one, asset, min(AMOUNT_MAX, stage.amount(*stage.outflows(stage.one, asset))))


@aim(ev.Transfer, 2)
def transfer(stage: Stage) -> Action:
    """The same to another account, at times of another pool."""
    asset = stage.asset(stage.one)
    target = stage.other if stage.draw.digits % 2 else chosen(list(stage.state.accounts), stage.draw.whom)
    return ev.Transfer(stage.one, target, asset, min(AMOUNT_MAX, stage.amount(*stage.outflows(stage.one, asset))))


@aim(ev.Convert, 4)
def convert(stage: Stage) -> Action:
    """As much collateral as is needed, and one more."""
    account = stage.needy
    pool = stage.pool(account)
    collateral = [terms.asset for terms in pool.collateral] if pool else []
    asset = chosen(collateral, stage.draw.pick, "ETH")
    amount = stage.amount(*stage.conversions(account, asset))
    return ev.Convert(account, stage.beside(account), asset, min(AMOUNT_MAX, amount))


@aim(ev.Contribute, 2)
def contribute(stage: Stage) -> Action:
    """Into a fund, up to the range of a balance."""
    pool = pool_of(stage)
    found = stage.state.pools.get(pool)
    room = BALANCE_MAX - (custody_held(stage.state, found.settlement_asset, pool) if found else 0)
    amount = min(AMOUNT_MAX, stage.amount(room, 500))
    return ev.Contribute(pool, tuple(ev.Fund)[stage.draw.who % 2], amount)


@aim(ev.CoverLoss, 2)
def cover_loss(stage: Stage) -> Action:
    """As much of the loss as there is, or as the fund holds."""
    pool = pool_of(stage)
    origin = tuple(ev.Cover)[stage.draw.who % 4]
    loss = uncovered_loss(stage.state, pool) if pool in stage.state.pools else 0
    held = settlement(stage, pool, Kind(origin.value)) if origin != ev.Cover.OUTSIDE else AMOUNT_MAX
    return ev.CoverLoss(pool, origin, min(AMOUNT_MAX, stage.amount(loss, min(held, loss), held)))


@aim(ev.CollectFees, 2)
def collect_fees(stage: Stage) -> Action:
    """As much as the treasury holds, and one more."""
    pool = pool_of(stage)
    held = settlement(stage, pool, Kind.FEE_TREASURY)
    return ev.CollectFees(pool, min(AMOUNT_MAX, stage.amount(held, held)))


# Prices


def posted(stage: Stage, price: int) -> Action:
    """A price of the market's feed with a confidence that counts, just counts, or does not."""
    if stage.market is None:
        return ev.PostPrice(chosen(list(stage.state.feeds), stage.draw.which), max(1, min(PRICE_MAX, price)), 0)
    price = max(1, min(PRICE_MAX, price))
    widest = mul_floor(price, stage.feed.parameters.confidence)
    confidence = widest + stage.draw.nudge if stage.draw.digits % 8 == 0 else 0
    return ev.PostPrice(stage.feed.parameters.feed, price, max(0, confidence))


@aim(ev.PostPrice, 6)
def price(stage: Stage) -> Action:
    """At the ends of the band, or where an account becomes liquidatable or defaults."""
    if stage.market is None:
        return posted(stage, stage.draw.number)
    return posted(stage, stage.value(*stage.posted_prices()))


@aim(ev.PostPrice, 4)
def pressure(stage: Stage) -> Action:
    """As far against the weakest position as the band allows."""
    if stage.market is None:
        return posted(stage, 1000)
    size = stage.position(stage.weak).size
    index = max(1, stage.feed.index)
    return posted(stage, index - index // 30 - 1 if size > 0 else index + index // 30 + 1)


@aim(ev.PostPrice, 2)
def other_price(stage: Stage) -> Action:
    """A price of any feed, at times of none."""
    feed = chosen([*stage.state.feeds, NOBODY], stage.draw.which)
    index = stage.state.feeds[feed].index if feed in stage.state.feeds else 1
    return ev.PostPrice(feed, max(1, min(PRICE_MAX, stage.value(index or 1000, index + index // 40))), 0)


@aim(ev.PostBook, 3)
def book(stage: Stage) -> Action:
    """Around the index, on either side of it, or crossed."""
    if stage.market is None:
        return ev.PostBook(stage.name, 1, 1)
    index = max(1, stage.feed.index)
    band = mul_floor(index, stage.rules.mark.band)
    bid = max(1, stage.value(index, index + band, index - band, index + index // 20))
    return ev.PostBook(stage.name, min(PRICE_MAX, bid), max(1, min(PRICE_MAX, bid + stage.draw.digits % 9 - 1)))


# Trading and funding


@aim(ev.Trade, 8)
def trade(stage: Stage) -> Action:
    """At caps, bands, tier bounds and as much as there is margin for; closing, flipping and opening."""
    if stage.market is None:
        return ev.Trade(stage.name, stage.one, stage.other, 1, 1, ev.Side.BUYER)
    size = min(SIZE_MAX, stage.amount(*stage.sizes(), 10, 50))
    prices = stage.fill_prices()
    price = prices[0] if stage.draw.digits % 3 else prices[stage.draw.digits % 2 + 1] + stage.draw.nudge
    parties = (stage.one, stage.other) if stage.draw.whom % 2 else (stage.other, stage.one)
    maker = tuple(ev.Side)[stage.draw.digits % 2]
    return ev.Trade(stage.name, *parties, size, max(1, min(PRICE_MAX, price)), maker)


@aim(ev.Trade, 2)
def reduce(stage: Stage) -> Action:
    """The weak account closes what it holds, or part of it, at mark or a little off it."""
    size = stage.position(stage.weak).size
    other = stage.beside(stage.weak)
    parties = (other, stage.weak) if size > 0 else (stage.weak, other)
    lots = min(SIZE_MAX, stage.amount(abs(size), abs(size) // 2, abs(size)))
    return ev.Trade(stage.name, *parties, lots, max(1, min(PRICE_MAX, stage.mark + stage.draw.nudge)), ev.Side.SELLER)


@aim(ev.Trade)
def next_market(stage: Stage) -> Action:
    """A position in a market in which the account holds none."""
    record = stage.state.accounts.get(stage.one)
    free = [name for name in stage.state.markets if record is None or name not in record.markets]
    name = chosen(free, stage.draw.which, stage.name)
    mark = stage.state.marks.get(name)
    return ev.Trade(name, stage.one, stage.other, 1, max(1, mark.price if mark else 1), ev.Side.BUYER)


@aim(ev.AccrueFunding, 4)
def accrue(stage: Stage) -> Action:
    """Before, at and after the interval."""
    return ev.AccrueFunding(stage.name)


# Liquidation and default


@aim(ev.Liquidate, 7)
def liquidate(stage: Stage) -> Action:
    """The most that may be closed, one more, the minimum, all."""
    account = stage.liquidatable
    market, keeper = stage.held_market(account), stage.beside(account)
    if market not in stage.state.markets:
        return ev.Liquidate(account, keeper, market, 1)
    return ev.Liquidate(account, keeper, market, min(SIZE_MAX, stage.amount(*stage.pieces(account, market))))


@aim(ev.Liquidate)
def liquidate_elsewhere(stage: Stage) -> Action:
    """A position that is not there, or an account of another pool."""
    accounts = list(stage.state.accounts)
    return ev.Liquidate(chosen(accounts, stage.draw.who), chosen(accounts, stage.draw.whom), stage.name, 1)


@aim(ev.ResolveDefault, 5)
def resolve(stage: Stage) -> Action:
    """An account in default, else the one nearest to it."""
    return ev.ResolveDefault(stage.defaulted)


# Settlement


@aim(ev.FixSettlement, 3)
def fix(stage: Stage) -> Action:
    """Before, at and after expiry."""
    dated = [name for name, market in stage.state.markets.items() if market.listing.expiry]
    return ev.FixSettlement(chosen(dated, stage.draw.which, stage.name))


def settling(stage: Stage) -> str:
    """A market in final settlement, else any."""
    found = [name for name, market in stage.state.markets.items() if market.status == MarketStatus.SETTLING]
    return chosen(found, stage.draw.which, stage.name)


@aim(ev.SettlePosition, 4)
def settle(stage: Stage) -> Action:
    """An account that holds a position in a settling market."""
    market = settling(stage)
    holders = [owner for (owner, held), found in stage.state.positions.items() if held == market and found.size]
    return ev.SettlePosition(chosen(holders, stage.draw.who, stage.one), market)


@aim(ev.PayClaim, 4)
def pay(stage: Stage) -> Action:
    """An account that has a claim in a settling market."""
    market = settling(stage)
    positions = stage.state.positions.items()
    claimants = [owner for (owner, held), found in positions if held == market and not found.size and found.cost]
    return ev.PayClaim(chosen(claimants if stage.draw.digits % 5 else (), stage.draw.who, stage.one), market)


# What an administrator does

LOOSE = replace(PARAMETERS, margin=replace(PARAMETERS.margin, ramp=30))
TIGHT = replace(
    PARAMETERS, margin=replace(PARAMETERS.margin, tiers=(Tier(2**56, 30 * PERCENT, 25 * PERCENT),), ramp=45)
)
VARIANTS: tuple[MarketParameters, ...] = (
    PARAMETERS,
    SCALED,
    LOOSE,
    TIGHT,
    replace(PARAMETERS, settlement_window=30),
    replace(PARAMETERS, funding=replace(PARAMETERS.funding, period=7200)),
    replace(PARAMETERS, mark=replace(PARAMETERS.mark, window=7)),
    replace(PARAMETERS, mark=replace(PARAMETERS.mark, stale_rate=2 * 10**5)),
    replace(PARAMETERS, liquidation=replace(PARAMETERS.liquidation, penalty=9 * PERCENT)),
    replace(PARAMETERS, trading=replace(PARAMETERS.trading, max_position=10, max_open_interest=20)),
)
"""Parameters of a market; the one with a penalty of 9 % is outside the envelope."""


@aim(ev.SetParameters, 3)
def parameters(stage: Stage) -> Action:
    """Other tiers, other funding, other smoothing, other caps; and some outside the envelope."""
    return ev.SetParameters(stage.name, VARIANTS[stage.draw.digits % len(VARIANTS)])


@aim(ev.ListMarket)
def listing(stage: Stage) -> Action:
    """A new perpetual or future, one that exists, or one whose pool or feed does not."""
    pools, feeds = list(stage.state.pools), list(stage.state.feeds)
    names = ("NEW", "NEW2", stage.name)
    kind = tuple(MarketKind)[stage.draw.pick % 2]
    expiry = stage.time + PARAMETERS.settlement_window + stage.draw.nudge if kind == MarketKind.FUTURE else 0
    found: MarketListing = replace(
        LISTING,
        market=chosen(names, stage.draw.who),
        pool=chosen(pools, stage.draw.whom) if stage.draw.digits % 7 else NOBODY,
        feed=chosen(feeds, stage.draw.which) if stage.draw.digits % 5 else NOBODY,
        kind=kind,
        expiry=max(0, expiry),
        parameters=VARIANTS[stage.draw.digits % len(VARIANTS)],
    )
    return ev.ListMarket(found)


@aim(ev.SetStatus)
def status(stage: Stage) -> Action:
    """Any status."""
    return ev.SetStatus(stage.name, tuple(MarketStatus)[stage.draw.pick % 5])


@aim(ev.Delist)
def delist(stage: Stage) -> Action:
    """With a short notice."""
    return ev.Delist(stage.name, 1 + stage.draw.digits % 40)


# Headers, roles and ranges


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event comes in: the events so far, its own number, and the aims that an engine is up to."""

    events: Sequence[Event]
    sequence: int
    aims: frozenset[str]


def numbered(stage: Stage, place: Place, action: Action) -> Event:
    """An action as the next event, of whoever may take it."""
    return Event(f"f{place.sequence}", place.sequence, stage.time, rightful(stage, action), action)


def rightful(stage: Stage, action: Any) -> str:
    """The actor who may take an action."""
    role = ev.ROLES[ev.ACTION_NAMES[type(action)]][1]
    owned = {ev.Convert: "keeper", ev.Liquidate: "liquidator"}.get(type(action), "account")
    account = getattr(action, owned, "")
    if isinstance(action, ev.PostPrice) and action.feed in stage.state.feeds:
        return chosen(stage.state.feeds[action.feed].parameters.sources, stage.draw.whom)
    if isinstance(action, ev.OpenAccount):
        backstops = [pool.backstop for pool in stage.state.pools.values()]
        return "admin" if action.account in backstops else action.account
    by_role = {ev.ADMINISTRATOR: "admin", ev.VENUE: "venue", ev.SOURCE: "s1", ev.ANYONE: "z"}
    return by_role.get(role) or (
        stage.state.accounts[account].owner if account in stage.state.accounts else account or "z"
    )


def again(stage: Stage, place: Place, event: Event) -> Event:
    """An event that was sent before."""
    return place.events[-1 - stage.draw.who % min(5, len(place.events))] if place.events else event


def out_of_order(stage: Stage, place: Place, event: Event) -> Event:
    """A sequence number that is not above the last."""
    return replace(event, sequence=max(1, stage.state.sequence - stage.draw.digits % 2))


def too_late(stage: Stage, place: Place, event: Event) -> Event:
    """A time just before that of the last event, or far before it."""
    return replace(event, time=max(0, stage.state.time - (1 if stage.draw.who % 2 else 30)))


def by_stranger(stage: Stage, place: Place, event: Event) -> Event:
    """An actor who may not."""
    return replace(event, actor=chosen(("mallory", "admin", "venue", "b"), stage.draw.who))


def beyond_range(stage: Stage, place: Place, event: Event) -> Event:
    """A field, or the time, just outside its bounds."""
    action: Any = event.action
    kind: Any = type(action)
    bounds = ev.bounds_of(kind)
    if not bounds or stage.draw.digits % 11 == 0:
        return replace(event, time=TIME_MAX + 1)
    name, low, high = bounds[stage.draw.who % len(bounds)]
    values = {name: low - 1 if stage.draw.pick % 2 else high + 1}
    return replace(event, action=replace(action, **values))


def with_nobody(stage: Stage, place: Place, event: Event) -> Event:
    """An id of the action that leads nowhere."""
    names = ("account", "target", "buyer", "seller", "liquidator", "keeper", "market", "pool", "feed")
    action: Any = event.action
    known = [name for name in names if hasattr(action, name)]
    if not known:
        return event
    return replace(event, action=replace(action, **{known[stage.draw.who % len(known)]: NOBODY}))


def with_itself(stage: Stage, place: Place, event: Event) -> Event:
    """Both sides of the action the same account."""
    action: Any = event.action
    for one, other in (("buyer", "seller"), ("account", "target"), ("account", "liquidator"), ("account", "keeper")):
        if hasattr(action, one) and hasattr(action, other):
            return replace(event, action=replace(action, **{other: getattr(action, one)}))
    return event


SPOILERS = (again, out_of_order, too_late, by_stranger, beyond_range, with_nobody, with_itself)
"""What may be wrong with an event besides its values."""

SPOILED = 12
"""One event in so many is spoiled."""

GARBLED = 97
"""One draw in so many is sent as a text that is no event."""

DAMAGE: tuple[tuple[str, str], ...] = (
    ("}}", "}"),
    ('"actor":', '"acter":'),
    ('"id":', '"id":"x","id":'),
    ('","time"', '0.5","time"'),
    ('"sequence":"', '"sequence":"0'),
    ('"action":{', '"action":{"wait":{},'),
    ('"actor":"', '"actor":" '),
    ('"time":"', '"time":"+'),
    ('"time":', '"time":null,"later":'),
    ("{", "["),
    ('"', '"\\ud800'),
)
"""What stands in the text of an event, and what is put in its place."""


def garbled(event: Event, place: int) -> str:
    """The text of an event with one piece of it replaced."""
    old, new = DAMAGE[place % len(DAMAGE)]
    return canonical_bytes(event).decode("ascii").replace(old, new, 1)


ALONE = ("open_account", "deposit", "contribute", "price", "other_price", "listing", "parameters", "status", "delist")
"""Aims that need neither accounts nor a price."""


def sensible(stage: Stage) -> str:
    """The aim that is drawn; three of four times another, where the state gives it no chance."""
    name = stage.draw.aim
    if stage.draw.digits % 4 == 0:
        return name
    if len(stage.accounts) < 2 and name not in ALONE:
        return "open_account" if stage.draw.pick % 2 else "deposit"
    if stage.market is not None and stage.feed.index == 0 and name not in ALONE:
        return "price"
    if AIMS[name][1] in (ev.SettlePosition, ev.PayClaim):
        statuses = {market.status for market in stage.state.markets.values()}
        return name if MarketStatus.SETTLING in statuses else "trade"
    if name == "resolve" and stage.standing(stage.defaulted).net_liquidation_value >= 0:
        return "pressure"
    if name == "liquidate" and not is_liquidatable(stage.standing(stage.liquidatable)):
        return "pressure"
    if name == "convert" and stage.standing(stage.needy).collateral == 0:
        return "trade"
    return name


def proposed(stage: Stage, place: Place) -> Event:
    """The event that a draw proposes."""
    name = sensible(stage)
    event = numbered(stage, place, AIMS[name if name in place.aims else stage.draw.aim][0](stage))
    if stage.draw.pause % SPOILED:
        return event
    return SPOILERS[(stage.draw.digits + stage.draw.who) % len(SPOILERS)](stage, place, event)


def aims_of(kinds: frozenset[type[Any]]) -> list[str]:
    """Names of the aims whose actions are among some kinds, each as often as it is drawn."""
    return [name for name, (_, kind, weight) in AIMS.items() if kind in kinds for _ in range(weight)]
