"""Accepted events: what each required, by whom and when, and what it wrote; so what it does not name it cannot do.

Other chapters say what an event is good for. These say that it was somebody's right and its time had come, that it
wrote what its rule says and nothing else. Kernels are opaque: what they give is said elsewhere (``exact``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clearspec import (
    collateral,
    liquidation,
    listing,
    margin,
    oracle,
    sandbox,
    settlement,
    trading,
    waterfall,
)
from clearspec import events as ev
from clearspec.ledger import Kind, clearing, house, user
from clearspec.numerics import BALANCE_MAX, SAMPLES_MAX, TIME_MAX, mul_ceil, notional
from clearspec.parameters import Layer, MarketKind, MarketListing, MarketParameters
from clearspec.state import Budget, Funding, Mark, Market, MarketStatus, Post, Settlement
from clearspec_proofs import desk as desk_module
from clearspec_proofs import trading as trading_proofs
from clearspec_proofs.collateral import one_of
from clearspec_proofs.desk import Desk
from clearspec_proofs.enabled import follow
from clearspec_proofs.events import INSIDE, new_parameters
from clearspec_proofs.stand_ins import (
    CUT_SHORT,
    FILLED_TO_FLAT,
    NOTHING_FOUND,
    OPAQUE,
    Function,
    StandIn,
    any_bool,
    any_integer,
    any_standing,
    at_least_zero,
    cut_short,
    opaque,
    passing,
    standing_in,
    standing_in_range,
)
from clearspec_proofs.standings import remembered
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, COIN, FEED, MARKET, POOL, World, same, symbolic

NOBODY, NOWHERE, STRANGER, OTHER_MARKET = "nobody", "Z", "C", "N"
CLOSING = (MarketStatus.SETTLING, MarketStatus.CLOSED)


def accepts(name: str, sentence: str, *rules: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """A theorem about an accepted event, from every state."""
    return theorem(name, sentence, *rules, strength=Strength.ONE_STEP, marks=("accepted",))


def houses(path: Any, source: str = "actor") -> World:
    """A feed, a pool that takes a collateral asset with two accounts, and one that takes none with one account."""
    world = World(path)
    world.feed(markets=(MARKET,), sources=(source,))
    world.feed(f"{COIN}-feed")
    world.pool(collateral=(COIN,))
    world.pool("Q")
    for account, pool in (("A", POOL), ("B", POOL), (STRANGER, "Q")):
        world.account(account, pool)
    return world


def trading_houses(path: Any, source: str = "actor") -> World:
    """The same with a market, in any phase; on plain numbers with an example of parameters inside the envelope."""
    world = houses(path, source)
    world.market()
    if not path.stand_ins:
        example(world, MARKET)
        feed = world.state.feeds[FEED]
        world.state.feeds.put(FEED, replace(feed, parameters=replace(sandbox.FEED, feed=FEED, sources=(source,))))
    return world


def example(world: World, market: str) -> None:
    """Give a market parameters of the sandbox."""
    record = world.state.markets[market]
    terms, before = replace(record.listing, parameters=sandbox.MARKET), replace(sandbox.MARKET, settlement_window=1)
    world.state.markets.put(market, replace(record, listing=terms, before=before, ramp_start=0))


class Accepted:
    """An event that was accepted: the state before, the state now, and what is claimed of them."""

    def __init__(self, world: World, receipt: ev.Receipt) -> None:
        self.world, self.path, self.receipt = world, world.path, receipt
        self.before, self.now = world.before.state(), world.state
        self.before.administrators, self.before.venues = self.now.administrators, self.now.venues
        self.path.mark("accepted")

    def claim(self, name: str, statement: Callable[[], object]) -> None:
        """Claim something."""
        self.path.claim(name, statement)

    def by_administrator(self) -> None:
        """Claim that an administrator acted."""
        self.claim("an administrator acts", lambda: "actor" in self.before.administrators)

    def by_venue(self) -> None:
        """Claim that a venue acted."""
        self.claim("a venue acts", lambda: "actor" in self.before.venues)

    def by_owner(self, account: str) -> None:
        """Claim that the account exists, and that its owner acted."""
        self.claim("the account exists", lambda: account in self.before.accounts)
        self.claim("its owner acts", lambda: self.before.accounts[account].owner == "actor")

    def parties(self, *accounts: str) -> None:
        """Claim that these accounts exist, differ and are of the pool."""
        self.claim("the accounts exist", lambda: all(account in self.before.accounts for account in accounts))
        self.claim("they differ", lambda: len(set(accounts)) == len(accounts))
        self.claim("of one pool", lambda: {self.before.accounts[account].pool for account in accounts} == {POOL})

    def known_market(self, market: str) -> Market:
        """Claim that the market exists; the record of before."""
        self.claim("the market exists", lambda: market in self.before.markets)
        return self.before.markets[market]

    def status(self, *allowed: MarketStatus) -> None:
        """Claim that the market was in one of these phases."""
        self.claim("its status", lambda: self.before.markets[MARKET].status in allowed)

    def not_settling(self) -> None:
        """Claim that the market was neither settling nor closed."""
        self.claim("its status", lambda: self.before.markets[MARKET].status not in CLOSING)

    def fresh(self) -> None:
        """Claim that the market had a mark that was fresh."""
        mark = self.before.marks[MARKET]
        self.claim("it has a mark", lambda: mark.price >= 1)
        self.claim("that is fresh", lambda: self.now.time <= mark.fresh_until)

    @property
    def ctx(self) -> ev.Context:
        """A transition at the event's time that runs on the state of before."""
        return ev.Context(self.before, self.now.time, "actor")

    def asked(self, function: Function) -> list[tuple[Any, Any]]:
        """What a noted stand-in was asked, and its answers; nothing where the real function ran."""
        found: list[tuple[Any, Any]] = self.path.__dict__.get("asked", {}).get(function.__name__, [])
        return found

    def standing(self, account: str) -> Any:
        """The standing of an account when the event came."""
        self.before.commit()
        with standing_in(self.path, STANDING):
            return margin.standing(self.ctx, account)

    def average(self, feed: Any) -> Any:
        """The index of the market, or its average in a settlement window; noted in the state of before."""
        with standing_in(self.path, TWAP):
            return oracle.accrued_index(self.ctx, MARKET, feed)

    def marked(self, feed: Any, basis_sum: Any) -> None:
        """Claim that the mark has followed a feed, from a smoothed basis."""
        index, listed, mark = self.average(feed), self.before.markets[MARKET].listing, self.now.marks[MARKET]
        with standing_in(self.path, *MARKED):
            faded = oracle.faded_basis(basis_sum, listed, self.now.time)
            price = oracle.mark_price(index, faded, listed.parameters.mark, feed.parameters.max_price)
        self.claim("the mark", lambda: mark.price == price)
        self.claim("is fresh until", lambda: mark.fresh_until == feed.index_time + feed.parameters.max_age)
        self.kept("what has accrued", self.before.settlements[MARKET], self.now.settlements[MARKET])

    def moved(self, amount: Any, origin: Any, target: Any) -> None:
        """Claim that an amount went from one ledger account to another."""
        before, now = self.before.balances, self.now.balances
        self.claim("it is debited", lambda: now[origin] == before[origin] - amount)
        self.claim("it is credited", lambda: now[target] == before[target] + amount)

    def wrote(self, *expected: tuple[str, Any]) -> None:
        """Claim that nothing but these records has changed."""
        changed = set(self.world.before.changed(self.now))
        self.claim("nothing else is written", lambda: changed <= set(expected))

    def kept(self, name: str, before: Any, now: Any) -> None:
        """Claim that a record is as it was, or as is said of it."""
        self.claim(name, lambda: same(before, now))

    def reports(self, **amounts: Any) -> None:
        """Claim that the receipt has these amounts and no others."""
        self.claim("what is reported", lambda: set(self.receipt.amounts) == set(amounts))
        for name, amount in amounts.items():
            self.claim(f"{name} in the receipt", lambda name=name, amount=amount: self.receipt.amounts[name] == amount)


