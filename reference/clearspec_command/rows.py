"""A run as rows for reading: every event that matters, and stretches of routine events summed up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from clearspec.codec import encode
from clearspec.events import ACTION_NAMES, REASONS, PostBook, PostPrice, Reason
from clearspec.parameters import ENVELOPE, MarketListing, MarketParameters
from clearspec.scenario import Played
from clearspec_command.display import Display, ratio_text, time_text
from clearspec_command.playing import Run

ROUTINE = ("post_price", "post_book", "accrue_funding")
"""Actions that are summed up when they are accepted."""

ROUTINE_ROW = "prices"
"""Stands in a row of such events where the action would stand."""

LOTS = ("size", "closed")
PRICES = ("price", "confidence", "bid", "ask", "index", "mark", "settlement_price")
RATIOS = ("rate", "premium")
TIMES = ("expiry", "ramp_end")
SECONDS = ("notice",)
"""How a named number of an action or a receipt is meant; every other is an amount of money."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report: one event, or several alike."""

    items: Sequence[Played]
    action: str
    details: str
    result: str
    reason: str = ""
    rule: str = ""
    note: str = ""

    @property
    def first(self) -> Played:
        """The event, or the first of several."""
        return self.items[0]

    @property
    def routine(self) -> bool:
        """Whether the row sums up routine events."""
        return self.action == ROUTINE_ROW

    @property
    def actor(self) -> str:
        """Who acted; of routine events nobody in particular."""
        return "" if self.routine else self.first.event.actor

    @property
    def repeated(self) -> str:
        """The action, and how often it was rejected if more than once."""
        return f"{self.action} x{len(self.items):,}" if self.reason and len(self.items) > 1 else self.action

    @property
    def late(self) -> str:
        """The time of the last event, where that is not the time of the first."""
        last = self.items[-1].event.time
        return f", until {time_text(last)}" if last != self.first.event.time else ""

    @property
    def outcome(self) -> str:
        """The result, or the reason of the rejection with its rule and meaning."""
        return f"{self.reason} [{self.rule}] {self.result}" if self.reason else self.result


@dataclass(frozen=True, slots=True)
class Subject:
    """What the numbers of an event refer to: a market, a feed, an asset."""

    market: str
    feed: str
    asset: str


def is_routine(item: Played) -> bool:
    """Whether an event is summed up: an accepted price, book sample or funding accrual."""
    return item.receipt.accepted and item.receipt.action in ROUTINE


def rows_of(run: Run, everything: bool = False) -> list[Row]:
    """The rows of a run; with ``everything`` one an event.

    Between two accepted events that matter, routine events are one row, and so is the same event rejected again and
    again; rows stand where their first event stood.
    """
    if everything:
        return [event_row(run, [item]) for item in run.player.played]
    rows: list[Row] = []
    stretch: dict[tuple[str, ...], list[Played]] = {}
    for item in run.player.played:
        if is_routine(item) or not item.receipt.accepted:
            stretch.setdefault(_alike(item), []).append(item)
        else:
            rows += [*_stretch_rows(run, stretch), event_row(run, [item])]
            stretch = {}
    return rows + _stretch_rows(run, stretch)


def _alike(item: Played) -> tuple[str, ...]:
    """What routine events, and rejections of the same event, have in common."""
    receipt = item.receipt
    if receipt.reason is None:
        return ()
    return (receipt.action, item.event.actor, receipt.reason.value, receipt.subject, item.note)


def _stretch_rows(run: Run, stretch: Mapping[tuple[str, ...], list[Played]]) -> list[Row]:
    """The rows of what happened between two accepted events that matter."""
    return [event_row(run, items) if key else routine_row(run, items) for key, items in stretch.items()]


def event_row(run: Run, items: Sequence[Played]) -> Row:
    """The row of one event, or of the same event rejected several times in a row."""
    first = items[0]
    receipt, action = first.receipt, first.event.action
    subject = subject_of(run, first)
    details = ", ".join(f"{name} {text}" for name, text in details_of(run.display, action, subject))
    if receipt.reason is None:
        result = ", ".join(
            f"{name} {value_text(run.display, name, value, subject)}" for name, value in receipt.amounts.items()
        )
        return Row(items, receipt.action, details, result, note=first.note)
    rule, meaning = REASONS[receipt.reason]
    inequality = receipt.reason == Reason.OUTSIDE_ENVELOPE
    result = f"{meaning} ({receipt.subject}{', ' + envelope_rule(receipt.subject) if inequality else ''})"
    return Row(items, receipt.action, details, result, receipt.reason.value, rule, first.note)


