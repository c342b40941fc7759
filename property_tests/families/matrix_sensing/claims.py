"""What the theorems about matrix sensing say of programs: laws with their constants, from both sides.

Each law has a guard, a function of the configuration and never of an answer, before which nothing is said (`Sharp.before`).
Errors are ‖S − M‖_F. The derivations are in docs/families/matrix-sensing.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from scipy import special

from lrs.core.family import Success
from lrs.core.run import Run
from lrs.families.matrix_sensing.problem import NAME
from property_tests.examine.claim import Claim, Context, Kind, Outcome, register
from property_tests.examine.configuration import Configuration
from property_tests.examine.law import Exactly, Guarded, Sharp
from property_tests.families.matrix_sensing.region import SensingRegion, configuration, fully_observed, measured
from theory.families.matrix_sensing.limits import NormalLaw, convex_law
from theory.statistics.trace_law import late_rate

XIONG = "Xiong, Ding and Du 2024 [M]"
#: Errors below this are rounding.
ROUNDING = 1e-10
GUARDED = Guarded()
#: Gaussian measurements in units of n r that every solver has enough of.
MEASURED = 20


def errors(context: Context, run: Run[Any]) -> np.ndarray:
    """‖S_t − M‖_F of every iterate."""
    M = context.instance.truth.matrix
    return np.array([np.linalg.norm(step.model.matrix - M) for step in run.trace])


def excess_start(spec: Any) -> float:
    """Smallest singular value to expect of the start on the excess directions, by its size (Gordon 1985): √(1 − r/n) − √((k − r)/n)."""
    return math.sqrt(1 - spec.r / spec.n) - math.sqrt((spec.search_rank - spec.r) / spec.n)


def traced(check: Callable[[Context], Outcome]) -> Callable[[Context], Outcome]:
    """The check; whatever arithmetic breaks in it is the answer's fault, that is a failure and not a bug of the claim."""

    def guarded(context: Context) -> Outcome:
        try:
            with np.errstate(all="ignore"):
                return check(context)
        except (np.linalg.LinAlgError, ZeroDivisionError, IndexError) as error:
            return Outcome(False, -math.inf, f"no law can be read off this run ({error})")

    return guarded


# ---------------------------------------------------------------------------------------------- gradient descent on XXᵀ
STEP, START, STEPS = 0.1, 0.5, 1900
CONSTANT, EXACT = Sharp(within=0.05), Sharp(within=0.02)


def _slow(context: Context) -> Outcome:
    """T‖X_TX_Tᵀ − M‖_F against √(k − r)/(2η)."""
    spec = context.configuration.spec
    forgotten = 2 * STEP * STEPS * START**2 * excess_start(spec) ** 2
    found = STEP * STEPS / spec.kappa
    if forgotten < 20 or found < 12:
        return CONSTANT.before(f"2ηTs₀² = {forgotten:.3g} of 20, ηT/κ = {found:.3g} of 12")
    run = context.run(settings={"eta": STEP, "alpha": START, "steps": STEPS}, trace=False)
    error = float(np.linalg.norm(run.model.matrix - context.instance.truth.matrix))
    law = math.sqrt(spec.search_rank - spec.r) / (2 * STEP)
    return CONSTANT.judge("T‖XXᵀ − M‖", STEPS * error, law)


def _geometric(context: Context) -> Outcome:
    """With the exact rank the off-range part of X contracts by 1 − η/κ a step, and nothing is slower."""
    spec = context.configuration.spec
    if STEP * STEPS / spec.kappa < 45:
        return EXACT.before(f"ηT/κ = {STEP * STEPS / spec.kappa:.3g} of 45")
    e = errors(context, context.run(settings={"eta": STEP, "alpha": START, "steps": STEPS}))
    return EXACT.judge("rate", late_rate(e, 1e-4, ROUNDING), -math.log1p(-STEP / spec.kappa), curve=tuple(e))


# ---------------------------------------------------------------------------------------------- gradient descent on FGᵀ
LONG_STEP, LONG = 0.25, 1800
STARTS = (0.1, 0.16, 0.25, 0.4)
#: Of the constant, which is of first order in α².
SMALLER = (0.2, 0.25, 0.32)
IMBALANCED, SQUARE, MODIFIED = Sharp(within=0.1), Sharp(within=0.075), Sharp(within=0.15)


