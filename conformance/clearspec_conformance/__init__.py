"""Conformance of other engines to the reference: published cases, replays of real history."""
