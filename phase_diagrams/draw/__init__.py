"""Pictures and pages of a sweep."""
