"""Differential fuzzing: generated sequences of events on an engine and the reference, and the smallest difference."""
