"""The sparse step of the paper: hard thresholding at levels that a schedule gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from lrs.amht.compression import Samples
from lrs.amht.driver import State
from lrs.amht.initialization import residuals
from lrs.amht.parts import PlainFit
from lrs.amht.schedule import Bounds, GeometricSchedule, Progress, Schedule
from lrs.core.validate import integer, real
from lrs.kernels.arguments import Thresholds


@dataclass(frozen=True, kw_only=True)
class HardThresholding:
    """OptimizeSparseVector of every task from the present b, w fixed: ``inner_steps`` gradient steps, each thresholded.

    Parameters
    ----------
    c1 : float in (0, ½)
    inner_steps : int
    schedule : Schedule
        See `lrs.amht.paper.PaperAMHT` for all three.
    """

    c1: float = 0.4
    inner_steps: int = 5
    schedule: Schedule = field(default_factory=GeometricSchedule)
    works_on: ClassVar[type] = PlainFit

    def __post_init__(self) -> None:
        real(
            "c1", self.c1, above=0, below=0.5, expected="a number in (0, ½), as the lemma needs the contraction 2c₁ < 1"
        )
        integer("inner_steps", self.inner_steps, least=1)

    def __call__(self, samples: Samples, state: State) -> State:
        engine, fit, B = samples.engine, state.fit, state.fit.B
        shared = fit.W @ state.U.T
        rms = task_rms(samples, residuals(engine.data, shared + B))
        length = 1.0 / samples.data.counts
        rounds, steps = (self.inner_steps, 1) if self.schedule.every_inner_step else (1, self.inner_steps)
        used = []
        for _ in range(rounds):
            progress = Progress(state.iteration, shared, B, rms, fit.first_rms, engine.r)
            bounds = Bounds(*(np.ascontiguousarray(b, dtype=np.float64) for b in self.schedule(progress)))
            scaled = bounds.beta / np.sqrt(max(engine.k, 1))
            thresholds = Thresholds(length, bounds.alpha, scaled, self.c1, steps)
            B, levels = engine.threshold_steps(shared, B, bounds.gamma, thresholds)
            used.append(levels)
            if engine.k == 0:
                B = np.zeros_like(B)
        return replace(state, fit=fit._replace(B=B, thresholds=np.concatenate(used, axis=1), bounds=bounds))


def task_rms(samples: Samples, rest: Float[np.ndarray, " n"]) -> Float[np.ndarray, " t"]:
    """‖y_i − X_iθ⁽ⁱ⁾‖/√m_i of every task, from the stacked residuals."""
    return np.sqrt(np.add.reduceat(rest**2, samples.engine.data.offsets[:-1]) / samples.data.counts)
