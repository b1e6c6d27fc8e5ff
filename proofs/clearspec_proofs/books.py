"""Transitions in worlds whose books are in order: what they keep, and the parts of which that is shown apart.

A transition is a program over functions that write. Each of these keeps the invariants of any state, which is a theorem
of its own; in the transition it is *kept*: at the call the invariants are claimed and what the theorem requires, and
afterwards nothing is known of what the function writes but that it satisfies the invariants again. So what a transition
does in a loop is shown for any number of turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearspec import events as ev
from clearspec.events import Context
from clearspec.invariants import INVARIANTS
from clearspec.machine import apply
from clearspec.numerics import TIME_MAX
from clearspec.state import Budget
from clearspec_proofs.claims import (
    BY_MARKET,
    RESTS,
    Changes,
    accounts_kept,
    accounts_of,
    concerns,
    dangling,
    followers_kept,
    in_ranges,
    inside_envelope,
    losses_grown,
    market_of,
    marks_have_indices,
    parameters_kept,
    ramps_begun,
    view,
)
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.sound import SoundWorld
from clearspec_proofs.stand_ins import StandIn, standing_in
from clearspec_proofs.unknown import Among, is_unknown, unknown
from clearspec_proofs.world import Tables, symbolic
from clearspec_proofs.writing import writes_of

Known = dict[tuple[str, Any], Any]
"""Records by table and key."""

INDICES = "marks have indices"
"""What is claimed beside the invariants and does not hold while the marks of a feed are refreshed."""


class Books(SoundWorld):
    """A symbolic state that satisfies every invariant, and what happens in it."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.admitted: list[Any] = []
        self.named: set[str] = set()
        self.lost: set[str] = set()
        self.followed: set[str] = set()
        """Feeds whose marks have been refreshed before the feed itself was written."""
        self.loses_money = False
        self.start = self.before

    def begin(self) -> None:
        """Take note of the state before."""
        self.tie()
        self.state.commit()
        self.start = self.before = Tables.of(self.state)

    def moment(self) -> Context:
        """A running transition. Its time is that of the state, which the event will give it."""
        return Context(self.state, self.state.time, "actor")

    # What is claimed

    def settle(self, but: tuple[str, ...] = ()) -> None:
        """Claim every invariant of the state now, and begin again from it."""
        changed = self.before.changed(self.state)
        self.named |= accounts_of(changed)
        for entry in INVARIANTS:
            if entry.id in but:
                continue
            concerned = concerns(entry.id, self.before, self.state, changed)
            if entry.id in self.lost:
                self.path.claim(f"{entry.id} is left as it is", lambda concerned=concerned: not concerned)  # type: ignore[misc]
                continue
            if entry.id in BY_MARKET and self.bare & {market_of(key) for _, key in concerned}:
                raise LeavesSubset(f"{entry.id} is asked of a market whose positions are not shown")
            if concerned:
                self._split(entry.id, concerned)
                seen = view(self.path, self.state, entry.id, self.bare, concerned)
                self.path.claim(entry.id, lambda entry=entry, seen=seen: entry.holds(seen))  # type: ignore[misc]
            else:
                self.path.claim(entry.id, lambda: True)
        if changed:
            self._claim_records(changed, but)
            grown = losses_grown(self.before, self.state)
            if not self.loses_money:
                self.path.claim("no named loss grows", lambda: grown <= 0)
        self.before = Tables.of(self.state)

    def _split(self, name: str, concerned: Changes) -> None:
        """Split cases of which an invariant asks, lest a proof that there are none is looked for."""
        for table, key in concerned:
            if name == "INV-9" and table == "fundings" and not is_unknown(self.state.fundings[key]):
                index = self.state.fundings[key].index
                self.path.assume(lambda index=index: index >= 0 or index < 0, "range")

    def _claim_records(self, changed: list[tuple[str, Any]], but: tuple[str, ...]) -> None:
        """Claim of changed records what worlds suppose beside the invariants: ranges, references, the envelope."""
        tables = {table.name: table for table in self.state.tables}
        records = [(self.before.tables[table].get(key), tables[table][key]) for table, key in changed]
        self.path.claim("fields in range", lambda: in_ranges(records))
        if not self.explicit:  # else the real check has let them through, which notes nothing here
            self.path.claim("parameters admitted", lambda: parameters_kept(self.before, self.state, self.admitted))
        self.path.claim("inside the envelope", lambda: inside_envelope(self.state, changed))
        self.path.claim("accounts kept", lambda: accounts_kept(self.before, self.state, changed))
        self.path.claim("followers kept", lambda: followers_kept(self.before, self.state))
        self.path.claim("ramps have begun", lambda: ramps_begun(self.before, self.state))
        if INDICES not in but:
            self.path.claim(INDICES, lambda: marks_have_indices(self.before, self.state))
        if any(key not in self.before.tables[table] for table, key in changed):
            self.path.claim("nothing dangles", lambda: dangling(self.state) == [])

    # Parts that are shown apart

    def kept(
        self, function: Callable[..., Any], grounds: str, result: Callable[..., Any],
        then: Callable[..., Known] | None = None, renewed: bool = False, loses: tuple[str, ...] = (),
        regardless: tuple[str, ...] = (),
    ) -> StandIn:  # fmt: skip
        """A function that keeps the invariants, as the theorem ``grounds`` proves.

        At the call the invariants are claimed, and ``result(*arguments)`` claims what else that theorem requires and
        makes a result. Afterwards the tables that the function writes are unknown but for what ``then`` knows; or,
        to be
        written again, ``renewed``. Those that the function ``loses`` are claimed no longer; what follows must keep the
        others ``regardless`` of them.
        """
        written = writes_of(function)

        def stand_in(*arguments: Any, **more: Any) -> Any:
            if not self.lost <= set(regardless):
                raise LeavesSubset(f"{function.__name__} supposes {', '.join(self.lost)}")
            self.claim_moment(arguments[0])
            self.settle()
            self.lost |= set(loses)
            made = result(*arguments, **more)
            known = then(*arguments, **more) if then is not None else {}
            self.forget(written, known)
            if renewed:
                self.renew()
            return made

        return StandIn(function, grounds, lambda _: stand_in)

    def claim_moment(self, ctx: Context) -> None:
        """Claim that a transition runs on the state, at a time that is one and not before the state's."""
        self.path.claim("on this state", lambda: ctx.state is self.state)
        self.path.claim("time has not gone back", lambda: self.state.time <= ctx.time)
        self.path.claim("the time is one", lambda: 0 <= ctx.time <= TIME_MAX)

    def forget(self, tables: frozenset[str], known: Known) -> None:
        """Nothing is known any longer of some tables, but of the records in ``known``."""
        for table in self.state.tables:
            if table.name in tables:
                for key, record in list(table.items()):
                    if (table.name, key) in known:
                        table.put(key, known[table.name, key])
                    elif not isinstance(record, Among):
                        table.put(key, unknown(f"{table.name} {key}", record))
        self.before = Tables.of(self.state)

    def renew(self) -> None:
        """Any state again that satisfies the invariants, in place of what is not known."""
        self.round += 1
        state = self.state
        for market in self.phases:
            rests = [row for (name, at), row in state.positions.items() if at == market and name in RESTS]
            figures = [state.marks, state.fundings, state.settlements, state.open_interest]
            if any(is_unknown(row) for row in (*rests, *(table[market] for table in figures))):
                self.prices(market)
                self.rest(market)
            if is_unknown(state.budgets[market]):
                state.budgets.put(market, symbolic(self.path, Budget, self.label(f"{market}.budget")))
        for key, record in list(state.balances.items()):
            if is_unknown(record) and not isinstance(record, Among):
                self.balance(key)
        for pool, budget in state.pool_budgets.items():
            if is_unknown(budget):
                state.pool_budgets.put(pool, symbolic(self.path, Budget, self.label(f"{pool}.budget")))
        self.tie()
        self.before = Tables.of(state)

    # Transitions

    def apply(self, action: Any, *stand_ins: StandIn) -> ev.Receipt:
        """Apply an event; a rejected one must leave everything as it was."""
        self.begin()
        with standing_in(self.path, *stand_ins):
            receipt = apply(self.state, self.event(action))
        if receipt.reason is None:
            self.path.mark("accepted")
        else:
            self.path.claim("rejected means unchanged", lambda: not self.start.changed(self.state))
        return receipt

    def keeps_invariants(self, action: Any, *stand_ins: StandIn) -> ev.Receipt:
        """Apply an event; if it is accepted, every invariant must hold afterwards, and no account changes unnamed."""
        receipt = self.apply(action, *stand_ins)
        if receipt.reason is None:
            self.settle()
            self.path.claim("only accounts of the receipt changed", lambda: self.named <= set(receipt.accounts))
            for feed in self.followed:
                self.path.claim(INDICES, lambda feed=feed: self.state.feeds[feed].index >= 1)  # type: ignore[misc]
        return receipt

    def call(
        self, call: Callable[[], Any], *stand_ins: StandIn, names: tuple[str, ...] = (), but: tuple[str, ...] = ()
    ) -> Any:
        """Call a part of a transition; every invariant must hold afterwards, but those that the transition sees to.

        No other accounts than ``names`` may change.
        """
        self.begin()
        with standing_in(self.path, *stand_ins):
            result = call()
        self.path.mark("done")
        self.settle(but)
        self.path.claim("only named accounts changed", lambda: self.named <= set(names))
        return result
