"""Integers that allow only what a provable transition may do with an amount, and states made of them.

A symbolic term knows sums, products, comparisons and the named divisions. An ``Amount`` is a concrete integer that
knows no more, so that a run on amounts shows that the same lines of code run on symbolic terms. Times, durations,
counts, sequence numbers and ids stay plain.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import clearspec
from clearspec import fields as field_types
from clearspec import numerics, parameters
from clearspec.events import Event
from clearspec.fields import Bounds
from clearspec.state import State

SOURCES = str(Path(clearspec.__file__).parent)

AMOUNT_TYPES = {
    "Amount", "AmountOrZero", "Balance", "Wide", "Notional", "Price", "PriceOrZero", "SignedPrice", "Size",
    "SizeOrZero", "SignedSize", "Ratio", "PositiveRatio", "ProperRatio", "Multiple", "SignedRatio", "WideRatio",
    "Index",
}  # fmt: skip
"""Types of ``clearspec.fields`` that a proof holds symbolic."""

PLAIN_TYPES = {
    "Time", "Instant", "Duration", "DurationOrZero", "Count", "PositiveCount", "SampleCount", "SourceCount", "GapSteps",
    "Sequence", "SequenceOrZero",
}  # fmt: skip
"""Types of ``clearspec.fields`` that stay plain integers."""

WORD = re.compile(r"\w+")


class UndisciplinedError(TypeError):
    """Something was done with an amount that no symbolic term can follow."""


def _inside_clearspec() -> bool:
    """Whether a function of the reference stands on the call stack."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith(SOURCES):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _forbidden(name: str) -> Callable[..., NoReturn]:
    """A method that raises."""

    def method(self: Amount, *others: Any) -> NoReturn:
        raise UndisciplinedError(f"{name} on an amount")

    return method


