"""Theorems about what every event meets: order of the first checks, one outcome, nothing left of a rejection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from clearspec import collateral, liquidation, listing, margin, oracle, sandbox, settlement, trading, waterfall
from clearspec import events as ev
from clearspec import funding as funding_module
from clearspec.events import ACTION_NAMES, Outcome, Reason, Rejected
from clearspec.ledger import Kind, Posting, house
from clearspec.machine import REMEMBERED, apply, require_next
from clearspec.numerics import DURATION_MAX, SEQUENCE_MAX, TIME_MAX, cumulative_share
from clearspec.parameters import MarginParameters, MarketKind, MarketParameters, Tier
from clearspec.state import Market, MarketStatus
from clearspec_proofs.collateral import one_of
from clearspec_proofs.enabled import accepted, follow, in_turn
from clearspec_proofs.stand_ins import (
    FILLED_TO_FLAT,
    NOTHING_FOUND,
    Function,
    StandIn,
    agreeing,
    any_bool,
    any_integer,
    any_standing,
    cut_short,
    opaque,
    passing,
    standing_in,
    standing_in_range,
)
from clearspec_proofs.standings import Standings
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.trading import WITHIN_LIMITS
from clearspec_proofs.world import CASH, COIN, FEED, MARKET, OTHER_POOL, POOL, Tables, World, shape_of, symbolic

# The checks before those of the action

NESTING = (ev.ListMarket, ev.SetParameters)
PLAIN = tuple(kind for kind in ACTION_NAMES if kind not in NESTING)


def any_action(path: Any, kind: Any, **given: Any) -> Any:
    """An action of a kind with any integers, its ids of no importance."""
    ids = {name: "x" for name, hint, _ in shape_of(kind) if getattr(hint, "__origin__", None) is str}
    return symbolic(path, kind, ACTION_NAMES[kind], wide=True, **{**ids, **given})


def faults(record: Any) -> Iterator[str]:
    """Names of integer fields outside their bounds: a record's own first, then those of the records inside it."""
    inner = []
    for name, _, bounds in shape_of(record.__class__):
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
        found = rejected.reason, rejected.subject
        path.mark("rejected")
        path.claim("its first fault", lambda: found == expected)
        return found[0]
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
    "Whatever a transition has written when it rejects, in any table, over records or new, once or again, nothing of "
    "it is left, and what it sees of the state before itself is the state before it; time, sequence number, "
    "remembered ids and created objects stay.",
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
            opaque(margin.collateral_price, any_integer),
            opaque(collateral.conversion_need, any_integer),
            opaque(margin.standing, any_standing),
        ),
    ),
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
    "only-named-accounts-change:funds",
    "Accepted contributions, covers of a loss and collections of fees change no account.",
    "EVENT-1",
    "COLL-9",
    "COLL-10",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def only_named_accounts_change_funds(path: Any) -> Any:
    """Every fund and every origin."""
    world = bystanders(path, "A", "B")
    kind = one_of(path, "event", ("contribute", "cover_loss", "collect_fees"))
    if kind == "contribute":
        action = world.action(ev.Contribute, pool=POOL, fund=one_of(path, "fund", ev.Fund))
    elif kind == "cover_loss":
        action = world.action(ev.CoverLoss, pool=POOL, origin=one_of(path, "origin", ev.Cover))
    else:
        action = world.action(ev.CollectFees, pool=POOL)
    receipt = world.apply(action)
    if receipt.reason is None:
        claim_named(world, receipt)
        path.claim("none", lambda: receipt.accounts == ())
    return receipt.reason


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
    tests: tuple[Function, ...] = (trading.is_trading, oracle.is_fresh, trading.within_band, margin.fill_allowed)
    used = (FILLED_TO_FLAT, opaque(margin.standing, standing_in_range), *WITHIN_LIMITS, *map(agreeing, tests))
    receipt = world.apply(action, *used)
    if receipt.reason is None:
        claim_named(world, receipt)
        path.claim("buyer and seller", lambda: receipt.accounts == ("A", "B"))
    return receipt.reason


# Changes by an administrator


