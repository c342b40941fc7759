"""What somebody else's package adds by entry points, without touching ours."""

from collections.abc import Callable

import pytest

from lrs import InstanceSpec, InvalidInput, available_solvers, generate, load_solver, solve
from lrs.core.family import load_family
from lrs.core.registry import Registry, instance_of
from property_tests.examine.claim import claims
from theory.theorems import available_theorems, load_theorem

SOLVER = """
from lrs import AMHT

def theirs(problem, *, rng, callback=None):
    return AMHT(threads=1)(problem, rng=rng, callback=callback)
"""
THEOREM = """
from dataclasses import replace
from theory import load_theorem

THEOREM = replace(load_theorem("iht"), name="their-theorem")
"""
CLAIM = """
from property_tests.examine.claim import Always, Claim, Outcome, register
from property_tests.families.low_rank_sparse.strategies import inside

register(Claim(name="theirs/short", statement="Answers.", cite="us", kind=Always(), configurations=inside,
               check=lambda context: Outcome(True), theorems=("their-theorem",)))
"""


def test_a_package_adds_a_solver_a_theorem_and_a_claim(package: Callable):
    assert "theirs" not in available_solvers()
    package(
        "their-package",
        {
            "lrs.solvers": {"theirs": "their_solver:theirs"},
            "lrs.theorems": {"their-theorem": "their_theorem:THEOREM"},
            "lrs.claims": {"theirs": "their_claim"},
        },
        their_solver=SOLVER,
        their_theorem=THEOREM,
        their_claim=CLAIM,
    )
    assert available_solvers()["theirs"] == "their_solver:theirs"
    instance = generate(InstanceSpec(t=12, m=20, d=10, r=1, k=1), seed=1)
    assert solve(instance.problem, "theirs").converged
    assert available_theorems()[-1] == "their-theorem"  # after our own
    assert load_theorem("their-theorem").name == "their-theorem"
    assert {"theirs/short", "conduct/answers"} <= {c.name for c in claims(theorem="their-theorem")}
    assert "theirs/short" not in {c.name for c in claims(theorem="amht-informal")}


def test_two_packages_that_register_one_name_are_refused(package: Callable):
    package(
        "first", {"lrs.solvers": {"amht": "their_solver:theirs", "other": "their_solver:theirs"}}, their_solver=SOLVER
    )
    message = (
        r"solver: 'amht' is registered by first \(their_solver:theirs\) and lrs-toolkit \(lrs.amht:AMHT\); "
        r"uninstall one of them, or rename its entry point in the group lrs.solvers"
    )
    with pytest.raises(InvalidInput, match=message):
        load_solver("amht")
    assert load_solver("other").__name__ == "theirs"  # the names that are not in dispute stay
    assert available_solvers()["amht"] == "lrs.amht:AMHT"


def test_two_packages_that_register_one_family_are_refused(package: Callable):
    for name in ("first", "second"):
        package(name, {"lrs.families": {"their-family": "their_family:FAMILY"}}, their_family="FAMILY = 3")
    with pytest.raises(InvalidInput, match=r"family: 'their-family' is registered by first .* and second "):
        load_family("their-family")


@pytest.mark.parametrize(
    ("group", "point", "call", "message"),
    [
        ("lrs.solvers", "their_solver:x", load_solver, r"solver: 'x' \(their_solver:x, package wrong\) is a int"),
        (
            "lrs.theorems",
            "their_solver:x",
            load_theorem,
            r"theorem: 'x' \(their_solver:x, package wrong\) is a int, expected a theory.theorems.Theorem",
        ),
        (
            "lrs.theorems",
            "absent_module:x",
            load_theorem,
            r"theorem: 'x' \(absent_module:x, package wrong\) does not import \(ModuleNotFoundError",
        ),
        (
            "lrs.claims",
            "their_solver:x",
            lambda name: claims(),
            r"claims: 'x' \(their_solver:x, package wrong\) is a int, expected a module that registers its claims",
        ),
    ],
)
def test_what_is_not_of_the_kind_is_refused_with_its_package(
    group: str, point: str, call: Callable, message: str, package: Callable
):
    package("wrong", {group: {"x": point}}, their_solver="x = 3")
    with pytest.raises(InvalidInput, match=message):
        call("x")


def test_a_claim_of_a_package_may_not_take_our_name(package: Callable):
    package(
        "their-package",
        {"lrs.claims": {"theirs": "their_claim"}},
        their_claim=CLAIM.replace("theirs/short", "conduct/answers"),
    )
    with pytest.raises(InvalidInput, match=r"package their-package\).*'conduct/answers' is registered twice"):
        claims()


def test_an_unknown_name_gets_the_nearest_or_all_or_a_word_about_the_installation(package: Callable):
    package("numbers", {"lrs.test": {"three": "math:pi", "four": "math:e"}})
    registry = Registry("lrs.test", "number", instance_of(float, "number", "a float"), advice="write your own")
    assert dict(registry.known) == {"four": "math:e", "three": "math:pi"}
    assert registry.load("three") > 3
    with pytest.raises(
        InvalidInput, match=r"^number: no number named 'threee'; did you mean 'three'\? write your own$"
    ):
        registry.load("threee")
    with pytest.raises(InvalidInput, match=r"^number: no number named 'z'; known are four, three; write your own$"):
        registry.load("z")
    with pytest.raises(InvalidInput, match="none is registered at all: install lrs-toolkit again"):
        Registry("lrs.nothing", "nothing", instance_of(float, "nothing", "a float")).load("z")
