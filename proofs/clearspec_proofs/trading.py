"""Theorems about fills, fees, limits of a fill and the fill test."""

from __future__ import annotations

from typing import Any

from clearspec import events as ev
from clearspec import margin, trading
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, balance, clearing, house, user
from clearspec.margin import Standing, bounded, position_exposure, reduces_risk
from clearspec.numerics import BALANCE_MAX, PRICE_MAX, SCALE, SIZE_MAX, mul_ceil, notional
from clearspec.oracle import is_fresh
from clearspec.parameters import TradingParameters
from clearspec.state import FLAT, MarketStatus, Position
from clearspec.trading import (
    charge_fees,
    fill,
    filled,
    held_size,
    no_worse_than_mark,
    reduces,
    within_band,
)
from clearspec_proofs.enabled import claim_accepted, follow
from clearspec_proofs.invariants import fees_conserved
from clearspec_proofs.stand_ins import (
    FILLED_TO_FLAT,
    Function,
    StandIn,
    agreeing,
    any_bool,
    opaque,
    passing,
    standing_in,
    standing_in_range,
)
from clearspec_proofs.standings import Standings, remembered
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import CASH, COIN, MARKET, POOL, Tables, World


def any_position(path: Any) -> Position:
    """A position of any size and cost."""
    return Position(*(path.atom(name) for name in ("size", "cost", "funding_index", "haircut_index")))


def good_position(path: Any) -> Position:
    """A position within the bounds of INV-12, and no claim."""
    position = any_position(path)
    size, cost = position.size, position.cost
    path.assume(lambda: 0 <= cost <= size * PRICE_MAX if size >= 0 else size * PRICE_MAX <= cost <= 0, "INV-12")
    return position


@theorem(
    "filled-conserves",
    "A fill changes the size by the lots filled; what it realises is the rise of the cost beyond what was paid; and a "
    "position that is flat afterwards, and was no claim before, costs nothing.",
    "TRADE-1",
)
def filled_conserves(path: Any) -> Any:
    """The contract by which a fill stands in for itself inside transitions; of any integers."""
    position, delta, price = any_position(path), path.atom("delta"), path.atom("price")
    after, realised = filled(position, delta, price)
    path.claim("size", lambda: after.size == position.size + delta)
    path.claim("cost", lambda: after.cost == position.cost + delta * price + realised)
    path.claim("funding index", lambda: after.funding_index == position.funding_index)
    path.claim("haircut index", lambda: after.haircut_index == position.haircut_index)
    if after.size == 0 and (position.size != 0 or position.cost == 0):
        path.mark("flat")
        path.claim("a flat position costs nothing", lambda: after.cost == 0)
    return after.size, after.cost, realised


@theorem(
    "filled-keeps-cost-within-size",
    "A fill at a price in range keeps the cost of a position on the side of its size and within its size at the "
    "highest price; a flat position costs nothing.",
    "TRADE-1",
    "INV-12",
)
def filled_keeps_cost_within_size(path: Any) -> Any:
    """INV-12 of one position: opening, closing a part, closing all, and through zero."""
    position = good_position(path)
    delta, price = path.atom("delta"), path.atom("price", 1, PRICE_MAX)
    after, realised = filled(position, delta, price)
    low, high = (0, after.size * PRICE_MAX) if after.size >= 0 else (after.size * PRICE_MAX, 0)
    path.claim("not below", lambda: after.cost >= low)
    path.claim("not above", lambda: after.cost <= high)
    return after.cost, realised


@theorem(
    "fill-moves-worth-by-its-price",
    "What a position is worth at any mark, with what is realised, changes by the lots filled times mark less price.",
    "TRADE-1",
)
def fill_moves_worth_by_its_price(path: Any) -> Any:
    """Exact: no rounding of the cost released reaches the equity; of any integers."""
    position = any_position(path)
    delta, price, mark = path.atom("delta"), path.atom("price"), path.atom("mark")
    after, realised = filled(position, delta, price)
    gain = (after.size * mark - after.cost + realised) - (position.size * mark - position.cost)
    path.claim("worth", lambda: gain == delta * (mark - price))
    return gain


