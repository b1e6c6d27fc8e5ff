"""What a run of mutants came to: scores per chapter and rule, survivors, and the page that holds them."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from clearspec.rules import CHAPTERS
from clearspec_command.failures import BadInput
from clearspec_conformance.mutants import Arena, Trial, Wrong, judged, shared, zoo_candidates, zoo_folder
from clearspec_conformance.mutation import Generated
from clearspec_conformance.verdicts import rule_order

LEAST = 95
"""Score in percent that every chapter must reach, counted either way."""

KILLERS = 3
"""Vectors that are named for a wrong clearinghouse."""

BROKEN = ("raises AttributeError", "raises NameError", "raises TypeError", "it does not load")
"""How a mutant ends that is no program at all: it is left out of the score."""

MISSED = "'NoneType' object has no attribute"
"""How a mutant ends that looks into something that is not there: a check that it misses, and no fault of its form."""

UNREACHED = "no vector reaches the line"


class Excuse(StrEnum):
    """Why a mutant may survive: nothing can show it, or nothing that a vector can hold."""

    EQUIVALENT = "equivalent"
    OUT_OF_REACH = "out_of_reach"


@dataclass(frozen=True, slots=True)
class Reason:
    """An entry of the hand-kept list: why a mutant survives."""

    excuse: Excuse
    text: str


class Outcome(StrEnum):
    """What came of a generated mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    OUT_OF_REACH = "out_of_reach"
    BROKEN = "broken"


def is_broken(trial: Trial) -> bool:
    """Whether a mutant ended because it is no program."""
    by = trial.kills[0].by if trial.kills else ""
    return any(word in by for word in BROKEN) and MISSED not in by


@dataclass(frozen=True, slots=True)
class Judged:
    """A generated mutant, its trial, how many vectors reach it, and why it may survive, if it may."""

    mutant: Generated
    trial: Trial
    reached_by: int
    reason: Reason | None

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        if self.trial.killed:
            return Outcome.BROKEN if is_broken(self.trial) else Outcome.KILLED
        return Outcome.SURVIVED if self.reason is None else Outcome(self.reason.excuse.value)


@dataclass(frozen=True, slots=True)
class Caged:
    """A wrong clearinghouse of the zoo and its trial."""

    wrong: Wrong
    trial: Trial


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants came to each outcome."""

    counts: Mapping[Outcome, int]

    @property
    def percent(self) -> float:
        """Killed of those that a vector could kill."""
        return self._percent(Outcome.SURVIVED)

    @property
    def strict(self) -> float:
        """Killed of those that any input could kill: what no vector can hold counts as a survivor."""
        return self._percent(Outcome.SURVIVED, Outcome.OUT_OF_REACH)

    def _percent(self, *missed: Outcome) -> float:
        """Killed of those that are killed or missed."""
        killed = self.counts[Outcome.KILLED]
        counted = killed + sum(self.counts[outcome] for outcome in missed)
        return 100.0 * killed / counted if counted else 100.0


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to: the zoo, the generated mutants, and what is wrong with the list of equivalents."""

    vectors: int
    zoo: tuple[Caged, ...]
    generated: tuple[Judged, ...]
    faults: tuple[str, ...]

    @property
    def failed(self) -> list[str]:
        """Why the run fails, a line each."""
        lines = [f"{cage.wrong.name} survives" for cage in self.zoo if not cage.trial.killed]
        lines += [f"{cage.wrong.name} is no program" for cage in self.zoo if is_broken(cage.trial)]
        scores = by_chapter(self.generated).items()
        lines += [f"{name}: {score.strict:.1f} %, below {LEAST} %" for name, score in scores if score.strict < LEAST]
        return lines + list(self.faults)


def score_of(judged_mutants: Iterable[Judged]) -> Score:
    """Count mutants."""
    found = Counter(one.outcome for one in judged_mutants)
    return Score({outcome: found[outcome] for outcome in Outcome})


def by_chapter(mutants: Sequence[Judged]) -> dict[str, Score]:
    """Chapter to score, in order of chapters."""
    present = [name for name in CHAPTERS.values() if any(one.mutant.chapter == name for one in mutants)]
    return {name: score_of(one for one in mutants if one.mutant.chapter == name) for name in present}


