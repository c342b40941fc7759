"""The claims become tests here, so that ``--lrs-claims`` and ``--lrs-theorem`` are known."""


def pytest_generate_tests(metafunc):
    if "claim" in metafunc.fixturenames and metafunc.module.__name__.endswith("conformance.test_claims"):
        from property_tests.claim import claims

        option = metafunc.config.getoption
        chosen = claims(option("--lrs-claims"), theorem=option("--lrs-theorem"))
        metafunc.parametrize("claim", chosen, ids=[c.name for c in chosen])
