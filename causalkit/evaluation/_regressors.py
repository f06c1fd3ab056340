"""Regressions of factors on codes, by short name or as any scikit-learn regressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from causalkit._validation import Floats
from causalkit.exceptions import ParameterError

Regressor: TypeAlias = Literal["linear", "kernel"] | Any
RIDGES = tuple(10.0**k for k in range(-4, 4))
LANDMARKS = 300
MEDIAN_ROWS = 500


class KernelRegression(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression on features of a Gaussian kernel: width by the median distance, ridge by leave-one-out."""

    def fit(self, x: Floats, y: Floats) -> KernelRegression:
        """Fit to rows x of codes and targets y."""
        scaler = StandardScaler()
        some = scaler.fit_transform(x)[np.linspace(0, len(x) - 1, min(len(x), MEDIAN_ROWS)).astype(int)]
        width = float(np.median(pdist(some))) or 1.0
        features = Nystroem(gamma=0.5 / width**2, n_components=min(LANDMARKS, len(x)), random_state=0)
        self.model_ = make_pipeline(scaler, features, RidgeCV(RIDGES, alpha_per_target=True)).fit(x, y)
        return self

    def predict(self, x: Floats) -> Floats:
        """Predict targets."""
        return np.asarray(self.model_.predict(x))


def predict_all(regressor: Regressor, x: Floats, targets: Sequence[Floats], new: Floats) -> list[Floats]:
    """Fit several targets of one or more columns each, and predict them on new rows; our own regressors fit all at once."""
    if not isinstance(regressor, str):
        fits = [make_regressor(regressor).fit(x, y[:, 0] if y.shape[1] == 1 else y) for y in targets]
        return [
            np.asarray(f.predict(new)).reshape(-1, y.shape[1]) for f, y in zip(fits, targets, strict=True)
        ]
    ends = np.cumsum([y.shape[1] for y in targets])
    guess = make_regressor(regressor).fit(x, np.hstack(targets)).predict(new).reshape(-1, ends[-1])
    return np.split(guess, ends[:-1], axis=1)


def make_regressor(regressor: Regressor) -> Any:
    """Return a fresh regressor for several targets."""
    if isinstance(regressor, str):
        if regressor == "linear":
            return make_pipeline(StandardScaler(), RidgeCV(RIDGES, alpha_per_target=True))
        if regressor == "kernel":
            return KernelRegression()
    elif hasattr(regressor, "fit") and hasattr(regressor, "predict") and not isinstance(regressor, type):
        return clone(regressor)
    raise ParameterError(
        f"regressor is {regressor!r}; allowed are 'linear', 'kernel' or a scikit-learn regressor"
    )
