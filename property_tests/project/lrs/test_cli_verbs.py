"""The verbs, run as a user runs them, on an instance and on a table."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest

from lrs import Instance, InstanceSpec, LRSModel, generate, metrics
from lrs.commands.generate import generate as generate_verb
from lrs.core import streams
from lrs.core.family import load_family
from lrs.datasets import load_data

TABLE = ("--task", "school", "--target", "score", "--rank", "1", "--sparsity", "1")

SOLVERS = """
from dataclasses import dataclass, replace
import numpy as np
from lrs import AMHT, LRSModel, Solution, Status
from scipy import sparse

def diverging(problem, *, rng, callback=None):
    return replace(AMHT()(problem, rng=rng), status=Status.DIVERGED)

def raising(problem, *, rng, callback=None):
    raise np.linalg.LinAlgError("SVD did not converge")

def leaving(problem, *, rng, callback=None):
    raise SystemExit(0)

def interrupting(problem, *, rng, callback=None):
    raise KeyboardInterrupt

def hungry(problem, *, rng, callback=None):
    np.ones((1 << 31,))

def dying(problem, *, rng, callback=None):
    import os
    os._exit(3)

def worded(problem, *, rng, callback=None):
    return replace(AMHT()(problem, rng=rng), status="converged")

def endless(problem, *, rng, callback=None):
    return replace(AMHT()(problem, rng=rng), iterations=float("inf"))

def forgetful(problem, *, rng, callback=None):
    d, r = problem.d, problem.rank
    return Solution(LRSModel(np.eye(d)[:, :r], np.zeros((1, r)), sparse.csr_array((1, d))), Status.CONVERGED, 1)

def unnamed(problem, *, rng, callback=None):
    solution = AMHT()(problem, rng=rng)
    return replace(solution, model=replace(solution.model, task_names=(), feature_names=()))

def wrong(problem): ...

@dataclass
class Threaded:
    threads: int = 1

    def __call__(self, problem, *, rng, callback=None):
        return replace(AMHT()(problem, rng=rng), iterations=100 + self.threads)
"""


@pytest.fixture
def solvers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Name a solver of the module above."""
    module = f"mine_{abs(hash(tmp_path))}"
    (tmp_path / f"{module}.py").write_text(SOLVERS)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda attribute: f"{module}:{attribute}"


@pytest.fixture
def model_file(instance: Instance, tmp_path: Path) -> Path:
    """The truth as a model of the table's schools."""
    truth = dataclasses.replace(
        instance.truth, task_names=tuple(range(30)), feature_names=instance.problem.data.feature_names
    )
    return truth.save(tmp_path / "model.npz")


def documents(run: Callable, *arguments: object) -> dict:
    """The one JSON document on stdout, with nothing on stderr."""
    result = run(*arguments, "--json")
    assert result.err == ""
    assert result.code == 0
    return json.loads(result.out)


# ---------------------------------------------------------------------- generate
def test_generate_writes_what_the_library_draws(run: Callable, tmp_path: Path):
    result = run(
        "generate", "-t", 5, "-m", 7, "-d", 6, "-r", 2, "-k", 1, "--noise", 0.1, "--seed", 4, "--seed", 2, "-o", "a"
    )
    assert (result.code, result.err) == (0, "")
    assert result.out == "wrote a.npz: 5 tasks, 35 rows (7 each), 6 features; rank 2, sparsity 1, noise 0.1\n"
    made, expected = (
        Instance.load(tmp_path / "a.npz"),
        generate(InstanceSpec(t=5, m=7, d=6, r=2, k=1, noise=0.1), (4, 2)),
    )
    assert np.array_equal(made.problem.data.y, expected.problem.data.y)
    assert (made.spec, made.seed) == (expected.spec, (4, 2))


