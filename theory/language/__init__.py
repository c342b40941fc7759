"""What a statement is: quantities, predicates over them, verdicts, and how one is read."""
