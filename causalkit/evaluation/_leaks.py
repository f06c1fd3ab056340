"""What may make the scores of a representation too good, looked for with tests, and how little of it would have been found.

Three searches. *Both sides*: instances, or settings of all free factors, among the rows that are scored and those trained on. *Order*: the number of the
row or the instance, or the view, tells free factors more than it does when factors are exchanged between settings. *Copies*: a code follows a factor, or
the row's number, more closely than an honest code would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from causalkit._random import Seed, entropy, stream
from causalkit._validation import Floats, read_table
from causalkit.evaluation._assess import SEVERAL_COLUMNS, design
from causalkit.evaluation._association import LEVELS, functions_of, orthonormal, ranked, unit_columns
from causalkit.evaluation._copies import POWER, Others, Scored, by_copies
from causalkit.evaluation._mcc import mcc

if TYPE_CHECKING:
    import pandas as pd

    from causalkit.datasets import SceneData

Rows: TypeAlias = NDArray[np.intp]
# With the level of copies, .01, false alarms of a card are below 5 %.
LEVEL_ORDER = 0.02
EXCHANGES = 999
# By how much codes must predict a factor better than the order does, in correlation, for the order not to be what they know.
MARGIN = 0.05


@dataclass(frozen=True)
class Leaks:
    """What was found, what is worth knowing, and what was looked for.

    Parameters
    ----------
    found : tuple of str
        Possible leaks.
    notes : tuple of str
        Orders of rows that the codes know more than.
    looked_for : tuple of str
        One sentence per search: what it would have found, or why it was not made.
    """

    found: tuple[str, ...]
    notes: tuple[str, ...]
    looked_for: tuple[str, ...]


def search_leaks(
    part: SceneData,
    z: pd.DataFrame,
    free: Sequence[str],
    types: Mapping[str, Any],
    codes: Floats,
    settings: Rows,
    others: Others,
    rng: Seed,
) -> Leaks:
    """Look for orders of rows that tell factors and for codes that are copies."""
    first = np.unique(settings, return_index=True)[1]
    table = read_table(z.iloc[first].reset_index(drop=True), {k: v for k, v in types.items() if k in z})
    scored = Scored(table, tuple(free), codes[first], first, part, settings, z, types, codes, others, rng)
    found, notes, order = _by_order(scored)
    copies, plain, closeness = by_copies(scored)
    return Leaks((*copies, *found), (*plain, *notes), (closeness, order))


# -- both sides --------------------------------------------------------------------------------------------------------------------


def on_both_sides(data: SceneData, rows: Rows, trained_on: Sequence[int] | Rows | None) -> Iterator[str]:
    """Find instances and settings among the rows that are scored and those trained on."""
    if trained_on is None:
        return
    seen = data.positions(trained_on)
    both = np.intersect1d(data.groups[rows], data.groups[seen])
    if both.size:
        yield f"{both.size} instances are both among the rows that are scored and among those trained on (the first is {both[0]})."
    settings = data.setting_of_rows()
    again = np.isin(settings[rows], settings[seen]) & ~np.isin(data.groups[rows], both)
    if again.any():
        yield (
            f"{again.mean():.0%} of the rows that are scored have the free factors of a row that was trained on, and so perhaps its picture: "
            "codes of instances seen before do well on them. Split with splits(by='factors')."
        )


def sides_looked_at(trained_on: Sequence[int] | Rows | None) -> str:
    """Say whether both sides were compared."""
    if trained_on is None:
        return "Not looked for: instances that were trained on. Give trained_on."
    return "Both sides: any instance, or setting of the free factors, that is both scored and trained on."


# -- order -------------------------------------------------------------------------------------------------------------------------


def _by_order(scored: Scored) -> tuple[list[str], tuple[str, ...], str]:
    """Test whether the place of a setting among the rows tells its free factors, against factors exchanged between settings."""
    names, columns, owner = _free_columns(scored)
    probes = _probes(scored)
    if not probes or len(scored.codes) < 8:
        return (
            [],
            (),
            f"Order: {len(scored.codes)} settings are too few to test whether their order tells factors.",
        )
    seen = _told(columns, owner, probes)
    rng = stream(entropy(scored.rng), 71)
    null = np.array(
        [_told(columns[rng.permutation(len(scored.codes))], owner, probes) for _ in range(EXCHANGES)]
    )
    centre, spread = null.mean(axis=0), null.std(axis=0) + 1e-12
    largest = ((null - centre) / spread).max(axis=(1, 2))
    p = (1 + (largest[:, None, None] >= (seen - centre) / spread).sum(axis=0)) / (1 + EXCHANGES)
    texts = [
        _told_by(scored, names[j], probes, p[:, j]) for j in np.flatnonzero(p.min(axis=0) <= LEVEL_ORDER)
    ]
    found = [text for text, clear in texts if not clear]
    limit = float(np.quantile(largest, 1 - LEVEL_ORDER))
    return (
        found,
        tuple(text for text, clear in texts if clear),
        _power(len(scored.codes), centre, spread, limit, probes),
    )


def _free_columns(scored: Scored) -> tuple[list[str], Floats, Rows]:
    """Return columns of length 1 that stand for the free factors, numbers in ranks, and whose they are."""
    blocks = []
    for name in scored.free:
        k = scored.factors.index(name)
        several = scored.factors.types[k] in SEVERAL_COLUMNS
        blocks.append(
            orthonormal(design(scored.factors, k))
            if several
            else unit_columns(ranked(scored.factors.values[:, [k]]))
        )
    owner = np.repeat(np.arange(len(blocks)), [b.shape[1] for b in blocks])
    return list(scored.free), np.hstack(blocks), owner


def _probes(scored: Scored) -> dict[str, Floats]:
    """Return columns of what is known of a setting without its picture; None of them is about factors.

    Numbers come as smooth functions, and as an order in which neighbours may be alike, as in nested loops.
    """
    _, place, sizes = np.unique(scored.settings, return_inverse=True, return_counts=True)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(place, weights=values) / sizes)

    numbers = {
        "row number": mean(np.arange(len(place), dtype=float)),
        "instance number": mean(scored.part.groups.astype(float)),
    }
    by_row, by_instance = (np.argsort(v, kind="stable") for v in numbers.values())
    if np.array_equal(by_row, by_instance):
        del numbers["instance number"]
    out: dict[str, Floats] = {}
    for name, values in numbers.items():
        if len(np.unique(values)) > LEVELS:
            out[name] = functions_of(ranked(values))
            out[f"{name} of its neighbour"] = np.argsort(values, kind="stable").astype(float)
    cameras = np.column_stack(
        [mean((scored.part.views == v).astype(float)) for v in np.unique(scored.part.views)]
    )
    if np.ptp(cameras, axis=0).max() > 1e-9:
        out["view"] = orthonormal(cameras)
    return out


def _told(columns: Floats, owner: Rows, probes: Mapping[str, Floats]) -> Floats:
    """Return how much every probe tells of every factor, shape (probes, factors)."""
    rows = []
    for probe in probes.values():
        if probe.ndim == 1:
            lined = columns[probe.astype(np.intp)]
            told = (lined[1:] * lined[:-1]).sum(axis=0)
        else:
            told = ((probe.T @ columns) ** 2).sum(axis=0)
        rows.append(np.bincount(owner, weights=told) / np.bincount(owner))
    return np.array(rows)


def _told_by(scored: Scored, name: str, probes: Mapping[str, Floats], p: Floats) -> tuple[str, bool]:
    """Say what tells a factor, how well, and whether the codes know it better by a margin."""
    best = list(probes)[int(p.argmin())]
    values = {
        "row number": np.arange(len(scored.settings)),
        "instance number": scored.part.groups,
        "view": scored.part.views,
    }
    which = best.split(" of ")[0]
    by_place, by_codes = (
        _predicted(scored, name, v) for v in (values[which].astype(float)[:, None], scored.all_codes)
    )
    clear = by_codes > by_place + MARGIN
    how = "alone predicts" if which == best else "puts alike values side by side of"
    start = f"The {which} {how} {name!r} (p = {p.min():.3f}, {EXCHANGES} exchanges between {len(scored.codes)} settings; correlation {by_place:.2f} on new settings)"
    return (
        (f"{start}; the codes know it better ({by_codes:.2f}).", True)
        if clear
        else (
            f"{start}, and the codes predict it no better than that by {MARGIN} ({by_codes:.2f}): what they know may be the order.",
            False,
        )
    )


def _predicted(scored: Scored, name: str, codes: Floats) -> float:
    """Return the correlation of a factor with its prediction on settings that were not fitted."""
    types = {k: v for k, v in scored.types.items() if k == name}
    return mcc(
        scored.latents[[name]], codes, variant="regression", regressor="kernel", factor_types=types,
        groups=scored.settings, n_bootstrap=0, n_permutations=0, rng=scored.rng,
    ).value  # fmt: skip


def _power(n: int, centre: Floats, spread: Floats, limit: float, probes: Mapping[str, Floats]) -> str:
    """Say which share of a factor an order must explain to be found nine times of ten."""
    widths = {name: probe.shape[1] for name, probe in probes.items() if probe.ndim == 2}
    shares = [
        _share_found(n, width, float((centre + limit * spread)[list(probes).index(name)].max()))
        for name, width in widths.items()
    ]
    return (
        f"Order: row number, instance number and view were tested against {EXCHANGES} exchanges of factors between {n} settings; an order that explains "
        f"{max(shares):.0%} of a free factor, smoothly, is found nine times of ten. Alike neighbours, as in nested loops, were looked for too."
    )


def _share_found(n: int, width: int, critical: float) -> float:
    """Return the share of variance with which R² passes its critical value nine times of ten, by the noncentral F distribution."""
    freedom = n - 1 - width
    if critical >= 1 or freedom < 2:
        return 1.0
    bound = critical / (1 - critical) * freedom / width

    # SciPy has no value far out, where nothing is missed.
    def missed(share: float) -> float:
        below = np.nan_to_num(stats.ncf.cdf(bound, width, freedom, n * share / (1 - share)))
        return float(below) - (1 - POWER)

    return float(brentq(missed, 1e-6, 1 - 1e-6)) if missed(1e-6) > 0 > missed(1 - 1e-6) else 1.0
