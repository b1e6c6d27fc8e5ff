"""The reference is provable: every transition runs on amounts that know no more than a symbolic term does.

Each event of each scenario is applied twice: to the plain state, and to a state and an event in which every amount,
price, size, ratio and index is an ``Amount``. Nothing may raise, and both runs must agree in receipt and state.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import proxies
import pytest
import test_reasons
import test_stands
from proxies import Amount, UndisciplinedError

from clearspec import events as ev
from clearspec import machine, numerics
from clearspec import sandbox as sb
from clearspec.events import Event, Reason, Receipt
from clearspec.invariants import broken
from clearspec.state import FLAT, State


@dataclass
class Witness:
    """Applies every event twice, and notes which actions were accepted and which rejected."""

    seen: set[tuple[str, bool]] = field(default_factory=set)
    events: int = 0

    def apply(self, state: State, event: Event) -> Receipt:
        """``machine.apply`` on the plain state, after the same on amounts; both must agree."""
        wrapped = proxies.wrap_state(state)
        shadow = machine.apply(wrapped, proxies.wrap_event(event))
        receipt = machine.apply(state, event)
        assert proxies.unwrap(shadow) == receipt
        assert proxies.unwrap_state(wrapped) == proxies.unwrap_state(state)
        assert proxies.leaks_of_state(wrapped) == []
        assert list(proxies.leaks(event)) == []
        if receipt.accepted:
            assert broken(wrapped) == broken(state)
        self.seen.add((receipt.action, receipt.accepted))
        self.events += 1
        return receipt


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    """Every sandbox applies its events through a witness."""
    found = Witness()
    monkeypatch.setattr(sb, "apply", found.apply)
    yield found
    assert found.events > 0


def run_case(name: str) -> None:
    """A case of ``test_reasons``, its setting and the event that is rejected."""
    reason, make = test_reasons.CASES[name]
    found = make()
    assert sb.apply(found.sandbox.state, found.event).reason == reason


@pytest.mark.parametrize("name", test_reasons.CASES)
def test_rejections_run_on_amounts(name: str, witness: Witness) -> None:
    run_case(name)
    assert any(not accepted for _, accepted in witness.seen)


@pytest.mark.parametrize("name", test_reasons.CHAINS)
def test_chains_run_on_amounts(name: str, witness: Witness) -> None:
    test_reasons.CHAINS[name][1]()
    assert any(not accepted for _, accepted in witness.seen)


SLOW = {"test_s16_64_positions_fill_an_account", "test_s16_a_liquidator_does_not_hold_a_65th_position"}
STANDS = {
    name: test
    for name, test in vars(test_stands).items()
    if name.startswith("test_") and not inspect.signature(test).parameters and name not in SLOW
}
"""Tests of ``test_stands`` that take no argument."""


@pytest.mark.parametrize("name", STANDS)
def test_stands_hold_on_amounts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb, "apply", Witness().apply)
    STANDS[name]()


def test_final_settlement_runs_on_amounts(witness: Witness) -> None:
    test_stands.test_s14_one_payout_factor_whoever_comes_first(("b", "a", "c"), 30, 50, (108, 72))
    assert {("fix_settlement", True), ("settle_position", True), ("pay_claim", True)} <= witness.seen


def accept_the_rest() -> None:
    """The actions that no other scenario has accepted: a liquidation, fees, a listing, a premium, a delisting."""
    s = test_reasons.fallen(price=94)
    s.do("b", ev.Liquidate("a", "b", "BTC-PERP", 10))
    s.do("b", ev.Transfer("b", "a", "USD", 1))
    s = test_reasons.priced(sb.with_market(trading=replace(sb.TRADING, taker_fee=sb.PERCENT)))
    s.trade("a", "b", 10, 100)
    s.do("admin", ev.CollectFees("main", 10))
    s.do("admin", ev.ListMarket(replace(sb.LISTING, market="BTC-2")))
    s.time = 10
    s.do("venue", ev.PostBook("BTC-PERP", 101, 103))
    s.time = 3600
    s.price(100)
    s.do("k", ev.AccrueFunding("BTC-PERP"))
    s.do("admin", ev.Delist("BTC-PERP", 600))


def reject_the_rest() -> None:
    """The actions that no other scenario has rejected."""
    s = test_reasons.priced()
    s.do("k", ev.Contribute("nowhere", ev.Fund.INSURANCE_FUND, 1), Reason.UNKNOWN_POOL)


def test_every_action_is_accepted_and_rejected_on_amounts(witness: Witness) -> None:
    accept_the_rest()
    reject_the_rest()
    for name, (_, make) in test_reasons.CHAINS.items():
        if "many_markets" not in name:
            make()
    test_stands.test_s14_one_payout_factor_whoever_comes_first(("a", "b", "c"), 0, 0, (60, 40))
    assert witness.seen == {(name, accepted) for name in ev.ROLES for accepted in (True, False)}


# ---------------------------------------------------------------------------------------------------------------
# The proxies themselves: a witness that sees nothing would be worth nothing


def test_every_integer_type_is_either_an_amount_or_plain() -> None:
    assert not proxies.AMOUNT_TYPES & proxies.PLAIN_TYPES
    assert proxies.bounded_types() <= proxies.AMOUNT_TYPES | proxies.PLAIN_TYPES


def test_a_wrapped_state_is_made_of_amounts() -> None:
    s = test_reasons.priced()
    s.trade("a", "b", 10, 100)
    wrapped = proxies.wrap_state(s.state)
    assert {type(amount) for amount in wrapped.balances.values()} == {Amount}
    position = wrapped.positions["a", "BTC-PERP"]
    assert {type(part) for part in (position.size, position.cost, position.funding_index)} == {Amount}
    parameters = wrapped.markets["BTC-PERP"].listing.parameters
    assert {type(tier.upper) for tier in parameters.margin.tiers} == {Amount}
    assert type(parameters.liquidation.penalty) is Amount
    assert type(parameters.funding.interval) is int
    assert type(wrapped.marks["BTC-PERP"].fresh_until) is int
    assert type(wrapped.feeds["BTC"].index) is Amount
    assert type(proxies.wrap(ev.Trade("m", "a", "b", 1, 2, ev.Side.SELLER)).size) is Amount
    assert proxies.unwrap_state(wrapped) == proxies.unwrap_state(s.state)


def test_amounts_compute_as_integers() -> None:
    seven, two = Amount(7), Amount(2)
    results = [seven + two, 7 + two, seven - 2, 7 - two, seven * two, 7 * two, -seven, abs(-seven), sum([seven, two])]
    assert [proxies.unwrap(result) for result in results] == [9, 9, 5, 5, 14, 14, -7, 7, 9]
    assert {type(result) for result in results} == {Amount}
    assert seven > two
    assert seven >= 7
    assert two < 7
    assert two <= two
    assert seven != two
    assert seven == 7
    assert max(seven, two) is seven
    assert min(3, two) is two
    assert [proxies.unwrap(part) for part in sorted([seven, two, Amount(-1)])] == [-1, 2, 7]
    assert proxies.unwrap(numerics.div_floor(Amount(-7), 2)) == -4
    assert proxies.unwrap(numerics.div_ceil(-7, Amount(2))) == -3


FORBIDDEN: dict[str, Callable[[Amount], Any]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "hash": hash,
    "round": round,
    "trunc": math.trunc,
    "truth": lambda amount: 1 if amount else 0,
    "or": lambda amount: amount or 0,
    "not": lambda amount: not amount,
    "set": lambda amount: {amount},
    "key": lambda amount: {amount: 1},
    "range": range,
    "index": lambda amount: [1, 2, 3][amount],
    "slice": lambda amount: [1, 2, 3][:amount],
    "repeat": lambda amount: (0,) * amount,
    "divide": lambda amount: amount / 2,
    "floor": lambda amount: amount // 2,
    "floor by": lambda amount: 8 // amount,
    "remainder": lambda amount: amount % 2,
    "divmod": lambda amount: divmod(amount, 2),
    "power": lambda amount: amount**2,
    "exponent": lambda amount: 2**amount,
    "left": lambda amount: amount << 1,
    "right": lambda amount: amount >> 1,
    "and": lambda amount: amount & 1,
    "flip": lambda amount: ~amount,
    "float operand": lambda amount: amount * 0.5,
    "bool operand": lambda amount: amount + True,
    "text": lambda amount: amount == "2",
    "none": lambda amount: amount == None,  # noqa: E711
    "zero divisor": lambda amount: numerics.div_floor(1, amount - 2),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_nothing_else_can_be_done_with_an_amount(name: str) -> None:
    with pytest.raises(UndisciplinedError):
        FORBIDDEN[name](Amount(2))


def test_the_reference_may_not_ask_for_the_type_of_an_amount() -> None:
    for place, allowed in ((proxies.SOURCES + "/anything.py", False), ("elsewhere.py", True)):
        here = compile("isinstance(amount, int)", place, "eval")
        if allowed:
            assert not eval(here, {"amount": Amount(2)})
        else:
            with pytest.raises(UndisciplinedError):
                eval(here, {"amount": Amount(2)})


@pytest.mark.parametrize("expression", ["f'{amount}'", "str(amount)", "repr(amount)", "'%s' % amount", "f'{amount:d}'"])
def test_the_reference_may_not_write_an_amount(expression: str) -> None:
    here = compile(expression, proxies.SOURCES + "/anything.py", "eval")
    with pytest.raises(UndisciplinedError):
        eval(here, {"amount": Amount(2)})
    assert "2" in eval(compile(expression, "elsewhere.py", "eval"), {"amount": Amount(2)})


@pytest.mark.parametrize(
    "fault",
    [
        lambda size, price: int(size) * price,
        lambda size, price: size * price if size else 0,
        lambda size, price: size * price // 1,
        lambda size, price: sum(price for _ in range(size)),
    ],
    ids=["int", "truth", "division", "loop"],
)
def test_a_fault_planted_in_a_kernel_is_seen(
    fault: Callable[[Any, Any], Any], witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = test_reasons.priced()
    monkeypatch.setattr("clearspec.trading.notional", fault)
    with pytest.raises(UndisciplinedError):
        s.trade("a", "b", 10, 100)


def test_an_amount_that_reaches_a_time_is_seen() -> None:
    wrapped = proxies.wrap_state(test_reasons.priced().state)
    mark = wrapped.marks["BTC-PERP"]
    wrapped.marks["BTC-PERP"] = replace(mark, fresh_until=mark.price)
    assert proxies.leaks_of_state(wrapped) == ["marks[BTC-PERP].fresh_until"]


def test_a_truth_value_that_reaches_an_amount_is_seen() -> None:
    assert list(proxies.leaks(replace(FLAT, size=True))) == [".size"]
