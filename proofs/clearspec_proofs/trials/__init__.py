"""What the proofs are tried against: wrong references, plain numbers, other people's kernels."""
