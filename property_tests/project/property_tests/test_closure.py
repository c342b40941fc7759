"""Evidence rests on everything that its trials import, and on nothing else."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from property_tests.examine import closure
from property_tests.examine.claim import Always, Claim, claims
from property_tests.examine.engine import examine
from property_tests.examine.ledger import Ledger
from property_tests.examine.synthetic import NoSolver, bernoulli
from property_tests.show.report import _trials


@pytest.fixture
def edit(monkeypatch):
    """Change the text of a module, as it will be read from now on."""

    def forget() -> None:
        for function in (closure.closure, closure.fingerprint):
            function.cache_clear()
        for c in claims():
            c.__dict__.pop("hash", None)

    def change(module: str, old: str, new: str) -> None:
        read, known = closure.read, closure._source
        assert old in read(closure._file(module))
        with monkeypatch.context() as reading:
            reading.setattr(closure, "read", lambda file: read(file).replace(old, new))
            changed = known.__wrapped__(module)
        monkeypatch.setattr(closure, "_source", lambda name: changed if name == module else known(name))
        forget()

    yield change
    monkeypatch.undo()
    forget()


def hashes(pattern: str = "*") -> dict[str, str]:
    return {c.name: c.hash for c in claims(pattern)}


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("lrs.families.low_rank_sparse.metrics", "return", "return 0 *"),
        ("lrs.families.low_rank_sparse.generate", "+", "-"),
        ("property_tests.families.low_rank_sparse.strategies", "return", "return 0 or"),
        ("property_tests.families.low_rank_sparse.claims.recovery", "1e-6", "1e-3"),
        ("lrs.isolation.worker", "armed = True", "armed = False"),  # what counts as a fault
        ("theory.families.low_rank_sparse.fixtures", "return", "return 0 or"),  # reached through the structures
    ],
)
def test_a_change_of_what_recovery_rests_on_voids_its_evidence(edit, module, old, new):
    before = hashes("recovery/*")
    edit(module, old, new)
    assert not before.items() & hashes("recovery/*").items()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("phase_diagrams.draw.plot", "return", "return 0 or"),
        ("property_tests.show.report", "return", "return 0 or"),
        ("lrs.families.low_rank_sparse.model", "        Parameters\n", "        Arguments\n"),  # in docstrings
        ("lrs.families.low_rank_sparse.metrics", "\n\n\n", "\n\n\n# a remark\n\n"),
    ],
)
def test_what_changes_no_verdict_voids_no_evidence(edit, module, old, new):
    before = hashes()
    edit(module, old, new)
    assert hashes() == before


def test_a_claim_does_not_rest_on_its_neighbours(edit):
    before = hashes()
    edit("property_tests.families.low_rank_sparse.claims.privacy", "return", "return 0 or")
    changed = {name for name, text in hashes().items() if text != before[name]}
    assert changed == {c.name for c in claims("private/*")}


def test_somebody_elses_package_is_followed(tmp_path, monkeypatch, edit):
    files = {
        "__init__": "",
        "claims": "from . import helper\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from foreign_claims import types\n",
        "helper": "def f():\n    from .deep.down import g\n    import numpy, json\n",
        "deep/__init__": "",
        "deep/down": "import importlib\nimportlib.import_module('foreign_claims.literal')\n",
        "literal": "from lrs import InvalidInput\n",
        "types": "",
        "unrelated": "",
    }
    for name, text in files.items():
        file = tmp_path / "foreign_claims" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = closure.closure("foreign_claims.claims")
    own = {n.removeprefix("foreign_claims").removeprefix(".") for n in found if n.startswith("foreign_claims")}
    assert own == {"", "claims", "helper", "deep", "deep.down", "literal"}
    assert "lrs.core.errors" in found  # through lrs, which is followed
    assert not {"numpy", "json"} & set(found)
    before = closure.fingerprint("foreign_claims.claims")
    edit("foreign_claims.literal", "InvalidInput", "LRSModel")
    assert closure.fingerprint("foreign_claims.claims") != before


def test_lone_files_are_followed_to_those_beside_them(tmp_path, monkeypatch, edit):
    (tmp_path / "lone_claims.py").write_text("import lone_helper\nfrom theory import certify\n")
    (tmp_path / "lone_helper.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = closure.closure("lone_claims")
    assert {"lone_claims", "lone_helper"} < set(found)
    assert "theory.statistics.rates" in found  # `theory` finds `certify` there on demand


def test_a_check_without_a_file_is_known_by_its_text_and_a_partial_by_what_it_calls():
    def made(text: str, wrap=lambda f: f) -> Claim:
        names: dict = {"__name__": "notebook"}
        exec(text, names)
        return Claim(
            name="a/b",
            statement="s",
            cite="c",
            kind=Always(),
            configurations=bernoulli(1.0).configurations,
            check=wrap(names["f"]),
        )

    assert made("def f(c): pass").hash == made("def f(c): pass").hash
    assert made("def f(c): pass").hash != made("def g(c): pass\nf = g").hash
    assert made("def f(c): pass", partial).hash == made("def f(c): pass").hash


def test_the_report_says_how_many_trials_are_about_older_code(tmp_path: Path, edit):
    with Ledger(tmp_path / "ledger") as ledger:
        (first,) = examine(NoSolver(), [bernoulli(1.0)], ledger=ledger)
        (same,) = examine(NoSolver(), [bernoulli(1.0)], ledger=ledger)
        edit("lrs.families.low_rank_sparse.metrics", "return", "return 0 *")
        (other,) = examine(NoSolver(), [bernoulli(1.0)], ledger=ledger)
    assert (first.outdated, same.resumed, same.outdated) == (0, 40, 0)
    assert (other.resumed, other.outdated) == (0, 40)
    assert "40 in the ledger are about older code, not counted" in _trials(other)
    assert "older code" not in _trials(same)
