"""Proofs about the reference."""
