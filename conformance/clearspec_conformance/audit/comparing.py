"""What an engine published of an event against what the reference says; what it did not publish is not compared.

Every event of a long log passes here, so that the common case, where all agrees, is decided on the documents as they
came. Only where something differs are they decoded, which finds out whether they are well formed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from difflib import SequenceMatcher
from itertools import chain, islice
from typing import Any

from clearspec.codec import decode, encode
from clearspec.events import REASONS, Receipt
from clearspec.ledger import Posting
from clearspec.snapshot import observable
from clearspec.state import State
from clearspec_conformance.audit.formats import ClaimedReceipt, Figures, WholeFigures
from clearspec_conformance.verdicts import ABSENT, MOST_DIFFERENCES, Difference, differences

COMPARED = ("id", "sequence", "time", "action", "status", "reason", "rule", "amounts", "postings")
"""Fields of a receipt on which engines are compared."""

NOT_COMPARED = ("subject", "accounts")
"""Fields that an engine may fill in its own way."""


def wire_posting(posting: Posting) -> dict[str, Any]:
    """A posting as it goes on the wire (EVENT-1)."""
    debit, credit, amount, cause = posting
    if amount < 0:
        debit, credit, amount = credit, debit, -amount
    return {
        "asset": debit[0],
        "pool": debit[1],
        "debit": {"kind": debit[2], "owner": debit[3]},
        "credit": {"kind": credit[2], "owner": credit[3]},
        "amount": str(amount),
        "cause": cause,
    }


FIELDS: dict[str, Callable[[Receipt], Any]] = {
    "id": lambda receipt: receipt.id,
    "sequence": lambda receipt: str(receipt.sequence),
    "time": lambda receipt: str(receipt.time),
    "action": lambda receipt: receipt.action,
    "status": lambda receipt: "accepted" if receipt.reason is None else "rejected",
    "reason": lambda receipt: receipt.reason,
    "rule": lambda receipt: None if receipt.reason is None else REASONS[receipt.reason][0],
    "subject": lambda receipt: receipt.subject,
    "accounts": lambda receipt: list(receipt.accounts),
    "amounts": lambda receipt: {name: str(value) for name, value in receipt.amounts.items()},
    "postings": lambda receipt: [wire_posting(posting) for posting in receipt.postings if posting.amount],
}
"""Each field of a receipt as it goes on the wire."""


def agrees(raw: Any, wanted: Receipt) -> bool:
    """Whether a published receipt is word for word what the reference says, in all that it holds."""
    if not isinstance(raw, dict) or "status" not in raw:
        return False
    for name, value in raw.items():
        field = FIELDS.get(name)
        if field is None or field(wanted) != value:
            return False
    return True


NULL_IS_SAID = ("reason", "rule")
"""Fields in which null is a word of its own: there is none, for the event was accepted."""


def receipt_differences(
    claimed: ClaimedReceipt, raw: Mapping[str, Any], wanted: Receipt, named: bool
) -> tuple[Difference, ...]:
    """Where a published receipt differs; with ``named`` only those amounts count that it names."""
    expected, got = {}, {}
    for name in COMPARED:
        value = getattr(claimed, name)
        if value is not None or (name in raw and name in NULL_IS_SAID):
            expected[name], got[name] = encode(FIELDS[name](wanted)), encode(value)
    if named and "amounts" in got:
        expected["amounts"] = {name: part for name, part in expected["amounts"].items() if name in got["amounts"]}
    if got.get("postings") is not None and any(not part["cause"] for part in got["postings"]):
        for part in (*expected["postings"], *got["postings"]):
            del part["cause"]
    ours, theirs = expected.pop("postings", None), got.pop("postings", None)
    return first(chain(differences(expected, got, "$.receipt"), posting_differences(ours or [], theirs or [])))


def first(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The first differences, as many as are kept; a document may hold millions."""
    return tuple(islice(found, MOST_DIFFERENCES))


MOST_ALIGNED = 1_000
"""Postings up to which a list is aligned with what it should be."""


