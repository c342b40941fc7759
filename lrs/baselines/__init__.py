"""Competitors, one file each, all following the solver protocol."""
