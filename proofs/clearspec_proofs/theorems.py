"""Theorems: small functions, each with a name, a sentence, the rules that it is about and how strong it is."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any

from clearspec.rules import CHAPTERS, RULE_ID


class Strength(StrEnum):
    """What a proved theorem says."""

    EVERY_INPUT = "every input"
    """Of a kernel: for all arguments within the bounds that the theorem names."""
    INDUCTIVE = "inductive"
    """Of an event: from every state that satisfies the invariants, for any number of accounts."""
    ONE_STEP = "one step"
    """Of an event: from every state, invariants or not."""
    BOUNDED = "bounded"
    """Up to a size that the sentence names: positions, sources, events."""


@dataclass(frozen=True, slots=True)
class Theorem:
    """A statement about the reference, as a function that makes it.

    ``marks`` are points that at least one path with a model must reach, so that the theorem is not empty.
    """

    name: str
    sentence: str
    rules: tuple[str, ...]
    strength: Strength
    body: Callable[[Any], Any]
    marks: tuple[str, ...]

    @property
    def chapter(self) -> str:
        """The chapter that it belongs to."""
        return self.name.split(".", 1)[0]

    @property
    def line(self) -> int:
        """Where its function begins."""
        return inspect.getsourcelines(self.body)[1]

    @property
    def file(self) -> str:
        """The file that its function stands in, from the folder of proofs."""
        return str(FilePath(inspect.getfile(self.body)).relative_to(FilePath(__file__).parents[1]))


MODULES = (*CHAPTERS.values(), "exact", "accepted")
"""Modules of theorems: one for each chapter, one of formulas written out, one of what each accepted event required."""

THEOREMS: dict[str, Theorem] = {}

Body = Callable[[Any], Any]


def theorem(
    name: str, sentence: str, *rules: str, strength: Strength = Strength.EVERY_INPUT, marks: tuple[str, ...] = ()
) -> Callable[[Body], Body]:
    """Register a theorem; its chapter is that of the module."""

    def register(body: Body) -> Body:
        chapter = body.__module__.rsplit(".", 1)[-1]
        full = f"{chapter}.{name}"
        if full in THEOREMS:
            raise ValueError(f"theorem {full} exists")
        wrong = [rule for rule in rules if RULE_ID.fullmatch(rule) is None]
        if wrong or not rules:
            raise ValueError(f"theorem {full}: cite rules, not {wrong}")
        THEOREMS[full] = Theorem(full, sentence, rules, strength, body, marks)
        return body

    return register


def catalogue() -> dict[str, Theorem]:
    """Every theorem of every chapter, in order."""
    for chapter in MODULES:
        try:
            importlib.import_module(f"clearspec_proofs.{chapter}")
        except ModuleNotFoundError as missing:
            if missing.name != f"clearspec_proofs.{chapter}":
                raise
    return THEOREMS
