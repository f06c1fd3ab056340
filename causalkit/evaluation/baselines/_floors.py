"""Floors and linear methods: what a score must beat before it means anything.

A network that was never trained, and numbers that are no picture at all, show what the data give away by themselves. Principal and independent components, and
correlations between views, show what linear methods reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, FastICA

from causalkit._random import Seed, as_generator, entropy, named_stream
from causalkit._validation import Floats, check_between, check_count
from causalkit.evaluation.baselines._training import (
    ROUNDING,
    Inputs,
    LearnedBaseline,
    encoder_network,
    read_labels,
    seeded,
)
from causalkit.exceptions import DataError, ParameterError

__all__ = ["PCAICA", "GeneralizedCCA", "IndexOnly", "RandomEncoder"]

MAX_COMPONENTS = 100


class RandomEncoder(LearnedBaseline):
    """A network that is not trained: the floor under every trained one of its shape.

    Parameters
    ----------
    n_codes : int, default=8
        Number of codes.
    hidden : int, default=128
        Width of the network.
    random_state : int, numpy.random.Generator or None, default=0
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import RandomEncoder
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> RandomEncoder(n_codes=3).fit(x).encode(x).shape  # doctest: +SKIP
    (100, 3)
    """

    n_epochs, batch_size = 1, 2
    learning_rate = 1e-3
    verbose = 0

    def __init__(self, *, n_codes: int = 8, hidden: int = 128, random_state: Seed = 0) -> None:
        self.n_codes = n_codes
        self.hidden = hidden
        self.random_state = random_state

    def fit(self, x: Any) -> RandomEncoder:
        """Draw the network.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).

        Returns
        -------
        RandomEncoder
            Itself.
        """
        inputs = self._start(x)
        with seeded(self.random_state):
            self.encoder_ = encoder_network(inputs.shape, self.hidden, self.n_codes_)
        return self


class IndexOnly(BaseEstimator):  # type: ignore[misc]
    """Codes that know only which instance a row is of, or when it was: no pictures at all.

    Parameters
    ----------
    n_codes : int, default=8
        Numbers per instance.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of these.

    Examples
    --------
    >>> from causalkit.evaluation.baselines import IndexOnly
    >>> IndexOnly(n_codes=2).fit().encode(groups=[7, 7, 9], time=[0, 1, 0]).shape
    (3, 4)
    """

    def __init__(self, *, n_codes: int = 8, random_state: Seed = 0) -> None:
        self.n_codes = n_codes
        self.random_state = random_state

    def fit(self, x: Any = None) -> IndexOnly:  # noqa: ARG002 - nothing is learned
        """Fix the seed.

        Parameters
        ----------
        x : ignored
            Not looked at.

        Returns
        -------
        IndexOnly
            Itself.
        """
        check_count("n_codes", self.n_codes)
        self.entropy_ = entropy(self.random_state)
        return self

    def encode(self, *, groups: Any = None, time: Any = None) -> Floats:
        """Return random numbers that belong to the instance, and time with its square.

        Parameters
        ----------
        groups : array_like, shape (n,), optional
            Instance of every row.
        time : array_like of float, shape (n,), optional
            Time of every row.

        Returns
        -------
        numpy.ndarray of float, shape (n, n_codes + 2)
            ``n_codes`` columns if there are groups, two if there is time.
        """
        if not hasattr(self, "entropy_"):
            raise ParameterError("IndexOnly is not fitted; call fit first")
        parts = []
        if groups is not None:
            labels = read_labels("groups", groups, len(groups))
            names = np.asarray(groups)[np.unique(labels, return_index=True)[1]].tolist()
            own = [named_stream(self.entropy_, str(name)).normal(size=self.n_codes) for name in names]
            parts.append(np.reshape(own, (len(names), self.n_codes))[labels])
        if time is not None:
            parts.append(_powers(time))
            if len(parts[-1]) != len(parts[0]):
                raise DataError(
                    f"there are {len(parts[0])} groups and {len(parts[-1])} times; give one of each per row"
                )
        if not parts:
            raise ParameterError("give groups, time or both")
        return np.hstack(parts)


def _powers(time: Any) -> Floats:
    """Return time and its square."""
    given = np.asarray(time)
    if given.ndim != 1 or given.dtype.kind not in "iufb" or not np.isfinite(given).all():
        raise DataError(
            f"time is {given.dtype} of shape {given.shape}; give one finite number per row, such as the time in seconds"
        )
    t = given.astype(float)
    return np.column_stack([t, t**2])


class PCAICA(BaseEstimator):  # type: ignore[misc]
    """Principal components, turned until they are independent.

    Finds sources that are not Gaussian and were mixed linearly.

    Parameters
    ----------
    n_codes : int, default=8
        Number of components.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first rotation.

    References
    ----------
    A. Hyvärinen, "Fast and robust fixed-point algorithms for independent component analysis", IEEE Transactions on Neural Networks 10, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import mcc
    >>> from causalkit.evaluation.baselines import PCAICA
    >>> rng = np.random.default_rng(0)
    >>> z = rng.uniform(size=(2000, 3))
    >>> x = z @ rng.normal(size=(3, 10))
    >>> bool(mcc(z, PCAICA(n_codes=3).fit(x).encode(x), n_bootstrap=0, n_permutations=0).value > 0.99)
    True
    """

    def __init__(self, *, n_codes: int = 8, random_state: Seed = 0) -> None:
        self.n_codes = n_codes
        self.random_state = random_state

    def fit(self, x: Any) -> PCAICA:
        """Find the components.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).

        Returns
        -------
        PCAICA
            Itself.
        """
        rows = flat_rows(x)
        n_codes = check_count("n_codes", self.n_codes)
        if len(rows) < 2:
            raise DataError("there is one row; components need at least two")
        self.width_ = rows.shape[1]
        if n_codes > min(rows.shape):
            raise ParameterError(
                f"n_codes is {n_codes}; {rows.shape[0]} rows of {rows.shape[1]} numbers have at most {min(rows.shape)}"
            )
        seed = int(as_generator(self.random_state).integers(2**31))
        self.pca_ = PCA(
            n_codes, svd_solver="covariance_eigh" if rows.shape[1] <= len(rows) else "full", whiten=True
        )
        whitened = self.pca_.fit_transform(rows)
        variances = self.pca_.explained_variance_
        rank = int((variances > ROUNDING * max(float(variances[0]), 1e-300)).sum())
        if rank < n_codes:
            raise ParameterError(f"n_codes is {n_codes}; the rows have {rank} directions with any variance")
        self.ica_ = FastICA(whiten=False, random_state=seed, max_iter=1000, tol=1e-5).fit(whitened)
        return self

    def encode(self, x: Any) -> Floats:
        """Return the components of inputs.

        Parameters
        ----------
        x : array_like or source of pictures
            Of the shape that was fitted.

        Returns
        -------
        numpy.ndarray of float, shape (n, n_codes)
            Codes.
        """
        if not hasattr(self, "ica_"):
            raise ParameterError("PCAICA is not fitted; call fit first")
        return np.asarray(self.ica_.transform(self.pca_.transform(rows_as_fitted(x, self.width_))))


class GeneralizedCCA(BaseEstimator):  # type: ignore[misc]
    r"""What all views have in common, linearly: generalised canonical correlation analysis (MAX-VAR).

    Finds shared variables G with orthonormal columns and a linear map of every view that minimise :math:`\sum_v \lVert G - X_v U_v \rVert^2`: the leading
    eigenvectors of the sum of the projections on the views.

    Parameters
    ----------
    n_codes : int, default=8
        Number of shared variables.
    ridge : float, default=1e-3
        Added to the covariance of every view, relative to its mean variance.

    References
    ----------
    J. R. Kettenring, "Canonical analysis of several sets of variables", Biometrika 58, 1971.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import GeneralizedCCA
    >>> rng = np.random.default_rng(0)
    >>> shared, own = rng.normal(size=(300, 1)), rng.normal(size=(600, 2))
    >>> view = np.tile([0, 1], 300)
    >>> x = np.hstack([np.repeat(shared, 2, axis=0), own]) @ rng.normal(size=(3, 5))
    >>> codes = GeneralizedCCA(n_codes=1).fit(x, groups=np.repeat(np.arange(300), 2), views=view).encode(x, views=view)
    >>> bool(abs(np.corrcoef(codes[::2, 0], shared[:, 0])[0, 1]) > 0.99)
    True
    """

    def __init__(self, *, n_codes: int = 8, ridge: float = 1e-3) -> None:
        self.n_codes = n_codes
        self.ridge = ridge

    def fit(self, x: Any, *, groups: Any, views: Any) -> GeneralizedCCA:
        """Find what the views share.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).
        groups : array_like, shape (n,)
            Instance of every row; those that lack a view are left out.
        views : array_like, shape (n,)
            View of every row.

        Returns
        -------
        GeneralizedCCA
            Itself.
        """
        rows = flat_rows(x)
        check_between("ridge", self.ridge, 0, np.inf)
        labels, names = read_labels("groups", groups, len(rows)), np.asarray(views)
        read_labels("views", views, len(rows))
        self.width_ = rows.shape[1]
        self.views_ = tuple(np.unique(names).tolist())
        placed = _placed(labels, names, self.views_)
        if len(placed) <= check_count("n_codes", self.n_codes) or len(self.views_) < 2:
            raise DataError(
                f"{len(placed)} instances have all {len(self.views_)} views; more than n_codes={self.n_codes} are needed, and two views"
            )
        self.pca_, coordinates = [], []
        if self.n_codes > rows.shape[1]:
            raise ParameterError(f"n_codes is {self.n_codes}; rows have {rows.shape[1]} numbers")
        for k in range(len(self.views_)):
            own = rows[placed[:, k]]
            reduced = PCA(min(MAX_COMPONENTS, *own.shape), svd_solver="full").fit(own)
            self.pca_.append(reduced)
            coordinates.append(reduced.transform(own))
        bases = [_projection_root(c, self.ridge) for c in coordinates]
        shared = linalg.svd(np.hstack([b for b, _ in bases]), full_matrices=False)[0][:, : self.n_codes]
        self.maps_ = [inverse @ (basis.T @ shared) for basis, inverse in bases]
        return self

    def encode(self, x: Any, *, views: Any) -> Floats:
        """Return the shared variables of inputs.

        Parameters
        ----------
        x : array_like or source of pictures
            Of the shape that was fitted.
        views : array_like, shape (n,)
            View of every row.

        Returns
        -------
        numpy.ndarray of float, shape (n, n_codes)
            Codes.
        """
        if not hasattr(self, "maps_"):
            raise ParameterError("GeneralizedCCA is not fitted; call fit first")
        rows, names = rows_as_fitted(x, self.width_), np.asarray(views)
        unknown = [v for v in np.unique(names).tolist() if v not in self.views_]
        if unknown or names.shape != (len(rows),):
            raise DataError(f"views must be one of {self.views_} for each of the {len(rows)} rows")
        out = np.empty((len(rows), self.n_codes))
        for view, pca, weights in zip(self.views_, self.pca_, self.maps_, strict=True):
            mine = names == view
            if mine.any():
                out[mine] = pca.transform(rows[mine]) @ weights
        return out


def _placed(labels: Any, names: Any, views: tuple[Any, ...]) -> Any:
    """Return, for every instance with all views, the row of each."""
    place = {(g, v): row for row, (g, v) in enumerate(zip(labels.tolist(), names.tolist(), strict=True))}
    whole = [g for g in np.unique(labels).tolist() if all((g, v) in place for v in views)]
    return np.array([[place[g, v] for v in views] for g in whole], dtype=np.intp).reshape(-1, len(views))


def _projection_root(columns: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Return B with B Bᵀ the regularised projection on the columns, and W with columns @ W = B."""
    left, values, right = linalg.svd(columns, full_matrices=False)
    added = ridge * float(np.square(values).mean())
    root = np.sqrt(np.square(values) + added)
    kept = root > 0
    return left[:, kept] * (values[kept] / root[kept]), right[kept].T / root[kept]


def flat_rows(x: Any) -> Floats:
    """Return inputs as rows of numbers."""
    inputs = Inputs(x)
    raw = inputs.raw(np.arange(inputs.n))
    return np.asarray(raw.reshape(inputs.n, -1), dtype=float) / (255 if inputs.pictures else 1)


def rows_as_fitted(x: Any, width: int) -> Floats:
    """Return inputs as rows of numbers, as many as were fitted."""
    rows = flat_rows(x)
    if rows.shape[1] != width:
        raise DataError(f"rows have {rows.shape[1]} numbers; fitted were {width}")
    return rows
