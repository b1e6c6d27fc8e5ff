"""Conformance vectors: how they are written, filled by the reference, checked and compared.

A vector is written as a small function on a ``Recorder``, a clearinghouse that keeps every event with its receipt. What
the function derives by hand stands beside what the reference filled in; a difference between the two stops the fill.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clearspec import events as ev
from clearspec.codec import encode
from clearspec.formats import (
    ByHand,
    Importance,
    Vector,
    VectorFormat,
    VectorStep,
    Why,
    receipt_record,
)
from clearspec.invariants import INVARIANTS
from clearspec.machine import apply, apply_document
from clearspec.rules import CHAPTERS, IMPLEMENTED
from clearspec.sandbox import Sandbox, genesis
from clearspec.snapshot import observable, state_root
from clearspec_conformance.formats import (
    GenesisCase,
    GenesisVector,
    GenesisVectorFormat,
    KernelCall,
    KernelVector,
    KernelVectorFormat,
    digest_of,
)
from clearspec_conformance.kernels import KERNELS, called
from clearspec_conformance.reference_engine import refused_for
from clearspec_conformance.suite import VERSION, AnyVector, read_vector

FEATURE_OF: dict[str, str] = {
    "open_account": "ledger",
    "deposit": "ledger",
    "contribute": "ledger",
    "withdraw": "collateral",
    "transfer": "collateral",
    "convert": "collateral",
    "cover_loss": "collateral",
    "collect_fees": "collateral",
    "post_price": "oracle",
    "post_book": "oracle",
    "trade": "trading",
    "accrue_funding": "funding",
    "liquidate": "liquidation",
    "resolve_default": "waterfall",
    "list_market": "parameters",
    "set_parameters": "parameters",
    "set_status": "trading",
    "delist": "settlement",
    "fix_settlement": "settlement",
    "settle_position": "settlement",
    "pay_claim": "settlement",
}
"""The feature that an engine must claim to be asked an action."""

SUITE_VERSION = f"{VERSION}.1.0"
"""Version of this project's suite: format, coverage, fix (spec/protocol.md)."""


@dataclass
class Recorder(Sandbox):
    """A sandbox that keeps what it did, and the values that were derived by hand."""

    steps: list[VectorStep] = field(default_factory=list)
    by_hand: list[ByHand] = field(default_factory=list)
    needs: set[str] = field(default_factory=lambda: {"events"})
    """Features that an engine must claim to be given what was done."""

    def do(self, actor: str, action: Any, expect: ev.Reason | None = None) -> ev.Receipt:
        """Apply an action as the sandbox does, and keep the event with its receipt."""
        receipt = super().do(actor, action, expect)
        self._keep(ev.Event(receipt.id, receipt.sequence, receipt.time, actor, action), receipt)
        return receipt

    def _keep(self, event: ev.Event, receipt: ev.Receipt) -> None:
        """Keep an event with its receipt."""
        self.steps.append(VectorStep(event, receipt_record(receipt)))
        self.needs.add(FEATURE_OF[ev.ACTION_NAMES[type(event.action)]])

    def send(self, event: ev.Event, expect: ev.Reason | None = None) -> ev.Receipt:
        """Apply an event just as it is, for what concerns ids, sequence and time."""
        receipt = apply(self.state, event)
        if receipt.reason != expect:
            raise AssertionError(f"{event}: expected {expect}, got {receipt.reason} ({receipt.subject})")
        self._keep(event, receipt)
        self.sequence = max(self.sequence, event.sequence)
        return receipt

    def write(self, document: str, expect: ev.Reason | None = ev.Reason.MALFORMED, needs: str = "ledger") -> None:
        """Apply the document of an event, a text that may be malformed; ``needs`` is the chapter of its action."""
        receipt = apply_document(self.state, document)
        if receipt.reason != expect:
            raise AssertionError(f"{document}: expected {expect}, got {receipt.reason} ({receipt.subject})")
        self.steps.append(VectorStep(None, receipt, None, document))
        self.needs.add(needs)
        self.sequence = max(self.sequence, receipt.sequence)

    def event(self, place: int) -> ev.Event:
        """The event of a step, from 0."""
        event = self.steps[place].event
        assert event is not None
        return event

    def observe(self) -> None:
        """Let the vector hold the observable snapshot after the last step."""
        self.steps[-1] = replace(self.steps[-1], observable=observable(self.state))

    def hand(self, place: str, value: int, derivation: str) -> None:
        """Hold a value derived by hand against the last step: a path in its receipt or observable snapshot."""
        if place.startswith("observable"):
            self.observe()
        self.by_hand.append(ByHand(len(self.steps), place, value, derivation))


