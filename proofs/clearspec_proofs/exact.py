"""Theorems that a kernel gives exactly the number of the spec's formula, case by case.

The other chapters show what the numbers are good for: bounds, order, conservation. A kernel may keep all of these and
still give another number than the spec says. Here each formula stands written out, over the functions that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clearspec import collateral, funding, liquidation, margin, oracle, parameters, settlement, trading, waterfall
from clearspec import events as ev
from clearspec.ledger import user
from clearspec.margin import Exposure
from clearspec.numerics import (
    BALANCE_MAX,
    EQUITY_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    PROFIT_MAX,
    SAMPLES_MAX,
    SCALE,
    SIZE_MAX,
    SOURCES_MAX,
    TIME_MAX,
    clamp,
    div_ceil,
    div_floor,
    div_to_zero,
    median,
    mul_ceil,
    mul_floor,
)
from clearspec.oracle import worst_price
from clearspec.parameters import (
    HAIRCUT_STEPS_MAX,
    Aggregation,
    CollateralTerms,
    FeedParameters,
    FundingParameters,
    Layer,
    LiquidationParameters,
    MarginParameters,
    MarketParameters,
    MarkParameters,
    PoolParameters,
    Tier,
    Violation,
)
from clearspec.sandbox import LISTING, MARGIN
from clearspec.sandbox import MARKET as PARAMETERS
from clearspec.sandbox import POOL as POOL_PARAMETERS
from clearspec.state import Account, Budget, Feed, Market, MarketStatus, Position, Post, State
from clearspec.waterfall import SCORE_MAX
from clearspec_proofs.collateral import one_of
from clearspec_proofs.desk import MARKET as BTC
from clearspec_proofs.desk import Desk
from clearspec_proofs.hints import pick
from clearspec_proofs.stand_ins import OPAQUE, any_bool, any_standing, opaque, standing_in
from clearspec_proofs.standings import remembered
from clearspec_proofs.theorems import Strength, theorem
from clearspec_proofs.world import MARKET, POOL, World, symbolic

FUND, OTHER_FUND, SHARED = Layer.INSURANCE_FUND, Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP


def any_one(path: Any, *_: Any) -> Any:
    """Any integer."""
    return path.fresh("figure")


def a_pool(path: Any) -> PoolParameters:
    """Any parameters of a pool without collateral."""
    made: PoolParameters = symbolic(path, PoolParameters, "pool", pool=POOL, settlement_asset="USD", collateral=(),
                                    layers=(), backstop="")  # fmt: skip
    return made


def exactly(path: Any, name: str, found: Any, holds: Callable[[], Any]) -> None:
    """Claim that a test says yes exactly where a condition holds."""
    if found:
        path.claim(f"{name}: only then", holds)
    else:
        path.claim(f"{name}: whenever", lambda: not holds())


def bounded(equity: Any) -> Any:
    """An equity moved into -2^64 .. 2^64 (NUM-9)."""
    return min(EQUITY_MAX, max(-EQUITY_MAX, equity))


# Collateral


@theorem(
    "conversion-need",
    "Collateral may be converted, of an account in default, for all that it lacks without it: its worth less net "
    "liquidation value; of any other for a negative settlement balance that is below the limit or belongs to an "
    "account below maintenance; else for nothing.",
    "COLL-8",
    marks=("in default", "due", "not due"),
)
def conversion_need(path: Any) -> Any:
    """Of any standing."""
    account, pool = any_standing(path, "account"), a_pool(path)
    need = collateral.conversion_need(account, pool)
    if account.net_liquidation_value < 0:
        path.mark("in default")
        path.claim("what it lacks", lambda: need == account.collateral - account.net_liquidation_value)
    elif account.cash < -pool.negative_balance_limit or account.margin_equity < account.maintenance:
        path.mark("due")
        path.claim("the balance", lambda: need == (-account.cash if account.cash < 0 else 0))
    else:
        path.mark("not due")
        path.claim("nothing", lambda: need == 0)
    return need


# Funding


@theorem(
    "median-premium",
    "A median premium is the median of the interval's samples, with zeros for those that it lacks of those needed.",
    "FUND-2",
)
def median_premium(path: Any) -> Any:
    """Up to three samples, up to three needed."""
    count, least = pick(path, "samples", 0, 3), pick(path, "needed", 1, 3)
    rules = symbolic(path, FundingParameters, "rules", aggregation=Aggregation.MEDIAN, min_samples=least)
    samples = tuple(path.atom(f"sample {number}") for number in range(count))
    premium = funding.aggregated(samples, rules)
    padded = [*samples, *(0 for _ in range(least - count))]
    path.claim("their median", lambda: premium == median(padded))
    return premium


@theorem(
    "mean-premium",
    "A mean premium is the sum of the interval's samples over their number, or over the number needed where that is "
    "more, rounded toward zero.",
    "FUND-2",
)
def mean_premium(path: Any) -> Any:
    """Up to three samples, up to three needed."""
    count, least = pick(path, "samples", 0, 3), pick(path, "needed", 1, 3)
    rules = symbolic(path, FundingParameters, "rules", aggregation=Aggregation.MEAN, min_samples=least)
    samples = tuple(path.atom(f"sample {number}") for number in range(count))
    premium = funding.aggregated(samples, rules)
    path.claim("their mean", lambda: premium == div_to_zero(sum(samples), max(count, least)))
    return premium


# Margin


@theorem(
    "open-interest-weight",
    "The weight of open interest is how far it stands between its bounds, rounded up and at most one; 0 where there "
    "are none, and up to the lower one.",
    "MARG-2",
)
def open_interest_weight(path: Any) -> Any:
    """Of bounds inside the envelope."""
    value, lower = path.atom("value", 0), path.atom("lower", 0)
    upper = lower + path.atom("between", 1) if path.choice("bounds", "some", "none") == "some" else 0
    weight = margin.open_interest_weight(value, lower, upper)
    if upper == 0 or value <= lower:
        path.claim("nothing", lambda: weight == 0)
        return weight
    part = div_ceil((value - lower) * SCALE, upper - lower)
    path.claim("its part", lambda: weight == (part if part <= SCALE else SCALE))
    return weight


@theorem(
    "collateral-price",
    "The price of a collateral asset is its index while that is fresh; then it falls with the time overdue at the "
    "asset's rate, down to 1, or 0 where there never was a price.",
    "MARG-7",
    "ORCL-9",
    marks=("fresh", "overdue"),
)
def collateral_price(path: Any) -> Any:
    """Any feed, at any time."""
    terms = symbolic(path, CollateralTerms, "terms", asset="COIN", feed="F")
    rules = symbolic(path, FeedParameters, "feed.parameters", feed="F", sources=())
    feed = symbolic(path, Feed, "feed", parameters=rules, markets=())
    state, time = State(), path.atom("time", 0, TIME_MAX)
    state.feeds.put("F", feed)
    price = margin.collateral_price(ev.Context(state, time), terms)
    late = time - feed.index_time - rules.max_age
    path.mark("fresh" if late <= 0 else "overdue")
    fallen = worst_price(feed.index, max(0, late), terms.stale_rate, SCALE, 1)
    least = 1 if feed.index >= 1 else 0
    path.claim("its price", lambda: price == (fallen if fallen >= least else least))
    return price


@theorem(
    "counted-profit",
    "A loss counts whole; a profit by its weight, rounded down, and at most its cap. Of a profit beyond 2^62 no more "
    "than that is weighed.",
    "MARG-8",
    "NUM-9",
)
def counted_profit(path: Any) -> Any:
    """Any weight and cap."""
    unrealised, weight, cap = path.atom("unrealised"), path.atom("weight", 0, SCALE), path.atom("cap", 0)
    counts = margin.counted_profit(unrealised, weight, cap)
    if unrealised <= 0:
        path.claim("whole", lambda: counts == unrealised)
    else:
        weighed = mul_floor(min(unrealised, PROFIT_MAX), weight)
        path.claim("by weight", lambda: counts == (weighed if weighed <= cap else cap))
    return counts


@theorem(
    "less-risk",
    "Less risk is maintenance that does not rise and no default, with equity that does not fall where there was no "
    "maintenance or negative equity, else with equity x maintenance before no less than equity before x maintenance.",
    "MARG-10",
    marks=("by health", "by equity"),
)
def less_risk(path: Any) -> Any:
    """Of any two standings."""
    before, after = any_standing(path, "before"), any_standing(path, "after")
    found = margin.reduces_risk(before, after)
    if after.maintenance > before.maintenance or after.net_liquidation_value < 0:
        path.claim("refused", lambda: not found)
    elif before.maintenance == 0 or before.margin_equity < 0:
        path.mark("by equity")
        exactly(path, "no less equity", found, lambda: after.margin_equity >= before.margin_equity)
    else:
        path.mark("by health")
        left, right = (
            bounded(after.margin_equity) * before.maintenance,
            bounded(before.margin_equity) * after.maintenance,
        )
        exactly(path, "no worse health", found, lambda: left >= right)
    return bool(found)


@theorem(
    "outflow-test",
    "An outflow may stand exactly if withdrawal equity covers the initial requirement and the withdrawal ratio of "
    "notional, rounded up.",
    "MARG-11",
)
def outflow_test(path: Any) -> Any:
    """Of any standing."""
    account, pool = any_standing(path, "account"), a_pool(path)
    equity = remembered(margin.withdrawal_equity, OPAQUE, any_one)
    with standing_in(path, equity):
        found, held = margin.outflow_allowed(account, pool), margin.withdrawal_equity(account, pool)
    ratio = mul_ceil(account.notional, pool.withdrawal_margin)
    exactly(path, "covered", found, lambda: held >= account.initial and held >= ratio)
    return bool(found)


@theorem(
    "withdrawal-equity",
    "Withdrawal equity is margin equity with the unrealised result replaced by what of it counts for outflows.",
    "MARG-11",
    "MARG-8",
)
def withdrawal_equity(path: Any) -> Any:
    """Of any standing."""
    account, pool = any_standing(path, "account"), a_pool(path)
    with standing_in(path, remembered(margin.counted_profit, OPAQUE, any_one)):
        equity = margin.withdrawal_equity(account, pool)
        counts = margin.counted_profit(account.unrealised, pool.profit_weight_withdrawal, pool.profit_cap_withdrawal)
    path.claim("what counts", lambda: equity == account.margin_equity - account.unrealised + counts)
    return equity


@theorem(
    "critical-health",
    "Health is critical exactly if margin equity, within 2^64, is below the critical part of the maintenance "
    "requirement.",
    "MARG-12",
)
def critical_health(path: Any) -> Any:
    """Compared by cross-multiplication."""
    account, ratio = any_standing(path, "account"), path.atom("critical", 0, SCALE)
    found = margin.is_critical(account, ratio)
    equity = bounded(account.margin_equity)
    exactly(path, "critical", found, lambda: equity * SCALE < account.maintenance * ratio)
    return bool(found)


# Liquidation


def a_market(path: Any, **rules: Any) -> Market:
    """A market with two tiers before a ramp and two after it, and any parameters of liquidation."""
    tables = [tuple(symbolic(path, Tier, f"{name}{at}") for at in range(2)) for name in ("tier", "tier before ")]
    liquid = symbolic(path, LiquidationParameters, "rules", **rules)
    now, before = (replace(PARAMETERS, margin=replace(MARGIN, tiers=table), liquidation=liquid) for table in tables)
    ramp = path.atom("ramp start", 0, TIME_MAX), path.atom("ramp end", 0, TIME_MAX)
    return Market(replace(LISTING, parameters=now), MarketStatus.ACTIVE, before, *ramp)


@theorem(
    "maintenance-in-force",
    "The maintenance ratio in force is the market's lowest; while a ramp runs the smaller of the lowest before and "
    "after it.",
    "LIQ-2",
    "PARM-13",
    marks=("ramp", "no ramp"),
)
def maintenance_in_force(path: Any) -> Any:
    """Of tables of two tiers."""
    market, time = a_market(path), path.atom("time", 0, TIME_MAX)
    lowest = liquidation.maintenance_in_force(market, time)
    now, before = (table.margin.tiers[0].maintenance for table in (market.listing.parameters, market.before))
    if time < market.ramp_end:
        path.mark("ramp")
        path.claim("the smaller", lambda: lowest == (now if now <= before else before))
    else:
        path.mark("no ramp")
        path.claim("the market's", lambda: lowest == now)
    return lowest


@theorem(
    "shortfall",
    "The shortfall is what margin equity lacks of maintenance and its buffer, rounded up, within 2^64.",
    "LIQ-2",
)
def shortfall(path: Any) -> Any:
    """Of any standing."""
    account, buffer = any_standing(path, "account"), path.atom("buffer", 0, SCALE)
    found = liquidation.shortfall_to_target(account, buffer)
    lacks = account.maintenance + mul_ceil(account.maintenance, buffer) - account.margin_equity
    path.claim("what it lacks", lambda: found == bounded(lacks))
    return found


@theorem(
    "restoring-size",
    "The restoring size is the lots, rounded up, of the notional that frees the shortfall and two atoms at maintenance "
    "less penalty, rounded up.",
    "LIQ-2",
)
def restoring_size(path: Any) -> Any:
    """Of a maintenance ratio above the penalty's."""
    lacks, price, penalty = path.atom("shortfall"), path.atom("price", 1, PRICE_MAX), path.atom("penalty", 0, SCALE)
    maintenance = penalty + path.atom("more", 1, SCALE)
    lots = liquidation.restoring_size(lacks, price, maintenance, penalty)
    path.claim("the lots", lambda: lots == div_ceil(div_ceil((lacks + 2) * SCALE, maintenance - penalty), price))
    return lots