def test_generate_has_an_option_for_every_knob(run: Callable):
    parameters = inspect.signature(generate_verb(load_family())).parameters
    for field in dataclasses.fields(InstanceSpec):
        assert field.name in parameters
        if field.default is not dataclasses.MISSING:
            assert parameters[field.name].default == field.default
    knobs = {"noise": 0.2, "coherence": 0.3, "kappa": 2.0, "w_spread": 0.1, "w_rank": 1, "duplicates": 1, "zeta": 4}
    knobs |= {"b_law": "signs", "b_scale": 3.0, "x_law": "student-t", "x_parameter": 6.0, "ragged": 0.4}
    assert {"t", "m", "d", "r", "k", *knobs} == set(get_type_hints(InstanceSpec))
    options = [word for name, value in knobs.items() for word in (f"--{name.replace('_', '-')}", value)]
    document = documents(run, "generate", "-t", 5, "-m", 7, "-d", 6, "-r", 2, "-k", 1, *options, "-o", "a.npz")
    assert document["spec"] == {"t": 5, "m": 7, "d": 6, "r": 2, "k": 1, **knobs}


def test_generate_keeps_an_existing_file(run: Callable, instance_file: Path):
    before = instance_file.read_bytes()
    arguments = ("generate", "-t", 5, "-m", 7, "-d", 6, "-r", 2, "-k", 1, "-o", instance_file)
    result = run(*arguments)
    assert result.code == 2
    assert "exists already; choose another name or pass --force" in result.err
    assert instance_file.read_bytes() == before
    assert run(*arguments, "--force").code == 0
    assert Instance.load(instance_file).problem.t == 5


def test_generate_refuses_what_cannot_be_drawn(run: Callable):
    result = run("generate", "-t", 5, "-m", 7, "-d", 6, "-r", 9, "-k", 1, "-o", "a.npz")
    assert (result.code, result.err) == (2, "lrs: error: r: 9 is outside 0 … d = 6\n")
    result = run("generate", "-t", 5, "-m", 7, "-d", 6, "-r", 1, "-k", 1, "-o", "no/a.npz")
    assert result.code == 2
    assert "the folder no does not exist" in result.err


# ---------------------------------------------------------------------- solve
SOLVE_KEYS = [
    *("command", "file", "solver", "seed", "rank", "sparsity", "noise", "data", "short_tasks", "status", "message"),
    *("iterations", "seconds", "compile_seconds", "residual", "metrics", "training", "held_out", "storage", "output"),
]


def test_solve_an_instance(run: Callable, instance_file: Path, instance: Instance, tmp_path: Path):
    document = documents(run, "solve", instance_file, "-o", "model.npz")
    assert list(document) == SOLVE_KEYS  # documented in the command line reference
    assert document["data"] == {"tasks": 30, "rows": 600, "features": 8, "rows_min": 20, "rows_max": 20}
    assert (document["rank"], document["sparsity"], document["held_out"]) == (1, 1, None)
    model = LRSModel.load(tmp_path / "model.npz")
    assert document["metrics"] == metrics.summary(model, instance.truth)
    assert document["metrics"]["tasks_recovered"] == 1.0
    assert document["storage"] == {"parameters": 68, "dense_parameters": 240, "saved": pytest.approx(1 - 68 / 240)}
    assert document["output"] == "model.npz"


def test_solve_a_table_holds_rows_out(run: Callable, csv_file: Path):
    document = documents(run, "solve", csv_file, *TABLE)
    assert list(document) == SOLVE_KEYS
    assert document["metrics"] is None
    assert document["training"]["rows"] == 30 * 15
    assert document["held_out"]["rows"] == 30 * 5
    assert document["held_out"]["explained_variance"] > 0.999
    again = documents(run, "solve", csv_file, *TABLE)
    assert again["held_out"] == document["held_out"]
    other = documents(run, "solve", csv_file, *TABLE, "--seed", 1)
    assert other["held_out"] != document["held_out"]


def test_solve_never_fits_the_rows_held_out(run: Callable, frame: pd.DataFrame, tmp_path: Path):
    # A response changed in a held-out row changes the held-out error alone.
    frame = frame.sort_values("school", kind="stable").reset_index(drop=True)
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = load_data(tmp_path / "a.csv", task="school", target="score")
    _, mask = data.split(0.75, streams.generator("split", 0))
    frame.loc[np.flatnonzero(~mask)[7], "score"] += 1000.0
    frame.to_csv(tmp_path / "b.csv", index=False)
    one, two = (documents(run, "solve", name, *TABLE) for name in ("a.csv", "b.csv"))
    assert one["training"] == two["training"]
    assert two["held_out"]["rmse"] == pytest.approx(1000 / np.sqrt(150), rel=0.01)


