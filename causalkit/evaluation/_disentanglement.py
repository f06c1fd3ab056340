"""Disentanglement: whether each code holds one factor, and each factor lies in one code.

DCI reads it from the importance of codes in regressions; MIG, SAP and modularity from single pairs of a code and a factor. All were made for independent
factors drawn on a grid. Here they take plain arrays of continuous, angular or categorical factors; where factors depend on each other, even the factors themselves
do not reach 1, which is what the ceiling says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LassoCV, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from causalkit._random import Seed
from causalkit._validation import ColumnTypes, Floats, Table, check_choice, check_count
from causalkit.evaluation._assess import (
    Around,
    Outcome,
    RepresentationScore,
    Sample,
    assess,
    assess_one,
    design,
    read_sample,
)
from causalkit.evaluation._association import associations
from causalkit.exceptions import DataError

__all__ = ["DCI", "dci", "explicitness", "mig", "modularity", "sap"]

Importance: TypeAlias = Literal["lasso", "forest", "boosting"]
Counts: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class DCI:
    """The three scores of `dci`.

    Parameters
    ----------
    disentanglement : RepresentationScore
        Whether each code matters for one factor only; ``parts["importance"]`` is the (D, K) matrix.
    completeness : RepresentationScore
        Whether each factor is captured by one code only.
    informativeness : RepresentationScore
        How well factors are predicted from all codes, on groups that were not fitted: R² (accuracy above the most frequent category for categories).
    """

    disentanglement: RepresentationScore
    completeness: RepresentationScore
    informativeness: RepresentationScore


def dci(
    z_true: Any,
    z_hat: Any,
    *,
    importance: Importance = "forest",
    max_rows: int = 1000,
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 0,
    n_permutations: int = 19,
    rng: Seed = 0,
) -> DCI:
    """Disentanglement, completeness and informativeness.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors.
    z_hat : array_like, shape (n, K)
        Codes.
    importance : {"lasso", "forest", "boosting"}, default="forest"
        Model of every factor: absolute coefficients of a lasso (of a logistic regression for categories), or the decrease of impurity in 20 trees of depth 6 on
        resampled rows, or in 50 boosted trees of depth 3. The choice changes the scores: a lasso sees linear codes only.
    max_rows : int, default=1000
        Rows that each model is fitted to, at most: the budget. 57 factors and 57 codes take about twenty seconds with a forest.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, for the ceiling.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation.
    n_bootstrap : int, default=0
        Number of resamplings for the interval.
    n_permutations : int, default=19
        Number of exchanges for chance; each costs as much as the score. With 19 a p-value can be .05, with fewer it cannot.
    rng : int, numpy.random.Generator or None, default=0
        Seed, also of the forests.

    Returns
    -------
    DCI
        Three scores. The first two are between 0 and 1.

    Notes
    -----
    Importances are shares of their factor before anything else. *Disentanglement* weighs every code by its part in all factors. *Completeness* is the plain mean over
    factors, as in the authors' code: a factor that no code predicts has no share, and counts 0 (there it is 0/0). A factor that is missed has shares all the same if the
    model fits noise, as a forest does: read completeness beside informativeness.

    References
    ----------
    C. Eastwood, C. Williams, "A framework for the quantitative evaluation of disentangled representations", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import dci
    >>> z = np.random.default_rng(0).normal(size=(500, 3))
    >>> found = dci(z, z[:, ::-1] + 1, importance="lasso", n_permutations=0)
    >>> round(found.disentanglement.value, 1), round(found.completeness.value, 1), round(found.informativeness.value, 1)
    (1.0, 1.0, 1.0)
    """
    check_choice("importance", importance, get_args(Importance))
    check_count("max_rows", max_rows, least=20)
    names = {key: f"DCI {key} ({importance})" for key in (f.name for f in fields(DCI))}
    scores = assess(
        names,
        partial(_dci, importance=importance, max_rows=max_rows),
        read_sample(z_true, z_hat, factor_types, groups, rng),
        Around(exogenous, n_bootstrap, n_permutations, rng),
    )
    return DCI(**scores)


def _dci(sample: Sample, importance: Importance, max_rows: int) -> Outcome:
    fit, test = sample.halves()
    if len(fit.codes) > max_rows:
        fit = fit.take(np.linspace(0, len(fit.codes) - 1, max_rows).astype(np.intp))
    scaler = StandardScaler().fit(fit.codes)
    x, new = scaler.transform(fit.codes), scaler.transform(test.codes)
    found = [_importance(fit, test.factors, k, x, new, importance) for k in range(sample.factors.n_columns)]
    matrix, informed = np.array([row for row, _ in found]), float(np.mean([score for _, score in found]))
    shares = per_factor(matrix)
    values = {
        "disentanglement": purity(shares.T),
        "completeness": float(purities(shares).mean()),
        "informativeness": informed,
    }
    return Outcome(values, {"importance": matrix})


def per_factor(importance: Floats) -> Floats:
    """Return importances as shares of their factor: rows sum to 1, and a factor that nothing predicts has zeros.

    Coefficients of a lasso are larger for factors that are predicted better; trees give shares already.
    """
    total = importance.sum(axis=1, keepdims=True)
    return np.asarray(importance / np.where(total > 0, total, 1.0))


def purities(matrix: Floats) -> Floats:
    """Return one minus the normalised entropy of every row: 1 for a row with one entry, 0 for equal entries and for a row of zeros."""
    total, width = matrix.sum(axis=1), matrix.shape[1]
    if width < 2:
        return np.asarray(total > 0, dtype=float)
    shares = matrix / np.where(total > 0, total, 1.0)[:, None]
    entropy = -xlogy(shares, shares).sum(axis=1) / np.log(width)
    return np.asarray(np.where(total > 0, 1 - entropy, 0.0))


def purity(matrix: Floats) -> float:
    """Return the mean of the purities of rows, weighted by the row's share of the whole: how a code counts that matters more."""
    total = matrix.sum(axis=1)
    return float(purities(matrix) @ total / total.sum()) if total.sum() > 0 else 0.0


