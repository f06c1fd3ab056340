"""Models of outcome and arm: scikit-learn estimators behind two questions, the mean outcome and the probability of an arm."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError
from causalkit.strength._sample import Sample

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Models:
    """Models of outcome and arm, as scikit-learn estimators; None for linear and logistic regression."""

    outcome: Any = None
    propensity: Any = None

    def __post_init__(self) -> None:
        for name, model in (("outcome_model", self.outcome), ("propensity_model", self.propensity)):
            if model is not None and (isinstance(model, type) or not hasattr(model, "fit")):
                raise ParameterError(
                    f"{name} must be a scikit-learn estimator, an object with fit; got {model!r}"
                )

    def outcome_means(self, train: Sample, test: Sample) -> Floats:
        """Return m(0, Z) and m(1, Z) for the rows of `test`, shape (2, n), from one model per arm."""
        return np.stack([self._fitted_mean(train.take(np.flatnonzero(train.arm == a)), test) for a in (0, 1)])

    def _fitted_mean(self, train: Sample, test: Sample) -> Floats:
        if not train.covariates.shape[1] or np.ptp(train.outcome) == 0:
            return np.full(test.n, train.outcome.mean())
        return self._predict(
            self._outcome_model(train.is_event),
            train.covariates,
            train.outcome,
            test.covariates,
            train.is_event,
        )

    def curve(self, sample: Sample, dose: float) -> Floats:
        """Return the mean outcome of every row with the cause set, from one model on cause and columns."""
        if np.ptp(sample.outcome) == 0:
            return sample.outcome
        x = np.column_stack([sample.dose, sample.covariates])
        at = np.column_stack([np.full(sample.n, dose), sample.covariates])
        return self._predict(self._outcome_model(sample.is_event), x, sample.outcome, at, sample.is_event)

    def _outcome_model(self, is_event: bool) -> Any:
        from sklearn.base import clone
        from sklearn.linear_model import LinearRegression

        if self.outcome is not None:
            return clone(self.outcome)
        return logistic() if is_event else LinearRegression()

    def _predict(self, model: Any, x: Floats, y: Floats, at: Floats, is_event: bool) -> Floats:
        if not is_event or not hasattr(model, "predict_proba"):
            return np.asarray(model.fit(x, y).predict(at), dtype=float)
        _fit(model, x, y.astype(int))
        return np.asarray(model.predict_proba(at)[:, list(model.classes_).index(1)])

    def propensities(self, train: Sample, test: Sample) -> Floats:
        """Return e(0, Z) and e(1, Z) for the rows of `test`, shape (2, n)."""
        from sklearn.base import clone

        if not train.covariates.shape[1]:
            shares = [(train.arm == a).mean() for a in (0, 1)]
            return np.repeat(np.array(shares)[:, None], test.n, axis=1)
        model = clone(self.propensity) if self.propensity is not None else logistic()
        if not hasattr(model, "predict_proba"):
            raise ParameterError(f"propensity_model must have predict_proba; {type(model).__name__} has not")
        _fit(model, train.covariates, train.arm)
        classes = model.classes_.tolist()
        found = model.predict_proba(test.covariates)
        return np.stack([found[:, classes.index(a)] for a in (0, 1)])


def _fit(model: Any, x: Floats, y: NDArray[Any]) -> None:
    """Fit a classifier; arms that a model can tell apart exactly have no finite optimum, which shows in the overlap and needs no other warning."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)


def logistic() -> Any:
    """Return nearly unpenalised logistic regression; the little that is left keeps separable arms finite."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1e6, tol=1e-8, solver="newton-cholesky", max_iter=500)
