"""Kernels, as small objects that turn rows into Gram matrices.

A Gaussian kernel suits numbers, a delta kernel suits labels. Feeding labels to a Gaussian kernel imposes an order and a
distance on them that they do not have: with twenty domains numbered 0 to 19 a test of independence given the domain rejects a
true independence almost always.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import Any, Protocol, runtime_checkable

import numpy as np
from array_api_compat import array_namespace

from causalkit._validation import Floats
from causalkit.exceptions import ParameterError
from causalkit.gpu import Array
from causalkit.gpu._fused import Mixture

__all__ = ["Circle", "Delta", "Gaussian", "Kernel", "Linear", "center_gram"]


@runtime_checkable
class Kernel(Protocol):
    """Anything that turns rows of one or two matrices into a Gram matrix."""

    def __call__(self, a: Any, b: Any = None) -> Any:
        """Return the matrix of k(a_i, b_j), with b = a by default."""
        ...

    def diagonal(self, a: Any) -> Any:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
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

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        widths = self.width if isinstance(self.width, tuple) else (self.width,) * a.shape[1]
        scales = [2**-0.5 / width for width in widths]
        left = [scale * a[:, k] for k, scale in zip(range(a.shape[1]), scales, strict=True)]
        right = left if b is None else [scale * b[:, k] for k, scale in enumerate(scales)]
        exponent = _squares(left[0], right[0])
        for u, v in zip(left[1:], right[1:], strict=True):
            exponent += _squares(u, v)
        exponent *= -1.0
        out = _exp(exponent)
        return out if self.variance == 1.0 else self.variance * out

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return self.variance * array_namespace(a).ones_like(a[:, 0])


def _squares(u: Array, v: Array) -> Array:
    """Return the squared differences of all pairs."""
    difference = u[:, None] - v[None, :]
    difference *= difference
    return difference


def _exp(exponent: Array) -> Array:
    """Return the exponential, in place where the library allows it: the memory, not the arithmetic, takes the time."""
    if isinstance(exponent, np.ndarray):
        return np.exp(exponent, out=exponent)
    return array_namespace(exponent).exp(exponent)


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

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        xp, other = array_namespace(a), a if b is None else b
        agree = (a[:, k][:, None] == other[:, k][None, :] for k in range(a.shape[1]))
        same = xp.astype(reduce(xp.logical_and, agree), a.dtype)
        return same if self.shared == 0 else self.shared + (1 - self.shared) * same

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return array_namespace(a).ones_like(a[:, 0])


@dataclass(frozen=True)
class Circle:
    """Kernel for phases, from 0 to 1: the Gaussian kernel of points on a circle of radius 1.

    Parameters
    ----------
    width : float, default=1.0
        Standard deviation of the kernel, in units of the radius; opposite points are 2 apart.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import Circle
    >>> Circle()(np.array([[0.0], [0.5], [1.0]])).round(4)[0]
    array([1.    , 0.1353, 1.    ])
    """

    width: float = 1.0

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ParameterError(f"the width of a kernel must be positive; got {self!r}")

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        return Gaussian(self.width)(on_circle(a), None if b is None else on_circle(b))

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return array_namespace(a).ones_like(a[:, 0])


def on_circle(phases: Array) -> Array:
    """Return the points on the unit circle of columns of phases, two columns for each."""
    xp = array_namespace(phases)
    angles = 2 * np.pi * phases
    return xp.concat([xp.cos(angles), xp.sin(angles)], axis=1)


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

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of inner products, with b = a by default; shape (n, m)."""
        return a @ (a if b is None else b).mT

    def diagonal(self, a: Array) -> Array:
        """Return the vector of inner products of rows with themselves.

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return array_namespace(a).sum(a * a, axis=1)


@dataclass(frozen=True)
class On:
    """A kernel on some of the columns.

    Parameters
    ----------
    columns : tuple of int
        Positions of the columns that the kernel sees.
    kernel : Kernel
        The kernel.
    """

    columns: tuple[int, ...]
    kernel: Kernel

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        return self.kernel(self._select(a), None if b is None else self._select(b))

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return self.kernel.diagonal(self._select(a))

    def _select(self, a: Array) -> Array:
        return array_namespace(a).stack([a[:, k] for k in self.columns], axis=1)


@dataclass(frozen=True)
class Product:
    """The product of kernels: similar in everything.

    Parameters
    ----------
    kernels : tuple of Kernel
        The factors.
    """

    kernels: tuple[Kernel, ...]

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        return reduce(mul, (kernel(a, b) for kernel in self.kernels))

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return reduce(mul, (kernel.diagonal(a) for kernel in self.kernels))


@dataclass(frozen=True)
class Mean:
    """The mean of kernels: similar in something.

    Parameters
    ----------
    kernels : tuple of Kernel
        The terms.
    """

    kernels: tuple[Kernel, ...]

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        total = reduce(add, (kernel(a, b) for kernel in self.kernels))
        return total / len(self.kernels)

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        total = reduce(add, (kernel.diagonal(a) for kernel in self.kernels))
        return total / len(self.kernels)


@dataclass(frozen=True)
class Shared:
    """A kernel of which a part is common to everything: ``share + (1 - share) k``.

    Parameters
    ----------
    share : float
        The common part.
    kernel : Kernel
        The rest.
    """

    share: float
    kernel: Kernel

    def __call__(self, a: Array, b: Array | None = None) -> Array:
        """Return the matrix of k(a_i, b_j), with b = a by default; shape (n, m)."""
        return self.share + (1 - self.share) * self.kernel(a, b)

    def diagonal(self, a: Array) -> Array:
        """Return the vector of k(a_i, a_i).

        Parameters
        ----------
        a : array, shape (n, d)
            Rows.

        Returns
        -------
        array, shape (n,)
            Each row's similarity to itself.
        """
        return self.share + (1 - self.share) * self.kernel.diagonal(a)


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


def as_mixture(kernel: Kernel, n_columns: int) -> Mixture | None:
    """Write a kernel as a sum of Gaussians on all columns; None for kernels of labels, linear ones, and those of others.

    Parameters
    ----------
    kernel : Kernel
        The kernel.
    n_columns : int
        Columns of the data.

    Returns
    -------
    Mixture or None
        Weights and scales.
    """
    match kernel:
        case On(columns, Gaussian(width, variance)):
            scales = np.zeros((1, n_columns))
            scales[0, list(columns)] = 0.5 / np.asarray(width) ** 2
            return Mixture(np.array([variance]), scales)
        case Product(kernels):
            parts = [as_mixture(part, n_columns) for part in kernels]
            return reduce(_multiplied, parts)
        case Mean(kernels):
            parts = [as_mixture(part, n_columns) for part in kernels]
            return reduce(_added, [_weighted(part, 1 / len(parts)) for part in parts])
        case Shared(share, rest):
            common = Mixture(np.array([share]), np.zeros((1, n_columns)))
            return _added(common, _weighted(as_mixture(rest, n_columns), 1 - share))
    return None


def _multiplied(a: Mixture | None, b: Mixture | None) -> Mixture | None:
    if a is None or b is None:
        return None
    scales = (a.scales[:, None, :] + b.scales[None, :, :]).reshape(-1, a.scales.shape[1])
    return Mixture(np.outer(a.weights, b.weights).ravel(), scales)


def _added(a: Mixture | None, b: Mixture | None) -> Mixture | None:
    if a is None or b is None:
        return None
    return Mixture(np.concatenate([a.weights, b.weights]), np.concatenate([a.scales, b.scales]))


def _weighted(a: Mixture | None, weight: float) -> Mixture | None:
    return None if a is None else Mixture(weight * a.weights, a.scales)
