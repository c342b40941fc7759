"""Assumptions, bounds, limits and verdicts of the AMHT-LRS theorem that can be computed, bounded and argued about."""
