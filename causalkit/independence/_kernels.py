"""Kernels, as small objects that turn rows into Gram matrices.

A Gaussian kernel suits numbers, a delta kernel suits labels. Feeding labels to a Gaussian kernel imposes an order and a
distance on them that they do not have: with twenty domains numbered 0 to 19 a test of independence given the domain rejects a
true independence almost always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.spatial.distance import cdist

from causalkit._validation import Floats
from causalkit.exceptions import ParameterError

__all__ = ["Delta", "Gaussian", "Kernel", "Linear", "center_gram"]


@runtime_checkable
class Kernel(Protocol):
    """Anything that turns rows of one or two matrices into a Gram matrix."""

    def __call__(self, a: Floats, b: Floats | None = None) -> Floats:
        """Return the matrix of k(a_i, b_j), with b = a by default."""
        ...


@dataclass(frozen=True)
class Gaussian:
    r"""Gaussian kernel :math:`k(a, b) = v \exp(-\sum_j (a_j - b_j)^2 / (2 w_j^2))`.

    Parameters
    ----------
    width : float or tuple of float, default=1.0
        Standard deviation of the kernel, one for all columns or one per column, in units of the columns.
    variance : float, default=1.0
        Value at distance zero.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import Gaussian
    >>> Gaussian(width=2.0)(np.array([[0.0], [2.0]])).round(4)
    array([[1.    , 0.6065],
           [0.6065, 1.    ]])
    """

    width: float | tuple[float, ...] = 1.0
    variance: float = 1.0

    def __post_init__(self) -> None:
        if not np.all(np.asarray(self.width) > 0) or not self.variance > 0:
            raise ParameterError(f"width and variance of a Gaussian kernel must be positive; got {self!r}")

    def __call__(self, a: Floats, b: Floats | None = None) -> Floats:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        width = np.asarray(self.width, dtype=np.float64)
        left, right = a / width, (a if b is None else b) / width
        return np.asarray(self.variance * np.exp(-0.5 * cdist(left, right, "sqeuclidean")))


@dataclass(frozen=True)
class Delta:
    """Delta kernel for labels: 1 where all columns agree, ``shared`` elsewhere.

    Parameters
    ----------
    shared : float, default=0.0
        Similarity of different labels, from 0 (nothing in common) to less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import Delta
    >>> Delta()(np.array([[0.0], [7.0], [7.0]]))
    array([[1., 0., 0.],
           [0., 1., 1.],
           [0., 1., 1.]])
    """

    shared: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shared < 1:
            raise ParameterError(f"shared must be at least 0 and less than 1; got {self.shared!r}")

    def __call__(self, a: Floats, b: Floats | None = None) -> Floats:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        other = a if b is None else b
        same = np.all(a[:, None, :] == other[None, :, :], axis=2)
        return np.where(same, 1.0, self.shared)


@dataclass(frozen=True)
class Linear:
    """Linear kernel: the inner product of two rows.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import Linear
    >>> Linear()(np.array([[1.0], [2.0]]))
    array([[1., 2.],
           [2., 4.]])
    """

    def __call__(self, a: Floats, b: Floats | None = None) -> Floats:
        """Return the matrix of inner products, with b = a by default; shape (n, m)."""
        return np.asarray(a @ (a if b is None else b).T)


def center_gram(gram: Floats) -> Floats:
    """Return H K H with H = I - 11'/n, the Gram matrix of centred features.

    Parameters
    ----------
    gram : numpy.ndarray, shape (n, n)
        Symmetric Gram matrix.

    Returns
    -------
    numpy.ndarray, shape (n, n)
        Its rows and columns sum to zero.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import center_gram
    >>> center_gram(np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    means = gram.mean(axis=0)
    return np.asarray(gram - means[None, :] - means[:, None] + means.mean())
