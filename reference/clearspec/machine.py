"""The state machine: ``apply`` takes one event to one receipt; total, atomic, deterministic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearspec import collateral, funding, liquidation, listing, oracle, settlement, trading, waterfall
from clearspec.codec import DecodeError, loads
from clearspec.events import (
    ACTION_NAMES,
    NESTING,
    REASONS,
    ROLES,
    Context,
    Event,
    Outcome,
    Reason,
    Receipt,
    Rejected,
    require,
    require_all_in_range,
    require_in_range,
)
from clearspec.formats import ReceiptRecord, Status, receipt_record
from clearspec.rules import rule
from clearspec.state import State

REMEMBERED = 4096
"""Ids of accepted events that are remembered, to reject a repetition (EVENT-5)."""

TRANSITIONS: dict[str, Callable[[Context, Any], Outcome]] = {
    "open_account": collateral.open_account,
    "deposit": collateral.deposit,
    "withdraw": collateral.withdraw,
    "transfer": collateral.transfer,
    "convert": collateral.convert,
    "contribute": collateral.contribute,
    "cover_loss": collateral.cover_loss,
    "collect_fees": collateral.collect_fees,
    "post_price": oracle.post_price,
    "post_book": oracle.post_book,
    "trade": trading.trade,
    "accrue_funding": funding.accrue_funding,
    "liquidate": liquidation.liquidate,
    "resolve_default": waterfall.resolve_default,
    "list_market": listing.list_market,
    "set_parameters": listing.set_parameters,
    "set_status": trading.set_status,
    "delist": settlement.delist,
    "fix_settlement": settlement.fix_settlement,
    "settle_position": settlement.settle_position,
    "pay_claim": settlement.pay_claim,
}

_BY_TYPE = {ROLES[name][0]: transition for name, transition in TRANSITIONS.items()}


@rule("EVENT-5")
def require_next(state: State, event: Event) -> None:
    """The checks that come before those of any action, in their order."""
    require(event.id not in state.recent, Reason.DUPLICATE_EVENT, event.id)
    require(event.sequence > state.sequence, Reason.SEQUENCE_NOT_INCREASING, event.id)
    require(event.time >= state.time, Reason.TIME_DECREASING, event.id)
    require_in_range(event)
    (require_all_in_range if isinstance(event.action, NESTING) else require_in_range)(event.action)


@rule("EVENT-5", "EVENT-7")
def _accept(state: State, event: Event) -> None:
    """Commit the overlay and remember the event."""
    state.commit()
    state.time = event.time
    state.sequence = event.sequence
    state.recent[event.id] = None
    if len(state.recent) > REMEMBERED:
        del state.recent[next(iter(state.recent))]


@rule("EVENT-7")
def apply(state: State, event: Event) -> Receipt:
    """Apply one event: accept it, or reject it with exactly one reason and leave the state as it was."""
    ctx = Context(state, event.time, event.actor)
    action = event.action
    name = ACTION_NAMES[type(action)]
    try:
        require_next(state, event)
        outcome = _BY_TYPE[type(action)](ctx, action)
    except Rejected as rejected:
        state.drop()
        return Receipt(event.id, event.sequence, event.time, name, rejected.reason, rejected.subject, (), {}, ())
    except BaseException:
        state.drop()
        raise
    _accept(state, event)
    return Receipt(
        event.id,
        event.sequence,
        event.time,
        name,
        None,
        "",
        outcome.accounts,
        outcome.amounts,
        tuple(ctx.postings),
    )


@rule("EVENT-3")
def malformed(time: int, path: str) -> ReceiptRecord:
    """The receipt of what does not decode as an event: the state's time, and as the subject the path of the fault."""
    rule_id = REASONS[Reason.MALFORMED][0]
    return ReceiptRecord("", 0, time, "", Status.REJECTED, Reason.MALFORMED, rule_id, path, (), {}, ())


@rule("EVENT-3")
def apply_document(state: State, document: bytes | str) -> ReceiptRecord:
    """Decode one event and apply it; what does not decode is rejected as malformed."""
    try:
        event = loads(Event, document)
    except DecodeError as fault:
        return malformed(state.time, fault.path)
    return receipt_record(apply(state, event))