def _contracted(spec: Any, alpha: float) -> float:
    """e-folds that the excess directions contract by in all steps, to expect of the smallest imbalance."""
    return LONG_STEP * LONG * alpha**2 * 8 / 9 * excess_start(spec) ** 2


def imbalance(F: np.ndarray, G: np.ndarray, last: np.ndarray, r: int) -> float:
    """λ_min(Nᵀ(FᵀF − GᵀG)N) of the starts, N the excess directions: what is no longer in the last G, of rank r in the end."""
    N = np.linalg.svd(last)[2][r:].T
    return float(np.linalg.eigvalsh(N.T @ (F.T @ F - G.T @ G) @ N)[0])


def _asymmetric(context: Context) -> Outcome:
    """The rate against that of the imbalance, and the imbalance against the α that the solver was told."""
    alpha, spec = context.configuration["alpha"], context.configuration.spec
    if (folds := _contracted(spec, alpha)) < 5:
        return IMBALANCED.before(f"ηα²T(8/9)s₀² = {folds:.3g} of 5")
    run = context.run(settings={"eta": LONG_STEP, "alpha": alpha, "steps": LONG})
    (F, G), (_, last) = ((at.X, at.X if at.Y is None else at.Y) for at in (run.trace[i].model for i in (0, -1)))
    smallest = imbalance(F, G, last, spec.r)
    if not 0 < LONG_STEP * smallest < 1:
        return Outcome(
            False, -1.0, f"the starts differ by nothing that the excess directions could converge at: {smallest:.3g}"
        )
    law = -math.log1p(-LONG_STEP * smallest)
    # ‖F₀‖² − ‖G₀‖² ~ α²(χ² − χ²/9)/n, both with n k degrees of freedom
    told = 8 / 9 * alpha**2 * spec.search_rank
    spread = 3 * math.sqrt(2 * (1 + 1 / 81) / (spec.n * spec.search_rank)) * 9 / 8
    size = Sharp(within=spread).judge("‖F₀‖² − ‖G₀‖²", float(np.sum(F**2) - np.sum(G**2)), told)
    rate = late_rate(errors(context, run), math.inf, ROUNDING, share=0.5)
    return Outcome.all((IMBALANCED.judge("rate", rate, law, values={"alpha": alpha}), size))


def _squared(context: Context) -> Outcome:
    """The slope of ln rate on ln α, of one start at four sizes."""
    spec = context.configuration.spec
    if (folds := _contracted(spec, STARTS[0])) < 1:
        return SQUARE.before(f"at α = {STARTS[0]:g} ηα²T(8/9)s₀² = {folds:.3g} of 1")
    rates = []
    for alpha in STARTS:
        run = context.run(settings={"eta": LONG_STEP, "alpha": alpha, "steps": LONG})
        rates.append(late_rate(errors(context, run), math.inf, ROUNDING, share=0.5))
    if not min(rates) > 0:
        return Outcome(False, -1.0, f"at α = {STARTS[int(np.argmin(rates))]:g} the error does not fall geometrically")
    slope = float(np.polyfit(np.log(STARTS), np.log(rates), 1)[0])
    return SQUARE.judge(
        "slope of ln rate on ln α", slope, 2.0, values={f"rate at {a:g}": v for a, v in zip(STARTS, rates, strict=True)}
    )


# ---------------------------------------------------------------------------------------------- the modified step
BETA, SHORT = 0.7, 600


def _modified_run(context: Context) -> np.ndarray | Outcome:
    """Errors of a run, or why the step changes more than the excess directions."""
    spec, alpha = context.configuration.spec, context.configuration["alpha"]
    if BETA**2 * spec.kappa > 1:
        return MODIFIED.before(f"β²κ = {BETA**2 * spec.kappa:.3g} of at most 1")
    return errors(context, context.run(settings={"eta": STEP, "alpha": alpha, "beta": BETA, "steps": SHORT}))


def _modified(context: Context) -> Outcome:
    """The rate of the squared error against −2 ln(1 − ηβ²)."""
    e = _modified_run(context)
    if isinstance(e, Outcome):
        return e
    rate = 2 * late_rate(e, 1e-3, ROUNDING)
    return MODIFIED.judge("rate of the squared error", rate, -2 * math.log1p(-STEP * BETA**2), curve=tuple(e))


