"""
How strongly does X cause Y?
============================

A graph says what to adjust for; data, or a network with known probabilities, say how strong the effect is. Here: how much more often do
patients with lung cancer have dyspnoea *because of it*? The network is that of Lauritzen and Spiegelhalter (1988).
"""

# %%
# The graph decides what to adjust for
# ------------------------------------
# Smoking causes cancer and, through bronchitis, dyspnoea too. There are several ways to close that path.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from causalkit import CausalGraph
from causalkit.strength import (
    BayesianNetwork,
    NetworkOracle,
    adjustment_sets,
    causal_strength,
    check_adjustment,
    identify,
    refute,
)

graph = CausalGraph.parse(
    "asia -> tub; smoke -> lung; smoke -> bronc; tub -> either; lung -> either; either -> xray; either -> dysp; bronc -> dysp"
)
found = identify(graph, "lung", "dysp")
print(found.estimand)
print("minimal sets:", list(adjustment_sets(graph, "lung", "dysp")))
print(check_adjustment(graph, "lung", "dysp", "xray"))

# %%
# Exactly, from a network
# -----------------------
# Tables have one axis per parent and a last one for the node itself.

no_yes = (0, 1)
tables = {
    "asia": [0.99, 0.01],
    "smoke": [0.5, 0.5],
    "tub": [[0.99, 0.01], [0.95, 0.05]],
    "lung": [[0.99, 0.01], [0.9, 0.1]],
    "bronc": [[0.7, 0.3], [0.4, 0.6]],
    "either": [[[1, 0], [0, 1]], [[0, 1], [0, 1]]],
    "xray": [[0.95, 0.05], [0.02, 0.98]],
    "dysp": [[[0.9, 0.1], [0.3, 0.7]], [[0.2, 0.8], [0.1, 0.9]]],
}
network = BayesianNetwork(graph, dict.fromkeys(graph.nodes, no_yes), tables)
exact = causal_strength(
    graph,
    "lung",
    "dysp",
    oracle=NetworkOracle(network),
    effect_value=1,
    measures=("rd", "rr", "cheng", "pns"),
)
print(exact)

# %%
# From rows
# ---------
# The same question to three thousand patients. The contrast without adjustment is too large: some of it is smoking.

frame = pd.DataFrame(network.sample(3000, rng=1))
estimate = causal_strength(graph, "lung", "dysp", data=frame, strategy="minimal")
print(estimate)
print(estimate.overlap)

# %%
# Every valid set asks the same question, and they should agree within chance. Sets that are not valid need not.

names = [(), ("smoke",), ("bronc",), ("smoke", "bronc"), ("tub", "bronc")]
rows = []
for z in names:
    if check_adjustment(graph, "lung", "dysp", z):
        answer = causal_strength(graph, "lung", "dysp", data=frame, adjustment_set=z, empty="trim")
        rows.append((", ".join(z), answer.value, *answer.interval, "C0"))
    else:
        rows.append(("(nothing)", estimate.naive, estimate.naive, estimate.naive, "C3"))
fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for k, (_, value, low, high, color) in enumerate(rows):
    ax.plot([low, high], [k, k], color=color, lw=2)
    ax.plot(value, k, "o", color=color)
ax.axvline(exact.value, color="0.4", ls="--", lw=1)
ax.annotate("truth", (exact.value, len(rows) - 0.4), ha="center", color="0.3")
ax.set_yticks(range(len(rows)), [row[0] for row in rows])
ax.set(
    xlabel="effect of lung on dysp, difference of probabilities",
    ylabel="adjusted for",
    ylim=(-0.6, len(rows)),
)
ax.spines[["top", "right"]].set_visible(False)

# %%
# What speaks against it
# ----------------------
# Shuffled causes should have no effect; noise should not matter; other minimal sets should agree; and the edits show on which edges of the graph
# the number hangs.

found = refute(estimate, frame, rng=0)
print(found)
edits = found["graph_edits"]
changed = [
    (label, value)
    for label, value in zip(edits.labels, edits.values, strict=True)
    if value is None or not np.isclose(value, estimate.value)
]
for label, value in changed:
    print(f"{label:28} {'not identified' if value is None else f'{value:.3f}'}")
