"""Estimators of the mean outcome under an intervention, given a sample and columns that are an adjustment set.

With arms A, outcome Y, columns Z, outcome model m(a, z) and propensity e(a, z) = P(A = a | z):

* plug-in: sum over strata z of P(z) times the mean of Y in (a, z);
* g-computation: the mean over all rows of m(a, Z);
* IPW: the mean of Y in arm a with weights 1 / e(a, Z) that are divided by their sum (Hajek);
* AIPW: g-computation plus the weighted mean of the residuals Y - m, models fitted on other folds than those they predict;
* matching: every row gets the outcome of the nearest rows in the other arm, plus the difference of m between there and here.

With one mean per stratum as outcome model and shares as propensities the first four are the same number.

References
----------
M. Hernán, J. Robins, "Causal Inference: What If", 2020, chapters 12, 13 and 15. J. Robins, A. Rotnitzky, L. Zhao, "Estimation of
regression coefficients when some regressors are not always observed", JASA 89, 1994. V. Chernozhukov et al., "Double/debiased
machine learning for treatment and structural parameters", Econometrics Journal 21, 2018. A. Abadie, G. Imbens, "Large sample
properties of matching estimators for average treatment effects", Econometrica 74, 2006; "Bias-corrected matching estimators for
average treatment effects", Journal of Business and Economic Statistics 29, 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit.exceptions import GraphError, ParameterError, PositivityError
from causalkit.strength._means import ArmMeans
from causalkit.strength._models import Models
from causalkit.strength._overlap import (
    FEW_PER_LABEL,
    describe,
    has_thin_label,
    rows_by_stratum,
    shares,
    support_of,
)
from causalkit.strength._sample import Sample

Floats = NDArray[np.float64]
TIES = 32
BOUNDS = "bounds on the average effect"

Empty = Literal["raise", "trim", "bound"]


class Estimator(Protocol):
    """Anything that estimates the two means from a sample."""

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        ...


class Scored(Estimator, Protocol):
    """An estimator that says by which propensities its overlap is to be judged."""

    def scores(self, sample: Sample) -> Floats:
        """Return the propensities of either arm, shape (2, n)."""
        ...


@dataclass(frozen=True)
class NoEffect:
    """Where no path leads from cause to effect: both means are that of all rows.

    Parameters
    ----------
    notes : tuple of str
        What else there is to say.
    """

    notes: tuple[str, ...] = ()

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        mean = float(sample.outcome.mean())
        return ArmMeans((mean, mean), np.stack([sample.outcome - mean] * 2), notes=self.notes)


@dataclass(frozen=True)
class NoAssumption:
    """Where nothing identifies the effect: everyone who did not have a value of the cause may have had either outcome under it.

    Parameters
    ----------
    reason : str
        Why nothing identifies it.
    """

    reason: str

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return bounds."""
        if not sample.is_event:
            raise GraphError(
                f"the effect is not identified, and means of numbers cannot be bounded: {self.reason}"
            )
        sample.require_both_arms()
        low = [float(((sample.arm == a) & (sample.outcome == 1)).mean()) for a in (0, 1)]
        high = [p + float((sample.arm != a).mean()) for a, p in zip((0, 1), low, strict=True)]
        return ArmMeans(
            (low[0], low[1]),
            bounds=((low[0], high[0]), (low[1], high[1])),
            estimand=BOUNDS,
            notes=(self.reason,),
        )


