"""Relations proved or refuted by z3: every answer as documented, every counter-model confirmed on the numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest

pytest.importorskip("z3")

from lrs.core.errors import InvalidInput
from theory.families.low_rank_sparse import assumptions as a
from theory.language import symbols
from theory.language.predicate import And, Predicate
from theory.language.symbols import Status, d, k, m, r, t
from theory.language.theorem import Theorem
from theory.language.verdict import Verdict
from theory.prove.questions import TOPICS, catalogue, induction, monotonicity
from theory.prove.relation_graph import draw, graph
from theory.prove.relations import FACTS, Relation, RelationStatus, at_least, find_model, premise, prove, satisfiability
from theory.theorems import available_theorems, load_theorem

QUICK = [q for topic in ("induction", "fresh rows", "implication", "k = 0", "necessity") for q in TOPICS[topic]()]
LONG = [q for topic in ("monotonicity", "redundancy") for q in TOPICS[topic]()]


def verify(question: Relation) -> None:
    result = prove(question)
    assert result.status is question.expected
    assert bool(result.counter_model) == (result.status is RelationStatus.REFUTED)
    if result.counter_model:
        for statement in question.premises:
            assert statement.check(result.counter_model).verdict is Verdict.HOLDS
        assert question.conclusion.check(result.counter_model).verdict is Verdict.FAILS
        for name, value in result.counter_model.items():
            if symbols.quantity(name).integer:
                assert Fraction(value).denominator == 1, name


@pytest.mark.parametrize("question", QUICK, ids=lambda q: q.name)
def test_relations_are_as_documented(question: Relation) -> None:
    verify(question)


@pytest.mark.parametrize("question", monotonicity(load_theorem("amht-formal")), ids=lambda q: q.name)
def test_bounds_survive_more_rows_and_the_union_bound_not_more_tasks(question: Relation) -> None:
    verify(question)


@pytest.mark.slow
@pytest.mark.parametrize("question", LONG, ids=lambda q: q.name)
def test_all_monotonicity_and_redundancy_questions_are_as_documented(question: Relation) -> None:
    verify(question)


# ---------------------------------------------------------------------------------------------- satisfiability
@pytest.mark.parametrize("name", ["amht-informal", "low-rank-only", "robust-pca"])
def test_theorems_are_not_vacuous(name: str) -> None:
    check_witness(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", available_theorems())
def test_no_theorem_is_vacuous(name: str) -> None:
    check_witness(name)


#: Smallest d, t, m with constants 1: what `lrs theorems prove` prints.
WITNESSES = {
    "amht-informal": (1, 1, 1),
    "amht-formal": (1, 1, 3),
    "amht-noisy": (1, 1, 3),
    "amht-fresh-rows": (2500, 2500, 49406981),
    "amht-private": (1, 1, None),
    "sparse-vector-lemma": (1, 1, 132),
    "sparse-vector-lemma-fixed": (1, 1, 115),
    "new-task": (3, 1, 119),
    "low-rank-only": (1, 1, 6),
    "iht": (1, 1, None),
    "low-rank-sparse-sensing": (109, 1, 517),
    "robust-pca": (512, 512, 512),
}


def check_witness(name: str) -> None:
    witness = satisfiability(load_theorem(name))
    assert witness.verdict is Verdict.HOLDS
    assert witness.smallest
    assert tuple(witness.sizes.get(n) for n in ("d", "t", "m")) == WITNESSES[name]


def test_a_vacuous_theorem_is_reported() -> None:
    base = load_theorem("amht-informal")
    impossible = Predicate("few rows", m, "<", r, "test", Status.ASSUMED)
    vacuous = Theorem(
        "vacuous", "Vacuous", "", And("all", (*base.assumptions.parts, impossible)), base.conclusions, "test", Status.ASSUMED
    )  # fmt: skip
    witness = satisfiability(vacuous)
    assert witness.verdict is Verdict.FAILS
    assert witness.sizes == {}


def test_the_facts_hold_on_instances() -> None:
    from lrs.families.low_rank_sparse.generate import InstanceSpec, generate
    from theory.families.low_rank_sparse.measurement import measure

    for seed in range(5):
        spec = InstanceSpec(t=40, m=10, d=20, r=2, k=3, coherence=0.2 * seed, zeta=12 if seed % 2 else None)
        measured = measure(generate(spec, (23, seed)))
        for fact in FACTS:
            assert fact.check(measured).verdict is Verdict.HOLDS, fact.name


# ---------------------------------------------------------------------------------------------- the prover itself
def test_the_known_proofs_take_little_time() -> None:
    assert max(prove(q).seconds for q in induction()) < 5


def test_a_reversed_implication_yields_a_counter_model() -> None:
    forward = Relation("forward", (a.rows_every_b, at_least(k, 1)), a.rows_unknown_support, "test")
    backward = Relation("backward", (a.rows_unknown_support, at_least(k, 2)), a.rows_every_b, "test")
    assert prove(forward).status is RelationStatus.PROVED
    result = prove(backward)
    assert result.status is RelationStatus.REFUTED
    assert result.counter_model["m"] < result.counter_model["r"] + 2 * result.counter_model["k"]
    assert "counter-model" in str(result)


def test_a_timeout_is_undecided_and_never_a_pass() -> None:
    """Fermat's last theorem for exponent 3 in disguise, with a millisecond."""
    x, y, z = d, t, m
    hard = Relation(
        "hard",
        (at_least(r, 1),),
        Predicate("no cube", (x**3 + y**3 - z**3) ** 2 * r, ">", 0, "test", Status.DERIVED),
        "test",
    )
    result = prove(hard, timeout=0.001)
    assert result.status in (RelationStatus.UNDECIDED, RelationStatus.REFUTED)
    verdict, _ = find_model([~hard.conclusion, at_least(r, 1)], timeout=0.001, integers=True)
    assert verdict is Verdict.UNDECIDED