def test_solve_reports_in_words(run: Callable, csv_file: Path, instance_file: Path):
    result = run("solve", csv_file, *TABLE, "-o", "m.npz")
    assert (result.code, result.err) == (0, "")
    words = (
        "30 tasks, 600 rows (20 each), 8 features",
        "rank 1, sparsity 1",
        "amht, seed 0",
        "held out",
        "storage",
        "m.npz",
    )
    assert all(word in result.out for word in words)
    assert "short tasks" not in result.out
    assert "theta error" in run("solve", instance_file).out


def test_a_noisy_table_without_noise_is_told_about_the_option(run: Callable, frame: pd.DataFrame, tmp_path: Path):
    rng = np.random.default_rng(0)
    frame.assign(score=frame["score"] + 0.3 * rng.standard_normal(len(frame))).to_csv(tmp_path / "n.csv", index=False)
    assert "--noise" in run("solve", "n.csv", *TABLE).out
    assert "--noise" not in run("solve", "n.csv", *TABLE, "--noise", 0.3).out


def test_short_tasks_are_counted(run: Callable, frame: pd.DataFrame, tmp_path: Path):
    short = frame[~((frame["school"] < 3) & (frame.groupby("school").cumcount() > 0))]
    short.to_csv(tmp_path / "short.csv", index=False)
    document = documents(run, "solve", "short.csv", *TABLE, "--train", 1)
    assert document["data"]["rows_min"] == 1
    assert document["short_tasks"] == 3
    assert document["held_out"] is None
    assert "3 of 30 have fewer than r + k rows" in run("solve", "short.csv", *TABLE, "--train", 1).out


def test_solve_options_reach_the_problem(run: Callable, csv_file: Path):
    document = documents(
        run, "solve", csv_file, *TABLE, "--features", "x0, x1,x2", "--intercept", "--noise", 0.5, "--train", 0.5,
        "--solver", "ridge", "--seed", 7,
    )  # fmt: skip
    assert document["data"]["features"] == 4
    assert (document["noise"], document["solver"], document["seed"]) == (0.5, "ridge", 7)
    assert document["training"]["rows"] == 300


def test_solve_passes_threads_to_solvers_that_have_them(run: Callable, instance_file: Path, solvers: Callable):
    document = documents(run, "solve", instance_file, "--solver", solvers("Threaded"), "--threads", 3)
    assert document["iterations"] == 103
    result = run("solve", instance_file, "--solver", solvers("unnamed"), "--threads", 3)
    assert result.code == 2
    assert "has no such option; leave --threads out" in result.err


def test_a_diverged_run_exits_with_1_and_writes_no_model(run: Callable, instance_file: Path, solvers: Callable):
    result = run("solve", instance_file, "--solver", solvers("diverging"), "-o", "m.npz", "--json")
    assert result.code == 1
    document = json.loads(result.out)
    assert (document["status"], document["output"]) == ("diverged", None)
    assert not Path("m.npz").exists()


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ("raising", r"raises an exception: LinAlgError: SVD did not converge \(mine_\d+.py, line 11\)"),
        ("leaving", r"raises an exception: SystemExit: 0 \(mine_\d+.py, line \d+\)"),
        ("interrupting", r"raises an exception: KeyboardInterrupt \(mine_\d+.py, line \d+\)"),
        ("hungry", "takes more memory than a call may: Unable to allocate 16.0 GiB .*"),
        ("dying", "kills its process: exit code 3 in a call"),
        (
            "forgetful",
            r"returns parameters of the wrong shape: .*, expected \(d, r\) = \(8, 1\) and \(t, r\) = \(30, 1\)",
        ),
        ("worded", "does not return an lrs.Solution: its status is 'converged', expected an lrs.Status"),
        ("endless", "does not return an lrs.Solution: iterations or residual are no numbers .*"),
    ],
)
def test_a_solver_that_does_not_answer_is_named(
    solver: str, message: str, run: Callable, instance_file: Path, solvers: Callable
):
    name = solvers(solver)
    result = run("solve", instance_file, "--solver", name, "--memory", "500MB", "-o", "m.npz")
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(f"lrs: error: solver: '{name}' {message}\n", result.err)
    assert not Path("m.npz").exists()


