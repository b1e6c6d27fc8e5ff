"""Theorems about default: what the layers bear, in which order, and that no counterparty pays more than its rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import margin, waterfall
from clearspec.events import Context, Event, Reason, ResolveDefault
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, balance, clearing, house, post, user
from clearspec.machine import apply
from clearspec.margin import Exposure, Standing
from clearspec.numerics import (
    AMOUNT_MAX,
    BALANCE_MAX,
    INDEX_MAX,
    LOSS_MAX,
    PRICE_MAX,
    PROFIT_MAX,
    SCALE,
    SIZE_MAX,
    clamp,
    cumulative_share,
    div_floor,
    notional,
)
from clearspec.parameters import FUND_LAYERS, Layer, LiquidationParameters
from clearspec.sandbox import ETH as COLLATERAL
from clearspec.state import Budget, MarketStatus, Position
from clearspec.trading import settle_owed
from clearspec.waterfall import TearUp
from clearspec_proofs.desk import CASH, COIN, MARKET, OTHER_POOL, POOL, SECOND_MARKET, Desk, claim_parties
from clearspec_proofs.hints import pick
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import (
    Function,
    StandIn,
    any_integer,
    any_standing,
    opaque,
    standing_in,
    unread,
)
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import same, symbolic

DEFAULTER, OTHER, THIRD, FOURTH = "D", "A", "B", "C"
ROOM_MAX = 2**62
"""Closed value of at most 64 positions (NUM-9)."""


# Shares


@theorem(
    "parts-sum-exactly",
    "A deficit is split over the markets that it came from without remainder: the parts sum to it, or to 2^62 if it is "
    "more; none is negative, and each is within one atom of its proportion.",
    "FALL-4",
    "NUM-5",
)
def parts_sum_exactly(path: Any) -> Any:
    """Of any number of markets: those before one of them, and those after it, count as one each."""
    total, before, loss = path.atom("losses", 1, 64 * LOSS_MAX), path.atom("before", 0), path.atom("loss", 1)
    losses, deficit = [before, loss, total - before - loss], path.atom("deficit", 1)
    given(path, losses[2] >= 0, "losses are positive")
    parts = [part for _, part in waterfall.parts_by_market(deficit, list(zip("XYZ", losses, strict=True)))]
    split = min(deficit, BALANCE_MAX)
    path.claim("the sum", lambda: sum(parts) == split)
    path.claim("not negative", lambda: parts[1] >= 0)
    path.claim("at least its proportion less an atom", lambda: parts[1] * total > split * loss - total)
    path.claim("at most its proportion and an atom", lambda: parts[1] * total < split * loss + total)
    return parts[1]


def _share(path: Any) -> Function:
    floors: list[tuple[Any, Any]] = [(0, 0)]

    def floor(weight: Any, amount: Any, total: Any) -> Any:
        if same(weight, total) or weight == total:
            return amount
        if not any(same(weight, known) for known, _ in floors):
            floors.append((weight, path.fresh("floor", 0)))
        return next(value for known, value in floors if same(weight, known))

    def stand_in(amount: Any, before: Any, after: Any, total: Any) -> Any:
        path.claim("weights in order", lambda: amount >= 0 and 0 <= before <= after <= total)
        share = floor(after, amount, total) - floor(before, amount, total)
        given(path, share >= 0, WITHIN)
        if amount <= total:
            given(path, share <= after - before, WITHIN)
        return share

    return stand_in


WITHIN = "range (numerics.shares-are-within-the-amount)"
SHARE = StandIn(cumulative_share, "numerics.shares-are-within-the-amount, numerics.shares-telescope", _share)
"""A share of one amount by cumulative floor: the difference of two floors, of which that of no weight is 0 and that of
all the weights the amount; it lies between 0 and its weight where the amount is at most all weights."""


# Tear-up


INITIAL = (opaque(margin.scaled_initial, any_integer), opaque(margin.counted_profit, any_integer))
"""Initial margin has no part in a default."""


def counterparties(path: Any) -> tuple[Desk, dict[str, Standing], tuple[StandIn, ...]]:
    """Two accounts of any standings; or one that is short at a mark of 100, with its own."""
    plain = path.choice("standings", "plain", "any") == "plain" or not path.stand_ins
    names = (OTHER,) if plain else (OTHER, THIRD)
    desk = Desk(path, *names)
    if plain:
        desk.priced(100)
        desk.hold(OTHER, -path.atom("lots", 1, 10**6))
        with standing_in(path, *INITIAL):
            return desk, {OTHER: margin.standing(desk.ctx, OTHER)}, INITIAL
    found = {name: any_standing(path, f"standing of {name}") for name in names}
    return desk, found, (StandIn(margin.standing, "opaque", lambda _: lambda __, name: found[name]),)


@theorem(
    "rooms-within-values-and-capacities",
    "What a torn-up piece may be charged is not negative and at most its value at mark; all pieces of an account "
    "together at most its margin equity above its maintenance requirement, and less only where all values are charged.",
    "FALL-8",
)
def rooms_within_values_and_capacities(path: Any) -> Any:
    """Of any number of pieces: those of an account before its last count as one."""
    desk, held, stand_ins = counterparties(path)
    order = (OTHER, THIRD, OTHER) if len(held) > 1 else (OTHER, OTHER)
    torn = [TearUp(name, path.atom(f"value{n}", 0, ROOM_MAX)) for n, name in enumerate(order)]
    with standing_in(path, *stand_ins):
        rooms = waterfall.tear_up_rooms(desk.ctx, torn)
    for room, part in zip(rooms, torn, strict=True):
        path.claim("not negative", lambda room=room: room >= 0)
        path.claim("at most its value", lambda room=room, part=part: room <= part.value)
    for name, account in held.items():
        mine = [(room, part.value) for room, part in zip(rooms, torn, strict=True) if part.account == name]
        total, value = sum(room for room, _ in mine), sum(value for _, value in mine)
        spare = max(0, account.margin_equity - account.maintenance)
        path.claim("at most its capacity", lambda total=total, spare=spare: total <= spare)
        if total < value:
            path.claim("all of its capacity", lambda total=total, spare=spare: total == spare)
    return rooms


def rooms_of(*rooms: Any) -> StandIn:
    """Rooms of torn-up pieces, of which ``rooms-within-values-and-capacities`` shows that they are not negative."""
    grounds = "waterfall.rooms-within-values-and-capacities"
    return StandIn(waterfall.tear_up_rooms, grounds, lambda _: lambda *__: list(rooms))


@theorem(
    "tear-up-shares-within-rooms",
    "Tear-ups bear the deficit, or all of their rooms if it is more; the charges sum to that exactly, and none is "
    "negative or above its room. Every charge goes from its counterparty to the defaulter.",
    "FALL-8",
    "NUM-5",
    marks=("shared", "exhausted", "no room"),
)
def tear_up_shares_within_rooms(path: Any) -> Any:
    """Of any number of pieces: those before one of them, and those after it, count as one each."""
    names = ("before", OTHER, "after")
    desk = Desk(path, DEFAULTER, *names)
    empty = path.choice("rooms", "some", "none") == "none"
    rooms = [0 if empty else path.atom(f"room {name}", 0) for name in names]
    torn = [TearUp(name, room) for name, room in zip(names, rooms, strict=True)]
    if not empty:
        given(path, sum(rooms) >= 1, "range (something may be charged)")
    keys = {name: user(CASH, POOL, name) for name in (DEFAULTER, *names)}
    start = {name: balance(desk.state, key) for name, key in keys.items()}
    deficit = path.atom("deficit", 1)
    rooms = rooms if path.stand_ins else waterfall.tear_up_rooms(desk.ctx, torn)
    with standing_in(path, rooms_of(*rooms), SHARE):
        borne = waterfall.charge_tear_ups(desk.ctx, DEFAULTER, torn, deficit)
    charges = {name: start[name] - balance(desk.state, keys[name]) for name in keys}
    path.mark("no room" if empty else "exhausted" if borne < deficit else "shared")
    path.claim("as much as there is room", lambda: borne == min(deficit, sum(rooms)))
    path.claim("the defaulter gets it", lambda: charges[DEFAULTER] == -borne)
    path.claim("exactly", lambda: sum(charges[name] for name in names) == borne)
    for name, room in zip(names, rooms, strict=True):
        path.claim("not negative", lambda name=name: charges[name] >= 0)
        path.claim("within the room", lambda name=name, room=room: charges[name] <= room)
    return borne


# Gains haircut


@theorem(
    "haircut-step-within-gain",
    "A gains haircut takes from each winning lot no more than what is left of its gain since the variation-margin "
    "mark and never a negative amount; all lots together bear at most the share, and less by a whole lot's atom only "
    "where the gain, or the range of the index, is exhausted; no lots bear nothing.",
    "FALL-9",
)
def haircut_step_within_gain(path: Any) -> Any:
    """Of any share, any open interest, any gain left."""
    share, lots = path.atom("share", 0), path.atom("lots", 0)
    gain, index = path.atom("gain"), path.atom("index", None, INDEX_MAX)
    step = waterfall.haircut_step(share, lots, gain, index)
    path.claim("not negative", lambda: step >= 0)
    path.claim("at most the gain", lambda: step <= max(0, gain))
    path.claim("the index stays in range", lambda: index + step <= INDEX_MAX)
    path.claim("at most the share", lambda: step * lots <= share)
    if lots == 0:
        path.claim("nothing of no lots", lambda: step == 0)
    if lots > 0 and share - step * lots >= lots:
        path.mark("exhausted")
        path.claim("the gain or the range is exhausted", lambda: step == max(0, gain) or index + step == INDEX_MAX)
    return step


def _step(path: Any) -> Function:
    def stand_in(share: Any, lots: Any, gain: Any, index: Any) -> Any:
        path.claim("nothing negative is shared", lambda: share >= 0 and lots >= 0)
        path.claim("the index is in range", lambda: index <= INDEX_MAX)
        if lots == 0 or gain <= 0:
            return 0
        step = path.fresh("step", 0)
        given(path, step <= gain, STEP)
        given(path, step * lots <= share, STEP)
        return step

    return stand_in


STEP = "range (waterfall.haircut-step-within-gain)"
HAIRCUT_STEP = StandIn(waterfall.haircut_step, "waterfall.haircut-step-within-gain", _step)


@theorem(
    "haircut-takes-gains-alone",
    "A gains haircut raises the index of the side that won since the variation-margin mark, and no other; what the "
    "winning lots come to owe is exactly what the defaulter gets out of clearing, at most its share; all haircuts "
    "since that mark take at most the price move; and a market whose settlement price is fixed bears nothing.",
    "FALL-9",
    marks=("longs", "shorts", "settling"),
)
def haircut_takes_gains_alone(path: Any) -> Any:
    """A position owes its lots times what the index of its side rose since it was settled (``haircut_owed``)."""
    desk, share = Desk(path, DEFAULTER), path.atom("share", 0)
    settling = path.choice("market", "open", "settling") == "settling"
    desk.priced(path.atom("mark", 1, PRICE_MAX))
    taken = path.atom("taken", 0)
    desk.indices(haircut_since_variation=taken)
    state, market = desk.state, desk.state.markets[MARKET]
    state.open_interest.put(MARKET, path.atom("open interest", 0, SIZE_MAX))
    if settling:
        state.markets.put(MARKET, replace(market, status=MarketStatus.SETTLING))
    before, mark = state.fundings[MARKET], state.marks[MARKET]
    cash, against = user(CASH, POOL, DEFAULTER), clearing(CASH, POOL, MARKET)
    start = balance(state, cash), balance(state, against)
    with standing_in(path, HAIRCUT_STEP):
        borne = waterfall.haircut_gains(desk.ctx, DEFAULTER, MARKET, share)
    after, move = state.fundings[MARKET], mark.price - mark.variation_price
    longs, shorts = after.haircut_long - before.haircut_long, after.haircut_short - before.haircut_short
    path.mark("settling" if settling else "longs" if move >= 0 else "shorts")
    path.claim("one side", lambda: (shorts if move >= 0 else longs) == 0)
    path.claim("the other owes it", lambda: (longs + shorts) * state.open_interest[MARKET] == borne)
    path.claim("the defaulter gets it", lambda: balance(state, cash) - start[0] == borne)
    path.claim("out of clearing", lambda: start[1] - balance(state, against) == borne)
    path.claim("at most its share", lambda: 0 <= borne <= share)
    path.claim("counted", lambda: after.haircut_since_variation == taken + longs + shorts)
    path.claim("at most the move", lambda: after.haircut_since_variation <= max(taken, abs(move)))
    if settling:
        path.claim("nothing of a fixed price", lambda: borne == 0)
    return borne


# Funds


@theorem(
    "fund-pays-what-it-holds",
    "A fund pays a deficit as far as it reaches: never more than the deficit or than it holds, never a negative "
    "amount, and less than the deficit only where nothing is left in it; the defaulter gets it, and nobody else's "
    "balance changes, another pool's least of all.",
    "FALL-5",
    "INV-3",
    marks=("paid", "exhausted"),
)
def fund_pays_what_it_holds(path: Any) -> Any:
    """Insurance fund and skin in the game alike; isolation is that all accounts are those of one pool."""
    desk, deficit = Desk(path, DEFAULTER, OTHER), path.atom("deficit", 0)
    desk.account(THIRD, OTHER_POOL)
    kind = path.choice("fund", Kind.INSURANCE_FUND, Kind.SKIN_IN_THE_GAME)
    kind = Kind.INSURANCE_FUND if kind == Kind.INSURANCE_FUND else Kind.SKIN_IN_THE_GAME
    fund, cash = house(CASH, POOL, kind), user(CASH, POOL, DEFAULTER)
    held, start = balance(desk.state, fund), desk.begin()
    paid = waterfall.draw_fund(desk.ctx, desk.state.pools[POOL], kind, deficit, DEFAULTER)
    path.claim("at most the deficit", lambda: 0 <= paid <= deficit)
    path.claim("at most what it holds", lambda: balance(desk.state, fund) >= 0)
    path.claim("out of the fund", lambda: held - balance(desk.state, fund) == paid)
    path.claim("to the defaulter", lambda: balance(desk.state, cash) - start.tables["balances"][cash] == paid)
    path.claim("nobody else", lambda: set(start.changed(desk.state)) <= {("balances", fund), ("balances", cash)})
    path.mark("paid" if paid == deficit else "exhausted")
    if paid < deficit:
        path.claim("exhausted", lambda: balance(desk.state, fund) == 0)
    return paid


@theorem(
    "insurance-within-caps",
    "Insurance pays the account the part of a deficit that fell to a market within that market's cap and within the "
    "pool's, each for the running interval; what it pays counts against both, an interval is renewed only after its "
    "time, and it pays less than the part only where a cap or the fund is exhausted.",
    "FALL-5",
    marks=("paid", "capped"),
)
def insurance_within_caps(path: Any) -> Any:
    """Of any number of parts: each is drawn from the state that the one before it left."""
    ranges = {"insurance_cap": path.atom("pool cap", 0, AMOUNT_MAX), "budget_interval": path.atom("pool interval", 1)}
    desk, part = Desk(path, DEFAULTER, **ranges), path.atom("part", 0)
    state, pool = desk.state, desk.state.pools[POOL]
    rules = symbolic(path, LiquidationParameters, "rules")
    desk.market(rules)
    state.pool_budgets.put(POOL, symbolic(path, Budget, "pool budget"))
    budgets = {MARKET: (state.budgets, rules.insurance_cap, rules.budget_interval)}
    budgets[POOL] = state.pool_budgets, pool.insurance_cap, pool.budget_interval
    before = {name: table[name] for name, (table, _, _) in budgets.items()}
    fund, cash = house(CASH, POOL, Kind.INSURANCE_FUND), user(CASH, POOL, DEFAULTER)
    start = balance(state, fund), balance(state, cash)
    paid = waterfall.draw_insurance(desk.ctx, pool, [(MARKET, part)], DEFAULTER)
    exhausted = [balance(state, fund) == 0]
    path.claim("at most the part", lambda: 0 <= paid <= part)
    path.claim("out of the fund", lambda: start[0] - balance(state, fund) == paid)
    path.claim("to the account", lambda: balance(state, cash) - start[1] == paid)
    for name, (table, cap, interval) in budgets.items():
        running = desk.ctx.time < before[name].start + interval
        drawn, now = before[name].deficits if running else 0, table[name]
        path.claim("noted", lambda now=now, drawn=drawn: now.deficits == drawn + paid)
        path.claim("within the cap", lambda now=now, drawn=drawn, cap=cap: now.deficits <= max(drawn, cap))
        path.claim("rewards are kept", lambda name=name, now=now, running=running: (
            not running or now.rewards == before[name].rewards
        ))  # fmt: skip
        begun = before[name].start if running else desk.ctx.time
        path.claim("one interval", lambda now=now, begun=begun: now.start == begun)
        exhausted.append(now.deficits >= cap)
    path.mark("paid" if paid == part else "capped")
    if paid < part:
        path.claim("exhausted", lambda: any(exhausted))
    return paid


# Rank


def any_profit(path: Any) -> Any:
    """A winner's profit, or a loser's, which is 0 or less."""
    winner = path.choice("profit", "winner", "loser") == "winner"
    path.mark("winner" if winner else "loser")
    return path.atom("profit", 1) if winner else path.atom("profit", None, 0)


@theorem(
    "rank-has-one-sign",
    "A counterparty's rank depends on the magnitude of its cost alone, so that a short and a long with the same "
    "profit, cost, value and equity rank alike; a winner never ranks below a loser.",
    "FALL-6",
    marks=("winner", "loser"),
)
def rank_has_one_sign(path: Any) -> Any:
    """The cost of a short is negative (INV-12)."""
    profit, cost = any_profit(path), path.atom("cost", 0)
    value, equity = path.atom("value", 0), path.atom("equity")
    score = waterfall.rank_score(profit, cost, value, equity)
    path.claim("a short ranks as a long", lambda: waterfall.rank_score(profit, -cost, value, equity) == score)
    path.claim("winners first", lambda: score >= 0 if profit > 0 else score <= 0)
    return score


@theorem(
    "rank-rises-with-profit",
    "With the same cost, value and equity more profit never ranks lower, on either side.",
    "FALL-6",
    marks=("winner", "loser"),
)
def rank_rises_with_profit(path: Any) -> Any:
    """Of any two profits of one sign; between two signs ``rank-has-one-sign`` decides."""
    profit, apart = any_profit(path), path.atom("apart", 0)
    low, high = (profit, profit + apart) if profit > 0 else (profit - apart, profit)
    cost = path.atom("cost", 1) if path.choice("side", "long", "short") == "long" else path.atom("cost", None, -1)
    value, equity = path.atom("value", 0), path.atom("equity")
    rates = [div_floor(clamp(part, -PROFIT_MAX, PROFIT_MAX) * SCALE, abs(cost)) for part in (low, high)]
    path.claim("lemma: rates rise", lambda: rates[0] <= rates[1])
    scores = [waterfall.rank_score(part, cost, value, equity) for part in (low, high)]
    path.claim("not lower", lambda: scores[0] <= scores[1])
    return scores[1]


# The whole default


LAYERS = {
    "all": tuple(Layer),
    "skin in the game first": (Layer.SKIN_IN_THE_GAME, Layer.INSURANCE_FUND, Layer.GAINS_HAIRCUT, Layer.TEAR_UP),
    "insurance alone": (Layer.INSURANCE_FUND,),
    "none": (),
}


def defaulting(path: Any, layers: tuple[Layer, ...], positions: int, **pool: Any) -> Desk:
    """A clearinghouse with an account that holds so many positions, and with collateral that may have a price."""
    desk = Desk(path, OTHER, DEFAULTER, layers=layers, collateral=(COLLATERAL,), **pool)
    state, fund = desk.state, house(COIN, POOL, Kind.INSURANCE_FUND)
    state.feeds.put(COIN, replace(state.feeds[COIN], index=path.atom("index", 0, PRICE_MAX)))
    for key in (fund, user(COIN, POOL, DEFAULTER)):
        state.balances.put(key, path.atom(f"{key[2]} {COIN}", 0, AMOUNT_MAX))
    for market in (MARKET, SECOND_MARKET)[:positions]:
        desk.priced(path.atom(f"mark of {market}", 1, PRICE_MAX), market)
        lots = path.atom(f"lots in {market}", 1, SIZE_MAX)
        desk.hold(DEFAULTER, lots if path.choice(f"side in {market}", "long", "short") == "long" else -lots, market)
        desk.hold(OTHER, -state.positions[DEFAULTER, market].size, market)
    return desk


def _bear(path: Any) -> Function:
    sources = {
        Layer.INSURANCE_FUND: (house(CASH, POOL, Kind.INSURANCE_FUND), "FALL-5"),
        Layer.SKIN_IN_THE_GAME: (house(CASH, POOL, Kind.SKIN_IN_THE_GAME), "FALL-5"),
        Layer.TEAR_UP: (user(CASH, POOL, OTHER), "FALL-8"),
        Layer.GAINS_HAIRCUT: (clearing(CASH, POOL, MARKET), "FALL-9"),
    }

    def stand_in(ctx: Context, case: waterfall.Resolution, layer: Layer) -> Any:
        left, (debit, cause) = case.remaining, sources[layer]
        path.claim("nothing negative is asked for", lambda: left >= 0)
        claim_bearable(path, ctx, case)
        path.claim("a fund is not negative", lambda: cause != "FALL-5" or balance(ctx.state, debit) >= 0)
        borne = path.fresh(f"borne by {layer.value}", 0)
        given(path, borne <= left, "range (waterfall.layer-bears-at-most-what-is-left)")
        post(ctx.state, ctx.postings, debit, user(CASH, POOL, case.account), borne, cause)
        return borne

    return stand_in


def claim_bearable(path: Any, ctx: Context, case: waterfall.Resolution) -> None:
    """Claim what ``layer-bears-at-most-what-is-left`` supposes of a default, beside its weights."""
    state = ctx.state
    for part in case.torn:
        path.claim("a value is not negative", lambda part=part: part.value >= 0)
        others = part.account != case.account and state.accounts[part.account].pool == case.pool.pool
        path.claim("torn up of others of the pool", lambda others=others: others)
    for market, funding in state.fundings.items():
        path.claim("open interest is not negative", lambda market=market: state.open_interest[market] >= 0)
        for index in (funding.haircut_long, funding.haircut_short):
            path.claim("an index in range", lambda index=index: index <= INDEX_MAX)


BEAR = StandIn(waterfall.bear, "waterfall.layer-bears-at-most-what-is-left, waterfall.weights-are-losses", _bear)


def _closed(path: Any) -> Function:
    def stand_in(ctx: Context, account: str, market: str) -> list[TearUp]:
        state, position = ctx.state, ctx.state.positions[account, market]
        owner, other = state.accounts[account], state.positions[OTHER, market]
        path.claim("the other side holds as many lots", lambda: position.size != 0 and other.size == -position.size)
        path.claim("a price", lambda: state.marks[market].price >= 1)
        claim_parties(path, ctx, market, account, OTHER)
        price, funding = state.marks[market].price, state.fundings[market]
        worth = notional(position.size, price) - position.cost
        worth -= funding_owed(position, funding.index) + haircut_owed(position, funding)
        post(state, ctx.postings, clearing(CASH, POOL, market), user(CASH, POOL, account), worth, "TRADE-1")
        state.positions.put((account, market), Position(0, 0, position.funding_index, position.haircut_index))
        left = tuple(held for held in owner.markets if held != market)
        state.accounts.put(account, replace(owner, markets=left, last_market=market))
        state.positions.put((OTHER, market), replace(other, size=other.size + position.size))
        return [TearUp(OTHER, path.fresh("torn up", 0))]

    return stand_in


FLAT_AT_MARK = "waterfall.closing-ends-flat, trading.novation-moves-worth-by-its-price"
CLOSED = StandIn(waterfall.close_at_mark, FLAT_AT_MARK, _closed)
"""Closing a defaulter's position at mark ends flat and moves nobody's worth: it becomes the defaulter's cash. What it
posts, and what becomes of the account's markets, is what each novation does."""

