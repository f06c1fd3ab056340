"""Codes that follow a factor, or the number of a row, more closely than an honest code would.

No test tells a label from a code that is right; so it is said what "closely" means. The hypothesis is that a code has noise of at least `HONEST` of its
spread, and is rejected where what a fit leaves over is too little for that, at a level shared by all codes and factors. With few settings a fit leaves
little over by itself: then less is found, and the card says so. Two things need no fit and so tell much of few settings: the order of the values, in which
rows that are not scored help, and a code that is the same in all pictures of a setting while other codes are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_ndtr
from sklearn.kernel_ridge import KernelRidge

from causalkit._random import Seed
from causalkit._validation import Floats, Table
from causalkit.evaluation._assess import SEVERAL_COLUMNS, design
from causalkit.evaluation._association import functions_of, orthonormal, ranked, unit_columns

if TYPE_CHECKING:
    import pandas as pd

    from causalkit.datasets import SceneData

Rows: TypeAlias = NDArray[np.intp]
# Noise of an honest code, as a share of its spread: R2 of .9991. Supervised encoders of clean pictures come near; then the card is to be read, not obeyed.
HONEST = 0.03
UNEXPLAINED = HONEST**2 / (1 + HONEST**2)
LEVEL = 0.01
POWER = 0.9
# Coarse splines find copies with noise, fine ones those without.
KNOTS = (3, 6, 40)
# Pictures are looked at in so many places each way; a copy is no leak if one of them leaves over at most so many times as much.
PLACES, AS_PLAIN, EXACT = 16, 4.0, 1e-12
# Ranks of a code must follow too: one far value alone is fitted by whoever has a column for it.
LARGEST_IN_RANKS = 0.2
NOTHING_ELSE: Floats = np.zeros(0)
ORDERS = {
    "order, the same": "is the same in all pictures of a setting, as other codes are not, and puts settings in the order of {}",
    "order": "puts all rows in the order of {}",
    "order of others too": "puts all rows, also those that are not scored, in the order of {}",
}
# The regression that says what pictures show: rows that it needs, its penalty, and widths of its kernel in units of the spread.
FEWEST_TO_READ, RIDGE, WIDTHS = 30, 1e-3, (0.1, 0.01)
# Share of a code's variance between rows of one setting below which it does not depend on the picture.
SAME_IN_ALL = 1e-12


@dataclass(frozen=True)
class Others:
    """Rows that are not scored, with their codes; pictures are read only where a copy was found."""

    part: SceneData
    factors: Table
    codes: Floats


@dataclass(frozen=True)
class Scored:
    """What is scored, one row for every setting of the free factors.

    Parameters
    ----------
    factors : Table
        Factors of the settings.
    free : tuple of str
        Names of those that are free.
    codes : numpy.ndarray of float, shape (n, k)
        Codes of the first row of every setting.
    first : numpy.ndarray of int, shape (n,)
        Which rows these are.
    part, settings, latents, all_codes
        All rows that are scored, the setting of each, their factors and codes.
    types : mapping of str to str
        Types of factors.
    others : Others
        Rows that are not scored.
    rng : int, numpy.random.Generator or None
        Seed.
    """

    factors: Table
    free: tuple[str, ...]
    codes: Floats
    first: Rows
    part: SceneData
    settings: Rows
    latents: pd.DataFrame
    types: Mapping[str, Any]
    all_codes: Floats
    others: Others
    rng: Seed

    @property
    def n(self) -> int:
        """Number of settings."""
        return len(self.codes)


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


def by_copies(scored: Scored) -> tuple[list[str], list[str], str]:
    """Find codes that are a factor or the row's number, alone or in pairs, with the noise that would not have hidden them."""
    targets = {f"the factor {name!r}": _Target.of_factor(scored, name) for name in scored.factors.names}
    numbers = {f"the {name}": _Target.of_number(column) for name, column in _numbers(scored).items()}
    targets |= numbers
    k = scored.codes.shape[1]
    level = LEVEL / (15 * len(targets) * k)
    in_pairs = LEVEL / (4 * len(targets) * max(k * (k - 1) / 2, 1))
    codes = _Codes.of(scored)
    shown = _Pictures(scored)
    found, plain = [], []
    for name, target in targets.items():
        copies = list(target.copies(codes, level)) or [
            *target.pairs(codes.units, in_pairs),
            *target.together(codes.units, level),
        ]
        closer = [copy for copy in copies if name in numbers or not shown.as_plainly(target, copy)]
        text = "".join(c.text for c in [*closer, *copies][:1]).format(name)
        if closer:
            found.append(f"{text}: was it given to the encoder?")
        elif copies:
            plain.append(f"{text}; the pictures show it as plainly, so that no label is needed for this.")
    factors = {name: t for name, t in targets.items() if name not in numbers and t.ordered}
    return found, plain, _closeness(codes, factors, level, in_pairs)