def _importance(
    fit: Sample, other: Table, k: int, x: Floats, new: Floats, importance: Importance
) -> tuple[Floats, float]:
    """Return the importance of every code for one factor, and how well the factor is predicted on new rows."""
    known = fit.factors
    if known.types[k] == "categorical":
        y, truth = known.values[:, k], other.values[:, k]
        if len(np.unique(y)) < 2:
            return np.zeros(x.shape[1]), 0.0
        model = _classifier(importance).fit(x, y)
        usual = float((truth == np.bincount(y.astype(int)).argmax()).mean())
        return _weights(model), (model.score(new, truth) - usual) / (1 - usual) if usual < 1 else 0.0
    y, truth = design(known, k), design(other, k)
    scale = np.sqrt(y.var(axis=0).sum()) or 1.0
    y, truth = y / scale, truth / scale
    models = [_regressor(importance, fit).fit(x, column) for column in y.T]
    guess = np.column_stack([model.predict(new) for model in models])
    spread = ((truth - truth.mean(axis=0)) ** 2).sum()
    informed = float(1 - ((truth - guess) ** 2).sum() / spread) if spread > 0 else 0.0
    return np.mean([_weights(model) for model in models], axis=0), informed


def _classifier(importance: Importance) -> Any:
    if importance == "lasso":
        return LogisticRegression(max_iter=500)
    if importance == "forest":
        return RandomForestClassifier(20, max_depth=6, max_features=1.0, random_state=0)
    return GradientBoostingClassifier(n_estimators=50, max_depth=3, random_state=0)


def _regressor(importance: Importance, fit: Sample) -> Any:
    if importance == "lasso":
        folds = GroupKFold(min(3, fit.n_groups)).split(fit.codes, groups=fit.groups)
        return LassoCV(alphas=20, cv=list(folds))
    if importance == "forest":
        return RandomForestRegressor(20, max_depth=6, max_features=1.0, random_state=0)
    return GradientBoostingRegressor(n_estimators=50, max_depth=3, random_state=0)


def _weights(model: Any) -> Floats:
    if hasattr(model, "feature_importances_"):
        return np.asarray(model.feature_importances_)
    return np.asarray(np.abs(np.atleast_2d(model.coef_)).mean(axis=0))


# -- single pairs ------------------------------------------------------------------------------------------------------------------


def mig(
    z_true: Any,
    z_hat: Any,
    *,
    bins: int = 20,
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 100,
    n_permutations: int = 100,
    rng: Seed = 0,
) -> RepresentationScore:
    """Mutual information gap: how much more the best code tells about a factor than the second best.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors.
    z_hat : array_like, shape (n, K)
        Codes, at least two.
    bins : int, default=20
        Codes and continuous factors are cut at quantiles into so many bins, fewer where values repeat. Mutual information is that of counts and is too
        large by about (bins - 1)² / 2n; gaps cancel most of that.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, for the ceiling.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation.
    n_bootstrap, n_permutations : int, default=100
        Number of resamplings for the interval and for chance; 0 leaves them out.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationScore
        Mean over factors of (largest - second largest information) / entropy. ``parts["information"]`` is the (D, K) matrix in nats.

    References
    ----------
    R. Chen, X. Li, R. Grosse, D. Duvenaud, "Isolating sources of disentanglement in variational autoencoders", NeurIPS 2018, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import mig
    >>> z = np.random.default_rng(0).integers(4, size=(1000, 2)).astype(str)
    >>> none = {"n_bootstrap": 0, "n_permutations": 0}
    >>> round(mig(z, z.astype(int), **none).value, 1), round(mig(z, z[:, [0, 1, 0, 1]].astype(int), **none).value, 1)
    (1.0, 0.0)
    """
    check_count("bins", bins, least=2)
    rows = read_sample(z_true, z_hat, factor_types, groups, rng)
    if rows.codes.shape[1] < 2:
        raise DataError("the mutual information gap needs at least two codes; there is one")
    around = Around(exogenous, n_bootstrap, n_permutations, rng)
    return assess_one("mig", f"MIG ({bins} bins)", partial(_mig, bins=bins), rows, around)


