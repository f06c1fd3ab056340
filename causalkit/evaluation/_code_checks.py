"""Whether codes may be matched with factors at all: codes that go with nothing, and codes that mix several factors.

A best matching exists for any codes. A pair counts where its association passes what exchanged rows reach, over all codes and factors; a code stands for its factor where other factors
tell no more about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from causalkit._random import stream
from causalkit._validation import Floats, Table
from causalkit.evaluation._assess import SEVERAL_COLUMNS, design
from causalkit.evaluation._association import (
    Correlation,
    associations,
    functions_of,
    orthonormal,
    ranked,
    unit_columns,
)

EXCHANGES, LEVEL = 499, 0.05
# A mixture has this much of its variance from other factors, beyond what its own explains.
MUCH = 0.05


@dataclass(frozen=True)
class Mixture:
    """A code that holds more than its factor.

    Parameters
    ----------
    own, others : float
        Share of the code's variance that its factor explains, and that the other factors add.
    p_value : float
        By exchanges of what its factor leaves over.
    """

    own: float
    others: float
    p_value: float


def limits_of_chance(factors: Table, codes: Floats, correlation: Correlation, base: int) -> Floats:
    """Return for every factor the association that its best code must pass; one of twenty sets of unrelated codes passes any of them."""
    ready = ranked(codes) if correlation == "spearman" else codes
    numbers = [k for k, kind in enumerate(factors.types) if kind not in SEVERAL_COLUMNS]
    values = factors.values.copy()
    if correlation == "spearman":
        values[:, numbers] = ranked(values[:, numbers])
    table, rng = Table(factors.names, values, factors.types), stream(base, 83)
    null = np.array(
        [associations(table, ready[rng.permutation(len(ready))]).max(axis=1) for _ in range(EXCHANGES)]
    )
    centre, spread = null.mean(axis=0), null.std(axis=0) + 1e-12
    largest = ((null - centre) / spread).max(axis=1)
    return np.asarray(centre + np.quantile(largest, 1 - LEVEL, method="higher") * spread)


def mixtures(factors: Table, codes: Floats, pairs: Mapping[str, int], base: int) -> dict[str, Mixture]:
    """Return the matched codes about which other factors tell much more than their own does."""
    found = {}
    for name, code in pairs.items():
        own = _columns(factors, [factors.index(name)], knots=6)
        rest = _columns(factors, [k for k in range(len(factors.names)) if factors.names[k] != name], knots=3)
        mixture = _mixture(unit_columns(ranked(codes[:, [code]]))[:, 0], own, rest, stream(base, 89, code))
        if mixture.p_value <= LEVEL / len(pairs) and mixture.others >= MUCH:
            found[name] = mixture
    return found


def _columns(factors: Table, places: Sequence[int], knots: int) -> Floats:
    blocks = [
        orthonormal(design(factors, k))
        if factors.types[k] in SEVERAL_COLUMNS
        else functions_of(factors.values[:, k], knots)
        for k in places
    ]
    return np.hstack(blocks) if blocks else np.zeros((factors.n_rows, 0))


def _mixture(code: Floats, own: Floats, rest: Floats, rng: np.random.Generator) -> Mixture:
    """Compare what other factors add with what they add to exchanged residuals."""
    mine = own.T @ code
    left = code - own @ mine
    more = rest - own @ (own.T @ rest)
    basis = orthonormal(more) if more.size and np.abs(more).max() > 1e-6 else np.zeros((len(code), 0))
    added = float(np.square(basis.T @ left).sum())
    null = [float(np.square(basis.T @ rng.permutation(left)).sum()) for _ in range(EXCHANGES)]
    p = (1 + sum(other >= added for other in null)) / (1 + EXCHANGES)
    return Mixture(float(np.square(mine).sum()), max(added - float(np.mean(null)), 0.0), p)
