"""What surrounds every score of a representation: an interval, a chance level with its p-value, and a ceiling.

A score means little by itself. Codes that know nothing about five factors still reach a matched correlation of .1 with 512 dimensions and a thousand
rows; codes that know everything reach .44 where four of seven factors are functions of the other three. And rows that belong together (the views
of one instance, the frames of one clip) are one observation, not many. So every metric here is a function of a `Sample`, rows with their
groups, and is evaluated again on resampled groups (interval), on codes exchanged between groups (chance), and on the free factors
themselves as codes (ceiling).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, entropy, stream
from causalkit._validation import (
    ColumnTypes,
    Floats,
    Table,
    check_count,
    check_same_index,
    read_columns,
    read_table,
)
from causalkit.exceptions import ConstantColumnWarning, DataError, ParameterError
from causalkit.gpu._threads import single_thread_below
from causalkit.independence._determined import standing_columns

__all__ = ["RepresentationScore"]

Rows: TypeAlias = NDArray[np.intp]
FOLDS, BOOTSTRAP, NULL = range(3)
# Types of factors that several columns stand for.
SEVERAL_COLUMNS = ("cyclic", "categorical")
LARGEST = 1e100
# The smallest and largest of 39 draws are the 2.5 % and 97.5 % points: (39 + 1) * .025 = 1. Those of 5 draws cover (5 - 1) / (5 + 1) of the next one.
FEWEST_DRAWS = 39


@dataclass(frozen=True)
class Sample:
    """True factors and codes of the same rows, with the groups that must stay together and a half for each group.

    Where several codes stand for one thing, `slots` says for which: at most one of them is matched, and to one factor.
    """

    factors: Table
    codes: Floats
    groups: Rows
    half: NDArray[np.bool_]
    left_out: tuple[str, ...] = ()
    slots: Rows | None = None

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(np.unique(self.groups))

    def take(self, rows: Rows | NDArray[np.bool_]) -> Sample:
        """Return some rows."""
        factors, codes = self.factors.take(rows), self.codes[rows]
        return replace(self, factors=factors, codes=codes, groups=self.groups[rows], half=self.half[rows])

    def halves(self) -> tuple[Sample, Sample]:
        """Return the two halves; no group is in both."""
        return self.take(~self.half), self.take(self.half)

    def resampled(self, rng: np.random.Generator) -> Sample:
        """Draw groups with replacement, within each half."""
        members = rows_of_groups(self.groups)
        halves = [[rows for rows in members if bool(self.half[rows[0]]) is side] for side in (False, True)]
        drawn = [part[k] for part in halves for k in rng.integers(len(part), size=len(part))]
        return self.take(np.concatenate(drawn))

    def exchanged(self, rng: np.random.Generator) -> Sample:
        """Give every group the codes of another of about its size, in their order, repeated or cut to its length.

        Small groups have no long runs of codes to give to a large one; a group that has no like keeps its codes, which makes chance higher.
        """
        members, codes = rows_of_groups(self.groups), np.empty_like(self.codes)
        alike = np.floor(np.log2([len(rows) for rows in members])).astype(int)
        for kind in np.unique(alike):
            places = np.flatnonzero(alike == kind)
            for place, other in zip(places, rng.permutation(places), strict=True):
                codes[members[place]] = self.codes[np.resize(members[other], len(members[place]))]
        return replace(self, codes=codes)

    def coded_by(self, names: Sequence[str]) -> Iterator[Sample]:
        """Yield the sample with true factors as codes: their values, and if any is an angle or has categories, columns that stand for them."""
        places = [self.factors.index(name) for name in names]
        yield replace(self, codes=self.factors.values[:, places])
        if any(self.factors.types[k] in SEVERAL_COLUMNS for k in places):
            columns = [design(self.factors, k) for k in places]
            slots = np.repeat(np.arange(len(columns)), [c.shape[1] for c in columns])
            yield replace(self, codes=np.hstack(columns), slots=slots)


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
        Bootstrap interval over groups, 95 %: percentiles, moved so that their mean is the score, since resampled groups repeat rows and that
        biases some scores; NaN without resampling.
    chance : float
        Mean score of codes exchanged between groups; NaN without permutations.
    p_value : float
        Share of such scores that are at least as high, counting the score itself; NaN without permutations.
    ceiling : float
        Score of the free factors themselves as codes: what is reached by finding the causes, and nothing else. Codes that also hold functions of them, such as those of a
        supervised encoder, may pass it.
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
        """The score on the scale from chance (0) to ceiling (1); above 1 for codes that hold more than the free factors."""
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


def revision_of(data: Any) -> str:
    """Return the revision of a scene, or where it comes from if it has none."""
    return str(data.revision or ("generated" if data.noise is not None else "a local copy"))


def design(factors: Table, k: int) -> Floats:
    """Return the columns that stand for a factor in a regression, shape (n, c)."""
    return standing_columns(factors, k)


# -- reading -----------------------------------------------------------------------------------------------------------------------


def read_sample(z_true: Any, z_hat: Any, factor_types: ColumnTypes, groups: Any, rng: Seed) -> Sample:
    """Read factors, codes and groups of the same rows; factors that do not vary are left out, with a warning."""
    named = nw.dependencies.is_into_dataframe(z_true)
    factors = read_table(z_true, factor_types) if named else read_columns(z_true, "z", factor_types)
    check_same_index(z_true, z_hat)
    codes = read_codes(z_hat)
    if factors.n_rows != len(codes):
        raise DataError(f"z_true has {factors.n_rows} rows and z_hat has {len(codes)}; give one code per row")
    labels = _read_groups(groups, factors.n_rows)
    if labels.max(initial=0) < 3:
        raise DataError(f"{labels.max(initial=-1) + 1} groups; at least 4 are needed, two for each half")
    half = stream(entropy(rng), FOLDS).permutation(labels.max() + 1) % 2 == 1
    varying = _varying(factors)
    left_out = tuple(name for name in factors.names if name not in varying.names)
    return Sample(varying, codes, labels, half[labels], left_out)


def read_codes(z_hat: Any) -> Floats:
    """Read codes, which are numbers or truth values; those of extreme size are brought to another unit, in which products do not overflow."""
    table = read_columns(z_hat, "code")
    for name, kind in zip(table.names, table.types, strict=True):
        levels = table.levels.get(name, ())
        if kind == "categorical" and not all(str(level) in ("False", "True") for level in levels):
            raise DataError(f"z_hat has the text column {name!r}; codes are numbers")
    largest = np.abs(table.values).max(axis=0, initial=0.0)
    extreme = (largest > LARGEST) | ((largest < 1 / LARGEST) & (largest > 0))
    return np.asarray(table.values / np.where(extreme, largest, 1.0)) if extreme.any() else table.values


def _read_groups(groups: Any, n: int) -> Rows:
    if groups is None:
        return np.arange(n)
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise DataError(f"groups has shape {labels.shape} for {n} rows; give one label per row")
    absent = [k for k, label in enumerate(labels.tolist()) if label is None or label != label]  # noqa: PLR0124
    if absent:
        raise DataError(f"groups has no label in row {absent[0]}; every row belongs to a group")
    if labels.dtype == object:
        labels = labels.astype(str)
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _varying(factors: Table) -> Table:
    constant = factors.constant_columns()
    if len(constant) == factors.n_columns:
        raise DataError("no factor varies; there is nothing to recover")
    if constant:
        names = ", ".join(repr(factors.names[k]) for k in constant)
        warnings.warn(f"{names} never varies and is left out", ConstantColumnWarning, stacklevel=4)
    return factors.select([k for k in range(factors.n_columns) if k not in constant])


def rows_of_groups(groups: Rows) -> list[Rows]:
    """Return the rows of each group, groups in ascending order."""
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
        if 0 < self.n_bootstrap < FEWEST_DRAWS:
            raise ParameterError(
                f"n_bootstrap is {self.n_bootstrap}; an interval of 95 % needs at least {FEWEST_DRAWS} resamplings, or give 0 for none"
            )


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
        perfect = sample.coded_by(_free(sample, around.exogenous))
        ceilings = [metric(known).values for known in perfect]
    return {
        key: RepresentationScore(
            label,
            found.values[key],
            *_interval(found.values[key], [values[key] for values in again]),
            *_chance(found.values[key], [values[key] for values in null]),
            max(values[key] for values in ceilings),
            sample.factors.n_rows,
            sample.n_groups,
            found.parts,
        )
        for key, label in names.items()
    }


def _free(sample: Sample, exogenous: Iterable[str] | None) -> list[str]:
    """Return the free factors that vary."""
    if exogenous is None:
        return list(sample.factors.names)
    if isinstance(exogenous, str):
        raise ParameterError(f"exogenous is the text {exogenous!r}; give a list of names")
    named = list(exogenous)
    names = [name for name in named if name not in sample.left_out and sample.factors.index(name) >= 0]
    if not named:
        raise ParameterError("exogenous is empty; name at least one free factor, or leave it out")
    return names or list(sample.factors.names)


def _interval(value: float, values: list[float]) -> tuple[float, float]:
    if not values:
        return float("nan"), float("nan")
    # Points of order (B + 1) q, as B draws split the line into B + 1 parts: those of NumPy's default lie further in.
    low, high = np.percentile(values, [2.5, 97.5], method="weibull") - np.mean(values) + value
    return float(low), float(high)


def _chance(value: float, null: list[float]) -> tuple[float, float]:
    if not null:
        return float("nan"), float("nan")
    as_high = sum(other >= value for other in null)
    return float(np.mean(null)), (1 + as_high) / (1 + len(null))
