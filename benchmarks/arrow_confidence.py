"""What arrows rest on and whether they are right: the data from which their ``confidence`` is calibrated.

Usage: ``python benchmarks/arrow_confidence.py run --first 100 --draws 12`` adds arrows of small worlds of all three families to
``benchmarks/results/arrow_confidence_2026-11-28.csv``, on draws that ``changing_mechanisms.py`` does not use; ``fit`` prints the logistic
regression whose coefficients are in ``causalkit/discovery/_confidence.py``, and how often arrows are right by what is said of them, over folds.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from changing_mechanisms import WORLDS, causalkit, draw
from other_worlds import OTHER_GRID
from shifted_worlds import SHIFTED_GRID
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits

RESULTS = Path(__file__).parent / "results" / "arrow_confidence_2026-11-28.csv"
CELLS = [
    *("variables 4", "base", "rows 50", "density 0.2", "domains 2", "domains 3", "domains 5", "noise t3"),
    *("change coefficient", "change noise", "change function", "confounding latent", "labels True"),
    *("share 0.2", *(w.name for w in SHIFTED_GRID), *(w.name for w in OTHER_GRID)),
]
COLUMNS = ["cell", "seed", "rule", "p_value", "n_sets", "n_agreeing", "p_given_middle", "right"]
EDGES = (0, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0)


def run(options):
    rows = pd.read_csv(RESULTS).to_numpy().tolist() if RESULTS.exists() else []
    for seed in range(options.first, options.first + options.draws):
        for cell in CELLS:
            d = draw(WORLDS[cell], seed)
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore")
                found = causalkit(d)
            rows += [[cell, seed, *why, bool(d.arrows[edge])] for edge, why in found.reasons.items()]
        pd.DataFrame(rows, columns=COLUMNS).to_csv(RESULTS, index=False, float_format="%.4g")


def fit(_options):
    table = pd.read_csv(RESULTS)
    print(table.groupby("rule").right.agg(["count", "mean"]).round(3))
    table = table[table.rule.isin(["collider", "invariance", "meek-1"]) & table.n_sets.gt(0)]
    none = table.p_given_middle.isna()
    design = np.column_stack(
        [
            np.log(table.p_value.clip(lower=0.01)),
            -np.log10(table.p_given_middle.fillna(1).clip(lower=1e-6)),
            table.n_agreeing / table.n_sets - 1,
            none,
        ]
    )
    model = LogisticRegression(C=3).fit(design, table.right)
    print("intercept", model.intercept_.round(3), "coefficients", model.coef_.round(3), "of", len(table))
    said = cross_val_predict(model, design, table.right, cv=10, method="predict_proba")[:, 1]
    bins = pd.cut(said, EDGES)
    print(
        pd.DataFrame({"said": said, "right": table.right})
        .groupby(bins, observed=True)
        .agg(["mean", "count"])
        .round(3)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--first", type=int, default=100)
    runner.add_argument("--draws", type=int, default=12)
    runner.set_defaults(run=run)
    commands.add_parser("fit").set_defaults(run=fit)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
