"""`lrs check` and `lrs theorems`, run as a user runs them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lrs import AMHT, InstanceSpec, generate, solve
from lrs.cli import run
from lrs.families.low_rank_sparse.model import LRSModel
from theory.language.symbols import Constant
from theory.theorems import available_theorems, load_theorem

Capture = pytest.CaptureFixture[str]


def call(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    code = run([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: Capture, *arguments: object) -> dict:
    code, out, err = call(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("check")
    instance = generate(InstanceSpec(t=60, m=25, d=30, r=2, k=2), 3)
    model = solve(instance.problem, AMHT(), seed=0).model
    data = instance.problem.data
    frame = pd.DataFrame(data.X, columns=list(data.feature_names)).assign(task=data.groups, y=data.y)
    frame.sample(frac=1, random_state=0).to_csv(folder / "table.csv", index=False)
    named = LRSModel(model.U, model.W, model.B, data.task_names, data.feature_names)
    return {
        "instance": instance.save(folder / "instance.npz"),
        "model": named.save(folder / "model.npz"),
        "table": folder / "table.csv",
    }


TABLE = ("--task", "task", "--target", "y")


def test_an_instance_is_checked_in_full(files: dict[str, Path], capsys: Capture) -> None:
    found = document(capsys, "check", files["instance"])
    assert found["kind"] == "instance"
    assert found["report"]["theorem"] == "amht-informal"
    verdicts = {a["name"]: a["verdict"] for a in found["report"]["assumptions"]}
    assert {verdicts[n] for n in ("Gaussian isotropic design", "no noise", "column sparsity")} == {"HOLDS"}
    assert found["necessary"]["verdict"] == "HOLDS"
    assert found["measured"]["nu"]["origin"] == "truth"
    assert found["rows_needed"]["counting limit"] == 5
    assert found["identifiability"] is None
    code, out, _ = call(capsys, "check", files["instance"])
    assert code == 0
    for text in ("counting limit", "binding:", "HOLDS", "here m = 25"):
        assert text in out


def test_a_model_adds_identifiability(files: dict[str, Path], capsys: Capture) -> None:
    found = document(capsys, "check", files["instance"], "--model", files["model"])
    assert found["identifiability"]["verdict"] == "UNIQUE"
    assert found["measured"]["theta_error"]["value"] < 1e-6


def test_a_table_without_truth_says_what_it_cannot_know(
    files: dict[str, Path], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("theory.plan.frozen_constants", dict)  # whatever is calibrated by now
    found = document(capsys, "check", files["table"], *TABLE, "--rank", 2, "--sparsity", 2)
    assert found["kind"] == "data"
    assert "sigma" not in found["measured"]
    assert {"nu", "zeta", "sigma"} <= set(found["unknown"])
    verdicts = {a["name"]: a["verdict"] for a in found["report"]["assumptions"]}
    assert verdicts["Gaussian isotropic design"] == "HOLDS"
    assert verdicts["no noise"] == "NOT_EVALUATED"
    assert found["report"]["verdict"] == "UNDECIDED"
    _, out, _ = call(capsys, "check", files["table"], *TABLE, "--rank", 2, "--sparsity", 2)
    assert "Cannot be known here" in out
    assert "data without truth" in out


def test_frozen_constants_decide_the_sample_bounds(
    files: dict[str, Path], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = {n: Constant(n, "larger-is-stronger", 2.0, "calibrated", "lock") for n in ("C_task", "C_total")}
    monkeypatch.setattr("theory.plan.frozen_constants", lambda: {"amht": frozen})
    report = document(capsys, "check", files["instance"])["report"]
    verdicts = {a["name"]: a["verdict"] for a in report["assumptions"]}
    assert verdicts["samples per task"] == "HOLDS"  # 25 against 2 · 8
    assert verdicts["total samples"] == "FAILS"  # 1500 against 2 · 960
    assert (report["verdict"], report["binding"]) == ("FAILS", "total samples")


def test_a_table_with_its_model_uses_it_in_place_of_the_truth(files: dict[str, Path], capsys: Capture) -> None:
    found = document(capsys, "check", files["table"], *TABLE, "--model", files["model"])
    assert found["measured"]["nu"]["origin"] == "model"
    assert found["measured"]["r"]["value"] == 2
    assert found["measured"]["k"]["value"] == 2
    assert found["identifiability"]["verdict"] == "UNIQUE"
    assert found["measured"]["sigma"]["value"] < 1e-6
    _, out, _ = call(capsys, "check", files["table"], *TABLE, "--model", files["model"])
    assert "Values marked * are the fitted model's" in out


def test_tasks_of_a_table_are_matched_by_name(files: dict[str, Path], capsys: Capture, tmp_path: Path) -> None:
    model = LRSModel.load(files["model"])
    turned = np.arange(model.t)[::-1]
    names = tuple(model.task_names[i] for i in turned)
    path = LRSModel(model.U, model.W[turned], model.B[turned], names, model.feature_names).save(tmp_path / "turned.npz")
    found = document(capsys, "check", files["table"], *TABLE, "--model", path)
    assert found["identifiability"]["residual"] < 1e-8


@pytest.mark.parametrize("name", [n for n in available_theorems() if load_theorem(n).family == "low-rank-sparse"])
def test_every_theorem_can_be_asked_for(files: dict[str, Path], capsys: Capture, name: str) -> None:
    found = document(capsys, "check", files["instance"], "--theorem", name)
    assert found["report"]["theorem"] == name
    assert len(found["report"]["assumptions"]) == len(load_theorem(name).assumptions.parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{table}",), "task: name the task column"),
        (("{table}", *TABLE), "rank: a table does not say; pass --rank and --sparsity"),
        (("{table}", *TABLE, "--rank", 2), "sparsity: a table does not say"),
        (("{table}", *TABLE, "--rank", 99, "--sparsity", 1), "rank: r = 99 is outside"),
        (("{instance}", "--task", "x"), "leave --task out"),
        (("{instance}", "--theorem", "amht"), "no theorem named 'amht'"),
        (("{instance}", "--failure", 2), "failure: expected a probability"),
        (("{instance}", "--model", "{instance}"), "expected a 'model'"),
        (("{model}",), "is a model, not data"),
        (("missing.npz",), "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    files: dict[str, Path], capsys: Capture, arguments: tuple[object, ...], message: str
) -> None:
    given = [str(a).format(**files) if isinstance(a, str) else a for a in arguments]
    code, out, err = call(capsys, "check", *given)
    assert code == 2
    assert out == ""
    assert message in " ".join(err.split())
    assert "Traceback" not in err


def test_a_model_of_other_tasks_is_refused(files: dict[str, Path], capsys: Capture, tmp_path: Path) -> None:
    model = LRSModel.load(files["model"])
    fewer = LRSModel(model.U, model.W[1:], model.B[1:], model.task_names[1:], model.feature_names).save(
        tmp_path / "few"
    )
    code, _, err = call(capsys, "check", files["table"], *TABLE, "--model", fewer)
    assert code == 2
    assert "fitted to 59 tasks, the table has 60" in " ".join(err.split())


@pytest.mark.slow
def test_check_on_a_thousand_tasks_takes_seconds(tmp_path: Path, capsys: Capture) -> None:
    """Instance B of the ground floor: t = 1000, m = 50, d = 100, r = 3, k = 5, in at most 5 s of processor time."""
    path = generate(InstanceSpec(t=1000, m=50, d=100, r=3, k=5), 0).save(tmp_path / "B.npz")
    start = time.process_time()
    assert document(capsys, "check", path)["necessary"]["verdict"] == "HOLDS"
    assert time.process_time() - start <= 5


# ---------------------------------------------------------------------------------------------- theorems
def test_theorems_are_listed(capsys: Capture) -> None:
    found = document(capsys, "theorems")
    assert [t["name"] for t in found["theorems"]] == list(available_theorems())
    code, out, _ = call(capsys, "theorems")
    assert code == 0
    assert all(name in out for name in ("amht-informal", "robust-pca"))


def test_a_theorem_is_shown_as_text_latex_and_json(capsys: Capture) -> None:
    code, out, _ = call(capsys, "theorems", "show", "amht-informal")
    assert code == 0
    assert "quoted" in out
    assert "constant C_total: free" in out
    _, latex, _ = call(capsys, "theorems", "show", "amht-informal", "--latex")
    assert latex.strip() == load_theorem("amht-informal").latex()
    assert document(capsys, "theorems", "show", "amht-informal")["latex"] == load_theorem("amht-informal").latex()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show",), "name: which theorem?"),
        (("show", "robust-pac"), "did you mean 'robust-pca'?"),
        (("draw",), "action: expected show or prove, got 'draw'"),
        (("prove", "--timeout", "0"), "timeout: expected a positive number"),
        (("prove", "-o", "graph.txt"), "is not a .png, .svg or .pdf file"),
    ],
)
def test_bad_requests_for_theorems(capsys: Capture, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = call(capsys, "theorems", *arguments)
    assert code == 2
    assert message in " ".join(err.split())


@pytest.mark.slow
def test_all_relations_are_proved_from_the_command_line(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("z3")
    found = document(capsys, "theorems", "prove", "-o", tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").exists()
    assert {w["verdict"] for w in found["satisfiable"]} == {"HOLDS"}
    assert {r["status"] for r in found["relations"]} == {"PROVED", "REFUTED"}
