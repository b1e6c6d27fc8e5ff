"""Every invariant against every event: from any state that satisfies them, each event leads to one that does.

The claims of a theorem ``invariants.<event>`` are the invariants, so that the matrix of invariants and events has no
blank cell. Functions that write and that several transitions share, or that run in a loop, have theorems of their own,
named after them; transitions rest on these (see ``books``). Any number of accounts and markets: what an event does not
touch is in the rest of the world (see ``sound``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import product
from typing import Any

from clearspec import (
    collateral,
    funding,
    liquidation,
    listing,
    margin,
    oracle,
    settlement,
    trading,
    waterfall,
)
from clearspec import events as ev
from clearspec import parameters as par
from clearspec.invariants import INVARIANTS
from clearspec.ledger import Kind, balance, house, post, user
from clearspec.numerics import (
    AMOUNT_MAX,
    DURATION_MAX,
    LOSS_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    SCALE,
    SIZE_MAX,
    TIME_MAX,
    div_ceil,
    notional,
)
from clearspec.parameters import Layer, MarketKind
from clearspec.state import Budget, Feed, Mark, MarketStatus, Position, State
from clearspec_proofs.books import INDICES, Books, Known
from clearspec_proofs.claims import OWED, envelope, in_ranges, losses_grown, view
from clearspec_proofs.sound import (
    ANY_TIME,
    BEFORE,
    CLAIM,
    CLOSED,
    COLLECTING,
    FLAT,
    HELD,
    INSIDE,
    LAYERS,
    LONG,
    NEVER,
    OPEN,
    OTHER,
    PAYING,
    SHORT,
    SoundWorld,
    given,
    lemma,
)
from clearspec_proofs.stand_ins import (
    FILLED,
    NOTHING_FOUND,
    OPAQUE,
    StandIn,
    any_bool,
    any_integer,
    any_standing,
    opaque,
    passing,
    standing_in,
)
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.unknown import Hidden, Unknown
from clearspec_proofs.world import CASH, COIN, FEED, MARKET, POOL, same, shape_of, symbolic

EVERY = tuple(entry.id for entry in INVARIANTS)
SIZES = ("INV-9", "INV-15")
"""What a novation keeps only together with the caps of a trade, or where one side reduces its position."""

STANDING = opaque(margin.standing, any_standing)
FUNDS = (Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME)
COIN_FEED, OTHER_MARKET, NOBODY, NOWHERE = f"{COIN}-feed", "N", "nobody", "Z"

Part = Callable[[], Any]


def ordered_standing(path: Any) -> Any:
    """Any standing whose collateral, requirement and notional are not negative."""
    made = any_standing(path, "standing")
    for figure in (made.collateral, made.maintenance, made.notional):
        given(path, figure >= 0, "range of a standing")
    return made


ORDERED = StandIn(
    margin.standing,
    "margin.exposures-ordered, invariants.standing-of-a-holder",
    lambda path: lambda *_: ordered_standing(path),
)


def inductive(name: str, sentence: str, *rules: str, mark: str = "accepted") -> Any:
    """A theorem about an event, or a part of one, from any state that satisfies the invariants."""
    return theorem(name, sentence, *(rules or EVERY), strength=Strength.INDUCTIVE, marks=(mark,))


def up_to(path: Any, name: str, most: Any, grounds: str) -> Any:
    """A new atom from 0 to ``most``, as ``grounds`` says."""
    made = path.fresh(name, 0)
    given(path, made <= most, grounds)
    return made


def claim_unmoved(world: Books) -> None:
    """Nothing has changed that the worth of an account depends on: this event has no part in the gap."""
    changed = [change for change in world.start.changed(world.state) if moves_worth(world, *change)]
    world.path.claim("nobody's worth moves", lambda: changed == [])


def moves_worth(world: Books, table: str, key: Any) -> bool:
    """Whether a changed record has part in the worth of an account."""
    old = world.start.tables[table].get(key)
    new = {each.name: each for each in world.state.tables}[table][key]
    if table == "balances":
        return bool(key[2] == Kind.USER.value)
    read = {
        "marks": ("price",),
        "fundings": OWED,
        "feeds": ("index",),
        "settlements": ("price",),
        "positions": ("size",),
    }
    if old is None:
        return table == "positions"
    return any(not same(getattr(old, field), getattr(new, field)) for field in read.get(table, ()))


def claim_parties(world: Books, market: str, *accounts: str) -> None:
    """Claim that a market and accounts exist, each account once and in the market's pool."""
    path, state = world.path, world.state
    path.claim("the market exists", lambda: market in state.markets)
    path.claim("the accounts exist", lambda: all(account in state.accounts for account in accounts))
    path.claim("each stands once", lambda: len(set(accounts)) == len(accounts))
    pool = state.markets[market].listing.pool
    path.claim("all in its pool", lambda: all(state.accounts[account].pool == pool for account in accounts))


def claim_open(world: Books, market: str) -> None:
    """Claim that a market exists and its settlement price is not fixed."""
    status = world.state.markets[market].status
    world.path.claim("the market is open", lambda: status not in (MarketStatus.SETTLING, MarketStatus.CLOSED))


def claim_record(world: Books, market: Any) -> None:
    """Claim that a record of a market is the state's."""
    current = world.state.markets.get(market.listing.market)
    world.path.claim("the market as it is", lambda: same(market, current))


def claim_pool(world: Books, pool: Any, *accounts: str) -> None:
    """Claim that a pool is the state's, and that accounts are bound to it."""
    state = world.state
    world.path.claim("the pool as it is", lambda: same(pool, state.pools.get(pool.pool)))
    world.path.claim("accounts of the pool", lambda: all(state.accounts[name].pool == pool.pool for name in accounts))


# Collateral


def holders(path: Any, *accounts: str) -> Books:
    """A pool with a collateral asset, and accounts."""
    world = Books(path)
    world.feed(COIN_FEED)
    world.pool(collateral=(COIN,))
    for account in accounts:
        world.account(account)
    return world


def elsewhere(world: Books) -> None:
    """Two accounts of another pool."""
    world.pool("Q")
    for account in "CD":
        world.account(account, "Q")


def an_account(world: Books) -> Any:
    """The account, one of another pool, or one that does not exist."""
    return world.one_of("account", "A", "C", NOBODY)


def an_asset(world: Books) -> Any:
    """The settlement asset, collateral, or an asset that the pool does not know."""
    return world.one_of("asset", CASH, COIN, "GOLD")


@inductive("open_account", "Opening an account keeps every invariant.")
def open_account(path: Any) -> Any:
    """New and known, here or in another pool, with a position and without, the backstop of this pool or of another."""
    world = Books(path)
    world.pool(backstop=world.one_of("backstop", "", "A"))
    places = ["unknown", "here"]
    if world.either("another pool"):
        world.pool("Q", backstop=world.one_of("its backstop", "", "A"))
        places.append("there")
    place = world.one_of("A is", *places)
    if place == "there":
        world.account("A", "Q")
    elif place == "here":
        held = world.one_of("A holds", LONG, SHORT, "nothing")
        if held != "nothing":
            world.feed(markets=(MARKET,))
            world.market(bare=True)
        world.account("A", **({MARKET: held} if held != "nothing" else {}))
    action = world.action(ev.OpenAccount, account="A", pool=world.one_of("pool", POOL, NOWHERE))
    receipt = world.keeps_invariants(action)
    claim_unmoved(world)
    return receipt.reason


@inductive("deposit", "A deposit keeps every invariant.")
def deposit(path: Any) -> Any:
    """Of any asset, to a known account or an unknown one."""
    world = holders(path, "A")
    action = world.action(ev.Deposit, account=world.one_of("account", "A", NOBODY), asset=an_asset(world))
    return world.keeps_invariants(action).reason


@inductive("withdraw", "A withdrawal keeps every invariant.")
def withdraw(path: Any) -> Any:
    """Of any asset, from a known account or an unknown one."""
    world = holders(path, "A")
    action = world.action(ev.Withdraw, account=world.one_of("account", "A", NOBODY), asset=an_asset(world))
    return world.keeps_invariants(action, passing(collateral.require_outflow)).reason


@inductive("transfer", "A transfer keeps every invariant.")
def transfer(path: Any) -> Any:
    """Within a pool, to itself, or to pools that take both assets, one, or settle in what is collateral here."""
    world = holders(path, "A")
    where = world.one_of(
        "target", "here", "itself", "nobody", "from nobody", "both nobody", "takes both", "takes cash",
        "settles in coin",
    )  # fmt: skip
    if where in ("here", "itself", "nobody", "from nobody", "both nobody"):
        world.account("B")
    else:
        taken = (COIN,) if where == "takes both" else ()
        world.pool("Q", collateral=taken, settlement_asset=COIN if where == "settles in coin" else CASH)
        world.account("B", "Q")
    target = {"itself": "A", "nobody": NOBODY, "both nobody": NOBODY}.get(where, "B")
    account = NOBODY if where in ("from nobody", "both nobody") else "A"
    action = world.action(ev.Transfer, account=account, target=target, asset=an_asset(world))
    return world.keeps_invariants(action, passing(collateral.require_outflow)).reason


@inductive("convert", "A conversion keeps every invariant.")
def convert(path: Any) -> Any:
    """At any price, for any need."""
    world = holders(path, "A", "B")
    elsewhere(world)
    stand_ins = (
        STANDING, opaque(margin.collateral_price, any_integer), opaque(margin.index_value, any_integer),
        opaque(collateral.conversion_price, any_integer), opaque(collateral.conversion_need, any_integer),
        passing(collateral.require_outflow),
    )  # fmt: skip
    account, keeper = two_accounts(world)
    action = world.action(ev.Convert, account=account, keeper=keeper, asset=an_asset(world))
    return world.keeps_invariants(action, *stand_ins).reason


@inductive("contribute", "A contribution keeps every invariant.")
def contribute(path: Any) -> Any:
    """To either fund."""
    world = holders(path)
    fund, pool = world.one_of("fund", *ev.Fund), world.one_of("pool", POOL, NOWHERE)
    receipt = world.keeps_invariants(world.action(ev.Contribute, pool=pool, fund=fund))
    claim_unmoved(world)
    return receipt.reason


@inductive("cover_loss", "Covering a loss keeps every invariant.")
def cover_loss(path: Any) -> Any:
    """From outside and from each fund."""
    world = holders(path)
    origin, pool = world.one_of("origin", *ev.Cover), world.one_of("pool", POOL, NOWHERE)
    receipt = world.keeps_invariants(world.action(ev.CoverLoss, pool=pool, origin=origin))
    claim_unmoved(world)
    return receipt.reason


@inductive("collect_fees", "Collecting fees keeps every invariant.")
def collect_fees(path: Any) -> Any:
    """Out of the treasury."""
    world = holders(path)
    receipt = world.keeps_invariants(world.action(ev.CollectFees, pool=world.one_of("pool", POOL, NOWHERE)))
    claim_unmoved(world)
    return receipt.reason


# Prices


def one_market(path: Any, *phases: str, **more: Any) -> Books:
    """A market in one of some phases, its feed and its pool."""
    world = Books(path)
    world.feed(markets=(OTHER_MARKET, MARKET))
    world.pool()
    world.market(phase=world.one_of("phase", *phases), **more)
    return world


def timed_market(path: Any, **more: Any) -> Books:
    """A market that never expires, before its window, inside it, or in another phase."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    moment = world.one_of("moment", NEVER, BEFORE, INSIDE, OTHER)
    if moment == OTHER:
        world.market(phase=OTHER)
    else:
        world.market(time=moment, **more)
    return world


def a_market(world: Books) -> Any:
    """The market, or one that does not exist."""
    return world.one_of("market", MARKET, NOWHERE)


def moved_feed(world: Books) -> Feed:
    """The feed of the market with any other price within its cap."""
    feed = world.state.feeds[FEED]
    index, time = world.path.atom("moved.index", 1), world.path.atom("moved.time", 0, TIME_MAX)
    given(world.path, index <= feed.parameters.max_price, "range")
    return replace(feed, index=index, index_time=time)


def claim_feed(world: Books, market: str, feed: Any) -> None:
    """What theorems require of a feed that has moved, and of a market: that it follows this feed."""
    path, name, known = world.path, feed.parameters.feed, world.state.markets.get(market)
    here = world.state.feeds.get(name)
    path.claim("the price is one of the feed", lambda: 1 <= feed.index <= feed.parameters.max_price)
    path.claim("its time is one", lambda: 0 <= feed.index_time <= TIME_MAX)
    path.claim("its parameters are the feed's", lambda: here is not None and same(feed.parameters, here.parameters))
    follows = here is not None and market in here.markets if known is None else known.listing.feed == name
    path.claim("the market follows it", lambda: follows)


@inductive(
    "accrued_index",
    "Accruing a settlement TWAP keeps every invariant, and gives a price from 0 to the feed's highest.",
    mark="done",
)
def accrued_index(path: Any) -> Any:
    """Without expiry, before the window, inside it and past expiry."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market(time=world.one_of("time", NEVER, BEFORE, INSIDE), bare=True)
    moved = moved_feed(world)

    def call() -> Any:
        before = world.state.settlements[MARKET]
        result = oracle.accrued_index(world.moment(), MARKET, moved)
        if world.state.settlements[MARKET] is not before:
            twap_lemmas(world, before, moved)
        path.claim("not negative", lambda: result >= 0)
        path.claim("at most the highest price", lambda: result <= moved.parameters.max_price)
        return result

    return world.call(call)


