"""How well two arms can be compared: whether rows like each other are in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalkit.exceptions import PositivityError
from causalkit.strength._models import Models
from causalkit.strength._sample import Sample

__all__ = ["Overlap"]

# Below this share more is extrapolated than compared.
LEAST_SUPPORT = 0.5


@dataclass(frozen=True)
class Overlap:
    """How well the two arms can be compared.

    Parameters
    ----------
    supported : float
        Share of the rows that can be compared: in strata with both arms, or, where columns adjusted for are not discrete, with propensities of both arms
        that are not clipped.
    smallest_propensity : float
        Least probability of either arm that any row has, given what is adjusted for.
    n_effective : tuple of float
        Rows that either arm is worth after weighting, control first: (sum w)^2 / sum w^2.
    """

    supported: float
    smallest_propensity: float
    n_effective: tuple[float, float]


def overlap_of(sample: Sample, models: Models, clip: float) -> Overlap:
    """Return how well the arms can be compared, by strata or by the propensity model."""
    if sample.is_discrete:
        size = sample.strata.max(initial=0) + 1
        rows = np.stack([np.bincount(sample.strata[sample.arm == a], minlength=size) for a in (0, 1)])
        scores = (rows / np.bincount(sample.strata, minlength=size))[:, sample.strata]
        supported = (scores > 0).all(axis=0)
    else:
        scores = models.propensities(sample, sample)
        supported = (scores >= clip).all(axis=0)
    weights = [1 / np.maximum(scores[a, sample.arm == a], 1e-12) for a in (0, 1)]
    worth = [float(w.sum() ** 2 / (w**2).sum()) if len(w) else 0.0 for w in weights]
    return Overlap(float(supported.mean()), float(scores.min()), (worth[0], worth[1]))


def support_notes(overlap: Overlap, estimator: str, *, trimmed: bool) -> tuple[str, ...]:
    """Return what to say where models stand in for rows; raise where they stand in for most.

    The plug-in has its own policy for strata, and weights are clipped with a note of their own.
    """
    missing = 1 - overlap.supported
    if estimator == "plugin" or trimmed or not missing:
        return ()
    if overlap.supported < LEAST_SUPPORT:
        raise PositivityError(
            f"{missing:.0%} of the rows have hardly any chance of one of the arms, so that most of the estimate would be extrapolated; "
            "empty='trim' estimates the effect among the others; or adjust for less"
        )
    if estimator in ("ipw", "aipw"):
        return ()
    return (
        f"{missing:.1%} of the rows have hardly any chance of one of the arms; there the model extrapolates",
    )