def test_logarithms_are_sharpened_until_a_model_is_true() -> None:
    """2.3 < ln d < 2.31 has only d = 10 among the integers; the first axioms alone would accept nonsense."""
    import sympy

    low = premise("low", sympy.log(d), ">", sympy.Rational(23, 10))
    high = premise("high", sympy.log(d), "<", sympy.Rational(231, 100))
    verdict, model = find_model([low, high], integers=True)
    assert verdict is Verdict.HOLDS
    assert model["d"] == 10
    none, _ = find_model([premise("gap", sympy.log(d), ">", sympy.Rational(231, 100)), premise("d", d, "<=", 10)])
    assert none is not Verdict.HOLDS


def test_unknown_topics_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no topic 'magic'; known are induction"):
        catalogue(["magic"])


# ---------------------------------------------------------------------------------------------- the graph
def test_the_graph_has_every_question_with_its_answer(tmp_path: object) -> None:
    questions = catalogue(["induction", "implication"])
    results = [prove(q) for q in questions]
    found = graph(results)
    for result in results:
        assert found.nodes[result.relation.name] is result.status
    assert found.nodes["samples per task (K_task)"] is RelationStatus.ASSUMED
    assert any(b == "rows of U determined" for _, b in found.edges)
    for name in ("graph.png", "graph.svg"):
        path = draw(results, f"{tmp_path}/{name}")
        assert path.stat().st_size > 5000


def test_tests_on_data_and_calibrated_bounds_are_marked() -> None:
    from theory.language.symbols import Constant
    from theory.prove.relation_graph import statement_status

    assert statement_status(a.gaussian_design) is RelationStatus.EMPIRICAL
    frozen = a.total_samples.with_constants(Constant("C_total", "larger-is-stronger", 3.0, "calibrated", "lock"))
    assert statement_status(frozen) is RelationStatus.CALIBRATED
    assert statement_status(a.total_samples) is RelationStatus.ASSUMED
