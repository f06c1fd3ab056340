r"""Embeddings of changing mechanisms, one point per context.

With the kernel ridge regression of an effect E on its causes P and the context C, :math:`W = (K_P \circ K_C + \lambda I)^{-1}`, the
law of E given P in context c, carried to the pooled distribution of P, is embedded as

.. math:: \mu_c = \frac1N \sum_n \phi(p_n) \otimes \Phi_E\, W\, (k_P(\cdot, p_n) \circ k_C(\cdot, c)).

Inner products of these embeddings between contexts are, as matrices over rows,

.. math:: M = \frac1{N^2}\, K_C \left[ K_P^3 \circ (W K_E W) \right] K_C ,

where :math:`K_P^3` is a matrix power: one factor comes from the regression at each end, one from
:math:`\langle \phi(p_n), \phi(p_m) \rangle`. Replacing that middle factor by N times the identity integrates over the pooled
distribution of P instead, which smooths less:

.. math:: M = \frac1N\, K_C \left[ K_P^2 \circ (W K_E W) \right] K_C .

Without causes :math:`K_P = 11'` and both reduce to the embedding of a marginal distribution,
:math:`K_C (K_C + \lambda I)^{-1} K_E (K_C + \lambda I)^{-1} K_C`. Rows with equal context have equal embeddings, so that everything is
computed once per different context.

References
----------
B. Huang, K. Zhang, J. Zhang, J. Ramsey, R. Sanchez-Romero, C. Glymour, B. Schölkopf, "Causal discovery from
heterogeneous/nonstationary data", JMLR 21(89), 2020, sections 4 and 5. Same authors, "Behind distribution shift: mining driving
forces of changes and causal arrows", ICDM 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from scipy import linalg

from causalkit._validation import Floats, Table, check_choice
from causalkit.exceptions import ParameterError
from causalkit.independence._kernel_factory import KernelFactory

__all__ = ["dependence_score", "gaussian_gram", "mechanism_gram"]

Form: TypeAlias = Literal["tensor", "l2"]
Normalization: TypeAlias = Literal["none", "trace", "alignment"]

TIE = 1e-10


def mechanism_gram(
    effect: Floats,
    context: Floats,
    causes: Floats | None = None,
    *,
    ridge: float,
    at: Floats | None = None,
    joint: Floats | None = None,
    form: Form = "tensor",
) -> Floats:
    """Return inner products of the embedded mechanism between contexts.

    Parameters
    ----------
    effect : numpy.ndarray, shape (n, n)
        Gram matrix of the effect over rows.
    context : numpy.ndarray, shape (n, n)
        Gram matrix of the context over rows.
    causes : numpy.ndarray of shape (n, n), optional
        Gram matrix of the causes; left out, the marginal distribution of the effect is embedded.
    ridge : float
        Ridge λ of the regression.
    at : numpy.ndarray of shape (n, m), optional
        Kernel between the contexts of the rows and the m contexts at which to embed; by default those of the rows.
    joint : numpy.ndarray of shape (n, n), optional
        Kernel of causes and context together, where it is not their product.
    form : {"tensor", "l2"}, default="tensor"
        ``"tensor"`` is the form of the papers; ``"l2"`` integrates over the pooled distribution of the causes.

    Returns
    -------
    numpy.ndarray, shape (m, m)
        Symmetric, positive semi-definite.

    References
    ----------
    Huang et al., JMLR 21(89), 2020, sections 4.2 and 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import mechanism_gram
    >>> from causalkit.independence import Delta, Gaussian
    >>> domain = np.repeat([[0.0], [1.0], [2.0]], 20, axis=0)
    >>> y = domain + np.random.default_rng(0).normal(size=(60, 1))
    >>> kernel = Delta()
    >>> gram = mechanism_gram(Gaussian(0.5)(y), kernel(domain), ridge=1.0, at=kernel(domain, np.array([[0.0], [1.0], [2.0]])))
    >>> gram.shape, bool(np.linalg.eigvalsh(gram).min() > 0)
    ((3, 3), True)
    """
    check_choice("form", form, ("tensor", "l2"))
    if not ridge > 0:
        raise ParameterError(f"ridge must be positive; got {ridge!r}")
    n = len(effect)
    ends = context if at is None else at
    if causes is None:
        smoothed = _smooth(context if joint is None else joint, effect, ridge)
        return np.asarray(ends.T @ smoothed @ ends)
    smoothed = _smooth(causes * context if joint is None else joint, effect, ridge)
    inner = causes @ causes @ causes / n**2 if form == "tensor" else causes @ causes / n
    return np.asarray(ends.T @ (inner * smoothed) @ ends)


def _smooth(gram: Floats, effect: Floats, ridge: float) -> Floats:
    """Return W K_E W with W = (K + ridge I)^-1."""
    factor = linalg.cho_factor(gram + ridge * np.eye(len(gram)), lower=True, overwrite_a=True)
    half = linalg.cho_solve(factor, effect)
    return np.asarray(linalg.cho_solve(factor, half.T))


def variable_gram(table: Table, names: Sequence[str], width: float) -> Floats:
    """Return the Gram matrix of some variables taken together: Gaussian on standardised numbers, delta on labels."""
    columns = tuple(k for name in names for k in table.positions(name))
    kernels = KernelFactory.of(table, width, width, 0.0)
    return np.asarray(kernels.kernel(columns, width)(kernels.values))


def squared_distances(gram: Floats) -> Floats:
    """Return squared distances from inner products; never negative."""
    diagonal = np.diag(gram)
    return np.maximum(diagonal[:, None] + diagonal[None, :] - 2 * gram, 0.0)


def gaussian_gram(gram: Floats, bandwidth: float | Literal["median"] = "median") -> Floats:
    """Return the Gaussian kernel between embeddings, from their inner products.

    Parameters
    ----------
    gram : numpy.ndarray, shape (m, m)
        Inner products.
    bandwidth : float or "median", default="median"
        Squared width; ``"median"`` is the median of the distances that are not zero.

    Returns
    -------
    numpy.ndarray, shape (m, m)
        The entries exp(-D / (2 bandwidth)); all ones if no embedding differs from another, so that nothing changes.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import gaussian_gram
    >>> gaussian_gram(np.diag([1.0, 1.0])).round(3)
    array([[1.   , 0.607],
           [0.607, 1.   ]])
    """
    distances = squared_distances(gram)
    lower = distances[np.tril_indices(len(gram), -1)]
    positive = lower[lower > TIE * max(float(np.trace(gram)), np.finfo(float).tiny)]
    if bandwidth == "median":
        if positive.size == 0:
            return np.ones_like(gram)
        return np.asarray(np.exp(-distances / (2 * np.median(positive))))
    return np.asarray(np.exp(-distances / (2 * bandwidth)))


def dependence_score(
    first: Floats, second: Floats, normalization: Normalization = "alignment", weights: Floats | None = None
) -> float:
    """Return the dependence (HSIC) between two mechanisms, from their Gram matrices over contexts.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (m, m)
        Gram matrices of two mechanisms over the same contexts.
    normalization : {"alignment", "trace", "none"}, default="alignment"
        ``"alignment"`` divides by both Frobenius norms (centred kernel alignment, from 0 to 1); ``"trace"`` by both traces, as in
        the paper; ``"none"`` by m², as in the authors' code, where scores with different numbers of causes do not compare.
    weights : numpy.ndarray of shape (m,), optional
        Weight of each context, for example its share of the rows; equal by default.

    Returns
    -------
    float
        Zero for independent changes; NaN if a mechanism does not change, since there is nothing to compare then.

    References
    ----------
    Huang et al., JMLR 21(89), 2020, section 4.2 (normalised HSIC).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import dependence_score
    >>> a = np.diag([1.0, 2.0, 3.0])
    >>> round(dependence_score(a, a), 6)
    1.0
    """
    check_choice("normalization", normalization, ("alignment", "trace", "none"))
    share = np.full(len(first), 1 / len(first)) if weights is None else np.asarray(weights) / np.sum(weights)
    a, b = weighted_center(first, share), weighted_center(second, share)
    score = float(np.sum(a * b))
    if normalization == "none":
        return score
    if normalization == "trace":
        scale = float(np.trace(a) * np.trace(b))
    else:
        scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    smallest = TIE * float(np.max(np.abs(first)) * np.max(np.abs(second)))
    return score / scale if scale > smallest else float("nan")


def weighted_center(gram: Floats, share: Floats) -> Floats:
    """Centre a Gram matrix at the weighted mean and scale it by the roots of the weights, so that sums become means."""
    means = gram @ share
    centred = gram - means[None, :] - means[:, None] + share @ means
    root = np.sqrt(share)
    return np.asarray(centred * root[:, None] * root[None, :])
