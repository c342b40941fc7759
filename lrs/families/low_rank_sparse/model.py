"""The low-rank + sparse model θ⁽ⁱ⁾ = U w⁽ⁱ⁾ + b⁽ⁱ⁾."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from lrs.core import archive
from lrs.core.errors import InvalidInput, NotFinite, WrongShape
from lrs.core.validate import flat, floats, integer


class TaskParameters(NamedTuple):
    """What one task keeps for itself: ``w`` (r,) and the sparse part ``b``, given densely (d,)."""

    w: Float[np.ndarray, " r"]
    b: Float[np.ndarray, " d"]


_Adapt = TypeVar("_Adapt", bound=Callable[..., TaskParameters])
_adapts: list[Callable[..., TaskParameters]] = []
_Truncate = TypeVar("_Truncate", bound="Callable[..., LRSModel]")
_Function = TypeVar("_Function")
_truncates: list[Callable[..., LRSModel]] = []


def adapts(fit: _Adapt) -> _Adapt:
    """Decorator of what `LRSModel.adapt` calls: ``fit(U, X, y, sparsity)``.

    Fitting needs data and kernels, which are made of models and lie above them; so the function is handed down, by the
    import of its module at the latest when it is first called.
    """
    _adapts.append(fit)
    return fit


def truncates(make: _Truncate) -> _Truncate:
    """Decorator of what `LRSModel.truncate` calls: ``make(model, rank, sparsity, moment)``; handed down likewise."""
    _truncates.append(make)
    return make


def _handed_down(made: list[_Function], module: str) -> _Function:
    """The function that this module, imported by name as it lies above, hands down."""
    if not made:
        importlib.import_module(module)
    return made[-1]


@dataclass(frozen=True, eq=False)
class LRSModel:
    """Parameters of all tasks.

    Parameters
    ----------
    U : (d, r) array
        Orthonormal basis of the shared subspace.
    W : (t, r) array
        Weights; row i belongs to task i.
    B : (t, d) sparse or dense array
        Personal parts, stored as a `scipy.sparse.csr_array`.
    task_names, feature_names : tuple, optional
        Labels carried into the model file.
    considered : tuple of mappings, optional
        What rank and sparsity were chosen from (`lrs.hierarchical.Considered`), carried into the model file too.

    Raises
    ------
    InvalidInput
        When shapes disagree or a value is NaN or infinite.
    """

    U: Float[np.ndarray, "d r"]
    W: Float[np.ndarray, "t r"]
    B: sparse.csr_array
    task_names: tuple[Any, ...] = ()
    feature_names: tuple[str, ...] = ()
    considered: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        U, W = floats("U", self.U), floats("W", self.W)
        try:
            B = sparse.csr_array(self.B, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise WrongShape(f"B: expected a sparse or dense array of numbers ({error})") from None
        if U.ndim != 2 or W.ndim != 2 or U.shape[1] != W.shape[1]:
            raise WrongShape(f"U, W: expected shapes (d, r) and (t, r), got {U.shape} and {W.shape}")
        if B.shape != (W.shape[0], U.shape[0]):
            raise WrongShape(f"B: expected shape (t, d) = {(W.shape[0], U.shape[0])}, got {B.shape}")
        for name, a in (("U", U), ("W", W), ("B", B.data)):
            if not np.isfinite(a).all():
                raise NotFinite(f"{name}: holds NaN or infinite values")
        for name, value in (("U", U), ("W", W), ("B", B)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "task_names", tuple(self.task_names))
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        object.__setattr__(self, "considered", tuple(self.considered))

    @property
    def t(self) -> int:
        """Number of tasks."""
        return int(self.W.shape[0])

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.U.shape[0])

    @property
    def rank(self) -> int:
        """Number of columns of U."""
        return int(self.U.shape[1])

    @property
    def theta(self) -> Float[np.ndarray, "t d"]:
        """Dense parameters, row i = U w⁽ⁱ⁾ + b⁽ⁱ⁾."""
        return self.W @ self.U.T + self.B.toarray()

    def task(self, i: int) -> TaskParameters:
        """Personal parameters of task i."""
        return TaskParameters(self.W[i].copy(), self.B[[i]].toarray()[0])

    def predict(self, X: Any, tasks: Any) -> Float[np.ndarray, " n"]:
        """⟨x, θ⁽ⁱ⁾⟩ for every row of ``X`` (n, d); ``tasks`` is the task index of each row, or one index for all."""
        X = floats("X", X)
        if X.ndim != 2 or X.shape[1] != self.d:
            raise InvalidInput(f"X: expected shape (n, d = {self.d}), got {X.shape}")
        tasks = flat("tasks", tasks)
        if not np.issubdtype(tasks.dtype, np.integer) or tasks.ndim > 1:
            raise InvalidInput("tasks: expected one task index, or one per row of X (names are resolved by task_index)")
        index: Int[np.ndarray, " n"] = np.broadcast_to(tasks, len(X)) if tasks.ndim == 0 else tasks
        if len(index) != len(X):
            raise InvalidInput(f"tasks: {len(index)} indices for {len(X)} rows of X")
        if len(index) and (index.min() < 0 or index.max() >= self.t):
            raise InvalidInput(f"tasks: indices must lie in 0 … {self.t - 1}")
        out = np.einsum("nr,nr->n", X @ self.U, self.W[index])
        # Row by row over the non-zeros of B only: a dense θ of shape (t, d) is never formed.
        counts = np.diff(self.B.indptr)[index]
        rows = np.repeat(np.arange(len(X)), counts)
        entry = (
            np.arange(len(rows))
            - np.repeat(np.cumsum(counts) - counts, counts)
            + np.repeat(self.B.indptr[index], counts)
        )
        np.add.at(out, rows, X[rows, self.B.indices[entry]] * self.B.data[entry])
        return out

    def task_index(self, names: Any) -> Int[np.ndarray, " n"]:
        """Indices of the tasks with these names."""
        lookup = {str(name): i for i, name in enumerate(self.task_names or range(self.t))}
        try:
            return np.array([lookup[str(name)] for name in np.atleast_1d(names)], dtype=np.int64)
        except KeyError as error:
            raise InvalidInput(
                f"task: {error.args[0]!r} is not a task of this model; use adapt to fit a new task with U fixed"
            ) from None

    def adapt(self, X: Any, y: Any, *, sparsity: int | None = None) -> TaskParameters:
        """Fit a new task with U fixed.

        Parameters
        ----------
        X : (m, d) array
        y : (m,) array
        sparsity : int, optional
            Largest number of non-zeros of b; default: the largest number any task of the model uses.

        Returns
        -------
        TaskParameters
            ``w`` (r,) and ``b`` (d,) of the new task.
        """
        if sparsity is None:
            sparsity = int(np.diff(self.B.indptr).max(initial=0))
        return _handed_down(_adapts, "lrs.amht.adapt")(self.U, X, y, sparsity)

    def truncate(self, *, rank: int | None = None, sparsity: int | None = None, moment: Any = None) -> LRSModel:
        """The model of at most this rank and sparsity whose predictions are nearest to those of this one.

        Parameters
        ----------
        rank, sparsity : int, optional
            Directions of U and non-zeros a task; default: what this model has.
        moment : (d, d) array, optional
            Second moment of the features, E xxᵀ, which says how much a difference of parameters counts; default: the
            identity. ``data.X.T @ data.X / data.n`` of the data that predictions are made for.

        Returns
        -------
        LRSModel
            Its U begins with the directions that count most, so that without personal coordinates U[:, :q] is the U of the
            best model of rank q. With them it is a local optimum, as near to the truth as a fit that is told this size
            (``lrs claims 'nested/*'``).
        """
        sizes = {"rank": self.rank, "sparsity": int(np.diff(self.B.indptr).max(initial=0))}
        for name, value in (("rank", rank), ("sparsity", sparsity)):
            if value is not None:
                sizes[name] = integer(name, value, least=0)
        C = None
        if moment is not None:
            C = floats("moment", moment)
            if C.shape != (self.d, self.d) or not np.isfinite(C).all():
                raise WrongShape(f"moment: expected a finite array of shape (d, d) = {(self.d, self.d)}, got {C.shape}")
        smaller = _handed_down(_truncates, "lrs.amht.truncation")
        return smaller(self, min(sizes["rank"], self.t, self.d), min(sizes["sparsity"], self.d), C)

    # ------------------------------------------------------------------ storage
    @property
    def n_parameters(self) -> int:
        """Numbers to store: d·r for U, t·r for W, and one per non-zero of B (its index is not counted)."""
        return int(self.U.size + self.W.size + self.B.nnz)

    @property
    def n_parameters_dense(self) -> int:
        """Numbers that t dense models of dimension d would store: t·d."""
        return self.t * self.d

    def to_arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Plain arrays for an .npz file."""
        return {
            f"{prefix}U": self.U,
            f"{prefix}W": self.W,
            f"{prefix}B_data": self.B.data,
            f"{prefix}B_indices": self.B.indices,
            f"{prefix}B_indptr": self.B.indptr,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str = "", **names: Any) -> LRSModel:
        """Inverse of `to_arrays`."""
        U, W = floats("U", arrays[f"{prefix}U"]), floats("W", arrays[f"{prefix}W"])
        if U.ndim != 2 or W.ndim != 2:
            raise WrongShape(f"U, W: expected shapes (d, r) and (t, r), got {U.shape} and {W.shape}")
        data, indices, indptr = (arrays[f"{prefix}B_{part}"] for part in ("data", "indices", "indptr"))
        try:
            B = sparse.csr_array((data, indices, indptr), shape=(W.shape[0], U.shape[0]))
            B.check_format(full_check=True)
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            raise WrongShape(f"B: damaged sparse part ({error})") from None
        return cls(U, W, B, **names)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a .npz without pickle; refuses to replace a file unless ``overwrite``."""
        header: dict[str, Any] = {
            "task_names": [str(n) for n in self.task_names],
            "feature_names": list(self.feature_names),
        }
        if self.considered:
            header["considered"] = [dict(row) for row in self.considered]
        return archive.write(path, "model", header, self.to_arrays(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> LRSModel:
        """Read what `save` wrote.

        Raises
        ------
        InvalidInput
            When the file is truncated, not a model, or of another version.
        """
        header, arrays = archive.read(path, "model", required=("U", "W", "B_data", "B_indices", "B_indptr"))
        try:
            tasks, features = archive.names(header, "task_names"), archive.names(header, "feature_names")
            considered = header.get("considered", ())
            if not isinstance(considered, list | tuple) or not all(isinstance(row, dict) for row in considered):
                raise InvalidInput("considered: expected a list of what was tried")
            model = cls.from_arrays(arrays, task_names=tasks, feature_names=features, considered=tuple(considered))
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error}; write the file again") from None
        for name, count in (("task_names", model.t), ("feature_names", model.d)):
            if len(getattr(model, name)) not in (0, count):
                raise InvalidInput(
                    f"{path}: {name}: {len(getattr(model, name))} names, expected {count}; write the file again"
                )
        return model

    def __repr__(self) -> str:
        return f"LRSModel(t={self.t}, d={self.d}, r={self.rank}, nnz(B)={self.B.nnz})"
