"""
From names to a graph, with receipts
====================================

An expert says which variables cause which others, and every arrow keeps what was asked, what was answered, and what the data said before. Here the expert is simulated: it knows the graph of
a well-known network, and errs as often as GPT-4 did in published answers of 2023, mostly repeating its errors. Nothing is asked of any server; with a language model only the line that makes
the expert changes.
"""

# %%
# Names alone
# -----------
# Without data the expert is asked for the whole graph, three times in other words and orders, and then about the pairs on which the answers differ. What comes out is what the expert believes:
# nothing says how far it is right, and the report says so.

import matplotlib.pyplot as plt

from causalkit.datasets import load_network
from causalkit.evaluation import shd
from causalkit.llm_causal import ExpertNoise, GraphBuilder, OracleExpert, Reliability, Variable

truth = load_network("asia").graph
variables = [
    Variable("asia", "has been to Asia lately"),
    Variable("tub", "has tuberculosis"),
    Variable("smoke", "smokes"),
    Variable("lung", "has lung cancer"),
    Variable("bronc", "has bronchitis"),
    Variable("either", "has tuberculosis or lung cancer"),
    Variable("xray", "the chest X-ray shows something"),
    Variable("dysp", "is short of breath"),
]
expert = OracleExpert(truth, ExpertNoise.gpt4_2023(), persistence=0.8, rng=1)

by_names = GraphBuilder(variables, expert=expert)
print("before anything is spent:", by_names.estimate())
found_by_names = by_names.run()
print(found_by_names)

# %%
# What data leave open
# --------------------
# Data say which edges there are, and some of the directions. The rest is a class of graphs that no amount of such data can tell apart. Only that is asked, the most telling question first, and
# the answer to one question settles others.

session = GraphBuilder(
    variables, expert=expert, graph=truth.to_cpdag(), reliability=Reliability(0.73, 0.10, persistence=0.8)
)
found = session.run()
print(found)

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
shown = {
    "names alone": found_by_names.graph,
    "the class that data leave": truth.to_cpdag(),
    "class and answers": found.graph,
}
for (title, graph), ax in zip(shown.items(), axes, strict=True):
    graph.draw(ax)
    ax.set_title(f"{title}\nSHD to the truth {shd(graph, truth)}", fontsize=10)

# %%
# A receipt
# ---------
# Why does an arrow stand, or not? The answers are kept with their questions, and a transcript of them builds the same graph again, without asking anyone.

print(session.explain("smoke", "bronc"))
print()
print(session.explain("tub", "lung"))

# %%
# An exam
# -------
# How far is an expert to be believed? It is asked about arrows whose direction the data fix, without being told that they do (with a sample of data: about those that come back in most resampled
# searches). How it does there is how far it is believed elsewhere. One who is not shown to be better than a coin is refused.

alarm = load_network("alarm").graph
good = OracleExpert(alarm, ExpertNoise.gpt4_2023(), persistence=0.8)
coin = OracleExpert(alarm, ExpertNoise.coin(), persistence=0.8, rng=1)
for name, who in {"as GPT-4 in 2023": good, "a coin": coin}.items():
    result = GraphBuilder(alarm.nodes, expert=who, graph=alarm.to_cpdag()).run()
    print(f"{name:17} {result.exam}")
    print(
        f"{'':17} SHD {shd(alarm.to_cpdag(), alarm)} before, {shd(result.graph, alarm)} after, {result.ledger.total.calls} calls"
    )
