"""Sparse recovery: an exact law, a trajectory and a bound."""
