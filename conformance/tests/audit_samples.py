"""Logs to try the auditor on: long ones of a made-up market, and short ones whose figures are derived by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from clearspec import events as ev
from clearspec.codec import encode
from clearspec.events import Event, Reason
from clearspec.formats import LogFormat, LogHeader, LogLine, receipt_record
from clearspec.machine import apply
from clearspec.sandbox import PERCENT, TRADING, Sandbox, with_market
from clearspec.snapshot import observable, snapshot
from clearspec_conformance.audit.formats import AuditReport
from clearspec_conformance.audit.lines import Plain, Translator
from clearspec_conformance.audit.reading import layout_of
from clearspec_conformance.audit.reports import audited_log, report_of
from clearspec_conformance.audit.segments import Log, audit
from clearspec_conformance.audit.writing import line_bytes
from clearspec_conformance.injected.market import base_log

Document = Any


@cache
def market_lines(events: int, every: int, seed: int = 0) -> tuple[bytes, ...]:
    """A right log of a busy market: its header, events, and a snapshot after every so many."""
    return tuple(line_bytes(record) for record in base_log(events, seed, every))


def written(path: Path, lines: Iterable[bytes | Document]) -> Path:
    """A log in a file; documents become lines."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else packed(line) for line in lines))
    return path


def packed(document: Document) -> bytes:
    """A document as a line."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def audited(path: Path, translator: Translator | None = None, going_on: bool = False, **options: Any) -> AuditReport:
    """The report of an audit."""
    log = Log(path, layout_of(path), translator or Plain(), going_on)
    tally = audit(log, **options)
    return report_of(tally, audited_log(path, log.layout), log.translator)


class Desk:
    """A small clearinghouse that writes its log; every line is a document that a test may spoil."""

    def __init__(self, genesis: ev.Genesis | None = None) -> None:
        self.box = Sandbox(genesis) if genesis is not None else Sandbox()
        self.lines: list[Document] = [encode(LogHeader(LogFormat.V1, self.box.genesis))]

    def do(self, actor: str, action: Any, expect: Reason | None = None) -> Document:
        """Apply an action as the next event; returns its line."""
        self.box.sequence += 1
        event = Event(f"e{self.box.sequence}", self.box.sequence, self.box.time, actor, action)
        receipt = apply(self.box.state, event)
        assert receipt.reason == expect, receipt
        self.lines.append(encode(LogLine(event, receipt_record(receipt))))
        return self.lines[-1]

    def open(self, account: str, cash: int) -> None:
        """An account with a deposit."""
        self.do(account, ev.OpenAccount(account, "main"))
        self.do(account, ev.Deposit(account, "USD", cash))

    def price(self, price: int) -> Document:
        """A price of the one source."""
        return self.do("s1", ev.PostPrice("BTC", price, 0))

    def trade(self, buyer: str, seller: str, size: int, price: int) -> Document:
        """A fill in which the seller is the maker."""
        return self.do("venue", ev.Trade("BTC-PERP", buyer, seller, size, price, ev.Side.SELLER))

    def look(self) -> Document:
        """Let the last line carry the observable snapshot; returns that."""
        self.lines[-1]["observable"] = encode(observable(self.box.state))
        return self.lines[-1]["observable"]

    def snap(self) -> Document:
        """A line with the full snapshot; returns it."""
        self.lines.append({"snapshot": snapshot(self.box.state)})
        return self.lines[-1]["snapshot"]


def market_desk() -> Desk:
    """Ann and Bob bring 10,000 each and trade 10 lots at 100, for a fee of 0.1 % of 1,000: 1 atom each."""
    desk = Desk(with_market(trading=replace(TRADING, taker_fee=PERCENT // 10, maker_fee=PERCENT // 10)))
    desk.price(100)
    desk.open("ann", 10_000)
    desk.open("bob", 10_000)
    desk.trade("ann", "bob", 10, 100)
    return desk


def events_of(lines: Iterable[bytes]) -> Iterator[tuple[int, Document]]:
    """Place and document of every line with an event."""
    for place, line in enumerate(lines):
        document = json.loads(line)
        if "event" in document:
            yield place, document


def spoiled(lines: Iterable[bytes], step: int, change: Callable[[Document], None]) -> list[bytes]:
    """The lines with the one of an event (from 1) changed."""
    found, count = [], 0
    for line in lines:
        count += b'"event":' in line[:20]
        if count == step and b'"event":' in line[:20]:
            document = json.loads(line)
            change(document)
            line = packed(document)
        found.append(line)
    return found
