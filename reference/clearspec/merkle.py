"""SHA-256 Merkle tree over the state's objects, hashed as in RFC 6962; leaf = permanent creation ordinal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from clearspec.rules import rule

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of a zero byte and the data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 of a one byte and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """Largest power of two below ``count``; ``count`` is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


@rule("EVENT-14")
def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes; of no leaves the hash of nothing."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    middle = _split(len(leaves))
    return node_hash(root(leaves[:middle]), root(leaves[middle:]))


@rule("EVENT-14")
def inclusion_proof(leaves: Sequence[bytes], ordinal: int) -> list[bytes]:
    """Siblings from the leaf up to the root.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= ordinal < len(leaves):
        raise IndexError(f"leaf {ordinal} of {len(leaves)}")
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if ordinal < middle:
        return [*inclusion_proof(leaves[:middle], ordinal), root(leaves[middle:])]
    return [*inclusion_proof(leaves[middle:], ordinal - middle), root(leaves[:middle])]


@rule("EVENT-14")
def verify_inclusion(leaf: bytes, ordinal: int, count: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether a leaf hash stands at an ordinal of a tree of ``count`` leaves with the expected root."""
    path = _sides(ordinal, count)
    if not 0 <= ordinal < count or len(path) != len(proof):
        return False
    value = leaf
    for right, sibling in zip(path, proof, strict=True):
        value = node_hash(sibling, value) if right else node_hash(value, sibling)
    return value == expected


def _sides(ordinal: int, count: int) -> list[bool]:
    """From leaf to root: whether the path comes up from the right."""
    if count <= 1:
        return []
    middle = _split(count)
    if ordinal < middle:
        return [*_sides(ordinal, middle), False]
    return [*_sides(ordinal - middle, count - middle), True]
