"""How often a trace that is not geometric is certified, and how often one that is geometric is.

    python -m property_tests.benchmarks.rate_errors --traces 2000 --seed 1

Eight families of traces that are not geometric and four that are, each with 8 to 2000 steps over 3 to 12 decades (6 to 12 the
geometric ones) and jitter in ln e that is normal, heavy-tailed, bounded or AR(1). Two sets of parameters: the thresholds of
`theory.statistics` were chosen on ``calibration``; the figures of the docs are those of ``validation`` (other exponents,
offsets, jitter and correlations). `min_decades` is 3, so that the range refuses nothing by itself. A certificate is CERTIFIED,
TRUNCATED or SUPERLINEAR. The last column is the 99 % upper bound on the share (Clopper–Pearson).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.stats import beta as beta_law

from lrs.core.errors import InvalidInput
from theory.statistics.rates import RateVerdict, certify


class Settings(NamedTuple):
    """What the two sets differ in."""

    key: int
    exponents: tuple[float, float]
    orders: tuple[float, float]
    jitters: tuple[float, ...]
    correlations: tuple[float, ...]
    tail: int  # degrees of freedom of the heavy-tailed jitter
    plateau: tuple[float, float]  # share of the steps


SETS = {
    "calibration": Settings(1, (0.3, 0.9), (0.5, 10), (0, 0.02, 0.1, 0.2, 0.3), (0.5, 0.8), 3, (0.2, 0.9)),
    "validation": Settings(2, (0.25, 0.9), (1, 10), (0, 0.01, 0.05, 0.15, 0.4), (0.3, 0.7, 0.9), 4, (0.25, 0.8)),
}
Drawn = tuple[np.ndarray, dict[str, Any]]


def _noise(rng: np.random.Generator, n: int, s: Settings, sd: float | None = None) -> np.ndarray:
    sd = float(rng.choice(s.jitters)) if sd is None else sd
    kind = rng.integers(5)
    if kind == 0:
        return sd * rng.standard_t(s.tail, n) / np.sqrt(s.tail / (s.tail - 2))
    if kind == 1:
        return sd * np.sqrt(3) * rng.uniform(-1, 1, n)
    if kind == 2:
        phi = float(rng.choice(s.correlations))
        return sd * np.sqrt(1 - phi**2) * lfilter([1], [1, -phi], rng.standard_normal(n + 200))[200:]
    return sd * rng.standard_normal(n)


def _steps(rng: np.random.Generator) -> int:
    return int(np.exp(rng.uniform(np.log(8), np.log(2000))))


def _over(y: np.ndarray, decades: float) -> np.ndarray:
    """ln e, falling like −y from 0 over so many decades."""
    return -(y - y[0]) / (y[-1] - y[0]) * decades * np.log(10)


def stretched(rng: np.random.Generator, s: Settings) -> Drawn:
    """exp(−c t^p)."""
    n = _steps(rng)
    y = (np.arange(n) + rng.integers(2)) ** rng.uniform(*s.exponents)
    return np.exp(_over(y, rng.uniform(3, 12)) + _noise(rng, n, s)), {}


def _power(rng: np.random.Generator, s: Settings, n: int) -> np.ndarray:
    decades, order = rng.uniform(3, 12), rng.uniform(*s.orders)
    return -order * np.log1p(np.linspace(0, 10 ** (decades / order) - 1, n))


def power(rng: np.random.Generator, s: Settings) -> Drawn:
    """(1 + t/c)^−q, q up to 10; the offset c follows from the range."""
    n = _steps(rng)
    return np.exp(_power(rng, s, n) + _noise(rng, n, s)), {}


def power_in_jitter(rng: np.random.Generator, s: Settings) -> Drawn:
    """The same in jitter of standard deviation 1."""
    n = _steps(rng)
    return np.exp(_power(rng, s, n) + _noise(rng, n, s, 1.0)), {}


def jump(rng: np.random.Generator, s: Settings) -> Drawn:
    """Slow, then one step down; up to five errors follow it."""
    n, decades = _steps(rng), rng.uniform(3, 12.5)
    t = np.arange(1.0, n)
    slow = (np.log(t), t / n * rng.uniform(0.5, 4), 0 * t, 2 * np.log1p(t / 5))[rng.integers(4)]
    logs = -slow + _noise(rng, n - 1, s)
    low = logs[-1] - decades * np.log(10) + 0.3 * rng.standard_normal(rng.integers(1, 6))
    return np.exp(np.concatenate([logs, low])), {}


def plateau(rng: np.random.Generator, s: Settings) -> Drawn:
    """A plateau, level or with a tenth of the decades at most, then a drop of three steps or more."""
    n, share = max(12, _steps(rng)), rng.uniform(*s.plateau)
    h = int(share * n)
    n = h + min(max(n - h, 3), int(rng.integers(3, 100)))
    t = np.arange(n)
    before = float(rng.choice([0, 0.05, 0.1]))
    y = before * np.minimum(t, h) / h + (1 - before) * np.maximum(0, t - h) / (n - 1 - h)
    return np.exp(_over(y, rng.uniform(3, 12)) + _noise(rng, n, s)), {}


def _onto(rng: np.random.Generator, s: Settings, floor: float) -> tuple[np.ndarray, bool]:
    """ln e of a descent below a floor, and whether it is geometric."""
    n = _steps(rng)
    kind = rng.integers(3)
    if kind == 0:
        return _over(np.arange(n) ** rng.uniform(*s.exponents), rng.uniform(3, 12)), False
    if kind == 1:
        return _power(rng, s, n), False
    return _over(np.arange(n, dtype=float), -np.log10(floor) + rng.uniform(0.5, 6)), True


def float32_floor(rng: np.random.Generator, s: Settings) -> Drawn:
    """Stands at the rounding of float32; where the descent is geometric, float64 was declared."""
    floor = rng.uniform(0.5, 5) * 6e-8
    logs, geometric = _onto(rng, s, floor)
    n = len(logs)
    e = np.exp(logs + _noise(rng, n, s)) + floor * np.exp(0.3 * rng.standard_normal(n))
    e = e.astype(np.float32).astype(float)
    return e, {"dtype": np.float64 if geometric or rng.random() < 0.5 else np.float32}


def noise_floor(rng: np.random.Generator, s: Settings) -> Drawn:
    """Stands at noise; where the descent is geometric, no noise was declared."""
    floor = 10 ** rng.uniform(-9, -3)
    logs, geometric = _onto(rng, s, floor)
    n = len(logs)
    e = np.exp(logs + _noise(rng, n, s)) + floor * np.exp(0.2 * rng.standard_normal(n))
    return e, {"noise": 0.0 if geometric or rng.random() < 0.5 else floor}


def late_drops(rng: np.random.Generator, s: Settings) -> Drawn:
    """A power law whose last three steps multiply ever faster."""
    n = _steps(rng) + 8
    t = np.arange(1.0, n)
    logs = -rng.uniform(0.5, 4) * np.log1p(t / rng.uniform(1, 20)) + _noise(rng, n - 1, s)
    sizes = np.cumsum(2.0 ** np.arange(3))
    return np.exp(np.concatenate([logs, logs[-1] - rng.uniform(2, 10) * np.log(10) * sizes / sizes[-1]])), {}


def geometric(rng: np.random.Generator, s: Settings) -> Drawn:
    """ρ^t."""
    n = _steps(rng)
    return np.exp(_over(np.arange(n, dtype=float), rng.uniform(6, 12)) + _noise(rng, n, s)), {}


def to_rounding(rng: np.random.Generator, s: Settings) -> Drawn:
    """ρ^t with ρ in .3 to .99 and normal jitter of .05 to .3, down to rounding."""
    del s
    rho = rng.uniform(0.3, 0.99)
    t = np.arange(int(np.ceil(rng.uniform(6.5, 20) * np.log(10) / -np.log(rho))) + 1)
    jitter = np.exp(rng.uniform(0.05, 0.3) * rng.standard_normal(len(t)))
    return rho**t * jitter + 1e-16 * np.exp(0.5 * np.abs(rng.standard_normal(len(t)))), {}


def contractions(rng: np.random.Generator, s: Settings) -> Drawn:
    """Every step contracts by a factor of its own: its logarithm varies by up to a third."""
    del s
    n = _steps(rng)
    y = np.concatenate([[0.0], np.cumsum(1 + rng.uniform(0, 1 / 3) * rng.standard_normal(n - 1))])
    return np.exp(_over(y, rng.uniform(6, 12))), {}


def two_modes(rng: np.random.Generator, s: Settings) -> Drawn:
    """(1 − w) ρ^t + w σ^t with σ < ρ: geometric, over 7 decades or more, once σ's part is a tenth of the other."""
    n = _steps(rng)
    w, ratio = rng.uniform(0.3, 0.95), rng.uniform(1.5, 5)
    until = max(np.log(10 * w / (1 - w)), 0.0) / (ratio - 1)
    y = np.linspace(0, until + rng.uniform(7, 12) * np.log(10), n)
    return ((1 - w) * np.exp(-y) + w * np.exp(-ratio * y)) * np.exp(_noise(rng, n, s) / 2), {}


