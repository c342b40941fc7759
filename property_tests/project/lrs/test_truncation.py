"""Smaller models out of one fit: against the optimum where it is known, against fits of that size where it is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lrs import Instance, InstanceSpec, InvalidInput, LRSModel, generate, metrics, solve
from lrs.amht.truncation import within


@pytest.fixture(scope="module")
def noisy() -> Instance:
    return generate(InstanceSpec(t=120, m=40, d=20, r=3, k=2, noise=0.3), 5)


@pytest.fixture(scope="module")
def fitted(noisy: Instance) -> LRSModel:
    return solve(noisy.problem).model


def moment(d: int) -> np.ndarray:
    """An uneven, correlated second moment."""
    root = np.tril(np.random.default_rng([d]).standard_normal((d, d))) * np.linspace(0.1, 3, d)
    return root @ root.T


def test_without_personal_coordinates_every_prefix_is_the_optimum_of_its_rank():
    rng = np.random.default_rng([1])
    model, C = LRSModel(np.eye(6), rng.standard_normal((9, 6)), sparse.csr_array((9, 6))), moment(6)
    root = np.linalg.cholesky(C)
    tails = np.linalg.svd(model.theta @ root, compute_uv=False)
    largest = model.truncate(rank=6, moment=C).U
    for q in range(1, 7):
        one = model.truncate(rank=q, sparsity=0, moment=C)
        assert np.linalg.norm((model.theta - one.theta) @ root) ** 2 == pytest.approx((tails[q:] ** 2).sum(), abs=1e-9)
        assert np.linalg.norm(one.U - largest[:, :q] @ (largest[:, :q].T @ one.U)) < 1e-9


def test_a_model_is_its_own_best_of_its_size(fitted: LRSModel):
    assert fitted.truncate().theta == pytest.approx(fitted.theta, abs=1e-9)
    assert fitted.truncate(rank=3, sparsity=2).theta == pytest.approx(fitted.theta, abs=1e-9)


@pytest.mark.parametrize(("rank", "sparsity"), [(2, 2), (1, 2), (3, 1), (2, 1), (1, 0), (0, 2)])
def test_as_near_to_the_truth_as_a_fit_of_that_size(noisy: Instance, fitted: LRSModel, rank: int, sparsity: int):
    refitted = solve(replace(noisy.problem, rank=rank, sparsity=sparsity)).model
    smaller = fitted.truncate(rank=rank, sparsity=sparsity)
    assert smaller.rank <= rank
    assert np.diff(smaller.B.indptr).max() <= sparsity
    assert metrics.theta_error(smaller, noisy.truth) < 1.02 * metrics.theta_error(refitted, noisy.truth)


def test_turns_improve_on_cutting_off(fitted: LRSModel):
    left, sizes, right = np.linalg.svd(fitted.W @ fitted.U.T, full_matrices=False)
    cut = left[:, :1] * sizes[:1] @ right[:1] + fitted.B.toarray()
    assert np.linalg.norm(fitted.truncate(rank=1).theta - fitted.theta) < 0.95 * np.linalg.norm(cut - fitted.theta)


def test_a_larger_budget_is_no_worse(fitted: LRSModel):
    lost = []
    for numbers in range(1, 6):
        one = within(fitted, numbers)
        assert one.rank + np.diff(one.B.indptr).max(initial=0) <= numbers
        lost.append(np.linalg.norm(one.theta - fitted.theta))
    assert np.all(np.diff(lost) < 0)
    assert lost[-1] < 1e-9


def test_labels_are_kept(fitted: LRSModel):
    named = replace(fitted, task_names=tuple(range(120)), feature_names=tuple(f"f{j}" for j in range(20)))
    assert (named.truncate(rank=1).task_names, named.truncate(rank=1).feature_names) == (
        named.task_names,
        named.feature_names,
    )


def test_a_loaded_model_needs_no_other_import(fitted: LRSModel, tmp_path: Path):
    fitted.save(tmp_path / "model.npz")
    code = (
        "import numpy as np; from lrs import LRSModel; m = LRSModel.load('model.npz'); "
        "print(m.truncate(rank=1).rank, m.adapt(np.eye(20), np.ones(20)).w.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["1", "(3,)"], "")


@pytest.mark.usefixtures("unchecked")
def test_sizes_that_make_no_sense_are_refused(fitted: LRSModel):
    with pytest.raises(InvalidInput, match="rank: expected"):
        fitted.truncate(rank=-1)
    with pytest.raises(InvalidInput, match="sparsity: expected"):
        fitted.truncate(sparsity=1.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"moment: expected a finite array of shape \(d, d\) = \(20, 20\)"):
        fitted.truncate(moment=np.eye(3))


def test_storage_on_the_command_line(run: Callable, frame: pd.DataFrame, tmp_path: Path):
    rng = np.random.default_rng([2])
    frame.assign(score=frame["score"] + 0.5 * rng.standard_normal(len(frame))).to_csv("n.csv", index=False)
    result = run("solve", "n.csv", "--task", "school", "--target", "score", "--storage", 2, "-o", "small.npz")
    assert (result.code, result.err) == (0, "")
    assert "beside" in result.out
    model = LRSModel.load(tmp_path / "small.npz")
    assert model.rank + np.diff(model.B.indptr).max(initial=0) <= 2
    private = run(
        "solve",
        "n.csv",
        "--task",
        "school",
        "--target",
        "score",
        "--storage",
        2,
        "--solver",
        "private-amht",
        "--rank",
        1,
        "--sparsity",
        0,
        "--epsilon",
        1,
        "--delta",
        1e-6,
    )
    assert private.code == 2
    assert "storage: a private fit publishes U alone" in private.err
