"""A user's parameter set: read from TOML, completed with presets, and compared with the envelope."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from clearspec.codec import DecodeError, decode
from clearspec.listing import lowest_maintenance
from clearspec.parameters import (
    ENVELOPE,
    CollateralTerms,
    FeedParameters,
    MarketKind,
    MarketListing,
    MarketParameters,
    PoolParameters,
    Violation,
    feed_violations,
    haircut_violations,
    market_violations,
    pool_violations,
)
from clearspec.scenario import expanded, merged, preset, spec_folder
from clearspec_command.explain import chapter_sections
from clearspec_command.failures import BadInput
from clearspec_command.inputs import read_bytes
from clearspec_command.places import line_of

MARKET, FEED, POOL, COLLATERAL = "market", "feed", "pool", "collateral"
PARTS = (MARKET, FEED, POOL, COLLATERAL)
SETTLEMENT, ASSET = "USD", "collateral"
LONGEST = 2**20
"""Bytes of a file of parameters."""

DEFAULTS = {MARKET: "perpetual-major", FEED: "feed-major", POOL: "pool"}
"""Presets that complete a set."""

MARKS = {
    MARKET: {"trading", "margin", "mark", "funding", "liquidation"},
    FEED: {"sources", "quorum", "step_interval", "max_price"},
    POOL: {"layers", "settlement_cap", "gate_threshold"},
    COLLATERAL: {"haircut", "discount", "stale_rate"},
}
"""Keys by which a file is known that holds one part of a set, as the presets do."""

GIVEN: dict[str, dict[str, Any]] = {
    FEED: {"feed": "index"},
    POOL: {"pool": "main", "settlement_asset": SETTLEMENT},
    COLLATERAL: {"asset": ASSET, "feed": "", "unit": "1", "cap": str(2**60)},
}
"""Ids and sizes that no inequality looks at."""


@dataclass(frozen=True, slots=True)
class Collateral:
    """What a pool gives for an asset, and the feed that prices it."""

    terms: CollateralTerms
    feed: FeedParameters


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """A market, its feed, its pool and the pool's collateral; and which presets stand for parts that were not given."""

    market: MarketParameters
    feed: FeedParameters
    pool: PoolParameters
    collateral: tuple[Collateral, ...] = ()
    presets: Mapping[str, str] = field(default_factory=dict)

    @property
    def listing(self) -> MarketListing:
        """The market as it would be listed; a set says nothing of an expiry."""
        return MarketListing("market", self.pool.pool, self.feed.feed, MarketKind.PERPETUAL, 0, self.market)


@dataclass(frozen=True, slots=True)
class Found:
    """A violated inequality of one part of a set, and what the spec says of it."""

    part: str
    inequality: str
    left: int
    right: int
    rule: str
    statement: str
    meaning: str