@theorem(
    "closable-size",
    "What one liquidation may close is the whole position below critical health; else the restoring size, at most the "
    "close factor's part, rounded up, at least the minimum piece, and at most the position.",
    "LIQ-3",
    marks=("critical", "not critical"),
)
def closable_size(path: Any) -> Any:
    """Health, shortfall and restoring size are opaque."""
    market, account = a_market(path), any_standing(path, "account")
    size, price, time = path.atom("size", 1, SIZE_MAX), path.atom("price", 1, PRICE_MAX), path.atom("time", 0, TIME_MAX)
    rules = market.listing.parameters.liquidation
    parts = (
        remembered(margin.is_critical, OPAQUE, lambda path, *_: any_bool(path, "critical")),
        *(remembered(part, OPAQUE, any_one) for part in (
            liquidation.shortfall_to_target, liquidation.restoring_size, liquidation.maintenance_in_force,
        )),
    )  # fmt: skip
    with standing_in(path, *parts):
        lots = liquidation.closable_size(size, price, account, market, time)
        critical = liquidation.is_critical(account, rules.critical_health)
        lacks = liquidation.shortfall_to_target(account, rules.buffer)
        lowest = liquidation.maintenance_in_force(market, time)
        wanted = liquidation.restoring_size(lacks, price, lowest, rules.penalty)
    if critical:
        path.mark("critical")
        path.claim("all of it", lambda: lots == size)
        return lots
    path.mark("not critical")
    part = mul_ceil(size, rules.close_factor)
    piece = wanted if wanted <= part else part
    piece = piece if piece >= rules.minimum else rules.minimum
    path.claim("the piece", lambda: lots == (piece if piece <= size else size))
    return lots


