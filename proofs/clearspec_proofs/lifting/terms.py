"""Symbolic integers that the reference computes with in place of amounts. Part of what is trusted.

A ``Term`` is a polynomial; sums, differences and products are polynomials again. A comparison is a ``Condition``,
whose truth the running path decides. A floor division becomes a quotient and a remainder with their defining
equation. Everything else leaves the liftable subset and is refused with its place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol

from clearspec_proofs.lifting.polynomials import ONE, Polynomial, add, constant, multiply, negate, text

HERE = str(Path(__file__).parent)


class LeavesSubset(TypeError):
    """The code under proof did something with a symbolic integer that cannot be lifted; the message names the place."""


class Decider(Protocol):
    """What a running path offers to its terms."""

    def decide(self, polynomial: Polynomial) -> bool:
        """Whether ``polynomial >= 0`` on this path."""

    def decide_equal(self, polynomial: Polynomial) -> bool:
        """Whether ``polynomial == 0`` on this path."""

    def computed(self, polynomial: Polynomial) -> None:
        """Take note of the result of an operation."""

    def divide(self, numerator: Polynomial, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
        """Floor quotient and remainder."""

    def choose(self, name: str, options: tuple[Any, ...], wanted: Any) -> bool:
        """Whether the choice ``name`` fell on ``wanted``."""

    def left_subset(self, message: str) -> None:
        """Take note of an operation that was refused, should the code under proof catch the error."""


_RUNNING: list[Decider] = []


def running() -> Decider:
    """The path that is being executed."""
    if not _RUNNING:
        raise LeavesSubset("a symbolic integer is used outside of a path")
    return _RUNNING[-1]


class on_path:  # noqa: N801
    """``with on_path(decider):`` terms are decided by it."""

    def __init__(self, decider: Decider) -> None:
        self.decider = decider

    def __enter__(self) -> None:
        _RUNNING.append(self.decider)

    def __exit__(self, *_: object) -> None:
        _RUNNING.pop()


def place() -> str:
    """File and line, outside of this package, that are being executed."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def leave(what: str) -> NoReturn:
    """Refuse an operation for the whole path, whatever the code under proof does about the error."""
    message = f"{what} in {place()}"
    for decider in _RUNNING[-1:]:
        decider.left_subset(message)
    raise LeavesSubset(message)


def refused(what: str) -> Callable[..., NoReturn]:
    """A method that raises."""

    def method(self: object, *_: object, **__: object) -> NoReturn:
        leave(what)

    return method


def polynomial_of(value: object) -> Polynomial:
    """The polynomial of an integer or a term."""
    if type(value) is Term:
        return value.polynomial
    if type(value) is int:
        return constant(value)
    leave(f"a symbolic integer meets {type(value).__name__}")


def integer(polynomial: Polynomial) -> Any:
    """A plain integer for a constant, a term for anything else."""
    if not polynomial:
        return 0
    if len(polynomial) == 1 and ONE in polynomial:
        return polynomial[ONE]
    return Term(polynomial)


def computed(polynomial: Polynomial) -> Any:
    """The result of an operation, shown to the running path, which may claim something of every one."""
    running().computed(polynomial)
    return integer(polynomial)


class Condition:
    """``polynomial >= 0``, or its opposite; its truth is decided by the running path when it is asked for."""

    __slots__ = ("holds", "polynomial")

    def __init__(self, polynomial: Polynomial, holds: bool = True) -> None:
        self.polynomial = polynomial
        self.holds = holds

    def __bool__(self) -> bool:
        return running().decide(self.polynomial) is self.holds

    def __eq__(self, other: object) -> bool:
        return bool(self) is truth_value(other)

    def __lt__(self, other: object) -> bool:
        return bool(self) < truth_value(other)

    def __gt__(self, other: object) -> bool:
        return bool(self) > truth_value(other)

    def __le__(self, other: object) -> bool:
        return bool(self) <= truth_value(other)

    def __ge__(self, other: object) -> bool:
        return bool(self) >= truth_value(other)

    __hash__ = refused("the hash of a comparison")
    __index__ = __int__ = __float__ = refused("a comparison used as a number")
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = refused("a comparison used as a number")
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = refused("a bit operation of a comparison")
    __str__ = __format__ = refused("the text of a comparison")


