"""How the boundary moves with the sizes: m₅₀ = C · r^a · k^b · d^c · t^e, one fit over every replicate.

Each replicate has a critical level m*, known up to an interval. The model is ln m* = ln m₅₀ + s·ε, ε logistic: an
accelerated-failure-time regression with interval censoring, whose likelihood is jointly concave in 1/s and the
coefficients divided by s. So the fit has one answer, and each profile interval two roots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from lrs.core.errors import InvalidInput
from lrs.core.family import LOW_RANK_SPARSE, Family, load_family, reference
from lrs.core.registry import import_attribute
from phase_diagrams.analysis.boundary import boundary_axis, nested_along
from phase_diagrams.analysis.overlays import THEOREM as REGION
from phase_diagrams.analysis.overlays import Overlay, overlays
from phase_diagrams.analysis.overlays import names as overlay_names
from phase_diagrams.analysis.table import Trials
from phase_diagrams.sweeps.grid import nested, target
from phase_diagrams.sweeps.threshold import critical_deviance, fit_threshold_intervals, log_cdf, log_cdf_difference
from theory.language.reference import Reference


def reference_of(family: Family) -> Reference:
    """What the family compares a law with; of one that says nothing, its required sizes and its overlays."""
    door = getattr(family, "scaling", "")
    if door:
        found: Reference = import_attribute(door, "scaling")
        return found
    sizes = tuple(name for name, p in family.parameters.items() if p.size and p.required and not p.nested)
    lines = {
        line.label: partial(_rows, line)
        for line in overlays([n for n in overlay_names(family) if n != REGION], family=family)
    }
    return Reference(sizes, {}, lines)


def _rows(line: Overlay, **parameters: Any) -> Any:
    return line.rows(parameters)


def factors_of(family: Family) -> tuple[str, ...]:
    """Sizes that may enter the law unless told otherwise."""
    return reference_of(family).factors


#: The narrowest transition that is believed, in ln m: below 1 % of m the integers themselves are the limit.
NARROWEST = 0.01


@dataclass(frozen=True)
class Exponent:
    """One fitted exponent and its profile-likelihood interval."""

    name: str
    estimate: float
    lower: float
    upper: float

    def against(self, bounds: Sequence[float]) -> str:
        """In words, against the exponents of all bounds whose maximum a theorem asks for."""
        flattest, steepest = min(bounds, default=np.nan), max(bounds, default=np.nan)
        if not np.isfinite([flattest, steepest]).all():
            return "the theorem says nothing"
        if np.isinf([self.lower, self.upper]).all():
            return "the data bound it on neither side"
        if self.lower > steepest:
            return f"grows faster than the theorem allows ({steepest:g})"
        if self.upper < flattest:
            return f"grows slower than each of the theorem's bounds ({flattest:g}): it is pessimistic here"
        for bound in (steepest, flattest):
            if self.lower <= bound <= self.upper:
                return f"agrees with the theorem's {'steepest' if bound == steepest else 'flattest'} bound ({bound:g})"
        return f"between the theorem's bounds: slower than the steepest ({steepest:g}), faster than the flattest ({flattest:g})"


@dataclass(frozen=True)
class ScalingFit:
    """The scaling law of one solver.

    Attributes
    ----------
    solver : str
    constant : Exponent
        C, with its interval.
    exponents : tuple of Exponent
        One per factor that varies in the data.
    held : mapping
        Factors that do not vary (their powers are part of C) and the value they have.
    spread : float
        s, the width of the transition in ln m.
    lack_of_fit : float
        P-value of the power law against one free m₅₀ per configuration; NaN when nothing is left to test, or when the
        replicates of no configuration differ, so that nothing can be tested.
    inflation : float
        Deviance per degree of freedom of that test, at least 1; intervals are widened by its square root, so that a
        law which is only roughly right does not claim to be precise. Where the replicates of no configuration differ,
        their number per configuration: together they are one observation.
    replicates, configurations : int
    points : pandas.DataFrame
        Per configuration: the factors, ``x50, lower, upper`` of its own fit, and ``law``, the value of the law.
    confidence : float
    along, family : str
        The parameter whose level it is, and the family of the instances.
    """

    solver: str
    constant: Exponent
    exponents: tuple[Exponent, ...]
    held: Mapping[str, float]
    spread: float
    lack_of_fit: float
    inflation: float
    replicates: int
    configurations: int
    points: pd.DataFrame = field(repr=False)
    confidence: float = 0.95
    along: str = "m"
    family: str = LOW_RANK_SPARSE

    def predict(self, values: Mapping[str, Any]) -> Any:
        """m₅₀ according to the law."""
        product: Any = self.constant.estimate
        for e in self.exponents:
            product = product * np.asarray(values[e.name], dtype=float) ** e.estimate
        return product

    @property
    def formula(self) -> str:
        """The law as one line of text."""
        powers = " · ".join(f"{e.name}^{e.estimate:.2f}" for e in self.exponents)
        return f"{self.along}₅₀ = {self.constant.estimate:.3g} · {powers}"


# ------------------------------------------------------------------------------------------------------- the data
def along_of(sweeps: Sequence[Trials]) -> tuple[str, Family]:
    """The parameter of nested data whose level is fitted, and the one family of the sweeps."""
    families = {trials.spec.family: trials.spec.of_family for trials in sweeps}
    if len(families) > 1:
        raise InvalidInput(f"scaling: the sweeps are of several families, {', '.join(families)}; fit them one by one")
    (family,) = families.values()
    if not nested(family):
        raise InvalidInput(f"scaling: no parameter of {family.title} has nested data, so replicates have no level")
    return nested(family)[0], family


def critical_levels(sweeps: Sequence[Trials]) -> pd.DataFrame:
    """Bracketed critical m of every replicate of one or more sweeps.

    Returns
    -------
    pandas.DataFrame
        Every parameter but m, ``seed``, ``nonce``, ``streams``, ``replicate``, ``solver``, ``lower`` and ``upper`` (rows
        per task; 0 or inf where open). A replicate that two sweeps share (same parameters, seed, nonce and streams) is
        the same data, so its brackets are intersected.

    Raises
    ------
    InvalidInput
        When a sweep has no axis that sets m.
    """
    parts = []
    along, family = along_of(sweeps)
    for trials in sweeps:
        spec = trials.spec
        axis = boundary_axis(spec)
        if target(axis.name) != along:
            raise InvalidInput(
                f"scaling: the sweep has no axis that sets {along}; sweep {along} (or a ratio of it) and at least one size"
            )
        if not nested_along(spec, axis):
            raise InvalidInput(
                f"scaling: a size that is a ratio of {along} changes with {along}; sweep that size itself"
            )
        others = [a.name for a in spec.axes if a.name != axis.name]
        kept = [n for n in family.parameters if n != along and n not in others]
        possible = [c for c in spec.cells if c.spec is not None]
        level_to_m = {tuple(c.coordinates[n] for n in [*others, axis.name]): c.parameters[along] for c in possible}
        rest = {tuple(c.coordinates[n] for n in others): {n: c.parameters[n] for n in kept} for c in possible}
        table = trials.thresholds(axis.name)
        at = [tuple(row) for row in table[others].itertuples(index=False)] if others else [()] * len(table)
        for end, open_value in (("lower", 0.0), ("upper", np.inf)):
            table[end] = np.array(
                [level_to_m.get((*o, v), open_value) for o, v in zip(at, table[end], strict=True)],
                dtype=float,
            )
        for name in kept:
            table[name] = [rest[o][name] for o in at]
        parts.append(table.assign(seed=spec.seed, nonce=spec.nonce, streams=spec.streams))
    joined = pd.concat(parts, ignore_index=True)
    names = [n for n in family.parameters if n != along]
    same = [*names, "seed", "nonce", "streams", "replicate", "solver"]
    merged = joined.groupby(same, dropna=False, sort=False).agg(lower=("lower", "max"), upper=("upper", "min"))
    merged = merged.reset_index()
    if (merged["lower"] >= merged["upper"]).any():
        raise InvalidInput(
            "scaling: the same instances ended differently in two of the sweeps, so the solver has changed in between; "
            "run them again with one version, or with different seeds"
        )
    return merged


# ------------------------------------------------------------------------------------------------- the regression
class _Regression:
    """Interval-censored regression z = β ln m − Xγ; concave in (β, γ), β = 1/s capped at 1/`NARROWEST`."""

    def __init__(self, lower: np.ndarray, upper: np.ndarray, X: np.ndarray) -> None:
        has_lo, has_hi = lower > 0, np.isfinite(upper)
        self.lo, self.hi = np.where(has_lo, np.log(np.where(has_lo, lower, 1)), 0), np.zeros(len(upper))
        self.hi[has_hi] = np.log(upper[has_hi])
        self.both, self.only_lo, self.only_hi = has_lo & has_hi, has_lo & ~has_hi, has_hi & ~has_lo
        self.X = X

    def _evaluate(self, theta: np.ndarray, shift: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        total, g, H = 0.0, np.zeros(len(theta)), np.zeros((len(theta), len(theta)))
        for rows, end, sign in ((self.only_hi, self.hi, 1.0), (self.only_lo, self.lo, -1.0)):
            D = np.column_stack([(end - shift)[rows], -self.X[rows]])
            value, first, second = log_cdf(sign * (D @ theta), "logit")
            total, g, H = total + value.sum(), g + D.T @ (sign * first), H + (D * second[:, None]).T @ D
        rows = self.both
        L = np.column_stack([(self.lo - shift)[rows], -self.X[rows]])
        U = np.column_stack([(self.hi - shift)[rows], -self.X[rows]])
        value, (gl, gh), (ll, lh, hh) = log_cdf_difference(L @ theta, U @ theta, "logit")
        cross = (L * lh[:, None]).T @ U
        H = H + (L * ll[:, None]).T @ L + (U * hh[:, None]).T @ U + cross + cross.T
        return float(total + value.sum()), g + L.T @ gl + U.T @ gh, H

    def _polished(self, theta: np.ndarray, value: float, g: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, float]:
        """The same point if the gradient vanishes there, else what a bounded quasi-Newton search makes of it.

        Where nearly every bracket is explained, the likelihood is linear or flat in most directions and Newton's steps
        are worthless.
        """
        cap = 1 / NARROWEST
        uphill = g.copy()
        if theta[0] >= cap:
            uphill[0] = min(uphill[0], 0.0)
        if np.abs(uphill).max() <= 1e-5 * len(self.lo):
            return theta, value

        def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
            f, df, _ = self._evaluate(x, shift)
            return -f, -df

        bounds = [(1e-6, cap), *((None, None) for _ in theta[1:])]
        found = optimize.minimize(
            negative,
            theta,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 2000},
        )
        return (found.x, -float(found.fun)) if -found.fun > value else (theta, value)

    def maximise(self, shift: np.ndarray | float = 0.0, start: np.ndarray | None = None) -> tuple[np.ndarray, float]:
        """(β, γ) and ln L; ``shift`` is subtracted from ln m, which holds one exponent at a value."""
        shift = np.broadcast_to(np.asarray(shift, dtype=float), self.lo.shape)
        if start is None:
            middle = np.where(self.both, (self.lo + self.hi) / 2, self.lo + self.hi) - shift
            start = np.r_[5.0, 5.0 * np.linalg.lstsq(self.X, middle, rcond=None)[0]]
        theta, cap = start.copy(), 1 / NARROWEST
        value, g, H = self._evaluate(theta, shift)
        for _ in range(200):
            step = _newton(H, g, np.ones(len(theta), dtype=bool))
            if theta[0] >= cap and step[0] > 0:  # the cap binds: move along it
                step = _newton(H, g, np.arange(len(theta)) > 0)
            gain = float(g @ step)
            if gain < 1e-10 * (1 + abs(value)):
                break
            for halving in range(50):
                trial = theta + 0.5**halving * step
                if trial[0] > cap:  # go to the cap along the same ray
                    trial = theta + step * (cap - theta[0]) / step[0]
                    trial[0] = cap
                if trial[0] <= 0:
                    continue
                candidate = self._evaluate(trial, shift)
                if candidate[0] > value:
                    break
            else:
                break
            theta, (value, g, H) = trial, candidate
        return self._polished(theta, value, g, shift)


def _newton(H: np.ndarray, g: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Newton step in the free coordinates, 0 in the others."""
    step = np.zeros(len(g))
    step[free] = -np.linalg.lstsq(H[np.ix_(free, free)], g[free], rcond=1e-12)[0]
    return step


