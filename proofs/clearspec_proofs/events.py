"""Theorems about what every event meets: order of the first checks, one outcome, nothing left of a rejection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from typing import Any

from clearspec import collateral, margin
from clearspec import events as ev
from clearspec.events import ACTION_NAMES, Outcome, Reason, Rejected
from clearspec.ledger import Kind, Posting, house
from clearspec.machine import REMEMBERED, apply, require_next
from clearspec.numerics import SEQUENCE_MAX, TIME_MAX
from clearspec.parameters import MarginParameters, MarketParameters, Tier
from clearspec_proofs.enabled import follow, in_turn
from clearspec_proofs.stand_ins import StandIn, any_integer, any_standing, at_least_zero, opaque, passing, standing_in
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, COIN, MARKET, OTHER_POOL, POOL, WIDE, Tables, World, shape_of, symbolic

# The checks before those of the action

NESTING = (ev.ListMarket, ev.SetParameters)
PLAIN = tuple(kind for kind in ACTION_NAMES if kind not in NESTING)


def any_action(path: Any, kind: type, **given: Any) -> Any:
    """An action of a kind with any integers, its ids of no importance."""
    ids = {name: "x" for name, hint, _ in shape_of(kind) if getattr(hint, "__origin__", None) is str}
    return symbolic(path, kind, ACTION_NAMES[kind], wide=True, **{**ids, **given})


def faults(record: Any) -> Iterator[str]:
    """Names of integer fields outside their bounds: a record's own first, then those of the records inside it."""
    inner = []
    for name, _, bounds in shape_of(type(record)):
        value = getattr(record, name)
        if bounds is not None and not bounds.low <= value <= bounds.high:
            yield name
        inner += [part for part in (value if isinstance(value, tuple) else (value,)) if is_dataclass(part)]
    for part in inner:
        yield from faults(part)


def first_fault(world: World, event: ev.Event) -> tuple[Reason, str] | None:
    """What EVENT-5 says is wrong with an event, in its order."""
    state = world.state
    if event.id in state.recent:
        return Reason.DUPLICATE_EVENT, event.id
    if event.sequence <= state.sequence:
        return Reason.SEQUENCE_NOT_INCREASING, event.id
    if event.time < state.time:
        return Reason.TIME_DECREASING, event.id
    if not 1 <= event.sequence <= SEQUENCE_MAX:
        return Reason.FIELD_OUT_OF_RANGE, "sequence"
    if not 0 <= event.time <= TIME_MAX:
        return Reason.FIELD_OUT_OF_RANGE, "time"
    wrong = next(faults(event.action), None)
    return None if wrong is None else (Reason.FIELD_OUT_OF_RANGE, wrong)


def claim_first_fault(path: Any, action: Any) -> Any:
    """The reference finds the same fault first."""
    world = World(path)
    event = world.event(action)
    expected = first_fault(world, event)
    try:
        require_next(world.state, event)
    except Rejected as rejected:
        path.mark("rejected")
        path.claim("its first fault", lambda: (rejected.reason, rejected.subject) == expected)
        return rejected.reason
    path.mark("passes")
    path.claim("no fault", lambda: expected is None)
    return None


@theorem(
    "first-checks-in-order",
    "Before the checks of its action an event is rejected for the first of: a repeated id, a sequence number that does "
    "not grow, a time that falls, its own fields and then its action's out of range in the order of the record; and "
    "for nothing else.",
    "EVENT-5",
    "EVENT-6",
    marks=("rejected", "passes"),
)
def first_checks_in_order(path: Any) -> Any:
    """Of every action but the two that hold records: those are ``nested-checks-in-order``."""
    wanted = path.choice("action", *(ACTION_NAMES[kind] for kind in PLAIN))
    kind = next(kind for kind in PLAIN if wanted == ACTION_NAMES[kind])
    return claim_first_fault(path, any_action(path, kind))