UNREAD = (
    *INITIAL,
    opaque(margin.requirements, lambda path, name: (path.fresh(name), path.fresh(name))),
    opaque(margin.collateral_price, any_integer),
    opaque(waterfall.market_weights, unread),
)
"""Margin has no part in a default, nor has the age of a price."""


@theorem(
    "deficit-is-borne-to-the-last-atom",
    "An accepted default bears its deficit to the last atom: what the layers of the pool bore and the uncovered loss, "
    "none negative, sum to what the account lacked, each layer being asked for what is left by those before it; the "
    "account ends flat, without collateral that has a price, and with a settlement balance of exactly 0.",
    "FALL-1",
    "FALL-3",
    "FALL-10",
    strength=Strength.BOUNDED,
    marks=("uncovered", "covered"),
)
def deficit_is_borne_to_the_last_atom(path: Any) -> Any:
    """Of an account with up to two positions, for every order of layers that the envelope allows in kind."""
    layers = next(order for name, order in LAYERS.items() if path.choice("layers", *LAYERS) == name)
    desk = defaulting(path, layers, pick(path, "positions", 0, 2), dust=path.atom("dust", 0, AMOUNT_MAX))
    state, lacks = desk.state, -desk.worth(DEFAULTER)
    desk.begin()
    with standing_in(path, BEAR, CLOSED, *UNREAD):
        receipt = apply(state, Event("event", 1, state.time, "anyone", ResolveDefault(DEFAULTER)))
    if receipt.reason is not None:
        return receipt.reason
    amounts, causes = receipt.amounts, [posting.cause for posting in receipt.postings]
    path.claim("the deficit is what it lacked", lambda: amounts["deficit"] == lacks)
    borne = [amounts[layer.value] for layer in layers]
    path.claim("none is negative", lambda: all(part >= 0 for part in (*borne, amounts["uncovered_loss"])))
    path.claim("the sum", lambda: sum(borne) + amounts["uncovered_loss"] == amounts["deficit"])
    path.claim("cash is zero", lambda: balance(state, user(CASH, POOL, DEFAULTER)) == 0)
    path.claim("flat", lambda: state.accounts[DEFAULTER].markets == () and desk.worth(DEFAULTER) == 0)
    path.claim(
        "no collateral", lambda: state.feeds[COIN].index == 0 or balance(state, user(COIN, POOL, DEFAULTER)) == 0
    )
    first = next((n for n, cause in enumerate(causes) if cause != "FALL-5"), len(causes))
    path.claim("funds pay first", lambda: "FALL-5" not in causes[first:])
    path.claim("in one pool", lambda: all({key[1] for key in posting[:2]} == {POOL} for posting in receipt.postings))
    path.mark("uncovered" if amounts["uncovered_loss"] > 0 else "covered")
    return amounts["deficit"]


