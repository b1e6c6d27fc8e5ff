"""The reference clearinghouse: a formal specification as plain Python. Standard library only."""

__version__ = "0.1.0"
