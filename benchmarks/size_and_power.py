"""How often tests of conditional independence reject when they should not, and when they should.

Usage: ``python benchmarks/size_and_power.py run --repetitions 1000 [--tests kci rcit] [--rows 200 500] [--jobs 2]`` and then
``python benchmarks/size_and_power.py table`` or ``page`` (figure and tables of the user guide). Repetitions are added in rounds to ``benchmarks/results/size_and_power.csv``, where a later run
goes on; the models are in ``conditional_models.py``. Every repetition is one draw, tested against Y without and with each dependence.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from conditional_models import ALTERNATIVES, MODELS, draw
from joblib import Parallel, delayed
from scipy import stats
from threadpoolctl import threadpool_limits

from causalkit.independence import GCM, KCI, RCIT

RESULTS = Path(__file__).parent / "results" / "size_and_power.csv"
KEYS = ["test", "rows", "model", "given", "dependence"]
LEVELS = (0.01, 0.05, 0.10)
ROUND = 100
WORLDS = ("none", *ALTERNATIVES)


def kci(sample):
    return columns(KCI(column_types=sample.types), sample)


def paper(sample):
    return columns(KCI(column_types=sample.types, regression=1e-3, form="joined"), sample)


def rcit(sample):
    return columns(RCIT(), sample)


def gcm(sample):
    return columns(GCM(column_types=sample.types), sample)


def columns(test, sample):
    values = sample.columns
    return [
        r.p_value for r in test.fit(values).batch([(0, k, sample.given) for k in range(1, len(WORLDS) + 1)])
    ]


def causal_learn_gp(sample):
    from causallearn.utils.cit import CIT

    test = CIT(sample.columns, "kci", use_gp=True)
    return [test(0, k, list(sample.given)) for k in range(1, len(WORLDS) + 1)]


def cmiknn(sample):
    from tigramite.independence_tests.cmiknn import CMIknn

    test, z = CMIknn(sig_samples=200, sig_blocklength=1), sample.columns[:, list(sample.given)]
    rows = [np.column_stack([sample.columns[:, [0, k]], z]).T for k in range(1, len(WORLDS) + 1)]
    kinds = np.array([0, 1] + [2] * z.shape[1])
    return [
        test.get_shuffle_significance(array, kinds, test.get_dependence_measure(array, kinds))
        for array in rows
    ]


TESTS = {f.__name__: f for f in (kci, paper, rcit, gcm, causal_learn_gp, cmiknn)}


def cells(rows):
    """Yield sample size, model and number of conditioning columns, without models that are another under that number."""
    for n in rows:
        for q in range(6):
            for model in MODELS:
                same = {0: ("all", "heteroscedastic"), 1: ("all", "mixed")}.get(q, ())
                if model not in same:
                    yield n, model, q


def one_repetition(name, cell, repetition):
    """Return p-values for all worlds, and seconds per test."""
    n, model, q = cell
    sample = draw(model, n, q, repetition)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        values = TESTS[name](sample)
    return values, (time.perf_counter() - start) / len(values)


def load():
    if RESULTS.exists():
        return pd.read_csv(RESULTS).set_index(KEYS)
    return pd.DataFrame(
        columns=["repetitions", "r01", "r05", "r10", "ms"],
        index=pd.MultiIndex.from_arrays([[]] * 5, names=KEYS),
    )


def add_round(table, name, cell, goal, jobs):
    """Add up to a hundred repetitions of one cell; return whether there was something to do."""
    key = (name, *cell)
    done = int(table.loc[(*key, "none"), "repetitions"]) if (*key, "none") in table.index else 0
    todo = range(done, min(done + ROUND, goal))
    if not todo:
        return False
    outcomes = Parallel(n_jobs=jobs)(delayed(one_repetition)(name, cell, r) for r in todo)
    p, seconds = np.array([o[0] for o in outcomes]), 1e3 * np.median([o[1] for o in outcomes])
    if np.isnan(p).any():
        p = np.where(np.isnan(p), 1.0, p)
    for k, world in enumerate(WORLDS):
        old = table.loc[(*key, world)].to_numpy()[1:4] if done else np.zeros(3)
        hits = [(p[:, k] < level).sum() for level in LEVELS]
        table.loc[(*key, world), :] = [done + len(todo), *(old + hits), seconds]
    return True


def run(options):
    RESULTS.parent.mkdir(exist_ok=True)
    table, busy = load(), True
    while busy:
        busy = False
        for name in options.tests:
            for cell in cells(options.rows):
                busy |= add_round(table, name, cell, options.repetitions, options.jobs)
                table.sort_index().to_csv(RESULTS, float_format="%.4g")
        print(table.groupby(["test", "rows"]).repetitions.agg(["min", "max"]), flush=True)


def band(repetitions, level=0.05, coverage=0.95):
    """Return the shares of rejections that a test of exactly this level stays within."""
    low, high = stats.binom.interval(coverage, repetitions, level)
    return low / repetitions, high / repetitions


def shares(name, level="r05", dependence="none"):
    """Return rejections of one test as a frame: rows and model down, number of conditioning columns across."""
    table = load().reset_index()
    part = table[(table.test == name) & (table.dependence == dependence)]
    return part.assign(share=part[level] / part.repetitions).pivot_table("share", ["rows", "model"], "given")


def show(_options):
    """Print the size at .05 of every cell, and milliseconds."""
    table = load().reset_index()
    for name in table.test.unique():
        print(f"\n## {name}: rejections of a true independence at .05\n")
        print(shares(name).to_string(float_format="{:.3f}".format))
        none = table[(table.test == name) & (table.dependence == "none")]
        print("\nmilliseconds a test\n")
        print(
            none.pivot_table("ms", "rows", "given", aggfunc="median").to_string(float_format="{:.1f}".format)
        )


TITLES = {"kci": "KCI, default", "paper": "KCI, ridge of the paper", "rcit": "RCIT"}


def draw_sizes(path):
    """Draw the size at .05 of every cell as one map per test."""
    import matplotlib.pyplot as plt

    names = [name for name in TITLES if name in load().reset_index().test.unique()]
    frames = {name: shares(name) for name in names}
    height = 0.24 * len(frames["kci"]) + 1.2
    fig, axes = plt.subplots(
        1, len(names), figsize=(4.1 * len(names), height), layout="constrained", sharey=True
    )
    for ax, name in zip(np.atleast_1d(axes), names, strict=True):
        frame = frames[name].reindex(frames["kci"].index)
        image = ax.imshow(frame, cmap="RdBu_r", aspect="auto", norm=_centred())
        for (i, j), value in np.ndenumerate(frame.to_numpy()):
            if np.isfinite(value):
                color = "white" if value > 0.16 or value < 0.02 else "black"
                ax.text(j, i, f"{value:.3f}"[1:], ha="center", va="center", fontsize=7, color=color)
        ax.set_xticks(range(frame.shape[1]), frame.columns)
        ax.set(xlabel="conditioning columns", title=TITLES[name])
    labels = [f"{model}, {rows}" for rows, model in frames["kci"].index]
    np.atleast_1d(axes)[0].set_yticks(range(len(labels)), labels, fontsize=8)
    fig.colorbar(image, ax=axes, shrink=0.5, label="rejections of a true independence at .05")
    fig.savefig(path, dpi=110)


def _centred():
    from matplotlib.colors import TwoSlopeNorm

    return TwoSlopeNorm(0.05, 0, 0.25)


def rst(frame, form="{:.3f}"):
    """Return a frame as a simple table of reStructuredText."""
    cells = [[str(c) for c in (*frame.index.names, *frame.columns)]]
    for key, row in zip(frame.index, frame.to_numpy(), strict=True):
        keys = key if isinstance(key, tuple) else (key,)
        cells.append([*map(str, keys), *("–" if np.isnan(v) else form.format(v) for v in row)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "  ".join("=" * w for w in widths)
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def summary(name):
    """Return, for each number of rows and columns, the smallest, mean and largest size of all models at three levels."""
    table = load().reset_index()
    part, columns = table[(table.test == name) & (table.dependence == "none")], {}
    for level, title in zip(("r01", "r05", "r10"), LEVELS, strict=True):
        grouped = part.assign(share=part[level] / part.repetitions).groupby(["rows", "given"]).share
        for statistic in ("min", "mean", "max"):
            columns[f"{title:g} {statistic}"] = getattr(grouped, statistic)()
    return pd.DataFrame(columns)


def power(names):
    """Return rejections under each dependence, averaged over models and numbers of columns, of tests whose cells all are there."""
    table = load().reset_index()
    table = table.assign(share=table.r05 / table.repetitions)
    return table[table.test.isin(names)].pivot_table("share", ["rows", "test"], "dependence")[list(WORLDS)]


def page(options):
    """Write the figure and the tables of the page on size and power."""
    table = load().reset_index()
    draw_sizes(options.folder / "_static" / "size_and_power.png")
    none = table[(table.dependence == "none") & (table.test == "kci")]
    parts = {
        "sizes": rst(shares("kci")),
        "levels": rst(summary("kci")),
        "power": rst(power(list(TITLES)), "{:.2f}"),
        "repetitions": rst(none.pivot_table("repetitions", "rows", "given", aggfunc="min"), "{:.0f}"),
    }
    for name, text in parts.items():
        (options.folder / "user" / "tables" / f"{name}.txt").write_text(text + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--repetitions", type=int, default=1000)
    runner.add_argument("--tests", nargs="+", default=["kci"], choices=list(TESTS))
    runner.add_argument("--rows", nargs="+", type=int, default=[200, 500, 1000, 2000])
    runner.add_argument("--jobs", type=int, default=2)
    runner.set_defaults(run=run)
    commands.add_parser("table").set_defaults(run=show)
    writer = commands.add_parser("page")
    writer.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "docs")
    writer.set_defaults(run=page)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
