"""Single columns as codes, rows as positions, and rows that belong to several places put into one of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError

if TYPE_CHECKING:
    import pandas as pd


def drawn(possible: NDArray[np.bool_], instance: int, seed: int) -> NDArray[np.bool_]:
    """Return one of several places, by a hash of the instance."""
    places = np.flatnonzero(possible)
    number = int.from_bytes(hashlib.sha256(f"{seed}:share:{instance}".encode()).digest()[:8])
    return np.asarray(np.arange(len(possible)) == places[number % len(places)])


def coded(column: pd.Series) -> NDArray[np.float64]:
    """Return numbers, or the codes of categories, with what is missing as NaN."""
    if str(column.dtype) != "category":
        return np.asarray(column.to_numpy(dtype=float, na_value=np.nan))
    codes = column.cat.codes.to_numpy().astype(float)
    codes[codes < 0] = np.nan
    return np.asarray(codes)


def positions(rows: Any, n: int) -> NDArray[np.intp]:
    """Return rows of n, given as positions or as truth values, as positions that exist."""
    found = np.asarray(rows)
    if found.dtype == bool and found.shape == (n,):
        return np.flatnonzero(found)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ParameterError(
            f"rows are {found.dtype} of shape {found.shape}; give positions, or {n} truth values"
        )
    if found.size and not (found.min() >= 0 and found.max() < n):
        raise ParameterError(f"rows reach from {found.min()} to {found.max()}; there are {n}")
    return found.astype(np.intp)
