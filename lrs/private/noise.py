"""Where the noise comes from: the operating system's cryptographic generator, unless a switch says otherwise."""

from __future__ import annotations

import os
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.special import ndtri

#: Second key of the seeded stream, so that it never repeats the solver's own.
INSECURE_STREAM = 0x4E4F4953


@runtime_checkable
class NoiseSource(Protocol):
    """Standard normal numbers, and whether an adversary may be able to predict them."""

    secure: bool

    def normal(self, shape: tuple[int, ...]) -> np.ndarray: ...


class SecureNoise:
    """Normal numbers from `os.urandom`.

    Each is half the sum of four, so that the floating-point grid of one inverse distribution function cannot be read off
    the output (the attack of Mironov 2012 on naive floating-point noise; the remedy of Holohan and Braghin 2021).
    """

    secure = True

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        bits = np.frombuffer(os.urandom(8 * 4 * size), dtype=np.uint64) >> np.uint64(11)
        uniform = (bits.astype(np.float64) + 0.5) * 2.0**-53
        return ndtri(uniform).reshape(4, *shape).sum(axis=0) / 2


class SeededNoise:
    """Reproducible noise, which gives **no privacy** to anyone who can guess the seed; for tests and studies."""

    secure = False

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, INSECURE_STREAM])

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._rng.standard_normal(shape)