@theorem(
    "nested-checks-in-order",
    "The fields of new parameters are checked for range in the order of the records, outer fields before inner ones, "
    "with up to two tiers.",
    "EVENT-5",
    strength=Strength.BOUNDED,
    marks=("rejected", "passes"),
)
def nested_checks_in_order(path: Any) -> Any:
    """Tiers are checked one after another alike."""
    tiers = tuple(symbolic(path, Tier, f"tier {number}", wide=True) for number in (1, 2))
    limits = symbolic(path, MarginParameters, "margin", wide=True, tiers=tiers)
    parameters = symbolic(path, MarketParameters, "parameters", wide=True, margin=limits)
    return claim_first_fault(path, ev.SetParameters("x", parameters))


# One outcome


class Always:
    """Where a theorem is about every transition, whatever it does, one stands in even when numbers are plain."""

    stand_ins = True

    def __init__(self) -> None:
        self.contracts: set[str] = set()


Transition = Callable[[ev.Context, Any], Outcome]


def doing(transition: Transition) -> Any:
    """Within it a deposit is any transition."""
    return standing_in(Always(), StandIn(collateral.deposit, "any transition", lambda _: transition))


def crowded(path: Any) -> World:
    """A world with a record in every table."""
    world = World(path)
    world.asset(CASH)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market()
    world.account("A")
    world.position("A", MARKET, "flat")
    world.state.recent = {"an earlier event": None}
    world.state.commit()
    return world


def overwrite(ctx: ev.Context) -> None:
    """Write to every table: what is there twice, and what is not."""
    for table in ctx.state.tables:
        for key in (*table, "a new key"):
            table.put(key, "overwritten")
            table.put(key, "overwritten again")
    key = house(CASH, POOL, Kind.CUSTODY)
    ctx.postings.append(Posting(key, key, 1, "EVENT-7"))


def deposit_of(world: World) -> ev.Event:
    """An event whose action is in range."""
    return in_turn(world, ev.Deposit("A", CASH, 1))


@theorem(
    "rejected-means-unchanged",
    "Whatever a transition has written when it rejects, in any table, over records or new, once or again, nothing of it "
    "is left, and what it sees of the state before itself is the state before it; time, sequence number, remembered ids "
    "and created objects stay.",
    "EVENT-7",
    marks=("rejected",),
)
def rejected_means_unchanged(path: Any) -> Any:
    """Every accepted event writes through the same tables; that each event rejects before or after is no matter."""
    world = crowded(path)
    state, before = world.state, Tables.of(world.state)
    others = state.time, state.sequence, dict(state.recent), list(state.created)

    def transition(ctx: ev.Context, _: Any) -> Outcome:
        overwrite(ctx)
        with state.rewound():
            path.claim("before is before", lambda: not before.changed(state))
        raise Rejected(Reason.UNAUTHORISED, "somebody")

    with doing(transition):
        receipt = apply(state, deposit_of(world))
    path.mark("rejected")
    path.claim("every table", lambda: not before.changed(state))
    path.claim("nothing to undo", lambda: not any(table.undo for table in state.tables))
    now = state.time, state.sequence, dict(state.recent), list(state.created)
    path.claim("all else", lambda: repr(now) == repr(others))
    path.claim("reason", lambda: (receipt.reason, receipt.subject) == (Reason.UNAUTHORISED, "somebody"))
    path.claim("no effects", lambda: (receipt.accounts, receipt.amounts, receipt.postings) == ((), {}, ()))
    return receipt.reason


