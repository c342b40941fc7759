"""How sharp the laws of matrix sensing are: every figure of docs/families/matrix-sensing.md.

``python -m property_tests.benchmarks.sensing`` prints the laws of descents (20 s); the transition of the convex program is a
sweep of `LOOSE`, whose command is in the same page, and ``python -m property_tests.benchmarks.sensing FOLDER`` compares it with the law.
"""

from __future__ import annotations

import sys

import numpy as np

from lrs.families.matrix_sensing import (
    AsymmetricGD,
    ModifiedGD,
    NuclearNorm,
    PrecGD,
    ScaledGD,
    SensingSpec,
    SymmetricGD,
)
from lrs.families.matrix_sensing.problem import draw
from property_tests.families.matrix_sensing.claims import imbalance
from theory.families.matrix_sensing.limits import convex_law, statistical_dimension
from theory.statistics.trace_law import late_rate, law_of

#: Whether M was found shows at an error of 1e-3; that takes a fifth of the time.
LOOSE = NuclearNorm(tolerance=1e-5)


def traced(solver, spec, seed=0):
    """Errors ‖S_t − M‖_F, the first and the last iterate."""
    instance = draw(spec, (seed,))
    M, errors, seen = instance.truth.matrix, [], []

    def see(iterate):
        errors.append(float(np.linalg.norm(iterate.model.matrix - M)))
        seen[1:] = [iterate.model]

    solver(instance.problem, rng=np.random.default_rng(seed), callback=see)
    return np.array(errors), seen[0], seen[-1]


def slow():
    """T‖XXᵀ − M‖ ÷ (√(k − r)/(2η))."""
    T, eta = 4000, 0.1
    print("symmetric, k > r: T·error ÷ law, n = 50, r = 3, η = .1, α = .3, T = 4000")
    for kappa in (1.0, 10.0, 100.0):
        ratios = []
        for k in (4, 6, 10):
            solver = SymmetricGD(eta=eta, alpha=0.3, max_iterations=T, tolerance=0)
            e, _, _ = traced(solver, SensingSpec(n=50, r=3, k=k, kappa=kappa))
            ratios.append(T * e[-1] / (np.sqrt(k - 3) / (2 * eta)))
        print(f"  κ = {kappa:g}: k = 4, 6, 10: " + ", ".join(f"{r:.3f}" for r in ratios))
    e, _, _ = traced(
        SymmetricGD(eta=eta, alpha=0.5, max_iterations=12000, tolerance=0), SensingSpec(n=30, r=3, k=6, kappa=100.0)
    )
    print(f"  κ = 100, T = 12000 (n = 30, k = 6, α = .5): {12000 * e[-1] / (np.sqrt(3) / (2 * eta)):.3f}")
    for times in (3, 10, 30):
        solver = SymmetricGD(eta=eta, alpha=0.5, max_iterations=2000, tolerance=0)
        e, _, _ = traced(solver, SensingSpec(n=20, r=2, k=4, m=times * 40))
        print(
            f"  m = {times} n r Gaussian measurements (n = 20, r = 2, k = 4): {2000 * e[-1] / (np.sqrt(2) / (2 * eta)):.2f}"
        )
    e, _, _ = traced(SymmetricGD(max_iterations=T, tolerance=0), SensingSpec(n=50, r=3, k=6))
    print(f"  lrs rate says: {law_of(e).sentence}; the law's C = {np.sqrt(3) / (2 * eta):.4g}")


def geometric():
    """The exact rank."""
    print("symmetric, k = r: rate ÷ −ln(1 − η/κ), n = 20, r = 2")
    for kappa in (1.0, 2.0, 4.0):
        solver = SymmetricGD(alpha=0.5, max_iterations=1900, tolerance=0)
        e, _, _ = traced(solver, SensingSpec(n=20, r=2, kappa=kappa))
        print(f"  κ = {kappa:g}: {late_rate(e, 1e-4, 1e-10) / -np.log1p(-0.1 / kappa):.5f}")


def two_factors():
    """rate/(ηα²), and rate ÷ −ln(1 − ηλ), λ the smallest imbalance of the starts."""
    alphas, eta = (0.1, 0.16, 0.25, 0.4), 0.25
    print("asymmetric, k > r, n = 20, r = 2, k = 4, η = .25, α = .1, .16, .25, .4: rate/(ηα²); ÷ law; slope")
    for seed in range(4):
        rates, ratios = [], []
        for alpha in alphas:
            solver = AsymmetricGD(eta=eta, alpha=alpha, max_iterations=1800, tolerance=0)
            e, start, last = traced(solver, SensingSpec(n=20, r=2, k=4), seed)
            rates.append(late_rate(e, np.inf, 1e-10, share=0.5))
            ratios.append(rates[-1] / -np.log1p(-eta * imbalance(start.X, start.Y, last.Y, 2)))
        slope = np.polyfit(np.log(alphas), np.log(rates), 1)[0]
        shown = ", ".join(f"{r / (eta * a**2):.3f}" for r, a in zip(rates, alphas, strict=True))
        print(f"  seed {seed}: {shown}; {', '.join(f'{r:.3f}' for r in ratios)}; {slope:.3f}")


def modified():
    """The squared rate after the modified step."""
    law = -2 * np.log1p(-0.1 * 0.7**2)
    print("modified step, β = .7, η = .1, n = 20, r = 2, k = 4: rate of the squared error ÷ −2 ln(1 − ηβ²)")
    for kappa in (1.0, 2.0):
        found = [
            2 * late_rate(traced(ModifiedGD(alpha=a), SensingSpec(n=20, r=2, k=4, kappa=kappa))[0], 1e-3, 1e-8) / law
            for a in (0.05, 0.1, 0.4)
        ]
        print(f"  κ = {kappa:g}: α = .05, .1, .4: " + ", ".join(f"{r:.3f}" for r in found))


def preconditioned():
    """Factors of PrecGD, steps of ScaledGD(λ)."""
    spec = {"n": 30, "r": 3, "k": 6}
    law = (1 - 0.4 / (1 + np.sqrt(3))) ** 2
    print(f"PrecGD, η = .4, n = 30, r = 3, k = 6: late factor (law {law:.4f}); ScaledGD(λ): steps to 1e-8")
    for kappa in (1.0, 10.0, 100.0):
        e, _, _ = traced(PrecGD(tolerance=1e-12), SensingSpec(**spec, kappa=kappa))
        s, _, _ = traced(ScaledGD(max_iterations=60, tolerance=0), SensingSpec(**spec, kappa=kappa))
        steps = int(np.argmax(s <= 1e-8 * np.linalg.norm(draw(SensingSpec(**spec, kappa=kappa), (0,)).truth.matrix)))
        print(f"  κ = {kappa:g}: {np.exp(-late_rate(e, 1e-5, 1e-11)):.4f}; {steps}")


def program(folder):
    """The boundary of a sweep of the convex program against its law."""
    from phase_diagrams.analysis.boundary import boundary
    from phase_diagrams.analysis.table import load

    trials = load(folder)
    n, r = (int(trials.spec.fixed[name]) for name in ("n", "r"))
    law = convex_law(n, n, r)
    print(boundary(trials, link="probit").table().to_string())
    print(f"δ = {statistical_dimension(side=n, columns=n, rank=r):.1f}; {law}")


if __name__ == "__main__":
    if sys.argv[1:]:
        program(sys.argv[1])
    else:
        for part in (slow, geometric, two_factors, modified, preconditioned):
            part()
