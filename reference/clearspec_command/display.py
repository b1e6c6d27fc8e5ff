"""Numbers and text as people read them. Integers in, text out; no float on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from clearspec.formats import Unit
from clearspec.numerics import SCALE
from clearspec.state import State

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_DAY = 2_932_896
"""Days from 1970-01-01 to 9999-12-31, the last day that a calendar date has a form for."""

FIRST_CALENDAR_TIME = 10**9
"""Times from here on (2001) are taken for seconds since 1970 and shown as dates; lower ones as time passed."""

PRICE_PLACES = 8
"""Decimal places to which a price whose unit is no power of ten is cut."""


def plain(text: str, longest: int = 2000) -> str:
    """``text`` on one line, cut, with what a terminal might obey (control and formatting characters) made visible."""
    spaced = re.sub(r"[\n\r\t]+", " ", text[: longest + 1])
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in spaced
    )
    return shown if len(shown) <= longest else f"{shown[:longest]} ..."


def exact(amount: int, decimals: int) -> str:
    """An amount of atoms in whole units with all its decimals, without grouping."""
    digits = str(abs(amount)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return ("-" if amount < 0 else "") + (f"{whole}.{part}" if decimals else whole)


def grouped(number: str, least: int = 0) -> str:
    """A decimal number with its thousands grouped and trailing zeros cut down to ``least`` places."""
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, _, part = digits.partition(".")
    part = part.rstrip("0").ljust(min(least, len(part)), "0")
    return f"{sign}{int(whole):,}" + (f".{part}" if part else "")


def amount_text(amount: int, decimals: int) -> str:
    """An amount of atoms in whole units for reading."""
    return grouped(exact(amount, decimals), 2)


def cut(value: Fraction, places: int) -> str:
    """A fraction as a decimal number, cut toward zero."""
    digits = abs(value.numerator) * 10**places // value.denominator
    return exact(-digits if value < 0 else digits, places)


def ratio_text(ratio: int) -> str:
    """A ratio as a percentage, exactly."""
    return f"{grouped(cut(Fraction(ratio * 100, SCALE), 7))} %"


def is_calendar(time: int) -> bool:
    """Whether a time is shown as a date."""
    return FIRST_CALENDAR_TIME <= time < (LAST_DAY + 1) * 86400


def time_text(time: int) -> str:
    """A time: a date in UTC, or the clock, from the second day on with the day."""
    if is_calendar(time):
        return (EPOCH + timedelta(seconds=time)).strftime("%Y-%m-%d %H:%M:%S")
    days, rest = divmod(time, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"day {days + 1} {clock}" if days else clock


@dataclass(frozen=True, slots=True)
class Display:
    """What the numbers of a run mean: decimals of assets, units of feeds, assets of pools, feeds of markets."""

    decimals: Mapping[str, int]
    units: Mapping[str, int]
    settlement: Mapping[str, str]
    feeds: Mapping[str, tuple[str, str]]

    def asset_of(self, pool: str) -> str:
        """The settlement asset of a pool."""
        return self.settlement.get(pool, "")

    def amount(self, amount: int, asset: str) -> str:
        """An amount with its asset; atoms of an asset that is not known."""
        if asset not in self.decimals:
            return f"{amount:,} atoms"
        return f"{amount_text(amount, self.decimals[asset])} {asset}"

    def number(self, amount: int, asset: str) -> str:
        """An amount in whole units, exactly and for machines."""
        return exact(amount, self.decimals.get(asset, 0))

    def price_number(self, price: int, feed: str, asset: str) -> str:
        """A price for machines: in display units where the feed's unit is known, else in whole units a lot."""
        if feed in self.units:
            return cut(Fraction(price, self.units[feed]), PRICE_PLACES)
        return cut(Fraction(price, 10 ** self.decimals.get(asset, 0)), max(PRICE_PLACES, self.decimals.get(asset, 0)))

    def price_unit(self, feed: str, asset: str) -> str:
        """What the prices of a feed are counted in."""
        return asset if feed in self.units else f"{asset} a lot"

    def price(self, price: int, feed: str, asset: str) -> str:
        """A price for reading."""
        return f"{grouped(self.price_number(price, feed, asset), 2)} {self.price_unit(feed, asset)}".rstrip()

    def feed_price(self, price: int, feed: str) -> str:
        """A feed's price for reading, in the settlement asset of the first market that it serves.

        Of a feed without a market it is that of the pools if they have but one, else the price stands in atoms.
        """
        common = set(self.settlement.values())
        alone = next(iter(common)) if len(common) == 1 else ""
        asset = next((asset for other, asset in self.feeds.values() if other == feed), alone)
        return self.price(price, feed, asset) if asset or feed in self.units else f"{price:,} atoms a lot"

    def market_price(self, price: int, market: str) -> str:
        """A market's price for reading."""
        feed, asset = self.feeds.get(market, ("", ""))
        return self.price(price, feed, asset)


def display_of(state: State, units: tuple[Unit, ...]) -> Display:
    """The display of a run, from the state at its end."""
    settlement = {name: pool.settlement_asset for name, pool in state.pools.items()}
    return Display(
        {name: asset.decimals for name, asset in state.assets.items()},
        {unit.feed: unit.atoms for unit in units if unit.atoms > 0},
        settlement,
        {name: (record.listing.feed, settlement[record.listing.pool]) for name, record in state.markets.items()},
    )
