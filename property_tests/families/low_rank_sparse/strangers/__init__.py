"""Other people's code, wrapped: the examples of the how-to page, and a test of the suite on solvers it does not know."""
