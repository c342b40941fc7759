"""Core of the toolkit: what every family and floor shares."""
