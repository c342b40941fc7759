"""What is claimed of sketches, and sketches that break it."""