def accepted(world: World, action: Any, *stand_ins: StandIn) -> Accepted | None:
    """An event in its turn; ``None`` if it is rejected."""
    receipt = follow(world, action, *stand_ins)
    return Accepted(world, receipt) if receipt.reason is None else None


def noted(stand_in: StandIn) -> StandIn:
    """The same; ``Accepted.asked`` says what it was asked, transitions aside, and what it answered."""
    name = stand_in.function.__name__

    def of(path: Any) -> Function:
        inner, known = stand_in.of(path), path.__dict__.setdefault("asked", {}).setdefault(name, [])

        def call(ctx: Any, *arguments: Any) -> Any:
            known.append((arguments, inner(ctx, *arguments)))
            return known[-1][1]

        return call

    return StandIn(stand_in.function, stand_in.grounds, of)


def asked_of(function: Function, grounds: str, result: Callable[..., Any]) -> StandIn:
    """A function of equal results for equal arguments, whichever transition asks."""
    inner = remembered(function, grounds, result)
    return StandIn(function, grounds, lambda path: lambda _, *rest: inner.of(path)(*rest))


def fresh_of(function: Function) -> Callable[..., Any]:
    """Any integer."""
    return lambda path, *_: path.fresh(function.__name__)


def any_step(path: Any, feed: Any, *_: Any) -> Any:
    """A feed after any step."""
    times = {name: path.fresh(name) for name in ("index_time", "anchor_time")}
    return replace(feed, index=path.fresh("index", 1), anchor=path.fresh("anchor"), **times)


STANDING = asked_of(margin.standing, OPAQUE, lambda path, *_: standing_in_range(path, "standing"))
TWAP = asked_of(oracle.accrued_index, CUT_SHORT, fresh_of(oracle.accrued_index))
MARKED = tuple(remembered(kernel, OPAQUE, fresh_of(kernel)) for kernel in (oracle.mark_price, oracle.faded_basis))
WHAT_FOLLOWS = tuple((table, MARKET) for table in ("marks", "settlements", "fundings"))
ADMITTED = StandIn(listing.new_listing_violations, NOTHING_FOUND, lambda _: lambda *__: [])
OUTFLOW = passing(collateral.require_outflow)
ASSETS = (CASH, COIN, "GOLD")


# Accounts


@accepts(
    "deposit",
    "A deposit is the owner's, of an asset that the pool accepts; custody takes its amount and the account gets it.",
    "COLL-2",
    "COLL-3",
)
def deposit(path: Any) -> Any:
    """To a known account or none."""
    world = houses(path)
    account, asset = one_of(path, "account", ("A", NOBODY)), one_of(path, "asset", ASSETS)
    action = world.action(ev.Deposit, account=account, asset=asset)
    done = accepted(world, action)
    if done is None:
        return None
    done.by_owner(action.account)
    done.claim("an asset of the pool", lambda: action.asset in (CASH, COIN))
    custody, mine = house(action.asset, POOL, Kind.CUSTODY), user(action.asset, POOL, "A")
    done.moved(action.amount, custody, mine)
    done.claim("in range", lambda: done.now.balances[mine] <= BALANCE_MAX)
    done.wrote(("balances", custody), ("balances", mine))
    return action.amount


@accepts(
    "withdraw",
    "A withdrawal is the owner's, of an asset of the pool and of collateral no more than is held; the account pays its "
    "amount and custody lets it go.",
    "COLL-4",
    "COLL-5",
)
def withdraw(path: Any) -> Any:
    """What it must leave is ``collateral.withdrawal-leaves-initial-margin``."""
    world = houses(path)
    account, asset = one_of(path, "account", ("A", NOBODY)), one_of(path, "asset", ASSETS)
    action = world.action(ev.Withdraw, account=account, asset=asset)
    done = accepted(world, action, OUTFLOW)
    if done is None:
        return None
    done.by_owner(action.account)
    done.claim("an asset of the pool", lambda: action.asset in (CASH, COIN))
    custody, mine = house(action.asset, POOL, Kind.CUSTODY), user(action.asset, POOL, "A")
    done.claim("it is held", lambda: action.asset == CASH or done.before.balances[mine] >= action.amount)
    done.moved(action.amount, mine, custody)
    done.wrote(("balances", custody), ("balances", mine))
    return action.amount


