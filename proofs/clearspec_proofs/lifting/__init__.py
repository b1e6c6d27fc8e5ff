"""What is trusted: symbolic execution, path by path, and the checker of certificates. Standard library only."""
