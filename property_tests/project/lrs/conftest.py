"""Fixtures: small instances and files, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from lrs import Instance, InstanceSpec, cli, generate


class Run(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def instance() -> Instance:
    """Noiseless, easy, and quick to solve."""
    return generate(InstanceSpec(t=30, m=20, d=8, r=1, k=1), seed=3)


@pytest.fixture
def frame(instance: Instance) -> pd.DataFrame:
    """The same rows as a table with the columns school, score, x0 … x7, shuffled."""
    data = instance.problem.data
    table = pd.DataFrame(data.X, columns=list(data.feature_names))
    table.insert(0, "school", data.groups)
    table.insert(1, "score", data.y)
    return table.sample(frac=1, random_state=np.random.RandomState(0)).reset_index(drop=True)


@pytest.fixture
def instance_file(instance: Instance, tmp_path: Path) -> Path:
    return instance.save(tmp_path / "instance.npz")


@pytest.fixture
def csv_file(frame: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Run]:
    """Run ``lrs`` in this process, in a folder of its own, in a wide terminal without colours."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Run:
        capfd.readouterr()
        code = cli.run([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Run(code, out, err)

    return call