def envelope_rule(inequality: str) -> str:
    """The rule of an inequality of the envelope, whose name may end with an asset; else that of the whole envelope."""
    return ENVELOPE.get(inequality.partition(" ")[0], REASONS[Reason.OUTSIDE_ENVELOPE][0])


def routine_row(run: Run, items: Sequence[Played]) -> Row:
    """The row of a stretch of prices, book samples and funding accruals."""
    posts: dict[str, list[int]] = {}
    books: dict[str, int] = {}
    fundings: dict[str, int] = {}
    for item in items:
        action = item.event.action
        if isinstance(action, PostPrice):
            posts.setdefault(action.feed, []).append(item.receipt.amounts["index"])
        elif isinstance(action, PostBook):
            books[action.market] = books.get(action.market, 0) + 1
        else:
            market = subject_of(run, item).market
            fundings[market] = fundings.get(market, 0) + 1
    parts = [_path_text(run.display, feed, indices) for feed, indices in posts.items()]
    parts += [f"{market}: {counted(count, 'book sample')}" for market, count in books.items()]
    parts += [f"{market}: {counted(count, 'funding accrual')}" for market, count in fundings.items()]
    return Row(items, ROUTINE_ROW, "; ".join(parts), "")


def counted(count: int, what: str) -> str:
    """A number of things."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _path_text(display: Display, feed: str, indices: Sequence[int]) -> str:
    """How the index of a feed went over a stretch."""
    known = [index for index in indices if index] or [0]
    first, last = (display.feed_price(index, feed) if index else "none" for index in (known[0], known[-1]))
    return f"{feed} index {first}" + (f" to {last}" if first != last else "") + f", {counted(len(indices), 'post')}"


def subject_of(run: Run, item: Played) -> Subject:
    """What an event is about: its market, its feed, the asset that it moves."""
    action, state = item.event.action, run.player.state
    market = getattr(action, "market", "")
    feed, asset = run.display.feeds.get(market, (getattr(action, "feed", ""), ""))
    account = state.accounts.get(getattr(action, "account", ""))
    pool = getattr(action, "pool", "") or (account.pool if account else "")
    return Subject(market, feed, asset or run.display.asset_of(pool))


def details_of(display: Display, action: Any, subject: Subject) -> Iterator[tuple[str, str]]:
    """The fields of an action as text; of a listing only its market, of parameters nothing."""
    moved = Subject(subject.market, subject.feed, getattr(action, "asset", subject.asset))
    for item in fields(action):
        value = getattr(action, item.name)
        if isinstance(value, MarketListing):
            yield "market", value.market
        elif isinstance(value, int):
            yield item.name, value_text(display, item.name, value, moved)
        elif not isinstance(value, MarketParameters):
            yield item.name, str(encode(value))


def value_text(display: Display, name: str, value: int, subject: Subject) -> str:
    """A named number as text."""
    if name in LOTS:
        return f"{value:,} lots"
    if name in PRICES:
        if subject.market:
            return display.market_price(value, subject.market)
        return display.feed_price(value, subject.feed)
    if name in RATIOS:
        return ratio_text(value)
    if name in TIMES:
        return time_text(value)
    if name in SECONDS:
        return f"{value:,} s"
    return display.amount(value, subject.asset)


def rejections(run: Run) -> Mapping[str, int]:
    """How often each reason was given, the most frequent first."""
    found: dict[str, int] = {}
    for item in run.player.played:
        if item.receipt.reason is not None:
            found[item.receipt.reason.value] = found.get(item.receipt.reason.value, 0) + 1
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


def actions(run: Run) -> Mapping[str, int]:
    """How many events of each action took effect, in the order of the specification."""
    found = dict.fromkeys(ACTION_NAMES.values(), 0)
    for item in run.player.played:
        found[item.receipt.action] += item.receipt.accepted
    return {name: count for name, count in found.items() if count}