def read_toml(name: str) -> dict[str, Any]:
    """The document of a file of parameters.

    Raises:
        BadInput: it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(read_bytes(name, LONGEST).decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as fault:
        raise BadInput(f"{name}: expected a TOML document in UTF-8 ({str(fault)[:200]})") from None


def parts_of(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """The parts of a document: tables of their names, or the whole of it where it is one part.

    Which part that is its keys say, those of the preset that it names included.

    Raises:
        BadInput: it is neither, or names no preset.
    """
    if set(document) <= set(PARTS) and document:
        return document
    named = document.get("preset")
    try:
        keys_here = set(document) | set(preset(named, "$.preset") if isinstance(named, str) else ())
    except DecodeError as error:
        raise placed(name, error) from None
    known = {part: len(keys & keys_here) for part, keys in MARKS.items()}
    best = max(known, key=lambda part: known[part])
    if known[best] == 0:
        raise BadInput(
            f"{name}: expected the parameters of a market, a feed, a pool or collateral, or tables of these names"
        )
    return {best: [document] if best == COLLATERAL else document}


def placed(name: str, error: DecodeError) -> BadInput:
    """What is refused, with the line of a file where its place is found there."""
    line = line_of(Path(name).read_text(encoding="utf-8-sig"), error.path) if Path(name).is_file() else 0
    return BadInput(f"{name}: line {line}: {error}" if line else f"{name}: {error}")


def decoded(name: str, kind: type, raw: Any, path: str, given: Mapping[str, Any]) -> Any:
    """A record from its part of a document, whose presets are merged and whose ids may be missing.

    Raises:
        BadInput: it is not of that form; the place and what was expected there are named.
    """
    try:
        if not isinstance(raw, dict):
            return decode(kind, raw, path)
        known = {item.name for item in fields(kind)}
        return decode(kind, merged(dict(given), expanded(raw, path)) if known else raw, path)
    except DecodeError as error:
        raise placed(name, error) from None


def companion(part: str, choice: str | None) -> tuple[Any, str]:
    """A part that a file does not hold: from another file, or a preset; and the preset's name, if it is one.

    Raises:
        BadInput: there is no such file or preset, or the file holds another part.
    """
    wanted = choice or DEFAULTS[part]
    if choice is not None and (wanted.endswith(".toml") or "/" in wanted):
        parts = parts_of(wanted, read_toml(wanted))
        if part not in parts:
            raise BadInput(f"{wanted}: expected the parameters of a {part}")
        return parts[part], ""
    try:
        return preset(wanted, f"--{part}"), wanted
    except DecodeError as error:
        raise BadInput(f"{error} or a file whose name ends in .toml") from None


def read_set(name: str, choices: Mapping[str, str | None]) -> ParameterSet:
    """The parameter set of a file, completed by the files or presets of ``choices``.

    Raises:
        BadInput: a file cannot be read or does not fit.
    """
    parts, presets, records = parts_of(name, read_toml(name)), {}, {}
    for part, kind in ((MARKET, MarketParameters), (FEED, FeedParameters), (POOL, PoolParameters)):
        origin, raw, used = name, parts.get(part), ""
        if raw is None:
            raw, used = companion(part, choices.get(part))
            origin = used or str(choices.get(part))
        elif choices.get(part) is not None:
            raise BadInput(f"--{part}: {name} has this part itself")
        if used:
            presets[part] = used
        records[part] = decoded(origin, kind, raw, f"$.{part}" if part in parts else "$", GIVEN.get(part, {}))
    collateral = tuple(_collateral(name, parts.get(COLLATERAL, []), records[FEED]))
    terms = tuple(entry.terms for entry in collateral)
    pool = replace(records[POOL], collateral=terms or records[POOL].collateral)
    _require_priced(name, pool, terms)
    return ParameterSet(records[MARKET], records[FEED], pool, collateral, presets)


def _collateral(name: str, raw: Any, market_feed: FeedParameters) -> Iterator[Collateral]:
    """Terms, each with the table ``feed`` that prices it; without one the market's own feed does."""
    if not isinstance(raw, list):
        raise BadInput(f"{name}: $.collateral: expected an array of tables")
    for place, entry in enumerate(raw):
        path = f"$.collateral[{place}]"
        own = entry.pop(FEED, None) if isinstance(entry, dict) and isinstance(entry.get(FEED), dict) else None
        feed = market_feed if own is None else decoded(name, FeedParameters, own, f"{path}.feed", GIVEN[FEED])
        given = {**GIVEN[COLLATERAL], "asset": f"{ASSET}-{place + 1}", "feed": feed.feed}
        yield Collateral(decoded(name, CollateralTerms, entry, path, given), feed)


def _require_priced(name: str, pool: PoolParameters, terms: tuple[CollateralTerms, ...]) -> None:
    if pool.collateral != terms:
        raise BadInput(f"{name}: $.pool.collateral: give collateral as tables [[collateral]], each with its feed")


@cache
def tables() -> dict[str, dict[str, str]]:
    """What the chapter on parameters says of each inequality: the cells of its row by the heads of their columns."""
    found: dict[str, dict[str, str]] = {}
    for _, text in chapter_sections("parameters").values():
        head: list[str] = []
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if cells and cells[0] == "name":
                head = cells
            elif cells and head and (match := re.match(r"`([a-z-]+)", cells[0])):
                found[match[1]] = dict(zip(head, cells, strict=False))
            elif not cells:
                head = []
    return found


def explained(part: str, violation: Violation) -> Found:
    """A violation with its rule, the inequality as the spec states it, and what happens outside it."""
    name = violation.inequality.partition(" ")[0]
    row = tables().get(name, {})
    said = [row[column] for column in ("why", "outside it") if row.get(column)]
    statement, meaning = (
        text.replace("`", "").replace("*", "") for text in (row.get("inequality", ""), "; ".join(said))
    )
    return Found(part, violation.inequality, violation.left, violation.right, ENVELOPE[name], statement, meaning)


def violations(chosen: ParameterSet) -> list[Found]:
    """Every inequality that a set violates, part by part, in the order in which genesis would look at them."""
    listing, steps = chosen.listing, chosen.market.margin.gap_steps
    found = [explained(FEED, entry) for entry in feed_violations(chosen.feed)]
    found += [explained(POOL, entry) for entry in pool_violations(chosen.pool)]
    lowest = lowest_maintenance(listing)
    found += [explained(MARKET, entry) for entry in market_violations(listing, chosen.feed, lowest)]
    for entry in chosen.collateral:
        found += [explained(COLLATERAL, fault) for fault in feed_violations(entry.feed)]
        windows = ((1, entry.feed.step_interval), (steps, chosen.feed.step_interval))
        seen: set[str] = set()
        for window in windows:
            for fault in haircut_violations(entry.terms, entry.feed, *window):
                if fault.inequality not in seen:
                    found.append(explained(COLLATERAL, fault))
                seen.add(fault.inequality)
    return found


def presets_folder() -> Path:
    """Where the presets stand."""
    return spec_folder() / "parameters"
