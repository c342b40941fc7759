"""Ridge regression with the penalty chosen by leave-one-out error, by scikit-learn."""

from __future__ import annotations

import numpy as np

#: Candidates for the penalty, relative to the mean squared column norm.
ALPHAS = (1e-12, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def ridge_loo(X: np.ndarray, y: np.ndarray, alphas: tuple[float, ...] = ALPHAS) -> np.ndarray:
    """Ridge coefficients (d,) without intercept, α chosen among ``alphas``·mean‖column‖² by leave-one-out error."""
    from sklearn.linear_model import RidgeCV  # a second to import, and not every verb fits a table

    unit = float((X**2).sum()) / X.shape[1]
    if unit == 0 or len(y) < 2:
        # One row leaves nothing to leave out: the shortest exact fit.
        return np.linalg.lstsq(X, y, rcond=None)[0]
    return RidgeCV(alphas=np.array(alphas) * unit, fit_intercept=False).fit(X, y).coef_
