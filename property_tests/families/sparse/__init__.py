"""What is claimed of solvers of sparse recovery, and solvers that break it."""
