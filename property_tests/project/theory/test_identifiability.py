"""The identifiability certificate against the brute-force Jacobian, the counting limit and its own definition."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel
from lrs.families.low_rank_sparse.problem import MultiTaskData, Problem
from property_tests.benchmarks import certificates
from theory.families.low_rank_sparse.identifiability import IdentifiabilityVerdict, local_identifiability
from theory.families.low_rank_sparse.identifiability.tasks import rival_support
from theory.families.low_rank_sparse.limits import counting_limit

UNIQUE, LOCAL, AMBIGUOUS = (
    IdentifiabilityVerdict.UNIQUE,
    IdentifiabilityVerdict.LOCAL,
    IdentifiabilityVerdict.AMBIGUOUS,
)


def jacobian(data, model):
    """The derivative of all predictions by (U, w_i, b_i on S_i), column by column, and the rank it needs."""
    d, r = model.U.shape
    supports = [np.flatnonzero(row) for row in model.B.toarray()]
    sizes = [r + len(s) for s in supports]
    J = np.zeros((data.n, d * r + sum(sizes)))
    column = d * r
    for i, (X, _) in enumerate(data):
        rows = slice(data.offsets[i], data.offsets[i + 1])
        for a in range(r):
            J[rows, a * d : (a + 1) * d] = model.W[i, a] * X
        J[rows, column : column + sizes[i]] = np.concatenate([X @ model.U, X[:, supports[i]]], axis=1)
        column += sizes[i]
    return J, r * (d - r) + sum(sizes)


def brute_force(data, model):
    """Whether the Jacobian has full rank up to the gauge."""
    J, needed = jacobian(data, model)
    sizes = np.linalg.svd(J, compute_uv=False)
    return int((sizes > 1e-9 * sizes[0]).sum()) == needed


def brute_margin(data, model):
    """Smallest non-gauge singular value after eliminating w and b, from the whole Jacobian."""
    J, _ = jacobian(data, model)
    d, r = model.U.shape
    local = np.linalg.qr(J[:, d * r :])[0]
    outer = J[:, : d * r] - local @ (local.T @ J[:, : d * r])
    perp = np.linalg.svd(model.U)[0][:, r:]
    return np.linalg.svd(outer @ np.kron(np.eye(r), perp), compute_uv=False)[-1]


def in_units_of_the_tasks(data, model):
    """Rows of length one, and every task divided by the root mean square of the larger of its two parts and of y."""
    lengths = np.linalg.norm(data.X, axis=1)
    shared = np.einsum("nr,nr->n", data.X @ model.U, model.W[data.groups]) / lengths
    y = data.y / lengths
    scale = [
        max(np.sqrt(np.mean(part[data.offsets[i] : data.offsets[i + 1]] ** 2)) for part in (shared, y - shared, y))
        for i in range(data.t)
    ]
    scale = np.where(np.array(scale) > 0, scale, 1)[:, None]
    scaled = MultiTaskData(data.X / lengths[:, None], y / scale[data.groups, 0], data.offsets)
    return scaled, LRSModel(model.U, model.W / scale, sparse.csr_array(model.B.toarray() / scale))


@given(
    d=st.integers(5, 11),
    r=st.integers(1, 3),
    k=st.integers(0, 3),
    t=st.integers(2, 13),
    slack=st.integers(-1, 7),
    ragged=st.sampled_from([0.0, 0.3]),
    full_rank=st.booleans(),
    duplicates=st.integers(0, 1),
    coherence=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=80)
def test_verdict_is_the_rank_of_the_jacobian(d, r, k, t, slack, ragged, full_rank, duplicates, coherence, seed):
    spec = InstanceSpec(
        t=t,
        m=max(1, r + k + slack),
        d=d,
        r=r,
        k=k,
        ragged=ragged,
        w_rank=r if full_rank else r - 1,
        duplicates=duplicates,
        coherence=coherence,
    )
    instance = generate(spec, seed=seed)
    data, truth = instance.problem.data, instance.truth
    certificate = local_identifiability(data, truth)
    assert (certificate.verdict in (UNIQUE, LOCAL)) is brute_force(data, truth)
    assert bool(certificate) is (certificate.verdict is UNIQUE) is (set(certificate.levels) == {3})
    if brute_force(data, truth):
        assert certificate.margin == pytest.approx(brute_margin(*in_units_of_the_tasks(data, truth)), rel=1e-5)
        assert data.n >= certificate.unknowns
        assert len(certificate.at_level(1)) == t
    if certificate:
        assert certificate.surplus > certificate.needed or r * (d - r) == 0
        assert certificate.reasons == ()


@pytest.mark.parametrize(("m", "ragged"), [(10, 0.0), (12, 0.2), (20, 0.0)])
def test_both_methods_agree(m, ragged):
    instance = generate(InstanceSpec(t=60, m=m, d=30, r=3, k=2, ragged=ragged, kappa=50), seed=m)
    dense = local_identifiability(instance.problem, instance.truth, method="dense")
    free = local_identifiability(instance.problem, instance.truth, method="matrix-free")
    assert (dense.method, free.method) == ("dense", "matrix-free")
    assert dense.verdict is free.verdict is UNIQUE
    assert free.margin == pytest.approx(dense.margin, rel=1e-4)
    assert free.relative_margin == pytest.approx(dense.relative_margin, rel=0.02)  # the largest value is only estimated
    assert abs(np.sum(free.direction * dense.direction)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("method", ["dense", "matrix-free"])
def test_degenerate_weights_are_seen_by_both_methods(method):
    instance = generate(InstanceSpec(t=60, m=20, d=30, r=3, k=2, w_rank=2), seed=1)
    certificate = local_identifiability(instance.problem, instance.truth, method=method)
    assert certificate.verdict is AMBIGUOUS
    assert certificate.reasons == ("the weights w span 2 of r = 3 directions",)
    assert "The weights w span 2 of r = 3 directions." in certificate.sentence


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("d", "r", "k", "t"), [(20, 2, 2, 12), (15, 1, 3, 7), (12, 3, 0, 9)])
def test_the_counting_limit_is_where_it_turns(d, r, k, t, seed):
    """Truths are locally determined from the counting limit on, the only ones above it, and neither below it."""
    limit = float(counting_limit(d=d, r=r, k=k, t=t))
    above, below = int(np.ceil(limit)), int(np.ceil(limit)) - 1
    instance = generate(InstanceSpec(t=t, m=above + 1, d=d, r=r, k=k), seed=seed)
    assert local_identifiability(instance.problem, instance.truth).verdict is UNIQUE
    at = instance.prefix(above)
    expected = LOCAL if limit == above else UNIQUE
    assert local_identifiability(at.problem, at.truth).verdict is expected
    short = instance.prefix(below)
    certificate = local_identifiability(short.problem, short.truth)
    assert certificate.verdict is AMBIGUOUS
    assert certificate.equations < certificate.unknowns
    assert f"{certificate.equations} rows for {certificate.unknowns} unknowns" in certificate.sentence


@pytest.fixture(scope="module")
def instance():
    return generate(InstanceSpec(t=20, m=12, d=15, r=2, k=2), seed=5)


def test_margin_is_what_it_says(instance):
    """Moving U by the worst direction and re-fitting every task changes the predictions by the margin, to first order."""
    certificate = local_identifiability(instance.problem, instance.truth)
    data, truth = in_units_of_the_tasks(instance.problem.data, instance.truth)
    assert np.linalg.norm(certificate.direction) == pytest.approx(1)
    assert np.abs(truth.U.T @ certificate.direction).max() < 1e-12
    step = 1e-6
    moved = truth.U + step * certificate.direction
    change = 0.0
    for i, (X, y) in enumerate(data):
        A = np.concatenate([X @ moved, X[:, np.flatnonzero(truth.B.toarray()[i])]], axis=1)
        change += np.linalg.norm(y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2
    assert np.sqrt(change) / step == pytest.approx(certificate.margin, rel=1e-3)


def test_the_gauge_does_not_matter(instance):
    rng = np.random.default_rng([3, 7])
    Q = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    truth = instance.truth
    certificate = local_identifiability(instance.problem, truth)
    rotated = local_identifiability(instance.problem, LRSModel(truth.U @ Q, truth.W @ Q, truth.B))
    assert rotated.margin == pytest.approx(certificate.margin, rel=1e-9)
    A = rng.standard_normal((2, 2))  # any basis of the subspace, not only an orthonormal one
    skewed = local_identifiability(instance.problem, LRSModel(truth.U @ A, truth.W @ np.linalg.inv(A).T, truth.B))
    assert skewed.margin == pytest.approx(certificate.margin, rel=1e-9)
    assert skewed.verdict is UNIQUE


def test_noise_and_wrong_answers_are_not_proofs(instance):
    noisy = generate(replace(instance.spec, noise=0.1), seed=5)
    assert local_identifiability(noisy.problem, noisy.truth).verdict is IdentifiabilityVerdict.DETERMINED
    wrong = LRSModel(instance.truth.U, instance.truth.W * 1.001, instance.truth.B)
    assert local_identifiability(instance.problem, wrong).verdict is IdentifiabilityVerdict.DETERMINED


def test_superfluous_support_keeps_or_loses_uniqueness_by_counting(instance):
    B = instance.truth.B.toarray()
    B[0, np.flatnonzero(B[0] == 0)[:1]] = 1e-300
    wider = LRSModel(instance.truth.U, instance.truth.W, sparse.csr_array(B))
    assert local_identifiability(instance.problem, wider).unknowns == 2 * 13 + 20 * 4 + 1
    B[0, :11] += 1e-300
    too_wide = LRSModel(instance.truth.U, instance.truth.W, sparse.csr_array(B))
    certificate = local_identifiability(instance.problem, too_wide)
    assert certificate.verdict is AMBIGUOUS
    assert certificate.deficient_tasks == (0,)
    assert certificate.subspace_determined
    assert certificate.task_margin == 0
    assert "1 task(s) have fewer rows than r + k_i" in certificate.sentence


def test_explicit_zeros_are_not_support(instance):
    B = instance.truth.B.copy()
    padded = sparse.csr_array(
        (np.append(B.data, 0.0), np.append(B.indices, 0), np.append(B.indptr[:-1], B.indptr[-1] + 1)), shape=B.shape
    )
    model = LRSModel(instance.truth.U, instance.truth.W, padded)
    certificate = local_identifiability(instance.problem, model)
    assert certificate.unknowns == local_identifiability(instance.problem, instance.truth).unknowns


def test_hidden_coordinate_is_named():
    """Feature 3 is personal to all tasks but one: its row of U is visible in too few of them."""
    base = generate(InstanceSpec(t=20, m=12, d=15, r=2, k=0), seed=5)
    B = np.zeros((20, 15))
    B[1:, 3] = 1.0
    model = LRSModel(base.truth.U, base.truth.W, sparse.csr_array(B))
    X = base.problem.data.X
    data = MultiTaskData(X, model.predict(X, base.problem.data.groups), base.problem.data.offsets)
    certificate = local_identifiability(data, model)
    assert certificate.verdict is AMBIGUOUS
    assert "Feature 'x3' is personal to 19 of 20 tasks" in certificate.sentence
    assert np.linalg.norm(certificate.direction[3]) > 0.5


def test_coherent_subspace_is_named():
    """e₀ in the span of U and coordinate 0 in every support: the two parts cannot be told apart."""
    base = generate(InstanceSpec(t=20, m=12, d=15, r=1, k=0, coherence=1.0), seed=5)
    B = np.zeros((20, 15))
    B[:3, 0] = 1.0
    model = LRSModel(base.truth.U, base.truth.W, sparse.csr_array(B))
    X = base.problem.data.X
    data = MultiTaskData(X, model.predict(X, base.problem.data.groups), base.problem.data.offsets)
    certificate = local_identifiability(data, model)
    assert certificate.deficient_tasks == (0, 1, 2)
    assert "cannot tell their sparse part from the subspace" in certificate.sentence


def test_no_subspace_to_determine():
    sparse_only = generate(InstanceSpec(t=4, m=6, d=8, r=0, k=3), seed=2)
    certificate = local_identifiability(sparse_only.problem, sparse_only.truth)
    assert certificate.verdict is UNIQUE
    assert certificate.margin == np.inf
    assert json.loads(json.dumps(certificate.to_dict(), allow_nan=False))["margin"] is None
    everything = generate(InstanceSpec(t=4, m=6, d=3, r=3, k=0), seed=2)
    assert local_identifiability(everything.problem, everything.truth).verdict is UNIQUE


# ---------------------------------------------------------------------------------------------- levels
@pytest.mark.parametrize("make", certificates.WRONG, ids=lambda make: make.__name__)
def test_no_wrong_answer_without_residual_is_certified(make):
    case = make(np.random.default_rng([7, certificates.WRONG.index(make)]))
    if case.exact:
        assert certificates.residual(case) < 1e-9
    assert not local_identifiability(case.problem, case.answer)


def test_the_levels_are_told_task_by_task():
    """30 tasks with r + k rows and wrong supports among 60: the others, and U, are certified all the same."""
    case = certificates.square(np.random.default_rng(1))
    certificate = local_identifiability(case.problem, case.answer)
    assert certificate.verdict is LOCAL
    assert certificate.levels == (1,) * 30 + (3,) * 30
    assert certificate.at_level(1) == tuple(range(60))
    assert certificate.subspace_certified
    assert all("5 independent rows for r + k = 5 unknowns and its support" in why for why in certificate.why[:30])
    assert not any(certificate.why[30:])
    assert "Tasks certified at level (i) 60, (ii) 30, (iii) 30, of 60." in certificate.sentence
    assert "30 task(s), first 0: 5 independent rows" in certificate.sentence
    told = json.loads(json.dumps(certificate.to_dict(), allow_nan=False))
    assert (told["certified"], told["levels"][0], told["levels"][-1]) == (False, 1, 3)


def test_a_task_of_another_size_changes_nothing(instance):
    """One task times 10⁷ and one over 10⁷; rows of one task times 10³."""
    data, truth = instance.problem.data, instance.truth
    certificate = local_identifiability(instance.problem, truth)
    assert certificate
    factors = np.ones((20, 1))
    factors[3], factors[4] = 1e7, 1e-7
    model = LRSModel(truth.U, truth.W * factors, sparse.csr_array(truth.B.toarray() * factors))
    rows = np.where(data.groups == 5, 1e3, 1.0)
    scaled = MultiTaskData(data.X * rows[:, None], data.y * factors[data.groups, 0] * rows, data.offsets)
    other = local_identifiability(Problem(scaled, 2, 2), model)
    assert other
    assert other.margin == pytest.approx(certificate.margin, rel=1e-9)
    assert other.task_margin == pytest.approx(certificate.task_margin, rel=1e-9)


def test_rank_and_sparsity_are_the_declared_ones(instance):
    data, truth = instance.problem.data, instance.truth
    assert local_identifiability(data, truth)
    assert local_identifiability(data, truth, rank=2, sparsity=3)  # k may be over-specified
    denser = local_identifiability(data, truth, rank=2, sparsity=1)
    assert not denser
    assert denser.levels == (1,) * 20
    assert "2 non-zeros, declared are at most k = 1" in denser.sentence
    higher = local_identifiability(Problem(data, 3, 2), truth)
    assert not higher
    assert "The answer has rank 2, declared is r = 3" in higher.sentence
    short = local_identifiability(data, truth, rank=2, sparsity=10)
    assert short.levels == (1,) * 20  # 12 rows are not more than r + k


def test_a_planted_support_is_found_and_named():
    case = certificates.planted(np.random.default_rng(3))
    certificate = local_identifiability(case.problem, case.answer)
    own = [tuple(map(int, np.flatnonzero(row))) for row in case.truth.B.toarray()]
    for i in range(5):
        assert certificate.support[i] == "none"
        assert certificate.why[i] == f"the support {own[i]} fits as well"
    unsearched = local_identifiability(case.problem, case.answer, search=0)
    assert unsearched.support[:5] == ("almost every b",) * 5  # and this b is one of the few others
    assert "unique for almost every b in 5" in unsearched.sentence


@pytest.mark.parametrize(("k", "m"), [(1, 4), (2, 6), (3, 6), (4, 8)])
def test_the_search_finds_what_plain_enumeration_finds(k, m):
    """All supports by least squares, on a y that two of them fit."""
    rng = np.random.default_rng([k, m])
    d, r = 9, 2
    X, U = rng.standard_normal((m, d)), np.linalg.qr(rng.standard_normal((d, r)))[0]
    own, rival = [0, *range(5, 4 + k)], sorted(rng.choice(d, k, replace=False))
    columns = np.concatenate([X @ U, X[:, own], X[:, rival]], axis=1)
    kernel = np.linalg.svd(columns)[2][-1] if m < r + 2 * k else np.zeros(r + 2 * k)
    y = columns[:, : r + k] @ (kernel[: r + k] if kernel.any() else rng.standard_normal(r + k))
    fitting = set()
    for support in itertools.combinations(range(d), k):
        A = np.concatenate([X @ U, X[:, support]], axis=1)
        if np.linalg.norm(y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) < 1e-9 * np.linalg.norm(y):
            fitting.add(support)
    others = {s for s in fitting if not set(own) <= set(s)}
    found = rival_support(X, y, U, np.array(own), k, tolerance=1e-8)
    assert (found is None and not others) or found in others
    assert bool(others) is (m < r + 2 * k)


def test_a_repeated_user_is_counted_once():
    """Twice the equations that just suffice are not more than suffice."""
    case = certificates.repeated_tasks(np.random.default_rng(0))
    certificate = local_identifiability(case.problem, case.truth)
    assert (certificate.surplus, certificate.needed) == (4, 4)
    assert certificate.levels == (2,) * 8


@pytest.mark.parametrize("seed", range(8))
def test_right_answers_are_certified(seed):
    case = certificates.right(np.random.default_rng([11, seed]), largest=30)
    assert local_identifiability(case.problem, case.answer)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "method"), [(100, "auto"), (200, "auto"), (200, "matrix-free")])
def test_ten_thousand_tasks(d, method):
    big = generate(InstanceSpec(t=10_000, m=30, d=d, r=3, k=5), seed=1)
    certificate = local_identifiability(big.problem, big.truth, method=method)
    assert certificate.verdict is UNIQUE
    assert 0.5 < certificate.relative_margin < 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda i: local_identifiability(i, i.truth), "data: expected MultiTaskData or Problem, got Instance"),
        (lambda i: local_identifiability(i.problem, None), "model: expected an LRSModel"),
        (
            lambda i: local_identifiability(i.problem.data.select([0, 1]), i.truth),
            r"model: \(t, d\) = \(20, 15\), but the data have \(2, 15\)",
        ),
        (lambda i: local_identifiability(i.problem, i.truth, method="fast"), "method: expected 'auto'"),
        (
            lambda i: local_identifiability(
                i.problem, LRSModel(np.repeat(i.truth.U[:, :1], 2, axis=1), i.truth.W, i.truth.B)
            ),
            "model: the columns of U are dependent",
        ),
    ],
)
def test_bad_input_is_named(make, message, instance, unchecked):
    with pytest.raises(InvalidInput, match=f"^{message}"):
        make(instance)
