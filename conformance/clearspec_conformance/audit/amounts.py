"""The amounts that receipts name, action by action, and the rule behind each."""

from __future__ import annotations

AMOUNTS: dict[str, dict[str, str]] = {
    "convert": {"paid": "COLL-8", "worth": "COLL-8"},
    "cover_loss": {"uncovered_loss": "COLL-10"},
    "post_price": {"index": "ORCL-3"},
    "post_book": {"premium": "ORCL-7", "mark": "ORCL-5"},
    "trade": {"taker_fee": "TRADE-7", "maker_fee": "TRADE-7"},
    "accrue_funding": {"rate": "FUND-3", "index_step": "FUND-4"},
    "liquidate": {
        "closed": "LIQ-3", "price": "LIQ-7", "penalty": "LIQ-4", "reward": "LIQ-5", "reward_floor": "LIQ-6",
    },
    "resolve_default": {
        "deficit": "FALL-2", "insurance_fund": "FALL-5", "skin_in_the_game": "FALL-5", "tear_up": "FALL-8",
        "gains_haircut": "FALL-9", "uncovered_loss": "FALL-10",
    },
    "set_parameters": {"ramp_end": "PARM-13"},
    "delist": {"expiry": "SETTLE-1"},
    "fix_settlement": {"settlement_price": "SETTLE-3"},
    "settle_position": {"claim": "SETTLE-4", "loss": "SETTLE-4", "collected": "SETTLE-5", "funds": "SETTLE-5"},
    "pay_claim": {"claim": "SETTLE-4", "paid": "SETTLE-6"},
}  # fmt: skip
"""Action to its amounts, each with the rule that makes it; receipts of every other action name none.

A receipt need not name them all: a default names the layers that its pool has, a settled position either a claim or a
loss with what was collected of it.
"""

RANGED = {
    "post_price": "index",
    "post_book": "mark",
    "accrue_funding": "index_step",
    "fix_settlement": "settlement_price",
}
"""Actions with an amount that is a figure with a range (INV-9)."""
