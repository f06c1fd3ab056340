"""What surrounds every score of a representation: an interval, a chance level with its p-value, and a ceiling.

A score means little by itself. Codes that know nothing about five factors still reach a matched correlation of .1 with 512 dimensions and a thousand
rows; codes that know everything reach .44 where four of seven factors are functions of the other three. And rows that belong together (the views
of one instance, the frames of one clip) are one observation, not many. So every metric here is a function of a `Sample`, rows with their
groups, and is evaluated again on resampled groups (interval), on codes exchanged between groups (chance), and on the free factors
themselves as codes (ceiling).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, entropy, stream
from causalkit._validation import ColumnTypes, Floats, Table, check_count, read_columns, read_table
from causalkit.exceptions import ConstantColumnWarning, DataError, ParameterError
from causalkit.gpu._threads import single_thread_below

__all__ = ["RepresentationScore"]

Rows: TypeAlias = NDArray[np.intp]
FOLDS, BOOTSTRAP, NULL = range(3)


@dataclass(frozen=True)
class Sample:
    """True factors and codes of the same rows, with the groups that must stay together and a half for each group."""

    factors: Table
    codes: Floats
    groups: Rows
    half: NDArray[np.bool_]

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(np.unique(self.groups))

    def take(self, rows: Rows | NDArray[np.bool_]) -> Sample:
        """Return some rows."""
        return Sample(self.factors.take(rows), self.codes[rows], self.groups[rows], self.half[rows])

    def halves(self) -> tuple[Sample, Sample]:
        """Return the two halves; no group is in both."""
        return self.take(~self.half), self.take(self.half)

    def resampled(self, rng: np.random.Generator) -> Sample:
        """Draw groups with replacement, within each half."""
        members = _rows_of_groups(self.groups)
        halves = [[rows for rows in members if bool(self.half[rows[0]]) is side] for side in (False, True)]
        drawn = [part[k] for part in halves for k in rng.integers(len(part), size=len(part))]
        return self.take(np.concatenate(drawn))

    def exchanged(self, rng: np.random.Generator) -> Sample:
        """Give every group the codes of another, in their order, repeated or cut to its length."""
        members, codes = _rows_of_groups(self.groups), np.empty_like(self.codes)
        for rows, other in zip(members, rng.permutation(len(members)), strict=True):
            codes[rows] = self.codes[np.resize(members[other], len(rows))]
        return replace(self, codes=codes)

    def coded_by(self, names: Iterable[str]) -> Sample:
        """Return the sample with true factors as codes."""
        return replace(self, codes=self.factors.values[:, [self.factors.index(name) for name in names]])


@dataclass(frozen=True)
class Outcome:
    """Values of a metric, by name, and what they were made from."""

    values: Mapping[str, float]
    parts: Mapping[str, Any] = field(default_factory=dict)


Metric: TypeAlias = Callable[[Sample], Outcome]


@dataclass(frozen=True)
class RepresentationScore:
    """A score with what is needed to read it.

    Parameters
    ----------
    name : str
        The metric, with its choices.
    value : float
        The score.
    ci_low, ci_high : float
        Bootstrap interval over groups, 95 % (percentiles); NaN without resampling.
    chance : float
        Mean score of codes exchanged between groups; NaN without permutations.
    p_value : float
        Share of such scores that are at least as high, counting the score itself; NaN without permutations.
    ceiling : float
        Score of the free factors themselves as codes.
    n, n_groups : int
        Rows and groups.
    parts : mapping
        What the score was made from, such as the matching.
    """

    name: str
    value: float
    ci_low: float
    ci_high: float
    chance: float
    p_value: float
    ceiling: float
    n: int
    n_groups: int
    parts: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def corrected(self) -> float:
        """The score on the scale from chance (0) to ceiling (1)."""
        room = self.ceiling - self.chance
        return (self.value - self.chance) / room if room > 0 else float("nan")

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        text = f"{self.name}: {self.value:.3f}"
        if not np.isnan(self.ci_low):
            text += f" [{self.ci_low:.3f}, {self.ci_high:.3f}]"
        if not np.isnan(self.chance):
            text += f", chance {self.chance:.3f} (p = {self.p_value:.3g})"
        return f"{text}, ceiling {self.ceiling:.3f}; {self.n} rows in {self.n_groups} groups"


# -- reading -----------------------------------------------------------------------------------------------------------------------


def read_sample(z_true: Any, z_hat: Any, factor_types: ColumnTypes, groups: Any, rng: Seed) -> Sample:
    """Read factors, codes and groups of the same rows; factors that do not vary are left out, with a warning."""
    named = nw.dependencies.is_into_dataframe(z_true)
    factors = read_table(z_true, factor_types) if named else read_columns(z_true, "z", factor_types)
    codes = read_columns(z_hat, "h")
    if factors.n_rows != codes.n_rows:
        raise DataError(
            f"z_true has {factors.n_rows} rows and z_hat has {codes.n_rows}; give one code per row"
        )
    if "categorical" in codes.types:
        raise DataError(
            f"z_hat has the text column {codes.names[codes.types.index('categorical')]!r}; codes are numbers"
        )
    labels = _read_groups(groups, factors.n_rows)
    if labels.max(initial=0) < 3:
        raise DataError(f"{labels.max(initial=-1) + 1} groups; at least 4 are needed, two for each half")
    half = stream(entropy(rng), FOLDS).permutation(labels.max() + 1) % 2 == 1
    return Sample(_varying(factors), codes.values, labels, half[labels])


def _read_groups(groups: Any, n: int) -> Rows:
    if groups is None:
        return np.arange(n)
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise DataError(f"groups has shape {labels.shape} for {n} rows; give one label per row")
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _varying(factors: Table) -> Table:
    constant = factors.constant_columns()
    if len(constant) == factors.n_columns:
        raise DataError("no factor varies; there is nothing to recover")
    if constant:
        names = ", ".join(repr(factors.names[k]) for k in constant)
        warnings.warn(f"{names} never varies and is left out", ConstantColumnWarning, stacklevel=4)
    return factors.select([k for k in range(factors.n_columns) if k not in constant])


def _rows_of_groups(groups: Rows) -> list[Rows]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


# -- assessment --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Around:
    """What a score is surrounded with: free factors for the ceiling, and how often it is evaluated again."""

    exogenous: Iterable[str] | None
    n_bootstrap: int
    n_permutations: int
    rng: Seed

    def __post_init__(self) -> None:
        check_count("n_bootstrap", self.n_bootstrap, least=0)
        check_count("n_permutations", self.n_permutations, least=0)


def assess_one(key: str, label: str, metric: Metric, sample: Sample, around: Around) -> RepresentationScore:
    """Assess a metric of one value."""
    return assess({key: label}, metric, sample, around)[key]


def assess(
    names: Mapping[str, str], metric: Metric, sample: Sample, around: Around
) -> dict[str, RepresentationScore]:
    """Evaluate a metric, and again on resampled groups, exchanged codes and the free factors; one score for each of its values."""
    base = entropy(around.rng)
    with single_thread_below(0):
        found = metric(sample)
        again = [
            metric(sample.resampled(stream(base, BOOTSTRAP, k))).values for k in range(around.n_bootstrap)
        ]
        null = [metric(sample.exchanged(stream(base, NULL, k))).values for k in range(around.n_permutations)]
        ceiling = metric(sample.coded_by(_free(sample.factors, around.exogenous))).values
    return {
        key: RepresentationScore(
            label,
            found.values[key],
            *_interval([values[key] for values in again]),
            *_chance(found.values[key], [values[key] for values in null]),
            ceiling[key],
            sample.factors.n_rows,
            sample.n_groups,
            found.parts,
        )
        for key, label in names.items()
    }


def _free(factors: Table, exogenous: Iterable[str] | None) -> list[str]:
    if exogenous is None:
        return list(factors.names)
    if isinstance(exogenous, str):
        raise ParameterError(f"exogenous is the text {exogenous!r}; give a list of names")
    names = [name for name in exogenous if factors.index(name) >= 0]
    if not names:
        raise ParameterError("exogenous is empty; name at least one free factor, or leave it out")
    return names


def _interval(values: list[float]) -> tuple[float, float]:
    if not values:
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _chance(value: float, null: list[float]) -> tuple[float, float]:
    if not null:
        return float("nan"), float("nan")
    as_high = sum(other >= value for other in null)
    return float(np.mean(null)), (1 + as_high) / (1 + len(null))
