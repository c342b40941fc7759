"""The theorems of low rank + sparse, a module each."""
