"""One test per claim of the manifest, on the solver named by ``--lrs-solver``."""


def test_claim(claim, lrs_check):
    lrs_check(claim)
