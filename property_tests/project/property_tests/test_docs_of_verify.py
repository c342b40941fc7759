"""The pages about verification say what the code does."""

import re
from pathlib import Path

import pytest

from lrs.core.run import Fault
from lrs.solver import load_solver
from property_tests.examine.claim import Verdict
from property_tests.examine.configuration import Configuration
from property_tests.examine.engine import BUDGETS

PAGES = Path(__file__).parents[3] / "docs" / "verify"
VALIDATE = (PAGES / "validate-your-variant.md").read_text(encoding="utf-8")
CLAIMS = (PAGES / "claims.md").read_text(encoding="utf-8")
VERDICTS = (PAGES / "verdicts.md").read_text(encoding="utf-8")


@pytest.fixture
def variant(tmp_path, monkeypatch):
    code = re.search(r"```python\n(# variant.py\n.*?)```", VALIDATE, re.S)[1]
    (tmp_path / "variant.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    return load_solver("variant:solve")


def test_the_ten_lines_run_and_fail_where_the_page_says(variant):
    from lrs.core.run import Limits, Subject
    from property_tests.examine.bench import Bench
    from property_tests.examine.claim import claims
    from property_tests.families.low_rank_sparse.strategies import PRACTICAL

    text, nonce, phase, replicate = re.search(
        r"Configuration.parse\('(.*?)'\)\nnonce = \"(.*?)\"\ninstance = .*?\(\"(.*?)\", (\d+), nonce\)", VALIDATE
    ).groups()
    (claim,) = claims("recovery/exact")
    assert PRACTICAL.depth(Configuration.parse(text)).margin >= 0
    with Bench(Subject.of("variant:solve"), Limits()) as bench:
        trial = bench.trial(claim, PRACTICAL, phase, Configuration.parse(text), int(replicate), nonce)
    assert trial.failed
    assert trial.outcome.note in VALIDATE
    code = re.search(r"def solve.*?\n\n\n", VALIDATE, re.S)[0]
    assert len(code.strip().splitlines()) <= 10


def test_the_tables_list_every_verdict_fault_and_budget():
    for v in Verdict:
        assert f"| {v.value.replace('_', ' ')} |" in VERDICTS
    for f in Fault.known():
        assert f.value in VERDICTS, f
    for b in BUDGETS.values():
        row = next(line for line in VERDICTS.splitlines() if line.startswith(f"| {b.name} |"))
        numbers = [int(n) for n in re.findall(r"\d+", row)]
        counted = [b.least, b.most] if b.least else [b.most]
        assert numbers == [b.explore, *counted, int(b.limits.seconds), b.limits.iterations]


def test_the_claims_of_the_page_are_checked(monkeypatch):
    from property_tests.examine import claim
    from property_tests.verify import check_solver

    claim.claims(family="heavy_mean:FAMILY")  # ours into the registry itself, the page's into a copy
    monkeypatch.setattr(claim, "_REGISTRY", list(claim._REGISTRY))
    (of_a_family,) = re.findall(r"```python\n(.*?)```", CLAIMS, re.S)
    exec(of_a_family, names := {"__name__": "theirs"})
    options = {"family": "heavy_mean:FAMILY", "region": names["REGION"], "claims": "robust/found", "jobs": 1}
    for solver, verdict in (("heavy_mean:Trimmed", Verdict.CONFIRMED), ("heavy_mean:mean", Verdict.REFUTED)):
        assert check_solver(solver, **options)["robust/found"].verdict is verdict
