"""Theorem objects: what they state, what they check, what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy

from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
from theory.families.low_rank_sparse.measurement import measure
from theory.language import symbols
from theory.language.measured import Measured
from theory.language.predicate import Statement
from theory.language.symbols import Constant, Status
from theory.language.theorem import constant_limit
from theory.language.verdict import Verdict
from theory.theorems import Theorem, available_theorems, load_theorem

ALL = [load_theorem(name) for name in available_theorems()]


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure(generate(InstanceSpec(t=300, m=40, d=50, r=2, k=3), 0))


def with_values(theorem: Theorem, **values: float) -> Theorem:
    directions = {c.name: c.direction for c in theorem.constants}
    return theorem.with_constants(*(Constant(n, directions[n], v, "cited", "test") for n, v in values.items()))


@pytest.mark.parametrize("theorem", ALL, ids=lambda t: t.name)
def test_every_theorem_is_complete(theorem: Theorem) -> None:
    assert theorem.source
    assert theorem.statement
    assert theorem.conclusions
    names = [p.name for p in theorem.assumptions.parts]
    assert len(names) == len(set(names))
    for statement in (*theorem.assumptions.parts, *theorem.conclusions):
        for p in statement.predicates:
            assert p.cite
            assert p.meaning
    document = theorem.to_dict()
    json.dumps(document, allow_nan=False)
    for tree, statement in zip(document["assumptions"], theorem.assumptions.parts, strict=True):
        assert Statement.from_json(tree) == statement


@pytest.mark.parametrize("theorem", ALL, ids=lambda t: t.name)
def test_latex_is_printed_from_the_objects(theorem: Theorem) -> None:
    text = theorem.latex()
    for statement in (*theorem.assumptions.parts, *theorem.conclusions):
        assert statement.latex() in text
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 2


def test_the_informal_theorem_is_the_papers() -> None:
    """m t = Ω(k d r⁴), m = Ω(max(k, r³)), σ = 0: these and nothing else about sizes, all quoted."""
    theorem = load_theorem("amht-informal")
    m, t, k, d, r = (symbols.quantity(n).symbol for n in "mtkdr")
    bounds = {p.name: p for p in theorem.assumptions.parts if p.constants and "C_" in p.constants[0].name}
    total, task = bounds["total samples"], bounds["samples per task"]
    assert len(bounds) == 2
    assert (total.lhs, task.lhs) == (m * t, m)
    assert sympy.simplify(total.rhs / (k * d * r**4)).free_symbols == {sympy.Symbol("C_total", positive=True)}
    assert sympy.simplify(task.rhs / sympy.Max(k, r**3)).free_symbols == {sympy.Symbol("C_task", positive=True)}
    assert {p.status for p in theorem.assumptions.predicates} == {Status.QUOTED}
    assert theorem.status is Status.QUOTED
    assert all(c.status == "free" for c in theorem.constants if c.name.startswith("C_"))


def test_what_is_reconstructed_says_so() -> None:
    for name in ("amht-formal", "amht-noisy"):
        theorem = load_theorem(name)
        assert theorem.status is Status.RECONSTRUCTED
        assert "reconstruct" in theorem.title
        assert {p.status for p in theorem.conclusions} == {Status.ASSUMED}
    assert load_theorem("sparse-vector-lemma").status is Status.DERIVED
    for name in ("iht", "robust-pca", "low-rank-sparse-sensing"):
        assert load_theorem(name).status is Status.ASSUMED


def test_with_constants_the_informal_theorem_is_decided(measured: Measured) -> None:
    theorem = with_values(load_theorem("amht-informal"), C_total=2.0, C_task=3.0)
    check = theorem.check(measured)
    assert check.verdict is Verdict.HOLDS
    report = theorem.report(measured)
    assert report.verdict is Verdict.HOLDS
    assert not report.unevaluated
    strict = with_values(theorem, C_total=6.0)
    assert strict.report(measured).verdict is Verdict.FAILS
    binding = strict.report(measured).binding
    assert binding is not None
    assert binding.name == "total samples"
    assert dict(binding.sub_expressions)["C_total*d*k*r**4"] == 6 * 50 * 3 * 16


def test_free_constants_leave_it_open_and_tell_for_which_values_it_holds(measured: Measured) -> None:
    report = load_theorem("amht-informal").report(measured)
    assert report.verdict is Verdict.UNDECIDED
    found = {u.name: u.holds_for for u in report.unevaluated}
    assert found == {"total samples": "C_total ≤ 5", "samples per task": "C_task ≤ 5"}
    for part in load_theorem("amht-informal").assumptions.parts[-2:]:
        name = part.constants[0].name
        limit = constant_limit(part, name, measured)
        assert limit == ("≤", pytest.approx(5.0))
        assert part.check({**measured, name: 4.999})
        assert not part.check({**measured, name: 5.001})


@pytest.mark.parametrize("theorem", ALL, ids=lambda t: t.name)
def test_the_values_a_free_constant_may_take_are_right(theorem: Theorem, measured: Measured) -> None:
    extra = {"init_error": 0.2, "init_row": 0.4, "c_1": 0.25, "alpha": 1.0}
    for part in theorem.assumptions.parts:
        for c in part.constants:
            if c.value is not None or constant_limit(part, c.name, {**measured, **extra}) is None:
                continue
            side, value = constant_limit(part, c.name, {**measured, **extra})  # type: ignore[misc]
            inside, outside = (0.99, 1.01) if side == "≤" else (1.01, 0.99)
            assert part.check({**measured, **extra, c.name: value * inside}), part.name
            assert not part.check({**measured, **extra, c.name: value * outside}), part.name


def test_a_missing_quantity_is_named_with_the_reason(measured: Measured) -> None:
    theorem = load_theorem("amht-formal")
    blind = measure(generate(InstanceSpec(t=30, m=12, d=15, r=2, k=2), 0).problem)
    with pytest.raises(InvalidInput, match=r"amht-formal cannot be checked: orthonormal U needs .*\(orth\).*--model"):
        theorem.check(blind)
    reasons = {u.name: u.why for u in theorem.report(measured).unevaluated}
    assert "no warm start" in reasons["initial subspace"]
    assert "number of outer steps (L): was not given" in reasons["fresh samples per outer step"]
    assert theorem.report(measured.with_values(L=3)).to_dict()["verdict"] == "UNDECIDED"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_theorem("amht-infromal"), "did you mean 'amht-informal'"),
        (lambda: load_theorem("xyz"), "known are amht-formal"),
        (
            lambda: load_theorem("iht").with_constants(Constant("C_total", "larger-is-stronger", 1.0, "cited")),
            "iht has no constant 'C_total'; it uses none",
        ),
    ],
)
def test_bad_names_are_refused(call: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()  # type: ignore[operator]


def test_theorems_for_other_regimes_say_they_do_not_apply(measured: Measured) -> None:
    failed = {
        name: {c.name for c in load_theorem(name).report(measured).checks if not c}
        for name in ("low-rank-only", "low-rank-sparse-sensing", "robust-pca")
    }
    assert failed["low-rank-only"] == {"no sparse part"}
    assert failed["low-rank-sparse-sensing"] == {"restricted isometry possible", "incoherence"}
    assert failed["robust-pca"] == {"Θ observed", "corruption"}


def test_iht_takes_either_route() -> None:
    theorem = load_theorem("iht")
    base = {"k": 3, "k_max": 3, "rsc": 1.0, "rss": 2.0, "s": 3, "eta": 1.0, "rip_3k": 0.6}
    assert theorem.check(base).verdict is Verdict.FAILS
    assert theorem.check({**base, "rip_3k": 0.49}).verdict is Verdict.HOLDS
    assert theorem.check({**base, "s": 384, "eta": 1 / 3}).verdict is Verdict.HOLDS
    assert theorem.check({**base, "s": 383, "eta": 1 / 3}).verdict is Verdict.FAILS


# ---------------------------------------------------------------------------------------------- the lemma on data
def sparse_step_violations(m: int, seeds: range, shift_scale: float) -> tuple[int, int]:
    """Steps of OptimizeSparseVector that leave supp b* or exceed 2Δ, with true α, β, γ and c₁ = ¼ (d = 200, k = 5)."""
    theorem = load_theorem("sparse-vector-lemma")
    two_delta = theorem.conclusions[1].predicates[0]
    d, k, steps, wrong = 200, 5, 0, 0
    for seed in seeds:
        rng = np.random.default_rng([22, m, seed])
        X = rng.standard_normal((m, d))
        truth = np.zeros(d)
        truth[rng.choice(d, k, replace=False)] = rng.choice([-1.0, 1.0], k) * rng.uniform(0.5, 1.5, k)
        shift = rng.standard_normal(d) * shift_scale
        b = np.zeros(d)
        gamma = float(np.abs(truth).max())
        values = {"alpha": np.abs(shift).max(), "beta": np.linalg.norm(shift), "c_1": 0.25, "k": k, "sigma": 0.0}
        values |= {"m": m, "d": d, "t": 1, "delta": 0.05}
        for _ in range(10):
            c = b - X.T @ (X @ (b + shift - truth)) / m
            at = {**values, "gamma": gamma, "b_inf_next": 0.0}
            threshold = float(two_delta.sides(at)[1]) / 2
            b = np.where(np.abs(c) > threshold, c, 0.0)
            wrong += bool(np.any((b != 0) & (truth == 0))) or not two_delta.check(
                {**at, "b_inf_next": float(np.abs(b - truth).max())}
            )
            steps += 1
            gamma = 2 * threshold
    return wrong, steps


def test_the_lemma_holds_far_above_its_bound_and_breaks_below() -> None:
    """15 k ln d = 400 rows: never violated; 3.8 k ln d = 100 rows: in one step of ten or more (entries of v − v* of .1)."""
    assert sparse_step_violations(400, range(20), 0.1) == (0, 200)
    wrong, steps = sparse_step_violations(100, range(20), 0.1)
    assert wrong >= steps / 10


def test_the_lemma_needs_more_rows_when_v_is_nearly_exact() -> None:
    """Then α gives Δ no room: 15 k ln d rows are violated at the first step, 60 k ln d = 1600 are not."""
    assert sparse_step_violations(400, range(20), 1e-3)[0] > 0
    assert sparse_step_violations(1600, range(20), 1e-3) == (0, 200)