def _numbers(scored: Scored) -> dict[str, Floats]:
    """Return the numbers that rows have, where they are different in order."""
    rows, instances = scored.first.astype(float), scored.part.groups[scored.first].astype(float)
    same = np.array_equal(np.argsort(rows), np.argsort(instances)) or len(np.unique(instances)) < 3
    return {"row number": rows} if same else {"row number": rows, "instance number": instances}


@dataclass(frozen=True)
class _Codes:
    """Codes of settings, in units and in ranks, those of rows that are not scored, and which are the same in all pictures of a setting."""

    plain: Floats
    units: Floats
    ranks: Floats
    others: Floats
    fixed: NDArray[np.bool_]
    n_values: Rows

    @classmethod
    def of(cls, scored: Scored) -> _Codes:
        """Read them."""
        codes = scored.codes
        return cls(
            plain=codes,
            units=unit_columns(codes),
            ranks=unit_columns(ranked(codes)),
            others=scored.others.codes,
            fixed=_fixed(scored),
            n_values=n_values(codes),
        )


def n_values(columns: Floats) -> Rows:
    """Return how many different values every column has, up to rounding."""
    return np.array([len(np.unique(column.round(9))) for column in unit_columns(columns).T], dtype=np.intp)


def _fixed(scored: Scored) -> NDArray[np.bool_]:
    """Return which codes are the same in all pictures of a setting; none if all are, since such codes stand for settings, or if there are no pictures."""
    fixed = the_same(scored.all_codes, scored.settings)
    return fixed & (scored.part.images is not None and not fixed.all())


def the_same(columns: Floats, settings: Rows) -> NDArray[np.bool_]:
    """Return which columns vary, but not between rows of one setting."""
    _, of, sizes = np.unique(settings, return_inverse=True, return_counts=True)
    means = np.column_stack([np.bincount(of, weights=column) for column in columns.T]) / sizes[:, None]
    within, around = (np.square(columns - centre).sum(axis=0) for centre in (means[of], columns.mean(axis=0)))
    return np.asarray((within <= SAME_IN_ALL * around) & (around > 0) & (sizes.max() > 1))


@dataclass(frozen=True)
class _Copy:
    """What was found: a text with a place for the target, the fit that found it, and the share that it leaves over."""

    text: str
    fit: int | str
    left: float
    wide: int = 0


