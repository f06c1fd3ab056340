"""Single columns as codes, and rows that belong to several places put into one of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
