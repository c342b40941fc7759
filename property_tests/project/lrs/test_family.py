"""What a family has to keep to be accepted, and instance files of any family."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from lrs import Instance, InstanceSpec, InvalidInput, cli, generate
from lrs.core import archive
from lrs.core.family import LOW_RANK_SPARSE, Parameter, check_family, load_family
from lrs.families.matrix_sensing import Factor, MatrixSensing, SensingSpec

CALLS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class SecretSpec(SensingSpec):
    secret: int = 3

    def to_dict(self):
        return asdict(self)


class Theirs(MatrixSensing):
    """Somebody else's family, which keeps the protocol."""

    name = "theirs"


class NoCriterion(Theirs):
    criteria = {}  # noqa: RUF012


class UndeclaredParameter(Theirs):
    def spec(self, **values):
        return SecretSpec(**values)


class UnknownExample(Theirs):
    example = {**Theirs.example, "tasks": 3}  # noqa: RUF012


class Nameless(Theirs):
    def draw(self, spec, key):
        instance = super().draw(spec, key)
        return SimpleNamespace(problem=SimpleNamespace(**vars(instance.problem)), truth=instance.truth)


class NotReproducible(Theirs):
    def draw(self, spec, key):
        return super().draw(spec, (*key, next(CALLS)))


class LosesData(Theirs):
    def unpack(self, packed):
        value = super().unpack(packed)
        return Factor(value.X.round(3)) if isinstance(value, Factor) else value


class LosesTheSeed(Theirs):
    def unpack(self, packed):
        value = super().unpack(packed)
        return replace(value, seed=()) if "seed" in packed else value


class NotAPrefix(Theirs):
    def restrict(self, instance, name, value):
        problem = instance.problem
        return replace(instance, problem=replace(problem, A=problem.A[-value:], y=problem.y[-value:]))


class OtherErrors(Theirs):
    def errors(self, answer, instance, **options):
        return {"distance": 0.0}


class TruthNotRecovered(Theirs):
    def errors(self, answer, instance, **options):
        return {"matrix_error": 0.5}


class Renamed(Theirs):
    parameters = {**Theirs.parameters, "r": Parameter(name="rank", meaning="Rank.")}  # noqa: RUF012


class Raises(Theirs):
    def audit(self, problem, answer):
        raise KeyError("faults")


class RefusesItself(Theirs):
    def draw(self, spec, key):
        raise InvalidInput("m: too few")


class FreeOfCharge(Theirs):
    def cost(self, spec):
        return 0.0


class Versionless(Theirs):
    version = "2"


def test_a_family_that_keeps_the_protocol_is_accepted():
    family = Theirs()
    assert check_family(family) is family
    assert check_family(load_family()) is load_family()


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (NoCriterion, "criteria: none that needs no share"),
        (UndeclaredParameter, "spec: has secret, which parameters does not declare"),
        (UnknownExample, "example: tasks: not a parameter"),
        (Nameless, "draw: its problem has no attribute family = 'theirs'"),
        (NotReproducible, "draw: the same key gives other data the second time"),
        (LosesData, "unpack: pack → unpack → pack changes a truth"),
        (LosesTheSeed, "unpack: pack → unpack → pack changes a whole instance"),
        (NotAPrefix, "restrict: data at m − 1 are not a part of the data at m"),
        (OtherErrors, "errors: gives distance, but errors_of declares matrix_error"),
        (TruthNotRecovered, "criteria: the truth itself is not recovered: the relative error of the matrix"),
        (Renamed, "parameters: 'r' is called 'rank' inside"),
        (Raises, "audit: raised KeyError: 'faults'"),
        (RefusesItself, "draw: refuses the family's own example: m: too few"),
        (FreeOfCharge, "cost: expected a positive number, got 0.0"),
        (Versionless, "version: expected a positive integer, got '2'"),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_the_member_s_name(family, message):
    with pytest.raises(InvalidInput) as error:
        check_family(family())
    assert str(error.value).startswith(f"family: 'theirs' is refused: {message}")


def test_a_class_and_an_object_without_members_are_refused():
    with pytest.raises(InvalidInput, match="name: a class was registered"):
        check_family(Theirs)
    with pytest.raises(InvalidInput, match=r"family: 'object' is refused: name: missing, as are title, note, version"):
        check_family(object())


# ---------------------------------------------------------------------------------------------- files
SPEC = InstanceSpec(t=3, m=4, d=5, r=1, k=1, noise=0.5)


