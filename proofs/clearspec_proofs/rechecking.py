"""Re-checks stored proofs: executes the reference again along the stored decisions and checks every certificate.

Needs nothing but Python: ``python -m clearspec_proofs.rechecking`` is the command without any library.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from clearspec_proofs.lifting.certificates import Unfounded
from clearspec_proofs.lifting.paths import Unliftable, explore
from clearspec_proofs.lifting.recorded import Nodes, Recorded
from clearspec_proofs.lifting.terms import LeavesSubset
from clearspec_proofs.records import Status, Tally, Verdict
from clearspec_proofs.store import Manifest, StoreError, default_folder, read_manifest, read_nodes, stale_sources
from clearspec_proofs.theorems import Theorem, catalogue

PATHS_MAX = 20_000


def recheck(theorem: Theorem, nodes: Nodes) -> Verdict:
    """Check recorded certificates by executing the reference again; needs no solver."""
    guide = Recorded(nodes)
    verdict = Verdict(theorem.name, Status.PROVED)
    tally, start = Tally(verdict), time.perf_counter()
    try:
        for end in explore(theorem.body, guide, PATHS_MAX):
            tally.add(end)
            if end.failed is not None:
                verdict.status, verdict.note = Status.UNKNOWN, f"not shown: {end.failed}"
                break
    except Unfounded as fault:
        verdict.status, verdict.note = Status.UNKNOWN, f"a certificate does not hold of the present sources: {fault}"
    except (LeavesSubset, Unliftable) as fault:
        verdict.status, verdict.note = Status.UNKNOWN, str(fault)
    surplus = set(nodes) - guide.asked
    if verdict.status == Status.PROVED and surplus:
        verdict.status, verdict.note = Status.UNKNOWN, f"{len(surplus)} certificates are never asked for"
    if verdict.status == Status.PROVED and set(theorem.marks) - set(tally.reached):
        verdict.status, verdict.note = Status.UNKNOWN, "empty: no path reaches what it is about"
    verdict.seconds = time.perf_counter() - start
    verdict.nodes = nodes
    return tally.close()


def recheck_stored(name: str, manifest: Manifest, nodes: Nodes) -> Verdict:
    """The same for a stored theorem; what is checked must be what was stored."""
    verdict = recheck(catalogue()[name], nodes)
    if verdict.status == Status.PROVED and verdict.digest != manifest.digests[name]:
        verdict.status, verdict.note = Status.UNKNOWN, "the obligations are not those that were stored"
    return verdict


def _recheck_chapter(chapter: str, folder: str) -> list[Verdict]:
    manifest, nodes = read_manifest(folder), read_nodes(folder, chapter)
    names = [name for name in manifest.digests if name.split(".", 1)[0] == chapter]
    missing = Verdict("", Status.UNKNOWN, note="no certificates are stored")
    return [recheck_stored(name, manifest, nodes[name]) if name in nodes else _named(missing, name) for name in names]


def _named(verdict: Verdict, name: str) -> Verdict:
    return Verdict(name, verdict.status, note=verdict.note)


def faults_of(manifest: Manifest) -> list[str]:
    """What is wrong before any certificate is looked at: changed sources, theorems without or beyond a proof."""
    known = catalogue()
    found = [f"{path} has changed since it was proved" for path in stale_sources(manifest)]
    found += [f"{name} has no stored proof" for name in known if name not in manifest.digests]
    return found + [f"{name} is stored, but is no theorem" for name in manifest.digests if name not in known]


def recheck_all(folder: str, jobs: int) -> Iterator[Verdict]:
    """Re-check every stored theorem that still exists, chapter by chapter."""
    known, manifest = catalogue(), read_manifest(folder)
    chapters = sorted({name.split(".", 1)[0] for name in manifest.digests if name in known})
    if jobs <= 1:
        for chapter in chapters:
            yield from _recheck_chapter(chapter, folder)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(_recheck_chapter, chapter, folder) for chapter in chapters]):
            yield from future.result()


def main(arguments: list[str] | None = None) -> int:
    """Re-check, with plain text: 0 if everything holds, 1 if not, 2 if there is nothing to check."""
    parser = argparse.ArgumentParser(prog="python -m clearspec_proofs.rechecking", description=__doc__)
    parser.add_argument("folder", nargs="?", default=str(default_folder()), help="where the proofs are stored")
    folder = parser.parse_args(arguments).folder
    try:
        faults = faults_of(read_manifest(folder))
        verdicts = list(recheck_all(folder, 2))
    except StoreError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    faults += [f"{entry.name}: {entry.note}" for entry in verdicts if entry.status != Status.PROVED]
    for line in faults:
        sys.stdout.write(f"{line}\n")
    certificates = sum(entry.certified for entry in verdicts)
    sys.stdout.write(f"{len(verdicts)} theorems, {certificates} certificates, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
