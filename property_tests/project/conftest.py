"""Array annotations are checked while the tests run, so that a shape in a signature cannot lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

import property_tests

# Own tests and benchmarks are no part of what is installed: benchmarks are found beside this folder.
property_tests.__path__.append(str(Path(__file__).parents[1]))

# Before anything imports the packages: a module imported earlier stays unchecked. An int may be passed for a float, as
# every type checker has it (PEP 484).
jaxtyping.install_import_hook(["lrs", "theory"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Annotations off, for tests of what a user without the checker is told about arguments of a wrong type."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
