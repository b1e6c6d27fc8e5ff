"""``clearspec params``: whether a parameter set is inside the envelope, and what price path ruins it outside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console

from clearspec.codec import encode
from clearspec_command.failures import FAILED, WELL, BadInput
from clearspec_command.outputs import Outputs
from clearspec_command.report import console_for, print_sheet, text
from clearspec_command.sheets import Sheet
from clearspec_proofs.parameter_sets import Found, ParameterSet, read_set, violations
from clearspec_proofs.ruin import LONG, SHORT, Ruin, ruin
from clearspec_proofs.ruin_collateral import ruin_of

SIDES = {"gap-up": SHORT, "gap-down": LONG}
"""Inequalities of which a price path shows what they keep off, and the side that it ruins."""

HAIRCUT = "haircut-covers-gap "
"""What the same inequality of a collateral asset is called, before the asset."""

MOST_PRICES = 12
"""Prices of a path that are printed; all of them stand in the scenario and in the JSON."""

EPILOG = """
Example: clearspec params my-market.toml --feed my-feed.toml --scenario ruin.json

Exit codes: 0 inside the envelope; 1 outside it; 2 a file does not read, or an output cannot be written; 130
interrupted; 141 the reader of standard output went away.
"""


def has_path(entry: Found) -> bool:
    """Whether a price path shows what an inequality keeps off."""
    return entry.inequality in SIDES or entry.inequality.startswith(HAIRCUT)


def shortest(chosen: ParameterSet, found: Sequence[Found]) -> Ruin | None:
    """The shortest price path to a deficit among the violated inequalities that have one."""
    names = {entry.inequality for entry in found}
    paths = [ruin(chosen, sign) for name, sign in SIDES.items() if name in names]
    paths += [ruin_of(chosen, entry) for entry in chosen.collateral if HAIRCUT + entry.terms.asset in names]
    return min((path for path in paths if path is not None), key=lambda path: path.steps, default=None)


def document(name: str, chosen: ParameterSet, found: Sequence[Found], path: Ruin | None) -> dict[str, Any]:
    """The report for machines."""
    shown = None
    if path is not None:
        shown = {
            "side": path.side,
            "steps": path.steps,
            "promised": path.promised,
            "deficit": str(path.deficit),
            "prices": [str(price) for price in path.prices],
            "changes": list(path.changes),
        }
    listed = [{**asdict(entry), "left": str(entry.left), "right": str(entry.right)} for entry in found]
    return {"file": name, "inside": not found, "presets": dict(chosen.presets), "violations": listed, "path": shown}


def sheet_of(found: Sequence[Found]) -> Sheet:
    """The violated inequalities as a table."""
    sheet = Sheet(
        "Violated", ("part", "inequality", "left", "right", "rule", "states", "outside it"), ("left", "right")
    )
    for entry in found:
        sides = f"{entry.left:,}", f"{entry.right:,}"
        sheet.add(entry.part, entry.inequality, *sides, entry.rule, entry.statement, entry.meaning)
    return sheet


def print_path(console: Console, path: Ruin) -> None:
    """Print a price path."""
    console.print(text(f"The shortest price path to a deficit ({path.side}):", "bold"))
    prices = [f"{price:,}" for price in path.prices]
    if len(prices) > MOST_PRICES:
        prices = [*prices[: MOST_PRICES - 2], "...", prices[-1]]
    console.print(text(f"  {prices[0]} at maintenance, then {', '.join(prices[1:])}"))
    later = f"after {path.steps} steps of the oracle; {path.promised} are promised"
    console.print(text(f"  {path.deficit:,} atoms are missing {later}."))
    if path.steps > path.promised:
        console.print(text("  The envelope counts basis, penalty and funding too, which no price path shows.", "dim"))
    for change in path.changes:
        console.print(text(f"  Played with: {change}", "dim"))
    console.print()


def print_set(console: Console, name: str, chosen: ParameterSet, found: Sequence[Found], path: Ruin | None) -> None:
    """Print the report for people."""
    used = ", ".join(f"{part} {preset}" for part, preset in chosen.presets.items())
    with_presets = f" (with the presets of {used})" if used else ""
    if not found:
        console.print(text(f"{name}: inside the envelope{with_presets}", "green"))
        return
    console.print(text(f"{name}: outside the envelope{with_presets}", "bold red"))
    console.print()
    print_sheet(console, sheet_of(found))
    if path is not None:
        print_path(console, path)
    elif any(map(has_path, found)):
        console.print(text("No price path to a deficit is known that clearspec run plays.", "dim"))


def written(name: str, path: Ruin | None) -> bytes:
    """The scenario file.

    Raises:
        BadInput: there is no path, or the name says that the file is TOML.
    """
    if name.lower().endswith(".toml"):
        raise BadInput(f"--scenario {name}: a scenario is written as JSON; give another name")
    if path is None:
        raise BadInput(f"--scenario {name}: there is no price path to write")
    return (json.dumps(encode(path.scenario), indent=1) + "\n").encode()


@click.command(
    "params",
    epilog=EPILOG,
    short_help="Decide whether parameters are inside the envelope.",
)
@click.argument("name", metavar="PARAMS.toml")
@click.option("--market", metavar="FILE|PRESET", help="The market, where PARAMS does not hold one.")
@click.option("--feed", metavar="FILE|PRESET", help="Its feed.")
@click.option("--pool", metavar="FILE|PRESET", help="Its pool.")
@click.option("--scenario", metavar="FILE", help="Write the price path as a scenario that clearspec run plays.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    name: str, market: str | None, feed: str | None, pool: str | None, scenario: str | None, as_json: bool
) -> int:
    """Decide whether a parameter set is inside the envelope (PARM-7 to PARM-14).

    PARAMS holds one part, as the presets of spec/parameters do, or tables [market], [feed], [pool] and [[collateral]].
    Outside the price gap, or with a haircut below it, the shortest price path is shown that ends in a deficit.
    """
    chosen = read_set(name, {"market": market, "feed": feed, "pool": pool})
    found = violations(chosen)
    path = shortest(chosen, found)
    with Outputs() as outputs:
        if scenario is not None:
            outputs.open(scenario).write(written(scenario, path))
    if as_json:
        click.echo(json.dumps(document(name, chosen, found, path), indent=2))
    else:
        print_set(console_for(), name, chosen, found, path)
    return FAILED if found else WELL