def truth_value(value: object) -> bool:
    """What a truth value is on the running path; Python's 0 and 1 are none here."""
    if type(value) is not Condition and type(value) is not bool:
        leave(f"a truth value meets {type(value).__name__}")
    return bool(value)


class Term:
    """A symbolic integer."""

    __slots__ = ("polynomial",)

    def __init__(self, polynomial: Polynomial) -> None:
        self.polynomial = polynomial

    def __add__(self, other: object) -> Any:
        return computed(add(self.polynomial, polynomial_of(other)))

    def __sub__(self, other: object) -> Any:
        return computed(add(self.polynomial, polynomial_of(other), -1))

    def __rsub__(self, other: object) -> Any:
        return computed(add(polynomial_of(other), self.polynomial, -1))

    def __mul__(self, other: object) -> Any:
        return computed(multiply(self.polynomial, polynomial_of(other)))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Any:
        return computed(negate(self.polynomial))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __ge__(self, other: object) -> Condition:
        return Condition(add(self.polynomial, polynomial_of(other), -1))

    def __le__(self, other: object) -> Condition:
        return Condition(add(polynomial_of(other), self.polynomial, -1))

    def __lt__(self, other: object) -> Condition:
        return Condition(add(add(polynomial_of(other), self.polynomial, -1), constant(1), -1))

    def __gt__(self, other: object) -> Condition:
        return Condition(add(add(self.polynomial, polynomial_of(other), -1), constant(1), -1))

    def __eq__(self, other: object) -> bool:
        if other is None or type(other) is str:
            return False
        return running().decide_equal(add(self.polynomial, polynomial_of(other), -1))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __floordiv__(self, other: object) -> Any:
        return integer(running().divide(self.polynomial, polynomial_of(other))[0])

    def __rfloordiv__(self, other: object) -> Any:
        return integer(running().divide(polynomial_of(other), self.polynomial)[0])

    def __mod__(self, other: object) -> Any:
        return integer(running().divide(self.polynomial, polynomial_of(other))[1])

    def __bool__(self) -> bool:
        return self != 0

    def __repr__(self) -> str:
        return f"<{text(self.polynomial)}>"

    __hash__ = refused("the hash of a symbolic integer")
    __int__ = refused("int() of a symbolic integer")
    __index__ = refused("a loop bound, index or size made of a symbolic integer")
    __float__ = refused("float() of a symbolic integer")
    __complex__ = refused("complex() of a symbolic integer")
    __round__ = refused("round() of a symbolic integer")
    __trunc__ = __floor__ = __ceil__ = refused("a rounding of a symbolic integer")
    __truediv__ = __rtruediv__ = refused("the division / of a symbolic integer")
    __pow__ = __rpow__ = refused("a power of a symbolic integer")
    __divmod__ = __rdivmod__ = __rmod__ = refused("divmod() of a symbolic integer")
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = refused("a shift of a symbolic integer")
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = refused(
        "a bit operation of a symbolic integer"
    )
    __format__ = refused("format() of a symbolic integer")
    __str__ = refused("str() of a symbolic integer")
    __reduce_ex__ = refused("pickling of a symbolic integer")


class Choice:
    """A value of which is known only that it is one of a few: a status, a role, an id that may be the actor's.

    It answers ``==`` and ``in``; which of them it is, is decided by the running path.
    """

    __slots__ = ("name", "options")

    def __init__(self, name: str, options: tuple[Any, ...]) -> None:
        self.name = name
        self.options = options

    def __eq__(self, other: object) -> bool:
        if type(other) is Choice:
            return any(self == option and other == option for option in self.options)
        return running().choose(self.name, self.options, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return f"<{self.name}: one of {', '.join(map(str, self.options))}>"

    def __bool__(self) -> bool:
        return not any(self == option for option in self.options if not option)

    __hash__ = refused("the hash of a choice")
    __str__ = __format__ = refused("the text of a choice")
