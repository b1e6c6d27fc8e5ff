"""The rule behind a difference, as far as can be told from where it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clearspec.events import ACTION_NAMES, REASONS, Event, Reason, Receipt
from clearspec.ledger import Posting
from clearspec.machine import TRANSITIONS
from clearspec.rules import CHAPTERS, IMPLEMENTED
from clearspec_conformance.audit.amounts import AMOUNTS
from clearspec_conformance.audit.comparing import is_reordered
from clearspec_conformance.audit.formats import ClaimedReceipt
from clearspec_conformance.verdicts import ABSENT, Difference

FIGURE_RULES = (
    (r"\.feeds\.", "ORCL-3"),
    (r"\.mark$", "ORCL-5"),
    (r"\.open_interest$", "TRADE-3"),
    (r"\.funding_index$", "FUND-4"),
    (r"\.haircut_(long|short)$", "FALL-9"),
    (r"\.settlement_price$", "SETTLE-3"),
    (r"\.status$", "TRADE-9"),
    (r"\.positions\.", "TRADE-1"),
    (r"\.uncovered_loss$", "LEDG-5"),
    (r"\.custody\.", "LEDG-4"),
)
"""Where a figure stands in an observable snapshot to the rule that makes it; of balances the last posting tells."""

POSTING = re.compile(r"\$\.receipt\.postings\[(\d+)\]")
VERDICT = {"$.receipt.status", "$.receipt.reason"}


def rule_of(differences: Sequence[Difference], event: Event, wanted: Receipt, claimed: ClaimedReceipt | None) -> str:
    """The rule behind some differences: of the verdict, else of the first posting, else of the first of all."""
    paths = [one.path for one in differences]
    path = paths[0]
    if VERDICT & set(paths):
        return verdict_rule(event, wanted, claimed)
    for one in () if is_reordered(claimed, wanted) else differences:
        posting = POSTING.match(one.path)
        if posting is not None:
            return posting_rule(int(posting[1]), one.expected == ABSENT, event, wanted, claimed)
    if path.startswith("$.receipt"):
        return amount_rule(path, event) if path.startswith("$.receipt.amounts") else "EVENT-1"
    return figure_rule(path, event, wanted)


def amount_rule(path: str, event: Event) -> str:
    """The rule that makes an amount of a receipt; of one that no receipt has, the action's own."""
    rules = AMOUNTS.get(ACTION_NAMES[type(event.action)], {})
    return rules.get(path.removeprefix("$.receipt.amounts."), "") or own_rule(event)


def verdict_rule(event: Event, wanted: Receipt, claimed: ClaimedReceipt | None) -> str:
    """The rule by which the reference rejects; where it accepts, the rule of the engine's reason."""
    if wanted.reason is not None:
        return REASONS[wanted.reason][0]
    reason = None if claimed is None else claimed.reason
    return REASONS[Reason(reason)][0] if reason and reason in Reason.__members__.values() else own_rule(event)


def posting_rule(place: int, extra: bool, event: Event, wanted: Receipt, claimed: ClaimedReceipt | None) -> str:
    """The cause of the posting that should stand at a place, or of the ``extra`` one that stands there."""
    ours = [posting.cause for posting in wanted.postings if posting.amount]
    theirs = [posting.cause for posting in (claimed and claimed.postings) or ()]
    there = (ours[place : place + 1], theirs[place : place + 1])
    causes = [cause for part in (reversed(there) if extra else there) for cause in part]
    return next((cause for cause in causes if cause in IMPLEMENTED), own_rule(event))


def figure_rule(path: str, event: Event, wanted: Receipt) -> str:
    """The rule that makes a figure."""
    for pattern, rule in FIGURE_RULES:
        if re.search(pattern, path):
            return rule
    causes = [posting.cause for posting in wanted.postings if posting.amount and concerns(posting, path)]
    return causes[-1] if causes else "EVENT-13"


def concerns(posting: Posting, path: str) -> bool:
    """Whether a posting moves the balance that a path leads to: a fund of a pool, or a balance of an account."""
    return any(
        f".pools.{pool}.{kind}" in path or f".accounts.{owner}.balances.{asset}" in path
        for asset, pool, kind, owner in posting[:2]
    )


def own_rule(event: Event) -> str:
    """A rule that cites the transition of an event's action, of its own chapter where there is one."""
    transition = TRANSITIONS[ACTION_NAMES[type(event.action)]]
    cited = [rule for rule, functions in IMPLEMENTED.items() if transition in functions]
    chapter = transition.__module__.rpartition(".")[2]
    return next((rule for rule in cited if CHAPTERS[rule.partition("-")[0]] == chapter), cited[0])
