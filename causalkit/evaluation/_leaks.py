"""What may make the scores of a representation too good, looked for with tests, and how little of it would have been found.

Three searches. *Both sides*: instances, or settings of all free factors, among the rows that are scored and those trained on. *Order*: the number of the row or the instance, or the view, tells free
factors more than it does when factors are exchanged between settings. *Copies*: a code follows a factor, or the row's number, more closely than an honest code would. No test tells a
label from a code that is right; so it is said what "closely" means. The hypothesis is that a code has noise of at least `HONEST` of its spread, and is rejected where what a fit leaves over is too
little for that, at a level shared by all codes and factors. With few settings a fit leaves little over by itself: then less is found, and the card says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import log_ndtr

from causalkit._random import Seed, entropy, stream
from causalkit._validation import Floats, Table, read_table
from causalkit.evaluation._assess import SEVERAL_COLUMNS, design
from causalkit.evaluation._association import LEVELS, functions_of, orthonormal, ranked, unit_columns
from causalkit.evaluation._mcc import mcc

if TYPE_CHECKING:
    import pandas as pd

    from causalkit.datasets import SceneData

Rows: TypeAlias = NDArray[np.intp]
# Noise of an honest code, as a share of its spread: R2 of .9991. Supervised encoders of clean pictures come near; then the card is to be read, not obeyed.
HONEST = 0.03
UNEXPLAINED = HONEST**2 / (1 + HONEST**2)
# Both together keep false alarms of a card below 5 %.
LEVEL_COPIES, LEVEL_ORDER = 0.01, 0.02
EXCHANGES = 999
# By how much codes must predict a factor better than the order does, in correlation, for the order not to be what they know.
MARGIN = 0.05
POWER = 0.9
# Coarse splines find copies with noise, fine ones those without.
KNOTS = (3, 6, 40)
# Pictures are looked at in so many places each way; a copy is no leak if one of them leaves over at most so many times as much.
PLACES, AS_PLAIN, EXACT = 16, 4.0, 1e-12
# Ranks of a code must follow too: one far value alone is fitted by whoever has a column for it.
LARGEST_IN_RANKS = 0.2
ORDERS = "order"


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


@dataclass(frozen=True)
class Scored:
    """What is scored, one row for every setting of the free factors."""

    factors: Table
    free: tuple[str, ...]
    codes: Floats
    part: SceneData
    settings: Rows
    latents: pd.DataFrame
    types: Mapping[str, Any]
    all_codes: Floats
    rng: Seed

    @property
    def n(self) -> int:
        """Number of settings."""
        return len(self.codes)


def search_leaks(
    part: SceneData,
    z: pd.DataFrame,
    free: Sequence[str],
    types: Mapping[str, Any],
    codes: Floats,
    settings: Rows,
    rng: Seed,
) -> Leaks:
    """Look for orders of rows that tell factors and for codes that are copies."""
    first = np.unique(settings, return_index=True)[1]
    table = read_table(z.iloc[first].reset_index(drop=True), {k: v for k, v in types.items() if k in z})
    scored = Scored(table, tuple(free), codes[first], part, settings, z, types, codes, rng)
    found, notes, order = _by_order(scored)
    copies, plain, closeness = _by_copies(scored, first)
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


# -- copies ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Closeness:
    """When a fit of some width leaves so little over that the code cannot have honest noise."""

    n: int
    width: int
    level: float

    @property
    def freedom(self) -> int:
        """Degrees of freedom that the fit leaves."""
        return self.n - 1 - self.width

    @property
    def most(self) -> float:
        """Largest share left over that is a copy; 0 if nothing can be said."""
        if self.freedom < 2:
            return 0.0
        noisy = UNEXPLAINED * stats.chi2.ppf(self.level, self.freedom) / self.n
        blind = stats.beta.ppf(self.level, self.freedom / 2, self.width / 2)
        return float(min(noisy, blind))

    @property
    def noise_found(self) -> float:
        """Noise, as a share of the spread, with which a copy is found nine times of ten."""
        if self.freedom < 2:
            return 0.0
        share = self.most * self.n / stats.chi2.ppf(POWER, self.freedom)
        return float(np.sqrt(share / (1 - share)))


def _by_copies(scored: Scored, first: Rows) -> tuple[list[str], list[str], str]:
    """Find codes that are a factor or the row's number, alone or in pairs, with the noise that would not have hidden them."""
    numbers = _numbers(scored, first)
    names = [*scored.factors.names, *numbers]
    targets = [_Target.of_factor(scored.factors, k) for k in range(len(scored.factors.names))]
    targets += [_Target.of_number(column) for column in numbers.values()]
    k = scored.codes.shape[1]
    level = LEVEL_COPIES / (15 * len(targets) * k)
    in_pairs = LEVEL_COPIES / (4 * len(targets) * max(k * (k - 1) / 2, 1))
    units, ranks = unit_columns(scored.codes), unit_columns(ranked(scored.codes))
    shown = _Pictures(scored.part, first)
    found, plain = [], []
    for name, target in zip(names, targets, strict=True):
        single = list(target.copies(scored.codes, units, ranks, level))
        copies = single or [*target.pairs(units, in_pairs), *target.together(units, level)]
        closer = [copy for copy in copies if name in numbers or not shown.as_plainly(target, copy)]
        text = "".join(c.text for c in [*closer, *copies][:1]).format(
            f"the {name}" if name in numbers else f"the factor {name!r}"
        )
        if closer:
            found.append(f"{text}: was it given to the encoder?")
        elif copies:
            plain.append(f"{text}; the pictures show it as plainly, so that no label is needed for this.")
    return found, plain, _closeness(scored, targets[: len(scored.factors.names)], level, in_pairs)