@theorem(
    "layer-bears-at-most-what-is-left",
    "Each layer bears between nothing and what the layers before it left, and what it bears is exactly what the "
    "defaulter's balance rises by.",
    "FALL-3",
    "FALL-4",
    marks=("insurance_fund", "skin_in_the_game", "tear_up", "gains_haircut"),
)
def layer_bears_at_most_what_is_left(path: Any) -> Any:
    """Of losses in one market, or in one and others that count as one, or in none; of any pieces torn up."""
    desk = Desk(path, DEFAULTER, OTHER)
    state, cash = desk.state, user(CASH, POOL, DEFAULTER)
    layer = next(layer for layer in Layer if path.choice("layer", *Layer) == layer)
    split = layer in (Layer.INSURANCE_FUND, Layer.GAINS_HAIRCUT)
    weights = bearing(desk, (MARKET, SECOND_MARKET)[: pick(path, "losses", 0, 2) if split else 0])
    if layer == Layer.GAINS_HAIRCUT and path.choice("market", "open", "settling") == "settling":
        state.markets.put(MARKET, replace(state.markets[MARKET], status=MarketStatus.SETTLING))
    borne, deficit = path.atom("borne before", 0), path.atom("left", 0)
    torn = [TearUp(OTHER, path.atom("value", 0))]
    case = waterfall.Resolution(DEFAULTER, state.pools[POOL], borne + deficit, weights, torn, {"before": borne})
    start, room = balance(state, cash), path.fresh("room", 0)
    given(path, room <= torn[0].value, "range (waterfall.rooms-within-values-and-capacities)")
    with standing_in(path, rooms_of(room), HAIRCUT_STEP, SHARE, *INITIAL):
        paid = waterfall.bear(desk.ctx, case, layer)
    path.mark(layer.value)
    path.claim("at most what is left", lambda: 0 <= paid <= deficit)
    path.claim("to the defaulter", lambda: balance(state, cash) - start == paid)
    cause = "FALL-5" if layer in FUND_LAYERS else "FALL-8" if layer == Layer.TEAR_UP else "FALL-9"
    path.claim("by its rule", lambda: {posting.cause for posting in desk.ctx.postings} <= {cause})
    path.claim("in one pool", lambda: all({key[1] for key in posting[:2]} == {POOL} for posting in desk.ctx.postings))
    return paid