# -- by strata -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlugIn:
    """Means by strata, and what to do with a stratum that has no row in an arm.

    Parameters
    ----------
    empty : {"raise", "trim", "bound"}
        Refuse; leave the stratum out; or bound the unknown mean by 0 and 1.
    """

    empty: Empty = "raise"

    def scores(self, sample: Sample) -> Floats:
        """Return the shares of the arms in the stratum of every row."""
        return shares(sample)

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        strata, rows = sample.strata, rows_by_stratum(sample)
        size = rows.shape[1]
        sums: Floats = np.stack(
            [np.bincount(strata[sample.arm == a], sample.outcome[sample.arm == a], size) for a in (0, 1)]
        ).astype(float)
        share = np.bincount(strata, minlength=size) / float(sample.n)
        sample.require_both_arms()
        gaps = np.asarray((rows == 0).any(axis=0))
        if not gaps.any():
            return self._by_strata(sample, rows, sums, share, _single_rows(rows))
        if self.empty == "raise":
            raise PositivityError(_empty_message(sample, gaps, share))
        if self.empty == "bound":
            return _bounded(sample, rows, sums, share)
        note = f"about the {share[~gaps].sum():.1%} of the rows in strata that have both arms"
        return _among(sample, ~gaps[sample.strata], PlugIn("raise"), note)

    def _by_strata(
        self, sample: Sample, rows: Floats, sums: Floats, share: Floats, notes: tuple[str, ...]
    ) -> ArmMeans:
        means = sums / rows
        fitted = means[:, sample.strata]
        weights = (share * sample.n / rows)[:, sample.strata]
        values = means @ share
        own = np.stack([sample.arm == 0, sample.arm == 1])
        influence = own * weights * (sample.outcome - fitted) + fitted - values[:, None]
        return ArmMeans((float(values[0]), float(values[1])), influence, notes=notes)


def _among(sample: Sample, keep: NDArray[np.bool_], estimator: Estimator, note: str) -> ArmMeans:
    """Estimate from some of the rows, and say that the estimate is about them."""
    if not keep.any():
        raise PositivityError(
            "no row can be compared with the other arm, so that nothing is left after trimming"
        )
    inner = estimator(sample.take(np.flatnonzero(keep)))
    influence = None
    if inner.influence is not None:
        influence = np.zeros((2, sample.n))
        influence[:, keep] = inner.influence / keep.mean()
    estimand = f"average effect among {keep.mean():.1%} of the rows"
    return replace(inner, influence=influence, rows=keep, estimand=estimand, notes=(note, *inner.notes))


def _single_rows(rows: Floats) -> tuple[str, ...]:
    """Return a note if some means are of one row, which shows no variance."""
    single = int((rows == 1).sum())
    if not single:
        return ()
    return (
        f"{single} of {rows.size} means of a stratum and an arm are of one row, whose spread is not seen: intervals are too short",
    )


def _empty_message(sample: Sample, gaps: NDArray[np.bool_], share: Floats) -> str:
    where = describe(sample, int(np.flatnonzero(gaps[sample.strata])[0]))
    bounds = ", 'bound' (bound what is not known)" if sample.is_event else ""
    return (
        f"{int(gaps.sum())} of {len(gaps)} strata ({share[gaps].sum():.1%} of the rows) lack an arm, for example {where or 'all rows'}; say what to do "
        f"with them: empty='trim' (leave them out: the effect among the others){bounds}; or adjust for less, if the graph allows it"
    )


def _bounded(sample: Sample, rows: Floats, sums: Floats, share: Floats) -> ArmMeans:
    if not sample.is_event:
        raise ParameterError("empty='bound' needs an outcome of 0 and 1; name an event with effect_value=")
    low = np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0) @ share
    unknown = ((rows == 0) * share).sum(axis=1)
    bounds = tuple((float(v), float(v + u)) for v, u in zip(low, unknown, strict=True))
    middle = low + unknown / 2
    note = f"{unknown.max():.1%} of the rows are in strata without an arm; their mean may be anything from 0 to 1"
    return ArmMeans(
        (float(middle[0]), float(middle[1])), bounds=(bounds[0], bounds[1]), estimand=BOUNDS, notes=(note,)
    )


