"""The conformance suite: ``pytest --pyargs property_tests.conformance --lrs-solver module:attr``."""
