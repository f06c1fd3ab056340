"""How often the leak card cries wolf, and how many planted leaks it finds, by the number of instances that are scored (the test part of 100, 300, 1000 and 3000).

Usage: ``python benchmarks/leak_gate.py run [--first 0] [--sets 200] [--jobs 2]`` writes ``benchmarks/results/leak_gate_2026-11-28.csv``, where a later run goes on;
``table`` writes shares of cards with a leak for the documentation. Clean codes are noise, pictures in random directions, principal components, factors read from pictures by kernel ridge
regression, factors with a tenth of noise, and pixels. Leaks are put beside four clean codes; rows in an order that gives a factor away are the seventh kind.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge
from threadpoolctl import threadpool_limits

from causalkit.datasets import make_scene
from causalkit.evaluation import representation_report

RESULTS = Path(__file__).parent / "results" / "leak_gate_2026-11-28.csv"
PAGE = Path(__file__).parents[1] / "docs" / "user" / "tables" / "leak_gate.csv"
SIZES = {15: 100, 45: 300, 150: 1000, 450: 3000}
SCENES = ("fall", "refraction", "slope", "spring")
COLUMNS = ["instances", "set", "kind", "views", "leaks"]


def unit(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


# -- clean codes: a function of a scene, its free factors in units of their spread, pictures as numbers, and a generator


def noise(scene, _factors, _pictures, rng):
    return rng.normal(size=(len(scene), 5))


def directions(_scene, _factors, pictures, rng):
    return pictures @ rng.normal(size=(pictures.shape[1], 5))


def components(_scene, _factors, pictures, rng):
    return PCA(5).fit_transform(pictures + 1e-9 * rng.normal(size=pictures.shape))


def supervised(scene, factors, pictures, _rng):
    """Return factors read from pictures by a regression on training rows."""
    train = scene.splits()["train"][:600]
    width = 1 / pictures.var() / pictures.shape[1] / 10
    model = KernelRidge(kernel="rbf", alpha=1e-3, gamma=width).fit(pictures[train], factors[train])
    return model.predict(pictures)


def blurred(scene, factors, _pictures, rng):
    return np.hstack([factors + 0.1 * rng.normal(size=factors.shape), rng.normal(size=(len(scene), 2))])


def pixels(scene, _factors, pictures, _rng):
    return pictures.reshape(len(scene), 16, 16, 3)[:, ::4, ::4].reshape(len(scene), -1)


CLEAN = {f.__name__: f for f in (noise, directions, components, supervised, blurred, pixels)}

# -- leaks: what is made of one free factor, in units of its spread


def copy(a, rng):
    return rng.normal() + rng.choice([-2, 3]) * a


def near_copy(a, rng):
    return a + 0.003 * rng.normal(size=a.shape)


def float16(a, rng):
    return (rng.uniform(1, 9) * a).astype(np.float16).astype(float)


def smooth_function(a, rng):
    return [np.exp, np.tanh, lambda x: np.log(x - x.min() + 1), lambda x: x + x**3, np.arctan, np.cbrt][
        rng.integers(6)
    ](a)


def order_only(a, rng):
    values, place = np.unique(a, return_inverse=True)
    return np.cumsum(rng.exponential(size=values.shape) ** 2)[place]


LEAKS = {f.__name__: f for f in (copy, near_copy, float16, smooth_function, order_only)}
KINDS = [*CLEAN, *LEAKS, "turned pair", "sorted rows"]


def card(n, number, kind):
    """Return one row of the table."""
    rng = np.random.default_rng([n, number, KINDS.index(kind)])
    views, levels = int(rng.choice([1, 2, 4])), [None, 10][rng.integers(2)]
    scene = make_scene(SCENES[number % 4], n=SIZES[n], views=views, size=16, levels=levels, rng=rng)
    free = unit(scene.latents[list(scene.info.names("exogenous"))].to_numpy(float))
    pictures = scene.as_numpy(range(len(scene)))[1].reshape(len(scene), -1) / 255
    if kind in CLEAN:
        codes = CLEAN[kind](scene, free, pictures, rng)
    else:
        codes = CLEAN[("noise", "directions", "components")[number % 3]](scene, free, pictures, rng)
        if kind == "turned pair":
            angle = rng.uniform(0.3, 1.27)
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            codes = np.hstack([codes, free[:, :2] @ turn])
        elif kind == "sorted rows":
            order = np.argsort(free[:, 0], kind="stable")
            scene, codes = scene.take(order), codes[order]
            scene = replace(scene, groups=np.arange(len(scene)) // views)
        else:
            codes = np.hstack([codes, LEAKS[kind](free[:, [0]], rng)])
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        found = representation_report(scene, codes, n_bootstrap=0, n_permutations=0, rng=number)
    return [n, number, kind, views, " | ".join(found.leaks)]


def run(options):
    rows = pd.read_csv(RESULTS, keep_default_na=False).to_numpy().tolist() if RESULTS.exists() else []
    done = {tuple(row[:3]) for row in rows}
    for n in options.sizes:
        todo = [
            (n, s, kind)
            for s in range(options.first, options.first + options.sets)
            for kind in options.kinds
            if (n, s, kind) not in done
            and s - options.first < (-(-options.sets // len(CLEAN)) if kind in CLEAN else options.sets // 4)
        ]
        rows += Parallel(options.jobs)(delayed(card)(*one) for one in todo)
        pd.DataFrame(rows, columns=COLUMNS).to_csv(RESULTS, index=False)


def table(_options):
    """Write the table of the documentation, and print it: shares of cards with a leak."""
    rows = pd.read_csv(RESULTS, keep_default_na=False)
    rows["found"] = rows.leaks != ""
    rows["what"] = np.where(rows.kind.isin(list(CLEAN)), "clean: ", "leak: ") + rows.kind.str.replace(
        "_", " "
    )
    shares = rows.pivot_table(index="what", columns="instances", values="found", aggfunc="mean")
    for what, of in (
        ("all clean cards", rows.kind.isin(list(CLEAN))),
        ("all leaks", ~rows.kind.isin(list(CLEAN))),
    ):
        shares.loc[what] = rows[of].groupby("instances").found.mean()
    shares.columns = [f"{n} instances" for n in shares.columns]
    shares.rename_axis("codes").reset_index().to_csv(PAGE, index=False, float_format="%.3f")
    print(shares.round(3).to_string())
    print(rows.groupby("instances").size().to_dict())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--first", type=int, default=0)
    runner.add_argument("--sets", type=int, default=200)
    runner.add_argument("--jobs", type=int, default=2)
    runner.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    runner.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    runner.set_defaults(run=run)
    commands.add_parser("table").set_defaults(run=table)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
