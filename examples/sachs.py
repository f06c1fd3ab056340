"""
Protein signalling under nine conditions
========================================

Sachs et al. measured eleven proteins in single cells, in nine experiments with different reagents. Pooled as if they were one
sample, the experiments make dependences that no mechanism contains. CD-NOD takes the experiment as context. The graph that the
literature agreed on serves as truth; it is a consensus, not a fact, and reads as such.

The data are downloaded (1 MB) unless a path is given: ``python examples/sachs.py [path]``.
"""

# %%
# The data
# --------
# A hundred cells of each condition, drawn once: with thousands of cells every test sees what no diagram of pathways draws.

import sys
import warnings

import pandas as pd

from causalkit.datasets import load_sachs
from causalkit.discovery import CDNOD, PC
from causalkit.evaluation import graph_report

warnings.simplefilter("ignore")
PER_CONDITION = 100
path = sys.argv[1] if len(sys.argv) == 2 else None

data = load_sachs(path=path)
cells = data.frame.groupby("condition").sample(PER_CONDITION, random_state=0).reset_index(drop=True)
proteins = cells.drop(columns="condition")
print(data.description)
print(cells["condition"].value_counts().to_string())

# %%
# Three searches
# --------------
# PC on pooled data, with the test for linear dependence and with kernels, and CD-NOD with the condition as context.

models = {
    "PC, Fisher z, pooled": PC().fit(proteins),
    "PC, kernels, pooled": PC(ci_test="kci").fit(proteins),
    "CD-NOD, condition": CDNOD(n_components=0).fit(cells, context="condition"),
}
rows = {}
for name, model in models.items():
    graph = model.graph_.with_kind("PDAG").subgraph(data.graph.nodes)
    report = graph_report(data.graph, graph)
    rows[name] = {
        "edges": graph.n_edges,
        "skeleton precision": report.skeleton.precision,
        "skeleton recall": report.skeleton.recall,
        "arrow precision": report.arrowhead.precision,
        "arrow recall": report.arrowhead.recall,
        "SHD": report.shd,
    }
print(pd.DataFrame(rows).T.to_string(float_format="{:.2f}".format))

# %%
# What CD-NOD found
# -----------------
# Nearly every mechanism changes with the condition, as it should where reagents act on the pathway. Each arrow has a reason.

found = models["CD-NOD, condition"]
print("changing:", ", ".join(found.changing_))
for (cause, effect), receipt in found.orientation_.items():
    if cause != "condition" and effect != "condition":
        if not data.graph.has_edge(cause, effect):
            verdict = "not in the consensus"
        elif not found.graph_.has_directed_edge(cause, effect):
            verdict = "an edge of the consensus"
        else:
            verdict = "as in the consensus" if data.graph.has_directed_edge(cause, effect) else "reversed"
        print(f"{cause} - {effect}: {receipt.rule}; {verdict}")