@dataclass(frozen=True)
class Case:
    """A vector as it is written: what it is about, and the function that plays it."""

    id: str
    chapter: str
    rules: tuple[str, ...]
    why: Why
    importance: Importance
    genesis: ev.Genesis
    play: Callable[[Recorder], None]


CASES: dict[str, Case] = {}


def case(
    identifier: str,
    *rules: str,
    bug: str,
    effect: str,
    incident: str = "",
    importance: Importance = Importance.RULE,
    start: ev.Genesis | None = None,
) -> Callable[[Callable[[Recorder], None]], Callable[[Recorder], None]]:
    """Register a function as a vector; its chapter is the first word of the module that it stands in.

    Raises:
        ValueError: the id is taken or a rule is unknown.
    """

    def register(play: Callable[[Recorder], None]) -> Callable[[Recorder], None]:
        unknown = [rule for rule in rules if rule not in IMPLEMENTED]
        if identifier in CASES or unknown or not rules:
            raise ValueError(f"vector {identifier}: id taken, no rule, or unknown rules {unknown}")
        chapter = play.__module__.rsplit(".", 1)[-1].partition("_")[0]
        why = Why(bug, effect, incident)
        CASES[identifier] = Case(identifier, chapter, rules, why, importance, start or genesis(), play)
        return play

    return register


def at(document: Any, path: str) -> Any:
    """What stands at a dotted path of an encoded document.

    Raises:
        KeyError: nothing stands there.
    """
    for name in path.split("."):
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def disagreements(vector: Vector) -> list[str]:
    """Values derived by hand that differ from what the reference filled in."""
    found = []
    for value in vector.by_hand:
        filled = at(encode(vector.steps[value.step - 1]), value.place)
        if filled != str(value.value):
            found.append(f"{vector.id} step {value.step} {value.place}: by hand {value.value}, filled {filled}")
    return found


def filled(entry: Case) -> Vector:
    """The vector of a case, filled in by the reference.

    Raises:
        ValueError: a value derived by hand disagrees.
    """
    box = Recorder(entry.genesis)
    entry.play(box)
    box.observe()
    vector = Vector(
        VectorFormat.V2,
        entry.id,
        VERSION,
        entry.rules,
        tuple(sorted(box.needs)),
        entry.importance,
        entry.why,
        entry.genesis,
        tuple(box.steps),
        tuple(item.id for item in INVARIANTS),
        "",
        tuple(box.by_hand),
        state_root(box.state),
    )
    for line in disagreements(vector):
        raise ValueError(line)
    return replace(vector, digest=digest_of(vector))


@dataclass(frozen=True)
class KernelCase:
    """A kernel vector as it is written: calls of one kernel with the results derived by hand."""

    id: str
    chapter: str
    rules: tuple[str, ...]
    why: Why
    importance: Importance
    kernel: str
    calls: tuple[tuple[dict[str, Any], dict[str, int]], ...]


KERNEL_CASES: dict[str, KernelCase] = {}


def kernel_case(
    identifier: str,
    *rules: str,
    kernel: str,
    bug: str,
    effect: str,
    calls: Sequence[tuple[dict[str, Any], dict[str, int]]],
    importance: Importance = Importance.RULE,
) -> None:
    """Register a kernel vector: each call with its arguments and every result, derived by hand.

    Raises:
        ValueError: the id is taken, or a rule or the kernel is unknown.
    """
    unknown = [rule for rule in rules if rule not in IMPLEMENTED]
    if identifier in KERNEL_CASES or unknown or not rules or kernel not in KERNELS:
        raise ValueError(f"kernel vector {identifier}: id taken, unknown kernel {kernel} or rules {unknown}")
    chapter = CHAPTERS[rules[0].rsplit("-", 1)[0]]
    why = Why(bug, effect, "")
    KERNEL_CASES[identifier] = KernelCase(identifier, chapter, rules, why, importance, kernel, tuple(calls))


