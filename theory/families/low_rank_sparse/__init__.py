"""Low rank + sparse: assumptions, limits, what is measured of an instance, certificates, theorems."""
