"""Stand-ins write nothing and only reject; the reference asks nothing that lifting would not notice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lifted_programs import Blind

from clearspec import collateral, liquidation, margin, oracle, settlement, trading, waterfall
from clearspec.events import Context, require
from clearspec.ledger import post
from clearspec.state import State
from clearspec_proofs import purity, store
from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.lifting.paths import Discarded, executed
from clearspec_proofs.rechecking import recheck
from clearspec_proofs.records import Status
from clearspec_proofs.stand_ins import CUT_SHORT, StandIn, any_integer, left_in_place, opaque, standing_in, unread
from clearspec_proofs.theorems import Strength, Theorem, catalogue


@pytest.fixture(scope="module")
def titles() -> set[str]:
    """Every stand-in of the stored proofs, and of the first path of each theorem."""
    found: set[str] = set()
    for entry in store.read_manifest(store.default_folder()).theorems:
        found |= set(entry["stand_ins"])
    for theorem in catalogue().values():
        found |= executed(theorem.body, Blind()).path.contracts
    return found


def test_stand_ins_write_nothing_or_reject_nothing(titles: set[str]) -> None:
    assert purity.unfounded(titles) == []


def test_every_contract_rests_on_a_theorem(titles: set[str]) -> None:
    assert purity.groundless(titles, catalogue()) == []


def test_the_reference_asks_nothing_that_lifting_would_not_notice() -> None:
    assert [str(finding) for finding in purity.outside_subset()] == []


def test_every_exception_is_needed() -> None:
    exempt = {f"{text.module}.{text.function.__name__}" for text in purity.reference() if list(purity.unnoticed(text))}
    assert set(purity.ALLOWED) <= exempt


WRITERS: dict[Callable[..., Any], str] = {
    post: "balances.put",
    trading.settle_owed: "balances.put",
    oracle.accrued_index: "state.settlements.put",
    waterfall.draw_fund: "balances.put",
    waterfall.close_at_mark: "open_interest.put",
    waterfall.bear: "pool_budgets.put",
    collateral.withdraw: "balances.put",
}


@pytest.mark.parametrize("function", WRITERS, ids=lambda function: function.__name__)
def test_functions_that_write_are_found(function: Callable[..., Any]) -> None:
    assert any(WRITERS[function] in str(finding) for finding in purity.writes(function))


@pytest.mark.parametrize(
    "function",
    [
        margin.standing,
        margin.fill_allowed,
        waterfall.ranked_counterparties,
        waterfall.tear_up_rooms,
        oracle.quorum_price,
    ],
)
def test_functions_that_only_read_are_not(function: Callable[..., Any]) -> None:
    assert purity.writes(function) == []


def sets_a_field(ctx: Context) -> None:
    ctx.state.time = 5


def sets_a_key(ctx: Context) -> None:
    ctx.state.recent["event"] = None


def deletes_a_key(ctx: Context) -> None:
    del ctx.state.recent["event"]


def grows_a_list(ctx: Context) -> None:
    ctx.postings.append(None)  # type: ignore[arg-type]


def grows_in_place(ctx: Context) -> None:
    postings = ctx.postings
    postings += []


def exchanges(ctx: Context) -> None:
    ctx.state.positions.exchange()


def rewinds_for_good(ctx: Context) -> None:
    ctx.state._exchange()


def writes_through_a_name(ctx: Context) -> None:
    table = ctx.state.marks
    table.put("M", None)  # type: ignore[arg-type]


def writes_through_another(ctx: Context) -> int:
    writer = helper
    writer(ctx)
    return 1


def helper(ctx: Context) -> None:
    ctx.state.marks.put("M", None)  # type: ignore[arg-type]


def writes_by_loop(ctx: Context) -> None:
    for ctx.actor in ("a", "b"):
        pass


def writes_a_global() -> None:
    global COUNT
    COUNT = 1


def calls_the_unknown(ctx: Context) -> Any:
    return getattr(ctx.state, "drop")()  # noqa: B009


def writes_a_shared_container(ctx: Context) -> None:
    left = ctx.state.recent
    left["event"] = None


@pytest.mark.parametrize(
    "function",
    [
        sets_a_field, sets_a_key, deletes_a_key, grows_a_list, grows_in_place, exchanges, rewinds_for_good,
        writes_through_a_name, writes_through_another, writes_by_loop, writes_a_global, calls_the_unknown,
        writes_a_shared_container,
    ],
)  # fmt: skip
def test_every_way_to_write_is_found(function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of this file count as the reference's, so that what they call is followed."""
    monkeypatch.setattr(purity, "of_reference", lambda value: inspect.isfunction(value) and value in LOCAL)
    assert purity.writes(function) != []


