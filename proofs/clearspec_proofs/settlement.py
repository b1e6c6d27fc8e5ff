"""Theorems about final settlement: what is collected, what is paid, one payout factor, nothing left in the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearspec import margin, settlement
from clearspec.events import Context, PayClaim, Rejected, SettlePosition
from clearspec.funding import funding_owed, haircut_owed
from clearspec.ledger import Kind, clearing, house, post, user
from clearspec.numerics import LOSS_MAX, PRICE_MAX, SIZE_MAX, cumulative_share, div_floor
from clearspec.parameters import Layer
from clearspec.state import MarketStatus, Position, Settlement
from clearspec_proofs.desk import CASH, MARKET, POOL, SECOND_MARKET, Desk
from clearspec_proofs.sound import given
from clearspec_proofs.stand_ins import Function, StandIn, any_standing, standing_in
from clearspec_proofs.theorems import Strength, theorem

HOLDER = "A"
CLAIMS_MAX = 2**58
"""Gains of one side of a market (NUM-9)."""


# One payout factor


@theorem(
    "claims-share-one-factor",
    "Each claim is paid the pot over all claims of it, to within one atom either way, whatever was paid before; never "
    "less than nothing, and never more than the claim where the pot is at most all claims.",
    "SETTLE-6",
    "NUM-5",
)
def claims_share_one_factor(path: Any) -> Any:
    """Of any number of claims: those paid before count as one."""
    pot, claims = path.atom("pot", 0, CLAIMS_MAX), path.atom("claims", 1, CLAIMS_MAX)
    claimed, claim = path.atom("claimed", 0), path.atom("claim", 1)
    given(path, claimed + claim <= claims, "claims are all that is claimed")
    paid = cumulative_share(pot, claimed, claimed + claim, claims)
    path.claim("not below by an atom", lambda: paid * claims > pot * claim - claims)
    path.claim("not above by an atom", lambda: paid * claims < pot * claim + claims)
    path.claim("not negative", lambda: paid >= 0)
    if pot <= claims:
        path.claim("at most the claim", lambda: paid <= claim)
    return paid


@theorem(
    "order-moves-one-atom",
    "The order in which claims are paid changes what anyone is paid by one atom at most.",
    "SETTLE-6",
)
def order_moves_one_atom(path: Any) -> Any:
    """The same claim after any two sets of others."""
    pot, claims, claim = path.atom("pot", 0, CLAIMS_MAX), path.atom("claims", 1, CLAIMS_MAX), path.atom("claim", 1)
    first, second = path.atom("claimed before", 0), path.atom("claimed in another order", 0)
    one, other = (cumulative_share(pot, before, before + claim, claims) for before in (first, second))
    path.claim("no more than an atom less", lambda: one - other >= -1)
    path.claim("no more than an atom more", lambda: one - other <= 1)
    return one, other


@theorem(
    "claim-counts-no-more-than-it-is-paid",
    "Until every loss is collected a claim counts whole; from then on it counts at most what it is paid, at most an "
    "atom less, and at most itself where the pot is at most all claims.",
    "SETTLE-6",
    "MARG-6",
)
def claim_counts_no_more_than_it_is_paid(path: Any) -> Any:
    """Whatever was paid before."""
    pot, claims = path.atom("pot", 0, CLAIMS_MAX), path.atom("claims", 1, CLAIMS_MAX)
    claimed, claim = path.atom("claimed", 0), path.atom("claim", 1)
    collected = path.choice("collected", False, True) == True  # noqa: E712
    worth = margin.payable(claim, Settlement(0, 0, 1, 0, 0, pot, claims, claimed, collected))
    if not collected:
        path.claim("whole", lambda: worth == claim)
        return worth
    paid = cumulative_share(pot, claimed, claimed + claim, claims)
    path.claim("no more than it is paid", lambda: worth <= paid)
    path.claim("an atom less at most", lambda: paid - worth <= 1)
    if pot <= claims:
        path.claim("at most itself", lambda: worth <= claim)
    return worth


# What an account cannot bear


@theorem(
    "uncollectable-within-loss-and-deficit",
    "What an account cannot bear of a loss is not negative, at most the loss and at most its deficit; and what it "
    "cannot bear of two losses, one settled after the other, is together at most its deficit.",
    "SETTLE-5",
)
def uncollectable_within_loss_and_deficit(path: Any) -> Any:
    """The deficit falls by what was missing of the first loss; by induction any number of losses."""
    first, second, others, deficit = (path.atom(name, 0) for name in ("first", "second", "others", "deficit"))
    total = first + second + others
    missing = settlement.uncollectable(first, deficit, total)
    path.claim("not negative", lambda: missing >= 0)
    path.claim("at most the loss", lambda: missing <= first)
    path.claim("at most the deficit", lambda: missing <= deficit)
    more = settlement.uncollectable(second, deficit - missing, second + others)
    path.claim("together at most the deficit", lambda: missing + more <= deficit)
    return missing, more


AGAINST, CASH_OF_HOLDER = clearing(CASH, POOL, MARKET), user(CASH, POOL, HOLDER)
FUNDS = {
    Kind.INSURANCE_FUND: house(CASH, POOL, Kind.INSURANCE_FUND),
    Kind.SKIN_IN_THE_GAME: house(CASH, POOL, Kind.SKIN_IN_THE_GAME),
}


def drawing(kind: Kind, function: Any, grounds: str) -> StandIn:
    """A draw on a fund: between nothing and what is asked for, to the account."""

    def of(path: Any) -> Function:
        def stand_in(ctx: Context, pool: Any, what: Any, asked: Any, account: Any = None) -> Any:
            missing = asked if account is not None else what[0][1]
            credit = account if account is not None else asked
            path.claim("nothing negative is asked for", lambda: missing >= 0)
            paid = path.fresh(f"paid by {kind.value}", 0)
            given(path, paid <= missing, f"range ({grounds})")
            post(ctx.state, ctx.postings, FUNDS[kind], user(CASH, POOL, credit), paid, "FALL-5")
            return paid

        return stand_in

    return StandIn(function, grounds, of)


DRAWS = (
    drawing(Kind.INSURANCE_FUND, settlement.draw_insurance, "waterfall.insurance-within-caps"),
    drawing(Kind.SKIN_IN_THE_GAME, settlement.draw_fund, "waterfall.fund-pays-what-it-holds"),
)


@theorem(
    "funds-pay-at-most-what-is-missing",
    "The funds together pay no more than an account cannot bear of a loss, each only if the pool lists it, and exactly "
    "to that account; layers that share losses are not asked.",
    "SETTLE-5",
    marks=("both", "neither"),
)
def funds_pay_at_most_what_is_missing(path: Any) -> Any:
    """For both orders of the two funds, for one alone and for none."""
    orders = {"both": tuple(Layer), "swapped": (Layer.SKIN_IN_THE_GAME, Layer.INSURANCE_FUND)}
    orders |= {"skin alone": (Layer.SKIN_IN_THE_GAME, Layer.TEAR_UP), "neither": (Layer.GAINS_HAIRCUT,)}
    name = next(name for name in orders if path.choice("layers", *orders) == name)
    path.mark(name)
    desk, missing = Desk(path, HOLDER, layers=orders[name]), path.atom("missing", 0)
    desk.state.markets.put(MARKET, replace(desk.state.markets[MARKET], status=MarketStatus.SETTLING))
    before = {kind: desk.held(*key) for kind, key in FUNDS.items()}
    cash = desk.held(*CASH_OF_HOLDER)
    with standing_in(path, *DRAWS):
        drawn = settlement.draw_layers(desk.ctx, desk.state.pools[POOL], MARKET, missing, HOLDER)
    path.claim("at most what is missing", lambda: 0 <= drawn <= missing)
    path.claim("to the account", lambda: desk.held(*CASH_OF_HOLDER) - cash == drawn)
    for kind, key in FUNDS.items():
        if kind.value not in orders[name]:
            path.claim("not listed, not drawn", lambda kind=kind, key=key: desk.held(*key) == before[kind])
    return drawn


def _drawn(path: Any) -> Function:
    def stand_in(ctx: Context, pool: Any, market: str, missing: Any, account: str) -> Any:
        path.claim("nothing negative is missing", lambda: missing >= 0)
        drawn = path.fresh("drawn", 0)
        given(path, drawn <= missing, "range (settlement.funds-pay-at-most-what-is-missing)")
        fund = FUNDS[Kind.INSURANCE_FUND]
        post(ctx.state, ctx.postings, fund, user(CASH, POOL, account), drawn, "FALL-5")
        return drawn

    return stand_in


def _uncollectable(path: Any) -> Function:
    def stand_in(loss: Any, deficit: Any, losses: Any) -> Any:
        path.claim("a loss among all losses, and a deficit", lambda: 0 <= loss <= losses and deficit >= 0)
        missing = path.fresh("missing", 0)
        given(path, missing <= loss, "range (settlement.uncollectable-within-loss-and-deficit)")
        return missing

    return stand_in


UNCOLLECTABLE = StandIn(settlement.uncollectable, "settlement.uncollectable-within-loss-and-deficit", _uncollectable)


def _written(_: Any) -> Function:
    def stand_in(ctx: Context, account: Any, market: str, size: Any, cost: Any) -> None:
        funding = ctx.state.fundings[market]
        side = funding.haircut_long if size >= 0 else funding.haircut_short
        ctx.state.positions.put((account.account, market), Position(size, cost, funding.index, side))

    return stand_in


WRITTEN = StandIn(settlement.put_position, "itself, without the account's list of markets", _written)
DRAWN = StandIn(settlement.draw_layers, "settlement.funds-pay-at-most-what-is-missing", _drawn)


def _held(path: Any) -> Function:
    return lambda *_: any_standing(path, "standing")._replace(collateral=path.fresh("collateral", 0))


def _losses(path: Any) -> Function:
    def stand_in(*_: Any) -> list[tuple[str, Any]]:
        others = [(SECOND_MARKET, path.fresh("other losses", 0))]
        shown = path.choice("a loss at mark", True, False) == True  # noqa: E712
        return [(MARKET, path.fresh("loss at mark", 1, LOSS_MAX)), *others] if shown else others

    return stand_in


SETTLING = (
    StandIn(margin.standing, "margin.two-equities", _held),
    StandIn(settlement.open_losses, "waterfall.weights-are-losses", _losses),
    UNCOLLECTABLE,
    WRITTEN,
)
"""Any standing, of which collateral is not negative; any losses, those in other markets as one."""


def owing(desk: Desk) -> Any:
    """What INV-7 sums: clearing, the holder's cost and debts, the residual at its price, the shortfall."""
    state, record = desk.state, desk.state.settlements[MARKET]
    position, funding = state.positions[HOLDER, MARKET], state.fundings[MARKET]
    owed = position.cost + funding_owed(position, funding.index) + haircut_owed(position, funding)
    return desk.held(*AGAINST) + owed + record.residual * record.price + record.shortfall