def posting_differences(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Iterator[Difference]:
    """Where two lists of postings differ; one that is missing or too much stands alone and shifts no others."""
    if len(ours) == len(theirs) or len(theirs) > MOST_ALIGNED:
        yield from differences(ours, theirs, "$.receipt.postings")
        return
    left, right = ([posting_text(one) for one in part] for part in (ours, theirs))
    for tag, start, end, begin, last in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for place in range(max(end - start, last - begin)):
            wanted, got = start + place < end, begin + place < last
            path = f"$.receipt.postings[{start + place if wanted else begin + place}]"
            yield Difference(path, left[start + place] if wanted else ABSENT, right[begin + place] if got else ABSENT)


def is_reordered(claimed: ClaimedReceipt | None, wanted: Receipt) -> bool:
    """Whether the postings of a receipt are those of the reference in another order."""
    ours: list[dict[str, Any]] = FIELDS["postings"](wanted)
    if claimed is None or len(claimed.postings or ()) != len(ours):
        return False
    theirs: list[dict[str, Any]] = encode(claimed.postings or ())
    if any(not part["cause"] for part in theirs):
        for part in (*ours, *theirs):
            del part["cause"]
    left, right = ([posting_text(one) for one in part] for part in (ours, theirs))
    return left != right and sorted(left) == sorted(right)


def posting_text(posting: Mapping[str, Any]) -> str:
    """A posting in a line."""
    debit, credit = (".".join(filter(None, posting[side].values())) for side in ("debit", "credit"))
    cause = f" ({posting['cause']})" if posting.get("cause") else ""
    return f"{posting['amount']} {posting['asset']} of {posting['pool']} from {debit} to {credit}{cause}"


def whole_differences(raw: Any, state: State) -> tuple[Difference, ...]:
    """Where a published observable snapshot differs from that of the reference.

    Raises:
        DecodeError: it is none.
    """
    wanted = encode(observable(state))
    if raw == wanted:
        return ()
    got = encode(decode(WholeFigures, raw, "$.observable"))
    return first(differences(wanted, got, "$.observable"))


def narrowed(state: State, raw: Mapping[str, Any]) -> State:
    """The state with those accounts, feeds and markets alone that figures are claimed of."""
    part = copy(state)
    for table in ("accounts", "feeds", "markets"):
        claimed, known = raw.get(table), getattr(state, table)
        names = claimed if isinstance(claimed, dict) else ()
        setattr(part, table, {name: known[name] for name in names if name in known})
    return part


def with_flat_positions(wanted: dict[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """An observable snapshot in which positions that are claimed and not open stand with nothing."""
    claimed = raw.get("accounts")
    for name, account in wanted["accounts"].items():
        part = claimed[name] if isinstance(claimed, dict) else None
        positions = part.get("positions") if isinstance(part, dict) else None
        for market in positions if isinstance(positions, dict) else ():
            account["positions"].setdefault(market, {"size": "0", "cost": "0"})
    return wanted


def claims_hold(raw: Any, wanted: Any) -> bool:
    """Whether every figure of ``raw`` stands in ``wanted`` too."""
    if isinstance(raw, dict):
        return isinstance(wanted, dict) and all(claims_hold(part, wanted.get(name)) for name, part in raw.items())
    return raw is None or raw == wanted


def figure_differences(raw: Any, state: State) -> tuple[Difference, ...]:
    """Where published figures differ from those of the reference.

    Raises:
        DecodeError: they are no part of an observable snapshot.
    """
    if not isinstance(raw, dict):
        decode(Figures, raw, "$.figures")
    wanted = with_flat_positions(encode(observable(narrowed(state, raw))), raw)
    if claims_hold(raw, wanted):
        return ()
    got = without_nulls(encode(decode(Figures, raw, "$.figures")))
    return first(differences(restricted(wanted, got), got, "$.figures"))


def contradicted(document: Mapping[str, Any], state: State) -> dict[str, Any]:
    """Those well-formed figures alone that differ from the state's."""
    wanted = with_flat_positions(encode(observable(narrowed(state, document))), document)
    found: dict[str, Any] = _unequal(document, wanted)
    return found


def _unequal(document: Any, wanted: Any) -> Any:
    """The leaves of a document that are others in another one."""
    if not isinstance(document, dict):
        return document
    known = wanted if isinstance(wanted, dict) else {}
    parts = {name: _unequal(part, known.get(name)) for name, part in document.items() if part != known.get(name)}
    return {name: part for name, part in parts.items() if part != {}}


def without_nulls(document: Any) -> Any:
    """A document without the parts that are null, which claim nothing."""
    if not isinstance(document, dict):
        return document
    return {name: without_nulls(part) for name, part in document.items() if part is not None}


def restricted(document: Any, names: Any) -> Any:
    """Those parts of a document that another one has too."""
    if not isinstance(document, dict) or not isinstance(names, dict):
        return document
    return {name: restricted(part, names[name]) for name, part in document.items() if name in names}
