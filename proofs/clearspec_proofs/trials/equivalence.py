"""Somebody's own kernel against the reference's: equal for all inputs, or one input on which they differ.

The theorem is that both give the same result. Where the own kernel leaves what can be lifted, CrossHair looks for a
difference instead; not finding one proves nothing, and is not called a proof.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from clearspec.fields import Bounds
from clearspec_command.failures import needs
from clearspec_proofs.lifting.concrete import Concrete, Given
from clearspec_proofs.proving import prove
from clearspec_proofs.purity import text_of, unnoticed
from clearspec_proofs.records import Status
from clearspec_proofs.solving.search import Budget
from clearspec_proofs.theorems import Strength, Theorem
from clearspec_proofs.trials.kernels import KERNELS, Kernel
from clearspec_proofs.trials.refuting import tried

CLAIM = "the same result"
AS_MANY = "as many results"
NOT_SHOWN = "not shown: "


class Answer(StrEnum):
    """What is known of two kernels."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class NoKernel(ValueError):
    """A function or a rule that cannot be compared; the message says why."""


@dataclass(slots=True)
class Compared:
    """The answer, how it was found, and for two that differ an input with both results."""

    answer: Answer
    kernel: str
    rule: str
    means: str
    paths: int = 0
    certificates: int = 0
    seconds: float = 0.0
    arguments: dict[str, Any] = field(default_factory=dict)
    reference: str = ""
    yours: str = ""
    note: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON; integers are decimal strings."""
        return {
            "answer": self.answer.value, "kernel": self.kernel, "rule": self.rule, "means": self.means,
            "paths": self.paths, "certificates": self.certificates, "seconds": round(self.seconds, 2),
            "arguments": {name: str(value) for name, value in self.arguments.items()},
            "reference": self.reference, "yours": self.yours, "note": self.note,
        }  # fmt: skip


def kernel_for(rule: str, name: str | None) -> Kernel:
    """The kernel of a rule; of several the one with a name.

    Raises:
        NoKernel: the rule has none, or several and no name is given, or none of that name.
    """
    found = [kernel for kernel in KERNELS.values() if kernel.rule == rule]
    if not found:
        raise NoKernel(f"no kernel is compared for {rule!r}; see clearspec equiv --list")
    named = [kernel for kernel in found if kernel.name == name]
    choices = ", ".join(kernel.name for kernel in found)
    if name is not None and not named:
        raise NoKernel(f"{rule} has no kernel {name!r}, but {choices}")
    if name is None and len(found) > 1:
        raise NoKernel(f"{rule} has several kernels: give --name, one of {choices}")
    return (named or found)[0]


def loaded(target: str) -> Callable[..., Any]:
    """A function by ``module:function``; modules of the working folder are found too.

    Raises:
        NoKernel: there is no such function.
    """
    module, colon, name = target.partition(":")
    if not colon or not name:
        raise NoKernel(f"{target!r} is not of the form module:function")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as fault:
        raise NoKernel(f"{module}: cannot be imported: {type(fault).__name__}: {fault}") from fault
    finally:
        sys.path.pop(0)
    if not callable(found):
        raise NoKernel(f"{module} has no function {name!r}")
    function: Callable[..., Any] = found
    return function


def require_signature(kernel: Kernel, function: Callable[..., Any]) -> None:
    """Check that a function can be called as the kernel is.

    Raises:
        NoKernel: it takes other arguments.
    """
    try:
        inspect.signature(function).bind(*kernel.arguments)
    except (TypeError, ValueError):
        wanted = ", ".join(kernel.arguments)
        raise NoKernel(f"{kernel.name} is called with ({wanted}), in this order; your function is not") from None


SIGNS = ("positive", "zero", "negative")


def signed(path: Any, name: str, bounds: Bounds) -> Any:
    """An integer of either sign or zero, each on a path of its own; to a negative one its magnitude is the atom."""
    sign = path.choice(f"{name} is", *SIGNS)
    if sign == "zero":
        return 0
    return path.atom(name, 1, bounds.high) if sign == "positive" else -path.atom(name, 1, -bounds.low)


def drawn(kernel: Kernel, path: Any, by_sign: bool) -> list[Any]:
    """Arguments of a kernel within their ranges; ``by_sign`` takes the signs of those that have one apart."""
    given = []
    for name in kernel.arguments:
        bounds = kernel.bounds(name)
        if bounds is None:
            given.append(path.choice(name, *kernel.options(name)))
        elif by_sign and bounds.low < 0:
            given.append(signed(path, name, bounds))
        else:
            given.append(path.atom(name, bounds.low, bounds.high))
    path.assume(lambda: kernel.requires(*given), kernel.relation or "range")
    return given


def parts_of(result: Any) -> tuple[Any, ...]:
    """A result as a tuple."""
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def theorem_of(kernel: Kernel, function: Callable[..., Any], by_sign: bool = False) -> Theorem:
    """The statement that a function gives what the kernel gives."""

    def body(path: Any) -> Any:
        given = drawn(kernel, path, by_sign)
        expected, got = parts_of(kernel.function(*given)), parts_of(function(*given))
        path.claim(AS_MANY, lambda: len(expected) == len(got))
        for one, other in zip(expected, got, strict=True):
            path.claim(CLAIM, lambda one=one, other=other: one == other)
        return expected

    return Theorem(f"equiv.{kernel.name}", "Both give the same result.", (kernel.rule,), Strength.EVERY_INPUT, body, ())


def outside_subset(function: Callable[..., Any]) -> str:
    """What a function does that lifting would not notice; empty: nothing."""
    waiting: list[Any] = [function]
    seen: set[FunctionType] = set()
    while waiting:
        here = inspect.unwrap(waiting.pop())
        if not isinstance(here, FunctionType):
            return f"{here!r} is not written in Python"
        if here in seen:
            continue
        seen.add(here)
        try:
            text = text_of(here)
        except (OSError, TypeError, SyntaxError):
            return f"{here.__name__} has no text that can be read"
        for finding in unnoticed(text):
            return str(finding)
        waiting += called_by(here)
    return ""


def called_by(function: FunctionType) -> list[Any]:
    """Functions that a function names, its own module's and others'; of classes their methods."""
    names = function.__code__.co_names
    values = [function.__globals__[name] for name in names if name in function.__globals__]
    values += [getattr(value, name, None) for value in values if isinstance(value, ModuleType) for name in names]
    methods = [part for value in values if isinstance(value, type) for part in vars(value).values()]
    return [value for value in values + methods if isinstance(value, FunctionType)]


def shown(call: Callable[..., Any], given: list[Any]) -> str:
    """What a call gives, or how it fails."""
    try:
        return str(call(*given))
    except Exception as fault:
        return f"{type(fault).__name__}: {fault}"


def differing(result: Compared, kernel: Kernel, function: Callable[..., Any], values: dict[str, Any]) -> Compared:
    """Replay an input on both; only where they differ is the answer that they do."""
    given = [values[name] for name in kernel.arguments]
    result.arguments = dict(zip(kernel.arguments, given, strict=True))
    result.reference, result.yours = shown(kernel.function, given), shown(function, given)
    one, other = (parts_shown(text) for text in (result.reference, result.yours))
    result.answer = Answer.DIFFERENT if one != other else Answer.UNKNOWN
    return result


def parts_shown(text: str) -> str:
    """A result as text without the form of its sequence."""
    return text.strip("()[]").replace(",)", "").rstrip(",")


def numbers(kernel: Kernel, values: dict[str, str], by_sign: bool) -> dict[str, Any]:
    """Values of a counterexample as arguments."""
    integers = {name: int(value) for name, value in values.items() if value.removeprefix("-").isdigit()}
    options = {name: value for name, value in values.items() if name not in integers}
    return dict(zip(kernel.arguments, drawn(kernel, Concrete(Given(integers, options), False), by_sign), strict=True))


def lifted(kernel: Kernel, function: Callable[..., Any], seconds: float) -> Compared:
    """Compare by proof; if that does not decide, once more with every sign apart.

    That the claim itself was not shown is no note beside an input that refutes it.
    """
    result = Compared(Answer.UNKNOWN, kernel.name, kernel.rule, "proof")
    for by_sign in (False, True):
        theorem = theorem_of(kernel, function, by_sign)
        trial = tried(theorem, seconds)
        result.paths, result.note = trial.paths, trial.note
        result.seconds += trial.seconds
        if trial.status == Status.REFUTED:
            result.note = "" if trial.note in (NOT_SHOWN + CLAIM, NOT_SHOWN + AS_MANY) else trial.note
            return differing(result, kernel, function, numbers(kernel, trial.values, by_sign))
        if trial.status == Status.PROVED:
            verdict = prove(theorem, Budget())
            result.answer = Answer.EQUAL if verdict.status == Status.PROVED else Answer.UNKNOWN
            result.certificates = verdict.certified
            return result
    return result


# Outside of what can be lifted

GIVEN = re.compile(r"Given: \((?P<arguments>.*)\),\s*$", re.MULTILINE)
HARNESS = """
import sys
sys.path[:0] = {paths!r}
from clearspec_proofs.trials.equivalence import loaded, parts_of
from clearspec_proofs.trials.kernels import KERNELS
_kernel = KERNELS[{kernel!r}]
_yours = loaded({target!r})