@accepts(
    "transfer",
    "A transfer is the paying owner's, to another account, of an asset that both pools take; the one account pays its "
    "amount and the other gets it, and between pools the one custody lets it go that the other takes.",
    "COLL-7",
)
def transfer(path: Any) -> Any:
    """Within a pool and to another one."""
    world = houses(path)
    account, target = one_of(path, "account", ("A", NOBODY)), one_of(path, "target", ("A", "B", STRANGER, NOBODY))
    action = world.action(ev.Transfer, account=account, target=target, asset=one_of(path, "asset", ASSETS))
    done = accepted(world, action, OUTFLOW)
    if done is None:
        return None
    done.by_owner(action.account)
    done.claim("to another that exists", lambda: target in ("B", STRANGER))
    done.claim("an asset of both pools", lambda: action.asset == CASH or (action.asset, target) == (COIN, "B"))
    pool = done.before.accounts[target].pool
    mine, theirs = user(action.asset, POOL, "A"), user(action.asset, pool, target)
    done.claim("it is held", lambda: action.asset == CASH or done.before.balances[mine] >= action.amount)
    done.moved(action.amount, mine, theirs)
    done.claim("in range", lambda: done.now.balances[theirs] <= BALANCE_MAX)
    custodies = [house(action.asset, name, Kind.CUSTODY) for name in (pool, POOL)]
    if pool != POOL:
        done.moved(action.amount, *custodies)
    between = [("balances", key) for key in custodies] if pool != POOL else []
    done.wrote(("balances", mine), ("balances", theirs), *between)
    return action.amount


@accepts(
    "convert",
    "A conversion is the keeper's owner's, of collateral that has a price and that another account of the pool holds; "
    "the keeper pays the conversion price and gets the collateral; the receipt says both, what it costs and its worth.",
    "COLL-8",
)
def convert(path: Any) -> Any:
    """How much may be converted is ``collateral.conversion-only-where-needed``."""
    world = houses(path)
    accounts = one_of(path, "parties", (("A", "B"), ("A", "A"), ("A", STRANGER), ("A", NOBODY), (NOBODY, "B")))
    action = world.action(ev.Convert, account=accounts[0], keeper=accounts[1], asset=one_of(path, "asset", ASSETS))
    parts = (
        remembered(collateral.conversion_price, OPAQUE, lambda path, *_: path.fresh("price paid")),
        remembered(margin.index_value, OPAQUE, lambda path, *_: path.fresh("worth")),
        opaque(margin.collateral_price, any_integer), opaque(margin.standing, standing_in_range),
        opaque(collateral.conversion_need, any_integer),
    )  # fmt: skip
    done = accepted(world, action, *parts, OUTFLOW)
    if done is None:
        return None
    done.parties(*accounts)
    done.by_owner(accounts[1])
    done.claim("of collateral", lambda: action.asset == COIN)
    done.claim("that has a price", lambda: done.before.feeds[f"{COIN}-feed"].index >= 1)
    keys = {(asset, name): user(asset, POOL, name) for asset in (CASH, COIN) for name in "AB"}
    done.claim("it is held", lambda: done.before.balances[keys[COIN, "A"]] >= action.amount)
    terms, index = done.before.pools[POOL].collateral[0], done.before.feeds[f"{COIN}-feed"].index
    with standing_in(path, *parts):
        worth = margin.index_value(action.amount, index, terms.unit)
    done.reports(paid=done.receipt.amounts["paid"], worth=worth)
    done.moved(action.amount, keys[COIN, "A"], keys[COIN, "B"])
    done.moved(done.receipt.amounts["paid"], keys[CASH, "B"], keys[CASH, "A"])
    done.claim("in range", lambda: done.now.balances[keys[CASH, "A"]] <= BALANCE_MAX)
    done.wrote(*(("balances", key) for key in keys.values()))
    return action.amount


# Funds


@accepts(
    "contribute",
    "A contribution is anybody's, to a fund of a pool that exists; custody takes its amount and the fund gets it.",
    "COLL-9",
)
def contribute(path: Any) -> Any:
    """To either fund."""
    world = houses(path)
    pool, fund = one_of(path, "pool", (POOL, NOWHERE)), one_of(path, "fund", tuple(ev.Fund))
    action = world.action(ev.Contribute, pool=pool, fund=fund)
    done = accepted(world, action)
    if done is None:
        return None
    done.claim("the pool exists", lambda: pool == POOL)
    custody, kept = house(CASH, POOL, Kind.CUSTODY), house(CASH, POOL, Kind(fund.value))
    done.moved(action.amount, custody, kept)
    done.wrote(("balances", custody), ("balances", kept))
    return action.amount


ORIGINS = {
    ev.Cover.OUTSIDE: Kind.CUSTODY, ev.Cover.INSURANCE_FUND: Kind.INSURANCE_FUND,
    ev.Cover.SKIN_IN_THE_GAME: Kind.SKIN_IN_THE_GAME, ev.Cover.FEE_TREASURY: Kind.FEE_TREASURY,
}  # fmt: skip


@accepts(
    "cover_loss",
    "A cover of a loss is an administrator's, of no more than the loss, out of what it names: money from outside, or a "
    "fund that holds it; the receipt says what loss is left.",
    "COLL-10",
)
def cover_loss(path: Any) -> Any:
    """From each origin."""
    world = houses(path)
    pool, origin = one_of(path, "pool", (POOL, NOWHERE)), one_of(path, "origin", tuple(ev.Cover))
    action = world.action(ev.CoverLoss, pool=pool, origin=origin)
    done = accepted(world, action)
    if done is None:
        return None
    done.by_administrator()
    done.claim("the pool exists", lambda: pool == POOL)
    source, loss = house(CASH, POOL, ORIGINS[origin]), house(CASH, POOL, Kind.UNCOVERED_LOSS)
    done.claim("no more than the loss", lambda: action.amount <= -done.before.balances[loss])
    outside = origin == ev.Cover.OUTSIDE
    done.claim("the fund holds it", lambda: outside or done.before.balances[source] >= action.amount)
    done.moved(action.amount, source, loss)
    done.reports(uncovered_loss=-done.now.balances[loss])
    done.wrote(("balances", source), ("balances", loss))
    return action.amount


