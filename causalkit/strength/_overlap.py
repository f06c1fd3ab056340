"""How well two arms can be compared: whether rows like each other are in both, by the propensities that the estimator itself uses.

A row is *supported* if its propensity of either arm is not below `clip`, and if its stratum does not contradict its propensities: where all columns are
discrete and the rows of a stratum are all in one arm, although their propensities p say that this had a chance of prod(1 - p) < ALPHA / strata, the
model is wrong there. A stratum that lacks an arm because it has few rows is no contradiction: of many columns most strata do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import PositivityError
from causalkit.strength._sample import Sample, covariates_of

__all__ = ["Overlap"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ALPHA = 0.01
# Share of rows with clipped propensities that shifts an estimate by hardly more than its error; above, the estimate is refused.
MOST_CLIPPED = 0.05
OUTCOME_MODELS = ("gcomp", "matching")
MOST_EXTRAPOLATED = 0.5
# Fewer rows than these in an arm and label say nothing of the label's outcome there.
FEW_PER_LABEL = 5


@dataclass(frozen=True)
class Overlap:
    """How well the two arms can be compared.

    Parameters
    ----------
    supported : float
        Share of the rows that can be compared: their propensities of both arms are not clipped, and their stratum does not contradict them.
    smallest_propensity : float
        Least probability of either arm that any row has, given what is adjusted for.
    n_effective : tuple of float
        Rows that either arm is worth after weighting, control first: (sum w)^2 / sum w^2.
    """

    supported: float
    smallest_propensity: float
    n_effective: tuple[float, float]


@dataclass(frozen=True)
class Support:
    """Which rows can be compared, and why others cannot.

    Parameters
    ----------
    scores : numpy.ndarray of float, shape (2, n)
        The estimator's own propensities of either arm.
    clipped, contradicted : numpy.ndarray of bool, shape (n,)
        Rows with a propensity below the least, and rows in strata whose lack of an arm the propensities do not explain.
    where : str
        The largest stratum of the latter sort, in words.
    """

    scores: Floats
    clipped: Mask
    contradicted: Mask
    where: str

    @property
    def rows(self) -> Mask:
        """Rows that can be compared."""
        return ~(self.clipped | self.contradicted)

    def overlap(self, sample: Sample) -> Overlap:
        """Return the summary."""
        weights = [1 / np.maximum(self.scores[a, sample.arm == a], 1e-12) for a in (0, 1)]
        worth = [float(w.sum() ** 2 / (w**2).sum()) if len(w) else 0.0 for w in weights]
        return Overlap(float(self.rows.mean()), float(self.scores.min()), (worth[0], worth[1]))


def support_of(sample: Sample, scores: Floats, clip: float) -> Support:
    """Return which rows can be compared by these propensities."""
    contradicted, where = _contradicted(sample, scores)
    return Support(scores, np.asarray((scores < clip).any(axis=0)), contradicted, where)


def shares(sample: Sample) -> Floats:
    """Return the share of either arm in the stratum of every row, shape (2, n): the propensities of the plug-in."""
    rows = rows_by_stratum(sample)
    return np.asarray((rows / np.bincount(sample.strata, minlength=rows.shape[1]))[:, sample.strata])


def rows_by_stratum(sample: Sample) -> Floats:
    """Return the number of rows of either arm in every stratum, shape (2, strata)."""
    size = sample.strata.max(initial=0) + 1
    return np.stack([np.bincount(sample.strata[sample.arm == a], minlength=size) for a in (0, 1)]).astype(
        float
    )


def _contradicted(sample: Sample, scores: Floats) -> tuple[Mask, str]:
    """Return rows of strata that lack an arm although their propensities say that they would not."""
    if not sample.is_discrete:
        return np.zeros(sample.n, dtype=bool), ""
    rows = rows_by_stratum(sample)
    absent = np.log1p(-np.clip(scores, 0, 1 - 1e-12))
    chance = np.stack([np.bincount(sample.strata, absent[a], rows.shape[1]) for a in (0, 1)])
    gaps = ((rows == 0) & (chance < np.log(ALPHA / rows.shape[1]))).any(axis=0)
    if not gaps.any():
        return gaps[sample.strata], ""
    largest = int(np.argmax(np.where(gaps, np.bincount(sample.strata), 0)))
    return gaps[sample.strata], describe(sample, int(np.flatnonzero(sample.strata == largest)[0]))


def describe(sample: Sample, row: int) -> str:
    """Return the values of a row's columns in words, such as ``z = 0``."""
    levels, values = sample.adjust.levels, sample.adjust.values[row]
    return ", ".join(
        f"{name} = {levels[name][int(v)] if name in levels else f'{v:g}'}"
        for name, v in zip(sample.adjust.names, values, strict=True)
    )


