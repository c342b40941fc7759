"""The pytest plugin: outcomes of tests, the summary of verdicts, workers, and what importing it costs."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent

SUITE = """
import sys
sys.path.insert(0, {here!r})
import pytest
from bad_solvers import honest, prints
from property_tests.examine.synthetic import bernoulli
from property_tests import verify
from property_tests.examine.claim import register
from property_tests.examine.configuration import Everywhere
from property_tests.verify import Expected

verify.region_of = lambda solver, theorem: Everywhere()
BASE = register(bernoulli(0.0, name="made/base"))
KEPT = register(bernoulli(1.0, name="made/kept"))
ABOVE = register(bernoulli(1.0, name="made/above", requires=("made/base",)))
NOISY = register(bernoulli(1.0, name="made/noisy", traits=("warm_start",)))
KNOWN = (Expected("made/base", "the base is broken"), Expected("made/kept", "thought to fail"))

def test_kept(lrs_check): lrs_check(KEPT, solver=honest)
def test_base(lrs_check): lrs_check(BASE, solver=honest)
def test_above(lrs_check): lrs_check(ABOVE, solver=honest)
def test_noisy(lrs_check): lrs_check(NOISY, solver=honest)
def test_above_known(lrs_check): lrs_check(ABOVE, solver=honest, expected=KNOWN)
def test_known(lrs_check): lrs_check(BASE, solver=honest, expected=KNOWN)
def test_stale(lrs_check): lrs_check(KEPT, solver=honest, expected=KNOWN)
"""


def pytest_in(folder, *arguments):
    """Run pytest on its own, without this project's configuration; it would rewrite the assertions of the whole toolkit."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", "-rA", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "test_made.py").write_text(SUITE.format(here=str(HERE)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["one process", "xdist"]
)
def test_verdicts_become_outcomes_and_one_summary(suite, workers):
    done = pytest_in(suite, "--junitxml=junit.xml", *workers)
    out = done.stdout
    assert done.returncode == 1, out + done.stderr
    for outcome in (
        "PASSED test_made.py::test_kept",
        "FAILED test_made.py::test_base",
        "FAILED test_made.py::test_above",
        "SKIPPED",
        "XFAIL test_made.py::test_known - the base is broken",
        "XFAIL test_made.py::test_above_known - rests on made/base: the base is broken",
        "FAILED test_made.py::test_stale",
    ):
        assert outcome in out, out
    assert "CONFIRMED, but listed as an expected failure (thought to fail)" in out
    assert "run it again: lrs verify --solver honest --claims made/base --trial" in out
    assert "claims about honest" in out
    assert "1 of 3 claims confirmed at α = 1e-6, β = 0.001" in out
    assert "BLOCKED        made/above" in out
    assert "NOT APPLICABLE made/noisy" in out
    # One secret for all processes, in every witness line and below the verdicts.
    nonces = set(re.findall(r'"nonce":"(\w+)"', out)) | set(re.findall(r"--lrs-nonce (\w+) draws", out))
    assert len(nonces) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", *nonces)
    cases = ElementTree.parse(suite / "junit.xml").getroot().iter("testcase")
    kept = next(c for c in cases if c.get("name") == "test_kept")
    (verdict,) = [p.get("value") for p in kept.iter("property") if p.get("name") == "lrs_verdict"]
    assert '"verdict": "CONFIRMED"' in verdict


def test_the_secret_of_a_session_repeats_it(suite):
    nonce = "ab" * 16
    out = pytest_in(suite, "-k", "test_base", "--lrs-nonce", nonce).stdout
    assert f'"nonce":"{nonce}"' in out
    assert f"--lrs-nonce {nonce} draws the same data again" in out
    bad = pytest_in(suite, "-k", "test_base", "--lrs-nonce", "12").stdout
    assert "bad input: nonce: expected 32 hexadecimal digits" in bad
    assert "Traceback" not in bad


@pytest.mark.slow
def test_the_conformance_suite_ships(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "mine.py").write_text(
        "from bad_solvers import honest\n\ndef solve(problem, *, rng, callback=None):\n    print('hello')\n"
        "    return honest(problem, rng=rng)\n"
    )
    (tmp_path / "bad_solvers.py").write_text((HERE / "bad_solvers.py").read_text())
    claims = "conduct/prints-nothing,conduct/answers"
    done = pytest_in(
        tmp_path,
        *("--pyargs", "property_tests.conformance", "--lrs-solver", "mine:solve", "--lrs-claims", claims),
        *("--lrs-beta", "0.1"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "the solver prints: 'hello'" in done.stdout


@pytest.mark.slow
def test_a_misspelt_claim_or_solver_is_one_readable_error(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = pytest_in(tmp_path, "--pyargs", "property_tests.conformance", "--lrs-claims", "nothing/*")
    assert done.returncode != 0
    assert "claims: no claim matches 'nothing/*'" in done.stdout + done.stderr
    done = pytest_in(
        tmp_path, "--pyargs", "property_tests.conformance", "--lrs-claims", "conduct/answers", "--lrs-solver", "amth"
    )
    assert "bad input: solver: no solver named 'amth'; did you mean 'amht'?" in done.stdout
    assert "Traceback" not in done.stdout


def test_importing_the_plugin_imports_nothing_heavy():
    """pytest imports it in every session of everybody who has the toolkit installed."""
    code = (
        "import sys, property_tests.plugin; "
        "print([m for m in ('numpy', 'scipy', 'hypothesis', 'lrs', 'theory', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