def reference({signature}):
    if not ({ranges}) or not _kernel.requires({names}):
        return None
    return parts_of(_kernel.function({names}))

def yours({signature}):
    if not ({ranges}) or not _kernel.requires({names}):
        return None
    return parts_of(_yours({names}))
"""


def harness(kernel: Kernel, target: str) -> str:
    """Both kernels as functions that give nothing outside of the ranges, as CrossHair compares them."""
    ranges, signature = [], []
    for name in kernel.arguments:
        bounds = kernel.bounds(name)
        signature.append(f"{name}: {'str' if bounds is None else 'int'}")
        within = f"{name} in {kernel.options(name)!r}" if bounds is None else f"{bounds.low} <= {name} <= {bounds.high}"
        ranges.append(within)
    return HARNESS.format(
        paths=[str(Path.cwd())], kernel=kernel.name, target=target, signature=", ".join(signature),
        ranges=" and ".join(ranges), names=", ".join(kernel.arguments),
    )  # fmt: skip


def crosshair_report(kernel: Kernel, target: str, seconds: float) -> str:
    """What CrossHair's ``diffbehavior`` prints about both.

    Raises:
        NoKernel: CrossHair is not installed.
    """
    if importlib.util.find_spec("crosshair") is None:
        raise NoKernel(needs("looking for a difference without a proof", "crosshair"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "compared_kernels.py").write_text(harness(kernel, target), encoding="utf-8")
        command = [sys.executable, "-m", "crosshair", "diffbehavior", f"--per_condition_timeout={seconds:g}"]
        command += ["compared_kernels.reference", "compared_kernels.yours"]
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return found.stdout + found.stderr


def searched(kernel: Kernel, function: Callable[..., Any], target: str, seconds: float, why: str) -> Compared:
    """Compare by CrossHair's search, which proves nothing."""
    result, start = Compared(Answer.UNKNOWN, kernel.name, kernel.rule, "search by CrossHair"), time.perf_counter()
    report = crosshair_report(kernel, target, seconds)
    result.seconds = time.perf_counter() - start
    given = GIVEN.search(report)
    if given is not None:
        call = ast.parse(f"f({given['arguments']})", mode="eval").body
        assert isinstance(call, ast.Call)
        values = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
        result = differing(result, kernel, function, values)
    exhausted = "all its paths are exhausted" if "All paths exhausted" in report else "it stopped"
    found = "a difference" if result.answer == Answer.DIFFERENT else f"no difference; {exhausted}"
    result.note = f"{why}; CrossHair found {found}"
    return result


def reason_of(note: str) -> str:
    """Why no proof decides: the function leaves what can be lifted, or it was lifted and that was not enough."""
    if not note or note.startswith((NOT_SHOWN, "no answer after")):
        return f"lifted, but no proof was found ({note})" if note else "lifted, but no proof was found"
    return f"not lifted ({note})"


def compared(target: str, rule: str, name: str | None = None, seconds: float = 60.0) -> Compared:
    """Compare somebody's function with the kernel of a rule.

    Raises:
        NoKernel: the function or the kernel is not there, or takes other arguments.
    """
    kernel, function = kernel_for(rule, name), loaded(target)
    require_signature(kernel, function)
    note = outside_subset(function)
    if not note:
        result = lifted(kernel, function, seconds)
        if result.answer != Answer.UNKNOWN:
            return result
        note = result.note
    return searched(kernel, function, target, seconds, reason_of(note))
