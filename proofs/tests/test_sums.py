"""The step from kernels to any number of accounts, checked by Coq where it is installed (``apt install coq``)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from clearspec.numerics import cumulative_share, mul_floor

SOURCE = Path(__file__).parents[1] / "coq" / "sums.v"
TEXT = SOURCE.read_text(encoding="utf-8")
CLOSED = "Closed under the global context"

coq = pytest.mark.skipif(shutil.which("coqc") is None, reason="coqc is not installed")


def compiled(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "sums.v").write_text(text, encoding="utf-8")
    return subprocess.run(["coqc", "sums.v"], cwd=folder, capture_output=True, text=True, check=False)


def test_nothing_is_left_open() -> None:
    assert re.findall(r"\b(Admitted|admit|Axiom|Parameter|Hypothesis|Conjecture|Abort)\b", TEXT) == []
    stated = set(re.findall(r"^Theorem (\w+)", TEXT, re.MULTILINE))
    assert stated
    assert stated <= set(re.findall(r"^Print Assumptions (\w+)\.", TEXT, re.MULTILINE))


@coq
def test_every_theorem_is_proved_without_assumptions(tmp_path: Path) -> None:
    run = compiled(tmp_path, TEXT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(CLOSED) == TEXT.count("Print Assumptions") == 10


@coq
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("accounts = total f accounts + v - f a.", "accounts = total f accounts + v."),
        ("sum claims <= all ->\n  floors", "sum claims <= 2 * all ->\n  floors"),
        ("all = sum weights -> 0 < all ->", "0 < all ->"),
        ("0 <= amount <= all -> 0 < all -> 0 <= weight", "0 <= amount -> 0 < all -> 0 <= weight"),
    ],
)  # fmt: skip
def test_a_false_statement_is_not_proved(tmp_path: Path, before: str, after: str) -> None:
    assert TEXT.count(before) == 1
    run = compiled(tmp_path, TEXT.replace(before, after))
    assert run.returncode != 0


def test_the_lemmas_speak_of_what_the_reference_computes() -> None:
    """The two definitions of shares, in the words of Coq's ``Z``, on random weights."""
    random = Random(1)
    for _ in range(300):
        weights = [random.randrange(10**6) for _ in range(random.randrange(1, 8))]
        weights[0] += 1
        whole, amount, before = sum(weights), random.randrange(10**9), 0
        parts = []
        for weight in weights:
            part = amount * (before + weight) // whole - amount * before // whole
            assert part == cumulative_share(amount, before, before + weight, whole)
            parts.append(part)
            before += weight
        assert sum(parts) == amount
        ratio = random.randrange(10**9)
        assert sum(mul_floor(weight, ratio) for weight in weights) <= mul_floor(whole, ratio)