def _product(context: Context) -> Outcome:
    """No step raises the error: those of descent lower it, and the modified one does not change FGᵀ."""
    e = _modified_run(context)
    if isinstance(e, Outcome):
        return e
    e = e[: max(2, int(np.argmax(e < ROUNDING)) or len(e))]
    return Outcome.below("largest e_{t+1}/e_t", float(np.max(e[1:] / e[:-1])), 1.0, curve=tuple(e))


# ---------------------------------------------------------------------------------------------- preconditioned
FACTOR, DAMPED = Sharp(within=0.02), 0.4


def _factor(context: Context) -> Outcome:
    """The late factor of PrecGD against (1 − η/(1 + √(k − r)))², the same at every κ."""
    spec = context.configuration.spec
    e = errors(context, context.run(settings={"eta": DAMPED, "steps": 200}))
    law = (1 - DAMPED / (1 + math.sqrt(spec.search_rank - spec.r))) ** 2
    return FACTOR.judge("factor", math.exp(-late_rate(e, 1e-5, ROUNDING / 10)), law, curve=tuple(e))


def _thirty(context: Context) -> Outcome:
    """1e-8 after thirty steps."""
    run = context.run(settings={"steps": 30})
    return Outcome.below("matrix_error", context.outcome(run).errors["matrix_error"], 1e-8)


# ---------------------------------------------------------------------------------------------- the convex program
PROGRAM = (12, 1)  # side and rank


@cache
def program_law() -> NormalLaw:
    """The transition at the size that is tried, by simulation."""
    return convex_law(PROGRAM[0], PROGRAM[0], PROGRAM[1])


def found_by_the_program(of: Configuration) -> float:
    """P(the convex program succeeds) = Φ((m − δ)/ς)."""
    law = program_law()
    return float(special.ndtr((of.spec.m - law.centre) / law.spread))


def _around_the_dimension(region: SensingRegion) -> SearchStrategy[Configuration]:
    n, r = PROGRAM
    law = program_law()
    low, high = (round(law.centre + side * law.spread) for side in (-1, 1))
    return st.integers(low, high).map(lambda m: configuration(n, r, r, m=m))


# ---------------------------------------------------------------------------------------------- registration
def _over(region: SensingRegion, **options: Any) -> SearchStrategy[Configuration]:
    return fully_observed(region, excess=(1, 3), **options)


def _claim(
    name: str,
    statement: str,
    cite: str,
    kind: Kind,
    configurations: Callable[[SensingRegion], SearchStrategy[Configuration]],
    check: Callable[[Context], Outcome],
    theorem: str = "",
    traits: Sequence[str] = (),
    **rest: Any,
) -> None:
    meant = (theorem.replace("-", "_"),) if theorem else ()
    register(
        Claim(
            name=name,
            statement=statement,
            cite=cite,
            kind=kind,
            families=(NAME,),
            configurations=configurations,  # type: ignore[arg-type]
            check=traced(check),
            theorems=(theorem,) if theorem else (),
            traits=(*meant, *traits),
            **rest,
        )
    )


