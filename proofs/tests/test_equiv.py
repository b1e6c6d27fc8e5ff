"""``clearspec equiv``: own kernels that are equal, that round otherwise, and that cannot be lifted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clearspec.rules import IMPLEMENTED
from clearspec_proofs.equiv_command import command
from clearspec_proofs.trials import equivalence
from clearspec_proofs.trials.kernels import KERNELS

ENGINE = """
import math
from fractions import Fraction

def round_up(numerator, divisor):
    return (numerator + divisor - 1) // divisor

def one_too_many(numerator, divisor):
    return numerator // divisor + 1

def by_float(numerator, divisor):
    return math.ceil(numerator / divisor)

def by_divmod(numerator, divisor):
    quotient, rest = divmod(numerator, divisor)
    return quotient + (1 if rest else 0)

def by_type(numerator, divisor):
    return -(-numerator // divisor) if isinstance(numerator, int) else 0

def by_fraction(numerator, divisor):
    return math.ceil(Fraction(numerator, divisor))

def by_key(numerator, divisor):
    return {numerator: numerator // divisor + 1}[numerator]

def fails(numerator, divisor):
    if numerator == 12345:
        raise OverflowError("too large")
    return -(-numerator // divisor)

def nearest(amount, ratio):
    return (amount * ratio + 500_000_000) // 10**9

def rate(premium, interest, form, damper, cap):
    if form == "clamped":
        interest = min(damper, max(-damper, interest - premium))
    return max(-cap, min(cap, premium + interest))

def rate_without_damper(premium, interest, form, damper, cap):
    return max(-cap, min(cap, premium + interest))

def fill(size, cost, delta, price):
    if size * delta >= 0:
        return size + delta, cost + delta * price, 0
    closed = min(abs(size), abs(delta))
    part = abs(cost) * closed // abs(size)
    released = part if cost >= 0 else -part
    signed = closed if delta > 0 else -closed
    return size + delta, cost - released + (delta - signed) * price, -signed * price - released

def fill_that_loses_the_remainder(size, cost, delta, price):
    if size * delta >= 0:
        return size + delta, cost + delta * price, 0
    closed = min(abs(size), abs(delta))
    released = cost * closed // abs(size)
    signed = closed if delta > 0 else -closed
    return size + delta, cost - released + (delta - signed) * price, -signed * price - released

def clamp(value, low, high):
    return sorted((low, value, high))[1]

three = 3
"""


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_engine.py").write_text(ENGINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def equiv(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def answer(*arguments: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(equiv(*arguments, "--json").output)
    return document


@pytest.mark.parametrize(
    ("function", "rule", "name"),
    [
        ("round_up", "NUM-2", "div_ceil"), ("rate", "FUND-3", "funding_rate"), ("fill", "TRADE-1", "filled"),
        ("clamp", "NUM-6", "clamp"),
    ],
)  # fmt: skip
def test_equal_kernels_are_proved_equal(function: str, rule: str, name: str) -> None:
    run = equiv(f"own_engine:{function}", rule, "--name", name)
    assert run.return_value == 0
    assert run.output.startswith("equal: ")
    assert answer(f"own_engine:{function}", rule, "--name", name)["means"] == "proof"


DIFFERENT = [
    ("one_too_many", "NUM-2", "div_ceil"),
    ("nearest", "NUM-3", "mul_floor"),
    ("rate_without_damper", "FUND-3", "funding_rate"),
    ("fill_that_loses_the_remainder", "TRADE-1", "filled"),
    ("fails", "NUM-2", "div_ceil"),
]


@pytest.mark.parametrize(("function", "rule", "name"), DIFFERENT)
def test_a_difference_is_replayed_on_both(function: str, rule: str, name: str) -> None:
    run = equiv(f"own_engine:{function}", rule, "--name", name)
    assert run.return_value == 1
    assert run.output.startswith("different: ")
    found = answer(f"own_engine:{function}", rule, "--name", name)
    arguments = found["arguments"]
    assert isinstance(arguments, dict)
    kernel, own = KERNELS[name], equivalence.loaded(f"own_engine:{function}")
    given = [value if kernel.bounds(part) is None else int(value) for part, value in arguments.items()]
    for part, value in zip(arguments, given, strict=True):
        bounds = kernel.bounds(part)
        assert bounds is None or bounds.low <= value <= bounds.high
    assert found["reference"] == equivalence.shown(kernel.function, given)
    assert found["yours"] == equivalence.shown(own, given)
    assert equivalence.parts_shown(str(found["yours"])) != equivalence.parts_shown(str(found["reference"]))


def test_a_kernel_that_fails_differs_where_it_fails() -> None:
    found = answer("own_engine:fails", "NUM-2", "--name", "div_ceil")
    assert found["arguments"]["numerator"] == "12345"  # type: ignore[index]
    assert found["yours"] == "OverflowError: too large"


def test_a_difference_stands_alone_where_nothing_hindered_the_proof() -> None:
    run = equiv("own_engine:one_too_many", "NUM-2", "--name", "div_ceil")
    assert run.output == "different: div_ceil(numerator=0, divisor=1) is 0, yours 1\n"
    assert answer("own_engine:one_too_many", "NUM-2", "--name", "div_ceil")["note"] == ""


@pytest.mark.parametrize(
    ("function", "said"),
    [("by_key", "the hash of a symbolic integer in "), ("fails", "not shown: it ends without an error (Overflow")],
)
def test_what_hindered_the_proof_is_said_to_be_that(function: str, said: str) -> None:
    lines = equiv(f"own_engine:{function}", "NUM-2", "--name", "div_ceil").output.splitlines()
    assert lines[0].startswith("different: div_ceil(")
    assert lines[1].startswith(f"why it was not proved equal: {said}")


def test_what_was_lifted_and_not_proved_is_not_said_to_be_unliftable(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = equivalence.Compared(equivalence.Answer.UNKNOWN, "div_ceil", "NUM-2", "proof", note="no answer after 1 s")
    monkeypatch.setattr(equivalence, "lifted", lambda *_: unknown)
    monkeypatch.setattr(equivalence, "crosshair_report", lambda *_: "All paths exhausted")
    run = equiv("own_engine:round_up", "NUM-2", "--name", "div_ceil")
    assert run.return_value == 3
    said = "lifted, but no proof was found (no answer after 1 s); CrossHair found no difference"
    assert f"\nwhy it was not proved equal: {said}; all its paths are exhausted\n" in run.output


@pytest.mark.parametrize("function", ["by_divmod", "by_type", "by_fraction"])
def test_what_cannot_be_lifted_is_searched_and_never_called_proved(function: str) -> None:
    pytest.importorskip("crosshair")
    run = equiv(f"own_engine:{function}", "NUM-2", "--name", "div_ceil", "--seconds", "3")
    assert run.return_value == 3
    assert "\nwhy it was not proved equal: not lifted (" in run.output
    assert "CrossHair found no difference" in run.output


def test_a_float_is_found_out_by_search() -> None:
    run = equiv("own_engine:by_float", "NUM-2", "--name", "div_ceil", "--seconds", "10")
    assert run.return_value == 1
    assert "different: div_ceil(" in run.output


def test_without_crosshair_the_answer_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equivalence.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(equivalence.NoKernel, match=r"needs crosshair: pip install '\.\[second-opinion\]'"):
        equivalence.compared("own_engine:by_divmod", "NUM-2", "div_ceil")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("own_engine:round_up", "NUM-2"), "several kernels: give --name, one of div_floor, div_ceil, div_to_zero"),
        (("own_engine:round_up", "NUM-2", "--name", "ceil"), "has no kernel 'ceil'"),
        (("own_engine:round_up", "FUND-99"), "no kernel is compared for 'FUND-99'"),
        (("own_engine:round_up", "FUND-4"), "is called with (index, carry, rate"),
        (("own_engine:gone", "FUND-4"), "has no function 'gone'"),
        (("own_engine:three", "FUND-4"), "has no function 'three'"),
        (("no_such_engine:f", "FUND-4"), "cannot be imported"),
        (("own_engine", "FUND-4"), "not of the form module:function"),
        (("own_engine:round_up",), "give MODULE:FUNCTION and a RULE"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    run = equiv(*arguments)
    assert run.exit_code == 2 or getattr(run.exception, "exit_code", None) == 2
    assert said in str(run.exception)


def test_the_list_names_every_kernel_with_its_ranges() -> None:
    lines = equiv("--list").output.splitlines()
    assert len(lines) == len(KERNELS)
    assert lines[0].startswith("NUM-2 div_floor(numerator, divisor): numerator -")


def test_kernels_stand_in_the_rules_that_they_say() -> None:
    for kernel in KERNELS.values():
        names = {function.__name__ for function in IMPLEMENTED[kernel.rule]}
        inner = kernel.name.removesuffix("_of_three")
        assert inner in names, kernel.name


def test_every_kernel_equals_itself_at_its_own_bounds() -> None:
    """Each can be lifted within its ranges: its theorem against itself is proved."""
    for kernel in KERNELS.values():
        result = equivalence.lifted(kernel, kernel.function, 60)
        assert result.answer == equivalence.Answer.EQUAL, (kernel.name, result.note)
