"""What is claimed of the solvers of matrix sensing."""