def test_an_instance_of_any_family_is_what_it_was_after_a_file(tmp_path):
    sensing = load_family("matrix-sensing")
    for family, instance in (
        (load_family(), generate(SPEC, (1, 2))),
        (sensing, sensing.draw(sensing.spec(n=4, r=1, m=7), (1, 2))),
        (sensing, sensing.draw(sensing.spec(n=4, r=1), (1, 2))),
    ):
        path = archive.write_instance(tmp_path / "i.npz", family, family.pack(instance), overwrite=True)
        header, arrays = archive.read(path, "instance")
        assert (header["family"], header["family_version"]) == (family.name, family.version)
        assert {"y"} < set(arrays)
        again = archive.read_instance(path)
        assert type(again) is type(instance)
        assert (again.spec, again.seed) == (instance.spec, instance.seed)
        for name, value in family.pack(again.problem).items():
            np.testing.assert_array_equal(value, family.pack(instance.problem)[name] if name != "task_names" else value)
        for name, value in family.pack(again.truth).items():
            np.testing.assert_array_equal(value, family.pack(instance.truth)[name])


def test_a_file_without_a_family_is_low_rank_and_sparse(tmp_path):
    """As they were written before there were families."""
    instance = generate(SPEC, (1, 2))
    new, arrays = archive.read(instance.save(tmp_path / "new.npz"), "instance")
    names = ("rank", "sparsity", "noise", "task_names", "feature_names", "spec", "seed", "streams")
    old = archive.write(tmp_path / "old.npz", "instance", {n: new[n] for n in names}, arrays, overwrite=False)
    again = Instance.load(old)
    assert (again.spec, again.seed, again.problem.noise) == (SPEC, (1, 2), 0.5)
    np.testing.assert_array_equal(again.problem.data.X, instance.problem.data.X)
    np.testing.assert_array_equal(again.truth.theta, instance.truth.theta)
    assert set(arrays) >= {"X", "y", "offsets", "truth_U", "truth_W", "truth_B_data"}  # as docs/lrs/files.md says


def test_files_of_another_family_or_of_the_future_are_refused(tmp_path):
    sensing = load_family("matrix-sensing")
    packed = sensing.pack(sensing.draw(sensing.spec(n=4, r=1), (0,)))
    path = archive.write_instance(tmp_path / "s.npz", sensing, packed)
    with pytest.raises(InvalidInput, match="holds an instance of the family matrix-sensing, expected one of low-rank"):
        Instance.load(path)

    class Later(MatrixSensing):
        version = 7

    archive.write_instance(path, Later(), packed, overwrite=True)
    with pytest.raises(
        InvalidInput, match="version 7 of the family matrix-sensing, and the one installed reads up to 2"
    ):
        archive.read_instance(path)
    # A name in a file never makes anything be imported.
    header, arrays = archive.read(path, "instance")
    rest = {n: v for n, v in header.items() if n not in ("format", "version", "kind")}
    archive.write(path, "instance", {**rest, "family": "antigravity:FAMILY"}, arrays, overwrite=True)
    with pytest.raises(InvalidInput, match="family antigravity:FAMILY, which is not registered"):
        archive.read_instance(path)


def test_generate_has_the_options_it_had(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = ["-t", "3", "-m", "4", "-d", "5", "-r", "1", "-k", "1", "--noise", "0.5", "--seed", "1", "--seed", "2"]
    assert cli.run(["generate", *sizes, "-o", "a", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["command", "output", "data", "rank", "sparsity", "noise", "seed", "spec"]
    assert Instance.load("a.npz").spec == SPEC
    np.testing.assert_array_equal(Instance.load("a.npz").problem.data.X, generate(SPEC, (1, 2)).problem.data.X)
    assert cli.run(["generate", *sizes, "-o", "a"]) == 2
    assert "exists already" in capsys.readouterr().err
    for arguments, message in (
        (["generate", "--family", "nope"], "no family named 'nope'; known are low-rank-sparse, matrix-sensing"),
        (["generate", "-n", "3"], "No such option: -n"),
        (["solvers", "--family", "matrix-sensin"], "did you mean 'matrix-sensing'?"),
        (["solve", "a.npz", "--solver", "gd-symmetric"], "solves problems of the family matrix-sensing"),
        (["solve", "a.npz", "--family", "matrix-sensing"], f"an instance of the family {LOW_RANK_SPARSE}"),
        (["info", "a.npz", "--family", "matrix-sensing"], f"an instance of the family {LOW_RANK_SPARSE}"),
        (["check", "a.npz", "--theorem", "symmetric-gd"], f"an instance of the family {LOW_RANK_SPARSE}"),
    ):
        assert cli.run(arguments) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