@theorem(
    "settling-a-position-conserves",
    "Settling a position leaves the sum of INV-7 as it is: its result at the settlement price becomes a claim, whole, "
    "or is collected or noted as shortfall, to the last atom, of which with the last position a part may be named as "
    "uncovered loss; its lots leave open interest for the residual; the account's worth changes only by what it could "
    "not bear, and a gain moves no money but that naming.",
    "SETTLE-4",
    "SETTLE-5",
    "INV-7",
    strength=Strength.ONE_STEP,
    marks=("gain", "loss", "named"),
)
def settling_a_position_conserves(path: Any) -> Any:
    """Of any position, at any settlement price; the account may hold anything else."""
    desk = Desk(path, HOLDER)
    names = ("residual", "shortfall", "claims")
    desk.settling(path.atom("price", 1, PRICE_MAX), **{name: path.atom(name) for name in names})
    desk.indices()
    lots = path.atom("lots", 1, SIZE_MAX)
    desk.hold(HOLDER, lots if path.choice("side", "long", "short") == "long" else -lots)
    before, state, uncovered = desk.state.settlements[MARKET], desk.state, house(CASH, POOL, Kind.UNCOVERED_LOSS)
    named = desk.held(*uncovered)
    total, worth, interest = owing(desk), desk.worth(HOLDER), state.open_interest[MARKET]
    longs = max(0, state.positions[HOLDER, MARKET].size)
    with standing_in(path, DRAWN, *SETTLING):
        try:
            outcome = settlement.settle_position(desk.ctx, SettlePosition(HOLDER, MARKET))
        except Rejected as rejected:
            return rejected.reason
    after, amounts = state.settlements[MARKET], outcome.amounts
    named -= desk.held(*uncovered)
    claim_named(path, named, after)
    path.claim("INV-7", lambda: owing(desk) == total)
    path.claim("open interest", lambda: interest - state.open_interest[MARKET] == longs)
    path.claim("flat", lambda: state.positions[HOLDER, MARKET].size == 0)
    if "claim" in amounts:
        path.mark("gain")
        path.claim("a gain is claimed whole", lambda: after.claims - before.claims == amounts["claim"] >= 0)
        path.claim("and moves no worth", lambda: desk.worth(HOLDER) == worth)
    else:
        path.mark("loss")
        missing = after.shortfall + named - before.shortfall + amounts["funds"]
        path.claim(
            "a loss is collected or missing",
            lambda: amounts["collected"] + missing == amounts["loss"] + amounts["funds"],
        )
        path.claim("missing at most the loss", lambda: 0 <= missing <= amounts["loss"])
        path.claim("only what is missing is forgiven", lambda: desk.worth(HOLDER) - worth == missing)
    return amounts