def twap_lemmas(world: Books, before: Any, moved: Feed) -> None:
    """Each price for its seconds, and their sum, are at most the highest price for as many seconds."""
    path, after = world.path, world.state.settlements[MARKET]
    terms, held = world.state.markets[MARKET].listing, world.state.feeds[FEED].index
    window, top = terms.parameters.settlement_window, moved.parameters.max_price
    since = max(0, after.accrued_time - max(terms.expiry - window, before.accrued_time))
    left = terms.expiry - after.accrued_time
    for price, seconds in ((held if held > 0 else moved.index, since), (moved.index, left)):
        path.claim("seconds are not negative", lambda seconds=seconds: seconds >= 0)
        path.claim("a price for seconds", lambda price=price, seconds=seconds: price * seconds <= top * seconds)
        path.claim("a price for seconds", lambda price=price, seconds=seconds: price * seconds >= 0)
    total = after.accrued + moved.index * left
    path.claim("all prices of the window", lambda: 0 <= total <= top * window)


def price_up_to(world: Books, name: str, top: Any) -> Any:
    """A price that a theorem bounds by the highest one of a feed."""
    price = world.path.fresh(name, 0, PRICE_MAX)
    given(world.path, price <= top, "range of a price")
    return price


def index_accrued(world: Books) -> StandIn:
    """A TWAP accrues: of the settlement record nothing else changes, and no invariant is lost."""

    def result(_: Any, market: str, feed: Any) -> Any:
        claim_open(world, market)
        claim_feed(world, market, feed)
        return price_up_to(world, "accrued_index", feed.parameters.max_price)

    def then(_: Any, market: str, __: Any) -> Known:
        accrued, time = world.path.fresh("accrued"), world.path.fresh("accrued_time")
        record = replace(world.state.settlements[market], accrued=accrued, accrued_time=time)
        return {("settlements", market): record}

    return world.kept(oracle.accrued_index, "invariants.accrued_index", result, then)


@inductive("mark_price", "A mark lies within 1 and the cap, whatever index and basis are.", "ORCL-5", mark="done")
def mark_price(path: Any) -> Any:
    """Also for a TWAP of 0, or one above the cap of the feed."""
    parameters, cap = symbolic(path, par.MarkParameters, "mark"), path.atom("cap", 1)
    price = oracle.mark_price(path.atom("index"), path.atom("basis sum"), parameters, cap)
    path.mark("done")
    path.claim("a price", lambda: 1 <= price <= cap)
    return price


def index_found(world: Books) -> StandIn:
    """A TWAP accrues, of which nothing is looked at but the price that it gives."""

    def result(ctx: Any, market: str, feed: Any) -> Any:
        world.claim_moment(ctx)
        claim_open(world, market)
        claim_feed(world, market, feed)
        return price_up_to(world, "index", feed.parameters.max_price)

    return StandIn(oracle.accrued_index, "invariants.accrued_index", lambda _: result)


def mark_made(path: Any) -> StandIn:
    """A mark within 1 and the cap."""

    def result(_: Any, __: Any, parameters: Any, cap: Any) -> Any:
        path.claim("parameters and cap in range", lambda: parameters.window >= 1 and cap >= 1)
        made = path.fresh("mark", 1)
        given(path, made <= cap, "range of a mark")
        return made

    return StandIn(oracle.mark_price, "invariants.mark_price", lambda _: result)


@inductive("refresh_mark", "Refreshing a mark keeps every invariant, whatever the feed's new price.", mark="done")
def refresh_mark(path: Any) -> Any:
    """Of an open market; in another phase nothing is done."""
    world = one_market(path, OPEN, OTHER)
    moved = moved_feed(world)
    stand_ins = (index_accrued(world), mark_made(path), opaque(oracle.faded_basis, any_integer))
    return world.call(lambda: oracle.refresh_mark(world.moment(), MARKET, moved), *stand_ins, but=(INDICES,))


def mark_refreshed(world: Books) -> StandIn:
    """A mark is refreshed; the new one is any. When all are, its feed must have an index."""

    def then(_: Any, market: str, feed: Any) -> Known:
        if market not in world.state.marks:
            return {}
        rest = [Unknown(f"the {item.name} of {market}'s mark") for item in fields(Mark)[1:]]
        return {("marks", market): Mark(price_up_to(world, "refreshed", feed.parameters.max_price), *rest)}

    def result(_: Any, market: str, feed: Any) -> None:
        claim_feed(world, market, feed)
        world.followed.add(feed.parameters.feed)

    return world.kept(oracle.refresh_mark, "invariants.refresh_mark", result, then)


@inductive("post_price", "A price keeps every invariant, however many markets follow it.")
def post_price(path: Any) -> Any:
    """With and without a quorum; the feed is written when every market has followed."""
    world = Books(path)
    followers = world.one_of("followers", (MARKET, OTHER_MARKET), (MARKET,), ())
    world.feed(markets=followers, sources=world.one_of("sources", ("actor",), ("another",)))
    if world.explicit and followers:
        world.pool()
        for market in followers:
            world.market(market, phase=world.one_of(f"phase of {market}", *HELD))
    stand_ins = (quorum_asked(path), mark_refreshed(world))
    action = world.action(ev.PostPrice, feed=world.one_of("feed", FEED, NOWHERE))
    return world.keeps_invariants(action, *stand_ins).reason


def quorum_asked(path: Any) -> StandIn:
    """Any quorum price, of a feed that asks for a post at least: of none there is no median."""

    def result(_: Any, feed: Any) -> Any:
        path.claim("a quorum is asked for", lambda: feed.quorum >= 1)
        return path.fresh("quorum_price")

    return StandIn(oracle.quorum_price, OPAQUE, lambda _: result)


def premium_taken(path: Any) -> StandIn:
    """Any premium, over an index that there is: it is divided by."""

    def result(_: Any, __: Any, index: Any) -> Any:
        path.claim("there is an index", lambda: index >= 1)
        return path.fresh("premium_sample")

    return StandIn(oracle.premium_sample, OPAQUE, lambda _: result)


@inductive("post_book", "A book sample keeps every invariant, and finds an index where it divides by one.")
def post_book(path: Any) -> Any:
    """Any sample: basis and premium are not read by an invariant. A market that has a mark has an index."""
    world = one_market(path, OPEN, OTHER, bare=True)
    price, index = world.state.marks[MARKET].price, world.state.feeds[FEED].index
    path.assume(lambda: price <= 0 or index >= 1, "range (marks have indices)")
    stand_ins = (
        opaque(oracle.basis_sample, any_integer), opaque(oracle.smoothed, any_integer),
        premium_taken(path), mark_refreshed(world),
    )  # fmt: skip
    return world.keeps_invariants(world.action(ev.PostBook, market=a_market(world)), *stand_ins).reason


@inductive("accrue_funding", "Accruing funding keeps every invariant.")
def accrue_funding(path: Any) -> Any:
    """At any rate."""
    world = one_market(path, OPEN, OTHER)
    stand_ins = (opaque(funding.aggregated, any_integer), opaque(funding.funding_rate, any_integer))
    return world.keeps_invariants(world.action(ev.AccrueFunding, market=a_market(world)), *stand_ins).reason


# Listing


def admitted(world: Books, function: Part, then: Callable[..., None]) -> StandIn:
    """Parameters pass the envelope or not: what ``then`` supposes of them is shown of all that pass."""

    def result(state: State, terms: Any, *rest: Any) -> list[Any]:
        if any_bool(world.path, "outside the envelope") == True:  # noqa: E712
            return [par.Violation("of the envelope", 1, 0)]
        world.admitted.append(terms.parameters)
        then(state.feeds[terms.feed].parameters, terms, *rest)
        return []

    return StandIn(function, "invariants.admitted-parameters", lambda _: result)


def listed(world: Books) -> StandIn:
    """A listing passes."""

    def then(feed: Any, terms: Any, time: Any) -> None:
        lowest = terms.parameters.margin.tiers[0].maintenance
        for fact in (*envelope(terms, lowest, feed), *expiries(terms, time)):
            given(world.path, fact, "range (envelope)")

    return admitted(world, listing.new_listing_violations, then)


def expiries(terms: Any, time: Any) -> tuple[Any, ...]:
    """What is said of the expiry of a new listing."""
    if terms.kind == MarketKind.FUTURE:
        return (terms.expiry - terms.parameters.settlement_window >= time,)
    return (terms.expiry <= 0,)


def without_violations(*functions: Any) -> tuple[StandIn, ...]:
    """Inequalities of the envelope that are taken to hold; where they do not, the parameters are not admitted."""
    return tuple(StandIn(function, NOTHING_FOUND, lambda _: lambda *__: []) for function in functions)


def holding(path: Any) -> StandIn:
    """The same of each inequality that ``market_violations`` lists itself: it is supposed."""

    def supposed(checks: Any) -> list[Any]:
        for name, left, right in checks:
            given(path, left <= right, f"range ({name})")
        return []

    return StandIn(par._violations, NOTHING_FOUND, lambda _: supposed)


@inductive(
    "admitted-parameters",
    "Parameters that pass the envelope when a market is listed cover the rebate, keep open interest within 2^56 at the "
    "highest price and the penalty below maintenance, and leave the settlement window to come, or expire never; those "
    "that pass it when they change do so but for the expiry, with the maintenance ratio for which it is asked.",
    "PARM-9",
    mark="admitted",
)
def admitted_parameters(path: Any) -> Any:
    """One tier, whatever the numbers; the other inequalities are taken to hold: they are required beside these."""
    world = Books(path)
    world.feed()
    world.pool()
    terms, time = new_listing(world, "listed", wide=True), path.atom("time", 0, TIME_MAX)
    lowest, asked = terms.parameters.margin.tiers[0].maintenance, path.atom("maintenance asked for")
    kernels = (par.tier_violations, par.gap_violations, par.gains_haircut_violations)
    with standing_in(path, holding(path), *without_violations(*kernels)):
        new = listing.new_listing_violations(world.state, terms, time)
        changed = listing.listing_violations(world.state, terms, asked)
    feed = world.state.feeds[FEED].parameters
    if not new:
        path.mark("admitted")
        for fact in (*envelope(terms, lowest, feed), *expiries(terms, time)):
            path.claim("supposed of a listing", lambda fact=fact: fact)
    if not changed:
        path.mark("changed")
        for fact in envelope(terms, asked, feed):
            path.claim("supposed of a change", lambda fact=fact: fact)
    return len(new), len(changed)


def new_listing(world: Books, name: str, wide: bool = False) -> Any:
    """A listing of the market with any parameters."""
    margins = par.MarginParameters
    tiers = (symbolic(world.path, par.Tier, f"{name}.tier", wide),)
    table = symbolic(world.path, margins, f"{name}.margin", wide, tiers=tiers)
    terms = symbolic(world.path, par.MarketParameters, name, wide, margin=table)
    return symbolic(
        world.path, par.MarketListing, name, wide, market=MARKET, pool=POOL, feed=FEED, parameters=terms
    )  # fmt: skip


@inductive("list_market", "Listing a market keeps every invariant.")
def list_market(path: Any) -> Any:
    """With any parameters, in range or not."""
    world = Books(path)
    world.feed()
    world.pool()
    known = world.one_of("known", "new", "listed", "without a pool", "without a feed")
    if known == "listed":
        world.market(phase=world.one_of("phase", OPEN, OTHER), bare=True)
    terms = new_listing(world, "listed", wide=True)
    terms = replace(terms, pool=NOWHERE if known == "without a pool" else POOL)
    terms = replace(terms, feed=NOWHERE if known == "without a feed" else FEED)
    receipt = world.keeps_invariants(ev.ListMarket(terms), listed(world))
    claim_unmoved(world)
    return receipt.reason


