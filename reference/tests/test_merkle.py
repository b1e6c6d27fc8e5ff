"""The Merkle tree against published test data, and inclusion proofs of every leaf of many trees."""

from __future__ import annotations

import hashlib

import pytest

from clearspec.merkle import EMPTY, inclusion_proof, leaf_hash, root, verify_inclusion

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
# Roots of the trees over the first 1..8 of these inputs, from the test data of Certificate Transparency
# (google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc), which implements RFC 6962.
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHED = [leaf_hash(data) for data in LEAVES]


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_match_published_data(count: int) -> None:
    assert root(HASHED[:count]).hex() == ROOTS[count - 1]


def test_empty_tree_is_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY == hashlib.sha256().digest()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 33])
def test_every_leaf_is_proved_and_no_other(count: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(count)]
    expected = root(leaves)
    for ordinal, leaf in enumerate(leaves):
        proof = inclusion_proof(leaves, ordinal)
        assert verify_inclusion(leaf, ordinal, count, proof, expected)
        assert not verify_inclusion(leaf_hash(b"other"), ordinal, count, proof, expected)
        assert not verify_inclusion(leaf, ordinal, count, [*proof, leaf], expected)
        if count > 1:
            assert not verify_inclusion(leaf, (ordinal + 1) % count, count, proof, expected)
            assert not verify_inclusion(leaf, ordinal, count, proof[:-1], expected)


def test_a_new_leaf_moves_none() -> None:
    """The subtree over a power of two keeps its root when leaves are appended."""
    assert inclusion_proof(HASHED[:5], 4) == [root(HASHED[:4])]


@pytest.mark.parametrize("ordinal", [-1, 3])
def test_no_proof_outside_the_tree(ordinal: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(HASHED[:3], ordinal)
    assert not verify_inclusion(HASHED[0], ordinal, 3, [], ROOTS[0].encode())