@accepts(
    "collect_fees",
    "A collection of fees is an administrator's, of no more than the treasury holds; the treasury pays its amount and "
    "custody lets it go.",
    "COLL-10",
)
def collect_fees(path: Any) -> Any:
    """The gate, and what users own, are ``collateral.fees-leave-behind-the-gate``."""
    world = houses(path)
    pool = one_of(path, "pool", (POOL, NOWHERE))
    action = world.action(ev.CollectFees, pool=pool)
    done = accepted(world, action)
    if done is None:
        return None
    done.by_administrator()
    done.claim("the pool exists", lambda: pool == POOL)
    treasury, custody = house(CASH, POOL, Kind.FEE_TREASURY), house(CASH, POOL, Kind.CUSTODY)
    done.claim("the treasury holds it", lambda: done.before.balances[treasury] >= action.amount)
    done.moved(action.amount, treasury, custody)
    done.wrote(("balances", treasury), ("balances", custody))
    return action.amount


# Trading


PARTIES = (("A", "B"), ("A", "A"), ("A", STRANGER), (STRANGER, "B"), ("A", NOBODY), (NOBODY, "B"))


@accepts(
    "trade",
    "A trade is reported by a venue, between two accounts of the market's pool, in a market that is active or "
    "reduce-only, before its expiry, while its mark is fresh, at a price inside the band; in a reduce-only market both "
    "sides reduce. Caps, range, limit and margin are asked of either side as it stands afterwards, and the receipt has "
    "the fees of the fill's notional, rounded up.",
    "TRADE-4",
    "TRADE-5",
    "TRADE-6",
    "TRADE-8",
    "TRADE-9",
)
def trade(path: Any) -> Any:
    """What the tests ask for is chapter trading's."""
    world = trading_houses(path)
    held = one_of(path, "both hold", ("open", "flat"))
    for account in "AB":
        world.position(account, MARKET, held)
    buyer, seller = one_of(path, "parties", PARTIES)
    market = one_of(path, "market", (MARKET, NOWHERE))
    action = world.action(ev.Trade, market=market, buyer=buyer, seller=seller)
    tests = (
        opaque(margin.fill_allowed, any_bool), opaque(margin.standing, any_standing),
        opaque(trading.no_worse_than_mark, any_bool), *map(passing, trading_proofs.CAPS),
    )  # fmt: skip
    done = accepted(world, action, FILLED_TO_FLAT, *map(noted, tests))
    if done is None:
        return None
    done.by_venue()
    record = done.known_market(market)
    done.parties(buyer, seller)
    done.status(MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY)
    done.claim("before its expiry", lambda: record.listing.expiry == 0 or done.now.time < record.listing.expiry)
    done.fresh()
    band, mark = record.listing.parameters.trading.price_band, done.before.marks[MARKET].price
    done.claim("inside the band", lambda: trading.within_band(action.price, mark, band))
    lots = {account: [state.positions[account, MARKET].size for state in (done.before, done.now)] for account in "AB"}
    active = record.status == MarketStatus.ACTIVE
    done.claim("the buyer gets them", lambda: lots["A"][1] - lots["A"][0] == action.size)
    done.claim("the seller gives them", lambda: lots["B"][0] - lots["B"][1] == action.size)
    done.claim("both reduce, or it is active", lambda: active or all(trading.reduces(*lots[name]) for name in "AB"))
    value, limits = notional(action.size, action.price), record.listing.parameters.trading
    done.reports(taker_fee=mul_ceil(value, limits.taker_fee), maker_fee=mul_ceil(value, limits.maker_fee))
    if path.stand_ins:
        claim_tested(done, lots)
    return action.size


def claim_tested(done: Accepted, lots: dict[str, list[Any]]) -> None:
    """Claim that a fill passed every test of both sides, each asked of what the side has after it."""
    state, record = done.before, done.before.markets[MARKET]
    for name, (given, _) in zip("AB", done.asked(trading.require_caps), strict=True):
        expected = name, *lots[name], record
        done.claim("position caps", lambda given=given, expected=expected: same(given, expected))
    [(given, _)] = done.asked(trading.require_open_interest)
    limits = record.listing.parameters.trading
    done.claim("the cap of open interest", lambda: same(given, (record, state.open_interest[MARKET], limits)))
    held = done.asked(margin.standing)
    done.claim("standings of both", lambda: [account for (account,), _ in held] == ["A", "B"])
    tested = zip("AB", held, done.asked(trading.require_balance_limit), done.asked(margin.fill_allowed), strict=True)
    for name, (_, after), (limited, _), (allowed, answer) in tested:
        done.claim("in range", lambda after=after: -BALANCE_MAX <= after.cash <= BALANCE_MAX)
        done.claim("its limit", lambda n=name, a=after, given=limited: given[0] == n and same(given[1], a.cash))
        done.claim("its margin", lambda n=name, a=after, given=allowed: given[0] == n and same(given[1], a))
        done.claim("is enough", lambda answer=answer: answer == True)  # noqa: E712
        done.claim("exempt if it reduces", lambda n=name, given=limited: not given[2] or trading.reduces(*lots[n]))
    favours = zip(done.asked(trading.no_worse_than_mark), done.asked(trading.require_balance_limit), strict=True)
    for (_, favourable), (limited, _) in favours:
        done.claim("and at mark or better", lambda f=favourable, given=limited: not given[2] or f == True)  # noqa: E712


@accepts(
    "set_status",
    "A change of status is an administrator's, between active, reduce-only and halted; a delisted market does not "
    "become active again; the status changes and nothing else.",
    "TRADE-9",
)
def set_status(path: Any) -> Any:
    """Of any market."""
    world = trading_houses(path)
    action = world.action(ev.SetStatus, market=one_of(path, "market", (MARKET, NOWHERE)))
    done = accepted(world, action)
    if done is None:
        return None
    done.by_administrator()
    record = done.known_market(action.market)
    done.status(MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY, MarketStatus.HALTED)
    done.claim("to one of these", lambda: action.status not in CLOSING)
    done.claim("not again", lambda: not (record.delisted == True and action.status == MarketStatus.ACTIVE))  # noqa: E712
    done.kept("the status alone", replace(record, status=action.status), done.now.markets[MARKET])
    done.wrote(("markets", MARKET))
    return None


