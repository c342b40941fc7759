"""The claims, one subject a file; importing a module registers its claims."""
