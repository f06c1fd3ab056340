"""How often independence tests reject a true independence: ours, ours with the original's ridge, and causal-learn's.

Usage: ``python benchmarks/calibration.py [repetitions] [rows] [words] [--methods causalkit learned]``; by default 200 repetitions of 300 rows;
only cells whose name begins with one of the words, by default all. Level .05, seeds 0, 1, ... in every cell.
"""

from __future__ import annotations

import argparse
import time as clock
import warnings
from functools import partial

import numpy as np
from causallearn.utils.cit import CIT
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from causalkit.independence import kci_test


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repetitions", type=int, nargs="?", default=200)
    parser.add_argument("rows", type=int, nargs="?", default=300)
    parser.add_argument("words", nargs="*", default=[""])
    parser.add_argument("--methods", nargs="*", default=["causalkit", "ridge 1e-3", "causal-learn"])
    return parser.parse_args()


OPTIONS = arguments()
N = OPTIONS.rows
FUNCTIONS = [np.tanh, np.sin, np.square, np.cos, lambda v: v]


def domain(k, *, unequal=False):
    """Means of X and Y shift by 2 sd between k domains, which may have sizes from one to twenty."""

    def draw(rng):
        ends = np.cumsum(np.geomspace(1, 20, k))
        label = np.searchsorted(ends / ends[-1], (np.arange(N) + 0.5) / N) if unequal else np.arange(N) % k
        shift = 2 * rng.normal(size=(2, k))
        return (
            shift[0][label] + rng.normal(size=N),
            shift[1][label] + rng.normal(size=N),
            label[:, None].astype(float),
            ["categorical"],
        )

    return draw


def time(cycles):
    """X and Y drift in sinusoids of independent phase, or jump once."""

    def draw(rng):
        t = np.arange(N) / N

        def drift():
            return (
                2 * np.sin(2 * np.pi * (cycles * t + rng.random()))
                if cycles
                else 2.0 * (t > rng.uniform(0.2, 0.8))
            )

        return drift() + rng.normal(size=N), drift() + rng.normal(size=N), t[:, None], ["time"]

    return draw


def numbers(n_z, *, one):
    """X and Y are random functions of one, or of all, conditioning columns."""

    def draw(rng):
        z = rng.multivariate_normal(np.zeros(n_z), 0.3 + 0.7 * np.eye(n_z), size=N)
        f, g = rng.choice(len(FUNCTIONS), 2)
        weights = np.eye(n_z)[[0, 0]] if one else rng.uniform(0.5, 1, (2, n_z)) / np.sqrt(n_z)
        x, y = (FUNCTIONS[h](z @ w) + 0.5 * rng.normal(size=N) for h, w in zip((f, g), weights, strict=True))
        return x, y, z, ["continuous"] * n_z

    return draw


def mixed(k):
    """The slopes of X and Y on one number differ between k domains."""

    def draw(rng):
        label = np.arange(N) % k
        z = rng.normal(size=k)[label] + rng.normal(size=N)
        slope, level = rng.normal(size=(2, k)), rng.normal(size=(2, k))
        x = slope[0][label] * np.tanh(z) + 0.5 * level[0][label] + 0.5 * rng.normal(size=N)
        y = slope[1][label] * np.sin(z) + 0.5 * level[1][label] + 0.5 * rng.normal(size=N)
        return x, y, np.column_stack([z, label]), ["continuous", "categorical"]

    return draw


CELLS = {
    **{f"domain, {k} labels": domain(k) for k in (2, 3, 5, 10, 20)},
    **{f"unequal domains, {k} labels": domain(k, unequal=True) for k in (2, 3, 5, 10, 20)},
    **{f"time, {c} cycles" if c else "time, one jump": time(c) for c in (1, 3, 6, 12, 0)},
    **{f"one number and {k} labels": mixed(k) for k in (3, 10)},
    **{f"{q} numbers, one acts": numbers(q, one=True) for q in (1, 3, 5)},
    **{f"{q} numbers, all act": numbers(q, one=False) for q in (1, 3, 5)},
}


def ours(x, y, z, types, **parameters):
    return kci_test(x, y, z, z_types=types, **parameters).p_value


def causal_learn(x, y, z, _types):
    return CIT(np.column_stack([x, y, z]), "kci")(0, 1, list(range(2, 2 + z.shape[1])))


METHODS = {
    "causalkit": ours,
    "ridge 1e-3": partial(ours, regression=1e-3),
    "learned": partial(ours, width="learned"),
    "causal-learn": causal_learn,
}


def outcomes(name, seed):
    """Return the p-value and the seconds of each method on one draw."""
    sample = CELLS[name](np.random.default_rng(seed))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [timed(METHODS[method], sample) for method in OPTIONS.methods]


def timed(method, sample):
    start = clock.perf_counter()
    return method(*sample), clock.perf_counter() - start


def main() -> None:
    print(
        f"rejections of a true independence at .05, and seconds a test; n = {N}, {OPTIONS.repetitions} repetitions"
    )
    print(f"{'given':26}" + "".join(f"{method:>20}" for method in OPTIONS.methods))
    for name in (cell for cell in CELLS if cell.startswith(tuple(OPTIONS.words))):
        found = np.array(
            Parallel(n_jobs=2)(delayed(outcomes)(name, seed) for seed in range(OPTIONS.repetitions))
        )
        rejected, seconds = (found[:, :, 0] < 0.05).mean(axis=0), np.median(found[:, :, 1], axis=0)
        print(
            f"{name:26}" + "".join(f"{r:12.3f} ({s:.3f})" for r, s in zip(rejected, seconds, strict=True)),
            flush=True,
        )


if __name__ == "__main__":
    main()
