"""The formulas with whole matrices, which the package avoids: what its factors are compared with."""

from __future__ import annotations

import numpy as np

from causalkit.independence import KCI
from causalkit.independence._residuals import PairBatch, Side


def residual_maker(gram, ridge):
    """Return I - K (K + ridge I)^-1."""
    return ridge * np.linalg.inv(gram + ridge * np.eye(len(gram)))


def factor(gram):
    """Return E with E E' a Gram matrix."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-13 * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])


def pair(a, b, *, conditional):
    """Return two Gram matrices as a pair without or with a conditioning set, which has no kernel of its own."""
    rows = np.random.default_rng(0).normal(size=(len(a), 3))
    test = KCI().fit(rows)
    sides = [Side((((k,)),), (factor(gram),)) for k, gram in enumerate((a, b))]
    return PairBatch(*sides, ((0, 0),), (2,) if conditional else (), False, test._work, 0)


def conditional(law, a, b):
    """Return the result of a null law for two residual Gram matrices."""
    return law.results(pair(a, b, conditional=True))[0]


def unconditional(law, a, b):
    """Return the result of a null law for two centred Gram matrices."""
    return law.results(pair(a, b, conditional=False))[0]