@accepts(
    "delist",
    "A delisting is an administrator's, of a market that is neither settling nor closed; its expiry is a settlement "
    "window after the notice and sooner than one that it has; it is reduce-only from then on, or stays halted.",
    "SETTLE-1",
)
def delist(path: Any) -> Any:
    """With an expiry or none."""
    world = trading_houses(path)
    action = world.action(ev.Delist, market=one_of(path, "market", (MARKET, NOWHERE)))
    done = accepted(world, action)
    if done is None:
        return None
    done.by_administrator()
    record = done.known_market(action.market)
    done.not_settling()
    now, window = done.now.markets[MARKET], record.listing.parameters.settlement_window
    expiry = done.now.time + action.notice + window
    done.claim("its expiry", lambda: now.listing.expiry == expiry)
    done.claim("is sooner", lambda: record.listing.expiry == 0 or expiry < record.listing.expiry)
    status = MarketStatus.HALTED if record.status == MarketStatus.HALTED else MarketStatus.REDUCE_ONLY
    done.claim("its status now", lambda: now.status == status)
    done.claim("it is delisted", lambda: now.delisted == True)  # noqa: E712
    done.kept("its terms", record.listing, replace(now.listing, expiry=record.listing.expiry))
    ramps = [(each.before, each.ramp_start, each.ramp_end) for each in (record, now)]
    done.kept("its ramp", *ramps)
    done.reports(expiry=expiry)
    done.wrote(("markets", MARKET))
    return None


# Liquidation and default


@accepts(
    "liquidate",
    "A liquidation is by the liquidator's owner, or anybody's for the pool's backstop account; of another account of "
    "the pool that has a position, is below maintenance and not in default, in a market that is neither settling nor "
    "closed, before its expiry, while its mark is fresh. The lots that the receipt says, no more than asked for, go at "
    "mark from the one to the other.",
    "LIQ-1",
    "LIQ-7",
)
def liquidate(path: Any) -> Any:
    """How many lots may close, and the penalty, are chapter liquidation's."""
    world = trading_houses(path)
    held = one_of(path, "both hold", ("open", "flat"))
    for account in "AB":
        world.position(account, MARKET, held)
    accounts, market = one_of(path, "parties", PARTIES), one_of(path, "market", (MARKET, NOWHERE))
    action = world.action(ev.Liquidate, market=market, account=accounts[0], liquidator=accounts[1])
    parts = (
        FILLED_TO_FLAT, STANDING, opaque(liquidation.closable_size, at_least_zero),
        noted(cut_short(liquidation.pay_penalty, lambda *_: {})), noted(passing(liquidation.require_able)),
    )  # fmt: skip
    done = accepted(world, action, *parts)
    if done is None:
        return None
    record = done.known_market(market)
    done.parties(*accounts)
    owner, backstop = done.before.accounts[accounts[1]].owner, done.before.pools[POOL].backstop
    done.claim("its owner acts, or it is the backstop", lambda: owner == "actor" or backstop == accounts[1])
    done.not_settling()
    done.claim("before its expiry", lambda: record.listing.expiry == 0 or done.now.time < record.listing.expiry)
    done.fresh()
    sizes = {account: [state.positions[account, MARKET].size for state in (done.before, done.now)] for account in "AB"}
    done.claim("it has a position", lambda: sizes["A"][0] != 0)
    held = done.standing("A")
    done.claim("below maintenance", lambda: margin.is_liquidatable(held))
    done.claim("not in default", lambda: held.net_liquidation_value >= 0)
    closed = done.receipt.amounts["closed"]
    taken = closed if sizes["A"][0] > 0 else -closed
    done.claim("the account gives them", lambda: sizes["A"][0] - sizes["A"][1] == taken)
    done.claim("the liquidator takes them", lambda: sizes["B"][1] - sizes["B"][0] == taken)
    done.claim("no more than asked", lambda: closed <= action.size)
    price = done.before.marks[MARKET].price
    done.claim("at mark", lambda: done.receipt.amounts["price"] == price)
    if path.stand_ins:
        [((able, reducing), _)], [(paid, _)] = done.asked(liquidation.require_able), done.asked(liquidation.pay_penalty)
        done.claim("the liquidator is able", lambda: able == accounts[1])
        done.claim("as one that reduces, or not", lambda: reducing == trading.reduces(*sizes["B"]))
        done.claim("a penalty for what is closed", lambda: paid[2] == notional(closed, price))
    return closed


@accepts(
    "require_able",
    "A liquidator is able that has a balance not below its limit, unless the fill reduced its position, and passes the "
    "margin test of a fill.",
    "LIQ-7",
    "TRADE-6",
    "TRADE-8",
)
def require_able(path: Any) -> Any:
    """Any standing; a fill at mark is never worse than mark."""
    world = houses(path)
    ctx, reducing = ev.Context(world.state, world.state.time), one_of(path, "reduces", (False, True))
    parts = STANDING, remembered(margin.fill_allowed, OPAQUE, lambda path, *_: any_bool(path, "may fill"))
    world.state.commit()
    with standing_in(path, *parts):
        try:
            liquidation.require_able(ctx, "B", reducing)
        except ev.Rejected as rejected:
            return rejected.reason
        after = margin.standing(ctx, "B")
        allowed = margin.fill_allowed(ctx, "B", after)
    path.mark("accepted")
    limit = world.state.pools[POOL].negative_balance_limit
    path.claim("its balance", lambda: reducing or after.cash >= -limit)
    path.claim("its margin", lambda: allowed == True)  # noqa: E712
    return None


