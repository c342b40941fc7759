"""What the prover makes of the statements (extra ``prove``)."""
