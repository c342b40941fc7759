"""Theorems and limits of the families besides the first, a folder each."""
