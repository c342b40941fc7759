"""The protocol: finding, configuring and running solvers, and what is said about those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lrs import AMHT, Instance, InvalidInput, Iterate, Solution, Status, available_solvers, load_solver, solve
from lrs.core.family import LOW_RANK_SPARSE, load_family
from lrs.solver import relative_residual, traits_of

MODULE = """
from lrs import AMHT, Solution, Status

text = "not a solver"

def function(problem, *, rng, callback=None):
    return AMHT()(problem, rng=rng, callback=callback)

def factory():
    return AMHT()

class Configured:
    def __call__(self, problem, *, rng, callback=None):
        return function(problem, rng=rng, callback=callback)

class Holder:
    inner = staticmethod(function)

class Demanding:
    def __init__(self, wanted): ...
    def __call__(self, problem, *, rng, callback=None): ...

def no_rng(problem): ...
def extra(problem, more, *, rng, callback=None): ...
def returns_nothing(problem, *, rng, callback=None): ...
"""


@pytest.fixture
def solvers_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of solvers in the working directory, as a user has one."""
    name = f"solvers_of_{tmp_path.name}".replace("-", "_").replace("[", "_").replace("]", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_broken.py").write_text("import a_module_that_is_not_there")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    return name


def test_solve_fills_in_the_time(instance: Instance):
    solution = solve(instance.problem, seed=1)
    assert isinstance(solution, Solution)
    assert solution.seconds > 0
    assert solution.model.theta.shape == (30, 8)


def test_the_same_seed_gives_the_same_answer(instance: Instance):
    one, two = solve(instance.problem, seed=5), solve(instance.problem, seed=np.random.default_rng(5))
    assert np.array_equal(one.model.theta, two.model.theta)


def test_the_callback_sees_every_step(instance: Instance):
    seen: list[Iterate] = []
    solution = solve(instance.problem, AMHT(), callback=seen.append)
    assert [s.iteration for s in seen] == sorted({s.iteration for s in seen})
    assert seen[-1].iteration == solution.iterations
    assert seen[-1].residual == pytest.approx(relative_residual(instance.problem, seen[-1].model), rel=0.1, abs=1e-13)


@pytest.mark.parametrize("attribute", ["function", "factory", "Configured", "Holder.inner"])
def test_user_solvers_by_name(attribute: str, solvers_module: str, instance: Instance):
    solution = solve(instance.problem, f"{solvers_module}:{attribute}")
    assert np.array_equal(solution.model.theta, solve(instance.problem, AMHT()).model.theta)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("amth", "no solver named 'amth'; did you mean 'amht'?"),
        ("zzz", "no solver named 'zzz'; known are .*amht.*; your own is named as module:attribute"),
        (":x", "':x' is not of the form module:attribute"),
        ("a_module_that_is_not_there:x", "module 'a_module_that_is_not_there' does not import .ModuleNotFoundError"),
        ("{}_broken:x", "does not import .ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("{}:absent", "has no attribute 'absent'"),
        ("{}:text", "is a str, which cannot be called"),
        ("{}:no_rng", r"does not have the signature solver\(problem, \*, rng, callback=None\)"),
        ("{}:extra", "does not have the signature .*missing a required argument: 'more'"),
        ("{}:Demanding", "could not be made without arguments"),
        ("{}:returns_nothing", "returned NoneType; expected lrs.Solution"),
    ],
)
def test_unusable_solvers_are_refused(spec: str, message: str, solvers_module: str, instance: Instance):
    with pytest.raises(InvalidInput, match=message):
        solve(instance.problem, spec.format(solvers_module))


def test_solver_objects_are_checked_too(instance: Instance):
    with pytest.raises(InvalidInput, match="does not have the signature"):
        load_solver(lambda problem: problem)
    with pytest.raises(InvalidInput, match="cannot be called"):
        load_solver(3)


@pytest.mark.usefixtures("unchecked")
def test_an_instance_is_not_a_problem(instance: Instance):
    with pytest.raises(InvalidInput, match=r"expected lrs.Problem, got Instance; an Instance has it as .problem"):
        solve(instance)


def test_every_registered_solver_loads():
    assert {"amht", "amht-paper"} <= set(available_solvers())
    for name in available_solvers():
        solver = load_solver(name)
        traits = traits_of(solver, getattr(solver, "family", LOW_RANK_SPARSE))
        assert traits.to_dict().keys() == load_family(getattr(solver, "family", LOW_RANK_SPARSE)).traits.keys()


def test_traits_of_third_parties():
    class Foreign:
        traits = {"sparse": False}  # noqa: RUF012

        def __call__(self, problem, *, rng, callback=None): ...

    assert not traits_of(Foreign()).sparse
    assert traits_of(Foreign()).exact
    assert traits_of(lambda problem, *, rng, callback=None: None).sparse
    with pytest.raises(AttributeError, match="'sparce'"):
        traits_of(Foreign()).sparce  # noqa: B018
    Foreign.traits = {"spares": False}
    with pytest.raises(InvalidInput, match=r"traits: 'spares' is none .*known are trace"):
        traits_of(Foreign())
    Foreign.traits = 3
    with pytest.raises(InvalidInput, match="traits: expected"):
        traits_of(Foreign())


def test_every_status_is_a_sentence():
    for status in Status:
        assert status.sentence[0].isupper()
        assert status.sentence.endswith(".")
