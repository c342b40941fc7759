"""What is claimed of the solvers of a family, a folder each."""
