"""Price history: read a CSV of bars or prices, gzip or plain, into the points of a price path and a premium path.

Nothing is guessed silently: whatever does not fit raises a ``HistoryError`` that names file, line, column and what was
expected there. Decimals become integers exactly; a price is rounded down, a funding rate toward zero.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_FLOOR, Context, Decimal
from itertools import pairwise

from clearspec.formats import PremiumPoint, PricePoint
from clearspec.numerics import PRICE_MAX, SCALE, TIME_MAX

TIME_COLUMNS = ("time_utc", "time", "timestamp", "date", "open_time")
BAR_COLUMNS = ("open", "high", "low", "close")
PRICE_COLUMN = "price"
FUNDING_COLUMN = "funding_rate"

OTHER_DELIMITERS = (";", "\t", "|")
"""What other tools put between columns; refused by name."""

LONGEST_FILE = 256 * 2**20
"""Most bytes of one history, unpacked."""

MOST_POINTS = 2**20
"""Most points of one path; the scenario format has the same limit."""

NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXACT = Context(prec=400)
"""Precision in which no product of a number of that form and a count of atoms is rounded."""

TICKS_PER_SECOND = ((10**14, 10**6), (10**11, 10**3), (0, 1))
"""Least size of a numeric time and how many of its units are a second: micro-, milliseconds, seconds."""


class HistoryError(ValueError):
    """A history that does not read: file, line, column, and what was expected there."""

    def __init__(self, name: str, line: int, column: str, expected: str) -> None:
        place = f"line {line}, column {column}" if column else f"line {line}"
        super().__init__(f"{name}: {place}: expected {expected}")
        self.name = name
        self.line = line
        self.column = column
        self.expected = expected


@dataclass(frozen=True, slots=True)
class History:
    """Points of a price path, and premiums where the file has a column of funding rates; both in order of time."""

    points: tuple[PricePoint, ...]
    premiums: tuple[PremiumPoint, ...]

    @property
    def start(self) -> int:
        """Time of the first point of either kind."""
        return min([point.time for point in self.points[:1]] + [point.time for point in self.premiums[:1]])


_Refuse = Callable[[int, str], HistoryError]
"""Makes the error of a cell from its place in the row and what was expected."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are read: the time, one price or the four of a bar (none: no prices), the funding rate."""

    names: tuple[str, ...]
    time: int
    prices: tuple[int, ...]
    funding: int | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Settlement atoms of one lot at a price of 1, and the greatest price in atoms per lot."""

    atoms: int
    most: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its line in the file, its time, its prices in atoms per lot, its premium."""

    line: int
    time: int
    prices: tuple[int, ...]
    premium: int | None


def read(data: bytes, name: str, atoms: int, column: str = "", most: int = PRICE_MAX) -> History:
    """The history in a CSV file.

    The time stands in a column ``time_utc``, ``time``, ``timestamp``, ``date`` or ``open_time``: ISO 8601 (UTC unless
    it has an offset), or a number of seconds, milliseconds or microseconds since 1970, told apart by size. Prices
    stand in ``price``, or in ``open``, ``high``, ``low`` and ``close``. ``column`` chooses another: a single column,
    or the prefix of four (``mark`` for ``mark_open`` to ``mark_close``). A column ``funding_rate`` (a fraction) gives
    a premium wherever it is not empty; a file may hold funding rates alone.

    Args:
        data: the file, plain or gzip.
        name: how errors call the file.
        atoms: settlement atoms of one lot at a price of 1.
        column: the price column, or the prefix of the four of a bar; empty for the usual names.
        most: greatest price in atoms per lot that may stand in it.

    Raises:
        HistoryError: the file does not read.
    """
    lines = csv.reader(io.StringIO(_text(data, name), newline=""), strict=True)
    columns = _columns(name, _header(lines, name), column.strip().lower())
    if columns.prices and atoms < 1:
        raise HistoryError(
            name, 1, columns.names[columns.prices[0]], "a unit: the settlement atoms of one lot at a price of 1"
        )
    rows = _rows(lines, name, columns, Scale(atoms, most))
    points = tuple(_points(name, rows, columns))
    if len(points) > MOST_POINTS:
        raise HistoryError(name, rows[-1].line, "", f"at most {MOST_POINTS} prices")
    return History(points, tuple(PremiumPoint(row.time, row.premium) for row in rows if row.premium is not None))


