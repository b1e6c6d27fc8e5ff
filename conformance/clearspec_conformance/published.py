"""Published cases of real venues: which of them the rules reproduce, which they decide otherwise, and why.

``published_cases.json`` carries the facts: for every case its source, the numbers that went in (``facts``, in the
venue's units), the numbers that came out (``published``), what we add where the case says nothing (``setting``), and
its classification. A *check* below turns the facts into lots and atoms, asks the reference, and turns its answer back
into the venue's units. ``python -m clearspec_conformance.published`` prints ``docs/published-cases.md``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from importlib.resources import files
from math import lcm
from typing import Any

from clearspec import events as ev
from clearspec.funding import accrued, aggregated, funding_owed, funding_rate
from clearspec.invariants import broken
from clearspec.ledger import Kind, Posting, balance, clearing, house, post, user
from clearspec.liquidation import closable_size, penalty_for, restoring_size, reward_from
from clearspec.listing import OutsideEnvelope, build
from clearspec.machine import apply
from clearspec.margin import Standing, counted_profit, is_liquidatable, scaled_initial, tiered_requirement
from clearspec.numerics import (
    AMOUNT_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    SCALE,
    SIZE_MAX,
    TIME_MAX,
    div_to_zero,
    median,
    mul_ceil,
    mul_floor,
    notional,
)
from clearspec.oracle import banded, premium_sample
from clearspec.parameters import (
    Aggregation,
    FundingParameters,
    InterestForm,
    MarginParameters,
    MarketListing,
    MarketParameters,
    Tier,
)
from clearspec.sandbox import ETH, ETH_FEED, FEED, FUNDING, LIQUIDATION, LISTING, MARGIN, MARKET, POOL, TRADING, Sandbox
from clearspec.sandbox import genesis as sandbox_genesis
from clearspec.state import Account, Funding, Market, MarketStatus, Position, State
from clearspec.trading import filled
from clearspec.waterfall import haircut_step, ranked_counterparties

Facts = dict[str, Any]
"""Numbers of a case by name. Integers are exact; a string is a decimal fraction."""

Check = Callable[[Facts], Facts]


class Class(StrEnum):
    """How a case stands to the rules."""

    SAME = "same"
    DIFFERENCE = "difference"
    OUT_OF_SCOPE = "out_of_scope"


SYSTEMS: dict[str, str] = {
    "amm": "An automated market maker as a party to fills and funding.",
    "debt": "Borrowing of assets other than the settlement asset, with interest and liquidation of the loan.",
    "feed adapters": "Price exponents and cross rates; a feed here takes settlement atoms per lot.",
    "insurance staking": "Shares in an insurance fund, their rebase and their unstaking.",
    "inverse contracts": "Contracts whose value is a number of coins that falls as the price rises.",
    "matching": "The order book: resting orders, their margin, depth and impact prices.",
    "prediction": "Contracts that pay one or nothing.",
    "routing": "Fills taken on another venue's book.",
}
"""Systems that have no chapter yet, and what each is."""


@dataclass(frozen=True, slots=True)
class Case:
    """A published case. ``basis`` is the rule that agrees or differs, or the system that a case belongs to.

    ``ours`` and ``by_hand`` are there when a difference is pinned: our numbers, and the arithmetic that gives them.
    ``tolerance`` is the rounding of the published number.
    """

    id: str
    venue: str
    source: Mapping[str, str]
    classification: Class
    basis: str
    reason: str
    check: str
    facts: Facts
    setting: Facts
    published: Facts
    ours: Facts
    by_hand: str
    tolerance: str


def case_of(record: Mapping[str, Any]) -> Case:
    """A case from its JSON object; fields that do not apply are empty."""
    return Case(
        record["id"],
        record["venue"],
        record["source"],
        Class(record["classification"]),
        record["basis"],
        record["reason"],
        record.get("check", ""),
        record.get("facts", {}),
        record.get("setting", {}),
        record.get("published", {}),
        record.get("ours", {}),
        record.get("by_hand", ""),
        record.get("tolerance", "0"),
    )


def load() -> tuple[Case, ...]:
    """All cases, in the order of the file."""
    text = files(__package__).joinpath("published_cases.json").read_text(encoding="utf-8")
    return tuple(case_of(record) for record in json.loads(text))


def answer(case: Case) -> Facts:
    """What the reference answers to a case, in the venue's units."""
    return CHECKS[case.check]({**case.setting, **case.facts})


def normal(value: Any) -> Any:
    """A value for comparison: numbers and decimal strings as fractions, lists and objects by their items."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, dict):
        return {name: normal(item) for name, item in value.items()}
    if isinstance(value, bool) or value is None:
        return value
    try:
        return Fraction(value)
    except ValueError:
        return value


def reproduces(case: Case, found: Facts) -> bool:
    """Whether an answer gives the published numbers; of an error only that there is one, its name is the venue's."""
    expected, given = dict(case.published), dict(found)
    if "error" in expected:
        expected["error"], given["error"] = bool(expected["error"]), bool(given.get("error"))
    return agrees(expected, given, case.tolerance)


def agrees(expected: Facts, found: Facts, tolerance: str = "0") -> bool:
    """Whether every expected value was found, each number within the tolerance."""
    for name, value in expected.items():
        left, right = normal(value), normal(found.get(name))
        if isinstance(left, Fraction) and isinstance(right, Fraction):
            if abs(left - right) > Fraction(tolerance):
                return False
        elif left != right or type(left) is not type(right):
            return False
    return True


# Units


def ratio(ppm: int) -> int:
    """Parts per million as a ratio."""
    return ppm * 1000


def to_ppm(value: int) -> str:
    """A ratio in parts per million."""
    return str(Fraction(value, 1000))


@dataclass(frozen=True, slots=True)
class Lots:
    """How many of a venue's base units make a lot, and the price of that lot in atoms."""

    unit: int
    price: int

    def of(self, base: int) -> int:
        """A number of base units in lots; it must be whole."""
        if base % self.unit:
            raise ValueError(f"{base} base units are not a whole number of lots of {self.unit}")
        return base // self.unit


def lots_of(market: Facts, index_step: Fraction = Fraction(1)) -> Lots:
    """The smallest lot whose price, and whose step of the funding index, is a whole number of quote units (1e-6)."""
    power = market["exponent"] + market["base_exponent"] + 6
    per_unit = market["price"] * Fraction(10) ** power
    unit = lcm(per_unit.denominator, index_step.denominator)
    return Lots(unit, int(per_unit * unit))


def shared_ratio(initial_ppm: int, share_ppm: int) -> int:
    """Maintenance ratio from a share of the initial ratio, rounded down."""
    return mul_floor(ratio(initial_ppm), ratio(share_ppm))


# A clearinghouse in a published state


WHOLE = replace(LIQUIDATION, penalty=ratio(5000), reward=0, critical_health=SCALE)
"""Liquidation as near to dYdX as parameters allow: the whole position, a penalty of at most 0.5 %, all to insurance."""


