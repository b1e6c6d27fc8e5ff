"""Records of which nothing is known: a stand-in may have written them, or they are among the rest of the world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from clearspec.state import Account
from clearspec_proofs.lifting.terms import LeavesSubset


def _refuse(self: Unknown, *_: object) -> NoReturn:
    raise LeavesSubset(f"{object.__getattribute__(self, 'what')} is not known here")


class Unknown:
    """A record that a stand-in may have written. Whoever looks into it leaves what is known."""

    def __init__(self, what: str) -> None:
        object.__setattr__(self, "what", what)

    __getattr__ = __iter__ = __contains__ = __len__ = __bool__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse  # type: ignore[assignment]
    __hash__ = object.__hash__  # type: ignore[assignment]


def _unread(self: Hidden, *_: object) -> NoReturn:
    raise LookupError("what was to be left alone is read")


class Hidden:
    """What must not be read, for a theorem says that nothing depends on it: reading it fails the theorem."""

    __getattr__ = __iter__ = __contains__ = __len__ = __bool__ = _unread
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _unread
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _unread  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Among(Unknown):
    """A position that is counted in the rest of its market."""


def unknown(name: str, record: Any) -> Any:
    """What is left of a record: nothing, but of an account its owner and its pool, which never change."""
    if type(record) is Account:
        return replace(record, markets=Unknown(f"the list of {name}"), last_market=Unknown(f"the last of {name}"))
    return Unknown(name)


def is_unknown(record: object) -> bool:
    """Whether a record is not known."""
    return isinstance(record, Unknown) or (type(record) is Account and type(record.markets) is Unknown)


def without_lists(record: Any) -> Any:
    """The record, of an account that is not known with no positions."""
    return replace(record, markets=(), last_market="") if type(record) is Account and is_unknown(record) else record
