"""Property suites that confirm or refute the theorem on any solver, with both error rates controlled."""
