"""The benchmark of the private variant measures the mechanism itself, however it shares its passes over the users."""

from __future__ import annotations

import numpy as np
import pytest

from lrs import InstanceSpec, PrivateAMHT
from lrs.families.low_rank_sparse import metrics
from lrs.private import Schedule, SeededNoise, Server, rho_for
from property_tests.benchmarks.private import Users, levels, public_start, report_slope, train_together, weighting_slope


def test_training_together_is_training_alone():
    users = Users(InstanceSpec(t=1, m=10, d=8, r=1, k=1), 60, block=20, seed=3)
    start, clip = public_start(users.U, None, 3), levels(8, 1, 1)
    solver = PrivateAMHT(epsilon=5.0, delta=1e-6, clip=clip, rounds=2, insecure_seed=4, start_share=0.5)
    alone, _ = solver.train(users, d=8, rank=1, sparsity=1, rng=np.random.default_rng(0))
    servers = {
        t: (
            Server(
                Schedule(clip=clip, rho=rho_for(5.0, 1e-6), rounds=2, sparsity=1, start_share=0.5),
                start,
                SeededNoise(4),
            ),
            t,
        )
        for t in (20, 60)
    }
    train_together(servers, users)
    assert metrics.subspace_distance(servers[60][0].U, alone.U) < 1e-6
    assert metrics.subspace_distance(servers[20][0].U, alone.U) > 1e-3


@pytest.mark.parametrize("error", [0.05, 0.2, 0.9])
def test_a_public_start_is_as_far_as_it_says(error):
    U = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 2)))[0]
    assert metrics.subspace_distance(public_start(U, error, 1), U) == pytest.approx(error)


def test_weighting_tends_to_the_power_law_as_rounds_are_added():
    louder = np.array([4.0, 2.0, 1.0])
    few, many = (weighting_slope(0.2, rounds, 0.3, 0.03, louder) for rounds in (4, 64))
    assert -0.95 < few < -0.8
    assert many == pytest.approx(-1, abs=0.02)


def test_slopes_are_those_of_power_laws(capsys):
    x = (1.0, 2.0, 4.0)
    report_slope("x", x, np.array([[c / v for v in x] for c in (1.0, 3.0)]))
    assert "-1.000 ± 0.000" in capsys.readouterr().out
