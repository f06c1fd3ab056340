"""What is asked of data, and how it is estimated: the settings of one estimate, checked, and its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalkit._random import Seed, entropy, stream
from causalkit._validation import ColumnTypes, check_between, check_choice, check_count
from causalkit.exceptions import ParameterError, PositivityError
from causalkit.strength._attribution import ATTRIBUTION, Observed, observed_in
from causalkit.strength._estimators import (
    AugmentedWeighting,
    Empty,
    Estimator,
    GComputation,
    InverseWeighting,
    Matching,
    NoAssumption,
    NoEffect,
    PlugIn,
    Scored,
    Trimmed,
)
from causalkit.strength._frontdoor import FrontDoorMeans
from causalkit.strength._general import EstimandMeans
from causalkit.strength._identification import Identification
from causalkit.strength._means import ArmMeans
from causalkit.strength._measures import check_measures
from causalkit.strength._models import Models
from causalkit.strength._overlap import check_labels, pool_labels, rows_by_stratum, support_of, thin_labels
from causalkit.strength._sample import Sample

EstimatorName = Literal["auto", "plugin", "gcomp", "ipw", "aipw", "matching"]
RareLabels = Literal["raise", "group"]
IntervalName = Literal["auto", "influence", "bootstrap", "cluster"]
Floats = NDArray[np.float64]
FEW_CLUSTERS = 30


@dataclass(frozen=True)
class Question:
    """Cause, effect, the values that are compared, the measures asked for, and how columns are read."""

    cause: str
    effect: str
    cause_values: tuple[Any, Any] | None
    effect_value: Any
    measures: tuple[str, ...]
    clusters: str | None = None
    column_types: ColumnTypes = None

    def check(self, *, is_event: bool) -> None:
        """Raise unless the measures are known and fit the outcome."""
        if not self.measures:
            raise ParameterError("measures is empty; ask for one at least, such as 'rd'")
        check_measures(self.measures, is_event=is_event, others=tuple(ATTRIBUTION))


@dataclass(frozen=True)
class Uncertainty:
    """How far two means can be trusted.

    Parameters
    ----------
    covariance : numpy.ndarray of float, shape (2, 2), or None
        Of the means; None where there is none, as for bounds and exact probabilities.
    draws : numpy.ndarray of float, shape (n_resamples, 2), or None
        Resampled means.
    level : float
        Of intervals.
    degrees : float, default=inf
        Degrees of freedom of a t law, where clusters are few.
    resamples : tuple of (ArmMeans, Observed), default=()
        Means of resamples, and what is seen in them.
    """

    covariance: Floats | None
    draws: Floats | None
    level: float
    degrees: float = np.inf
    resamples: tuple[tuple[ArmMeans, Observed], ...] = ()

    @property
    def reach(self) -> float:
        """Standard errors to either side of an interval."""
        return float(stats.t.ppf(0.5 + self.level / 2, self.degrees))


EXACT = Uncertainty(None, None, 0.95)


@dataclass(frozen=True)
class Method:
    """Estimator, its parameters, and the sort of interval."""

    estimator: EstimatorName
    ci: IntervalName
    level: float
    empty: Empty
    models: Models
    n_folds: int
    clip: float
    n_matches: int
    n_resamples: int
    rng: Seed
    rare_labels: RareLabels = "raise"

    def __post_init__(self) -> None:
        check_choice("estimator", self.estimator, get_args(EstimatorName))
        check_choice("ci", self.ci, get_args(IntervalName))
        check_choice("rare_labels", self.rare_labels, get_args(RareLabels))
        check_choice("empty", self.empty, get_args(Empty))
        check_between("level", self.level, 0, 1)
        check_between("clip", self.clip, 0, 0.5)
        check_count("n_folds", self.n_folds, least=2)
        check_count("n_matches", self.n_matches)
        check_count("n_resamples", self.n_resamples, least=20)

    def choose(self, found: Identification, sample: Sample) -> tuple[str, Estimator]:
        """Return the estimator that fits, with its name."""
        if found.kind == "zero":
            return "no path", NoEffect((found.reason,) if found.selected else ())
        if found.kind == "bounds":
            return "no assumption", NoAssumption(found.reason)
        if found.kind != "backdoor":
            return self._without_adjustment(found)
        name = self.name_for(sample)
        if name == "plugin" and not sample.is_discrete:
            raise ParameterError(
                "the plug-in needs discrete columns; a column adjusted for has more than twenty values: use 'aipw'"
            )
        if name == "plugin":
            return name, PlugIn(self.empty)
        if self.empty == "bound":
            raise ParameterError(
                f"empty='bound' is about strata, which the estimator {name!r} has not; use 'raise' or 'trim', or estimator='plugin'"
            )
        made = self._by_models(name)
        return name, Trimmed(made, self.clip) if self.empty == "trim" and sample.has_both_arms else made

    def _by_models(self, name: str) -> Scored:
        made: dict[str, Scored] = {
            "gcomp": GComputation(self.models),
            "ipw": InverseWeighting(self.models, self.clip),
            "aipw": AugmentedWeighting(self.models, self.clip, self.n_folds, self.rng),
            "matching": Matching(self.models, self.n_matches),
        }
        return made[name]

    def name_for(self, sample: Sample) -> str:
        """Return the estimator that was asked for, or the one that fits the rows."""
        if self.estimator != "auto":
            return self.estimator
        if sample.dose_is_number and not sample.has_both_arms and len(np.unique(sample.dose)) > 2:
            return "gcomp"
        if not sample.is_discrete:
            return "aipw"
        return "aipw" if self._strata_are_sparse(sample) else "plugin"

    def _strata_are_sparse(self, sample: Sample) -> bool:
        """Whether strata lack an arm for no better reason than that they have few rows, so that a model is needed."""
        if self.empty == "bound" or not sample.has_both_arms or thin_labels(sample):
            return False
        gaps = (rows_by_stratum(sample) == 0).any(axis=0)[sample.strata]
        least = min(int((sample.arm == a).sum()) for a in (0, 1))
        if not gaps.any() or least < self.n_folds:
            return False
        scores = self.models.propensities(sample, sample)
        return bool((gaps & support_of(sample, scores, self.clip).rows).any())

    def prepared(self, found: Identification, sample: Sample) -> tuple[Method, Sample, tuple[str, ...]]:
        """Return the method with estimator and models chosen, the sample with rare labels pooled, and what to say of it."""
        if found.kind != "backdoor":
            return self, sample, ()
        notes: tuple[str, ...] = ()
        if self.rare_labels == "group":
            sample, notes = pool_labels(sample)
        name = self.name_for(sample)
        if name == "plugin":
            return self, sample, notes
        if sample.has_both_arms and self.empty == "raise":
            check_labels(sample)
        if self.estimator == "auto" and sample.is_discrete and name == "aipw":
            notes += (_sparse_note(sample),)
        models = self.models.chosen(sample, name)
        return (
            replace(self, estimator=cast(EstimatorName, name), models=models),
            sample,
            notes + models.notes(),
        )

    def _without_adjustment(self, found: Identification) -> tuple[str, Estimator]:
        if self.estimator != "auto" or self.empty != "raise":
            raise ParameterError(
                f"the effect is not identified by adjustment but by {'mediators' if found.mediators else 'the general algorithm'}, "
                "for which there is one estimator; leave estimator= and empty= at their defaults"
            )
        if found.expression is not None:
            return "general plug-in", EstimandMeans(found.expression, found.cause[0], found.effect[0])
        return "front-door plug-in", FrontDoorMeans()

    def uncertain(self, estimator: Estimator, sample: Sample, *, look: bool) -> tuple[ArmMeans, Uncertainty]:
        """Return means and how far they can be trusted; look at what is seen in resamples only if a measure needs it."""
        means, clusters = estimator(sample), sample.clusters
        if means.bounds is not None and self.ci != "bootstrap":
            return means, Uncertainty(None, None, self.level)
        if self.ci == "cluster" and clusters is None:
            raise ParameterError(
                "ci='cluster' needs clusters=, the column that says which rows belong together"
            )
        if self.ci == "influence" and means.influence is None and means.covariance is None:
            raise ParameterError("this estimator has no influence function; use ci='bootstrap'")
        wald = means.influence is not None or (means.covariance is not None and clusters is None)
        if self.ci != "bootstrap" and wald:
            groups = None if self.ci == "influence" else clusters
            few, note = _degrees_of_freedom(groups)
            spread = Uncertainty(means.spread(groups), None, self.level, few)
            return replace(means, notes=means.notes + note), spread
        if means.covariance is not None:
            raise ParameterError(
                "the bootstrap does not give the spread of a matching estimator (Abadie and Imbens 2008), and it has no influence "
                "function to add up by clusters; leave ci= and clusters= out, or use estimator='aipw'"
            )
        bounded = means.bounds is not None
        found = self._resamples(estimator, sample, bounded=bounded, look=look or bounded)
        failed = self.n_resamples - len(found)
        note = (
            (f"{failed} of {self.n_resamples} bootstrap samples lacked an arm and were left out",)
            if failed
            else ()
        )
        means = replace(means, notes=means.notes + note)
        resamples = tuple((one, seen) for one, seen in found if seen is not None)
        if bounded:
            return means, Uncertainty(None, None, self.level, resamples=resamples)
        draws = np.array([one.means for one, _ in found])
        return means, Uncertainty(np.cov(draws.T), draws, self.level, resamples=resamples)

    def _resamples(
        self, estimator: Estimator, sample: Sample, *, bounded: bool, look: bool
    ) -> list[tuple[ArmMeans, Observed | None]]:
        """Return the means of resamples, and what is seen in them if asked for; a few that lack an arm are left out."""
        found, last = list[tuple[ArmMeans, Observed | None]](), ""
        for part in self._resampled(sample):
            try:
                means = estimator(part)
            except PositivityError as error:
                last = str(error)
                continue
            if means.bounds is not None and not bounded:
                last = "a stratum lacks an arm"
                continue
            seen = observed_in(rows_of_estimate(means, part)) if look else None
            found.append((replace(means, influence=None, rows=None), seen))
        if len(found) < 0.8 * self.n_resamples:
            raise PositivityError(f"most bootstrap samples cannot be used, for example: {last}")
        return found

    def _resampled(self, sample: Sample) -> Iterator[Sample]:
        base, clusters = entropy(self.rng), sample.clusters
        groups = np.arange(sample.n) if clusters is None else clusters
        rows = None
        if clusters is not None:
            order = np.argsort(groups, kind="stable")
            rows = np.split(order, np.cumsum(np.bincount(groups))[:-1])
        for k in range(self.n_resamples):
            drawn = stream(base, k).integers(groups.max() + 1, size=groups.max() + 1)
            yield sample.take(drawn if rows is None else np.concatenate([rows[g] for g in drawn]))


def rows_of_estimate(means: ArmMeans, sample: Sample) -> Sample:
    """Return the rows that an estimate is about."""
    return sample if means.rows is None else sample.take(np.flatnonzero(means.rows))


def _degrees_of_freedom(clusters: NDArray[np.intp] | None) -> tuple[float, tuple[str, ...]]:
    """Return those of the quantile of a Wald interval: many rows, or one less than there are clusters."""
    if clusters is None:
        return np.inf, ()
    number = int(clusters.max()) + 1
    note = (f"{number} clusters are few: intervals from so few are rough",) if number < FEW_CLUSTERS else ()
    return number - 1, note


class Settings(NamedTuple):
    """One estimate, ready to be made again."""

    question: Question
    method: Method


def _sparse_note(sample: Sample) -> str:
    gaps = (rows_by_stratum(sample) == 0).any(axis=0)
    return (
        f"{int(gaps.sum())} of {len(gaps)} strata ({gaps[sample.strata].mean():.1%} of the rows) lack an arm because they have few rows: estimated with models "
        "(cross-fitted AIPW) in place of means by strata"
    )
