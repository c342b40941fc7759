"""Claims about the solvers of every family, one subject a file; importing a module registers its claims."""