def by_rule(mutants: Sequence[Judged]) -> dict[str, Score]:
    """Rule to the score of the functions that implement it."""
    rules = sorted({rule for one in mutants for rule in one.mutant.rules}, key=rule_order)
    return {rule: score_of(one for one in mutants if rule in one.mutant.rules) for rule in rules}


# Equivalents


def read_reasons(path: Path | None = None) -> dict[str, Reason]:
    """Name of a mutant to why it survives, from the hand-kept file.

    Raises:
        BadInput: the file is not as it must be.
    """
    place = path or zoo_folder() / "equivalent.toml"
    try:
        tables = tomllib.loads(place.read_text(encoding="utf-8"))
        return dict(_reasons(tables))
    except (OSError, tomllib.TOMLDecodeError, ValueError, AttributeError) as error:
        raise BadInput(f"{place}: {error}") from None


def _reasons(tables: dict[str, Any]) -> Iterator[tuple[str, Reason]]:
    """The entries of tables ``[equivalent.<chapter>]`` and ``[out_of_reach.<chapter>]``: a reason, then its mutants."""
    for excuse, chapters in tables.items():
        for chapter, entries in chapters.items():
            if chapter not in CHAPTERS.values():
                raise ValueError(f"{excuse}.{chapter}: expected a chapter")
            for entry in entries:
                if set(entry) != {"why", "mutants"} or not entry["why"] or not entry["mutants"]:
                    raise ValueError(f"{excuse}.{chapter}: expected entries with why and mutants")
                yield from ((name, Reason(Excuse(excuse), entry["why"])) for name in entry["mutants"])


def faults_of(mutants: Sequence[Judged], reasons: Mapping[str, Reason], modules: Sequence[str]) -> Iterator[str]:
    """Entries among the equivalents that name no mutant, or one that a vector kills."""
    known = {one.mutant.name: one for one in mutants}
    for name in reasons:
        if name.partition(".")[0].partition(":")[0] not in modules:
            continue
        if name not in known:
            yield f"equivalent.toml names no mutant: {name}"
        elif known[name].trial.killed:
            yield f"equivalent.toml names a mutant that is killed by {known[name].trial.kills[0].vector}: {name}"


# The run


def run_zoo(arena: Arena, entries: Sequence[Wrong], jobs: int, told: Callable[[], None]) -> tuple[Caged, ...]:
    """Try every wrong clearinghouse."""

    def one(place: int) -> Trial:
        patches = entries[place].patches()
        return judged(arena, patches, zoo_candidates(arena, entries[place], patches), KILLERS)

    found = []
    for entry, trial in zip(entries, shared(one, len(entries), jobs), strict=True):
        told()
        found.append(Caged(entry, trial))
    return tuple(found)


def run_generated(
    arena: Arena, mutants: Sequence[Generated], reasons: Mapping[str, Reason], jobs: int, told: Callable[[], None]
) -> tuple[Judged, ...]:
    """Try every generated mutant."""
    reach = [arena.candidates(mutant.chapter, mutant.lines) for mutant in mutants]

    def one(place: int) -> Trial:
        return judged(arena, [mutants[place].patch], reach[place])

    found = []
    for place, trial in enumerate(shared(one, len(mutants), jobs)):
        told()
        mutant = mutants[place]
        found.append(Judged(mutant, trial, len(reach[place]), reasons.get(mutant.name)))
    return tuple(found)


# The page