@theorem(
    "piece-to-close",
    "A liquidation closes what is asked for, at most what may be closed; it is rejected exactly if that is less than "
    "the minimum piece and than what may be closed.",
    "LIQ-3",
    marks=("closed", "too small"),
)
def piece_to_close(path: Any) -> Any:
    """Any sizes."""
    market, most = a_market(path), path.atom("closable", 1, SIZE_MAX)
    action = ev.Liquidate("A", "B", "M", path.atom("asked", 1, SIZE_MAX))
    least, piece = market.listing.parameters.liquidation.minimum, min(action.size, most)
    enough = piece >= least or piece >= most
    try:
        lots = liquidation.piece_to_close(ev.Context(State(), 0, "actor"), action, market, most)
    except ev.Rejected as rejected:
        path.mark("too small")
        reason = rejected.reason
        path.claim("too small", lambda: not enough and reason == ev.Reason.SIZE_BELOW_MINIMUM)
        return reason
    path.mark("closed")
    path.claim("what is asked", lambda: lots == piece)
    path.claim("large enough", lambda: enough)
    return lots


@theorem(
    "who-may-liquidate",
    "An actor may liquidate into its own accounts, and anyone into the pool's backstop account.",
    "LIQ-1",
)
def who_may_liquidate(path: Any) -> Any:
    """Owner and backstop are the ones, or others."""
    owner = "actor" if path.choice("the owner", "sends it", "is another") == "sends it" else "another"
    backstop = "B" if path.choice("the backstop", "is it", "is another") == "is it" else "C"
    state = State()
    state.accounts.put("B", Account("B", owner, POOL, (), ""))
    state.pools.put(POOL, replace(POOL_PARAMETERS, backstop=backstop))
    found = liquidation.may_act_for(ev.Context(state, 0, "actor"), "B")
    exactly(path, "allowed", found, lambda: owner == "actor" or backstop == "B")
    return bool(found)