def refuse(support: Support, estimator: str) -> None:
    """Raise where models would stand in for rows that are not there.

    Weights have nothing to go by there, and refuse as the plug-in does; models of the outcome extrapolate with a note, as long as it is not most.
    """
    if estimator in OUTCOME_MODELS:
        _refuse_most(support)
        return
    if support.contradicted.any():
        raise PositivityError(
            f"{support.contradicted.mean():.1%} of the rows are in strata without one of the arms that have too many rows for that to be chance, for "
            f"example {support.where or 'all rows'}; {REMEDY}"
        )
    share = float(support.clipped.mean())
    if share > MOST_CLIPPED and estimator != "plugin":
        raise PositivityError(
            f"{share:.0%} of the rows have hardly any chance of one of the arms, so that the estimate would be extrapolated there; {REMEDY}"
        )


def _refuse_most(support: Support) -> None:
    share = 1 - float(support.rows.mean())
    if share > MOST_EXTRAPOLATED:
        raise PositivityError(
            f"{share:.0%} of the rows have hardly any chance of one of the arms, so that most of the estimate would be extrapolated; {REMEDY}"
        )


REMEDY = "empty='trim' estimates the effect among the other rows, which is then another effect; or adjust for less, if the graph allows it"


def support_notes(support: Support, estimator: str) -> tuple[str, ...]:
    """Return what to say where models stand in for a few rows; weights that are clipped have a note of their own."""
    share = 1 - float(support.rows.mean())
    if not share or estimator not in OUTCOME_MODELS:
        return ()
    return (
        f"{share:.1%} of the rows have hardly any chance of one of the arms; there the model extrapolates",
    )


def has_thin_label(sample: Sample) -> Mask:
    """Return which rows have a label with fewer than a few rows in either arm."""
    found = np.zeros(sample.n, dtype=bool)
    for name, level, _ in thin_labels(sample):
        k = sample.adjust.index(name)
        found |= sample.adjust.values[:, k] == sample.adjust.levels[name].index(level)
    return found


def pool_labels(sample: Sample) -> tuple[Sample, tuple[str, ...]]:
    """Make one label of those with fewer than a few rows in either arm, and say so."""
    by_column = dict[str, list[int]]()
    for name, level, _ in thin_labels(sample):
        by_column.setdefault(name, []).append(sample.adjust.levels[name].index(level))
    if not by_column:
        return sample, ()
    values, levels = sample.adjust.values.copy(), dict(sample.adjust.levels)
    notes = list[str]()
    for name, codes in by_column.items():
        column = values[:, sample.adjust.index(name)]
        rare = np.isin(column, codes)
        column[rare] = len(levels[name])
        levels[name] = (*levels[name], POOLED)
        notes.append(
            f"{len(codes)} labels of {name!r} ({rare.mean():.1%} of the rows) are pooled, so that what they differ in is not adjusted for"
        )
    adjust = replace(sample.adjust, values=values, levels=levels)
    return replace(sample, adjust=adjust, covariates=covariates_of(adjust)), tuple(notes)


POOLED = "(rare labels)"


def check_labels(sample: Sample) -> None:
    """Raise for labels of which too few rows are in an arm for a model to learn from them."""
    thin = thin_labels(sample)
    if thin:
        name, level, counts = thin[0]
        raise PositivityError(
            f"{len(thin)} labels ({has_thin_label(sample).mean():.1%} of the rows) have fewer than {FEW_PER_LABEL} rows in an arm, too few for a model, for example "
            f"{name} = {level}: {counts[0]} with the control value of the cause and {counts[1]} with the treated one; leave such rows out with "
            "empty='trim', or pool rare labels with rare_labels='group', after which the column is adjusted for in part only"
        )


def thin_labels(sample: Sample) -> list[tuple[str, object, tuple[int, int]]]:
    """Return labels with fewer than a few rows in either arm: column, label, rows of the two arms."""
    found = list[tuple[str, object, tuple[int, int]]]()
    for k, name in enumerate(sample.adjust.names):
        if name not in sample.adjust.levels:
            continue
        codes = sample.adjust.values[:, k].astype(np.intp)
        levels = sample.adjust.levels[name]
        counts = [np.bincount(codes[sample.arm == a], minlength=len(levels)) for a in (0, 1)]
        present = np.bincount(codes, minlength=len(levels)) > 0
        thin = np.flatnonzero(present & (np.minimum(*counts) < FEW_PER_LABEL))
        found += [(name, levels[c], (int(counts[0][c]), int(counts[1][c]))) for c in thin]
    return found
