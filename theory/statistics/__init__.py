"""What trials say: evidence, rates, calibrated constants."""
