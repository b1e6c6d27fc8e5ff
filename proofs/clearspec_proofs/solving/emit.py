"""Every obligation as an SMT-LIB 2 file, for any solver that reads them.

An obligation is an outcome of a comparison that a certificate shows impossible: the hypotheses of the path so far and
the outcome contradict each other. It can be written with all hypotheses of the path, or only with those that the
certificate cites.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path as FilePath

from clearspec_proofs import store
from clearspec_proofs.lifting.certificates import Certificate, Hypothesis, Unfounded, check
from clearspec_proofs.lifting.paths import Forced, Guide, Path, explore
from clearspec_proofs.lifting.polynomials import Polynomial, add, constant, negate
from clearspec_proofs.lifting.recorded import Recorded
from clearspec_proofs.solving.search import Budget, Searching
from clearspec_proofs.solving.smtlib import Script, number, power_term
from clearspec_proofs.theorems import Theorem, catalogue

INTEGERS, REALS = "QF_NIA", "QF_NRA"
SORTS = {INTEGERS: "Int", REALS: "Real"}


@dataclass(frozen=True, slots=True)
class Obligation:
    """Hypotheses that contradict each other: the last is the outcome that is impossible. ``cited`` are enough."""

    theorem: str
    trail: str
    claim: str
    hypotheses: tuple[Hypothesis, ...]
    certificate: Certificate

    @property
    def cited(self) -> list[int]:
        """Numbers of the hypotheses that the certificate cites."""
        return sorted(self.certificate.used)

    @property
    def digest(self) -> str:
        """What identifies it: a digest of what the certificate cites, the same while neither changes."""
        return sha256(self._formula(INTEGERS, whole=False).encode()).hexdigest()[:16]

    @property
    def degree(self) -> int:
        """Greatest degree of a cited hypothesis."""
        return max((len(m) for place in self.cited for m in self.hypotheses[place].polynomial), default=0)

    def _formula(self, logic: str, whole: bool, products: bool = False) -> str:
        """Declarations and assertions."""
        script = Script(sort=SORTS[logic])
        for place in range(len(self.hypotheses)) if whole else self.cited:
            script.hypothesis(self.hypotheses[place], place, power_term)
        for formula in self._products(script) if products else ():
            script.assertion(formula)
        return script.text()

    def _products(self, script: Script) -> Iterator[str]:
        """What follows from each hypothesis by itself: products of those that are at least 0, multiples of those 0."""
        terms = [power_term(entry.polynomial, script) for entry in self.hypotheses]
        for part in self.certificate.products:
            if len(part.factors) > 1:
                yield f"(>= (* {' '.join(terms[place] for place in part.factors)}) {number(0, script.sort)})"
        for multiple in self.certificate.multiples:
            if multiple.monomial:
                atoms = " ".join(script.declare(atom) for atom in multiple.monomial)
                yield f"(= (* {atoms} {terms[multiple.equation]}) {number(0, script.sort)})"

    def text(self, logic: str = INTEGERS, whole: bool = False, products: bool = False) -> str:
        """The obligation as an SMT-LIB 2 script; over the reals it is the stronger statement.

        With ``products`` what the certificate multiplies is written out, so that adding up is all that is left.
        """
        source = f"theorem {self.theorem}\nclaim: {self.claim}\ntrail: {self.trail}".replace("|", "/").replace(
            "\\", "/"
        )
        lines = [
            "(set-info :smt-lib-version 2.6)",
            f"(set-logic {logic})",
            f"(set-info :source |{source}|)",
            "(set-info :status unsat)",
            self._formula(logic, whole, products),
            "(check-sat)",
            "(exit)",
        ]
        return "\n".join(lines) + "\n"


class Noting:
    """A guide that asks another, and takes note of what that one says to be impossible."""

    def __init__(self, guide: Guide, theorem: str) -> None:
        self.guide = guide
        self.theorem = theorem
        self.found: list[Obligation] = []

    def advise(self, path: Path, polynomial: Polynomial) -> Forced | None:
        """What the other says. The path checks it."""
        advice = self.guide.advise(path, polynomial)
        if advice is not None:
            opposite = add(negate(polynomial), constant(1), -1) if advice.outcome else polynomial
            hypotheses = (*path.hypotheses, Hypothesis(opposite, False, "the opposite"))
            self.found.append(Obligation(self.theorem, path.trail, path.origin, hypotheses, advice.certificate))
        return advice


class Stored:
    """A guide that reads stored certificates, and searches where there is none that fits."""

    def __init__(self, nodes: dict[str, Forced], budget: Budget | None = None) -> None:
        self.recorded = Recorded(nodes)
        self.searching = Searching(budget or Budget())

    def advise(self, path: Path, polynomial: Polynomial) -> Forced | None:
        """What is stored, else what is found."""
        found = self.recorded.advise(path, polynomial)
        return found if found is not None and fits(path, polynomial, found) else self.searching.advise(path, polynomial)


def fits(path: Path, polynomial: Polynomial, advice: Forced) -> bool:
    """Whether a stored certificate still shows what it is stored for."""
    opposite = add(negate(polynomial), constant(1), -1) if advice.outcome else polynomial
    try:
        check([*path.hypotheses, Hypothesis(opposite, False, "the opposite")], advice.certificate)
    except Unfounded:
        return False
    return True


def guide_for(theorem: Theorem, folder: str | FilePath | None = None) -> Guide:
    """A guide for a theorem: its stored certificates first."""
    try:
        nodes = store.read_nodes(folder or store.default_folder(), theorem.chapter).get(theorem.name, {})
    except store.StoreError:
        nodes = {}
    return Stored(nodes)


def obligations_of(theorem: Theorem, guide: Guide | None = None) -> Iterator[Obligation]:
    """Every obligation of a theorem, in the order in which its paths meet them."""
    noting = Noting(guide or guide_for(theorem), theorem.name)
    for _ in explore(theorem.body, noting):
        yield from noting.found
        noting.found.clear()


def file_name(obligation: Obligation) -> str:
    """Folder and name of an obligation's file; a trail may be too long for a name, so that its digest stands there."""
    theorem = "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in obligation.theorem)
    trail = obligation.trail if len(obligation.trail) <= 64 else sha256(obligation.trail.encode()).hexdigest()[:32]
    return f"{theorem}/{trail or 'start'}.smt2"


def emit(theorem: Theorem, folder: FilePath, whole: bool = False, guide: Guide | None = None) -> int:
    """Write every obligation of a theorem under a folder; how many there are.

    Raises:
        OSError: a file cannot be written.
    """
    count = 0
    for obligation in obligations_of(theorem, guide):
        path = folder / file_name(obligation)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(obligation.text(whole=whole), encoding="utf-8")
        count += 1
    return count


def _emit_named(name: str, folder: str, whole: bool) -> tuple[str, int]:
    return name, emit(catalogue()[name], FilePath(folder), whole)


def emit_all(names: Sequence[str], folder: FilePath, jobs: int, whole: bool = False) -> Iterator[tuple[str, int]]:
    """Write the obligations of several theorems under a folder; gives each theorem and how many it has, as they come.

    Raises:
        OSError: a file cannot be written.
    """
    with ProcessPoolExecutor(max(1, jobs)) as pool:
        waiting = [pool.submit(_emit_named, name, str(folder), whole) for name in names]
        for future in as_completed(waiting):
            yield future.result()
