r"""What it is that changes: shares of the level, of the effect of each cause, and of the scale, in the change of a mechanism.

A regression is a level and, for each cause, a curve that is zero at a **point of reference**. Where that point is decides what is
called level: if only a slope changes, lines turn about a point, and the level moves everywhere else. Where zero is on a cause's scale says
nothing about that. So the level is measured at the mean of each cause, unless the lines demonstrably turn about another point: with the
level :math:`a_k` at the means and the slopes :math:`b_{kj}` of cell k, :math:`a_k = a - \sum_j r_j b_{kj} + e_k` is fitted over cells, and a cause
whose :math:`r_j` is not zero at the level .01 has its point of reference at that distance from its mean, within the data or not. There the
changes of the level are those that do not come with changes of slopes. Adding a number to a cause moves the point along and leaves the
shares as they are. Labels and phases have their mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalkit._validation import Floats, Table
from causalkit.discovery._cells import Cells
from causalkit.discovery._mechanism_parameters import Law, MechanismFit

__all__ = ["Shares", "shares_of_change"]

TURNS = 0.01
BLOCKS = 12
EFFECT = "effect of "


@dataclass(frozen=True)
class Shares:
    """Share of each kind of parameter, and the value of each numeric cause at which the level is measured."""

    shares: Mapping[str, float]
    reference: Mapping[str, float]


def shares_of_change(
    fit: MechanismFit, rows: Floats, table: Table, causes: Sequence[str], cells: Cells
) -> Shares:
    """Return the shares of the change of parameters over cells.

    Parameters
    ----------
    fit : MechanismFit
        The mechanism.
    rows : numpy.ndarray, shape (K, p)
        Deviations of the parameters in their natural units, centred.
    table : Table
        The variables.
    causes : sequence of str
        The causes.
    cells : Cells
        The cells.
    """
    names, weights = np.array(fit.names), cells.counts.astype(np.float64)
    numeric = [name for name in causes if _is_number(table, name)]
    distance = _turning_points(fit, numeric, _blocks(cells)[cells.of_row])
    moved = {name: r * _first(rows[:, names == EFFECT + name], len(fit.laws)) for name, r in distance.items()}
    squares = {name: _mean_square(rows[:, names == name], weights) for name in dict.fromkeys(fit.names)}
    squares["level"] = _mean_square(rows[:, names == "level"] + sum(moved.values()), weights)
    for name, shift in moved.items():
        squares[EFFECT + name] += _mean_square(shift, weights)
    total = sum(squares.values())
    shares = {name: value / total if total > 0 else 0.0 for name, value in squares.items()}
    return Shares(shares, {name: _value_at(table, name, r) for name, r in distance.items()})


def _is_number(table: Table, name: str) -> bool:
    positions = table.positions(name)
    return len(positions) == 1 and table.types[positions[0]] not in ("categorical", "cyclic")


def _value_at(table: Table, name: str, distance: float) -> float:
    """Return the value of a cause so many standard deviations from its mean."""
    values = table.values[:, table.positions(name)[0]]
    return float(values.mean() + distance * values.std())


def _first(coefficients: Floats, laws: int) -> Floats:
    """Return the slope of the straight line (K, q) in the coefficients of a cause, which stand side by side for q columns of an effect."""
    return np.asarray(coefficients.reshape(len(coefficients), laws, -1)[:, :, 0])


def _blocks(cells: Cells) -> NDArray[np.intp]:
    """Return to which block each cell belongs: neighbours in time are no independent evidence."""
    every, number = np.arange(cells.number), cells.number
    return every if cells.places is None or number <= BLOCKS else every * BLOCKS // number


def _turning_points(
    fit: MechanismFit, causes: Sequence[str], block_of_row: NDArray[np.intp]
) -> dict[str, float]:
    """Return how far from its mean, in standard deviations, the point of each cause lies about which lines turn; 0 where none is seen."""
    lines = [_lines(law, fit, causes, block_of_row) for law in fit.laws]
    share = np.tile(np.sqrt(np.bincount(block_of_row)), len(lines))[:, None]
    centred = np.vstack([line - line.mean(axis=0) for line in lines]) * share
    freedom = len(centred) - len(lines)
    kept = [
        k for k, p in enumerate(_p_values(centred[:, 1:], -centred[:, 0], freedom - len(causes))) if p < TURNS
    ]
    found = dict.fromkeys(causes, 0.0)
    if kept:
        solved = np.linalg.lstsq(centred[:, 1:][:, kept], -centred[:, 0], rcond=None)[0]
        found.update({causes[k]: float(r) for k, r in zip(kept, solved, strict=True)})
    return found


def _lines(law: Law, fit: MechanismFit, causes: Sequence[str], block_of_row: NDArray[np.intp]) -> Floats:
    """Return level and slope on each cause in each block (B, 1 + d), beside bends and labels that have the same effect in all blocks."""
    straight = [np.ones((len(law.residuals), 1)), *(fit.parts[EFFECT + name][:, :1] for name in causes)]
    others = [
        part[:, int(name.removeprefix(EFFECT) in causes) :]
        for name, part in fit.parts.items()
        if name != "level"
    ]
    lines, rest = np.hstack(straight), np.hstack([law.residuals[:, None], *others])
    members = [np.flatnonzero(block_of_row == b) for b in range(int(block_of_row.max()) + 1)]
    left = rest.copy()
    for rows in members:
        left[rows] -= lines[rows] @ np.linalg.lstsq(lines[rows], rest[rows], rcond=None)[0]
    target = rest[:, 0] - rest[:, 1:] @ np.linalg.lstsq(left[:, 1:], left[:, 0], rcond=None)[0]
    return np.array([np.linalg.lstsq(lines[rows], target[rows], rcond=None)[0] for rows in members])


def _p_values(design: Floats, target: Floats, freedom: int) -> Floats:
    """Return the p-value of each coefficient of a regression without intercept; 1 where there is nothing to test it by."""
    if freedom < 1 or not design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.ones(design.shape[1])
    solved = np.linalg.lstsq(design, target, rcond=None)[0]
    left = float(np.sum((target - design @ solved) ** 2)) / freedom
    spread = np.sqrt(left * np.diag(np.linalg.inv(design.T @ design)))
    return np.asarray(2 * stats.t.sf(np.abs(solved) / np.maximum(spread, np.finfo(float).tiny), freedom))


def _mean_square(values: Floats, weights: Floats) -> float:
    return float(np.average((values**2).sum(axis=1), weights=weights))
