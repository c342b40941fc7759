"""Ways to read one sympy relation: NumPy arrays, interval enclosures, exact rationals, z3, LaTeX, JSON."""