Family = Callable[[np.random.Generator, Settings], Drawn]
RIVALS: tuple[Family, ...] = (
    stretched, power, power_in_jitter, jump, plateau, float32_floor, noise_floor, late_drops,
)  # fmt: skip
GEOMETRIC: tuple[Family, ...] = (geometric, to_rounding, contractions, two_modes)


def verdicts(family: Family, settings: Settings, traces: int, min_decades: float, seed: int = 0) -> Counter[str]:
    """What is said of so many traces of a family."""
    found: Counter[str] = Counter()
    key = [settings.key, seed, *family.__name__.encode()]
    for i in range(traces):
        e, options = family(np.random.default_rng([*key, i]), settings)
        try:
            c = certify(e, min_decades=min_decades, **options)
        except InvalidInput:  # it does not fall
            found["refused"] += 1
            continue
        certified = c.verdict.linear or c.verdict is RateVerdict.SUPERLINEAR
        found["certified" if certified else c.reason.value if c.reason else c.verdict.value] += 1
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", choices=sorted(SETS), default="validation")
    asked = parser.parse_args(arguments)
    n = asked.traces
    for title, families, decades in (("not geometric", RIVALS, 3.0), ("geometric", GEOMETRIC, 6.0)):
        print(f"| {title} | certified | 99 % bound | otherwise |\n|---|---|---|---|", flush=True)
        for family in families:
            found = verdicts(family, SETS[asked.set], n, decades, asked.seed)
            hits = found.pop("certified", 0)
            bound = (
                beta_law.ppf(0.99, hits + 1, n - hits)
                if title != "geometric"
                else beta_law.ppf(0.01, hits, n - hits + 1)
            )
            rest = ", ".join(f"{v} {k}" for k, v in found.most_common(3))
            print(f"| {family.__name__} | {100 * hits / n:.2f} % | {100 * bound:.2f} % | {rest} |", flush=True)
        print()
    print("| steps | 6 decades, jitter .05 | .1 | .2 | .3 | .5 |\n|---|---|---|---|---|---|")
    for steps in (8, 12, 20, 50, 200, 1000):
        shares = []
        for sd in (0.05, 0.1, 0.2, 0.3, 0.5):

            def straight(rng: np.random.Generator, _: Settings, steps: int = steps, sd: float = sd) -> Drawn:
                return np.exp(_over(np.arange(steps + 1.0), 6.0) + sd * rng.standard_normal(steps + 1)), {}

            found = verdicts(straight, SETS[asked.set], n // 5, 6.0, asked.seed)
            shares.append(100 * found["certified"] / (n // 5))
        print(f"| {steps} | " + " | ".join(f"{x:.0f} %" for x in shares) + " |", flush=True)


if __name__ == "__main__":
    main()