_claim(
    "recovery/every-entry",
    "With every entry observed, the exact rank and κ ≤ 2 the matrix is recovered.",
    "what each of the family's theorems promises at k = r; the reading is chosen here",
    GUARDED,
    partial(fully_observed, sides=(4, 16), excess=(0, 0), condition=2.0),
    lambda context: context.recovered(),
    traits=("exact",),
)
_claim(
    "recovery/measured",
    f"With {MEASURED} n r Gaussian measurements, the exact rank and κ ≤ 2 the matrix is recovered.",
    f"O(n r) measurements with a constant that gives the isometry each theorem asks for [R]; {MEASURED} measured [N]",
    GUARDED,
    partial(measured, times=MEASURED, condition=2.0),
    lambda context: context.recovered(success=Success(tolerance=1e-4)),
    traits=("exact",),
)
_claim(
    "symmetric/constant",
    "With k > r and every entry observed T‖X_TX_Tᵀ − M‖_F is √(k − r)/(2η), neither less nor more, once 2ηTs₀² ≥ 20 and ηT/κ ≥ 12.",
    f"Ω(1/T²) in squared error: {XIONG}; the constant and its guard [D]",
    CONSTANT,
    partial(_over, sides=(24, 36), ranks=(1, 3)),
    _slow,
    "symmetric-gd",
    ("eta", "alpha", "steps"),
)
_claim(
    "symmetric/exact-rank",
    "With k = r and every entry observed the error falls by the factor 1 − η/κ a step, neither less nor more, once ηT/κ ≥ 45.",
    f"exp(−Ω(T)): {XIONG}; the factor [D]",
    EXACT,
    partial(fully_observed, sides=(10, 20), ranks=(1, 3), excess=(0, 0), condition=4.0),
    _geometric,
    "symmetric-gd",
    ("eta", "alpha", "steps", "trace"),
)
_claim(
    "asymmetric/constant",
    "With k > r and every entry observed the error falls at the rate −ln(1 − ηλ), λ = λ_min(Nᵀ(F₀ᵀF₀ − G₀ᵀG₀)N), N the kernel of G in the end, "
    "neither less nor more, and the starts are as large as told.",
    f"exp(−Θ(ηα²T)): {XIONG}; the constant [D]",
    IMBALANCED,
    partial(_over, sides=(18, 24), condition=2.0, alpha=st.sampled_from(SMALLER)),
    _asymmetric,
    "asymmetric-gd",
    ("eta", "alpha", "steps", "trace"),
)
_claim(
    "asymmetric/alpha-squared",
    "The slope of ln rate on ln α over α = .1, .16, .25, .4 is 2, neither less nor more.",
    f"exp(−Θ(ηα²T)): {XIONG}",
    SQUARE,
    partial(fully_observed, sides=(18, 24), excess=(1, 2), condition=2.0),
    _squared,
    "asymmetric-gd",
    ("eta", "alpha", "steps", "trace"),
    calls=4.0,
)
_claim(
    "modified/rate",
    "After one modified step the squared error falls at the rate −2 ln(1 − ηβ²), whatever α was, neither less nor more, where β²κ ≤ 1.",
    f"{XIONG}; form of the step [M]",
    MODIFIED,
    partial(_over, sides=(16, 24), condition=2.0, alpha=st.sampled_from((0.05, 0.1, 0.4))),
    _modified,
    "modified-gd",
    ("eta", "alpha", "steps", "trace"),
)
_claim(
    "modified/product",
    "No step raises the error: the modified one leaves FGᵀ as it is.",
    "FQD(GQD⁻¹)ᵀ = FGᵀ [D]",
    GUARDED,
    partial(_over, sides=(16, 24), condition=2.0, alpha=st.sampled_from((0.05, 0.1, 0.4))),
    _product,
    "modified-gd",
    ("eta", "alpha", "steps", "trace"),
)
_claim(
    "precgd/factor",
    "With k > r and every entry observed the error falls by the factor (1 − η/(1 + √(k − r)))² a step late in the run, at every κ.",
    "Zhang, Fattahi and Zhang 2021, arXiv 2504.09708 [M]; the factor [D]",
    FACTOR,
    lambda region: _over(SensingRegion(region.name, region.label, (1.0, 10.0, 100.0)), sides=(16, 30), ranks=(1, 3)),
    _factor,
    "precgd",
    ("eta", "steps", "trace"),
)
_claim(
    "scaled/thirty-steps",
    "With every entry observed and any k ≥ r thirty steps reach a relative error of 1e-8 at κ = 1, 10 and 100.",
    "O(log κ log κn + log 1/ε) steps: Xu, Shen, Chi and Ma 2023 [M]; the number [N]",
    GUARDED,
    lambda region: fully_observed(
        SensingRegion(region.name, region.label, (1.0, 10.0, 100.0)), sides=(16, 30), ranks=(1, 3), excess=(0, 3)
    ),
    _thirty,
    "scaled-gd",
    ("steps",),
)
_claim(
    "convex/law",
    f"At {PROGRAM[0]} × {PROGRAM[0]}, rank {PROGRAM[1]}, the program finds M from m Gaussian measurements as often as Φ((m − δ)/ς) says.",
    "Amelunxen, Lotz, McCoy and Tropp 2014 [R]; δ and ς by simulation of the descent cone [N]",
    Exactly(found_by_the_program, off=0.12, error=0.04, most=2000),
    _around_the_dimension,
    lambda context: context.recovered(success=Success(tolerance=1e-3)),
    "nuclear-norm",
)