@theorem(
    "reward-top-up",
    "Insurance adds to a reward what it lacks of the floor, rounded down, at most what the budget leaves and at most "
    "what the fund holds; never less than nothing.",
    "LIQ-6",
)
def reward_top_up(path: Any) -> Any:
    """Any rewards, budgets and funds."""
    rules = symbolic(path, LiquidationParameters, "rules")
    value, reward, spent, fund = path.atom("value", 0), path.atom("reward"), path.atom("spent"), path.atom("fund")
    added = liquidation.topped_up(value, reward, rules, spent, fund)
    least = mul_floor(value, rules.reward_floor) - reward
    for most in (rules.reward_budget - spent, fund):
        least = least if least <= most else most
    path.claim("what it adds", lambda: added == (least if least >= 0 else 0))
    return added


@theorem(
    "budgets-renew",
    "A budget stays while its interval runs, and is empty and starts anew at the first draw once it has passed.",
    "LIQ-6",
    "FALL-5",
    marks=("running", "passed"),
)
def budgets_renew(path: Any) -> Any:
    """At the last second of the interval it still runs."""
    budget, time, interval = symbolic(path, Budget, "budget"), path.atom("time", 0, TIME_MAX), path.atom("interval", 1)
    now = liquidation.renewed(budget, time, interval)
    if time < budget.start + interval:
        path.mark("running")
        path.claim("the same", lambda: now is budget)
    else:
        path.mark("passed")
        path.claim("empty", lambda: now.start == time and now.deficits == 0 and now.rewards == 0)
    return now.rewards


# The oracle


@theorem(
    "quorum-price",
    "With a quorum of posts that count the price is their median; with fewer there is none.",
    "ORCL-2",
    marks=("a quorum", "no quorum"),
)
def quorum_price(path: Any) -> Any:
    """Of three sources; which of their posts count is left open."""
    quorum = path.atom("quorum", 1, SOURCES_MAX, "PARM-10")
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=("s0", "s1", "s2"), quorum=quorum)
    state = State()
    posts = [symbolic(path, Post, f"post{number}") for number in range(3)]
    for number, post in enumerate(posts):
        state.posts.put(("F", f"s{number}"), post)
    ctx = ev.Context(state, path.atom("time", 0, TIME_MAX))
    with standing_in(path, remembered(oracle.counts, OPAQUE, lambda path, *_: any_bool(path, "counts"))):
        price = oracle.quorum_price(ctx, feed)
        prices = [post.price for post in posts if oracle.counts(post, feed, ctx.time)]
    if len(prices) >= feed.quorum:
        path.mark("a quorum")
        path.claim("their median", lambda: price == median(prices))
    else:
        path.mark("no quorum")
        path.claim("none", lambda: price == 0)
    return price


@theorem(
    "basis-sample",
    "A basis sample is the middle of bid and ask, rounded down, less the index, moved into the band around the index, "
    "whose width is rounded down.",
    "ORCL-6",
)
def basis_sample(path: Any) -> Any:
    """Of any book."""
    bid, ask, index = (path.atom(name, 1, PRICE_MAX) for name in ("bid", "ask", "index"))
    band = path.atom("band", 0, SCALE - 1)
    sample = oracle.basis_sample(bid, ask, index, band)
    middle, width = div_floor(bid + ask, 2) - index, mul_floor(index, band)
    inside = middle if middle <= width else width
    path.claim("the middle", lambda: sample == (inside if inside >= -width else -width))
    return sample


# What an account is worth


@theorem(
    "collateral-values",
    "Collateral counts after haircut at its price, and at its index, each rounded down by its unit; the haircut is "
    "taken off rounded down too.",
    "MARG-7",
)
def collateral_values(path: Any) -> Any:
    """Of any amount; the price is opaque."""
    pool, terms = a_pool(path), symbolic(path, CollateralTerms, "terms", asset="COIN", feed="F")
    state, amount, index = State(), path.atom("amount", 0), path.atom("index", 0, PRICE_MAX)
    rules = symbolic(path, FeedParameters, "feed.parameters", feed="F", sources=())
    state.feeds.put("F", symbolic(path, Feed, "feed", parameters=rules, markets=(), index=index))
    state.balances.put(user("COIN", POOL, "A"), amount)
    ctx = ev.Context(state, path.atom("time", 0, TIME_MAX))
    with standing_in(path, remembered(margin.collateral_price, OPAQUE, any_one)):
        reduced, at_index = margin.collateral_values(ctx, pool, terms, "A")
        price = margin.collateral_price(ctx, terms)
    worth = div_floor(amount * price, terms.unit)
    path.claim("after haircut", lambda: reduced == mul_floor(worth, SCALE - terms.haircut))
    path.claim("at index", lambda: at_index == div_floor(amount * index, terms.unit))
    return reduced, at_index


@theorem(
    "margin-equity",
    "Margin equity is the settlement balance, every collateral asset after haircut, and the unrealised result (up to "
    "two collateral assets).",
    "MARG-9",
    strength=Strength.BOUNDED,
)
def margin_equity(path: Any) -> Any:
    """Collateral and exposure are opaque."""
    count, state = pick(path, "collateral assets", 0, 2), State()
    terms = tuple(symbolic(path, CollateralTerms, f"terms{at}", asset=f"COIN{at}", feed="F") for at in range(count))
    pool = replace(a_pool(path), collateral=terms)
    state.accounts.put("A", Account("A", "actor", POOL, (), ""))
    state.pools.put(POOL, pool)
    cash = path.atom("cash")
    state.balances.put(user("USD", POOL, "A"), cash)
    rules = symbolic(path, FeedParameters, "feed.parameters", feed="F", sources=())
    state.feeds.put("F", symbolic(path, Feed, "feed", parameters=rules, markets=()))
    for at in range(count):
        state.balances.put(user(f"COIN{at}", POOL, "A"), path.atom(f"amount {at}", 0))
    ctx = ev.Context(state, path.atom("time", 0, TIME_MAX))
    parts = (
        remembered(margin.collateral_values, OPAQUE, lambda path, *_: (path.fresh("reduced"), path.fresh("at index"))),
        remembered(
            margin.exposure, OPAQUE, lambda path, *_: Exposure(*(path.fresh(part) for part in Exposure._fields))
        ),
    )
    with standing_in(path, *parts):
        held, shown = margin.standing(ctx, "A"), margin.exposure(ctx, state.accounts["A"])
        values = [margin.collateral_values(ctx, pool, entry, "A") for entry in terms]
    path.claim("equity", lambda: held.margin_equity == cash + sum(part[0] for part in values) + shown.unrealised)
    path.claim("collateral", lambda: held.collateral == sum(part[1] for part in values))
    return held.margin_equity