@pytest.mark.parametrize("size", ["much", "0MB", "4", "-4GB", "1e400GB", ""])
def test_the_limit_of_memory_is_a_size(size: str, run: Callable, instance_file: Path):
    result = run("solve", instance_file, "--memory", size)
    assert result.code == 2
    assert "memory: expected a size of at least 50 MB such as 500MB or 4GB" in result.err


def test_a_model_file_carries_names_even_if_the_solver_does_not(run: Callable, csv_file: Path, solvers: Callable):
    assert run("solve", csv_file, *TABLE, "--solver", solvers("unnamed"), "-o", "m.npz").code == 0
    model = LRSModel.load("m.npz")
    assert model.task_names == tuple(str(i) for i in range(30))
    assert model.feature_names == tuple(f"x{j}" for j in range(8))


def test_the_progress_bar_is_on_stderr(run: Callable, instance_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    result = run("solve", instance_file, "--json")
    assert "amht" in result.err
    assert "residual" in result.err
    json.loads(result.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{csv}", *TABLE[:4], "--solver", "naht"), "rank: a table does not say its rank, and naht must be told"),
        (
            ("{csv}", "--rank", "1", "--sparsity", "1"),
            "task: name the task column of {csv} with --task; the columns are school",
        ),
        (("{csv}", *TABLE[:2], *TABLE[4:]), "target: name the target column"),
        (("{csv}", *TABLE[:-2], "--solver", "naht"), "sparsity: a table does not say its sparsity, and naht must"),
        (("{csv}", *TABLE[:4], "--rank", "some"), "rank: expected a number or auto, got 'some'"),
        (("{csv}", *TABLE, "--rank", "9"), "rank: r = 9 is outside 0 … d = 8"),
        (("{csv}", *TABLE, "--sparsity", "9"), "sparsity: k = 9 is outside 0 … d = 8"),
        (("{csv}", *TABLE, "--features", "x0,zz"), "features: no column 'zz'"),
        (("{csv}", *TABLE, "--train", "0"), "train: expected a fraction in (0, 1], got 0"),
        (("{csv}", *TABLE, "--noise", "-1"), "noise: expected a finite standard deviation ≥ 0"),
        (("{csv}", *TABLE, "--solver", "amth"), "solver: no solver named 'amth'; did you mean 'amht'?"),
        (("{csv}", *TABLE, "--solver", "absent_module:x"), "solver: module 'absent_module' does not import"),
        (
            ("{csv}", *TABLE, "--solver", "{wrong}"),
            "does not have the signature solver(problem, *, rng, callback=None)",
        ),
        (("{csv}", *TABLE, "-o", "no/m.npz"), "the folder no does not exist"),
        (("{npz}", "--task", "school"), "is an .npz instance, whose columns are fixed; leave --task out"),
        (("{npz}", "--intercept"), "intercept: an instance has its own truth"),
        (("{npz}", "-o", "{npz}"), "exists already"),
    ],
)
def test_solve_refuses_bad_input(
    arguments: tuple, message: str, run: Callable, csv_file: Path, instance_file: Path, solvers: Callable
):
    values = {"csv": csv_file, "npz": instance_file, "wrong": solvers("wrong")}
    result = run("solve", *(a.format(**values) for a in arguments))
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert message.format(**values) in result.err


def test_solve_refuses_a_truncated_file(run: Callable, instance_file: Path):
    instance_file.write_bytes(instance_file.read_bytes()[:1000])
    result = run("solve", instance_file)
    assert result.code == 2
    assert "damaged or not an .npz file" in result.err
    assert result.err.count("\n") == 1


# ---------------------------------------------------------------------- predict
def test_predict_keeps_the_order_of_the_file(run: Callable, model_file: Path, csv_file: Path, frame: pd.DataFrame):
    result = run("predict", model_file, csv_file, "--task", "school", "--target", "score", "-o", "out.csv")
    assert (result.code, result.err) == (0, "")
    assert "600 rows predicted into out.csv; explained variance 100.00%" in result.out
    table = pd.read_csv("out.csv")
    assert list(table.columns) == ["school", "score", "prediction"]
    assert table["school"].tolist() == frame["school"].tolist()
    assert np.abs(table["prediction"] - frame["score"]).max() < 1e-12


