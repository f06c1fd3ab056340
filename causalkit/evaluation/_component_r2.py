"""How much of each factor single codes and blocks of codes explain, on groups that the regression has not seen.

The matrix of *component R²* holds one nonlinear regression of every factor on every code. A good representation has a diagonal near 1 under some
assignment and little elsewhere, as far as the factors themselves are independent. *Block R²* asks the same of sets of factors and of
codes, such as content and style; its ceiling is what the true factors of one block tell about the other, since causes make that more than zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.preprocessing import SplineTransformer

from causalkit._random import Seed
from causalkit._validation import ColumnTypes, Floats
from causalkit.evaluation._assess import Around, Outcome, RepresentationScore, Sample, assess_one, read_sample
from causalkit.evaluation._association import by_slot, matched_mean, matching, targets_of
from causalkit.evaluation._regressors import Regressor, predict_all
from causalkit.exceptions import ParameterError

__all__ = ["block_r2", "component_r2"]

KNOTS = 8
RIDGE = 1e-6


def component_r2(
    z_true: Any,
    z_hat: Any,
    *,
    factor_types: ColumnTypes = None,
    exogenous: Iterable[str] | None = None,
    groups: Any = None,
    n_bootstrap: int = 39,
    n_permutations: int = 20,
    rng: Seed = 0,
) -> RepresentationScore:
    """Mean R² of factors from their own codes, under a learned assignment.

    Every factor is regressed on every single code with cubic splines, on one half of the groups, and scored on the other; the assignment is
    learned on the first half too. Both ways are averaged.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors. Angles (declared `Cyclic`) are predicted as cosine and sine; for categories the score is accuracy above always
        saying the most frequent one, relative to what is possible.
    z_hat : array_like, shape (n, K)
        Codes.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
    exogenous : iterable of str, optional
        Names of the free factors, for the ceiling.
    groups : array_like, shape (n,), optional
        Rows with the same label are one observation, and are never on both sides.
    n_bootstrap : int, default=39
        Number of resamplings for the interval, at least 39; 0 leaves it out.
    n_permutations : int, default=20
        Number of exchanges for chance; 0 leaves them out.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    RepresentationScore
        At most 1; may be negative. ``parts["matrix"]`` is the (D, K) matrix, ``parts["matching"]`` the assignment on all of it and
        ``parts["off_diagonal"]`` the largest mean R² of a factor from a code that is assigned to another.

    References
    ----------
    P. Lippe, S. Magliacane, S. Löwe, Y. Asano, T. Cohen, E. Gavves, "CITRIS: Causal identifiability from temporal intervened
    sequences", ICML 2022, section 6 (the matrix and its two summaries).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import component_r2
    >>> z = np.random.default_rng(0).normal(size=(1000, 2))
    >>> codes = np.column_stack([np.tanh(z[:, 1]), z[:, 0] ** 3])
    >>> component_r2(z, codes, n_bootstrap=0, n_permutations=0).value > 0.98
    True
    """
    around = Around(exogenous, n_bootstrap, n_permutations, rng)
    rows = read_sample(z_true, z_hat, factor_types, groups, rng)
    return assess_one("r2", "component R2 (splines, out of sample)", _component, rows, around)


def _component(sample: Sample) -> Outcome:
    one, other = sample.halves()
    matrices = [_matrix(one, other), _matrix(other, one)]
    values = [
        matched_mean(matrix, matching(_matrix(fit, fit)))
        for matrix, fit in zip(matrices, (one, other), strict=True)
    ]
    matrix = np.mean(matrices, axis=0)
    pairs = matching(matrix)
    owner = {j: i for i, j in pairs}
    off = [
        matrix[i, j] for i in range(matrix.shape[0]) for j in range(matrix.shape[1]) if owner.get(j, i) != i
    ]
    parts = {
        "matrix": matrix,
        "matching": {sample.factors.names[i]: j for i, j in pairs},
        "off_diagonal": float(max(off, default=0.0)),
    }
    return Outcome({"r2": float(np.mean(values))}, parts)


def _matrix(fit: Sample, test: Sample) -> Floats:
    """Return the R² of every factor from every single code, shape (D, K)."""
    targets = [targets_of(fit, test, k) for k in range(fit.factors.n_columns)]
    known, ends = np.hstack([t[0] for t in targets]), np.cumsum([t[0].shape[1] for t in targets])[:-1]
    columns = []
    for j in range(fit.codes.shape[1]):
        guesses = np.split(_spline_guess(fit.codes[:, j], known, test.codes[:, j]), ends, axis=1)
        columns.append(
            [
                _score(t, g, test.factors.types[k])
                for k, (t, g) in enumerate(zip(targets, guesses, strict=True))
            ]
        )
    return by_slot(np.array(columns).T, fit.slots)


def _spline_guess(code: Floats, targets: Floats, new: Floats) -> Floats:
    """Predict targets from one code by ridge regression on cubic splines with knots at quantiles; constant beyond the ends."""
    mean = targets.mean(axis=0)
    if np.ptp(code) == 0:
        return np.tile(mean, (len(new), 1))
    splines = SplineTransformer(
        n_knots=KNOTS,
        knots=np.unique(np.quantile(code, np.linspace(0, 1, KNOTS)))[:, None],
        extrapolation="constant",
    )
    basis, other = splines.fit_transform(code[:, None]), splines.transform(new[:, None])
    gram = basis.T @ basis + RIDGE * len(code) * np.eye(basis.shape[1])
    return np.asarray(mean + other @ np.linalg.solve(gram, basis.T @ (targets - mean)))


def _score(target: tuple[Floats, Floats], guess: Floats, kind: str) -> float:
    """Return R² on new rows, or for categories accuracy above the most frequent one."""
    known, truth = target
    if kind == "categorical":
        usual = float(truth[:, known.sum(axis=0).argmax()].mean())
        right = float((guess.argmax(axis=1) == truth.argmax(axis=1)).mean())
        return (right - usual) / (1 - usual) if usual < 1 else 0.0
    spread = ((truth - truth.mean(axis=0)) ** 2).sum()
    return float(1 - ((truth - guess) ** 2).sum() / spread) if spread > 0 else 0.0


def block_r2(
    z_true: Any,
    z_hat: Any,
    *,
    factor_blocks: Mapping[str, Sequence[str]],
    code_blocks: Mapping[str, Sequence[int]],
    regressor: Regressor = "kernel",
    factor_types: ColumnTypes = None,
    groups: Any = None,
    n_bootstrap: int = 0,
    n_permutations: int = 20,
    rng: Seed = 0,
) -> dict[tuple[str, str], RepresentationScore]:
    """How much of each block of factors each block of codes holds.

    Parameters
    ----------
    z_true : array_like, shape (n, D), or data frame
        True factors.
    z_hat : array_like, shape (n, K)
        Codes.
    factor_blocks : mapping of str to sequence of str
        Names of the factors of every block, such as ``{"content": [...], "style": [...]}``.
    code_blocks : mapping of str to sequence of int
        Positions of the codes of every block, by the same names.
    regressor : {"linear", "kernel"} or scikit-learn regressor, default="kernel"
        Ridge regression, linear or on features of a Gaussian kernel (width by the median distance); fitted on one half of the groups, scored on
        the other, both ways.
    factor_types : mapping or sequence, optional
        Types of factors that are not what they look like.
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
    dict of (str, str) to RepresentationScore
        Mean R² of the factors of a block (accuracy above the most frequent category for categories), from the codes of a block. The ceiling is the
        same from the true factors of the block of that name: for other blocks than one's own it is what causes between the blocks
        already tell, and a score near it is no leak.

    Raises
    ------
    ParameterError
        If blocks differ in name, are empty, or name a code that is not there.

    References
    ----------
    J. von Kügelgen et al., "Self-supervised learning with data augmentations provably isolates content from style", NeurIPS 2021, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import block_r2
    >>> z = np.random.default_rng(0).normal(size=(600, 2))
    >>> blocks = {"content": ["z1"], "style": ["z2"]}
    >>> found = block_r2(z, np.tanh(z), factor_blocks=blocks, code_blocks={"content": [0], "style": [1]}, n_permutations=0)
    >>> found["content", "content"].value > 0.9, found["style", "content"].value < 0.1
    (True, True)
    """
    sample = read_sample(z_true, z_hat, factor_types, groups, rng)
    _check_blocks(sample, factor_blocks, code_blocks)
    found = {}
    for target, names in factor_blocks.items():
        for source, codes in code_blocks.items():
            part = replace(sample, codes=sample.codes[:, list(codes)])
            around = Around(factor_blocks[source], n_bootstrap, n_permutations, rng)
            metric = partial(_block, names=tuple(names), regressor=regressor)
            label = f"R2 of {target} from codes of {source}"
            found[target, source] = assess_one("r2", label, metric, part, around)
    return found


def _check_blocks(
    sample: Sample, factor_blocks: Mapping[str, Sequence[str]], code_blocks: Mapping[str, Sequence[int]]
) -> None:
    if set(factor_blocks) != set(code_blocks) or not factor_blocks:
        raise ParameterError(
            f"factor_blocks has the blocks {sorted(factor_blocks)} and code_blocks {sorted(code_blocks)}; they must be the same"
        )
    for block, names in factor_blocks.items():
        if not len(names) or not len(code_blocks[block]):
            raise ParameterError(f"block {block!r} is empty; give it at least one factor and one code")
        for name in names:
            if name in sample.left_out:
                raise ParameterError(f"factor {name!r} of block {block!r} never varies; leave it out")
            sample.factors.index(name)
        wrong = [j for j in code_blocks[block] if not 0 <= j < sample.codes.shape[1]]
        if wrong:
            raise ParameterError(
                f"block {block!r} has code {wrong[0]}; there are {sample.codes.shape[1]} codes"
            )


def _block(sample: Sample, names: tuple[str, ...], regressor: Regressor) -> Outcome:
    one, other = sample.halves()
    places = [sample.factors.index(name) for name in names]
    crossed = [_by_all(fit, test, places, regressor) for fit, test in ((one, other), (other, one))]
    each = np.mean(crossed, axis=0)
    return Outcome({"r2": float(each.mean())}, {"factors": dict(zip(names, each.tolist(), strict=True))})


def _by_all(fit: Sample, test: Sample, places: Sequence[int], regressor: Regressor) -> list[float]:
    """Return the score of every factor, predicted from all codes."""
    targets = [targets_of(fit, test, k) for k in places]
    guesses = predict_all(regressor, fit.codes, [known for known, _ in targets], test.codes)
    kinds = [fit.factors.types[k] for k in places]
    return [_score(*each) for each in zip(targets, guesses, kinds, strict=True)]
