"""Measures that need what is observed beside what would be: Suppes, Eells, and the probabilities of causation.

`pn`, `ps` and `pns` are the probabilities that the cause was necessary for the effect where both occurred, would have been
sufficient where neither did, and is necessary and sufficient. Data bound them (Tian and Pearl 2000): with p1 and p0 under intervention and the
observed joint distribution of cause x and effect y,

    PNS in [max(0, p1 - p0, P(y) - p0, p1 - P(y)), min(p1, 1 - p0, P(x,y) + P(x',y'), p1 - p0 + P(x,y') + P(x',y))]
    PN  in [max(0, (P(y) - p0) / P(x,y)),          min(1, (1 - p0 - P(x',y')) / P(x,y))]
    PS  in [max(0, (p1 - P(y)) / P(x',y')),        min(1, (p1 - P(x,y)) / P(x',y'))]

References
----------
J. Tian, J. Pearl, "Probabilities of causation: bounds and identification", Annals of Mathematics and Artificial Intelligence 28,
2000. P. Suppes, "A Probabilistic Theory of Causality", 1970. E. Eells, "Probabilistic Causality", 1991.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError
from causalkit.strength._measures import Estimate
from causalkit.strength._sample import Sample


@dataclass(frozen=True)
class Observed:
    """What is seen without intervention.

    Parameters
    ----------
    joint : numpy.ndarray of float, shape (2, 2)
        Shares of (cause, effect); index 0 is absent.
    contrasts : numpy.ndarray of float
        Difference of the two means in every stratum that has both.
    effect : float
        Share of all rows with the effect.
    is_binary : bool
        Whether every row has one of the two compared values.
    """

    joint: NDArray[np.float64]
    contrasts: NDArray[np.float64]
    effect: float
    is_binary: bool

    @property
    def naive(self) -> float | None:
        """Difference of the shares of the effect with and without the cause; None if one of them never occurs."""
        totals = self.joint.sum(axis=1)
        if not totals.all():
            return None
        shares = self.joint[:, 1] / totals
        return float(shares[1] - shares[0])


def observed_in(sample: Sample) -> Observed:
    """Return the joint shares of arms and event, and the contrasts by strata."""
    joint = np.zeros((2, 2))
    for a in (0, 1):
        event = sample.outcome[sample.arm == a]
        joint[a] = (1 - event).sum(), event.sum()
    size = sample.strata.max(initial=0) + 1
    sums, rows = (
        np.stack([np.bincount(sample.strata[sample.arm == a], w[sample.arm == a], size) for a in (0, 1)])
        for w in (sample.outcome, np.ones(sample.n))
    )
    both = (rows > 0).all(axis=0)
    contrasts = (sums[1] / np.maximum(rows[1], 1) - sums[0] / np.maximum(rows[0], 1))[both]
    is_binary = bool((sample.arm >= 0).all())
    return Observed(joint / max(joint.sum(), 1), contrasts, float(sample.outcome.mean()), is_binary)


def _suppes(_p0: float, _p1: float, seen: Observed) -> Estimate:
    total = float(seen.joint[1].sum())
    return Estimate(float(seen.joint[1, 1]) / total - seen.effect if total else None)


def _eells(_p0: float, _p1: float, seen: Observed) -> Estimate:
    if not len(seen.contrasts):
        return Estimate(None)
    return Estimate(None, None, float(seen.contrasts.min()), float(seen.contrasts.max()))


def _pns(p0: float, p1: float, seen: Observed) -> Estimate:
    (a, b), (c, d) = seen.joint
    low = max(0.0, p1 - p0, seen.effect - p0, p1 - seen.effect)
    return _between(low, min(p1, 1 - p0, d + a, p1 - p0 + c + b))


def _pn(p0: float, _p1: float, seen: Observed) -> Estimate:
    both, neither = float(seen.joint[1, 1]), float(seen.joint[0, 0])
    return _between((seen.effect - p0) / both, (1 - p0 - neither) / both) if both else _between(0.0, 1.0)


def _ps(_p0: float, p1: float, seen: Observed) -> Estimate:
    both, neither = float(seen.joint[1, 1]), float(seen.joint[0, 0])
    return _between((p1 - seen.effect) / neither, (p1 - both) / neither) if neither else _between(0.0, 1.0)


def _between(low: float, high: float) -> Estimate:
    return Estimate(None, None, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1)))


ATTRIBUTION: dict[str, Callable[[float, float, Observed], Estimate]] = {
    "suppes": _suppes,
    "eells": _eells,
    "pns": _pns,
    "pn": _pn,
    "ps": _ps,
}


def attribute(name: str, corners: Sequence[tuple[float, float]], seen: Observed) -> Estimate:
    """Return a measure where (p0, p1) is one of some corners: the widest of their bounds."""
    if name in ("pns", "pn", "ps") and not seen.is_binary:
        raise ParameterError(f"{name!r} is defined for a cause with two values; here others occur too")
    found = [ATTRIBUTION[name](p0, p1, seen) for p0, p1 in corners]
    lows, highs = (
        [getattr(f, end) for f in found if getattr(f, end) is not None] for end in ("ci_low", "ci_high")
    )
    if found[0].value is not None or not lows:
        return found[0]
    return Estimate(None, None, min(lows), max(highs))