@theorem(
    "accepted-means-committed",
    "Whatever a transition writes, once it is accepted all of it stays, new objects get the next ordinals, time and "
    "sequence number are the event's, its id is remembered, and the receipt repeats the event and says what the "
    "transition reported and posted.",
    "EVENT-1",
    "EVENT-5",
    "EVENT-7",
    marks=("accepted",),
)
def accepted_means_committed(path: Any) -> Any:
    """One receipt an event: accepted, or rejected with one reason."""
    world = crowded(path)
    state, seen, created = world.state, [], list(world.state.created)
    amount = path.atom("reported")

    def transition(ctx: ev.Context, _: Any) -> Outcome:
        overwrite(ctx)
        seen.append((Tables.of(state), list(ctx.postings)))
        return Outcome(("A",), {"reported": amount})

    event = deposit_of(world)
    with doing(transition):
        receipt = apply(state, event)
    path.mark("accepted")
    written, postings = seen[0]
    path.claim("every table", lambda: not written.changed(state))
    path.claim("nothing to undo", lambda: not any(table.undo for table in state.tables))
    path.claim("ordinals", lambda: state.created == [*created, *((table.name, "a new key") for table in state.tables)])
    path.claim("remembered", lambda: event.id in state.recent)
    path.claim("time", lambda: state.time == event.time)
    path.claim("sequence", lambda: state.sequence == event.sequence)
    head = receipt.id, receipt.action, receipt.reason, receipt.subject, receipt.accounts, receipt.postings
    path.claim("receipt", lambda: head == (event.id, "deposit", None, "", ("A",), tuple(postings)))
    path.claim("its numbers", lambda: receipt.sequence == event.sequence and receipt.time == event.time)
    path.claim("its amounts", lambda: receipt.amounts["reported"] == amount)
    return receipt.reason


@theorem(
    "repetition-is-rejected",
    "An accepted event that comes again is rejected as a duplicate while its id is remembered, under its own sequence "
    "number or a later one, and for its sequence number once it is forgotten; either way nothing changes.",
    "EVENT-5",
    marks=("again",),
)
def repetition_is_rejected(path: Any) -> Any:
    """Byte for byte, for ever."""
    world = crowded(path)
    state, event = world.state, deposit_of(world)
    with doing(lambda ctx, _: Outcome()):
        path.claim("accepted", lambda: apply(state, event).reason is None)
        before = Tables.of(state)
        later = ev.Event(event.id, event.sequence + path.atom("later", 0, 2**20), event.time, event.actor, event.action)
        reasons = [apply(state, again).reason for again in (event, later)]
        path.mark("again")
        path.claim("remembered", lambda: reasons == [Reason.DUPLICATE_EVENT, Reason.DUPLICATE_EVENT])
        state.recent.clear()
        forgotten = apply(state, event).reason
        path.claim("forgotten", lambda: forgotten == Reason.SEQUENCE_NOT_INCREASING)
    path.claim("nothing changes", lambda: not before.changed(state))
    return reasons


@theorem(
    "memory-is-bounded",
    "Of the ids of accepted events the latest 4096 are remembered: the next one forgets the oldest and no other.",
    "EVENT-5",
    marks=("accepted",),
)
def memory_is_bounded(path: Any) -> Any:
    """With a full memory."""
    world = crowded(path)
    ids = [f"old {number}" for number in range(4096)]
    world.state.recent = dict.fromkeys(ids)
    event = deposit_of(world)
    with doing(lambda ctx, _: Outcome()):
        receipt = apply(world.state, event)
    path.mark("accepted")
    path.claim("accepted", lambda: receipt.reason is None)
    path.claim("the oldest is forgotten", lambda: list(world.state.recent) == [*ids[1:], event.id])
    path.claim("as many as documented", lambda: REMEMBERED == 4096)
    return len(world.state.recent)


# Who changes


def owner_of(table: str, key: Any) -> str:
    """The account that a record belongs to, if any."""
    if table == "accounts":
        return str(key)
    if table == "positions":
        return str(key[0])
    return str(key[3]) if table == "balances" and key[2] == Kind.USER.value else ""


def claim_named(world: World, receipt: ev.Receipt) -> None:
    """Claim that every account of which something changed is named in the receipt."""
    for table, key in world.before.changed(world.state):
        owner = owner_of(table, key)
        if owner:
            world.path.claim(f"{owner} is named", lambda owner=owner: owner in receipt.accounts)


def one_of(path: Any, name: str, options: Iterable[Any]) -> Any:
    """Each of a few values, as a value and not as a choice."""
    known = tuple(options)
    chosen = path.choice(name, *known)
    return next(option for option in known if chosen == option)