def quorums_reached(path: Any) -> StandIn:
    """A feed passes: its quorum is one, and outvotes the sources that may lie."""

    def result(feed: par.FeedParameters) -> list[Any]:
        given(path, 2 * feed.faulty + 1 <= feed.quorum, "range (envelope)")
        return []

    return StandIn(par.feed_violations, "parameters.accepted-feeds-outvote-faulty-sources", lambda _: result)


LOW = 2**20
"""A price cap or a number of lots so low that the notional of both is within its bounds."""


def calm_feeds(feeds: tuple[par.FeedParameters, ...]) -> tuple[par.FeedParameters, ...]:
    """Feeds whose prices do not jump, so that drawn margins survive the gap of the envelope."""
    return tuple(replace(feed, quorum=1, faulty=0, band=0, max_price=min(LOW, feed.max_price)) for feed in feeds)


def calm_pool(pool: par.PoolParameters) -> par.PoolParameters:
    """The pool, with weights, caps and haircuts on the right side of each other."""
    terms = tuple(replace(entry, discount=min(entry.discount, entry.haircut)) for entry in pool.collateral)
    weight = min(pool.profit_weight_withdrawal, pool.profit_weight_initial)
    cap = min(pool.profit_cap_withdrawal, pool.profit_cap_initial)
    return replace(pool, collateral=terms, profit_weight_withdrawal=weight, profit_cap_withdrawal=cap)


def calm_listing(listed: par.MarketListing) -> par.MarketListing:
    """The listing, inside the envelope on a feed whose prices do not jump."""
    terms, perpetual = listed.parameters, listed.kind == MarketKind.PERPETUAL
    margins, fees, rules = terms.margin, terms.trading, terms.liquidation
    tier = par.Tier(NOTIONAL_MAX, SCALE, SCALE)
    penalty = min(rules.penalty, SCALE - 1)
    calm = replace(
        terms,
        trading=replace(
            fees, max_position=min(LOW, fees.max_position), max_open_interest=min(LOW, fees.max_open_interest),
            maker_fee=max(fees.maker_fee, -fees.taker_fee),
        ),
        margin=replace(margins, tiers=(tier,), open_interest_lower=0),
        mark=replace(terms.mark, band=0, variation_interval=1),
        funding=replace(terms.funding, cap=0, interval=1, sample_interval=1),
        liquidation=replace(
            rules, penalty=penalty, reward=min(rules.reward, penalty), reward_floor=min(rules.reward_floor, penalty)
        ),
    )  # fmt: skip
    return replace(listed, parameters=calm, expiry=0 if perpetual else listed.expiry)


@inductive("genesis", "The state of any genesis satisfies every invariant.", mark="done")
def genesis(path: Any) -> Any:
    """Two assets and feeds, a pool and a market; what is written of each does not depend on the others."""
    world = Books(path)
    feeds = tuple(symbolic(path, par.FeedParameters, feed, feed=feed, sources=("actor",)) for feed in (FEED, COIN_FEED))
    coin = symbolic(path, par.CollateralTerms, "coin", asset=COIN, feed=COIN_FEED)
    terms = {"pool": POOL, "settlement_asset": CASH, "collateral": (coin,), "layers": (), "backstop": "A"}
    pool, time = symbolic(path, par.PoolParameters, POOL, **terms), path.atom("time", 0, TIME_MAX)
    assets = tuple(symbolic(path, par.AssetParameters, asset, asset=asset) for asset in (CASH, COIN))
    markets: tuple[par.MarketListing, ...] = (new_listing(world, "listed"),) if world.either("a market") else ()
    if world.explicit:
        feeds, pool, markets = calm_feeds(feeds), calm_pool(pool), tuple(map(calm_listing, markets))
    world.admitted += [*feeds, *(entry.parameters for entry in markets), pool]
    checks = without_violations(par.pool_violations, par.haircut_violations)
    first = ev.Genesis(time, ("admin",), ("venue",), assets, feeds, (pool,), markets)
    world.begin()
    try:
        with standing_in(path, *checks, quorums_reached(path), listed(world)):
            world.state = listing.build(first)
    except listing.OutsideEnvelope:
        return None
    path.mark("done")
    world.settle()
    return len(world.state.created)


def compared(path: Any, record: Any, name: str) -> Any:
    """A record that may equal the one that it is compared with, or not, whatever it holds."""
    if not path.stand_ins:
        return record
    answer = {"__eq__": lambda *_: path.choice(name, False, True) == True, "__hash__": None}  # noqa: E712
    kind = type(type(record).__name__, (type(record),), answer)
    return kind(**{item: getattr(record, item) for item, _, _ in shape_of(type(record))})


def new_parameters(world: Books, current: Any, window: Any) -> Any:
    """Parameters of which it is open which are those of before."""
    terms = new_listing(world, "changed").parameters
    tiers = (compared(world.path, terms.margin.tiers[0], "the same tiers"),)
    if window is None:
        window = terms.settlement_window
        world.path.assume(lambda: window != current.settlement_window, "range")
    return replace(
        terms,
        margin=replace(terms.margin, tiers=tiers),
        funding=compared(world.path, terms.funding, "the same funding"),
        settlement_window=window,
    )