def fit_scaling(
    sweeps: Trials | Sequence[Trials],
    factors: Sequence[str] | None = None,
    *,
    solvers: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> tuple[ScalingFit, ...]:
    """Fit the scaling law of every solver.

    Parameters
    ----------
    sweeps : Trials or sequence of Trials
        Each with an axis that sets m; the other sizes may be axes of one sweep or vary from sweep to sweep.
    factors : sequence of str
        Numeric parameters that may enter the law.
    solvers : sequence of str, optional
        Default: all.
    confidence : float

    Returns
    -------
    tuple of ScalingFit
        One per solver.

    Raises
    ------
    InvalidInput
        When no factor varies, a factor is 0 somewhere (its logarithm does not exist), two factors vary together, or
        no replicate changes from failure to success.
    """
    data = critical_levels([sweeps] if isinstance(sweeps, Trials) else list(sweeps))
    if solvers is not None:
        data = data[data["solver"].isin(solvers)].reset_index(drop=True)
        if data.empty:
            raise InvalidInput(f"solver: {', '.join(solvers)} is not in these sweeps")
    along, family = along_of([sweeps] if isinstance(sweeps, Trials) else list(sweeps))
    factors = factors_of(family) if factors is None else factors
    unknown = [f for f in factors if f not in family.parameters or f == along]
    if unknown:
        known = ", ".join(factors_of(family))
        raise InvalidInput(f"factors: {', '.join(unknown)} cannot enter the law; choose from {known}")
    varying = [f for f in factors if data[f].nunique(dropna=False) > 1]
    if not varying:
        raise InvalidInput(
            f"scaling: none of {', '.join(factors)} varies; sweep at least one of them together with {along}"
        )
    for name in varying:
        if not (pd.to_numeric(data[name], errors="coerce") > 0).all():
            raise InvalidInput(
                f"scaling: {name} is 0 or missing somewhere and has no logarithm; leave those values out"
            )
    held = {f: float(data[f].iloc[0]) for f in factors if f not in varying and data[f].notna().all()}
    return tuple(
        _fit_one(str(solver), rows, varying, held, confidence, along, family)
        for solver, rows in data.groupby("solver", sort=False)
    )


def _fit_one(
    solver: str,
    data: pd.DataFrame,
    varying: list[str],
    held: Mapping[str, float],
    confidence: float,
    along: str,
    family: Family,
) -> ScalingFit:
    lower, upper = data["lower"].to_numpy(float), data["upper"].to_numpy(float)
    if not ((lower > 0).any() and np.isfinite(upper).any()):
        raise InvalidInput(
            f"scaling: every trial of {solver!r} ended the same way; widen the range of {along} until both outcomes occur"
        )
    logs = np.log(data[varying].to_numpy(float))
    centre = logs.mean(0)
    X = np.column_stack([np.ones(len(data)), logs - centre])
    if np.linalg.matrix_rank(X) < X.shape[1]:
        raise InvalidInput(
            f"scaling: {', '.join(varying)} vary together, so that their exponents cannot be told apart; vary them "
            "separately or name fewer factors"
        )
    theta, best = _Regression(lower, upper, X).maximise()
    spread, coefficients = 1 / theta[0], theta[1:] / theta[0]

    configuration = data.groupby(varying, sort=False).ngroup().to_numpy()
    p_value, inflation = _lack_of_fit(lower, upper, configuration, best, X.shape[1])
    critical = critical_deviance(len(data), X.shape[1] + 1, confidence) * inflation

    def interval(column: int, design: np.ndarray, estimate: float) -> tuple[float, float]:
        rest = _Regression(lower, upper, np.delete(design, column, axis=1))
        warm: list[np.ndarray | None] = [None]

        def excess(value: float) -> float:
            warm[0], profile = rest.maximise(value * design[:, column], warm[0])
            return float(np.sqrt(max(0.0, 2 * (best - profile))) - np.sqrt(critical))

        ends = []
        for side in (-1.0, 1.0):
            far, step = estimate + side * 0.05, 0.05
            while excess(far) < 0 and step < 1e3:
                step *= 2
                far = estimate + side * step
            ends.append(
                side * np.inf if step >= 1e3 else float(optimize.brentq(excess, estimate, far, xtol=1e-4, rtol=1e-8))
            )
        return ends[0], ends[1]

    exponents = tuple(
        Exponent(name, float(coefficients[j + 1]), *interval(j + 1, X, float(coefficients[j + 1])))
        for j, name in enumerate(varying)
    )
    raw = np.column_stack([np.ones(len(data)), logs])  # not centred: its first coefficient is ln C
    ln_c = float(coefficients[0] - centre @ coefficients[1:])
    constant = Exponent("C", *(float(np.exp(v)) for v in (ln_c, *interval(0, raw, ln_c))))
    points = _points(data, varying, [f for f in factors_of(family) if f not in varying], confidence)
    fit = ScalingFit(
        solver,
        constant,
        exponents,
        held,
        float(spread),
        p_value,
        inflation,
        len(data),
        len(points),
        points,
        confidence,
        along,
        reference(family),
    )
    points["law"] = fit.predict({n: points[n] for n in varying})
    return fit


def _lack_of_fit(
    lower: np.ndarray, upper: np.ndarray, configuration: np.ndarray, best: float, parameters: int
) -> tuple[float, float]:
    """Likelihood-ratio test of the law against one free m₅₀ per configuration: (p-value, deviance per degree ≥ 1)."""
    count = configuration.max() + 1
    # A configuration in which every bracket is open on the same side is explained perfectly by an extreme m₅₀.
    bounded = (np.bincount(configuration, lower > 0, count) > 0) & (
        np.bincount(configuration, np.isfinite(upper), count) > 0
    )
    rows = bounded[configuration]
    dummies = (configuration[rows, None] == np.flatnonzero(bounded)).astype(float)
    degrees = int(bounded.sum()) - parameters
    if degrees < 1:
        return float("nan"), 1.0
    theta, saturated = _Regression(lower[rows], upper[rows], dummies).maximise()
    if theta[0] * NARROWEST > 1 - 1e-6:
        # Within a configuration the brackets overlap: nothing shows how far replicates scatter, so nothing says how much scatter
        # about the law is too much, and the replicates of a configuration are one observation of it.
        return float("nan"), max(1.0, len(lower) / count)
    deviance = max(0.0, 2 * (saturated - best))
    return float(stats.chi2.sf(deviance, degrees)), max(1.0, deviance / degrees)


def _points(data: pd.DataFrame, varying: list[str], fixed: list[str], confidence: float) -> pd.DataFrame:
    """Each configuration on its own."""
    rows = []
    for _, group in data.groupby(varying, sort=False):
        open_below = group["lower"].where(group["lower"] > 0)
        fit = fit_threshold_intervals(open_below, group["upper"], confidence=confidence)
        first = group.iloc[0]
        sizes = {f: float(first[f]) for f in [*varying, *fixed]}
        rows.append({**sizes, "x50": fit.x50, "lower": fit.lower, "upper": fit.upper, "status": fit.status.value})
    return pd.DataFrame(rows)


def effective_exponents(points: pd.DataFrame, values: Any, factors: Sequence[str]) -> dict[str, float]:
    """Exponents of a power law fitted by least squares to a reference formula on the same configurations.

    A formula such as r + k + r(d − r)/t is no power law; what it would look like as one at these very sizes is what
    fitted exponents should be compared with.
    """
    X = np.column_stack([np.ones(len(points)), np.log(points[list(factors)].to_numpy(float))])
    coefficients = np.linalg.lstsq(X, np.log(np.asarray(values, dtype=float)), rcond=None)[0]
    return {name: float(c) for name, c in zip(factors, coefficients[1:], strict=True)}


def references(fit: ScalingFit) -> dict[str, np.ndarray]:
    """What the family's yardsticks ask for at the configurations of a fit.

    A yardstick that asks for nothing somewhere (n₀ at r = 0, k = d) has no logarithm and
    is left out.
    """
    family = load_family(fit.family)
    p = {n: fit.points[n].to_numpy(float) for n in factors_of(family)}
    rows = {title: np.broadcast_to(line(**p), len(fit.points)) for title, line in reference_of(family).lines.items()}
    return {title: values for title, values in rows.items() if (values > 0).all()}


def comparison(fit: ScalingFit) -> pd.DataFrame:
    """Fitted exponents beside the theorem's and beside those the yardsticks have on the same configurations.

    Returns
    -------
    pandas.DataFrame
        One row a factor: ``estimate, lower, upper``, a column per theorem bound and per yardstick, and ``verdict``
        against the theorem's bounds together (each is needed, so the boundary may follow any of them).
    """
    names = [e.name for e in fit.exponents]
    effective = {title: effective_exponents(fit.points, values, names) for title, values in references(fit).items()}
    bounds = reference_of(load_family(fit.family)).exponents
    return pd.DataFrame(
        [
            {
                "factor": e.name,
                "estimate": e.estimate,
                "lower": e.lower,
                "upper": e.upper,
                **{title: exponents.get(e.name, float("nan")) for title, exponents in bounds.items()},
                **{title: exponents[e.name] for title, exponents in effective.items()},
                "verdict": e.against([bound.get(e.name, float("nan")) for bound in bounds.values()]),
            }
            for e in fit.exponents
        ]
    )
