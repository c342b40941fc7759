"""Low rank + sparse: strategies, claims, mutants."""