def _numbers(scored: Scored, first: Rows) -> dict[str, Floats]:
    """Return the numbers that rows have, where they are different in order."""
    rows, instances = first.astype(float), scored.part.groups[first].astype(float)
    same = np.array_equal(np.argsort(rows), np.argsort(instances)) or len(np.unique(instances)) < 3
    return {"row number": rows} if same else {"row number": rows, "instance number": instances}


@dataclass(frozen=True)
class _Copy:
    """What was found: a text with a place for the target, the fit that found it, and the share that it leaves over."""

    text: str
    fit: int | str
    left: float
    wide: int = 0


@dataclass(frozen=True)
class _Pictures:
    """What an encoder could see at best in one place: means of blocks of pixels, and single pixels."""

    part: SceneData
    rows: Rows

    def as_plainly(self, target: _Target, copy: _Copy) -> bool:
        """Whether places of the pictures follow the target as closely, or nearly so, by the same fit."""
        if self.part.images is None:
            return False
        seen = self._seen
        if copy.fit == "order":
            right = seen[:, target.in_order(seen)]
            return any(len(np.unique(place)) >= copy.wide for place in right.T)
        units = unit_columns(seen)
        if copy.fit == "pair":
            left = target.best_pair(units)[0]
        elif copy.fit == "sum":
            # Encoders pick better directions than the largest: three times as many are allowed.
            width = min(3 * copy.wide, len(units) // 3)
            left = 1 - float(np.square(orthonormal(units)[:, :width].T @ target.fits[0]).sum())
        else:
            left = float(1 - np.square(target.fits[int(copy.fit)].T @ units).sum(axis=0).max())
        return bool(left <= max(AS_PLAIN * copy.left, EXACT))

    @cached_property
    def _seen(self) -> Floats:
        if self.part.images is None:
            return np.zeros((len(self.rows), 0))
        pictures = self.part.images.read(self.rows).astype(float)
        steps = [max(1, side // PLACES) for side in pictures.shape[1:3]]
        some = pictures[:, :: steps[0], :: steps[1]].reshape(len(pictures), -1)
        high, wide = (side // step * step for side, step in zip(pictures.shape[1:3], steps, strict=True))
        blocks = pictures[:, :high, :wide].reshape(
            len(pictures), high // steps[0], steps[0], wide // steps[1], steps[1], -1
        )
        return np.hstack([some, blocks.mean(axis=(2, 4)).reshape(len(pictures), -1)])


@dataclass(frozen=True)
class _Target:
    """A factor or a number, with sets of columns whose combinations are its functions: lines first, then smooth ones, coarse and fine."""

    values: Floats
    fits: tuple[Floats, ...]
    ordered: bool

    @classmethod
    def of_factor(cls, factors: Table, k: int) -> _Target:
        """Return a factor as a target; angles are read as numbers too, since a label is fed in as it is written."""
        number = cls.of_number(factors.values[:, k])
        if factors.types[k] not in SEVERAL_COLUMNS:
            return number
        columns = orthonormal(design(factors, k))
        if factors.types[k] == "categorical":
            return cls(number.values, (columns,), False)
        return cls(number.values, (number.fits[0], columns, *number.fits[1:]), True)

    @classmethod
    def of_number(cls, values: Floats) -> _Target:
        """Return a number as a target."""
        line = unit_columns(values[:, None])
        counts = sorted({min(max(2, len(values) // 5), knots) for knots in KNOTS})
        return cls(values, (line, *_curves(values), *(functions_of(values, c) for c in counts)), True)

    def copies(self, codes: Floats, units: Floats, ranks: Floats, level: float) -> Iterator[_Copy]:
        """Yield codes that are a function of it: the closest by each fit, and one that keeps its order."""
        for fit, columns in enumerate(self.fits):
            left = 1 - np.square(columns.T @ units).sum(axis=0)
            in_ranks = 1 - np.square(self._of_ranks(columns).T @ ranks).sum(axis=0)
            few = Closeness(len(codes), columns.shape[1], level).most
            close = np.flatnonzero((left < few) & (in_ranks < LARGEST_IN_RANKS))
            if close.size:
                least = max(float(left[close].min()), 0.0)
                how = "a function of " if fit and self.ordered else ""
                yield _Copy(
                    f"Code {close[left[close].argmin()]} is {how}{{}} up to {np.sqrt(least):.1%} of its spread",
                    fit,
                    least,
                )
        if self.ordered and self.log_chance_of_order() < np.log(level):
            for code in np.flatnonzero(self.in_order(codes))[:1]:
                yield _Copy(
                    f"Code {code} puts all rows in the order of {{}}",
                    "order",
                    0.0,
                    len(np.unique(codes[:, code])),
                )

    def _of_ranks(self, columns: Floats) -> Floats:
        """Return the columns for codes in ranks: a line in the ranks of the values for a line."""
        return unit_columns(ranked(self.values[:, None])) if columns.shape[1] == 1 else columns

    def in_order(self, codes: Floats) -> NDArray[np.bool_]:
        """Return which codes put no two rows in the wrong order; a code of few different values tells too little to count."""
        _, place = np.unique(self.values, return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        low, high = (of.reduceat(codes[order], starts, axis=0) for of in (np.minimum, np.maximum))
        rising = (low[1:] >= high[:-1]).all(axis=0) | (high[1:] <= low[:-1]).all(axis=0)
        many = np.array([len(np.unique(code)) > len(starts) / 2 for code in codes.T])
        return np.asarray(rising & many)

    def log_chance_of_order(self) -> float:
        """Return the log of the chance that a code with honest noise turns no two neighbouring values."""
        gaps = np.diff(np.unique(self.values)) / (self.values.std() or 1.0)
        return float(log_ndtr(gaps / (np.sqrt(2) * HONEST)).sum())

    def pairs(self, units: Floats, level: float) -> Iterator[_Copy]:
        """Yield the two codes that give it together, as those of a rotation do."""
        if units.shape[1] < 2 or not self.ordered:
            return
        left, a, b = self.best_pair(units)
        if left < Closeness(len(units), 2, level).most:
            yield _Copy(
                f"Codes {a} and {b} together give {{}} up to {np.sqrt(left):.1%} of its spread, as if it had been turned into them",
                "pair",
                left,
            )

    def best_pair(self, units: Floats) -> tuple[float, int, int]:
        """Return the share that the best two columns leave over, and which they are, by the multiple correlation of two."""
        r, between = (self.fits[0].T @ units)[0], units.T @ units
        # Columns that are nearly the same span the difference of their noise: that is left out.
        room = 1 - np.square(between)
        apart = np.triu(room > 1e-4, 1)
        explained = (r[:, None] ** 2 + r[None] ** 2 - 2 * np.outer(r, r) * between) / np.where(
            apart, room, 1.0
        )
        best = np.where(apart, explained, 0.0)
        a, b = np.unravel_index(np.argmax(best), best.shape)
        return max(float(1 - best[a, b]), 0.0), int(a), int(b)

    def together(self, units: Floats, level: float) -> Iterator[_Copy]:
        """Yield all codes if they give it as a sum, where there are few of them."""
        basis = orthonormal(units)
        if not self.ordered or units.shape[1] < 3 or 3 * basis.shape[1] > len(units):
            return
        left = max(float(1 - np.square(basis.T @ self.fits[0]).sum()), 0.0)
        if left < Closeness(len(units), basis.shape[1], level).most:
            yield _Copy(
                f"All codes together give {{}} as a sum, up to {np.sqrt(left):.1%} of its spread",
                "sum",
                left,
                basis.shape[1],
            )


def _curves(values: Floats) -> list[Floats]:
    """Return curves in which labels are often written, each alone: of few settings a curve without a knot tells more than a smooth fit."""
    unit = (values - values.mean()) / (values.std() or 1.0)
    curves = [unit**3, np.exp(unit), np.tanh(unit), values**2, values**3]
    if values.min() > 0:
        curves += [np.log(values), np.sqrt(values), 1 / values]
    if values.min() > -1:
        curves.append(np.log1p(values))
    return [unit_columns(curve[:, None]) for curve in curves]


def _closeness(scored: Scored, targets: Sequence[_Target], level: float, in_pairs: float) -> str:
    """Say how noisy a copy could have been."""
    n = scored.n
    line, smooth = (Closeness(n, width, level).noise_found for width in (1, min(min(KNOTS) + 2, n // 5 + 2)))
    two = Closeness(n, 2, in_pairs).noise_found
    ordered = [name for name, t in zip(scored.factors.names, targets, strict=False) if t.ordered]
    told = [
        name
        for name, t in zip(scored.factors.names, targets, strict=False)
        if t.ordered and t.log_chance_of_order() < np.log(level)
    ]
    orders = (
        "of any factor"
        if len(told) == len(ordered)
        else f"of {', '.join(told)} only"
        if told
        else f"of no factor, as {n} settings are too few"
    )
    return (
        f"Copies: over {n} settings a code that is a factor, or two that are one turned, is found nine times of ten if its noise is at most {line:.1%} of its spread ({two:.1%} for two); "
        f"a smooth function of one, {smooth:.1%}; a function that only keeps the order, {orders}. Codes with more noise than {HONEST:.0%} pass as honest, "
        "and functions of several factors are not looked for."
    )


# -- order -------------------------------------------------------------------------------------------------------------------------


def _by_order(scored: Scored) -> tuple[list[str], tuple[str, ...], str]:
    """Test whether the place of a setting among the rows tells its free factors, against factors exchanged between settings."""
    names, columns, owner = _free_columns(scored)
    probes = _probes(scored)
    if not probes or scored.n < 8:
        return [], (), f"Order: {scored.n} settings are too few to test whether their order tells factors."
    seen = _told(columns, owner, probes)
    rng = stream(entropy(scored.rng), 71)
    null = np.array([_told(columns[rng.permutation(scored.n)], owner, probes) for _ in range(EXCHANGES)])
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
        _power(scored.n, centre, spread, limit, probes),
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
    start = f"The {which} {how} {name!r} (p = {p.min():.3f}, {EXCHANGES} exchanges between {scored.n} settings; correlation {by_place:.2f} on new settings)"
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
