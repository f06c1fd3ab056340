"""
Why adjustment sets differ in variance
======================================

All valid adjustment sets give the same effect in the limit, and not the same precision. A column that predicts the effect makes it more precise; one
that only predicts the cause makes it less. The optimal set (Henckel, Perković and Maathuis 2022) can be read off the graph.
"""

# %%
# Five sets for one question
# --------------------------

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

from causalkit import CausalGraph
from causalkit.strength import adjustment_sets, causal_strength, identify

graph = CausalGraph.parse("i -> x; a -> x; a -> b; b -> y; r -> y; x -> m; m -> y; s -> m")
for strategy in ("optimal", "minimal", "parents", "canonical"):
    print(f"{strategy:10}", identify(graph, "x", "y", strategy=strategy).adjustment_set)
print("all:", sum(1 for _ in adjustment_sets(graph, "x", "y", minimal_only=False)), "sets")

# %%
# ``i`` moves the cause only: adjusting for it throws away the variation that could tell the effect. ``r`` and ``s`` move the effect only: adjusting
# for them takes noise away. ``a`` and ``b`` lie on the path that must be closed; ``b`` is nearer to the effect.


def draw(seed: int, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    i, a, r, s, e = rng.normal(size=(5, n))
    x = (0.9 * i + 0.5 * a + rng.normal(size=n) > 0).astype(int)
    b = a + 0.7 * rng.normal(size=n)
    m = x + 1.5 * s + 0.3 * rng.normal(size=n)
    return pd.DataFrame(
        {"i": i, "a": a, "b": b, "r": r, "s": s, "x": x, "m": m, "y": m + b + 1.5 * r + 0.5 * e}
    )


models = {"outcome_model": LinearRegression(), "propensity_model": LogisticRegression()}
sets = [("a", "i"), ("a",), ("b",), ("b", "r"), ("b", "r", "s")]
estimates = {
    z: [
        causal_strength(graph, "x", "y", data=draw(seed), adjustment_set=z, estimator="aipw", **models).value
        for seed in range(60)
    ]
    for z in sets
}
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
rng = np.random.default_rng(0)
for k, (z, values) in enumerate(estimates.items()):
    best = set(z) == set(identify(graph, "x", "y").adjustment_set)
    ax.plot(values, k + rng.uniform(-0.18, 0.18, len(values)), ".", color="C0" if best else "0.6", ms=5)
    ax.text(2.25, k, f"s.d. {np.std(values):.2f}", va="center")
ax.axvline(1, color="0.4", ls="--", lw=1)
ax.set_yticks(range(len(sets)), [", ".join(z) for z in sets])
ax.set(xlabel="estimated effect, 60 draws of 300 rows (truth: 1)", ylabel="adjusted for", xlim=(-0.2, 2.8))
ax.spines[["top", "right"]].set_visible(False)

# %%
# The rule needs no data: take the parents of all nodes between cause and effect, and leave out what the cause affects.

print("optimal:", identify(graph, "x", "y").adjustment_set)
