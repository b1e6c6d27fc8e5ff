"""Theorems about final settlement: what an account cannot bear, what a claim is paid, and that nothing is left."""

from __future__ import annotations

from typing import Any

from clearspec.margin import payable
from clearspec.numerics import BALANCE_MAX, LOSS_MAX, POSITIONS_MAX, cumulative_share
from clearspec.settlement import uncollectable
from clearspec.state import Settlement
from clearspec_proofs.theorems import theorem
from clearspec_proofs.world import symbolic


@theorem(
    "uncollectable-within-loss",
    "What an account cannot bear of a loss is at least 0 and at most the loss.",
    "SETTLE-5",
)
def uncollectable_within_loss(path: Any) -> Any:
    """For any deficit, even one that its losses do not explain."""
    loss, deficit = path.atom("loss", 0, LOSS_MAX), path.atom("deficit", 0)
    losses = path.atom("losses", 0, POSITIONS_MAX * LOSS_MAX)
    missing = uncollectable(loss, deficit, losses)
    path.claim("not negative", lambda: missing >= 0)
    path.claim("at most the loss", lambda: missing <= loss)
    return missing


@theorem(
    "uncollectable-in-proportion",
    "What an account cannot bear of a loss, times all its losses, is at most its deficit times the loss; "
    "so what it cannot bear of all of them together is at most its deficit.",
    "SETTLE-5",
)
def uncollectable_in_proportion(path: Any) -> Any:
    """Summed over the losses of an account the right sides are the deficit times all losses."""
    loss, deficit = path.atom("loss", 0, LOSS_MAX), path.atom("deficit", 0)
    losses = path.atom("losses", 1, POSITIONS_MAX * LOSS_MAX)
    missing = uncollectable(loss, deficit, losses)
    path.claim("in proportion", lambda: missing * losses <= deficit * loss)
    return missing


@theorem(
    "claim-worth-at-most-itself",
    "A claim is worth at least 0 and at most itself, where the pot is at most all claims.",
    "SETTLE-6", "MARG-6",
)  # fmt: skip
def claim_worth_at_most_itself(path: Any) -> Any:
    """While losses are being collected it is worth itself; afterwards its part of the pot."""
    record = symbolic(path, Settlement, "settlement")
    claim = path.atom("claim", 0, BALANCE_MAX)
    path.assume(lambda: record.claims >= 1, "claims")
    path.assume(lambda: 0 <= record.pot <= record.claims, "pot")
    worth = payable(claim, record)
    path.claim("not negative", lambda: worth >= 0)
    path.claim("at most the claim", lambda: worth <= claim)
    return worth


def paid_claim(path: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Pot, all claims, those paid before, one claim and what it is paid."""
    claims, pot = path.atom("claims", 1, BALANCE_MAX), path.atom("pot", 0, BALANCE_MAX)
    before, claim = path.atom("claimed", 0, BALANCE_MAX), path.atom("claim", 1, BALANCE_MAX)
    path.assume(lambda: before + claim <= claims, "claims paid so far")
    return pot, claims, before, claim, cumulative_share(pot, before, before + claim, claims)


@theorem(
    "one-payout-factor",
    "Whatever was paid before it, a claim is paid its part of the pot to less than one atom up or down.",
    "SETTLE-6",
)
def one_payout_factor(path: Any) -> Any:
    """So the order in which claims are paid is worth less than two atoms to anybody, and equal claims differ by one."""
    pot, claims, _, claim, paid = paid_claim(path)
    path.claim("below one atom more", lambda: paid * claims < claim * pot + claims)
    path.claim("above one atom less", lambda: paid * claims > claim * pot - claims)
    return paid


@theorem(
    "pot-paid-whole",
    "If what was paid so far is the pot's part of the claims so far, rounded down, so it is with one claim more; "
    "with the last claim the pot has been paid whole. So it holds for any number of claims.",
    "SETTLE-6", "SETTLE-7",
)  # fmt: skip
def pot_paid_whole(path: Any) -> Any:
    """The inductive step, and the end: nothing is left in a market that closes."""
    pot, claims, before, claim, paid = paid_claim(path)
    so_far = pot * before // claims
    path.claim("one claim more", lambda: so_far + paid == pot * (before + claim) // claims)
    if before + claim == claims:
        path.claim("the last claim", lambda: so_far + paid == pot)
    return so_far, paid


@theorem(
    "paid-at-most-claim",
    "A claim is paid at most itself, where the pot is at most all claims.",
    "SETTLE-6",
)
def paid_at_most_claim(path: Any) -> Any:
    """The pot is at most all claims, for what clearing holds beyond them was taken from nobody (INV-7)."""
    pot, claims, _, claim, paid = paid_claim(path)
    path.assume(lambda: pot <= claims, "pot at most claims")
    path.claim("not negative", lambda: paid >= 0)
    path.claim("lemma: less than one atom more", lambda: paid * claims < claim * pot + claims)
    path.claim("lemma: the pot's part", lambda: claim * pot <= claim * claims)
    path.claim("at most the claim", lambda: paid <= claim)
    return paid
