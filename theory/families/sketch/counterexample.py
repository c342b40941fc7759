"""A sketch that keeps every fixed pair and fails entrywise: the counterexample to a route of proof, not to the theorem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from lrs.core.validate import integer

RHO = OFFSET = 1 / 20


@dataclass(frozen=True, eq=False)
class Counterexample:
    """S with A = [e₁ … e_d], b = e_{d+1}, so that x* = 0, the residual is 1 and ‖A⁺‖ = 1.

    Attributes
    ----------
    S : (d + 1, d + 1) array
    """

    S: np.ndarray

    @property
    def pairs(self) -> float:
        """Largest |⟨S e_i, S e_j⟩ − ⟨e_i, e_j⟩|, i ≠ j: what is asked of a sketch for pairs that are fixed beforehand."""
        gram = self.S.T @ self.S
        return float(np.abs(gram - np.diag(np.diag(gram))).max())

    @property
    def answer(self) -> np.ndarray:
        """x′ = argmin ‖S(Ax − b)‖."""
        return np.asarray(np.linalg.lstsq(self.S[:, :-1], self.S[:, -1], rcond=None)[0])


def counterexample(d: int, rng: np.random.Generator) -> Counterexample:
    """S = M^{1/2}, M = [[I − ρ(e₁vᵀ + v e₁ᵀ), a v], [a vᵀ, 1]], v a uniform unit vector in span(e₂ … e_d), ρ = a = 1/20.

    The pairs deviate by at most ρ‖v‖_∞ = O(√(ln d/d)), and SᵀS differs from I by less than 1/10 in every direction; yet
    e₁ᵀx′ = aρ/(1 − ρ²) = 1/399 for every d, where (ε/√d) ‖Ax* − b‖ ‖A⁺‖ falls like 1/√d. The step that is disputed uses the bound for
    fixed pairs on a vector that depends on S.
    """
    integer("d", d, least=2)
    v = np.r_[0.0, rng.standard_normal(d - 1)]
    v /= np.linalg.norm(v)
    M = np.eye(d + 1)
    M[0, :d] -= RHO * v
    M[:d, 0] -= RHO * v
    M[:d, d] = M[d, :d] = OFFSET * v
    values, vectors = linalg.eigh(M)
    return Counterexample((vectors * np.sqrt(values)) @ vectors.T)
