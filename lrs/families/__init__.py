"""Families of problems (`lrs.core.family.Family`), a folder each."""
