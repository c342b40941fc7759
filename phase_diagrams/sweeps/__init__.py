"""A sweep: grid, design, runner, journal, engines."""
