"""Every public name is seen by a type checker as it is at run time, and none of them as Any."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = ("lrs", "lrs.core", "theory", "phase_diagrams", "property_tests")

#: What a user writes; every expression has a type.
CLIENT = """
import numpy as np

from lrs import AMHT, InstanceSpec, LRSModel, Problem, Solution, Solver, generate, load_solver, solve
from property_tests import check_solver
from theory import certify, load_theorem


def recover(problem: Problem, rank: int) -> LRSModel:
    return solve(problem, AMHT(restarts=3), seed=rank).model


instance = generate(InstanceSpec(t=40, m=30, d=20, r=2, k=2), seed=(1, 2))
solver: Solver = load_solver("amht")
answer: Solution = solver(instance.problem, rng=np.random.default_rng(3))
rows: int = recover(instance.problem, 2).t
title: str = load_theorem("amht-informal").title
holds: bool = certify([1.0, 0.5, 0.25, 0.1], rate=0.5).rate is not None
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str):
    module = import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'absent'"):
        module.absent  # noqa: B018


@pytest.mark.slow
def test_a_client_of_every_public_name_passes_mypy_strict(tmp_path: Path):
    lines = [f"import {package}" for package in PACKAGES]
    lines += [f"reveal_type({package}.{name})" for package in PACKAGES for name in import_module(package).__all__]
    (tmp_path / "names.py").write_text("\n".join(lines) + "\n")
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "wrong.py").write_text("import theory\n\ntheory.absent\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "names.py", "client.py", "wrong.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    notes = [line for line in done.stdout.splitlines() if line.startswith("names.py") and "Revealed type" in line]
    assert len(notes) == len(lines) - len(PACKAGES), done.stdout + done.stderr
    assert not [line for line in notes if line.endswith(('is "Any"', 'is "object"'))]
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, done.stdout  # a name that is not there is found out
    assert errors[0].startswith("wrong.py:3: error: Module has no attribute")
