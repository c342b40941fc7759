"""Which trials to run next: all of them, a bisection of every replicate, or rounds aimed at the boundary.

A plan is a function of the sweep and of outcomes already known, never of the clock or of the order in which results
came in, so that a sweep that was killed and resumed runs exactly the trials of one that was not. Adaptive rounds are
frozen: a round is written to ``rounds/`` before its first trial runs, and the next one is planned when it is complete.

*Uniform*: every replicate of every cell, replicates outermost, so that an interim picture is balanced.

*Nested*: rows are prefixes, so each replicate has its own critical m* and is bisected for it: about log₂(levels) solves
instead of one per level. The outcomes of one replicate are then brackets of m*, not separate coins.

*Adaptive*: every round gives each unfinished line (a combination of the other axes, and a solver) a few more trials, at
the levels that are expected to say most about the 50 % threshold: Bayesian D-optimal allocation over a grid of
logistic curves with a lapse, one tenth spread uniformly. Trials of a line use different replicates, so that they are
independent coins; a line stops when its profile-likelihood interval is at most ± the precision asked for.

*Nested adaptive*: the same rounds, in which each new replicate is bisected, starting from where the others crossed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

from lrs.core import streams
from lrs.core.errors import InvalidInput, NotWritten
from lrs.core.files import parse_json, readable, write_bytes
from phase_diagrams.sweeps.grid import SweepSpec
from phase_diagrams.sweeps.journal import FORMAT, READABLE, VERSION, cannot_write, experiment
from phase_diagrams.sweeps.threshold import ThresholdFit, fit_threshold, fit_threshold_intervals, sequential_level
from phase_diagrams.sweeps.trial import Trial

Known = Mapping[Trial, bool]
Owns = Callable[[int, int], bool]
#: Level index, replicate, success.
Tried = tuple[int, int, bool]

#: Trials of the first round of a line, and the fewest of a later one. Bisected replicates begin with two, because only
#: those that follow know where to start and need about three solves instead of log₂(levels).
FIRST_ROUND, FIRST_REPLICATES = 8, 2
SMALLEST_ROUND, SMALLEST_REPLICATES = 6, 3
#: Before that many trials (nested: replicates) a narrow interval is luck more often than knowledge.
FEWEST_TRIALS, FEWEST_REPLICATES = 30, 5
#: Lapses of the curves that rounds are planned with, and the most curves that a plan looks at.
LAPSES, MOST_CURVES = (0.0, 0.03, 0.1, 0.2, 0.4), 250
#: A round adds this share of what was spent: few looks at the data, each of which is a chance to stop by luck.
GROWTH = 0.5


# ------------------------------------------------------------------------------------------------ uniform
def possible_lines(spec: SweepSpec) -> list[list[int]]:
    """The lines of the grid, restricted to cells where an instance exists."""
    return [[c for c in line if spec.cells[c].spec is not None] for line in spec.lines]


def uniform(spec: SweepSpec, owns: Owns) -> list[Trial]:
    """All trials, replicates outermost and solvers innermost."""
    solvers = range(len(spec.solvers))
    return [
        Trial(cell.index, replicate, solver)
        for replicate in range(spec.replicates)
        for cell in spec.cells
        if cell.spec is not None and owns(spec.line_of[cell.index], replicate)
        for solver in solvers
    ]


# ------------------------------------------------------------------------------------------------ nested
def bisect(outcome: Callable[[int], bool | None], levels: int, start: int | None = None) -> tuple[int, int, int | None]:
    """Replay a bisection from known outcomes.

    Parameters
    ----------
    outcome : callable
        Level index → success, or None when it is not known yet.
    levels : int
        Levels 0 … levels − 1, success becoming likelier with the index.
    start : int, optional
        Level to begin at; steps then double away from it until the threshold is bracketed. Default: the middle.

    Returns
    -------
    (low, high, next)
        The bracket, low failed (−1: none did) and high succeeded (``levels``: none did), and the level to try next,
        None when high = low + 1.
    """
    low, high, step = -1, levels, 1
    probe = levels // 2 if start is None else min(max(start, 0), levels - 1)
    while high - low > 1:
        result = outcome(probe)
        if result is None:
            return low, high, probe
        if result:
            high = probe
        else:
            low = probe
        if start is not None and (low == -1 or high == levels):  # one side still open: gallop
            probe = max(low + 1, high - step) if result else min(high - 1, low + step)
            step *= 2
        else:
            probe = (low + high) // 2
    return low, high, None


def _outcomes_along(known: Known, cells: Sequence[int], replicate: int, solver: int) -> Callable[[int], bool | None]:
    return lambda i: known.get(Trial(cells[i], replicate, solver))


def audit_levels(spec: SweepSpec, line: int, replicate: int, low: int, high: int, levels: int) -> list[int]:
    """Levels at which a bisected replicate is also tried, one on each side, for a random share of the replicates."""
    rng = streams.generator("sweep/audit", spec.seed, line, replicate)
    if rng.random() >= spec.sampling.audit:
        return []
    below = [int(rng.integers(0, low))] if low > 0 else []
    above = [int(rng.integers(high + 1, levels))] if high + 1 < levels else []
    return below + above


def nested_step(
    spec: SweepSpec,
    known: Known,
    cells: Sequence[int],
    line: int,
    replicate: int,
    solver: int,
    start: int | None = None,
) -> list[Trial]:
    """What one replicate needs next: the next level of its bisection, its audit, or nothing."""
    if not cells:
        return []
    low, high, probe = bisect(_outcomes_along(known, cells, replicate, solver), len(cells), start)
    if probe is not None:
        return [Trial(cells[probe], replicate, solver)]
    audit = audit_levels(spec, line, replicate, low, high, len(cells))
    trials = (Trial(cells[i], replicate, solver) for i in audit)
    return [trial for trial in trials if trial not in known]


def nested(spec: SweepSpec, known: Known, owns: Owns) -> list[Trial]:
    """One step of every replicate's bisection."""
    lines = possible_lines(spec)
    return [
        trial
        for replicate in range(spec.replicates)
        for i, cells in enumerate(lines)
        if owns(i, replicate)
        for solver in range(len(spec.solvers))
        for trial in nested_step(spec, known, cells, i, replicate, solver)
    ]


