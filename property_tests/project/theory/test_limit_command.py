"""``lrs limit``: both laws, the hard phase, solvers beside the Bayes error, JSON, a figure, and what it refuses."""

from __future__ import annotations

import json

import matplotlib.image
import numpy as np
import pytest

from lrs import cli
from theory.yardsticks import bayes

MANY = ("-t", "300", "-m", "30", "-d", "60", "-r", "2", "-k", "3")


def run(capsys, *arguments):
    code = cli.run(["limit", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_solver_is_near_the_bayes_error_and_never_below_it(capsys):
    code, out, _ = run(capsys, *MANY, "-m", "50", "--noise", "0.1", "--solver", "amht", "--runs", "2", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["errors"] == sorted(found["errors"], reverse=True)
    (row,) = found["solvers"]
    assert row["bayes"] == pytest.approx(found["bayes"])
    assert 1.0 < row["error"] / row["bayes"] < 1.4


def test_the_hard_phase_is_said(capsys):
    code, out, _ = run(capsys, "-t", "200", "-m", "16", "-d", "50", "-r", "5", "-k", "4")
    assert code == 0
    assert "Hard phase" in out
    assert "Bayes error                    0" in out
    assert "Counting limit                 10.12 rows per task" in out


def test_few_tasks_have_a_law_of_their_own(capsys, tmp_path):
    figure = tmp_path / "limit.png"
    arguments = ("-t", "3", "-m", "20", "-d", "40", "-r", "1", "-k", "3", "--noise", "0.3", "--iterations", "4")
    code, out, _ = run(capsys, *arguments, "-o", str(figure))
    assert code == 0
    assert "given the weights of one instance, b gaussian" in out
    assert "±" in out
    assert matplotlib.image.imread(figure).std() > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-t", "3", "-m", "20", "-d", "40", "-r", "1", "-k", "3", "--b-law", "signs"), "b_law: with up to 12 tasks"),
        (("-t", "300", "-m", "20", "-d", "40", "-r", "1", "-k", "50"), "k: 50 is outside"),
        ((*MANY, "--solver", "amhd"), "amhd"),
        ((*MANY, "-o", "limit.txt"), "out: limit.txt is not a picture"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, says):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())


def test_the_overlay_is_where_messages_become_exact():
    assert bayes(d=np.array([50.0, 50.0]), r=np.array([5.0, 5.0]), k=np.array([4.0, 0.0])).tolist() == [17.0, 5.0]
