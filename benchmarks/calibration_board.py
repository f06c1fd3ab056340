"""How often each test rejects a true independence, on laws of data that the other studies do not have.

Usage: ``python benchmarks/calibration_board.py run [--repetitions 200] [--tests kci gcm] [--rows 50 200 1000] [--nulls t2] [--jobs 2]``
and then ``python benchmarks/calibration_board.py table``, or ``page`` for the tables of the documentation. Repetitions are added in rounds to a dated file,
``benchmarks/results/calibration_board_DATE.csv``, where a later run of the same date goes on. Every repetition is one draw, which all
tests see; with a dependence, which ``power`` asks for, a part of Y's noise is X's.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import special, stats
from threadpoolctl import threadpool_limits

from causalkit.independence import GCM, KCI, RCIT, FisherZ
from causalkit.independence._base import FittedTest

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parent.parent / "docs" / "user" / "tables"
KEYS = ["test", "rows", "null", "world"]
LEVELS = (0.01, 0.05)
ROUND = 50
WORLDS = {"none": 0.0, "power": 0.6}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Where the noise of X and of Y comes from: Y's holds a share of X's.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source.
    n : int
        Rows.
    share : float
        Correlation of the two; 0 under independence.
    """

    rng: np.random.Generator
    n: int
    share: float

    def normal(self) -> tuple[Floats, Floats]:
        """Return two normal columns."""
        first, second = self.rng.normal(size=(2, self.n))
        return first, self.share * first + np.sqrt(1 - self.share**2) * second

    def uniform(self) -> tuple[Floats, Floats]:
        """Return the same two as ranks between 0 and 1."""
        first, second = self.normal()
        return special.ndtr(first), special.ndtr(second)

    def heavy(self) -> tuple[Floats, Floats]:
        """Return the same two with t laws of 2 degrees of freedom."""
        first, second = self.uniform()
        return stats.t.ppf(first, 2), stats.t.ppf(second, 2)


def discrete_continuous(noise: Noise) -> Floats:
    """X is a label of two values as a number, Y a smooth function of Z with normal noise."""
    z = noise.rng.normal(size=noise.n)
    e, f = noise.normal()
    return np.column_stack([special.ndtr(e) < special.expit(1.5 * z), np.sin(z) + 0.5 * f, z])


def zero_inflated(noise: Noise) -> Floats:
    """Counts whose rate follows Z, and two zeros in five beside."""
    z = noise.rng.normal(size=noise.n)
    counts = [stats.poisson.ppf(u, np.exp(0.8 * z)) for u in noise.uniform()]
    present = noise.rng.random((2, noise.n)) > 0.4
    return np.column_stack([counts[0] * present[0], counts[1] * present[1], z])


def heavy_tails(noise: Noise) -> Floats:
    """Everything has a t law of 2 degrees of freedom."""
    z = noise.rng.standard_t(2, size=noise.n)
    e, f = noise.heavy()
    return np.column_stack([np.tanh(z) + 0.5 * e, np.sin(z) + 0.5 * f, z])


def heteroscedastic(noise: Noise) -> Floats:
    """The scale of both noises is |Z|."""
    z = noise.rng.normal(size=noise.n)
    e, f = noise.normal()
    return np.column_stack([np.sin(z) + np.abs(z) * e, np.tanh(z) + np.abs(z) * f, z])


def near_copy(noise: Noise) -> Floats:
    """Z holds a column and the same with an error of a thousandth."""
    z = noise.rng.normal(size=noise.n)
    e, f = noise.normal()
    copy = z + 1e-3 * noise.rng.normal(size=noise.n)
    return np.column_stack([np.sin(z) + 0.5 * e, np.tanh(z) + 0.5 * f, z, copy])


def offset(noise: Noise) -> Floats:
    """All columns lie a thousand million from zero."""
    z = noise.rng.normal(size=noise.n)
    e, f = noise.normal()
    return 1e9 + np.column_stack([np.sin(z) + 0.5 * e, np.tanh(z) + 0.5 * f, z])


def bounded(noise: Noise) -> Floats:
    """Z is uniform, X and Y are clipped to [0, 1], where many rows lie on the bounds."""
    z = noise.rng.random(noise.n)
    e, f = noise.normal()
    columns = np.column_stack([z + 0.4 * e, 4 * z * (1 - z) + 0.4 * f])
    return np.column_stack([np.clip(columns, 0, 1), z])


def rounded(noise: Noise) -> Floats:
    """X and Y are rounded to whole numbers after they were made of Z, which is not."""
    z = noise.rng.normal(size=noise.n)
    e, f = noise.normal()
    return np.column_stack([np.round(z + 0.5 * e), np.round(z**2 + 0.5 * f), z])


