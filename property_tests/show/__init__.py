"""What a run of the suite leaves to read."""
