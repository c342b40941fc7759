"""Sketched least squares: a contested theorem, and the counterexample to a step of its proof."""
