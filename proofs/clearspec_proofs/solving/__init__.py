"""What looks for proofs and counterexamples, and is not trusted."""