def claim_named(path: Any, named: Any, after: Settlement) -> None:
    """Claim that uncovered loss is named with the last position alone, and none is taken back."""
    if named >= 1:
        path.mark("named")
        path.claim("named with the last position", lambda: after.collected and after.residual == 0)
    path.claim("none is unnamed", lambda: named >= 0)


# The second phase


@theorem(
    "collection-ends-in-order",
    "With the last position the clearing balance becomes the pot: what it lacks even of nothing is uncovered loss, the "
    "pot is all claims less the shortfall that is left, neither negative; a market without claims closes, with nothing "
    "left in clearing and no shortfall. Before the last position nothing happens.",
    "SETTLE-6",
    "SETTLE-7",
    "INV-7",
    "INV-10",
    marks=("claims", "closed", "positions left"),
)
def collection_ends_in_order(path: Any) -> Any:
    """By INV-7 the clearing balance is all claims less the shortfall once every position is settled."""
    desk, claims, shortfall = Desk(path), path.atom("claims", 0), path.atom("shortfall", 0)
    residual = path.atom("residual")
    desk.settling(path.atom("price", 1, PRICE_MAX), claims=claims, shortfall=shortfall, residual=residual)
    state, loss = desk.state, house(CASH, POOL, Kind.UNCOVERED_LOSS)
    state.open_interest.put(MARKET, path.atom("open interest", 0, SIZE_MAX))
    state.balances.put(AGAINST, claims - shortfall)
    before, start = desk.held(*loss), desk.begin()
    settlement.finish_collection(desk.ctx, state.markets[MARKET])
    after = state.settlements[MARKET]
    if state.open_interest[MARKET] != 0 or residual != 0:
        path.mark("positions left")
        path.claim("nothing happens", lambda: not start.changed(state))
        return None
    closed = state.markets[MARKET].status == MarketStatus.CLOSED
    path.mark("closed" if closed else "claims")
    path.claim("the pot", lambda: after.pot == desk.held(*AGAINST) == claims - after.shortfall)
    path.claim("none negative", lambda: after.pot >= 0 and after.shortfall >= 0)
    path.claim("named", lambda: before - desk.held(*loss) == shortfall - after.shortfall >= 0)
    path.claim("collected", lambda: after.collected)
    path.claim("closed without claims", lambda: closed == (claims == 0))
    if closed:
        path.claim("nothing left", lambda: desk.held(*AGAINST) == 0 and after.shortfall == 0)
    return after.pot


