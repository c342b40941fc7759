"""What the trials of a sweep say."""