def test_predict_prints_csv_by_default(run: Callable, model_file: Path, csv_file: Path, instance_file: Path):
    result = run("predict", model_file, csv_file, "--task", "school")
    assert result.out.splitlines()[0] == "school,prediction"
    assert len(result.out.splitlines()) == 601
    assert result.err == "600 rows predicted\n"
    assert run("predict", model_file, instance_file).out.splitlines()[0] == "task,y,prediction"


def test_predict_in_json(run: Callable, model_file: Path, csv_file: Path):
    document = documents(run, "predict", model_file, csv_file, "--task", "school")
    assert list(document) == ["command", "model", "file", "rows", "errors", "output", "predictions"]
    assert len(document["predictions"]) == 600
    document = documents(run, "predict", model_file, csv_file, *TABLE[:4], "-o", "out.csv")
    assert document["predictions"] is None
    assert document["errors"]["explained_variance"] == pytest.approx(1.0)


def test_a_fitted_table_is_predicted_with_its_intercept(run: Callable, csv_file: Path):
    fitted = documents(run, "solve", csv_file, *TABLE, "--intercept", "--train", 1, "-o", "m.npz")
    predicted = documents(run, "predict", "m.npz", csv_file, *TABLE[:4])
    assert predicted["errors"]["rmse"] == pytest.approx(fitted["training"]["rmse"], rel=1e-6, abs=1e-12)


def test_predict_refuses_bad_input(
    run: Callable, model_file: Path, csv_file: Path, frame: pd.DataFrame, tmp_path: Path
):
    def message(*arguments: object) -> str:
        result = run("predict", *arguments)
        assert (result.code, result.out) == (2, "")
        assert result.err.count("\n") == 1
        return result.err

    assert "task: name the task column" in message(model_file, csv_file)
    frame.assign(school=99).to_csv("unknown.csv", index=False)
    assert "'99' is not a task of this model; use adapt" in message(model_file, "unknown.csv", "--task", "school")
    frame.drop(columns="x3").to_csv("fewer.csv", index=False)
    assert "the model's feature 'x3' is missing" in message(model_file, "fewer.csv", "--task", "school")
    assert "not a file of this toolkit" not in message(csv_file, csv_file, "--task", "school")
    other = generate(InstanceSpec(t=2, m=3, d=4, r=1, k=1)).save(tmp_path / "other.npz")
    assert "its features are not those of the model" in message(model_file, other)
    assert "holds a 'instance', expected a 'model'" in message(other, csv_file)


# ---------------------------------------------------------------------- adapt
@pytest.fixture
def newcomers(instance: Instance, tmp_path: Path) -> Path:
    """Two new tasks that share the model's subspace, as a table."""
    rng = np.random.default_rng([11])
    rows = []
    for name in ("north", "south"):
        b = np.zeros(8)
        b[rng.integers(8)] = 1.0
        X = rng.standard_normal((14, 8))
        table = pd.DataFrame(X, columns=[f"x{j}" for j in range(8)])
        rows.append(table.assign(school=name, score=X @ (instance.truth.U @ rng.standard_normal(1) + b)))
    path = tmp_path / "newcomers.csv"
    pd.concat(rows).to_csv(path, index=False)
    return path


def test_adapt_learns_new_tasks_with_u_fixed(run: Callable, model_file: Path, newcomers: Path):
    document = documents(run, "adapt", model_file, newcomers, *TABLE[:4], "--train", 0.75, "-o", "more.npz")
    assert list(document) == ["command", "model", "file", "data", "training", "held_out", "tasks", "output"]
    assert [task["name"] for task in document["tasks"]] == ["north", "south"]
    assert all(len(task["b"]) == 1 for task in document["tasks"])
    assert document["held_out"]["explained_variance"] == pytest.approx(1.0, abs=1e-12)
    old, new = LRSModel.load(model_file), LRSModel.load("more.npz")
    assert np.array_equal(new.U, old.U)
    assert np.array_equal(new.theta[:30], old.theta)
    assert new.task_names == (*old.task_names, "north", "south")
    predicted = documents(run, "predict", "more.npz", newcomers, *TABLE[:4])
    assert predicted["errors"]["rmse"] < 1e-10


