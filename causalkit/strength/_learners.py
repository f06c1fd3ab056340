"""Which model stands for the outcome, the arm or the dose where the user names none: straight lines, splines or boosted trees.

Straight lines are the usual default, and nothing in their result shows that they do not fit. Here every family predicts rows that it was not
fitted on, and the one that errs least is taken (the discrete super learner of van der Laan, Polley and Hubbard 2007: with a fixed number of families,
choosing costs next to nothing). The test of the specification asks whether what straight lines leave unexplained moves with what another family adds to
them, y - f = b (g - f) + noise on those rows (an encompassing test, Davidson and MacKinnon 1981): b is 0 if straight lines are right.

References
----------
M. van der Laan, E. Polley, A. Hubbard, "Super learner", Statistical Applications in Genetics and Molecular Biology 6, 2007. R. Davidson, J. MacKinnon,
"Several tests for model specification in the presence of alternative hypotheses", Econometrica 49, 1981.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalkit._random import stream

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Family = Literal["straight lines", "splines", "boosted trees"]
FAMILIES: tuple[Family, ...] = ("straight lines", "splines", "boosted trees")
# Smooth in everything, so that they may be fitted on the rows that they predict.
SMOOTH: tuple[Family, ...] = ("straight lines", "splines")
N_FOLDS = 3
# More rows than these tell families apart no better, and take time.
MOST_ROWS = 5000
# Products of more columns than these are too many.
MOST_PRODUCTS = 12
LEAST_ROWS_FOR_CHOICE = 50
SIGNIFICANT = 0.01
# Columns with more different values than these are curves, others are steps.
FEW_VALUES = 6
QUANTILES = (0.025, 0.1833, 0.3417, 0.5, 0.6583, 0.8167, 0.975)
PENALTY = 1.0


@dataclass(frozen=True)
class Curves:
    """Features of columns: natural cubic splines of numbers, steps of columns with few values, squares and products.

    Parameters
    ----------
    knots : list of numpy.ndarray of float
        Of every column, empty for one with few values.
    steps : list of numpy.ndarray of float
        Values of every column with few of them but the first two, which the column itself tells apart.
    holds : bool
        Whether columns stay at their outermost knots beyond these; by default they go on as straight lines, and squares as squares.
    """

    knots: list[Floats]
    steps: list[Floats]
    holds: bool = False

    @classmethod
    def of(cls, x: Floats, *, holds: bool) -> Curves:
        """Place the knots at quantiles."""
        values = [np.unique(column) for column in x.T]
        many = [len(v) > FEW_VALUES for v in values]
        knots = [
            np.unique(np.quantile(column, QUANTILES)) if is_many else np.empty(0)
            for column, is_many in zip(x.T, many, strict=True)
        ]
        steps = [np.empty(0) if is_many else v[2:] for v, is_many in zip(values, many, strict=True)]
        return cls(knots, steps, holds)

    def __call__(self, x: Floats) -> Floats:
        """Return the features of some rows."""
        if self.holds:
            x = np.column_stack(
                [np.clip(c, t[0], t[-1]) if len(t) else c for c, t in zip(x.T, self.knots, strict=True)]
            )
        parts = [x]
        for column, knots, steps in zip(x.T, self.knots, self.steps, strict=True):
            parts += [natural_splines(column, knots), (column[:, None] == steps).astype(float)]
        if x.shape[1] <= MOST_PRODUCTS:
            first, second = np.triu_indices(x.shape[1])
            parts.append(x[:, first] * x[:, second])
        return np.hstack(parts)


def natural_splines(x: Floats, knots: Floats) -> Floats:
    """Return cubic splines that are straight beyond the outermost knots, without the straight line (Harrell 2015, equation 2.25)."""
    if len(knots) < 3:
        return np.empty((len(x), 0))
    last, before, inner = knots[-1], knots[-2], knots[:-2]

    def cube(t: Floats | float) -> Floats:
        return np.maximum(x[:, None] - t, 0.0) ** 3

    width = last - before
    bent = cube(inner) - cube(before) * (last - inner) / width + cube(last) * (before - inner) / width
    return np.asarray(bent / (last - knots[0]) ** 2)


@dataclass
class Curved:
    """A scikit-learn model of curves of its columns, standardised."""

    model: Any
    holds: bool = False

    def fit(self, x: Floats, y: NDArray[Any]) -> Curved:
        """Place the knots and fit."""
        self._curves = Curves.of(x, holds=self.holds)
        made = self._curves(x)
        spread = made.std(axis=0)
        self._centre, self._scale = made.mean(axis=0), np.where(spread > 0, spread, 1.0)
        self.model.fit(self._features(x), y)
        return self

    def _features(self, x: Floats) -> Floats:
        return np.asarray((self._curves(x) - self._centre) / self._scale)

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of a classifier."""
        return np.asarray(self.model.classes_)

    def predict(self, x: Floats) -> Floats:
        """Return means."""
        return np.asarray(self.model.predict(self._features(x)), dtype=float)

    def predict_proba(self, x: Floats) -> Floats:
        """Return probabilities of labels."""
        return np.asarray(self.model.predict_proba(self._features(x)), dtype=float)


def regressor(family: Family) -> Any:
    """Return a model of a mean."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression, RidgeCV

    if family == "straight lines":
        return LinearRegression()
    if family == "splines":
        return Curved(RidgeCV(np.logspace(-4, 3, 8)))
    return HistGradientBoostingRegressor(**_TREES)


def classifier(family: Family) -> Any:
    """Return a model of a probability; splines stay at the edge beyond their knots, since odds that go on rising there make weights of single rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    if family == "straight lines":
        return logistic()
    if family == "splines":
        return Curved(logistic(PENALTY), holds=True)
    return HistGradientBoostingClassifier(**_TREES)


