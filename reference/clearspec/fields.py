"""Bounds of every field, as annotated types (NUM-1, NUM-9).

A record's annotation says all that a decoder, a JSON Schema and a range check need to know. The bounds are chosen
so that no intermediate value of a transition leaves signed 128 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from clearspec.numerics import (
    AMOUNT_MAX,
    BALANCE_MAX,
    COUNT_MAX,
    DURATION_MAX,
    GAP_STEPS_MAX,
    INDEX_MAX,
    NOTIONAL_MAX,
    PRICE_MAX,
    RATIO_MAX,
    SAMPLES_MAX,
    SCALE,
    SEQUENCE_MAX,
    SIZE_MAX,
    SOURCES_MAX,
    TIME_MAX,
)
from clearspec.rules import rule


@rule("NUM-1", "NUM-9")
@dataclass(frozen=True, slots=True)
class Bounds:
    """Smallest and largest value of an integer field, both allowed."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Text:
    """Greatest length of a text field and the pattern that the whole of it matches."""

    longest: int
    pattern: str


@dataclass(frozen=True, slots=True)
class Length:
    """Greatest number of items of a list field."""

    longest: int


IDENTIFIER = Text(64, r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
OPTIONAL_IDENTIFIER = Text(64, r"(?:[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63})?")
PROSE = Text(4096, r"[^\x00]*")
DOCUMENT = Text(2**20, r"[\s\S]*")
OPTIONAL_ROOT = Text(64, r"(?:[0-9a-f]{64})?")

Id = Annotated[str, IDENTIFIER]
OptionalId = Annotated[str, OPTIONAL_IDENTIFIER]
Prose = Annotated[str, PROSE]
Document = Annotated[str, DOCUMENT]
OptionalRoot = Annotated[str, OPTIONAL_ROOT]

Amount = Annotated[int, Bounds(1, AMOUNT_MAX)]
AmountOrZero = Annotated[int, Bounds(0, AMOUNT_MAX)]
Balance = Annotated[int, Bounds(-BALANCE_MAX, BALANCE_MAX)]
Wide = Annotated[int, Bounds(-(2**126), 2**126)]
Notional = Annotated[int, Bounds(0, NOTIONAL_MAX)]
Price = Annotated[int, Bounds(1, PRICE_MAX)]
PriceOrZero = Annotated[int, Bounds(0, PRICE_MAX)]
SignedPrice = Annotated[int, Bounds(-PRICE_MAX, PRICE_MAX)]
Size = Annotated[int, Bounds(1, SIZE_MAX)]
SizeOrZero = Annotated[int, Bounds(0, SIZE_MAX)]
SignedSize = Annotated[int, Bounds(-SIZE_MAX, SIZE_MAX)]
Ratio = Annotated[int, Bounds(0, SCALE)]
PositiveRatio = Annotated[int, Bounds(1, SCALE)]
ProperRatio = Annotated[int, Bounds(0, SCALE - 1)]
Multiple = Annotated[int, Bounds(SCALE, RATIO_MAX)]
SignedRatio = Annotated[int, Bounds(-SCALE, SCALE)]
WideRatio = Annotated[int, Bounds(-RATIO_MAX, RATIO_MAX)]
Time = Annotated[int, Bounds(0, TIME_MAX)]
Instant = Annotated[int, Bounds(0, 2 * TIME_MAX)]
Duration = Annotated[int, Bounds(1, DURATION_MAX)]
DurationOrZero = Annotated[int, Bounds(0, DURATION_MAX)]
Count = Annotated[int, Bounds(0, COUNT_MAX)]
PositiveCount = Annotated[int, Bounds(1, COUNT_MAX)]
SampleCount = Annotated[int, Bounds(1, SAMPLES_MAX)]
SourceCount = Annotated[int, Bounds(0, SOURCES_MAX)]
GapSteps = Annotated[int, Bounds(1, GAP_STEPS_MAX)]
Sequence = Annotated[int, Bounds(1, SEQUENCE_MAX)]
SequenceOrZero = Annotated[int, Bounds(0, SEQUENCE_MAX)]
Index = Annotated[int, Bounds(-INDEX_MAX, INDEX_MAX)]
