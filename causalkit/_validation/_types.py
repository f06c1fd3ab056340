"""The types that columns have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from causalkit._validation._parameters import check_between

PlainType: TypeAlias = Literal["continuous", "categorical", "ordinal", "time"]
ColumnType: TypeAlias = PlainType | Literal["cyclic"]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Cyclic:
    """The type of a column whose values come back: hours, months, angles.

    Parameters
    ----------
    period : float
        After how much a value is the same again, in the units of the column.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import Cyclic, kci_test
    >>> rng = np.random.default_rng(0)
    >>> hour = rng.uniform(0, 24, size=200)
    >>> load = np.cos(2 * np.pi * hour / 24) + 0.5 * rng.normal(size=200)
    >>> kci_test(load, rng.normal(size=200), hour, z_types=[Cyclic(24)]).p_value > 0.01
    True
    """

    period: float

    def __post_init__(self) -> None:
        check_between("period", self.period, 0, np.inf)


Declared: TypeAlias = PlainType | Cyclic
ColumnTypes: TypeAlias = Mapping[str, Declared] | Sequence[Declared] | None


PLAIN_TYPES: tuple[str, ...] = get_args(PlainType)