@theorem(
    "result-at-risk",
    "The unrealised result of an open position is its result at mark while the mark is fresh, at the last second too; "
    "then less the age penalty.",
    "MARG-5",
    "MARG-6",
    marks=("fresh", "stale"),
)
def result_at_risk(path: Any) -> Any:
    """Requirements and penalty are opaque."""
    world = World(path)
    world.pool()
    world.market()
    state, size = world.state, path.atom("size", 1, SIZE_MAX)
    position = symbolic(path, Position, "position", size=size)
    mark = state.marks[MARKET]
    ctx = ev.Context(state, mark.fresh_until + path.atom("late", -TIME_MAX, TIME_MAX))
    parts = (
        remembered(margin.stale_penalty, OPAQUE, any_one),
        remembered(margin.requirements, OPAQUE, lambda path, *_: (path.fresh("initial"), path.fresh("maintenance"))),
    )
    with standing_in(path, *parts):
        shown = margin.position_exposure(ctx, MARKET, position)
        penalty = margin.stale_penalty(mark, state.markets[MARKET], size, ctx.time)
    if ctx.time <= mark.fresh_until:
        path.mark("fresh")
        path.claim("at mark", lambda: shown.unrealised == shown.at_mark)
    else:
        path.mark("stale")
        path.claim("less its age", lambda: shown.unrealised == shown.at_mark - penalty)
    return shown.unrealised


# The envelope


def claim_violated(path: Any, found: list[Violation], name: str, left: Any, right: Any) -> None:
    """Claim that an inequality is among those that were found violated exactly if it is, with both sides."""
    sides = {entry.inequality: (entry.left, entry.right) for entry in found}
    if left > right:
        path.claim(f"{name} is found", lambda: name in sides)
        path.claim(f"{name} with its sides", lambda: sides[name] == (left, right))
    else:
        path.claim(f"{name} is not found", lambda: name not in sides)


@theorem(
    "price-gap",
    "The price gap is violated upward exactly if growth over the steps and one more, times penalty and basis with the "
    "funding of that time, each rounded up, exceeds one and maintenance less basis and band, each rounded down; "
    "downward likewise the other way round.",
    "PARM-8",
)
def price_gap(path: Any) -> Any:
    """Growth, what remains, and funding are opaque; of one and two steps."""
    steps, rates = pick(path, "steps", 1, 2), symbolic(path, FundingParameters, "funding")
    limits = replace(MARGIN, gap_steps=steps)
    mark = symbolic(path, MarkParameters, "mark")
    liquid = symbolic(path, LiquidationParameters, "rules")
    chosen = replace(PARAMETERS, margin=limits, mark=mark, liquidation=liquid, funding=rates)
    feed, lowest = symbolic(path, FeedParameters, "feed", feed="F", sources=()), path.atom("maintenance", 1, SCALE)
    parts = (parameters.grown, parameters.shrunk, parameters.funding_in_gap)
    with standing_in(path, *(remembered(part, OPAQUE, any_one) for part in parts)):
        found = list(parameters.gap_violations(chosen, feed, lowest))
        up, down = parameters.grown(feed.band, steps + 1), parameters.shrunk(feed.band, steps + 1)
        owed = parameters.funding_in_gap(rates, (steps + 1) * feed.step_interval)
    rise = mul_ceil(up, mul_ceil(SCALE + liquid.penalty, SCALE + mark.band) + owed)
    above = mul_floor(mul_floor(SCALE + lowest, SCALE - mark.band), SCALE - feed.band)
    below = mul_ceil(mul_ceil(SCALE - lowest, SCALE + mark.band) + owed, SCALE + feed.band)
    fall = mul_floor(mul_floor(down, SCALE - liquid.penalty), SCALE - mark.band)
    claim_violated(path, found, "gap-up", rise, above)
    claim_violated(path, found, "gap-down", below, fall)
    return rise, fall


