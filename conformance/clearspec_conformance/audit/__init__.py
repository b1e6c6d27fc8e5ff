"""The auditor: replays an engine's own log against the reference and checks the invariants on the engine's numbers."""
