"""``clearspec equiv``: somebody's own kernel against the reference's, for all inputs."""

from __future__ import annotations

import json

import click

from clearspec_command.failures import BadInput
from clearspec_proofs.trials.equivalence import Answer, Compared, NoKernel, compared
from clearspec_proofs.trials.kernels import KERNELS, Kernel

UNKNOWN = 3
CODES = {Answer.EQUAL: 0, Answer.DIFFERENT: 1, Answer.UNKNOWN: UNKNOWN}

EPILOG = """
Example: clearspec equiv my_engine:round_up NUM-2 --name div_ceil

Exit codes: 0 equal for all inputs, proved; 1 they differ, with an input; 2 bad input; 3 not known.
"""


def described(kernel: Kernel) -> str:
    """A kernel with its arguments and their ranges."""
    parts = []
    for name in kernel.arguments:
        bounds = kernel.bounds(name)
        parts.append(
            f"{name} {' | '.join(kernel.options(name)) if bounds is None else f'{bounds.low} .. {bounds.high}'}"
        )
    relation = f"; {kernel.relation}" if kernel.relation else ""
    return f"{kernel.rule} {kernel.name}({', '.join(kernel.arguments)}): {', '.join(parts)}{relation}"


def show(result: Compared) -> None:
    """The answer for people."""
    if result.answer == Answer.EQUAL:
        click.echo(
            f"equal: your function gives what {result.kernel} ({result.rule}) gives, for all inputs in range; "
            f"{result.paths} paths, {result.certificates} certificates, {result.seconds:.2f} s"
        )
        return
    if result.answer == Answer.DIFFERENT:
        given = ", ".join(f"{name}={value}" for name, value in result.arguments.items())
        click.echo(f"different: {result.kernel}({given}) is {result.reference}, yours {result.yours}")
    else:
        click.echo(f"unknown: neither a proof nor a difference for {result.kernel} ({result.rule})")
    if result.note:
        click.echo(f"why it was not proved equal: {result.note}")


@click.command("equiv", epilog=EPILOG)
@click.argument("function", metavar="MODULE:FUNCTION", required=False)
@click.argument("rule", required=False)
@click.option("--name", help="Which kernel, where a rule has several.")
@click.option(
    "--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="Time to look for an answer."
)
@click.option("--list", "listing", is_flag=True, help="Print the kernels, their arguments and ranges.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON document.")
def command(
    function: str | None, rule: str | None, name: str | None, seconds: float, listing: bool, as_json: bool
) -> int:
    """Compare your own pure-Python kernel with the reference's kernel of a RULE, for all inputs in range."""
    if listing:
        for kernel in KERNELS.values():
            click.echo(described(kernel))
        return 0
    if function is None or rule is None:
        raise BadInput("give MODULE:FUNCTION and a RULE; see clearspec equiv --help")
    try:
        result = compared(function, rule, name, seconds)
    except NoKernel as fault:
        raise BadInput(str(fault)) from None
    if as_json:
        click.echo(json.dumps(result.document(), indent=1, ensure_ascii=False))
    else:
        show(result)
    return CODES[result.answer]
