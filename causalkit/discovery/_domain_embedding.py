"""Embeddings of mechanisms over domains, where the kernel of the context is a delta.

Then the regression falls apart into one regression per domain, and with K domains of n_k rows the cost is the sum of n_k³ for the
inverses and n³ multiplications for the comparison, without any n x n inverse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from causalkit._validation import Floats, check_choice
from causalkit.discovery._embedding import Form

__all__ = ["domain_mechanism_gram"]


def domain_mechanism_gram(
    effect: Floats,
    domains: NDArray[np.intp],
    causes: Floats | None = None,
    *,
    ridge: float,
    form: Form = "tensor",
) -> Floats:
    """Return inner products of the embedded mechanism between domains; equal to `mechanism_gram` with a delta kernel.

    Parameters
    ----------
    effect : numpy.ndarray, shape (n, n)
        Gram matrix of the effect over rows.
    domains : numpy.ndarray of int, shape (n,)
        Domain of each row, numbered from 0 without gaps.
    causes : numpy.ndarray of shape (n, n), optional
        Gram matrix of the causes; left out, the marginal distribution of the effect is embedded.
    ridge : float
        Ridge of the regressions.
    form : {"tensor", "l2"}, default="tensor"
        As in `mechanism_gram`.

    Returns
    -------
    numpy.ndarray, shape (K, K)
        Symmetric, positive semi-definite.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import domain_mechanism_gram
    >>> from causalkit.independence import Gaussian
    >>> y = np.random.default_rng(0).normal(size=(30, 1))
    >>> domain_mechanism_gram(Gaussian(0.5)(y), np.arange(30) % 3, ridge=0.1).shape
    (3, 3)
    """
    check_choice("form", form, ("l2", "tensor"))
    groups = [np.flatnonzero(domains == k) for k in range(int(domains.max()) + 1)]
    if causes is None:
        smoother = np.column_stack(
            [(domains == k) / (np.sum(domains == k) + ridge) for k in range(len(groups))]
        )
        return np.asarray(smoother.T @ effect @ smoother)
    inverses = [linalg.inv(causes[np.ix_(g, g)] + ridge * np.eye(len(g)), overwrite_a=True) for g in groups]
    return (
        _l2(effect, causes, groups, inverses) if form == "l2" else _tensor(effect, causes, groups, inverses)
    )


def _l2(effect: Floats, causes: Floats, groups: list[NDArray[np.intp]], inverses: list[Floats]) -> Floats:
    """M(k, l) = (1/n) sum over (K_E[l, k] A_k) o A_l with A_k = W_k K_P[k, :]."""
    n = len(effect)
    weights = [w @ causes[g] for w, g in zip(inverses, groups, strict=True)]
    gram = np.empty((len(groups), len(groups)))
    for k, (group, weight) in enumerate(zip(groups, weights, strict=True)):
        carried = effect[:, group] @ weight
        for other in range(k + 1):
            gram[k, other] = gram[other, k] = np.sum(carried[groups[other]] * weights[other]) / n
    return gram


def _tensor(effect: Floats, causes: Floats, groups: list[NDArray[np.intp]], inverses: list[Floats]) -> Floats:
    """M(k, l) = (1/n²) sum over (K_P³)[k, l] o (W_k K_E[k, l] W_l)."""
    cubed = causes @ causes @ causes / len(effect) ** 2
    gram = np.empty((len(groups), len(groups)))
    for k, (first, w) in enumerate(zip(groups, inverses, strict=True)):
        half = w @ effect[first]
        for other in range(k + 1):
            second = groups[other]
            block = cubed[np.ix_(first, second)] * (half[:, second] @ inverses[other])
            gram[k, other] = gram[other, k] = np.sum(block)
    return gram
