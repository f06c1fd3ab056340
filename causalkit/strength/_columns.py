"""A look at the columns before an effect is estimated: numbers that may be labels, and columns that say what cause or effect say.

A column of labels that is read as a number is adjusted for as if hospital 7 were between 6 and 8. Whether it is one shows in the lack-of-fit test: the mean of
cause or effect at every number against a smooth function of the number, by the spread of rows that share a number (Draper and Smith 1998, section 2.1). It
needs no bound on how many numbers there are, and leaves ages and counts alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalkit._validation import Table
from causalkit.exceptions import ColumnTypeWarning, RedundantColumnWarning
from causalkit.independence import redundant_columns
from causalkit.strength._sample import MANY_LEVELS

Floats = NDArray[np.float64]
SURE = 1e-4
DEGREE = 5
# Columns with so few values are steps in the models that are chosen.
FEW_STEPS = 6


def warn_of_codes(table: Table, columns: Sequence[str], targets: Sequence[str]) -> None:
    """Warn of columns of whole numbers of which a target is no smooth function, unless they are strata or steps, where numbers are labels anyway."""
    different = {name: len(np.unique(table.values[:, table.index(name)])) for name in columns}
    if max(different.values(), default=0) <= MANY_LEVELS:
        return
    for name in columns:
        number = table.values[:, table.index(name)]
        if (
            table.types[table.index(name)] != "continuous"
            or name not in table.inferred
            or not _repeats(number)
        ):
            continue
        if different[name] <= FEW_STEPS:
            continue
        jumping = [
            t for t in targets if t != name and lack_of_fit(number, table.values[:, table.index(t)]) < SURE
        ]
        if jumping:
            text = (
                f"column {name!r} holds {len(np.unique(number))} different whole numbers, between which {' and '.join(jumping)} jumps: it may be the number of "
                f"something and not a quantity. If so, declare column_types={{{name!r}: 'categorical'}}; to silence this warning, 'continuous'"
            )
            warnings.warn(text, ColumnTypeWarning, stacklevel=4)


def warn_of_copies(table: Table, adjusted: Sequence[str], cause: str, effect: str) -> None:
    """Warn of numbers that give the cause, and of an effect that is a copy of one of them; that two arms cannot be compared is an error of its own."""
    is_dose = len(np.unique(table.values[:, table.index(cause)])) > 2
    for found in redundant_columns(table.select([table.index(name) for name in (*adjusted, cause, effect)])):
        if found.kind == "labels" or not {*found.others} <= {*adjusted}:
            continue
        if found.column == cause and is_dose:
            why = "no rows show what happens if it changes and they do not; leave them out, if the graph allows it, or ask about another cause"
            _warn(f"the cause {cause!r} is {found.how}: {why}")
        elif found.column == effect and found.kind == "copy":
            _warn(
                f"the effect {effect!r} is {found.how}: if it is the effect under another name, it is no column to adjust for"
            )


def _warn(text: str) -> None:
    warnings.warn(text, RedundantColumnWarning, stacklevel=5)


def _repeats(number: Floats) -> bool:
    different = len(np.unique(number))
    return bool(np.array_equal(number, np.round(number)) and 3 <= different <= len(number) / 2)


def lack_of_fit(number: Floats, target: Floats) -> float:
    """Return the p-value that the mean of a target is a polynomial of a number, by the rows that share one."""
    values, code = np.unique(number, return_inverse=True)
    rows = np.bincount(code)
    degree = min(DEGREE, max(1, len(values) // 2))
    span = values.max() - values.min()
    basis = np.polynomial.chebyshev.chebvander(2 * (number - values.min()) / span - 1, degree)
    left = target - basis @ np.linalg.lstsq(basis, target, rcond=None)[0]
    means = np.bincount(code, target) / rows
    pure = float(((target - means[code]) ** 2).sum())
    between, within = len(values) - degree - 1, len(number) - len(values)
    if between < 1 or within < 1 or pure <= 0:
        return 1.0
    excess = max(float(left @ left) - pure, 0.0)
    return float(stats.f.sf(excess / between / (pure / within), between, within))