@inductive("set_parameters", "A change of parameters keeps every invariant.")
def set_parameters(path: Any) -> Any:
    """Parameters in range (others are rejected before, as in ``list_market``), with the same window or another."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    case = world.one_of("case", "same window", "another, no expiry", "another, an expiry", "not open", "unknown")
    moment = {"another, no expiry": NEVER, "another, an expiry": BEFORE}.get(case, ANY_TIME)
    world.market(phase=OTHER if case == "not open" else OPEN, time=moment, bare=True)
    current = world.state.markets[MARKET].listing.parameters
    window = None if case.startswith("another") else current.settlement_window
    action = ev.SetParameters(NOWHERE if case == "unknown" else MARKET, new_parameters(world, current, window))

    def then(feed: Any, terms: Any, lowest: Any) -> None:
        for table in (terms.parameters.margin.tiers, current.margin.tiers):
            path.claim("the lower of both", lambda table=table: lowest <= table[0].maintenance)
            for fact in envelope(terms, table[0].maintenance, feed):
                given(path, fact, "range (envelope), for it holds of what is lower")

    passes = admitted(world, listing.listing_violations, then)
    receipt = world.keeps_invariants(action, passes, rescaled(world), opaque(oracle.is_fresh, any_bool))
    claim_unmoved(world)
    return receipt.reason


@inductive(
    "rescale",
    "Rescaling keeps a carried remainder below its divisor when the period changes, and writes nothing but it and the "
    "smoothing state of the mark.",
    "FUND-7",
    "INV-9",
    mark="done",
)
def rescale(path: Any) -> Any:
    """From any period to any."""
    world = Books(path)
    world.feed()
    world.pool()
    world.market(bare=True)
    before, after = world.state.markets[MARKET].listing.parameters, new_listing(world, "changed").parameters
    world.begin()
    fundings, marks = world.state.fundings[MARKET], world.state.marks[MARKET]
    listing.rescale(world.moment(), MARKET, before, after)
    path.mark("done")
    carry, basis = world.state.fundings[MARKET].carry, world.state.marks[MARKET].basis_sum
    path.claim("not negative", lambda: carry >= 0)
    path.claim("below its divisor", lambda: carry < SCALE * after.funding.period)
    kept = (replace(fundings, carry=carry), replace(marks, basis_sum=basis))
    path.claim("nothing else", lambda: same(kept, (world.state.fundings[MARKET], world.state.marks[MARKET])))
    changed = {("fundings", MARKET), ("marks", MARKET)}
    path.claim("no other record", lambda: set(world.before.changed(world.state)) <= changed)
    return carry, basis


def rescaled(world: Books) -> StandIn:
    """What is carried is rescaled."""

    def result(ctx: Any, market: str, before: Any, after: Any) -> None:
        world.claim_moment(ctx)
        claim_open(world, market)
        in_force = world.state.markets[market].listing.parameters
        world.path.claim("from the parameters in force", lambda: same(before, in_force))
        world.path.claim("to such as are in range", lambda: in_ranges([(None, after)]))
        state, carry = ctx.state, world.path.fresh("carry", 0, SCALE * DURATION_MAX)
        given(world.path, carry < SCALE * after.funding.period, "range of what is carried")
        state.fundings.put(market, replace(state.fundings[market], carry=carry))
        state.marks.put(market, replace(state.marks[market], basis_sum=world.path.fresh("basis_sum")))

    return StandIn(listing.rescale, "invariants.rescale", lambda _: result)


@inductive("set_status", "A change of status keeps every invariant.")
def set_status(path: Any) -> Any:
    """From any status to any."""
    world = timed_market(path)
    receipt = world.keeps_invariants(world.action(ev.SetStatus, market=a_market(world)))
    claim_unmoved(world)
    return receipt.reason


@inductive("delist", "Delisting keeps every invariant.")
def delist(path: Any) -> Any:
    """Without expiry, before the window and inside it."""
    world = timed_market(path)
    receipt = world.keeps_invariants(world.action(ev.Delist, market=a_market(world)))
    claim_unmoved(world)
    return receipt.reason


# Trading


@inductive(
    "novate",
    "A novation in an open market keeps every invariant but the range of sizes; its lots, and no more, change hands.",
    mark="done",
)
def novate(path: Any) -> Any:
    """The range of sizes is what the caps of a trade keep, or that one side reduces its position."""
    world, lots, call = novation(path, *(LONG, SHORT, FLAT))

    def moved() -> Any:
        before = [world.state.positions[account, MARKET].size for account in "AB"]
        sizes = call()
        for account, start, sign in zip("AB", before, (1, -1), strict=True):
            end = world.state.positions[account, MARKET].size
            path.claim("lots change hands", lambda end=end, start=start, sign=sign: end == start + sign * lots)
        return sizes

    return world.call(moved, FILLED, names=("A", "B"), but=SIZES)


def novation(path: Any, *kinds: str) -> tuple[Books, Any, Part]:
    """A market, two accounts, any lots, and their novation at any price between these."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market()
    for account in "AB":
        world.account(account, **{MARKET: world.one_of(f"{account} holds", *kinds)})
    lots, price = path.atom("lots", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    given(path, world.state.marks[MARKET].price >= 1, "range, for the market has a mark")
    return world, lots, lambda: trading.novate(world.moment(), "A", "B", MARKET, lots, price)


@inductive(
    "novate-reducing",
    "A novation by which one side reduces its position keeps sizes and open interest in range.",
    "INV-9",
    mark="done",
)
def novate_reducing(path: Any) -> Any:
    """Open interest does not grow, and no position is larger than it."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market()
    side = world.one_of("A holds", LONG, SHORT)
    world.account("A", **{MARKET: side})
    world.account("B", **{MARKET: world.one_of("B holds", LONG, SHORT, FLAT)})
    lots, price = path.atom("lots", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    size = world.state.positions["A", MARKET].size
    given(path, lots <= (size if side == LONG else -size), "one side reduces")
    parties = ("B", "A") if side == LONG else ("A", "B")

    def call() -> None:
        before = world.state.open_interest[MARKET]
        trading.novate(world.moment(), *parties, MARKET, lots, price)
        bounded_by(world, before)

    return world.call(call, FILLED, names=("A", "B"), but=tuple(name for name in EVERY if name not in SIZES))


def bounded_by(world: Books, cap: Any) -> None:
    """Lemmas: open interest and its notional are at most those of a cap."""
    interest, top = world.state.open_interest[MARKET], world.state.feeds[FEED].parameters.max_price
    lemma(world.path, "open interest within its cap", lambda: interest <= cap)
    lemma(world.path, "its notional too", lambda: interest * top <= cap * top)


def two_accounts(world: Books) -> Any:
    """Of the pool, of another, or unknown; or the same twice."""
    pairs = product(("A", "C", NOBODY), ("B", "D", NOBODY))
    return world.one_of("sides", *pairs, ("A", "A"), ("C", "C"))


def novated(world: Books, reducing: str = "") -> StandIn:
    """Lots are novated; ``reducing``: they reduce the position of this account."""

    def result(_: Any, *arguments: Any) -> Any:
        return claim_novation(world, reducing, *arguments)

    if reducing:
        return world.kept(trading.novate, "invariants.novate, invariants.novate-reducing", result)
    return world.kept(trading.novate, "invariants.novate", result, loses=SIZES)


def claim_novation(world: Books, reducing: str, buyer: str, seller: str, market: str, size: Any, price: Any) -> Any:
    """What the theorems require of a novation; sizes before and after are any."""
    path, state = world.path, world.state
    claim_parties(world, market, buyer, seller)
    claim_open(world, market)
    path.claim("novated lots are positive", lambda: 1 <= size <= SIZE_MAX)
    path.claim("the price is in range", lambda: 1 <= price <= PRICE_MAX)
    path.claim("it has a mark", lambda: state.marks[market].price >= 1)
    if reducing:
        path.claim("it is one of both", lambda: reducing in (buyer, seller))
        held = state.positions[reducing, market].size
        path.claim("one side reduces", lambda: size <= (held if reducing == seller else -held))
    world.named |= {buyer, seller}
    return tuple((path.fresh("start"), path.fresh("end")) for _ in "AB")


@inductive("charge_fees", "Fees keep every invariant.", mark="done")
def charge_fees(path: Any) -> Any:
    """With parameters inside the envelope: the rebate is covered. No position is shown, and no size supposed."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market(bare=True)
    for account in "AB":
        world.account(account)
    market, value = world.state.markets[MARKET], path.atom("value", 0)
    call = lambda: trading.charge_fees(world.moment(), market, "A", "B", value)  # noqa: E731
    return world.call(call, fees_conserved(), names=("A", "B"))


def claim_fees(world: Books, market: Any, taker: str, maker: str, value: Any) -> Any:
    """What the theorem requires of fees; they are any."""
    claim_record(world, market)
    claim_open(world, market.listing.market)
    claim_parties(world, market.listing.market, taker, maker)
    world.path.claim("fees of a notional", lambda: value >= 0)
    world.named |= {taker, maker}
    return world.path.fresh("taker fee"), world.path.fresh("maker fee")


def fees_charged(world: Books) -> StandIn:
    """Fees are charged."""

    def result(_: Any, *arguments: Any) -> Any:
        return claim_fees(world, *arguments)

    return world.kept(trading.charge_fees, "invariants.charge_fees", result, regardless=SIZES)


@inductive("trade", "A trade keeps every invariant.")
def trade(path: Any) -> Any:
    """Novation and fees keep them; nothing else is written. Its test of the cap keeps the range of sizes."""
    world = one_market(path, OPEN, OTHER, bare=True)
    for account in "AB":
        world.account(account)
    elsewhere(world)
    checks = (trading.require_caps, trading.require_balance_limit)
    opaques = (margin.fill_allowed, trading.reduces, trading.no_worse_than_mark, trading.within_band)
    stand_ins = (
        STANDING, novated(world), fees_charged(world), sizes_tested(world),
        *(opaque(test, any_bool) for test in opaques), *map(passing, checks),
    )  # fmt: skip
    buyer, seller = two_accounts(world)
    action = world.action(ev.Trade, market=a_market(world), buyer=buyer, seller=seller)
    receipt = world.keeps_invariants(action, *stand_ins)
    if receipt.reason is None:
        path.claim("the cap has been tested", lambda: world.lost == set())
    return receipt.reason


def sizes_tested(world: Books) -> StandIn:
    """After a novation open interest is tested against the cap, and passes: the range of sizes holds again."""

    def result(ctx: Any, market: Any, before: Any, limits: Any) -> None:
        world.claim_moment(ctx)
        claim_record(world, market)
        interest = world.start.tables["open_interest"].get(market.listing.market)
        world.path.claim("the interest before the novation", lambda: same(before, interest))
        world.path.claim("the market's limits", lambda: same(limits, market.listing.parameters.trading))
        world.lost -= set(SIZES)

    return StandIn(trading.require_open_interest, "invariants.trade:sizes", lambda _: result)


@inductive(
    "trade:sizes", "A trade that stays within the cap of open interest keeps sizes in range.", "INV-9", mark="done"
)
def trade_sizes(path: Any) -> Any:
    """With the real check of the cap after the real novation: no position is larger than open interest."""
    world, _, call = novation(path, LONG, SHORT, FLAT)
    market = world.state.markets[MARKET]
    limits = market.listing.parameters.trading

    def capped() -> None:
        before = world.state.open_interest[MARKET]
        call()
        trading.require_open_interest(world.moment(), market, before, limits)
        grew = world.state.open_interest[MARKET] > before
        bounded_by(world, limits.max_open_interest if grew else before)

    try:
        world.call(capped, FILLED, names=("A", "B"), but=tuple(name for name in EVERY if name not in SIZES))
    except ev.Rejected as rejected:
        return rejected.reason
    return None


# Liquidation


@inductive(
    "closable_size", "What a liquidation may close is at least a lot and at most the position.", "LIQ-3", mark="done"
)
def closable_size(path: Any) -> Any:
    """Of an account below maintenance; at the lower maintenance while a ramp runs."""
    world = Books(path)
    world.feed()
    world.pool()
    world.market(bare=True)
    size, price = path.atom("size", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    account, time = ordered_standing(path), path.atom("time", 0, TIME_MAX)
    given(path, account.margin_equity < account.maintenance, "below maintenance")
    with standing_in(path, opaque(liquidation.is_critical, any_bool)):
        closable = liquidation.closable_size(size, price, account, world.state.markets[MARKET], time)
    path.mark("done")
    path.claim("at most the position", lambda: closable <= size)
    path.claim("at least a lot", lambda: closable >= 1)
    return closable


@inductive("pay_penalty", "A penalty keeps every invariant.", mark="done")
def pay_penalty(path: Any) -> Any:
    """On any notional that is not negative, at any standing of an account that holds a position."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market(bare=True)
    for account in "AB":
        world.account(account)
    market, value = world.state.markets[MARKET], path.atom("value", 0)
    action = ev.Liquidate("A", "B", MARKET, path.atom("size"))
    before = any_standing(path, "standing")
    given(path, before.notional >= 1, "range, for a position is held")
    call = lambda: liquidation.pay_penalty(world.moment(), market, action, value, before)  # noqa: E731
    return world.call(call, names=("A", "B"))


def penalty_paid(world: Books) -> StandIn:
    """A penalty is paid."""

    def result(_: Any, market: Any, action: Any, value: Any, before: Any) -> dict[str, Any]:
        claim_record(world, market)
        claim_open(world, market.listing.market)
        claim_parties(world, market.listing.market, action.account, action.liquidator)
        world.path.claim("a penalty on a notional", lambda: value >= 0)
        world.path.claim("a position is held", lambda: before.notional >= 1)
        world.named |= {action.account, action.liquidator}
        return {}

    return world.kept(liquidation.pay_penalty, "invariants.pay_penalty", result)


def closable(world: Books) -> StandIn:
    """At least a lot and at most the position."""
    path = world.path

    def result(size: Any, price: Any, account: Any, market: Any, time: Any) -> Any:
        claim_record(world, market)
        path.claim("lots in range", lambda: 1 <= size <= SIZE_MAX)
        path.claim("a price in range", lambda: 1 <= price <= PRICE_MAX)
        path.claim("a time in range", lambda: 0 <= time <= TIME_MAX)
        path.claim("below maintenance", lambda: 0 <= account.maintenance > account.margin_equity)
        made = path.fresh("closable", 1)
        given(path, made <= size, "range of a size")
        return made

    return StandIn(liquidation.closable_size, "invariants.closable_size", lambda _: result)


@inductive(
    "standing-of-a-holder",
    "Collateral and requirement of an account are not negative, and its notional is at least that of each position.",
    "MARG-6",
    mark="done",
)
def standing_of_a_holder(path: Any) -> Any:
    """What other positions come to is one part of any worth; collateral of one asset."""
    world = Books(path)
    world.feed(COIN_FEED)
    world.feed(markets=(MARKET, OTHER_MARKET))
    world.pool(collateral=(COIN,))
    for market in (MARKET, OTHER_MARKET):
        world.market(market, bare=True)
        world.state.open_interest.put(market, path.atom(f"lots open in {market}", 0))
    held = {MARKET: world.one_of("A holds", LONG, SHORT, FLAT), OTHER_MARKET: world.one_of("too", LONG, SHORT, FLAT)}
    world.account("A", **held)
    size, price = world.state.positions["A", MARKET].size, world.state.marks[MARKET].price
    values = StandIn(margin.collateral_values, "margin.collateral-at-most-at-index", valued)
    counted = opaque(margin.counted_profit, any_integer)
    required = StandIn(margin.requirements, "margin.requirements-ordered", required_of)
    world.begin()
    with standing_in(path, values, counted, required, opaque(margin.stale_penalty, any_integer)):
        found = margin.standing(world.moment(), "A")
    path.mark("done")
    path.claim("collateral", lambda: found.collateral >= 0)
    path.claim("requirement", lambda: found.maintenance >= 0)
    path.claim("notional", lambda: found.notional >= abs(size) * price)
    path.claim("not negative", lambda: found.notional >= 0)
    return found


def valued(path: Any) -> Any:
    """Worth of collateral after haircut and at index: not negative."""
    return lambda *_: (path.fresh("counted", 0), path.fresh("at index", 0))


def required_of(path: Any) -> Any:
    """Requirements that are not negative."""
    return lambda *_: (path.fresh("initial", 0), path.fresh("maintenance", 0))


def held_standing(world: Books) -> StandIn:
    """The standing of A, of whose positions one is shown where the market is open, if it holds one."""

    def standing(ctx: Any, account: str) -> Any:
        world.claim_moment(ctx)
        made = ordered_standing(world.path)
        held = world.state.positions.get((account, MARKET))
        if isinstance(held, Position) and held.size != 0:
            world.path.claim("its market has a price", lambda: world.state.marks[MARKET].price >= 1)
            lots = abs(held.size)
            given(world.path, made.notional >= lots * world.state.marks[MARKET].price, "range of a notional")
        return made

    return StandIn(margin.standing, ORDERED.grounds, lambda _: standing)


@inductive("liquidate", "A liquidation keeps every invariant.")
def liquidate(path: Any) -> Any:
    """Novation, by which the account reduces its position, and penalty keep them; nothing else is written."""
    world = one_market(path, OPEN, OTHER, bare=True)
    kinds = (LONG, SHORT, FLAT) if world.phases[MARKET] == OPEN else ()
    world.account("A", **({MARKET: world.one_of("A holds", *kinds)} if kinds else {}))
    world.account("B")
    elsewhere(world)
    stand_ins = (
        held_standing(world), novated(world, "A"), penalty_paid(world), closable(world),
        opaque(liquidation.may_act_for, any_bool), opaque(trading.reduces, any_bool), passing(liquidation.require_able),
    )  # fmt: skip
    account, liquidator = two_accounts(world)
    action = world.action(ev.Liquidate, market=a_market(world), account=account, liquidator=liquidator)
    return world.keeps_invariants(action, *stand_ins).reason


# Default


def asked(path: Any, amount: Any) -> None:
    """What a layer may be asked for."""
    path.claim("asked for something or nothing", lambda: amount >= 0)


def borne(path: Any, amount: Any, most: Any) -> None:
    """What a layer may bear."""
    path.claim("bears something or nothing", lambda: amount >= 0)
    path.claim("bears no more than it is asked for", lambda: amount <= most)


def received(world: Books, account: str) -> Any:
    """By how much an account's settlement balance has risen since the world was last looked at."""
    key = user(CASH, POOL, account)
    return world.state.balances.get(key, 0) - world.before.tables["balances"].get(key, 0)


def claim_moved(world: Books, account: str, amount: Any, *kinds: Kind, written: frozenset[str] = frozenset()) -> None:
    """Money came from these funds of the pool to an account, nothing else moved, and of tables were ``written``."""
    path, before, now = world.path, world.before.tables["balances"], world.state.balances
    funds, mine = [house(CASH, POOL, kind) for kind in kinds], user(CASH, POOL, account)
    path.claim("the account receives it", lambda: now[mine] - before[mine] == amount)
    path.claim("the funds pay it", lambda: sum(before[key] - now[key] for key in funds) == amount)
    for key in funds:
        path.claim("a fund pays what it holds", lambda key=key: 0 <= now[key] <= before[key])
    moved = {key for table, key in world.before.changed(world.state) if table == "balances"}
    path.claim("nothing else moves", lambda: moved <= {mine, *funds})
    tables = {table for table, _ in world.before.changed(world.state)}
    path.claim("nothing else is written", lambda: tables <= {"balances", *written})


POOLED, BUDGETED = frozenset({"pool_budgets"}), frozenset({"pool_budgets", "budgets"})
"""Budgets that draws on the insurance fund write."""


def claim_draw(world: Books, ctx: Any, pool: Any, account: str, *kinds: Kind) -> None:
    """Claim what a draw on funds of a pool for an account requires: of the invariants, that no fund is negative."""
    world.claim_moment(ctx)
    claim_pool(world, pool, account)
    world.path.claim("the pool of this world", lambda: pool.pool == POOL)
    world.path.claim("a fund", lambda: set(kinds) <= set(FUNDS))
    for fund in (house(CASH, POOL, kind) for kind in kinds):
        world.path.claim("a fund is not negative", lambda fund=fund: balance(world.state, fund) >= 0)


def claim_budget(world: Books, market: str) -> None:
    """Claim that a market exists in the pool, so that it has a budget."""
    known = world.state.markets.get(market)
    world.path.claim("a market of the pool", lambda: known is not None and known.listing.pool == POOL)


def paid_from(world: Books, account: str, most: Any, *kinds: Kind) -> Any:
    """Pay an account any amounts out of funds, together at most ``most``, each at most what the fund holds."""
    path, state, parts = world.path, world.state, []
    for kind in kinds:
        fund, part = house(CASH, POOL, kind), path.fresh("drawn", 0)
        given(path, part <= balance(state, fund), "range of a draw")
        post(state, [], fund, user(CASH, POOL, account), part, "FALL-5")
        parts.append(part)
    given(path, sum(parts) <= most, "range of a draw")
    return sum(parts)


def pool_of_funds(path: Any, *layers: Layer) -> Books:
    """A pool with these layers, an account in it and a market whose budget is drawn on."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool(layers=layers)
    world.market(phase=world.one_of("phase", OPEN, COLLECTING), bare=True)
    world.account("A")
    return world


@inductive("draw_fund", "A draw on a fund keeps every invariant and pays what the fund holds at most.", mark="done")
def draw_fund(path: Any) -> Any:
    """Either fund."""
    world, deficit = pool_of_funds(path), path.atom("deficit", 0)
    kind, pool = world.one_of("fund", *FUNDS), world.state.pools[POOL]

    def call() -> Any:
        amount = waterfall.draw_fund(world.moment(), pool, kind, deficit, "A")
        borne(path, amount, deficit)
        claim_moved(world, "A", amount, kind)
        return amount

    return world.call(call, names=("A",))


def fund_drawn(world: Books) -> StandIn:
    """A fund is drawn on."""

    def result(ctx: Any, pool: Any, kind: Kind, deficit: Any, credit: str) -> Any:
        claim_draw(world, ctx, pool, credit, kind)
        asked(world.path, deficit)
        return paid_from(world, credit, deficit, kind)

    return StandIn(waterfall.draw_fund, "invariants.draw_fund", lambda _: result)


@inductive("draw_pool_insurance", "A draw on the insurance fund keeps every invariant.", mark="done")
def draw_pool_insurance(path: Any) -> Any:
    """Within the pool's cap."""
    world, deficit = pool_of_funds(path), path.atom("deficit", 0)

    def call() -> Any:
        amount = waterfall.draw_pool_insurance(world.moment(), world.state.pools[POOL], deficit, "A")
        borne(path, amount, deficit)
        claim_moved(world, "A", amount, Kind.INSURANCE_FUND, written=POOLED)
        return amount

    return world.call(call, fund_drawn(world), names=("A",))


def pool_insurance_drawn(world: Books) -> StandIn:
    """The insurance fund is drawn on within the pool's cap."""

    def result(ctx: Any, pool: Any, deficit: Any, credit: str) -> Any:
        claim_draw(world, ctx, pool, credit, Kind.INSURANCE_FUND)
        asked(world.path, deficit)
        for pool in world.state.pool_budgets:
            world.state.pool_budgets.put(pool, symbolic(world.path, Budget, world.fresh_name("budget")))
        return paid_from(world, credit, deficit, Kind.INSURANCE_FUND)

    return StandIn(waterfall.draw_pool_insurance, "invariants.draw_pool_insurance", lambda _: result)


@inductive("draw_insurance", "Draws on the insurance fund for any number of markets keep every invariant.", mark="done")
def draw_insurance(path: Any) -> Any:
    """Two turns: the second begins where every later one does, after any draw, with any budget."""
    world = pool_of_funds(path)
    parts = [(MARKET, path.atom(f"part {turn}", 0)) for turn in ("one", "two")]

    def call() -> Any:
        amount = waterfall.draw_insurance(world.moment(), world.state.pools[POOL], parts, "A")
        borne(path, amount, sum(part for _, part in parts))
        claim_moved(world, "A", amount, Kind.INSURANCE_FUND, written=BUDGETED)
        return amount

    return world.call(call, pool_insurance_drawn(world), names=("A",))


def insurance_drawn(world: Books) -> StandIn:
    """The insurance fund is drawn on for several markets."""

    def result(ctx: Any, pool: Any, parts: list[tuple[str, Any]], credit: str) -> Any:
        claim_draw(world, ctx, pool, credit, Kind.INSURANCE_FUND)
        for market, part in parts:
            claim_budget(world, market)
            asked(world.path, part)
        for market in world.state.budgets:
            world.state.budgets.put(market, symbolic(world.path, Budget, world.fresh_name("budget")))
        for pool in world.state.pool_budgets:
            world.state.pool_budgets.put(pool, symbolic(world.path, Budget, world.fresh_name("budget")))
        return paid_from(world, credit, sum(part for _, part in parts), Kind.INSURANCE_FUND)

    return StandIn(waterfall.draw_insurance, "invariants.draw_insurance", lambda _: result)


@inductive(
    "charge_tear_ups", "Charging tear-ups keeps every invariant and reports no more than is asked for.", mark="done"
)
def charge_tear_ups(path: Any) -> Any:
    """Two of any number, also of one account, whatever their shares; ``waterfall.tear-up-shares-within-rooms`` sums."""
    world = holders(path, "A", "B", "C")
    names = world.one_of("torn up", "BC", "BB")
    torn = [waterfall.TearUp(name, path.atom(f"value {at}", 0)) for at, name in enumerate(names)]
    deficit = path.atom("deficit", 0)

    def call() -> Any:
        amount = waterfall.charge_tear_ups(world.moment(), "A", torn, deficit)
        borne(path, amount, deficit)
        return amount

    return world.call(call, STANDING, opaque(waterfall.cumulative_share, any_integer), names=("A", "B", "C"))


@inductive("haircut_gains", "A gains haircut keeps every invariant and takes no more than its share.", mark="done")
def haircut_gains(path: Any) -> Any:
    """Of either side, in an open market; in another nothing."""
    world = one_market(path, OPEN, OTHER)
    world.account("A")
    share = path.atom("share", 0)

    def call() -> Any:
        amount = waterfall.haircut_gains(world.moment(), "A", MARKET, share)
        borne(path, amount, share)
        path.claim("the account receives it", lambda: received(world, "A") == amount)
        return amount

    return world.call(call, names=("A",))


@inductive("seize_collateral_dust", "Seizing collateral dust keeps every invariant.", mark="done")
def seize_collateral_dust(path: Any) -> Any:
    """One of any number of assets."""
    world = holders(path, "A")
    pool = world.state.pools[POOL]
    return world.call(lambda: waterfall.seize_collateral_dust(world.moment(), pool, "A"), names=("A",))


@inductive("bear", "A layer keeps every invariant and bears no more than what remains of the deficit.", mark="done")
def bear(path: Any) -> Any:
    """Each layer, with and without markets that the deficit came from; torn up is one account of any number."""
    world = pool_of_funds(path)
    world.account("B")
    weights = world.one_of("markets", "some", "none")
    layer = world.one_of("layer", *Layer)
    deficit, before = path.atom("deficit", 0), path.atom("borne before", 0)
    given(path, before <= deficit, "range")
    losses = [(MARKET, path.atom("loss", 1, LOSS_MAX))] if weights == "some" else []
    torn = [waterfall.TearUp("B", path.atom("value", 0))]
    case = waterfall.Resolution("A", world.state.pools[POOL], deficit, losses, torn, {"before": before})

    def call() -> Any:
        amount = waterfall.bear(world.moment(), case, layer)
        borne(path, amount, deficit - before)
        return amount

    drawn = (fund_drawn(world), pool_insurance_drawn(world), insurance_drawn(world))
    shared = (tear_ups_charged(world), gains_taken(world), parts_made(path))
    return world.call(call, *drawn, *shared, names=("A", "B"))


def claim_torn(world: Books, defaulter: str, torn: list[Any]) -> None:
    """Claim that torn-up accounts are others of the defaulter's pool, and that what was torn up has a value."""
    path, state = world.path, world.state
    path.claim("the defaulter exists", lambda: defaulter in state.accounts)
    path.claim("others", lambda: all(part.account in state.accounts and part.account != defaulter for part in torn))
    pool = state.accounts[defaulter].pool
    path.claim("of its pool", lambda: all(state.accounts[part.account].pool == pool for part in torn))
    for part in torn:
        path.claim("of a value", lambda part=part: part.value >= 0)


def claim_weights(world: Books, pool: str, weights: list[tuple[str, Any]]) -> None:
    """Claim that a deficit came from markets of a pool, from each by a loss."""
    for market, loss in weights:
        known = world.state.markets.get(market)
        world.path.claim("a market of the pool", lambda known=known: known is not None and known.listing.pool == pool)
        world.path.claim("a loss", lambda loss=loss: 1 <= loss <= LOSS_MAX)


def tear_ups_charged(world: Books) -> StandIn:
    """Torn-up counterparties are charged."""

    def result(_: Any, defaulter: str, torn: Any, deficit: Any) -> Any:
        asked(world.path, deficit)
        claim_torn(world, defaulter, torn)
        world.named |= {defaulter, *(part.account for part in torn)}
        return up_to(world.path, "charged", deficit, "range of a share")

    return world.kept(waterfall.charge_tear_ups, "invariants.charge_tear_ups", result)


def gains_taken(world: Books) -> StandIn:
    """Gains of a market are taken."""

    def result(_: Any, defaulter: str, market: str, share: Any) -> Any:
        asked(world.path, share)
        claim_parties(world, market, defaulter)
        world.named.add(defaulter)
        return up_to(world.path, "taken", share, "range of a share")

    return world.kept(waterfall.haircut_gains, "invariants.haircut_gains", result)


def parts_made(path: Any) -> StandIn:
    """A deficit in parts, of which none is negative and which sum to no more than it; two of any number."""

    def result(deficit: Any, weights: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        asked(path, deficit)
        for _, weight in weights:
            path.claim("a weight", lambda weight=weight: weight >= 1)
        first = up_to(path, "part", deficit, "range of a part")
        second = up_to(path, "part", deficit - first, "range of a part")
        return [(weights[0][0], first), (weights[-1][0], second)] if weights else []

    grounds = "numerics.shares-telescope, numerics.shares-are-within-the-amount"
    return StandIn(waterfall.parts_by_market, grounds, lambda _: result)


@inductive(
    "close_at_mark", "Closing a position at mark keeps every invariant, however many counterparties.", mark="done"
)
def close_at_mark(path: Any) -> Any:
    """Up to two turns: the second begins where every later one does, with the lots left that are still held."""
    side = path.choice("A holds", LONG, SHORT, FLAT)
    side = next((kind for kind in (LONG, SHORT) if side == kind), FLAT)
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    phase = OPEN if side != FLAT else world.one_of("phase", OPEN, CLOSED)
    world.market(phase=phase, bare=True)
    world.account("A", **{MARKET: side})
    others = "BC"[: world.one_of("counterparties", 2, 1, 0)] if phase == OPEN else ""
    for account in others:
        world.account(account, **{MARKET: SHORT if side == LONG else LONG})

    def ranked(ctx: Any, defaulter: str, market: str, size: Any) -> list[str]:
        world.claim_moment(ctx)
        claim_parties(world, market, defaulter)
        path.claim("lots that it holds", lambda: size == world.state.positions[defaulter, market].size)
        return [*others]

    def call() -> list[Any]:
        torn = list(waterfall.close_at_mark(world.moment(), "A", MARKET))
        claim_torn(world, "A", torn)
        return torn

    counterparties = StandIn(waterfall.ranked_counterparties, "invariants.ranked_counterparties", lambda _: ranked)
    torn = world.call(call, counterparties, novated_in_turn(world, "A"), names=("A", *others))
    path.claim("accounts torn up are named", lambda: world.named <= {"A", *(part.account for part in torn)})
    return len(torn)


def novated_in_turn(world: Books, account: str) -> StandIn:
    """Lots are novated that reduce an account's position; of third accounts nothing changes."""

    def then(_: Any, buyer: str, seller: str, market: str, size: Any, __: Any) -> Known:
        held = world.state.positions[account, market].size
        left = held - size if account == seller else held + size
        rest = [Unknown(f"the {field} of {account}") for field in ("cost", "funding index", "haircut index")]
        known: Known = {
            ("positions", key): record
            for key, record in world.state.positions.items()
            if key[0] not in (buyer, seller) and not key[0].startswith("~")
        }
        return {**known, ("positions", (account, market)): Position(left, *rest)}

    return world.kept(
        trading.novate,
        "invariants.novate, invariants.novate-reducing",
        lambda _, *arguments: claim_novation(world, account, *arguments),
        then,
    )


@inductive(
    "ranked_counterparties",
    "Every ranked counterparty is another account that holds an open position, on the other side of the defaulter if "
    "that holds one; each stands once.",
    "FALL-6",
    mark="done",
)
def ranked_counterparties(path: Any) -> Any:
    """Two accounts of any number beside the defaulter: each is judged by itself."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.pool()
    world.market(bare=True)
    side = world.one_of("A holds", LONG, SHORT, FLAT)
    world.account("A", **{MARKET: side})
    for account in "BC":
        world.account(account, **{MARKET: world.one_of(f"{account} holds", LONG, SHORT, FLAT)})
    positions, exposed = world.state.positions, opaque(margin.position_exposure, any_exposure)
    with standing_in(path, STANDING, exposed, opaque(waterfall.rank_score, any_integer)):
        found = waterfall.ranked_counterparties(world.moment(), "A", MARKET, positions["A", MARKET].size)
    path.mark("done")
    path.claim("others", lambda: "A" not in found and len(set(found)) == len(found))
    for account in found:
        size = positions[account, MARKET].size
        path.claim("on the other side", lambda size=size: size < 0 if side == LONG else size > 0)
        path.claim("an account", lambda account=account: account in world.state.accounts)
    return len(found)


def any_exposure(path: Any, name: str) -> Any:
    """Any exposure."""
    return margin.Exposure(*(path.fresh(f"{name}.{field}") for field in margin.Exposure._fields))


COUNTERPARTIES = "BCDEFG"
"""Those that are made where the real functions run; in the lifted world any number are in the rest."""


@inductive("resolve_default", "Resolving a default keeps every invariant.")
def resolve_default(path: Any) -> Any:
    """Layers and closing keep them; what no layer bore is posted last and is not negative."""
    world = Books(path)
    world.feed(markets=(MARKET,))
    world.feed(COIN_FEED)
    world.pool(collateral=(COIN,), layers=world.one_of("layers", *LAYERS))
    world.market(phase=world.one_of("phase", OPEN, COLLECTING, PAYING), bare=True)
    world.loses_money = True
    world.account("A", **{MARKET: world.one_of("A holds", *HELD[world.phases[MARKET]])})
    others = world.one_of("counterparties", *range(len(COUNTERPARTIES) + 1)) if world.explicit else 1
    for account in COUNTERPARTIES[:others]:
        world.account(account)
    stand_ins = (ORDERED, weights_found(world), layer_borne(world), closed_at_mark(world), dust_seized(world))
    action = world.action(ev.ResolveDefault, account=world.one_of("account", "A", NOBODY))
    return world.keeps_invariants(action, *stand_ins).reason


def claim_case(world: Books, case: Any) -> None:
    """What the theorem requires of a default of which a layer bears a part."""
    asked(world.path, case.remaining)
    claim_pool(world, case.pool, case.account)
    claim_weights(world, case.pool.pool, case.weights)
    claim_torn(world, case.account, case.torn)


def layer_borne(world: Books) -> StandIn:
    """A layer bears what it can."""

    def result(_: Any, case: Any, __: Layer) -> Any:
        claim_case(world, case)
        world.named |= {case.account, *(part.account for part in case.torn)}
        return up_to(world.path, "borne", case.remaining, "range of a share")

    return world.kept(waterfall.bear, "invariants.bear", result)


def closed_at_mark(world: Books) -> StandIn:
    """A position is closed against one counterparty, standing for any number."""

    def result(_: Any, account: str, market: str) -> list[Any]:
        held = world.state.positions[account, market].size
        claim_parties(world, market, account)
        if held != 0:
            claim_open(world, market)
        world.named |= {account, "B"}
        return [waterfall.TearUp("B", world.path.fresh("value", 0))]

    return world.kept(waterfall.close_at_mark, "invariants.close_at_mark", result)


def dust_seized(world: Books) -> StandIn:
    """Dust is seized; what follows writes again."""

    def result(_: Any, pool: Any, account: str) -> None:
        claim_pool(world, pool, account)
        world.named.add(account)

    return world.kept(waterfall.seize_collateral_dust, "invariants.seize_collateral_dust", result, renewed=True)


# Settlement


@inductive("fix_settlement", "Fixing a settlement price keeps every invariant.")
def fix_settlement(path: Any) -> Any:
    """With open positions, and without, when the market closes at once."""
    world = one_market(path, OPEN, OTHER)
    return world.keeps_invariants(world.action(ev.FixSettlement, market=a_market(world)), index_accrued(world)).reason


@inductive(
    "draw_layers", "A draw on the fund layers keeps every invariant and pays no more than is missing.", mark="done"
)
def draw_layers(path: Any) -> Any:
    """Each order of the layers."""
    layers = path.choice("layers", *LAYERS)
    world = pool_of_funds(path, *next((order for order in LAYERS if layers == order), ()))
    missing, pool = path.atom("missing", 0), world.state.pools[POOL]

    def call() -> Any:
        amount = settlement.draw_layers(world.moment(), pool, MARKET, missing, "A")
        borne(path, amount, missing)
        claim_moved(world, "A", amount, *FUNDS, written=BUDGETED)
        return amount

    return world.call(call, fund_drawn(world), insurance_drawn(world), names=("A",))


def layers_drawn(world: Books) -> StandIn:
    """The fund layers are drawn on."""

    def result(ctx: Any, pool: Any, market: str, missing: Any, account: str) -> Any:
        claim_draw(world, ctx, pool, account, *FUNDS)
        claim_budget(world, market)
        asked(world.path, missing)
        for table in (world.state.budgets, world.state.pool_budgets):
            for key in table:
                table.put(key, symbolic(world.path, Budget, world.fresh_name("budget")))
        return paid_from(world, account, missing, *FUNDS)

    return StandIn(settlement.draw_layers, "invariants.draw_layers", lambda _: result)


@inductive(
    "uncollectable",
    "The uncollectable part of a loss is at least 0, at most the loss and at most the deficit.",
    "SETTLE-5",
    mark="done",
)
def uncollectable(path: Any) -> Any:
    """Whatever the deficit and the other losses."""
    loss, deficit, others = (path.atom(name, 0) for name in ("loss", "deficit", "others"))
    part = settlement.uncollectable(loss, deficit, loss + others)
    path.mark("done")
    borne(path, part, loss)
    path.claim("at most the deficit", lambda: part <= deficit)
    return part


def part_uncollectable(path: Any) -> StandIn:
    """Some part of a loss cannot be collected."""

    def result(loss: Any, deficit: Any, losses: Any) -> Any:
        path.claim("nothing is negative", lambda: loss >= 0 and deficit >= 0)
        path.claim("one of all losses", lambda: loss <= losses)
        part = up_to(path, "uncollectable", loss, "range of a part")
        given(path, part <= deficit, "range of a part")
        return part

    return StandIn(settlement.uncollectable, "invariants.uncollectable", lambda _: result)


@inductive(
    "open_losses",
    "Every open loss is at least 1 and at most 2^57, in a market of its pool where the account holds a position; a "
    "deficit without one came from the market that the account left last, if there is any.",
    "FALL-4",
    "SETTLE-5",
    mark="done",
)
def open_losses(path: Any) -> Any:
    """Of two positions: each is judged by itself. The market left last is one of the account's pool, if it is any."""
    world = Books(path)
    world.feed(markets=(MARKET, OTHER_MARKET))
    world.pool()
    for market in (MARKET, OTHER_MARKET):
        world.market(market, bare=True)
    held = {market: world.one_of(f"A holds in {market}", LONG, FLAT) for market in (MARKET, OTHER_MARKET)}
    world.account("A", **held)
    left = world.one_of("left last", "", MARKET)
    world.state.accounts.put("A", replace(world.state.accounts["A"], last_market=left))
    world.begin()
    with standing_in(path, opaque(margin.position_exposure, any_exposure)):
        losses = waterfall.open_losses(world.moment(), world.state.accounts["A"])
        weights = waterfall.market_weights(world.moment(), "A")
    path.mark("done")
    for found in (losses, weights):
        claim_weights(world, POOL, found)
        path.claim("each stands once", lambda found=found: len(dict(found)) == len(found))
    markets = world.state.accounts["A"].markets
    path.claim("markets that are held", lambda: {market for market, _ in losses} <= set(markets))
    return len(losses)


def losses_found(world: Books) -> StandIn:
    """Open losses of an account: in the market of the world, in another, in both, in none."""

    def result(ctx: Any, account: Any) -> list[tuple[str, Any]]:
        world.claim_moment(ctx)
        world.path.claim("the account as it is", lambda: same(account, world.state.accounts.get(account.account)))
        markets = world.one_of("losses in", (MARKET,), (OTHER_MARKET,), (OTHER_MARKET, MARKET), ())
        return [(market, world.path.fresh("loss", 1, LOSS_MAX)) for market in markets]

    return StandIn(waterfall.open_losses, "invariants.open_losses", lambda _: result)


def weights_found(world: Books) -> StandIn:
    """A deficit came from one market, standing for any number, or from none."""

    def result(ctx: Any, account: str) -> list[tuple[str, Any]]:
        world.claim_moment(ctx)
        world.path.claim("the account exists", lambda: account in world.state.accounts)
        known = [(market, world.path.fresh("loss", 1, LOSS_MAX)) for market in world.state.markets]
        return known if world.one_of("the deficit came from", "somewhere", "nowhere") == "somewhere" else []

    return StandIn(waterfall.market_weights, "invariants.open_losses", lambda _: result)


@inductive("settle_position", "Settling a position keeps every invariant.")
def settle_position(path: Any) -> Any:
    """A gain or a loss, long or short, with positions left and as the last, when claims are to be paid or none is."""
    world = Books(path)
    world.feed(markets=(OTHER_MARKET, MARKET))
    world.pool()
    phase = world.one_of("phase", *HELD)
    world.market(phase=phase)
    world.loses_money = True
    world.account("A", **{MARKET: world.one_of("A holds", *HELD[phase])})
    elsewhere(world)
    stand_ins = (ORDERED, losses_found(world), part_uncollectable(path), layers_drawn(world), claims_counted(world))
    action = ev.SettlePosition(an_account(world), a_market(world))
    return world.keeps_invariants(action, *stand_ins).reason


def claims_counted(world: Books) -> StandIn:
    """The real test whether all is settled, with the lemma that claims are not negative."""
    real = settlement.all_settled

    def call(ctx: Any, market: str) -> Any:
        lemma(world.path, "claims are not negative", lambda: world.state.settlements[market].claims >= 0)
        return real(ctx, market)

    return StandIn(real, "itself, with a lemma", lambda _: call)


@inductive("pay_claim", "Paying a claim keeps every invariant; the last one leaves nothing in the market.")
def pay_claim(path: Any) -> Any:
    """With claims left, and as the last."""
    world = Books(path)
    world.feed(markets=(OTHER_MARKET, MARKET))
    world.pool()
    phase = world.one_of("phase", *HELD)
    world.market(phase=phase)
    world.account("A", **{MARKET: world.one_of("A holds", *HELD[phase])})
    elsewhere(world)
    action = ev.PayClaim(an_account(world), a_market(world))
    return world.keeps_invariants(action, last_share(path)).reason


def last_share(path: Any) -> StandIn:
    """The real share, with the lemma that the last claim takes what is left."""
    real = settlement.cumulative_share

    def call(amount: Any, before: Any, after: Any, total: Any) -> Any:
        upper = amount * after // total
        if after == total:
            path.claim("the last claim takes what is left", lambda: upper == amount)
        return real(amount, before, after, total)

    return StandIn(real, "itself, with a lemma", lambda _: call)


# What worlds are


def claim_world(world: SoundWorld) -> None:
    """Suppose the invariants of which a world is free, and claim what is otherwise built in."""
    path = world.path
    for entry in INVARIANTS[::-1]:
        if world.is_free(entry.id.partition(" ")[0]):
            seen = view(path, world.state, entry.id)
            path.assume(lambda entry=entry, seen=seen: entry.holds(seen), "range (an invariant)")  # type: ignore[misc]
    path.mark("supposed")
    world.tie()
    for invariant, fact in world.owed:
        path.claim(f"by {invariant}", lambda fact=fact: fact[0] == fact[1] if isinstance(fact, tuple) else fact)


@inductive(
    "any-market-is-a-world",
    "Of every market that satisfies the invariants of its sums holds what worlds are built by: open interest, the sum "
    "of other shorts, other claims, the clearing balance and the figures of settlement are what the invariants fix.",
    mark="supposed",
)
def any_market_is_a_world(path: Any) -> Any:
    """A market in each phase, and an account that holds whatever may be held."""
    sums = ("INV-5", "INV-6", "INV-7", "INV-13", "INV-15", "INV-17")
    world = SoundWorld(path, free=sums)
    world.feed(markets=(MARKET,))
    world.pool()
    phase = world.one_of("phase", *HELD)
    world.market(phase=phase)
    world.account("A", **{MARKET: world.one_of("A holds", *HELD[phase])})
    claim_world(world)
    return phase


@inductive(
    "any-record-is-a-world",
    "Of balances, prices, indices and accrued TWAPs that satisfy the invariants holds what worlds are built by: each "
    "lies within the bounds that the invariants give it.",
    mark="supposed",
)
def any_record_is_a_world(path: Any) -> Any:
    """A pool with collateral, an account and an open market at any time before its expiry."""
    world = SoundWorld(path, free=("INV-1", "INV-2", "INV-3", "INV-4", "INV-9", "INV-14", "INV-16"))
    world.feed(COIN_FEED)
    world.feed(markets=(MARKET,))
    world.pool(collateral=(COIN,))
    world.market(time=world.one_of("moment", NEVER, BEFORE, INSIDE), bare=True)
    world.account("A", **{MARKET: world.one_of("A holds", FLAT, LONG, SHORT)})
    claim_world(world)
    return None


@inductive(
    "time-passes",
    "What holds of a settlement TWAP holds later; no other invariant reads the time.",
    "SETTLE-2",
    mark="later",
)
def time_passes(path: Any) -> Any:
    """So a state satisfies the invariants at the time of the next event. Others are shown no time: reading it fails.

    They are asked of a market in each phase and of an account that holds whatever may be held.
    """
    world = Books(path)
    world.feed(COIN_FEED)
    world.feed(markets=(MARKET,))
    world.pool(collateral=(COIN,))
    phase = world.one_of("phase", *HELD)
    world.market(phase=phase, time=world.one_of("moment", NEVER, BEFORE, INSIDE) if phase == OPEN else ANY_TIME)
    world.account("A", **{MARKET: world.one_of("A holds", *HELD[phase])})
    world.begin()
    later = path.atom("later", 0)
    given(path, later >= world.state.time, "range")
    world.state.time = later
    path.mark("later")
    for entry in INVARIANTS:
        seen = view(path, world.state, entry.id)
        if entry.id == "INV-14":
            path.claim(entry.id, lambda entry=entry, seen=seen: entry.holds(seen))  # type: ignore[misc]
        else:
            seen.time = Hidden()  # type: ignore[assignment]
            path.assume(lambda entry=entry, seen=seen: entry.holds(seen), "range (an invariant)")  # type: ignore[misc]
    return later


# The gap between claims and assets


GAP = ("LEDG-5", "INV-11")
PENALTY = "invariants.penalty, liquidation.closing-at-mark-moves-no-worth"


def deficit(worth: Any) -> Any:
    """What an account of this worth owes beyond all that it has."""
    return max(0, -worth)


def rise(before: Any, after: Any) -> Any:
    """By how much a deficit grows when worth changes."""
    return deficit(after) - deficit(before)


def worth_at_mark(state: State, account: str, market: str = MARKET) -> Any:
    """Worth of an account's position at mark, a claim whole."""
    position, of, price = state.positions[account, market], state.fundings[market], state.marks[market].price
    owed = funding.funding_owed(position, of.index) + funding.haircut_owed(position, of)
    return notional(position.size, price) - position.cost - owed


def cash_of(state: State, account: str) -> Any:
    """Settlement balance of an account."""
    return balance(state, user(CASH, POOL, account))


def collateral_of(state: State, account: str) -> Any:
    """Worth of an account's collateral at index."""
    terms = state.pools[POOL].collateral
    held = ((balance(state, user(entry.asset, POOL, account)), entry) for entry in terms)
    return sum(margin.index_value(amount, state.feeds[entry.feed].index, entry.unit) for amount, entry in held)


def worth_of(state: State, account: str) -> Any:
    """All that an account has less what it owes, read off its balances and positions, claims whole."""
    markets = state.accounts[account].markets
    positions = sum(worth_at_mark(state, account, market) for market in markets)
    return cash_of(state, account) + collateral_of(state, account) + positions


def deficits_grown(world: Books) -> dict[str, Any]:
    """By how much the deficit of each account has grown, where all is there to be read off."""
    before, after = world.start.state(), world.state
    return {
        name: rise(worth_of(before, name), worth_of(after, name)) for name in before.accounts if name in after.accounts
    }


@inductive(
    "gap-tests",
    "Whoever passes the test of a fill or of an outflow is not in default.",
    "MARG-10",
    "MARG-11",
    mark="passed",
)
def gap_tests(path: Any) -> Any:
    """Of any standing that ``margin.two-equities`` allows."""
    world = Books(path)
    world.pool()
    before, after = ordered_standing(path), ordered_standing(path)
    for lesser, greater in (
        (after.initial_equity, after.margin_equity), (after.margin_equity, after.net_liquidation_value),
        (after.maintenance, after.initial),
    ):  # fmt: skip
        given(path, lesser <= greater, "margin.two-equities")
    filled = margin.has_initial_margin(after) or margin.reduces_risk(before, after)
    paid = not filled and margin.outflow_allowed(after, world.state.pools[POOL])
    if filled or paid:
        path.mark("passed")
        path.claim("not in default", lambda: after.net_liquidation_value >= 0)
    return bool(filled), bool(paid)


@theorem(
    "gap-deficit",
    "A deficit grows by at most what its account's worth falls by, and falls by at most what that rises by.",
    *GAP,
)
def gap_deficit(path: Any) -> Any:
    """Of any worth and any change of it."""
    worth, change = path.atom("worth"), path.atom("change")
    grown, most, least = rise(worth, worth + change), max(0, -change), min(0, -change)
    path.claim("at most", lambda: grown <= most)
    path.claim("at least", lambda: grown >= least)
    return grown


class Fates:
    """Accounts whose worth may have fallen in a transition, and what those held that have passed a test since."""

    def __init__(self, world: Books) -> None:
        self.world = world
        self.fallen: set[str] = set()
        self.tested: dict[str, tuple[Any, ...]] = {}
        self.standings: dict[str, tuple[Any, tuple[Any, ...]]] = {}

    def standing(self, ctx: Any, account: str) -> Any:
        """Any standing, and what the account held when it was asked for."""
        self.world.claim_moment(ctx)
        made = any_standing(self.world.path, "standing")
        self.standings[account] = made, self._held(account)
        return made

    def untouched(self, ctx: Any) -> None:
        """Claim that nothing was written before, but by what keeps the invariants."""
        self.world.claim_moment(ctx)
        self.world.path.claim("nothing is written before", lambda: not self.world.start.changed(self.world.state))

    def fell(self, *accounts: str) -> None:
        """Their worth may have fallen; what was tested before does not count."""
        self.fallen |= set(accounts)
        for account in accounts:
            self.tested.pop(account, None)

    def passed(self, account: str) -> None:
        """It is tested now, with what it holds now."""
        self.tested[account] = self._held(account)

    def _held(self, account: str) -> tuple[Any, ...]:
        return tuple(self.world.state.balances.get(user(asset, POOL, account), 0) for asset in (CASH, COIN))

    def stand_ins(self) -> tuple[StandIn, ...]:
        """Fills, fees and the tests."""
        path = self.world.path

        def filled(ctx: Any, buyer: str, seller: str, *more: Any) -> Any:
            self.untouched(ctx)
            self.fell(buyer, seller)
            return claim_novation(self.world, "", buyer, seller, *more)

        def charged(ctx: Any, market: Any, taker: str, maker: str, value: Any) -> Any:
            self.untouched(ctx)
            self.fell(taker, maker)
            return claim_fees(self.world, market, taker, maker, value)

        def allowed(ctx: Any, account: str, after: Any) -> bool:
            self.world.claim_moment(ctx)
            made, held = self.standings.get(account, (None, ()))
            path.claim("the account's own standing", lambda: made is after)
            path.claim("as it is now", lambda: same(held, self._held(account)))
            answer = bool(any_bool(path, "may fill") == True)  # noqa: E712
            if answer:
                self.passed(account)
            return answer

        def outflow(ctx: Any, pool: Any, account: str) -> None:
            self.world.claim_moment(ctx)
            claim_pool(self.world, pool, account)
            self.passed(account)

        return (
            StandIn(trading.novate, "invariants.novate", lambda _: filled),
            StandIn(trading.charge_fees, "invariants.charge_fees", lambda _: charged),
            StandIn(margin.fill_allowed, "invariants.gap-tests", lambda _: allowed),
            StandIn(collateral.require_outflow, "invariants.gap-tests", lambda _: outflow),
            StandIn(margin.standing, OPAQUE, lambda _: self.standing),
        )

    def claim(self, receipt: ev.Receipt) -> None:
        """Of an accepted event: whoever's worth may have fallen is not in default, and no named loss has grown."""
        if receipt.reason is not None:
            return
        world = self.world
        if world.explicit:
            deficits = deficits_grown(world)
            world.path.claim("no deficit grows", lambda: all(grown <= 0 for grown in deficits.values()))
        else:
            self._judge(world.start.tables["balances"])
        grown = losses_grown(world.start, world.state)
        world.path.claim("no named loss grows", lambda: grown <= 0)

    def _judge(self, before: Any) -> None:
        """Claim that every account that pays, or whose worth has fallen elsewhere, was tested since."""
        world = self.world
        for key, amount in world.state.balances.items():
            if key[2] == Kind.USER.value and not same(amount, before.get(key)) and not amount >= before.get(key, 0):
                self.fallen.add(key[3])
        self.claim_tested()

    def claim_tested(self) -> None:
        """Claim that those whose worth may have fallen passed a test, and have paid nothing since."""
        path, fallen = self.world.path, sorted(self.fallen)
        path.claim(
            "nobody whose worth may have fallen is in default", lambda: all(name in self.tested for name in fallen)
        )
        path.claim("nor has paid since", lambda: all(same(self.tested[name], self._held(name)) for name in fallen))


@inductive("gap-outflows", "Deposits, withdrawals and transfers raise no deficit and no named loss.", *GAP)
def gap_outflows(path: Any) -> Any:
    """Whoever pays is not in default afterwards; whoever receives is worth more."""
    world = holders(path, "A", "B")
    kind = world.one_of("event", ev.Deposit, ev.Withdraw, ev.Transfer)
    more = {"target": "B"} if kind is ev.Transfer else {}
    fates = Fates(world)
    action = world.action(kind, account="A", asset=world.one_of("asset", CASH, COIN), **more)
    receipt = world.apply(action, *fates.stand_ins()[2:4])
    fates.claim(receipt)
    return receipt.reason


@inductive("gap-trade", "A trade raises no deficit and no named loss.", *GAP)
def gap_trade(path: Any) -> Any:
    """Both sides are tested after everything has been booked."""
    world = one_market(path, OPEN, bare=True)
    for account in "AB":
        world.account(account)
    fates, tests = Fates(world), (trading.reduces, trading.no_worse_than_mark, trading.within_band)
    checks = (trading.require_caps, trading.require_open_interest, trading.require_balance_limit)
    others = (*(opaque(test, any_bool) for test in tests), *map(passing, checks))
    action = world.action(ev.Trade, market=MARKET, buyer="A", seller="B")
    filling = [*fates.stand_ins()[:3], fates.stand_ins()[4]]
    receipt = world.apply(action, *filling, *others)
    fates.claim(receipt)
    return receipt.reason


@inductive(
    "penalty",
    "A penalty on a part of what an account holds is at least 0 and at most what the account is worth.",
    "LIQ-4",
    mark="done",
)
def penalty_within_worth(path: Any) -> Any:
    """Whatever the part and all that is held."""
    closed, other = path.atom("closed", 0), path.atom("other", 0)
    held, ratio, worth = closed + other, path.atom("ratio", 0, SCALE - 1), path.atom("worth")
    given(path, held >= 1, "range, for a position is held")
    paid = liquidation.penalty_for(closed, ratio, worth, held)
    path.mark("done")
    bound = max(0, margin.bounded(worth))
    path.claim("not negative", lambda: paid >= 0)
    path.claim("lemma: the part that stays", lambda: bound * other >= 0)
    path.claim("lemma: of all that is held", lambda: (bound - paid) * held >= 0)
    path.claim("at most the worth", lambda: paid <= max(0, worth))
    return paid


@inductive("gap-liquidate", "A liquidation raises no deficit and no named loss.", *GAP)
def gap_liquidate(path: Any) -> Any:
    """At mark a fill moves nobody's worth; the penalty is at most the account's worth; the liquidator is tested."""
    world = one_market(path, OPEN, bare=True)
    world.account("A", **{MARKET: world.one_of("A holds", LONG, SHORT)})
    world.account("B")
    fates = Fates(world)

    def paid(ctx: Any, market: Any, action: Any, value: Any, before: Any) -> dict[str, Any]:
        fates.untouched(ctx)
        claim_record(world, market)
        claim_parties(world, market.listing.market, action.account, action.liquidator)
        path.claim("on a part of what is held", lambda: 0 <= value <= before.notional)
        path.claim("something is held", lambda: before.notional >= 1)
        penalty = path.fresh("penalty", 0)
        given(path, penalty <= max(0, before.net_liquidation_value), "range of a penalty")
        path.claim("the account can pay it", lambda: before.net_liquidation_value - penalty >= 0)
        fates.fell(action.account, action.liquidator)
        fates.passed(action.account)
        return {"penalty": penalty}

    def able(_: Any, liquidator: str, __: Any) -> None:
        fates.passed(liquidator)

    stand_ins = (
        held_standing(world), closable(world), opaque(liquidation.may_act_for, any_bool),
        opaque(trading.reduces, any_bool),
        StandIn(liquidation.pay_penalty, PENALTY, lambda _: paid),
        StandIn(liquidation.require_able, "invariants.gap-tests", lambda _: able), fates.stand_ins()[0],
    )  # fmt: skip
    receipt = world.apply(world.action(ev.Liquidate, market=MARKET, account="A", liquidator="B"), *stand_ins)
    fates.claim(receipt)
    return receipt.reason


@inductive(
    "gap-convert",
    "A conversion raises the deficit of the account by at most what its discount gives up and an atom, no other "
    "deficit and no named loss.",
    *GAP,
)
def gap_convert(path: Any) -> Any:
    """Collateral counts at index, rounded down; the keeper is tested."""
    world = holders(path, "A", "B")
    fates, held = Fates(world), user(COIN, POOL, "A")
    amounts = (collateral.conversion_price, collateral.conversion_need, margin.collateral_price)
    stand_ins = (STANDING, fates.stand_ins()[3], *(opaque(function, any_integer) for function in amounts))
    receipt = world.apply(world.action(ev.Convert, account="A", keeper="B", asset=COIN), *stand_ins)
    if receipt.reason is None:
        terms, index = world.state.pools[POOL].collateral[0], world.state.feeds[COIN_FEED].index
        before, after = world.start.tables["balances"][held], world.state.balances[held]
        lost = margin.index_value(before, index, terms.unit) - margin.index_value(after, index, terms.unit)
        paid, worth = receipt.amounts["paid"], receipt.amounts["worth"]
        gains = {name: cash_of(world.state, name) - cash_of(world.start.state(), name) for name in "AB"}
        path.claim("the keeper pays the account", lambda: gains == {"A": paid, "B": -paid})
        path.claim("no more than is sold, and an atom", lambda: lost <= worth + 1)
        other = path.atom("all else that the account is worth")
        growth, most = rise(other + lost - paid, other), max(0, worth + 1 - paid)
        path.claim("at most the discount, and an atom", lambda: growth <= most)
        if world.explicit:
            deficits = deficits_grown(world)
            path.claim("the deficits", lambda: deficits["A"] <= most and deficits["B"] <= 0)
        else:
            fates.fallen.add("B")
            fates.claim_tested()
        path.claim("no named loss grows", lambda: losses_grown(world.start, world.state) <= 0)
    return receipt.reason


@inductive(
    "gap-resolve_default",
    "Resolving a default raises deficits and named losses together by at most the worth of the collateral that is "
    "seized, which is at most the pool's dust.",
    *GAP,
)
def gap_resolve_default(path: Any) -> Any:
    """The account's own deficit goes; others grow by gains haircuts at most, for tear-ups stay within what is free."""
    world, haircuts, found = holders(path, "A"), [], []
    record = replace(world.state.pools[POOL], layers=world.one_of("layers", *LAYERS))
    world.state.pools.put(POOL, record)
    world.state.accounts.put("A", replace(world.state.accounts["A"], markets=()))

    def standing(*_: Any) -> Any:
        found.append(ordered_standing(path))
        return found[-1]

    def bore(ctx: Any, case: Any, layer: Layer) -> Any:
        world.claim_moment(ctx)
        claim_case(world, case)
        amount = up_to(path, "borne", case.remaining, "range of a share")
        haircuts.extend([amount] if layer == Layer.GAINS_HAIRCUT else [])
        return amount

    stand_ins = (
        StandIn(margin.standing, ORDERED.grounds, lambda _: standing),
        StandIn(waterfall.bear, "invariants.bear, waterfall.deficit-is-borne-to-the-last-atom", lambda _: bore),
        weights_found(world),
    )
    receipt = world.apply(world.action(ev.ResolveDefault, account="A"), *stand_ins)
    if receipt.reason is None:
        grown = losses_grown(world.start, world.state)
        if world.explicit:
            seized, deficits = collateral_of(world.start.state(), "A"), sum(deficits_grown(world).values())
        else:
            seized, deficits = found[0].collateral, sum(haircuts) - deficit(found[0].net_liquidation_value)
        path.claim("deficits and losses", lambda: grown + deficits <= seized)
        path.claim("at most dust", lambda: seized <= record.dust)
    return receipt.reason


@inductive(
    "gap-settle_position",
    "Settling a position raises deficits and named losses together by at most the worth of collateral that remains in "
    "default, which is at most the pool's dust; the last position raises nothing more.",
    *GAP,
)
def gap_settle_position(path: Any) -> Any:
    """The account's worth grows by what it could not bear; what the funds do not pay of it is shortfall."""
    world, found = one_market(path, COLLECTING), []
    world.account("A", **{MARKET: world.one_of("A holds", LONG, SHORT)})

    def standing(*_: Any) -> Any:
        found.append(ordered_standing(path))
        return found[-1]

    stand_ins = (
        StandIn(margin.standing, ORDERED.grounds, lambda _: standing), layers_drawn(world),
        part_uncollectable(path), losses_found(world),
    )  # fmt: skip
    receipt = world.apply(ev.SettlePosition("A", MARKET), *stand_ins)
    if receipt.reason is None:
        amounts, before = receipt.amounts, world.start.state()
        worth = worth_of(before, "A") if world.explicit else found[0].net_liquidation_value
        missing = amounts["loss"] - amounts["collected"] + amounts["funds"] if "loss" in amounts else 0
        dust, grown = world.state.pools[POOL].dust, losses_grown(world.start, world.state)
        growth = missing + rise(worth, worth + missing)
        own = [cash_of(state, "A") + worth_at_mark(state, "A") for state in (before, world.state)]
        path.claim("its worth grows by what it could not bear", lambda: own[1] - own[0] == missing)
        path.claim("losses", lambda: grown <= missing)
        path.claim("deficits and losses", lambda: growth <= dust)
    return receipt.reason


@inductive(
    "gap-pay_claim", "What a claim is not paid leaves the named losses: deficits and losses together do not grow.", *GAP
)
def gap_pay_claim(path: Any) -> Any:
    """The account's worth, in which the claim stood whole, falls by as much."""
    world = one_market(path, PAYING)
    world.account("A", **{MARKET: CLAIM})
    receipt = world.apply(ev.PayClaim("A", MARKET), last_share(path))
    if receipt.reason is None:
        unpaid, worth = receipt.amounts["claim"] - receipt.amounts["paid"], path.atom("worth")
        grown = losses_grown(world.start, world.state)
        path.claim("the loss is named before", lambda: grown == -unpaid)
        path.claim("not negative", lambda: unpaid >= 0)
        growth = grown + rise(worth, worth - unpaid)
        own = [cash_of(state, "A") + worth_at_mark(state, "A") for state in (world.start.state(), world.state)]
        path.claim("its worth falls by as much", lambda: own[1] - own[0] == -unpaid)
        path.claim("deficits and losses", lambda: growth <= 0)
    return receipt.reason


def moved_market(path: Any, *phases: str) -> Books:
    """A market and an account that holds a position in it."""
    world = one_market(path, *phases)
    world.account("A", **{MARKET: world.one_of("A holds", LONG, SHORT, FLAT)})
    return world


def claim_lots_moved(world: Books, per_lot: Any) -> None:
    """An account's worth moves by its lots, its deficit by no more, and both sides' lots are open interest."""
    path = world.path
    before, after = worth_at_mark(world.start.state(), "A"), worth_at_mark(world.state, "A")
    size = world.state.positions["A", MARKET].size
    path.claim("its worth moves by its lots", lambda: after - before == size * per_lot)
    sizes, interest = [position.size for position in world.held(MARKET)], world.state.open_interest[MARKET]
    path.claim("long lots", lambda: sum(size for size in sizes if size >= 0) == interest)
    path.claim("short lots", lambda: -sum(size for size in sizes if size < 0) == interest)
    path.claim("no named loss grows", lambda: losses_grown(world.start, world.state) <= 0)


@inductive(
    "gap-price",
    "When a mark moves, deficits grow together by at most open interest times the move, and no named loss grows.",
    *GAP,
    mark="moved",
)
def gap_price(path: Any) -> Any:
    """An account of either side; all lots of the losing side are open interest."""
    world = moved_market(path, OPEN)
    moved, before = moved_feed(world), world.state.marks[MARKET].price
    accrued = index_found(world)
    world.begin()
    with standing_in(path, accrued, mark_made(path), opaque(oracle.faded_basis, any_integer)):
        oracle.refresh_mark(world.moment(), MARKET, moved)
    path.mark("moved")
    claim_lots_moved(world, world.state.marks[MARKET].price - before)
    return before


@inductive(
    "gap-accrue_funding",
    "When funding accrues, deficits grow together by at most open interest times the step of the index, and no named "
    "loss grows.",
    *GAP,
)
def gap_accrue_funding(path: Any) -> Any:
    """Longs pay a rise, shorts a fall."""
    world = moved_market(path, OPEN)
    before = world.state.fundings[MARKET].index
    stand_ins = (opaque(funding.aggregated, any_integer), opaque(funding.funding_rate, any_integer))
    receipt = world.apply(ev.AccrueFunding(MARKET), *stand_ins)
    if receipt.reason is None:
        claim_lots_moved(world, before - world.state.fundings[MARKET].index)
    return receipt.reason


@inductive(
    "gap-fix_settlement",
    "When a settlement price is fixed, deficits grow together by at most open interest times the distance from the "
    "mark "
    "to it, and no named loss grows.",
    *GAP,
)
def gap_fix_settlement(path: Any) -> Any:
    """The mark becomes the settlement price."""
    world = moved_market(path, OPEN)
    before = world.state.marks[MARKET].price
    accrued = index_found(world)
    receipt = world.apply(ev.FixSettlement(MARKET), accrued)
    if receipt.reason is None:
        claim_lots_moved(world, world.state.marks[MARKET].price - before)
    return receipt.reason


@inductive(
    "gap-collateral-price",
    "When the index of a collateral asset falls, an account's deficit grows by at most its holding times the fall over "
    "the unit, rounded up; when it rises, not at all.",
    "MARG-7",
    *GAP,
    mark="moved",
)
def gap_collateral_price(path: Any) -> Any:
    """Any holding and unit; all holdings together are at most custody."""
    amount, unit = path.atom("amount", 0), path.atom("unit", 1, AMOUNT_MAX)
    before, after = path.atom("index before", 0, PRICE_MAX), path.atom("index after", 0, PRICE_MAX)
    other, fall = path.atom("all else that the account is worth"), max(0, before - after)
    lost = margin.index_value(amount, before, unit) - margin.index_value(amount, after, unit)
    most = div_ceil(amount * fall, unit)
    path.mark("moved")
    path.claim("what is lost", lambda: lost <= most)
    growth = rise(other + lost, other)
    path.claim("its deficit", lambda: growth <= most)
    return lost


def fees_conserved() -> StandIn:
    """The real ``mul_floor``, with two lemmas about the fees that it splits."""

    def of(path: Any) -> Any:
        real = trading.mul_floor

        def split(amount: Any, ratio: Any) -> Any:
            path.claim("fees are not negative", lambda: amount >= 0)
            share = real(amount, ratio)
            path.claim("the insured share is a part of them", lambda: 0 <= share <= amount)
            return share

        return split

    return StandIn(trading.mul_floor, "itself, with lemmas", of)
