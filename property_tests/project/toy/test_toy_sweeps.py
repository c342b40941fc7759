"""The verbs of recovery maps on a family that only this folder knows."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from lrs.cli import run
from lrs.core.errors import InvalidInput
from lrs.core.family import check_family, load_family
from phase_diagrams.analysis.table import export, load

FAMILY = "heavy_mean:FAMILY"
BASE = [
    "sweep",
    "--family",
    FAMILY,
    "--solver",
    "heavy_mean:Trimmed",
    "--solver",
    "heavy_mean:mean",
    "--tolerance",
    "0.5",
]
SWEEP = [*BASE, "--x", "m=4:60:8", "--y", "k=0,3,6", "--fixed", "d=3", "--replicates", "4", "--jobs", "0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "s"
    assert run([*SWEEP, "--out", str(path)]) == 0
    return path


def document(capsys, *arguments):
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_family_keeps_the_protocol():
    assert check_family(load_family(FAMILY)) is load_family(FAMILY)


def test_the_table_has_the_family_s_columns(folder, tmp_path):
    frame = load(folder).frame
    for name in ("m", "k", "d", "tail", "error", "worst"):
        assert name in frame
    assert "theta_error" not in frame
    assert set(frame.loc[frame["m"] < frame["k"], "outcome"]) == {"impossible"}
    rates = frame[(frame["m"] >= 36)].groupby(["solver", "k"])["success"].mean()
    assert rates["heavy_mean:Trimmed", 3] == 1
    assert rates["heavy_mean:mean", 3] == 0
    about = pd.read_parquet(export(load(folder), tmp_path / "t.parquet")).attrs
    assert (about["family"], about["recovered"]) == ("heavy-mean", "‖μ̂ − μ‖₂/√d ≤ 0.5")


def test_boundary_and_duel(folder, capsys):
    found = document(capsys, "boundary", folder)
    assert (found["axis"], found["nested"], found["criterion"]) == ("m", True, "error")
    fought = document(capsys, "duel", "heavy_mean:Trimmed", "heavy_mean:mean", "--in", folder, "--timing", "2")
    assert fought["wins_a"] > fought["wins_b"]  # the data are keyed by a nonce that is drawn
    assert fought["timing"]["instances"] >= 1


def test_pictures_and_report(folder, capsys, tmp_path):
    drawn = document(
        capsys, "plot", folder, "--overlay", "breakdown", "--what", "success,failures,error", "--out", tmp_path
    )
    assert len(drawn["written"]) == 3 * 2 * 2
    page = tmp_path / "page.html"
    document(capsys, "report", folder, "-o", page)
    assert "A trial is recovered when ‖μ̂ − μ‖₂/√d ≤ 0.5." in page.read_text()


def test_replay_and_verify(folder, capsys):
    replayed = document(capsys, "replay", folder, "m=36,k=3", "1")
    assert replayed["identical"]
    assert replayed["now"]["error"] == replayed["recorded"]["error"] < 0.5
    checked = document(capsys, "sweep", "reproduce", folder, "--sample", "10", "--jobs", "0")
    assert (checked["sampled"], checked["identical"]) == (10, 10)


def test_a_setting_of_the_solver_is_an_axis(tmp_path, capsys):
    arguments = [
        *BASE[:5],
        "--x",
        "trim=0,0.3",
        "--fixed",
        "d=3,m=40,k=6,tail=9",
        "--tolerance",
        "1",
        "--jobs",
        "0",
    ]
    found = document(capsys, *arguments, "--out", tmp_path / "s")
    assert found["known"] == 20
    frame = load(tmp_path / "s").frame
    assert frame.groupby("trim")["success"].mean().to_dict() == {0.0: 0.0, 0.3: 1.0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--x", "r=1,2"], "no parameter named 'r' in the family heavy-mean"),
        (["--x", "m=9", "--success", "subspace"], "success: 'subspace' is none of error, worst"),
        (["--x", "m=9", "--solver", "amht"], "'amht' solves problems of the family low-rank-sparse"),
        (["--x", "m=9", "--nested", "k"], "only m"),
        (["--x", "trim=0.1", "--fixed", "m=9", "--solver", "heavy_mean:mean"], "trim: none of the solvers"),
    ],
)
def test_what_belongs_to_another_family_is_refused(tmp_path, capsys, arguments, words):
    solver = [] if "--solver" in arguments else ["--solver", "heavy_mean:Trimmed"]
    command = ["sweep", "--family", FAMILY, "--fixed", "d=3,k=0", *solver, *arguments, "--out", str(tmp_path / "s")]
    assert run(command) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_the_help_lists_the_parameters_of_the_family(capsys):
    assert run(["sweep", "--family", FAMILY, "--help"]) == 0
    assert "Outliers k among the samples." in capsys.readouterr().out


def test_settings_that_nobody_configures_are_refused():
    class Half(type(load_family(FAMILY))):
        configure = property()  # raises AttributeError: there is none

    with pytest.raises(InvalidInput, match="settings and configure go together"):
        check_family(Half())

    class Untrue(type(load_family(FAMILY))):
        settings = {"trim": replace(load_family(FAMILY).settings["trim"], trait="prunes")}  # noqa: RUF012

    with pytest.raises(InvalidInput, match="'trim': its trait is not declared"):
        check_family(Untrue())