NULLS: dict[str, Callable[[Noise], Floats]] = {
    "discrete and continuous": discrete_continuous,
    "zero-inflated counts": zero_inflated,
    "t, 2 df": heavy_tails,
    "heteroscedastic": heteroscedastic,
    "near copy in Z": near_copy,
    "offset 1e9": offset,
    "bounded": bounded,
    "rounded": rounded,
}
TESTS: dict[str, Callable[[], FittedTest]] = {
    "kci": partial(KCI, few_rows=False),
    "kci_few_rows": partial(KCI, few_rows=True),
    "gcm": GCM,
    "rcit": RCIT,
    "fisher_z": FisherZ,
}


def draw(null: str, n: int, world: str, repetition: int) -> Floats:
    """Draw n rows; the same repetition is the same draw, for every test."""
    seed = [list(NULLS).index(null), n, repetition]
    return NULLS[null](Noise(np.random.default_rng(seed), n, WORLDS[world]))


def one_repetition(name: str, cell: tuple[int, str, str], repetition: int) -> tuple[float, float]:
    """Return the p-value and the seconds it took."""
    n, null, world = cell
    values = draw(null, n, world, repetition)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        p = TESTS[name]().fit(values)(0, 1, tuple(range(2, values.shape[1]))).p_value
    return p, time.perf_counter() - start


def load(path: Path) -> pd.DataFrame:
    """Return what a file has, or an empty table."""
    if path.exists():
        return pd.read_csv(path).set_index(KEYS)
    index = pd.MultiIndex.from_arrays([[]] * len(KEYS), names=KEYS)
    return pd.DataFrame(columns=["repetitions", "r01", "r05", "ms"], index=index, dtype=float)


def add_round(table: pd.DataFrame, name: str, cell: tuple[int, str, str], goal: int, jobs: int) -> bool:
    """Add some repetitions of one cell; return whether there was something to do."""
    key = (name, *cell)
    done = int(table.loc[key, "repetitions"]) if key in table.index else 0
    todo = range(done, min(done + ROUND, goal))
    if not todo:
        return False
    found = np.array(Parallel(n_jobs=jobs)(delayed(one_repetition)(name, cell, r) for r in todo))
    old = table.loc[key, ["r01", "r05"]].to_numpy() if done else np.zeros(2)
    hits = [int((found[:, 0] < level).sum()) for level in LEVELS]
    table.loc[key, :] = [done + len(todo), *(old + hits), 1e3 * np.median(found[:, 1])]
    return True


def run(options: argparse.Namespace) -> None:
    """Add rounds until every cell has its repetitions."""
    options.file.parent.mkdir(exist_ok=True)
    table, busy = load(options.file), True
    cells = [(n, null, w) for n in options.rows for null in options.nulls for w in options.worlds]
    while busy:
        busy = False
        for cell in cells:
            for name in options.tests:
                busy |= add_round(table, name, cell, options.repetitions, options.jobs)
            table.sort_index().to_csv(options.file, float_format="%.4g")


def show(options: argparse.Namespace) -> None:
    """Print shares of rejections at both levels: tests across, nulls and rows down."""
    table = load(options.file).reset_index()
    for world in table.world.unique():
        for level, column in zip(LEVELS, ("r01", "r05"), strict=True):
            part = table[table.world == world]
            part = part.assign(share=part[column] / part.repetitions)
            print(f"\n{world}, level {level:g}, {part.repetitions.min():.0f} or more repetitions")
            print(part.pivot_table("share", ["rows", "null"], "test").to_string(float_format="{:.3f}".format))


def page(options: argparse.Namespace) -> None:
    """Write the tables of the documentation: shares of rejections at .05, and the fewest repetitions behind them."""
    table = load(options.file).reset_index()
    table["share"] = table.r05 / table.repetitions
    for world, part in table.groupby("world"):
        wide = part.pivot_table("share", ["rows", "null"], "test")[list(TESTS)]
        wide.insert(0, "repetitions", part.groupby(["rows", "null"]).repetitions.min())
        path = DOCS / f"calibration_board_{world}.csv"
        text = wide.reset_index().astype({"repetitions": int}).to_csv(index=False, float_format="%.3f")
        path.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = RESULTS / f"calibration_board_{dt.date.today().isoformat()}.csv"
    commands = parser.add_subparsers(required=True)
    runner, writer, pages = (commands.add_parser(name) for name in ("run", "table", "page"))
    for command, function in ((runner, run), (writer, show), (pages, page)):
        command.add_argument("--file", type=Path, default=default)
        command.set_defaults(run=function)
    runner.add_argument("--repetitions", type=int, default=200)
    runner.add_argument("--tests", nargs="+", default=list(TESTS), choices=list(TESTS))
    runner.add_argument("--nulls", nargs="+", default=list(NULLS), choices=list(NULLS))
    runner.add_argument("--worlds", nargs="+", default=["none"], choices=list(WORLDS))
    runner.add_argument("--rows", nargs="+", type=int, default=[50, 200, 1000])
    runner.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    found = arguments()
    found.run(found)