class Amount:
    """An integer of which only sums, products, comparisons and the divisions of ``numerics`` can be taken."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        if type(value) is not int:
            raise UndisciplinedError(f"an amount of type {type(value).__name__}")
        self.value = value

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What ``isinstance`` asks for: the reference may not."""
        if sys._getframe(1).f_code.co_filename.startswith(SOURCES):
            raise UndisciplinedError("isinstance on an amount")
        return Amount

    @staticmethod
    def _plain(other: Any) -> int:
        """The integer of an operand."""
        if type(other) is Amount:
            return other.value
        if type(other) is int:
            return other
        raise UndisciplinedError(f"an amount with an operand of type {type(other).__name__}")

    def __add__(self, other: Any) -> Amount:
        return Amount(self.value + self._plain(other))

    def __sub__(self, other: Any) -> Amount:
        return Amount(self.value - self._plain(other))

    def __rsub__(self, other: Any) -> Amount:
        return Amount(self._plain(other) - self.value)

    def __mul__(self, other: Any) -> Amount:
        return Amount(self.value * self._plain(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Amount:
        return Amount(-self.value)

    def __abs__(self) -> Amount:
        return Amount(abs(self.value))

    def __eq__(self, other: object) -> bool:
        return self.value == self._plain(other)

    def __ne__(self, other: object) -> bool:
        return self.value != self._plain(other)

    def __lt__(self, other: Any) -> bool:
        return self.value < self._plain(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= self._plain(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > self._plain(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= self._plain(other)

    @staticmethod
    def _divided(numerator: int, divisor: int) -> Amount:
        """A floor division, if a function of ``numerics`` asks for it and the divisor is positive."""
        frame = sys._getframe(2)
        if frame.f_code.co_filename != numerics.__file__:
            raise UndisciplinedError(f"// in {frame.f_code.co_filename}, line {frame.f_lineno}")
        if divisor <= 0:
            raise UndisciplinedError("a divisor that is not positive")
        return Amount(numerator // divisor)

    def __floordiv__(self, other: Any) -> Amount:
        return self._divided(self.value, self._plain(other))

    def __rfloordiv__(self, other: Any) -> Amount:
        return self._divided(self._plain(other), self.value)

    def __repr__(self) -> str:
        if _inside_clearspec():
            raise UndisciplinedError("repr of an amount")
        return f"Amount({self.value})"

    def __str__(self) -> str:
        if _inside_clearspec():
            raise UndisciplinedError("str of an amount")
        return f"Amount({self.value})"

    def __format__(self, how: str) -> str:
        if _inside_clearspec():
            raise UndisciplinedError("format of an amount")
        return f"Amount({self.value})"

    __bool__ = _forbidden("bool")
    __hash__ = _forbidden("hash")  # type: ignore[assignment]
    __int__ = _forbidden("int")
    __index__ = _forbidden("index")
    __float__ = _forbidden("float")
    __complex__ = _forbidden("complex")
    __trunc__ = _forbidden("trunc")
    __floor__ = _forbidden("floor")
    __ceil__ = _forbidden("ceil")
    __round__ = _forbidden("round")
    __truediv__ = __rtruediv__ = _forbidden("/")
    __mod__ = __rmod__ = _forbidden("%")
    __divmod__ = __rdivmod__ = _forbidden("divmod")
    __pow__ = __rpow__ = _forbidden("**")
    __lshift__ = __rlshift__ = _forbidden("<<")
    __rshift__ = __rrshift__ = _forbidden(">>")
    __and__ = __rand__ = _forbidden("&")
    __or__ = __ror__ = _forbidden("|")
    __xor__ = __rxor__ = _forbidden("^")
    __invert__ = _forbidden("~")
    __reduce_ex__ = _forbidden("pickling")
    __copy__ = __deepcopy__ = _forbidden("copying")


def bounded_types() -> set[str]:
    """Names of all integer types of ``clearspec.fields``."""
    notes = {name: getattr(kind, "__metadata__", ()) for name, kind in vars(field_types).items()}
    return {name for name, found in notes.items() if any(isinstance(note, Bounds) for note in found)}


_KEPT: dict[int, tuple[Any, Any]] = {}
"""Parameter records already wrapped, by identity, with what they became: they are large and change rarely."""

_ORIGINALS: dict[int, tuple[Any, Any]] = {}
"""What they became, by identity, with what they were."""


def _kept(table: dict[int, tuple[Any, Any]], record: Any) -> Any:
    """The counterpart of a parameter record, if it is known."""
    known, counterpart = table.get(id(record), (None, None))
    return counterpart if known is record else None


def _wrap_integers(value: Any) -> Any:
    """Amounts for an integer or for each of a tuple of integers."""
    return tuple(Amount(part) for part in value) if isinstance(value, tuple) else Amount(value)


def wrap(record: Any) -> Any:
    """A record with an amount for each integer that its field types call one, also in the records inside it."""
    if isinstance(record, tuple):
        return tuple(wrap(part) for part in record)
    if not is_dataclass(record):
        return record
    kept = _kept(_KEPT, record)
    if kept is not None:
        return kept
    changed = {}
    for item in fields(record):
        value = getattr(record, item.name)
        if AMOUNT_TYPES.intersection(WORD.findall(str(item.type))):
            changed[item.name] = _wrap_integers(value)
        elif is_dataclass(value) or isinstance(value, tuple):
            changed[item.name] = wrap(value)
    wrapped = replace(record, **changed)  # type: ignore[type-var]
    if type(record).__module__ == parameters.__name__:
        _KEPT[id(record)], _ORIGINALS[id(wrapped)] = (record, wrapped), (wrapped, record)
    return wrapped


def unwrap(value: Any) -> Any:
    """A value with plain integers in place of its amounts."""
    original = _kept(_ORIGINALS, value)
    if original is not None:
        return original
    if type(value) is Amount:
        return value.value
    if isinstance(value, tuple):
        parts = [unwrap(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, dict):
        return {key: unwrap(part) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: unwrap(getattr(value, item.name)) for item in fields(value)})
    return value


def leaks(record: Any, place: str = "") -> Iterator[str]:
    """Places of a record where an amount reached a field that must stay plain."""
    if isinstance(record, tuple):
        for part in record:
            yield from leaks(part, place)
    elif is_dataclass(record) and _kept(_ORIGINALS, record) is None:
        for item in fields(record):
            value, here = getattr(record, item.name), f"{place}.{item.name}"
            if AMOUNT_TYPES.intersection(WORD.findall(str(item.type))):
                parts = value if isinstance(value, tuple) else (value,)
                yield from (here for part in parts if type(part) not in (int, Amount))
            elif type(value) is Amount:
                yield here
            else:
                yield from leaks(value, here)


def wrap_event(event: Event) -> Event:
    """An event with amounts in its action."""
    return replace(event, action=wrap(event.action))


def wrap_state(state: State) -> State:
    """A state with amounts in every record of every table."""
    plain = {item.name: getattr(state, item.name) for item in fields(state) if item.init}
    tables = {table.name for table in state.tables}
    copied = State(**{name: _copied(value) for name, value in plain.items() if name not in tables})
    for table, target in zip(state.tables, copied.tables, strict=True):
        for key, record in table.items():
            dict.__setitem__(target, key, Amount(record) if isinstance(record, int) else wrap(record))
    return copied


def _copied(value: Any) -> Any:
    """A shallow copy of a list or dictionary; anything else as it is."""
    return value.copy() if isinstance(value, list | dict) else value


def unwrap_state(state: State) -> dict[str, Any]:
    """Everything that a state holds, in plain integers, tables as lists of rows in their order."""
    tables = {table.name for table in state.tables}
    held = {
        item.name: unwrap(_copied(getattr(state, item.name)))
        for item in fields(state)
        if item.init and item.name not in tables
    }
    for table in state.tables:
        held[table.name] = [(key, unwrap(record)) for key, record in table.items()]
        assert not table.undo, f"{table.name} holds an open transition"
    return held


def leaks_of_state(state: State) -> list[str]:
    """Places of a state where an amount reached a field that must stay plain."""
    found = [name for name in ("time", "sequence") if type(getattr(state, name)) is not int]
    for table in state.tables:
        for key, record in table.items():
            found += leaks(record, f"{table.name}[{key}]")
    return found
