"""Counterfactual retrieval: whether changing one factor in the codes leads to the row where it, and what it causes, is different.

Take the codes of a row, put in the code of one factor as a donor row has it, with the codes of what follows from it, and look for the nearest row. Where the data
hold the exact counterfactual, it should be among the first k. No decoder is needed, and no judge of images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from causalkit._validation import Floats, check_count
from causalkit.evaluation._assess import read_codes
from causalkit.exceptions import DataError, ParameterError

__all__ = ["Retrieval", "counterfactual_retrieval"]


@dataclass(frozen=True)
class Retrieval:
    """How often the counterfactual row was among the nearest.

    Parameters
    ----------
    hits : dict of int to float
        For every k, the share of questions whose counterfactual was among the k nearest rows.
    chance : dict of int to float
        The same for a row at random among all but the factual one.
    median_rank : float
        Median place of the counterfactual, from 1.
    n : int
        Questions.
    """

    hits: dict[int, float]
    chance: dict[int, float]
    median_rank: float
    n: int

    def __str__(self) -> str:
        shares = ", ".join(f"hit@{k} {v:.3f} (chance {self.chance[k]:.3f})" for k, v in self.hits.items())
        return f"{shares}; median rank {self.median_rank:g}; {self.n} questions"


def counterfactual_retrieval(
    z_hat: Any,
    *,
    factual: Sequence[int],
    donor: Sequence[int],
    target: Sequence[int],
    changed: Sequence[Sequence[int]],
    same: Any = None,
    ks: Sequence[int] = (1, 5, 10),
) -> Retrieval:
    """Score codes by whether an edit of codes finds the row of the exact counterfactual.

    Parameters
    ----------
    z_hat : array_like, shape (n, K)
        Codes of all rows; they are brought to unit variance for distances.
    factual, donor, target : sequence of int, length m
        Rows: what is changed, where the new value comes from, and the row that holds the counterfactual.
    changed : sequence of sequences of int, length m
        For each question the positions of the codes that are taken from the donor: those matched with the factor. Codes of its effects should
        *not* be taken from the donor unless they follow from this factor alone; they are then compared too.
    same : array_like, shape (n,), optional
        Rows with the same label show the same, and are equally right: give it where factors lie on a grid, so that many rows have the same factors. By
        default every row stands for itself.
    ks : sequence of int, default=(1, 5, 10)
        How many nearest rows count as a hit.

    Returns
    -------
    Retrieval
        Shares of hits, with those of chance. The factual row itself is never counted among the nearest.

    Raises
    ------
    DataError
        If codes are missing or lengths differ.
    ParameterError
        If a row or code is not there, or a target is its own factual row.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation import counterfactual_retrieval
    >>> grid = np.array([(a, b) for a in range(4) for b in range(4)], dtype=float)
    >>> # row 0 is (0, 0), row 6 is (1, 2): the first factor of row 6 in row 0 is row 4, (1, 0)
    >>> print(counterfactual_retrieval(grid, factual=[0], donor=[6], target=[4], changed=[[0]], ks=[1]))
    hit@1 1.000 (chance 0.067); median rank 1; 1 questions
    """
    codes = _scaled(read_codes(z_hat))
    for k in ks:
        check_count("each of ks", k)
    rows = _read_questions(len(codes), factual, donor, target)
    if len(changed) != len(rows):
        raise DataError(f"changed has {len(changed)} entries for {len(rows)} questions")
    edited = codes[rows[:, 0]].copy()
    for question, (place, columns) in enumerate(zip(rows, changed, strict=True)):
        if not len(columns) or not all(0 <= j < codes.shape[1] for j in columns):
            raise ParameterError(
                f"question {question} changes the codes {list(columns)}; there are {codes.shape[1]} codes"
            )
        edited[question, list(columns)] = codes[place[1], list(columns)]
    labels = _labels(same, len(codes))
    unchanged = np.flatnonzero(labels[rows[:, 0]] == labels[rows[:, 2]])
    if unchanged.size:
        raise ParameterError(
            f"question {unchanged[0]} has a target that shows the same as its factual row; nothing is changed by it"
        )
    ranks = _ranks(codes, edited, rows, labels)
    right = np.bincount(labels)[labels[rows[:, 2]]]
    return Retrieval(
        {k: float((ranks <= k).mean()) for k in ks},
        {k: float(_chance(right, len(codes) - 1, k).mean()) for k in ks},
        float(np.median(ranks)),
        len(rows),
    )


def _chance(right: NDArray[np.intp], others: int, k: int) -> Floats:
    """Return the probability that fewer than k wrong rows come before the first right one, if rows come in any order."""
    wrong = others - right
    none_right = np.ones(len(right))
    for place in range(k):
        none_right *= np.maximum(wrong - place, 0) / np.maximum(others - place, 1)
    return 1 - none_right


def _scaled(codes: Floats) -> Floats:
    spread = codes.std(axis=0)
    return np.asarray((codes - codes.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _read_questions(n: int, *columns: Sequence[int]) -> NDArray[np.intp]:
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(
            f"factual, donor and target have the lengths {[len(c) for c in columns]}; they must be equal and not 0"
        )
    if any(np.asarray(column).dtype.kind not in "iu" for column in columns):
        raise DataError("factual, donor and target are positions of rows: integers")
    rows = np.column_stack([np.asarray(column, dtype=np.intp) for column in columns])
    if rows.min() < 0 or rows.max() >= n:
        raise ParameterError(
            f"a question names row {rows.max() if rows.max() >= n else rows.min()}; there are {n} rows"
        )
    own = np.flatnonzero(rows[:, 0] == rows[:, 2])
    if own.size:
        raise ParameterError(f"question {own[0]} has its factual row {rows[own[0], 0]} as target")
    return rows


def _labels(same: Any, n: int) -> NDArray[np.intp]:
    if same is None:
        return np.arange(n)
    labels = np.asarray(same)
    if labels.shape != (n,):
        raise DataError(f"same has shape {labels.shape} for {n} rows; give one label per row")
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _ranks(
    codes: Floats, edited: Floats, rows: NDArray[np.intp], labels: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the place of the nearest right row, from 1; wrong rows that are as near come before it, and the factual row does not count."""
    tree, out = KDTree(codes), np.empty(len(rows), dtype=np.intp)
    for k, (point, (factual, _, target)) in enumerate(zip(edited, rows, strict=True)):
        right = np.flatnonzero(labels == labels[target])
        radius = float(np.linalg.norm(codes[right[right != factual]] - point, axis=1).min())
        near = np.array(tree.query_ball_point(point, radius * (1 + 1e-12) + 1e-12), dtype=np.intp)
        out[k] = 1 + int(((labels[near] != labels[target]) & (near != factual)).sum())
    return out
