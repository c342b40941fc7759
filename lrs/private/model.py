"""What the server keeps and publishes: U and the ledger. W and B stay with the users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float
from scipy import sparse

from lrs.core import archive
from lrs.core.errors import InvalidInput
from lrs.families.low_rank_sparse.model import LRSModel, TaskParameters
from lrs.private.accounting import Ledger
from lrs.private.clip import Clip


@dataclass(frozen=True, eq=False)
class ServerModel:
    """The published subspace with the account of what it cost.

    Attributes
    ----------
    U : (d, r) array
        Orthonormal basis of the shared subspace: the only learnt numbers here.
    ledger : Ledger
    delta : float
        The δ at which ε is stated.
    clip : Clip or None
        Levels of the rows, where A and V were released.
    sparsity : int
        Personal coordinates a new user is given by default.
    secure : bool
        False when the noise was seeded; such a model gives no privacy.
    feature_names : tuple of str
    """

    U: Float[np.ndarray, "d r"]
    ledger: Ledger
    delta: float
    clip: Clip | None
    sparsity: int
    secure: bool
    feature_names: tuple[str, ...] = ()

    @property
    def privacy(self) -> dict[str, Any]:
        """ε, δ, ρ, neighbours and releases as spent, and whether the noise was secure."""
        return {
            **self.ledger.to_dict(self.delta),
            "secure_noise": self.secure,
            "clip": self.clip and self.clip.to_dict(),
        }

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidInput(
            f"{what}: a server model holds U and its privacy ledger only; W and B never leave the users. "
            "Call adapt with a user's own rows to get that user's parameters"
        )

    @property
    def W(self) -> NoReturn:
        """Refused: weights stay with the users."""
        self._refuse("W")

    @property
    def B(self) -> NoReturn:
        """Refused: sparse parts stay with the users."""
        self._refuse("B")

    @property
    def theta(self) -> NoReturn:
        """Refused: it would need W and B."""
        self._refuse("theta")

    def predict(self, X: Any, tasks: Any) -> NoReturn:
        """Refused: it would need W and B."""
        self._refuse("predict")

    def adapt(self, X: Any, y: Any, *, sparsity: int | None = None) -> TaskParameters:
        """Parameters (w, b) of a user from its own rows, with the published U; runs on the user's side."""
        return self.without_users().adapt(X, y, sparsity=self.sparsity if sparsity is None else sparsity)

    def without_users(self) -> LRSModel:
        """A model with this U and no task yet, for users to join by `LRSModel.adapt`."""
        d, r = self.U.shape
        return LRSModel(self.U, np.zeros((0, r)), sparse.csr_array((0, d)), (), self.feature_names)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write U and the ledger to an .npz; no array in it has a task axis."""
        header = {
            "privacy": {**self.privacy},
            "sparsity": self.sparsity,
            "feature_names": list(self.feature_names),
        }
        return archive.write(path, "server-model", header, {"U": self.U}, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> ServerModel:
        """Read what `save` wrote."""
        header, arrays = archive.read(path, "server-model", required=("U",))
        try:
            privacy: Mapping[str, Any] = header["privacy"]
            return cls(
                arrays["U"],
                Ledger.from_releases(privacy["neighbours"], privacy["releases"]),
                privacy["delta"],
                Clip.of(privacy["clip"]),
                header["sparsity"],
                privacy["secure_noise"],
                tuple(header["feature_names"]),
            )
        except archive.DAMAGED as error:
            raise InvalidInput(f"{path}: incomplete server model ({error}); write it again") from None


class UsersModel(LRSModel):
    """U with every user's own (w, b), as a simulation that plays all users sees it; it is not published and not saved."""

    def save(self, path: str | Path, *, overwrite: bool = False) -> NoReturn:
        """Refused: the file would hold what the users keep."""
        raise InvalidInput(
            f"{path}: this model holds every user's private W and B; save the server's side instead, solution.info['server']"
        )