LOCAL = [helper]


def makes_its_own(state: State, amounts: list[int]) -> list[int]:
    left = dict(enumerate(amounts))
    found: list[int] = []
    total = 0
    for key in left:
        left[key] -= 1
        total += left[key]
        found.append(total)
    return found


def replaces(ctx: Context) -> Any:
    with ctx.state.rewound():
        return replace(ctx.state.marks["M"], price=1)


@pytest.mark.parametrize("function", [makes_its_own, replaces])
def test_what_a_function_has_made_it_may_write(function: Callable[..., Any]) -> None:
    assert purity.writes(function) == []


def test_only_rejections_may_depend_on_a_passing_function() -> None:
    assert purity.only_rejects(margin.fill_allowed) == []
    assert purity.only_rejects(collateral.require_outflow) == []
    found = [str(finding) for finding in purity.only_rejects(margin.is_liquidatable)]
    assert len(found) == 1
    assert found[0].startswith("collateral.py:")


def test_a_negated_or_compared_answer_decides_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def asks(ctx: Context) -> bool:
        return True

    def negates(ctx: Context) -> None:
        require(not asked(ctx), None, "")  # type: ignore[arg-type]

    def returns(ctx: Context) -> bool:
        return asked(ctx)

    def keeps(ctx: Context) -> None:
        allowed = asked(ctx)
        require(allowed, None, "")  # type: ignore[arg-type]
        ctx.actor = "a" if allowed else "b"

    def requires(ctx: Context) -> None:
        allowed = ctx.time > 0 or asked(ctx)
        require(allowed, None, "")  # type: ignore[arg-type]

    monkeypatch.setitem(globals(), "asked", asks)
    monkeypatch.setattr(purity, "LIFTED", (__name__,))
    for function, count in ((negates, 1), (returns, 1), (keeps, 1), (requires, 0)):
        monkeypatch.setattr(purity, "reference", lambda function=function: [purity.text_of(function)])
        assert len(purity.only_rejects(asks)) == count


def asked(ctx: Context) -> bool:
    """Exchanged above."""
    return False


def by_identity(value: Any) -> bool:
    return value is True


def by_type(value: Any) -> bool:
    return isinstance(value, int)


def by_representation(value: Any) -> str:
    return f"{value!r}"


def by_pattern(value: Any) -> int:
    match value:
        case int():
            return 1
    return 0


def by_error(value: Any) -> int:
    try:
        return int(value)
    except TypeError:
        return 0


@pytest.mark.parametrize("function", [by_identity, by_type, by_representation, by_pattern, by_error])
def test_what_lifting_would_not_notice_is_found(function: Callable[..., Any]) -> None:
    assert list(purity.unnoticed(purity.text_of(function))) != []


def test_a_stand_in_that_cannot_be_made_leaves_none_in_place() -> None:
    """The first of two stands already when making the second discards the path."""

    def discards(path: Any) -> Any:
        raise Discarded

    first = opaque(margin.size_ratio, any_integer)
    path = Concrete(Given({}, {}), stand_ins=True)
    with pytest.raises(Discarded), standing_in(path, first, StandIn(margin.payable, "itself, never made", discards)):
        pass
    assert left_in_place() == []


def test_what_is_left_in_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    left_in_place()
    monkeypatch.setattr(margin, "size_ratio", lambda *_: 0)
    assert left_in_place() == ["size_ratio"]
    verdict = recheck(Theorem("test.body", "A test.", ("NUM-1",), Strength.EVERY_INPUT, lambda path: None, ()), {})
    assert (verdict.status, verdict.note) == (Status.UNKNOWN, "a stand-in for size_ratio was left in place")


@pytest.mark.parametrize(
    "function",
    [collateral.withdraw, trading.trade, liquidation.require_able, waterfall.resolve_default, settlement.delist],
)
def test_what_rejects_may_not_be_cut_short(function: Callable[..., Any]) -> None:
    assert purity.rejections(function) != []
    assert purity.unfounded([f"{function.__module__.rpartition('.')[2]}.{function.__name__}: {CUT_SHORT}"]) != []


def test_what_is_unread_is_not_read() -> None:
    for reads in (bool, list, len, lambda value: value == value, lambda value: value[0], lambda value: value + 1):
        with pytest.raises((LookupError, TypeError)):
            reads(unread())


def test_contracts_without_a_theorem_are_named() -> None:
    known = {"trading.filled-conserves": None}
    said = ["trading.filled: trading.filled-conserves", "trading.fill: because", "trading.novate: trading.gone-away"]
    assert purity.groundless([*said, "margin.standing: opaque"], known) == ["trading.fill: because", said[2]]