# ------------------------------------------------------------------------------------------------ adaptive
@dataclass(frozen=True)
class LineState:
    """What is known about the threshold of one line and solver; and the outcomes of its trials."""

    line: int
    solver: int
    fit: ThresholdFit
    spent: int
    finished: bool
    reason: str
    outcomes: Sequence[Tried] = field(repr=False)


class CurvePosterior:
    """Curves P(x) = (1 − λ)/(1 + exp(−(x − c)/s)) on a grid of (c, s, λ), with their likelihood as weights.

    ``x`` is measured so that success becomes likelier with it; c is flat over the levels and half their range on either
    side, ln s flat from a quarter of the spacing to half the range, and the lapse λ takes a few values up to 0.4.
    """

    def __init__(self, levels: np.ndarray) -> None:
        span = float(np.ptp(levels))
        spacing = float(np.diff(np.sort(levels)).min())
        centre = np.linspace(levels.min() - span / 2, levels.max() + span / 2, 81)
        width = np.geomspace(spacing / 4, max(span / 2, spacing), 12)
        grid = np.meshgrid(centre, width, LAPSES, indexing="ij")
        self.centre, self.scale, self.lapse = (a.ravel() for a in grid)
        z = (levels[None, :] - self.centre[:, None]) / self.scale[:, None]
        rise, share = special.expit(z), 1 - self.lapse[:, None]
        # A lapse of 0 is followed in its second derivatives by that of a small one: its own is without end.
        fails = np.maximum(self.lapse[:, None], 1e-3) + share * special.expit(-z)
        self._log_p, self._log_q = (
            np.log(share) + special.log_expit(z),
            np.log(self.lapse[:, None] + share * special.expit(-z)),
        )
        # The gradient of P in (c, ln s, λ), in units of s for the first, over the standard deviation of a trial.
        steep = share * rise * special.expit(-z)
        gradient = np.stack([-steep, -steep * z, -rise], axis=-1)
        self._gradient = gradient / np.sqrt(np.maximum(share * rise * fails, 1e-9))[..., None]
        self.log_weight = np.zeros(len(self.centre))
        self.tried = np.zeros(len(levels))

    def update(self, successes: np.ndarray, trials: np.ndarray) -> None:
        """Add counts per level."""
        self.log_weight = self.log_weight + self._log_p @ successes + self._log_q @ (trials - successes)
        self.tried = self.tried + trials

    @property
    def weight(self) -> np.ndarray:
        return special.softmax(self.log_weight)

    def allocate(self, count: int) -> list[int]:
        """Levels of the next ``count`` trials: greedily the largest expected gain in information about (c, ln s, λ).

        The information is ln det M (D-optimality), averaged over the curves that are still plausible; it favours the levels
        of 18 % and 82 % of the rise, and the top for the lapse. Levels of 50 % say more about x₅₀ alone, and nothing about
        the width that says how well x₅₀ is known, or about where the curve levels off, which moves x₅₀: intervals then come
        out too narrow by luck, and stopping on a narrow interval selects just those.
        """
        weight = self.weight
        plausible = np.argsort(-weight)[: (weight > 1e-4 * weight.max()).sum()][:MOST_CURVES]
        w, g = weight[plausible], self._gradient[plausible]  # (curves, levels, 3)
        # A little information about everything keeps that about a curve far from every trial positive.
        information = np.einsum("cli,clj,l->cij", g, g, self.tried) + np.diag([1e-3, 0.1, 10.0])
        inverse = np.linalg.inv(information)
        chosen = []
        for _ in range(count):
            along = g @ inverse
            best = int(np.argmax(w @ np.log1p((along * g).sum(-1))))
            chosen.append(best)
            v = along[:, best]
            inverse = inverse - v[:, :, None] * (v / (1 + (v * g[:, best]).sum(-1, keepdims=True)))[:, None, :]
        return chosen

    def trials_needed(self, half_width: float, level: float) -> np.ndarray:
        """Quantiles .1, .5, .9 of the number of well-placed trials that give ± half_width.

        A trial at 18 % or 82 % success has information 0.145/s² about x₅₀; the trials at the top, exploration, rounding to
        levels and the early rounds leave about half of it.
        """
        z = stats.norm.ppf((1 + level) / 2)
        needed = np.maximum((z * self.scale / half_width) ** 2 / (0.5 * 0.145), FEWEST_TRIALS)
        order = np.argsort(needed)
        cumulative = np.cumsum(self.weight[order])
        picks = np.minimum(np.searchsorted(cumulative, [0.1, 0.5, 0.9]), len(order) - 1)
        return needed[order][picks]