def filled_kernel(entry: KernelCase) -> KernelVector:
    """The kernel vector of a case, filled in by the reference.

    Raises:
        ValueError: a result derived by hand disagrees.
    """
    calls = []
    for number, (given, by_hand) in enumerate(entry.calls, start=1):
        arguments = KERNELS[entry.kernel].arguments(**given)
        results = called(arguments)
        if results != by_hand:
            raise ValueError(f"{entry.id} call {number} {given}: by hand {by_hand}, filled {results}")
        calls.append(KernelCall(arguments, results))
    vector = KernelVector(
        KernelVectorFormat.V1, entry.id, VERSION, entry.rules, entry.importance, entry.why, tuple(calls), ""
    )
    return replace(vector, digest=digest_of(vector))


@dataclass(frozen=True)
class GenesisEntry:
    """A genesis vector as it is written: geneses, each with the rule for which it must be refused, or none."""

    id: str
    chapter: str
    rules: tuple[str, ...]
    why: Why
    importance: Importance
    cases: tuple[GenesisCase, ...]


GENESIS_CASES: dict[str, GenesisEntry] = {}


def genesis_case(
    identifier: str,
    *rules: str,
    bug: str,
    effect: str,
    cases: Sequence[tuple[str, ev.Genesis | str, str | None]],
    incident: str = "",
    importance: Importance = Importance.RULE,
) -> None:
    """Register a genesis vector: each case says what it is about, the genesis or its text, and the rule against it.

    Raises:
        ValueError: the id is taken, or a rule is unknown.
    """
    cited = {*rules, *(rule for _, _, rule in cases if rule is not None)}
    unknown = [rule for rule in cited if rule not in IMPLEMENTED]
    if identifier in GENESIS_CASES or unknown or not rules:
        raise ValueError(f"genesis vector {identifier}: id taken, no rule, or unknown rules {unknown}")
    chapter = CHAPTERS[rules[0].rsplit("-", 1)[0]]
    kept_cases = tuple(
        GenesisCase(about, None, given, rule) if isinstance(given, str) else GenesisCase(about, given, None, rule)
        for about, given, rule in cases
    )
    why = Why(bug, effect, incident)
    GENESIS_CASES[identifier] = GenesisEntry(identifier, chapter, rules, why, importance, kept_cases)


def filled_genesis(entry: GenesisEntry) -> GenesisVector:
    """The genesis vector of an entry, held against the reference.

    Raises:
        ValueError: the reference refuses a genesis for another rule, or accepts it.
    """
    for case in entry.cases:
        got = refused_for(encode(case.genesis), case.document)
        if got != case.refused:
            raise ValueError(f"{entry.id}: {case.about}: by hand {case.refused}, the reference {got}")
    shape = (entry.rules, ("events", "parameters"), entry.importance, entry.why, entry.cases)
    vector = GenesisVector(GenesisVectorFormat.V1, entry.id, VERSION, *shape, "")
    return replace(vector, digest=digest_of(vector))


def load_cases() -> dict[str, Case]:
    """Every case of every chapter script, by id."""
    from clearspec_conformance import cases

    for module in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(f"{cases.__name__}.{module.name}")
    return CASES


def path_of(folder: Path, vector: AnyVector, chapter: str) -> Path:
    """Where a vector is kept."""
    return folder / chapter / f"{vector.id}.json"


def kept(folder: Path) -> Iterator[tuple[Path, AnyVector]]:
    """Every vector kept in a folder, in order of path.

    Raises:
        BadInput: a file is not a vector.
    """
    for path in sorted(folder.glob("*/*.json")):
        yield path, read_vector(path)