@accepts(
    "resolve_default",
    "A default is resolved of an account that is worth less than nothing, whose collateral is worth no more than dust, "
    "and none of whose markets has reached its expiry or is settling.",
    "FALL-1",
)
def resolve_default(path: Any) -> Any:
    """By anybody; with positions in two markets. What layers bear is chapter waterfall's."""
    world = trading_houses(path)
    world.market(OTHER_MARKET)
    if not path.stand_ins:
        example(world, OTHER_MARKET)
    for market in (MARKET, OTHER_MARKET):
        world.position("A", market, "open")
    account = one_of(path, "account", ("A", NOBODY))
    parts = (
        STANDING, cut_short(waterfall.bear, lambda *_: 0), cut_short(waterfall.close_at_mark, lambda *_: iter(())),
        cut_short(waterfall.seize_collateral_dust), cut_short(waterfall.market_weights, lambda *_: []),
    )  # fmt: skip
    done = accepted(world, ev.ResolveDefault(account), *parts)
    if done is None:
        return None
    done.claim("the account exists", lambda: account == "A")
    held, pool = done.standing("A"), done.before.pools[POOL]
    done.claim("in default", lambda: held.net_liquidation_value < 0)
    done.claim("no collateral above dust", lambda: held.collateral <= pool.dust)
    for name in (MARKET, OTHER_MARKET):
        record = done.before.markets[name]
        done.claim("not settling", lambda record=record: record.status != MarketStatus.SETTLING)
        expiry = record.listing.expiry
        done.claim("before its expiry", lambda expiry=expiry: expiry == 0 or done.now.time < expiry)
    return None


@accepts(
    "seize_collateral_dust",
    "Of collateral dust the insurance fund gets what has a price, in kind and whole; the rest stays where it is.",
    "FALL-2",
)
def seize_collateral_dust(path: Any) -> Any:
    """Of one of any number of assets."""
    world = houses(path)
    state, mine, fund = world.state, user(COIN, POOL, "A"), house(COIN, POOL, Kind.INSURANCE_FUND)
    held, owned = state.balances[mine], state.balances[fund]
    waterfall.seize_collateral_dust(ev.Context(state, state.time), state.pools[POOL], "A")
    path.mark("accepted")
    priced = state.feeds[f"{COIN}-feed"].index >= 1
    path.claim("the account", lambda: state.balances[mine] == (0 if priced else held))
    path.claim("the fund", lambda: state.balances[fund] == owned + (held if priced else 0))
    return None


FUNDS = {Layer.INSURANCE_FUND: Kind.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME: Kind.SKIN_IN_THE_GAME}


@accepts(
    "layers",
    "A layer that is a fund pays out of that fund and no other, in a default and in settlement; the insurance fund "
    "pays no more than the pool's cap has left.",
    "FALL-3",
    "FALL-5",
    "SETTLE-5",
)
def layers(path: Any) -> Any:
    """Of a default that no market caused, and of a loss in settlement, which the market's cap bounds too."""
    desk, layer = Desk(path, "D"), one_of(path, "layer", tuple(FUNDS))
    state, amount, market = desk.state, path.atom("amount", 0, BALANCE_MAX), desk_module.MARKET
    settling = one_of(path, "in settlement", (False, True))
    pool = replace(state.pools[desk_module.POOL], layers=(layer,), insurance_cap=path.atom("cap", 0, BALANCE_MAX))
    state.pools.put(pool.pool, pool)
    spent = path.atom("spent", 0, BALANCE_MAX)
    state.pool_budgets.put(pool.pool, Budget(state.time, spent, 0))
    funds = {kind: house(CASH, pool.pool, kind) for kind in FUNDS.values()}
    before = {kind: state.balances[key] for kind, key in funds.items()}
    if settling:
        paid = settlement.draw_layers(desk.ctx, pool, market, amount, "D")
    else:
        paid = waterfall.bear(desk.ctx, waterfall.Resolution("D", pool, amount, [], [], {}), layer)
    path.mark("accepted")
    for kind, key in funds.items():
        taken = paid if kind == FUNDS[layer] else 0
        path.claim(f"out of {kind.value}", lambda k=kind, key=key, t=taken: before[k] - state.balances[key] == t)
    left = max(0, pool.insurance_cap - spent)
    path.claim("within the cap", lambda: layer == Layer.SKIN_IN_THE_GAME or paid <= left)
    return paid


# Settlement


@accepts(
    "fix_settlement",
    "A settlement price is fixed by anybody, of a market with an expiry that has come, neither settling nor closed, "
    "whose feed ever had a price: the average over the window, at least 1. It is the mark for good; the market is "
    "settling, or closed if no lots are open.",
    "SETTLE-3",
)
def fix_settlement(path: Any) -> Any:
    """What the average is, chapter oracle says."""
    world = trading_houses(path)
    market = one_of(path, "market", (MARKET, NOWHERE))
    done = accepted(world, ev.FixSettlement(market), TWAP)
    if done is None:
        return None
    record = done.known_market(market)
    done.not_settling()
    done.claim("it expires", lambda: record.listing.expiry >= 1)
    done.claim("its expiry has come", lambda: record.listing.expiry <= done.now.time)
    done.claim("there is an index", lambda: done.before.feeds[FEED].index >= 1)
    average = done.average(done.before.feeds[FEED])
    price = average if average >= 1 else 1
    done.reports(settlement_price=price)
    mark = replace(done.before.marks[MARKET], price=done.now.marks[MARKET].price, fresh_until=TIME_MAX)
    done.claim("the mark", lambda: done.now.marks[MARKET].price == price)
    done.kept("what else the mark is", mark, done.now.marks[MARKET])
    done.claim("the price", lambda: done.now.settlements[MARKET].price == price)
    settled = replace(done.before.settlements[MARKET], price=done.now.settlements[MARKET].price)
    done.kept("what else the settlement is", settled, done.now.settlements[MARKET])
    open_lots = done.before.open_interest[MARKET] != 0
    status = MarketStatus.SETTLING if open_lots else MarketStatus.CLOSED
    done.kept("its status now", replace(record, status=status), done.now.markets[MARKET])
    followers = (MARKET,) if open_lots else ()
    done.claim("the feed", lambda: done.now.feeds[FEED].markets == followers)
    done.wrote(("markets", MARKET), ("marks", MARKET), ("settlements", MARKET), ("feeds", FEED))
    return None


