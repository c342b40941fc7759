"""The verbs that read a sweep, as a user types them."""

import json

import pytest

from lrs import cli
from phase_diagrams import Axis, SweepSpec, sweep
from phase_diagrams.sweeps.engines import Inline

SYNTHETIC = "phase_diagrams.sweeps.synthetic:Synthetic"
SLOW = "timing_solvers:slow"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two solvers with the same boundary, m₅₀ = 20 + 2 d."""
    path = tmp_path_factory.mktemp("sweeps") / "one"
    axes = (Axis.parse("m=16:56:8"), Axis.parse("d=2,4,8"))
    sweep(SweepSpec(axes, {"t": 1, "r": 0, "k/d": 1.0}, (SYNTHETIC, SLOW), 6), path, Inline())
    return path


@pytest.fixture
def lrs(capsys):
    def run(*arguments):
        code = cli.run([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def document(lrs, *arguments):
    code, out, err = lrs(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_boundary(lrs, folder):
    found = document(lrs, "boundary", folder)
    assert found["axis"] == "m"
    assert [p["d"] for p in found["points"]] == [2, 4, 8] * 2
    assert [p["x50"] for p in found["points"][:3]] == pytest.approx([24, 28, 36], abs=7)
    code, out, _ = lrs("boundary", folder)
    assert code == 0
    assert "50 % boundary along m" in out


def test_scaling(lrs, folder, tmp_path):
    found = document(lrs, "scaling", folder, "--factors", "d", "--out", tmp_path / "collapse")
    assert len(found["laws"]) == 2
    assert 0 < found["laws"][0]["exponents"][0]["estimate"] < 1
    assert len(found["written"]) == 4
    code, out, _ = lrs("scaling", folder, "--factors", "d")
    assert code == 0
    assert "m₅₀ =" in out


def test_plot(lrs, folder, tmp_path):
    out = tmp_path / "pictures"
    found = document(lrs, "plot", folder, "--overlay", "counting,theorem", "--what", "success,failures", "--out", out)
    assert len(found["written"]) == 8
    assert all((out / name).exists() for name in ("success-timing_solvers-slow.png", "success-timing_solvers-slow.svg"))
    assert found["violations"] is None


def test_plot_lists_violations_with_replay_lines(lrs, folder, tmp_path):
    """With r = 0 the theorem's first bound is 0, so every failure with m ≥ C_task k is a violation."""
    options = ("--what", "success", "--out", tmp_path, "--constants", "C_total=1,C_task=1")
    found = document(lrs, "plot", folder, *options)
    assert found["violations"]
    assert all(line.startswith(f"lrs replay {folder} ") for line in found["violations"])
    code, _, err = lrs(*found["violations"][0].split()[1:])
    assert code == 0, err


def test_duel_on_a_sweep(lrs, folder):
    found = document(lrs, "duel", SYNTHETIC, SLOW, "--in", folder, "--timing", 5)
    assert found["p_value"] == 1.0
    assert found["timing"]["ratio"] < 0.5
    code, out, _ = lrs("duel", SYNTHETIC, SLOW, "--in", folder)
    assert code == 0
    assert "No difference shown" in out
    assert "no cell has enough instances" in out


def test_duel_runs_its_own_sweep(lrs, tmp_path):
    found = document(
        lrs, "duel", SYNTHETIC, SLOW, "--in", tmp_path / "own", "--x", "m=16:40:8", "--y", "d=2,4",
        "--fixed", "t=1,r=0,k/d=1", "--replicates", 3, "--jobs", 0, "--out", tmp_path / "map",
    )  # fmt: skip
    assert len(found["shifts"]) == 2
    assert (tmp_path / "map.png").exists()


def test_report_and_its_hash(lrs, folder, tmp_path):
    found = document(lrs, "report", folder, "-o", tmp_path / "page.html")
    assert found["integrity"] in (tmp_path / "page.html").read_text()
    code, out, _ = lrs("report", folder, "--hash")
    assert (code, out.strip()) == (0, found["integrity"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("boundary", "{dir}", "--along", "q"), "'q' is not an axis"),
        (("boundary", "{dir}", "--confidence", "95"), "confidence: expected a number between 0 and 1"),
        (("boundary", "{dir}", "--link", "cloglog"), "link: expected 'logit' or 'probit', got 'cloglog'"),
        (("boundary", "{none}"), "none"),
        (("scaling", "{dir}", "--factors", "m"), "factors: m cannot enter"),
        (("scaling", "{dir}", "--factors", "t"), "no solver of these sweeps"),
        (("plot", "{dir}", "--overlay", "limit"), "overlay: 'limit' is not known"),
        (("plot", "{dir}", "--what", "heat"), "what: 'heat' is not a picture"),
        (("plot", "{dir}", "--what", "rate"), "--trace"),
        (("plot", "{dir}", "--constants", "C_total"), "constants: expected C_total"),
        (("plot", "{dir}", "--constants", "C_total=x,C_task=1"), "constants: expected C_total"),
        (("plot", "{dir}", "--constants", "C=1,C_task=1"), "no constant 'C'"),
        (("plot", "{dir}", "--solver", "nobody"), "solver: 'nobody' is not in this sweep"),
        (("duel", "a", "b", "--in", "{dir}"), "solver: 'a' is not in this sweep"),
        (("duel", SYNTHETIC, SYNTHETIC, "--in", "{dir}"), "the same"),
        (("duel", SYNTHETIC, SLOW, "--in", "{dir}", "--fdr", "2"), "fdr: expected a false-discovery rate"),
        (("duel", SYNTHETIC, SLOW, "--in", "{dir}", "--timing", "-1"), "instances: expected an integer of at least 1"),
        (("report", "{dir}", "--constants", "C_total=0,C_task=1"), "C_total: expected a positive number"),
        (("report", "{dir}", "-o", "{none}/x/page.html"), "does not exist"),
    ],
)
def test_bad_input_is_one_line_and_code_2(lrs, folder, tmp_path, arguments, message):
    code, out, err = lrs(*(a.format(dir=folder, none=tmp_path / "none") for a in arguments))
    assert code == 2
    assert out == ""
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