def tier_of(market: Facts) -> Tier:
    """The one tier of a market; 10 % and 5 % where the case gives no requirement."""
    initial = ratio(market.get("initial_ppm", 0))
    if initial == 0:
        return Tier(NOTIONAL_MAX, SCALE // 10, SCALE // 20)
    return Tier(NOTIONAL_MAX, initial, shared_ratio(market["initial_ppm"], market["maintenance_share_ppm"]))


def listing_of(name: str, price: int, tier: Tier, pool: str = "main", **sections: Any) -> MarketListing:
    """A market whose caps suit its price; ``sections`` replace sections of the parameters."""
    most = min(SIZE_MAX, NOTIONAL_MAX // (2 * price))
    trading = replace(TRADING, max_position=most, max_open_interest=most)
    terms: MarketParameters = replace(MARKET, trading=trading, margin=replace(MARGIN, tiers=(tier,)))
    return replace(LISTING, market=name, pool=pool, feed=f"{name}-feed", parameters=replace(terms, **sections))


def sandbox_of(listings: Sequence[MarketListing], prices: Sequence[int], **pool: Any) -> Sandbox:
    """A clearinghouse of one pool per pool named, with each market's index at its price."""
    terms = replace(POOL, **{"collateral": (), **pool})
    names = dict.fromkeys(["main", *(listing.pool for listing in listings)])
    pools = tuple(replace(terms, pool=name) for name in names)
    feeds = tuple(
        replace(FEED, feed=listing.feed, max_price=min(PRICE_MAX, 2 * price), max_age=TIME_MAX // 2**10)
        for listing, price in zip(listings, prices, strict=True)
    )
    box = Sandbox(sandbox_genesis(pools[0], tuple(listings), feeds, pools[1:]))
    for listing, price in zip(listings, prices, strict=True):
        box.price(price, listing.feed)
    return box


def credit(state: State, account: str, amount: int) -> None:
    """Bring atoms into custody and credit an account; a negative amount is the reverse."""
    pool = state.accounts[account].pool
    entries: list[Posting] = []
    post(state, entries, house("USD", pool, Kind.CUSTODY), user("USD", pool, account), amount, "COLL-3")


def place(
    box: Sandbox,
    account: str,
    cash: int,
    sizes: Mapping[str, int],
    costs: Mapping[str, int] | None = None,
    since: int = 0,
    pool: str = "main",
) -> None:
    """Open an account with positions and a net cash (cash less cost), which is how the venues keep it.

    Positions cost their mark unless ``costs`` says otherwise; ``since`` is the funding index they were settled at.
    Invariants hold again, and are checked again, after ``balance_books``.
    """
    box.check = False
    box.open(account, pool=pool)
    state = box.state
    held = {market: size for market, size in sizes.items() if size != 0}
    paid = costs if costs is not None else {m: notional(size, state.marks[m].price) for m, size in held.items()}
    credit(state, account, cash + sum(paid.values()))
    for market, size in held.items():
        state.positions.put((account, market), Position(size, paid[market], since, 0))
        state.open_interest.put(market, state.open_interest[market] + max(0, size))
    state.accounts.put(account, Account(account, account, pool, tuple(held), ""))
    state.commit()


def balance_books(box: Sandbox, cash: int = 10**15) -> None:
    """One more account per pool takes the other side of every market and backs everybody's cash."""
    for pool in box.state.pools:
        open_positions = [(key, p) for key, p in box.state.positions.items() if box.state.accounts[key[0]].pool == pool]
        sizes: Counter[str] = Counter()
        costs: Counter[str] = Counter()
        for (_, market), position in open_positions:
            sizes[market] -= position.size
            costs[market] -= position.cost
        since = max((position.funding_index for _, position in open_positions), default=0)
        place(box, f"rest-{pool}", cash, sizes, costs, since, pool)
    box.check = True
    assert_sound(box)


def assert_sound(box: Sandbox) -> None:
    """Raise if an invariant does not hold."""
    found = broken(box.state)
    if found:
        raise AssertionError(f"broken invariants {found}")


def attempt(box: Sandbox, actor: str, action: ev.Action) -> tuple[str, Mapping[str, int]]:
    """Apply an action: ``accepted`` or the reason of its rejection, and the amounts of its receipt."""
    box.sequence += 1
    receipt = apply(box.state, ev.Event(f"e{box.sequence}", box.sequence, box.time, actor, action))
    assert_sound(box)
    return receipt.reason.value if receipt.reason else "accepted", receipt.amounts


def house_of(facts: Facts, rules: Any = WHOLE) -> tuple[Sandbox, dict[str, Lots]]:
    """The clearinghouse of a case's markets, and the lots of each market."""
    steps = {p["market"]: Fraction(p.get("index_last", 0), 10**6) for p in facts.get("positions", [])}
    lots = {f"M{m['market']}": lots_of(m, steps.get(m["market"], Fraction(1))) for m in facts["markets"]}
    tiers = {f"M{m['market']}": tier_of(m) for m in facts["markets"]}
    listings = [listing_of(name, lots[name].price, tiers[name], liquidation=rules) for name in lots]
    return sandbox_of(listings, [held.price for held in lots.values()]), lots


def sizes_of(positions: Iterable[Facts], lots: Mapping[str, Lots]) -> dict[str, int]:
    """Positions of a case in lots by market."""
    return {f"M{p['market']}": lots[f"M{p['market']}"].of(p["size"]) for p in positions}


def holding(box: Sandbox, account: str) -> Facts:
    """An account as the venue shows it: net cash, and positions (lots of one base unit)."""
    state = box.state
    held = [(market, state.positions[account, market]) for market in state.accounts[account].markets]
    net = box.cash(account) - sum(position.cost for _, position in held)
    positions = [{"market": int(market[1:]), "size": position.size} for market, position in held]
    return {"id": account, "cash": net, "positions": positions}


# Numerics


def check_median(facts: Facts) -> Facts:
    """NUM-7."""
    return {"median": median(facts["values"])}


def check_no_median(facts: Facts) -> Facts:
    """ORCL-2, ORCL-8: without a post there is no price, and what needs one is refused."""
    box = Sandbox()
    for account in ("a", "b"):
        box.open(account, 10**6)
    if facts["values"]:
        raise ValueError("there are values")
    outcome, _ = attempt(box, "venue", ev.Trade("BTC-PERP", "a", "b", 1, 100, ev.Side.SELLER))
    return {"error": outcome if outcome == ev.Reason.STALE_PRICE else ""}


def check_range(facts: Facts) -> Facts:
    """NUM-9: a size above the bound is refused."""
    outcome, _ = attempt(Sandbox(), "venue", ev.Trade("BTC-PERP", "a", "b", facts["size"], 100, ev.Side.SELLER))
    return {"error": outcome}


# Margin


def margin_terms(facts: Facts) -> MarginParameters:
    """Margin parameters of a dYdX liquidity tier."""
    tier = Tier(NOTIONAL_MAX, ratio(facts["initial_ppm"]), 0)
    if "maintenance_share_ppm" in facts:
        tier = replace(tier, maintenance=shared_ratio(facts["initial_ppm"], facts["maintenance_share_ppm"]))
    lower, upper = facts.get("interest_lower", 0), facts.get("interest_upper", 0)
    return replace(MARGIN, tiers=(tier,), open_interest_lower=lower, open_interest_upper=upper)


def both_requirements(value: int, interest: int, terms: MarginParameters, size: int = 0) -> tuple[int, int]:
    """Initial and maintenance requirement of a value."""
    tiered, maintenance = tiered_requirement(value, terms.tiers)
    return scaled_initial(value, tiered, size, interest, terms), maintenance


def check_requirement(facts: Facts) -> Facts:
    """MARG-1, MARG-2: the requirement of a position at its notional."""
    if "value" in facts:
        value, interest = facts["value"], facts["interest_value"]
    else:
        lots = lots_of(facts)
        value = notional(lots.of(abs(facts["size"])), lots.price)
        interest = notional(lots.of(facts["interest"]), lots.price)
    initial, maintenance = both_requirements(value, interest, margin_terms(facts))
    return {"initial": initial, "maintenance": maintenance}


def check_ratios(facts: Facts) -> Facts:
    """MARG-1, MARG-2: requirements of one million atoms are ratios in parts per million."""
    initial, maintenance = both_requirements(10**6, facts.get("interest_value", 0), margin_terms(facts))
    return {"initial_ppm": initial, "maintenance_ppm": maintenance}


def check_refused_listing(facts: Facts) -> Facts:
    """PARM-9: a market without margin is outside the envelope; the first inequality that fails."""
    listing = listing_of("M0", 100, margin_terms(facts).tiers[0])
    feed = replace(FEED, feed=listing.feed, max_price=200)
    try:
        build(sandbox_genesis(replace(POOL, collateral=()), (listing,), (feed,)))
    except OutsideEnvelope as refused:
        return {"error": refused.violation.inequality}
    return {"error": ""}


def check_size_linear(facts: Facts) -> Facts:
    """MARG-3: base ratio plus a slope per coin; amounts in 1e-6 of the settlement asset."""
    size, price = int(facts["size"]), int(Fraction(facts["index_price"]) * 10**6)
    base, slope = (int(Fraction(facts[name]) * SCALE / 100) for name in ("base_pct", "slope_pct"))
    tier = Tier(NOTIONAL_MAX, base, base)
    terms = replace(MARGIN, tiers=(tier,), size_slope=slope, size_unit=1)
    margin, _ = both_requirements(notional(size, price), 0, terms, size)
    rate = both_requirements(10**15, 0, terms, size)[0]
    return {"rate_pct": str(Fraction(rate * 100, 10**15)), "margin": str(Fraction(margin, 10**6))}


def tiers_of(rows: Sequence[Facts]) -> tuple[Tier, ...]:
    """A venue's tiers in 1e-6 of the settlement asset; the last one reaches the top."""
    lowers = [int(Fraction(row["lower"]) * 10**6) for row in rows]
    ratios = [int(Fraction(row["maintenance_rate"]) * SCALE) for row in rows]
    return tuple(Tier(upper, share, share) for upper, share in zip([*lowers[1:], NOTIONAL_MAX], ratios, strict=True))


def deduction(value: int, tier: Tier, tiers: tuple[Tier, ...]) -> str:
    """What a flat ratio of a tier asks above the sum of the slices, at a value (1e-6)."""
    return str(Fraction(mul_ceil(value, tier.maintenance) - tiered_requirement(value, tiers)[1], 10**6))


def check_tier_deductions(facts: Facts) -> Facts:
    """MARG-1: slices at their own ratios are the venue's flat ratio less its deduction."""
    tiers = tiers_of(facts["tiers"])
    lowers = [int(Fraction(row["lower"]) * 10**6) for row in facts["tiers"]]
    return {"deductions": [deduction(lower, tier, tiers) for lower, tier in zip(lowers, tiers, strict=True)]}


def check_tier_lookup(facts: Facts) -> Facts:
    """MARG-1: ratio and deduction of one notional."""
    tiers, value = tiers_of(facts["tiers"]), int(Fraction(facts["notional"]) * 10**6)
    tier = next(tier for tier in tiers if value < tier.upper)
    return {"maintenance_rate": str(Fraction(tier.maintenance, SCALE)), "deduction": deduction(value, tier, tiers)}


def check_next_deduction(facts: Facts) -> Facts:
    """MARG-1: the deduction of a tier from that of the tier before, which a first tier of our own gives."""
    rows = [
        {"lower": "0", "maintenance_rate": facts["first_rate"]},
        {"lower": facts["first_upper"], "maintenance_rate": facts["rate_before"]},
        {"lower": facts["floor"], "maintenance_rate": facts["rate"]},
    ]
    tiers = tiers_of(rows)
    floor = int(Fraction(facts["floor"]) * 10**6)
    return {"deduction_before": deduction(floor - 1, tiers[1], tiers), "deduction": deduction(floor, tiers[2], tiers)}


def stands_at(cash: int, unrealised: int, maintenance: int, value: int) -> Standing:
    """The standing of an account without collateral."""
    equity = cash + unrealised
    return Standing(cash, 0, unrealised, equity, equity, equity, maintenance, maintenance, value)


def crossing(cash: int, size: int, cost: int, tiers: tuple[Tier, ...]) -> int | None:
    """Price at which a position becomes liquidatable, the last for a long, the first for a short (MARG-12)."""

    def falls(price: int) -> bool:
        value = notional(abs(size), price)
        unrealised = notional(size, price) - cost
        return is_liquidatable(stands_at(cash, unrealised, tiered_requirement(value, tiers)[1], value))

    low, high = 0, min(PRICE_MAX, NOTIONAL_MAX // abs(size)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if falls(middle) == (size > 0) else (low, middle)
    price = low if size > 0 else high
    return price if price > 0 and falls(price) else None


def check_liquidation_price(facts: Facts) -> Facts:
    """MARG-1, MARG-12: where margin equity falls below maintenance; atoms of 1e-9.

    A venue's deduction comes from a lower tier of half the ratio that ends at twice the deduction over the ratio.
    """
    terms = {**facts, **facts.get("position", {})}
    amount, entry = Fraction(terms["amount"]), Fraction(terms["entry"])
    lots, unit = amount.numerator, amount.denominator
    maintenance, less = Fraction(terms["maintenance_rate"]), Fraction(terms.get("deduction", 0))
    cash = Fraction(facts["wallet"]) if "wallet" in facts else amount * entry / facts["leverage"]
    tier = Tier(NOTIONAL_MAX, SCALE, int(maintenance * SCALE))
    below = replace(tier, upper=int(2 * less / maintenance * SCALE), maintenance=tier.maintenance // 2)
    size = lots if facts["side"] == "long" else -lots
    price = crossing(int(cash * SCALE), size, int(size * entry / unit * SCALE), (below, tier))
    return {"liquidation_price": None if price is None else str(Fraction(price * unit, SCALE))}


def check_account_risk(facts: Facts) -> Facts:
    """MARG-6, MARG-9, FUND-6: the standing of an account that holds what the updates leave."""
    box, lots = house_of(facts)
    changes = {update["market"]: update["delta"] for update in facts["updates"]}
    left = [{**p, "size": p["size"] + changes.get(p["market"], 0)} for p in facts["positions"]]
    since = 0
    for position in left:
        unit = lots[f"M{position['market']}"].unit
        since = int(Fraction(position["index_last"] * unit, 10**6))
    place(box, "a", facts["cash"], sizes_of(left, lots), since=since)
    balance_books(box)
    held = box.standing("a")
    return {"equity": held.net_liquidation_value, "initial": held.initial, "maintenance": held.maintenance}


def check_is_liquidatable(facts: Facts) -> Facts:
    """MARG-12."""
    box, lots = house_of(facts)
    place(box, "a", facts["cash"], sizes_of(facts["positions"], lots))
    balance_books(box)
    return {"is_liquidatable": is_liquidatable(box.standing("a"))}


# Liquidation


def check_closing(facts: Facts) -> Facts:
    """LIQ-3, LIQ-4: what an account receives when a position is closed against a liquidator at mark, less penalty."""
    box, lots = house_of(facts)
    place(box, "a", facts["cash"], sizes_of(facts["positions"], lots))
    place(box, "keeper", 10**15, {})
    balance_books(box)
    market = f"M{facts['market']}"
    before = holding(box, "a")["cash"]
    held = sizes_of(facts["positions"], lots)[market]
    size = -facts["delta"] if held > 0 else facts["delta"]
    outcome, _ = attempt(box, "keeper", ev.Liquidate("a", "keeper", market, size))
    return {"received": holding(box, "a")["cash"] - before, "outcome": outcome}


def check_refused_closing(facts: Facts) -> Facts:
    """EVENT-5: a size that would not close a position is refused."""
    found = check_closing(facts)
    return {"error": found["outcome"] if found["outcome"] == ev.Reason.FIELD_OUT_OF_RANGE else ""}


def check_torn_up(facts: Facts) -> Facts:
    """FALL-8: what the oldest counterparty of a defaulter pays on, for the lots that it gives up."""
    box, lots = house_of(facts)
    held = sizes_of(facts["positions"], lots)
    (market,) = held
    place(box, "a", facts["cash"], held)
    place(box, "b", 10**12, {market: facts["delta"]})
    balance_books(box)
    before = holding(box, "b")["cash"]
    box.do("keeper", ev.ResolveDefault("a"))
    return {"received": before - holding(box, "b")["cash"]}


def taken(box: Sandbox, account: str, liquidator: str, market: str, delta: int) -> list[Facts]:
    """What a counterparty takes over in a liquidation, if it may."""
    outcome, amounts = attempt(box, liquidator, ev.Liquidate(account, liquidator, market, abs(delta)))
    return [{"offsetting": liquidator, "size": amounts["closed"]}] if outcome == "accepted" else []


def check_deleveraging(facts: Facts) -> Facts:
    """FALL-1, FALL-6 to FALL-8: default if there is one, else liquidation by the first counterparty that may."""
    box, lots = house_of(facts)
    accounts = facts["accounts"] if "accounts" in facts else [facts["liquidated"], facts["offsetting"]]
    names = [account["id"] for account in accounts]
    for account in accounts:
        place(box, account["id"], account["cash"], sizes_of(account["positions"], lots))
    balance_books(box)
    market = f"M{facts['market']}"
    held, fills = box.state.positions[names[0], market].size, list[Facts]()
    ranked = ranked_counterparties(ev.Context(box.state, box.time), names[0], market, held)
    outcome, _ = attempt(box, "keeper", ev.ResolveDefault(names[0]))
    if outcome == ev.Reason.NOT_IN_DEFAULT:
        fills = next(filter(None, (taken(box, names[0], name, market, facts["delta"]) for name in names[1:])), [])
    after = [holding(box, name) for name in names]
    closed = abs(held) - abs(box.state.positions[names[0], market].size)
    return {
        "default": outcome,
        "ranked": ranked,
        "fills": fills,
        "liquidated": after[0],
        "offsetting": after[1],
        "accounts_after": after,
        "delta_remaining": abs(facts["delta"]) - closed,
        "open_interest_after": box.state.open_interest[market],
    }


def settle_market(box: Sandbox, market: str, accounts: Sequence[str]) -> int:
    """Delist a market, settle every position and pay every claim; returns the settlement price."""
    box.do("admin", ev.Delist(market, 1))
    box.time = box.state.markets[market].listing.expiry
    price = box.do("keeper", ev.FixSettlement(market)).amounts["settlement_price"]
    for account in accounts:
        box.do("keeper", ev.SettlePosition(account, market))
    for account in accounts:
        attempt(box, "keeper", ev.PayClaim(account, market))
    return price


def check_final_settlement(facts: Facts) -> Facts:
    """SETTLE-4, SETTLE-6: both accounts after final settlement at the mark; nothing was paid for the positions."""
    box, lots = house_of(facts)
    accounts = [facts["liquidated"], facts["offsetting"]]
    for account in accounts:
        held = sizes_of(account["positions"], lots)
        place(box, account["id"], account["cash"], held, costs=dict.fromkeys(held, 0))
    balance_books(box)
    names = [account["id"] for account in accounts]
    settle_market(box, f"M{facts['market']}", names)
    return {"liquidated": holding(box, names[0]), "offsetting": holding(box, names[1])}


def check_may_deleverage(facts: Facts) -> Facts:
    """FALL-1, SETTLE-4: neither a default nor a final settlement takes a solvent account's position."""
    box, lots = house_of(facts)
    account = facts["account"]
    place(box, account["id"], account["cash"], sizes_of(account["positions"], lots))
    balance_books(box)
    resolved, _ = attempt(box, "keeper", ev.ResolveDefault(account["id"]))
    settled, _ = attempt(box, "keeper", ev.SettlePosition(account["id"], "M0"))
    return {"at_bankruptcy_price": resolved == "accepted", "at_oracle_price": settled == "accepted"}


def check_penalty(facts: Facts) -> Facts:
    """LIQ-4: penalty on the closed value, at most its part of the net liquidation value; the fill is at mark."""
    price = facts["fill_price"] * Fraction(10) ** facts["fill_exponent"]
    if price.denominator != 1:
        raise ValueError(f"{price} atoms per lot")
    mark, (position,) = int(price), facts["positions"]
    worth, held = facts["cash"] + notional(position["size"], mark), notional(abs(position["size"]), mark)
    return {"insurance": penalty_for(notional(facts["fill_size"], mark), ratio(facts["fee_ppm"]), worth, held)}


def check_zero_size(facts: Facts) -> Facts:
    """EVENT-5: a liquidation of nothing is refused."""
    outcome, _ = attempt(Sandbox(), "a", ev.Liquidate("a", "b", "BTC-PERP", facts["fill_size"]))
    return {"error": outcome if outcome == ev.Reason.FIELD_OUT_OF_RANGE else ""}


def check_contribution(facts: Facts) -> Facts:
    """COLL-9: money into a fund is always taken."""
    box = Sandbox()
    for amount in (facts["fund"], facts["fund_change"]):
        outcome, _ = attempt(box, "anyone", ev.Contribute("main", ev.Fund.INSURANCE_FUND, amount))
    return {"valid": outcome == "accepted" and box.balance("insurance_fund") == facts["fund"] + facts["fund_change"]}


def check_fund_draw(facts: Facts) -> Facts:
    """FALL-5: a fund pays what it holds; what is missing falls to the next layer."""
    box = sandbox_of([], [])
    box.do("anyone", ev.Contribute("main", ev.Fund.INSURANCE_FUND, facts["fund"]))
    place(box, "a", facts["fund_change"] if "fund_change" in facts else facts["delta"], {})
    balance_books(box)
    _, borne = attempt(box, "keeper", ev.ResolveDefault("a"))
    fund = box.balance("insurance_fund")
    return {"fund_pays": borne["insurance_fund"], "left_over": borne["uncovered_loss"], "fund": fund}


def check_zero_payment(facts: Facts) -> Facts:
    """LEDG-2: a posting of nothing changes nothing."""
    state = Sandbox().state
    fund, pool = house("USD", "main", Kind.INSURANCE_FUND), clearing("USD", "main", "BTC-PERP")
    entries: list[Posting] = []
    custody = house("USD", "main", Kind.CUSTODY)
    post(state, entries, custody, fund, facts["fund"], "COLL-9")
    post(state, entries, custody, pool, facts["pool"], "FUND-6")
    post(state, entries, pool, fund, facts["delta"], "FALL-5")
    return {"fund": balance(state, fund), "pool": balance(state, pool)}


def check_insurance_budget(facts: Facts) -> Facts:
    """FALL-4, FALL-5: what is left of a market's draw on insurance in the running interval; notional has no cap.

    The deficits are open losses of the market: one lot at 100, bought for 100 and the deficit.
    """
    rules = replace(WHOLE, insurance_cap=facts["limit"])
    box = sandbox_of([listing_of("M0", 100, tier_of({}), liquidation=rules)], [100])
    box.do("anyone", ev.Contribute("main", ev.Fund.INSURANCE_FUND, 10**6))
    for account, deficit in (("a", -facts["insurance_lost"]), ("b", facts["limit"])):
        place(box, account, -100 - deficit, {"M0": 1}, costs={"M0": 100 + deficit})
    balance_books(box)
    box.do("keeper", ev.ResolveDefault("a"))
    drawn = box.do("keeper", ev.ResolveDefault("b")).amounts["insurance_fund"]
    return {"insurance_left": drawn, "notional_left": None}


def check_closable(facts: Facts) -> Facts:
    """LIQ-3: most that one liquidation closes; a lot is the venue's step."""
    step, held = facts["step"], facts["size"]
    lots = lots_of(facts)
    price = lots.price * step // lots.unit
    size = -(-abs(held) // step)
    least = -(-facts["least_notional"] // price)
    closed = ratio(facts["portion_ppm"])
    rules = replace(LIQUIDATION, close_factor=closed, minimum=min(SIZE_MAX, least), penalty=ratio(5000), reward=0)
    value = notional(size, price)
    maintenance = value // 10
    cash = maintenance - 1 if facts.get("barely") else 0
    account = stands_at(cash, 0, maintenance, value)
    margin = replace(MARGIN, tiers=(Tier(NOTIONAL_MAX, SCALE // 5, SCALE // 10),))
    terms = replace(MARKET, margin=margin, liquidation=rules)
    market = Market(replace(LISTING, parameters=terms), MarketStatus.ACTIVE, terms, 0, 0)
    piece = closable_size(size, price, account, market, 0) * step
    return {"delta": -piece if held > 0 else piece}


def check_restoring(facts: Facts) -> Facts:
    """LIQ-2: lots of 1e-9 base, atoms of 1e-12; both of the venue's fees are our penalty."""
    scale = 10**6
    penalty = ratio(facts["fee"] + facts["insurance_fee"])
    price = facts["price"] * scale // 10**9
    return {"result": restoring_size(facts["shortage"] * scale, price, facts["ratio"] * 10**5, penalty)}


def check_insurance_fee(facts: Facts) -> Facts:
    """LIQ-4, LIQ-5: penalty, at most the worth of an account whose position closes whole, less reward, per million."""
    value = facts["size"] * facts["price"] // 10**9
    maintenance = mul_ceil(value, facts["ratio"] * 10**5)
    most = min(ratio(facts["fee"] + facts["insurance_fee_max"]), facts["ratio"] * 10**5 - 1)
    penalty = penalty_for(value, most, maintenance - facts["shortage"], value)
    return {"result": (penalty - reward_from(value, penalty, ratio(facts["fee"]))) * 10**6 // value}


def check_steady_penalty(facts: Facts) -> Facts:
    """LIQ-4: the penalty does not depend on how long a liquidation lasts."""
    return {"result": penalty_for(10**6, ratio(facts["fee"]), AMOUNT_MAX, 10**6)}


def check_zero_price(facts: Facts) -> Facts:
    """NUM-9: a price is at least 1."""
    outcome, _ = attempt(Sandbox(), "s1", ev.PostPrice("BTC", facts["price"], 0))
    return {"error": outcome}


# Funding


def funding_terms(cap: int, samples: int = 1, **changes: Any) -> FundingParameters:
    """Funding per eight hours, accrued hourly, without interest."""
    terms = replace(FUNDING, interval=3600, period=28800, max_gap=3600, aggregation=Aggregation.MEAN)
    terms = replace(terms, interest=0, interest_form=InterestForm.ADDED, damper=0, cap=min(SCALE, cap))
    return replace(terms, min_samples=samples, **changes)


def cap_of(facts: Facts) -> int:
    """The cap of dYdX: a factor times initial less maintenance ratio, rounded down."""
    room = ratio(facts["initial_ppm"]) - shared_ratio(facts["initial_ppm"], facts["maintenance_share_ppm"])
    return mul_floor(room, ratio(facts["clamp_ppm"]))


def check_funding_cap(facts: Facts) -> Facts:
    """FUND-3: both ends at which the rate is held; ``cap`` is a parameter, here set to the venue's product."""
    terms = funding_terms(cap_of(facts))
    high, low = funding_rate(SCALE, terms), funding_rate(-SCALE, terms)
    if high != -low:
        raise ValueError(f"{low} and {high}")
    return {"max_abs_ppm": to_ppm(high)}


def check_index_step(facts: Facts) -> Facts:
    """FUND-4: step of the funding index per million base units, and the remainder that is carried."""
    price = facts["price"] * Fraction(10) ** (facts["exponent"] + facts["base_exponent"] + 12)
    rate = ratio(facts["rate_ppm"])
    after = accrued(Funding(0, 0, 0, (), 0, 0, 0), rate, int(price), facts["seconds"], 28800)
    return {"index_delta": after.index, "carry": after.carry}


def check_tails(facts: Facts) -> Facts:
    """FUND-2: the mean of all samples, none removed."""
    samples = tuple(ratio(sample) for sample in facts["samples"])
    return {"premium_ppm": to_ppm(aggregated(samples, funding_terms(SCALE)))}


def check_funding_tick(facts: Facts) -> Facts:
    """FUND-2 to FUND-5: book samples of an hour, one accrual; a lot is a million base units where that fits."""
    base = lots_of(facts)
    units = 10**6 if base.price * 10**6 <= PRICE_MAX else base.unit
    price = base.price * units // base.unit
    spacing, interest = facts["sample_s"], ratio(facts["default_ppm"])
    samples = facts["tick_s"] // spacing
    terms = funding_terms(cap_of(facts), samples, interest=interest, sample_interval=spacing)
    tier = Tier(NOTIONAL_MAX, SCALE, SCALE)
    box = sandbox_of([listing_of("M0", price, tier, funding=terms)], [price])
    for premium, count in facts["premium_samples"]["repeat"]:
        quote = price + price * premium // 10**6
        for _ in range(count):
            box.time += spacing
            box.do("venue", ev.PostBook("M0", quote, quote))
    box.time = facts["tick_s"]
    amounts = box.do("keeper", ev.AccrueFunding("M0")).amounts
    return {"rate_ppm": to_ppm(amounts["rate"]), "index_delta": amounts["index_step"] * 10**6 // units}


def check_sample(facts: Facts) -> Facts:
    """FUND-2: the median of votes, padded with zeros."""
    least = max(facts["votes_least"], facts["rounds"])
    terms = funding_terms(SCALE, least, aggregation=Aggregation.MEDIAN)
    return {"premium_ppm": to_ppm(aggregated(tuple(ratio(vote) for vote in facts["votes"]), terms))}


def check_funding_payment(facts: Facts) -> Facts:
    """FUND-6: size times change of the index; an atom is a millionth of a quote unit, a lot one base unit."""
    return {"settled": -funding_owed(Position(facts["size"], 0, facts["index_last"], 0), facts["index_now"])}


def check_balance_range(facts: Facts) -> Facts:
    """FUND-6 and NUM-9: funding is paid exactly, but such a balance cannot be held."""
    (position,) = facts["positions"]
    owed = funding_owed(Position(position["size"], 0, position["index_last"], 0), facts["index_now"]["0"])
    box = Sandbox()
    box.open("a")
    outcome, _ = attempt(box, "a", ev.Deposit("a", "USD", facts["cash"]))
    return {"funding_paid": {"0": str(Fraction(owed, 10**6))}, "deposit": outcome}


def check_clamped_rate(facts: Facts) -> Facts:
    """ORCL-7, FUND-3: premium, then interest within its damper."""
    bid, oracle = int(facts["impact_bid"]), int(facts["oracle"])
    interest, damper = (int(Fraction(facts[name]) * SCALE / 100) for name in ("interest_pct", "damper_pct"))
    premium = premium_sample(bid, bid, oracle)
    terms = replace(FUNDING, interest=interest, damper=damper, cap=32 * SCALE // 100)
    rate = funding_rate(premium, terms)
    named = (("premium_pct", premium), ("clamp_pct", rate - premium), ("rate_pct", rate))
    return {name: str(Fraction(value * 100, SCALE)) for name, value in named}


def check_twap_funding(facts: Facts) -> Facts:
    """ORCL-7, FUND-3, FUND-4: a day's premium of one average over the other, paid by the hour; atoms of 1e-9."""
    mark, oracle = facts["mark_twap"] * 1000, facts["oracle_twap"] * 1000
    terms = funding_terms(SCALE // 33, period=86400)
    rate = funding_rate(aggregated((premium_sample(mark, mark, oracle),), terms), terms)
    after = accrued(Funding(0, 0, 0, (), 0, 0, 0), rate, oracle, facts["period"], terms.period)
    return {"result": after.index}


def check_two_sides(facts: Facts) -> Facts:
    """FUND-6: one index for both sides; the venue's own account, short what users are long net, is paid like any."""
    step, pool = facts["rate"], facts["amm"]
    long = funding_owed(Position(1, 0, 0, 0), step)
    short = -funding_owed(Position(-1, 0, 0, 0), step)
    received = -funding_owed(Position(-pool["net_base"], 0, 0, 0), step)
    return {"rate_long": long, "rate_short": short, "fee_pool": pool["fee_pool"] + div_to_zero(received, 10**12)}


# Oracle


def check_next_index(facts: Facts) -> Facts:
    """ORCL-3: where the index goes from its old price; a band of nothing is one atom wide."""
    return {"index": banded(facts["index_price"], facts["old_price"], 0, PRICE_MAX)}


def check_quorum(facts: Facts) -> Facts:
    """ORCL-1, ORCL-2: the median of the fresh posts."""
    fresh = [entry["price"] for entry in facts["exchange_prices"] if entry["fresh"]]
    sources = tuple(f"s{place}" for place in range(len(fresh)))
    feed = replace(FEED, sources=sources, quorum=len(fresh), faulty=(len(fresh) - 1) // 2)
    box = Sandbox(sandbox_genesis(replace(POOL, collateral=()), (LISTING,), (feed,)))
    for source, price in zip(sources, fresh, strict=True):
        box.do(source, ev.PostPrice("BTC", price, 0))
    return {"median": box.state.feeds["BTC"].index, "num_used": len(fresh)}


def impact_price(facts: Facts, side: str) -> int | None:
    """Price of the one order on a side if it is large enough; the walk of a deeper book is not ours."""
    (order,) = [entry for entry in facts["book"] if entry["side"] == side]
    depth = order["size"] * order["price"] * Fraction(10) ** facts["fill_exponent"]
    return int(order["price"]) if depth >= facts["impact_value"] else None


def check_premium(facts: Facts) -> Facts:
    """ORCL-7, FUND-2: premium of the impact prices; with no depth on a side it is out of reach, on both no sample."""
    bid, ask = impact_price(facts, "buy"), impact_price(facts, "sell")
    if bid is None and ask is None:
        return {"premium_ppm": to_ppm(aggregated((), funding_terms(SCALE)))}
    sample = premium_sample(bid or 1, ask or PRICE_MAX, facts["index"]["num"] // facts["index"]["den"])
    return {"premium_ppm": div_to_zero(sample, 1000), "premium": sample}


# Trading


def check_open_interest(facts: Facts) -> Facts:
    """TRADE-3: open interest after a fill less before."""
    box = sandbox_of([listing_of("M0", 100, tier_of({}))], [100])
    buyer, seller = sorted(facts["sides"], key=lambda side: -int(side["delta"]))
    place(box, "buyer", 10**9, {"M0": buyer["position_before"]})
    place(box, "seller", 10**9, {"M0": seller["position_before"]})
    balance_books(box)
    before = box.state.open_interest["M0"]
    box.trade("buyer", "seller", buyer["delta"], 100, "M0")
    return {"open_interest_delta": box.state.open_interest["M0"] - before}


def fee_share(tier: Facts, name: str) -> int:
    """A fee of a Drift tier as a ratio."""
    return int(Fraction(tier[f"{name}_numerator"], tier[f"{name}_denominator"]) * SCALE)


def check_fees(facts: Facts) -> Facts:
    """TRADE-7: taker fee, maker rebate and what the treasury keeps of a fill."""
    tier = facts["fees"]["tiers"][0]
    level = 100 + facts.get("adjustment_pct", 0)
    taker, rebate = fee_share(tier, "taker") * level // 100, fee_share(tier, "rebate") * level // 100
    trading = replace(TRADING, taker_fee=taker, maker_fee=-rebate)
    box = Sandbox(sandbox_genesis(markets=(replace(LISTING, parameters=replace(MARKET, trading=trading)),)))
    box.price(100)
    for account in ("taker", "maker"):
        box.open(account, 10**9)
    amounts = box.trade("taker", "maker", facts["quote"] // 100, 100).amounts
    paid, kept = amounts["taker_fee"], box.balance("fee_treasury")
    return {"user_fee": paid, "maker_rebate": -amounts["maker_fee"], "fee_to_market": kept}


def check_one_schedule(facts: Facts) -> Facts:
    """TRADE-7: the market's one schedule, whatever an account traded or staked."""
    tier, found = facts["fees"]["tiers"][0], check_fees({**facts, "quote": 10**8})
    both = (("taker", found["user_fee"]), ("rebate", found["maker_rebate"]))
    return {f"{name}_numerator": paid * tier[f"{name}_denominator"] // 10**8 for name, paid in both}


def check_fill(facts: Facts) -> Facts:
    """TRADE-1: position and realised result after a fill; atoms are chosen so that the price is whole."""
    change, held = facts["delta"], facts["position"]
    price = Fraction(-change["quote"], change["base"])
    atoms = price.denominator
    before = Position(held.get("base", 0), -held.get("entry", 0) * atoms, 0, 0)
    after, realised = filled(before, change["base"], int(price * atoms))
    entry = str(Fraction(-after.cost, atoms))
    return {"base": after.size, "entry": entry, "realised": str(Fraction(realised, atoms))}


# Collateral, profit, default and settlement of Drift


def tokens(held: Facts, terms: Facts) -> int:
    """Atoms of a token from a scaled balance and its interest index, rounded down."""
    return int(held["scaled"] * terms["deposit_index"] // 10 ** (19 - terms["decimals"]))


def check_collateral(facts: Facts) -> Facts:
    """MARG-7: a deposit at its index price after a haircut."""
    (held,) = facts["user"]["spot"]
    number = held.get("asset", 0)
    terms = facts["spot_markets"][number]
    haircut = SCALE - facts["weight"] * 10**5
    asset = replace(ETH, unit=10 ** terms["decimals"], haircut=haircut, discount=0)
    still = replace(ETH_FEED, band=0)
    box = Sandbox(sandbox_genesis(replace(POOL, collateral=(asset,)), markets=(), feeds=(FEED, still)))
    box.price(facts["oracle_prices"]["spot"][number], "ETH")
    box.open("a")
    box.do("a", ev.Deposit("a", "ETH", tokens(held, terms)))
    account = box.standing("a")
    return {"collateral": account.margin_equity, "requirement": account.initial}


def drift_house(facts: Facts, cash: int, **pool: Any) -> Sandbox:
    """One account with the positions of a Drift user; a lot is one base (1e9 units), an atom 1e-6."""
    (terms,), (price,) = facts["perp_markets"], facts["oracle_prices"]["perp"]
    tier = Tier(NOTIONAL_MAX, terms["initial"] * 10**5, terms["maintenance"] * 10**5)
    box = sandbox_of([listing_of("M0", price, tier)], [price], **pool)
    (held,) = facts["user"]["perp"]
    quote = held.get("quote", 0)
    place(box, "a", cash + quote, {"M0": held["base"] // 10**9}, costs={"M0": -quote})
    balance_books(box)
    return box


def check_perpetual_margin(facts: Facts) -> Facts:
    """MARG-1, MARG-3, MARG-9: requirement and equity; the settlement asset counts at one, profit as the pool says."""
    cash = sum(tokens(held, facts["spot_markets"][0]) for held in facts["user"]["spot"] if not held.get("asset"))
    box = drift_house(facts, cash, profit_weight_initial=0, profit_cap_initial=0)
    account = box.standing("a")
    initial = facts["margin_type"] == "Initial"
    equity = account.initial_equity if initial else account.margin_equity
    return {"collateral": equity, "requirement": account.initial if initial else account.maintenance}


def check_negative_cash(facts: Facts) -> Facts:
    """MARG-9: a negative settlement balance lowers equity by itself and asks for no margin."""
    (held,) = facts["user"]["spot"]
    box = sandbox_of([], [])
    place(box, "a", -tokens(held, {**facts["spot_markets"][0], "deposit_index": 10**10}), {})
    balance_books(box)
    account = box.standing("a")
    return {"collateral": account.margin_equity, "requirement": account.initial}


def check_position_value(facts: Facts) -> Facts:
    """MARG-1, MARG-8: requirement rounded up, profit by weight and cap; lots of 1e-9 base, atoms of 1e-8."""
    held, terms = facts["position"], facts["market"]
    size, price = held["base"], facts["price"] * 100 // 10**9
    if price * 10**9 != facts["price"] * 100:
        size, price = size // 10**9, facts["price"] * 100
    value = notional(abs(size), price)
    profit = notional(size, price) + held["quote"] * 100
    counted = counted_profit(profit, terms["profit_weight"] * 10**5, 100 * 10**8)
    initial, _ = tiered_requirement(value, (Tier(NOTIONAL_MAX, terms["initial"] * 10**5, 0),))
    return {"weighted_pnl": str(Fraction(counted, 100)), "requirement": str(Fraction(initial, 100))}


def unrealised(facts: Facts, held: Facts) -> Standing:
    """The standing of an account with no cash and one position; a lot is one base, an atom 1e-6."""
    price = facts["price"]
    box = sandbox_of([listing_of("M0", price, tier_of({}))], [price])
    quote = held.get("quote", 0)
    place(box, "a", quote, {"M0": held.get("base", 0) // 10**9}, costs={"M0": -quote})
    balance_books(box)
    return box.standing("a")


def check_value_and_profit(facts: Facts) -> Facts:
    """MARG-6: value at mark, and value less cost."""
    amm = facts.get("amm", {})
    account = unrealised(facts, facts.get("position") or {"base": amm.get("net_base", 0), "quote": amm.get("quote", 0)})
    return {"0": account.notional, "1": account.unrealised, "result": account.unrealised}


def check_claimable(facts: Facts) -> Facts:
    """MARG-8: a loss counts whole, a profit up to the cap; the cap is the venue's excess in its pool."""
    account = unrealised(facts, facts["position"])
    return {"result": counted_profit(account.unrealised, SCALE, facts["pool_excess"])}


def check_haircut_without_lots(facts: Facts) -> Facts:
    """FALL-9: where nobody holds a position the haircut takes nothing, and the loss stays for the next layer."""
    lots = facts["market"]["amm"]["long"]
    return {"step": haircut_step(-facts["loss"], lots, PRICE_MAX, 0)}


def check_in_default(facts: Facts) -> Facts:
    """FALL-1: in default if and only if the net liquidation value is negative."""
    box = sandbox_of([listing_of("M0", 100, tier_of({}))], [100])
    cash = -sum(held["scaled"] for held in facts["user"].get("spot", []))
    sizes = {"M0": sum(held.get("base", 0) for held in facts["user"].get("perp", []))}
    place(box, "a", cash, sizes, costs={"M0": 0})
    balance_books(box)
    outcome, _ = attempt(box, "keeper", ev.ResolveDefault("a"))
    return {"result": outcome == "accepted"}


def check_expiry_price(facts: Facts) -> Facts:
    """SETTLE-3: the average over the window, here one price throughout, whatever either side can pay."""
    price = facts["target"]
    box = sandbox_of([listing_of("M0", price, tier_of({}))], [price])
    return {"result": settle_market(box, "M0", [])}


# Withdrawals


def add_debtor(box: Sandbox, pool: str) -> None:
    """An account in debt that has nothing to pay it with."""
    place(box, f"debtor-{pool}", -1000, {}, pool=pool)


def lose(box: Sandbox, pool: str) -> None:
    """Let the debtor of a pool default; all of its debt must become uncovered loss."""
    lost = box.do("keeper", ev.ResolveDefault(f"debtor-{pool}")).amounts["uncovered_loss"]
    if lost != 1000:
        raise AssertionError(f"uncovered loss of {lost}")


def is_recent(seen: int, block: int, blocks: int) -> bool:
    """The window of dYdX: an account in deficit was seen (0: never) less than so many blocks ago."""
    return seen > 0 and block - seen < blocks


def gated_house(facts: Facts) -> Sandbox:
    """A pool for each of the case's, an uncovered loss in those that the venue has blocked."""
    seen = facts["seen_by_pool"]
    listings = [listing_of("M0", 500, Tier(NOTIONAL_MAX, SCALE // 5, SCALE // 10))]
    listings += [listing_of(f"X-{pool}", 500, tier_of({}), pool) for pool in seen if pool != "cross"]
    box = sandbox_of(listings, [500] * len(listings))
    losing = [name for name, at in seen.items() if is_recent(at, facts["block"], facts["blocks"])]
    pools = ["main" if name == "cross" else name for name in losing]
    for pool in pools:
        add_debtor(box, pool)
    for number, update in enumerate(facts["updates"]):
        place(box, update["account"], facts["own_cash"][number], {}, pool=pool_name(update["pool"]))
    balance_books(box)
    for pool in pools:
        lose(box, pool)
    return box


def pool_name(pool: str) -> str:
    """Our name of a venue's collateral pool."""
    return "main" if pool == "cross" else pool


def actions_of(facts: Facts) -> list[tuple[str, ev.Action]]:
    """The updates of a case as actions; a match and a transfer are one action of two updates."""
    updates, kind = facts["updates"], facts["kind"]
    first, change = updates[0]["account"], updates[0]["cash"]
    if kind == "Match":
        return [("venue", ev.Trade("M0", first, updates[1]["account"], -change // 500, 500, ev.Side.SELLER))]
    if kind == "Transfer":
        return [(first, ev.Transfer(first, updates[1]["account"], "USD", -change))]
    record = ev.Deposit if kind == "Deposit" else ev.Withdraw
    return [(update["account"], record(update["account"], "USD", abs(update["cash"]))) for update in updates]


def check_gate(facts: Facts) -> Facts:
    """COLL-3, COLL-5, COLL-6, COLL-7: what passes while a pool carries an uncovered loss."""
    box = gated_house(facts)
    outcomes = [attempt(box, actor, action)[0] for actor, action in actions_of(facts)]
    blocked = ev.Reason.WITHDRAWALS_GATED in outcomes
    return {"blocked": blocked, "success": all(found == "accepted" for found in outcomes), "outcomes": outcomes}


def check_gate_opens(facts: Facts) -> Facts:
    """COLL-6: time does not open the gate, covering the loss does; without a loss it is open."""
    box = sandbox_of([], [])
    lost = facts["deficit_seen"] > 0
    if lost:
        add_debtor(box, "main")
    place(box, "a", 100, {})
    balance_books(box)
    if lost:
        lose(box, "main")
    box.time += facts["blocks"]
    later, _ = attempt(box, "a", ev.Withdraw("a", "USD", 50))
    if lost:
        box.do("admin", ev.CoverLoss("main", ev.Cover.OUTSIDE, 1000))
    covered, _ = attempt(box, "a", ev.Withdraw("a", "USD", 50))
    opened = 0 if later == covered == "accepted" else None
    return {"unblocked_at": opened, "after_blocks": later, "after_cover": covered}


CHECKS: dict[str, Check] = {
    name.removeprefix("check_"): function for name, function in dict(globals()).items() if name.startswith("check_")
}
"""Name of a check, as the cases cite it, to its function."""


# The page


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def row(*cells: str) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def shown(values: Facts) -> str:
    """Numbers of a case on one line."""
    return ", ".join(f"{name} {json.dumps(value)}".replace('"', "") for name, value in values.items())


def counts(cases: Sequence[Case]) -> dict[str, Counter[Class]]:
    """Number of cases by venue and classification, venues in alphabetical order."""
    found: dict[str, Counter[Class]] = {venue: Counter() for venue in sorted({case.venue for case in cases})}
    for case in cases:
        found[case.venue][case.classification] += 1
    return found


def counts_table(cases: Sequence[Case]) -> list[str]:
    """Counts per venue and in all."""
    lines = [row("Venue", "same", "difference", "out of scope", "all"), "|---|---:|---:|---:|---:|"]
    found = counts(cases)
    total: Counter[Class] = sum(found.values(), Counter())
    for venue, tally in [*found.items(), ("**All**", total)]:
        lines.append(row(venue, *(str(tally[kind]) for kind in Class), str(tally.total())))
    return lines


def cases_table(cases: Sequence[Case]) -> list[str]:
    """Every case with its classification, the rule or system, and the reason."""
    lines = [row("Case", "Test of the venue", "Class", "Rule or system", "Reason"), "|---|---|---|---|---|"]
    for case in cases:
        test = f"{case.source['test']}: {case.source['case']}"
        label = case.classification.value.replace("_", " ")
        lines.append(row(f"`{case.id}`", test, label, case.basis, case.reason))
    return lines


def pinned_table(cases: Sequence[Case]) -> list[str]:
    """Differences with the venue's numbers, ours, and the arithmetic of ours."""
    lines = [row("Case", "Published", "Ours", "By hand"), "|---|---|---|---|"]
    pinned = [case for case in cases if case.ours]
    return lines + [row(f"`{case.id}`", shown(case.published), shown(case.ours), case.by_hand) for case in pinned]


def sources_table(cases: Sequence[Case]) -> list[str]:
    """Files and pages in which the cases were read."""
    lines = [row("Source", "Commit", "File or page", "cases"), "|---|---|---|---:|"]
    tally = Counter((case.source["repo"], case.source.get("commit", ""), case.source["path"]) for case in cases)
    return lines + [row(repo, commit, path, str(count)) for (repo, commit, path), count in sorted(tally.items())]


INTRODUCTION = """# Published cases of real venues

Venues publish numbers: in the unit tests of open code, in worked examples, in fee and margin tables. This page takes
{count} such cases and says of each whether the rules of the spec give the same number.

- **same**: the reference, given the case's inputs, gives the case's number. A test runs it.
- **difference**: the spec takes another stand on purpose. The rule that differs is named. Where the case has numbers
  that our rule can be applied to, ours are worked out by hand and a test pins them.
- **out of scope**: the case belongs to a system that has no chapter yet.

Units are the venue's own. A check in `clearspec_conformance.published` turns them into lots and atoms: one part per
million is 1000 of our ratio scale, and lots are chosen so that size times price is exact. Where a case says nothing
of a parameter, the check takes the value that is nearest to the venue: liquidation closes the whole position and
takes at most 0.5 % for the insurance fund, as on dYdX.

This page is printed by `python -m clearspec_conformance.published`; a test compares it with what that prints."""


def page(cases: Sequence[Case]) -> str:
    """The page ``docs/published-cases.md``."""
    systems = [row("System", "What it is"), "|---|---|", *(row(name, text) for name, text in SYSTEMS.items())]
    parts = [
        [INTRODUCTION.format(count=len(cases))],
        ["## Counts", "", *counts_table(cases)],
        ["## Cases", "", *cases_table(cases)],
        ["## Pinned differences", "", *pinned_table(cases)],
        ["## Systems out of scope", "", *systems],
        ["## Sources", "", *sources_table(cases)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


if __name__ == "__main__":
    print(page(load()), end="")