@accepts(
    "settle_position",
    "A position is settled by anybody, in a settling market, of an account that is solvent or has no collateral above "
    "dust; its lots leave the market.",
    "SETTLE-4",
)
def settle_position(path: Any) -> Any:
    """What becomes of its worth is chapter settlement's."""
    world = trading_houses(path)
    world.position("A", MARKET, one_of(path, "A holds", ("open", "claim", "flat")))
    account, market = one_of(path, "account", ("A", NOBODY)), one_of(path, "market", (MARKET, NOWHERE))
    parts = (
        STANDING, cut_short(waterfall.open_losses, lambda *_: []), cut_short(settlement.collect_loss, lambda *_: {}),
        cut_short(settlement.finish_collection), opaque(settlement.uncollectable, any_integer),
    )  # fmt: skip
    done = accepted(world, ev.SettlePosition(account, market), *parts)
    if done is None:
        return None
    done.claim("the account exists", lambda: account == "A")
    done.known_market(market)
    done.status(MarketStatus.SETTLING)
    held, pool, size = done.standing("A"), done.before.pools[POOL], done.before.positions["A", MARKET].size
    done.claim("it has lots", lambda: size != 0)
    done.claim("solvent", lambda: held.net_liquidation_value >= 0 or held.collateral <= pool.dust)
    done.claim("no lots are left", lambda: done.now.positions["A", MARKET].size == 0)
    before, now, longs = done.before.settlements[MARKET], done.now.settlements[MARKET], size if size > 0 else 0
    done.claim("open interest", lambda: done.now.open_interest[MARKET] == done.before.open_interest[MARKET] - longs)
    done.claim("residual", lambda: now.residual == before.residual + size)
    return None


@accepts(
    "pay_claim",
    "A claim is paid at anybody's request, in a settling market in which every position is settled, to the account "
    "that has it.",
    "SETTLE-6",
)
def pay_claim(path: Any) -> Any:
    """How much is chapter settlement's."""
    world = trading_houses(path)
    world.position("A", MARKET, one_of(path, "A holds", ("open", "claim", "flat")))
    account, market = one_of(path, "account", ("A", NOBODY)), one_of(path, "market", (MARKET, NOWHERE))
    share = remembered(settlement.cumulative_share, OPAQUE, lambda path, *_: path.fresh("paid"))
    done = accepted(world, ev.PayClaim(account, market), share)
    if done is None:
        return None
    done.claim("the account exists", lambda: account == "A")
    done.known_market(market)
    done.status(MarketStatus.SETTLING)
    done.claim("everything is settled", lambda: done.before.settlements[MARKET].collected == True)  # noqa: E712
    claim, paid = -done.before.positions["A", MARKET].cost, done.receipt.amounts["paid"]
    done.claim("it has a claim", lambda: claim >= 1)
    done.moved(paid, clearing(CASH, POOL, MARKET), user(CASH, POOL, "A"))
    done.claim("nothing is left of it", lambda: done.now.positions["A", MARKET].cost == 0)
    done.reports(claim=claim, paid=paid)
    return None


# Prices


@accepts(
    "post_price",
    "A price is posted by a source of the feed and stands under its name, with its confidence, from now. With a quorum "
    "the index takes its step and the marks of the feed's markets follow; without, nothing moves.",
    "ORCL-1",
    "ORCL-2",
    "ORCL-4",
    "ORCL-5",
)
def post_price(path: Any) -> Any:
    """One follower of any number."""
    world = trading_houses(path, one_of(path, "source", ("actor", "another source")))
    feed = one_of(path, "feed", (FEED, NOWHERE))
    action = world.action(ev.PostPrice, feed=feed)
    parts = (
        asked_of(oracle.quorum_price, OPAQUE, lambda path, *_: path.fresh("candidate")),
        remembered(oracle.stepped, OPAQUE, any_step), *MARKED, TWAP,
    )  # fmt: skip
    done = accepted(world, action, *parts)
    if done is None:
        return None
    done.claim("the feed exists", lambda: feed == FEED)
    terms, before = done.before.feeds[FEED].parameters, done.before.feeds[FEED]
    done.claim("by a source", lambda: "actor" in terms.sources)
    post = Post(action.price, action.confidence, done.now.time)
    done.kept("the post", post, done.now.posts[FEED, "actor"])
    done.before.posts.put((FEED, "actor"), post)
    with standing_in(path, *parts):
        candidate = oracle.quorum_price(done.ctx, terms)
        moved = oracle.stepped(before, candidate, done.now.time) if candidate >= 1 else before
    done.kept("the feed", moved, done.now.feeds[FEED])
    done.reports(index=done.now.feeds[FEED].index)
    trading_still = done.before.markets[MARKET].status not in CLOSING
    if candidate >= 1 and trading_still:
        done.marked(moved, done.before.marks[MARKET].basis_sum)
    else:
        done.kept("the mark", done.before.marks[MARKET], done.now.marks[MARKET])
    done.wrote(("posts", (FEED, "actor")), ("feeds", FEED), *WHAT_FOLLOWS)
    return None