@dataclass(frozen=True)
class _Pictures:
    """What pictures show: single pixels, means of blocks, and what a regression on the pictures of other rows reads of the factors."""

    scored: Scored

    def as_plainly(self, target: _Target, copy: _Copy) -> bool:
        """Whether the pictures follow the target as closely, or nearly so, by the same fit."""
        if self.scored.part.images is None:
            return False
        if copy.fit in ORDERS:
            return self._keep_order(target, copy)
        seen = np.hstack([self._places, self._read])
        return bool(self._least_left(target, copy, unit_columns(seen)) <= max(AS_PLAIN * copy.left, EXACT))

    def _keep_order(self, target: _Target, copy: _Copy) -> bool:
        """Whether a place puts the same rows in order as the code does, with as many values."""
        scored, places = self.scored, self._places
        if copy.fit == "order of others too":
            seen = np.vstack([places, _places_of(scored.others.part)])
            right = places[:, target.in_order(seen, others=True)]
        elif copy.fit == "order, the same":
            right = places[:, target.in_order(places) & the_same(_places_of(scored.part), scored.settings)]
        else:
            seen = np.hstack([places, self._read])
            right = seen[:, target.in_order(seen)]
        return any(len(np.unique(place)) >= copy.wide for place in right.T)

    def _least_left(self, target: _Target, copy: _Copy, units: Floats) -> float:
        if copy.fit == "pair":
            return target.best_pair(units)[0]
        if copy.fit == "sum":
            # Encoders pick better directions than the largest: three times as many are allowed.
            width = min(3 * copy.wide, len(units) // 3)
            read = unit_columns(self._read)
            several = 1 - float(np.square(orthonormal(units)[:, :width].T @ target.fits[0]).sum())
            return min(several, float(1 - np.square(target.fits[0].T @ read).max(initial=0)))
        columns = target.levels if copy.fit == "levels" else target.fits[int(copy.fit)]
        many = n_values(units) > target.n_values / 2
        return float(1 - np.square(columns.T @ units[:, many]).sum(axis=0).max(initial=0))

    @cached_property
    def _places(self) -> Floats:
        return _places_of(self.scored.part)[self.scored.first]

    @cached_property
    def _read(self) -> Floats:
        """Return the factors of settings as a kernel regression, trained on rows that are not scored, reads them from their pictures."""
        others = self.scored.others
        if len(others.codes) < FEWEST_TO_READ:
            return np.zeros((len(self._places), 0))
        pictures = _places_of(others.part)
        centre, spread = pictures.mean(axis=0), pictures.std() or 1.0
        factors = others.factors.values
        units = (factors - factors.mean(axis=0)) / np.where(factors.std(axis=0) > 0, factors.std(axis=0), 1.0)
        train, new = ((p - centre) / spread for p in (pictures, self._places))
        models = [
            KernelRidge(kernel="rbf", alpha=RIDGE, gamma=g / train.shape[1]).fit(train, units) for g in WIDTHS
        ]
        return np.hstack([model.predict(new) for model in models])


def _places_of(part: SceneData) -> Floats:
    """Return pixels on a grid of places, and means of the blocks around them."""
    if part.images is None:
        return np.zeros((len(part), 0))
    pictures = part.images.read(np.arange(len(part))).astype(float)
    steps = [max(1, side // PLACES) for side in pictures.shape[1:3]]
    some = pictures[:, :: steps[0], :: steps[1]].reshape(len(pictures), -1)
    high, wide = (side // step * step for side, step in zip(pictures.shape[1:3], steps, strict=True))
    blocks = pictures[:, :high, :wide].reshape(
        len(pictures), high // steps[0], steps[0], wide // steps[1], steps[1], -1
    )
    return np.hstack([some, blocks.mean(axis=(2, 4)).reshape(len(pictures), -1)])


@dataclass(frozen=True)
class _Target:
    """A factor or a number, with sets of columns whose combinations are its functions: lines first, then smooth ones, coarse and fine.

    `others` are its values in rows that are not scored.
    """

    values: Floats
    fits: tuple[Floats, ...]
    ordered: bool
    others: Floats

    @classmethod
    def of_factor(cls, scored: Scored, name: str) -> _Target:
        """Return a factor as a target; angles are read as numbers too, since a label is fed in as it is written."""
        k = scored.factors.index(name)
        kind = scored.factors.types[k]
        number = cls.of_number(scored.factors.values[:, k])
        if kind == "categorical":
            return cls(number.values, (orthonormal(design(scored.factors, k)),), False, NOTHING_ELSE)
        others = scored.others.factors.values[:, k]
        if kind not in SEVERAL_COLUMNS:
            return cls(number.values, number.fits, True, others)
        return cls(
            number.values,
            (number.fits[0], orthonormal(design(scored.factors, k)), *number.fits[1:]),
            True,
            others,
        )

    @classmethod
    def of_number(cls, values: Floats) -> _Target:
        """Return a number as a target."""
        line = unit_columns(values[:, None])
        counts = sorted({min(max(2, len(values) // 5), knots) for knots in KNOTS})
        fits = (line, *_curves(values), *(functions_of(values, c) for c in counts))
        return cls(values, fits, True, NOTHING_ELSE)

    def copies(self, codes: _Codes, level: float) -> Iterator[_Copy]:
        """Yield codes that are a function of it: the closest by each fit, with one value for every value of it, and in its order."""
        for fit, columns in enumerate(self.fits):
            yield from self._closest(codes, columns, level, fit)
        if not self.ordered:
            return
        if self.n_values < len(self.values) - 2:
            yield from self._closest(codes, self.levels, level, "levels")
        yield from self._in_order(codes, level)

    def _closest(self, codes: _Codes, columns: Floats, level: float, fit: int | str) -> Iterator[_Copy]:
        left = 1 - np.square(columns.T @ codes.units).sum(axis=0)
        in_ranks = 1 - np.square(self._of_ranks(columns).T @ codes.ranks).sum(axis=0)
        few = Closeness(len(codes.units), columns.shape[1], level).most
        # A code of two values is an exact function of much.
        many = codes.n_values > self.n_values / 2
        close = np.flatnonzero((left < few) & (in_ranks < LARGEST_IN_RANKS) & many)
        if close.size:
            least = max(float(left[close].min()), 0.0)
            how = "a function of " if fit and self.ordered else ""
            code = close[left[close].argmin()]
            yield _Copy(f"Code {code} is {how}{{}} up to {np.sqrt(least):.1%} of its spread", fit, least)

    def _in_order(self, codes: _Codes, level: float) -> Iterator[_Copy]:
        """Yield a code that keeps its order where honest noise would turn neighbours, or never depends on the picture."""
        kept = self.in_order(codes.plain)
        among_others = kept & self.in_order(
            np.vstack([codes.plain, codes.others[: len(self.others)]]), others=True
        )
        ways = {
            "order, the same": (True, kept & codes.fixed),
            "order": (self.tells_order(level), kept),
            "order of others too": (
                len(self.others) > 0 and self.tells_order(level, others=True),
                among_others,
            ),
        }
        for fit, (tells, which) in ways.items():
            for code in np.flatnonzero(which)[: int(tells)]:
                yield _Copy(f"Code {code} {ORDERS[fit]}", fit, 0.0, len(np.unique(codes.plain[:, code])))

    @cached_property
    def n_values(self) -> int:
        """How many different values it has."""
        return len(np.unique(self.values))

    @cached_property
    def levels(self) -> Floats:
        """Columns of which any function of the values is a combination."""
        return orthonormal((self.values[:, None] == np.unique(self.values)).astype(float))

    def _of_ranks(self, columns: Floats) -> Floats:
        """Return the columns for codes in ranks: a line in the ranks of the values for a line."""
        return unit_columns(ranked(self.values[:, None])) if columns.shape[1] == 1 else columns

    def in_order(self, codes: Floats, *, others: bool = False) -> NDArray[np.bool_]:
        """Return which codes put no two rows in the wrong order; a code of few different values tells too little to count."""
        _, place = np.unique(self._among(others), return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        low, high = (of.reduceat(codes[order], starts, axis=0) for of in (np.minimum, np.maximum))
        rising = (low[1:] >= high[:-1]).all(axis=0) | (high[1:] <= low[:-1]).all(axis=0)
        many = np.array([len(np.unique(code)) > len(starts) / 2 for code in codes.T])
        return np.asarray(rising & many)

    def tells_order(self, level: float, *, others: bool = False) -> bool:
        """Whether a code with honest noise is unlikely to turn no two neighbouring values."""
        gaps = np.diff(np.unique(self._among(others))) / (self.values.std() or 1.0)
        return bool(log_ndtr(gaps / (np.sqrt(2) * HONEST)).sum() < np.log(level))

    def _among(self, others: bool) -> Floats:
        return np.append(self.values, self.others) if others else self.values

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


def _closeness(codes: _Codes, factors: Mapping[str, _Target], level: float, in_pairs: float) -> str:
    """Say how noisy a copy could have been."""
    n = len(codes.plain)
    line, smooth = (Closeness(n, width, level).noise_found for width in (1, min(min(KNOTS) + 2, n // 5 + 2)))
    two = Closeness(n, 2, in_pairs).noise_found
    told = [name for name, target in factors.items() if target.tells_order(level, others=True)]
    some = f"of {', '.join(told)} only" if told else f"of no factor, as {n} settings are too few"
    orders = "of any factor" if len(told) == len(factors) else some
    return (
        f"Copies: over {n} settings a code that is a factor, or two that are one turned, is found nine times of ten if its noise is at most {line:.1%} of its spread ({two:.1%} for two); "
        f"a smooth function of one, {smooth:.1%}; a function that only keeps the order, {orders}. Codes with more noise than {HONEST:.0%} pass as honest, "
        "and functions of several factors are not looked for."
    )