class AdaptiveRounds:
    """The recorded rounds of an adaptive sweep."""

    def __init__(self, spec: SweepSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder / "rounds"
        self.lines = possible_lines(spec)
        self.axis = spec.threshold_axis
        position = [a.name for a in spec.axes].index(self.axis.name)
        sign = 1.0 if self.spec.eases(self.axis.name) else -1.0
        self.increasing = sign > 0
        stride = math.prod(spec.shape[position + 1 :])
        values = np.array([float(v) for v in self.axis.values])  # type: ignore[arg-type]
        # Cells ordered so that success becomes likelier along the line, with the axis value of each.
        self.lines = [line if self.increasing else line[::-1] for line in self.lines]
        self.values = [values[[c // stride % len(values) for c in line]] if line else values[:0] for line in self.lines]
        self._place = {cell: (i, j) for i, line in enumerate(self.lines) for j, cell in enumerate(line)}
        self.rounds = self._read()

    # ---------------------------------------------------------------- files
    def _read(self) -> list[dict[str, Any]]:
        rounds: list[dict[str, Any]] = []
        for number in range(1, 1_000_000):
            path = self.folder / f"{number:05d}.json"
            if not path.exists():
                return rounds
            try:
                content = parse_json(readable(path).read_text(encoding="utf-8"))
                if not isinstance(content, dict):
                    raise ValueError(f"it holds a {type(content).__name__}")
            except InvalidInput:
                raise
            except ValueError as error:
                raise InvalidInput(
                    f"{path}: damaged ({error}); restore it, the order of the rounds is part of the sweep"
                ) from None
            if content.get("version", 1) not in READABLE:
                raise InvalidInput(
                    f"{path}: version {content['version']!r}, this toolkit reads up to version {VERSION}"
                )
            if content.get("experiment") != experiment(self.spec):
                raise InvalidInput(f"{path}: belongs to another sweep; move it out of the folder")
            rounds.append(content)
        return rounds

    def _record(self, content: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
            head = {"format": FORMAT, "version": VERSION, "experiment": experiment(self.spec)}
            text = json.dumps({**head, **content}, separators=(",", ":"))
            write_bytes(self.folder / f"{len(self.rounds) + 1:05d}.json", text.encode())
        except (OSError, NotWritten) as error:
            raise cannot_write(self.folder, error) from None
        self.rounds.append(content)

    # ---------------------------------------------------------------- planning
    def pending(self, known: Known) -> list[Trial]:
        """Trials of the current round that have no outcome yet; plans the next round when there are none."""
        while True:
            if self.rounds and (missing := self._missing(self.rounds[-1], known)):
                return missing
            states = self.states(known)
            open_states = [s for s in states if not s.finished]
            if not open_states:
                return []
            self._record(self._plan(open_states))

    def _missing(self, content: Mapping[str, Any], known: Known) -> list[Trial]:
        if "trials" in content:
            return [t for t in (Trial(*t) for t in content["trials"]) if t not in known]
        return [
            trial
            for line, replicate, solver, start in content["replicates"]
            for trial in nested_step(self.spec, known, self.lines[line], line, replicate, solver, start)
        ]

    def _plan(self, states: Sequence[LineState]) -> dict[str, Any]:
        number = len(self.rounds) + 1
        chosen: list[list[int | None]] = []
        for state in states:
            room = self.spec.replicates - state.spent
            if self.spec.sampling.nested is not None:
                smallest = SMALLEST_REPLICATES if state.spent else FIRST_REPLICATES
                count = min(max(smallest, math.ceil(GROWTH * state.spent)), room)
                start = self._start(state)
                chosen += [[state.line, state.spent + i, state.solver, start] for i in range(count)]
            else:
                first = state.spent == 0
                count = min(FIRST_ROUND if first else max(SMALLEST_ROUND, math.ceil(GROWTH * state.spent)), room)
                cells = self.lines[state.line]
                levels = self._levels(state, count, number)
                chosen += [[cells[i], state.spent + j, state.solver] for j, i in enumerate(levels)]
        fits = [[s.line, s.solver, s.spent, s.fit.describe(self.axis.name)] for s in states]
        return {
            "round": number,
            "replicates" if self.spec.sampling.nested is not None else "trials": chosen,
            "before": fits,
        }

    def _start(self, state: LineState) -> int | None:
        """Level at which to begin a bisection: where the earlier replicates crossed."""
        if not math.isfinite(state.fit.x50):
            return None
        ahead = (
            self.values[state.line] >= state.fit.x50 if self.increasing else self.values[state.line] <= state.fit.x50
        )
        return int(np.argmax(ahead)) if ahead.any() else len(ahead) - 1

    def _levels(self, state: LineState, count: int, number: int) -> list[int]:
        levels = len(self.lines[state.line])
        if state.spent == 0:  # nothing known: spread evenly
            return [int(i) for i in np.round(np.linspace(0, levels - 1, count))]
        rng = streams.generator("sweep/exploration", self.spec.seed, state.line, state.solver, number)
        explored = rng.binomial(count, self.spec.sampling.exploration)
        return self.posterior(state).allocate(count - explored) + [int(i) for i in rng.integers(0, levels, explored)]

    # ---------------------------------------------------------------- what is known
    def _outcomes(self, known: Known) -> dict[tuple[int, int], list[Tried]]:
        """(line, solver) → outcomes, in one pass over all trials."""
        found: dict[tuple[int, int], list[Tried]] = {}
        for trial, success in known.items():
            if trial.cell in self._place:
                line, level = self._place[trial.cell]
                found.setdefault((line, trial.solver), []).append((level, trial.replicate, success))
        return found

    def _counts(self, line: int, outcomes: Sequence[Tried]) -> tuple[np.ndarray, np.ndarray]:
        """Successes and trials per level."""
        levels = np.array([level for level, _, _ in outcomes], dtype=int)
        wins = np.array([success for _, _, success in outcomes], dtype=float)
        count = len(self.lines[line])
        return np.bincount(levels, wins, count), np.bincount(levels, minlength=count).astype(float)

    def posterior(self, state: LineState) -> CurvePosterior:
        """Plausible curves of a line, in the direction of more success."""
        posterior = CurvePosterior(self.values[state.line] if self.increasing else -self.values[state.line])
        posterior.update(*self._counts(state.line, state.outcomes))
        return posterior

    def states(self, known: Known) -> list[LineState]:
        """Every line and solver, with its fit and whether it is finished."""
        outcomes = self._outcomes(known)
        return [
            self._state(line, solver, outcomes.get((line, solver), []))
            for line in range(len(self.lines))
            if len(self.lines[line]) >= 2
            for solver in range(len(self.spec.solvers))
        ]

    def _state(self, line: int, solver: int, outcomes: Sequence[Tried]) -> LineState:
        sampling = self.spec.sampling
        options: dict[str, Any] = {
            "confidence": sampling.confidence,
            "increasing": self.increasing,
            "level": sequential_level(sampling.confidence, sampling.nested is not None),
        }
        if sampling.nested is not None:
            brackets = self._brackets(line, outcomes)
            fit = fit_threshold_intervals([b[0] for b in brackets], [b[1] for b in brackets], **options)
            spent, fewest = len(brackets), FEWEST_REPLICATES
        else:
            successes, trials = self._counts(line, outcomes)
            fit = fit_threshold(self.values[line], successes, trials, **options)
            spent, fewest = int(trials.sum()), FEWEST_TRIALS
        finished, reason = self._verdict(fit, spent, fewest, self.values[line])
        return LineState(line, solver, fit, spent, finished, reason, outcomes)

    def _verdict(self, fit: ThresholdFit, spent: int, fewest: int, values: np.ndarray) -> tuple[bool, str]:
        precision = self.spec.sampling.precision
        assert precision is not None
        if spent >= fewest:
            if fit.width / 2 <= precision:
                return True, f"±{fit.width / 2:.3g} reached"
            if fit.lower >= values.max() - precision or fit.upper <= values.min() + precision:
                return True, "the threshold lies outside the axis"
        if spent >= self.spec.replicates:
            return True, f"--replicates {self.spec.replicates} spent"
        return False, "open"

    def _brackets(self, line: int, outcomes: Sequence[Tried]) -> list[tuple[float, float]]:
        per_replicate: dict[int, dict[int, bool]] = {}
        for level, replicate, success in outcomes:
            per_replicate.setdefault(replicate, {})[level] = success
        values = self.values[line]
        brackets = []
        for _, own in sorted(per_replicate.items()):
            # Outside of [first success, last failure] all outcomes are alike, monotone or not.
            fails = [i for i, success in own.items() if not success]
            wins = [i for i, success in own.items() if success]
            low = [i for i in fails if not wins or i < min(wins)]
            high = [i for i in wins if not fails or i > max(fails)]
            brackets.append((values[max(low)] if low else math.nan, values[min(high)] if high else math.nan))
        return brackets


# ------------------------------------------------------------------------------------------------ planner and forecast
class Planner:
    """Batches of trials until the sweep is complete."""

    def __init__(self, spec: SweepSpec, folder: str | Path, owns: Owns = lambda line, replicate: True) -> None:
        self.spec, self.owns = spec, owns
        self.rounds = AdaptiveRounds(spec, Path(folder)) if spec.sampling.precision is not None else None

    def batch(self, known: Known) -> list[Trial]:
        """Trials to run before planning again; empty when the sweep is complete."""
        if self.rounds is not None:
            return self.rounds.pending(known)
        if self.spec.sampling.nested is not None:
            return nested(self.spec, known, self.owns)
        return [t for t in uniform(self.spec, self.owns) if t not in known]

    def remaining(self, known: Known) -> int:
        """Trials still to run: exact for uniform sampling, expected for the others."""
        if self.rounds is not None:
            return sum(int(f[1]) for f in self._line_forecasts(known))
        if self.spec.sampling.nested is not None:
            return self._nested_remaining(known)
        return sum(1 for t in uniform(self.spec, self.owns) if t not in known)

    def _nested_remaining(self, known: Known) -> int:
        total = 0
        for i, cells in enumerate(possible_lines(self.spec)):
            for replicate in range(self.spec.replicates):
                if not cells or not self.owns(i, replicate):
                    continue
                for solver in range(len(self.spec.solvers)):
                    low, high, probe = bisect(_outcomes_along(known, cells, replicate, solver), len(cells))
                    total += math.ceil(math.log2(high - low)) if probe is not None else 0
        return total

    def _line_forecasts(self, known: Known) -> list[np.ndarray]:
        assert self.rounds is not None
        sampling = self.spec.sampling
        forecasts = []
        for state in self.rounds.states(known):
            if state.finished:
                continue
            posterior = self.rounds.posterior(state)
            level = sequential_level(sampling.confidence, sampling.nested is not None)
            needed = posterior.trials_needed(float(sampling.precision or 1), level)
            if sampling.nested is not None:
                # A replicate whose m* is seen has information 1/(3 s²) about x₅₀; about five solves find m*.
                needed = np.maximum(needed * 0.75 * 0.145 * 3, FEWEST_REPLICATES)
                needed = 5 * np.clip(needed - state.spent, 1, self.spec.replicates)
            else:
                needed = np.clip(needed - state.spent, 1, self.spec.replicates)
            forecasts.append(needed)
        return forecasts

    def forecast(self, known: Known) -> tuple[int, int, int, int]:
        """Trials still expected, (low, median, high), and those of a uniform grid of the same precision.

        On the grid the data are nested, so each of R replicates is one m*: R/(3 s²) of information about x₅₀, at the price of
        one solve for every level.
        """
        assert self.rounds is not None
        sampling = self.spec.sampling
        per_line = self._line_forecasts(known)
        low, median, high = (round(float(x)) for x in (np.sum(per_line, axis=0) if per_line else (0, 0, 0)))
        z = stats.norm.ppf((1 + sampling.confidence) / 2)
        grid = 0.0
        for state in self.rounds.states(known):
            posterior = self.rounds.posterior(state)
            replicates = 3 * (z / float(sampling.precision or 1)) ** 2 * float(posterior.weight @ posterior.scale**2)
            grid += len(self.rounds.values[state.line]) * max(replicates, FEWEST_REPLICATES)
        return low, median, high, round(grid)