def market_held(path: Any) -> World:
    """A market in which an account holds a position."""
    world = World(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market()
    world.account("A")
    world.position("A", MARKET, "open")
    world.state.administrators = ("actor",)
    return world


def compared(path: Any, record: Any, name: str) -> Any:
    """A record of which it is open whether it equals another, field by field or not; plain numbers compare as they are.

    Comparing two records of a dozen fields has a dozen outcomes that mean the same.
    """
    if not path.stand_ins:
        return record
    kind = type(record)

    def equal(*_: Any) -> bool:
        return bool(path.choice(f"{name} is the same", False, True) == True)  # noqa: E712

    like = type(kind.__name__, (kind,), {"__slots__": (), "__eq__": equal, "__hash__": None})
    return like(**{item.name: getattr(record, item.name) for item in fields(record)})


def new_parameters(world: World) -> MarketParameters:
    """Any new parameters; tiers and funding parameters among them are the old ones or others."""
    new = world.parameters("new")
    tiers = tuple(compared(world.path, tier, "tiers") for tier in new.margin.tiers)
    funding = compared(world.path, new.funding, "funding")
    return replace(new, funding=funding, margin=replace(new.margin, tiers=tiers))


INSIDE = StandIn(listing.listing_violations, NOTHING_FOUND, lambda _: lambda *__: [])
"""Parameters inside the envelope."""


def example_change(world: World) -> ev.SetParameters:
    """Parameters in numbers before a change and after it, with other windows and periods."""
    state = world.state
    market, feed = state.markets[MARKET], state.feeds[FEED]
    before = replace(market, listing=replace(market.listing, parameters=sandbox.MARKET), before=sandbox.MARKET)
    state.markets.put(MARKET, before)
    state.feeds.put(FEED, replace(feed, parameters=replace(sandbox.FEED, feed=FEED)))
    funding = replace(sandbox.FUNDING, period=2 * sandbox.FUNDING.period)
    mark = replace(sandbox.MARK, window=sandbox.MARK.window + 1)
    return ev.SetParameters(MARKET, replace(sandbox.MARKET, funding=funding, mark=mark))


@theorem(
    "administrators-move-no-value",
    "Neither new parameters of a market nor a change of its status write to a balance, a position or an account, nor "
    "to mark, funding index and haircut indices, so that no account is worth less and no deficit grows.",
    "PARM-13",
    "TRADE-9",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def administrators_move_no_value(path: Any) -> Any:
    """Carried funding and the mark's smoothing are rescaled. Any parameters; an example of some in numbers besides."""
    world = market_held(path)
    kind = one_of(path, "change", ("of an example", "of parameters", "of status"))
    if kind == "of status":
        action = world.action(ev.SetStatus, market=MARKET)
    elif kind == "of parameters":
        action = ev.SetParameters(MARKET, new_parameters(world))
    else:
        action = example_change(world)
    receipt = follow(world, action, INSIDE, agreeing(oracle.is_fresh))
    if receipt.reason is not None:
        return receipt.reason
    path.mark("accepted")
    before, state = world.before.state(), world.state
    written = {table for table, _ in world.before.changed(state)}
    path.claim("no balance, position or account", lambda: written <= {"markets", "marks", "fundings"})
    for name in ("price", "fresh_until", "variation_price"):
        path.claim(name, lambda n=name: getattr(state.marks[MARKET], n) == getattr(before.marks[MARKET], n))
    for name in ("index", "haircut_long", "haircut_short"):
        path.claim(name, lambda n=name: getattr(state.fundings[MARKET], n) == getattr(before.fundings[MARKET], n))
    path.claim("nothing is posted", lambda: receipt.postings == ())
    return None


@theorem(
    "gate:status",
    "An administrator makes a halted or reduce-only market active, unless it is delisted, and a delisted one "
    "reduce-only; the market then admits fills, or fills that reduce, until its expiry.",
    "TRADE-4",
    "TRADE-9",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def gate_status(path: Any) -> Any:
    """Clears ``market_not_trading`` and ``reduce_only``."""
    world = market_held(path)
    market = world.state.markets[MARKET]
    path.assume(lambda: market.status in (MarketStatus.HALTED, MarketStatus.REDUCE_ONLY), "halted or reduce-only")
    status = MarketStatus.REDUCE_ONLY if market.delisted else MarketStatus.ACTIVE
    receipt = accepted(world, ev.SetStatus(MARKET, status))
    now = world.state.markets[MARKET]
    path.claim("status", lambda: now.status == status)
    if now.listing.expiry == 0 or now.listing.expiry > world.state.time:
        ctx = ev.Context(world.state, world.state.time)
        path.claim("admits fills", lambda: trading.is_trading(ctx, now))
    return receipt.reason


def in_numbers(world: World, time: Any) -> tuple[Market, MarketParameters]:
    """The market with an example of parameters inside the envelope, in a second of an accrual, and a change of them.

    Any parameters are hardly ever inside it where the real check is asked.
    """
    state, new = world.state, example_change(world).parameters
    state.fundings.put(MARKET, replace(state.fundings[MARKET], time=time))
    market = replace(state.markets[MARKET], ramp_end=min(state.markets[MARKET].ramp_end, time))
    state.markets.put(MARKET, market)
    return market, replace(new, margin=replace(new.margin, ramp=world.path.atom("new ramp", 1, DURATION_MAX)))


@theorem(
    "gate:ramp",
    "Once a ramp has ended, and time alone ends it, an administrator's new parameters inside the envelope are accepted "
    "for a market that is not settling, whose mark is fresh, in the second of a funding accrual, if they leave the "
    "settlement window of a market with an expiry as it is.",
    "PARM-13",
    "FUND-5",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def gate_ramp(path: Any) -> Any:
    """Clears ``ramp_in_progress`` and ``funding_not_accrued``; the next ramp ends within the longer of two."""
    world = market_held(path)
    market, new = world.state.markets[MARKET], new_parameters(world)
    time = world.state.time + path.atom("wait", 0)
    if not path.stand_ins:
        market, new = in_numbers(world, time)
    old = market.listing.parameters
    path.assume(lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED), "not settling")
    path.assume(lambda: time >= market.ramp_end, "the ramp has ended")
    path.assume(lambda: oracle.is_fresh(ev.Context(world.state, time), MARKET), "fresh")
    path.assume(lambda: world.state.fundings[MARKET].time == time, "in the second of an accrual")
    path.assume(lambda: market.listing.expiry == 0 or new.settlement_window == old.settlement_window, "window")
    receipt = accepted(world, ev.SetParameters(MARKET, new), INSIDE, time=time)
    end = world.state.markets[MARKET].ramp_end
    path.claim("it begins now, or none does", lambda: ramp_begun(world, time))
    path.claim("the next ramp ends", lambda: end <= time + max(new.margin.ramp, old.margin.ramp))
    return receipt.reason


def ramp_begun(world: World, time: Any) -> bool:
    """Whether the ramp of the market began at a time, or is the one that it had."""
    now, before = world.state.markets[MARKET], world.before.state().markets[MARKET]
    return bool(now.ramp_start == time or now.ramp_start == before.ramp_start)


def accrued(path: Any) -> StandIn:
    """Any settlement TWAP; that it is noted in the market's settlement is of no interest here."""
    return cut_short(oracle.accrued_index, lambda *_: path.fresh("accrued_index"))


def _marked(path: Any) -> Function:
    def stand_in(_: Any, __: Any, ___: Any, cap: Any) -> Any:
        path.claim("the cap is a price", lambda: cap >= 1)
        return path.fresh("mark price", 1)

    return stand_in


MARKED = StandIn(oracle.mark_price, "oracle.a-mark-is-a-price", _marked)
"""A mark is a price, whatever the index."""


@theorem(
    "gate:stale-price",
    "A post of a registered source that completes a quorum makes the mark of every market of its feed fresh that is "
    "not settling or closed.",
    "ORCL-4",
    "ORCL-8",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def gate_stale_price(path: Any) -> Any:
    """Clears ``stale_price``, however long the feed was silent: a fresh quorum is clamped, never rejected."""
    world = market_held(path)
    market, action = world.state.markets[MARKET], symbolic(path, ev.PostPrice, "post", feed=FEED)
    path.assume(lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED), "not settling")

    quorum = opaque(oracle.quorum_price, lambda path, name: path.fresh(name, 1))
    figures = accrued(path), opaque(oracle.faded_basis, any_integer)
    receipt = accepted(world, action, quorum, MARKED, *figures)
    path.claim("fresh", lambda: oracle.is_fresh(ev.Context(world.state, world.state.time), MARKET))
    return receipt.reason


@theorem(
    "gate:funding-not-due",
    "Once the funding interval of a perpetual that is not settling has passed, and time alone makes it pass, anybody's "
    "accrual is accepted while its mark is fresh; then it is due again an interval later.",
    "FUND-5",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def gate_funding_not_due(path: Any) -> Any:
    """Clears ``funding_not_due``."""
    world = market_held(path)
    market, funding = world.state.markets[MARKET], world.state.fundings[MARKET]
    time, interval = world.state.time + path.atom("wait", 0), market.listing.parameters.funding.interval
    path.assume(lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED), "not settling")
    path.assume(lambda: market.listing.kind == MarketKind.PERPETUAL, "perpetual")
    path.assume(lambda: time - funding.time >= interval, "the interval has passed")
    path.assume(lambda: oracle.is_fresh(ev.Context(world.state, time), MARKET), "fresh")
    rate = opaque(funding_module.funding_rate, any_integer), opaque(funding_module.aggregated, any_integer)
    receipt = accepted(world, ev.AccrueFunding(MARKET), *rate, time=time)
    path.claim("accrued now", lambda: world.state.fundings[MARKET].time == time)
    return receipt.reason


@theorem(
    "gate:sample-too-soon",
    "Once the sample interval has passed, a venue's book sample is accepted in a market that is not settling and whose "
    "mark is fresh.",
    "ORCL-6",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def gate_sample_too_soon(path: Any) -> Any:
    """Clears ``sample_too_soon``."""
    world = market_held(path)
    world.state.venues = ("actor",)
    market, mark = world.state.markets[MARKET], world.state.marks[MARKET]
    time, action = world.state.time + path.atom("wait", 0), symbolic(path, ev.PostBook, "post", market=MARKET)
    spacing = market.listing.parameters.funding.sample_interval
    path.assume(lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED), "not settling")
    path.assume(lambda: time >= mark.sample_time + spacing, "the interval has passed")
    path.assume(lambda: oracle.is_fresh(ev.Context(world.state, time), MARKET), "fresh")
    path.assume(lambda: action.bid <= action.ask, "not crossed")
    kernels = (oracle.premium_sample, oracle.basis_sample, oracle.smoothed, oracle.mark_price)
    figures = accrued(path), *(opaque(kernel, any_integer) for kernel in kernels)
    receipt = accepted(world, action, *figures, time=time)
    path.claim("sampled now", lambda: world.state.marks[MARKET].sample_time == time)
    return receipt.reason


# Every account has a path to flat; that of a solvent one is ``trading.close-at-mark-is-accepted``


def indebted(path: Any) -> tuple[World, Standings]:
    """An account with a position, any others and collateral, and another account of the actor."""
    world = World(path)
    world.feed(markets=(MARKET,))
    world.feed(f"{COIN}-feed")
    world.pool(collateral=(COIN,))
    world.market()
    world.account("A")
    world.account("B", owner="actor")
    world.position("A", MARKET, "open")
    return world, Standings(world)


@theorem(
    "path-to-flat:liquidatable",
    "An account below maintenance and not in default is liquidated by every liquidator that can carry what it takes "
    "and offers to take the whole position, before the expiry, while the mark is fresh: nothing else stops it.",
    "LIQ-1",
    "LIQ-3",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def path_to_flat_liquidatable(path: Any) -> Any:
    """No gate, status of trading, cap or minimum does; how much closes is chapter liquidation's."""
    world, standings = indebted(path)
    market, position = world.state.markets[MARKET], world.state.positions["A", MARKET]
    time, size = world.state.time + path.atom("wait", 0), abs(position.size)
    held, expiry = standings.of("A", time=time), market.listing.expiry
    path.assume(lambda: held.margin_equity < held.maintenance, "below maintenance")
    path.assume(lambda: held.net_liquidation_value >= 0, "not in default")
    path.assume(lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED), "not settling")
    path.assume(lambda: expiry == 0 or expiry > time, "before the expiry")
    path.assume(lambda: oracle.is_fresh(ev.Context(world.state, time), MARKET), "fresh")
    sizes = opaque(liquidation.restoring_size, any_integer), opaque(liquidation.shortfall_to_target, any_integer)
    critical = opaque(margin.is_critical, any_bool)
    novated = cut_short(trading.novate, lambda *_: ((0, 0), (0, 0)))
    able = passing(liquidation.require_able), cut_short(liquidation.pay_penalty, lambda *_: {})
    action = ev.Liquidate("A", "B", MARKET, size)
    return accepted(world, action, *standings.stand_ins(), *sizes, critical, novated, *able, time=time).reason


@theorem(
    "path-to-flat:in-default",
    "The default of an account whose collateral is worth no more than dust, and none of whose markets awaits its "
    "settlement, is resolved at anybody's request: no gate, price age or balance stops it.",
    "FALL-1",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def path_to_flat_in_default(path: Any) -> Any:
    """Collateral above dust is converted first (``collateral.conversion-is-open-to-a-keeper``)."""
    world, standings = indebted(path)
    time = world.state.time + path.atom("wait", 0)
    held, pool = standings.of("A", time=time), world.state.pools[POOL]
    path.assume(lambda: held.net_liquidation_value <= -1, "in default")
    path.assume(lambda: held.collateral <= pool.dust, "no more than dust")
    ctx, market = ev.Context(world.state, time), world.state.markets[MARKET]
    path.assume(lambda: not waterfall.awaits_settlement(ctx, market), "no market awaits settlement")
    steps = (
        cut_short(waterfall.bear, lambda *_: 0), cut_short(waterfall.close_at_mark, lambda *_: iter(())),
        cut_short(waterfall.seize_collateral_dust), cut_short(waterfall.market_weights, lambda *_: []),
    )  # fmt: skip
    return accepted(world, ev.ResolveDefault("A"), *standings.stand_ins(), *steps, time=time).reason


@theorem(
    "gate:claims-pending",
    "The settlement price of a market past its expiry whose feed ever had a price is fixed at anybody's request; the "
    "market is then settling, or closed if no position is open.",
    "SETTLE-3",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def gate_claims_pending(path: Any) -> Any:
    """The first of the events that clear ``claims_pending``; then the paths to flat of a settling market."""
    world, _ = indebted(path)
    market, time = world.state.markets[MARKET], world.state.time + path.atom("wait", 0)
    path.assume(lambda: market.status not in (MarketStatus.SETTLING, MarketStatus.CLOSED), "not settling yet")
    path.assume(lambda: 0 < market.listing.expiry <= time, "past its expiry")
    path.assume(lambda: world.state.feeds[FEED].index >= 1, "a price was known")
    receipt = accepted(world, ev.FixSettlement(MARKET), accrued(path), time=time)
    status = world.state.markets[MARKET].status
    expected = MarketStatus.CLOSED if world.state.open_interest[MARKET] == 0 else MarketStatus.SETTLING
    path.claim("status", lambda: status == expected)
    path.claim("a price", lambda: world.state.settlements[MARKET].price >= 1)
    return receipt.reason


@theorem(
    "path-to-flat:settling",
    "In a settling market every position is settled at anybody's request, if its account is not in default or has no "
    "collateral above dust; it has no lots afterwards.",
    "SETTLE-4",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def path_to_flat_settling(path: Any) -> Any:
    """A gain stays as a claim, which ``path-to-flat:claim`` pays."""
    world, standings = indebted(path)
    market, time = world.state.markets[MARKET], world.state.time + path.atom("wait", 0)
    path.assume(lambda: market.status == MarketStatus.SETTLING, "settling")
    held, pool = standings.of("A", time=time), world.state.pools[POOL]
    path.assume(lambda: held.net_liquidation_value >= 0 or held.collateral <= pool.dust, "solvent, or no collateral")
    steps = (
        cut_short(waterfall.open_losses, lambda *_: []), cut_short(settlement.collect_loss, lambda *_: {}),
        cut_short(settlement.finish_collection), opaque(settlement.uncollectable, any_integer),
    )  # fmt: skip
    receipt = accepted(world, ev.SettlePosition("A", MARKET), *standings.stand_ins(), *steps, time=time)
    path.claim("no lots", lambda: world.state.positions["A", MARKET].size == 0)
    return receipt.reason


@theorem(
    "path-to-flat:claim",
    "Once every position of a settling market is settled, a claim is paid at anybody's request, and its account is "
    "flat in that market.",
    "SETTLE-6",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def path_to_flat_claim(path: Any) -> Any:
    """Clears ``positions_remain``, with the path of settling positions."""
    world = World(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market()
    world.account("A")
    world.position("A", MARKET, "claim")
    state = world.state
    path.assume(lambda: state.markets[MARKET].status == MarketStatus.SETTLING, "settling")
    path.assume(lambda: state.settlements[MARKET].collected == True, "collected")  # noqa: E712
    path.assume(lambda: state.positions["A", MARKET].cost <= -1, "a claim")
    receipt = accepted(world, ev.PayClaim("A", MARKET), opaque(cumulative_share, any_integer))
    position = state.positions["A", MARKET]
    path.claim("flat", lambda: position.size == 0 and position.cost == 0)
    path.claim("not listed", lambda: MARKET not in state.accounts["A"].markets)
    return receipt.reason