_TREES = {
    "learning_rate": 0.1,
    "max_iter": 60,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 20,
    "early_stopping": False,
    "random_state": 0,
}


def logistic(penalty: float = 1e-6) -> Any:
    """Return logistic regression, nearly unpenalised; the little that is left keeps separable arms finite."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1 / penalty, tol=1e-8, solver="newton-cholesky", max_iter=500)


@dataclass(frozen=True)
class Choice:
    """The family that predicts best, and what it has over straight lines.

    Parameters
    ----------
    family : str
        Straight lines, splines or boosted trees.
    gain : float
        Share of the squared error of straight lines that the best other family takes away, on rows left out of the fit.
    p_value : float
        Of the test that straight lines are right, the least over the other families, times their number.
    """

    family: Family = "straight lines"
    gain: float = 0.0
    p_value: float = 1.0

    def note(self, what: str) -> tuple[str, ...]:
        """Return what to say where straight lines do not fit."""
        if self.family == "straight lines":
            return ()
        p = f"p = {self.p_value:.2g}" if self.p_value > 1e-15 else "p < 1e-15"
        said = (
            f"straight lines do not fit {what} ({p}): {self.family} leave {self.gain:.0%} less of its variance unexplained in rows left out, "
            "and are used"
        )
        return (said,)


class Rows(NamedTuple):
    """Columns and outcomes of one model, and the cluster of every row, None if rows are independent."""

    x: Floats
    y: Floats
    clusters: Codes | None = None


def choose(groups: Sequence[Rows], families: Sequence[Family], *, is_event: bool) -> Choice:
    """Return the family that predicts left-out rows best; groups have a model each, and one choice together.

    Clusters are left out whole, and their rows count together: otherwise what is common to a cluster would be taken for a curve.
    """
    parts = [
        _left_out(rows, families, is_event=is_event) for rows in groups if _can_tell(rows.x, rows.y, is_event)
    ]
    if len(parts) < len(groups) or len(families) < 2:
        return Choice()
    y = np.concatenate([p[0] for p in parts])
    fitted = {f: np.concatenate([p[1][k] for p in parts]) for k, f in enumerate(families)}
    loss = {f: float(_losses(y, fitted[f], is_event=is_event).mean()) for f in families}
    best = min(families, key=loss.__getitem__)
    base = fitted["straight lines"]
    others = [f for f in families if f != "straight lines"]
    units = None if parts[0][2] is None else np.concatenate([p[2] for p in parts])
    p = min(1.0, len(others) * min(_encompassed(y, base, fitted[f], units) for f in others))
    left = float(((y - base) ** 2).mean())
    gain = 1 - float(((y - fitted[best]) ** 2).mean()) / left if left else 0.0
    # Where nothing speaks against straight lines they stay: another family would add noise, and its penalty a bias.
    return Choice(best, gain, p) if p < SIGNIFICANT else Choice(p_value=p)


def _can_tell(x: Floats, y: Floats, is_event: bool) -> bool:
    few = min(y.sum(), len(y) - y.sum()) < N_FOLDS * 2 if is_event else np.ptp(y) == 0
    return bool(x.shape[1] and len(y) >= LEAST_ROWS_FOR_CHOICE and not few)


def _left_out(
    rows: Rows, families: Sequence[Family], *, is_event: bool
) -> tuple[Floats, Floats, Codes | None]:
    """Return some rows' outcomes, their predictions by models fitted on other rows, shape (families, rows), and their clusters."""
    order = stream(0, 0).permutation(len(rows.y))[:MOST_ROWS]
    if is_event and rows.clusters is None:  # every fold has its share of events
        order = order[np.argsort(rows.y[order], kind="stable")]
    x, y, units = rows.x[order], rows.y[order], None
    fold = np.arange(len(order)) % N_FOLDS
    if rows.clusters is not None:
        units = rows.clusters[order]
        fold = stream(0, 1).permutation(units.max() + 1)[units] % N_FOLDS
    fitted = np.empty((len(families), len(y)))
    for k, family in enumerate(families):
        for f in range(N_FOLDS):
            fitted[k, fold == f] = predict(
                family, x[fold != f], y[fold != f], x[fold == f], is_event=is_event
            )
    return y, fitted, units


def predict(family: Family, x: Floats, y: Floats, at: Floats, *, is_event: bool) -> Floats:
    """Fit and predict means or probabilities."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if is_event:
            return np.asarray(classifier(family).fit(x, y.astype(int)).predict_proba(at)[:, 1])
        return np.asarray(regressor(family).fit(x, y).predict(at), dtype=float)


def _losses(y: Floats, fitted: Floats, *, is_event: bool) -> Floats:
    if not is_event:
        return np.asarray((y - fitted) ** 2)
    p = np.clip(fitted, 0.005, 0.995)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def _encompassed(y: Floats, base: Floats, other: Floats, units: Codes | None) -> float:
    """Return the p-value, one-sided, that what is left by one model does not move with what another adds."""
    step, left = other - base, y - base
    size = float(step @ step)
    if size <= 1e-12 * float(left @ left) or not size:
        return 1.0
    slope = float(step @ left) / size
    # Robust to a noise that differs between rows, or is common to those of a cluster.
    pulls = step * (left - slope * step)
    se = float(np.linalg.norm(pulls if units is None else np.bincount(units, pulls))) / size
    return float(stats.norm.sf(slope / se)) if se else 1.0
