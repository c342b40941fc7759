"""Recovery maps that are resumable, adaptive and distributable."""
