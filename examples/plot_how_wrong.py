"""
How wrong may the expert be?
============================

An expert who errs can still help, if it is asked the right things: only what data leave open, and within the graphs that data allow. Asked about every pair, a much better expert does worse,
because "does A cause B" is a question about ancestors, and most pairs have no arrow.
"""

# %%
# F1 against the error rate
# -------------------------

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np

from causalkit.datasets import load_network
from causalkit.llm_causal import ClassPosterior, OracleExpert, Question, Reliability

rates = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4])


def f1(claimed, true):
    """Harmonic mean of precision and recall of arrows."""
    both = (claimed & true).sum()
    return 2 * both / (claimed.sum() + true.sum())


def every_pair(truth, expert):
    """Ask about every pair and draw what is said."""
    found = np.zeros((truth.n_nodes, truth.n_nodes), dtype=bool)
    for answer in expert.answer([Question("ancestral", pair) for pair in combinations(truth.nodes, 2)]):
        u, v = (truth.index(name) for name in answer.question.variables)
        found[u, v], found[v, u] = answer.choice == "forward", answer.choice == "backward"
    return found


def each_open_edge(truth, expert):
    """Ask the direction of every edge that data leave open, and believe it."""
    found, cpdag = np.zeros((truth.n_nodes,) * 2, dtype=bool), truth.to_cpdag()
    for edge in cpdag.edges:
        u, v = edge.u, edge.v
        said = expert.answer([Question("orient", (u, v))])[0].choice
        ahead = said == "forward" if edge.is_undirected else cpdag.has_directed_edge(u, v)
        found[(truth.index(u), truth.index(v)) if ahead else (truth.index(v), truth.index(u))] = True
    return found


def best_in_class(rate):
    """Take the most probable member of the class, given the same answers."""

    def way(truth, expert):
        start = ClassPosterior(truth.to_cpdag(), Reliability(1 - max(rate, 0.01), max(rate, 0.01)))
        answers = expert.answer([Question("orient", edge) for edge in start.edges])
        return start.learn(answers).best()[0].to_adjacency().astype(bool)

    return way


fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained", sharey=True)
for network, ax in zip(("child", "insurance", "alarm"), axes, strict=True):
    truth = load_network(network).graph
    true = truth.to_adjacency().astype(bool)
    curves = {"every pair": [], "each open edge": [], "best graph of the class": []}
    for rate in rates:
        ways = dict(zip(curves, (every_pair, each_open_edge, best_in_class(rate)), strict=True))
        for name, way in ways.items():
            runs = 5 if name == "every pair" else 40
            scores = [f1(way(truth, OracleExpert(truth, float(rate), rng=run)), true) for run in range(runs)]
            curves[name].append(np.mean(scores))
    for name, curve in curves.items():
        ax.plot(rates, curve, marker="o", ms=3, label=name)
    ax.set(
        xlabel="share of wrong directions",
        title=f"{network}: {truth.n_nodes} nodes, {truth.n_edges} arrows",
        ylim=(0, 1.02),
    )
axes[0].set_ylabel("F1 of arrows")
axes[0].legend(loc="lower left", fontsize=9)

# %%
# The same number of calls would not buy it back: on Alarm every pair takes 666 questions, the class 4.
