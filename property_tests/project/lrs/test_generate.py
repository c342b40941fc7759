"""Instances: each knob does what it says, rows nest, and streams do not disturb each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs import InstanceSpec, InvalidInput, LRSModel, generate, metrics
from lrs.core import streams

SPEC = InstanceSpec(t=12, m=6, d=9, r=2, k=3)

#: One setting per knob that differs from the default.
KNOBS = {
    "noise": 0.5,
    "coherence": 0.7,
    "kappa": 4.0,
    "w_spread": 0.5,
    "w_rank": 1,
    "duplicates": 3,
    "zeta": 5,
    "b_law": "signs",
    "b_scale": 2.0,
    "x_law": "rademacher",
    "ragged": 0.5,
}


def test_the_realizable_model():
    made = generate(SPEC, 0)
    data, truth = made.problem.data, made.truth
    assert (data.t, data.n, data.d) == (12, 72, 9)
    assert np.abs(truth.U.T @ truth.U - np.eye(2)).max() < 1e-14
    assert (np.diff(truth.B.indptr) == 3).all()
    assert ((np.abs(truth.B.data) >= 0.5) & (np.abs(truth.B.data) <= 1.5)).all()
    assert np.abs(data.y - truth.predict(data.X, data.groups)).max() < 1e-13


@given(
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from(["gaussian", "rademacher", "student-t", "correlated", "scaled"]),
)
def test_rows_nest(m: int, more: int, law: str):
    spec = replace(SPEC, x_law=law, noise=0.3)
    long, short = generate(replace(spec, m=m + more), 4), generate(replace(spec, m=m), 4)
    cut = long.prefix(m)
    assert np.array_equal(cut.problem.data.X, short.problem.data.X)
    # The sum in y may be ordered differently for another shape, so y agrees to rounding only.
    assert np.abs(cut.problem.data.y - short.problem.data.y).max() <= 1e-13 * max(1.0, np.abs(cut.problem.data.y).max())
    assert cut.spec == short.spec


def test_tasks_do_not_share_rows():
    data = generate(SPEC, 0).problem.data
    assert len(np.unique(data.X, axis=0)) == data.n


@pytest.mark.parametrize("knob", sorted(set(KNOBS) - {"noise", "ragged", "x_law"}))
def test_a_knob_of_the_truth_leaves_the_covariates(knob: str):
    assert np.array_equal(
        generate(replace(SPEC, **{knob: KNOBS[knob]}), 2).problem.data.X, generate(SPEC, 2).problem.data.X
    )


@pytest.mark.parametrize("knob", ["noise", "ragged", "x_law"])
def test_a_knob_of_the_data_leaves_the_truth(knob: str):
    assert np.array_equal(generate(replace(SPEC, **{knob: KNOBS[knob]}), 2).truth.theta, generate(SPEC, 2).truth.theta)


def test_streams_are_fixed():
    # A changed stream would silently change every recorded experiment: the first draws of seed 0 are pinned.
    made = generate(InstanceSpec(t=1, m=1, d=2, r=1, k=1), 0)
    assert np.array_equal(made.problem.data.X[0], streams.generator("data/X", 0).standard_normal((1, 2))[0])
    assert np.array_equal(made.truth.W, streams.generator("data/W", 0).standard_normal((1, 1)))


def test_seeds_are_keys():
    assert np.array_equal(generate(SPEC, (1, 2)).problem.data.X, generate(SPEC, [1, 2]).problem.data.X)
    assert not np.array_equal(generate(SPEC, (1, 2)).problem.data.X, generate(SPEC, (2, 1)).problem.data.X)


@pytest.mark.parametrize("coherence", [0.3, 0.9, 1.0])
def test_coherence(coherence: float):
    U = generate(replace(SPEC, coherence=coherence), 0).truth.U
    assert np.sum(U[0] ** 2) >= coherence - 1e-14
    assert np.abs(U.T @ U - np.eye(2)).max() < 1e-14


def test_full_coherence_puts_a_unit_vector_into_the_span():
    U = generate(replace(SPEC, coherence=1.0), 0).truth.U
    assert metrics.subspace_distance(U, np.eye(9)[:, :1]) < 1e-14


@pytest.mark.parametrize("kappa", [1.0, 10.0, 1e4])
def test_kappa_is_exact(kappa: float):
    W = generate(replace(SPEC, r=3, kappa=kappa), 0).truth.W
    values = np.linalg.eigvalsh(W.T @ W)
    assert values[-1] / values[0] == pytest.approx(kappa, rel=1e-9)
    assert np.linalg.cond(W) == pytest.approx(np.sqrt(kappa), rel=1e-9)


def test_rank_deficient_weights():
    W = generate(replace(SPEC, w_rank=1), 0).truth.W
    assert np.linalg.matrix_rank(W) == 1


def test_spread_scales_whole_rows():
    plain, spread = generate(SPEC, 0).truth.W, generate(replace(SPEC, w_spread=1.0), 0).truth.W
    ratio = spread / plain
    assert ratio[:, 0] == pytest.approx(ratio[:, 1], rel=1e-13)
    assert np.std(np.log(ratio[:, 0])) > 0.3


def test_duplicates_repeat_earlier_tasks():
    theta = generate(replace(SPEC, duplicates=4), 0).truth.theta
    assert len(np.unique(theta.round(12), axis=0)) == 12 - 4
    for row in theta[8:]:
        assert (np.abs(theta[:8] - row).max(axis=1) < 1e-14).sum() == 1


@pytest.mark.parametrize("zeta", [4, 6, 12])
def test_zeta_limits_how_many_tasks_share_a_coordinate(zeta: int):
    B = generate(replace(SPEC, zeta=zeta), 0).truth.B
    used = (B.toarray() != 0).sum(axis=0)
    assert (np.diff(B.indptr) == 3).all()
    assert used.max() <= zeta
    assert used[used > 0].max() - used[used > 0].min() <= 1


@pytest.mark.parametrize(("law", "sizes"), [("signs", {2.0}), ("uniform", None), ("gaussian", None)])
def test_size_of_the_sparse_part(law: str, sizes: set | None):
    data = generate(replace(SPEC, b_law=law, b_scale=2.0), 0).truth.B.data
    plain = generate(replace(SPEC, b_law=law), 0).truth.B.data
    assert np.allclose(data, 2 * plain, rtol=1e-15)
    assert sizes is None or set(np.abs(data)) == sizes
    assert {-1.0, 1.0} <= set(np.sign(data)) or law == "gaussian"


@pytest.mark.parametrize(
    ("law", "parameter"),
    [("gaussian", None), ("rademacher", None), ("student-t", 8.0), ("correlated", 0.6), ("scaled", 9.0)],
)
def test_covariate_laws(law: str, parameter: float | None):
    X = generate(InstanceSpec(t=40, m=200, d=3, r=1, k=0, x_law=law, x_parameter=parameter), 0).problem.data.X
    covariance = X.T @ X / len(X)
    expected = np.eye(3)
    if law == "correlated":
        expected = 0.6 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    elif law == "scaled":
        expected = np.diag([1.0, 9.0, 81.0])
    # 8000 rows: six standard errors; student-t with 8 degrees of freedom has kurtosis 4.5.
    assert np.abs(
        covariance / np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        - expected / np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    ).max() < 6 * np.sqrt(3.5 / 8000)
    if law == "rademacher":
        assert set(np.unique(X)) == {-1.0, 1.0}
    if law == "student-t":
        assert np.mean(X**4) > 3.5


def test_noise_has_the_size_asked_for():
    made = generate(InstanceSpec(t=50, m=200, d=3, r=1, k=1, noise=0.5), 0)
    data = made.problem.data
    residual = data.y - made.truth.predict(data.X, data.groups)
    assert np.std(residual) == pytest.approx(0.5, rel=6 / np.sqrt(2 * data.n))  # six standard errors
    assert made.problem.noise == 0.5


def test_ragged_counts():
    counts = generate(replace(SPEC, t=200, m=40, ragged=0.5), 0).problem.data.counts
    assert counts.min() >= 20
    assert counts.max() <= 40
    assert len(set(counts.tolist())) > 10


def test_specification_round_trip_and_identity():
    spec = InstanceSpec(**(SPEC.to_dict() | KNOBS))
    assert InstanceSpec.from_dict(spec.to_dict()) == spec
    assert spec.canonical() != SPEC.canonical()
    assert spec.hash() == InstanceSpec.from_dict(spec.to_dict()).hash()
    assert len(SPEC.hash()) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t": 0}, "t: expected an integer of at least 1, got 0"),
        ({"m": -1}, "m: expected an integer of at least 1"),
        ({"r": 10}, "r: 10 is outside 0 … d = 9"),
        ({"k": 10}, "k: 10 is outside 0 … d = 9"),
        ({"noise": -1.0}, "noise: expected a number of at least 0"),
        ({"noise": float("nan")}, "noise: expected a number of at least 0"),
        ({"coherence": 1.5}, r"coherence: expected a number in \[0, 1\], got 1.5"),
        ({"kappa": 0.5}, "kappa: expected a number of at least 1"),
        ({"kappa": 4.0, "t": 1}, "kappa: an exact ratio needs t ≥ r"),
        ({"w_rank": 3}, "w_rank: expected a rank in 0 … r = 2"),
        ({"duplicates": 12}, "duplicates: expected a number of tasks in 0 … t − 1 = 11"),
        ({"zeta": 1}, "pass zeta ≥ 4"),
        ({"zeta": 13}, "13 tasks cannot share a coordinate"),
        ({"b_scale": 0.0}, "b_scale: expected a positive number"),
        ({"b_law": "cauchy"}, "b_law: expected 'uniform', 'signs' or 'gaussian'"),
        ({"x_law": "cauchy"}, "x_law: expected 'gaussian', "),
        ({"x_parameter": 3.0}, "x_parameter: the gaussian law takes none"),
        ({"x_law": "student-t", "x_parameter": 2.0}, "more than 2 degrees of freedom"),
        ({"x_law": "correlated", "x_parameter": 1.0}, "a correlation in"),
        ({"x_law": "scaled", "x_parameter": -1.0}, "a positive ratio of scales"),
        ({"ragged": 1.0}, "ragged: expected"),
        ({"t": 2.0}, "t: expected an integer of at least 1, got 2.0"),
        ({"d": True}, "d: expected an integer of at least 1, got True"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_specifications_are_refused(changes: dict, message: str):
    with pytest.raises(InvalidInput, match=message):
        replace(SPEC, **changes)


def test_unknown_and_missing_names_are_named():
    with pytest.raises(InvalidInput, match="nosie: not a parameter of an instance; did you mean 'noise'"):
        InstanceSpec.from_dict(SPEC.to_dict() | {"nosie": 1})
    with pytest.raises(InvalidInput, match="r, k: missing"):
        InstanceSpec.from_dict({"t": 1, "m": 1, "d": 1})


@pytest.mark.parametrize("seed", [-1, (), (1, -2)])
def test_bad_seeds_are_refused(seed: object):
    with pytest.raises(InvalidInput, match="seed: expected a non-negative integer"):
        generate(SPEC, seed)


def test_extremes_are_drawn():
    for spec in (InstanceSpec(t=1, m=1, d=1, r=0, k=0), InstanceSpec(t=1, m=1, d=1, r=1, k=1, coherence=1.0)):
        assert isinstance(generate(spec).truth, LRSModel)
    assert not generate(InstanceSpec(t=2, m=2, d=3, r=0, k=0)).problem.data.y.any()
