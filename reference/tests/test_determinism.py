"""The same events give the same receipts, snapshot and root under every supported Python and any hash seed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[1]
SCENARIO = REFERENCE.parent / "conformance" / "scenarios" / "first-default.toml"
VERSIONS = ("3.11", "3.12", "3.13")

PROGRAM = """
import hashlib, sys
from clearspec.codec import canonical_bytes
from clearspec.formats import receipt_record
from clearspec.scenario import Player, load
from clearspec.snapshot import snapshot, state_root
player = Player(load(open(sys.argv[1], encoding="utf-8").read(), True))
digest = hashlib.sha256()
for item in player:
    digest.update(canonical_bytes(item.event) + canonical_bytes(receipt_record(item.receipt)))
digest.update(canonical_bytes(snapshot(player.state)))
print(len(player.played), digest.hexdigest(), state_root(player.state))
"""


def interpreter(version: str) -> str | None:
    """A Python of that version that starts: the running one, one on the path, or one that pyenv keeps."""
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return sys.executable
    kept = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python"))
    for found in [*map(str, kept), shutil.which(f"python{version}")]:
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


def outcome(python: str, seed: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REFERENCE), "PYTHONHASHSEED": seed}
    run = [python, "-c", PROGRAM, str(SCENARIO)]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_same_bytes(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    expected = outcome(sys.executable, "0")
    assert int(expected.split()[0]) > 100
    assert outcome(python, "1") == expected
    assert outcome(python, "4242") == expected