@theorem(
    "partial-close-releases-in-proportion",
    "Closing a part of a position releases cost in proportion to the lots closed, rounded down in magnitude by less "
    "than an atom; what is not released stays in the cost, and what is realised is the rest of the money.",
    "TRADE-1",
)
def partial_close_releases_in_proportion(path: Any) -> Any:
    """A long position; a short one is its mirror image in ``fills-are-mirrored``."""
    closed, left = path.atom("closed", 1, SIZE_MAX), path.atom("left", 1, SIZE_MAX)
    cost, price = path.atom("cost", 0, SIZE_MAX * PRICE_MAX), path.atom("price", 1, PRICE_MAX)
    size = closed + left
    after, realised = filled(Position(size, cost, 0, 0), -closed, price)
    released = cost - after.cost
    path.claim("not above", lambda: released * size <= cost * closed)
    path.claim("by less than an atom", lambda: (released + 1) * size > cost * closed)
    path.claim("result", lambda: realised == closed * price - released)
    return released, realised


@theorem(
    "fills-are-mirrored",
    "A fill of a short position does what the opposite fill does to the long position of the same size and cost, with "
    "the opposite sign: no side is favoured by rounding.",
    "TRADE-1",
)
def fills_are_mirrored(path: Any) -> Any:
    """Size, cost and result."""
    position = good_position(path)
    delta, price = path.atom("delta", -SIZE_MAX, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    after, realised = filled(position, delta, price)
    mirror, result = filled(Position(-position.size, -position.cost, 0, 0), -delta, price)
    path.claim("size", lambda: mirror.size == -after.size)
    path.claim("cost", lambda: mirror.cost == -after.cost)
    path.claim("result", lambda: result == -realised)
    return after.cost, realised


@theorem(
    "reduces-means-closer-to-zero",
    "A fill reduces exactly if the position afterwards is no larger and not on the other side.",
    "TRADE-4",
)
def reduces_means_closer_to_zero(path: Any) -> Any:
    """Also: where a side reduces, its long part does not grow, so that open interest cannot."""
    before, after = path.atom("before", -SIZE_MAX, SIZE_MAX), path.atom("after", -SIZE_MAX, SIZE_MAX)
    yes = reduces(before, after)
    if yes:
        path.claim("no larger", lambda: abs(after) <= abs(before))
        path.claim("same side or flat", lambda: before * after >= 0)
        path.claim("long part", lambda: max(0, after) <= max(0, before))
    elif before * after >= 0:
        path.claim("larger", lambda: abs(after) >= abs(before) + 1)
    return yes


@theorem(
    "band-is-exact",
    "A price is inside the band exactly if its distance from the mark is at most the band's ratio of the mark.",
    "TRADE-5",
)
def band_is_exact(path: Any) -> Any:
    """Compared without rounding."""
    price, mark = path.atom("price", 1, PRICE_MAX), path.atom("mark", 0, PRICE_MAX)
    band = path.atom("band", 0, SCALE - 1)
    inside = within_band(price, mark, band)
    distance = abs(price - mark)
    if inside:
        path.claim("within the ratio", lambda: distance * SCALE <= mark * band)
    else:
        path.claim("beyond the ratio", lambda: distance * SCALE > mark * band)
    return inside


@theorem(
    "no-worse-than-mark-means-no-loss",
    "A fill is no worse than mark exactly if it takes nothing from its side's equity at mark.",
    "TRADE-10",
)
def no_worse_than_mark_means_no_loss(path: Any) -> Any:
    """Whichever side, any number of lots other than 0."""
    size, price, mark = (
        path.atom("size", 1, SIZE_MAX),
        path.atom("price", 1, PRICE_MAX),
        path.atom("mark", 0, PRICE_MAX),
    )
    delta = size if path.choice("side", 1, -1) == 1 else -size
    fair = bool(no_worse_than_mark(delta, price, mark))
    gain = delta * (mark - price)
    if fair:
        path.claim("no loss", lambda: gain >= 0)
    else:
        path.claim("a loss", lambda: gain <= -1)
    return fair


# Novation


def at_mark(world: World, account: str, mark: Any) -> Any:
    """What an account's cash and its position come to at a mark, net of funding and gains haircut owed; exact."""
    state = world.state
    position, funding = state.positions.get((account, MARKET), FLAT), state.fundings[MARKET]
    owed = funding_owed(position, funding.index) + haircut_owed(position, funding)
    return holding(world, account) + notional(position.size, mark) - position.cost - owed


@theorem(
    "novation-moves-worth-by-its-price",
    "Lots that change hands between two accounts of the market's pool, of which neither holds a claim there, move "
    "what each is worth at any mark, net of funding and gains haircut owed, by the lots times mark less price, for "
    "the seller with the opposite sign; sizes move by the lots, a position that ends flat costs nothing and is no "
    "longer listed but as the one left last; nothing of it is posted beside the two accounts and the market's "
    "clearing, and nothing else changes but open interest.",
    "TRADE-1",
    "TRADE-2",
    "TRADE-3",
    strength=Strength.ONE_STEP,
    marks=("flat", "open"),
)
def novation_moves_worth_by_its_price(path: Any) -> Any:
    """Of any positions, of any number of lots at any price; the contract by which a novation stands in for itself."""
    world, ctx = charging(path)
    lots, price, mark = (path.atom(name) for name in ("lots", "price", "mark"))
    held = {account: one_held(world, account) for account in "AB"}
    world.state.commit()
    start, before = Tables.of(world.state), {account: at_mark(world, account, mark) for account in "AB"}
    with standing_in(path, FILLED_TO_FLAT):
        sizes = trading.novate(ctx, "A", "B", MARKET, lots, price)
    for account, (first, last), delta in zip("AB", sizes, (lots, -lots), strict=True):
        path.claim("worth", lambda a=account, d=delta: at_mark(world, a, mark) - before[a] == d * (mark - price))
        path.claim("size", lambda a=account, f=first, n=last, d=delta: held[a] == f and f + d == n)
        path.claim("as it says", lambda a=account, n=last: held_size(ctx, a, MARKET) == n)
        if last == 0:
            path.mark("flat")
            claim_flat(path, world, account, held[account])
        else:
            path.mark("open")
    against = clearing(CASH, POOL, MARKET)
    keys = {against, *(user(CASH, POOL, account) for account in "AB")}
    path.claim("posted", lambda: {key for posting in ctx.postings for key in posting[:2]} <= keys)
    causes = {posting.cause for posting in ctx.postings}
    path.claim("causes", lambda: causes == {"FUND-6", "FALL-9", "TRADE-1"})
    mine = {("balances", key) for key in keys} | {("open_interest", MARKET)}
    mine |= {entry for account in "AB" for entry in (("accounts", account), ("positions", (account, MARKET)))}
    path.claim("nothing else", lambda: set(start.changed(world.state)) <= mine)
    return sizes[0][1]


def one_held(world: World, account: str) -> Any:
    """The lots of an account that holds a position, or one that is flat, or none."""
    kind = world.path.choice(f"{account} holds", "open", "flat", "none")
    if kind == "none":
        return 0
    world.position(account, MARKET, "open" if kind == "open" else "flat")
    return world.state.positions[account, MARKET].size


def claim_flat(path: Any, world: World, account: str, held: Any) -> None:
    """A position that ended flat costs nothing and is not listed; if lots were held, the account left it last."""
    state = world.state
    path.claim("left last", lambda: held == 0 or state.accounts[account].last_market == MARKET)
    path.claim("a flat position costs nothing", lambda: state.positions[account, MARKET].cost == 0)
    path.claim("it is not listed", lambda: MARKET not in state.accounts[account].markets)


# Fees

TREASURY, INSURANCE = Kind.FEE_TREASURY, Kind.INSURANCE_FUND


def holding(world: World, name: str) -> Any:
    """Settlement atoms of an account, or of a fund."""
    return balance(world.state, house(CASH, POOL, name) if isinstance(name, Kind) else user(CASH, POOL, name))


def charging(path: Any) -> tuple[World, ev.Context]:
    """A market, two accounts that trade in it, and a running transition."""
    world = World(path)
    world.pool()
    world.market()
    for account in "AB":
        world.account(account)
    world.state.commit()
    return world, ev.Context(world.state, 0, "actor")


def covered(path: Any, limits: TradingParameters) -> None:
    """The rebate is inside the envelope."""
    path.assume(lambda: -limits.maker_fee <= limits.taker_fee, "rebate-covered")


@theorem(
    "fees-rounded-up",
    "Taker and maker fee are the notional times the ratio, rounded up by less than an atom; a rebate is rounded down "
    "in magnitude.",
    "TRADE-7",
)
def fees_rounded_up(path: Any) -> Any:
    """Any notional and parameters; nothing is rounded in the user's favour."""
    world, ctx = charging(path)
    market, value = world.state.markets[MARKET], path.atom("value", 0)
    limits = market.listing.parameters.trading
    fees = charge_fees(ctx, market, "A", "B", value)
    for name, fee, ratio in (("taker", fees[0], limits.taker_fee), ("maker", fees[1], limits.maker_fee)):
        path.claim(f"{name} pays no less", lambda fee=fee, ratio=ratio: fee * SCALE >= value * ratio)
        path.claim(f"{name} pays less than an atom more", lambda f=fee, r=ratio: f * SCALE <= value * r + SCALE - 1)
    return fees


@theorem(
    "fees-reach-treasury-and-insurance",
    "What the two sides of a fill pay in fees is what treasury and insurance fund receive: the insurance share of the "
    "sum rounded down, the treasury the rest; with the rebate covered neither loses.",
    "TRADE-7",
    "PARM-9",
    strength=Strength.ONE_STEP,
)
def fees_reach_treasury_and_insurance(path: Any) -> Any:
    """From any balances."""
    world, ctx = charging(path)
    market, value = world.state.markets[MARKET], path.atom("value", 0)
    covered(path, market.listing.parameters.trading)
    before = {name: holding(world, name) for name in ("A", "B", TREASURY, INSURANCE)}
    with standing_in(path, fees_conserved()):
        taker, maker = charge_fees(ctx, market, "A", "B", value)
    gains = {name: holding(world, name) - held for name, held in before.items()}
    share = market.listing.parameters.trading.insurance_share
    path.claim("taker pays", lambda: gains["A"] == -taker)
    path.claim("maker pays", lambda: gains["B"] == -maker)
    path.claim("received", lambda: gains[TREASURY] + gains[INSURANCE] == taker + maker)
    path.claim("insured share", lambda: 0 <= (taker + maker) * share - gains[INSURANCE] * SCALE <= SCALE - 1)
    path.claim("insurance does not lose", lambda: gains[INSURANCE] >= 0)
    path.claim("treasury does not lose", lambda: gains[TREASURY] >= 0)
    return taker, maker


# No free lunch


@theorem(
    "splitting-pays-no-less-in-fees",
    "A fill split in two at one price pays in fees no less than the whole, and at most an atom more a side.",
    "TRADE-7",
)
def splitting_pays_no_less_in_fees(path: Any) -> Any:
    """By induction any number of parts; each part adds at most an atom for each side."""
    world, ctx = charging(path)
    market, parts = world.state.markets[MARKET], [path.atom(f"part {n}", 0) for n in (1, 2)]
    whole = charge_fees(ctx, market, "A", "B", parts[0] + parts[1])
    first, second = (charge_fees(ctx, market, "A", "B", part) for part in parts)
    for side, name in enumerate(("taker", "maker")):
        more = first[side] + second[side] - whole[side]
        path.claim(f"{name} pays no less", lambda more=more: more >= 0)
        path.claim(f"{name} pays at most an atom more", lambda more=more: more <= 1)
    return whole


@theorem(
    "splitting-realises-nothing-more",
    "A fill split in two at one price leaves the size of the whole, and what is realised less what is left in the cost "
    "is the same.",
    "TRADE-1",
)
def splitting_realises_nothing_more(path: Any) -> Any:
    """So equity at any mark is the same, in whatever parts; by induction for any number of them."""
    position, price = any_position(path), path.atom("price", 1, PRICE_MAX)
    sign = path.choice("side", 1, -1)
    first, second = (path.atom(f"part {n}", 1, SIZE_MAX // 2) * (1 if sign == 1 else -1) for n in (1, 2))
    whole, at_once = filled(position, first + second, price)
    half, realised = filled(position, first, price)
    parts, more = filled(half, second, price)
    path.claim("size", lambda: parts.size == whole.size)
    path.claim("worth", lambda: realised + more - parts.cost == at_once - whole.cost)
    return whole.cost, parts.cost


@theorem(
    "round-trip-gains-nothing",
    "Lots bought and sold again at one price, or sold and bought again, leave the size as it was and change equity by "
    "the fees alone, which never gain.",
    "TRADE-1",
    "TRADE-7",
)
def round_trip_gains_nothing(path: Any) -> Any:
    """The two sides together; each side alone is ``round-trip-costs-its-fees``."""
    position, price = any_position(path), path.atom("price", 1, PRICE_MAX)
    size = path.atom("lots", 1, SIZE_MAX)
    delta = size if path.choice("side", 1, -1) == 1 else -size
    there, first = filled(position, delta, price)
    back, second = filled(there, -delta, price)
    path.claim("size", lambda: back.size == position.size)
    path.claim("worth", lambda: first + second - back.cost == -position.cost)
    return first, second


# One side of a trade

margin_standing, margin_fill_allowed = margin.standing, margin.fill_allowed


def any_standing_of(path: Any, name: str) -> Standing:
    """Any equities, and requirements of which maintenance is not negative."""
    parts = {part: path.atom(f"{name}.{part}") for part in Standing._fields if part != "maintenance"}
    return Standing(**parts, maintenance=path.atom(f"{name}.maintenance", 0))


def less_risk(path: Any, before: Standing, after: Standing) -> Any:
    """``reduces_risk`` by its contract."""
    if path.choice("less risk", True, False) == False:  # noqa: E712
        return False
    grounds = "trading.less-risk-means-no-worse-health"
    path.claim("requirements are not negative", lambda: before.maintenance >= 0 and after.maintenance >= 0)
    path.assume(lambda: after.maintenance <= before.maintenance, grounds)
    path.assume(lambda: after.net_liquidation_value >= 0, grounds)
    if before.margin_equity >= 0:
        path.assume(lambda: after.margin_equity >= 0, grounds)
    else:
        path.assume(lambda: after.margin_equity >= before.margin_equity, grounds)
    return True


LESS_RISK = remembered(margin.reduces_risk, "trading.less-risk-means-no-worse-health", less_risk)


CAPS: tuple[Function, ...] = (trading.require_caps, trading.require_open_interest, trading.require_balance_limit)
WITHIN_LIMITS = (*map(passing, CAPS), opaque(reduces, any_bool), opaque(no_worse_than_mark, any_bool))
"""Caps and limits pass; what they and a market that only reduces are asked with may be so or not."""

ONE_SIDE = "itself of one side; nothing that the other's fill writes is looked at"


class Side:
    """One side of a trade, with its position open or none, and the other side of which nothing is supposed."""

    def __init__(self, path: Any, holds: bool = False, willing: bool = False) -> None:
        """A position is held or may be; the other side is ``willing`` where its reducing is needed."""
        self.willing = willing
        world = self.world = World(path)
        world.feed(markets=(MARKET,))
        world.feed(f"{COIN}-feed")
        world.pool(collateral=(COIN,))
        world.market()
        for account in "AB":
            world.account(account)
        self.path, self.standings = path, Standings(world)
        self.account = "A" if world.either("the buyer's side") else "B"
        self.sign = 1 if self.account == "A" else -1
        world.position(self.account, MARKET, "open" if holds or world.either("holds a position") else "flat")
        self.action = world.action(ev.Trade, market=MARKET, buyer="A", seller="B")

    def novate(self, ctx: ev.Context, buyer: str, seller: str, market: str, size: Any, price: Any) -> Any:
        """This side's fill as it is; nothing of the other side is looked at afterwards."""
        lots = size if self.account == buyer else -size
        mine = fill(ctx, ctx.state.accounts[self.account], market, lots, price)
        ctx.state.open_interest.put(market, self.path.fresh("open interest"))
        other = self.path.fresh("start"), self.path.fresh("end")
        if self.willing:
            active = ctx.state.markets[market].status == MarketStatus.ACTIVE
            self.path.assume(lambda: active or reduces(*other), "the other side passes its tests")
        return (mine, other) if self.account == buyer else (other, mine)

    def stand_ins(self) -> tuple[StandIn, ...]:
        """This side's fill and standing as they are; the other side's fill test passes."""

        def standing(path: Any) -> Function:
            return lambda ctx, name: (
                margin_standing(ctx, name) if name == self.account else standing_in_range(path, "other side")
            )

        def allowed(path: Any) -> Function:
            return lambda ctx, name, after: name != self.account or margin_fill_allowed(ctx, name, after)

        return (
            *self.standings.stand_ins(), FILLED_TO_FLAT,
            StandIn(trading.novate, ONE_SIDE, lambda _: self.novate),
            StandIn(margin_standing, "itself of one side; opaque of the other", standing),
            StandIn(margin_fill_allowed, "itself of one side; passing of the other", allowed),
        )  # fmt: skip

    def passing(self, check: Function) -> StandIn:
        """A check of an account, its second argument, that passes for the other side."""

        def of(_: Any) -> Function:
            return lambda ctx, name, *rest: check(ctx, name, *rest) if name == self.account else None

        return StandIn(check, "itself of one side; passing of the other", of)

    def trade(self, *stand_ins: StandIn) -> ev.Receipt:
        """Apply the trade; range, caps and limits pass."""
        used = (*self.stand_ins(), LESS_RISK, *WITHIN_LIMITS, agreeing(trading.is_trading), *stand_ins)
        return self.world.apply(self.action, *used)


@theorem(
    "less-risk-means-no-worse-health",
    "Where a fill may stand without initial margin, the side has no more maintenance requirement and is not in "
    "default; its health does not fall (with equity clamped), or without a requirement or below zero its equity does "
    "not fall: a solvent side stays solvent, an insolvent one falls no deeper.",
    "MARG-10",
)
def less_risk_means_no_worse_health(path: Any) -> Any:
    """Health is equity over requirement, compared by cross-multiplication; of any two standings."""
    before, after = (any_standing_of(path, name) for name in ("before", "after"))
    if not reduces_risk(before, after):
        return False
    path.claim("no more maintenance", lambda: after.maintenance <= before.maintenance)
    path.claim("not in default", lambda: after.net_liquidation_value >= 0)
    if before.maintenance == 0 or before.margin_equity < 0:
        path.claim("equity does not fall", lambda: after.margin_equity >= before.margin_equity)
    else:
        old, new = bounded(before.margin_equity), bounded(after.margin_equity)
        path.claim("health does not fall", lambda: new * before.maintenance >= old * after.maintenance)
    if before.margin_equity >= 0:
        path.claim("solvent stays solvent", lambda: after.margin_equity >= 0)
    else:
        path.claim("insolvent falls no deeper", lambda: after.margin_equity >= before.margin_equity)
    return True


@theorem(
    "trade-keeps-solvency",
    "After an accepted trade neither side is in default, so that no deficit has grown; each side has initial margin, "
    "or no more maintenance requirement than before and, where it was solvent, still is, where not, no less equity.",
    "TRADE-8",
    "MARG-10",
    strength=Strength.ONE_STEP,
    marks=("accepted", "less risk"),
)
def trade_keeps_solvency(path: Any) -> Any:
    """Either side, with its position open or none, any other positions and collateral."""
    side = Side(path)
    receipt = side.trade()
    if receipt.reason is not None:
        return receipt.reason
    before, after = side.standings.around(side.account)
    path.claim("not in default", lambda: after.net_liquidation_value >= 0)
    if before.margin_equity >= 0:
        path.claim("solvent stays solvent", lambda: after.margin_equity >= 0)
    else:
        path.claim("insolvent falls no deeper", lambda: after.margin_equity >= before.margin_equity)
    if after.initial_equity < after.initial:
        path.mark("less risk")
        path.claim("no more maintenance", lambda: after.maintenance <= before.maintenance)
    return None


@theorem(
    "trade-moves-value-by-price-and-fee",
    "An accepted trade changes what each side is worth by its lots times mark less price, for the seller with the "
    "opposite sign, less its fee; exactly, whatever is settled and rounded.",
    "TRADE-1",
    "TRADE-2",
    "TRADE-7",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def trade_moves_value_by_price_and_fee(path: Any) -> Any:
    """Net liquidation value of either side; funding and gains haircut owed are settled on the way."""
    side = Side(path)
    receipt = side.trade(agreeing(margin_fill_allowed))
    if receipt.reason is not None:
        return receipt.reason
    before, after = side.standings.around(side.account)
    takes = (side.action.maker == ev.Side.SELLER) == (side.account == "A")
    fee = receipt.amounts["taker_fee" if takes else "maker_fee"]
    gain = side.sign * side.action.size * (side.world.state.marks[MARKET].price - side.action.price)
    worth = after.net_liquidation_value - before.net_liquidation_value
    path.claim("worth", lambda: worth == gain - fee)
    return None


@theorem(
    "fill-and-back-changes-nothing",
    "A fill of one side and the opposite fill at the same price leave the size as it was and the account worth what it "
    "was, cash and position at mark net of funding and gains haircut owed: a round trip costs its fees and no more.",
    "TRADE-1",
    "TRADE-2",
    strength=Strength.ONE_STEP,
    marks=("done",),
)
def fill_and_back_changes_nothing(path: Any) -> Any:
    """Each of two trades adds its own fee (``trade-moves-value-by-price-and-fee``), which no side is spared."""
    side = Side(path)
    world, size, price = side.world, path.atom("lots", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX)
    ctx, mine = ev.Context(world.state, world.state.time), side.account
    path.assume(lambda: ctx.time <= world.state.marks[MARKET].fresh_until, "fresh")
    before, start = side.standings.of(mine), held_size(ctx, mine, MARKET)
    with standing_in(path, FILLED_TO_FLAT):
        for lots in (side.sign * size, -side.sign * size):
            fill(ctx, world.state.accounts[mine], MARKET, lots, price)
    after = side.standings.of(mine)
    path.mark("done")
    path.claim("size", lambda: held_size(ctx, mine, MARKET) == start)
    path.claim("worth", lambda: after.net_liquidation_value == before.net_liquidation_value)
    path.claim("margin equity", lambda: after.margin_equity == before.margin_equity)
    return start


# A way out


@theorem(
    "closing-at-mark-is-less-risk",
    "A side that is not liquidatable and gives up, at mark, a part of its requirement that is no less than its fee has "
    "less risk at no worse health; with no fee, or a rebate, so has every side that is not in default and whose "
    "requirement does not grow.",
    "MARG-10",
)
def closing_at_mark_is_less_risk(path: Any) -> Any:
    """Any equities, also beyond the clamp of NUM-9; the health test never locks a healthy position in."""
    equity, more = path.atom("equity"), path.atom("collateral above counted", 0)
    released, left = path.atom("released", 0), path.atom("left", 0)
    fee = path.atom("fee")
    if fee >= 1:
        path.assume(lambda: equity >= released + left, "not liquidatable")
        path.assume(lambda: fee <= released, "the fee is within the requirement given up")
    else:
        path.assume(lambda: equity + more >= 0, "not in default")
    before = Standing(0, 0, 0, equity, 0, equity + more, 0, released + left, 0)
    after = Standing(0, 0, 0, equity - fee, 0, equity + more - fee, 0, left, 0)
    path.claim("fee within health", lambda: fee * (equity - released - left) >= 0 if fee >= 1 else True)
    path.claim("product", lambda: equity * (released - fee) >= 0 if fee >= 1 else True)
    path.claim("allowed", lambda: reduces_risk(before, after))
    return reduces_risk(before, after)


@theorem(
    "reducing-never-raises-open-interest",
    "Where one side of a fill reduces, whatever the other does, open interest does not grow, so that its cap never "
    "stops a side from reducing.",
    "TRADE-3",
    "TRADE-6",
)
def reducing_never_raises_open_interest(path: Any) -> Any:
    """Of any sizes of the two; the novation as it is."""
    world, ctx = charging(path)
    lots, price = path.atom("lots", 1), path.atom("price")
    for account in "AB":
        world.position(account, MARKET, "open" if world.either(f"{account} holds") else "flat")
    mine, sign = ("A", 1) if world.either("the buyer reduces") else ("B", -1)
    before = held_size(ctx, mine, MARKET)
    path.assume(lambda: reduces(before, before + sign * lots), "reduces")
    interest = world.state.open_interest[MARKET]
    with standing_in(path, FILLED_TO_FLAT):
        trading.novate(ctx, "A", "B", MARKET, lots, price)
    path.claim("no more", lambda: world.state.open_interest[MARKET] <= interest)
    return world.state.open_interest[MARKET]


def closing_allowed(path: Any, before: Standing, after: Standing) -> Any:
    """``reduces_risk`` of a side that closes at mark, by its contract."""
    fee = before.margin_equity - after.margin_equity
    path.claim("worth the fee less", lambda: before.net_liquidation_value - after.net_liquidation_value == fee)
    path.claim("no more requirement", lambda: 0 <= after.maintenance <= before.maintenance)
    path.claim("worth no less than it counts", lambda: before.net_liquidation_value >= before.margin_equity)
    if fee >= 1:
        path.claim("not liquidatable", lambda: before.margin_equity >= before.maintenance)
        path.claim("the fee is within the requirement", lambda: fee <= before.maintenance - after.maintenance)
    else:
        path.claim("not in default", lambda: before.net_liquidation_value >= 0)
    return True


CLOSING = remembered(reduces_risk, "trading.closing-at-mark-is-less-risk", closing_allowed)


def not_raised(side: Side, lots: Any) -> StandIn:
    """The cap of open interest does not stop a side that reduces by so many lots."""

    def of(path: Any) -> Function:
        def stand_in(ctx: ev.Context, market: Any, before: Any, trading: Any) -> None:
            with ctx.state.rewound():
                start, interest = held_size(ctx, side.account, MARKET), ctx.state.open_interest[MARKET]
            path.claim("lots are filled", lambda: lots >= 1)
            path.claim("the side reduces", lambda: reduces(start, start + side.sign * lots))
            path.claim("of the event's begin", lambda: before == interest)

        return stand_in

    return StandIn(trading.require_open_interest, "trading.reducing-never-raises-open-interest", of)


@theorem(
    "close-at-mark-is-accepted",
    "In a market that admits fills and whose mark is fresh, an account that is not liquidatable closes its whole "
    "position at mark against any counterparty that passes its own tests, whatever else it holds, if the fee is within "
    "the maintenance of what it closes (PARM-9) and its balance stays in range; no cap, limit or margin stops it.",
    "TRADE-4",
    "TRADE-6",
    "TRADE-8",
    "TRADE-10",
    "MARG-10",
    strength=Strength.ONE_STEP,
    marks=("accepted",),
)
def close_at_mark_is_accepted(path: Any) -> Any:
    """The path to flat of a solvent account; of the others see ``events.path-to-flat``."""
    side = Side(path, holds=True, willing=True)
    world, standings, mine = side.world, side.standings, side.account
    world.state.venues = ("actor",)
    position, mark = world.state.positions[mine, MARKET], world.state.marks[MARKET].price
    ctx = ev.Context(world.state, world.state.time + path.atom("wait", 0))
    lots = position.size if side.sign == -1 else -position.size
    path.assume(lambda: lots >= 1, "closes")
    path.assume(lambda: trading.is_trading(ctx, world.state.markets[MARKET]), "it admits fills")
    path.assume(lambda: is_fresh(ctx, MARKET), "fresh")
    before = standings.of(mine, time=ctx.time)
    with standing_in(path, *standings.stand_ins()):
        part = position_exposure(ctx, MARKET, position)
    ratio = fee_ratio(side)
    fee, cash = mul_ceil(notional(lots, mark), ratio), before.cash + part.at_mark
    path.assume(lambda: before.margin_equity >= before.maintenance, "not liquidatable")
    path.assume(lambda: fee <= part.maintenance, "the fee is within maintenance")
    path.assume(lambda: -BALANCE_MAX <= cash - fee <= BALANCE_MAX, "balance in range")
    mine_alone = (side.passing(trading.require_caps), side.passing(trading.require_balance_limit))
    action, in_all = ev.Trade(MARKET, "A", "B", lots, mark, side.action.maker), not_raised(side, lots)
    receipt = follow(world, action, *side.stand_ins(), *mine_alone, CLOSING, in_all, time=ctx.time)
    if not path.stand_ins:  # else they pass the other side's tests
        path.assume(lambda: receipt.subject != ("B" if mine == "A" else "A"), "the other side passes its tests")
    claim_accepted(world, receipt)
    path.claim("flat", lambda: held_size(ctx, mine, MARKET) == 0)
    return receipt.reason


def fee_ratio(side: Side) -> Any:
    """The fee that this side pays."""
    limits = side.world.state.markets[MARKET].listing.parameters.trading
    takes = (side.action.maker == ev.Side.SELLER) == (side.account == "A")
    return limits.taker_fee if takes else limits.maker_fee
