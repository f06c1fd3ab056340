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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalkit.strength._measures import Estimate


@dataclass(frozen=True)
class Observed:
    """What is seen without intervention.

    Parameters
    ----------
    joint : numpy.ndarray of float, shape (2, 2)
        Shares of (cause, effect); index 0 is absent.
    contrasts : numpy.ndarray of float
        Difference of the two means in every stratum that has both.
    """

    joint: NDArray[np.float64]
    contrasts: NDArray[np.float64]

    @property
    def effect(self) -> float:
        """Share of rows with the effect."""
        return float(self.joint[:, 1].sum())

    @property
    def naive(self) -> float:
        """Difference of the shares of the effect with and without the cause."""
        shares = self.joint[:, 1] / self.joint.sum(axis=1)
        return float(shares[1] - shares[0])


def _suppes(_p0: float, _p1: float, seen: Observed) -> Estimate:
    return Estimate(float(seen.joint[1, 1] / seen.joint[1].sum() - seen.effect))


def _eells(_p0: float, _p1: float, seen: Observed) -> Estimate:
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