def bearing(desk: Desk, markets: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Markets that a deficit came from, at any price, open interest and indices, and the loss in each."""
    path, state = desk.path, desk.state
    for market in markets:
        desk.priced(path.atom(f"mark of {market}", 1, PRICE_MAX), market)
        indices = {name: path.atom(f"{market} {name}", None, INDEX_MAX) for name in ("haircut_long", "haircut_short")}
        taken = path.atom(f"taken in {market}")
        state.fundings.put(market, replace(state.fundings[market], haircut_since_variation=taken, **indices))
        state.open_interest.put(market, path.atom(f"open interest of {market}", 0))
    return [(market, path.atom(f"loss in {market}", 1)) for market in markets]


@theorem(
    "weights-are-losses",
    "A deficit falls to the markets in which the account shows a loss at mark, each once, by that loss or by 2^57 if "
    "it is more; if there is none, whole to the market that it left last; to none if it never held a position.",
    "FALL-4",
    "SETTLE-5",
    strength=Strength.BOUNDED,
    marks=("losses", "left last", "none"),
)
def weights_are_losses(path: Any) -> Any:
    """Of an account with up to two positions: each by itself, so that more add nothing; of any worth."""
    desk = Desk(path, DEFAULTER)
    held, last = (MARKET, SECOND_MARKET)[: pick(path, "positions", 0, 2)], path.choice("left last", "", MARKET)
    for market in held:
        desk.hold(DEFAULTER, path.atom(f"lots in {market}", 1, SIZE_MAX), market)
    record = desk.state.accounts[DEFAULTER]
    desk.state.accounts.put(DEFAULTER, replace(record, last_market=MARKET if last == MARKET else ""))
    figures = {name: Exposure(*(path.fresh(f"{name} {part}") for part in Exposure._fields)) for name in held}
    shown = StandIn(margin.position_exposure, "opaque", lambda _: lambda __, market, ___: figures[market])
    with standing_in(path, shown, *INITIAL):
        found = waterfall.market_weights(desk.ctx, DEFAULTER)
        positions = desk.state.positions
        worth = {name: margin.position_exposure(desk.ctx, name, positions[DEFAULTER, name]).at_mark for name in held}
    losing = [name for name in held if worth[name] < 0]
    if losing:
        path.mark("losses")
        path.claim("each once", lambda: [name for name, _ in found] == losing)
        for name, loss in found:
            path.claim("a loss", lambda loss=loss: 1 <= loss <= LOSS_MAX)
            path.claim("its own", lambda name=name, loss=loss: loss == min(-worth[name], LOSS_MAX))
        return found
    path.mark("left last" if last == MARKET else "none")
    path.claim("the market left last", lambda: found == ([(MARKET, 1)] if last == MARKET else []))
    return found


def _moved(path: Any) -> Function:
    def stand_in(ctx: Context, buyer: str, seller: str, market: str, size: Any, price: Any) -> None:
        state = ctx.state
        path.claim("at mark", lambda: price == state.marks[market].price)
        path.claim("lots are positive", lambda: size >= 1)
        claim_parties(path, ctx, market, buyer, seller)
        funding = state.fundings[market]
        for account, delta in ((buyer, size), (seller, -size)):
            held = state.positions[account, market]
            settle_owed(ctx, state.accounts[account], market, held)
            side = funding.haircut_long if held.size >= 0 else funding.haircut_short
            moved = Position(held.size + delta, held.cost + notional(delta, price), funding.index, side)
            state.positions.put((account, market), moved)

    return stand_in


MOVED = StandIn(waterfall.novate, "trading.novation-moves-worth-by-its-price", _moved)
"""A novation at mark moves lots and nobody's worth; how it splits between cost and cash nothing here looks at."""


def ranked(*accounts: str) -> StandIn:
    """The ranked counterparties: these."""

    def of(path: Any) -> Function:
        def stand_in(ctx: Context, defaulter: str, market: str, size: Any) -> list[str]:
            held = [ctx.state.positions[account, market].size for account in accounts]
            path.claim("not the defaulter", lambda: defaulter not in accounts)
            path.claim("on the other side", lambda: all(lots < 0 if size > 0 else lots > 0 for lots in held))
            return list(accounts)

        return stand_in

    return StandIn(waterfall.ranked_counterparties, "waterfall.counterparties-are-ranked", of)


@theorem(
    "closing-ends-flat",
    "A defaulter's position ends flat, since the other side of the market holds at least as many lots (INV-5): each "
    "counterparty gives what is left, at most its own lots, and none goes through zero; all of it at mark, so that "
    "nobody's worth moves.",
    "FALL-7",
    "INV-5",
    marks=("by the first", "by both"),
)
def closing_ends_flat(path: Any) -> Any:
    """Of any number of counterparties: those before the last that is needed count as one."""
    desk = Desk(path, DEFAULTER, OTHER, THIRD)
    desk.priced(path.atom("mark", 1, PRICE_MAX))
    sign = 1 if path.choice("side", "long", "short") == "long" else -1
    lots, first, second = (path.atom(name, 1) for name in ("lots", "lots of the first", "lots of the next"))
    given(path, first + second >= lots, "range (INV-5)")
    held = {DEFAULTER: sign * lots, OTHER: -sign * first, THIRD: -sign * second}
    for name, size in held.items():
        desk.hold(name, size)
    before = {name: desk.worth(name) for name in held}
    with standing_in(path, MOVED, ranked(OTHER, THIRD), *INITIAL):
        torn = list(waterfall.close_at_mark(desk.ctx, DEFAULTER, MARKET))
    left = {name: desk.state.positions[name, MARKET].size for name in held}
    path.mark("by both" if len(torn) > 1 else "by the first")
    path.claim("flat", lambda: left[DEFAULTER] == 0)
    for name in (OTHER, THIRD):
        path.claim("not through zero", lambda name=name: 0 <= -sign * left[name] <= -sign * held[name])
    for name in held:
        path.claim("no worth moves", lambda name=name: desk.worth(name) == before[name])
    path.claim("values are those of the lots", lambda: sum(part.value for part in torn) == lots * desk.mark())
    path.claim("none is negative", lambda: all(part.value >= 0 for part in torn))
    return left[OTHER]


class Ranks:
    """Scores and standings of counterparties: any, or their own; noted account by account."""

    def __init__(self, desk: Desk, *names: str) -> None:
        path = desk.path
        self.scores = {name: path.fresh(f"score of {name}") for name in names} if path.stand_ins else {}
        self.held = {name: any_standing(path, f"standing of {name}") for name in names} if path.stand_ins else {}
        if not path.stand_ins:
            for name in names:
                position = desk.state.positions[name, MARKET]
                part = margin.position_exposure(desk.ctx, MARKET, position)
                self.held[name] = margin.standing(desk.ctx, name)
                equity = self.held[name].margin_equity
                self.scores[name] = waterfall.rank_score(part.at_mark, position.cost, part.notional, equity)
        self.asked = iter(names)

    def stand_ins(self) -> tuple[StandIn, ...]:
        """In the order of the scan."""
        return (
            StandIn(margin.standing, "opaque", lambda _: lambda __, name: self.held[name]),
            StandIn(waterfall.rank_score, "opaque", lambda _: lambda *__: self.scores[next(self.asked)]),
            *INITIAL,
        )

    def above(self, name: str) -> Any:
        """Whether an account is above its maintenance requirement."""
        return self.held[name].margin_equity > self.held[name].maintenance


@theorem(
    "counterparties-are-ranked",
    "The counterparties of a default are exactly the accounts that hold lots on the other side of the market; those "
    "above maintenance come first, then the higher score, then the older account.",
    "FALL-6",
    strength=Strength.BOUNDED,
    marks=("above maintenance first", "higher score first", "older first"),
)
def counterparties_are_ranked(path: Any) -> Any:
    """Two on the other side and one on the defaulter's own: to sort more is Python's."""
    desk = Desk(path, OTHER, THIRD, FOURTH, DEFAULTER)
    desk.priced(100)
    sign = 1 if path.choice("side", "long", "short") == "long" else -1
    for name, side in ((OTHER, -1), (THIRD, -1), (FOURTH, 1), (DEFAULTER, 1)):
        desk.hold(name, side * sign * path.atom(f"lots of {name}", 1, 10**6))
    ranks = Ranks(desk, OTHER, THIRD)
    with standing_in(path, *ranks.stand_ins()):
        order = waterfall.ranked_counterparties(desk.ctx, DEFAULTER, MARKET, sign)
    path.claim("the other side", lambda: set(order) == {OTHER, THIRD})
    first, second = order
    if ranks.above(first) and not ranks.above(second):
        path.mark("above maintenance first")
        return order
    path.claim("above maintenance first", lambda: ranks.above(first) or not ranks.above(second))
    if ranks.scores[first] > ranks.scores[second]:
        path.mark("higher score first")
        return order
    path.mark("older first")
    path.claim("higher score first", lambda: ranks.scores[first] == ranks.scores[second])
    path.claim("older first", lambda: first == OTHER)
    return order


@theorem(
    "never-rejected-for-range",
    "A default is rejected for the standing of the account, its collateral or a settlement that is due: whatever its "
    "balances and positions come to, never for the range of an amount.",
    "FALL-1",
    "NUM-9",
    strength=Strength.BOUNDED,
    marks=("accepted",),
)
def never_rejected_for_range(path: Any) -> Any:
    """Of an account with up to one position."""
    desk = defaulting(
        path, (Layer.INSURANCE_FUND,), pick(path, "positions", 0, 1), dust=path.atom("dust", 0, AMOUNT_MAX)
    )
    desk.begin()
    with standing_in(path, BEAR, CLOSED, *UNREAD):
        receipt = apply(desk.state, Event("event", 1, desk.state.time, "anyone", ResolveDefault(DEFAULTER)))
    if receipt.reason is None:
        path.mark("accepted")
        return None
    admitted = (Reason.NOT_IN_DEFAULT, Reason.COLLATERAL_REMAINS, Reason.CLAIMS_PENDING)
    path.claim("an admitted reason", lambda: receipt.reason in admitted)
    return receipt.reason
