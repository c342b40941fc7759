"""Every verb on every family beside low rank + sparse: it works, or says in one sentence that it does not apply (exit code 2)."""

from __future__ import annotations

import pytest

from lrs import cli

OMP = "sklearn.linear_model:OrthogonalMatchingPursuit"
#: What is there before: a file and a map of each family.
FILES = (
    "generate --family matrix-sensing -n 9 -r 1 -m 60 -o ms.npz",
    "generate --family matrix-sensing -n 9 -r 1 -k 3 -o full.npz",
    "generate --family sparse -d 30 -k 2 -m 20 -o sparse.npz",
    "generate --family sketch -d 8 --kind spikes -o sketch.npz",
    "sweep --family matrix-sensing --solver svp --solver spectral --x m=4:40:18 --y n=3,5 --axis r=1,2 --fixed kappa=1 "
    "--replicates 2 --jobs 0 --out ms",
    "sweep --family sparse --solver htp --solver omp --x m=6,12,24 --y k=1,2 --fixed d=30 --replicates 3 --jobs 0 --out sparse",
    "sweep --family sketch --solver srht --solver count-sketch --x m=16,32,64 --y d=4,8 --fixed n=128,kind=groups --replicates 4 "
    "--jobs 0 --out sketch",
)
#: Line, exit codes that it may end with, and words of what it says.
WORKS = (
    *((f"{verb} {name}.npz", (0,), "") for verb in ("info", "check") for name in ("ms", "sparse", "sketch")),
    ("solve ms.npz", (0,), "gd-asymmetric"),
    (f"solve sparse.npz --solver {OMP}", (0,), "yes: relative error"),
    ("solve sketch.npz --solver srht", (0,), "recovered"),
    ("check ms.npz --theorem precgd", (0,), "FAILS"),
    ("check sparse.npz --theorem omp-rows", (0,), "FAILS"),
    ("plan --family matrix-sensing -n 4 -r 1 --replicates 1 --solver svp", (0,), "searched"),
    ("plan --family sparse -d 12 -k 1 --replicates 1 --solver htp", (0,), "searched"),
    ("plan --family sketch -d 4 --replicates 1 --solver srht", (0,), "searched"),
    ("verify --family matrix-sensing --solver svp --claims recovery/* --dry-run", (0,), "claims"),
    ("verify --theorem ell-one-law --solver basis-pursuit --claims law/minimiser --dry-run", (0,), "claims"),
    ("verify --family sketch --solver srht --claims sketch/whole --dry-run", (0,), "claims"),
    *((f"boundary {name}", (0,), "") for name in ("ms", "sparse", "sketch")),
    ("scaling ms", (0,), "the theorem's steepest bound"),
    ("scaling sparse", (0,), "the theorem says nothing"),
    ("scaling sketch", (0,), "the theorem says nothing"),
    ("duel svp spectral --in ms", (0, 1), "of spectral"),
    ("duel htp omp --in sparse", (0, 1), "of omp"),
    ("duel srht count-sketch --in sketch", (0, 1), "of count-sketch"),
    ("plot ms --overlay counting,statistical-dimension --what success --solver svp", (0,), "wrote"),
    ("plot sparse --overlay ell-one,asymptotic --what success --solver htp --out p", (0,), "wrote"),
    ("plot sketch --overlay columns --what success --solver srht --out q", (0,), "wrote"),
    ("rate full.npz --solver gd-symmetric", (1,), "1/T: e_t ≈ C/(t + c)"),
    ("rate sparse.npz --solver sparse-iht", (0,), "Geometric"),
    ("solvers --family sketch", (0,), "count-sketch-8"),
    ("claims --family sparse", (0,), "law/ell-one"),
    ("theorems show sketched-regression", (0,), "contested"),
)
REFUSED = (
    # verbs
    ("profile ms.npz", "no proof about matrix sensing is written as a chain of links"),
    ("profile sparse.npz", "no proof about sparse recovery is written as a chain of links"),
    ("profile sketch.npz", "no proof about sketched least squares is written as a chain of links"),
    ("profile ms.npz --theorem symmetric-gd", "no chain of links is registered with 'symmetric-gd'"),
    ("rate sketch.npz --solver srht", "'srht' shows 0 iterates of sketch.npz"),
    ("rate sparse.npz", "sparse.npz is no trace; name a solver"),
    ("rate sparse.npz --solver htp --column missing", "column: expected 'error' or 'missed', got 'missing'; did you mean"),
    # options
    ("solve ms.npz --rank 1", "--rank: lrs solve has no such option for matrix sensing"),
    ("solve sparse.npz --rank 1", "--rank: lrs solve has no such option for sparse recovery"),
    ("generate --family matrix-sensing -n 9 -r 1 --tasks 3 -o b.npz", "--tasks: lrs"),
    ("plan --family sparse -d 9 -k 1 --tasks 3", "--tasks: lrs plan has no such option for sparse recovery"),
    ("sweep --family matrix-sensing --solver svp --x t=1:3 --fixed n=8,r=1 --out s", "x: no parameter named 't' in the family"),
    ("sweep --family sparse --solver htp --x alpha=1,2 --fixed d=9,k=1,m=5 --out s", "no parameter named 'alpha' in the family"),
    # theorems, regions and claims
    ("verify --family matrix-sensing --solver svp --theorem iht", "is about the family low-rank-sparse"),
    ("verify --family sparse --solver htp --theorem sketched-regression", "is about the family sketch"),
    ("verify --family matrix-sensing --solver svp --draw practical", "no region 'practical' of matrix-sensing"),
    ("verify --family sketch --solver srht --draw practical", "no region 'practical' of sketch"),
    ("verify --family sparse --solver htp --claims symmetric/*", "symmetric/constant is about matrix-sensing"),
    ("check ms.npz --theorem iht", "holds an instance of the family matrix-sensing"),
    ("check ms.npz --family matrix-sensing --theorem iht", "is about the family low-rank-sparse"),
    ("check sketch.npz --theorem omp-rows", "holds an instance of the family sketch"),
    ("plot ms --overlay theorem", "choose from counting, statistical-dimension"),
    # solvers and instances
    ("solve ms.npz --solver amht", "solves problems of the family low-rank-sparse"),
    ("solve sparse.npz --solver count-sketch", "solves problems of the family sketch"),
    ("solve sketch.npz --solver omp", "'omp' solves problems of the family sparse"),
    (f"solve ms.npz --solver {OMP}", "solves problems of the family sparse"),
    ("rate ms.npz --solver amht", "solves problems of the family low-rank-sparse"),
    ("verify --family matrix-sensing --solver amht", "solves problems of the family low-rank-sparse"),
    ("solve sparse.npz --solver sklearn.cluster:KMeans", "which scikit-learn does not count among its regressors"),
    ("verify --family sparse --solver sklearn.cluster:KMeans", "which scikit-learn does not count among its regressors"),
    ("duel htp srht --in sparse", "'srht' is not in this sweep"),
    # values
    ("generate --family matrix-sensing -n 9 -r 3 -k 2 -o b.npz", "k: expected a search rank in r … n = 3 … 9, got 2"),
    ("generate --family sparse -d 4 -k 5 -m 2 -o b.npz", "k: cannot exceed d = 4"),
    ("generate --family sketch -d 8 -m 4 -o b.npz", "m: expected a sketch with at least as many rows"),
    ("sweep --family sketch --solver srht --x m=2,4 --fixed d=8 --out s", "m: expected a sketch with at least as many rows"),
    ("sweep --family matrix-sensing --solver svp --x k=1,2 --fixed n=8,r=3 --out s", "k: expected a search rank in r … n"),
    ("sweep --family matrix-sensing --solver gd-symmetric --x alpha=0,0.1 --fixed n=8,r=1 --out s", "alpha: expected a positive"),
    ("sweep --family matrix-sensing --solver gd-symmetric --x m=20,30 --fixed n=8,r=1,eta=0 --out s", "eta: expected a pos"),
    ("sweep --family matrix-sensing --solver spectral --x alpha=.1,.2 --fixed n=8,r=1 --out s", "none of the solvers spectral takes"),
)  # fmt: skip


def said(capsys):
    """Both streams, in one line each."""
    return tuple(" ".join(stream.split()) for stream in capsys.readouterr())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("families")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        for line in FILES:
            assert cli.run(line.split()) == 0, line
    return here


@pytest.fixture(autouse=True)
def _there(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(("line", "codes", "words"), WORKS, ids=[row[0] for row in WORKS])
def test_a_verb_works(line, codes, words, capsys):
    code = cli.run(line.split())
    out, err = said(capsys)
    assert code in codes, err
    assert words in out
    assert "amht" not in out


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_does_not_apply_is_refused_in_a_sentence(line, words, capsys):
    code = cli.run(line.split())
    _, err = said(capsys)
    assert code == 2
    assert words in err
    assert err.count("lrs: error:") == 1
    assert "Traceback" not in err


def test_a_step_that_is_too_large_diverges_and_says_so(capsys):
    start = "sweep --family matrix-sensing --solver gd-symmetric --x alpha=0.1,0.5 --fixed n=8,r=1,k=2,eta=60,steps=300"
    assert cli.run([*start.split(), "--replicates", "1", "--jobs", "0", "--out", "wild"]) == 0
    assert "2 non-finite" in said(capsys)[0]