def _mig(sample: Sample, bins: int) -> Outcome:
    information, entropy = informations(sample, bins)
    gaps = gap(information) / np.where(entropy > 0, entropy, np.inf)
    return Outcome({"mig": float(gaps.mean())}, {"information": information})


def gap(matrix: Floats) -> Floats:
    """Return the largest minus the second largest entry of every row; with one column, the entry."""
    ordered = np.sort(matrix, axis=1)
    return np.asarray(ordered[:, -1] - (ordered[:, -2] if matrix.shape[1] > 1 else 0.0))


def informations(sample: Sample, bins: int) -> tuple[Floats, Floats]:
    """Return the mutual information of every factor with every code, shape (D, K), and the entropies of factors, in nats."""
    factors = [classes_of(sample.factors, k, bins) for k in range(sample.factors.n_columns)]
    codes = [binned(column, bins) for column in sample.codes.T]
    matrix = np.array([[_information(f, c) for c in codes] for f in factors])
    return matrix, np.array([_entropy(np.bincount(f)) for f in factors])


def classes_of(factors: Table, k: int, bins: int) -> Counts:
    """Return a factor as classes: its categories, or bins between quantiles."""
    column = factors.values[:, k]
    if factors.types[k] == "categorical":
        return np.unique(column, return_inverse=True)[1].astype(np.intp)
    return binned(column, bins)


def binned(column: Floats, bins: int) -> Counts:
    """Return the numbers of bins between quantiles; few different values are bins of their own."""
    values, place = np.unique(column, return_inverse=True)
    if len(values) <= bins:
        return place.astype(np.intp)
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, column, side="right").astype(np.intp)


def _entropy(counts: Counts) -> float:
    shares = counts / counts.sum()
    return float(-xlogy(shares, shares).sum())


def _information(a: Counts, b: Counts) -> float:
    width = int(b.max()) + 1
    joint = np.bincount(a * width + b)
    return _entropy(np.bincount(a)) + _entropy(np.bincount(b)) - _entropy(joint)


def sap(
    z_true: Any,
    z_hat: Any,
    *,
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 100,
    n_permutations: int = 100,
    rng: Seed = 0,
) -> RepresentationScore:
    """Separated attribute predictability: how much better the best code predicts a factor than the second best.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors.
    z_hat : array_like, shape (n, K)
        Codes.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, for the ceiling.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation.
    n_bootstrap, n_permutations : int, default=100
        Number of resamplings for the interval and for chance; 0 leaves them out.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationScore
        Mean over factors of the gap between the two best codes: in R² of a linear regression for numbers and angles, in balanced accuracy of the
        nearest class mean for categories. ``parts["matrix"]`` holds these.

    References
    ----------
    A. Kumar, P. Sattigeri, A. Balakrishnan, "Variational inference of disentangled latent concepts from unlabeled observations", ICLR 2018, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import sap
    >>> z = np.random.default_rng(0).normal(size=(1000, 2))
    >>> round(sap(z, z).value, 1), round(sap(z, z[:, [0, 1, 0, 1]]).value, 1)
    (1.0, 0.0)
    """
    around = Around(exogenous, n_bootstrap, n_permutations, rng)
    rows = read_sample(z_true, z_hat, factor_types, groups, rng)
    return assess_one("sap", "SAP", _sap, rows, around)


def _sap(sample: Sample) -> Outcome:
    matrix = associations(sample.factors, sample.codes) ** 2
    for k, kind in enumerate(sample.factors.types):
        if kind == "categorical":
            classes = classes_of(sample.factors, k, 2)
            matrix[k] = [_balanced_accuracy(classes, column) for column in sample.codes.T]
    return Outcome({"sap": float(gap(matrix).mean())}, {"matrix": matrix})


def _balanced_accuracy(classes: Counts, code: Floats) -> float:
    """Return the mean over classes of how often the class with the nearest mean is the right one."""
    sizes = np.bincount(classes)
    means = np.bincount(classes, weights=code) / sizes
    order = np.argsort(means, kind="stable")
    between = (means[order][1:] + means[order][:-1]) / 2
    right = order[np.searchsorted(between, code)] == classes
    return float(np.mean(np.bincount(classes, weights=right) / sizes))


