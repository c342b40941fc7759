"""The benchmark of the private variant runs its rivals as what they are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrs import InstanceSpec, generate, metrics
from property_tests.benchmarks import private
from property_tests.benchmarks.private import Users, dpam, fedrep

SPEC = InstanceSpec(t=600, m=12, d=8, r=1, k=1)


def test_rivals_learn_when_there_is_budget_and_not_without():
    instance = generate(SPEC, 0)
    data, truth = instance.problem.data, instance.truth.U
    for answer in (
        lambda e: dpam(SPEC, data, e, 0),
        lambda e: fedrep(SPEC, data, e, 0, 0.3, 0),
        lambda e: fedrep(SPEC, data, e, 0, 0.3, 1),
    ):
        much, little = (metrics.subspace_distance(answer(e), truth) for e in (1e3, 1e-2))
        assert much < 0.1 < little


def test_users_in_blocks_share_one_truth():
    users = Users(SPEC, 50, block=20, seed=3)
    sizes = [(data.t, metrics.subspace_distance(truth.U, users.U)) for data, truth in users.instances()]
    assert [t for t, _ in sizes] == [20, 20, 10]
    assert max(gap for _, gap in sizes) < 1e-12


def test_the_table_prints_an_honest_row_for_every_budget(tmp_path, capsys):
    data = generate(SPEC, 0).problem.data
    lines = ["student,a,b,c,d,e,f,g,h,y"]
    lines += [
        ",".join(map(repr, [int(g), *map(float, x), float(y)]))
        for g, x, y in zip(data.groups, data.X, data.y, strict=True)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    private.table(path, "student", "y", 1, 0, 2, 1)
    printed = capsys.readouterr().out
    assert printed.count("| ε = ") == 6
    free = float(printed.split("ε = inf | ")[1].split()[0])
    whole = float(printed.split("global model, not private | ")[1].split()[0])
    assert math.isfinite(free)
    assert free > whole + 0.2
    assert np.isfinite(whole)
    with pytest.raises(SystemExit):
        private.main(["nothing"])
