"""Models of outcome and arm: scikit-learn estimators behind two questions, the mean outcome and the probability of an arm."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError
from causalkit.strength._learners import FAMILIES, SMOOTH, Choice, Family, Rows, choose, classifier, regressor
from causalkit.strength._sample import Sample

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Models:
    """Models of outcome and arm, as scikit-learn estimators; None for a family that was chosen, by default straight lines."""

    outcome: Any = None
    propensity: Any = None
    of_outcome: Choice | None = None
    of_arm: Choice | None = None

    def __post_init__(self) -> None:
        for name, model in (("outcome_model", self.outcome), ("propensity_model", self.propensity)):
            if model is not None and (isinstance(model, type) or not hasattr(model, "fit")):
                raise ParameterError(
                    f"{name} must be a scikit-learn estimator, an object with fit; got {model!r}"
                )

    def chosen(self, sample: Sample, estimator: str) -> Models:
        """Return the models with families that fit the rows; what the user gave, and what was chosen before, stays."""
        # Trees learn the rows by heart, and may only predict others: cross-fitting does that.
        families = FAMILIES if estimator == "aipw" else SMOOTH
        of_outcome, of_arm = self.of_outcome, self.of_arm
        if self.outcome is None and of_outcome is None and estimator != "ipw":
            of_outcome = choose(_outcome_groups(sample), families, is_event=sample.is_event)
        if self.propensity is None and of_arm is None and sample.has_both_arms and estimator != "gcomp":
            some = sample.take(np.flatnonzero(sample.arm >= 0))
            rows = Rows(some.covariates, some.arm.astype(float), some.clusters)
            of_arm = choose([rows], families, is_event=True)
        return replace(self, of_outcome=of_outcome, of_arm=of_arm)

    def notes(self) -> tuple[str, ...]:
        """Return what to say of families that were chosen."""
        said = ((self.of_outcome, "the outcome"), (self.of_arm, "the chance of the arms"))
        return tuple(note for choice, what in said if choice is not None for note in choice.note(what))

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

        if self.outcome is not None:
            return clone(self.outcome)
        family = _family(self.of_outcome)
        return classifier(family) if is_event else regressor(family)

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
        model = clone(self.propensity) if self.propensity is not None else classifier(_family(self.of_arm))
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


def _family(choice: Choice | None) -> Family:
    return "straight lines" if choice is None else choice.family


def _outcome_groups(sample: Sample) -> list[Rows]:
    """Return columns and outcomes of every model that is fitted: one per arm, or one over all values of the cause."""
    if not sample.has_both_arms:
        return [Rows(np.column_stack([sample.dose, sample.covariates]), sample.outcome, sample.clusters)]
    arms = [sample.take(np.flatnonzero(sample.arm == a)) for a in (0, 1)]
    return [Rows(arm.covariates, arm.outcome, arm.clusters) for arm in arms]
