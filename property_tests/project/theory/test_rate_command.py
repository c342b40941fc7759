"""``lrs rate``: verdicts, exit codes, JSON, figures, and what it says about a trace it cannot use."""

from __future__ import annotations

import json

import matplotlib.image
import numpy as np
import pytest

from lrs import cli


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "trace.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def rows(values, header="iteration,error"):
    return "\n".join([header, *(f"{i},{v!r}" for i, v in enumerate(np.asarray(values).tolist()))]) + "\n"


GEOMETRIC = 0.8 ** np.arange(170) + 1e-16


def run(capsys, *arguments):
    code = cli.run(["rate", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_certified(write, capsys):
    code, out, _ = run(capsys, write(rows(GEOMETRIC)), "--rate", "0.82", "--constant", "2")
    assert code == 0
    assert "CERTIFIED: Geometric convergence" in out
    assert "is kept" in out
    assert "0.8" in out


def test_broken_claim_and_sublinear_fail(write, capsys):
    code, out, _ = run(capsys, write(rows(GEOMETRIC)), "--rate", "0.5")
    assert code == 1
    assert "TOO_SLOW" in out
    code, out, _ = run(capsys, write(rows(1 / np.arange(1, 300))))
    assert code == 1
    assert "SUBLINEAR" in out


def test_superlinear_is_a_success(write, capsys):
    assert run(capsys, write(rows(0.5 ** (2.0 ** np.arange(8)))))[0] == 0


def test_json_is_one_document(write, capsys, tmp_path):
    picture = tmp_path / "figure.png"
    code, out, _ = run(capsys, write(rows(GEOMETRIC)), "--json", "-o", str(picture))
    document = json.loads(out)
    assert code == 0
    assert document["verdict"] == "CERTIFIED"
    assert document["points"] == 170
    assert document["rate"] == pytest.approx(0.8, rel=1e-3)
    assert document["figure"] == str(picture)


@pytest.mark.parametrize("errors", [GEOMETRIC, 1 / np.arange(1, 50), [1, 0, 0, 0], [1e-16] * 5], ids=range(4))
def test_every_trace_can_be_drawn(errors, write, capsys, tmp_path):
    picture = tmp_path / "figure.png"
    run(capsys, write(rows(errors)), "--rate", "0.9", "-o", str(picture))
    pixels = matplotlib.image.imread(picture)
    assert min(pixels.shape[:2]) > 500
    assert (pixels[..., :3] < 0.9).any()


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("1\n.1\n1e-2\n1e-3\n1e-4\n", "column 1"),
        ("1\n1\n1e-2\n1e-3\n1e-4\n", "column 1"),
        ("residual\n1\n.1\n1e-2\n1e-3\n1e-4\n", "residual"),
        ("t, residual\n0, 1\n1, .1\n2, 1e-2\n3, 1e-3\n4, 1e-4\n", "residual"),
    ],
)
def test_the_error_column_is_found(text, column, write, capsys):
    _, out, _ = run(capsys, write(text), "--json", "--min-decades", "3")
    document = json.loads(out)
    assert document["column"] == column
    assert document["points"] == 5
    assert document["decades"] == pytest.approx(4)


def test_column_is_chosen(write, capsys):
    text = "a,b\n" + "".join(f"{0.5**i!r},{0.1**i!r}\n" for i in range(9))
    assert json.loads(run(capsys, write(text), "--column", "b", "--json")[1])["rate"] == pytest.approx(0.1)
    code, _, err = run(capsys, write(text))
    assert code == 2
    assert "pass --column; there are a, b" in err


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("error\n1\n.5\nnan\n.1\n", [], "1 value(s) are NaN or infinite, the first at index 2"),
        ("error\n1\n.5\n\n.1\n.01\n", ["--rate", "1.5"], "rate: expected a contraction in (0, 1)"),
        ("error\n1\n.5\n.1\n", [], "3 point(s); a rate needs at least 4"),
        ("error\n1\n2\n3\n4\n", [], "the error does not decrease"),
        ("error\n1\n.5\nbad\n.1\n", [], "column 'error' is not numeric"),
        ("error\n1\n.5\n.2\n.1\n", ["--column", "loss"], "no column 'loss'; there are error"),
        ("error\n1\n.5\n.2\n.1\n", ["-o", "figure.txt"], "figure.txt is not a picture; name a .png, .svg or .pdf file"),
        ("", [], "not a CSV file"),
    ],
)
def test_bad_traces_are_explained(text, arguments, message, write, capsys):
    code, out, err = run(capsys, write(text), *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_missing_file(capsys):
    code, _, err = run(capsys, "nowhere.csv")
    assert code == 2
    assert "nowhere.csv: no such file" in err
