"""Checks of single parameters: a number in a range, a count, one of several names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from causalkit.exceptions import ParameterError


def check_between(name: str, value: Any, low: float, high: float) -> float:
    """Return a number strictly between two bounds, or raise `ParameterError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low < value < high:
        raise ParameterError(
            f"{name} must be a number greater than {low:g} and less than {high:g}; got {value!r}"
        )
    return float(value)


def check_share(name: str, value: Any) -> float:
    """Return a number from 0 to 1, both included, or raise `ParameterError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ParameterError(f"{name} must be a number from 0 to 1; got {value!r}")
    return float(value)


def check_count(name: str, value: Any, *, least: int = 1) -> int:
    """Return an integer that is large enough, or raise `ParameterError`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise `ParameterError` unless a value is one of the allowed names."""
    choices = tuple(allowed)
    if value not in choices:
        raise ParameterError(f"{name} is {value!r}; allowed are {', '.join(map(repr, choices))}")
