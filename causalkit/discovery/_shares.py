"""What it is that changes: shares of the level, of the effect of each cause, and of the scale, in the change of a mechanism.

A regression is a level and, for each cause, a curve that is zero at a **point of reference**. Where that point is decides what is
called level: if only a slope changes, lines turn about a point, and the level moves everywhere else. Where zero is on a cause's scale says nothing
about that, nor does its mean. So the point of reference is the one, among the values of the cause in the data, at which the level
changes least; adding a number to a cause moves it along and leaves the shares as they are. Labels and phases have their mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from causalkit._validation import Floats, Table
from causalkit.discovery._mechanism_parameters import MechanismFit

__all__ = ["Shares", "shares_of_change"]

PLACES = np.linspace(0.01, 0.99, 33)
SWEEPS = 3
EFFECT = "effect of "


@dataclass(frozen=True)
class Shares:
    """Share of each kind of parameter, and the value of each numeric cause at which the level is measured."""

    shares: Mapping[str, float]
    reference: Mapping[str, float]


def shares_of_change(
    fit: MechanismFit, rows: Floats, table: Table, causes: Sequence[str], weights: Floats
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
    weights : numpy.ndarray, shape (K,)
        Rows of each cell.
    """
    names = np.array(fit.names)
    level, slopes = rows[:, names == "level"], {}
    values = {name: table.values[_places(table, name), table.positions(name)[0]] for name in causes}
    for name in causes:
        if len(values[name]):
            line = fit.parts[EFFECT + name][_places(table, name), 0]
            slopes[name] = _first(rows[:, names == EFFECT + name], len(fit.laws))[:, :, None] * line
    chosen = _reference(level, slopes, weights)
    moved = {name: slopes[name][:, :, k] for name, k in chosen.items()}
    squares = {name: _mean_square(rows[:, names == name], weights) for name in dict.fromkeys(fit.names)}
    squares["level"] = _mean_square(level + sum(moved.values()), weights)
    for name, shift in moved.items():
        squares[EFFECT + name] += _mean_square(shift, weights)
    total = sum(squares.values())
    shares = {name: value / total if total > 0 else 0.0 for name, value in squares.items()}
    return Shares(shares, {name: float(values[name][k]) for name, k in chosen.items()})


def _first(coefficients: Floats, laws: int) -> Floats:
    """Return the slope of the straight line (K, q) in the coefficients of a cause, which stand side by side for q columns of an effect."""
    return np.asarray(coefficients.reshape(len(coefficients), laws, -1)[:, :, 0])


def _places(table: Table, name: str) -> list[int]:
    """Return rows at quantiles of a cause that is one column of numbers; none of other causes."""
    positions = table.positions(name)
    if len(positions) != 1 or table.types[positions[0]] in ("categorical", "cyclic"):
        return []
    order = np.argsort(table.values[:, positions[0]], kind="stable")
    return [int(row) for row in order[np.round(PLACES * (table.n_rows - 1)).astype(int)]]


def _reference(level: Floats, curves: Mapping[str, Floats], weights: Floats) -> dict[str, int]:
    """Return which place of each cause makes the changes of the level smallest, one cause after the other."""
    chosen = {name: len(PLACES) // 2 for name, at in curves.items() if at.shape[2]}
    for _ in range(SWEEPS if len(chosen) > 1 else 1):
        for name in chosen:
            others = sum(curves[other][:, :, k] for other, k in chosen.items() if other != name)
            there = (level + others)[:, :, None] + curves[name]
            chosen[name] = int(np.average((there**2).sum(axis=1), axis=0, weights=weights).argmin())
    return chosen


def _mean_square(values: Floats, weights: Floats) -> float:
    return float(np.average((values**2).sum(axis=1), weights=weights))
