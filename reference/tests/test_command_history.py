"""Price history: every number by hand, every error with its place."""

import gzip

import pytest

from clearspec.formats import PremiumPoint, PricePoint
from clearspec.history import HistoryError, bar_points, read, shifted

HOUR = 3600
START = 1_583_884_800
"""2020-03-11T00:00:00Z: 18,332 days after 1970 (50 years of 365 days, 12 leap days, 70 days) x 86,400."""


def rows(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def points(data: bytes, atoms: int = 100, column: str = "") -> list[tuple[int, int]]:
    return [(point.time, point.price) for point in read(data, "file.csv", atoms, column).points]


def test_a_rising_bar_makes_its_low_first_and_a_falling_bar_its_high() -> None:
    """Two bars of an hour: points at 0, 15, 30 and 45 minutes."""
    data = rows("time,open,high,low,close", "0,10,14,8,12", "3600,12,13,7,9")
    assert points(data, 1) == [
        (0, 10), (900, 8), (1800, 14), (2700, 12),
        (3600, 12), (4500, 13), (5400, 7), (6300, 9),
    ]  # fmt: skip


def test_a_bar_that_ends_where_it_began_makes_its_low_first() -> None:
    assert [point.price for point in bar_points(0, 4, (10, 14, 8, 10))] == [10, 8, 14, 10]


def test_bars_of_a_second_keep_the_order_of_their_points() -> None:
    assert list(bar_points(7, 1, (1, 4, 1, 3))) == [
        PricePoint(7, 1),
        PricePoint(7, 1),
        PricePoint(7, 4),
        PricePoint(7, 3),
    ]


def test_across_a_gap_and_at_the_end_a_bar_has_the_usual_length() -> None:
    """Apart: 60, 60, 600. The usual length is the middle one, 60: the third bar ends at 180, the fourth at 780."""
    data = rows("time,open,high,low,close", "0,1,1,1,1", "60,1,1,1,1", "120,1,1,1,1", "720,1,1,1,1")
    assert [time for time, _ in points(data)] == [
        0,
        15,
        30,
        45,
        60,
        75,
        90,
        105,
        120,
        135,
        150,
        165,
        720,
        735,
        750,
        765,
    ]


def test_a_price_column_gives_one_point_a_row() -> None:
    """7.129 x 100 = 712.9, rounded down; a comma inside quotes and a blank line do no harm."""
    data = rows("Time, Price ,note", '10,7.129,"a, b"', "", "20,8,")
    assert points(data) == [(10, 712), (20, 800)]


def test_decimals_are_exact() -> None:
    """0.1 x 30 is 3; 0.29 x 100 is 29, where binary floats make 28.999999999999996.

    A long decimal: 1.000000000000000000000000000009 x 10^9 = 1,000,000,000.000000000000000000009.
    """
    assert points(rows("time,price", "0,0.1"), 30) == [(0, 3)]
    assert points(rows("time,price", "0,0.29")) == [(0, 29)]
    assert points(rows("time,price", "0,1.000000000000000000000000000009"), 10**9) == [(0, 10**9)]
    assert points(rows("time,price", "0,5e-2")) == [(0, 5)]


@pytest.mark.parametrize(
    "text",
    [
        "2020-03-11T00:00:00Z",
        "2020-03-11T00:00:00",
        "2020-03-11 00:00:00.999",
        "2020-03-11",
        "2020-03-11T02:00:00+02:00",
        "1583884800",
        "1583884800.0",
        "1583884800000",
        "1583884800000000",
        "1.5838848e9",
    ],
)
def test_every_form_of_a_time(text: str) -> None:
    assert points(rows("open_time,price", f"{text},1")) == [(START, 100)]


def test_the_first_time_column_of_the_list_counts() -> None:
    assert points(rows("date,time_utc,price", "2021-01-01,2020-03-11,1")) == [(START, 100)]


def test_funding_rates_become_premiums_rounded_toward_zero() -> None:
    """0.0000123459 x 10^9 = 12,345.9 to 12,345; -0.0000123459 to -12,345; an empty cell is no premium."""
    data = rows("time,price,funding_rate", "0,1,0.0000123459", "60,1,", "120,1,-1.23459e-05")
    assert read(data, "file.csv", 100).premiums == (PremiumPoint(0, 12_345), PremiumPoint(120, -12_345))


def test_a_file_may_hold_funding_rates_alone_and_needs_no_unit() -> None:
    found = read(rows("time_utc,funding_rate", "2020-03-11,0.0001"), "file.csv", 0)
    assert found.points == ()
    assert found.premiums == (PremiumPoint(START, 100_000),)
    assert found.start == START


WIDE = rows(
    "time,open,high,low,close,mark_open,mark_high,mark_low,mark_close",
    "0,1,2,1,2,11,14,10,12",
    "60,2,2,1,1,12,12,9,10",
)


def test_other_columns_are_ignored_unless_they_are_chosen() -> None:
    assert [price for _, price in points(WIDE, 1)] == [1, 1, 2, 2, 2, 2, 1, 1]


def test_a_prefix_chooses_the_four_columns_of_a_bar() -> None:
    """The first bar rises, 11 to 12: low 10 first; the second falls, 12 to 10: high 12 first."""
    assert [price for _, price in points(WIDE, 1, "mark")] == [11, 10, 14, 12, 12, 12, 9, 10]


def test_a_chosen_close_stands_at_the_end_of_its_bar() -> None:
    assert points(WIDE, 1, "mark_close") == [(60, 12), (120, 10)]


def test_another_chosen_column_stands_at_the_time_of_its_row() -> None:
    assert points(WIDE, 1, "MARK_LOW") == [(0, 10), (60, 9)]


def test_gzip_and_a_byte_order_mark_are_read() -> None:
    assert points(gzip.compress(b"\xef\xbb\xbftime,price\r\n5,1\r\n")) == [(5, 100)]


def test_shifting_moves_prices_and_premiums_alike() -> None:
    found = shifted(read(rows("time,price,funding_rate", "100,1,0.5"), "file.csv", 100), -90)
    assert found.points == (PricePoint(10, 100),)
    assert found.premiums == (PremiumPoint(10, 500_000_000),)


@pytest.mark.parametrize(
    ("data", "line", "column", "expected"),
    [
        (b"", 1, "", "a line of column names"),
        (b"a,b\n1,2\n", 1, "", "one of the time columns"),
        (b"time;price\n1;2\n", 1, "", "columns separated by commas, found ';' between them"),
        (b"time\tprice\n1\t2\n", 1, "", "columns separated by commas, found '\\t' between them"),
        (b"time,size\n1,2\n", 1, "", "the price columns price, or open, high, low, close; found time, size"),
        (b"time,open,high,low\n1,2,2,2\n", 1, "", "the price columns"),
        (b"time,price,price\n1,2,2\n", 1, "price", "each column name once"),
        (b"time,price\n", 2, "", "at least one row"),
        (b"time,price\n0,1\n60,\n", 3, "price", "a decimal number"),
        (b"time,price\n0,1\n60,1_000\n", 3, "price", "a decimal number"),
        (b"time,price\n0,nan\n", 2, "price", "a decimal number"),
        (b"time,price\n0,-1\n", 2, "price", "1 to 68719476736 atoms a lot, found '-1'"),
        (b"time,price\n0,0.009\n", 2, "price", "1 to 68719476736 atoms a lot, found '0.009'"),
        (b"time,price\n0,687194767.37\n", 2, "price", "1 to 68719476736 atoms"),
        (b"time,price\n0,1e99\n", 2, "price", "1 to 68719476736 atoms"),
        (b"time,price\nyesterday,1\n", 2, "time", "a time in ISO 8601"),
        (b"time,price\n20200311,1\n", 2, "time", "a time in ISO 8601"),
        (b"time,price\n1969-12-31,1\n", 2, "time", "a time in ISO 8601"),
        (b"time,price\n60,1\n60,1\n", 3, "time", "a time after that of the row above (60), found 60"),
        (b"time,price\n0,1,2\n", 2, "", "2 columns, found 3"),
        (b'time,price\n0,1\n60,"1\n', 3, "", "comma-separated values"),
        (b"time,price\n0,1\n\xff,1\n", 3, "", "text in UTF-8"),
        (b"time,open,high,low,close\n0,1,2,1,1\n", 2, "", "at least two rows"),
        (b"time,open,high,low,close\n0,3,2,1,1\n60,1,1,1,1\n", 2, "high", "a high and a low around open and close"),
        (b"time,price,funding_rate\n0,1,1.1\n", 2, "funding_rate", "a fraction from -1 to 1"),
        (gzip.compress(b"time,price\n0,1\n", mtime=0)[:-4], 1, "", "a whole gzip file"),
    ],
)
def test_every_fault_names_line_and_column(data: bytes, line: int, column: str, expected: str) -> None:
    with pytest.raises(HistoryError) as error:
        read(data, "file.csv", 100)
    assert (error.value.line, error.value.column) == (line, column)
    assert expected in error.value.expected
    assert str(error.value).startswith(f"file.csv: line {line}")


def test_a_chosen_column_that_is_not_there_is_an_error_even_with_funding_rates() -> None:
    with pytest.raises(HistoryError, match="line 1, column spot: expected the price columns spot, or spot_open"):
        read(rows("time,price,funding_rate", "0,1,0"), "file.csv", 100, "spot")


def test_prices_without_a_unit_are_an_error() -> None:
    with pytest.raises(HistoryError, match="column price: expected a unit"):
        read(rows("time,price", "0,1"), "file.csv", 0)


def test_the_widest_price_is_read_and_a_time_of_thirteen_digits_is_milliseconds() -> None:
    """68,719,476,736 = 2^36 atoms a lot."""
    assert points(rows("time,price", "1099511627776,687194767.36")) == [(1_099_511_627, 2**36)]


def test_a_price_above_the_most_is_an_error_with_its_place() -> None:
    """8.01 x 100 = 801 is one above 800."""
    assert [point.price for point in read(rows("time,price", "0,8"), "file.csv", 100, "", 800).points] == [800]
    with pytest.raises(HistoryError, match=r"line 3, column price: .* 1 to 800 atoms a lot, the max_price of the feed"):
        read(rows("time,price", "0,8", "60,8.01"), "file.csv", 100, "", 800)
