"""From a claim to a verdict: configurations, trials, tallies, the search for a witness, the ledger."""
