"""Where the noise comes from: the exact discrete Gaussian of OpenDP, unless a switch says otherwise.

Sums that leave the users are integers, multiples of a public unit (`lrs.private.statistics.lattice`), and so is the noise:
nothing is rounded after it was added, hence no low bits tell of a user. OpenDP (PyPI ``opendp``) samples the discrete
Gaussian from the operating system's generator without floating point (Canonne, Kamath and Steinke 2020) and states the cost.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from lrs.core.errors import InvalidInput, MissingExtra

#: Second key of the seeded stream, so that it never repeats the solver's own.
INSECURE_STREAM = 0x4E4F4953
#: Largest standard deviation in units of the lattice: sums and noise then stay exact in 64 bits.
LARGEST = 2.0**52


@runtime_checkable
class NoiseSource(Protocol):
    """Adds discrete Gaussian noise to integers, says what that costs, and whether an adversary may predict it."""

    secure: bool

    def add(self, value: Int[np.ndarray, "*n"], scale: float) -> Int[np.ndarray, "*n"]: ...

    def charge(self, sensitivity: int, scale: float) -> float: ...


@cache
def _opendp() -> Any:
    # Not opendp.prelude, which takes scikit-learn and pandas along: a second and 130 MB.
    try:
        from opendp import domains, measurements, metrics, mod
    except ImportError:
        raise MissingExtra("opendp", "private", "secure noise") from None
    mod.enable_features("contrib")
    return domains, metrics, measurements


@cache
def _mechanism(size: int, scale: float) -> Any:
    domains, metrics, measurements = _opendp()
    space = domains.vector_domain(domains.atom_domain(T="i64"), size=size), metrics.l2_distance(T="f64")
    return measurements.make_gaussian(*space, scale=scale)


class SecureNoise:
    """OpenDP's ``make_gaussian`` on vectors of integers."""

    secure = True

    def __init__(self) -> None:
        _opendp()  # missing: said before any user is asked

    def add(self, value: Int[np.ndarray, "*n"], scale: float) -> Int[np.ndarray, "*n"]:
        """The value with noise of standard deviation ``scale`` per entry."""
        noisy = _mechanism(value.size, check_scale(scale))(value.ravel().tolist())
        return np.array(noisy, dtype=np.int64).reshape(value.shape)

    def charge(self, sensitivity: int, scale: float) -> float:
        """ρ by OpenDP's own map; never below Δ²/(2s²)."""
        return float(_mechanism(1, check_scale(scale)).map(float(sensitivity)))


class SeededNoise:
    """Reproducible noise, rounded normal numbers, which give **no privacy** to anyone who can guess the seed; for tests and studies."""

    secure = False

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, INSECURE_STREAM])

    def add(self, value: Int[np.ndarray, "*n"], scale: float) -> Int[np.ndarray, "*n"]:
        """The value with rounded normal noise."""
        noise: np.ndarray = np.rint(check_scale(scale) * self._rng.standard_normal(value.shape))
        return value + noise.astype(np.int64)

    def charge(self, sensitivity: int, scale: float) -> float:
        """Δ²/(2s²) (Bun and Steinke 2016)."""
        return sensitivity**2 / (2 * scale**2)


def check_scale(scale: float) -> float:
    """Refuse noise that does not fit into 64-bit integers."""
    if scale > LARGEST:
        raise InvalidInput(
            "epsilon: so small a budget asks for noise beyond 64-bit integers; nothing would be learnt, raise it"
        )
    return float(scale)
