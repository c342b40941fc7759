"""The proof for small problems: its bounds against solutions moved on purpose, and answers of which nothing can be proved."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from lrs.families.low_rank_sparse.model import LRSModel
from property_tests.benchmarks import certificates
from theory import prove_identifiability


@pytest.mark.parametrize(
    "spec",
    [
        InstanceSpec(t=12, m=8, d=10, r=2, k=2),
        InstanceSpec(t=20, m=7, d=8, r=1, k=3),
        InstanceSpec(t=6, m=6, d=9, r=0, k=2),
        InstanceSpec(t=12, m=6, d=9, r=2, k=0),
    ],
    ids=str,
)
def test_truths_are_proved_and_enclosed(spec):
    instance = generate(spec, 4)
    proof = prove_identifiability(instance.problem, instance.truth)
    assert proof, proof.sentence
    assert proof.error < 1e-9 < proof.radius
    # An answer that was moved: the truth is one of the admissible ones, so it must lie within the error that is claimed.
    rng = np.random.default_rng(1)
    shift = 1e-8 * rng.standard_normal(instance.truth.W.shape)
    moved = LRSModel(instance.truth.U, instance.truth.W + shift, instance.truth.B)
    far = prove_identifiability(instance.problem, moved)
    if spec.r:
        assert far.unique
        sizes = np.maximum(np.abs(moved.W).max(axis=1), np.abs(moved.B.toarray()).max(axis=1))
        assert far.error >= np.abs(shift / sizes[:, None]).max()
        assert far.error > 10 * proof.error


@pytest.mark.parametrize(
    "make",
    [
        certificates.planted,
        certificates.square,
        certificates.swapped,
        certificates.twin_features,
        certificates.collinear,
    ],
    ids=lambda make: make.__name__,
)
def test_nothing_is_proved_of_answers_that_are_not_the_only_ones(make):
    case = make(np.random.default_rng(5))
    proof = prove_identifiability(case.problem, case.answer)
    assert not proof
    assert "Not proved" in proof.sentence


def test_slack_and_spare_entries_are_not_overlooked():
    instance = generate(InstanceSpec(t=12, m=8, d=10, r=2, k=2), 4)
    assert not prove_identifiability(instance.problem, instance.truth, slack=1e-2)
    B = instance.truth.B.toarray()
    B[3, np.flatnonzero(B[3])[0]] = 0.0
    truth = LRSModel(instance.truth.U, instance.truth.W, sparse.csr_array(B))
    data = certificates.problem([X for X, _ in instance.problem.data], truth, 2, 2)
    assert "task 3 has 1 of k = 2 non-zeros" in prove_identifiability(data, truth).sentence


def test_large_problems_are_refused():
    instance = generate(InstanceSpec(t=10, m=20, d=60, r=2, k=6), 4)
    with pytest.raises(InvalidInput, match=r"^problem: \d+ supports"):
        prove_identifiability(instance.problem, instance.truth)
