"""Mean correlation coefficients: whether every factor is one code, up to order and scale.

*Strong*: the best injective matching of factors with codes, by correlation. *Weak*: the same after both were brought to canonical
coordinates, so that any linear mixture will do. After a *regression* of each factor on all codes nothing is matched any more: that says
whether the codes hold the factors, and not whether they are taken apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from causalkit._random import Seed
from causalkit._validation import ColumnTypes, Floats, Table, check_choice
from causalkit.evaluation._assess import (
    SEVERAL_COLUMNS,
    Around,
    Outcome,
    RepresentationScore,
    Sample,
    assess_one,
    read_sample,
)
from causalkit.evaluation._association import (
    Correlation,
    associations,
    by_slot,
    matched_mean,
    matching,
    targets_of,
)
from causalkit.evaluation._regressors import Regressor, predict_all
from causalkit.exceptions import ParameterError

__all__ = ["mcc"]

Variant: TypeAlias = Literal["strong", "weak", "regression"]
Where: TypeAlias = Literal["in", "out"]


def mcc(
    z_true: Any,
    z_hat: Any,
    *,
    variant: Variant = "strong",
    correlation: Correlation = "pearson",
    sample: Where = "in",
    regressor: Regressor = "linear",
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 100,
    n_permutations: int = 100,
    rng: Seed = 0,
) -> RepresentationScore:
    """Mean correlation coefficient of codes with true factors.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors. Numbers, categories (text, or declared) and angles (declared `Cyclic`).
    z_hat : array_like, shape (n, K)
        Codes. K may be smaller than D: factors without a code count 0.
    variant : {"strong", "weak", "regression"}, default="strong"
        ``"strong"`` matches factors with codes. ``"weak"`` does so between canonical variables, which are fitted on one half of the groups and
        scored on the other; for factors that are numbers. ``"regression"`` predicts each factor from all codes, fitted on one half and
        scored on the other, and says how much the codes hold, not how well they are taken apart.
    correlation : {"pearson", "spearman"}, default="pearson"
        Spearman's does not mind monotone distortions of codes. Angles and categories have the multiple correlation of the code with cosine and
        sine, and the correlation ratio.
    sample : {"in", "out"}, default="in"
        Whether the matching is learned on the rows that are scored, or on the other half of the groups (twice, and averaged).
    regressor : {"linear", "kernel"} or scikit-learn regressor, default="linear"
        For ``variant="regression"``.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, if others are functions of them; the ceiling is the score of these as codes.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation, such as views of one instance or frames of one clip. By default every row is one.
    n_bootstrap, n_permutations : int, default=100
        Number of resamplings for the interval and for chance; 0 leaves them out.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationScore
        Between 0 and 1. ``parts["matching"]`` maps factors to positions of codes, ``parts["matrix"]`` holds all associations.

    Raises
    ------
    DataError
        If lengths differ, values are missing or infinite, nothing varies, or there are fewer than four groups.

    Warns
    -----
    ConstantColumnWarning
        If a factor never varies; it is left out.

    References
    ----------
    A. Hyvärinen, H. Morioka, "Unsupervised feature extraction by time-contrastive learning and nonlinear ICA", NeurIPS 2016 (strong);
    I. Khemakhem, R. Monti, D. Kingma, A. Hyvärinen, "ICE-BeeM", NeurIPS 2020 (weak; in and out of sample).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import mcc
    >>> z = np.random.default_rng(0).normal(size=(500, 2))
    >>> turned = z @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    >>> round(mcc(z, -3 * z[:, ::-1]).value, 4), round(mcc(z, turned).value, 2), round(mcc(z, turned, variant="weak").value, 4)
    (1.0, 0.71, 1.0)
    """
    check_choice("variant", variant, get_args(Variant))
    check_choice("correlation", correlation, get_args(Correlation))
    check_choice("sample", sample, get_args(Where))
    rows = read_sample(z_true, z_hat, factor_types, groups, rng)
    if variant == "strong":
        metric = partial(_strong, correlation=correlation, where=sample)
    elif variant == "weak":
        _require_numbers(rows.factors)
        metric = partial(_crossed, score=partial(_weak, correlation=correlation))
    else:
        metric = partial(_crossed, score=partial(_by_regression, regressor=regressor))
    name = f"MCC ({variant}, {correlation}, {'in' if variant == 'strong' and sample == 'in' else 'out of'} sample)"
    around = Around(exogenous, n_bootstrap, n_permutations, rng)
    return assess_one("mcc", name, metric, rows, around)


def _strong(sample: Sample, correlation: Correlation, where: Where) -> Outcome:
    matrix = by_slot(associations(sample.factors, sample.codes, correlation), sample.slots)
    pairs = matching(matrix)
    parts = {"matching": {sample.factors.names[i]: j for i, j in pairs}, "matrix": matrix}
    if where == "in":
        return Outcome({"mcc": matched_mean(matrix, pairs)}, parts)
    each = [
        by_slot(associations(half.factors, half.codes, correlation), sample.slots) for half in sample.halves()
    ]
    crossed = [matched_mean(each[1], matching(each[0])), matched_mean(each[0], matching(each[1]))]
    return Outcome({"mcc": float(np.mean(crossed))}, parts)


def _crossed(sample: Sample, score: Any) -> Outcome:
    """Fit on one half and score on the other, both ways."""
    one, other = sample.halves()
    return Outcome({"mcc": float(np.mean([score(one, other), score(other, one)]))})


def _weak(fit: Sample, test: Sample, correlation: Correlation) -> float:
    left, right = canonical_directions(fit.factors.values, fit.codes)
    factors = Table(
        tuple(f"u{k}" for k in range(left.shape[1])),
        test.factors.values @ left,
        ("continuous",) * left.shape[1],
    )
    matrix = associations(factors, test.codes @ right, correlation)
    return float(matched_mean(matrix, matching(matrix)) * left.shape[1] / fit.factors.n_columns)


def canonical_directions(x: Floats, y: Floats, tolerance: float = 1e-8) -> tuple[Floats, Floats]:
    """Return the weights of canonical variables of both sides, one column per pair; directions without variance are left out."""
    whiten_x, whiten_y = _whitening(x, tolerance), _whitening(y, tolerance)
    centred_x, centred_y = x - x.mean(axis=0), y - y.mean(axis=0)
    left, _, right = np.linalg.svd((centred_x @ whiten_x).T @ (centred_y @ whiten_y), full_matrices=False)
    return whiten_x @ left, whiten_y @ right.T


def _whitening(x: Floats, tolerance: float) -> Floats:
    centred = x - x.mean(axis=0)
    scale = centred.std(axis=0)
    scale[scale == 0] = 1.0
    _, values, right = np.linalg.svd(centred / scale, full_matrices=False)
    kept = values > tolerance * max(values[0], 1e-300)
    return np.asarray((right[kept] / scale).T / values[kept])


def _by_regression(fit: Sample, test: Sample, regressor: Regressor) -> float:
    """Return the mean correlation of factors with their predictions; that of several columns of one factor is pooled."""
    targets = [targets_of(fit, test, k) for k in range(fit.factors.n_columns)]
    guesses = predict_all(regressor, fit.codes, [known for known, _ in targets], test.codes)
    return float(np.mean([_pooled_correlation(t[1], g) for t, g in zip(targets, guesses, strict=True)]))


def _pooled_correlation(truth: Floats, guess: Floats) -> float:
    truth, guess = truth - truth.mean(axis=0), guess - guess.mean(axis=0)
    known, said = np.linalg.norm(truth), np.linalg.norm(guess)
    return float(abs((truth * guess).sum()) / known / said) if said > 1e-9 * known > 0 else 0.0


def _require_numbers(factors: Table) -> None:
    for name, kind in zip(factors.names, factors.types, strict=True):
        if kind in SEVERAL_COLUMNS:
            raise ParameterError(
                f"factor {name!r} is {kind}; the weak variant is for numbers; use 'strong' or 'regression'"
            )