@accepts(
    "post_book",
    "A book sample is a venue's, not crossed, in a market that is neither settling nor closed and has a fresh mark, "
    "the sample interval after the last one. The basis is smoothed by its sample and the mark follows; its premium, "
    "over the index, is the last of the samples kept.",
    "ORCL-6",
    "ORCL-7",
)
def post_book(path: Any) -> Any:
    """With a sample before it, and with as many as are kept."""
    world = trading_houses(path)
    funding, kept = world.state.fundings[MARKET], one_of(path, "samples", ("one", "all"))
    samples = funding.samples if kept == "one" else tuple(range(SAMPLES_MAX))
    world.state.fundings.put(MARKET, replace(funding, samples=samples))
    index = world.state.feeds[FEED].index
    path.assume(lambda: index >= 1, "range (marks have indices)")
    action = world.action(ev.PostBook, market=one_of(path, "market", (MARKET, NOWHERE)))
    kernels = (oracle.basis_sample, oracle.smoothed, oracle.premium_sample)
    parts = (*(remembered(kernel, OPAQUE, fresh_of(kernel)) for kernel in kernels), *MARKED, TWAP)
    done = accepted(world, action, *parts)
    if done is None:
        return None
    done.by_venue()
    record = done.known_market(action.market)
    done.not_settling()
    done.fresh()
    mark, rules = done.before.marks[MARKET], record.listing.parameters
    done.claim("not crossed", lambda: action.bid <= action.ask)
    done.claim("not too soon", lambda: done.now.time >= mark.sample_time + rules.funding.sample_interval)
    with standing_in(path, *parts):
        sample = oracle.basis_sample(action.bid, action.ask, index, rules.mark.band)
        basis_sum = oracle.smoothed(mark.basis_sum, sample, rules.mark.window)
        premium = oracle.premium_sample(action.bid, action.ask, index)
    now = done.now.marks[MARKET]
    done.claim("the basis", lambda: now.basis_sum == basis_sum)
    done.claim("sampled now", lambda: now.sample_time == done.now.time)
    kept_now = (*samples, premium)[-SAMPLES_MAX:]
    done.claim("the samples", lambda: same(done.now.fundings[MARKET].samples, kept_now))
    done.marked(done.before.feeds[FEED], basis_sum)
    done.reports(premium=premium, mark=now.price)
    done.wrote(*WHAT_FOLLOWS)
    return None


# Markets


@accepts(
    "list_market",
    "A market is listed by an administrator, in a pool and on a feed that exist, under an id that does not; it is "
    "active from now with the terms asked for, has no mark yet, nothing accrued and no lots, and follows its feed.",
    "PARM-9",
)
def list_market(path: Any) -> Any:
    """Inside the envelope, which chapter parameters speaks of; on plain numbers an example of terms."""
    world = trading_houses(path)
    pool, feed = one_of(path, "pool", (POOL, NOWHERE)), one_of(path, "feed", (FEED, NOWHERE))
    name = one_of(path, "id", ("N", MARKET))
    terms = sandbox.LISTING
    if path.stand_ins:
        terms = symbolic(path, MarketListing, "listed", market="", pool="", feed="", parameters=world.parameters("new"))
    terms = replace(terms, market=name, pool=pool, feed=feed)
    done = accepted(world, ev.ListMarket(terms), ADMITTED)
    if done is None:
        return None
    done.by_administrator()
    done.claim("in a pool and on a feed", lambda: (pool, feed) == (POOL, FEED))
    done.claim("a new id", lambda: name == "N")
    now, time = done.now, done.now.time
    made = {
        "markets": Market(terms, MarketStatus.ACTIVE, terms.parameters, 0, 0), "marks": Mark(0, 0, 0, time, 0, 0),
        "fundings": Funding(0, 0, time, (), 0, 0, 0), "budgets": Budget(time, 0, 0), "open_interest": 0,
        "settlements": Settlement(0, 0, 0, 0, 0, 0, 0, 0, False),
    }  # fmt: skip
    for table, record in made.items():
        done.kept(f"new in {table}", record, getattr(now, table)["N"])
    before = done.before.feeds[FEED]
    done.kept("its feed", replace(before, markets=(*before.markets, "N")), now.feeds[FEED])
    done.wrote(("feeds", FEED), *((table, "N") for table in made))
    return None


WIDER = tuple(replace(tier, initial=tier.initial + 1) for tier in sandbox.MARKET.margin.tiers)


def near_example(path: Any) -> MarketParameters:
    """The parameters of the sandbox, some of them changed."""
    old = sandbox.MARKET
    window, period, ramp, rate = (path.atom(f"new {name}", 1, 10**6) for name in ("window", "period", "ramp", "rate"))
    tiers = WIDER if one_of(path, "tiers change", (False, True)) else old.margin.tiers
    return replace(
        old, margin=replace(old.margin, ramp=ramp, tiers=tiers), mark=replace(old.mark, stale_rate=rate),
        funding=replace(old.funding, period=period), settlement_window=window,
    )  # fmt: skip


@accepts(
    "set_parameters",
    "Parameters are changed by an administrator, of a market that is neither settling nor closed, when no ramp runs; "
    "the settlement window only of a market without expiry, penalties of age only while the mark is fresh, funding "
    "only in the second of an accrual. The ramp runs from the old ones, from now, for the longer of the two times if "
    "tiers change or the time is shortened; else there is none.",
    "PARM-13",
    "FUND-5",
)
def set_parameters(path: Any) -> Any:
    """Inside the envelope; on plain numbers an example of parameters. Rescaling is chapter parameters'."""
    world = trading_houses(path)
    record = world.state.markets[MARKET]
    new = new_parameters(world)
    if not path.stand_ins:
        new = near_example(path)
    market = one_of(path, "market", (MARKET, NOWHERE))
    done = accepted(world, ev.SetParameters(market, new), INSIDE, cut_short(listing.rescale))
    if done is None:
        return None
    done.by_administrator()
    done.known_market(market)
    done.not_settling()
    old, now, time = record.listing.parameters, done.now.markets[MARKET], done.now.time
    done.claim("no ramp runs", lambda: time >= record.ramp_end)
    done.claim("the window", lambda: record.listing.expiry == 0 or new.settlement_window == old.settlement_window)
    mark, ages = done.before.marks[MARKET], [(each.mark.stale_rate, each.mark.stale_cap) for each in (old, new)]
    done.claim("penalties of age", lambda: ages[0] == ages[1] or (mark.price >= 1 and time <= mark.fresh_until))
    accrued, kind, pays = done.before.fundings[MARKET].time, record.listing.kind, MarketKind.PERPETUAL
    done.claim("funding", lambda: new.funding == old.funding or accrued == time or kind != pays)
    ramp = max(new.margin.ramp, old.margin.ramp)
    ramps = new.margin.ramp < old.margin.ramp or new.margin.tiers != old.margin.tiers
    end = time + ramp if ramps else time
    done.claim("the ramp ends", lambda: now.ramp_end == end)
    done.claim("the ramp begins", lambda: now.ramp_start == time)
    done.kept("from the old ones", old, now.before)
    done.kept("to the new ones", replace(record.listing, parameters=new), now.listing)
    done.kept("its status", record.status, now.status)
    done.reports(ramp_end=end)
    return None