def shifted(history: History, seconds: int) -> History:
    """The history with every time moved by ``seconds``."""
    points = tuple(PricePoint(point.time + seconds, point.price) for point in history.points)
    return History(points, tuple(PremiumPoint(point.time + seconds, point.premium) for point in history.premiums))


def _text(data: bytes, name: str) -> str:
    """The text of a plain or gzip file in UTF-8."""
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(LONGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise HistoryError(name, 1, "", f"a whole gzip file ({error})") from None
    if len(data) > LONGEST_FILE:
        raise HistoryError(name, 1, "", f"at most {LONGEST_FILE} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise HistoryError(name, line, "", "text in UTF-8") from None


def _header(lines: Iterator[list[str]], name: str) -> tuple[str, ...]:
    """Names of the columns, in lower case."""
    try:
        names = tuple(part.strip().lower() for part in next(lines, []))
    except csv.Error as error:
        raise HistoryError(name, 1, "", f"a line of column names ({error})") from None
    if not names:
        raise HistoryError(name, 1, "", "a line of column names")
    other = next((mark for mark in OTHER_DELIMITERS if len(names) == 1 and mark in names[0]), "")
    if other:
        raise HistoryError(name, 1, "", f"columns separated by commas, found {other!r} between them")
    for column in names:
        if names.count(column) > 1:
            raise HistoryError(name, 1, column[:64], "each column name once")
    return names


def _columns(name: str, names: tuple[str, ...], chosen: str) -> Columns:
    """Find the columns that are read."""
    time = next((names.index(column) for column in TIME_COLUMNS if column in names), None)
    if time is None:
        raise HistoryError(name, 1, "", f"one of the time columns {', '.join(TIME_COLUMNS)}; found {_listed(names)}")
    funding = names.index(FUNDING_COLUMN) if FUNDING_COLUMN in names else None
    prices = _price_columns(names, chosen)
    if not prices and (chosen or funding is None):
        wanted = f"{chosen}, or {_bar_names(chosen)}" if chosen else f"{PRICE_COLUMN}, or {_bar_names('')}"
        raise HistoryError(name, 1, chosen, f"the price columns {wanted}; found {_listed(names)}")
    return Columns(names, time, prices, funding)


def _listed(names: Sequence[str]) -> str:
    """Column names as they stand in a message."""
    return ", ".join(names)[:200]


def _bar_names(prefix: str) -> str:
    """The four columns of a bar as they stand in a message."""
    start = f"{prefix}_" if prefix else ""
    return ", ".join(start + part for part in BAR_COLUMNS)


def _price_columns(names: tuple[str, ...], chosen: str) -> tuple[int, ...]:
    """Places of one price column or of the four of a bar; none if they are not all there."""
    single = chosen or PRICE_COLUMN
    if single in names:
        return (names.index(single),)
    start = f"{chosen}_" if chosen else ""
    bar = [start + part for part in BAR_COLUMNS]
    return tuple(names.index(part) for part in bar) if all(part in names for part in bar) else ()


def _rows(lines: Iterator[list[str]], name: str, columns: Columns, scale: Scale) -> list[Row]:
    """Every row, in ascending order of time."""
    rows: list[Row] = []
    for line, cells in _numbered(lines, name):
        if len(cells) != len(columns.names):
            raise HistoryError(name, line, "", f"{len(columns.names)} columns, found {len(cells)}")
        rows.append(_row(name, line, cells, columns, scale))
        if len(rows) > 1 and rows[-1].time <= rows[-2].time:
            found = f"a time after that of the row above ({rows[-2].time}), found {rows[-1].time}"
            raise HistoryError(name, line, columns.names[columns.time], found)
    if not rows:
        raise HistoryError(name, 2, "", "at least one row")
    return rows


def _numbered(lines: Iterator[list[str]], name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with its line."""
    while True:
        try:
            cells = next(lines, None)
        except csv.Error as error:
            raise HistoryError(name, lines.line_num, "", f"comma-separated values ({error})") from None  # type: ignore[attr-defined]
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield lines.line_num, cells  # type: ignore[attr-defined]


def _row(name: str, line: int, cells: list[str], columns: Columns, scale: Scale) -> Row:
    """One row."""

    def refuse(place: int, expected: str) -> HistoryError:
        return HistoryError(name, line, columns.names[place], f"{expected}, found {cells[place].strip()[:40]!r}")

    time = _seconds(cells[columns.time].strip())
    if time is None or not 0 <= time <= TIME_MAX:
        raise refuse(columns.time, "a time in ISO 8601 or as a number since 1970")
    prices = []
    for place in columns.prices:
        price = _atoms(cells[place].strip(), scale.atoms)
        if price is None or not 1 <= price <= scale.most:
            limit = "" if scale.most == PRICE_MAX else ", the max_price of the feed"
            raise refuse(place, f"a decimal number that comes to 1 to {scale.most} atoms a lot{limit}")
        prices.append(price)
    if len(prices) == len(BAR_COLUMNS) and not prices[2] <= min(prices) <= max(prices) <= prices[1]:
        raise HistoryError(name, line, columns.names[columns.prices[1]], "a high and a low around open and close")
    return Row(line, time, tuple(prices), _premium(cells, columns, refuse))


def _premium(cells: list[str], columns: Columns, refuse: _Refuse) -> int | None:
    """The funding rate of a row as a ratio, rounded toward zero; ``None`` where the cell is empty."""
    if columns.funding is None or not cells[columns.funding].strip():
        return None
    number = _number(cells[columns.funding].strip())
    if number is None or not -1 <= number <= 1:
        raise refuse(columns.funding, "a fraction from -1 to 1")
    return int(EXACT.multiply(number, Decimal(SCALE)).to_integral_value(ROUND_DOWN))


def _number(text: str) -> Decimal | None:
    """A decimal number, exactly."""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def _atoms(text: str, atoms: int) -> int | None:
    """A price in atoms per lot, rounded down."""
    number = _number(text)
    return None if number is None else int(EXACT.multiply(number, Decimal(atoms)).to_integral_value(ROUND_FLOOR))


def _seconds(text: str) -> int | None:
    """Whole seconds since 1970 of a time, rounded down.

    A number of eight digits that reads as a day (20200312) is refused: it may be meant as a date or as seconds.
    """
    number = _number(text)
    if number is not None:
        ticks = next((ticks for least, ticks in TICKS_PER_SECOND if abs(number) >= least), 1)
        return None if _is_day(text) else int(EXACT.divide(number, Decimal(ticks)).to_integral_value(ROUND_FLOOR))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(seconds=1)


def _is_day(text: str) -> bool:
    """Whether a number reads as a day written without dashes."""
    return re.fullmatch(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])", text) is not None


def _points(name: str, rows: list[Row], columns: Columns) -> Iterator[PricePoint]:
    """The price points of every row: one, or the four of a bar."""
    if not columns.prices:
        return
    bars = len(columns.prices) == len(BAR_COLUMNS)
    closing = not bars and columns.names[columns.prices[0]].split("_")[-1] == BAR_COLUMNS[3]
    lengths = _lengths(name, rows) if bars or closing else [0] * len(rows)
    for row, length in zip(rows, lengths, strict=True):
        if bars:
            yield from bar_points(row.time, length, row.prices)
        else:
            yield PricePoint(row.time + length, row.prices[0])


def bar_points(time: int, length: int, prices: Sequence[int]) -> Iterator[PricePoint]:
    """Four points of a bar, a quarter of its length apart: open, low and high as its direction suggests, close.

    A bar that rises, or ends where it began, is taken to have made its low first.
    """
    first, high, low, last = prices
    middle = (low, high) if last >= first else (high, low)
    for quarter, price in enumerate((first, *middle, last)):
        yield PricePoint(time + length * quarter // 4, price)


def _lengths(name: str, rows: list[Row]) -> list[int]:
    """Seconds that each bar lasts: up to the next one, but across a gap and for the last the usual length."""
    apart = [after.time - row.time for row, after in pairwise(rows)]
    if not apart:
        raise HistoryError(name, rows[0].line, "", "at least two rows, which tell the length of a bar")
    usual = sorted(apart)[len(apart) // 2]
    return [min(length, usual) for length in apart] + [usual]