def test_adapt_one_task_named_like_its_file(run: Callable, model_file: Path, newcomers: Path):
    table = pd.read_csv(newcomers)
    table[table["school"] == "north"].drop(columns="school").to_csv("harbour.csv", index=False)
    result = run("adapt", model_file, "harbour.csv", "--target", "score", "-o", "more.npz")
    assert (result.code, result.err) == (0, "")
    assert "1 weights and 1 to 1 personal coordinates" in result.out
    assert "harbour" in LRSModel.load("more.npz").task_names


def test_adapt_refuses_bad_input(run: Callable, model_file: Path, csv_file: Path, instance_file: Path):
    for arguments, message in (
        ((csv_file, *TABLE[:4]), "task: 0, 1, 2, 3, 4 is in"),
        ((csv_file,), "target: name the target column"),
        ((instance_file, "--target", "y"), "adapt reads tables"),
    ):
        result = run("adapt", model_file, *arguments)
        assert (result.code, result.out) == (2, "")
        assert message in result.err


# ---------------------------------------------------------------------- solvers, info
def test_solvers_are_listed_with_what_they_do(run: Callable):
    entries = {entry["name"]: entry for entry in documents(run, "solvers")["solvers"]}
    assert {"amht", "amht-paper"} <= set(entries)
    for entry in entries.values():
        assert list(entry) == ["name", "object", "description", "traits", "error"]
        assert entry["error"] is None
        assert entry["description"], f"{entry['name']} has no docstring"
    assert all(name in run("solvers").out for name in entries)


def test_a_broken_solver_hides_no_other(run: Callable, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "lrs.commands.describe.available_solvers", lambda: {"amht": "lrs.amht:AMHT", "theirs": "absent:x"}
    )
    monkeypatch.setattr("lrs.commands.describe.of_family", lambda family: ("amht", "theirs"))
    entries = {entry["name"]: entry for entry in documents(run, "solvers")["solvers"]}
    assert entries["amht"]["error"] is None
    assert "no solver named 'theirs'" in entries["theirs"]["error"]
    assert "broken: " in run("solvers").out


def test_info_of_every_kind(run: Callable, instance_file: Path, model_file: Path, csv_file: Path):
    document = documents(run, "info", instance_file)
    assert list(document) == ["command", "file", "kind", "data", "rank", "sparsity", "noise", "seed", "spec", "next"]
    assert (document["kind"], document["rank"], document["seed"]) == ("instance", 1, [3])
    document = documents(run, "info", model_file)
    assert (document["kind"], document["tasks"], document["nonzeros"], document["nonzeros_max"]) == ("model", 30, 30, 1)
    document = documents(run, "info", csv_file)
    assert document["rows"] == 600
    assert document["columns"][0] == {"name": "school", "type": "int64", "distinct": 30, "missing": 0}
    assert document["next"] == f"lrs solve {csv_file} --task COLUMN --target COLUMN -o model.npz"
    for file, word in ((instance_file, "30 tasks"), (model_file, "non-zeros"), (csv_file, "30 distinct values")):
        assert word in run("info", file).out


def test_info_refuses_what_it_does_not_know(run: Callable, tmp_path: Path):
    (tmp_path / "a.txt").write_text("x")
    result = run("info", "a.txt")
    assert (result.code, result.out) == (2, "")
    assert "unknown extension; expected .npz, .csv, .csv.gz or .parquet" in result.err


# ---------------------------------------------------------------------- documentation
def test_the_reference_names_every_option_and_key(run: Callable, instance_file: Path, model_file: Path, csv_file: Path):
    page = (Path(__file__).parents[3] / "docs" / "guide" / "command-line.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip(): part for part in page.split("\n## ")[1:]}
    for verb in ("generate", "solve", "predict", "adapt", "solvers", "info"):
        words = run(verb, "--help").out.split()
        options = {word.rstrip(",") for word in words if word.startswith("--")} - {"--help"}
        missing = {option for option in options if f"`{option}`" not in sections[verb]}
        assert not missing, verb
    printed = {"solve": documents(run, "solve", instance_file), "info": {}}
    for file in (instance_file, model_file, csv_file):
        printed["info"] |= documents(run, "info", file)
    for verb, document in printed.items():
        assert not {key for key in document if f"`{key}`" not in sections[verb]}
