"""What trials say: evidence, rates, calibrated constants, laws of rows."""