def bystanders(path: Any, *accounts: str) -> World:
    """A market, two pools, accounts that an event names and one that it does not."""
    world = World(path)
    for feed in ("F", f"{COIN}-feed"):
        world.feed(feed, markets=(MARKET,) if feed == "F" else ())
    world.pool(collateral=(COIN,))
    world.pool(OTHER_POOL, collateral=(COIN,))
    world.market()
    for account in (*accounts, "stranger"):
        world.account(account)
    return world


Make = Callable[[World, str], Any]
NAMING: dict[type, tuple[Make, tuple[Any, ...]]] = {
    ev.OpenAccount: (lambda world, _: ev.OpenAccount("new", POOL), ()),
    ev.Deposit: (lambda world, asset: world.action(ev.Deposit, account="A", asset=asset), ()),
    ev.Withdraw: (
        lambda world, asset: world.action(ev.Withdraw, account="A", asset=asset),
        (passing(collateral.require_outflow),),
    ),
    ev.Transfer: (
        lambda world, asset: world.action(ev.Transfer, account="A", target="B", asset=asset),
        (passing(collateral.require_outflow),),
    ),
    ev.Convert: (
        lambda world, _: world.action(ev.Convert, account="A", keeper="B", asset=COIN),
        (
            passing(collateral.require_outflow),
            opaque(collateral.collateral_price, at_least_zero),
            opaque(collateral.conversion_need, any_integer),
            opaque(margin.standing, any_standing),
        ),
    ),
    ev.Contribute: (
        lambda world, _: world.action(ev.Contribute, pool=POOL, fund=one_of(world.path, "fund", ev.Fund)),
        (),
    ),
    ev.CoverLoss: (
        lambda world, _: world.action(ev.CoverLoss, pool=POOL, origin=one_of(world.path, "origin", ev.Cover)),
        (),
    ),
    ev.CollectFees: (lambda world, _: world.action(ev.CollectFees, pool=POOL), ()),
    ev.SetStatus: (lambda world, _: world.action(ev.SetStatus, market=MARKET), ()),
}


def only_named(kind: type) -> Callable[[Any], Any]:
    """The theorem of one event."""
    make, stand_ins = NAMING[kind]

    def body(path: Any) -> Any:
        world = bystanders(path, "A", "B")
        asset = COIN if kind in (ev.Deposit, ev.Withdraw, ev.Transfer) and world.either("collateral") else CASH
        receipt = world.apply(make(world, asset), *stand_ins)
        if receipt.reason is None:
            claim_named(world, receipt)
        return receipt.reason

    return body


for _kind in NAMING:
    theorem(
        f"only-named-accounts-change:{ACTION_NAMES[_kind]}",
        f"An accepted event {ACTION_NAMES[_kind]} changes no account that its receipt does not name: neither balance, "
        "nor position, nor record.",
        "EVENT-1",
        strength=Strength.ONE_STEP,
        marks=("accepted",),
    )(only_named(_kind))


@theorem(
    "only-named-accounts-change:trade",
    "An accepted trade changes no account but the buyer and the seller, and its receipt names the two.",
    "EVENT-1",
    "TRADE-8",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def only_named_accounts_change_trade(path: Any) -> Any:
    """Both sides with their positions open or none; the checks of margin, caps and range pass."""
    world = bystanders(path, "A", "B")
    for account in "AB":
        world.position(account, MARKET, "open" if world.either(f"{account} holds") else "flat")
    action = world.action(ev.Trade, market=MARKET, buyer="A", seller="B")
    checks = (trading.require_caps, trading.require_open_interest, trading.require_balance_limit)
    tests = (
        trading.is_trading, trading.is_fresh, trading.within_band, trading.reduces, trading.no_worse_than_mark,
        margin.fill_allowed,
    )  # fmt: skip
    used = (FILLED, opaque(margin.standing, standing_in_range), *map(passing, checks), *map(agreeing, tests))
    receipt = world.apply(action, *used)
    if receipt.reason is None:
        claim_named(world, receipt)
        path.claim("buyer and seller", lambda: receipt.accounts == ("A", "B"))
    return receipt.reason
