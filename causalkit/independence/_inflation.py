"""By how much a regression inflates the variance of a sum of products of its residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalkit._validation import Floats


@dataclass(frozen=True, eq=False)
class Regressed:
    """What a regression leaves of columns, and V with R² = I - V V' for its residual maker R."""

    rest: Floats
    complement: Floats


def inflation(first: Floats, second: Floats) -> float:
    """Return the sum of R_X² R_Y² (elementwise) over its diagonal part.

    Parameters
    ----------
    first, second : numpy.ndarray, shapes (n, p) and (n, q)
        V of each residual maker R, with R² = I - V V'.

    Returns
    -------
    float
        At least about 1; 1 for n large.
    """
    own, other = (np.sum(v**2, axis=1) for v in (first, second))
    total = len(own) - own.sum() - other.sum() + np.sum((first.T @ second) ** 2)
    return float(total / ((1 - own) @ (1 - other)))