@theorem(
    "pot-is-paid-to-the-last-atom",
    "If of the pot is gone what the claims paid so far come to, rounded down, it is so after one claim more; with the "
    "last claim, and only then, the market closes, and nothing is left in clearing and no shortfall: however many "
    "claims there are, and in whatever order, what they are paid sums to the pot.",
    "SETTLE-6",
    "INV-10",
    strength=Strength.ONE_STEP,
    marks=("last", "others left"),
)
def pot_is_paid_to_the_last_atom(path: Any) -> Any:
    """Induction over claims: at first nothing is claimed and the pot is whole."""
    desk = Desk(path, HOLDER)
    pot, claims = path.atom("pot", 0, CLAIMS_MAX), path.atom("claims", 1, CLAIMS_MAX)
    claimed, claim = path.atom("claimed", 0), path.atom("claim", 1)
    given(path, claimed + claim <= claims, "claims are all that is claimed")
    gone = div_floor(pot * claimed, claims)
    shortfall = claims - claimed - (pot - gone)
    figures = {"pot": pot, "claims": claims, "claimed": claimed, "shortfall": shortfall, "collected": True}
    desk.settling(path.atom("price", 1, PRICE_MAX), **figures)
    state = desk.state
    desk.claim(HOLDER, claim)
    state.balances.put(AGAINST, pot - gone)
    cash = desk.held(*CASH_OF_HOLDER)
    outcome = settlement.pay_claim(desk.ctx, PayClaim(HOLDER, MARKET))
    after, left = state.settlements[MARKET], desk.held(*AGAINST)
    last = claimed + claim == claims
    path.mark("last" if last else "others left")
    path.claim("to the holder", lambda: desk.held(*CASH_OF_HOLDER) - cash == outcome.amounts["paid"])
    path.claim("one claim more", lambda: after.claimed == claimed + claim)
    path.claim("what is gone", lambda: left == pot - div_floor(pot * after.claimed, claims))
    path.claim("INV-7", lambda: left == claims - after.claimed - after.shortfall)
    path.claim("no claim is left to the holder", lambda: state.accounts[HOLDER].markets == ())
    path.claim("closes with the last", lambda: (state.markets[MARKET].status == MarketStatus.CLOSED) == last)
    if last:
        path.claim("nothing left", lambda: left == 0 and after.shortfall == 0)
    return outcome.amounts["paid"]
