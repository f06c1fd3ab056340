"""The largest eigenvalues of a positive semi-definite matrix that is only multiplied with, by block Krylov iteration.

References
----------
C. Musco, C. Musco, "Randomized block Krylov methods for stronger and faster approximate singular value decomposition", NeurIPS 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from causalkit.gpu._backend import Array, Backend

__all__ = ["leading_eigenvalues"]

OVERSAMPLING = 10
DEPTH = 4


def leading_eigenvalues(
    multiply: Callable[[Array], Array], n: int, count: int, backend: Backend, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the largest eigenvalues, descending.

    Parameters
    ----------
    multiply : callable
        Takes V of shape (n, k) and returns the matrix times V.
    n : int
        Number of rows.
    count : int
        Number of eigenvalues; fewer if n is smaller.
    backend : Backend
        Array library.
    rng : numpy.random.Generator
        Draws the start on the host, so that it is the same for every library.

    Returns
    -------
    numpy.ndarray, shape (min(count, n),)
        Eigenvalues, on the host.
    """
    width = min(n, count + OVERSAMPLING)
    block = backend.asarray(rng.standard_normal((n, width)))
    space = backend.zeros((n, 0), block)
    for _ in range(max(1, min(DEPTH, n // width))):
        # Orthonormal as a whole: what a power of the matrix adds may be rounding errors only, which lie anywhere.
        space = backend.xp.linalg.qr(backend.xp.concat([space, block], axis=1))[0]
        block = multiply(space[:, -width:])
    values = backend.to_numpy(backend.eigh(space.mT @ multiply(space))[0])
    return np.asarray(values[::-1][:count])
