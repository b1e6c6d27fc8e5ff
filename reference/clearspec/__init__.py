"""The reference clearinghouse: a formal specification as plain Python. Standard library only."""
