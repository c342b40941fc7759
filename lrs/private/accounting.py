"""The ledger of releases, and the conversions between ρ (zero-concentrated DP) and (ε, δ).

Conversions come from dp-accounting (Google, PyPI ``dp-accounting``): it has the exact curve of composed Gaussians and an
independent Rényi accountant to check the ledger with, and is pure Python.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal, get_args

import numpy as np

from lrs.core.errors import InvalidInput, MissingExtra
from lrs.core.validate import probability, real

Neighbours = Literal["add-remove", "replace-one"]
Conversion = Literal["gaussian", "renyi", "standard"]


def _library() -> Any:
    try:
        import dp_accounting
    except ImportError:
        raise MissingExtra("dp-accounting", "private", "privacy accounting") from None
    return dp_accounting


def check_target(epsilon: float | None, delta: float | None, rho: float | None) -> None:
    """Refuse what is not a privacy target; None stands for not given."""
    if delta is not None:
        probability("delta", delta)
    for name, value in (("epsilon", epsilon), ("rho", rho)):
        if value is not None:
            real(name, value, above=0, infinite=True)
    if rho is not None and epsilon is not None:
        raise InvalidInput("epsilon: give the target as (epsilon, delta) or as rho, not both")
    if epsilon is not None and delta is None:
        raise InvalidInput(
            "delta: an epsilon needs its delta; pass a probability well below one over the number of users"
        )


def epsilon_of(rho: float, delta: float, conversion: Conversion = "gaussian") -> float:
    """The ε at this δ of releases with total zCDP parameter ρ.

    Parameters
    ----------
    rho : float
    delta : float
    conversion : {"gaussian", "renyi", "standard"}
        ``"gaussian"``: the exact curve of Gaussian noise, which adaptively composed Gaussian releases keep (Dong, Roth and
        Su 2022); the ledger holds nothing else, so this is the ε reported. The noise is the discrete Gaussian on a lattice 2³⁰
        times finer than what one user adds, whose privacy loss differs by less than 10⁻¹² [D]. ``"renyi"``: the best conversion that is valid
        for every ρ-zCDP mechanism (Canonne, Kamath and Steinke 2020). ``"standard"``: ρ + 2√(ρ ln(1/δ)) (Bun and
        Steinke 2016).
    """
    check_target(None, delta, None)
    if rho == 0:
        return 0.0
    if not math.isfinite(rho):
        return math.inf
    if conversion == "standard":
        return rho + 2 * math.sqrt(rho * math.log(1 / delta))
    library = _library()
    if conversion == "gaussian":
        return _exact_epsilon(float(rho), float(delta))
    if conversion == "renyi":
        # The best order is near 1 + √(ln(1/δ)/ρ); a fine grid around it loses nothing in the digits shown.
        best = math.sqrt(math.log(1 / delta) / rho)
        orders = 1 + best * np.geomspace(0.05, 20, 2001)
        return float(library.rdp.compute_epsilon(orders, rho * orders, delta)[0])
    raise InvalidInput(f"conversion: expected one of {', '.join(get_args(Conversion))}, got {conversion!r}")


@cache  # a search for a root, asked again and again for the same numbers
def _exact_epsilon(rho: float, delta: float) -> float:
    return float(_library().get_epsilon_gaussian(1 / math.sqrt(2 * rho), delta))


def rho_for(epsilon: float, delta: float) -> float:
    """The largest ρ whose exact Gaussian ε at this δ does not exceed ``epsilon``."""
    check_target(epsilon, delta, None)
    return math.inf if math.isinf(epsilon) else _exact_rho(float(epsilon), float(delta))


@cache
def _exact_rho(epsilon: float, delta: float) -> float:
    rho = 0.5 / float(_library().get_sigma_gaussian(epsilon, delta)) ** 2
    while epsilon_of(rho, delta) > epsilon:  # the library solves to a tolerance: stay on the safe side of it
        rho *= 1 - 1e-6
    return rho


@dataclass(frozen=True, kw_only=True)
class Release:
    """One Gaussian release: what, when, with which sensitivity and noise.

    Attributes
    ----------
    name : str
        ``"moment"``, ``"features"``, ``"gradient"``, ``"inside"``, ``"A"`` or ``"V"``.
    round : int
        0 is the start.
    sensitivity : float
        ℓ₂-sensitivity Δ of the released sum.
    noise : float
        Standard deviation s of the noise per entry; 0 means none and costs ρ = ∞.
    group : int or None
        The disjoint group of users it looked at, None for all users.
    charged : float or None
        ρ by the map of the library that drew the noise; None before the release.
    """

    name: str
    round: int
    sensitivity: float
    noise: float
    group: int | None = None
    charged: float | None = None

    @property
    def rho(self) -> float:
        """Δ²/(2s²) (Bun and Steinke 2016), or what was charged when that is more."""
        if self.noise == 0:
            return math.inf
        return max(self.sensitivity**2 / (2 * self.noise**2), self.charged or 0.0)

    @property
    def event(self) -> Any:
        """The release as an event of dp-accounting."""
        return _library().NonPrivateDpEvent() if self.noise == 0 else _library().ZCDpEvent(rho=self.rho)


@dataclass
class Ledger:
    """All releases so far, and what they cost together.

    ρ adds over releases that looked at the same users. Releases on disjoint groups of users cost the dearest group, since
    a user is in one of them only.
    """

    neighbours: Neighbours = "add-remove"
    releases: list[Release] = field(default_factory=list)

    def add(self, release: Release) -> Release:
        """Record a release before it is published."""
        self.releases.append(release)
        return release

    @property
    def event(self) -> Any:
        """All releases as one event of dp-accounting; of disjoint groups of users the dearest."""
        groups: dict[int, list[Release]] = defaultdict(list)
        for release in self.releases:
            if release.group is not None:
                groups[release.group].append(release)
        dearest = max(groups.values(), key=lambda g: sum(r.rho for r in g), default=[])
        charged = [release for release in self.releases if release.group is None] + dearest
        return _library().ComposedDpEvent([release.event for release in charged])

    @property
    def rho(self) -> float:
        """Total zCDP parameter: the ρ of the composed event."""
        return sum((getattr(part, "rho", math.inf) for part in self.event.events), start=0.0)

    def epsilon(self, delta: float, conversion: Conversion = "gaussian") -> float:
        """What the releases cost as (ε, δ)."""
        return epsilon_of(self.rho, delta, conversion)

    def to_dict(self, delta: float) -> dict[str, Any]:
        """The ``privacy`` document that goes with every private result."""
        return {
            "epsilon": self.epsilon(delta),
            "delta": delta,
            "rho": self.rho,
            "neighbours": self.neighbours,
            "releases": [{**asdict(r), "rho": r.rho} for r in self.releases],
        }

    @classmethod
    def from_releases(cls, neighbours: Neighbours, releases: Iterable[Mapping[str, Any]]) -> Ledger:
        """From the list in `to_dict`."""
        names = Release.__dataclass_fields__
        return cls(neighbours, [Release(**{k: v for k, v in r.items() if k in names}) for r in releases])

    def sentence(self, delta: float) -> str:
        """One line for people: what was spent, by all three conversions."""
        exact, renyi, standard = (self.epsilon(delta, c) for c in get_args(Conversion))
        return (
            f"ε = {exact:.4g} at δ = {delta:g} (ρ = {self.rho:.4g}, {self.neighbours} users, {len(self.releases)} releases; "
            f"by the conversion for any ρ-zCDP mechanism {renyi:.4g}, by the standard one {standard:.4g})"
        )
