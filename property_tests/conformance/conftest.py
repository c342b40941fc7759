"""The claims become tests here, so that ``--lrs-claims`` and ``--lrs-theorem`` are known."""

import pytest


def pytest_generate_tests(metafunc):
    if "claim" in metafunc.fixturenames and metafunc.module.__name__.endswith("conformance.test_claims"):
        from lrs.core.errors import InvalidInput
        from property_tests.examine.claim import claims
        from property_tests.verify import family_for

        option = metafunc.config.getoption
        try:
            whose = family_for(option("--lrs-family"), option("--lrs-theorem"))
            chosen = claims(option("--lrs-claims"), theorem=option("--lrs-theorem"), family=whose)
        except InvalidInput as error:
            raise pytest.UsageError(str(error)) from None
        metafunc.parametrize("claim", chosen, ids=[c.name for c in chosen])