# -- by models -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GComputation:
    """Mean prediction of the outcome model; without standard error of its own."""

    models: Models

    def scores(self, sample: Sample) -> Floats:
        """Return the propensities by which overlap is judged."""
        return self.models.propensities(sample, sample)

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means; a cause of which one value hardly repeats gets one model over all its values."""
        if not sample.has_both_arms:
            if not sample.dose_is_number:
                sample.require_both_arms()
            low, high = float(sample.dose.min()), float(sample.dose.max())
            outside = not all(low <= dose <= high for dose in sample.doses)
            means = [self.models.curve(sample, dose).mean() for dose in sample.doses]
            note: tuple[str, ...] = ("one model over all values of the cause",)
            if outside:
                note += (f"extrapolated: the cause is between {low:g} and {high:g} in the data",)
        else:
            means, note = list(self.models.outcome_means(sample, sample).mean(axis=1)), ()
        return ArmMeans((float(means[0]), float(means[1])), notes=note)


@dataclass(frozen=True)
class InverseWeighting:
    """Hajek weights; propensities are clipped from below, and taken as known in the standard error, which makes it too large rather than too small."""

    models: Models
    clip: float = 0.01

    def scores(self, sample: Sample) -> Floats:
        """Return the propensities."""
        return self.models.propensities(sample, sample)

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        sample.require_both_arms()
        scores, notes = _clipped(self.scores(sample), self.clip)
        weights = np.stack([sample.arm == 0, sample.arm == 1]) / scores
        weights /= weights.mean(axis=1, keepdims=True)
        means = (weights * sample.outcome).mean(axis=1)
        influence = weights * (sample.outcome - means[:, None])
        return ArmMeans((float(means[0]), float(means[1])), influence, notes=notes)


@dataclass(frozen=True)
class AugmentedWeighting:
    """Doubly robust and cross-fitted: right if either model is."""

    models: Models
    clip: float = 0.01
    n_folds: int = 5
    rng: Seed = 0

    def scores(self, sample: Sample) -> Floats:
        """Return the propensities, fitted on other folds."""
        scores = np.empty((2, sample.n))
        for test, train in self._folds(sample):
            scores[:, test] = self.models.propensities(sample.take(train), sample.take(test))
        return scores

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        sample.require_both_arms()
        fitted = np.empty((2, sample.n))
        for test, train in self._folds(sample):
            fitted[:, test] = self.models.outcome_means(sample.take(train), sample.take(test))
        scores, notes = _clipped(self.scores(sample), self.clip)
        own = np.stack([sample.arm == 0, sample.arm == 1])
        pseudo = fitted + own * (sample.outcome - fitted) / scores
        means = pseudo.mean(axis=1)
        if sample.is_event and not ((means >= 0) & (means <= 1)).all():
            notes += ("a probability is outside 0 to 1: the models do not fit, or the arms hardly overlap",)
        return ArmMeans((float(means[0]), float(means[1])), pseudo - means[:, None], notes=notes)

    def _folds(self, sample: Sample) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Return rows to predict and rows to fit on, each arm spread evenly over the folds; clusters are not cut."""
        if sample.clusters is not None:
            return self._folds_of_clusters(sample, sample.clusters)
        least = min((sample.arm == a).sum() for a in (0, 1))
        if least < self.n_folds:
            raise PositivityError(
                f"an arm has {least} rows, fewer than the {self.n_folds} folds; lower n_folds"
            )
        order = as_generator(self.rng).permutation(sample.n)
        fold = np.empty(sample.n, dtype=np.intp)
        for a in (-1, 0, 1):
            rows = order[sample.arm[order] == a]
            fold[rows] = np.arange(len(rows)) % self.n_folds
        return self._parts(fold)

    def _folds_of_clusters(
        self, sample: Sample, clusters: NDArray[np.intp]
    ) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        number = int(clusters.max()) + 1
        of_cluster = as_generator(self.rng).permutation(number) % self.n_folds
        parts = self._parts(of_cluster[clusters])
        if number < self.n_folds or any(not (sample.arm[fit] == a).any() for _, fit in parts for a in (0, 1)):
            raise PositivityError(
                f"{number} clusters cannot be spread over {self.n_folds} folds so that both arms are everywhere; lower n_folds"
            )
        return parts

    def _parts(self, fold: NDArray[np.intp]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        return [(np.flatnonzero(fold == k), np.flatnonzero(fold != k)) for k in range(self.n_folds)]


@dataclass(frozen=True)
class Trimmed:
    """Another estimator, without the rows that it cannot compare by its own propensities, and without labels that are too rare to model.

    Parameters
    ----------
    estimator : Scored
        Of the rows that are left.
    clip : float
        Least propensity of either arm.
    """

    estimator: Scored
    clip: float

    def scores(self, sample: Sample) -> Floats:
        """Return the propensities of all rows."""
        return self.estimator.scores(sample)

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        sample.require_both_arms()
        frequent = ~has_thin_label(sample)
        if not frequent.all():
            note = f"about the {frequent.mean():.1%} of the rows whose labels have {FEW_PER_LABEL} rows or more in both arms"
            return _among(sample, frequent, self, note)
        keep = support_of(sample, self.scores(sample), self.clip).rows
        if keep.all():
            return self.estimator(sample)
        note = f"about the {keep.mean():.1%} of the rows whose propensities of both arms are {self.clip:g} or more, in strata that do not contradict them"
        return _among(sample, keep, self.estimator, note)


def _clipped(scores: Floats, least: float) -> tuple[Floats, tuple[str, ...]]:
    share = float((scores < least).any(axis=0).mean())
    note = (f"propensities below {least:g} raised to it in {share:.1%} of the rows",) if share else ()
    return np.maximum(scores, least), note


@dataclass(frozen=True)
class Matching:
    """Nearest rows of the other arm, with replacement, corrected for their distance by the outcome model (Abadie and Imbens 2006, 2011).

    Rows at the same place, or at the same distance, are all used, with equal weights. With K the weights that a row has received, and S the sum of
    their squares, its noise enters the variance (1 + K)^2 times, of which the spread of the imputed outcomes shows 1 + S.
    """

    models: Models
    n_matches: int = 1

    def scores(self, sample: Sample) -> Floats:
        """Return the propensities by which overlap is judged."""
        return self.models.propensities(sample, sample)

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        sample.require_both_arms()
        fitted, imputed = self.models.outcome_means(sample, sample), np.empty((2, sample.n))
        extra = np.zeros(2)
        for a in (0, 1):
            own, other = np.flatnonzero(sample.arm == a), np.flatnonzero(sample.arm != a)
            donors = _Donors.of(
                sample.covariates[own], sample.outcome[own], (sample.outcome - fitted[a])[own]
            )
            weights = donors.weights(sample.covariates[other], self.n_matches)
            imputed[a, own] = sample.outcome[own]
            imputed[a, other] = weights @ donors.residual + fitted[a, other]
            received = weights.sum(axis=0) / donors.count
            squares = (weights**2).sum(axis=0) / donors.count**2
            extra[a] = donors.count @ ((received**2 + 2 * received - squares) * donors.noise())
        means = imputed.mean(axis=1)
        centred = imputed - means[:, None]
        covariance = (centred @ centred.T + np.diag(extra)) / sample.n**2
        return ArmMeans((float(means[0]), float(means[1])), covariance=covariance)


@dataclass(frozen=True)
class _Donors:
    """Rows of one arm, gathered by place."""

    place: Floats
    count: Floats
    outcome: Floats
    squares: Floats
    residual: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, residual: Floats) -> _Donors:
        """Gather rows."""
        x = x if x.shape[1] else np.zeros((len(x), 1))
        place, code = np.unique(x, axis=0, return_inverse=True)
        code = code.reshape(-1)
        count = np.bincount(code).astype(float)
        mean = np.bincount(code, y) / count
        squares = np.asarray(np.bincount(code, (y - mean[code]) ** 2), dtype=float)
        return cls(place, count, mean, squares, np.bincount(code, residual) / count)

    def weights(self, x: Floats, n_matches: int) -> Any:
        """Return the weight of every place for every row, a sparse matrix of shape (rows, places)."""
        from scipy.sparse import csr_array

        near, distance = _nearest(
            self.place, x if x.shape[1] else np.zeros((len(x), 1)), max(n_matches, TIES)
        )
        counts = self.count[near]
        before = np.cumsum(counts, axis=1) - counts
        reach = np.where(before < n_matches, distance, 0.0).max(axis=1, keepdims=True)
        used = np.where((before < n_matches) | (distance <= reach * (1 + 1e-9)), counts, 0.0)
        used /= used.sum(axis=1, keepdims=True)
        row = np.repeat(np.arange(len(near)), near.shape[1])
        return csr_array((used.ravel(), (row, near.ravel())), shape=(len(near), len(self.count)))

    def noise(self) -> Floats:
        """Return the variance of the outcome at every place: within it, or against the nearest other one for a single row."""
        within = self.squares / np.maximum(self.count - 1, 1)
        if len(self.count) == 1:
            return within
        near = _nearest(self.place, self.place, 2)[0][:, 1]
        single = (self.outcome - self.outcome[near]) ** 2 / (1 + 1 / self.count[near])
        return np.where(self.count > 1, within, single)


def _nearest(among: Floats, of: Floats, count: int) -> tuple[NDArray[np.intp], Floats]:
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=min(count, len(among))).fit(among)
    distance, near = found.kneighbors(of)
    return np.asarray(near), np.asarray(distance)
