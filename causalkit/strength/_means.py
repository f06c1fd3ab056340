"""What an estimator returns: the mean outcome under either value of the cause, with its uncertainty.

Most estimators have influence functions: the estimate differs from the truth by about the mean of one number per row, so that the spread
of these numbers gives standard errors, of one mean, of differences, of any smooth function of both, and with rows that come in clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ArmMeans:
    """Means of the outcome with the cause set to control and to treated.

    Parameters
    ----------
    means : tuple of float
        Control first.
    influence : numpy.ndarray of float, shape (2, n), or None
        Influence of every row on either mean, up to the factor 1/n; sums to zero.
    covariance : numpy.ndarray of float, shape (2, 2), or None
        Covariance of the means where it is not that of the influence.
    bounds : tuple of (float, float), or None
        For either mean the least and the largest value that the data allow, where they do not decide.
    rows : numpy.ndarray of bool, shape (n,), or None
        Rows that the estimate is about; None for all.
    estimand : str
        What is estimated, in words.
    notes : tuple of str
        What was clipped, smoothed or left out.
    """

    means: tuple[float, float]
    influence: Floats | None = None
    covariance: Floats | None = None
    bounds: tuple[tuple[float, float], tuple[float, float]] | None = None
    rows: NDArray[np.bool_] | None = None
    estimand: str = "average effect"
    notes: tuple[str, ...] = field(default=())

    def spread(self, clusters: NDArray[np.intp] | None = None) -> Floats | None:
        """Return the covariance matrix of the means, by rows or by clusters of rows."""
        if self.influence is None:
            if clusters is not None:
                raise ParameterError(
                    "this estimator has no influence function to add up by clusters; use ci='bootstrap'"
                )
            return self.covariance
        n = self.influence.shape[1]
        if clusters is None:
            return np.asarray(self.influence @ self.influence.T / n**2)
        sums = np.stack([np.bincount(clusters, weights=row) for row in self.influence])
        groups = sums.shape[1]
        return np.asarray(sums @ sums.T / n**2 * groups / max(groups - 1, 1))
