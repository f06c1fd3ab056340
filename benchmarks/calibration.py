"""How often independence tests reject a true independence: ours, ours with the original's ridge, and causal-learn's.

Usage: ``python benchmarks/calibration.py [repetitions] [rows] [words]``; by default 200 repetitions of 300 rows; only cells whose name begins
with one of the words, by default all. Level .05, seeds 0, 1, ... in every cell.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from causallearn.utils.cit import CIT
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from causalkit.independence import kci_test

N = int(sys.argv[2]) if len(sys.argv) > 2 else 300
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


def p_values(name, seed):
    """Return the p-values of the three tests on one draw."""
    x, y, z, types = CELLS[name](np.random.default_rng(seed))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = kci_test(x, y, z, z_types=types).p_value
        fixed = kci_test(x, y, z, z_types=types, regression=1e-3).p_value
        peer = CIT(np.column_stack([x, y, z]), "kci")(0, 1, list(range(2, 2 + z.shape[1])))
    return ours, fixed, peer


def main(repetitions: int) -> None:
    print(f"rejections of a true independence at .05; n = {N}, {repetitions} repetitions")
    print(f"{'given':26} {'causalkit':>10} {'ridge 1e-3':>11} {'causal-learn':>13}")
    words = tuple(sys.argv[3:]) or ("",)
    for name in (cell for cell in CELLS if cell.startswith(words)):
        p = np.array(Parallel(n_jobs=2)(delayed(p_values)(name, seed) for seed in range(repetitions)))
        ours, fixed, peer = (p < 0.05).mean(axis=0)
        print(f"{name:26} {ours:10.3f} {fixed:11.3f} {peer:13.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