@theorem(
    "haircut-of-a-newcomer",
    "The gains haircut is violated exactly if its window has more steps than are bounded, or if one with band and "
    "basis, rounded up, exceeds what remains over its steps and one more, times initial margin and less basis, each "
    "rounded down.",
    "PARM-14",
    marks=("bounded", "unbounded"),
)
def haircut_of_a_newcomer(path: Any) -> Any:
    """Windows in numbers; what remains is opaque. Without tiers, which PARM-7 refuses, there is no initial margin."""
    seconds = (1, 2, 3, HAIRCUT_STEPS_MAX - 1, HAIRCUT_STEPS_MAX, HAIRCUT_STEPS_MAX + 1)
    interval, step = seconds[pick(path, "window", 0, len(seconds) - 1)], pick(path, "step", 1, 2)
    mark = symbolic(path, MarkParameters, "mark", variation_interval=interval)
    table, above = symbolic(path, Tier, "tier"), symbolic(path, Tier, "tier above")
    tiers = (table, above) if path.choice("tiers", "two", "none") == "two" else ()
    chosen = replace(PARAMETERS, mark=mark, margin=replace(MARGIN, tiers=tiers))
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=(), step_interval=step)
    with standing_in(path, remembered(parameters.shrunk, OPAQUE, any_one)):
        found = list(parameters.gains_haircut_violations(chosen, feed))
        count = -(-interval // step) + 1
        if count > HAIRCUT_STEPS_MAX:
            path.mark("unbounded")
            path.claim("the bound", lambda: found == [Violation("variation-steps-bounded", count, HAIRCUT_STEPS_MAX)])
            return count
        down = parameters.shrunk(feed.band, count + 1)
    path.mark("bounded")
    moved = mul_ceil(SCALE + feed.band, SCALE + mark.band)
    covered = mul_floor(mul_floor(down, SCALE - mark.band), SCALE + (table.initial if tiers else 0))
    claim_violated(path, found, "haircut-within-initial", moved, covered)
    return moved


@theorem(
    "funding-of-a-gap",
    "The funding of a gap is the cap for its seconds and for the greatest gap between accruals, over the period, "
    "rounded up.",
    "PARM-8",
)
def funding_of_a_gap(path: Any) -> Any:
    """Of any seconds."""
    rates, seconds = symbolic(path, FundingParameters, "funding"), path.atom("seconds", 0)
    ratio = parameters.funding_in_gap(rates, seconds)
    path.claim("rounded up", lambda: ratio == div_ceil(rates.cap * (seconds + rates.max_gap), rates.period))
    return ratio


@theorem(
    "tier-table",
    "A table of tiers is violated exactly where none is present, an upper bound does not rise, a ratio falls, "
    "maintenance exceeds initial margin, or the top is not reached.",
    "PARM-7",
    marks=("none", "two"),
)
def tier_table(path: Any) -> Any:
    """Up to two tiers; a tier is compared with the one before alone."""
    count = pick(path, "tiers", 0, 2)
    tiers = [symbolic(path, Tier, f"tier{at}") for at in range(count)]
    path.mark("none" if count == 0 else "two" if count == 2 else "one")
    found = list(parameters.tier_violations(tiers))
    expected = [("tiers-present", 1, count)]
    lower, initial, maintenance = -1, 0, 0
    for tier in tiers:
        expected += [
            ("tiers-ascend", lower + 1, tier.upper), ("initial-never-falls", initial, tier.initial),
            ("maintenance-never-falls", maintenance, tier.maintenance),
            ("maintenance-at-most-initial", tier.maintenance, tier.initial),
        ]  # fmt: skip
        lower, initial, maintenance = tier.upper, tier.initial, tier.maintenance
    expected.append(("tiers-reach-the-top", NOTIONAL_MAX, lower))
    violated = [Violation(*entry) for entry in expected if entry[1] > entry[2]]
    path.claim("these and no others", lambda: found == violated)
    return len(violated)


@theorem(
    "collateral-haircut",
    "The haircut of a collateral asset is violated exactly if its asset takes more steps than are bounded while the "
    "market takes its own and one more, or if one less haircut, at a band above, rounded up, exceeds what remains over "
    "these steps less the discount, rounded down.",
    "PARM-12",
    marks=("bounded", "unbounded"),
)
def collateral_haircut(path: Any) -> Any:
    """Steps in numbers; what remains is opaque."""
    intervals = (1, 2, 7, HAIRCUT_STEPS_MAX - 1, HAIRCUT_STEPS_MAX)
    steps, step = pick(path, "steps", 1, 2), intervals[pick(path, "step of the market", 0, len(intervals) - 1)]
    own = pick(path, "step of the asset", 1, 4)
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=(), step_interval=own)
    terms = symbolic(path, CollateralTerms, "terms", asset="COIN", feed="F")
    count = -(-(steps + 1) * step // own) + 1
    with standing_in(path, remembered(parameters.shrunk, OPAQUE, any_one)):
        found = parameters.haircut_violations(terms, feed, steps, step)
        if count > HAIRCUT_STEPS_MAX:
            path.mark("unbounded")
            beyond = [Violation("haircut-steps-bounded COIN", count, HAIRCUT_STEPS_MAX)]
            path.claim("the bound", lambda: found == beyond)
            return count
        down = parameters.shrunk(feed.band, count)
    path.mark("bounded")
    covered, least = mul_floor(down, SCALE - terms.discount), mul_ceil(SCALE - terms.haircut, SCALE + feed.band)
    claim_violated(path, found, "haircut-covers-gap COIN", least, covered)
    return least


@theorem(
    "quorum-of-a-feed",
    "A feed is violated exactly if its quorum is below twice the faulty sources and one more, above the number of "
    "sources, or a source stands twice.",
    "PARM-10",
)
def quorum_of_a_feed(path: Any) -> Any:
    """Of up to four sources."""
    count = pick(path, "sources", 0, 4)
    names = tuple(f"s{at}" for at in range(count))
    sources = names + names[:1] if path.choice("a source", "once", "twice") == "twice" else names
    feed = symbolic(path, FeedParameters, "feed", feed="F", sources=sources)
    found = parameters.feed_violations(feed)
    claim_violated(path, found, "quorum-outvotes-faulty", 2 * feed.faulty + 1, feed.quorum)
    claim_violated(path, found, "quorum-reachable", feed.quorum, len(sources))
    claim_violated(path, found, "sources-distinct", len(sources), len(set(sources)))
    return feed.quorum


@theorem(
    "layers-of-a-pool",
    "A pool is violated exactly if a layer that shares losses stands before a fund, a layer or an asset stands twice, "
    "outflows count more profit than new risk, or a discount exceeds its haircut.",
    "PARM-11",
)
def layers_of_a_pool(path: Any) -> Any:
    """Of some orders of layers and up to two collateral assets."""
    orders = ((), (FUND,), (SHARED,), (FUND, SHARED), (SHARED, FUND), (FUND, FUND), (OTHER_FUND, SHARED, FUND))
    layers, count = orders[pick(path, "order", 0, len(orders) - 1)], pick(path, "assets", 0, 2)
    names = (
        ("COIN", "USD") if path.choice("an asset", "its own", "that of settlement") != "its own" else ("COIN", "GOLD")
    )
    terms = tuple(symbolic(path, CollateralTerms, name, asset=name, feed="F") for name in names[:count])
    pool = replace(a_pool(path), layers=layers, collateral=terms)
    found = parameters.pool_violations(pool)
    shared, funds = ([at for at, layer in enumerate(layers) if (layer == SHARED) is way] for way in (True, False))
    assets = [*names[:count], "USD"]
    claim_violated(path, found, "funds-before-sharing", max([-1, *funds]), min([len(layers), *shared]))
    claim_violated(path, found, "layers-distinct", len(layers), len(set(layers)))
    claim_violated(path, found, "collateral-distinct", len(assets), len(set(assets)))
    weights = pool.profit_weight_withdrawal, pool.profit_weight_initial
    claim_violated(path, found, "withdrawal-weight-at-most-initial", *weights)
    claim_violated(path, found, "withdrawal-cap-at-most-initial", pool.profit_cap_withdrawal, pool.profit_cap_initial)
    for entry in terms:
        claim_violated(path, found, f"discount-at-most-haircut {entry.asset}", entry.discount, entry.haircut)
    return len(found)


@theorem(
    "inequalities-of-a-market",
    "The inequalities of a market are its own and those of tiers, price gap and gains haircut: none is left out.",
    "PARM-9",
)
def inequalities_of_a_market(path: Any) -> Any:
    """The other three are opaque: what they find is passed on."""
    feed, lowest = symbolic(path, FeedParameters, "feed", feed="F", sources=()), path.atom("maintenance", 1, SCALE)
    limits = symbolic(path, MarginParameters, "margin", tiers=())
    chosen = symbolic(path, MarketParameters, "market", margin=limits)
    others = (parameters.tier_violations, parameters.gap_violations, parameters.gains_haircut_violations)
    calm = replace(chosen, mark=PARAMETERS.mark, margin=replace(limits, gap_steps=1))
    shown = replace(LISTING, parameters=chosen if path.stand_ins else calm)
    with standing_in(path, *(remembered(part, OPAQUE, a_violation(part.__name__)) for part in others)):
        found = parameters.market_violations(shown, feed, lowest)
        parts = shown.parameters.margin.tiers, (shown.parameters, feed, lowest), (shown.parameters, feed)
        passed = [*parameters.tier_violations(parts[0]), *parameters.gap_violations(*parts[1])]
        passed += parameters.gains_haircut_violations(*parts[2])
    for entry in passed:
        path.claim(f"{entry.inequality} is passed on", lambda entry=entry: entry in found)
    for name, left, right in own_inequalities(shown.parameters, feed, lowest):
        claim_violated(path, found, name, left, right)
    return len(passed)


def a_violation(name: str) -> Callable[..., list[Violation]]:
    """One violation of any sides."""
    return lambda path, *_: [Violation(name, path.fresh("left"), path.fresh("right"))]


def own_inequalities(chosen: MarketParameters, feed: FeedParameters, lowest: Any) -> list[tuple[str, Any, Any]]:
    """The inequalities of PARM-9 with both sides."""
    trading, liquid, limits, rates = chosen.trading, chosen.liquidation, chosen.margin, chosen.funding
    upper, lower = limits.open_interest_upper, limits.open_interest_lower
    return [
        ("position-notional-bounded", trading.max_position * feed.max_price, NOTIONAL_MAX),
        ("open-interest-bounded", trading.max_open_interest * feed.max_price, NOTIONAL_MAX),
        ("rebate-covered", -trading.maker_fee, trading.taker_fee),
        ("penalty-below-maintenance", liquid.penalty + 1, lowest),
        ("reward-at-most-penalty", liquid.reward, liquid.penalty),
        ("reward-floor-at-most-penalty", liquid.reward_floor, liquid.penalty),
        ("taker-fee-at-most-maintenance", trading.taker_fee, lowest),
        ("maker-fee-at-most-maintenance", trading.maker_fee, lowest),
        ("open-interest-scale-ordered", lower, upper - 1 if upper > 0 else lower),
        ("funding-interval-within-gap", rates.interval, rates.max_gap),
        ("samples-fit", rates.interval, rates.sample_interval * SAMPLES_MAX),
    ]


# Default and settlement


@theorem(
    "rank-score",
    "A counterparty's rank is its profit over its cost; of a winner times its leverage. Each factor is rounded down "
    "and moved into its range: profit within 2^62, the rate within the greatest score, leverage from 1 to it.",
    "FALL-6",
    marks=("winner", "loser"),
)
def rank_score(path: Any) -> Any:
    """Of any profit, cost, value and equity."""
    profit, cost, value, equity = (path.atom(name) for name in ("profit", "cost", "value", "equity"))
    score = waterfall.rank_score(profit, cost, value, equity)
    held = clamp(profit, -PROFIT_MAX, PROFIT_MAX)
    rate = clamp(div_floor(held * SCALE, max(1, abs(cost))), -SCORE_MAX, SCORE_MAX)
    if profit <= 0:
        path.mark("loser")
        path.claim("by profit", lambda: score == rate)
        return score
    path.mark("winner")
    leverage = clamp(div_floor(value * SCALE, max(1, equity)), 1, SCORE_MAX)
    path.claim("by profit and leverage", lambda: score == rate * leverage)
    return score


@theorem(
    "awaits-settlement",
    "A market awaits its settlement once it is settling, and from its expiry on.",
    "FALL-1",
)
def awaits_settlement(path: Any) -> Any:
    """Of any status, expiry and time."""
    listing = replace(LISTING, expiry=path.atom("expiry", 0, TIME_MAX))
    status = next(each for each in MarketStatus if path.choice("status", *MarketStatus) == each)
    market, time = Market(listing, status, PARAMETERS, 0, 0), path.atom("time", 0, TIME_MAX)
    found = waterfall.awaits_settlement(ev.Context(State(), time), market)
    expired = listing.expiry >= 1 and time >= listing.expiry
    exactly(path, "awaited", found, lambda: status == MarketStatus.SETTLING or expired)
    return bool(found)


@theorem(
    "uncollectable-part",
    "What an account cannot bear of a loss is the loss's part of its deficit among its losses, rounded down, at most "
    "the loss.",
    "SETTLE-5",
)
def uncollectable_part(path: Any) -> Any:
    """Of a deficit weighed up to 2^62."""
    loss, deficit, losses = path.atom("loss", 0), path.atom("deficit"), path.atom("losses")
    missing = settlement.uncollectable(loss, deficit, losses)
    part = div_floor(min(deficit, BALANCE_MAX) * loss, max(1, losses))
    path.claim("its part", lambda: missing == (part if part <= loss else loss))
    return missing


# Trading


@theorem(
    "fill",
    "A fill that opens or adds costs its notional and realises nothing. One that closes releases the closed lots' part "
    "of the cost, rounded toward zero, and realises what they bring less that; what goes through zero is opened at its "
    "own notional.",
    "TRADE-1",
    marks=("opens", "closes", "through zero"),
)
def fill(path: Any) -> Any:
    """Of any position and any fill of a lot or more."""
    position, price = symbolic(path, Position, "position"), path.atom("price", 1, PRICE_MAX)
    lots, buys = path.atom("lots", 1, SIZE_MAX), path.choice("side", "buys", "sells") == "buys"
    delta = lots if buys else -lots
    size, cost = position.size, position.cost
    after, realised = trading.filled(position, delta, price)
    path.claim("its lots", lambda: after.size == size + delta)
    if size == 0 or (size > 0 if buys else size < 0):
        path.mark("opens")
        path.claim("its notional", lambda: after.cost == cost + delta * price)
        path.claim("nothing realised", lambda: realised == 0)
        return realised
    held = size if size >= 0 else -size
    closing = lots if lots <= held else held
    path.mark("closes" if lots <= held else "through zero")
    released = div_to_zero(cost * closing, held)
    closed = closing if buys else -closing
    path.claim("what is released", lambda: realised == -closed * price - released)
    path.claim("what stays and opens", lambda: after.cost == cost - released + (delta - closed) * price)
    return realised


@theorem(
    "admits-fills",
    "A market admits fills while it is active or reduce-only, and before its expiry if it has one.",
    "TRADE-4",
)
def admits_fills(path: Any) -> Any:
    """In the second of its expiry no longer."""
    listing = replace(LISTING, expiry=path.atom("expiry", 0, TIME_MAX))
    status = next(each for each in MarketStatus if path.choice("status", *MarketStatus) == each)
    market, time = Market(listing, status, PARAMETERS, 0, 0), path.atom("time", 0, TIME_MAX)
    found = trading.is_trading(ev.Context(State(), time), market)
    open_status = status in (MarketStatus.ACTIVE, MarketStatus.REDUCE_ONLY)
    ahead = listing.expiry == 0 or time < listing.expiry
    exactly(path, "admitted", found, lambda: open_status and ahead)
    return bool(found)


@theorem(
    "counterparties",
    "The counterparties of a default are the accounts that hold lots on the other side: neither the defaulter, nor "
    "whoever holds the same side, nor whoever holds nothing in the market.",
    "FALL-6",
    marks=("found", "none"),
)
def counterparties(path: Any) -> Any:
    """Of an account with a position of any side, and one without; standings and scores are opaque."""
    world = World(path)
    world.pool()
    world.market()
    for account in ("D", "A", "B"):
        world.account(account)
    for account in ("D", "A"):
        world.position(account, MARKET, "open")
    sizes = {name: world.state.positions[name, MARKET].size for name in ("D", "A")}
    ctx = ev.Context(world.state, world.state.time)
    parts = (
        opaque(margin.position_exposure, lambda path, _: Exposure(*map(path.fresh, Exposure._fields))),
        opaque(margin.standing, any_standing),
    )
    with standing_in(path, *parts):
        found = waterfall.ranked_counterparties(ctx, "D", MARKET, sizes["D"])
    other_side = bool(sizes["A"] > 0) != bool(sizes["D"] > 0)
    path.mark("found" if other_side else "none")
    path.claim("these", lambda: found == (["A"] if other_side else []))
    return len(found)


@theorem(
    "haircut-of-gains",
    "Until the settlement price of a market is fixed, whatever its status, a gains haircut takes of each lot what the "
    "share comes to over the open lots, at most what is left of the price move since the variation-margin mark and of "
    "the range of the index of the side that won.",
    "FALL-9",
    "TRADE-4",
    marks=("borne", "fixed"),
)
def haircut_of_gains(path: Any) -> Any:
    """What that is of one lot is ``waterfall.haircut-step-within-gain``."""
    desk, share, taken = Desk(path, "D"), path.atom("share", 0), path.atom("taken", 0)
    desk.priced(path.atom("mark", 1, PRICE_MAX), BTC)
    desk.indices(BTC, haircut_since_variation=taken)
    state, step = desk.state, remembered(waterfall.haircut_step, OPAQUE, any_one)
    status, lots = one_of(path, "status", tuple(MarketStatus)), path.atom("open interest", 0, SIZE_MAX)
    state.open_interest.put(BTC, lots)
    state.markets.put(BTC, replace(state.markets[BTC], status=status))
    before, mark = state.fundings[BTC], state.marks[BTC]
    move = mark.price - mark.variation_price
    with standing_in(path, step):
        borne = waterfall.haircut_gains(desk.ctx, "D", BTC, share)
        index = before.haircut_long if move >= 0 else before.haircut_short
        expected = waterfall.haircut_step(share, lots, abs(move) - taken, index)
    fixed = status in (MarketStatus.SETTLING, MarketStatus.CLOSED)
    path.mark("fixed" if fixed else "borne")
    path.claim("of each lot", lambda: borne == (0 if fixed else expected * lots))
    return borne