INTRODUCTION = """# Mutation

How much the vectors catch. Two kinds of wrong clearinghouse are made from the reference and played against the vectors:

- the **zoo**: mistakes that somebody could make, or has made, each with its story (`conformance/mutants/*.py`);
- **generated** mutants: every comparison, bound, number, product, rounding, argument and statement of the chapters'
  modules changed, one at a time.

A mutant is killed when a receipt differs (in anything but the accounts and the subject that it names), an observable
snapshot, the result of a kernel, or the rule for which a genesis is refused. The score is killed over killed and
survived. Three kinds do not count in it: a mutant whose change nothing can show is *equivalent*; one that only an input
could show which a vector cannot hold is *out of reach*; one that is no program (a name or a type that does not fit) is
*broken*. The first two stand in `conformance/mutants/equivalent.toml`, each with its reason. The *strict* score counts
what is out of reach as survived.

This page is written by `clearspec mutants --write`. An id is module, line, column and operator.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines) + "\n"


def score_rows(scores: Mapping[str, Score]) -> Iterator[tuple[object, ...]]:
    """A row for each score."""
    for name, score in scores.items():
        yield (name, *score.counts.values(), f"{score.percent:.1f} %", f"{score.strict:.1f} %")


def page(run: Run) -> str:
    """The page of a run, in Markdown, without its date."""
    head = (*(outcome.value.replace("_", " ") for outcome in Outcome), "score", "strict")
    total = score_of(run.generated)
    parts = [
        INTRODUCTION,
        "## Score per chapter\n",
        table(("chapter", *head), [*score_rows(by_chapter(run.generated)), *score_rows({"**all**": total})]),
        "## The zoo\n",
        table(("wrong clearinghouse", "what is wrong", "killed by"), (_zoo_row(cage) for cage in run.zoo)),
        "## Score per rule\n",
        table(("rule", *head), score_rows(by_rule(run.generated))),
        "## Survivors\n",
        _survivors(run),
        "## Equivalent mutants\n",
        table(("why nothing shows it", "mutants"), _excused(run, Outcome.EQUIVALENT)),
        "## Out of reach\n",
        table(("why no vector can show it", "mutants"), _excused(run, Outcome.OUT_OF_REACH)),
    ]
    return "\n".join(parts)


def _zoo_row(cage: Caged) -> tuple[str, str, str]:
    """A wrong clearinghouse in a row."""
    killers = ", ".join(kill.vector or kill.by for kill in cage.trial.kills) or "**SURVIVES**"
    story = f"{cage.wrong.story} *{cage.wrong.incident}*" if cage.wrong.incident else cage.wrong.story
    return f"{cage.wrong.name} ({cage.wrong.chapter})", story, killers


def _survivors(run: Run) -> str:
    """Every survivor in a row."""
    rows = [
        (f"`{one.mutant.id}`", code(place_of(one.mutant)), code(one.mutant.before), code(one.mutant.after), seen(one))
        for one in run.generated
        if one.outcome == Outcome.SURVIVED
    ]
    return table(("id", "function", "source", "instead", "vectors that reach it"), rows) if rows else "None.\n"


def _excused(run: Run, outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Reasons and the mutants that each is given for."""
    found: dict[str, list[str]] = {}
    for one in run.generated:
        if one.outcome == outcome and one.reason is not None:
            found.setdefault(one.reason.text, []).append(code(one.mutant.name))
    return ((text, "<br>".join(names)) for text, names in found.items())


def place_of(mutant: Generated) -> str:
    """The function of a mutant, with its module."""
    return f"{mutant.module}.{mutant.function}" if mutant.function else mutant.module


def seen(one: Judged) -> str:
    """How many vectors reach a mutant."""
    return str(one.reached_by) if one.reached_by else UNREACHED


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def document(run: Run) -> dict[str, Any]:
    """A run as a JSON document."""
    return {
        "vectors": run.vectors,
        "zoo": [
            {
                "name": cage.wrong.name,
                "chapter": cage.wrong.chapter,
                "killed_by": [k.vector or k.by for k in cage.trial.kills],
            }
            for cage in run.zoo
        ],
        "chapters": {name: _score(score) for name, score in by_chapter(run.generated).items()},
        "rules": {name: _score(score) for name, score in by_rule(run.generated).items()},
        "mutants": [_mutant(one) for one in run.generated],
        "failed": run.failed,
    }


def _score(score: Score) -> dict[str, Any]:
    """A score as a JSON object."""
    counts = {outcome.value: count for outcome, count in score.counts.items()}
    return {**counts, "percent": round(score.percent, 1), "strict": round(score.strict, 1)}


def _mutant(one: Judged) -> dict[str, Any]:
    """A generated mutant as a JSON object."""
    mutant, kills = one.mutant, one.trial.kills
    return {
        "id": mutant.id,
        "name": mutant.name,
        "chapter": mutant.chapter,
        "rules": list(mutant.rules),
        "outcome": one.outcome.value,
        "killed_by": kills[0].vector if kills else "",
        "by": kills[0].by if kills else "",
        "reached_by": one.reached_by,
        "reason": "" if one.reason is None else one.reason.text,
    }