def modularity(
    z_true: Any,
    z_hat: Any,
    *,
    bins: int = 20,
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 100,
    n_permutations: int = 100,
    rng: Seed = 0,
) -> RepresentationScore:
    """Modularity: whether each code tells about one factor only.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors, at least two.
    z_hat : array_like, shape (n, K)
        Codes.
    bins : int, default=20
        Codes and continuous factors are cut at quantiles into so many bins.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, for the ceiling.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation.
    n_bootstrap, n_permutations : int, default=100
        Number of resamplings for the interval and for chance; 0 leaves them out. Chance is high: a code that knows nothing tells about equally little of
        every factor by accident, and not equally.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationScore
        Mean over codes of one minus the sum of squared information about other factors than the best, over (D - 1) times the largest squared. Codes that
        tell nothing count 0.

    References
    ----------
    K. Ridgeway, M. Mozer, "Learning deep disentangled embeddings with the F-statistic loss", NeurIPS 2018, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import modularity
    >>> z = np.random.default_rng(0).normal(size=(2000, 2))
    >>> none = {"n_bootstrap": 0, "n_permutations": 0}
    >>> modularity(z, z, **none).value > 0.98, modularity(z, z @ np.array([[1.0], [1.0]]), **none).value < 0.2
    (True, True)
    """
    check_count("bins", bins, least=2)
    rows = read_sample(z_true, z_hat, factor_types, groups, rng)
    if rows.factors.n_columns < 2:
        raise DataError("modularity needs at least two factors that vary; there is one")
    around = Around(exogenous, n_bootstrap, n_permutations, rng)
    return assess_one(
        "modularity", f"modularity ({bins} bins)", partial(_modularity, bins=bins), rows, around
    )


def _modularity(sample: Sample, bins: int) -> Outcome:
    squares = informations(sample, bins)[0] ** 2
    best = squares.max(axis=0)
    others = (squares.sum(axis=0) - best) / ((len(squares) - 1) * np.where(best > 0, best, np.inf))
    return Outcome({"modularity": float(np.where(best > 0, 1 - others, 0.0).mean())})


def explicitness(
    z_true: Any,
    z_hat: Any,
    *,
    classes: int = 4,
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 0,
    n_permutations: int = 20,
    rng: Seed = 0,
) -> RepresentationScore:
    """Explicitness: whether a linear classifier can read each factor from all codes.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors.
    z_hat : array_like, shape (n, K)
        Codes.
    classes : int, default=4
        Continuous factors are cut at quantiles into so many classes.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, for the ceiling.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation.
    n_bootstrap : int, default=0
        Number of resamplings for the interval.
    n_permutations : int, default=20
        Number of exchanges for chance.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationScore
        Mean over classes and factors of the area under the ROC curve of one class against the rest, rescaled from [1/2, 1] to [0, 1], on groups that
        were not fitted. The middle classes of a number are no half-space: the number itself does not reach 1, as the ceiling shows.

    References
    ----------
    K. Ridgeway, M. Mozer, "Learning deep disentangled embeddings with the F-statistic loss", NeurIPS 2018, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import explicitness
    >>> z = np.random.default_rng(0).integers(2, size=(400, 2)).astype(str)
    >>> round(explicitness(z, z.astype(int) @ [[1, 1], [1, -1]], n_permutations=0).value, 2)
    1.0
    """
    check_count("classes", classes, least=2)
    around = Around(exogenous, n_bootstrap, n_permutations, rng)
    rows = read_sample(z_true, z_hat, factor_types, groups, rng)
    return assess_one(
        "explicitness",
        f"explicitness ({classes} classes)",
        partial(_explicitness, classes=classes),
        rows,
        around,
    )


def _explicitness(sample: Sample, classes: int) -> Outcome:
    one, other = sample.halves()
    labels: Callable[[int], Counts] = lambda k: classes_of(sample.factors, k, classes)
    areas = []
    for k in range(sample.factors.n_columns):
        known, truth = labels(k)[~sample.half], labels(k)[sample.half]
        if len(np.unique(known)) < 2:
            continue
        scaler = StandardScaler().fit(one.codes)
        model = LogisticRegression(max_iter=500).fit(scaler.transform(one.codes), known)
        chances = model.predict_proba(scaler.transform(other.codes))
        there = [
            (c, chances[:, i]) for i, c in enumerate(model.classes_) if 0 < (truth == c).sum() < len(truth)
        ]
        areas += [roc_auc_score(truth == c, chance) for c, chance in there]
    return Outcome({"explicitness": float(2 * np.mean(areas) - 1) if areas else 0.0})
